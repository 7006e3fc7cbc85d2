// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * model_build_pools: each pool's place in the maps, its groups and members, its slot table, and the weights and
 * tables that it goes on with.
 */
#include "controller/model_build.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/model_index.h"
#include "controller/namehash.h"
#include "controller/slots.h"

/* --- where its slots are */

/* An entry of `pools` with this name; with `count` slots if there are several. POOLS_MAX: none. */
static uint32_t find_pool_entry(const struct build *b, const char *name, uint32_t count, bool exact)
{
	for (uint32_t id = 0; id < POOLS_MAX; id++) {
		const struct pool *p = &b->tables->pools[id];

		if (p->slot_count && !strncmp(p->name, name, sizeof(p->name) - 1) &&
		    (p->slot_count == count) == exact)
			return id;
	}
	return POOLS_MAX;
}

static uint32_t free_pool_id(const struct build *b)
{
	for (uint32_t id = 0; id < POOLS_MAX; id++) {
		bool taken = b->tables->pools[id].slot_count != 0;

		for (uint32_t i = 0; i < b->m->pool_count; i++)
			taken |= b->m->pools[i].id == id;
		if (!taken)
			return id;
	}
	return POOLS_MAX;
}

/* The next taken range that overlaps [base, base + count): its end, or 0. */
static uint32_t overlap_end(const struct build *b, uint64_t base, uint64_t count)
{
	for (uint32_t id = 0; id < POOLS_MAX; id++) {
		const struct pool *p = &b->tables->pools[id];

		if (p->slot_count && base < (uint64_t)p->slot_base + p->slot_count &&
		    p->slot_base < base + count)
			return p->slot_base + p->slot_count;
	}
	for (uint32_t i = 0; i < b->m->pool_count; i++) {
		const struct model_pool *p = &b->m->pools[i];

		if (base < (uint64_t)p->slot_base + p->slot_count && p->slot_base < base + count)
			return p->slot_base + p->slot_count;
	}
	return 0;
}

static int allocate_range(struct build *b, struct model_pool *pool)
{
	uint64_t base = 0;
	uint32_t end;

	while ((end = overlap_end(b, base, pool->slot_count)))
		base = end;
	if (base + pool->slot_count > b->sizes->slots)
		return err_set(b->err, ENOSPC,
			       "pool %s: no room for %u slots in a row; edge.slots is %u",
			       pool->name, pool->slot_count, b->sizes->slots);
	pool->slot_base = (uint32_t)base;
	return 0;
}

static int place_pool(struct build *b, struct model_pool *pool)
{
	uint32_t id = find_pool_entry(b, pool->name, pool->slot_count, true);

	if (id < POOLS_MAX && (uint64_t)b->tables->pools[id].slot_base + pool->slot_count <=
				      b->sizes->slots) {
		pool->id = id;
		pool->slot_base = b->tables->pools[id].slot_base;
		pool->digest = b->tables->pools[id].digest;
		pool->generation = b->tables->pools[id].generation;
		return 0;
	}
	pool->fresh = true;
	id = find_pool_entry(b, pool->name, pool->slot_count, false);
	if (id < POOLS_MAX) {
		pool->seed_base = b->tables->pools[id].slot_base;
		pool->seed_count = b->tables->pools[id].slot_count;
	}
	pool->id = free_pool_id(b);
	if (pool->id == POOLS_MAX)
		return err_set(b->err, ENOSPC, "pool %s: all %d pool ids are in use", pool->name,
			       POOLS_MAX);
	return allocate_range(b, pool);
}

static int alloc_pool(struct model_pool *pool)
{
	uint32_t n = pool->member_count, g = pool->group_count;

	pool->members = model_build_zalloc(n, sizeof(*pool->members));
	pool->inputs = model_build_zalloc(n, sizeof(*pool->inputs));
	pool->results = model_build_zalloc(n, sizeof(*pool->results));
	pool->now = model_build_zalloc(n, sizeof(*pool->now));
	pool->published = model_build_zalloc(n, sizeof(*pool->published));
	pool->tiers = model_build_zalloc(g, sizeof(*pool->tiers));
	pool->group_results = model_build_zalloc(g, sizeof(*pool->group_results));
	pool->shifts = model_build_zalloc(g, sizeof(*pool->shifts));
	pool->primaries = model_build_zalloc(pool->slot_count, sizeof(*pool->primaries));
	pool->homes = model_build_zalloc(pool->slot_count, sizeof(*pool->homes));
	pool->changed = model_build_zalloc(pool->slot_count, sizeof(*pool->changed));
	return pool->members && pool->inputs && pool->results && pool->now && pool->published &&
			       pool->tiers && pool->group_results && pool->shifts &&
			       pool->primaries && pool->homes && pool->changed
		       ? 0
		       : -ENOMEM;
}

