/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_TESTS_BENCH_WRAP_H
#define EBB_TESTS_BENCH_WRAP_H
/* wrap: what bench_xdp tells the wrapper program about the packets to make. */
#include "maps/types.h"

#define WRAP_IPV4_BYTES 62 /* Ethernet, IPv4, 28 bytes of L4: 14 and whole words */
#define WRAP_IPV6_BYTES 82

struct wrap {
	__u64 next;             /* runs so far; the flow comes of it */
	__u32 flow_mask;        /* number of flows - 1 */
	__u32 destination_mask; /* number of destination addresses - 1 */
	__u32 source;           /* last word of the first source address, host order */
	__u32 destination;      /* the same of the destination */
	__be16 port_be;
	__u8 is_ipv4;
	__u8 is_random;    /* flows in no order, out of 2^47 */
	__u16 source_port; /* the least, host order; at most 32768 */
	__u8 in_pairs;     /* each flow sends a SYN and an ACK, one after the other */
	__u8 reserved;
	__u8 frame[96]; /* the IP header at 16, so that words are aligned; Ethernet before, its type
			   at 12 */
};
static_assert(offsetof(struct wrap, frame) == 32, "wrap.frame");

#endif
