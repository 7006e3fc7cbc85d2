/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef EBB_BPF_TUNNEL_H
#define EBB_BPF_TUNNEL_H
/*
 * tunnel: the node's first stage. Is this frame encapsulated for us, and by whom? And its last:
 * taking the outer headers off.
 *
 * Reads what outer.h writes (its opening comment draws it): IP in IP in all four mixes, and GUE on
 * UDP port 6080 in both families, with or without hops. An outer header that we do not read
 * (fragments, IPv6 extension headers) passes: the stack may know it. From the moment a frame is
 * plainly a tunnel's, whatever contradicts itself is dropped.
 */
#include "bpf/wire.h"
#include "maps/node.h"

struct tunnel {
	struct address source;
	struct address destination;
	void *l3;        /* outer IP header */
	__u32 l2_length; /* 14, 18 or 22 */
	__u32 ip_length; /* of the outer IP header */
	__u32 length;    /* of everything before the inner packet, without Ethernet */
	__u32 total;     /* outer packet, as its IP header says */
	__u32 room;      /* for the inner packet */
	__u8 is_ipv4;
	__u8 inner_is_ipv4;
	__u8 tos;
	__u8 ttl;
	__u8 gue;
	__u8 hop_is_ipv4;
	__u8 hop_next; /* index of the next hop; hop_count: none is left */
	__u8 hop_count;
	__u8 forward_syn;
};

static __always_inline bool tunnel_protocol(struct tunnel *tunnel, __u8 protocol)
{
	tunnel->inner_is_ipv4 = protocol == IPPROTO_IPIP;
	return protocol == IPPROTO_IPIP || protocol == IPPROTO_IPV6;
}

/* GUE, version 0 (draft-ietf-intarea-gue-09 section 3), and the hops in its private data. */
static __always_inline enum node_verdict tunnel_gue(struct tunnel *tunnel, const void *data_end)
{
	const struct udphdr *udp = tunnel->l3 + tunnel->ip_length;
	const __u8 *gue = (const __u8 *)(udp + 1);
	__u32 rest = tunnel->total - tunnel->ip_length, length, words;

	if (tunnel->total < tunnel->ip_length + sizeof(*udp) + 4 ||
	    (const void *)(gue + 4) > data_end)
		return NODE_DROP_MALFORMED;
	length = bpf_ntohs(udp->len);
	words = gue[0] & 0x1f;
	if (length < sizeof(*udp) + 4 + 4 * words || length > rest)
		return NODE_DROP_MALFORMED;
	if (gue[0] >> 5 || gue[2] || gue[3] || !tunnel_protocol(tunnel, gue[1]))
		return NODE_DROP_GUE; /* version, control, flags, protocol */
	tunnel->gue = 1;
	tunnel->length = tunnel->ip_length + sizeof(*udp) + 4 + 4 * words;
	tunnel->room = tunnel->ip_length + length - tunnel->length;
	if (!words)
		return NODE_CONTINUE;
	if ((const void *)(gue + 8) > data_end)
		return NODE_DROP_MALFORMED;
	if (gue[4] & ~GUE_FORWARD_SYN || gue[5] > GUE_HOPS_IPV6)
		return NODE_DROP_GUE; /* what is not known, such as a last hop by GRE */
	tunnel->forward_syn = gue[4];
	tunnel->hop_is_ipv4 = gue[5] == GUE_HOPS_IPV4;
	tunnel->hop_next = gue[6];
	tunnel->hop_count = gue[7];
	if (words != 1 + (__u32)tunnel->hop_count * (tunnel->hop_is_ipv4 ? 1 : 4) ||
	    tunnel->hop_next > tunnel->hop_count ||
	    (tunnel->hop_count && tunnel->hop_is_ipv4 != tunnel->is_ipv4))
		return NODE_DROP_HOPS;
	return NODE_CONTINUE;
}

/* By the outer header's protocol. */
static __always_inline enum node_verdict tunnel_inside(struct tunnel *tunnel, __u8 protocol,
						       const void *data_end)
{
	const struct udphdr *udp = tunnel->l3 + tunnel->ip_length;

	if (tunnel_protocol(tunnel, protocol)) {
		tunnel->length = tunnel->ip_length;
		tunnel->room = tunnel->total - tunnel->ip_length;
		return NODE_CONTINUE;
	}
	if (protocol != IPPROTO_UDP || (const void *)(udp + 1) > data_end ||
	    udp->dest != bpf_htons(GUE_PORT))
		return NODE_PASS_PLAIN;
	return tunnel_gue(tunnel, data_end);
}

static __always_inline bool tunnel_ipv4_sum_right(const struct iphdr *ip, const void *data_end)
{
	const __u32 *word = (const __u32 *)ip;
	__u64 sum = 0;

	for (__u32 i = 0; i < 15; i++) {
		if (i >= ip->ihl)
			break;
		if ((const void *)(word + i + 1) > data_end)
			return false;
		sum += word[i];
	}
	return sum_fold(sum) == 0xffff;
}

