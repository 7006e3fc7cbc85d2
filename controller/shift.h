/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_SHIFT_H
#define EBB_SHIFT_H
/*
 * shift: a staged move of a part of one group's share to another group (rule 4 of weight.h), as a pure
 * state machine. Takes elapsed time, gate and source as inputs, gives the part that is in force and one
 * record for every transition.
 *
 *   PENDING -> RAMP(i) -> BAKE(i) -> RAMP(i+1) ... -> DONE (in force) -> BACK -> CLOSED
 *
 * PENDING  waits for a first go of the gate
 * RAMP(i)  the part runs linearly to step i's, in its time
 * BAKE(i)  the part stays, the gate watches
 * DONE     the last part stays until `restore` or ttl
 * BACK     the part runs back to 0: after abort, a gate that kept failing, restore, ttl
 * CLOSED   nothing is in force; `outcome` says how it came to that
 *
 * Holds are a set of reasons beside the phase. While there is any, neither the part nor the phase's time
 * goes on; ttl does. No data is a hold, never a go. Nothing goes back into a source whose availability
 * is under 35 %: BACK holds instead, and so does a RAMP that goes down (after `set`, or of a newer shift that
 * begins lower than the older one was); the gate is not asked on a way down. Only elapsed time is kept, so a
 * restart in the middle goes on where it was. struct shift is plain data and may be written and read back as
 * it is. ebb(8) names every transition as the tests do.
 */
#include <stdbool.h>
#include <stdint.h>

#include "controller/err.h"

#define SHIFT_STEPS_MAX 16

enum shift_phase {
	SHIFT_PENDING,
	SHIFT_RAMP,
	SHIFT_BAKE,
	SHIFT_DONE,
	SHIFT_BACK,
	SHIFT_CLOSED,
	SHIFT_PHASE__COUNT,
};

enum shift_outcome {
	SHIFT_OPEN,	 /* not decided */
	SHIFT_COMPLETED, /* reached DONE */
	SHIFT_RESTORED,
	SHIFT_ABORTED, /* by somebody, or by the gate */
	SHIFT_EXPIRED, /* ttl */
	SHIFT_SUPERSEDED,
	SHIFT_OUTCOME__COUNT,
};

enum shift_hold { /* bits */
	SHIFT_HOLD_OPERATOR = 1 << 0,	/* paused */
	SHIFT_HOLD_GATE = 1 << 1,	/* the gate fails */
	SHIFT_HOLD_NO_DATA = 1 << 2,	/* the gate knows nothing */
	SHIFT_HOLD_CAPACITY = 1 << 3,	/* the target has no headroom for more */
	SHIFT_HOLD_STORE_LOST = 1 << 4, /* no leader to ask */
	SHIFT_HOLD_SOURCE = 1 << 5,	/* BACK, and the source is dead */
};
#define SHIFT_HOLDS 6

enum shift_gate {
	SHIFT_GATE_NO_DATA,
	SHIFT_GATE_GO,
	SHIFT_GATE_FAIL,
	SHIFT_GATE_CAPACITY,
	SHIFT_GATE__COUNT,
};

enum shift_cause {
	SHIFT_BY_TIME, /* a ramp or a bake is over, or the part is back at 0 */
	SHIFT_BY_GATE,
	SHIFT_BY_TTL,
	SHIFT_BY_SOURCE,
	SHIFT_BY_STORE,
	SHIFT_BY_VERB, /* start, pause, resume, advance, abort, restore, set */
	SHIFT_BY_NEWER, /* superseded */
	SHIFT_BY_GONE,	/* its pool or one of its groups is gone from the configuration */
	SHIFT_CAUSE__COUNT,
};

enum shift_verb {
	SHIFT_PAUSE,
	SHIFT_RESUME,
	SHIFT_ADVANCE,
	SHIFT_ABORT,
	SHIFT_RESTORE,
	SHIFT_VERB__COUNT,
};

struct shift_step {
	double part;   /* (0,1] of the source's share */
	double ramp_s; /* 0: at once */
};

struct shift_plan {
	struct shift_step steps[SHIFT_STEPS_MAX];
	uint32_t step_count; /* 1.. */
	double bake_s;	     /* after each step */
	double ttl_s;	     /* 0: none */
	double gate_fail_s;  /* a gate that fails for this long turns it back */
	double back_per_s;   /* part a second */
};

