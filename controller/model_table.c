// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * model_table: from a pool's weights to its slot table and to what of it is to be published, in ids of the backends map.
 */
#include <string.h>

#include "controller/model_index.h"
#include "controller/model_private.h"
#include "controller/slots.h"

static void change_slot(struct model_pool *pool, uint32_t slot, uint16_t id)
{
	pool->primaries[slot] = id;
	if (pool->changed_count < pool->slot_count)
		pool->changed[pool->changed_count++] = slot;
	else
		pool->changed_all = true;
}

static uint16_t id_of(const struct model *m, const struct model_pool *pool, uint16_t dense)
{
	return dense == SLOTS_NOBODY ? BACKEND_NONE
				     : m->backends[pool->members[dense].backend].id;
}

/* After an adoption the table of slots.c and `primaries` have different pasts: compare all. */
static uint32_t take_whole_table(const struct model *m, struct model_pool *pool)
{
	const uint16_t *primary = slots_primary(pool->slots);
	uint32_t moved = 0;

	for (uint32_t i = 0; i < pool->slot_count; i++) {
		uint16_t id = id_of(m, pool, primary[i]);

		if (pool->primaries[i] == id)
			continue;
		change_slot(pool, i, id);
		moved++;
	}
	pool->adopted = false;
	return moved;
}

static uint32_t take_changes(const struct model *m, struct model_pool *pool)
{
	uint32_t count;
	const struct slots_change *changes = slots_changes(pool->slots, &count);

	for (uint32_t i = 0; i < count; i++)
		change_slot(pool, changes[i].slot, id_of(m, pool, changes[i].to));
	return count;
}

void model_count_slots(struct model *m, struct model_pool *pool)
{
	for (uint32_t i = 0; i < pool->member_count; i++) {
		struct model_backend *b = &m->backends[pool->members[i].backend];

		b->slots -= pool->members[i].slots;
		pool->members[i].slots = 0;
	}
	for (uint32_t i = 0; i < pool->slot_count; i++) {
		uint32_t backend = model_index_id(m->index, pool->primaries[i]);
		struct model_member *member =
			backend == UINT32_MAX ? NULL : model_member_of(m, pool, backend);

		if (member)
			member->slots++;
	}
	for (uint32_t i = 0; i < pool->member_count; i++) {
		struct model_member *member = &pool->members[i];

		m->backends[member->backend].slots += member->slots;
		member->share = (double)member->slots / pool->slot_count;
	}
}

static void take_quotas(struct model *m, struct model_pool *pool)
{
	const uint32_t *quotas = slots_quotas(pool->slots);

	for (uint32_t i = 0; i < pool->member_count; i++) {
		struct model_member *member = &pool->members[i];
		struct model_backend *b = &m->backends[member->backend];

		b->slots = b->slots - member->slots + quotas[i];
		member->slots = quotas[i];
		member->share = (double)quotas[i] / pool->slot_count;
	}
}

uint32_t model_make_table(struct model *m, struct model_pool *pool, struct mono_ns now)
{
	uint32_t moved;

	if (slots_set_weights(pool->slots, pool->now))
		return 0;
	moved = pool->adopted ? take_whole_table(m, pool) : take_changes(m, pool);
	take_quotas(m, pool);
	memcpy(pool->published, pool->now, pool->member_count * sizeof(*pool->now));
	pool->digest = slots_digest(pool->slots);
	pool->forced = false;
	pool->published_at = now;
	if (!moved)
		return 0;
	pool->moved += moved;
	pool->generation++;
	model_emit(m, MODEL_EVENT_TABLE, pool->name, "", now, "moved=%u slots=%u digest=%016llx", moved,
	     pool->slot_count, (unsigned long long)pool->digest);
	return moved;
}
