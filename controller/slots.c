/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See slots.h. A backend's home slots stand in `order` by its own rank, best first: it keeps from
 * the front and lends from the back. A small change of quotas is worked into the lending step by
 * step; a large one races for all lent slots anew. Both end in the same matching, since there is
 * only one.
 */
#include "controller/slots.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "controller/lend.h"
#include "controller/namehash.h"
#include "controller/quota.h"
#include "controller/race.h"

#define CAPACITY_MIN 1e-9
#define CAPACITY_MAX 1e15

struct slots {
	struct score_space space;
	uint32_t n;
	struct score *scores;
	uint64_t *hashes;
	double *home_weights; /* what it was built from, with hashes and scores */
	uint32_t *home_quotas, *quotas; /* now */
	uint32_t *wanted;               /* quotas to be */
	uint32_t *first;                /* [backend] its first entry in `order`; n + 1 of them */
	uint32_t *order;                /* home slots by backend, best rank first */
	uint16_t *home, *primary;       /* [slot] */
	struct lend *lend;
	uint32_t lent;
	uint64_t digest;
	struct slots_change *changes; /* room for all slots */
	uint32_t change_count;
	uint64_t *touched; /* bit a slot: stands in `changes` */
};

static uint32_t min_u32(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static uint32_t above(uint32_t a, uint32_t b)
{
	return a > b ? a - b : 0;
}

/* Notes a slot's owner before its first change in this round. */
static void touch(void *ctx, uint32_t slot)
{
	struct slots *t = ctx;

	if (t->touched[slot / 64] >> (slot % 64) & 1)
		return;
	t->touched[slot / 64] |= 1ull << (slot % 64);
	t->changes[t->change_count++] =
		(struct slots_change){.slot = slot, .from = t->primary[slot]};
}

/* One slot's part in the digest; a sum of these, so that it is kept up by differences. */
static uint64_t digest_part(const struct slots *t, uint32_t slot, uint16_t owner)
{
	return hash_mix((owner == SLOTS_NOBODY ? 0 : t->hashes[owner]) + hash_mix(slot + 1));
}

/* Drops what came back to where it was; the rest goes into the digest. */
static void finish_changes(struct slots *t)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < t->change_count; i++) {
		struct slots_change change = t->changes[i];

		t->touched[change.slot / 64] &= ~(1ull << (change.slot % 64));
		change.to = t->primary[change.slot];
		if (change.to == change.from)
			continue;
		t->digest += digest_part(t, change.slot, change.to) -
			     digest_part(t, change.slot, change.from);
		t->changes[kept++] = change;
	}
	t->change_count = kept;
}

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static int check_unique(const uint64_t *hashes, uint32_t n)
{
	uint64_t *sorted = malloc((n + 1) * sizeof(*sorted));
	int err = 0;

	if (!sorted)
		return -ENOMEM;
	memcpy(sorted, hashes, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), compare_u64);
	for (uint32_t i = 1; i < n; i++)
		if (sorted[i] == sorted[i - 1])
			err = -EEXIST;
	free(sorted);
	return err;
}

/* A bit for every slot there is. */
static void set_all(uint64_t *bits, uint32_t count)
{
	memset(bits, 0, (count + 63) / 64 * sizeof(*bits));
	for (uint32_t i = 0; i < count; i++)
		bits[i / 64] |= 1ull << (i % 64);
}

/* Claims come in ascending score, so each backend's come in ascending rank: that is `order`. */
static void take_home(struct slots *t, const struct race_claim *claims, uint32_t count)
{
	t->first[0] = 0;
	for (uint32_t i = 0; i < t->n; i++) {
		t->first[i + 1] = t->first[i] + t->home_quotas[i];
		t->wanted[i] = t->first[i];
	}
	for (uint32_t i = 0; i < count; i++) {
		uint16_t backend = claims[i].backend;

		t->order[t->wanted[backend]++] = claims[i].slot;
		t->home[claims[i].slot] = backend;
	}
}

