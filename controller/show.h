/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_SHOW_H
#define EBB_SHOW_H
/*
 * show: the model as JSON, in the members that docs/control.md lists. For the control socket and the status page.
 *
 * Every function returns a new reference, or NULL on no memory. Counters come from the data plane where one is given
 * (it may be NULL: then they are missing).
 */
#include <jansson.h>

#include "controller/dataplane.h"
#include "controller/model.h"

struct show {
	const struct model *model;
	struct dataplane *dataplane; /* may be NULL */
};

json_t *show_backend(const struct show *show, uint32_t backend);
json_t *show_region(const struct show *show, uint32_t region);
json_t *show_pool(const struct show *show, uint32_t pool);
json_t *show_service(const struct show *show, uint32_t service);
json_t *show_event(const struct model_event *event, const char *time);

/* Parts of `status` that the model knows. */
json_t *show_counts(const struct show *show);
json_t *show_pools_brief(const struct show *show);
json_t *show_problems(const struct show *show);
json_t *show_verdicts(const struct show *show);

/* Why a backend has its weight: the numbers of health.h and weight.h. */
json_t *show_backend_why(const struct show *show, uint32_t backend);

#endif
