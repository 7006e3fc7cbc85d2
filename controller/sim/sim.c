// SPDX-License-Identifier: GPL-2.0-or-later
/* See sim.h. */
#include "controller/sim/sim.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "controller/sim/sim_private.h"

/* --- the data plane as plain memory */

static void free_tables(struct dataplane_tables *t)
{
	free(t->settings);
	free(t->services);
	free(t->prefixes);
	free(t->pools);
	free(t->slots);
	free(t->backends);
	free(t->backend_names);
	free(t->handshakes);
	free(t->signals);
}

static int make_tables(struct run *run)
{
	struct dataplane_tables *t = &run->tables;
	const struct config *c = run->scenario->config;

	run->sizes = (struct dataplane_sizes){.slots = c->edge.slots, .backends = c->edge.backends,
					      .flows = c->edge.flows};
	t->settings = calloc(1, sizeof(*t->settings));
	t->services = calloc(2 * SERVICES_TABLE_SIZE, sizeof(*t->services));
	t->prefixes = calloc(2 * PREFIXES_TABLE_SIZE, sizeof(*t->prefixes));
	t->pools = calloc(POOLS_MAX, sizeof(*t->pools));
	t->slots = calloc(run->sizes.slots, sizeof(*t->slots));
	t->backends = calloc(run->sizes.backends, sizeof(*t->backends));
	t->backend_names = calloc(run->sizes.backends, sizeof(*t->backend_names));
	t->handshakes = calloc(HANDSHAKES_MAX, sizeof(*t->handshakes));
	t->signals = calloc(run->sizes.backends, sizeof(*t->signals));
	return t->settings && t->services && t->prefixes && t->pools && t->slots && t->backends &&
			       t->backend_names && t->handshakes && t->signals
		       ? 0
		       : -ENOMEM;
}

/* --- what happens beside the numbers */

static void on_event(void *ctx, const struct model_event *event)
{
	struct run *run = ctx;
	struct sim *sim = run->sim;

	switch ((int)event->kind) {
	case MODEL_EVENT_POOL_EMPTY:
	case MODEL_EVENT_POOL_FILLED:
	case MODEL_EVENT_POOL_PANIC:
	case MODEL_EVENT_POOL_CALM:
	case MODEL_EVENT_PROBES_DOUBTED:
	case MODEL_EVENT_PROBES_TRUSTED:
		break;
	default:
		return;
	}
	if (run->t_s < 0)
		return;
	if (sim->note_count == SIM_NOTES_MAX) {
		sim->notes_more++;
		return;
	}
	sim->notes[sim->note_count] = (struct sim_note){.at_s = run->t_s, .kind = event->kind};
	memcpy(sim->notes[sim->note_count++].pool, event->pool, sizeof(event->pool));
}

/* Shifts are known by what they are between; of two that follow each other the later one is meant. */
static void on_shift(void *ctx, const struct shifts_entry *entry, const struct shift_record *record)
{
	struct run *run = ctx;

	if (record->to != SHIFT_CLOSED)
		return;
	for (uint32_t i = run->scenario->event_count; i-- > 0;) {
		const struct scenario_event *e = &run->scenario->events[i];

		if (e->what != SCENARIO_SHIFT || e->at_s > run->t_s || strcmp(e->label, entry->comment) ||
		    strcmp(e->pool, entry->pool) || strcmp(e->from, entry->from))
			continue;
		run->sim->events[i].closed_s = run->t_s;
		run->sim->events[i].outcome = record->outcome;
		return;
	}
}

/* --- setting up */

static int alloc_pool(const struct model *m, const struct model_pool *from, uint32_t samples, struct sim_pool *to)
{
	memcpy(to->name, from->name, sizeof(to->name));
	to->slots = from->slot_count;
	to->group_count = from->group_count;
	to->groups = calloc(from->group_count + 1, sizeof(*to->groups));
	to->failing = calloc(samples, sizeof(*to->failing));
	to->unmoved = calloc(samples, sizeof(*to->unmoved));
	to->moved = calloc(samples, sizeof(*to->moved));
	if (!to->groups || !to->failing || !to->unmoved || !to->moved)
		return -ENOMEM;
	for (uint32_t g = 0; g < from->group_count; g++) {
		memcpy(to->groups[g].name, m->regions[from->groups[g].region].full_name,
		       sizeof(to->groups[g].name));
		to->groups[g].tier = from->groups[g].tier;
		to->groups[g].shares = calloc(samples, sizeof(float));
		if (!to->groups[g].shares)
			return -ENOMEM;
	}
	return 0;
}

static int alloc_sim(struct run *run)
{
	struct sim *sim = run->sim;
	const struct scenario *s = run->scenario;

	sim->scenario = s;
	sim->sample_count = (uint32_t)(s->duration_s / s->sample_s + 1e-9) + 1;
	sim->pools = calloc(run->model->pool_count, sizeof(*sim->pools));
	sim->events = calloc(s->event_count + 1, sizeof(*sim->events));
	if (!sim->pools || !sim->events)
		return -ENOMEM;
	for (; sim->pool_count < run->model->pool_count; sim->pool_count++) {
		int e = alloc_pool(run->model, &run->model->pools[sim->pool_count], sim->sample_count,
				   &sim->pools[sim->pool_count]);

		if (e) {
			sim->pool_count++;
			return e;
		}
	}
	return 0;
}

