// SPDX-License-Identifier: GPL-2.0-or-later
#include "controller/shifts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "controller/shift_view.h"

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

uint32_t shifts_find_group(const struct model *m, const struct model_pool *pool, const char *name)
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
	ret_place->from = shifts_find_group(m, ret_place->pool, e->from);
	ret_place->to = shifts_find_group(m, ret_place->pool, e->to);
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

/* By its full name or, where it is unique, by its own. */
static const char *full_name(const struct model *m, const char *name)
{
	uint32_t region = model_find_region(m, name);

	return region == UINT32_MAX ? name : m->regions[region].full_name;
}

static int check_order(const struct model *m, const struct shifts_order *o, struct err *err)
{
	uint32_t at = model_find_pool(m, o->pool);
	const struct model_pool *pool;

	if (at == UINT32_MAX)
		return err_set(err, ENOENT, "no pool \"%s\"", o->pool);
	pool = &m->pools[at];
	if (shifts_find_group(m, pool, o->from) == UINT32_MAX)
		return err_set(err, ENOENT, "pool %s has no group \"%s\"", o->pool, o->from);
	if (shifts_find_group(m, pool, o->to) == UINT32_MAX)
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

static void close_one(struct shifts *s, struct shifts_entry *e, enum shift_outcome outcome,
		      enum shift_cause cause)
{
	struct shift_record record;

	if (shift_close(&e->shift, outcome, cause, &record))
		tell(s, e, &record);
}

int shifts_start(struct shifts *s, const struct model *m, const struct shifts_order *order,
		 struct err *err, struct shifts_entry **ret_entry)
{
	struct shifts_order named = *order, *o = &named;
	struct shifts_entry new = {
		.live = o->live,
		.why = "",
		.seen = {.target_past = shift_past_none(), .source_past = shift_past_none()},
	};
	struct shifts_entry *older, *room;
	struct shift_record record;
	int e;

	named.from = full_name(m, order->from);
	named.to = full_name(m, order->to);
	e = check_order(m, o, err);
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
	if (older)
		new.seen.source_past = older->seen.source_past;
	if (older && !strcmp(older->to, o->to))
		new.seen.target_past = older->seen.target_past;
	if (older)
		close_one(s, older, SHIFT_SUPERSEDED, SHIFT_BY_NEWER); /* so it may be what makes room */
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

int shifts_set(struct shifts *s, struct shifts_entry *e, double part, double ramp_s, struct err *err)
{
	struct shift_record record;
	int rc = shift_set(&e->shift, part, ramp_s, &record, err);

	if (!rc)
		tell(s, e, &record);
	return rc;
}

/* --- time */

static struct shift_input input_of(const struct model *m, const struct place *at,
				   struct shifts_entry *e, double dt_s)
{
	const struct model_group *to = &at->pool->groups[at->to];
	struct shift_signals *seen = &e->seen;

	seen->target = shift_view_group(m, at->pool, at->to);
	seen->source = shift_view_group(m, at->pool, at->from);
	shift_remember(&seen->target_past, &seen->target);
	shift_remember(&seen->source_past, &seen->source);
	seen->share = to->share;
	seen->headroom = to->headroom;
	seen->in_force = e->shift.phase == SHIFT_DONE;
	e->gate = shift_judge(seen, &e->why);
	return (struct shift_input){
		.gate = e->gate,
		.source_availability = seen->source.known ? seen->source.availability : -1,
		.part_max = shift_view_part_max(at->pool, at->from, at->to),
		.dt_s = dt_s,
	};
}

static void tick_one(struct shifts *s, struct model *m, struct shifts_entry *e, double dt_s)
{
	struct shift_record record;
	struct shift_input in;
	struct place at;

	if (!find_place(m, e, &at)) {
		close_one(s, e, SHIFT_ABORTED, SHIFT_BY_GONE);
		return;
	}
	if (dt_s > 0 && m->ticks) {
		in = input_of(m, &at, e, dt_s);
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
		else
			s->entries[i].closed_s += dt_s;
	if (dt_s > 0 && m->ticks)
		shifts_automatic(s, m, dt_s);
}
