// SPDX-License-Identifier: GPL-2.0-or-later
/* The control socket over a real Unix socket and a real loop: requests, every kind of bad input, bounds, events. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "controller/control.h"
#include "controller/log.h"

#define TURNS_MAX 4000 /* of the loop, each at most a millisecond long, until an answer is given up */
#define MIB	  (1024 * 1024)

struct rig {
	struct ev_loop *loop;
	struct control *control;
	char dir[64], path[96];
	int calls;
};

static const struct control_limits small = {
	.connections = 4,
	.request_bytes = 4096,
	.reply_bytes = 4 * MIB,
	.subscriber_bytes = 4096,
	.idle_s = 30,
};

/* For the tests that wait for the clock. */
static const struct control_limits hasty = {
	.connections = 4,
	.request_bytes = 4096,
	.reply_bytes = 4 * MIB,
	.subscriber_bytes = 4096,
	.idle_s = 1,
};

static int handle_echo(void *ctx, const json_t *params, json_t **ret_result, struct err *err)
{
	((struct rig *)ctx)->calls++;
	*ret_result = json_incref((json_t *)params);
	return 0;
}

static int handle_fail(void *ctx, const json_t *params, json_t **ret_result, struct err *err)
{
	int code = (int)json_integer_value(json_object_get(params, "errno"));

	if (json_object_get(params, "silent"))
		return -code;
	return err_set(err, code, "%s", json_object_get(params, "latin") ? "caf\xe9" : "as asked");
}

static int handle_big(void *ctx, const json_t *params, json_t **ret_result, struct err *err)
{
	size_t bytes = (size_t)json_integer_value(json_object_get(params, "bytes"));
	char *text = malloc(bytes + 1);

	memset(text, 'x', bytes);
	text[bytes] = 0;
	*ret_result = json_string(text);
	free(text);
	return 0;
}

static int handle_peer(void *ctx, const json_t *params, json_t **ret_result, struct err *err)
{
	const struct ucred *peer = control_peer(((struct rig *)ctx)->control);

	*ret_result = json_pack("{siss}", "pid", (int)peer->pid, "is", "peer");
	return 0;
}

static struct rig *rig_new(const struct control_limits *limits)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	struct err err = {{0}};

	strcpy(rig->dir, "/tmp/ebb-control-XXXXXX");
	assert_non_null(mkdtemp(rig->dir));
	snprintf(rig->path, sizeof(rig->path), "%s/ebbd.sock", rig->dir);
	rig->loop = ev_loop_new(EVFLAG_AUTO);
	if (control_new(rig->loop, rig->path, (gid_t)-1, limits, &err, &rig->control))
		fail_msg("%s", err.text);
	assert_int_equal(control_register(rig->control, "echo", handle_echo, rig, CONTROL_READ), 0);
	assert_int_equal(control_register(rig->control, "fail", handle_fail, rig, CONTROL_CHANGES), 0);
	assert_int_equal(control_register(rig->control, "big", handle_big, rig, CONTROL_READ), 0);
	assert_int_equal(control_register(rig->control, "peer", handle_peer, rig, CONTROL_CHURN), 0);
	return rig;
}

static void rig_free(struct rig *rig)
{
	control_free(rig->control);
	ev_loop_destroy(rig->loop);
	assert_int_equal(access(rig->path, F_OK), -1);
	assert_int_equal(rmdir(rig->dir), 0);
	free(rig);
}

static int rig_connect(struct rig *rig)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	strcpy(name.sun_path, rig->path);
	assert_int_equal(connect(fd, (struct sockaddr *)&name, sizeof(name)), 0);
	return fd;
}

static void rig_turn(struct rig *rig, int fd)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};

	ev_run(rig->loop, EVRUN_NOWAIT);
	poll(&ready, 1, 1);
}

/* Sends all of it, turning the loop meanwhile. False: the other side closed. */
static bool rig_send(struct rig *rig, int fd, const char *bytes, size_t length)
{
	for (int turn = 0; length && turn < TURNS_MAX; turn++) {
		ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);

		if (sent < 0 && errno != EAGAIN)
			return false;
		if (sent > 0) {
			bytes += sent;
			length -= (size_t)sent;
		}
		ev_run(rig->loop, EVRUN_NOWAIT);
	}
	return length == 0;
}

