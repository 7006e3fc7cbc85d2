/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What holds of weight.c under any history: pools of any shape, ticks of any length, backends that die one by one or together,
 * degrade, drain and come back. Seeds are printed; EBB_SEED runs one again. test_weight.c has the rules as rows.
 */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "controller/weight.h"
#include "tests/unit/random.h"

#define GROUPS_MAX   16
#define BACKENDS_MAX_ 160
#define NOTHING	     1e-9
#define CALM_S	     10 /* after this long nothing of a shift or of a panic is under way any more */

struct world {
	struct weight_params params;
	struct weight_backend backends[BACKENDS_MAX_];
	struct weight_group groups[GROUPS_MAX];
	struct weight_shift shifts[GROUPS_MAX];
	struct weight_group_result group[GROUPS_MAX], before[GROUPS_MAX];
	struct weight_backend_result backend[BACKENDS_MAX_];
	struct weight_input in;
	struct weight_state *state;
	double calm_s; /* since something was not ready, or shifted, or panicked: those have rules of their own */
};

static struct world w;

static int stop(void **state)
{
	weight_state_free(w.state);
	w.state = NULL;
	return 0;
}

/* Any shape; `tiers` of them. */
static void start(struct random *r, uint32_t tiers)
{
	uint32_t groups = 1 + random_below(r, GROUPS_MAX), n = 0;

	stop(NULL);
	memset(&w, 0, sizeof(w));
	w.params = weight_params_default();
	for (uint32_t g = 0; g < groups; g++) {
		uint32_t members = 1 + random_below(r, BACKENDS_MAX_ / GROUPS_MAX);

		w.groups[g].tier = random_below(r, tiers);
		for (uint32_t i = 0; i < members; i++)
			w.backends[n++] = (struct weight_backend){.hash = hash_mix(n + 1), .group = g,
								  .capacity = 1 + random_below(r, 400), .health = 1,
								  .weight = 1, .ready = true};
	}
	w.in = (struct weight_input){.backends = w.backends, .backend_count = n, .groups = w.groups,
				     .group_count = groups, .shifts = w.shifts};
	w.calm_s = CALM_S;
	assert_int_equal(weight_state_new(groups, n, &w.state), 0);
}

static void tick(struct random *r)
{
	memcpy(w.before, w.group, sizeof(w.before));
	w.in.dt_s = random_below(r, 20) ? 0.1 : 0.01 + 0.3 * random_unit(r);
	assert_int_equal(weight_compute(&w.params, &w.in, w.state, w.group, w.backend), 0);
}

static void set_group(uint32_t g, double health, bool down)
{
	for (uint32_t i = 0; i < w.in.backend_count; i++)
		if (w.backends[i].group == g) {
			w.backends[i].health = health;
			w.backends[i].down = down;
		}
}

/* Something happens. */
static void step(struct random *r, bool operators)
{
	static const double healths[] = {0, 0, 0.1, 0.3, 0.6, 0.9, 1, 1};
	struct weight_backend *b = &w.backends[random_below(r, w.in.backend_count)];
	double health = healths[random_below(r, 8)];

	switch (random_below(r, 12)) {
	case 0:
		set_group(b->group, 0, true);
		return;
	case 1:
		set_group(b->group, health, false);
		return;
	case 2:
		for (uint32_t g = 0; g < w.in.group_count; g++)
			set_group(g, healths[random_below(r, 8)], false);
		return;
	case 3:
	case 4:
		b->down = random_below(r, 2);
		b->health = b->down ? 0 : random_unit(r);
		return;
	case 5: /* most of a group, in one moment */
		for (uint32_t i = 0; i < w.in.backend_count; i++)
			if (w.backends[i].group == b->group && random_below(r, 4)) {
				w.backends[i].down = true;
				w.backends[i].health = 0;
			}
		return;
	case 6:
		if (operators)
			b->ready = random_below(r, 3);
		return;
	case 7:
		w.in.shift_count = operators && w.in.group_count > 1 ? random_below(r, 2) : 0;
		w.shifts[0] = (struct weight_shift){b->group, (b->group + 1) % w.in.group_count, random_unit(r)};
		return;
	case 8:
		for (uint32_t g = 0; g < w.in.group_count; g++)
			set_group(g, 1, false);
		return;
	default:
		b->health = b->down ? 0 : random_unit(r);
		return;
	}
}

static void watch_calm(void)
{
	bool busy = w.in.shift_count > 0 || weight_in_panic(w.state);

	for (uint32_t i = 0; i < w.in.backend_count; i++)
		busy |= !w.backends[i].ready;
	w.calm_s = busy ? 0 : w.calm_s + w.in.dt_s;
}

