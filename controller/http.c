// SPDX-License-Identifier: GPL-2.0-or-later
/* http: see http.h. */
#include "controller/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HTTP_CONNECTION_BYTES 32768 /* of request line and headers */
#define HTTP_BACKLOG	      64
#define HTTP_TURN_S	      0.5

enum http_kind {
	HTTP_METRICS,
	HTTP_PAGE,
	HTTP_KIND__COUNT,
};

/* One a connection. Libmicrohttpd's own limit is on silence, so a byte a second would hold a seat for ever. */
struct http_seat {
	struct MHD_Connection *connection; /* NULL: free */
	ev_tstamp since;
	bool asked; /* the request is whole */
};

struct http {
	struct ev_loop *loop;
	struct http_source source;
	struct MHD_Daemon *daemon;
	struct ev_io ready;
	struct ev_timer timeout;
	struct MHD_Response *pages[HTTP_KIND__COUNT]; /* as last made */
	ev_tstamp made[HTTP_KIND__COUNT];
	struct http_seat seats[HTTP_CONNECTIONS_MAX];
	int port;
};

static const struct {
	const char *name, *value;
} http_headers[] = {
	{"Cache-Control", "no-store"},
	{"X-Content-Type-Options", "nosniff"},
	{"Referrer-Policy", "no-referrer"},
	/* No scripts, no foreign resources, in nobody's frame; inline style is the page's own. */
	{"Content-Security-Policy",
	 "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
};

static struct MHD_Response *http_response(char *text, size_t length, enum MHD_ResponseMemoryMode mode,
					  const char *type)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(length, text, mode);

	if (!response) {
		if (mode == MHD_RESPMEM_MUST_FREE)
			free(text);
		return NULL;
	}
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	for (size_t i = 0; i < sizeof(http_headers) / sizeof(http_headers[0]); i++)
		MHD_add_response_header(response, http_headers[i].name, http_headers[i].value);
	return response;
}

/* Queues, and drops our reference. */
static enum MHD_Result http_queue(struct MHD_Connection *connection, unsigned int status,
				  struct MHD_Response *response)
{
	enum MHD_Result result;

	if (!response)
		return MHD_NO; /* out of memory: the connection is closed */
	result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result http_say(struct MHD_Connection *connection, unsigned int status,
				const char *text)
{
	struct MHD_Response *response = http_response((char *)text, strlen(text), MHD_RESPMEM_MUST_COPY,
						      "text/plain; charset=utf-8");

	if (response && status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	return http_queue(connection, status, response);
}

static enum MHD_Result http_page(struct http *http, struct MHD_Connection *connection,
				 enum http_kind kind)
{
	ev_tstamp now = ev_now(http->loop);
	size_t length = 0;
	char *text;

	if (!http->pages[kind] || now - http->made[kind] >= HTTP_PAGE_AGE_S || now < http->made[kind]) {
		text = kind == HTTP_METRICS ? http->source.metrics(http->source.ctx, &length)
					    : http->source.page(http->source.ctx, &length);
		if (!text)
			return http_say(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory\n");
		if (http->pages[kind])
			MHD_destroy_response(http->pages[kind]);
		http->pages[kind] = http_response(text, length, MHD_RESPMEM_MUST_FREE,
						  kind == HTTP_METRICS
							  ? "text/plain; version=0.0.4; charset=utf-8"
							  : "text/html; charset=utf-8");
		http->made[kind] = now;
	}
	/* A response may be sent to many; it lives until the last has it. */
	return http->pages[kind] ? MHD_queue_response(connection, MHD_HTTP_OK, http->pages[kind]) : MHD_NO;
}

static enum MHD_Result http_health(struct http *http, struct MHD_Connection *connection)
{
	struct err why = {{0}};
	char text[sizeof(why.text) + 2];

	if (http->source.healthy(http->source.ctx, &why))
		return http_say(connection, MHD_HTTP_OK, "ok\n");
	snprintf(text, sizeof(text), "%s\n", why.text);
	return http_say(connection, MHD_HTTP_SERVICE_UNAVAILABLE, text);
}

/* --- seats */

static void http_came_or_went(void *ctx, struct MHD_Connection *connection, void **seat_of,
			      enum MHD_ConnectionNotificationCode what)
{
	struct http *http = ctx;
	struct http_seat *seat = *seat_of;

	if (what == MHD_CONNECTION_NOTIFY_CLOSED && seat)
		seat->connection = NULL;
	for (int i = 0; what == MHD_CONNECTION_NOTIFY_STARTED && i < HTTP_CONNECTIONS_MAX; i++) {
		if (http->seats[i].connection)
			continue;
		http->seats[i] = (struct http_seat){connection, ev_now(http->loop), false};
		*seat_of = &http->seats[i];
		return;
	}
}

static void http_sit(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct http_seat *seat = info ? info->socket_context : NULL;

	if (seat)
		seat->asked = true;
}

/* Ends those whose time is over: the other side of a socket that was shut down is closed as if the client had left. */
static void http_clear_seats(struct http *http)
{
	const union MHD_ConnectionInfo *info;

	for (int i = 0; i < HTTP_CONNECTIONS_MAX; i++) {
		const struct http_seat *seat = &http->seats[i];
		double patience_s = seat->asked ? HTTP_ANSWER_S : HTTP_REQUEST_S;

		if (!seat->connection || ev_now(http->loop) - seat->since < patience_s)
			continue;
		info = MHD_get_connection_info(seat->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
		if (info)
			shutdown(info->connect_fd, SHUT_RDWR);
	}
}

/* Answers at the first call, when only the headers are there: a body is never read. */
static enum MHD_Result http_request(void *ctx, struct MHD_Connection *connection, const char *url,
				    const char *method, const char *version, const char *upload,
				    size_t *upload_length, void **request)
{
	struct http *http = ctx;

	http_sit(connection);
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return http_say(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "GET and HEAD only\n");
	if (strcmp(url, "/metrics") == 0)
		return http_page(http, connection, HTTP_METRICS);
	if (strcmp(url, "/healthz") == 0)
		return http_health(http, connection);
	if (strcmp(url, "/") == 0)
		return http_page(http, connection, HTTP_PAGE);
	return http_say(connection, MHD_HTTP_NOT_FOUND, "there are /metrics, /healthz and /\n");
}

/* --- the loop */

/* Libmicrohttpd stops listening at its limit, and listens again only when it is next run: so it is, soon. */
static void http_turn(struct http *http)
{
	MHD_UNSIGNED_LONG_LONG wait_ms = 0;
	double wait_s = HTTP_TURN_S;

	http_clear_seats(http);
	MHD_run(http->daemon);
	if (MHD_get_timeout(http->daemon, &wait_ms) == MHD_YES && (double)wait_ms / 1000 < wait_s)
		wait_s = (double)wait_ms / 1000;
	ev_timer_stop(http->loop, &http->timeout);
	ev_timer_set(&http->timeout, wait_s, 0);
	ev_timer_start(http->loop, &http->timeout);
}

static void http_ready(struct ev_loop *loop, struct ev_io *watcher, int events)
{
	http_turn(watcher->data);
}

static void http_timeout(struct ev_loop *loop, struct ev_timer *watcher, int events)
{
	http_turn(watcher->data);
}

/* --- listening */

/* "ADDRESS:PORT" or "[ADDRESS]:PORT"; the length of the address, or 0. */
static socklen_t http_address(const char *listen_on, struct sockaddr_storage *ret_address)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret_address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret_address;
	const char *colon = strrchr(listen_on, ':');
	char host[64], *end;
	bool bracket = listen_on[0] == '[';
	size_t length = colon ? (size_t)(colon - listen_on) : 0;
	unsigned long port = colon ? strtoul(colon + 1, &end, 10) : 0;

	if (!colon || *end || end == colon + 1 || port > 65535 || length >= sizeof(host) ||
	    (bracket && (length < 2 || colon[-1] != ']')))
		return 0;
	snprintf(host, sizeof(host), "%.*s", (int)(length - 2 * bracket), listen_on + bracket);
	memset(ret_address, 0, sizeof(*ret_address));
	if (!bracket && inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)port);
		return sizeof(*v4);
	}
	if (bracket && inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)port);
		return sizeof(*v6);
	}
	return 0;
}

