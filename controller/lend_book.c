/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See lend_private.h. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "controller/lend_private.h"

/* --- the heap: `place` of every slot in it follows its moves */

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

void lend_hold(struct lend *lend, struct holder *holder, struct loan loan)
{
	lend->held++;
	sift_up(lend, holder, holder->count++, loan);
}

static void heap_remove(struct lend *lend, struct holder *holder, uint32_t at)
{
	struct loan last = holder->loans[--holder->count];

	lend->held--;
	if (at == holder->count)
		return;
	if (at && holder->loans[(at - 1) / 2].rank < last.rank)
		sift_up(lend, holder, at, last);
	else
		sift_down(lend, holder, at, last);
}

/* --- slots */

void lend_set_score(struct lend *lend, uint32_t slot, double score)
{
	lend->score[slot] = score;
	lend->grade[slot] = lend_grade(lend, score);
}

void lend_loosen(struct lend *lend, uint32_t slot)
{
	lend->owner[slot] = lend->nobody;
	lend_set_score(lend, slot, INFINITY);
	lend->place[slot] = lend->loose_count;
	lend->loose[lend->loose_count++] = slot;
}

static void unloosen(struct lend *lend, uint32_t slot)
{
	uint32_t last = lend->loose[--lend->loose_count];

	lend->loose[lend->place[slot]] = last;
	lend->place[last] = lend->place[slot];
}

void lend_leave(struct lend *lend, uint32_t slot)
{
	lend->touch(lend->ctx, slot);
	if (lend->owner[slot] == lend->nobody)
		unloosen(lend, slot);
	else
		heap_remove(lend, &lend->holders[lend->owner[slot]], lend->place[slot]);
}

void lend_join(struct lend *lend, uint32_t slot, uint32_t backend, uint32_t rank)
{
	lend->touch(lend->ctx, slot);
	lend->owner[slot] = (uint16_t)backend;
	lend_set_score(lend, slot, score_at(lend->space, &lend->scores[backend], rank));
	lend_hold(lend, &lend->holders[backend], (struct loan){rank, slot});
}

/* --- room and grades */

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

uint8_t lend_grade(const struct lend *lend, double score)
{
	uint64_t bits;

	if (score < 0)
		return 0;
	memcpy(&bits, &score, sizeof(bits));
	bits >>= 49;
	if (bits <= lend->grade_base)
		return 1;
	bits -= lend->grade_base;
	return bits > 254 ? 255 : (uint8_t)(bits + 1);
}

uint64_t lend_grade_base(const struct score_space *space, const struct score *scores, uint32_t n)
{
	double last = 0;
	uint64_t bits;

	for (uint32_t i = 0; i < n; i++)
		last = fmax(last, score_at(space, &scores[i], space->ranks - 1));
	memcpy(&bits, &last, sizeof(bits));
	bits >>= 49;
	return bits > 253 ? bits - 253 : 0;
}
