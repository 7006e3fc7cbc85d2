/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mirrors controller/signals.c over plain memory: handshakes drawn at random, what is judged of them, and which weights
 * move. The numbers of the rules are those of signals.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <math.h>

#include "controller/signals.h"
#include "tests/unit/plain.h"
#include "tests/unit/random.h"

#define TICK_S 0.1
#define MOST   16

static struct {
	struct config *config;
	struct model *model;
	struct signals *signals;
	struct mono_ns now;
	struct random random;
} life;

static void load(uint32_t backends, const char *probe)
{
	struct err err = {{0}};
	struct text t = {0};

	text_head(&t);
	text_add(&t, "health:\n  probe: {type: %s, port: 80}\nproviders:\n  - name: p\n    regions:\n"
		     "      - name: r\n        backends:\n", probe);
	for (uint32_t i = 0; i < backends; i++)
		text_add(&t, "          - {name: b%u, address: 10.1.0.%u}\n", i, 1 + i);
	text_add(&t, "pools:\n  - {name: all, slots: 4096, tiers: [[p/r]]}\nservices:\n"
		     "  - {name: web, address: 192.0.2.1, port: 80, protocol: tcp, pool: all, encap: gue}\n");
	life.config = text_config(&t);
	if (model_build(life.config, &plain, &plain_sizes, NULL, life.now, &err, &life.model))
		fail_msg("%s", err.text);
	for (uint32_t i = 0; i < backends; i++)
		model_nexthop_result(life.model, i, true, life.now);
	assert_int_equal(signals_new(PLAIN_BACKENDS, &life.signals), 0);
}

static int begin(void **state)
{
	plain_new();
	life.now = (struct mono_ns){5000000000000};
	life.random = random_start("signals");
	return 0;
}

static int end(void **state)
{
	signals_free(life.signals);
	model_free(life.model);
	config_free(life.config);
	plain_free();
	return 0;
}

static uint32_t tick(void)
{
	life.now = mono_after(life.now, TICK_S);
	signals_tick(life.signals, &plain, life.model, life.now, TICK_S);
	return model_tick(life.model, life.now);
}

/* About `mean` of them, as chance has it. */
static uint32_t some(double mean)
{
	uint32_t n = 0;

	for (double p = random_unit(&life.random); p > exp(-mean) && n < 10000; n++)
		p *= random_unit(&life.random);
	return n;
}

/* SYNs that a second brings to each backend: of clients, who complete as often as `completes` says, and forged ones. */
struct traffic {
	double clients, forged;
	double completes[MOST];
};

static uint32_t live(const struct traffic *traffic, double seconds)
{
	uint32_t moved = 0;

	for (int t = 0; t < seconds / TICK_S; t++) {
		for (uint32_t i = 0; i < life.model->backend_count; i++) {
			struct backend_signals *s = &plain.signals[life.model->backends[i].id];

			for (uint32_t n = some(traffic->clients * TICK_S); n; n--) {
				s->begun++;
				s->completed += random_unit(&life.random) < traffic->completes[i];
			}
			s->begun += some(traffic->forged * TICK_S);
		}
		moved += tick();
	}
	return moved;
}

static struct traffic all_at(double clients, double forged, double completes)
{
	struct traffic t = {.clients = clients, .forged = forged};

	for (int i = 0; i < MOST; i++)
		t.completes[i] = completes;
	return t;
}

/* Rules 4 and 5. */
static void judged(void **state)
{
	static const struct {
		double completed, total, pool, least, most;
	} rows[] = {
		{10, 10, 1, 1, 1},     {0, 10, 1, 0.2, 0.22},      {5, 10, 1, 0.7, 0.72},
		{0, 0, 1, 1, 1},       {0, 200, 0.97, 0, 0.06},   {270, 1000, 0.3, 1, 1},
		{0, 1000, 0.3, 0, 0.2}, {190, 200, 0.98, 0.99, 1}, {10, 10, 0.5, 1, 1},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		double got = signals_judge(rows[i].completed, rows[i].total, rows[i].pool);

		if (got < rows[i].least || got > rows[i].most)
			fail_msg("row %zu: %f", i, got);
	}
}

/* Rule 1. */
static void under_way_is_no_failure(void **state)
{
	struct backend_signals *s;

	load(2, "none");
	s = &plain.signals[life.model->backends[0].id];
	tick();
	tick();
	s->begun = 10;
	for (uint32_t i = 0; i < 10; i++)
		plain.handshakes[i * 100] =
			(struct handshake){.began = (uint32_t)((uint64_t)life.now.v >> 10),
					   .backend = life.model->backends[0].id};
	for (int i = 0; i < 9; i++)
		tick();
	assert_int_equal(life.model->backends[0].signals.failed, 0);
	tick();
	tick();
	assert_int_equal(life.model->backends[0].signals.failed, 10);
	assert_true(life.model->backends[0].signals.ratio < 0.01);
}

