// SPDX-License-Identifier: GPL-2.0-or-later
/* page: see page.h. */
#include "controller/page.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char page_style[] =
	":root{color-scheme:light dark;--ink:#1b1f24;--faint:#667;--paper:#fff;--line:#d8dce2;--bar:#2f6fb0;"
	"--good:#1a7f37;--warn:#9a6700;--bad:#cf222e}"
	"@media(prefers-color-scheme:dark){:root{--ink:#e6e9ee;--faint:#9aa3b0;--paper:#14171c;--line:#333a44;"
	"--bar:#5aa0e6;--good:#4ac26b;--warn:#d4a72c;--bad:#ff7b72}}"
	"body{font:15px/1.45 system-ui,sans-serif;color:var(--ink);background:var(--paper);"
	"margin:1.5rem auto;max-width:72rem;padding:0 1rem}"
	"h1{font-size:1.4rem;margin:0}h2{font-size:1.05rem;margin:1.6rem 0 .4rem}"
	"table{border-collapse:collapse;width:100%}th{text-align:left;font-weight:600;color:var(--faint)}"
	"td,th{padding:.2rem .6rem .2rem 0;border-bottom:1px solid var(--line);white-space:nowrap}"
	".n{text-align:right;font-variant-numeric:tabular-nums}.faint{color:var(--faint)}"
	".good{color:var(--good)}.warn{color:var(--warn)}.bad{color:var(--bad);font-weight:600}"
	"svg{display:block;width:14rem;height:.8rem;background:var(--line)}rect{fill:var(--bar)}"
	".wide{overflow-x:auto}";

static void page_escape(FILE *to, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '&':
			fputs("&amp;", to);
			break;
		case '<':
			fputs("&lt;", to);
			break;
		case '>':
			fputs("&gt;", to);
			break;
		case '"':
			fputs("&quot;", to);
			break;
		default:
			fputc(*text, to);
		}
	}
}

