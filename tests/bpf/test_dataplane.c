// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_dataplane: loading, adopting, growing, attaching and detaching on the real kernel, in a
 * network namespace of its own (it vanishes with the process) and below a bpffs directory of its
 * own.
 *
 *   edge0 <-- veth --> edge1      edge0.7: a macvlan over edge0, whose driver has no native XDP
 */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cmocka.h>
#include <linux/capability.h>
#include <linux/if_link.h>
#include <sys/syscall.h>

#include "controller/dataplane.h"
#include "controller/dataplane_link.h"
#include "controller/node.h"

#define CPUS_MAX 512 /* as many as these tests have room for */

static char dir[64];
static const struct dataplane_sizes small = {
	.slots = 1024, .backends = 64, .flows = 1024, .sandboxes = 1024};

static void run(const char *command)
{
	if (system(command) != 0)
		fail_msg("%s", command);
}

static struct dataplane *open_with(const struct dataplane_sizes *sizes)
{
	struct dataplane *dp = NULL;
	struct err err = {};

	if (dataplane_open(dir, sizes, &err, &dp))
		fail_msg("%s", err.text);
	return dp;
}

static void detach_all(void)
{
	struct err err = {};

	if (dataplane_detach_all(dir, &err))
		fail_msg("%s", err.text);
}

static void attach(struct dataplane *dp, const char *ifname, enum config_xdp_mode mode,
		   bool want_native)
{
	struct err err = {};
	bool native = !want_native;

	if (dataplane_attach(dp, ifname, mode, &err, &native))
		fail_msg("%s", err.text);
	assert_int_equal(native, want_native);
}

static uint32_t program_on(const char *ifname, int *ret_mode)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);

	assert_int_equal(bpf_xdp_query((int)if_nametoindex(ifname), 0, &query), 0);
	*ret_mode = query.attach_mode;
	return query.prog_id | query.drv_prog_id | query.skb_prog_id;
}

static int interfaces_up(void **state)
{
	run("ip link add edge0 type veth peer name edge1; ip link set edge0 up; ip link set edge1 "
	    "up");
	return 0;
}

static int interfaces_down(void **state)
{
	run("ip link del edge0");
	detach_all();
	return 0;
}

