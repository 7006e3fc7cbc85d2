/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mirrors controller/shift.c: every transition has a row. A row's `given` is a script of words:
 *
 *   5        five seconds pass, in ticks of 100 ms
 *   go fail none full    what the gate says from now on     up dead blind   how the source is
 *   lost found           the store                          pause resume advance abort restore   verbs
 *   set40                `ebb shift set` to 40 %            newer           another shift takes over
 *
 * after `shift start --steps 20%,60%@30s,100%@30s --bake 20s --ttl 2h` with gate go and source up.
 */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "controller/shift.h"
#include "tests/unit/random.h"

static struct shift shift;
static struct shift_input input;
static struct shift_record record; /* the last */
static uint32_t records;
static int refused; /* what the last verb returned */

static struct shift_plan typed_plan(void)
{
	struct shift_plan plan = shift_plan_default();

	assert_int_equal(shift_parse_steps("20%,60%@30s,100%@30s", &plan, NULL), 0);
	plan.bake_s = 20;
	plan.ttl_s = 7200;
	return plan;
}

static void start(double part)
{
	struct shift_plan plan = typed_plan();

	records = 0;
	refused = 0;
	input = (struct shift_input){.gate = SHIFT_GATE_GO, .source_availability = 1, .dt_s = 0.1};
	assert_int_equal(shift_start(&shift, &plan, part, &record, NULL), 0);
	records++;
}

/* Every record continues where the last one ended, and tells what there is. */
static void check_record(enum shift_phase before)
{
	assert_int_equal(record.from, before);
	assert_int_equal(record.to, shift.phase);
	assert_int_equal(record.holds, shift.holds);
	assert_true(record.from != record.to || record.holds != record.holds_before ||
		    record.cause == SHIFT_BY_VERB);
	records++;
}

static void pass(double seconds)
{
	for (int i = 0; i < (int)(seconds * 10 + 0.5); i++) {
		enum shift_phase before = shift.phase;

		if (shift_tick(&shift, &input, &record))
			check_record(before);
	}
}

static void word(const char *w)
{
	static const char *const verbs[] = {"pause", "resume", "advance", "abort", "restore"};
	static const char *const gates[] = {"none", "go", "fail", "full"};
	enum shift_phase before = shift.phase;
	int e = 1;

	for (int i = 0; i < SHIFT_GATE__COUNT; i++)
		if (!strcmp(w, gates[i]))
			input.gate = (enum shift_gate)i;
	for (int i = 0; i < SHIFT_VERB__COUNT; i++)
		if (!strcmp(w, verbs[i]))
			e = shift_do(&shift, (enum shift_verb)i, &record, NULL);
	if (!strncmp(w, "set", 3))
		e = shift_set(&shift, atof(w + 3) / 100, 0, &record, NULL);
	if (!strcmp(w, "newer"))
		e = shift_supersede(&shift, &record) ? 0 : -EINVAL;
	if (e <= 0)
		refused = e;
	if (e == 0)
		check_record(before);
	if (!strcmp(w, "up") || !strcmp(w, "dead") || !strcmp(w, "blind"))
		input.source_availability = w[0] == 'u' ? 1 : w[0] == 'd' ? 0.34 : -1;
	if (!strcmp(w, "lost") || !strcmp(w, "found"))
		input.store_lost = w[0] == 'l';
	if (*w >= '0' && *w <= '9')
		pass(atof(w));
}

static void play(const char *script)
{
	char text[256], *next = NULL;

	snprintf(text, sizeof(text), "%s", script);
	for (char *w = strtok_r(text, " ", &next); w; w = strtok_r(NULL, " ", &next))
		word(w);
}

#define OP   SHIFT_HOLD_OPERATOR
#define GATE SHIFT_HOLD_GATE
#define NONE SHIFT_HOLD_NO_DATA
#define FULL SHIFT_HOLD_CAPACITY
#define LOST SHIFT_HOLD_STORE_LOST
#define SRC  SHIFT_HOLD_SOURCE

