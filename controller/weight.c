/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See weight.h: one call goes through the rules in order. Rule 3 is in weight_share.c, 4 and 5 in
 * weight_slew.c, 6 in weight_panic.c; 1, 2, 7 and 8 are here.
 */
#include "controller/weight.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "controller/weight_rules.h"

static const char *const limit_names[] = {
	[WEIGHT_FREE] = "none",
	[WEIGHT_BY_STATE] = "state",
	[WEIGHT_BY_DOWN] = "down",
	[WEIGHT_BY_HEALTH] = "health",
	[WEIGHT_BY_SHIFT] = "shift",
	[WEIGHT_BY_SLEW] = "slew",
	[WEIGHT_BY_RETURN_HOLD] = "return-hold",
	[WEIGHT_BY_HEADROOM] = "headroom",
	[WEIGHT_BY_EJECTION] = "ejection",
	[WEIGHT_BY_PANIC] = "panic",
};
static_assert(sizeof(limit_names) / sizeof(limit_names[0]) == WEIGHT_LIMIT__COUNT, "names");

const char *weight_limit_name(enum weight_limit limit)
{
	return limit < WEIGHT_LIMIT__COUNT ? limit_names[limit] : "?";
}

struct weight_params weight_params_default(void)
{
	return (struct weight_params){
		.overprovision = 1.4,
		.fall_per_s = 0.02,
		.dead_fall_per_s = 0.20,
		.return_per_s = 0.005,
		.return_part_per_s = 0.02,
		.dead_below = 0.25,
		.alive_above = 0.35,
		.return_hold_s = 60,
		.eject_max = 0.30,
		.eject_floor = 0.10,
		.panic_groups = 0.5,
		.panic_hold_s = 30,
		.panic_clear_s = 10,
		.publish_ratio = 0.02,
		.publish_wait_s = 10,
	};
}

int weight_state_new(uint32_t group_count, uint32_t backend_count, struct weight_state **ret_state)
{
	struct weight_state *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->group_count = group_count;
	s->backend_count = backend_count;
	s->changed_s = INFINITY;
	s->groups = calloc(group_count + 1, sizeof(*s->groups));
	s->backends = calloc(backend_count + 1, sizeof(*s->backends));
	if (!s->groups || !s->backends) {
		weight_state_free(s);
		return -ENOMEM;
	}
	*ret_state = s;
	return 0;
}

int weight_state_copy(const struct weight_state *from, struct weight_state **ret_state)
{
	struct weight_state *s;
	int e = weight_state_new(from->group_count, from->backend_count, &s);

	if (e)
		return e;
	memcpy(s->groups, from->groups, from->group_count * sizeof(*s->groups));
	memcpy(s->backends, from->backends, from->backend_count * sizeof(*s->backends));
	s->phase = from->phase;
	s->refill_s = from->refill_s;
	s->panic = from->panic;
	s->panic_s = from->panic_s;
	s->changed_s = from->changed_s;
	s->clear_s = from->clear_s;
	s->snapshot_s = from->snapshot_s;
	*ret_state = s;
	return 0;
}

void weight_state_free(struct weight_state *state)
{
	if (!state)
		return;
	free(state->groups);
	free(state->backends);
	free(state);
}

void weight_state_adopt(struct weight_state *state, const double *group_shares,
			uint32_t group_count)
{
	double sum = 0;

	for (uint32_t g = 0; g < group_count; g++) {
		if (!(group_shares[g] >= 0 && group_shares[g] <= 1e9))
			return;
		sum += group_shares[g];
	}
	if (group_count != state->group_count || sum <= 0)
		return;
	for (uint32_t g = 0; g < group_count; g++)
		state->groups[g].base = group_shares[g] / sum;
	state->phase = WEIGHT_ADOPTED;
}

bool weight_in_panic(const struct weight_state *state)
{
	return state->panic;
}

static bool in_range(double x, double low, double high)
{
	return x >= low && x <= high; /* false for NaN */
}

static int check_backend(const struct weight_backend *b, uint32_t group_count)
{
	if (b->group >= group_count || !in_range(b->capacity, 1e-9, 1e15) ||
	    !in_range(b->health, 0, 1) || !in_range(b->weight, 0, 1))
		return -EINVAL;
	return 0;
}

static int check_input(const struct weight_input *in, const struct weight_state *state)
{
	if (in->backend_count != state->backend_count || in->group_count != state->group_count)
		return -EINVAL;
	if (!in_range(in->dt_s, 0, 1e9) || !in_range(in->demand, 0, 1e300))
		return -EINVAL;
	for (uint32_t i = 0; i < in->backend_count; i++)
		if (check_backend(&in->backends[i], in->group_count) < 0)
			return -EINVAL;
	for (uint32_t i = 0; i < in->shift_count; i++) {
		const struct weight_shift *shift = &in->shifts[i];

		if (shift->from >= in->group_count || shift->to >= in->group_count ||
		    shift->from == shift->to || !in_range(shift->part, 0, 1))
			return -EINVAL;
	}
	return 0;
}

