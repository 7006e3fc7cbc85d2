// SPDX-License-Identifier: GPL-2.0-or-later
/* See world.h. */
#include "controller/sim/world.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "controller/namehash.h"
#include "controller/turn.h"

#define FAST_FRACTION 0.1 /* of the interval, as in probe.c */
#define FAST_MIN_S    0.05
#define JITTER	      0.1 /* of a round trip */
#define RTT_MIN_S     0.002
#define RTT_MAX_S     0.040

struct asker {
	double next_s, ends_s; /* INFINITY: none under way */
	double took_s;
	enum probe_outcome outcome;
	uint32_t failed_row;
};

struct world {
	const struct scenario *scenario;
	struct model *model;
	struct backend_signals *handshakes;
	struct world_truth *truths;
	struct asker *askers;
	double *owed;	 /* handshakes, in fractions */
	double *traffic; /* in units of capacity */
	bool *begun;	 /* one an event */
	uint64_t chance;
};

static double unit(uint64_t *chance)
{
	*chance += 0x9e3779b97f4a7c15u;
	return (double)(hash_mix(*chance) >> 11) * 0x1p-53;
}

static double unit_of(uint64_t seed, uint64_t what)
{
	return unit(&(uint64_t){hash_mix(seed) ^ hash_mix(what)});
}

int world_new(const struct scenario *s, struct model *m, struct backend_signals *handshakes,
	      struct world **ret_world)
{
	struct world *w = calloc(1, sizeof(*w));
	uint32_t n = s->config->backend_count;

	if (!w)
		return -ENOMEM;
	*w = (struct world){s, m, handshakes, calloc(n, sizeof(*w->truths)), calloc(n, sizeof(*w->askers)),
			    calloc(n, sizeof(*w->owed)), calloc(n, sizeof(*w->traffic)),
			    calloc(s->event_count + 1, sizeof(*w->begun)), hash_mix(s->seed)};
	if (!w->truths || !w->askers || !w->owed || !w->traffic || !w->begun) {
		world_free(w);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < n; i++) {
		w->truths[i].rtt_s = RTT_MIN_S + (RTT_MAX_S - RTT_MIN_S) *
							 unit_of(s->seed, m->backends[i].region);
		w->askers[i].next_s = -INFINITY;
		w->askers[i].ends_s = INFINITY;
		w->owed[i] = unit(&w->chance);
	}
	*ret_world = w;
	return 0;
}

void world_free(struct world *w)
{
	if (!w)
		return;
	free(w->truths);
	free(w->askers);
	free(w->owed);
	free(w->traffic);
	free(w->begun);
	free(w);
}

const struct world_truth *world_truth(const struct world *w, uint32_t backend)
{
	return &w->truths[backend];
}

double world_failing(const struct world_truth *truth, bool moved)
{
	if (truth->dead || truth->lost)
		return 1;
	return 1 - (1 - truth->errors) * (moved ? 1 - truth->busy : 1);
}

/* --- what is true */

static bool flap_is_down(const struct scenario *s, const struct scenario_event *e, uint32_t backend,
			 double since_s)
{
	double period = e->up_s + e->down_s, phase = unit_of(s->seed + e->number, backend) * period;

	return fmod(since_s + phase, period) >= e->up_s;
}

static void apply(const struct scenario *s, const struct scenario_event *e, double since_s, uint32_t backend,
		  struct world_truth *truth)
{
	double grown = e->ramp_s > 0 ? fmin(1, since_s / e->ramp_s) : 1;

	switch (e->what) {
	case SCENARIO_BROWN_OUT:
		truth->errors = 1 - (1 - truth->errors) * (1 - e->errors * grown);
		return;
	case SCENARIO_SLOW:
		truth->slower_s += e->by_s * grown;
		return;
	case SCENARIO_DEAD:
		truth->dead = true;
		return;
	case SCENARIO_LOST:
		truth->lost = true;
		return;
	case SCENARIO_PROBES_LOST:
		truth->probes_lost = true;
		return;
	case SCENARIO_FLAP:
		truth->dead |= flap_is_down(s, e, backend, since_s);
		return;
	case SCENARIO_SAYS:
	case SCENARIO_STATE:
	case SCENARIO_SHIFT: /* sim.c starts it */
	case SCENARIO_WHAT__COUNT:
		return;
	}
}

static void see(struct world *w, double t_s)
{
	const struct scenario *s = w->scenario;

	for (uint32_t i = 0; i < s->config->backend_count; i++) {
		struct world_truth *truth = &w->truths[i];

		truth->errors = truth->slower_s = 0;
		truth->dead = truth->lost = truth->probes_lost = false;
	}
	for (uint32_t k = 0; k < s->event_count; k++) {
		const struct scenario_event *e = &s->events[k];

		for (uint32_t i = 0; t_s >= e->at_s && t_s < e->until_s && i < e->backend_count; i++)
			apply(s, e, t_s - e->at_s, e->backends[i], &w->truths[e->backends[i]]);
	}
}

/* --- what is heard: probes */

static const struct config_probe *probe_of(const struct world *w, uint32_t backend)
{
	return &w->model->health_configs[w->model->backends[backend].region]->probe;
}