/* With no home weight at all, every slot is nobody's home and all are lent. */
static int build_home(struct slots *t)
{
	struct race_claim *claims;
	int err = quota_compute(t->home_weights, t->hashes, t->n, t->space.slots, t->home_quotas);
	bool empty = true;

	if (err < 0)
		return err;
	for (uint32_t i = 0; i < t->n; i++)
		empty &= t->home_quotas[i] == 0;
	claims = malloc(t->space.slots * sizeof(*claims));
	if (!claims)
		return -ENOMEM;
	memcpy(t->wanted, t->home_quotas, t->n * sizeof(*t->wanted));
	set_all(t->touched, t->space.slots);
	if (!empty)
		err = race_run(&t->space, t->scores, t->n, t->wanted, t->touched, t->space.slots,
			       claims);
	if (!err)
		take_home(t, claims, empty ? 0 : t->space.slots);
	memset(t->touched, 0, (t->space.slots + 63) / 64 * sizeof(*t->touched));
	free(claims);
	return err;
}

/* Everything is where its home is; what has none is loose in `lend`. */
static int start_at_home(struct slots *t)
{
	bool empty = t->first[t->n] == 0;
	int err =
		lend_new(&t->space, t->scores, t->n, t->primary, SLOTS_NOBODY, touch, t, &t->lend);

	if (!err && empty) /* room for offers, which are all slots */
		err = lend_reserve(t->lend, t->quotas, t->space.slots);
	if (err < 0)
		return err;
	for (uint32_t s = 0; s < t->space.slots; s++) {
		t->primary[s] = t->home[s];
		t->digest += digest_part(t, s, t->home[s]);
		if (empty)
			lend_offer(t->lend, s);
	}
	memcpy(t->quotas, t->home_quotas, t->n * sizeof(*t->quotas));
	t->lent = empty ? t->space.slots : 0;
	finish_changes(t);
	return 0;
}

static int allocate(struct slots *t, uint32_t n, uint32_t slot_count)
{
	t->n = n;
	score_space_init(&t->space, slot_count);
	t->scores = calloc(n + 1, sizeof(*t->scores));
	t->hashes = calloc(n + 1, sizeof(*t->hashes));
	t->home_weights = calloc(n + 1, sizeof(*t->home_weights));
	t->home_quotas = calloc(n + 1, sizeof(*t->home_quotas));
	t->quotas = calloc(n + 1, sizeof(*t->quotas));
	t->wanted = calloc(n + 1, sizeof(*t->wanted));
	t->first = calloc(n + 1, sizeof(*t->first));
	t->order = malloc(slot_count * sizeof(*t->order));
	t->home = malloc(slot_count * sizeof(*t->home));
	t->primary = malloc(slot_count * sizeof(*t->primary));
	t->changes = malloc(slot_count * sizeof(*t->changes));
	t->touched = calloc((slot_count + 63) / 64, sizeof(*t->touched));
	if (!t->scores || !t->hashes || !t->home_weights || !t->home_quotas || !t->quotas || !t->wanted || !t->first ||
	    !t->order || !t->home || !t->primary || !t->changes || !t->touched)
		return -ENOMEM;
	for (uint32_t s = 0; s < slot_count; s++)
		t->home[s] = SLOTS_NOBODY;
	return 0;
}

bool slots_alike(const struct slots *a, const struct slots *b)
{
	if (a->n != b->n || a->space.slots != b->space.slots)
		return false;
	for (uint32_t i = 0; i < a->n; i++)
		if (a->hashes[i] != b->hashes[i] || a->home_weights[i] != b->home_weights[i] ||
		    a->scores[i].inverse_capacity != b->scores[i].inverse_capacity)
			return false;
	return true;
}

static void copy_home(struct slots *t, const struct slots *like)
{
	memcpy(t->home_quotas, like->home_quotas, t->n * sizeof(*t->home_quotas));
	memcpy(t->first, like->first, (t->n + 1) * sizeof(*t->first));
	memcpy(t->order, like->order, t->space.slots * sizeof(*t->order));
	memcpy(t->home, like->home, t->space.slots * sizeof(*t->home));
}

static int load_backends(struct slots *t, const struct slots_backend *backends,
			 const struct slots *like)
{
	int err;

	for (uint32_t i = 0; i < t->n; i++) {
		if (!(backends[i].capacity >= CAPACITY_MIN && backends[i].capacity <= CAPACITY_MAX))
			return -EINVAL;
		t->hashes[i] = backends[i].hash;
		t->home_weights[i] = backends[i].home_weight;
		score_init(&t->scores[i], backends[i].hash, backends[i].capacity);
	}
	if (like && slots_alike(t, like)) {
		copy_home(t, like);
		return 0;
	}
	err = check_unique(t->hashes, t->n);
	return err ? err : build_home(t);
}

