/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_node: packets through the backend's program, in a network namespace of its own where real
 * sockets claim flows. What goes in is what xdp_lb would send (fixture.h builds it); every byte
 * that comes out is checked.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include "build/node.skel.h"
#include "maps/node.h"
#include "tests/bpf/fixture.h"

#define C4   "198.51.100.7"
#define C6   "2001:db8:c::7"
#define VIP4 "192.0.2.10"
#define VIP6 "2001:db8::10"

#define TCP IPPROTO_TCP
#define UDP IPPROTO_UDP
#define SYN 0x02
#define ACK 0x10
#define CE  0x03

static struct node *skel;

static const int actions[NODE__COUNT] = {
#define X(name, text, action, meaning) [NODE_##name] = XDP_##action,
	NODE_VERDICTS(X)
#undef X
};

static const char *const names[NODE__COUNT] = {
#define X(name, text, action, meaning) [NODE_##name] = text,
	NODE_VERDICTS(X)
#undef X
};

static uint32_t seen[2][NODE__COUNT]; /* by the outer header's family */

static uint64_t count(uint32_t verdict)
{
	return fixture_count(skel->maps.node_verdicts, verdict, sizeof(struct verdict_stats), 0);
}

static void run(const char *name, const struct frame *in, enum node_verdict verdict,
		const struct frame *want)
{
	uint64_t before[NODE__COUNT];
	struct frame out;
	int action;

	for (uint32_t v = 0; v < NODE__COUNT; v++)
		before[v] = count(v);
	action = program_run(skel->progs.node, in, &out);
	for (uint32_t v = 0; v < NODE__COUNT; v++)
		if (count(v) != before[v] + (v == verdict))
			fail_msg("%s: wanted %s, %s moved by %d", name, names[verdict], names[v],
				 (int)(count(v) - before[v]));
	if (action != actions[verdict])
		fail_msg("%s: action %d, want %d", name, action, actions[verdict]);
	assert_frame(name, &out, want ? want : in);
	seen[in->bytes[in->l3 - 2] == 0x86][verdict]++;
}

static void add_tag(struct frame *frame)
{
	memmove(frame->bytes + 16, frame->bytes + 12, frame->length - 12);
	put16(frame->bytes + 12, 0x8100);
	put16(frame->bytes + 14, 9);
	frame->length += 4;
	frame->l3 += 4;
}

/* The frame that carries the packet of `spec`, and the one that the stack should see. */
static void build(const struct spec *spec, struct wrap wrap, int tags, struct frame *ret_in,
		  struct frame *ret_inner)
{
	struct frame client;

	frame_build(&client, spec);
	wrap.hash = spec_hash(spec);
	frame_wrap(ret_in, &client, client.length - client.l3 - spec->padding, &wrap);
	*ret_inner = *ret_in;
	put16(ret_inner->bytes + ret_in->l3 - 2,
	      client.bytes[client.l3] >> 4 == 4 ? 0x0800 : 0x86dd);
	ret_inner->length = ret_in->l3 + client.length - client.l3;
	memset(ret_inner->bytes + ret_in->l3, 0, FRAME_MAX - ret_in->l3);
	memcpy(ret_inner->bytes + ret_in->l3, client.bytes + client.l3, client.length - client.l3);
	for (int i = 0; i < tags; i++) {
		add_tag(ret_in);
		add_tag(ret_inner);
	}
}

static uint8_t *gue_of(struct frame *frame)
{
	return frame->bytes + frame->l3 + (frame->bytes[frame->l3] >> 4 == 4 ? 28 : 48);
}

static const struct spec inner4 = {C4, VIP4, TCP, 4000, 80, ACK, .payload = 33};
static const struct spec inner6 = {C6, VIP6, TCP, 4000, 80, ACK, .payload = 33};
static const struct spec datagram4 = {C4, VIP4, UDP, 4000, 80, .payload = 7, .padding = 5};
static const struct spec datagram6 = {C6, VIP6, UDP, 4000, 80, .payload = 7};

