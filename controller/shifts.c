// SPDX-License-Identifier: GPL-2.0-or-later
#include "controller/shifts.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_open(const struct shifts_entry *e)
{
	return e->shift.phase != SHIFT_CLOSED;
}

static void tell(struct shifts *s, const struct shifts_entry *e, const struct shift_record *record)
{
	if (s->on_record)
		s->on_record(s->ctx, e, record);
}

/* --- names */

static uint32_t find_group(const struct model *m, const struct model_pool *pool, const char *name)
{
	for (uint32_t g = 0; g < pool->group_count; g++)
		if (!strcmp(m->regions[pool->groups[g].region].full_name, name))
			return g;
	return UINT32_MAX;
}

struct place {
	struct model_pool *pool;
	uint32_t from, to;
};

static bool find_place(struct model *m, const struct shifts_entry *e, struct place *ret_place)
{
	uint32_t pool = model_find_pool(m, e->pool);

	if (pool == UINT32_MAX)
		return false;
	ret_place->pool = &m->pools[pool];
	ret_place->from = find_group(m, ret_place->pool, e->from);
	ret_place->to = find_group(m, ret_place->pool, e->to);
	return ret_place->from != UINT32_MAX && ret_place->to != UINT32_MAX;
}

struct shifts_entry *shifts_find(struct shifts *s, const char *name)
{
	for (uint32_t i = 0; i < s->count; i++)
		if (!strcmp(s->entries[i].name, name))
			return &s->entries[i];
	return NULL;
}

static struct shifts_entry *find_open(struct shifts *s, const char *pool, const char *from)
{
	for (uint32_t i = 0; i < s->count; i++)
		if (is_open(&s->entries[i]) && !strcmp(s->entries[i].pool, pool) &&
		    !strcmp(s->entries[i].from, from))
			return &s->entries[i];
	return NULL;
}

bool shifts_open(const struct shifts *s)
{
	for (uint32_t i = 0; i < s->count; i++)
		if (is_open(&s->entries[i]))
			return true;
	return false;
}

/* --- starting */

static int check_order(const struct model *m, const struct shifts_order *o, struct err *err)
{
	uint32_t at = model_find_pool(m, o->pool);
	const struct model_pool *pool;

	if (at == UINT32_MAX)
		return err_set(err, ENOENT, "no pool \"%s\"", o->pool);
	pool = &m->pools[at];
	if (find_group(m, pool, o->from) == UINT32_MAX)
		return err_set(err, ENOENT, "pool %s has no group \"%s\"", o->pool, o->from);
	if (find_group(m, pool, o->to) == UINT32_MAX)
		return err_set(err, ENOENT, "pool %s has no group \"%s\"", o->pool, o->to);
	if (!strcmp(o->from, o->to))
		return err_set(err, EINVAL, "from and to are the same group");
	if (o->comment && strlen(o->comment) > SHIFTS_COMMENT_MAX)
		return err_set(err, EINVAL, "a comment has at most %d bytes", SHIFTS_COMMENT_MAX);
	return 0;
}

/* Room at the end, by dropping the oldest closed one if need be. NULL: all are open. */
static struct shifts_entry *make_room(struct shifts *s)
{
	if (s->count < SHIFTS_MAX)
		return &s->entries[s->count];
	for (uint32_t i = 0; i < s->count; i++) {
		if (is_open(&s->entries[i]))
			continue;
		memmove(&s->entries[i], &s->entries[i + 1],
			(s->count - i - 1) * sizeof(s->entries[0]));
		return &s->entries[--s->count];
	}
	return NULL;
}

static void take_over(struct shifts *s, struct shifts_entry *older)
{
	struct shift_record record;

	if (older && shift_supersede(&older->shift, &record))
		tell(s, older, &record);
}

int shifts_start(struct shifts *s, const struct model *m, const struct shifts_order *o,
		 struct err *err, struct shifts_entry **ret_entry)
{
	struct shifts_entry new = {.live = o->live}, *older, *room;
	struct shift_record record;
	int e = check_order(m, o, err);

	if (e)
		return e;
	snprintf(new.pool, sizeof(new.pool), "%s", o->pool);
	snprintf(new.from, sizeof(new.from), "%s", o->from);
	snprintf(new.to, sizeof(new.to), "%s", o->to);
	snprintf(new.actor, sizeof(new.actor), "%s", o->actor);
	snprintf(new.comment, sizeof(new.comment), "%s", o->comment ? o->comment : "");
	older = find_open(s, o->pool, o->from);
	e = shift_start(&new.shift, &o->plan,
			older && !strcmp(older->to, o->to) ? older->shift.part : 0, &record, err);
	if (e)
		return e;
	take_over(s, older); /* closed now, so it may be what makes room */
	room = make_room(s);
	if (!room)
		return err_set(err, ENOSPC, "%d shifts are open; close some first", SHIFTS_MAX);
	snprintf(new.name, sizeof(new.name), "shift-%llu", (unsigned long long)++s->next % 1000000000);
	*room = new;
	s->count++;
	tell(s, room, &record);
	*ret_entry = room;
	return 0;
}

