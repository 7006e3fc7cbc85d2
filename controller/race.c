/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See race.h. */
#include "controller/race.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

/* How many claims a free slot gets in one window, on average: more means fewer windows and more
 * claims in vain. */
#define RACE_STRIDE 0.8

struct hit {
	double score;
	uint32_t slot;
	uint16_t backend;
};

struct race {
	const struct score_space *space;
	const struct score *scores;
	uint32_t *quotas;
	uint64_t *free_slots;
	uint32_t free_count;
	uint16_t *active; /* backends with quota left */
	uint32_t active_count;
	uint32_t *next; /* [backend] rank from which it walks on */
	struct hit *hits, *sorted;
	uint32_t hit_count, hit_room;
	uint32_t *starts; /* of the sort's buckets */
	uint32_t start_room;
};

static bool is_free(const struct race *race, uint32_t slot)
{
	return race->free_slots[slot / 64] >> (slot % 64) & 1;
}

/* The first rank whose score is at or above `end`. The guess may be rough: the loops make it exact.
 */
static uint32_t rank_bound(const struct race *race, uint32_t backend, double end)
{
	const struct score_space *space = race->space;
	const struct score *score = &race->scores[backend];
	double guess = (double)space->ranks * -expm1(-end / score->inverse_capacity) - score->phase;
	uint32_t from = race->next[backend], rank = from;

	if (guess >= (double)space->ranks)
		rank = space->ranks;
	else if (guess > (double)from)
		rank = (uint32_t)guess;
	while (rank < space->ranks && score_at(space, score, rank) < end)
		rank++;
	while (rank > from && score_at(space, score, rank - 1) >= end)
		rank--;
	return rank;
}

static int hits_reserve(struct race *race, uint32_t more)
{
	uint32_t room = race->hit_room ? race->hit_room : 1024;
	struct hit *hits;

	if (race->hit_count + more <= race->hit_room)
		return 0;
	while (room < race->hit_count + more)
		room *= 2;
	hits = realloc(race->hits, (size_t)room * sizeof(*hits));
	if (!hits)
		return -ENOMEM;
	race->hits = hits;
	race->hit_room = room;
	return 0;
}

/* Block by block, so that what is reserved stays near what is hit: late in the race nearly every step
 * misses. */
static int walk(struct race *race, uint32_t backend, uint32_t bound)
{
	const struct score *score = &race->scores[backend];
	uint32_t slots[SCORE_BLOCK];

	for (uint32_t rank = race->next[backend]; rank < bound; rank += SCORE_BLOCK) {
		uint32_t steps = bound - rank < SCORE_BLOCK ? bound - rank : SCORE_BLOCK;

		if (hits_reserve(race, steps) < 0)
			return -ENOMEM;
		score_slots_at(race->space, score, rank, slots);
		for (uint32_t k = 0; k < steps; k++)
			if (slots[k] < race->space->slots && is_free(race, slots[k]))
				race->hits[race->hit_count++] = (struct hit){
					.score = score_at(race->space, score, rank + k),
					.slot = slots[k],
					.backend = (uint16_t)backend,
				};
	}
	race->next[backend] = bound;
	return 0;
}

static bool hit_before(const struct race *race, const struct hit *a, const struct hit *b)
{
	return score_before(a->score, race->scores[a->backend].hash, b->score,
			    race->scores[b->backend].hash);
}

static void insertion_sort(const struct race *race, struct hit *hits, uint32_t n)
{
	for (uint32_t i = 1; i < n; i++) {
		struct hit hit = hits[i];
		uint32_t j = i;

		for (; j && hit_before(race, &hit, &hits[j - 1]); j--)
			hits[j] = hits[j - 1];
		hits[j] = hit;
	}
}

static uint32_t bucket_of(double score, double from, double scale, uint32_t buckets)
{
	double at = (score - from) * scale;

	return at >= (double)(buckets - 1) ? buckets - 1 : (uint32_t)at;
}

