/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mirrors controller/quota.c: exact sums, each within a slot of its share, order irrelevant,
 * monotone. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "controller/quota.h"
#include "tests/unit/random.h"

#define N_MAX 10000

static double weights[N_MAX];
static uint64_t hashes[N_MAX];
static uint32_t quotas[N_MAX];

static const struct row {
	const char *name;
	double given[5];
	uint32_t n, slots;
	uint32_t want[5];
} rows[] = {
	{"one takes all", {0.3}, 1, 7, {7}},
	{"exact shares stay exact", {1, 2, 3, 4}, 4, 100, {10, 20, 30, 40}},
	{"scale does not matter", {1e-9, 2e-9, 3e-9, 4e-9}, 4, 100, {10, 20, 30, 40}},
	{"zero gets nothing", {1, 0, 1}, 3, 10, {5, 0, 5}},
	{"all zero: nobody has any", {0, 0}, 2, 10, {0, 0}},
	{"the larger fraction's divisor wins", {0.76, 0.24}, 2, 10, {8, 2}},
	{"far too small counts as nothing", {1, 1e-20}, 2, 1000, {1000, 0}},
};

static void rows_hold(void **state)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (uint32_t k = 0; k < rows[i].n; k++)
			hashes[k] = hash_mix(k + 1);
		assert_int_equal(
			quota_compute(rows[i].given, hashes, rows[i].n, rows[i].slots, quotas), 0);
		for (uint32_t k = 0; k < rows[i].n; k++)
			if (quotas[k] != rows[i].want[k])
				fail_msg("%s: [%u] is %u, not %u", rows[i].name, k, quotas[k],
					 rows[i].want[k]);
	}
}

static void bad_input_is_refused(void **state)
{
	static const double bad[] = {-1, NAN, INFINITY, -INFINITY, 1e301};

	hashes[0] = 1;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		quotas[0] = 77;
		assert_int_equal(quota_compute(&bad[i], hashes, 1, 10, quotas), -EINVAL);
		assert_int_equal(quotas[0], 77);
	}
	weights[0] = 1;
	assert_int_equal(quota_compute(weights, hashes, 1, 0, quotas), -EINVAL);
	assert_int_equal(quota_compute(weights, hashes, 1, (1u << 22) + 1, quotas), -EINVAL);
}

/* Weights over as many decades as `skew`. */
static uint32_t random_pool(struct random *r, double skew)
{
	uint32_t n = 1 + random_below(r, random_below(r, 4) ? 300 : N_MAX);

	for (uint32_t i = 0; i < n; i++) {
		hashes[i] = random_bits(r);
		weights[i] = random_below(r, 20) ? pow(10, skew * random_unit(r)) : 0;
	}
	weights[random_below(r, n)] = 1;
	return n;
}

static void sums_and_shares_are_exact(void **state)
{
	struct random r = random_start("shares");
	double worst = 0;

	for (int round = 0; round < 300; round++) {
		uint32_t n = random_pool(&r, 6 * random_unit(&r));
		uint32_t slots = 1 + random_below(&r, 1u << (1 + random_below(&r, 22)));
		uint64_t sum = 0;
		long double all = 0;

		for (uint32_t i = 0; i < n; i++)
			all += weights[i];
		assert_int_equal(quota_compute(weights, hashes, n, slots, quotas), 0);
		for (uint32_t i = 0; i < n; i++) {
			double off = fabs((double)(quotas[i] - weights[i] / all * slots));

			sum += quotas[i];
			worst = fmax(worst, off);
			assert_true(off < 1 + 1e-6);
			assert_true(weights[i] > 0 || quotas[i] == 0);
		}
		assert_int_equal(sum, slots);
	}
	printf("[   worst  ] distance from the exact share: %.4f slots\n", worst);
}

static void order_does_not_matter(void **state)
{
	static double weights2[N_MAX];
	static uint64_t hashes2[N_MAX];
	static uint32_t quotas2[N_MAX], at[N_MAX];
	struct random r = random_start("order");

	for (int round = 0; round < 50; round++) {
		uint32_t n = random_pool(&r, round % 2 ? 3 : 0);

		for (uint32_t i = 0; i < n; i++)
			at[i] = i;
		for (uint32_t i = n; i > 1; i--) {
			uint32_t k = random_below(&r, i), t = at[i - 1];

			at[i - 1] = at[k];
			at[k] = t;
		}
		for (uint32_t i = 0; i < n; i++) {
			weights2[at[i]] = weights[i];
			hashes2[at[i]] = hashes[i];
		}
		assert_int_equal(quota_compute(weights, hashes, n, 65536, quotas), 0);
		assert_int_equal(quota_compute(weights2, hashes2, n, 65536, quotas2), 0);
		for (uint32_t i = 0; i < n; i++)
			assert_int_equal(quotas[i], quotas2[at[i]]);
	}
}

/* One weight falls: no other quota falls. Rises: no other rises. Weights within 1:16, as capacities
 * are. */
static void one_weight_moves_only_its_own_way(void **state)
{
	static uint32_t before[N_MAX];
	struct random r = random_start("monotone");

	for (int round = 0; round < 200; round++) {
		uint32_t n = 2 + random_below(&r, 1000), who = random_below(&r, n);

		for (uint32_t i = 0; i < n; i++) {
			hashes[i] = random_bits(&r);
			weights[i] = round % 2 ? 1 : 1 + random_below(&r, 16);
		}
		assert_int_equal(quota_compute(weights, hashes, n, 65536, before), 0);
		weights[who] *= random_unit(&r);
		assert_int_equal(quota_compute(weights, hashes, n, 65536, quotas), 0);
		for (uint32_t i = 0; i < n; i++)
			assert_true(i == who ? quotas[i] <= before[i] : quotas[i] >= before[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_hold),
		cmocka_unit_test(bad_input_is_refused),
		cmocka_unit_test(sums_and_shares_are_exact),
		cmocka_unit_test(order_does_not_matter),
		cmocka_unit_test(one_weight_moves_only_its_own_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
