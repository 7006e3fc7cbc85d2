// SPDX-License-Identifier: GPL-2.0-or-later
/* scenario: see scenario.h. The fleet is here, events are in scenario_event.c. */
#include "controller/sim/scenario.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/config_build.h"
#include "controller/config_scalar.h"
#include "controller/sim/scenario_private.h"

#define DAY	      86400.0
#define BACKENDS_MAX_ 60000

static void take_seed(struct config_context *ctx, const char *text, uint64_t *seed)
{
	if (scalar_hex64(text, seed) && scalar_unsigned(text, seed))
		config_fail_key(ctx, "seed", "%s is no whole number, such as 7 or 0x5eed", config_quote(text));
}

/* --- the fleet */

static void take_topology(struct config_context *ctx, const struct raw_topology *raw, struct topology *t)
{
	config_enter(ctx, "topology");
	config_take_unsigned(ctx, "providers", raw->providers, 1, CONFIG_PROVIDERS_MAX, &t->providers);
	config_take_unsigned(ctx, "regions", raw->regions, 1, CONFIG_REGIONS_MAX, &t->regions);
	config_take_unsigned(ctx, "backends", raw->backends, 1, BACKENDS_MAX_, &t->backends);
	config_take_unsigned(ctx, "pools", raw->pools, 1, POOLS_MAX, &t->pools);
	config_take_unsigned(ctx, "tiers", raw->tiers, 1, CONFIG_TIERS_MAX, &t->tiers);
	config_take_unsigned(ctx, "slots", raw->slots, 1, POOL_SLOTS_MAX, &t->slots);
	config_take_number(ctx, "capacity", raw->capacity, 1, 1e6, &t->capacity);
	config_take_ratio(ctx, "spread", raw->spread, 0, 0.9, &t->spread);
	if (t->regions < t->providers)
		config_fail_key(ctx, "regions", "%u regions of %u providers; at least one each", t->regions,
				t->providers);
	if (t->backends < t->regions)
		config_fail_key(ctx, "backends", "%u backends in %u regions; at least one each", t->backends,
				t->regions);
	if (t->regions < t->pools)
		config_fail_key(ctx, "pools", "%u pools over %u regions; at least one region each", t->pools,
				t->regions);
	if (t->slots < (t->backends + t->pools - 1) / t->pools)
		config_fail_key(ctx, "slots", "%u slots of a pool of %u backends; at least one each", t->slots,
				(t->backends + t->pools - 1) / t->pools);
	if (t->tiers > t->providers)
		config_fail_key(ctx, "tiers", "%u tiers of %u providers; at least one each", t->tiers,
				t->providers);
	config_leave(ctx);
}

/* What was wrong in another file, or in text that was made, is told as it is. */
static void take_errors(struct config_context *ctx, const char *key, const struct config_errors *errors)
{
	for (uint32_t i = 0; i < errors->count; i++)
		config_fail_key(ctx, key, "%s", errors->lines[i]);
}

static int generate(struct scenario_build *b, const struct raw_topology *raw)
{
	struct topology t = {.providers = 1, .regions = 1, .backends = 1, .pools = 1, .tiers = 1,
			     .slots = 65536, .capacity = 100, .seed = b->scenario->seed};
	struct config_errors errors = {{0}};
	char *text;
	int r;

	take_topology(&b->ctx, raw, &t);
	if (config_failed(&b->ctx))
		return -EINVAL;
	text = topology_text(&t);
	if (!text)
		return -ENOMEM;
	r = config_load_bytes("generated", text, strlen(text), &errors, &b->scenario->config);
	free(text);
	take_errors(&b->ctx, "topology", &errors);
	config_errors_free(&errors);
	return r;
}

/* Relative to the scenario. */
static int load_file(struct scenario_build *b, const char *name)
{
	const char *slash = strrchr(b->ctx.file, '/');
	struct config_errors errors = {{0}};
	char *path;
	int r;

	if (asprintf(&path, "%.*s%s", name[0] == '/' || !slash ? 0 : (int)(slash + 1 - b->ctx.file),
		     b->ctx.file, name) < 0)
		return -ENOMEM;
	r = config_load(path, &errors, &b->scenario->config);
	free(path);
	take_errors(&b->ctx, "config", &errors);
	config_errors_free(&errors);
	return r;
}

/* Over the defaults, in all pools: a generated fleet has no settings of its own. */
static int apply_settings(struct scenario_build *b, const struct raw_scenario *raw)
{
	struct config *c = b->scenario->config;
	int r = 0;

	if (raw->health) {
		config_enter(&b->ctx, "health");
		r = config_apply_health(&b->ctx, raw->health, &c->health);
		config_leave(&b->ctx);
	}
	if (raw->weights) {
		config_enter(&b->ctx, "weights");
		config_apply_weights(&b->ctx, raw->weights, &c->weights);
		config_leave(&b->ctx);
	}
	for (uint32_t i = 0; i < c->pool_count; i++) {
		c->pools[i].health = c->health;
		c->pools[i].weights = c->weights;
	}
	return r;
}

