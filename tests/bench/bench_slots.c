/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bench_slots: what the slot table costs, and how many slots it moves against the fewest possible
 * (half the sum of the differences of quotas). Times are of this process' CPU, so that neighbours on the machine count
 * little. The map's side of a change is another bench's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "controller/namehash.h"
#include "controller/slots.h"

#define REGIONS 10

static struct slots_backend *backends_new(uint32_t n)
{
	struct slots_backend *backends = calloc(n, sizeof(*backends));

	for (uint32_t i = 0; backends && i < n; i++) {
		char name[32];

		snprintf(name, sizeof(name), "p/r%u/b%u", i % REGIONS, i);
		backends[i] = (struct slots_backend){name_hash(name), 100, 100};
	}
	return backends;
}

static uint32_t fewest(const uint32_t *from, const uint32_t *to, uint32_t n)
{
	uint32_t moves = 0;

	for (uint32_t i = 0; i < n; i++)
		moves += from[i] > to[i] ? from[i] - to[i] : 0;
	return moves;
}

static double cpu_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

struct run {
	struct slots *table;
	double *weights;
	uint32_t *before;
	uint32_t n;
	uint64_t moved, fewest; /* sums since run_reset() */
	double seconds, worst_s;
	uint32_t changes;
};

static void run_reset(struct run *run)
{
	run->moved = run->fewest = run->changes = 0;
	run->seconds = run->worst_s = 0;
}

static void run_change(struct run *run)
{
	uint32_t moved;
	double took;

	memcpy(run->before, slots_quotas(run->table), run->n * sizeof(*run->before));
	took = -cpu_s();
	if (slots_set_weights(run->table, run->weights) < 0)
		exit(1);
	took += cpu_s();
	slots_changes(run->table, &moved);
	run->moved += moved;
	run->fewest += fewest(run->before, slots_quotas(run->table), run->n);
	run->seconds += took;
	run->worst_s = took > run->worst_s ? took : run->worst_s;
	run->changes++;
}

static void run_print(const struct run *run, const char *what)
{
	printf("  %-40s %9.3f ms %9.3f ms %9.1f %9.1f  %5.2f\n", what,
	       run->seconds / run->changes * 1e3, run->worst_s * 1e3,
	       (double)run->moved / run->changes, (double)run->fewest / run->changes,
	       run->fewest ? (double)run->moved / (double)run->fewest : 0);
}

static void all_healthy(struct run *run)
{
	for (uint32_t i = 0; i < run->n; i++)
		run->weights[i] = 100;
	run_change(run);
}

/* Each of 64 backends in turn goes to `factor` of its weight; the way back is another row. */
static void single_steps(struct run *run, double factor, const char *what, const char *back)
{
	struct run there = *run, home = *run;

	run_reset(&there);
	run_reset(&home);
	for (uint32_t i = 0; i < 64; i++) {
		double *weight = &run->weights[(uint64_t)i * 7919 % run->n], old = *weight;

		*weight = old * factor;
		run_change(&there);
		*weight = old;
		run_change(&home);
	}
	run_print(&there, what);
	run_print(&home, back);
}

static void region_decays(struct run *run)
{
	run_reset(run);
	for (int step = 1; step <= 20; step++) {
		for (uint32_t i = 3; i < run->n; i += REGIONS)
			run->weights[i] = 100 * (1 - step / 20.0);
		run_change(run);
	}
	run_print(run, "a region decays in 20 steps, each");
	run_reset(run);
	all_healthy(run);
	run_print(run, "the region is back at once");
}

static void jitter(struct run *run)
{
	uint64_t seed = 1;

	run_reset(run);
	for (int step = 0; step < 8; step++) {
		for (uint32_t i = 0; i < run->n; i++) {
			seed = hash_mix(seed + 0x9e3779b97f4a7c15u);
			run->weights[i] = 98 + 4 * (double)(seed >> 40) / (1 << 24);
		}
		run_change(run);
	}
	run_print(run, "all by 2 %, at random");
	all_healthy(run);
}

static void with_loans(struct run *run)
{
	for (uint32_t i = 0; i < run->n; i++)
		if (i % REGIONS < 3)
			run->weights[i] = 1;
	run_reset(run);
	run_change(run);
	run_print(run, "three of ten regions fall to 1 % at once");
	printf("  then, with %.0f %% of the slots on loan:\n",
	       100.0 * slots_lent(run->table) / slots_count(run->table));
	single_steps(run, 0.94, "  one backend 1.0 to 0.94", "  and back");
	single_steps(run, 0, "  one backend to 0", "  and back");
	all_healthy(run);
}

static void bench(uint32_t n, uint32_t slot_count)
{
	struct slots_backend *backends = backends_new(n);
	struct run run = {.n = n};
	double built = -cpu_s();

	run.weights = calloc(n, sizeof(*run.weights));
	run.before = calloc(n, sizeof(*run.before));
	if (!backends || !run.weights || !run.before ||
	    slots_new(backends, n, slot_count, &run.table) < 0)
		exit(1);
	built += cpu_s();
	printf("%u backends, %u slots: home table built in %.1f ms\n", n, slot_count, built * 1e3);
	printf("  %-40s %12s %12s %9s %9s  %5s\n", "", "mean", "worst", "moved", "fewest", "ratio");
	all_healthy(&run);
	single_steps(&run, 0.94, "one backend 1.0 to 0.94", "and back");
	single_steps(&run, 0, "one backend to 0", "and back");
	jitter(&run);
	region_decays(&run);
	with_loans(&run);
	printf("\n");
	slots_free(run.table);
	free(run.before);
	free(run.weights);
	free(backends);
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	bench(100, 65536);
	bench(1000, 65536);
	bench(1000, 1048576);
	bench(10000, 1048576);
	return 0;
}
