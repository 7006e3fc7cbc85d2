/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See lend.h and lend_private.h.
 *
 * Settling, from a matching that was stable before the change:
 *   1. who has more loans than its limit gives up the worst; those and the new offers are `loose`;
 *   2. each loose slot asks (propose) the backends in order of score, where it displaces the worst
 *      if it is better; what is displaced asks on. Backends do not fill the room that they gained
 *      yet. What nobody takes stays loose;
 *   3. each backend with room takes (fill) the best of those slots that prefer it to what they
 *      have; a slot that leaves another backend makes room there, which is filled in turn.
 * Each step ends in a matching that is stable for the limits that count at that moment.
 */
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "controller/lend_private.h"

#define NO_SLOT UINT32_MAX

int lend_new(const struct score_space *space, const struct score *scores, uint32_t n,
	     uint16_t *owner, uint16_t nobody, lend_touch_fn touch, void *ctx,
	     struct lend **ret_lend)
{
	struct lend *lend = calloc(1, sizeof(*lend));

	if (!lend)
		return -ENOMEM;
	*lend = (struct lend){.space = space,
			      .scores = scores,
			      .n = n,
			      .owner = owner,
			      .nobody = nobody,
			      .touch = touch,
			      .ctx = ctx};
	lend->holders = calloc(n + 1, sizeof(*lend->holders));
	lend->place = malloc(space->slots * sizeof(*lend->place));
	lend->score = malloc(space->slots * sizeof(*lend->score));
	lend->grade = calloc(space->slots, sizeof(*lend->grade));
	if (bidders_init(&lend->bidders, n) < 0 || !lend->holders || !lend->place || !lend->score ||
	    !lend->grade) {
		lend_free(lend);
		return -ENOMEM;
	}
	lend->grade_base = lend_grade_base(space, scores, n);
	for (uint32_t s = 0; s < space->slots; s++)
		lend->score[s] = NOT_LENT;
	*ret_lend = lend;
	return 0;
}

void lend_free(struct lend *lend)
{
	if (!lend)
		return;
	for (uint32_t i = 0; lend->holders && i < lend->n; i++)
		free(lend->holders[i].loans);
	free(lend->holders);
	bidders_free(&lend->bidders);
	free(lend->place);
	free(lend->score);
	free(lend->grade);
	free(lend->loose);
	free(lend);
}

/* What it takes from now on. */
static void set_accept(struct lend *lend, uint32_t backend, uint32_t accept)
{
	lend->holders[backend].accept = accept;
	bidders_bound(&lend->bidders, backend, accept);
}

/* As if it were full: only what is better than its worst. */
static void close_holder(struct lend *lend, uint32_t backend)
{
	struct holder *holder = &lend->holders[backend];

	holder->worst = holder->count ? lend->score[holder->loans[0].slot] : 0;
	set_accept(lend, backend, holder->count ? holder->loans[0].rank : 0);
}

/* The slot, which is loose, asks for a backend; so does whom it displaces. Holders are taken for
 * full as they are. */
static void propose(struct lend *lend, uint32_t slot)
{
	uint32_t rank, backend;

	while ((backend = bidders_best(&lend->bidders, lend->space, lend->scores, slot, &rank)) !=
	       BIDDERS_NONE) {
		uint32_t worst = lend->holders[backend].loans[0].slot;

		lend_leave(lend, worst);
		lend_leave(lend, slot);
		lend_join(lend, slot, backend, rank);
		lend_loosen(lend, worst);
		close_holder(lend, backend);
		slot = worst;
	}
}

/* --- who comes where there is room --- */

struct candidate {
	uint32_t backend; /* who looks */
	uint32_t slot, rank;
	double above; /* no slot that scores better with the backend than this can be one */
};

/* Would the slot, lent or not, rather be with this backend, with which it scores `value`? */
static bool prefers(const struct lend *lend, uint32_t slot, uint32_t backend, double value)
{
	double has = lend->score[slot];

	return value < has ||
	       (value == has && lend->scores[backend].hash < lend->scores[lend->owner[slot]].hash);
}

/*
 * The next `steps` slots in the backend's own order: the first that prefers it is the best. Soon
 * found while many are badly off; later this would be a walk of all ranks for the few that are.
 */
static void consider_next(const struct lend *lend, struct candidate *best, uint32_t from,
			  uint32_t steps)
{
	const struct score_space *space = lend->space;
	const struct score *score = &lend->scores[best->backend];
	uint32_t end = space->ranks - from > steps ? from + steps : space->ranks;
	uint32_t slots[SCORE_BLOCK];
	uint8_t grade = lend_grade(lend, best->above);

	for (uint32_t rank = from; rank < end; rank++) {
		uint32_t slot;

		if ((rank - from) % SCORE_BLOCK == 0)
			score_slots_at(space, score, rank, slots);
		slot = slots[(rank - from) % SCORE_BLOCK];
		if (slot >= space->slots || lend->grade[slot] < grade)
			continue;
		best->above = score_at(space, score, rank);
		if (prefers(lend, slot, best->backend, best->above)) {
			best->slot = slot;
			best->rank = rank;
			return;
		}
		grade = lend_grade(lend, best->above);
	}
	best->above = end < space->ranks ? score_at(space, score, end) : INFINITY;
}

/* Does the slot prefer the backend to what it has, and is it the best so far? */
static void consider(const struct lend *lend, struct candidate *best, uint32_t slot)
{
	const struct score *score = &lend->scores[best->backend];
	uint32_t rank = score_rank_of(lend->space, score, slot);

	if (rank >= best->rank ||
	    !prefers(lend, slot, best->backend, score_at(lend->space, score, rank)))
		return;
	best->slot = slot;
	best->rank = rank;
}

