// SPDX-License-Identifier: GPL-2.0-or-later
/* dataplane: see the header. dataplane_load.c adopts or makes the maps, dataplane_link.c attaches.
 */
#include "controller/dataplane.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/membarrier.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "controller/dataplane_link.h"
#include "controller/dataplane_load.h"
#include "controller/sandbox_index.h"
#include "xdp_lb.skel.h"

/* The kernel lays array entries out at multiples of 8 bytes; then a C array can be mapped over
 * them. */
#define ASSERT_MAPPABLE(type)                                                                      \
	static_assert(sizeof(type) % 8 == 0, #type " entries are 8-byte multiples")
ASSERT_MAPPABLE(struct settings);
ASSERT_MAPPABLE(struct service);
ASSERT_MAPPABLE(struct pool);
ASSERT_MAPPABLE(struct slot);
ASSERT_MAPPABLE(struct backend);
ASSERT_MAPPABLE(struct backend_name);
ASSERT_MAPPABLE(struct nexthop);
ASSERT_MAPPABLE(struct flow_set);
ASSERT_MAPPABLE(struct handshake);
ASSERT_MAPPABLE(struct backend_signals);
ASSERT_MAPPABLE(struct sandbox_set);

#define TABLES 14

struct dataplane {
	struct xdp_lb *skeleton;
	char dir[DATAPLANE_PATH_MAX];
	int lock_fd; /* of the directory, held exclusively */
	bool adopted;
	struct dataplane_sizes sizes;
	struct dataplane_tables tables;
	struct {
		void *memory;
		size_t length;
	} mapped[TABLES];
	uint32_t mapped_count;
	void *per_cpu; /* of the largest counter, for one look-up */
	int cpus;
};

static int check_sizes(const struct dataplane_sizes *wanted, struct err *err)
{
	if (wanted->flows < FLOW_WAYS || wanted->flows & (wanted->flows - 1))
		return err_set(err, EINVAL,
			       "a flow table of %u flows: a power of two from %d is needed",
			       wanted->flows, FLOW_WAYS);
	if (!wanted->slots || wanted->slots > SLOTS_MAX)
		return err_set(err, EINVAL, "%u slots: 1 to %d are possible", wanted->slots,
			       SLOTS_MAX);
	if (wanted->backends < 2 || wanted->backends > BACKENDS_MAX + 1u)
		return err_set(err, EINVAL, "room for %u backends: 2 to %d are possible",
			       wanted->backends, BACKENDS_MAX + 1);
	if (!wanted->sandboxes || wanted->sandboxes > SANDBOXES_MAX)
		return err_set(err, EINVAL, "room for %u sandboxes: 1 to %d are possible",
			       wanted->sandboxes, SANDBOXES_MAX);
	return 0;
}

static int set_sizes(struct xdp_lb *skeleton, const struct dataplane_sizes *wanted)
{
	uint32_t sets = wanted->flows / FLOW_WAYS;
	int rc;

	skeleton->rodata->flow_set_mask = sets - 1;
	rc = bpf_map__set_max_entries(skeleton->maps.flows, sets);
	if (!rc)
		rc = bpf_map__set_max_entries(skeleton->maps.slots, wanted->slots);
	if (!rc)
		rc = bpf_map__set_max_entries(skeleton->maps.backends, wanted->backends);
	if (!rc)
		rc = bpf_map__set_max_entries(skeleton->maps.backend_names, wanted->backends);
	if (!rc)
		rc = bpf_map__set_max_entries(skeleton->maps.backend_stats, wanted->backends);
	if (!rc)
		rc = bpf_map__set_max_entries(skeleton->maps.backend_signals, wanted->backends);
	if (!rc)
		rc = bpf_map__set_max_entries(skeleton->maps.sandboxes, wanted->sandboxes);
	if (!rc)
		rc = bpf_map__set_max_entries(skeleton->maps.sandbox_index,
					      sandbox_index_sets_for(wanted->sandboxes));
	return rc;
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* What there is now: at least what was wanted. The tables of backends may differ if a daemon
 * died in between. */
static struct dataplane_sizes read_sizes(const struct xdp_lb *skeleton)
{
	uint32_t backends = smaller(bpf_map__max_entries(skeleton->maps.backends),
				    bpf_map__max_entries(skeleton->maps.backend_names));
	uint32_t counters = smaller(bpf_map__max_entries(skeleton->maps.backend_stats),
				    bpf_map__max_entries(skeleton->maps.backend_signals));

	return (struct dataplane_sizes){
		.slots = bpf_map__max_entries(skeleton->maps.slots),
		.backends = smaller(backends, counters),
		.flows = bpf_map__max_entries(skeleton->maps.flows) * FLOW_WAYS,
		.sandboxes = bpf_map__max_entries(skeleton->maps.sandboxes),
		.sandbox_sets = bpf_map__max_entries(skeleton->maps.sandbox_index),
	};
}

static int map_table(struct dataplane *dp, const struct bpf_map *map, size_t entry_size,
		     struct err *err, void **ret_table)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t length = (bpf_map__max_entries(map) * entry_size + page - 1) / page * page;
	void *memory;

	if (bpf_map__value_size(map) != entry_size)
		return err_set(err, EINVAL, "map %s has entries of %u bytes, not %zu",
			       bpf_map__name(map), bpf_map__value_size(map), entry_size);
	memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);
	if (memory == MAP_FAILED)
		return err_set(err, errno, "cannot map %s: %s", bpf_map__name(map),
			       strerror(errno));
	dp->mapped[dp->mapped_count].memory = memory;
	dp->mapped[dp->mapped_count++].length = length;
	*ret_table = memory;
	return 0;
}

