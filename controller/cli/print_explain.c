// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * print_explain: the way of one packet, stage by stage, and how one weight came about, with the numbers of the
 * rules (weight.h, health.h). See print.h.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "controller/cli/print.h"

/* A member of any kind as text, "" if it is missing. Owned by the caller. */
static char *explain_value(const json_t *value)
{
	if (!value || json_is_null(value))
		return strdup("");
	if (json_is_string(value))
		return strdup(json_string_value(value));
	return json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_PRESERVE_ORDER);
}

/* Its slot has a former owner, and decides (a sandbox that is placed has its own). */
static bool explain_moved(const json_t *result)
{
	return json_is_string(json_object_get(result, "secondary")) && !json_object_get(result, "sandbox");
}

void print_explain(struct cli *cli, const json_t *result, const json_t *params)
{
	static const struct {
		const char *key, *label;
	} stages[] = {
		{"service", "service"},   {"key", "hashed"},	     {"affinity", "affinity"},
		{"sandbox", "sandbox"},   {"sandbox_former", "moved from"},
		{"sandbox_look_up", "looked up in"},
		{"slot", "slot"},	  {"primary", "primary"},
		{"secondary", "former"},  {"home", "home"},	     {"flow", "flow table"},
		{"nursery", "nursery"},	  {"backend", "backend"},   {"second_hop", "second hop"}, {"nexthop", "next hop"},
		{"verdict", "verdict"},   {"action", "action"},	     {"outer", "outer packet"},
		{"note", "note"},
	};

	print_line(cli, "packet", TONE_TITLE, "%s %s -> %s", field_text(params, "proto"),
		   field_text(params, "src"), field_text(params, "dst"));
	for (size_t i = 0; i < sizeof(stages) / sizeof(stages[0]); i++) {
		char *value = explain_value(json_object_get(result, stages[i].key));
		bool dropped = strcmp(stages[i].key, "verdict") == 0 && value && strncmp(value, "drop", 4) == 0;

		if (strcmp(stages[i].key, "flow") == 0 && (!value || !value[0]) && explain_moved(result))
			print_line(cli, stages[i].label, TONE_PLAIN, "not noted, so it began before the slot moved: to the former owner first");
		if (value && value[0])
			print_line(cli, stages[i].label, dropped ? TONE_BAD : TONE_PLAIN, "%s", value);
		free(value);
	}
}

static void explain_pool(struct cli *cli, const json_t *pool)
{
	char a[UNITS_TEXT_MAX], b[UNITS_TEXT_MAX], c[UNITS_TEXT_MAX];

	print_title(cli, "in pool %s, group %s", field_text(pool, "pool"), field_text(pool, "group"));
	print_line(cli, "1 effective", TONE_PLAIN, "%.4g = capacity x health x configured weight",
		   field_number(pool, "effective"));
	print_line(cli, "2 available", print_health_tone(field_number(pool, "availability")),
		   "%s of the group", field_units(pool, "availability", units_percent, a));
	print_line(cli, "3, 4 want", TONE_PLAIN, "%s for the group by tiers and shifts",
		   field_units(pool, "want", units_percent, a));
	print_line(cli, "5, 6 share", TONE_PLAIN, "%s for the group after slew, headroom and panic; it could carry %s",
		   field_units(pool, "share", units_percent, a),
		   field_units(pool, "headroom", units_percent, b));
	print_line(cli, "7 weight", TONE_PLAIN, "%s of the pool",
		   field_units(pool, "weight", units_percent, a));
	print_line(cli, "8 published", TONE_PLAIN, "%s, quota %.0f slots, holds %.0f",
		   field_units(pool, "published", units_percent, c), field_number(pool, "quota"),
		   field_number(pool, "slots"));
	print_line(cli, "limited by", TONE_WARN, "%s", print_limit(pool)[0] ? print_limit(pool) : "nothing");
}

void print_explain_backend(struct cli *cli, const json_t *result, const json_t *params)
{
	const json_t *pools = json_object_get(result, "pools"), *pool;
	const char *forced = field_text(result, "admin_health");
	double h = field_number(result, "health");
	char a[UNITS_TEXT_MAX];
	size_t i;

	print_line(cli, "backend", TONE_TITLE, "%s", field_text(result, "name"));
	print_line(cli, "state", print_state_tone(field_text(result, "state")), "%s, next hop %s",
		   field_text(result, "state"), field_text(result, "nexthop"));
	print_line(cli, "evidence", TONE_PLAIN, "S = %.4g good of N = %.4g samples, both decaying",
		   field_number(result, "S"), field_number(result, "N"));
	print_line(cli, "ratio", TONE_PLAIN, "r = %.4f", field_number(result, "r"));
	print_line(cli, "target", TONE_PLAIN, "u = %.4f (load term %.3g, latency term %.3g)",
		   field_number(result, "u"), field_number(result, "load_term"),
		   field_number(result, "latency_term"));
	if (field_number(result, "probe_usual_s") > 0)
		print_line(cli, "probes", TONE_PLAIN, "take %.1f ms, and lately %.1f ms more",
			   1000 * field_number(result, "probe_usual_s"),
			   1000 * field_number(result, "probe_excess_s"));
	print_line(cli, "smoothed", TONE_PLAIN, "h = %.4f, phase %s", field_number(result, "h"),
		   field_text(result, "phase"));
	print_line(cli, "health", print_health_tone(h), "%s%s%s", field_units(result, "health", units_percent, a),
		   strcmp(forced, "auto") && strcmp(forced, "-") ? ", forced by operator: " : "",
		   strcmp(forced, "auto") && strcmp(forced, "-") ? forced : "");
	json_array_foreach((json_t *)pools, i, pool)
		explain_pool(cli, pool);
}