/* One line without its newline, or NULL when the other side closed (or nothing came). Free it. */
static char *rig_line(struct rig *rig, int fd)
{
	size_t used = 0, size = 8 * MIB;
	char *line = malloc(size);

	for (int turn = 0; turn < TURNS_MAX && used < size; turn++) {
		ssize_t got = recv(fd, line + used, size - used, MSG_PEEK);
		char *end = got > 0 ? memchr(line + used, '\n', (size_t)got) : NULL;

		if (got == 0 || (got < 0 && errno != EAGAIN))
			break;
		if (end)
			got = end + 1 - (line + used);
		if (got > 0)
			used += (size_t)recv(fd, line + used, (size_t)got, 0);
		if (end) {
			*end = 0;
			return line;
		}
		rig_turn(rig, fd);
	}
	free(line);
	return NULL;
}

static json_t *rig_reply(struct rig *rig, int fd)
{
	char *line = rig_line(rig, fd);
	json_t *doc = line ? json_loads(line, JSON_REJECT_DUPLICATES, NULL) : NULL;

	free(line);
	return doc;
}

static bool rig_closed(struct rig *rig, int fd)
{
	char *line = rig_line(rig, fd);
	char byte;
	ssize_t got = line ? 1 : recv(fd, &byte, 1, 0);

	free(line);
	return got == 0 || (got < 0 && errno != EAGAIN);
}

static json_t *rig_ask(struct rig *rig, int fd, const char *text)
{
	assert_true(rig_send(rig, fd, text, strlen(text)));
	return rig_reply(rig, fd);
}

static void assert_refused(json_t *reply, const char *code, const char *says)
{
	assert_non_null(reply);
	assert_true(json_is_false(json_object_get(reply, "ok")));
	assert_string_equal(json_string_value(json_object_get(reply, "code")), code);
	if (!strstr(json_string_value(json_object_get(reply, "error")), says))
		fail_msg("\"%s\" does not say \"%s\"",
			 json_string_value(json_object_get(reply, "error")), says);
	json_decref(reply);
}

static void assert_echoes(struct rig *rig, int fd, json_int_t id)
{
	char text[128];
	json_t *reply, *result;

	snprintf(text, sizeof(text), "{\"id\":%lld,\"method\":\"echo\",\"params\":{\"a\":[1,\"x\"]}}\n",
		 (long long)id);
	reply = rig_ask(rig, fd, text);
	assert_non_null(reply);
	assert_true(json_is_true(json_object_get(reply, "ok")));
	assert_int_equal(json_integer_value(json_object_get(reply, "id")), id);
	result = json_object_get(reply, "result");
	assert_int_equal(json_array_size(json_object_get(result, "a")), 2);
	json_decref(reply);
}

static void test_requests_are_answered(void **state)
{
	struct rig *rig = rig_new(&small);
	int fd = rig_connect(rig);
	json_t *reply;

	assert_echoes(rig, fd, 7);
	reply = rig_ask(rig, fd, "{\"id\":\"a\",\"method\":\"peer\"}\n");
	assert_string_equal(json_string_value(json_object_get(reply, "id")), "a");
	assert_int_equal(json_integer_value(json_object_get(json_object_get(reply, "result"), "pid")),
			 getpid());
	json_decref(reply);
	assert_null(control_peer(rig->control));
	reply = rig_ask(rig, fd, "{\"method\":\"echo\"}\n");
	assert_true(json_is_null(json_object_get(reply, "id")));
	assert_int_equal(json_object_size(json_object_get(reply, "result")), 0);
	json_decref(reply);
	close(fd);
	rig_free(rig);
}

static void test_bytes_may_come_one_by_one(void **state)
{
	static const char text[] = "{\"id\":1,\"method\":\"echo\"}\n{\"id\":2,\"method\":\"echo\"}\n";
	struct rig *rig = rig_new(&small);
	int fd = rig_connect(rig);

	for (size_t i = 0; i < sizeof(text) - 1; i++)
		assert_true(rig_send(rig, fd, text + i, 1));
	for (int id = 1; id <= 2; id++) {
		json_t *reply = rig_reply(rig, fd);

		assert_int_equal(json_integer_value(json_object_get(reply, "id")), id);
		json_decref(reply);
	}
	close(fd);
	rig_free(rig);
}

