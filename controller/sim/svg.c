// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * svg: one pool's run as a picture. From the top: what happened, as bars over time; the shares, stacked; those groups that events were
 * about, each against what it had at zero; requests that fail, and those that would, had nothing moved; slots that moved.
 *
 * All panels share one axis of time. No script, no font, nothing from outside; it follows a reader's light or dark scheme.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "controller/sim/sim.h"
#include "controller/sim/svg_layers.h"

#define WIDTH	  1280
#define LEFT	  72.0
#define PLOT	  880.0
#define LEGEND	  (LEFT + PLOT + 24)
#define TOP	  74.0
#define LANE	  20.0
#define LANES_MAX 8
#define LETTER	  6.3 /* width of a letter of 12 px, about */
#define LINES_MAX 40

struct panel {
	double top, height, most; /* value at the upper edge */
};

struct picture {
	const struct sim *sim;
	const struct sim_pool *pool;
	struct layers layers;
	FILE *to;
	double bottom; /* of what is drawn so far */
};

static const char style[] =
	"<style>\n"
	"text{font:12px system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif;fill:#2b3138}\n"
	".ground{fill:#fcfcfb}.title{font-size:18px;font-weight:600}.faint{fill:#69727d}.small{font-size:11px}\n"
	".head{font-weight:600}.end{text-anchor:end}.middle{text-anchor:middle}\n"
	".grid{stroke:#d9dde1;stroke-width:1;fill:none}.frame{stroke:#8b949e;stroke-width:1;fill:none}\n"
	".mark{stroke:#2b3138;stroke-width:1;stroke-dasharray:2 3;opacity:.45}\n"
	".bar{fill:#c25b4a;fill-opacity:.22;stroke:#c25b4a;stroke-opacity:.75}\n"
	".shift{fill:#3b7dc4;fill-opacity:.2;stroke:#3b7dc4;stroke-opacity:.75}\n"
	".note{fill:#8a6fc0;fill-opacity:.25;stroke:#8a6fc0;stroke-opacity:.8}\n"
	".band{stroke:#fcfcfb;stroke-width:.6;stroke-opacity:.7}\n"
	".line{fill:none;stroke-width:2;stroke-linejoin:round}.thin{stroke-width:1;stroke-opacity:.35}\n"
	".fails{fill:#c9403a;fill-opacity:.55;stroke:#c9403a}.unmoved{fill:none;stroke:#69727d;stroke-dasharray:5 4}\n"
	".moved{fill:#3b7dc4;fill-opacity:.8}\n"
	"@media (prefers-color-scheme:dark){text{fill:#d6dbe0}.ground{fill:#15181c}.faint{fill:#949da7}\n"
	".grid{stroke:#2c3238}.frame{stroke:#5c656f}.mark{stroke:#d6dbe0}.band{stroke:#15181c}}\n"
	"</style>\n";

/* --- pieces */

static void print_text(FILE *to, const char *text, int most)
{
	for (; *text && most > 0; text++, most--) {
		if (*text == '<')
			fputs("&lt;", to);
		else if (*text == '&')
			fputs("&amp;", to);
		else
			fputc(*text, to);
	}
	while (((unsigned char)*text & 0xc0) == 0x80) /* the rest of a letter */
		fputc(*text++, to);
	if (*text)
		fputs("…", to);
}

static double x_at(const struct picture *p, double t_s)
{
	return LEFT + PLOT * fmin(1, fmax(0, t_s / p->sim->scenario->duration_s));
}

static double x_of(const struct picture *p, uint32_t sample)
{
	return x_at(p, sample * p->sim->scenario->sample_s);
}

static double y_of(const struct panel *panel, double value)
{
	return panel->top + panel->height * (1 - fmin(1, fmax(0, value / panel->most)));
}

/* The smallest of 1, 2, 5 x 10^k that is not below. */
static double nice(double x)
{
	double unit = pow(10, floor(log10(x)));

	for (int i = 0; i < 3; i++)
		if (x <= unit * (double[]){1, 2, 5}[i] * (1 + 1e-9))
			return unit * (double[]){1, 2, 5}[i];
	return 10 * unit;
}

