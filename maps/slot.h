/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_MAPS_SLOT_H
#define EBB_MAPS_SLOT_H
/*
 * slot: which backend a hash value goes to, and who had it before. 8 bytes, written by the controller in one
 * aligned 8-byte store through the mmap-ed `slots`, so that a packet never sees half an entry.
 *
 * Settled (secondary == BACKEND_NONE): primary, no state. Unsettled: the flow table is asked, the former owners are
 * the second hops (secondary, then `home` where it is a third one).
 */
#include "maps/types.h"

struct slot {
	__u16 primary;	 /* BACKEND_NONE: nobody can take it; drop and count */
	__u16 secondary; /* last owner, BACKEND_NONE once settled */
	__u16 home;	 /* owner when all is healthy; while unsettled, who had all flows when it was last settled */
	__u16 moved;	 /* when it last changed owner: seconds of CLOCK_BOOTTIME modulo 65536; 0 is written as 1 */
} __attribute__((aligned(8)));
static_assert(sizeof(struct slot) == 8, "slot is one store");

#endif
