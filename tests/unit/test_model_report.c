/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mirrors controller/model_report.c: what agents say, against operators, probes, silence, reloads and restarts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <jansson.h>

#include "controller/state.h"
#include "tests/unit/plain.h"

#define TICK_S 0.1

static struct {
	struct config *config;
	struct model *model;
	struct mono_ns now;
	int events[MODEL_EVENT__COUNT];
	char last[128]; /* detail of the last report event */
} life;

static void on_event(void *ctx, const struct model_event *event)
{
	life.events[event->kind]++;
	if (event->kind == MODEL_EVENT_BACKEND_REPORT)
		strcpy(life.last, event->detail);
}

static struct config *config(const char *probe, const char *report)
{
	struct text t = {0};

	text_head(&t);
	text_add(&t, "health:\n  probe: {type: %s, port: 80}\n  report: {type: %s, port: 81, interval: 1s}\n",
		 probe, report);
	text_add(&t, "providers:\n  - name: p\n    regions:\n      - name: r\n        backends:\n");
	for (int i = 0; i < 4; i++)
		text_add(&t, "          - {name: b%d, address: 10.1.0.%d}\n", i, i + 1);
	text_add(&t, "pools: [{name: all, slots: 1024, tiers: [[p/r]]}]\n");
	return text_config(&t);
}

static void load(struct config *c)
{
	struct model *model = NULL;
	struct err err = {{0}};

	if (model_build(c, &plain, &plain_sizes, life.model, life.now, &err, &model))
		fail_msg("%s", err.text);
	model_free(life.model);
	config_free(life.config);
	life.config = c;
	life.model = model;
	model->on_event = on_event;
	for (uint32_t i = 0; i < model->backend_count; i++)
		model_nexthop_result(model, i, true, life.now);
}

static void drop(void)
{
	model_free(life.model);
	config_free(life.config);
	life.model = NULL;
	life.config = NULL;
}

static void ticks(double seconds, bool probes)
{
	for (int i = 0; i < seconds / TICK_S; i++) {
		life.now = mono_after(life.now, TICK_S);
		for (uint32_t b = 0; probes && i % 10 == 0 && b < life.model->backend_count; b++)
			model_probe_result(life.model, b, PROBE_OK, 0.001, life.now);
		model_tick(life.model, life.now);
	}
}

static bool hear(const char *line)
{
	struct report report;
	struct err err = {{0}};

	if (report_parse_agent(line, strlen(line), &err, &report))
		fail_msg("%s: %s", line, err.text);
	return model_report(life.model, 0, &report, life.now);
}

static void hear_json(const char *text)
{
	struct report report;
	struct err err = {{0}};

	if (report_parse_json(text, strlen(text), &err, &report))
		fail_msg("%s: %s", text, err.text);
	model_report(life.model, 0, &report, life.now);
}

static const struct model_backend *b0(void)
{
	return &life.model->backends[0];
}

static int begin(void **state)
{
	plain_new();
	memset(&life, 0, sizeof(life));
	life.now = (struct mono_ns){1000000000};
	load(config("tcp", "agent"));
	ticks(2, true);
	return 0;
}

static int end(void **state)
{
	drop();
	plain_free();
	return 0;
}

