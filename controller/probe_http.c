// SPDX-License-Identifier: GPL-2.0-or-later
/* probe_http: see the header. */
#include "controller/probe_http.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define IDLE_HANDLES_MAX 256 /* easy handles kept for the next requests */

struct probe_http {
	struct ev_loop *loop;
	CURLM *multi;
	ev_timer timer; /* when curl wants to be called */
	CURL *idle[IDLE_HANDLES_MAX];
	uint32_t idle_count;
};

struct probe_http_request {
	struct probe_http *http;
	probe_http_done_fn on_done;
	void *ctx;
	char *url;
	char *target;                  /* the request line's: path and query as written */
	struct curl_slist *headers;    /* Host, if configured */
	struct curl_slist *connect_to; /* the address, if the URL names a host */
	CURL *easy;                    /* NULL: nothing under way */
	size_t body_bytes, header_bytes;
	char *buffer; /* NULL: the body is thrown away */
	size_t buffer_bytes;
};

struct watch { /* one socket of curl's */
	struct probe_http *http;
	ev_io io;
};

bool probe_errno_outcome(int code, enum probe_outcome *ret_outcome)
{
	switch (code) {
	case ECONNREFUSED:
		*ret_outcome = PROBE_REFUSED;
		return true;
	case ECONNRESET:
	case ECONNABORTED:
	case EPIPE:
		*ret_outcome = PROBE_RESET;
		return true;
	case EHOSTUNREACH:
	case ENETUNREACH:
	case EHOSTDOWN:
	case ENETDOWN:
	case ENONET:
	case EPROTO: /* ICMP parameter problem and the like */
	case ENOPROTOOPT:
		*ret_outcome = PROBE_UNREACHABLE;
		return true;
	case ETIMEDOUT:
		*ret_outcome = PROBE_TIMEOUT;
		return true;
	default:
		return false;
	}
}

/* ---- one request's end ---- */

/* 0: no status line came. */
static long status_of(CURL *easy)
{
	long status = 0;

	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

static bool status_ok(CURL *easy)
{
	return status_of(easy) >= 200 && status_of(easy) <= 299;
}

static bool connect_outcome(CURL *easy, enum probe_outcome *ret_outcome)
{
	long code = 0;

	curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &code);
	if (code)
		return probe_errno_outcome((int)code, ret_outcome);
	*ret_outcome = PROBE_UNREACHABLE;
	return true;
}

static bool was_connected(CURL *easy)
{
	curl_off_t took_us = 0;

	curl_easy_getinfo(easy, CURLINFO_CONNECT_TIME_T, &took_us);
	return took_us > 0;
}

/* False: not counted. */
static bool outcome_of(const struct probe_http_request *request, CURLcode code,
		       enum probe_outcome *ret_outcome)
{
	switch (code) {
	case CURLE_OK:
		*ret_outcome = status_ok(request->easy) ? PROBE_OK : PROBE_BAD_STATUS;
		return true;
	case CURLE_WRITE_ERROR: /* we stopped it: the body or the headers were too long */
		*ret_outcome = request->body_bytes > PROBE_HTTP_BODY_MAX && status_ok(request->easy)
				       ? PROBE_OK
				       : PROBE_BAD_STATUS;
		return true;
	case CURLE_COULDNT_CONNECT:
		return connect_outcome(request->easy, ret_outcome);
	case CURLE_OPERATION_TIMEDOUT:
		*ret_outcome = PROBE_TIMEOUT;
		return true;
	case CURLE_GOT_NOTHING: /* closed without a byte */
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR: /* also a chunk that lies */
		*ret_outcome = status_of(request->easy) ? PROBE_BAD_STATUS : PROBE_RESET;
		return true;
	case CURLE_OUT_OF_MEMORY: /* so curl calls a header line that does not end, too */
		*ret_outcome = PROBE_BAD_STATUS;
		return was_connected(request->easy);
	case CURLE_FAILED_INIT:
		return false;
	default: /* garbage, a body cut off, TLS that fails: it answers, but not well */
		*ret_outcome = PROBE_BAD_STATUS;
		return true;
	}
}

static void give_back(struct probe_http *http, CURL *easy)
{
	if (http->idle_count < IDLE_HANDLES_MAX)
		http->idle[http->idle_count++] = easy;
	else
		curl_easy_cleanup(easy);
}

void probe_http_cancel(struct probe_http_request *request)
{
	if (!request->easy)
		return;
	curl_multi_remove_handle(request->http->multi, request->easy);
	give_back(request->http, request->easy);
	request->easy = NULL;
}

static void take_finished(struct probe_http *http)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(http->multi, &left))) {
		struct probe_http_request *request;
		enum probe_outcome outcome = PROBE_OK;
		CURLcode code = message->data.result;
		bool counted;

		if (message->msg != CURLMSG_DONE ||
		    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&request))
			continue;
		counted = outcome_of(request, code, &outcome);
		probe_http_cancel(request); /* `message` is gone with it */
		request->on_done(request->ctx, counted, outcome);
	}
}

