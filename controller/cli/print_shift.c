// SPDX-License-Identifier: GPL-2.0-or-later
/* print_shift: shifts with their stages as a bar, and sandboxes. See print.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "controller/cli/print.h"

static enum tone shift_tone(const json_t *shift)
{
	const char *phase = field_text(shift, "phase"), *outcome = field_text(shift, "outcome");

	if (strcmp(phase, "back") == 0 || strcmp(outcome, "aborted") == 0)
		return TONE_BAD;
	if (json_array_size(json_object_get(shift, "holds")) > 0)
		return TONE_WARN;
	return strcmp(phase, "done") == 0 || strcmp(phase, "closed") == 0 ? TONE_GOOD : TONE_BAR;
}

/* "held: gate, operator", or "" */
static void shift_holds(const json_t *shift, char *to, size_t size)
{
	const json_t *holds = json_object_get(shift, "holds"), *hold;
	size_t i;

	to[0] = 0;
	json_array_foreach((json_t *)holds, i, hold)
	{
		const char *name = json_string_value(hold);

		snprintf(to + strlen(to), size - strlen(to), "%s%s", i ? ", " : "held: ", name ? name : "?");
	}
}

/* "ramp 2 of 3" */
static void shift_phase(const json_t *shift, char *to, size_t size)
{
	const char *phase = field_text(shift, "phase"), *outcome = field_text(shift, "outcome");
	double step = field_number(shift, "step");
	size_t steps = json_array_size(json_object_get(shift, "steps"));
	bool counted = (strcmp(phase, "ramp") == 0 || strcmp(phase, "bake") == 0) && !isnan(step);

	if (counted)
		snprintf(to, size, "%s %.0f of %zu", phase, step + 1, steps);
	else
		snprintf(to, size, "%s%s%s", phase, strcmp(outcome, "-") ? ", " : "",
			 strcmp(outcome, "-") ? outcome : "");
}

static void shift_table(struct cli *cli, const json_t *shifts)
{
	struct table *table = table_new("SHIFT|POOL|FROM|TO|PHASE|>MOVED||?HOLDS|BY|?COMMENT");
	const json_t *shift;
	size_t i;

	json_array_foreach((json_t *)shifts, i, shift)
	{
		char moved[UNITS_TEXT_MAX], bar[64], holds[160], phase[64];

		shift_holds(shift, holds, sizeof(holds));
		shift_phase(shift, phase, sizeof(phase));
		table_row(table);
		table_cell(table, TONE_TITLE, "%s", field_text(shift, "name"));
		table_cell(table, TONE_PLAIN, "%s", field_text(shift, "pool"));
		table_cell(table, TONE_PLAIN, "%s", field_text(shift, "from"));
		table_cell(table, TONE_PLAIN, "%s", field_text(shift, "to"));
		table_cell(table, shift_tone(shift), "%s", phase);
		table_cell(table, TONE_PLAIN, "%s", field_units(shift, "share", units_percent, moved));
		table_cell(table, TONE_BAR, "%s",
			   units_bar(field_number(shift, "share"), 20, cli->utf8, bar));
		table_cell(table, TONE_WARN, "%s", holds);
		table_cell(table, TONE_PLAIN, "%s", field_text(shift, "actor"));
		table_cell(table, TONE_PLAIN, "%s", field_text(shift, "comment"));
	}
	if (json_array_size(shifts) == 0)
		fprintf(cli->out, "no shifts\n");
	else
		table_print(table, cli->out, cli->colour);
	if (json_array_size(shifts) == 0)
		table_print_rows(table, cli->out, false);
}

/* One line a step: which are past, which is under way, which are to come. */
static void shift_steps(struct cli *cli, const json_t *shift)
{
	const json_t *steps = json_object_get(shift, "steps"), *step;
	double now = field_number(shift, "step"), share = field_number(shift, "share");
	size_t i;

	json_array_foreach((json_t *)steps, i, step)
	{
		char part[UNITS_TEXT_MAX], ramp[UNITS_TEXT_MAX], bar[3 * 30 + 1];
		double target = field_number(step, "share");
		const char *mark = (double)i < now ? "done" : (double)i > now ? "" : "now";

		fprintf(cli->out, "  %-5s%s%-7s over %-10s%s %s%s%s\n", mark,
			tone_on((double)i == now ? TONE_TITLE : TONE_PLAIN, cli->colour),
			units_percent(target, part),
			field_number(step, "ramp_s") > 0 ? field_units(step, "ramp_s", units_duration, ramp)
							 : "no time",
			tone_off(cli->colour), tone_on(TONE_BAR, cli->colour),
			units_bar(share < target ? share : target, 30, cli->utf8, bar), tone_off(cli->colour));
	}
}

/* "completion 99.1 % (was 99.3 %), handshake 1.2 ms (was 1.1 ms)" */
static void shift_compare(const json_t *gate, const char *what, const char *now, const char *past,
			  char *(*units)(double, char *), char *to, size_t size)
{
	char a[UNITS_TEXT_MAX], b[UNITS_TEXT_MAX];
	size_t used = strlen(to);

	if (!json_object_get(gate, now))
		return;
	snprintf(to + used, size - used, "%s%s %s%s%s%s", used ? ", " : "", what,
		 field_units(gate, now, units, a), json_object_get(gate, past) ? " (was " : "",
		 json_object_get(gate, past) ? field_units(gate, past, units, b) : "",
		 json_object_get(gate, past) ? ")" : "");
}