int shifts_do(struct shifts *s, struct shifts_entry *e, enum shift_verb verb, struct err *err)
{
	struct shift_record record;
	int rc = shift_do(&e->shift, verb, &record, err);

	if (!rc)
		tell(s, e, &record);
	return rc;
}

/* --- time */

static bool has_data(const struct model *m, const struct model_pool *pool, uint32_t g)
{
	const struct model_group *group = &pool->groups[g];

	for (uint32_t i = 0; i < group->member_count; i++)
		if (m->backends[pool->members[group->first_member + i].backend].known)
			return true;
	return false;
}

static struct shift_input input_of(const struct model *m, const struct place *at, double dt_s)
{
	const struct model_group *from = &at->pool->groups[at->from], *to = &at->pool->groups[at->to];
	const struct shift_signals signals = {
		.known = has_data(m, at->pool, at->to),
		.availability = to->availability,
		.share = to->share,
		.headroom = to->headroom,
	};

	return (struct shift_input){
		.gate = shift_judge(&signals),
		.source_availability = has_data(m, at->pool, at->from) ? from->availability : -1,
		.dt_s = dt_s,
	};
}

static void tick_one(struct shifts *s, struct model *m, struct shifts_entry *e, double dt_s)
{
	struct shift_record record;
	struct shift_input in;
	struct place at;

	if (!find_place(m, e, &at)) {
		take_over(s, e);
		return;
	}
	if (dt_s > 0 && m->ticks) {
		in = input_of(m, &at, dt_s);
		if (shift_tick(&e->shift, &in, &record))
			tell(s, e, &record);
	}
	if (is_open(e) && e->shift.part > 0 && at.pool->shift_count < at.pool->group_count)
		at.pool->shifts[at.pool->shift_count++] =
			(struct weight_shift){at.from, at.to, e->shift.part};
}

void shifts_tick(struct shifts *s, struct model *m, double dt_s)
{
	for (uint32_t i = 0; i < m->pool_count; i++)
		m->pools[i].shift_count = 0;
	for (uint32_t i = 0; i < s->count; i++)
		if (is_open(&s->entries[i]))
			tick_one(s, m, &s->entries[i], dt_s);
}

/* --- JSON */

static json_t *holds_of(const struct shift *shift)
{
	json_t *holds = json_array();

	for (int bit = 0; bit < SHIFT_HOLDS; bit++)
		if (shift->holds & 1u << bit)
			(void)json_array_append_new(holds,
						    json_string(shift_hold_name((enum shift_hold)(1u << bit))));
	return holds;
}

static json_t *steps_of(const struct shift_plan *plan)
{
	json_t *steps = json_array();

	for (uint32_t i = 0; i < plan->step_count; i++)
		(void)json_array_append_new(steps, json_pack("{sf, sf}", "share", plan->steps[i].part,
							     "ramp_s", plan->steps[i].ramp_s));
	return steps;
}

json_t *shifts_show(const struct shifts_entry *e)
{
	const struct shift *shift = &e->shift;
	json_t *to = json_pack("{ss, ss, ss, ss, ss, si, so, sf, sf, sf, sf, so, ss, ss, sb}", "name",
			       e->name, "pool", e->pool, "from", e->from, "to", e->to, "phase",
			       shift_phase_name(shift->phase), "step", (int)shift->step, "steps",
			       steps_of(&shift->plan), "share", shift->part, "elapsed_s", shift->total_s,
			       "bake_s", shift->plan.bake_s, "ttl_s", shift->plan.ttl_s, "holds",
			       holds_of(shift), "actor", e->actor, "comment", e->comment, "live",
			       e->live);

	if (shift->outcome != SHIFT_OPEN)
		(void)json_object_set_new(to, "outcome", json_string(shift_outcome_name(shift->outcome)));
	return to;
}