/* The agent's and the operator's wish: the stricter one is in force. */
static void test_states(void **state)
{
	static const struct {
		const char *line;
		enum backend_state operator, want;
		bool other;
	} rows[] = {
		{"up ready 100%", BACKEND_STATE_READY, BACKEND_STATE_READY, false},
		{"drain", BACKEND_STATE_READY, BACKEND_STATE_DRAIN, true},
		{"50%", BACKEND_STATE_READY, BACKEND_STATE_DRAIN, false}, /* not said: as before */
		{"50%", BACKEND_STATE_MAINT, BACKEND_STATE_MAINT, false},
		{"maint", BACKEND_STATE_DRAIN, BACKEND_STATE_MAINT, true},
		{"ready", BACKEND_STATE_DRAIN, BACKEND_STATE_DRAIN, true}, /* the operator's stays */
		{"ready 100%", BACKEND_STATE_READY, BACKEND_STATE_READY, false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		model_backend_set_state(life.model, 0, rows[i].operator, life.now);
		assert_int_equal(hear(rows[i].line), rows[i].other);
		assert_int_equal(b0()->state, rows[i].want);
	}
	ticks(1, true);
	assert_int_equal(life.model->pools[0].members[0].slots, 256);
	hear("drain # memory test");
	ticks(0.1, true);
	assert_int_equal(life.model->pools[0].members[0].slots, 0);
	assert_string_equal(life.last, "state=drain status=up reason: memory test");
}

static void test_weight_is_smoothed(void **state)
{
	double last;

	hear("50%");
	ticks(0.1, true);
	assert_true(b0()->health > 0.95);
	last = b0()->health;
	for (int i = 0; i < 20; i++) {
		ticks(1, true);
		assert_true(b0()->health <= last);
		last = b0()->health;
	}
	assert_true(last > 0.499 && last < 0.505);
	hear("100%");
	ticks(200, true);
	assert_true(b0()->health == 1);
}

static void test_down_and_up(void **state)
{
	assert_true(hear("down # disk"));
	ticks(0.1, false);
	assert_true(b0()->health == 0 && b0()->hard_down);
	ticks(10, true); /* good probes do not speak against it */
	assert_true(b0()->health == 0);
	hear("75%"); /* nothing said about up or down */
	ticks(5, true);
	assert_true(b0()->health == 0);
	assert_true(hear("up"));
	ticks(0.5, true);
	assert_true(b0()->health == 0); /* one good probe is not enough */
	ticks(5, true);
	assert_true(b0()->health >= 0.1 && b0()->health < 0.5);
}

static void test_up_without_probes(void **state)
{
	load(config("none", "agent"));
	ticks(1, false);
	hear("stopped");
	ticks(1, false);
	assert_true(b0()->health == 0);
	hear("up");
	ticks(3, false);
	assert_true(b0()->health >= 0.1 && b0()->health < 0.3);
}

static void test_silence(void **state)
{
	struct err why;

	err_set(&why, EIO, "no report: timed out");
	model_no_report(life.model, 0, &why, life.now);
	assert_int_equal(life.events[MODEL_EVENT_BACKEND_REPORT], 0); /* it never spoke */
	hear_json("{\"load\": 1, \"sandboxes\": 7, \"capacity\": 9, \"warm\": 2, \"state\": \"drain\"}");
	assert_int_equal(life.events[MODEL_EVENT_BACKEND_REPORT], 1);
	model_no_report(life.model, 0, &why, life.now);
	model_no_report(life.model, 0, &why, life.now);
	assert_int_equal(life.events[MODEL_EVENT_BACKEND_REPORT], 2);
	assert_string_equal(life.last, "no report: timed out");
	assert_true(life.model->healths[0].load_term < 0.2);
	assert_true(b0()->told.has_load && b0()->told.has_warm);
	ticks(10.1, true);
	model_no_report(life.model, 0, &why, life.now);
	assert_false(b0()->told.has_load || b0()->told.has_warm || b0()->told.has_sandboxes);
	assert_true(b0()->told.has_capacity && life.model->healths[0].load_term == 1);
	assert_int_equal(b0()->state, BACKEND_STATE_DRAIN); /* a wish does not age */
	hear_json("{\"load\": 0.1}");
	assert_int_equal(life.events[MODEL_EVENT_BACKEND_REPORT], 3);
	assert_string_equal(life.last, "state=drain status=unsaid");
}

static void test_reload(void **state)
{
	hear("drain down 50%");
	load(config("tcp", "json"));
	ticks(5, true);
	assert_int_equal(b0()->state, BACKEND_STATE_DRAIN);
	assert_true(b0()->health == 0 && life.model->healths[0].load_term == 0.5);
	load(config("none", "json")); /* who is not probed is still down by its own word */
	ticks(1, false);
	assert_true(b0()->health == 0);
	load(config("tcp", "none"));
	assert_int_equal(b0()->state, BACKEND_STATE_READY);
	assert_true(life.model->healths[0].load_term == 1);
	ticks(6, true);
	assert_true(b0()->health >= 0.1);
}

static void test_restart(void **state)
{
	json_t *saved = json_object();

	hear("maint down");
	model_backend_set_state(life.model, 0, BACKEND_STATE_DRAIN, life.now);
	assert_int_equal(state_put_model(saved, life.model), 0);
	drop();
	load(config("tcp", "agent"));
	state_take_model(saved, life.model, life.now);
	ticks(5, true);
	assert_int_equal(b0()->state, BACKEND_STATE_MAINT);
	assert_int_equal(b0()->admin_state, BACKEND_STATE_DRAIN);
	assert_true(b0()->health == 0);
	drop();
	load(config("tcp", "none")); /* nobody could take it back */
	state_take_model(saved, life.model, life.now);
	assert_int_equal(b0()->state, BACKEND_STATE_DRAIN);
	assert_false(life.model->healths[0].told_down);
	json_decref(saved);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_states, begin, end),
		cmocka_unit_test_setup_teardown(test_weight_is_smoothed, begin, end),
		cmocka_unit_test_setup_teardown(test_down_and_up, begin, end),
		cmocka_unit_test_setup_teardown(test_up_without_probes, begin, end),
		cmocka_unit_test_setup_teardown(test_silence, begin, end),
		cmocka_unit_test_setup_teardown(test_reload, begin, end),
		cmocka_unit_test_setup_teardown(test_restart, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
