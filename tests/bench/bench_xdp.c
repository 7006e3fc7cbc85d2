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
#include "build/tests/bench/stages.skel.h"
#include "build/tests/bench/wrap.skel.h"
#include "tests/bench/floor_open.h"
#include "tests/bench/measure.h"
#include "tests/bench/rows.h"
#include "tests/bench/stages.h"

enum program { EMPTY, FLOOR, EBB, PROGRAM__COUNT };

struct bench {
	struct world *world;
	struct world worlds[TABLE__COUNT]; /* that differ in the size of the flow table */
	struct wrap *traffic;
	struct measure measure;
	int program_fds[PROGRAM__COUNT];
	int missed, failed;
};

/* --- running it */

static void choose_world(struct bench *b, enum table table)
{
	static const uint32_t flows[TABLE__COUNT] = {
		[TABLE_DEFAULT] = FLOW_SETS_DEFAULT * FLOW_WAYS,
		[TABLE_128K] = 131072,
		[TABLE_2M] = 2097152,
	};

	b->world = &b->worlds[table];
	if (!b->world->skel)
		world_open(b->world, flows[table]);
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

static uint64_t count_notes(const struct flow_set *table, uint32_t sets)
{
	uint64_t notes = 0;

	for (uint32_t i = 0; i < sets; i++)
		for (int way = 0; way < FLOW_WAYS; way++)
			notes += table[i].way[way].backend != BACKEND_NONE;
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

/* Every flow sends a SYN and, before the nursery could be full, an ACK. */
static void populate(struct bench *b, const struct row *row)
{
	const uint32_t at_once = 4096;

	measure_select(&b->measure, b->program_fds[EBB]);
	for (uint32_t first = 0; first < row->flows; first += at_once) {
		uint32_t count = row->flows - first < at_once ? row->flows - first : at_once;

		traffic_set(b->traffic, row, SYN);
		b->traffic->next = first;
		run(b, row, EBB, count);
		traffic_set(b->traffic, row, ACK);
		b->traffic->next = first;
		run(b, row, EBB, count);
	}
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
	uint64_t notes = count_notes(b->world->flows, b->world->flow_sets);
	uint64_t young = count_notes(b->world->nursery, NURSERY_SETS);

	if (row->notes < NOTES_SOME && notes)
		complain(b, row, "notes in the flow table", notes, 0);
	if (row->notes == NOTES_SOME && !notes)
		complain(b, row, "notes in the flow table", notes, 1);
	/* What a full set of the flow table has lost begins anew. */
	if (row->notes == NOTES_YOUNG ? !young : young > row->flows / 50)
		complain(b, row, "notes in the nursery", young, row->notes == NOTES_YOUNG);
	/* Flows of one fingerprint and set share a note; a full set loses one. */
	if (row->notes == NOTES_ALL && (notes > row->flows || notes < row->flows * 0.99))
		complain(b, row, "notes in the flow table", notes, row->flows);
}

static void prepare_row(struct bench *b, const struct row *row)
{
	choose_world(b, row->table);
	world_set(b->world, &row->like);
	world_clear_flows(b->world);
	if (row->noted)
		populate(b, row);
	traffic_set(b->traffic, row, row->tcp_flags);
}

/* Rounds over empty, floor and ebb. */
static void measure_row(struct bench *b, const struct row *row)
{
	uint64_t before[VERDICT__COUNT], kept, packets = 0;
	struct measure *m = &b->measure;

	prepare_row(b, row);
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

/* --- where the nanoseconds go */

/* xdp_lb's headers on the maps of the world, ending behind `last`. */
static struct stages_bpf *stages_open(const struct world *w, enum stage last)
{
	struct stages_bpf *skel = stages_bpf__open();
	struct bpf_map *map, *theirs;

	if (!skel)
		errx(1, "cannot open stages");
	skel->rodata->last_stage = last;
	skel->rodata->flow_set_mask = w->flow_sets - 1;
	bpf_object__for_each_map(map, skel->obj)
	{
		theirs = bpf_object__find_map_by_name(w->skel->obj, bpf_map__name(map));
		if (theirs && bpf_map__reuse_fd(map, bpf_map__fd(theirs)))
			errx(1, "stages cannot use xdp_lb's %s", bpf_map__name(map));
	}
	if (stages_bpf__load(skel))
		errx(1, "cannot load stages");
	return skel;
}

/* Programs of one row: the empty one, an end behind each stage, the whole of xdp_lb. */
static void measure_stages(struct bench *b, const struct row *row)
{
	struct stages_bpf *skel[STAGE__COUNT];
	int fds[STAGE__COUNT + 2];
	double ns;
	uint32_t length;
	static const uint8_t frame[WRAP_IPV6_BYTES];

	fds[0] = b->program_fds[EMPTY];
	for (int stage = 0; stage < STAGE__COUNT; stage++) {
		skel[stage] = stages_open(b->world, stage);
		fds[stage + 1] = bpf_program__fd(skel[stage]->progs.stages);
	}
	fds[STAGE__COUNT + 1] = b->program_fds[EBB];
	for (int round = -1; round < b->measure.rounds; round++)
		for (int p = 0; p < STAGE__COUNT + 2; p++) {
			measure_select(&b->measure, fds[p]);
			if (measure_run(&b->measure, frame,
					row->ipv6 ? WRAP_IPV6_BYTES : WRAP_IPV4_BYTES,
					(uint32_t)b->measure.repeat, &ns, &length) == XDP_ABORTED)
				complain(b, row, "stages: action", XDP_ABORTED, XDP_DROP);
			if (round >= 0)
				b->measure.ns[p][round] = ns;
		}
	for (int stage = 0; stage < STAGE__COUNT; stage++)
		stages_bpf__destroy(skel[stage]);
}

static void print_stages(struct bench *b, const struct row *row)
{
	double before = 0;

	printf("  %-50s", row->name);
	for (int p = 1; p < STAGE__COUNT + 2; p++) {
		struct measure_net net = measure_net(&b->measure, p, 0);

		printf(" %7.1f", net.min_ns - before);
		before = net.min_ns;
	}
	printf(" %7.1f\n", before);
	fflush(stdout);
}

static void bench_stages(struct bench *b, const char *only)
{
	printf("\nwhere they go: least ns up to the end of a stage, less those up to the one "
	       "before\n\n");
	printf("  %-50s %7s %7s %7s %7s %7s %7s %7s\n", "", "parse", "service", "key", "slot",
	       "send", "count", "all");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!rows[i].stages || (only && !strstr(rows[i].name, only)))
			continue;
		prepare_row(b, &rows[i]);
		measure_stages(b, &rows[i]);
		print_stages(b, &rows[i]);
	}
}

/* Tables that are used all over lie in memory, whatever the program: this is what it can blame. */
static void bench_memory(void)
{
	static const uint32_t megabytes[] = {1, 4, 8, 32};

	printf("\none load of this machine, waiting for the one before, over");
	for (size_t i = 0; i < sizeof(megabytes) / sizeof(megabytes[0]); i++)
		printf("%s %u MB: %.0f ns", i ? "," : "", megabytes[i],
		       measure_memory(megabytes[i] << 20));
	printf("\n");
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

static void flood_known(struct bench *b, const struct row *flood, uint32_t flows)
{
	struct row known = *flood;
	uint32_t before = 0, after = 0;

	known.flows = flows;
	world_set(b->world, &known.like);
	world_clear_flows(b->world);
	populate(b, &known);
	for (uint32_t i = 0; i < flows; i++)
		before += has_note(b->world, i);
	traffic_set(b->traffic, flood, flood->tcp_flags);
	for (int i = 0; i < 5; i++)
		run(b, flood, EBB, 1000000);
	for (uint32_t i = 0; i < flows; i++)
		after += has_note(b->world, i);
	printf("  %-46s %8u %8u %8u\n", flood->name, flows, before, before - after);
	b->missed += after != before;
}

static void bench_flood(struct bench *b)
{
	static const struct row floods[] = {
		{"SYNs into unsettled slots", FLOOD, SYN, TCP(GUE, MOVED, MOVED), 40},
		{"SYNs, track: always", FLOOD, SYN, TCP(IPIP, ALWAYS, SETTLED), 20},
		{"ACKs, track: always", FLOOD, ACK, TCP(IPIP, ALWAYS, SETTLED), 20},
	};

	choose_world(b, TABLE_DEFAULT);
	printf("\n5,000,000 random packets against known flows, flow table of %u\n\n",
	       b->world->flow_sets * FLOW_WAYS);
	printf("  %-46s %8s %8s %8s\n", "", "flows", "known", "lost");
	for (size_t i = 0; i < sizeof(floods) / sizeof(floods[0]); i++) {
		flood_known(b, &floods[i], 16384);
		flood_known(b, &floods[i], 1048576);
	}
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
	choose_world(b, TABLE_DEFAULT);
}

int main(int argc, char **argv)
{
	static struct bench b = {.measure = {.rounds = 31, .repeat = 100000}};
	const char *only = NULL, *part = NULL;
	int option;

	while ((option = getopt(argc, argv, "r:n:o:p:")) != -1) {
		if (option == 'r')
			b.measure.rounds = atoi(optarg);
		else if (option == 'n')
			b.measure.repeat = atoi(optarg);
		else if (option == 'o')
			only = optarg;
		else if (option == 'p')
			part = optarg;
		else
			errx(2, "usage: bench_xdp [-r ROUNDS] [-n PACKETS] [-o ROWS-WITH-THIS] "
				"[-p rows|stages|memory|flood|programs]");
	}
	if (b.measure.rounds < 1 || b.measure.rounds > MEASURE_ROUNDS_MAX || b.measure.repeat < 1)
		errx(2, "1 to %d rounds of at least 1 packet", MEASURE_ROUNDS_MAX);
	bench_open(&b);
	if (!part || !strcmp(part, "rows"))
		bench_rows(&b, only);
	if (!part || !strcmp(part, "stages"))
		bench_stages(&b, only);
	if (!part || !strcmp(part, "memory"))
		bench_memory();
	if (!part || !strcmp(part, "flood"))
		bench_flood(&b);
	if (!part || !strcmp(part, "programs"))
		bench_programs(&b);
	printf("\n%d figures missed their target, %d rows did not measure what they say\n",
	       b.missed, b.failed);
	return b.failed ? 1 : 0;
}
