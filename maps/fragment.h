/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_MAPS_FRAGMENT_H
#define EBB_MAPS_FRAGMENT_H
/*
 * fragment: a note of a first fragment, so that the later ones, which carry no ports, become the same flow and meet the
 * same fate. `fragments` is a set-associative cache in an array as `flows` is: four ways in a cache line, shared by all
 * CPUs, no locks. Written and read by the data plane alone; what is lost costs a datagram.
 *
 * The key is what reassembly goes by: addresses and identification, and the protocol in IPv4 (RFC 791, RFC 8200
 * section 4.5), as a keyed hash of 64 bits: the set takes the low ones, `tag` and `fingerprint` the others. They
 * stand in different words, so that halves of two notes are no note.
 */
#include "maps/types.h"

#define FRAGMENT_WAYS 4
#define FRAGMENT_SETS 4096 /* 16,384 datagrams on their way at once, 256 KiB; a power of two */
#define FRAGMENT_LIFE 15   /* units of 2^30 ns, some 16 s: RFC 791 proposes 15 s for reassembly */

enum fragment_fate {
	FRAGMENT_FATE_NONE,   /* no note here */
	FRAGMENT_FATE_FLOW,   /* a packet of the flow (addresses, ports, protocol) */
	FRAGMENT_FATE_ANSWER, /* of an echo request that is answered */
	FRAGMENT_FATE_PASS,   /* not ours, though the address is */
	FRAGMENT_FATE__COUNT,
};

struct fragment_note {
	__u32 fingerprint;
	__u32 ports;   /* first word of the L4 header, as in memory; 0 where the protocol has no ports */
	__u16 tag;
	__u16 end;     /* where the first fragment ends, in units of 8 bytes */
	__u16 seen;    /* when: CLOCK_MONOTONIC in units of 2^30 ns, modulo 65536 */
	__u8 protocol; /* IPPROTO_*, behind all extension headers */
	__u8 fate;     /* enum fragment_fate */
} __attribute__((aligned(8)));
static_assert(sizeof(struct fragment_note) == 16, "fragment_note is two words");
static_assert(offsetof(struct fragment_note, tag) == 8, "fragment_note.tag");

struct fragment_set {
	struct fragment_note way[FRAGMENT_WAYS];
};
static_assert(sizeof(struct fragment_set) == 64, "fragment_set is one cache line");

#endif
