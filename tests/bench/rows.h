/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_TESTS_BENCH_ROWS_H
#define EBB_TESTS_BENCH_ROWS_H
/*
 * rows: the rows of bench_xdp's table: which packets, towards which services, and what must become
 * of them; and the orders to the wrapper that make those packets.
 */
#include "tests/bench/world.h"
#include "tests/bench/wrap.h"

enum towards { ONE_VIP, ALL_VIPS, SANDBOXES, FOREIGN, NO_IP };

/* For how many flows the flow table is made. */
enum table { TABLE_DEFAULT, TABLE_128K, TABLE_2M, TABLE__COUNT };

enum notes { NOTES_NONE, NOTES_YOUNG, NOTES_SOME, NOTES_ALL };

#define NEW_FLOWS 0xffffffffu /* as a number of flows: one a packet */
#define FLOOD     0u
#define KNOWN_PORT                                                                                 \
	0 /* first source port; a flood has others, so that it meets no known flow by chance */
#define FLOOD_PORT 0x8000

struct row {
	const char *name;
	uint32_t flows;
	uint8_t tcp_flags;
	struct world_services like;
	uint32_t grows; /* bytes */
	double target_ns;
	bool ipv6;
	enum towards towards;
	enum notes notes;
	enum table table;
	bool in_pairs;        /* each flow sends a SYN and an ACK */
	bool noted;           /* every flow has sent a SYN and an ACK before */
	bool stages;          /* ask where the nanoseconds go */
	bool kept;            /* by a former owner */
	enum verdict verdict; /* CONTINUE: FORWARD_TX */
};

#define SYN 0x02
#define ACK 0x10
#define K64 65536
#define M1  1048576

#define TCP(e, t, p, ...)                                                                          \
	{                                                                                          \
		.protocol = IPPROTO_TCP, .encap = ENCAP_##e, .track = TRACK_##t,                   \
		.pool = WORLD_##p, ##__VA_ARGS__                                                   \
	}

