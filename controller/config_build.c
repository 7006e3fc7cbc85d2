// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * config_build: providers, regions, backends and pools. Backends come out ordered by region because the file nests them so;
 * pools refer to regions by index.
 */
#include "controller/config_build.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "controller/config_scalar.h"

static bool count_within(struct config_context *ctx, const char *key, uint64_t count, uint32_t max)
{
	if (count <= max)
		return true;
	config_fail_key(ctx, key, "%llu %s; at most %u are allowed", (unsigned long long)count, key, max);
	return false;
}

bool config_check_counts(struct config_context *ctx, const struct raw_config *raw)
{
	uint64_t regions = 0, backends = 0;
	bool good;

	for (uint32_t p = 0; p < raw->providers_count; p++) {
		regions += raw->providers[p].regions_count;
		for (uint32_t i = 0; i < raw->providers[p].regions_count; i++)
			backends += raw->providers[p].regions[i].backends_count;
	}
	good = count_within(ctx, "providers", raw->providers_count, CONFIG_PROVIDERS_MAX);
	good &= count_within(ctx, "pools", raw->pools_count, POOLS_MAX);
	good &= count_within(ctx, "services", raw->services_count, SERVICES_MAX);
	config_enter(ctx, "edge");
	good &= count_within(ctx, "interfaces", raw->edge->interfaces_count, PORTS_MAX);
	config_leave(ctx);
	config_enter(ctx, "providers");
	if (regions > CONFIG_REGIONS_MAX)
		config_fail(ctx, "%llu regions; at most %u are allowed", (unsigned long long)regions,
			    CONFIG_REGIONS_MAX);
	if (backends > BACKENDS_MAX)
		config_fail(ctx, "%llu backends; at most %u are allowed", (unsigned long long)backends,
			    BACKENDS_MAX);
	config_leave(ctx);
	return good && regions <= CONFIG_REGIONS_MAX && backends <= BACKENDS_MAX;
}

static int build_backend(struct config_context *ctx, const struct raw_backend *raw, uint32_t region)
{
	struct config *config = ctx->config;
	struct config_backend *backend = &config->backends[config->backend_count];
	uint32_t id = BACKEND_NONE;

	*backend = (struct config_backend){.capacity = 100, .weight = 1, .region = region};
	config_check_name(ctx, raw->name, CONFIG_NAME_MAX);
	config_take_address(ctx, "address", raw->address, &backend->address);
	config_take_unsigned(ctx, "id", raw->id, 1, BACKENDS_MAX, &id);
	backend->id = (uint16_t)id;
	config_take_number(ctx, "capacity", raw->capacity, 0.001, 1e9, &backend->capacity);
	config_take_ratio(ctx, "weight", raw->weight, 0, 1, &backend->weight);
	backend->name = arena_strdup(ctx->arena, raw->name);
	if (!backend->name)
		return -ENOMEM;
	config->backend_count++;
	return 0;
}

static char *full_name(struct arena *arena, const char *provider, const char *region)
{
	size_t length = strlen(provider) + strlen(region) + 2;
	char *name = arena_alloc(arena, length, 1);

	if (name)
		snprintf(name, length, "%s/%s", provider, region);
	return name;
}

static int build_region(struct config_context *ctx, const struct raw_region *raw, uint32_t provider)
{
	struct config *config = ctx->config;
	uint32_t index = config->region_count;
	struct config_region *region = &config->regions[index];
	int r = 0;

	config_check_name(ctx, raw->name, CONFIG_SHORT_NAME_MAX);
	*region = (struct config_region){
		.name = arena_strdup(ctx->arena, raw->name),
		.full_name = full_name(ctx->arena, config->providers[provider].name, raw->name),
		.provider = provider,
		.first_backend = config->backend_count,
		.backend_count = raw->backends_count,
	};
	if (!region->name || !region->full_name)
		return -ENOMEM;
	config->region_count++;
	config_enter(ctx, "backends");
	for (uint32_t i = 0; r == 0 && i < raw->backends_count; i++) {
		config_enter_index(ctx, i);
		r = build_backend(ctx, &raw->backends[i], index);
		config_leave(ctx);
	}
	config_leave(ctx);
	return r;
}

