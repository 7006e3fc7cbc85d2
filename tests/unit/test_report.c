// SPDX-License-Identifier: GPL-2.0-or-later
/* test_report: what backends say of their load, read (rows), and fetched from listeners on
 * loopback. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "controller/address.h"
#include "controller/report.h"
#include "controller/reports.h"
#include "tests/unit/listener.h"

#define UNSAID -1

/* ---- reading ---- */

static const struct {
	const char *line;
	double weight; /* UNSAID: none */
	enum report_admin admin;
	enum report_status status;
	const char *reason;
} agent_rows[] = {
	{"75%\n", 0.75, 0, 0, ""},
	{"75%", 0.75, 0, 0, ""},
	{"0%\r\n", 0, 0, 0, ""},
	{"100%\n", 1, 0, 0, ""},
	{"250%\n", 1, 0, 0, ""},
	{"99999999999999999999999%\n", 1, 0, 0, ""},
	{"up\n", UNSAID, 0, REPORT_STATUS_UP, ""},
	{"up 80%\n", 0.8, 0, REPORT_STATUS_UP, ""},
	{"ready,up\t50%\n", 0.5, REPORT_ADMIN_READY, REPORT_STATUS_UP, ""},
	{"DRAIN\n", UNSAID, REPORT_ADMIN_DRAIN, 0, ""},
	{"maint #  disk is full\n", UNSAID, REPORT_ADMIN_MAINT, 0, "disk is full"},
	{"down#no word ends at a hash\n", UNSAID, 0, 0, NULL},
	{"fail #\x1b[31mred\n", UNSAID, 0, REPORT_STATUS_DOWN, "?[31mred"},
	{"stopped\nup\n", UNSAID, 0, REPORT_STATUS_DOWN, ""},
	{"down up\n", UNSAID, 0, REPORT_STATUS_UP, ""},
	{"hello 30% world\n", 0.3, 0, 0, ""},
	{"  ,, 30%,,\n", 0.3, 0, 0, ""},
	{"10%% up\n", UNSAID, 0, REPORT_STATUS_UP, ""},
	{"-5% up\n", UNSAID, 0, REPORT_STATUS_UP, ""},
	{"5.5% up\n", UNSAID, 0, REPORT_STATUS_UP, ""},
	/* refused */
	{"", UNSAID, 0, 0, NULL},
	{"\n75%\n", UNSAID, 0, 0, NULL},
	{"hello\n", UNSAID, 0, 0, NULL},
	{"%\n", UNSAID, 0, 0, NULL},
	{"# only a reason\n", UNSAID, 0, 0, NULL},
	{"maxconn:\n", UNSAID, 0, 0, NULL},
	{"upupupupupupupupupupupupupupupupupup\n", UNSAID, 0, 0, NULL},
	{"HTTP/1.1 200 OK\r\n", UNSAID, 0, 0, NULL},
};

static void test_agent(void **state)
{
	for (size_t i = 0; i < sizeof(agent_rows) / sizeof(agent_rows[0]); i++) {
		struct report report = {};
		struct err err = {};
		int rc = report_parse_agent(agent_rows[i].line, strlen(agent_rows[i].line), &err,
					    &report);

		if (rc != (agent_rows[i].reason ? 0 : -EINVAL))
			fail_msg("\"%s\": %d", agent_rows[i].line, rc);
		if (rc) {
			assert_int_not_equal(err.text[0], 0);
			continue;
		}
		if (report.admin != agent_rows[i].admin || report.status != agent_rows[i].status ||
		    report.has_weight != (agent_rows[i].weight >= 0) ||
		    (report.has_weight && report.weight != agent_rows[i].weight))
			fail_msg("\"%s\"", agent_rows[i].line);
		assert_string_equal(report.reason, agent_rows[i].reason);
	}
}

static void test_agent_bounds(void **state)
{
	static char line[REPORT_AGENT_BYTES_MAX + 2];
	struct report report = {};

	memset(line, ' ', sizeof(line));
	memcpy(line, "7%", 2);
	assert_int_equal(report_parse_agent(line, REPORT_AGENT_BYTES_MAX, NULL, &report), 0);
	assert_int_equal(report_parse_agent(line, REPORT_AGENT_BYTES_MAX + 1, NULL, &report),
			 -EINVAL);
	memset(line, 'r', sizeof(line));
	memcpy(line, "up #", 4);
	assert_int_equal(report_parse_agent(line, REPORT_AGENT_BYTES_MAX, NULL, &report), 0);
	assert_int_equal(strlen(report.reason), REPORT_REASON_MAX - 1);
	assert_int_equal(report_parse_agent("up maxconn:30\0down", 18, NULL, &report), 0);
	assert_int_equal(report.status, REPORT_STATUS_UP);
	assert_true(report.has_maxconn);
	assert_int_equal(report.maxconn, 30);
}

