// SPDX-License-Identifier: GPL-2.0-or-later
/* scenario_event: one event's words to values: what happens, when, and to which backends. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/config_scalar.h"
#include "controller/namehash.h"
#include "controller/sim/scenario_private.h"

#define DAY 86400.0

const char *const scenario_what_names[] = {"brown-out", "slow", "dead",	 "lost", "probes-lost",
					   "flap",	"says", "state", "shift"};
static_assert(sizeof(scenario_what_names) / sizeof(char *) == SCENARIO_WHAT__COUNT, "names");

/* --- where */

/* Marks the backends of one place; false: there is no such place. */
static bool mark_place(const struct config *c, const char *place, bool *marked)
{
	bool found = !strcmp(place, "all");

	for (uint32_t i = 0; i < c->backend_count; i++) {
		const struct config_backend *b = &c->backends[i];
		const struct config_region *region = &c->regions[b->region];

		if (!strcmp(place, "all") || !strcmp(place, region->full_name) ||
		    !strcmp(place, c->providers[region->provider].name) || !strcmp(place, b->name))
			marked[i] = found = true;
	}
	return found;
}

struct drawn {
	uint64_t lot;
	uint32_t backend;
};

static int by_lot(const void *a, const void *b)
{
	const struct drawn *x = a, *y = b;

	return x->lot < y->lot ? -1 : x->lot > y->lot;
}

