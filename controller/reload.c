// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * reload: a changed configuration file, all or nothing. The new model is built beside the one in force, which gives it ids,
 * health, an operator's wishes and tables by name; everything that can be refused is asked before the first store. Then
 * the same stores that a tick makes bring the data plane to the new model: only differences are written.
 */
#include "controller/daemon.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/config_diff.h"
#include "controller/log.h"
#include "controller/services_table.h"

#define FORCE_ABOVE 0.5 /* of a pool's capacity: more is not removed without being told twice */

struct next {
	struct config *config;
	struct model *model;
};

static void free_next(struct next *next)
{
	model_free(next->model);
	config_free(next->config);
}

static void free_diff(struct config_diff **diff)
{
	config_diff_free(*diff);
}

static void drop_json(json_t **json)
{
	json_decref(*json);
}

/* --- what is different */

static void note(json_t *changes, const char *what, const char *kind, const char *name,
		 const char *detail)
{
	json_t *change = json_pack("{ss, ss, ss}", "what", what, "kind", kind, "name", name);

	if (detail && detail[0])
		(void)json_object_set_new(change, "detail", json_string(detail));
	(void)json_array_append_new(changes, change);
}

/* The differences of the two files, in words; NULL: no memory. */
static json_t *diff_changes(const struct config *old, const struct config *new)
{
	__attribute__((cleanup(free_diff))) struct config_diff *diff = NULL;
	json_t *changes;

	if (config_diff_make(old, new, &diff) != 0)
		return NULL;
	changes = json_array();
	for (uint32_t i = 0; changes && i < diff->count; i++) {
		const struct config_change *change = &diff->changes[i];

		note(changes, config_change_names[change->what], change->kind, change->name,
		     change->detail);
	}
	return changes;
}

/* After one tick of the new model: the part of each pool's slots that another backend has. */
static json_t *diff_moved(const struct model *old, const struct model *new)
{
	json_t *pools = json_array();

	for (uint32_t i = 0; i < new->pool_count; i++) {
		const struct model_pool *pool = &new->pools[i];
		uint32_t at = model_find_pool(old, pool->name), moved = 0;
		const struct model_pool *was = at == UINT32_MAX ? NULL : &old->pools[at];

		for (uint32_t s = 0; was && s < pool->slot_count; s++)
			moved += pool->primaries[s] !=
				 was->primaries[(uint64_t)s * was->slot_count / pool->slot_count];
		(void)json_array_append_new(pools, json_pack("{ss, sf}", "name", pool->name, "moved",
							     (double)moved / pool->slot_count));
	}
	return pools;
}

static json_t *diff_of(const char *file, const struct model *old, const struct model *new)
{
	json_t *changes = diff_changes(old->config, new->config);

	return json_pack("{ss, so, so}", "file", file, "changes", changes, "pools",
			 diff_moved(old, new));
}

/* --- what may be refused */

static int load_next(struct daemon *d, struct next *next, struct err *err)
{
	struct config_errors errors = {{0}};
	int e = config_load(d->options.config_path, &errors, &next->config);

	if (e)
		err_set(err, -e, "%s%s", errors.count ? errors.lines[0] : "cannot be loaded",
			errors.count > 1 ? " (and more: ebbd --check)" : "");
	config_errors_free(&errors);
	return e;
}

/* What is fixed when maps are made, or when flows have been hashed. */
static int check_fixed(const struct daemon *d, const struct config *config, struct err *err)
{
	const struct config_edge *to = &config->edge;
	uint32_t backend_count = config->backend_count;
	const struct dataplane_sizes *sizes = dataplane_sizes(d->dataplane);

	if (to->hash_seed != d->config->edge.hash_seed)
		return err_set(err, ENOTSUP, "edge.hash_seed: changing it moves every flow; start ebbd again for that");
	/* Sizes that nobody wrote grow with the file; the maps that there are only have to be large enough. */
	if ((to->has_backends ? to->backends : backend_count + 1) > sizes->backends ||
	    (to->has_slots ? to->slots : to->slots_needed) > sizes->slots || to->flows != sizes->flows ||
	    to->sandboxes != sizes->sandboxes)
		return err_set(err, ENOTSUP, "edge.backends, slots, flows or sandboxes: maps change their size only when ebbd starts");
	return 0;
}