/* ---- curl on libev ---- */

static void on_curl_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct probe_http *http = timer->data;
	int running;

	curl_multi_socket_action(http->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	take_finished(http);
}

static int set_curl_timer(CURLM *multi, long timeout_ms, void *ctx)
{
	struct probe_http *http = ctx;

	ev_timer_stop(http->loop, &http->timer);
	if (timeout_ms < 0)
		return 0;
	ev_timer_set(&http->timer, (double)timeout_ms * 1e-3, 0.);
	ev_timer_start(http->loop, &http->timer);
	return 0;
}

static void on_curl_socket(struct ev_loop *loop, ev_io *io, int events)
{
	struct probe_http *http = ((struct watch *)io->data)->http;
	int mask = (events & EV_READ ? CURL_CSELECT_IN : 0) |
		   (events & EV_WRITE ? CURL_CSELECT_OUT : 0);
	int running;

	curl_multi_socket_action(http->multi, io->fd, mask, &running);
	take_finished(http); /* `io` may be gone */
}

static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *socket_ctx)
{
	struct probe_http *http = ctx;
	struct watch *watch = socket_ctx;
	int events = (what & CURL_POLL_IN ? EV_READ : 0) | (what & CURL_POLL_OUT ? EV_WRITE : 0);

	if (watch)
		ev_io_stop(http->loop, &watch->io);
	if (what == CURL_POLL_REMOVE) {
		free(watch);
		curl_multi_assign(http->multi, fd, NULL);
		return 0;
	}
	if (!watch) {
		watch = calloc(1, sizeof(*watch));
		if (!watch)
			return 0; /* nobody listens: it ends by its timeout (-1 would end all of
				     curl) */
		watch->http = http;
		ev_init(&watch->io, on_curl_socket);
		watch->io.data = watch;
		curl_multi_assign(http->multi, fd, watch);
	}
	ev_io_set(&watch->io, fd, events);
	ev_io_start(http->loop, &watch->io);
	return 0;
}

/* ---- one request ---- */

static size_t on_body(char *bytes, size_t size, size_t count, void *ctx)
{
	struct probe_http_request *request = ctx;
	size_t before = request->body_bytes, length = size * count;

	request->body_bytes += length;
	if (request->body_bytes > PROBE_HTTP_BODY_MAX)
		return 0;
	if (request->buffer && request->body_bytes <= request->buffer_bytes)
		memcpy(request->buffer + before, bytes, length);
	return length;
}

static size_t on_header(char *bytes, size_t size, size_t count, void *ctx)
{
	struct probe_http_request *request = ctx;

	request->header_bytes += size * count;
	return request->header_bytes > PROBE_HTTP_HEADER_MAX ? 0 : size * count;
}

/* Closing by reset: thousands of probes a second must not fill the table with TIME_WAIT. */
static int on_socket(void *ctx, curl_socket_t fd, curlsocktype purpose)
{
	struct linger now = {.l_onoff = 1};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	return CURL_SOCKOPT_OK;
}

/*
 * The certificate is not checked: a probe asks whether this one address answers. Its certificate
 * bears the service's name, which a probe by address need not know, and an expired one is the same
 * on all backends: it should page a person, not empty a pool. Nothing secret is sent, and nobody
 * but the probe believes the answer.
 */
static int set_options(struct probe_http_request *request, CURL *easy)
{
	CURLcode rc = CURLE_OK;

	curl_easy_reset(easy);
#define SET(option, value) (rc = rc ? rc : curl_easy_setopt(easy, option, value))
	SET(CURLOPT_URL, request->url);
	SET(CURLOPT_REQUEST_TARGET, request->target);
	SET(CURLOPT_HTTPHEADER, request->headers);
	SET(CURLOPT_CONNECT_TO, request->connect_to);
	SET(CURLOPT_PRIVATE, request);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, request);
	SET(CURLOPT_HEADERFUNCTION, on_header);
	SET(CURLOPT_HEADERDATA, request);
	SET(CURLOPT_SOCKOPTFUNCTION, on_socket);
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_PROXY, ""); /* nor from the environment */
	SET(CURLOPT_USERAGENT, "ebb-probe");
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_FRESH_CONNECT, 1L);
	SET(CURLOPT_FORBID_REUSE, 1L);
	SET(CURLOPT_BUFFERSIZE, 4096L);
	SET(CURLOPT_SSL_VERIFYPEER, 0L);
	SET(CURLOPT_SSL_VERIFYHOST, 0L);
	SET(CURLOPT_SSL_SESSIONID_CACHE, 0L);
#undef SET
	return rc ? -ENOMEM : 0;
}

