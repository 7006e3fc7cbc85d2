/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mirrors controller/cli/simulate.c: the command from its words to its files, and what it says of a bad scenario. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controller/cli/command.h"
#include "controller/cli/local.h"

static char failed[512]; /* what main.c would have printed on stderr */

int cli_call(struct cli *cli, const char *method, const json_t *params, json_t **ret_result)
{
	return CLI_NO_DAEMON;
}

int cli_fail(enum cli_exit code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(failed, sizeof(failed), fmt, ap);
	va_end(ap);
	return code;
}

void cli_print_json(struct cli *cli, const json_t *doc, bool one_line)
{
	json_dumpf(doc, cli->out, JSON_COMPACT);
}

static char directory[64], path[4][128]; /* scenario, csv, svg, nowhere */

static int begin(void **state)
{
	static const char *const names[] = {"s.yaml", "s.csv", "s.svg", "nowhere/s.svg"};

	strcpy(directory, "/tmp/ebb-test-XXXXXX");
	assert_non_null(mkdtemp(directory));
	for (int i = 0; i < 4; i++)
		snprintf(path[i], sizeof(path[i]), "%s/%s", directory, names[i]);
	failed[0] = 0;
	return 0;
}

static int end(void **state)
{
	for (int i = 0; i < 3; i++)
		unlink(path[i]);
	assert_int_equal(rmdir(directory), 0);
	return 0;
}

/* Runs `ebb WORDS…` as it would be typed; gives what it prints, to be freed. */
static int typed(const char *scenario, const char *const *words, char **ret_printed)
{
	char *argv[16] = {"ebb", "simulate", path[0]};
	struct command_line line = {0};
	struct err err = {{0}};
	struct cli cli = {0};
	FILE *file = fopen(path[0], "w");
	int argc = 3, rc;
	size_t length;

	assert_non_null(file);
	fputs(scenario, file);
	fclose(file);
	for (; *words; words++)
		argv[argc++] = (char *)*words;
	if (command_parse(argc, argv, &cli, &err, &line))
		fail_msg("%s", err.text);
	cli.out = open_memstream(ret_printed, &length);
	rc = line.command->run(&cli, line.command, line.params);
	fclose(cli.out);
	json_decref(line.params);
	return rc;
}

#define GOOD                                                                                       \
	"seed: 1\nduration: 30s\ntopology: {providers: 2, regions: 2, backends: 8, slots: 256, pools: 2}\n"          \
	"events: [{at: 5s, for: 5s, what: dead, where: b1, label: \"one dies\"}]\n"

static void test_a_person_reads_what_came_of_it(void **state)
{
	static const char *const said[] = {"one dies", "pool pool1", "pool pool2", "slots moved", "fastest fall",
					   "overshoot", "above headroom", "8 backends in 2 regions of 2 providers"};
	char *printed;

	assert_int_equal(typed(GOOD, (const char *[]){NULL}, &printed), CLI_DONE);
	for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++)
		if (!strstr(printed, said[i]))
			fail_msg("it does not say \"%s\":\n%s", said[i], printed);
	free(printed);
}

static void test_files_and_a_document(void **state)
{
	char *printed, line[256] = "";
	json_t *doc;
	FILE *file;

	assert_int_equal(typed(GOOD, (const char *[]){"--csv", path[1], "--svg", path[2], "--pool", "pool2", "-j", NULL},
			       &printed), CLI_DONE);
	doc = json_loads(printed, 0, NULL);
	assert_int_equal(json_array_size(json_object_get(doc, "pools")), 2);
	json_decref(doc);
	free(printed);
	file = fopen(path[1], "r");
	assert_true(file && fgets(line, sizeof(line), file));
	assert_memory_equal(line, "time,pool,group,", 16);
	fclose(file);
	file = fopen(path[2], "r");
	assert_true(file && fgets(line, sizeof(line), file));
	assert_memory_equal(line, "<svg ", 5);
	fclose(file);
}

static void test_refused(void **state)
{
	char *printed;

	assert_int_equal(typed("seed: 1\n", (const char *[]){NULL}, &printed), CLI_REFUSED);
	assert_string_equal(printed, "");
	free(printed);
	assert_int_equal(typed(GOOD, (const char *[]){"--pool", "pool3", NULL}, &printed), CLI_REFUSED);
	assert_string_equal(failed, "the scenario has no pool pool3");
	free(printed);
	assert_int_equal(typed(GOOD, (const char *[]){"--svg", path[3], NULL}, &printed), CLI_REFUSED);
	assert_non_null(strstr(failed, "nowhere/s.svg: No such file or directory"));
	free(printed);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(test_a_person_reads_what_came_of_it),
		TEST(test_files_and_a_document),
		TEST(test_refused),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
