/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mirrors controller/bidders.c: the best of those who take a slot, against asking each in turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "controller/bidders.h"
#include "tests/unit/random.h"

#define N_MAX 300

static struct score scores[N_MAX];
static uint32_t below[N_MAX]; /* 0: not there, or takes nothing */

static uint32_t plain_best(const struct score_space *space, uint32_t n, uint32_t slot, uint32_t *ret_rank)
{
	uint32_t best = BIDDERS_NONE;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t rank = score_rank_of(space, &scores[i], slot);

		if (rank >= below[i] ||
		    (best != BIDDERS_NONE &&
		     !score_before(score_at(space, &scores[i], rank), scores[i].hash,
				   score_at(space, &scores[best], *ret_rank), scores[best].hash)))
			continue;
		best = i;
		*ret_rank = rank;
	}
	return best;
}

static void assert_same_bids(const struct bidders *bidders, const struct score_space *space, uint32_t n,
			     struct random *r)
{
	for (int i = 0; i < 50; i++) {
		uint32_t slot = random_below(r, space->slots), rank = 7, plain_rank = 7;

		assert_int_equal(bidders_best(bidders, space, scores, slot, &rank),
				 plain_best(space, n, slot, &plain_rank));
		assert_int_equal(rank, plain_rank);
	}
}

/* Around the block's size too, and again in what was used before. */
static void the_best_of_those_who_take(void **state)
{
	static const uint32_t sizes[] = {1, 2, 63, 64, 65, 128, 129, N_MAX};
	struct random r = random_start("bidders");
	struct bidders bidders;

	assert_int_equal(bidders_init(&bidders, N_MAX), 0);
	for (int round = 0; round < 200; round++) {
		uint32_t n = sizes[random_below(&r, 8)];
		struct score_space space;

		score_space_init(&space, 1 + random_below(&r, 1u << (1 + random_below(&r, 21))));
		bidders_clear(&bidders);
		for (uint32_t i = 0; i < n; i++) {
			bool there = random_below(&r, 8) > 0;

			score_init(&scores[i], random_bits(&r), 1 + random_unit(&r));
			if (there)
				bidders_add(&bidders, &scores[i], i);
			below[i] = random_below(&r, space.ranks + 1) / (1 + random_below(&r, n));
			bidders_bound(&bidders, i, below[i]);
			below[i] = there ? below[i] : 0;
		}
		assert_same_bids(&bidders, &space, n, &r);
	}
	bidders_free(&bidders);
}

static void nobody_takes(void **state)
{
	struct score_space space;
	struct bidders bidders;
	uint32_t rank = 7;

	score_space_init(&space, 1000);
	assert_int_equal(bidders_init(&bidders, 1), 0);
	assert_int_equal(bidders_best(&bidders, &space, scores, 5, &rank), BIDDERS_NONE);
	score_init(&scores[0], 1, 1);
	bidders_add(&bidders, &scores[0], 0);
	assert_int_equal(bidders_best(&bidders, &space, scores, 5, &rank), BIDDERS_NONE);
	assert_int_equal(rank, 7);
	bidders_bound(&bidders, 0, space.ranks);
	assert_int_equal(bidders_best(&bidders, &space, scores, 5, &rank), 0);
	assert_int_equal(rank, score_rank_of(&space, &scores[0], 5));
	bidders_free(&bidders);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_best_of_those_who_take),
		cmocka_unit_test(nobody_takes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
