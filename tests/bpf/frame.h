/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_TESTS_BPF_FRAME_H
#define EBB_TESTS_BPF_FRAME_H
/*
 * frame: builds packets for the packet tests, and what should come of them. Every checksum is
 * computed here in full, byte by byte from RFC 1071, and so independently of the programs'
 * shortcuts.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "maps/types.h"

#define FRAME_MAX 4096

struct frame {
	uint8_t bytes[FRAME_MAX];
	uint32_t length;
	uint32_t l3; /* where the IP header begins */
};

enum piece { PIECE_WHOLE, PIECE_FIRST, PIECE_LATER };

/* What is not named is zero: an untagged, whole, valid packet without payload. */
struct spec {
	const char *source, *destination; /* the family is theirs */
	uint8_t protocol;
	uint16_t sport, dport;
	uint8_t tcp_flags;
	uint8_t tos;
	int tags;       /* VLAN */
	int options;    /* bytes of IPv4 options */
	int extensions; /* IPv6: so many destination options headers */
	enum piece piece;
	int payload;         /* bytes behind the L4 header */
	bool no_sum;         /* UDP without checksum */
	int padding;         /* bytes behind the packet */
	const uint8_t *body; /* the L4 part for other protocols; `payload` is its length */
};

static inline struct address address_of(const char *text)
{
	struct address address = {{0}};

	if (strchr(text, ':')) {
		assert(inet_pton(AF_INET6, text, address.bytes) == 1);
	} else {
		address.bytes[10] = address.bytes[11] = 0xff;
		assert(inet_pton(AF_INET, text, address.bytes + 12) == 1);
	}
	return address;
}