static void strips(void **state)
{
	static const uint8_t echo[8] = {8, 0, 0xf7, 0xff};
	const struct spec specs[] = {
		inner4,
		inner6,
		datagram4,
		datagram6,
		{C4, VIP4, TCP, 4000, 80, SYN, .options = 8},
		{C6, VIP6, UDP, 4000, 80, .extensions = 2},
		{C6, VIP6, UDP, 4000, 80, .extensions = 8},
		{C4, VIP4, UDP, .piece = PIECE_LATER, .payload = 100},
		{C6, VIP6, UDP, .piece = PIECE_LATER, .payload = 100},
		{C4, VIP4, IPPROTO_ICMP, .body = echo, .payload = 8},
	};

	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++)
		for (uint16_t backend = 1; backend <= 11; backend += 10)
			for (int tags = 0; tags <= 2; tags++) {
				struct frame in, inner;

				build(&specs[i], (struct wrap){backend, 1, ENCAP_IPIP}, tags, &in,
				      &inner);
				run("ipip", &in, NODE_ACCEPT_IPIP, &inner);
				build(&specs[i], (struct wrap){backend, 1, ENCAP_GUE}, tags, &in,
				      &inner);
				run("gue", &in, NODE_ACCEPT_GUE, &inner);
				build(&specs[i],
				      (struct wrap){backend, 1, ENCAP_GUE, {backend, backend + 1}},
				      tags, &in, &inner);
				gue_of(&in)[6] = 2;
				run("gue, last hop", &in, NODE_ACCEPT_GUE, &inner);
			}
}

/* GUE without private data, as others send it. */
static void plain_gue(void **state)
{
	struct frame in, inner;
	uint8_t *gue;

	build(&datagram4, (struct wrap){1, 1, ENCAP_GUE}, 0, &in, &inner);
	gue = gue_of(&in);
	memmove(gue + 4, gue + 8, in.bytes + in.length - (gue + 8));
	in.length -= 4;
	gue[0] = 0;
	put16(gue - 4, (gue[-4] << 8 | gue[-3]) - 4);
	put16(in.bytes + in.l3 + 2, (in.bytes[in.l3 + 2] << 8 | in.bytes[in.l3 + 3]) - 4);
	put16(in.bytes + in.l3 + 10, 0);
	put16(in.bytes + in.l3 + 10, ~sum_bytes(in.bytes + in.l3, 20, 0));
	run("plain gue", &in, NODE_ACCEPT_GUE, &inner);
}

static void not_encapsulated(void **state)
{
	struct frame frame, inner;

	frame_build(&frame, &inner4);
	run("tcp", &frame, NODE_PASS_PLAIN, NULL);
	frame_build(&frame, &datagram6);
	run("udp", &frame, NODE_PASS_PLAIN, NULL);
	put16(frame.bytes + 12, 0x0806);
	run("arp", &frame, NODE_PASS_PLAIN, NULL);
	build(&inner4, (struct wrap){1, 1, ENCAP_GUE}, 0, &frame, &inner);
	put16(gue_of(&frame) - 6, 6081);
	run("another port", &frame, NODE_PASS_PLAIN, NULL);
	build(&inner4, (struct wrap){1, 1, ENCAP_IPIP}, 0, &frame, &inner);
	put16(frame.bytes + frame.l3 + 6, 0x2000);
	run("a fragment of a tunnel's packet", &frame, NODE_PASS_PLAIN, NULL);
}

static void congestion(void **state)
{
	struct spec spec4 = inner4, spec6 = inner6;
	struct frame in, inner;
	uint8_t *ip;

	for (int ecn = 0; ecn < 4; ecn++) {
		spec4.tos = 0xb8 | ecn;
		spec6.tos = 0xb8 | ecn;
		build(&spec4, (struct wrap){11, 1, ENCAP_GUE, .tos = CE}, 1, &in, &inner);
		ip = inner.bytes + inner.l3;
		ip[1] |= CE;
		put16(ip + 10, 0);
		put16(ip + 10, ~sum_bytes(ip, 20, 0));
		if (ecn)
			run("mark, 4", &in, NODE_ACCEPT_GUE, &inner);
		else
			run("cannot be marked, 4", &in, NODE_DROP_CONGESTION, NULL);
		build(&spec6, (struct wrap){1, 1, ENCAP_IPIP, .tos = CE}, 0, &in, &inner);
		inner.bytes[inner.l3 + 1] |= CE << 4;
		if (ecn)
			run("mark, 6", &in, NODE_ACCEPT_IPIP, &inner);
		else
			run("cannot be marked, 6", &in, NODE_DROP_CONGESTION, NULL);
	}
}