static void test_fresh_then_adopted(void **state)
{
	struct dataplane *dp = open_with(&small);
	const struct dataplane_tables *t = dataplane_tables(dp);
	struct stat st;

	assert_false(dataplane_adopted(dp));
	assert_int_equal(dataplane_sizes(dp)->slots, 1024);
	assert_int_equal(dataplane_sizes(dp)->flows, 1024);
	assert_int_equal(stat(dir, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0750);
	t->slots[1023].primary = 7;
	t->backends[63].nexthop = 9;
	t->settings->layout = MAPS_LAYOUT;
	dataplane_close(dp);

	dp = open_with(&small);
	t = dataplane_tables(dp);
	assert_true(dataplane_adopted(dp));
	assert_int_equal(t->slots[1023].primary, 7);
	assert_int_equal(t->backends[63].nexthop, 9);
	dataplane_close(dp);
}

/* Pins of a version that had no nursery: what is there is adopted, the new map begins empty, and is pinned. */
static void test_a_new_map_joins(void **state)
{
	struct dataplane *dp = open_with(&small);
	char path[128];

	dataplane_tables(dp)->settings->layout = MAPS_LAYOUT;
	dataplane_tables(dp)->flows[5].way[1].backend = 7;
	dataplane_tables(dp)->nursery[5].way[1].backend = 7;
	dataplane_close(dp);
	snprintf(path, sizeof(path), "%s/maps/nursery", dir);
	assert_int_equal(unlink(path), 0);

	dp = open_with(&small);
	assert_true(dataplane_adopted(dp));
	assert_int_equal(dataplane_tables(dp)->flows[5].way[1].backend, 7);
	assert_int_equal(dataplane_tables(dp)->nursery[5].way[1].backend, BACKEND_NONE);
	dataplane_tables(dp)->nursery[6].way[1].backend = 8;
	dataplane_close(dp);
	dp = open_with(&small);
	assert_int_equal(dataplane_tables(dp)->nursery[6].way[1].backend, 8);
	dataplane_close(dp);
}

/* A daemon that died before it wrote the layout leaves nothing behind that counts. */
static void test_unfinished_is_wiped(void **state)
{
	struct dataplane *dp = open_with(&small);

	dataplane_tables(dp)->slots[5].primary = 7;
	dataplane_close(dp);
	dp = open_with(&small);
	assert_false(dataplane_adopted(dp));
	assert_int_equal(dataplane_tables(dp)->slots[5].primary, 0);
	dataplane_close(dp);
}

static void test_tables_grow_with_contents(void **state)
{
	struct dataplane_sizes large = {
		.slots = 5000, .backends = 200, .flows = 1024, .sandboxes = 1024};
	struct dataplane *dp = open_with(&small);
	const struct dataplane_tables *t = dataplane_tables(dp);

	t->settings->layout = MAPS_LAYOUT;
	t->slots[1023].primary = 7;
	strcpy(t->backend_names[63].name, "fra-63");
	attach(dp, "edge0", CONFIG_XDP_AUTO, true);
	dataplane_close(dp);

	dp = open_with(&large);
	t = dataplane_tables(dp);
	assert_true(dataplane_adopted(dp));
	assert_int_equal(dataplane_sizes(dp)->slots, 5000);
	assert_int_equal(dataplane_sizes(dp)->backends, 200);
	assert_int_equal(t->slots[1023].primary, 7);
	assert_int_equal(t->slots[4999].primary, 0);
	assert_string_equal(t->backend_names[63].name, "fra-63");
	t->slots[4999].primary = 8;
	attach(dp, "edge0", CONFIG_XDP_AUTO, true);
	dataplane_close(dp);

	dp = open_with(&small); /* larger than wanted: kept */
	assert_int_equal(dataplane_sizes(dp)->slots, 5000);
	assert_int_equal(dataplane_tables(dp)->slots[4999].primary, 8);
	dataplane_close(dp);
}

static void test_refusals(void **state)
{
	struct dataplane_sizes other = {
		.slots = 1024, .backends = 64, .flows = 2048, .sandboxes = 1024};
	struct dataplane *dp = open_with(&small), *second = NULL;
	struct err err = {};

	assert_int_equal(dataplane_open(dir, &small, &err, &second), -EBUSY);
	assert_non_null(strstr(err.text, "another ebbd"));
	dataplane_tables(dp)->settings->layout = MAPS_LAYOUT;
	dataplane_close(dp);

	assert_int_equal(dataplane_open(dir, &other, &err, &second), -EEXIST);
	assert_non_null(strstr(err.text, "flows"));
	other.flows = 1000;
	assert_int_equal(dataplane_open(dir, &other, &err, &second), -EINVAL);
	assert_non_null(strstr(err.text, "power of two"));
	assert_int_equal(dataplane_open("/tmp/ebb-no-bpffs", &small, &err, &second), -ENOENT);
	assert_non_null(strstr(err.text, "mount -t bpf"));
	assert_int_equal(dataplane_open("relative", &small, &err, &second), -EINVAL);

	dp = open_with(&small);
	dataplane_tables(dp)->settings->layout = MAPS_LAYOUT + 1;
	dataplane_close(dp);
	assert_int_equal(dataplane_open(dir, &small, &err, &second), -EEXIST);
	assert_non_null(strstr(err.text, "ebb detach"));
	assert_null(second);
}

/* Puts a map of shorter values in the pin's place, with each value's beginning. */
static void age(const char *map, uint32_t value_size, bool per_cpu)
{
	int cpus = per_cpu ? libbpf_num_possible_cpus() : 1, from, to;
	struct bpf_map_info info = {};
	__u32 length = sizeof(info);
	static uint64_t value[4096], shorter[4096];
	char path[128];

	snprintf(path, sizeof(path), "%s/maps/%s", dir, map);
	from = bpf_obj_get(path);
	assert_true(from >= 0);
	assert_int_equal(bpf_obj_get_info_by_fd(from, &info, &length), 0);
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = info.map_flags);
	to = bpf_map_create(info.type, map, info.key_size, value_size, info.max_entries, &opts);
	assert_true(to >= 0 && value_size % 8 == 0 && info.value_size % 8 == 0);
	for (char key[64] = {0}, *at = NULL; !bpf_map_get_next_key(from, at, key); at = key) {
		assert_int_equal(bpf_map_lookup_elem(from, key, value), 0);
		for (int cpu = 0; cpu < cpus; cpu++)
			memcpy((char *)shorter + cpu * value_size, (char *)value + cpu * info.value_size,
			       value_size);
		assert_int_equal(bpf_map_update_elem(to, key, shorter, BPF_ANY), 0);
	}
	assert_int_equal(unlink(path), 0);
	assert_int_equal(bpf_obj_pin(to, path), 0);
	close(from);
	close(to);
}