static double capacity_in_use(const struct weight_backend *b)
{
	return b->ready ? b->capacity * b->weight : 0;
}

/* 1: effective capacity. */
static void backend_capacities(struct weight_tick *t)
{
	for (uint32_t g = 0; g < t->in->group_count; g++) {
		t->groups[g] = (struct weight_group_result){0};
		t->state->groups[g].ready = t->state->groups[g].alive = 0;
	}
	for (uint32_t i = 0; i < t->in->backend_count; i++) {
		const struct weight_backend *b = &t->in->backends[i];
		double effective = b->down ? 0 : capacity_in_use(b) * b->health;

		t->backends[i] = (struct weight_backend_result){.effective = effective};
		t->groups[b->group].capacity += b->capacity;
		t->groups[b->group].effective += effective;
		t->state->groups[b->group].ready += capacity_in_use(b);
		t->state->groups[b->group].alive += b->down ? 0 : capacity_in_use(b);
	}
}

static double demand_of(const struct weight_tick *t)
{
	uint32_t first = UINT32_MAX;
	double capacity = 0;

	if (t->in->demand > 0)
		return t->in->demand;
	for (uint32_t g = 0; g < t->in->group_count; g++)
		if (t->groups[g].capacity > 0 && t->in->groups[g].tier < first)
			first = t->in->groups[g].tier;
	for (uint32_t g = 0; g < t->in->group_count; g++)
		if (t->in->groups[g].tier == first)
			capacity += t->groups[g].capacity;
	return capacity / t->p->overprovision;
}

/* 2: availability, and what a group can carry. */
static void group_availabilities(struct weight_tick *t)
{
	t->demand = demand_of(t);
	for (uint32_t g = 0; g < t->in->group_count; g++) {
		struct weight_group_result *group = &t->groups[g];
		double scale = group->capacity > 0 ? t->p->overprovision / group->capacity : 0;

		group->availability = fmin(1, scale * group->effective);
		group->headroom = t->demand > 0 ? group->effective / t->demand : 0;
		t->state->groups[g].ready_availability = fmin(1, scale * t->state->groups[g].ready);
	}
}

/* 7: what a backend counts for within its group. */
static double backend_claim(const struct weight_tick *t, uint32_t i)
{
	const struct weight_backend *b = &t->in->backends[i];
	const struct weight_state *s = t->state;

	if (!b->ready)
		return 0;
	if (s->panic && s->panic_s < t->p->panic_hold_s)
		return s->backends[i].good[1];
	if (s->panic)
		return capacity_in_use(b);
	if (t->in->frozen && s->phase == WEIGHT_RUNNING)
		return b->down ? 0 : s->backends[i].part;
	return b->down ? 0 : capacity_in_use(b) * weight_trusted_health(t, i);
}

/* 7: a group in which nothing has any claim, but that has a share still: by capacity. */
static void backend_parts(struct weight_tick *t)
{
	for (uint32_t g = 0; g < t->in->group_count; g++)
		t->state->groups[g].room = 0; /* here: sum of claims */
	for (uint32_t i = 0; i < t->in->backend_count; i++)
		t->state->groups[t->in->backends[i].group].room += backend_claim(t, i);
	for (uint32_t i = 0; i < t->in->backend_count; i++) {
		const struct weight_backend *b = &t->in->backends[i];
		const struct weight_group_state *group = &t->state->groups[b->group];
		double part = 0;

		if (group->room > 0)
			part = backend_claim(t, i) / group->room;
		else if (group->ready > 0)
			part = capacity_in_use(b) / group->ready;
		t->backends[i].weight = part; /* for now; claims read the parts of before */
	}
	for (uint32_t i = 0; i < t->in->backend_count; i++) {
		t->state->backends[i].part = t->backends[i].weight;
		t->backends[i].weight *= t->groups[t->in->backends[i].group].share;
	}
}

static enum weight_limit group_limit(const struct weight_tick *t, uint32_t g, double received)
{
	const struct weight_group_state *group = &t->state->groups[g];

	if (group->ready <= 0)
		return WEIGHT_BY_STATE;
	if (t->state->panic)
		return WEIGHT_BY_PANIC;
	if (group->limit != WEIGHT_FREE)
		return group->limit;
	if (group->moved + group->old_moved > 0 || received > 0)
		return WEIGHT_BY_SHIFT;
	return t->groups[g].availability < 1 ? WEIGHT_BY_HEALTH : WEIGHT_FREE;
}

