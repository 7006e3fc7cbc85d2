/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mirrors controller/sim/: small scenarios through the whole pure core, and what must hold of them: how fast shares fall and
 * return, that nothing overshoots, that what is no fault moves nothing, and that a run can be run again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/sim/sim.h"

#define POINT	0.01
#define ROUNDED 0.0005 /* of a share by slots */
#define SMALL	"topology: {providers: 3, regions: 6, backends: 60, slots: 4096, spread: 20%}\n"

static struct {
	struct scenario *scenario;
	struct sim *sim;
	char *csv;
	size_t csv_length;
} is;

static void run(const char *text)
{
	struct config_errors errors = {{0}};
	struct err err = {{0}};
	FILE *csv = open_memstream(&is.csv, &is.csv_length);

	if (scenario_load_bytes("t.yaml", text, strlen(text), &errors, &is.scenario)) {
		config_errors_print(&errors, stderr);
		fail_msg("the scenario is not good");
	}
	if (sim_run(is.scenario, csv, &err, &is.sim))
		fail_msg("%s", err.text);
	fclose(csv);
}

static int end(void **state)
{
	sim_free(is.sim);
	scenario_free(is.scenario);
	free(is.csv);
	memset(&is, 0, sizeof(is));
	return 0;
}

static const struct sim_pool *pool(void)
{
	return &is.sim->pools[0];
}

static const struct sim_group *group(const char *name)
{
	for (uint32_t g = 0; g < pool()->group_count; g++)
		if (!strcmp(pool()->groups[g].name, name))
			return &pool()->groups[g];
	fail_msg("no group %s", name);
	return NULL;
}

static double share_at(const char *name, double t_s)
{
	return group(name)->shares[(int)(t_s / is.scenario->sample_s + 0.5)];
}

static void assert_within(const char *what, double is_, double low, double high)
{
	if (!(is_ >= low && is_ <= high))
		fail_msg("%s: %.5f, not within %.5f and %.5f", what, is_, low, high);
}

/* What holds of every run: nothing jumps that is not dead, nobody comes back to more than he had, the count of slots is not
 * below what had to move. */
static void assert_decent(double fall)
{
	for (uint32_t g = 0; g < pool()->group_count; g++) {
		const struct sim_group *group = &pool()->groups[g];

		assert_within("fall in a second", group->fall, 0, fall + 1e-6);
		assert_within("overshoot", group->over, 0, 0.1 * POINT);
		assert_within("turns", group->turns, 0, 2);
	}
	assert_true(pool()->moved_all >= pool()->least_all);
	assert_true(pool()->failed_s <= pool()->unmoved_s + 1e-9);
}

static void a_brown_out_ebbs_by_2_points_a_second_and_returns_by_half_a_point(void **state)
{
	run("seed: 1\nduration: 6m\n" SMALL
	    "events: [{at: 30s, for: 60s, what: brown-out, where: p1/r1, errors: 40%}]\n");
	assert_decent(2 * POINT);
	assert_within("most of it has left", group("p1/r1")->least, 0, 0.35 * group("p1/r1")->before);
	assert_within("half of it soon", is.sim->events[0].half_s, 5, 20);
	assert_within("it waits for 60 s, then takes 30", is.sim->events[0].back_s, 60, 140);
	assert_within("return", group("p1/r1")->rise, 0, 0.5 * POINT + 1e-6);
	assert_within("back", share_at("p1/r1", 360), group("p1/r1")->before - ROUNDED, group("p1/r1")->before + ROUNDED);
	assert_true(pool()->failed_s < pool()->unmoved_s / 2);
	assert_int_equal(is.sim->note_count, 0);
}

static void a_death_is_left_within_two_seconds(void **state)
{
	run("seed: 2\nduration: 5m\n" SMALL "events: [{at: 30s, for: 30s, what: dead, where: p2/r3}]\n");
	assert_decent(20 * POINT);
	assert_within("nothing is left", is.sim->events[0].gone_s, 0.2, 2.5);
	assert_within("return", group("p2/r3")->rise, 0, 0.5 * POINT + 1e-6);
}

/* The rest of a group is not buried under the share of its dead: with a load of 60 % nobody gets twice what he can bear. */
static void who_survives_is_not_the_next_to_die(void **state)
{
	run("seed: 3\nduration: 2m\nload: 60%\n" SMALL
	    "events: [{at: 30s, for: 60s, what: dead, where: p2/r3, part: 70%}]\n");
	assert_within("the fullest backend", is.sim->used_most, 0.6, 1.8);
	assert_within("not for long", group("p2/r3")->above_s, 0, 2);
}

