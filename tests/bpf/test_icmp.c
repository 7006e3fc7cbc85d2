/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_icmp: echo to a VIP, errors that quote a service's packet, and what the edge tells a client
 * whose packet does not fit. Every byte that leaves is built here in full.
 */
#include "tests/bpf/fixture.h"

#define C4   "198.51.100.7"
#define C6   "2001:db8:c::7"
#define R4   "100.64.0.1" /* a router on the way to the client */
#define R6   "2001:db8:d::1"
#define VIP4 "192.0.2.10"
#define VIP6 "2001:db8::10"

#define TCP IPPROTO_TCP
#define UDP IPPROTO_UDP
#define ACK 0x10
#define SYN 0x02

static void serve(enum encap encap, enum track track)
{
	const char *vips[] = {VIP4, VIP6};
	const uint8_t protocols[] = {TCP, UDP};

	for (int i = 0; i < 4; i++) {
		struct service service = {
			.address = address_of(vips[i / 2]),
			.port_be = htons(443),
			.protocol = protocols[i % 2],
			.kind = SERVICE_KIND_PORT,
			.encap = encap,
			.track = track,
		};
		struct service marker = {.address = service.address, .kind = SERVICE_KIND_ADDRESS};

		fixture_service(service);
		fixture_service(marker);
	}
}

static void set_rate(uint32_t pps)
{
	fixture_clear_counters(fx.skel->maps.answer_clock);
	fx.settings.icmp_rate_pps = pps;
	fixture_settings();
}

/* An ICMP message with its checksum; the family is that of `source`. */
static uint32_t icmp(uint8_t *to, const char *source, const char *destination, uint8_t type,
		     uint8_t code, uint32_t rest, const void *body, uint32_t length)
{
	struct address from = address_of(source), dest = address_of(destination);
	bool ipv4 = !strchr(source, ':');
	uint16_t sum;

	memset(to, 0, 8);
	to[0] = type;
	to[1] = code;
	put16(to + 4, rest >> 16);
	put16(to + 6, rest);
	memcpy(to + 8, body, length);
	sum = ipv4 ? ~sum_bytes(to, 8 + length, 0)
		   : sum_l4(&from, &dest, false, IPPROTO_ICMPV6, to, 8 + length);
	put16(to + 2, sum || (type != 0 && type != 129) ? sum : 0xffff); /* as answer.h */
	return 8 + length;
}

static void swap(uint8_t *a, uint8_t *b, int length)
{
	uint8_t saved[16];

	memcpy(saved, a, length);
	memcpy(a, b, length);
	memcpy(b, saved, length);
}

static void echo(const char *client, const char *vip, int payload, int tags, uint32_t id)
{
	bool ipv4 = !strchr(client, ':');
	uint8_t body[2048], text[2048];
	struct spec spec = {client, vip, ipv4 ? IPPROTO_ICMP : IPPROTO_ICMPV6, .body = body};
	struct frame in, want;
	uint8_t *ip;

	for (int i = 0; i < payload; i++)
		text[i] = i * 5;
	spec.tags = tags;
	spec.payload = icmp(body, client, vip, ipv4 ? 8 : 128, 0, id, text, payload);
	frame_build(&in, &spec);
	in.bytes[in.l3 + (ipv4 ? 8 : 7)] = 33; /* hops away */
	if (ipv4) {
		put16(in.bytes + in.l3 + 10, 0);
		put16(in.bytes + in.l3 + 10, ~sum_bytes(in.bytes + in.l3, 20, 0));
	}
	want = in;
	ip = want.bytes + want.l3;
	swap(want.bytes, want.bytes + 6, 6);
	icmp(ip + (ipv4 ? 20 : 40), vip, client, ipv4 ? 0 : 129, 0, id, text, payload);
	if (ipv4) {
		swap(ip + 12, ip + 16, 4);
		ip[8] = 64;
		put16(ip + 10, 0);
		put16(ip + 10, ~sum_bytes(ip, 20, 0));
	} else {
		swap(ip + 8, ip + 24, 16);
		ip[7] = 64;
	}
	fixture_run("echo", &in, VERDICT_ANSWER_ECHO, &want);
}

static void echo_is_answered(void **state)
{
	serve(ENCAP_IPIP, TRACK_MOVED);
	for (int i = 0; i < 300; i++) {
		echo(C4, VIP4, i * 4 % 1400, i % 3, i * 219u << 16 | i * 331);
		echo(C6, VIP6, i * 4 % 1400, i % 3, i * 219u << 16 | i * 331);
	}
}

