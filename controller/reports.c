// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * reports: see the header. A source is waiting (its timer says when its turn is) or asked (its
 * timer is the timeout); source_end() is the only way back.
 */
#include "controller/reports.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "controller/dial.h"
#include "controller/probe_http.h"
#include "controller/turn.h"

#define SOURCES_MAX (BACKENDS_MAX + 1)

struct source {
	struct reports *reports;
	uint32_t id;
	enum reports_type type;
	struct address address;
	uint16_t port;
	double interval_s, timeout_s, phase;
	char send[REPORTS_SEND_MAX];
	size_t send_length, sent;
	struct probe_http_request *request; /* JSON */
	bool asked;
	ev_timer timer;
	ev_io io; /* agent; its fd is -1 while there is no connection */
	char *buffer; /* while asked */
	size_t size, length; /* of the buffer, and what is in it */
};

struct reports {
	struct ev_loop *loop;
	reports_fn on_report;
	void *ctx;
	struct probe_http *http;
	struct source *sources[SOURCES_MAX];
};

static void wait_for(struct source *s, double wait_s)
{
	ev_timer_stop(s->reports->loop, &s->timer);
	ev_now_update(s->reports->loop);
	ev_timer_set(&s->timer, wait_s, 0.);
	ev_timer_start(s->reports->loop, &s->timer);
}

static void stop(struct source *s)
{
	if (s->io.fd >= 0) {
		ev_io_stop(s->reports->loop, &s->io);
		close(s->io.fd);
		ev_io_set(&s->io, -1, EV_READ);
	}
	if (s->request)
		probe_http_cancel(s->request);
	free(s->buffer); /* of no use between questions, and there may be thousands */
	s->buffer = NULL;
	s->asked = false;
}

/* Ends the question. `s` may be gone when it returns: the callback is the last act. */
static void source_end(struct source *s, const struct report *report, const struct err *why)
{
	struct reports *reports = s->reports;
	struct mono_ns now = mono_now();

	stop(s);
	wait_for(s, turn_wait_s(s->interval_s, s->phase, now));
	reports->on_report(reports->ctx, s->id, report, why, now);
}

static void end_without(struct source *s, const char *reason)
{
	struct err why;

	err_set(&why, EIO, "no report: %s", reason);
	source_end(s, NULL, &why);
}

static void end_with_buffer(struct source *s)
{
	struct report report;
	struct err why = {};
	int rc = s->type == REPORTS_AGENT ? report_parse_agent(s->buffer, s->length, &why, &report)
					  : report_parse_json(s->buffer, s->length, &why, &report);

	source_end(s, rc ? NULL : &report, &why);
}

/* ---- agent ---- */

static bool line_is_whole(const struct source *s)
{
	return memchr(s->buffer, '\n', s->length) || memchr(s->buffer, '\r', s->length) ||
	       memchr(s->buffer, '\0', s->length);
}

static void on_readable(struct source *s)
{
	ssize_t n = recv(s->io.fd, s->buffer + s->length, s->size - s->length, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		end_without(s, strerror(errno));
		return;
	}
	s->length += (size_t)n;
	if (n == 0 || line_is_whole(s) || s->length == s->size)
		end_with_buffer(s);
}

static void on_writable(struct source *s)
{
	int code = dial_error(s->io.fd);
	ssize_t n = 0;

	if (!code && s->sent < s->send_length) {
		n = send(s->io.fd, s->send + s->sent, s->send_length - s->sent, MSG_NOSIGNAL);
		code = n < 0 && errno != EAGAIN && errno != EINTR ? errno : 0;
	}
	if (code) {
		end_without(s, strerror(code));
		return;
	}
	s->sent += n > 0 ? (size_t)n : 0;
	if (s->sent < s->send_length)
		return;
	ev_io_stop(s->reports->loop, &s->io);
	ev_io_set(&s->io, s->io.fd, EV_READ);
	ev_io_start(s->reports->loop, &s->io);
}

static void on_io(struct ev_loop *loop, ev_io *io, int events)
{
	if (events & EV_WRITE)
		on_writable(io->data);
	else
		on_readable(io->data);
}

/* ---- both ---- */

static void on_http_done(void *ctx, bool counted, enum probe_outcome outcome)
{
	struct source *s = ctx;

	s->length = probe_http_body_bytes(s->request);
	if (!counted)
		end_without(s, "out of descriptors, ports or memory here");
	else if (outcome != PROBE_OK)
		end_without(s, probe_outcome_name(outcome));
	else if (s->length > s->size)
		end_without(s, "the body is too long");
	else
		end_with_buffer(s);
}

