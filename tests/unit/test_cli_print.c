// SPDX-License-Identifier: GPL-2.0-or-later
/* Tables and pages: alignment, colours, what is left out, and that no daemon can steer an operator's terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "controller/cli/print.h"
#include "controller/weight.h"

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

typedef void (*print_fn)(struct cli *cli, const json_t *result, const json_t *params);

static void print_one_event(struct cli *cli, const json_t *result, const json_t *params)
{
	print_event(cli, result);
}

/* What `print` makes of a document. */
static char *printed(print_fn print, const char *json, bool colour)
{
	struct cli cli = {.columns = 100, .colour = colour, .utf8 = true};
	json_t *result = json_loads(json, JSON_DECODE_ANY, NULL), *params = json_object();
	char *text = NULL;
	size_t length = 0;

	assert_non_null(result);
	cli.out = open_memstream(&text, &length);
	print(&cli, result, params);
	fclose(cli.out);
	json_decref(result);
	json_decref(params);
	return text;
}

static void assert_has(const char *text, const char *want)
{
	if (!strstr(text, want))
		fail_msg("\"%s\" is not in:\n%s", want, text);
}

static void test_columns_are_aligned(void **state)
{
	struct table *table = table_new("NAME|>COUNT|?NOTE|END");
	char *text = NULL;
	size_t length;
	FILE *to = open_memstream(&text, &length);

	table_row(table);
	table_cell(table, TONE_PLAIN, "%s", "é");
	table_cell(table, TONE_BAD, "%d", 5);
	table_cell(table, TONE_PLAIN, "%s", "-");
	table_cell(table, TONE_PLAIN, "%s", "x");
	table_row(table);
	table_cell(table, TONE_PLAIN, "%s", "longer");
	table_cell(table, TONE_BAD, "%d", 123456);
	table_print(table, to, false);
	fclose(to);
	assert_string_equal(text, "NAME     COUNT  END\n"
				  "é            5  x\n"
				  "longer  123456\n");
	free(text);
}

static void test_colours_only_where_wanted(void **state)
{
	static const char json[] = "[{\"name\":\"a\",\"state\":\"ready\",\"health\":0.1}]";
	char *plain = printed(print_backends, json, false), *coloured = printed(print_backends, json, true);

	assert_null(strchr(plain, '\033'));
	assert_has(coloured, "\033[31m10.0 %\033[0m");
	free(plain);
	free(coloured);
}

