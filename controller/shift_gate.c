/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shift_gate: see shift_judge() in shift.h, whose rules bear the same numbers here. */
#include <math.h>
#include <stddef.h>

#include "controller/shift.h"

#define AVAILABILITY 1.0 /* below it, traffic spills away from the target already */
#define ATTEMPTS     20.0 /* fewer handshakes say nothing */
#define COMPLETION   0.05 /* fewer of them completed than in the past, beside three deviations of chance */
#define DEVIATIONS   3.0
#define SLOWER	     2.0 /* times, and */
#define SLOWER_S     0.020
#define OVER	     0.005 /* a ramp ends at the headroom; only what is above it holds a bake */

struct shift_past shift_past_none(void)
{
	return (struct shift_past){-1, -1, -1};
}

void shift_remember(struct shift_past *past, const struct shift_view *now)
{
	if (past->completion < 0 && now->attempts >= ATTEMPTS)
		past->completion = now->completion;
	if (past->handshake_s < 0 && now->completed >= ATTEMPTS)
		past->handshake_s = now->handshake_s;
	if (past->probe_s < 0 && now->probe_s >= 0)
		past->probe_s = now->probe_s;
}

/* 3 */
static bool completes_less(const struct shift_signals *s)
{
	const struct shift_view *target = &s->target, *source = &s->source;
	bool has_source = source->attempts >= ATTEMPTS;
	double want = s->target_past.completion;

	if (target->attempts < ATTEMPTS)
		return false;
	if (want < 0 && !has_source)
		return false;
	if (want < 0)
		want = source->completion;
	else if (has_source && s->source_past.completion > source->completion)
		want *= source->completion / s->source_past.completion;
	return target->completion <
	       want - COMPLETION - DEVIATIONS * sqrt(want * (1 - want) / target->attempts);
}

/* 4 and 5. All in seconds; negative: not known. */
static bool is_slower(double now, double past, double source_now, double source_past)
{
	double cause = source_now > source_past && source_past > 0 ? source_now / source_past : 1;

	return now >= 0 && past >= 0 && now > past * cause * SLOWER + SLOWER_S;
}

static double handshake_s(const struct shift_view *view)
{
	return view->completed >= ATTEMPTS ? view->handshake_s : -1;
}

static enum shift_gate say(enum shift_gate gate, const char *why, const char **ret_why)
{
	if (ret_why)
		*ret_why = why;
	return gate;
}

enum shift_gate shift_judge(const struct shift_signals *s, const char **ret_why)
{
	bool compared = !s->in_force;

	if (!s->target.known)
		return say(SHIFT_GATE_NO_DATA, "no-data", ret_why);
	if (s->target.availability < AVAILABILITY)
		return say(SHIFT_GATE_FAIL, "availability", ret_why);
	if (compared && completes_less(s))
		return say(SHIFT_GATE_FAIL, "completion", ret_why);
	if (compared && is_slower(handshake_s(&s->target), s->target_past.handshake_s,
				  handshake_s(&s->source), s->source_past.handshake_s))
		return say(SHIFT_GATE_FAIL, "handshake", ret_why);
	if (compared && is_slower(s->target.probe_s, s->target_past.probe_s, s->source.probe_s,
				  s->source_past.probe_s))
		return say(SHIFT_GATE_FAIL, "probe", ret_why);
	if (s->headroom > 0 && s->share > s->headroom + OVER)
		return say(SHIFT_GATE_CAPACITY, "headroom", ret_why);
	return say(SHIFT_GATE_GO, "", ret_why);
}
