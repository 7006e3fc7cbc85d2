// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * probe: see the header. A target is either waiting (its timer says when it is due) or under way
 * (its timer is the timeout); target_end() is the only way from under way to waiting.
 */
#include "controller/probe.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "controller/dial.h"
#include "controller/probe_http.h"
#include "controller/turn.h"

#define TARGETS_MAX   (BACKENDS_MAX + 1)
#define FAST_S	      0.05
#define SPARE_FILES   128     /* descriptors that probes leave to everything else */
#define FILES_MAX     1048576 /* as far as the limit is raised */

struct target {
	struct probe *probe;
	uint32_t id;
	enum config_probe_type type;
	struct address address;
	uint16_t port;
	double interval_s, timeout_s;
	double phase;        /* [0,1) of the interval */
	uint32_t fast_row;   /* so many failures in a row are asked for by the fast interval */
	uint32_t failed_row; /* refusals, resets, unreachables and timeouts in a row */
	char *path, *host;
	struct probe_http_request *request; /* HTTP(S) */
	bool under_way;
	struct mono_ns started;
	ev_timer timer;
	ev_io connecting; /* TCP; its fd is -1 while there is none */
};

struct probe {
	struct ev_loop *loop;
	probe_result_fn on_result;
	void *ctx;
	struct probe_http *http;
	struct target *targets[TARGETS_MAX];
	uint32_t count, count_max; /* of targets; what the limit of open files allows */
	uint64_t starved;
	bool paused;
};

/* ---- when ---- */

static double regular_wait(const struct target *t, struct mono_ns now)
{
	return turn_wait_s(t->interval_s, t->phase, now);
}

static double next_wait(const struct target *t, struct mono_ns now)
{
	double regular = regular_wait(t, now), fast;

	if (!t->failed_row || t->failed_row >= t->fast_row)
		return regular;
	fast = FAST_S - mono_seconds_between(t->started, now);
	return fmin(fmax(fast, 0.), regular);
}

static void wait_for(struct target *t, double wait_s)
{
	ev_timer_stop(t->probe->loop, &t->timer);
	ev_now_update(t->probe->loop); /* else the time this iteration took would be missing */
	ev_timer_set(&t->timer, wait_s, 0.);
	ev_timer_start(t->probe->loop, &t->timer);
}

/* ---- one probe ---- */

static void close_connection(struct target *t)
{
	if (t->connecting.fd < 0)
		return;
	ev_io_stop(t->probe->loop, &t->connecting);
	close(t->connecting.fd);
	ev_io_set(&t->connecting, -1, EV_WRITE);
}

static void stop(struct target *t)
{
	close_connection(t);
	if (t->request)
		probe_http_cancel(t->request);
	t->under_way = false;
}

static bool is_hard(enum probe_outcome outcome)
{
	return outcome == PROBE_REFUSED || outcome == PROBE_RESET || outcome == PROBE_UNREACHABLE ||
	       outcome == PROBE_TIMEOUT;
}

/* Ends the probe under way. `t` may be gone when it returns: the callback is the last act. */
static void target_end(struct target *t, bool counted, enum probe_outcome outcome)
{
	struct mono_ns now = mono_now();
	struct probe *probe = t->probe;
	double took_s = mono_seconds_between(t->started, now);

	stop(t);
	if (!counted) {
		probe->starved++;
		wait_for(t, regular_wait(t, now));
		return;
	}
	t->failed_row = is_hard(outcome) ? t->failed_row + 1 : 0;
	wait_for(t, next_wait(t, now));
	probe->on_result(probe->ctx, t->id, outcome, took_s, now);
}

static void on_http_done(void *ctx, bool counted, enum probe_outcome outcome)
{
	target_end(ctx, counted, outcome);
}

static void end_by_errno(struct target *t, int code)
{
	enum probe_outcome outcome = PROBE_OK;
	bool counted = code == 0 || probe_errno_outcome(code, &outcome);

	target_end(t, counted, outcome);
}

static void on_connected(struct ev_loop *loop, ev_io *io, int events)
{
	end_by_errno(io->data, dial_error(io->fd));
}

/* 0: under way or connected; else the errno. */
static int connect_tcp(struct target *t)
{
	int fd = dial_tcp(&t->address, t->port);

	if (fd < 0)
		return -fd;
	ev_io_set(&t->connecting, fd, EV_WRITE); /* also if it connected at once: writable now */
	ev_io_start(t->probe->loop, &t->connecting);
	return 0;
}

static void start(struct target *t)
{
	int code;

	t->started = mono_now();
	t->under_way = true;
	wait_for(t, t->timeout_s);
	code = t->request ? -probe_http_start(t->request) : connect_tcp(t);
	if (code)
		end_by_errno(t, code);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct target *t = timer->data;

	if (t->under_way)
		target_end(t, true, PROBE_TIMEOUT);
	else if (t->probe->paused)
		wait_for(t, regular_wait(t, mono_now()));
	else
		start(t);
}

/* ---- targets ---- */

