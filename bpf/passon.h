/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef EBB_BPF_PASSON_H
#define EBB_BPF_PASSON_H
/*
 * passon: the node's third stage. Sends the packet, still encapsulated, to the next hop of its
 * list.
 *
 * The outer header gets the hop as destination and us as source, so that it passes the filters of a
 * network that knows its hosts' addresses; the hop index goes up by one and the TTL down: the list
 * ends, so loops do. The route is the kernel's (bpf_fib_lookup, which answers only where the
 * interface's `forwarding` is on); where it has no answer, the packet goes back to the MAC that
 * brought it, which is right where that is a router.
 */
#include "bpf/tunnel.h"

#define PASSON_AF_INET  2
#define PASSON_AF_INET6 10

/* Replaces addresses, index and TTL, and mends the checksums. `hop` gets the new destination. */
static __always_inline enum node_verdict passon_ipv4(const struct tunnel *tunnel, void *l3,
						     const void *data_end, struct address *hop)
{
	struct iphdr *ip = l3;
	__u8 *gue = l3 + tunnel->ip_length + sizeof(struct udphdr);
	const __u32 *address = (const __u32 *)(gue + 8) + (tunnel->hop_next & 0x1f);
	struct udphdr *udp = l3 + tunnel->ip_length;
	__u32 old_source;

	if (l3 + sizeof(*ip) > data_end || (void *)(gue + 8) > data_end ||
	    (void *)(address + 1) > data_end || (void *)(udp + 1) > data_end)
		return NODE_DROP_MALFORMED;
	old_source = ip->saddr;
	address_set_ipv4(hop, *address);
	/* The old destination becomes the source, so only source and new destination change the
	 * sums. */
	ip->saddr = ip->daddr;
	ip->daddr = *address;
	ip->ttl--;
	ip->check = ~sum_fold((__u64)(__u16)~ip->check + (__u32)~old_source + ip->daddr + 0xfffe);
	gue[6]++;
	if (udp->check) {
		udp->check =
			~sum_fold((__u64)(__u16)~udp->check + (__u32)~old_source + ip->daddr + 1);
		if (!udp->check)
			udp->check = 0xffff;
	}
	return NODE_CONTINUE;
}

static __always_inline enum node_verdict passon_ipv6(const struct tunnel *tunnel, void *l3,
						     const void *data_end, struct address *hop)
{
	__u32 *ip = l3, *address;
	struct udphdr *udp = l3 + sizeof(struct ipv6hdr);
	__u8 *gue = (__u8 *)(udp + 1);
	__u64 sum;

	address = (__u32 *)(gue + 8 + (tunnel->hop_next & 7) * 16);
	if ((void *)(gue + 8) > data_end || (void *)(address + 4) > data_end)
		return NODE_DROP_MALFORMED;
	sum = (__u16)~udp->check + 1;
	address_load(hop, address);
	for (int i = 0; i < 4; i++) {
		sum += (__u64)(__u32)~ip[2 + i] + address[i];
		ip[2 + i] = ip[6 + i];
		ip[6 + i] = address[i];
	}
	((__u8 *)ip)[7]--;
	gue[6]++;
	if (udp->check) {
		__u16 check = ~sum_fold(sum);

		udp->check = check ? check : 0xffff;
	}
	return NODE_CONTINUE;
}

static __always_inline bool passon_route(struct xdp_md *ctx, const struct tunnel *tunnel,
					 const struct address *hop, struct bpf_fib_lookup *fib)
{
	fib->ifindex = ctx->ingress_ifindex;
	fib->tot_len = 0; /* no MTU check: it came in at this size */
	if (tunnel->is_ipv4) {
		fib->family = PASSON_AF_INET;
		fib->ipv4_src = address_word(&tunnel->destination, 3);
		fib->ipv4_dst = address_word(hop, 3);
	} else {
		fib->family = PASSON_AF_INET6;
		for (int i = 0; i < 4; i++) {
			fib->ipv6_src[i] = address_word(&tunnel->destination, i);
			fib->ipv6_dst[i] = address_word(hop, i);
		}
	}
	return bpf_fib_lookup(ctx, fib, sizeof(*fib), 0) == BPF_FIB_LKUP_RET_SUCCESS;
}

static __always_inline void passon_macs(__u16 *frame, const struct bpf_fib_lookup *fib, bool routed)
{
	for (int i = 0; i < 3; i++) {
		__u16 sender = frame[3 + i];

		frame[3 + i] = routed ? ((const __u16 *)fib->smac)[i] : frame[i];
		frame[i] = routed ? ((const __u16 *)fib->dmac)[i] : sender;
	}
}

static __always_inline enum node_verdict passon(struct xdp_md *ctx, const struct tunnel *tunnel)
{
	void *data = (void *)(long)ctx->data, *data_end = (void *)(long)ctx->data_end;
	void *l3 = data + tunnel->l2_length;
	struct bpf_fib_lookup fib = {};
	enum node_verdict verdict;
	struct address hop;
	bool routed;

	if (tunnel->ttl <= 1)
		return NODE_DROP_TTL;
	if (tunnel->is_ipv4)
		verdict = passon_ipv4(tunnel, l3, data_end, &hop);
	else
		verdict = passon_ipv6(tunnel, l3, data_end, &hop);
	if (verdict != NODE_CONTINUE)
		return verdict;
	if (data + sizeof(struct ethhdr) > data_end)
		return NODE_DROP_MALFORMED;
	routed = passon_route(ctx, tunnel, &hop, &fib);
	passon_macs(data, &fib, routed);
	if (!routed || fib.ifindex == ctx->ingress_ifindex)
		return NODE_ON_TX;
	return bpf_redirect(fib.ifindex, 0) == XDP_REDIRECT ? NODE_ON_REDIRECT : NODE_DROP_NO_ROOM;
}

#endif
