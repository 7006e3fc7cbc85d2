/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mirrors controller/shifts.c: shifts by name over a model, through reloads and restarts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "controller/shifts.h"
#include "tests/unit/plain.h"

static struct config *config;
static struct model *model;
static struct shifts shifts;
static struct mono_ns now;
static uint32_t records;
static enum probe_outcome probes[3]; /* by region; PROBE_OUTCOME__COUNT: none */
static double took_s[3];
static const char *policy = ""; /* of the pool */
static bool tiered;		/* each region is a tier */

static void on_record(void *ctx, const struct shifts_entry *e, const struct shift_record *record)
{
	records++;
}

static void load(bool both)
{
	struct text t = {0};
	struct model *former = model;
	struct config *old = config;

	text_head(&t);
	text_add(&t, "health:\n  probe: {type: tcp, port: 80, interval: 1s, timeout: 500ms}\nproviders:\n  - name: p\n    regions:\n");
	for (int r = 0; r < 3; r++) {
		text_add(&t, "      - name: r%d\n        backends:\n", r);
		for (int i = 0; i < 4; i++)
			text_add(&t, "          - {name: b%d%d, address: 10.0.%d.%d, capacity: 100}\n", r,
				 i, r, i + 1);
	}
	text_add(&t, "pools:\n  - {name: eu, slots: 1024, tiers: [[p/r0%s]]%s}\n",
		 tiered ? "], [p/r1], [p/r2" : both ? ", p/r1, p/r2" : ", p/r2", policy);
	text_add(&t, "services:\n  - {name: s, address: 192.0.2.1, port: 80, protocol: tcp, pool: eu, encap: gue}\n");
	config = text_config(&t);
	assert_int_equal(model_build(config, &plain, &plain_sizes, former, now, NULL, &model), 0);
	for (uint32_t i = 0; i < model->backend_count; i++)
		model_nexthop_result(model, i, true, now);
	model_free(former);
	config_free(old);
}

static int begin(void **state)
{
	plain_new();
	shifts = (struct shifts){.on_record = on_record};
	now = (struct mono_ns){1000000000};
	records = 0;
	for (int r = 0; r < 3; r++) {
		probes[r] = PROBE_OK;
		took_s[r] = 0.01;
	}
	load(true);
	return 0;
}

static int end(void **state)
{
	model_free(model);
	config_free(config);
	model = NULL;
	config = NULL;
	policy = "";
	tiered = false;
	plain_free();
	return 0;
}

/* A probe of every backend in every tick, as its region has it. */
static void probe_all(void)
{
	for (uint32_t i = 0; i < model->backend_count; i++) {
		uint32_t region = model->backends[i].region;

		if (!model->backends[i].leaving && probes[region] < PROBE_OUTCOME__COUNT)
			model_probe_result(model, i, probes[region], took_s[region], now);
	}
}

static void ticks(double seconds)
{
	for (int i = 0; i < seconds * 10; i++) {
		now = mono_after(now, 0.1);
		probe_all();
		shifts_tick(&shifts, model, 0.1);
		model_tick(model, now);
	}
}

static struct shifts_order order(const char *to)
{
	struct shifts_order o = {.pool = "eu", .from = "p/r0", .to = to, .actor = "t", .comment = "c",
				 .plan = shift_plan_default()};

	o.plan.bake_s = 5;
	o.plan.ttl_s = 0;
	o.plan.step_count = 2;
	o.plan.steps[0] = (struct shift_step){0.1, 0};
	o.plan.steps[1] = (struct shift_step){0.3, 10};
	return o;
}

static double share(uint32_t group)
{
	return model->pools[0].groups[group].share;
}

static struct shifts_entry *start(const char *to)
{
	struct shifts_order o = order(to);
	struct shifts_entry *e = NULL;

	assert_int_equal(shifts_start(&shifts, model, &o, NULL, &e), 0);
	return e;
}

