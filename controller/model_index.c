// SPDX-License-Identifier: GPL-2.0-or-later
#include "controller/model_index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controller/namehash.h"

/* Open addressing, linear probing, at most half full. */
struct entry {
	const char *name;
	uint32_t backend;
};

struct model_index {
	uint32_t mask;
	struct entry *entries;
	uint32_t by_id[BACKENDS_MAX + 1];
};

int model_index_new(uint32_t backends, struct model_index **ret_index)
{
	struct model_index *index = calloc(1, sizeof(*index));
	uint32_t size = 16;

	while (size < 2 * backends)
		size *= 2;
	if (index)
		index->entries = calloc(size, sizeof(*index->entries));
	if (!index || !index->entries) {
		free(index);
		return -ENOMEM;
	}
	index->mask = size - 1;
	memset(index->by_id, 0xff, sizeof(index->by_id));
	*ret_index = index;
	return 0;
}

void model_index_free(struct model_index *index)
{
	if (!index)
		return;
	free(index->entries);
	free(index);
}

static struct entry *entry_of(const struct model_index *index, const char *name)
{
	uint32_t at = (uint32_t)name_hash(name) & index->mask;

	while (index->entries[at].name && strcmp(index->entries[at].name, name))
		at = (at + 1) & index->mask;
	return &index->entries[at];
}

int model_index_add_name(struct model_index *index, const char *name, uint32_t backend)
{
	struct entry *e = entry_of(index, name);

	if (e->name)
		return -EEXIST;
	*e = (struct entry){name, backend};
	return 0;
}

void model_index_set_id(struct model_index *index, uint16_t id, uint32_t backend)
{
	index->by_id[id] = backend;
}

uint32_t model_index_name(const struct model_index *index, const char *name)
{
	const struct entry *e = entry_of(index, name);

	return e->name ? e->backend : UINT32_MAX;
}

uint32_t model_index_id(const struct model_index *index, uint16_t id)
{
	return index->by_id[id];
}
