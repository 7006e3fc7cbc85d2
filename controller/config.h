/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_CONFIG_H
#define EBB_CONFIG_H
/*
 * config: the configuration as it was written, checked and never changed afterwards.
 *
 * config_load() reads a YAML file through libcyaml, checks it as a whole, and gives either a `struct config` in which
 * every reference is resolved to an index and every default is filled in, or the list of what is wrong as
 * "FILE:LINE:COLUMN: what, and what was allowed". Bounds: a file of at most CONFIG_BYTES_MAX, at most the counts of
 * maps/types.h. All of it is one allocation group, freed by config_free().
 *
 * Units: durations are seconds as double (`_s`), ratios are in [0,1]. Addresses are 16 bytes (maps/types.h).
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "controller/address.h"
#include "controller/err.h"
#include "controller/shift.h"
#include "controller/latency.h"
#include "maps/service.h"
#include "maps/types.h"

#define CONFIG_BYTES_MAX (16 * 1024 * 1024)
#define CONFIG_NAME_MAX	 63 /* bytes of a backend's or service's name: [A-Za-z0-9._-] */
#define CONFIG_SHORT_NAME_MAX 31 /* of a provider's, region's or pool's: what the maps can hold */
#define CONFIG_ERRORS_MAX 20
#define CONFIG_FLOWS_MAX 67108864
#define CONFIG_PROVIDERS_MAX 256
#define CONFIG_REGIONS_MAX 4096
#define CONFIG_TIERS_MAX 16 /* of one pool */

enum config_xdp_mode {
	CONFIG_XDP_AUTO,
	CONFIG_XDP_NATIVE,
	CONFIG_XDP_GENERIC,
	CONFIG_XDP__COUNT,
};

enum config_probe_type {
	CONFIG_PROBE_NONE, /* judged by other signals; starts healthy */
	CONFIG_PROBE_TCP,
	CONFIG_PROBE_HTTP,
	CONFIG_PROBE_HTTPS,
	CONFIG_PROBE__COUNT,
};

enum config_report_type {
	CONFIG_REPORT_NONE,
	CONFIG_REPORT_AGENT,	  /* a line of HAProxy's agent-check */
	CONFIG_REPORT_JSON,	  /* by HTTP */
	CONFIG_REPORT_JSON_HTTPS,
	CONFIG_REPORT__COUNT,
};

struct config_interface {
	char *name; /* at most IFNAMSIZ - 1 bytes */
	enum config_xdp_mode mode;
};

struct config_edge {
	char *name;
	struct config_interface *interfaces;
	uint32_t interface_count;
	uint64_t hash_seed;
	bool has_source_ipv4, has_source_ipv6; /* else: the egress interface's address */
	struct address source_ipv4, source_ipv6;
	uint32_t flows;	   /* entries of the flow table, a power of two; default 1048576 */
	uint32_t backends; /* capacity of the backends map; default 16384 */
	uint32_t slots;	   /* capacity of the slots map over all pools; default: what the pools need, times two */
	uint32_t sandboxes; /* capacity of the sandboxes map; default 1048576 */
	bool has_backends, has_slots; /* written in the file, not derived from what it holds */
	uint32_t slots_needed;	      /* by the pools of the file */
	uint32_t icmp_rate_pps; /* "too big" answers a second and CPU; 0: none; default 1000 */
};

struct config_probe {
	enum config_probe_type type;
	uint16_t port;	/* host order; 0 is refused unless type is none */
	char *path;	/* HTTP; default "/" */
	char *host;	/* HTTP Host header; default: the address */
	double interval_s, timeout_s;
	uint32_t rise, fall, fall_timeouts;
};

extern const char *const config_report_names[CONFIG_REPORT__COUNT];

/* How a backend is asked for its load. */
struct config_report {
	enum config_report_type type;
	uint16_t port;	   /* host order; 0 is refused unless type is none */
	char *path, *host; /* JSON; default "/" and the address */
	char *send;	   /* agent: the line that it is sent first, with its line feed; NULL: none */
	double interval_s, timeout_s;
};

struct config_health {
	double tick_s, observe_s, down_s, up_s;
	double evidence;	 /* k */
	double bad, good;	 /* 0.50, 0.95: r at or below is 0, at or above is 1 */
	double return_floor;	 /* 0.10: a returning backend starts here */
	double return_jitter_s;	 /* 2: returns are spread over this */
	double flap_penalty, flap_half_life_s, flap_hold, flap_free; /* 1000, 30 s, 2000, 750 */
	struct latency_params latency; /* 50 ms, 250 ms, 1 h */
	double trial;		 /* 0.02: of what is not probed, so much is kept */
	double handshake_rate;	 /* 20: so many a second count */
	struct config_probe probe;
	struct config_report report;
};

