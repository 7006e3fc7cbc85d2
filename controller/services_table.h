/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_SERVICES_TABLE_H
#define EBB_SERVICES_TABLE_H
/*
 * services_table: lays out one half of `services` and `prefixes` (maps/service.h) from the model's services.
 *
 * Pure: writes only the memory it is given. Each half is a cuckoo table without stash: an entry with key K lies at
 * position 1 or 2 of hash_service(K, seed) or nowhere, so the data plane needs two accesses. Where a set of keys
 * does not fit under one seed, the next is tried. (Pagh and Rodler, Cuckoo Hashing, 2004: below half load a random
 * seed fits with probability 1 - O(1/n); tables here are a quarter full at most by the limits of maps/types.h.)
 */
#include <stdint.h>

#include "controller/err.h"
#include "controller/model.h"
#include "maps/service.h"
#include "maps/settings.h"

struct services_table {
	struct service *services;	/* SERVICES_TABLE_SIZE */
	struct service *prefixes;	/* PREFIXES_TABLE_SIZE */
	struct settings_table *settings; /* seed and prefix lengths of this half */
};

/*
 * Fills all three (overwriting what is there). -ENOSPC: too many distinct addresses or prefix lengths, or no seed fits;
 * -EEXIST: two services with one key; each with a sentence. On an error the memory holds garbage: lay out in a
 * half that is not in force.
 */
EBB_MUST_CHECK int services_table_lay(const struct model *model, const struct services_table *to,
				      struct err *err);

/* The filter of a laid-out table: SERVICE_FILTER_WORDS words (maps/service.h). */
void services_table_filter(const struct services_table *laid, uint64_t *ret_filter);

/* What the data plane does: the entry of a key in a laid-out table of `size` entries, or NULL. */
const struct service *services_table_find(const struct service *table, uint32_t size, uint64_t seed,
					  const struct address *address, __be16 port_be,
					  uint8_t protocol, uint8_t prefix_length);

#endif
