/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_SLOTS_H
#define EBB_SLOTS_H
/*
 * slots: one pool's table: which backend owns each slot. A pure function of (backends as
 * configured, current weights): it does not matter by what way the weights came to be, nor in which
 * order backends stand.
 *
 * - home: from the configured weights alone: exact quotas, stable matching (race.h). Changes only
 *   with the configuration: then a new table is built.
 * - lending: a backend with less than its home quota keeps the first slots of its home in its own
 *   order and lends the rest to the backends with more (lend.h).
 *
 * Backends are dense indices 0..n-1 in the order of `backends`; maps/slot.h wants the 16-bit ids of
 * the backends map, so whoever publishes keeps an array index -> id. slot_move() and slot_settle()
 * work on those ids.
 */
#include <stdbool.h>
#include <stdint.h>

#include "controller/err.h"
#include "maps/slot.h"

#define SLOTS_NOBODY UINT16_MAX /* a dense index that is no backend: the pool is empty */

struct slots_backend {
	uint64_t hash;      /* name_hash(): unique */
	double capacity;    /* > 0, finite; fixed by the configuration, as all of this */
	double home_weight; /* when all is healthy: capacity x configured weight in the first tier,
			       0 in the others */
};

struct slots_change {
	uint32_t slot;
	uint16_t from, to; /* dense, or SLOTS_NOBODY */
};

struct slots;

/* Builds the home table; current weights are the home weights. 1 <= n <= 65535, 1 <= slot_count <=
 * POOL_SLOTS_MAX. -EINVAL out of range, -EEXIST two equal hashes, -ENOMEM. n == 0 is allowed: every
 * slot is nobody's. */
EBB_MUST_CHECK int slots_new(const struct slots_backend *backends, uint32_t n, uint32_t slot_count,
			     struct slots **ret_slots);
/* The same; if `like` (may be NULL) was built from just these backends, its home is copied and not raced for again: 1 ms
 * instead of 30 with 65,536 slots and 1,000 backends. */
EBB_MUST_CHECK int slots_new_like(const struct slots_backend *backends, uint32_t n,
				  uint32_t slot_count, const struct slots *like,
				  struct slots **ret_slots);
/* Whether both were built from the same backends in the same order. */
bool slots_alike(const struct slots *a, const struct slots *b);
void slots_free(struct slots *t);

/* Brings the table to `weights[0..n)` (any scale). slots_changes() then lists what moved, each slot
 * once. -EINVAL bad weight; -ENOMEM: the table is as before. */
EBB_MUST_CHECK int slots_set_weights(struct slots *t, const double *weights);
/* The same from quotas, which must sum to slot_count or to 0. */
EBB_MUST_CHECK int slots_set_quotas(struct slots *t, const uint32_t *quotas);
const struct slots_change *slots_changes(const struct slots *t, uint32_t *ret_count);

uint32_t slots_count(const struct slots *t);
uint32_t slots_backend_count(const struct slots *t);
const uint16_t *slots_primary(const struct slots *t);     /* [slot] */
const uint16_t *slots_home(const struct slots *t);        /* [slot] */
const uint32_t *slots_quotas(const struct slots *t);      /* [backend] now */
const uint32_t *slots_home_quotas(const struct slots *t); /* [backend] */
uint32_t slots_lent(const struct slots *t);               /* slots that are not at home */
/* Over all primaries by their names' hashes: equal on all edges with equal weights, whatever ids
 * they use. */
uint64_t slots_digest(const struct slots *t);

/*
 * The entry of the map after a slot got a new owner; ids of the backends map. `entry` is what
 * stands there now (all zero: nothing yet, then it starts settled), `coarse_s` as in maps/slot.h.
 *   - same primary: `home` is brought up to date if the slot is settled;
 *   - a lent slot has its home as secondary; a slot that came home has its last borrower;
 *   - one that moves on before it settled keeps its last owner as secondary, and in `home` the one
 *     that had all of its flows when it was last settled, also if the configuration has given the
 *     slot another home since.
 */
struct slot slot_move(struct slot entry, uint16_t primary, uint16_t home, uint16_t coarse_s);
/* Forgets the former owner if it is gone (`secondary_gone`) or `settle_s` have passed since the
 * slot moved; `settle_s` is 1..65534, or 0 for never. Call at least every 18 hours: `moved` is 16
 * bits wide. */
struct slot slot_settle(struct slot entry, uint16_t coarse_s, uint32_t settle_s,
			bool secondary_gone);
/* Seconds of CLOCK_BOOTTIME to the 16 bits of slot.moved: never 0. */
uint16_t slot_coarse(uint64_t boottime_s);

#endif
