/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_TESTS_BPF_FUZZ_PACKET_H
#define EBB_TESTS_BPF_FUZZ_PACKET_H
/*
 * fuzz_packet: frames for the fuzzers. First a right packet of some kind (tags, options, chains of
 * extension headers, fragments, TCP, UDP, others; towards VIPs, prefixes and strangers), then, for
 * most, a few changes: bits, lengths that lie, protocols that are not what follows, frames that are
 * cut or padded.
 */
#include "tests/bpf/fuzz_world.h"

static inline struct address fuzz_client(struct random *r, bool ipv4)
{
	uint32_t i = random_below(r, 64);

	return ipv4 ? world_ipv4(0xc6336400 + i) : world_ipv6(0x20010dbf, i);
}

/* VIPs, sandboxes, neighbours of both, strangers. */
static inline struct address fuzz_destination(struct random *r, bool ipv4)
{
	uint32_t i = random_below(r, FUZZ_ADDRESSES + 2);

	switch (random_below(r, 8)) {
	case 0:
		return ipv4 ? world_ipv4(WORLD_PREFIX + random_below(r, 512))
			    : world_ipv6(WORLD_PREFIX6, random_below(r, 512));
	case 1:
		return ipv4 ? world_ipv4((uint32_t)random_bits(r))
			    : world_ipv6((uint32_t)random_bits(r), i);
	case 2: /* in the /65 or not; IPv4-mapped inside of IPv6 */
		if (ipv4)
			return world_ipv4(0xc7000000 + i);
		return one_in(r, 2) ? fuzz_vip(i, true)
				    : (struct address){
					      {0x20, 1, 0xd, 0xb9, [8] = 0x80, [15] = (uint8_t)i}};
	default:
		return fuzz_vip(i, ipv4);
	}
}

static inline void fuzz_ethernet(struct model_frame *f, struct random *r, bool ipv4)
{
	uint32_t tags = one_in(r, 4) ? random_below(r, 4) : 0;

	f->length = 0;
	memcpy(model_add(f, 12), "\2\0\0\0\0\1\2\0\0\0\0\2", 12);
	for (uint32_t i = 0; i < tags; i++) {
		model_put16(model_add(f, 2), one_in(r, 2) ? 0x8100 : 0x88a8);
		model_put16(model_add(f, 2), random_below(r, 4096));
	}
	model_put16(model_add(f, 2), one_in(r, 100) ? 0x0806 : ipv4 ? 0x0800 : 0x86dd);
}

static inline uint8_t fuzz_protocol(struct random *r, bool ipv4)
{
	uint32_t i = random_below(r, 20);

	if (i < 10)
		return IPPROTO_TCP;
	if (i < 17)
		return IPPROTO_UDP;
	return i <= 18 ? (ipv4 ? IPPROTO_ICMP : IPPROTO_ICMPV6) : (uint8_t)random_bits(r);
}

/* Offset and "more" of a fragment, in units of 8 bytes from bit 3: firsts, later ones, some of which
 * overlap short firsts, a last one, and one that is whole. */
static inline uint32_t fuzz_place(struct random *r)
{
	static const uint16_t places[] = {0, 1, 1, 1, 1, 0x5c9, 0x5c9, 0x5c8, 0x09, 0x29};

	return places[random_below(r, sizeof(places) / sizeof(places[0]))];
}

static inline uint8_t *fuzz_ipv4(struct model_frame *f, struct random *r, struct address *source,
				 struct address *destination, uint8_t protocol, bool pieces)
{
	uint32_t options = one_in(r, 6) ? random_below(r, 11) * 4 : 0;
	uint8_t *ip = model_add(f, 20 + options);

	ip[0] = (uint8_t)(0x45 + options / 4);
	ip[1] = (uint8_t)(one_in(r, 2) ? 0 : random_bits(r));
	model_put16(ip + 6, 0x4000);
	if (pieces || one_in(r, 12)) {
		uint32_t place = fuzz_place(r);

		model_put16(ip + 4, random_below(r, 3));
		model_put16(ip + 6, (place & 1) << 13 | place >> 3);
	}
	ip[8] = 64;
	ip[9] = protocol;
	memcpy(ip + 12, source->bytes + 12, 4);
	memcpy(ip + 16, destination->bytes + 12, 4);
	memset(ip + 20, 1, options);
	return ip;
}

/* Up to eight extension headers, mostly none. */
static inline uint8_t *fuzz_ipv6(struct model_frame *f, struct random *r, struct address *source,
				 struct address *destination, uint8_t protocol, bool pieces)
{
	static const uint8_t kinds[] = {0, 43, 44, 60};
	uint32_t count = one_in(r, 4) ? random_below(r, 9) : pieces;
	uint8_t *ip = model_add(f, 40), *next = ip + 6;

