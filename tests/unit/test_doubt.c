/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Probes of many backends that get no answer: when it is believed (controller/health.h, health_doubt()), and that no slot
 * moves when it is not. Three regions of two providers, twelve backends, probed once a second and a little apart.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <math.h>

#include "tests/unit/plain.h"
#include "tests/unit/random.h"

#define TICK_S	 0.1
#define BACKENDS 12
#define FEW	 0.2 /* until the silence is seen to be everybody's, chance picks some; there and back */

static struct {
	struct config *config;
	struct model *model;
	struct mono_ns now;
	struct random random;
	uint32_t doubted, trusted; /* events */
} life;

static void on_event(void *ctx, const struct model_event *event)
{
	life.doubted += event->kind == MODEL_EVENT_PROBES_DOUBTED;
	life.trusted += event->kind == MODEL_EVENT_PROBES_TRUSTED;
}

static int begin(void **state)
{
	static const char *const places[] = {"a/r0", "a/r1", "b/r2"};
	struct err err = {{0}};
	struct text t = {0};

	plain_new();
	life.now = (struct mono_ns){1000000000};
	life.random = random_start("doubt");
	life.doubted = life.trusted = 0;
	text_head(&t);
	text_add(&t, "health:\n  probe: {type: tcp, port: 80}\nproviders:\n");
	for (uint32_t i = 0; i < BACKENDS; i++) {
		if (i % 8 == 0)
			text_add(&t, "  - name: %c\n    regions:\n", places[i / 4][0]);
		if (i % 4 == 0)
			text_add(&t, "      - name: r%u\n        backends:\n", i / 4);
		text_add(&t, "          - {name: b%u, address: 10.1.0.%u}\n", i, 1 + i);
	}
	text_add(&t, "pools:\n  - {name: all, slots: 4096, tiers: [[a/r0, a/r1, b/r2]]}\n");
	life.config = text_config(&t);
	if (model_build(life.config, &plain, &plain_sizes, NULL, life.now, &err, &life.model))
		fail_msg("%s", err.text);
	life.model->on_event = on_event;
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

/* So many slots moved while `part` of the probes of each backend that `whose` has got `outcome`. */
static uint32_t live(double seconds, uint32_t whose, double part, enum probe_outcome outcome)
{
	uint32_t moved = 0;

	for (int t = 0; t < seconds / TICK_S; t++) {
		life.now = mono_after(life.now, TICK_S);
		for (uint32_t i = 0; i < BACKENDS; i++)
			if (t % 10 == (int)(i % 10))
				model_probe_result(life.model, i,
						   whose >> i & 1 && random_unit(&life.random) < part ? outcome
												       : PROBE_OK,
						   0.01, life.now);
		moved += model_tick(life.model, life.now);
	}
	return moved;
}

static uint32_t slots_of(uint32_t whose)
{
	uint32_t slots = 0;

	for (uint32_t i = 0; i < BACKENDS; i++)
		slots += whose >> i & 1 ? life.model->backends[i].slots : 0;
	return slots;
}

#define ALL 0xfffu

static void all_silent_ejects_nobody(void **state)
{
	static const enum probe_outcome outcomes[] = {PROBE_TIMEOUT, PROBE_UNREACHABLE};

	live(20, 0, 0, PROBE_OK);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(live(120, ALL, 1, outcomes[i]), 0);
		assert_true(life.model->doubted);
		assert_int_equal(life.doubted, i + 1);
		assert_int_equal(live(60, 0, 0, PROBE_OK), 0);
		assert_int_equal(life.trusted, i + 1);
	}
	for (uint32_t i = 0; i < BACKENDS; i++)
		assert_true(life.model->backends[i].health == 1 && !life.model->backends[i].hard_down);
}

/* An edge too busy to probe well. */
static void a_part_of_all_silent(void **state)
{
	static const double parts[] = {0.3, 0.5, 0.8};

	live(20, 0, 0, PROBE_OK);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		uint32_t moved = live(60, ALL, parts[i], PROBE_TIMEOUT) + live(60, 0, 0, PROBE_OK);

		if (moved > 4096 * FEW)
			fail_msg("%.0f %%: %u slots moved", 100 * parts[i], moved);
		for (uint32_t k = 0; k < BACKENDS; k++)
			assert_false(life.model->backends[k].hard_down);
	}
}

/* What a quarter is spared is believed: a region, two of three, one of each. */
static void silence_of_some_is_believed(void **state)
{
	static const uint32_t whose[] = {0x00f, 0x0ff, 0x111, 0x001};

	for (size_t i = 0; i < sizeof(whose) / sizeof(whose[0]); i++) {
		live(20, 0, 0, PROBE_OK);
		live(60, whose[i], 1, PROBE_TIMEOUT);
		for (uint32_t k = 0; k < BACKENDS; k++)
			assert_true(life.model->backends[k].hard_down == (whose[i] >> k & 1));
		if (whose[i] != 0x0ff) /* two of three regions is panic: weight.h, rule 6 */
			assert_int_equal(slots_of(whose[i]), 0);
		assert_int_equal(life.doubted, 0);
		live(400, 0, 0, PROBE_OK);
	}
}

/* A refusal is an answer: of the backend, not of the path. */
static void refusals_are_believed(void **state)
{
	live(20, 0, 0, PROBE_OK);
	live(30, ALL, 1, PROBE_REFUSED);
	for (uint32_t i = 0; i < BACKENDS; i++)
		assert_true(life.model->backends[i].hard_down);
	assert_int_equal(life.doubted, 0);
}

/* Those that went before do not speak for those that are left. */
static void the_dead_are_not_asked(void **state)
{
	live(20, 0, 0, PROBE_OK);
	live(60, 0x0ff, 1, PROBE_TIMEOUT);
	live(60, 0x1ff, 1, PROBE_TIMEOUT);
	assert_true(life.model->backends[8].hard_down && !life.model->backends[9].hard_down);
	assert_int_equal(life.doubted, 0);
}

static void two_backends_watch_each_other(void **state)
{
	struct health h[2];

	health_init(&h[0], 1, true);
	health_init(&h[1], 2, true);
	h[0].asked = h[1].asked = 5;
	h[0].silent = 5;
	assert_true(health_doubt(h, 1) == 0);
	assert_true(health_doubt(h, 2) == 0);
	h[1].silent = 3;
	assert_true(fabs(health_doubt(h, 2) - 0.6) < 0.011);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(all_silent_ejects_nobody, begin, end),
		cmocka_unit_test_setup_teardown(a_part_of_all_silent, begin, end),
		cmocka_unit_test_setup_teardown(silence_of_some_is_believed, begin, end),
		cmocka_unit_test_setup_teardown(refusals_are_believed, begin, end),
		cmocka_unit_test_setup_teardown(the_dead_are_not_asked, begin, end),
		cmocka_unit_test(two_backends_watch_each_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