static void test_pipelined_requests_keep_their_order(void **state)
{
	enum { REQUESTS = 1000 };
	struct rig *rig = rig_new(NULL);
	int fd = rig_connect(rig);
	char *text = calloc(REQUESTS, 64);
	size_t length = 0;

	for (int i = 0; i < REQUESTS; i++)
		length += (size_t)sprintf(text + length, "{\"id\":%d,\"method\":\"echo\"}\n", i);
	assert_true(rig_send(rig, fd, text, length));
	shutdown(fd, SHUT_WR); /* what was asked before the end is still answered */
	for (int i = 0; i < REQUESTS; i++) {
		json_t *reply = rig_reply(rig, fd);

		assert_int_equal(json_integer_value(json_object_get(reply, "id")), i);
		json_decref(reply);
	}
	assert_true(rig_closed(rig, fd));
	assert_int_equal(rig->calls, REQUESTS);
	free(text);
	close(fd);
	rig_free(rig);
}

static void test_bad_requests_are_refused_and_the_next_one_is_heard(void **state)
{
	static const struct {
		const char *name, *given, *want_code, *want_says;
	} rows[] = {
		{"empty line", "\n", "usage", "not a JSON document"},
		{"garbage", "GET / HTTP/1.1\n", "usage", "not a JSON document"},
		{"an array", "[1]\n", "usage", "a request is an object"},
		{"a scalar", "5\n", "usage", "not a JSON document"},
		{"two documents", "{\"method\":\"echo\"} {}\n", "usage", "not a JSON document"},
		{"duplicate keys", "{\"method\":\"echo\",\"method\":\"echo\"}\n", "usage", "duplicate"},
		{"duplicate keys below", "{\"method\":\"echo\",\"params\":{\"a\":1,\"a\":2}}\n", "usage",
		 "duplicate"},
		{"invalid UTF-8", "{\"method\":\"ec\xffho\"}\n", "usage", "not a JSON document"},
		{"escaped NUL", "{\"method\":\"e\\u0000\"}\n", "usage", "not a JSON document"},
		{"huge number", "{\"id\":99999999999999999999,\"method\":\"echo\"}\n", "usage", "integer"},
		{"no method", "{\"id\":1}\n", "usage", "\"method\" must be"},
		{"method is no string", "{\"method\":1}\n", "usage", "\"method\" must be"},
		{"params are no object", "{\"method\":\"echo\",\"params\":[]}\n", "usage", "\"params\" must"},
		{"id is an object", "{\"id\":{},\"method\":\"echo\"}\n", "usage", "\"id\" must be"},
		{"unknown member", "{\"method\":\"echo\",\"x\":1}\n", "usage", "nothing else"},
		{"unknown method", "{\"method\":\"sheep\"}\n", "refused", "no method \"sheep\""},
		{"unknown method cut in UTF-8",
		 "{\"method\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\xc3\xa9\"}\n", "refused", "no method"},
		{"bad filter", "{\"method\":\"monitor\",\"params\":{\"types\":\"a\"}}\n", "usage", "types"},
		{"bad filter type", "{\"method\":\"monitor\",\"params\":{\"types\":[1]}}\n", "usage", "types"},
		{"bad match", "{\"method\":\"monitor\",\"params\":{\"match\":[]}}\n", "usage", "match"},
		{"unknown filter", "{\"method\":\"monitor\",\"params\":{\"x\":1}}\n", "usage", "monitor takes"},
	};
	struct rig *rig = rig_new(&small);
	int fd = rig_connect(rig);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		print_message("  %s\n", rows[i].name);
		assert_refused(rig_ask(rig, fd, rows[i].given), rows[i].want_code, rows[i].want_says);
		assert_echoes(rig, fd, (json_int_t)i);
	}
	close(fd);
	rig_free(rig);
}

