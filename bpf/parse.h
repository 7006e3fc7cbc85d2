/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef EBB_BPF_PARSE_H
#define EBB_BPF_PARSE_H
/*
 * parse: stage 1. A frame in, a `struct packet` out, or the verdict to pass it.
 *
 * Ethernet (IEEE 802.3; up to two tags, 802.1Q and 802.1ad), IPv4 with options (RFC 791), IPv6 with
 * hop-by-hop, routing, destination and fragment headers (RFC 8200), TCP (RFC 9293), UDP (RFC 768).
 * Whatever length a header claims must lie within the frame. A frame that lies below L4 passes:
 * whose it is cannot be told. A bad L4 header is only noted here: whether it is ours, the next
 * stage knows.
 */
#include "bpf/packet.h"

#define PARSE_EXTENSIONS_MAX 6
#define PARSE_OFFSET_MASK    0x3fff /* six headers of at most 2,048 bytes behind 40 */

#define IPV6_HOP_BY_HOP  0
#define IPV6_ROUTING     43
#define IPV6_FRAGMENT    44
#define IPV6_DESTINATION 60

/* The frame's end for headers is that of its linear part; for lengths, of all its buffers. */
static __always_inline bool parse_length_lies(struct xdp_md *ctx, const struct packet *packet,
					      const void *l3, const void *data_end)
{
	if (packet->length <= (__u64)(data_end - l3))
		return false;
	return packet->l3_offset + packet->length > bpf_xdp_get_buff_len(ctx);
}

static __always_inline void parse_tcp(struct packet *packet, const void *l4, __u32 rest)
{
	const __u8 *tcp = l4;
	__u32 header = (tcp[12] >> 4) * 4;

	packet->tcp_flags = tcp[13];
	packet->l4_bad = header < sizeof(struct tcphdr) || header > rest;
	packet->sums_known = 1;
}

static __always_inline void parse_udp(struct packet *packet, const void *l4, __u32 rest)
{
	const struct udphdr *udp = l4;
	__u32 length = bpf_ntohs(udp->len);

	packet->l4_bad =
		length < sizeof(*udp) || (packet->fragment == FRAGMENT_WHOLE && length > rest);
	packet->sums_known = udp->check && length == rest;
}

/* Reads what the L4 header tells of the flow. Nothing to do for protocols that no service has. */
static __always_inline enum verdict parse_l4(struct packet *packet, const void *l3,
					     const void *data_end)
{
	const void *l4 = l3 + packet->l4_offset;
	__u32 rest = packet->length - packet->l4_offset;
	__u32 header;

	packet->tcp_flags = packet->l4_bad = packet->sums_known = packet->quoted = 0;
	packet->ports = 0;
	if (!packet_has_ports(packet))
		return VERDICT_CONTINUE;
	header = packet->protocol == IPPROTO_TCP ? sizeof(struct tcphdr) : sizeof(struct udphdr);
	if (rest < 4 || l4 + 4 > data_end)
		return VERDICT_PASS_MALFORMED;
	packet->ports = *(const __u32 *)l4;
	if (rest < header) {
		packet->l4_bad = 1;
		return VERDICT_CONTINUE;
	}
	if (packet->protocol == IPPROTO_TCP) {
		if (l4 + sizeof(struct tcphdr) > data_end)
			return VERDICT_PASS_MALFORMED;
		parse_tcp(packet, l4, rest);
	} else {
		if (l4 + sizeof(struct udphdr) > data_end)
			return VERDICT_PASS_MALFORMED;
		parse_udp(packet, l4, rest);
	}
	if (packet->fragment != FRAGMENT_WHOLE)
		packet->sums_known = 0;
	return VERDICT_CONTINUE;
}

/* `place`: its offset in units of 8 bytes; `length`: of what is fragmented. A first one that ends
 * within a unit ends with it. */
static __always_inline void parse_fragment(struct packet *packet, __u32 place, __u32 length)
{
	packet->fragment = place ? FRAGMENT_LATER : FRAGMENT_FIRST;
	packet->fragment_place = place ? place : (length + 7) / 8;
}

static __always_inline enum verdict parse_ipv4(struct xdp_md *ctx, struct packet *packet,
					       const void *l3, const void *data_end)
{
	const struct iphdr *ip = l3;
	__u32 header;

	if (l3 + sizeof(*ip) > data_end || ip->version != 4)
		return VERDICT_PASS_MALFORMED;
	header = ip->ihl * 4;
	packet->is_ipv4 = 1;
	packet->length = bpf_ntohs(ip->tot_len);
	packet->l4_offset = header;
	packet->tos = ip->tos;
	packet->protocol = ip->protocol;
	packet->extended = header != sizeof(*ip);
	packet->fragment = FRAGMENT_WHOLE;
	packet->fragment_id = packet->fragment_place = 0;
	if (ip->frag_off & bpf_htons(0x3fff)) {
		packet->fragment_id = ip->id;
		parse_fragment(packet, bpf_ntohs(ip->frag_off) & 0x1fff,
				    packet->length - header);
	}
	address_set_ipv4(&packet->source, ip->saddr);
	address_set_ipv4(&packet->destination, ip->daddr);
	if (header < sizeof(*ip) || packet->length < header ||
	    parse_length_lies(ctx, packet, l3, data_end))
		return VERDICT_PASS_MALFORMED;
	return parse_l4(packet, l3, data_end);
}

