// SPDX-License-Identifier: GPL-2.0-or-later
/* The HTTP server over real TCP on the loop: the pages, what is refused, what is bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "controller/http.h"

#define TURNS_MAX 4000

struct rig {
	struct ev_loop *loop;
	struct http *http;
	int metrics_made, pages_made;
	bool healthy, out_of_memory;
};

static char *give(const char *text, size_t *ret_length)
{
	*ret_length = strlen(text);
	return strdup(text);
}

static char *give_metrics(void *ctx, size_t *ret_length)
{
	struct rig *rig = ctx;

	rig->metrics_made++;
	return rig->out_of_memory ? NULL : give("ebb_x 1\n", ret_length);
}

static char *give_page(void *ctx, size_t *ret_length)
{
	((struct rig *)ctx)->pages_made++;
	return give("<!doctype html>", ret_length);
}

static bool give_health(void *ctx, struct err *why)
{
	if (!((struct rig *)ctx)->healthy)
		err_set(why, EIO, "not attached to eth0");
	return ((struct rig *)ctx)->healthy;
}

static struct rig *rig_new(const char *listen_on)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	const struct http_source source = {give_metrics, give_page, give_health, rig};
	struct err err = {{0}};

	rig->healthy = true;
	rig->loop = ev_loop_new(EVFLAG_AUTO);
	if (http_new(rig->loop, listen_on, &source, &err, &rig->http))
		fail_msg("%s", err.text);
	return rig;
}

static void rig_free(struct rig *rig)
{
	http_free(rig->http);
	ev_loop_destroy(rig->loop);
	free(rig);
}

static int rig_connect_from(struct rig *rig, const char *from)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)http_port(rig->http)),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in own = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(inet_pton(AF_INET, from, &own.sin_addr), 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&own, sizeof(own)), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

static int rig_connect(struct rig *rig)
{
	return rig_connect_from(rig, "127.0.0.1");
}

/* All that comes until the other side closes. Free it. */
static char *rig_read_for(struct rig *rig, int fd, int turns)
{
	size_t used = 0, size = 65536;
	char *text = calloc(1, size);

	for (int turn = 0; turn < turns && used + 1 < size; turn++) {
		struct pollfd ready = {.fd = fd, .events = POLLIN};
		ssize_t got = recv(fd, text + used, size - used - 1, MSG_DONTWAIT);

		if (got == 0 || (got < 0 && errno != EAGAIN))
			break;
		used += got > 0 ? (size_t)got : 0;
		ev_run(rig->loop, EVRUN_NOWAIT);
		poll(&ready, 1, 1);
	}
	return text;
}

static char *rig_read(struct rig *rig, int fd)
{
	return rig_read_for(rig, fd, TURNS_MAX);
}

static char *rig_ask(struct rig *rig, const char *request)
{
	int fd = rig_connect(rig);
	char *reply;

	send(fd, request, strlen(request), MSG_NOSIGNAL);
	reply = rig_read(rig, fd);
	close(fd);
	return reply;
}

#define REQUEST(line) line " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

