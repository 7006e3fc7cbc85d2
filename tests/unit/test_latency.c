/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mirrors controller/latency.c; then a whole model: a region that turns slow loses weight along the smoothing, and what is slow
 * everywhere alike is held against nobody.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <math.h>

#include "controller/latency.h"
#include "tests/unit/plain.h"

#define BACKENDS 12

static const struct latency_params params = {.good_s = 0.05, .bad_s = 0.25, .usual_s = 3600};

static void assert_near(const char *what, double is, double want)
{
	if (!(fabs(is - want) <= 1e-9))
		fail_msg("%s: %.9f, not %.9f", what, is, want);
}

static void three_answers_in_a_row_must_agree(void **state)
{
	static const struct {
		const char *name;
		double took_ms[8]; /* 0 ends */
		double usual_ms, excess_ms;
	} rows[] = {
		{"two answers say nothing", {10, 300}, 0, 0},
		{"the slowest of the first three is usual", {30, 10, 20}, 30, 0},
		{"one stall is nothing", {10, 10, 10, 400, 10}, 10, 0},
		{"nor are two", {10, 10, 10, 400, 400, 10}, 10, 0},
		{"three are", {10, 10, 10, 400, 300, 350}, 10, 290},
		{"a single fast one is not the new usual", {30, 30, 30, 5, 30}, 30, 0},
		{"three are", {30, 30, 30, 5, 8, 6}, 8, 0},
		{"more than a second is a second", {10, 10, 10, 3000, 3000, 3000}, 10, 1000},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct latency l = {0};

		for (int k = 0; k < 8 && rows[i].took_ms[k]; k++)
			latency_answer(&l, rows[i].took_ms[k] / 1000);
		assert_near(rows[i].name, l.usual_s, rows[i].usual_ms / 1000);
		assert_near(rows[i].name, latency_excess(&l), rows[i].excess_ms / 1000);
	}
}

static void slower_than_usual_lowers_the_term(void **state)
{
	static const struct {
		double excess_ms, shared_ms, want;
	} rows[] = {{0, 0, 1},	    {50, 0, 1},	     {150, 0, 0.55}, {200, 0, 0.325},
		    {250, 0, 0.1}, {900, 0, 0.1},   {250, 200, 1},  {250, 100, 0.55}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct latency l = {.took_s = {1, 1, 1}, .answers = 3};
		struct latency_params off = params;

		l.usual_s = 1 - rows[i].excess_ms / 1000;
		assert_near("term", latency_term(&l, &params, rows[i].shared_ms / 1000), rows[i].want);
		off.good_s = INFINITY;
		assert_near("off", latency_term(&l, &off, 0), 1);
	}
}

static void what_stays_slow_becomes_usual(void **state)
{
	struct latency l = {.took_s = {0.3, 0.3, 0.3}, .answers = 3, .usual_s = 0.1};

	for (int i = 0; i < 36000; i++)
		latency_tick(&l, &params, 0.1);
	assert_true(fabs(l.usual_s - (0.3 - 0.2 * exp(-1))) < 1e-4); /* an hour */
	latency_forget(&l);
	assert_near("a new process is measured by the old usual", latency_excess(&l), 0);
}

static void the_lower_quartile_is_shared(void **state)
{
	struct latency_census census = {0};

	for (int i = 0; i < 8; i++) {
		struct latency l = {.took_s = {1, 1, 1}, .answers = 3, .usual_s = 0.9 - i / 100.0};

		latency_count(&census, &l);
	}
	assert_near("third of eight", latency_shared(&census), 0.12);
	census = (struct latency_census){0};
	assert_near("nobody", latency_shared(&census), 0);
}

/* --- a model: two regions of a tier and one behind them, four backends each */

static struct {
	struct config *config;
	struct model *model;
	struct mono_ns now;
	double slower_s[3]; /* by region */
} life;

