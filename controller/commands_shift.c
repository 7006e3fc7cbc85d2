// SPDX-License-Identifier: GPL-2.0-or-later
/* commands_shift: the control socket's methods over shifts (docs/control.md). */
#include "controller/daemon.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "controller/params.h"

#define SECONDS_MAX 1e8 /* three years */

static int done(struct daemon *d, const struct shifts_entry *entry, json_t **ret_result,
		struct err *err)
{
	int e = daemon_save_state(d, err);

	if (e)
		return err_prefix(err, -e, "in force, but lost at a restart: ");
	*ret_result = shifts_show(entry);
	return *ret_result ? 0 : err_set(err, ENOMEM, "out of memory");
}

static int read_steps(const json_t *params, struct shift_plan *plan, struct err *err)
{
	const json_t *steps = json_object_get(params, "steps"), *step;
	size_t i;
	int e = 0;

	if (!json_is_array(steps) || !json_array_size(steps) ||
	    json_array_size(steps) > SHIFT_STEPS_MAX)
		return err_set(err, EINVAL, "steps is an array of 1 to %d objects", SHIFT_STEPS_MAX);
	plan->step_count = (uint32_t)json_array_size(steps);
	json_array_foreach (steps, i, step) {
		if (!json_is_object(step) || !json_object_get(step, "share"))
			return err_set(err, EINVAL, "a step is {\"share\": 0.2, \"ramp_s\": 30}");
		if (!e)
			e = params_number(step, "share", 0, 1, &plan->steps[i].part, err);
		if (!e)
			e = params_number(step, "ramp_s", 0, SECONDS_MAX, &plan->steps[i].ramp_s, err);
	}
	return e;
}

static int read_plan(const json_t *params, struct shift_plan *plan, struct err *err)
{
	int e = read_steps(params, plan, err);

	if (!e)
		e = params_number(params, "bake_s", plan->bake_s, SECONDS_MAX, &plan->bake_s, err);
	if (!e)
		e = params_number(params, "patience_s", plan->gate_fail_s, SECONDS_MAX,
				  &plan->gate_fail_s, err);
	return e ? e : params_number(params, "ttl_s", plan->ttl_s, SECONDS_MAX, &plan->ttl_s, err);
}

static int read_comment(const json_t *params, const char **ret_comment, struct err *err)
{
	int e = params_text(params, "comment", ret_comment, err);

	if (!e && *ret_comment && strlen(*ret_comment) > SHIFTS_COMMENT_MAX)
		return err_set(err, EINVAL, "a comment has at most %d bytes", SHIFTS_COMMENT_MAX);
	return e;
}

static int start(void *ctx, const json_t *params, json_t **ret_result, struct err *err)
{
	struct daemon *d = ctx;
	const struct ucred *peer = control_peer(d->control);
	struct shifts_order order = {.plan = shift_plan_default(),
				     .live = json_is_true(json_object_get(params, "live"))};
	struct shifts_entry *entry;
	char actor[32];
	int e = params_needed(params, "pool", &order.pool, err);

	if (!e)
		e = params_needed(params, "from", &order.from, err);
	if (!e)
		e = params_needed(params, "to", &order.to, err);
	if (!e)
		e = read_comment(params, &order.comment, err);
	if (!e)
		e = read_plan(params, &order.plan, err);
	if (e)
		return e;
	snprintf(actor, sizeof(actor), "uid %u", peer ? peer->uid : 0);
	order.actor = actor;
	e = shifts_start(&d->shifts, d->model, &order, err, &entry);
	return e ? e : done(d, entry, ret_result, err);
}

static int find(struct daemon *d, const json_t *params, struct shifts_entry **ret_entry,
		struct err *err)
{
	const char *name;
	int e = params_needed(params, "name", &name, err);

	if (e)
		return e;
	*ret_entry = shifts_find(&d->shifts, name);
	return *ret_entry ? 0 : err_set(err, ENOENT, "no shift \"%s\"", name);
}

static int verb(struct daemon *d, const json_t *params, enum shift_verb what, json_t **ret_result,
		struct err *err)
{
	struct shifts_entry *entry;
	int e = find(d, params, &entry, err);

	if (e)
		return e;
	e = shifts_do(&d->shifts, entry, what, err);
	/* The request is well formed; it is the phase that does not allow it. */
	return e ? (e == -EINVAL ? -EPERM : e) : done(d, entry, ret_result, err);
}

