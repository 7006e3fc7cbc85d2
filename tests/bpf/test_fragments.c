/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_fragments: later fragments follow their first (bpf/fragment.h), packet after packet through
 * the loaded program, byte for byte. A fragment of `frame.h` begins at 1480, which is where a first
 * one of 1472 bytes in UDP ends.
 */
#include "maps/fragment.h"
#include "tests/bpf/fixture.h"

#define C4   "198.51.100.7"
#define C6   "2001:db8:c::7"
#define VIP4 "192.0.2.10"
#define VIP6 "2001:db8::10"
#define BOX4 "203.0.113.5" /* of a prefix of sandboxes */
#define BOX6 "2001:db8:5b::5"

#define TCP IPPROTO_TCP
#define UDP IPPROTO_UDP
#define SYN 0x02
#define ACK 0x10

#define FIRST_PAYLOAD 1472

static uint16_t next_port = 3000;

static void forget(void)
{
	fixture_clear(fx.skel->maps.fragments, 0, FRAGMENT_SETS);
	fixture_clear(fx.skel->maps.flows, 0, 64);
}

static void serve(enum encap encap, enum track track, uint8_t flags)
{
	const char *vips[] = {VIP4, VIP6}, *boxes[] = {"203.0.113.0", "2001:db8:5b::"};
	const uint8_t protocols[] = {TCP, UDP};

	for (int i = 0; i < 4; i++) {
		struct service service = {
			.address = address_of(vips[i / 2]),
			.port_be = htons(443),
			.protocol = protocols[i % 2],
			.kind = SERVICE_KIND_PORT,
			.encap = encap,
			.track = track,
			.flags = flags,
		};
		struct service marker = {.address = service.address, .kind = SERVICE_KIND_ADDRESS};

		fixture_service(service);
		fixture_service(marker);
	}
	for (int i = 0; i < 2; i++) {
		struct service prefix = {
			.address = address_of(boxes[i]),
			.kind = SERVICE_KIND_PREFIX,
			.prefix_length = i ? 64 : 96 + 24,
			.affinity = AFFINITY_SANDBOX,
			.encap = encap,
			.track = track,
			.flags = flags,
			.id = 3,
		};

		fixture_service(prefix);
	}
	fx.settings.table[1].prefix_count_ipv4 = fx.settings.table[1].prefix_count_ipv6 = 1;
	fx.settings.table[1].prefix_lengths_ipv4[0] = 24;
	fx.settings.table[1].prefix_lengths_ipv6[0] = 64;
	fixture_settings();
}

static struct spec first_of(bool ipv6, uint8_t protocol)
{
	return (struct spec){ipv6 ? C6 : C4, ipv6 ? VIP6 : VIP4,   protocol, next_port++,
			     443,            .piece = PIECE_FIRST, .payload = FIRST_PAYLOAD};
}

static struct spec later_of(struct spec spec)
{
	spec.piece = PIECE_LATER;
	spec.payload = 100;
	spec.tcp_flags = 0;
	return spec;
}

/* Sends `spec`, which must leave as a packet of `flow` would. */
static void leaves(const char *name, const struct spec *spec, const struct spec *flow,
		   enum encap encap, uint16_t backend)
{
	struct wrap wrap = {backend, 1, encap, .hash = spec_hash(flow), .no_sum = true};
	struct frame in, want;

	frame_build(&in, spec);
	frame_wrap(&want, &in, in.length - in.l3, &wrap);
	fixture_run(name, &in, VERDICT_FORWARD_TX, &want);
}

static void stays(const char *name, const struct spec *spec, enum verdict verdict)
{
	struct frame in;

	frame_build(&in, spec);
	fixture_run(name, &in, verdict, NULL);
}

static void every_encapsulation(void **state)
{
	for (enum encap encap = ENCAP_IPIP; encap <= ENCAP_L2; encap++)
		for (int i = 0; i < 8; i++) {
			uint16_t backend = i & 1 ? 11 : 2;
			struct spec first = first_of(i & 2, i & 4 ? TCP : UDP);
			struct spec later = later_of(first);

			if (i & 4) {
				first.tcp_flags = ACK;
				first.payload -= 12;
			}
			forget();
			serve(encap, TRACK_MOVED, 0);
			fixture_slots(1, 0, 0);
			map_set(fx.skel->maps.slots, hash_slot(spec_hash(&first), FIXTURE_SLOTS),
				&(struct slot){.primary = backend});
			stays("before its first", &later, VERDICT_DROP_FRAGMENT);
			leaves("first", &first, &first, encap, backend);
			leaves("later", &later, &first, encap, backend);
			leaves("the same again", &later, &first, encap, backend);
			later.tags = 1;
			leaves("with a tag", &later, &first, encap, backend);
		}
}

