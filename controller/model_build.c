// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * model_build: from a configuration to a model, and from what there was before (a former model, or the pinned maps
 * alone after a restart) to the same ids, health, slot ranges and tables under the same names.
 *
 * A backend is the same if name and address are, and the id, where the configuration gives one: an entry of `backends` is
 * never rewritten for another address, so a backend whose address changed gets a new id, and the old one leaves like one
 * that was removed.
 */
#include "controller/model.h"

#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/dataplane.h"
#include "controller/model_index.h"
#include "controller/namehash.h"
#include "controller/services_table.h"
#include "controller/slots.h"

struct build {
	const struct config *config;
	const struct dataplane_tables *tables;
	const struct dataplane_sizes *sizes;
	const struct model *former;
	struct mono_ns now;
	struct err *err;
	struct model *m;
};

static int no_memory(struct build *b)
{
	return err_set(b->err, ENOMEM, "out of memory");
}

static void *zalloc(size_t n, size_t size)
{
	return calloc(n ? n : 1, size);
}

/* --- checks that concern several parts of a configuration */

/* Calls `visit` for each (pool, region) of the configuration, until it returns non-zero. */
static int each_group(const struct config *config,
		      int (*visit)(const struct config *config, uint32_t pool, uint32_t tier,
				   uint32_t region, void *ctx, struct err *err),
		      void *ctx, struct err *err)
{
	for (uint32_t p = 0; p < config->pool_count; p++)
		for (uint32_t t = 0; t < config->pools[p].tier_count; t++)
			for (uint32_t r = 0; r < config->pools[p].tiers[t].region_count; r++) {
				int e = visit(config, p, t, config->pools[p].tiers[t].regions[r],
					      ctx, err);

				if (e)
					return e;
			}
	return 0;
}

static int check_group(const struct config *config, uint32_t pool, uint32_t tier, uint32_t region,
		       void *ctx, struct err *err)
{
	uint32_t *last = ctx; /* one a region: the last pool that holds it, plus 1 */

	if (last[region] == pool + 1)
		return err_set(err, EINVAL, "pool %s: region %s stands in its tiers twice",
			       config->pools[pool].name, config->regions[region].full_name);
	last[region] = pool + 1;
	return 0;
}

static void free_words(uint32_t **words)
{
	free(*words);
}

int model_check(const struct config *config, struct err *err)
{
	__attribute__((cleanup(free_words))) uint32_t *last =
		zalloc(config->region_count, sizeof(*last));

	if (!last)
		return err_set(err, ENOMEM, "out of memory");
	if (config->pool_count > POOLS_MAX)
		return err_set(err, EINVAL, "%u pools; at most %d", config->pool_count, POOLS_MAX);
	if (config->service_count > SERVICES_MAX)
		return err_set(err, EINVAL, "%u services; at most %d", config->service_count,
			       SERVICES_MAX);
	return each_group(config, check_group, last, err);
}

/* --- providers, regions, backends */

static int use_pool_health(const struct config *config, uint32_t pool, uint32_t tier,
			   uint32_t region, void *ctx, struct err *err)
{
	struct model *m = ctx;

	m->health_configs[region] = &config->pools[pool].health;
	return 0;
}

static struct health_params params_of(const struct config_health *c)
{
	struct health_params p = health_params_default();

	p.observe_s = c->observe_s;
	p.down_s = c->down_s;
	p.up_s = c->up_s;
	p.evidence = c->evidence;
	p.bad = c->bad;
	p.good = c->good;
	p.return_floor = c->return_floor;
	p.return_jitter_s = c->return_jitter_s;
	p.flap_penalty = c->flap_penalty;
	p.flap_half_life_s = c->flap_half_life_s;
	p.flap_hold = c->flap_hold;
	p.flap_free = c->flap_free;
	p.latency = c->latency;
	p.trial_floor = c->trial;
	p.inband_rate_max = c->handshake_rate;
	p.rise = c->probe.rise;
	p.fall = c->probe.fall;
	p.fall_timeouts = c->probe.fall_timeouts;
	return p;
}