static int map_tables(struct dataplane *dp, struct err *err)
{
	struct dataplane_tables *t = &dp->tables;
	const struct {
		const struct bpf_map *map;
		size_t entry_size;
		void **table;
	} all[TABLES] = {
		{dp->skeleton->maps.settings, sizeof(*t->settings), (void **)&t->settings},
		{dp->skeleton->maps.services, sizeof(*t->services), (void **)&t->services},
		{dp->skeleton->maps.prefixes, sizeof(*t->prefixes), (void **)&t->prefixes},
		{dp->skeleton->maps.service_filter, sizeof(*t->filter), (void **)&t->filter},
		{dp->skeleton->maps.pools, sizeof(*t->pools), (void **)&t->pools},
		{dp->skeleton->maps.slots, sizeof(*t->slots), (void **)&t->slots},
		{dp->skeleton->maps.backends, sizeof(*t->backends), (void **)&t->backends},
		{dp->skeleton->maps.backend_names, sizeof(*t->backend_names),
		 (void **)&t->backend_names},
		{dp->skeleton->maps.nexthops, sizeof(*t->nexthops), (void **)&t->nexthops},
		{dp->skeleton->maps.flows, sizeof(*t->flows), (void **)&t->flows},
		{dp->skeleton->maps.nursery, sizeof(*t->nursery), (void **)&t->nursery},
		{dp->skeleton->maps.handshakes, sizeof(*t->handshakes), (void **)&t->handshakes},
		{dp->skeleton->maps.backend_signals, sizeof(*t->signals), (void **)&t->signals},
		{dp->skeleton->maps.sandbox_index, sizeof(*t->sandbox_index),
		 (void **)&t->sandbox_index},
	};

	for (int i = 0; i < TABLES; i++) {
		int rc = map_table(dp, all[i].map, all[i].entry_size, err, all[i].table);

		if (rc)
			return rc;
	}
	return 0;
}

/* A daemon that died before it wrote `layout` left half a configuration: it is wiped, not adopted.
 */
static int check_layout(struct dataplane *dp, bool pinned, struct err *err)
{
	uint32_t layout = dp->tables.settings->layout;

	if (pinned && layout && layout != MAPS_LAYOUT)
		return err_set(err, EEXIST,
			       "%s holds maps of layout %u, this ebb has %d: run the ebb that made "
			       "them, or `ebb "
			       "detach`, which stops forwarding, and start again",
			       dp->dir, layout, MAPS_LAYOUT);
	dp->adopted = pinned && layout;
	for (uint32_t i = 0; !dp->adopted && i < dp->mapped_count; i++)
		memset(dp->mapped[i].memory, 0, dp->mapped[i].length);
	return 0;
}

