// SPDX-License-Identifier: GPL-2.0-or-later
/* units: see units.h. */
#include "controller/cli/units.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNITS_DURATION_MAX_S (10.0 * 365 * 86400)

/* A plain decimal at the start of `text`; NULL if there is none. No hex, no "inf", no sign. */
static const char *units_decimal(const char *text, double *ret_value)
{
	size_t length = strspn(text, "0123456789.");
	char *end;

	if (!length || length > 20 || strchr("eExXpP", text[length] ? text[length] : ' '))
		return NULL;
	*ret_value = strtod(text, &end);
	return end == text + length ? end : NULL;
}

int units_parse_ratio(const char *text, struct err *err, double *ret_ratio)
{
	double value = 0;
	const char *end = units_decimal(text, &value);

	if (end && strcmp(end, "%") == 0)
		value /= 100;
	else if (!end || *end)
		return err_set(err, EINVAL, "\"%.40s\" is no ratio; write 30%% or 0.3", text);
	if (value > 1)
		return err_set(err, EINVAL, "\"%.40s\" is out of range; a ratio is 0 to 1, or 0%% to 100%%%s",
			       text, strchr(text, '%') ? "" : " (did you mean a % sign?)");
	*ret_ratio = value;
	return 0;
}

int units_parse_duration(const char *text, struct err *err, double *ret_s)
{
	static const struct {
		const char *unit;
		double seconds;
	} units[] = {{"ms", 1e-3}, {"s", 1}, {"m", 60}, {"min", 60}, {"h", 3600}, {"d", 86400}};
	double value = 0;
	const char *end = units_decimal(text, &value);

	for (size_t i = 0; end && i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(end, units[i].unit) != 0)
			continue;
		if (value * units[i].seconds > UNITS_DURATION_MAX_S)
			return err_set(err, EINVAL, "\"%.40s\" is more than ten years", text);
		*ret_s = value * units[i].seconds;
		return 0;
	}
	return err_set(err, EINVAL, "\"%.40s\" is no duration; write 250ms, 30s, 5m, 2h or 1d", text);
}

int units_parse_integer(const char *text, int64_t least, int64_t most, struct err *err,
			int64_t *ret_number)
{
	char *end;
	long long number;

	errno = 0;
	number = strtoll(text, &end, 10);
	if (!isdigit((unsigned char)text[0]) || *end || errno || number < least || number > most)
		return err_set(err, EINVAL, "\"%.40s\" is no number from %lld to %lld", text,
			       (long long)least, (long long)most);
	*ret_number = number;
	return 0;
}

/* One of "20%" and "60%@30s". */
static int units_parse_step(char *text, double before, struct err *err, json_t *steps)
{
	char *at = strchr(text, '@');
	double share = 0, ramp_s = 0;
	int rc;

	if (at)
		*at++ = 0;
	rc = units_parse_ratio(text, err, &share);
	if (rc == 0 && at)
		rc = units_parse_duration(at, err, &ramp_s);
	if (rc)
		return rc;
	if (share <= before)
		return err_set(err, EINVAL, "step \"%.40s\" does not rise over the one before it", text);
	json_array_append_new(steps, json_pack("{sfsf}", "share", share, "ramp_s", ramp_s));
	return 0;
}

int units_parse_steps(const char *text, struct err *err, json_t **ret_steps)
{
	char *copy = strdup(text), *rest = copy, *step;
	json_t *steps = json_array();
	int rc = copy && steps ? 0 : err_set(err, ENOMEM, "out of memory");

	while (rc == 0 && (step = strsep(&rest, ","))) {
		json_t *last = json_array_get(steps, json_array_size(steps) - 1);

		if (json_array_size(steps) == UNITS_STEPS_MAX)
			rc = err_set(err, EINVAL, "a shift has at most %d steps", UNITS_STEPS_MAX);
		else
			rc = units_parse_step(step, json_number_value(json_object_get(last, "share")),
					      err, steps);
	}
	if (rc == -EINVAL)
		err_prefix(err, EINVAL, "steps are written 20%%,60%%@30s,100%%@30s: ");
	free(copy);
	if (rc)
		json_decref(steps);
	else
		*ret_steps = steps;
	return rc;
}

