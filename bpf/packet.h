/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef EBB_BPF_PACKET_H
#define EBB_BPF_PACKET_H
/*
 * packet: what the stages know of the packet in hand. parse.h fills it; nothing is written into the
 * frame before the last decision has fallen (outer.h), so what is not ours leaves as it came.
 *
 * Wire formats are read as words through pointers to packet memory: x86 and arm64 load them
 * unaligned, and the verifier allows it there. Little endian only, as everywhere in bpf/.
 */
#include "bpf/wire.h"
#include "maps/hash.h"
#include "maps/verdict.h"

enum fragment {
	FRAGMENT_WHOLE,
	FRAGMENT_FIRST,
	FRAGMENT_LATER, /* no L4 header */
};

struct packet {
	struct address source; /* of the flow as the client sends it */
	struct address destination;
	void *l3;        /* IP header; as all packet pointers, dead once the head has moved */
	__u32 l3_offset; /* bytes from the start of the frame: 14, 18 or 22 */
	__u32 l4_offset; /* bytes from the IP header */
	__u32 length;    /* bytes from the IP header on, without Ethernet's padding */
	__u32 ports;     /* first word of the L4 header, as in memory */
	__u32 fragment_id;    /* of fragments: identification, as in memory */
	__u16 fragment_place; /* in units of 8 bytes: where a first one ends, where a later one begins */
	__u8 is_ipv4;
	__u8 protocol; /* IPPROTO_* of the last header; IPPROTO_RAW: none that we know */
	__u8 tos;      /* DSCP and ECN */
	__u8 tcp_flags;
	__u8 fragment;   /* enum fragment */
	__u8 extended;   /* IPv6 extension headers or IPv4 options stand between */
	__u8 l4_bad;     /* the L4 header is cut or its length lies */
	__u8 quoted;     /* an ICMP error: the flow is the one that it quotes (quote.h) */
	__u8 sums_known; /* the L4 checksum is there, and covers the whole of the rest */
};

/* The IP header. The mask tells the verifier what it cannot know of a number that it has not
 * followed. */
static __always_inline void *packet_l3(const struct xdp_md *ctx, const struct packet *packet)
{
	return (void *)(long)ctx->data + (packet->l3_offset & 31);
}

static __always_inline __u16 packet_destination_port(const struct packet *packet)
{
	return packet->ports >> 16; /* network order */
}

static __always_inline bool packet_is_syn(const struct packet *packet)
{
	return packet->protocol == IPPROTO_TCP &&
	       (packet->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
}

static __always_inline bool packet_has_ports(const struct packet *packet)
{
	return packet->fragment != FRAGMENT_LATER &&
	       (packet->protocol == IPPROTO_TCP || packet->protocol == IPPROTO_UDP);
}

/* Whose flow it is can be told from its own ports. */
static __always_inline bool packet_is_simple(const struct packet *packet)
{
	return packet->fragment == FRAGMENT_WHOLE &&
	       (packet->protocol == IPPROTO_TCP || packet->protocol == IPPROTO_UDP);
}

/*
 * Makes the verifier forget what it has learnt of a number: x ^ y ^ y is x to the processor, and
 * any number to the verifier. Without it, each way through the parser is walked through the rest of
 * the program on its own.
 */
#define PACKET_FORGET(x, unknown)                                                                  \
	({                                                                                         \
		__u64 x_ = (x);                                                                    \
		__asm__ volatile("%0 ^= %1\n%0 ^= %1" : "+r"(x_) : "r"(unknown));                  \
		(x) = x_;                                                                          \
	})

static __always_inline void packet_forget(struct packet *packet, __u64 unknown)
{
	PACKET_FORGET(packet->length, unknown);
	PACKET_FORGET(packet->ports, unknown);
	PACKET_FORGET(packet->tcp_flags, unknown);
	PACKET_FORGET(packet->tos, unknown);
	PACKET_FORGET(packet->is_ipv4, unknown);
	PACKET_FORGET(packet->protocol, unknown);
	PACKET_FORGET(packet->fragment, unknown);
	PACKET_FORGET(packet->extended, unknown);
	PACKET_FORGET(packet->l4_bad, unknown);
	PACKET_FORGET(packet->sums_known, unknown);
}

#endif
