// SPDX-License-Identifier: GPL-2.0-or-later
/* suspect: see the header, whose rules bear the same numbers here. */
#include "controller/suspect.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define WELL_LATELY_S 1.0 /* one whose last handshake is no longer ago completes its own */

enum trouble {
	TROUBLE_SILENT, /* nothing begins and nothing ends: says nothing about a pool */
	TROUBLE_NONE,
	TROUBLE_ALONE, /* troubled, but so are too many others */
	TROUBLE_SUSPECTED,
};

struct suspects {
	struct suspect *each;	/* by id */
	uint8_t *trouble;	/* enum trouble, by backend of the model */
	uint32_t ids;
	uint32_t first;		/* who is asked first, so that the tokens go round */
	double tokens;
	uint64_t probed;
};

int suspects_new(uint32_t ids, struct suspects **ret_suspects)
{
	struct suspects *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->ids = ids;
	s->tokens = SUSPECT_RATE_MIN;
	s->each = calloc(ids, sizeof(*s->each));
	s->trouble = calloc(ids, sizeof(*s->trouble));
	if (!s->each || !s->trouble) {
		suspects_free(s);
		return -ENOMEM;
	}
	*ret_suspects = s;
	return 0;
}

void suspects_free(struct suspects *s)
{
	if (!s)
		return;
	free(s->each);
	free(s->trouble);
	free(s);
}

void suspects_forget(struct suspects *s, uint16_t id)
{
	if (id < s->ids)
		s->each[id] = (struct suspect){0};
}

bool suspect_troubled(const struct model_signals *signals, double dt_s)
{
	return (signals->overdue || signals->amiss) && signals->quiet_s > 0 &&
	       signals->quiet_s >= fmax(dt_s, signals->patience_s);
}

bool suspect_due(struct suspect *s, bool suspected, double dt_s)
{
	s->since_s += dt_s;
	s->calm_s = suspected ? 0 : s->calm_s + dt_s;
	if (s->calm_s >= SUSPECT_FORGIVEN_S)
		s->gap_s = 0;
	return suspected && (s->gap_s <= 0 || s->since_s >= s->gap_s);
}

void suspect_probed(struct suspect *s)
{
	s->gap_s = s->gap_s > 0 ? fmin(2 * s->gap_s, SUSPECT_GAP_MAX_S) : SUSPECT_GAP_S;
	s->since_s = 0;
}

double suspect_tokens(double tokens, uint32_t backends, double dt_s)
{
	double rate = fmax(SUSPECT_RATE_MIN, backends / 10.0);

	return fmin(tokens + rate * dt_s, rate);
}

/* Rule 2, of one pool. */
static void judge_pool(struct suspects *s, const struct model *m, const struct model_pool *pool)
{
	uint32_t troubled = 0, well = 0;

	for (uint32_t i = 0; i < pool->member_count; i++) {
		troubled += s->trouble[pool->members[i].backend] >= TROUBLE_ALONE;
		well += s->trouble[pool->members[i].backend] == TROUBLE_NONE;
	}
	for (uint32_t i = 0; i < pool->member_count && well >= troubled; i++) {
		uint8_t *trouble = &s->trouble[pool->members[i].backend];

		if (*trouble == TROUBLE_ALONE)
			*trouble = TROUBLE_SUSPECTED;
	}
}

static void judge(struct suspects *s, const struct model *m, double dt_s)
{
	for (uint32_t i = 0; i < m->backend_count; i++) {
		const struct model_signals *signals = &m->backends[i].signals;

		s->trouble[i] = suspect_troubled(signals, dt_s)	     ? TROUBLE_ALONE
				: signals->quiet_s < WELL_LATELY_S ? TROUBLE_NONE
								     : TROUBLE_SILENT;
	}
	for (uint32_t i = 0; i < m->pool_count; i++)
		judge_pool(s, m, &m->pools[i]);
}

void suspects_tick(struct suspects *s, struct model *m, double dt_s,
		   void (*probe)(void *ctx, uint16_t id), void *ctx)
{
	if (dt_s <= 0 || m->backend_count > s->ids)
		return;
	judge(s, m, dt_s);
	s->tokens = suspect_tokens(s->tokens, m->backend_count, dt_s);
	for (uint32_t k = 0, first = s->first; k < m->backend_count; k++) {
		uint32_t i = (first + k) % m->backend_count;
		struct model_backend *b = &m->backends[i];
		bool suspected = s->trouble[i] == TROUBLE_SUSPECTED && !b->leaving;

		m->healths[i].suspected = suspected;
		if (!suspect_due(&s->each[b->id], suspected && !b->hard_down, dt_s) || s->tokens < 1)
			continue;
		s->tokens -= 1;
		s->probed++;
		s->first = i + 1;
		suspect_probed(&s->each[b->id]);
		probe(ctx, b->id);
	}
}

uint64_t suspects_probed(const struct suspects *s)
{
	return s->probed;
}