/* What suspect.h is told: how long nothing completed, how many take longer than nine of ten did, what went amiss. */
static void what_is_amiss_now(void **state)
{
	const struct model_signals *seen;
	struct backend_signals *s;
	uint16_t id;

	load(2, "none");
	id = life.model->backends[0].id;
	s = &plain.signals[id];
	seen = &life.model->backends[0].signals;
	tick();
	assert_true(seen->quiet_s == INFINITY && !seen->overdue && !seen->amiss);
	assert_true(seen->patience_s > 0.0299 && seen->patience_s < 0.0301);
	s->begun = s->completed = 100;
	s->took[5] = 80;
	s->took[18] = 20; /* 131 to 262 ms: one of five takes that long */
	tick();
	assert_true(seen->quiet_s == 0);
	for (int i = 0; i < 64; i++)
		tick();
	assert_true(seen->quiet_s > 6.39 && seen->quiet_s < 6.41);
	assert_true(seen->patience_s > 0.262 && seen->patience_s < 0.263);
	s->begun += 3;
	for (uint32_t i = 0; i < 3; i++)
		plain.handshakes[i * 100] =
			(struct handshake){.began = (uint32_t)((uint64_t)life.now.v >> 10), .backend = id};
	tick();
	tick();
	assert_int_equal(seen->overdue, 0); /* 200 ms old */
	tick();
	assert_int_equal(seen->overdue, 3);
	plain.handshakes[100] = (struct handshake){0};
	s->reset++;
	tick();
	assert_int_equal(seen->overdue, 2);
	assert_int_equal(seen->amiss, 1);
	for (int i = 0; i < 6; i++)
		tick();
	assert_int_equal(seen->overdue, 0);
	assert_int_equal(seen->amiss, 2); /* now they failed */
	tick();
	assert_int_equal(seen->amiss, 0);
}

/* The clock of handshakes turns over every 73 minutes. */
static void the_clock_turns_over(void **state)
{
	struct backend_signals *s;

	load(2, "none");
	s = &plain.signals[life.model->backends[0].id];
	life.now.v = ((1LL << 32) << 10) * 3 + 100;
	tick();
	tick();
	s->begun = 1;
	plain.handshakes[7] = (struct handshake){.began = 0xffffffff, .backend = life.model->backends[0].id};
	tick();
	assert_int_equal(life.model->backends[0].signals.failed, 0);
	for (int i = 0; i < 10; i++)
		tick();
	assert_int_equal(life.model->backends[0].signals.failed, 1);
}

static void what_was_there_before_is_no_evidence(void **state)
{
	load(2, "none");
	plain.signals[life.model->backends[0].id].begun = 1000000;
	tick();
	tick();
	assert_true(life.model->backends[0].signals.recent == 0);
	assert_true(life.model->backends[0].health == 1);
}

static void one_that_completes_none_loses_its_share(void **state)
{
	struct traffic traffic = all_at(20, 0, 1);
	const struct model_backend *b;

	load(6, "none");
	assert_int_equal(live(&traffic, 1) > 0, true); /* the first table */
	assert_int_equal(live(&traffic, 20), 0);
	traffic.completes[3] = 0;
	live(&traffic, 20);
	b = &life.model->backends[3];
	assert_true(b->health <= 0.03 && b->slots < 40 && !b->hard_down);
	traffic.completes[3] = 1;
	live(&traffic, 300);
	assert_true(b->health == 1 && b->slots > 4096 / 6 - 2);
}

/* A pool of two, and a pool half of which fails: the better half is the measure. */
static void the_better_half_is_the_measure(void **state)
{
	struct traffic traffic = all_at(20, 0, 0);

	load(2, "none");
	traffic.completes[0] = 1;
	live(&traffic, 20);
	assert_true(life.model->backends[0].health == 1);
	assert_true(life.model->backends[1].health <= 0.03);
}

static void a_flood_moves_no_slot(void **state)
{
	static const double floods[] = {1, 5, 20, 100, 1000};

	load(6, "none");
	struct traffic calm = all_at(20, 0, 0.98);

	live(&calm, 10);
	for (size_t i = 0; i < sizeof(floods) / sizeof(floods[0]); i++) {
		struct traffic flood = all_at(20, floods[i], 0.98);

		assert_int_equal(live(&flood, 20), 0);
		assert_int_equal(live(&calm, 10), 0);
	}
	for (int i = 0; i < 6; i++)
		assert_true(life.model->backends[i].health > 0.999);
}

