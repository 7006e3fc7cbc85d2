/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mirrors controller/auto_shift.c: a row for each rule, under its number there and in ebb.yaml(5). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "controller/auto_shift.h"

#define GROUPS 4

/* Tier, known, availability, base, share, headroom, below for, above for. */
#define WELL(t, share, room)   {t, true, 1, share, share, room, 0, 1000}
#define ILL(t, a, share, since) {t, true, a, share, share, 0.9, since, 0}
#define BLIND(t)	       {t, false, 1, 0, 0, 0.9, 0, 0}

#define INPUT(...)    {.group_count = GROUPS, .ended_s = INFINITY, ##__VA_ARGS__}
#define FRA_ILL       ILL(0, 0.5, 0.4, 60), WELL(0, 0.6, 0.9), WELL(1, 0, 0.9), WELL(2, 0, 0.9)

static const struct row {
	const char *name;
	struct auto_group groups[GROUPS];
	struct auto_input in;
	enum auto_says want;
	uint32_t from, to;
} rows[] = {
	{"1: held, whatever is seen", {FRA_ILL}, INPUT(.held = true), AUTO_HELD, 0, 0},
	{"1: held, also one that is open", {FRA_ILL}, INPUT(.held = true, .open = true), AUTO_HELD, 0, 0},
	{"2: yields to an operator's", {FRA_ILL},
	 INPUT(.open = true, .operator_open = true, .operator_to_source = true), AUTO_YIELD, 0, 0},
	{"3: its source is well again", {FRA_ILL}, INPUT(.open = true, .open_from = 1), AUTO_RETURN, 0, 0},
	{"3: well, but not for long",
	 {{0, true, 1, 0.4, 0.4, 0.9, 0, 299}, WELL(0, 0.6, 0.9), WELL(1, 0, 0.9), WELL(2, 0, 0.9)},
	 INPUT(.open = true), AUTO_RUNNING, 0, 0},
	{"4: one is enough",
	 {ILL(0, 0.5, 0.4, 60), ILL(0, 0.4, 0.4, 60), WELL(1, 0.2, 0.9), WELL(2, 0, 0.9)},
	 INPUT(.open = true), AUTO_RUNNING, 0, 0},
	{"4: beside an operator's that goes elsewhere", {FRA_ILL}, INPUT(.open = true, .operator_open = true),
	 AUTO_RUNNING, 0, 0},
	{"5: never against an operator's", {FRA_ILL}, INPUT(.operator_open = true), AUTO_OPERATOR, 0, 0},
	{"6: one ended a short while ago", {FRA_ILL}, {.group_count = GROUPS, .ended_s = 599}, AUTO_COOL_DOWN, 0,
	 0},
	{"6: that is long ago", {FRA_ILL}, {.group_count = GROUPS, .ended_s = 600}, AUTO_START, 0, 1},
	{"7: all is well", {WELL(0, 0.5, 0.9), WELL(0, 0.5, 0.9), WELL(1, 0, 0.9), WELL(2, 0, 0.9)}, INPUT(),
	 AUTO_WELL, UINT32_MAX, 0},
	{"7: nothing to move", {ILL(0, 0.1, 0.009, 60), WELL(0, 0.991, 2), WELL(1, 0, 0.9), WELL(2, 0, 0.9)},
	 INPUT(), AUTO_WELL, UINT32_MAX, 0},
	{"8: not for long", {ILL(0, 0.5, 0.4, 29), WELL(0, 0.6, 0.9), WELL(1, 0, 0.9), WELL(2, 0, 0.9)}, INPUT(),
	 AUTO_WAITING, 0, 0},
	{"9: nobody is well", {ILL(0, 0.5, 0.4, 60), ILL(0, 0.6, 0.3, 60), ILL(1, 0.6, 0.3, 60), BLIND(2)},
	 INPUT(), AUTO_NO_TARGET, 0, UINT32_MAX},
	{"9: nobody has room",
	 {ILL(0, 0.5, 0.4, 60), WELL(0, 0.5, 0.59), WELL(1, 0.1, 0.19), WELL(2, 0, 0.09)}, INPUT(),
	 AUTO_NO_TARGET, 0, UINT32_MAX},
	{"9: an earlier tier is no target",
	 {WELL(0, 0.5, 0.9), WELL(0, 0.1, 0.9), WELL(1, 0, 0.9), ILL(2, 0.5, 0.4, 60)}, INPUT(),
	 AUTO_NO_TARGET, 3, UINT32_MAX},
	{"10: the worst one", {ILL(0, 0.5, 0.4, 60), ILL(0, 0.4, 0.4, 60), WELL(1, 0.2, 0.9), WELL(2, 0, 0.9)},
	 INPUT(), AUTO_START, 1, 2},
	{"10: which is there for long enough",
	 {ILL(0, 0.5, 0.4, 60), ILL(0, 0.4, 0.4, 20), WELL(1, 0.2, 0.9), WELL(2, 0, 0.9)}, INPUT(),
	 AUTO_START, 0, 2},
	{"10: to the same tier, though there is less room",
	 {ILL(0, 0.5, 0.4, 60), WELL(0, 0.6, 0.75), WELL(1, 0, 0.9), WELL(2, 0, 2)}, INPUT(), AUTO_START, 0, 1},
	{"10: to most room", {ILL(0, 0.5, 0.4, 60), WELL(1, 0.3, 0.9), WELL(1, 0.2, 0.9), WELL(1, 0.1, 0.7)},
	 INPUT(), AUTO_START, 0, 2},
	{"10: past one that is not heard of", {ILL(0, 0.5, 0.4, 60), BLIND(0), WELL(1, 0.6, 0.9), WELL(2, 0, 0.9)},
	 INPUT(), AUTO_START, 0, 2},
};

static const struct config_auto_shift policy = {
	.on = true,
	.below = 0.7,
	.after_s = 30,
	.restore_above = 0.95,
	.restore_after_s = 300,
	.cool_down_s = 600,
	.plan = {.steps = {{0.25, 0}, {1, 30}}, .step_count = 2},
};

static void decisions(void **state)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct auto_input in = rows[i].in;
		struct auto_decision got;

		in.groups = rows[i].groups;
		got = auto_shift_decide(&policy, &in);
		if (got.says != rows[i].want || got.from != rows[i].from || got.to != rows[i].to)
			fail_msg("%s: %s, from %u to %u", rows[i].name, auto_says_name(got.says), got.from,
				 got.to);
	}
}

static void clocks(void **state)
{
	struct auto_group g = {.known = true, .availability = 0.5};

	auto_shift_watch(&policy, &g, false, 10);
	auto_shift_watch(&policy, &g, false, 10);
	assert_true(g.below_s == 20 && g.above_s == 0);
	auto_shift_watch(&policy, &g, true, 10);
	assert_true(g.below_s == 0);
	auto_shift_watch(&policy, &g, false, 10);
	g.known = false;
	auto_shift_watch(&policy, &g, false, 10);
	assert_true(g.below_s == 0 && g.above_s == 0);
	g = (struct auto_group){.known = true, .availability = 0.8, .below_s = 20, .above_s = 20};
	auto_shift_watch(&policy, &g, false, 10); /* between the two */
	assert_true(g.below_s == 0 && g.above_s == 0);
	g.availability = 0.95;
	auto_shift_watch(&policy, &g, false, 10);
	assert_true(g.above_s == 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(decisions), cmocka_unit_test(clocks)};

	return cmocka_run_group_tests_name("auto_shift", tests, NULL, NULL);
}