static void echo_elsewhere_passes(void **state)
{
	uint8_t body[64];
	struct spec spec = {C4, "192.0.2.11", IPPROTO_ICMP, .body = body};
	struct frame in;

	spec.payload = icmp(body, C4, spec.destination, 8, 0, 1, "abcd", 4);
	frame_build(&in, &spec);
	fixture_run("echo to another", &in, VERDICT_PASS_NOT_OURS, NULL);
	spec.destination = VIP4;
	spec.payload = icmp(body, C4, VIP4, 0, 0, 1, "abcd", 4);
	frame_build(&in, &spec);
	fixture_run("echo reply", &in, VERDICT_PASS_NOT_OURS, NULL);
	spec.payload = icmp(body, C4, VIP4, 8, 0, 1, "abcd", 4);
	spec.options = 4;
	frame_build(&in, &spec);
	fixture_run("echo with options", &in, VERDICT_PASS_NOT_OURS, NULL);
	spec.options = 0;
	spec.payload = 6;
	frame_build(&in, &spec);
	fixture_run("echo, cut", &in, VERDICT_PASS_NOT_OURS, NULL);
	spec = (struct spec){C6, VIP6, IPPROTO_ICMPV6, .body = body};
	spec.payload = icmp(body, C6, VIP6, 135, 0, 0, "neighbour", 9);
	frame_build(&in, &spec);
	fixture_run("neighbour discovery", &in, VERDICT_PASS_NOT_OURS, NULL);
}

/* An error from `router` that quotes `bytes` of L4 of a backend's packet to its client. */
static void build_error(struct frame *in, const struct spec *flow, const char *router, uint8_t type,
			uint8_t code, int bytes)
{
	static uint8_t body[512];
	bool ipv4 = !strchr(flow->source, ':');
	struct spec reply = {flow->destination, flow->source, flow->protocol, flow->dport,
			     flow->sport,       ACK,          .payload = 300};
	struct spec error = {router, flow->destination, ipv4 ? IPPROTO_ICMP : IPPROTO_ICMPV6,
			     .body = body};
	struct frame quoted;

	frame_build(&quoted, &reply);
	error.payload = icmp(body, router, flow->destination, type, code, 1400,
			     quoted.bytes + quoted.l3, (ipv4 ? 20 : 40) + bytes);
	frame_build(in, &error);
}

static void send_error(const char *name, const struct spec *flow, uint8_t type, uint8_t code,
		       int bytes, const struct wrap *wrap)
{
	struct wrap to = *wrap;
	struct frame in, want;

	build_error(&in, flow, strchr(flow->source, ':') ? R6 : R4, type, code, bytes);
	to.hash = spec_hash(flow);
	to.no_sum = true;
	frame_wrap(&want, &in, in.length - in.l3, &to);
	fixture_run(name, &in, VERDICT_FORWARD_TX, &want);
}

static void errors_reach_the_backend(void **state)
{
	const struct spec flows[] = {
		{C4, VIP4, TCP, 4000, 443},
		{C4, VIP4, UDP, 4001, 443},
		{C6, VIP6, TCP, 4002, 443},
		{C6, VIP6, UDP, 4003, 443},
	};
	static const uint8_t types4[][2] = {{3, 4}, {3, 1}, {11, 0}},
			     types6[][2] = {{2, 0}, {1, 3}, {3, 0}};

	for (enum encap encap = ENCAP_IPIP; encap <= ENCAP_GUE; encap++) {
		serve(encap, TRACK_MOVED);
		for (int i = 0; i < 4; i++)
			for (int t = 0; t < 3; t++)
				for (uint16_t backend = 2; backend <= 12; backend += 10) {
					const uint8_t *type = i < 2 ? types4[t] : types6[t];
					struct slot slot = {.primary = backend, .moved = 1};

					/* Only the flow's own slot names the backend. */
					fixture_slots(1, 0, 0);
					map_set(fx.skel->maps.slots,
						hash_slot(spec_hash(&flows[i]), FIXTURE_SLOTS),
						&slot);
					send_error("error", &flows[i], type[0], type[1], 8,
						   &(struct wrap){backend, 1, encap});
					send_error("error, longer quote", &flows[i], type[0],
						   type[1], 40, &(struct wrap){backend, 1, encap});
				}
	}
	fixture_slots(1, 0, 0);
}

