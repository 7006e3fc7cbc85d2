// SPDX-License-Identifier: GPL-2.0-or-later
/* Words to requests: rows of a command line and what the daemon would be asked, or what a person would be told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controller/cli/command.h"

#define WORDS_MAX 32
#define ROWS(rows) (sizeof(rows) / sizeof((rows)[0]))

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

/* Parses a line whose words are parted by blanks. */
static int parse(const char *text, struct cli *cli, struct err *err, struct command_line *ret_line,
		 char **ret_copy)
{
	char *argv[WORDS_MAX] = {"ebb"}, *rest, *word;
	int argc = 1;

	*ret_copy = rest = strdup(text);
	while ((word = strsep(&rest, " ")) && argc < WORDS_MAX) {
		if (*word)
			argv[argc++] = word;
	}
	return command_parse(argc, argv, cli, err, ret_line);
}

static void test_lines_become_requests(void **state)
{
	static const struct {
		const char *given, *want_object, *want_verb, *want_params;
	} rows[] = {
		{"status", "status", NULL, "{}"},
		{"stat", "status", NULL, "{}"},
		{"backend show", "backend", "show", "{}"},
		{"backend", "backend", "show", "{}"},
		{"b sh fra-1", "backend", "show", "{\"name\": \"fra-1\"}"},
		{"backend show --pool eu", "backend", "show", "{\"pool\": \"eu\"}"},
		{"backend show --po=eu fra-1", "backend", "show", "{\"name\": \"fra-1\", \"pool\": \"eu\"}"},
		{"backend --json show", "backend", "show", "{\"_json\": true}"},
		{"-j -s /x backend show", "backend", "show", "{\"_json\": true, \"_socket\": \"/x\"}"},
		{"-s/x status -t 5s", "status", NULL, "{\"_socket\": \"/x\", \"_timeout\": 5.0}"},
		{"backend set fra-1 state drain", "backend", "set",
		 "{\"_property\": \"state\", \"_value\": \"drain\", \"name\": \"fra-1\", \"state\": \"drain\"}"},
		{"b set fra-1 st m", "backend", "set",
		 "{\"_property\": \"state\", \"_value\": \"m\", \"name\": \"fra-1\", \"state\": \"maint\"}"},
		{"backend set fra-1 weight 50%", "backend", "set",
		 "{\"_property\": \"weight\", \"_value\": \"50%\", \"name\": \"fra-1\", \"weight\": 0.5}"},
		{"backend set fra-1 health down", "backend", "set",
		 "{\"_property\": \"health\", \"_value\": \"down\", \"health\": \"down\", \"name\": \"fra-1\"}"},
		{"backend show -- --odd", "backend", "show", "{\"name\": \"--odd\"}"},
		{"explain --proto tcp --src 198.51.100.7:4000 --dst 192.0.2.10:443", "explain", NULL,
		 "{\"dst\": \"192.0.2.10:443\", \"proto\": \"tcp\", \"src\": \"198.51.100.7:4000\"}"},
		{"explain backend fra-1", "explain", "backend", "{\"name\": \"fra-1\"}"},
		{"shift start --pool eu --from aws/a --to gcp/b --steps 20%,100%@30s --bake 20s --ttl 2h --comment "
		 "INC-42", "shift", "start",
		 "{\"bake_s\": 20.0, \"comment\": \"INC-42\", \"from\": \"aws/a\", \"pool\": \"eu\", \"steps\": "
		 "[{\"ramp_s\": 0.0, \"share\": 0.2}, {\"ramp_s\": 30.0, \"share\": 1.0}], \"to\": \"gcp/b\", "
		 "\"ttl_s\": 7200.0}"},
		{"hist --since 1h --type a,b --type c --match backend=fra-1", "history", NULL,
		 "{\"match\": {\"backend\": \"fra-1\"}, \"since_s\": 3600.0, \"types\": [\"a\", \"b\", \"c\"]}"},
		{"sandbox place 2001:db8::1 --service sb --port 80", "sandbox", "place",
		 "{\"address\": \"2001:db8::1\", \"port\": 80, \"service\": \"sb\"}"},
		{"detach --yes --bpffs /x", "detach", NULL, "{\"_bpffs\": \"/x\", \"_yes\": true}"},
		{"node attach eth0 --mode gen", "node", "attach", "{\"_mode\": \"generic\", \"interface\": \"eth0\"}"},
		{"node", "node", "show", "{}"},
		{"config reload --force", "config", "reload", "{\"force\": true}"},
	};

	for (size_t i = 0; i < ROWS(rows); i++) {
		struct command_line line = {0};
		struct cli cli = {0};
		struct err err = {{0}};
		char *copy, *params;

		if (parse(rows[i].given, &cli, &err, &line, &copy))
			fail_msg("%s: %s", rows[i].given, err.text);
		assert_string_equal(line.command->object, rows[i].want_object);
		if (rows[i].want_verb)
			assert_string_equal(line.command->verb, rows[i].want_verb);
		else
			assert_null(line.command->verb);
		params = json_dumps(line.params, JSON_SORT_KEYS | JSON_REAL_PRECISION(9));
		assert_string_equal(params, rows[i].want_params);
		free(params);
		free(copy);
		json_decref(line.params);
	}
}

