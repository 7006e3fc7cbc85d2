/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_TESTS_BENCH_MEASURE_H
#define EBB_TESTS_BENCH_MEASURE_H
/*
 * measure: what one run of a program costs, by the CPU time of the thread that is in
 * BPF_PROG_TEST_RUN. (The kernel's own figure is a whole number of nanoseconds, and counts
 * neighbours on the core.)
 *
 * Rounds go over all programs in turn, so that what disturbs the machine disturbs all of them
 * alike.
 */
#include <bpf/bpf.h>
#include <err.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#define MEASURE_PROGRAMS_MAX 8
#define MEASURE_ROUNDS_MAX   1001

struct measure {
	int wrap_fd, under_test_fd; /* the wrapper, and the array that names what it calls */
	int rounds, repeat;
	double ns[MEASURE_PROGRAMS_MAX][MEASURE_ROUNDS_MAX]; /* gross */
};

struct measure_net {
	double min_ns, median_ns;
};

static inline double measure_clock(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static inline void measure_select(const struct measure *m, int program_fd)
{
	uint32_t zero = 0;

	if (bpf_map_update_elem(m->under_test_fd, &zero, &program_fd, BPF_ANY))
		err(1, "the wrapper cannot call the program");
}

/* Returns the action of the last run; ret_length: of the frame that it left. */
static inline int measure_run(const struct measure *m, const void *frame, uint32_t length,
			      uint32_t repeat, double *ret_ns, uint32_t *ret_length)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = length,
		    .repeat = (int)repeat);
	double start = measure_clock();

	if (bpf_prog_test_run_opts(m->wrap_fd, &opts))
		err(1, "BPF_PROG_TEST_RUN");
	*ret_ns = (measure_clock() - start) / repeat;
	*ret_length = opts.data_size_out;
	return (int)opts.retval;
}

static inline int measure_cmp(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Minimum against minimum; and the median of the differences, round by round. */
static inline struct measure_net measure_net(const struct measure *m, int program, int base)
{
	double difference[MEASURE_ROUNDS_MAX], least = m->ns[program][0],
					       least_base = m->ns[base][0];

	for (int i = 0; i < m->rounds; i++) {
		difference[i] = m->ns[program][i] - m->ns[base][i];
		least = m->ns[program][i] < least ? m->ns[program][i] : least;
		least_base = m->ns[base][i] < least_base ? m->ns[base][i] : least_base;
	}
	qsort(difference, (size_t)m->rounds, sizeof(*difference), measure_cmp);
	return (struct measure_net){least - least_base, difference[m->rounds / 2]};
}

/*
 * What one load costs that waits for the one before, over `bytes` of memory that fit no cache: the
 * price of whatever a program must fetch. Least of five.
 */
static inline double measure_memory(uint32_t bytes)
{
	uint32_t lines = bytes / 64, loads = 200000;
	uint32_t *order = malloc(lines * sizeof(*order)), (*line)[16];
	double least = 1e9;

	line = aligned_alloc(64, bytes);
	if (!order || !line)
		err(1, "memory");
	for (uint32_t i = 0; i < lines; i++) {
		uint32_t with = (uint32_t)rand() % (i + 1);

		order[i] = order[with];
		order[with] = i;
	}
	for (uint32_t i = 0; i < lines; i++)
		line[order[i]][0] = order[(i + 1) % lines];
	for (int round = 0; round < 5; round++) {
		double start = measure_clock(), ns;
		uint32_t at = 0;

		for (uint32_t i = 0; i < loads; i++)
			at = *(volatile uint32_t *)&line[at][0];
		ns = (measure_clock() - start) / loads;
		least = ns < least ? ns : least;
	}
	free(order);
	free(line);
	return least;
}

#endif
