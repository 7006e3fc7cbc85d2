// SPDX-License-Identifier: GPL-2.0-or-later
/* print_model: services, pools, regions and backends, as tables and as pages. See print.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "controller/cli/print.h"

static const json_t *as_array(const json_t *result, json_t **ret_owned)
{
	*ret_owned = json_is_array(result) ? NULL : json_pack("[O]", result);
	return *ret_owned ? *ret_owned : result;
}

static void cell_units(struct table *table, const json_t *object, const char *key,
		       char *(*format)(double, char *))
{
	char text[UNITS_TEXT_MAX];

	table_cell(table, TONE_PLAIN, "%s", field_units(object, key, format, text));
}

static char *format_plain(double number, char *to)
{
	snprintf(to, UNITS_TEXT_MAX, "%.6g", number);
	return to;
}

/* --- services */

static void service_where(const json_t *service, char *to, size_t size)
{
	const char *prefix = json_string_value(json_object_get(service, "prefix"));
	const char *address = field_text(service, "address");
	double port = field_number(service, "port");

	if (prefix)
		snprintf(to, size, "%s", prefix);
	else if (!(port > 0))
		snprintf(to, size, "%s, any port", address);
	else
		snprintf(to, size, strchr(address, ':') ? "[%s]:%.0f" : "%s:%.0f", address, port);
}

void print_services(struct cli *cli, const json_t *result, const json_t *params)
{
	struct table *table = table_new(
		"SERVICE|ADDRESS|PROTOCOL|POOL|AFFINITY|ENCAP|?TRACK|>PACKETS|>BYTES|>NEW FLOWS|>DROPPED");
	json_t *owned, *service;
	const json_t *services = as_array(result, &owned);
	size_t i;

	json_array_foreach((json_t *)services, i, service)
	{
		char where[128], dropped[UNITS_TEXT_MAX];

		service_where(service, where, sizeof(where));
		table_row(table);
		table_cell(table, TONE_TITLE, "%s", field_text(service, "name"));
		table_cell(table, TONE_PLAIN, "%s", where);
		table_cell(table, TONE_PLAIN, "%s", field_text(service, "protocol"));
		table_cell(table, TONE_PLAIN, "%s", field_text(service, "pool"));
		table_cell(table, TONE_PLAIN, "%s", field_text(service, "affinity"));
		table_cell(table, TONE_PLAIN, "%s", field_text(service, "encap"));
		table_cell(table, TONE_PLAIN, "%s", field_text(service, "track"));
		cell_units(table, service, "packets", units_count);
		cell_units(table, service, "bytes", units_bytes);
		cell_units(table, service, "new_flows", units_count);
		table_cell(table, field_number(service, "dropped") > 0 ? TONE_BAD : TONE_PLAIN, "%s",
			   field_units(service, "dropped", units_count, dropped));
	}
	table_print(table, cli->out, cli->colour);
	json_decref(owned);
}

/* --- backends */

static void backend_row(struct table *table, const json_t *backend)
{
	double health = field_number(backend, "health");
	const char *state = field_text(backend, "state");
	char text[UNITS_TEXT_MAX], place[PRINT_PLACE_MAX];

	table_row(table);
	table_cell(table, TONE_TITLE, "%s", field_text(backend, "name"));
	table_cell(table, TONE_PLAIN, "%s", print_place(backend, place));
	table_cell(table, TONE_PLAIN, "%s", field_text(backend, "address"));
	table_cell(table, print_state_tone(state), "%s%s", state,
		   field_true(backend, "leaving") ? " (leaves)" : "");
	table_cell(table, print_health_tone(health), "%s",
		   field_units(backend, "health", units_percent, text));
	table_cell(table, TONE_PLAIN, "%s",
		   strcmp(field_text(backend, "admin_health"), "auto") == 0
			   ? ""
			   : field_text(backend, "admin_health"));
	cell_units(table, backend, "weight", units_percent);
	cell_units(table, backend, "share", units_percent);
	cell_units(table, backend, "slots", format_plain);
	cell_units(table, backend, "packets", units_count);
	table_cell(table, strcmp(field_text(backend, "nexthop"), "resolved") == 0 ? TONE_PLAIN : TONE_WARN,
		   "%s", strcmp(field_text(backend, "nexthop"), "resolved") == 0
				 ? ""
				 : field_text(backend, "nexthop"));
	table_cell(table, TONE_WARN, "%s", print_limit(backend));
}

