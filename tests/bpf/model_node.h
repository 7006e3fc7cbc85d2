/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_TESTS_BPF_MODEL_NODE_H
#define EBB_TESTS_BPF_MODEL_NODE_H
/*
 * model_node: what node must do with a frame where no socket is open and no route leads anywhere,
 * in plain C. What has a next hop and does not begin a flow is passed on to it, by the way it came;
 * the rest is stripped and accepted.
 */
#include "maps/node.h"
#include "tests/bpf/model.h"

struct model_node {
	bool check_edges;
	struct address edge; /* with check_edges: who may send, */
	uint32_t edge_bits;  /* by this prefix */
};

/* The outer headers. Offsets are from the frame's start. */
struct model_tunnel {
	uint32_t l3, inner, end; /* end: of the outer packet */
	uint32_t inner_end;      /* how far the inner packet may go */
	uint32_t udp;            /* 0: IP in IP */
	bool ipv4, inner_ipv4;
	uint8_t tos, ttl;
	uint32_t hop_next, hop_count;
	bool forward_syn;
	struct address source;
};

static inline bool model_tunnel_protocol(struct model_tunnel *t, uint8_t protocol)
{
	t->inner_ipv4 = protocol == IPPROTO_IPIP;
	return protocol == IPPROTO_IPIP || protocol == IPPROTO_IPV6;
}

/*
 *  0                   1                   2                   3
 * | 0 |C|  length | protocol      | flags                         |
 * | 0       |S| 0  | type          | next hop      | hop count     | hops ...      S: a SYN goes on, too
 */
static inline enum node_verdict model_tunnel_gue(const struct model_frame *f,
						 struct model_tunnel *t)
{
	const uint8_t *udp = f->bytes + t->udp, *gue = udp + 8;
	uint32_t words, size = t->ipv4 ? 4 : 16;

	if (t->udp + 12 > t->end || t->udp + 12 > f->length)
		return NODE_DROP_MALFORMED;
	words = gue[0] & 0x1f;
	t->inner = t->udp + 12 + 4 * words;
	t->inner_end = t->udp + get16(udp + 4);
	if (t->inner_end < t->inner || t->inner_end > t->end)
		return NODE_DROP_MALFORMED;
	if (gue[0] & 0xe0 || get16(gue + 2) || !model_tunnel_protocol(t, gue[1]))
		return NODE_DROP_GUE;
	if (!words)
		return NODE_CONTINUE;
	if (t->udp + 16 > f->length)
		return NODE_DROP_MALFORMED;
	if (gue[4] & 0xf7 || gue[5] > 1)
		return NODE_DROP_GUE;
	t->forward_syn = gue[4];
	t->hop_next = gue[6];
	t->hop_count = gue[7];
	/* hops of another family: only if there are none */
	if (gue[5] != (t->ipv4 ? 0 : 1) && t->hop_count)
		return NODE_DROP_HOPS;
	return words == 1 + t->hop_count * size / 4 && t->hop_next <= t->hop_count ? NODE_CONTINUE
										   : NODE_DROP_HOPS;
}

static inline enum node_verdict model_tunnel_inside(const struct model_frame *f,
						    struct model_tunnel *t, uint32_t at,
						    uint8_t protocol)
{
	t->inner = at;
	t->inner_end = t->end;
	if (model_tunnel_protocol(t, protocol))
		return NODE_CONTINUE;
	if (protocol != IPPROTO_UDP || at + 8 > f->length ||
	    get16(f->bytes + at + 2) != MODEL_GUE_PORT)
		return NODE_PASS_PLAIN;
	t->udp = at;
	return model_tunnel_gue(f, t);
}

static inline enum node_verdict model_tunnel_ipv4(const struct model_frame *f,
						  struct model_tunnel *t)
{
	const uint8_t *ip = f->bytes + t->l3;
	uint32_t header = (ip[0] & 15) * 4;
	enum node_verdict verdict;

	if (t->l3 + 20 > f->length || ip[0] >> 4 != 4 || header < 20 || get16(ip + 6) & 0x3fff)
		return NODE_PASS_PLAIN;
	t->ipv4 = true;
	t->end = t->l3 + get16(ip + 2);
	t->tos = ip[1];
	t->ttl = ip[8];
	t->source = (struct address){{[10] = 0xff, [11] = 0xff}};
	memcpy(t->source.bytes + 12, ip + 12, 4);
	verdict = model_tunnel_inside(f, t, t->l3 + header, ip[9]);
	if (!verdict && (t->end < t->l3 + header || t->l3 + header > f->length ||
			 model_sum(ip, header, 0) != 0xffff))
		return NODE_DROP_MALFORMED;
	return verdict;
}

static inline enum node_verdict model_tunnel_ipv6(const struct model_frame *f,
						  struct model_tunnel *t)
{
	const uint8_t *ip = f->bytes + t->l3;

	if (t->l3 + 40 > f->length || ip[0] >> 4 != 6)
		return NODE_PASS_PLAIN;
	t->end = t->l3 + 40 + get16(ip + 4);
	t->tos = (uint8_t)(ip[0] << 4 | ip[1] >> 4);
	t->ttl = ip[7];
	memcpy(t->source.bytes, ip + 8, 16);
	return model_tunnel_inside(f, t, t->l3 + 40, ip[6]);
}

