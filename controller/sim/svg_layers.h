/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_SIM_SVG_LAYERS_H
#define EBB_SIM_SVG_LAYERS_H
/*
 * svg_layers: which bands a picture of a pool has. Up to LAYERS_MAX groups are a band each. More are folded: what events are
 * about apart from what they are not, by provider; and where that is still too much, what moves least into "others".
 */
#include "controller/sim/sim.h"

#define LAYERS_MAX 14

struct layer {
	char name[96];
	char colour[8]; /* "#rrggbb" */
	uint32_t tier, groups, provider; /* provider: order of first appearance */
	bool hurt, others;
	float *shares; /* sum over its groups, one a sample */
};

struct layers {
	struct layer *list; /* from the bottom of the picture up */
	uint32_t count;
	uint32_t *of; /* one a group: its layer */
};

/* -ENOMEM. */
EBB_MUST_CHECK int layers_new(const struct sim *sim, const struct sim_pool *pool, struct layers *ret_layers);
void layers_free(struct layers *layers);

#endif
