// SPDX-License-Identifier: GPL-2.0-or-later
/* shifts_json: shifts as `ebb shift show` and events have them, and as the state file keeps them. See shifts.h. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "controller/shifts.h"

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

static void set_known(json_t *to, const char *key, double value)
{
	if (value >= 0)
		(void)json_object_set_new(to, key, json_real(value));
}

/* What the gate compared last: now, and before the shift. */
static json_t *gate_of(const struct shifts_entry *e)
{
	const struct shift_signals *s = &e->seen;
	json_t *to = json_pack("{ss, ss}", "says", shift_gate_name(e->gate), "why", e->why);

	set_known(to, "availability", s->target.known ? s->target.availability : -1);
	set_known(to, "source_availability", s->source.known ? s->source.availability : -1);
	set_known(to, "headroom", s->headroom > 0 ? s->headroom : -1);
	set_known(to, "completion", s->target.attempts > 0 ? s->target.completion : -1);
	set_known(to, "completion_past", s->target_past.completion);
	set_known(to, "handshake_s", s->target.completed > 0 ? s->target.handshake_s : -1);
	set_known(to, "handshake_past_s", s->target_past.handshake_s);
	set_known(to, "probe_s", s->target.probe_s);
	set_known(to, "probe_past_s", s->target_past.probe_s);
	return to;
}

json_t *shifts_show(const struct shifts_entry *e)
{
	const struct shift *shift = &e->shift;
	json_t *to = json_pack("{ss, ss, ss, ss, ss, si, so, sf, sf, sf, sf, sf, so, ss, ss, sb}", "name",
			       e->name, "pool", e->pool, "from", e->from, "to", e->to, "phase",
			       shift_phase_name(shift->phase), "step", (int)shift->step, "steps",
			       steps_of(&shift->plan), "share", shift->part, "elapsed_s", shift->total_s,
			       "bake_s", shift->plan.bake_s, "ttl_s", shift->plan.ttl_s, "patience_s",
			       shift->plan.gate_fail_s, "holds", holds_of(shift), "actor", e->actor, "comment", e->comment, "live",
			       e->live);

	if (shift->phase != SHIFT_CLOSED)
		(void)json_object_set_new(to, "gate", gate_of(e));
	if (e->live)
		(void)json_object_set_new(to, "sandboxes",
					  json_pack("{sI, sI, sI}", "wanted", (json_int_t)e->sandboxes.wanted,
						    "moved", (json_int_t)e->sandboxes.moved, "left",
						    (json_int_t)e->sandboxes.left));
	if (shift->outcome != SHIFT_OPEN)
		(void)json_object_set_new(to, "outcome", json_string(shift_outcome_name(shift->outcome)));
	return to;
}

static json_t *past_of(const struct shift_past *past)
{
	return json_pack("{sf, sf, sf}", "completion", past->completion, "handshake_s",
			 past->handshake_s, "probe_s", past->probe_s);
}

static json_t *sandboxes_of(const struct shifts_sandboxes *x)
{
	return json_pack("{sf, sI, sI, sI}", "ever_named", x->ever_named, "wanted", (json_int_t)x->wanted,
			 "moved", (json_int_t)x->moved, "left", (json_int_t)x->left);
}

json_t *shifts_save(const struct shifts *s)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < s->count; i++) {
		const struct shifts_entry *e = &s->entries[i];
		const struct shift *x = &e->shift;

		(void)json_array_append_new(
			list,
			json_pack("{ss, ss, ss, ss, ss, ss, sb, so, sf, sf, sf, sf, si, si, si, si, sf, sf, sf, sf, sf, sf, so, so, so}",
				  "name", e->name, "pool", e->pool, "from", e->from, "to", e->to,
				  "actor", e->actor, "comment", e->comment, "live", e->live, "steps",
				  steps_of(&x->plan), "bake_s", x->plan.bake_s, "ttl_s", x->plan.ttl_s,
				  "gate_fail_max_s", x->plan.gate_fail_s, "back_per_s",
				  x->plan.back_per_s, "phase", (int)x->phase, "outcome", (int)x->outcome,
				  "step", (int)x->step, "holds", (int)x->holds, "part", x->part,
				  "ramp_from", x->ramp_from, "phase_s", x->phase_s, "total_s",
				  x->total_s, "gate_fail_s", x->gate_fail_s, "closed_s", e->closed_s, "from_past",
				  past_of(&e->seen.source_past), "to_past",
				  past_of(&e->seen.target_past), "sandboxes", sandboxes_of(&e->sandboxes)));
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
	       take(from, "back_per_s", 1e9, &plan->back_per_s) && !shift_check_plan(plan, NULL);
}