/* An older version's maps, in each way that contents are carried: mapped, by key, per CPU; and one that only fills again. */
static void test_layouts_are_carried_over(void **state)
{
	struct sandbox_key key = {.service = 1}, other = {.service = 2};
	struct sandbox value = {.backend = 3, .former = 5, .moved = 9, .born_ns = 77}, got;
	struct dataplane *dp = open_with(&small);
	const struct dataplane_tables *t = dataplane_tables(dp);
	static uint64_t sums[CPUS_MAX][sizeof(struct backend_stats) / 8];
	uint32_t id = 7, program;
	char path[128];
	int fd, mode;

	t->settings->layout = MAPS_LAYOUT;
	t->settings->hash_seed = 1234;
	t->backends[63].nexthop = 9;
	t->backends[63].reserved[3] = 1; /* what an older version did not have */
	t->slots[1023].primary = 7;
	t->signals[2].begun = 5;
	assert_int_equal(dataplane_sandbox_add(dp, &key, &value), 0);
	assert_int_equal(dataplane_sandbox_add(dp, &other, &value), 0);
	for (uint64_t cpu = 0; cpu < CPUS_MAX; cpu++)
		for (uint64_t i = 0; i < sizeof(sums[0]) / 8; i++)
			sums[cpu][i] = 100 + 10 * cpu + i;
	snprintf(path, sizeof(path), "%s/maps/backend_stats", dir);
	fd = bpf_obj_get(path);
	assert_true(fd >= 0 && libbpf_num_possible_cpus() <= CPUS_MAX);
	assert_int_equal(bpf_map_update_elem(fd, &id, sums, BPF_ANY), 0);
	close(fd);
	attach(dp, "edge0", CONFIG_XDP_AUTO, true);
	dataplane_close(dp);
	program = program_on("edge0", &mode);
	age("settings", 96, false);
	age("backends", 48, false);
	age("sandboxes", 8, false);
	age("backend_stats", 16, true);
	age("backend_signals", 64, false);

	dp = open_with(&small);
	t = dataplane_tables(dp);
	assert_true(dataplane_adopted(dp));
	assert_int_equal(t->settings->hash_seed, 1234);
	assert_int_equal(t->backends[63].nexthop, 9);
	assert_int_equal(t->backends[63].reserved[3], 0);
	assert_int_equal(t->slots[1023].primary, 7);
	assert_int_equal(t->signals[2].begun, 0);
	assert_int_equal(dataplane_sandbox_get(dp, &key, &got), 0);
	assert_true(got.backend == 3 && got.former == 5 && got.moved == 9 && got.born_ns == 0);
	assert_int_equal(dataplane_sandbox_get(dp, &other, &got), 0);
	fd = bpf_obj_get(path);
	memset(sums, 0xff, sizeof(sums));
	assert_int_equal(bpf_map_lookup_elem(fd, &id, sums), 0);
	close(fd);
	for (int cpu = 0; cpu < libbpf_num_possible_cpus(); cpu++)
		assert_true(sums[cpu][0] == 100u + 10u * (uint64_t)cpu &&
			    sums[cpu][1] == 101u + 10u * (uint64_t)cpu && !sums[cpu][2] && !sums[cpu][3]);
	assert_int_equal(program_on("edge0", &mode), program); /* not before attach */
	attach(dp, "edge0", CONFIG_XDP_AUTO, true);
	assert_int_not_equal(program_on("edge0", &mode), program);
	dataplane_close(dp);
}

/* Another version's map under a name of ours. */
static void test_foreign_map_is_refused(void **state)
{
	struct dataplane *dp = open_with(&small);
	struct err err = {};
	char path[128];
	int fd;

	dataplane_close(dp);
	snprintf(path, sizeof(path), "%s/maps/backends", dir);
	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "backends", 4, 72, 64, NULL);
	assert_true(fd >= 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(bpf_obj_pin(fd, path), 0);
	close(fd);
	dp = NULL;
	assert_int_equal(dataplane_open(dir, &small, &err, &dp), -EEXIST);
	assert_non_null(strstr(err.text, "maps/backends has another layout"));
	assert_null(dp);
}

