/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_MODEL_BUILD_H
#define EBB_MODEL_BUILD_H
/* model_build: what the files that build a model share; model_build() itself stands in model.h. */
#include "controller/dataplane.h"
#include "controller/model.h"

struct build {
	const struct config *config;
	const struct dataplane_tables *tables;
	const struct dataplane_sizes *sizes;
	const struct model *former;
	struct mono_ns now;
	struct err *err;
	struct model *m;
};

int model_build_no_memory(struct build *b);
void *model_build_zalloc(size_t n, size_t size);
/* Calls `visit` for each (pool, region) of the configuration, until it returns non-zero. */
int model_build_each_group(const struct config *config,
			   int (*visit)(const struct config *config, uint32_t pool, uint32_t tier,
					uint32_t region, void *ctx, struct err *err),
			   void *ctx, struct err *err);

/* In this order; what they leave behind on an error is model_free()'s. */
EBB_MUST_CHECK int model_build_regions(struct build *b);
EBB_MUST_CHECK int model_build_backends(struct build *b);
EBB_MUST_CHECK int model_build_pools(struct build *b);

#endif