static void what_is_refused(void **state)
{
	struct shifts_order o = order("p/r9");
	struct shifts_entry *e;

	assert_int_equal(shifts_start(&shifts, model, &o, NULL, &e), -ENOENT);
	o = order("p/r0");
	assert_int_equal(shifts_start(&shifts, model, &o, NULL, &e), -EINVAL);
	o = order("p/r1");
	o.pool = "us";
	assert_int_equal(shifts_start(&shifts, model, &o, NULL, &e), -ENOENT);
	o = order("p/r1");
	o.plan.step_count = 0;
	assert_int_equal(shifts_start(&shifts, model, &o, NULL, &e), -EINVAL);
	assert_int_equal(shifts.count, 0);
	assert_int_equal(records, 0);
}

static void a_shift_moves_its_part_and_gives_it_back(void **state)
{
	struct shifts_entry *e;

	ticks(2);
	assert_true(fabs(share(0) - 1 / 3.) < 1e-6);
	e = start("p/r1");
	assert_string_equal(e->name, "shift-1");
	ticks(30);
	assert_int_equal(e->shift.phase, SHIFT_DONE);
	assert_true(fabs(share(0) - 0.7 / 3) < 0.01);
	assert_true(fabs(share(1) - 1.3 / 3) < 0.01);
	assert_int_equal(shifts_do(&shifts, e, SHIFT_RESTORE, NULL), 0);
	ticks(300);
	assert_int_equal(e->shift.phase, SHIFT_CLOSED);
	assert_true(fabs(share(0) - 1 / 3.) < 0.01);
	assert_false(shifts_open(&shifts));
	assert_true(records >= 6);
}

static void a_newer_one_from_there_takes_over(void **state)
{
	struct shifts_entry *first, *second;

	ticks(1);
	first = start("p/r1");
	ticks(30);
	second = start("p/r1");
	assert_int_equal(first->shift.outcome, SHIFT_SUPERSEDED);
	assert_string_equal(second->from, "p/r0");
	assert_true(second->shift.part == 0.3);
	second = start("r2"); /* a region's own name will do */
	assert_string_equal(second->to, "p/r2");
	assert_true(second->shift.part == 0);
	ticks(0.2);
	assert_int_equal(model->pools[0].shift_count, 1);
}

static const char *holds(const struct shifts_entry *e)
{
	static char text[128];

	text[0] = 0;
	for (uint32_t bit = 0; bit < SHIFT_HOLDS; bit++)
		if (e->shift.holds & 1u << bit)
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", text[0] ? " " : "",
				 shift_hold_name((enum shift_hold)(1u << bit)));
	return text;
}

static void what_the_gate_sees_is_real(void **state)
{
	struct shifts_entry *e;

	ticks(2);
	e = start("p/r1");
	ticks(10); /* on the way to 30 % */
	assert_int_equal(e->shift.phase, SHIFT_RAMP);
	probes[1] = PROBE_OUTCOME__COUNT;
	ticks(8);
	assert_string_equal(holds(e), "no-data");
	assert_string_equal(e->why, "no-data");
	probes[1] = PROBE_OK;
	ticks(1.5);
	assert_string_equal(holds(e), "");
	took_s[1] = 0.055; /* against 10 ms before the shift began */
	ticks(2);
	assert_string_equal(holds(e), "gate");
	assert_string_equal(e->why, "probe");
	took_s[0] = 0.055; /* the source, too: it is not the target's fault */
	ticks(3);
	assert_string_equal(holds(e), "");
	probes[1] = PROBE_BAD_STATUS;
	ticks(8);
	assert_string_equal(holds(e), "gate");
	assert_string_equal(e->why, "availability");
	probes[0] = PROBE_REFUSED; /* nowhere to go back to */
	ticks(30);
	assert_int_equal(e->shift.outcome, SHIFT_OPEN);
	probes[0] = PROBE_OK;
	ticks(80);
	assert_int_equal(e->shift.outcome, SHIFT_ABORTED);
}

static void a_target_that_has_no_room_holds(void **state)
{
	struct shifts_order o = order("p/r1");
	struct shifts_entry *e;

	ticks(1);
	o.plan.steps[1] = (struct shift_step){1, 0}; /* 2/3 of a pool for a group that can carry 0.467 */
	assert_int_equal(shifts_start(&shifts, model, &o, NULL, &e), 0);
	ticks(30);
	assert_string_equal(holds(e), "capacity");
	assert_int_equal(e->shift.phase, SHIFT_RAMP);
	assert_true(fabs(share(1) - 1.4 / 3) < 0.003);
	assert_int_equal(shifts_do(&shifts, e, SHIFT_ADVANCE, NULL), 0);
	ticks(5);
	assert_true(fabs(share(1) - 2 / 3.) < 0.01);
}