static int open_at(struct dataplane *dp, const struct dataplane_sizes *wanted, struct err *err)
{
	char path[DATAPLANE_PATH_MAX];
	bool pinned = false;
	int rc;

	rc = dataplane_path(path, dp->dir, "xdp_lb", NULL);
	if (rc)
		return err_set(err, -rc, "%s: the path is too long", dp->dir);
	rc = dataplane_dir_make(dp->dir, err);
	if (rc)
		return rc;
	dp->lock_fd = dataplane_lock(dp->dir, false, err);
	if (dp->lock_fd < 0)
		return dp->lock_fd;
	dp->skeleton = xdp_lb__open();
	rc = dp->skeleton ? set_sizes(dp->skeleton, wanted) : -errno;
	if (rc)
		return err_set(err, -rc, "cannot open the XDP program: %s", strerror(-rc));
	rc = dataplane_load(dp->skeleton->obj, dp->dir, err, &pinned);
	if (!rc)
		rc = map_tables(dp, err);
	if (!rc)
		rc = check_layout(dp, pinned, err);
	if (!rc)
		rc = dataplane_pin(bpf_program__fd(dp->skeleton->progs.xdp_lb), path, err);
	if (rc)
		return rc;
	dp->sizes = read_sizes(dp->skeleton);
	dataplane_link_clean(dp->dir);
	return 0;
}

int dataplane_open(const char *bpffs_dir, const struct dataplane_sizes *wanted, struct err *err,
		   struct dataplane **ret_dataplane)
{
	int rc = check_sizes(wanted, err);
	struct dataplane *dp;

	if (rc)
		return rc;
	dp = calloc(1, sizeof(*dp));
	if (!dp)
		return err_set(err, ENOMEM, "out of memory");
	dp->lock_fd = -1;
	dp->cpus = libbpf_num_possible_cpus();
	if (dp->cpus > 0)
		dp->per_cpu = calloc((size_t)dp->cpus, sizeof(struct backend_stats));
	if (!dp->per_cpu)
		rc = err_set(err, ENOMEM, "out of memory");
	else if (snprintf(dp->dir, sizeof(dp->dir), "%s", bpffs_dir) >= (int)sizeof(dp->dir))
		rc = err_set(err, ENAMETOOLONG, "%.100s...: the path is too long", bpffs_dir);
	else
		rc = open_at(dp, wanted, err);
	if (rc)
		dataplane_close(dp);
	else
		*ret_dataplane = dp;
	return rc;
}

void dataplane_close(struct dataplane *dp)
{
	if (!dp)
		return;
	for (uint32_t i = 0; i < dp->mapped_count; i++)
		munmap(dp->mapped[i].memory, dp->mapped[i].length);
	xdp_lb__destroy(dp->skeleton);
	if (dp->lock_fd >= 0)
		close(dp->lock_fd);
	free(dp->per_cpu);
	free(dp);
}

bool dataplane_adopted(const struct dataplane *dp)
{
	return dp->adopted;
}

const struct dataplane_sizes *dataplane_sizes(const struct dataplane *dp)
{
	return &dp->sizes;
}

const struct dataplane_tables *dataplane_tables(const struct dataplane *dp)
{
	return &dp->tables;
}

int dataplane_attach(struct dataplane *dp, const char *ifname, enum config_xdp_mode mode,
		     struct err *err, bool *ret_native)
{
	return dataplane_link_attach(dp->dir, bpf_program__fd(dp->skeleton->progs.xdp_lb), ifname,
				     mode, err, ret_native);
}

int dataplane_detach(struct dataplane *dp, const char *ifname, struct err *err)
{
	return dataplane_link_detach(dp->dir, ifname, err);
}

struct others {
	const char *dir;
	const char *const *keep;
	uint32_t count;
	struct err *err;
};

