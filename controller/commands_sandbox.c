// SPDX-License-Identifier: GPL-2.0-or-later
/* commands_sandbox: the control socket's methods over the directory of sandboxes (docs/control.md). */
#include "controller/daemon.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "controller/address.h"
#include "controller/params.h"

#define LIST_DEFAULT 100
#define LIST_MAX     10000
#define BULK_ERRORS_MAX 100 /* told one by one; all are counted */

/* --- as JSON */

static json_t *time_of(uint64_t ns)
{
	time_t seconds = (time_t)(ns / 1000000000);
	char text[32];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	return json_sprintf("%s.%03uZ", text, (unsigned int)(ns / 1000000 % 1000));
}

/* Seconds of CLOCK_BOOTTIME to wall time. */
static json_t *time_of_boot(uint32_t boot_s)
{
	struct timespec wall;

	clock_gettime(CLOCK_REALTIME, &wall);
	return time_of(((uint64_t)wall.tv_sec - daemon_boot_ns() / 1000000000 + boot_s) * 1000000000);
}

static const char *service_name(const struct model *m, uint16_t id)
{
	for (uint32_t i = 0; i < m->service_count; i++)
		if (m->services[i].id == id)
			return m->services[i].name;
	return "-";
}

static const char *backend_name(const struct model *m, uint16_t id)
{
	uint32_t i = model_find_backend_id(m, id);

	return i == UINT32_MAX ? "-" : m->backends[i].name;
}

static json_t *show(const struct model *m, const struct sandbox_key *key, const struct sandbox *value)
{
	char address[INET6_ADDRSTRLEN];
	json_t *to = json_pack("{ss, ss, ss, so}", "service", service_name(m, key->service), "address",
			       address_format(&key->address, address), "backend",
			       backend_name(m, value->backend), "born", time_of(value->born_ns));

	if (key->port_be)
		(void)json_object_set_new(to, "port", json_integer(ntohs(key->port_be)));
	if (value->former != BACKEND_NONE)
		(void)json_object_set_new(to, "former", json_string(backend_name(m, value->former)));
	if (value->moved)
		(void)json_object_set_new(to, "moved", time_of_boot(value->moved));
	return to;
}

static int done(const struct model *m, const struct sandbox_key *key, const struct sandbox *value,
		json_t **ret_result, struct err *err)
{
	if (!ret_result)
		return 0;
	*ret_result = show(m, key, value);
	return *ret_result ? 0 : err_set(err, ENOMEM, "out of memory");
}

/* --- parameters */

static int find_service(const struct model *m, const json_t *params, uint32_t *ret_service,
			struct err *err)
{
	const char *name;
	int e = params_needed(params, "service", &name, err);

	if (e)
		return e;
	*ret_service = model_find_service(m, name);
	return *ret_service == UINT32_MAX ? err_set(err, ENOENT, "no service \"%s\"", name) : 0;
}

/* Not given: UINT32_MAX. */
static int find_backend(const struct model *m, const json_t *params, uint32_t *ret_backend,
			struct err *err)
{
	const char *name;
	int e = params_text(params, "backend", &name, err);

	if (e)
		return e;
	*ret_backend = name ? model_find_backend(m, name) : UINT32_MAX;
	return name && *ret_backend == UINT32_MAX ? err_set(err, ENOENT, "no backend \"%s\"", name) : 0;
}

static int find_port(const json_t *params, uint16_t *ret_port, struct err *err)
{
	double port;
	int e = params_number(params, "port", 0, 65535, &port, err);

	if (!e)
		*ret_port = (uint16_t)port;
	return e;
}

static int find_key(const struct model *m, const json_t *params, uint32_t *ret_service,
		    struct sandbox_key *ret_key, struct err *err)
{
	struct address address;
	uint16_t port;
	int e = find_service(m, params, ret_service, err);

	if (!e)
		e = params_address(params, "address", &address, err);
	if (!e)
		e = find_port(params, &port, err);
	return e ? e : sandboxes_key(m, *ret_service, &address, port, err, ret_key);
}

static int need_backend(const struct model *m, const json_t *params, uint32_t *ret_backend,
			struct err *err)
{
	int e = find_backend(m, params, ret_backend, err);

	if (e)
		return e;
	return *ret_backend == UINT32_MAX ? err_set(err, EINVAL, "backend is missing") : 0;
}

/* --- changes; `ret_result` may be NULL: nobody reads it */