static void test_raw_nuls_and_deep_nesting_are_refused(void **state)
{
	struct rig *rig = rig_new(NULL);
	int fd = rig_connect(rig);
	size_t depth = 500000;
	char *deep = malloc(2 * depth + 64);

	assert_true(rig_send(rig, fd, "{\"method\":\0\"echo\"}\n", 19));
	assert_refused(rig_reply(rig, fd), "usage", "not a JSON document");
	assert_true(rig_send(rig, fd, "\0\0\0\n", 4));
	assert_refused(rig_reply(rig, fd), "usage", "not a JSON document");
	memset(deep, '[', depth);
	memset(deep + depth, ']', depth);
	deep[2 * depth] = '\n';
	assert_true(rig_send(rig, fd, deep, 2 * depth + 1));
	assert_refused(rig_reply(rig, fd), "usage", "depth");
	assert_echoes(rig, fd, 1);
	free(deep);
	close(fd);
	rig_free(rig);
}

static void test_ten_megabytes_without_newline_end_the_connection(void **state)
{
	struct rig *rig = rig_new(NULL);
	int fd = rig_connect(rig), other = rig_connect(rig);
	char *much = malloc(10 * MIB);

	memset(much, 'x', 10 * MIB);
	assert_false(rig_send(rig, fd, much, 10 * MIB));
	assert_refused(rig_reply(rig, fd), "usage", "too long");
	assert_true(rig_closed(rig, fd));
	assert_echoes(rig, other, 3);
	free(much);
	close(fd);
	close(other);
	rig_free(rig);
}

static void test_a_line_of_the_limit_passes_and_one_more_byte_does_not(void **state)
{
	struct rig *rig = rig_new(&small);
	int fd = rig_connect(rig);
	char text[8192];
	size_t head = (size_t)sprintf(text, "{\"method\":\"echo\"}");
	json_t *reply;

	memset(text + head, ' ', sizeof(text) - head);
	text[4096] = '\n';
	assert_true(rig_send(rig, fd, text, 4097));
	reply = rig_reply(rig, fd);
	assert_true(json_is_true(json_object_get(reply, "ok")));
	json_decref(reply);
	text[4096] = ' ';
	text[4097] = '\n';
	assert_true(rig_send(rig, fd, text, 4098));
	assert_refused(rig_reply(rig, fd), "usage", "too long");
	assert_true(rig_closed(rig, fd));
	close(fd);
	rig_free(rig);
}

static void test_errors_get_their_code(void **state)
{
	static const struct {
		int code;
		const char *want;
	} rows[] = {
		{ENOENT, "notfound"}, {EINVAL, "usage"},  {EPERM, "refused"},  {EBUSY, "refused"},
		{ENOTSUP, "refused"}, {EIO, "internal"},  {ENOMEM, "internal"}, {ERANGE, "refused"},
	};
	struct rig *rig = rig_new(&small);
	int fd = rig_connect(rig);
	char text[96];

	log_set_level(LOG_ERROR);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		sprintf(text, "{\"method\":\"fail\",\"params\":{\"errno\":%d}}\n", rows[i].code);
		assert_refused(rig_ask(rig, fd, text), rows[i].want, "as asked");
	}
	assert_refused(rig_ask(rig, fd, "{\"method\":\"fail\",\"params\":{\"errno\":2,\"silent\":1}}\n"),
		       "notfound", "No such file");
	assert_refused(rig_ask(rig, fd, "{\"method\":\"fail\",\"params\":{\"errno\":1,\"latin\":1}}\n"),
		       "refused", "caf?");
	close(fd);
	rig_free(rig);
}

static void test_connections_are_bounded(void **state)
{
	struct rig *rig = rig_new(&small);
	int fds[5];

	for (int i = 0; i < 4; i++) {
		fds[i] = rig_connect(rig);
		assert_echoes(rig, fds[i], i);
	}
	fds[4] = rig_connect(rig);
	assert_refused(rig_reply(rig, fds[4]), "refused", "too many connections");
	assert_true(rig_closed(rig, fds[4]));
	close(fds[4]);
	close(fds[0]);
	ev_run(rig->loop, EVRUN_NOWAIT);
	ev_run(rig->loop, EVRUN_NOWAIT);
	fds[0] = rig_connect(rig);
	assert_echoes(rig, fds[0], 9);
	for (int i = 0; i < 4; i++)
		close(fds[i]);
	rig_free(rig);
}

