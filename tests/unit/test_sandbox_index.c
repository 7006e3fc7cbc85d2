/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mirrors controller/sandbox_index.c: what was added is found as packets look for it, whatever comes, goes and collides. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>

#include "maps/hash.h"
#include "tests/unit/random.h"

/* Every store of the index, in their order. */
#define STORES_MAX 3

static struct {
	size_t word; /* of the index */
	uint64_t value;
} stores[STORES_MAX];
static uint32_t store_count;
static const void *stored_in;

static void store(uint64_t *at, uint64_t value)
{
	if (stored_in && store_count < STORES_MAX) {
		stores[store_count].word = (size_t)(at - (const uint64_t *)stored_in);
		stores[store_count].value = value;
	}
	store_count++;
	*at = value;
}

#define __atomic_store_n(at, value, order) store(at, value)
#include "controller/sandbox_index.c" /* itself, so that its stores are seen */

static struct sandbox_index table(uint32_t sets, uint64_t seed)
{
	struct sandbox_index index = {.sets_max = sets, .seed = seed};

	index.sets = aligned_alloc(64, sets * sizeof(*index.sets));
	assert_non_null(index.sets);
	sandbox_index_clear(&index, sets);
	return index;
}

/* As prefixes hand addresses out: one after the other. */
static struct sandbox_key key(uint32_t i, bool ipv4)
{
	struct sandbox_key k = {.service = ipv4 ? 3 : 4};
	uint32_t last = htonl((ipv4 ? 0x0a000000 : 0) + i);

	if (ipv4)
		memcpy(k.address.bytes + 10, "\xff\xff", 2);
	else
		memcpy(k.address.bytes, "\x20\x01\x0d\xb8", 4);
	memcpy(k.address.bytes + 12, &last, 4);
	return k;
}

/* Of what the hash does with neighbours, tags do not collide as chance would have it. */
static struct sandbox_key random_key(uint32_t i)
{
	struct sandbox_key k = key(0, false);
	uint64_t bits = hash_mix(i);

	memcpy(k.address.bytes + 8, &bits, 8);
	return k;
}

static struct sandbox value(uint32_t i)
{
	return (struct sandbox){.backend = (uint16_t)(1 + i % 65535), .former = (uint16_t)(i * 7)};
}

static void assert_is(const struct sandbox_index *index, const struct sandbox_key *k, struct sandbox want)
{
	struct sandbox found = {0};

	assert_int_equal(sandbox_index_find(index, k, &found), 1);
	assert_int_equal(found.backend, want.backend);
	assert_int_equal(found.former, want.former);
}

static void added_changed_deleted(void **state)
{
	struct sandbox_index index = table(256, 1);
	struct sandbox_key one = key(1, true), other_port = one, other_service = one;
	struct sandbox found;

	other_port.port_be = htons(80);
	other_service.service = 9;
	assert_int_equal(sandbox_index_find(&index, &one, &found), 0);
	assert_int_equal(sandbox_index_add(&index, &one, &(struct sandbox){.backend = 7}), 0);
	assert_is(&index, &one, (struct sandbox){.backend = 7});
	assert_int_equal(sandbox_index_find(&index, &other_port, &found), 0);
	assert_int_equal(sandbox_index_find(&index, &other_service, &found), 0);
	sandbox_index_change(&index, &one, &(struct sandbox){.backend = 65535, .former = 7});
	assert_is(&index, &one, (struct sandbox){.backend = 65535, .former = 7});
	assert_int_equal(index.used, 1);
	sandbox_index_del(&index, &one);
	assert_int_equal(sandbox_index_find(&index, &one, &found), 0);
	assert_int_equal(index.used, 0);
	free(index.sets);
}