struct shift {
	struct shift_plan plan;
	enum shift_phase phase;
	enum shift_outcome outcome;
	uint32_t step;	    /* of RAMP and BAKE */
	uint32_t holds;	    /* enum shift_hold */
	double part;	    /* in force now */
	double ramp_from;   /* part at the beginning of this ramp */
	double phase_s;	    /* in this phase, without holds */
	double total_s;	    /* since start, with holds */
	double gate_fail_s; /* the gate has failed for this long without a break */
	double clear_s;	    /* the gate has said go for this long: its holds end a second after it does */
};

struct shift_input {
	enum shift_gate gate;
	double source_availability; /* rule 2; negative: unknown, taken for dead */
	double part_max;	    /* what the target's headroom allows; ramps stop there and hold */
	bool store_lost;
	double dt_s;
};

/* What the audit log is told; `from == to`: only holds changed. */
struct shift_record {
	enum shift_phase from, to;
	enum shift_cause cause;
	enum shift_outcome outcome;
	uint32_t step;
	uint32_t holds_before, holds;
	double part, total_s;
};

/* A group as the gate sees it, over all its backends. */
struct shift_view {
	bool known; /* there was evidence lately of at least half of what is ready */
	double availability;
	double attempts, completion;   /* handshakes lately, and the completed part of them */
	double completed, handshake_s; /* completed ones lately, and how long they took: geometric mean */
	double probe_s;		       /* of the last probes: mean over backends; negative: there are none */
};

/* The same before the shift began; negative: not known. */
struct shift_past {
	double completion, handshake_s, probe_s;
};

struct shift_signals {
	struct shift_view target, source;
	struct shift_past target_past, source_past;
	double share, headroom; /* of the target, in the pool; headroom 0: not known */
	bool in_force;		/* DONE: the past is too long ago to be compared with */
};

struct shift_plan shift_plan_default(void);
/* "20%,60%@30s,100%@30s": parts rise; @TIME is the ramp's, in ms, s, m or h. -EINVAL with the reason. */
EBB_MUST_CHECK int shift_parse_steps(const char *text, struct shift_plan *plan, struct err *err);
/* -EINVAL with what is wrong: what shift_start() and a state file may ask for. */
EBB_MUST_CHECK int shift_check_plan(const struct shift_plan *plan, struct err *err);
/* `part`: 0, or that of the shift that it supersedes. -EINVAL: the plan is no plan. */
EBB_MUST_CHECK int shift_start(struct shift *s, const struct shift_plan *plan, double part,
			       struct shift_record *ret_record, struct err *err);
/* True, and a record, if there was a transition; at most one a call. */
bool shift_tick(struct shift *s, const struct shift_input *in, struct shift_record *ret_record);
/* -EINVAL, and why, where the verb makes no sense in this phase. */
EBB_MUST_CHECK int shift_do(struct shift *s, enum shift_verb verb, struct shift_record *ret_record,
			    struct err *err);
/* `ebb shift set`: from here to `part` in `ramp_s`, and no further step. */
EBB_MUST_CHECK int shift_set(struct shift *s, double part, double ramp_s,
			     struct shift_record *ret_record, struct err *err);
/* At once, whatever is in force: a newer shift from the same group takes over its part, or there is nothing
 * left to shift. False: it was closed already. */
bool shift_close(struct shift *s, enum shift_outcome outcome, enum shift_cause cause,
		 struct shift_record *ret_record);

/*
 * shift_gate.c: the target first, by numbered rules; *ret_why names the one that decides.
 *
 *  1 no-data       nothing was heard of it lately
 *  2 availability  it is below what rule 2 of weight.h asks for
 *  3 completion    it completes fewer handshakes than in its past (without one: than the source does)
 *  4 handshake     its handshakes take twice as long as in its past, and 20 ms
 *  5 probe         its good probes do
 *  6 headroom      it has no room for more
 *
 * In 3 to 5 the source is looked at next: what has become worse there in the same measure has another cause (a flood of
 * SYNs, a slow edge), and the target is not blamed for it. Few handshakes say nothing, and chance is not held against it.
 */
enum shift_gate shift_judge(const struct shift_signals *signals, const char **ret_why);
struct shift_past shift_past_none(void);
/* Fills in what is not known yet, from what there is now. */
void shift_remember(struct shift_past *past, const struct shift_view *now);

const char *shift_phase_name(enum shift_phase phase);
const char *shift_outcome_name(enum shift_outcome outcome);
const char *shift_cause_name(enum shift_cause cause);
const char *shift_verb_name(enum shift_verb verb);
const char *shift_gate_name(enum shift_gate gate);
/* One bit of enum shift_hold. */
const char *shift_hold_name(enum shift_hold hold);

#endif
