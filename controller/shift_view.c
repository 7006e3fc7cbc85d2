// SPDX-License-Identifier: GPL-2.0-or-later
#include "controller/shift_view.h"

#include <math.h>

/* Evidence is of now if it is not older than three probes; where nobody probes, than this. */
#define PROBES_LATELY 3
#define LATELY_LEAST  2.0
#define INBAND_LATELY 10.0

static double lately_s(const struct model *m, const struct model_backend *b)
{
	const struct config_probe *probe = &m->health_configs[b->region]->probe;

	if (probe->type == CONFIG_PROBE_NONE)
		return INBAND_LATELY;
	return fmax(LATELY_LEAST, PROBES_LATELY * (probe->interval_s + probe->timeout_s));
}

/* An operator's word is as good as a probe's. */
static bool heard_of(const struct model *m, const struct model_backend *b)
{
	bool probed = m->health_configs[b->region]->probe.type != CONFIG_PROBE_NONE;

	if (b->admin_health != MODEL_ADMIN_HEALTH_AUTO || (!probed && b->reporting))
		return true;
	return b->heard.v && mono_seconds_between(b->heard, m->last_tick) <= lately_s(m, b);
}

/* Probes count alike, handshakes as many as there are. */
static void add_times(struct shift_view *view, const struct model_backend *b, const struct latency *latency,
		      double *logs, uint32_t *probes)
{
	double took_s = latency_recent(latency);
	const struct model_signals *s = &b->signals;

	view->attempts += s->recent;
	view->completion += s->ratio * s->recent;
	view->completed += s->timed;
	if (s->timed > 0)
		*logs += s->timed * log(s->took_s);
	if (took_s < 0 || b->hard_down)
		return;
	view->probe_s = view->probe_s < 0 ? took_s : view->probe_s + took_s;
	++*probes;
}

struct shift_view shift_view_group(const struct model *m, const struct model_pool *pool, uint32_t g)
{
	const struct model_group *group = &pool->groups[g];
	struct shift_view view = {.availability = group->availability, .completion = 0, .probe_s = -1};
	double ready = 0, heard = 0, logs = 0;
	uint32_t probes = 0;

	for (uint32_t i = 0; i < group->member_count; i++) {
		uint32_t backend = pool->members[group->first_member + i].backend;
		const struct model_backend *b = &m->backends[backend];

		if (b->state != BACKEND_STATE_READY)
			continue;
		ready += b->capacity;
		heard += heard_of(m, b) ? b->capacity : 0;
		add_times(&view, b, &m->healths[backend].latency, &logs, &probes);
	}
	view.known = !pool->panic && (ready <= 0 || 2 * heard >= ready);
	view.completion = view.attempts > 0 ? view.completion / view.attempts : 1;
	view.handshake_s = view.completed > 0 ? exp(logs / view.completed) : 0;
	if (probes)
		view.probe_s /= probes;
	return view;
}

double shift_view_part_max(const struct model_pool *pool, uint32_t from, uint32_t to)
{
	const struct model_group *source = &pool->groups[from], *target = &pool->groups[to];
	double room = target->headroom - (target->share - source->moved);

	if (target->headroom <= 0 || source->base <= 0)
		return 1;
	return fmin(1, fmax(0, room / source->base));
}
