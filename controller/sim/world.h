/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_SIM_WORLD_H
#define EBB_SIM_WORLD_H
/*
 * world: what is true of each backend at a moment of a scenario, and what of it the controller gets to hear: outcomes of
 * probes, words of agents, handshakes of clients. Time is virtual, chance comes from the scenario's seed alone.
 *
 * A probe starts when it would on an edge (every interval at a phase of its own; soon again after a failure that may be a
 * death), ends after the backend's own time, and is heard by the tick that follows. Where `load` is given, traffic follows the
 * slots, and a backend that gets more than its capacity answers the rest badly, to probes as to clients.
 */
#include <stdbool.h>
#include <stdint.h>

#include "controller/dataplane.h"
#include "controller/model.h"
#include "controller/sim/scenario.h"

struct world_truth {
	double rtt_s;	      /* of its region, as it is when all is well */
	double errors;	      /* [0,1]: requests that it answers badly */
	double busy;	      /* [0,1]: those that it answers badly since it has too many */
	double slower_s;
	double used;	      /* of its capacity; 0 without `load` */
	bool dead, lost, probes_lost;
};

struct world;

/* `handshakes`: the backends' counters, by id; NULL if the scenario has none. -ENOMEM. */
EBB_MUST_CHECK int world_new(const struct scenario *scenario, struct model *model,
			     struct backend_signals *handshakes, struct world **ret_world);
void world_free(struct world *w);

/* What is true at `t_s` (below 0: before the scenario begins), and what is heard of it up to now. `now`: the same moment. */
void world_step(struct world *w, double t_s, double dt_s, struct mono_ns now);
/* Traffic follows the tables as they are now. */
void world_load(struct world *w);

const struct world_truth *world_truth(const struct world *w, uint32_t backend);
/* Part of its requests that fail, [0,1]; `moved` false: without those that it has too many. */
double world_failing(const struct world_truth *truth, bool moved);

#endif