static void test_half_lines_and_silence_time_out(void **state)
{
	struct rig *rig = rig_new(&hasty);
	int half = rig_connect(rig), silent = rig_connect(rig);

	assert_true(rig_send(rig, half, "{\"method\":", 10));
	assert_refused(rig_reply(rig, half), "usage", "timed out");
	assert_true(rig_closed(rig, half));
	assert_true(rig_closed(rig, silent));
	close(half);
	close(silent);
	rig_free(rig);
}

static void test_a_peer_that_does_not_read_is_closed(void **state)
{
	static const char big[] = "{\"method\":\"big\",\"params\":{\"bytes\":3000000}}\n";
	struct rig *rig = rig_new(&hasty);
	int fd = rig_connect(rig), other;

	assert_true(rig_send(rig, fd, big, sizeof(big) - 1));
	/* Not read. Another that asks for as much is over the bound of all replies together. */
	other = rig_connect(rig);
	assert_refused(rig_ask(rig, other, big), "refused", "unread replies");
	close(other);
	for (int turn = 0; turn < 1500; turn++)
		rig_turn(rig, -1);
	/* The part that the kernel held comes, then the end, without the newline. */
	assert_true(rig_closed(rig, fd));
	close(fd);
	fd = rig_connect(rig);
	assert_echoes(rig, fd, 1);
	close(fd);
	rig_free(rig);
}

static void test_a_big_reply_arrives_whole(void **state)
{
	static const char big[] = "{\"method\":\"big\",\"params\":{\"bytes\":3000000}}\n";
	struct rig *rig = rig_new(NULL);
	int fd = rig_connect(rig);

	for (int i = 0; i < 3; i++) {
		json_t *reply = rig_ask(rig, fd, big);

		assert_int_equal(json_string_length(json_object_get(reply, "result")), 3000000);
		json_decref(reply);
	}
	close(fd);
	rig_free(rig);
}

static void publish(struct rig *rig, const char *type, const char *backend, int number)
{
	json_t *event = json_pack("{sssssi}", "event", type, "backend", backend, "n", number);

	control_publish_event(rig->control, event);
	json_decref(event);
}

static int subscribe(struct rig *rig, const char *text)
{
	int fd = rig_connect(rig);
	json_t *reply = rig_ask(rig, fd, text);

	assert_true(json_is_true(json_object_get(reply, "ok")));
	json_decref(reply);
	return fd;
}

static int next_number(struct rig *rig, int fd)
{
	json_t *event = rig_reply(rig, fd);
	int n = event ? (int)json_integer_value(json_object_get(event, "n")) : -1;

	json_decref(event);
	return n;
}

static void test_subscribers_get_what_passes_their_filter(void **state)
{
	struct rig *rig = rig_new(&hasty);
	int all = subscribe(rig, "{\"method\":\"monitor\"}\n");
	int some = subscribe(rig, "{\"method\":\"monitor\",\"params\":{\"types\":[\"weight\"],"
				  "\"match\":{\"backend\":\"fra-1\"}}}\n");

	assert_int_equal(control_subscribers(rig->control), 2);
	publish(rig, "weight", "fra-2", 1);
	publish(rig, "state", "fra-1", 2);
	publish(rig, "weight", "fra-1", 3);
	for (int n = 1; n <= 3; n++)
		assert_int_equal(next_number(rig, all), n);
	assert_int_equal(next_number(rig, some), 3);
	/* Longer than the idle limit: a silent subscriber is no idle one. */
	for (int turn = 0; turn < 1500; turn++)
		rig_turn(rig, -1);
	publish(rig, "weight", "fra-1", 4);
	assert_int_equal(next_number(rig, some), 4);
	close(some);
	ev_run(rig->loop, EVRUN_NOWAIT);
	ev_run(rig->loop, EVRUN_NOWAIT);
	assert_int_equal(control_subscribers(rig->control), 1);
	close(all);
	rig_free(rig);
}

