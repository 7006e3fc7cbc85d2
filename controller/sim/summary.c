// SPDX-License-Identifier: GPL-2.0-or-later
/* summary: a run in a few numbers, as a document. A time that never came is null. */
#include <math.h>
#include <string.h>

#include "controller/sim/sim.h"

static json_t *number(double x)
{
	return isfinite(x) ? json_real(x) : json_null();
}

/* The group with the most of what `of` gives, or NULL if none has any. */
static const struct sim_group *most(const struct sim_pool *pool, double (*of)(const struct sim_group *))
{
	const struct sim_group *best = NULL;

	for (uint32_t g = 0; g < pool->group_count; g++)
		if (of(&pool->groups[g]) > (best ? of(best) : 0))
			best = &pool->groups[g];
	return best;
}

static double fall_of(const struct sim_group *g)
{
	return g->fall;
}

static double rise_of(const struct sim_group *g)
{
	return g->rise;
}

static double over_of(const struct sim_group *g)
{
	return g->over;
}

static double turns_of(const struct sim_group *g)
{
	return g->turns;
}

static double above_of(const struct sim_group *g)
{
	return g->above_s;
}

static json_t *extreme(const struct sim_group *g, const char *key, double value, double at_s)
{
	if (!g)
		return json_null();
	return json_pack("{ss, sf, so}", "group", g->name, key, value, "at_s", number(at_s));
}

static json_t *pool_of(const struct sim_pool *pool)
{
	const struct sim_group *fall = most(pool, fall_of), *rise = most(pool, rise_of);
	const struct sim_group *over = most(pool, over_of), *turns = most(pool, turns_of);
	const struct sim_group *above = most(pool, above_of);

	return json_pack(
		"{ss, si, si, sI, sI, so, so, so, so, so, si, sf, sf, sf}", "name", pool->name, "groups",
		(int)pool->group_count, "slots", (int)pool->slots, "moved", (json_int_t)pool->moved_all, "least",
		(json_int_t)pool->least_all, "fall",
		extreme(fall, "share_per_s", fall ? fall->fall : 0, fall ? fall->fall_at_s : 0), "rise",
		extreme(rise, "share_per_s", rise ? rise->rise : 0, rise ? rise->rise_at_s : 0), "overshoot",
		extreme(over, "share", over ? over->over : 0, over ? over->over_at_s : 0), "turns",
		extreme(turns, "count", turns ? turns->turns : 0, NAN), "above_headroom",
		extreme(above, "seconds", above ? above->above_s : 0, NAN), "above_headroom_groups",
		(int)pool->above_most, "failed_s", pool->failed_s, "unmoved_s", pool->unmoved_s, "failing_most",
		pool->failing_most);
}

static json_t *event_of(const struct scenario_event *e, const struct sim_event *seen)
{
	bool closed = isfinite(seen->closed_s);

	return json_pack("{ss, ss, sf, so, si, so, so, so, so, so, ss}", "label", e->label, "what",
			 scenario_what_names[e->what], "at_s", e->at_s, "until_s", number(closed ? seen->closed_s : e->until_s), "backends",
			 (int)e->backend_count, "before", number(seen->before), "least", number(seen->least),
			 "half_s", number(seen->half_s), "gone_s", number(seen->gone_s), "back_s",
			 number(seen->back_s), "outcome", closed ? shift_outcome_name(seen->outcome) : "");
}

json_t *sim_summary(const struct sim *sim)
{
	const struct scenario *s = sim->scenario;
	json_t *pools = json_array(), *events = json_array(), *notes = json_array();
	char seed[24];

	for (uint32_t p = 0; p < sim->pool_count; p++)
		(void)json_array_append_new(pools, pool_of(&sim->pools[p]));
	for (uint32_t i = 0; i < s->event_count; i++)
		(void)json_array_append_new(events, event_of(&s->events[i], &sim->events[i]));
	for (uint32_t i = 0; i < sim->note_count; i++)
		(void)json_array_append_new(notes, json_pack("{sf, ss, ss}", "at_s", sim->notes[i].at_s, "event",
							     model_event_names[sim->notes[i].kind], "pool",
							     sim->notes[i].pool));
	snprintf(seed, sizeof(seed), "%#llx", (unsigned long long)s->seed);
	return json_pack("{ss, ss, sf, sI, si, si, si, so, so, so, sf}", "name", s->name, "seed", seed, "duration_s",
			 s->duration_s, "ticks", (json_int_t)sim->ticks, "providers",
			 (int)s->config->provider_count, "regions", (int)s->config->region_count, "backends",
			 (int)s->config->backend_count, "pools", pools, "events", events, "notes", notes, "used_most",
			 sim->used_most);
}
