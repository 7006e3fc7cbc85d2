/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mirrors controller/sim/scenario.c: what is read, and what is refused, at which place and with what was allowed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <glob.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/sim/scenario.h"

#define HEAD  "seed: 7\nduration: 2m\ntopology: {providers: 2, regions: 4, backends: 40}\n"
#define EVENT HEAD "events:\n  - {at: 10s, for: 20s, "

static struct scenario *loaded(const char *text)
{
	struct config_errors errors = {{0}};
	struct scenario *s = NULL;
	int r = scenario_load_bytes("t.yaml", text, strlen(text), &errors, &s);

	config_errors_print(&errors, stderr);
	config_errors_free(&errors);
	assert_int_equal(r, 0);
	return s;
}

static void test_a_fleet_by_numbers(void **state)
{
	struct scenario *s = loaded("seed: 0x10\nduration: 1h\nname: A name\nload: 60%\n"
				    "topology: {providers: 3, regions: 12, backends: 100, pools: 2, tiers: 3, slots: 4096}\n"
				    "health: {up: 10s}\nweights: {return_after: 5s}\n");
	const struct config *c = s->config;

	assert_int_equal(s->seed, 16);
	assert_string_equal(s->name, "A name");
	assert_true(s->duration_s == 3600 && s->sample_s == 1 && s->load == 0.6);
	assert_int_equal(c->provider_count, 3);
	assert_int_equal(c->region_count, 12);
	assert_int_equal(c->backend_count, 100);
	assert_int_equal(c->pool_count, 2);
	assert_string_equal(c->regions[0].full_name, "p1/r01");
	assert_string_equal(c->backends[99].name, "b100");
	assert_int_equal(c->pools[1].tier_count, 3);
	assert_int_equal(c->pools[1].tiers[2].region_count, 2);
	assert_string_equal(c->regions[c->pools[1].tiers[2].regions[0]].full_name, "p3/r10");
	assert_int_equal(c->pools[0].slots, 4096);
	assert_int_equal(c->pools[0].health.probe.type, CONFIG_PROBE_HTTP);
	assert_true(c->pools[1].health.up_s == 10 && c->pools[1].weights.return_after_s == 5);
	scenario_free(s);
}

static void test_events_are_resolved_and_ordered(void **state)
{
	struct scenario *s = loaded(
		HEAD "events:\n"
		     "  - {at: 60s, what: flap, where: b01, up: 5s, down: 2s}\n"
		     "  - {at: 10s, for: 20s, what: brown-out, where: \"p1, p2/r3\", part: 25%, errors: 50%, ramp: 5s}\n"
		     "  - {at: 10s, what: shift, pool: pool1, from: p1/r1, to: p2/r4, steps: \"20%,60%@30s\", bake: 5s}\n"
		     "  - {at: 20s, what: says, where: all, says: \"drain 50%\"}\n");

	assert_int_equal(s->event_count, 4);
	assert_int_equal(s->events[0].what, SCENARIO_BROWN_OUT);
	assert_true(s->events[0].until_s == 30 && s->events[0].errors == 0.5 && s->events[0].ramp_s == 5);
	assert_int_equal(s->events[0].backend_count, 8); /* a quarter of thirty, rounded up */
	for (uint32_t i = 0; i < 8; i++)
		assert_true(s->events[0].backends[i] < 30 && (!i || s->events[0].backends[i - 1] < s->events[0].backends[i]));
	assert_int_equal(s->events[1].what, SCENARIO_SHIFT);
	assert_int_equal(s->events[1].plan.step_count, 2);
	assert_string_equal(s->events[1].label, "shift p1/r1 to p2/r4");
	assert_int_equal(s->events[2].says.admin, REPORT_ADMIN_DRAIN);
	assert_int_equal(s->events[2].backend_count, 40);
	assert_true(isinf(s->events[3].until_s) && s->events[3].backends[0] == 0);
	scenario_free(s);
}

