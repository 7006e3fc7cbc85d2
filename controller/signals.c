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
#define PATIENCE_US   30000u /* a handshake that takes less is never overdue: a busy moment of any host in between */
#define PATIENCE_PART 0.9
#define PATIENCE_TICKS 64 /* so often it is measured anew */

struct reading {
	uint64_t completed, failed, reset; /* as of the last tick */
	uint64_t timed, octaves;    /* likewise: completed ones whose time is known, and the sum of their buckets */
	double times, logs;	    /* both of the last seconds, as rule 2 */
	uint32_t patience;	    /* in steps of `handshakes`; 0: not measured */
	double quiet_s;
	double ok, total;	    /* rule 2 */
	double pool_ratio;	    /* rule 3, within a tick; above 1: in no pool that says something */
	double new_total;	    /* of this tick */
	bool known;		    /* there was a reading before */
};

struct signals {
	struct reading *readings; /* by id */
	uint32_t *young;	  /* by id: handshakes under way */
	uint32_t *overdue;	  /* by id: of these, for longer than usual */
	double *ratios;		  /* scratch of a pool */
	uint32_t ids;
	uint32_t ticks;
};

int signals_new(uint32_t ids, struct signals **ret_signals)
{
	struct signals *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->ids = ids;
	s->readings = calloc(ids, sizeof(*s->readings));
	s->young = calloc(ids, sizeof(*s->young));
	s->overdue = calloc(ids, sizeof(*s->overdue));
	s->ratios = calloc(ids, sizeof(*s->ratios));
	if (!s->readings || !s->young || !s->overdue || !s->ratios) {
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
	free(s->overdue);
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

/* What nine of ten took at most, by the upper end of their bucket. */
static uint32_t patience(const struct backend_signals *of)
{
	uint64_t all = 0, sum = 0;
	uint32_t i = 0;

	for (uint32_t k = 0; k < SIGNALS_BUCKETS; k++)
		all += of->took[k];
	while (i < SIGNALS_BUCKETS - 1 && (double)(sum += of->took[i]) < PATIENCE_PART * (double)all)
		i++;
	return ((1u << i > PATIENCE_US ? 1u << i : PATIENCE_US) * 1000ull) >> 10;
}

static void measure_patience(struct signals *s, const struct backend_signals *of, uint16_t id)
{
	struct reading *r = &s->readings[id];

	if (!r->patience || (s->ticks + id) % PATIENCE_TICKS == 0)
		r->patience = patience(&of[id]);
}

static void count_young(struct signals *s, const struct handshake *handshakes, struct mono_ns now)
{
	uint32_t now_steps = (uint32_t)((uint64_t)now.v >> 10);

	memset(s->young, 0, s->ids * sizeof(*s->young));
	memset(s->overdue, 0, s->ids * sizeof(*s->overdue));
	for (uint32_t i = 0; i < HANDSHAKES_MAX; i++) {
		struct handshake h = load(&handshakes[i]);
		int32_t age = (int32_t)(now_steps - h.began);

		/* One that a packet began after `now` was read has an age below zero. */
		if (h.backend == BACKEND_NONE || h.backend >= s->ids ||
		    age >= (int32_t)(HANDSHAKE_TIMEOUT_NS >> 10))
			continue;
		s->young[h.backend]++;
		s->overdue[h.backend] += age > (int32_t)s->readings[h.backend].patience;
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
			 double keep, double dt_s)
{
	struct reading *r = &s->readings[b->id];
	uint64_t ended = from->completed + from->reset + s->young[b->id];
	uint64_t failed = from->begun > ended ? from->begun - ended : 0;

	failed = not_below(failed, r->failed);
	r->ok *= keep;
	r->total *= keep;
	r->new_total = 0;
	read_times(r, from, b, keep);
	r->quiet_s += dt_s;
	b->signals.amiss = 0;
	if (r->known) {
		double ok = (double)(not_below(from->completed, r->completed) - r->completed);

		if (ok > 0)
			r->quiet_s = 0;
		b->signals.amiss = (uint32_t)(failed - r->failed +
					      not_below(from->reset, r->reset) - r->reset);
		r->new_total = ok + (double)(failed - r->failed);
		r->ok += ok;
		r->total += r->new_total;
	}
	r->known = true;
	r->completed = from->completed;
	r->failed = failed;
	r->reset = from->reset;
	r->pool_ratio = INFINITY;
	b->signals.begun = from->begun;
	b->signals.completed = from->completed;
	b->signals.failed = failed;
	b->signals.reset = from->reset;
	b->signals.retransmitted = from->retransmitted;
	b->signals.recent = r->total;
	b->signals.ratio = r->total > 0 ? r->ok / r->total : 1;
	b->signals.judged = 1;
	b->signals.overdue = s->overdue[b->id];
	b->signals.patience_s = (double)r->patience * 1024e-9;
	b->signals.quiet_s = from->completed ? r->quiet_s : INFINITY;
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

	s->ticks++;
	for (uint32_t i = 0; i < m->backend_count; i++)
		if (m->backends[i].id < s->ids)
			measure_patience(s, tables->signals, m->backends[i].id);
	count_young(s, tables->handshakes, now);
	for (uint32_t i = 0; i < m->backend_count; i++)
		if (m->backends[i].id < s->ids)
			read_backend(s, &tables->signals[m->backends[i].id], &m->backends[i], keep, dt_s);
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