static void thunder_does_not_return(void **state)
{
	run("seed: 4\nduration: 6m\nload: 60%\ntopology: {providers: 5, regions: 20, backends: 200, slots: 16384}\n"
	    "events: [{at: 30s, for: 60s, what: lost, where: p3}]\n");
	assert_decent(20 * POINT);
	for (uint32_t g = 0; g < pool()->group_count; g++) {
		assert_within("above headroom", pool()->groups[g].above_s, 0, 0);
		if (pool()->groups[g].hurt)
			assert_within("a twentieth returns in 50 s too", pool()->groups[g].rise, 0,
				      0.02 * pool()->groups[g].before + 1e-6);
	}
	assert_within("all back", is.sim->events[0].back_s, 60, 180);
	assert_within("nobody is full", is.sim->used_most, 0.6, 1);
}

static void silence_of_all_probes_moves_nothing(void **state)
{
	run("seed: 5\nduration: 3m\n" SMALL "events: [{at: 30s, for: 60s, what: probes-lost, where: all}]\n");
	assert_within("slots", (double)pool()->moved_all, 0, 0.01 * pool()->slots);
	assert_int_equal(is.sim->note_count, 2);
	assert_int_equal(is.sim->notes[0].kind, MODEL_EVENT_PROBES_DOUBTED);
	assert_int_equal(is.sim->notes[1].kind, MODEL_EVENT_PROBES_TRUSTED);
}

static void what_is_slow_everywhere_moves_nothing(void **state)
{
	run("seed: 6\nduration: 2m\n" SMALL "events: [{at: 30s, for: 60s, what: slow, where: all, by: 300ms}]\n");
	assert_int_equal(pool()->moved_all, 0);
}

/* All alike answer 40 % badly: chance makes some look worse, until so many do that it is panic; then it goes by capacity. */
static void a_uniform_fall_ejects_nobody(void **state)
{
	run("seed: 7\nduration: 4m\n" SMALL "events: [{at: 30s, for: 3m, what: brown-out, where: all, errors: 40%}]\n");
	for (uint32_t g = 0; g < pool()->group_count; g++) {
		const struct sim_group *group = &pool()->groups[g];

		assert_within("least", group->least, group->before / 2, 1);
		assert_within("most", group->most, 0, group->before * 1.5);
		assert_within("by capacity", share_at(group->name, 120), group->before - ROUNDED, group->before + ROUNDED);
	}
	assert_int_equal(is.sim->notes[0].kind, MODEL_EVENT_POOL_PANIC);
	assert_int_equal(is.sim->note_count, 2);
}

static void a_region_200_ms_slower_ebbs(void **state)
{
	run("seed: 8\nduration: 5m\n" SMALL "events: [{at: 30s, for: 60s, what: slow, where: p1/r2, by: 200ms}]\n");
	assert_decent(2 * POINT);
	assert_within("a third of it has left", group("p1/r2")->least, 0.3 * group("p1/r2")->before,
		      0.67 * group("p1/r2")->before);
	assert_within("back", share_at("p1/r2", 300), group("p1/r2")->before - ROUNDED, group("p1/r2")->before + ROUNDED);
}

static void flapping_is_held(void **state)
{
	run("seed: 9\nduration: 6m\n" SMALL
	    "events: [{at: 30s, for: 3m, what: flap, where: p1/r1, up: 12s, down: 6s}]\n");
	assert_within("nothing while it flaps", share_at("p1/r1", 120), 0, POINT);
	assert_within("turns", group("p1/r1")->turns, 0, 2);
}

static void agents_and_operators(void **state)
{
	run("seed: 10\nduration: 4m\n" SMALL "events:\n"
	    "  - {at: 20s, for: 20s, what: state, state: drain, where: p1/r1}\n"
	    "  - {at: 20s, for: 20s, what: says, says: \"down\", where: p2/r3, part: 50%}\n"
	    "  - {at: 20s, for: 20s, what: says, says: \"up ready 100%\", where: p3/r5}\n");
	assert_within("drained at once", share_at("p1/r1", 21), 0, 0);
	assert_within("half of it says down", is.sim->events[1].gone_s, 0, 0.2);
	assert_within("praise changes nothing", is.sim->events[2].least, is.sim->events[2].before, 1);
}

static void handshakes_alone(void **state)
{
	run("seed: 11\nduration: 2m\nhandshakes: 4\nhealth: {probe: {type: none}}\n" SMALL
	    "events: [{at: 30s, for: 60s, what: dead, where: p1/r1, part: 20%}]\n");
	assert_within("a trickle is left", is.sim->events[0].least, 1e-9, 0.1 * is.sim->events[0].before);
}

static void a_shift_in_stages(void **state)
{
	run("seed: 12\nduration: 3m\n" SMALL "events: [{at: 30s, what: shift, pool: pool1, from: p1/r1, to: p2/r3, "
	    "steps: \"20%,30%@20s\", bake: 10s, ttl: 90s}]\n");
	assert_within("20 %", share_at("p1/r1", 38), 0.79 * group("p1/r1")->before, 0.81 * group("p1/r1")->before);
	assert_within("30 %", share_at("p1/r1", 75), 0.69 * group("p1/r1")->before, 0.71 * group("p1/r1")->before);
	assert_within("ttl", is.sim->events[0].closed_s, 120, 140);
	assert_within("given back", share_at("p1/r1", 180), group("p1/r1")->before - ROUNDED,
		      group("p1/r1")->before + ROUNDED);
}

