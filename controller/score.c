/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See score.h. */
#include "controller/score.h"

#include <string.h>

#include "controller/namehash.h"

#define SCORE_BITS_MIN 8 /* so that tiny tables have a permutation worth its name */
#define LN2            0.69314718055994530942

void score_space_init(struct score_space *space, uint32_t slots)
{
	uint32_t bits = SCORE_BITS_MIN;

	while (bits < 31 && (1u << bits) < slots)
		bits++;
	*space = (struct score_space){
		.slots = slots,
		.ranks = 1u << bits,
		.mask = (1u << bits) - 1,
		.shift = (bits + 1) / 2,
		.inverse = 1.0 / (double)(1u << bits),
	};
}

/* Modulo 2^32, of an odd number; each Newton step doubles the right bits (odd*odd = 1 mod 8: 3 at
 * first). */
static uint32_t odd_inverse(uint32_t odd)
{
	uint32_t x = odd;

	for (int i = 0; i < 4; i++)
		x *= 2 - odd * x;
	return x;
}

void score_init(struct score *score, uint64_t hash, double capacity)
{
	uint64_t state = hash;

	*score = (struct score){.hash = hash, .inverse_capacity = 1.0 / capacity};
	for (int i = 0; i < 3; i++) {
		uint64_t bits;

		state += 0x9e3779b97f4a7c15u;
		bits = hash_mix(state);
		/* odd, and 5 mod 8 so that no round is close to the identity */
		score->multiply[i] = ((uint32_t)bits & ~7u) | 5;
		score->add[i] = (uint32_t)(bits >> 32);
		score->divide[i] = odd_inverse(score->multiply[i]);
	}
	state += 0x9e3779b97f4a7c15u;
	score->phase = ((double)(hash_mix(state) >> 44) + 0.5) * (1.0 / 1048576.0);
}

/* score_slot_at() without a branch and with a fixed trip count, so that compilers use vectors. */
void score_slots_at(const struct score_space *space, const struct score *score, uint32_t rank,
		    uint32_t *restrict ret_slots)
{
	const struct score s = *score;
	uint32_t mask = space->mask, shift = space->shift;

	for (uint32_t k = 0; k < SCORE_BLOCK; k++) {
		uint32_t x = rank + k;

		x = (x * s.multiply[0] + s.add[0]) & mask;
		x ^= x >> shift;
		x = (x * s.multiply[1] + s.add[1]) & mask;
		x ^= x >> shift;
		x = (x * s.multiply[2] + s.add[2]) & mask;
		ret_slots[k] = x ^ x >> shift;
	}
}

/*
 * x = m * 2^e with m in [sqrt(1/2), sqrt(2)): ln x = e ln 2 + 2 artanh(s), s = (m - 1)/(m + 1), |s|
 * < 0.1716. The series of artanh is cut after s^21/21: the rest is below 1e-17 of it.
 */
double score_minus_ln(double x)
{
	uint64_t bits;
	int e;
	double m, s, q, sum;

	memcpy(&bits, &x, sizeof(bits));
	e = (int)(bits >> 52) - 1023;
	bits = (bits & 0xfffffffffffffu) | (1023ull << 52);
	memcpy(&m, &bits, sizeof(m));
	if (m > 1.41421356237309504880) {
		m *= 0.5;
		e++;
	}
	s = (m - 1.0) / (m + 1.0);
	q = s * s;
	sum = 1.0 / 21;
	sum = sum * q + 1.0 / 19;
	sum = sum * q + 1.0 / 17;
	sum = sum * q + 1.0 / 15;
	sum = sum * q + 1.0 / 13;
	sum = sum * q + 1.0 / 11;
	sum = sum * q + 1.0 / 9;
	sum = sum * q + 1.0 / 7;
	sum = sum * q + 1.0 / 5;
	sum = sum * q + 1.0 / 3;
	sum = sum * q + 1.0;
	return -((double)e * LN2 + 2.0 * s * sum);
}
