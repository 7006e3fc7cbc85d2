/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_NEXTHOP_NEIGHBOUR_H
#define EBB_NEXTHOP_NEIGHBOUR_H
/*
 * nexthop_neighbour: the neighbours that destinations need, by (interface, address), and their
 * upkeep. For nexthop.c.
 *
 * Takes the kernel's entries, gives a state. A MAC that was once known is given up only when the
 * kernel fails twice in a row to find its owner; an entry that went stale, was deleted or flushed
 * keeps it, and is asked for.
 */
#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "controller/nexthop_netlink.h"

#define NEIGHBOUR_BUCKETS 4096

enum neighbour_state {
	NEIGHBOUR_ASKED, /* no MAC yet */
	NEIGHBOUR_KNOWN,
	NEIGHBOUR_DOUBTED, /* known, then failed once: asked again before it is told */
	NEIGHBOUR_FAILED,
};

struct destination; /* nexthop.c */

struct neighbour {
	uint32_t ifindex;
	struct address address;
	uint8_t mac[6]; /* unless NEIGHBOUR_ASKED */
	enum neighbour_state state;
	struct destination *users; /* nexthop.c's list; not empty for long */
	/* The rest is this module's. */
	bool permanent; /* needs no asking */
	bool seen;      /* in the dump under way */
	ev_tstamp ask_at;
	double retry_s;
	struct neighbour *next; /* in its bucket */
};

struct neighbours {
	struct ev_loop *loop;
	struct nexthop_netlink *netlink;
	struct neighbour *buckets[NEIGHBOUR_BUCKETS];
};

void neighbours_init(struct neighbours *all, struct ev_loop *loop, struct nexthop_netlink *netlink);
/* NULL: not there. */
struct neighbour *neighbours_find(const struct neighbours *all, uint32_t ifindex,
				  const struct address *address);
/* One that is not there yet: reads the kernel's entry, asks if there is none. NULL: out of memory.
 */
struct neighbour *neighbours_add(struct neighbours *all, uint32_t ifindex,
				 const struct address *address);
void neighbours_remove(struct neighbours *all, struct neighbour *neighbour);
/* What a notification or a dump says of it. */
void neighbours_apply(struct neighbours *all, struct neighbour *neighbour,
		      const struct nexthop_neighbour *entry);
/* A link came up: who failed may be there now, and who was there may have another MAC. */
void neighbours_link_up(struct neighbours *all, uint32_t ifindex);
/* Asks for those whose time has come. To be called a few times a second. */
void neighbours_keep(struct neighbours *all);
/* Around a dump: whoever was not named in it is asked for. */
void neighbours_dump_begins(struct neighbours *all);
void neighbours_dump_ended(struct neighbours *all);

#endif
