/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules 4 and 5: how the shares get from where they are to where the rules want them.
 *
 * The base (shares by health alone) and what shifts move are slewed apart, so that a ramp is not
 * held back by the slowness that is meant for health, and a shift that ends goes back to where
 * health is.
 *
 * Base. Groups that want less give up at most their fall rate; what nothing is ready in gives up
 * all. Groups that want more take it, in this order:
 *   1. above their nominal share up to their headroom, and towards it at the return rate after the
 *      hold;
 *   2. if a dead group gives: up to their headroom, whatever the return rate;
 *   3. if a dead group gives and there is no other room: above their headroom;
 *   4. if a group gives what its living cannot carry, while those who should take it are held back:
 *      whoever is well and has room, until they are not held back any more.
 * What is given by a group that is merely degraded waits for room of the first kind.
 *
 * When a part of a group is plainly dead, the rest must not bear all of its share for as long as a
 * degraded group's takes to fall: it would be the next to die. So what the rest cannot carry falls
 * as a dead group's share does.
 */
#include <math.h>
#include <stddef.h>

#include "controller/weight_rules.h"

#define NOTHING 1e-9 /* shares nearer than this are the same: sums round */

static double fall_rate(const struct weight_tick *t, const struct weight_group_state *group)
{
	return group->dead || t->state->panic ? t->p->dead_fall_per_s : t->p->fall_per_s;
}

/* What it wants to be rid of since its dead cannot carry it, and those that are alive cannot either. */
static double excess(const struct weight_tick *t, const struct weight_group_state *group)
{
	double carried = t->demand > 0 ? group->alive / t->demand : 1;

	return group->alive < group->ready ? weight_clamp(group->base - carried, 0, group->loss) : 0;
}

static enum weight_giving giving(const struct weight_tick *t, const struct weight_group_state *group)
{
	if (group->dead || group->ready <= 0 || t->state->panic)
		return WEIGHT_GIVES_DEAD;
	return excess(t, group) > fall_rate(t, group) * t->in->dt_s ? WEIGHT_GIVES_OVER
								    : WEIGHT_GIVES_SOFT;
}

static void find_losses(struct weight_tick *t)
{
	for (uint32_t g = 0; g < t->in->group_count; g++) {
		struct weight_group_state *group = &t->state->groups[g];
		double most = fall_rate(t, group) * t->in->dt_s;

		group->loss = fmax(0, group->base - group->want);
		group->gain = fmax(0, group->want - group->base);
		group->limit = WEIGHT_FREE;
		group->giving = giving(t, group);
		if (group->giving == WEIGHT_GIVES_OVER)
			most = fmin(excess(t, group), t->p->dead_fall_per_s * t->in->dt_s);
		if (group->ready > 0 && group->loss > most) {
			group->loss = most;
			group->limit = WEIGHT_BY_SLEW;
		}
	}
}

/* Room of the first kind; says what bounds it. */
static double room_normal(const struct weight_tick *t, uint32_t g)
{
	struct weight_group_state *group = &t->state->groups[g];
	double headroom = fmax(0, t->groups[g].headroom - group->base);
	double rate = fmin(t->p->return_per_s, t->p->return_part_per_s * group->nominal);
	double step = rate * t->in->dt_s;
	bool returning = group->base < group->nominal - NOTHING;

	if (t->state->panic)
		return group->gain;
	if (returning && group->alive_s < t->p->return_hold_s) {
		group->limit = WEIGHT_BY_RETURN_HOLD;
		return 0;
	}
	if (returning && group->gain > step && headroom > step) {
		group->limit = WEIGHT_BY_SLEW;
		return step;
	}
	if (group->gain > headroom) {
		group->limit = WEIGHT_BY_HEADROOM;
		return headroom;
	}
	return group->gain;
}

enum room {
	ROOM_NORMAL,   /* 1 */
	ROOM_AT_ONCE,  /* 2 */
	ROOM_OVERLOAD, /* 3 */
	ROOM_STAND_IN, /* 4 */
};

