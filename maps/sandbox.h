/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_MAPS_SANDBOX_H
#define EBB_MAPS_SANDBOX_H
/*
 * sandbox: on which backend one address of a prefix service lives, and where it lived before. Written by the controller,
 * read by the data plane, survives restarts by its pin alone.
 */
#include "maps/types.h"

struct sandbox_key {
	struct address address;
	__be16 port_be; /* 0: all ports */
	__u16 service;	/* service id */
};
static_assert(sizeof(struct sandbox_key) == 20, "sandbox_key");

struct sandbox {
	__u16 backend;
	__u16 former; /* BACKEND_NONE once the move has settled; second hop */
	__u32 moved;  /* seconds of CLOCK_BOOTTIME; 0: never moved */
	__u64 born_ns; /* CLOCK_REALTIME */
};
static_assert(sizeof(struct sandbox) == 16, "sandbox");

/*
 * What packets read of it: `sandbox_index`, made by the controller of `sandboxes` alone at every start, in force while
 * settings.sandbox_sets says so. A sandbox is in one way of its first set, tagged by 31 bits of its key's hash, or of its
 * second set, then with SANDBOX_SECOND. A way is one 8-byte store. The tag is no key: an address that was not placed is
 * taken for a placed one with a probability of some 2^-28. Two placed ones of equal tag and sets share a way that says
 * "ask `sandboxes`".
 */
#define SANDBOX_WAYS   8
#define SANDBOX_SECOND 0x80000000u /* of a tag */

struct sandbox_way {
	__u32 tag;     /* 0: free */
	__u16 backend; /* BACKEND_NONE: ask `sandboxes` */
	__u16 former;
} __attribute__((aligned(8)));
static_assert(sizeof(struct sandbox_way) == 8, "sandbox_way is one store");

struct sandbox_set {
	struct sandbox_way way[SANDBOX_WAYS];
};
static_assert(sizeof(struct sandbox_set) == 64, "sandbox_set is one cache line");

#endif
