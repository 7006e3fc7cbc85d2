/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mirrors controller/state.c: what was saved is loaded; what was damaged, anywhere, is set aside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/state.h"

static char dir[] = "/tmp/ebb-test-state.XXXXXX";
static char path[64], bad[64], temporary[64];

static int make_dir(void **state)
{
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/state.json", dir);
	snprintf(bad, sizeof(bad), "%s/state.json.bad", dir);
	snprintf(temporary, sizeof(temporary), "%s/state.json.new", dir);
	return 0;
}

static int remove_dir(void **state)
{
	unlink(path);
	unlink(bad);
	unlink(temporary);
	return rmdir(dir);
}

static int clear(void **state)
{
	unlink(path);
	unlink(bad);
	unlink(temporary);
	return 0;
}

static void save(const char *text)
{
	json_t *json = json_loads(text, 0, NULL);

	assert_non_null(json);
	assert_int_equal(state_save(dir, json, NULL), 0);
	json_decref(json);
}

static size_t slurp(char *to, size_t room)
{
	FILE *f = fopen(path, "r");
	size_t n;

	assert_non_null(f);
	n = fread(to, 1, room, f);
	fclose(f);
	return n;
}

static void spill(const char *from, size_t n)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(from, 1, n, f), n);
	fclose(f);
}

static const char sample[] =
	"{\"backends\":{\"fra-1\":{\"health\":\"down\",\"state\":\"drain\",\"weight\":0.1}},\"frozen\":true}";

static void round_trip(void **state)
{
	json_t *json = NULL, *want = json_loads(sample, 0, NULL);

	assert_int_equal(state_load(dir, NULL, &json), -ENOENT);
	save(sample);
	assert_int_equal(state_load(dir, NULL, &json), 0);
	assert_true(json_equal(json, want));
	assert_int_equal(access(temporary, F_OK), -1);
	json_decref(json);
	json_decref(want);
}

/* Every byte flipped, every length cut. */
static void any_damage_is_seen(void **state)
{
	char whole[512], hurt[512];
	struct err err;
	size_t n;

	save(sample);
	n = slurp(whole, sizeof(whole));
	for (size_t i = 0; i < 2 * n; i++) {
		json_t *json = NULL;

		memcpy(hurt, whole, n);
		if (i < n)
			hurt[i] ^= 1;
		spill(hurt, i < n ? n : i - n);
		assert_int_equal(state_load(dir, &err, &json), -EBADMSG);
		assert_null(json);
		assert_int_equal(access(path, F_OK), -1);
		assert_int_equal(access(bad, F_OK), 0);
		assert_int_equal(state_load(dir, &err, &json), -ENOENT);
	}
}

static void right_checksum_of_no_object(void **state)
{
	json_t *list = json_pack("[i]", 1), *json = NULL;

	assert_int_equal(state_save(dir, list, NULL), 0);
	assert_int_equal(state_load(dir, NULL, &json), -EBADMSG);
	json_decref(list);
}

static void no_regular_file(void **state)
{
	json_t *json = NULL;

	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(state_load(dir, NULL, &json), -EBADMSG);
}

static void an_interrupted_save_hurts_nothing(void **state)
{
	json_t *json = NULL;
	FILE *f;

	save(sample);
	f = fopen(temporary, "w");
	assert_non_null(f);
	fputs("ebb-state 1 half a fi", f);
	fclose(f);
	assert_int_equal(state_load(dir, NULL, &json), 0);
	json_decref(json);
	save("{}");
	assert_int_equal(state_load(dir, NULL, &json), 0);
	assert_int_equal(json_object_size(json), 0);
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(round_trip, clear),
		cmocka_unit_test_setup(any_damage_is_seen, clear),
		cmocka_unit_test_setup(right_checksum_of_no_object, clear),
		cmocka_unit_test_setup(no_regular_file, clear),
		cmocka_unit_test_setup(an_interrupted_save_hurts_nothing, clear),
	};

	return cmocka_run_group_tests_name("state", tests, make_dir, remove_dir);
}