static int build_provider(struct config_context *ctx, const struct raw_provider *raw)
{
	struct config *config = ctx->config;
	uint32_t index = config->provider_count;
	int r = 0;

	config_check_name(ctx, raw->name, CONFIG_SHORT_NAME_MAX);
	config->providers[index].name = arena_strdup(ctx->arena, raw->name);
	if (!config->providers[index].name)
		return -ENOMEM;
	config->providers[index].first_region = config->region_count;
	config->providers[index].region_count = raw->regions_count;
	config->provider_count++;
	config_enter(ctx, "regions");
	for (uint32_t i = 0; r == 0 && i < raw->regions_count; i++) {
		config_enter_index(ctx, i);
		r = build_region(ctx, &raw->regions[i], index);
		config_leave(ctx);
	}
	config_leave(ctx);
	return r;
}

int config_build_backends(struct config_context *ctx, const struct raw_config *raw)
{
	struct config *config = ctx->config;
	uint32_t regions = 0, backends = 0;
	int r = 0;

	for (uint32_t p = 0; p < raw->providers_count; p++) {
		regions += raw->providers[p].regions_count;
		for (uint32_t i = 0; i < raw->providers[p].regions_count; i++)
			backends += raw->providers[p].regions[i].backends_count;
	}
	config->providers = arena_alloc(ctx->arena, raw->providers_count, sizeof(*config->providers));
	config->regions = arena_alloc(ctx->arena, regions, sizeof(*config->regions));
	config->backends = arena_alloc(ctx->arena, backends, sizeof(*config->backends));
	if (!config->providers || !config->regions || !config->backends)
		return -ENOMEM;
	config_enter(ctx, "providers");
	for (uint32_t p = 0; r == 0 && p < raw->providers_count; p++) {
		config_enter_index(ctx, p);
		r = build_provider(ctx, &raw->providers[p]);
		config_leave(ctx);
	}
	config_leave(ctx);
	return r;
}

/* What the tiers of all pools are read with. */
struct tier_reader {
	struct config_names regions; /* full names */
	uint32_t *used_by;	     /* by region: the last pool that had it, plus one */
};

static uint32_t item_count(const yaml_node_t *list)
{
	return list->data.sequence.items.top - list->data.sequence.items.start;
}

static yaml_node_t *item(struct config_context *ctx, const yaml_node_t *list, uint32_t index)
{
	return yaml_document_get_node(ctx->document, list->data.sequence.items.start[index]);
}

/* One "provider/region" of a tier; at the context's place. */
static void build_tier_region(struct config_context *ctx, struct tier_reader *reader, uint32_t pool,
			      const yaml_node_t *node, struct config_tier *tier)
{
	const char *name = (const char *)node->data.scalar.value;
	uint32_t region = config_names_find(&reader->regions, name);

	if (region == UINT32_MAX) {
		config_fail(ctx, "no region %s; known: %s", config_quote(name),
			    config_names_print(&reader->regions));
		return;
	}
	if (reader->used_by[region] == pool + 1) {
		config_fail(ctx, "region %s is in this pool already", config_quote(name));
		return;
	}
	reader->used_by[region] = pool + 1;
	tier->regions[tier->region_count++] = region;
}

static int build_tier(struct config_context *ctx, struct tier_reader *reader, uint32_t pool,
		      const yaml_node_t *list, struct config_tier *tier)
{
	uint32_t count = item_count(list);

	tier->regions = arena_alloc(ctx->arena, count, sizeof(*tier->regions));
	if (!tier->regions)
		return -ENOMEM;
	if (!count)
		config_fail(ctx, "is empty; a tier has at least one region");
	for (uint32_t i = 0; i < count; i++) {
		config_enter_index(ctx, i);
		build_tier_region(ctx, reader, pool, item(ctx, list, i), tier);
		config_leave(ctx);
	}
	return 0;
}

