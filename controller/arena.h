/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_ARENA_H
#define EBB_ARENA_H
/* arena: memory that is given piece by piece and freed at once. Pieces are zeroed and aligned for any type. */
#include <stddef.h>

struct arena;

struct arena *arena_new(void); /* NULL: no memory */
/* `count` pieces of `size` bytes in a row, zeroed; NULL: no memory. A count of 0 gives a valid pointer. */
void *arena_alloc(struct arena *arena, size_t count, size_t size);
char *arena_strdup(struct arena *arena, const char *text);
void arena_free(struct arena *arena); /* NULL is allowed */

#endif
