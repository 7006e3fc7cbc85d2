// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The metrics' text, checked line by line as a strict reader would (exposition format 0.0.4): families whole and once, HELP and
 * TYPE before samples, no sample twice, counters named _total, histograms cumulative. The checker is checked, too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/metrics.h"

/* --- a strict reader */

#define LINES_MAX    2000
#define FAMILIES_MAX 200

struct reader {
	char *lines[LINES_MAX]; /* samples seen, names with labels */
	int line_count;
	char families[FAMILIES_MAX][80];
	int family_count;
	char type[16];
	double bucket; /* last cumulative one */
};

/* Length of a name at `s`, 0 if none. */
static size_t name_length(const char *s)
{
	size_t n = 0;

	if (isdigit((unsigned char)s[0]))
		return 0;
	while (isalnum((unsigned char)s[n]) || s[n] == '_' || s[n] == ':')
		n++;
	return n;
}

/* The end of {a="b",...} at `s`, or NULL. */
static const char *labels_end(const char *s)
{
	for (s++;; s++) {
		size_t n = name_length(s);

		if (!n || s[n] != '=' || s[n + 1] != '"')
			return NULL;
		for (s += n + 2; *s && *s != '"'; s++) {
			if (*s == '\\' && !strchr("\\\"n", *++s))
				return NULL;
		}
		if (*s++ != '"')
			return NULL;
		if (*s == '}')
			return s + 1;
		if (*s != ',')
			return NULL;
	}
}

static const char *read_comment(struct reader *r, const char *line)
{
	char kind[8], name[80], type[16] = "";

	if (sscanf(line, "# %7s %79s %15s", kind, name, type) < 2)
		return "a comment that is neither HELP nor TYPE";
	if (strcmp(kind, "HELP") == 0) {
		for (int i = 0; i < r->family_count; i++) {
			if (strcmp(r->families[i], name) == 0)
				return "a family comes twice";
		}
		snprintf(r->families[r->family_count++], 80, "%s", name);
		r->type[0] = 0;
		return strlen(line) > strlen(name) + 8 ? NULL : "an empty HELP";
	}
	if (strcmp(kind, "TYPE") != 0 || !r->family_count ||
	    strcmp(r->families[r->family_count - 1], name) != 0 || r->type[0])
		return "TYPE does not follow its HELP";
	if (strcmp(type, "counter") && strcmp(type, "gauge") && strcmp(type, "histogram"))
		return "an unknown type";
	strcpy(r->type, type);
	r->bucket = 0;
	return NULL;
}

static const char *read_name(struct reader *r, const char *line, size_t n, double value)
{
	const char *family = r->family_count ? r->families[r->family_count - 1] : "";
	size_t length = strlen(family);
	int histogram = strcmp(r->type, "histogram") == 0;

	if (strncmp(line, "ebb_", 4) != 0)
		return "no ebb_ in front";
	if (!r->type[0] || strncmp(line, family, length) != 0 || (!histogram && n != length))
		return "a sample outside of its family";
	if ((strcmp(r->type, "counter") == 0) != (n > 6 && strncmp(line + n - 6, "_total", 6) == 0))
		return "counters, and they alone, end in _total";
	if (histogram && strncmp(line + length, "_bucket", 7) == 0) {
		if (value < r->bucket)
			return "buckets are not cumulative";
		r->bucket = value;
	}
	if (histogram && strncmp(line + length, "_count", 6) == 0 && value != r->bucket)
		return "count is not the last bucket";
	return NULL;
}

static const char *read_sample(struct reader *r, char *line)
{
	size_t n = name_length(line);
	const char *end = line + n;
	const char *wrong;
	char *rest;
	double value;

	if (!n)
		return "no name";
	if (*end == '{')
		end = labels_end(end);
	if (!end || *end != ' ')
		return "bad labels";
	value = strtod(end + 1, &rest);
	if (rest == end + 1 || *rest)
		return "bad value";
	wrong = read_name(r, line, n, value);
	line[end - line] = 0;
	for (int i = 0; !wrong && i < r->line_count; i++) {
		if (strcmp(r->lines[i], line) == 0)
			wrong = "a sample comes twice";
	}
	r->lines[r->line_count++] = line;
	return wrong;
}

/* NULL or what is wrong. Cuts `text` at its newlines. */
static const char *read_text(char *text)
{
	struct reader *r = calloc(1, sizeof(*r));
	const char *wrong = NULL;
	char *rest = text, *line;

	if (!text[0] || text[strlen(text) - 1] != '\n')
		wrong = "no newline at the end";
	while (!wrong && (line = strsep(&rest, "\n")) && rest)
		wrong = line[0] == '#' ? read_comment(r, line) : read_sample(r, line);
	free(r);
	return wrong;
}

