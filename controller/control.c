// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * control: see control.h. Takes lines from conn.c, makes requests of them, gives them to the registered handlers
 * and sends what they answer. Listening is control_socket.c's.
 */
#include "controller/control.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controller/conn.h"
#include "controller/control_socket.h"
#include "controller/log.h"

#define CONTROL_METHODS_MAX	128
#define CONTROL_METHOD_NAME_MAX 48
#define CONTROL_FILTER_TYPES_MAX 32
#define CONTROL_FILTER_MATCH_MAX 8
#define CONTROL_ACCEPT_PAUSE_S	1.0 /* when the process has no descriptor left */

static const struct control_limits control_defaults = {
	.connections = 64,
	.request_bytes = 1024 * 1024,
	.reply_bytes = 256ULL * 1024 * 1024,
	.subscriber_bytes = 1024 * 1024,
	.idle_s = 30,
};

struct method {
	char name[CONTROL_METHOD_NAME_MAX];
	control_handler_fn handler;
	void *ctx;
	enum control_kind kind;
};

struct client {
	struct conn *conn; /* NULL: free */
	bool subscribed;
	json_t *types, *match; /* of a subscriber; may be NULL */
	uint64_t dropped;      /* events, since it was last told */
};

struct control {
	struct ev_loop *loop;
	struct control_limits limits;
	struct conn_owner owner;
	struct control_socket socket;
	struct ev_io listener;
	struct ev_timer accept_pause;
	struct method methods[CONTROL_METHODS_MAX];
	uint32_t method_count;
	struct client *clients; /* limits.connections */
	uint32_t client_count;
	uint64_t unread_bytes;
	const struct ucred *peer; /* whose handler runs */
};

static struct client *control_client(struct control *control, const struct conn *conn)
{
	for (uint32_t i = 0; i < control->limits.connections; i++) {
		if (control->clients[i].conn == conn)
			return &control->clients[i];
	}
	return NULL;
}

/* --- replies */

static void control_send(struct control *control, struct conn *conn, const json_t *doc)
{
	static const char busy[] = "{\"id\":null,\"ok\":false,\"code\":\"refused\","
				   "\"error\":\"too many unread replies; read them first\"}\n";
	char *text = json_dumps(doc, JSON_COMPACT | JSON_PRESERVE_ORDER);
	size_t length = text ? strlen(text) : 0;

	if (!text || control->unread_bytes + length > control->limits.reply_bytes) {
		conn_send(conn, busy, sizeof(busy) - 1);
		conn_finish(conn);
	} else {
		text[length] = '\n'; /* in place of the NUL: one write for line and newline */
		conn_send(conn, text, length + 1);
	}
	free(text);
}

/* `text` as JSON; what is not UTF-8 in it (a name that was cut, a path) becomes question marks. */
static json_t *control_text(const char *text)
{
	json_t *string = json_string(text);
	char *plain;

	if (string)
		return string;
	plain = strdup(text);
	for (char *p = plain; p && *p; p++)
		*p = (unsigned char)*p < 0x80 ? *p : '?';
	string = plain ? json_string(plain) : NULL;
	free(plain);
	return string;
}

static void control_refuse(struct control *control, struct conn *conn, const json_t *id,
			   const char *code, const char *text)
{
	json_t *doc = json_pack("{sO?sbso?ss}", "id", id, "ok", 0, "error", control_text(text),
				"code", code);

	control_send(control, conn, doc);
	json_decref(doc);
}

static const char *control_code(int rc)
{
	switch (-rc) {
	case ENOENT:
		return "notfound";
	case EINVAL:
		return "usage";
	case ENOMEM:
	case EIO:
	case EFAULT:
	case EPROTO:
		return "internal";
	default:
		return "refused";
	}
}

/* --- requests */

static const struct method *control_method(const struct control *control, const char *name)
{
	for (uint32_t i = 0; i < control->method_count; i++) {
		if (strcmp(control->methods[i].name, name) == 0)
			return &control->methods[i];
	}
	return NULL;
}