int slots_new_like(const struct slots_backend *backends, uint32_t n, uint32_t slot_count,
		   const struct slots *like, struct slots **ret_slots)
{
	struct slots *t;
	int err;

	if (n > UINT16_MAX || slot_count == 0 || slot_count > POOL_SLOTS_MAX)
		return -EINVAL;
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	err = allocate(t, n, slot_count);
	if (!err)
		err = load_backends(t, backends, like);
	if (!err)
		err = start_at_home(t);
	if (err < 0) {
		slots_free(t);
		return err;
	}
	*ret_slots = t;
	return 0;
}

int slots_new(const struct slots_backend *backends, uint32_t n, uint32_t slot_count,
	      struct slots **ret_slots)
{
	return slots_new_like(backends, n, slot_count, NULL, ret_slots);
}

void slots_free(struct slots *t)
{
	if (!t)
		return;
	lend_free(t->lend);
	free(t->scores);
	free(t->hashes);
	free(t->home_weights);
	free(t->home_quotas);
	free(t->quotas);
	free(t->wanted);
	free(t->first);
	free(t->order);
	free(t->home);
	free(t->primary);
	free(t->changes);
	free(t->touched);
	free(t);
}

static uint32_t kept(const struct slots *t, const uint32_t *quotas, uint32_t backend)
{
	return min_u32(quotas[backend], t->home_quotas[backend]);
}

/* What changes hands at least: slots that are newly lent, recalled, or lose or gain a place
 * elsewhere. */
static uint32_t steps_between(const struct slots *t, const uint32_t *from, const uint32_t *to)
{
	uint32_t steps = 0;

	for (uint32_t i = 0; i < t->n; i++)
		steps += from[i] > to[i] ? from[i] - to[i] : to[i] - from[i];
	return steps;
}

static void recall_and_offer(struct slots *t, uint32_t backend)
{
	uint32_t was = kept(t, t->quotas, backend), is = kept(t, t->wanted, backend);
	const uint32_t *order = t->order + t->first[backend];

	for (uint32_t i = was; i < is; i++) {
		lend_recall(t->lend, order[i]);
		t->primary[order[i]] = (uint16_t)backend;
	}
	for (uint32_t i = is; i < was; i++)
		lend_offer(t->lend, order[i]);
}

static int lend_step_by_step(struct slots *t)
{
	uint32_t *limits = malloc((t->n + 1) * sizeof(*limits)), offers = 0;
	int err;

	if (!limits)
		return -ENOMEM;
	for (uint32_t i = 0; i < t->n; i++) {
		limits[i] = above(t->wanted[i], t->home_quotas[i]);
		offers += above(kept(t, t->quotas, i), kept(t, t->wanted, i));
	}
	err = lend_reserve(t->lend, limits, offers);
	for (uint32_t i = 0; !err && i < t->n; i++) {
		lend_limit(t->lend, i, limits[i]);
		recall_and_offer(t, i);
	}
	if (!err)
		lend_settle(t->lend);
	free(limits);
	return err;
}

/* Marks what is lent under the wanted quotas; returns how many. */
static uint32_t mark_lent(const struct slots *t, uint64_t *bits)
{
	uint32_t count = 0;

	memset(bits, 0, (t->space.slots + 63) / 64 * sizeof(*bits));
	if (t->first[t->n] == 0) {
		set_all(bits, t->space.slots);
		return t->space.slots;
	}
	for (uint32_t i = 0; i < t->n; i++) {
		for (uint32_t k = kept(t, t->wanted, i); k < t->home_quotas[i]; k++, count++) {
			uint32_t slot = t->order[t->first[i] + k];

			bits[slot / 64] |= 1ull << (slot % 64);
		}
	}
	return count;
}

static void set_primary(struct slots *t, uint32_t slot, uint16_t owner)
{
	if (t->primary[slot] == owner)
		return;
	touch(t, slot);
	t->primary[slot] = owner;
}