static const struct row {
	const char *name, *given;
	enum shift_phase phase;
	uint32_t step;
	double part; /* negative: any */
	uint32_t holds;
	enum shift_outcome outcome;
	enum shift_cause cause; /* of the last record */
} rows[] = {
	/* forward */
	{"starts", "", SHIFT_PENDING, 0, 0, 0, SHIFT_OPEN, SHIFT_BY_VERB},
	{"PENDING waits for data", "none 60", SHIFT_PENDING, 0, 0, NONE, SHIFT_OPEN, SHIFT_BY_GATE},
	{"PENDING waits for a good gate", "fail 60", SHIFT_PENDING, 0, 0, GATE, SHIFT_OPEN,
	 SHIFT_BY_GATE},
	{"PENDING to RAMP(0)", "0.1", SHIFT_RAMP, 0, 0, 0, SHIFT_OPEN, SHIFT_BY_GATE},
	{"RAMP(0) at once to BAKE(0)", "0.2", SHIFT_BAKE, 0, 0.2, 0, SHIFT_OPEN, SHIFT_BY_TIME},
	{"BAKE(0) lasts", "20.1", SHIFT_BAKE, 0, 0.2, 0, SHIFT_OPEN, SHIFT_BY_TIME},
	{"BAKE(0) to RAMP(1)", "20.3", SHIFT_RAMP, 1, -1, 0, SHIFT_OPEN, SHIFT_BY_TIME},
	{"RAMP(1) is linear", "20.2 15", SHIFT_RAMP, 1, 0.4, 0, SHIFT_OPEN, SHIFT_BY_TIME},
	{"RAMP(1) to BAKE(1)", "20.2 30.1", SHIFT_BAKE, 1, 0.6, 0, SHIFT_OPEN, SHIFT_BY_TIME},
	{"BAKE(1) to RAMP(2)", "20.2 30.1 20.1", SHIFT_RAMP, 2, -1, 0, SHIFT_OPEN, SHIFT_BY_TIME},
	{"RAMP(2) to BAKE(2)", "20.2 50.1 30", SHIFT_BAKE, 2, 1, 0, SHIFT_OPEN, SHIFT_BY_TIME},
	{"BAKE(2) to DONE", "121", SHIFT_DONE, 2, 1, 0, SHIFT_COMPLETED, SHIFT_BY_TIME},
	{"DONE stays", "7000", SHIFT_DONE, 2, 1, 0, SHIFT_COMPLETED, SHIFT_BY_TIME},
	/* ttl */
	{"DONE to BACK by ttl", "7200.1", SHIFT_BACK, 2, -1, 0, SHIFT_EXPIRED, SHIFT_BY_TTL},
	{"BACK to CLOSED, expired", "7200.1 21", SHIFT_CLOSED, 2, 0, 0, SHIFT_EXPIRED, SHIFT_BY_TIME},
	{"PENDING to CLOSED by ttl", "none 7201", SHIFT_CLOSED, 0, 0, 0, SHIFT_EXPIRED, SHIFT_BY_TTL},
	{"RAMP to BACK by ttl, though held", "25 pause 7176", SHIFT_BACK, 1, -1, OP, SHIFT_EXPIRED,
	 SHIFT_BY_TTL},
	{"BAKE to BACK by ttl", "10 none 7191", SHIFT_BACK, 0, -1, 0, SHIFT_EXPIRED, SHIFT_BY_TTL},
	/* restore */
	{"DONE to BACK by restore", "121 restore", SHIFT_BACK, 2, 1, 0, SHIFT_RESTORED, SHIFT_BY_VERB},
	{"BACK is 5 points a second", "121 restore 10", SHIFT_BACK, 2, 0.5, 0, SHIFT_RESTORED,
	 SHIFT_BY_VERB},
	{"BACK to CLOSED, restored", "121 restore 20.1", SHIFT_CLOSED, 2, 0, 0, SHIFT_RESTORED,
	 SHIFT_BY_TIME},
	/* abort */
	{"PENDING to CLOSED by abort", "abort", SHIFT_CLOSED, 0, 0, 0, SHIFT_ABORTED, SHIFT_BY_VERB},
	{"RAMP to BACK by abort", "35.2 abort", SHIFT_BACK, 1, -1, 0, SHIFT_ABORTED, SHIFT_BY_VERB},
	{"BAKE to BACK by abort", "10 abort", SHIFT_BACK, 0, 0.2, 0, SHIFT_ABORTED, SHIFT_BY_VERB},
	{"DONE to BACK by abort", "121 abort", SHIFT_BACK, 2, 1, 0, SHIFT_ABORTED, SHIFT_BY_VERB},
	{"BACK to CLOSED, aborted", "10 abort 4.1", SHIFT_CLOSED, 0, 0, 0, SHIFT_ABORTED,
	 SHIFT_BY_TIME},
	{"abort ends a pause", "10 pause 5 abort 1", SHIFT_BACK, 0, 0.15, 0, SHIFT_ABORTED,
	 SHIFT_BY_VERB},
	{"abort into a dead source holds", "10 dead abort 60", SHIFT_BACK, 0, 0.2, SRC, SHIFT_ABORTED,
	 SHIFT_BY_SOURCE},
	{"as does one into an unknown one", "10 blind abort 60", SHIFT_BACK, 0, 0.2, SRC,
	 SHIFT_ABORTED, SHIFT_BY_SOURCE},
	{"and goes on when it lives again", "10 dead abort 60 up 5", SHIFT_CLOSED, 0, 0, 0,
	 SHIFT_ABORTED, SHIFT_BY_TIME},
	/* the gate */
	{"RAMP holds on a failing gate", "35.2 fail 5", SHIFT_RAMP, 1, 0.4, GATE, SHIFT_OPEN,
	 SHIFT_BY_GATE},
	{"and goes on", "35.2 fail 5 go 7.6", SHIFT_RAMP, 1, 0.5, 0, SHIFT_OPEN, SHIFT_BY_GATE},
	{"RAMP to BACK by the gate", "35.2 fail 10.2", SHIFT_BACK, 1, -1, 0, SHIFT_ABORTED,
	 SHIFT_BY_GATE},
	{"BAKE holds on a failing gate", "10 fail 5", SHIFT_BAKE, 0, 0.2, GATE, SHIFT_OPEN,
	 SHIFT_BY_GATE},
	{"BAKE to BACK by the gate", "10 fail 10.2", SHIFT_BACK, 0, -1, 0, SHIFT_ABORTED,
	 SHIFT_BY_GATE},
	{"DONE to BACK by the gate", "121 fail 10.2", SHIFT_BACK, 2, -1, 0, SHIFT_ABORTED,
	 SHIFT_BY_GATE},
	{"a gate that fails now and then only holds", "10 fail 6 go 1 fail 6", SHIFT_BAKE, 0, 0.2,
	 GATE, SHIFT_OPEN, SHIFT_BY_GATE},
	{"a failing gate does not go back into a dead source", "10 dead fail 60", SHIFT_BAKE, 0, 0.2,
	 GATE, SHIFT_OPEN, SHIFT_BY_GATE},
	{"but once it lives", "10 dead fail 60 up 0.1", SHIFT_BACK, 0, -1, 0, SHIFT_ABORTED,
	 SHIFT_BY_GATE},
	{"a pause keeps the gate from going back", "10 pause fail 60", SHIFT_BAKE, 0, 0.2, OP | GATE,
	 SHIFT_OPEN, SHIFT_BY_GATE},
	{"no data holds, for ever", "10 none 600", SHIFT_BAKE, 0, 0.2, NONE, SHIFT_OPEN,
	 SHIFT_BY_GATE},
	{"no room holds, for ever", "35.2 full 600", SHIFT_RAMP, 1, 0.4, FULL, SHIFT_OPEN,
	 SHIFT_BY_GATE},
	{"DONE does not mind missing data", "121 none 60", SHIFT_DONE, 2, 1, 0, SHIFT_COMPLETED,
	 SHIFT_BY_TIME},
	{"BACK does not ask the gate", "10 abort fail 4.1", SHIFT_CLOSED, 0, 0, 0, SHIFT_ABORTED,
	 SHIFT_BY_TIME},
	/* the store */
	{"a lost store holds", "35.2 lost 600", SHIFT_RAMP, 1, 0.4, LOST, SHIFT_OPEN, SHIFT_BY_STORE},
	{"and lets go", "35.2 lost 600 found 15.2", SHIFT_BAKE, 1, 0.6, 0, SHIFT_OPEN, SHIFT_BY_TIME},
	/* pause and resume */
	{"pause freezes a ramp", "35.2 pause 600", SHIFT_RAMP, 1, 0.4, OP, SHIFT_OPEN, SHIFT_BY_VERB},
	{"pause freezes BACK", "121 restore 10 pause 60", SHIFT_BACK, 2, 0.5, OP, SHIFT_RESTORED,
	 SHIFT_BY_VERB},
	{"resume goes on where it was", "35.2 pause 600 resume 7.5", SHIFT_RAMP, 1, 0.5, 0,
	 SHIFT_OPEN, SHIFT_BY_VERB},
	{"holds add up", "10 none 1 pause 1", SHIFT_BAKE, 0, 0.2, OP | NONE, SHIFT_OPEN,
	 SHIFT_BY_VERB},
	{"a pause outlives its phase", "10 pause advance 5", SHIFT_RAMP, 1, 0.2, OP, SHIFT_OPEN,
	 SHIFT_BY_VERB},
	/* advance */
	{"PENDING to RAMP by advance", "none 1 advance", SHIFT_RAMP, 0, 0, 0, SHIFT_OPEN,
	 SHIFT_BY_VERB},
	{"RAMP to BAKE by advance", "30 advance", SHIFT_BAKE, 1, 0.6, 0, SHIFT_OPEN, SHIFT_BY_VERB},
	{"BAKE to RAMP by advance", "10 advance", SHIFT_RAMP, 1, 0.2, 0, SHIFT_OPEN, SHIFT_BY_VERB},
	{"BAKE to DONE by advance", "101 advance", SHIFT_DONE, 2, 1, 0, SHIFT_COMPLETED,
	 SHIFT_BY_VERB},
	/* set and supersede */
	{"set from RAMP", "30 set40 0.1", SHIFT_BAKE, 0, 0.4, 0, SHIFT_OPEN, SHIFT_BY_TIME},
	{"set from DONE, downwards", "121 set40 21", SHIFT_DONE, 0, 0.4, 0, SHIFT_COMPLETED,
	 SHIFT_BY_TIME},
	{"set from BACK", "121 restore 10 set80 0.1", SHIFT_BAKE, 0, 0.8, 0, SHIFT_OPEN, SHIFT_BY_TIME},
	{"superseded", "30 newer", SHIFT_CLOSED, 1, 0, 0, SHIFT_SUPERSEDED, SHIFT_BY_NEWER},
	{"CLOSED stays", "10 abort 10 up go 600", SHIFT_CLOSED, 0, 0, 0, SHIFT_ABORTED, SHIFT_BY_TIME},
};