static void backend_table(struct cli *cli, const json_t *backends)
{
	struct table *table = table_new("BACKEND|REGION|ADDRESS|STATE|>HEALTH|?FORCED|>WEIGHT|>SHARE|>SLOTS|"
					">PACKETS|?NEXT HOP|?LIMITED BY");
	const json_t *backend;
	size_t i;

	json_array_foreach((json_t *)backends, i, backend)
		backend_row(table, backend);
	table_print(table, cli->out, cli->colour);
}

static void backend_pools(struct cli *cli, const json_t *pools)
{
	struct table *table = table_new("POOL|TIER|>WEIGHT|>SHARE|>SLOTS|?LIMITED BY");
	const json_t *pool;
	size_t i;

	json_array_foreach((json_t *)pools, i, pool)
	{
		table_row(table);
		table_cell(table, TONE_TITLE, "%s", field_text(pool, "pool"));
		table_cell(table, TONE_PLAIN, "%.0f", field_number(pool, "tier") + 1);
		cell_units(table, pool, "weight", units_percent);
		cell_units(table, pool, "share", units_percent);
		cell_units(table, pool, "slots", format_plain);
		table_cell(table, TONE_WARN, "%s", print_limit(pool));
	}
	fputc('\n', cli->out);
	table_print(table, cli->out, cli->colour);
}

/* Of a sample, so these are no counts of connections; an older daemon has none. */
static void backend_handshakes(struct cli *cli, const json_t *handshakes)
{
	char a[UNITS_TEXT_MAX], b[UNITS_TEXT_MAX], c[UNITS_TEXT_MAX], d[UNITS_TEXT_MAX];
	double judged = field_number(handshakes, "judged");

	if (!json_object_get(handshakes, "p50_ms"))
		return;
	print_line(cli, "handshakes", judged < 0.95 ? TONE_WARN : TONE_PLAIN,
		   "of a sample, lately %s completed, against its pool %s; half within %s, 99 %% within %s",
		   field_units(handshakes, "ratio", units_percent, a), units_percent(judged, b),
		   units_duration(field_number(handshakes, "p50_ms") / 1000, c),
		   units_duration(field_number(handshakes, "p99_ms") / 1000, d));
}

/* What its agent said; only what it did say. */
static void backend_report(struct cli *cli, const json_t *report)
{
	static const struct {
		const char *key, *word;
		char *(*format)(double, char *);
	} parts[] = {
		{"weight", "weight", units_percent},	  {"load", "load", units_percent},
		{"sandboxes", "sandboxes", format_plain}, {"capacity", "room for", format_plain},
		{"warm", "warm", format_plain},		  {"maxconn", "maxconn", format_plain},
	};
	const char *state = json_string_value(json_object_get(report, "state"));
	const char *status = json_string_value(json_object_get(report, "status"));
	const char *reason = json_string_value(json_object_get(report, "reason"));
	char age[UNITS_TEXT_MAX], text[512] = "";
	size_t at = 0;

	if (!report)
		return;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		char value[UNITS_TEXT_MAX];

		if (json_object_get(report, parts[i].key))
			at += (size_t)snprintf(text + at, sizeof(text) - at, ", %s %s", parts[i].word,
					       field_units(report, parts[i].key, parts[i].format, value));
	}
	print_line(cli, "its report", field_true(report, "answers") ? TONE_PLAIN : TONE_WARN,
		   "%s%s%s%s%s%s, %s old%s", state ?: "no state", status ? " " : "", status ?: "", text,
		   reason ? ": " : "", reason ?: "", field_units(report, "age_s", units_duration, age),
		   field_true(report, "answers") ? "" : ", and it does not answer");
}

