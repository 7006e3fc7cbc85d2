// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * model_build: from a configuration to a model, and from what there was before (a former model, or the pinned maps
 * alone after a restart) to the same ids, health, slot ranges and tables under the same names.
 *
 * model_build_backends.c: providers, regions, backends. model_build_pools.c: pools and their tables.
 */
#include "controller/model_build.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/model_index.h"
#include "controller/namehash.h"
#include "controller/services_table.h"
#include "controller/slots.h"

int model_build_no_memory(struct build *b)
{
	return err_set(b->err, ENOMEM, "out of memory");
}

void *model_build_zalloc(size_t n, size_t size)
{
	return calloc(n ? n : 1, size);
}

/* --- checks that concern several parts of a configuration */

int model_build_each_group(const struct config *config,
			   int (*visit)(const struct config *config, uint32_t pool, uint32_t tier,
					uint32_t region, void *ctx, struct err *err),
			   void *ctx, struct err *err)
{
	for (uint32_t p = 0; p < config->pool_count; p++)
		for (uint32_t t = 0; t < config->pools[p].tier_count; t++)
			for (uint32_t r = 0; r < config->pools[p].tiers[t].region_count; r++) {
				int e = visit(config, p, t, config->pools[p].tiers[t].regions[r],
					      ctx, err);

				if (e)
					return e;
			}
	return 0;
}

static int check_group(const struct config *config, uint32_t pool, uint32_t tier, uint32_t region,
		       void *ctx, struct err *err)
{
	uint32_t *last = ctx; /* one a region: the last pool that holds it, plus 1 */

	if (last[region] == pool + 1)
		return err_set(err, EINVAL, "pool %s: region %s stands in its tiers twice",
			       config->pools[pool].name, config->regions[region].full_name);
	last[region] = pool + 1;
	return 0;
}

static void free_words(uint32_t **words)
{
	free(*words);
}

int model_check(const struct config *config, struct err *err)
{
	__attribute__((cleanup(free_words))) uint32_t *last =
		model_build_zalloc(config->region_count, sizeof(*last));

	if (!last)
		return err_set(err, ENOMEM, "out of memory");
	if (config->pool_count > POOLS_MAX)
		return err_set(err, EINVAL, "%u pools; at most %d", config->pool_count, POOLS_MAX);
	if (config->service_count > SERVICES_MAX)
		return err_set(err, EINVAL, "%u services; at most %d", config->service_count,
			       SERVICES_MAX);
	return model_build_each_group(config, check_group, last, err);
}

/* --- services */

/* The id under which the half in force knows this service, or SERVICES_MAX. */
static uint32_t id_in_force(const struct build *b, const struct config_service *c)
{
	uint32_t half = b->tables->settings->half & 1;
	uint64_t seed = b->tables->settings->table[half].seed;
	const struct service *s;

	if (c->is_prefix) {
		uint8_t length = (uint8_t)(c->prefix_length + (address_is_ipv4(&c->address) ? 96 : 0));

		s = services_table_find(b->tables->prefixes + half * PREFIXES_TABLE_SIZE,
					PREFIXES_TABLE_SIZE, seed, &c->address, 0, 0, length);
	} else {
		s = services_table_find(b->tables->services + half * SERVICES_TABLE_SIZE,
					SERVICES_TABLE_SIZE, seed, &c->address, htons(c->port),
					c->protocol ? c->protocol : IPPROTO_TCP, 0);
	}
	return s ? s->id : SERVICES_MAX;
}

static void give_service_ids(struct build *b, bool *taken)
{
	struct model *m = b->m;
	uint16_t next = 0;

	for (uint32_t i = 0; i < m->service_count; i++) {
		uint32_t id = id_in_force(b, &m->services[i].config);

		m->services[i].id = SERVICES_MAX;
		if (id >= SERVICES_MAX || taken[id])
			continue;
		m->services[i].id = (uint16_t)id;
		taken[id] = true;
	}
	for (uint32_t i = 0; i < m->service_count; i++) {
		if (m->services[i].id != SERVICES_MAX)
			continue;
		while (taken[next])
			next++;
		m->services[i].id = next;
		taken[next] = true;
	}
}

static int build_services(struct build *b)
{
	struct model *m = b->m;
	bool taken[SERVICES_MAX] = {false};

	m->services = model_build_zalloc(b->config->service_count, sizeof(*m->services));
	if (!m->services)
		return model_build_no_memory(b);
	m->service_count = b->config->service_count;
	for (uint32_t i = 0; i < m->service_count; i++) {
		const struct config_service *c = &b->config->services[i];

		snprintf(m->services[i].name, sizeof(m->services[i].name), "%s", c->name);
		m->services[i].pool = c->pool;
		m->services[i].config = *c;
	}
	give_service_ids(b, taken);
	return 0;
}

int model_build(const struct config *config, const struct dataplane_tables *tables,
		const struct dataplane_sizes *sizes, const struct model *former,
		struct mono_ns now, struct err *err, struct model **ret_model)
{
	struct build b = {config, tables, sizes, former, now, err, NULL};
	int e = model_check(config, err);

	if (e)
		return e;
	b.m = calloc(1, sizeof(*b.m));
	if (!b.m)
		return model_build_no_memory(&b);
	b.m->config = config;
	b.m->hash_seed = hash_mix(config->edge.hash_seed);
	b.m->frozen = former && former->frozen;
	if (former)
		b.m->last_tick = former->last_tick; /* time goes on */
	e = model_build_regions(&b);
	if (!e)
		e = model_build_backends(&b);
	if (!e)
		e = model_build_pools(&b);
	if (!e)
		e = build_services(&b);
	if (e) {
		model_free(b.m);
		return e;
	}
	*ret_model = b.m;
	return 0;
}

static void free_pool(struct model_pool *pool)
{
	slots_free(pool->slots);
	weight_state_free(pool->weights);
	free(pool->groups);
	free(pool->members);
	free(pool->inputs);
	free(pool->results);
	free(pool->now);
	free(pool->published);
	free(pool->tiers);
	free(pool->group_results);
	free(pool->shifts);
	free(pool->primaries);
	free(pool->homes);
	free(pool->changed);
}

void model_free(struct model *m)
{
	if (!m)
		return;
	for (uint32_t i = 0; i < m->pool_count; i++)
		free_pool(&m->pools[i]);
	free(m->pools);
	free(m->services);
	free(m->backends);
	free(m->healths);
	free(m->scratch);
	free(m->health_list);
	free(m->health_params);
	free(m->health_configs);
	free(m->regions);
	free(m->providers);
	model_index_free(m->index);
	free(m);
}
