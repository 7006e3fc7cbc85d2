/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_RACE_H
#define EBB_RACE_H
/*
 * race: the stable matching of slots and backends from nothing. Both sides rank a pair by the same
 * score, so the matching is unique, and is what a race gives: pairs in ascending order of score, a
 * slot goes to the first backend that still has quota left.
 *
 * The race is run window by window of score: every backend that has quota left walks its
 * permutation up to the window's end; what hits a free slot is sorted by score and settled. A walk
 * is some nanoseconds a step and there are about ranks * ln(slots) steps in all, however many
 * backends; where the windows end has no influence on the result.
 */
#include <stdint.h>

#include "controller/err.h"
#include "controller/score.h"

struct race_claim {
	uint32_t slot;
	uint16_t backend;
};

/* `quotas[0..n)` sum to at least the number of bits set in `free_slots` (space->slots bits, 64 a
 * word). Both are used up. Writes `free_count` claims, in ascending order of score. -ENOMEM. */
EBB_MUST_CHECK int race_run(const struct score_space *space, const struct score *scores, uint32_t n,
			    uint32_t *quotas, uint64_t *free_slots, uint32_t free_count,
			    struct race_claim *ret_claims);

#endif