static int place(void *ctx, const json_t *params, json_t **ret_result, struct err *err)
{
	struct daemon *d = ctx;
	struct sandbox_key key;
	struct sandbox value;
	struct address address;
	uint32_t service, backend;
	const char *name;
	uint16_t port;
	int e = find_service(d->model, params, &service, err);

	if (!e)
		e = find_backend(d->model, params, &backend, err);
	if (!e)
		e = params_text(params, "name", &name, err);
	if (!e)
		e = find_port(params, &port, err);
	if (!e)
		e = name ? sandboxes_address(d->sandboxes, d->model, service, name, port, err, &address)
			 : params_address(params, "address", &address, err);
	if (!e)
		e = sandboxes_key(d->model, service, &address, port, err, &key);
	if (!e)
		e = sandboxes_place(d->sandboxes, d->model, service, &key, backend, err, &value);
	return e ? e : done(d->model, &key, &value, ret_result, err);
}

static int put(void *ctx, const json_t *params,
	       int (*how)(struct sandboxes *, const struct model *, const struct sandbox_key *, uint32_t,
			  struct err *, struct sandbox *),
	       json_t **ret_result, struct err *err)
{
	struct daemon *d = ctx;
	struct sandbox_key key;
	struct sandbox value;
	uint32_t service, backend;
	int e = find_key(d->model, params, &service, &key, err);

	if (!e)
		e = need_backend(d->model, params, &backend, err);
	if (!e)
		e = how(d->sandboxes, d->model, &key, backend, err, &value);
	return e ? e : done(d->model, &key, &value, ret_result, err);
}

static int add(void *ctx, const json_t *params, json_t **ret_result, struct err *err)
{
	return put(ctx, params, sandboxes_add, ret_result, err);
}

static int move(void *ctx, const json_t *params, json_t **ret_result, struct err *err)
{
	return put(ctx, params, sandboxes_move, ret_result, err);
}

static int del(void *ctx, const json_t *params, json_t **ret_result, struct err *err)
{
	struct daemon *d = ctx;
	struct sandbox_key key;
	struct sandbox value;
	uint32_t service;
	int e = find_key(d->model, params, &service, &key, err);

	if (!e)
		e = sandboxes_del(d->sandboxes, &key, err, &value);
	return e ? e : done(d->model, &key, &value, ret_result, err);
}

static int one_of_bulk(struct daemon *d, const json_t *change, struct err *err)
{
	static const char *const ops[] = {"place", "add", "move", "del"};
	static const control_handler_fn handlers[] = {place, add, move, del};
	const char *op;
	int at, e;

	if (!json_is_object(change))
		return err_set(err, EINVAL, "a change is an object");
	e = params_needed(change, "op", &op, err);
	if (!e)
		e = params_word("op", op, ops, 0, 4, &at, err);
	return e ? e : handlers[at](d, change, NULL, err);
}

/* Each change stands for itself: what fails is told, the others are done. */
static int bulk(void *ctx, const json_t *params, json_t **ret_result, struct err *err)
{
	const json_t *changes = json_object_get(params, "changes");
	json_t *errors = json_array(), *change;
	json_int_t ok = 0, failed = 0;
	struct daemon *d = ctx;
	size_t i;

	if (!json_is_array(changes)) {
		json_decref(errors);
		return err_set(err, EINVAL, "changes is an array");
	}
	json_array_foreach (changes, i, change) {
		struct err why = {{0}};

		if (!one_of_bulk(d, change, &why)) {
			ok++;
			continue;
		}
		if (failed++ < BULK_ERRORS_MAX)
			(void)json_array_append_new(errors, json_pack("{sI, ss}", "index", (json_int_t)i,
								      "error", why.text));
	}
	*ret_result = json_pack("{sI, sI, so}", "done", ok, "failed", failed, "errors", errors);
	return *ret_result ? 0 : err_set(err, ENOMEM, "out of memory");
}

/* --- looking */

static int read_filter(struct daemon *d, const json_t *params, struct sandboxes_filter *ret_filter,
		       struct err *err)
{
	struct sandboxes_filter filter = {.service = SERVICES_MAX, .backend = BACKEND_NONE};
	const char *name;
	uint32_t at;
	int e;