int probe_http_start(struct probe_http_request *request)
{
	struct probe_http *http = request->http;
	CURL *easy = http->idle_count ? http->idle[--http->idle_count] : curl_easy_init();
	int rc = easy ? set_options(request, easy) : -ENOMEM;

	if (!easy)
		return rc;
	if (!rc && curl_multi_add_handle(http->multi, easy))
		rc = -ENOMEM;
	if (rc) {
		give_back(http, easy);
		return rc;
	}
	request->easy = easy;
	request->body_bytes = request->header_bytes = 0;
	return 0;
}

static bool plain(const char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text <= ' ' || *text == 0x7f)
			return false;
	}
	return true;
}

/* A name that can stand in the URL, so that TLS sends it as SNI; the rest goes into the Host header
 * alone. */
static size_t name_length(const char *host)
{
	size_t length =
		strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-");

	return !host[length] || host[length] == ':' ? length : 0;
}

static int describe(struct probe_http_request *request, const struct address *address,
		    const struct config_probe *how)
{
	const char *scheme = how->type == CONFIG_PROBE_HTTPS ? "https" : "http";
	const char *host = how->host ? how->host : "";
	char text[INET6_ADDRSTRLEN], at[INET6_ADDRSTRLEN + 16], line[512];
	int name = (int)name_length(host);

	address_format(address, text);
	snprintf(at, sizeof(at), address_is_ipv4(address) ? "%s:%u" : "[%s]:%u", text, how->port);
	request->target = strdup(how->path ? how->path : "/");
	if (!request->target)
		return -ENOMEM;
	if (!host[0] || !name)
		return asprintf(&request->url, "%s://%s/", scheme, at) < 0 ? -ENOMEM : 0;
	if (asprintf(&request->url, "%s://%.*s:%u/", scheme, name, host, how->port) < 0)
		return -ENOMEM;
	snprintf(line, sizeof(line), "::%s", at); /* whatever the URL says, connect there */
	request->connect_to = curl_slist_append(NULL, line);
	return request->connect_to ? 0 : -ENOMEM;
}

static int add_host(struct probe_http_request *request, const char *host)
{
	char line[512];

	if (!host || !host[0])
		return 0;
	snprintf(line, sizeof(line), "Host: %s", host);
	request->headers = curl_slist_append(NULL, line);
	return request->headers ? 0 : -ENOMEM;
}

int probe_http_request_new(struct probe_http *http, const struct address *address,
			   const struct config_probe *how, probe_http_done_fn on_done, void *ctx,
			   struct err *err, struct probe_http_request **ret_request)
{
	struct probe_http_request *request;

	if (how->path && (how->path[0] != '/' || !plain(how->path)))
		return err_set(err, EINVAL,
			       "probe path: \"/\" and then no spaces or control characters");
	if (how->host && (!plain(how->host) || strlen(how->host) > 255))
		return err_set(err, EINVAL,
			       "probe host: at most 255 bytes, no spaces or control characters");
	request = calloc(1, sizeof(*request));
	if (!request)
		return err_set(err, ENOMEM, "out of memory");
	request->http = http;
	request->on_done = on_done;
	request->ctx = ctx;
	if (describe(request, address, how) || add_host(request, how->host)) {
		probe_http_request_free(request);
		return err_set(err, ENOMEM, "out of memory");
	}
	*ret_request = request;
	return 0;
}

void probe_http_collect(struct probe_http_request *request, char *buffer, size_t size)
{
	request->buffer = buffer;
	request->buffer_bytes = size;
}

size_t probe_http_body_bytes(const struct probe_http_request *request)
{
	return request->body_bytes;
}

void probe_http_request_free(struct probe_http_request *request)
{
	if (!request)
		return;
	probe_http_cancel(request);
	curl_slist_free_all(request->headers);
	curl_slist_free_all(request->connect_to);
	free(request->target);
	free(request->url);
	free(request);
}

/* ---- all of them ---- */

int probe_http_new(struct ev_loop *loop, struct err *err, struct probe_http **ret_http)
{
	struct probe_http *http = calloc(1, sizeof(*http));

	if (!http)
		return err_set(err, ENOMEM, "out of memory");
	http->loop = loop;
	ev_timer_init(&http->timer, on_curl_timer, 0., 0.);
	http->timer.data = http;
	curl_global_init(CURL_GLOBAL_DEFAULT); /* counts its calls */
	http->multi = curl_multi_init();
	if (!http->multi) {
		probe_http_free(http);
		return err_set(err, ENOMEM, "libcurl cannot start: out of memory");
	}
	curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
	curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
	curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, set_curl_timer);
	curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);
	curl_multi_setopt(http->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
	*ret_http = http;
	return 0;
}

void probe_http_free(struct probe_http *http)
{
	if (!http)
		return;
	while (http->idle_count)
		curl_easy_cleanup(http->idle[--http->idle_count]);
	curl_multi_cleanup(http->multi);
	ev_timer_stop(http->loop, &http->timer);
	curl_global_cleanup();
	free(http);
}
