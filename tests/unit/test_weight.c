/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mirrors controller/weight.c and its parts. Rows are numbered as the rules of weight.h; then what
 * must hold under any history.
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

#define GROUPS_MAX    12
#define BACKENDS_MAX_ 120
#define TICK_S        0.1

static struct weight_params params;

/* A pool under test; pool_start() gives `per_group` backends of capacity 100 to each group. */
static struct pool_under_test {
	struct weight_backend backends[BACKENDS_MAX_];
	struct weight_group groups[GROUPS_MAX];
	struct weight_shift shifts[GROUPS_MAX];
	struct weight_group_result group[GROUPS_MAX];
	struct weight_backend_result backend[BACKENDS_MAX_];
	struct weight_input in;
	struct weight_state *state;
	double before[GROUPS_MAX]; /* shares of the last tick */
} pool;

static void pool_start(const uint32_t *tiers, uint32_t group_count, uint32_t per_group)
{
	weight_state_free(pool.state);
	memset(&pool, 0, sizeof(pool));
	pool.in = (struct weight_input){.backends = pool.backends,
					.groups = pool.groups,
					.shifts = pool.shifts,
					.group_count = group_count,
					.backend_count = group_count * per_group,
					.dt_s = TICK_S};
	for (uint32_t g = 0; g < group_count; g++)
		pool.groups[g].tier = tiers ? tiers[g] : 0;
	for (uint32_t i = 0; i < pool.in.backend_count; i++)
		pool.backends[i] = (struct weight_backend){.hash = hash_mix(i + 1),
							   .group = i / per_group,
							   .capacity = 100,
							   .health = 1,
							   .weight = 1,
							   .ready = true};
	assert_int_equal(weight_state_new(group_count, pool.in.backend_count, &pool.state), 0);
}

static int pool_stop(void **state)
{
	weight_state_free(pool.state);
	pool.state = NULL;
	return 0;
}

static void tick(void)
{
	for (uint32_t g = 0; g < pool.in.group_count; g++)
		pool.before[g] = pool.group[g].share;
	assert_int_equal(weight_compute(&params, &pool.in, pool.state, pool.group, pool.backend),
			 0);
}

static void live(double seconds)
{
	for (int i = 0; i < (int)(seconds / TICK_S + 0.5); i++)
		tick();
}

static void set_health(uint32_t group, double health)
{
	for (uint32_t i = 0; i < pool.in.backend_count; i++)
		if (pool.backends[i].group == group)
			pool.backends[i].health = health;
}

static void set_down(uint32_t group, bool down)
{
	for (uint32_t i = 0; i < pool.in.backend_count; i++)
		if (pool.backends[i].group == group)
			pool.backends[i].down = down;
	set_health(group, !down);
}

static void set_ready(uint32_t group, bool ready)
{
	for (uint32_t i = 0; i < pool.in.backend_count; i++)
		if (pool.backends[i].group == group)
			pool.backends[i].ready = ready;
}

static void assert_near_at(const char *what, double is, double want, double within)
{
	if (!(fabs(is - want) <= within))
		fail_msg("%s: %.6f, not %.6f", what, is, want);
}

static void assert_shares(const char *what, double a, double b, double c)
{
	const double want[] = {a, b, c};

	for (uint32_t g = 0; g < pool.in.group_count && g < 3; g++)
		assert_near_at(what, pool.group[g].share, want[g], 1e-6);
}

static void assert_limit(uint32_t g, enum weight_limit want)
{
	if (pool.group[g].limited_by != want)
		fail_msg("group %u is limited by %s, not %s", g,
			 weight_limit_name(pool.group[g].limited_by), weight_limit_name(want));
}

/* --- rule 1 --- */

static void rule_1_effective_capacity(void **state)
{
	static const struct {
		const char *name;
		double capacity, health, weight;
		bool ready, down;
		double want;
		enum weight_limit limit;
	} rows[] = {
		{"well", 100, 1, 1, true, false, 100, WEIGHT_FREE},
		{"half healthy", 100, 0.5, 1, true, false, 50, WEIGHT_BY_HEALTH},
		{"half weight", 100, 1, 0.5, true, false, 50, WEIGHT_FREE},
		{"all three", 80, 0.5, 0.5, true, false, 20, WEIGHT_BY_HEALTH},
		{"drains", 100, 1, 1, false, false, 0, WEIGHT_BY_STATE},
		{"down, whatever its health says", 100, 1, 1, true, true, 0, WEIGHT_BY_DOWN},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		pool_start(NULL, 1, 8);
		pool.backends[0].capacity = rows[i].capacity;
		pool.backends[0].health = rows[i].health;
		pool.backends[0].weight = rows[i].weight;
		pool.backends[0].ready = rows[i].ready;
		pool.backends[0].down = rows[i].down;
		tick();
		assert_near_at(rows[i].name, pool.backend[0].effective, rows[i].want, 1e-9);
		assert_int_equal(pool.backend[0].limited_by, rows[i].limit);
	}
}

