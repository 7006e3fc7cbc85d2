/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See lend.h. Each backend keeps its loans in a heap with the worst on top, by rank: within one
 * backend, rank order is score order, so most comparisons are of integers.
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
#include "controller/lend.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define NO_BACKEND UINT32_MAX
#define NO_SLOT    UINT32_MAX

struct loan {
	uint32_t rank, slot;
};

struct holder {
	struct loan *loans; /* heap, the largest rank on top */
	uint32_t count, room;
	uint32_t limit;
	uint32_t accept; /* takes slots of rank below this: its worst loan's, or all ranks: room
			    that nobody wants */
};

struct lend {
	const struct score_space *space;
	const struct score *scores;
	struct holder *holders;
	uint32_t n;
	uint16_t *owner;
	uint16_t nobody;
	uint32_t *place; /* [slot] index in its holder's heap, or in `loose` */
	double *score;   /* [slot] with its holder; INFINITY while loose */
	uint32_t *loose;
	uint32_t loose_count, loose_room;
	uint32_t *receivers; /* limit > 0 */
	uint32_t receiver_count;
	lend_touch_fn touch;
	void *ctx;
};

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
	lend->receivers = malloc((n + 1) * sizeof(*lend->receivers));
	lend->place = malloc(space->slots * sizeof(*lend->place));
	lend->score = malloc(space->slots * sizeof(*lend->score));
	if (!lend->holders || !lend->receivers || !lend->place || !lend->score) {
		lend_free(lend);
		return -ENOMEM;
	}
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
	free(lend->receivers);
	free(lend->place);
	free(lend->score);
	free(lend->loose);
	free(lend);
}

static int holder_reserve(struct holder *holder, uint32_t room)
{
	struct loan *loans;

	if (room <= holder->room)
		return 0;
	loans = realloc(holder->loans, room * sizeof(*loans));
	if (!loans)
		return -ENOMEM;
	holder->loans = loans;
	holder->room = room;
	return 0;
}

int lend_reserve(struct lend *lend, const uint32_t *limits, uint32_t offers)
{
	uint32_t wanted = lend->loose_count + offers + 1;
	uint32_t *loose;

	for (uint32_t i = 0; i < lend->n; i++) {
		const struct holder *holder = &lend->holders[i];

		if (limits[i] < holder->count)
			wanted += holder->count - limits[i];
		if (limits[i] && holder_reserve(&lend->holders[i], limits[i] + 1) < 0)
			return -ENOMEM;
	}
	if (wanted <= lend->loose_room)
		return 0;
	loose = realloc(lend->loose, wanted * sizeof(*loose));
	if (!loose)
		return -ENOMEM;
	lend->loose = loose;
	lend->loose_room = wanted;
	return 0;
}

/* --- the heap: `place` of every slot in it follows its moves --- */

static void put(struct lend *lend, struct holder *holder, uint32_t at, struct loan loan)
{
	holder->loans[at] = loan;
	lend->place[loan.slot] = at;
}

