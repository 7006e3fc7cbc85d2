/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef EBB_BPF_OUTER_H
#define EBB_BPF_OUTER_H
/*
 * outer: stage 5. Puts the outer headers before the inner packet, which itself is never changed.
 *
 *   ipip  Ethernet | IPv4 or IPv6, protocol 4 or 41 | inner             RFC 2003, 2473, 4213
 *   gue   Ethernet | IPv4 or IPv6 | UDP | GUE, hops | inner             draft-ietf-intarea-gue-09
 *   l2    Ethernet | inner
 *
 * GUE and its private data, as GLB Director lays them out:
 *    0                   1                   2                   3
 *   | 0 |C|  length | protocol      | flags = 0                     |   length: words that follow
 *   | type          = 0, 1          | next hop = 0  | hop count     |   type 1: hops of 16 bytes
 *   | hop 0: address of the backend to ask next, 4 or 16 bytes ...  |
 * A packet without hops carries a hop count of 0, so that a receiver finds one form.
 *
 * DSCP and ECN are copied (RFC 6040, normal mode), TTL is 64, DF is set, so the identification may
 * be 0 (RFC 6864). The IPv4 checksum needs three additions to the backend's `ip_sum`. UDP checksum:
 * over IPv4 none; over IPv6 see inner_sum().
 */
#include "bpf/answer.h"
#include "bpf/slot.h"

#define GUE_PORT  6080
#define OUTER_TTL 64

struct outer {
	const struct nexthop *nexthop;
	const struct backend *hop[ROUTE_HOPS_MAX];
	__u32 hops;      /* how many of them */
	__u32 length;    /* of what is put before the inner packet, without Ethernet */
	__u32 l2_length; /* 14 or 18 */
	__u32 inner_sum; /* one's complement sum of the inner packet, not folded; 0: not known */
	__u64 hash;
};

/*
 * The sum of a whole inner packet without reading its payload. A valid TCP or UDP segment and its
 * pseudo-header sum to 0 in one's complement, so the segment sums to the complement of the
 * pseudo-header; and a valid IPv4 header sums to 0. In IPv6, addresses and length cancel out. 0 if
 * this does not hold for the packet (a real sum is never 0).
 */
static __always_inline __u32 inner_sum(const struct xdp_md *ctx, const struct packet *packet)
{
	const __u32 *ip = packet_l3(ctx, packet);
	__u64 sum;

	if (!packet->sums_known || packet->extended ||
	    (void *)(ip + 2) > (void *)(long)ctx->data_end)
		return 0;
	if (packet->is_ipv4) {
		sum = (__u64)address_word(&packet->source, 3) +
		      address_word(&packet->destination, 3) + ((__u32)packet->protocol << 8) +
		      bpf_htons(packet->length - sizeof(struct iphdr));
		sum = sum_fold(sum) ^ 0xffff;
	} else {
		/* What is left: first word; next header, hop limit; less the pseudo-header's
		 * protocol. */
		sum = (__u64)ip[0] + (ip[1] >> 16) + ((__u32)packet->protocol << 8 ^ 0xffff);
	}
	return (__u32)sum_fold(sum) + 0xffff;
}

static __always_inline void outer_mac(void *frame, const struct nexthop *nexthop, __u16 type)
{
	const __u32 *macs = (const __u32 *)nexthop->destination;
	__u32 *word = frame;

	word[0] = macs[0];
	word[1] = macs[1];
	word[2] = macs[2];
	if (nexthop->vlan) {
		word[3] = bpf_htons(ETH_P_8021Q) | (__u32)bpf_htons(nexthop->vlan) << 16;
		((__u16 *)frame)[8] = type;
	} else {
		((__u16 *)frame)[6] = type;
	}
}

static __always_inline void outer_ipv4(__u32 *ip, const struct backend *backend, __u32 length,
				       __u32 protocol, __u32 tos)
{
	__u32 length_be = bpf_htons(length);
	__u16 check = ~sum_fold((__u64)backend->ip_sum + (tos << 8) + length_be + (protocol << 8));

	ip[0] = 0x45 | tos << 8 | length_be << 16;
	ip[1] = (__u32)bpf_htons(0x4000) << 16;
	ip[2] = OUTER_TTL | protocol << 8 | (__u32)check << 16;
	ip[3] = address_word(&backend->source, 3);
	ip[4] = address_word(&backend->address, 3);
}

static __always_inline void outer_ipv6(__u32 *ip, const struct backend *backend, __u32 payload,
				       __u32 protocol, __u32 tos, __u64 hash)
{
	ip[0] = bpf_htonl(0x60000000 | tos << 20 | hash_flow_label(hash));
	ip[1] = bpf_htons(payload) | protocol << 16 | OUTER_TTL << 24;
	for (int i = 0; i < 4; i++) {
		ip[2 + i] = address_word(&backend->source, i);
		ip[6 + i] = address_word(&backend->address, i);
	}
}

