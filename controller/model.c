// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * model: what happens to a built model: evidence in, ticks, an operator's wishes, events out. model_build.c makes one.
 *
 * A tick, in order: health of every backend; weights of every pool (weight.c, rules 1 to 7); whether they have moved
 * enough (rule 8); if so the new table (slots.c) and the list of slots that differ, which publish.c then stores.
 */
#include "controller/model.h"

#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "controller/model_index.h"
#include "controller/model_private.h"

#define TICKS_AT_ONCE	  3.0 /* a daemon that slept does not make up for it in one jump */
#define TABLES_A_TICK	  2   /* that merely slide; more wait for the next ticks, so that one tick stays short */
#define NEXTHOP_PENDING_S 2.0 /* this long an unanswered next hop counts as usable */

const char *const model_state_names[] = {"free", "ready", "drain", "maint"};
const char *const model_admin_health_names[] = {"auto", "up", "down"};
const char *const model_nexthop_names[] = {"pending", "resolved", "lost", "failed"};
const char *const model_level_names[] = {"well", "degraded", "dead"};
const char *const model_event_names[] = {
	"backend-down",	   "backend-up",   "backend-state", "backend-weight", "backend-health",
	"backend-added",   "backend-leaving", "backend-gone", "backend-report", "nexthop", "group",
	"pool-empty",	   "pool-filled",  "pool-panic",    "pool-calm",      "probes-doubted",
	"probes-trusted",  "freeze",       "unfreeze",	    "table",
};
static_assert(sizeof(model_state_names) / sizeof(char *) == BACKEND_STATE__COUNT, "names");
static_assert(sizeof(model_admin_health_names) / sizeof(char *) == MODEL_ADMIN_HEALTH__COUNT, "names");
static_assert(sizeof(model_nexthop_names) / sizeof(char *) == MODEL_NEXTHOP__COUNT, "names");
static_assert(sizeof(model_level_names) / sizeof(char *) == MODEL_LEVEL__COUNT, "names");
static_assert(sizeof(model_event_names) / sizeof(char *) == MODEL_EVENT__COUNT, "names");

void model_emit(const struct model *m, enum model_event_kind kind, const char *pool,
		const char *subject, struct mono_ns at, const char *fmt, ...)
{
	struct model_event event = {.kind = kind, .at = at};
	va_list ap;

	if (!m->on_event)
		return;
	snprintf(event.pool, sizeof(event.pool), "%s", pool);
	snprintf(event.subject, sizeof(event.subject), "%s", subject);
	va_start(ap, fmt);
	vsnprintf(event.detail, sizeof(event.detail), fmt, ap);
	va_end(ap);
	m->on_event(m->event_ctx, &event);
}

/* --- looking things up */

uint32_t model_find_backend(const struct model *m, const char *name)
{
	return model_index_name(m->index, name);
}

uint32_t model_find_backend_id(const struct model *m, uint16_t id)
{
	return model_index_id(m->index, id);
}

uint32_t model_find_pool(const struct model *m, const char *name)
{
	for (uint32_t i = 0; i < m->pool_count; i++)
		if (!strcmp(m->pools[i].name, name))
			return i;
	return UINT32_MAX;
}

uint32_t model_find_region(const struct model *m, const char *name)
{
	uint32_t found = UINT32_MAX, matches = 0;

	for (uint32_t i = 0; i < m->region_count; i++) {
		if (!strcmp(m->regions[i].full_name, name))
			return i;
		if (!strcmp(m->regions[i].name, name)) {
			found = i;
			matches++;
		}
	}
	return matches == 1 ? found : UINT32_MAX;
}

uint32_t model_find_service(const struct model *m, const char *name)
{
	for (uint32_t i = 0; i < m->service_count; i++)
		if (!strcmp(m->services[i].name, name))
			return i;
	return UINT32_MAX;
}

uint32_t model_find_service_id(const struct model *m, uint16_t id)
{
	for (uint32_t i = 0; i < m->service_count; i++)
		if (m->services[i].id == id)
			return i;
	return UINT32_MAX;
}

enum track model_service_track(const struct model *m, uint32_t service)
{
	const struct config_service *c = &m->services[service].config;
	const struct model_pool *pool = &m->pools[m->services[service].pool];