static inline enum node_verdict model_tunnel(const struct model_frame *f, struct model_tunnel *t)
{
	enum node_verdict verdict = NODE_PASS_PLAIN;
	uint32_t type;

	memset(t, 0, sizeof(*t));
	type = model_ethertype(f, &t->l3);
	if (type == 0x0800)
		verdict = model_tunnel_ipv4(f, t);
	else if (type == 0x86dd)
		verdict = model_tunnel_ipv6(f, t);
	if (!verdict && (t->inner > t->end || t->end > f->length))
		return NODE_DROP_MALFORMED;
	return verdict;
}

/* RFC 1624, equation 3: what was wrong before stays wrong by as much. */
static inline void model_mend(uint8_t *check, uint32_t old, uint32_t new)
{
	uint32_t sum = (~get16(check) & 0xffff) + (~old & 0xffff) + new;

	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	model_put16(check, ~sum & 0xffff);
}

static inline enum node_verdict model_pass_on(const struct model_tunnel *t, struct model_frame *out)
{
	uint8_t *ip = out->bytes + t->l3, *udp = out->bytes + t->udp, macs[12];
	uint32_t size = t->ipv4 ? 4 : 16;
	uint8_t *source = ip + (t->ipv4 ? 12 : 8), *hop = udp + 16 + t->hop_next * size;

	if (t->ttl <= 1)
		return NODE_DROP_TTL;
	memcpy(macs, out->bytes, 12);
	memcpy(out->bytes, macs + 6, 6);
	memcpy(out->bytes + 6, macs, 6);
	if (get16(udp + 6)) {
		for (uint32_t i = 0; i < size; i += 2)
			model_mend(udp + 6, get16(source + i), get16(hop + i));
		model_mend(udp + 6, get16(udp + 14), get16(udp + 14) + 0x100);
		if (!get16(udp + 6))
			model_put16(udp + 6, 0xffff);
	}
	memmove(source, source + size, size);
	memcpy(source + size, hop, size);
	ip[t->ipv4 ? 8 : 7]--;
	udp[14]++;
	if (t->ipv4) {
		model_put16(ip + 10, 0);
		model_put16(ip + 10, ~model_sum(ip, (ip[0] & 15) * 4, 0) & 0xffff);
	}
	return NODE_ON_TX;
}

/* RFC 6040, section 4.2. */
static inline enum node_verdict model_congestion(const struct model_tunnel *t,
						 struct model_frame *out)
{
	uint8_t *ip = out->bytes + t->inner;
	uint8_t tos = t->inner_ipv4 ? ip[1] : ip[1] >> 4;
	uint32_t word = get16(ip);

	if ((t->tos & 3) != 3)
		return NODE_CONTINUE;
	if (!(tos & 3))
		return NODE_DROP_CONGESTION;
	ip[1] |= t->inner_ipv4 ? 3 : 0x30;
	if (t->inner_ipv4)
		model_mend(ip + 10, word, get16(ip));
	return NODE_CONTINUE;
}

static inline void model_strip(const struct model_tunnel *t, struct model_frame *out)
{
	memmove(out->bytes + t->l3, out->bytes + t->inner, out->length - t->inner);
	out->length -= t->inner - t->l3;
	model_put16(out->bytes + t->l3 - 2, t->inner_ipv4 ? 0x0800 : 0x86dd);
}

static inline bool model_allowed(const struct model_node *m, const struct address *source)
{
	for (uint32_t bit = 0; m->check_edges && bit < m->edge_bits; bit++)
		if ((source->bytes[bit / 8] ^ m->edge.bytes[bit / 8]) & 0x80 >> bit % 8)
			return false;
	return true;
}

static inline enum node_verdict model_run_node(const struct model_node *m,
					       const struct model_frame *f, struct model_frame *out)
{
	enum node_verdict verdict, accepted;
	struct model_packet p = {0};
	struct model_tunnel t;
	enum verdict inner;

	*out = *f;
	verdict = model_tunnel(f, &t);
	if (verdict)
		return verdict;
	if (!model_allowed(m, &t.source))
		return NODE_DROP_NOT_ALLOWED;
	p.l3 = t.inner;
	inner = t.inner_ipv4 ? model_ipv4(f, &p) : model_ipv6(f, &p);
	if (inner == VERDICT_PASS_MALFORMED || p.end > t.inner_end)
		return NODE_DROP_MALFORMED;
	accepted = t.udp ? NODE_ACCEPT_GUE : NODE_ACCEPT_IPIP;
	if (t.hop_next < t.hop_count) {
		bool quotes = !inner && p.piece == MODEL_WHOLE && model_is_icmp(&p) &&
			      model_quote(f, &p);

		if (inner || (!p.has_l4 && !quotes) || p.l4_bad || p.piece != MODEL_WHOLE)
			accepted = NODE_ACCEPT_OTHER;
		else if (p.protocol == IPPROTO_TCP && (p.tcp_flags & 0x12) == MODEL_SYN &&
			 !t.forward_syn)
			accepted = NODE_ACCEPT_SYN;
		else
			return model_pass_on(&t, out);
	}
	verdict = model_congestion(&t, out);
	if (verdict)
		return verdict;
	model_strip(&t, out);
	return accepted;
}

#endif
