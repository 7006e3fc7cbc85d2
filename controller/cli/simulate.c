// SPDX-License-Identifier: GPL-2.0-or-later
/* simulate: `ebb simulate`, which asks no daemon: a scenario through the pure core, and what came of it. See local.h. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "controller/cli/local.h"
#include "controller/cli/print.h"
#include "controller/sim/sim.h"

static const char *option(const json_t *params, const char *key)
{
	return json_string_value(json_object_get(params, key));
}

static int simulate_open(const char *path, FILE **ret_file)
{
	if (!path)
		return CLI_DONE;
	*ret_file = fopen(path, "we");
	return *ret_file ? CLI_DONE : cli_fail(CLI_REFUSED, "%s: %s", path, strerror(errno));
}

static int simulate_close(FILE *file, const char *path, int rc)
{
	if (file && fclose(file) && rc == CLI_DONE)
		return cli_fail(CLI_REFUSED, "%s: %s", path, strerror(errno));
	return rc;
}

/* --- for people */

/* "12.3 s", or what it means that there is none. */
static void time_cell(struct table *table, const json_t *event, const char *key, const char *never)
{
	const json_t *value = json_object_get(event, key);

	if (json_is_number(value))
		table_cell(table, TONE_PLAIN, "%.1f s", json_number_value(value));
	else
		table_cell(table, TONE_FAINT, "%s", never);
}

static void share_cell(struct table *table, const json_t *event, const char *key)
{
	const json_t *value = json_object_get(event, key);

	if (json_is_number(value))
		table_cell(table, TONE_PLAIN, "%.2f %%", 100 * json_number_value(value));
	else
		table_cell(table, TONE_FAINT, "-");
}

static void print_events_of(struct cli *cli, const json_t *summary)
{
	struct table *table = table_new("EVENT|>AT|>BACKENDS|>SHARE|>LEAST|>HALF|>UNDER 1 %|>BACK");
	const json_t *event;
	size_t i;

	json_array_foreach(json_object_get(summary, "events"), i, event)
	{
		bool ends = json_is_number(json_object_get(event, "until_s"));
		bool shift = !strcmp(field_text(event, "what"), "shift");

		table_row(table);
		table_cell(table, TONE_PLAIN, "%s", field_text(event, "label"));
		table_cell(table, TONE_PLAIN, "%.1f s", field_number(event, "at_s"));
		table_cell(table, TONE_PLAIN, "%.0f", field_number(event, "backends"));
		share_cell(table, event, "before");
		share_cell(table, event, "least");
		time_cell(table, event, "half_s", shift ? "-" : "never");
		time_cell(table, event, "gone_s", shift ? "-" : "never");
		time_cell(table, event, "back_s", shift ? field_text(event, "outcome") : ends ? "not yet" : "-");
	}
	table_print(table, cli->out, cli->colour);
}

static void print_extreme(struct cli *cli, const json_t *pool, const char *key, const char *label, const char *value,
			  double scale, const char *unit)
{
	const json_t *extreme = json_object_get(pool, key);
	double at_s = field_number(extreme, "at_s");

	if (!json_is_object(extreme)) {
		print_line(cli, label, TONE_PLAIN, "none");
		return;
	}
	if (isfinite(at_s))
		print_line(cli, label, TONE_PLAIN, "%.2f %s (%s at %.1f s)", scale * field_number(extreme, value), unit,
			   field_text(extreme, "group"), at_s);
	else
		print_line(cli, label, TONE_PLAIN, "%g %s (%s)", scale * field_number(extreme, value), unit,
			   field_text(extreme, "group"));
}