/* --- rule 2 --- */

static void rule_2_availability(void **state)
{
	static const struct {
		double health, want;
	} rows[] = {{1, 1}, {0.8, 1}, {0.72, 1}, {0.5, 0.7}, {0.25, 0.35}, {0.1, 0.14}, {0, 0}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		pool_start(NULL, 2, 4);
		set_health(0, rows[i].health);
		tick();
		assert_near_at("availability", pool.group[0].availability, rows[i].want, 1e-9);
		assert_near_at("effective", pool.group[0].effective, 400 * rows[i].health, 1e-9);
		assert_near_at("capacity", pool.group[0].capacity, 400, 0);
	}
}

/* --- rule 3 --- */

static void rule_3_tiers(void **state)
{
	static const struct {
		const char *name;
		uint32_t tiers[3];
		double health[3], want[3];
	} rows[] = {
		{"one tier, all well", {0, 0, 0}, {1, 1, 1}, {1 / 3.0, 1 / 3.0, 1 / 3.0}},
		{"the first tier has all", {0, 1, 2}, {1, 1, 1}, {1, 0, 0}},
		{"no spill until below 71 %", {0, 1, 2}, {0.72, 1, 1}, {1, 0, 0}},
		{"a tier keeps its availability", {0, 1, 2}, {0.5, 1, 1}, {0.7, 0.3, 0}},
		{"the rest of the rest", {0, 1, 2}, {0.25, 0.25, 1}, {0.35, 0.35, 0.3}},
		{"tier numbers may have gaps", {7, 3, 9}, {1, 1, 1}, {0, 1, 0}},
		{"two in the first tier", {0, 0, 1}, {1, 1, 1}, {0.5, 0.5, 0}},
		{"its sibling first, as far as it can", {0, 0, 1}, {1, 0.5, 1}, {0.65, 0.35, 0}},
		{"none above its headroom", {0, 0, 1}, {1, 0.3, 1}, {0.7, 0.21, 0.09}},
		{"then the next tier", {0, 0, 1}, {1, 0, 1}, {0.7, 0, 0.3}},
		{"none has room: by what there is", {0, 1, 2}, {0.2, 0.1, 0.1}, {0.5, 0.25, 0.25}},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		pool_start(rows[i].tiers, 3, 4);
		for (uint32_t g = 0; g < 3; g++)
			set_health(g, rows[i].health[g]);
		tick();
		if (weight_in_panic(pool.state))
			continue; /* the last row: rule 6 has its own */
		for (uint32_t g = 0; g < 3; g++) {
			assert_near_at(rows[i].name, pool.group[g].want, rows[i].want[g], 1e-9);
			assert_near_at(rows[i].name, pool.group[g].share, rows[i].want[g], 1e-9);
		}
	}
}

static void rule_3_groups_share_by_capacity(void **state)
{
	pool_start(NULL, 2, 2);
	pool.backends[0].capacity = 700; /* group 0: 800, group 1: 200 */
	tick();
	assert_shares("by capacity", 0.8, 0.2, 0);
}

/* A large second tier of which little is healthy keeps 28 % by its availability, but can carry all of it. */
static void rule_3_headroom_is_filled_before_anybody_has_too_much(void **state)
{
	pool_start((uint32_t[]){0, 1}, 2, 4);
	for (uint32_t i = 4; i < 8; i++)
		pool.backends[i].capacity = 400;
	set_health(0, 0.1);
	set_health(1, 0.2);
	tick();
	assert_shares("what the first can carry, and the rest", 0.14, 0.86, 0);
}

/* --- rule 4 --- */

static void rule_4_shifts(void **state)
{
	pool_start((uint32_t[]){0, 1}, 2, 4);
	tick();
	assert_shares("before", 1, 0, 0);
	pool.shifts[0] = (struct weight_shift){.from = 0, .to = 1, .part = 0.2};
	pool.in.shift_count = 1;
	tick();
	assert_shares("20 points a second", 0.98, 0.02, 0);
	live(0.9);
	assert_shares("20 % after a second", 0.8, 0.2, 0);
	assert_limit(0, WEIGHT_BY_SHIFT);
	assert_limit(1, WEIGHT_BY_SHIFT);
	for (int i = 0; i < 300; i++) { /* 60 % over 30 s */
		pool.shifts[0].part = 0.2 + 0.4 * (i + 1) / 300;
		tick();
		assert_near_at("ramp", pool.group[1].share, pool.shifts[0].part, 1e-9);
	}
	pool.in.shift_count = 0;
	live(2.9);
	assert_true(pool.group[0].share < 1);
	live(0.2);
	assert_shares("gone", 1, 0, 0);
}