static void test_the_reader_is_strict(void **state)
{
#define HEAD "# HELP ebb_a Text.\n# TYPE ebb_a gauge\n"
	static const struct {
		const char *given, *want;
	} rows[] = {
		{HEAD "ebb_a 1\n", NULL},
		{HEAD "ebb_a{b=\"c\\\"\\\\\\n\"} 1.5e-7\n", NULL},
		{HEAD "ebb_a 1", "newline"},
		{HEAD "ebb_a{b=\"c\"d} 1\n", "labels"},
		{HEAD "ebb_a{b=\"c} 1\n", "labels"},
		{HEAD "ebb_a x\n", "value"},
		{HEAD "ebb_a 1\nebb_a 2\n", "twice"},
		{HEAD "ebb_b 1\n", "outside"},
		{HEAD "ebb_a 1\n" HEAD, "twice"},
		{"ebb_a 1\n", "outside"},
		{"# HELP ebb_a T.\n# TYPE ebb_a counter\nebb_a 1\n", "_total"},
		{"# HELP ebb_a_total T.\n# TYPE ebb_a_total gauge\nebb_a_total 1\n", "_total"},
		{"# HELP ebb_h T.\n# TYPE ebb_h histogram\nebb_h_bucket{le=\"1\"} 2\nebb_h_bucket{le=\"2\"} 1\n",
		 "cumulative"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *text = strdup(rows[i].given);
		const char *wrong = read_text(text);

		if (!!wrong != !!rows[i].want || (wrong && !strstr(wrong, rows[i].want)))
			fail_msg("%s: %s", rows[i].given, wrong ? wrong : "passed");
		free(text);
	}
}

/* --- a small world */

static struct model_provider providers[] = {{"aws"}, {"gcp"}};
static struct model_region regions[] = {
	{.name = "eu-central-1", .full_name = "aws/eu-central-1", .provider = 0, .backend_count = 1},
	{.name = "europe-west4", .full_name = "gcp/europe-west4", .provider = 1, .first_backend = 1,
	 .backend_count = 1},
};
static struct model_backend backends[] = {
	{.name = "fra-1", .id = 1, .region = 0, .capacity = 100, .state = BACKEND_STATE_READY, .health = 0.25},
	{.name = "ams-1", .id = 2, .region = 1, .capacity = 50, .state = BACKEND_STATE_DRAIN, .health = 1,
	 .hard_down = true},
	{.name = "old\"1\\", .id = 3, .region = UINT32_MAX, .capacity = 50, .state = BACKEND_STATE_DRAIN,
	 .leaving = true},
};
static struct model_group groups[] = {
	{.region = 0, .share = 0.75, .availability = 0.35, .limited_by = WEIGHT_BY_SLEW},
	{.region = 1, .share = 0.25, .availability = 1, .limited_by = WEIGHT_FREE},
};
static struct model_member members[] = {
	{.backend = 0, .group = 0, .weight = 0.75, .slots = 49152},
	{.backend = 1, .group = 1, .weight = 0.25, .slots = 16384},
};
static struct model_pool pools[] = {
	{.name = "eu", .slot_count = 65536, .groups = groups, .group_count = 2, .members = members,
	 .member_count = 2, .digest = 0xabc, .moved = 17, .generation = 3, .unsettled = 5},
	{.name = "empty", .slot_count = 1024, .empty = true},
};
static struct model_service services[] = {{.name = "web", .id = 0, .pool = 0}};
static const struct model world = {
	.providers = providers, .provider_count = 2, .regions = regions, .region_count = 2,
	.backends = backends, .backend_count = 3, .pools = pools, .pool_count = 2, .services = services,
	.service_count = 1,
};

static struct shifts shifts = {
	.entries = {{.name = "shift-1", .shift = {.phase = SHIFT_CLOSED}},
		    {.name = "shift-2", .pool = "eu", .from = "aws/eu-central-1", .to = "gcp/europe-west4",
		     .actor = "auto", .live = true, .sandboxes = {.wanted = 7, .moved = 4, .left = 3}, .shift = {.phase = SHIFT_RAMP, .part = 0.25,
						.holds = SHIFT_HOLD_GATE | SHIFT_HOLD_OPERATOR}}},
	.count = 2,
};

static char *format_world(const struct metrics_histogram *ticks)
{
	struct metrics_source source = {.model = &world, .shifts = &shifts, .ticks = ticks, .edge = "edge-1\n\"x\"",
					.started_s = 1767322984, .reload_successful = true,
					.probes_suspected = 7, .probes_starved = 2};
	size_t length = 0;
	char *text = metrics_format(&source, &length);

	assert_non_null(text);
	assert_int_equal(length, strlen(text));
	return text;
}

static void test_the_text_is_well_formed(void **state)
{
	struct metrics_histogram ticks = {{0}};
	char *text = format_world(&ticks);
	const char *wrong = read_text(text);

	if (wrong)
		fail_msg("%s", wrong);
	free(text);
}

static void test_values_and_labels(void **state)
{
	static const char *const want[] = {
		"\nebb_probes_suspected_total 7\n",
		"\nebb_probes_starved_total 2\n",
		"\nebb_backend_health_ratio{backend=\"fra-1\",region=\"eu-central-1\",provider=\"aws\"} 0.25\n",
		"\nebb_backend_weight_ratio{backend=\"fra-1\",region=\"eu-central-1\",provider=\"aws\","
		"pool=\"eu\"} 0.75\n",
		"\nebb_backend_ready{backend=\"ams-1\",region=\"europe-west4\",provider=\"gcp\"} 0\n",
		"\nebb_backend_down{backend=\"ams-1\",region=\"europe-west4\",provider=\"gcp\"} 1\n",
		"\nebb_backend_health_ratio{backend=\"old\\\"1\\\\\",region=\"\",provider=\"\"} 0\n",
		"\nebb_backend_slots{backend=\"ams-1\",region=\"europe-west4\",provider=\"gcp\",pool=\"eu\"} "
		"16384\n",
		"\nebb_group_share_ratio{pool=\"eu\",region=\"eu-central-1\",provider=\"aws\"} 0.75\n",
		"\nebb_group_limited_info{pool=\"eu\",region=\"eu-central-1\",provider=\"aws\",limited_by=\"slew\"} "
		"1\n",
		"\nebb_shift_phase{shift=\"shift-2\",pool=\"eu\",from=\"aws/eu-central-1\",to=\"gcp/europe-west4\","
		"actor=\"auto\",phase=\"ramp\"} 1\n",
		"\nebb_shift_share_ratio{shift=\"shift-2\",pool=\"eu\",from=\"aws/eu-central-1\","
		"to=\"gcp/europe-west4\"} 0.25\n",
		"\nebb_shift_hold{shift=\"shift-2\",pool=\"eu\",hold=\"operator\"} 1\n"
		"ebb_shift_hold{shift=\"shift-2\",pool=\"eu\",hold=\"gate\"} 1\n",
		"\nebb_shift_sandboxes{shift=\"shift-2\",pool=\"eu\",what=\"moved\"} 4\n",
		"\nebb_slots_moved_total{pool=\"eu\"} 17\n",
		"\nebb_table_digest_info{pool=\"eu\",digest=\"0000000000000abc\"} 1\n",
		"\nebb_pool_empty{pool=\"empty\"} 1\n",
		"\nebb_config_last_reload_successful 1\n",
		"\nebb_start_time_seconds 1767322984\n",
		"edge=\"edge-1\\n\\\"x\\\"\"} 1\n",
	};
	struct metrics_histogram ticks = {{0}};
	char *text = format_world(&ticks);

	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		if (!strstr(text, want[i]))
			fail_msg("missing: %s", want[i]);
	}
	assert_null(strstr(text, "shift-1")); /* closed */
	assert_null(strstr(text, "ebb_backend_packets_total")); /* no data plane: no counters, not zeros */
	free(text);
}