static double room_of(const struct weight_tick *t, uint32_t g, enum room kind)
{
	const struct weight_group_state *group = &t->state->groups[g];

	switch (kind) {
	case ROOM_NORMAL:
		return group->gain > 0 ? room_normal(t, g) : 0;
	case ROOM_AT_ONCE:
		return fmin(group->gain, fmax(0, t->groups[g].headroom - group->base));
	case ROOM_OVERLOAD:
		return group->gain;
	case ROOM_STAND_IN:
		if (group->giving != WEIGHT_GIVES_SOFT || group->base < group->nominal - NOTHING)
			return 0;
		return fmax(0, t->groups[g].headroom - group->base);
	}
	return 0;
}

/* Gives up to `amount` to those with room of this kind, in proportion; returns what found none. */
static double place(struct weight_tick *t, enum room kind, double amount)
{
	double sum = 0, part;

	for (uint32_t g = 0; g < t->in->group_count; g++) {
		t->state->groups[g].room = room_of(t, g, kind);
		sum += t->state->groups[g].room;
	}
	if (sum <= 0 || amount <= 0)
		return amount;
	part = fmin(1, amount / sum);
	for (uint32_t g = 0; g < t->in->group_count; g++) {
		struct weight_group_state *group = &t->state->groups[g];

		group->base += group->room * part;
		group->gain = fmax(0, group->gain - group->room * part);
	}
	return part < 1 ? 0 : fmax(0, amount - sum);
}

static double take_losses(struct weight_tick *t, enum weight_giving how)
{
	double sum = 0;

	for (uint32_t g = 0; g < t->in->group_count; g++)
		if (t->state->groups[g].giving == how)
			sum += t->state->groups[g].loss;
	return sum;
}

/* Why do the others not take all that is given? */
static enum weight_limit refusal(const struct weight_tick *t)
{
	for (uint32_t g = 0; g < t->in->group_count; g++)
		if (t->state->groups[g].limit == WEIGHT_BY_HEADROOM)
			return WEIGHT_BY_HEADROOM;
	return WEIGHT_BY_SLEW;
}

static void give_up(struct weight_tick *t, enum weight_giving how, double part)
{
	enum weight_limit why = refusal(t);

	for (uint32_t g = 0; g < t->in->group_count; g++) {
		struct weight_group_state *group = &t->state->groups[g];

		if (group->giving != how || group->loss <= 0)
			continue;
		group->base -= group->loss * part;
		if (group->loss * (1 - part) > NOTHING)
			group->limit = why;
	}
}

/* Room of the first kind is one budget for all sorts of givers, so they ask for it together. */
static void slew_base(struct weight_tick *t)
{
	double losses[WEIGHT_GIVING__COUNT], all = 0, dead, over, placed;

	find_losses(t);
	for (int how = 0; how < WEIGHT_GIVING__COUNT; how++)
		all += losses[how] = take_losses(t, (enum weight_giving)how);
	dead = losses[WEIGHT_GIVES_DEAD];
	over = losses[WEIGHT_GIVES_OVER];
	placed = all - place(t, ROOM_NORMAL, all);
	if (placed < dead)
		placed = dead - place(t, ROOM_OVERLOAD, place(t, ROOM_AT_ONCE, dead - placed));
	if (over > 0 && placed < dead + over)
		placed = dead + over - place(t, ROOM_STAND_IN, dead + over - placed);
	for (int how = 0; how < WEIGHT_GIVING__COUNT; how++) {
		if (losses[how] > 0)
			give_up(t, (enum weight_giving)how, weight_clamp(placed / losses[how], 0, 1));
		placed -= losses[how];
	}
}

/* Rounding must not add up over days. */
static void normalise(struct weight_tick *t)
{
	double sum = 0;

	for (uint32_t g = 0; g < t->in->group_count; g++) {
		if (t->state->groups[g].base < NOTHING / 1000)
			t->state->groups[g].base = 0;
		sum += t->state->groups[g].base;
	}
	for (uint32_t g = 0; sum > 0 && g < t->in->group_count; g++)
		t->state->groups[g].base /= sum;
}