/* --- what must hold */

static void shares_sum_to_1(void)
{
	double shares = 0, weights = 0;
	bool any = false;

	for (uint32_t i = 0; i < w.in.backend_count; i++) {
		any |= w.backends[i].ready;
		assert_true(w.backend[i].weight >= 0 && w.backend[i].weight <= 1 + NOTHING);
		if (!w.backends[i].ready && w.backend[i].weight != 0)
			fail_msg("backend %u is not ready and weighs %g", i, w.backend[i].weight);
		weights += w.backend[i].weight;
	}
	for (uint32_t g = 0; g < w.in.group_count; g++) {
		assert_true(w.group[g].share >= -NOTHING && w.group[g].share <= 1 + NOTHING);
		shares += w.group[g].share;
	}
	if (fabs(shares - any) > NOTHING || fabs(weights - any) > NOTHING)
		fail_msg("shares sum to %.12f, weights to %.12f", shares, weights);
}

static bool has_dead(uint32_t g)
{
	for (uint32_t i = 0; i < w.in.backend_count; i++)
		if (w.backends[i].group == g && w.backends[i].down)
			return true;
	return false;
}

/* 2 points a second where it is merely degraded; 20 where it is dead, or was until it is alive again, or its dead cannot be
 * carried by the rest. */
static void no_share_falls_faster_than_its_slew(void)
{
	for (uint32_t g = 0; g < w.in.group_count; g++) {
		bool hard = w.group[g].availability <= w.params.alive_above || has_dead(g);
		double rate = hard ? w.params.dead_fall_per_s : w.params.fall_per_s;
		double fall = w.before[g].share - w.group[g].share;

		if (fall > rate * w.in.dt_s + NOTHING)
			fail_msg("group %u falls by %.6f in %.3f s", g, fall, w.in.dt_s);
	}
}

/* Where nobody gives in need, who has less than when all is well gets it back slowly. One tier: by capacity. */
static void no_share_returns_faster_than_it_may(void)
{
	double capacity = 0;

	for (uint32_t g = 0; g < w.in.group_count; g++) {
		capacity += w.group[g].capacity;
		if (w.group[g].availability <= w.params.alive_above || has_dead(g))
			return;
	}
	for (uint32_t g = 0; g < w.in.group_count; g++) {
		double nominal = w.group[g].capacity / capacity, rise = w.group[g].share - w.before[g].share;
		double rate = fmin(w.params.return_per_s, w.params.return_part_per_s * nominal);

		if (w.before[g].share < nominal - 1e-6 && rise > rate * w.in.dt_s + NOTHING)
			fail_msg("group %u returns by %.6f in %.3f s", g, rise, w.in.dt_s);
	}
}

/* Whoever is given more than he can carry: nobody has any room left. */
static void no_receiver_is_above_its_headroom_while_another_has_room(void)
{
	for (uint32_t g = 0; g < w.in.group_count; g++) {
		if (w.group[g].share <= w.before[g].share + NOTHING ||
		    w.group[g].share <= w.group[g].headroom + 1e-7)
			continue;
		for (uint32_t k = 0; k < w.in.group_count; k++)
			if (w.group[k].share < w.group[k].headroom - 1e-7)
				fail_msg("group %u is above its headroom (%.6f > %.6f), %u has room (%.6f < %.6f)", g,
					 w.group[g].share, w.group[g].headroom, k, w.group[k].share,
					 w.group[k].headroom);
	}
}

static void any_history(struct random *r, uint32_t tiers, bool operators)
{
	double since_s = INFINITY;
	bool panic = false;

	start(r, tiers);
	tick(r);
	for (int i = 0; i < 4000; i++) {
		if (!random_below(r, 12))
			step(r, operators);
		tick(r);
		watch_calm();
		shares_sum_to_1();
		since_s += w.in.dt_s;
		if (weight_in_panic(w.state) != panic) {
			panic = !panic;
			if (since_s < w.params.panic_clear_s - 1e-6)
				fail_msg("panic changes after %.3f s", since_s);
			since_s = 0;
		}
		if (w.calm_s < CALM_S)
			continue;
		no_share_falls_faster_than_its_slew();
		no_receiver_is_above_its_headroom_while_another_has_room();
		if (tiers == 1)
			no_share_returns_faster_than_it_may();
	}
}

static void faults_alone_in_one_tier(void **state)
{
	struct random r = random_start("one tier");

	for (int round = 0; round < 20; round++)
		any_history(&r, 1, false);
}

static void faults_alone_in_some_tiers(void **state)
{
	struct random r = random_start("some tiers");

	for (int round = 0; round < 20; round++)
		any_history(&r, 3, false);
}