static void transitions(void **state)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];

		start(0);
		play(row->given);
		if (shift.phase != row->phase || shift.step != row->step)
			fail_msg("%s: %s(%u)", row->name, shift_phase_name(shift.phase), shift.step);
		if (row->part >= 0 && fabs(shift.part - row->part) > 0.006)
			fail_msg("%s: part %.4f", row->name, shift.part);
		if (shift.holds != row->holds)
			fail_msg("%s: holds 0x%x", row->name, shift.holds);
		if (shift.outcome != row->outcome)
			fail_msg("%s: %s", row->name, shift_outcome_name(shift.outcome));
		if (record.cause != row->cause)
			fail_msg("%s: by %s", row->name, shift_cause_name(record.cause));
		assert_int_equal(refused, 0);
	}
}

static void verbs_out_of_place_are_refused(void **state)
{
	static const char *const scripts[] = {
		"restore",	    "10 restore",	"resume",	       "pause pause",
		"121 advance",	    "10 abort abort",	"10 abort advance",    "10 abort restore",
		"abort abort",	    "abort pause",	"abort resume",	       "abort advance",
		"abort restore",    "abort set40",	"abort newer",	       "set0",
		"set101",	    "10 pause pause",
	};

	for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		struct shift before;

		start(0);
		play(scripts[i]);
		if (refused != -EINVAL)
			fail_msg("\"%s\" was not refused", scripts[i]);
		before = shift;
		play(strrchr(scripts[i], ' ') ? strrchr(scripts[i], ' ') + 1 : scripts[i]);
		assert_memory_equal(&before, &shift, sizeof(shift));
	}
}

