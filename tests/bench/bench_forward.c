// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bench_forward: real forwarding on one core, native XDP, in a network namespace of its own:
 *
 *   generator -> gen0 === lb0: program under test, XDP_TX
 *                gen0: counting sink <-'
 *
 * The generator runs with live frames and redirects into gen0, so each packet crosses the veth
 * twice. The ratio is to a program that only swaps MAC addresses and so has the same way, the same
 * loop and the same sink.
 */
#include <getopt.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <time.h>

#include "build/tests/bench/forward.skel.h"
#include "tests/bench/floor_open.h"
#include "tests/bench/rows.h"

#define ROUNDS_MAX 101

enum program { SWAP, FLOOR, EBB, PROGRAM__COUNT };

struct forward {
	struct forward_bpf *skel;
	struct world world;
	struct wrap *traffic;
	int gen_ifindex, lb_ifindex;
	int program_fds[PROGRAM__COUNT];
	int rounds, packets;
	int failed;
	double pps[PROGRAM__COUNT][ROUNDS_MAX];
	double loss; /* the greatest part of a round's packets that did not come back */
};

static const struct row rows_forward[] = {
	{"4in4, 1 flow", 1, ACK, TCP(IPIP, MOVED, SETTLED)},
	{"4in4, 64k flows", K64, ACK, TCP(IPIP, MOVED, SETTLED)},
	{"gue4, 64k flows", K64, ACK, TCP(GUE, MOVED, SETTLED)},
	{"gue4, flow from before the move, 64k flows", K64, ACK, TCP(GUE, MOVED, MOVED)},
	{"4in4, track: always, 64k flows", K64, ACK, TCP(IPIP, ALWAYS, SETTLED)},
	{"gue4, SYN flood", FLOOD, SYN, TCP(GUE, MOVED, SETTLED)},
	{"gue4, SYN flood into unsettled slots", FLOOD, SYN, TCP(GUE, MOVED, MOVED)},
	{"6in6, 64k flows", K64, ACK, TCP(IPIP, MOVED, SETTLED_IPV6), .ipv6 = true},
	{"gue6, 64k flows, IPv6", K64, ACK, TCP(GUE, MOVED, SETTLED_IPV6), .ipv6 = true},
};

static void attach(int ifindex, int fd)
{
	if (bpf_xdp_attach(ifindex, fd, XDP_FLAGS_DRV_MODE, NULL))
		err(1, "cannot attach natively");
}

static uint64_t received(const struct forward *f)
{
	return world_count(f->skel->maps.received, 0, sizeof(uint64_t), 0);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* One round: packets a second that came back. */
static double run(struct forward *f, const struct row *row)
{
	uint8_t frame[WRAP_IPV6_BYTES] = {0};
	struct xdp_md ctx = {.data_end = row->ipv6 ? WRAP_IPV6_BYTES : WRAP_IPV4_BYTES,
			     .ingress_ifindex = (uint32_t)f->gen_ifindex};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = ctx.data_end,
		    .ctx_in = &ctx, .ctx_size_in = sizeof(ctx), .repeat = f->packets,
		    .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = 64);
	uint64_t before = received(f), came;
	double start = now(), seconds, lost;

	if (bpf_prog_test_run_opts(bpf_program__fd(f->skel->progs.generate), &opts))
		err(1, "live frames");
	seconds = now() - start;
	came = received(f) - before;
	lost = 1 - (double)came / f->packets;
	f->loss = lost > f->loss ? lost : f->loss;
	return (double)came / seconds;
}

static int cmp(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x < y) - (x > y);
}

static void check_forwarded(struct forward *f, const struct row *row, uint64_t before)
{
	uint64_t verdicts[VERDICT__COUNT];

	world_verdicts(&f->world, verdicts);
	if (verdicts[VERDICT_FORWARD_TX] - before < (uint64_t)f->packets * f->rounds * 99 / 100) {
		printf("  !! %s: only %llu packets forwarded\n", row->name,
		       (unsigned long long)(verdicts[VERDICT_FORWARD_TX] - before));
		f->failed++;
	}
}

