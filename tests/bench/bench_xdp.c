// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bench_xdp: what xdp_lb costs a packet, net of the loop around it, beside the smallest program
 * that balances at all (floor.bpf.c). docs/bench.md says how to read the table.
 *
 * A row is believed only if the packets took the way that it names: just the named verdict is
 * counted, for every packet; the frame has grown by the outer headers; the flow table holds the
 * notes it should, or none; and as many packets were kept by a former owner as should be. Else the
 * bench fails.
 */
#include <getopt.h>
#include <stdio.h>

#include "build/node.skel.h"
#include "build/tests/bench/floor.skel.h"
#include "build/tests/bench/wrap.skel.h"
#include "tests/bench/floor.h"
#include "tests/bench/measure.h"
#include "tests/bench/world.h"
#include "tests/bench/wrap.h"

#define FLOWS_DEFAULT (FLOW_SETS_DEFAULT * FLOW_WAYS)
#define FLOWS_LARGE   (4 * FLOWS_DEFAULT) /* where a million of them are to be known */

enum program { EMPTY, FLOOR, EBB, PROGRAM__COUNT };

enum towards { ONE_VIP, ALL_VIPS, SANDBOXES, FOREIGN, NO_IP };

enum notes { NOTES_NONE, NOTES_SOME, NOTES_ALL };

#define NEW_FLOWS 0xffffffffu /* as a number of flows: one a packet */
#define FLOOD     0u
#define KNOWN_PORT                                                                                 \
	0 /* first source port; a flood has others, so that it meets no known flow by chance */
#define FLOOD_PORT 0x8000

struct row {
	const char *name;
	uint32_t flows;
	uint8_t tcp_flags;
	struct world_services like;
	uint32_t grows; /* bytes */
	double target_ns;
	bool ipv6;
	enum towards towards;
	enum notes notes;
	bool noted;           /* every flow has sent a SYN and an ACK before */
	bool kept;            /* by a former owner */
	enum verdict verdict; /* CONTINUE: FORWARD_TX */
};

#define SYN 0x02
#define ACK 0x10
#define K64 65536
#define M1  1048576

#define TCP(e, t, p, ...)                                                                          \
	{                                                                                          \
		.protocol = IPPROTO_TCP, .encap = ENCAP_##e, .track = TRACK_##t,                   \
		.pool = WORLD_##p, ##__VA_ARGS__                                                   \
	}