/* The newer one starts with the older one's part, so that nothing jumps. */
static void a_newer_shift_takes_over(void **state)
{
	start(0.5);
	assert_true(shift.part == 0.5);
	play("0.2");
	assert_true(shift.part == 0.2);
	start(0.5);
	play("none 10 abort 5");
	assert_int_equal(shift.phase, SHIFT_BACK);
}

/* Ramp as typed: linear, within a tick. */
static void the_typed_ramp(void **state)
{
	start(0);
	play("20.2");
	for (int i = 1; i <= 300; i++) {
		play("0.1");
		assert_true(fabs(shift.part - (0.2 + 0.4 * i / 300)) < 0.002);
	}
}

/* Written, read back, and on: the same as without. */
static void a_restart_in_the_middle(void **state)
{
	struct shift through, bytes;

	start(0);
	play("40");
	memcpy(&bytes, &shift, sizeof(bytes));
	play("7");
	through = shift;
	memcpy(&shift, &bytes, sizeof(shift));
	play("7");
	assert_memory_equal(&through, &shift, sizeof(shift));
}

static void steps_are_read(void **state)
{
	static const struct {
		const char *text;
		uint32_t count;
		double part[3], ramp_s[3];
	} good[] = {
		{"20%,60%@30s,100%@30s", 3, {0.2, 0.6, 1}, {0, 30, 30}},
		{"100%", 1, {1}, {0}},
		{"0.5", 1, {0.5}, {0}},
		{"1", 1, {1}, {0}},
		{"0.5%@500ms,1%@1.5m,2.5%@2h", 3, {0.005, 0.01, 0.025}, {0.5, 90, 7200}},
	};
	static const char *const bad[] = {
		"", ",", "20%,", ",20%", "20%%", "0%", "101%", "-5%", "+5%", "nan", "inf", "1e2%",
		"20%@", "20%@30", "20%@30d", "20%@-1s", "20%@30s@30s", "20% ,60%", "60%,20%", "20%,20%",
		"20%,60%@30s,100%@30s;", "1.2.3%", ".", "%", "1234567890%", "20%@9999999999s",
		"1%,2%,3%,4%,5%,6%,7%,8%,9%,10%,11%,12%,13%,14%,15%,16%,17%",
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct shift_plan plan = shift_plan_default();

		assert_int_equal(shift_parse_steps(good[i].text, &plan, NULL), 0);
		assert_int_equal(plan.step_count, good[i].count);
		for (uint32_t k = 0; k < plan.step_count; k++) {
			assert_true(fabs(plan.steps[k].part - good[i].part[k]) < 1e-12);
			assert_true(fabs(plan.steps[k].ramp_s - good[i].ramp_s[k]) < 1e-9);
		}
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct shift_plan plan = shift_plan_default(), before = plan;
		struct err err = {0};

		if (shift_parse_steps(bad[i], &plan, &err) != -EINVAL || !err.text[0])
			fail_msg("\"%s\" was taken", bad[i]);
		assert_memory_equal(&plan, &before, sizeof(plan));
	}
}