static void test_pages_and_refusals(void **state)
{
	static const struct {
		const char *name, *given, *want_status, *want_in, *want_not;
	} rows[] = {
		{"metrics", REQUEST("GET /metrics"), "HTTP/1.1 200", "version=0.0.4", NULL},
		{"metrics text", REQUEST("GET /metrics"), "HTTP/1.1 200", "\r\n\r\nebb_x 1\n", NULL},
		{"metrics with a query", REQUEST("GET /metrics?a=b"), "HTTP/1.1 200", "ebb_x 1\n", NULL},
		{"head", REQUEST("HEAD /metrics"), "HTTP/1.1 200", "Content-Length: 8", "ebb_x"},
		{"page", REQUEST("GET /"), "HTTP/1.1 200", "<!doctype html>", NULL},
		{"page cannot load or be framed", REQUEST("GET /"), "HTTP/1.1 200",
		 "Content-Security-Policy: default-src 'none'", NULL},
		{"health", REQUEST("GET /healthz"), "HTTP/1.1 200", "ok\n", NULL},
		{"elsewhere", REQUEST("GET /etc/passwd"), "HTTP/1.1 404", "/metrics", NULL},
		{"dots", REQUEST("GET /../metrics"), "HTTP/1.1 404", NULL, NULL},
		{"post", REQUEST("POST /metrics"), "HTTP/1.1 405", "Allow: GET, HEAD", NULL},
		{"delete", REQUEST("DELETE /"), "HTTP/1.1 405", "Allow: GET, HEAD", NULL},
		{"garbage", "\x16\x03\x01\x02\r\n\r\n", "", NULL, "ebb_x"},
		{"http 1.0", "GET /metrics HTTP/1.0\r\n\r\n", "HTTP/1.", "ebb_x 1\n", NULL},
	};
	struct rig *rig = rig_new("127.0.0.1:0");

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *reply = rig_ask(rig, rows[i].given);

		print_message("  %s\n", rows[i].name);
		if (strncmp(reply, rows[i].want_status, strlen(rows[i].want_status)) != 0)
			fail_msg("wanted %s, got: %s", rows[i].want_status, reply);
		if (rows[i].want_in && !strstr(reply, rows[i].want_in))
			fail_msg("wanted %s in: %s", rows[i].want_in, reply);
		if (rows[i].want_not && strstr(reply, rows[i].want_not))
			fail_msg("did not want %s in: %s", rows[i].want_not, reply);
		free(reply);
	}
	rig_free(rig);
}

static void test_health_says_why_not(void **state)
{
	struct rig *rig = rig_new("127.0.0.1:0");
	char *reply;

	rig->healthy = false;
	reply = rig_ask(rig, REQUEST("GET /healthz"));
	assert_non_null(strstr(reply, "HTTP/1.1 503"));
	assert_non_null(strstr(reply, "not attached to eth0\n"));
	free(reply);
	rig_free(rig);
}

static void test_a_page_is_not_made_for_every_request(void **state)
{
	struct rig *rig = rig_new("127.0.0.1:0");

	for (int i = 0; i < 5; i++)
		free(rig_ask(rig, REQUEST("GET /metrics")));
	assert_int_equal(rig->metrics_made, 1);
	assert_int_equal(rig->pages_made, 0);
	rig_free(rig);
}

static void test_no_memory_is_an_error_page(void **state)
{
	struct rig *rig = rig_new("127.0.0.1:0");
	char *reply;

	rig->out_of_memory = true;
	reply = rig_ask(rig, REQUEST("GET /metrics"));
	assert_non_null(strstr(reply, "HTTP/1.1 500"));
	free(reply);
	rig_free(rig);
}