/* Whole seconds, then minutes and hours as people count them; labels stay seconds. */
static double time_step(double duration_s)
{
	static const double steps[] = {1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400};
	size_t i = 0;

	while (i + 1 < sizeof(steps) / sizeof(steps[0]) && duration_s / steps[i] > 12)
		i++;
	return steps[i];
}

static void panel_begin(struct picture *p, struct panel *panel, const char *title, double step, const char *unit,
			double scale)
{
	p->bottom += 26;
	panel->top = p->bottom;
	p->bottom += panel->height;
	fprintf(p->to, "<text class=\"head small\" x=\"%.1f\" y=\"%.1f\">%s</text>\n", LEFT, panel->top - 7, title);
	for (double v = 0; v <= panel->most * (1 + 1e-9); v += step) {
		double y = y_of(panel, v);

		fprintf(p->to, "<path class=\"grid\" d=\"M%.1f %.1fH%.1f\"/>", LEFT, y, LEFT + PLOT);
		fprintf(p->to, "<text class=\"faint small end\" x=\"%.1f\" y=\"%.1f\">%g%s</text>\n", LEFT - 8, y + 4,
			v * scale, unit);
	}
}

/* When an event was over, or the picture is. */
static double end_of(const struct picture *p, uint32_t event)
{
	return fmin(fmin(p->sim->scenario->events[event].until_s, p->sim->scenario->duration_s),
		    p->sim->events[event].closed_s);
}

/* Events' beginnings and ends through the panel, and its frame, above what is drawn. */
static void panel_end(struct picture *p, const struct panel *panel)
{
	const struct scenario *s = p->sim->scenario;
	double step = time_step(s->duration_s);

	for (double t = step; t < s->duration_s; t += step)
		fprintf(p->to, "<path class=\"grid\" opacity=\".35\" d=\"M%.1f %.1fv%.1f\"/>", x_at(p, t), panel->top,
			panel->height);
	for (uint32_t i = 0; i < s->event_count; i++) {
		fprintf(p->to, "<path class=\"mark\" d=\"M%.1f %.1fv%.1f\"/>", x_at(p, s->events[i].at_s), panel->top,
			panel->height);
		if (end_of(p, i) < s->duration_s)
			fprintf(p->to, "<path class=\"mark\" d=\"M%.1f %.1fv%.1f\"/>", x_at(p, end_of(p, i)),
				panel->top, panel->height);
	}
	fprintf(p->to, "<path class=\"frame\" d=\"M%.1f %.1fv%.1fh%.1f\"/>\n", LEFT, panel->top, panel->height, PLOT);
}

/* --- what happened */

struct lanes {
	double ends[LANES_MAX];
	uint32_t count, left_out;
};

static void print_bar(struct picture *p, struct lanes *lanes, const char *class, double from_s, double until_s,
		      const char *label)
{
	double begin = x_at(p, from_s), end = fmax(begin + 3, x_at(p, until_s));
	int letters = (int)fmin(60, (double)strlen(label));
	double width = letters * LETTER, text = begin + 6, y;
	const char *anchor = "";
	uint32_t lane = 0;

	if (width + 12 > end - begin) /* beside it */
		text = end + 6;
	if (text + width > LEFT + PLOT + 4) {
		text = begin - 6;
		anchor = " end";
	}
	if (*anchor && text - width < LEFT) { /* neither side: over it */
		text = LEFT + 6;
		anchor = "";
	}
	while (lane < lanes->count && lanes->ends[lane] + 8 > fmin(begin, *anchor ? text - width : text))
		lane++;
	if (lane == LANES_MAX) {
		lanes->left_out++;
		return;
	}
	lanes->count = lane + 1 > lanes->count ? lane + 1 : lanes->count;
	lanes->ends[lane] = fmax(end, *anchor ? text : text + width);
	y = TOP + lane * LANE;
	fprintf(p->to, "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.0f\" rx=\"2\"/>", class, begin,
		y, end - begin, LANE - 5);
	fprintf(p->to, "<text class=\"small%s\" x=\"%.1f\" y=\"%.1f\">", anchor, text, y + 11.5);
	print_text(p->to, label, 60);
	fputs("</text>\n", p->to);
}

