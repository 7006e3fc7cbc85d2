/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See shift.h. All transitions go through shift_set_state(), all changes of holds through set_holds(). */
#include "controller/shift.h"

#include <errno.h>
#include <math.h>
#include <stddef.h>

#define SOURCE_ALIVE 0.35
#define CLEAR_S	     1.0  /* a gate that flickers is one that fails, and writes no record a tick */
#define ROOM	     0.01 /* part: room for less does not end a hold for capacity */

#define GATE_HOLDS (SHIFT_HOLD_GATE | SHIFT_HOLD_NO_DATA | SHIFT_HOLD_CAPACITY)

struct shift_plan shift_plan_default(void)
{
	return (struct shift_plan){.bake_s = 20, .gate_fail_s = 10, .back_per_s = 0.05};
}

/* The only place where the phase changes. */
static void shift_set_state(struct shift *s, enum shift_phase to, enum shift_cause cause,
			    struct shift_record *ret_record)
{
	*ret_record = (struct shift_record){
		.from = s->phase,
		.to = to,
		.cause = cause,
		.outcome = s->outcome,
		.step = s->step,
		.holds_before = s->holds,
		.part = s->part,
		.total_s = s->total_s,
	};
	s->phase = to;
	s->phase_s = 0;
	s->gate_fail_s = 0;
	s->ramp_from = s->part;
	/* what held one phase is asked again in the next; what somebody said stays */
	s->holds &= to == SHIFT_CLOSED ? 0 : SHIFT_HOLD_OPERATOR | SHIFT_HOLD_STORE_LOST;
	ret_record->holds = s->holds;
}

/* The only place where holds change within a phase. */
static bool set_holds(struct shift *s, uint32_t holds, enum shift_cause cause,
		      struct shift_record *ret_record)
{
	uint32_t before = s->holds;

	if (holds == before)
		return false;
	s->holds = holds;
	*ret_record = (struct shift_record){
		.from = s->phase,
		.to = s->phase,
		.cause = cause,
		.outcome = s->outcome,
		.step = s->step,
		.holds_before = before,
		.holds = holds,
		.part = s->part,
		.total_s = s->total_s,
	};
	return true;
}

static void turn_back(struct shift *s, enum shift_outcome outcome, enum shift_cause cause,
		      struct shift_record *ret_record)
{
	s->outcome = outcome;
	shift_set_state(s, s->part > 0 ? SHIFT_BACK : SHIFT_CLOSED, cause, ret_record);
}

int shift_check_plan(const struct shift_plan *plan, struct err *err)
{
	if (plan->step_count < 1 || plan->step_count > SHIFT_STEPS_MAX)
		return err_set(err, EINVAL, "a shift has 1 to %d steps", SHIFT_STEPS_MAX);
	for (uint32_t i = 0; i < plan->step_count; i++) {
		const struct shift_step *step = &plan->steps[i];

		if (!(step->part > 0 && step->part <= 1))
			return err_set(err, EINVAL, "a step is above 0 %% and at most 100 %%");
		if (i && step->part <= plan->steps[i - 1].part)
			return err_set(err, EINVAL, "each step is above the one before");
		if (!(step->ramp_s >= 0 && step->ramp_s <= 86400))
			return err_set(err, EINVAL, "a ramp takes 0 s to 24 h");
	}
	if (!(plan->bake_s >= 0 && plan->bake_s <= 86400))
		return err_set(err, EINVAL, "bake is 0 s to 24 h");
	if (!(plan->ttl_s >= 0 && plan->ttl_s <= 31536000))
		return err_set(err, EINVAL, "ttl is 0 s (none) to a year");
	if (!(plan->gate_fail_s >= 0 && plan->gate_fail_s <= 86400) ||
	    !(plan->back_per_s > 0 && plan->back_per_s <= 1000))
		return err_set(err, EINVAL, "the gate's patience or the way back is out of range");
	return 0;
}

int shift_start(struct shift *s, const struct shift_plan *plan, double part,
		struct shift_record *ret_record, struct err *err)
{
	int e = shift_check_plan(plan, err);

	if (e < 0)
		return e;
	if (!(part >= 0 && part <= 1))
		return err_set(err, EINVAL, "a part is 0 to 100 %%");
	*s = (struct shift){.plan = *plan, .part = part};
	shift_set_state(s, SHIFT_PENDING, SHIFT_BY_VERB, ret_record);
	return 0;
}

/* Does it give traffic back to the source? */
static bool goes_down(const struct shift *s)
{
	return s->phase == SHIFT_BACK ||
	       (s->phase == SHIFT_RAMP && s->plan.steps[s->step].part < s->part);
}

