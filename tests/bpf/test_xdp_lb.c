/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_xdp_lb: packets through the loaded program. Rows give a packet and say what becomes of it:
 * action, the one verdict counter that moves, and every byte that leaves.
 */
#include <unistd.h>

#include "tests/bpf/fixture.h"

#define C4   "198.51.100.7"
#define C6   "2001:db8:c::7"
#define VIP4 "192.0.2.10"
#define VIP6 "2001:db8::10"

#define TCP IPPROTO_TCP
#define UDP IPPROTO_UDP
#define SYN 0x02
#define ACK 0x10
#define FIN 0x01

/* Port 1000 + encap: as its name. Every kind of service once for each family. */
static void add_service(const char *address, uint16_t port, uint8_t protocol, enum encap encap,
			enum service_kind kind, uint8_t flags)
{
	struct service service = {
		.address = address_of(address),
		.port_be = htons(port),
		.protocol = protocol,
		.kind = kind,
		.encap = encap,
		.flags = flags,
		.id = 1,
	};

	fixture_service(service);
}

static void add_prefix(const char *address, uint8_t length, enum encap encap)
{
	struct service service = {
		.address = address_of(address),
		.kind = SERVICE_KIND_PREFIX,
		.prefix_length = length,
		.encap = encap,
		.affinity = AFFINITY_SANDBOX,
		.id = 2,
	};

	fixture_service(service);
}

static void add_world(void)
{
	const char *vips[] = {VIP4, VIP6};

	for (int i = 0; i < 2; i++) {
		for (enum encap encap = 0; encap < ENCAP__COUNT; encap++) {
			add_service(vips[i], 1000 + encap, TCP, encap, SERVICE_KIND_PORT, 0);
			add_service(vips[i], 1000 + encap, UDP, encap, SERVICE_KIND_PORT, 0);
		}
		add_service(vips[i], 1010, UDP, ENCAP_GUE, SERVICE_KIND_PORT,
			    SERVICE_CHECKSUM_ZERO);
		add_service(vips[i], 0, UDP, ENCAP_IPIP, SERVICE_KIND_ANY_PORT, 0);
		add_service(vips[i], 0, 0, 0, SERVICE_KIND_ADDRESS, SERVICE_HAS_ANY_PORT_UDP);
	}
	add_prefix("203.0.113.0", 96 + 24, ENCAP_GUE);
	add_prefix("203.0.113.128", 96 + 25, ENCAP_IPIP);
	add_prefix("2001:db8:5b::", 64, ENCAP_GUE);
	fx.settings.table[1].prefix_count_ipv4 = 2;
	memcpy(fx.settings.table[1].prefix_lengths_ipv4, "\x19\x18", 2);
	fx.settings.table[1].prefix_count_ipv6 = 1;
	fx.settings.table[1].prefix_lengths_ipv6[0] = 64;
	fixture_settings();
}

static int setup(void **state)
{
	if (fixture_setup(state))
		return -1;
	add_world();
	return 0;
}

struct row {
	const char *name;
	struct spec spec;
	enum verdict verdict;
	struct wrap wrap; /* backend 0: the frame comes out as it came */
};

static void run_row(const struct row *row)
{
	struct wrap wrap = row->wrap;
	struct frame in, want;

	frame_build(&in, &row->spec);
	wrap.hash = spec_hash(&row->spec);
	wrap.tos = row->spec.tos;
	if (wrap.backend)
		frame_wrap(&want, &in, in.length - in.l3 - row->spec.padding, &wrap);
	fixture_run(row->name, &in, row->verdict, wrap.backend ? &want : NULL);
}

#define RUN_ROWS(rows)                                                                             \
	do {                                                                                       \
		for (size_t i_ = 0; i_ < sizeof(rows) / sizeof((rows)[0]); i_++)                   \
			run_row(&(rows)[i_]);                                                      \
	} while (0)

/* --- every encapsulation, every mix of families, every tag depth */