	if (c->affinity == AFFINITY_NONE)
		return TRACK_NEVER;
	if (pool->has_track)
		return pool->track;
	if (c->protocol == IPPROTO_UDP && c->affinity != AFFINITY_QUIC)
		return TRACK_ALWAYS; /* as SERVICE_TRACK_UDP where both protocols are served */
	return c->encap == ENCAP_GUE ? TRACK_MOVED : TRACK_ALWAYS;
}

struct model_member *model_member_of(const struct model *m, const struct model_pool *pool,
				     uint32_t backend)
{
	const struct model_backend *b = &m->backends[backend];

	if (b->leaving)
		return NULL;
	for (uint32_t g = 0; g < pool->group_count; g++)
		if (pool->groups[g].region == b->region)
			return &pool->members[pool->groups[g].first_member + backend -
					      m->regions[b->region].first_backend];
	return NULL;
}

/* --- evidence and wishes */

void model_probe_result(struct model *m, uint32_t backend, enum probe_outcome outcome, double took_s,
			struct mono_ns now)
{
	struct model_backend *b = &m->backends[backend];

	if (b->leaving)
		return;
	if (outcome == PROBE_OK || outcome == PROBE_BAD_STATUS)
		latency_answer(&m->healths[backend].latency, took_s);
	health_probe(&m->healths[backend], &m->health_params[b->region], outcome);
	if (!m->doubted || (outcome != PROBE_TIMEOUT && outcome != PROBE_UNREACHABLE))
		b->heard = now;
}

void model_inband(struct model *m, uint32_t backend, double ratio, double total, double dt_s,
		  struct mono_ns now)
{
	struct model_backend *b = &m->backends[backend];

	if (b->leaving)
		return;
	if (!m->healths[backend].probed)
		b->heard = now;
	health_inband(&m->healths[backend], &m->health_params[b->region], ratio * total, total, 1,
		      dt_s);
}

void model_nexthop_result(struct model *m, uint32_t backend, bool resolved, struct mono_ns now)
{
	struct model_backend *b = &m->backends[backend];
	enum model_nexthop to = b->nexthop;

	if (resolved)
		to = MODEL_NEXTHOP_RESOLVED;
	else if (b->nexthop == MODEL_NEXTHOP_RESOLVED)
		to = MODEL_NEXTHOP_LOST;
	if (to == b->nexthop)
		return;
	model_emit(m, MODEL_EVENT_NEXTHOP, "", b->name, now, "from=%s to=%s",
	     model_nexthop_names[b->nexthop], model_nexthop_names[to]);
	b->nexthop = to;
	b->nexthop_since = now;
}

void model_force_pools(struct model *m, uint32_t backend)
{
	for (uint32_t i = 0; i < m->pool_count; i++)
		if (model_member_of(m, &m->pools[i], backend))
			m->pools[i].forced = true;
}

void model_judge_state(struct model *m, uint32_t backend, const char *by, struct mono_ns now)
{
	static const enum backend_state told[REPORT_ADMIN__COUNT] = {
		[REPORT_ADMIN_UNSAID] = BACKEND_STATE_READY,
		[REPORT_ADMIN_READY] = BACKEND_STATE_READY,
		[REPORT_ADMIN_DRAIN] = BACKEND_STATE_DRAIN,
		[REPORT_ADMIN_MAINT] = BACKEND_STATE_MAINT,
	};
	struct model_backend *b = &m->backends[backend];
	enum backend_state to = told[b->told.admin];

	static_assert(BACKEND_STATE_READY < BACKEND_STATE_DRAIN &&
			      BACKEND_STATE_DRAIN < BACKEND_STATE_MAINT, "the stricter is the larger");
	if (b->admin_state > to)
		to = b->admin_state;
	if (b->state == to || b->leaving)
		return;
	model_emit(m, MODEL_EVENT_BACKEND_STATE, "", b->name, now, "from=%s to=%s by=%s",
		   model_state_names[b->state], model_state_names[to], by);
	b->state = to;
	model_force_pools(m, backend);
}

void model_backend_set_state(struct model *m, uint32_t backend, enum backend_state state,
			     struct mono_ns now)
{
	m->backends[backend].admin_state = state;
	model_judge_state(m, backend, "operator", now);
}

int model_backend_set_weight(struct model *m, uint32_t backend, double weight, struct mono_ns now,
			     struct err *err)
{
	struct model_backend *b = &m->backends[backend];