	if (json_object_get(params, "service")) {
		e = find_service(d->model, params, &at, err);
		if (e)
			return e;
		filter.service = d->model->services[at].id;
	}
	e = find_backend(d->model, params, &at, err);
	if (!e)
		e = params_text(params, "name", &name, err);
	if (e)
		return e;
	if (at != UINT32_MAX)
		filter.backend = d->model->backends[at].id;
	filter.has_address = name != NULL;
	if (name && address_parse(name, &filter.address))
		return err_set(err, EINVAL, "a sandbox is shown by its address");
	*ret_filter = filter;
	return 0;
}

/* Of which service the sandbox is that another page begins behind: the one that was asked for, or whose prefix it is in. */
static int read_after(struct daemon *d, const json_t *params, struct sandbox_key *ret_key,
		      struct err *err)
{
	struct address address;
	uint16_t port;
	int e = params_address(params, "after", &address, err);

	if (!e)
		e = find_port(params, &port, err);
	for (uint32_t i = 0; !e && i < d->model->service_count; i++)
		if (!sandboxes_key(d->model, i, &address, port, NULL, ret_key))
			return 0;
	return e ? e : err_set(err, ENOENT, "after: no service has such a sandbox");
}

static json_t *page(struct daemon *d, const struct sandboxes_entry *entries, int n, bool more,
		    const struct sandbox_key *last)
{
	json_t *list = json_array(), *to;
	char address[INET6_ADDRSTRLEN];

	for (int i = 0; i < n; i++)
		(void)json_array_append_new(list, show(d->model, &entries[i].key, &entries[i].value));
	to = json_pack("{so, sI}", "sandboxes", list, "total",
		       (json_int_t)sandboxes_count(d->sandboxes));
	if (more) {
		(void)json_object_set_new(to, "next", json_string(address_format(&last->address, address)));
		if (last->port_be)
			(void)json_object_set_new(to, "next_port", json_integer(ntohs(last->port_be)));
	}
	return to;
}

static void free_entries(struct sandboxes_entry **entries)
{
	free(*entries);
}

/* A sandbox that is asked for by service and address (and port) is one look-up; everything else walks the map. */
static int show_one(struct daemon *d, const json_t *params, const struct address *address,
		    json_t **ret_result, struct err *err)
{
	struct sandbox_key key;
	struct sandbox value;
	uint32_t service;
	uint16_t port;
	int e = find_port(params, &port, err);

	for (service = 0; !e && service < d->model->service_count; service++) {
		if (sandboxes_key(d->model, service, address, port, NULL, &key))
			continue;
		if (!dataplane_sandbox_get(d->dataplane, &key, &value))
			return done(d->model, &key, &value, ret_result, err);
	}
	return e ? e : err_set(err, ENOENT, "no such sandbox");
}

static int sandbox_show(void *ctx, const json_t *params, json_t **ret_result, struct err *err)
{
	__attribute__((cleanup(free_entries))) struct sandboxes_entry *entries = NULL;
	struct sandbox_key after, last;
	struct sandboxes_filter filter;
	bool more, behind = json_object_get(params, "after") != NULL;
	struct daemon *d = ctx;
	double limit;
	int n, e = read_filter(d, params, &filter, err);

	if (!e)
		e = params_number(params, "limit", LIST_DEFAULT, LIST_MAX, &limit, err);
	if (!e && filter.has_address)
		return show_one(d, params, &filter.address, ret_result, err);
	if (!e && behind)
		e = read_after(d, params, &after, err);
	if (e)
		return e;
	entries = calloc((size_t)limit + 1, sizeof(*entries));
	if (!entries)
		return err_set(err, ENOMEM, "out of memory");
	n = sandboxes_list(d->sandboxes, &filter, behind ? &after : NULL, (uint32_t)limit, entries,
			   &more, &last);
	if (n == -ESTALE)
		return err_set(err, ESTALE, "the sandbox to go on behind is gone; begin again");
	*ret_result = page(d, entries, n, more, &last);
	return *ret_result ? 0 : err_set(err, ENOMEM, "out of memory");
}

int commands_sandbox_register(struct daemon *d)
{
	static const struct {
		const char *method;
		control_handler_fn handler;
	} methods[] = {
		{"sandbox.show", sandbox_show}, {"sandbox.place", place}, {"sandbox.add", add},
		{"sandbox.move", move},		{"sandbox.del", del},	  {"sandbox.bulk", bulk},
	};

	/* Thousands a second: they are events for those who listen, not log lines. */
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		int e = control_register(d->control, methods[i].method, methods[i].handler, d,
					 CONTROL_READ);

		if (e)
			return e;
	}
	return 0;
}
