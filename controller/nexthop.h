/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_NEXTHOP_H
#define EBB_NEXTHOP_H
/*
 * nexthop: by which interface and to which MAC a backend is reached. Asks the kernel's routes and
 * neighbours by rtnetlink (libnl), follows their notifications, and keeps the neighbours it needs
 * fresh: packets that XDP sends do not count as use, so the kernel would let the entries age. It
 * asks by NTF_USE, so the kernel's own ARP and ND do the work.
 *
 * Takes destination addresses, gives `struct nexthop_result` to the callback whenever the answer
 * changes. An answer is resolved      route, interface up, MAC known (a neighbour going stale,
 * being probed or deleted keeps its MAC) unresolved    no route, interface down, or the neighbour
 * failed twice in a row; the rest is the last that was known pending       the neighbour has not
 * answered yet: nothing is reported, the former answer stands
 *
 * A change costs netlink requests only for the destinations that it may touch: look-ups are batched
 * over loop iterations, neighbours are shared by all destinations behind them.
 */
#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "controller/err.h"
#include "maps/types.h"

struct nexthops;

struct nexthop_result {
	bool resolved;    /* else the rest is the last that was known, or zero */
	uint32_t ifindex; /* of the interface that packets leave by (a VLAN's parent, if `vlan`) */
	uint8_t destination[6];        /* MAC of gateway or host */
	uint8_t source[6];             /* MAC of the interface */
	uint16_t vlan;                 /* 0: none */
	uint16_t mtu_bytes;            /* of the route or the interface, the smaller */
	struct address source_address; /* preferred source of the route */
};

/* Must not call back into this module. */
typedef void (*nexthop_change_fn)(void *ctx, uint32_t id, const struct nexthop_result *result);

EBB_MUST_CHECK int nexthops_new(struct ev_loop *loop, nexthop_change_fn on_change, void *ctx,
				struct err *err, struct nexthops **ret_nexthops);
/* Starts to follow `address` under `id`, 0..BACKENDS_MAX (or changes it). The first answer may come
 * from within the call. Having no route is an answer, not an error. -ERANGE, -ENOMEM. */
EBB_MUST_CHECK int nexthops_follow(struct nexthops *nexthops, uint32_t id,
				   const struct address *address, struct err *err);
void nexthops_forget(struct nexthops *nexthops, uint32_t id);
/* Re-reads links, routes and neighbours wholly; for tests, and when a notification was lost
 * (ENOBUFS). */
EBB_MUST_CHECK int nexthops_resync(struct nexthops *nexthops, struct err *err);
void nexthops_free(struct nexthops *nexthops);

#endif
