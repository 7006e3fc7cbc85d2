/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * curve: how the share of a group should ebb, by the formulas of the manual alone; no code of the controller's is in it. One of
 * three equal groups of a pool's only tier turns sick at 0 s, all of its servers alike.
 *
 *   curve SECONDS OK TERM RATE OBSERVE DOWN SLEW LATE
 *
 * OK: the part of its probes that are good; TERM: what a load or a latency leaves of the target of health; RATE: probes a second
 * and server; OBSERVE, DOWN: time constants in seconds; SLEW: points of share a second that a degraded group may lose, as a
 * ratio; LATE: how long it takes until TERM is believed (three answers). Prints "SECOND SHARE" ten times a second.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define TICK	 0.1
#define K	 5.0  /* evidence that is there before any */
#define BAD	 0.50
#define GOOD	 0.95
#define OVER	 1.4  /* overprovisioning */
#define GROUPS	 3.0
#define DEAD	 0.25 /* availability below which SLEW is no longer the limit */
#define DEAD_SLEW 0.20

static double clamp(double x)
{
	return x < 0 ? 0 : x > 1 ? 1 : x;
}

/* The evidence decays; the ratio of it, and of what is believed, is what health goes after. */
static double health(double h, double good, double all, double term, double down)
{
	double prior = BAD + (GOOD - BAD) * fmin(1, h / term);
	double r = (good + K * prior) / (all + K);
	double u = clamp((r - BAD) / (GOOD - BAD)) * term;

	if (u < h)
		h += (1 - exp(-TICK / down)) * (u - h);
	return h < 0.02 ? 0 : h;
}

/* Rules 2 and 3: no more than it can carry, 1.4 h of its third; the others carry 1.4 of theirs at most, and what nobody has room
 * for goes to all by what they have. */
static double wanted(double h)
{
	double own = fmin(1, OVER * h) / GROUPS;
	double others = fmin(1 - own, (GROUPS - 1) * OVER / GROUPS);

	return own + (1 - own - others) * h / (GROUPS - 1 + h);
}

int main(int argc, char **argv)
{
	double v[8], h = 1, share = 1 / GROUPS, good, all;

	if (argc != 9) {
		fprintf(stderr, "usage: curve SECONDS OK TERM RATE OBSERVE DOWN SLEW LATE\n");
		return 2;
	}
	for (int i = 0; i < 8; i++)
		v[i] = strtod(argv[i + 1], NULL);
	good = all = v[3] * v[4]; /* it has been well for long */
	for (int t = 0; t * TICK <= v[0]; t++) {
		double most = (OVER * h < DEAD ? DEAD_SLEW : v[6]) * TICK, want;

		printf("%.1f %.5f\n", t * TICK, share);
		good = good * exp(-TICK / v[4]) + v[1] * v[3] * TICK;
		all = all * exp(-TICK / v[4]) + v[3] * TICK;
		h = health(h, good, all, t * TICK < v[7] ? 1 : v[2], v[5]);
		want = wanted(h);
		share = share - want > most ? share - most : want;
	}
	return 0;
}
