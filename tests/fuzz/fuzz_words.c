// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_words: any words on the command line of `ebb`, one a line. Either there is a command whose needed arguments are
 * there and whose numbers are within their bounds, or a reason.
 */
#include <math.h>
#include <string.h>

#include "controller/cli/command.h"
#include "tests/fuzz/fuzz.h"

#define WORDS_MAX 64

/* main.c's, which is not part of this. */
int cli_call(struct cli *cli, const char *method, const json_t *params, json_t **ret_result)
{
	return CLI_NO_DAEMON;
}

int cli_fail(enum cli_exit code, const char *fmt, ...)
{
	return code;
}

void cli_print_json(struct cli *cli, const json_t *doc, bool one_line)
{
}

static void check_value(const struct arg *arg, const json_t *value)
{
	if (!value)
		return;
	if (arg->kind == ARG_RATIO)
		must(json_number_value(value) >= 0 && json_number_value(value) <= 1);
	if (arg->kind == ARG_DURATION)
		must(isfinite(json_number_value(value)) && json_number_value(value) >= 0);
	if (arg->kind == ARG_STEPS)
		must(json_is_array(value) && json_array_size(value) > 0);
	if (arg->kind == ARG_INTEGER)
		must(json_is_integer(value) && json_integer_value(value) >= 0);
}

static void check_line(const struct command_line *line)
{
	if (line->help || line->version)
		return;
	must(line->command && line->params);
	for (const struct arg *arg = line->command->args; arg && arg->kind != ARG_END; arg++) {
		must(!(arg->flags & ARG_REQUIRED) || json_object_get(line->params, arg->key));
		check_value(arg, json_object_get(line->params, arg->key));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	char *text = malloc(length + 1), *rest = text, *argv[WORDS_MAX + 1] = {"ebb"};
	struct command_line line = {0};
	struct cli cli = {0};
	struct err err = {{0}};
	int argc = 1, e;

	must(text);
	memcpy(text, bytes, length);
	text[length] = 0;
	while (rest && argc < WORDS_MAX)
		argv[argc++] = strsep(&rest, "\n");
	e = command_parse(argc, argv, &cli, &err, &line);
	must(!e || err.text[0]);
	if (!e)
		check_line(&line);
	json_decref(line.params);
	free(text);
	return 0;
}