static void rule_4_a_shift_is_a_part_of_what_health_gives(void **state)
{
	pool_start((uint32_t[]){0, 0, 1}, 3, 4);
	pool.shifts[0] = (struct weight_shift){.from = 0, .to = 2, .part = 0.5};
	pool.in.shift_count = 1;
	tick();
	assert_shares("half of a half", 0.25, 0.5, 0.25);
	pool.shifts[0].to = 1;
	live(10);
	assert_shares("another target", 0.25, 0.75, 0);
}

/* It goes from the one to the other, not back to the source and out again. */
static void rule_4_another_target_takes_over(void **state)
{
	pool_start((uint32_t[]){0, 1, 2}, 3, 4);
	pool.shifts[0] = (struct weight_shift){.from = 0, .to = 1, .part = 1};
	pool.in.shift_count = 1;
	tick();
	assert_shares("all moved", 0, 1, 0);
	pool.shifts[0] = (struct weight_shift){.from = 0, .to = 2, .part = 0.6};
	live(1);
	assert_shares("20 points a second", 0, 0.8, 0.2);
	live(2);
	assert_shares("as much as it wants", 0, 0.4, 0.6);
	live(3);
	assert_shares("the rest goes back", 0.4, 0, 0.6);
	pool.shifts[0].to = 1;
	live(1);
	assert_shares("and to the first again", 0.4, 0.2, 0.4);
	pool.in.shift_count = 0;
	live(5);
	assert_shares("no shift", 1, 0, 0);
}

static void rule_4_nothing_goes_back_into_a_dead_source(void **state)
{
	pool_start((uint32_t[]){0, 1, 2}, 3, 4);
	pool.shifts[0] = (struct weight_shift){.from = 0, .to = 1, .part = 1};
	pool.in.shift_count = 1;
	tick();
	set_health(0, 0.24); /* availability 0.336 */
	pool.shifts[0] = (struct weight_shift){.from = 0, .to = 2, .part = 0};
	for (int i = 0; i < 100; i++) {
		pool.shifts[0].part = i / 200.;
		tick();
		assert_true(pool.group[0].share < 1e-9);
	}
	assert_true(pool.group[2].share > 0.35);
	set_health(0, 1);
	live(10);
	assert_true(pool.group[0].share > 0.4);
}

static void rule_4_state_goes_before_shifts(void **state)
{
	pool_start((uint32_t[]){0, 1}, 2, 4);
	pool.shifts[0] = (struct weight_shift){.from = 0, .to = 1, .part = 1};
	pool.in.shift_count = 1;
	tick();
	assert_shares("all moved", 0, 1, 0);
	set_ready(1, false);
	tick();
	assert_shares("back at once", 1, 0, 0);
}

static void rule_4_a_dead_target_takes_nothing(void **state)
{
	pool_start((uint32_t[]){0, 1}, 2, 4);
	pool.shifts[0] = (struct weight_shift){.from = 0, .to = 1, .part = 1};
	pool.in.shift_count = 1;
	tick();
	set_down(1, true);
	live(1);
	assert_shares("20 points a second", 0.2, 0.8, 0);
	live(4);
	assert_shares("all back", 1, 0, 0);
}

static void rule_4_restart_in_a_shift(void **state)
{
	pool_start((uint32_t[]){0, 1}, 2, 4);
	weight_state_adopt(pool.state, (double[]){0.4, 0.6}, 2);
	pool.shifts[0] = (struct weight_shift){.from = 0, .to = 1, .part = 0.6};
	pool.in.shift_count = 1;
	tick();
	assert_shares("as it was", 0.4, 0.6, 0);
	live(5);
	assert_shares("and stays", 0.4, 0.6, 0);
}

/* --- rule 5 --- */

static void rule_5_a_degraded_share_falls_2_points_a_second(void **state)
{
	pool_start((uint32_t[]){0, 1}, 2, 4);
	tick();
	set_health(0, 0.3); /* availability 0.42 */
	live(1);
	assert_shares("one second", 0.98, 0.02, 0);
	assert_limit(0, WEIGHT_BY_SLEW);
	live(40);
	assert_shares("there", 0.42, 0.58, 0);
	assert_limit(0, WEIGHT_BY_HEALTH);
}