static int build_regions(struct build *b)
{
	const struct config *c = b->config;
	struct model *m = b->m;
	int e;

	m->providers = zalloc(c->provider_count, sizeof(*m->providers));
	m->regions = zalloc(c->region_count, sizeof(*m->regions));
	m->health_params = zalloc(c->region_count, sizeof(*m->health_params));
	m->health_configs = zalloc(c->region_count, sizeof(*m->health_configs));
	if (!m->providers || !m->regions || !m->health_params || !m->health_configs)
		return no_memory(b);
	m->provider_count = c->provider_count;
	m->region_count = c->region_count;
	for (uint32_t i = 0; i < c->provider_count; i++)
		snprintf(m->providers[i].name, sizeof(m->providers[i].name), "%s",
			 c->providers[i].name);
	for (uint32_t i = 0; i < c->region_count; i++) {
		struct model_region *r = &m->regions[i];

		snprintf(r->name, sizeof(r->name), "%s", c->regions[i].name);
		snprintf(r->full_name, sizeof(r->full_name), "%s", c->regions[i].full_name);
		r->provider = c->regions[i].provider;
		r->first_backend = c->regions[i].first_backend;
		r->backend_count = c->regions[i].backend_count;
		m->health_configs[i] = &c->health;
	}
	e = each_group(c, use_pool_health, m, b->err);
	for (uint32_t i = 0; i < c->region_count; i++)
		m->health_params[i] = params_of(m->health_configs[i]);
	return e;
}

static bool probed(const struct model *m, uint32_t region)
{
	return m->health_configs[region]->probe.type != CONFIG_PROBE_NONE;
}

static int build_backends(struct build *b)
{
	struct model *m = b->m;

	for (uint32_t i = 0; i < b->config->backend_count; i++) {
		const struct config_backend *c = &b->config->backends[i];
		struct model_backend *to = &m->backends[i];

		snprintf(to->name, sizeof(to->name), "%s", c->name);
		to->region = c->region;
		to->address = c->address;
		to->capacity = c->capacity;
		to->config_weight = c->weight;
		to->admin_weight = 1;
		to->state = to->admin_state = BACKEND_STATE_READY;
		to->nexthop_since = b->now;
		to->probe_s = -1;
		health_init(&m->healths[i], name_hash(to->name), probed(m, c->region));
		to->health = health_value(&m->healths[i]);
		if (model_index_add_name(m->index, to->name, i))
			return err_set(b->err, EEXIST, "two backends are named %s", to->name);
	}
	m->backend_count = b->config->backend_count;
	return 0;
}

/* --- adoption: the same backends under the same ids */

static void give_id(struct model *m, uint32_t backend, uint16_t id)
{
	m->backends[backend].id = id;
	model_index_set_id(m->index, id, backend);
}

/* The configured backend that an old one goes on as, or UINT32_MAX. */
static uint32_t successor(const struct model *m, const char *name, const struct address *address)
{
	uint32_t i = model_index_name(m->index, name);

	if (i == UINT32_MAX || m->backends[i].id != BACKEND_NONE ||
	    memcmp(&m->backends[i].address, address, sizeof(*address)))
		return UINT32_MAX;
	return i;
}

/* Unless it is to have another: then the old id leaves, and what is known of the machine stays. */
static bool keep_id(struct build *b, uint32_t to, uint16_t id)
{
	uint16_t configured = to == UINT32_MAX ? BACKEND_NONE : b->config->backends[to].id;

	if (to == UINT32_MAX || (configured != BACKEND_NONE && configured != id))
		return false;
	give_id(b->m, to, id);
	return true;
}

static struct model_backend *add_leaving(struct build *b, uint16_t id, const char *name,
					 const struct address *address, struct mono_ns leave_at)
{
	struct model *m = b->m;
	uint32_t i = m->backend_count++;
	struct model_backend *to = &m->backends[i];

	snprintf(to->name, sizeof(to->name), "%s", name);
	to->region = UINT32_MAX;
	to->address = *address;
	to->capacity = 1;
	to->admin_weight = 1;
	to->state = to->admin_state = BACKEND_STATE_DRAIN;
	to->nexthop = MODEL_NEXTHOP_RESOLVED;
	to->nexthop_since = b->now;
	to->leaving = true;
	to->leave_at = leave_at;
	health_init(&m->healths[i], name_hash(to->name), false);
	to->health = 1;
	give_id(m, i, id);
	return to;
}

/* Where nobody asks any more, nothing of what was told counts. */
static void carry_report(struct build *b, const struct model_backend *old, uint32_t to)
{
	struct model_backend *new = &b->m->backends[to];
	struct health *h = &b->m->healths[to];

	if (b->m->health_configs[new->region]->report.type == CONFIG_REPORT_NONE) {
		h->load_term = 1;
		health_tell(h, &b->m->health_params[new->region], false);
		return;
	}
	new->told = old->told;
	new->told_at = old->told_at;
	new->reporting = old->reporting;
	if (old->state > new->state)
		new->state = old->state;
}