static void test_attach_survives_and_is_replaced(void **state)
{
	struct dataplane *dp = open_with(&small);
	uint32_t first, second;
	struct err err = {};
	int mode;

	dataplane_tables(dp)->settings->layout = MAPS_LAYOUT;
	attach(dp, "edge0", CONFIG_XDP_AUTO, true);
	assert_string_equal(err.text, "");
	first = program_on("edge0", &mode);
	assert_int_not_equal(first, 0);
	assert_int_equal(mode, XDP_ATTACHED_DRV);
	dataplane_close(dp);
	assert_int_equal(program_on("edge0", &mode), first);

	dp = open_with(&small);
	assert_int_equal(program_on("edge0", &mode), first); /* not before attach */
	attach(dp, "edge0", CONFIG_XDP_AUTO, true);
	second = program_on("edge0", &mode);
	assert_int_not_equal(second, first);
	assert_int_not_equal(second, 0);
	attach(dp, "edge0", CONFIG_XDP_GENERIC, false); /* another mode */
	program_on("edge0", &mode);
	assert_int_equal(mode, XDP_ATTACHED_SKB);
	attach(dp, "edge0", CONFIG_XDP_AUTO, false); /* auto keeps what is there */
	attach(dp, "edge0", CONFIG_XDP_NATIVE, true);
	assert_int_equal(dataplane_detach(dp, "edge0", &err), 0);
	assert_int_equal(program_on("edge0", &mode), 0);
	assert_int_equal(dataplane_detach(dp, "edge0", &err), -ENOENT);
	dataplane_close(dp);
}

static void test_generic_where_the_driver_cannot(void **state)
{
	struct dataplane *dp = open_with(&small);
	struct err err = {};
	bool native = true;

	run("ip link add link edge0 name edge0.7 type macvlan; ip link set edge0.7 up");
	assert_int_equal(dataplane_attach(dp, "edge0.7", CONFIG_XDP_NATIVE, &err, &native),
			 -EOPNOTSUPP);
	assert_non_null(strstr(err.text, "generic"));
	assert_int_equal(dataplane_attach(dp, "edge0.7", CONFIG_XDP_AUTO, &err, &native), 0);
	assert_false(native);
	assert_non_null(strstr(err.text, "native XDP")); /* says why */
	dataplane_close(dp);
	dp = open_with(&small);
	attach(dp, "edge0.7", CONFIG_XDP_AUTO,
	       false); /* the pin of a name with a dot is found again */
	assert_int_equal(dataplane_detach(dp, "edge0.7", &err), 0);
	dataplane_close(dp);
}

/* A program that is not ours, without a link, as `ip link set dev X xdp` does. */
static void attach_foreign(const char *ifname)
{
	const struct bpf_insn pass[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS},
		{.code = BPF_JMP | BPF_EXIT},
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "foreign", "GPL", pass, 2, NULL);

	assert_true(fd >= 0);
	assert_int_equal(bpf_xdp_attach((int)if_nametoindex(ifname), fd, 0, NULL), 0);
	close(fd);
}

static void test_attach_errors(void **state)
{
	struct dataplane *dp = open_with(&small);
	struct err err = {};
	bool native;

	assert_int_equal(dataplane_attach(dp, "nosuch0", CONFIG_XDP_AUTO, &err, &native), -ENODEV);
	assert_non_null(strstr(err.text, "edge0"));
	assert_int_equal(dataplane_attach(dp, "../evil", CONFIG_XDP_AUTO, &err, &native), -ENODEV);
	attach_foreign("edge1");
	assert_int_equal(dataplane_attach(dp, "edge1", CONFIG_XDP_AUTO, &err, &native), -EBUSY);
	assert_non_null(strstr(err.text, "another XDP program"));
	assert_int_equal(dataplane_attach(dp, "edge1", CONFIG_XDP_GENERIC, &err, &native), -EBUSY);
	dataplane_close(dp);
}

static int count_link(void *ctx, const struct dataplane_link *link)
{
	++*(int *)ctx;
	return 0;
}

static int links_below(void)
{
	int n = 0;

	assert_int_equal(dataplane_link_each(dir, count_link, &n, NULL), 0);
	return n;
}