/* Two whose first set and tag are the same. With one set the tag alone decides: a birthday among 2^31. */
static void a_collision_asks_the_map(void **state)
{
	enum { N = 400000 };
	struct sandbox_index index = table(1, 0x1234);
	uint64_t *seen = calloc(1 << 22, sizeof(*seen)); /* tag, number + 1 */
	struct sandbox_key a = {0}, b = {0}, c = random_key(N);
	struct sandbox found;
	uint32_t pairs = 0;

	for (uint32_t i = 0; i < N; i++) {
		struct sandbox_key k = random_key(i);
		uint32_t tag = hash_sandbox_tag(hash_sandbox(0, &k.address, 0, k.service, index.seed));
		uint32_t at = tag & ((1 << 22) - 1);

		for (; seen[at] && seen[at] >> 32 != tag; at = (at + 1) & ((1 << 22) - 1))
			;
		if (seen[at] && !pairs++) {
			a = random_key((uint32_t)seen[at] - 1);
			b = k;
		}
		seen[at] = (uint64_t)tag << 32 | (i + 1);
	}
	assert_in_range(pairs, 10, 90); /* 37 are expected */
	assert_int_equal(sandbox_index_add(&index, &a, &(struct sandbox){.backend = 1}), 0);
	assert_int_equal(sandbox_index_add(&index, &c, &(struct sandbox){.backend = 3}), 0);
	assert_int_equal(sandbox_index_find(&index, &b, &found), 1); /* not placed: the price of a tag */
	assert_int_equal(sandbox_index_add(&index, &b, &(struct sandbox){.backend = 2}), 0);
	assert_int_equal(sandbox_index_find(&index, &a, &found), -EAGAIN);
	assert_int_equal(sandbox_index_find(&index, &b, &found), -EAGAIN);
	assert_int_equal(index.asked, 1);
	sandbox_index_change(&index, &a, &(struct sandbox){.backend = 5});
	assert_int_equal(sandbox_index_find(&index, &b, &found), -EAGAIN);
	sandbox_index_del(&index, &a); /* nobody knows whether others still need it */
	assert_int_equal(sandbox_index_find(&index, &b, &found), -EAGAIN);
	assert_is(&index, &c, (struct sandbox){.backend = 3});
	free(seen);
	free(index.sets);
}

static void no_room_changes_nothing(void **state)
{
	struct sandbox_index index = table(2, 5);
	struct sandbox_set before[2];
	uint32_t i;
	int e = 0;

	for (i = 0; !e; i++) {
		struct sandbox_key k = key(i, true);
		struct sandbox v = value(i);

		memcpy(before, index.sets, sizeof(before));
		e = sandbox_index_add(&index, &k, &v);
	}
	assert_int_equal(e, -ENOSPC);
	assert_in_range(i, 9, 17);
	assert_int_equal(index.used, i - 1);
	assert_memory_equal(before, index.sets, sizeof(before));
	free(index.sets);
}

/* As full as sandbox_index_sets_for() lets them be: there is room for each, and all are found. */
static void full_tables_of_each_size(void **state)
{
	struct random r = random_start("full tables");
	bool ipv4 = false;

	for (uint32_t sets = 256, count; sets <= 262144; sets += sets / 4, ipv4 = !ipv4) {
		struct sandbox_index index = table(sets, random_bits(&r));
		uint32_t second = 0;

		for (count = sets * 7; sandbox_index_sets_for(count) > sets; count--)
			;
		for (uint32_t i = 0; i < count; i++) {
			struct sandbox_key k = key(i, ipv4);
			struct sandbox v = value(i);

			if (sandbox_index_add(&index, &k, &v))
				fail_msg("no room for %u of %u in %u sets", i, count, sets);
		}
		for (uint32_t i = 0; i < count; i++) {
			struct sandbox_key k = key(i, ipv4);

			assert_is(&index, &k, value(i));
		}
		for (uint32_t i = 0; i < sets * SANDBOX_WAYS; i++)
			second += index.sets[i / SANDBOX_WAYS].way[i % SANDBOX_WAYS].tag >> 31;
		printf("    %u sets, %u sandboxes: %.1f %% in their second set, %u ask\n", sets, count,
		       100.0 * second / count, index.asked);
		assert_int_equal(index.used, count - index.asked);
		assert_int_equal(index.asked, 0); /* 2^-31 a pair: seen once in thousands of runs */
		free(index.sets);
	}
}