static const struct row rows[] = {
	{"-- IPv4 TCP, settled slots: no look-up, no state"},
	{"4in4, 1 flow", 1, ACK, TCP(IPIP, MOVED, SETTLED), 20, 70},
	{"4in4, 64k flows", K64, ACK, TCP(IPIP, MOVED, SETTLED), 20, 100},
	{"4in4, 1M flows", M1, ACK, TCP(IPIP, MOVED, SETTLED), 20, 100},
	{"4in4, 64k flows over 1,024 services", K64, ACK, TCP(IPIP, MOVED, SETTLED), 20, 100,
	 .towards = ALL_VIPS},
	{"4in4, 64k flows, leaves by another interface", K64, ACK,
	 TCP(IPIP, MOVED, SETTLED, .redirect = true), 20, 0, .verdict = VERDICT_FORWARD_REDIRECT},
	{"gue4, 1 flow", 1, ACK, TCP(GUE, MOVED, SETTLED), 36, 70},
	{"gue4, 64k flows", K64, ACK, TCP(GUE, MOVED, SETTLED), 36, 100},
	{"4in6, 64k flows", K64, ACK, TCP(IPIP, MOVED, SETTLED_IPV6), 40, 100},
	{"gue6, 1 flow", 1, ACK, TCP(GUE, MOVED, SETTLED_IPV6), 56, 70},
	{"gue6, 64k flows", K64, ACK, TCP(GUE, MOVED, SETTLED_IPV6), 56, 100},
	{"l2, 64k flows", K64, ACK, TCP(L2, MOVED, SETTLED), 0, 100},
	{"4in4, new flow every packet", NEW_FLOWS, SYN, TCP(IPIP, MOVED, SETTLED), 20, 100},
	{"gue4, new flow every packet", NEW_FLOWS, SYN, TCP(GUE, MOVED, SETTLED), 36, 100},
	{"4in4, SYN flood", FLOOD, SYN, TCP(IPIP, MOVED, SETTLED), 20, 100},
	{"gue4, SYN flood", FLOOD, SYN, TCP(GUE, MOVED, SETTLED), 36, 100},
	{"4in4, UDP, 64k flows",
	 K64,
	 0,
	 {.protocol = IPPROTO_UDP, .encap = ENCAP_IPIP, .pool = WORLD_SETTLED},
	 20,
	 100},
	{"-- IPv4 TCP, unsettled slots: the flow table is asked"},
	{"gue4, noted flow, 1 flow", 1, ACK, TCP(GUE, MOVED, MOVED), 40, 0, .noted = true,
	 .notes = NOTES_ALL},
	{"gue4, noted flow, 64k flows", K64, ACK, TCP(GUE, MOVED, MOVED), 40, 0, .noted = true,
	 .notes = NOTES_ALL},
	{"gue4, flow from before the move, 64k flows", K64, ACK, TCP(GUE, MOVED, MOVED), 40, 0,
	 .kept = true},
	{"gue4, SYN flood", FLOOD, SYN, TCP(GUE, MOVED, MOVED), 40, 100, .notes = NOTES_SOME},
	{"gue4, ACK flood", FLOOD, ACK, TCP(GUE, MOVED, MOVED), 40, 0, .kept = true},
	{"-- IPv4 TCP, track: always"},
	{"4in4, known flow, 1 flow", 1, ACK, TCP(IPIP, ALWAYS, SETTLED), 20, 0, .noted = true,
	 .notes = NOTES_ALL},
	{"4in4, known flow, 64k flows", K64, ACK, TCP(IPIP, ALWAYS, SETTLED), 20, 180,
	 .noted = true, .notes = NOTES_ALL},
	{"4in4, known flow, 1M flows", M1, ACK, TCP(IPIP, ALWAYS, SETTLED), 20, 220, .noted = true,
	 .notes = NOTES_ALL},
	{"gue4, known flow, 64k flows", K64, ACK, TCP(GUE, ALWAYS, SETTLED), 36, 180, .noted = true,
	 .notes = NOTES_ALL},
	{"4in4, new flow every packet", NEW_FLOWS, SYN, TCP(IPIP, ALWAYS, SETTLED), 20, 220,
	 .notes = NOTES_SOME},
	{"4in4, SYN flood", FLOOD, SYN, TCP(IPIP, ALWAYS, SETTLED), 20, 100, .notes = NOTES_SOME},
	{"4in4, ACK flood", FLOOD, ACK, TCP(IPIP, ALWAYS, SETTLED), 20, 0, .notes = NOTES_SOME},
	{"-- IPv6 TCP"},
	{"6in6, 1 flow", 1, ACK, TCP(IPIP, MOVED, SETTLED_IPV6), 40, 80, .ipv6 = true},
	{"6in6, 64k flows", K64, ACK, TCP(IPIP, MOVED, SETTLED_IPV6), 40, 120, .ipv6 = true},
	{"6in6, 64k flows over 1,024 services", K64, ACK, TCP(IPIP, MOVED, SETTLED_IPV6), 40, 120,
	 .ipv6 = true, .towards = ALL_VIPS},
	{"6in4, 64k flows", K64, ACK, TCP(IPIP, MOVED, SETTLED), 20, 120, .ipv6 = true},
	{"gue6, 1 flow", 1, ACK, TCP(GUE, MOVED, SETTLED_IPV6), 56, 80, .ipv6 = true},
	{"gue6, 64k flows", K64, ACK, TCP(GUE, MOVED, SETTLED_IPV6), 56, 120, .ipv6 = true},
	{"gue6, noted flow in unsettled slots, 64k flows", K64, ACK, TCP(GUE, MOVED, MOVED_IPV6),
	 72, 0, .ipv6 = true, .noted = true, .notes = NOTES_ALL},
	{"6in6, SYN flood", FLOOD, SYN, TCP(IPIP, MOVED, SETTLED_IPV6), 40, 0, .ipv6 = true},
	{"-- prefix services"},
	{"gue4, sandbox by address, 64k sandboxes", K64, ACK,
	 TCP(GUE, MOVED, SETTLED, .affinity = AFFINITY_SANDBOX), 36, 0, .towards = SANDBOXES},
	{"6in6, sandbox by address, 64k sandboxes", K64, ACK,
	 TCP(IPIP, MOVED, SETTLED_IPV6, .affinity = AFFINITY_SANDBOX), 40, 0, .ipv6 = true,
	 .towards = SANDBOXES},
	{"-- not ours"},
	{"IPv4 TCP, 64k flows", K64, ACK, TCP(IPIP, MOVED, SETTLED), 0, 20, .towards = FOREIGN,
	 .verdict = VERDICT_PASS_NOT_OURS},
	{"IPv6 TCP, 64k flows", K64, ACK, TCP(IPIP, MOVED, SETTLED_IPV6), 0, 20, .ipv6 = true,
	 .towards = FOREIGN, .verdict = VERDICT_PASS_NOT_OURS},
	{"not IP", K64, ACK, TCP(IPIP, MOVED, SETTLED), 0, 20, .towards = NO_IP,
	 .verdict = VERDICT_PASS_NOT_IP},
};

