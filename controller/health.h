/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_HEALTH_H
#define EBB_HEALTH_H
/*
 * health: what probes, handshakes and reports say about one backend, as one number in [0,1].
 *
 * Takes outcomes and elapsed time, gives `h`. Pure: no clock; `dt_s` is an argument. Per tick:
 *
 *   S, N decay by exp(-dt/observe); each outcome adds to them
 *   r = (S + k*p) / (N + k)
 *   u = clamp((r - bad) / (good - bad), 0, 1) * terms        terms = load_term * latency_term
 *   h += (1 - exp(-dt/tau)) * (u - h)                        tau = down if u < h, else up
 *   falling below 0.02 snaps to 0, rising above 0.98 snaps to 1
 *
 * The prior p = bad + (good - bad) * min(1, h/terms) is the ratio that means the h that is there:
 * so no evidence is no change, and a healed backend climbs all the way. (With h itself for p, one at
 * 0 with one good probe a second would come to r = 0.5 and stay at 0.)
 *
 * Unknown, bad and zero are three things: HEALTH_UNKNOWN has the median of its region, a bad
 * backend a low h, a backend that is plainly dead (HEALTH_DOWN) has 0 at once and comes back by
 * HEALTH_RETURN at 10 %.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controller/latency.h"

enum probe_outcome {
	PROBE_OK,
	PROBE_REFUSED,
	PROBE_RESET,
	PROBE_UNREACHABLE,
	PROBE_TIMEOUT,
	PROBE_BAD_STATUS, /* it answers, but not well: evidence, never hard down */
	PROBE_OUTCOME__COUNT,
};

enum health_phase {
	HEALTH_UNKNOWN, /* no evidence yet */
	HEALTH_KNOWN,
	HEALTH_DOWN,   /* plainly dead; h = 0 */
	HEALTH_RETURN, /* enough good probes; waits for its jitter, then KNOWN at return_floor */
	HEALTH_PHASE__COUNT,
};

enum health_override {
	HEALTH_AUTO,
	HEALTH_FORCE_UP,   /* 1, whatever is seen */
	HEALTH_FORCE_DOWN, /* 0 */
	HEALTH_OVERRIDE__COUNT,
};

struct health_params {
	double observe_s;        /* 5: how long evidence lasts */
	double down_s, up_s;     /* 2.8, 30: time constants of fall and rise */
	double evidence;         /* k = 5 */
	double bad, good;        /* 0.50, 0.95; bad < good */
	uint32_t rise;           /* 2 good probes in a row end DOWN */
	uint32_t fall;           /* 3 refusals, resets or unreachables in a row are DOWN */
	uint32_t fall_timeouts;  /* 5 timeouts in a row are DOWN; mixtures count in proportion */
	double return_floor;     /* 0.10 */
	double return_jitter_s;  /* 2: returns are spread over this, by the backend's hash */
	double flap_penalty;     /* 1000 for each time it goes DOWN */
	double flap_half_life_s; /* 30 */
	double flap_hold;        /* 2000: above, h is held at return_floor */
	double flap_free;        /* 750: below, it is free again */
	double inband_rate_max;  /* 20 a second: more in-band evidence than this counts as this */
	struct latency_params latency;  /* 50 ms, 250 ms, 1 h */
	double trial_floor; /* 0.02: h of what is not probed stays above, or it would never get the
			     * traffic that can show that it healed */
};

struct health {
	double ok, total;               /* S, N */
	double inband_ok, inband_total; /* of a probed backend: S and N of its handshakes alone */
	double value;                   /* h; see health_value() */
	double ratio, target;           /* r and u of the last tick, for `ebb explain` */
	double load_term, latency_term; /* [0,1], 1 by default; set by whoever hears reports, and sees all backends */
	struct latency latency;         /* of its probes */
	double silent, asked; /* probes that got no answer at all, and all of them; decay as S and N */
	double doubt; /* [0,1], 0 by default: so many probes stay without an answer everywhere alike. Set by
		       * whoever sees all backends, see health_doubt() */
	double penalty;                 /* of flapping */
	double return_in_s;             /* HEALTH_RETURN: what is left of the jitter */
	uint64_t hash;                  /* name_hash(): jitter */
	uint32_t good_row;              /* good probes in a row while DOWN */
	uint32_t fail_points;           /* fall*fall_timeouts of them are DOWN */
	enum health_phase phase;
	enum health_override override;
	bool probed;
	bool told_down; /* its own agent says so: probes do not end DOWN */
	bool held; /* flapping: h is at most return_floor */
	bool suspected; /* its clients do not get through either (suspect.h): a timeout counts as a refusal does */
};

struct health_params health_params_default(void);
/* `probed` false: judged by other signals alone, starts KNOWN with 1. */
void health_init(struct health *h, uint64_t hash, bool probed);
void health_probe(struct health *h, const struct health_params *p, enum probe_outcome outcome);
/* In-band: a handshake is completed by a kernel, whatever the server behind it says. So of a probed backend it can only lower
 * what its probes say: r is the lower one of both ratios, and what is not seen in-band lowers nothing. Of one that is not
 * probed it is the evidence. Of `total` attempts in the last `dt_s` seconds, `ok` succeeded. `pool_ratio` is ok/total
 * over the whole pool: a backend is judged against it, so that what fails everywhere alike (a SYN
 * flood) is no evidence against anyone. */
void health_inband(struct health *h, const struct health_params *p, double ok, double total,
		   double pool_ratio, double dt_s);
/* Plainly dead by other knowledge, such as a lost lease. */
void health_down(struct health *h, const struct health_params *p);
/* What its agent says of it: down at once, whatever probes say; up again by probes, or, if nobody probes, by RETURN. */
void health_tell(struct health *h, const struct health_params *p, bool down);
/* `region_median`: what an unknown backend is taken for, see health_median(). 0 < dt_s. */
void health_tick(struct health *h, const struct health_params *p, double region_median,
		 double dt_s);
/* The number that counts, in [0,1]; with the operator's override. */
double health_value(const struct health *h);
/* Failures in a row have begun that may end in DOWN: probe again soon, not in a whole interval. */
bool health_suspicious(const struct health *h);
const char *health_phase_name(enum health_phase phase);
const char *probe_outcome_name(enum probe_outcome outcome);

/*
 * What part of the probes stays without an answer for reasons that are no backend's: the lower quartile of the parts of
 * those backends that are probed and not DOWN. So where a quarter or more is spared, silence is believed. 0 for less than
 * two backends.
 *
 * So much silence, and three deviations of chance, and one, is held against nobody. From HEALTH_DOUBTED on, silence is no evidence at
 * all and leads to no DOWN: a refusal comes from the backend, but silence may be that of our own path, or of a busy edge.
 */
#define HEALTH_DOUBTED 0.1
double health_doubt(const struct health *backends, size_t n);

/* The smoothing stage alone: no snap. tau_s 0: follows at once. */
double health_smooth(double h, double u, double dt_s, double tau_s);
/* tau of `smoothing: {alpha, interval}`; 0 < alpha < 1. */
double health_tau(double alpha, double interval_s);
/* Median of the known among `backends[0..n)`; `fallback` if none is. Reorders nothing; `scratch`
 * holds n doubles. */
double health_median(const struct health *const *backends, size_t n, double fallback,
		     double *scratch);

#endif