static void every_encapsulation(void **state)
{
	static const struct spec inner[] = {
		{.source = C4, .destination = VIP4, .protocol = TCP, .tcp_flags = SYN},
		{.source = C4,
		 .destination = VIP4,
		 .protocol = TCP,
		 .tcp_flags = ACK,
		 .payload = 1401},
		{.source = C4, .destination = VIP4, .protocol = UDP, .payload = 18, .tos = 0xb9},
		{.source = C4, .destination = VIP4, .protocol = UDP, .payload = 1, .padding = 13},
		{.source = C6, .destination = VIP6, .protocol = TCP, .tcp_flags = SYN, .tos = 0x2a},
		{.source = C6,
		 .destination = VIP6,
		 .protocol = TCP,
		 .tcp_flags = ACK,
		 .payload = 777},
		{.source = C6, .destination = VIP6, .protocol = UDP, .payload = 0},
		{.source = C6, .destination = VIP6, .protocol = UDP, .payload = 333, .padding = 2},
	};

	for (size_t i = 0; i < sizeof(inner) / sizeof(inner[0]); i++)
		for (int tags = 0; tags <= 2; tags++)
			for (enum encap encap = 0; encap < ENCAP__COUNT; encap++)
				for (uint16_t backend = 1; backend <= 11; backend += 10)
					for (uint32_t nexthop = 1; nexthop <= 3; nexthop++) {
						struct backend to = fixture_backend(backend);
						struct row row = {
							.name = "encapsulation",
							.spec = inner[i],
							.verdict =
								nexthop == 2
									? VERDICT_FORWARD_REDIRECT
									: VERDICT_FORWARD_TX,
							.wrap = {backend, nexthop, encap},
						};

						row.spec.tags = tags;
						row.spec.sport = 4000 + i;
						row.spec.dport = 1000 + encap;
						to.nexthop = nexthop;
						fixture_put_backend(&to);
						fixture_slots(backend, 0, 0);
						run_row(&row);
						to.nexthop = 1;
						fixture_put_backend(&to);
					}
	fixture_slots(1, 0, 0);
}

/* --- headers in the way */

static void options_and_extensions(void **state)
{
	const struct row rows[] = {
		{"options, ipip",
		 {C4, VIP4, TCP, 4000, 1000, ACK, .options = 4, .payload = 9},
		 VERDICT_FORWARD_TX,
		 {1, 1, ENCAP_IPIP}},
		{"40 bytes of options, gue",
		 {C4, VIP4, UDP, 4000, 1001, .options = 40},
		 VERDICT_FORWARD_TX,
		 {1, 1, ENCAP_GUE}},
		{"options and tags",
		 {C4, VIP4, UDP, 4000, 1001, .options = 8, .tags = 2},
		 VERDICT_FORWARD_TX,
		 {1, 1, ENCAP_GUE}},
		{"one extension",
		 {C6, VIP6, TCP, 4000, 1000, ACK, .extensions = 1},
		 VERDICT_FORWARD_TX,
		 {1, 1, ENCAP_IPIP}},
		{"five extensions",
		 {C6, VIP6, UDP, 4000, 1001, .extensions = 5, .tags = 1},
		 VERDICT_FORWARD_TX,
		 {1, 1, ENCAP_GUE}},
		{"eight extensions",
		 {C6, VIP6, TCP, 4000, 1000, ACK, .extensions = 8},
		 VERDICT_PASS_HEADER_CHAIN},
	};

	RUN_ROWS(rows);
}

/* --- the outer UDP checksum over IPv6 */

static void outer_checksum(void **state)
{
	const struct row rows[] = {
		{"inner IPv4 without UDP checksum: none outside",
		 {C4, VIP4, UDP, 4000, 1001, .no_sum = true, .payload = 5},
		 VERDICT_FORWARD_TX,
		 {11, 1, ENCAP_GUE, .no_sum = true}},
		{"the service wants none",
		 {C6, VIP6, UDP, 4000, 1010, .payload = 5},
		 VERDICT_FORWARD_TX,
		 {11, 1, ENCAP_GUE, .no_sum = true}},
		{"extension header: none",
		 {C6, VIP6, UDP, 4000, 1001, .extensions = 1},
		 VERDICT_FORWARD_TX,
		 {11, 1, ENCAP_GUE, .no_sum = true}},
		{"odd",
		 {C6, VIP6, UDP, 4000, 1001, .payload = 201},
		 VERDICT_FORWARD_TX,
		 {11, 1, ENCAP_GUE}},
	};

	fixture_slots(11, 0, 0);
	RUN_ROWS(rows);
	/* Every low half of the address and port: carries of all kinds, and a sum of zero among
	 * them. */
	for (int i = 0; i < 400; i++) {
		struct row row = {"carry",
				  {C6, VIP6, TCP, i * 163, 1001, ACK, .payload = i % 64},
				  VERDICT_FORWARD_TX,
				  {11, 1, ENCAP_GUE}};

		row.spec.tos = i;
		run_row(&row);
		row.spec.source = C4;
		row.spec.destination = VIP4;
		run_row(&row);
	}
	fixture_slots(1, 0, 0);
}

