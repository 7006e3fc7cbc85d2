/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_STATE_H
#define EBB_STATE_H
/*
 * state: what maps do not hold, in STATE_DIR/state.json: an operator's wishes (states, weights, health overrides, freeze).
 *
 *   ebb-state 1 0123456789abcdef     version, checksum (FNV-1a, finished) of the bytes below
 *   {"backends": {"fra-1": {"state": "drain", "weight": 0.5, "health": "down"}}, "frozen": false}
 *
 * Written whole: temporary file, fsync, rename, fsync of the directory; so a reader finds the old one or the new one. What
 * does not parse or match its checksum is set aside as state.json.bad, and the daemon goes on with what the maps hold.
 * A backend that is not configured now keeps its entry for when it is again (bounded by STATE_BYTES_MAX).
 */
#include <jansson.h>

#include "controller/err.h"
#include "controller/model.h"

#define STATE_BYTES_MAX (16 * 1024 * 1024)

/* A new reference to an object. -ENOENT: there is none; -EBADMSG: set aside, `err` says why; else -errno. */
EBB_MUST_CHECK int state_load(const char *dir, struct err *err, json_t **ret_state);
/* Why the bytes are no state (NUL-terminated behind them), or NULL and *ret_state. Pure. */
EBB_MUST_CHECK const char *state_parse(const char *bytes, size_t length, json_t **ret_state);
EBB_MUST_CHECK int state_save(const char *dir, const json_t *state, struct err *err);

/* The model's part of the state, put into `state` (an object), and taken out of it. Taking skips what it does not know,
 * and drops from nothing: a value of the wrong type is ignored. */
EBB_MUST_CHECK int state_put_model(json_t *state, const struct model *model);
void state_take_model(const json_t *state, struct model *model, struct mono_ns now);

#endif
