/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_HTTP_H
#define EBB_HTTP_H
/*
 * http: a small read-only HTTP server on the daemon's own loop (libmicrohttpd driven by its epoll descriptor, no thread):
 *
 *   GET /metrics   Prometheus text format 0.0.4
 *   GET /healthz   200 "ok", or 503 and a reason
 *   GET /          the status page
 *
 * GET and HEAD alone, one request a connection; connections, their memory and their time are bounded. A page is made at most once in
 * HTTP_PAGE_AGE_S, however often it is asked for, so that scraping cannot hold up the loop.
 */
#include <ev.h>
#include <stdbool.h>
#include <stddef.h>

#include "controller/err.h"

#define HTTP_CONNECTIONS_MAX 64
#define HTTP_ADDRESS_MAX     32 /* of them from one address */
#define HTTP_TIMEOUT_S	     10 /* of silence */
#define HTTP_REQUEST_S	     5	/* for a whole request, however it trickles */
#define HTTP_ANSWER_S	     30 /* for request and answer */
#define HTTP_PAGE_AGE_S	     1.0

/* Where pages come from. Texts are from malloc(); NULL: out of memory, answered with 500. */
struct http_source {
	char *(*metrics)(void *ctx, size_t *ret_length);
	char *(*page)(void *ctx, size_t *ret_length);
	bool (*healthy)(void *ctx, struct err *why); /* `why` is filled when it is not */
	void *ctx;
};

struct http;

/* `listen`: "127.0.0.1:9619", "[::1]:9619". `source` is copied. -EADDRINUSE, -EADDRNOTAVAIL, -EINVAL, each said. */
EBB_MUST_CHECK int http_new(struct ev_loop *loop, const char *listen, const struct http_source *source,
			    struct err *err, struct http **ret_http);
/* The port in use, for ":0" in tests. Host order. */
int http_port(const struct http *http);
void http_free(struct http *http); /* NULL is fine */

#endif
