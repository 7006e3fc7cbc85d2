// SPDX-License-Identifier: GPL-2.0-or-later
#include "controller/whatif.h"

#include <errno.h>

static void free_model(struct model **model)
{
	model_free(*model);
}

/* The core takes health x weight, so the health that is left is given as an operator's weight. */
static int hurt(struct model *m, const char *fail, double at, struct mono_ns now, struct err *err)
{
	uint32_t backend = model_find_backend(m, fail), region = model_find_region(m, fail);
	uint32_t first = backend, count = 1;
	int e = 0;

	if (backend == UINT32_MAX && region == UINT32_MAX)
		return err_set(err, ENOENT, "no region and no backend \"%s\"", fail);
	if (backend == UINT32_MAX) {
		first = m->regions[region].first_backend;
		count = m->regions[region].backend_count;
	}
	for (uint32_t i = first; i < first + count && !e; i++) {
		if (at <= 0)
			model_backend_set_health(m, i, MODEL_ADMIN_HEALTH_DOWN, now);
		else
			e = model_backend_set_weight(m, i, m->backends[i].admin_weight * at, now, err);
	}
	return e;
}

static double demand_of(const struct model_pool *pool)
{
	double capacity = 0;

	for (uint32_t g = 0; g < pool->group_count; g++)
		if (!pool->groups[g].tier)
			capacity += pool->groups[g].capacity;
	return capacity / pool->weight_params.overprovision;
}

static json_t *groups_of(const struct model *m, const struct model_pool *before,
			 const struct model_pool *after)
{
	json_t *groups = json_array();
	double demand = demand_of(after);

	for (uint32_t g = 0; g < after->group_count; g++) {
		const struct model_group *group = &after->groups[g];

		(void)json_array_append_new(
			groups, json_pack("{ss, sf, sf, sf}", "region",
					  m->regions[group->region].full_name, "share",
					  before->groups[g].share, "after", group->share,
					  "capacity_used",
					  group->effective > 0 ? group->share * demand / group->effective
							       : 0.0));
	}
	return groups;
}

static json_t *pools_of(const struct model *before, const struct model *after)
{
	json_t *pools = json_array();

	for (uint32_t i = 0; i < after->pool_count; i++) {
		const struct model_pool *a = &before->pools[i], *b = &after->pools[i];
		uint32_t moved = 0;

		for (uint32_t s = 0; s < b->slot_count; s++)
			moved += a->primaries[s] != b->primaries[s];
		(void)json_array_append_new(pools, json_pack("{ss, sf, so}", "name", b->name, "moved",
							     (double)moved / b->slot_count, "groups",
							     groups_of(after, a, b)));
	}
	return pools;
}

int whatif(const struct model *model, const struct dataplane_tables *tables,
	   const struct dataplane_sizes *sizes, const char *fail, double at, struct mono_ns now,
	   struct err *err, json_t **ret_result)
{
	__attribute__((cleanup(free_model))) struct model *copy = NULL;
	int e = model_build(model->config, tables, sizes, model, now, err, &copy);

	if (e)
		return e;
	for (uint32_t i = 0; i < copy->pool_count; i++)
		for (uint32_t k = 0; k < model->pools[i].shift_count; k++)
			copy->pools[i].shifts[copy->pools[i].shift_count++] = model->pools[i].shifts[k];
	e = hurt(copy, fail, at, now, err);
	if (!e)
		e = model_forget_past(copy, err);
	if (e)
		return e;
	model_tick(copy, now);
	*ret_result = json_pack("{so}", "pools", pools_of(model, copy));
	return *ret_result ? 0 : err_set(err, ENOMEM, "out of memory");
}
