/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mirrors controller/migrate.c. The numbers are those of migrate.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <linux/bpf.h>

#include "controller/migrate.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static void halve(const void *old, void *value)
{
	const uint32_t *from = old;
	uint64_t *to = value;

	to[0] = from[0] / 2;
	to[1] = from[1] / 2;
}

static const struct migration table[] = {
	{"grown", MIGRATE_GROWN},
	{"halved", MIGRATE_GROWN},
	{"halved", MIGRATE_BY_FUNCTION, 8, halve},
	{"cache", MIGRATE_CACHE},
	{"ports", MIGRATE_GROWN},
};

static void decisions(void **state)
{
	static const struct {
		const char *name, *map;
		struct map_kind pinned, ours;
		enum migrate want;
		int want_row; /* of MIGRATE_CARRY */
	} rows[] = {
		{"1: the same", "grown", {2, 0, 4, 16}, {2, 0, 4, 16}, MIGRATE_SAME, 0},
		{"1: the same, of a map without a row", "slots", {2, 0, 4, 8}, {2, 0, 4, 8}, MIGRATE_SAME, 0},
		{"1: a flag that the kernel adds", "ports", {BPF_MAP_TYPE_DEVMAP, BPF_F_RDONLY_PROG, 4, 4},
		 {BPF_MAP_TYPE_DEVMAP, 0, 4, 4}, MIGRATE_SAME, 0},
		{"2: the function knows it", "halved", {2, 0, 4, 8}, {2, 0, 4, 16}, MIGRATE_CARRY, 2},
		{"2: and is asked before 3", "halved", {2, 0, 4, 8}, {2, 0, 4, 24}, MIGRATE_CARRY, 2},
		{"3: another size, which only grew", "halved", {2, 0, 4, 12}, {2, 0, 4, 16}, MIGRATE_CARRY, 1},
		{"3: shorter", "grown", {2, 0, 4, 8}, {2, 0, 4, 16}, MIGRATE_CARRY, 0},
		{"4: any other layout", "cache", {2, 0, 4, 8}, {1, 1, 8, 4}, MIGRATE_ANEW, 0},
		{"5: longer: of a newer version", "grown", {2, 0, 4, 24}, {2, 0, 4, 16}, MIGRATE_REFUSE, 0},
		{"5: another key", "grown", {2, 0, 8, 8}, {2, 0, 4, 16}, MIGRATE_REFUSE, 0},
		{"5: another type", "grown", {1, 0, 4, 8}, {2, 0, 4, 16}, MIGRATE_REFUSE, 0},
		{"5: other flags", "grown", {2, 1, 4, 8}, {2, 0, 4, 16}, MIGRATE_REFUSE, 0},
		{"5: another key, though the value is one that a function knows", "halved", {2, 0, 8, 8}, {2, 0, 4, 16}, MIGRATE_REFUSE, 0},
		{"5: no row", "slots", {2, 0, 4, 4}, {2, 0, 4, 8}, MIGRATE_REFUSE, 0},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct migration *row = NULL;
		enum migrate got = migrate_decide(table, COUNT(table), rows[i].map, &rows[i].pinned,
						  &rows[i].ours, &row);

		if (got != rows[i].want)
			fail_msg("%s: %d", rows[i].name, got);
		if (got == MIGRATE_CARRY && row != &table[rows[i].want_row])
			fail_msg("%s: row %td", rows[i].name, row - table);
	}
}

static void values(void **state)
{
	const uint32_t old[2] = {10, 21};
	uint64_t to[3];

	memset(to, 0xff, sizeof(to));
	migrate_value(&table[0], old, sizeof(old), to, sizeof(to));
	assert_memory_equal(to, old, sizeof(old));
	assert_true(to[1] == 0 && to[2] == 0); /* zeros behind */
	memset(to, 0xff, sizeof(to));
	migrate_value(&table[2], old, sizeof(old), to, sizeof(to));
	assert_true(to[0] == 5 && to[1] == 10 && to[2] == 0);
	migrate_value(NULL, old, sizeof(old), to, sizeof(old)); /* the same layout, a larger map */
	assert_memory_equal(to, old, sizeof(old));
}

/* What packets and people rely on outlives a version; slots and flows are refused. */
static void our_table(void **state)
{
	static const char *const kept[] = {"settings", "services", "prefixes", "backends", "backend_names", "nexthops", "pools", "sandboxes"};
	static const char *const refused[] = {"slots", "flows", "ports", "next"};
	const struct map_kind old = {2, 0, 4, 8}, ours = {2, 0, 4, 16};
	const struct migration *row;

	for (size_t i = 0; i < COUNT(kept); i++)
		assert_int_equal(migrate_decide(migrations, migration_count, kept[i], &old, &ours, &row), MIGRATE_CARRY);
	for (size_t i = 0; i < COUNT(refused); i++)
		assert_int_equal(migrate_decide(migrations, migration_count, refused[i], &old, &ours, &row), MIGRATE_REFUSE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decisions),
		cmocka_unit_test(values),
		cmocka_unit_test(our_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