/* A socket, 0 for an HTTP request, or -errno. */
static int ask(struct source *s)
{
	s->buffer = malloc(s->size);
	if (!s->buffer)
		return -ENOMEM;
	if (!s->request)
		return dial_tcp(&s->address, s->port);
	probe_http_collect(s->request, s->buffer, s->size);
	return probe_http_start(s->request);
}

static void start(struct source *s)
{
	int rc;

	s->asked = true;
	s->length = s->sent = 0;
	wait_for(s, s->timeout_s);
	rc = ask(s);
	if (rc < 0) {
		end_without(s, strerror(-rc));
	} else if (!s->request) {
		ev_io_set(&s->io, rc, EV_WRITE);
		ev_io_start(s->reports->loop, &s->io);
	}
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct source *s = timer->data;

	if (s->asked)
		end_without(s, "timed out");
	else
		start(s);
}

/* ---- sources ---- */

static void source_free(struct source *s)
{
	if (!s)
		return;
	stop(s);
	ev_timer_stop(s->reports->loop, &s->timer);
	probe_http_request_free(s->request);
	free(s);
}

static int open_request(struct source *s, const struct reports_config *how, struct err *err)
{
	const struct config_probe probe = {
		.type = how->type == REPORTS_JSON_HTTPS ? CONFIG_PROBE_HTTPS : CONFIG_PROBE_HTTP,
		.port = how->port, .path = (char *)how->path, .host = (char *)how->host};

	return probe_http_request_new(s->reports->http, &s->address, &probe, on_http_done, s, err,
				      &s->request);
}

static int source_new(struct reports *reports, uint32_t id, const char *name,
		      const struct address *address, const struct reports_config *how,
		      struct err *err, struct source **ret_source)
{
	struct source *s = calloc(1, sizeof(*s));
	int rc = 0;

	if (!s)
		return err_set(err, ENOMEM, "out of memory");
	*s = (struct source){.reports = reports,
			     .id = id,
			     .type = how->type,
			     .address = *address,
			     .port = how->port,
			     .interval_s = how->interval_s,
			     .timeout_s = how->timeout_s,
			     .phase = turn_phase(name)};
	ev_init(&s->timer, on_timer);
	ev_io_init(&s->io, on_io, -1, EV_READ);
	s->timer.data = s->io.data = s;
	s->send_length = how->send ? strlen(how->send) : 0;
	memcpy(s->send, how->send ? how->send : "", s->send_length);
	s->size = how->type == REPORTS_AGENT ? REPORT_AGENT_BYTES_MAX : REPORT_JSON_BYTES_MAX;
	if (how->type != REPORTS_AGENT)
		rc = open_request(s, how, err);
	if (rc)
		source_free(s);
	else
		*ret_source = s;
	return rc;
}

int reports_set(struct reports *reports, uint32_t id, const char *name,
		const struct address *address, const struct reports_config *how, struct err *err)
{
	struct source *s = NULL;
	int rc;

	if (how->type == REPORTS_NONE) {
		reports_remove(reports, id);
		return 0;
	}
	if (id >= SOURCES_MAX)
		return err_set(err, ERANGE, "report %u: at most %d sources", id, SOURCES_MAX);
	if (!(how->interval_s > 0) || !(how->timeout_s > 0) || !how->port)
		return err_set(err, EINVAL, "report: interval, timeout and port must be above 0");
	if (how->send && strlen(how->send) > REPORTS_SEND_MAX)
		return err_set(err, EINVAL, "report: at most %d bytes can be sent to an agent",
			       REPORTS_SEND_MAX);
	rc = source_new(reports, id, name, address, how, err, &s);
	if (rc)
		return rc;
	reports_remove(reports, id);
	reports->sources[id] = s;
	wait_for(s, turn_wait_s(s->interval_s, s->phase, mono_now()));
	return 0;
}

void reports_remove(struct reports *reports, uint32_t id)
{
	if (id >= SOURCES_MAX || !reports->sources[id])
		return;
	source_free(reports->sources[id]);
	reports->sources[id] = NULL;
}

int reports_new(struct ev_loop *loop, reports_fn on_report, void *ctx, struct err *err,
		struct reports **ret_reports)
{
	struct reports *reports = calloc(1, sizeof(*reports));
	int rc;

	if (!reports)
		return err_set(err, ENOMEM, "out of memory");
	reports->loop = loop;
	reports->on_report = on_report;
	reports->ctx = ctx;
	rc = probe_http_new(loop, err, &reports->http);
	if (rc)
		free(reports);
	else
		*ret_reports = reports;
	return rc;
}

void reports_free(struct reports *reports)
{
	if (!reports)
		return;
	for (uint32_t i = 0; i < SOURCES_MAX; i++)
		reports_remove(reports, i);
	probe_http_free(reports->http);
	free(reports);
}
