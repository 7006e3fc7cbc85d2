/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_MAPS_FLOW_H
#define EBB_MAPS_FLOW_H
/*
 * flow: a note that a flow belongs to a backend. `flows` and `nursery` are set-associative caches in arrays: one set is
 * one cache line of eight ways, shared by all CPUs, without locks: a way is read and written as one 8-byte word, a lost
 * race loses one note. Both survive restarts.
 *
 * A flow is noted in `nursery` first, newest in front; its second packet moves the note to `flows`. So whoever sends
 * first packets without end displaces first packets only.
 */
#include "maps/types.h"

#define FLOW_WAYS 8

#define FLOW_SEEN_TIME	 0x3fff /* coarse time of the last packet: jiffies / 512 */
#define FLOW_SEEN_AGAIN	 0x4000 /* more than the first packet was seen */
#define FLOW_SEEN_CLOSED 0x8000 /* FIN or RST was seen */

struct flow {
	__u32 fingerprint; /* of the keyed flow hash; the set index takes other bits of it */
	__u16 backend;	   /* BACKEND_NONE: free */
	__u16 seen;	   /* FLOW_SEEN_* */
} __attribute__((aligned(8)));
static_assert(sizeof(struct flow) == 8, "flow");

struct flow_set {
	struct flow way[FLOW_WAYS];
};
static_assert(sizeof(struct flow_set) == 64, "flow_set is one cache line");

#endif
