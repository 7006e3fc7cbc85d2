// SPDX-License-Identifier: GPL-2.0-only
/*
 * floor: the smallest stateless load balancer that is one: it parses, compares with one VIP,
 * hashes, picks from a slot array, puts an IP header before the packet and sends it back. IPv4 in
 * IPv4, IPv6 in IPv6. No services, no state, no MTU, no options, no counters. What xdp_lb costs is
 * quoted as a multiple of it, since a ratio survives the change of machine that nanoseconds do not.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#include "tests/bench/floor.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FLOOR_SLOTS);
	__type(key, __u32);
	__type(value, __u32);
} floor_slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FLOOR_BACKENDS);
	__type(key, __u32);
	__type(value, struct floor_backend);
} floor_backends SEC(".maps");

/* Set before load. */
const volatile __u32 vip_prefix = 0;  /* first two bytes of the IPv4 VIPs, as in memory */
const volatile __u32 vip6_prefix = 0; /* first word of the IPv6 VIPs */

/* The IPv6 addresses of backend i stand at i + FLOOR_IPV6. */
static __always_inline struct floor_backend *pick(__u64 hash, __u32 family)
{
	__u32 index, *slot;

	hash *= 0x9e3779b97f4a7c15ULL;
	index = hash >> 48;
	slot = bpf_map_lookup_elem(&floor_slots, &index);
	if (!slot)
		return 0;
	index = *slot + family;
	return bpf_map_lookup_elem(&floor_backends, &index);
}

static __always_inline void floor_macs(__u32 *frame, const struct floor_backend *to)
{
	frame[0] = to->macs[0];
	frame[1] = to->macs[1];
	frame[2] = to->macs[2];
}

static __always_inline int floor_ipv4(struct xdp_md *ctx, struct iphdr *ip, void *data_end)
{
	struct floor_backend *to;
	__u32 length, sum, *words;
	struct ethhdr *eth;

	if ((void *)(ip + 1) + 4 > data_end || ip->ihl != 5 || ip->frag_off & bpf_htons(0x3fff) ||
	    (ip->protocol != IPPROTO_TCP && ip->protocol != IPPROTO_UDP) ||
	    (ip->daddr & 0xffff) != vip_prefix)
		return XDP_PASS;
	to = pick((__u64)ip->saddr << 32 ^ *(__u32 *)(ip + 1) ^ (__u64)ip->daddr << 16, 0);
	if (!to)
		return XDP_DROP;
	length = bpf_htons(bpf_ntohs(ip->tot_len) + sizeof(*ip));
	if (bpf_xdp_adjust_head(ctx, -(int)sizeof(*ip)))
		return XDP_DROP;
	eth = (void *)(long)ctx->data;
	words = (void *)(eth + 1);
	if ((void *)(words + 5) > (void *)(long)ctx->data_end)
		return XDP_DROP;
	floor_macs((void *)eth, to);
	eth->h_proto = bpf_htons(ETH_P_IP);
	sum = to->sum + length;
	sum = (sum & 0xffff) + (sum >> 16);
	words[0] = 0x45 | length << 16;
	words[1] = 0x40 << 16;
	words[2] = 64 | IPPROTO_IPIP << 8 | (__u32)(__u16)~sum << 16;
	words[3] = to->source[0];
	words[4] = to->destination[0];
	return XDP_TX;
}

static __always_inline int floor_ipv6(struct xdp_md *ctx, struct ipv6hdr *ip, void *data_end)
{
	const __u32 *in = (void *)ip;
	struct floor_backend *to;
	struct ethhdr *eth;
	__u32 length, *words;

	if ((void *)(ip + 1) + 4 > data_end ||
	    (ip->nexthdr != IPPROTO_TCP && ip->nexthdr != IPPROTO_UDP) || in[6] != vip6_prefix)
		return XDP_PASS;
	to = pick(((__u64)in[2] << 32 ^ in[3]) * 0xd6e8feb86659fd93ULL ^ (__u64)in[4] << 32 ^
			  in[5] ^ *(__u32 *)(ip + 1) ^ (__u64)in[9] << 16,
		  FLOOR_IPV6);
	if (!to)
		return XDP_DROP;
	length = bpf_htons(bpf_ntohs(ip->payload_len) + sizeof(*ip));
	if (bpf_xdp_adjust_head(ctx, -(int)sizeof(*ip)))
		return XDP_DROP;
	eth = (void *)(long)ctx->data;
	words = (void *)(eth + 1);
	if ((void *)(words + 10) > (void *)(long)ctx->data_end)
		return XDP_DROP;
	floor_macs((void *)eth, to);
	eth->h_proto = bpf_htons(ETH_P_IPV6);
	words[0] = 0x60;
	words[1] = length | IPPROTO_IPV6 << 16 | 64 << 24;
#pragma unroll
	for (int i = 0; i < 4; i++) {
		words[2 + i] = to->source[i];
		words[6 + i] = to->destination[i];
	}
	return XDP_TX;
}

SEC("xdp.frags")
int floor_lb(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;

	if ((void *)(eth + 1) > data_end)
		return XDP_PASS;
	if (eth->h_proto == bpf_htons(ETH_P_IP))
		return floor_ipv4(ctx, (void *)(eth + 1), data_end);
	if (eth->h_proto == bpf_htons(ETH_P_IPV6))
		return floor_ipv6(ctx, (void *)(eth + 1), data_end);
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