/* Takes over what the race gave; nothing can fail any more. */
static void take_loans(struct slots *t, const struct race_claim *claims, uint32_t count)
{
	lend_clear(t->lend);
	for (uint32_t i = 0; i < t->n; i++) {
		uint32_t keep = kept(t, t->wanted, i);

		lend_limit(t->lend, i, above(t->wanted[i], t->home_quotas[i]));
		for (uint32_t k = 0; k < keep; k++)
			set_primary(t, t->order[t->first[i] + k], (uint16_t)i);
	}
	for (uint32_t i = 0; i < count; i++) {
		set_primary(t, claims[i].slot, claims[i].backend);
		lend_place(t->lend, claims[i].slot, claims[i].backend);
	}
}

static int lend_by_race(struct slots *t)
{
	uint32_t *limits = malloc((t->n + 1) * sizeof(*limits));
	uint64_t *bits = malloc((t->space.slots + 63) / 64 * sizeof(*bits));
	struct race_claim *claims = malloc(t->space.slots * sizeof(*claims));
	uint32_t lent = 0;
	int err = limits && bits && claims ? 0 : -ENOMEM;

	if (!err) {
		for (uint32_t i = 0; i < t->n; i++)
			limits[i] = above(t->wanted[i], t->home_quotas[i]);
		lent = mark_lent(t, bits);
		err = lend_reserve(t->lend, limits, 0);
	}
	if (!err)
		err = race_run(&t->space, t->scores, t->n, limits, bits, lent, claims);
	if (!err)
		take_loans(t, claims, lent);
	free(limits);
	free(bits);
	free(claims);
	return err;
}

/* A step asks every receiver, and where it displaces a loan asks again; the race walks all ranks some
 * dozen times. The numbers are measured (bench_slots): a step costs some 4 ns a receiver and as
 * much as 75 receivers besides, the race 30 ns a rank. */
static bool race_is_cheaper(const struct slots *t)
{
	uint64_t steps = steps_between(t, t->quotas, t->wanted), receivers = 0;

	for (uint32_t i = 0; i < t->n; i++)
		receivers += t->wanted[i] > t->home_quotas[i];
	return steps * (receivers + 75) > (uint64_t)t->space.ranks * 8;
}

static int check_sum(const struct slots *t, const uint32_t *quotas, bool *ret_empty)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < t->n; i++)
		sum += quotas[i];
	*ret_empty = sum == 0;
	return sum == 0 || sum == t->space.slots ? 0 : -EINVAL;
}

int slots_set_quotas(struct slots *t, const uint32_t *quotas)
{
	bool empty;
	int err = check_sum(t, quotas, &empty);

	if (err < 0)
		return err;
	if (quotas != t->wanted)
		memcpy(t->wanted, quotas, t->n * sizeof(*t->wanted));
	t->change_count = 0;
	err = !empty && race_is_cheaper(t) ? lend_by_race(t) : lend_step_by_step(t);
	if (err < 0)
		return err;
	memcpy(t->quotas, t->wanted, t->n * sizeof(*t->quotas));
	t->lent = t->space.slots;
	for (uint32_t i = 0; i < t->n; i++)
		t->lent -= kept(t, t->quotas, i);
	finish_changes(t);
	return 0;
}

int slots_set_weights(struct slots *t, const double *weights)
{
	int err = quota_compute(weights, t->hashes, t->n, t->space.slots, t->wanted);

	return err < 0 ? err : slots_set_quotas(t, t->wanted);
}

const struct slots_change *slots_changes(const struct slots *t, uint32_t *ret_count)
{
	*ret_count = t->change_count;
	return t->changes;
}

uint32_t slots_count(const struct slots *t)
{
	return t->space.slots;
}

uint32_t slots_backend_count(const struct slots *t)
{
	return t->n;
}

const uint16_t *slots_primary(const struct slots *t)
{
	return t->primary;
}

const uint16_t *slots_home(const struct slots *t)
{
	return t->home;
}

const uint32_t *slots_quotas(const struct slots *t)
{
	return t->quotas;
}

const uint32_t *slots_home_quotas(const struct slots *t)
{
	return t->home_quotas;
}

uint32_t slots_lent(const struct slots *t)
{
	return t->lent;
}

uint64_t slots_digest(const struct slots *t)
{
	return t->digest;
}