static const char *page_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static double page_number(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

/* A cell; `class` may be "". */
static void page_cell(FILE *to, const char *class, const char *text)
{
	fprintf(to, class[0] ? "<td class=\"%s\">" : "<td>", class);
	page_escape(to, text);
	fputs("</td>", to);
}

static void page_percent(FILE *to, const char *class, double ratio)
{
	fprintf(to, "<td class=\"n%s%s\">%.1f&nbsp;%%</td>", class[0] ? " " : "", class, ratio * 100);
}

static void page_bar(FILE *to, double ratio)
{
	double part = ratio < 0 ? 0 : ratio > 1 ? 1 : ratio;

	fprintf(to,
		"<td><svg viewBox=\"0 0 100 1\" preserveAspectRatio=\"none\" role=\"img\" "
		"aria-label=\"%.0f %%\"><rect width=\"%.2f\" height=\"1\"/></svg></td>",
		part * 100, part * 100);
}

static const char *page_health_class(double health)
{
	return health >= 0.95 ? "good" : health >= 0.5 ? "warn" : "bad";
}

static const char *page_limit(const json_t *object)
{
	const char *limit = page_text(object, "limited_by");

	return strcmp(limit, "none") == 0 ? "" : limit;
}

static void page_top(FILE *to, const json_t *status)
{
	const json_t *problem;
	long up = (long)page_number(status, "uptime_s");
	size_t i;

	fputs("<h1>ebb on ", to);
	page_escape(to, page_text(status, "edge"));
	fputs("</h1><p class=\"faint\">ebbd ", to);
	page_escape(to, page_text(status, "version"));
	fprintf(to, ", up %ld h %ld min%s</p>", up / 3600, up % 3600 / 60,
		json_is_true(json_object_get(status, "frozen")) ? ", <b class=\"warn\">frozen</b>" : "");
	json_array_foreach(json_object_get(status, "problems"), i, problem)
	{
		fputs("<p class=\"bad\">", to);
		page_escape(to, json_string_value(problem) ? json_string_value(problem) : "");
		fputs("</p>", to);
	}
}

static void page_pool(FILE *to, const json_t *pool)
{
	const json_t *group;
	size_t i;

	fputs("<h2>Pool ", to);
	page_escape(to, page_text(pool, "name"));
	fprintf(to, " <span class=\"faint\">%.0f slots, %.0f unsettled, table ",
		page_number(pool, "slots"), page_number(pool, "unsettled"));
	page_escape(to, page_text(pool, "digest"));
	fputs("</span></h2><div class=\"wide\"><table><tr><th>tier<th>group<th class=\"n\">backends"
	      "<th class=\"n\">share<th><th class=\"n\">available<th>limited by</tr>", to);
	json_array_foreach(json_object_get(pool, "groups"), i, group)
	{
		fprintf(to, "<tr><td>%.0f</td>", page_number(group, "tier") + 1);
		page_cell(to, "", page_text(group, "region"));
		fprintf(to, "<td class=\"n\">%.0f</td>", page_number(group, "backends"));
		page_percent(to, "", page_number(group, "share"));
		page_bar(to, page_number(group, "share"));
		page_percent(to, page_health_class(page_number(group, "availability")),
			     page_number(group, "availability"));
		page_cell(to, "warn", page_limit(group));
		fputs("</tr>\n", to);
	}
	fputs("</table></div>", to);
}

static void page_backends(FILE *to, const json_t *status)
{
	const json_t *backends = json_object_get(status, "backends"), *backend;
	double total = page_number(status, "backends_total");
	size_t i;

	fputs("<h2>Backends", to);
	if (total > (double)json_array_size(backends))
		fprintf(to, " <span class=\"faint\">the %zu sickest of %.0f</span>", json_array_size(backends),
			total);
	fputs("</h2><div class=\"wide\"><table><tr><th>name<th>region<th>address<th>state<th class=\"n\">health"
	      "<th class=\"n\">share<th><th class=\"n\">slots<th>limited by</tr>", to);
	json_array_foreach((json_t *)backends, i, backend)
	{
		const char *state = page_text(backend, "state");

		fputs("<tr>", to);
		page_cell(to, "", page_text(backend, "name"));
		fputs("<td>", to);
		page_escape(to, page_text(backend, "provider"));
		fputc('/', to);
		page_escape(to, page_text(backend, "region"));
		fputs("</td>", to);
		page_cell(to, "", page_text(backend, "address"));
		page_cell(to, strcmp(state, "ready") == 0 ? "good" : "warn", state);
		page_percent(to, page_health_class(page_number(backend, "health")),
			     page_number(backend, "health"));
		page_percent(to, "", page_number(backend, "share"));
		page_bar(to, page_number(backend, "share"));
		fprintf(to, "<td class=\"n\">%.0f</td>", page_number(backend, "slots"));
		page_cell(to, "warn", page_limit(backend));
		fputs("</tr>\n", to);
	}
	fputs("</table></div>", to);
}

static void page_verdicts(FILE *to, const json_t *verdicts)
{
	const char *name;
	json_t *value;

	fputs("<h2>Packets</h2><div class=\"wide\"><table><tr><th>verdict<th class=\"n\">packets"
	      "<th class=\"n\">bytes</tr>", to);
	json_object_foreach((json_t *)verdicts, name, value)
	{
		double packets = page_number(value, "packets");

		fputs("<tr>", to);
		page_cell(to, strncmp(name, "drop", 4) == 0 && packets > 0 ? "bad" : "", name);
		fprintf(to, "<td class=\"n\">%.0f</td><td class=\"n\">%.0f</td></tr>\n", packets,
			page_number(value, "bytes"));
	}
	fputs("</table></div>", to);
}

char *page_format(const json_t *status, size_t *ret_length)
{
	char *text = NULL;
	FILE *to = open_memstream(&text, ret_length);
	const json_t *pool;
	size_t i;

	if (!to)
		return NULL;
	fputs("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">"
	      "<meta http-equiv=\"refresh\" content=\"2\">"
	      "<meta name=\"viewport\" content=\"width=device-width\"><title>ebb: ", to);
	page_escape(to, page_text(status, "edge"));
	fprintf(to, "</title><style>%s</style></head><body>", page_style);
	page_top(to, status);
	json_array_foreach(json_object_get(status, "pools"), i, pool)
		page_pool(to, pool);
	page_backends(to, status);
	page_verdicts(to, json_object_get(status, "verdicts"));
	fputs("</body></html>\n", to);
	if (fclose(to) != 0) {
		free(text);
		return NULL;
	}
	return text;
}
