// SPDX-License-Identifier: GPL-2.0-or-later
/* print_status: `ebb status`: what is wrong first, then where the traffic goes. See print.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "controller/cli/print.h"

static void status_config(struct cli *cli, const json_t *config)
{
	char loaded[UNITS_TEXT_MAX];
	bool bad = json_is_false(json_object_get(config, "ok"));

	/* Why is among the problems above. */
	print_line(cli, "configuration", bad ? TONE_BAD : TONE_PLAIN, "%s, loaded %s%s",
		   field_text(config, "file"),
		   print_time(json_string_value(json_object_get(config, "loaded_at")), loaded),
		   bad ? "; the last reload was refused" : "");
}

static void status_interfaces(struct cli *cli, const json_t *interfaces)
{
	char text[1024] = "";
	const json_t *interface;
	size_t i;

	json_array_foreach((json_t *)interfaces, i, interface) {
		const char *why = json_string_value(json_object_get(interface, "why"));

		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s (%s%s%s)", i ? ", " : "",
			 field_text(interface, "name"), field_text(interface, "mode"), why ? ": " : "", why ?: "");
	}
	print_line(cli, "interfaces", text[0] ? TONE_PLAIN : TONE_BAD, "%s",
		   text[0] ? text : "none: nothing is forwarded");
}

static void status_counts(struct cli *cli, const json_t *counts)
{
	double down = field_number(counts, "down"), drain = field_number(counts, "drain");
	double maint = field_number(counts, "maint");
	char text[160];

	snprintf(text, sizeof(text), "%.0f in %.0f regions of %.0f providers: %.0f ready",
		 field_number(counts, "backends"), field_number(counts, "regions"),
		 field_number(counts, "providers"), field_number(counts, "ready"));
	if (drain > 0)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), ", %.0f in drain", drain);
	if (maint > 0)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), ", %.0f in maint", maint);
	if (down > 0)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), ", %.0f down", down);
	print_line(cli, "backends", down > 0 ? TONE_WARN : TONE_PLAIN, "%s", text);
	if (field_number(counts, "sandboxes") > 0)
		print_line(cli, "sandboxes", TONE_PLAIN, "%.0f", field_number(counts, "sandboxes"));
}

/* What the verdicts of one kind come to: "forward", "drop", "pass" by the start of their names. */
static double status_sum(const json_t *verdicts, const char *kind)
{
	double sum = 0;
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)verdicts, name, value)
	{
		double packets = field_number(value, "packets");

		if (strncmp(name, kind, strlen(kind)) == 0 && !isnan(packets))
			sum += packets;
	}
	return sum;
}

static void status_traffic(struct cli *cli, const json_t *verdicts)
{
	char forward[UNITS_TEXT_MAX], drop[UNITS_TEXT_MAX], pass[UNITS_TEXT_MAX], why[256] = "";
	const char *name;
	json_t *value;

	if (!json_is_object(verdicts))
		return;
	json_object_foreach((json_t *)verdicts, name, value)
	{
		char count[UNITS_TEXT_MAX];
		double packets = field_number(value, "packets");

		if (strncmp(name, "drop_", 5) == 0 && packets > 0)
			snprintf(why + strlen(why), sizeof(why) - strlen(why), "%s%s %s",
				 why[0] ? ", " : " (", name + 5, units_count(packets, count));
	}
	print_line(cli, "packets", TONE_PLAIN, "%s forwarded, %s dropped%s%s, %s not for a service",
		   units_count(status_sum(verdicts, "forward"), forward),
		   units_count(status_sum(verdicts, "drop"), drop), why, why[0] ? ")" : "",
		   units_count(status_sum(verdicts, "pass"), pass));
}

static void status_problems(struct cli *cli, const json_t *problems)
{
	const json_t *problem;
	size_t i;

	json_array_foreach((json_t *)problems, i, problem)
	{
		char *safe = text_safe(json_string_value(problem));

		fprintf(cli->out, "%s! %s%s\n", tone_on(TONE_BAD, cli->colour), safe, tone_off(cli->colour));
		free(safe);
	}
}

void print_status(struct cli *cli, const json_t *result, const json_t *params)
{
	char uptime[UNITS_TEXT_MAX], last[UNITS_TEXT_MAX], worst[UNITS_TEXT_MAX];
	const json_t *tick = json_object_get(result, "tick");

	print_line(cli, "edge", TONE_TITLE, "%s, ebbd %s, pid %.0f, up %s%s", field_text(result, "edge"),
		   field_text(result, "version"), field_number(result, "pid"),
		   field_units(result, "uptime_s", units_duration, uptime),
		   field_true(result, "frozen") ? ", FROZEN: weights stay until `ebb unfreeze`" : "");
	status_problems(cli, json_object_get(result, "problems"));
	status_config(cli, json_object_get(result, "config"));
	status_interfaces(cli, json_object_get(result, "interfaces"));
	status_counts(cli, json_object_get(result, "counts"));
	status_traffic(cli, json_object_get(result, "verdicts"));
	print_line(cli, "tick", TONE_PLAIN, "%s, worst %s",
		   field_units(tick, "last_s", units_duration, last),
		   field_units(tick, "max_s", units_duration, worst));
	fputc('\n', cli->out);
	print_groups(cli, json_object_get(result, "pools"));
}
