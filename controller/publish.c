// SPDX-License-Identifier: GPL-2.0-or-later
/* publish: slots, pools and services. publish_backend.c: backends, next hops, and what leaves. */
#include "controller/publish.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/publish_private.h"
#include "controller/services_table.h"
#include "controller/slots.h"

int publish_new(const struct dataplane_tables *tables, const struct dataplane_sizes *sizes,
		publish_freed_fn on_freed, void *ctx, uint64_t boot_ns, struct publish **ret_publish)
{
	struct publish *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->tables = *tables;
	p->sizes = *sizes;
	p->on_freed = on_freed;
	p->ctx = ctx;
	p->services = calloc(SERVICES_TABLE_SIZE, sizeof(*p->services));
	p->prefixes = calloc(PREFIXES_TABLE_SIZE, sizeof(*p->prefixes));
	p->forgotten_ns = calloc(sizes->backends, sizeof(*p->forgotten_ns));
	p->scrub = calloc(BACKENDS_MAX + 1, sizeof(*p->scrub));
	if (!p->services || !p->prefixes || !p->forgotten_ns || !p->scrub) {
		publish_free(p);
		return -ENOMEM;
	}
	publish_count_nexthops(p, boot_ns);
	publish_find_freed(p);
	*ret_publish = p;
	return 0;
}

void publish_free(struct publish *p)
{
	if (!p)
		return;
	free(p->services);
	free(p->prefixes);
	free(p->forgotten_ns);
	free(p->scrub);
	free(p);
}

const struct publish_stats *publish_stats(const struct publish *p)
{
	return &p->stats;
}

/* --- slots */

static struct slot load(const struct slot *at)
{
	union {
		uint64_t word;
		struct slot slot;
	} u = {.word = __atomic_load_n((const uint64_t *)at, __ATOMIC_RELAXED)};

	return u.slot;
}

static bool same(struct slot a, struct slot b)
{
	return !memcmp(&a, &b, sizeof(a));
}

void publish_store_slot(struct publish *p, struct slot *at, struct slot entry)
{
	union {
		struct slot slot;
		uint64_t word;
	} u = {.slot = entry};

	__atomic_store_n((uint64_t *)at, u.word, __ATOMIC_RELEASE);
	p->stats.slots_written++;
}

static bool is_known(const struct model *m, uint16_t id)
{
	return id != BACKEND_NONE && model_find_backend_id(m, id) != UINT32_MAX;
}

static bool is_dead(const struct model *m, uint16_t id)
{
	return !is_known(m, id) || m->backends[model_find_backend_id(m, id)].hard_down;
}

/*
 * A former owner that is plainly dead cannot pass flows on to the owner before it. So if the last owner is dead and the
 * one before it is not, the one before stays the former owner; flows that the dead one got meanwhile are
 * noted in the flow table, and so still go to it should it be alive after all.
 */
static struct slot moved_slot(const struct model *m, struct slot old, uint16_t primary,
			      uint16_t home, uint16_t coarse_s)
{
	struct slot new = slot_move(old, primary, home, coarse_s);

	if (!is_known(m, new.home))
		new.home = home;
	if (new.primary == old.primary)
		return new;
	if (is_dead(m, old.primary) && !is_dead(m, old.secondary) && old.secondary != primary)
		new.secondary = old.secondary;
	if (!is_known(m, new.secondary))
		new.secondary = BACKEND_NONE;
	if (new.secondary == BACKEND_NONE)
		new.home = home;
	return new;
}

/* What stood in slot `i` so far; in a range that is new to the pool, what the pool's former range says. */
static struct slot former_slot(const struct publish *p, const struct model_pool *pool, uint32_t i)
{
	if (!pool->fresh)
		return load(&p->tables.slots[pool->slot_base + i]);
	if (!pool->seed_count)
		return (struct slot){0};
	return load(&p->tables.slots[pool->seed_base +
				     (uint64_t)i * pool->seed_count / pool->slot_count]);
}

