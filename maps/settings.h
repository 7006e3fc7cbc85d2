/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_MAPS_SETTINGS_H
#define EBB_MAPS_SETTINGS_H
/*
 * settings: one entry that says which half of the double-buffered tables is in force.
 *
 * Written by the controller, read by the data plane. `services` and `prefixes` hold two halves; the controller
 * fills the half that is not in force and then stores `half` (one 4-byte store): a packet sees the old
 * configuration or the new one, never a mixture. Everything that belongs to a half stands in `table[half]`.
 */
#include "maps/types.h"

struct settings_table {
	__u64 seed;		/* of the cuckoo hash of this half (hash_service) */
	__u32 prefix_count_ipv4; /* how many of the lengths below are in use */
	__u32 prefix_count_ipv6;
	__u8 prefix_lengths_ipv4[PREFIX_LENGTHS_MAX]; /* longest first; 0..32 */
	__u8 prefix_lengths_ipv6[PREFIX_LENGTHS_MAX]; /* longest first; 0..128 */
};

struct settings {
	__u64 hash_seed; /* of the flow hash; shared by all edges of a fleet */
	__u32 layout;	 /* MAPS_LAYOUT of the writer; 0: never written */
	__u32 half;	 /* 0 or 1 */
	struct settings_table table[2];
	__u32 icmp_rate_pps; /* "too big" answers a second and CPU; 0: none */
	__u32 trace_rate;    /* one packet in so many is traced; 0: none (maps/trace.h) */
	__u64 trace_until_ns; /* CLOCK_MONOTONIC: no later */
	__u64 sandbox_seed; /* of `sandbox_index`; set once */
	__u32 sandbox_sets; /* of it in use; 0: it is not in force, `sandboxes` is asked */
	__u32 reserved;
};
static_assert(sizeof(struct settings_table) == 32, "settings_table");
static_assert(offsetof(struct settings, table) == 16, "settings.table");
static_assert(offsetof(struct settings, trace_until_ns) == 88, "settings.trace_until_ns");
static_assert(offsetof(struct settings, sandbox_sets) == 104, "settings.sandbox_sets");
static_assert(sizeof(struct settings) == 112, "settings");

#endif
