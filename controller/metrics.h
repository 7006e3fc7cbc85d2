/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_METRICS_H
#define EBB_METRICS_H
/*
 * metrics: the model and the data plane's counters as Prometheus text (exposition format 0.0.4). Names, units and labels
 * are a contract (docs/design.md, ebbd(8)): prefix ebb_, base units, _total on counters, never a label for a sandbox.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "controller/dataplane.h"
#include "controller/model.h"
#include "controller/sandboxes.h"
#include "controller/shifts.h"

#define METRICS_TICK_BUCKETS 10

/* Durations of ticks; counts are not cumulative here. */
struct metrics_histogram {
	uint64_t buckets[METRICS_TICK_BUCKETS + 1]; /* the last: beyond all bounds */
	double sum_s;
};

void metrics_observe(struct metrics_histogram *h, double seconds);

struct metrics_source {
	const struct model *model;
	const struct shifts *shifts; /* NULL: none */
	struct dataplane *dataplane; /* NULL: no counters */
	const struct sandboxes *sandboxes; /* NULL: none of them */
	const struct metrics_histogram *ticks;
	const char *edge;
	double started_s;	 /* wall time, seconds of the epoch */
	bool reload_successful;	 /* of the last attempt */
	uint64_t probes_suspected, probes_starved; /* suspect.h, probe.h */
};

/* From malloc(), or NULL when out of memory. */
char *metrics_format(const struct metrics_source *source, size_t *ret_length);

/* The building stones, for tests: HELP and TYPE; a label's value with \ " and newline escaped; a number. */
void metrics_head(FILE *to, const char *name, const char *type, const char *help);
void metrics_escape(FILE *to, const char *value);
void metrics_number(FILE *to, double value);

#endif
