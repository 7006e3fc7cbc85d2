// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The manual, the completion and the protocol's description against the table of commands: what can be typed is written
 * down, and completed. Run from the top of the tree, as `make test` does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/cli/command.h"

#define FILE_MAX (256 * 1024)

/* main.c's, which is not part of the test. */
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

static char *slurp(const char *path)
{
	char *text = calloc(1, FILE_MAX);
	FILE *from = fopen(path, "r");

	if (!from)
		fail_msg("%s cannot be read; run me from the top of the tree", path);
	assert_true(fread(text, 1, FILE_MAX - 1, from) > 0);
	fclose(from);
	return text;
}

/* The text from the line that begins an entry `object verb` of the manual to the next entry; NULL: there is none. */
static char *manual_entry(const char *manual, const struct command *c)
{
	for (const char *at = manual; (at = strstr(at, "\n.It Cm ")); at++) {
		const char *end = strchr(at + 1, '\n'), *next = strstr(at + 1, "\n.It Cm ");
		char line[1024];

		snprintf(line, sizeof(line), "%.*s ", (int)(end - at - 1), at + 1);
		/* Words after the object, up to the first argument, are its verbs: "shift pause , resume ...". */
		if (strstr(line, c->object) && (!c->verb || strstr(line, c->verb)))
			return strndup(at, next ? (size_t)(next - at) : strlen(at));
	}
	return NULL;
}

static void test_the_manual_has_every_command_and_option(void **state)
{
	char *manual = slurp("docs/man/ebb.8");

	for (const struct command *c = commands; c->object; c++) {
		char *entry = manual_entry(manual, c);

		if (!entry)
			fail_msg("ebb.8 has no %s %s", c->object, c->verb ? c->verb : "");
		free(entry);
		for (const struct arg *a = c->args; a && a->name; a++) {
			char macro[64];

			snprintf(macro, sizeof(macro), "Fl -%s", a->name + 2);
			if (a->name[0] == '-' && !strstr(manual, macro))
				fail_msg("ebb.8 has no %s of %s", a->name, c->object);
		}
	}
	free(manual);
}

/* What bash would be offered, by the completion's own functions. */
static char *completed(const char *function, const struct command *c)
{
	char shell[512], *text = calloc(1, 4096);
	FILE *from;

	snprintf(shell, sizeof(shell), "bash -c '. packaging/ebb.bash-completion; %s %s %s' | tr '\\n' ' '", function,
		 c->object, c->verb ? c->verb : "\"\"");
	from = popen(shell, "r");
	assert_non_null(from);
	text[0] = ' ';
	assert_true(fread(text + 1, 1, 4000, from) < 4000);
	pclose(from);
	strcat(text, " ");
	return text;
}

static void assert_word(const char *words, const char *word)
{
	char wanted[64];

	snprintf(wanted, sizeof(wanted), " %s ", word);
	if (!strstr(words, wanted))
		fail_msg("\"%s\" is not completed; there is:%s", word, words);
}

static void test_the_completion_has_every_command_and_option(void **state)
{
	char *script = slurp("packaging/ebb.bash-completion");

	for (const struct command *c = commands; c->object; c++) {
		char *verbs = completed("_ebb_verbs", c), *options = completed("_ebb_options", c);

		if (c->verb)
			assert_word(verbs, c->verb);
		for (const struct arg *a = c->args; a && a->name; a++) {
			if (a->name[0] == '-')
				assert_word(options, a->name);
		}
		assert_word(options, "--json");
		assert_non_null(strstr(script, c->object));
		free(verbs);
		free(options);
	}
	free(script);
}

static void test_the_protocol_has_every_method(void **state)
{
	char *protocol = slurp("docs/control.md");

	for (const struct command *c = commands; c->object; c++) {
		char quoted[64];

		snprintf(quoted, sizeof(quoted), "`%s`", c->method ? c->method : "status");
		if (!strstr(protocol, quoted))
			fail_msg("docs/control.md has no %s", quoted);
	}
	free(protocol);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_manual_has_every_command_and_option),
		cmocka_unit_test(test_the_completion_has_every_command_and_option),
		cmocka_unit_test(test_the_protocol_has_every_method),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