static void resum(struct frame *frame)
{
	uint8_t *ip = frame->bytes + frame->l3;

	if (ip[0] >> 4 != 4)
		return;
	put16(ip + 10, 0);
	put16(ip + 10, ~sum_bytes(ip, 20, 0));
}

struct lie {
	const char *name;
	int at; /* from the outer IP header, or from the GUE header */
	bool gue;
	uint8_t value;
	bool resum;
	enum node_verdict verdict;
};

static void run_lies(const struct lie *lies, size_t count, uint16_t backend)
{
	const struct wrap wrap = {backend, 1, ENCAP_GUE, {backend + 1, backend + 2}};

	for (size_t i = 0; i < count; i++) {
		struct frame in, inner;

		build(&inner4, wrap, 0, &in, &inner);
		(lies[i].gue ? gue_of(&in) : in.bytes + in.l3)[lies[i].at] = lies[i].value;
		if (lies[i].resum)
			resum(&in);
		run(lies[i].name, &in, lies[i].verdict, NULL);
	}
}

static void malformed(void **state)
{
	const struct lie lies[] = {
		{"outer checksum", 10, false, 0xaa, false, NODE_DROP_MALFORMED},
		{"outer longer than the frame", 2, false, 0x10, true, NODE_DROP_MALFORMED},
		{"outer shorter than GUE", 3, false, 33, true, NODE_DROP_MALFORMED},
		{"UDP longer than the packet", -4, true, 1, false, NODE_DROP_MALFORMED},
		{"UDP shorter than GUE", -3, true, 11, false, NODE_DROP_MALFORMED},
		{"UDP shorter than the inner packet", -3, true, 40, false, NODE_DROP_MALFORMED},
		{"inner version", 16, true, 0x65, false, NODE_DROP_MALFORMED},
		{"inner longer", 19, true, 74, false, NODE_DROP_MALFORMED},
		{"control message", 0, true, 0x23, false, NODE_DROP_GUE},
		{"version 1", 0, true, 0x43, false, NODE_DROP_GUE},
		{"protocol", 1, true, 6, false, NODE_DROP_GUE},
		{"flags", 3, true, 1, false, NODE_DROP_GUE},
		{"private data of another kind", 5, true, 2, false, NODE_DROP_GUE},
		{"IPv6 hops under IPv4", 5, true, 1, false, NODE_DROP_HOPS},
		{"index behind the end", 6, true, 3, false, NODE_DROP_HOPS},
		{"more hops than words", 7, true, 3, false, NODE_DROP_HOPS},
		{"fewer hops than words", 7, true, 1, false, NODE_DROP_HOPS},
	};

	run_lies(lies, sizeof(lies) / sizeof(lies[0]), 1);
}

/* Two hops of 16 bytes: nine words. */
static void malformed_over_ipv6(void **state)
{
	const struct lie lies[] = {
		{"outer longer than the frame", 4, false, 0x10, false, NODE_DROP_MALFORMED},
		{"outer shorter than GUE", 5, false, 11, false, NODE_DROP_MALFORMED},
		{"UDP longer than the packet", -4, true, 1, false, NODE_DROP_MALFORMED},
		{"UDP shorter than GUE", -3, true, 11, false, NODE_DROP_MALFORMED},
		{"UDP shorter than the inner packet", -3, true, 60, false, NODE_DROP_MALFORMED},
		{"inner version", 40, true, 0x65, false, NODE_DROP_MALFORMED},
		{"inner longer", 43, true, 74, false, NODE_DROP_MALFORMED},
		{"control message", 0, true, 0x29, false, NODE_DROP_GUE},
		{"version 1", 0, true, 0x49, false, NODE_DROP_GUE},
		{"protocol", 1, true, 6, false, NODE_DROP_GUE},
		{"flags", 2, true, 1, false, NODE_DROP_GUE},
		{"private data of another kind", 5, true, 2, false, NODE_DROP_GUE},
		{"IPv4 hops under IPv6", 5, true, 0, false, NODE_DROP_HOPS},
		{"index behind the end", 6, true, 3, false, NODE_DROP_HOPS},
		{"more hops than words", 7, true, 3, false, NODE_DROP_HOPS},
		{"fewer hops than words", 7, true, 1, false, NODE_DROP_HOPS},
	};

	run_lies(lies, sizeof(lies) / sizeof(lies[0]), 11);
}

