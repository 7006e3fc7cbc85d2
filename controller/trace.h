/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_TRACE_H
#define EBB_TRACE_H
/*
 * trace: reads the sampled packet trace (maps/trace.h) from the pinned maps, and what a record's bytes say. No daemon is
 * needed.
 */
#include <stddef.h>
#include <stdint.h>

#include "controller/err.h"
#include "maps/trace.h"

#define TRACE_LAYERS_MAX 2 /* an outer header and the packet in it */

/* One IP header and the ports behind it. */
struct trace_layer {
	struct address source, destination;
	uint16_t source_port, destination_port; /* 0 where there are none */
	uint8_t protocol;
};

struct trace;

/* Called for each record; anything but 0 ends the reading. */
typedef int (*trace_fn)(void *ctx, const struct trace_record *record);

/* Starts a trace of one packet in `rate` (1 to TRACE_RATE_MAX). -ENOENT: nothing is pinned below `bpffs_dir`; -EBUSY: another
 * one reads. It ends with trace_close(), or two seconds after the last trace_read(). */
EBB_MUST_CHECK int trace_open(const char *bpffs_dir, uint32_t rate, struct err *err,
			      struct trace **ret_trace);
/* Waits up to `timeout_ms` and hands on what is there. 0, or what `fn` returned, or -EINTR. */
EBB_MUST_CHECK int trace_read(struct trace *trace, int timeout_ms, trace_fn fn, void *ctx);
void trace_close(struct trace *trace); /* NULL is fine */

/* The IP headers of a frame, outermost first: their number. Only what was captured is read. */
size_t trace_layers(const struct trace_record *record, struct trace_layer ret_layers[TRACE_LAYERS_MAX]);

#endif