static const struct weight_shift *shift_from(const struct weight_tick *t, uint32_t g)
{
	for (uint32_t i = 0; i < t->in->shift_count; i++)
		if (t->in->shifts[i].from == g)
			return &t->in->shifts[i];
	return NULL;
}

/* 4: what should be moved out of `g` now. A group's room for shifts is given out in order of
 * groups. A headroom that rests on an assumed demand does not stop what somebody asked for; a dead
 * target, and a headroom that was measured, do. */
static double wanted_move(const struct weight_tick *t, uint32_t g, const struct weight_shift *shift)
{
	double room = t->groups[shift->to].headroom - t->state->groups[shift->to].base;
	double want = shift->part * t->state->groups[g].base;

	if (t->state->groups[shift->to].dead)
		return 0;
	if (t->in->demand <= 0)
		return want;
	for (uint32_t other = 0; other < g; other++)
		if (t->state->groups[other].moved_to == shift->to)
			room -= t->state->groups[other].moved;
	return fmin(want, fmax(0, room));
}

/* A newer shift goes elsewhere. What the older one had moved stays there for now; of three places the two with most. */
static void retarget(struct weight_group_state *group, uint32_t to)
{
	double moved = group->old_to == to ? group->old_moved : 0;

	if (group->old_to == to || group->moved >= group->old_moved) {
		group->old_moved = group->moved;
		group->old_to = group->moved_to;
	}
	group->moved = moved;
	group->moved_to = to;
}

/* It goes back at the speed of shifts; to a dead source only what the newer target takes over. */
static void slew_old(struct weight_tick *t, uint32_t g, double gained)
{
	struct weight_group_state *group = &t->state->groups[g];
	double step = t->p->dead_fall_per_s * t->in->dt_s;

	if (t->state->groups[group->old_to].ready <= 0)
		group->old_moved = 0; /* a backend's state goes before any shift */
	if (t->groups[g].availability < t->p->alive_above && !t->state->groups[group->old_to].dead)
		step = fmin(step, fmax(0, gained));
	if (t->state->panic || t->in->frozen)
		step = 0;
	group->old_moved = weight_clamp(group->old_moved - step, 0, group->base - group->moved);
}

static void slew_shift(struct weight_tick *t, uint32_t g)
{
	struct weight_group_state *group = &t->state->groups[g];
	const struct weight_shift *shift = shift_from(t, g);
	double step = t->p->dead_fall_per_s * t->in->dt_s, want;

	if (shift && shift->to != group->moved_to)
		retarget(group, shift->to);
	if (t->state->groups[group->moved_to].ready <= 0) {
		group->moved = 0; /* a backend's state goes before any shift */
		return;
	}
	want = shift ? wanted_move(t, g, shift) : 0;
	if (t->state->panic || t->in->frozen)
		want = group->moved;
	if (t->state->phase == WEIGHT_RUNNING)
		want = weight_clamp(want, group->moved - step, group->moved + step);
	group->moved = weight_clamp(want, 0, group->base);
}

void weight_unshift(struct weight_tick *t)
{
	for (uint32_t i = 0; i < t->in->shift_count; i++) {
		const struct weight_shift *shift = &t->in->shifts[i];
		struct weight_group_state *from = &t->state->groups[shift->from];
		struct weight_group_state *to = &t->state->groups[shift->to];
		double moved =
			shift->part < 1 ? from->base * shift->part / (1 - shift->part) : from->want;

		moved = fmin(moved, to->base);
		to->base -= moved;
		from->base += moved;
		from->moved = moved;
		from->moved_to = shift->to;
	}
}

void weight_slew(struct weight_tick *t)
{
	if (t->state->phase == WEIGHT_NEW) {
		for (uint32_t g = 0; g < t->in->group_count; g++)
			t->state->groups[g].base = t->state->groups[g].want;
	} else {
		slew_base(t);
	}
	normalise(t);
	for (uint32_t g = 0; g < t->in->group_count; g++) {
		double before = t->state->groups[g].moved;

		slew_shift(t, g);
		slew_old(t, g, t->state->groups[g].moved - before);
	}
}
