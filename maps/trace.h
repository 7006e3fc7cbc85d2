/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_MAPS_TRACE_H
#define EBB_MAPS_TRACE_H
/*
 * trace: a sample of packets with their verdicts, in the ring buffer `trace`. Written by the data plane while
 * settings.trace_rate is not 0 and CLOCK_MONOTONIC is below settings.trace_until_ns, which the one reader (`ebb trace`)
 * moves on: one that died leaves a trace that ends by itself.
 */
#include "maps/types.h"

#define TRACE_BYTES	  128
#define TRACE_RING_BYTES  524288   /* some 3,000 records; a full ring loses new ones */
#define TRACE_RATE_MAX	  1000000

struct trace_record {
	__u64 time_ns;	   /* CLOCK_MONOTONIC */
	__u32 ifindex;	   /* that it came in on */
	__u32 length;	   /* of the frame */
	__u16 verdict;	   /* enum verdict */
	__u16 captured;	   /* at most TRACE_BYTES */
	__u32 reserved;
	__u8 bytes[TRACE_BYTES]; /* the frame as it leaves: with outer headers, if it was forwarded */
};
static_assert(sizeof(struct trace_record) == 24 + TRACE_BYTES, "trace_record");
static_assert(offsetof(struct trace_record, bytes) == 24, "trace_record.bytes");

#endif