/* Walks the extension headers. At their end, packet->protocol is the L4 protocol, or IPPROTO_RAW.
 */
static __always_inline enum verdict parse_extensions(struct packet *packet, const void *l3,
						     const void *data_end)
{
	__u32 offset = sizeof(struct ipv6hdr);
	__u8 protocol = packet->protocol;

	for (int i = 0; i <= PARSE_EXTENSIONS_MAX; i++) {
		const __u8 *header = l3 + offset;

		if (protocol != IPV6_HOP_BY_HOP && protocol != IPV6_ROUTING &&
		    protocol != IPV6_FRAGMENT && protocol != IPV6_DESTINATION) {
			packet->protocol = protocol;
			packet->l4_offset = offset;
			return VERDICT_CONTINUE;
		}
		if (i == PARSE_EXTENSIONS_MAX)
			break;
		packet->extended = 1;
		if (offset + 8 > packet->length || (void *)header + 8 > data_end)
			return VERDICT_PASS_MALFORMED;
		if (protocol == IPV6_FRAGMENT) {
			__u16 place = *(const __u16 *)(header + 2);

			offset += 8;
			if (place & bpf_htons(0xfff9)) {
				packet->fragment_id = *(const __u32 *)(header + 4);
				parse_fragment(packet, bpf_ntohs(place) >> 3,
						    packet->length - offset);
			}
		} else {
			/* Segments left: it is on its way to someone else. */
			if (protocol == IPV6_ROUTING && header[3])
				return VERDICT_PASS_NOT_OURS;
			offset += (header[1] + 1) * 8;
		}
		protocol = header[0];
		if (offset > packet->length)
			return VERDICT_PASS_MALFORMED;
		if (packet->fragment == FRAGMENT_LATER) {
			packet->protocol = protocol;
			packet->l4_offset = offset;
			return VERDICT_CONTINUE;
		}
	}
	return VERDICT_PASS_HEADER_CHAIN;
}

static __always_inline enum verdict parse_ipv6(struct xdp_md *ctx, struct packet *packet,
					       const void *l3, const void *data_end)
{
	const struct ipv6hdr *ip = l3;
	enum verdict verdict;
	__u32 first;

	if (l3 + sizeof(*ip) > data_end || ip->version != 6)
		return VERDICT_PASS_MALFORMED;
	first = bpf_ntohl(*(const __u32 *)ip);
	packet->is_ipv4 = 0;
	packet->length = bpf_ntohs(ip->payload_len) + sizeof(*ip);
	packet->l4_offset = sizeof(*ip);
	packet->tos = first >> 20;
	packet->protocol = ip->nexthdr;
	packet->extended = 0;
	packet->fragment = FRAGMENT_WHOLE;
	packet->fragment_id = packet->fragment_place = 0;
	address_load(&packet->source, &ip->saddr);
	address_load(&packet->destination, &ip->daddr);
	if (parse_length_lies(ctx, packet, l3, data_end))
		return VERDICT_PASS_MALFORMED;
	if (packet->protocol != IPPROTO_TCP && packet->protocol != IPPROTO_UDP) {
		verdict = parse_extensions(packet, l3, data_end);
		if (verdict != VERDICT_CONTINUE)
			return verdict;
		/* However many headers were walked, the rest is verified once. */
		PACKET_FORGET(packet->protocol, packet->length);
		PACKET_FORGET(packet->fragment, packet->length);
		PACKET_FORGET(packet->fragment_id, packet->length);
		PACKET_FORGET(packet->fragment_place, packet->length);
		PACKET_FORGET(packet->extended, packet->length);
		PACKET_FORGET(packet->l4_offset, packet->length);
		packet->l4_offset &= PARSE_OFFSET_MASK;
	}
	return parse_l4(packet, l3, data_end);
}

static __always_inline enum verdict parse(struct xdp_md *ctx, struct packet *packet)
{
	void *data = (void *)(long)ctx->data, *data_end = (void *)(long)ctx->data_end;
	__u32 type = wire_ethernet(data, data_end, &packet->l3_offset);

	if (type == bpf_htons(ETH_P_IP))
		return parse_ipv4(ctx, packet, packet_l3(ctx, packet), data_end);
	if (type == bpf_htons(ETH_P_IPV6))
		return parse_ipv6(ctx, packet, packet_l3(ctx, packet), data_end);
	return VERDICT_PASS_NOT_IP;
}

#endif
