// SPDX-License-Identifier: GPL-2.0-or-later
/* show: see the header. Members that stand for a number that is not known are left out. */
#include "controller/show.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

/* Steals `value`; a failure shows as a missing member. */
static void set(json_t *to, const char *key, json_t *value)
{
	(void)json_object_set_new(to, key, value);
}

static void add(json_t *to, json_t *value)
{
	(void)json_array_append_new(to, value);
}

static json_t *number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static json_t *hex(uint64_t n)
{
	return json_sprintf("%016" PRIx64, n);
}

static json_t *limit(enum weight_limit limited_by)
{
	return json_string(weight_limit_name(limited_by));
}

static const char *provider_of(const struct model *m, uint32_t region)
{
	return m->providers[m->regions[region].provider].name;
}

/* --- backends */

static json_t *place_in_pool(const struct model_pool *pool, const struct model_member *member)
{
	return json_pack("{ss, si, sf, sf, si, so}", "pool", pool->name, "tier",
			 (int)pool->groups[member->group].tier, "weight", member->weight, "share",
			 member->share, "slots", (int)member->slots, "limited_by",
			 limit(member->limited_by));
}

static void put_places(const struct show *show, uint32_t backend, json_t *to)
{
	const struct model *m = show->model;
	const struct model_member *best = NULL;
	json_t *pools = json_array();

	for (uint32_t i = 0; i < m->pool_count; i++) {
		const struct model_member *member = model_member_of(m, &m->pools[i], backend);

		if (!member)
			continue;
		add(pools, place_in_pool(&m->pools[i], member));
		if (!best || member->slots > best->slots)
			best = member;
	}
	set(to, "weight", json_real(best ? best->weight : 0));
	set(to, "share", json_real(best ? best->share : 0));
	set(to, "slots", number(best ? best->slots : 0));
	set(to, "limited_by", best ? limit(best->limited_by) : json_string("state"));
	set(to, "pools", pools);
}

static void put_backend_stats(const struct show *show, uint16_t id, json_t *to)
{
	struct backend_stats stats;

	if (!show->dataplane || dataplane_backend_stats(show->dataplane, id, &stats))
		return;
	set(to, "packets", number(stats.packets));
	set(to, "bytes", number(stats.bytes));
	set(to, "new_flows", number(stats.new_flows));
	set(to, "kept", number(stats.kept));
}

/* The time that `part` of the handshakes took at most, by the upper end of its bucket. */
static double quantile_ms(const struct backend_signals *signals, double part)
{
	uint64_t all = 0, sum = 0;
	int i = 0;

	for (int k = 0; k < SIGNALS_BUCKETS; k++)
		all += signals->took[k];
	while (i < SIGNALS_BUCKETS - 1 && (double)(sum += signals->took[i]) < part * (double)all)
		i++;
	return (double)(1u << i) / 1000;
}

static void put_handshakes(const struct show *show, const struct model_backend *b, json_t *to)
{
	const struct model_signals *s = &b->signals;
	json_t *shown = json_object();

	set(shown, "begun", number(s->begun));
	set(shown, "completed", number(s->completed));
	set(shown, "failed", number(s->failed));
	set(shown, "reset", number(s->reset));
	set(shown, "retransmitted", number(s->retransmitted));
	set(shown, "recent", json_real(s->recent));
	set(shown, "ratio", json_real(s->ratio));
	set(shown, "judged", json_real(s->judged));
	if (show->dataplane && s->completed) {
		const struct backend_signals *times = &dataplane_tables(show->dataplane)->signals[b->id];

		set(shown, "p50_ms", json_real(quantile_ms(times, 0.5)));
		set(shown, "p99_ms", json_real(quantile_ms(times, 0.99)));
	}
	set(to, "handshakes", shown);
}

static void put_report(const struct model_backend *b, json_t *to)
{
	const struct report *r = &b->told;
	json_t *told;

	if (!b->told_at.v && !b->told.admin && !b->told.status)
		return;
	told = json_pack("{sb}", "answers", b->reporting);
	if (b->told_at.v)
		set(told, "age_s", json_real(mono_seconds_between(b->told_at, mono_now())));
	if (r->admin)
		set(told, "state", json_string(report_admin_names[r->admin]));
	if (r->status)
		set(told, "status", json_string(report_status_names[r->status]));
	if (r->has_weight)
		set(told, "weight", json_real(r->weight));
	if (r->has_load)
		set(told, "load", json_real(r->load));
	if (r->has_sandboxes)
		set(told, "sandboxes", number(r->sandboxes));
	if (r->has_capacity)
		set(told, "capacity", number(r->capacity));
	if (r->has_warm)
		set(told, "warm", number(r->warm));
	if (r->has_maxconn)
		set(told, "maxconn", number(r->maxconn));
	if (r->reason[0])
		set(told, "reason", json_string(r->reason));
	set(to, "report", told);
}