/* What of a pool's capacity (by the files, weights counted) goes with backends that go, or get less. Gains elsewhere do not
 * make up for it: their traffic moves all the same. */
static double removed_capacity(const struct model *old, const struct model_pool *pool,
			       const struct model *new)
{
	uint32_t at = model_find_pool(new, pool->name);
	double all = 0, removed = 0;

	for (uint32_t i = 0; i < pool->member_count; i++) {
		const struct model_backend *b = &old->backends[pool->members[i].backend];
		uint32_t to = model_find_backend(new, b->name);
		double had = b->leaving ? 0 : b->capacity * b->config_weight, has = 0;

		if (to != UINT32_MAX && !new->backends[to].leaving &&
		    model_member_of(new, &new->pools[at], to))
			has = new->backends[to].capacity * new->backends[to].config_weight;
		all += had;
		removed += fmax(0, had - has);
	}
	return all > 0 ? removed / all : 0;
}

static int check_removals(const struct model *old, const struct model *new, struct err *err)
{
	for (uint32_t i = 0; i < old->pool_count; i++) {
		double removed;

		if (model_find_pool(new, old->pools[i].name) == UINT32_MAX)
			continue;
		removed = removed_capacity(old, &old->pools[i], new);
		if (removed > FORCE_ABOVE)
			return err_set(err, EPERM,
				       "pool %s would lose %.0f %% of its capacity; if that is meant: ebb config reload --force",
				       old->pools[i].name, removed * 100);
	}
	return 0;
}

static int check_services(const struct model *model, struct err *err)
{
	struct settings_table settings;
	struct services_table to = {calloc(SERVICES_TABLE_SIZE, sizeof(struct service)),
				    calloc(PREFIXES_TABLE_SIZE, sizeof(struct service)), &settings};
	int e = to.services && to.prefixes ? services_table_lay(model, &to, err)
					   : err_set(err, ENOMEM, "out of memory");

	free(to.services);
	free(to.prefixes);
	return e;
}

static int prepare(struct daemon *d, bool force, struct next *next, struct err *err)
{
	int e = load_next(d, next, err);

	if (!e)
		e = check_fixed(d, next->config, err);
	if (!e)
		e = model_build(next->config, dataplane_tables(d->dataplane),
				dataplane_sizes(d->dataplane), d->model, mono_now(), err,
				&next->model);
	if (!e)
		e = check_services(next->model, err);
	if (!e && !force)
		e = check_removals(d->model, next->model, err);
	return e;
}

/* To where it would come in the end, under the shifts that are in force, which do not hear of it. */
static int settle(const struct daemon *d, struct model *m, struct err *err)
{
	struct shifts *copy = malloc(sizeof(*copy));
	int e = copy ? model_forget_past(m, err) : err_set(err, ENOMEM, "out of memory");

	if (!e) {
		*copy = d->shifts;
		copy->on_record = NULL;
		shifts_tick(copy, m, 0);
		model_tick(m, mono_now());
	}
	free(copy);
	return e;
}

/* Of the file's doing is what differs between the ends that both configurations come to with health as it is now. */
static int diff_ends(const struct daemon *d, struct model *next, json_t **ret_diff, struct err *err)
{
	__attribute__((cleanup(free_next))) struct next now = {NULL, NULL};
	int e = model_build(d->config, dataplane_tables(d->dataplane), dataplane_sizes(d->dataplane),
			    d->model, mono_now(), err, &now.model);

	if (!e)
		e = settle(d, now.model, err);
	if (!e)
		e = settle(d, next, err);
	if (e)
		return e;
	*ret_diff = diff_of(d->options.config_path, now.model, next);
	return *ret_diff ? 0 : err_set(err, ENOMEM, "out of memory");
}

