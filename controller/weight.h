/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_WEIGHT_H
#define EBB_WEIGHT_H
/*
 * weight: from the health of backends to the weights of one pool, by eight numbered rules
 * (ebbd(8) and the tests bear the same numbers). Takes plain arrays and elapsed time, gives
 * plain arrays, keeps what must be remembered between ticks in struct weight_state. Pure: no clock,
 * no I/O.
 *
 *  1 effective capacity = capacity x health x configured weight; 0 unless ready
 *  2 a group's availability = min(1, 1.4 x its effective capacity / its capacity)
 *  3 tiers in order: a tier takes as much as its availability and headroom allow, the rest spills;
 *    its groups share that by capacity x availability
 *  4 shifts move part of a group's share to another group
 *  5 slew and headroom limit how fast a share falls, returns, and is received; what the living of a
 *    group cannot carry falls as what is dead does
 *  6 panic and ejection caps: what looks bad everywhere at once is not believed
 *  7 a backend's weight = its group's share x its part of the group's effective capacity
 *  8 weights are published when they have moved enough (weight_should_publish)
 */
#include <stdbool.h>
#include <stdint.h>

#include "controller/err.h"

enum weight_limit {
	WEIGHT_FREE,           /* it has what the rules want */
	WEIGHT_BY_STATE,       /* drain or maint (1); a group: nothing in it is ready */
	WEIGHT_BY_DOWN,        /* plainly dead (1) */
	WEIGHT_BY_HEALTH,      /* below 1 (1, 2) */
	WEIGHT_BY_SHIFT,       /* a shift takes from it or gives to it (4) */
	WEIGHT_BY_SLEW,        /* falls or rises as fast as it may (5) */
	WEIGHT_BY_RETURN_HOLD, /* has not been above 35 % for 60 s (5) */
	WEIGHT_BY_HEADROOM,    /* would take more than it can carry (5); or a source that cannot get
				  rid of its share */
	WEIGHT_BY_EJECTION,    /* is kept although it looks bad: too many do (6) */
	WEIGHT_BY_PANIC,       /* last good weights, or capacity alone (6) */
	WEIGHT_LIMIT__COUNT,
};

struct weight_params {
	double overprovision;   /* 1.4 */
	double fall_per_s;      /* 0.02: a degraded group's share */
	double dead_fall_per_s; /* 0.20: a dead group's; also the fastest that a shift or panic
				   moves */
	double return_per_s;    /* 0.005 */
	double return_part_per_s; /* 0.02 of what it has when all is well, if that is less */
	double dead_below;      /* 0.25 availability */
	double alive_above;     /* 0.35 */
	double return_hold_s;   /* 60 above alive_above before it returns */
	double eject_max;       /* 0.30 of a group's capacity */
	double eject_floor;     /* 0.10 health of what may not be ejected */
	double panic_groups;    /* 0.5: more dead groups than this is panic */
	double panic_hold_s;    /* 30 on the last good weights, then capacity */
	double panic_clear_s;   /* 10 without cause end it */
	double publish_ratio;   /* 0.02 */
	double publish_wait_s;  /* 10 */
};

struct weight_backend {
	uint64_t hash; /* name_hash() */
	uint32_t group;
	double capacity; /* > 0 */
	double health;   /* [0,1] */
	double weight;   /* configured or set by the operator, [0,1] */
	bool ready;      /* state is ready: not drain, not maint */
	bool down;       /* plainly dead (hard down), not merely bad */
};

struct weight_group {
	uint32_t tier; /* 0 first */
};

struct weight_shift {
	uint32_t from, to; /* groups */
	double part;       /* [0,1] of what `from` would have */
};

struct weight_input {
	const struct weight_backend *backends;
	uint32_t backend_count;
	const struct weight_group *groups;
	uint32_t group_count;
	const struct weight_shift *shifts; /* at most one with the same `from` */
	uint32_t shift_count;
	double demand; /* load of the pool in units of capacity, for headroom; 0: not known, then
			* taken as first tier's capacity / overprovision */
	double dt_s;   /* since the last call; ignored by the first */
	bool frozen; /* `ebb freeze`: group shares stay, only backends that are plainly dead or not
			ready lose */
};

struct weight_group_result {
	double capacity, effective; /* sums over its backends */
	double availability;        /* rule 2 */
	double want;                /* share by rules 1 to 4 */
	double share;    /* after 5 and 6; shares sum to 1 unless the pool is empty (then all 0) */
	double headroom; /* largest share that it can carry */
	double base;     /* share before shifts */
	double moved;    /* share that a shift has taken from it by now */
	enum weight_limit limited_by;
};

struct weight_backend_result {
	double effective; /* rule 1 */
	double weight;    /* rule 7; sum to 1, or all 0 */
	enum weight_limit limited_by;
};

struct weight_state; /* of one pool, between ticks */

struct weight_params weight_params_default(void);
/* For at most these many; the first weight_compute() starts at what the rules want, without slew.
 */
EBB_MUST_CHECK int weight_state_new(uint32_t group_count, uint32_t backend_count,
				    struct weight_state **ret_state);
void weight_state_free(struct weight_state *state);
/* All that it remembers, for a pool of the same groups and backends. */
EBB_MUST_CHECK int weight_state_copy(const struct weight_state *from, struct weight_state **ret_state);
/* Where shares were before a restart, so that slew goes on from there. */
void weight_state_adopt(struct weight_state *state, const double *group_shares,
			uint32_t group_count);
bool weight_in_panic(const struct weight_state *state);

/* Fills both results (group_count, backend_count). -EINVAL: counts differ from the state's, an
 * index or number is out of range; the state is untouched then. */
EBB_MUST_CHECK int weight_compute(const struct weight_params *p, const struct weight_input *in,
				  struct weight_state *state,
				  struct weight_group_result *ret_groups,
				  struct weight_backend_result *ret_backends);

/* Rule 8: has any weight moved by 2 % of its own published value, to or from zero, or has any
 * difference waited for `publish_wait_s`? `waited_s`: since the last publish. */
bool weight_should_publish(const struct weight_params *p, const double *published,
			   const double *now, uint32_t n, double waited_s);
const char *weight_limit_name(enum weight_limit limit);

#endif