json_t *show_backend(const struct show *show, uint32_t backend)
{
	const struct model *m = show->model;
	const struct model_backend *b = &m->backends[backend];
	char address[INET6_ADDRSTRLEN];
	json_t *to = json_object();

	set(to, "name", json_string(b->name));
	set(to, "id", number(b->id));
	if (b->region != UINT32_MAX) {
		set(to, "provider", json_string(provider_of(m, b->region)));
		set(to, "region", json_string(m->regions[b->region].name));
	}
	set(to, "address", json_string(address_format(&b->address, address)));
	set(to, "capacity", json_real(b->capacity));
	set(to, "state", json_string(model_state_names[b->state]));
	set(to, "admin_state", json_string(model_state_names[b->admin_state]));
	set(to, "health", json_real(b->health));
	set(to, "phase", json_string(health_phase_name(m->healths[backend].phase)));
	set(to, "admin_health", json_string(model_admin_health_names[b->admin_health]));
	set(to, "admin_weight", json_real(b->admin_weight));
	set(to, "config_weight", json_real(b->config_weight));
	put_places(show, backend, to);
	put_report(b, to);
	set(to, "nexthop", json_string(model_nexthop_names[b->nexthop]));
	set(to, "leaving", json_boolean(b->leaving));
	put_backend_stats(show, b->id, to);
	put_handshakes(show, b, to);
	return to;
}

static json_t *why_in_pool(const struct model *m, const struct model_pool *pool,
			   const struct model_member *member)
{
	const struct model_group *group = &pool->groups[member->group];
	uint32_t at = (uint32_t)(member - pool->members);

	return json_pack("{ss, ss, sf, sf, sf, sf, so, sf, sf, sf, si, si, so}", "pool", pool->name,
			 "group", m->regions[group->region].full_name, "availability",
			 group->availability, "want", group->want, "share", group->share, "headroom",
			 group->headroom, "group_limited_by", limit(group->limited_by), "effective",
			 pool->results[at].effective, "weight", member->weight, "published",
			 pool->published[at], "quota", (int)member->slots, "slots",
			 (int)member->slots, "limited_by", limit(member->limited_by));
}

json_t *show_backend_why(const struct show *show, uint32_t backend)
{
	const struct model *m = show->model;
	const struct model_backend *b = &m->backends[backend];
	const struct health *h = &m->healths[backend];
	json_t *pools = json_array();

	for (uint32_t i = 0; i < m->pool_count; i++) {
		const struct model_member *member = model_member_of(m, &m->pools[i], backend);

		if (member)
			add(pools, why_in_pool(m, &m->pools[i], member));
	}
	return json_pack("{ss, sf, sf, sf, sf, sf, sf, sf, sf, sf, sf, ss, ss, ss, ss, so}", "name", b->name,
			 "S", h->ok, "N", h->total, "r", h->ratio, "u", h->target, "h", h->value,
			 "health", b->health, "load_term", h->load_term, "latency_term",
			 h->latency_term, "probe_usual_s", h->latency.usual_s, "probe_excess_s",
			 latency_excess(&h->latency), "phase", health_phase_name(h->phase), "state",
			 model_state_names[b->state], "admin_health",
			 model_admin_health_names[b->admin_health], "nexthop",
			 model_nexthop_names[b->nexthop], "pools", pools);
}

/* --- regions, pools, services */

static uint32_t count_down(const struct model *m, const struct model_region *r, bool ready)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < r->backend_count; i++) {
		const struct model_backend *b = &m->backends[r->first_backend + i];

		n += ready ? b->state == BACKEND_STATE_READY && !b->hard_down : b->hard_down;
	}
	return n;
}

static json_t *region_pools(const struct model *m, uint32_t region)
{
	json_t *pools = json_array();

	for (uint32_t i = 0; i < m->pool_count; i++)
		for (uint32_t g = 0; g < m->pools[i].group_count; g++) {
			const struct model_group *group = &m->pools[i].groups[g];

			if (group->region != region)
				continue;
			add(pools, json_pack("{ss, si, sf, sf, so}", "pool", m->pools[i].name, "tier",
					     (int)group->tier, "availability", group->availability,
					     "share", group->share, "limited_by",
					     limit(group->limited_by)));
		}
	return pools;
}