static int detach_other(void *ctx, const struct dataplane_link *link)
{
	const struct others *others = ctx;

	for (uint32_t i = 0; i < others->count; i++) {
		if (!strcmp(others->keep[i], link->ifname))
			return 0;
	}
	return dataplane_link_detach(others->dir, link->ifname, others->err);
}

int dataplane_detach_others(struct dataplane *dp, const char *const *ifnames, uint32_t count,
			    struct err *err)
{
	struct others others = {dp->dir, ifnames, count, err};

	return dataplane_link_each(dp->dir, detach_other, &others, err);
}

/* The ifindex at `port`, 0 if it is free. The kernel frees a port when its interface goes. */
static uint32_t port_ifindex(int fd, uint32_t port)
{
	uint32_t ifindex;

	return bpf_map_lookup_elem(fd, &port, &ifindex) < 0 ? 0 : ifindex;
}

int dataplane_port(struct dataplane *dp, uint32_t ifindex, uint32_t *ret_port)
{
	int fd = bpf_map__fd(dp->skeleton->maps.ports);
	uint32_t port, unused = PORTS_MAX;

	for (port = 0; port < PORTS_MAX; port++) {
		uint32_t there = port_ifindex(fd, port);

		if (there == ifindex) {
			*ret_port = port;
			return 0;
		}
		if (!there && unused == PORTS_MAX)
			unused = port;
	}
	if (unused == PORTS_MAX)
		return -ENOSPC;
	if (bpf_map_update_elem(fd, &unused, &ifindex, BPF_ANY) < 0)
		return -errno;
	*ret_port = unused;
	return 0;
}

/* Sums the `words` 64-bit counters of entry `key` over all CPUs. */
static int sum_counters(struct dataplane *dp, const struct bpf_map *map, uint32_t key, size_t words,
			uint64_t *ret_sums)
{
	const uint64_t *counters = dp->per_cpu;

	if (bpf_map_lookup_elem(bpf_map__fd(map), &key, dp->per_cpu) < 0)
		return -errno;
	memset(ret_sums, 0, words * sizeof(*ret_sums));
	for (size_t i = 0; i < (size_t)dp->cpus * words; i++)
		ret_sums[i % words] += counters[i];
	return 0;
}

#define WORDS(type) (sizeof(type) / sizeof(uint64_t))
static_assert(sizeof(struct service_stats) <= sizeof(struct backend_stats), "fits dp->per_cpu");
static_assert(sizeof(struct verdict_stats) <= sizeof(struct backend_stats), "fits dp->per_cpu");

int dataplane_verdicts(struct dataplane *dp, struct verdict_stats ret_stats[VERDICT__COUNT])
{
	struct verdict_stats all[VERDICT__COUNT];

	for (uint32_t i = 0; i < VERDICT__COUNT; i++) {
		int rc = sum_counters(dp, dp->skeleton->maps.verdicts, i, WORDS(all[i]),
				      (uint64_t *)&all[i]);

		if (rc)
			return rc;
	}
	memcpy(ret_stats, all, sizeof(all));
	return 0;
}

int dataplane_backend_stats(struct dataplane *dp, uint16_t id, struct backend_stats *ret_stats)
{
	return sum_counters(dp, dp->skeleton->maps.backend_stats, id, WORDS(*ret_stats),
			    (uint64_t *)ret_stats);
}

int dataplane_service_stats(struct dataplane *dp, uint16_t id, struct service_stats *ret_stats)
{
	return sum_counters(dp, dp->skeleton->maps.service_stats, id, WORDS(*ret_stats),
			    (uint64_t *)ret_stats);
}

int dataplane_clear_backend_stats(struct dataplane *dp, uint16_t id)
{
	uint32_t key = id;

	memset(&dp->tables.signals[id], 0, sizeof(dp->tables.signals[id]));
	memset(dp->per_cpu, 0, (size_t)dp->cpus * sizeof(struct backend_stats));
	return bpf_map_update_elem(bpf_map__fd(dp->skeleton->maps.backend_stats), &key, dp->per_cpu,
				   BPF_ANY) < 0
		       ? -errno
		       : 0;
}