static int begin(void **state)
{
	struct err err = {{0}};
	struct text t = {0};

	plain_new();
	life.now = (struct mono_ns){1000000000};
	memset(life.slower_s, 0, sizeof(life.slower_s));
	text_head(&t);
	text_add(&t, "health:\n  probe: {type: tcp, port: 80}\nproviders:\n  - name: a\n    regions:\n");
	for (uint32_t i = 0; i < BACKENDS; i++) {
		if (i % 4 == 0)
			text_add(&t, "      - name: r%u\n        backends:\n", i / 4);
		text_add(&t, "          - {name: b%u, address: 10.1.0.%u}\n", i, 1 + i);
	}
	text_add(&t, "pools:\n  - {name: all, slots: 4096, tiers: [[a/r0, a/r1], [a/r2]]}\n");
	life.config = text_config(&t);
	if (model_build(life.config, &plain, &plain_sizes, NULL, life.now, &err, &life.model))
		fail_msg("%s", err.text);
	for (uint32_t i = 0; i < BACKENDS; i++)
		model_nexthop_result(life.model, i, true, life.now);
	return 0;
}

static int end(void **state)
{
	model_free(life.model);
	config_free(life.config);
	plain_free();
	return 0;
}

static void live(int ticks)
{
	for (int k = 0; k < ticks; k++) {
		life.now = mono_after(life.now, 0.1);
		for (uint32_t i = 0; k % 10 == 0 && i < BACKENDS; i++)
			model_probe_result(life.model, i, PROBE_OK, 0.002 * (1 + i) + life.slower_s[i / 4],
					   life.now);
		model_tick(life.model, life.now);
	}
}

static double health_of(uint32_t backend)
{
	return life.model->backends[backend].health;
}

static void a_region_200_ms_slower_ebbs_along_the_smoothing(void **state)
{
	double h, before = life.model->pools[0].groups[0].share;

	live(100);
	assert_near("well", health_of(0), 1);
	life.slower_s[0] = 0.2;
	live(30); /* three answers: the third one at the beginning of the last second */
	h = 0.325 + (1 - 0.325) * exp(-1.0 / 2.8);
	assert_true(fabs(health_of(0) - h) < 0.03);
	live(270);
	assert_true(fabs(health_of(0) - 0.325) < 0.01);
	before = life.model->pools[0].groups[1].share;
	assert_true(before > 0.6); /* of what was a half */
	assert_near("the others are well", health_of(4), 1);
	life.slower_s[0] = 0;
	live(2400);
	assert_near("well again", health_of(0), 1);
	assert_true(fabs(life.model->pools[0].groups[0].share - 0.5) < 1e-6);
}

static void what_is_slow_everywhere_moves_nothing(void **state)
{
	uint64_t moved;

	live(100);
	moved = life.model->pools[0].moved;
	for (int r = 0; r < 3; r++)
		life.slower_s[r] = 0.4;
	live(600);
	assert_int_equal(life.model->pools[0].moved, moved);
	assert_near("well", health_of(0), 1);
	assert_true(life.model->slowness_s > 0.35);
}

static void one_slow_probe_in_three_moves_nothing(void **state)
{
	uint64_t moved;

	live(100);
	moved = life.model->pools[0].moved;
	for (int i = 0; i < 60; i++) {
		life.slower_s[1] = i % 3 ? 0 : 0.4;
		live(10);
	}
	assert_int_equal(life.model->pools[0].moved, moved);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(three_answers_in_a_row_must_agree),
		cmocka_unit_test(slower_than_usual_lowers_the_term),
		cmocka_unit_test(what_stays_slow_becomes_usual),
		cmocka_unit_test(the_lower_quartile_is_shared),
		cmocka_unit_test_setup_teardown(a_region_200_ms_slower_ebbs_along_the_smoothing, begin, end),
		cmocka_unit_test_setup_teardown(what_is_slow_everywhere_moves_nothing, begin, end),
		cmocka_unit_test_setup_teardown(one_slow_probe_in_three_moves_nothing, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
