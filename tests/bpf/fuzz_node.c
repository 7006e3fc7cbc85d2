// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_node: mutated packets, encapsulated in every way, through the loaded node program against
 * its model (model_node.h): the same action, the same verdict counted, the same bytes out. In a
 * network namespace of its own, where no socket is open and no route leads anywhere.
 *
 *   fuzz_node [-n PACKETS]
 *
 * A difference is printed with the seed and the number of its packet; EBB_SEED in the environment
 * meets it again.
 */
#include <getopt.h>
#include <sched.h>
#include <stdio.h>

#include "build/node.skel.h"
#include "tests/bpf/fuzz_packet.h"
#include "tests/bpf/model_node.h"

#define BATCH       500   /* between looks at the counters */
#define TURN        20000 /* after which the list of edges goes into or out of force */
#define DIFFERENCES 5     /* enough to print */

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

struct fuzz {
	struct node *skel;
	struct model_node model;
	uint64_t packet;
	uint64_t want[NODE__COUNT];
	uint32_t differences;
};

static struct fuzz fuzz;

/* --- packets */

static uint32_t add_gue(struct model_frame *f, struct random *r, bool ipv4, bool inner_ipv4,
			uint32_t inner_length)
{
	uint32_t hops = random_below(r, 4), size = ipv4 ? 4 : 16;
	bool data = hops || one_in(r, 2);
	uint32_t length = data ? 16 + hops * size : 12;
	uint8_t *udp = model_add(f, length);

	model_put16(udp, 50000 + random_below(r, 1000));
	model_put16(udp + 2, MODEL_GUE_PORT);
	model_put16(udp + 4, length + inner_length);
	udp[8] = (uint8_t)((length - 12) / 4);
	udp[9] = inner_ipv4 ? IPPROTO_IPIP : IPPROTO_IPV6;
	if (!data)
		return length;
	udp[12] = one_in(r, 8) ? (one_in(r, 2) ? 8 : (uint8_t)random_bits(r)) : 0;
	udp[13] = ipv4 ? 0 : 1;
	udp[14] = (uint8_t)random_below(r, hops + 1);
	udp[15] = (uint8_t)hops;
	for (uint32_t i = 0; i < hops * size; i++)
		udp[16 + i] = (uint8_t)random_bits(r);
	return length;
}

/* Length and checksum of an outer IPv4 header that begins at l3. */
static void finish_ipv4(struct model_frame *f, uint32_t l3)
{
	uint8_t *ip = f->bytes + l3;

	model_put16(ip + 2, f->length - l3);
	model_put16(ip + 10, 0);
	model_put16(ip + 10, ~model_sum(ip, (ip[0] & 15) * 4, 0) & 0xffff);
}

static void add_outer(struct model_frame *f, struct random *r, bool ipv4, uint8_t protocol)
{
	struct address source = ipv4 ? world_ipv4(0x0a000000 + random_below(r, 4))
				     : world_ipv6(0xfd000000, random_below(r, 4));
	struct address own = ipv4 ? world_ipv4(0x0a010001) : world_ipv6(0xfd000001, 1);
	uint8_t *ip;

	if (ipv4) {
		ip = fuzz_ipv4(f, r, &source, &own, protocol, false);
		if (!one_in(r, 30))
			model_put16(ip + 6, 0x4000);
		ip[8] = (uint8_t)(one_in(r, 10) ? random_below(r, 3) : 64);
	} else {
		ip = model_add(f, 40);
		model_put16(ip, 0x6000 | random_below(r, 4096));
		ip[6] = protocol;
		ip[7] = (uint8_t)(one_in(r, 10) ? random_below(r, 3) : 64);
		memcpy(ip + 8, source.bytes, 16);
		memcpy(ip + 24, own.bytes, 16);
	}
}

static void encapsulate(struct model_frame *f, struct random *r, const struct model_frame *inner,
			uint32_t inner_l3)
{
	bool ipv4 = one_in(r, 2), inner_ipv4 = inner->bytes[inner_l3] >> 4 == 4;
	bool gue = random_below(r, 4) != 0;
	uint32_t length = inner->length - inner_l3, l3, outer;
	struct address source, own;
	uint8_t *udp;

	fuzz_ethernet(f, r, ipv4);
	l3 = f->length;
	add_outer(f, r, ipv4, gue ? IPPROTO_UDP : inner_ipv4 ? IPPROTO_IPIP : IPPROTO_IPV6);
	outer = f->length;
	if (gue)
		add_gue(f, r, ipv4, inner_ipv4, length);
	memcpy(model_add(f, length), inner->bytes + inner_l3, length);
	if (ipv4)
		finish_ipv4(f, l3);
	else
		model_put16(f->bytes + l3 + 4, f->length - l3 - 40);
	if (!gue || one_in(r, 2))
		return;
	udp = f->bytes + outer;
	source = own = (struct address){{0}};
	memcpy(source.bytes + (ipv4 ? 12 : 0), f->bytes + l3 + (ipv4 ? 12 : 8), ipv4 ? 4 : 16);
	memcpy(own.bytes + (ipv4 ? 12 : 0), f->bytes + l3 + (ipv4 ? 16 : 24), ipv4 ? 4 : 16);
	model_put16(udp + 6,
		    ~model_sum(udp, f->length - outer,
			       model_pseudo(&source, &own, ipv4, IPPROTO_UDP, f->length - outer)) &
			    0xffff);
}