static void test_vanished_interfaces(void **state)
{
	const char *keep[] = {"edge1"};
	struct dataplane *dp = open_with(&small);
	struct err err = {};

	attach(dp, "edge0", CONFIG_XDP_AUTO, true);
	run("ip link del edge0; ip link add edge0 type veth peer name edge1");
	assert_int_equal(links_below(), 1);
	attach(dp, "edge0", CONFIG_XDP_AUTO, true); /* same name, another interface */
	attach(dp, "edge1", CONFIG_XDP_AUTO, true);
	assert_int_equal(links_below(), 2);
	assert_int_equal(dataplane_detach_others(dp, keep, 1, &err), 0);
	assert_int_equal(links_below(), 1);
	run("ip link del edge0");
	dataplane_close(dp);
	dp = open_with(&small);
	assert_int_equal(links_below(), 0);
	dataplane_close(dp);
	run("ip link add edge0 type veth peer name edge1");
}

static void test_ports(void **state)
{
	struct dataplane *dp = open_with(&small);
	uint32_t a, b, again;

	assert_int_equal(dataplane_port(dp, if_nametoindex("edge0"), &a), 0);
	assert_int_equal(dataplane_port(dp, if_nametoindex("edge1"), &b), 0);
	assert_int_not_equal(a, b);
	dataplane_close(dp);
	dp = open_with(&small);
	assert_int_equal(dataplane_port(dp, if_nametoindex("edge1"), &again), 0);
	assert_int_equal(again, b);
	assert_true(dataplane_port(dp, 999999, &again) < 0);
	dataplane_close(dp);
}

static void test_counters_and_test_run(void **state)
{
	static const uint8_t frame[60] = {[12] = 0x08, [13] = 0x06}; /* ARP: not IP */
	struct verdict_stats before[VERDICT__COUNT], after[VERDICT__COUNT];
	struct dataplane *dp = open_with(&small);
	uint64_t counted = 0;
	struct backend_stats stats;
	uint8_t out[2048];
	uint32_t length = sizeof(out);

	assert_int_equal(dataplane_verdicts(dp, before), 0);
	assert_int_equal(
		dataplane_test_run(dp, frame, sizeof(frame), if_nametoindex("edge0"), out, &length),
		XDP_PASS);
	assert_int_equal(length, sizeof(frame));
	assert_memory_equal(out, frame, sizeof(frame));
	assert_int_equal(dataplane_verdicts(dp, after), 0);
	for (int i = 0; i < VERDICT__COUNT; i++)
		counted += after[i].packets - before[i].packets;
	assert_int_equal(counted, 1);
	assert_int_equal(dataplane_backend_stats(dp, 63, &stats), 0);
	assert_int_equal(stats.packets, 0);
	assert_int_equal(dataplane_backend_stats(dp, 64, &stats), -ENOENT);
	assert_int_equal(dataplane_clear_backend_stats(dp, 63), 0);
	dataplane_close(dp);
}

static void test_sandboxes(void **state)
{
	struct dataplane *dp = open_with(&small);
	struct sandbox_key key = {.service = 1};
	struct sandbox value = {.backend = 3};

	assert_int_equal(dataplane_sandbox_add(dp, &key, &value), 0);
	assert_int_equal(dataplane_sandbox_del(dp, &key), 0);
	assert_int_equal(dataplane_sandbox_del(dp, &key), -ENOENT);
	dataplane_close(dp);
}

static void test_detach_all(void **state)
{
	struct dataplane *dp = open_with(&small);
	struct err err = {};
	int mode;

	attach(dp, "edge0", CONFIG_XDP_AUTO, true);
	dataplane_close(dp);
	detach_all();
	assert_int_equal(program_on("edge0", &mode), 0);
	assert_int_equal(access(dir, F_OK), -1);
	assert_int_equal(dataplane_detach_all(dir, &err), 0); /* nothing there: fine */
}