static void bench_row(struct forward *f, const struct row *row)
{
	uint64_t verdicts[VERDICT__COUNT];

	world_set(&f->world, &row->like);
	world_clear_flows(&f->world);
	traffic_set(f->traffic, row, row->tcp_flags);
	world_verdicts(&f->world, verdicts);
	f->loss = 0;
	for (int round = -1; round < f->rounds; round++)
		for (int p = 0; p < PROGRAM__COUNT; p++) {
			double pps;

			attach(f->lb_ifindex, f->program_fds[p]);
			pps = run(f, row);
			if (round >= 0) /* the first one warms up */
				f->pps[p][round] = pps;
		}
	check_forwarded(f, row, verdicts[VERDICT_FORWARD_TX]);
	for (int p = 0; p < PROGRAM__COUNT; p++)
		qsort(f->pps[p], (size_t)f->rounds, sizeof(double), cmp);
	printf("  %-46s %6.2f %6.2f %6.2f   %5.2f %5.2f   %6.3f %%\n", row->name,
	       f->pps[SWAP][0] / 1e6, f->pps[FLOOR][0] / 1e6, f->pps[EBB][0] / 1e6,
	       f->pps[EBB][0] / f->pps[SWAP][0],
	       f->pps[EBB][f->rounds / 2] / f->pps[SWAP][f->rounds / 2], f->loss * 100);
	fflush(stdout);
}

static void run_command(const char *command)
{
	if (system(command) != 0)
		errx(1, "failed: %s", command);
}

/* The namespace ends with the process. One core, or it is not one core's figure. */
static void forward_open(struct forward *f)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	if (unshare(CLONE_NEWNET) || sched_setaffinity(0, sizeof(one), &one))
		err(1, "no network namespace of our own (root?)");
	run_command("ip link add gen0 type veth peer name lb0 && ip link set gen0 up && "
		    "ip link set lb0 up");
	f->gen_ifindex = (int)if_nametoindex("gen0");
	f->lb_ifindex = (int)if_nametoindex("lb0");
	f->skel = forward_bpf__open();
	if (!f->skel)
		errx(1, "cannot open forward");
	f->skel->rodata->out_ifindex = (uint32_t)f->gen_ifindex;
	if (forward_bpf__load(f->skel))
		errx(1, "cannot load forward");
	f->traffic = world_map(f->skel->maps.traffic);
	world_open(&f->world, FLOW_SETS_DEFAULT * FLOW_WAYS);
	for (uint32_t i = 1; i <= WORLD_NEXTHOPS; i++)
		f->world.nexthops[i].ifindex = (uint32_t)f->lb_ifindex;
	f->program_fds[SWAP] = bpf_program__fd(f->skel->progs.swap);
	f->program_fds[FLOOR] = floor_open();
	f->program_fds[EBB] = bpf_program__fd(f->world.skel->progs.xdp_lb);
	attach(f->gen_ifindex, bpf_program__fd(f->skel->progs.sink));
	attach(f->lb_ifindex, f->program_fds[SWAP]);
}

int main(int argc, char **argv)
{
	static struct forward f = {.rounds = 15, .packets = 300000};
	int option;

	while ((option = getopt(argc, argv, "r:n:")) != -1) {
		if (option == 'r')
			f.rounds = atoi(optarg);
		else if (option == 'n')
			f.packets = atoi(optarg);
		else
			errx(2, "usage: bench_forward [-r ROUNDS] [-n PACKETS]");
	}
	if (f.rounds < 1 || f.rounds > ROUNDS_MAX || f.packets < 1)
		errx(2, "1 to %d rounds of at least 1 packet", ROUNDS_MAX);
	forward_open(&f);
	printf("forwarding by native XDP on a veth, one core, live frames there and back: Mpps, "
	       "best of\n"
	       "%d rounds of %d packets; ratio to a program that only swaps MACs, best and "
	       "median\n\n",
	       f.rounds, f.packets);
	printf("  %-46s %6s %6s %6s   %5s %5s   %6s\n", "", "swap", "floor", "ebb", "best",
	       "median", "lost");
	for (size_t i = 0; i < sizeof(rows_forward) / sizeof(rows_forward[0]); i++)
		bench_row(&f, &rows_forward[i]);
	return f.failed ? 1 : 0;
}
