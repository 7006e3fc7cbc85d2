/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_REPORT_H
#define EBB_REPORT_H
/*
 * report: what a backend says of its own load. Pure: bytes in, a struct out; what is not said stays
 * unsaid.
 *
 * agent   one line of text as HAProxy's agent-check has it: words between blanks or commas, any
 * case, "#" and a reason last. "75%", "maxconn:30", "ready", "drain", "maint", "up", "down",
 * "fail", "stopped"; the last word of a kind counts. Words that we do not know are passed over; a
 * line without a known one is refused. json    an object: "sandboxes", "capacity", "warm" (whole
 * numbers), "load" (0: idle, 1: all that it can bear), "state" ("ready", "drain", "maint", "up",
 * "down"). Keys that we do not know are passed over.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controller/err.h"

#define REPORT_AGENT_BYTES_MAX 1024 /* of the line */
#define REPORT_JSON_BYTES_MAX  16384
#define REPORT_REASON_MAX      80

enum report_admin {
	REPORT_ADMIN_UNSAID,
	REPORT_ADMIN_READY,
	REPORT_ADMIN_DRAIN,
	REPORT_ADMIN_MAINT,
	REPORT_ADMIN__COUNT,
};

enum report_status {
	REPORT_STATUS_UNSAID,
	REPORT_STATUS_UP,
	REPORT_STATUS_DOWN, /* down, fail, stopped */
	REPORT_STATUS__COUNT,
};

struct report {
	enum report_admin admin;
	enum report_status status;
	bool has_weight, has_maxconn, has_load, has_sandboxes, has_capacity, has_warm;
	double weight; /* [0,1] of what is configured */
	double load;   /* [0,1000] */
	uint32_t maxconn, sandboxes, capacity, warm;
	char reason[REPORT_REASON_MAX]; /* printable ASCII, NUL-terminated, cut */
};

/* -EINVAL with what is wrong. The line ends at a line feed, carriage return, NUL, or with the
 * bytes. */
EBB_MUST_CHECK int report_parse_agent(const char *bytes, size_t length, struct err *err,
				      struct report *ret_report);
EBB_MUST_CHECK int report_parse_json(const char *bytes, size_t length, struct err *err,
				     struct report *ret_report);

/*
 * What the target of health is multiplied with, [0,1]: the weight, times 1 up to a load of 0.7, and
 * from there in a line down to 0.1 at a load of 1. Load alone never takes a backend out: whoever
 * works at its limit still works.
 */
double report_load_term(const struct report *report);

extern const char *const report_admin_names[REPORT_ADMIN__COUNT];
extern const char *const report_status_names[REPORT_STATUS__COUNT];

#endif
