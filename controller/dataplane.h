/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_DATAPLANE_H
#define EBB_DATAPLANE_H
/*
 * dataplane: the loaded XDP program, its pinned maps and links. The only file that talks to bpf(2).
 *
 * Opening adopts what is pinned below the bpffs directory (same layout and sizes), or makes it. A
 * pinned link gets the new program by bpf_link__update_program, so no packet sees a moment without
 * one. Nothing is unpinned or detached except by dataplane_detach_all(). The mmap-ed maps are
 * written by plain stores (publish.c).
 */
#include <stdbool.h>
#include <stdint.h>

#include "controller/config.h"
#include "controller/err.h"
#include "maps/backend.h"
#include "maps/flow.h"
#include "maps/sandbox.h"
#include "maps/service.h"
#include "maps/settings.h"
#include "maps/signals.h"
#include "maps/slot.h"
#include "maps/stats.h"
#include "maps/verdict.h"

struct dataplane_sizes {
	uint32_t slots, backends;
	uint32_t flows; /* a power of two, at least FLOW_WAYS */
	uint32_t sandboxes;
	uint32_t sandbox_sets; /* of `sandbox_index`; follows from `sandboxes`, not wanted */
};

/* Arrays live as long as the dataplane. mmap-ed shared: a store is what the next packet sees. */
struct dataplane_tables {
	struct settings *settings;
	struct service *services;           /* 2 * SERVICES_TABLE_SIZE */
	struct service *prefixes;           /* 2 * PREFIXES_TABLE_SIZE */
	uint64_t *filter;                   /* 2 * SERVICE_FILTER_WORDS */
	struct pool *pools;                 /* POOLS_MAX */
	struct slot *slots;                 /* sizes.slots */
	struct backend *backends;           /* sizes.backends */
	struct backend_name *backend_names; /* sizes.backends */
	struct nexthop *nexthops;           /* NEXTHOPS_MAX */
	struct flow_set *flows;             /* sizes.flows / FLOW_WAYS; NULL in tests that do not care */
	struct flow_set *nursery;           /* NURSERY_SETS; NULL likewise */
	struct handshake *handshakes;       /* HANDSHAKES_MAX; written by packets, only read here */
	struct backend_signals *signals;    /* sizes.backends; likewise, but for a freed backend's */
	struct sandbox_set *sandbox_index;  /* sizes.sandbox_sets */
};

struct dataplane;

/* Loads or adopts. -EPERM, -ENOENT (no bpffs), -ENOTSUP (kernel), -EEXIST (pinned by an
 * incompatible layout), -EBUSY (another daemon has the directory): each with one sentence on what
 * to do in `err`. Tables that are smaller than wanted grow, contents and all; larger ones stay as
 * they are; a flow table of another size is refused. Until dataplane_attach() the interfaces go on
 * with the program and the tables they had. `adopted`: maps were there before, and a daemon had
 * finished writing them (settings.layout). If not, all tables that the controller writes are zero.
 */
EBB_MUST_CHECK int dataplane_open(const char *bpffs_dir, const struct dataplane_sizes *wanted,
				  struct err *err, struct dataplane **ret_dataplane);
void dataplane_close(struct dataplane *dp); /* leaves pins and forwarding in place */
bool dataplane_adopted(const struct dataplane *dp);
const struct dataplane_sizes *dataplane_sizes(const struct dataplane *dp);
const struct dataplane_tables *dataplane_tables(const struct dataplane *dp);

/* Attaches (or adopts and updates) the pinned link of an interface. `ret_native`: whether it runs
 * in the driver; if mode auto fell back to generic, err->text says why (else it is empty), although
 * 0 is returned. */
EBB_MUST_CHECK int dataplane_attach(struct dataplane *dp, const char *ifname,
				    enum config_xdp_mode mode, struct err *err, bool *ret_native);
EBB_MUST_CHECK int dataplane_detach(struct dataplane *dp, const char *ifname, struct err *err);
/* Detaches from every interface but the `count` named ones: what an earlier configuration had. */
EBB_MUST_CHECK int dataplane_detach_others(struct dataplane *dp, const char *const *ifnames,
					   uint32_t count, struct err *err);
/* Makes `ifindex` a redirect target; *ret_port is its index in `ports`. Adding twice gives the same
 * index. */
EBB_MUST_CHECK int dataplane_port(struct dataplane *dp, uint32_t ifindex, uint32_t *ret_port);

/* Per-CPU counters, summed. */
EBB_MUST_CHECK int dataplane_verdicts(struct dataplane *dp,
				      struct verdict_stats ret_stats[VERDICT__COUNT]);
EBB_MUST_CHECK int dataplane_backend_stats(struct dataplane *dp, uint16_t id,
					   struct backend_stats *ret_stats);
EBB_MUST_CHECK int dataplane_service_stats(struct dataplane *dp, uint16_t id,
					   struct service_stats *ret_stats);
/* Of a freed backend: its counters and its signals. */
EBB_MUST_CHECK int dataplane_clear_backend_stats(struct dataplane *dp, uint16_t id);

/* -EEXIST: there is one of this key; -E2BIG: the map is full. */
EBB_MUST_CHECK int dataplane_sandbox_add(struct dataplane *dp, const struct sandbox_key *key,
					 const struct sandbox *value);
EBB_MUST_CHECK int dataplane_sandbox_set(struct dataplane *dp, const struct sandbox_key *key,
					 const struct sandbox *value);
EBB_MUST_CHECK int dataplane_sandbox_del(struct dataplane *dp, const struct sandbox_key *key);
/* -ENOENT: there is none. */
EBB_MUST_CHECK int dataplane_sandbox_get(struct dataplane *dp, const struct sandbox_key *key,
					 struct sandbox *ret_value);
/* The key behind `after` in the map's own order (NULL, or one that is gone: the first). -ENOENT: it was the last. */
EBB_MUST_CHECK int dataplane_sandbox_next(struct dataplane *dp, const struct sandbox_key *after,
					  struct sandbox_key *ret_key);
/*
 * Many at once: up to `*count` (at least DATAPLANE_SANDBOX_BATCH) entries from `*cursor` on (0: from the beginning), and
 * how many there were. -ENOENT: these were the last. An entry that comes or goes meanwhile may be missed or seen twice.
 */
#define DATAPLANE_SANDBOX_BATCH 1024
EBB_MUST_CHECK int dataplane_sandbox_batch(struct dataplane *dp, uint32_t *cursor,
					   struct sandbox_key *keys, struct sandbox *values,
					   uint32_t *count);

/* Returns when each packet that was in a program has left it: what it read before, it no longer uses. Some 10 to 50 ms. */
void dataplane_wait_packets(void);

/* Runs the pinned program on a frame without sending it: for `ebb explain`. Returns the XDP action
 * or -errno; `ret_length` is the capacity of `ret_frame` on the way in and its length on the way
 * out. */
EBB_MUST_CHECK int dataplane_test_run(struct dataplane *dp, const void *frame, uint32_t length,
				      uint32_t ifindex, void *ret_frame, uint32_t *ret_length);

/* Removes every link and pin of the edge below the directory: forwarding ends. For `ebb detach`;
 * needs no open dataplane. Nothing being there is success. */
EBB_MUST_CHECK int dataplane_detach_all(const char *bpffs_dir, struct err *err);

#endif