static const struct {
	const char *text;
	int want;
} json_rows[] = {
	{"{}", 0},
	{"{\"sandboxes\": 3, \"capacity\": 10, \"warm\": 2, \"load\": 0.5, \"other\": [1]}", 0},
	{"{\"load\": 1, \"state\": \"drain\"}", 0},
	{"{\"capacity\": 4294967295}", 0},
	{"{\"capacity\": 4294967296}", -EINVAL},
	{"{\"capacity\": -1}", -EINVAL},
	{"{\"capacity\": 1.5}", -EINVAL},
	{"{\"capacity\": \"10\"}", -EINVAL},
	{"{\"capacity\": null}", -EINVAL},
	{"{\"load\": -0.1}", -EINVAL},
	{"{\"load\": 1e300}", -EINVAL},
	{"{\"load\": true}", -EINVAL},
	{"{\"state\": \"asleep\"}", -EINVAL},
	{"{\"state\": 1}", -EINVAL},
	{"{\"warm\": 1, \"warm\": 2}", -EINVAL},
	{"[]", -EINVAL},
	{"7", -EINVAL},
	{"", -EINVAL},
	{"{", -EINVAL},
	{"{} trailing", -EINVAL},
	{"{\"load\": NaN}", -EINVAL},
	{"\xff\xfe{}", -EINVAL},
};

static void test_json(void **state)
{
	struct report report = {};
	static char deep[REPORT_JSON_BYTES_MAX + 1];

	for (size_t i = 0; i < sizeof(json_rows) / sizeof(json_rows[0]); i++) {
		struct err err = {};
		int rc = report_parse_json(json_rows[i].text, strlen(json_rows[i].text), &err,
					   &report);

		if (rc != json_rows[i].want || (rc && !err.text[0]))
			fail_msg("%s: %d", json_rows[i].text, rc);
	}
	assert_int_equal(
		report_parse_json(json_rows[1].text, strlen(json_rows[1].text), NULL, &report), 0);
	assert_true(report.has_sandboxes && report.has_capacity && report.has_warm &&
		    report.has_load);
	assert_int_equal(report.sandboxes, 3);
	assert_int_equal(report.capacity, 10);
	assert_int_equal(report.warm, 2);
	assert_true(report.load == 0.5);
	assert_int_equal(
		report_parse_json(json_rows[2].text, strlen(json_rows[2].text), NULL, &report), 0);
	assert_int_equal(report.admin, REPORT_ADMIN_DRAIN);
	assert_false(report.has_capacity);
	memset(deep, '[', sizeof(deep));
	assert_int_equal(report_parse_json(deep, sizeof(deep) - 1, NULL, &report), -EINVAL);
	assert_int_equal(report_parse_json(deep, sizeof(deep), NULL, &report), -EINVAL);
}