/* What leaves a node that does not know the flow. */
static void expect_on(struct frame *frame, const uint8_t *macs)
{
	uint8_t *ip = frame->bytes + frame->l3, *gue = gue_of(frame), sender[6];
	bool ipv4 = ip[0] >> 4 == 4;
	int size = ipv4 ? 4 : 16;
	uint8_t *source = ip + (ipv4 ? 12 : 8);
	uint16_t length = gue[-4] << 8 | gue[-3];
	struct address addresses[2] = {{{0}}};

	memcpy(source, source + size, size);
	memcpy(source + size, gue + 8 + gue[6] * size, size);
	ip[ipv4 ? 8 : 7]--;
	gue[6]++;
	resum(frame);
	if (gue[-2] || gue[-1]) {
		uint16_t sum;

		memcpy(addresses[0].bytes + 16 - size, source, size);
		memcpy(addresses[1].bytes + 16 - size, source + size, size);
		put16(gue - 2, 0);
		sum = sum_l4(&addresses[0], &addresses[1], ipv4, UDP, gue - 8, length);
		put16(gue - 2, sum ? sum : 0xffff);
	}
	if (macs) {
		memcpy(frame->bytes, macs, 12);
		return;
	}
	memcpy(sender, frame->bytes + 6, 6);
	memcpy(frame->bytes + 6, frame->bytes, 6);
	memcpy(frame->bytes, sender, 6);
}

static void passes_on(void **state)
{
	const struct spec specs[] = {inner4, inner6, datagram4, datagram6};
	struct frame in, inner, want;

	for (int i = 0; i < 4; i++)
		for (uint16_t backend = 1; backend <= 11; backend += 10)
			for (int hop = 0; hop < 2; hop++) {
				struct wrap wrap = {
					backend, 1, ENCAP_GUE, {backend + 1, backend + 2}};

				wrap.no_sum = i == 3;
				build(&specs[i], wrap, hop, &in, &inner);
				gue_of(&in)[6] = hop;
				if (gue_of(&in)[-2] | gue_of(&in)[-1]) { /* keep the sum right */
					uint16_t sum = gue_of(&in)[-2] << 8 | gue_of(&in)[-1];

					put16(gue_of(&in) - 2,
					      ~sum_bytes((uint8_t[]){hop, 0}, 2, (uint16_t)~sum));
				}
				want = in;
				expect_on(&want, NULL);
				run("on", &in, NODE_ON_TX, &want);
				in.bytes[in.l3 + (backend == 1 ? 8 : 7)] = 1;
				resum(&in);
				run("ttl", &in, NODE_DROP_TTL, NULL);
			}
	build(&(struct spec){C4, VIP4, TCP, 4000, 80, SYN}, (struct wrap){1, 1, ENCAP_GUE, {2}}, 0,
	      &in, &inner);
	run("syn", &in, NODE_ACCEPT_SYN, &inner);
	build(&(struct spec){C6, VIP6, TCP, 4000, 80, SYN}, (struct wrap){11, 1, ENCAP_GUE, {12}},
	      0, &in, &inner);
	run("syn, 6", &in, NODE_ACCEPT_SYN, &inner);
	build(&(struct spec){C4, VIP4, UDP, .piece = PIECE_LATER, .payload = 64},
	      (struct wrap){1, 1, ENCAP_GUE, {2}}, 0, &in, &inner);
	run("later fragment", &in, NODE_ACCEPT_OTHER, &inner);
	build(&(struct spec){C4, VIP4, UDP, 4000, 80, .piece = PIECE_FIRST, .payload = 64},
	      (struct wrap){1, 1, ENCAP_GUE, {2}}, 0, &in, &inner);
	run("and so its first", &in, NODE_ACCEPT_OTHER, &inner);
}