	if (!(weight >= 0 && weight <= 1))
		return err_set(err, ERANGE, "a weight is between 0 and 1, or 0%% and 100%%");
	if (b->admin_weight == weight)
		return 0;
	model_emit(m, MODEL_EVENT_BACKEND_WEIGHT, "", b->name, now, "from=%.4f to=%.4f",
	     b->admin_weight, weight);
	b->admin_weight = weight;
	model_force_pools(m, backend);
	return 0;
}

void model_backend_set_health(struct model *m, uint32_t backend, enum model_admin_health health,
			      struct mono_ns now)
{
	static const enum health_override overrides[] = {HEALTH_AUTO, HEALTH_FORCE_UP,
							 HEALTH_FORCE_DOWN};
	struct model_backend *b = &m->backends[backend];

	if (b->admin_health == health)
		return;
	model_emit(m, MODEL_EVENT_BACKEND_HEALTH, "", b->name, now, "from=%s to=%s",
	     model_admin_health_names[b->admin_health], model_admin_health_names[health]);
	b->admin_health = health;
	m->healths[backend].override = overrides[health];
	model_force_pools(m, backend);
}

void model_freeze(struct model *m, bool frozen, struct mono_ns now)
{
	if (m->frozen == frozen)
		return;
	m->frozen = frozen;
	model_emit(m, frozen ? MODEL_EVENT_FREEZE : MODEL_EVENT_UNFREEZE, "", "", now,
		   "effect=%s", frozen ? "weights-stay" : "weights-move");
}

int model_forget_past(struct model *m, struct err *err)
{
	for (uint32_t i = 0; i < m->pool_count; i++) {
		struct model_pool *pool = &m->pools[i];

		weight_state_free(pool->weights);
		pool->weights = NULL;
		if (weight_state_new(pool->group_count, pool->member_count, &pool->weights))
			return err_set(err, ENOMEM, "out of memory");
		pool->forced = true;
	}
	m->frozen = false;
	return 0;
}

void model_announce(const struct model *m, const struct model *former, struct mono_ns now)
{
	for (uint32_t i = 0; i < m->backend_count; i++) {
		const struct model_backend *b = &m->backends[i];
		uint32_t was = former ? model_find_backend_id(former, b->id) : UINT32_MAX;

		if (b->leaving && (was == UINT32_MAX || !former->backends[was].leaving))
			model_emit(m, MODEL_EVENT_BACKEND_LEAVING, "", b->name, now, "after_s=%.1f",
			     mono_seconds_between(now, b->leave_at));
		else if (!b->leaving && was == UINT32_MAX && former)
			model_emit(m, MODEL_EVENT_BACKEND_ADDED, "", b->name, now, "region=%s",
			     m->regions[b->region].full_name);
	}
}

void model_forget(struct model *m, uint32_t backend, struct mono_ns now)
{
	uint32_t last = m->backend_count - 1;

	model_emit(m, MODEL_EVENT_BACKEND_GONE, "", m->backends[backend].name, now, "id=%u",
	     m->backends[backend].id);
	model_index_set_id(m->index, m->backends[backend].id, UINT32_MAX);
	if (backend != last) {
		m->backends[backend] = m->backends[last];
		m->healths[backend] = m->healths[last];
		model_index_set_id(m->index, m->backends[backend].id, backend);
	}
	m->backend_count--;
}

/* --- a tick: health */

/* What an unknown backend is taken for. Few known ones say little: at a start the first probe to fail would else
 * speak for its whole region. */
static double region_median(struct model *m, const struct model_region *region)
{
	const struct health **list = m->health_list;
	uint32_t unknown = 0;

	for (uint32_t i = 0; i < region->backend_count; i++) {
		list[i] = &m->healths[region->first_backend + i];
		unknown += list[i]->phase == HEALTH_UNKNOWN;
	}
	if (!unknown || 2 * unknown > region->backend_count)
		return 1.0;
	return health_median(list, region->backend_count, 1.0, m->scratch);
}