static void shift_gate(struct cli *cli, const json_t *gate)
{
	const char *says = field_text(gate, "says"), *why = field_text(gate, "why");
	bool has_why = strcmp(why, "-") && why[0] && strcmp(why, says);
	char text[400] = "";

	if (!gate)
		return;
	print_line(cli, "gate", strcmp(says, "go") ? TONE_WARN : TONE_GOOD, "%s%s%s", says, has_why ? ": " : "",
		   has_why ? why : "");
	shift_compare(gate, "availability", "availability", "", units_percent, text, sizeof(text));
	shift_compare(gate, "source", "source_availability", "", units_percent, text, sizeof(text));
	shift_compare(gate, "completion", "completion", "completion_past", units_percent, text, sizeof(text));
	shift_compare(gate, "handshake", "handshake_s", "handshake_past_s", units_duration, text, sizeof(text));
	shift_compare(gate, "probe", "probe_s", "probe_past_s", units_duration, text, sizeof(text));
	print_line(cli, "", TONE_PLAIN, "%s", text);
}

static void shift_sandboxes(struct cli *cli, const json_t *sandboxes)
{
	if (sandboxes)
		print_line(cli, "sandboxes", TONE_PLAIN, "%.0f wanted moved, %.0f have moved, %.0f are left",
			   field_number(sandboxes, "wanted"), field_number(sandboxes, "moved"),
			   field_number(sandboxes, "left"));
}

static void shift_page(struct cli *cli, const json_t *shift)
{
	char a[UNITS_TEXT_MAX], b[UNITS_TEXT_MAX], c[UNITS_TEXT_MAX], holds[160], phase[64];

	shift_holds(shift, holds, sizeof(holds));
	shift_phase(shift, phase, sizeof(phase));
	print_line(cli, "shift", TONE_TITLE, "%s: pool %s, %s -> %s", field_text(shift, "name"),
		   field_text(shift, "pool"), field_text(shift, "from"), field_text(shift, "to"));
	print_line(cli, "phase", shift_tone(shift), "%s, for %s", phase,
		   field_units(shift, "elapsed_s", units_duration, a));
	if (holds[0])
		print_line(cli, "holds", TONE_WARN, "%s", holds);
	shift_gate(cli, json_object_get(shift, "gate"));
	print_line(cli, "moved", TONE_PLAIN, "%s of what %s would have",
		   field_units(shift, "share", units_percent, a), field_text(shift, "from"));
	shift_sandboxes(cli, json_object_get(shift, "sandboxes"));
	print_line(cli, "limits", TONE_PLAIN, "bake %s, ttl %s, patience %s",
		   field_units(shift, "bake_s", units_duration, b),
		   field_number(shift, "ttl_s") > 0 ? field_units(shift, "ttl_s", units_duration, c) : "none",
		   field_units(shift, "patience_s", units_duration, a));
	print_line(cli, "by", TONE_PLAIN, "%s%s%s", field_text(shift, "actor"),
		   strcmp(field_text(shift, "comment"), "-") ? ": " : "",
		   strcmp(field_text(shift, "comment"), "-") ? field_text(shift, "comment") : "");
	shift_steps(cli, shift);
}

void print_shifts(struct cli *cli, const json_t *result, const json_t *params)
{
	if (json_is_array(result))
		shift_table(cli, result);
	else
		shift_page(cli, result);
}

void print_sandboxes(struct cli *cli, const json_t *result, const json_t *params)
{
	struct table *table = table_new("SANDBOX|?PORT|SERVICE|BACKEND|?FORMER|BORN|?MOVED");
	const json_t *many = json_object_get(result, "sandboxes"), *sandbox;
	json_t *owned = many ? json_incref((json_t *)many) : json_pack("[O]", result);
	double total = field_number(result, "total");
	size_t i;

	json_array_foreach(owned, i, sandbox)
	{
		double port = field_number(sandbox, "port");
		char time[UNITS_TEXT_MAX];

		table_row(table);
		table_cell(table, TONE_TITLE, "%s", field_text(sandbox, "address"));
		table_cell(table, TONE_PLAIN, port > 0 ? "%.0f" : "-", port);
		table_cell(table, TONE_PLAIN, "%s", field_text(sandbox, "service"));
		table_cell(table, TONE_PLAIN, "%s", field_text(sandbox, "backend"));
		table_cell(table, TONE_WARN, "%s", field_text(sandbox, "former"));
		table_cell(table, TONE_PLAIN, "%s",
			   print_time(json_string_value(json_object_get(sandbox, "born")), time));
		table_cell(table, TONE_PLAIN, "%s",
			   print_time(json_string_value(json_object_get(sandbox, "moved")), time));
	}
	table_print(table, cli->out, cli->colour);
	if (total > (double)json_array_size(owned))
		fprintf(cli->out, "%zu of %.0f; --limit and --after show more\n", json_array_size(owned), total);
	json_decref(owned);
}
