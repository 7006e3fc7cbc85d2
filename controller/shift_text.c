/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names and the steps of a shift as people write them: "20%,60%@30s,100%@30s". See shift.h. */
#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "controller/shift.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const phase_names[] = {
	[SHIFT_PENDING] = "pending", [SHIFT_RAMP] = "ramp", [SHIFT_BAKE] = "bake",
	[SHIFT_DONE] = "done",	     [SHIFT_BACK] = "back", [SHIFT_CLOSED] = "closed",
};
static_assert(COUNT(phase_names) == SHIFT_PHASE__COUNT, "names");

static const char *const outcome_names[] = {
	[SHIFT_OPEN] = "open",	       [SHIFT_COMPLETED] = "completed", [SHIFT_RESTORED] = "restored",
	[SHIFT_ABORTED] = "aborted",   [SHIFT_EXPIRED] = "expired",
	[SHIFT_SUPERSEDED] = "superseded",
};
static_assert(COUNT(outcome_names) == SHIFT_OUTCOME__COUNT, "names");

static const char *const cause_names[] = {
	[SHIFT_BY_TIME] = "time",     [SHIFT_BY_GATE] = "gate",	  [SHIFT_BY_TTL] = "ttl",
	[SHIFT_BY_SOURCE] = "source", [SHIFT_BY_STORE] = "store", [SHIFT_BY_VERB] = "verb",
	[SHIFT_BY_NEWER] = "newer",   [SHIFT_BY_GONE] = "gone",
};
static_assert(COUNT(cause_names) == SHIFT_CAUSE__COUNT, "names");

static const char *const verb_names[] = {
	[SHIFT_PAUSE] = "pause", [SHIFT_RESUME] = "resume",   [SHIFT_ADVANCE] = "advance",
	[SHIFT_ABORT] = "abort", [SHIFT_RESTORE] = "restore",
};
static_assert(COUNT(verb_names) == SHIFT_VERB__COUNT, "names");

static const char *const gate_names[] = {
	[SHIFT_GATE_NO_DATA] = "no-data", [SHIFT_GATE_GO] = "go",
	[SHIFT_GATE_FAIL] = "fail",	  [SHIFT_GATE_CAPACITY] = "capacity",
};
static_assert(COUNT(gate_names) == SHIFT_GATE__COUNT, "names");

static const char *const hold_names[] = {
	"operator", "gate", "no-data", "capacity", "store-lost", "source",
};
static_assert(COUNT(hold_names) == SHIFT_HOLDS, "names");

const char *shift_phase_name(enum shift_phase phase)
{
	return phase < SHIFT_PHASE__COUNT ? phase_names[phase] : "?";
}

const char *shift_outcome_name(enum shift_outcome outcome)
{
	return outcome < SHIFT_OUTCOME__COUNT ? outcome_names[outcome] : "?";
}

const char *shift_cause_name(enum shift_cause cause)
{
	return cause < SHIFT_CAUSE__COUNT ? cause_names[cause] : "?";
}

const char *shift_verb_name(enum shift_verb verb)
{
	return verb < SHIFT_VERB__COUNT ? verb_names[verb] : "?";
}

const char *shift_gate_name(enum shift_gate gate)
{
	return gate < SHIFT_GATE__COUNT ? gate_names[gate] : "?";
}

const char *shift_hold_name(enum shift_hold hold)
{
	for (uint32_t i = 0; i < SHIFT_HOLDS; i++)
		if (hold == 1u << i)
			return hold_names[i];
	return "?";
}

/* Digits with at most one point, no sign, no exponent; NULL if there are none, or more than nine. */
static const char *parse_number(const char *text, double *ret_number)
{
	double number = 0, scale = 1;
	uint32_t digits = 0;
	bool point = false;

	for (; (*text >= '0' && *text <= '9') || (*text == '.' && !point); text++) {
		if (*text == '.') {
			point = true;
			continue;
		}
		number = number * 10 + (*text - '0');
		scale *= point ? 10 : 1;
		if (++digits > 9)
			return NULL;
	}
	*ret_number = number / scale;
	return digits ? text : NULL;
}

static const char *parse_duration(const char *text, double *ret_seconds)
{
	static const struct {
		const char *unit;
		double seconds;
	} units[] = {{"ms", 0.001}, {"s", 1}, {"m", 60}, {"h", 3600}};
	double number;

	text = parse_number(text, &number);
	for (size_t i = 0; text && i < COUNT(units); i++) {
		size_t length = strlen(units[i].unit);

		if (strncmp(text, units[i].unit, length))
			continue;
		*ret_seconds = number * units[i].seconds;
		return text + length;
	}
	return NULL;
}

/* "60%@30s" or "0.6@30s" or "60%"; NULL if it is none. */
static const char *parse_step(const char *text, struct shift_step *ret_step)
{
	struct shift_step step = {0};

	text = parse_number(text, &step.part);
	if (text && *text == '%') {
		step.part /= 100;
		text++;
	}
	if (text && *text == '@')
		text = parse_duration(text + 1, &step.ramp_s);
	if (text && *text && *text != ',')
		return NULL;
	*ret_step = step;
	return text;
}

int shift_parse_steps(const char *text, struct shift_plan *plan, struct err *err)
{
	struct shift_plan read = *plan;

	for (read.step_count = 0; ; text++) {
		const char *start = text;

		if (read.step_count == SHIFT_STEPS_MAX)
			return err_set(err, EINVAL, "more than %d steps", SHIFT_STEPS_MAX);
		text = parse_step(text, &read.steps[read.step_count]);
		if (!text)
			return err_set(err, EINVAL, "step %u is \"%.32s\"; wanted PART%%[@TIME], as in "
				       "20%%,60%%@30s,100%%@30s", read.step_count + 1, start);
		if (!(read.steps[read.step_count].part > 0 && read.steps[read.step_count].part <= 1))
			return err_set(err, EINVAL, "step %u is not above 0 %% and at most 100 %%",
				       read.step_count + 1);
		if (read.step_count && read.steps[read.step_count].part <=
					       read.steps[read.step_count - 1].part)
			return err_set(err, EINVAL, "step %u is not above the one before",
				       read.step_count + 1);
		read.step_count++;
		if (!*text)
			break;
	}
	*plan = read;
	return 0;
}
