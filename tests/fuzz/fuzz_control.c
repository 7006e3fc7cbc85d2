// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_control: any bytes on the control socket, in pieces of any size. The first byte chooses the size of the pieces, the
 * rest is what a client sends before it half-closes. Every reply must be a whole JSON line of the documented form; there is
 * at most one for each line sent, and one more for what was no line; handlers see objects only; in the end the
 * connection is closed and nothing is left over.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "controller/control.h"
#include "controller/log.h"
#include "tests/fuzz/fuzz.h"

#define TURNS_MAX   100000
#define REPLIES_MAX (8 * 1024 * 1024)

static struct ev_loop *loop;
static struct control *control;
static struct sockaddr_un name = {.sun_family = AF_UNIX};

static const struct control_limits limits = {
	.connections = 2,
	.request_bytes = 4096,
	.reply_bytes = 1024 * 1024,
	.subscriber_bytes = 4096,
	.idle_s = 30,
};

static int handle_echo(void *ctx, const json_t *params, json_t **ret_result, struct err *err)
{
	must(json_is_object(params) && control_peer(control));
	*ret_result = json_incref((json_t *)params);
	return 0;
}

static int handle_fail(void *ctx, const json_t *params, json_t **ret_result, struct err *err)
{
	const char *text = json_string_value(json_object_get(params, "text"));
	int code = json_integer_value(json_object_get(params, "errno")) & 0x7f;

	must(json_is_object(params));
	return err_set(err, code ? code : EINVAL, "%s", text ?: "");
}

static int handle_event(void *ctx, const json_t *params, json_t **ret_result, struct err *err)
{
	must(json_is_object(params));
	if (json_is_string(json_object_get(params, "event")))
		control_publish_event(control, params);
	return 0;
}

static void clean(void)
{
	control_free(control);
	ev_loop_destroy(loop);
	unlink(name.sun_path);
	*strrchr(name.sun_path, '/') = '\0';
	rmdir(name.sun_path);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char dir[] = "/tmp/ebb-fuzz-control-XXXXXX";
	struct err err;

	must(mkdtemp(dir));
	snprintf(name.sun_path, sizeof(name.sun_path), "%s/sock", dir);
	log_set_level(LOG_ERROR);
	loop = ev_loop_new(EVFLAG_NOENV);
	must(loop && control_new(loop, name.sun_path, (gid_t)-1, &limits, &err, &control) == 0);
	must(control_register(control, "echo", handle_echo, NULL, CONTROL_READ) == 0);
	must(control_register(control, "fail", handle_fail, NULL, CONTROL_CHANGES) == 0);
	must(control_register(control, "event", handle_event, NULL, CONTROL_CHURN) == 0);
	atexit(clean);
	return 0;
}

/* Reads what there is. False: the other side closed. */
static bool receive(int fd, char *replies, size_t *used)
{
	ssize_t got = recv(fd, replies + *used, REPLIES_MAX - *used, MSG_DONTWAIT);

	must(*used < REPLIES_MAX);
	if (got > 0)
		*used += got;
	return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
}

/* Sends all, then half-closes, then waits for the end. */
static size_t converse(const uint8_t *bytes, size_t length, size_t piece, char *replies)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool open = true, half = false;
	size_t used = 0;
	ssize_t sent;

	must(fd >= 0 && connect(fd, (struct sockaddr *)&name, sizeof(name)) == 0);
	for (int turn = 0; open && turn < TURNS_MAX; turn++) {
		sent = length ? send(fd, bytes, piece < length ? piece : length, MSG_NOSIGNAL) : 0;
		if (sent > 0) {
			bytes += sent;
			length -= sent;
		}
		if (!length && !half) {
			shutdown(fd, SHUT_WR);
			half = true;
		}
		ev_run(loop, EVRUN_NOWAIT);
		open = receive(fd, replies, &used);
		if (sent < 0 && errno == EPIPE)
			length = 0;
	}
	must(!open);
	close(fd);
	return used;
}

static void check_reply(const char *line, size_t length)
{
	json_t *reply = json_loadb(line, length, JSON_REJECT_DUPLICATES, NULL);
	const json_t *id = json_object_get(reply, "id"), *ok = json_object_get(reply, "ok");

	must(json_is_object(reply));
	if (ok) {
		must(json_is_boolean(ok) && id);
		must(json_is_null(id) || json_is_integer(id) || json_is_string(id));
		must(json_is_true(ok) ? json_object_get(reply, "result") != NULL :
					json_is_string(json_object_get(reply, "error")) &&
						json_is_string(json_object_get(reply, "code")));
	} else {
		must(json_is_string(json_object_get(reply, "event")));
	}
	json_decref(reply);
}

static size_t count_lines(const char *bytes, size_t length)
{
	size_t lines = 0;

	for (size_t i = 0; i < length; i++)
		lines += bytes[i] == '\n';
	return lines;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	static char replies[REPLIES_MAX + 1];
	size_t used, lines, piece;

	if (!length)
		return 0;
	piece = bytes[0] ? bytes[0] : 65536;
	used = converse(bytes + 1, length - 1, piece, replies);
	must(!used || replies[used - 1] == '\n');
	for (char *line = replies, *end; line < replies + used; line = end + 1) {
		end = memchr(line, '\n', replies + used - line);
		check_reply(line, end - line);
	}
	lines = count_lines(replies, used);
	must(lines <= 2 * (count_lines((const char *)bytes + 1, length - 1) + 1)); /* an event and a reply */
	must(control_subscribers(control) == 0);
	return 0;
}
