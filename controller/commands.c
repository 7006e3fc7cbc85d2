// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * commands: the methods of the control socket that read and steer the model (docs/control.md). Each takes a JSON object from
 * outside: every member is checked before anything is done.
 */
#include "controller/daemon.h"

#include <errno.h>
#include <netinet/in.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controller/address.h"
#include "controller/explain.h"
#include "controller/log.h"
#include "controller/params.h"
#include "controller/whatif.h"

#define HISTORY_DEFAULT_S 86400.0

static struct show show_of(const struct daemon *d)
{
	return (struct show){d->model, d->dataplane};
}

static int done(json_t *result, json_t **ret_result, struct err *err)
{
	if (!result)
		return err_set(err, ENOMEM, "out of memory");
	*ret_result = result;
	return 0;
}

/* --- show */

struct kind {
	const char *name;
	uint32_t (*find)(const struct model *model, const char *name);
	json_t *(*show)(const struct show *show, uint32_t index);
	bool sorted; /* by name; else in the configuration's order */
};

static int cmp_name(const void *a, const void *b)
{
	json_t *const *x = a, *const *y = b;

	return strcmp(json_string_value(json_object_get(*x, "name")),
		      json_string_value(json_object_get(*y, "name")));
}

static json_t *sorted(json_t *list)
{
	size_t n = json_array_size(list);
	json_t **items = calloc(n + 1, sizeof(*items));
	json_t *result = json_array();

	for (size_t i = 0; items && i < n; i++)
		items[i] = json_array_get(list, i);
	if (items)
		qsort(items, n, sizeof(*items), cmp_name);
	for (size_t i = 0; items && i < n; i++)
		(void)json_array_append(result, items[i]);
	free(items);
	json_decref(list);
	return result;
}

static int show_kind(const struct daemon *d, const json_t *params, const struct kind *kind,
		     uint32_t count, json_t **ret_result, struct err *err)
{
	struct show show = show_of(d);
	const char *name;
	json_t *list;
	uint32_t i;
	int e = params_text(params, "name", &name, err);

	if (e)
		return e;
	if (name) {
		i = kind->find(d->model, name);
		if (i == UINT32_MAX)
			return err_set(err, ENOENT, "no %s \"%s\"", kind->name, name);
		return done(kind->show(&show, i), ret_result, err);
	}
	list = json_array();
	for (i = 0; i < count; i++)
		(void)json_array_append_new(list, kind->show(&show, i));
	return done(kind->sorted ? sorted(list) : list, ret_result, err);
}

static int service_show(void *ctx, const json_t *params, json_t **ret_result, struct err *err)
{
	static const struct kind kind = {"service", model_find_service, show_service, true};
	struct daemon *d = ctx;

	return show_kind(d, params, &kind, d->model->service_count, ret_result, err);
}

static int pool_show(void *ctx, const json_t *params, json_t **ret_result, struct err *err)
{
	static const struct kind kind = {"pool", model_find_pool, show_pool, true};
	struct daemon *d = ctx;

	return show_kind(d, params, &kind, d->model->pool_count, ret_result, err);
}

static int region_show(void *ctx, const json_t *params, json_t **ret_result, struct err *err)
{
	static const struct kind kind = {"region", model_find_region, show_region, true};
	struct daemon *d = ctx;

	return show_kind(d, params, &kind, d->model->region_count, ret_result, err);
}

/* As backends are listed: those that leave are found by their name too, until somebody new has it. */
static uint32_t find_listed(const struct model *m, const char *name)
{
	uint32_t at = model_find_backend(m, name);

	for (uint32_t i = 0; at == UINT32_MAX && i < m->backend_count; i++)
		if (m->backends[i].leaving && !strcmp(m->backends[i].name, name))
			at = i;
	return at;
}

/* Backends of a pool or of a region only. */
static int backend_list(struct daemon *d, uint32_t pool, uint32_t region, json_t **ret_result,
			struct err *err)
{
	struct show show = show_of(d);
	json_t *list = json_array();

	for (uint32_t i = 0; i < d->model->backend_count; i++) {
		const struct model_backend *b = &d->model->backends[i];

		if (region != UINT32_MAX && b->region != region)
			continue;
		if (pool != UINT32_MAX && !model_member_of(d->model, &d->model->pools[pool], i))
			continue;
		(void)json_array_append_new(list, show_backend(&show, i));
	}
	return done(list, ret_result, err);
}

