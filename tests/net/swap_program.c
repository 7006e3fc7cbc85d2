/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * swap_program: puts another build of xdp_lb behind a pinned link, COUNT times in turn with the one that is there, as an
 * upgrade does it: over the pinned maps, by one atomic update of the link each. The other build is the same source under
 * -O3, so that no instruction stands where it did.
 *
 *   swap_program PINS INTERFACE COUNT PAUSE_MS
 *
 * PINS: the directory with `maps` and `links`. Ends with the other build in place if COUNT is odd. Prints one JSON line:
 * the program tags, and how many updates were done. Exit: 0 all were, 1 else, 2 usage.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "build/tests/net/other_lb.skel.h"

static const char *pins;

/* What a pinned map is called; false if there is none. */
static bool reuse(struct bpf_map *map)
{
	char path[512];
	int fd, rc;

	snprintf(path, sizeof(path), "%s/maps/%s", pins, bpf_map__name(map));
	fd = bpf_obj_get(path);
	if (fd < 0)
		return true; /* of the object alone: read-only data */
	rc = bpf_map__reuse_fd(map, fd);
	close(fd);
	return rc == 0;
}

static struct other_lb *load(void)
{
	struct other_lb *skel = other_lb__open();
	struct bpf_map *map;

	if (!skel)
		return NULL;
	bpf_object__for_each_map(map, skel->obj)
		if (!reuse(map))
			goto bad;
	skel->rodata->flow_set_mask = bpf_map__max_entries(skel->maps.flows) - 1;
	if (other_lb__load(skel))
		goto bad;
	return skel;
bad:
	other_lb__destroy(skel);
	return NULL;
}

static uint64_t tag(int fd)
{
	struct bpf_prog_info info = {0};
	__u32 length = sizeof(info);
	uint64_t value = 0;

	if (bpf_obj_get_info_by_fd(fd, &info, &length) == 0)
		memcpy(&value, info.tag, sizeof(value));
	return value;
}

/* The program that the link has now. */
static int current_program(int link)
{
	struct bpf_link_info info = {0};
	__u32 length = sizeof(info);

	if (bpf_obj_get_info_by_fd(link, &info, &length))
		return -1;
	return bpf_prog_get_fd_by_id(info.prog_id);
}

int main(int argc, char **argv)
{
	char path[512];
	struct other_lb *skel;
	int link, programs[2], count, done = 0;

	if (argc != 5) {
		fprintf(stderr, "usage: swap_program PINS INTERFACE COUNT PAUSE_MS\n");
		return 2;
	}
	pins = argv[1];
	count = atoi(argv[3]);
	snprintf(path, sizeof(path), "%s/links/%s", pins, argv[2]);
	link = bpf_obj_get(path);
	programs[0] = link < 0 ? -1 : current_program(link);
	skel = load();
	if (programs[0] < 0 || !skel) {
		perror("swap_program");
		return 1;
	}
	programs[1] = bpf_program__fd(skel->progs.xdp_lb);
	for (; done < count; done++) {
		if (bpf_link_update(link, programs[(done + 1) % 2], NULL))
			break;
		usleep((useconds_t)atoi(argv[4]) * 1000);
	}
	printf("{\"was\": \"%016" PRIx64 "\", \"other\": \"%016" PRIx64 "\", \"updates\": %d}\n", tag(programs[0]),
	       tag(programs[1]), done);
	return done == count && tag(programs[0]) != tag(programs[1]) ? 0 : 1;
}