struct bench {
	struct world *world;
	struct world worlds[2]; /* with a flow table of FLOWS_DEFAULT, of FLOWS_LARGE */
	struct wrap *traffic;
	struct measure measure;
	int program_fds[PROGRAM__COUNT];
	int missed, failed;
};

/* --- the packets of a row */

static void put16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void traffic_ipv4(uint8_t *ip, const struct row *row)
{
	ip[0] = 0x45;
	put16(ip + 2, WRAP_IPV4_BYTES - 14);
	put16(ip + 6, 0x4000);
	ip[8] = 64;
	ip[9] = row->like.protocol;
}

static void traffic_ipv6(uint8_t *ip, const struct row *row)
{
	uint32_t prefix = htonl(row->towards == SANDBOXES ? WORLD_PREFIX6
				: row->towards == FOREIGN ? 0x20010dbf
							  : WORLD_VIP6);

	ip[0] = 0x60;
	put16(ip + 4, WRAP_IPV6_BYTES - 54);
	ip[6] = row->like.protocol;
	ip[7] = 64;
	memcpy(ip + 8, "\x20\x01\x0d\xb8\xff", 5);
	memcpy(ip + 24, &prefix, 4);
}

static void traffic_l4(uint8_t *l4, const struct row *row, uint8_t tcp_flags)
{
	put16(l4 + 2, WORLD_PORT);
	if (row->like.protocol == IPPROTO_TCP) {
		l4[12] = 0x50;
		l4[13] = tcp_flags;
	} else {
		put16(l4 + 4, 28);
		put16(l4 + 6, 0x1234);
	}
}

static uint32_t traffic_destination(const struct row *row)
{
	switch (row->towards) {
	case ONE_VIP:
	case ALL_VIPS:
		return row->ipv6 ? 0 : WORLD_VIP;
	case SANDBOXES:
		return row->ipv6 ? 0 : WORLD_PREFIX;
	case FOREIGN:
	case NO_IP:
		break;
	}
	return 0xcb007100; /* 203.0.113.0 */
}

/* Fills the wrapper's orders; the count of packets begins anew. */
static void traffic_set(struct bench *b, const struct row *row, uint8_t tcp_flags)
{
	struct wrap w = {
		.flow_mask = row->flows == NEW_FLOWS ? UINT32_MAX : row->flows - 1,
		.destination_mask = row->towards == ALL_VIPS    ? WORLD_SERVICES - 1
				    : row->towards == SANDBOXES ? WORLD_SANDBOXES - 1
								: 0,
		.source = row->ipv6 ? 0 : 0x0b000000,
		.destination = traffic_destination(row),
		.port_be = htons(WORLD_PORT),
		.source_port = row->flows == FLOOD ? FLOOD_PORT : KNOWN_PORT,
		.is_ipv4 = !row->ipv6,
		.is_random = row->flows == FLOOD,
	};

	memcpy(w.frame, "\x02\0\0\0\0\x01\x02\0\0\0\0\x02", 12);
	put16(w.frame + 12, row->towards == NO_IP ? 0x0806 : row->ipv6 ? 0x86dd : 0x0800);
	if (row->ipv6)
		traffic_ipv6(w.frame + 16, row);
	else
		traffic_ipv4(w.frame + 16, row);
	traffic_l4(w.frame + (row->ipv6 ? 56 : 36), row, tcp_flags);
	memcpy(b->traffic, &w, sizeof(w));
}

/* --- running it */

