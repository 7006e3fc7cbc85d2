// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * conn: see conn.h. All work happens in three callbacks of the loop (readable, writable, clock); closing is
 * always done from one of them, never from within conn_send(), so an owner may send without fear for its pointer.
 */
#include "controller/conn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controller/mono.h"

#define CONN_READ_BYTES	   65536
#define CONN_LINES_A_TURN  64 /* then others get the loop */
#define CONN_OUT_KEEP_BYTES 65536 /* an output buffer larger than this is given back when empty */

struct conn {
	struct ev_loop *loop;
	const struct conn_owner *owner;
	struct ucred peer;
	int fd;
	struct ev_io reader, writer;
	struct ev_timer clock, turn;
	char *in, *out;
	size_t in_used, in_size;
	size_t scanned; /* bytes of `in` known to hold no newline */
	size_t out_start, out_used, out_size;
	struct mono_ns progress; /* when a whole line came or output was taken; wall time may be set */
	bool finishing, only_push, eof, broken;
};

static void conn_close(struct conn *conn)
{
	conn->owner->on_closed(conn->owner->ctx, conn);
	conn_free(conn);
}

void conn_free(struct conn *conn)
{
	if (!conn)
		return;
	ev_io_stop(conn->loop, &conn->reader);
	ev_io_stop(conn->loop, &conn->writer);
	ev_timer_stop(conn->loop, &conn->clock);
	ev_timer_stop(conn->loop, &conn->turn);
	*conn->owner->unread_bytes -= conn_unread_bytes(conn);
	close(conn->fd);
	free(conn->in);
	free(conn->out);
	free(conn);
}

const struct ucred *conn_peer(const struct conn *conn)
{
	return &conn->peer;
}

size_t conn_unread_bytes(const struct conn *conn)
{
	return conn->out_used - conn->out_start;
}

/* Lets the clock callback close it in the next turn of the loop. */
static void conn_break(struct conn *conn)
{
	conn->broken = true;
	ev_io_stop(conn->loop, &conn->reader);
	ev_io_stop(conn->loop, &conn->writer);
	ev_timer_stop(conn->loop, &conn->turn);
	ev_timer_set(&conn->turn, 0, 0);
	ev_timer_start(conn->loop, &conn->turn);
}

static int conn_keep(struct conn *conn, const char *bytes, size_t length)
{
	size_t unread = conn_unread_bytes(conn), size = conn->out_size;
	char *out;

	if (conn->out_start) {
		memmove(conn->out, conn->out + conn->out_start, unread);
		conn->out_start = 0;
		conn->out_used = unread;
	}
	if (unread + length > size) {
		size = unread + length + unread / 2;
		out = realloc(conn->out, size);
		if (!out)
			return -ENOMEM;
		conn->out = out;
		conn->out_size = size;
	}
	memcpy(conn->out + unread, bytes, length);
	conn->out_used += length;
	*conn->owner->unread_bytes += length;
	ev_io_start(conn->loop, &conn->writer);
	return 0;
}

int conn_send(struct conn *conn, const char *bytes, size_t length)
{
	ssize_t sent = 0;
	int rc;

	if (conn->broken)
		return -EPIPE;
	if (!conn_unread_bytes(conn)) {
		conn->progress = mono_now();
		sent = send(conn->fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0 && errno != EAGAIN && errno != EINTR) {
			rc = -errno;
			conn_break(conn);
			return rc;
		}
		if (sent < 0)
			sent = 0;
	}
	if ((size_t)sent == length)
		return 0;
	rc = conn_keep(conn, bytes + sent, length - (size_t)sent);
	if (rc)
		conn_break(conn);
	return rc;
}

void conn_finish(struct conn *conn)
{
	conn->finishing = true;
	ev_io_stop(conn->loop, &conn->reader);
	if (!conn_unread_bytes(conn))
		conn_break(conn);
}

void conn_only_push(struct conn *conn)
{
	conn->only_push = true;
}

static void conn_give_up(struct conn *conn, const char *why)
{
	conn->owner->on_broken(conn->owner->ctx, conn, why);
	if (!conn->broken)
		conn_finish(conn);
}

/* Hands up whole lines while nothing is unread. False: the rest waits for a later turn. */
static bool conn_lines(struct conn *conn)
{
	size_t start = 0;
	int turns = 0;

	while (!conn->finishing && !conn->broken && !conn->only_push && !conn_unread_bytes(conn)) {
		char *line = conn->in + start;
		char *end = memchr(line + conn->scanned, '\n', conn->in_used - start - conn->scanned);

		if (!end || turns++ == CONN_LINES_A_TURN)
			break;
		*end = 0;
		conn->scanned = 0;
		conn->progress = mono_now();
		start = (size_t)(end + 1 - conn->in);
		if ((size_t)(end - line) > conn->owner->line_bytes) {
			conn_give_up(conn, "the line is too long");
			break;
		}
		conn->owner->on_line(conn->owner->ctx, conn, line, (size_t)(end - line));
	}
	if (conn->only_push)
		start = conn->in_used;
	memmove(conn->in, conn->in + start, conn->in_used - start);
	conn->in_used -= start;
	return turns <= CONN_LINES_A_TURN;
}

