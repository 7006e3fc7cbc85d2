// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * csv: a line a group and sample, and a line a pool with group "*". What is not a group's is empty in its lines, and the other
 * way round. Ratios in [0,1], times in seconds; moved and least: slots since the beginning, failing and unmoved: requests.
 */
#include "controller/sim/sim_private.h"

void csv_head(FILE *to)
{
	fputs("time,pool,group,tier,share,want,availability,headroom,limited_by,slots,moved,least,failing,unmoved\n",
	      to);
}

void csv_sample(const struct run *run, uint32_t sample)
{
	double t_s = sample * run->scenario->sample_s;

	for (uint32_t p = 0; p < run->model->pool_count; p++) {
		const struct model_pool *pool = &run->model->pools[p];
		const struct sim_pool *seen = &run->sim->pools[p];

		fprintf(run->csv, "%.3f,%s,*,,,,,,%s,%u,%llu,%llu,%.6f,%.6f\n", t_s, pool->name,
			pool->empty ? "empty" : pool->panic ? "panic" : "none", pool->slot_count,
			(unsigned long long)seen->moved_all, (unsigned long long)seen->least_all,
			seen->failing[sample], seen->unmoved[sample]);
		for (uint32_t g = 0; g < pool->group_count; g++)
			fprintf(run->csv, "%.3f,%s,%s,%u,%.6f,%.6f,%.6f,%.6f,%s,%.0f,,,,\n", t_s, pool->name,
				seen->groups[g].name, pool->groups[g].tier, pool->groups[g].share,
				pool->groups[g].want, pool->groups[g].availability, pool->groups[g].headroom,
				weight_limit_name(pool->groups[g].limited_by),
				(double)seen->groups[g].shares[sample] * pool->slot_count);
	}
}
