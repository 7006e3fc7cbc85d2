// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * model_report: see model.h. Who decides what:
 *
 *   75%, load                  scale the target of health, so they are smoothed as everything else
 *   ready, drain, maint        the agent's wish; the stricter of it and the operator's is in force, so an agent takes back
 *                              only what an agent said (HAProxy's `ready` also cancels an operator's `drain`)
 *   down, fail, stopped        plainly dead at once, whatever probes say
 *   up                         the end of that: by probes, as after any death; without probes at once, from the return floor
 *   sandboxes, capacity, warm  bound where new sandboxes are placed (sandboxes.c)
 */
#include <string.h>

#include "controller/model_private.h"

static void merge(struct report *to, const struct report *from)
{
	if (from->admin)
		to->admin = from->admin;
	if (from->status)
		to->status = from->status;
#define TAKE(member)                                                                               \
	do {                                                                                       \
		if (from->has_##member) {                                                          \
			to->has_##member = true;                                                   \
			to->member = from->member;                                                 \
		}                                                                                  \
	} while (0)
	TAKE(weight);
	TAKE(maxconn);
	TAKE(load);
	TAKE(sandboxes);
	TAKE(capacity);
	TAKE(warm);
#undef TAKE
	memcpy(to->reason, from->reason, sizeof(to->reason));
}

static void put_in_force(struct model *m, uint32_t backend, struct mono_ns now)
{
	struct model_backend *b = &m->backends[backend];
	struct health *h = &m->healths[backend];

	h->load_term = report_load_term(&b->told);
	health_tell(h, &m->health_params[b->region], b->told.status == REPORT_STATUS_DOWN);
	model_judge_state(m, backend, "agent", now);
}

/* Not said is as good as the word that changes nothing. */
static bool same_state(const struct report *a, const struct report *b)
{
	return (a->admin == b->admin || (a->admin <= REPORT_ADMIN_READY && b->admin <= REPORT_ADMIN_READY)) &&
	       (a->status == REPORT_STATUS_DOWN) == (b->status == REPORT_STATUS_DOWN);
}

bool model_report(struct model *m, uint32_t backend, const struct report *report,
		  struct mono_ns now)
{
	struct model_backend *b = &m->backends[backend];
	struct report before = b->told;
	bool other;

	if (b->leaving)
		return false;
	merge(&b->told, report);
	other = !same_state(&before, &b->told);
	if (other || (!b->reporting && b->told_at.v))
		model_emit(m, MODEL_EVENT_BACKEND_REPORT, "", b->name, now,
			   "state=%s status=%s%s%s", report_admin_names[b->told.admin],
			   report_status_names[b->told.status], b->told.reason[0] ? " reason: " : "",
			   b->told.reason);
	b->reporting = true;
	b->told_at = now;
	put_in_force(m, backend, now);
	return other;
}

void model_no_report(struct model *m, uint32_t backend, const struct err *why, struct mono_ns now)
{
	struct model_backend *b = &m->backends[backend];
	double stale_s;

	if (b->leaving)
		return;
	if (b->reporting)
		model_emit(m, MODEL_EVENT_BACKEND_REPORT, "", b->name, now, "%s", why->text);
	b->reporting = false;
	stale_s = MODEL_REPORT_STALE * m->health_configs[b->region]->report.interval_s;
	if (!b->told_at.v || mono_seconds_between(b->told_at, now) < stale_s)
		return;
	b->told.has_load = b->told.has_sandboxes = b->told.has_warm = false;
	put_in_force(m, backend, now);
}

void model_told(struct model *m, uint32_t backend, enum report_admin admin, bool down,
		struct mono_ns now)
{
	struct model_backend *b = &m->backends[backend];

	if (b->leaving || m->health_configs[b->region]->report.type == CONFIG_REPORT_NONE)
		return;
	b->told.admin = admin;
	b->told.status = down ? REPORT_STATUS_DOWN : REPORT_STATUS_UNSAID;
	put_in_force(m, backend, now);
}
