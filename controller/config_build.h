/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_CONFIG_BUILD_H
#define EBB_CONFIG_BUILD_H
/* config_build: libcyaml's text to typed values with defaults; then what can only be judged over the whole. */
#include "controller/config_context.h"

/*
 * Fill ctx->config from `raw`: edge, health and weights; providers, regions and backends; pools and services. All
 * leave messages in ctx for what is wrong, and go on. 0 or -ENOMEM.
 */
EBB_MUST_CHECK int config_build_edge(struct config_context *ctx, const struct raw_config *raw);
EBB_MUST_CHECK int config_build_health(struct config_context *ctx, const struct raw_config *raw);
EBB_MUST_CHECK int config_build_backends(struct config_context *ctx, const struct raw_config *raw);
EBB_MUST_CHECK int config_build_pools(struct config_context *ctx, const struct raw_config *raw);
EBB_MUST_CHECK int config_build_services(struct config_context *ctx, const struct raw_config *raw);

/* The pool's own values over the defaults in *health. Place: the `health` mapping. 0 or -ENOMEM. */
EBB_MUST_CHECK int config_apply_health(struct config_context *ctx, const struct raw_health *raw,
				       struct config_health *health);
void config_apply_weights(struct config_context *ctx, const struct raw_weights *raw,
			  struct config_weights *weights);
/* config_shift: the policy that the mapping turns on. Place: the `auto_shift` mapping. 0 or -ENOMEM. */
EBB_MUST_CHECK int config_build_auto_shift(struct config_context *ctx, const struct raw_auto_shift *raw,
					   struct config_auto_shift *policy);

/* Whether one backend could be judged by both. */
bool config_health_equal(const struct config_health *a, const struct config_health *b);

/* Text to index, by bisection; for names and for duplicates. Equal names stand in the order of the file. */
struct config_name {
	const char *name;
	uint32_t index;
};
struct config_names {
	struct config_name *by_name;
	uint32_t count;
};
void config_names_sort(struct config_names *names);
/* The index of the first one with this name, or UINT32_MAX. */
uint32_t config_names_find(const struct config_names *names, const char *name);
/* "a, b, c, ... (5 more)"; in a static buffer. */
const char *config_names_print(const struct config_names *names);

/* Bounds that the rest may rely on. False: messages, and nothing must be built. */
bool config_check_counts(struct config_context *ctx, const struct raw_config *raw);

/* config_check: duplicates, references that clash, sums over limits. 0 or -ENOMEM. */
EBB_MUST_CHECK int config_check(struct config_context *ctx);

#endif
