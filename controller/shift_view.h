/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_SHIFT_VIEW_H
#define EBB_SHIFT_VIEW_H
/*
 * shift_view: what the gate of a shift sees (struct shift_signals), taken from the model: availability and headroom of the
 * pool's groups, handshakes as the data plane saw them (signals.h), and how long probes take. Reads the model, changes nothing.
 */
#include "controller/model.h"
#include "controller/shift.h"

/* `group`: index into the pool's. While the pool is in panic nothing is known of it. */
struct shift_view shift_view_group(const struct model *model, const struct model_pool *pool,
				   uint32_t group);
/* The largest part of `from` that `to` has room for; 1: all, or the headroom is not known. */
double shift_view_part_max(const struct model_pool *pool, uint32_t from, uint32_t to);

#endif
