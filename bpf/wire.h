/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef EBB_BPF_WIRE_H
#define EBB_BPF_WIRE_H
/*
 * wire: numbers and small helpers of the wire formats that both programs read. No maps, no
 * decisions.
 *
 * Headers are read as words through pointers to packet memory: x86 and arm64 load them unaligned,
 * and the verifier allows it there. Words are composed for little-endian machines.
 */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <stdbool.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include "maps/types.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "header words are composed for little-endian machines"
#endif

#define IPV6_HOP_BY_HOP  0
#define IPV6_ROUTING     43
#define IPV6_FRAGMENT    44
#define IPV6_DESTINATION 60

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

#define ECN_MASK 0x03
#define ECN_CE   0x03

#define GUE_PORT      6080
#define GUE_HOPS_IPV4 0 /* type of the private data */
#define GUE_HOPS_IPV6 1
#define GUE_FORWARD_SYN 0x08 /* in the first byte of the private data: a SYN, too, goes to the next hop */

static __always_inline __u32 address_word(const struct address *address, int i)
{
	return ((const __u32 *)address->bytes)[i];
}

static __always_inline void address_set_word(struct address *address, int i, __u32 word)
{
	((__u32 *)address->bytes)[i] = word;
}

static __always_inline void address_set_ipv4(struct address *address, __be32 ipv4)
{
	address_set_word(address, 0, 0);
	address_set_word(address, 1, 0);
	address_set_word(address, 2, bpf_htonl(0xffff));
	address_set_word(address, 3, ipv4);
}

static __always_inline void address_load(struct address *address, const void *ipv6)
{
	for (int i = 0; i < 4; i++)
		address_set_word(address, i, ((const __u32 *)ipv6)[i]);
}

static __always_inline bool address_equal(const struct address *a, const struct address *b)
{
	__u32 difference = 0;

	for (int i = 0; i < 4; i++)
		difference |= address_word(a, i) ^ address_word(b, i);
	return !difference;
}

static __always_inline __u16 sum_fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/*
 * EtherType behind up to two tags, in network order, 0 if the frame is cut; the offset of what
 * follows. The offset is a difference of pointers, so that the verifier has one unknown number to
 * follow and not three known ones.
 */
static __always_inline __u32 wire_ethernet(const void *data, const void *data_end,
					   __u32 *ret_offset)
{
	const struct ethhdr *eth = data;
	const void *l3 = data + sizeof(*eth);
	__u64 offset;
	__u16 type;

	if (l3 > data_end)
		return 0;
	type = eth->h_proto;
#pragma unroll
	for (int tag = 0; tag < 2; tag++) {
		if (type != bpf_htons(ETH_P_8021Q) && type != bpf_htons(ETH_P_8021AD))
			break;
		if (l3 + 4 > data_end)
			return 0;
		type = *(const __u16 *)(l3 + 2);
		l3 += 4;
	}
	__asm__ volatile("" : "+r"(l3));
	offset = l3 - data;
	*ret_offset = offset & 31;
	return type;
}

#endif