static void rule_5_a_dead_share_falls_20(void **state)
{
	pool_start((uint32_t[]){0, 1}, 2, 4);
	tick();
	set_down(0, true);
	live(1);
	assert_shares("one second", 0.8, 0.2, 0);
	live(4);
	assert_shares("gone", 0, 1, 0);
}

static void rule_5_it_returns_by_half_a_point_after_60_s(void **state)
{
	pool_start((uint32_t[]){0, 1}, 2, 4);
	tick();
	set_down(0, true);
	live(10);
	set_down(0, false);
	live(59.8);
	assert_shares("held", 0, 1, 0);
	assert_limit(0, WEIGHT_BY_RETURN_HOLD);
	live(0.2 + 10);
	assert_near_at("ten seconds", pool.group[0].share, 0.05, 0.0006);
	assert_limit(0, WEIGHT_BY_SLEW);
	set_health(0, 0.2); /* below 35 % again: the 60 s begin anew */
	tick();
	set_health(0, 1);
	live(59);
	assert_limit(0, WEIGHT_BY_RETURN_HOLD);
	live(300);
	assert_shares("all of it", 1, 0, 0);
	assert_limit(0, WEIGHT_FREE);
}

static void rule_5_what_is_not_ready_gives_all_at_once(void **state)
{
	pool_start((uint32_t[]){0, 0, 1}, 3, 4);
	tick();
	set_ready(0, false);
	tick();
	assert_near_at("drained", pool.group[0].share, 0, 0);
	assert_limit(0, WEIGHT_BY_STATE);
	assert_near_at("sum", pool.group[1].share + pool.group[2].share, 1, 1e-9);
}

static void rule_5_a_receiver_takes_its_headroom(void **state)
{
	pool_start((uint32_t[]){0, 1}, 2, 4);
	for (uint32_t i = 4; i < 8; i++)
		pool.backends[i].capacity = 25; /* a quarter of the first tier: 1.4 * 0.25 */
	tick();
	set_health(0, 0.3);
	live(60);
	assert_near_at("headroom", pool.group[1].headroom, 0.35, 1e-9);
	assert_shares("no more", 0.65, 0.35, 0);
	assert_limit(0, WEIGHT_BY_HEADROOM);
	set_down(0, true); /* a dead one gives it all the same: there is nobody else */
	live(10);
	assert_shares("all", 0, 1, 0);
}

/* Three of four are plainly dead: what the fourth cannot carry falls as a dead share does. */
static void rule_5_what_the_living_cannot_carry_falls_as_the_dead(void **state)
{
	pool_start((uint32_t[]){0, 1}, 2, 4);
	tick();
	for (uint32_t i = 0; i < 3; i++) {
		pool.backends[i].down = true;
		pool.backends[i].health = 0;
	}
	live(1);
	assert_shares("availability is 35 %, and it is not called dead", 0.8, 0.2, 0);
	live(4);
	assert_shares("what one can carry", 0.35, 0.65, 0);
	pool_start((uint32_t[]){0, 1}, 2, 4);
	tick();
	set_health(0, 0.26);
	live(1);
	assert_shares("as bad, but alive", 0.98, 0.02, 0);
}

/* One of six waits for its return, and half of another dies: the other four have room. */
static void rule_5_who_is_well_stands_in_for_who_waits(void **state)
{
	pool_start(NULL, 6, 4);
	tick();
	set_down(0, true);
	live(10);
	set_down(0, false);
	live(1);
	assert_near_at("five have it all", pool.group[1].share, 0.2, 1e-9);
	for (uint32_t i = 4; i < 6; i++) {
		pool.backends[i].down = true;
		pool.backends[i].health = 0;
	}
	live(1);
	assert_near_at("what two can carry", pool.group[1].share, 1.4 / 12, 1e-6);
	assert_near_at("still held", pool.group[0].share, 0, 0);
	assert_limit(0, WEIGHT_BY_RETURN_HOLD);
	for (uint32_t g = 2; g < 6; g++)
		assert_true(pool.group[g].share > 0.2 && pool.group[g].share <= pool.group[g].headroom);
	live(200);
	assert_near_at("and gives it back", pool.group[0].share, pool.group[2].share, 1e-6);
}