json_t *shifts_save(const struct shifts *s)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < s->count; i++) {
		const struct shifts_entry *e = &s->entries[i];
		const struct shift *x = &e->shift;

		(void)json_array_append_new(
			list,
			json_pack("{ss, ss, ss, ss, ss, ss, sb, so, sf, sf, sf, sf, si, si, si, si, sf, sf, sf, sf, sf}",
				  "name", e->name, "pool", e->pool, "from", e->from, "to", e->to,
				  "actor", e->actor, "comment", e->comment, "live", e->live, "steps",
				  steps_of(&x->plan), "bake_s", x->plan.bake_s, "ttl_s", x->plan.ttl_s,
				  "gate_fail_max_s", x->plan.gate_fail_s, "back_per_s",
				  x->plan.back_per_s, "phase", (int)x->phase, "outcome", (int)x->outcome,
				  "step", (int)x->step, "holds", (int)x->holds, "part", x->part,
				  "ramp_from", x->ramp_from, "phase_s", x->phase_s, "total_s",
				  x->total_s, "gate_fail_s", x->gate_fail_s));
	}
	return list;
}

/* A number of [0, max], or NAN. */
static double number_of(const json_t *from, const char *key, double max)
{
	const json_t *value = json_object_get(from, key);
	double n = json_is_number(value) ? json_number_value(value) : NAN;

	return n >= 0 && n <= max ? n : NAN;
}

static bool take_text(const json_t *from, const char *key, char *to, size_t size)
{
	const char *text = json_string_value(json_object_get(from, key));

	return text && (size_t)snprintf(to, size, "%s", text) < size;
}

/* Sets *to; false if it is no number of [0, max]. */
static bool take(const json_t *from, const char *key, double max, double *to)
{
	*to = number_of(from, key, max);
	return !isnan(*to);
}

static bool take_count(const json_t *from, const char *key, uint32_t below, uint32_t *to)
{
	double n = number_of(from, key, below - 1);

	if (isnan(n))
		return false;
	*to = (uint32_t)n;
	return true;
}

static bool take_plan(const json_t *from, struct shift_plan *plan)
{
	const json_t *steps = json_object_get(from, "steps"), *step;
	size_t i;

	if (!json_is_array(steps) || !json_array_size(steps) ||
	    json_array_size(steps) > SHIFT_STEPS_MAX)
		return false;
	json_array_foreach (steps, i, step)
		if (!take(step, "share", 1, &plan->steps[i].part) ||
		    !take(step, "ramp_s", 1e9, &plan->steps[i].ramp_s))
			return false;
	plan->step_count = (uint32_t)json_array_size(steps);
	return take(from, "bake_s", 1e9, &plan->bake_s) && take(from, "ttl_s", 1e9, &plan->ttl_s) &&
	       take(from, "gate_fail_max_s", 1e9, &plan->gate_fail_s) &&
	       take(from, "back_per_s", 1e9, &plan->back_per_s);
}

static bool take_entry(const json_t *from, struct shifts_entry *e)
{
	struct shift *x = &e->shift;
	uint32_t phase, outcome;

	*e = (struct shifts_entry){.live = json_is_true(json_object_get(from, "live"))};
	if (!take_text(from, "name", e->name, sizeof(e->name)) ||
	    !take_text(from, "pool", e->pool, sizeof(e->pool)) ||
	    !take_text(from, "from", e->from, sizeof(e->from)) ||
	    !take_text(from, "to", e->to, sizeof(e->to)) ||
	    !take_text(from, "actor", e->actor, sizeof(e->actor)) ||
	    !take_text(from, "comment", e->comment, sizeof(e->comment)) ||
	    !take_plan(from, &x->plan) ||
	    !take_count(from, "phase", SHIFT_PHASE__COUNT, &phase) ||
	    !take_count(from, "outcome", SHIFT_OUTCOME__COUNT, &outcome) ||
	    !take_count(from, "step", x->plan.step_count, &x->step) ||
	    !take_count(from, "holds", 1u << SHIFT_HOLDS, &x->holds))
		return false;
	x->phase = (enum shift_phase)phase;
	x->outcome = (enum shift_outcome)outcome;
	return take(from, "part", 1, &x->part) && take(from, "ramp_from", 1, &x->ramp_from) &&
	       take(from, "phase_s", 1e12, &x->phase_s) && take(from, "total_s", 1e12, &x->total_s) &&
	       take(from, "gate_fail_s", 1e12, &x->gate_fail_s);
}

void shifts_load(struct shifts *s, const json_t *saved)
{
	unsigned long long number;
	const json_t *one;
	size_t i;

	json_array_foreach (saved, i, one) {
		if (s->count == SHIFTS_MAX || !take_entry(one, &s->entries[s->count]))
			continue;
		if (sscanf(s->entries[s->count].name, "shift-%llu", &number) == 1 && number > s->next)
			s->next = number;
		s->count++;
	}
}