static void plans_are_checked(void **state)
{
	struct shift_plan plan = typed_plan();
	struct shift before = shift;

#define REFUSED(field, value)                                                                      \
	do {                                                                                       \
		__typeof__(field) old = field;                                                     \
		field = value;                                                                     \
		assert_int_equal(shift_start(&shift, &plan, 0, &record, NULL), -EINVAL);           \
		field = old;                                                                       \
	} while (0)
	REFUSED(plan.step_count, 0);
	REFUSED(plan.step_count, SHIFT_STEPS_MAX + 1);
	REFUSED(plan.steps[0].part, 0);
	REFUSED(plan.steps[1].part, 0.1);
	REFUSED(plan.steps[2].part, 1.01);
	REFUSED(plan.steps[0].ramp_s, -1);
	REFUSED(plan.steps[0].ramp_s, NAN);
	REFUSED(plan.bake_s, NAN);
	REFUSED(plan.ttl_s, -1);
	REFUSED(plan.back_per_s, 0);
	REFUSED(plan.gate_fail_s, -1);
#undef REFUSED
	assert_int_equal(shift_start(&shift, &plan, 1.5, &record, NULL), -EINVAL);
	assert_memory_equal(&shift, &before, sizeof(shift));
}

static void the_gate_judges(void **state)
{
	static const struct {
		const char *name;
		struct shift_signals given;
		enum shift_gate want;
	} gate_rows[] = {
		{"nothing known", {.availability = 1}, SHIFT_GATE_NO_DATA},
		{"well", {.known = true, .availability = 1}, SHIFT_GATE_GO},
		{"degraded", {.known = true, .availability = 0.99}, SHIFT_GATE_FAIL},
		{"as in the past", {true, 1, true, true, 0.97, 0.98, 0.03, 0.02, 0, 0}, SHIFT_GATE_GO},
		{"fewer complete", {true, 1, true, false, 0.92, 0.98, 0, 0, 0, 0}, SHIFT_GATE_FAIL},
		{"slower", {true, 1, false, true, 0, 0, 0.05, 0.02, 0, 0}, SHIFT_GATE_FAIL},
		{"tiny latencies may double", {true, 1, false, true, 0, 0, 0.004, 0.001, 0, 0},
		 SHIFT_GATE_GO},
		{"room", {true, 1, false, false, 0, 0, 0, 0, 0.4, 0.5}, SHIFT_GATE_GO},
		{"no room", {true, 1, false, false, 0, 0, 0, 0, 0.5, 0.5}, SHIFT_GATE_CAPACITY},
		{"ill and full is ill", {true, 0.5, false, false, 0, 0, 0, 0, 0.5, 0.5},
		 SHIFT_GATE_FAIL},
	};

	for (size_t i = 0; i < sizeof(gate_rows) / sizeof(gate_rows[0]); i++)
		if (shift_judge(&gate_rows[i].given) != gate_rows[i].want)
			fail_msg("%s: %s", gate_rows[i].name,
				 shift_gate_name(shift_judge(&gate_rows[i].given)));
}

