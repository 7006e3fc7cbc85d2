/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * map_hash: one number for all the contents of a pinned array map, so that a script can tell
 * whether anything changed. (bpftool prints the same by field names, but takes 10 s of CPU for
 * 131,072 slots.)
 *
 *   map_hash PIN      prints FNV-1a (64 bits) over the bytes, as hex
 *
 * Takes mmap-able arrays of up to 256 MiB with values of eight bytes; reads them as the data plane
 * does.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BYTES_MAX (256u << 20)

static int bpf(int command, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, command, attr, sizeof(*attr));
}

int main(int argc, char **argv)
{
	struct bpf_map_info info = {0};
	union bpf_attr get = {0}, ask = {0};
	uint64_t hash = 0xcbf29ce484222325;
	const uint8_t *bytes;
	size_t length;
	int fd;

	if (argc != 2) {
		fprintf(stderr, "usage: map_hash PIN\n");
		return 2;
	}
	get.pathname = (uintptr_t)argv[1];
	fd = bpf(BPF_OBJ_GET, &get);
	ask.info.bpf_fd = (uint32_t)fd;
	ask.info.info_len = sizeof(info);
	ask.info.info = (uintptr_t)&info;
	if (fd < 0 || bpf(BPF_OBJ_GET_INFO_BY_FD, &ask)) {
		fprintf(stderr, "map_hash: %s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	length = (size_t)info.value_size * info.max_entries;
	bytes = info.value_size % 8 || length > BYTES_MAX
			? MAP_FAILED
			: mmap(NULL, length, PROT_READ, MAP_SHARED, fd, 0);
	if (bytes == MAP_FAILED) {
		fprintf(stderr, "map_hash: %s: no mmap-able array of 8-byte values\n", argv[1]);
		return 1;
	}
	for (size_t i = 0; i < length; i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3;
	printf("%016" PRIx64 "\n", hash);
	return 0;
}