json_t *show_region(const struct show *show, uint32_t region)
{
	const struct model *m = show->model;
	const struct model_region *r = &m->regions[region];
	double capacity = 0, effective = 0;

	for (uint32_t i = 0; i < r->backend_count; i++) {
		const struct model_backend *b = &m->backends[r->first_backend + i];

		capacity += b->capacity;
		if (b->state == BACKEND_STATE_READY)
			effective += b->capacity * b->health * b->config_weight * b->admin_weight;
	}
	return json_pack("{ss, ss, ss, si, si, si, sf, sf, sf, so}", "name", r->full_name, "region",
			 r->name, "provider", provider_of(m, region), "backends",
			 (int)r->backend_count, "ready", (int)count_down(m, r, true), "down",
			 (int)count_down(m, r, false), "capacity", capacity, "effective", effective,
			 "health", capacity > 0 ? effective / capacity : 0.0, "pools",
			 region_pools(m, region));
}

static json_t *group_of(const struct model *m, const struct model_group *g)
{
	return json_pack("{ss, ss, si, si, sf, sf, sf, sf, sf, sf, ss, so}", "region",
			 m->regions[g->region].full_name, "provider", provider_of(m, g->region),
			 "tier", (int)g->tier, "backends", (int)g->member_count, "capacity",
			 g->capacity, "effective", g->effective, "availability", g->availability,
			 "share", g->share, "want", g->want, "headroom", g->headroom, "level",
			 model_level_names[g->level], "limited_by", limit(g->limited_by));
}

static json_t *groups_of(const struct model *m, const struct model_pool *pool)
{
	json_t *groups = json_array();

	for (uint32_t g = 0; g < pool->group_count; g++)
		add(groups, group_of(m, &pool->groups[g]));
	return groups;
}

static json_t *services_of(const struct model *m, uint32_t pool)
{
	json_t *services = json_array();

	for (uint32_t i = 0; i < m->service_count; i++)
		if (m->services[i].pool == pool)
			add(services, json_string(m->services[i].name));
	return services;
}

static json_t *members_of(const struct model *m, const struct model_pool *pool)
{
	json_t *members = json_array();

	for (uint32_t i = 0; i < pool->member_count; i++) {
		const struct model_member *member = &pool->members[i];
		const struct model_backend *b = &m->backends[member->backend];
		const struct model_group *group = &pool->groups[member->group];

		add(members,
		    json_pack("{ss, ss, si, ss, sf, sf, sf, si, so}", "name", b->name, "region",
			      m->regions[group->region].full_name, "tier", (int)group->tier, "state",
			      model_state_names[b->state], "health", b->health, "weight",
			      member->weight, "share", member->share, "slots", (int)member->slots,
			      "limited_by", limit(member->limited_by)));
	}
	return members;
}

static json_t *pool_brief(const struct model *m, const struct model_pool *pool)
{
	return json_pack("{ss, si, si, si, so, sb, sb, so}", "name", pool->name, "backends",
			 (int)pool->member_count, "slots", (int)pool->slot_count, "unsettled",
			 (int)pool->unsettled, "digest", hex(pool->digest), "empty", pool->empty,
			 "panic", pool->panic, "groups", groups_of(m, pool));
}

json_t *show_pool(const struct show *show, uint32_t index)
{
	static const char *const tracks[TRACK__COUNT] = {"moved", "always", "never"};
	const struct model *m = show->model;
	const struct model_pool *pool = &m->pools[index];
	json_t *to = pool_brief(m, pool);

	if (!to)
		return NULL;
	set(to, "id", number(pool->id));
	set(to, "slot_base", number(pool->slot_base));
	set(to, "generation", number(pool->generation));
	set(to, "slots_moved", number(pool->moved));
	set(to, "frozen", json_boolean(pool->frozen || m->frozen));
	set(to, "track", json_string(tracks[pool->track]));
	if (pool->auto_shift->on)
		set(to, "auto_shift", json_string(auto_says_name(pool->auto_says)));
	set(to, "services", services_of(m, index));
	set(to, "backends", members_of(m, pool));
	return to;
}

static void put_service_stats(const struct show *show, uint16_t id, json_t *to)
{
	struct service_stats stats;

	if (!show->dataplane || dataplane_service_stats(show->dataplane, id, &stats))
		return;
	set(to, "packets", number(stats.packets));
	set(to, "bytes", number(stats.bytes));
	set(to, "new_flows", number(stats.new_flows));
	set(to, "dropped", number(stats.dropped));
}

