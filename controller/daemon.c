// SPDX-License-Identifier: GPL-2.0-or-later
/* daemon: start, tick, stop. reload.c changes the configuration, commands.c answers operators, daemon_events.c tells. */
#include "controller/daemon.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controller/log.h"
#include "controller/state.h"

#define SETTLE_BUDGET	16384 /* slots looked at a tick: all of 64 pools of 65,536 in half a minute */
#define SHIFT_TICK_MAX_S 1.0	/* a daemon that slept does not jump up a ramp */
#define SHIFT_SAVE_S	1.0	/* how much of a ramp SIGKILL may take back */
#define HURRY_S		0.02	/* a tick for what died comes no sooner after the last one */
#define FIRST_NEXTHOPS_S 1.0  /* a first start waits this long for next hops before it takes traffic */

uint64_t daemon_boot_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

char *daemon_time(char *to)
{
	struct timespec now;
	struct tm tm;
	size_t n;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	n = strftime(to, 24, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(to + n, 32 - n, ".%03ldZ", now.tv_nsec / 1000000);
	return to;
}

/* --- what the loop brings */

/* What is plainly dead is left now, not in the next tick. Many that die at once share one. */
static void hurry(struct daemon *d, struct mono_ns now)
{
	if (ev_is_active(&d->tick) && mono_seconds_between(d->ticked, now) >= HURRY_S)
		ev_feed_event(d->loop, &d->tick, EV_TIMER);
}

static void on_probe(void *ctx, uint32_t id, enum probe_outcome outcome, double took_s,
		     struct mono_ns now)
{
	struct daemon *d = ctx;
	uint32_t backend = model_find_backend_id(d->model, (uint16_t)id);
	enum health_phase before;

	if (d->ending || backend == UINT32_MAX)
		return;
	before = d->model->healths[backend].phase;
	model_probe_result(d->model, backend, outcome, took_s, now);
	if (before != HEALTH_DOWN && d->model->healths[backend].phase == HEALTH_DOWN)
		hurry(d, now);
}

static void on_suspect(void *ctx, uint16_t id)
{
	struct daemon *d = ctx;

	probe_soon(d->probe, id);
}

static void on_report(void *ctx, uint32_t id, const struct report *report, const struct err *why,
		      struct mono_ns now)
{
	struct daemon *d = ctx;
	uint32_t backend = model_find_backend_id(d->model, (uint16_t)id);

	if (d->ending || backend == UINT32_MAX)
		return;
	if (report) {
		d->told |= model_report(d->model, backend, report, now);
		sandboxes_reported(d->sandboxes, (uint16_t)id);
	}
	else
		model_no_report(d->model, backend, why, now);
}

static void on_nexthop(void *ctx, uint32_t id, const struct nexthop_result *result)
{
	struct daemon *d = ctx;
	uint32_t backend = model_find_backend_id(d->model, (uint16_t)id), port = 0;
	int e = 0;

	if (d->ending || backend == UINT32_MAX)
		return;
	if (result->resolved)
		e = dataplane_port(d->dataplane, result->ifindex, &port);
	if (!e)
		e = publish_nexthop(d->publish, d->model, backend, result, port, daemon_boot_ns());
	if (e) {
		log_error("nexthop-refused", "backend=%s error=%s kept=last",
			  d->model->backends[backend].name, log_quote(strerror(-e)));
		return;
	}
	model_nexthop_result(d->model, backend, result->resolved, mono_now());
}

static void on_freed(void *ctx, uint16_t id)
{
	struct daemon *d = ctx;

	if (d->nexthops)
		nexthops_forget(d->nexthops, id);
	sandboxes_forget(d->sandboxes, id);
	signals_forget(d->signals, id);
	suspects_forget(d->suspects, id);
	if (dataplane_clear_backend_stats(d->dataplane, id))
		log_warn("stats-kept", "id=%u", id);
}

void daemon_publish(struct daemon *d)
{
	uint64_t boot_ns = daemon_boot_ns();

	publish_backends(d->publish, d->model);
	for (uint32_t i = 0; i < d->model->pool_count; i++)
		publish_slots(d->publish, d->model, &d->model->pools[i], boot_ns);
	publish_health(d->publish, d->model, boot_ns);
	publish_settle(d->publish, d->model, SETTLE_BUDGET, boot_ns);
	publish_reap(d->publish, d->model, mono_now(), boot_ns);
	sandboxes_tick(d->sandboxes, d->model, boot_ns / 1000000000);
}

/* Frozen shares do not move, so the time of shifts stands still too. */
static void tick_shifts(struct daemon *d, struct mono_ns now)
{
	double dt = d->shifts_ticked.v ? mono_seconds_between(d->shifts_ticked, now) : 0;

	shifts_tick(&d->shifts, d->model, d->model->frozen ? 0 : fmin(dt, SHIFT_TICK_MAX_S));
	d->shifts_ticked = now;
}

static void tick_live(struct daemon *d, struct mono_ns now)
{
	double dt = d->live_ticked.v ? mono_seconds_between(d->live_ticked, now) : 0;

	live_tick(d->live, &d->shifts, d->model, d->control && control_subscribers(d->control), dt);
	d->live_ticked = now;
}

/* What goes on by itself: open shifts, what agents say, and what could not be saved before. */
static void save_running(struct daemon *d, struct mono_ns now)
{
	bool moving = shifts_open(&d->shifts) || !d->shifts_saved.v;
	bool owed = d->told || d->state_error[0];

	if ((!moving && !owed) || mono_seconds_between(d->shifts_saved, now) < SHIFT_SAVE_S)
		return;
	d->shifts_saved = now;
	if (d->shifts.count || owed)
		(void)!daemon_save_state(d, NULL); /* said there, and owed from then on */
	d->told = false;
}

static void tick_signals(struct daemon *d, struct mono_ns now)
{
	double dt = d->signals_read.v ? mono_seconds_between(d->signals_read, now) : 0;

	signals_tick(d->signals, dataplane_tables(d->dataplane), d->model, now, dt);
	suspects_tick(d->suspects, d->model, dt, on_suspect, d);
	d->signals_read = now;
}

void daemon_tick_now(struct daemon *d)
{
	struct mono_ns begin = mono_now();

	d->ticked = begin;
	tick_signals(d, begin);
	tick_shifts(d, begin);
	tick_live(d, begin);
	model_tick(d->model, begin);
	save_running(d, begin);
	daemon_publish(d);
	d->ticks.last_s = mono_seconds_between(begin, mono_now());
	d->ticks.max_s = fmax(d->ticks.max_s, d->ticks.last_s);
	d->ticks.count++;
	web_tick(d->web, d->ticks.last_s);
}

static void on_tick(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct daemon *d = timer->data;

	if (!d->ending)
		daemon_tick_now(d);
}

static void on_hangup(struct ev_loop *loop, ev_signal *signal, int events)
{
	struct daemon *d = signal->data;
	struct err err = {{0}};

	if (!d->ending && daemon_reload(d, false, NULL, &err))
		log_error("reload", "ok=false error=%s kept=old", log_quote(err.text));
}

static void on_end(struct ev_loop *loop, ev_signal *signal, int events)
{
	log_info("stopping", "signal=%d forwarding=stays", signal->signum);
	ev_break(loop, EVBREAK_ALL);
}

/* --- starting */

static int open_dataplane(struct daemon *d, struct err *err)
{
	struct dataplane_sizes sizes = {.slots = d->config->edge.slots,
					.backends = d->config->edge.backends,
					.flows = d->config->edge.flows,
					.sandboxes = d->config->edge.sandboxes};
	int e = dataplane_open(d->options.bpffs_dir, &sizes, err, &d->dataplane);

	if (e)
		return e;
	e = sandboxes_new(d->dataplane, daemon_sandbox_event, d, err, &d->sandboxes);
	if (e)
		return e;
	if (live_new(d->dataplane, daemon_wanted_event, d, &d->live) ||
	    signals_new(dataplane_sizes(d->dataplane)->backends, &d->signals) ||
	    suspects_new(dataplane_sizes(d->dataplane)->backends, &d->suspects))
		return err_set(err, ENOMEM, "out of memory");
	e = publish_new(dataplane_tables(d->dataplane), dataplane_sizes(d->dataplane), on_freed, d,
			daemon_boot_ns(), &d->publish);
	return e ? err_set(err, -e, "out of memory") : 0;
}

static int build_model(struct daemon *d, struct err *err)
{
	struct mono_ns now = mono_now();
	uint64_t seed = dataplane_tables(d->dataplane)->settings->hash_seed;
	int e = model_build(d->config, dataplane_tables(d->dataplane),
			    dataplane_sizes(d->dataplane), NULL, now, err, &d->model);

	if (e)
		return e;
	if (dataplane_adopted(d->dataplane) && seed != d->model->hash_seed)
		log_warn("hash-seed", "effect=%s",
			 log_quote("flows that are under way change their slots"));
	d->model->on_event = daemon_model_event;
	d->model->event_ctx = d;
	model_announce(d->model, NULL, now);
	state_take_model(d->state, d->model, now);
	shifts_load(&d->shifts, json_object_get(d->state, "shifts"));
	d->shifts.on_record = daemon_shift_event;
	d->shifts.ctx = d;
	return 0;
}

/* Probes and questions for a load. */
static int watch(struct daemon *d, const struct model_backend *b, const struct config_health *how,
		 struct err *err)
{
	static const enum reports_type types[CONFIG_REPORT__COUNT] = {
		[CONFIG_REPORT_NONE] = REPORTS_NONE,
		[CONFIG_REPORT_AGENT] = REPORTS_AGENT,
		[CONFIG_REPORT_JSON] = REPORTS_JSON_HTTP,
		[CONFIG_REPORT_JSON_HTTPS] = REPORTS_JSON_HTTPS,
	};
	const struct config_report *c = &how->report;
	const struct reports_config report = {
		.type = types[c->type],
		.port = c->port,
		.path = c->path,
		.host = c->host,
		.send = c->send,
		.interval_s = c->interval_s,
		.timeout_s = c->timeout_s,
	};
	int e = probe_set(d->probe, b->id, b->name, &b->address, &how->probe, err);

	return e ? e : reports_set(d->reports, b->id, b->name, &b->address, &report, err);
}

int daemon_follow(struct daemon *d, const struct model *former, struct err *err)
{
	const struct model *m = d->model;
	int e;

	for (uint32_t i = 0; i < m->backend_count; i++) {
		const struct model_backend *b = &m->backends[i];

		e = nexthops_follow(d->nexthops, b->id, &b->address, err);
		if (e)
			return e;
		if (b->leaving) {
			probe_remove(d->probe, b->id);
			reports_remove(d->reports, b->id);
			continue;
		}
		e = watch(d, b, m->health_configs[b->region], err);
		if (e)
			return e;
	}
	return 0;
}

static bool nexthops_pending(const struct model *m)
{
	for (uint32_t i = 0; i < m->backend_count; i++)
		if (m->backends[i].nexthop == MODEL_NEXTHOP_PENDING)
			return true;
	return false;
}

static void on_patience_over(struct ev_loop *loop, ev_timer *timer, int events)
{
	*(bool *)timer->data = true;
}

/* A first start takes no traffic before it knows where to send it, if that is known soon. */
static void wait_for_nexthops(struct daemon *d)
{
	bool over = false;
	ev_timer patience;

	ev_timer_init(&patience, on_patience_over, FIRST_NEXTHOPS_S, 0);
	patience.data = &over;
	ev_timer_start(d->loop, &patience);
	while (!over && nexthops_pending(d->model))
		ev_run(d->loop, EVRUN_ONCE);
	ev_timer_stop(d->loop, &patience);
}

int daemon_attach(struct daemon *d, const struct config *config, struct attachment *ret_attachments,
		  struct err *err)
{
	for (uint32_t i = 0; i < config->edge.interface_count; i++) {
		const struct config_interface *interface = &config->edge.interfaces[i];
		struct attachment *to = &ret_attachments[i];
		struct err why = {{0}};
		int e = dataplane_attach(d->dataplane, interface->name, interface->mode, &why,
					 &to->native);

		if (e) {
			*err = why;
			return e;
		}
		log_info("attached", "interface=%s mode=%s%s%s", interface->name,
			 to->native ? "native" : "generic", why.text[0] ? " why=" : "",
			 why.text[0] ? log_quote(why.text) : "");
		snprintf(to->why, sizeof(to->why), "%s", why.text);
	}
	return 0;
}

static int detach_others(struct daemon *d, struct err *err)
{
	const struct config_edge *edge = &d->config->edge;
	const char *names[edge->interface_count + 1];

	for (uint32_t i = 0; i < edge->interface_count; i++)
		names[i] = edge->interfaces[i].name;
	return dataplane_detach_others(d->dataplane, names, edge->interface_count, err);
}

/* Tables whole, then the program over them. */
static int take_traffic(struct daemon *d, struct err *err)
{
	int e;

	daemon_tick_now(d);
	e = publish_services(d->publish, d->model, daemon_boot_ns(), err);
	if (e)
		return e;
	d->attachments = calloc(d->config->edge.interface_count + 1, sizeof(*d->attachments));
	if (!d->attachments)
		return err_set(err, ENOMEM, "out of memory");
	e = daemon_attach(d, d->config, d->attachments, err);
	if (!e)
		e = detach_others(d, err);
	if (!e)
		sandboxes_serve(d->sandboxes);
	return e;
}

static int open_control(struct daemon *d, struct err *err)
{
	char path[PATH_MAX];
	int e;

	if (snprintf(path, sizeof(path), "%s/ebbd.sock", d->options.run_dir) >= (int)sizeof(path))
		return err_set(err, ENAMETOOLONG, "the run directory's name is too long");
	e = control_new(d->loop, path, (gid_t)-1, NULL, err, &d->control);
	if (e)
		return e;
	e = commands_register(d);
	return e ? err_set(err, -e, "cannot register the control methods: %s", strerror(-e)) : 0;
}

static void start_watchers(struct daemon *d)
{
	double tick_s = d->config->health.tick_s;

	ev_timer_init(&d->tick, on_tick, tick_s, tick_s);
	ev_signal_init(&d->on_hup, on_hangup, SIGHUP);
	ev_signal_init(&d->on_term, on_end, SIGTERM);
	ev_signal_init(&d->on_int, on_end, SIGINT);
	d->tick.data = d->on_hup.data = d->on_term.data = d->on_int.data = d;
	ev_timer_start(d->loop, &d->tick);
	ev_signal_start(d->loop, &d->on_hup);
	ev_signal_start(d->loop, &d->on_term);
	ev_signal_start(d->loop, &d->on_int);
}

int daemon_start(struct daemon *d, const struct daemon_options *options, struct err *err)
{
	int e;

	*d = (struct daemon){.options = *options, .lock_fd = -1, .started = mono_now()};
	signal(SIGPIPE, SIG_IGN);
	d->loop = ev_default_loop(EVFLAG_AUTO);
	if (!d->loop)
		return err_set(err, EIO, "no event loop");
	e = daemon_prepare(d, err);
	if (!e)
		e = open_dataplane(d, err);
	if (!e)
		e = build_model(d, err);
	if (e)
		return e;
	publish_backends(d->publish, d->model);
	e = nexthops_new(d->loop, on_nexthop, d, err, &d->nexthops);
	if (!e)
		e = probe_new(d->loop, on_probe, d, err, &d->probe);
	if (!e)
		e = reports_new(d->loop, on_report, d, err, &d->reports);
	if (!e)
		e = daemon_follow(d, NULL, err);
	if (e)
		return e;
	if (!dataplane_adopted(d->dataplane))
		wait_for_nexthops(d);
	e = take_traffic(d, err);
	if (!e)
		e = open_control(d, err);
	if (!e && web_start(d, &d->web))
		e = err_set(err, ENOMEM, "out of memory");
	if (e)
		return e;
	start_watchers(d);
	daemon_time(d->loaded_at);
	log_info("ready", "edge=%s adopted=%s backends=%u pools=%u services=%u",
		 d->config->edge.name, dataplane_adopted(d->dataplane) ? "true" : "false",
		 d->config->backend_count, d->config->pool_count, d->config->service_count);
	return 0;
}

void daemon_run(struct daemon *d)
{
	ev_run(d->loop, 0);
}

static int put_state(struct daemon *d, struct err *err)
{
	int e = state_put_model(d->state, d->model);

	if (!e && json_object_set_new(d->state, "shifts", shifts_save(&d->shifts)))
		e = -ENOMEM;
	if (e)
		return err_set(err, -e, "out of memory");
	return state_save(d->options.state_dir, d->state, err);
}

/* Says it once when it fails and once when it works again: it is tried again every second. */
int daemon_save_state(struct daemon *d, struct err *err)
{
	struct err why = {{0}};
	int e = put_state(d, &why);

	if (e && strcmp(why.text, d->state_error))
		log_error("state", "ok=false error=%s effect=%s", log_quote(why.text),
			  log_quote("what is set now is lost at a restart"));
	if (!e && d->state_error[0])
		log_info("state", "ok=true");
	snprintf(d->state_error, sizeof(d->state_error), "%s", why.text);
	if (e && err)
		*err = why;
	return e;
}

void daemon_stop(struct daemon *d)
{
	d->ending = true;
	web_stop(d->web);
	control_free(d->control);
	if (d->probe)
		probe_free(d->probe);
	reports_free(d->reports);
	if (d->nexthops)
		nexthops_free(d->nexthops);
	publish_free(d->publish);
	sandboxes_free(d->sandboxes);
	live_free(d->live);
	signals_free(d->signals);
	suspects_free(d->suspects);
	model_free(d->model);
	if (d->dataplane)
		dataplane_close(d->dataplane);
	config_free(d->config);
	audit_free(d->audit);
	history_free(d->history);
	json_decref(d->state);
	free(d->attachments);
	if (d->lock_fd >= 0)
		close(d->lock_fd);
}