static int build_groups(struct build *b, const struct config_pool *c, struct model_pool *pool)
{
	for (uint32_t t = 0; t < c->tier_count; t++)
		pool->group_count += c->tiers[t].region_count;
	pool->tier_count = c->tier_count;
	pool->groups = model_build_zalloc(pool->group_count, sizeof(*pool->groups));
	if (!pool->groups)
		return model_build_no_memory(b);
	pool->group_count = 0;
	for (uint32_t t = 0; t < c->tier_count; t++)
		for (uint32_t r = 0; r < c->tiers[t].region_count; r++) {
			struct model_group *group = &pool->groups[pool->group_count++];

			group->region = c->tiers[t].regions[r];
			group->tier = t;
			group->first_member = pool->member_count;
			group->member_count = b->config->regions[group->region].backend_count;
			pool->member_count += group->member_count;
		}
	return 0;
}

static void fill_members(struct build *b, const struct config_pool *c, struct model_pool *pool)
{
	for (uint32_t g = 0; g < pool->group_count; g++) {
		const struct model_group *group = &pool->groups[g];
		const struct model_region *region = &b->m->regions[group->region];

		pool->tiers[g].tier = group->tier;
		for (uint32_t i = 0; i < group->member_count; i++) {
			uint32_t at = group->first_member + i;
			struct model_backend *backend =
				&b->m->backends[region->first_backend + i];

			pool->members[at].backend = region->first_backend + i;
			pool->members[at].group = g;
			pool->inputs[at] = (struct weight_backend){
				.hash = name_hash(backend->name),
				.group = g,
				.capacity = backend->capacity,
			};
			backend->pool_count++;
			backend->drain_s = fmax(backend->drain_s, c->drain_s);
		}
	}
}

/* The first tier in which the configuration gives anything at all: where the slots are at home. */
static uint32_t home_tier(const struct model *m, const struct model_pool *pool)
{
	for (uint32_t i = 0; i < pool->member_count; i++)
		if (m->backends[pool->members[i].backend].config_weight > 0)
			return pool->groups[pool->members[i].group].tier;
	return 0;
}

static void free_slots_backends(struct slots_backend **list)
{
	free(*list);
}

static int build_slots(struct build *b, const struct model_pool *was, struct model_pool *pool)
{
	__attribute__((cleanup(free_slots_backends))) struct slots_backend *list =
		model_build_zalloc(pool->member_count, sizeof(*list));
	uint32_t home = home_tier(b->m, pool);
	const uint16_t *homes;
	int e;

	if (!list)
		return model_build_no_memory(b);
	for (uint32_t i = 0; i < pool->member_count; i++) {
		const struct model_backend *backend = &b->m->backends[pool->members[i].backend];

		list[i] = (struct slots_backend){
			.hash = pool->inputs[i].hash,
			.capacity = backend->capacity,
			.home_weight = pool->groups[pool->members[i].group].tier == home
					       ? backend->capacity * backend->config_weight
					       : 0,
		};
	}
	e = slots_new_like(list, pool->member_count, pool->slot_count, was ? was->slots : NULL,
			   &pool->slots);
	if (e)
		return err_set(b->err, -e, "pool %s: no slot table: %s", pool->name, strerror(-e));
	homes = slots_home(pool->slots);
	for (uint32_t i = 0; i < pool->slot_count; i++)
		pool->homes[i] = homes[i] == SLOTS_NOBODY
					 ? BACKEND_NONE
					 : b->m->backends[pool->members[homes[i]].backend].id;
	return 0;
}

/* Slot `i` of a range of another size: its hash values were there in slots that ended here. */
static uint32_t seed_slot(const struct model_pool *pool, uint32_t i)
{
	return pool->seed_base + (uint32_t)((uint64_t)i * pool->seed_count / pool->slot_count);
}

/* What the data plane shows now is where the model starts. */
static void adopt_table(struct build *b, struct model_pool *pool)
{
	const struct slot *slots = b->tables->slots;

	pool->adopted = true;
	pool->changed_all = true;
	for (uint32_t i = 0; i < pool->slot_count; i++) {
		uint16_t id = BACKEND_NONE;
		uint32_t backend;

		if (!pool->fresh)
			id = slots[pool->slot_base + i].primary;
		else if (pool->seed_count)
			id = slots[seed_slot(pool, i)].primary;
		backend = model_index_id(b->m->index, id);
		if (backend == UINT32_MAX || b->m->backends[backend].leaving) {
			pool->forced = true;
			id = BACKEND_NONE;
		}
		pool->primaries[i] = id;
	}
	model_count_slots(b->m, pool);
	for (uint32_t i = 0; i < pool->member_count; i++)
		pool->published[i] = pool->members[i].share;
}