/* How weights of a pool's groups may move: rules 2 to 8 of the design. Shares a second, as ratios. */
struct config_weights {
	double overprovisioning;		      /* 1.4 */
	double slew_degraded, slew_dead, slew_rise;   /* 0.02, 0.20, 0.005 a second */
	double slew_rise_part;			      /* 0.02 a second of what it has when all is well */
	double dead_below, return_above, return_after_s; /* availability 0.25, 0.35; 60 s */
	double eject_capacity, eject_groups, eject_floor; /* 0.30, 0.50, 0.10 */
	double panic_hold_s, panic_clear_s;	      /* 30 s, 10 s */
	double publish_change, publish_after_s;	      /* 0.02, 10 s */
};

/* When a group that stays degraded is shifted away by itself, and back: auto_shift.h. */
struct config_auto_shift {
	bool on;
	double below, after_s;		      /* availability under 0.70 for 30 s starts it */
	double restore_above, restore_after_s; /* at 0.95 or more for 5 m ends it */
	double cool_down_s;		      /* 10 m after one has ended before the next */
	struct shift_plan plan;		      /* 25%,50%@30s,100%@1m, bake 20 s, ttl 6 h, patience 10 s */
	char *steps;			      /* as written */
};

struct config_backend {
	char *name;
	struct address address;
	double capacity; /* > 0 */
	double weight;	 /* [0,1], default 1 */
	uint32_t region; /* index into config.regions */
	uint16_t id;	 /* in all maps, and its QUIC server ID; BACKEND_NONE: the edge chooses */
};

struct config_region { /* "provider/region" is its full name */
	char *name;	    /* "eu-central-1" */
	char *full_name;    /* "aws/eu-central-1" */
	uint32_t provider;  /* index */
	uint32_t first_backend, backend_count; /* config.backends is ordered by region */
};

struct config_provider {
	char *name;
	uint32_t first_region, region_count; /* config.regions is ordered by provider */
};

struct config_tier {
	uint32_t *regions; /* indices into config.regions */
	uint32_t region_count;
};

struct config_pool {
	char *name;
	uint32_t slots;	 /* 1..POOL_SLOTS_MAX; default 65536 */
	struct config_tier *tiers;
	uint32_t tier_count;
	enum track track; /* only if has_track; else by encapsulation, see model_service_track() */
	bool has_track;
	double settle_s;  /* default 3600; INFINITY: never */
	struct config_health health; /* config.health with the pool's own values over it */
	double drain_s; /* how long a backend that a reload removed keeps its flows; default 0 */
	struct config_weights weights; /* config.weights with the pool's own values over it */
	struct config_auto_shift auto_shift;
};

struct config_service {
	char *name;
	struct address address; /* masked, if a prefix */
	bool is_prefix;
	uint8_t prefix_length; /* in the address' own family: 0..32 or 0..128 */
	uint16_t port;	       /* host order; 0: any */
	uint8_t protocol;      /* IPPROTO_TCP, IPPROTO_UDP; 0: both (two entries in the map) */
	uint32_t pool;
	enum affinity affinity;
	enum encap encap;
	uint8_t quic_server_id_length;
	bool checksum_zero; /* outer UDP checksum over IPv6 */
	bool sandbox_port;  /* a sandbox is (address, port), not an address */
};

struct config {
	struct config_edge edge;
	struct config_health health;
	struct config_weights weights;
	struct config_provider *providers;
	uint32_t provider_count;
	struct config_region *regions;
	uint32_t region_count;
	struct config_backend *backends; /* ordered by region */
	uint32_t backend_count;
	struct config_pool *pools;
	uint32_t pool_count;
	struct config_service *services;
	uint32_t service_count;
	char *http_listen; /* "127.0.0.1:9619"; NULL: no HTTP */
	void *memory;	   /* what config_free() frees */
};

/* What is wrong with a file: up to CONFIG_ERRORS_MAX lines "FILE:LINE:COLUMN: text". */
struct config_errors {
	char *lines[CONFIG_ERRORS_MAX];
	uint32_t count;
	uint32_t more; /* that were found but not kept */
};

/* 0 and *ret_config, or -errno (-EINVAL: see `errors`; -ENOENT, -EACCES, -EFBIG, -ENOMEM also leave a line). */
EBB_MUST_CHECK int config_load(const char *path, struct config_errors *errors, struct config **ret_config);
/* The same from memory; `name` stands for the file in messages. For tests and fuzzing. */
EBB_MUST_CHECK int config_load_bytes(const char *name, const char *bytes, size_t length,
				     struct config_errors *errors, struct config **ret_config);
void config_free(struct config *config);
void config_errors_print(const struct config_errors *errors, FILE *to);
void config_errors_free(struct config_errors *errors);

#endif