/* After anything has happened: what may go on, what must wait, what is over. */
static void conn_go_on(struct conn *conn)
{
	bool idle = conn_lines(conn);
	bool blocked = conn_unread_bytes(conn) && !conn->only_push;

	if (conn->broken || conn->finishing)
		return;
	if (!idle) {
		ev_io_stop(conn->loop, &conn->reader);
		ev_timer_stop(conn->loop, &conn->turn);
		ev_timer_set(&conn->turn, 0, 0);
		ev_timer_start(conn->loop, &conn->turn);
	} else if (blocked) {
		ev_io_stop(conn->loop, &conn->reader);
	} else if (conn->eof) {
		conn_break(conn);
	} else {
		conn->scanned = conn->in_used;
		if (conn->in_used > conn->owner->line_bytes)
			conn_give_up(conn, "the line is too long");
		else
			ev_io_start(conn->loop, &conn->reader);
	}
}

/* Room for a read, and for the NUL that ends a line: at most one line and one read. */
static int conn_grow(struct conn *conn)
{
	size_t size = conn->in_size;
	char *in;

	if (size - conn->in_used > 4096)
		return 0;
	size = size ? size * 2 : 8192;
	if (size > conn->owner->line_bytes + CONN_READ_BYTES)
		size = conn->owner->line_bytes + CONN_READ_BYTES;
	if (size <= conn->in_used + 1)
		return -ENOBUFS;
	in = realloc(conn->in, size);
	if (!in)
		return -ENOMEM;
	conn->in = in;
	conn->in_size = size;
	return 0;
}

static void conn_readable(struct ev_loop *loop, struct ev_io *watcher, int events)
{
	struct conn *conn = watcher->data;
	ssize_t got;

	if (conn_grow(conn)) {
		conn_close(conn);
		return;
	}
	got = recv(conn->fd, conn->in + conn->in_used, conn->in_size - conn->in_used - 1,
		   MSG_DONTWAIT);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got < 0) {
		conn_close(conn);
		return;
	}
	if (got == 0) {
		conn->eof = true;
		ev_io_stop(loop, &conn->reader);
	}
	conn->in_used += (size_t)got;
	conn_go_on(conn);
}

static void conn_writable(struct ev_loop *loop, struct ev_io *watcher, int events)
{
	struct conn *conn = watcher->data;
	ssize_t sent = send(conn->fd, conn->out + conn->out_start, conn_unread_bytes(conn),
			    MSG_NOSIGNAL | MSG_DONTWAIT);

	if (sent < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (sent < 0) {
		conn_close(conn);
		return;
	}
	conn->progress = mono_now();
	conn->out_start += (size_t)sent;
	*conn->owner->unread_bytes -= (size_t)sent;
	if (conn_unread_bytes(conn))
		return;
	ev_io_stop(loop, &conn->writer);
	conn->out_start = conn->out_used = 0;
	if (conn->out_size > CONN_OUT_KEEP_BYTES) {
		free(conn->out);
		conn->out = NULL;
		conn->out_size = 0;
	}
	if (conn->finishing)
		conn_close(conn);
	else
		conn_go_on(conn);
}

static void conn_turn(struct ev_loop *loop, struct ev_timer *watcher, int events)
{
	struct conn *conn = watcher->data;

	if (conn->broken)
		conn_close(conn);
	else
		conn_go_on(conn);
}

static void conn_clock(struct ev_loop *loop, struct ev_timer *watcher, int events)
{
	struct conn *conn = watcher->data;
	bool listening = conn->only_push && !conn_unread_bytes(conn);
	double left = conn->owner->idle_s - mono_seconds_between(conn->progress, mono_now());

	if (listening || left > 0) {
		watcher->repeat = listening ? conn->owner->idle_s : left;
		ev_timer_again(loop, watcher);
	} else if (conn->in_used && !conn_unread_bytes(conn) && !conn->finishing) {
		conn->progress = mono_now();
		conn_give_up(conn, "timed out in the middle of a line");
		watcher->repeat = conn->owner->idle_s;
		ev_timer_again(loop, watcher);
	} else {
		conn_close(conn);
	}
}

int conn_new(struct ev_loop *loop, int fd, const struct ucred *peer,
	     const struct conn_owner *owner, struct conn **ret_conn)
{
	struct conn *conn = calloc(1, sizeof(*conn));

	if (!conn) {
		close(fd);
		return -ENOMEM;
	}
	conn->loop = loop;
	conn->owner = owner;
	conn->peer = *peer;
	conn->fd = fd;
	conn->progress = mono_now();
	ev_io_init(&conn->reader, conn_readable, fd, EV_READ);
	ev_io_init(&conn->writer, conn_writable, fd, EV_WRITE);
	ev_timer_init(&conn->clock, conn_clock, 0, owner->idle_s);
	ev_timer_init(&conn->turn, conn_turn, 0, 0);
	conn->reader.data = conn->writer.data = conn;
	conn->clock.data = conn->turn.data = conn;
	ev_io_start(loop, &conn->reader);
	ev_timer_again(loop, &conn->clock);
	*ret_conn = conn;
	return 0;
}
