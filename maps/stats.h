/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_MAPS_STATS_H
#define EBB_MAPS_STATS_H
/* stats: per-CPU counters. The data plane adds, user space sums; none decides a packet's fate. */
#include "maps/types.h"

struct backend_stats {
	__u64 packets;	 /* encapsulated towards it */
	__u64 bytes;	 /* of the inner packets, from the IP header on */
	__u64 new_flows; /* TCP SYNs (without ACK) sent to it */
	__u64 kept;	 /* packets that the flow table or a former owner kept here */
};
static_assert(sizeof(struct backend_stats) == 32, "backend_stats");

struct service_stats {
	__u64 packets;
	__u64 bytes;
	__u64 new_flows;
	__u64 dropped;
};
static_assert(sizeof(struct service_stats) == 32, "service_stats");

struct verdict_stats {
	__u64 packets;
	__u64 bytes; /* of frames as they arrived */
};
static_assert(sizeof(struct verdict_stats) == 16, "verdict_stats");

#endif
