/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mirrors controller/score.c: permutations can be walked and undone, scores rise, the logarithm is
 * one. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "controller/score.h"
#include "tests/unit/random.h"

static void permutation_is_one(void **state)
{
	static const uint32_t sizes[] = {1, 2, 255, 256, 257, 1000, 4096, 65536, 100000};
	struct random r = random_start("permutation");

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct score_space space;
		struct score score;
		uint8_t *seen;

		score_space_init(&space, sizes[i]);
		score_init(&score, random_bits(&r), 1);
		assert_true(space.ranks >= sizes[i] && space.ranks <= 2 * sizes[i] + 256);
		seen = calloc(space.ranks, 1);
		for (uint32_t rank = 0; rank < space.ranks; rank++) {
			uint32_t place = score_slot_at(&space, &score, rank);

			assert_true(place < space.ranks);
			assert_int_equal(seen[place]++, 0);
			assert_int_equal(score_rank_of(&space, &score, place), rank);
		}
		free(seen);
	}
}

static void blocks_are_the_same_permutation(void **state)
{
	struct random r = random_start("blocks");

	for (int i = 0; i < 2000; i++) {
		struct score_space space;
		struct score score;
		uint32_t slots[SCORE_BLOCK], rank;

		score_space_init(&space, 1 + random_below(&r, 1u << random_below(&r, 23)));
		score_init(&score, random_bits(&r), 1);
		rank = random_below(&r, space.ranks);
		score_slots_at(&space, &score, rank, slots);
		for (uint32_t k = 0; k < SCORE_BLOCK && rank + k < space.ranks; k++)
			assert_int_equal(slots[k], score_slot_at(&space, &score, rank + k));
	}
}

static void scores_rise_with_rank(void **state)
{
	struct random r = random_start("scores");
	struct score_space space;

	score_space_init(&space, 1u << 22);
	for (int i = 0; i < 20000; i++) {
		struct score score;
		uint32_t rank = random_below(&r, space.ranks - 1);

		if (i < 100)
			rank = (uint32_t)i;
		else if (i < 200)
			rank = space.ranks - (uint32_t)i + 98;
		score_init(&score, random_bits(&r), 0.001 + 1000 * random_unit(&r));
		assert_true(score_at(&space, &score, rank) > 0);
		assert_true(score_at(&space, &score, rank) < score_at(&space, &score, rank + 1));
	}
}

static void logarithm_is_near(void **state)
{
	struct random r = random_start("logarithm");

	assert_true(score_minus_ln(1.0) == 0.0);
	for (int i = 0; i < 100000; i++) {
		double x = exp(-40 * random_unit(&r) * random_unit(&r)), want = -log(x);

		if (x < 1)
			assert_true(fabs(score_minus_ln(x) - want) <= 1e-14 * want + 1e-16);
	}
}

/* The same bits on every machine: these were computed once; another compiler or processor must
 * agree. */
static void scores_are_the_same_everywhere(void **state)
{
	struct score_space space;
	struct score score;

	score_space_init(&space, 65536);
	score_init(&score, name_hash("aws/eu-central-1/fra-1"), 100);
	assert_int_equal(name_hash("aws/eu-central-1/fra-1"), 0x9c4f6f576941facc);
	assert_int_equal(score_slot_at(&space, &score, 0), 49931);
	assert_int_equal(score_slot_at(&space, &score, 12345), 28245);
	assert_true(score_at(&space, &score, 12345) == 0x1.11916d7c017dep-9);
}

/* Two backends' ranks of the same slots have nothing to do with each other: the correlation is
 * noise. */
static void permutations_are_independent(void **state)
{
	enum { SLOTS = 4096, PAIRS = 200 };
	struct score_space space;
	double worst = 0;

	score_space_init(&space, SLOTS);
	for (int pair = 0; pair < PAIRS; pair++) {
		struct score a, b;
		double sum = 0;

		score_init(&a, hash_mix((uint64_t)pair), 1);
		score_init(&b, hash_mix((uint64_t)pair + 1), 1);
		for (uint32_t s = 0; s < SLOTS; s++)
			sum += ((double)score_rank_of(&space, &a, s) - SLOTS / 2.0) *
			       ((double)score_rank_of(&space, &b, s) - SLOTS / 2.0);
		worst = fmax(worst, fabs(sum / SLOTS / (SLOTS * (double)SLOTS / 12)));
	}
	printf("[   worst  ] correlation of %d pairs over %d slots: %.3f (noise: 0.055)\n", PAIRS,
	       SLOTS, worst);
	assert_true(worst < 0.10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(permutation_is_one),
		cmocka_unit_test(blocks_are_the_same_permutation),
		cmocka_unit_test(scores_rise_with_rank),
		cmocka_unit_test(logarithm_is_near),
		cmocka_unit_test(scores_are_the_same_everywhere),
		cmocka_unit_test(permutations_are_independent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