static uint32_t write_slot(struct publish *p, const struct model *m, struct model_pool *pool,
			   uint32_t i, uint16_t coarse_s)
{
	struct slot *at = &p->tables.slots[pool->slot_base + i];
	struct slot old = former_slot(p, pool, i);
	struct slot new = moved_slot(m, old, pool->primaries[i], pool->homes[i], coarse_s);

	if (!pool->changed_all) {
		pool->unsettled -= old.secondary != BACKEND_NONE;
	} else if (new.secondary != BACKEND_NONE && !is_known(m, new.secondary)) {
		new.secondary = BACKEND_NONE; /* left behind by a crash */
		new.home = pool->homes[i];
	}
	pool->unsettled += new.secondary != BACKEND_NONE;
	if (same(new, load(at)))
		return 0;
	p->stats.slots_moved += new.primary != old.primary;
	publish_store_slot(p, at, new);
	return 1;
}

static uint32_t owners(const struct model_pool *pool)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < pool->member_count; i++)
		n += pool->members[i].slots > 0;
	return n;
}

/* slot_count last: an entry without slots is free. */
static void write_pool(struct publish *p, const struct model_pool *pool)
{
	struct pool *to = &p->tables.pools[pool->id];

	snprintf(to->name, sizeof(to->name), "%.31s", pool->name);
	to->slot_base = pool->slot_base;
	to->backends = owners(pool);
	to->unsettled = pool->unsettled;
	to->digest = pool->digest;
	to->generation = pool->generation;
	__atomic_store_n(&to->slot_count, pool->slot_count, __ATOMIC_RELEASE);
	p->pool_retired_ns[pool->id] = 0;
}

uint32_t publish_slots(struct publish *p, const struct model *m, struct model_pool *pool,
		       uint64_t boot_ns)
{
	uint16_t coarse_s = slot_coarse(boot_ns / 1000000000);
	uint32_t written = 0;

	if (!pool->changed_all && !pool->changed_count)
		return 0;
	if (pool->changed_all) {
		pool->unsettled = 0;
		for (uint32_t i = 0; i < pool->slot_count; i++)
			written += write_slot(p, m, pool, i, coarse_s);
	} else {
		for (uint32_t i = 0; i < pool->changed_count; i++)
			written += write_slot(p, m, pool, pool->changed[i], coarse_s);
	}
	pool->changed_all = false;
	pool->changed_count = 0;
	pool->fresh = false;
	write_pool(p, pool);
	return written;
}

static uint32_t settle_seconds(const struct model_pool *pool)
{
	return pool->settle_s > 65534 ? 0 : (uint32_t)fmax(pool->settle_s, 1);
}

static uint32_t settle_range(struct publish *p, const struct model *m, struct model_pool *pool,
			     uint32_t from, uint32_t to, uint16_t coarse_s)
{
	uint32_t settle_s = settle_seconds(pool), settled = 0;

	for (uint32_t i = from; i < to; i++) {
		struct slot *at = &p->tables.slots[pool->slot_base + i];
		struct slot old = load(at), new;

		if (old.secondary == BACKEND_NONE)
			continue;
		new = slot_settle(old, coarse_s, settle_s, !is_known(m, old.secondary));
		if (new.secondary == BACKEND_NONE)
			new.home = pool->homes[i];
		if (same(old, new))
			continue;
		publish_store_slot(p, at, new);
		pool->unsettled -= new.secondary == BACKEND_NONE;
		settled++;
	}
	if (settled)
		p->tables.pools[pool->id].unsettled = pool->unsettled;
	p->stats.slots_settled += settled;
	return settled;
}

uint32_t publish_settle(struct publish *p, struct model *m, uint32_t budget, uint64_t boot_ns)
{
	uint16_t coarse_s = slot_coarse(boot_ns / 1000000000);
	uint32_t settled = 0;

	for (uint32_t pools = 0; budget && pools <= m->pool_count && m->pool_count; pools++) {
		struct model_pool *pool = &m->pools[p->settle_pool % m->pool_count];
		uint32_t left = p->settle_slot < pool->slot_count
					? pool->slot_count - p->settle_slot
					: 0;
		uint32_t take = left < budget ? left : budget;

		if (pool->unsettled && !pool->fresh)
			settled += settle_range(p, m, pool, p->settle_slot, p->settle_slot + take,
						coarse_s);
		else
			take = left; /* nothing to do here costs nothing */
		p->settle_slot += take;
		if (take < left)
			return settled;
		budget -= take < budget ? take : budget;
		p->settle_pool = (p->settle_pool + 1) % m->pool_count;
		p->settle_slot = 0;
	}
	return settled;
}