/* -1: was not known. A member that is missing was not known either: older versions did not write it. */
static bool take_past(const json_t *entry, const char *key, struct shift_past *past)
{
	const json_t *from = json_object_get(entry, key);
	const struct {
		const char *key;
		double max, *to;
	} members[] = {{"completion", 1, &past->completion},
		       {"handshake_s", 1e6, &past->handshake_s},
		       {"probe_s", 1e6, &past->probe_s}};

	*past = shift_past_none();
	if (from && !json_is_object(from))
		return false;
	for (size_t i = 0; from && i < sizeof(members) / sizeof(members[0]); i++)
		if (json_number_value(json_object_get(from, members[i].key)) != -1 &&
		    !take(from, members[i].key, members[i].max, members[i].to))
			return false;
	return true;
}

/* As above. `named` begins at 0: after a restart those who are left are named again. */
static bool take_sandboxes(const json_t *entry, struct shifts_sandboxes *x)
{
	const json_t *from = json_object_get(entry, "sandboxes");
	double wanted = 0, moved = 0, left = 0;

	if (from && (!take(from, "ever_named", 1, &x->ever_named) || !take(from, "wanted", 1e15, &wanted) ||
		     !take(from, "moved", 1e15, &moved) || !take(from, "left", 1e15, &left)))
		return false;
	x->wanted = (uint64_t)wanted;
	x->moved = (uint64_t)moved;
	x->left = (uint64_t)left;
	return true;
}

static bool take_entry(const json_t *from, struct shifts_entry *e)
{
	struct shift *x = &e->shift;
	uint32_t phase, outcome;

	*e = (struct shifts_entry){.why = "", .live = json_is_true(json_object_get(from, "live"))};
	if (!take_text(from, "name", e->name, sizeof(e->name)) ||
	    !take_text(from, "pool", e->pool, sizeof(e->pool)) ||
	    !take_text(from, "from", e->from, sizeof(e->from)) ||
	    !take_text(from, "to", e->to, sizeof(e->to)) || !strcmp(e->from, e->to) ||
	    !take_text(from, "actor", e->actor, sizeof(e->actor)) ||
	    !take_text(from, "comment", e->comment, sizeof(e->comment)) ||
	    !take_sandboxes(from, &e->sandboxes) || !take_past(from, "from_past", &e->seen.source_past) ||
	    !take_past(from, "to_past", &e->seen.target_past) || !take_plan(from, &x->plan) ||
	    !take_count(from, "phase", SHIFT_PHASE__COUNT, &phase) ||
	    !take_count(from, "outcome", SHIFT_OUTCOME__COUNT, &outcome) ||
	    !take_count(from, "step", x->plan.step_count, &x->step) ||
	    !take_count(from, "holds", 1u << SHIFT_HOLDS, &x->holds))
		return false;
	x->phase = (enum shift_phase)phase;
	x->outcome = (enum shift_outcome)outcome;
	return take(from, "part", 1, &x->part) && take(from, "ramp_from", 1, &x->ramp_from) &&
	       take(from, "phase_s", 1e12, &x->phase_s) && take(from, "total_s", 1e12, &x->total_s) &&
	       take(from, "gate_fail_s", 1e12, &x->gate_fail_s) &&
	       (!json_object_get(from, "closed_s") || take(from, "closed_s", 1e12, &e->closed_s));
}

/* What shifts_start() never lets be: two of a name, two open ones from one group of a pool. */
static bool clashes(const struct shifts *s, const struct shifts_entry *e)
{
	for (uint32_t i = 0; i < s->count; i++) {
		const struct shifts_entry *other = &s->entries[i];

		if (!strcmp(e->name, other->name))
			return true;
		if (e->shift.phase != SHIFT_CLOSED && other->shift.phase != SHIFT_CLOSED &&
		    !strcmp(e->pool, other->pool) && !strcmp(e->from, other->from))
			return true;
	}
	return false;
}

void shifts_load(struct shifts *s, const json_t *saved)
{
	unsigned long long number;
	const json_t *one;
	size_t i;

	json_array_foreach (saved, i, one) {
		if (s->count == SHIFTS_MAX || !take_entry(one, &s->entries[s->count]) ||
		    clashes(s, &s->entries[s->count]))
			continue;
		if (sscanf(s->entries[s->count].name, "shift-%llu", &number) == 1 && number > s->next)
			s->next = number;
		s->count++;
	}
}
