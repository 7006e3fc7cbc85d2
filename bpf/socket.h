/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef EBB_BPF_SOCKET_H
#define EBB_BPF_SOCKET_H
/*
 * socket: the node's second stage, for packets that have a next hop. Does this flow belong here?
 *
 * Here: a SYN; a flow that an established (or closing, or half-open) TCP socket or a connected UDP
 * socket holds; an ACK that carries a SYN cookie of a listening socket. An unconnected UDP socket
 * cannot claim a flow. An ICMP error is the flow's that it quotes. What else has no ports, is
 * damaged, or is a fragment (one socket has to get them all) stays here: no socket can speak for it
 * elsewhere either.
 */
#include "bpf/quote.h"
#include "maps/node.h"

#define SOCKET_TCP_ESTABLISHED 1
#define SOCKET_TCP_LISTEN      10

/* Returns the size of the tuple: its family. Remote end first, as in the packet. */
static __always_inline __u32 socket_tuple(const struct packet *packet, struct bpf_sock_tuple *tuple)
{
	if (packet->is_ipv4) {
		tuple->ipv4.saddr = address_word(&packet->source, 3);
		tuple->ipv4.daddr = address_word(&packet->destination, 3);
		tuple->ipv4.sport = packet->ports;
		tuple->ipv4.dport = packet->ports >> 16;
		return sizeof(tuple->ipv4);
	}
	for (int i = 0; i < 4; i++) {
		tuple->ipv6.saddr[i] = address_word(&packet->source, i);
		tuple->ipv6.daddr[i] = address_word(&packet->destination, i);
	}
	tuple->ipv6.sport = packet->ports;
	tuple->ipv6.dport = packet->ports >> 16;
	return sizeof(tuple->ipv6);
}

static __always_inline bool socket_cookie_right(struct bpf_sock *listener,
						const struct packet *packet, void *ip,
						const void *data_end)
{
	struct tcphdr *tcp = ip + packet->l4_offset;

	if (!(packet->tcp_flags & TCP_ACK) || packet->extended || packet->quoted || (void *)(tcp + 1) > data_end)
		return false;
	if (packet->is_ipv4)
		return ip + sizeof(struct iphdr) <= data_end &&
		       bpf_tcp_check_syncookie(listener, ip, sizeof(struct iphdr), tcp,
					       sizeof(*tcp)) == 0;
	return ip + sizeof(struct ipv6hdr) <= data_end &&
	       bpf_tcp_check_syncookie(listener, ip, sizeof(struct ipv6hdr), tcp, sizeof(*tcp)) ==
		       0;
}

/* A verdict to accept by, or NODE_CONTINUE: nothing here knows the flow. */
static __always_inline enum node_verdict socket_tcp(struct xdp_md *ctx, const struct packet *packet,
						    void *l3, const void *data_end)
{
	enum node_verdict verdict = NODE_CONTINUE;
	struct bpf_sock_tuple tuple = {};
	struct bpf_sock *sk;
	__u32 size = socket_tuple(packet, &tuple);

	if (packet_is_syn(packet))
		return NODE_ACCEPT_SYN;
	if (size == sizeof(tuple.ipv4))
		sk = bpf_skc_lookup_tcp(ctx, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
	else
		sk = bpf_skc_lookup_tcp(ctx, &tuple, sizeof(tuple.ipv6), BPF_F_CURRENT_NETNS, 0);
	if (!sk)
		return NODE_CONTINUE;
	if (sk->state != SOCKET_TCP_LISTEN)
		verdict = NODE_ACCEPT_SOCKET;
	else if (socket_cookie_right(sk, packet, l3, data_end))
		verdict = NODE_ACCEPT_COOKIE;
	bpf_sk_release(sk);
	return verdict;
}

static __always_inline enum node_verdict socket_udp(struct xdp_md *ctx, const struct packet *packet)
{
	enum node_verdict verdict = NODE_CONTINUE;
	struct bpf_sock_tuple tuple = {};
	struct bpf_sock *sk;

	if (socket_tuple(packet, &tuple) == sizeof(tuple.ipv4))
		sk = bpf_sk_lookup_udp(ctx, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
	else
		sk = bpf_sk_lookup_udp(ctx, &tuple, sizeof(tuple.ipv6), BPF_F_CURRENT_NETNS, 0);
	if (!sk)
		return NODE_CONTINUE;
	if (sk->state == SOCKET_TCP_ESTABLISHED)
		verdict = NODE_ACCEPT_SOCKET;
	bpf_sk_release(sk);
	return verdict;
}

/* `packet` may become the flow that it quotes. */
static __always_inline enum node_verdict socket_claims(struct xdp_md *ctx, struct packet *packet,
						       void *l3, const void *data_end)
{
	if (packet->fragment != FRAGMENT_WHOLE || packet->l4_bad)
		return NODE_ACCEPT_OTHER;
	if (!packet_has_ports(packet) &&
	    (!quote_is_icmp(packet) || !quote_read(packet, l3, data_end)))
		return NODE_ACCEPT_OTHER;
	if (packet->protocol == IPPROTO_TCP)
		return socket_tcp(ctx, packet, l3, data_end);
	return socket_udp(ctx, packet);
}

#endif
