/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rule 3: tiers. A tier takes what its availability and its headroom allow of what is left; its
 * groups share that by capacity x availability, none above its headroom while another has room.
 * What is left then fills what headroom there is, in the order of tiers; and what nobody has room for
 * goes to all by effective capacity.
 *
 * It is computed twice: for the health that there is (want), and for perfect health of all that is
 * ready (nominal: how far a share returns by itself).
 */
#include <math.h>

#include "controller/weight_rules.h"

#define NO_TIER UINT32_MAX
#define NOTHING 1e-12

struct view { /* one of the two computations */
	const struct weight_tick *t;
	bool nominal;
};

static double effective(const struct view *v, uint32_t g)
{
	return v->nominal ? v->t->state->groups[g].ready : v->t->groups[g].effective;
}

static double availability(const struct view *v, uint32_t g)
{
	return v->nominal ? v->t->state->groups[g].ready_availability
			  : v->t->groups[g].availability;
}

static double headroom(const struct view *v, uint32_t g)
{
	return v->t->demand > 0 ? effective(v, g) / v->t->demand : 0;
}

static double *share(const struct view *v, uint32_t g)
{
	struct weight_group_state *group = &v->t->state->groups[g];

	return v->nominal ? &group->nominal : &group->want;
}

static bool in_tier(const struct view *v, uint32_t g, uint32_t tier)
{
	return v->t->in->groups[g].tier == tier && effective(v, g) > 0;
}

/* The first tier after `after` (NO_TIER: the very first). */
static uint32_t next_tier(const struct weight_tick *t, uint32_t after)
{
	uint32_t next = NO_TIER;

	for (uint32_t g = 0; g < t->in->group_count; g++) {
		uint32_t tier = t->in->groups[g].tier;

		if ((after == NO_TIER || tier > after) && tier < next)
			next = tier;
	}
	return next;
}

/* Gives out `take` as far as there is headroom; each round fills at least one group to the brim,
 * or is the last. Returns what could not be placed. */
static double fill_tier(const struct view *v, uint32_t tier, double take)
{
	for (uint32_t round = 0; round <= v->t->in->group_count && take > NOTHING; round++) {
		double sum = 0, placed = 0;

		for (uint32_t g = 0; g < v->t->in->group_count; g++)
			if (in_tier(v, g, tier) && *share(v, g) < headroom(v, g))
				sum += v->t->groups[g].capacity * availability(v, g);
		if (sum <= 0)
			return take;
		for (uint32_t g = 0; g < v->t->in->group_count; g++) {
			double room = headroom(v, g) - *share(v, g), part;

			if (!in_tier(v, g, tier) || room <= 0)
				continue;
			part = take * v->t->groups[g].capacity * availability(v, g) / sum;
			part = part < room ? part : room;
			*share(v, g) += part;
			placed += part;
		}
		take -= placed;
	}
	return take;
}

static double tier_allows(const struct view *v, uint32_t tier)
{
	double capacity = 0, sum = 0;

	for (uint32_t g = 0; g < v->t->in->group_count; g++) {
		if (v->t->in->groups[g].tier != tier)
			continue;
		capacity += v->t->groups[g].capacity;
		sum += effective(v, g);
	}
	if (capacity <= 0)
		return 0;
	return fmin(1, v->t->p->overprovision * sum / capacity);
}

static bool give_rest(const struct view *v, double left)
{
	double sum = 0;

	for (uint32_t g = 0; g < v->t->in->group_count; g++)
		sum += effective(v, g);
	if (sum <= 0)
		return false;
	for (uint32_t g = 0; g < v->t->in->group_count; g++)
		*share(v, g) += left * effective(v, g) / sum;
	return true;
}

bool weight_share_by_tiers(const struct weight_tick *t, bool nominal)
{
	struct view v = {t, nominal};
	double left = 1;

	for (uint32_t g = 0; g < t->in->group_count; g++)
		*share(&v, g) = 0;
	for (uint32_t tier = next_tier(t, NO_TIER); tier != NO_TIER && left > NOTHING;
	     tier = next_tier(t, tier)) {
		double take = fmin(left, tier_allows(&v, tier));

		left -= take - fill_tier(&v, tier, take);
	}
	for (uint32_t tier = next_tier(t, NO_TIER); tier != NO_TIER && left > NOTHING;
	     tier = next_tier(t, tier))
		left = fill_tier(&v, tier, left);
	return give_rest(&v, left);
}