static void backend_page(struct cli *cli, const json_t *backend)
{
	char a[UNITS_TEXT_MAX], b[UNITS_TEXT_MAX], c[UNITS_TEXT_MAX], d[UNITS_TEXT_MAX], place[PRINT_PLACE_MAX];
	const char *forced = field_text(backend, "admin_health");
	const char *nexthop = field_text(backend, "nexthop");
	double health = field_number(backend, "health");

	print_line(cli, "backend", TONE_TITLE, "%s", field_text(backend, "name"));
	print_line(cli, "place", TONE_PLAIN, "%s, %s, id %.0f", print_place(backend, place),
		   field_text(backend, "address"), field_number(backend, "id"));
	print_line(cli, "state", print_state_tone(field_text(backend, "state")), "%s%s",
		   field_text(backend, "state"),
		   field_true(backend, "leaving") ? ", leaves: no longer configured" : "");
	print_line(cli, "health", print_health_tone(health), "%s (%s)%s%s",
		   field_units(backend, "health", units_percent, a), field_text(backend, "phase"),
		   strcmp(forced, "auto") == 0 || strcmp(forced, "-") == 0 ? "" : ", forced by operator: ",
		   strcmp(forced, "auto") == 0 || strcmp(forced, "-") == 0 ? "" : forced);
	backend_report(cli, json_object_get(backend, "report"));
	print_line(cli, "next hop", strcmp(nexthop, "resolved") == 0 ? TONE_PLAIN : TONE_WARN, "%s", nexthop);
	print_line(cli, "capacity", TONE_PLAIN, "%s",
		   field_units(backend, "capacity", format_plain, a));
	print_line(cli, "share", TONE_PLAIN, "%s, weight %s, %s slots",
		   field_units(backend, "share", units_percent, a),
		   field_units(backend, "weight", units_percent, b),
		   field_units(backend, "slots", format_plain, c));
	print_line(cli, "limited by", TONE_WARN, "%s",
		   print_limit(backend)[0] ? print_limit(backend) : "nothing");
	print_line(cli, "traffic", TONE_PLAIN, "%s packets, %s, %s new flows; %s packets stayed after their slot moved",
		   field_units(backend, "packets", units_count, a),
		   field_units(backend, "bytes", units_bytes, b),
		   field_units(backend, "new_flows", units_count, c),
		   field_units(backend, "kept", units_count, d));
	backend_handshakes(cli, json_object_get(backend, "handshakes"));
	if (json_array_size(json_object_get(backend, "pools")) > 0)
		backend_pools(cli, json_object_get(backend, "pools"));
}

void print_backends(struct cli *cli, const json_t *result, const json_t *params)
{
	if (json_is_array(result))
		backend_table(cli, result);
	else
		backend_page(cli, result);
}

void print_backend_set(struct cli *cli, const json_t *result, const json_t *params)
{
	json_t *owned;

	backend_table(cli, as_array(result, &owned));
	json_decref(owned);
}

/* --- pools */

static const char *pool_word(const json_t *pool)
{
	return field_true(pool, "empty")    ? "EMPTY: drops"
	       : field_true(pool, "panic")  ? "panic"
	       : field_true(pool, "frozen") ? "frozen"
					    : "fine";
}