/* When what began at note `i` was over. */
static double note_end(const struct sim *sim, uint32_t i, enum model_event_kind over)
{
	for (uint32_t k = i + 1; k < sim->note_count; k++)
		if (sim->notes[k].kind == over && !strcmp(sim->notes[k].pool, sim->notes[i].pool))
			return sim->notes[k].at_s;
	return sim->scenario->duration_s;
}

static void print_note(struct picture *p, struct lanes *lanes, uint32_t i)
{
	const struct sim_note *note = &p->sim->notes[i];

	if (note->pool[0] && strcmp(note->pool, p->pool->name))
		return;
	if (note->kind == MODEL_EVENT_POOL_PANIC)
		print_bar(p, lanes, "note", note->at_s, note_end(p->sim, i, MODEL_EVENT_POOL_CALM), "panic");
	else if (note->kind == MODEL_EVENT_PROBES_DOUBTED)
		print_bar(p, lanes, "note", note->at_s, note_end(p->sim, i, MODEL_EVENT_PROBES_TRUSTED),
			  "silence of probes doubted");
	else if (note->kind == MODEL_EVENT_POOL_EMPTY)
		print_bar(p, lanes, "note", note->at_s, note_end(p->sim, i, MODEL_EVENT_POOL_FILLED), "pool empty");
}

static void print_events(struct picture *p)
{
	const struct scenario *s = p->sim->scenario;
	struct lanes lanes = {.count = 0};

	for (uint32_t i = 0; i < s->event_count; i++) {
		const struct sim_event *seen = &p->sim->events[i];
		char label[256];

		snprintf(label, sizeof(label), "%s%s%s", s->events[i].label, isnan(seen->closed_s) ? "" : ": ",
			 isnan(seen->closed_s) ? "" : shift_outcome_name(seen->outcome));
		print_bar(p, &lanes, s->events[i].what == SCENARIO_SHIFT ? "shift" : "bar", s->events[i].at_s,
			  end_of(p, i), label);
	}
	for (uint32_t i = 0; i < p->sim->note_count; i++)
		print_note(p, &lanes, i);
	p->bottom = TOP + lanes.count * LANE;
	if (lanes.left_out) {
		p->bottom += 14;
		fprintf(p->to, "<text class=\"faint small\" x=\"%.1f\" y=\"%.1f\">and %u more events</text>\n", LEFT,
			p->bottom, lanes.left_out);
	}
}

/* --- shares */

static void print_band(struct picture *p, const struct panel *panel, uint32_t layer, const double *floor)
{
	const struct layer *l = &p->layers.list[layer];
	uint32_t n = p->sim->sample_count;

	fprintf(p->to, "<path class=\"band\" fill=\"%s\" d=\"M", l->colour);
	for (uint32_t i = 0; i < n; i++)
		fprintf(p->to, "%.1f %.1f ", x_of(p, i), y_of(panel, floor[i] + l->shares[i]));
	fputs("L", p->to);
	for (uint32_t i = n; i-- > 0;)
		fprintf(p->to, "%.1f %.1f ", x_of(p, i), y_of(panel, floor[i]));
	fputs("Z\"><title>", p->to);
	print_text(p->to, l->name, 90);
	fputs("</title></path>\n", p->to);
}

static int print_shares(struct picture *p)
{
	struct panel panel = {.height = 330, .most = 1};
	double *floor = calloc(p->sim->sample_count, sizeof(*floor));

	if (!floor)
		return -ENOMEM;
	panel_begin(p, &panel, "share of the pool’s slots", 0.25, " %", 100);
	for (uint32_t k = 0; k < p->layers.count; k++) {
		print_band(p, &panel, k, floor);
		for (uint32_t i = 0; i < p->sim->sample_count; i++)
			floor[i] += p->layers.list[k].shares[i];
	}
	panel_end(p, &panel);
	free(floor);
	return 0;
}

static void print_least(char *to, size_t size, double share)
{
	snprintf(to, size, share <= 0 ? "%.0f" : "%.1f", 100 * share);
}

