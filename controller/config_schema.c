// SPDX-License-Identifier: GPL-2.0-or-later
/* config_schema: every key of the file, once. The walk over the document (config_yaml.c) and libcyaml both go by it. */
#include "controller/config_schema.h"

#include <string.h>

#define OPTIONAL CYAML_FLAG_OPTIONAL
#define REQUIRED CYAML_FLAG_DEFAULT
#define TEXT(flags, type, member)                                                                  \
	CYAML_FIELD_STRING_PTR(#member, flags, struct type, member, 0, CYAML_UNLIMITED)
#define MAP(flags, type, member, fields)                                                           \
	CYAML_FIELD_MAPPING_PTR(#member, flags, struct type, member, fields)
/* "services:" with nothing behind it is an empty list. */
#define LIST(flags, type, member, entry)                                                           \
	CYAML_FIELD_SEQUENCE(#member, (flags) | CYAML_FLAG_POINTER_NULL_STR, struct type, member,  \
			     &(entry), 0, CYAML_UNLIMITED)
#define ENTRY(type, fields) {CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct type, fields)}

static const cyaml_schema_field_t interface_fields[] = {
	TEXT(REQUIRED, raw_interface, name),
	TEXT(OPTIONAL, raw_interface, mode),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t interface_entry = ENTRY(raw_interface, interface_fields);

static const cyaml_schema_field_t source_fields[] = {
	TEXT(OPTIONAL, raw_source, ipv4),
	TEXT(OPTIONAL, raw_source, ipv6),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t edge_fields[] = {
	TEXT(REQUIRED, raw_edge, name),
	LIST(REQUIRED, raw_edge, interfaces, interface_entry),
	TEXT(REQUIRED, raw_edge, hash_seed),
	MAP(OPTIONAL, raw_edge, source, source_fields),
	TEXT(OPTIONAL, raw_edge, flows),
	TEXT(OPTIONAL, raw_edge, backends),
	TEXT(OPTIONAL, raw_edge, slots),
	TEXT(OPTIONAL, raw_edge, sandboxes),
	TEXT(OPTIONAL, raw_edge, icmp_rate),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t smoothing_fields[] = {
	TEXT(REQUIRED, raw_smoothing, alpha),
	TEXT(REQUIRED, raw_smoothing, interval),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t probe_fields[] = {
	TEXT(OPTIONAL, raw_probe, type),
	TEXT(OPTIONAL, raw_probe, port),
	TEXT(OPTIONAL, raw_probe, path),
	TEXT(OPTIONAL, raw_probe, host),
	TEXT(OPTIONAL, raw_probe, interval),
	TEXT(OPTIONAL, raw_probe, timeout),
	TEXT(OPTIONAL, raw_probe, rise),
	TEXT(OPTIONAL, raw_probe, fall),
	TEXT(OPTIONAL, raw_probe, fall_timeouts),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t report_fields[] = {
	TEXT(OPTIONAL, raw_report, type),
	TEXT(OPTIONAL, raw_report, port),
	TEXT(OPTIONAL, raw_report, path),
	TEXT(OPTIONAL, raw_report, host),
	TEXT(OPTIONAL, raw_report, send),
	TEXT(OPTIONAL, raw_report, interval),
	TEXT(OPTIONAL, raw_report, timeout),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t flap_fields[] = {
	TEXT(OPTIONAL, raw_flap, penalty),
	TEXT(OPTIONAL, raw_flap, half_life),
	TEXT(OPTIONAL, raw_flap, hold),
	TEXT(OPTIONAL, raw_flap, free),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t latency_fields[] = {
	TEXT(OPTIONAL, raw_latency, good),
	TEXT(OPTIONAL, raw_latency, bad),
	TEXT(OPTIONAL, raw_latency, usual),
	CYAML_FIELD_END,
};

#define HEALTH_FIELDS                                                                              \
	TEXT(OPTIONAL, raw_health, observe), TEXT(OPTIONAL, raw_health, down),                     \
		TEXT(OPTIONAL, raw_health, up), TEXT(OPTIONAL, raw_health, evidence),              \
		TEXT(OPTIONAL, raw_health, bad), TEXT(OPTIONAL, raw_health, good),                 \
		TEXT(OPTIONAL, raw_health, return_floor),                                          \
		TEXT(OPTIONAL, raw_health, return_jitter),                                         \
		TEXT(OPTIONAL, raw_health, trial), TEXT(OPTIONAL, raw_health, handshake_rate),     \
		MAP(OPTIONAL, raw_health, latency, latency_fields),                                \
		MAP(OPTIONAL, raw_health, smoothing, smoothing_fields),                            \
		MAP(OPTIONAL, raw_health, flap, flap_fields),                                      \
		MAP(OPTIONAL, raw_health, probe, probe_fields),                                    \
		MAP(OPTIONAL, raw_health, report, report_fields)

const cyaml_schema_field_t config_health_fields[] = {
	TEXT(OPTIONAL, raw_health, tick),
	HEALTH_FIELDS,
	CYAML_FIELD_END,
};

/* The daemon has one tick, so a pool has none of its own. */
static const cyaml_schema_field_t pool_health_fields[] = {
	HEALTH_FIELDS,
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t slew_fields[] = {
	TEXT(OPTIONAL, raw_slew, degraded),
	TEXT(OPTIONAL, raw_slew, dead),
	TEXT(OPTIONAL, raw_slew, rise),
	TEXT(OPTIONAL, raw_slew, rise_part),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t eject_fields[] = {
	TEXT(OPTIONAL, raw_eject, capacity),
	TEXT(OPTIONAL, raw_eject, groups),
	TEXT(OPTIONAL, raw_eject, floor),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t publish_fields[] = {
	TEXT(OPTIONAL, raw_publish, change),
	TEXT(OPTIONAL, raw_publish, after),
	CYAML_FIELD_END,
};

const cyaml_schema_field_t config_weights_fields[] = {
	TEXT(OPTIONAL, raw_weights, overprovisioning),
	TEXT(OPTIONAL, raw_weights, dead_below),
	TEXT(OPTIONAL, raw_weights, return_above),
	TEXT(OPTIONAL, raw_weights, return_after),
	TEXT(OPTIONAL, raw_weights, panic_hold),
	TEXT(OPTIONAL, raw_weights, panic_clear),
	MAP(OPTIONAL, raw_weights, slew, slew_fields),
	MAP(OPTIONAL, raw_weights, eject, eject_fields),
	MAP(OPTIONAL, raw_weights, publish, publish_fields),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t backend_fields[] = {
	TEXT(REQUIRED, raw_backend, name),
	TEXT(REQUIRED, raw_backend, address),
	TEXT(OPTIONAL, raw_backend, id),
	TEXT(OPTIONAL, raw_backend, capacity),
	TEXT(OPTIONAL, raw_backend, weight),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t backend_entry = ENTRY(raw_backend, backend_fields);

static const cyaml_schema_field_t region_fields[] = {
	TEXT(REQUIRED, raw_region, name),
	LIST(OPTIONAL, raw_region, backends, backend_entry),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t region_entry = ENTRY(raw_region, region_fields);

static const cyaml_schema_field_t provider_fields[] = {
	TEXT(REQUIRED, raw_provider, name),
	LIST(OPTIONAL, raw_provider, regions, region_entry),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t provider_entry = ENTRY(raw_provider, provider_fields);

static const cyaml_schema_field_t auto_shift_fields[] = {
	TEXT(OPTIONAL, raw_auto_shift, below),
	TEXT(OPTIONAL, raw_auto_shift, after),
	TEXT(OPTIONAL, raw_auto_shift, restore_above),
	TEXT(OPTIONAL, raw_auto_shift, restore_after),
	TEXT(OPTIONAL, raw_auto_shift, cool_down),
	TEXT(OPTIONAL, raw_auto_shift, steps),
	TEXT(OPTIONAL, raw_auto_shift, bake),
	TEXT(OPTIONAL, raw_auto_shift, ttl),
	TEXT(OPTIONAL, raw_auto_shift, patience),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t pool_fields[] = {
	TEXT(REQUIRED, raw_pool, name),
	TEXT(OPTIONAL, raw_pool, slots),
	CYAML_FIELD_IGNORE("tiers", REQUIRED),
	TEXT(OPTIONAL, raw_pool, track),
	TEXT(OPTIONAL, raw_pool, settle),
	TEXT(OPTIONAL, raw_pool, drain),
	MAP(OPTIONAL, raw_pool, auto_shift, auto_shift_fields),
	MAP(OPTIONAL, raw_pool, health, pool_health_fields),
	MAP(OPTIONAL, raw_pool, weights, config_weights_fields),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t pool_entry = ENTRY(raw_pool, pool_fields);

static const cyaml_schema_field_t service_fields[] = {
	TEXT(REQUIRED, raw_service, name),
	TEXT(OPTIONAL, raw_service, address),
	TEXT(OPTIONAL, raw_service, prefix),
	TEXT(OPTIONAL, raw_service, port),
	TEXT(OPTIONAL, raw_service, protocol),
	TEXT(REQUIRED, raw_service, pool),
	TEXT(OPTIONAL, raw_service, affinity),
	TEXT(OPTIONAL, raw_service, encap),
	TEXT(OPTIONAL, raw_service, quic_server_id_length),
	TEXT(OPTIONAL, raw_service, checksum_zero),
	TEXT(OPTIONAL, raw_service, sandbox_port),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t service_entry = ENTRY(raw_service, service_fields);

static const cyaml_schema_field_t http_fields[] = {
	TEXT(REQUIRED, raw_http, listen),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t config_fields[] = {
	MAP(REQUIRED, raw_config, edge, edge_fields),
	MAP(OPTIONAL, raw_config, health, config_health_fields),
	MAP(OPTIONAL, raw_config, weights, config_weights_fields),
	LIST(OPTIONAL, raw_config, providers, provider_entry),
	LIST(OPTIONAL, raw_config, pools, pool_entry),
	LIST(OPTIONAL, raw_config, services, service_entry),
	MAP(OPTIONAL, raw_config, http, http_fields),
	CYAML_FIELD_IGNORE("fleet", OPTIONAL),
	CYAML_FIELD_END,
};

const cyaml_schema_value_t config_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct raw_config, config_fields),
};

/* What is in the schema but not yet done by anything that runs. */
static const struct {
	const cyaml_schema_field_t *fields;
	const char *key;
} not_yet[] = {
	{config_fields, "fleet"},
};

bool config_schema_not_yet(const cyaml_schema_field_t *fields, const cyaml_schema_field_t *field)
{
	for (size_t i = 0; i < sizeof(not_yet) / sizeof(not_yet[0]); i++)
		if (not_yet[i].fields == fields && strcmp(not_yet[i].key, field->key) == 0)
			return true;
	return false;
}

bool config_schema_is_tiers(const cyaml_schema_field_t *field)
{
	return field->value.type == CYAML_IGNORE && strcmp(field->key, "tiers") == 0;
}
