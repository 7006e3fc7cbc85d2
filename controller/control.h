/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_CONTROL_H
#define EBB_CONTROL_H
/*
 * control: the daemon's control socket. A Unix stream socket, mode 0660; JSON, one document a line.
 *
 *   -> {"id": 1, "method": "backend.show", "params": {"name": "fra-1"}}
 *   <- {"id": 1, "ok": true, "result": ...}
 *   <- {"id": 1, "ok": false, "error": "no backend \"fra-1\"", "code": "notfound"}
 *
 * `id` is an integer or a string, and comes back; `params` is an object and may be missing. Requests of one
 * connection are answered in order. Who may speak: root, the daemon's own user, members of the
 * socket's group (SO_PEERCRED, SO_PEERGROUPS); others get one refusal and are closed.
 *
 * Everything is bounded (struct control_limits): connections, the length of a line, the time a half line or an
 * unread reply may stand, the bytes of a reply, the backlog of a subscriber. Whatever arrives, the answer is an error
 * reply or a closed connection; handlers are called only with a JSON object without duplicate keys.
 *
 * The method `monitor` is built in: its connection gets every later event, one document a line.
 * params: {"types": ["weight", ...], "match": {"backend": "fra-1"}}, both optional. A subscriber that does not
 * keep up loses events, and is told how many: {"event": "dropped", "count": 12}.
 */
#include <ev.h>
#include <jansson.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "controller/err.h"

struct control;

struct control_limits {
	uint32_t connections;	  /* 64 */
	uint32_t request_bytes;	  /* of a line, without the newline; 1 MiB */
	uint64_t reply_bytes;	  /* of all replies that are not read yet, over all connections; 256 MiB */
	uint32_t subscriber_bytes; /* backlog of one subscriber; 1 MiB */
	double idle_s;		  /* without a whole request, or without progress in reading our reply; 30 s */
};

/*
 * Answers one request. `params` is an object, never NULL, borrowed. On 0 `*ret_result` is a new reference (NULL is
 * sent as null); on -errno `err` holds the sentence that the operator reads. The errno decides `code`:
 *   ENOENT                         notfound    no such thing
 *   EINVAL                         usage       the request makes no sense; say what was allowed
 *   ENOMEM, EIO, EFAULT, EPROTO    internal    ebb's own fault
 *   any other                      refused     understood, and not done (EPERM, EBUSY, EEXIST, ENOTSUP, ERANGE ...)
 * A handler runs on the loop and must not block; it must not free the control.
 */
typedef int (*control_handler_fn)(void *ctx, const json_t *params, json_t **ret_result,
				  struct err *err);

enum control_kind {
	CONTROL_READ,	 /* changes nothing */
	CONTROL_CHANGES, /* one log line a call: who, what, outcome */
	CONTROL_CHURN,	 /* changes, but too often for the log: births and ends of sandboxes */
	CONTROL_KIND__COUNT,
};

/*
 * Listens on `path`; a stale socket of a dead daemon is replaced, a live one is -EADDRINUSE. `group` owns the
 * socket, (gid_t)-1: the process's own. `limits` NULL: the defaults above. The loop must outlive the control.
 */
EBB_MUST_CHECK int control_new(struct ev_loop *loop, const char *path, gid_t group,
			       const struct control_limits *limits, struct err *err,
			       struct control **ret_control);
/* -EEXIST: registered before; -EINVAL: not a name of [a-z._-]; -ENOMEM. `method` is copied. */
EBB_MUST_CHECK int control_register(struct control *control, const char *method,
				    control_handler_fn handler, void *ctx, enum control_kind kind);
/* Who asks; valid while a handler runs, else NULL. For audit records. */
const struct ucred *control_peer(const struct control *control);

/*
 * Sends `event` to every subscriber whose filter it passes. An object with a string "event" (its type); the
 * reference stays with the caller. Never blocks, never fails: a subscriber without room loses it and is told later.
 */
void control_publish_event(struct control *control, const json_t *event);
uint32_t control_subscribers(const struct control *control);

/* Closes all connections (what is ready to be sent is tried once) and removes the socket. NULL is fine. */
void control_free(struct control *control);

#endif