static void choose_world(struct bench *b, bool large)
{
	b->world = &b->worlds[large];
	if (!b->world->skel)
		world_open(b->world, large ? FLOWS_LARGE : FLOWS_DEFAULT);
	b->program_fds[EBB] = bpf_program__fd(b->world->skel->progs.xdp_lb);
}

static double run(struct bench *b, const struct row *row, enum program program, uint32_t repeat)
{
	static const uint8_t frame[WRAP_IPV6_BYTES];
	enum verdict verdict = row->verdict ? row->verdict : VERDICT_FORWARD_TX;
	uint32_t before = row->ipv6 ? WRAP_IPV6_BYTES : WRAP_IPV4_BYTES, after;
	static const int actions[VERDICT__COUNT] = {
#define X(name, text, action, meaning) [VERDICT_##name] = XDP_##action,
		VERDICTS(X)
#undef X
	};
	double ns;
	int action;

	action = measure_run(&b->measure, frame, before, repeat, &ns, &after);
	if (program == EBB && (action != actions[verdict] || after != before + row->grows)) {
		printf("  !! %s: action %d, frame of %u bytes became %u\n", row->name, action,
		       before, after);
		b->failed++;
	}
	return ns;
}

static uint64_t count_notes(const struct world *w)
{
	uint64_t notes = 0;

	for (uint32_t i = 0; i < w->flow_sets; i++)
		for (int way = 0; way < FLOW_WAYS; way++)
			notes += w->flows[i].way[way].backend != BACKEND_NONE;
	return notes;
}

static uint64_t count_kept(const struct world *w)
{
	uint64_t sum = 0;

	for (uint32_t id = 1; id <= 2 * WORLD_BACKENDS; id++)
		sum += world_count(w->skel->maps.backend_stats, id, sizeof(struct backend_stats),
				   offsetof(struct backend_stats, kept));
	return sum;
}

/* Every flow sends a SYN and an ACK. */
static void populate(struct bench *b, const struct row *row)
{
	measure_select(&b->measure, b->program_fds[EBB]);
	traffic_set(b, row, SYN);
	run(b, row, EBB, row->flows);
	traffic_set(b, row, ACK);
	run(b, row, EBB, row->flows);
}

static void complain(struct bench *b, const struct row *row, const char *what, uint64_t got,
		     uint64_t want)
{
	printf("  !! %s: %s %llu, want %llu\n", row->name, what, (unsigned long long)got,
	       (unsigned long long)want);
	b->failed++;
}

static void check_verdicts(struct bench *b, const struct row *row,
			   const uint64_t before[VERDICT__COUNT], uint64_t packets)
{
	static const char *const names[VERDICT__COUNT] = {
#define X(name, text, action, meaning) [VERDICT_##name] = text,
		VERDICTS(X)
#undef X
	};
	enum verdict want = row->verdict ? row->verdict : VERDICT_FORWARD_TX;
	uint64_t after[VERDICT__COUNT];

	world_verdicts(b->world, after);
	for (uint32_t v = 0; v < VERDICT__COUNT; v++)
		if (after[v] - before[v] != (v == want ? packets : 0))
			complain(b, row, names[v], after[v] - before[v], v == want ? packets : 0);
}

static void check_notes(struct bench *b, const struct row *row)
{
	uint64_t notes = count_notes(b->world);

	if (row->notes == NOTES_NONE && notes)
		complain(b, row, "notes in the flow table", notes, 0);
	if (row->notes == NOTES_SOME && !notes)
		complain(b, row, "notes in the flow table", notes, 1);
	/* Flows of one fingerprint and set share a note; a full set loses one. */
	if (row->notes == NOTES_ALL && (notes > row->flows || notes < row->flows * 0.999))
		complain(b, row, "notes in the flow table", notes, row->flows);
}

