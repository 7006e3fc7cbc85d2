/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mirrors controller/suspect.c. The rules are those of suspect.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <math.h>

#include "controller/suspect.h"
#include "tests/unit/random.h"

#define TICK_S 0.1
#define MOST   1000

/* Rule 1. */
static void troubled(void **state)
{
	static const struct {
		const char *name;
		struct model_signals signals;
		bool want;
	} rows[] = {
		{"nobody comes", {.quiet_s = INFINITY, .patience_s = 0.03}, false},
		{"one completed in this tick", {.overdue = 9, .quiet_s = 0, .patience_s = 0.03}, false},
		{"none completed in this tick", {.overdue = 1, .quiet_s = TICK_S, .patience_s = 0.03}, true},
		{"none ever completed", {.overdue = 1, .quiet_s = INFINITY, .patience_s = 0.03}, true},
		{"they take their time", {.overdue = 3, .quiet_s = 0.4, .patience_s = 0.5}, false},
		{"longer than they take", {.overdue = 3, .quiet_s = 0.5, .patience_s = 0.5}, true},
		{"they were reset", {.amiss = 1, .quiet_s = 0.2, .patience_s = 0.03}, true},
		{"reset, and others completed", {.amiss = 1, .quiet_s = 0, .patience_s = 0.03}, false},
		{"quiet for long", {.quiet_s = 9, .patience_s = 0.03}, false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (suspect_troubled(&rows[i].signals, TICK_S) != rows[i].want)
			fail_msg("%s", rows[i].name);
}

/* Rule 3: when the probes of one that stays suspected come, and when it is forgiven. */
static void gaps(void **state)
{
	static const double want[] = {0.1, 0.4, 0.9, 1.9, 3.9, 7.9, 11.9};
	struct suspect s = {0};
	size_t n = 0;

	for (int t = 1; t <= 120; t++) {
		if (!suspect_due(&s, true, TICK_S))
			continue;
		assert_true(n < sizeof(want) / sizeof(want[0]));
		assert_true(fabs(t * TICK_S - want[n]) < 0.11);
		n++;
		suspect_probed(&s);
	}
	assert_int_equal(n, sizeof(want) / sizeof(want[0]));
	for (int t = 0; t < 20; t++)
		assert_false(suspect_due(&s, false, TICK_S));
	assert_false(suspect_due(&s, true, TICK_S)); /* the gap of 4 s is not over */
	for (int t = 0; t < 41; t++)
		assert_false(suspect_due(&s, false, TICK_S));
	assert_true(suspect_due(&s, true, TICK_S)); /* forgiven: at once */
}

/* Rule 4. */
static void tokens(void **state)
{
	static const struct {
		double tokens;
		uint32_t backends;
		double dt_s, want;
	} rows[] = {
		{0, 6, 0.1, 2}, {19, 6, 0.1, 20}, {20, 6, 10, 20}, {0, 10000, 0.1, 100}, {999, 10000, 1, 1000}, {0, 0, 1, 20},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_true(fabs(suspect_tokens(rows[i].tokens, rows[i].backends, rows[i].dt_s) - rows[i].want) < 1e-9);
}

/* --- whole ticks, over a model that has nothing but what is asked */

static struct {
	struct model model;
	struct model_backend backends[MOST];
	struct health healths[MOST];
	struct model_member members[MOST];
	struct model_pool pool;
	struct suspects *suspects;
	uint32_t probes[MOST], all;
} life;

static void start(uint32_t backends)
{
	memset(&life.model, 0, sizeof(life) - offsetof(typeof(life), model));
	life.model = (struct model){.backends = life.backends, .backend_count = backends, .healths = life.healths,
				    .pools = &life.pool, .pool_count = 1};
	life.pool = (struct model_pool){.members = life.members, .member_count = backends};
	for (uint32_t i = 0; i < backends; i++) {
		life.backends[i] = (struct model_backend){.id = (uint16_t)(i + 1),
							  .signals = {.patience_s = 0.03, .quiet_s = 0}};
		life.members[i].backend = i;
	}
	assert_int_equal(suspects_new(MOST + 1, &life.suspects), 0);
}

static void end(void)
{
	assert_int_equal(suspects_probed(life.suspects), life.all);
	suspects_free(life.suspects);
	life.suspects = NULL;
}

static void probed(void *ctx, uint16_t id)
{
	life.probes[id - 1]++;
	life.all++;
}

static void silence(uint32_t i, double quiet_s)
{
	life.backends[i].signals.overdue = 3;
	life.backends[i].signals.quiet_s = quiet_s;
}

static void ticks(int n)
{
	for (int t = 0; t < n; t++)
		suspects_tick(life.suspects, &life.model, TICK_S, probed, NULL);
}

/* Rule 2: `silent` of `members` complete nothing, `idle` have no clients. */
static void against_the_pool(void **state)
{
	static const struct {
		const char *name;
		uint32_t members, silent, idle;
		bool want;
	} rows[] = {
		{"one of six", 6, 1, 0, true},	       {"one of two", 2, 1, 0, true},
		{"one alone", 1, 1, 0, false},	       {"half of them", 6, 3, 0, true},
		{"more than half", 6, 4, 0, false},    {"all", 6, 6, 0, false},
		{"all that have clients", 6, 2, 4, false}, {"one beside idle ones and a good one", 6, 1, 4, true},
		{"nobody", 6, 0, 2, false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		start(rows[i].members);
		for (uint32_t k = 0; k < rows[i].silent; k++)
			silence(k, 0.2);
		for (uint32_t k = 0; k < rows[i].idle; k++)
			life.backends[rows[i].members - 1 - k].signals.quiet_s = 60;
		ticks(1);
		if (life.all != (rows[i].want ? rows[i].silent : 0))
			fail_msg("%s: %u probes", rows[i].name, life.all);
		for (uint32_t k = 0; k < rows[i].members; k++)
			if (life.healths[k].suspected != (rows[i].want && k < rows[i].silent))
				fail_msg("%s: backend %u", rows[i].name, k);
		end();
	}
}

/* What is dead already or leaves needs no probe out of turn; what completes again is no longer suspected. */
static void who_is_spared(void **state)
{
	start(6);
	silence(0, 0.2);
	silence(1, 0.2);
	life.backends[0].hard_down = true;
	life.backends[1].leaving = true;
	ticks(20);
	assert_int_equal(life.all, 0);
	silence(2, 0.2);
	ticks(1);
	assert_true(life.healths[2].suspected);
	life.backends[2].signals.quiet_s = 0;
	ticks(1);
	assert_false(life.healths[2].suspected);
	assert_int_equal(life.probes[2], 1);
	end();
}

/* A flood that makes any backend look silent in any tick, at random: the probes stay within what rule 4 says, and nobody is
 * asked more often than rule 3 says. */
static void no_storm(void **state)
{
	struct random random = random_start("suspect");

	start(MOST);
	for (int t = 0; t < 600; t++) {
		uint32_t before = life.all;

		for (uint32_t i = 0; i < MOST; i++) {
			silence(i, 0.2);
			if (random_unit(&random) < 0.6)
				life.backends[i].signals.quiet_s = 0;
		}
		ticks(1);
		assert_true(life.all - before <= 100);
	}
	assert_true(life.all <= 100 * 60 + 100);
	assert_true(life.all > 1000);
	for (uint32_t i = 0; i < MOST; i++)
		assert_true(life.probes[i] <= 6 + 60 / SUSPECT_GAP_MAX_S);
	end();
}

/* When many die at once, the tokens go round: all have been asked after a second or two. */
static void all_in_turn(void **state)
{
	start(MOST);
	for (uint32_t i = 0; i < MOST / 2; i++)
		silence(i, 0.2);
	ticks(70);
	for (uint32_t i = 0; i < MOST / 2; i++)
		if (!life.probes[i])
			fail_msg("backend %u was never asked", i);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(troubled),	    cmocka_unit_test(gaps),	     cmocka_unit_test(tokens),
		cmocka_unit_test(against_the_pool), cmocka_unit_test(who_is_spared), cmocka_unit_test(no_storm),
		cmocka_unit_test(all_in_turn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
