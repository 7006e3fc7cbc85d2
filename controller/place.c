// SPDX-License-Identifier: GPL-2.0-or-later
#include "controller/place.h"

#include <errno.h>

#include "controller/namehash.h"
#include "maps/hash.h"

#define SLOT_TRIES 64

static int takes_new(const struct model *m, uint32_t backend, struct err *err)
{
	const struct model_backend *b = &m->backends[backend];

	if (b->leaving || b->state != BACKEND_STATE_READY)
		return err_set(err, EBUSY, "backend %s is not ready (%s)", b->name,
			       b->leaving ? "leaving" : model_state_names[b->state]);
	return 0;
}

/* By its last report and what came since; without a report there is room, and warmth. Others may place there too. */
static bool has_room(const struct place_counts *counts, const struct model_backend *b)
{
	uint64_t there = counts->on[b->id];

	if (b->told.has_sandboxes && (uint64_t)b->told.sandboxes + counts->came[b->id] > there)
		there = (uint64_t)b->told.sandboxes + counts->came[b->id];
	return !b->told.has_capacity || there < b->told.capacity;
}

static bool is_warm(const struct place_counts *counts, const struct model_backend *b)
{
	return !b->told.has_warm || counts->came[b->id] < b->told.warm;
}

/*
 * The backend of the slot that an unplaced sandbox goes by, as bpf/key.h hashes it; if it takes no more, of the next slot
 * that the same hash leads to. UINT32_MAX: none was found; *ret_full: for lack of room.
 */
static uint32_t by_slot(const struct place_counts *counts, const struct model *m, const struct model_pool *pool,
			const struct sandbox_key *key, bool *ret_full)
{
	uint64_t hash = hash_address(hash_is_ipv4(&key->address), &key->address, key->port_be,
				     m->hash_seed);
	uint32_t cold = UINT32_MAX;

	*ret_full = false;
	for (int i = 0; i < SLOT_TRIES; i++, hash = hash_mix(hash)) {
		uint16_t id = pool->primaries[hash_slot(hash, pool->slot_count)];
		uint32_t at = model_find_backend_id(m, id);

		if (at == UINT32_MAX || takes_new(m, at, NULL))
			continue;
		if (!has_room(counts, &m->backends[at]))
			*ret_full = true;
		else if (is_warm(counts, &m->backends[at]))
			return at;
		else if (cold == UINT32_MAX)
			cold = at;
	}
	return cold;
}

int place_choose(const struct model *m, const struct model_pool *pool, const struct sandbox_key *key,
		 const struct place_counts *counts, struct err *err, uint32_t *ret_backend)
{
	bool full;
	uint32_t at = by_slot(counts, m, pool, key, &full);

	if (at == UINT32_MAX)
		return err_set(err, EBUSY, full ? "no backend of pool %s that was asked has room for another sandbox"
						: "pool %s has no backend that takes traffic",
			       pool->name);
	*ret_backend = at;
	return 0;
}

int place_check(const struct model *m, uint32_t backend, const struct place_counts *counts,
		struct err *err)
{
	const struct model_backend *b = &m->backends[backend];
	int e = takes_new(m, backend, err);

	if (!e && !has_room(counts, b))
		return err_set(err, EBUSY, "backend %s has room for %u sandboxes, and all of it is taken", b->name,
			       b->told.capacity);
	return e;
}