static int by_number(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Just this part of them, rounded up. Lots are the event's and the backend's own: another event does not change them. */
static int draw(struct scenario_build *b, const bool *marked, double part, struct scenario_event *e)
{
	uint32_t n = b->scenario->config->backend_count, all = 0;
	struct drawn *lots = calloc(n, sizeof(*lots));

	e->backends = arena_alloc(b->ctx.arena, n, sizeof(*e->backends));
	if (!lots || !e->backends) {
		free(lots);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < n; i++)
		if (marked[i])
			lots[all++] = (struct drawn){hash_mix(hash_mix(b->scenario->seed + e->number) +
							      i * 0x9e3779b97f4a7c15u), i};
	qsort(lots, all, sizeof(*lots), by_lot);
	e->backend_count = (uint32_t)ceil(part * all - 1e-9);
	for (uint32_t i = 0; i < e->backend_count; i++)
		e->backends[i] = lots[i].backend;
	qsort(e->backends, e->backend_count, sizeof(*e->backends), by_number);
	free(lots);
	return 0;
}

static int take_places(struct scenario_build *b, char *places, double part, struct scenario_event *e)
{
	const struct config *c = b->scenario->config;
	bool *marked = calloc(c->backend_count, sizeof(*marked));
	char *save = NULL;
	int r;

	if (!marked)
		return -ENOMEM;
	for (char *place = strtok_r(places, ", ", &save); place; place = strtok_r(NULL, ", ", &save))
		if (!mark_place(c, place, marked))
			config_fail_key(&b->ctx, "where", "no provider, region or backend %s, nor `all`",
					config_quote(place));
	r = draw(b, marked, part, e);
	free(marked);
	if (r == 0 && !e->backend_count && !config_failed(&b->ctx))
		config_fail_key(&b->ctx, "where", "is no backend at all");
	return r;
}

static int take_where(struct scenario_build *b, const struct raw_event *raw, struct scenario_event *e)
{
	double part = 1;
	char *places;
	int r;

	config_take_ratio(&b->ctx, "part", raw->part, 0.000001, 1, &part);
	if (!raw->where) {
		config_fail(&b->ctx, "\"where\" is missing: providers, regions or backends with commas between, or `all`");
		return 0;
	}
	places = strdup(raw->where);
	if (!places)
		return -ENOMEM;
	r = take_places(b, places, part, e);
	free(places);
	return r;
}

/* --- what */

/* Each word of an event, and for which kinds it is. */
#define FOR(what) (1u << SCENARIO_##what)
#define PLACED	  (~FOR(SHIFT))

static void check_words(struct config_context *ctx, const struct raw_event *raw, enum scenario_what what)
{
	const struct {
		const char *key, *given;
		uint32_t kinds, needed;
	} words[] = {
		{"where", raw->where, PLACED, 0 /* take_where() */},
		{"part", raw->part, PLACED, 0},
		{"ramp", raw->ramp, FOR(BROWN_OUT) | FOR(SLOW), 0},
		{"errors", raw->errors, FOR(BROWN_OUT), FOR(BROWN_OUT)},
		{"by", raw->by, FOR(SLOW), FOR(SLOW)},
		{"up", raw->up, FOR(FLAP), FOR(FLAP)},
		{"down", raw->down, FOR(FLAP), FOR(FLAP)},
		{"says", raw->says, FOR(SAYS), FOR(SAYS)},
		{"state", raw->state, FOR(STATE), FOR(STATE)},
		{"pool", raw->pool, FOR(SHIFT), FOR(SHIFT)},
		{"from", raw->from, FOR(SHIFT), FOR(SHIFT)},
		{"to", raw->to, FOR(SHIFT), FOR(SHIFT)},
		{"steps", raw->steps, FOR(SHIFT), FOR(SHIFT)},
		{"bake", raw->bake, FOR(SHIFT), 0},
		{"ttl", raw->ttl, FOR(SHIFT), 0},
		{"for", raw->for_, PLACED, 0},
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (words[i].given && !(words[i].kinds & 1u << what))
			config_fail_key(ctx, words[i].key, "is not for what: %s", scenario_what_names[what]);
		if (!words[i].given && words[i].needed & 1u << what)
			config_fail(ctx, "\"%s\" is missing; what: %s needs it", words[i].key,
				    scenario_what_names[what]);
	}
}

static void take_says(struct config_context *ctx, const char *text, struct scenario_event *e)
{
	struct err err = {{0}};

	if (text && report_parse_agent(text, strlen(text), &err, &e->says))
		config_fail_key(ctx, "says", "%s", err.text);
}

static void take_state(struct config_context *ctx, const char *text, struct scenario_event *e)
{
	static const char *const states[] = {"drain", "maint"};
	unsigned int state = 0;

	config_take_word(ctx, "state", text, states, 2, &state);
	e->maint = state;
}

static bool is_group(const struct config *c, const struct config_pool *pool, const char *region)
{
	for (uint32_t t = 0; t < pool->tier_count; t++)
		for (uint32_t r = 0; r < pool->tiers[t].region_count; r++)
			if (!strcmp(c->regions[pool->tiers[t].regions[r]].full_name, region))
				return true;
	return false;
}

static void check_group(struct scenario_build *b, const struct config_pool *pool, const char *key,
			const char *region)
{
	if (region && !is_group(b->scenario->config, pool, region))
		config_fail_key(&b->ctx, key, "pool %s has no region %s", pool->name, config_quote(region));
}

static int take_shift(struct scenario_build *b, const struct raw_event *raw, struct scenario_event *e)
{
	const struct config *c = b->scenario->config;
	const struct config_pool *pool = NULL;
	struct err err = {{0}};

	e->plan = shift_plan_default();
	config_take_duration(&b->ctx, "bake", raw->bake, 0, DAY, &e->plan.bake_s);
	config_take_duration(&b->ctx, "ttl", raw->ttl, 0, 7 * DAY, &e->plan.ttl_s);
	if (raw->steps && shift_parse_steps(raw->steps, &e->plan, &err))
		config_fail_key(&b->ctx, "steps", "%s", err.text);
	for (uint32_t i = 0; raw->pool && i < c->pool_count; i++)
		if (!strcmp(c->pools[i].name, raw->pool))
			pool = &c->pools[i];
	if (raw->pool && !pool)
		config_fail_key(&b->ctx, "pool", "no pool %s", config_quote(raw->pool));
	if (!pool || !raw->from || !raw->to)
		return 0;
	check_group(b, pool, "from", raw->from);
	check_group(b, pool, "to", raw->to);
	e->pool = pool->name;
	e->from = arena_strdup(b->ctx.arena, raw->from);
	e->to = arena_strdup(b->ctx.arena, raw->to);
	return e->from && e->to ? 0 : -ENOMEM;
}

static int take_label(struct scenario_build *b, const struct raw_event *raw, struct scenario_event *e)
{
	char text[200];

	if (raw->label)
		snprintf(text, sizeof(text), "%s", raw->label);
	else if (e->what == SCENARIO_SHIFT)
		snprintf(text, sizeof(text), "shift %s to %s", raw->from ?: "", raw->to ?: "");
	else
		snprintf(text, sizeof(text), "%s %s", scenario_what_names[e->what], raw->where ?: "");
	e->label = arena_strdup(b->ctx.arena, text);
	return e->label ? 0 : -ENOMEM;
}

static int take_event(struct scenario_build *b, const struct raw_event *raw, uint32_t number,
		      struct scenario_event *e)
{
	double lasts_s = INFINITY;
	unsigned int what = 0;
	uint32_t wrong = b->ctx.message_count;
	int r;

	config_take_word(&b->ctx, "what", raw->what, scenario_what_names, SCENARIO_WHAT__COUNT, &what);
	if (b->ctx.message_count > wrong)
		return 0;
	e->what = what;
	e->number = number;
	check_words(&b->ctx, raw, e->what);
	config_take_duration(&b->ctx, "at", raw->at, 0, 7 * DAY, &e->at_s);
	config_take_duration(&b->ctx, "for", raw->for_, 0.1, 7 * DAY, &lasts_s);
	config_take_duration(&b->ctx, "ramp", raw->ramp, 0, DAY, &e->ramp_s);
	config_take_ratio(&b->ctx, "errors", raw->errors, 0, 1, &e->errors);
	config_take_duration(&b->ctx, "by", raw->by, 0.001, 3600, &e->by_s);
	config_take_duration(&b->ctx, "up", raw->up, 0.1, DAY, &e->up_s);
	config_take_duration(&b->ctx, "down", raw->down, 0.1, DAY, &e->down_s);
	e->until_s = e->at_s + lasts_s;
	if (e->at_s >= b->scenario->duration_s)
		config_fail_key(&b->ctx, "at", "is behind the end (`duration` %s)",
				scalar_print_duration(b->scenario->duration_s));
	take_says(&b->ctx, raw->says, e);
	take_state(&b->ctx, raw->state, e);
	r = e->what == SCENARIO_SHIFT ? take_shift(b, raw, e) : take_where(b, raw, e);
	return r ? r : take_label(b, raw, e);
}

static int by_time(const void *a, const void *b)
{
	const struct scenario_event *x = a, *y = b;

	if (x->at_s != y->at_s)
		return x->at_s < y->at_s ? -1 : 1;
	return x->number < y->number ? -1 : 1;
}

int scenario_take_events(struct scenario_build *b, const struct raw_scenario *raw)
{
	struct scenario *s = b->scenario;
	int r = 0;

	config_enter(&b->ctx, "events");
	if (raw->events_count > SCENARIO_EVENTS_MAX) {
		config_fail(&b->ctx, "%u events; at most %d", raw->events_count, SCENARIO_EVENTS_MAX);
		config_leave(&b->ctx);
		return 0;
	}
	s->events = arena_alloc(b->ctx.arena, raw->events_count, sizeof(*s->events));
	if (!s->events)
		r = -ENOMEM;
	for (uint32_t i = 0; r == 0 && i < raw->events_count; i++) {
		config_enter_index(&b->ctx, i);
		r = take_event(b, &raw->events[i], i, &s->events[i]);
		config_leave(&b->ctx);
		s->event_count++;
	}
	config_leave(&b->ctx);
	if (r == 0 && s->event_count)
		qsort(s->events, s->event_count, sizeof(*s->events), by_time);
	return r;
}
