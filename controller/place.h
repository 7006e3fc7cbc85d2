/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_PLACE_H
#define EBB_PLACE_H
/*
 * place: where a new sandbox goes. By the slot table of its service's pool, so by weight and alike on every edge; bounded by
 * what backends report of their capacity and warm spares, and by what came since. Pure.
 *
 * Where the table's choice is full, or has no warm spare, the key's next slot is asked, up to 64. A cold one is taken if no
 * warm one was met; a full one never.
 */
#include "controller/err.h"
#include "controller/model.h"
#include "maps/sandbox.h"

struct place_counts { /* by backend id */
	uint32_t on[BACKENDS_MAX + 1];	 /* that live there now */
	uint32_t came[BACKENDS_MAX + 1]; /* since the backend's last report */
};

/* -EBUSY: no backend takes new ones, or none that was asked has room. */
EBB_MUST_CHECK int place_choose(const struct model *model, const struct model_pool *pool,
				const struct sandbox_key *key, const struct place_counts *counts,
				struct err *err, uint32_t *ret_backend);
/* Of a backend that was named. -EBUSY: it is not ready, or full. */
EBB_MUST_CHECK int place_check(const struct model *model, uint32_t backend,
			       const struct place_counts *counts, struct err *err);

#endif