static inline uint32_t sum_bytes(const void *data, uint32_t length, uint32_t sum)
{
	const uint8_t *byte = data;

	for (uint32_t i = 0; i < length; i++)
		sum += i % 2 ? byte[i] : byte[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static inline void put16(uint8_t *to, uint16_t value)
{
	to[0] = value >> 8;
	to[1] = value;
}

/* The Internet checksum of an L4 segment with its pseudo-header. */
static inline uint16_t sum_l4(const struct address *source, const struct address *destination,
			      bool ipv4, uint8_t protocol, const void *data, uint32_t length)
{
	uint32_t sum = protocol + length, skip = ipv4 ? 12 : 0;

	sum = sum_bytes(source->bytes + skip, 16 - skip, sum);
	sum = sum_bytes(destination->bytes + skip, 16 - skip, sum);
	return ~sum_bytes(data, length, sum);
}

static inline uint8_t *frame_add(struct frame *frame, uint32_t length)
{
	uint8_t *at = frame->bytes + frame->length;

	assert(frame->length + length <= sizeof(frame->bytes));
	memset(at, 0, length);
	frame->length += length;
	return at;
}

static inline void frame_ethernet(struct frame *frame, const uint8_t macs[12], int tags,
				  const uint16_t *vlans, uint16_t type)
{
	memset(frame, 0, sizeof(*frame));
	memcpy(frame_add(frame, 12), macs, 12);
	for (int i = 0; i < tags; i++) {
		uint8_t *tag = frame_add(frame, 4);

		put16(tag, i == 0 && tags > 1 ? 0x88a8 : 0x8100);
		put16(tag + 2, vlans[i]);
	}
	put16(frame_add(frame, 2), type);
	frame->l3 = frame->length;
}

static inline void frame_ipv4(struct frame *frame, const struct address *source,
			      const struct address *destination, uint8_t protocol, uint8_t tos,
			      uint32_t payload, int options, uint16_t frag_off)
{
	uint8_t *ip = frame_add(frame, 20 + options);

	ip[0] = 0x45 + options / 4;
	ip[1] = tos;
	put16(ip + 2, 20 + options + payload);
	put16(ip + 6, frag_off);
	ip[8] = 64;
	ip[9] = protocol;
	memcpy(ip + 12, source->bytes + 12, 4);
	memcpy(ip + 16, destination->bytes + 12, 4);
	memset(ip + 20, 1, options); /* no-operation */
	put16(ip + 10, ~sum_bytes(ip, 20 + options, 0));
}

static inline void frame_ipv6(struct frame *frame, const struct address *source,
			      const struct address *destination, uint8_t protocol, uint8_t tos,
			      uint32_t label, uint32_t payload)
{
	uint8_t *ip = frame_add(frame, 40);

	ip[0] = 0x60 | tos >> 4;
	ip[1] = tos << 4 | label >> 16;
	put16(ip + 2, label);
	put16(ip + 4, payload);
	ip[6] = protocol;
	ip[7] = 64;
	memcpy(ip + 8, source->bytes, 16);
	memcpy(ip + 24, destination->bytes, 16);
}

static inline uint32_t spec_l4_length(const struct spec *spec)
{
	if (spec->piece == PIECE_LATER || spec->body)
		return spec->payload;
	return spec->payload + (spec->protocol == IPPROTO_TCP ? 20 : 8);
}

static inline void frame_l4(struct frame *frame, const struct spec *spec)
{
	struct address source = address_of(spec->source),
		       destination = address_of(spec->destination);
	uint32_t length = spec_l4_length(spec);
	uint8_t *l4 = frame_add(frame, length);
	uint16_t sum;

	for (uint32_t i = 0; i < length; i++)
		l4[i] = i * 7 + 3;
	if (spec->body)
		memcpy(l4, spec->body, length);
	if (spec->piece == PIECE_LATER || spec->body)
		return;
	put16(l4, spec->sport);
	put16(l4 + 2, spec->dport);
	if (spec->protocol == IPPROTO_TCP) {
		memset(l4 + 4, 0, 16);
		l4[12] = 0x50;
		l4[13] = spec->tcp_flags;
	} else {
		put16(l4 + 4, length);
		put16(l4 + 6, 0);
	}
	if (spec->no_sum)
		return;
	sum = sum_l4(&source, &destination, !strchr(spec->source, ':'), spec->protocol, l4, length);
	put16(l4 + (spec->protocol == IPPROTO_TCP ? 16 : 6), sum);
}

/* A frame of a client's packet, as the router hands it over. */
static inline void frame_build(struct frame *frame, const struct spec *spec)
{
	static const uint8_t macs[12] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
	static const uint16_t vlans[6] = {100, 200, 300, 400, 500, 600};
	struct address source = address_of(spec->source),
		       destination = address_of(spec->destination);
	bool ipv4 = !strchr(spec->source, ':');
	uint32_t length = spec_l4_length(spec);
	uint32_t extra = spec->extensions * 8 + (spec->piece != PIECE_WHOLE ? 8 : 0);

	frame_ethernet(frame, macs, spec->tags, vlans, ipv4 ? 0x0800 : 0x86dd);
	if (ipv4) {
		frame_ipv4(frame, &source, &destination, spec->protocol, spec->tos, length,
			   spec->options,
			   spec->piece == PIECE_FIRST   ? 0x2000
			   : spec->piece == PIECE_LATER ? 0x00b9
							: 0x4000);
	} else {
		uint8_t next = spec->piece != PIECE_WHOLE ? 44 : spec->protocol;

		frame_ipv6(frame, &source, &destination, spec->extensions ? 60 : next, spec->tos,
			   0x12345, length + extra);
		for (int i = 0; i < spec->extensions; i++) {
			uint8_t *header = frame_add(frame, 8);

			header[0] = i + 1 < spec->extensions ? 60 : next;
			header[2] = 1; /* PadN */
			header[3] = 4;
		}
		if (spec->piece != PIECE_WHOLE) {
			uint8_t *header = frame_add(frame, 8);

			header[0] = spec->protocol;
			put16(header + 2, spec->piece == PIECE_FIRST ? 1 : 0x5c8);
			header[7] = 9; /* identification */
		}
	}
	frame_l4(frame, spec);
	memset(frame_add(frame, spec->padding), 0xee, spec->padding);
}

#endif
