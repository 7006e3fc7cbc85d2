// SPDX-License-Identifier: GPL-2.0-or-later
#include "controller/auto_shift.h"

#include <assert.h>

#define WORTH 0.01 /* share: with less there is nothing to move */

static const char *const says_names[] = {
	[AUTO_HELD] = "held",	      [AUTO_YIELD] = "yield",	  [AUTO_RETURN] = "return",
	[AUTO_RUNNING] = "running",   [AUTO_OPERATOR] = "operator", [AUTO_COOL_DOWN] = "cool-down",
	[AUTO_WELL] = "well",	      [AUTO_WAITING] = "waiting", [AUTO_NO_TARGET] = "no-target",
	[AUTO_START] = "start",
};
static_assert(sizeof(says_names) / sizeof(says_names[0]) == AUTO_SAYS__COUNT, "names");

const char *auto_says_name(enum auto_says says)
{
	return says < AUTO_SAYS__COUNT ? says_names[says] : "?";
}

void auto_shift_watch(const struct config_auto_shift *p, struct auto_group *g, bool held, double dt_s)
{
	bool judged = g->known && !held;

	g->below_s = judged && g->availability < p->below ? g->below_s + dt_s : 0;
	g->above_s = judged && g->availability >= p->restore_above ? g->above_s + dt_s : 0;
}

/* 7: the worst; UINT32_MAX: none. `least_s`: below for at least this long. */
static uint32_t find_source(const struct auto_input *in, double least_s)
{
	uint32_t worst = UINT32_MAX;

	for (uint32_t i = 0; i < in->group_count; i++) {
		const struct auto_group *g = &in->groups[i];

		if (g->below_s <= 0 || g->below_s < least_s || g->base < WORTH)
			continue;
		if (worst == UINT32_MAX || g->availability < in->groups[worst].availability)
			worst = i;
	}
	return worst;
}

static double room_of(const struct auto_group *g)
{
	return g->headroom - g->share;
}

/* 9 and 10 */
static uint32_t find_target(const struct auto_input *in, uint32_t from, double first_part)
{
	const struct auto_group *source = &in->groups[from];
	uint32_t best = UINT32_MAX;

	for (uint32_t i = 0; i < in->group_count; i++) {
		const struct auto_group *g = &in->groups[i];

		if (i == from || g->tier < source->tier || !g->known || g->availability < 1 ||
		    room_of(g) < first_part * source->base)
			continue;
		if (best == UINT32_MAX || g->tier < in->groups[best].tier ||
		    (g->tier == in->groups[best].tier && room_of(g) > room_of(&in->groups[best])))
			best = i;
	}
	return best;
}

static struct auto_decision say(enum auto_says says)
{
	return (struct auto_decision){.says = says};
}

/* 2 to 4 */
static struct auto_decision decide_open(const struct config_auto_shift *p, const struct auto_input *in)
{
	if (in->operator_to_source)
		return say(AUTO_YIELD);
	return say(in->groups[in->open_from].above_s >= p->restore_after_s ? AUTO_RETURN : AUTO_RUNNING);
}

struct auto_decision auto_shift_decide(const struct config_auto_shift *p, const struct auto_input *in)
{
	struct auto_decision start = {.says = AUTO_START};

	if (in->held)
		return say(AUTO_HELD);
	if (in->open)
		return decide_open(p, in);
	if (in->operator_open)
		return say(AUTO_OPERATOR);
	if (in->ended_s < p->cool_down_s)
		return say(AUTO_COOL_DOWN);
	start.from = find_source(in, p->after_s);
	if (start.from == UINT32_MAX) {
		start.from = find_source(in, 0);
		start.says = start.from == UINT32_MAX ? AUTO_WELL : AUTO_WAITING;
		return start;
	}
	start.to = find_target(in, start.from, p->plan.steps[0].part);
	if (start.to == UINT32_MAX)
		start.says = AUTO_NO_TARGET;
	return start;
}
