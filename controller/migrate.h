/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_MIGRATE_H
#define EBB_MIGRATE_H
/*
 * migrate: what becomes of a pinned map that another version of ebb laid out, and of a value in it. Pure.
 *
 * 1. The same type, key, value and flags: it is used as it is.
 * 2. A row of the table knows just that size of value: its function makes one of ours of each.
 * 3. A row says that the map's values only ever grew at their end, and that zeros there mean what was meant before: a shorter value is
 *    carried over with zeros behind.
 * 4. A row says that the map holds only what is soon known again: it is made anew.
 * 5. All else is refused: a longer value (a newer version's, of which we cannot know what it says), another key, another type.
 *
 * Contents go over to a new map (dataplane_load.c), since packets still read the old one: nothing is changed in place. So
 * whoever changes a map's layout adds members at the end and a row if there is none, or a row with a function, and never
 * changes what bytes mean while their size stays: such a change takes a new name or another MAPS_LAYOUT.
 */
#include <stddef.h>
#include <stdint.h>

struct map_kind {
	uint32_t type, flags, key_size, value_size;
};

enum migrate {
	MIGRATE_SAME,
	MIGRATE_CARRY,
	MIGRATE_ANEW,
	MIGRATE_REFUSE,
	MIGRATE__COUNT,
};

enum migrate_rule {
	MIGRATE_BY_FUNCTION, /* 2 */
	MIGRATE_GROWN,	     /* 3 */
	MIGRATE_CACHE,	     /* 4 */
};

struct migration {
	const char *map;
	enum migrate_rule rule;
	uint32_t value_size; /* 2: of the pinned map */
	/* 2: `value` is zero before. Of a per-CPU map: of each CPU. */
	void (*convert)(const void *old, void *value);
};

extern const struct migration migrations[];
extern const size_t migration_count;

/* *ret_migration: of MIGRATE_CARRY. */
enum migrate migrate_decide(const struct migration *rows, size_t count, const char *map,
			    const struct map_kind *pinned, const struct map_kind *ours,
			    const struct migration **ret_migration);
/* `value` has `size` bytes, `old` old_size. */
void migrate_value(const struct migration *migration, const void *old, uint32_t old_size, void *value,
		   uint32_t size);

#endif
