/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_BIDDERS_H
#define EBB_BIDDERS_H
/*
 * bidders: which of many backends scores best with one slot. Each takes slots only of a rank below
 * a bound of its own, and few bounds reach a given slot; so the ranks of a whole block of backends
 * are computed side by side, without a branch, and scores only of those that are left.
 */
#include <stdint.h>

#include "controller/err.h"
#include "controller/score.h"

#define BIDDERS_BLOCK 64 /* a fixed trip count is what lets the compiler use vectors */
#define BIDDERS_NONE  UINT32_MAX

struct bidders_block {
	uint32_t divide[3][BIDDERS_BLOCK], add[3][BIDDERS_BLOCK];
	uint32_t below[BIDDERS_BLOCK]; /* 0: takes nothing */
	uint32_t backend[BIDDERS_BLOCK];
};

struct bidders {
	struct bidders_block *blocks;
	uint32_t *place; /* [backend] where it stands, or BIDDERS_NONE */
	uint32_t n, count;
};

EBB_MUST_CHECK int bidders_init(struct bidders *bidders, uint32_t n);
void bidders_free(struct bidders *bidders);
void bidders_clear(struct bidders *bidders);
/* Takes nothing until bidders_bound() says so. */
void bidders_add(struct bidders *bidders, const struct score *score, uint32_t backend);
/* One that was not added takes nothing, whatever its bound. */
static inline void bidders_bound(struct bidders *bidders, uint32_t backend, uint32_t below)
{
	uint32_t at = bidders->place[backend];

	if (at != BIDDERS_NONE)
		bidders->blocks[at / BIDDERS_BLOCK].below[at % BIDDERS_BLOCK] = below;
}
static inline uint32_t bidders_at(const struct bidders *bidders, uint32_t i)
{
	return bidders->blocks[i / BIDDERS_BLOCK].backend[i % BIDDERS_BLOCK];
}
/* The backend that takes the slot and scores best, or BIDDERS_NONE. */
uint32_t bidders_best(const struct bidders *bidders, const struct score_space *space,
		      const struct score *scores, uint32_t slot, uint32_t *ret_rank);

#endif