static void test_refused(void **state)
{
	static const struct {
		const char *name, *text, *want;
	} rows[] = {
		{"empty", "", "t.yaml:1:1: the file is empty; it needs at least `seed:`\n"},
		{"no seed", "duration: 1s\ntopology: {providers: 1, regions: 1, backends: 1}\n",
		 "t.yaml:1:1: key \"seed\" is missing\n"},
		{"unknown key", HEAD "speed: 3\n",
		 "t.yaml:4:1: unknown key \"speed\"; allowed: name, seed, duration, sample, load, handshakes, config, "
		 "topology, health, weights, events\n"},
		{"seed is a word", "seed: x\nduration: 1s\ntopology: {providers: 1, regions: 1, backends: 1}\n",
		 "t.yaml:1:7: seed: \"x\" is no whole number, such as 7 or 0x5eed\n"},
		{"no fleet", "seed: 1\nduration: 1s\n",
		 "t.yaml:1:1: give one of `config` (a file) and `topology` (numbers)\n"},
		{"two fleets", HEAD "config: a.yaml\n",
		 "t.yaml:1:1: give one of `config` (a file) and `topology` (numbers)\n"},
		{"no such file", "seed: 1\nduration: 1s\nconfig: /nowhere/a.yaml\n",
		 "t.yaml:3:9: config: /nowhere/a.yaml:1:1: No such file or directory\n"},
		{"too few backends", "seed: 1\nduration: 1s\ntopology: {providers: 2, regions: 4, backends: 3}\n",
		 "t.yaml:3:48: topology.backends: 3 backends in 4 regions; at least one each\n"},
		{"too few slots", "seed: 1\nduration: 1s\ntopology: {providers: 1, regions: 1, backends: 9, slots: 3}\n",
		 "t.yaml:3:58: topology.slots: 3 slots of a pool of 9 backends; at least one each\n"},
		{"settings of a topology", HEAD "weights: {slew: {rise: 2000%}}\n",
		 "t.yaml:4:24: weights.slew.rise: \"2000%\" is not a ratio from 0.0001 to 10, such as 0.3 or 30%\n"},
		{"sample below a tick", HEAD "sample: 50ms\n", "t.yaml:4:9: sample: is shorter than a tick (100ms)\n"},
		{"too many numbers", "seed: 1\nduration: 7d\nsample: 100ms\ntopology: {providers: 2, regions: 4, backends: 40}\n",
		 "t.yaml:3:9: sample: 6048000 samples of 4 groups; at most 20000000 numbers, so sample less often\n"},
		{"what is unknown", EVENT "what: fire, where: all}\n",
		 "t.yaml:5:31: events[0].what: \"fire\" is not one of: brown-out, slow, dead, lost, probes-lost, flap, says, state, shift\n"},
		{"where is nowhere", EVENT "what: dead, where: \"p1, p9\"}\n",
		 "t.yaml:5:44: events[0].where: no provider, region or backend \"p9\", nor `all`\n"},
		{"where is missing", EVENT "what: dead}\n",
		 "t.yaml:5:5: events[0]: \"where\" is missing: providers, regions or backends with commas between, or `all`\n"},
		{"a word for another kind", EVENT "what: dead, where: all, errors: 3%}\n",
		 "t.yaml:5:57: events[0].errors: is not for what: dead\n"},
		{"a word is missing", EVENT "what: slow, where: all}\n",
		 "t.yaml:5:5: events[0]: \"by\" is missing; what: slow needs it\n"},
		{"behind the end", HEAD "events: [{at: 2m, what: dead, where: all}]\n",
		 "t.yaml:4:15: events[0].at: is behind the end (`duration` 120s)\n"},
		{"no agent says that", EVENT "what: says, where: all, says: \"???\"}\n",
		 "t.yaml:5:55: events[0].says: an agent's line without a word that is known (75%, up, down, ready, drain, maint, maxconn:N)\n"},
		{"a shift to nowhere", HEAD "events: [{at: 1s, what: shift, pool: pool1, from: p1/r1, to: p3/r3, steps: 20%}]\n",
		 "t.yaml:4:62: events[0].to: pool pool1 has no region \"p3/r3\"\n"},
		{"a shift has no end of its own",
		 EVENT "what: shift, pool: pool1, from: p1/r1, to: p2/r3, steps: 20%}\n",
		 "t.yaml:5:20: events[0].for: is not for what: shift\n"},
	};

	uint32_t bad = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct config_errors errors = {{0}};
		struct scenario *s = NULL;
		char *got = NULL;
		size_t length;
		FILE *to = open_memstream(&got, &length);

		assert_int_not_equal(scenario_load_bytes("t.yaml", rows[i].text, strlen(rows[i].text), &errors, &s), 0);
		config_errors_print(&errors, to);
		fclose(to);
		if (strcmp(got, rows[i].want))
			fprintf(stderr, "%s:\n got  %s want %s", rows[i].name, got, rows[i].want), bad++;
		config_errors_free(&errors);
		free(got);
	}
	assert_int_equal(bad, 0);
}

static void test_a_configuration_stands_beside_it(void **state)
{
	struct scenario *s = NULL;
	struct config_errors errors = {{0}};
	const char *text = "seed: 1\nduration: 10s\nconfig: ebb.yaml\n";

	assert_int_equal(scenario_load_bytes("packaging/x.yaml", text, strlen(text), &errors, &s), 0);
	assert_true(s->config->backend_count > 0);
	assert_string_equal(s->name, "x");
	scenario_free(s);
}

static void test_those_that_ship_are_good(void **state)
{
	glob_t found;

	assert_int_equal(glob("packaging/scenarios/*.yaml", 0, NULL, &found), 0);
	assert_true(found.gl_pathc >= 9);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		struct config_errors errors = {{0}};
		struct scenario *s = NULL;

		if (scenario_load(found.gl_pathv[i], &errors, &s)) {
			config_errors_print(&errors, stderr);
			fail_msg("%s", found.gl_pathv[i]);
		}
		scenario_free(s);
	}
	globfree(&found);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_fleet_by_numbers),
		cmocka_unit_test(test_events_are_resolved_and_ordered),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_a_configuration_stands_beside_it),
		cmocka_unit_test(test_those_that_ship_are_good),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