static void control_log(const struct method *method, const struct ucred *peer,
			const json_t *params, int rc, const struct err *err)
{
	char *text;

	if (method->kind == CONTROL_READ || (method->kind == CONTROL_CHURN && rc == 0))
		return;
	text = json_dumps(params, JSON_COMPACT | JSON_PRESERVE_ORDER);
	log_info("control", "method=%s uid=%u pid=%d outcome=%s params=%s%s%s", method->name,
		 peer->uid, peer->pid, rc ? control_code(rc) : "done",
		 text ? log_quote(text) : "", rc ? " error=" : "", rc ? log_quote(err->text) : "");
	free(text);
}

static void control_call(struct control *control, struct conn *conn, const struct method *method,
			 const json_t *id, const json_t *params)
{
	struct err err = {{0}};
	json_t *result = NULL, *doc;
	int rc;

	control->peer = conn_peer(conn);
	rc = method->handler(method->ctx, params, &result, &err);
	control->peer = NULL;
	if (rc && !err.text[0])
		err_set(&err, -rc, "%s", strerror(-rc));
	control_log(method, conn_peer(conn), params, rc, &err);
	if (rc) {
		control_refuse(control, conn, id, control_code(rc), err.text);
		return;
	}
	doc = json_pack("{sO?sbso?}", "id", id, "ok", 1, "result", result);
	control_send(control, conn, doc);
	json_decref(doc);
}

/* NULL or what is wrong with the filter of a `monitor`. */
static const char *control_filter_wrong(const json_t *params, json_t *types, json_t *match)
{
	const char *key;
	json_t *value;
	size_t i;

	json_object_foreach((json_t *)params, key, value)
	{
		if (value != types && value != match)
			return "monitor takes \"types\" and \"match\"";
	}
	if (types && (!json_is_array(types) || json_array_size(types) > CONTROL_FILTER_TYPES_MAX))
		return "\"types\" must be an array of at most 32 event types";
	json_array_foreach(types, i, value)
	{
		if (!json_is_string(value))
			return "\"types\" must be an array of strings";
	}
	if (match && (!json_is_object(match) || json_object_size(match) > CONTROL_FILTER_MATCH_MAX))
		return "\"match\" must be an object of at most 8 members";
	return NULL;
}

static void control_subscribe(struct control *control, struct conn *conn, const json_t *id,
			      const json_t *params)
{
	struct client *client = control_client(control, conn);
	json_t *types = json_object_get(params, "types"), *match = json_object_get(params, "match");
	const char *wrong = control_filter_wrong(params, types, match);
	json_t *doc;

	if (wrong) {
		control_refuse(control, conn, id, "usage", wrong);
		return;
	}
	client->subscribed = true;
	client->types = json_incref(types);
	client->match = json_incref(match);
	doc = json_pack("{sO?sbsn}", "id", id, "ok", 1, "result");
	control_send(control, conn, doc);
	json_decref(doc);
	conn_only_push(conn);
}

/* NULL, or why this document is no request. */
static const char *control_request_wrong(const json_t *request, const json_t *id,
					 const json_t *method, const json_t *params)
{
	const char *key;
	json_t *value;

	if (!json_is_object(request))
		return "a request is an object: {\"id\": 1, \"method\": \"status\", \"params\": {}}";
	json_object_foreach((json_t *)request, key, value)
	{
		if (strcmp(key, "id") && strcmp(key, "method") && strcmp(key, "params"))
			return "a request has \"id\", \"method\" and \"params\", nothing else";
	}
	if (id && !json_is_integer(id) && !json_is_string(id))
		return "\"id\" must be an integer or a string";
	if (!json_is_string(method))
		return "\"method\" must be a string";
	if (params && !json_is_object(params))
		return "\"params\" must be an object";
	return NULL;
}

