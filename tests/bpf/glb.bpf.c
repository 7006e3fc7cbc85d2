// SPDX-License-Identifier: GPL-2.0-only
/*
 * glb: a receiver of GLB Director's packets, written from the published format and from what the kernel's selftest
 * test_cls_redirect is described to do, not from ebb's headers: so that test_glb can ask somebody else what ebb's packets
 * mean, and give ebb packets that somebody else has passed on.
 *
 *   Ethernet | IPv4, no options | UDP | GUE | head of the hops | hops, 4 bytes each | inner packet
 *
 * 1. Anything that is not UDP to glb_address and port 6080 is let be.
 * 2. What breaks a rule of the format is shot.
 * 3. With no hop left, the packet is accepted: stripped, and given to this host.
 * 4. So is a SYN (unless the head says otherwise), an echo request, and what belongs to a socket.
 * 5. The rest goes to the next hop: MACs turned round, source and destination rewritten, the index counted up.
 */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <stdbool.h>

#define GLB_HOPS_MAX 2

struct gue {
	__u8 words : 5, control : 1, version : 2; /* little endian: the lowest bits first */
	__u8 protocol;
	__u16 flags;
};

struct hops {
	__u8 unknown : 2, last_by_gre : 1, forward_syn : 1, version : 4;
	__u8 reserved;
	__u8 next;
	__u8 count;
};

struct outer {
	struct ethhdr eth;
	struct iphdr ip;
	struct udphdr udp;
	struct gue gue;
	struct hops hops;
} __attribute__((packed));

__u32 glb_address; /* of this host, in network order */

/* How often each became of a packet. */
__u64 let_be, malformed, last_hop, syn, echo, claimed, on;

static __always_inline bool outer_is_right(const struct outer *outer)
{
	return !outer->gue.version && !outer->gue.control && !outer->gue.flags &&
	       outer->gue.words == 1 + outer->hops.count && !outer->hops.version && !outer->hops.reserved &&
	       !outer->hops.last_by_gre && !outer->hops.unknown && outer->hops.count <= GLB_HOPS_MAX &&
	       outer->hops.next <= outer->hops.count;
}

static __always_inline int accept(struct __sk_buff *skb, struct outer *outer, __u64 *counter)
{
	int length = sizeof(*outer) - sizeof(struct ethhdr) + 4 * outer->hops.count;

	if (outer->gue.protocol == IPPROTO_IPV6)
		outer->eth.h_proto = bpf_htons(ETH_P_IPV6);
	if (bpf_skb_adjust_room(skb, -length, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO))
		return TC_ACT_SHOT;
	++*counter;
	return bpf_redirect(skb->ifindex, BPF_F_INGRESS);
}

static __always_inline int pass_on(struct __sk_buff *skb, struct outer *outer, __u32 hop)
{
	__u32 old = outer->ip.saddr;
	__u8 mac[6];

	__builtin_memcpy(mac, outer->eth.h_dest, 6);
	__builtin_memcpy(outer->eth.h_dest, outer->eth.h_source, 6);
	__builtin_memcpy(outer->eth.h_source, mac, 6);
	outer->ip.saddr = outer->ip.daddr;
	outer->ip.daddr = hop;
	outer->hops.next++;
	if (bpf_l3_csum_replace(skb, offsetof(struct outer, ip.check), old, hop, 4))
		return TC_ACT_SHOT;
	on++;
	return bpf_redirect(skb->ifindex, 0);
}

/* Functions of their own: to the verifier, the two helpers give pointers of two kinds. */
static __noinline bool claims_tcp(struct __sk_buff *skb, struct bpf_sock_tuple *tuple, __u32 size)
{
	struct bpf_sock *sk = bpf_skc_lookup_tcp(skb, tuple, size, BPF_F_CURRENT_NETNS, 0);
	bool is_claimed = sk && sk->state != BPF_TCP_LISTEN;

	if (sk)
		bpf_sk_release(sk);
	return is_claimed;
}

static __noinline bool claims_udp(struct __sk_buff *skb, struct bpf_sock_tuple *tuple, __u32 size)
{
	struct bpf_sock *sk = bpf_sk_lookup_udp(skb, tuple, size, BPF_F_CURRENT_NETNS, 0);
	bool is_claimed = sk && sk->state == BPF_TCP_ESTABLISHED;

	if (sk)
		bpf_sk_release(sk);
	return is_claimed;
}

