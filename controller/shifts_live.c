// SPDX-License-Identifier: GPL-2.0-or-later
#include "controller/shifts_live.h"

#include <math.h>
#include <string.h>

#include "controller/namehash.h"
#include "maps/hash.h"

/* Up to where it names: what it has moved, but nothing of what an older shift had and it does not want. */
static double wanted_part(const struct shifts_entry *e)
{
	const struct shift *x = &e->shift;

	if (!e->live || x->phase == SHIFT_PENDING || x->phase == SHIFT_BACK || x->phase == SHIFT_CLOSED)
		return 0;
	return fmin(x->part, x->plan.steps[x->step].part);
}

bool shifts_live_due(struct shifts *s, double dt_s)
{
	bool due = false;

	for (uint32_t i = 0; i < s->count; i++) {
		struct shifts_entry *e = &s->entries[i];

		if (wanted_part(e) <= 0)
			continue;
		e->sandboxes.again_s -= dt_s;
		due |= e->sandboxes.again_s <= 0 || wanted_part(e) > e->sandboxes.named;
	}
	return due;
}

void shifts_live_again(struct shifts *s)
{
	for (uint32_t i = 0; i < s->count; i++)
		s->entries[i].sandboxes.again_s = 0;
}

void shifts_live_begin(struct shifts *s)
{
	for (uint32_t i = 0; i < s->count; i++) {
		struct shifts_sandboxes *x = &s->entries[i].sandboxes;

		x->sweep = wanted_part(&s->entries[i]);
		x->seen = 0;
		if (x->sweep > 0 && x->again_s <= 0) {
			x->named = 0;
			x->again_s = SHIFTS_LIVE_AGAIN_S;
		}
	}
}

void shifts_live_end(struct shifts *s)
{
	for (uint32_t i = 0; i < s->count; i++) {
		struct shifts_sandboxes *x = &s->entries[i].sandboxes;

		if (x->sweep <= 0)
			continue;
		x->named = x->sweep;
		x->ever_named = fmax(x->ever_named, x->sweep);
		x->left = x->seen;
		x->sweep = 0;
	}
}

static double unit(uint64_t hash)
{
	return (double)(hash >> 11) / 9007199254740992.0;
}

static uint64_t hash_of(const struct model *m, const struct sandbox_key *key)
{
	return hash_mix(hash_address(hash_is_ipv4(&key->address), &key->address, key->port_be, m->hash_seed));
}

/* Weighted rendezvous. A dead or drained one is no place to move to. */
static uint32_t choose(const struct model *m, const struct model_pool *pool, uint32_t group, uint64_t hash)
{
	const struct model_group *g = &pool->groups[group];
	uint32_t best = UINT32_MAX;
	double highest = 0;

	for (uint32_t i = 0; i < g->member_count; i++) {
		uint32_t at = pool->members[g->first_member + i].backend;
		const struct model_backend *b = &m->backends[at];
		double weight = b->capacity * b->health * b->config_weight * b->admin_weight, score;

		if (weight <= 0 || b->state != BACKEND_STATE_READY || b->hard_down || b->leaving)
			continue;
		score = weight / -log(unit(hash_mix(hash ^ name_hash(b->name))) + 0x1p-54);
		if (score > highest) {
			highest = score;
			best = at;
		}
	}
	return best;
}

/* What of one shift is the same for all sandboxes of a piece. */
struct sweep {
	struct shifts_entry *entry;
	uint32_t pool, from_region, to; /* indices; `to` of the pool's groups */
};

static uint32_t begin_piece(struct shifts *s, const struct model *m, struct sweep *ret_sweeps)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->count; i++) {
		struct shifts_entry *e = &s->entries[i];
		struct sweep *to = &ret_sweeps[n];

		to->pool = e->sandboxes.sweep > 0 ? model_find_pool(m, e->pool) : UINT32_MAX;
		if (to->pool == UINT32_MAX)
			continue;
		to->entry = e;
		to->from_region = model_find_region(m, e->from);
		to->to = shifts_find_group(m, &m->pools[to->pool], e->to);
		n += to->from_region != UINT32_MAX && to->to != UINT32_MAX;
	}
	return n;
}

static uint32_t pool_of(const struct model *m, uint16_t service_id)
{
	uint32_t service = model_find_service_id(m, service_id);

	return service == UINT32_MAX ? UINT32_MAX : m->services[service].pool;
}

static void look_at(const struct sweep *sweep, const struct model *m, const struct sandbox_key *key,
		    uint32_t backend, shifts_live_fn on_wanted, void *ctx)
{
	struct shifts_sandboxes *x = &sweep->entry->sandboxes;
	uint64_t hash = hash_of(m, key);

	if (unit(hash) >= x->sweep)
		return;
	x->seen++;
	if (unit(hash) < x->named)
		return;
	if (unit(hash) >= x->ever_named)
		x->wanted++;
	on_wanted(ctx, sweep->entry, key, backend, choose(m, &m->pools[sweep->pool], sweep->to, hash));
}

void shifts_live_look(struct shifts *s, const struct model *m, const struct sandbox_key *keys,
		      const struct sandbox *values, uint32_t count, shifts_live_fn on_wanted, void *ctx)
{
	struct sweep sweeps[SHIFTS_MAX];
	uint32_t n = begin_piece(s, m, sweeps), pool = UINT32_MAX;
	int32_t service = -1; /* whose pool that is: neighbours are mostly of one */

	for (uint32_t k = 0; k < count && n; k++) {
		uint32_t backend = model_find_backend_id(m, values[k].backend);

		if (backend == UINT32_MAX)
			continue;
		if (keys[k].service != service) {
			service = keys[k].service;
			pool = pool_of(m, keys[k].service);
		}
		for (uint32_t i = 0; i < n; i++)
			if (sweeps[i].pool == pool && sweeps[i].from_region == m->backends[backend].region)
				look_at(&sweeps[i], m, &keys[k], backend, on_wanted, ctx);
	}
}

void shifts_live_moved(struct shifts *s, const struct model *m, const struct sandboxes_entry *moved)
{
	uint32_t from = model_find_backend_id(m, moved->value.former);
	uint32_t to = model_find_backend_id(m, moved->value.backend);
	uint32_t pool = pool_of(m, moved->key.service);

	if (from == UINT32_MAX || to == UINT32_MAX || pool == UINT32_MAX ||
	    m->backends[from].region == UINT32_MAX || m->backends[from].region == m->backends[to].region)
		return;
	for (uint32_t i = 0; i < s->count; i++) {
		struct shifts_entry *e = &s->entries[i];

		if (!e->live || e->shift.phase == SHIFT_CLOSED || strcmp(e->pool, m->pools[pool].name) ||
		    strcmp(e->from, m->regions[m->backends[from].region].full_name))
			continue;
		e->sandboxes.moved++;
		e->sandboxes.left -= e->sandboxes.left > 0;
	}
}
