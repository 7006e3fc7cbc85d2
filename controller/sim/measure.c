// SPDX-License-Identifier: GPL-2.0-or-later
/* measure: what a demanding person asks of a run, gathered tick by tick. See sim.h for what each number means. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "controller/sim/sim_private.h"

#define GONE   0.01 /* of what it was, too */
#define BACK   0.95 /* of what it was */
#define TURN   0.1  /* of what it was */
#define TURN_LEAST 0.01
#define NEARLY 1e-6

static int new_pool(struct run *run, const struct model_pool *pool, struct pool_watch *w)
{
	w->groups = calloc(pool->group_count + 1, sizeof(*w->groups));
	w->first = calloc(pool->member_count + 1, sizeof(*w->first));
	w->slots = calloc(pool->member_count + 1, sizeof(*w->slots));
	if (!w->groups || !w->first || !w->slots)
		return -ENOMEM;
	for (uint32_t g = 0; g < pool->group_count; g++) {
		w->groups[g].ring = calloc(run->ring, sizeof(double));
		if (!w->groups[g].ring)
			return -ENOMEM;
	}
	return 0;
}

static int new_event(const struct model *m, const struct scenario_event *e, struct event_watch *w)
{
	w->places = calloc((size_t)m->pool_count * e->backend_count + 1, sizeof(*w->places));
	if (!w->places)
		return -ENOMEM;
	for (uint32_t p = 0; p < m->pool_count; p++) {
		uint32_t before = w->place_count;

		for (uint32_t i = 0; i < e->backend_count; i++) {
			const struct model_member *member =
				model_member_of(m, &m->pools[p], e->backends[i]);

			if (member)
				w->places[w->place_count++] = (struct event_place){
					p, (uint32_t)(member - m->pools[p].members)};
		}
		w->pool_count += w->place_count > before;
	}
	return 0;
}

int measure_new(struct run *run)
{
	run->ring = (uint32_t)fmax(1, round(1 / run->scenario->config->health.tick_s));
	run->pools = calloc(run->model->pool_count, sizeof(*run->pools));
	if (!run->pools)
		return -ENOMEM;
	for (uint32_t p = 0; p < run->model->pool_count; p++)
		if (new_pool(run, &run->model->pools[p], &run->pools[p]))
			return -ENOMEM;
	run->events = calloc(run->scenario->event_count + 1, sizeof(*run->events));
	if (!run->events)
		return -ENOMEM;
	for (uint32_t i = 0; i < run->scenario->event_count; i++)
		if (new_event(run->model, &run->scenario->events[i], &run->events[i]))
			return -ENOMEM;
	return 0;
}

void measure_free(struct run *run)
{
	for (uint32_t p = 0; run->pools && p < run->model->pool_count; p++) {
		for (uint32_t g = 0; run->pools[p].groups && g < run->model->pools[p].group_count; g++)
			free(run->pools[p].groups[g].ring);
		free(run->pools[p].groups);
		free(run->pools[p].first);
		free(run->pools[p].slots);
	}
	free(run->pools);
	for (uint32_t i = 0; run->events && i < run->scenario->event_count; i++)
		free(run->events[i].places);
	free(run->events);
}

/* --- at zero */

/* Which groups an event is about. */
static void mark_hurt(struct run *run, const struct scenario_event *e)
{
	for (uint32_t p = 0; p < run->model->pool_count; p++) {
		const struct model_pool *pool = &run->model->pools[p];

		for (uint32_t g = 0; g < pool->group_count; g++) {
			const struct model_region *r = &run->model->regions[pool->groups[g].region];
			bool about = e->pool && !strcmp(e->pool, pool->name) &&
				     (!strcmp(e->from, r->full_name) || !strcmp(e->to, r->full_name));

			for (uint32_t i = 0; !about && i < e->backend_count; i++)
				about = e->backends[i] >= r->first_backend &&
					e->backends[i] < r->first_backend + r->backend_count;
			run->sim->pools[p].groups[g].hurt |= about;
		}
	}
}

void measure_begin(struct run *run)
{
	for (uint32_t p = 0; p < run->model->pool_count; p++) {
		const struct model_pool *pool = &run->model->pools[p];

		for (uint32_t i = 0; i < pool->member_count; i++) {
			run->pools[p].first[i] = pool->members[i].share;
			run->pools[p].slots[i] = pool->members[i].slots;
		}
		run->pools[p].generation = pool->generation;
		run->pools[p].moved = pool->moved;
		for (uint32_t g = 0; g < pool->group_count; g++) {
			struct sim_group *group = &run->sim->pools[p].groups[g];
			struct group_watch *w = &run->pools[p].groups[g];

			group->before = group->least = group->most = w->extreme = pool->groups[g].share;
			for (uint32_t k = 0; k < run->ring; k++)
				w->ring[k] = group->before;
		}
	}
	for (uint32_t i = 0; i < run->scenario->event_count; i++) {
		mark_hurt(run, &run->scenario->events[i]);
		if (run->scenario->events[i].backend_count)
			run->calm_s = fmax(run->calm_s, run->scenario->events[i].until_s);
		run->sim->events[i] = (struct sim_event){.before = NAN, .least = INFINITY, .half_s = NAN,
							 .gone_s = NAN, .back_s = NAN, .closed_s = NAN};
	}
}

/* --- groups */

static void watch_turns(struct sim_group *group, struct group_watch *w, double share)
{
	double least = fmax(TURN_LEAST, TURN * group->before);
	int direction = share > w->extreme ? 1 : -1;

	if (!w->direction) {
		if (fabs(share - w->extreme) < least)
			return;
		w->direction = direction;
		w->extreme = share;
	} else if (direction == w->direction) {
		w->extreme = share;
	} else if (fabs(share - w->extreme) >= least) {
		group->turns++;
		w->direction = direction;
		w->extreme = share;
	}
}