static void shell(const char *command)
{
	if (system(command))
		fail_msg("%s", command);
}

static void passes_on_by_route(void **state)
{
	static const uint8_t macs[12] = {2, 9, 9, 9, 9, 9, 2, 8, 8, 8, 8, 8};
	struct frame in, inner, want;

	shell("echo 1 > /proc/sys/net/ipv4/conf/lo/forwarding && echo 1 > /proc/sys/net/ipv6/conf/all/forwarding");
	shell("ip link add t0 address 02:08:08:08:08:08 type veth peer name t1 && "
	      "ip addr add 10.1.0.1/24 dev t0 && ip addr add fd00:1::1/64 dev t0 nodad && "
	      "ip link set t0 up && ip link set t1 up && "
	      "ip neigh add 10.1.0.2 lladdr 02:09:09:09:09:09 dev t0 && "
	      "ip neigh add fd00:1::12 lladdr 02:09:09:09:09:09 dev t0");
	build(&inner4, (struct wrap){1, 1, ENCAP_GUE, {2}}, 0, &in, &inner);
	want = in;
	expect_on(&want, macs);
	run("by the kernel's route", &in, NODE_ON_REDIRECT, &want);
	build(&inner6, (struct wrap){11, 1, ENCAP_GUE, {12}}, 0, &in, &inner);
	want = in;
	expect_on(&want, macs);
	run("by the kernel's route, 6", &in, NODE_ON_REDIRECT, &want);
	shell("ip link del t0");
}

static void edges(void **state)
{
	struct node_settings check = {.check_edges = 1};
	struct node_edge_key key = {.prefix_length = 96 + 24, .address = address_of("10.0.0.0")};
	struct frame in, inner;
	uint32_t one = 1;

	map_set(skel->maps.node_settings, 0, &check);
	build(&inner4, (struct wrap){1, 1, ENCAP_IPIP}, 0, &in, &inner);
	run("nobody is allowed", &in, NODE_DROP_NOT_ALLOWED, NULL);
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(skel->maps.node_edges), &key, &one, 0), 0);
	run("an edge", &in, NODE_ACCEPT_IPIP, &inner);
	build(&inner4, (struct wrap){11, 1, ENCAP_GUE}, 0, &in, &inner);
	run("not its family", &in, NODE_DROP_NOT_ALLOWED, NULL);
	check.check_edges = 0;
	map_set(skel->maps.node_settings, 0, &check);
}

/* --- real sockets */

struct pair {
	int listener, client, server;
	uint16_t client_port, server_port;
};

static uint16_t port_of(int fd)
{
	struct sockaddr_in6 name;
	socklen_t size = sizeof(name);

	assert_int_equal(getsockname(fd, (void *)&name, &size), 0);
	return ntohs(name.sin6_port);
}

/* `address`: of the loopback interface. UDP: listener is the connected server. */
static struct pair sockets(const char *address, int type)
{
	struct sockaddr_in6 any = {.sin6_family = AF_INET6}, peer;
	socklen_t size = sizeof(peer);
	struct pair pair = {.server = -1};
	struct address to = address_of(address);

	memcpy(&any.sin6_addr, to.bytes, 16);
	pair.listener = socket(AF_INET6, type, 0);
	pair.client = socket(AF_INET6, type, 0);
	assert_int_equal(bind(pair.listener, (void *)&any, sizeof(any)), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(pair.listener, 8), 0);
	assert_int_equal(getsockname(pair.listener, (void *)&peer, &size), 0);
	assert_int_equal(connect(pair.client, (void *)&peer, sizeof(peer)), 0);
	pair.client_port = port_of(pair.client);
	pair.server_port = port_of(pair.listener);
	if (type == SOCK_STREAM)
		pair.server = accept(pair.listener, NULL, NULL);
	return pair;
}