static int pause_shift(void *ctx, const json_t *params, json_t **ret_result, struct err *err)
{
	return verb(ctx, params, SHIFT_PAUSE, ret_result, err);
}

static int resume(void *ctx, const json_t *params, json_t **ret_result, struct err *err)
{
	return verb(ctx, params, SHIFT_RESUME, ret_result, err);
}

static int advance(void *ctx, const json_t *params, json_t **ret_result, struct err *err)
{
	return verb(ctx, params, SHIFT_ADVANCE, ret_result, err);
}

static int abort_shift(void *ctx, const json_t *params, json_t **ret_result, struct err *err)
{
	return verb(ctx, params, SHIFT_ABORT, ret_result, err);
}

static int restore(void *ctx, const json_t *params, json_t **ret_result, struct err *err)
{
	return verb(ctx, params, SHIFT_RESTORE, ret_result, err);
}

/* One step from where it is now, if `steps` are given. */
static int set_share(struct daemon *d, const json_t *params, struct shifts_entry *entry, struct err *err)
{
	struct shift_plan plan = shift_plan_default();
	int e;

	if (!json_object_get(params, "steps"))
		return 0;
	e = read_steps(params, &plan, err);
	if (!e && plan.step_count != 1)
		e = err_set(err, EINVAL, "a running shift is set to one share; for more steps start another, which takes over");
	return e ? e : shifts_set(&d->shifts, entry, plan.steps[0].part, plan.steps[0].ramp_s, err);
}

static int set(void *ctx, const json_t *params, json_t **ret_result, struct err *err)
{
	struct daemon *d = ctx;
	struct shifts_entry *entry;
	double bake_s, ttl_s, patience_s;
	const char *comment;
	int e = find(d, params, &entry, err);

	if (!e)
		e = params_number(params, "bake_s", entry->shift.plan.bake_s, SECONDS_MAX, &bake_s, err);
	if (!e)
		e = params_number(params, "ttl_s", entry->shift.plan.ttl_s, SECONDS_MAX, &ttl_s, err);
	if (!e)
		e = params_number(params, "patience_s", entry->shift.plan.gate_fail_s, SECONDS_MAX,
				  &patience_s, err);
	if (!e)
		e = read_comment(params, &comment, err);
	if (e)
		return e;
	if (entry->shift.phase == SHIFT_CLOSED)
		return err_set(err, EPERM, "%s is closed", entry->name);
	e = set_share(d, params, entry, err);
	if (e)
		return e;
	entry->shift.plan.bake_s = bake_s;
	entry->shift.plan.ttl_s = ttl_s;
	entry->shift.plan.gate_fail_s = patience_s;
	if (comment)
		snprintf(entry->comment, sizeof(entry->comment), "%s", comment);
	return done(d, entry, ret_result, err);
}

static int show(void *ctx, const json_t *params, json_t **ret_result, struct err *err)
{
	struct daemon *d = ctx;
	struct shifts_entry *entry;

	if (json_object_get(params, "name")) {
		int e = find(d, params, &entry, err);

		if (e)
			return e;
		*ret_result = shifts_show(entry);
	} else {
		*ret_result = json_array();
		for (uint32_t i = 0; i < d->shifts.count; i++)
			(void)json_array_append_new(*ret_result, shifts_show(&d->shifts.entries[i]));
	}
	return *ret_result ? 0 : err_set(err, ENOMEM, "out of memory");
}

int commands_shift_register(struct daemon *d)
{
	static const struct {
		const char *method;
		control_handler_fn handler;
		enum control_kind kind;
	} methods[] = {
		{"shift.show", show, CONTROL_READ},	  {"shift.start", start, CONTROL_CHANGES},
		{"shift.pause", pause_shift, CONTROL_CHANGES}, {"shift.resume", resume, CONTROL_CHANGES},
		{"shift.advance", advance, CONTROL_CHANGES}, {"shift.abort", abort_shift, CONTROL_CHANGES},
		{"shift.restore", restore, CONTROL_CHANGES}, {"shift.set", set, CONTROL_CHANGES},
	};

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		int e = control_register(d->control, methods[i].method, methods[i].handler, d,
					 methods[i].kind);

		if (e)
			return e;
	}
	return 0;
}