static void take_health(struct model *m, uint32_t i, struct mono_ns now)
{
	struct model_backend *b = &m->backends[i];
	const struct health *h = &m->healths[i];
	bool down = h->override == HEALTH_FORCE_DOWN ||
		    (h->override == HEALTH_AUTO &&
		     (h->phase == HEALTH_DOWN || h->phase == HEALTH_RETURN));

	b->health = health_value(h);
	b->known = h->phase != HEALTH_UNKNOWN;
	if (down != b->hard_down)
		model_emit(m, down ? MODEL_EVENT_BACKEND_DOWN : MODEL_EVENT_BACKEND_UP, "", b->name, now,
		     "region=%s", m->regions[b->region].full_name);
	b->hard_down = down;
	if (b->nexthop == MODEL_NEXTHOP_PENDING &&
	    mono_seconds_between(b->nexthop_since, now) > NEXTHOP_PENDING_S) {
		model_emit(m, MODEL_EVENT_NEXTHOP, "", b->name, now, "from=pending to=failed");
		b->nexthop = MODEL_NEXTHOP_FAILED;
		b->nexthop_since = now;
	}
}

/* Silence everywhere alike is rather that of our own path. */
static void watch_probes(struct model *m, struct mono_ns now)
{
	bool doubted;
	uint32_t n = 0;

	while (n < m->backend_count && !m->backends[n].leaving)
		n++;
	m->doubt = health_doubt(m->healths, n);
	doubted = m->doubt >= (m->doubted ? HEALTH_DOUBTED / 2 : HEALTH_DOUBTED);
	for (uint32_t i = 0; i < n; i++)
		m->healths[i].doubt = doubted ? fmax(m->doubt, HEALTH_DOUBTED) : m->doubt;
	if (doubted != m->doubted)
		model_emit(m, doubted ? MODEL_EVENT_PROBES_DOUBTED : MODEL_EVENT_PROBES_TRUSTED, "", "", now,
		     "silent=%.2f backends=%u", m->doubt, n);
	m->doubted = doubted;
}

static bool counts_for_latency(const struct health *h)
{
	return h->probed && (h->phase == HEALTH_KNOWN || h->phase == HEALTH_UNKNOWN);
}

/* So is slowness: what a backend is judged by is what it is slower than the others. */
static void watch_latencies(struct model *m, double dt)
{
	struct latency_census census = {0};

	for (uint32_t i = 0; i < m->config->backend_count; i++)
		if (counts_for_latency(&m->healths[i]))
			latency_count(&census, &m->healths[i].latency);
	m->slowness_s = latency_shared(&census);
	for (uint32_t i = 0; i < m->config->backend_count; i++) {
		struct health *h = &m->healths[i];
		const struct latency_params *p = &m->health_params[m->backends[i].region].latency;

		latency_tick(&h->latency, p, dt);
		h->latency_term = counts_for_latency(h) ? latency_term(&h->latency, p, m->slowness_s) : 1;
	}
}

static void tick_healths(struct model *m, double dt, struct mono_ns now)
{
	watch_probes(m, now);
	watch_latencies(m, dt);
	for (uint32_t r = 0; r < m->region_count; r++) {
		const struct model_region *region = &m->regions[r];
		double median = region_median(m, region);

		for (uint32_t i = 0; i < region->backend_count; i++) {
			uint32_t backend = region->first_backend + i;

			if (dt > 0)
				health_tick(&m->healths[backend], &m->health_params[r], median, dt);
			take_health(m, backend, now);
		}
	}
}

/* --- a tick: weights and tables */

static bool usable(const struct model_backend *b)
{
	return !b->hard_down && b->nexthop != MODEL_NEXTHOP_FAILED;
}

static int compute_weights(struct model *m, struct model_pool *pool, double dt)
{
	struct weight_input in = {
		.backends = pool->inputs,
		.backend_count = pool->member_count,
		.groups = pool->tiers,
		.group_count = pool->group_count,
		.shifts = pool->shifts,
		.shift_count = pool->shift_count,
		.dt_s = dt,
		.frozen = m->frozen || pool->frozen,
	};

	for (uint32_t i = 0; i < pool->member_count; i++) {
		const struct model_backend *b = &m->backends[pool->members[i].backend];

		pool->inputs[i].health = b->health;
		pool->inputs[i].weight = b->config_weight * b->admin_weight;
		pool->inputs[i].ready = b->state == BACKEND_STATE_READY;
		pool->inputs[i].down = !usable(b);
	}
	return weight_compute(&pool->weight_params, &in, pool->weights, pool->group_results,
			      pool->results);
}