/* --- whose packet it is */

static void service_lookup(void **state)
{
	const struct row rows[] = {
		{"any port", {C4, VIP4, UDP, 4000, 5555}, VERDICT_FORWARD_TX, {1, 1, ENCAP_IPIP}},
		{"any port, 6",
		 {C6, VIP6, UDP, 4000, 5555},
		 VERDICT_FORWARD_TX,
		 {1, 1, ENCAP_IPIP}},
		{"exact before any",
		 {C4, VIP4, UDP, 4000, 1001},
		 VERDICT_FORWARD_TX,
		 {1, 1, ENCAP_GUE}},
		{"any port is UDP's only", {C4, VIP4, TCP, 4000, 5555, SYN}, VERDICT_PASS_NOT_OURS},
		{"prefix",
		 {C4, "203.0.113.9", TCP, 4000, 80, SYN},
		 VERDICT_FORWARD_TX,
		 {1, 1, ENCAP_GUE}},
		{"longest prefix",
		 {C4, "203.0.113.200", TCP, 4000, 80, SYN},
		 VERDICT_FORWARD_TX,
		 {1, 1, ENCAP_IPIP}},
		{"prefix, 6",
		 {C6, "2001:db8:5b::abcd:1", UDP, 4000, 80},
		 VERDICT_FORWARD_TX,
		 {1, 1, ENCAP_GUE}},
		{"beside the prefix",
		 {C4, "203.0.114.9", TCP, 4000, 80, SYN},
		 VERDICT_PASS_NOT_OURS},
		{"beside the prefix, 6",
		 {C6, "2001:db8:5b:1::1", TCP, 4000, 80, SYN},
		 VERDICT_PASS_NOT_OURS},
		{"a port before the VIP's", {C6, VIP6, TCP, 4000, 999, SYN}, VERDICT_PASS_NOT_OURS},
	};

	RUN_ROWS(rows);
}

/* --- what is not for us comes out as it came */

static void not_ours(void **state)
{
	static const uint8_t echo[16] = {8, 0, 1, 2, 3, 4, 5, 6};
	const struct row rows[] = {
		{"other address", {C4, "192.0.2.11", TCP, 4000, 1000, SYN}, VERDICT_PASS_NOT_OURS},
		{"other address, 6",
		 {C6, "2001:db8::11", TCP, 4000, 1000, SYN},
		 VERDICT_PASS_NOT_OURS},
		{"with tags",
		 {C4, "192.0.2.11", UDP, 4000, 1000, .tags = 2},
		 VERDICT_PASS_NOT_OURS},
		{"with options",
		 {C4, "192.0.2.11", UDP, 1, 1, .options = 12},
		 VERDICT_PASS_NOT_OURS},
		{"with extensions",
		 {C6, "2001:db8::11", UDP, 1, 1, .extensions = 3},
		 VERDICT_PASS_NOT_OURS},
		{"first fragment",
		 {C4, "192.0.2.11", UDP, 1, 1, .piece = PIECE_FIRST, .payload = 64},
		 VERDICT_PASS_NOT_OURS},
		{"later fragment",
		 {C4, "192.0.2.11", UDP, .piece = PIECE_LATER, .payload = 64},
		 VERDICT_PASS_NOT_OURS},
		{"later fragment, 6",
		 {C6, "2001:db8::11", UDP, .piece = PIECE_LATER, .payload = 64},
		 VERDICT_PASS_NOT_OURS},
		{"echo",
		 {C4, "192.0.2.11", IPPROTO_ICMP, .body = echo, .payload = 16},
		 VERDICT_PASS_NOT_OURS},
		{"another protocol to a VIP",
		 {C4, VIP4, IPPROTO_GRE, .body = echo, .payload = 16},
		 VERDICT_PASS_NOT_OURS},
		{"no next header",
		 {C6, VIP6, 59, .body = echo, .payload = 16},
		 VERDICT_PASS_NOT_OURS},
		{"three tags", {C4, VIP4, TCP, 4000, 1000, SYN, .tags = 3}, VERDICT_PASS_NOT_IP},
		{"three tags, 6", {C6, VIP6, TCP, 4000, 1000, SYN, .tags = 3}, VERDICT_PASS_NOT_IP},
		{"six tags", {C4, VIP4, TCP, 4000, 1000, SYN, .tags = 6}, VERDICT_PASS_NOT_IP},
		{"six tags, 6", {C6, VIP6, UDP, 4000, 1000, .tags = 6}, VERDICT_PASS_NOT_IP},
	};
	struct frame arp;

	RUN_ROWS(rows);
	frame_build(&arp, &rows[0].spec);
	put16(arp.bytes + 12, 0x0806);
	fixture_run("arp", &arp, VERDICT_PASS_NOT_IP, NULL);
}

