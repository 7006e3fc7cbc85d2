/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_TESTS_BPF_MODEL_H
#define EBB_TESTS_BPF_MODEL_H
/*
 * model: what xdp_lb must do with a frame, in plain C, from the design and maps/ alone: byte by
 * byte, with lists where the program has tables and full sums where it has shortcuts. The fuzzer
 * holds the program against it.
 *
 * Takes a frame and the world; gives a verdict and the frame that leaves. Keeps the notes of the
 * flow table exactly; the fuzzer begins with an empty table before the real one could run out of
 * room.
 */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "maps/backend.h"
#include "maps/hash.h"
#include "maps/sandbox.h"
#include "maps/service.h"
#include "maps/slot.h"
#include "maps/verdict.h"

#define MODEL_FRAME_MAX     4096
#define MODEL_SERVICES_MAX  256
#define MODEL_SANDBOXES_MAX 432
#define MODEL_NOTES         65536 /* a power of two */
#define MODEL_DATAGRAMS     64    /* then the fuzzer forgets them */
#define MODEL_EXTENSIONS    6     /* IPv6 extension headers that are followed */
#define MODEL_GUE_PORT      6080

#define MODEL_SYN 0x02
#define MODEL_ACK 0x10

struct model_frame {
	uint8_t bytes[MODEL_FRAME_MAX];
	uint32_t length;
};

enum model_piece { MODEL_WHOLE, MODEL_FIRST, MODEL_LATER };

/* What a packet says of itself. Offsets are from the frame's start. */
struct model_packet {
	uint32_t l3, l4, end; /* end: behind the IP packet, before padding */
	bool ipv4, plain;     /* plain: neither options nor extension headers */
	bool has_l4;          /* TCP or UDP with ports to read */
	bool l4_bad;
	bool quoted; /* stands for the flow that an ICMP error quotes */
	uint8_t protocol, tos, tcp_flags;
	enum model_piece piece;
	uint32_t id;    /* of a fragment: identification, as in memory */
	uint32_t place; /* in units of 8 bytes: end of a first one, begin of a later one */
	struct address source, destination;
	uint32_t ports; /* as in memory */
};

struct model_note {
	struct address source, destination;
	uint32_t ports;
	uint16_t backend; /* BACKEND_NONE: free */
	uint8_t protocol;
};

/* What the first fragment of a datagram told. */
struct model_datagram {
	struct model_packet first;
	enum model_fate { MODEL_SERVE, MODEL_ANSWER, MODEL_PASS } fate;
};

struct model_sandbox {
	struct sandbox_key key;
	struct sandbox value;
};

struct model {
	uint64_t hash_seed;
	struct service services[MODEL_SERVICES_MAX]; /* of every kind but markers */
	uint32_t service_count;
	struct address vips[MODEL_SERVICES_MAX]; /* that have a marker */
	uint32_t vip_count;
	const struct slot *slots;
	const struct backend *backends; /* by id */
	const struct nexthop *nexthops;
	uint32_t backend_max;
	uint32_t ingress_ifindex;
	uint64_t ports; /* bit i: entry i of the devmap is there */
	struct model_sandbox sandboxes[MODEL_SANDBOXES_MAX];
	uint32_t sandbox_count;
	struct model_note notes[MODEL_NOTES];
	uint32_t note_count;
	struct model_datagram datagrams[MODEL_DATAGRAMS + 1];
	uint32_t datagram_count;
	bool tells; /* senders of what is too big are told, as often as it happens */
};

/* --- bytes */

static inline uint32_t get16(const uint8_t *at)
{
	return (uint32_t)at[0] << 8 | at[1];
}

