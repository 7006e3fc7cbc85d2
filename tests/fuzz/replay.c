// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * replay: a fuzz target without a fuzzer: every file of its corpus, once, as a test of its own. Linked with fuzz_X as
 * build/tests/corpus/fuzz_X it replays tests/fuzz/corpus/X, where what was once found stays found.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

#define FILES_MAX 256
#define BYTES_MAX (1024 * 1024)

__attribute__((weak)) int LLVMFuzzerInitialize(int *argc, char ***argv);

static void replay(void **state)
{
	FILE *file = fopen(*state, "r");
	uint8_t *bytes = malloc(BYTES_MAX), *exact;
	size_t length;

	assert_true(file && bytes);
	length = fread(bytes, 1, BYTES_MAX, file);
	fclose(file);
	assert_true(length < BYTES_MAX);
	exact = malloc(length ? length : 1); /* so that one byte too far is seen */
	assert_non_null(exact);
	memcpy(exact, bytes, length);
	assert_int_equal(LLVMFuzzerTestOneInput(exact, length), 0);
	free(exact);
	free(bytes);
}

static size_t find_files(const char *dir, struct CMUnitTest *ret_tests)
{
	struct dirent **names;
	int n = scandir(dir, &names, NULL, alphasort);
	size_t count = 0;
	char path[PATH_MAX + NAME_MAX + 2];

	for (int i = 0; i < n && count < FILES_MAX; i++) {
		if (names[i]->d_name[0] != '.') {
			snprintf(path, sizeof(path), "%s/%s", dir, names[i]->d_name);
			ret_tests[count++] = (struct CMUnitTest){.name = strdup(names[i]->d_name),
								 .test_func = replay,
								 .initial_state = strdup(path)};
		}
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	return count;
}

int main(int argc, char **argv)
{
	static struct CMUnitTest tests[FILES_MAX];
	const char *target = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
	char dir[PATH_MAX];
	size_t count;
	int failed;

	snprintf(dir, sizeof(dir), "tests/fuzz/corpus/%s", strncmp(target, "fuzz_", 5) ? target : target + 5);
	count = find_files(dir, tests);
	if (!count) {
		fprintf(stderr, "%s: no corpus; run me from the root of the tree\n", dir);
		return 1;
	}
	if (LLVMFuzzerInitialize)
		LLVMFuzzerInitialize(&argc, &argv);
	failed = _cmocka_run_group_tests(target, tests, count, NULL, NULL);
	for (size_t i = 0; i < count; i++) {
		free((char *)tests[i].name);
		free(tests[i].initial_state);
	}
	return failed;
}