static int adopt_weights(struct build *b, struct model_pool *pool)
{
	double shares[pool->group_count + 1], sum = 0;
	int e = weight_state_new(pool->group_count, pool->member_count, &pool->weights);

	if (e)
		return model_build_no_memory(b);
	for (uint32_t g = 0; g < pool->group_count; g++) {
		const struct model_group *group = &pool->groups[g];

		shares[g] = 0;
		for (uint32_t i = 0; i < group->member_count; i++)
			shares[g] += pool->members[group->first_member + i].share;
		sum += shares[g];
	}
	if (sum > 0.5)
		weight_state_adopt(pool->weights, shares, pool->group_count);
	return 0;
}

static struct weight_params weight_params_of(const struct config_weights *c)
{
	struct weight_params p = weight_params_default();

	p.overprovision = c->overprovisioning;
	p.fall_per_s = c->slew_degraded;
	p.dead_fall_per_s = c->slew_dead;
	p.return_per_s = c->slew_rise;
	p.return_part_per_s = c->slew_rise_part;
	p.dead_below = c->dead_below;
	p.alive_above = c->return_above;
	p.return_hold_s = c->return_after_s;
	p.eject_max = c->eject_capacity;
	p.panic_groups = c->eject_groups;
	p.panic_hold_s = c->panic_hold_s;
	p.panic_clear_s = c->panic_clear_s;
	p.eject_floor = c->eject_floor;
	p.publish_ratio = c->publish_change;
	p.publish_wait_s = c->publish_after_s;
	return p;
}

/* The pool of this name in the former model, or NULL. */
static const struct model_pool *former_pool(const struct build *b, const char *name)
{
	uint32_t i = b->former ? model_find_pool(b->former, name) : UINT32_MAX;

	return i == UINT32_MAX ? NULL : &b->former->pools[i];
}

/* The same groups and members in the same places; what they weigh may differ. */
static bool same_shape(const struct build *b, const struct model_pool *was,
		       const struct model_pool *pool)
{
	if (was->group_count != pool->group_count || was->member_count != pool->member_count)
		return false;
	for (uint32_t g = 0; g < pool->group_count; g++)
		if (was->groups[g].tier != pool->groups[g].tier ||
		    was->groups[g].member_count != pool->groups[g].member_count ||
		    strcmp(b->former->regions[was->groups[g].region].full_name,
			   b->m->regions[pool->groups[g].region].full_name))
			return false;
	for (uint32_t i = 0; i < pool->member_count; i++)
		if (b->former->backends[was->members[i].backend].id !=
		    b->m->backends[pool->members[i].backend].id)
			return false;
	return true;
}

/* Slew, holds and panic go on where they were. */
static int carry_weights(struct build *b, const struct model_pool *was, struct model_pool *pool)
{
	if (weight_state_copy(was->weights, &pool->weights))
		return model_build_no_memory(b);
	for (uint32_t g = 0; g < pool->group_count; g++)
		pool->groups[g].level = was->groups[g].level;
	pool->panic = was->panic;
	if (!slots_alike(was->slots, pool->slots))
		return 0;
	pool->published_at = was->published_at;
	memcpy(pool->published, was->published, pool->member_count * sizeof(*pool->published));
	return 0;
}

static int build_pool(struct build *b, const struct config_pool *c, struct model_pool *pool)
{
	const struct model_pool *was = former_pool(b, c->name);
	int e;

	snprintf(pool->name, sizeof(pool->name), "%s", c->name);
	pool->slot_count = c->slots;
	pool->track = c->track;
	pool->has_track = c->has_track;
	pool->settle_s = c->settle_s;
	pool->auto_shift = &c->auto_shift;
	pool->weight_params = weight_params_of(&c->weights);
	pool->published_at = b->now;
	e = place_pool(b, pool);
	b->m->pool_count++;
	if (!e)
		e = build_groups(b, c, pool);
	if (e)
		return e;
	if (alloc_pool(pool))
		return model_build_no_memory(b);
	fill_members(b, c, pool);
	e = build_slots(b, was, pool);
	if (e)
		return e;
	adopt_table(b, pool);
	return was && same_shape(b, was, pool) ? carry_weights(b, was, pool) : adopt_weights(b, pool);
}

/* Freezing and moved counters outlive a reload. */
static void carry_pool(struct build *b, struct model_pool *pool)
{
	const struct model_pool *was = former_pool(b, pool->name);

	if (!was)
		return;
	pool->moved = was->moved;
	pool->frozen = was->frozen;
	pool->empty = was->empty;
}

int model_build_pools(struct build *b)
{
	struct model *m = b->m;

	m->pools = model_build_zalloc(b->config->pool_count, sizeof(*m->pools));
	if (!m->pools)
		return model_build_no_memory(b);
	for (uint32_t i = 0; i < b->config->pool_count; i++) {
		int e = build_pool(b, &b->config->pools[i], &m->pools[i]);

		if (e)
			return e;
		carry_pool(b, &m->pools[i]);
	}
	return 0;
}
