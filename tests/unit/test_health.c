/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mirrors controller/health.c. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "controller/health.h"
#include "tests/unit/random.h"

#define TICK_S 0.1

static struct health_params params;

static void assert_near(double is, double want, double within)
{
	if (!(fabs(is - want) <= within))
		fail_msg("%.9f, not %.9f", is, want);
}

/* --- the smoothing stage --- */

static void plain_rule(void **state)
{
	static const double signals[] = {0.8, 0.5, 0.2, 0, 0, 0};
	static const double want[] = {0.94, 0.808, 0.6256, 0.43792, 0.306544, 0.2145808};
	double tau = health_tau(0.3, 1), h = 1.0;

	assert_near(tau, 2.80, 0.005);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		h = health_smooth(h, signals[i], 1, tau);
		assert_near(h, want[i], 1e-12);
	}
}

/* Ten ticks of 100 ms are one of a second. */
static void smoothing_does_not_depend_on_the_tick(void **state)
{
	double one = health_smooth(0.9, 0.2, 1, 2.8), ten = 0.9;

	for (int i = 0; i < 10; i++)
		ten = health_smooth(ten, 0.2, 0.1, 2.8);
	assert_near(ten, one, 1e-12);
	assert_true(health_smooth(0.9, 0.2, 1, 0) == 0.2);
}

/* --- the whole estimator --- */

/* `seconds` with one probe a second, of which `good` in `of` succeed. */
static void live(struct health *h, int seconds, int good, int of)
{
	for (int tick = 0; tick < seconds * 10; tick++) {
		if (tick % 10 == 0)
			health_probe(h, &params,
				     tick / 10 % of < good ? PROBE_OK : PROBE_BAD_STATUS);
		health_tick(h, &params, 1, TICK_S);
	}
}

static void one_tick_by_hand(void **state)
{
	struct health h;
	double s = exp(-0.1 / 5), r, u;

	health_init(&h, 1, false);
	health_probe(&h, &params, PROBE_BAD_STATUS);
	health_tick(&h, &params, 1, 0.1);
	r = (0 * s + 5 * 0.95) / (1 * s + 5);
	u = (r - 0.5) / 0.45;
	assert_near(h.ratio, r, 1e-12);
	assert_near(h.target, u, 1e-12);
	assert_near(h.value, 1 + (1 - exp(-0.1 / 2.8)) * (u - 1), 1e-12);
}