/* What the gate and the rest say about going on, as holds. A way down asks the source only. */
static uint32_t wanted_holds(const struct shift *s, const struct shift_input *in)
{
	uint32_t holds = s->holds & SHIFT_HOLD_OPERATOR;
	bool down = goes_down(s), ramp = s->phase == SHIFT_RAMP && !down;
	bool forward = s->phase == SHIFT_PENDING || s->phase == SHIFT_BAKE || ramp;
	double room = in->part_max - (s->holds & SHIFT_HOLD_CAPACITY ? ROOM : 0);

	if (in->store_lost)
		holds |= SHIFT_HOLD_STORE_LOST;
	if (down && !(in->source_availability >= SOURCE_ALIVE))
		holds |= SHIFT_HOLD_SOURCE;
	if (ramp && s->part >= room && s->part < s->plan.steps[s->step].part)
		holds |= SHIFT_HOLD_CAPACITY;
	if (in->gate == SHIFT_GATE_FAIL && (forward || s->phase == SHIFT_DONE))
		holds |= SHIFT_HOLD_GATE;
	if (in->gate == SHIFT_GATE_NO_DATA && forward)
		holds |= SHIFT_HOLD_NO_DATA;
	if (in->gate == SHIFT_GATE_CAPACITY && forward)
		holds |= SHIFT_HOLD_CAPACITY;
	if (in->gate == SHIFT_GATE_GO && s->clear_s < CLEAR_S && (forward || s->phase == SHIFT_DONE))
		holds |= s->holds & GATE_HOLDS;
	return holds;
}

static enum shift_cause cause_of_holds(uint32_t changed)
{
	if (changed & SHIFT_HOLD_STORE_LOST)
		return SHIFT_BY_STORE;
	if (changed & SHIFT_HOLD_SOURCE)
		return SHIFT_BY_SOURCE;
	return SHIFT_BY_GATE;
}

/* A gate that fails too long turns it back, if there is something to go back to. */
static bool gate_gives_up(struct shift *s, const struct shift_input *in,
			  struct shift_record *ret_record)
{
	if (!(s->holds & SHIFT_HOLD_GATE)) {
		s->gate_fail_s = 0;
		return false;
	}
	s->gate_fail_s += in->dt_s;
	if (s->phase == SHIFT_PENDING || s->gate_fail_s < s->plan.gate_fail_s ||
	    s->holds & (SHIFT_HOLD_OPERATOR | SHIFT_HOLD_STORE_LOST) ||
	    !(in->source_availability >= SOURCE_ALIVE))
		return false;
	turn_back(s, SHIFT_ABORTED, SHIFT_BY_GATE, ret_record);
	return true;
}

static bool expired(struct shift *s, struct shift_record *ret_record)
{
	uint32_t holds = s->holds;

	if (s->plan.ttl_s <= 0 || s->total_s < s->plan.ttl_s || s->phase == SHIFT_BACK)
		return false;
	s->holds &= ~(uint32_t)SHIFT_HOLD_OPERATOR; /* who paused it has forgotten it */
	turn_back(s, SHIFT_EXPIRED, SHIFT_BY_TTL, ret_record);
	ret_record->holds_before = holds;
	return true;
}

static void next_step(struct shift *s, enum shift_cause cause, struct shift_record *ret_record)
{
	if (s->step + 1 >= s->plan.step_count) {
		s->outcome = SHIFT_COMPLETED;
		shift_set_state(s, SHIFT_DONE, cause, ret_record);
		return;
	}
	s->step++;
	shift_set_state(s, SHIFT_RAMP, cause, ret_record);
}

/* Linear; upward no further than the target has room. */
static bool ramp(struct shift *s, double part_max, struct shift_record *ret_record)
{
	const struct shift_step *step = &s->plan.steps[s->step];
	double part = step->part, most = fmax(s->part, part_max);

	if (s->phase_s < step->ramp_s)
		part = s->ramp_from + (step->part - s->ramp_from) * s->phase_s / step->ramp_s;
	s->part = fmin(part, most);
	if (part > most || s->phase_s < step->ramp_s)
		return false;
	shift_set_state(s, SHIFT_BAKE, SHIFT_BY_TIME, ret_record);
	return true;
}

static bool back(struct shift *s, double dt_s, struct shift_record *ret_record)
{
	s->part = fmax(0, s->part - s->plan.back_per_s * dt_s);
	if (s->part > 0)
		return false;
	shift_set_state(s, SHIFT_CLOSED, SHIFT_BY_TIME, ret_record);
	return true;
}

