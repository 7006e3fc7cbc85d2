/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_MAPS_SIGNALS_H
#define EBB_MAPS_SIGNALS_H
/*
 * signals: what the edge sees of handshakes. It sees only the client's side, and that is enough: a SYN, and the ACK that
 * answers the backend's SYN-ACK. Both maps are written by the data plane alone and survive restarts.
 *
 * One of HANDSHAKE_SAMPLE flows is followed, chosen by its hash. Its SYN takes the one place in `handshakes` that its hash
 * names, unless another flow's handshake is under way there: that one is left in peace, so that what is followed is
 * followed to its end, and a flood can only make the sample thinner. Hence, for each backend and at every moment,
 *
 *   begun = completed + reset + timed_out + (entries of `handshakes` that name it)
 *
 * and an entry older than HANDSHAKE_TIMEOUT_NS is one that timed out, and that nobody has cleared yet.
 */
#include "maps/types.h"

#define HANDSHAKE_SAMPLE     4		 /* one in so many flows; a power of two, at most 16 */
#define HANDSHAKE_TIMEOUT_NS 1000000000u /* a client's first retransmission (RFC 6298) comes after 1 s */
#define HANDSHAKES_MAX	     16384
#define SIGNALS_BUCKETS	     22

/* A handshake under way: one word, so that it is never half of two. All zero: none. */
struct handshake {
	__u32 began;	   /* CLOCK_MONOTONIC in steps of 1,024 ns, modulo 2^32 (73 minutes) */
	__u16 backend;	   /* BACKEND_NONE: free */
	__u16 fingerprint; /* 15 bits of the flow's hash; HANDSHAKE_AGAIN */
} __attribute__((aligned(8)));
static_assert(sizeof(struct handshake) == 8, "handshake is one word");

#define HANDSHAKE_AGAIN 0x8000 /* its SYN came twice: the time between is nobody's round trip (Karn) */

/* A backend's; same index as `backends`. Of the sample only. Two cache lines. */
struct backend_signals {
	__u64 begun;
	__u64 completed;
	__u64 retransmitted; /* the SYN came again; not in the sum above */
	__u64 timed_out;     /* found when the place was wanted for another; the rest still stands in `handshakes` */
	__u64 reset;	     /* by the client: it got an answer that it did not ask for. No failure of the backend's */
	__u32 took[SIGNALS_BUCKETS]; /* completed ones by time: [i] took less than 2^i us, and 2^(i-1) or more; the last
				      * also what took longer */
};
static_assert(sizeof(struct backend_signals) == 128, "backend_signals");
static_assert(offsetof(struct backend_signals, took) == 40, "backend_signals.took");

#endif
