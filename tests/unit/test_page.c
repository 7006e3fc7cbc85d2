// SPDX-License-Identifier: GPL-2.0-or-later
/* The status page: what it shows, that nothing in it can be smuggled, that it loads nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "controller/page.h"

static char *format(const char *json)
{
	json_t *status = json_loads(json, 0, NULL);
	size_t length = 0;
	char *text;

	assert_non_null(status);
	text = page_format(status, &length);
	assert_non_null(text);
	assert_int_equal(length, strlen(text));
	json_decref(status);
	return text;
}

static void assert_shows(const char *text, const char *want)
{
	if (!strstr(text, want))
		fail_msg("missing: %s", want);
}

static void test_shares_limits_and_problems_are_shown(void **state)
{
	char *text = format(
		"{\"edge\":\"edge-1\",\"version\":\"1\",\"uptime_s\":7260,\"problems\":[\"pool us is empty\"],"
		"\"pools\":[{\"name\":\"eu\",\"slots\":65536,\"digest\":\"abc\",\"groups\":[{\"region\":\"aws/x\","
		"\"tier\":0,\"share\":0.625,\"availability\":0.4,\"limited_by\":\"slew\",\"backends\":3}]}],"
		"\"backends\":[{\"name\":\"fra-1\",\"state\":\"drain\",\"health\":0.5,\"share\":0.1}],"
		"\"backends_total\":2,\"verdicts\":{\"drop_empty_pool\":{\"packets\":7,\"bytes\":8}}}");

	assert_shows(text, "up 2 h 1 min");
	assert_shows(text, "<p class=\"bad\">pool us is empty</p>");
	assert_shows(text, "62.5&nbsp;%");
	assert_shows(text, "<rect width=\"62.50\"");
	assert_shows(text, "<td class=\"warn\">slew</td>");
	assert_shows(text, "the 1 sickest of 2");
	assert_shows(text, "<td class=\"warn\">drain</td>");
	assert_shows(text, "<td class=\"bad\">drop_empty_pool</td><td class=\"n\">7</td>");
	assert_shows(text, "prefers-color-scheme:dark");
	assert_null(strstr(text, "frozen"));
	free(text);
}

static void test_texts_are_escaped(void **state)
{
	char *text = format("{\"edge\":\"<script>alert(1)</script>\",\"problems\":[\"a & \\\"b\\\" <img>\"],"
			    "\"pools\":[{\"name\":\"<b>\",\"digest\":\"<i>\"}],"
			    "\"backends\":[{\"name\":\"<u>\",\"address\":\"<s>\",\"limited_by\":\"<q>\"}],"
			    "\"verdicts\":{\"<tt>\":{}}}");

	assert_null(strstr(text, "<script"));
	assert_null(strstr(text, "<img"));
	assert_shows(text, "a &amp; &quot;b&quot; &lt;img&gt;");
	for (const char *const *tag = (const char *const[]){"<b>", "<i>", "<u>", "<s>", "<q>", "<tt>", NULL}; *tag;
	     tag++)
		assert_null(strstr(text, *tag));
	free(text);
}

static void test_nothing_is_loaded_from_elsewhere(void **state)
{
	char *text = format("{}");

	for (const char *const *mark = (const char *const[]){"http://", "https://", "src=", "url(", "@import",
							      "<link", "<script", NULL};
	     *mark; mark++) {
		if (strstr(text, *mark))
			fail_msg("found %s", *mark);
	}
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shares_limits_and_problems_are_shown),
		cmocka_unit_test(test_texts_are_escaped),
		cmocka_unit_test(test_nothing_is_loaded_from_elsewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
