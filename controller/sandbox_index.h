/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_SANDBOX_INDEX_H
#define EBB_SANDBOX_INDEX_H
/*
 * sandbox_index: what packets read of the directory of sandboxes (maps/sandbox.h, bpf/sandbox.h): a cuckoo table of tags in
 * mmap-ed memory, written by single 8-byte stores while packets look. Knows no clock and no system call.
 *
 * Two invariants hold at every store: a sandbox that was added is found, or a way with its tag says "ask `sandboxes`"; and an
 * entry only ever moves from its first set to its second, the way packets read them.
 *
 * A way holds no key, so the index cannot be read back: it is filled anew from `sandboxes` at every start.
 */
#include <stdint.h>

#include "controller/err.h"
#include "maps/sandbox.h"

struct sandbox_index {
	struct sandbox_set *sets;
	uint32_t sets_max;
	uint32_t set_count; /* in use */
	uint64_t seed;
	uint32_t used;	/* ways */
	uint32_t asked; /* of them, ways that say "ask" */
};

/* Sets that hold `count` sandboxes with room to spare. */
uint32_t sandbox_index_sets_for(uint64_t count);

/* Begins anew, with nothing in it; no packet may be looking. At most what there are is taken. */
void sandbox_index_clear(struct sandbox_index *index, uint32_t sets);

/* Adds one that is not there. -ENOSPC: no room in either of its sets; nothing has changed. */
EBB_MUST_CHECK int sandbox_index_add(struct sandbox_index *index, const struct sandbox_key *key,
				     const struct sandbox *value);
/* Of one that was added. */
void sandbox_index_change(struct sandbox_index *index, const struct sandbox_key *key,
			  const struct sandbox *value);
void sandbox_index_del(struct sandbox_index *index, const struct sandbox_key *key);

/* Backend and former owner as packets find them. 0: not there; 1: there; -EAGAIN: `sandboxes` is to be asked. */
int sandbox_index_find(const struct sandbox_index *index, const struct sandbox_key *key,
		       struct sandbox *ret_value);

#endif
