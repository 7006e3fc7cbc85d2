/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_CONFIG_SCHEMA_H
#define EBB_CONFIG_SCHEMA_H
/*
 * config_schema: the file's keys as libcyaml loads them. Every scalar is text here (NULL: not given), because what a
 * person wrote is quoted back in messages, and because durations and ratios are no types of libcyaml.
 */
#include <cyaml/cyaml.h>
#include <stdbool.h>
#include <stdint.h>

#include "controller/config.h"

struct raw_interface {
	char *name, *mode;
};

struct raw_source {
	char *ipv4, *ipv6;
};

struct raw_edge {
	char *name, *hash_seed, *flows, *backends, *slots, *sandboxes, *icmp_rate;
	struct raw_interface *interfaces;
	uint32_t interfaces_count;
	struct raw_source *source;
};

struct raw_smoothing {
	char *alpha, *interval;
};

struct raw_probe {
	char *type, *port, *path, *host, *interval, *timeout, *rise, *fall, *fall_timeouts;
};

struct raw_report {
	char *type, *port, *path, *host, *send, *interval, *timeout;
};

struct raw_flap {
	char *penalty, *half_life, *hold, *free;
};

struct raw_latency {
	char *good, *bad, *usual;
};

struct raw_health {
	char *tick, *observe, *down, *up, *evidence, *bad, *good, *return_floor, *return_jitter, *trial, *handshake_rate;
	struct raw_smoothing *smoothing;
	struct raw_flap *flap;
	struct raw_latency *latency;
	struct raw_probe *probe;
	struct raw_report *report;
};

struct raw_slew {
	char *degraded, *dead, *rise, *rise_part;
};

struct raw_eject {
	char *capacity, *groups, *floor;
};

struct raw_publish {
	char *change, *after;
};

struct raw_weights {
	char *overprovisioning, *dead_below, *return_above, *return_after, *panic_hold, *panic_clear;
	struct raw_slew *slew;
	struct raw_eject *eject;
	struct raw_publish *publish;
};

struct raw_backend {
	char *name, *address, *id, *capacity, *weight;
};

struct raw_region {
	char *name;
	struct raw_backend *backends;
	uint32_t backends_count;
};

struct raw_provider {
	char *name;
	struct raw_region *regions;
	uint32_t regions_count;
};

struct raw_auto_shift {
	char *below, *after, *restore_above, *restore_after, *cool_down, *steps, *bake, *ttl, *patience;
};

struct raw_pool {
	char *name, *slots, *track, *settle, *drain;
	struct raw_auto_shift *auto_shift;
	struct raw_health *health;
	struct raw_weights *weights;
	/* `tiers` is a list of lists, which libcyaml cannot hold: read from the document. */
};

struct raw_service {
	char *name, *address, *prefix, *port, *protocol, *pool, *affinity, *encap;
	char *quic_server_id_length, *checksum_zero, *sandbox_port;
};

struct raw_http {
	char *listen;
};

struct raw_config {
	struct raw_edge *edge;
	struct raw_health *health;
	struct raw_weights *weights;
	struct raw_provider *providers;
	uint32_t providers_count;
	struct raw_pool *pools;
	uint32_t pools_count;
	struct raw_service *services;
	uint32_t services_count;
	struct raw_http *http;
};

extern const cyaml_schema_value_t config_schema;
extern const cyaml_schema_field_t config_health_fields[], config_weights_fields[]; /* raw_health, raw_weights */

/* The key that this version understands but does nothing for, as "fleet"; such a key is refused. */
bool config_schema_not_yet(const cyaml_schema_field_t *fields, const cyaml_schema_field_t *field);
/* `tiers`: a list of lists of text. */
bool config_schema_is_tiers(const cyaml_schema_field_t *field);

#endif
