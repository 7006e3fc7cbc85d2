/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mirrors controller/shift.c and shift_gate.c: every transition and every hold has a row, under its number in
 * ebb(8). A row's `given` is a script of words:
 *
 *   5        five seconds pass, in ticks of 100 ms
 *   go fail none full    what the gate says from now on     up dead blind   how the source is
 *   lost found           the store                          pause resume advance abort restore   verbs
 *   set40                `ebb shift set` to 40 %            room50          headroom for 50 %
 *   newer                another shift takes over           gone            its pool is gone
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
	input = (struct shift_input){.gate = SHIFT_GATE_GO, .source_availability = 1,
				     .part_max = 1, .dt_s = 0.1};
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
		e = shift_close(&shift, SHIFT_SUPERSEDED, SHIFT_BY_NEWER, &record) ? 0 : -EINVAL;
	if (!strcmp(w, "gone"))
		e = shift_close(&shift, SHIFT_ABORTED, SHIFT_BY_GONE, &record) ? 0 : -EINVAL;
	if (!strncmp(w, "room", 4))
		input.part_max = atof(w + 4) / 100;
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
	{"1: starts", "", SHIFT_PENDING, 0, 0, 0, SHIFT_OPEN, SHIFT_BY_VERB},
	{"H3: PENDING waits for data", "none 60", SHIFT_PENDING, 0, 0, NONE, SHIFT_OPEN, SHIFT_BY_GATE},
	{"H2: PENDING waits for a good gate", "fail 60", SHIFT_PENDING, 0, 0, GATE, SHIFT_OPEN,
	 SHIFT_BY_GATE},
	{"2: PENDING to RAMP(0)", "0.1", SHIFT_RAMP, 0, 0, 0, SHIFT_OPEN, SHIFT_BY_GATE},
	{"3: RAMP(0) at once to BAKE(0)", "0.2", SHIFT_BAKE, 0, 0.2, 0, SHIFT_OPEN, SHIFT_BY_TIME},
	{"BAKE(0) lasts", "20.1", SHIFT_BAKE, 0, 0.2, 0, SHIFT_OPEN, SHIFT_BY_TIME},
	{"4: BAKE(0) to RAMP(1)", "20.3", SHIFT_RAMP, 1, -1, 0, SHIFT_OPEN, SHIFT_BY_TIME},
	{"RAMP(1) is linear", "20.2 15", SHIFT_RAMP, 1, 0.4, 0, SHIFT_OPEN, SHIFT_BY_TIME},
	{"3: RAMP(1) to BAKE(1)", "20.2 30.1", SHIFT_BAKE, 1, 0.6, 0, SHIFT_OPEN, SHIFT_BY_TIME},
	{"4: BAKE(1) to RAMP(2)", "20.2 30.1 20.1", SHIFT_RAMP, 2, -1, 0, SHIFT_OPEN, SHIFT_BY_TIME},
	{"3: RAMP(2) to BAKE(2)", "20.2 50.1 30", SHIFT_BAKE, 2, 1, 0, SHIFT_OPEN, SHIFT_BY_TIME},
	{"5: BAKE(2) to DONE", "121", SHIFT_DONE, 2, 1, 0, SHIFT_COMPLETED, SHIFT_BY_TIME},
	{"DONE stays", "7000", SHIFT_DONE, 2, 1, 0, SHIFT_COMPLETED, SHIFT_BY_TIME},
	/* ttl */
	{"8: DONE to BACK by ttl", "7200.1", SHIFT_BACK, 2, -1, 0, SHIFT_EXPIRED, SHIFT_BY_TTL},
	{"10: BACK to CLOSED, expired", "7200.1 21", SHIFT_CLOSED, 2, 0, 0, SHIFT_EXPIRED, SHIFT_BY_TIME},
	{"8: PENDING to CLOSED by ttl", "none 7201", SHIFT_CLOSED, 0, 0, 0, SHIFT_EXPIRED, SHIFT_BY_TTL},
	{"8: RAMP to BACK by ttl, which ends a pause", "25 pause 7176", SHIFT_BACK, 1, -1, 0, SHIFT_EXPIRED,
	 SHIFT_BY_TTL},
	{"8: BAKE to BACK by ttl", "10 none 7191", SHIFT_BACK, 0, -1, 0, SHIFT_EXPIRED, SHIFT_BY_TTL},
	/* restore */
	{"9: DONE to BACK by restore", "121 restore", SHIFT_BACK, 2, 1, 0, SHIFT_RESTORED, SHIFT_BY_VERB},
	{"BACK is 5 points a second", "121 restore 10", SHIFT_BACK, 2, 0.5, 0, SHIFT_RESTORED,
	 SHIFT_BY_VERB},
	{"10: BACK to CLOSED, restored", "121 restore 20.1", SHIFT_CLOSED, 2, 0, 0, SHIFT_RESTORED,
	 SHIFT_BY_TIME},
	/* abort */
	{"6: PENDING to CLOSED by abort", "abort", SHIFT_CLOSED, 0, 0, 0, SHIFT_ABORTED, SHIFT_BY_VERB},
	{"6: RAMP to BACK by abort", "35.2 abort", SHIFT_BACK, 1, -1, 0, SHIFT_ABORTED, SHIFT_BY_VERB},
	{"6: BAKE to BACK by abort", "10 abort", SHIFT_BACK, 0, 0.2, 0, SHIFT_ABORTED, SHIFT_BY_VERB},
	{"6: DONE to BACK by abort", "121 abort", SHIFT_BACK, 2, 1, 0, SHIFT_ABORTED, SHIFT_BY_VERB},
	{"10: BACK to CLOSED, aborted", "10 abort 4.1", SHIFT_CLOSED, 0, 0, 0, SHIFT_ABORTED,
	 SHIFT_BY_TIME},
	{"abort ends a pause", "10 pause 5 abort 1", SHIFT_BACK, 0, 0.15, 0, SHIFT_ABORTED,
	 SHIFT_BY_VERB},
	{"H6: abort into a dead source holds", "10 dead abort 60", SHIFT_BACK, 0, 0.2, SRC, SHIFT_ABORTED,
	 SHIFT_BY_SOURCE},
	{"H6: as does one into an unknown one", "10 blind abort 60", SHIFT_BACK, 0, 0.2, SRC,
	 SHIFT_ABORTED, SHIFT_BY_SOURCE},
	{"and goes on when it lives again", "10 dead abort 60 up 5", SHIFT_CLOSED, 0, 0, 0,
	 SHIFT_ABORTED, SHIFT_BY_TIME},
	/* the gate */
	{"H2: RAMP holds on a failing gate", "35.2 fail 5", SHIFT_RAMP, 1, 0.4, GATE, SHIFT_OPEN,
	 SHIFT_BY_GATE},
	{"and goes on", "35.2 fail 5 go 8.6", SHIFT_RAMP, 1, 0.5, 0, SHIFT_OPEN, SHIFT_BY_GATE},
	{"7: RAMP to BACK by the gate", "35.2 fail 10.2", SHIFT_BACK, 1, -1, 0, SHIFT_ABORTED,
	 SHIFT_BY_GATE},
	{"H2: BAKE holds on a failing gate", "10 fail 5", SHIFT_BAKE, 0, 0.2, GATE, SHIFT_OPEN,
	 SHIFT_BY_GATE},
	{"7: BAKE to BACK by the gate", "10 fail 10.2", SHIFT_BACK, 0, -1, 0, SHIFT_ABORTED,
	 SHIFT_BY_GATE},
	{"7: DONE to BACK by the gate", "121 fail 10.2", SHIFT_BACK, 2, -1, 0, SHIFT_ABORTED,
	 SHIFT_BY_GATE},
	{"a gate that fails now and then only holds", "10 fail 6 go 2 fail 6", SHIFT_BAKE, 0, 0.2,
	 GATE, SHIFT_OPEN, SHIFT_BY_GATE},
	{"one that flickers is one that fails", "10 fail 6 go 0.5 fail 4", SHIFT_BACK, 0, -1, 0,
	 SHIFT_ABORTED, SHIFT_BY_GATE},
	{"a failing gate does not go back into a dead source", "10 dead fail 60", SHIFT_BAKE, 0, 0.2,
	 GATE, SHIFT_OPEN, SHIFT_BY_GATE},
	{"but once it lives", "10 dead fail 60 up 0.1", SHIFT_BACK, 0, -1, 0, SHIFT_ABORTED,
	 SHIFT_BY_GATE},
	{"a pause keeps the gate from going back", "10 pause fail 60", SHIFT_BAKE, 0, 0.2, OP | GATE,
	 SHIFT_OPEN, SHIFT_BY_GATE},
	{"H3: no data holds, for ever", "10 none 600", SHIFT_BAKE, 0, 0.2, NONE, SHIFT_OPEN,
	 SHIFT_BY_GATE},
	{"H4: no room holds, for ever", "35.2 full 600", SHIFT_RAMP, 1, 0.4, FULL, SHIFT_OPEN,
	 SHIFT_BY_GATE},
	{"H4: a ramp goes as far as there is room", "20.2 room50 30", SHIFT_RAMP, 1, 0.5, FULL, SHIFT_OPEN,
	 SHIFT_BY_GATE},
	{"a step at once goes as far as there is room", "room10 5", SHIFT_RAMP, 0, 0.1, FULL, SHIFT_OPEN,
	 SHIFT_BY_GATE},
	{"and on when there is more", "20.2 room50 60 room100 6.8", SHIFT_RAMP, 1, 0.59, 0, SHIFT_OPEN,
	 SHIFT_BY_GATE},
	{"a hair of room is none", "20.2 room50 60 room50.5 60", SHIFT_RAMP, 1, 0.5, FULL, SHIFT_OPEN,
	 SHIFT_BY_GATE},
	{"room that is lost takes nothing back", "20.2 room50 60 room30 60", SHIFT_RAMP, 1, 0.5, FULL,
	 SHIFT_OPEN, SHIFT_BY_GATE},
	{"advance goes past a lack of room", "20.2 room50 60 advance 1", SHIFT_BAKE, 1, 0.6, 0, SHIFT_OPEN,
	 SHIFT_BY_VERB},
	{"DONE does not mind missing data", "121 none 60", SHIFT_DONE, 2, 1, 0, SHIFT_COMPLETED,
	 SHIFT_BY_TIME},
	{"BACK does not ask the gate", "10 abort fail 4.1", SHIFT_CLOSED, 0, 0, 0, SHIFT_ABORTED,
	 SHIFT_BY_TIME},
	/* the store */
	{"H5: a lost store holds", "35.2 lost 600", SHIFT_RAMP, 1, 0.4, LOST, SHIFT_OPEN, SHIFT_BY_STORE},
	{"and lets go", "35.2 lost 600 found 15.2", SHIFT_BAKE, 1, 0.6, 0, SHIFT_OPEN, SHIFT_BY_TIME},
	/* pause and resume */
	{"H1: pause freezes a ramp", "35.2 pause 600", SHIFT_RAMP, 1, 0.4, OP, SHIFT_OPEN, SHIFT_BY_VERB},
	{"H1: pause freezes BACK", "121 restore 10 pause 60", SHIFT_BACK, 2, 0.5, OP, SHIFT_RESTORED,
	 SHIFT_BY_VERB},
	{"resume goes on where it was", "35.2 pause 600 resume 7.5", SHIFT_RAMP, 1, 0.5, 0,
	 SHIFT_OPEN, SHIFT_BY_VERB},
	{"holds add up", "10 none 1 pause 1", SHIFT_BAKE, 0, 0.2, OP | NONE, SHIFT_OPEN,
	 SHIFT_BY_VERB},
	{"a pause outlives its phase", "10 pause advance 5", SHIFT_RAMP, 1, 0.2, OP, SHIFT_OPEN,
	 SHIFT_BY_VERB},
	/* advance */
	{"2: PENDING to RAMP by advance", "none 1 advance", SHIFT_RAMP, 0, 0, 0, SHIFT_OPEN,
	 SHIFT_BY_VERB},
	{"3: RAMP to BAKE by advance", "30 advance", SHIFT_BAKE, 1, 0.6, 0, SHIFT_OPEN, SHIFT_BY_VERB},
	{"4: BAKE to RAMP by advance", "10 advance", SHIFT_RAMP, 1, 0.2, 0, SHIFT_OPEN, SHIFT_BY_VERB},
	{"5: BAKE to DONE by advance", "101 advance", SHIFT_DONE, 2, 1, 0, SHIFT_COMPLETED,
	 SHIFT_BY_VERB},
	/* set and supersede */
	{"11: set from RAMP", "30 set40 0.1", SHIFT_BAKE, 0, 0.4, 0, SHIFT_OPEN, SHIFT_BY_TIME},
	{"11: set from DONE, downwards", "121 set40 21", SHIFT_DONE, 0, 0.4, 0, SHIFT_COMPLETED,
	 SHIFT_BY_TIME},
	{"11: set from BACK", "121 restore 10 set80 0.1", SHIFT_BAKE, 0, 0.8, 0, SHIFT_OPEN, SHIFT_BY_TIME},
	{"11: set from DONE, into a dead source", "121 dead set40 60", SHIFT_RAMP, 0, 1, SRC, SHIFT_OPEN,
	 SHIFT_BY_SOURCE},
	{"down, the gate is not asked", "121 fail 1 set40 0.1", SHIFT_BAKE, 0, 0.4, 0, SHIFT_OPEN,
	 SHIFT_BY_TIME},
	{"13: its pool is gone", "30 gone", SHIFT_CLOSED, 1, 0, 0, SHIFT_ABORTED, SHIFT_BY_GONE},
	{"12: superseded", "30 newer", SHIFT_CLOSED, 1, 0, 0, SHIFT_SUPERSEDED, SHIFT_BY_NEWER},
	{"CLOSED stays", "10 abort 10 up go 600", SHIFT_CLOSED, 0, 0, 0, SHIFT_ABORTED, SHIFT_BY_TIME},
};

