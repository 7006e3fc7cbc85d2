/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef EBB_BPF_QUOTE_H
#define EBB_BPF_QUOTE_H
/*
 * quote: ICMP errors speak of a flow. They quote the packet that met with them, at least 8 bytes of
 * its L4 header (RFC 792, 4443); with direct return that is a packet of the backend to its client.
 * So the error is sent to the VIP, and belongs to the backend that holds the quoted flow.
 *
 * Takes a parsed packet; makes it stand for the quoted flow, seen from the client: source,
 * destination, ports and protocol are those that the client's packets have. The frame is not
 * changed.
 */
#include "bpf/packet.h"

#define ICMP_HEADER      8
#define QUOTE_OFFSET_MAX 0x7ff /* behind so many bytes of extension headers nothing is read */

static __always_inline bool quote_is_icmp(const struct packet *packet)
{
	return packet->fragment != FRAGMENT_LATER &&
	       packet->protocol == (packet->is_ipv4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
}

/* Type of an error that is the backend's to know: unreachable, too big, time exceeded, parameter
 * problem. */
static __always_inline bool quote_is_error(const struct packet *packet, __u8 type)
{
	if (packet->is_ipv4)
		return type == 3 || type == 11 || type == 12;
	return type >= 1 && type <= 4;
}

static __always_inline bool quote_ipv4(struct packet *packet, const void *quoted,
				       const void *data_end, const void **ret_l4)
{
	const struct iphdr *ip = quoted;

	if (quoted + sizeof(*ip) > data_end || ip->version != 4 || ip->ihl < 5 ||
	    ip->frag_off & bpf_htons(0x1fff) || ip->saddr != address_word(&packet->destination, 3))
		return false;
	address_set_ipv4(&packet->source, ip->daddr);
	packet->protocol = ip->protocol;
	*ret_l4 = quoted + ip->ihl * 4;
	return true;
}

/* A quoted packet with extension headers is not followed: backends send none. */
static __always_inline bool quote_ipv6(struct packet *packet, const void *quoted,
				       const void *data_end, const void **ret_l4)
{
	const struct ipv6hdr *ip = quoted;
	struct address sender;

	if (quoted + sizeof(*ip) > data_end || ip->version != 6)
		return false;
	address_load(&sender, &ip->saddr);
	if (!address_equal(&sender, &packet->destination))
		return false;
	address_load(&packet->source, &ip->daddr);
	packet->protocol = ip->nexthdr;
	*ret_l4 = quoted + sizeof(*ip);
	return true;
}

/* False: no error, or none that quotes a TCP or UDP packet of its own destination. Errors are not
 * fragmented. */
static __always_inline bool quote_read(struct packet *packet, const void *l3, const void *data_end)
{
	const __u8 *icmp = l3 + (packet->l4_offset & QUOTE_OFFSET_MAX);
	const void *quoted = icmp + ICMP_HEADER, *l4 = quoted;
	__u32 ports;
	bool is_quote;

	if (packet->fragment != FRAGMENT_WHOLE || packet->l4_offset > QUOTE_OFFSET_MAX || quoted > data_end ||
	    !quote_is_error(packet, icmp[0]))
		return false;
	if (packet->is_ipv4)
		is_quote = quote_ipv4(packet, quoted, data_end, &l4);
	else
		is_quote = quote_ipv6(packet, quoted, data_end, &l4);
	if (!is_quote || l4 + 8 > data_end || (__u64)(l4 + 8 - l3) > packet->length ||
	    (packet->protocol != IPPROTO_TCP && packet->protocol != IPPROTO_UDP))
		return false;
	ports = *(const __u32 *)l4;
	packet->ports = ports >> 16 | ports << 16;
	packet->tcp_flags = TCP_ACK;
	packet->quoted = 1;
	return true;
}

#endif