static void close_pair(const struct pair *pair)
{
	close(pair->client);
	close(pair->listener);
	if (pair->server >= 0)
		close(pair->server);
}

static void claimed_by_tcp(void **state)
{
	const char *addresses[] = {"127.0.0.1", "::1"};

	for (int i = 0; i < 2; i++) {
		struct pair pair = sockets(addresses[i], SOCK_STREAM);
		struct spec spec = {addresses[i],     addresses[i], TCP,         pair.client_port,
				    pair.server_port, ACK,          .payload = 3};
		struct wrap wrap = {i ? 11 : 1, 1, ENCAP_GUE, {i ? 12 : 2}};
		struct frame in, inner, want;

		build(&spec, wrap, 0, &in, &inner);
		run("established", &in, NODE_ACCEPT_SOCKET, &inner);
		spec.sport ^= 1;
		build(&spec, wrap, 0, &in, &inner);
		want = in;
		expect_on(&want, NULL);
		run("stray ACK to a listener", &in, NODE_ON_TX, &want);
		close_pair(&pair);
	}
}

/* An ICMP error with a hop: `bytes` of what this backend sent to its client are quoted. */
static void quote(const char *name, const struct spec *flow, uint8_t type, int bytes,
		  enum node_verdict verdict)
{
	bool ipv6 = strchr(flow->source, ':');
	struct spec reply = {flow->destination, flow->source, flow->protocol, flow->dport,
			     flow->sport,       ACK,          .payload = 64};
	struct wrap wrap = {ipv6 ? 11 : 1, 1, ENCAP_GUE, {ipv6 ? 12 : 2}, .no_sum = true};
	uint8_t body[128] = {type, type == 3 ? 4 : 0};
	struct spec error = {ipv6 ? C6 : C4, flow->destination,
			     ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP, .body = body};
	struct frame quoted, in, inner, want;

	frame_build(&quoted, &reply);
	error.payload = 8 + (ipv6 ? 40 : 20) + bytes;
	memcpy(body + 8, quoted.bytes + quoted.l3, error.payload - 8);
	build(&error, wrap, 0, &in, &inner);
	want = inner;
	if (verdict == NODE_ON_TX) {
		want = in;
		expect_on(&want, NULL);
	}
	run(name, &in, verdict, &want);
}

static void errors_go_to_whom_they_quote(void **state)
{
	const char *addresses[] = {"127.0.0.1", "::1"};

	for (int i = 0; i < 2; i++)
		for (int type = SOCK_STREAM; type <= SOCK_DGRAM; type++) {
			struct pair pair = sockets(addresses[i], type);
			struct spec flow = {addresses[i], addresses[i],
					    type == SOCK_STREAM ? TCP : UDP, pair.client_port,
					    pair.server_port};
			uint8_t error = i ? 2 : 3;

			/* Of UDP, the client's socket is the connected one. */
			if (type == SOCK_DGRAM) {
				flow.sport = pair.server_port;
				flow.dport = pair.client_port;
			}
			quote("its flow", &flow, error, 8, NODE_ACCEPT_SOCKET);
			quote("all that there is room for", &flow, error, 20, NODE_ACCEPT_SOCKET);
			quote("cut: nobody's", &flow, error, 7, NODE_ACCEPT_OTHER);
			quote("no error", &flow, i ? 129 : 0, 8, NODE_ACCEPT_OTHER);
			flow.sport ^= 1;
			quote("another's flow", &flow, error, 8, NODE_ON_TX);
			close_pair(&pair);
		}
}

static void claimed_by_udp(void **state)
{
	const char *addresses[] = {"127.0.0.1", "::1"};

	for (int i = 0; i < 2; i++) {
		struct pair pair = sockets(addresses[i], SOCK_DGRAM);
		struct wrap wrap = {i ? 11 : 1, 1, ENCAP_GUE, {i ? 12 : 2}};
		/* The client's socket is the connected one: a packet to it is claimed. */
		struct spec spec = {addresses[i], addresses[i], UDP, pair.server_port,
				    pair.client_port};
		struct frame in, inner, want;

		build(&spec, wrap, 0, &in, &inner);
		run("connected", &in, NODE_ACCEPT_SOCKET, &inner);
		spec.sport = pair.client_port;
		spec.dport = pair.server_port;
		build(&spec, wrap, 0, &in, &inner);
		want = in;
		expect_on(&want, NULL);
		run("an unconnected socket claims nothing", &in, NODE_ON_TX, &want);
		close_pair(&pair);
	}
}