static void every_number_has_a_row(void **state)
{
	static const char *const numbers[] = {"1:",  "2:",  "3:",  "4:",  "5:",	 "6:",	"7:",  "8:",  "9:", "10:",
					      "11:", "12:", "13:", "H1:", "H2:", "H3:", "H4:", "H5:", "H6:"};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		size_t k = 0;

		while (k < sizeof(rows) / sizeof(rows[0]) &&
		       strncmp(rows[k].name, numbers[i], strlen(numbers[i])))
			k++;
		if (k == sizeof(rows) / sizeof(rows[0]))
			fail_msg("nothing tests %s", numbers[i]);
	}
}

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
		"abort restore",    "abort set40",	"abort newer",	"abort gone",
		"121 dead set40 1 advance",	       "set0",
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

/* Of the target: availability, handshakes and the completed part, completed and how long, probe. The same of the source. */
#define VIEW(a, n, c, k, h, p) {.known = true, a, n, c, k, h, p}
#define QUIET		       VIEW(1, 0, 1, 0, 0, -1)
#define NEVER		       {-1, -1, -1}

static void the_gate_judges(void **state)
{
	static const struct {
		const char *name;
		struct shift_signals given;
		enum shift_gate want;
		const char *why;
	} gate_rows[] = {
		{"nothing known", {{.availability = 1}, QUIET, NEVER, NEVER, 0, 0, false}, SHIFT_GATE_NO_DATA,
		 "no-data"},
		{"well", {QUIET, QUIET, NEVER, NEVER, 0, 0, false}, SHIFT_GATE_GO, ""},
		{"degraded", {VIEW(0.99, 0, 1, 0, 0, -1), QUIET, NEVER, NEVER, 0, 0, false}, SHIFT_GATE_FAIL,
		 "availability"},
		{"as in the past",
		 {VIEW(1, 100, 0.97, 100, 0.03, 0.03), QUIET, {0.98, 0.02, 0.02}, NEVER, 0, 0, false},
		 SHIFT_GATE_GO, ""},
		{"fewer complete", {VIEW(1, 1000, 0.9, 0, 0, -1), QUIET, {0.98, -1, -1}, NEVER, 0, 0, false},
		 SHIFT_GATE_FAIL, "completion"},
		{"of so few, chance may have it so",
		 {VIEW(1, 30, 0.9, 0, 0, -1), QUIET, {0.98, -1, -1}, NEVER, 0, 0, false}, SHIFT_GATE_GO, ""},
		{"of fewer, nothing is said",
		 {VIEW(1, 19, 0, 0, 0, -1), QUIET, {0.98, -1, -1}, NEVER, 0, 0, false}, SHIFT_GATE_GO, ""},
		{"a flood: the source completes fewer, too",
		 {VIEW(1, 1000, 0.3, 0, 0, -1), VIEW(1, 1000, 0.31, 0, 0, -1), {0.98, -1, -1},
		  {0.98, -1, -1}, 0, 0, false}, SHIFT_GATE_GO, ""},
		{"a flood, and the target is ill",
		 {VIEW(1, 1000, 0.1, 0, 0, -1), VIEW(1, 1000, 0.31, 0, 0, -1), {0.98, -1, -1},
		  {0.98, -1, -1}, 0, 0, false}, SHIFT_GATE_FAIL, "completion"},
		{"no past: worse than the source",
		 {VIEW(1, 1000, 0.7, 0, 0, -1), VIEW(1, 1000, 0.8, 0, 0, -1), NEVER, {0.98, -1, -1}, 0, 0,
		  false}, SHIFT_GATE_FAIL, "completion"},
		{"no past: better than the source",
		 {VIEW(1, 1000, 0.7, 0, 0, -1), VIEW(1, 1000, 0.6, 0, 0, -1), NEVER, {0.98, -1, -1}, 0, 0,
		  false}, SHIFT_GATE_GO, ""},
		{"slower handshakes", {VIEW(1, 0, 1, 50, 0.07, -1), QUIET, {-1, 0.02, -1}, NEVER, 0, 0, false},
		 SHIFT_GATE_FAIL, "handshake"},
		{"too few handshakes to tell",
		 {VIEW(1, 0, 1, 19, 0.07, -1), QUIET, {-1, 0.02, -1}, NEVER, 0, 0, false}, SHIFT_GATE_GO, ""},
		{"tiny times may be many times as long",
		 {VIEW(1, 0, 1, 50, 0.02, 0.02), QUIET, {-1, 0.001, 0.001}, NEVER, 0, 0, false},
		 SHIFT_GATE_GO, ""},
		{"the source's handshakes are slower, too",
		 {VIEW(1, 0, 1, 50, 0.07, -1), VIEW(1, 0, 1, 50, 0.03, -1), {-1, 0.02, -1},
		  {-1, 0.01, -1}, 0, 0, false}, SHIFT_GATE_GO, ""},
		{"slower probes", {VIEW(1, 0, 1, 0, 0, 0.21), QUIET, {-1, -1, 0.01}, NEVER, 0, 0, false},
		 SHIFT_GATE_FAIL, "probe"},
		{"once in force, the past is past",
		 {VIEW(1, 1000, 0.5, 50, 0.07, 0.21), QUIET, {0.98, 0.02, 0.01}, NEVER, 0, 0, true},
		 SHIFT_GATE_GO, ""},
		{"but ill is ill", {VIEW(0.99, 0, 1, 0, 0, -1), QUIET, NEVER, NEVER, 0, 0, true},
		 SHIFT_GATE_FAIL, "availability"},
		{"room", {QUIET, QUIET, NEVER, NEVER, 0.5, 0.5, false}, SHIFT_GATE_GO, ""},
		{"no room", {QUIET, QUIET, NEVER, NEVER, 0.51, 0.5, false}, SHIFT_GATE_CAPACITY, "headroom"},
		{"ill and full is ill", {VIEW(0.5, 0, 1, 0, 0, -1), QUIET, NEVER, NEVER, 0.6, 0.5, false},
		 SHIFT_GATE_FAIL, "availability"},
	};

	for (size_t i = 0; i < sizeof(gate_rows) / sizeof(gate_rows[0]); i++) {
		const char *why;
		enum shift_gate gate = shift_judge(&gate_rows[i].given, &why);

		if (gate != gate_rows[i].want || strcmp(why, gate_rows[i].why))
			fail_msg("%s: %s, %s", gate_rows[i].name, shift_gate_name(gate), why);
	}
}