static void start_probe(struct world *w, uint32_t i, double t_s)
{
	const struct config_probe *probe = probe_of(w, i);
	const struct world_truth *truth = &w->truths[i];
	struct asker *a = &w->askers[i];
	bool http = probe->type != CONFIG_PROBE_TCP;
	double took = truth->rtt_s * (1 + JITTER * unit(&w->chance));
	double bad = 1 - (1 - truth->errors) * (1 - truth->busy);

	a->outcome = http && unit(&w->chance) < bad ? PROBE_BAD_STATUS : PROBE_OK;
	if (truth->dead)
		a->outcome = PROBE_REFUSED;
	else if (http)
		took += truth->slower_s; /* a kernel accepts at once, whatever its server does */
	if (truth->lost || truth->probes_lost || took > probe->timeout_s) {
		a->outcome = PROBE_TIMEOUT;
		took = probe->timeout_s;
	}
	a->took_s = took;
	a->ends_s = t_s + took;
}

/* As probe.c: turns of an interval, but soon again while failures in a row may be a death. */
static double next_wait(const struct world *w, uint32_t i, struct mono_ns ended)
{
	const struct config_probe *probe = probe_of(w, i);
	const struct asker *a = &w->askers[i];
	double regular = turn_wait_s(probe->interval_s, turn_phase(w->model->backends[i].name), ended);
	double fast = fmax(probe->interval_s * FAST_FRACTION, FAST_MIN_S) - a->took_s;
	uint32_t row = probe->fall > probe->fall_timeouts ? probe->fall : probe->fall_timeouts;

	if (!a->failed_row || a->failed_row >= row)
		return regular;
	return fmin(fmax(fast, 0), regular);
}

static void ask(struct world *w, uint32_t i, double t_s, struct mono_ns now)
{
	struct asker *a = &w->askers[i];

	if (probe_of(w, i)->type == CONFIG_PROBE_NONE)
		return;
	if (isinf(a->next_s)) /* the first one: anywhere within an interval */
		a->next_s = t_s + unit(&w->chance) * probe_of(w, i)->interval_s;
	if (isinf(a->ends_s) && a->next_s <= t_s)
		start_probe(w, i, a->next_s);
	if (a->ends_s > t_s)
		return;
	a->failed_row = a->outcome == PROBE_OK || a->outcome == PROBE_BAD_STATUS ? 0 : a->failed_row + 1;
	model_probe_result(w->model, i, a->outcome, a->took_s, now);
	a->next_s = a->ends_s + next_wait(w, i, mono_after(now, a->ends_s - t_s));
	a->ends_s = INFINITY;
}

/* --- handshakes, reports, operators */

static void shake_hands(struct world *w, uint32_t i, double dt_s)
{
	const struct scenario *s = w->scenario;
	struct backend_signals *signals = &w->handshakes[w->model->backends[i].id];
	double share = (double)w->model->backends[i].slots, all = 0;
	uint32_t n;

	for (uint32_t p = 0; p < w->model->pool_count; p++)
		all += w->model->pools[p].slot_count;
	w->owed[i] += s->handshakes * s->config->backend_count * dt_s * share / all;
	n = (uint32_t)w->owed[i];
	w->owed[i] -= n;
	signals->begun += n;
	if (!w->truths[i].dead && !w->truths[i].lost)
		signals->completed += n;
}

static void act(struct world *w, const struct scenario_event *e, bool begins, struct mono_ns now)
{
	static const struct report well = {.admin = REPORT_ADMIN_READY, .status = REPORT_STATUS_UP,
					   .has_weight = true, .weight = 1};

	for (uint32_t k = 0; k < e->backend_count; k++) {
		uint32_t i = e->backends[k];

		if (e->what == SCENARIO_SAYS)
			model_report(w->model, i, begins ? &e->says : &well, now);
		else if (e->what == SCENARIO_STATE)
			model_backend_set_state(w->model, i,
						!begins	   ? BACKEND_STATE_READY
						: e->maint ? BACKEND_STATE_MAINT
							   : BACKEND_STATE_DRAIN,
						now);
	}
}

static void act_all(struct world *w, double t_s, struct mono_ns now)
{
	for (uint32_t k = 0; k < w->scenario->event_count; k++) {
		const struct scenario_event *e = &w->scenario->events[k];
		bool active = t_s >= e->at_s && t_s < e->until_s;

		if (active != w->begun[k])
			act(w, e, active, now);
		w->begun[k] = active;
	}
}

void world_step(struct world *w, double t_s, double dt_s, struct mono_ns now)
{
	see(w, t_s);
	act_all(w, t_s, now);
	for (uint32_t i = 0; i < w->scenario->config->backend_count; i++) {
		ask(w, i, t_s, now);
		if (w->handshakes)
			shake_hands(w, i, dt_s);
	}
}

/* --- traffic */

static double demand_of(const struct world *w, const struct model_pool *pool)
{
	double capacity = 0;

	for (uint32_t i = 0; i < pool->member_count; i++)
		if (!pool->groups[pool->members[i].group].tier)
			capacity += w->model->backends[pool->members[i].backend].capacity;
	return w->scenario->load * capacity;
}

void world_load(struct world *w)
{
	const struct model *m = w->model;

	if (w->scenario->load <= 0)
		return;
	memset(w->traffic, 0, w->scenario->config->backend_count * sizeof(*w->traffic));
	for (uint32_t p = 0; p < m->pool_count; p++) {
		double demand = demand_of(w, &m->pools[p]);

		for (uint32_t i = 0; i < m->pools[p].member_count; i++)
			w->traffic[m->pools[p].members[i].backend] += demand * m->pools[p].members[i].share;
	}
	for (uint32_t i = 0; i < w->scenario->config->backend_count; i++) {
		struct world_truth *truth = &w->truths[i];

		truth->used = w->traffic[i] / m->backends[i].capacity;
		truth->busy = truth->used > 1 ? 1 - 1 / truth->used : 0;
	}
}
