/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef EBB_BPF_ANSWER_H
#define EBB_BPF_ANSWER_H
/*
 * answer: the two packets that the edge itself sends to clients.
 *
 *   echo      to a VIP (RFC 792, RFC 4443 section 4.2): turned round in place, whatever its size,
 *             and fragment by fragment
 *   too big   for a packet that does not fit the path to its backend (RFC 1191, 4443 section 3.2,
 * 8201): from the VIP, with the size that fits, quoting the packet's first bytes, so that the
 * client's stack finds the socket. At most settings.icmp_rate_pps a second and CPU.
 *
 * Off the fast path: too_big() is a function of its own, verified once.
 */
#include "bpf/packet.h"
#include "maps/maps.bpf.h"

#define ANSWER_TTL        64
#define ANSWER_BURST_NS   100000000ULL
#define ANSWER_QUOTE_IPV4 128 /* IP header with options and 8 bytes of L4 at least (RFC 792) */
#define ANSWER_QUOTE_IPV6 512

/* When the next answer may be sent, less a burst. */
MAPS_COUNTERS(answer_clock, __u64, 1);

static __always_inline void answer_swap_macs(__u16 *frame)
{
	for (int i = 0; i < 3; i++) {
		__u16 mac = frame[i];

		frame[i] = frame[3 + i];
		frame[3 + i] = mac;
	}
}

/* One's complement: a sum in which the 16-bit word `from` became `to` (RFC 1624, equation 3). */
static __always_inline __u16 answer_resum(__u16 check, __u16 from, __u16 to)
{
	return ~sum_fold((__u64)(__u16)~check + (__u16)~from + to);
}

/* Where the ICMP header is, behind no options and no extension header but the fragment's own. */
static __always_inline __u32 answer_offset(const struct packet *packet)
{
	if (packet->is_ipv4)
		return 20;
	return packet->extended ? 48 : 40;
}

/* Echo request, type 8 or 128, whole or its first fragment. */
static __always_inline bool answer_is_echo(const struct xdp_md *ctx, const struct packet *packet)
{
	__u32 offset = answer_offset(packet);
	const __u8 *icmp = packet_l3(ctx, packet) + offset;

	if (packet->extended && (packet->is_ipv4 || packet->fragment != FRAGMENT_FIRST ||
				 packet->l4_offset != offset))
		return false;
	if (packet->length < offset + 8 || (void *)(icmp + 8) > (void *)(long)ctx->data_end)
		return false;
	return icmp[0] == (packet->is_ipv4 ? 8 : 128) && icmp[1] == 0;
}

/* Of a message that is all zeros, 0 is a wrong checksum; 0xffff is right wherever 0 is. */
static __always_inline __u16 answer_echo_sum(__u16 check)
{
	return check ? check : 0xffff;
}

static __always_inline void answer_echo_ipv4(struct iphdr *ip)
{
	__be32 address = ip->saddr;

	ip->saddr = ip->daddr;
	ip->daddr = address;
	ip->check = answer_resum(ip->check, ip->ttl, ANSWER_TTL);
	ip->ttl = ANSWER_TTL;
}

static __always_inline void answer_echo_ipv6(__u32 *ip)
{
	for (int i = 0; i < 4; i++) {
		__u32 word = ip[2 + i];

		ip[2 + i] = ip[6 + i];
		ip[6 + i] = word;
	}
	((__u8 *)ip)[7] = ANSWER_TTL;
}

/* Request to reply. In a first fragment too: what the sum covers changes here alone. */
static __always_inline bool answer_echo_icmp(__u16 *icmp, bool is_ipv4, const void *data_end)
{
	__u16 reply = is_ipv4 ? 0 : 129;

	if ((void *)(icmp + 2) > data_end)
		return false;
	icmp[1] = answer_echo_sum(answer_resum(icmp[1], icmp[0], reply));
	icmp[0] = reply;
	return true;
}

/* An echo request, or any fragment of one. */
static __always_inline enum verdict answer_echo(struct xdp_md *ctx, const struct packet *packet)
{
	void *data = (void *)(long)ctx->data, *data_end = (void *)(long)ctx->data_end;
	void *l3 = packet_l3(ctx, packet);

	if (data + sizeof(struct ethhdr) > data_end || l3 + sizeof(struct iphdr) > data_end)
		return VERDICT_PASS_MALFORMED;
	if (packet->fragment != FRAGMENT_LATER &&
	    !answer_echo_icmp(l3 + answer_offset(packet), packet->is_ipv4, data_end))
		return VERDICT_PASS_MALFORMED;
	if (packet->is_ipv4) {
		answer_echo_ipv4(l3);
	} else {
		if (l3 + sizeof(struct ipv6hdr) > data_end)
			return VERDICT_PASS_MALFORMED;
		answer_echo_ipv6(l3);
	}
	answer_swap_macs(data);
	return VERDICT_ANSWER_ECHO;
}

/* Takes one answer from what settings allow. */
static __always_inline bool answer_allowed(void)
{
	__u32 zero = 0;
	const struct settings *in_force = bpf_map_lookup_elem(&settings, &zero);
	__u64 *next_ns = bpf_map_lookup_elem(&answer_clock, &zero);
	__u64 now_ns = bpf_ktime_get_ns();

	if (!in_force || !next_ns || !in_force->icmp_rate_pps)
		return false;
	if (*next_ns > now_ns + ANSWER_BURST_NS)
		return false;
	if (*next_ns < now_ns)
		*next_ns = now_ns;
	*next_ns += 1000000000ULL / in_force->icmp_rate_pps;
	return true;
}

