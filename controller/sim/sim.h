/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_SIM_SIM_H
#define EBB_SIM_SIM_H
/*
 * sim: a scenario in virtual time through the whole pure core: the model and all below it, shifts and signals, as the daemon ticks
 * them; only the data plane is plain memory. The same scenario gives the same numbers.
 *
 * Before the scenario's zero there is a while in which all is well, so that probes have been heard and shares stand where the
 * configuration puts them.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "controller/err.h"
#include "controller/model.h"
#include "controller/sim/scenario.h"

#define SIM_BEFORE_S  30.0
#define SIM_NOTES_MAX 64

/* What one group went through. Shares of its pool. */
struct sim_group {
	char name[2 * CONFIG_NAME_MAX + 2];
	uint32_t tier;
	double before;		 /* share at zero */
	double least, most;
	double fall, fall_at_s;	 /* the most in one second */
	double rise, rise_at_s;
	bool hurt;		 /* an event was about it */
	double over, over_at_s;	 /* of one that had less when all events were over: above `before` since */
	uint32_t turns;		 /* changes of direction by a tenth of `before`, or a point */
	double above_s;		 /* so long it had more than its headroom and more than `before` */
	float *shares;		 /* one a sample, by slots */
};

struct sim_pool {
	char name[CONFIG_NAME_MAX + 1];
	uint32_t slots;
	uint32_t group_count;
	struct sim_group *groups;
	float *failing, *unmoved; /* one a sample: part of the pool's requests; as it is, and had nothing moved */
	float *moved;		  /* one a sample: slots since the one before */
	uint64_t moved_all, least_all; /* slots that moved; that had to, from table to table */
	uint32_t above_most;	  /* groups above their headroom at a time */
	double failed_s, unmoved_s; /* sums over time: 1 is a second of all traffic */
	double failing_most;
};

/* What an event did to the backends that it was about: their part of the pools that they are in. */
struct sim_event {
	double before, least;
	double half_s, gone_s; /* from its beginning until a half of it, until under 1 % of it; NAN: never */
	double back_s;	       /* from its end until 95 % of it again */
	double closed_s;       /* of a shift; NAN: it is open */
	enum shift_outcome outcome;
};

struct sim_note {
	double at_s;
	enum model_event_kind kind;
	char pool[CONFIG_NAME_MAX + 1];
};

struct sim {
	const struct scenario *scenario;
	uint32_t sample_count;
	uint64_t ticks;
	struct sim_pool *pools;
	uint32_t pool_count;
	struct sim_event *events; /* as scenario->events */
	struct sim_note notes[SIM_NOTES_MAX]; /* panic, doubt, empty pools: begun and over */
	uint32_t note_count, notes_more;
	double used_most; /* of a backend's capacity */
};

/* `csv` (may be NULL) is written as time goes on. -ENOMEM, -EIO, or what model_build() refuses; with a sentence. */
EBB_MUST_CHECK int sim_run(const struct scenario *scenario, FILE *csv, struct err *err,
			   struct sim **ret_sim);
void sim_free(struct sim *sim);

json_t *sim_summary(const struct sim *sim);
/* The shares of one pool over time. `pool`: its index. -EIO. */
EBB_MUST_CHECK int sim_svg(const struct sim *sim, uint32_t pool, FILE *to);

#endif
