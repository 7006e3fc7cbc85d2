/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_affinity: where flows go when slots move under them, by the rules of bpf/slot.h, packet
 * after packet through the loaded program. A step names the slot, the packet, and the backend and
 * hops that it must leave with.
 */
#include "tests/bpf/affinity.h"

/* Rule 1. */
static void settled_slots_keep_nothing(void **state)
{
	struct spec spec = flow4(TCP);

	wipe();
	serve(ENCAP_GUE, TRACK_MOVED, AFFINITY_FLOW);
	fixture_slots(1, 0, 2);
	send_to("syn", spec, SYN, ENCAP_GUE, 1, 0, 0);
	send_to("ack", spec, ACK, ENCAP_GUE, 1, 0, 0);
	assert_int_equal(flows_in_table() + flows_in_nursery(), 0);
}

/* Rule 2, both families of the inner packet, both of the outer. */
static void unsettled_slots(void **state)
{
	for (int outer = 0; outer <= 10; outer += 10) {
		for (int v6 = 0; v6 < 2; v6++) {
			uint16_t a = 1 + outer, b = 2 + outer, c = 3 + outer;
			struct spec fresh = v6 ? flow6(TCP) : flow4(TCP);
			struct spec old = v6 ? flow6(TCP) : flow4(TCP);
			uint64_t kept_before = kept(b);

			wipe();
			serve(ENCAP_GUE, TRACK_MOVED, AFFINITY_FLOW);
			fixture_slots(a, b, b);
			send_to("new flow", fresh, SYN, ENCAP_GUE, a, b, 0);
			assert_int_equal(flows_in_table(), 0);
			assert_int_equal(flows_in_nursery(), 1);
			send_to("its second packet", fresh, ACK, ENCAP_GUE, a, b, 0);
			send_to("a flow from before the move", old, ACK, ENCAP_GUE, b, a, 0);
			send_to("it again", old, FIN, ENCAP_GUE, b, a, 0);
			assert_int_equal(flows_in_table(), 1);
			assert_int_equal(flows_in_nursery(), 0);
			assert_int_equal(kept(b), kept_before + 2);
			fixture_slots(a, b, c);
			send_to("three owners, new", fresh, ACK, ENCAP_GUE, a, b, c);
			send_to("three owners, old", old, ACK, ENCAP_GUE, b, a, c);
			fixture_slots(c, b, a);
			send_to("moved on: the note holds", fresh, ACK, ENCAP_GUE, a, c, b);
			send_to("a SYN is new", fresh, SYN, ENCAP_GUE, c, b, a);
			send_to("and noted anew", fresh, ACK, ENCAP_GUE, c, b, a);
		}
	}
	fixture_slots(1, 0, 0);
}

static void wiped_tables_break_nothing(void **state)
{
	struct spec begun = flow4(TCP), known = flow4(TCP);

	fixture_slots(1, 2, 2);
	send_to("new", begun, SYN, ENCAP_GUE, 1, 2, 0);
	send_to("new", known, SYN, ENCAP_GUE, 1, 2, 0);
	send_to("known", known, ACK, ENCAP_GUE, 1, 2, 0);
	wipe();
	/* The former owner has no socket and passes it on to the hop. */
	send_to("forgotten", begun, ACK, ENCAP_GUE, 2, 1, 0);
	send_to("forgotten", known, ACK, ENCAP_GUE, 2, 1, 0);
}

/* Rule 4. */
static void drained_and_gone(void **state)
{
	struct spec spec = flow4(TCP), old = flow4(TCP);

	wipe();
	fixture_slots(2, 1, 1);
	send_to("new", spec, SYN, ENCAP_GUE, 2, 1, 0);
	fixture_slots(1, 2, 1);
	set_state(2, BACKEND_STATE_DRAIN);
	send_to("drains: keeps its flow", spec, ACK, ENCAP_GUE, 2, 1, 0);
	send_to("drains: keeps older ones", old, ACK, ENCAP_GUE, 2, 1, 0);
	set_state(2, BACKEND_STATE_MAINT);
	send_to("as maintenance does", spec, ACK, ENCAP_GUE, 2, 1, 0);
	set_state(2, BACKEND_STATE_FREE);
	send_to("gone: the primary", spec, ACK, ENCAP_GUE, 1, 0, 0);
	send_to("gone: the primary, old", old, ACK, ENCAP_GUE, 1, 0, 0);
	set_state(2, BACKEND_STATE_READY);
}