/* --- lies */

struct lie {
	const char *name;
	struct spec spec;
	uint32_t at; /* byte behind the start of the IP header */
	uint8_t value;
	uint32_t cut; /* new length of the IP packet; 0: as it is */
	enum verdict verdict;
};

static void malformed(void **state)
{
	const struct spec tcp4 = {C4, VIP4, TCP, 4000, 1000, ACK, .payload = 30};
	const struct spec tcp6 = {C6, VIP6, TCP, 4000, 1000, ACK, .payload = 30};
	const struct spec udp4 = {C4, VIP4, UDP, 4000, 1000, .payload = 30};
	const struct spec udp6 = {C6, VIP6, UDP, 4000, 1000, .payload = 30};
	const struct spec ext6 = {C6, VIP6, UDP, 4000, 1000, .payload = 30, .extensions = 1};
	const struct lie lies[] = {
		{"version 5 in IPv4", tcp4, 0, 0x55, 0, VERDICT_PASS_MALFORMED},
		{"header of 16 bytes", tcp4, 0, 0x44, 0, VERDICT_PASS_MALFORMED},
		{"header longer than the packet", udp4, 3, 18, 0, VERDICT_PASS_MALFORMED},
		{"longer than the frame", tcp4, 2, 0x10, 0, VERDICT_PASS_MALFORMED},
		{"cut in the IPv4 header", tcp4, 0, 0x45, 19, VERDICT_PASS_MALFORMED},
		{"cut behind it", tcp4, 3, 20, 20, VERDICT_PASS_MALFORMED},
		{"version 4 in IPv6", tcp6, 0, 0x45, 0, VERDICT_PASS_MALFORMED},
		{"cut in the IPv6 header", tcp6, 0, 0x60, 39, VERDICT_PASS_MALFORMED},
		{"longer than the frame, 6", tcp6, 4, 0x10, 0, VERDICT_PASS_MALFORMED},
		{"payload of 3", tcp6, 5, 3, 0, VERDICT_PASS_MALFORMED},
		{"extension longer than the packet", ext6, 41, 200, 0, VERDICT_PASS_MALFORMED},
		{"data offset 4", tcp4, 32, 0x40, 0, VERDICT_DROP_MALFORMED},
		{"data offset behind the end", tcp6, 52, 0xf0, 0, VERDICT_DROP_MALFORMED},
		{"TCP of 12 bytes", tcp4, 3, 32, 0, VERDICT_DROP_MALFORMED},
		{"UDP length 7", udp4, 25, 7, 0, VERDICT_DROP_MALFORMED},
		{"UDP length behind the end", udp6, 44, 1, 0, VERDICT_DROP_MALFORMED},
		{"UDP of 6 bytes", udp6, 5, 6, 0, VERDICT_DROP_MALFORMED},
	};

	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		struct frame in;

		frame_build(&in, &lies[i].spec);
		in.bytes[in.l3 + lies[i].at] = lies[i].value;
		if (lies[i].cut)
			in.length = in.l3 + lies[i].cut;
		fixture_run(lies[i].name, &in, lies[i].verdict, NULL);
	}
}

