/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_MODEL_H
#define EBB_MODEL_H
/*
 * model: the running thing. Built from a configuration, fed with probe results, next hops and an operator's wishes, it
 * ticks, and after each tick every pool has the table that its slots ought to show.
 *
 * No I/O, no clock, no logging: `now` is an argument, transitions come out as `struct model_event`, and the tables of the
 * data plane are read only when a model is built (adoption by name); publish.c brings them to what the model says.
 *
 * Health belongs to a backend, not to its place in a pool. A pool may override health settings; two pools that hold the
 * same region with different ones are refused by config_load(), since one backend can have only one health.
 *
 * Invariants: a backend's id is BACKEND_NONE only if the data plane has no room for it (refused at build); ids are
 * stable over restarts and reloads by name; a pool's `primaries` name only backends of this model; the effective
 * capacity of a backend that is drained, in maintenance or that never had a next hop is 0.
 */
#include <stdbool.h>
#include <stdint.h>

#include "controller/auto_shift.h"
#include "controller/config.h"
#include "controller/err.h"
#include "controller/health.h"
#include "controller/mono.h"
#include "controller/report.h"
#include "controller/weight.h"
#include "maps/backend.h"
#include "maps/service.h"
#include "maps/slot.h"

struct slots;		 /* slots.h */
struct model_index;	 /* model_index.c: backends by name and by id */
struct dataplane_tables; /* dataplane.h: read by model_build() alone */
struct dataplane_sizes;

enum model_admin_health {
	MODEL_ADMIN_HEALTH_AUTO,
	MODEL_ADMIN_HEALTH_UP,	 /* 1, whatever the probes say */
	MODEL_ADMIN_HEALTH_DOWN, /* 0 */
	MODEL_ADMIN_HEALTH__COUNT,
};

enum model_nexthop {
	MODEL_NEXTHOP_PENDING,	/* asked, no answer yet: counts as usable */
	MODEL_NEXTHOP_RESOLVED,
	MODEL_NEXTHOP_LOST,	/* had one, keeps sending to the last MAC */
	MODEL_NEXTHOP_FAILED,	/* never had one: unusable */
	MODEL_NEXTHOP__COUNT,
};

extern const char *const model_state_names[BACKEND_STATE__COUNT];	    /* "free", "ready", … */
extern const char *const model_admin_health_names[MODEL_ADMIN_HEALTH__COUNT]; /* "auto", "up", "down" */
extern const char *const model_nexthop_names[MODEL_NEXTHOP__COUNT];

/* Of a group; with hysteresis, so that a log line a change is bearable. */
enum model_level {
	MODEL_LEVEL_WELL,     /* availability 1 */
	MODEL_LEVEL_DEGRADED, /* spills; until 1 again */
	MODEL_LEVEL_DEAD,     /* under 0.25; until 0.35 again */
	MODEL_LEVEL__COUNT,
};

extern const char *const model_level_names[MODEL_LEVEL__COUNT];

struct model_provider {
	char name[CONFIG_NAME_MAX + 1];
};

struct model_region {
	char name[CONFIG_NAME_MAX + 1];
	char full_name[2 * CONFIG_NAME_MAX + 2]; /* "aws/eu-central-1" */
	uint32_t provider;
	uint32_t first_backend, backend_count; /* of the configured ones; those that leave stand at the end */
};

/* Handshakes of the sample that the data plane follows (maps/signals.h), as of the last tick. */
struct model_signals {
	uint64_t begun, completed, failed, reset, retransmitted;
	double recent; /* completed and failed in the last seconds, the older the less */
	double ratio;  /* [0,1]: the completed part of these; 1 if there are none */
	double judged; /* [0,1]: that against the pool (signals.h); 1: nothing against it */
	double timed;  /* completed ones in the last seconds whose time is known */
	double took_s; /* geometric mean of these; 0 if there are none */
	double quiet_s;	   /* since one completed; INFINITY: none ever did */
	double patience_s; /* so long nine of ten took, and 30 ms at least */
	uint32_t overdue;  /* have been under way for longer than that */
	uint32_t amiss;	   /* failed or were reset since the last tick */
};