static void rule_5_a_small_group_returns_no_faster_than_a_large_one(void **state)
{
	pool_start(NULL, 10, 2);
	tick();
	set_down(0, true);
	live(10);
	set_down(0, false);
	live(60);
	assert_near_at("held", pool.group[0].share, 0, 0.0003);
	live(25);
	assert_near_at("half of a tenth in 25 s", pool.group[0].share, 0.05, 0.0003);
	live(26);
	assert_near_at("all of it in 50", pool.group[0].share, 0.1, 1e-6);
}

static void rule_5_measured_demand_gives_the_headroom(void **state)
{
	pool_start((uint32_t[]){0, 1}, 2, 4);
	pool.in.demand = 1600; /* four times what a group can carry */
	tick();
	assert_near_at("headroom", pool.group[1].headroom, 0.25, 1e-9);
	pool.shifts[0] = (struct weight_shift){.from = 0, .to = 1, .part = 1};
	pool.in.shift_count = 1;
	live(10);
	assert_true(pool.group[1].share <= fmax(0.25, pool.before[1]) + 1e-9);
}

/* --- rule 6 --- */

static void rule_6_ejections_are_capped(void **state)
{
	pool_start(NULL, 2, 10);
	for (int i = 0; i < 3; i++)
		pool.backends[i].health = 0;
	tick();
	assert_near_at("three of ten may go", pool.backend[0].weight, 0, 0);
	pool.backends[3].health = 0;
	tick();
	assert_true(pool.backend[0].weight > 0);
	assert_int_equal(pool.backend[0].limited_by, WEIGHT_BY_EJECTION);
	assert_near_at("a tenth", pool.backend[0].weight / pool.backend[9].weight, 0.1, 1e-9);
	pool.backends[3].health = 0.5;
	tick(); /* hysteresis: 30 % is not yet little enough */
	assert_true(pool.backend[0].weight > 0);
	pool.backends[2].health = 0.5;
	tick();
	assert_near_at("two of ten", pool.backend[0].weight, 0, 0);
}

static void rule_6_the_plainly_dead_are_left(void **state)
{
	pool_start(NULL, 3, 2);
	pool.backends[0].down = true;
	pool.backends[0].health = 0;
	tick();
	assert_near_at("half of a group", pool.backend[0].weight, 0, 0);
	assert_int_equal(pool.backend[0].limited_by, WEIGHT_BY_DOWN);
	assert_true(pool.backend[1].weight > 0);
}

static void rule_6_everything_bad_at_once_is_panic(void **state)
{
	double good[GROUPS_MAX];

	pool_start(NULL, 3, 4);
	set_health(2, 0.6);
	live(30);
	for (int g = 0; g < 3; g++)
		good[g] = pool.group[g].share;
	for (uint32_t g = 0; g < 3; g++)
		set_health(g, 0);
	tick();
	assert_true(weight_in_panic(pool.state));
	live(29);
	for (uint32_t g = 0; g < 3; g++) {
		assert_near_at("last good", pool.group[g].share, good[g], 1e-6);
		assert_limit(g, WEIGHT_BY_PANIC);
	}
	live(10);
	for (uint32_t g = 0; g < 3; g++)
		assert_near_at("capacity", pool.group[g].share, 1 / 3.0, 1e-6);
	assert_near_at("backends too", pool.backend[11].weight, 1 / 12.0, 1e-6);
	for (uint32_t g = 0; g < 3; g++)
		set_health(g, 1);
	live(9.9);
	assert_true(weight_in_panic(pool.state));
	live(0.2);
	assert_false(weight_in_panic(pool.state));
}

/* Backends go down one by one within two seconds: the weights of before, not those of the last
 * survivors. */
static void rule_6_panic_remembers_before_it_began(void **state)
{
	pool_start(NULL, 1, 10);
	live(20);
	for (int i = 0; i < 10; i++) {
		pool.backends[i].down = true;
		pool.backends[i].health = 0;
		live(0.2);
	}
	assert_true(weight_in_panic(pool.state));
	for (int i = 0; i < 10; i++)
		assert_near_at("as before", pool.backend[i].weight, 0.1, 1e-6);
}

static void rule_6_what_others_can_carry_is_no_panic(void **state)
{
	pool_start((uint32_t[]){0, 0, 1}, 3, 4);
	for (uint32_t i = 8; i < 12; i++)
		pool.backends[i].capacity = 300;
	tick();
	set_down(0, true);
	set_down(1, true); /* two of three are dead, the third can carry the pool */
	live(10);
	assert_false(weight_in_panic(pool.state));
	assert_shares("all to the third", 0, 0, 1);
}

/* --- rule 7 --- */