static __always_inline enum node_verdict tunnel_ipv4(struct tunnel *tunnel, const void *data_end)
{
	const struct iphdr *ip = tunnel->l3;
	enum node_verdict verdict;

	if ((const void *)(ip + 1) > data_end || ip->version != 4 || ip->ihl < 5 ||
	    ip->frag_off & bpf_htons(0x3fff))
		return NODE_PASS_PLAIN;
	tunnel->is_ipv4 = 1;
	tunnel->ip_length = ip->ihl * 4;
	tunnel->total = bpf_ntohs(ip->tot_len);
	tunnel->tos = ip->tos;
	tunnel->ttl = ip->ttl;
	address_set_ipv4(&tunnel->source, ip->saddr);
	address_set_ipv4(&tunnel->destination, ip->daddr);
	verdict = tunnel_inside(tunnel, ip->protocol, data_end);
	if (verdict == NODE_CONTINUE &&
	    (tunnel->total < tunnel->ip_length || !tunnel_ipv4_sum_right(ip, data_end)))
		return NODE_DROP_MALFORMED;
	return verdict;
}

static __always_inline enum node_verdict tunnel_ipv6(struct tunnel *tunnel, const void *data_end)
{
	const struct ipv6hdr *ip = tunnel->l3;

	if ((const void *)(ip + 1) > data_end || ip->version != 6)
		return NODE_PASS_PLAIN;
	tunnel->is_ipv4 = 0;
	tunnel->ip_length = sizeof(*ip);
	tunnel->total = sizeof(*ip) + bpf_ntohs(ip->payload_len);
	tunnel->tos = bpf_ntohl(*(const __u32 *)ip) >> 20;
	tunnel->ttl = ip->hop_limit;
	address_load(&tunnel->source, &ip->saddr);
	address_load(&tunnel->destination, &ip->daddr);
	return tunnel_inside(tunnel, ip->nexthdr, data_end);
}

static __always_inline enum node_verdict tunnel_read(struct xdp_md *ctx, struct tunnel *tunnel)
{
	void *data = (void *)(long)ctx->data, *data_end = (void *)(long)ctx->data_end;
	__u32 type = wire_ethernet(data, data_end, &tunnel->l2_length);
	enum node_verdict verdict = NODE_PASS_PLAIN;

	tunnel->gue = tunnel->hop_is_ipv4 = tunnel->hop_next = tunnel->hop_count = 0;
	tunnel->forward_syn = 0;
	if (type != bpf_htons(ETH_P_IP) && type != bpf_htons(ETH_P_IPV6))
		return NODE_PASS_PLAIN;
	tunnel->l3 = data + tunnel->l2_length;
	if (type == bpf_htons(ETH_P_IP))
		verdict = tunnel_ipv4(tunnel, data_end);
	else
		verdict = tunnel_ipv6(tunnel, data_end);
	if (verdict != NODE_CONTINUE)
		return verdict;
	if (tunnel->total < tunnel->length ||
	    (tunnel->total > (__u64)(data_end - tunnel->l3) &&
	     tunnel->total + tunnel->l2_length > bpf_xdp_get_buff_len(ctx)))
		return NODE_DROP_MALFORMED;
	return NODE_CONTINUE;
}

/*
 * RFC 6040 section 4.2: a congestion mark on the outer header goes to an inner packet that can
 * carry it; one that cannot is dropped, as it would have been without a tunnel.
 */
static __always_inline enum node_verdict tunnel_ecn(struct xdp_md *ctx, const struct tunnel *tunnel)
{
	void *data = (void *)(long)ctx->data, *data_end = (void *)(long)ctx->data_end;
	void *inner = data + tunnel->l2_length + tunnel->length;
	struct iphdr *ip = inner;
	__u8 tos;

	if ((tunnel->tos & ECN_MASK) != ECN_CE)
		return NODE_CONTINUE;
	if (inner + sizeof(*ip) > data_end)
		return NODE_DROP_MALFORMED;
	tos = tunnel->inner_is_ipv4 ? ip->tos : ((__u8 *)inner)[1] >> 4;
	if (!(tos & ECN_MASK))
		return NODE_DROP_CONGESTION;
	if (!tunnel->inner_is_ipv4) {
		((__u8 *)inner)[1] |= ECN_CE << 4;
		return NODE_CONTINUE;
	}
	ip->tos = tos | ECN_CE;
	/* RFC 1624: HC' = ~(~HC + ~m + m'); the TOS is the second byte of its word. */
	ip->check = ~sum_fold((__u64)(__u16)~ip->check + (__u16) ~(tos << 8) + (ip->tos << 8));
	return NODE_CONTINUE;
}

/* Takes the outer headers off; MACs and tags stay, the EtherType becomes the inner packet's. */
static __always_inline enum node_verdict tunnel_strip(struct xdp_md *ctx,
						      const struct tunnel *tunnel)
{
	__u16 type = tunnel->inner_is_ipv4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);
	void *data = (void *)(long)ctx->data, *data_end = (void *)(long)ctx->data_end;
	__u32 *word = data, saved[5];

	if (data + 22 > data_end)
		return NODE_DROP_MALFORMED;
	for (int i = 0; i < 5; i++)
		saved[i] = word[i];
	if (bpf_xdp_adjust_head(ctx, tunnel->length))
		return NODE_DROP_NO_ROOM;
	word = data = (void *)(long)ctx->data;
	data_end = (void *)(long)ctx->data_end;
	if (data + 22 > data_end)
		return NODE_DROP_NO_ROOM;
	word[0] = saved[0];
	word[1] = saved[1];
	word[2] = saved[2];
	if (tunnel->l2_length >= 18)
		word[3] = saved[3];
	if (tunnel->l2_length == 22)
		word[4] = saved[4];
	if (tunnel->l2_length == 14)
		((__u16 *)data)[6] = type;
	else if (tunnel->l2_length == 18)
		((__u16 *)data)[8] = type;
	else
		((__u16 *)data)[10] = type;
	return NODE_CONTINUE;
}

#endif
