/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_SANDBOXES_H
#define EBB_SANDBOXES_H
/*
 * sandboxes: the directory of sandboxes, over the pinned map `sandboxes` alone: what stands there is the truth, here are only
 * counts. So it survives a restart, and every answer is live in the data plane when it is given.
 *
 * Packets read `sandbox_index` (sandbox_index.h), which holds no more than what `sandboxes` does: a birth is written there
 * first, an end last. Whenever the index is made anew (at the start, or to grow), packets ask `sandboxes` meanwhile.
 *
 * A sandbox is one address of a prefix service (and a port, where the service says `sandbox_port`). It lives on one
 * backend; after a move the former one is its second hop until the pool's `settle` is over.
 */
#include <stdbool.h>
#include <stdint.h>

#include "controller/dataplane.h"
#include "controller/err.h"
#include "controller/model.h"
#include "controller/sandbox_index.h"

#define SANDBOXES_SCAN_MAX 20000 /* entries that one request may look at */

struct sandboxes;

enum sandbox_change {
	SANDBOX_PLACED,
	SANDBOX_ADDED,
	SANDBOX_MOVED,
	SANDBOX_DELETED,
	SANDBOX_CHANGE__COUNT,
};

extern const char *const sandbox_change_names[SANDBOX_CHANGE__COUNT]; /* "sandbox-placed", … */

struct sandboxes_entry {
	struct sandbox_key key;
	struct sandbox value;
};

struct sandboxes_filter {
	uint16_t service; /* id; SERVICES_MAX: any */
	uint16_t backend; /* id; BACKEND_NONE: any */
	bool has_address;
	struct address address;
};

/* Counts what is there, and makes the index of it; packets ask the map. `on_change` (may be NULL) hears of each change that was made. */
typedef void (*sandboxes_fn)(void *ctx, enum sandbox_change change,
			     const struct sandboxes_entry *entry);
EBB_MUST_CHECK int sandboxes_new(struct dataplane *dp, sandboxes_fn on_change, void *ctx,
				 struct err *err, struct sandboxes **ret_sandboxes);
void sandboxes_free(struct sandboxes *s);
/* Every attached program is of this daemon's data plane now: the index is in force. */
void sandboxes_serve(struct sandboxes *s);

/* The key of a sandbox: `service` is an index into the model. -EINVAL: no prefix service, or address or port not of it. */
EBB_MUST_CHECK int sandboxes_key(const struct model *model, uint32_t service,
				 const struct address *address, uint16_t port, struct err *err,
				 struct sandbox_key *ret_key);
/* An address of the prefix made from a name, the first of 64 that is free. -ENOSPC: none is. */
EBB_MUST_CHECK int sandboxes_address(struct sandboxes *s, const struct model *model, uint32_t service,
				     const char *name, uint16_t port, struct err *err,
				     struct address *ret_address);

/*
 * `backend` is an index into the model. place: UINT32_MAX lets the service's slot table choose, so that every edge chooses
 * alike (place.h). add and move say what is so, and are bounded by nothing. Doing again what is so already is success.
 * -EEXIST: it lives elsewhere; -ENOENT; -EBUSY: the backend takes no new ones, or the pool has none that does; -E2BIG: the
 * map is full.
 */
EBB_MUST_CHECK int sandboxes_place(struct sandboxes *s, const struct model *model, uint32_t service,
				   const struct sandbox_key *key, uint32_t backend, struct err *err,
				   struct sandbox *ret_value);
EBB_MUST_CHECK int sandboxes_add(struct sandboxes *s, const struct model *model,
				 const struct sandbox_key *key, uint32_t backend, struct err *err,
				 struct sandbox *ret_value);
EBB_MUST_CHECK int sandboxes_move(struct sandboxes *s, const struct model *model,
				  const struct sandbox_key *key, uint32_t backend, struct err *err,
				  struct sandbox *ret_value);
EBB_MUST_CHECK int sandboxes_del(struct sandboxes *s, const struct sandbox_key *key, struct err *err,
				 struct sandbox *ret_value);

/*
 * Up to `limit` entries that pass the filter, behind `after` (NULL: from the beginning). Returns how many, or -errno.
 * *ret_more: there may be others; then the last entry looked at is *ret_last.
 */
EBB_MUST_CHECK int sandboxes_list(struct sandboxes *s, const struct sandboxes_filter *filter,
				  const struct sandbox_key *after, uint32_t limit,
				  struct sandboxes_entry *ret_entries, bool *ret_more,
				  struct sandbox_key *ret_last);
uint64_t sandboxes_count(const struct sandboxes *s);
uint32_t sandboxes_on(const struct sandboxes *s, uint16_t backend_id);
/* What packets read; set_count is 0 while they ask the map. */
const struct sandbox_index *sandboxes_index(const struct sandboxes *s);
/* How often each change was made since the start. */
uint64_t sandboxes_changes(const struct sandboxes *s, enum sandbox_change change);

/* What this backend reports is of now: it has counted all that came so far. */
void sandboxes_reported(struct sandboxes *s, uint16_t backend_id);

/* Looks at the next part of the map: former backends whose time is over, or that are gone, are forgotten. */
void sandboxes_tick(struct sandboxes *s, const struct model *model, uint64_t boot_s);
/* A backend id is free now: what lived there is deleted, what came from there forgets it. Before the id is given again. */
void sandboxes_forget(struct sandboxes *s, uint16_t backend_id);

#endif
