/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_SIM_SCENARIO_H
#define EBB_SIM_SCENARIO_H
/*
 * scenario: what a simulation is given: a fleet (a configuration file's, or one that is generated), and what happens to it.
 *
 * Read through libcyaml as the configuration is, with its scalars, bounds and messages: FILE:LINE:COLUMN: what, and what was
 * allowed. Everything is resolved here: places to lists of backends, shifts to plans. Chance decides only by the seed, which
 * must be given.
 */
#include <stdbool.h>
#include <stdint.h>

#include "controller/config.h"
#include "controller/report.h"
#include "controller/shift.h"

#define SCENARIO_EVENTS_MAX 200
#define SCENARIO_NUMBERS_MAX 20000000 /* samples x groups that a run keeps */

enum scenario_what {
	SCENARIO_BROWN_OUT,   /* a part of all requests is answered badly */
	SCENARIO_SLOW,	      /* answers take longer */
	SCENARIO_DEAD,	      /* the server's process is gone: refused */
	SCENARIO_LOST,	      /* the machine or the way to it is gone: silence */
	SCENARIO_PROBES_LOST, /* the way of probes alone is gone: clients are well */
	SCENARIO_FLAP,	      /* dead and well by turns */
	SCENARIO_SAYS,	      /* its agent reports this, true or not */
	SCENARIO_STATE,	      /* an operator sets drain or maint; ready when it is over */
	SCENARIO_SHIFT,
	SCENARIO_WHAT__COUNT,
};

extern const char *const scenario_what_names[SCENARIO_WHAT__COUNT]; /* "brown-out", … */

struct scenario_event {
	enum scenario_what what;
	uint32_t number; /* in the file, from 0 */
	const char *label; /* given, or made */
	double at_s, until_s; /* INFINITY: to the end */
	double ramp_s;	      /* brown-out and slow grow over this time */
	double errors, by_s;
	double down_s, up_s;
	struct report says;
	bool maint; /* state */
	uint32_t *backends; /* of config.backends, ascending */
	uint32_t backend_count;
	const char *pool, *from, *to; /* shift */
	struct shift_plan plan;
};

struct scenario {
	const char *name;
	uint64_t seed;
	double duration_s, sample_s;
	double load;	   /* of the first tier's capacity; 0: demand plays no part */
	double handshakes; /* that are followed, a second and backend, on average */
	struct config *config;
	struct scenario_event *events; /* ordered by time */
	uint32_t event_count;
	void *memory;
};

/* As config_load(). `path` also says where a configuration named in it is looked for. */
EBB_MUST_CHECK int scenario_load(const char *path, struct config_errors *errors,
				 struct scenario **ret_scenario);
EBB_MUST_CHECK int scenario_load_bytes(const char *path, const char *bytes, size_t length,
				       struct config_errors *errors, struct scenario **ret_scenario);
void scenario_free(struct scenario *scenario);

/* topology.c: the text of a configuration. free() it; NULL: no memory. */
struct topology {
	uint32_t providers, regions, backends, pools, tiers, slots;
	double capacity, spread;
	uint64_t seed;
};
char *topology_text(const struct topology *t);

#endif
