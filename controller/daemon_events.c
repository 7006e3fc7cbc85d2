// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * daemon_events: what happens in the model, to shifts and to sandboxes: to the log, to history and audit, and to those
 * who listen on the control socket.
 */
#include "controller/daemon.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "controller/address.h"
#include "controller/log.h"

/* `durable`: what somebody decided, rather than what was seen. */
static void remember(struct daemon *d, json_t *event, bool durable)
{
	bool failing = d->audit && audit_failing(d->audit);
	int e = 0;

	history_add(d->history, ev_time(), event);
	if (d->audit)
		e = audit_add(d->audit, ev_time(), event, durable);
	if (e && !failing)
		log_error("audit", "ok=false error=%s kept=memory", log_quote(strerror(-e)));
}

void daemon_event(struct daemon *d, enum model_event_kind kind, json_t *event, const char *line)
{
	bool bad = kind == MODEL_EVENT_BACKEND_DOWN || kind == MODEL_EVENT_POOL_EMPTY ||
		   kind == MODEL_EVENT_POOL_PANIC || kind == MODEL_EVENT_PROBES_DOUBTED;

	/* A sliding weight makes ten tables a second: for those who listen, not for the log. */
	log_line(kind == MODEL_EVENT_TABLE ? LOG_DEBUG
		 : bad			   ? LOG_WARN
					   : LOG_INFO,
		 model_event_names[kind], "%s", line);
	if (!event)
		return;
	if (kind != MODEL_EVENT_TABLE)
		remember(d, event, false);
	if (d->control)
		control_publish_event(d->control, event);
}

void daemon_model_event(void *ctx, const struct model_event *event)
{
	char time[32], line[512];
	json_t *json = show_event(event, daemon_time(time));

	snprintf(line, sizeof(line), "%s%s%s%s%s%s%s", event->pool[0] ? "pool=" : "", event->pool,
		 event->pool[0] ? " " : "",
		 !event->subject[0]		       ? ""
		 : event->kind == MODEL_EVENT_GROUP ? "region="
						    : "backend=",
		 event->subject, event->subject[0] ? " " : "", event->detail);
	daemon_event(ctx, event->kind, json, line);
	json_decref(json);
}

static json_t *shift_event(const struct shifts_entry *e, const struct shift_record *record)
{
	char time[32];
	json_t *event = shifts_show(e);

	if (!event)
		return NULL;
	(void)json_object_set_new(event, "shift", json_string(e->name));
	(void)json_object_set_new(event, "event", json_string("shift"));
	(void)json_object_set_new(event, "time", json_string(daemon_time(time)));
	(void)json_object_set_new(event, "cause", json_string(shift_cause_name(record->cause)));
	return event;
}

/* The audit record of a shift's transition. */
void daemon_shift_event(void *ctx, const struct shifts_entry *e, const struct shift_record *record)
{
	struct daemon *d = ctx;
	json_t *event = shift_event(e, record);

	log_info("shift", "name=%s pool=%s from=%s to=%s phase=%s was=%s step=%u share=%.4f holds=%#x cause=%s gate=%s outcome=%s elapsed_s=%.1f actor=%s comment=%s",
		 e->name, e->pool, e->from, e->to, shift_phase_name(record->to),
		 shift_phase_name(record->from), record->step, record->part, record->holds,
		 shift_cause_name(record->cause), e->why[0] ? e->why : "go",
		 shift_outcome_name(record->outcome), record->total_s, log_quote(e->actor), log_quote(e->comment));
	d->shifts_saved = (struct mono_ns){0}; /* by the next tick at the latest */
	if (!event)
		return;
	remember(d, event, true);
	if (d->control)
		control_publish_event(d->control, event);
	json_decref(event);
}

/* Ten a second in normal life, thousands in a bulk: only for those who listen. */
void daemon_sandbox_event(void *ctx, enum sandbox_change change, const struct sandboxes_entry *entry)
{
	char address[INET6_ADDRSTRLEN], time[32];
	struct daemon *d = ctx;
	uint32_t backend = model_find_backend_id(d->model, entry->value.backend);
	json_t *event;

	if (change == SANDBOX_MOVED)
		shifts_live_moved(&d->shifts, d->model, entry);
	if (!d->control || !control_subscribers(d->control))
		return;
	event = json_pack("{ss, ss, ss, ss}", "event", sandbox_change_names[change], "time",
			  daemon_time(time), "sandbox",
			  address_format(&entry->key.address, address), "backend",
			  backend == UINT32_MAX ? "-" : d->model->backends[backend].name);
	if (event)
		control_publish_event(d->control, event);
	json_decref(event);
}

/* A sandbox that a shift wants moved: who runs the sandboxes listens, moves it, and says so by `sandbox move`. */
void daemon_wanted_event(void *ctx, const struct shifts_entry *shift, const struct sandbox_key *key, uint32_t from,
		      uint32_t to)
{
	char address[INET6_ADDRSTRLEN], time[32];
	struct daemon *d = ctx;
	const struct model *m = d->model;
	json_t *event;

	if (to == UINT32_MAX)
		return;
	event = json_pack("{ss, ss, ss, ss, ss, ss, ss}", "event", "sandbox-move-wanted", "time",
			  daemon_time(time), "shift", shift->name, "service",
			  m->services[model_find_service_id(m, key->service)].name, "sandbox",
			  address_format(&key->address, address), "from", m->backends[from].name, "to",
			  m->backends[to].name);
	if (event && key->port_be)
		(void)json_object_set_new(event, "port", json_integer(ntohs(key->port_be)));
	if (event)
		control_publish_event(d->control, event);
	json_decref(event);
}