int units_check_endpoint(const char *text, int port_needed, struct err *err)
{
	char host[64];
	unsigned char bytes[16];
	const char *colon = strrchr(text, ':'), *port = NULL;
	size_t length = strlen(text);
	int64_t number;

	if (text[0] == '[') {
		const char *end = strchr(text, ']');

		length = end ? (size_t)(end - text - 1) : 0;
		port = end && end[1] == ':' ? end + 2 : NULL;
		text++;
	} else if (colon && strchr(text, ':') == colon) {
		length = (size_t)(colon - text);
		port = colon + 1;
	}
	if (length >= sizeof(host))
		return err_set(err, EINVAL, "that is no address");
	memcpy(host, text, length);
	host[length] = 0;
	if (inet_pton(AF_INET, host, bytes) != 1 && inet_pton(AF_INET6, host, bytes) != 1)
		return err_set(err, EINVAL, "\"%s\" is no IPv4 or IPv6 address", host);
	if (!port)
		return port_needed ? err_set(err, EINVAL, "the port is missing; write 192.0.2.10:443 or "
						       "[2001:db8::10]:443")
				   : 0;
	if (!port_needed)
		return err_set(err, EINVAL, "an address without a port, please");
	return units_parse_integer(port, 0, 65535, err, &number);
}

char *units_percent(double ratio, char *to)
{
	double percent = ratio * 100;

	if (isnan(percent))
		snprintf(to, UNITS_TEXT_MAX, "-");
	else if (percent > 0 && percent < 0.05)
		snprintf(to, UNITS_TEXT_MAX, "<0.1 %%");
	else if (percent == 0 || percent >= 99.95)
		snprintf(to, UNITS_TEXT_MAX, "%.0f %%", percent);
	else
		snprintf(to, UNITS_TEXT_MAX, "%.1f %%", percent);
	return to;
}

/* Three digits, in the unit that leaves one to three before the point. `whole`: the first unit has no fractions. */
static char *units_scaled(double value, double step, const char *const *names, size_t count, bool whole,
			  char *to)
{
	size_t i = 0;

	for (; i + 1 < count && value >= step * 0.99995; i++)
		value /= step;
	snprintf(to, UNITS_TEXT_MAX, "%.*f %s",
		 (whole && i == 0) || value >= 100 ? 0 : value >= 10 ? 1 : 2, value, names[i]);
	return to;
}

char *units_count(double count, char *to)
{
	static const char *const names[] = {"k", "M", "G", "T", "P"};

	if (count >= 10000)
		return units_scaled(count / 1000, 1000, names, sizeof(names) / sizeof(names[0]), false, to);
	snprintf(to, UNITS_TEXT_MAX, "%.0f", count);
	return to;
}

char *units_bytes(double bytes, char *to)
{
	static const char *const names[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};

	return units_scaled(bytes, 1024, names, sizeof(names) / sizeof(names[0]), true, to);
}

char *units_duration(double seconds, char *to)
{
	long whole = (long)seconds;

	if (seconds < 1)
		snprintf(to, UNITS_TEXT_MAX, seconds < 0.01 ? "%.2f ms" : "%.0f ms", seconds * 1e3);
	else if (seconds < 10)
		snprintf(to, UNITS_TEXT_MAX, "%.1f s", seconds);
	else if (seconds < 60)
		snprintf(to, UNITS_TEXT_MAX, "%ld s", whole);
	else if (seconds < 3600)
		snprintf(to, UNITS_TEXT_MAX, "%ld min %ld s", whole / 60, whole % 60);
	else if (seconds < 86400)
		snprintf(to, UNITS_TEXT_MAX, "%ld h %ld min", whole / 3600, whole % 3600 / 60);
	else
		snprintf(to, UNITS_TEXT_MAX, "%ld d %ld h", whole / 86400, whole % 86400 / 3600);
	return to;
}

char *units_bar(double ratio, int width, int utf8, char *to)
{
	static const char *const eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
	double clamped = ratio > 1 ? 1 : ratio > 0 ? ratio : 0;
	int cells = (int)lround(clamped * width * 8);
	char *p = to;

	if (!utf8)
		cells = (int)lround(clamped * width) * 8;
	if (cells == 0 && clamped > 0)
		cells = utf8 ? 1 : 8; /* not nothing */
	for (int i = 0; i < cells / 8; i++)
		p = stpcpy(p, utf8 ? "█" : "#");
	stpcpy(p, eighths[cells % 8]);
	return to;
}
