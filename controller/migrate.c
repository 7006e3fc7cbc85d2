// SPDX-License-Identifier: GPL-2.0-or-later
/* migrate: see the header, whose rules bear the same numbers here. */
#include "controller/migrate.h"

#include <linux/bpf.h>
#include <stdbool.h>
#include <string.h>

/* `slots`, whose entry is one word, and `flows`, in which a note's place is its meaning, can only be refused. */
const struct migration migrations[] = {
	{"settings", MIGRATE_GROWN},	  {"services", MIGRATE_GROWN},	    {"prefixes", MIGRATE_GROWN},
	{"backends", MIGRATE_GROWN},	  {"backend_names", MIGRATE_GROWN}, {"nexthops", MIGRATE_GROWN},
	{"pools", MIGRATE_GROWN},	  {"sandboxes", MIGRATE_GROWN},	    {"backend_stats", MIGRATE_GROWN},
	{"service_stats", MIGRATE_GROWN}, {"verdicts", MIGRATE_GROWN},	    {"backend_signals", MIGRATE_CACHE},
	{"handshakes", MIGRATE_CACHE},	  {"fragments", MIGRATE_CACHE},	    {"sandbox_index", MIGRATE_CACHE},
	{"service_filter", MIGRATE_CACHE}, {"trace", MIGRATE_CACHE},
	/* of the node's */
	{"node_settings", MIGRATE_GROWN}, {"node_verdicts", MIGRATE_GROWN},
};
const size_t migration_count = sizeof(migrations) / sizeof(migrations[0]);

/* A devmap's flags gain BPF_F_RDONLY_PROG in the kernel. */
static uint32_t comparable_flags(const struct map_kind *kind)
{
	return kind->type == BPF_MAP_TYPE_DEVMAP || kind->type == BPF_MAP_TYPE_DEVMAP_HASH
		       ? kind->flags & ~(uint32_t)BPF_F_RDONLY_PROG
		       : kind->flags;
}

static bool carries(const struct migration *row, const struct map_kind *pinned, const struct map_kind *ours)
{
	switch (row->rule) {
	case MIGRATE_BY_FUNCTION:
		return row->value_size == pinned->value_size;
	case MIGRATE_GROWN:
		return pinned->value_size < ours->value_size;
	case MIGRATE_CACHE:
		return false;
	}
	return false;
}

enum migrate migrate_decide(const struct migration *rows, size_t count, const char *map,
			    const struct map_kind *pinned, const struct map_kind *ours,
			    const struct migration **ret_migration)
{
	bool same_place = pinned->type == ours->type && pinned->key_size == ours->key_size &&
			  comparable_flags(pinned) == comparable_flags(ours);
	enum migrate decision = MIGRATE_REFUSE;

	if (same_place && pinned->value_size == ours->value_size)
		return MIGRATE_SAME;
	for (size_t i = 0; i < count; i++) {
		if (strcmp(rows[i].map, map))
			continue;
		if (rows[i].rule == MIGRATE_CACHE)
			decision = MIGRATE_ANEW;
		if (!same_place || !carries(&rows[i], pinned, ours))
			continue;
		*ret_migration = &rows[i];
		if (rows[i].rule == MIGRATE_BY_FUNCTION)
			return MIGRATE_CARRY;
		decision = MIGRATE_CARRY;
	}
	return decision;
}

void migrate_value(const struct migration *migration, const void *old, uint32_t old_size, void *value,
		   uint32_t size)
{
	memset(value, 0, size);
	if (migration && migration->rule == MIGRATE_BY_FUNCTION)
		migration->convert(old, value);
	else
		memcpy(value, old, old_size < size ? old_size : size);
}
