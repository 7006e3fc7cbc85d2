/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_LIVE_H
#define EBB_LIVE_H
/*
 * live: sweeps over the pinned directory of sandboxes for shifts with `live` (shifts_live.h), a few pieces a tick, and only
 * while somebody listens: a name that nobody hears is named when somebody does.
 */
#include "controller/dataplane.h"
#include "controller/shifts_live.h"

struct live;

EBB_MUST_CHECK int live_new(struct dataplane *dp, shifts_live_fn on_wanted, void *ctx, struct live **ret_live);
void live_free(struct live *live);
void live_tick(struct live *live, struct shifts *shifts, const struct model *model, bool listening, double dt_s);

#endif
