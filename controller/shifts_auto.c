// SPDX-License-Identifier: GPL-2.0-or-later
/* shifts_auto: policies that start and end shifts by themselves (auto_shift.h), for each pool that has one. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/auto_shift.h"
#include "controller/shift_view.h"
#include "controller/shifts.h"

struct open_shifts {
	struct shifts_entry *automatic; /* NULL: none */
	struct auto_input in;
};

static bool is_automatic(const struct shifts_entry *e)
{
	return !strcmp(e->actor, SHIFTS_AUTO);
}

static void look_at_shifts(struct shifts *s, const struct model *m, const struct model_pool *pool,
			   struct open_shifts *ret_open)
{
	struct auto_input *in = &ret_open->in;

	in->ended_s = INFINITY;
	for (uint32_t i = 0; i < s->count; i++) {
		struct shifts_entry *e = &s->entries[i];
		bool open = e->shift.phase != SHIFT_CLOSED;

		if (strcmp(e->pool, pool->name))
			continue;
		if (open && is_automatic(e)) {
			ret_open->automatic = e;
			in->open_from = shifts_find_group(m, pool, e->from);
			in->open = in->open_from != UINT32_MAX;
		} else if (open) {
			in->operator_open = true;
		} else if (is_automatic(e)) {
			in->ended_s = fmin(in->ended_s, e->closed_s);
		}
	}
	for (uint32_t i = 0; in->open && i < s->count; i++)
		if (s->entries[i].shift.phase != SHIFT_CLOSED && !strcmp(s->entries[i].pool, pool->name) &&
		    !strcmp(s->entries[i].to, ret_open->automatic->from))
			in->operator_to_source = true;
}

static void look_at_groups(const struct model *m, struct model_pool *pool, bool held, double dt_s,
			   struct auto_group *ret_groups)
{
	for (uint32_t g = 0; g < pool->group_count; g++) {
		struct model_group *group = &pool->groups[g];
		struct auto_group *to = &ret_groups[g];

		*to = (struct auto_group){
			.tier = group->tier,
			.known = shift_view_group(m, pool, g).known,
			.availability = group->availability,
			.base = group->base,
			.share = group->share,
			.headroom = group->headroom,
			.below_s = group->below_s,
			.above_s = group->above_s,
		};
		auto_shift_watch(pool->auto_shift, to, held, dt_s);
		group->below_s = to->below_s;
		group->above_s = to->above_s;
	}
}

static void start(struct shifts *s, const struct model *m, const struct model_pool *pool,
		  const struct auto_decision *decision)
{
	const struct model_group *from = &pool->groups[decision->from];
	char comment[SHIFTS_COMMENT_MAX + 1];
	struct shifts_order order = {
		.pool = pool->name,
		.from = m->regions[from->region].full_name,
		.to = m->regions[pool->groups[decision->to].region].full_name,
		.actor = SHIFTS_AUTO,
		.comment = comment,
		.plan = pool->auto_shift->plan,
	};
	struct shifts_entry *e;

	snprintf(comment, sizeof(comment), "availability %.2f, under %.2f for %.0f s", from->availability,
		 pool->auto_shift->below, from->below_s);
	(void)!shifts_start(s, m, &order, NULL, &e); /* no room: tried again in the next tick */
}

static void give_back(struct shifts *s, struct shifts_entry *e)
{
	if (e->shift.phase != SHIFT_BACK)
		(void)!shifts_do(s, e, e->shift.phase == SHIFT_DONE ? SHIFT_RESTORE : SHIFT_ABORT, NULL);
}

static void tick_pool(struct shifts *s, struct model *m, struct model_pool *pool, struct auto_group *groups,
		      double dt_s)
{
	struct open_shifts open = {.in = {.groups = groups, .group_count = pool->group_count}};
	struct auto_decision decision;

	look_at_shifts(s, m, pool, &open);
	open.in.held = m->frozen || pool->frozen || pool->panic || m->doubted;
	look_at_groups(m, pool, open.in.held, dt_s, groups);
	decision = auto_shift_decide(pool->auto_shift, &open.in);
	pool->auto_says = decision.says;
	switch (decision.says) {
	case AUTO_START:
		start(s, m, pool, &decision);
		break;
	case AUTO_YIELD:
	case AUTO_RETURN:
		give_back(s, open.automatic);
		break;
	case AUTO_HELD:
	case AUTO_RUNNING:
	case AUTO_OPERATOR:
	case AUTO_COOL_DOWN:
	case AUTO_WELL:
	case AUTO_WAITING:
	case AUTO_NO_TARGET:
	case AUTO_SAYS__COUNT:
		break;
	}
}

void shifts_automatic(struct shifts *s, struct model *m, double dt_s)
{
	struct auto_group *groups = NULL;

	for (uint32_t i = 0; i < m->pool_count; i++) {
		struct model_pool *pool = &m->pools[i];
		struct auto_group *more;

		if (!pool->auto_shift->on || !pool->group_count)
			continue;
		more = realloc(groups, pool->group_count * sizeof(*groups));
		if (!more)
			break; /* the next tick tries again */
		groups = more;
		tick_pool(s, m, pool, groups, dt_s);
	}
	free(groups);
}
