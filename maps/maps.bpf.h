/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef EBB_MAPS_MAPS_BPF_H
#define EBB_MAPS_MAPS_BPF_H
/*
 * maps: the maps of xdp_lb by their pin names. BPF side only.
 *
 * What the controller writes lies in mmap-able arrays: it stores, the next packet sees it. Being
 * mmap-able also aligns entry 0 to a page, so entries of 64 bytes are cache lines. Sizes of
 * `slots`, `flows`, `backends`, `backend_names`, `backend_stats`, `backend_signals`, `sandboxes` and `sandbox_index` are
 * defaults; the controller sets them before load, and `flow_set_mask` (read-only data) with `flows`.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "maps/backend.h"
#include "maps/flow.h"
#include "maps/fragment.h"
#include "maps/sandbox.h"
#include "maps/service.h"
#include "maps/settings.h"
#include "maps/signals.h"
#include "maps/slot.h"
#include "maps/stats.h"
#include "maps/trace.h"
#include "maps/verdict.h"

#define MAPS_TABLE(map_name, value_type, entries)                                                  \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_ARRAY);                                                  \
		__uint(map_flags, BPF_F_MMAPABLE);                                                 \
		__uint(max_entries, entries);                                                      \
		__type(key, __u32);                                                                \
		__type(value, value_type);                                                         \
	} map_name SEC(".maps")

#define MAPS_COUNTERS(map_name, value_type, entries)                                               \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);                                           \
		__uint(max_entries, entries);                                                      \
		__type(key, __u32);                                                                \
		__type(value, value_type);                                                         \
	} map_name SEC(".maps")

/* Written by the controller, read by the data plane. */
MAPS_TABLE(settings, struct settings, 1);
MAPS_TABLE(services, struct service, 2 * SERVICES_TABLE_SIZE);
MAPS_TABLE(service_filter, __u64, 2 * SERVICE_FILTER_WORDS);
MAPS_TABLE(prefixes, struct service, 2 * PREFIXES_TABLE_SIZE);
MAPS_TABLE(slots, struct slot, SLOTS_DEFAULT);
MAPS_TABLE(backends, struct backend, BACKENDS_DEFAULT);
MAPS_TABLE(nexthops, struct nexthop, NEXTHOPS_MAX);
MAPS_TABLE(sandbox_index, struct sandbox_set, SANDBOX_SETS_DEFAULT);

/* Written by the controller for people and for adoption; no packet reads them. */
MAPS_TABLE(pools, struct pool, POOLS_MAX);
MAPS_TABLE(backend_names, struct backend_name, BACKENDS_DEFAULT);

/* Written and read by the data plane. */
MAPS_TABLE(flows, struct flow_set, FLOW_SETS_DEFAULT);
MAPS_TABLE(nursery, struct flow_set, NURSERY_SETS);
MAPS_TABLE(fragments, struct fragment_set, FRAGMENT_SETS);

MAPS_TABLE(handshakes, struct handshake, HANDSHAKES_MAX);

/* Not per CPU: only samples write it, and the controller reads all of it ten times a second. */
MAPS_TABLE(backend_signals, struct backend_signals, BACKENDS_DEFAULT);

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, SANDBOXES_MAX);
	__type(key, struct sandbox_key);
	__type(value, struct sandbox);
} sandboxes SEC(".maps");

/* Written by the data plane, read by the controller. */
MAPS_COUNTERS(backend_stats, struct backend_stats, BACKENDS_DEFAULT);
MAPS_COUNTERS(service_stats, struct service_stats, SERVICES_MAX);
MAPS_COUNTERS(verdicts, struct verdict_stats, VERDICT__COUNT);

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, TRACE_RING_BYTES);
} trace SEC(".maps");

/* nexthop.port is an index into it. */
struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, PORTS_MAX);
	__type(key, __u32);
	__type(value, __u32);
} ports SEC(".maps");

/* Entry 0: an XDP program (loaded for multi-buffer, "xdp.frags") that gets what is for no service.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} next SEC(".maps");

#endif
