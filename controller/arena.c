// SPDX-License-Identifier: GPL-2.0-or-later
/* arena: a list of blocks; small pieces share a block, a piece that is larger than a block gets its own. */
#include "controller/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES (64 * 1024)

struct block {
	struct block *next;
	size_t used, capacity;
	alignas(max_align_t) unsigned char bytes[];
};

struct arena {
	struct block *blocks; /* the newest first */
};

struct arena *arena_new(void)
{
	return calloc(1, sizeof(struct arena));
}

static struct block *block_add(struct arena *arena, size_t bytes)
{
	size_t capacity = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
	struct block *block = calloc(1, sizeof(*block) + capacity);

	if (!block)
		return NULL;
	block->capacity = capacity;
	block->next = arena->blocks;
	arena->blocks = block;
	return block;
}

void *arena_alloc(struct arena *arena, size_t count, size_t size)
{
	const size_t align = alignof(max_align_t);
	struct block *block = arena->blocks;
	size_t bytes;
	void *piece;

	if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX / 2)
		return NULL;
	bytes = bytes ? (bytes + align - 1) & ~(align - 1) : align;
	if (!block || block->capacity - block->used < bytes)
		block = block_add(arena, bytes);
	if (!block)
		return NULL;
	piece = block->bytes + block->used;
	block->used += bytes;
	return piece;
}

char *arena_strdup(struct arena *arena, const char *text)
{
	size_t bytes = strlen(text) + 1;
	char *copy = arena_alloc(arena, bytes, 1);

	return copy ? memcpy(copy, text, bytes) : NULL;
}

void arena_free(struct arena *arena)
{
	struct block *block, *next;

	if (!arena)
		return;
	for (block = arena->blocks; block; block = next) {
		next = block->next;
		free(block);
	}
	free(arena);
}
