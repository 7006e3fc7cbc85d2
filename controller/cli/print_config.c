// SPDX-License-Identifier: GPL-2.0-or-later
/* print_config: what a configuration file is like, and what it would change. See print.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "controller/cli/print.h"

static void config_safe_line(struct cli *cli, enum tone tone, const char *before, const char *text)
{
	char *safe = text_safe(text);

	fprintf(cli->out, "%s%s%s%s\n", tone_on(tone, cli->colour), before, safe, tone_off(cli->colour));
	free(safe);
}

void print_config_check(struct cli *cli, const json_t *result, const json_t *params)
{
	const json_t *errors = json_object_get(result, "errors"), *line;
	size_t i;

	json_array_foreach((json_t *)errors, i, line)
		config_safe_line(cli, TONE_BAD, "", json_string_value(line));
	if (json_array_size(errors) == 0)
		config_safe_line(cli, TONE_GOOD, "good: ", field_text(result, "file"));
}

void print_config_diff(struct cli *cli, const json_t *result, const json_t *params)
{
	const json_t *changes = json_object_get(result, "changes"), *change;
	const json_t *pools = json_object_get(result, "pools"), *pool;
	size_t i;

	json_array_foreach((json_t *)changes, i, change)
	{
		const char *what = field_text(change, "what"), *detail = field_text(change, "detail");
		bool added = strcmp(what, "added") == 0, removed = strcmp(what, "removed") == 0;
		char text[512];

		snprintf(text, sizeof(text), "%s %s%s%s", field_text(change, "kind"),
			 field_text(change, "name"), strcmp(detail, "-") ? ": " : "",
			 strcmp(detail, "-") ? detail : "");
		config_safe_line(cli, added ? TONE_GOOD : removed ? TONE_BAD : TONE_WARN,
				 added ? "+ " : removed ? "- " : "~ ", text);
	}
	if (json_array_size(changes) == 0)
		fprintf(cli->out, "nothing differs\n");
	json_array_foreach((json_t *)pools, i, pool)
	{
		char moved[UNITS_TEXT_MAX];

		if (field_number(pool, "moved") > 0)
			print_line(cli, field_text(pool, "name"), TONE_PLAIN, "%s of its traffic moves",
				   units_percent(field_number(pool, "moved"), moved));
	}
	if (json_is_string(json_object_get(result, "refused")))
		config_safe_line(cli, TONE_BAD, "! ", field_text(result, "refused"));
}

void print_frozen(struct cli *cli, const json_t *result, const json_t *params)
{
	fprintf(cli->out, "%s\n",
		field_true(result, "frozen")
			? "frozen: weights stay as they are; only what is plainly dead is left. `ebb unfreeze` ends it"
			: "not frozen: weights follow health");
}

void print_whatif(struct cli *cli, const json_t *result, const json_t *params)
{
	struct table *table = table_new("POOL|GROUP|>NOW|>AFTER||>OF CAPACITY|?");
	const json_t *pools = json_object_get(result, "pools"), *pool, *group;
	size_t i, j;

	json_array_foreach((json_t *)pools, i, pool)
	{
		json_array_foreach(json_object_get(pool, "groups"), j, group)
		{
			char now[UNITS_TEXT_MAX], after[UNITS_TEXT_MAX], used[UNITS_TEXT_MAX], bar[64];
			bool over = field_number(group, "capacity_used") > 1;

			table_row(table);
			table_cell(table, TONE_TITLE, "%s", j ? "" : field_text(pool, "name"));
			table_cell(table, TONE_PLAIN, "%s", field_text(group, "region"));
			table_cell(table, TONE_PLAIN, "%s", field_units(group, "share", units_percent, now));
			table_cell(table, TONE_PLAIN, "%s", field_units(group, "after", units_percent, after));
			table_cell(table, TONE_BAR, "%s",
				   units_bar(field_number(group, "after"), 20, cli->utf8, bar));
			table_cell(table, over ? TONE_BAD : TONE_PLAIN, "%s",
				   field_units(group, "capacity_used", units_percent, used));
			table_cell(table, TONE_BAD, "%s", over ? "exceeded" : "");
		}
	}
	table_print(table, cli->out, cli->colour);
	json_array_foreach((json_t *)pools, i, pool)
	{
		char moved[UNITS_TEXT_MAX];

		print_line(cli, field_text(pool, "name"), TONE_PLAIN, "%s of its slots would move",
			   field_units(pool, "moved", units_percent, moved));
	}
}
