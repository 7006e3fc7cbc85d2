/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_SCORE_H
#define EBB_SCORE_H
/*
 * score: how much a backend and a slot want each other; the smaller, the more. One number for both
 * sides.
 *
 *   score(backend, slot) = E(rank) / capacity       E(k) = -ln(1 - (k + u)/R)
 *
 * rank is the slot's place in the backend's own pseudo-random permutation of 0..R-1, R the power of
 * two that holds all slots (places that are no slot are skipped by whoever walks). E makes equal
 * steps of rank exponentially distributed, so that backends race at a speed that is their capacity
 * (weighted rendezvous). u in (0,1) is the backend's own, so that scores of different backends are
 * never equal in practice; if they are, the smaller hash is first.
 *
 * The permutation is three rounds of x*odd + key, x ^= x >> half, modulo R: a few cycles in both
 * directions. Only
 * sums, products and quotients of doubles and integers decide: the same bits on every machine that
 * has IEEE 754 and does not contract (-ffp-contract=off).
 */
#include <stdbool.h>
#include <stdint.h>

struct score_space {    /* of one table */
	uint32_t slots; /* places at or above are no slots */
	uint32_t ranks; /* R */
	uint32_t mask;  /* R - 1 */
	uint32_t shift; /* at least half of R's bits: then x ^= x >> shift undoes itself */
	double inverse; /* 1/R, exact */
};

struct score { /* of one backend; one cache line */
	uint64_t hash;
	double inverse_capacity;
	double phase; /* u, a multiple of 2^-21 */
	uint32_t multiply[3], add[3], divide[3];
};

void score_space_init(struct score_space *space, uint32_t slots);
void score_init(struct score *score, uint64_t hash, double capacity);
/* -ln(x) for x in (0,1], relative error below 1e-14, strictly falling over steps of 2^-43 and more.
 */
double score_minus_ln(double x);

/* The place at `rank`; at or above space->slots it is no slot. */
static inline uint32_t score_slot_at(const struct score_space *space, const struct score *score,
				     uint32_t rank)
{
	uint32_t x = rank;

	for (int i = 0; i < 3; i++) {
		x = (x * score->multiply[i] + score->add[i]) & space->mask;
		x ^= x >> space->shift;
	}
	return x;
}

/* The places at SCORE_BLOCK ranks from `rank` on, side by side; what is past the last rank is of no
 * meaning. */
#define SCORE_BLOCK 64
void score_slots_at(const struct score_space *space, const struct score *score, uint32_t rank,
		    uint32_t *ret_slots);

static inline uint32_t score_rank_of(const struct score_space *space, const struct score *score,
				     uint32_t slot)
{
	uint32_t x = slot;

	for (int i = 2; i >= 0; i--) {
		x ^= x >> space->shift;
		x = ((x - score->add[i]) * score->divide[i]) & space->mask;
	}
	return x;
}

/* Rises strictly with `rank` (0..R-1). */
static inline double score_at(const struct score_space *space, const struct score *score,
			      uint32_t rank)
{
	/* exact: 23 bits before the point, 21 behind it */
	double left = (double)(space->ranks - rank) - score->phase;

	return score_minus_ln(left * space->inverse) * score->inverse_capacity;
}

/* The total order of pairs of one slot: is (a, backend of hash ha) before (b, hb)? */
static inline bool score_before(double a, uint64_t ha, double b, uint64_t hb)
{
	return a < b || (a == b && ha < hb);
}

#endif