static void rule_7_backends_share_their_group(void **state)
{
	pool_start(NULL, 2, 3);
	pool.backends[0].capacity = 200;
	pool.backends[1].health = 0.5;
	pool.backends[2].ready = false;
	tick();
	assert_near_at("200 of 250", pool.backend[0].weight, pool.group[0].share * 0.8, 1e-9);
	assert_near_at("50 of 250", pool.backend[1].weight, pool.group[0].share * 0.2, 1e-9);
	assert_near_at("drained", pool.backend[2].weight, 0, 0);
}

/* A dead backend's part goes to its group at once; group shares are what slew is about. */
static void rule_7_a_death_is_at_once(void **state)
{
	pool_start(NULL, 2, 10);
	tick();
	pool.backends[0].down = true;
	pool.backends[0].health = 0;
	tick();
	assert_near_at("dead", pool.backend[0].weight, 0, 0);
	assert_near_at("its neighbours", pool.backend[1].weight, 0.5 / 9, 1e-9);
	assert_near_at("the other group", pool.backend[10].weight, 0.05, 1e-9);
}

static void rule_7_an_empty_pool_has_no_weights(void **state)
{
	pool_start(NULL, 2, 2);
	tick();
	set_ready(0, false);
	set_ready(1, false);
	tick();
	for (int i = 0; i < 4; i++)
		assert_near_at("empty", pool.backend[i].weight, 0, 0);
	set_ready(1, true);
	tick();
	assert_shares("at once", 0, 1, 0);
	set_ready(0, true);
	tick();
	assert_shares("the next one too: the first must not carry all of it", 0.5, 0.5, 0);
	live(11);
	set_ready(0, false);
	live(10);
	set_ready(0, true);
	tick();
	assert_shares("later, what was not empty returns as ever", 0, 1, 0);
}

static void rule_7_a_dead_group_keeps_its_share_among_all(void **state)
{
	pool_start((uint32_t[]){0, 1}, 2, 4);
	tick();
	set_down(0, true);
	live(1);
	for (int i = 0; i < 4; i++)
		assert_near_at("what is left", pool.backend[i].weight, 0.2, 1e-6);
}

/* --- rule 8 --- */