static void control_dispatch(struct control *control, struct conn *conn, const json_t *request)
{
	const json_t *id = json_object_get(request, "id");
	const json_t *name = json_object_get(request, "method");
	const json_t *params = json_object_get(request, "params");
	const char *wrong = control_request_wrong(request, id, name, params);
	const struct method *method;
	json_t *none = json_object();
	struct err err;

	if (!wrong && strcmp(json_string_value(name), "monitor") == 0) {
		control_subscribe(control, conn, id, params ? params : none);
	} else if (wrong) {
		control_refuse(control, conn, json_is_integer(id) || json_is_string(id) ? id : NULL,
			       "usage", wrong);
	} else if ((method = control_method(control, json_string_value(name)))) {
		control_call(control, conn, method, id, params ? params : none);
	} else {
		err_set(&err, ENOTSUP, "this ebbd has no method \"%.40s\"", json_string_value(name));
		control_refuse(control, conn, id, "refused", err.text);
	}
	json_decref(none);
}

static void control_line(void *ctx, struct conn *conn, char *line, size_t length)
{
	struct control *control = ctx;
	json_error_t where;
	json_t *request;
	struct err err;

	request = json_loadb(line, length, JSON_REJECT_DUPLICATES, &where);
	if (request) {
		control_dispatch(control, conn, request);
	} else {
		err_set(&err, EINVAL, "not a JSON document: %s (byte %d)", where.text, where.position);
		control_refuse(control, conn, NULL, "usage", err.text);
	}
	json_decref(request);
}

static void control_broken(void *ctx, struct conn *conn, const char *why)
{
	control_refuse(ctx, conn, NULL, "usage", why);
}

static void control_closed(void *ctx, struct conn *conn)
{
	struct control *control = ctx;
	struct client *client = control_client(control, conn);

	json_decref(client->types);
	json_decref(client->match);
	*client = (struct client){0};
	control->client_count--;
}

/* --- connections */

static void control_turn_away(int fd, const char *why)
{
	char text[256];
	int length = snprintf(text, sizeof(text),
			      "{\"id\":null,\"ok\":false,\"error\":\"%s\",\"code\":\"refused\"}\n", why);

	/* Best effort: its socket buffer is empty, so this fits or nobody is there. */
	if (send(fd, text, (size_t)length, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		log_debug("control", "outcome=unheard");
	close(fd);
}

static void control_welcome(struct control *control, int fd)
{
	struct client *client = control_client(control, NULL);
	struct ucred peer = {0};

	if (!client) {
		control_turn_away(fd, "too many connections to ebbd; close some, or try again in half a minute");
	} else if (!control_socket_allows(&control->socket, fd, &peer)) {
		log_warn("control", "outcome=refused uid=%u pid=%d", peer.uid, peer.pid);
		control_turn_away(fd, "only root, the daemon's user and the socket's group may ask");
	} else if (conn_new(control->loop, fd, &peer, &control->owner, &client->conn) == 0) {
		control->client_count++;
	}
}

static void control_acceptable(struct ev_loop *loop, struct ev_io *watcher, int events)
{
	struct control *control = watcher->data;
	int fd = accept4(watcher->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0) {
		control_welcome(control, fd);
	} else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
		log_warn("control", "outcome=paused error=%s", log_quote(strerror(errno)));
		ev_io_stop(loop, watcher);
		ev_timer_set(&control->accept_pause, CONTROL_ACCEPT_PAUSE_S, 0);
		ev_timer_start(loop, &control->accept_pause);
	}
}

static void control_accept_again(struct ev_loop *loop, struct ev_timer *watcher, int events)
{
	struct control *control = watcher->data;

	ev_io_start(loop, &control->listener);
}

/* --- events */

static bool control_passes(const struct client *client, const json_t *event)
{
	const char *key;
	json_t *value, *type = json_object_get(event, "event");
	bool wanted = !client->types;
	size_t i;

	json_array_foreach(client->types, i, value)
		wanted = wanted || json_equal(value, type);
	json_object_foreach(client->match, key, value)
		wanted = wanted && json_equal(value, json_object_get(event, key));
	return wanted;
}

static void control_push(struct control *control, struct client *client, const char *text,
			 size_t length)
{
	char note[64];
	int note_length;

	if (conn_unread_bytes(client->conn) + length > control->limits.subscriber_bytes) {
		client->dropped++;
		return;
	}
	if (client->dropped) {
		note_length = snprintf(note, sizeof(note), "{\"event\":\"dropped\",\"count\":%llu}\n",
				       (unsigned long long)client->dropped);
		client->dropped = 0;
		conn_send(client->conn, note, (size_t)note_length);
	}
	conn_send(client->conn, text, length);
}

void control_publish_event(struct control *control, const json_t *event)
{
	char *text = NULL;
	size_t length = 0;

	for (uint32_t i = 0; i < control->limits.connections; i++) {
		struct client *client = &control->clients[i];

		if (!client->conn || !client->subscribed || !control_passes(client, event))
			continue;
		if (!text) {
			text = json_dumps(event, JSON_COMPACT | JSON_PRESERVE_ORDER);
			if (!text)
				return;
			length = strlen(text);
			text[length] = '\n';
		}
		control_push(control, client, text, length + 1);
	}
	free(text);
}

uint32_t control_subscribers(const struct control *control)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < control->limits.connections; i++)
		count += control->clients[i].conn && control->clients[i].subscribed;
	return count;
}

