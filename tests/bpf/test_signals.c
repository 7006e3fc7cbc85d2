/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_signals: what a client's packets say of a backend (maps/signals.h), packet after packet through the loaded
 * program. Flows are looked for whose hash is in the sample, or not, or at a place that is taken.
 */
#include "maps/signals.h"
#include "tests/bpf/fixture.h"

#define C4   "198.51.100.7"
#define C6   "2001:db8:c::7"
#define VIP4 "192.0.2.10"
#define VIP6 "2001:db8::10"

#define SYN 0x02
#define RST 0x04
#define ACK 0x10
#define PSH 0x08
#define FIN 0x01

static void serve_by(enum affinity affinity)
{
	const char *vips[] = {VIP4, VIP6};

	for (int i = 0; i < 2; i++)
		fixture_service((struct service){.address = address_of(vips[i]),
						 .port_be = htons(443),
						 .protocol = IPPROTO_TCP,
						 .kind = SERVICE_KIND_PORT,
						 .affinity = affinity,
						 .encap = ENCAP_IPIP,
						 .track = TRACK_NEVER});
	fixture_slots(1, BACKEND_NONE, 1);
}

static void serve(void)
{
	serve_by(AFFINITY_FLOW);
}

static struct spec flow_at(bool ipv6, uint16_t port)
{
	return (struct spec){ipv6 ? C6 : C4, ipv6 ? VIP6 : VIP4, IPPROTO_TCP, port, 443};
}

/* A flow that nobody had yet. */
static struct spec flow(bool ipv6, bool sampled)
{
	static uint16_t port = 1000;
	struct spec spec;

	do
		spec = flow_at(ipv6, port++);
	while (!!hash_is_sampled(spec_hash(&spec), HANDSHAKE_SAMPLE) != sampled);
	return spec;
}

static void send_it(struct spec spec, uint8_t flags)
{
	struct frame in, out;

	spec.tcp_flags = flags;
	frame_build(&in, &spec);
	assert_int_equal(program_run(fx.skel->progs.xdp_lb, &in, &out), XDP_TX);
}

static struct backend_signals signals_of(uint32_t backend)
{
	struct backend_signals s;

	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(fx.skel->maps.backend_signals), &backend, &s), 0);
	return s;
}

static struct handshake place_of(const struct spec *spec)
{
	uint32_t at = hash_handshake(spec_hash(spec), HANDSHAKES_MAX);
	struct handshake h;

	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(fx.skel->maps.handshakes), &at, &h), 0);
	return h;
}

/* As if it had begun so long ago. */
static void age(const struct spec *spec, uint64_t ns)
{
	struct handshake h = place_of(spec);

	h.began -= (uint32_t)(ns >> 10);
	map_set(fx.skel->maps.handshakes, hash_handshake(spec_hash(spec), HANDSHAKES_MAX), &h);
}

static void fresh(void)
{
	struct backend_signals none = {0};

	serve();
	fixture_clear(fx.skel->maps.handshakes, 0, HANDSHAKES_MAX);
	for (uint32_t i = 1; i <= 3; i++)
		map_set(fx.skel->maps.backend_signals, i, &none);
}

static void expect(const char *name, uint32_t backend, uint64_t begun, uint64_t completed, uint64_t again,
		   uint64_t timed_out, uint64_t reset)
{
	struct backend_signals s = signals_of(backend);

	if (s.begun != begun || s.completed != completed || s.retransmitted != again ||
	    s.timed_out != timed_out || s.reset != reset)
		fail_msg("%s: begun %llu completed %llu retransmitted %llu timed_out %llu reset %llu", name,
			 s.begun, s.completed, s.retransmitted, s.timed_out, s.reset);
}

static uint32_t bucket_sum(uint32_t backend)
{
	struct backend_signals s = signals_of(backend);
	uint32_t sum = 0;

	for (int i = 0; i < SIGNALS_BUCKETS; i++)
		sum += s.took[i];
	return sum;
}