static void sift_up(struct lend *lend, struct holder *holder, uint32_t at, struct loan loan)
{
	while (at && holder->loans[(at - 1) / 2].rank < loan.rank) {
		put(lend, holder, at, holder->loans[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	put(lend, holder, at, loan);
}

static void sift_down(struct lend *lend, struct holder *holder, uint32_t at, struct loan loan)
{
	for (;;) {
		uint32_t child = 2 * at + 1;

		if (child + 1 < holder->count &&
		    holder->loans[child + 1].rank > holder->loans[child].rank)
			child++;
		if (child >= holder->count || holder->loans[child].rank <= loan.rank)
			break;
		put(lend, holder, at, holder->loans[child]);
		at = child;
	}
	put(lend, holder, at, loan);
}

static void heap_push(struct lend *lend, struct holder *holder, struct loan loan)
{
	sift_up(lend, holder, holder->count++, loan);
}

static void heap_remove(struct lend *lend, struct holder *holder, uint32_t at)
{
	struct loan last = holder->loans[--holder->count];

	if (at == holder->count)
		return;
	if (at && holder->loans[(at - 1) / 2].rank < last.rank)
		sift_up(lend, holder, at, last);
	else
		sift_down(lend, holder, at, last);
}

/* --- one slot's way between holders and `loose`; `accept` of the holders is the caller's --- */

static void loosen(struct lend *lend, uint32_t slot)
{
	lend->owner[slot] = lend->nobody;
	lend->score[slot] = INFINITY;
	lend->place[slot] = lend->loose_count;
	lend->loose[lend->loose_count++] = slot;
}

static void unloosen(struct lend *lend, uint32_t slot)
{
	uint32_t last = lend->loose[--lend->loose_count];

	lend->loose[lend->place[slot]] = last;
	lend->place[last] = lend->place[slot];
}

static void leave(struct lend *lend, uint32_t slot)
{
	lend->touch(lend->ctx, slot);
	if (lend->owner[slot] == lend->nobody)
		unloosen(lend, slot);
	else
		heap_remove(lend, &lend->holders[lend->owner[slot]], lend->place[slot]);
}

static void join(struct lend *lend, uint32_t slot, uint32_t backend, uint32_t rank)
{
	lend->touch(lend->ctx, slot);
	lend->owner[slot] = (uint16_t)backend;
	lend->score[slot] = score_at(lend->space, &lend->scores[backend], rank);
	heap_push(lend, &lend->holders[backend], (struct loan){rank, slot});
}

/* As if it were full: only what is better than its worst. */
static void close_holder(struct holder *holder)
{
	holder->accept = holder->count ? holder->loans[0].rank : 0;
}

/* Of all backends that would take the slot, the one with the best score. */
static uint32_t best_backend(const struct lend *lend, uint32_t slot, uint32_t *ret_rank)
{
	uint32_t best = NO_BACKEND;
	double best_score = INFINITY;

	for (uint32_t i = 0; i < lend->receiver_count; i++) {
		uint32_t backend = lend->receivers[i];
		const struct score *score = &lend->scores[backend];
		uint32_t rank = score_rank_of(lend->space, score, slot);
		double value;

		if (rank >= lend->holders[backend].accept)
			continue;
		value = score_at(lend->space, score, rank);
		if (best != NO_BACKEND &&
		    !score_before(value, score->hash, best_score, lend->scores[best].hash))
			continue;
		best = backend;
		best_score = value;
		*ret_rank = rank;
	}
	return best;
}

/* The slot, which is loose, asks for a backend; so does whom it displaces. Holders are taken for
 * full as they are. */
static void propose(struct lend *lend, uint32_t slot)
{
	uint32_t rank, backend;

	while ((backend = best_backend(lend, slot, &rank)) != NO_BACKEND) {
		struct holder *holder = &lend->holders[backend];
		uint32_t worst = holder->loans[0].slot;

		leave(lend, worst);
		leave(lend, slot);
		join(lend, slot, backend, rank);
		loosen(lend, worst);
		close_holder(holder);
		slot = worst;
	}
}

struct candidate {
	uint32_t backend; /* who looks */
	uint32_t slot, rank;
	double above; /* no slot that scores better with the backend than this can be one */
};

/* Does the slot prefer the backend to what it has, and is it the best so far? */
static void consider(const struct lend *lend, struct candidate *best, uint32_t slot)
{
	const struct score *score = &lend->scores[best->backend];
	uint32_t rank = score_rank_of(lend->space, score, slot);
	uint16_t owner = lend->owner[slot];
	double value;

	if (rank >= best->rank)
		return;
	value = score_at(lend->space, score, rank);
	if (owner != lend->nobody &&
	    !score_before(value, score->hash, lend->score[slot], lend->scores[owner].hash))
		return;
	best->slot = slot;
	best->rank = rank;
}

/* Below a loan that scores no worse than `above`, all do. */
static void consider_heap(const struct lend *lend, struct candidate *best,
			  const struct holder *holder)
{
	uint32_t stack[64], depth = 0;

	if (holder->count)
		stack[depth++] = 0;
	while (depth) {
		uint32_t at = stack[--depth];

		if (lend->score[holder->loans[at].slot] < best->above)
			continue;
		consider(lend, best, holder->loans[at].slot);
		if (2 * at + 1 < holder->count)
			stack[depth++] = 2 * at + 1;
		if (2 * at + 2 < holder->count)
			stack[depth++] = 2 * at + 2;
	}
}

/* The backend has room for one more: it takes the best slot that wants to come, and so on where
 * that came from. */
static void fill(struct lend *lend, uint32_t backend)
{
	for (;;) {
		struct holder *holder = &lend->holders[backend];
		struct candidate best = {
			.backend = backend, .slot = NO_SLOT, .rank = lend->space->ranks};
		uint16_t from;

		if (holder->accept == lend->space->ranks)
			return;
		if (holder->accept)
			best.above =
				score_at(lend->space, &lend->scores[backend], holder->accept - 1);
		for (uint32_t i = 0; i < lend->loose_count; i++)
			consider(lend, &best, lend->loose[i]);
		for (uint32_t i = 0; i < lend->receiver_count; i++)
			if (lend->receivers[i] != backend)
				consider_heap(lend, &best, &lend->holders[lend->receivers[i]]);
		if (best.slot == NO_SLOT) {
			holder->accept = lend->space->ranks;
			return;
		}
		from = lend->owner[best.slot];
		leave(lend, best.slot);
		join(lend, best.slot, backend, best.rank);
		close_holder(holder);
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
	leave(lend, slot);
}

void lend_offer(struct lend *lend, uint32_t slot)
{
	lend->touch(lend->ctx, slot);
	loosen(lend, slot);
}

static void list_receivers(struct lend *lend)
{
	lend->receiver_count = 0;
	for (uint32_t i = 0; i < lend->n; i++)
		if (lend->holders[i].limit)
			lend->receivers[lend->receiver_count++] = i;
}

static void give_up_excess(struct lend *lend, struct holder *holder)
{
	while (holder->count > holder->limit) {
		uint32_t slot = holder->loans[0].slot;

		leave(lend, slot);
		loosen(lend, slot);
	}
	close_holder(holder);
}

void lend_settle(struct lend *lend)
{
	list_receivers(lend);
	for (uint32_t i = 0; i < lend->n; i++)
		give_up_excess(lend, &lend->holders[i]);
	/* Downwards: what is displaced comes in at the end and asks at once, what nobody takes
	 * stays behind `i`. */
	for (uint32_t i = lend->loose_count; i-- > 0;)
		propose(lend, lend->loose[i]);
	for (uint32_t i = 0; i < lend->receiver_count; i++) {
		uint32_t backend = lend->receivers[i];
		const struct holder *holder = &lend->holders[backend];

		while (holder->count < holder->limit && holder->accept < lend->space->ranks)
			fill(lend, backend);
	}
}

void lend_clear(struct lend *lend)
{
	for (uint32_t i = 0; i < lend->n; i++)
		lend->holders[i].count = 0;
	lend->loose_count = 0;
	lend->receiver_count = 0;
}

void lend_place(struct lend *lend, uint32_t slot, uint32_t backend)
{
	struct holder *holder = &lend->holders[backend];
	uint32_t rank = score_rank_of(lend->space, &lend->scores[backend], slot);

	lend->score[slot] = score_at(lend->space, &lend->scores[backend], rank);
	heap_push(lend, holder, (struct loan){rank, slot});
}