/* --- life */

int control_new(struct ev_loop *loop, const char *path, gid_t group,
		const struct control_limits *limits, struct err *err, struct control **ret_control)
{
	struct control *control = calloc(1, sizeof(*control));
	int rc;

	if (!control)
		return err_set(err, ENOMEM, "out of memory");
	control->loop = loop;
	control->limits = limits ? *limits : control_defaults;
	control->clients = calloc(control->limits.connections, sizeof(*control->clients));
	rc = control->clients ? control_socket_open(&control->socket, path, group, err)
			      : err_set(err, ENOMEM, "out of memory");
	if (rc) {
		free(control->clients);
		free(control);
		return rc;
	}
	control->owner = (struct conn_owner){
		.on_line = control_line,
		.on_broken = control_broken,
		.on_closed = control_closed,
		.ctx = control,
		.line_bytes = control->limits.request_bytes,
		.idle_s = control->limits.idle_s,
		.unread_bytes = &control->unread_bytes,
	};
	ev_io_init(&control->listener, control_acceptable, control->socket.fd, EV_READ);
	ev_timer_init(&control->accept_pause, control_accept_again, CONTROL_ACCEPT_PAUSE_S, 0);
	control->listener.data = control->accept_pause.data = control;
	ev_io_start(loop, &control->listener);
	*ret_control = control;
	return 0;
}

int control_register(struct control *control, const char *method, control_handler_fn handler,
		     void *ctx, enum control_kind kind)
{
	struct method *entry;

	if (!method[0] || strspn(method, "abcdefghijklmnopqrstuvwxyz._-") != strlen(method) ||
	    strlen(method) >= CONTROL_METHOD_NAME_MAX)
		return -EINVAL;
	if (control_method(control, method) || strcmp(method, "monitor") == 0)
		return -EEXIST;
	if (control->method_count == CONTROL_METHODS_MAX)
		return -ENOMEM;
	entry = &control->methods[control->method_count++];
	snprintf(entry->name, sizeof(entry->name), "%s", method);
	entry->handler = handler;
	entry->ctx = ctx;
	entry->kind = kind;
	return 0;
}

const struct ucred *control_peer(const struct control *control)
{
	return control->peer;
}

void control_free(struct control *control)
{
	if (!control)
		return;
	ev_io_stop(control->loop, &control->listener);
	ev_timer_stop(control->loop, &control->accept_pause);
	for (uint32_t i = 0; i < control->limits.connections; i++) {
		struct client *client = &control->clients[i];

		conn_free(client->conn);
		json_decref(client->types);
		json_decref(client->match);
	}
	control_socket_close(&control->socket);
	free(control->clients);
	free(control);
}