static int backend_show(void *ctx, const json_t *params, json_t **ret_result, struct err *err)
{
	static const struct kind kind = {"backend", find_listed, show_backend, false};
	uint32_t pool_at = UINT32_MAX, region_at = UINT32_MAX;
	const char *pool, *region;
	struct daemon *d = ctx;
	int e = params_text(params, "pool", &pool, err);

	if (!e)
		e = params_text(params, "region", &region, err);
	if (e)
		return e;
	if (!pool && !region)
		return show_kind(d, params, &kind, d->model->backend_count, ret_result, err);
	if (pool && (pool_at = model_find_pool(d->model, pool)) == UINT32_MAX)
		return err_set(err, ENOENT, "no pool \"%s\"", pool);
	if (region && (region_at = model_find_region(d->model, region)) == UINT32_MAX)
		return err_set(err, ENOENT, "no region \"%s\"", region);
	return backend_list(d, pool_at, region_at, ret_result, err);
}

static int backend_explain(void *ctx, const json_t *params, json_t **ret_result, struct err *err)
{
	struct daemon *d = ctx;
	struct show show = show_of(d);
	const char *name;
	uint32_t i;
	int e = params_text(params, "name", &name, err);

	if (e)
		return e;
	if (!name)
		return err_set(err, EINVAL, "name: which backend?");
	i = find_listed(d->model, name);
	if (i == UINT32_MAX)
		return err_set(err, ENOENT, "no backend \"%s\"", name);
	return done(show_backend_why(&show, i), ret_result, err);
}

static int explain(void *ctx, const json_t *params, json_t **ret_result, struct err *err)
{
	static const char *const protocols[] = {"tcp", "udp"};
	struct explain_flow flow = {.protocol = IPPROTO_TCP};
	const char *proto, *source, *destination, *interface;
	struct daemon *d = ctx;
	int at, e = params_needed(params, "proto", &proto, err);

	if (!e)
		e = params_word("proto", proto, protocols, 0, 2, &at, err);
	if (!e)
		e = params_needed(params, "src", &source, err);
	if (!e)
		e = params_needed(params, "dst", &destination, err);
	if (!e)
		e = params_text(params, "interface", &interface, err);
	if (!e)
		e = explain_endpoint(source, &flow.source, &flow.source_port, err);
	if (!e)
		e = explain_endpoint(destination, &flow.destination, &flow.destination_port, err);
	if (e)
		return e;
	if (address_is_ipv4(&flow.source) != address_is_ipv4(&flow.destination))
		return err_set(err, EINVAL, "src and dst are of different families");
	flow.protocol = at ? IPPROTO_UDP : IPPROTO_TCP;
	if (!interface)
		interface = d->config->edge.interfaces[0].name;
	return explain_flow(d->dataplane, d->model, &flow, interface, err, ret_result);
}

static int what_if(void *ctx, const json_t *params, json_t **ret_result, struct err *err)
{
	struct daemon *d = ctx;
	const char *fail;
	double at;
	int e = params_needed(params, "fail", &fail, err);

	if (!e)
		e = params_number(params, "at", 0, 1, &at, err);
	return e ? e
		 : whatif(d->model, dataplane_tables(d->dataplane), dataplane_sizes(d->dataplane), fail,
			  at, mono_now(), err, ret_result);
}

/* --- status */

static json_t *interfaces(const struct daemon *d)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < d->config->edge.interface_count; i++) {
		const struct attachment *attachment = &d->attachments[i];
		json_t *to = json_pack("{ss, ss}", "name", d->config->edge.interfaces[i].name, "mode",
				       attachment->native ? "native" : "generic");

		if (attachment->why[0])
			(void)json_object_set_new(to, "why", json_string(attachment->why));
		(void)json_array_append_new(list, to);
	}
	return list;
}

static json_t *config_status(const struct daemon *d)
{
	json_t *to = json_pack("{ss, ss, sb}", "file", d->options.config_path, "loaded_at",
			       d->loaded_at, "ok", !d->reload_error[0]);

	if (d->reload_error[0])
		(void)json_object_set_new(to, "error", json_string(d->reload_error));
	return to;
}