/* Years of births and ends: what is there is found, what is gone is not, and no way leaks. */
static void churn(void **state)
{
	enum { LIVE = 6963, ALL = 20000 }; /* 85 % of 1024 sets */
	struct random r = random_start("churn");
	struct sandbox_index index = table(1024, random_bits(&r));
	uint8_t *there = calloc(ALL, 1);
	uint32_t count = 0, refused = 0;
	struct sandbox found;

	for (uint32_t step = 0; step < 2000000; step++) {
		uint32_t i = random_below(&r, ALL);
		struct sandbox_key k = key(i, false);
		struct sandbox v = value(i);

		if (there[i]) {
			sandbox_index_del(&index, &k);
			count--;
		} else if (count == LIVE) {
			continue;
		} else if (sandbox_index_add(&index, &k, &v)) {
			refused++;
			continue;
		} else {
			count++;
		}
		there[i] = !there[i];
	}
	for (uint32_t i = 0; i < ALL; i++) {
		struct sandbox_key k = key(i, false);

		if (there[i])
			assert_is(&index, &k, value(i));
		else
			assert_int_equal(sandbox_index_find(&index, &k, &found), 0);
	}
	printf("    2000000 births and ends at 85 %%: %u found no room\n", refused);
	assert_int_equal(index.used, count);
	assert_in_range(refused, 0, 20);
	free(there);
	free(index.sets);
}

/* --- who reads meanwhile */

/* As bpf/sandbox.h: the first set as it was at one moment, then the second as it was at that moment or later. */
static bool is_seen(const struct sandbox_index *first, const struct sandbox_index *second,
		    const struct sandbox_key *k)
{
	uint64_t hash = hash_sandbox(0, &k->address, 0, k->service, first->seed);
	uint32_t tag = hash_sandbox_tag(hash), set = hash_sandbox_set(hash, first->set_count);

	return way_with(first, set, tag) ||
	       way_with(second, hash_sandbox_other(set, tag, first->set_count), tag | SANDBOX_SECOND);
}

/* All that stand in the index before and after, between any two of its stores. */
static void assert_nobody_is_missed(const struct sandbox_index *before, const struct sandbox_key *keys,
				    uint32_t count)
{
	struct sandbox_index at[STORES_MAX + 1]; /* behind so many stores */

	for (uint32_t n = 0; n <= store_count; n++) {
		at[n] = table(before->set_count, before->seed);
		memcpy(at[n].sets, (n ? &at[n - 1] : before)->sets, before->set_count * sizeof(*at[n].sets));
		if (n)
			((uint64_t *)at[n].sets)[stores[n - 1].word] = stores[n - 1].value;
	}
	for (uint32_t i = 0; i < count; i++)
		for (uint32_t first = 0; first <= store_count; first++)
			for (uint32_t second = first; second <= store_count; second++)
				if (!is_seen(&at[first], &at[second], &keys[i]))
					fail_msg("sandbox %u is missed between stores %u and %u of %u", i,
						 first, second, store_count);
	for (uint32_t n = 0; n <= store_count; n++)
		free(at[n].sets);
}

static void nobody_is_missed_while_others_move(void **state)
{
	enum { SETS = 64, LIVE = 435, STEPS = 10000 }; /* 85 % */
	struct random r = random_start("readers");
	struct sandbox_index index = table(SETS, random_bits(&r)), before = table(SETS, index.seed);
	struct sandbox_key keys[LIVE];
	uint32_t moves[STORES_MAX] = {0};

	for (uint32_t step = 0, count = 0; step < STEPS; step++) {
		struct sandbox_key comes = key(step, false);
		struct sandbox v = value(step);

		if (count == LIVE) {
			uint32_t i = random_below(&r, LIVE);

			sandbox_index_del(&index, &keys[i]);
			keys[i] = keys[--count];
		}
		memcpy(before.sets, index.sets, SETS * sizeof(*index.sets));
		stored_in = index.sets;
		store_count = 0;
		if (sandbox_index_add(&index, &comes, &v))
			continue;
		moves[store_count - 1]++;
		if (store_count > 1)
			assert_nobody_is_missed(&before, keys, count);
		keys[count++] = comes;
	}
	printf("    %u were added without a move, %u by one, %u by two\n", moves[0], moves[1], moves[2]);
	assert_in_range(moves[1], 10, STEPS);
	free(index.sets);
	free(before.sets);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(added_changed_deleted),
		cmocka_unit_test(a_collision_asks_the_map),
		cmocka_unit_test(no_room_changes_nothing),
		cmocka_unit_test(full_tables_of_each_size),
		cmocka_unit_test(churn),
		cmocka_unit_test(nobody_is_missed_while_others_move),
	};

	return cmocka_run_group_tests_name("sandbox_index", tests, NULL, NULL);
}