static enum model_level level_of(const struct weight_params *p, const struct model_group *group)
{
	if (group->availability < (group->level == MODEL_LEVEL_DEAD ? p->alive_above : p->dead_below))
		return MODEL_LEVEL_DEAD;
	return group->availability < (group->level == MODEL_LEVEL_WELL ? 0.95 : 1.0)
		       ? MODEL_LEVEL_DEGRADED
		       : MODEL_LEVEL_WELL;
}

static void take_groups(struct model *m, struct model_pool *pool, struct mono_ns now)
{
	for (uint32_t g = 0; g < pool->group_count; g++) {
		struct model_group *group = &pool->groups[g];
		const struct weight_group_result *r = &pool->group_results[g];
		enum model_level level;

		group->capacity = r->capacity;
		group->effective = r->effective;
		group->availability = r->availability;
		group->want = r->want;
		group->share = r->share;
		group->headroom = r->headroom;
		group->base = r->base;
		group->moved = r->moved;
		group->limited_by = r->limited_by;
		level = level_of(&pool->weight_params, group);
		if (level != group->level && group->member_count)
			model_emit(m, MODEL_EVENT_GROUP, pool->name,
			     m->regions[group->region].full_name, now,
			     "from=%s to=%s availability=%.3f share=%.4f",
			     model_level_names[group->level], model_level_names[level],
			     group->availability, group->share);
		group->level = level;
	}
}

/* True: something can take traffic. */
static bool take_members(struct model_pool *pool)
{
	bool any = false;

	for (uint32_t i = 0; i < pool->member_count; i++) {
		pool->members[i].weight = pool->results[i].weight;
		pool->members[i].limited_by = pool->results[i].limited_by;
		pool->now[i] = pool->results[i].weight;
		any |= pool->now[i] > 0;
	}
	return any;
}

static void take_flags(struct model *m, struct model_pool *pool, bool any, struct mono_ns now)
{
	bool panic = weight_in_panic(pool->weights);

	if (pool->empty == any)
		model_emit(m, any ? MODEL_EVENT_POOL_FILLED : MODEL_EVENT_POOL_EMPTY, pool->name, "", now,
		     "backends=%u", pool->member_count);
	pool->empty = !any;
	if (pool->panic != panic)
		model_emit(m, panic ? MODEL_EVENT_POOL_PANIC : MODEL_EVENT_POOL_CALM, pool->name, "", now,
		     "backends=%u", pool->member_count);
	pool->panic = panic;
}

/* Somebody is to get traffic who had none, or the other way round: that waits for nobody. */
static bool is_urgent(const struct model_pool *pool)
{
	for (uint32_t i = 0; i < pool->member_count; i++)
		if ((pool->published[i] > 0) != (pool->now[i] > 0))
			return true;
	return pool->forced;
}

/* `*budget`: how many tables that merely slide may still be made in this tick. */
static uint32_t tick_pool(struct model *m, struct model_pool *pool, double dt, uint32_t *budget,
			  struct mono_ns now)
{
	bool any;

	if (compute_weights(m, pool, dt))
		return 0;
	take_groups(m, pool, now);
	any = take_members(pool);
	take_flags(m, pool, any, now);
	if (!pool->forced &&
	    !weight_should_publish(&pool->weight_params, pool->published, pool->now,
				   pool->member_count, mono_seconds_between(pool->published_at, now)))
		return 0;
	if (!is_urgent(pool)) {
		if (!*budget)
			return 0;
		--*budget;
	}
	return model_make_table(m, pool, now);
}

uint32_t model_tick(struct model *m, struct mono_ns now)
{
	double dt = m->last_tick.v ? fmin(mono_seconds_between(m->last_tick, now),
				    TICKS_AT_ONCE * m->config->health.tick_s)
			     : 0;
	uint32_t moved = 0, budget = TABLES_A_TICK;

	if (m->ticks && dt <= 0)
		return 0;
	tick_healths(m, dt, now);
	for (uint32_t i = 0; i < m->pool_count; i++)
		moved += tick_pool(m, &m->pools[(m->first_pool + i) % m->pool_count], dt, &budget,
				   now);
	m->first_pool = m->pool_count ? (m->first_pool + TABLES_A_TICK) % m->pool_count : 0;
	m->last_tick = now;
	m->ticks++;
	return moved;
}
