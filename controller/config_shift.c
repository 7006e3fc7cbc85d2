// SPDX-License-Identifier: GPL-2.0-or-later
/* config_shift: a pool's policy for automatic shifts. Being written turns it on; all of it has a default. */
#include <errno.h>

#include "controller/config_build.h"
#include "controller/config_scalar.h"

#define DAY 86400.0

static void take_steps(struct config_context *ctx, const char *text, struct shift_plan *plan)
{
	struct err err = {{0}};

	if (text && shift_parse_steps(text, plan, &err))
		config_fail_key(ctx, "steps", "%s", err.text);
	else if (text && shift_check_plan(plan, &err))
		config_fail_key(ctx, "steps", "%s", err.text);
}

int config_build_auto_shift(struct config_context *ctx, const struct raw_auto_shift *raw,
			    struct config_auto_shift *policy)
{
	static const char steps[] = "25%,50%@30s,100%@1m";

	*policy = (struct config_auto_shift){
		.on = true,
		.below = 0.70,
		.after_s = 30,
		.restore_above = 0.95,
		.restore_after_s = 300,
		.cool_down_s = 600,
		.plan = shift_plan_default(),
		.steps = arena_strdup(ctx->arena, raw->steps ? raw->steps : steps),
	};
	if (!policy->steps)
		return -ENOMEM;
	policy->plan.ttl_s = 6 * 3600;
	if (shift_parse_steps(steps, &policy->plan, NULL))
		return -EINVAL;
	config_take_ratio(ctx, "below", raw->below, 0.01, 1, &policy->below);
	config_take_duration(ctx, "after", raw->after, 1, DAY, &policy->after_s);
	config_take_ratio(ctx, "restore_above", raw->restore_above, 0.35, 1, &policy->restore_above);
	config_take_duration(ctx, "restore_after", raw->restore_after, 1, DAY, &policy->restore_after_s);
	config_take_duration(ctx, "cool_down", raw->cool_down, 0, 7 * DAY, &policy->cool_down_s);
	config_take_duration(ctx, "bake", raw->bake, 0, DAY, &policy->plan.bake_s);
	config_take_duration(ctx, "ttl", raw->ttl, 1, 365 * DAY, &policy->plan.ttl_s);
	config_take_duration(ctx, "patience", raw->patience, 0, DAY, &policy->plan.gate_fail_s);
	take_steps(ctx, raw->steps, &policy->plan);
	if (policy->below >= policy->restore_above)
		config_fail_key(ctx, raw->below ? "below" : "restore_above",
				"`below` (%g) must be below `restore_above` (%g)", policy->below,
				policy->restore_above);
	return 0;
}