static void test_mistakes_are_named(void **state)
{
	static const struct {
		const char *given, *want;
	} rows[] = {
		{"", "ebb help"},
		{"-j", "ebb help"},
		{"foo", "there is: status, service"},
		{"s", "could be any command of: status, service, sandbox, shift"},
		{"backend frob", "there is: show, set"},
		{"backend s x", "show, set"},
		{"config", "there is: check, diff, reload"},
		{"status now", "one word too many"},
		{"backend show a b", "\"b\" is one word too many"},
		{"backend show --frob", "no option of backend show; there is: --pool, --region, --json"},
		{"backend show --pool", "--pool needs a value"},
		{"backend show --pool a --pool b", "--pool is given twice"},
		{"backend set", "NAME is missing"},
		{"backend set fra-1", "PROPERTY is missing, one of state|weight|health"},
		{"backend set fra-1 state", "VALUE is missing"},
		{"backend set fra-1 state up", "there is: ready, drain, maint"},
		{"backend set fra-1 health ready", "there is: up, down, auto"},
		{"backend set fra-1 weight 150%", "out of range"},
		{"backend set fra-1 colour red", "there is: state, weight, health"},
		{"backend set fra-1 state ready now", "one word too many"},
		{"-x status", "there is no option \"-x\""},
		{"-jx status", "write -j alone"},
		{"status --json=yes", "--json takes no value"},
		{"status -t", "--timeout needs a value"},
		{"explain", "--proto is missing"},
		{"explain --proto icmp --src 1.2.3.4:5 --dst 1.2.3.4:5", "there is: tcp, udp"},
		{"explain --proto tcp --src 1.2.3.4 --dst 1.2.3.4:5", "the port is missing"},
		{"shift start --pool eu --from a --to b", "--steps is missing"},
		{"shift set INC", "nothing to set"},
		{"sandbox place --service s", "either ADDRESS or --name"},
		{"sandbox place ::1 --name n --service s", "either ADDRESS or --name"},
		{"sandbox add ::1 --service s --backend b --port 70000", "no number from 1 to 65535"},
		{"history --since 5", "no duration"},
		{"monitor --match backend", "no KEY=VALUE"},
		{"help frob", "there is: status"},
		{"help backend frob", "there is: show, set"},
		{"backend show \xff\xfe", "UTF-8"},
	};

	for (size_t i = 0; i < ROWS(rows); i++) {
		struct command_line line = {0};
		struct cli cli = {0};
		struct err err = {{0}};
		char *copy;
		int rc = parse(rows[i].given, &cli, &err, &line, &copy);

		if (rc != -EINVAL)
			fail_msg("\"%s\" passed with %d", rows[i].given, rc);
		if (!strstr(err.text, rows[i].want))
			fail_msg("\"%s\" says: %s", rows[i].given, err.text);
		free(copy);
	}
}

