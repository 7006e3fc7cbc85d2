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

#endif