/* Whatever happens: the part is in [0,1] and moves no faster than its steps and the way back allow, stands
 * still under holds, does not go back into a dead source, and CLOSED is the end. */
static void any_history(void **state)
{
	static const char *const words[] = {
		"go", "go", "go", "fail", "none", "full", "up", "up", "dead", "blind", "lost", "found",
		"pause", "resume", "advance", "abort", "restore", "set40", "set90",
	};
	struct random r = random_start("any history");

	for (int round = 0; round < 400; round++) {
		start(random_below(&r, 2) ? 0 : random_unit(&r));
		for (int step = 0; step < 2000 && shift.phase != SHIFT_CLOSED; step++) {
			struct shift before = shift;

			if (random_below(&r, 40) == 0) {
				word(words[random_below(&r, sizeof(words) / sizeof(words[0]))]);
				continue;
			}
			pass(0.1);
			assert_true(shift.part >= 0 && shift.part <= 1);
			assert_true(before.part - shift.part <= shift.plan.back_per_s * 0.1 + 1e-9 ||
				    before.phase == SHIFT_RAMP);
			if (before.holds && shift.holds == before.holds)
				assert_true(shift.part == before.part);
			if (before.phase == SHIFT_BACK && input.source_availability < 0.35)
				assert_true(shift.part >= before.part);
		}
		assert_true(shift.phase != SHIFT_CLOSED ||
			    (shift.part == 0 && shift.outcome != SHIFT_OPEN && !shift.holds));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(transitions),
		cmocka_unit_test(verbs_out_of_place_are_refused),
		cmocka_unit_test(a_newer_shift_takes_over),
		cmocka_unit_test(the_typed_ramp),
		cmocka_unit_test(a_restart_in_the_middle),
		cmocka_unit_test(steps_are_read),
		cmocka_unit_test(plans_are_checked),
		cmocka_unit_test(the_gate_judges),
		cmocka_unit_test(any_history),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