static void target_free(struct target *t)
{
	if (!t)
		return;
	stop(t);
	ev_timer_stop(t->probe->loop, &t->timer);
	probe_http_request_free(t->request);
	free(t->path);
	free(t->host);
	free(t);
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static uint32_t larger(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static bool same_target(const struct target *t, double phase, const struct address *address,
			const struct config_probe *how)
{
	return t->type == how->type && t->port == how->port && t->phase == phase &&
	       !memcmp(&t->address, address, sizeof(*address)) && same_text(t->path, how->path) &&
	       same_text(t->host, how->host) && t->interval_s == how->interval_s &&
	       t->timeout_s == how->timeout_s &&
	       t->fast_row == larger(how->fall, how->fall_timeouts);
}

static int copy_text(const char *text, char **ret_copy)
{
	*ret_copy = text ? strdup(text) : NULL;
	return text && !*ret_copy ? -ENOMEM : 0;
}

static int target_new(struct probe *probe, uint32_t id, double phase, const struct address *address,
		      const struct config_probe *how, struct err *err, struct target **ret_target)
{
	struct target *t = calloc(1, sizeof(*t));
	int rc = 0;

	if (!t)
		return err_set(err, ENOMEM, "out of memory");
	*t = (struct target){.probe = probe,
			     .id = id,
			     .type = how->type,
			     .address = *address,
			     .port = how->port,
			     .interval_s = how->interval_s,
			     .timeout_s = how->timeout_s,
			     .phase = phase,
			     .fast_row = larger(how->fall, how->fall_timeouts)};
	ev_init(&t->timer, on_timer);
	ev_io_init(&t->connecting, on_connected, -1, EV_WRITE);
	t->timer.data = t->connecting.data = t;
	if (copy_text(how->path, &t->path) || copy_text(how->host, &t->host))
		rc = err_set(err, ENOMEM, "out of memory");
	else if (how->type != CONFIG_PROBE_TCP)
		rc = probe_http_request_new(probe->http, address, how, on_http_done, t, err,
					    &t->request);
	if (rc)
		target_free(t);
	else
		*ret_target = t;
	return rc;
}

static int check(const struct probe *probe, uint32_t id, const struct config_probe *how,
		 struct err *err)
{
	if (id >= TARGETS_MAX)
		return err_set(err, ERANGE, "probe %u: at most %d targets", id, TARGETS_MAX);
	if (!(how->interval_s > 0) || !(how->timeout_s > 0))
		return err_set(err, EINVAL, "probe interval and timeout must be above 0");
	if (!how->port)
		return err_set(err, EINVAL, "probe port 0: 1 to 65535 are possible");
	if (!probe->targets[id] && probe->count >= probe->count_max)
		return err_set(
			err, EMFILE,
			"more than %u probes: the limit of open files allows no more; raise it "
			"(LimitNOFILE= of the unit, or ulimit -n) to the number of backends plus "
			"%d",
			probe->count_max, SPARE_FILES);
	return 0;
}

int probe_set(struct probe *probe, uint32_t id, const char *name, const struct address *address,
	      const struct config_probe *how, struct err *err)
{
	struct target *t = NULL, *former;
	double phase;
	int rc;

	if (how->type == CONFIG_PROBE_NONE) {
		probe_remove(probe, id);
		return 0;
	}
	rc = check(probe, id, how, err);
	if (rc)
		return rc;
	phase = turn_phase(name);
	former = probe->targets[id];
	if (former && same_target(former, phase, address, how))
		return 0;
	rc = target_new(probe, id, phase, address, how, err, &t);
	if (rc)
		return rc;
	probe_remove(probe, id);
	probe->targets[id] = t;
	probe->count++;
	wait_for(t, regular_wait(t, mono_now()));
	return 0;
}

void probe_remove(struct probe *probe, uint32_t id)
{
	if (id >= TARGETS_MAX || !probe->targets[id])
		return;
	target_free(probe->targets[id]);
	probe->targets[id] = NULL;
	probe->count--;
}

void probe_soon(struct probe *probe, uint32_t id)
{
	struct target *t = id < TARGETS_MAX ? probe->targets[id] : NULL;

	if (t && !t->under_way && !probe->paused)
		wait_for(t, 0.);
}

void probe_pause(struct probe *probe, int paused)
{
	probe->paused = paused;
}

uint64_t probe_starved(const struct probe *probe)
{
	return probe->starved;
}

/* The soft limit of open files (1024 on most systems) is raised as far as the hard one lets it. */
static uint32_t raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return SPARE_FILES;
	if (limit.rlim_cur < limit.rlim_max && limit.rlim_cur < FILES_MAX) {
		rlim_t former = limit.rlim_cur;

		limit.rlim_cur = limit.rlim_max < FILES_MAX ? limit.rlim_max : FILES_MAX;
		if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
			limit.rlim_cur = former;
	}
	return limit.rlim_cur < FILES_MAX ? (uint32_t)limit.rlim_cur : FILES_MAX;
}

int probe_new(struct ev_loop *loop, probe_result_fn on_result, void *ctx, struct err *err,
	      struct probe **ret_probe)
{
	struct probe *probe = calloc(1, sizeof(*probe));
	uint32_t files = raise_file_limit();
	int rc;

	if (!probe)
		return err_set(err, ENOMEM, "out of memory");
	probe->loop = loop;
	probe->on_result = on_result;
	probe->ctx = ctx;
	probe->count_max = files > SPARE_FILES ? files - SPARE_FILES : 0;
	rc = probe_http_new(loop, err, &probe->http);
	if (rc)
		free(probe);
	else
		*ret_probe = probe;
	return rc;
}

void probe_free(struct probe *probe)
{
	if (!probe)
		return;
	for (uint32_t i = 0; i < TARGETS_MAX; i++)
		probe_remove(probe, i);
	probe_http_free(probe->http);
	free(probe);
}