static int sort_reserve(struct race *race)
{
	if (race->start_room > race->hit_count)
		return 0;
	free(race->sorted);
	free(race->starts);
	race->start_room = race->hit_count + race->hit_count / 4 + 1024;
	race->sorted = malloc(race->start_room * sizeof(*race->sorted));
	race->starts = malloc((race->start_room + 1) * sizeof(*race->starts));
	return race->sorted && race->starts ? 0 : -ENOMEM;
}

/* Scores are spread evenly over a window: one bucket a hit, then a touch of insertion sort. */
static int hits_sort(struct race *race)
{
	uint32_t n = race->hit_count, *starts;
	double from = INFINITY, to = 0, scale;

	if (sort_reserve(race) < 0)
		return -ENOMEM;
	starts = race->starts;
	for (uint32_t i = 0; i < n; i++) {
		from = fmin(from, race->hits[i].score);
		to = fmax(to, race->hits[i].score);
	}
	scale = to > from ? (double)n / (to - from) : 0;
	for (uint32_t i = 0; i <= n; i++)
		starts[i] = 0;
	for (uint32_t i = 0; i < n; i++)
		starts[bucket_of(race->hits[i].score, from, scale, n) + 1]++;
	for (uint32_t i = 0; i < n; i++)
		starts[i + 1] += starts[i];
	for (uint32_t i = 0; i < n; i++)
		race->sorted[starts[bucket_of(race->hits[i].score, from, scale, n)]++] =
			race->hits[i];
	for (uint32_t i = 0, start = 0; i < n; start = starts[i++])
		insertion_sort(race, race->sorted + start, starts[i] - start);
	return 0;
}

static uint32_t settle_hits(struct race *race, struct race_claim *claims)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < race->hit_count; i++) {
		const struct hit *hit = &race->sorted[i];

		if (!race->quotas[hit->backend] || !is_free(race, hit->slot))
			continue;
		race->quotas[hit->backend]--;
		race->free_slots[hit->slot / 64] &= ~(1ull << (hit->slot % 64));
		claims[count++] = (struct race_claim){hit->slot, hit->backend};
	}
	race->free_count -= count;
	return count;
}

static int run_window(struct race *race, double end)
{
	race->hit_count = 0;
	for (uint32_t i = 0; i < race->active_count; i++) {
		uint32_t backend = race->active[i];
		int err = walk(race, backend, rank_bound(race, backend, end));

		if (err < 0)
			return err;
	}
	return hits_sort(race);
}

/* Drops who has all it may have; the sum of the others' speed. */
static double active_speed(struct race *race)
{
	uint32_t kept = 0;
	double speed = 0;

	for (uint32_t i = 0; i < race->active_count; i++) {
		if (!race->quotas[race->active[i]])
			continue;
		race->active[kept++] = race->active[i];
		speed += 1.0 / race->scores[race->active[i]].inverse_capacity;
	}
	race->active_count = kept;
	return speed;
}

static int run(struct race *race, struct race_claim *claims)
{
	double end = 0;

	while (race->free_count) {
		double speed = active_speed(race);
		int err;

		if (!race->active_count)
			return -EINVAL;
		end = race->active_count == 1 ? INFINITY : end + RACE_STRIDE / speed;
		err = run_window(race, end);
		if (err < 0)
			return err;
		claims += settle_hits(race, claims);
	}
	return 0;
}

int race_run(const struct score_space *space, const struct score *scores, uint32_t n,
	     uint32_t *quotas, uint64_t *free_slots, uint32_t free_count,
	     struct race_claim *ret_claims)
{
	struct race race = {.space = space,
			    .scores = scores,
			    .quotas = quotas,
			    .free_slots = free_slots,
			    .free_count = free_count};
	int err = -ENOMEM;

	race.active = malloc((n + 1) * sizeof(*race.active));
	race.next = calloc(n + 1, sizeof(*race.next));
	if (race.active && race.next) {
		race.active_count = n;
		for (uint32_t i = 0; i < n; i++)
			race.active[i] = (uint16_t)i;
		err = run(&race, ret_claims);
	}
	free(race.active);
	free(race.next);
	free(race.hits);
	free(race.sorted);
	free(race.starts);
	return err;
}