/* At zero, the farthest from that, at the end. */
static void print_legend_row(struct picture *p, const struct layer *l, double y)
{
	uint32_t n = p->sim->sample_count;
	double first = l->shares[0], far = first, last = l->shares[n - 1];
	char a[16], b[16], c[16];

	for (uint32_t i = 0; i < n; i++)
		if (fabs(l->shares[i] - first) > fabs(far - first))
			far = l->shares[i];
	print_least(a, sizeof(a), first);
	print_least(b, sizeof(b), far);
	print_least(c, sizeof(c), last);
	fprintf(p->to, "<rect x=\"%.1f\" y=\"%.1f\" width=\"12\" height=\"12\" rx=\"2\" fill=\"%s\"/>", LEGEND, y - 10,
		l->colour);
	fprintf(p->to, "<text x=\"%.1f\" y=\"%.1f\">", LEGEND + 19, y);
	print_text(p->to, l->name, 30);
	fprintf(p->to, "</text><text class=\"faint small end\" x=\"%d\" y=\"%.1f\">%s → %s → %s %%</text>\n", WIDTH - 14,
		y, a, b, c);
}

static void print_legend(struct picture *p)
{
	double y = p->bottom + 26 + 12;

	for (uint32_t k = p->layers.count; k-- > 0; y += 21)
		print_legend_row(p, &p->layers.list[k], y);
	fprintf(p->to, "<text class=\"faint small\" x=\"%.1f\" y=\"%.1f\">share at 0 s → farthest from it → at the end</text>\n",
		LEGEND, y + 2);
}

/* --- against what they had */

static void print_line(struct picture *p, const struct panel *panel, const float *shares, double before,
		       const char *colour, const char *class)
{
	fprintf(p->to, "<path class=\"line%s\" stroke=\"%s\" d=\"M", class, colour);
	for (uint32_t i = 0; i < p->sim->sample_count; i++)
		fprintf(p->to, "%.1f %.1f ", x_of(p, i), y_of(panel, shares[i] / before));
	fputs("\"/>\n", p->to);
}

static void print_relative(struct picture *p)
{
	struct panel panel = {.height = 130, .most = 1.25};
	uint32_t lines = 0;

	for (uint32_t k = 0; k < p->layers.count; k++) {
		const struct layer *l = &p->layers.list[k];

		if (!l->hurt || l->shares[0] <= 0)
			continue;
		lines++;
		for (uint32_t i = 0; i < p->sim->sample_count; i++)
			panel.most = fmin(3, fmax(panel.most, 1.05 * l->shares[i] / l->shares[0]));
	}
	if (!lines)
		return;
	panel_begin(p, &panel, "what events are about: share, of what it was at 0 s", 0.5, " %", 100);
	lines = 0;
	for (uint32_t g = 0; g < p->pool->group_count && lines < LINES_MAX; g++) {
		const struct layer *l = &p->layers.list[p->layers.of[g]];

		if (!p->pool->groups[g].hurt || l->groups < 2 || p->pool->groups[g].shares[0] <= 0)
			continue;
		print_line(p, &panel, p->pool->groups[g].shares, p->pool->groups[g].shares[0], l->colour, " thin");
		lines++;
	}
	for (uint32_t k = 0; k < p->layers.count; k++)
		if (p->layers.list[k].hurt && p->layers.list[k].shares[0] > 0)
			print_line(p, &panel, p->layers.list[k].shares, p->layers.list[k].shares[0],
				   p->layers.list[k].colour, "");
	panel_end(p, &panel);
}

/* --- what it cost */

static void print_failing(struct picture *p)
{
	struct panel panel = {.height = 90};
	double most = 0;
	char title[200];

	for (uint32_t i = 0; i < p->sim->sample_count; i++)
		most = fmax(most, fmax(p->pool->failing[i], p->pool->unmoved[i]));
	if (most <= 0)
		return;
	panel.most = nice(most);
	snprintf(title, sizeof(title),
		 "requests that fail: %.1f s worth of all traffic; dashed: had nothing moved, %.1f s", p->pool->failed_s,
		 p->pool->unmoved_s);
	panel_begin(p, &panel, title, panel.most / 2, " %", 100);
	fprintf(p->to, "<path class=\"fails\" d=\"M%.1f %.1f ", LEFT, y_of(&panel, 0));
	for (uint32_t i = 0; i < p->sim->sample_count; i++)
		fprintf(p->to, "%.1f %.1f ", x_of(p, i), y_of(&panel, p->pool->failing[i]));
	fprintf(p->to, "%.1f %.1fZ\"/>\n<path class=\"unmoved\" d=\"M", x_of(p, p->sim->sample_count - 1), y_of(&panel, 0));
	for (uint32_t i = 0; i < p->sim->sample_count; i++)
		fprintf(p->to, "%.1f %.1f ", x_of(p, i), y_of(&panel, p->pool->unmoved[i]));
	fputs("\"/>\n", p->to);
	panel_end(p, &panel);
}