struct model_backend {
	char name[CONFIG_NAME_MAX + 1];
	uint16_t id; /* index into the maps */
	uint32_t region;
	struct address address;
	double capacity;	/* > 0 */
	double config_weight;	/* [0,1] */
	double admin_weight;	/* [0,1], times config_weight; 1: not set */
	enum backend_state state; /* READY, DRAIN or MAINT: the stricter of an operator's and its agent's; DRAIN if it leaves */
	enum backend_state admin_state; /* the operator's */
	struct report told;	/* what its agent said; of each kind the last */
	struct mono_ns told_at; /* 0: nothing yet */
	bool reporting;		/* the last question was answered */
	enum model_admin_health admin_health;
	enum model_nexthop nexthop;
	struct mono_ns nexthop_since;
	double health;		/* [0,1]: what weights are made of, after admin_health */
	bool hard_down;		/* by the health machine */
	bool known;		/* there was evidence at least once */
	struct mono_ns heard;	/* when there was evidence last; 0: not yet */
	double drain_s;		/* the longest `drain` of its pools */
	bool leaving;		/* gone from the configuration, drains until `leave_at` */
	struct mono_ns leave_at;
	uint32_t pool_count;	/* of how many pools it is a member */
	uint32_t slots;		/* over all pools, wanted */
	struct model_signals signals;
};

/* A region's place in a pool. */
struct model_group {
	uint32_t region;
	uint32_t tier;
	uint32_t first_member, member_count;
	double capacity;     /* sum */
	double effective;    /* sum of capacity x health x weight */
	double availability; /* [0,1]: min(1, 1.4 x effective / capacity) */
	double want;	     /* share before slew, headroom and panic */
	double share;	     /* [0,1] of the pool */
	double headroom;     /* largest share that it can carry */
	double base, moved;  /* share before shifts, and what a shift has taken from it by now */
	enum weight_limit limited_by;
	enum model_level level;
	double below_s, above_s; /* auto_shift.h */
};

struct model_member {
	uint32_t backend;
	uint32_t group;
	double weight; /* [0,1] of the pool, as computed in the last tick */
	double share;  /* [0,1]: slots / pool slots */
	uint32_t slots;
	enum weight_limit limited_by;
};

struct model_pool {
	char name[CONFIG_NAME_MAX + 1];
	uint32_t id;	    /* index into `pools` */
	uint32_t slot_base; /* range in `slots` */
	uint32_t slot_count;
	enum track track;
	bool has_track;
	double settle_s; /* INFINITY: never */
	const struct config_auto_shift *auto_shift;
	enum auto_says auto_says; /* if that is on */
	struct model_group *groups; /* ordered by tier */
	uint32_t group_count, tier_count;
	struct model_member *members; /* ordered by group */
	uint32_t member_count;
	bool empty;	   /* no member can take anything: drops */
	bool frozen;
	bool panic;
	uint64_t generation; /* counts tables: goes up when `primaries` changed */
	uint64_t digest;     /* of the wanted table */
	uint64_t moved;	     /* slots that changed owner since the start */
	uint32_t unsettled;  /* filled in by publish.c */
	struct mono_ns published_at; /* when `primaries` last changed */
	uint16_t *primaries; /* slot_count ids: the wanted table */
	uint16_t *homes;     /* slot_count ids: the table when all is healthy */

	/* what publish.c takes: slots whose entry may differ from `primaries` and `homes` */
	bool changed_all;
	uint32_t *changed; /* indices, room for slot_count */
	uint32_t changed_count;
	uint32_t seed_base, seed_count; /* the same pool's range of another size, to take owners from; count 0: none */
	bool fresh;			/* the range holds nothing of this pool yet */