json_t *show_service(const struct show *show, uint32_t index)
{
	static const char *const affinities[AFFINITY__COUNT] = {"flow", "source", "sandbox", "quic",
								"none"};
	static const char *const encaps[ENCAP__COUNT] = {"ipip", "gue", "l2"};
	static const char *const tracks[TRACK__COUNT] = {"moved", "always", "never"};
	const struct model *m = show->model;
	const struct model_service *s = &m->services[index];
	const struct config_service *c = &s->config;
	char address[INET6_ADDRSTRLEN];
	json_t *to = json_object();

	set(to, "name", json_string(s->name));
	set(to, "id", number(s->id));
	address_format(&c->address, address);
	if (c->is_prefix)
		set(to, "prefix", json_sprintf("%s/%u", address, c->prefix_length));
	else
		set(to, "address", json_string(address));
	if (c->port)
		set(to, "port", number(c->port));
	set(to, "protocol", json_string(c->protocol == IPPROTO_TCP   ? "tcp"
					: c->protocol == IPPROTO_UDP ? "udp"
								     : "any"));
	set(to, "pool", json_string(m->pools[s->pool].name));
	set(to, "affinity", json_string(affinities[c->affinity]));
	set(to, "encap", json_string(encaps[c->encap]));
	set(to, "track", json_string(tracks[model_service_track(m, index)]));
	put_service_stats(show, s->id, to);
	return to;
}

/* --- parts of the status */

json_t *show_counts(const struct show *show)
{
	const struct model *m = show->model;
	int by_state[BACKEND_STATE__COUNT] = {0}, down = 0;

	for (uint32_t i = 0; i < m->backend_count; i++) {
		by_state[m->backends[i].state] += !m->backends[i].leaving;
		down += m->backends[i].hard_down;
	}
	return json_pack("{si, si, si, si, si, si, si, si, si, si}", "providers",
			 (int)m->provider_count, "regions", (int)m->region_count, "backends",
			 (int)m->config->backend_count, "ready", by_state[BACKEND_STATE_READY],
			 "drain", by_state[BACKEND_STATE_DRAIN], "maint",
			 by_state[BACKEND_STATE_MAINT], "down", down, "leaving",
			 (int)(m->backend_count - m->config->backend_count), "pools",
			 (int)m->pool_count, "services", (int)m->service_count);
}

json_t *show_pools_brief(const struct show *show)
{
	json_t *pools = json_array();

	for (uint32_t i = 0; i < show->model->pool_count; i++)
		add(pools, pool_brief(show->model, &show->model->pools[i]));
	return pools;
}

json_t *show_problems(const struct show *show)
{
	const struct model *m = show->model;
	json_t *problems = json_array();
	uint32_t unreachable = 0, example = 0;

	for (uint32_t i = 0; i < m->pool_count; i++) {
		const struct model_pool *pool = &m->pools[i];

		if (pool->empty)
			add(problems,
			    json_sprintf("pool %s is empty: no backend is ready and alive, so new flows are dropped",
					 pool->name));
		if (pool->panic)
			add(problems,
			    json_sprintf("pool %s is in panic: too much looks bad at once to be believed",
					 pool->name));
	}
	for (uint32_t i = 0; i < m->backend_count; i++)
		if (m->backends[i].nexthop == MODEL_NEXTHOP_FAILED) {
			unreachable++;
			example = i;
		}
	if (unreachable)
		add(problems, json_sprintf("no next hop for %u backends (%s): no route, or no answer to ARP or neighbour solicitation",
					   unreachable, m->backends[example].name));
	if (m->doubted)
		add(problems, json_sprintf("%.0f %% of the probes get no answer, everywhere alike: not believed; is the path of the probes whole?",
					   100 * m->doubt));
	if (m->frozen)
		add(problems, json_sprintf("weights are frozen (ebb unfreeze)"));
	return problems;
}

json_t *show_verdicts(const struct show *show)
{
	static const char *const names[VERDICT__COUNT] = {
#define X(name, text, action, meaning) text,
		VERDICTS(X)
#undef X
	};
	struct verdict_stats stats[VERDICT__COUNT];
	json_t *to = json_object();

	if (!show->dataplane || dataplane_verdicts(show->dataplane, stats))
		return to;
	for (int i = 0; i < VERDICT__COUNT; i++)
		if (i != VERDICT_CONTINUE)
			set(to, names[i], json_pack("{sI, sI}", "packets",
						    (json_int_t)stats[i].packets, "bytes",
						    (json_int_t)stats[i].bytes));
	return to;
}

json_t *show_event(const struct model_event *event, const char *time)
{
	bool of_group = event->kind == MODEL_EVENT_GROUP;
	json_t *to = json_pack("{ss, ss}", "event", model_event_names[event->kind], "time", time);

	if (event->pool[0])
		set(to, "pool", json_string(event->pool));
	if (event->subject[0])
		set(to, of_group ? "region" : "backend", json_string(event->subject));
	if (event->detail[0])
		set(to, "detail", json_string(event->detail));
	return to;
}
