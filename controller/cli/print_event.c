// SPDX-License-Identifier: GPL-2.0-or-later
/* print_event: `ebb monitor` and `ebb history`: one event, one line: time, what, of whom, detail. See print.h. */
#include <stdlib.h>
#include <string.h>

#include "controller/cli/print.h"

/* Names of members that stand in the line's fixed places. */
static bool event_placed(const char *key)
{
	static const char *const placed[] = {"event", "time", "pool", "backend", "region", "detail"};

	for (size_t i = 0; i < sizeof(placed) / sizeof(placed[0]); i++) {
		if (strcmp(key, placed[i]) == 0)
			return true;
	}
	return false;
}

static enum tone event_tone(const char *event)
{
	static const struct {
		const char *part;
		enum tone tone;
	} parts[] = {
		{"down", TONE_BAD},   {"empty", TONE_BAD},  {"panic", TONE_BAD},  {"dropped", TONE_BAD},
		{"failed", TONE_BAD}, {"-up", TONE_GOOD},   {"filled", TONE_GOOD}, {"calm", TONE_GOOD},
		{"leaving", TONE_WARN}, {"state", TONE_WARN}, {"shift", TONE_WARN}, {"health", TONE_WARN},
	};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (strstr(event, parts[i].part))
			return parts[i].tone;
	}
	return TONE_PLAIN;
}

/* What is left over: scalars as KEY=VALUE. */
static void event_rest(const json_t *event, FILE *to)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)event, key, value)
	{
		char *text = event_placed(key) ? NULL : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
		char *safe_key, *safe;

		if (!text)
			continue;
		safe_key = text_safe(key);
		safe = text_safe(text);
		fprintf(to, " %s=%s", safe_key, safe);
		free(text);
		free(safe_key);
		free(safe);
	}
}

void print_event(struct cli *cli, const json_t *event)
{
	const char *name = field_text(event, "event"), *pool = field_text(event, "pool");
	const char *backend = field_text(event, "backend"), *region = field_text(event, "region");
	char time[UNITS_TEXT_MAX], *safe, *detail;

	safe = text_safe(print_time(json_string_value(json_object_get(event, "time")), time));
	fprintf(cli->out, "%s%s%s ", tone_on(TONE_FAINT, cli->colour), safe, tone_off(cli->colour));
	free(safe);
	safe = text_safe(name);
	fprintf(cli->out, "%s%-16s%s", tone_on(event_tone(name), cli->colour), safe, tone_off(cli->colour));
	free(safe);
	safe = text_safe(strcmp(backend, "-") ? backend : region);
	detail = text_safe(pool);
	fprintf(cli->out, " %s%s%s", strcmp(safe, "-") ? safe : "",
		strcmp(safe, "-") && strcmp(pool, "-") ? " in " : "", strcmp(pool, "-") ? detail : "");
	free(safe);
	free(detail);
	detail = text_safe(field_text(event, "detail"));
	fprintf(cli->out, "%s%s", strcmp(detail, "-") ? "  " : "", strcmp(detail, "-") ? detail : "");
	free(detail);
	event_rest(event, cli->out);
	fputc('\n', cli->out);
}
