/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_TESTS_RANDOM_H
#define EBB_TESTS_RANDOM_H
/*
 * random: numbers for property tests. The seed is printed, and EBB_SEED in the environment sets it,
 * so that what failed once can be run again.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "controller/namehash.h"

struct random {
	uint64_t state;
};

static inline uint64_t random_bits(struct random *r)
{
	r->state += 0x9e3779b97f4a7c15u;
	return hash_mix(r->state);
}

static inline uint32_t random_below(struct random *r, uint32_t n)
{
	return (uint32_t)((random_bits(r) >> 32) * n >> 32);
}

/* [0,1) */
static inline double random_unit(struct random *r)
{
	return (double)(random_bits(r) >> 11) * 0x1p-53;
}

static inline struct random random_start(const char *what)
{
	const char *text = getenv("EBB_SEED");
	uint64_t seed = text ? strtoull(text, NULL, 0) : hash_mix((uint64_t)time(NULL));

	printf("[   seed   ] %s: EBB_SEED=0x%llx\n", what, (unsigned long long)seed);
	return (struct random){seed};
}

#endif
