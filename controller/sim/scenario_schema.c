// SPDX-License-Identifier: GPL-2.0-or-later
/* scenario_schema: every key of a scenario, once. */
#include "controller/sim/scenario_schema.h"

#define OPTIONAL CYAML_FLAG_OPTIONAL
#define REQUIRED CYAML_FLAG_DEFAULT
#define TEXT_AS(key, flags, type, member)                                                          \
	CYAML_FIELD_STRING_PTR(key, flags, struct type, member, 0, CYAML_UNLIMITED)
#define TEXT(flags, type, member) TEXT_AS(#member, flags, type, member)

static const cyaml_schema_field_t topology_fields[] = {
	TEXT(REQUIRED, raw_topology, providers),
	TEXT(REQUIRED, raw_topology, regions),
	TEXT(REQUIRED, raw_topology, backends),
	TEXT(OPTIONAL, raw_topology, pools),
	TEXT(OPTIONAL, raw_topology, tiers),
	TEXT(OPTIONAL, raw_topology, slots),
	TEXT(OPTIONAL, raw_topology, capacity),
	TEXT(OPTIONAL, raw_topology, spread),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t event_fields[] = {
	TEXT(REQUIRED, raw_event, at),
	TEXT(REQUIRED, raw_event, what),
	TEXT(OPTIONAL, raw_event, where),
	TEXT_AS("for", OPTIONAL, raw_event, for_),
	TEXT(OPTIONAL, raw_event, label),
	TEXT(OPTIONAL, raw_event, part),
	TEXT(OPTIONAL, raw_event, ramp),
	TEXT(OPTIONAL, raw_event, errors),
	TEXT(OPTIONAL, raw_event, by),
	TEXT(OPTIONAL, raw_event, up),
	TEXT(OPTIONAL, raw_event, down),
	TEXT(OPTIONAL, raw_event, says),
	TEXT(OPTIONAL, raw_event, state),
	TEXT(OPTIONAL, raw_event, pool),
	TEXT(OPTIONAL, raw_event, from),
	TEXT(OPTIONAL, raw_event, to),
	TEXT(OPTIONAL, raw_event, steps),
	TEXT(OPTIONAL, raw_event, bake),
	TEXT(OPTIONAL, raw_event, ttl),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t event_entry = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_event, event_fields),
};

static const cyaml_schema_field_t scenario_fields[] = {
	TEXT(OPTIONAL, raw_scenario, name),
	TEXT(REQUIRED, raw_scenario, seed),
	TEXT(REQUIRED, raw_scenario, duration),
	TEXT(OPTIONAL, raw_scenario, sample),
	TEXT(OPTIONAL, raw_scenario, load),
	TEXT(OPTIONAL, raw_scenario, handshakes),
	TEXT(OPTIONAL, raw_scenario, config),
	CYAML_FIELD_MAPPING_PTR("topology", OPTIONAL, struct raw_scenario, topology, topology_fields),
	CYAML_FIELD_MAPPING_PTR("health", OPTIONAL, struct raw_scenario, health, config_health_fields),
	CYAML_FIELD_MAPPING_PTR("weights", OPTIONAL, struct raw_scenario, weights, config_weights_fields),
	CYAML_FIELD_SEQUENCE("events", OPTIONAL | CYAML_FLAG_POINTER_NULL_STR, struct raw_scenario, events,
			     &event_entry, 0, CYAML_UNLIMITED),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t scenario_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct raw_scenario, scenario_fields),
};

const struct config_yaml_kind scenario_kind = {&scenario_schema, "seed:"};
