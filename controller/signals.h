/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_SIGNALS_H
#define EBB_SIGNALS_H
/*
 * signals: handshakes as the data plane saw them (maps/signals.h), made evidence of health.
 *
 * Takes the two maps as plain memory, gives each backend's numbers (struct model_signals) and model_inband(). No clock, no
 * system call: 10,000 backends and 16,384 handshakes are read in a fraction of a millisecond, so every tick does.
 *
 * 1. What began, and is neither completed nor reset nor younger than HANDSHAKE_TIMEOUT_NS, failed.
 * 2. A backend's ratio is completed / (completed + failed) of the last seconds, each weighing exp(-age / 2 s).
 * 3. It is judged against its pool: against the upper median q of the ratios of the pool's backends; in several pools, the
 *    lowest q. What fails everywhere alike, as in a flood of SYNs from forged sources, is nobody's fault.
 * 4. Chance is not held against it: of N attempts N*q are expected, with a deviation of sqrt(N*q*(1-q)); three of these
 *    are credited. (q is a chance number itself: 1-q is taken for 5 % at least.)
 * 5. Of its attempts only the part q is taken for real; where q is under 5 %, nothing is evidence.
 * So no flood ejects anybody, and by itself this never calls a backend dead (health_inband).
 *
 * Beside the evidence it tells what is amiss now (quiet_s, patience_s, overdue, amiss), for suspect.h.
 */
#include <stdint.h>

#include "controller/dataplane.h"
#include "controller/model.h"

struct signals;

/* For backends with ids below `ids`. -ENOMEM. */
EBB_MUST_CHECK int signals_new(uint32_t ids, struct signals **ret_signals);
void signals_free(struct signals *signals);

/* `dt_s` >= 0: since the last call. The first reading of a backend is where its counting begins, not evidence. */
void signals_tick(struct signals *signals, const struct dataplane_tables *tables, struct model *model,
		  struct mono_ns now, double dt_s);
/* The id is another backend's from now on, and its counters begin at zero. */
void signals_forget(struct signals *signals, uint16_t id);

/* Rules 4 and 5: what part of its real attempts a backend is taken to have completed, [0,1]; `pool_ratio` > 0. */
double signals_judge(double completed, double total, double pool_ratio);

#endif
