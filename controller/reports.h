/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_REPORTS_H
#define EBB_REPORTS_H
/*
 * reports: asks backends for their load, every interval, as probe.h asks them whether they work: on
 * one libev loop, each at a phase of its own, one question of a target at a time.
 *
 *   agent   TCP: connects, sends `send` if there is one, reads one line (HAProxy's agent-check)
 *   json    HTTP(S): GET of `path`, status 200 to 299, a body of at most REPORT_JSON_BYTES_MAX
 *
 * Takes targets, gives a report or the reason why there is none. That there is none says nothing
 * about the backend: whoever hears it goes on with the last report for as long as it likes.
 */
#include <ev.h>
#include <stdint.h>

#include "controller/err.h"
#include "controller/mono.h"
#include "controller/report.h"
#include "maps/types.h"

#define REPORTS_SEND_MAX 256 /* bytes */

enum reports_type {
	REPORTS_NONE,
	REPORTS_AGENT,
	REPORTS_JSON_HTTP,
	REPORTS_JSON_HTTPS,
	REPORTS_TYPE__COUNT,
};

struct reports_config {
	enum reports_type type;
	uint16_t port;           /* host order */
	const char *path, *host; /* JSON; as a probe's */
	const char *send;        /* agent; NULL: nothing */
	double interval_s, timeout_s;
};

struct reports;

/* `report` NULL: there is none, and `why` says so in one sentence. May set and remove targets. */
typedef void (*reports_fn)(void *ctx, uint32_t id, const struct report *report,
			   const struct err *why, struct mono_ns now);

EBB_MUST_CHECK int reports_new(struct ev_loop *loop, reports_fn on_report, void *ctx,
			       struct err *err, struct reports **ret_reports);
/* As probe_set(): `id` 0..BACKENDS_MAX, copies what it needs, REPORTS_NONE removes. A target that
 * is set again starts anew. -EINVAL, -ERANGE, -ENOMEM; on failure the target is as before. */
EBB_MUST_CHECK int reports_set(struct reports *reports, uint32_t id, const char *name,
			       const struct address *address, const struct reports_config *how,
			       struct err *err);
void reports_remove(struct reports *reports, uint32_t id);
void reports_free(struct reports *reports);

#endif
