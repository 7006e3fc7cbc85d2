/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_DATAPLANE_CARRY_H
#define EBB_DATAPLANE_CARRY_H
/*
 * dataplane_carry: the contents of a pinned map, copied to a new one that is larger, or laid out anew (migrate.h). Packets go on
 * with the old map until the link gets the program that was loaded with the new one; only the controller writes what is
 * copied, so nothing is lost but what is counted in between.
 */
#include <bpf/libbpf.h>
#include <stdint.h>

#include "controller/err.h"
#include "controller/migrate.h"

struct carried {
	struct bpf_map *map; /* the new one */
	int old_fd;
	uint32_t old_entries, old_value_size;
	const struct migration *migration; /* NULL: the same layout */
};

/* Once the new map is there. */
EBB_MUST_CHECK int dataplane_carry(const struct carried *carried, struct err *err);

#endif