static void test_a_slow_subscriber_loses_events_and_is_told(void **state)
{
	enum { EVENTS = 20000 };
	json_int_t lost = 0, next = 0;
	int got = 0, fd;
	struct rig *rig;

	rig = rig_new(&small);
	fd = subscribe(rig, "{\"method\":\"monitor\"}\n");
	for (int i = 0; i < EVENTS; i++)
		publish(rig, "weight", "fra-1", i);
	/* One more with each line that is read, until one of these gets through: none is missing without a word. */
	for (int extra = 0; next <= EVENTS; extra++) {
		json_t *event = rig_reply(rig, fd), *count = json_object_get(event, "count");

		assert_non_null(event);
		if (count) {
			lost += json_integer_value(count);
			next += json_integer_value(count);
		} else {
			assert_int_equal(json_integer_value(json_object_get(event, "n")), next);
			next++;
			got++;
		}
		json_decref(event);
		publish(rig, "weight", "fra-1", EVENTS + extra);
	}
	print_message("  %d received, %d reported as lost\n", got, (int)lost);
	assert_true(lost > 0);
	close(fd);
	rig_free(rig);
}

static void test_sockets_in_the_way(void **state)
{
	struct rig *rig = rig_new(&small);
	struct control *second = NULL;
	struct err err = {{0}};
	struct stat st;
	char path[128], longer[200];
	int fd;

	assert_int_equal(stat(rig->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
	assert_int_equal(control_new(rig->loop, rig->path, (gid_t)-1, NULL, &err, &second), -EADDRINUSE);
	assert_non_null(strstr(err.text, "another ebbd"));
	fd = rig_connect(rig);
	assert_echoes(rig, fd, 1);
	close(fd);
	snprintf(path, sizeof(path), "%s/file", rig->dir);
	fclose(fopen(path, "w"));
	assert_int_equal(control_new(rig->loop, path, (gid_t)-1, NULL, &err, &second), -EEXIST);
	unlink(path);
	/* A dead daemon's socket is replaced. */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	memcpy(name.sun_path, path, strlen(path));
	assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof(name)), 0);
	close(fd);
	assert_int_equal(control_new(rig->loop, path, (gid_t)-1, NULL, &err, &second), 0);
	control_free(second);
	assert_int_equal(access(path, F_OK), -1);
	memset(longer, 'a', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = 0;
	assert_int_equal(control_new(rig->loop, longer, (gid_t)-1, NULL, &err, &second), -ENAMETOOLONG);
	assert_int_equal(control_new(rig->loop, "/no/such/dir/x", (gid_t)-1, NULL, &err, &second), -ENOENT);
	rig_free(rig);
}

/* A stranger who got past the file mode is refused by his credentials; a member of the group is not. */
static void test_strangers_are_refused(void **state)
{
	static const struct {
		const char *name;
		gid_t gid, extra;
		bool welcome;
	} rows[] = {
		{"nobody", 65534, 65534, false},
		{"member by primary group", 4242, 4242, true},
		{"member by supplementary group", 65534, 4242, true},
	};
	struct control *control = NULL;
	struct rig *rig;
	char path[128];

	if (geteuid() != 0)
		skip();
	log_set_level(LOG_ERROR);
	rig = rig_new(&small);
	snprintf(path, sizeof(path), "%s/group", rig->dir);
	assert_int_equal(control_new(rig->loop, path, 4242, &small, NULL, &control), 0);
	assert_int_equal(control_register(control, "echo", handle_echo, rig, CONTROL_READ), 0);
	assert_int_equal(chmod(path, 0666), 0);
	assert_int_equal(chmod(rig->dir, 0755), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int ends[2], status;
		pid_t child;

		print_message("  %s\n", rows[i].name);
		assert_int_equal(pipe(ends), 0);
		child = fork();
		if (child == 0) {
			struct sockaddr_un name = {.sun_family = AF_UNIX};
			char got[256] = {0};
			int fd = socket(AF_UNIX, SOCK_STREAM, 0);

			strcpy(name.sun_path, path);
			if (setgroups(1, &rows[i].extra) || setresgid(rows[i].gid, rows[i].gid, rows[i].gid) ||
			    setresuid(65534, 65534, 65534) ||
			    connect(fd, (struct sockaddr *)&name, sizeof(name)))
				_exit(3);
			send(fd, "{\"method\":\"echo\"}\n", 18, MSG_NOSIGNAL);
			if (recv(fd, got, sizeof(got) - 1, 0) <= 0)
				_exit(4);
			_exit(strstr(got, "\"ok\":true") ? 0 : strstr(got, "only root") ? 1 : 5);
		}
		close(ends[0]);
		close(ends[1]);
		while (waitpid(child, &status, WNOHANG) == 0)
			rig_turn(rig, -1);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), rows[i].welcome ? 0 : 1);
	}
	control_free(control);
	rig_free(rig);
}