static void carry_backend(struct build *b, uint32_t from, uint32_t to)
{
	const struct model_backend *old = &b->former->backends[from];
	struct model_backend *new = &b->m->backends[to];
	const struct health *h = &b->former->healths[from];

	new->admin_weight = old->admin_weight;
	if (old->leaving)
		return; /* it comes back as new: nobody watched it meanwhile */
	new->state = new->admin_state = old->admin_state;
	new->admin_health = old->admin_health;
	if (probed(b->m, new->region) || h->phase == HEALTH_KNOWN || h->told_down)
		b->m->healths[to] = *h;
	b->m->healths[to].probed = probed(b->m, new->region);
	b->m->healths[to].override = h->override;
	new->health = old->health;
	new->hard_down = old->hard_down;
	new->known = old->known;
	new->heard = old->heard;
	new->probe_s = old->probe_s;
	carry_report(b, old, to);
}

static void adopt_from_model(struct build *b)
{
	for (uint32_t i = 0; i < b->former->backend_count; i++) {
		const struct model_backend *old = &b->former->backends[i];
		uint32_t to = successor(b->m, old->name, &old->address);

		if (to != UINT32_MAX)
			carry_backend(b, i, to);
		if (!keep_id(b, to, old->id)) {
			add_leaving(b, old->id, old->name, &old->address,
				    old->leaving ? old->leave_at
						 : mono_after(b->now, old->drain_s));
			continue;
		}
		b->m->backends[to].nexthop = old->nexthop;
		b->m->backends[to].nexthop_since = old->nexthop_since;
	}
}

/* health_ppm is written only for backends that were known (publish.c), with written_ns. */
static void adopt_health(struct build *b, uint32_t i, const struct backend_name *name)
{
	struct health *h = &b->m->healths[i];
	struct model_backend *to = &b->m->backends[i];

	if (!name->written_ns || (!name->health_ppm && !probed(b->m, to->region)))
		return;
	h->value = fmin(name->health_ppm / 1e6, 1);
	h->phase = name->health_ppm ? HEALTH_KNOWN : HEALTH_DOWN;
	to->health = health_value(h);
	to->known = true;
	to->hard_down = h->phase == HEALTH_DOWN;
}

/* Which pools a backend was in that only the maps know is not known: the longest drain of all. */
static double longest_drain(const struct config *config)
{
	double longest = 0;

	for (uint32_t i = 0; i < config->pool_count; i++)
		longest = fmax(longest, config->pools[i].drain_s);
	return longest;
}

static void adopt_from_maps(struct build *b)
{
	double drain_s = longest_drain(b->config);

	for (uint32_t id = 1; id < b->sizes->backends; id++) {
		const struct backend *entry = &b->tables->backends[id];
		struct backend_name name = b->tables->backend_names[id];
		uint32_t to;

		name.name[sizeof(name.name) - 1] = 0;
		if (entry->state == BACKEND_STATE_FREE || !name.name[0])
			continue;
		to = successor(b->m, name.name, &entry->address);
		if (to != UINT32_MAX)
			adopt_health(b, to, &name);
		if (!keep_id(b, to, (uint16_t)id))
			add_leaving(b, (uint16_t)id, name.name, &entry->address,
				    mono_after(b->now, drain_s));
		else if (entry->nexthop)
			b->m->backends[to].nexthop = MODEL_NEXTHOP_RESOLVED;
	}
}

struct free_id {
	uint64_t freed_ns;
	uint16_t id;
};

static int cmp_free_id(const void *a, const void *b)
{
	const struct free_id *x = a, *y = b;

	if (x->freed_ns != y->freed_ns)
		return x->freed_ns < y->freed_ns ? -1 : 1;
	return (int)x->id - (int)y->id;
}

static void free_ids(struct free_id **ids)
{
	free(*ids);
}

/* No backend has it, and no entry that packets may still find. */
static bool id_is_free(const struct build *b, uint32_t id)
{
	return id < b->sizes->backends && b->tables->backends[id].state == BACKEND_STATE_FREE &&
	       !b->tables->backend_names[id].name[0] &&
	       model_index_id(b->m->index, (uint16_t)id) == UINT32_MAX;
}

