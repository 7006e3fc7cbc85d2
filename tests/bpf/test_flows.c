/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_flows: the two tables of notes by the rules of bpf/flow.h: a first packet goes to the nursery, a second one makes
 * the flow known, and no number of first packets displaces what is known.
 */
#include "tests/bpf/affinity.h"

#define RST 0x04

/* A flow whose note falls into set 0 of both tables. */
static struct spec flow_of_set_0(void)
{
	static char sources[256][16];
	static uint32_t flow;
	struct spec spec = {.destination = VIP4, .protocol = TCP, .dport = 443, .payload = 5};

	do {
		char *source = sources[(flow >> 14) & 255];

		snprintf(source, sizeof(sources[0]), "198.51.%u.%u", flow >> 22 & 255, flow >> 14 & 255);
		spec.source = source;
		spec.sport = 1024 + (flow++ & 0x3fff);
	} while (hash_flow_set(spec_hash(&spec), NURSERY_SETS - 1) != 0);
	return spec;
}

static const struct flow *note_of(const struct spec *spec)
{
	for (int way = 0; way < FLOW_WAYS; way++)
		if (flow_sets[0].way[way].fingerprint == hash_fingerprint(spec_hash(spec)))
			return &flow_sets[0].way[way];
	return NULL;
}

static void begin(enum encap encap, enum track track)
{
	wipe();
	serve(encap, track, AFFINITY_FLOW);
	fixture_slots(1, 2, 2);
}

/* New flows go to 1, unknown ones to 2. */
static void make_known(struct spec *ret_flow)
{
	*ret_flow = flow_of_set_0();
	send_to("begins", *ret_flow, SYN, ENCAP_GUE, 1, 2, 0);
	send_to("goes on", *ret_flow, ACK, ENCAP_GUE, 1, 2, 0);
	assert_non_null(note_of(ret_flow));
}

static void a_flood_displaces_nothing_known(void **state)
{
	struct spec known[FLOW_WAYS];

	begin(ENCAP_GUE, TRACK_ALWAYS);
	for (int i = 0; i < FLOW_WAYS; i++)
		make_known(&known[i]);
	for (int i = 0; i < 50; i++) {
		send_to("SYN flood", flow_of_set_0(), SYN, ENCAP_GUE, 1, 2, 0);
		send_to("ACK flood", flow_of_set_0(), ACK, ENCAP_GUE, 2, 1, 0);
	}
	assert_int_equal(flows_in_nursery(), FLOW_WAYS);
	for (int i = 0; i < FLOW_WAYS; i++)
		send_to("still known", known[i], ACK, ENCAP_GUE, 1, 2, 0);
}

static void the_nursery_keeps_the_newest(void **state)
{
	struct spec flow[FLOW_WAYS + 1];

	begin(ENCAP_GUE, TRACK_MOVED);
	for (int i = 0; i <= FLOW_WAYS; i++) {
		flow[i] = flow_of_set_0();
		send_to("begins", flow[i], SYN, ENCAP_GUE, 1, 2, 0);
	}
	/* With a second hop even this one finds its backend. */
	send_to("the oldest fell out", flow[0], ACK, ENCAP_GUE, 2, 1, 0);
	for (int i = 1; i <= FLOW_WAYS; i++)
		send_to("is there", flow[i], ACK, ENCAP_GUE, 1, 2, 0);
	assert_int_equal(flows_in_nursery(), 0);
	assert_int_equal(flows_in_table(), FLOW_WAYS);
}

/* A SYN that comes again takes no second place. */
static void a_syn_again(void **state)
{
	struct spec flow[FLOW_WAYS];

	begin(ENCAP_GUE, TRACK_MOVED);
	for (int i = 0; i < FLOW_WAYS; i++) {
		flow[i] = flow_of_set_0();
		send_to("begins", flow[i], SYN, ENCAP_GUE, 1, 2, 0);
	}
	for (int i = 0; i < 20; i++)
		send_to("again", flow[3], SYN, ENCAP_GUE, 1, 2, 0);
	assert_int_equal(flows_in_nursery(), FLOW_WAYS);
	for (int i = 0; i < FLOW_WAYS; i++)
		send_to("is there", flow[i], ACK, ENCAP_GUE, 1, 2, 0);
}

/* A note that stands twice (two CPUs wrote at once) is taken out twice: the older one never comes back. */
static void noted_twice(void **state)
{
	struct spec flow = flow_of_set_0();

	begin(ENCAP_GUE, TRACK_MOVED);
	send_to("begins", flow, SYN, ENCAP_GUE, 1, 2, 0);
	nursery_sets[0].way[5] = nursery_sets[0].way[0];
	nursery_sets[0].way[5].backend = 3;
	send_to("the newest counts", flow, ACK, ENCAP_GUE, 1, 2, 0);
	assert_int_equal(flows_in_nursery(), 0);
}

