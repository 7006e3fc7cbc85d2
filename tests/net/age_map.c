/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * age_map: makes a pinned map look as another version of ebb would have left it: with values of another size.
 *
 *   age_map PIN VALUE_BYTES
 *
 * A new map takes the pin's place by rename; each entry goes over, its value cut or with zeros behind. Whoever holds the old map
 * (a program that runs) keeps it. Not for per-CPU maps.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int bpf(int command, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static uint64_t pointer(const void *p)
{
	return (uint64_t)(uintptr_t)p;
}

static int open_pin(const char *path)
{
	union bpf_attr attr = {.pathname = pointer(path)};

	return bpf(BPF_OBJ_GET, &attr);
}

static int describe(int fd, struct bpf_map_info *info)
{
	union bpf_attr attr = {.info = {.bpf_fd = (uint32_t)fd, .info_len = sizeof(*info), .info = pointer(info)}};

	return bpf(BPF_OBJ_GET_INFO_BY_FD, &attr);
}

static int make(const struct bpf_map_info *like, uint32_t value_size)
{
	union bpf_attr attr = {.map_type = like->type,
			       .key_size = like->key_size,
			       .value_size = value_size,
			       .max_entries = like->max_entries,
			       .map_flags = like->map_flags};

	memcpy(attr.map_name, like->name, sizeof(attr.map_name));
	return bpf(BPF_MAP_CREATE, &attr);
}

static int copy(int from, int to, uint32_t key_size, char *value)
{
	char keys[2][64], *key = NULL;
	int turn = 0;

	for (;;) {
		union bpf_attr attr = {.map_fd = (uint32_t)from, .key = pointer(key), .next_key = pointer(keys[turn])};

		if (bpf(BPF_MAP_GET_NEXT_KEY, &attr))
			return errno == ENOENT ? 0 : -1;
		key = keys[turn];
		turn = !turn;
		attr = (union bpf_attr){.map_fd = (uint32_t)from, .key = pointer(key), .value = pointer(value)};
		if (bpf(BPF_MAP_LOOKUP_ELEM, &attr))
			return -1;
		attr.map_fd = (uint32_t)to;
		attr.flags = BPF_ANY;
		if (bpf(BPF_MAP_UPDATE_ELEM, &attr))
			return -1;
	}
}

static int replace_pin(const char *path, int fd)
{
	char fresh[512];
	union bpf_attr attr = {.pathname = pointer(fresh), .bpf_fd = (uint32_t)fd};

	snprintf(fresh, sizeof(fresh), "%s_aged", path);
	return bpf(BPF_OBJ_PIN, &attr) || rename(fresh, path) ? -1 : 0;
}

int main(int argc, char **argv)
{
	uint32_t size = argc == 3 ? (uint32_t)atoi(argv[2]) : 0;
	struct bpf_map_info info = {0};
	static char value[4096]; /* zeros behind what is read */
	int from, to;

	if (!size || size > sizeof(value)) {
		fprintf(stderr, "usage: age_map PIN VALUE_BYTES\n");
		return 2;
	}
	from = open_pin(argv[1]);
	if (from < 0 || describe(from, &info) || info.key_size > 64 || info.value_size > sizeof(value)) {
		perror(argv[1]);
		return 1;
	}
	to = make(&info, size);
	if (to < 0 || copy(from, to, info.key_size, value) || replace_pin(argv[1], to)) {
		perror("age_map");
		return 1;
	}
	printf("%s: %u entries, values of %u bytes are %u now\n", info.name, info.max_entries, info.value_size, size);
	return 0;
}