int daemon_diff(struct daemon *d, json_t **ret_diff, struct err *err)
{
	__attribute__((cleanup(free_next))) struct next next = {NULL, NULL};
	struct err why = {{0}};
	bool refused;
	int e = prepare(d, true, &next, err);

	if (e)
		return e;
	refused = check_removals(d->model, next.model, &why);
	e = diff_ends(d, next.model, ret_diff, err);
	if (!e && refused)
		(void)json_object_set_new(*ret_diff, "refused", json_string(why.text));
	return e;
}

/* --- doing it */

/* A former backend of this id is no longer probed under its settings; its next hop stays until it is freed. */
static void put_in_force(struct daemon *d, struct next *next, struct attachment *attachments)
{
	struct next old = {d->config, d->model};
	struct err err = {{0}};

	next->model->on_event = d->model->on_event;
	next->model->event_ctx = d;
	d->config = next->config;
	d->model = next->model;
	*next = old; /* freed by the caller */
	free(d->attachments);
	d->attachments = attachments;
	model_announce(d->model, old.model, mono_now());
	publish_backends(d->publish, d->model);
	if (daemon_follow(d, old.model, &err))
		log_error("reload", "error=%s effect=%s", log_quote(err.text),
			  log_quote("some backends are not watched"));
	daemon_tick_now(d);
	if (publish_services(d->publish, d->model, daemon_boot_ns(), &err))
		log_error("reload", "error=%s kept=%s", log_quote(err.text),
			  log_quote("the former services"));
	d->tick.repeat = d->config->health.tick_s;
	ev_timer_again(d->loop, &d->tick);
	daemon_time(d->loaded_at);
	web_follow(d->web);
}

static void detach_former(struct daemon *d)
{
	const struct config_edge *edge = &d->config->edge;
	const char *names[edge->interface_count + 1];
	struct err err = {{0}};

	for (uint32_t i = 0; i < edge->interface_count; i++)
		names[i] = edge->interfaces[i].name;
	if (dataplane_detach_others(d->dataplane, names, edge->interface_count, &err))
		log_error("detach", "error=%s", log_quote(err.text));
}

static int reload(struct daemon *d, bool force, json_t **ret_diff, struct err *err)
{
	__attribute__((cleanup(free_next))) struct next next = {NULL, NULL};
	__attribute__((cleanup(drop_json))) json_t *diff = NULL;
	struct attachment *attachments;
	int e = prepare(d, force, &next, err);

	if (!e && ret_diff)
		e = daemon_diff(d, &diff, err);
	if (e)
		return e;
	attachments = calloc(next.config->edge.interface_count + 1, sizeof(*attachments));
	if (!attachments)
		return err_set(err, ENOMEM, "out of memory");
	/* New interfaces run under the old tables for a moment; what cannot be attached refuses the whole. */
	e = daemon_attach(d, next.config, attachments, err);
	if (e) {
		free(attachments);
		detach_former(d);
		return e;
	}
	put_in_force(d, &next, attachments);
	detach_former(d);
	log_info("reload", "ok=true backends=%u pools=%u services=%u", d->config->backend_count,
		 d->config->pool_count, d->config->service_count);
	if (ret_diff) {
		(void)json_object_del(diff, "refused"); /* it was forced */
		*ret_diff = diff;
		diff = NULL;
	}
	return 0;
}

int daemon_reload(struct daemon *d, bool force, json_t **ret_diff, struct err *err)
{
	int e = reload(d, force, ret_diff, err);

	snprintf(d->reload_error, sizeof(d->reload_error), "%s", e ? err->text : "");
	return e;
}