/* Rounds over empty, floor and ebb; the floor only where it can play. */
static void measure_row(struct bench *b, const struct row *row)
{
	uint64_t before[VERDICT__COUNT], kept, packets = 0;
	struct measure *m = &b->measure;

	choose_world(b, row->noted && row->flows > FLOWS_DEFAULT / 2);
	world_set(b->world, &row->like);
	world_clear_flows(b->world);
	if (row->noted)
		populate(b, row);
	traffic_set(b, row, row->tcp_flags);
	world_verdicts(b->world, before);
	kept = count_kept(b->world);
	for (int round = -1; round < m->rounds; round++) {
		for (int p = 0; p < PROGRAM__COUNT; p++) {
			double ns;

			measure_select(m, b->program_fds[p]);
			ns = run(b, row, p, (uint32_t)m->repeat);
			if (round >= 0) /* the first one warms up */
				m->ns[p][round] = ns;
			packets += p == EBB ? (uint64_t)m->repeat : 0;
		}
	}
	check_verdicts(b, row, before, packets);
	check_notes(b, row);
	kept = count_kept(b->world) - kept;
	if (kept != (row->kept ? packets : 0))
		complain(b, row, "packets kept", kept, row->kept ? packets : 0);
}

static void print_row(struct bench *b, const struct row *row)
{
	struct measure_net ebb = measure_net(&b->measure, EBB, EMPTY);
	struct measure_net least = measure_net(&b->measure, FLOOR, EMPTY);
	bool has_floor = row->towards < SANDBOXES;

	printf("  %-50s %7.1f %7.1f", row->name, ebb.min_ns, ebb.median_ns);
	if (has_floor)
		printf(" %7.1f %6.2f", least.min_ns, ebb.min_ns / least.min_ns);
	else
		printf(" %7s %6s", "-", "-");
	if (row->target_ns)
		printf("   %5.0f %s", row->target_ns,
		       ebb.min_ns < row->target_ns ? "met" : "MISSED");
	printf("\n");
	fflush(stdout);
	b->missed += row->target_ns && ebb.min_ns >= row->target_ns;
}

static void bench_rows(struct bench *b, const char *only)
{
	printf("xdp_lb: net ns a packet, least and median of %d rounds of %d packets; floor: the "
	       "smallest\n"
	       "stateless balancer (4in4 or 6in6) on the same packets; target: design, section "
	       "9\n\n",
	       b->measure.rounds, b->measure.repeat);
	printf("  %-50s %7s %7s %7s %6s   %5s\n", "", "least", "median", "floor", "ratio",
	       "target");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];

		if (!row->like.protocol) {
			printf("%s\n", row->name + 3);
			continue;
		}
		if (only && !strstr(row->name, only))
			continue;
		measure_row(b, row);
		print_row(b, row);
	}
}

/* --- a flood against known flows */

/* Whether the note of the wrapper's flow `i` towards the first VIP is still there. */
static bool has_note(const struct world *w, uint32_t i)
{
	struct address source = world_ipv4(0x0b000000 + i), destination = world_ipv4(WORLD_VIP);
	uint32_t ports = htons((uint16_t)(KNOWN_PORT + (i * 0x9e37 & 0x7fff))) |
			 (uint32_t)htons(WORLD_PORT) << 16;
	uint64_t hash = hash_flow(1, &source, &destination, ports, IPPROTO_TCP, WORLD_SEED);
	const struct flow_set *set = &w->flows[hash_flow_set(hash, w->flow_sets - 1)];

	for (int way = 0; way < FLOW_WAYS; way++)
		if (set->way[way].fingerprint == hash_fingerprint(hash) &&
		    set->way[way].backend != BACKEND_NONE)
			return true;
	return false;
}

static void bench_flood(struct bench *b)
{
	static const struct row known = {"known flows",          16384, ACK,
					 TCP(GUE, MOVED, MOVED), 40,    .notes = NOTES_ALL};
	static const struct row flood = {"flood", FLOOD, SYN, TCP(GUE, MOVED, MOVED), 40};
	uint32_t lost = 0;

	choose_world(b, false);
	world_set(b->world, &known.like);
	world_clear_flows(b->world);
	populate(b, &known);
	traffic_set(b, &flood, SYN);
	for (int i = 0; i < 5; i++)
		run(b, &flood, EBB, 1000000);
	for (uint32_t i = 0; i < known.flows; i++)
		lost += !has_note(b->world, i);
	printf("\n5,000,000 random SYNs into unsettled slots, flow table of %u: %u of %u known "
	       "flows lost\n",
	       b->world->flow_sets * FLOW_WAYS, lost, known.flows);
	b->missed += lost != 0;
}

/* --- programs */