static void test_ticks_fall_into_their_buckets(void **state)
{
	static const char *const want[] = {
		"_bucket{le=\"0.0001\"} 1\n", "_bucket{le=\"0.00025\"} 2\n", "_bucket{le=\"0.05\"} 3\n",
		"_bucket{le=\"0.1\"} 3\n",    "_bucket{le=\"+Inf\"} 4\n",    "_count 4\n",
		"_sum 2.0302\n",
	};
	struct metrics_histogram ticks = {{0}};
	char *text;

	metrics_observe(&ticks, 0.0001); /* a bound belongs to its bucket */
	metrics_observe(&ticks, 0.0001 + 1e-9);
	metrics_observe(&ticks, 0.03);
	metrics_observe(&ticks, 2);
	ticks.sum_s = 2.0302;
	text = format_world(&ticks);
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		if (!strstr(text, want[i]))
			fail_msg("missing: %s", want[i]);
	}
	free(text);
}

static void test_numbers(void **state)
{
	static const struct {
		double given;
		const char *want;
	} rows[] = {{0, "0"}, {1.0 / 3, "0.333333333333"}, {1e15, "1e+15"}, {NAN, "NaN"}, {INFINITY, "+Inf"},
		    {-INFINITY, "-Inf"}, {123456789012, "123456789012"}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *text = NULL;
		size_t length;
		FILE *to = open_memstream(&text, &length);

		metrics_number(to, rows[i].given);
		fclose(to);
		assert_string_equal(text, rows[i].want);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_reader_is_strict),
		cmocka_unit_test(test_the_text_is_well_formed),
		cmocka_unit_test(test_values_and_labels),
		cmocka_unit_test(test_ticks_fall_into_their_buckets),
		cmocka_unit_test(test_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