/* --- services */

static uint64_t *filter_of(const struct publish *p, uint32_t half)
{
	return p->tables.filter + half * SERVICE_FILTER_WORDS;
}

static bool in_force_already(const struct publish *p, uint32_t half,
			     const struct settings_table *table)
{
	return p->tables.settings->layout == MAPS_LAYOUT &&
	       !memcmp(&p->tables.settings->table[half], table, sizeof(*table)) &&
	       !memcmp(p->tables.services + half * SERVICES_TABLE_SIZE, p->services,
		       SERVICES_TABLE_SIZE * sizeof(*p->services)) &&
	       !memcmp(p->tables.prefixes + half * PREFIXES_TABLE_SIZE, p->prefixes,
		       PREFIXES_TABLE_SIZE * sizeof(*p->prefixes)) &&
	       !memcmp(filter_of(p, half), p->filter, sizeof(p->filter));
}

static void flip(struct publish *p, uint32_t half, const struct settings_table *table)
{
	struct settings *settings = p->tables.settings;

	memcpy(p->tables.services + half * SERVICES_TABLE_SIZE, p->services,
	       SERVICES_TABLE_SIZE * sizeof(*p->services));
	memcpy(p->tables.prefixes + half * PREFIXES_TABLE_SIZE, p->prefixes,
	       PREFIXES_TABLE_SIZE * sizeof(*p->prefixes));
	memcpy(filter_of(p, half), p->filter, sizeof(p->filter));
	settings->table[half] = *table;
	__atomic_store_n(&settings->half, half, __ATOMIC_RELEASE);
	__atomic_store_n(&settings->layout, MAPS_LAYOUT, __ATOMIC_RELEASE);
}

/* Entries of `pools` that no model has: their ranges are free once no packet can be in them. */
static void retire_pools(struct publish *p, const struct model *m, uint64_t boot_ns)
{
	for (uint32_t id = 0; id < POOLS_MAX; id++) {
		bool used = !p->tables.pools[id].slot_count;

		for (uint32_t i = 0; i < m->pool_count; i++)
			used |= m->pools[i].id == id;
		p->pool_retired_ns[id] = used ? 0 : boot_ns;
	}
}

int publish_services(struct publish *p, const struct model *m, uint64_t boot_ns, struct err *err)
{
	struct settings *settings = p->tables.settings;
	uint32_t half = settings->half & 1;
	struct settings_table table;
	struct services_table to = {p->services, p->prefixes, &table};
	int e = services_table_lay(m, &to, err);

	if (e)
		return e;
	services_table_filter(&to, p->filter);
	if (settings->hash_seed != m->hash_seed)
		settings->hash_seed = m->hash_seed;
	if (settings->icmp_rate_pps != m->config->edge.icmp_rate_pps)
		settings->icmp_rate_pps = m->config->edge.icmp_rate_pps;
	if (!in_force_already(p, half, &table)) {
		flip(p, !half, &table);
		p->flipped_ns = boot_ns;
		p->stats.flips++;
	}
	retire_pools(p, m, boot_ns);
	return 0;
}

/* Nobody reads the half that was in force: people with bpftool see only what is. */
void publish_clear_old_half(struct publish *p)
{
	uint32_t half = !(p->tables.settings->half & 1);

	memset(p->tables.services + half * SERVICES_TABLE_SIZE, 0,
	       SERVICES_TABLE_SIZE * sizeof(*p->services));
	memset(p->tables.prefixes + half * PREFIXES_TABLE_SIZE, 0,
	       PREFIXES_TABLE_SIZE * sizeof(*p->prefixes));
	memset(filter_of(p, half), 0, sizeof(p->filter));
	p->flipped_ns = 0;
}