/* Not of this datagram: another identification, sender, protocol. */
static void others_do_not_follow(void **state)
{
	for (int ipv6 = 0; ipv6 < 2; ipv6++) {
		struct spec first = first_of(ipv6, UDP), later = later_of(first);
		struct frame in;

		forget();
		serve(ENCAP_GUE, TRACK_MOVED, 0);
		fixture_slots(1, 0, 0);
		leaves("first", &first, &first, ENCAP_GUE, 1);
		frame_build(&in, &later);
		in.bytes[in.l3 + (ipv6 ? 40 + 7 : 5)] ^= 1;
		if (!ipv6)
			in.bytes[in.l3 + 11] ^= 1; /* nobody checks it, but let it be right */
		fixture_run("another identification", &in, VERDICT_DROP_FRAGMENT, NULL);
		later.source = ipv6 ? "2001:db8:c::8" : "198.51.100.8";
		stays("another sender", &later, VERDICT_DROP_FRAGMENT);
		later.source = first.source;
		later.protocol = TCP;
		if (ipv6)
			leaves("IPv6 goes by the identification", &later, &first, ENCAP_GUE, 1);
		else
			stays("another protocol", &later, VERDICT_DROP_FRAGMENT);
		later.protocol = IPPROTO_GRE;
		if (!ipv6)
			stays("a protocol of no service", &later, VERDICT_PASS_NOT_OURS);
	}
}

/* Overlaps end here; a first one without its header's end does, too. */
static void overlapping_and_tiny(void **state)
{
	for (int ipv6 = 0; ipv6 < 2; ipv6++) {
		struct spec first = first_of(ipv6, UDP), later = later_of(first), tiny = first;

		forget();
		serve(ENCAP_IPIP, TRACK_MOVED, 0);
		fixture_slots(1, 0, 0);
		first.payload++;
		leaves("first", &first, &first, ENCAP_IPIP, 1);
		stays("over its last byte", &later, VERDICT_DROP_FRAGMENT_OVERLAP);
		first.payload--;
		leaves("first", &first, &first, ENCAP_IPIP, 1);
		leaves("right behind it", &later, &first, ENCAP_IPIP, 1);
		tiny.protocol = TCP;
		tiny.body = (const uint8_t *)"\x0b\xb8\x01\xbb\0\0\0\0";
		tiny.payload = 8;
		stays("8 bytes of TCP (RFC 1858)", &tiny, VERDICT_DROP_MALFORMED);
	}
}

/* A move between two fragments parts nothing, and none has a second hop. */
static void slots_move_meanwhile(void **state)
{
	for (int i = 0; i < 4; i++) {
		bool ipv6 = i & 1, always = i & 2;
		struct spec udp = first_of(ipv6, UDP), tcp = first_of(ipv6, TCP);
		struct spec udp_later = later_of(udp), tcp_later = later_of(tcp);

		forget();
		serve(ENCAP_GUE, TRACK_MOVED, always ? SERVICE_TRACK_UDP : 0);
		fixture_slots(1, 0, 0);
		leaves("first", &udp, &udp, ENCAP_GUE, 1);
		fixture_slots(2, 1, 1);
		leaves("later, after a move", &udp_later, &udp, ENCAP_GUE, 1);
		forget();
		leaves("first, in a moved slot", &udp, &udp, ENCAP_GUE, always ? 2 : 1);
		leaves("later, likewise", &udp_later, &udp, ENCAP_GUE, always ? 2 : 1);
		tcp.tcp_flags = SYN;
		tcp.payload -= 12;
		leaves("a SYN, in fragments", &tcp, &tcp, ENCAP_GUE, 2);
		leaves("its rest", &tcp_later, &tcp, ENCAP_GUE, 2);
	}
	fixture_slots(1, 0, 0);
}

/* What passes as a whole passes in pieces. */
static void not_for_a_service(void **state)
{
	static const uint8_t bytes[64] = {8};

	for (int ipv6 = 0; ipv6 < 2; ipv6++) {
		struct spec first = first_of(ipv6, UDP), later;

		forget();
		serve(ENCAP_GUE, TRACK_MOVED, 0);
		first.dport = 53;
		later = later_of(first);
		stays("another port of a VIP", &first, VERDICT_PASS_NOT_OURS);
		stays("its rest", &later, VERDICT_PASS_NOT_OURS);
		first.destination = later.destination = ipv6 ? "2001:db8::11" : "192.0.2.11";
		stays("another address", &first, VERDICT_PASS_NOT_OURS);
		stays("its rest", &later, VERDICT_PASS_NOT_OURS);
		first.destination = later.destination = ipv6 ? VIP6 : VIP4;
		first.protocol = later.protocol = ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
		first.payload = 64;
		first.body = bytes + 1; /* an echo reply, or nothing known */
		forget();
		stays("ICMP other than echo", &first, VERDICT_PASS_NOT_OURS);
		stays("its rest", &later, VERDICT_PASS_NOT_OURS);
	}
}

static void a_note_does_not_live_long(void **state)
{
	struct spec first = first_of(false, UDP), later = later_of(first);
	struct fragment_set set;

	forget();
	serve(ENCAP_GUE, TRACK_MOVED, 0);
	leaves("first", &first, &first, ENCAP_GUE, 1);
	for (uint32_t i = 0; i < FRAGMENT_SETS; i++) {
		bpf_map_lookup_elem(bpf_map__fd(fx.skel->maps.fragments), &i, &set);
		for (int way = 0; way < FRAGMENT_WAYS; way++)
			set.way[way].seen -= FRAGMENT_LIFE + 2;
		map_set(fx.skel->maps.fragments, i, &set);
	}
	stays("too late", &later, VERDICT_DROP_FRAGMENT);
	leaves("first, again", &first, &first, ENCAP_GUE, 1);
	leaves("later", &later, &first, ENCAP_GUE, 1);
}