static void make_frame(struct model_frame *f, struct random *r)
{
	static struct model_frame inner;
	uint32_t l3 = 14, was, outer;

	fuzz_build(&inner, r);
	if (one_in(r, 4))
		fuzz_mutate(&inner, r);
	(void)model_ethertype(&inner, &l3);
	if (l3 > inner.length)
		l3 = 14;
	encapsulate(f, r, &inner, l3);
	was = f->length;
	for (uint32_t n = one_in(r, 2) ? 0 : 1 + random_below(r, 3); n; n--)
		fuzz_mutate(f, r);
	if (f->length > was)
		memset(f->bytes + was, 0xdd, f->length - was);
	/* Most changes of an IPv4 header would end at its checksum. */
	if (model_ethertype(f, &outer) == 0x0800 && outer + 60 < f->length && one_in(r, 2)) {
		uint8_t *ip = f->bytes + outer;

		model_put16(ip + 10, 0);
		model_put16(ip + 10, ~model_sum(ip, (ip[0] & 15) * 4, 0) & 0xffff);
	}
}

/* --- running them */

static void dump(const char *what, const struct model_frame *f)
{
	printf("  %s, %u bytes:", what, f->length);
	for (uint32_t i = 0; i < f->length && i < 200; i++)
		printf("%s%02x", i % 4 ? "" : i % 32 ? " " : "\n    ", f->bytes[i]);
	printf("\n");
}

static void one_packet(struct random *r)
{
	static struct model_frame in, out, expected;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in.bytes, .data_out = out.bytes);
	enum node_verdict want;
	bool same;

	make_frame(&in, r);
	want = model_run_node(&fuzz.model, &in, &expected);
	fuzz.want[want]++;
	opts.data_size_in = in.length;
	opts.data_size_out = sizeof(out.bytes);
	if (bpf_prog_test_run_opts(bpf_program__fd(fuzz.skel->progs.node), &opts))
		err(1, "BPF_PROG_TEST_RUN of %u bytes", in.length);
	out.length = opts.data_size_out;
	same = (int)opts.retval == actions[want];
	if (same && actions[want] != XDP_DROP)
		same = out.length == expected.length &&
		       !memcmp(out.bytes, expected.bytes, out.length);
	if (same)
		return;
	printf("!! packet %llu: the model says %s, action %u came\n",
	       (unsigned long long)fuzz.packet, names[want], opts.retval);
	dump("in", &in);
	dump("expected", &expected);
	dump("out", &out);
	fuzz.differences++;
}

static void check_counters(void)
{
	for (uint32_t v = 0; v < NODE__COUNT; v++) {
		uint64_t got = world_count(fuzz.skel->maps.node_verdicts, v,
					   sizeof(struct verdict_stats), 0);

		if (got == fuzz.want[v])
			continue;
		printf("!! up to packet %llu: %s counted %llu times, the model says %llu\n",
		       (unsigned long long)fuzz.packet, names[v], (unsigned long long)got,
		       (unsigned long long)fuzz.want[v]);
		fuzz.differences++;
		fuzz.want[v] = got;
	}
}

/* Edges: 10.0.0.0/31 of 10.0.0.0..3, so that some are not allowed. */
static void turn_edges(void)
{
	struct node_settings settings = {.check_edges = !fuzz.model.check_edges};
	uint32_t zero = 0;

	fuzz.model.check_edges = settings.check_edges;
	if (bpf_map_update_elem(bpf_map__fd(fuzz.skel->maps.node_settings), &zero, &settings,
				BPF_ANY))
		err(1, "node_settings");
}

static void open_node(void)
{
	struct node_edge_key key = {.prefix_length = 127, .address = world_ipv4(0x0a000000)};
	uint32_t one = 1;

	if (unshare(CLONE_NEWNET))
		err(1, "no network namespace of our own (root?)");
	fuzz.skel = node__open_and_load();
	if (!fuzz.skel)
		errx(1, "cannot load node");
	fuzz.model.edge = key.address;
	fuzz.model.edge_bits = key.prefix_length;
	if (bpf_map_update_elem(bpf_map__fd(fuzz.skel->maps.node_edges), &key, &one, BPF_ANY))
		err(1, "node_edges");
}

int main(int argc, char **argv)
{
	struct random r = random_start("fuzz_node");
	uint64_t packets = 200000;
	int option;

	while ((option = getopt(argc, argv, "n:")) != -1) {
		if (option != 'n')
			errx(2, "usage: fuzz_node [-n PACKETS]");
		packets = strtoull(optarg, NULL, 0);
	}
	open_node();
	for (; fuzz.packet < packets && fuzz.differences < DIFFERENCES; fuzz.packet++) {
		if (fuzz.packet % TURN == TURN - 1)
			turn_edges();
		one_packet(&r);
		if (fuzz.packet % BATCH == BATCH - 1)
			check_counters();
	}
	check_counters();
	for (uint32_t v = 1; v < NODE__COUNT; v++)
		printf("  %-24s %10llu\n", names[v], (unsigned long long)fuzz.want[v]);
	printf("%llu packets, %u differences\n", (unsigned long long)fuzz.packet, fuzz.differences);
	return fuzz.differences ? 1 : 0;
}