static void print_pool_of(struct cli *cli, const json_t *pool)
{
	double moved = field_number(pool, "moved"), least = field_number(pool, "least");

	fputc('\n', cli->out);
	print_title(cli, "pool %s", field_text(pool, "name"));
	print_line(cli, "slots moved", TONE_PLAIN, "%.0f of %.0f; at least %.0f had to (%.3f times)", moved,
		   field_number(pool, "slots"), least, least > 0 ? moved / least : 1);
	print_line(cli, "failed", TONE_PLAIN, "%.2f s worth of all traffic; %.2f s, had nothing moved; %.1f %% at most",
		   field_number(pool, "failed_s"), field_number(pool, "unmoved_s"),
		   100 * field_number(pool, "failing_most"));
	print_extreme(cli, pool, "fall", "fastest fall", "share_per_s", 100, "points in a second");
	print_extreme(cli, pool, "rise", "fastest rise", "share_per_s", 100, "points in a second");
	print_extreme(cli, pool, "overshoot", "overshoot", "share", 100, "points above what it had");
	print_extreme(cli, pool, "turns", "turns", "count", 1, "changes of direction");
	print_extreme(cli, pool, "above_headroom", "above headroom", "seconds", 1, "s at most");
}

static void simulate_print(struct cli *cli, const json_t *summary)
{
	const json_t *item;
	size_t i;

	print_title(cli, "%s", field_text(summary, "name"));
	print_line(cli, "fleet", TONE_PLAIN, "%.0f backends in %.0f regions of %.0f providers",
		   field_number(summary, "backends"), field_number(summary, "regions"),
		   field_number(summary, "providers"));
	print_line(cli, "time", TONE_PLAIN, "%.0f s, %.0f ticks, seed %s", field_number(summary, "duration_s"),
		   field_number(summary, "ticks"), field_text(summary, "seed"));
	if (field_number(summary, "used_most") > 0)
		print_line(cli, "fullest", TONE_PLAIN, "a backend with %.0f %% of its capacity",
			   100 * field_number(summary, "used_most"));
	json_array_foreach(json_object_get(summary, "notes"), i, item)
		print_line(cli, i ? "" : "controller", TONE_PLAIN, "%.1f s %s %s", field_number(item, "at_s"),
			   field_text(item, "event"), field_text(item, "pool"));
	fputc('\n', cli->out);
	print_events_of(cli, summary);
	json_array_foreach(json_object_get(summary, "pools"), i, item)
		print_pool_of(cli, item);
}

/* --- doing it */

/* The pool that is drawn; UINT32_MAX: there is none of that name. */
static uint32_t simulate_pool(const struct scenario *scenario, const json_t *params)
{
	const char *name = option(params, "_pool");

	for (uint32_t p = 0; p < scenario->config->pool_count; p++)
		if (!name || !strcmp(scenario->config->pools[p].name, name))
			return p;
	return UINT32_MAX;
}

static int simulate_run(struct cli *cli, const struct scenario *scenario, const json_t *params, FILE *csv, FILE *svg)
{
	uint32_t pool = simulate_pool(scenario, params);
	struct err err = {{0}};
	struct sim *sim = NULL;
	json_t *summary;
	int rc = CLI_DONE;

	if (pool == UINT32_MAX)
		return cli_fail(CLI_REFUSED, "the scenario has no pool %s", option(params, "_pool"));
	if (sim_run(scenario, csv, &err, &sim))
		return cli_fail(CLI_REFUSED, "%s", err.text);
	if (svg && sim_svg(sim, pool, svg))
		rc = cli_fail(CLI_REFUSED, "the picture cannot be written");
	summary = sim_summary(sim);
	if (rc == CLI_DONE && cli->json)
		cli_print_json(cli, summary, false);
	else if (rc == CLI_DONE)
		simulate_print(cli, summary);
	json_decref(summary);
	sim_free(sim);
	return rc;
}

int simulate_command(struct cli *cli, const struct command *command, json_t *params)
{
	const char *csv_path = option(params, "_csv"), *svg_path = option(params, "_svg");
	struct config_errors errors = {{0}};
	struct scenario *scenario = NULL;
	FILE *csv = NULL, *svg = NULL;
	int rc;

	if (scenario_load(option(params, "_scenario"), &errors, &scenario)) {
		config_errors_print(&errors, stderr);
		config_errors_free(&errors);
		return CLI_REFUSED;
	}
	rc = simulate_open(csv_path, &csv);
	if (rc == CLI_DONE)
		rc = simulate_open(svg_path, &svg);
	if (rc == CLI_DONE)
		rc = simulate_run(cli, scenario, params, csv, svg);
	rc = simulate_close(csv, csv_path, rc);
	rc = simulate_close(svg, svg_path, rc);
	scenario_free(scenario);
	return rc;
}