static __always_inline __u64 answer_sum(const __u32 *words, int count)
{
	__u64 sum = 0;

	for (int i = 0; i < count; i++)
		sum += words[i];
	return sum;
}

/* The quoted header stands behind the new one: its addresses, turned round. */
static __always_inline void too_big_ipv4(__u32 *ip, __u32 mtu)
{
	const __u32 *quoted = ip + 7;
	__u32 *icmp = ip + 5;

	ip[0] = 0x45 | (__u32)bpf_htons(28 + ANSWER_QUOTE_IPV4) << 16;
	ip[1] = (__u32)bpf_htons(0x4000) << 16;
	ip[2] = ANSWER_TTL | IPPROTO_ICMP << 8;
	ip[3] = quoted[4];
	ip[4] = quoted[3];
	ip[2] |= (__u32)(__u16)~sum_fold(answer_sum(ip, 5)) << 16;
	icmp[0] = 3 | 4 << 8;
	icmp[1] = (__u32)bpf_htons(mtu) << 16;
	icmp[0] |= (__u32)(__u16)~sum_fold(answer_sum(icmp, 2 + ANSWER_QUOTE_IPV4 / 4)) << 16;
}

static __always_inline void too_big_ipv6(__u32 *ip, __u32 mtu)
{
	const __u32 *quoted = ip + 12;
	__u32 *icmp = ip + 10;
	__u64 pseudo;

	ip[0] = bpf_htonl(0x60000000);
	ip[1] = bpf_htons(8 + ANSWER_QUOTE_IPV6) | IPPROTO_ICMPV6 << 16 | ANSWER_TTL << 24;
	for (int i = 0; i < 4; i++) {
		ip[2 + i] = quoted[6 + i];
		ip[6 + i] = quoted[2 + i];
	}
	icmp[0] = 2;
	icmp[1] = bpf_htonl(mtu);
	pseudo = answer_sum(ip + 2, 8) + bpf_htons(8 + ANSWER_QUOTE_IPV6) + (IPPROTO_ICMPV6 << 8);
	icmp[0] |= (__u32)(__u16)~sum_fold(pseudo + answer_sum(icmp, 2 + ANSWER_QUOTE_IPV6 / 4))
		   << 16;
}

/* Cuts the frame behind the quote, makes room before it, puts MACs and tags back, turned round. */
static __always_inline bool too_big_shape(struct xdp_md *ctx, __u32 l3_offset, int quote,
					  int header)
{
	void *data = (void *)(long)ctx->data, *data_end = (void *)(long)ctx->data_end;
	__u32 saved[6], *word = data;

	if (data + 24 > data_end)
		return false;
	for (int i = 0; i < 6; i++)
		saved[i] = word[i];
	if (bpf_xdp_adjust_tail(ctx, (int)(l3_offset + quote) - (int)bpf_xdp_get_buff_len(ctx)) ||
	    bpf_xdp_adjust_head(ctx, -header))
		return false;
	data = (void *)(long)ctx->data;
	data_end = (void *)(long)ctx->data_end;
	if (data + 24 > data_end)
		return false;
	word = data;
	for (int i = 0; i < 6; i++)
		word[i] = saved[i];
	answer_swap_macs(data);
	return true;
}

/* `length`: of the packet; `mtu`: what fits, both from the IP header on. */
__noinline int too_big(struct xdp_md *ctx, __u32 l3_offset, __u32 length, __u32 mtu)
{
	void *l3 = (void *)(long)ctx->data + (l3_offset & 31),
	     *data_end = (void *)(long)ctx->data_end;
	const struct iphdr *ip = l3;
	bool ipv4;

	l3_offset &= 31;
	if (l3 + sizeof(*ip) > data_end)
		return VERDICT_DROP_TOO_BIG;
	ipv4 = ip->version == 4;
	/* Without DF a router would fragment; fragments of VIP traffic are not worth making. */
	if ((ipv4 && !(ip->frag_off & bpf_htons(0x4000))) ||
	    length < (ipv4 ? ANSWER_QUOTE_IPV4 : ANSWER_QUOTE_IPV6) || !answer_allowed())
		return VERDICT_DROP_TOO_BIG;
	if (!too_big_shape(ctx, l3_offset, ipv4 ? ANSWER_QUOTE_IPV4 : ANSWER_QUOTE_IPV6,
			   ipv4 ? 28 : 48))
		return VERDICT_DROP_NO_ROOM;
	l3 = (void *)(long)ctx->data + l3_offset;
	data_end = (void *)(long)ctx->data_end;
	if (ipv4) {
		if (l3 + 28 + ANSWER_QUOTE_IPV4 > data_end)
			return VERDICT_DROP_NO_ROOM;
		too_big_ipv4(l3, mtu);
	} else {
		if (l3 + 48 + ANSWER_QUOTE_IPV6 > data_end)
			return VERDICT_DROP_NO_ROOM;
		too_big_ipv6(l3, mtu);
	}
	return VERDICT_ANSWER_TOO_BIG;
}

#endif
