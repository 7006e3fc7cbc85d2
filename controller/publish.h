/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_PUBLISH_H
#define EBB_PUBLISH_H
/*
 * publish: brings the mmap-ed tables of the data plane to what the model says, by plain stores.
 *
 * The orders that keep every packet right, also if the daemon dies between any two stores:
 *   1. a backend's entry is whole before its `state` is stored, and that is stored before any slot names it;
 *   2. a slot changes by one 8-byte store;
 *   3. a pool's slots are written before its entry in `pools`, and that before a service names the range;
 *   4. services change by one store of settings.half, and `layout` is stored last of all;
 *   5. a backend's entry is freed PUBLISH_GRACE_S after no slot names it (a packet may have read the slot just before),
 *      a next hop's and a slot range likewise.
 * What a crash leaves behind (an entry that nobody names, a range without services) is free for the next start.
 *
 * Everything is idempotent: it compares with what is there and stores only differences. `boot_ns` is
 * CLOCK_BOOTTIME, as slots and backend_names need it.
 */
#include <stdint.h>

#include "controller/dataplane.h"
#include "controller/err.h"
#include "controller/model.h"
#include "controller/nexthop.h"

#define PUBLISH_GRACE_S 1

struct publish;

struct publish_stats {
	uint64_t slots_written; /* stores into `slots` */
	uint64_t slots_moved;	/* of them: that changed the primary */
	uint64_t slots_settled;
	uint64_t flips; /* of settings.half */
};

/* `on_freed` (may be NULL) hears of each backend id that nobody names any more, before it can be given again. */
typedef void (*publish_freed_fn)(void *ctx, uint16_t id);

EBB_MUST_CHECK int publish_new(const struct dataplane_tables *tables,
			       const struct dataplane_sizes *sizes, publish_freed_fn on_freed,
			       void *ctx, uint64_t boot_ns, struct publish **ret_publish);
void publish_free(struct publish *p);
const struct publish_stats *publish_stats(const struct publish *p);

/* 1. Writes entries of backends that are new, and state and capacity of all. Before publish_slots(). */
void publish_backends(struct publish *p, const struct model *model);
/* Points a backend at a next hop that was resolved; `port`: index into `ports`. -ENOSPC: the table is full. */
EBB_MUST_CHECK int publish_nexthop(struct publish *p, const struct model *model, uint32_t backend,
				   const struct nexthop_result *result, uint32_t port,
				   uint64_t boot_ns);
/* 2. Stores what `pool` says has changed, and its entry in `pools`. Returns how many slots were stored. */
uint32_t publish_slots(struct publish *p, const struct model *model, struct model_pool *pool,
		       uint64_t boot_ns);
/* 3. Lays the services out and puts them in force, if they differ from those that are. */
EBB_MUST_CHECK int publish_services(struct publish *p, const struct model *model, uint64_t boot_ns,
				    struct err *err);
/* Smoothed health, for the next start. */
void publish_health(struct publish *p, const struct model *model, uint64_t boot_ns);
/* Settles slots whose time has come: looks at the next `budget` slots, going round all pools. */
uint32_t publish_settle(struct publish *p, struct model *model, uint32_t budget, uint64_t boot_ns);
/* Frees what has left: backends past `leave_at`, next hops, ranges of pools that are gone, the old half. */
void publish_reap(struct publish *p, struct model *model, struct mono_ns now, uint64_t boot_ns);

#endif