static int http_listen(const char *listen_on, struct err *err, int *ret_port)
{
	struct sockaddr_storage address;
	socklen_t length = http_address(listen_on, &address);
	int fd, one = 1, rc;

	if (!length)
		return err_set(err, EINVAL, "\"%.60s\" is no ADDRESS:PORT or [ADDRESS]:PORT", listen_on);
	fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) != 0 || listen(fd, HTTP_BACKLOG) != 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &length) != 0) {
		rc = err_set(err, errno, "cannot listen on %s: %s", listen_on, strerror(errno));
		if (fd >= 0)
			close(fd);
		return rc;
	}
	*ret_port = ntohs(((struct sockaddr_in *)&address)->sin_port); /* at the same place in IPv6 */
	return fd;
}

static int http_start(struct http *http, int fd, struct err *err)
{
	const union MHD_DaemonInfo *info;

	http->daemon = MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, http_request, http,
					MHD_OPTION_LISTEN_SOCKET, fd,
					MHD_OPTION_CONNECTION_LIMIT, (unsigned int)HTTP_CONNECTIONS_MAX,
					MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned int)HTTP_ADDRESS_MAX,
					MHD_OPTION_NOTIFY_CONNECTION, http_came_or_went, http,
					MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)HTTP_TIMEOUT_S,
					MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTP_CONNECTION_BYTES,
					MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
	info = http->daemon ? MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
	if (!info)
		return err_set(err, EIO, "libmicrohttpd did not start");
	ev_io_init(&http->ready, http_ready, info->epoll_fd, EV_READ);
	ev_timer_init(&http->timeout, http_timeout, 0, 0);
	http->ready.data = http->timeout.data = http;
	ev_io_start(http->loop, &http->ready);
	return 0;
}

int http_new(struct ev_loop *loop, const char *listen_on, const struct http_source *source,
	     struct err *err, struct http **ret_http)
{
	struct http *http = calloc(1, sizeof(*http));
	int fd, rc;

	if (!http)
		return err_set(err, ENOMEM, "out of memory");
	http->loop = loop;
	http->source = *source;
	fd = http_listen(listen_on, err, &http->port);
	rc = fd < 0 ? fd : http_start(http, fd, err);
	if (rc) {
		if (fd >= 0 && !http->daemon)
			close(fd);
		http_free(http);
		return rc;
	}
	*ret_http = http;
	return 0;
}

int http_port(const struct http *http)
{
	return http->port;
}

void http_free(struct http *http)
{
	if (!http)
		return;
	if (http->daemon) {
		ev_io_stop(http->loop, &http->ready);
		ev_timer_stop(http->loop, &http->timeout);
		MHD_stop_daemon(http->daemon);
	}
	for (int i = 0; i < HTTP_KIND__COUNT; i++) {
		if (http->pages[i])
			MHD_destroy_response(http->pages[i]);
	}
	free(http);
}