static void test_load_term(void **state)
{
	static const struct {
		double weight, load, want;
	} rows[] = {
		{UNSAID, UNSAID, 1}, {0.4, UNSAID, 0.4},   {UNSAID, 0, 1},
		{UNSAID, 0.7, 1},    {UNSAID, 0.85, 0.55}, {UNSAID, 1, 0.1},
		{UNSAID, 900, 0.1},  {0.5, 1, 0.05},       {0, 0.2, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct report report = {.has_weight = rows[i].weight >= 0,
					.weight = rows[i].weight,
					.has_load = rows[i].load >= 0,
					.load = rows[i].load};

		assert_true(fabs(report_load_term(&report) - rows[i].want) < 1e-12);
	}
}

/* ---- fetching ---- */

#define IDS 300

static struct reports *reports;
static struct {
	uint32_t good, bad;
	struct report last;
	struct err why;
} heard[IDS];
static bool remove_when_heard;

static void on_report(void *ctx, uint32_t id, const struct report *report, const struct err *why,
		      struct mono_ns now)
{
	assert_true(id < IDS);
	if (report) {
		heard[id].good++;
		heard[id].last = *report;
	} else {
		heard[id].bad++;
		heard[id].why = *why;
		assert_int_not_equal(why->text[0], 0);
	}
	if (remove_when_heard) {
		reports_remove(reports, id);
		reports_remove(reports, id ^ 1);
	}
}

static int set_up(void **state)
{
	struct err err = {};

	memset(heard, 0, sizeof(heard));
	remove_when_heard = false;
	return reports_new(loop, on_report, NULL, &err, &reports);
}

static int tear_down(void **state)
{
	reports_free(reports);
	return 0;
}

static void set(uint32_t id, const struct reports_config *how)
{
	struct address address;
	struct err err = {};
	char name[32];

	assert_int_equal(address_parse("127.0.0.1", &address), 0);
	snprintf(name, sizeof(name), "backend-%u", id);
	if (reports_set(reports, id, name, &address, how, &err))
		fail_msg("%s", err.text);
}

static struct reports_config how_to(enum reports_type type, uint16_t port)
{
	return (struct reports_config){.type = type,
				       .port = port,
				       .path = "/load",
				       .interval_s = 0.05,
				       .timeout_s = 0.4,
				       .send = type == REPORTS_AGENT ? "fra-1\n" : NULL};
}

static void wait_heard(uint32_t id)
{
	for (int i = 0; i < 300 && heard[id].good + heard[id].bad < 2; i++)
		pass_time(0.1);
	if (heard[id].good + heard[id].bad < 2)
		fail_msg("source %u says nothing", id);
}

#define OK_HEAD "HTTP/1.1 200 OK\r\n"

static const struct {
	const char *name;
	enum reports_type type;
	enum manner manner;
	const char *text;
	bool good;
} fetch_rows[] = {
	{"a line", REPORTS_AGENT, SAY, "up 75%\n", true},
	{"a line, slowly", REPORTS_AGENT, SAY_SLOWLY, "up 75%\r\n", true},
	{"a line, then noise", REPORTS_AGENT, SAY_FOREVER, "75%\n", true},
	{"closed without a line feed", REPORTS_AGENT, SAY, "75%", true},
	{"nothing", REPORTS_AGENT, SAY, "", false},
	{"a line without end", REPORTS_AGENT, SAY_FOREVER, "x", false},
	{"silence", REPORTS_AGENT, SILENT, "", false},
	{"reset", REPORTS_AGENT, RESET, "", false},
	{"a report", REPORTS_JSON_HTTP, SAY, OK_HEAD "\r\n{\"load\": 0.75}", true},
	{"a report with a bad status", REPORTS_JSON_HTTP, SAY,
	 "HTTP/1.1 404 No\r\n\r\n{\"load\": 0.75}", false},
	{"no JSON", REPORTS_JSON_HTTP, SAY, OK_HEAD "\r\nhello", false},
	{"a body without end", REPORTS_JSON_HTTP, SAY_FOREVER, OK_HEAD "\r\n{\"load\": 0.75}",
	 false},
	{"HTTP silence", REPORTS_JSON_HTTP, SILENT, "", false},
};

static void test_fetch(void **state)
{
	for (size_t i = 0; i < sizeof(fetch_rows) / sizeof(fetch_rows[0]); i++) {
		struct listener listener = {.manner = fetch_rows[i].manner,
					    .text = fetch_rows[i].text};
		struct reports_config how;

		memset(heard, 0, sizeof(heard));
		listen_at(&listener, false);
		how = how_to(fetch_rows[i].type, listener.port);
		set(1, &how);
		wait_heard(1);
		reports_remove(reports, 1);
		listener_close(&listener);
		if ((fetch_rows[i].good ? heard[1].bad : heard[1].good) > 0)
			fail_msg("%s: %s", fetch_rows[i].name, heard[1].why.text);
		if (fetch_rows[i].good)
			assert_true(heard[1].last.weight + heard[1].last.load == 0.75);
		if (fetch_rows[i].type == REPORTS_AGENT && fetch_rows[i].manner != RESET)
			assert_string_equal(listener.request, "fra-1\n");
	}
}

static void test_nobody_there(void **state)
{
	struct reports_config how = how_to(REPORTS_AGENT, 1);

	set(1, &how);
	how.type = REPORTS_JSON_HTTP;
	set(2, &how);
	wait_heard(1);
	wait_heard(2);
	assert_int_equal(heard[1].good + heard[2].good, 0);
}

static void test_removed_in_flight(void **state)
{
	struct listener listener = {.manner = SAY_SLOWLY, .text = OK_HEAD "\r\n{}"};
	uint32_t n = 0;

	remove_when_heard = true;
	listen_at(&listener, false);
	for (uint32_t id = 0; id < IDS; id++) {
		struct reports_config how = how_to(id & 2 ? REPORTS_AGENT : REPORTS_JSON_HTTP,
						   id & 4 ? listener.port : 1);

		how.timeout_s = 0.1 + 0.001 * id;
		set(id, &how);
	}
	pass_time(1.5);
	for (uint32_t id = 0; id < IDS; id++)
		n += heard[id].good + heard[id].bad;
	assert_int_equal(n, IDS / 2);
	listener_close(&listener);
}

static void test_refused_input(void **state)
{
	static char long_send[REPORTS_SEND_MAX + 2];
	const struct reports_config rows[] = {
		{.type = REPORTS_AGENT, .port = 0, .interval_s = 1, .timeout_s = 1},
		{.type = REPORTS_AGENT, .port = 1, .interval_s = 0, .timeout_s = 1},
		{.type = REPORTS_AGENT, .port = 1, .interval_s = 1, .timeout_s = NAN},
		{.type = REPORTS_AGENT,
		 .port = 1,
		 .interval_s = 1,
		 .timeout_s = 1,
		 .send = long_send},
		{.type = REPORTS_JSON_HTTP,
		 .port = 1,
		 .interval_s = 1,
		 .timeout_s = 1,
		 .path = "x"},
	};
	struct address address;
	struct err err = {};

	memset(long_send, 'x', sizeof(long_send) - 1);
	assert_int_equal(address_parse("127.0.0.1", &address), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(reports_set(reports, 1, "x", &address, &rows[i], &err), -EINVAL);
}

int main(void)
{
#define FETCH(name) cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_agent),
		cmocka_unit_test(test_agent_bounds),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_load_term),
		FETCH(fetch),
		FETCH(nobody_there),
		FETCH(removed_in_flight),
		FETCH(refused_input),
	};

	if (!loopback_alone()) {
		perror("a network namespace of its own");
		return 1;
	}
	alarm(300); /* a hang is a failure */
	loop = ev_default_loop(0);
	return loop ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
