/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_TESTS_BENCH_FLOOR_H
#define EBB_TESTS_BENCH_FLOOR_H
/* floor: the tables of the smallest load balancer. */
#include "maps/types.h"

#define FLOOR_SLOTS    65536
#define FLOOR_BACKENDS 2048
#define FLOOR_IPV6     1024

struct floor_backend {
	__u32 destination[4]; /* IPv4: the first word alone */
	__u32 source[4];
	__u32 macs[3];
	__u32 sum; /* of the IPv4 outer header but its length, folded; as in memory */
	__u32 reserved[4];
};
static_assert(sizeof(struct floor_backend) == 64, "floor_backend is one cache line");

#endif