static void faults_operators_and_shifts(void **state)
{
	struct random r = random_start("operators");

	for (int round = 0; round < 20; round++)
		any_history(&r, 3, true);
}

/* --- the same again */

static void record(struct random r, uint32_t ticks, double *weights)
{
	start(&r, 3);
	for (uint32_t i = 0; i < ticks; i++) {
		step(&r, true);
		tick(&r);
	}
	for (uint32_t i = 0; i < w.in.backend_count; i++)
		weights[i] = w.backend[i].weight;
}

static void identical_inputs_give_identical_outputs(void **state)
{
	struct random r = random_start("identical");

	for (int round = 0; round < 20; round++) {
		double a[BACKENDS_MAX_] = {0}, b[BACKENDS_MAX_] = {0};

		random_bits(&r);
		record(r, 500, a);
		record(r, 500, b);
		assert_memory_equal(a, b, sizeof(a));
	}
}

/* A copy of the memory goes on as the original does: what a reload, and a question what would be, rely on. */
static void a_copy_goes_on_as_the_original(void **state)
{
	struct random r = random_start("copy");

	for (int round = 0; round < 20; round++) {
		struct weight_backend_result backends[BACKENDS_MAX_];
		struct weight_group_result groups[GROUPS_MAX];
		struct weight_state *copy;

		start(&r, 3);
		for (int i = 0; i < 300; i++) {
			step(&r, true);
			tick(&r);
		}
		assert_int_equal(weight_state_copy(w.state, &copy), 0);
		for (int i = 0; i < 300; i++) {
			step(&r, true);
			tick(&r);
			assert_int_equal(weight_compute(&w.params, &w.in, copy, groups, backends), 0);
			assert_memory_equal(groups, w.group, w.in.group_count * sizeof(*groups));
			assert_memory_equal(backends, w.backend, w.in.backend_count * sizeof(*backends));
		}
		weight_state_free(copy);
	}
}

/* Capacities are in units of one's own: a power of two changes not even the last bit. */
static void only_proportions_of_capacity_matter(void **state)
{
	struct random r = random_start("proportions");

	for (int round = 0; round < 20; round++) {
		struct weight_group_result groups[GROUPS_MAX];
		struct random same;

		random_bits(&r);
		same = r;
		start(&same, 3);
		for (int i = 0; i < 300; i++) {
			step(&same, true);
			tick(&same);
		}
		memcpy(groups, w.group, sizeof(groups));
		same = r;
		start(&same, 3);
		for (uint32_t i = 0; i < w.in.backend_count; i++)
			w.backends[i].capacity *= 1024;
		for (int i = 0; i < 300; i++) {
			step(&same, true);
			tick(&same);
		}
		for (uint32_t g = 0; g < w.in.group_count; g++)
			assert_true(groups[g].share == w.group[g].share && groups[g].want == w.group[g].want);
	}
}

/* However long it took: when all is well again, all have what they had, and nothing is limited. */
static void all_is_as_before_when_all_is_well_again(void **state)
{
	struct random r = random_start("well again");

	for (int round = 0; round < 20; round++) {
		double first[GROUPS_MAX];

		start(&r, 3);
		tick(&r);
		for (uint32_t g = 0; g < w.in.group_count; g++)
			first[g] = w.group[g].share;
		for (int i = 0; i < 1000; i++) {
			step(&r, true);
			tick(&r);
		}
		for (uint32_t i = 0; i < w.in.backend_count; i++) {
			w.backends[i].ready = true;
			w.backends[i].down = false;
			w.backends[i].health = 1;
		}
		w.in.shift_count = 0;
		w.in.dt_s = 0.1;
		for (int i = 0; i < 5000; i++)
			assert_int_equal(weight_compute(&w.params, &w.in, w.state, w.group, w.backend), 0);
		for (uint32_t g = 0; g < w.in.group_count; g++) {
			if (fabs(w.group[g].share - first[g]) > 1e-6)
				fail_msg("group %u of %u has %.6f, had %.6f", g, w.in.group_count, w.group[g].share,
					 first[g]);
			assert_int_equal(w.group[g].limited_by, WEIGHT_FREE);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(faults_alone_in_one_tier),
		cmocka_unit_test(faults_alone_in_some_tiers),
		cmocka_unit_test(faults_operators_and_shifts),
		cmocka_unit_test(identical_inputs_give_identical_outputs),
		cmocka_unit_test(a_copy_goes_on_as_the_original),
		cmocka_unit_test(only_proportions_of_capacity_matter),
		cmocka_unit_test(all_is_as_before_when_all_is_well_again),
	};

	return cmocka_run_group_tests(tests, NULL, stop);
}
