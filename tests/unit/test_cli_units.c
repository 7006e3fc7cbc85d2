// SPDX-License-Identifier: GPL-2.0-or-later
/* What people type to numbers, and numbers to what people read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "controller/cli/units.h"

#define ROWS(rows) (sizeof(rows) / sizeof((rows)[0]))

struct number_row {
	const char *given;
	double want; /* NAN: refused */
};

static void check_numbers(int (*parse)(const char *, struct err *, double *),
			  const struct number_row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct err err = {{0}};
		double got = -1;
		int rc = parse(rows[i].given, &err, &got);

		if (isnan(rows[i].want) && (rc != -EINVAL || got != -1 || !err.text[0]))
			fail_msg("\"%s\" passed, or touched its result, or said nothing", rows[i].given);
		if (!isnan(rows[i].want) && (rc || fabs(got - rows[i].want) > 1e-12))
			fail_msg("\"%s\": %d, %g", rows[i].given, rc, got);
	}
}

static void test_ratios(void **state)
{
	static const struct number_row rows[] = {
		{"0", 0}, {"1", 1}, {"0.3", 0.3}, {"30%", 0.3}, {"100%", 1}, {"0%", 0}, {"12.5%", 0.125}, {".5", 0.5},
		{"300%", NAN}, {"1.01", NAN}, {"50", NAN}, {"-1", NAN}, {"-5%", NAN}, {"", NAN}, {"%", NAN},
		{"0x1", NAN}, {"1e-3", NAN}, {"nan", NAN}, {"inf", NAN}, {"0.3 ", NAN}, {" 0.3", NAN}, {"1.2.3", NAN},
		{"30%%", NAN}, {"000000000000000000000000000000.1", NAN},
	};

	check_numbers(units_parse_ratio, rows, ROWS(rows));
}

static void test_durations(void **state)
{
	static const struct number_row rows[] = {
		{"250ms", 0.25}, {"30s", 30}, {"5m", 300}, {"5min", 300}, {"2h", 7200}, {"1d", 86400}, {"1.5s", 1.5},
		{"0s", 0}, {"5", NAN}, {"5x", NAN}, {"s", NAN}, {"-5s", NAN}, {"5 s", NAN}, {"4000d", NAN},
		{"99999999999999h", NAN}, {"", NAN}, {"1h30m", NAN},
	};

	check_numbers(units_parse_duration, rows, ROWS(rows));
}

static void test_integers(void **state)
{
	static const struct {
		const char *given;
		int64_t want; /* -1: refused */
	} rows[] = {{"1", 1}, {"65535", 65535}, {"0", -1}, {"65536", -1}, {"-1", -1}, {"+1", -1}, {"1x", -1},
		    {"", -1}, {"99999999999999999999", -1}, {" 1", -1}};

	for (size_t i = 0; i < ROWS(rows); i++) {
		int64_t got = -1;
		int rc = units_parse_integer(rows[i].given, 1, 65535, NULL, &got);

		assert_int_equal(got, rows[i].want);
		assert_int_equal(rc, rows[i].want < 0 ? -EINVAL : 0);
	}
}

static void test_steps(void **state)
{
	static const struct {
		const char *given, *want; /* NULL: refused */
	} rows[] = {
		{"20%,60%@30s,100%@30s", "[[0.2, 0.0], [0.6, 30.0], [1.0, 30.0]]"},
		{"1", "[[1.0, 0.0]]"},
		{"50%@2h", "[[0.5, 7200.0]]"},
		{"", NULL}, {",", NULL}, {"20%,", NULL}, {"60%,20%", NULL}, {"20%,20%", NULL}, {"0%", NULL},
		{"20%@", NULL}, {"@30s", NULL}, {"20%@30", NULL}, {"120%", NULL}, {"20%@30s@30s", NULL},
		{"1%,2%,3%,4%,5%,6%,7%,8%,9%,10%,11%,12%,13%,14%,15%,16%,17%,18%,19%,20%,21%,22%,23%,24%,25%,26%,"
		 "27%,28%,29%,30%,31%,32%,33%", NULL},
	};

	for (size_t i = 0; i < ROWS(rows); i++) {
		struct err err = {{0}};
		json_t *steps = NULL, *plain = json_array(), *step;
		int rc = units_parse_steps(rows[i].given, &err, &steps);
		size_t j;
		char *text;

		if (!rows[i].want) {
			if (rc != -EINVAL || steps || !err.text[0])
				fail_msg("\"%s\" passed", rows[i].given);
			json_decref(plain);
			continue;
		}
		assert_int_equal(rc, 0);
		json_array_foreach(steps, j, step)
			json_array_append_new(plain, json_pack("[OO]", json_object_get(step, "share"),
							       json_object_get(step, "ramp_s")));
		text = json_dumps(plain, JSON_REAL_PRECISION(9));
		assert_string_equal(text, rows[i].want);
		free(text);
		json_decref(plain);
		json_decref(steps);
	}
}