static void a_handshake_completes(void **state)
{
	for (int ipv6 = 0; ipv6 < 2; ipv6++) {
		struct spec spec = flow(ipv6, true);

		fresh();
		send_it(spec, SYN);
		expect("syn", 1, 1, 0, 0, 0, 0);
		assert_int_equal(place_of(&spec).backend, 1);
		send_it(spec, ACK);
		expect("ack", 1, 1, 1, 0, 0, 0);
		assert_int_equal(place_of(&spec).backend, BACKEND_NONE);
		send_it(spec, ACK);
		send_it(spec, ACK | PSH);
		send_it(spec, ACK | FIN);
		expect("more of the flow says nothing", 1, 1, 1, 0, 0, 0);
		assert_int_equal(bucket_sum(1), 1);
	}
}

/* The ACK was lost on its way, the data was not. */
static void data_completes_too(void **state)
{
	struct spec spec = flow(false, true);

	fresh();
	send_it(spec, SYN);
	spec.payload = 30;
	send_it(spec, ACK | PSH);
	expect("data", 1, 1, 1, 0, 0, 0);
}

static void what_ends_no_handshake(void **state)
{
	struct spec spec = flow(false, true), other = flow(false, true);

	fresh();
	send_it(spec, ACK);
	send_it(spec, RST);
	expect("nothing had begun", 1, 0, 0, 0, 0, 0);
	send_it(spec, SYN);
	send_it(spec, FIN);
	send_it(spec, SYN | ACK);
	send_it(other, ACK);
	expect("FIN, SYN-ACK, another flow", 1, 1, 0, 0, 0, 0);
}

static void one_that_is_not_in_the_sample(void **state)
{
	struct spec spec = flow(false, false);

	fresh();
	send_it(spec, SYN);
	send_it(spec, ACK);
	expect("not in the sample", 1, 0, 0, 0, 0, 0);
	assert_int_equal(place_of(&spec).backend, BACKEND_NONE);
}

/* One client must not speak for a backend. */
static void only_where_the_flow_chose(void **state)
{
	struct spec spec = flow(false, true);

	fresh();
	serve_by(AFFINITY_SOURCE);
	send_it(spec, SYN);
	serve_by(AFFINITY_SANDBOX);
	send_it(spec, SYN);
	expect("by source, by sandbox", 1, 0, 0, 0, 0, 0);
	serve();
	send_it(spec, SYN);
	expect("by flow", 1, 1, 0, 0, 0, 0);
}

static void a_reset(void **state)
{
	struct spec spec = flow(false, true);

	fresh();
	send_it(spec, SYN);
	send_it(spec, RST);
	expect("reset", 1, 1, 0, 0, 0, 1);
	assert_int_equal(place_of(&spec).backend, BACKEND_NONE);
}

/* Whose round trip it was cannot be told, so it is in no bucket. */
static void a_syn_that_comes_again_soon(void **state)
{
	struct spec spec = flow(false, true);

	fresh();
	send_it(spec, SYN);
	send_it(spec, SYN);
	expect("again", 1, 1, 0, 1, 0, 0);
	send_it(spec, ACK);
	expect("completed", 1, 1, 1, 1, 0, 0);
	assert_int_equal(bucket_sum(1), 0);
}

static void a_syn_that_comes_again_late(void **state)
{
	struct spec spec = flow(false, true);

	fresh();
	send_it(spec, SYN);
	age(&spec, HANDSHAKE_TIMEOUT_NS + 2048);
	send_it(spec, SYN);
	expect("timed out, begun again", 1, 2, 0, 1, 1, 0);
	send_it(spec, ACK);
	expect("completed", 1, 2, 1, 1, 1, 0);
	assert_int_equal(bucket_sum(1), 1);
}

static void a_syn_that_comes_again_elsewhere(void **state)
{
	struct spec spec = flow(false, true);

	fresh();
	send_it(spec, SYN);
	fixture_slots(2, BACKEND_NONE, 2);
	send_it(spec, SYN);
	expect("the first", 1, 1, 0, 0, 1, 0);
	expect("the second", 2, 1, 0, 1, 0, 0);
	assert_int_equal(place_of(&spec).backend, 2);
}