	/* what stays between ticks */
	struct slots *slots;
	struct weight_state *weights;
	struct weight_params weight_params;
	struct weight_backend *inputs;		/* one a member */
	struct weight_backend_result *results;	/* one a member */
	struct weight_group *tiers;		/* one a group */
	struct weight_group_result *group_results; /* one a group */
	struct weight_shift *shifts;		/* in force; room for one a group */
	uint32_t shift_count;
	double *now;	   /* one a member: weights of the last tick */
	double *published; /* one a member: weights that `primaries` were made of */
	bool adopted;	   /* `primaries` came from the maps, not from `slots` */
	bool forced;	   /* make the table anew at the next tick, whatever rule 8 says */
};

struct model_service {
	char name[CONFIG_NAME_MAX + 1];
	uint16_t id; /* index into service_stats */
	uint32_t pool;
	struct config_service config; /* its strings belong to the configuration */
};

enum model_event_kind {
	MODEL_EVENT_BACKEND_DOWN, /* hard down */
	MODEL_EVENT_BACKEND_UP,	  /* came back from it */
	MODEL_EVENT_BACKEND_STATE,
	MODEL_EVENT_BACKEND_WEIGHT,
	MODEL_EVENT_BACKEND_HEALTH, /* an operator's override */
	MODEL_EVENT_BACKEND_ADDED,
	MODEL_EVENT_BACKEND_LEAVING,
	MODEL_EVENT_BACKEND_GONE,
	MODEL_EVENT_BACKEND_REPORT, /* its agent speaks again or no more, or says another state */
	MODEL_EVENT_NEXTHOP,
	MODEL_EVENT_GROUP, /* another level */
	MODEL_EVENT_POOL_EMPTY,
	MODEL_EVENT_POOL_FILLED,
	MODEL_EVENT_POOL_PANIC,
	MODEL_EVENT_POOL_CALM,
	MODEL_EVENT_PROBES_DOUBTED, /* they fall silent everywhere alike */
	MODEL_EVENT_PROBES_TRUSTED,
	MODEL_EVENT_FREEZE,
	MODEL_EVENT_UNFREEZE,
	MODEL_EVENT_TABLE, /* slots moved */
	MODEL_EVENT__COUNT,
};

extern const char *const model_event_names[MODEL_EVENT__COUNT]; /* "backend-down", … */

struct model_event {
	enum model_event_kind kind;
	struct mono_ns at;
	char pool[CONFIG_NAME_MAX + 1];	    /* empty: none */
	char subject[2 * CONFIG_NAME_MAX + 2]; /* backend or region */
	char detail[128];		    /* logfmt: "from=ready to=drain" */
};

typedef void (*model_event_fn)(void *ctx, const struct model_event *event);

struct model {
	const struct config *config; /* outlives the model */
	struct model_provider *providers;
	uint32_t provider_count;
	struct model_region *regions;
	uint32_t region_count;
	struct model_backend *backends; /* configured ones first, in the configuration's order; then leaving ones */
	uint32_t backend_count;
	struct health *healths; /* one a backend, same index */
	struct model_pool *pools;
	uint32_t pool_count;
	struct model_service *services;
	uint32_t service_count;
	uint64_t hash_seed; /* of the flow hash: edge.hash_seed, mixed, since the hash wants all of its bits in use */
	struct mono_ns last_tick; /* of this model or the one that it replaced; 0: none */
	uint64_t ticks;
	uint32_t first_pool; /* the next tick begins with: tables are made in turn */
	bool frozen; /* no table changes but hard-down ones */
	double doubt; /* health_doubt() of all backends */
	double slowness_s; /* how much slower than usual probes are of all backends alike */
	bool doubted; /* it is, or lately was, so large that silence is not believed */
	model_event_fn on_event; /* may be NULL */
	void *event_ctx;
	struct model_index *index; /* backends by name and by id */
	struct health_params *health_params; /* one a region */
	const struct config_health **health_configs; /* one a region: whose probe settings apply */
	double *scratch; /* one a backend */
	const struct health **health_list; /* one a backend */
};

/*
 * Builds a model. What `tables` holds under the same names is adopted: ids, health, slot ranges, slots. `former`
 * (may be NULL) is the model that it replaces: health machines, admin states and tables carry over by name, and what is no longer
 * configured leaves after the longest `drain` of its pools. Nothing is written. -EINVAL, -ENOSPC (ids or slots run out), -ENOMEM, each
 * with a sentence in `err`.
 */