/* Nothing holds it. */
static bool go_on(struct shift *s, const struct shift_input *in, struct shift_record *ret_record)
{
	s->phase_s += in->dt_s;
	switch (s->phase) {
	case SHIFT_PENDING:
		shift_set_state(s, SHIFT_RAMP, SHIFT_BY_GATE, ret_record);
		return true;
	case SHIFT_RAMP:
		return ramp(s, in->part_max, ret_record);
	case SHIFT_BAKE:
		if (s->phase_s < s->plan.bake_s)
			return false;
		next_step(s, SHIFT_BY_TIME, ret_record);
		return true;
	case SHIFT_BACK:
		return back(s, in->dt_s, ret_record);
	case SHIFT_DONE:
	case SHIFT_CLOSED:
	case SHIFT_PHASE__COUNT:
		break;
	}
	return false;
}

bool shift_tick(struct shift *s, const struct shift_input *in, struct shift_record *ret_record)
{
	uint32_t holds;

	if (s->phase == SHIFT_CLOSED)
		return false;
	s->total_s += in->dt_s;
	if (expired(s, ret_record))
		return true;
	s->clear_s = in->gate == SHIFT_GATE_GO ? s->clear_s + in->dt_s : 0;
	holds = wanted_holds(s, in);
	if (set_holds(s, holds, cause_of_holds(holds ^ s->holds), ret_record))
		return true;
	if (gate_gives_up(s, in, ret_record))
		return true;
	return !s->holds && go_on(s, in, ret_record);
}

static int refuse(const struct shift *s, const char *verb, struct err *err)
{
	return err_set(err, EINVAL, "cannot %s a shift that is %s", verb,
		       shift_phase_name(s->phase));
}

static int advance(struct shift *s, struct shift_record *ret_record, struct err *err)
{
	switch (s->phase) {
	case SHIFT_PENDING:
		shift_set_state(s, SHIFT_RAMP, SHIFT_BY_VERB, ret_record);
		return 0;
	case SHIFT_RAMP:
		if (s->holds & SHIFT_HOLD_SOURCE)
			return err_set(err, EINVAL, "the source is dead: nothing goes back into it");
		s->part = s->plan.steps[s->step].part;
		shift_set_state(s, SHIFT_BAKE, SHIFT_BY_VERB, ret_record);
		return 0;
	case SHIFT_BAKE:
		next_step(s, SHIFT_BY_VERB, ret_record);
		return 0;
	case SHIFT_DONE:
	case SHIFT_BACK:
	case SHIFT_CLOSED:
	case SHIFT_PHASE__COUNT:
		break;
	}
	return refuse(s, "advance", err);
}

int shift_do(struct shift *s, enum shift_verb verb, struct shift_record *ret_record,
	     struct err *err)
{
	uint32_t holds = s->holds;

	if (s->phase == SHIFT_CLOSED || verb >= SHIFT_VERB__COUNT)
		return refuse(s, shift_verb_name(verb), err);
	switch (verb) {
	case SHIFT_PAUSE:
	case SHIFT_RESUME:
		holds ^= SHIFT_HOLD_OPERATOR;
		if ((verb == SHIFT_PAUSE) != !!(holds & SHIFT_HOLD_OPERATOR))
			return err_set(err, EINVAL, verb == SHIFT_PAUSE ? "it is paused already"
									: "it is not paused");
		set_holds(s, holds, SHIFT_BY_VERB, ret_record);
		return 0;
	case SHIFT_ADVANCE:
		return advance(s, ret_record, err);
	case SHIFT_ABORT:
		if (s->phase == SHIFT_BACK)
			return refuse(s, "abort", err);
		break;
	case SHIFT_RESTORE:
		if (s->phase != SHIFT_DONE)
			return refuse(s, "restore", err);
		break;
	case SHIFT_VERB__COUNT:
		break;
	}
	s->holds &= ~(uint32_t)SHIFT_HOLD_OPERATOR;
	turn_back(s, verb == SHIFT_ABORT ? SHIFT_ABORTED : SHIFT_RESTORED, SHIFT_BY_VERB, ret_record);
	ret_record->holds_before = holds;
	return 0;
}

int shift_set(struct shift *s, double part, double ramp_s, struct shift_record *ret_record,
	      struct err *err)
{
	struct shift_plan plan = s->plan;
	int e;

	if (s->phase == SHIFT_CLOSED)
		return refuse(s, "set", err);
	plan.step_count = 1;
	plan.steps[0] = (struct shift_step){part, ramp_s};
	e = shift_check_plan(&plan, err);
	if (e < 0)
		return e;
	s->plan = plan;
	s->step = 0;
	s->outcome = SHIFT_OPEN;
	shift_set_state(s, SHIFT_RAMP, SHIFT_BY_VERB, ret_record);
	return 0;
}

bool shift_close(struct shift *s, enum shift_outcome outcome, enum shift_cause cause,
		 struct shift_record *ret_record)
{
	if (s->phase == SHIFT_CLOSED)
		return false;
	s->outcome = outcome;
	shift_set_state(s, SHIFT_CLOSED, cause, ret_record);
	s->part = 0;
	return true;
}