static void pool_table(struct cli *cli, const json_t *pools)
{
	struct table *table = table_new("POOL|STATE|>SLOTS|>UNSETTLED|>MOVED|>TABLES|DIGEST|TRACK|?AUTO SHIFT");
	const json_t *pool;
	size_t i;

	json_array_foreach((json_t *)pools, i, pool)
	{
		table_row(table);
		table_cell(table, TONE_TITLE, "%s", field_text(pool, "name"));
		table_cell(table, strcmp(pool_word(pool), "fine") == 0 ? TONE_GOOD : TONE_BAD, "%s",
			   pool_word(pool));
		cell_units(table, pool, "slots", format_plain);
		cell_units(table, pool, "unsettled", format_plain);
		cell_units(table, pool, "slots_moved", units_count);
		cell_units(table, pool, "generation", format_plain);
		table_cell(table, TONE_PLAIN, "%s", field_text(pool, "digest"));
		table_cell(table, TONE_PLAIN, "%s", field_text(pool, "track"));
		table_cell(table, TONE_PLAIN, "%s", field_text(pool, "auto_shift"));
	}
	table_print(table, cli->out, cli->colour);
	fputc('\n', cli->out);
	print_groups(cli, pools);
}

static void pool_members(struct cli *cli, const json_t *backends)
{
	struct table *table =
		table_new("BACKEND|GROUP|TIER|STATE|>HEALTH|>WEIGHT|>SHARE|>SLOTS|?LIMITED BY");
	const json_t *backend;
	size_t i;

	json_array_foreach((json_t *)backends, i, backend)
	{
		const char *state = field_text(backend, "state");
		char text[UNITS_TEXT_MAX];

		table_row(table);
		table_cell(table, TONE_TITLE, "%s", field_text(backend, "name"));
		table_cell(table, TONE_PLAIN, "%s", field_text(backend, "region"));
		table_cell(table, TONE_PLAIN, "%.0f", field_number(backend, "tier") + 1);
		table_cell(table, print_state_tone(state), "%s", state);
		table_cell(table, print_health_tone(field_number(backend, "health")), "%s",
			   field_units(backend, "health", units_percent, text));
		cell_units(table, backend, "weight", units_percent);
		cell_units(table, backend, "share", units_percent);
		cell_units(table, backend, "slots", format_plain);
		table_cell(table, TONE_WARN, "%s", print_limit(backend));
	}
	fputc('\n', cli->out);
	table_print(table, cli->out, cli->colour);
}

void print_pools(struct cli *cli, const json_t *result, const json_t *params)
{
	json_t *owned;

	pool_table(cli, as_array(result, &owned));
	json_decref(owned);
	if (json_array_size(json_object_get(result, "backends")) > 0)
		pool_members(cli, json_object_get(result, "backends"));
}

/* --- regions */

void print_regions(struct cli *cli, const json_t *result, const json_t *params)
{
	struct table *table = table_new("REGION|>BACKENDS|>READY|>DOWN|>CAPACITY|>EFFECTIVE|>HEALTH|POOL|TIER|"
					">SHARE|>AVAILABLE|?LIMITED BY");
	json_t *owned, *region, *pool;
	const json_t *regions = as_array(result, &owned);
	size_t i, j;

	json_array_foreach((json_t *)regions, i, region)
	{
		json_t *pools = json_object_get(region, "pools");
		char text[UNITS_TEXT_MAX];

		table_row(table);
		table_cell(table, TONE_TITLE, "%s", field_text(region, "name"));
		cell_units(table, region, "backends", format_plain);
		cell_units(table, region, "ready", format_plain);
		cell_units(table, region, "down", format_plain);
		cell_units(table, region, "capacity", format_plain);
		cell_units(table, region, "effective", format_plain);
		table_cell(table, print_health_tone(field_number(region, "health")), "%s",
			   field_units(region, "health", units_percent, text));
		json_array_foreach(pools, j, pool)
		{
			if (j) {
				table_row(table);
				for (int k = 0; k < 7; k++)
					table_cell(table, TONE_PLAIN, "%s", "");
			}
			table_cell(table, TONE_PLAIN, "%s", field_text(pool, "pool"));
			table_cell(table, TONE_PLAIN, "%.0f", field_number(pool, "tier") + 1);
			cell_units(table, pool, "share", units_percent);
			cell_units(table, pool, "availability", units_percent);
			table_cell(table, TONE_WARN, "%s", print_limit(pool));
		}
	}
	table_print(table, cli->out, cli->colour);
	json_decref(owned);
}