static __always_inline bool claims(struct __sk_buff *skb, struct bpf_sock_tuple *tuple, __u32 size, bool tcp)
{
	return tcp ? claims_tcp(skb, tuple, size) : claims_udp(skb, tuple, size);
}

/* The counter to accept by; NULL: it is for the next hop, unless *ret_bad. */
static __always_inline __u64 *judge_l4(struct __sk_buff *skb, const struct outer *outer, __u32 at,
				       __u8 protocol, struct bpf_sock_tuple *tuple, bool ipv4,
				       bool *ret_bad)
{
	struct tcphdr tcp;
	__u8 type;

	if (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6) {
		*ret_bad = bpf_skb_load_bytes(skb, at, &type, 1) || type != (ipv4 ? 8 : 128);
		return &echo;
	}
	*ret_bad = (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP) ||
		   bpf_skb_load_bytes(skb, at, &tcp, protocol == IPPROTO_TCP ? sizeof(tcp) : 8);
	if (*ret_bad)
		return NULL;
	if (protocol == IPPROTO_TCP && tcp.syn)
		return outer->hops.forward_syn ? NULL : &syn;
	if (ipv4) {
		tuple->ipv4.sport = tcp.source;
		tuple->ipv4.dport = tcp.dest;
		return claims(skb, tuple, sizeof(tuple->ipv4), protocol == IPPROTO_TCP) ? &claimed : NULL;
	}
	tuple->ipv6.sport = tcp.source;
	tuple->ipv6.dport = tcp.dest;
	return claims(skb, tuple, sizeof(tuple->ipv6), protocol == IPPROTO_TCP) ? &claimed : NULL;
}

static __always_inline __u64 *judge(struct __sk_buff *skb, struct outer *outer, __u32 at, bool *ret_bad)
{
	struct bpf_sock_tuple tuple = {};
	struct ipv6hdr ip6;
	struct iphdr ip;

	*ret_bad = true;
	if (outer->gue.protocol == IPPROTO_IPIP) {
		if (bpf_skb_load_bytes(skb, at, &ip, sizeof(ip)) || ip.version != 4 || ip.ihl < 5 ||
		    ip.frag_off & bpf_htons(0x3fff))
			return NULL;
		tuple.ipv4.saddr = ip.saddr;
		tuple.ipv4.daddr = ip.daddr;
		return judge_l4(skb, outer, at + ip.ihl * 4, ip.protocol, &tuple, true, ret_bad);
	}
	if (outer->gue.protocol != IPPROTO_IPV6 || bpf_skb_load_bytes(skb, at, &ip6, sizeof(ip6)) ||
	    ip6.version != 6)
		return NULL;
	__builtin_memcpy(tuple.ipv6.saddr, &ip6.saddr, 16);
	__builtin_memcpy(tuple.ipv6.daddr, &ip6.daddr, 16);
	return judge_l4(skb, outer, at + sizeof(ip6), ip6.nexthdr, &tuple, false, ret_bad);
}

SEC("tc")
int glb(struct __sk_buff *skb)
{
	struct outer *outer;
	__u64 *counter;
	__u32 hop;
	bool bad;

	if (bpf_skb_pull_data(skb, sizeof(*outer)))
		return TC_ACT_OK;
	outer = (void *)(long)skb->data;
	if ((void *)(outer + 1) > (void *)(long)skb->data_end || outer->eth.h_proto != bpf_htons(ETH_P_IP) ||
	    outer->ip.ihl != 5 || outer->ip.daddr != glb_address || outer->ip.protocol != IPPROTO_UDP ||
	    outer->udp.dest != bpf_htons(6080)) {
		let_be++;
		return TC_ACT_OK;
	}
	if (!outer_is_right(outer)) {
		malformed++;
		return TC_ACT_SHOT;
	}
	if (outer->hops.next == outer->hops.count)
		return accept(skb, outer, &last_hop);
	if (bpf_skb_load_bytes(skb, sizeof(*outer) + 4 * outer->hops.next, &hop, sizeof(hop)))
		return TC_ACT_SHOT;
	counter = judge(skb, outer, sizeof(*outer) + 4 * outer->hops.count, &bad);
	if (bad) {
		malformed++;
		return TC_ACT_SHOT;
	}
	return counter ? accept(skb, outer, counter) : pass_on(skb, outer, hop);
}

char _license[] SEC("license") = "GPL";
