/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_WEIGHT_RULES_H
#define EBB_WEIGHT_RULES_H
/*
 * weight_rules: what weight.c, weight_share.c, weight_slew.c and weight_panic.c share; nobody else
 * includes it. The rules' numbers are those of weight.h.
 */
#include "controller/weight.h"

enum weight_phase {
	WEIGHT_NEW,     /* nothing computed yet: starts at what the rules want */
	WEIGHT_ADOPTED, /* shares are known from before, shifts are still in them */
	WEIGHT_RUNNING,
};

/* How a group that wants less gives (5). The order is that in which room goes to them. */
enum weight_giving {
	WEIGHT_GIVES_DEAD, /* whatever others can take, and more */
	WEIGHT_GIVES_OVER, /* so much of it is plainly dead that the rest cannot carry what it has */
	WEIGHT_GIVES_SOFT, /* it is merely degraded */
	WEIGHT_GIVING__COUNT,
};

/*
 * Backends of a pool that was empty come back one after the other. The first group must not hold
 * all of the traffic for as long as the others' hold and slew would take.
 */
#define WEIGHT_REFILL_S 10

struct weight_group_state {
	/* between ticks */
	double base;       /* share before shifts; they sum to 1 */
	double moved;      /* share that a shift has taken from here by now */
	uint32_t moved_to; /* group */
	double old_moved;  /* what a shift to elsewhere had taken, until the newer one has it */
	uint32_t old_to;
	double alive_s;    /* availability has been above alive_above for this long */
	bool dead;         /* below dead_below, and not yet above alive_above again */
	bool capped;       /* too much of it looks bad: ejections do not count (6) */
	double good[2];    /* base, 0 to 5 and 5 to 10 s ago (6) */
	/* within a tick */
	double want;    /* of the base */
	double nominal; /* share if all that is ready were well */
	double ready;   /* capacity x weight of what is ready */
	double alive;   /* the same of what is not plainly dead either */
	double ready_availability;
	double loss, gain; /* of this tick (5) */
	enum weight_giving giving;
	double room;       /* scratch of whoever needs a number a group; says so there */
	enum weight_limit limit;
};

struct weight_backend_state {
	double part; /* of its group, as of the last tick; a group's parts sum to 1 or are all 0 */
	double good[2]; /* part, 0 to 5 and 5 to 10 s ago (6) */
};

struct weight_state {
	struct weight_group_state *groups;
	struct weight_backend_state *backends;
	uint32_t group_count, backend_count;
	enum weight_phase phase;
	double refill_s; /* a pool that was empty goes by what the rules want for this much longer */
	bool panic;
	double panic_s;    /* since panic began */
	double changed_s;  /* since panic began or ended */
	double clear_s;    /* without cause */
	double snapshot_s; /* since good[] was taken */
};

/* One call of weight_compute(). */
struct weight_tick {
	const struct weight_params *p;
	const struct weight_input *in;
	struct weight_state *state;
	struct weight_group_result *groups;
	struct weight_backend_result *backends;
	double demand; /* in units of capacity */
};

/* 3: fills `nominal` or `want`; false, and all 0, if nothing is available at all. */
bool weight_share_by_tiers(const struct weight_tick *t, bool nominal);
/* 4 and 5: brings `base` and `moved` closer to `want` and the shifts. */
void weight_slew(struct weight_tick *t);
/* Adopted shares have shifts in them: takes those out again. */
void weight_unshift(struct weight_tick *t);
/* 6 */
void weight_watch_groups(struct weight_tick *t);
void weight_panic_want(struct weight_tick *t);
void weight_cap_ejections(struct weight_tick *t);
void weight_remember_good(struct weight_tick *t);
double weight_trusted_health(const struct weight_tick *t, uint32_t backend);

static inline double weight_clamp(double x, double low, double high)
{
	return x < low ? low : x > high ? high : x;
}

#endif
