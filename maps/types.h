/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_MAPS_TYPES_H
#define EBB_MAPS_TYPES_H
/*
 * types: what kernel and user space both include. Fixed-width types, host byte order unless the name
 * ends in _be. Addresses are 16 bytes in network order; IPv4 is written as IPv4-mapped IPv6
 * (::ffff:a.b.c.d, RFC 4291 section 2.5.5.2), so that one table holds both families.
 */
#include <linux/types.h>

#ifndef __bpf__
#include <assert.h>
#include <stddef.h>
#else
#define static_assert _Static_assert
#ifndef offsetof
#define offsetof(type, member) __builtin_offsetof(type, member)
#endif
#endif

/* The layout of all maps together: of what bytes mean where a size does not tell. A map whose values grew at their end needs no new one
 * (controller/migrate.h). A daemon refuses to adopt maps of another layout. */
#define MAPS_LAYOUT 1

#define BACKEND_NONE	    0	    /* ids start at 1; 0 is "no backend" in every map */
#define BACKENDS_MAX	    65535   /* a slot names a backend by 16 bits */
#define POOLS_MAX	    64	    /* pool ids 0..63 */
#define SERVICES_MAX	    4096    /* service ids 0..4095 */
#define SERVICES_TABLE_SIZE 16384   /* entries of one half of `services`; a power of two, at most 65536 */
#define PREFIXES_TABLE_SIZE 4096    /* entries of one half of `prefixes`; a power of two */
#define SERVICE_FILTER_WORDS 512    /* of one half of `service_filter`: 32,768 bits */
#define PREFIX_LENGTHS_MAX  8	    /* distinct prefix lengths a family */
#define NEXTHOPS_MAX	    4096
#define SLOTS_MAX	    8388608 /* over all pools */
#define POOL_SLOTS_MAX	    4194304
#define SANDBOXES_MAX	    1048576
#define NURSERY_SETS	    16384  /* of 8 flows; a power of two */
#define PORTS_MAX	    64 /* interfaces that packets may leave by */

/* Sizes of maps whose size the configuration may set. */
#define SLOTS_DEFAULT	    1048576
#define BACKENDS_DEFAULT    16384
#define FLOW_SETS_DEFAULT   131072 /* of 8 flows; always a power of two */
#define SANDBOX_SETS_DEFAULT 165176 /* of 8 sandboxes; the controller counts anew */

struct address {
	__u8 bytes[16]; /* network order, IPv4 as ::ffff:a.b.c.d */
} __attribute__((aligned(4))); /* so that BPF reads words */

#endif
