/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mirrors controller/shifts_live.c: who is named when, over a directory of 3,000 sandboxes in plain memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <math.h>

#include "controller/shifts_live.h"
#include "tests/unit/plain.h"

#define COUNT 3000

static struct config *config;
static struct model *model;
static struct shifts shifts;
static struct shifts_entry *shift;
static struct mono_ns now;
static struct sandbox_key keys[COUNT];
static struct sandbox values[COUNT];
static uint32_t named[COUNT]; /* how often */
static uint32_t last_to[COUNT];
static uint32_t calls;

static void on_wanted(void *ctx, const struct shifts_entry *entry, const struct sandbox_key *key, uint32_t from,
		      uint32_t to)
{
	uint32_t i = (uint32_t)(key - keys);

	assert_ptr_equal(entry, shift);
	assert_int_equal(model->backends[from].region, 0);
	calls++;
	named[i]++;
	last_to[i] = to;
}

static void load(void)
{
	struct text t = {0};

	text_head(&t);
	text_add(&t, "health:\n  probe: {type: none}\nproviders:\n  - name: p\n    regions:\n");
	for (int r = 0; r < 3; r++) {
		text_add(&t, "      - name: r%d\n        backends:\n", r);
		for (int i = 0; i < 4; i++)
			text_add(&t, "          - {name: b%d%d, address: 10.0.%d.%d, capacity: %d}\n", r, i, r, i + 1,
				 i == 3 ? 200 : 100);
	}
	text_add(&t, "pools:\n  - {name: eu, slots: 1024, tiers: [[p/r0], [p/r1], [p/r2]]}\n"
		     "  - {name: us, slots: 1024, tiers: [[p/r0], [p/r1]]}\n"
		     "services:\n  - {name: s, prefix: \"2001:db8:5b::/64\", pool: eu, affinity: sandbox, encap: gue}\n"
		     "  - {name: o, prefix: \"2001:db8:5c::/64\", pool: us, affinity: sandbox, encap: gue}\n");
	config = text_config(&t);
	assert_int_equal(model_build(config, &plain, &plain_sizes, NULL, now, NULL, &model), 0);
	for (uint32_t i = 0; i < model->backend_count; i++)
		model_nexthop_result(model, i, true, now);
	model_tick(model, now);
}

/* Two thirds of the first service live in r0, one in r2; the last hundred are of the other service. */
static void settle_all(void)
{
	uint32_t s = model_find_service(model, "s"), o = model_find_service(model, "o");

	for (uint32_t i = 0; i < COUNT; i++) {
		bool other = i >= COUNT - 100;

		memset(&keys[i], 0, sizeof(keys[i]));
		keys[i].address = model->services[other ? o : s].config.address;
		memcpy(keys[i].address.bytes + 12, &i, sizeof(i));
		keys[i].service = model->services[other ? o : s].id;
		values[i] = (struct sandbox){
			.backend = model->backends[i % 3 < 2 ? i % 4 : 8 + i % 4].id,
			.former = BACKEND_NONE,
		};
	}
}

static int begin(void **state)
{
	struct shifts_order order = {.pool = "eu", .from = "p/r0", .to = "p/r1", .actor = "t", .live = true,
				     .plan = shift_plan_default()};

	plain_new();
	shifts = (struct shifts){0};
	now = (struct mono_ns){1000000000};
	load();
	settle_all();
	memset(named, 0, sizeof(named));
	calls = 0;
	order.plan.step_count = 1;
	order.plan.steps[0] = (struct shift_step){1, 0};
	assert_int_equal(shifts_start(&shifts, model, &order, NULL, &shift), 0);
	shift->shift.phase = SHIFT_RAMP;
	return 0;
}

static int end(void **state)
{
	model_free(model);
	config_free(config);
	plain_free();
	return 0;
}

/* True: there was a sweep. */
static bool sweep(double dt_s)
{
	if (!shifts_live_due(&shifts, dt_s))
		return false;
	shifts_live_begin(&shifts);
	for (uint32_t at = 0; at < COUNT; at += 100)
		shifts_live_look(&shifts, model, keys + at, values + at, 100, on_wanted, NULL);
	shifts_live_end(&shifts);
	return true;
}

static uint32_t in_source(void)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < COUNT - 100; i++)
		n += model->backends[model_find_backend_id(model, values[i].backend)].region == 0;
	return n;
}

