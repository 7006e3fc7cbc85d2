/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_DATAPLANE_LOAD_H
#define EBB_DATAPLANE_LOAD_H
/*
 * dataplane_load: what the edge's and the backend's loader share: a directory on a bpffs, maps that
 * are adopted or made, a program that is loaded and pinned, and one clear sentence where any of it
 * is refused.
 *
 * Takes an opened BPF object, leaves it loaded with every map pinned at DIR/maps/NAME. A pin is
 * only ever replaced by rename(2), so that whoever opens it finds the old object or the new one.
 */
#include <bpf/libbpf.h>
#include <stdbool.h>
#include <stdint.h>

#include "controller/err.h"

#define DATAPLANE_PATH_MAX 512 /* bytes of a path below the bpffs directory, with NUL */

/* DIR/SUB, or DIR/SUB/NAME unless `name` is NULL. -ENAMETOOLONG. */
EBB_MUST_CHECK int dataplane_path(char ret_path[DATAPLANE_PATH_MAX], const char *dir,
				  const char *sub, const char *name);

/* Makes `dir` on a mounted bpffs, mode 0750. -ENOENT: no bpffs there; -EPERM, -EACCES. */
EBB_MUST_CHECK int dataplane_dir_make(const char *dir, struct err *err);

/* Locks the directory against other daemons and commands: the descriptor that holds the lock, or
 * -EBUSY at once unless `wait`. */
EBB_MUST_CHECK int dataplane_lock(const char *dir, bool wait, struct err *err);

/* Adopts the pinned maps of `object` below DIR/maps, loads it, carries contents over to maps that
 * had to grow, and pins all maps. *ret_adopted: maps were there before. -EEXIST: pinned by another
 * layout; -EPERM; -ENOTSUP; -EINVAL: refused by the verifier. On failure no pin has changed, unless
 * a rename failed after the first map was carried over; then the next call finishes the work. */
EBB_MUST_CHECK int dataplane_load(struct bpf_object *object, const char *dir, struct err *err,
				  bool *ret_adopted);

/* Pins the object behind `fd` at `path`, in place of what is pinned there. */
EBB_MUST_CHECK int dataplane_pin(int fd, const char *path, struct err *err);

/* Removes DIR/SUB and all pins directly in it. Not being there is success. */
EBB_MUST_CHECK int dataplane_unpin_all(const char *dir, const char *sub, struct err *err);

/* -EPERM with the names of the capabilities that this process lacks of those that XDP needs; else
 * 0. */
EBB_MUST_CHECK int dataplane_capabilities(struct err *err);

#endif