__attribute__((unused)) static const struct row rows[] = {
	{"-- IPv4 TCP, settled slots: no look-up, no state"},
	{"4in4, 1 flow", 1, ACK, TCP(IPIP, MOVED, SETTLED), 20, 70, .stages = true},
	{"4in4, 64k flows", K64, ACK, TCP(IPIP, MOVED, SETTLED), 20, 100, .stages = true},
	{"4in4, 1M flows", M1, ACK, TCP(IPIP, MOVED, SETTLED), 20, 100},
	{"4in4, 64k flows over 1,024 services", K64, ACK, TCP(IPIP, MOVED, SETTLED), 20, 100,
	 .towards = ALL_VIPS, .stages = true},
	{"4in4, 64k flows, leaves by another interface", K64, ACK,
	 TCP(IPIP, MOVED, SETTLED, .redirect = true), 20, 0, .verdict = VERDICT_FORWARD_REDIRECT},
	{"gue4, 1 flow", 1, ACK, TCP(GUE, MOVED, SETTLED), 36, 70},
	{"gue4, 64k flows", K64, ACK, TCP(GUE, MOVED, SETTLED), 36, 100},
	{"4in6, 64k flows", K64, ACK, TCP(IPIP, MOVED, SETTLED_IPV6), 40, 100},
	{"gue6, 1 flow", 1, ACK, TCP(GUE, MOVED, SETTLED_IPV6), 56, 70},
	{"gue6, 64k flows", K64, ACK, TCP(GUE, MOVED, SETTLED_IPV6), 56, 100, .stages = true},
	{"l2, 64k flows", K64, ACK, TCP(L2, MOVED, SETTLED), 0, 100},
	{"4in4, new flow every packet", NEW_FLOWS, SYN, TCP(IPIP, MOVED, SETTLED), 20, 100},
	{"gue4, new flow every packet", NEW_FLOWS, SYN, TCP(GUE, MOVED, SETTLED), 36, 100},
	{"4in4, SYN flood", FLOOD, SYN, TCP(IPIP, MOVED, SETTLED), 20, 100},
	{"gue4, SYN flood", FLOOD, SYN, TCP(GUE, MOVED, SETTLED), 36, 100},
	{"4in4, UDP, 64k flows",
	 K64,
	 0,
	 {.protocol = IPPROTO_UDP, .encap = ENCAP_IPIP, .pool = WORLD_SETTLED},
	 20,
	 100},
	{"-- IPv4 TCP, unsettled slots: the flow table is asked"},
	{"gue4, noted flow, 1 flow", 1, ACK, TCP(GUE, MOVED, MOVED), 40, 0, .noted = true,
	 .notes = NOTES_ALL},
	{"gue4, noted flow, 64k flows", K64, ACK, TCP(GUE, MOVED, MOVED), 40, 0, .noted = true,
	 .notes = NOTES_ALL, .stages = true},
	{"gue4, flow from before the move, 64k flows", K64, ACK, TCP(GUE, MOVED, MOVED), 40, 0,
	 .kept = true, .stages = true},
	{"gue4, SYN flood", FLOOD, SYN, TCP(GUE, MOVED, MOVED), 40, 100, .notes = NOTES_YOUNG},
	{"gue4, ACK flood", FLOOD, ACK, TCP(GUE, MOVED, MOVED), 40, 0, .kept = true},
	{"-- IPv4 TCP, track: always"},
	{"4in4, known flow, 1 flow", 1, ACK, TCP(IPIP, ALWAYS, SETTLED), 20, 0, .noted = true,
	 .notes = NOTES_ALL},
	{"4in4, known flow, 64k flows, table for 128k", K64, ACK, TCP(IPIP, ALWAYS, SETTLED), 20,
	 180, .noted = true, .notes = NOTES_ALL, .stages = true, .table = TABLE_128K},
	{"4in4, known flow, 64k flows", K64, ACK, TCP(IPIP, ALWAYS, SETTLED), 20, 180,
	 .noted = true, .notes = NOTES_ALL, .stages = true},
	{"4in4, known flow, 1M flows, table for 2M", M1, ACK, TCP(IPIP, ALWAYS, SETTLED), 20, 220,
	 .noted = true, .notes = NOTES_ALL, .stages = true, .table = TABLE_2M},
	{"gue4, known flow, 64k flows", K64, ACK, TCP(GUE, ALWAYS, SETTLED), 36, 180, .noted = true,
	 .notes = NOTES_ALL},
	{"4in4, new flow every packet", NEW_FLOWS, SYN, TCP(IPIP, ALWAYS, SETTLED), 20, 220,
	 .notes = NOTES_YOUNG},
	{"4in4, SYN and ACK of a new flow each, by halves", NEW_FLOWS, ACK, TCP(IPIP, ALWAYS, SETTLED), 20, 220,
	 .notes = NOTES_SOME, .in_pairs = true},
	{"4in4, SYN flood", FLOOD, SYN, TCP(IPIP, ALWAYS, SETTLED), 20, 100, .notes = NOTES_YOUNG},
	{"4in4, ACK flood", FLOOD, ACK, TCP(IPIP, ALWAYS, SETTLED), 20, 0, .notes = NOTES_YOUNG},
	{"-- IPv6 TCP"},
	{"6in6, 1 flow", 1, ACK, TCP(IPIP, MOVED, SETTLED_IPV6), 40, 80, .ipv6 = true},
	{"6in6, 64k flows", K64, ACK, TCP(IPIP, MOVED, SETTLED_IPV6), 40, 120, .ipv6 = true},
	{"6in6, 64k flows over 1,024 services", K64, ACK, TCP(IPIP, MOVED, SETTLED_IPV6), 40, 120,
	 .ipv6 = true, .towards = ALL_VIPS},
	{"6in4, 64k flows", K64, ACK, TCP(IPIP, MOVED, SETTLED), 20, 120, .ipv6 = true},
	{"gue6, 1 flow", 1, ACK, TCP(GUE, MOVED, SETTLED_IPV6), 56, 80, .ipv6 = true},
	{"gue6, 64k flows", K64, ACK, TCP(GUE, MOVED, SETTLED_IPV6), 56, 120, .ipv6 = true},
	{"gue6, noted flow in unsettled slots, 64k flows", K64, ACK, TCP(GUE, MOVED, MOVED_IPV6),
	 72, 0, .ipv6 = true, .noted = true, .notes = NOTES_ALL},
	{"6in6, SYN flood", FLOOD, SYN, TCP(IPIP, MOVED, SETTLED_IPV6), 40, 0, .ipv6 = true},
	{"-- prefix services"},
	{"gue4, sandbox by address, 64k sandboxes", K64, ACK,
	 TCP(GUE, MOVED, SETTLED, .affinity = AFFINITY_SANDBOX), 36, 0, .towards = SANDBOXES},
	{"6in6, sandbox by address, 64k sandboxes", K64, ACK,
	 TCP(IPIP, MOVED, SETTLED_IPV6, .affinity = AFFINITY_SANDBOX), 40, 0, .ipv6 = true,
	 .towards = SANDBOXES},
	{"-- not ours"},
	{"IPv4 TCP, 64k flows", K64, ACK, TCP(IPIP, MOVED, SETTLED), 0, 20, .towards = FOREIGN,
	 .verdict = VERDICT_PASS_NOT_OURS},
	{"IPv6 TCP, 64k flows", K64, ACK, TCP(IPIP, MOVED, SETTLED_IPV6), 0, 20, .ipv6 = true,
	 .towards = FOREIGN, .verdict = VERDICT_PASS_NOT_OURS},
	{"not IP", K64, ACK, TCP(IPIP, MOVED, SETTLED), 0, 20, .towards = NO_IP,
	 .verdict = VERDICT_PASS_NOT_IP},
};

