/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_SIM_PRIVATE_H
#define EBB_SIM_PRIVATE_H
/* sim_private: a running simulation, as sim.c, measure.c and csv.c share it. */
#include "controller/shifts.h"
#include "controller/sim/sim.h"
#include "controller/sim/world.h"
#include "controller/signals.h"

struct group_watch {
	double *ring;	     /* shares of the last second */
	double extreme;	     /* since the last turn */
	int direction;	     /* -1 falls, 1 rises, 0 neither yet */
	bool returns;	     /* it had less than before when all events were over */
};

struct pool_watch {
	struct group_watch *groups;
	double *first;	   /* one a member: share at zero */
	uint32_t *slots;   /* one a member: at the last tick */
	uint64_t moved;	   /* by the model's count, at zero */
	uint64_t sampled;  /* moved_all at the last sample */
	uint64_t generation;
};

/* The backends that an event is about, where they stand in pools. */
struct event_watch {
	struct event_place {
		uint32_t pool, member;
	} *places;
	uint32_t place_count, pool_count;
};

struct run {
	struct sim *sim;
	const struct scenario *scenario;
	struct dataplane_tables tables;
	struct dataplane_sizes sizes;
	struct model *model;
	struct signals *signals;
	struct shifts *shifts;
	struct world *world;
	struct pool_watch *pools;
	struct event_watch *events;
	uint32_t ring; /* ticks in a second */
	double t_s;    /* below 0: before the scenario */
	double calm_s; /* when all events are over */
	struct mono_ns now;
	FILE *csv;
};

/* measure.c. -ENOMEM. */
EBB_MUST_CHECK int measure_new(struct run *run);
void measure_free(struct run *run);
void measure_begin(struct run *run); /* at zero */
void measure_tick(struct run *run);
void measure_sample(struct run *run, uint32_t sample);

/* csv.c */
void csv_head(FILE *to);
void csv_sample(const struct run *run, uint32_t sample);

#endif
