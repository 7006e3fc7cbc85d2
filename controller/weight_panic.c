/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rule 6: what is not believed.
 *
 * - Within a group: what looks bad by ratio (health 0, but it answers) is ejected as long as that
 *   is at most 30 % of the group's capacity; beyond, all of it counts as 10 % healthy. What is
 *   plainly dead is always left.
 * - Over the pool: if more than half of the groups are dead, and the others could not carry the
 *   pool, then it is rather the eyes that are bad. Panic holds the weights of 5 to 10 s before for
 *   30 s, then goes by capacity; it ends when there has been no cause for 10 s, and begins and ends
 *   at most once in these 10 s.
 * - Groups in which nothing is ready are somebody's will and count for neither.
 */
#include <math.h>

#include "controller/weight_rules.h"

#define SNAPSHOT_S 5.0

/* Under this share of its capacity, the ejection cap lets go again. */
#define CAP_RELEASE (2.0 / 3)

static void watch_group(struct weight_tick *t, uint32_t g)
{
	struct weight_group_state *group = &t->state->groups[g];
	double availability = t->groups[g].availability;

	if (availability < t->p->dead_below)
		group->dead = true;
	else if (availability > t->p->alive_above)
		group->dead = false;
	if (t->state->phase != WEIGHT_RUNNING)
		group->alive_s = availability > t->p->alive_above ? INFINITY : 0;
	else if (availability > t->p->alive_above)
		group->alive_s += t->in->dt_s;
	else
		group->alive_s = 0;
}

static bool panic_cause(const struct weight_tick *t)
{
	uint32_t dead = 0, all = 0;
	double carried = 0;

	for (uint32_t g = 0; g < t->in->group_count; g++) {
		const struct weight_group_state *group = &t->state->groups[g];

		if (group->ready <= 0)
			continue;
		all++;
		dead += group->dead;
		carried += group->dead ? 0 : t->groups[g].headroom;
	}
	return dead > t->p->panic_groups * all && carried < 1;
}

void weight_watch_groups(struct weight_tick *t)
{
	struct weight_state *s = t->state;
	bool cause, want;

	for (uint32_t g = 0; g < t->in->group_count; g++)
		watch_group(t, g);
	cause = panic_cause(t);
	s->panic_s += t->in->dt_s;
	s->changed_s += t->in->dt_s;
	s->clear_s = cause ? 0 : s->clear_s + t->in->dt_s;
	want = cause || (s->panic && s->clear_s < t->p->panic_clear_s);
	if (want == s->panic || s->changed_s < t->p->panic_clear_s)
		return;
	s->panic = want;
	s->panic_s = s->changed_s = 0;
}

/* The last good shares, but none for what is not ready; false if there are none. */
static bool want_last_good(struct weight_tick *t)
{
	double sum = 0;

	for (uint32_t g = 0; g < t->in->group_count; g++)
		if (t->state->groups[g].ready > 0)
			sum += t->state->groups[g].good[1];
	if (sum <= 0)
		return false;
	for (uint32_t g = 0; g < t->in->group_count; g++) {
		struct weight_group_state *group = &t->state->groups[g];

		group->want = group->ready > 0 ? group->good[1] / sum : 0;
	}
	return true;
}

void weight_panic_want(struct weight_tick *t)
{
	if (t->state->panic_s < t->p->panic_hold_s && want_last_good(t))
		return;
	for (uint32_t g = 0; g < t->in->group_count; g++)
		t->state->groups[g].want = t->state->groups[g].nominal;
}

static bool looks_bad(const struct weight_backend *b)
{
	return b->ready && !b->down && b->health <= 0;
}

void weight_cap_ejections(struct weight_tick *t)
{
	for (uint32_t g = 0; g < t->in->group_count; g++)
		t->state->groups[g].room = 0; /* here: capacity that looks bad */
	for (uint32_t i = 0; i < t->in->backend_count; i++)
		if (looks_bad(&t->in->backends[i]))
			t->state->groups[t->in->backends[i].group].room +=
				t->in->backends[i].capacity;
	for (uint32_t g = 0; g < t->in->group_count; g++) {
		struct weight_group_state *group = &t->state->groups[g];
		double most = t->p->eject_max * t->groups[g].capacity;

		group->capped = group->room > (group->capped ? most * CAP_RELEASE : most);
	}
}

double weight_trusted_health(const struct weight_tick *t, uint32_t backend)
{
	const struct weight_backend *b = &t->in->backends[backend];

	if (looks_bad(b) && t->state->groups[b->group].capped)
		return t->p->eject_floor;
	return b->health;
}

void weight_remember_good(struct weight_tick *t)
{
	struct weight_state *s = t->state;
	bool first = s->phase != WEIGHT_RUNNING;

	s->snapshot_s += t->in->dt_s;
	if (!first && (s->panic || s->snapshot_s < SNAPSHOT_S))
		return;
	s->snapshot_s = 0;
	for (uint32_t g = 0; g < s->group_count; g++) {
		s->groups[g].good[1] = first ? s->groups[g].base : s->groups[g].good[0];
		s->groups[g].good[0] = s->groups[g].base;
	}
	for (uint32_t i = 0; i < s->backend_count; i++) {
		s->backends[i].good[1] = first ? s->backends[i].part : s->backends[i].good[0];
		s->backends[i].good[0] = s->backends[i].part;
	}
}
