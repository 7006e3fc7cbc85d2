/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_AUDIT_H
#define EBB_AUDIT_H
/*
 * audit: the events of the history, in a file that outlives the daemon: STATE_DIR/audit.log, one line an event, appended by
 * one write() each.
 *
 *   0123456789abcdef 1767323045.678 {"event": "shift", …}
 *   checksum (FNV-1a, finished) of what follows the blank; wall time; the event
 *
 * At AUDIT_BYTES_MAX the file becomes audit.log.1, in place of the one before, so there are at most two. A line that is torn or
 * changed is left out when they are read, and said once; a file that is none is set aside as audit.log.bad. That nothing can be
 * written stops nothing: it is said once, and tried again with each event.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "controller/err.h"
#include "controller/history.h"

#define AUDIT_BYTES_MAX (4 * 1024 * 1024)
#define AUDIT_LINE_MAX	4096

struct audit;

/* What is there goes into `history`, oldest first. -ENOMEM, or -errno where the file cannot be opened. `err` also says what was
 * left out, with 0. */
EBB_MUST_CHECK int audit_open(const char *dir, struct history *history, struct err *err,
			      struct audit **ret_audit);
void audit_free(struct audit *audit);
/* `durable`: on the disk when it returns. An event over AUDIT_LINE_MAX is not written: -EMSGSIZE. */
EBB_MUST_CHECK int audit_add(struct audit *audit, double at_s, const json_t *event, bool durable);
/* The last write went wrong; said once. */
bool audit_failing(const struct audit *audit);

/* One line without its line feed. False: it is none. Pure. */
bool audit_parse(const char *line, size_t length, double *ret_at_s, json_t **ret_event);

#endif
