// SPDX-License-Identifier: GPL-2.0-or-later
/* report: see the header. */
#include "controller/report.h"

#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <strings.h>

#define LOAD_FULL_TERM 0.7 /* up to here a backend gets all of its share */
#define LOAD_TERM_MIN  0.1
#define LOAD_MAX       1000.
#define WORD_MAX       32

const char *const report_admin_names[] = {"unsaid", "ready", "drain", "maint"};
static_assert(sizeof(report_admin_names) / sizeof(report_admin_names[0]) == REPORT_ADMIN__COUNT,
	      "a name for each");
const char *const report_status_names[] = {"unsaid", "up", "down"};
static_assert(sizeof(report_status_names) / sizeof(report_status_names[0]) == REPORT_STATUS__COUNT,
	      "a name for each");

/* ---- the agent's line ---- */

/* Digits up to `end`, held at UINT32_MAX. False: something else, or nothing. */
static bool read_number(const char *text, char end, uint32_t *ret_number)
{
	uint64_t number = 0;
	const char *at = text;

	for (; *at >= '0' && *at <= '9'; at++) {
		number = number * 10 + (uint64_t)(*at - '0');
		if (number > UINT32_MAX)
			number = UINT32_MAX;
	}
	if (at == text || *at != end)
		return false;
	*ret_number = (uint32_t)number;
	return true;
}

static bool take_state(const char *word, struct report *report)
{
	static const struct {
		const char *word;
		enum report_admin admin;
		enum report_status status;
	} states[] = {
		{"ready", REPORT_ADMIN_READY, 0},  {"drain", REPORT_ADMIN_DRAIN, 0},
		{"maint", REPORT_ADMIN_MAINT, 0},  {"up", 0, REPORT_STATUS_UP},
		{"down", 0, REPORT_STATUS_DOWN},   {"fail", 0, REPORT_STATUS_DOWN},
		{"failed", 0, REPORT_STATUS_DOWN}, {"stopped", 0, REPORT_STATUS_DOWN},
	};

	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		if (strcasecmp(word, states[i].word))
			continue;
		if (states[i].admin)
			report->admin = states[i].admin;
		else
			report->status = states[i].status;
		return true;
	}
	return false;
}

static bool take_word(const char *word, struct report *report)
{
	uint32_t percent;

	if (take_state(word, report))
		return true;
	if (!strncasecmp(word, "maxconn:", 8) && read_number(word + 8, '\0', &report->maxconn)) {
		report->has_maxconn = true;
		return true;
	}
	if (!read_number(word, '%', &percent) || strchr(word, '%')[1])
		return false;
	report->weight = percent < 100 ? percent / 100. : 1.;
	report->has_weight = true;
	return true;
}

static void take_reason(const char *text, size_t length, struct report *report)
{
	size_t n = 0;

	while (length && (*text == ' ' || *text == '\t')) {
		text++;
		length--;
	}
	for (; length && n < sizeof(report->reason) - 1; text++, length--)
		report->reason[n++] = *text >= ' ' && *text <= '~' ? *text : '?';
	report->reason[n] = '\0';
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == ',';
}

static size_t line_length(const char *bytes, size_t length)
{
	size_t n = 0;

	while (n < length && bytes[n] != '\n' && bytes[n] != '\r' && bytes[n] != '\0')
		n++;
	return n;
}

int report_parse_agent(const char *bytes, size_t length, struct err *err, struct report *ret_report)
{
	struct report report = {};
	bool known = false;
	size_t end = line_length(bytes, length);

	if (end > REPORT_AGENT_BYTES_MAX)
		return err_set(err, EINVAL, "an agent's line of over %d bytes",
			       REPORT_AGENT_BYTES_MAX);
	for (size_t at = 0; at < end;) {
		char word[WORD_MAX + 1];
		size_t n = 0;

		if (is_blank(bytes[at])) {
			at++;
			continue;
		}
		if (bytes[at] == '#') {
			take_reason(bytes + at + 1, end - at - 1, &report);
			break;
		}
		for (; at < end && !is_blank(bytes[at]); at++) {
			if (n < WORD_MAX)
				word[n++] = bytes[at];
		}
		word[n] = '\0';
		known |= n < WORD_MAX && take_word(word, &report);
	}
	if (!known)
		return err_set(err, EINVAL,
			       "an agent's line without a word that is known (75%%, up, down, "
			       "ready, drain, maint, maxconn:N)");
	*ret_report = report;
	return 0;
}

/* ---- JSON ---- */

static int take_count(const json_t *object, const char *key, struct err *err, bool *ret_has,
		      uint32_t *ret_count)
{
	const json_t *value = json_object_get(object, key);

	if (!value)
		return 0;
	if (!json_is_integer(value) || json_integer_value(value) < 0 ||
	    json_integer_value(value) > UINT32_MAX)
		return err_set(err, EINVAL, "\"%s\": a whole number from 0 to %u is needed", key,
			       UINT32_MAX);
	*ret_has = true;
	*ret_count = (uint32_t)json_integer_value(value);
	return 0;
}

static int take_load(const json_t *object, struct err *err, struct report *report)
{
	const json_t *value = json_object_get(object, "load");

	if (!value)
		return 0;
	/* The negation refuses NaN as well. */
	if (!json_is_number(value) ||
	    !(json_number_value(value) >= 0 && json_number_value(value) <= LOAD_MAX))
		return err_set(err, EINVAL, "\"load\": a number from 0 to %g is needed", LOAD_MAX);
	report->has_load = true;
	report->load = json_number_value(value);
	return 0;
}

static int take_json_state(const json_t *object, struct err *err, struct report *report)
{
	const json_t *value = json_object_get(object, "state");

	if (!value || (json_is_string(value) && take_state(json_string_value(value), report)))
		return 0;
	return err_set(err, EINVAL, "\"state\": ready, drain, maint, up or down is needed");
}

static int take_object(const json_t *object, struct err *err, struct report *report)
{
	int rc;

	if (!json_is_object(object))
		return err_set(err, EINVAL, "a report is a JSON object");
	rc = take_count(object, "sandboxes", err, &report->has_sandboxes, &report->sandboxes);
	if (!rc)
		rc = take_count(object, "capacity", err, &report->has_capacity, &report->capacity);
	if (!rc)
		rc = take_count(object, "warm", err, &report->has_warm, &report->warm);
	if (!rc)
		rc = take_load(object, err, report);
	if (!rc)
		rc = take_json_state(object, err, report);
	return rc;
}

int report_parse_json(const char *bytes, size_t length, struct err *err, struct report *ret_report)
{
	struct report report = {};
	json_error_t why;
	json_t *object;
	int rc;

	if (length > REPORT_JSON_BYTES_MAX)
		return err_set(err, EINVAL, "a report of over %d bytes", REPORT_JSON_BYTES_MAX);
	object = json_loadb(bytes, length, JSON_REJECT_DUPLICATES, &why);
	if (!object)
		return err_set(err, EINVAL, "a report that is no JSON: line %d: %s", why.line,
			       why.text);
	rc = take_object(object, err, &report);
	json_decref(object);
	if (!rc)
		*ret_report = report;
	return rc;
}

/* ---- */

double report_load_term(const struct report *report)
{
	double term = report->has_weight ? report->weight : 1.;
	double over = (report->load - LOAD_FULL_TERM) / (1. - LOAD_FULL_TERM);

	if (!report->has_load || over <= 0)
		return term;
	return term * (over >= 1 ? LOAD_TERM_MIN : 1. - over * (1. - LOAD_TERM_MIN));
}