	model_put16(ip, 0x6000 | random_below(r, 4096));
	ip[7] = 64;
	memcpy(ip + 8, source->bytes, 16);
	memcpy(ip + 24, destination->bytes, 16);
	for (uint32_t i = 0; i < count; i++) {
		uint8_t kind = pieces && count == 1 ? 44 : kinds[random_below(r, 4)];
		uint32_t extra = kind != 44 && one_in(r, 4) ? random_below(r, 3) : 0;
		uint8_t *header = model_add(f, 8 + 8 * extra);

		*next = kind;
		next = header;
		header[1] = (uint8_t)extra;
		if (kind == 44) {
			model_put16(header + 2, fuzz_place(r));
			header[7] = (uint8_t)random_below(r, 3);
		} else if (kind == 43) {
			header[3] = one_in(r, 8);
		}
	}
	*next = protocol;
	return ip;
}

/* Echo, or an error that quotes a packet from where it is going to, or anything. */
static inline void fuzz_icmp(struct model_frame *f, struct random *r, bool ipv4,
			     const struct address *destination)
{
	static const uint8_t types4[] = {8, 8, 3, 3, 11, 12, 0, 5},
			     types6[] = {128, 128, 2, 1, 3, 4, 135, 129};
	uint8_t *icmp = model_add(f, 8), *quoted;
	struct address client = fuzz_client(r, ipv4), from = *destination;
	uint8_t protocol = one_in(r, 8) ? (uint8_t)random_bits(r) : one_in(r, 2) ? 6 : 17;

	icmp[0] = (ipv4 ? types4 : types6)[random_below(r, 8)];
	model_put16(icmp + 2, random_below(r, 65536));
	model_put16(icmp + 6, one_in(r, 3) ? 0 : random_below(r, 65536));
	if (one_in(r, 8))
		from = fuzz_destination(r, ipv4);
	if (ipv4)
		fuzz_ipv4(f, r, &from, &client, protocol, false);
	else
		fuzz_ipv6(f, r, &from, &client, protocol, false);
	quoted = model_add(f, random_below(r, 40));
	if (f->length - (uint32_t)(quoted - f->bytes) < 8)
		return;
	model_put16(quoted, one_in(r, 6) ? random_below(r, 65536) : 443 + random_below(r, 4));
	model_put16(quoted + 2, 30000 + random_below(r, 16));
}

/* A QUIC packet, whole or cut, whose connection ID names a backend now and then. */
static inline void fuzz_quic(struct random *r, uint8_t *quic, uint32_t room)
{
	static const uint8_t lengths[] = {0, 5, 6, 7, 8, 8, 16, 20, 21, 255};
	uint8_t bytes[32] = {0}, *cid = bytes + 1;

	bytes[0] = (uint8_t)(random_bits(r) & 0x7f);
	if (one_in(r, 2)) {
		bytes[0] |= one_in(r, 2) ? 0x80 : 0xa0;
		if (one_in(r, 3))
			bytes[0] |= 0x30;
		memcpy(bytes + 1, one_in(r, 2) ? "\0\0\0\1" : "\x6b\x33\x43\xcf", 4);
		bytes[5] = lengths[random_below(r, sizeof(lengths))];
		cid = bytes + 6;
	}
	cid[0] = (uint8_t)random_bits(r);
	cid[1 + random_below(r, 4)] = (uint8_t)random_below(r, FUZZ_BACKENDS + 6);
	memcpy(quic, bytes, room < sizeof(bytes) ? room : sizeof(bytes));
}

static inline void fuzz_l4(struct model_frame *f, struct random *r, uint8_t protocol)
{
	static const uint8_t flags[] = {0x02, 0x10, 0x10, 0x18, 0x12, 0x11, 0x04, 0x14, 0x00};
	uint32_t payload = one_in(r, 12) ? random_below(r, 1500) : random_below(r, 64);
	uint32_t header = protocol == IPPROTO_TCP ? 20 : 8;
	uint8_t *l4 = model_add(f, header + payload);

	for (uint32_t i = header; i < header + payload; i++)
		l4[i] = (uint8_t)(i * 7);
	model_put16(l4, 30000 + random_below(r, 16));
	model_put16(l4 + 2, one_in(r, 6) ? random_below(r, 65536) : 443 + random_below(r, 4));
	if (protocol == IPPROTO_TCP) {
		l4[12] = 0x50;
		l4[13] = flags[random_below(r, sizeof(flags))];
	} else {
		model_put16(l4 + 4, header + payload);
		if (one_in(r, 2))
			fuzz_quic(r, l4 + header, payload);
	}
}

