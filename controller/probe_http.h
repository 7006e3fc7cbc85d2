/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_PROBE_HTTP_H
#define EBB_PROBE_HTTP_H
/*
 * probe_http: HTTP(S) GET requests by libcurl's multi interface on one libev loop; no thread, no
 * signal, no proxy, no redirect, no DNS. A connection is made anew for each request, since
 * accepting one is part of what is probed.
 *
 * Takes an address and what to ask, gives how it ended. Timeouts are the caller's: it cancels.
 */
#include <ev.h>
#include <stdbool.h>

#include "controller/config.h"
#include "controller/err.h"
#include "controller/health.h"

#define PROBE_HTTP_BODY_MAX   65536 /* bytes; then the request ends, judged by its status */
#define PROBE_HTTP_HEADER_MAX 65536 /* bytes of all header lines; then it is PROBE_BAD_STATUS */

struct probe_http;         /* all requests of a loop */
struct probe_http_request; /* what one target is asked, again and again */

/* `counted` false: it failed for want of something on our side (descriptors, ports, memory), which
 * says nothing about the target. May start, cancel and free requests. */
typedef void (*probe_http_done_fn)(void *ctx, bool counted, enum probe_outcome outcome);

EBB_MUST_CHECK int probe_http_new(struct ev_loop *loop, struct err *err,
				  struct probe_http **ret_http);
void probe_http_free(struct probe_http *http); /* all requests are freed before */

/* -EINVAL: path or host has a space or a control character, or the path does not begin with "/". */
EBB_MUST_CHECK int probe_http_request_new(struct probe_http *http, const struct address *address,
					  const struct config_probe *how,
					  probe_http_done_fn on_done, void *ctx, struct err *err,
					  struct probe_http_request **ret_request);
void probe_http_request_free(struct probe_http_request *request);

/* `on_done` is called once, never from within; not after probe_http_cancel(). -ENOMEM. */
EBB_MUST_CHECK int probe_http_start(struct probe_http_request *request);
void probe_http_cancel(struct probe_http_request *request);

/* From now on the body is kept in `buffer`, which the caller owns, up to `size` bytes (at most
 * PROBE_HTTP_BODY_MAX). */
void probe_http_collect(struct probe_http_request *request, char *buffer, size_t size);
/* Bytes of the last body; more than `size`: it was longer than the buffer. */
size_t probe_http_body_bytes(const struct probe_http_request *request);

/* What a connection's errno says. False: it is our own lack, not the target's. */
bool probe_errno_outcome(int code, enum probe_outcome *ret_outcome);

#endif
