// SPDX-License-Identifier: GPL-2.0-or-later
/* dataplane_carry: see the header. */
#include "controller/dataplane_carry.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* As the kernel lays out values: in arrays, and one behind the other for each CPU. */
static size_t stride(uint32_t value_size)
{
	return (value_size + 7u) & ~7u;
}

static void *map_array(int fd, size_t length, int protection)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return mmap(NULL, (length + page - 1) / page * page, protection, MAP_SHARED, fd, 0);
}

static int carry_mapped(const struct carried *c)
{
	uint32_t size = bpf_map__value_size(c->map);
	size_t from_length = c->old_entries * stride(c->old_value_size);
	size_t to_length = c->old_entries * stride(size);
	char *from = map_array(c->old_fd, from_length, PROT_READ);
	char *to = map_array(bpf_map__fd(c->map), to_length, PROT_READ | PROT_WRITE);
	int rc = from == MAP_FAILED || to == MAP_FAILED ? -errno : 0;

	for (size_t i = 0; !rc && i < c->old_entries; i++)
		migrate_value(c->migration, from + i * stride(c->old_value_size), c->old_value_size,
			      to + i * stride(size), size);
	if (from != MAP_FAILED)
		munmap(from, from_length);
	if (to != MAP_FAILED)
		munmap(to, to_length);
	return rc;
}

/* Room for one entry of each map. */
struct entry {
	char *key, *next, *old, *value;
	size_t cpus;
};

static int carry_entry(const struct carried *c, const struct entry *e)
{
	uint32_t size = bpf_map__value_size(c->map);

	if (bpf_map_lookup_elem(c->old_fd, e->key, e->old) < 0)
		return -errno;
	for (size_t cpu = 0; cpu < e->cpus; cpu++)
		migrate_value(c->migration, e->old + cpu * stride(c->old_value_size), c->old_value_size,
			      e->value + cpu * stride(size), size);
	return bpf_map_update_elem(bpf_map__fd(c->map), e->key, e->value, BPF_ANY) < 0 ? -errno : 0;
}

/* In the old map's own order; nobody changes it meanwhile. */
static int carry_all(const struct carried *c, const struct entry *e)
{
	uint32_t key_size = bpf_map__key_size(c->map);
	int rc = bpf_map_get_next_key(c->old_fd, NULL, e->next) < 0 ? -errno : 0;

	while (!rc) {
		memcpy(e->key, e->next, key_size);
		rc = carry_entry(c, e);
		if (!rc && bpf_map_get_next_key(c->old_fd, e->key, e->next) < 0)
			rc = -errno;
	}
	return rc == -ENOENT ? 0 : rc; /* -ENOENT: it was the last, or there is none */
}

static int carry_each(const struct carried *c)
{
	uint32_t type = bpf_map__type(c->map), key_size = bpf_map__key_size(c->map);
	bool per_cpu = type == BPF_MAP_TYPE_PERCPU_ARRAY || type == BPF_MAP_TYPE_PERCPU_HASH;
	int cpus = per_cpu ? libbpf_num_possible_cpus() : 1, rc;
	struct entry e = {.cpus = cpus > 0 ? (size_t)cpus : 1};

	e.key = calloc(1, key_size);
	e.next = calloc(1, key_size);
	e.old = calloc(e.cpus, stride(c->old_value_size));
	e.value = calloc(e.cpus, stride(bpf_map__value_size(c->map)));
	rc = cpus > 0 && e.key && e.next && e.old && e.value ? carry_all(c, &e) : -ENOMEM;
	free(e.key);
	free(e.next);
	free(e.old);
	free(e.value);
	return rc;
}

int dataplane_carry(const struct carried *c, struct err *err)
{
	int rc = bpf_map__map_flags(c->map) & BPF_F_MMAPABLE ? carry_mapped(c) : carry_each(c);

	if (rc)
		return err_set(err, -rc, "cannot carry the contents of map %s over: %s",
			       bpf_map__name(c->map), strerror(-rc));
	return 0;
}