/* UDP, GUE and the head of the private data: four words. The UDP checksum stays 0. */
static __always_inline void outer_gue(__u32 *udp, const struct packet *packet,
				      const struct outer *outer, bool over_ipv4, __u32 length)
{
	__u32 words = 1 + outer->hops * (over_ipv4 ? 1 : 4);
	__u32 protocol = packet->is_ipv4 ? IPPROTO_IPIP : IPPROTO_IPV6;

	udp[0] = bpf_htons(hash_source_port(outer->hash)) | (__u32)bpf_htons(GUE_PORT) << 16;
	udp[1] = bpf_htons(length);
	udp[2] = words | protocol << 8;
	udp[3] = bpf_htons(over_ipv4 ? 0 : 1) | outer->hops << 24;
}

static __always_inline enum verdict outer_hops_ipv4(__u32 *to, const struct outer *outer,
						    const void *data_end)
{
	if ((void *)(to + ROUTE_HOPS_MAX) > data_end)
		return VERDICT_DROP_NO_ROOM; /* cannot be: the inner packet is longer than one hop
					      */
	if (outer->hop[0])
		to[0] = address_word(&outer->hop[0]->address, 3);
	if (outer->hop[1])
		to[1] = address_word(&outer->hop[1]->address, 3);
	return VERDICT_CONTINUE;
}

static __always_inline enum verdict outer_hops_ipv6(__u32 *to, const struct outer *outer,
						    const void *data_end, __u64 *sum)
{
#pragma unroll
	for (int hop = 0; hop < ROUTE_HOPS_MAX; hop++, to += 4) {
		if (!outer->hop[hop])
			break;
		if ((void *)(to + 4) > data_end)
			return VERDICT_DROP_NO_ROOM;
		for (int i = 0; i < 4; i++) {
			to[i] = address_word(&outer->hop[hop]->address, i);
			*sum += to[i];
		}
	}
	return VERDICT_CONTINUE;
}

static __always_inline enum verdict outer_write_ipv4(void *l3, const void *data_end,
						     const struct packet *packet,
						     const struct service *service,
						     const struct backend *backend,
						     const struct outer *outer)
{
	__u32 protocol = packet->is_ipv4 ? IPPROTO_IPIP : IPPROTO_IPV6;
	__u32 length = packet->length + outer->length;
	__u32 *udp = l3 + sizeof(struct iphdr);

	if (service->encap == ENCAP_IPIP) {
		if (l3 + sizeof(struct iphdr) > data_end)
			return VERDICT_DROP_NO_ROOM;
		outer_ipv4(l3, backend, length, protocol, packet->tos);
		return VERDICT_CONTINUE;
	}
	if (l3 + sizeof(struct iphdr) + 16 > data_end)
		return VERDICT_DROP_NO_ROOM;
	outer_ipv4(l3, backend, length, IPPROTO_UDP, packet->tos);
	outer_gue(udp, packet, outer, true, length - sizeof(struct iphdr));
	return outer->hops ? outer_hops_ipv4(udp + 4, outer, data_end) : VERDICT_CONTINUE;
}

static __always_inline enum verdict outer_write_ipv6(void *l3, const void *data_end,
						     const struct packet *packet,
						     const struct service *service,
						     const struct backend *backend,
						     const struct outer *outer)
{
	__u32 protocol = packet->is_ipv4 ? IPPROTO_IPIP : IPPROTO_IPV6;
	__u32 payload = packet->length + outer->length - sizeof(struct ipv6hdr);
	__u32 *udp = l3 + sizeof(struct ipv6hdr);
	enum verdict verdict = VERDICT_CONTINUE;
	__u64 sum;

	if (service->encap == ENCAP_IPIP) {
		if (l3 + sizeof(struct ipv6hdr) > data_end)
			return VERDICT_DROP_NO_ROOM;
		outer_ipv6(l3, backend, payload, protocol, packet->tos, outer->hash);
		return VERDICT_CONTINUE;
	}
	if (l3 + sizeof(struct ipv6hdr) + 16 > data_end)
		return VERDICT_DROP_NO_ROOM;
	outer_ipv6(l3, backend, payload, IPPROTO_UDP, packet->tos, outer->hash);
	outer_gue(udp, packet, outer, false, payload);
	sum = (__u64)outer->inner_sum + backend->address_sum + bpf_htons(payload) +
	      (IPPROTO_UDP << 8) + udp[0] + udp[1] + udp[2] + udp[3];
	if (outer->hops)
		verdict = outer_hops_ipv6(udp + 4, outer, data_end, &sum);
	if (outer->inner_sum && verdict == VERDICT_CONTINUE) {
		__u16 check = ~sum_fold(sum);

		/* Reload the bounds: the hops' checks were on another pointer. */
		((__u16 *)udp)[3] = check ? check : 0xffff;
	}
	return verdict;
}