/* Rule 3. */
static void track_always(void **state)
{
	struct spec tcp = flow4(TCP), udp = flow4(UDP), udp6 = flow6(UDP), stray = flow6(TCP);

	wipe();
	serve(ENCAP_IPIP, TRACK_ALWAYS, AFFINITY_FLOW);
	fixture_slots(1, 0, 0);
	send_to("tcp", tcp, SYN, ENCAP_IPIP, 1, 0, 0);
	send_to("udp", udp, 0, ENCAP_IPIP, 1, 0, 0);
	send_to("udp6", udp6, 0, ENCAP_IPIP, 1, 0, 0);
	send_to("an ACK without a note is noted", stray, ACK, ENCAP_IPIP, 1, 0, 0);
	assert_int_equal(flows_in_nursery(), 4);
	send_to("the second packet is what makes it known", tcp, ACK, ENCAP_IPIP, 1, 0, 0);
	send_to("of datagrams, too", udp, 0, ENCAP_IPIP, 1, 0, 0);
	assert_int_equal(flows_in_nursery(), 2);
	assert_int_equal(flows_in_table(), 2);
	fixture_slots(2, 1, 1);
	send_to("tcp stays", tcp, ACK, ENCAP_IPIP, 1, 0, 0);
	send_to("udp stays", udp, 0, ENCAP_IPIP, 1, 0, 0);
	send_to("a new datagram goes to the new owner", flow4(UDP), 0, ENCAP_IPIP, 2, 0, 0);
	send_to("an unknown segment to the former", flow4(TCP), ACK, ENCAP_IPIP, 1, 0, 0);
	fixture_slots(2, 0, 0);
	send_to("settled: stays", tcp, ACK, ENCAP_IPIP, 1, 0, 0);
	send_to("settled: stays, 6", stray, ACK, ENCAP_IPIP, 1, 0, 0);
	fixture_slots(2, 1, 1);
	serve(ENCAP_GUE, TRACK_ALWAYS, AFFINITY_FLOW);
	send_to("a noted datagram has no hops", udp6, 0, ENCAP_GUE, 1, 0, 0);
	send_to("a segment has", tcp, ACK, ENCAP_GUE, 1, 2, 0);
}

/* Rule 3 by SERVICE_TRACK_UDP: datagrams are noted, TCP is not. */
static void track_udp(void **state)
{
	struct spec datagram = flow4(UDP), tcp = flow4(TCP), later = flow4(UDP);

	wipe();
	serve_with(ENCAP_GUE, TRACK_MOVED, AFFINITY_FLOW, SERVICE_TRACK_UDP);
	fixture_slots(1, 0, 1);
	send_to("first datagram", datagram, 0, ENCAP_GUE, 1, 0, 0);
	send_to("tcp", tcp, SYN, ENCAP_GUE, 1, 0, 0);
	assert_int_equal(flows_in_nursery(), 1);
	fixture_slots(2, 1, 1);
	send_to("a known one stays", datagram, 0, ENCAP_GUE, 1, 0, 0);
	send_to("a new one does not go where the slot was", later, 0, ENCAP_GUE, 2, 0, 0);
	send_to("tcp goes to the former owner", tcp, ACK, ENCAP_GUE, 1, 2, 0);
	fixture_slots(1, 0, 0);
}

/* A former owner that is plainly dead comes second: what has no note is not lost with it. */
static void a_dead_former_owner(void **state)
{
	struct spec noted = flow4(TCP), unknown = flow4(TCP);
	struct backend dead = fixture_backend(1);

	wipe();
	serve(ENCAP_GUE, TRACK_ALWAYS, AFFINITY_FLOW);
	fixture_slots(1, 0, 1);
	send_to("noted", noted, SYN, ENCAP_GUE, 1, 0, 0);
	serve(ENCAP_GUE, TRACK_MOVED, AFFINITY_FLOW);
	fixture_slots(2, 1, 1);
	dead.down = 1;
	fixture_put_backend(&dead);
	send_to("unknown: the primary first", unknown, ACK, ENCAP_GUE, 2, 1, 0);
	send_to("noted: it may still live there", noted, ACK, ENCAP_GUE, 1, 2, 0);
	dead.down = 0;
	fixture_put_backend(&dead);
	send_to("back", unknown, ACK, ENCAP_GUE, 1, 2, 0);
	fixture_slots(1, 0, 0);
}

static void track_never(void **state)
{
	wipe();
	serve(ENCAP_GUE, TRACK_NEVER, AFFINITY_FLOW);
	fixture_slots(1, 2, 3);
	send_to("new", flow4(TCP), SYN, ENCAP_GUE, 1, 2, 3);
	send_to("any", flow6(TCP), ACK, ENCAP_GUE, 1, 2, 3);
	send_to("any datagram", flow4(UDP), 0, ENCAP_GUE, 1, 2, 3);
	serve(ENCAP_GUE, TRACK_MOVED, AFFINITY_NONE);
	send_to("no affinity", flow4(TCP), ACK, ENCAP_GUE, 1, 0, 0);
	send_to("no affinity, a SYN", flow6(TCP), SYN, ENCAP_GUE, 1, 0, 0);
	serve(ENCAP_GUE, TRACK_ALWAYS, AFFINITY_NONE);
	send_to("no affinity, whatever is tracked", flow4(UDP), 0, ENCAP_GUE, 1, 0, 0);
	assert_int_equal(flows_in_table() + flows_in_nursery(), 0);
}