static void test_a_terminal_cannot_be_steered(void **state)
{
	static const struct {
		print_fn print;
		const char *json;
	} rows[] = {
		{print_backends, "[{\"name\":\"a\\u001b[2J\",\"address\":\"\\u009b2J\",\"limited_by\":\"\\u0007\"}]"},
		{print_backends, "{\"name\":\"a\\u001b[2J\",\"phase\":\"\\r\\n\\u001b]0;x\"}"},
		{print_status, "{\"edge\":\"\\u001b[1m\",\"problems\":[\"\\u001b[2J\"],\"config\":{\"file\":\"\\u001b\"},"
			       "\"interfaces\":[{\"name\":\"\\u001b\"}],\"verdicts\":{\"drop_\\u001b\":{\"packets\":1}}}"},
		{print_one_event, "{\"event\":\"\\u001b[2J\",\"time\":\"\\u001b\",\"backend\":\"\\u001b\","
				  "\"pool\":\"\\u001b\",\"detail\":\"\\u001b\",\"x\":\"\\u009b\",\"\\u001b\":1}"},
		{print_config_diff, "{\"changes\":[{\"kind\":\"\\u001b\",\"name\":\"\\u001b\"}],\"pools\":[{\"name\":"
				    "\"\\u001b\",\"moved\":1}]}"},
		{print_config_check, "{\"errors\":[\"\\u001b\"],\"file\":\"\\u001b\"}"},
		{print_shifts, "[{\"name\":\"\\u001b\",\"comment\":\"\\u001b\",\"holds\":[\"\\u001b\"]}]"},
		{print_shifts, "{\"name\":\"\\u001b\",\"comment\":\"\\u001b\",\"holds\":[\"\\u001b\"],\"steps\":[{}]}"},
		{print_explain, "{\"service\":\"\\u001b\",\"key\":{\"a\":\"\\u001b\"}}"},
		{print_pools, "[{\"name\":\"\\u001b\",\"digest\":\"\\u001b\",\"groups\":[{\"region\":\"\\u001b\"}]}]"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *text = printed(rows[i].print, rows[i].json, false);

		if (strpbrk(text, "\033\007\r") || strstr(text, "\xc2\x9b"))
			fail_msg("row %zu lets it through: %s", i, text);
		free(text);
	}
}

/* An empty document, one with wrong types, one from the far future: lines with "-", and no crash. */
static void test_any_document_can_be_printed(void **state)
{
	static const print_fn prints[] = {print_status, print_services, print_pools, print_regions, print_backends,
					  print_backend_set, print_config_check, print_config_diff, print_frozen,
					  print_explain, print_explain_backend, print_whatif, print_shifts,
					  print_sandboxes, print_one_event};
	static const char *const documents[] = {
		"{}", "[]", "null", "5", "\"x\"", "[{}]", "[null,1,\"a\",[]]",
		"{\"pools\":5,\"groups\":{},\"steps\":\"x\",\"holds\":1,\"verdicts\":[],\"problems\":{},\"name\":1,"
		"\"health\":\"x\",\"config\":[],\"interfaces\":{},\"counts\":1,\"tick\":[],\"time\":5,\"backends\":{}}",
		"[{\"pools\":[5],\"groups\":[null],\"steps\":[1],\"holds\":[1],\"name\":null,\"share\":1e308}]",
	};

	for (size_t i = 0; i < sizeof(prints) / sizeof(prints[0]); i++) {
		for (size_t j = 0; j < sizeof(documents) / sizeof(documents[0]); j++)
			free(printed(prints[i], documents[j], true));
	}
}

static void test_status_says_what_is_wrong(void **state)
{
	char *text = printed(
		print_status,
		"{\"edge\":\"edge-1\",\"version\":\"1\",\"pid\":7,\"uptime_s\":11520,\"frozen\":true,"
		"\"config\":{\"file\":\"/e\",\"loaded_at\":\"x\",\"ok\":false,\"error\":\"bad\"},\"interfaces\":[],"
		"\"problems\":[\"pool eu is empty\"],\"counts\":{\"backends\":3,\"regions\":2,\"providers\":1,"
		"\"ready\":1,\"drain\":1,\"maint\":1,\"down\":1},\"verdicts\":{\"forward_tx\":{\"packets\":12345},"
		"\"drop_empty_pool\":{\"packets\":3},\"drop_no_room\":{\"packets\":0},\"pass_not_ip\":{\"packets\":1}},"
		"\"pools\":[{\"name\":\"eu\",\"groups\":[{\"region\":\"aws/a\",\"tier\":0,\"backends\":3,\"share\":0.5,"
		"\"availability\":0.2,\"limited_by\":\"return-hold\"}]}]}",
		false);

	assert_has(text, "up 3 h 12 min, FROZEN");
	assert_has(text, "! pool eu is empty\n");
	assert_has(text, "the last reload was refused\n");
	assert_has(text, "none: nothing is forwarded");
	assert_has(text, "1 ready, 1 in drain, 1 in maint, 1 down");
	assert_has(text, "12.3 k forwarded, 3 dropped (empty_pool 3), 1 not for a service");
	assert_has(text, "eu    1     aws/a         3  50.0 %  ██████████     20.0 %  return hold: 60 s above 35 % first");
	free(text);
}

static void test_every_limit_has_its_words(void **state)
{
	static const struct {
		const char *name, *want;
	} rows[] = {{"none", ""}, {"down", "down: plainly dead"}, {"new-one", "new-one"}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *object = json_pack("{ss}", "limited_by", rows[i].name);

		assert_string_equal(print_limit(object), rows[i].want);
		json_decref(object);
	}
	/* No two words of weight.h print alike, and none is left to itself. */
	for (int i = 0; i < WEIGHT_LIMIT__COUNT; i++) {
		json_t *object = json_pack("{ss}", "limited_by", weight_limit_name(i));

		assert_true(i == WEIGHT_FREE || strcmp(print_limit(object), weight_limit_name(i)) != 0);
		json_decref(object);
	}
}

static void test_times_are_local(void **state)
{
	char to[UNITS_TEXT_MAX];

	setenv("TZ", "CET-1", 1);
	tzset();
	assert_string_equal(print_time("2020-01-02T23:04:05.678Z", to), "2020-01-03 00:04:05.678");
	assert_string_equal(print_time("2020-01-02T23:04:05Z", to), "2020-01-03 00:04:05");
	assert_string_equal(print_time("soon", to), "soon");
	assert_string_equal(print_time(NULL, to), "-");
}

static void test_a_shift_shows_its_stage(void **state)
{
	char *text = printed(print_shifts,
			     "{\"name\":\"s1\",\"pool\":\"eu\",\"from\":\"aws/a\",\"to\":\"gcp/b\",\"phase\":\"ramp\","
			     "\"step\":1,\"share\":0.4,\"elapsed_s\":12,\"bake_s\":20,\"ttl_s\":7200,\"holds\":[\"gate\"],"
			     "\"actor\":\"uid 0\",\"comment\":\"INC-42\",\"steps\":[{\"share\":0.2,\"ramp_s\":0},"
			     "{\"share\":0.6,\"ramp_s\":30},{\"share\":1,\"ramp_s\":30}]}",
			     false);

	assert_has(text, "ramp 2 of 3, for 12 s");
	assert_has(text, "held: gate");
	assert_has(text, "40.0 % of what aws/a would have");
	assert_has(text, "  done 20.0 %  over no time ");
	assert_has(text, "  now  60.0 %  over 30 s ");
	assert_has(text, "uid 0: INC-42");
	free(text);
	text = printed(print_shifts, "[]", false);
	assert_string_equal(text, "no shifts\n");
	free(text);
}

static void test_an_event_is_one_line(void **state)
{
	char *text = printed(print_one_event,
			     "{\"event\":\"backend-down\",\"time\":\"x\",\"backend\":\"fra-1\",\"pool\":\"eu\","
			     "\"detail\":\"a=b\\nc\",\"count\":3}",
			     false);

	assert_string_equal(text, "x backend-down     fra-1 in eu  a=b?c count=3\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_columns_are_aligned),
		cmocka_unit_test(test_colours_only_where_wanted),
		cmocka_unit_test(test_a_terminal_cannot_be_steered),
		cmocka_unit_test(test_any_document_can_be_printed),
		cmocka_unit_test(test_status_says_what_is_wrong),
		cmocka_unit_test(test_every_limit_has_its_words),
		cmocka_unit_test(test_times_are_local),
		cmocka_unit_test(test_a_shift_shows_its_stage),
		cmocka_unit_test(test_an_event_is_one_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