/* A body is never read: the answer comes before it. */
static void test_a_body_is_not_waited_for(void **state)
{
	struct rig *rig = rig_new("127.0.0.1:0");
	char *reply = rig_ask(rig, "GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\nxx");

	assert_non_null(strstr(reply, "HTTP/1.1 200"));
	free(reply);
	reply = rig_ask(rig, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\nxx");
	assert_non_null(strstr(reply, "HTTP/1.1 405"));
	free(reply);
	rig_free(rig);
}

static void test_endless_headers_are_refused(void **state)
{
	struct rig *rig = rig_new("127.0.0.1:0");
	size_t length = 4 * 1024 * 1024, sent = 0;
	char *much = malloc(length), *reply;
	int fd = rig_connect(rig);

	memset(much, 'a', length);
	memcpy(much, "GET /metrics HTTP/1.1\r\nX: ", 26);
	for (int turn = 0; sent < length && turn < TURNS_MAX; turn++) {
		ssize_t n = send(fd, much + sent, length - sent, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno != EAGAIN)
			break;
		sent += n > 0 ? (size_t)n : 0;
		ev_run(rig->loop, EVRUN_NOWAIT);
	}
	reply = rig_read(rig, fd);
	assert_null(strstr(reply, "HTTP/1.1 200"));
	assert_int_equal(rig->metrics_made, 0);
	free(reply);
	close(fd);
	reply = rig_ask(rig, REQUEST("GET /metrics"));
	assert_non_null(strstr(reply, "200"));
	free(reply);
	free(much);
	rig_free(rig);
}

/* One that is not let in may wait for an answer until places are free: not so long here. */
static char *late_request(struct rig *rig, const char *from)
{
	int fd = rig_connect_from(rig, from);
	char *reply;

	send(fd, REQUEST("GET /metrics"), strlen(REQUEST("GET /metrics")), MSG_NOSIGNAL);
	reply = rig_read_for(rig, fd, 200);
	close(fd);
	return reply;
}

static void take_places(struct rig *rig, const char *from, int *ret_fds)
{
	static const char half[] = "GET /metrics HTTP/1.1\r\n";

	for (int i = 0; i < HTTP_ADDRESS_MAX; i++) {
		ret_fds[i] = rig_connect_from(rig, from);
		send(ret_fds[i], half, sizeof(half) - 1, MSG_NOSIGNAL);
		ev_run(rig->loop, EVRUN_NOWAIT);
	}
}

/* Half requests take all places of an address, then all that there are: one more is closed, and the next is served once
 * places are free. */
static void test_connections_are_bounded(void **state)
{
	struct rig *rig = rig_new("127.0.0.1:0");
	int fds[HTTP_CONNECTIONS_MAX];
	char *reply;

	static_assert(HTTP_CONNECTIONS_MAX == 2 * HTTP_ADDRESS_MAX, "two addresses take all");
	take_places(rig, "127.0.0.1", fds);
	reply = late_request(rig, "127.0.0.1");
	assert_string_equal(reply, "");
	assert_int_equal(rig->metrics_made, 0);
	free(reply);
	reply = late_request(rig, "127.0.0.2");
	assert_non_null(strstr(reply, "HTTP/1.1 200"));
	free(reply);
	take_places(rig, "127.0.0.2", fds + HTTP_ADDRESS_MAX);
	reply = late_request(rig, "127.0.0.3");
	assert_string_equal(reply, "");
	free(reply);
	for (int i = 0; i < HTTP_CONNECTIONS_MAX; i++)
		close(fds[i]);
	for (int turn = 0; turn < 50; turn++) {
		ev_run(rig->loop, EVRUN_NOWAIT);
		poll(NULL, 0, 1);
	}
	reply = rig_ask(rig, REQUEST("GET /metrics"));
	assert_non_null(strstr(reply, "HTTP/1.1 200"));
	free(reply);
	rig_free(rig);
}

static void test_addresses(void **state)
{
	static const char *const bad[] = {"", "127.0.0.1", "localhost:80", "127.0.0.1:x", "127.0.0.1:99999",
					  "::1:80", "[::1]", "[127.0.0.1]:80", "[]:80", ":80", "127.0.0.1:"};
	const struct http_source source = {give_metrics, give_page, give_health, NULL};
	struct rig *rig = rig_new("[::1]:0"), *second;
	struct http *http = NULL;
	struct err err = {{0}};
	char taken[64];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(http_new(rig->loop, bad[i], &source, &err, &http), -EINVAL);
	rig_free(rig);
	second = rig_new("127.0.0.1:0");
	snprintf(taken, sizeof(taken), "127.0.0.1:%d", http_port(second->http));
	assert_int_equal(http_new(second->loop, taken, &source, &err, &http), -EADDRINUSE);
	assert_non_null(strstr(err.text, taken));
	rig_free(second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pages_and_refusals),
		cmocka_unit_test(test_health_says_why_not),
		cmocka_unit_test(test_a_page_is_not_made_for_every_request),
		cmocka_unit_test(test_no_memory_is_an_error_page),
		cmocka_unit_test(test_a_body_is_not_waited_for),
		cmocka_unit_test(test_endless_headers_are_refused),
		cmocka_unit_test(test_connections_are_bounded),
		cmocka_unit_test(test_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
