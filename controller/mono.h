/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_MONO_H
#define EBB_MONO_H
/*
 * mono: time as the pure core sees it, nanoseconds of CLOCK_MONOTONIC, wrapped so that it cannot be
 * mixed with wall time or with a duration. Only the edges (daemon, probes) read the clock.
 */
#include <stdint.h>
#include <time.h>

struct mono_ns {
	int64_t v;
};

static inline struct mono_ns mono_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (struct mono_ns){(int64_t)t.tv_sec * 1000000000 + t.tv_nsec};
}

static inline double mono_seconds_between(struct mono_ns from, struct mono_ns to)
{
	return (double)(to.v - from.v) * 1e-9;
}

static inline struct mono_ns mono_after(struct mono_ns t, double seconds)
{
	return (struct mono_ns){t.v + (int64_t)(seconds * 1e9)};
}

#endif
