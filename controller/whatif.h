/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_WHATIF_H
#define EBB_WHATIF_H
/*
 * whatif: where traffic would go if a region or a backend had less health, by the pure core on a copy of the model: nothing
 * is written, nobody hears of it. The answer is where shares come to rest: slew and holds, which only say how fast, are left out.
 */
#include <jansson.h>

#include "controller/dataplane.h"
#include "controller/err.h"
#include "controller/model.h"

/*
 * `fail`: a backend, or a region by its full name. `at`: the health that is left to it, [0,1]. The result is
 * {pools: [{name, moved, groups: [{region, share, after, capacity_used}]}]}; `moved`: part of the pool's slots; `capacity_used`:
 * of what the group can still do, at a load that fills 1 / overprovisioning of the first tier when all is well.
 */
EBB_MUST_CHECK int whatif(const struct model *model, const struct dataplane_tables *tables,
			  const struct dataplane_sizes *sizes, const char *fail, double at,
			  struct mono_ns now, struct err *err, json_t **ret_result);

#endif
