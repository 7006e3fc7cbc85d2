// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * metrics: see metrics.h. One family after the other, each with HELP and TYPE, as the format wants; counters of the data
 * plane are read once at the start, so that one scrape is one picture.
 */
#include "controller/metrics.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double tick_bounds_s[] = {0.0001, 0.00025, 0.0005, 0.001, 0.0025,
				       0.005,  0.01,	0.025,	0.05,  0.1};
static_assert(sizeof(tick_bounds_s) / sizeof(tick_bounds_s[0]) == METRICS_TICK_BUCKETS, "a bound a bucket");

static const char *const verdict_names[VERDICT__COUNT] = {
#define X(name, text, action, meaning) text,
	VERDICTS(X)
#undef X
};

struct metrics {
	const struct metrics_source *source;
	const struct model *model;
	FILE *to;
	struct backend_stats *backends; /* one a backend of the model; NULL: not known */
	struct service_stats *services;
};

void metrics_observe(struct metrics_histogram *h, double seconds)
{
	int i = 0;

	while (i < METRICS_TICK_BUCKETS && seconds > tick_bounds_s[i])
		i++;
	h->buckets[i]++;
	h->sum_s += seconds;
}

void metrics_head(FILE *to, const char *name, const char *type, const char *help)
{
	fprintf(to, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void metrics_escape(FILE *to, const char *value)
{
	for (; *value; value++) {
		if (*value == '\\' || *value == '"')
			fputc('\\', to);
		if (*value == '\n')
			fputs("\\n", to);
		else
			fputc(*value, to);
	}
}

void metrics_number(FILE *to, double value)
{
	if (isnan(value))
		fputs("NaN", to);
	else if (isinf(value))
		fputs(value > 0 ? "+Inf" : "-Inf", to);
	else
		fprintf(to, "%.12g", value);
}

/* NAME{a="b",...} VALUE; `labels`: pairs of name and value, ended by NULL. */
static void metrics_sample(FILE *to, const char *name, const char *const *labels, double value)
{
	fputs(name, to);
	for (int i = 0; labels && labels[i]; i += 2) {
		fprintf(to, "%c%s=\"", i ? ',' : '{', labels[i]);
		metrics_escape(to, labels[i + 1]);
		fputc('"', to);
	}
	fputs(labels && labels[0] ? "} " : " ", to);
	metrics_number(to, value);
	fputc('\n', to);
}

#define SAMPLE(m, name, value, ...)                                                                \
	metrics_sample((m)->to, name, (const char *const[]){__VA_ARGS__, NULL}, value)

static void metrics_one(struct metrics *m, const char *name, const char *type, const char *help,
			double value)
{
	metrics_head(m->to, name, type, help);
	metrics_sample(m->to, name, NULL, value);
}

/* --- backends */

static const char *metrics_region(const struct metrics *m, const struct model_backend *b)
{
	return b->region == UINT32_MAX ? "" : m->model->regions[b->region].name;
}

static const char *metrics_provider(const struct metrics *m, const struct model_backend *b)
{
	return b->region == UINT32_MAX ? ""
				       : m->model->providers[m->model->regions[b->region].provider].name;
}

/* One sample a backend, of the value that `get` finds. */
static void metrics_backend_family(struct metrics *m, const char *name, const char *type,
				   const char *help, double (*get)(const struct metrics *m, uint32_t i))
{
	metrics_head(m->to, name, type, help);
	for (uint32_t i = 0; i < m->model->backend_count; i++) {
		const struct model_backend *b = &m->model->backends[i];

		SAMPLE(m, name, get(m, i), "backend", b->name, "region", metrics_region(m, b), "provider",
		       metrics_provider(m, b));
	}
}

static double get_health(const struct metrics *m, uint32_t i)
{
	return m->model->backends[i].health;
}

static double get_ready(const struct metrics *m, uint32_t i)
{
	return m->model->backends[i].state == BACKEND_STATE_READY;
}

static double get_down(const struct metrics *m, uint32_t i)
{
	return m->model->backends[i].hard_down;
}

static double get_capacity(const struct metrics *m, uint32_t i)
{
	return m->model->backends[i].capacity;
}

static double get_packets(const struct metrics *m, uint32_t i)
{
	return (double)m->backends[i].packets;
}

static double get_bytes(const struct metrics *m, uint32_t i)
{
	return (double)m->backends[i].bytes;
}

static double get_new_flows(const struct metrics *m, uint32_t i)
{
	return (double)m->backends[i].new_flows;
}

static double get_kept(const struct metrics *m, uint32_t i)
{
	return (double)m->backends[i].kept;
}

static void metrics_backends(struct metrics *m)
{
	metrics_backend_family(m, "ebb_backend_health_ratio", "gauge", "Smoothed health, 0 to 1.",
			       get_health);
	metrics_backend_family(m, "ebb_backend_ready", "gauge", "1 unless in drain or maint.", get_ready);
	metrics_backend_family(m, "ebb_backend_down", "gauge", "1 if plainly dead.", get_down);
	metrics_backend_family(m, "ebb_backend_capacity", "gauge", "Configured capacity.", get_capacity);
	if (!m->backends)
		return;
	metrics_backend_family(m, "ebb_backend_packets_total", "counter", "Packets sent to it.",
			       get_packets);
	metrics_backend_family(m, "ebb_backend_bytes_total", "counter",
			       "Bytes of inner packets sent to it, from the IP header on.", get_bytes);
	metrics_backend_family(m, "ebb_backend_new_flows_total", "counter",
			       "TCP SYNs sent to it.", get_new_flows);
	metrics_backend_family(m, "ebb_backend_kept_packets_total", "counter",
			       "Packets that stayed with it after their slot had moved on.", get_kept);
}

enum metrics_handshakes {
	METRICS_COMPLETED,
	METRICS_FAILED,
	METRICS_RESET,
	METRICS_RETRANSMITTED,
	METRICS_HANDSHAKES__COUNT,
};

static void metrics_handshakes(struct metrics *m)
{
	static const char *const results[] = {"completed", "failed", "reset", "retransmitted"};
	const char *name = "ebb_backend_handshakes_total";

	static_assert(sizeof(results) / sizeof(results[0]) == METRICS_HANDSHAKES__COUNT, "names");
	metrics_head(m->to, name, "counter",
		     "TCP handshakes of the sample of flows that the data plane follows, by how they ended.");
	for (uint32_t i = 0; i < m->model->backend_count; i++) {
		const struct model_backend *b = &m->model->backends[i];
		const uint64_t values[] = {b->signals.completed, b->signals.failed, b->signals.reset,
					   b->signals.retransmitted};

		for (int k = 0; k < METRICS_HANDSHAKES__COUNT; k++)
			SAMPLE(m, name, (double)values[k], "backend", b->name, "region",
			       metrics_region(m, b), "provider", metrics_provider(m, b), "result",
			       results[k]);
	}
}

/* Every second power of two, so that 10,000 backends stay bearable. There is no sum: the data plane keeps none. */
static void metrics_handshake_times(struct metrics *m)
{
	const struct backend_signals *signals = dataplane_tables(m->source->dataplane)->signals;
	const char *name = "ebb_backend_handshake_duration_seconds_bucket";
	char bound[32];

	metrics_head(m->to, "ebb_backend_handshake_duration_seconds", "histogram",
		     "From a client's SYN to its ACK, as the edge sees it; of the same sample.");
	for (uint32_t i = 0; i < m->model->backend_count; i++) {
		const struct model_backend *b = &m->model->backends[i];
		uint64_t count = 0;

		for (int k = 0; k < SIGNALS_BUCKETS; k++) {
			count += signals[b->id].took[k];
			snprintf(bound, sizeof(bound), "%g", ldexp(1e-6, k));
			if (k >= 6 && k % 2 == 0)
				SAMPLE(m, name, (double)count, "backend", b->name, "region",
				       metrics_region(m, b), "provider", metrics_provider(m, b), "le", bound);
		}
		SAMPLE(m, name, (double)count, "backend", b->name, "region", metrics_region(m, b),
		       "provider", metrics_provider(m, b), "le", "+Inf");
		SAMPLE(m, "ebb_backend_handshake_duration_seconds_count", (double)count, "backend", b->name,
		       "region", metrics_region(m, b), "provider", metrics_provider(m, b));
	}
}

/* A backend's place in each of its pools. */
static void metrics_members(struct metrics *m, const char *name, const char *help, bool slots)
{
	metrics_head(m->to, name, "gauge", help);
	for (uint32_t p = 0; p < m->model->pool_count; p++) {
		const struct model_pool *pool = &m->model->pools[p];

		for (uint32_t i = 0; i < pool->member_count; i++) {
			const struct model_member *member = &pool->members[i];
			const struct model_backend *b = &m->model->backends[member->backend];

			SAMPLE(m, name, slots ? (double)member->slots : member->weight, "backend", b->name,
			       "region", metrics_region(m, b), "provider", metrics_provider(m, b), "pool",
			       pool->name);
		}
	}
}

/* --- groups and pools */

enum metrics_group {
	METRICS_GROUP_SHARE,
	METRICS_GROUP_AVAILABILITY,
	METRICS_GROUP_LIMIT,
};

static void metrics_groups(struct metrics *m, const char *name, const char *help, enum metrics_group what)
{
	metrics_head(m->to, name, "gauge", help);
	for (uint32_t p = 0; p < m->model->pool_count; p++) {
		const struct model_pool *pool = &m->model->pools[p];

		for (uint32_t i = 0; i < pool->group_count; i++) {
			const struct model_group *g = &pool->groups[i];
			const struct model_region *r = &m->model->regions[g->region];
			const char *provider = m->model->providers[r->provider].name;

			if (what == METRICS_GROUP_LIMIT)
				SAMPLE(m, name, 1, "pool", pool->name, "region", r->name, "provider", provider,
				       "limited_by", weight_limit_name(g->limited_by));
			else
				SAMPLE(m, name, what == METRICS_GROUP_SHARE ? g->share : g->availability,
				       "pool", pool->name, "region", r->name, "provider", provider);
		}
	}
}

static void metrics_pool_family(struct metrics *m, const char *name, const char *type,
				const char *help, double (*get)(const struct model_pool *pool))
{
	metrics_head(m->to, name, type, help);
	for (uint32_t p = 0; p < m->model->pool_count; p++)
		SAMPLE(m, name, get(&m->model->pools[p]), "pool", m->model->pools[p].name);
}

static double get_slots(const struct model_pool *pool)
{
	return pool->slot_count;
}

static double get_moved(const struct model_pool *pool)
{
	return (double)pool->moved;
}

static double get_unsettled(const struct model_pool *pool)
{
	return pool->unsettled;
}

static double get_generation(const struct model_pool *pool)
{
	return (double)pool->generation;
}

static double get_empty(const struct model_pool *pool)
{
	return pool->empty;
}

static double get_panic(const struct model_pool *pool)
{
	return pool->panic;
}

static void metrics_pools(struct metrics *m)
{
	char digest[17];

	metrics_pool_family(m, "ebb_pool_slots", "gauge", "Slots of the pool's table.", get_slots);
	metrics_pool_family(m, "ebb_slots_moved_total", "counter",
			    "Slots that changed their owner since the daemon started.", get_moved);
	metrics_pool_family(m, "ebb_slots_unsettled", "gauge", "Slots that remember a former owner.",
			    get_unsettled);
	metrics_pool_family(m, "ebb_table_publishes_total", "counter", "Tables that were published.",
			    get_generation);
	metrics_pool_family(m, "ebb_pool_empty", "gauge", "1 if nobody can take its traffic: it is dropped.",
			    get_empty);
	metrics_pool_family(m, "ebb_pool_panic", "gauge", "1 if too much looks bad at once to be believed.",
			    get_panic);
	metrics_head(m->to, "ebb_table_digest_info", "gauge",
		     "Edges with equal weights show equal digests.");
	for (uint32_t p = 0; p < m->model->pool_count; p++) {
		snprintf(digest, sizeof(digest), "%016" PRIx64, m->model->pools[p].digest);
		SAMPLE(m, "ebb_table_digest_info", 1, "pool", m->model->pools[p].name, "digest", digest);
	}
	metrics_groups(m, "ebb_group_share_ratio", "Share of the pool that a group has.",
		       METRICS_GROUP_SHARE);
	metrics_groups(m, "ebb_group_availability_ratio", "min(1, 1.4 x effective / capacity).",
		       METRICS_GROUP_AVAILABILITY);
	metrics_groups(m, "ebb_group_limited_info", "What limits a group's share.", METRICS_GROUP_LIMIT);
	metrics_members(m, "ebb_backend_weight_ratio", "Weight in a pool, 0 to 1.", false);
	metrics_members(m, "ebb_backend_slots", "Slots in a pool.", true);
}

/* --- shifts: those that are open, of which there are 128 at most */

enum metrics_shift {
	METRICS_SHIFT_PHASE,
	METRICS_SHIFT_SHARE,
	METRICS_SHIFT_HOLD,
	METRICS_SHIFT_SANDBOXES,
};

static void metrics_shift_samples(struct metrics *m, const char *name, const struct shifts_entry *e,
				  enum metrics_shift what)
{
	switch (what) {
	case METRICS_SHIFT_PHASE:
		SAMPLE(m, name, 1, "shift", e->name, "pool", e->pool, "from", e->from, "to", e->to, "actor",
		       e->actor, "phase", shift_phase_name(e->shift.phase));
		break;
	case METRICS_SHIFT_SHARE:
		SAMPLE(m, name, e->shift.part, "shift", e->name, "pool", e->pool, "from", e->from, "to",
		       e->to);
		break;
	case METRICS_SHIFT_HOLD:
		for (int bit = 0; bit < SHIFT_HOLDS; bit++)
			if (e->shift.holds & 1u << bit)
				SAMPLE(m, name, 1, "shift", e->name, "pool", e->pool, "hold",
				       shift_hold_name((enum shift_hold)(1u << bit)));
		break;
	case METRICS_SHIFT_SANDBOXES:
		if (!e->live)
			break;
		SAMPLE(m, name, (double)e->sandboxes.wanted, "shift", e->name, "pool", e->pool, "what", "wanted");
		SAMPLE(m, name, (double)e->sandboxes.moved, "shift", e->name, "pool", e->pool, "what", "moved");
		SAMPLE(m, name, (double)e->sandboxes.left, "shift", e->name, "pool", e->pool, "what", "left");
		break;
	}
}

static void metrics_shift_family(struct metrics *m, const char *name, const char *help,
				 enum metrics_shift what)
{
	const struct shifts *shifts = m->source->shifts;

	metrics_head(m->to, name, "gauge", help);
	for (uint32_t i = 0; shifts && i < shifts->count; i++)
		if (shifts->entries[i].shift.phase != SHIFT_CLOSED)
			metrics_shift_samples(m, name, &shifts->entries[i], what);
}

static void metrics_shifts(struct metrics *m)
{
	metrics_shift_family(m, "ebb_shift_phase", "1, for the phase that an open shift is in.",
			     METRICS_SHIFT_PHASE);
	metrics_shift_family(m, "ebb_shift_share_ratio", "Part of the source's share that is moved.",
			     METRICS_SHIFT_SHARE);
	metrics_shift_family(m, "ebb_shift_hold", "1, for each reason that holds an open shift.",
			     METRICS_SHIFT_HOLD);
	metrics_shift_family(m, "ebb_shift_sandboxes", "Sandboxes that a live shift wants moved.",
			     METRICS_SHIFT_SANDBOXES);
}

/* --- counters of the data plane */

static void metrics_services(struct metrics *m, const char *name, const char *help, size_t offset)
{
	metrics_head(m->to, name, "counter", help);
	for (uint32_t i = 0; i < m->model->service_count; i++) {
		const struct model_service *s = &m->model->services[i];
		uint64_t value;

		memcpy(&value, (const char *)&m->services[i] + offset, sizeof(value));
		SAMPLE(m, name, (double)value, "service", s->name, "pool", m->model->pools[s->pool].name);
	}
}

static void metrics_verdicts(struct metrics *m)
{
	struct verdict_stats stats[VERDICT__COUNT];

	if (!m->source->dataplane || dataplane_verdicts(m->source->dataplane, stats))
		return;
	metrics_head(m->to, "ebb_packets_total", "counter", "Packets by what became of them.");
	for (int i = VERDICT_CONTINUE + 1; i < VERDICT__COUNT; i++)
		SAMPLE(m, "ebb_packets_total", (double)stats[i].packets, "verdict", verdict_names[i]);
	metrics_head(m->to, "ebb_bytes_total", "counter", "Bytes of frames by what became of them.");
	for (int i = VERDICT_CONTINUE + 1; i < VERDICT__COUNT; i++)
		SAMPLE(m, "ebb_bytes_total", (double)stats[i].bytes, "verdict", verdict_names[i]);
}

/* Reads each backend's and service's counters once. Those that cannot be read are zero. */
static void metrics_read(struct metrics *m)
{
	const struct model *model = m->model;

	if (!m->source->dataplane)
		return;
	m->backends = calloc(model->backend_count + 1, sizeof(*m->backends));
	m->services = calloc(model->service_count + 1, sizeof(*m->services));
	for (uint32_t i = 0; m->backends && i < model->backend_count; i++) {
		if (dataplane_backend_stats(m->source->dataplane, model->backends[i].id, &m->backends[i]))
			m->backends[i] = (struct backend_stats){0};
	}
	for (uint32_t i = 0; m->services && i < model->service_count; i++) {
		if (dataplane_service_stats(m->source->dataplane, model->services[i].id, &m->services[i]))
			m->services[i] = (struct service_stats){0};
	}
}

static uint32_t metrics_nexthops_used(const struct dataplane_tables *tables)
{
	uint32_t used = 0;

	for (uint32_t i = 1; i < NEXTHOPS_MAX; i++)
		used += tables->nexthops[i].ifindex != 0;
	return used;
}

/* Never a label for one of them. The names of events without "sandbox-". */
static void metrics_sandboxes(struct metrics *m)
{
	const struct sandboxes *s = m->source->sandboxes;

	metrics_head(m->to, "ebb_sandbox_events_total", "counter",
		     "Sandboxes placed, added, moved and deleted since the start.");
	for (int change = 0; change < SANDBOX_CHANGE__COUNT; change++)
		SAMPLE(m, "ebb_sandbox_events_total", sandboxes_changes(s, change), "event",
		       sandbox_change_names[change] + strlen("sandbox-"));
	metrics_one(m, "ebb_sandbox_index_sets", "gauge",
		    "Sets of eight of the index that packets find sandboxes in; 0: they ask the map.",
		    sandboxes_index(s)->set_count);
	metrics_one(m, "ebb_sandbox_index_shared", "gauge",
		    "Entries of the index that say: ask the map.", sandboxes_index(s)->asked);
}

static void metrics_maps(struct metrics *m)
{
	const struct model *model = m->model;
	const struct dataplane_sizes *sizes;
	uint32_t slots = 0, prefixes = 0;

	if (!m->source->dataplane)
		return;
	sizes = dataplane_sizes(m->source->dataplane);
	for (uint32_t i = 0; i < model->pool_count; i++)
		slots += model->pools[i].slot_count;
	for (uint32_t i = 0; i < model->service_count; i++)
		prefixes += model->services[i].config.is_prefix;
	metrics_head(m->to, "ebb_map_entries", "gauge", "Entries of a map that are in use.");
	SAMPLE(m, "ebb_map_entries", model->backend_count, "map", "backends");
	SAMPLE(m, "ebb_map_entries", metrics_nexthops_used(dataplane_tables(m->source->dataplane)), "map",
	       "nexthops");
	SAMPLE(m, "ebb_map_entries", model->pool_count, "map", "pools");
	SAMPLE(m, "ebb_map_entries", prefixes, "map", "prefixes");
	if (m->source->sandboxes) {
		SAMPLE(m, "ebb_map_entries", sandboxes_count(m->source->sandboxes), "map",
		       "sandboxes");
		SAMPLE(m, "ebb_map_entries", sandboxes_index(m->source->sandboxes)->used, "map",
		       "sandbox_index");
	}
	SAMPLE(m, "ebb_map_entries", model->service_count - prefixes, "map", "services");
	SAMPLE(m, "ebb_map_entries", slots, "map", "slots");
	metrics_head(m->to, "ebb_map_capacity", "gauge", "Entries that a map can hold.");
	SAMPLE(m, "ebb_map_capacity", sizes->backends, "map", "backends");
	SAMPLE(m, "ebb_map_capacity", NEXTHOPS_MAX, "map", "nexthops");
	SAMPLE(m, "ebb_map_capacity", POOLS_MAX, "map", "pools");
	SAMPLE(m, "ebb_map_capacity", sizes->sandboxes, "map", "sandboxes");
	SAMPLE(m, "ebb_map_capacity", sizes->sandbox_sets * SANDBOX_WAYS, "map", "sandbox_index");
	SAMPLE(m, "ebb_map_capacity", sizes->slots, "map", "slots");
	SAMPLE(m, "ebb_map_capacity", sizes->flows, "map", "flows");
	SAMPLE(m, "ebb_map_capacity", NURSERY_SETS * FLOW_WAYS, "map", "nursery");
}

/* --- the daemon */

static void metrics_ticks(struct metrics *m)
{
	const struct metrics_histogram *h = m->source->ticks;
	uint64_t count = 0;
	char bound[32];

	metrics_head(m->to, "ebb_tick_duration_seconds", "histogram",
		     "How long health, weights, tables and their publishing take.");
	for (int i = 0; i < METRICS_TICK_BUCKETS; i++) {
		count += h->buckets[i];
		snprintf(bound, sizeof(bound), "%g", tick_bounds_s[i]);
		SAMPLE(m, "ebb_tick_duration_seconds_bucket", (double)count, "le", bound);
	}
	count += h->buckets[METRICS_TICK_BUCKETS];
	SAMPLE(m, "ebb_tick_duration_seconds_bucket", (double)count, "le", "+Inf");
	metrics_sample(m->to, "ebb_tick_duration_seconds_sum", NULL, h->sum_s);
	metrics_sample(m->to, "ebb_tick_duration_seconds_count", NULL, (double)count);
}

static void metrics_daemon(struct metrics *m)
{
	metrics_head(m->to, "ebb_build_info", "gauge", "Version of the daemon, name of the edge.");
	SAMPLE(m, "ebb_build_info", 1, "version", EBB_VERSION, "edge", m->source->edge);
	metrics_one(m, "ebb_start_time_seconds", "gauge", "When the daemon started, seconds of the epoch.",
		    m->source->started_s);
	metrics_one(m, "ebb_config_last_reload_successful", "gauge",
		    "1 if the configuration that was last tried is in force.", m->source->reload_successful);
	metrics_one(m, "ebb_frozen", "gauge", "1 between `ebb freeze` and `ebb unfreeze`.",
		    m->model->frozen);
	metrics_one(m, "ebb_probes_suspected_total", "counter",
		    "Probes out of turn, since a backend's clients complete no handshakes.",
		    (double)m->source->probes_suspected);
	metrics_one(m, "ebb_probes_starved_total", "counter",
		    "Probes that could not be begun, for want of descriptors, ports or memory here.",
		    (double)m->source->probes_starved);
	metrics_ticks(m);
}

char *metrics_format(const struct metrics_source *source, size_t *ret_length)
{
	struct metrics m = {.source = source, .model = source->model};
	char *text = NULL;

	m.to = open_memstream(&text, ret_length);
	if (!m.to)
		return NULL;
	metrics_read(&m);
	metrics_daemon(&m);
	metrics_pools(&m);
	metrics_shifts(&m);
	metrics_backends(&m);
	metrics_handshakes(&m);
	if (source->dataplane)
		metrics_handshake_times(&m);
	metrics_verdicts(&m);
	if (m.services) {
		metrics_services(&m, "ebb_service_packets_total", "Packets of a service.",
				 offsetof(struct service_stats, packets));
		metrics_services(&m, "ebb_service_bytes_total", "Bytes of a service.",
				 offsetof(struct service_stats, bytes));
		metrics_services(&m, "ebb_service_new_flows_total", "TCP SYNs of a service.",
				 offsetof(struct service_stats, new_flows));
		metrics_services(&m, "ebb_service_dropped_total", "Packets of a service that were dropped.",
				 offsetof(struct service_stats, dropped));
	}
	metrics_maps(&m);
	if (source->sandboxes)
		metrics_sandboxes(&m);
	free(m.backends);
	free(m.services);
	if (fclose(m.to) != 0) {
		free(text);
		return NULL;
	}
	return text;
}
