/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_CONFIG_DIFF_H
#define EBB_CONFIG_DIFF_H
/*
 * config_diff: what a new configuration would change, in words. Takes two checked configurations, gives a list; pure.
 *
 * Things are the same if their names are (regions: the full name). A pool that has nothing of its own over the defaults
 * of health and weights is not listed for a change of the defaults. The order of the list: edge, interfaces, http,
 * defaults, regions, pools, services, backends; in each the added and changed in the order of the new file, then the removed.
 */
#include <stdbool.h>
#include <stdint.h>

#include "controller/config.h"
#include "controller/err.h"

enum config_change_what {
	CONFIG_ADDED,
	CONFIG_REMOVED,
	CONFIG_CHANGED,
	CONFIG_CHANGE__COUNT,
};

extern const char *const config_change_names[CONFIG_CHANGE__COUNT]; /* "added", "removed", "changed" */

struct config_change {
	enum config_change_what what;
	const char *kind;   /* "backend", "pool", … */
	const char *name;
	const char *detail; /* "capacity 100 -> 50, weight 100% -> 50%"; "" if there is nothing to say */
	bool restart;	    /* comes into force only when ebbd starts again */
};

struct config_diff {
	struct config_change *changes;
	uint32_t count;
	uint32_t capacity;
	struct arena *arena; /* names and details */
};

/* 0 or -ENOMEM. The result holds no pointers into `old` and `new`. */
EBB_MUST_CHECK int config_diff_make(const struct config *old, const struct config *new,
				    struct config_diff **ret_diff);
void config_diff_free(struct config_diff *diff);

#endif