static void the_past_is_remembered_once(void **state)
{
	struct shift_past past = shift_past_none();
	struct shift_view now = VIEW(1, 10, 0.9, 10, 0.1, -1);

	shift_remember(&past, &now);
	assert_true(past.completion < 0 && past.handshake_s < 0 && past.probe_s < 0);
	now = (struct shift_view)VIEW(1, 50, 0.9, 50, 0.1, 0.2);
	shift_remember(&past, &now);
	now = (struct shift_view)VIEW(1, 50, 0.1, 50, 0.3, 0.4);
	shift_remember(&past, &now);
	assert_true(past.completion == 0.9 && past.handshake_s == 0.1 && past.probe_s == 0.2);
}

/* Whatever happens: the part is in [0,1] and moves no faster than its steps and the way back allow, stands
 * still under holds, does not go back into a dead source, and CLOSED is the end. */
static void any_history(void **state)
{
	static const char *const words[] = {
		"go", "go", "go", "fail", "none", "full", "up", "up", "dead", "blind", "lost", "found",
		"pause", "resume", "advance", "abort", "restore", "set40", "set90", "room30", "room100",
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
			if (input.source_availability < 0.35)
				assert_true(shift.part >= before.part);
		}
		assert_true(shift.phase != SHIFT_CLOSED ||
			    (shift.part == 0 && shift.outcome != SHIFT_OPEN && !shift.holds));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_number_has_a_row),
		cmocka_unit_test(transitions),
		cmocka_unit_test(verbs_out_of_place_are_refused),
		cmocka_unit_test(a_newer_shift_takes_over),
		cmocka_unit_test(the_typed_ramp),
		cmocka_unit_test(a_restart_in_the_middle),
		cmocka_unit_test(steps_are_read),
		cmocka_unit_test(plans_are_checked),
		cmocka_unit_test(the_gate_judges),
		cmocka_unit_test(the_past_is_remembered_once),
		cmocka_unit_test(any_history),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
