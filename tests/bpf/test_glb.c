/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_glb: ebb and a receiver that knows nothing of it, glb.bpf.c, understand each other's packets, in GLB Director's
 * published layout: what xdp_lb sends is what its fields say, the receiver accepts it or passes it on, node takes over
 * what the receiver passed on, and the other way round. And packets written by hand, byte by byte, go into node.
 *
 * The namespace is one of its own, with real sockets.
 */
#include <linux/pkt_cls.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include "build/node.skel.h"
#include "build/tests/bpf/glb.skel.h"
#include "maps/node.h"
#include "tests/bpf/fixture.h"

#define C4   "198.51.100.7"
#define C6   "2001:db8:c::7"
#define VIP4 "127.0.0.1" /* so that sockets can hold its flows */
#define VIP6 "::1"

#define TCP IPPROTO_TCP
#define UDP IPPROTO_UDP
#define SYN 0x02
#define ACK 0x10

static struct node *node;
static struct glb_bpf *glb;

/* --- the published layout, as a C program would declare it; not ebb's */

struct published {
	uint8_t ethernet[14];
	struct {
		uint8_t ihl : 4, version : 4, tos;
		uint16_t length, id, fragment;
		uint8_t ttl, protocol;
		uint16_t check;
		uint32_t source, destination;
	} __attribute__((packed)) ip;
	struct {
		uint16_t source, destination, length, check;
	} udp;
	struct {
		uint8_t hlen : 5, control : 1, variant : 2, proto_ctype;
		uint16_t flags;
	} gue;
	struct {
		uint8_t unused : 2, last_hop_gre : 1, forward_syn : 1, version : 4, reserved, next_hop, hop_count;
	} hops;
	uint32_t hop[];
} __attribute__((packed));
static_assert(sizeof(struct published) == 14 + 20 + 8 + 4 + 4, "the published layout");

static void assert_published(const struct frame *frame, uint8_t protocol, uint32_t inner_length, int hops)
{
	const struct published *p = (const void *)frame->bytes;

	assert_int_equal(p->ip.version, 4);
	assert_int_equal(p->ip.ihl, 5);
	assert_int_equal(p->ip.protocol, 17);
	assert_int_equal(p->ip.fragment, htons(0x4000));
	assert_int_equal(sum_bytes(&p->ip, 20, 0), 0xffff);
	assert_int_equal(ntohs(p->ip.length), sizeof(*p) - 14 + 4 * hops + inner_length);
	assert_int_equal(p->udp.destination, htons(6080));
	assert_int_equal(ntohs(p->udp.length), ntohs(p->ip.length) - 20);
	assert_int_equal(p->gue.variant, 0);
	assert_int_equal(p->gue.control, 0);
	assert_int_equal(p->gue.hlen, 1 + hops);
	assert_int_equal(p->gue.proto_ctype, protocol);
	assert_int_equal(p->gue.flags, 0);
	assert_int_equal(p->hops.version | p->hops.forward_syn | p->hops.last_hop_gre | p->hops.unused, 0);
	assert_int_equal(p->hops.reserved, 0);
	assert_int_equal(p->hops.next_hop, 0);
	assert_int_equal(p->hops.hop_count, hops);
	for (int i = 0; i < hops; i++)
		assert_int_equal(ntohl(p->hop[i]), 0x0a010002 + i);
}

/* --- who gets a frame */

static struct frame edge_sends(const struct spec *spec)
{
	struct frame in, out;

	frame_build(&in, spec);
	assert_int_equal(program_run(fx.skel->progs.xdp_lb, &in, &out), XDP_TX);
	out.l3 = 14;
	return out;
}

/* The receiver at 10.1.0.`host`: `counter` moves, and no other; `want` leaves, or it is shot. */
static struct frame receiver(const char *name, unsigned host, const struct frame *in, __u64 *counter,
			     int action)
{
	__u64 *counters[] = {&glb->bss->let_be, &glb->bss->malformed, &glb->bss->last_hop, &glb->bss->syn,
				&glb->bss->echo,   &glb->bss->claimed,	 &glb->bss->on};
	struct frame out;
	int got;

	for (int i = 0; i < 7; i++)
		*counters[i] = 0;
	glb->bss->glb_address = htonl(0x0a010000 + host);
	got = program_run(glb->progs.glb, in, &out);
	for (int i = 0; i < 7; i++)
		if (*counters[i] != (counters[i] == counter))
			fail_msg("%s: counter %d is %d", name, i, (int)*counters[i]);
	if (got != action)
		fail_msg("%s: action %d, want %d", name, got, action);
	out.l3 = 14;
	return out;
}