static int status(void *ctx, const json_t *params, json_t **ret_result, struct err *err)
{
	struct daemon *d = ctx;
	struct show show = show_of(d);
	json_t *problems = show_problems(&show), *counts = show_counts(&show);

	(void)json_object_set_new(counts, "sandboxes",
				  json_integer((json_int_t)sandboxes_count(d->sandboxes)));
	if (d->reload_error[0])
		(void)json_array_append_new(problems,
					    json_sprintf("the configuration file was refused, the former one is in force: %s",
							 d->reload_error));
	if (d->state_error[0])
		(void)json_array_append_new(problems,
					    json_sprintf("what is set now is lost at a restart: %s",
							 d->state_error));
	return done(json_pack("{ss, ss, si, sf, sb, sb, ss, so, so, so, so, so, s{sI, sf, sf, sf}, s{sI, sI}, so}",
			      "version", EBB_VERSION, "edge", d->config->edge.name, "pid",
			      (int)getpid(), "uptime_s", mono_seconds_between(d->started, mono_now()),
			      "adopted", dataplane_adopted(d->dataplane), "frozen", d->model->frozen,
			      "bpffs", d->options.bpffs_dir, "config", config_status(d), "interfaces",
			      interfaces(d), "problems", problems, "counts", counts,
			      "pools", show_pools_brief(&show), "tick", "count",
			      (json_int_t)d->ticks.count, "last_s", d->ticks.last_s, "max_s",
			      d->ticks.max_s, "interval_s", d->config->health.tick_s, "probes",
			      "suspected", (json_int_t)suspects_probed(d->suspects), "starved",
			      (json_int_t)probe_starved(d->probe), "verdicts", show_verdicts(&show)),
		    ret_result, err);
}

/* --- an operator's wishes */

struct wish {
	const char *state, *health;
	const json_t *weight;
};

static int read_wish(const json_t *params, struct wish *wish, struct err *err)
{
	int e = params_text(params, "state", &wish->state, err);

	if (!e)
		e = params_text(params, "health", &wish->health, err);
	if (e)
		return e;
	wish->weight = json_object_get(params, "weight");
	if (wish->weight && !json_is_number(wish->weight))
		return err_set(err, EINVAL, "weight is a number between 0 and 1");
	if (!!wish->state + !!wish->health + !!wish->weight != 1)
		return err_set(err, EINVAL, "one of state, weight and health is set at a time");
	return 0;
}

static int apply_wish(struct model *m, uint32_t i, const struct wish *wish, struct err *err)
{
	struct mono_ns now = mono_now();
	int at = 0, e;

	if (wish->weight)
		return model_backend_set_weight(m, i, json_number_value(wish->weight), now, err);
	if (wish->state) {
		e = params_word("state", wish->state, model_state_names, BACKEND_STATE_READY,
			       BACKEND_STATE__COUNT, &at, err);
		if (!e)
			model_backend_set_state(m, i, (enum backend_state)at, now);
		return e;
	}
	e = params_word("health", wish->health, model_admin_health_names, 0,
		       MODEL_ADMIN_HEALTH__COUNT, &at, err);
	if (!e)
		model_backend_set_health(m, i, (enum model_admin_health)at, now);
	return e;
}

/* In force before it is on disk: forwarding is right at once, and a full disk is told. */
static int keep_wish(struct daemon *d, struct err *err)
{
	int e = daemon_save_state(d, err);

	return e ? err_prefix(err, -e, "in force, but lost at a restart: ") : 0;
}

static int backend_set(void *ctx, const json_t *params, json_t **ret_result, struct err *err)
{
	struct daemon *d = ctx;
	struct show show;
	struct wish wish;
	const char *name;
	uint32_t i;
	int e = params_text(params, "name", &name, err);

	if (!e)
		e = read_wish(params, &wish, err);
	if (e)
		return e;
	if (!name)
		return err_set(err, EINVAL, "name: which backend?");
	i = model_find_backend(d->model, name);
	if (i == UINT32_MAX)
		return err_set(err, ENOENT, "no backend \"%s\"", name);
	e = apply_wish(d->model, i, &wish, err);
	if (e)
		return e;
	daemon_tick_now(d);
	e = keep_wish(d, err);
	if (e)
		return e;
	show = show_of(d);
	return done(show_backend(&show, i), ret_result, err);
}

static int set_frozen(struct daemon *d, bool frozen, json_t **ret_result, struct err *err)
{
	int e;

	model_freeze(d->model, frozen, mono_now());
	e = keep_wish(d, err);
	return e ? e : done(json_pack("{sb}", "frozen", frozen), ret_result, err);
}

static int freeze(void *ctx, const json_t *params, json_t **ret_result, struct err *err)
{
	return set_frozen(ctx, true, ret_result, err);
}

static int unfreeze(void *ctx, const json_t *params, json_t **ret_result, struct err *err)
{
	return set_frozen(ctx, false, ret_result, err);
}