/* As its flow: by the flow table, else by the former owner; and it is no reason for a note. */
static void errors_follow_the_flow(void **state)
{
	struct spec known = {C4, VIP4, TCP, 5000, 443, SYN}, old = {C6, VIP6, TCP, 5001, 443, ACK};
	struct wrap wrap = {1, 1, ENCAP_GUE, {2}, .hash = spec_hash(&known)};
	struct frame in, want;

	serve(ENCAP_GUE, TRACK_MOVED);
	fixture_slots(1, 2, 2);
	frame_build(&in, &known);
	frame_wrap(&want, &in, in.length - in.l3, &wrap);
	fixture_run("syn", &in, VERDICT_FORWARD_TX, &want);
	send_error("of a noted flow", &known, 3, 4, 8, &(struct wrap){1, 1, ENCAP_GUE, {2}});
	send_error("of an older flow", &old, 2, 0, 8, &(struct wrap){2, 1, ENCAP_GUE, {1}});
	serve(ENCAP_GUE, TRACK_ALWAYS);
	fixture_slots(1, 0, 0);
	send_error("not noted", &old, 2, 0, 8, &(struct wrap){1, 1, ENCAP_GUE});
	fixture_slots(2, 0, 0);
	send_error("not noted", &old, 2, 0, 8, &(struct wrap){2, 1, ENCAP_GUE});
	fixture_slots(1, 0, 0);
}

static void errors_of_others_pass(void **state)
{
	const struct spec flow = {C4, VIP4, TCP, 4000, 443}, flow6 = {C6, VIP6, TCP, 4000, 443};
	struct spec other = flow;
	struct frame in;

	serve(ENCAP_GUE, TRACK_MOVED);
	other.dport = 444;
	build_error(&in, &other, R4, 3, 4, 8);
	fixture_run("of no service's port", &in, VERDICT_PASS_NOT_OURS, NULL);
	build_error(&in, &flow, R4, 5, 0, 8);
	fixture_run("redirect", &in, VERDICT_PASS_NOT_OURS, NULL);
	build_error(&in, &flow, R4, 3, 4, 7);
	fixture_run("7 bytes of L4", &in, VERDICT_PASS_NOT_OURS, NULL);
	build_error(&in, &flow6, R6, 2, 0, 7);
	fixture_run("7 bytes of L4, 6", &in, VERDICT_PASS_NOT_OURS, NULL);
	build_error(&in, &flow, R4, 3, 4, 8);
	in.bytes[in.l3 + 28 + 15] ^= 1;
	fixture_run("of another sender", &in, VERDICT_PASS_NOT_OURS, NULL);
	build_error(&in, &flow, R4, 3, 4, 8);
	in.bytes[in.l3 + 28 + 7] = 9;
	fixture_run("of a later fragment", &in, VERDICT_PASS_NOT_OURS, NULL);
	build_error(&in, &flow, R4, 3, 4, 8);
	in.bytes[in.l3 + 28 + 9] = IPPROTO_ICMP;
	fixture_run("ICMP quoting ICMP", &in, VERDICT_PASS_NOT_OURS, NULL);
	build_error(&in, &flow6, R6, 2, 0, 8);
	in.bytes[in.l3 + 48 + 6] = IPPROTO_ICMPV6;
	fixture_run("ICMP quoting ICMP, 6", &in, VERDICT_PASS_NOT_OURS, NULL);
	build_error(&in, &flow6, R6, 2, 0, 8);
	in.bytes[in.l3 + 48 + 23] ^= 1;
	fixture_run("of another sender, 6", &in, VERDICT_PASS_NOT_OURS, NULL);
	build_error(&in, &flow6, R6, 2, 0, 8);
	in.bytes[in.l3 + 48 + 6] = 44;
	fixture_run("of a fragment, 6", &in, VERDICT_PASS_NOT_OURS, NULL);
	build_error(&in, &flow, R4, 3, 4, 8);
	in.bytes[in.l3 + 28] = 0x4f;
	fixture_run("options behind the end", &in, VERDICT_PASS_NOT_OURS, NULL);
	build_error(&in, &flow, R4, 3, 4, 8);
	in.bytes[in.l3 + 28] = 0x65;
	fixture_run("of another version", &in, VERDICT_PASS_NOT_OURS, NULL);
}

/* An error about an error about a packet of ours, and so on: the outermost quote alone is read. */
static void errors_in_errors(void **state)
{
	const struct spec flow = {C4, VIP4, TCP, 4000, 443};
	struct frame inner, in;
	uint8_t body[256] = {3, 1};
	struct spec error = {R4, VIP4, IPPROTO_ICMP, .body = body};

	serve(ENCAP_GUE, TRACK_MOVED);
	build_error(&inner, &flow, R4, 3, 4, 8);
	for (int depth = 0; depth < 3; depth++) {
		error.payload = 8 + inner.length - inner.l3;
		memcpy(body + 8, inner.bytes + inner.l3, inner.length - inner.l3);
		memcpy(body + 8 + 12, body + 8 + 16, 4); /* as if the VIP had sent it */
		frame_build(&in, &error);
		fixture_run("an error in an error", &in, VERDICT_PASS_NOT_OURS, NULL);
		inner = in;
	}
}