/* A frame that ends within its tags, or right behind them. */
static void cut_in_the_tags(void **state)
{
	const struct spec spec = {C4, VIP4, TCP, 4000, 1000, SYN, .tags = 2};
	struct frame in;

	frame_build(&in, &spec);
	for (in.length = 14; in.length < 22; in.length++)
		fixture_run("cut in the tags", &in, VERDICT_PASS_NOT_IP, NULL);
	fixture_run("cut behind the tags", &in, VERDICT_PASS_MALFORMED, NULL);
}

static void routing_header(void **state)
{
	const struct spec spec = {C6, VIP6, UDP, 4000, 1000, .payload = 30, .extensions = 1};
	const struct row ours = {
		"routing header, at its end", spec, VERDICT_FORWARD_TX, {1, 1, ENCAP_IPIP}};
	struct wrap wrap = ours.wrap;
	struct frame in, want;

	frame_build(&in, &spec);
	in.bytes[in.l3 + 6] = 43;
	in.bytes[in.l3 + 40 + 3] = 0;
	wrap.hash = spec_hash(&spec);
	frame_wrap(&want, &in, in.length - in.l3, &wrap);
	fixture_run(ours.name, &in, ours.verdict, &want);
	in.bytes[in.l3 + 40 + 3] = 1;
	fixture_run("routing header, segments left", &in, VERDICT_PASS_NOT_OURS, NULL);
}

/* --- what the tables can say no to */

static void refusals(void **state)
{
	const struct row rows[] = {{"", {C4, VIP4, TCP, 4000, 1000, SYN}},
				   {"", {C6, VIP6, UDP, 4000, 1001}}};

	for (int i = 0; i < 2; i++) {
		struct backend backend = fixture_backend(1);
		struct row row = rows[i];
		struct service empty = {
			.address = address_of(row.spec.destination),
			.port_be = htons(2000),
			.protocol = row.spec.protocol,
			.kind = SERVICE_KIND_PORT,
			.slot_count = UINT32_MAX,
		};
		uint32_t port = FIXTURE_PORT, lo = FIXTURE_LO;

		fixture_slots(0, 0, 0);
		row.verdict = VERDICT_DROP_NO_BACKEND;
		run_row(&row);
		fixture_slots(9, 0, 0);
		run_row(&row); /* backend 9 is free */
		fixture_slots(1, 0, 0);
		backend.nexthop = 0;
		fixture_put_backend(&backend);
		row.verdict = VERDICT_DROP_NO_NEXTHOP;
		run_row(&row);
		backend.nexthop = 77;
		fixture_put_backend(&backend);
		run_row(&row);
		backend.nexthop = 2;
		fixture_put_backend(&backend);
		bpf_map_delete_elem(bpf_map__fd(fx.skel->maps.ports), &port);
		row.verdict = VERDICT_DROP_NO_PORT;
		row.wrap = (struct wrap){1, 2, i ? ENCAP_GUE : ENCAP_IPIP};
		run_row(&row);
		bpf_map_update_elem(bpf_map__fd(fx.skel->maps.ports), &port, &lo, BPF_ANY);
		backend.nexthop = 1;
		fixture_put_backend(&backend);
		fixture_service(empty);
		row.spec.dport = 2000;
		row.verdict = VERDICT_DROP_EMPTY_POOL;
		row.wrap = (struct wrap){0};
		run_row(&row);
	}
}

static void unconfigured(void **state)
{
	const struct row rows[] = {
		{"no settings", {C4, VIP4, TCP, 4000, 1000, SYN}, VERDICT_PASS_UNCONFIGURED},
		{"no settings, 6", {C6, VIP6, TCP, 4000, 1000, SYN}, VERDICT_PASS_UNCONFIGURED},
	};

	fx.settings.layout = 0;
	fixture_settings();
	RUN_ROWS(rows);
	fx.settings.layout = MAPS_LAYOUT;
	fixture_settings();
}

static void too_big(void **state)
{
	/* 1600 is the path's MTU: 20 + 20 + 20 + 1540 just fits. */
	const struct row rows[] = {
		{"fits",
		 {C4, VIP4, TCP, 4000, 1000, ACK, .payload = 1540},
		 VERDICT_FORWARD_TX,
		 {1, 1, ENCAP_IPIP}},
		{"does not",
		 {C4, VIP4, TCP, 4000, 1000, ACK, .payload = 1541},
		 VERDICT_DROP_TOO_BIG},
		{"does not, 6",
		 {C6, VIP6, TCP, 4000, 1001, ACK, .payload = 1505},
		 VERDICT_DROP_TOO_BIG},
	};

	RUN_ROWS(rows);
}

