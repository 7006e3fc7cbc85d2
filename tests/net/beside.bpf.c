/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * beside: programs that a lab puts beside ebb's.
 *
 *   no_ping           in the slot `next`: drops echo requests, that is, those that ebb hands on
 *   push_tag, pop_tag at tc, on a veth end whose other end has a VLAN's parent: this kernel may know no VLAN devices
 */
#include <linux/bpf.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>

#define TAG 7

SEC("xdp.frags")
int no_ping(struct xdp_md *ctx)
{
	const struct ethhdr *eth = (void *)(long)ctx->data;
	const struct iphdr *ip = (const void *)(eth + 1);
	const __u8 *icmp = (const void *)(ip + 1);

	if ((const void *)(icmp + 1) > (void *)(long)ctx->data_end || eth->h_proto != bpf_htons(ETH_P_IP) ||
	    ip->protocol != IPPROTO_ICMP || *icmp != 8)
		return XDP_PASS;
	return XDP_DROP;
}

SEC("tc")
int push_tag(struct __sk_buff *skb)
{
	return bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), TAG) ? TC_ACT_SHOT : TC_ACT_OK;
}

SEC("tc")
int pop_tag(struct __sk_buff *skb)
{
	if (!skb->vlan_present || (skb->vlan_tci & 0xfff) != TAG)
		return TC_ACT_SHOT; /* what is not tagged does not belong on this wire */
	return bpf_skb_vlan_pop(skb) ? TC_ACT_SHOT : TC_ACT_OK;
}

char LICENSE[] SEC("license") = "GPL";