static int take_fleet(struct scenario_build *b, const struct raw_scenario *raw)
{
	int r;

	if (!raw->config == !raw->topology) {
		config_fail(&b->ctx, "give one of `config` (a file) and `topology` (numbers)");
		return -EINVAL;
	}
	if (raw->config && (raw->health || raw->weights))
		config_fail_key(&b->ctx, raw->health ? "health" : "weights",
				"is for a `topology`; a `config` has its own");
	r = raw->config ? load_file(b, raw->config) : generate(b, raw->topology);
	if (r == 0 && !raw->config)
		r = apply_settings(b, raw);
	if (r == 0 && (!b->scenario->config->pool_count || !b->scenario->config->backend_count)) {
		config_fail_key(&b->ctx, "config", "has no pool or no backend");
		r = -EINVAL;
	}
	return r;
}

/* --- the whole */

static void check_size(struct scenario_build *b)
{
	const struct scenario *s = b->scenario;
	double groups = 0, ticks = s->duration_s / s->config->health.tick_s;

	for (uint32_t p = 0; p < s->config->pool_count; p++)
		for (uint32_t t = 0; t < s->config->pools[p].tier_count; t++)
			groups += s->config->pools[p].tiers[t].region_count;
	if (s->sample_s < s->config->health.tick_s)
		config_fail_key(&b->ctx, "sample", "is shorter than a tick (%s)",
				scalar_print_duration(s->config->health.tick_s));
	else if (s->duration_s / s->sample_s * groups > SCENARIO_NUMBERS_MAX)
		config_fail_key(&b->ctx, "sample", "%.0f samples of %.0f groups; at most %d numbers, so sample less often",
				s->duration_s / s->sample_s, groups, SCENARIO_NUMBERS_MAX);
	if (ticks > 10e6)
		config_fail_key(&b->ctx, "duration", "is %.0f ticks; at most 10 million", ticks);
}

static const char *name_of(struct scenario_build *b, const char *given)
{
	const char *slash = strrchr(b->ctx.file, '/');
	char *name = arena_strdup(b->ctx.arena, given ? given : slash ? slash + 1 : b->ctx.file);
	char *end = name ? strrchr(name, '.') : NULL;

	if (!given && end && end != name)
		*end = 0;
	return name;
}

static int build(struct scenario_build *b, const struct raw_scenario *raw)
{
	struct scenario *s = b->scenario;
	int r;

	s->sample_s = 1;
	s->name = name_of(b, raw->name);
	if (!s->name)
		return -ENOMEM;
	take_seed(&b->ctx, raw->seed, &s->seed);
	config_take_duration(&b->ctx, "duration", raw->duration, 1, 7 * DAY, &s->duration_s);
	config_take_duration(&b->ctx, "sample", raw->sample, 0.01, DAY, &s->sample_s);
	config_take_ratio(&b->ctx, "load", raw->load, 0, 10, &s->load);
	config_take_number(&b->ctx, "handshakes", raw->handshakes, 0, 1e4, &s->handshakes);
	r = take_fleet(b, raw);
	if (r)
		return r;
	if (!config_failed(&b->ctx))
		check_size(b);
	r = scenario_take_events(b, raw);
	return r == 0 && config_failed(&b->ctx) ? -EINVAL : r;
}

static int load_document(struct scenario_build *b, const char *bytes, size_t length)
{
	yaml_document_t document;
	void *raw = NULL;
	int r = config_yaml_parse(&b->ctx, bytes, length, &scenario_kind, &document);

	if (r == 0)
		r = config_yaml_load(&b->ctx, bytes, length, &scenario_kind, &raw);
	if (r == 0)
		r = build(b, raw);
	config_yaml_free(&scenario_kind, raw);
	if (b->ctx.document)
		yaml_document_delete(b->ctx.document);
	b->ctx.document = NULL;
	return r;
}

int scenario_load_bytes(const char *path, const char *bytes, size_t length,
			struct config_errors *errors, struct scenario **ret_scenario)
{
	struct scenario_build b = {.ctx = {.file = path, .arena = arena_new()}};
	int r = -ENOMEM;

	if (b.ctx.arena)
		b.scenario = arena_alloc(b.ctx.arena, 1, sizeof(*b.scenario));
	if (b.scenario) {
		b.scenario->memory = b.ctx.arena;
		r = load_document(&b, bytes, length);
	}
	if (r == -ENOMEM)
		config_fail_mark(&b.ctx, NULL, "not enough memory to read it");
	config_flush(&b.ctx, errors);
	if (r == 0) {
		*ret_scenario = b.scenario;
		return 0;
	}
	if (b.scenario)
		config_free(b.scenario->config);
	arena_free(b.ctx.arena);
	return r;
}

int scenario_load(const char *path, struct config_errors *errors, struct scenario **ret_scenario)
{
	struct config_context ctx = {.file = path};
	char *bytes = NULL;
	size_t length = 0;
	int r = config_read(&ctx, &bytes, &length);

	if (r) {
		config_flush(&ctx, errors);
		return r;
	}
	r = scenario_load_bytes(path, bytes, length, errors, ret_scenario);
	free(bytes);
	return r;
}

void scenario_free(struct scenario *s)
{
	if (!s)
		return;
	config_free(s->config);
	arena_free(s->memory);
}