static void test_methods_are_registered_once(void **state)
{
	struct rig *rig = rig_new(&small);

	assert_int_equal(control_register(rig->control, "echo", handle_echo, rig, CONTROL_READ), -EEXIST);
	assert_int_equal(control_register(rig->control, "monitor", handle_echo, rig, CONTROL_READ), -EEXIST);
	assert_int_equal(control_register(rig->control, "", handle_echo, rig, CONTROL_READ), -EINVAL);
	assert_int_equal(control_register(rig->control, "A b", handle_echo, rig, CONTROL_READ), -EINVAL);
	rig_free(rig);
}

/* Lines made of pieces of requests and of noise: every one is answered or closed upon, and the next rig lives. */
static void test_noise(void **state)
{
	static const char *const pieces[] = {"{", "}", "\"method\":", "\"echo\"", ",", "[", "]", "\n", "\0",
					     "\"id\":1", "\"params\":{}", "\xff\xfe", "1e999", "\\u0000",
					     "{\"method\":\"echo\"}\n", "{\"method\":\"monitor\"}\n"};
	struct rig *rig = rig_new(&small);
	unsigned int seed = 20261123;

	print_message("  seed %u\n", seed);
	log_set_level(LOG_ERROR);
	for (int round = 0; round < 300; round++) {
		int fd = rig_connect(rig);
		char drain[4096];

		for (int i = 0; i < 40; i++) {
			const char *piece = pieces[(unsigned int)rand_r(&seed) % (sizeof(pieces) / sizeof(pieces[0]))];

			if (!rig_send(rig, fd, piece, piece[0] ? strlen(piece) : 1))
				break;
			while (recv(fd, drain, sizeof(drain), 0) > 0)
				;
		}
		close(fd);
		ev_run(rig->loop, EVRUN_NOWAIT);
		ev_run(rig->loop, EVRUN_NOWAIT);
	}
	int fd = rig_connect(rig);
	assert_echoes(rig, fd, 5);
	close(fd);
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests_are_answered),
		cmocka_unit_test(test_bytes_may_come_one_by_one),
		cmocka_unit_test(test_pipelined_requests_keep_their_order),
		cmocka_unit_test(test_bad_requests_are_refused_and_the_next_one_is_heard),
		cmocka_unit_test(test_raw_nuls_and_deep_nesting_are_refused),
		cmocka_unit_test(test_ten_megabytes_without_newline_end_the_connection),
		cmocka_unit_test(test_a_line_of_the_limit_passes_and_one_more_byte_does_not),
		cmocka_unit_test(test_errors_get_their_code),
		cmocka_unit_test(test_connections_are_bounded),
		cmocka_unit_test(test_half_lines_and_silence_time_out),
		cmocka_unit_test(test_a_peer_that_does_not_read_is_closed),
		cmocka_unit_test(test_a_big_reply_arrives_whole),
		cmocka_unit_test(test_subscribers_get_what_passes_their_filter),
		cmocka_unit_test(test_a_slow_subscriber_loses_events_and_is_told),
		cmocka_unit_test(test_sockets_in_the_way),
		cmocka_unit_test(test_strangers_are_refused),
		cmocka_unit_test(test_methods_are_registered_once),
		cmocka_unit_test(test_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