static void steady_states(void **state)
{
	static const struct {
		const char *name;
		int good, of;
		double at_least, at_most;
	} rows[] = {
		{"all good", 1, 1, 1, 1},
		{"99 of 100: good enough", 99, 100, 0.9, 1},
		{"three of four: between", 3, 4, 0.3, 0.8},
		{"half of the requests fail", 1, 2, 0, 0.12},
		{"nine of ten fail", 1, 10, 0, 0},
		{"all bad", 0, 1, 0, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct health h;

		health_init(&h, 1, true);
		live(&h, 10, 1, 1);
		live(&h, 300, rows[i].good, rows[i].of);
		if (h.value < rows[i].at_least || h.value > rows[i].at_most)
			fail_msg("%s: %.3f", rows[i].name, h.value);
		live(&h, 300, 1, 1);
		if (h.value != 1)
			fail_msg("%s: heals only to %.3f", rows[i].name, h.value);
	}
}

static void fall_and_return_do_not_overshoot(void **state)
{
	struct health h;
	double last = 1;

	health_init(&h, 1, true);
	live(&h, 10, 1, 1);
	for (int s = 0; s < 60; s++, last = h.value) {
		live(&h, 1, 0, 1);
		assert_true(h.value <= last);
	}
	assert_true(h.value == 0);
	for (int s = 0; s < 300; s++, last = h.value) {
		live(&h, 1, 1, 1);
		assert_true(h.value >= last && h.value <= 1);
	}
	assert_true(h.value == 1);
}

/* A pause of all probes changes nothing, wherever h is. */
static void no_evidence_is_no_change(void **state)
{
	for (double value = 0; value <= 1; value += 0.125) {
		struct health h;

		health_init(&h, 1, true);
		h.phase = HEALTH_KNOWN;
		h.value = value;
		for (int tick = 0; tick < 6000; tick++)
			health_tick(&h, &params, 0.3, TICK_S);
		assert_near(h.value, value, 1e-9);
	}
}

static void terms_scale_the_target(void **state)
{
	struct health h;

	health_init(&h, 1, true);
	live(&h, 10, 1, 1);
	h.load_term = 0.75;
	live(&h, 60, 1, 1);
	assert_near(h.value, 0.75, 0.01);
	h.latency_term = 0.5;
	live(&h, 60, 1, 1);
	assert_near(h.value, 0.375, 0.01);
	h.latency_term = h.load_term = 1;
	live(&h, 300, 1, 1);
	assert_true(h.value == 1);
}

/* --- hard down --- */

static void sequences(void **state)
{
	enum {
		O = PROBE_OK,
		R = PROBE_REFUSED,
		X = PROBE_RESET,
		U = PROBE_UNREACHABLE,
		T = PROBE_TIMEOUT,
		B = PROBE_BAD_STATUS,
		END = PROBE_OUTCOME__COUNT
	};
	static const struct {
		const char *name;
		int given[12];
		enum health_phase want;
	} rows[] = {
		{"nothing", {END}, HEALTH_UNKNOWN},
		{"first good", {O, END}, HEALTH_KNOWN},
		{"first bad status: known, and bad", {B, END}, HEALTH_KNOWN},
		{"one refusal of a new one", {R, END}, HEALTH_UNKNOWN},
		{"two refusals", {O, R, R, END}, HEALTH_KNOWN},
		{"three refusals", {O, R, R, R, END}, HEALTH_DOWN},
		{"refused, reset, unreachable", {O, R, X, U, END}, HEALTH_DOWN},
		{"a new one, refused", {R, R, R, END}, HEALTH_DOWN},
		{"not in a row", {O, R, R, O, R, R, END}, HEALTH_KNOWN},
		{"an answer in between", {O, R, R, B, R, R, END}, HEALTH_KNOWN},
		{"four timeouts", {O, T, T, T, T, END}, HEALTH_KNOWN},
		{"five timeouts", {O, T, T, T, T, T, END}, HEALTH_DOWN},
		{"two refusals and a timeout", {O, R, R, T, END}, HEALTH_KNOWN},
		{"two refusals and two timeouts", {O, R, T, R, T, END}, HEALTH_DOWN},
		{"bad statuses only", {O, B, B, B, B, B, B, B, B, B, B, END}, HEALTH_KNOWN},
		{"down, one good", {R, R, R, O, END}, HEALTH_DOWN},
		{"down, two good", {R, R, R, O, O, END}, HEALTH_RETURN},
		{"down, good, bad, good", {R, R, R, O, B, O, END}, HEALTH_DOWN},
		{"returning, refused once", {R, R, R, O, O, R, END}, HEALTH_DOWN},
		{"returning, bad status", {R, R, R, O, O, B, END}, HEALTH_DOWN},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct health h;

		health_init(&h, 1, true);
		for (int k = 0; rows[i].given[k] != END; k++)
			health_probe(&h, &params, (enum probe_outcome)rows[i].given[k]);
		if (h.phase != rows[i].want)
			fail_msg("%s: %s", rows[i].name, health_phase_name(h.phase));
		if (h.phase == HEALTH_DOWN)
			assert_true(health_value(&h) == 0);
	}
}

/* Where clients do not get through either, silence is as good as a refusal. */
static void silence_of_a_suspected_one(void **state)
{
	static const struct {
		const char *name;
		int timeouts_before, timeouts_suspected;
		enum health_phase want;
	} rows[] = {
		{"two timeouts", 0, 2, HEALTH_KNOWN},
		{"three timeouts", 0, 3, HEALTH_DOWN},
		{"two before, and one", 2, 1, HEALTH_KNOWN}, /* 2/5 + 1/3 */
		{"two before, and two", 2, 2, HEALTH_DOWN},  /* 2/5 + 2/3 */
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct health h;

		health_init(&h, 1, true);
		health_probe(&h, &params, PROBE_OK);
		for (int k = 0; k < rows[i].timeouts_before; k++)
			health_probe(&h, &params, PROBE_TIMEOUT);
		h.suspected = true;
		for (int k = 0; k < rows[i].timeouts_suspected; k++)
			health_probe(&h, &params, PROBE_TIMEOUT);
		if (h.phase != rows[i].want)
			fail_msg("%s: %s", rows[i].name, health_phase_name(h.phase));
	}
}

static void suspicion_asks_for_another_probe(void **state)
{
	struct health h;

	health_init(&h, 1, true);
	assert_false(health_suspicious(&h));
	health_probe(&h, &params, PROBE_REFUSED);
	assert_true(health_suspicious(&h));
	health_probe(&h, &params, PROBE_OK);
	assert_false(health_suspicious(&h));
	for (int i = 0; i < 3; i++)
		health_probe(&h, &params, PROBE_REFUSED);
	assert_false(health_suspicious(&h));
}

static void kill_it(struct health *h)
{
	for (int i = 0; i < 3; i++)
		health_probe(h, &params, PROBE_REFUSED);
}

/* Seconds until it takes traffic again, with good probes each second. */
static double seconds_to_return(struct health *h)
{
	for (int tick = 0; tick < 1000; tick++) {
		if (tick % 10 == 0)
			health_probe(h, &params, PROBE_OK);
		health_tick(h, &params, 1, TICK_S);
		if (h->value > 0)
			return tick * TICK_S;
	}
	return INFINITY;
}

static void returns_begin_at_the_floor_and_apart(void **state)
{
	double first = INFINITY, last = 0, sum = 0;

	for (uint64_t i = 0; i < 100; i++) {
		struct health h;
		double took;

		health_init(&h, hash_mix(i + 1), true);
		live(&h, 5, 1, 1);
		kill_it(&h);
		took = seconds_to_return(&h);
		assert_near(h.value, params.return_floor, 1e-9);
		first = fmin(first, took);
		last = fmax(last, took);
		sum += took;
		live(&h, 10, 1, 1);
		assert_true(h.value > 0.15 && h.value < 0.5);
	}
	assert_true(first >= 1 && first < 1.3 && last > 2.7 && last < 3.2);
	assert_near(sum / 100, 2, 0.3);
}

static void flapping_is_held(void **state)
{
	struct health h;
	double held_s = 0;

	health_init(&h, 1, true);
	live(&h, 10, 1, 1);
	for (int flap = 0; flap < 3; flap++) {
		assert_false(h.held);
		kill_it(&h);
		if (flap < 2)
			assert_true(seconds_to_return(&h) < 5);
	}
	assert_true(h.held);
	while (h.held) {
		live(&h, 1, 1, 1);
		assert_true(!h.held || h.value <= params.return_floor + 1e-9);
		held_s += 1;
	}
	/* from some 2,800 to 750 by halves of 30 s */
	assert_near(held_s, 57, 4);
	live(&h, 200, 1, 1);
	assert_true(h.value == 1);
}

static void one_death_is_no_flapping(void **state)
{
	struct health h;

	health_init(&h, 1, true);
	live(&h, 10, 1, 1);
	kill_it(&h);
	health_down(&h, &params); /* the lease, too: still one death */
	assert_false(h.held);
	assert_near(h.penalty, 1000, 1e-9);
}

/* --- unknown --- */

static void unknown_takes_the_median(void **state)
{
	struct health h[6];
	const struct health *all[6];
	double scratch[6], values[] = {0.2, 0.9, 0.4, 1, 0.6};

	for (int i = 0; i < 6; i++) {
		health_init(&h[i], 1, i == 5);
		all[i] = &h[i];
		if (i < 5)
			h[i].value = values[i];
	}
	assert_near(health_median(all, 6, 0.123, scratch), 0.6, 0);
	assert_near(health_median(all, 4, 0.123, scratch), 0.65, 1e-12);
	assert_near(health_median(all + 5, 1, 0.123, scratch), 0.123, 0);
	assert_near(health_median(all, 0, 0.123, scratch), 0.123, 0);

	health_tick(&h[5], &params, 0.6, TICK_S);
	assert_near(health_value(&h[5]), 0.6, 0);
	health_probe(&h[5], &params, PROBE_OK);
	health_tick(&h[5], &params, 0.1, TICK_S);
	assert_near(health_value(&h[5]), 0.6, 0.01); /* from there by its own evidence */
	live(&h[5], 200, 1, 1);
	assert_true(h[5].value == 1);
}

static void overrides_win(void **state)
{
	struct health h;

	health_init(&h, 1, true);
	kill_it(&h);
	h.override = HEALTH_FORCE_UP;
	assert_true(health_value(&h) == 1);
	h.override = HEALTH_AUTO;
	assert_true(health_value(&h) == 0);
	health_init(&h, 1, false);
	h.override = HEALTH_FORCE_DOWN;
	assert_true(health_value(&h) == 0);
}

/* --- in-band signals alone --- */

static void inband(struct health *h, int seconds, double ok, double total, double pool_ratio)
{
	for (int tick = 0; tick < seconds * 10; tick++) {
		health_inband(h, &params, ok * TICK_S, total * TICK_S, pool_ratio, TICK_S);
		health_tick(h, &params, 1, TICK_S);
	}
}

static void inband_rows(void **state)
{
	static const struct {
		const char *name;
		double ok, total, pool_ratio;
		double at_least, at_most;
	} rows[] = {
		{"all complete", 100, 100, 1, 1, 1},
		{"this one completes none", 0, 100, 0.9, 0.02, 0.02},
		{"this one completes half", 50, 100, 0.98, 0, 0.15},
		{"a flood: 2 % complete everywhere", 20, 1000, 0.02, 1, 1},
		{"a flood: 30 % complete everywhere", 300, 1000, 0.3, 1, 1},
		{"a flood, and this one completes none", 0, 1000, 0.3, 0.02, 0.02},
		{"no traffic", 0, 0, 1, 1, 1},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct health h;

		health_init(&h, 1, false);
		inband(&h, 60, rows[i].ok, rows[i].total, rows[i].pool_ratio);
		if (h.value < rows[i].at_least || h.value > rows[i].at_most)
			fail_msg("%s: %.3f", rows[i].name, h.value);
		assert_int_not_equal(h.phase, HEALTH_DOWN); /* never by this alone */
	}
}

/* It keeps a trickle to show that it healed; a probed one needs none. */
static void inband_alone_can_heal(void **state)
{
	struct health h;

	health_init(&h, 1, false);
	inband(&h, 60, 0, 100, 0.9);
	assert_near(h.value, params.trial_floor, 0);
	inband(&h, 300, 1, 1, 0.99);
	assert_true(h.value == 1);
}

/* --- anything goes --- */

static void any_history_stays_in_range(void **state)
{
	struct random r = random_start("any history");

	for (int round = 0; round < 200; round++) {
		struct health h, same;

		health_init(&h, random_bits(&r), random_below(&r, 2));
		for (int step = 0; step < 500; step++) {
			enum probe_outcome outcome = random_below(&r, PROBE_OUTCOME__COUNT);
			double dt = random_below(&r, 10) ? 0.1 : 100 * random_unit(&r);
			double ok = random_unit(&r);

			if (random_below(&r, 3))
				health_probe(&h, &params, outcome);
			if (random_below(&r, 50) == 0)
				health_inband(&h, &params, ok * 1e9, 1e9, random_unit(&r), dt);
			if (random_below(&r, 200) == 0)
				h.load_term = random_unit(&r);
			same = h;
			health_tick(&h, &params, ok, dt);
			health_tick(&same, &params, ok, dt);
			assert_memory_equal(&h, &same, sizeof(h));
			assert_true(h.value >= 0 && h.value <= 1);
			assert_true(h.total >= h.ok - 1e-9 && h.ok >= 0 && isfinite(h.total));
			assert_true(isfinite(h.penalty));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_rule),
		cmocka_unit_test(smoothing_does_not_depend_on_the_tick),
		cmocka_unit_test(one_tick_by_hand),
		cmocka_unit_test(steady_states),
		cmocka_unit_test(fall_and_return_do_not_overshoot),
		cmocka_unit_test(no_evidence_is_no_change),
		cmocka_unit_test(terms_scale_the_target),
		cmocka_unit_test(sequences),
		cmocka_unit_test(suspicion_asks_for_another_probe),
		cmocka_unit_test(silence_of_a_suspected_one),
		cmocka_unit_test(returns_begin_at_the_floor_and_apart),
		cmocka_unit_test(flapping_is_held),
		cmocka_unit_test(one_death_is_no_flapping),
		cmocka_unit_test(unknown_takes_the_median),
		cmocka_unit_test(overrides_win),
		cmocka_unit_test(inband_rows),
		cmocka_unit_test(inband_alone_can_heal),
		cmocka_unit_test(any_history_stays_in_range),
	};

	params = health_params_default();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