/* Half of r0 is ill: its availability is 0.7, or less. */
static void make_half_ill(bool ill)
{
	for (uint32_t i = 0; i < model->backend_count; i++)
		if (!strncmp(model->backends[i].name, "b0", 2) && model->backends[i].name[2] < '3')
			model_backend_set_health(model, i, ill ? MODEL_ADMIN_HEALTH_DOWN : MODEL_ADMIN_HEALTH_AUTO,
						 now);
}

static void a_policy_shifts_and_gives_back(void **state)
{
	struct shifts_entry *e;
	json_t *saved;

	tiered = true;
	policy = ", auto_shift: {below: 50%, after: 10s, steps: \"50%,100%@5s\", bake: 1s, restore_after: 20s, cool_down: 1m}";
	load(true);
	ticks(30);
	assert_int_equal(shifts.count, 0);
	assert_string_equal(auto_says_name(model->pools[0].auto_says), "well");
	make_half_ill(true); /* three of four: availability 0.35 */
	ticks(9);
	assert_int_equal(shifts.count, 0);
	assert_string_equal(auto_says_name(model->pools[0].auto_says), "waiting");
	ticks(2);
	assert_int_equal(shifts.count, 1);
	e = &shifts.entries[0];
	assert_string_equal(e->actor, "auto");
	assert_string_equal(e->from, "p/r0");
	assert_string_equal(e->to, "p/r1");
	assert_string_equal(e->comment, "availability 0.35, under 0.50 for 10 s");
	ticks(20);
	assert_int_equal(e->shift.phase, SHIFT_DONE);
	assert_true(share(0) < 0.001);
	make_half_ill(false);
	ticks(19);
	assert_int_equal(e->shift.phase, SHIFT_DONE);
	ticks(40);
	assert_int_equal(e->shift.phase, SHIFT_CLOSED);
	assert_int_equal(e->shift.outcome, SHIFT_RESTORED);

	make_half_ill(true); /* again, but one has only just ended; a restart does not forget that */
	saved = shifts_save(&shifts);
	shifts = (struct shifts){.on_record = on_record};
	shifts_load(&shifts, saved);
	json_decref(saved);
	ticks(35);
	assert_int_equal(shifts.count, 1);
	assert_string_equal(auto_says_name(model->pools[0].auto_says), "cool-down");
	ticks(20);
	assert_int_equal(shifts.count, 2);
}

static void a_policy_gives_way_to_operators(void **state)
{
	struct shifts_order o = order("p/r0");
	struct shifts_entry *e;

	tiered = true;
	policy = ", auto_shift: {below: 50%, after: 10s}";
	load(true);
	ticks(5);
	start("p/r2");
	make_half_ill(true);
	ticks(60);
	assert_int_equal(shifts.count, 1);
	assert_string_equal(auto_says_name(model->pools[0].auto_says), "operator");
	assert_int_equal(shifts_do(&shifts, &shifts.entries[0], SHIFT_ABORT, NULL), 0);
	ticks(30);
	assert_int_equal(shifts.count, 2); /* the automatic one */
	e = start("p/r1");
	assert_int_equal(shifts.entries[1].shift.outcome, SHIFT_SUPERSEDED);
	assert_int_equal(shifts_do(&shifts, e, SHIFT_ABORT, NULL), 0);
	ticks(700);
	assert_int_equal(shifts.count, 4);
	o.from = "p/r1"; /* into the ill place: whatever for, an operator knows */
	assert_int_equal(shifts_start(&shifts, model, &o, NULL, &e), 0);
	ticks(0.2);
	assert_int_equal(shifts.entries[3].shift.outcome, SHIFT_ABORTED);
}

static void a_policy_does_not_believe_a_panic(void **state)
{
	policy = ", auto_shift: {below: 50%, after: 10s}";
	load(true);
	ticks(5);
	for (uint32_t i = 0; i < model->backend_count; i++)
		if (model->backends[i].region < 2)
			model_backend_set_health(model, i, MODEL_ADMIN_HEALTH_DOWN, now);
	ticks(100);
	assert_true(model->pools[0].panic);
	assert_int_equal(shifts.count, 0);
	assert_string_equal(auto_says_name(model->pools[0].auto_says), "held");
}

