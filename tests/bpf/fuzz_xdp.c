// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_xdp: mutated packets through the loaded xdp_lb, against the model (model.h): the same
 * action, the same verdict counted, the same bytes out. The world is drawn anew every so often.
 *
 *   fuzz_xdp [-n PACKETS]
 *
 * A difference is printed with the seed of its world and the number of its packet in it; EBB_SEED
 * in the environment meets it again.
 */
#include <getopt.h>
#include <stdio.h>

#include "tests/bpf/fuzz_packet.h"

#define WORLD_PACKETS 25000 /* with one world */
#define BATCH         500   /* between looks at the counters */
#define NOTES_MAX     4096  /* then all flows are forgotten: the real tables evict, the model does not */
#define DIFFERENCES 5 /* enough to print */

static const int actions[VERDICT__COUNT] = {
#define X(name, text, action, meaning) [VERDICT_##name] = XDP_##action,
	VERDICTS(X)
#undef X
};

static const char *const names[VERDICT__COUNT] = {
#define X(name, text, action, meaning) [VERDICT_##name] = text,
	VERDICTS(X)
#undef X
};

struct fuzz {
	struct fuzz_world world;
	uint64_t seed, packet; /* of this world; in it */
	uint64_t total[VERDICT__COUNT];
	uint64_t want[VERDICT__COUNT]; /* since the world began */
	uint32_t differences;
};

static struct fuzz fuzz;

static void dump(const char *what, const struct model_frame *f)
{
	printf("  %s, %u bytes:", what, f->length);
	for (uint32_t i = 0; i < f->length && i < 200; i++)
		printf("%s%02x", i % 4 ? "" : i % 32 ? " " : "\n    ", f->bytes[i]);
	printf("\n");
}

static void differ(const char *what, enum verdict want, int action, const struct model_frame *in,
		   const struct model_frame *expected, const struct model_frame *out)
{
	printf("!! seed 0x%llx packet %llu: %s; the model says %s, action %d came\n",
	       (unsigned long long)fuzz.seed, (unsigned long long)fuzz.packet, what, names[want],
	       action);
	dump("in", in);
	dump("expected", expected);
	dump("out", out);
	fuzz.differences++;
}

static void one_packet(struct random *r)
{
	static struct model_frame in, out, expected;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in.bytes, .data_out = out.bytes);
	enum verdict want;

	fuzz_frame(&in, r);
	want = model_xdp_lb(&fuzz.world.model, &in, &expected);
	fuzz.want[want]++;
	opts.data_size_in = in.length;
	opts.data_size_out = sizeof(out.bytes);
	if (bpf_prog_test_run_opts(bpf_program__fd(fuzz.world.maps.skel->progs.xdp_lb), &opts))
		err(1, "BPF_PROG_TEST_RUN of %u bytes", in.length);
	out.length = opts.data_size_out;
	if ((int)opts.retval != actions[want])
		differ("another action", want, (int)opts.retval, &in, &expected, &out);
	else if (actions[want] != XDP_DROP &&
		 (out.length != expected.length || memcmp(out.bytes, expected.bytes, out.length)))
		differ("other bytes", want, (int)opts.retval, &in, &expected, &out);
}

static void check_counters(void)
{
	uint64_t got[VERDICT__COUNT];

	world_verdicts(&fuzz.world.maps, got);
	for (uint32_t v = 0; v < VERDICT__COUNT; v++) {
		if (got[v] == fuzz.want[v])
			continue;
		printf("!! seed 0x%llx up to packet %llu: %s counted %llu times, the model says "
		       "%llu\n",
		       (unsigned long long)fuzz.seed, (unsigned long long)fuzz.packet, names[v],
		       (unsigned long long)got[v], (unsigned long long)fuzz.want[v]);
		fuzz.differences++;
		fuzz.want[v] = got[v];
	}
}

static void one_world(uint64_t seed, uint64_t packets)
{
	struct random r = {seed};

	fuzz.seed = seed;
	memset(&fuzz.world.model, 0, sizeof(fuzz.world.model));
	memset(fuzz.want, 0, sizeof(fuzz.want));
	fuzz_world_open(&fuzz.world, &r);
	for (fuzz.packet = 0; fuzz.packet < packets && fuzz.differences < DIFFERENCES;
	     fuzz.packet++) {
		if (fuzz.world.model.note_count >= NOTES_MAX)
			fuzz_forget_flows(&fuzz.world);
		if (fuzz.world.model.datagram_count >= MODEL_DATAGRAMS)
			fuzz_forget_fragments(&fuzz.world);
		one_packet(&r);
		if (fuzz.packet % BATCH == BATCH - 1)
			check_counters();
	}
	check_counters();
	for (uint32_t v = 0; v < VERDICT__COUNT; v++)
		fuzz.total[v] += fuzz.want[v];
	fuzz_world_close(&fuzz.world);
}

int main(int argc, char **argv)
{
	uint64_t packets = 200000, left, seed;
	struct random r = random_start("fuzz_xdp");
	int option;

	seed = r.state;
	while ((option = getopt(argc, argv, "n:")) != -1) {
		if (option != 'n')
			errx(2, "usage: fuzz_xdp [-n PACKETS]");
		packets = strtoull(optarg, NULL, 0);
	}
	for (left = packets; left && fuzz.differences < DIFFERENCES; seed = hash_mix(seed + 1)) {
		uint64_t now = left < WORLD_PACKETS ? left : WORLD_PACKETS;

		one_world(seed, now);
		left -= now;
	}
	packets = 0;
	for (uint32_t v = 1; v < VERDICT__COUNT; v++) {
		printf("  %-24s %10llu\n", names[v], (unsigned long long)fuzz.total[v]);
		packets += fuzz.total[v];
	}
	printf("%llu packets, %u differences\n", (unsigned long long)packets, fuzz.differences);
	return fuzz.differences ? 1 : 0;
}
