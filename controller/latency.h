/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_LATENCY_H
#define EBB_LATENCY_H
/*
 * latency: how much slower than usual one backend answers its probes. Pure: times are arguments.
 *
 * A backend is measured by its own past, since how far away it is says nothing about how well it is. Three answers in a row must
 * agree before anything is believed: `recent` is the fastest of the last three where it is about being slow, the slowest of
 * them where it is about a new `usual`. So one stalled answer, or one lucky one, changes nothing. `usual` falls at once and rises
 * along a long time constant: what is slow for hours is what the place is like now.
 *
 * What all backends have in common is the edge's own slowness (its path, its CPU), and is subtracted before anybody is judged. One
 * slow answer of the last three is enough to say that one is slow too: so it is known of the others before the third, for which somebody
 * could be blamed, and until the last one is fast again.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LATENCY_ANSWERS 3
#define LATENCY_FLOOR	0.1 /* however slow: who still answers is not taken out by that alone */
#define LATENCY_MOST_S	1.0 /* of excess that is told apart */

struct latency {
	double took_s[LATENCY_ANSWERS]; /* the last ones, in a ring */
	uint32_t answers;		/* so many there were */
	double usual_s;			/* valid from LATENCY_ANSWERS on */
};

struct latency_params {
	double good_s, bad_s; /* above usual: at most good_s counts as 1, bad_s or more as LATENCY_FLOOR; good_s INFINITY: off */
	double usual_s;	      /* time constant with which the usual rises */
};

/* An answer, good or bad; silence says nothing here. */
void latency_answer(struct latency *l, double took_s);
/* The last answers are no longer those of the same process. */
void latency_forget(struct latency *l);
void latency_tick(struct latency *l, const struct latency_params *p, double dt_s);
/* Above its usual, [0, LATENCY_MOST_S]; 0 where it is not known. */
double latency_excess(const struct latency *l);
/* The fastest of the last answers, so that one stall is nothing; negative: there are too few. */
double latency_recent(const struct latency *l);
/* What the target of health is multiplied with, [LATENCY_FLOOR,1]. `shared_s`: what the others have too. */
double latency_term(const struct latency *l, const struct latency_params *p, double shared_s);

/* Collects excesses of many, by the slowest of their last answers; their lower quartile, in whole milliseconds, is what they share. */
struct latency_census {
	uint32_t counts[1001], all;
};

void latency_count(struct latency_census *census, const struct latency *l);
double latency_shared(const struct latency_census *census);

#endif