static void turn_round(struct frame *frame, bool ipv6)
{
	uint8_t *ip = frame->bytes + frame->l3, *from = ip + (ipv6 ? 8 : 12), saved[16];
	int size = ipv6 ? 16 : 4;

	memcpy(saved, frame->bytes, 6);
	memcpy(frame->bytes, frame->bytes + 6, 6);
	memcpy(frame->bytes + 6, saved, 6);
	memcpy(saved, from, size);
	memcpy(from, from + size, size);
	memcpy(from + size, saved, size);
}

/* Each fragment of an echo request is turned round; the sum covers what only the first one shows.
 */
static void echo_in_fragments(void **state)
{
	for (int ipv6 = 0; ipv6 < 2; ipv6++) {
		struct spec first = first_of(ipv6, ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
		struct spec later = later_of(first);
		uint8_t body[1480] = {0};
		struct frame in, want;
		uint8_t *icmp;
		uint32_t sum;

		forget();
		serve(ENCAP_GUE, TRACK_MOVED, 0);
		for (int i = 8; i < 1480; i++)
			body[i] = i * 3;
		body[0] = ipv6 ? 128 : 8;
		put16(body + 2, 0x1234); /* right for the rest that we do not show */
		first.body = body;
		first.payload = sizeof(body);
		stays("before its first", &later, VERDICT_DROP_FRAGMENT);
		frame_build(&in, &first);
		want = in;
		turn_round(&want, ipv6);
		icmp = want.bytes + want.l3 + (ipv6 ? 48 : 20);
		icmp[0] = ipv6 ? 129 : 0;
		sum = ipv6 ? 0x1234 - 0x0100 : 0x1234 + 0x0800;
		put16(icmp + 2, sum);
		fixture_run("first", &in, VERDICT_ANSWER_ECHO, &want);
		frame_build(&in, &later);
		want = in;
		turn_round(&want, ipv6);
		fixture_run("later", &in, VERDICT_ANSWER_ECHO, &want);
	}
}

/* By its address alone, whether the first came by here or not; ping too. */
static void sandboxes_need_no_ports(void **state)
{
	static const uint8_t bytes[1480] = {8}, bytes6[1480] = {128};

	for (int ipv6 = 0; ipv6 < 2; ipv6++) {
		struct spec first = first_of(ipv6, UDP), later, ping, whole;
		struct sandbox box = {.backend = 3, .former = 2};
		struct sandbox_key key = {.service = 3};

		first.destination = ipv6 ? BOX6 : BOX4;
		key.address = address_of(first.destination);
		later = later_of(first);
		later.sport = later.dport = 0; /* for the hash: it has none */
		ping = first;
		ping.protocol = ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
		ping.body = ipv6 ? bytes6 : bytes;
		ping.payload = sizeof(bytes);
		ping.sport = ping.dport = 0;
		whole = later_of(ping);
		forget();
		serve(ENCAP_GUE, TRACK_MOVED, 0);
		fixture_slots(1, 0, 0);
		leaves("not placed: by its slot", &later, &later, ENCAP_GUE, 1);
		bpf_map_update_elem(bpf_map__fd(fx.skel->maps.sandboxes), &key, &box, BPF_ANY);
		leaves("later alone", &later, &later, ENCAP_GUE, 3);
		leaves("first", &first, &first, ENCAP_GUE, 3);
		leaves("later", &later, &first, ENCAP_GUE, 3);
		leaves("ping", &ping, &ping, ENCAP_GUE, 3);
		leaves("its rest", &whole, &ping, ENCAP_GUE, 3);
		forget();
		leaves("its rest alone", &whole, &ping, ENCAP_GUE, 3);
		serve(ENCAP_GUE, TRACK_MOVED, SERVICE_SANDBOX_PORT);
		stays("where ports are needed", &later, VERDICT_DROP_FRAGMENT);
		serve(ENCAP_GUE, TRACK_MOVED, 0);
		bpf_map_delete_elem(bpf_map__fd(fx.skel->maps.sandboxes), &key);
	}
}

static void in_both_families(void **state)
{
	static const enum verdict verdicts[] = {VERDICT_DROP_FRAGMENT, VERDICT_DROP_FRAGMENT_OVERLAP, VERDICT_ANSWER_ECHO};

	assert_rows_in_both_families(verdicts, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_encapsulation),
		cmocka_unit_test(others_do_not_follow),
		cmocka_unit_test(overlapping_and_tiny),
		cmocka_unit_test(slots_move_meanwhile),
		cmocka_unit_test(not_for_a_service),
		cmocka_unit_test(a_note_does_not_live_long),
		cmocka_unit_test(echo_in_fragments),
		cmocka_unit_test(sandboxes_need_no_ports),
		cmocka_unit_test(in_both_families),
	};

	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