/* The results of rules 3 to 6, per group. */
static void group_results(struct weight_tick *t)
{
	uint32_t n = t->in->group_count;

	for (uint32_t g = 0; g < n; g++) {
		t->groups[g].share = t->groups[g].base = t->state->groups[g].base;
		t->groups[g].moved = t->state->groups[g].moved;
		t->groups[g].want = t->state->groups[g].want;
		t->state->groups[g].room = 0; /* here: received by shifts */
	}
	for (uint32_t g = 0; g < n; g++) {
		const struct weight_group_state *group = &t->state->groups[g];

		t->groups[g].share -= group->moved;
		t->groups[group->moved_to].share += group->moved;
		t->state->groups[group->moved_to].room += group->moved;
		t->groups[g].share -= group->old_moved;
		t->groups[group->old_to].share += group->old_moved;
		t->state->groups[group->old_to].room += group->old_moved;
	}
	for (uint32_t i = 0; i < t->in->shift_count; i++) {
		const struct weight_shift *shift = &t->in->shifts[i];
		double part = shift->part * t->state->groups[shift->from].want;

		t->groups[shift->from].want -= part;
		t->groups[shift->to].want += part;
	}
	for (uint32_t g = 0; g < n; g++)
		t->groups[g].limited_by = group_limit(t, g, t->state->groups[g].room);
}

static void backend_limits(struct weight_tick *t)
{
	for (uint32_t i = 0; i < t->in->backend_count; i++) {
		const struct weight_backend *b = &t->in->backends[i];
		enum weight_limit group = t->groups[b->group].limited_by;
		enum weight_limit *limit = &t->backends[i].limited_by;

		if (!b->ready)
			*limit = WEIGHT_BY_STATE;
		else if (t->state->panic)
			*limit = WEIGHT_BY_PANIC;
		else if (b->down)
			*limit = WEIGHT_BY_DOWN;
		else if (weight_trusted_health(t, i) > b->health)
			*limit = WEIGHT_BY_EJECTION;
		else if (b->health < 1)
			*limit = WEIGHT_BY_HEALTH;
		else
			*limit = group == WEIGHT_BY_HEALTH ? WEIGHT_FREE : group;
	}
}

/* `ebb freeze`: all that is ready keeps its share, and takes those of what is not. */
static void want_what_is(struct weight_state *s)
{
	double sum = 0;

	for (uint32_t g = 0; g < s->group_count; g++)
		if (s->groups[g].ready > 0)
			sum += s->groups[g].base;
	for (uint32_t g = 0; sum > 0 && g < s->group_count; g++)
		s->groups[g].want = s->groups[g].ready > 0 ? s->groups[g].base / sum : 0;
}

/* Rules 3 to 6 over groups. With nothing ready at all, all shares are 0, and calls are
 * first ones until it has been refilled for WEIGHT_REFILL_S. */
static void group_shares(struct weight_tick *t)
{
	struct weight_state *s = t->state;
	bool any_ready = weight_share_by_tiers(t, true); /* 3, nominal */

	if (!any_ready) {
		for (uint32_t g = 0; g < s->group_count; g++)
			s->groups[g].base = s->groups[g].want = s->groups[g].moved = 0;
		s->phase = WEIGHT_NEW;
		s->refill_s = WEIGHT_REFILL_S;
		return;
	}
	s->refill_s = fmax(0, s->refill_s - t->in->dt_s);
	if (!weight_share_by_tiers(t, false) || s->panic) /* 3 */
		weight_panic_want(t);                     /* 6 */
	if (s->phase == WEIGHT_ADOPTED)
		weight_unshift(t);
	if (t->in->frozen && s->phase != WEIGHT_NEW)
		want_what_is(s);
	weight_slew(t); /* 4, 5 */
}

int weight_compute(const struct weight_params *p, const struct weight_input *in,
		   struct weight_state *state, struct weight_group_result *ret_groups,
		   struct weight_backend_result *ret_backends)
{
	struct weight_tick t = {
		.p = p, .in = in, .state = state, .groups = ret_groups, .backends = ret_backends};

	if (check_input(in, state) < 0)
		return -EINVAL;
	backend_capacities(&t);   /* 1 */
	group_availabilities(&t); /* 2 */
	weight_watch_groups(&t);  /* 6 */
	weight_cap_ejections(&t); /* 6 */
	group_shares(&t);         /* 3 to 6 */
	group_results(&t);
	backend_parts(&t); /* 7 */
	backend_limits(&t);
	weight_remember_good(&t); /* 6 */
	for (uint32_t g = 0; g < in->group_count; g++)
		if (ret_groups[g].share > 0 && state->refill_s <= 0)
			state->phase = WEIGHT_RUNNING;
	return 0;
}

/* 8 */
bool weight_should_publish(const struct weight_params *p, const double *published,
			   const double *now, uint32_t n, double waited_s)
{
	bool differs = false;

	for (uint32_t i = 0; i < n; i++) {
		double change = fabs(now[i] - published[i]);

		if ((now[i] > 0) != (published[i] > 0))
			return true;
		if (published[i] > 0 && change >= p->publish_ratio * published[i])
			return true;
		differs |= change > 0;
	}
	return differs && waited_s >= p->publish_wait_s;
}
