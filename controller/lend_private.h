/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_LEND_PRIVATE_H
#define EBB_LEND_PRIVATE_H
/*
 * lend_private: what lend.c and lend_book.c share. lend.c decides who gets which slot, lend_book.c
 * keeps the books: each backend's loans in a heap with the worst on top, by rank (within one
 * backend, rank order is score order), and for each slot where it stands and how well off it is.
 */
#include "controller/bidders.h"
#include "controller/lend.h"

#define NOT_LENT (-1.0) /* better than any score: prefers nobody */

struct loan {
	uint32_t rank, slot;
};

struct holder {
	struct loan *loans; /* heap, the largest rank on top */
	uint32_t count, room;
	uint32_t limit;
	uint32_t accept; /* takes slots of rank below this: its worst loan's, or all ranks: room
			    that nobody wants */
	double worst;    /* no loan of its scores worse than this */
};

struct lend {
	const struct score_space *space;
	const struct score *scores;
	struct holder *holders;
	uint32_t n;
	uint16_t *owner;
	uint16_t nobody;
	uint32_t *place; /* [slot] index in its holder's heap, or in `loose` */
	double *score;   /* [slot] with its holder; INFINITY while loose, or NOT_LENT */
	uint8_t *grade;  /* [slot] the same in one byte, which fits a cache: see lend_grade() */
	uint64_t grade_base;
	uint32_t *loose;
	uint32_t loose_count, loose_room;
	uint32_t held;          /* loans of all holders */
	struct bidders bidders; /* limit > 0; bound: accept */
	lend_touch_fn touch;
	void *ctx;
};

/*
 * A score as a grade: 0 for NOT_LENT up to 255 for INFINITY, rising with the score; it is the
 * number's exponent and three bits more, so that the upper 32 octaves of what there can be are told
 * apart to an eighth of their value. Whoever has a lower grade has a better score.
 */
uint8_t lend_grade(const struct lend *lend, double score);
uint64_t lend_grade_base(const struct score_space *space, const struct score *scores, uint32_t n);
void lend_set_score(struct lend *lend, uint32_t slot, double score);
void lend_hold(struct lend *lend, struct holder *holder, struct loan loan);

/* One slot's way between holders and `loose`; `accept` of the holders is the caller's. */
void lend_loosen(struct lend *lend, uint32_t slot);
void lend_leave(struct lend *lend, uint32_t slot);
void lend_join(struct lend *lend, uint32_t slot, uint32_t backend, uint32_t rank);

#endif