static void test_help_finds_what_is_meant(void **state)
{
	static const struct {
		const char *given, *want_object, *want_verb;
	} rows[] = {
		{"help", NULL, NULL},		    {"--help", NULL, NULL},
		{"-h", NULL, NULL},		    {"help backend", "backend", NULL},
		{"help b set", "backend", "set"},    {"backend --help", "backend", NULL},
		{"backend set -h", "backend", "set"}, {"config --help", "config", NULL},
		{"help config", "config", NULL},    {"top --help", "top", NULL},
		{"shift start --pool x --help", "shift", "start"},
	};

	for (size_t i = 0; i < ROWS(rows); i++) {
		struct command_line line = {0};
		struct cli cli = {0};
		struct err err = {{0}};
		char *copy;

		if (parse(rows[i].given, &cli, &err, &line, &copy))
			fail_msg("%s: %s", rows[i].given, err.text);
		assert_true(line.help);
		assert_string_equal(line.help_object ? line.help_object : "", rows[i].want_object ? rows[i].want_object : "");
		assert_string_equal(line.help_verb ? line.help_verb : "", rows[i].want_verb ? rows[i].want_verb : "");
		free(copy);
		json_decref(line.params);
	}
}

static void test_globals_are_set(void **state)
{
	struct command_line line = {0};
	struct cli cli = {.socket_path = "/default", .timeout_s = 10};
	struct err err = {{0}};
	char *copy;

	assert_int_equal(parse("status --json --socket /x --timeout 250ms --color always", &cli, &err, &line, &copy), 0);
	assert_true(cli.json);
	assert_true(cli.colour);
	assert_string_equal(cli.socket_path, "/x");
	assert_true(cli.timeout_s == 0.25);
	json_decref(line.params);
	free(copy);
	assert_int_equal(parse("--version", &cli, &err, &line, &copy), 0);
	assert_true(line.version);
	json_decref(line.params);
	free(copy);
}

/* What the table must keep to, so that no words lead astray. */
static void test_the_table_is_sound(void **state)
{
	for (const struct command *c = commands; c->object; c++) {
		bool optional = false;

		assert_non_null(c->summary);
		assert_true(c->method || c->run);
		assert_true(c->run || c->print);
		for (const struct command *d = c + 1; d->object; d++) {
			if (strcmp(c->object, d->object) != 0)
				continue;
			assert_string_equal((d - 1)->object, c->object); /* of one object, together */
			assert_non_null(d->verb); /* only the first may have none */
		}
		for (const struct arg *a = c->args; a && a->name; a++) {
			assert_non_null(a->help);
			assert_true(a->kind != ARG_CHOICE || a->choices);
			assert_true(a->kind != ARG_INTEGER || a->choices);
			if (a->name[0] == '-')
				continue;
			assert_false(optional && (a->flags & ARG_REQUIRED)); /* by place: needed ones first */
			optional = !(a->flags & ARG_REQUIRED);
		}
	}
}

static void test_help_names_every_command_and_argument(void **state)
{
	for (const struct command *c = commands; c->object; c++) {
		char *text = NULL;
		size_t length = 0;
		FILE *to = open_memstream(&text, &length);

		command_help(to, c->object, c->verb, false);
		fclose(to);
		assert_non_null(strstr(text, c->summary));
		for (const struct arg *a = c->args; a && a->name; a++)
			assert_non_null(strstr(text, a->name));
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_become_requests),
		cmocka_unit_test(test_mistakes_are_named),
		cmocka_unit_test(test_help_finds_what_is_meant),
		cmocka_unit_test(test_globals_are_set),
		cmocka_unit_test(test_the_table_is_sound),
		cmocka_unit_test(test_help_names_every_command_and_argument),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
