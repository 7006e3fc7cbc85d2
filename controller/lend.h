/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_LEND_H
#define EBB_LEND_H
/*
 * lend: which backend holds each slot that is not at home. The stable matching of the lent slots
 * with the backends that may hold loans; the same that race.h would give for these slots and
 * limits, but kept up to date step by step, at a cost that follows what changes and not the table.
 *
 * Stable: no slot and backend, not together, both prefer each other to what they have (the worst of
 * its loans, for the backend). It is unique, so the way by which it was reached does not show.
 *
 * A change is: lend_recall() and lend_limit() for whatever changes, lend_offer() for new loans,
 * then lend_settle(). Between those the matching is not stable. Nothing here allocates except
 * lend_reserve(), which comes first.
 */
#include <stdint.h>

#include "controller/err.h"
#include "controller/score.h"

struct lend;

/* `owner[slot]` is shared with the table: lend writes the borrower there, or `nobody`. lend_touch
 * is told of every slot before its owner changes. `space` and `scores` outlive it. */
typedef void (*lend_touch_fn)(void *ctx, uint32_t slot);
EBB_MUST_CHECK int lend_new(const struct score_space *space, const struct score *scores, uint32_t n,
			    uint16_t *owner, uint16_t nobody, lend_touch_fn touch, void *ctx,
			    struct lend **ret_lend);
void lend_free(struct lend *lend);

/* Room for these limits and for `offers` calls of lend_offer(). -ENOMEM changes nothing. */
EBB_MUST_CHECK int lend_reserve(struct lend *lend, const uint32_t *limits, uint32_t offers);
/* How many loans a backend may hold. */
void lend_limit(struct lend *lend, uint32_t backend, uint32_t limit);
/* The slot is not lent any more; the caller writes its owner. */
void lend_recall(struct lend *lend, uint32_t slot);
/* The slot is lent from now on. */
void lend_offer(struct lend *lend, uint32_t slot);
void lend_settle(struct lend *lend);

/* Starts over with a matching found elsewhere: forgets all loans; then lend_place() for each, which
 * must be stable. */
void lend_clear(struct lend *lend);
void lend_place(struct lend *lend, uint32_t slot, uint32_t backend);

#endif
