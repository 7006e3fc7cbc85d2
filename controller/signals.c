// SPDX-License-Identifier: GPL-2.0-or-later
/* signals: see the header, whose rules bear the same numbers here. */
#include "controller/signals.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW_S      2.0
#define RATIO_MIN     0.05 /* rule 5 */
#define DEVIATIONS    3.0  /* rule 4 */
#define FAILS_LEAST   0.05 /* rule 4: however well the pool does, so much is in its order */
#define MEDIAN_LEAST  2.0  /* attempts, to have a say in the pool's ratio */

struct reading {
	uint64_t completed, failed; /* as of the last tick */
	uint64_t timed, octaves;    /* likewise: completed ones whose time is known, and the sum of their buckets */
	double times, logs;	    /* both of the last seconds, as rule 2 */
	double ok, total;	    /* rule 2 */
	double pool_ratio;	    /* rule 3, within a tick; above 1: in no pool that says something */
	double new_total;	    /* of this tick */
	bool known;		    /* there was a reading before */
};

struct signals {
	struct reading *readings; /* by id */
	uint32_t *young;	  /* by id: handshakes under way */
	double *ratios;		  /* scratch of a pool */
	uint32_t ids;
};

int signals_new(uint32_t ids, struct signals **ret_signals)
{
	struct signals *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->ids = ids;
	s->readings = calloc(ids, sizeof(*s->readings));
	s->young = calloc(ids, sizeof(*s->young));
	s->ratios = calloc(ids, sizeof(*s->ratios));
	if (!s->readings || !s->young || !s->ratios) {
		signals_free(s);
		return -ENOMEM;
	}
	*ret_signals = s;
	return 0;
}

void signals_free(struct signals *s)
{
	if (!s)
		return;
	free(s->readings);
	free(s->young);
	free(s->ratios);
	free(s);
}

void signals_forget(struct signals *s, uint16_t id)
{
	if (id < s->ids)
		s->readings[id] = (struct reading){.known = true};
}

double signals_judge(double completed, double total, double pool_ratio)
{
	double expected = total * pool_ratio;
	double credit = DEVIATIONS * sqrt(expected * fmax(FAILS_LEAST, 1 - pool_ratio));

	return expected > 0 ? fmin(1, (completed + credit) / expected) : 1;
}

/* One word, which a packet may be writing. */
static struct handshake load(const struct handshake *at)
{
	uint64_t word = __atomic_load_n((const uint64_t *)at, __ATOMIC_RELAXED);
	struct handshake h;

	memcpy(&h, &word, sizeof(h));
	return h;
}

static void count_young(struct signals *s, const struct handshake *handshakes, struct mono_ns now)
{
	uint32_t now_steps = (uint32_t)((uint64_t)now.v >> 10);

	memset(s->young, 0, s->ids * sizeof(*s->young));
	for (uint32_t i = 0; i < HANDSHAKES_MAX; i++) {
		struct handshake h = load(&handshakes[i]);

		/* One that a packet began after `now` was read has an age below zero. */
		if (h.backend != BACKEND_NONE && h.backend < s->ids &&
		    (int32_t)(now_steps - h.began) < (int32_t)(HANDSHAKE_TIMEOUT_NS >> 10))
			s->young[h.backend]++;
	}
}

static uint64_t not_below(uint64_t value, uint64_t floor)
{
	return value > floor ? value : floor;
}

/* Each bucket is an octave, so the mean of their numbers is a geometric mean of times, finer than one bucket. */
static void read_times(struct reading *r, const struct backend_signals *from, struct model_backend *b,
		       double keep)
{
	uint64_t timed = 0, octaves = 0;

	r->times *= keep;
	r->logs *= keep;
	for (uint32_t i = 0; i < SIGNALS_BUCKETS && from->completed != r->completed; i++) {
		timed += from->took[i];
		octaves += (uint64_t)from->took[i] * i;
	}
	if (r->known && timed > r->timed && octaves >= r->octaves) {
		r->times += (double)(timed - r->timed);
		r->logs += (double)(octaves - r->octaves);
	}
	if (from->completed != r->completed) {
		r->timed = timed;
		r->octaves = octaves;
	}
	b->signals.timed = r->times;
	b->signals.took_s = r->times > 0 ? exp2(r->logs / r->times - 0.5) * 1e-6 : 0;
}

/* Rules 1 and 2. Counters and table are not read at one moment: what seems to have been undone waits. */
static void read_backend(struct signals *s, const struct backend_signals *from, struct model_backend *b,
			 double keep)
{
	struct reading *r = &s->readings[b->id];
	uint64_t ended = from->completed + from->reset + s->young[b->id];
	uint64_t failed = from->begun > ended ? from->begun - ended : 0;

	failed = not_below(failed, r->failed);
	r->ok *= keep;
	r->total *= keep;
	r->new_total = 0;
	read_times(r, from, b, keep);
	if (r->known) {
		double ok = (double)(not_below(from->completed, r->completed) - r->completed);

		r->new_total = ok + (double)(failed - r->failed);
		r->ok += ok;
		r->total += r->new_total;
	}
	r->known = true;
	r->completed = from->completed;
	r->failed = failed;
	r->pool_ratio = INFINITY;
	b->signals.begun = from->begun;
	b->signals.completed = from->completed;
	b->signals.failed = failed;
	b->signals.reset = from->reset;
	b->signals.retransmitted = from->retransmitted;
	b->signals.recent = r->total;
	b->signals.ratio = r->total > 0 ? r->ok / r->total : 1;
	b->signals.judged = 1;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Rule 3. The upper median: of two backends it is the better one that the other is measured by. */
static void judge_pool(struct signals *s, const struct model *m, const struct model_pool *pool)
{
	uint32_t count = 0;
	double ratio;

	for (uint32_t i = 0; i < pool->member_count; i++) {
		const struct reading *r = &s->readings[m->backends[pool->members[i].backend].id];

		if (r->total >= MEDIAN_LEAST)
			s->ratios[count++] = r->ok / r->total;
	}
	if (!count)
		return;
	qsort(s->ratios, count, sizeof(*s->ratios), compare);
	ratio = s->ratios[count / 2];
	for (uint32_t i = 0; i < pool->member_count; i++) {
		struct reading *r = &s->readings[m->backends[pool->members[i].backend].id];

		r->pool_ratio = fmin(r->pool_ratio, ratio);
	}
}

void signals_tick(struct signals *s, const struct dataplane_tables *tables, struct model *m,
		  struct mono_ns now, double dt_s)
{
	double keep = exp(-dt_s / WINDOW_S);

	count_young(s, tables->handshakes, now);
	for (uint32_t i = 0; i < m->backend_count; i++)
		if (m->backends[i].id < s->ids)
			read_backend(s, &tables->signals[m->backends[i].id], &m->backends[i], keep);
	for (uint32_t i = 0; i < m->pool_count; i++)
		judge_pool(s, m, &m->pools[i]);
	for (uint32_t i = 0; i < m->backend_count && dt_s > 0; i++) {
		struct model_backend *b = &m->backends[i];
		const struct reading *r = &s->readings[b->id];

		if (!(r->pool_ratio <= 1) || r->pool_ratio < RATIO_MIN)
			continue;
		b->signals.judged = signals_judge(r->ok, r->total, r->pool_ratio);
		if (r->new_total > 0)
			model_inband(m, i, b->signals.judged, r->new_total * r->pool_ratio, dt_s,
				     now);
	}
}
