/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_NEXTHOP_NETLINK_H
#define EBB_NEXTHOP_NETLINK_H
/*
 * nexthop_netlink: rtnetlink (RFC 3549) as plain structs. One socket asks and waits for the answer
 * (the kernel answers within the send, so this never blocks on anything else), the other one only
 * listens. Keeps no state but the sockets.
 */
#include <stdbool.h>
#include <stdint.h>

#include "controller/err.h"
#include "maps/types.h"

struct nlmsghdr;

struct nexthop_link {
	uint32_t ifindex;
	uint32_t parent; /* ifindex of what a VLAN lies on, else 0 */
	uint8_t mac[6];
	uint16_t vlan; /* id, 0: no VLAN */
	uint16_t mtu_bytes;
	bool ethernet, up; /* up: switched on and with carrier */
};

struct nexthop_route {
	bool found;
	uint32_t ifindex;
	struct address gateway; /* the destination itself if it is on-link */
	struct address source;  /* preferred source */
	uint16_t mtu_bytes;     /* of the route; 0: the interface's */
};

struct nexthop_neighbour {
	uint32_t ifindex;
	struct address address;
	uint8_t mac[6];
	bool has_mac;
	uint16_t nud; /* NUD_*; 0: no such entry */
};

enum nexthop_event_kind {
	NEXTHOP_EVENT_LINK,
	NEXTHOP_EVENT_LINK_GONE,
	NEXTHOP_EVENT_NEIGHBOUR, /* nud 0: it was deleted */
	NEXTHOP_EVENT_ROUTE,     /* for `prefix`, came or went */
	NEXTHOP_EVENT_OTHER,     /* addresses, rules: any route may be another now */
	NEXTHOP_EVENT__COUNT,
};

struct nexthop_event {
	enum nexthop_event_kind kind;
	struct nexthop_link link;
	struct nexthop_neighbour neighbour;
	struct {
		struct address address;
		uint8_t length; /* of the 16-byte form: 96 + n for IPv4 */
	} prefix;
};

/* What a notification or a dumped entry says. False: nothing for us. Pure. */
bool nexthop_netlink_parse(struct nlmsghdr *hdr, struct nexthop_event *ret_event);
/* The answer to a question for the route to `destination`. False: no route that a packet could take. Pure. */
bool nexthop_netlink_parse_route(struct nlmsghdr *hdr, const struct address *destination,
				 struct nexthop_route *ret_route);

typedef void (*nexthop_event_fn)(void *ctx, const struct nexthop_event *event);

struct nexthop_netlink;

EBB_MUST_CHECK int nexthop_netlink_open(nexthop_event_fn on_event, void *ctx, struct err *err,
					struct nexthop_netlink **ret_netlink);
void nexthop_netlink_close(struct nexthop_netlink *nl);
int nexthop_netlink_fd(const struct nexthop_netlink *nl); /* of the listening socket */

/* Hands what has come to `on_event`. 0; -ENOBUFS: some was lost, read everything anew; -errno. */
EBB_MUST_CHECK int nexthop_netlink_read(struct nexthop_netlink *nl);
/* All links, then all neighbours, as events. */
EBB_MUST_CHECK int nexthop_netlink_dump(struct nexthop_netlink *nl);

/* What the kernel would do with a packet to `destination`. No route is an answer: found is false.
 */
EBB_MUST_CHECK int nexthop_netlink_route(struct nexthop_netlink *nl,
					 const struct address *destination,
					 struct nexthop_route *ret_route);
EBB_MUST_CHECK int nexthop_netlink_neighbour(struct nexthop_netlink *nl, uint32_t ifindex,
					     const struct address *address,
					     struct nexthop_neighbour *ret_neighbour);
/* Tells the kernel that the neighbour is in use: it is resolved if it is missing, and probed if it
 * is stale. */
EBB_MUST_CHECK int nexthop_netlink_use(struct nexthop_netlink *nl, uint32_t ifindex,
				       const struct address *address);

#endif
