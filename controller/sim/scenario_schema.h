/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_SIM_SCENARIO_SCHEMA_H
#define EBB_SIM_SCENARIO_SCHEMA_H
/* scenario_schema: a scenario's keys as libcyaml loads them; scalars are text, as in config_schema.h. */
#include "controller/config_yaml.h"

struct raw_topology {
	char *providers, *regions, *backends, *pools, *tiers, *slots, *capacity, *spread;
};

struct raw_event {
	char *at, *what, *where, *label, *part, *ramp;
	char *for_; /* "for" */
	char *errors, *by, *up, *down, *says, *state;
	char *pool, *from, *to, *steps, *bake, *ttl;
};

struct raw_scenario {
	char *name, *seed, *duration, *sample, *config, *load, *handshakes;
	struct raw_topology *topology;
	struct raw_health *health;
	struct raw_weights *weights;
	struct raw_event *events;
	uint32_t events_count;
};

extern const struct config_yaml_kind scenario_kind; /* gives struct raw_scenario */

#endif
