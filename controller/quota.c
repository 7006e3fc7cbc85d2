/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See quota.h. Weights become integers relative to the largest (44 bits; 65535 of them sum to less
 * than 2^60), so that floors and sums are exact and no order of addition shows.
 */
#include "controller/quota.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "controller/namehash.h"

#define QUOTA_SCALE     17592186044416.0 /* 2^44 */
#define QUOTA_SLOTS_MAX (1u << 22)

struct claim { /* of one backend on one more slot */
	double key;
	uint64_t hash;
	uint32_t backend;
};

static bool claim_before(const struct claim *a, const struct claim *b)
{
	return a->key < b->key || (a->key == b->key && a->hash < b->hash);
}

/* o in [15/32, 17/32): around a half, so that neither large nor small backends gain; the spread
 * lets equal weights take turns in an order that is the same everywhere. */
static double offset_of(uint64_t hash)
{
	return 15.0 / 32 +
	       (double)(hash_mix(hash ^ 0x71756f7461u) >> 32) * (1.0 / 16 / 4294967296.0);
}

static void claim_swap(struct claim *a, struct claim *b)
{
	struct claim t = *a;

	*a = *b;
	*b = t;
}

/* Reorders so that the `wanted` smallest come first: quickselect with the middle as pivot. */
static void claims_select(struct claim *claims, uint32_t n, uint32_t wanted)
{
	uint32_t low = 0, high = n;

	while (high - low > 1 && wanted > low && wanted < high) {
		uint32_t edge = low;

		claim_swap(&claims[low + (high - low) / 2], &claims[high - 1]);
		for (uint32_t i = low; i < high - 1; i++)
			if (claim_before(&claims[i], &claims[high - 1]))
				claim_swap(&claims[i], &claims[edge++]);
		claim_swap(&claims[edge], &claims[high - 1]);
		if (wanted <= edge)
			high = edge;
		else
			low = edge + 1;
	}
}

static int weights_largest(const double *weights, uint32_t n, double *ret_largest)
{
	double largest = 0;

	for (uint32_t i = 0; i < n; i++) {
		if (!(weights[i] >= 0 && weights[i] <= 1e300))
			return -EINVAL;
		if (weights[i] > largest)
			largest = weights[i];
	}
	*ret_largest = largest;
	return 0;
}

static uint64_t scaled(double weight, double largest)
{
	return (uint64_t)(weight / largest * QUOTA_SCALE);
}

int quota_compute(const double *weights, const uint64_t *hashes, uint32_t n, uint32_t slots,
		  uint32_t *ret_quotas)
{
	struct claim *claims;
	double largest;
	uint64_t sum = 0;
	uint32_t left = slots, claim_count = 0;

	if (slots == 0 || slots > QUOTA_SLOTS_MAX || n > UINT16_MAX)
		return -EINVAL;
	if (weights_largest(weights, n, &largest) < 0)
		return -EINVAL;
	claims = malloc((n + 1) * sizeof(*claims));
	if (!claims)
		return -ENOMEM;
	for (uint32_t i = 0; largest > 0 && i < n; i++)
		sum += scaled(weights[i], largest);
	for (uint32_t i = 0; i < n; i++) {
		uint64_t weight = sum ? scaled(weights[i], largest) : 0;
		unsigned __int128 share = (unsigned __int128)weight * slots;
		uint32_t whole = sum ? (uint32_t)(share / sum) : 0;

		ret_quotas[i] = whole;
		left -= whole;
		if (weight && share % sum)
			claims[claim_count++] = (struct claim){
				.key = ((double)whole + 1 - offset_of(hashes[i])) / (double)weight,
				.hash = hashes[i],
				.backend = i,
			};
	}
	if (sum) { /* left < claim_count: the fractions sum to `left`, and each is below 1 */
		claims_select(claims, claim_count, left);
		for (uint32_t i = 0; i < left; i++)
			ret_quotas[claims[i].backend]++;
	}
	free(claims);
	return 0;
}