static void they_are_named_at_the_pace_of_the_ramp(void **state)
{
	uint32_t all = in_source();

	assert_false(sweep(0.1)); /* part 0 */
	for (int part = 1; part <= 100; part++) {
		shift->shift.part = part / 100.;
		assert_true(sweep(0.1));
		assert_false(sweep(0.1));
		assert_true(fabs((double)calls / all - part / 100.) < 0.04);
	}
	assert_int_equal(calls, all);
	assert_int_equal(shift->sandboxes.wanted, all);
	assert_int_equal(shift->sandboxes.left, all);
	for (uint32_t i = 0; i < COUNT; i++)
		assert_true(named[i] <= 1);
}

static void their_new_place_is_drawn_by_capacity(void **state)
{
	uint32_t on[4] = {0}, before[COUNT], changed = 0;

	shift->shift.part = 1;
	sweep(0.1);
	for (uint32_t i = 0; i < COUNT; i++)
		if (named[i]) {
			assert_int_equal(model->backends[last_to[i]].region, 1);
			on[last_to[i] - 4]++;
		}
	for (int i = 0; i < 4; i++) /* capacities 1 1 1 2 */
		assert_true(fabs((double)on[i] / calls - (i == 3 ? 0.4 : 0.2)) < 0.04);

	/* one of them drains: only what was to go there goes elsewhere */
	memcpy(before, last_to, sizeof(before));
	model_backend_set_state(model, 5, BACKEND_STATE_DRAIN, now);
	shifts_live_again(&shifts);
	sweep(0.1);
	for (uint32_t i = 0; i < COUNT; i++)
		if (named[i]) {
			assert_true(last_to[i] != 5 && (before[i] == 5 || before[i] == last_to[i]));
			changed += before[i] == 5;
		}
	assert_int_equal(changed, on[1]);
	for (int i = 4; i < 8; i++)
		model_backend_set_state(model, (uint32_t)i, BACKEND_STATE_MAINT, now);
	shifts_live_again(&shifts);
	sweep(0.1);
	assert_int_equal(last_to[0], UINT32_MAX); /* nobody takes any: who is told that tells nobody */
}

static void what_moved_is_counted_and_the_rest_named_again(void **state)
{
	uint32_t all = in_source(), moved = 0;

	shift->shift.part = 1;
	sweep(0.1);
	for (uint32_t i = 0; i < COUNT - 100; i += 2) {
		struct sandboxes_entry entry = {keys[i], values[i]};

		if (!named[i])
			continue;
		entry.value.former = values[i].backend;
		entry.value.backend = values[i].backend = model->backends[last_to[i]].id;
		shifts_live_moved(&shifts, model, &entry);
		moved++;
	}
	assert_int_equal(shift->sandboxes.moved, moved);
	assert_int_equal(shift->sandboxes.left, all - moved);
	calls = 0;
	assert_false(sweep(59));
	assert_true(sweep(1));
	assert_int_equal(calls, all - moved);
	assert_int_equal(shift->sandboxes.wanted, all); /* the same ones */
	assert_int_equal(shift->sandboxes.left, all - moved);
}

static void a_restart_names_them_again(void **state)
{
	json_t *saved;
	uint32_t all = in_source();

	shift->shift.part = 0.5;
	sweep(0.1);
	saved = shifts_save(&shifts);
	shifts = (struct shifts){0};
	shifts_load(&shifts, saved);
	json_decref(saved);
	assert_int_equal(shifts.count, 1);
	shift = &shifts.entries[0];
	calls = 0;
	assert_true(sweep(0.1));
	assert_true(calls > 0.45 * all && calls < 0.55 * all);
	assert_int_equal(shift->sandboxes.wanted, calls);
}

static void on_the_way_back_nobody_is_named(void **state)
{
	shift->shift.part = 0.5;
	shift->shift.phase = SHIFT_BACK;
	assert_false(sweep(100));
	shift->shift.phase = SHIFT_RAMP;
	shift->live = false;
	assert_false(sweep(100));
	assert_int_equal(calls, 0);
}

static void what_an_older_shift_had_is_not_named(void **state)
{
	shift->shift.part = 0.9; /* taken over */
	shift->shift.phase = SHIFT_PENDING;
	assert_false(sweep(100));
	shift->shift.phase = SHIFT_RAMP;
	shift->shift.plan.steps[0].part = 0.3;
	assert_true(sweep(0.1));
	assert_true(fabs((double)calls / in_source() - 0.3) < 0.04);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(they_are_named_at_the_pace_of_the_ramp),
		TEST(their_new_place_is_drawn_by_capacity),
		TEST(what_moved_is_counted_and_the_rest_named_again),
		TEST(a_restart_names_them_again),
		TEST(on_the_way_back_nobody_is_named),
		TEST(what_an_older_shift_had_is_not_named),
	};

	return cmocka_run_group_tests_name("shifts_live", tests, NULL, NULL);
}
