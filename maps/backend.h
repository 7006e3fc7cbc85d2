/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_MAPS_BACKEND_H
#define EBB_MAPS_BACKEND_H
/*
 * backend: where a node is and the parts of its outer header that never change. One cache line.
 *
 * Written by the controller before any slot names it; freed only after no slot does. Survives restarts: the daemon
 * finds its backends again by name (backend_names).
 */
#include "maps/types.h"

enum backend_state {
	BACKEND_STATE_FREE,   /* no backend here: never send */
	BACKEND_STATE_READY,
	BACKEND_STATE_DRAIN,  /* keeps its flows, gets no new ones */
	BACKEND_STATE_MAINT,  /* as drain; by operator */
	BACKEND_STATE__COUNT,
};

struct backend {
	struct address address; /* outer destination */
	struct address source;	/* outer source, same family */
	__u32 nexthop;		/* index into nexthops; 0: unresolved, drop and count */
	__u16 path_mtu_bytes;	/* largest outer packet (IP) towards it */
	__u8 state;		/* enum backend_state */
	__u8 family;		/* 4 or 6: of the outer header */
	__u16 ip_sum;		/* folded one's complement sum of the fixed words of the IPv4 outer header: version and
				 * IHL, DF, TTL 64, addresses; TOS, length and protocol are zero. RFC 1071; as loaded from
				 * memory, that is, in network order */
	__u16 address_sum;	/* folded sum of source and destination address alone (pseudo-header), same form */
	__u16 id;		/* its own index */
	__u8 down;		/* 1: plainly dead by its probes. Its noted flows still go there; a flow that is
				 * not noted tries the slot's primary first */
	__u8 reserved1;
	__u32 reserved[4];
};
static_assert(sizeof(struct backend) == 64, "backend is one cache line");
static_assert(offsetof(struct backend, nexthop) == 32, "backend.nexthop");
static_assert(offsetof(struct backend, ip_sum) == 40, "backend.ip_sum");

/* backend_names: for people and for adoption; same index as backends. The fast path never reads it. */
struct backend_name {
	char name[64];	   /* NUL-terminated */
	char provider[32];
	char region[32];
	__u32 capacity;
	__u32 health_ppm;  /* smoothed health x 1e6, as of the last tick that changed it */
	__u64 written_ns;  /* CLOCK_BOOTTIME */
};
static_assert(sizeof(struct backend_name) == 144, "backend_name");

/*
 * nexthop: the Ethernet header of what leaves, resolved by the controller. An entry that a backend names is never
 * changed in place: a new MAC gets a new entry and backends are pointed at it by one store.
 */
struct nexthop {
	__u32 ifindex; /* 0: free */
	__u8 destination[6];
	__u8 source[6];
	__u16 vlan;	 /* VLAN id to tag with, 0: none */
	__u16 mtu_bytes; /* of the interface */
	__u32 port;	 /* index into `ports` (devmap) */
	__u32 reserved[2];
};
static_assert(sizeof(struct nexthop) == 32, "nexthop");

#endif
