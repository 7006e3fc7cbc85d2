/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_PROBE_H
#define EBB_PROBE_H
/*
 * probe: asks backends whether they work. TCP connects and HTTP(S) requests (libcurl multi) on one libev loop, no
 * thread a probe, thousands in parallel. Each target is asked every `interval`, phase-shifted by a hash of its
 * name so that probes are spread evenly; at most one probe of a target is under way.
 *
 * Takes targets, gives one enum a probe to the callback. Never judges: health.c does.
 */
#include <ev.h>
#include <stdint.h>

#include "controller/config.h"
#include "controller/err.h"
#include "controller/health.h" /* enum probe_outcome */
#include "controller/mono.h"

struct probe; /* all probes of a daemon */

/* `id` is what the target was added with. `took_s`: from start to outcome. */
typedef void (*probe_result_fn)(void *ctx, uint32_t id, enum probe_outcome outcome, double took_s,
				struct mono_ns now);

EBB_MUST_CHECK int probe_new(struct ev_loop *loop, probe_result_fn on_result, void *ctx,
			     struct err *err, struct probe **ret_probe);
/* Adds or changes the target `id`; copies what it needs. CONFIG_PROBE_NONE removes it. */
EBB_MUST_CHECK int probe_set(struct probe *probe, uint32_t id, const char *name,
			     const struct address *address, const struct config_probe *how,
			     struct err *err);
void probe_remove(struct probe *probe, uint32_t id);
/* No new probe is started while paused; for tests of "a pause of all probes changes nothing". */
void probe_pause(struct probe *probe, int paused);
void probe_free(struct probe *probe);

#endif
