/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_TESTS_BENCH_FLOOR_OPEN_H
#define EBB_TESTS_BENCH_FLOOR_OPEN_H
/* floor_open: loads the floor (floor.bpf.c) with as many backends and slots as the world has. */
#include "build/tests/bench/floor.skel.h"
#include "tests/bench/floor.h"
#include "tests/bench/world.h"

static inline struct floor_backend floor_backend(uint32_t id)
{
	struct backend from = world_backend(id);
	uint32_t skip = from.family == 4 ? 12 : 0;
	struct floor_backend to = {.sum = world_sum("\0\x04", 2, from.ip_sum),
				   .macs = {id, id, id}};

	memcpy(to.destination, from.address.bytes + skip, 16 - skip);
	memcpy(to.source, from.source.bytes + skip, 16 - skip);
	return to;
}

static inline int floor_open(void)
{
	struct floor_bpf *skel = floor_bpf__open();
	uint32_t vip = htonl(WORLD_VIP);

	if (!skel)
		errx(1, "cannot open floor");
	skel->rodata->vip_prefix = vip & 0xffff;
	skel->rodata->vip6_prefix = htonl(WORLD_VIP6);
	if (floor_bpf__load(skel))
		errx(1, "cannot load floor");
	for (uint32_t i = 0; i < FLOOR_SLOTS; i++) {
		uint32_t id = 1 + (uint32_t)rand() % WORLD_BACKENDS;

		if (bpf_map_update_elem(bpf_map__fd(skel->maps.floor_slots), &i, &id, BPF_ANY))
			err(1, "floor_slots");
	}
	for (uint32_t id = 1; id <= 2 * WORLD_BACKENDS; id++) {
		uint32_t at = id <= WORLD_BACKENDS ? id : id - WORLD_BACKENDS + FLOOR_IPV6;
		struct floor_backend backend = floor_backend(id);

		if (bpf_map_update_elem(bpf_map__fd(skel->maps.floor_backends), &at, &backend,
					BPF_ANY))
			err(1, "floor_backends");
	}
	return bpf_program__fd(skel->progs.floor_lb);
}

#endif