static inline void put16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static inline void traffic_ipv4(uint8_t *ip, const struct row *row)
{
	ip[0] = 0x45;
	put16(ip + 2, WRAP_IPV4_BYTES - 14);
	put16(ip + 6, 0x4000);
	ip[8] = 64;
	ip[9] = row->like.protocol;
}

static inline void traffic_ipv6(uint8_t *ip, const struct row *row)
{
	uint32_t prefix = htonl(row->towards == SANDBOXES ? WORLD_PREFIX6
				: row->towards == FOREIGN ? 0x20010dbf
							  : WORLD_VIP6);

	ip[0] = 0x60;
	put16(ip + 4, WRAP_IPV6_BYTES - 54);
	ip[6] = row->like.protocol;
	ip[7] = 64;
	memcpy(ip + 8, "\x20\x01\x0d\xb8\xff", 5);
	memcpy(ip + 24, &prefix, 4);
}

static inline void traffic_l4(uint8_t *l4, const struct row *row, uint8_t tcp_flags)
{
	put16(l4 + 2, WORLD_PORT);
	if (row->like.protocol == IPPROTO_TCP) {
		l4[12] = 0x50;
		l4[13] = tcp_flags;
	} else {
		put16(l4 + 4, 28);
		put16(l4 + 6, 0x1234);
	}
}

static inline uint32_t traffic_destination(const struct row *row)
{
	switch (row->towards) {
	case ONE_VIP:
	case ALL_VIPS:
		return row->ipv6 ? 0 : WORLD_VIP;
	case SANDBOXES:
		return row->ipv6 ? 0 : WORLD_PREFIX;
	case FOREIGN:
	case NO_IP:
		break;
	}
	return 0xcb007100; /* 203.0.113.0 */
}

/* Fills the wrapper's orders; the count of packets begins anew. */
static inline void traffic_set(struct wrap *to, const struct row *row, uint8_t tcp_flags)
{
	struct wrap w = {
		.flow_mask = row->flows == NEW_FLOWS ? UINT32_MAX : row->flows - 1,
		.destination_mask = row->towards == ALL_VIPS    ? WORLD_SERVICES - 1
				    : row->towards == SANDBOXES ? WORLD_SANDBOXES - 1
								: 0,
		.source = row->ipv6 ? 0 : 0x0b000000,
		.destination = traffic_destination(row),
		.port_be = htons(WORLD_PORT),
		.source_port = row->flows == FLOOD ? FLOOD_PORT : KNOWN_PORT,
		.is_ipv4 = !row->ipv6,
		.is_random = row->flows == FLOOD,
		.in_pairs = row->in_pairs,
	};

	memcpy(w.frame, "\x02\0\0\0\0\x01\x02\0\0\0\0\x02", 12);
	put16(w.frame + 12, row->towards == NO_IP ? 0x0806 : row->ipv6 ? 0x86dd : 0x0800);
	if (row->ipv6)
		traffic_ipv6(w.frame + 16, row);
	else
		traffic_ipv4(w.frame + 16, row);
	traffic_l4(w.frame + (row->ipv6 ? 56 : 36), row, tcp_flags);
	memcpy(to, &w, sizeof(w));
}

#endif