static void one_that_dies_in_a_flood_is_still_seen(void **state)
{
	struct traffic flood = all_at(20, 40, 0.98);

	load(6, "none");
	live(&flood, 10);
	flood.completes[2] = 0;
	live(&flood, 30);
	for (int i = 0; i < 6; i++)
		assert_true(i == 2 ? life.model->backends[i].health < 0.2
				   : life.model->backends[i].health > 0.999);
}

/* Rule 5: a fall of all is nobody's. */
static void all_at_once_ejects_nobody(void **state)
{
	struct traffic traffic = all_at(20, 0, 1);

	load(6, "none");
	live(&traffic, 10);
	traffic = all_at(20, 0, 0);
	assert_int_equal(live(&traffic, 60), 0);
}

/* A kernel completes what a server then refuses: good handshakes do not outvote bad probes. */
static void handshakes_do_not_outvote_probes(void **state)
{
	struct traffic traffic = all_at(100, 0, 1);

	load(4, "tcp");
	for (int t = 0; t < 60; t++) {
		for (uint32_t i = 0; i < 4; i++)
			model_probe_result(life.model, i, i ? PROBE_OK : PROBE_BAD_STATUS, 0.01, life.now);
		live(&traffic, 1);
	}
	assert_true(life.model->backends[0].health < 0.1);
	assert_true(life.model->backends[1].health == 1);
}

static void a_probed_one_falls_by_handshakes_too(void **state)
{
	struct traffic traffic = all_at(20, 0, 1);

	load(4, "tcp");
	traffic.completes[0] = 0;
	for (int t = 0; t < 60; t++) {
		for (uint32_t i = 0; i < 4; i++)
			model_probe_result(life.model, i, PROBE_OK, 0.01, life.now);
		live(&traffic, 1);
	}
	assert_true(life.model->backends[0].health < 0.1 && !life.model->backends[0].hard_down);
	traffic.clients = 0; /* it gets no traffic any more: its probes bring it back */
	for (int t = 0; t < 300; t++) {
		model_probe_result(life.model, 0, PROBE_OK, 0.01, life.now);
		live(&traffic, 1);
	}
	assert_true(life.model->backends[0].health == 1);
}

/* Half of them in [1.024 ms, 2.048 ms), half four times as long: sqrt(1.448 * 5.793) ms. */
static void how_long_they_take(void **state)
{
	const struct model_signals *shown;
	struct backend_signals *s;

	load(2, "none");
	shown = &life.model->backends[0].signals;
	s = &plain.signals[life.model->backends[0].id];
	s->took[3] = 1000; /* before the daemon */
	s->begun = s->completed = 1000;
	tick();
	assert_true(shown->timed == 0 && shown->took_s == 0);
	s->begun += 20;
	s->completed += 20;
	s->took[11] += 10;
	s->took[13] += 10;
	tick();
	assert_true(shown->timed == 20 && fabs(shown->took_s - 2.896e-3) < 1e-6);
	for (int i = 0; i < 50; i++)
		tick();
	assert_true(shown->timed < 2 && fabs(shown->took_s - 2.896e-3) < 1e-6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(judged),
		cmocka_unit_test_setup_teardown(under_way_is_no_failure, begin, end),
		cmocka_unit_test_setup_teardown(what_is_amiss_now, begin, end),
		cmocka_unit_test_setup_teardown(the_clock_turns_over, begin, end),
		cmocka_unit_test_setup_teardown(how_long_they_take, begin, end),
		cmocka_unit_test_setup_teardown(what_was_there_before_is_no_evidence, begin, end),
		cmocka_unit_test_setup_teardown(one_that_completes_none_loses_its_share, begin, end),
		cmocka_unit_test_setup_teardown(the_better_half_is_the_measure, begin, end),
		cmocka_unit_test_setup_teardown(a_flood_moves_no_slot, begin, end),
		cmocka_unit_test_setup_teardown(one_that_dies_in_a_flood_is_still_seen, begin, end),
		cmocka_unit_test_setup_teardown(all_at_once_ejects_nobody, begin, end),
		cmocka_unit_test_setup_teardown(handshakes_do_not_outvote_probes, begin, end),
		cmocka_unit_test_setup_teardown(a_probed_one_falls_by_handshakes_too, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