/* Below a loan that scores no worse than `above`, all do. */
static void consider_heap(const struct lend *lend, struct candidate *best,
			  const struct holder *holder)
{
	uint32_t stack[64], depth = 0;

	stack[depth++] = 0;
	while (depth) {
		uint32_t at = stack[--depth];

		if (at >= holder->count || lend->score[holder->loans[at].slot] < best->above)
			continue;
		consider(lend, best, holder->loans[at].slot);
		stack[depth++] = 2 * at + 1;
		stack[depth++] = 2 * at + 2;
	}
}

/* Steps, before a look at whoever is badly off costs less; never more than a look at all. Measured.
 */
static uint32_t worth_walking(const struct lend *lend)
{
	uint32_t receivers = lend->bidders.count, loose = lend->loose_count;
	uint32_t some = 2048 + receivers / 4 + 2 * loose,
		 all = lend->held + receivers / 2 + 4 * loose;

	return some < all ? some : all;
}

/* The slot that the backend gets if it takes what has rank `accept` or more. */
static struct candidate best_slot(const struct lend *lend, uint32_t backend, uint32_t accept)
{
	struct candidate best = {.backend = backend, .slot = NO_SLOT, .rank = lend->space->ranks};

	if (accept)
		best.above = score_at(lend->space, &lend->scores[backend], accept - 1);
	consider_next(lend, &best, accept, worth_walking(lend));
	if (best.slot != NO_SLOT || best.above == INFINITY)
		return best;
	for (uint32_t i = 0; i < lend->loose_count; i++)
		consider(lend, &best, lend->loose[i]);
	for (uint32_t i = 0; i < lend->bidders.count; i++) {
		const struct holder *holder = &lend->holders[bidders_at(&lend->bidders, i)];

		if (holder->worst >= best.above)
			consider_heap(lend, &best, holder);
	}
	return best;
}

/* The backend has room for one more: it takes the best slot that wants to come, and so on where
 * that came from. */
static void fill(struct lend *lend, uint32_t backend)
{
	for (;;) {
		uint32_t accept = lend->holders[backend].accept;
		struct candidate best;
		uint16_t from;

		if (accept == lend->space->ranks)
			return;
		best = best_slot(lend, backend, accept);
		if (best.slot == NO_SLOT) {
			set_accept(lend, backend, lend->space->ranks);
			return;
		}
		from = lend->owner[best.slot];
		lend_leave(lend, best.slot);
		lend_join(lend, best.slot, backend, best.rank);
		close_holder(lend, backend);
		if (from == lend->nobody)
			return;
		backend = from; /* its `accept` still is what it was when the slot was there */
	}
}

void lend_limit(struct lend *lend, uint32_t backend, uint32_t limit)
{
	lend->holders[backend].limit = limit;
}

void lend_recall(struct lend *lend, uint32_t slot)
{
	lend_leave(lend, slot);
	lend_set_score(lend, slot, NOT_LENT);
}

void lend_offer(struct lend *lend, uint32_t slot)
{
	lend->touch(lend->ctx, slot);
	lend_loosen(lend, slot);
}

static void list_receivers(struct lend *lend)
{
	bidders_clear(&lend->bidders);
	for (uint32_t i = 0; i < lend->n; i++)
		if (lend->holders[i].limit)
			bidders_add(&lend->bidders, &lend->scores[i], i);
}

static void give_up_excess(struct lend *lend, uint32_t backend)
{
	struct holder *holder = &lend->holders[backend];

	while (holder->count > holder->limit) {
		uint32_t slot = holder->loans[0].slot;

		lend_leave(lend, slot);
		lend_loosen(lend, slot);
	}
	close_holder(lend, backend);
}

void lend_settle(struct lend *lend)
{
	list_receivers(lend);
	for (uint32_t i = 0; i < lend->n; i++)
		give_up_excess(lend, i);
	/* Downwards: what is displaced comes in at the end and asks at once, what nobody takes
	 * stays behind `i`. */
	for (uint32_t i = lend->loose_count; i-- > 0;)
		propose(lend, lend->loose[i]);
	for (uint32_t i = 0; i < lend->bidders.count; i++) {
		uint32_t backend = bidders_at(&lend->bidders, i);
		const struct holder *holder = &lend->holders[backend];

		while (holder->count < holder->limit && holder->accept < lend->space->ranks)
			fill(lend, backend);
	}
}

void lend_clear(struct lend *lend)
{
	for (uint32_t i = 0; i < lend->n; i++) {
		struct holder *holder = &lend->holders[i];

		for (uint32_t k = 0; k < holder->count; k++)
			lend_set_score(lend, holder->loans[k].slot, NOT_LENT);
		holder->count = 0;
	}
	for (uint32_t i = 0; i < lend->loose_count; i++)
		lend_set_score(lend, lend->loose[i], NOT_LENT);
	lend->loose_count = 0;
	lend->held = 0;
	bidders_clear(&lend->bidders);
}

void lend_place(struct lend *lend, uint32_t slot, uint32_t backend)
{
	struct holder *holder = &lend->holders[backend];
	uint32_t rank = score_rank_of(lend->space, &lend->scores[backend], slot);

	lend_set_score(lend, slot, score_at(lend->space, &lend->scores[backend], rank));
	lend_hold(lend, holder, (struct loan){rank, slot});
}