/* The addresses and ports of a known flow, used anew after the slot moved. */
static void a_syn_overrules_a_note(void **state)
{
	struct spec flow;

	begin(ENCAP_GUE, TRACK_MOVED);
	make_known(&flow);
	fixture_slots(3, 1, 2);
	send_to("goes on where it was", flow, ACK, ENCAP_GUE, 1, 3, 2);
	send_to("begins anew", flow, SYN, ENCAP_GUE, 3, 1, 2);
	send_to("and goes on there", flow, ACK, ENCAP_GUE, 3, 1, 2);
	assert_int_equal(note_of(&flow)->backend, 3);
	assert_int_equal(flows_in_table(), 1);
}

static void a_closed_flow_opens_anew(void **state)
{
	struct spec flow;

	begin(ENCAP_GUE, TRACK_MOVED);
	make_known(&flow);
	send_to("closes", flow, FIN, ENCAP_GUE, 1, 2, 0);
	send_to("its last ACK", flow, ACK, ENCAP_GUE, 1, 2, 0);
	assert_true(note_of(&flow)->seen & FLOW_SEEN_CLOSED);
	send_to("begins anew", flow, SYN, ENCAP_GUE, 1, 2, 0);
	send_to("goes on", flow, ACK, ENCAP_GUE, 1, 2, 0);
	assert_false(note_of(&flow)->seen & FLOW_SEEN_CLOSED);
}

static void an_end_makes_no_flow_known(void **state)
{
	struct spec flow = flow_of_set_0();

	begin(ENCAP_GUE, TRACK_MOVED);
	send_to("begins", flow, SYN, ENCAP_GUE, 1, 2, 0);
	send_to("is reset", flow, RST, ENCAP_GUE, 1, 2, 0);
	assert_int_equal(flows_in_nursery(), 1);
	assert_int_equal(flows_in_table(), 0);
}

/* Rule 2: among the known, a closed one goes first, then one of which nothing came after its second packet. */
static void room_among_the_known(void **state)
{
	struct spec known[FLOW_WAYS], more[3];

	begin(ENCAP_GUE, TRACK_MOVED);
	for (int i = 0; i < FLOW_WAYS; i++) {
		make_known(&known[i]);
		if (i != 5)
			send_to("is busy", known[i], ACK, ENCAP_GUE, 1, 2, 0);
	}
	send_to("closes", known[3], FIN, ENCAP_GUE, 1, 2, 0);
	make_known(&more[0]);
	assert_null(note_of(&known[3]));
	send_to("is busy", more[0], ACK, ENCAP_GUE, 1, 2, 0);
	make_known(&more[1]);
	assert_null(note_of(&known[5]));
	make_known(&more[2]); /* and so a flood of two packets each displaces itself */
	assert_null(note_of(&more[1]));
	for (int i = 0; i < FLOW_WAYS; i++)
		if (i != 3 && i != 5)
			send_to("still known", known[i], ACK, ENCAP_GUE, 1, 2, 0);
}

/* Seconds are coarse: a way whose time lies far back is the one that goes. */
static void the_longest_idle_goes(void **state)
{
	struct spec known[FLOW_WAYS], another;
	struct flow *old;

	begin(ENCAP_GUE, TRACK_MOVED);
	for (int i = 0; i < FLOW_WAYS; i++) {
		make_known(&known[i]);
		send_to("is busy", known[i], ACK, ENCAP_GUE, 1, 2, 0);
	}
	old = (struct flow *)note_of(&known[5]);
	old->seen = ((old->seen - 99) & FLOW_SEEN_TIME) | FLOW_SEEN_AGAIN;
	make_known(&another);
	assert_null(note_of(&known[5]));
	send_to("the idle one went", known[5], ACK, ENCAP_GUE, 2, 1, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_flood_displaces_nothing_known),
		cmocka_unit_test(the_nursery_keeps_the_newest),
		cmocka_unit_test(a_syn_again),
		cmocka_unit_test(noted_twice),
		cmocka_unit_test(a_syn_overrules_a_note),
		cmocka_unit_test(a_closed_flow_opens_anew),
		cmocka_unit_test(an_end_makes_no_flow_known),
		cmocka_unit_test(room_among_the_known),
		cmocka_unit_test(the_longest_idle_goes),
	};

	return cmocka_run_group_tests_name("flows", tests, affinity_setup, fixture_teardown);
}