/* --- configuration */

static int config_check(void *ctx, const json_t *params, json_t **ret_result, struct err *err)
{
	struct config_errors errors = {{0}};
	struct config *config = NULL;
	struct err why = {{0}};
	struct daemon *d = ctx;
	json_t *lines = json_array();
	int e = config_load(d->options.config_path, &errors, &config);

	for (uint32_t i = 0; i < errors.count; i++)
		(void)json_array_append_new(lines, json_string(errors.lines[i]));
	if (!e && (e = model_check(config, &why)))
		(void)json_array_append_new(lines, json_sprintf("%s:1:1: %s", d->options.config_path,
								why.text));
	config_errors_free(&errors);
	config_free(config);
	return done(json_pack("{ss, sb, so}", "file", d->options.config_path, "ok", !e, "errors",
			      lines),
		    ret_result, err);
}

static int config_diff(void *ctx, const json_t *params, json_t **ret_result, struct err *err)
{
	return daemon_diff(ctx, ret_result, err);
}

static int config_reload(void *ctx, const json_t *params, json_t **ret_result, struct err *err)
{
	int e = daemon_reload(ctx, json_is_true(json_object_get(params, "force")), ret_result, err);

	/* The file is the operator's, not the request's: what is wrong with it is a refusal. */
	if (e)
		log_error("reload", "ok=false error=%s kept=old", log_quote(err->text));
	return e == -EINVAL || e == -ENOENT ? -EPERM : e;
}

/* --- history and the end */

static int history(void *ctx, const json_t *params, json_t **ret_result, struct err *err)
{
	const json_t *types = json_object_get(params, "types");
	const json_t *match = json_object_get(params, "match");
	struct daemon *d = ctx;
	double since_s, limit;
	int e = params_number(params, "since_s", HISTORY_DEFAULT_S, 1e12, &since_s, err);

	if (!e)
		e = params_number(params, "limit", HISTORY_MAX, 1e12, &limit, err);
	if (e)
		return e;
	if (types && !json_is_array(types))
		return err_set(err, EINVAL, "types is an array of event names");
	if (match && !json_is_object(match))
		return err_set(err, EINVAL, "match is an object of members and their values");
	return done(history_list(d->history, ev_time() - since_s,
				 (uint32_t)fmin(limit, HISTORY_MAX), types, match),
		    ret_result, err);
}

static int detach(void *ctx, const json_t *params, json_t **ret_result, struct err *err)
{
	struct daemon *d = ctx;
	json_t *names = json_array();
	int e;

	for (uint32_t i = 0; i < d->config->edge.interface_count; i++)
		(void)json_array_append_new(names, json_string(d->config->edge.interfaces[i].name));
	d->ending = true;
	dataplane_close(d->dataplane);
	d->dataplane = NULL;
	e = dataplane_detach_all(d->options.bpffs_dir, err);
	log_warn("detached", "ok=%s forwarding=ended", e ? "false" : "true");
	ev_break(d->loop, EVBREAK_ALL);
	if (e) {
		json_decref(names);
		return e;
	}
	return done(json_pack("{so}", "interfaces", names), ret_result, err);
}

int commands_register(struct daemon *d)
{
	static const struct {
		const char *method;
		control_handler_fn handler;
		enum control_kind kind;
	} methods[] = {
		{"status", status, CONTROL_READ},
		{"service.show", service_show, CONTROL_READ},
		{"pool.show", pool_show, CONTROL_READ},
		{"region.show", region_show, CONTROL_READ},
		{"backend.show", backend_show, CONTROL_READ},
		{"backend.set", backend_set, CONTROL_CHANGES},
		{"explain", explain, CONTROL_READ},
		{"explain.backend", backend_explain, CONTROL_READ},
		{"whatif", what_if, CONTROL_READ},
		{"config.check", config_check, CONTROL_READ},
		{"config.diff", config_diff, CONTROL_READ},
		{"config.reload", config_reload, CONTROL_CHANGES},
		{"freeze", freeze, CONTROL_CHANGES},
		{"unfreeze", unfreeze, CONTROL_CHANGES},
		{"history", history, CONTROL_READ},
		{"detach", detach, CONTROL_CHANGES},
	};
	int rc;

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		int e = control_register(d->control, methods[i].method, methods[i].handler, d,
					 methods[i].kind);

		if (e)
			return e;
	}
	rc = commands_sandbox_register(d);
	return rc ? rc : commands_shift_register(d);
}