/* Lengths and checksums, from what the frame now holds. */
static inline void fuzz_finish(struct model_frame *f, struct random *r)
{
	struct model_packet p;
	uint8_t *ip, *check;
	uint32_t length;

	memset(&p, 0, sizeof(p));
	(void)model_ethertype(f, &p.l3);
	ip = f->bytes + p.l3;
	if (ip[0] >> 4 == 4) {
		model_put16(ip + 2, f->length - p.l3);
		model_put16(ip + 10, ~model_sum(ip, (ip[0] & 15) * 4, 0) & 0xffff);
	} else {
		model_put16(ip + 4, f->length - p.l3 - 40);
	}
	if (model_parse(f, &p) || !p.has_l4 || p.l4_bad)
		return;
	check = f->bytes + p.l4 + (p.protocol == IPPROTO_TCP ? 16 : 6);
	length = p.end - p.l4;
	if (p.protocol == IPPROTO_UDP && one_in(r, 8))
		return; /* without a checksum */
	length = ~model_sum(f->bytes + p.l4, length,
			    model_pseudo(&p.source, &p.destination, p.ipv4, p.protocol, length));
	model_put16(check, length & 0xffff ? length & 0xffff : 0xffff);
}

static inline void fuzz_build(struct model_frame *f, struct random *r)
{
	bool ipv4 = one_in(r, 2);
	struct address source = fuzz_client(r, ipv4), destination = fuzz_destination(r, ipv4);
	uint8_t protocol = fuzz_protocol(r, ipv4);
	bool pieces = one_in(r, 6); /* of few datagrams */

	fuzz_ethernet(f, r, ipv4);
	if (pieces) {
		source = ipv4 ? world_ipv4(0xc6336401) : world_ipv6(0x20010dbf, 1);
		destination = fuzz_vip(random_below(r, 3), ipv4);
		if (one_in(r, 2))
			destination = ipv4 ? world_ipv4(WORLD_PREFIX + random_below(r, 2))
					   : world_ipv6(WORLD_PREFIX6, random_below(r, 2));
	}
	if (ipv4)
		fuzz_ipv4(f, r, &source, &destination, protocol, pieces);
	else
		fuzz_ipv6(f, r, &source, &destination, protocol, pieces);
	if (protocol == (ipv4 ? IPPROTO_ICMP : IPPROTO_ICMPV6) && !one_in(r, 4))
		fuzz_icmp(f, r, ipv4, &destination);
	else
		fuzz_l4(f, r, protocol);
	fuzz_finish(f, r);
	if (one_in(r, 4)) {
		uint32_t padding = random_below(r, 40);

		memset(model_add(f, padding), 0xee, padding);
	}
}

/* One change, most often in the headers. */
static inline void fuzz_mutate(struct model_frame *f, struct random *r)
{
	static const uint8_t odd[] = {0, 1, 4, 5, 6, 17, 41, 43, 44, 60, 0x40, 0x7f, 0x80, 0xff};
	uint32_t range = f->length < 80 || one_in(r, 4) ? f->length : 80;
	uint32_t at = random_below(r, range);

	switch (random_below(r, 8)) {
	case 0:
	case 1:
		f->bytes[at] ^= (uint8_t)(1 << random_below(r, 8));
		break;
	case 2:
	case 3:
		f->bytes[at] = odd[random_below(r, sizeof(odd))];
		break;
	case 4:
		f->bytes[at] = (uint8_t)random_bits(r);
		break;
	case 5: /* a length that lies a little */
		at &= ~1u;
		if (at + 2 <= f->length)
			model_put16(f->bytes + at, get16(f->bytes + at) + random_below(r, 41) - 20);
		break;
	case 6: /* cut */
		f->length = 14 + random_below(r, range);
		if (f->length > sizeof(f->bytes) / 2)
			f->length = 14;
		break;
	case 7: /* longer than its headers say */
		if (f->length < 2000)
			model_add(f, random_below(r, 32));
		break;
	}
}

static inline void fuzz_frame(struct model_frame *f, struct random *r)
{
	uint32_t was;

	fuzz_build(f, r);
	was = f->length;
	for (uint32_t n = one_in(r, 3) ? 0 : 1 + random_below(r, 4); n; n--)
		fuzz_mutate(f, r);
	if (f->length > was)
		memset(f->bytes + was, 0xdd, f->length - was);
}

#endif