static struct frame at_node(const char *name, const struct frame *in, enum node_verdict verdict)
{
	uint64_t before = fixture_count(node->maps.node_verdicts, verdict, sizeof(struct verdict_stats), 0);
	struct frame out;

	(void)program_run(node->progs.node, in, &out);
	if (fixture_count(node->maps.node_verdicts, verdict, sizeof(struct verdict_stats), 0) != before + 1)
		fail_msg("%s: not the verdict %d", name, verdict);
	out.l3 = 14;
	return out;
}

static int node_action(enum node_verdict verdict)
{
	static const int actions[NODE__COUNT] = {
#define X(name, text, action, meaning) [NODE_##name] = XDP_##action,
		NODE_VERDICTS(X)
#undef X
	};

	return actions[verdict];
}

/* What the stack gets is what the client sent, behind the MACs that `carrier` came with. */
static void assert_inner(const char *name, const struct frame *got, const struct frame *carrier,
			 const struct spec *spec)
{
	struct frame want;

	frame_build(&want, spec);
	memcpy(want.bytes, carrier->bytes, 12);
	assert_frame(name, got, &want);
}

static const struct spec acks[] = {
	{C4, VIP4, TCP, 4000, 80, ACK, .payload = 33},
	{C6, VIP6, TCP, 4000, 80, ACK, .payload = 33},
	{C4, VIP4, TCP, 4001, 80, ACK, .payload = 32},
	{C4, VIP4, UDP, 4000, 80, .payload = 7, .no_sum = true},
};
#define ACKS (int)(sizeof(acks) / sizeof(acks[0]))

static uint8_t inner_protocol(const struct spec *spec)
{
	return strchr(spec->source, ':') ? 41 : 4;
}

static uint32_t inner_length(const struct spec *spec)
{
	return (inner_protocol(spec) == 4 ? 20 : 40) + spec_l4_length(spec);
}

static void serve(void)
{
	const struct {
		const char *vip;
		uint8_t protocol;
	} vips[] = {{VIP4, TCP}, {VIP6, TCP}, {VIP4, UDP}};

	for (int i = 0; i < 3; i++)
		fixture_service((struct service){.address = address_of(vips[i].vip),
						 .kind = SERVICE_KIND_ANY_PORT,
						 .protocol = vips[i].protocol,
						 .affinity = AFFINITY_FLOW,
						 .encap = ENCAP_GUE,
						 .track = TRACK_NEVER});
	for (int i = 0; i < 2; i++)
		fixture_service((struct service){.address = address_of(vips[i].vip),
						 .kind = SERVICE_KIND_ADDRESS,
						 .flags = SERVICE_HAS_ANY_PORT_TCP | SERVICE_HAS_ANY_PORT_UDP});
}

/* --- what we send */

static void without_hops(void **state)
{
	fixture_slots(1, 0, 0);
	for (int i = 0; i < ACKS; i++) {
		struct frame sent = edge_sends(&acks[i]), got;

		assert_published(&sent, inner_protocol(&acks[i]), inner_length(&acks[i]), 0);
		got = receiver("no hops", 1, &sent, &glb->bss->last_hop, TC_ACT_REDIRECT);
		assert_inner("no hops", &got, &sent, &acks[i]);
	}
}

static void a_flow_begins(void **state)
{
	const struct spec syns[] = {{C4, VIP4, TCP, 4000, 80, SYN}, {C6, VIP6, TCP, 4000, 80, SYN}};

	fixture_slots(1, 2, 3);
	for (int i = 0; i < 2; i++) {
		struct frame sent = edge_sends(&syns[i]), got;

		assert_published(&sent, inner_protocol(&syns[i]), inner_length(&syns[i]), 2);
		got = receiver("SYN", 1, &sent, &glb->bss->syn, TC_ACT_REDIRECT);
		assert_inner("SYN", &got, &sent, &syns[i]);
	}
}