#define METADATA_BYTES 220

/*
 * A driver that leaves no room for outer headers: metadata before the frame take it. They may be that long since 6.3;
 * false where they may not.
 */
static bool without_room(const char *name, const struct spec *spec)
{
	uint64_t before = fixture_verdict_count(VERDICT_DROP_NO_ROOM);
	uint8_t bytes[METADATA_BYTES + FRAME_MAX] = {0}, out[METADATA_BYTES + FRAME_MAX];
	struct xdp_md context = {.data = METADATA_BYTES};
	struct frame in;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = bytes, .data_out = out,
		    .data_size_out = sizeof(out), .ctx_in = &context,
		    .ctx_size_in = sizeof(context));

	frame_build(&in, spec);
	memcpy(bytes + METADATA_BYTES, in.bytes, in.length);
	opts.data_size_in = context.data_end = METADATA_BYTES + in.length;
	if (bpf_prog_test_run_opts(bpf_program__fd(fx.skel->progs.xdp_lb), &opts))
		return false;
	if (opts.retval != XDP_DROP || fixture_verdict_count(VERDICT_DROP_NO_ROOM) != before + 1)
		fail_msg("%s: action %u, and the counter moved by %d", name, opts.retval,
			 (int)(fixture_verdict_count(VERDICT_DROP_NO_ROOM) - before));
	assert_int_equal(opts.data_size_out, opts.data_size_in);
	assert_memory_equal(out, bytes, opts.data_size_in);
	fixture_saw(&in, VERDICT_DROP_NO_ROOM);
	return true;
}

static bool has_long_metadata;

static void no_room(void **state)
{
	const struct spec ipv4 = {C4, VIP4, TCP, 4000, 1000, SYN};
	const struct spec ipv6 = {C6, VIP6, UDP, 4000, 1001, .payload = 9};

	has_long_metadata = without_room("no room", &ipv4);
	assert_int_equal(without_room("no room, 6", &ipv6), has_long_metadata);
}

/* Counters of service and backend, and the slot that the hash names. */
static void slots_and_counters(void **state)
{
	struct spec spec = {C4, VIP4, TCP, 0, 1000, SYN, .payload = 10};
	uint32_t spread[4] = {0};

	for (uint32_t i = 0; i < FIXTURE_SLOTS; i++) {
		struct slot slot = {.primary = 1 + i % 3, .moved = 1};

		map_set(fx.skel->maps.slots, i, &slot);
	}
	for (int port = 1; port < 300; port++) {
		uint16_t id = 1 + hash_slot(spec_hash(&spec), FIXTURE_SLOTS) % 3;
		struct row row;
		uint64_t packets, bytes, flows;

		spec.sport = port;
		id = 1 + hash_slot(spec_hash(&spec), FIXTURE_SLOTS) % 3;
		row = (struct row){"slot", spec, VERDICT_FORWARD_TX, {id, 1, ENCAP_IPIP}};
		packets = fixture_count(fx.skel->maps.backend_stats, id, 32, 0);
		bytes = fixture_count(fx.skel->maps.backend_stats, id, 32, 8);
		flows = fixture_count(fx.skel->maps.service_stats, 1, 32, 16);
		run_row(&row);
		assert_int_equal(fixture_count(fx.skel->maps.backend_stats, id, 32, 0),
				 packets + 1);
		assert_int_equal(fixture_count(fx.skel->maps.backend_stats, id, 32, 8), bytes + 50);
		assert_int_equal(fixture_count(fx.skel->maps.service_stats, 1, 32, 16), flows + 1);
		spread[id]++;
	}
	for (int id = 1; id <= 3; id++)
		assert_true(spread[id] > 60);
	fixture_slots(1, 0, 0);
}

/* An XDP program whose answer no verdict of ours has: XDP_ABORTED. */
static int load_next(void)
{
	const struct bpf_insn program[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_ABORTED},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .prog_flags = BPF_F_XDP_HAS_FRAGS,
		    .expected_attach_type = BPF_XDP);

	return bpf_prog_load(BPF_PROG_TYPE_XDP, "next", "GPL", program, 2, &opts);
}

