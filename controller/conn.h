/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_CONN_H
#define EBB_CONN_H
/*
 * conn: one connection of the control socket: bytes in, whole lines out, and the way back with bounded buffers.
 *
 * Invariants: a line is handed up only when what was sent before has been taken by the peer (so one reply at a
 * time is pending, and a peer that does not read stops being read); the input buffer never grows beyond one line's
 * limit; a peer that makes no progress for `idle_s` is closed.
 */
#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "controller/err.h"

struct conn;

struct conn_owner {
	/* A whole line without its newline; NUL-terminated, and may hold other NULs. */
	void (*on_line)(void *ctx, struct conn *conn, char *line, size_t length);
	/* The line is longer than `line_bytes`, or stood half for `idle_s`: say so; the conn closes after it. */
	void (*on_broken)(void *ctx, struct conn *conn, const char *why);
	/* The last word: `conn` is freed after it. */
	void (*on_closed)(void *ctx, struct conn *conn);
	void *ctx;
	size_t line_bytes;
	double idle_s;
	uint64_t *unread_bytes; /* sum over all connections of what peers have not taken */
};

/* Takes `fd` (non-blocking), also on failure. `owner` outlives the conn. -ENOMEM. */
EBB_MUST_CHECK int conn_new(struct ev_loop *loop, int fd, const struct ucred *peer,
			    const struct conn_owner *owner, struct conn **ret_conn);
const struct ucred *conn_peer(const struct conn *conn);
size_t conn_unread_bytes(const struct conn *conn); /* of this one */

/* Sends, or keeps what the socket does not take yet. -ENOMEM or the socket's error: the conn then closes by itself. */
int conn_send(struct conn *conn, const char *bytes, size_t length);
/* Closes once all is sent. No line is handed up any more. */
void conn_finish(struct conn *conn);
/* From now on input is thrown away, and only unread output counts as lack of progress. */
void conn_only_push(struct conn *conn);
/* Frees without on_closed; for the owner's own end. */
void conn_free(struct conn *conn);

#endif