static void test_node(void **state)
{
	static struct node_status status;
	struct err err = {};
	uint32_t first;
	bool native = false;
	int mode;

	assert_int_equal(node_detach("edge0", dir, &err), -ENOENT);
	if (node_attach("edge0", CONFIG_XDP_AUTO, NULL, dir, &err, &native))
		fail_msg("%s", err.text);
	assert_true(native);
	first = program_on("edge0", &mode);
	assert_int_equal(node_attach("edge0", CONFIG_XDP_AUTO, NULL, dir, &err, &native), 0);
	assert_int_not_equal(program_on("edge0", &mode), first);
	assert_int_equal(node_attach("edge1", CONFIG_XDP_GENERIC, NULL, dir, &err, &native), 0);
	assert_int_equal(node_attach("nosuch0", CONFIG_XDP_AUTO, NULL, dir, &err, &native), -ENODEV);
	assert_int_equal(node_show(dir, &err, &status), 0);
	assert_int_equal(status.link_count, 2);
	assert_int_equal(node_detach("edge1", dir, &err), 0);
	assert_int_equal(node_show(dir, &err, &status), 0);
	assert_int_equal(status.link_count, 1);
	assert_string_equal(status.links[0].ifname, "edge0");
	detach_all(); /* the edge's; leaves the node's alone */
	assert_int_not_equal(program_on("edge0", &mode), 0);
	assert_int_equal(node_detach("edge0", dir, &err), 0);
	assert_int_equal(program_on("edge0", &mode), 0);
	assert_int_equal(node_show(dir, &err, &status), 0);
	assert_int_equal(status.link_count, 0);
	rmdir(dir);
	assert_int_equal(access(dir, F_OK), -1);
}

/* A list follows another as a whole, and stays when the program is replaced. */
static void test_node_allow(void **state)
{
	static const char *const bad[] = {"",	      "10.0.0.1/33", "10.0.0.1/", "10.0.0.1/-1",
					  "fd00::/129", "x",	   "10.0.0.1/8x",
					  "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc"};
	static struct node_allow allow, none;
	static struct node_status status;
	struct err err = {};
	char text[50];
	bool native;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(node_allow_add(&allow, bad[i], &err), -EINVAL);
	allow.count = 0;
	assert_int_equal(node_allow_add(&allow, "10.1.2.3/8", &err), 0);
	assert_int_equal(node_allow_add(&allow, "fd00::7", &err), 0);
	assert_int_equal(node_attach("edge0", CONFIG_XDP_AUTO, &allow, dir, &err, &native), 0);
	assert_int_equal(node_show(dir, &err, &status), 0);
	assert_int_equal(status.allow.count, 2);
	allow.count = 0;
	assert_int_equal(node_allow_add(&allow, "10.2.0.0/16", &err), 0);
	assert_int_equal(node_attach("edge0", CONFIG_XDP_AUTO, &allow, dir, &err, &native), 0);
	assert_int_equal(node_attach("edge0", CONFIG_XDP_AUTO, NULL, dir, &err, &native), 0);
	assert_int_equal(node_show(dir, &err, &status), 0);
	assert_int_equal(status.allow.count, 1);
	assert_string_equal(node_allow_format(&status.allow.prefixes[0], text), "10.2.0.0/16");
	assert_int_equal(node_attach("edge0", CONFIG_XDP_AUTO, &none, dir, &err, &native), 0);
	assert_int_equal(node_show(dir, &err, &status), 0);
	assert_int_equal(status.allow.count, 0);
	assert_int_equal(node_detach("edge0", dir, &err), 0);
}

/* In a child that gives its capabilities up: the sentence names them. */
static void test_no_permission(void **state)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
		struct __user_cap_data_struct none[2] = {};
		struct dataplane *dp = NULL;
		struct err err = {};

		if (syscall(SYS_capset, &header, none))
			_exit(2);
		if (dataplane_open(dir, &small, &err, &dp) != -EPERM)
			_exit(3);
		_exit(strstr(err.text, "CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON") ? 0 : 4);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, interfaces_up, interfaces_down)
	const struct CMUnitTest tests[] = {
		TEST(fresh_then_adopted),
		TEST(a_new_map_joins),
		TEST(unfinished_is_wiped),
		TEST(tables_grow_with_contents),
		TEST(refusals),
		TEST(layouts_are_carried_over),
		TEST(foreign_map_is_refused),
		TEST(attach_survives_and_is_replaced),
		TEST(generic_where_the_driver_cannot),
		TEST(attach_errors),
		TEST(vanished_interfaces),
		TEST(ports),
		TEST(counters_and_test_run),
		TEST(sandboxes),
		TEST(detach_all),
		TEST(node), TEST(node_allow),
		TEST(no_permission),
	};

	if (access("/sys/fs/bpf/maps.debug", F_OK) && mount("bpf", "/sys/fs/bpf", "bpf", 0, NULL))
		perror("mount /sys/fs/bpf");
	if (unshare(CLONE_NEWNET)) {
		perror("a network namespace of its own (root is needed)");
		return 1;
	}
	snprintf(dir, sizeof(dir), "/sys/fs/bpf/ebb-test-%d", (int)getpid());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