/* From one to the next, whoever receives: two hops behind each other, then the last accepts. */
static void through_all_hops(void **state)
{
	fixture_slots(1, 2, 3);
	for (int i = 0; i < ACKS; i++)
		for (int who = 0; who < 4; who++) { /* bit 0: the first is ours, bit 1: so is the second */
			struct frame sent = edge_sends(&acks[i]), second, third, got;
			const struct published *p = (const void *)second.bytes, *q = (const void *)third.bytes;

			assert_published(&sent, inner_protocol(&acks[i]), inner_length(&acks[i]), 2);
			second = who & 1 ? at_node("first", &sent, NODE_ON_TX)
					 : receiver("first", 1, &sent, &glb->bss->on, TC_ACT_REDIRECT);
			assert_int_equal(p->ip.source, htonl(0x0a010001));
			assert_int_equal(p->ip.destination, htonl(0x0a010002));
			assert_int_equal(p->hops.next_hop, 1);
			assert_int_equal(sum_bytes(&p->ip, 20, 0), 0xffff);
			third = who & 2 ? at_node("second", &second, NODE_ON_TX)
					: receiver("second", 2, &second, &glb->bss->on, TC_ACT_REDIRECT);
			assert_int_equal(q->ip.source, htonl(0x0a010002));
			assert_int_equal(q->ip.destination, htonl(0x0a010003));
			assert_int_equal(q->hops.next_hop, 2);
			got = receiver("last", 3, &third, &glb->bss->last_hop, TC_ACT_REDIRECT);
			assert_inner("last, another's", &got, &third, &acks[i]);
			got = at_node("last", &third, NODE_ACCEPT_GUE);
			assert_inner("last, ours", &got, &third, &acks[i]);
		}
}

static void a_socket_holds_it(void **state)
{
	const char *addresses[] = {VIP4, VIP6};

	fixture_slots(1, 2, 3);
	for (int i = 0; i < 2; i++) {
		struct sockaddr_in6 any = {.sin6_family = AF_INET6}, peer, own;
		struct address to = address_of(addresses[i]);
		int listener = socket(AF_INET6, SOCK_STREAM, 0), client = socket(AF_INET6, SOCK_STREAM, 0);
		socklen_t size = sizeof(peer);
		struct frame sent, got;
		struct spec spec;

		memcpy(&any.sin6_addr, to.bytes, 16);
		assert_int_equal(bind(listener, (void *)&any, sizeof(any)), 0);
		assert_int_equal(listen(listener, 4), 0);
		assert_int_equal(getsockname(listener, (void *)&peer, &size), 0);
		assert_int_equal(connect(client, (void *)&peer, sizeof(peer)), 0);
		assert_int_equal(getsockname(client, (void *)&own, &size), 0);
		spec = (struct spec){addresses[i],	    addresses[i], TCP, ntohs(own.sin6_port),
				     ntohs(peer.sin6_port), ACK,	  .payload = 5};
		sent = edge_sends(&spec);
		got = receiver("a socket's", 1, &sent, &glb->bss->claimed, TC_ACT_REDIRECT);
		assert_inner("a socket's", &got, &sent, &spec);
		got = at_node("a socket's", &sent, NODE_ACCEPT_SOCKET);
		assert_inner("a socket's", &got, &sent, &spec);
		close(client);
		close(listener);
	}
}

/* --- what others send: outer headers by hand */

struct row {
	const char *name;
	uint8_t head[8]; /* GUE, and the head of the hops */
	uint8_t hops;    /* that follow, 10.1.0.2 and so on */
	uint8_t flags;	 /* of the inner TCP */
	enum node_verdict verdict;
	int next; /* of ON_TX: to 10.1.0.`next` */
};