static void print_program(const char *name, int fd, struct bench *b)
{
	struct bpf_prog_info info = {0};
	uint32_t length = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &length))
		err(1, "%s: no program info", name);
	printf("  %-12s %8u %8u %10u   %.2f of %d %s\n", name, info.xlated_prog_len / 8,
	       info.jited_prog_len, info.verified_insns, info.verified_insns / 1e6, 1000000,
	       info.verified_insns < 250000 ? "met" : "MISSED");
	b->missed += info.verified_insns >= 250000;
}

static int node_fd(void)
{
	struct node *node = node__open_and_load();

	if (!node)
		errx(1, "cannot load node");
	return bpf_program__fd(node->progs.node);
}

static void bench_programs(struct bench *b)
{
	printf("\n%-14s %8s %8s %10s   (limit: a quarter of the verifier's 1,000,000)\n", "program",
	       "insns", "bytes", "verified");
	print_program("xdp_lb", b->program_fds[EBB], b);
	print_program("node", node_fd(), b);
	print_program("floor", b->program_fds[FLOOR], b);
}

/* --- set-up */

static struct floor_backend floor_backend(uint32_t id)
{
	struct backend from = world_backend(id);
	uint32_t skip = from.family == 4 ? 12 : 0;
	struct floor_backend to = {.sum = world_sum("\0\x04", 2, from.ip_sum),
				   .macs = {id, id, id}};

	memcpy(to.destination, from.address.bytes + skip, 16 - skip);
	memcpy(to.source, from.source.bytes + skip, 16 - skip);
	return to;
}

static int floor_open(void)
{
	struct floor_bpf *skel = floor_bpf__open();
	uint32_t vip = htonl(WORLD_VIP);

	if (!skel)
		errx(1, "cannot open floor");
	skel->rodata->vip_prefix = vip & 0xffff;
	skel->rodata->vip6_prefix = htonl(WORLD_VIP6);
	if (floor_bpf__load(skel))
		errx(1, "cannot load floor");
	for (uint32_t i = 0; i < FLOOR_SLOTS; i++) {
		uint32_t id = 1 + (uint32_t)rand() % WORLD_BACKENDS;

		if (bpf_map_update_elem(bpf_map__fd(skel->maps.floor_slots), &i, &id, BPF_ANY))
			err(1, "floor_slots");
	}
	for (uint32_t id = 1; id <= 2 * WORLD_BACKENDS; id++) {
		uint32_t at = id <= WORLD_BACKENDS ? id : id - WORLD_BACKENDS + FLOOR_IPV6;
		struct floor_backend backend = floor_backend(id);

		if (bpf_map_update_elem(bpf_map__fd(skel->maps.floor_backends), &at, &backend,
					BPF_ANY))
			err(1, "floor_backends");
	}
	return bpf_program__fd(skel->progs.floor_lb);
}

static void bench_open(struct bench *b)
{
	struct wrap_bpf *wrap = wrap_bpf__open_and_load();

	if (!wrap)
		errx(1, "cannot load the wrapper");
	b->traffic = world_map(wrap->maps.traffic);
	b->measure.wrap_fd = bpf_program__fd(wrap->progs.wrap);
	b->measure.under_test_fd = bpf_map__fd(wrap->maps.under_test);
	b->program_fds[EMPTY] = bpf_program__fd(wrap->progs.empty);
	b->program_fds[FLOOR] = floor_open();
	choose_world(b, false);
}

int main(int argc, char **argv)
{
	static struct bench b = {.measure = {.rounds = 31, .repeat = 100000}};
	const char *only = NULL;
	int option;

	while ((option = getopt(argc, argv, "r:n:o:")) != -1) {
		if (option == 'r')
			b.measure.rounds = atoi(optarg);
		else if (option == 'n')
			b.measure.repeat = atoi(optarg);
		else if (option == 'o')
			only = optarg;
		else
			errx(2, "usage: bench_xdp [-r ROUNDS] [-n PACKETS] [-o ROWS-WITH-THIS]");
	}
	if (b.measure.rounds < 1 || b.measure.rounds > MEASURE_ROUNDS_MAX || b.measure.repeat < 1)
		errx(2, "1 to %d rounds of at least 1 packet", MEASURE_ROUNDS_MAX);
	bench_open(&b);
	bench_rows(&b, only);
	bench_flood(&b);
	bench_programs(&b);
	printf("\n%d figures missed their target, %d rows did not measure what they say\n",
	       b.missed, b.failed);
	return b.failed ? 1 : 0;
}