/* What the configuration asks for must not wait for another's id to become free: flows would go to the wrong one. */
static int give_configured_ids(struct build *b)
{
	struct model *m = b->m;

	for (uint32_t i = 0; i < b->config->backend_count; i++) {
		uint16_t id = b->config->backends[i].id;
		uint32_t holder = model_index_id(m->index, id);

		if (id == BACKEND_NONE || m->backends[i].id != BACKEND_NONE)
			continue;
		if (id >= b->sizes->backends)
			return err_set(b->err, ERANGE, "backend %s: id %u; the map `backends` has %u entries",
				       m->backends[i].name, id, b->sizes->backends);
		if (!id_is_free(b, id))
			return err_set(b->err, EBUSY,
				       "backend %s: id %u is still in use by %s%s; choose one that is free",
				       m->backends[i].name, id,
				       holder == UINT32_MAX ? "one that was removed" : m->backends[holder].name,
				       holder != UINT32_MAX && m->backends[holder].leaving ? ", which is leaving" : "");
		give_id(m, i, id);
	}
	return 0;
}

/* Those that were never used first, then those that have been free for longest: old notes of flows name ids too. */
static int give_new_ids(struct build *b)
{
	struct model *m = b->m;
	__attribute__((cleanup(free_ids))) struct free_id *ids =
		zalloc(b->sizes->backends, sizeof(*ids));
	uint32_t count = 0, next = 0;

	if (!ids)
		return no_memory(b);
	for (uint32_t id = 1; id < b->sizes->backends; id++)
		if (id_is_free(b, id))
			ids[count++] = (struct free_id){b->tables->backend_names[id].written_ns,
							(uint16_t)id};
	qsort(ids, count, sizeof(*ids), cmp_free_id);
	for (uint32_t i = 0; i < m->backend_count; i++) {
		if (m->backends[i].id != BACKEND_NONE)
			continue;
		if (next == count)
			return err_set(b->err, ENOSPC,
				       "no id is left for backend %s: edge.backends is %u, of which %u are leaving",
				       m->backends[i].name, b->sizes->backends,
				       m->backend_count - b->config->backend_count);
		give_id(m, i, ids[next++].id);
	}
	return 0;
}

static uint32_t old_backends(const struct build *b)
{
	uint32_t n = 0;

	if (b->former)
		return b->former->backend_count;
	for (uint32_t id = 1; id < b->sizes->backends; id++)
		n += b->tables->backends[id].state != BACKEND_STATE_FREE;
	return n;
}

static int build_all_backends(struct build *b)
{
	struct model *m = b->m;
	size_t room = (size_t)b->config->backend_count + old_backends(b);
	int e;

	m->backends = zalloc(room, sizeof(*m->backends));
	m->healths = zalloc(room, sizeof(*m->healths));
	m->scratch = zalloc(room, sizeof(*m->scratch));
	m->health_list = zalloc(room, sizeof(*m->health_list));
	if (!m->backends || !m->healths || !m->scratch || !m->health_list ||
	    model_index_new((uint32_t)room, &m->index))
		return no_memory(b);
	e = build_backends(b);
	if (e)
		return e;
	if (b->former)
		adopt_from_model(b);
	else
		adopt_from_maps(b);
	e = give_configured_ids(b);
	return e ? e : give_new_ids(b);
}

/* --- pools */

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

	pool->members = zalloc(n, sizeof(*pool->members));
	pool->inputs = zalloc(n, sizeof(*pool->inputs));
	pool->results = zalloc(n, sizeof(*pool->results));
	pool->now = zalloc(n, sizeof(*pool->now));
	pool->published = zalloc(n, sizeof(*pool->published));
	pool->tiers = zalloc(g, sizeof(*pool->tiers));
	pool->group_results = zalloc(g, sizeof(*pool->group_results));
	pool->shifts = zalloc(g, sizeof(*pool->shifts));
	pool->primaries = zalloc(pool->slot_count, sizeof(*pool->primaries));
	pool->homes = zalloc(pool->slot_count, sizeof(*pool->homes));
	pool->changed = zalloc(pool->slot_count, sizeof(*pool->changed));
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
	pool->groups = zalloc(pool->group_count, sizeof(*pool->groups));
	if (!pool->groups)
		return no_memory(b);
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
		zalloc(pool->member_count, sizeof(*list));
	uint32_t home = home_tier(b->m, pool);
	const uint16_t *homes;
	int e;

	if (!list)
		return no_memory(b);
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
		return no_memory(b);
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
		return no_memory(b);
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
		return no_memory(b);
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