/* Two flows that want the same place. */
static void a_place_that_is_taken(void **state)
{
	struct spec first = flow(false, true), second;
	uint32_t at = hash_handshake(spec_hash(&first), HANDSHAKES_MAX);
	char source[32];

	for (uint32_t i = 0;; i++) {
		snprintf(source, sizeof(source), "198.18.%u.%u", i >> 8 & 255, i & 255);
		second = flow_at(false, (uint16_t)(1 + (i >> 16)));
		second.source = source;
		if (hash_is_sampled(spec_hash(&second), HANDSHAKE_SAMPLE) &&
		    hash_handshake(spec_hash(&second), HANDSHAKES_MAX) == at)
			break;
	}
	fresh();
	send_it(first, SYN);
	send_it(second, SYN);
	send_it(second, ACK);
	expect("the first one stays", 1, 1, 0, 0, 0, 0);
	age(&first, HANDSHAKE_TIMEOUT_NS + 2048);
	fixture_slots(2, BACKEND_NONE, 2);
	send_it(second, SYN);
	expect("until it is too old", 1, 1, 0, 0, 1, 0);
	expect("the second", 2, 1, 0, 0, 0, 0);
	send_it(second, ACK);
	expect("the second", 2, 1, 1, 0, 0, 0);
}

static void buckets_are_powers_of_two(void **state)
{
	static const struct {
		uint64_t us;
		int least, most; /* the clock runs on meanwhile */
	} rows[] = {{0, 0, 13}, {100000, 17, 17}, {200000, 18, 18}, {900000, 20, 20}, {3000000, 21, 21}};

	for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
		struct spec spec = flow(false, true);
		struct backend_signals s;
		int bucket = 0;

		fresh();
		send_it(spec, SYN);
		age(&spec, rows[r].us * 1000);
		send_it(spec, ACK);
		s = signals_of(1);
		while (bucket < SIGNALS_BUCKETS && !s.took[bucket])
			bucket++;
		if (bucket < rows[r].least || bucket > rows[r].most)
			fail_msg("%llu us: bucket %d", (unsigned long long)rows[r].us, bucket);
		assert_int_equal(bucket_sum(1), 1);
	}
}

/* begun = completed + reset + timed_out + what is still there, whatever comes. */
static void the_sum_holds_in_a_flood(void **state)
{
	struct backend_signals s;
	uint64_t there = 0;
	struct handshake h;
	char source[32];

	fresh();
	srand(7);
	for (uint32_t i = 0; i < 60000; i++) {
		struct spec spec = flow_at(false, (uint16_t)(1024 + rand() % 4));
		uint32_t kind = (uint32_t)rand() % 8;

		snprintf(source, sizeof(source), "198.18.%u.%u", (unsigned int)rand() % 32, (unsigned int)rand() % 256);
		spec.source = source;
		send_it(spec, kind < 5 ? SYN : kind < 7 ? ACK : RST);
		if (i == 30000)
			fixture_slots(2, BACKEND_NONE, 2);
	}
	for (uint32_t id = 1; id <= 2; id++) {
		there = 0;
		for (uint32_t i = 0; i < HANDSHAKES_MAX; i++) {
			assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(fx.skel->maps.handshakes), &i, &h), 0);
			there += h.backend == id;
		}
		s = signals_of(id);
		assert_true(s.begun > 500 && s.completed > 100 && s.reset > 50);
		assert_int_equal(s.begun, s.completed + s.reset + s.timed_out + there);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_handshake_completes),
		cmocka_unit_test(data_completes_too),
		cmocka_unit_test(what_ends_no_handshake),
		cmocka_unit_test(one_that_is_not_in_the_sample),
		cmocka_unit_test(only_where_the_flow_chose),
		cmocka_unit_test(a_reset),
		cmocka_unit_test(a_syn_that_comes_again_soon),
		cmocka_unit_test(a_syn_that_comes_again_late),
		cmocka_unit_test(a_syn_that_comes_again_elsewhere),
		cmocka_unit_test(a_place_that_is_taken),
		cmocka_unit_test(buckets_are_powers_of_two),
		cmocka_unit_test(the_sum_holds_in_a_flood),
	};

	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