static const struct row rows[] = {
	{"no hop list", {0x00, 4}, 0, ACK, NODE_ACCEPT_GUE},
	{"no hops", {0x01, 4, 0, 0, 0, 0, 0, 0}, 0, ACK, NODE_ACCEPT_GUE},
	{"one hop", {0x02, 4, 0, 0, 0, 0, 0, 1}, 1, ACK, NODE_ON_TX, 2},
	{"one hop, used", {0x02, 4, 0, 0, 0, 0, 1, 1}, 1, ACK, NODE_ACCEPT_GUE},
	{"one hop, a SYN", {0x02, 4, 0, 0, 0, 0, 0, 1}, 1, SYN, NODE_ACCEPT_SYN},
	{"two hops", {0x03, 4, 0, 0, 0, 0, 0, 2}, 2, ACK, NODE_ON_TX, 2},
	{"two hops, one used", {0x03, 4, 0, 0, 0, 0, 1, 2}, 2, ACK, NODE_ON_TX, 3},
	{"two hops, both used", {0x03, 4, 0, 0, 0, 0, 2, 2}, 2, ACK, NODE_ACCEPT_GUE},
	{"five hops", {0x06, 4, 0, 0, 0, 0, 3, 5}, 5, ACK, NODE_ON_TX, 5},
	{"a SYN is to go on", {0x02, 4, 0, 0, 0x08, 0, 0, 1}, 1, SYN, NODE_ON_TX, 2},
	{"a SYN is to go on, no hop is left", {0x02, 4, 0, 0, 0x08, 0, 1, 1}, 1, SYN, NODE_ACCEPT_GUE},
	{"an ACK where SYNs are to go on", {0x02, 4, 0, 0, 0x08, 0, 0, 1}, 1, ACK, NODE_ON_TX, 2},
	{"the last hop by GRE", {0x02, 4, 0, 0, 0x04, 0, 0, 1}, 1, ACK, NODE_DROP_GUE},
	{"unknown bits", {0x02, 4, 0, 0, 0x01, 0, 0, 1}, 1, ACK, NODE_DROP_GUE},
	{"another version of the list", {0x02, 4, 0, 0, 0x10, 0, 0, 1}, 1, ACK, NODE_DROP_GUE},
	{"another type", {0x02, 4, 0, 0, 0, 2, 0, 1}, 1, ACK, NODE_DROP_GUE},
	{"GUE version 1", {0x42, 4, 0, 0, 0, 0, 0, 1}, 1, ACK, NODE_DROP_GUE},
	{"GUE control", {0x22, 4, 0, 0, 0, 0, 0, 1}, 1, ACK, NODE_DROP_GUE},
	{"GUE flags", {0x02, 4, 0x80, 0, 0, 0, 0, 1}, 1, ACK, NODE_DROP_GUE},
	{"a protocol that is none of ours", {0x02, 47, 0, 0, 0, 0, 0, 1}, 1, ACK, NODE_DROP_GUE},
	{"index beyond the list", {0x02, 4, 0, 0, 0, 0, 2, 1}, 1, ACK, NODE_DROP_HOPS},
	{"more hops than words", {0x02, 4, 0, 0, 0, 0, 0, 2}, 1, ACK, NODE_DROP_HOPS},
	{"more words than hops", {0x03, 4, 0, 0, 0, 0, 0, 1}, 2, ACK, NODE_DROP_HOPS},
};

/* Over IPv4: 10.0.0.9 to 10.1.0.1. Over IPv6 (type 1): fd00::9 to fd00:1::1, hops of 16 bytes, fd00:1::2 and so on. */
static struct frame by_hand(const struct row *row, bool ipv6)
{
	static const uint8_t ethernet[12] = {2, 0, 0, 0, 0, 7, 2, 0, 0, 0, 0, 8};
	const struct spec spec = {C4, "192.0.2.10", TCP, 4000, 80, row->flags, .payload = 9};
	uint32_t head = row->head[0] ? 8 : 4, size = ipv6 ? 16 : 4, length;
	struct frame frame = {.length = 0}, client;
	uint8_t *ip, *udp;

	frame_build(&client, &spec);
	length = 8 + head + row->hops * size + client.length - 14;
	memcpy(frame_add(&frame, 14), ethernet, 12);
	put16(frame.bytes + 12, ipv6 ? 0x86dd : 0x0800);
	ip = frame_add(&frame, ipv6 ? 40 : 20);
	if (ipv6) {
		memcpy(ip, "\x60\0\0\0\0\0\x11\x40\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x09\xfd\0\0\1\0\0\0\0\0\0\0\0\0\0\0\1", 40);
		put16(ip + 4, length);
	} else {
		memcpy(ip, "\x45\0\0\0\0\0\0\0\x40\x11\0\0\x0a\0\0\x09\x0a\1\0\1", 20);
		put16(ip + 2, 20 + length);
		put16(ip + 10, ~sum_bytes(ip, 20, 0));
	}
	udp = frame_add(&frame, 8);
	memcpy(udp, "\xc0\1\x17\xc0\0\0\0\0", 8);
	put16(udp + 4, length);
	memcpy(frame_add(&frame, head), row->head, head);
	for (int i = 0; i < row->hops; i++) {
		uint8_t *hop = frame_add(&frame, size);

		memcpy(hop, ipv6 ? "\xfd\0\0\1" : "\x0a\1\0", 4);
		hop[size - 1] = (uint8_t)(2 + i);
	}
	memcpy(frame_add(&frame, client.length - 14), client.bytes + 14, client.length - 14);
	frame.l3 = 14;
	return frame;
}