static void print_moved(struct picture *p)
{
	struct panel panel = {.height = 70};
	double most = 0, width = fmax(1, PLOT * p->sim->scenario->sample_s / p->sim->scenario->duration_s - 0.4);
	double per = 1 / (p->sim->scenario->sample_s * p->pool->slots);
	char title[200];

	for (uint32_t i = 0; i < p->sim->sample_count; i++)
		most = fmax(most, p->pool->moved[i] * per);
	if (most <= 0)
		return;
	panel.most = nice(most);
	snprintf(title, sizeof(title), "slots that move in a second, of %u: %llu in all, the least possible %llu (%.2f×)",
		 p->pool->slots, (unsigned long long)p->pool->moved_all, (unsigned long long)p->pool->least_all,
		 p->pool->least_all ? (double)p->pool->moved_all / (double)p->pool->least_all : 1);
	panel_begin(p, &panel, title, panel.most / 2, " %", 100);
	for (uint32_t i = 0; i < p->sim->sample_count; i++) {
		double y = y_of(&panel, p->pool->moved[i] * per);

		if (p->pool->moved[i] > 0)
			fprintf(p->to, "<rect class=\"moved\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>",
				fmax(LEFT, x_of(p, i) - width), y, width, panel.top + panel.height - y);
	}
	panel_end(p, &panel);
}

/* --- the whole */

static void print_time_axis(struct picture *p)
{
	double step = time_step(p->sim->scenario->duration_s);

	for (double t = 0; t <= p->sim->scenario->duration_s * (1 + 1e-9); t += step)
		fprintf(p->to, "<text class=\"faint small middle\" x=\"%.1f\" y=\"%.1f\">%g s</text>\n", x_at(p, t),
			p->bottom + 17, t);
	p->bottom += 34;
}

static void print_head(struct picture *p)
{
	const struct scenario *s = p->sim->scenario;

	fprintf(p->to, "<text class=\"title\" x=\"%.1f\" y=\"32\">", LEFT);
	print_text(p->to, s->name, 90);
	fprintf(p->to, "</text>\n<text class=\"faint\" x=\"%.1f\" y=\"53\">pool %s: %u backends in %u regions of %u providers"
		       ", %u slots; seed %#llx; %llu ticks of %g ms",
		LEFT, p->pool->name, s->config->backend_count, s->config->region_count, s->config->provider_count,
		p->pool->slots, (unsigned long long)s->seed, (unsigned long long)p->sim->ticks,
		1000 * s->config->health.tick_s);
	if (s->load > 0)
		fprintf(p->to, "; load %g %% of the first tier", 100 * s->load);
	fputs("</text>\n", p->to);
}

/* The height is known last, so the body goes to memory first. */
static int draw(struct picture *p, FILE *to)
{
	char *body = NULL;
	size_t length;
	int e;

	p->to = open_memstream(&body, &length);
	if (!p->to)
		return -ENOMEM;
	print_head(p);
	print_events(p);
	print_legend(p);
	e = print_shares(p);
	print_relative(p);
	print_failing(p);
	print_moved(p);
	print_time_axis(p);
	if (fclose(p->to) && !e)
		e = -ENOMEM;
	if (!e) {
		fprintf(to, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %.0f\" width=\"%d\" height=\"%.0f\">\n",
			WIDTH, p->bottom, WIDTH, p->bottom);
		fprintf(to, "%s<rect class=\"ground\" width=\"100%%\" height=\"100%%\"/>\n%s</svg>\n", style, body);
	}
	free(body);
	return e;
}

int sim_svg(const struct sim *sim, uint32_t pool, FILE *to)
{
	struct picture p = {.sim = sim, .pool = &sim->pools[pool]};
	int e = layers_new(sim, p.pool, &p.layers);

	if (!e)
		e = draw(&p, to);
	layers_free(&p.layers);
	if (!e && (fflush(to) || ferror(to)))
		e = -EIO;
	return e;
}