/* --- the same again, and what is written */

#define TWICE(seed)                                                                                \
	"seed: " seed "\nduration: 1m\nload: 70%\nhandshakes: 1\n" SMALL "events:\n"               \
	"  - {at: 10s, for: 20s, what: brown-out, where: p1, part: 50%, errors: 60%, label: \"<&> ü\"}\n"

static char *picture(void)
{
	char *svg = NULL;
	size_t length;
	FILE *to = open_memstream(&svg, &length);

	assert_int_equal(sim_svg(is.sim, 0, to), 0);
	fclose(to);
	return svg;
}

static char *summary(void)
{
	json_t *doc = sim_summary(is.sim);
	char *text = json_dumps(doc, JSON_INDENT(1));

	json_decref(doc);
	return text;
}

static void the_same_scenario_gives_the_same_bytes(void **state)
{
	char *csv, *svg, *told, *again;

	run(TWICE("7"));
	csv = strdup(is.csv);
	svg = picture();
	told = summary();
	end(NULL);
	run(TWICE("7"));
	assert_string_equal(csv, is.csv);
	again = picture();
	assert_string_equal(svg, again);
	free(again);
	again = summary();
	assert_string_equal(told, again);
	free(again);
	end(NULL);
	run(TWICE("8"));
	assert_string_not_equal(csv, is.csv);
	free(csv);
	free(svg);
	free(told);
}

/* Each line has all columns; the shares of a time sum to 1. */
static void the_csv_adds_up(void **state)
{
	double sum = 0, slots = 0, time = 0;
	uint32_t lines = 0;
	char *save = NULL;

	run(TWICE("7"));
	for (char *line = strtok_r(is.csv, "\n", &save); line; line = strtok_r(NULL, "\n", &save), lines++) {
		uint32_t commas = 0;
		double t, share, quota;

		for (char *c = line; *c; c++)
			commas += *c == ',';
		assert_int_equal(commas, 13);
		if (!lines || strstr(line, ",*,")) {
			assert_true(lines < 2 || (fabs(sum - 1) < 1e-4 && slots == 4096));
			sum = slots = 0;
			continue;
		}
		assert_int_equal(sscanf(line, "%lf,pool1,%*[^,],0,%lf,%*f,%*f,%*f,%*[a-z-],%lf,", &t, &share, &quota), 3);
		assert_true(t >= time);
		time = t;
		sum += share;
		slots += quota;
	}
	assert_int_equal(lines, 1 + 61 * 7);
	assert_true(time == 60);
}

static uint32_t count(const char *text, const char *what)
{
	uint32_t n = 0;

	for (const char *at = text; (at = strstr(at, what)); at += strlen(what))
		n++;
	return n;
}

static void the_picture_is_whole(void **state)
{
	char *svg;

	run(TWICE("7"));
	svg = picture();
	assert_memory_equal(svg, "<svg ", 5);
	assert_string_equal(svg + strlen(svg) - 7, "</svg>\n");
	assert_int_equal(count(svg, "class=\"band\""), 6);
	assert_int_equal(count(svg, "class=\"bar\""), 1);
	assert_int_equal(count(svg, "&lt;&amp;> ü"), 1);
	assert_int_equal(count(svg, "nan"), 0);
	assert_int_equal(count(svg, "60 s</text>"), 1);
	free(svg);
}

/* A hundred regions become bands of providers; the one that something happens to stays by itself. */
static void many_groups_are_folded(void **state)
{
	char *svg;

	run("seed: 1\nduration: 10s\ntopology: {providers: 20, regions: 100, backends: 200, slots: 4096}\n"
	    "events: [{at: 3s, what: dead, where: p03/r012}]\n");
	svg = picture();
	assert_int_equal(count(svg, "class=\"band\""), 14);
	assert_int_equal(count(svg, "<title>p03/r012</title>"), 1);
	assert_int_equal(count(svg, ">others ("), 2); /* band and legend */
	free(svg);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_teardown(f, end)
	const struct CMUnitTest tests[] = {
		TEST(a_brown_out_ebbs_by_2_points_a_second_and_returns_by_half_a_point),
		TEST(a_death_is_left_within_two_seconds),
		TEST(who_survives_is_not_the_next_to_die),
		TEST(thunder_does_not_return),
		TEST(silence_of_all_probes_moves_nothing),
		TEST(what_is_slow_everywhere_moves_nothing),
		TEST(a_uniform_fall_ejects_nobody),
		TEST(a_region_200_ms_slower_ebbs),
		TEST(flapping_is_held),
		TEST(agents_and_operators),
		TEST(handshakes_alone),
		TEST(a_shift_in_stages),
		TEST(the_same_scenario_gives_the_same_bytes),
		TEST(the_csv_adds_up),
		TEST(the_picture_is_whole),
		TEST(many_groups_are_folded),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