static int sandbox_update(struct dataplane *dp, const struct sandbox_key *key,
			  const struct sandbox *value, uint64_t flags)
{
	return bpf_map_update_elem(bpf_map__fd(dp->skeleton->maps.sandboxes), key, value, flags) < 0
		       ? -errno
		       : 0;
}

int dataplane_sandbox_add(struct dataplane *dp, const struct sandbox_key *key,
			  const struct sandbox *value)
{
	return sandbox_update(dp, key, value, BPF_NOEXIST);
}

int dataplane_sandbox_set(struct dataplane *dp, const struct sandbox_key *key,
			  const struct sandbox *value)
{
	return sandbox_update(dp, key, value, BPF_EXIST);
}

int dataplane_sandbox_del(struct dataplane *dp, const struct sandbox_key *key)
{
	return bpf_map_delete_elem(bpf_map__fd(dp->skeleton->maps.sandboxes), key) < 0 ? -errno : 0;
}

int dataplane_sandbox_get(struct dataplane *dp, const struct sandbox_key *key,
			  struct sandbox *ret_value)
{
	return bpf_map_lookup_elem(bpf_map__fd(dp->skeleton->maps.sandboxes), key, ret_value) < 0
		       ? -errno
		       : 0;
}

int dataplane_sandbox_next(struct dataplane *dp, const struct sandbox_key *after,
			   struct sandbox_key *ret_key)
{
	return bpf_map_get_next_key(bpf_map__fd(dp->skeleton->maps.sandboxes), after, ret_key) < 0
		       ? -errno
		       : 0;
}

int dataplane_sandbox_batch(struct dataplane *dp, uint32_t *cursor, struct sandbox_key *keys,
			    struct sandbox *values, uint32_t *count)
{
	uint32_t out = 0;
	int rc = bpf_map_lookup_batch(bpf_map__fd(dp->skeleton->maps.sandboxes),
				      *cursor ? cursor : NULL, &out, keys, values, count, NULL) < 0
			 ? -errno
			 : 0;

	if (!rc)
		*cursor = out;
	return rc;
}

/*
 * Programs run as RCU readers, and this system call is one grace period. Kernels with nohz_full refuse it: there a
 * packet is given the time that no packet takes.
 */
void dataplane_wait_packets(void)
{
	const struct timespec long_enough = {.tv_nsec = 200000000};

	if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0))
		nanosleep(&long_enough, NULL);
}

int dataplane_test_run(struct dataplane *dp, const void *frame, uint32_t length, uint32_t ifindex,
		       void *ret_frame, uint32_t *ret_length)
{
	struct xdp_md context = {.data_end = length, .ingress_ifindex = ifindex};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = length,
		    .data_out = ret_frame, .data_size_out = *ret_length, .repeat = 1,
		    .ctx_in = &context, .ctx_size_in = sizeof(context));

	if (bpf_prog_test_run_opts(bpf_program__fd(dp->skeleton->progs.xdp_lb), &opts) < 0)
		return -errno;
	*ret_length = opts.data_size_out;
	return (int)opts.retval;
}

static int detach_each(void *ctx, const struct dataplane_link *link)
{
	const struct others *all = ctx;

	return dataplane_link_detach(all->dir, link->ifname, all->err);
}

int dataplane_detach_all(const char *bpffs_dir, struct err *err)
{
	struct others all = {.dir = bpffs_dir, .err = err};
	char path[DATAPLANE_PATH_MAX];
	int rc;

	rc = dataplane_link_each(bpffs_dir, detach_each, &all, err);
	if (!rc)
		rc = dataplane_unpin_all(bpffs_dir, "links", err);
	if (!rc)
		rc = dataplane_unpin_all(bpffs_dir, "maps", err);
	if (rc)
		return rc;
	if (dataplane_path(path, bpffs_dir, "xdp_lb", NULL))
		return err_set(err, ENAMETOOLONG, "%s: the path is too long", bpffs_dir);
	if (unlink(path) < 0 && errno != ENOENT)
		return err_set(err, errno, "cannot remove %s: %s", path, strerror(errno));
	rmdir(bpffs_dir); /* stays if a backend's program is pinned below it, or it is the mount
			     itself */
	return 0;
}