static int build_tiers(struct config_context *ctx, struct tier_reader *reader, uint32_t index)
{
	struct config_pool *pool = &ctx->config->pools[index];
	const yaml_node_t *list;
	int r = 0;

	config_enter(ctx, "tiers");
	list = config_node(ctx);
	if (item_count(list) > CONFIG_TIERS_MAX) {
		config_fail(ctx, "%u tiers; at most %u are allowed", item_count(list), CONFIG_TIERS_MAX);
	} else {
		pool->tiers = arena_alloc(ctx->arena, item_count(list), sizeof(*pool->tiers));
		pool->tier_count = item_count(list);
		r = pool->tiers ? 0 : -ENOMEM;
		for (uint32_t i = 0; r == 0 && i < pool->tier_count; i++) {
			config_enter_index(ctx, i);
			r = build_tier(ctx, reader, index, item(ctx, list, i), &pool->tiers[i]);
			config_leave(ctx);
		}
	}
	config_leave(ctx);
	return r;
}

static int build_pool(struct config_context *ctx, const struct raw_pool *raw, struct tier_reader *reader,
		      uint32_t index)
{
	static const char *const tracks[] = {"moved", "always", "never"};
	struct config_pool *pool = &ctx->config->pools[index];
	unsigned int track = TRACK_MOVED;
	int r = 0;

	static_assert(sizeof(tracks) / sizeof(tracks[0]) == TRACK__COUNT, "tracks");
	*pool = (struct config_pool){
		.name = arena_strdup(ctx->arena, raw->name),
		.slots = 65536,
		.settle_s = 3600,
		.health = ctx->config->health,
		.weights = ctx->config->weights,
		.has_track = raw->track,
	};
	if (!pool->name)
		return -ENOMEM;
	config_check_name(ctx, raw->name, CONFIG_SHORT_NAME_MAX);
	config_take_unsigned(ctx, "slots", raw->slots, 1, POOL_SLOTS_MAX, &pool->slots);
	config_take_word(ctx, "track", raw->track, tracks, TRACK__COUNT, &track);
	pool->track = track;
	config_take_duration_or_never(ctx, "settle", raw->settle, 1, 30 * 86400.0, &pool->settle_s);
	config_take_duration(ctx, "drain", raw->drain, 0, 30 * 86400.0, &pool->drain_s);
	if (raw->auto_shift) {
		config_enter(ctx, "auto_shift");
		r = config_build_auto_shift(ctx, raw->auto_shift, &pool->auto_shift);
		config_leave(ctx);
	}
	if (!r && raw->health) {
		config_enter(ctx, "health");
		r = config_apply_health(ctx, raw->health, &pool->health);
		config_leave(ctx);
	}
	if (raw->weights) {
		config_enter(ctx, "weights");
		config_apply_weights(ctx, raw->weights, &pool->weights);
		config_leave(ctx);
	}
	return r ? r : build_tiers(ctx, reader, index);
}

static int tier_reader_open(struct config_context *ctx, struct tier_reader *reader)
{
	const struct config *config = ctx->config;

	*reader = (struct tier_reader){
		.regions.by_name = arena_alloc(ctx->arena, config->region_count,
					       sizeof(struct config_name)),
		.regions.count = config->region_count,
		.used_by = arena_alloc(ctx->arena, config->region_count, sizeof(uint32_t)),
	};
	if (!reader->regions.by_name || !reader->used_by)
		return -ENOMEM;
	for (uint32_t i = 0; i < config->region_count; i++)
		reader->regions.by_name[i] =
			(struct config_name){config->regions[i].full_name, i};
	config_names_sort(&reader->regions);
	return 0;
}

int config_build_pools(struct config_context *ctx, const struct raw_config *raw)
{
	struct config *config = ctx->config;
	struct tier_reader reader;
	int r = tier_reader_open(ctx, &reader);

	if (r)
		return r;
	config->pools = arena_alloc(ctx->arena, raw->pools_count, sizeof(*config->pools));
	if (!config->pools)
		return -ENOMEM;
	config_enter(ctx, "pools");
	for (uint32_t i = 0; r == 0 && i < raw->pools_count; i++) {
		config_enter_index(ctx, i);
		r = build_pool(ctx, &raw->pools[i], &reader, i);
		config_leave(ctx);
		config->pool_count = i + 1;
	}
	config_leave(ctx);
	return r;
}
