/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_MAPS_SERVICE_H
#define EBB_MAPS_SERVICE_H
/*
 * service: what a VIP does with its packets. One cache line, all that the fast path needs of service and pool.
 *
 * Two arrays hold them, each in two halves (settings.h), each half a cuckoo table that the controller lays out:
 * an entry with key K is at hash_service(K) position 1 or 2, nowhere else. So a look-up is at most two
 * inlined array accesses.
 *   services   key (address, port, protocol). Port 0: any port. For every address that has a service there is also a
 *              SERVICE_KIND_ADDRESS entry with port 0 and protocol 0, which says whether any-port
 *              entries exist, and that echo requests to this address are ours.
 *   service_filter  bits in words, two halves likewise: bit hash_filter() of each address that has a marker (length 0), and
 *              of each prefix (its length). Where it is 0 there is nothing to look up, so that what is for nobody costs a
 *              line of 4 KiB and no table. Where it is 1, look.
 *   prefixes   key (masked address, prefix length, protocol 0). The data plane tries the lengths of settings, longest first.
 */
#include "maps/types.h"

enum service_kind {
	SERVICE_KIND_EMPTY,   /* no entry here */
	SERVICE_KIND_PORT,    /* exact port */
	SERVICE_KIND_ANY_PORT,
	SERVICE_KIND_PREFIX,
	SERVICE_KIND_ADDRESS, /* marker: this address is a VIP; `flags` says of what */
	SERVICE_KIND__COUNT,
};

enum affinity {
	AFFINITY_FLOW,	  /* addresses, ports, protocol */
	AFFINITY_SOURCE,  /* client address */
	AFFINITY_SANDBOX, /* destination address; with SERVICE_SANDBOX_PORT also the port */
	AFFINITY_QUIC,	  /* connection ID, else as FLOW */
	AFFINITY_NONE,	  /* as FLOW, but never tracked and without second hop */
	AFFINITY__COUNT,
};

enum encap {
	ENCAP_IPIP,
	ENCAP_GUE,
	ENCAP_L2,
	ENCAP__COUNT,
};

enum track {
	TRACK_MOVED,
	TRACK_ALWAYS,
	TRACK_NEVER,
	TRACK__COUNT,
};

#define SERVICE_HAS_ANY_PORT_TCP 0x01 /* on SERVICE_KIND_ADDRESS */
#define SERVICE_HAS_ANY_PORT_UDP 0x02
#define SERVICE_SANDBOX_PORT	 0x04 /* a sandbox is (address, port), not address */
#define SERVICE_CHECKSUM_ZERO	 0x08 /* outer UDP checksum 0 over IPv6 (RFC 6935) */
#define SERVICE_TRACK_UDP	 0x10 /* TRACK_ALWAYS for UDP: an unconnected socket cannot claim a flow */

struct service {
	struct address address; /* of a prefix: masked */
	__be16 port_be;
	__u8 protocol; /* IPPROTO_TCP, IPPROTO_UDP; 0 on markers, and on prefixes: both */
	__u8 kind;     /* enum service_kind */
	__u8 prefix_length; /* 0..128, of the 16-byte form (96 + length for IPv4) */
	__u8 affinity;	    /* enum affinity */
	__u8 encap;	    /* enum encap */
	__u8 track;	    /* enum track */
	__u16 id;	    /* index into service_stats */
	__u16 pool;	    /* index into pools */
	__u8 flags;	    /* SERVICE_* */
	__u8 quic_server_id_length; /* bytes; AFFINITY_QUIC */
	__u8 reserved[2];
	__u32 slot_base;  /* this pool's first entry in `slots` */
	__u32 slot_count; /* 0: empty pool, drop and count */
	__u32 reserved2[6];
};
static_assert(sizeof(struct service) == 64, "service is one cache line");
static_assert(offsetof(struct service, port_be) == 16, "service.port_be");
static_assert(offsetof(struct service, id) == 24, "service.id");
static_assert(offsetof(struct service, slot_base) == 32, "service.slot_base");

/* One entry a pool, for people and for adoption after a restart. The fast path reads the copies in `struct service`. */
struct pool {
	char name[32];	  /* NUL-terminated, cut */
	__u32 slot_base;
	__u32 slot_count; /* 0: this id is free */
	__u32 backends;	  /* that hold at least one slot */
	__u32 unsettled;  /* slots with a secondary, as of the last publish */
	__u64 digest;	  /* hash over all primaries; equal weights, equal digests */
	__u64 generation; /* counts publishes */
};
static_assert(sizeof(struct pool) == 64, "pool");

#endif