static int build_pools(struct build *b)
{
	struct model *m = b->m;

	m->pools = zalloc(b->config->pool_count, sizeof(*m->pools));
	if (!m->pools)
		return no_memory(b);
	for (uint32_t i = 0; i < b->config->pool_count; i++) {
		int e = build_pool(b, &b->config->pools[i], &m->pools[i]);

		if (e)
			return e;
		carry_pool(b, &m->pools[i]);
	}
	return 0;
}

/* --- services */

/* The id under which the half in force knows this service, or SERVICES_MAX. */
static uint32_t id_in_force(const struct build *b, const struct config_service *c)
{
	uint32_t half = b->tables->settings->half & 1;
	uint64_t seed = b->tables->settings->table[half].seed;
	const struct service *s;

	if (c->is_prefix) {
		uint8_t length = (uint8_t)(c->prefix_length + (address_is_ipv4(&c->address) ? 96 : 0));

		s = services_table_find(b->tables->prefixes + half * PREFIXES_TABLE_SIZE,
					PREFIXES_TABLE_SIZE, seed, &c->address, 0, 0, length);
	} else {
		s = services_table_find(b->tables->services + half * SERVICES_TABLE_SIZE,
					SERVICES_TABLE_SIZE, seed, &c->address, htons(c->port),
					c->protocol ? c->protocol : IPPROTO_TCP, 0);
	}
	return s ? s->id : SERVICES_MAX;
}

static void give_service_ids(struct build *b, bool *taken)
{
	struct model *m = b->m;
	uint16_t next = 0;

	for (uint32_t i = 0; i < m->service_count; i++) {
		uint32_t id = id_in_force(b, &m->services[i].config);

		m->services[i].id = SERVICES_MAX;
		if (id >= SERVICES_MAX || taken[id])
			continue;
		m->services[i].id = (uint16_t)id;
		taken[id] = true;
	}
	for (uint32_t i = 0; i < m->service_count; i++) {
		if (m->services[i].id != SERVICES_MAX)
			continue;
		while (taken[next])
			next++;
		m->services[i].id = next;
		taken[next] = true;
	}
}

static int build_services(struct build *b)
{
	struct model *m = b->m;
	bool taken[SERVICES_MAX] = {false};

	m->services = zalloc(b->config->service_count, sizeof(*m->services));
	if (!m->services)
		return no_memory(b);
	m->service_count = b->config->service_count;
	for (uint32_t i = 0; i < m->service_count; i++) {
		const struct config_service *c = &b->config->services[i];

		snprintf(m->services[i].name, sizeof(m->services[i].name), "%s", c->name);
		m->services[i].pool = c->pool;
		m->services[i].config = *c;
	}
	give_service_ids(b, taken);
	return 0;
}

int model_build(const struct config *config, const struct dataplane_tables *tables,
		const struct dataplane_sizes *sizes, const struct model *former,
		struct mono_ns now, struct err *err, struct model **ret_model)
{
	struct build b = {config, tables, sizes, former, now, err, NULL};
	int e = model_check(config, err);

	if (e)
		return e;
	b.m = calloc(1, sizeof(*b.m));
	if (!b.m)
		return no_memory(&b);
	b.m->config = config;
	b.m->hash_seed = hash_mix(config->edge.hash_seed);
	b.m->frozen = former && former->frozen;
	if (former)
		b.m->last_tick = former->last_tick; /* time goes on */
	e = build_regions(&b);
	if (!e)
		e = build_all_backends(&b);
	if (!e)
		e = build_pools(&b);
	if (!e)
		e = build_services(&b);
	if (e) {
		model_free(b.m);
		return e;
	}
	*ret_model = b.m;
	return 0;
}

static void free_pool(struct model_pool *pool)
{
	slots_free(pool->slots);
	weight_state_free(pool->weights);
	free(pool->groups);
	free(pool->members);
	free(pool->inputs);
	free(pool->results);
	free(pool->now);
	free(pool->published);
	free(pool->tiers);
	free(pool->group_results);
	free(pool->shifts);
	free(pool->primaries);
	free(pool->homes);
	free(pool->changed);
}

void model_free(struct model *m)
{
	if (!m)
		return;
	for (uint32_t i = 0; i < m->pool_count; i++)
		free_pool(&m->pools[i]);
	free(m->pools);
	free(m->services);
	free(m->backends);
	free(m->healths);
	free(m->scratch);
	free(m->health_list);
	free(m->health_params);
	free(m->health_configs);
	free(m->regions);
	free(m->providers);
	model_index_free(m->index);
	free(m);
}
