// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * model_build_backends: providers, regions and backends, and the ids of what was there before.
 *
 * A backend is the same if name and address are, and the id, where the configuration gives one: an entry of `backends` is
 * never rewritten for another address, so a backend whose address changed gets a new id, and the old one leaves like one
 * that was removed.
 */
#include "controller/model_build.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/model_index.h"
#include "controller/namehash.h"

/* --- providers, regions, backends as the configuration has them */

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

int model_build_regions(struct build *b)
{
	const struct config *c = b->config;
	struct model *m = b->m;
	int e;

	m->providers = model_build_zalloc(c->provider_count, sizeof(*m->providers));
	m->regions = model_build_zalloc(c->region_count, sizeof(*m->regions));
	m->health_params = model_build_zalloc(c->region_count, sizeof(*m->health_params));
	m->health_configs = model_build_zalloc(c->region_count, sizeof(*m->health_configs));
	if (!m->providers || !m->regions || !m->health_params || !m->health_configs)
		return model_build_no_memory(b);
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
	e = model_build_each_group(c, use_pool_health, m, b->err);
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
	carry_report(b, old, to);
}

/* The new file's word, pool by pool: whoever removes a backend may say in the same breath how long it drains. A pool that is
 * gone with it: the old one's. */
static double drain_of(const struct build *b, uint32_t i)
{
	double longest = 0;

	for (uint32_t p = 0; p < b->former->pool_count; p++) {
		const struct model_pool *pool = &b->former->pools[p];
		double drain_s = b->former->backends[i].drain_s;

		if (!model_member_of(b->former, pool, i))
			continue;
		for (uint32_t n = 0; n < b->config->pool_count; n++)
			if (!strcmp(b->config->pools[n].name, pool->name))
				drain_s = b->config->pools[n].drain_s;
		longest = fmax(longest, drain_s);
	}
	return longest;
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
						 : mono_after(b->now, drain_of(b, i)));
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
		model_build_zalloc(b->sizes->backends, sizeof(*ids));
	uint32_t count = 0, next = 0;

	if (!ids)
		return model_build_no_memory(b);
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

int model_build_backends(struct build *b)
{
	struct model *m = b->m;
	size_t room = (size_t)b->config->backend_count + old_backends(b);
	int e;

	m->backends = model_build_zalloc(room, sizeof(*m->backends));
	m->healths = model_build_zalloc(room, sizeof(*m->healths));
	m->scratch = model_build_zalloc(room, sizeof(*m->scratch));
	m->health_list = model_build_zalloc(room, sizeof(*m->health_list));
	if (!m->backends || !m->healths || !m->scratch || !m->health_list ||
	    model_index_new((uint32_t)room, &m->index))
		return model_build_no_memory(b);
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
