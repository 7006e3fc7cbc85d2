/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See bidders.h. */
#include "controller/bidders.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static uint32_t block_count(uint32_t n)
{
	return (n + BIDDERS_BLOCK - 1) / BIDDERS_BLOCK;
}

int bidders_init(struct bidders *bidders, uint32_t n)
{
	*bidders = (struct bidders){.n = n};
	bidders->blocks = calloc(block_count(n) + 1, sizeof(*bidders->blocks));
	bidders->place = malloc((n + 1) * sizeof(*bidders->place));
	if (!bidders->blocks || !bidders->place)
		return -ENOMEM;
	memset(bidders->place, 0xff, (n + 1) * sizeof(*bidders->place));
	return 0;
}

void bidders_free(struct bidders *bidders)
{
	free(bidders->blocks);
	free(bidders->place);
}

void bidders_clear(struct bidders *bidders)
{
	for (uint32_t i = 0; i < bidders->count; i++)
		bidders->place[bidders_at(bidders, i)] = BIDDERS_NONE;
	for (uint32_t b = 0; b < block_count(bidders->count); b++)
		memset(bidders->blocks[b].below, 0, sizeof(bidders->blocks[b].below));
	bidders->count = 0;
}

void bidders_add(struct bidders *bidders, const struct score *score, uint32_t backend)
{
	uint32_t at = bidders->count++, lane = at % BIDDERS_BLOCK;
	struct bidders_block *block = &bidders->blocks[at / BIDDERS_BLOCK];

	for (int i = 0; i < 3; i++) {
		block->divide[i][lane] = score->divide[i];
		block->add[i][lane] = score->add[i];
	}
	block->below[lane] = 0;
	block->backend[lane] = backend;
	bidders->place[backend] = at;
}

/* score_rank_of(), of a block. */
static void ranks_of(const struct bidders_block *block, uint32_t mask, uint32_t shift,
		     uint32_t slot, uint32_t *restrict ranks)
{
	for (uint32_t k = 0; k < BIDDERS_BLOCK; k++) {
		uint32_t x = slot ^ slot >> shift;

		x = ((x - block->add[2][k]) * block->divide[2][k]) & mask;
		x ^= x >> shift;
		x = ((x - block->add[1][k]) * block->divide[1][k]) & mask;
		x ^= x >> shift;
		ranks[k] = ((x - block->add[0][k]) * block->divide[0][k]) & mask;
	}
}

/* hits[k]: the slot's rank is below the bound of backend k. Signed, since vectors compare so. */
static void compare(const struct bidders_block *block, const uint32_t *restrict ranks,
		    uint8_t *restrict hits)
{
	for (uint32_t k = 0; k < BIDDERS_BLOCK; k++)
		hits[k] = (int32_t)ranks[k] < (int32_t)block->below[k];
}

struct bid {
	uint32_t backend, rank;
	double score;
};

static void bid(const struct score_space *space, const struct score *scores, uint32_t backend,
		uint32_t rank, struct bid *best)
{
	const struct score *score = &scores[backend];
	double value = score_at(space, score, rank);

	if (best->backend == BIDDERS_NONE ||
	    score_before(value, score->hash, best->score, scores[best->backend].hash))
		*best = (struct bid){backend, rank, value};
}

uint32_t bidders_best(const struct bidders *bidders, const struct score_space *space,
		      const struct score *scores, uint32_t slot, uint32_t *ret_rank)
{
	struct bid best = {.backend = BIDDERS_NONE};
	uint32_t ranks[BIDDERS_BLOCK];
	union {
		uint8_t byte[BIDDERS_BLOCK];
		uint64_t word[BIDDERS_BLOCK / 8];
	} hits;

	for (uint32_t b = 0; b < block_count(bidders->count); b++) {
		const struct bidders_block *block = &bidders->blocks[b];

		ranks_of(block, space->mask, space->shift, slot, ranks);
		compare(block, ranks, hits.byte);
		for (uint32_t w = 0; w < BIDDERS_BLOCK / 8; w++)
			for (uint32_t k = w * 8; hits.word[w] && k < w * 8 + 8; k++)
				if (hits.byte[k])
					bid(space, scores, block->backend[k], ranks[k], &best);
	}
	if (best.backend != BIDDERS_NONE)
		*ret_rank = best.rank;
	return best.backend;
}