static inline void model_put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static inline uint32_t model_sum(const uint8_t *bytes, uint32_t length, uint32_t sum)
{
	for (uint32_t i = 0; i < length; i++)
		sum += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static inline bool model_same(const struct address *a, const struct address *b)
{
	return !memcmp(a->bytes, b->bytes, 16);
}

/* --- reading a packet */

static inline uint32_t model_ethertype(const struct model_frame *f, uint32_t *ret_l3)
{
	uint32_t at = 12;

	for (int tags = 0;; tags++) {
		uint32_t type;

		if (at + 2 > f->length)
			return 0;
		type = get16(f->bytes + at);
		if (tags == 2 || (type != 0x8100 && type != 0x88a8)) {
			*ret_l3 = at + 2;
			return type;
		}
		at += 4;
	}
}

/* p->l4 is at the L4 header, p->protocol names it. */
static inline enum verdict model_l4(const struct model_frame *f, struct model_packet *p)
{
	const uint8_t *l4 = f->bytes + p->l4;
	uint32_t rest = p->end - p->l4;

	if (p->piece == MODEL_LATER || (p->protocol != IPPROTO_TCP && p->protocol != IPPROTO_UDP))
		return VERDICT_CONTINUE;
	if (rest < 4)
		return VERDICT_PASS_MALFORMED;
	p->has_l4 = true;
	memcpy(&p->ports, l4, 4);
	if (p->protocol == IPPROTO_TCP) {
		p->l4_bad = rest < 20 || (l4[12] >> 4) < 5 || (uint32_t)(l4[12] >> 4) * 4 > rest;
		if (rest >= 20)
			p->tcp_flags = l4[13];
	} else {
		p->l4_bad = rest < 8 || get16(l4 + 4) < 8 ||
			    (p->piece == MODEL_WHOLE && get16(l4 + 4) > rest);
	}
	return VERDICT_CONTINUE;
}

static inline enum verdict model_ipv4(const struct model_frame *f, struct model_packet *p)
{
	const uint8_t *ip = f->bytes + p->l3;
	uint32_t header, total;

	if (p->l3 + 20 > f->length || ip[0] >> 4 != 4)
		return VERDICT_PASS_MALFORMED;
	header = (ip[0] & 15) * 4;
	total = get16(ip + 2);
	if (header < 20 || total < header || p->l3 + total > f->length)
		return VERDICT_PASS_MALFORMED;
	p->ipv4 = true;
	p->plain = header == 20;
	p->end = p->l3 + total;
	p->l4 = p->l3 + header;
	p->tos = ip[1];
	p->protocol = ip[9];
	p->piece = get16(ip + 6) & 0x1fff   ? MODEL_LATER
		   : get16(ip + 6) & 0x2000 ? MODEL_FIRST
					    : MODEL_WHOLE;
	if (p->piece != MODEL_WHOLE)
		memcpy(&p->id, ip + 4, 2);
	p->place = p->piece == MODEL_LATER ? get16(ip + 6) & 0x1fff : (total - header + 7) / 8;
	p->source = p->destination = (struct address){{[10] = 0xff, [11] = 0xff}};
	memcpy(p->source.bytes + 12, ip + 12, 4);
	memcpy(p->destination.bytes + 12, ip + 16, 4);
	return model_l4(f, p);
}

/* RFC 8200: hop-by-hop, routing, fragment and destination options, in any order. */
static inline enum verdict model_extensions(const struct model_frame *f, struct model_packet *p)
{
	for (int i = 0; i <= MODEL_EXTENSIONS; i++) {
		const uint8_t *header = f->bytes + p->l4;
		uint8_t kind = p->protocol;

		if (kind != 0 && kind != 43 && kind != 44 && kind != 60)
			return VERDICT_CONTINUE;
		if (i == MODEL_EXTENSIONS)
			break;
		p->plain = false;
		if (p->l4 + 8 > p->end)
			return VERDICT_PASS_MALFORMED;
		if (kind == 43 && header[3])
			return VERDICT_PASS_NOT_OURS; /* segments left: for someone else */
		if (kind == 44 && get16(header + 2) & 0xfff9)
			p->piece = get16(header + 2) & 0xfff8 ? MODEL_LATER : MODEL_FIRST;
		p->l4 += kind == 44 ? 8 : (header[1] + 1u) * 8;
		p->protocol = header[0];
		if (p->l4 > p->end)
			return VERDICT_PASS_MALFORMED;
		if (kind == 44 && get16(header + 2) & 0xfff9) {
			memcpy(&p->id, header + 4, 4);
			p->place = p->piece == MODEL_LATER ? get16(header + 2) >> 3
							   : (p->end - p->l4 + 7) / 8;
		}
		if (p->piece == MODEL_LATER)
			return VERDICT_CONTINUE;
	}
	return VERDICT_PASS_HEADER_CHAIN;
}

static inline enum verdict model_ipv6(const struct model_frame *f, struct model_packet *p)
{
	const uint8_t *ip = f->bytes + p->l3;
	enum verdict verdict;

	if (p->l3 + 40 > f->length || ip[0] >> 4 != 6 || p->l3 + 40 + get16(ip + 4) > f->length)
		return VERDICT_PASS_MALFORMED;
	p->ipv4 = false;
	p->plain = true;
	p->l4 = p->l3 + 40;
	p->end = p->l4 + get16(ip + 4);
	p->tos = (uint8_t)(ip[0] << 4 | ip[1] >> 4);
	p->protocol = ip[6];
	p->piece = MODEL_WHOLE;
	memcpy(p->source.bytes, ip + 8, 16);
	memcpy(p->destination.bytes, ip + 24, 16);
	verdict = model_extensions(f, p);
	return verdict ? verdict : model_l4(f, p);
}

static inline enum verdict model_parse(const struct model_frame *f, struct model_packet *p)
{
	uint32_t type;

	memset(p, 0, sizeof(*p));
	type = model_ethertype(f, &p->l3);
	if (type == 0x0800)
		return model_ipv4(f, p);
	return type == 0x86dd ? model_ipv6(f, p) : VERDICT_PASS_NOT_IP;
}

/* --- whose is it, and who gets it */

static inline bool model_in_prefix(const struct address *address, const struct service *s)
{
	for (uint32_t bit = 0; bit < s->prefix_length; bit++)
		if ((address->bytes[bit / 8] ^ s->address.bytes[bit / 8]) & 0x80 >> bit % 8)
			return false;
	return true;
}

/* Exact port before any port before prefixes, the longest first. */
static inline const struct service *model_service(const struct model *m,
						  const struct model_packet *p)
{
	const struct service *best = NULL;
	uint16_t port_be = (uint16_t)(p->ports >> 16);
	int best_rank = -1;

	for (uint32_t i = 0; i < m->service_count; i++) {
		const struct service *s = &m->services[i];
		int rank = s->kind == SERVICE_KIND_PORT ? 1000 : 500;

		if (hash_is_ipv4(&s->address) != p->ipv4)
			continue; /* an IPv6 packet to an IPv4-mapped address is not IPv4 */
		if (s->kind == SERVICE_KIND_PREFIX) {
			if (!model_in_prefix(&p->destination, s))
				continue;
			rank = s->prefix_length;
		} else if (!model_same(&p->destination, &s->address) ||
			   s->protocol != p->protocol ||
			   (s->kind == SERVICE_KIND_PORT && s->port_be != port_be)) {
			continue;
		}
		if (rank > best_rank) {
			best = s;
			best_rank = rank;
		}
	}
	return best;
}

static inline const struct backend *model_backend(const struct model *m, uint32_t id)
{
	if (id == BACKEND_NONE || id >= m->backend_max ||
	    m->backends[id].state == BACKEND_STATE_FREE)
		return NULL;
	return &m->backends[id];
}

static inline struct model_note *model_note(struct model *m, const struct model_packet *p,
					    uint64_t hash)
{
	for (uint64_t i = hash;; i++) {
		struct model_note *n = &m->notes[i % MODEL_NOTES];

		if (n->backend == BACKEND_NONE ||
		    (n->ports == p->ports && n->protocol == p->protocol &&
		     model_same(&n->source, &p->source) &&
		     model_same(&n->destination, &p->destination)))
			return n;
	}
}

static inline void model_remember(struct model *m, struct model_note *note,
				  const struct model_packet *p, uint16_t backend)
{
	m->note_count += note->backend == BACKEND_NONE;
	*note = (struct model_note){p->source, p->destination, p->ports, backend, p->protocol};
}

struct model_route {
	uint16_t backend;
	uint16_t hops[2];
	int hop_count;
	uint64_t flow_hash;
};

static inline void model_hop(const struct model *m, struct model_route *r, uint16_t id)
{
	if (id == BACKEND_NONE || id == r->backend || r->hop_count == 2 ||
	    (r->hop_count && r->hops[0] == id))
		return;
	r->hops[r->hop_count++] = id;
}

/* The primary is for new flows; an unknown flow of a slot that moved is the former owner's. */
static inline uint16_t model_tracked(struct model *m, const struct service *s,
				     const struct model_packet *p, const struct slot *slot,
				     bool all, const struct model_route *r)
{
	bool syn = p->protocol == IPPROTO_TCP && (p->tcp_flags & 0x12) == MODEL_SYN;
	struct model_note *note = model_note(m, p, r->flow_hash);
	const struct backend *former = model_backend(m, slot->secondary);

	if (!syn && model_backend(m, note->backend))
		return note->backend;
	if (!syn && former && !former->down && !(all && p->protocol == IPPROTO_UDP)) {
		if (all && !p->quoted)
			model_remember(m, note, p, slot->secondary);
		return slot->secondary;
	}
	if (!model_backend(m, slot->primary))
		return BACKEND_NONE;
	if ((all && !p->quoted) || syn)
		model_remember(m, note, p, slot->primary);
	return slot->primary;
}

static inline uint64_t model_key(const struct model *m, const struct service *s,
				 const struct model_packet *p, uint64_t flow_hash)
{
	uint32_t port = s->flags & SERVICE_SANDBOX_PORT ? p->ports >> 16 : 0;

	if (s->affinity == AFFINITY_SOURCE)
		return hash_address(p->ipv4, &p->source, 0, m->hash_seed);
	if (s->affinity == AFFINITY_SANDBOX)
		return hash_address(p->ipv4, &p->destination, port, m->hash_seed);
	return flow_hash;
}

/* Where this sandbox was placed; NULL: nowhere. */
static inline const struct sandbox *model_sandbox(const struct model *m, const struct service *s,
						  const struct model_packet *p)
{
	uint16_t port_be = s->flags & SERVICE_SANDBOX_PORT ? (uint16_t)(p->ports >> 16) : 0;

	for (uint32_t i = 0; s->affinity == AFFINITY_SANDBOX && i < m->sandbox_count; i++) {
		const struct sandbox_key *key = &m->sandboxes[i].key;

		if (key->service == s->id && key->port_be == port_be &&
		    model_same(&key->address, &p->destination))
			return &m->sandboxes[i].value;
	}
	return NULL;
}

/*
 * The backend that a connection ID of the server's own names (RFC 9000; QUIC-LB, plaintext): in
 * short headers, and in Handshake packets of the versions 1 and 2.
 */
static inline uint16_t model_quic(const struct model *m, const struct service *s,
				  const struct model_packet *p, const struct model_frame *f)
{
	const uint8_t *udp = f->bytes + p->l4, *quic = udp + 8, *cid = quic + 1;
	uint32_t length = get16(udp + 4) - 8, cid_length = length - 1, id = 0;

	if (s->affinity != AFFINITY_QUIC || p->protocol != IPPROTO_UDP || p->quoted ||
	    p->piece != MODEL_WHOLE || length < 7)
		return BACKEND_NONE;
	if (quic[0] & 0x80) {
		static const uint8_t v1[4] = {0, 0, 0, 1}, v2[4] = {0x6b, 0x33, 0x43, 0xcf};
		uint8_t type = quic[0] >> 4 & 3;

		if (!(!memcmp(quic + 1, v1, 4) && type == 2) &&
		    !(!memcmp(quic + 1, v2, 4) && type == 3))
			return BACKEND_NONE;
		cid = quic + 6;
		cid_length = quic[5];
		if (cid_length > 20 || 6 + cid_length > length)
			return BACKEND_NONE;
	}
	if (cid_length < 1u + s->quic_server_id_length + 4 || cid[0] >> 5 == 7)
		return BACKEND_NONE;
	for (uint32_t i = 1; i <= s->quic_server_id_length; i++)
		id = id > 0xffff ? id : id << 8 | cid[i];
	return model_backend(m, id) ? (uint16_t)id : BACKEND_NONE;
}

static inline enum verdict model_choose(struct model *m, const struct service *s,
					const struct model_packet *p, const struct model_frame *f,
					struct model_route *r)
{
	bool udp = p->protocol == IPPROTO_UDP;
	bool all = s->track == TRACK_ALWAYS ||
		   (s->track == TRACK_MOVED && s->flags & SERVICE_TRACK_UDP && udp);
	bool remembers = s->affinity != AFFINITY_NONE;
	const struct sandbox *sandbox = model_sandbox(m, s, p);
	const struct slot *slot;

	r->flow_hash = hash_flow(p->ipv4, &p->source, &p->destination, p->ports, p->protocol,
				 m->hash_seed);
	if (sandbox && model_backend(m, sandbox->backend)) {
		r->backend = sandbox->backend;
		if (p->piece == MODEL_WHOLE)
			model_hop(m, r, sandbox->former);
		return VERDICT_CONTINUE;
	}
	r->backend = model_quic(m, s, p, f);
	if (r->backend != BACKEND_NONE)
		return VERDICT_CONTINUE;
	if (!s->slot_count)
		return VERDICT_DROP_EMPTY_POOL;
	slot = &m->slots[s->slot_base + hash_slot(model_key(m, s, p, r->flow_hash), s->slot_count)];
	if (remembers && (all || (s->track == TRACK_MOVED && slot->secondary)))
		r->backend = model_tracked(m, s, p, slot, all, r);
	else
		r->backend = model_backend(m, slot->primary) ? slot->primary : BACKEND_NONE;
	if (r->backend == BACKEND_NONE)
		return VERDICT_DROP_NO_BACKEND;
	if (remembers && slot->secondary && !(all && udp) && p->piece == MODEL_WHOLE) {
		model_hop(m, r, slot->primary);
		model_hop(m, r, slot->secondary);
		model_hop(m, r, slot->home);
	}
	return VERDICT_CONTINUE;
}

/* --- what leaves */

static inline uint8_t *model_add(struct model_frame *f, uint32_t length)
{
	uint8_t *at = f->bytes + f->length;

	memset(at, 0, length);
	f->length += length;
	return at;
}

static inline uint32_t model_pseudo(const struct address *source, const struct address *destination,
				    bool ipv4, uint8_t protocol, uint32_t length)
{
	uint32_t skip = ipv4 ? 12 : 0, sum = protocol + length;

	sum = model_sum(source->bytes + skip, 16 - skip, sum);
	return model_sum(destination->bytes + skip, 16 - skip, sum);
}

/* Whether the inner packet has a checksum over all that it is. */
static inline bool model_summed(const struct model_frame *f, const struct model_packet *p)
{
	const uint8_t *l4 = f->bytes + p->l4;

	if (!p->has_l4 || p->quoted || !p->plain || p->piece != MODEL_WHOLE)
		return false;
	return p->protocol == IPPROTO_TCP || (get16(l4 + 6) && get16(l4 + 4) == p->end - p->l4);
}

/*
 * The sum of the inner packet as if its checksums were right. What came with a wrong one shall
 * arrive with one: an outer checksum that held for it would hide the damage.
 */
static inline uint32_t model_inner_sum(const struct model_frame *f, const struct model_packet *p)
{
	struct model_frame copy = *f;
	uint8_t *ip = copy.bytes + p->l3, *l4 = copy.bytes + p->l4;
	uint8_t *check = l4 + (p->protocol == IPPROTO_TCP ? 16 : 6);
	uint32_t length = p->end - p->l4;

	if (p->ipv4) {
		model_put16(ip + 10, 0);
		model_put16(ip + 10, ~model_sum(ip, 20, 0) & 0xffff);
	}
	model_put16(check, 0);
	model_put16(check, ~model_sum(l4, length,
				      model_pseudo(&p->source, &p->destination, p->ipv4,
						   p->protocol, length)) &
				   0xffff);
	return model_sum(ip, p->end - p->l3, 0);
}

static inline void model_outer_ipv4(struct model_frame *out, const struct backend *b,
				    uint32_t total, uint8_t protocol, uint8_t tos)
{
	uint8_t *ip = model_add(out, 20);

	ip[0] = 0x45;
	ip[1] = tos;
	model_put16(ip + 2, total);
	model_put16(ip + 6, 0x4000);
	ip[8] = 64;
	ip[9] = protocol;
	memcpy(ip + 12, b->source.bytes + 12, 4);
	memcpy(ip + 16, b->address.bytes + 12, 4);
	model_put16(ip + 10, ~model_sum(ip, 20, 0) & 0xffff);
}

static inline void model_outer_ipv6(struct model_frame *out, const struct backend *b,
				    uint32_t payload, uint8_t protocol, uint8_t tos, uint64_t hash)
{
	uint32_t label = hash_flow_label(hash);
	uint8_t *ip = model_add(out, 40);

	ip[0] = 0x60 | tos >> 4;
	ip[1] = (uint8_t)(tos << 4 | label >> 16);
	model_put16(ip + 2, label & 0xffff);
	model_put16(ip + 4, payload);
	ip[6] = protocol;
	ip[7] = 64;
	memcpy(ip + 8, b->source.bytes, 16);
	memcpy(ip + 24, b->address.bytes, 16);
}

/* Hops of the outer header's family only: a node rewrites its destination to one. */
static inline uint32_t model_gue(const struct model *m, uint8_t *udp, const struct model_route *r,
				 const struct model_packet *p)
{
	const struct backend *b = model_backend(m, r->backend);
	uint32_t size = b->family == 4 ? 4 : 16, count = 0;

	for (int i = 0; i < r->hop_count; i++) {
		const struct backend *hop = model_backend(m, r->hops[i]);

		if (hop && hop->family == b->family)
			memcpy(udp + 16 + size * count++, hop->address.bytes + 16 - size, size);
	}
	model_put16(udp, hash_source_port(r->flow_hash));
	model_put16(udp + 2, MODEL_GUE_PORT);
	model_put16(udp + 4, 16 + size * count + p->end - p->l3);
	udp[8] = (uint8_t)(1 + count * size / 4);
	udp[9] = p->ipv4 ? IPPROTO_IPIP : IPPROTO_IPV6;
	model_put16(udp + 12, b->family == 4 ? 0 : 1);
	udp[15] = (uint8_t)count;
	return 16 + size * count;
}

static inline void model_gue_sum(const struct backend *b, const struct service *s,
				 const struct model_frame *f, const struct model_packet *p,
				 uint8_t *udp, uint32_t length)
{
	uint32_t sum;

	if (b->family == 4 || s->flags & SERVICE_CHECKSUM_ZERO || !model_summed(f, p))
		return;
	sum = model_pseudo(&b->source, &b->address, false, IPPROTO_UDP, get16(udp + 4));
	sum = model_sum(udp, length, sum) + model_inner_sum(f, p);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	model_put16(udp + 6, sum == 0xffff ? 0xffff : ~sum & 0xffff);
}

static inline void model_ethernet(struct model_frame *out, const struct nexthop *n, bool ipv4)
{
	memcpy(model_add(out, 6), n->destination, 6);
	memcpy(model_add(out, 6), n->source, 6);
	if (n->vlan) {
		model_put16(model_add(out, 2), 0x8100);
		model_put16(model_add(out, 2), n->vlan);
	}
	model_put16(model_add(out, 2), ipv4 ? 0x0800 : 0x86dd);
}

static inline enum verdict model_send(const struct model *m, const struct nexthop *n)
{
	if (n->ifindex == m->ingress_ifindex)
		return VERDICT_FORWARD_TX;
	return n->port < 64 && m->ports >> n->port & 1 ? VERDICT_FORWARD_REDIRECT
						       : VERDICT_DROP_NO_PORT;
}

/* How much of the sender's packet fits, with room for two hops; 0: nothing. */
static inline uint32_t model_fits(const struct service *s, const struct backend *b)
{
	uint32_t outer = 0;

	if (s->encap != ENCAP_L2)
		outer += b->family == 4 ? 20 : 40;
	if (s->encap == ENCAP_GUE)
		outer += 16 + 2 * (b->family == 4 ? 4 : 16);
	return b->path_mtu_bytes > outer ? b->path_mtu_bytes - outer : 0;
}

/*
 * "Fragmentation needed" (RFC 792, RFC 1191) or "packet too big" (RFC 4443), from whom the packet was for to whom it came
 * from, quoting its first 128 or 512 bytes; only where they are there, and in IPv4 only where DF is set.
 */
static inline enum verdict model_too_big(const struct model *m, const struct service *s, const struct backend *b,
					 const struct model_packet *p, const struct model_frame *f,
					 struct model_frame *out)
{
	const uint8_t *ip = f->bytes + p->l3;
	uint32_t quote = p->ipv4 ? 128 : 512, size = p->ipv4 ? 4 : 16, at = p->ipv4 ? 12 : 8, mtu = model_fits(s, b);
	uint8_t *head, *icmp, pseudo[40] = {0};

	if (p->quoted || !mtu || p->end - p->l3 < quote || (p->ipv4 && !(ip[6] & 0x40)) || !m->tells)
		return VERDICT_DROP_TOO_BIG;
	out->length = 0;
	memcpy(model_add(out, 6), f->bytes + 6, 6);
	memcpy(model_add(out, 6), f->bytes, 6);
	memcpy(model_add(out, p->l3 - 12), f->bytes + 12, p->l3 - 12);
	head = model_add(out, p->ipv4 ? 20 : 40);
	memset(head, 0, p->ipv4 ? 20 : 40);
	icmp = model_add(out, 8);
	memset(icmp, 0, 8);
	memcpy(model_add(out, quote), ip, quote);
	memcpy(head + at, ip + at + size, size);
	memcpy(head + at + size, ip + at, size);
	if (p->ipv4) {
		memcpy(head, "\x45\0\0\0\0\0\x40\0\x40\1", 10);
		model_put16(head + 2, 28 + quote);
		model_put16(head + 10, ~model_sum(head, 20, 0) & 0xffff);
		icmp[0] = 3;
		icmp[1] = 4;
		model_put16(icmp + 6, mtu);
		model_put16(icmp + 2, ~model_sum(icmp, 8 + quote, 0) & 0xffff);
		return VERDICT_ANSWER_TOO_BIG;
	}
	memcpy(head, "\x60\0\0\0\0\0\x3a\x40", 8);
	model_put16(head + 4, 8 + quote);
	icmp[0] = 2;
	model_put16(icmp + 6, mtu);
	memcpy(pseudo, head + 8, 32);
	model_put16(pseudo + 34, 8 + quote);
	pseudo[39] = IPPROTO_ICMPV6;
	model_put16(icmp + 2, ~model_sum(icmp, 8 + quote, model_sum(pseudo, 40, 0)) & 0xffff);
	return VERDICT_ANSWER_TOO_BIG;
}

static inline enum verdict model_forward(const struct model *m, const struct service *s,
					 const struct model_packet *p, const struct model_route *r,
					 const struct model_frame *f, struct model_frame *out)
{
	const struct backend *b = model_backend(m, r->backend);
	const struct nexthop *n = &m->nexthops[b->nexthop];
	uint32_t inner = p->end - p->l3, gue_length = 0, outer = 0;
	uint8_t gue[16 + 2 * 16] = {0}, protocol = p->ipv4 ? IPPROTO_IPIP : IPPROTO_IPV6;

	if (!b->nexthop || !n->ifindex)
		return VERDICT_DROP_NO_NEXTHOP;
	if (s->encap == ENCAP_GUE) {
		gue_length = model_gue(m, gue, r, p);
		model_gue_sum(b, s, f, p, gue, gue_length);
		protocol = IPPROTO_UDP;
	}
	if (s->encap != ENCAP_L2)
		outer = gue_length + (b->family == 4 ? 20 : 40);
	if (inner + outer > b->path_mtu_bytes)
		return model_too_big(m, s, b, p, f, out);
	out->length = 0;
	model_ethernet(out, n, s->encap == ENCAP_L2 ? p->ipv4 : b->family == 4);
	if (s->encap != ENCAP_L2 && b->family == 4)
		model_outer_ipv4(out, b, inner + outer, protocol, p->tos);
	else if (s->encap != ENCAP_L2)
		model_outer_ipv6(out, b, inner + gue_length, protocol, p->tos, r->flow_hash);
	memcpy(model_add(out, gue_length), gue, gue_length);
	memcpy(model_add(out, f->length - p->l3), f->bytes + p->l3, f->length - p->l3);
	return model_send(m, n);
}

/* --- ICMP */

static inline bool model_is_vip(const struct model *m, const struct model_packet *p)
{
	for (uint32_t i = 0; i < m->vip_count; i++)
		if (model_same(&m->vips[i], &p->destination) &&
		    hash_is_ipv4(&m->vips[i]) == p->ipv4)
			return true;
	return false;
}

/* The checksum of what changed in the message: everything else is as it came, right or wrong. */
static inline void model_resum(uint8_t *check, uint32_t from, uint32_t to, bool never_zero)
{
	uint32_t sum = (~get16(check) & 0xffff) + (~from & 0xffff) + to;

	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	sum = ~sum & 0xffff;
	model_put16(check, never_zero && !sum ? 0xffff : sum);
}

static inline enum verdict model_echo(const struct model_packet *p, const struct model_frame *f,
				      struct model_frame *out)
{
	uint8_t *ip = out->bytes + p->l3, *icmp = out->bytes + p->l4;
	uint32_t size = p->ipv4 ? 4 : 16, at = p->ipv4 ? 12 : 8, was;

	memcpy(out->bytes, f->bytes + 6, 6);
	memcpy(out->bytes + 6, f->bytes, 6);
	memcpy(ip + at, f->bytes + p->l3 + at + size, size);
	memcpy(ip + at + size, f->bytes + p->l3 + at, size);
	if (p->ipv4)
		model_resum(ip + 10, (uint32_t)ip[8] << 8, 64 << 8, false);
	ip[p->ipv4 ? 8 : 7] = 64;
	if (p->piece == MODEL_LATER)
		return VERDICT_ANSWER_ECHO;
	was = get16(icmp);
	icmp[0] = p->ipv4 ? 0 : 129;
	model_resum(icmp + 2, was, get16(icmp), true);
	return VERDICT_ANSWER_ECHO;
}

/* An error that quotes a packet of its own destination: `p` becomes the client's side of that flow.
 */
static inline bool model_quote(const struct model_frame *f, struct model_packet *p)
{
	const uint8_t *icmp = f->bytes + p->l4, *ip = icmp + 8;
	uint32_t header = 40, room = p->end - p->l4, size = p->ipv4 ? 4 : 16;
	uint8_t type = icmp[0];

	if (p->l4 - p->l3 > 0x7ff || room < 8u + (p->ipv4 ? 20 : 40) ||
	    ip[0] >> 4 != (p->ipv4 ? 4 : 6))
		return false;
	if (p->ipv4 ? type != 3 && type != 11 && type != 12 : type < 1 || type > 4)
		return false;
	if (p->ipv4) {
		header = (ip[0] & 15) * 4;
		if (header < 20 || get16(ip + 6) & 0x1fff)
			return false;
	}
	if (room < 8 + header + 8 ||
	    memcmp(ip + (p->ipv4 ? 12 : 8), p->destination.bytes + 16 - size, size))
		return false;
	p->protocol = ip[p->ipv4 ? 9 : 6];
	if (p->protocol != IPPROTO_TCP && p->protocol != IPPROTO_UDP)
		return false;
	memcpy(p->source.bytes + 16 - size, ip + (p->ipv4 ? 16 : 24), size);
	memcpy(&p->ports, ip + header, 4);
	p->ports = p->ports >> 16 | p->ports << 16;
	p->tcp_flags = MODEL_ACK;
	p->quoted = true;
	return true;
}

/* An echo request: answered, or served as any packet of a sandbox. */
static inline enum model_fate model_echo_fate(const struct model *m, const struct model_packet *p)
{
	const struct service *s;

	if (model_is_vip(m, p))
		return MODEL_ANSWER;
	s = model_service(m, p);
	if (!s)
		return MODEL_PASS;
	return s->affinity == AFFINITY_SANDBOX ? MODEL_SERVE : MODEL_ANSWER;
}

/* Behind it there may be the fragment's own header, and no other. */
static inline bool model_is_echo(const struct model_frame *f, const struct model_packet *p)
{
	const uint8_t *icmp = f->bytes + p->l4;
	bool bare = p->plain || (!p->ipv4 && p->piece == MODEL_FIRST && p->l4 == p->l3 + 48);

	return bare && p->end - p->l4 >= 8 && icmp[0] == (p->ipv4 ? 8 : 128) && !icmp[1];
}

static inline bool model_is_icmp(const struct model_packet *p)
{
	return p->protocol == (p->ipv4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
}

/* VERDICT_CONTINUE: go on with `p`. */
static inline enum verdict model_icmp(const struct model *m, const struct model_frame *f,
				      struct model_packet *p, struct model_frame *out)
{
	enum model_fate fate;

	if (!model_is_icmp(p))
		return VERDICT_PASS_NOT_OURS;
	if (!model_is_echo(f, p))
		return p->piece == MODEL_WHOLE && model_quote(f, p) ? VERDICT_CONTINUE
								    : VERDICT_PASS_NOT_OURS;
	fate = model_echo_fate(m, p);
	if (fate == MODEL_ANSWER)
		return model_echo(p, f, out);
	return fate == MODEL_SERVE ? VERDICT_CONTINUE : VERDICT_PASS_NOT_OURS;
}

/* --- fragments */

static inline const struct service *model_prefix(const struct model *m,
						 const struct model_packet *p)
{
	struct model_packet no_port = *p;
	const struct service *s;

	no_port.protocol = 255;
	s = model_service(m, &no_port);
	return s;
}

static inline struct model_datagram *model_datagram(struct model *m, const struct model_packet *p)
{
	uint32_t i;

	for (i = 0; i < m->datagram_count; i++) {
		const struct model_packet *first = &m->datagrams[i].first;

		if (first->ipv4 == p->ipv4 && first->id == p->id &&
		    model_same(&first->source, &p->source) &&
		    model_same(&first->destination, &p->destination) &&
		    (!p->ipv4 || first->protocol == p->protocol))
			break;
	}
	return &m->datagrams[i];
}

/* Notes what becomes of a datagram, where its address is ours. */
static inline enum verdict model_first(struct model *m, const struct model_frame *f,
				       const struct model_packet *p)
{
	struct model_datagram *datagram = model_datagram(m, p);

	if (!model_is_vip(m, p) && !model_prefix(m, p))
		return VERDICT_PASS_NOT_OURS;
	m->datagram_count += datagram == &m->datagrams[m->datagram_count];
	datagram->first = *p;
	datagram->fate = MODEL_SERVE;
	if (!p->has_l4)
		datagram->fate = model_is_icmp(p) && model_is_echo(f, p) ? model_echo_fate(m, p)
									 : MODEL_PASS;
	return VERDICT_CONTINUE;
}

static inline enum verdict model_later_alone(const struct model *m, const struct model_packet *p)
{
	static const uint8_t ours4[] = {1, 6, 17}, ours6[] = {58, 6, 17, 0, 43, 44, 60};
	const struct service *s = model_prefix(m, p);

	if (!memchr(p->ipv4 ? ours4 : ours6, p->protocol, p->ipv4 ? sizeof(ours4) : sizeof(ours6)))
		return VERDICT_PASS_NOT_OURS;
	if (model_is_vip(m, p))
		return VERDICT_DROP_FRAGMENT;
	if (!s)
		return VERDICT_PASS_NOT_OURS;
	return s->affinity == AFFINITY_SANDBOX && !(s->flags & SERVICE_SANDBOX_PORT)
		       ? VERDICT_CONTINUE
		       : VERDICT_DROP_FRAGMENT;
}

/* `p` gets the ports of its first fragment. */
static inline enum verdict model_later(struct model *m, const struct model_frame *f,
				       struct model_packet *p, struct model_frame *out)
{
	const struct model_datagram *datagram = model_datagram(m, p);

	if (datagram == &m->datagrams[m->datagram_count])
		return model_later_alone(m, p);
	if (datagram->fate == MODEL_PASS)
		return VERDICT_PASS_NOT_OURS;
	if (p->place < datagram->first.place)
		return VERDICT_DROP_FRAGMENT_OVERLAP;
	if (datagram->fate == MODEL_ANSWER)
		return model_echo(p, f, out);
	p->ports = datagram->first.ports;
	p->protocol = datagram->first.protocol;
	return VERDICT_CONTINUE;
}

/* The whole way. `out` is the frame that leaves; where nothing is forwarded, the one that came. */
static inline enum verdict model_xdp_lb(struct model *m, const struct model_frame *f,
					struct model_frame *out)
{
	struct model_route route = {0};
	const struct service *s;
	struct model_packet p;
	enum verdict verdict = model_parse(f, &p);

	*out = *f;
	if (verdict)
		return verdict;
	if (p.piece == MODEL_LATER)
		verdict = model_later(m, f, &p, out);
	else if (p.piece == MODEL_FIRST)
		verdict = model_first(m, f, &p);
	if (!verdict && p.piece != MODEL_LATER && !p.has_l4)
		verdict = model_icmp(m, f, &p, out);
	if (verdict)
		return verdict;
	s = model_service(m, &p);
	if (!s)
		return VERDICT_PASS_NOT_OURS;
	if (p.l4_bad)
		return VERDICT_DROP_MALFORMED;
	verdict = model_choose(m, s, &p, f, &route);
	return verdict ? verdict : model_forward(m, s, &p, &route, f, out);
}

#endif