/* The answer to `in`, from the VIP. */
static void build_too_big(struct frame *want, const struct frame *in, const struct spec *spec,
			  uint32_t mtu)
{
	static uint8_t body[600];
	bool ipv4 = !strchr(spec->source, ':');
	struct spec answer = {spec->destination, spec->source, ipv4 ? IPPROTO_ICMP : IPPROTO_ICMPV6,
			      .body = body};

	answer.tags = spec->tags;
	answer.payload = icmp(body, answer.source, answer.destination, ipv4 ? 3 : 2, ipv4 ? 4 : 0,
			      mtu, in->bytes + in->l3, ipv4 ? 128 : 512);
	frame_build(want, &answer);
	memcpy(want->bytes, in->bytes, in->l3);
	swap(want->bytes, want->bytes + 6, 6);
	if (!ipv4) { /* no flow label */
		memset(want->bytes + want->l3 + 1, 0, 3);
	}
}

static void too_big_is_told(void **state)
{
	const struct spec specs[] = {
		{C4, VIP4, TCP, 4000, 443, ACK, .payload = 1560},
		{C6, VIP6, TCP, 4000, 443, ACK, .payload = 1560, .tags = 2},
		{C4, VIP4, UDP, 4000, 443, .payload = 2000, .tags = 1, .options = 8},
		{C6, VIP6, UDP, 4000, 443, .payload = 1900},
	};
	/* 1600 less the outer headers, two hops included. */
	const struct {
		enum encap encap;
		uint16_t backend;
		uint32_t mtu;
	} paths[] = {{ENCAP_IPIP, 1, 1580},
		     {ENCAP_IPIP, 11, 1560},
		     {ENCAP_GUE, 1, 1600 - 20 - 16 - 8},
		     {ENCAP_GUE, 11, 1600 - 40 - 16 - 32}};

	set_rate(1000000);
	for (int i = 0; i < 4; i++)
		for (int p = 0; p < 4; p++) {
			struct frame in, want;

			serve(paths[p].encap, TRACK_MOVED);
			fixture_slots(paths[p].backend, 0, 0);
			frame_build(&in, &specs[i]);
			build_too_big(&want, &in, &specs[i], paths[p].mtu);
			fixture_run("too big", &in, VERDICT_ANSWER_TOO_BIG, &want);
		}
	fixture_slots(1, 0, 0);
}

static void too_big_is_not_told(void **state)
{
	struct spec spec = {C4, VIP4, TCP, 4000, 443, ACK, .payload = 1600};
	int told = 0;
	struct frame in, out;

	serve(ENCAP_IPIP, TRACK_MOVED);
	frame_build(&in, &spec);
	set_rate(0);
	fixture_run("rate 0", &in, VERDICT_DROP_TOO_BIG, NULL);
	set_rate(1000000);
	put16(in.bytes + in.l3 + 6, 0);
	put16(in.bytes + in.l3 + 10, 0);
	put16(in.bytes + in.l3 + 10, ~sum_bytes(in.bytes + in.l3, 20, 0));
	fixture_run("may be fragmented", &in, VERDICT_DROP_TOO_BIG, NULL);
	build_error(&in, &(struct spec){C4, VIP4, TCP, 4000, 443}, R4, 3, 4, 8);
	memset(frame_add(&in, 1580), 7, 1580);
	put16(in.bytes + in.l3 + 2, in.length - in.l3);
	fixture_run("an error", &in, VERDICT_DROP_TOO_BIG, NULL);
	/* 10 a second: a burst of 100 ms, and the next is too early. */
	frame_build(&in, &spec);
	set_rate(10);
	for (int i = 0; i < 20; i++)
		told += program_run(fx.skel->progs.xdp_lb, &in, &out) == XDP_TX;
	assert_in_range(told, 1, 4);
}

static void in_both_families(void **state)
{
	static const enum verdict verdicts[] = {VERDICT_ANSWER_ECHO, VERDICT_ANSWER_TOO_BIG};

	assert_rows_in_both_families(verdicts, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(echo_is_answered),
		cmocka_unit_test(echo_elsewhere_passes),
		cmocka_unit_test(errors_reach_the_backend),
		cmocka_unit_test(errors_follow_the_flow),
		cmocka_unit_test(errors_of_others_pass),
		cmocka_unit_test(errors_in_errors),
		cmocka_unit_test(too_big_is_told),
		cmocka_unit_test(too_big_is_not_told),
		cmocka_unit_test(in_both_families),
	};

	return cmocka_run_group_tests_name("icmp", tests, fixture_setup, fixture_teardown);
}