/* A hop must be of the outer header's family, since the node rewrites its destination to it. */
static __always_inline void outer_add_hop(struct outer *outer, __u16 id, __u32 family)
{
	const struct backend *backend = backend_get(id);

	if (!backend || backend->family != family)
		return;
	if (outer->hops == 0)
		outer->hop[0] = backend;
	else
		outer->hop[1] = backend;
	outer->hops++;
}

static __always_inline void outer_measure(const struct service *service, const struct route *route,
					  struct outer *outer)
{
	__u32 family = route->backend->family;

	outer->hop[0] = outer->hop[1] = NULL;
	outer->hops = outer->length = 0;
	outer->l2_length = outer->nexthop->vlan ? 18 : 14;
	if (service->encap == ENCAP_L2)
		return;
	outer->length = family == 4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
	if (service->encap == ENCAP_IPIP)
		return;
	if (route->hop[0] != BACKEND_NONE) {
		outer_add_hop(outer, route->hop[0], family);
		if (route->hop[1] != BACKEND_NONE)
			outer_add_hop(outer, route->hop[1], family);
	}
	outer->length += 16 + outer->hops * (family == 4 ? 4 : 16);
}

/* Moves the head to where the new frame begins and writes everything before the inner packet. */
static __always_inline enum verdict outer_write(struct xdp_md *ctx, const struct packet *packet,
						const struct service *service,
						const struct backend *backend,
						const struct outer *outer)
{
	int shift = (int)packet->l3_offset - (int)(outer->l2_length + outer->length);
	__u16 type = packet->is_ipv4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);
	void *data, *data_end;

	if (bpf_xdp_adjust_head(ctx, shift))
		return VERDICT_DROP_NO_ROOM;
	data = (void *)(long)ctx->data;
	data_end = (void *)(long)ctx->data_end;
	if (data + 18 > data_end)
		return VERDICT_DROP_NO_ROOM;
	if (service->encap != ENCAP_L2)
		type = backend->family == 4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);
	outer_mac(data, outer->nexthop, type);
	if (service->encap == ENCAP_L2)
		return VERDICT_CONTINUE;
	if (backend->family == 4)
		return outer_write_ipv4(data + outer->l2_length, data_end, packet, service, backend,
					outer);
	return outer_write_ipv6(data + outer->l2_length, data_end, packet, service, backend, outer);
}

static __always_inline enum verdict outer_send(struct xdp_md *ctx, const struct nexthop *nexthop)
{
	if (nexthop->ifindex == ctx->ingress_ifindex)
		return VERDICT_FORWARD_TX;
	if (bpf_redirect_map(&ports, nexthop->port, XDP_DROP) != XDP_REDIRECT)
		return VERDICT_DROP_NO_PORT;
	return VERDICT_FORWARD_REDIRECT;
}

/* What is told to fit leaves room for all hops, so that it does not change when slots move. */
static __always_inline enum verdict outer_too_big(struct xdp_md *ctx, const struct packet *packet,
						  const struct service *service,
						  const struct backend *backend)
{
	bool ipv4 = backend->family == 4;
	__u32 most = 0;

	if (service->encap != ENCAP_L2)
		most = ipv4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
	if (service->encap == ENCAP_GUE)
		most += 16 + ROUTE_HOPS_MAX * (ipv4 ? 4 : 16);
	if (packet->quoted || backend->path_mtu_bytes <= most)
		return VERDICT_DROP_TOO_BIG;
	return too_big(ctx, packet->l3_offset, packet->length, backend->path_mtu_bytes - most);
}

static __always_inline enum verdict outer_forward(struct xdp_md *ctx, const struct packet *packet,
						  const struct service *service,
						  const struct key *key, const struct route *route)
{
	const struct backend *backend = route->backend;
	struct outer outer = {.hash = key->flow};
	__u32 index = backend->nexthop;
	enum verdict verdict;

	outer.nexthop = bpf_map_lookup_elem(&nexthops, &index);
	if (!index || !outer.nexthop || !outer.nexthop->ifindex)
		return VERDICT_DROP_NO_NEXTHOP;
	outer_measure(service, route, &outer);
	if (packet->length + outer.length > backend->path_mtu_bytes)
		return outer_too_big(ctx, packet, service, backend);
	if (service->encap == ENCAP_GUE && backend->family == 6 &&
	    !(service->flags & SERVICE_CHECKSUM_ZERO))
		outer.inner_sum = inner_sum(ctx, packet);
	verdict = outer_write(ctx, packet, service, backend, &outer);
	return verdict == VERDICT_CONTINUE ? outer_send(ctx, outer.nexthop) : verdict;
}

#endif
