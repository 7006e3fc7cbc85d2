/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mirrors controller/settle.c: what the map's entry says after each move. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "controller/slots.h"

static void assert_slot(const char *name, struct slot is, struct slot want)
{
	if (is.primary != want.primary || is.secondary != want.secondary || is.home != want.home ||
	    is.moved != want.moved)
		fail_msg("%s: {%u, %u, %u, %u}, not {%u, %u, %u, %u}", name, is.primary,
			 is.secondary, is.home, is.moved, want.primary, want.secondary, want.home,
			 want.moved);
}

static void moves(void **state)
{
	static const struct {
		const char *name;
		struct slot given;
		uint16_t primary, home;
		struct slot want;
	} rows[] = {
		{"new: settled", {0, 0, 0, 0}, 5, 5, {5, 0, 5, 9}},
		{"new and lent at once: settled", {0, 0, 0, 0}, 6, 5, {6, 0, 5, 9}},
		{"same primary: nothing moves", {5, 7, 5, 3}, 5, 5, {5, 7, 5, 3}},
		{"same primary, new home", {5, 0, 5, 3}, 5, 8, {5, 0, 8, 3}},
		{"the same, unsettled: the old one", {5, 7, 5, 3}, 5, 8, {5, 7, 5, 3}},
		{"lent: its home is second", {5, 0, 5, 3}, 6, 5, {6, 5, 5, 9}},
		{"came home: its borrower is second", {6, 5, 5, 3}, 5, 5, {5, 6, 5, 9}},
		{"moves on unsettled: last owner, and home third",
		 {6, 5, 5, 3},
		 7,
		 5,
		 {7, 6, 5, 9}},
		{"a new home: the old one is third", {6, 5, 5, 3}, 8, 8, {8, 6, 5, 9}},
		{"and on from there", {8, 6, 5, 3}, 7, 8, {7, 8, 5, 9}},
		{"same primary, a new home, unsettled", {7, 6, 5, 3}, 7, 8, {7, 6, 5, 3}},
		{"settled away from home: its owner has all flows", {7, 0, 5, 3}, 6, 8, {6, 7, 7, 9}},
		{"a new home takes a settled slot", {5, 0, 5, 3}, 8, 8, {8, 5, 5, 9}},
		{"and lends it: the first owner is third", {8, 5, 5, 3}, 7, 8, {7, 8, 5, 9}},
		{"a new home that did not have it yet", {5, 0, 8, 3}, 8, 8, {8, 5, 5, 9}},
		{"back at the old home: known", {8, 6, 5, 3}, 5, 8, {5, 8, 5, 9}},
		{"back to the owner before", {7, 6, 5, 3}, 6, 5, {6, 7, 5, 9}},
		{"nobody takes it: the owner is kept", {6, 0, 5, 3}, 0, 5, {0, 6, 6, 9}},
		{"somebody takes it again", {0, 6, 5, 3}, 7, 5, {7, 6, 5, 9}},
		{"the same one takes it again: settled", {0, 6, 5, 3}, 6, 5, {6, 0, 5, 9}},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_slot(rows[i].name,
			    slot_move(rows[i].given, rows[i].primary, rows[i].home, 9),
			    rows[i].want);
}

static void settles(void **state)
{
	static const struct {
		const char *name;
		struct slot given;
		uint16_t coarse_s;
		uint32_t settle_s;
		bool gone;
		struct slot want;
	} rows[] = {
		{"settled stays", {6, 0, 5, 10}, 9000, 60, true, {6, 0, 5, 10}},
		{"too early", {6, 5, 5, 10}, 69, 60, false, {6, 5, 5, 10}},
		{"in time", {6, 5, 5, 10}, 70, 60, false, {6, 0, 5, 10}},
		{"over the wrap", {6, 5, 5, 65500}, 24, 60, false, {6, 0, 5, 65500}},
		{"before and over the wrap", {6, 5, 5, 65500}, 23, 60, false, {6, 5, 5, 65500}},
		{"never", {6, 5, 5, 10}, 60000, 0, false, {6, 5, 5, 10}},
		{"its home is gone", {6, 5, 5, 10}, 11, 60, true, {6, 0, 5, 10}},
		{"the second is gone, the third stays", {7, 6, 5, 10}, 11, 60, true, {7, 5, 5, 10}},
		{"came home, the borrower is gone", {5, 6, 5, 10}, 11, 0, true, {5, 0, 5, 10}},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_slot(rows[i].name,
			    slot_settle(rows[i].given, rows[i].coarse_s, rows[i].settle_s,
					rows[i].gone),
			    rows[i].want);
}

static void coarse_time(void **state)
{
	assert_int_equal(slot_coarse(0), 1);
	assert_int_equal(slot_coarse(1), 1);
	assert_int_equal(slot_coarse(65535), 65535);
	assert_int_equal(slot_coarse(65536), 1);
	assert_int_equal(slot_coarse(65536 + 17), 17);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(moves),
		cmocka_unit_test(settles),
		cmocka_unit_test(coarse_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