/* `affinity: source`: ports do not matter for the slot; the flow still chooses the UDP source port.
 */
static void affinity_source(void **state)
{
	struct address client = address_of(C4);
	uint64_t hash = hash_address(1, &client, 0, FIXTURE_SEED);
	struct slot slot = {.primary = 3, .moved = 1};

	serve(ENCAP_GUE, TRACK_MOVED, AFFINITY_SOURCE);
	fixture_slots(1, 0, 0);
	map_set(fx.skel->maps.slots, hash_slot(hash, FIXTURE_SLOTS), &slot);
	for (int i = 0; i < 20; i++)
		send_to("source", flow4(i % 2 ? TCP : UDP), ACK, ENCAP_GUE, 3, 0, 0);
	fixture_slots(1, 0, 0);
}

/* Rule 4. */
static void sandbox_put(const char *address, uint16_t port, uint16_t backend, uint16_t former)
{
	struct sandbox_key key = {
		.address = address_of(address), .port_be = htons(port), .service = 9};
	struct sandbox sandbox = {.backend = backend, .former = former};
	int fd = bpf_map__fd(fx.skel->maps.sandboxes);

	assert_int_equal(bpf_map_update_elem(fd, &key, &sandbox, BPF_ANY), 0);
}

static void serve_sandboxes(const char *prefix, uint8_t length, enum encap encap, uint8_t flags)
{
	struct service service = {
		.address = address_of(prefix),
		.kind = SERVICE_KIND_PREFIX,
		.prefix_length = length,
		.affinity = AFFINITY_SANDBOX,
		.encap = encap,
		.flags = flags,
		.id = 9,
	};

	fixture_service(service);
}

static void sandboxes(void **state)
{
	struct spec spec4 = {C4, "203.0.113.7", TCP, 4000, 22}, elsewhere = spec4;
	struct spec spec6 = {C6, "2001:db8:5b::7", UDP, 4000, 22};

	fx.settings.table[1].prefix_count_ipv4 = fx.settings.table[1].prefix_count_ipv6 = 1;
	fx.settings.table[1].prefix_lengths_ipv4[0] = 24;
	fx.settings.table[1].prefix_lengths_ipv6[0] = 64;
	fixture_settings();
	serve_sandboxes("203.0.113.0", 96 + 24, ENCAP_GUE, 0);
	serve_sandboxes("2001:db8:5b::", 64, ENCAP_GUE, 0);
	fixture_slots(1, 0, 0);
	send_to("unplaced: by its slot", spec4, ACK, ENCAP_GUE, 1, 0, 0);
	sandbox_put("203.0.113.7", 0, 3, 0);
	sandbox_put("2001:db8:5b::7", 0, 13, 0);
	send_to("placed", spec4, SYN, ENCAP_GUE, 3, 0, 0);
	send_to("placed, 6", spec6, 0, ENCAP_GUE, 13, 0, 0);
	elsewhere.destination = "203.0.113.8";
	send_to("its neighbour is not", elsewhere, SYN, ENCAP_GUE, 1, 0, 0);
	sandbox_put("203.0.113.7", 0, 2, 3);
	sandbox_put("2001:db8:5b::7", 0, 12, 13);
	send_to("moved", spec4, ACK, ENCAP_GUE, 2, 3, 0);
	send_to("moved, 6", spec6, 0, ENCAP_GUE, 12, 13, 0);
	set_state(2, BACKEND_STATE_FREE);
	send_to("its backend is gone: by its slot", spec4, ACK, ENCAP_GUE, 1, 0, 0);
	set_state(2, BACKEND_STATE_READY);
	serve_sandboxes("203.0.113.0", 96 + 24, ENCAP_IPIP, SERVICE_SANDBOX_PORT);
	send_to("by port: unplaced", spec4, ACK, ENCAP_IPIP, 1, 0, 0);
	sandbox_put("203.0.113.7", 22, 3, 0);
	send_to("by port", spec4, ACK, ENCAP_IPIP, 3, 0, 0);
	spec4.dport = 23;
	send_to("another port", spec4, ACK, ENCAP_IPIP, 1, 0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(settled_slots_keep_nothing),
		cmocka_unit_test(unsettled_slots),
		cmocka_unit_test(wiped_tables_break_nothing),
		cmocka_unit_test(drained_and_gone),
		cmocka_unit_test(track_always),
		cmocka_unit_test(track_udp),
		cmocka_unit_test(a_dead_former_owner),
		cmocka_unit_test(track_never),
		cmocka_unit_test(affinity_source),
		cmocka_unit_test(sandboxes),
	};

	return cmocka_run_group_tests_name("affinity", tests, affinity_setup, fixture_teardown);
}
