// SPDX-License-Identifier: GPL-2.0-or-later
/* See latency.h. */
#include "controller/latency.h"

#include <math.h>

static bool is_known(const struct latency *l)
{
	return l->answers >= LATENCY_ANSWERS;
}

static double fastest(const struct latency *l)
{
	return fmin(l->took_s[0], fmin(l->took_s[1], l->took_s[2]));
}

static double slowest(const struct latency *l)
{
	return fmax(l->took_s[0], fmax(l->took_s[1], l->took_s[2]));
}

void latency_answer(struct latency *l, double took_s)
{
	bool first = !is_known(l);

	l->took_s[l->answers % LATENCY_ANSWERS] = fmax(0, took_s);
	l->answers++;
	if (l->answers == UINT32_MAX)
		l->answers = LATENCY_ANSWERS * 2;
	if (is_known(l) && (first || slowest(l) < l->usual_s))
		l->usual_s = slowest(l);
}

void latency_forget(struct latency *l)
{
	/* The usual stays: it is of the place, and the process that comes back is measured by it. */
	for (int i = 0; i < LATENCY_ANSWERS; i++)
		l->took_s[i] = fmin(l->took_s[i], l->usual_s);
}

void latency_tick(struct latency *l, const struct latency_params *p, double dt_s)
{
	double above = latency_excess(l);

	if (above > 0)
		l->usual_s += fmin(1, dt_s / p->usual_s) * above;
}

double latency_recent(const struct latency *l)
{
	return is_known(l) ? fastest(l) : -1;
}

double latency_excess(const struct latency *l)
{
	return is_known(l) ? fmin(LATENCY_MOST_S, fmax(0, fastest(l) - l->usual_s)) : 0;
}

double latency_term(const struct latency *l, const struct latency_params *p, double shared_s)
{
	double own = latency_excess(l) - shared_s;

	if (own <= p->good_s)
		return 1;
	if (own >= p->bad_s)
		return LATENCY_FLOOR;
	return 1 - (1 - LATENCY_FLOOR) * (own - p->good_s) / (p->bad_s - p->good_s);
}

void latency_count(struct latency_census *c, const struct latency *l)
{
	if (!is_known(l))
		return;
	c->counts[(int)(1000 * fmin(LATENCY_MOST_S, fmax(0, slowest(l) - l->usual_s)))]++;
	c->all++;
}

double latency_shared(const struct latency_census *c)
{
	uint32_t sum = 0;
	int i = 0;

	if (c->all < 2)
		return 0;
	while ((sum += c->counts[i]) <= c->all / 4)
		i++;
	return i / 1000.0;
}
