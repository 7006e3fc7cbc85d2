/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_trace: what the sampled trace says of packets, through the loaded program and the reader of
 * controller/trace.h over pinned maps: nothing when off, and nothing after its reader has gone.
 */
#include <sys/stat.h>
#include <unistd.h>

#include "controller/trace.h"
#include "tests/bpf/fixture.h"

#define C4   "198.51.100.7"
#define C6   "2001:db8:c::7"
#define VIP4 "192.0.2.10"
#define VIP6 "2001:db8::10"

struct seen {
	struct trace_record record[64];
	int count;
};

static char dir[64], path[128];

static int on_record(void *ctx, const struct trace_record *record)
{
	struct seen *seen = ctx;

	if (seen->count < 64)
		seen->record[seen->count++] = *record;
	return 0;
}

static void through(const char *source, const char *destination, struct frame *ret_out)
{
	struct spec spec = {source, destination, IPPROTO_UDP, 4000, 443, .payload = 200};
	struct frame in;

	frame_build(&in, &spec);
	program_run(fx.skel->progs.xdp_lb, &in, ret_out);
}

static int setup(void **state)
{
	const char *names[] = {"settings", "trace"};
	struct bpf_map *maps[2];

	if (fixture_setup(state))
		return -1;
	maps[0] = fx.skel->maps.settings;
	maps[1] = fx.skel->maps.trace;
	snprintf(dir, sizeof(dir), "/sys/fs/bpf/ebb-test-trace-%d", getpid());
	snprintf(path, sizeof(path), "%s/maps", dir);
	if (mkdir(dir, 0700) || mkdir(path, 0700))
		return -1;
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/maps/%s", dir, names[i]);
		if (bpf_map__pin(maps[i], path))
			return -1;
	}
	for (int i = 0; i < 2; i++) {
		struct service service = {
			.address = address_of(i ? VIP6 : VIP4),
			.port_be = htons(443),
			.protocol = IPPROTO_UDP,
			.kind = SERVICE_KIND_PORT,
			.encap = i ? ENCAP_IPIP : ENCAP_GUE,
		};

		fixture_service(service);
	}
	return 0;
}

static int teardown(void **state)
{
	const char *names[] = {"maps/settings", "maps/trace", "maps", ""};

	bpf_map__unpin(fx.skel->maps.settings, NULL);
	bpf_map__unpin(fx.skel->maps.trace, NULL);
	for (int i = 2; i < 4; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		rmdir(path);
	}
	return fixture_teardown(state);
}

static struct trace *open_trace(uint32_t rate)
{
	struct err err = {{0}};
	struct trace *trace;

	if (trace_open(dir, rate, &err, &trace))
		fail_msg("%s", err.text);
	return trace;
}

static void read_all(struct trace *trace, struct seen *seen)
{
	seen->count = 0;
	assert_int_equal(trace_read(trace, 0, on_record, seen), 0);
}

static void packets_and_verdicts(void **state)
{
	struct trace *trace = open_trace(1);
	struct trace_layer layers[TRACE_LAYERS_MAX];
	struct frame out[3];
	struct seen seen;

	through(C4, VIP4, &out[0]);
	through(C6, VIP6, &out[1]);
	through(C4, "192.0.2.11", &out[2]);
	read_all(trace, &seen);
	assert_int_equal(seen.count, 3);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(seen.record[i].length, out[i].length);
		assert_int_equal(seen.record[i].captured, TRACE_BYTES);
		assert_int_equal(seen.record[i].ifindex, FIXTURE_LO);
		assert_memory_equal(seen.record[i].bytes, out[i].bytes, TRACE_BYTES);
	}
	assert_int_equal(seen.record[0].verdict, VERDICT_FORWARD_TX);
	assert_int_equal(seen.record[1].verdict, VERDICT_FORWARD_TX);
	assert_int_equal(seen.record[2].verdict, VERDICT_PASS_NOT_OURS);

	assert_int_equal(trace_layers(&seen.record[0], layers), 2);
	assert_int_equal(layers[0].destination_port, 6080);
	assert_memory_equal(&layers[1].source, &(struct address[]){address_of(C4)}, 16);
	assert_int_equal(layers[1].destination_port, 443);
	assert_int_equal(trace_layers(&seen.record[1], layers), 2);
	assert_memory_equal(&layers[0].destination, &(struct address[]){address_of("10.1.0.1")}, 16);
	assert_memory_equal(&layers[1].destination, &(struct address[]){address_of(VIP6)}, 16);
	assert_int_equal(layers[1].source_port, 4000);
	assert_int_equal(trace_layers(&seen.record[2], layers), 1);
	trace_close(trace);
}

/* However little was captured, only that is read: the sanitizers' page would be hit else. */
static void cut_records(void **state)
{
	struct trace *trace = open_trace(1);
	struct trace_layer layers[TRACE_LAYERS_MAX];
	struct frame out;
	struct seen seen;
	size_t last = 0;

	through(C4, VIP4, &out);
	read_all(trace, &seen);
	for (uint16_t length = 0; length <= TRACE_BYTES; length++) {
		size_t count;

		seen.record[0].captured = length;
		count = trace_layers(&seen.record[0], layers);
		assert_true(count >= last);
		last = count;
	}
	assert_int_equal(last, 2);
	trace_close(trace);
}

static void off_says_nothing(void **state)
{
	struct trace *trace = open_trace(1);
	struct settings settings;
	struct frame out;
	struct seen seen;
	uint32_t zero = 0;

	trace_close(trace);
	through(C4, VIP4, &out);
	trace = open_trace(1);
	read_all(trace, &seen);
	assert_int_equal(seen.count, 0);
	/* A reader that died: its time is over, whatever the rate says. */
	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(fx.skel->maps.settings), &zero, &settings), 0);
	assert_int_equal(settings.trace_rate, 1);
	settings.trace_until_ns = 1;
	map_set(fx.skel->maps.settings, 0, &settings);
	through(C4, VIP4, &out);
	read_all(trace, &seen);
	assert_int_equal(seen.count, 0);
	trace_close(trace);
}

static void one_reader(void **state)
{
	struct trace *trace = open_trace(1), *other;
	struct err err = {{0}};

	assert_int_equal(trace_open(dir, 1, &err, &other), -EBUSY);
	trace_close(trace);
	assert_int_equal(trace_open("/sys/fs/bpf/ebb-none", 1, &err, &other), -ENOENT);
}

/* One in ten of 2,000: 200 are expected, 140 to 260 is over four standard deviations. */
static void a_part_of_them(void **state)
{
	struct trace *trace = open_trace(10);
	struct frame out;
	struct seen seen;
	int total = 0;

	for (int i = 0; i < 2000; i++) {
		through(C4, VIP4, &out);
		if (i % 50 == 49) {
			read_all(trace, &seen);
			total += seen.count;
		}
	}
	assert_in_range(total, 140, 260);
	trace_close(trace);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_and_verdicts), cmocka_unit_test(cut_records),
		cmocka_unit_test(off_says_nothing),	cmocka_unit_test(one_reader),
		cmocka_unit_test(a_part_of_them),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
