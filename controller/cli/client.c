// SPDX-License-Identifier: GPL-2.0-or-later
/* client: see client.h. */
#include "controller/cli/client.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "controller/mono.h"

struct client {
	int fd;
	json_int_t next_id;
	char *in;
	size_t used, size;
	size_t taken; /* bytes of `in` that were handed out as a line */
};

int client_open(const char *path, struct err *err, struct client **ret_client)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	struct client *client;
	int rc;

	if (strlen(path) >= sizeof(name.sun_path))
		return err_set(err, ENAMETOOLONG, "%.60s...: a socket's path has at most %zu bytes", path,
			       sizeof(name.sun_path) - 1);
	memcpy(name.sun_path, path, strlen(path));
	client = calloc(1, sizeof(*client));
	if (!client)
		return err_set(err, ENOMEM, "out of memory");
	client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (client->fd >= 0 && connect(client->fd, (struct sockaddr *)&name, sizeof(name)) == 0) {
		*ret_client = client;
		return 0;
	}
	rc = errno;
	client_close(client);
	switch (rc) {
	case ENOENT:
	case ECONNREFUSED:
		return err_set(err, rc, "no ebbd listens on %s; is it running? (-s names another socket)", path);
	case EACCES:
	case EPERM:
		return err_set(err, rc, "no permission for %s; become root or a member of its group", path);
	default:
		return err_set(err, rc, "cannot reach ebbd on %s: %s", path, strerror(rc));
	}
}

void client_close(struct client *client)
{
	if (!client)
		return;
	if (client->fd >= 0)
		close(client->fd);
	free(client->in);
	free(client);
}

/* Waits for `events` until `deadline` (v 0: for ever). 0, -ETIMEDOUT, -EINTR. */
static int client_wait(struct client *client, short events, struct mono_ns deadline, struct err *err)
{
	struct pollfd ready = {.fd = client->fd, .events = events};
	double left = deadline.v ? mono_seconds_between(mono_now(), deadline) : 0;
	int rc = poll(&ready, 1, !deadline.v ? -1 : left <= 0 ? 0 : (int)ceil(left * 1000));

	if (rc < 0)
		return err_set(err, errno, "%s", strerror(errno));
	return rc ? 0 : err_set(err, ETIMEDOUT, "ebbd did not answer in time (--timeout sets how long to wait)");
}

static int client_send(struct client *client, const char *bytes, size_t length,
		       struct mono_ns deadline, struct err *err)
{
	while (length) {
		ssize_t sent = send(client->fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
		int rc;

		if (sent < 0 && errno != EAGAIN && errno != EINTR)
			return 0; /* the daemon has closed; what it said before that is still to be read */
		if (sent < 0) {
			rc = client_wait(client, POLLOUT, deadline, err);
			if (rc)
				return rc;
			continue;
		}
		bytes += sent;
		length -= (size_t)sent;
	}
	return 0;
}

static int client_room(struct client *client, struct err *err)
{
	char *in;

	if (client->taken) {
		memmove(client->in, client->in + client->taken, client->used - client->taken);
		client->used -= client->taken;
		client->taken = 0;
	}
	if (client->used < client->size)
		return 0;
	if (client->size >= CLIENT_LINE_MAX)
		return err_set(err, EPROTO, "the reply is too long");
	client->size = client->size ? client->size * 2 : 65536;
	in = realloc(client->in, client->size);
	if (!in)
		return err_set(err, ENOMEM, "out of memory");
	client->in = in;
	return 0;
}

/* The next line, without its newline, borrowed until the next call. */
static int client_line(struct client *client, struct mono_ns deadline, struct err *err,
		       char **ret_line, size_t *ret_length)
{
	size_t scanned = client->taken;

	for (;;) {
		char *end = client->used > scanned
				    ? memchr(client->in + scanned, '\n', client->used - scanned)
				    : NULL;
		ssize_t got;
		int rc;

		if (end) {
			*ret_line = client->in + client->taken;
			*ret_length = (size_t)(end - *ret_line);
			client->taken = (size_t)(end + 1 - client->in);
			return 0;
		}
		rc = client_room(client, err);
		scanned = client->used;
		if (rc == 0)
			rc = client_wait(client, POLLIN, deadline, err);
		if (rc)
			return rc;
		got = recv(client->fd, client->in + client->used, client->size - client->used, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return err_set(err, ECONNRESET, "ebbd closed the connection without an answer");
		client->used += (size_t)got;
	}
}

static int client_document(struct client *client, struct mono_ns deadline, struct err *err,
			   json_t **ret_document)
{
	size_t length = 0;
	char *line = NULL;
	json_t *document;
	int rc = client_line(client, deadline, err, &line, &length);

	if (rc)
		return rc;
	document = json_loadb(line, length, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(document)) {
		json_decref(document);
		return err_set(err, EPROTO, "what listens on this socket does not speak as an ebbd does");
	}
	*ret_document = document;
	return 0;
}

static struct mono_ns client_deadline(double timeout_s)
{
	return timeout_s < 0 ? (struct mono_ns){0} : mono_after(mono_now(), timeout_s);
}

/* What a refusal's `code` means here. */
static int client_refusal(const json_t *reply, struct err *err)
{
	static const struct {
		const char *code;
		int value;
	} codes[] = {{"notfound", ENOENT}, {"usage", EINVAL}, {"refused", EPERM}, {"internal", EIO}};
	const char *code = json_string_value(json_object_get(reply, "code"));
	const char *text = json_string_value(json_object_get(reply, "error"));

	for (size_t i = 0; code && i < sizeof(codes) / sizeof(codes[0]); i++) {
		if (strcmp(code, codes[i].code) == 0)
			return err_set(err, codes[i].value, "%s", text ? text : code);
	}
	return err_set(err, EPROTO, "ebbd refused, and gave no reason that this ebb knows");
}

int client_call(struct client *client, const char *method, const json_t *params, double timeout_s,
		struct err *err, json_t **ret_result)
{
	struct mono_ns deadline = client_deadline(timeout_s);
	json_int_t id = ++client->next_id;
	json_t *request = json_pack("{sIsssO*}", "id", id, "method", method, "params", params);
	char *text = json_dumps(request, JSON_COMPACT);
	json_t *reply = NULL, *result;
	size_t length;
	int rc;

	json_decref(request);
	if (!text)
		return err_set(err, EINVAL, "the arguments are not valid UTF-8");
	length = strlen(text);
	text[length] = '\n'; /* in place of the NUL; JSON itself holds none when compact */
	rc = client_send(client, text, length + 1, deadline, err);
	free(text);
	if (rc == 0)
		rc = client_document(client, deadline, err, &reply);
	if (rc)
		return rc;
	result = json_object_get(reply, "result");
	if (json_is_true(json_object_get(reply, "ok"))) {
		if (json_integer_value(json_object_get(reply, "id")) == id)
			*ret_result = json_incref(result ? result : json_null());
		else
			rc = err_set(err, EPROTO, "ebbd answered another request");
	} else {
		rc = client_refusal(reply, err);
	}
	json_decref(reply);
	return rc;
}

int client_next(struct client *client, double timeout_s, struct err *err, json_t **ret_document)
{
	return client_document(client, client_deadline(timeout_s), err, ret_document);
}