static void rule_8_publish(void **state)
{
	static const struct {
		const char *name;
		double published, now, waited_s;
		bool want;
	} rows[] = {
		{"nothing", 0.5, 0.5, 100, false},
		{"1.9 %", 0.5, 0.4905, 1, false},
		{"2 %", 0.5, 0.49, 1, true},
		{"2 % up", 0.5, 0.51, 1, true},
		{"little, and 10 s", 0.5, 0.4999, 10, true},
		{"little, and 9 s", 0.5, 0.4999, 9, false},
		{"to zero", 1e-9, 0, 0, true},
		{"from zero", 0, 1e-9, 0, true},
		{"stays zero", 0, 0, 100, false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		double published[] = {1, rows[i].published}, now[] = {1, rows[i].now};

		if (weight_should_publish(&params, published, now, 2, rows[i].waited_s) !=
		    rows[i].want)
			fail_msg("%s", rows[i].name);
	}
}

/* --- freeze and bad input --- */

static void frozen_shares_stay(void **state)
{
	pool_start((uint32_t[]){0, 1}, 2, 4);
	tick();
	pool.in.frozen = true;
	set_health(0, 0.3);
	pool.backends[1].down = true;
	pool.backends[1].health = 0;
	live(30);
	assert_shares("frozen", 1, 0, 0);
	assert_near_at("the dead one goes", pool.backend[1].weight, 0, 0);
	assert_near_at("the others share", pool.backend[0].weight, 1 / 3.0, 1e-9);
	set_ready(0, false);
	tick();
	assert_shares("not even frozen", 0, 1, 0);
}

static void bad_input_is_refused(void **state)
{
	pool_start(NULL, 2, 2);
	tick();
#define REFUSED(field, value)                                                                      \
	do {                                                                                       \
		__typeof__(field) old = field;                                                     \
		field = value;                                                                     \
		assert_int_equal(                                                                  \
			weight_compute(&params, &pool.in, pool.state, pool.group, pool.backend),   \
			-EINVAL);                                                                  \
		field = old;                                                                       \
	} while (0)
	REFUSED(pool.backends[1].health, NAN);
	REFUSED(pool.backends[1].health, 1.1);
	REFUSED(pool.backends[1].health, -0.1);
	REFUSED(pool.backends[1].capacity, 0);
	REFUSED(pool.backends[1].capacity, INFINITY);
	REFUSED(pool.backends[1].weight, 3);
	REFUSED(pool.backends[1].group, 2);
	REFUSED(pool.in.dt_s, -1);
	REFUSED(pool.in.dt_s, NAN);
	REFUSED(pool.in.demand, NAN);
	REFUSED(pool.in.backend_count, 3);
	REFUSED(pool.in.group_count, 1);
	pool.in.shift_count = 1;
	pool.shifts[0] = (struct weight_shift){0, 1, 0.5};
	REFUSED(pool.shifts[0].to, 0);
	REFUSED(pool.shifts[0].from, 9);
	REFUSED(pool.shifts[0].part, 1.5);
#undef REFUSED
	tick();
}

/* --- properties --- */

static void random_step(struct random *r)
{
	static const double healths[] = {0, 0, 0.1, 0.3, 0.6, 0.9, 1, 1};
	uint32_t g = random_below(r, pool.in.group_count);
	struct weight_backend *b = &pool.backends[random_below(r, pool.in.backend_count)];

	switch (random_below(r, 24)) {
	case 0:
		set_down(g, true);
		break;
	case 1:
	case 2:
		set_down(g, false);
		break;
	case 3:
		set_health(g, healths[random_below(r, 8)]);
		break;
	case 4:
		for (uint32_t k = 0; k < pool.in.group_count; k++)
			set_health(k, healths[random_below(r, 8)]);
		break;
	case 5:
	case 6:
		b->health = random_unit(r);
		break;
	case 7:
		b->ready = random_below(r, 3);
		break;
	case 8:
		pool.in.shift_count = random_below(r, 2);
		pool.shifts[0].from = g;
		pool.shifts[0].to = (g + 1) % pool.in.group_count;
		pool.shifts[0].part = random_unit(r);
		break;
	default:
		break;
	}
}

static bool group_ready(uint32_t g)
{
	for (uint32_t i = 0; i < pool.in.backend_count; i++)
		if (pool.backends[i].group == g && pool.backends[i].ready)
			return true;
	return false;
}

static uint32_t count_ready(void)
{
	uint32_t count = 0;

	for (uint32_t g = 0; g < pool.in.group_count; g++)
		count += group_ready(g);
	return count;
}

static void check_sums(void)
{
	double shares = 0, weights = 0;
	bool any = count_ready() > 0;

	for (uint32_t g = 0; g < pool.in.group_count; g++) {
		assert_true(pool.group[g].share >= -1e-12 && pool.group[g].share <= 1 + 1e-9);
		shares += pool.group[g].share;
	}
	for (uint32_t i = 0; i < pool.in.backend_count; i++) {
		assert_true(pool.backend[i].weight >= 0);
		assert_true(pool.backends[i].ready || pool.backend[i].weight == 0);
		weights += pool.backend[i].weight;
	}
	assert_near_at("shares", shares, any, 1e-9);
	assert_near_at("weights", weights, any, 1e-9);
}

/* Nothing falls faster than a dead one may, nothing that is merely degraded faster than 2 points a
 * second, by health; shifts add 20 points. What is not ready, and what stands in for it, is
 * excepted. */
static void check_slew(bool was_ready, bool shifted, bool was_panic)
{
	double fast = params.dead_fall_per_s * TICK_S, slow = params.fall_per_s * TICK_S;

	if (!was_ready || count_ready() != pool.in.group_count)
		return;
	for (uint32_t g = 0; g < pool.in.group_count; g++) {
		double fall = pool.before[g] - pool.group[g].share;
		bool may = pool.group[g].availability <= params.alive_above || was_panic ||
			   weight_in_panic(pool.state);
		double most = (may ? fast : slow) + (shifted ? fast * 2 : 0);

		if (fall > most + 1e-9)
			fail_msg("group %u fell by %.5f in a tick, not %.5f", g, fall, most);
	}
}

/* Whoever got more this tick is not above its headroom while a group that wants more has room. */
static void check_headroom(bool shifted)
{
	if (weight_in_panic(pool.state) || shifted)
		return;
	for (uint32_t g = 0; g < pool.in.group_count; g++) {
		if (pool.group[g].share <= pool.before[g] + 1e-9 ||
		    pool.group[g].share <= pool.group[g].headroom + 1e-9)
			continue;
		for (uint32_t k = 0; k < pool.in.group_count; k++)
			if (pool.group[k].share < pool.group[k].headroom - 1e-9 &&
			    pool.group[k].want > pool.group[k].share + 1e-9)
				fail_msg("group %u is above its headroom, %u has room", g, k);
	}
}

static void any_history(void **state)
{
	struct random r = random_start("any history");

	for (int round = 0; round < 60; round++) {
		uint32_t tiers[GROUPS_MAX], n = 2 + random_below(&r, GROUPS_MAX - 2);
		bool was_ready = false, shifted = false, panic = false;
		double since_change_s = 1e9;

		for (uint32_t g = 0; g < n; g++)
			tiers[g] = random_below(&r, 3);
		pool_start(tiers, n, 1 + random_below(&r, 10));
		for (uint32_t i = 0; i < pool.in.backend_count; i++)
			pool.backends[i].capacity = 1 + random_below(&r, 400);
		tick();
		for (int step = 0; step < 3000; step++) {
			if (random_below(&r, 10) == 0)
				random_step(&r);
			tick();
			shifted |= pool.in.shift_count > 0;
			check_sums();
			check_slew(was_ready, shifted, panic);
			check_headroom(shifted);
			was_ready = count_ready() == pool.in.group_count;
			since_change_s += TICK_S;
			if (weight_in_panic(pool.state) != panic) {
				panic = !panic;
				assert_true(since_change_s >= params.panic_clear_s - 1e-6);
				since_change_s = 0;
			}
		}
	}
}

/* The same inputs, twice: the same bits. */
static void same_inputs_same_outputs(void **state)
{
	static struct weight_group_result groups[2000][GROUPS_MAX];
	static struct weight_backend_result backends[2000][BACKENDS_MAX_];
	struct random seed = random_start("same inputs");

	for (int run = 0; run < 2; run++) {
		struct random r = seed;

		pool_start((uint32_t[]){0, 0, 1, 1, 2, 2}, 6, 10);
		for (int step = 0; step < 2000; step++) {
			random_step(&r);
			tick();
			if (run == 0) {
				memcpy(groups[step], pool.group, sizeof(pool.group));
				memcpy(backends[step], pool.backend, sizeof(pool.backend));
			}
			assert_memory_equal(groups[step], pool.group, sizeof(pool.group));
			assert_memory_equal(backends[step], pool.backend, sizeof(pool.backend));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_1_effective_capacity),
		cmocka_unit_test(rule_2_availability),
		cmocka_unit_test(rule_3_tiers),
		cmocka_unit_test(rule_3_groups_share_by_capacity),
		cmocka_unit_test(rule_3_headroom_is_filled_before_anybody_has_too_much),
		cmocka_unit_test(rule_4_shifts),
		cmocka_unit_test(rule_4_a_shift_is_a_part_of_what_health_gives),
		cmocka_unit_test(rule_4_another_target_takes_over),
		cmocka_unit_test(rule_4_nothing_goes_back_into_a_dead_source),
		cmocka_unit_test(rule_4_state_goes_before_shifts),
		cmocka_unit_test(rule_4_a_dead_target_takes_nothing),
		cmocka_unit_test(rule_4_restart_in_a_shift),
		cmocka_unit_test(rule_5_a_degraded_share_falls_2_points_a_second),
		cmocka_unit_test(rule_5_a_dead_share_falls_20),
		cmocka_unit_test(rule_5_it_returns_by_half_a_point_after_60_s),
		cmocka_unit_test(rule_5_what_is_not_ready_gives_all_at_once),
		cmocka_unit_test(rule_5_a_receiver_takes_its_headroom),
		cmocka_unit_test(rule_5_what_the_living_cannot_carry_falls_as_the_dead),
		cmocka_unit_test(rule_5_who_is_well_stands_in_for_who_waits),
		cmocka_unit_test(rule_5_a_small_group_returns_no_faster_than_a_large_one),
		cmocka_unit_test(rule_5_measured_demand_gives_the_headroom),
		cmocka_unit_test(rule_6_ejections_are_capped),
		cmocka_unit_test(rule_6_the_plainly_dead_are_left),
		cmocka_unit_test(rule_6_everything_bad_at_once_is_panic),
		cmocka_unit_test(rule_6_panic_remembers_before_it_began),
		cmocka_unit_test(rule_6_what_others_can_carry_is_no_panic),
		cmocka_unit_test(rule_7_backends_share_their_group),
		cmocka_unit_test(rule_7_a_death_is_at_once),
		cmocka_unit_test(rule_7_an_empty_pool_has_no_weights),
		cmocka_unit_test(rule_7_a_dead_group_keeps_its_share_among_all),
		cmocka_unit_test(rule_8_publish),
		cmocka_unit_test(frozen_shares_stay),
		cmocka_unit_test(bad_input_is_refused),
		cmocka_unit_test(any_history),
		cmocka_unit_test(same_inputs_same_outputs),
	};

	params = weight_params_default();
	return cmocka_run_group_tests(tests, NULL, pool_stop);
}
