// SPDX-License-Identifier: GPL-2.0-or-later
/* print: what all printers share. See print.h. */
#include "controller/cli/print.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

const char *field_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text && text[0] ? text : "-";
}

double field_number(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return json_is_number(value) ? json_number_value(value) : NAN;
}

bool field_true(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

char *field_units(const json_t *object, const char *key, char *(*format)(double, char *), char *to)
{
	double number = field_number(object, key);

	if (isnan(number))
		strcpy(to, "-");
	else
		format(number, to);
	return to;
}

char *print_place(const json_t *backend, char *to)
{
	const char *region = field_text(backend, "region");
	bool known = strcmp(region, "-") != 0;

	snprintf(to, PRINT_PLACE_MAX, "%s%s%s", known ? field_text(backend, "provider") : "", known ? "/" : "",
		 region);
	return to;
}

const char *print_limit(const json_t *object)
{
	static const struct {
		const char *name, *words;
	} limits[] = {
		{"none", ""},
		{"state", "not ready (drain or maint)"},
		{"down", "down: plainly dead"},
		{"health", "low health"},
		{"shift", "a shift moves it"},
		{"slew", "slew: moves as fast as it may"},
		{"return-hold", "return hold: 60 s above 35 % first"},
		{"headroom", "headroom of the receivers"},
		{"ejection", "kept: too many look bad"},
		{"panic", "panic: not believed, last good weights"},
	};
	const char *name = json_string_value(json_object_get(object, "limited_by"));

	for (size_t i = 0; name && i < sizeof(limits) / sizeof(limits[0]); i++) {
		if (strcmp(name, limits[i].name) == 0)
			return limits[i].words;
	}
	return name ? name : "-";
}

enum tone print_health_tone(double health)
{
	return isnan(health) ? TONE_FAINT : health >= 0.95 ? TONE_GOOD : health >= 0.5 ? TONE_WARN : TONE_BAD;
}

enum tone print_state_tone(const char *state)
{
	return strcmp(state, "ready") == 0 || strcmp(state, "up") == 0 ? TONE_GOOD
	       : strcmp(state, "down") == 0			       ? TONE_BAD
								       : TONE_WARN;
}

char *print_time(const char *text, char *to)
{
	struct tm tm = {0}, local, today;
	time_t now = time(NULL), at;
	const char *rest = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;

	if (!rest) {
		snprintf(to, UNITS_TEXT_MAX, "%.30s", text ? text : "-");
		return to;
	}
	at = timegm(&tm);
	localtime_r(&at, &local);
	localtime_r(&now, &today);
	strftime(to, UNITS_TEXT_MAX,
		 local.tm_yday == today.tm_yday && local.tm_year == today.tm_year ? "%H:%M:%S"
										  : "%Y-%m-%d %H:%M:%S",
		 &local);
	if (rest[0] == '.' && strspn(rest + 1, "0123456789") >= 3)
		strncat(to, rest, 4);
	return to;
}

static void print_safe(FILE *to, const char *fmt, va_list ap)
{
	char *text, *safe;

	if (vasprintf(&text, fmt, ap) < 0)
		abort();
	safe = text_safe(text);
	fputs(safe, to);
	free(text);
	free(safe);
}

void print_line(struct cli *cli, const char *label, enum tone tone, const char *fmt, ...)
{
	char *safe = text_safe(label);
	va_list ap;

	fprintf(cli->out, "%s%-14s%s ", tone_on(TONE_FAINT, cli->colour), safe, tone_off(cli->colour));
	free(safe);
	fputs(tone_on(tone, cli->colour), cli->out);
	va_start(ap, fmt);
	print_safe(cli->out, fmt, ap);
	va_end(ap);
	fprintf(cli->out, "%s\n", tone == TONE_PLAIN ? "" : tone_off(cli->colour));
}

void print_title(struct cli *cli, const char *fmt, ...)
{
	va_list ap;

	fprintf(cli->out, "\n%s", tone_on(TONE_TITLE, cli->colour));
	va_start(ap, fmt);
	print_safe(cli->out, fmt, ap);
	va_end(ap);
	fprintf(cli->out, "%s\n", tone_off(cli->colour));
}

/* Cells of a bar column that still leaves room for the rest of a line. */
static int print_bar_width(const struct cli *cli)
{
	return cli->columns >= 110 ? 30 : cli->columns >= 90 ? 20 : 10;
}

void print_groups(struct cli *cli, const json_t *pools)
{
	struct table *table = table_new("POOL|TIER|GROUP|>BACKENDS|>SHARE||>AVAILABLE|?LIMITED BY");
	char bar[3 * 30 + 1], share[UNITS_TEXT_MAX], available[UNITS_TEXT_MAX];
	const json_t *pool, *group;
	size_t i, j;

	json_array_foreach((json_t *)pools, i, pool)
	{
		json_array_foreach(json_object_get(pool, "groups"), j, group)
		{
			double tier = field_number(group, "tier"), part = field_number(group, "share");

			table_row(table);
			table_cell(table, TONE_TITLE, "%s", j ? "" : field_text(pool, "name"));
			table_cell(table, TONE_PLAIN, isnan(tier) ? "-" : "%.0f", tier + 1);
			table_cell(table, TONE_PLAIN, "%s", field_text(group, "region"));
			table_cell(table, TONE_PLAIN, "%.0f", field_number(group, "backends"));
			table_cell(table, TONE_PLAIN, "%s", field_units(group, "share", units_percent, share));
			table_cell(table, TONE_BAR, "%s",
				   units_bar(part, print_bar_width(cli), cli->utf8, bar));
			table_cell(table, print_health_tone(field_number(group, "availability")), "%s",
				   field_units(group, "availability", units_percent, available));
			table_cell(table, TONE_WARN, "%s", print_limit(group));
		}
	}
	table_print(table, cli->out, cli->colour);
}