static uint32_t queue_seq(int fd, int queue)
{
	uint32_t seq = 0;
	socklen_t size = sizeof(seq);

	assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, &queue, sizeof(queue)), 0);
	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_QUEUE_SEQ, &seq, &size), 0);
	return seq;
}

/* With tcp_syncookies=2 the server's initial number is a cookie; then its socket goes, the cookie
 * stays right. */
static void claimed_by_cookie(void **state)
{
	const char *addresses[] = {"127.0.0.1", "::1"};

	shell("echo 2 > /proc/sys/net/ipv4/tcp_syncookies");
	for (int i = 0; i < 2; i++) {
		struct pair pair = sockets(addresses[i], SOCK_STREAM);
		struct linger reset = {.l_onoff = 1};
		struct spec spec = {addresses[i],     addresses[i],     TCP,
				    pair.client_port, pair.server_port, ACK};
		struct wrap wrap = {i ? 11 : 1, 1, ENCAP_GUE, {i ? 12 : 2}};
		uint32_t seq, ack;
		struct frame in, inner;
		uint8_t *tcp;
		int on = 1;

		assert_int_equal(setsockopt(pair.client, IPPROTO_TCP, TCP_REPAIR, &on, sizeof(on)),
				 0);
		seq = htonl(queue_seq(pair.client, 2 /* send */));
		ack = htonl(queue_seq(pair.client, 1 /* receive */));
		setsockopt(pair.server, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		close(pair.server);
		pair.server = -1;
		for (int wrong = 0; wrong < 2; wrong++) {
			build(&spec, wrap, 0, &in, &inner);
			tcp = in.bytes + in.length - 20;
			memcpy(tcp + 4, &seq, 4);
			memcpy(tcp + 8, &ack, 4);
			tcp[8] ^= wrong; /* of the cookie's hashed bits */
			memcpy(inner.bytes + inner.length - 20, tcp, 20);
			if (!wrong) {
				run("cookie", &in, NODE_ACCEPT_COOKIE, &inner);
			} else {
				struct frame want = in;
				uint8_t *gue = gue_of(&in);
				/* the sum is the test's to keep right */
				if (i) {
					memset(gue - 2, 0, 2);
					want = in;
				}
				expect_on(&want, NULL);
				run("wrong cookie", &in, NODE_ON_TX, &want);
			}
		}
		close_pair(&pair);
	}
}

static void every_verdict_was_seen(void **state)
{
	for (int v = 1; v < NODE__COUNT; v++)
		for (int family = 0; family < 2; family++)
			if (!seen[family][v] && v != NODE_DROP_NO_ROOM)
				fail_msg("no row for %s over IPv%d", names[v], family ? 6 : 4);
}

static int setup(void **state)
{
	fx.cpus = libbpf_num_possible_cpus();
	if (unshare(CLONE_NEWNET))
		return -1;
	shell("ip link set lo up");
	skel = node__open_and_load();
	return skel ? 0 : -1;
}

static int teardown(void **state)
{
	node__destroy(skel);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strips),
		cmocka_unit_test(plain_gue),
		cmocka_unit_test(not_encapsulated),
		cmocka_unit_test(congestion),
		cmocka_unit_test(malformed),
		cmocka_unit_test(malformed_over_ipv6),
		cmocka_unit_test(passes_on),
		cmocka_unit_test(passes_on_by_route),
		cmocka_unit_test(edges),
		cmocka_unit_test(claimed_by_tcp),
		cmocka_unit_test(errors_go_to_whom_they_quote),
		cmocka_unit_test(claimed_by_udp),
		cmocka_unit_test(claimed_by_cookie),
		cmocka_unit_test(every_verdict_was_seen),
	};

	return cmocka_run_group_tests_name("node", tests, setup, teardown);
}