static void watch_speed(struct run *run, struct sim_group *group, struct group_watch *w, double share)
{
	double *was = &w->ring[run->sim->ticks % run->ring];
	double change = share - *was;

	*was = share;
	if (-change > group->fall + NEARLY) {
		group->fall = -change;
		group->fall_at_s = run->t_s;
	}
	if (change > group->rise + NEARLY) {
		group->rise = change;
		group->rise_at_s = run->t_s;
	}
}

/* True: it has more than it can carry, and more than it had. */
static bool watch_group(struct run *run, uint32_t p, uint32_t g)
{
	const struct model_group *now = &run->model->pools[p].groups[g];
	struct sim_group *group = &run->sim->pools[p].groups[g];
	struct group_watch *w = &run->pools[p].groups[g];
	bool above = now->share > now->headroom + NEARLY && now->share > group->before + NEARLY;

	watch_speed(run, group, w, now->share);
	watch_turns(group, w, now->share);
	group->least = fmin(group->least, now->share);
	group->most = fmax(group->most, now->share);
	if (run->t_s > run->calm_s && now->share < BACK * group->before)
		w->returns = true;
	if (w->returns && now->share - group->before > group->over + NEARLY) {
		group->over = now->share - group->before;
		group->over_at_s = run->t_s;
	}
	if (above)
		group->above_s += run->scenario->config->health.tick_s;
	return above;
}

/* --- pools */

static void watch_slots(struct run *run, uint32_t p)
{
	const struct model_pool *pool = &run->model->pools[p];
	struct sim_pool *seen = &run->sim->pools[p];

	if (run->pools[p].generation == pool->generation)
		return;
	run->pools[p].generation = pool->generation;
	seen->moved_all = pool->moved - run->pools[p].moved;
	for (uint32_t i = 0; i < pool->member_count; i++) {
		uint32_t *was = &run->pools[p].slots[i];

		if (pool->members[i].slots > *was)
			seen->least_all += pool->members[i].slots - *was;
		*was = pool->members[i].slots;
	}
}

/* Of all requests, which fail: as the slots are, or as they were at zero. */
static double failing_of(const struct run *run, uint32_t p, bool moved)
{
	const struct model_pool *pool = &run->model->pools[p];
	double sum = 0;

	for (uint32_t i = 0; i < pool->member_count; i++)
		sum += (moved ? pool->members[i].share : run->pools[p].first[i]) *
		       world_failing(world_truth(run->world, pool->members[i].backend), moved);
	return sum;
}

static void watch_pool(struct run *run, uint32_t p)
{
	struct sim_pool *seen = &run->sim->pools[p];
	double tick_s = run->scenario->config->health.tick_s, failing = failing_of(run, p, true);
	uint32_t above = 0;

	for (uint32_t g = 0; g < seen->group_count; g++)
		above += watch_group(run, p, g);
	seen->above_most = above > seen->above_most ? above : seen->above_most;
	watch_slots(run, p);
	seen->failed_s += failing * tick_s;
	seen->failing_most = fmax(seen->failing_most, failing);
	seen->unmoved_s += failing_of(run, p, false) * tick_s;
}

/* --- events */

/* What part of the pools that they are in these backends have. */
static double share_of(const struct run *run, const struct event_watch *w)
{
	double sum = 0;

	for (uint32_t i = 0; i < w->place_count; i++)
		sum += run->model->pools[w->places[i].pool].members[w->places[i].member].share;
	return w->pool_count ? sum / w->pool_count : 0;
}

static void watch_event(struct run *run, uint32_t i)
{
	const struct scenario_event *e = &run->scenario->events[i];
	struct sim_event *seen = &run->sim->events[i];
	double share, since_s = run->t_s - e->at_s;

	if (!e->backend_count)
		return;
	share = share_of(run, &run->events[i]);
	if (since_s < 0 || isnan(seen->before))
		seen->before = share;
	if (since_s < 0)
		return;
	if (run->t_s < e->until_s) {
		seen->least = fmin(seen->least, share);
		if (isnan(seen->half_s) && share <= seen->before / 2)
			seen->half_s = since_s;
		if (isnan(seen->gone_s) && share < GONE * seen->before)
			seen->gone_s = since_s;
	} else if (isnan(seen->back_s) && share >= BACK * seen->before) {
		seen->back_s = run->t_s - e->until_s;
	}
}

void measure_tick(struct run *run)
{
	for (uint32_t p = 0; p < run->model->pool_count; p++)
		watch_pool(run, p);
	for (uint32_t i = 0; i < run->scenario->event_count; i++)
		watch_event(run, i);
	for (uint32_t i = 0; i < run->scenario->config->backend_count; i++)
		run->sim->used_most = fmax(run->sim->used_most, world_truth(run->world, i)->used);
}

void measure_sample(struct run *run, uint32_t sample)
{
	for (uint32_t p = 0; p < run->model->pool_count; p++) {
		const struct model_pool *pool = &run->model->pools[p];
		struct sim_pool *seen = &run->sim->pools[p];

		seen->moved[sample] = (float)(seen->moved_all - run->pools[p].sampled);
		run->pools[p].sampled = seen->moved_all;
		seen->failing[sample] = (float)failing_of(run, p, true);
		seen->unmoved[sample] = (float)failing_of(run, p, false);
		for (uint32_t i = 0; i < pool->member_count; i++)
			seen->groups[pool->members[i].group].shares[sample] += (float)pool->members[i].share;
	}
}