static void over_a_reload_and_without_its_group(void **state)
{
	struct shifts_entry *e;

	ticks(1);
	e = start("p/r1");
	ticks(30);
	load(true);
	ticks(1);
	assert_int_equal(e->shift.phase, SHIFT_DONE);
	assert_int_equal(model->pools[0].shift_count, 1);
	load(false);
	ticks(1);
	assert_int_equal(e->shift.phase, SHIFT_CLOSED);
	assert_int_equal(model->pools[0].shift_count, 0);
}

static void over_a_restart_in_mid_ramp(void **state)
{
	struct shifts_entry *e;
	struct shift was;
	json_t *saved, *bad;

	ticks(1);
	e = start("p/r1");
	ticks(10);
	assert_int_equal(e->shift.phase, SHIFT_RAMP);
	was = e->shift;
	saved = shifts_save(&shifts);
	shifts = (struct shifts){.on_record = on_record};
	shifts_load(&shifts, saved);
	assert_int_equal(shifts.count, 1);
	assert_int_equal(shifts.next, 1);
	assert_int_equal(shifts.entries[0].shift.phase, SHIFT_RAMP);
	assert_true(shifts.entries[0].shift.part == was.part);
	assert_true(shifts.entries[0].shift.phase_s == was.phase_s);
	assert_true(fabs(shifts.entries[0].seen.target_past.probe_s - 0.01) < 1e-9);
	assert_true(shifts.entries[0].seen.target_past.completion == -1);
	assert_string_equal(shifts.entries[0].comment, "c");
	shifts_tick(&shifts, model, 0);
	assert_int_equal(model->pools[0].shift_count, 1);
	ticks(20);
	assert_int_equal(shifts.entries[0].shift.phase, SHIFT_DONE);

	/* each member damaged in turn: skipped, never half taken */
	bad = json_array_get(saved, 0);
	for (void *i = json_object_iter(bad); i; i = json_object_iter_next(bad, i)) {
		json_t *kept = json_incref(json_object_iter_value(i));

		if (strcmp(json_object_iter_key(i), "live")) {
			json_object_iter_set_new(bad, i, json_pack("[i]", -1));
			shifts = (struct shifts){0};
			shifts_load(&shifts, saved);
			assert_int_equal(shifts.count, 0);
		}
		json_object_iter_set_new(bad, i, kept);
	}
	json_decref(saved);
	shifts = (struct shifts){0};
	shifts_load(&shifts, NULL);
	assert_int_equal(shifts.count, 0);
}

static void closed_ones_make_room(void **state)
{
	struct shifts_order o = order("p/r1");
	struct shifts_entry *e;

	ticks(1);
	for (int i = 0; i < 3 * SHIFTS_MAX; i++)
		e = start(i % 2 ? "p/r1" : "p/r2");
	assert_int_equal(shifts.count, SHIFTS_MAX);
	assert_ptr_equal(shifts_find(&shifts, e->name), e);
	assert_null(shifts_find(&shifts, "shift-1"));
	for (uint32_t i = 0; i < SHIFTS_MAX; i++) { /* pretend that all are open, elsewhere */
		shifts.entries[i].shift.phase = SHIFT_DONE;
		shifts.entries[i].from[0] = 'x';
	}
	assert_int_equal(shifts_start(&shifts, model, &o, NULL, &e), -ENOSPC);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(what_is_refused),
		TEST(a_shift_moves_its_part_and_gives_it_back),
		TEST(a_newer_one_from_there_takes_over),
		TEST(what_the_gate_sees_is_real),
		TEST(a_target_that_has_no_room_holds),
		TEST(a_policy_shifts_and_gives_back),
		TEST(a_policy_gives_way_to_operators),
		TEST(a_policy_does_not_believe_a_panic),
		TEST(over_a_reload_and_without_its_group),
		TEST(over_a_restart_in_mid_ramp),
		TEST(closed_ones_make_room),
	};

	return cmocka_run_group_tests_name("shifts", tests, NULL, NULL);
}
