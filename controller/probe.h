/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_PROBE_H
#define EBB_PROBE_H
/*
 * probe: asks backends whether they work. TCP connects and HTTP(S) requests (libcurl multi) on one
 * libev loop, no thread a probe, thousands in parallel. Each target is asked every `interval`,
 * phase-shifted by a hash of its name so that probes are spread evenly; at most one probe of a
 * target is under way.
 *
 * Takes targets, gives one enum a probe to the callback. Never judges: health.c does.
 *
 *   tcp          PROBE_OK once connected; closed by reset at once
 *   http, https  PROBE_OK for status 200 to 299, no redirect followed; a body is read to its end or
 * to 64 KiB. Other statuses, garbage, a body cut off, failing TLS: PROBE_BAD_STATUS. Closed or
 * reset before an answer: PROBE_RESET. The certificate is not checked (probe_http.c says why).
 *
 * Fast interval: after a refusal, reset, unreachable or timeout the next probe of this target
 * starts 50 ms after the start of the last one, or as soon as that has ended, until one succeeds or
 * as many have failed in a row as `fall` and `fall_timeouts` ask for; then it falls back to its
 * interval. So a death that is first seen by a refusal is certain 100 ms later.
 *
 * Want on our side (descriptors, ports, memory) is no outcome: nothing is told, probe_starved()
 * counts it.
 */
#include <ev.h>
#include <stdint.h>

#include "controller/config.h"
#include "controller/err.h"
#include "controller/health.h" /* enum probe_outcome */
#include "controller/mono.h"

struct probe; /* all probes of a daemon */

/* `id` is what the target was added with. `took_s`: from start to outcome. May set and remove
 * targets. */
typedef void (*probe_result_fn)(void *ctx, uint32_t id, enum probe_outcome outcome, double took_s,
				struct mono_ns now);

EBB_MUST_CHECK int probe_new(struct ev_loop *loop, probe_result_fn on_result, void *ctx,
			     struct err *err, struct probe **ret_probe);
/* Adds or changes the target `id`, 0..BACKENDS_MAX; copies what it needs. CONFIG_PROBE_NONE removes
 * it. A target that is set again as it was goes on undisturbed. -EINVAL, -ERANGE, -ENOMEM; -EMFILE:
 * more targets than the limit of open files allows (it was raised as far as may be). On failure the
 * target is as before. */
EBB_MUST_CHECK int probe_set(struct probe *probe, uint32_t id, const char *name,
			     const struct address *address, const struct config_probe *how,
			     struct err *err);
void probe_remove(struct probe *probe, uint32_t id);
/* Asks the target at once, unless a probe of it is under way: for a suspicion that came by another
 * way. */
void probe_soon(struct probe *probe, uint32_t id);
/* No new probe is started while paused; for tests of "a pause of all probes changes nothing". */
void probe_pause(struct probe *probe, int paused);
uint64_t probe_starved(const struct probe *probe);
void probe_free(struct probe *probe);

#endif