EBB_MUST_CHECK int model_build(const struct config *config, const struct dataplane_tables *tables,
			       const struct dataplane_sizes *sizes, const struct model *former,
			       struct mono_ns now, struct err *err, struct model **ret_model);
void model_free(struct model *model);

/* Checks only what a model asks beyond config_load(): how many there may be, and that tiers do not repeat a region. */
EBB_MUST_CHECK int model_check(const struct config *config, struct err *err);

/* Health, weights, publish decision, tables. Returns how many slots changed their wanted owner. */
uint32_t model_tick(struct model *model, struct mono_ns now);

/* `backend` is an index into model->backends. `took_s`: of the probe. */
void model_probe_result(struct model *model, uint32_t backend, enum probe_outcome outcome,
			double took_s, struct mono_ns now);
/* In the last `dt_s` > 0 seconds it had `total` handshakes that count, and is taken to have completed `ratio` of them. */
void model_inband(struct model *model, uint32_t backend, double ratio, double total, double dt_s,
		  struct mono_ns now);
void model_nexthop_result(struct model *model, uint32_t backend, bool resolved, struct mono_ns now);

/*
 * model_report.c: what a backend's agent says, as HAProxy takes it: what is not said stays as it was. A load, and how many
 * sandboxes run or wait, is forgotten after MODEL_REPORT_STALE intervals without a report; a state is not. That there is no
 * report (`why` says it in a sentence) is no failure of the backend. True: its state is another one, worth saving.
 */
#define MODEL_REPORT_STALE 10
bool model_report(struct model *model, uint32_t backend, const struct report *report,
		  struct mono_ns now);
void model_no_report(struct model *model, uint32_t backend, const struct err *why,
		     struct mono_ns now);
/* As from the state file; before the first tick. */
void model_told(struct model *model, uint32_t backend, enum report_admin admin, bool down,
		struct mono_ns now);

/* An operator's wishes; they take effect at the next tick, past smoothing and publish thresholds. */
void model_backend_set_state(struct model *model, uint32_t backend, enum backend_state state,
			     struct mono_ns now);
EBB_MUST_CHECK int model_backend_set_weight(struct model *model, uint32_t backend, double weight,
					    struct mono_ns now, struct err *err);
void model_backend_set_health(struct model *model, uint32_t backend,
			      enum model_admin_health health, struct mono_ns now);
void model_freeze(struct model *model, bool frozen, struct mono_ns now);
/* Without a past, shares are at the next tick where the rules lead in the end. For a copy that answers "what if". */
EBB_MUST_CHECK int model_forget_past(struct model *model, struct err *err);

/* Events of what is new and what leaves, against `former` (NULL: nothing was there). */
void model_announce(const struct model *model, const struct model *former, struct mono_ns now);
/* Drops a leaving backend whose id is free now; the last one takes its index. */
void model_forget(struct model *model, uint32_t backend, struct mono_ns now);

/* Index, or UINT32_MAX. Regions go by full name or, where it is unique, by their own. */
uint32_t model_find_backend(const struct model *model, const char *name);
uint32_t model_find_backend_id(const struct model *model, uint16_t id);
uint32_t model_find_pool(const struct model *model, const char *name);
uint32_t model_find_region(const struct model *model, const char *name);
uint32_t model_find_service(const struct model *model, const char *name);
uint32_t model_find_service_id(const struct model *model, uint16_t id);
/* What `track` comes to for a service: its affinity's, its pool's, or by its encapsulation. */
enum track model_service_track(const struct model *model, uint32_t service);
/* The member of `pool` that is `backend`, or NULL. */
struct model_member *model_member_of(const struct model *model, const struct model_pool *pool,
				     uint32_t backend);
/* Counts `primaries` into the members' slots and shares; for model_build(). */
void model_count_slots(struct model *model, struct model_pool *pool);

#endif