static void test_endpoints(void **state)
{
	static const struct {
		const char *given;
		int with_port, alone; /* whether it passes as either */
	} rows[] = {
		{"192.0.2.10:443", 1, 0}, {"[2001:db8::10]:443", 1, 0}, {"192.0.2.10", 0, 1}, {"2001:db8::10", 0, 1},
		{"[2001:db8::10]", 0, 1}, {"::ffff:192.0.2.1", 0, 1}, {"192.0.2.10:0", 1, 0},
		{"192.0.2.10:65536", 0, 0}, {"192.0.2.10:", 0, 0}, {"192.0.2.256:1", 0, 0}, {"example.org:80", 0, 0},
		{":443", 0, 0}, {"[::1:80", 0, 0}, {"[]:80", 0, 0}, {"", 0, 0}, {"[::1]:x", 0, 0},
		{"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc:dddd:eeee:ffff:0000", 0, 0},
	};

	for (size_t i = 0; i < ROWS(rows); i++) {
		if ((units_check_endpoint(rows[i].given, 1, NULL) == 0) != rows[i].with_port)
			fail_msg("\"%s\" with a port", rows[i].given);
		if ((units_check_endpoint(rows[i].given, 0, NULL) == 0) != rows[i].alone)
			fail_msg("\"%s\" alone", rows[i].given);
	}
}

struct text_row {
	double given;
	const char *want;
};

static void check_texts(char *(*format)(double, char *), const struct text_row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char text[UNITS_TEXT_MAX];

		assert_string_equal(format(rows[i].given, text), rows[i].want);
	}
}

static void test_numbers_are_readable(void **state)
{
	static const struct text_row percents[] = {{0, "0 %"}, {1, "100 %"}, {0.6234, "62.3 %"}, {0.9995, "100 %"},
						   {0.999, "99.9 %"}, {0.0004, "<0.1 %"}, {0.0005, "0.1 %"},
						   {NAN, "-"}};
	static const struct text_row counts[] = {{0, "0"}, {17, "17"}, {9999, "9999"}, {12345, "12.3 k"},
						 {999400, "999 k"}, {999960, "1.00 M"}, {1234567, "1.23 M"},
						 {45678901, "45.7 M"}, {1.5e12, "1.50 T"}};
	static const struct text_row bytes[] = {{0, "0 B"}, {512, "512 B"}, {1536, "1.50 KiB"},
						{1048576, "1.00 MiB"}, {123456789, "118 MiB"}};
	static const struct text_row durations[] = {{0.0004, "0.40 ms"}, {0.25, "250 ms"}, {1.5, "1.5 s"},
						    {12, "12 s"}, {90, "1 min 30 s"}, {11520, "3 h 12 min"},
						    {180000, "2 d 2 h"}};

	check_texts(units_percent, percents, ROWS(percents));
	check_texts(units_count, counts, ROWS(counts));
	check_texts(units_bytes, bytes, ROWS(bytes));
	check_texts(units_duration, durations, ROWS(durations));
}

static void test_bars(void **state)
{
	static const struct {
		double given;
		int utf8;
		const char *want;
	} rows[] = {{0, 1, ""}, {1, 1, "████"}, {0.5, 1, "██"}, {0.53, 1, "██▏"}, {0.001, 1, "▏"}, {2, 1, "████"},
		    {-1, 1, ""}, {NAN, 1, ""}, {0.5, 0, "##"}, {0.001, 0, "#"}, {1, 0, "####"}};

	for (size_t i = 0; i < ROWS(rows); i++) {
		char bar[3 * 4 + 1];

		assert_string_equal(units_bar(rows[i].given, 4, rows[i].utf8, bar), rows[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ratios),	  cmocka_unit_test(test_durations),
		cmocka_unit_test(test_integers),  cmocka_unit_test(test_steps),
		cmocka_unit_test(test_endpoints), cmocka_unit_test(test_numbers_are_readable),
		cmocka_unit_test(test_bars),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