static void by_hand_over(bool ipv6)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct row row = rows[i];
		const struct spec spec = {C4, "192.0.2.10", TCP, 4000, 80, row.flags, .payload = 9};
		uint32_t at = ipv6 ? 14 + 24 : 14 + 16, size = ipv6 ? 16 : 4;
		struct frame in, out;

		if (ipv6 && row.head[0] & 0x1f) { /* words of 16-byte hops; type 1 where there is a list */
			row.head[0] += 3 * row.hops;
			row.head[5] = row.head[5] ? row.head[5] : 1;
		}
		if (row.hops == 5 && ipv6)
			continue;
		in = by_hand(&row, ipv6);
		out = at_node(row.name, &in, row.verdict);
		if (row.verdict == NODE_ON_TX) {
			assert_memory_equal(out.bytes + at, ipv6 ? "\xfd\0\0\1" : "\x0a\1\0", 3);
			assert_int_equal(out.bytes[at + size - 1], row.next);
			assert_int_equal(out.bytes[at - 1], 1); /* its source is who passed it on */
			assert_int_equal(out.bytes[14 + (ipv6 ? 40 : 20) + 8 + 6], row.head[6] + 1);
			assert_int_equal(out.length, in.length);
		} else if (node_action(row.verdict) == XDP_PASS) {
			assert_inner(row.name, &out, &in, &spec);
		}
	}
}

static void hop_lists_by_hand(void **state)
{
	by_hand_over(false);
}

static void hop_lists_by_hand_over_ipv6(void **state)
{
	by_hand_over(true);
}

/* What one byte of GUE's header or of the list's head means to node, if all others are right: one hop, not used. */
static enum node_verdict meaning(int at, int value, int words)
{
	switch (at) {
	case 0: /* version, control, words */
		if ((value & 0x1f) > words && 12 + 4 * (value & 0x1f) > 12 + 4 * words + 49)
			return NODE_DROP_MALFORMED;
		if (value >> 5)
			return NODE_DROP_GUE;
		if (!(value & 0x1f))
			return NODE_DROP_MALFORMED; /* the list would be the inner packet */
		return (value & 0x1f) == words ? NODE_ON_TX : NODE_DROP_HOPS;
	case 1: /* protocol */
		return value == 4 ? NODE_ON_TX : value == 41 ? NODE_DROP_MALFORMED : NODE_DROP_GUE;
	case 2:
	case 3: /* flags */
		return value ? NODE_DROP_GUE : NODE_ON_TX;
	case 4: /* version of the list, and its flags */
		return value & ~0x08 ? NODE_DROP_GUE : NODE_ON_TX;
	case 5: /* type */
		return value > 1 ? NODE_DROP_GUE : value == (words > 2) ? NODE_ON_TX : NODE_DROP_HOPS;
	case 6: /* index */
		return value == 0 ? NODE_ON_TX : value == 1 ? NODE_ACCEPT_GUE : NODE_DROP_HOPS;
	}
	return value == 1 ? NODE_ON_TX : NODE_DROP_HOPS; /* count */
}

static void every_value_of_every_byte(void **state)
{
	for (int ipv6 = 0; ipv6 < 2; ipv6++)
		for (int at = 0; at < 8; at++)
			for (int value = 0; value < 256; value++) {
				int words = ipv6 ? 5 : 2;
				struct row row = {"", {(uint8_t)words, 4, 0, 0, 0, (uint8_t)ipv6, 0, 1}, 1, ACK};
				struct frame in = by_hand(&row, ipv6);
				char name[64];

				in.bytes[14 + (ipv6 ? 40 : 20) + 8 + at] = (uint8_t)value;
				snprintf(name, sizeof(name), "IPv%d, byte %d, value %d", ipv6 ? 6 : 4, at, value);
				at_node(name, &in, meaning(at, value, words));
			}
}

/* The receiver is no judge if it accepts everything. */
static void the_receiver_can_refuse(void **state)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct frame in = by_hand(&rows[i], false);

		if (rows[i].verdict == NODE_DROP_GUE || rows[i].verdict == NODE_DROP_HOPS)
			receiver(rows[i].name, 1, &in, &glb->bss->malformed, TC_ACT_SHOT);
	}
}

static int setup(void **state)
{
	if (unshare(CLONE_NEWNET) || system("ip link set lo up"))
		return -1;
	if (fixture_setup(state))
		return -1;
	serve();
	node = node__open_and_load();
	glb = glb_bpf__open_and_load();
	return node && glb ? 0 : -1;
}

static int teardown(void **state)
{
	node__destroy(node);
	glb_bpf__destroy(glb);
	return fixture_teardown(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_hops),
		cmocka_unit_test(a_flow_begins),
		cmocka_unit_test(through_all_hops),
		cmocka_unit_test(a_socket_holds_it),
		cmocka_unit_test(hop_lists_by_hand),
		cmocka_unit_test(hop_lists_by_hand_over_ipv6),
		cmocka_unit_test(every_value_of_every_byte),
		cmocka_unit_test(the_receiver_can_refuse),
	};

	return cmocka_run_group_tests_name("glb", tests, setup, teardown);
}