static int set_up(struct run *run, struct err *err)
{
	const struct scenario *s = run->scenario;
	int e = make_tables(run);

	if (!e)
		e = model_build(s->config, &run->tables, &run->sizes, NULL, run->now, err, &run->model);
	if (e)
		return e;
	run->model->on_event = on_event;
	run->model->event_ctx = run;
	for (uint32_t i = 0; i < run->model->backend_count; i++)
		model_nexthop_result(run->model, i, true, run->now);
	run->shifts = calloc(1, sizeof(*run->shifts));
	if (!run->shifts)
		return -ENOMEM;
	run->shifts->on_record = on_shift;
	run->shifts->ctx = run;
	e = signals_new(run->sizes.backends, &run->signals);
	if (!e)
		e = world_new(s, run->model, s->handshakes > 0 ? run->tables.signals : NULL, &run->world);
	if (!e)
		e = alloc_sim(run);
	return e ? e : measure_new(run);
}

/* --- time */

static int start_shifts(struct run *run, double dt_s, struct err *err)
{
	for (uint32_t i = 0; i < run->scenario->event_count; i++) {
		const struct scenario_event *e = &run->scenario->events[i];
		struct shifts_order order = {.pool = e->pool, .from = e->from, .to = e->to, .actor = "scenario",
					     .comment = e->label, .plan = e->plan};
		struct shifts_entry *entry;
		int r;

		if (e->what != SCENARIO_SHIFT || run->t_s < e->at_s || run->t_s - dt_s >= e->at_s)
			continue;
		r = shifts_start(run->shifts, run->model, &order, err, &entry);
		if (r)
			return r;
	}
	return 0;
}

/* As the daemon's tick, without publishing. */
static int tick(struct run *run, double dt_s, struct err *err)
{
	int e;

	world_step(run->world, run->t_s, dt_s, run->now);
	if (run->scenario->handshakes > 0)
		signals_tick(run->signals, &run->tables, run->model, run->now, dt_s);
	e = start_shifts(run, dt_s, err);
	if (e)
		return e;
	shifts_tick(run->shifts, run->model, dt_s);
	model_tick(run->model, run->now);
	for (uint32_t p = 0; p < run->model->pool_count; p++) {
		run->model->pools[p].changed_all = false;
		run->model->pools[p].changed_count = 0;
	}
	world_load(run->world);
	run->sim->ticks++;
	return 0;
}

static void sample(struct run *run, uint32_t *next)
{
	if (run->t_s < *next * run->scenario->sample_s - 1e-9 || *next >= run->sim->sample_count)
		return;
	measure_sample(run, *next);
	if (run->csv)
		csv_sample(run, *next);
	++*next;
}

static int live(struct run *run, struct err *err)
{
	double tick_s = run->scenario->config->health.tick_s;
	struct mono_ns begin = run->now;
	int64_t first = -(int64_t)ceil(SIM_BEFORE_S / tick_s);
	int64_t last = (int64_t)floor(run->scenario->duration_s / tick_s + 1e-9);
	uint32_t next = 0;
	int e = 0;

	if (run->csv)
		csv_head(run->csv);
	for (int64_t k = first; k <= last && !e; k++) {
		run->t_s = (double)k * tick_s;
		run->now = mono_after(begin, (double)(k - first) * tick_s);
		e = tick(run, tick_s, err);
		if (e || k < 0)
			continue;
		if (k == 0)
			measure_begin(run);
		measure_tick(run);
		sample(run, &next);
	}
	if (!e && run->csv && (fflush(run->csv) || ferror(run->csv)))
		e = err_set(err, EIO, "the CSV file cannot be written");
	return e;
}

int sim_run(const struct scenario *scenario, FILE *csv, struct err *err, struct sim **ret_sim)
{
	struct run run = {.scenario = scenario, .now = {1000000000}, .csv = csv,
			  .sim = calloc(1, sizeof(*run.sim))};
	int e = run.sim ? set_up(&run, err) : -ENOMEM;

	if (!e)
		e = live(&run, err);
	if (e == -ENOMEM)
		err_set(err, ENOMEM, "not enough memory");
	measure_free(&run);
	world_free(run.world);
	signals_free(run.signals);
	free(run.shifts);
	model_free(run.model);
	free_tables(&run.tables);
	if (e)
		sim_free(run.sim);
	else
		*ret_sim = run.sim;
	return e;
}

void sim_free(struct sim *sim)
{
	if (!sim)
		return;
	for (uint32_t p = 0; p < sim->pool_count; p++) {
		struct sim_pool *pool = &sim->pools[p];

		for (uint32_t g = 0; pool->groups && g < pool->group_count; g++)
			free(pool->groups[g].shares);
		free(pool->groups);
		free(pool->failing);
		free(pool->unmoved);
		free(pool->moved);
	}
	free(sim->pools);
	free(sim->events);
	free(sim);
}
