/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_SHIFTS_LIVE_H
#define EBB_SHIFTS_LIVE_H
/*
 * shifts_live: which sandboxes a shift with `live` wants moved, and where. Takes the directory of sandboxes in pieces, as a
 * sweep over the map goes, gives one call a sandbox that is to be named. Pure.
 *
 * A hash puts each sandbox at a point of [0,1); a shift that has moved the part p wants those below p that still live in its
 * source. So they are named at the pace of its ramps, each once, and no list of them is kept: what is remembered is up to
 * which part all have been named. After SHIFTS_LIVE_AGAIN_S those that are still there are named again, as they are after a
 * restart and when somebody begins to listen. On the way back nobody is named: what has moved, lives where it lives.
 *
 * Its new backend is drawn by the same hash among those of the target group that take traffic, by capacity and health; so it is
 * the same on every edge that sees the same.
 */
#include <stdbool.h>
#include <stdint.h>

#include "controller/model.h"
#include "controller/sandboxes.h"
#include "controller/shifts.h"

#define SHIFTS_LIVE_AGAIN_S 60.0

/* Indices of backends; `to` UINT32_MAX: nobody there takes any now, it is named again later. */
typedef void (*shifts_live_fn)(void *ctx, const struct shifts_entry *shift, const struct sandbox_key *sandbox,
			       uint32_t from, uint32_t to);

/* Time goes on. True: there is somebody to name, so a sweep is to begin. */
bool shifts_live_due(struct shifts *s, double dt_s);
/* All that are still there are due. */
void shifts_live_again(struct shifts *s);
/* A sweep over the whole map: begin; any number of pieces; end. What comes or goes meanwhile may be missed. */
void shifts_live_begin(struct shifts *s);
void shifts_live_look(struct shifts *s, const struct model *model, const struct sandbox_key *keys,
		      const struct sandbox *values, uint32_t count, shifts_live_fn on_wanted, void *ctx);
void shifts_live_end(struct shifts *s);
/* A sandbox was moved; its value has the former backend. */
void shifts_live_moved(struct shifts *s, const struct model *model, const struct sandboxes_entry *entry);

#endif
