// SPDX-License-Identifier: GPL-2.0-or-later
#include "controller/sandbox_index.h"

#include <errno.h>
#include <string.h>

#include "maps/hash.h"

#define SETS_MIN 256 /* 16 KiB */
/* Up to 6.8 of 8 ways on average: there room is always found (tests/unit/test_sandbox_index.c), and the table is as small as
 * can be, so that it stays in a near cache. */
#define LOAD_PERCENT 85
#define STEP	     4 /* sizes are a quarter apart */
#define MOVES_MAX    2 /* for one that is added */

struct place { /* where a key may be */
	uint32_t set[2];
	uint32_t tag[2];
};

static struct place place_of(const struct sandbox_index *index, const struct sandbox_key *key)
{
	uint64_t hash = hash_sandbox(hash_is_ipv4(&key->address), &key->address, key->port_be,
				     key->service, index->seed);
	uint32_t tag = hash_sandbox_tag(hash), set = hash_sandbox_set(hash, index->set_count);

	return (struct place){{set, hash_sandbox_other(set, tag, index->set_count)},
			      {tag, tag | SANDBOX_SECOND}};
}

/* In one store, after all stores before it. */
static void way_write(struct sandbox_way *way, struct sandbox_way value)
{
	uint64_t word;

	memcpy(&word, &value, sizeof(word));
	__atomic_store_n((uint64_t *)way, word, __ATOMIC_RELEASE);
}

static struct sandbox_way *way_with(const struct sandbox_index *index, uint32_t set, uint32_t tag)
{
	struct sandbox_way *ways = index->sets[set].way;

	for (int i = 0; i < SANDBOX_WAYS; i++)
		if (ways[i].tag == tag)
			return &ways[i];
	return NULL;
}

/* The key's way, or one that it shares; NULL: neither is there. */
static struct sandbox_way *way_of(const struct sandbox_index *index, const struct place *place)
{
	struct sandbox_way *way = way_with(index, place->set[0], place->tag[0]);

	return way ? way : way_with(index, place->set[1], place->tag[1]);
}

/*
 * A way of this set whose owner was moved to its second set, where for it another one may have been moved, and so on, up to
 * `moves` in all; NULL: none can be moved. The way still holds its old owner, so that the new one overwrites it in one store.
 */
static struct sandbox_way *way_made_free(struct sandbox_index *index, uint32_t set, int moves)
{
	for (int i = 0; i < SANDBOX_WAYS; i++) {
		struct sandbox_way *way = &index->sets[set].way[i], moved = *way, *to;
		uint32_t other = hash_sandbox_other(set, moved.tag, index->set_count);

		if (moved.tag & SANDBOX_SECOND)
			continue;
		to = moves > 1 ? way_made_free(index, other, moves - 1) : way_with(index, other, 0);
		if (!to)
			continue;
		moved.tag |= SANDBOX_SECOND;
		way_write(to, moved);
		return way;
	}
	return NULL;
}

/* The first set if it can be: what is found there costs packets one cache line. */
static struct sandbox_way *way_for(struct sandbox_index *index, const struct place *place,
				   uint32_t *ret_tag)
{
	struct sandbox_way *way = NULL;

	for (int i = 0; !way && i < 2 * (1 + MOVES_MAX); i++) {
		*ret_tag = place->tag[i & 1];
		way = i < 2 ? way_with(index, place->set[i & 1], 0)
			    : way_made_free(index, place->set[i & 1], i / 2);
	}
	return way;
}

uint32_t sandbox_index_sets_for(uint64_t count)
{
	uint32_t sets = SETS_MIN;

	while ((uint64_t)sets * SANDBOX_WAYS * LOAD_PERCENT < count * 100)
		sets += sets / STEP;
	return sets;
}

void sandbox_index_clear(struct sandbox_index *index, uint32_t sets)
{
	index->set_count = sets < index->sets_max ? sets : index->sets_max;
	index->used = index->asked = 0;
	memset(index->sets, 0, (size_t)index->set_count * sizeof(*index->sets));
}

int sandbox_index_add(struct sandbox_index *index, const struct sandbox_key *key,
		      const struct sandbox *value)
{
	struct place place = place_of(index, key);
	struct sandbox_way *way = way_of(index, &place);
	uint32_t tag;

	if (way) {
		index->asked += way->backend != BACKEND_NONE;
		way_write(way, (struct sandbox_way){.tag = way->tag});
		return 0;
	}
	way = way_for(index, &place, &tag);
	if (!way)
		return -ENOSPC;
	way_write(way, (struct sandbox_way){tag, value->backend, value->former});
	index->used++;
	return 0;
}

void sandbox_index_change(struct sandbox_index *index, const struct sandbox_key *key,
			  const struct sandbox *value)
{
	struct place place = place_of(index, key);
	struct sandbox_way *way = way_of(index, &place);

	if (way && way->backend != BACKEND_NONE)
		way_write(way, (struct sandbox_way){way->tag, value->backend, value->former});
}

/* A shared way stays as it is: the other one goes on asking. */
void sandbox_index_del(struct sandbox_index *index, const struct sandbox_key *key)
{
	struct place place = place_of(index, key);
	struct sandbox_way *way = way_of(index, &place);

	if (!way || way->backend == BACKEND_NONE)
		return;
	way_write(way, (struct sandbox_way){0});
	index->used--;
}

int sandbox_index_find(const struct sandbox_index *index, const struct sandbox_key *key,
		       struct sandbox *ret_value)
{
	struct place place = place_of(index, key);
	const struct sandbox_way *way = way_of(index, &place);

	if (!way)
		return 0;
	if (way->backend == BACKEND_NONE)
		return -EAGAIN;
	*ret_value = (struct sandbox){.backend = way->backend, .former = way->former};
	return 1;
}