/* A program in `next` gets what is not ours, as it came, and nothing else. */
static void next_gets_what_passes(void **state)
{
	static const struct {
		struct spec spec;
		bool ours;
	} rows[] = {
		{{C4, VIP4, TCP, 4000, 1000, SYN}, true},
		{{C6, VIP6, UDP, 4000, 1001}, true},
		{{C4, VIP4, TCP, 4000, 1000, ACK, .payload = 1541}, true}, /* too big: dropped */
		{{C4, VIP4, UDP, .piece = PIECE_LATER, .payload = 64}, true},
		{{C4, "192.0.2.11", TCP, 4000, 1000, SYN}, false},
		{{C6, "2001:db8::11", UDP, 4000, 1000, .tags = 2}, false},
		{{C4, VIP4, TCP, 4000, 999, SYN}, false},
		{{C4, VIP4, IPPROTO_GRE, .body = (const uint8_t *)"12345678", .payload = 8}, false},
		{{C6, VIP6, UDP, 4000, 1000, .extensions = 7}, false},
		{{C4, "192.0.2.11", UDP, .piece = PIECE_LATER, .payload = 64}, false},
	};
	int slot = bpf_map__fd(fx.skel->maps.next), program = load_next();
	uint32_t zero = 0;

	assert_true(program >= 0);
	for (int filled = 1; filled >= 0; filled--) {
		if (filled)
			assert_int_equal(bpf_map_update_elem(slot, &zero, &program, BPF_ANY), 0);
		else
			assert_int_equal(bpf_map_delete_elem(slot, &zero), 0);
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			struct frame in, out;
			int action;

			frame_build(&in, &rows[i].spec);
			action = program_run(fx.skel->progs.xdp_lb, &in, &out);
			if (rows[i].ours ? action != XDP_TX && action != XDP_DROP
					 : action != (filled ? XDP_ABORTED : XDP_PASS))
				fail_msg("row %zu, slot %s: action %d", i,
					 filled ? "filled" : "empty", action);
			if (!rows[i].ours)
				assert_frame("next", &out, &in);
		}
	}
	close(program);
}

/* All but those that have their rows elsewhere, and what cannot be brought about here. */
static void every_verdict_has_rows_in_both_families(void **state)
{
	static const enum verdict not_here[] = {
		VERDICT_ANSWER_ECHO, VERDICT_ANSWER_TOO_BIG,	       /* test_icmp.c */
		VERDICT_DROP_FRAGMENT, VERDICT_DROP_FRAGMENT_OVERLAP, /* test_fragments.c */
		VERDICT_PASS_HEADER_CHAIN,			       /* IPv6 has it alone */
	};
	const enum verdict chain = VERDICT_PASS_HEADER_CHAIN;
	enum verdict wanted[VERDICT__COUNT];
	int count = 0;

	for (int v = 1; v < VERDICT__COUNT; v++) {
		bool here = true;

		for (size_t i = 0; i < sizeof(not_here) / sizeof(not_here[0]); i++)
			here &= (int)not_here[i] != v;
		here &= v != VERDICT_DROP_NO_ROOM || has_long_metadata;
		if (here)
			wanted[count++] = v;
	}
	assert_rows_in_both_families(wanted, count);
	assert_true(verdicts_seen[1][chain]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_encapsulation),
		cmocka_unit_test(options_and_extensions),
		cmocka_unit_test(outer_checksum),
		cmocka_unit_test(service_lookup),
		cmocka_unit_test(not_ours),
		cmocka_unit_test(malformed),
		cmocka_unit_test(cut_in_the_tags),
		cmocka_unit_test(routing_header),
		cmocka_unit_test(refusals),
		cmocka_unit_test(unconfigured),
		cmocka_unit_test(too_big),
		cmocka_unit_test(no_room),
		cmocka_unit_test(slots_and_counters),
		cmocka_unit_test(next_gets_what_passes),
		cmocka_unit_test(every_verdict_has_rows_in_both_families),
	};

	return cmocka_run_group_tests_name("xdp_lb", tests, setup, fixture_teardown);
}
