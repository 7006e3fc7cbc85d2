/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_AUTO_SHIFT_H
#define EBB_AUTO_SHIFT_H
/*
 * auto_shift: whether a pool starts a shift by itself, or ends the one that it started. Takes what is seen of the pool's groups and
 * what is open there, gives a decision. Pure. Rules, in this order (ebb.yaml(5) and the tests bear the same numbers):
 *
 *  1 held       nothing is believed: the pool is in panic or frozen, or silence of all probes is doubted. Clocks begin anew.
 *  2 yield      an operator moves traffic into the source of the automatic shift: that one is aborted
 *  3 return     the automatic shift's source has been well for long enough: it goes back
 *  4 running    else, one automatic shift a pool is enough
 *  5 operator   an operator's shift is open in the pool, whatever its groups: nothing is started against it
 *  6 cool-down  one has ended a short while ago
 *  7 well       no group is below the threshold that has any traffic to move; what is not heard of is not judged
 *  8 waiting    one is, but not for long enough
 *  9 no-target  no group of the same tier or a later one is well and has room for the first step
 * 10 start      the worst such group, to the nearest tier, there to the group with most room
 */
#include <stdbool.h>
#include <stdint.h>

#include "controller/config.h"

enum auto_says {
	AUTO_HELD,
	AUTO_YIELD,
	AUTO_RETURN,
	AUTO_RUNNING,
	AUTO_OPERATOR,
	AUTO_COOL_DOWN,
	AUTO_WELL,
	AUTO_WAITING,
	AUTO_NO_TARGET,
	AUTO_START,
	AUTO_SAYS__COUNT,
};

struct auto_group {
	uint32_t tier;
	bool known; /* there was evidence lately */
	double availability;
	double base, share, headroom; /* share before shifts, and now */
	double below_s, above_s;      /* for how long it has been under `below`, and at `restore_above` or over */
};

struct auto_input {
	const struct auto_group *groups; /* ordered by tier */
	uint32_t group_count;
	bool held;
	bool open;		  /* an automatic shift of this pool is */
	uint32_t open_from;	  /* its source */
	bool operator_open;	  /* so is one of an operator's */
	bool operator_to_source;  /* which goes into the automatic one's source */
	double ended_s;		  /* since the last automatic one ended; INFINITY: there was none */
};

struct auto_decision {
	enum auto_says says;
	uint32_t from, to; /* AUTO_START; from also of WAITING and NO_TARGET */
};

/* One group's clocks after `dt_s` more; `held`: rule 1. */
void auto_shift_watch(const struct config_auto_shift *policy, struct auto_group *group, bool held, double dt_s);
struct auto_decision auto_shift_decide(const struct config_auto_shift *policy, const struct auto_input *in);
const char *auto_says_name(enum auto_says says); /* "no-target" */

#endif
