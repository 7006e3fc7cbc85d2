/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See health.h. exp() may differ by a last bit between machines: each edge has its own view. */
#include "controller/health.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

/* Probes heard of lately, to have a say in how well probes are heard of. */
#define ASKED_LEAST 0.5
#define DEVIATIONS  3.0

#define SNAP_TO_0 0.02
#define SNAP_TO_1 0.98

/* Below this over the whole pool, in-band failures say nothing about a backend. */
#define POOL_RATIO_MIN 0.05

static const char *const phase_names[] = {
	[HEALTH_UNKNOWN] = "unknown",
	[HEALTH_KNOWN] = "known",
	[HEALTH_DOWN] = "down",
	[HEALTH_RETURN] = "return",
};
static_assert(sizeof(phase_names) / sizeof(phase_names[0]) == HEALTH_PHASE__COUNT, "names");

static const char *const outcome_names[] = {
	[PROBE_OK] = "ok",           [PROBE_REFUSED] = "refused",
	[PROBE_RESET] = "reset",     [PROBE_UNREACHABLE] = "unreachable",
	[PROBE_TIMEOUT] = "timeout", [PROBE_BAD_STATUS] = "bad-status",
};
static_assert(sizeof(outcome_names) / sizeof(outcome_names[0]) == PROBE_OUTCOME__COUNT, "names");

const char *health_phase_name(enum health_phase phase)
{
	return phase < HEALTH_PHASE__COUNT ? phase_names[phase] : "?";
}

const char *probe_outcome_name(enum probe_outcome outcome)
{
	return outcome < PROBE_OUTCOME__COUNT ? outcome_names[outcome] : "?";
}

struct health_params health_params_default(void)
{
	return (struct health_params){
		.observe_s = 5,
		.down_s = 2.8,
		.up_s = 30,
		.evidence = 5,
		.bad = 0.50,
		.good = 0.95,
		.rise = 2,
		.fall = 3,
		.fall_timeouts = 5,
		.return_floor = 0.10,
		.return_jitter_s = 2,
		.flap_penalty = 1000,
		.flap_half_life_s = 30,
		.flap_hold = 2000,
		.flap_free = 750,
		.inband_rate_max = 20,
		.latency = {.good_s = 0.05, .bad_s = 0.25, .usual_s = 3600},
		.trial_floor = 0.02,
	};
}

static double clamp01(double x)
{
	return x < 0 ? 0 : x > 1 ? 1 : x;
}

void health_init(struct health *h, uint64_t hash, bool probed)
{
	*h = (struct health){
		.value = 1,
		.ratio = 1,
		.target = 1,
		.load_term = 1,
		.latency_term = 1,
		.hash = hash,
		.probed = probed,
		.phase = probed ? HEALTH_UNKNOWN : HEALTH_KNOWN,
	};
}

void health_down(struct health *h, const struct health_params *p)
{
	if (h->phase != HEALTH_DOWN && h->phase != HEALTH_RETURN) {
		h->penalty += p->flap_penalty;
		if (h->penalty > p->flap_hold)
			h->held = true;
	}
	h->phase = HEALTH_DOWN;
	h->value = h->target = h->ratio = 0;
	h->ok = h->total = h->inband_ok = h->inband_total = 0;
	h->good_row = 0;
	h->fail_points = 0;
	latency_forget(&h->latency);
}

/* A part of the jitter that is the backend's own. */
static double jitter(const struct health *h, const struct health_params *p)
{
	return (double)(h->hash >> 40) / (1 << 24) * p->return_jitter_s;
}

static void probe_good(struct health *h, const struct health_params *p)
{
	h->fail_points = 0;
	if (h->phase == HEALTH_UNKNOWN)
		h->phase = HEALTH_KNOWN;
	if (h->phase != HEALTH_DOWN)
		return;
	if (h->told_down || ++h->good_row < p->rise)
		return;
	h->phase = HEALTH_RETURN;
	h->return_in_s = jitter(h, p);
}

void health_tell(struct health *h, const struct health_params *p, bool down)
{
	if (down == h->told_down)
		return;
	h->told_down = down;
	if (down) {
		health_down(h, p);
	} else if (!h->probed && h->phase == HEALTH_DOWN) {
		h->phase = HEALTH_RETURN;
		h->return_in_s = jitter(h, p);
	}
}

/* Refusals count fall_timeouts, timeouts count fall, DOWN is their product: so mixtures count in
 * proportion. */
static void probe_dead(struct health *h, const struct health_params *p, uint32_t points)
{
	h->good_row = 0;
	if (h->phase == HEALTH_DOWN)
		return;
	h->fail_points += points;
	if (h->phase == HEALTH_RETURN || h->fail_points >= p->fall * p->fall_timeouts)
		health_down(h, p);
}

static bool is_silence(enum probe_outcome outcome)
{
	return outcome == PROBE_TIMEOUT || outcome == PROBE_UNREACHABLE;
}

void health_probe(struct health *h, const struct health_params *p, enum probe_outcome outcome)
{
	h->asked += 1;
	h->silent += is_silence(outcome);
	if (is_silence(outcome) && h->doubt >= HEALTH_DOUBTED)
		return;
	if (h->phase == HEALTH_KNOWN || h->phase == HEALTH_UNKNOWN) {
		h->ok += outcome == PROBE_OK;
		h->total += 1;
	}
	switch (outcome) {
	case PROBE_OK:
		probe_good(h, p);
		return;
	case PROBE_REFUSED:
	case PROBE_RESET:
	case PROBE_UNREACHABLE:
		probe_dead(h, p, p->fall_timeouts);
		return;
	case PROBE_TIMEOUT:
		probe_dead(h, p, h->suspected ? p->fall_timeouts : p->fall);
		return;
	case PROBE_BAD_STATUS:
		h->fail_points = 0; /* it lives */
		h->good_row = 0;
		if (h->phase == HEALTH_UNKNOWN)
			h->phase = HEALTH_KNOWN;
		if (h->phase == HEALTH_RETURN)
			h->phase = HEALTH_DOWN;
		return;
	case PROBE_OUTCOME__COUNT:
		return;
	}
}

void health_inband(struct health *h, const struct health_params *p, double ok, double total,
		   double pool_ratio, double dt_s)
{
	double most = p->inband_rate_max * dt_s, part, ratio;

	if (total <= 0 || pool_ratio < POOL_RATIO_MIN)
		return;
	if (h->phase != HEALTH_KNOWN && h->phase != HEALTH_UNKNOWN)
		return;
	ratio = clamp01(ok / total / pool_ratio);
	part = total > most ? most : total;
	if (h->probed) {
		h->inband_ok += part * ratio;
		h->inband_total += part;
		return;
	}
	h->ok += part * ratio;
	h->total += part;
	h->phase = HEALTH_KNOWN;
}

double health_smooth(double h, double u, double dt_s, double tau_s)
{
	if (tau_s <= 0)
		return u;
	return h - expm1(-dt_s / tau_s) * (u - h);
}

double health_tau(double alpha, double interval_s)
{
	return -interval_s / log1p(-alpha);
}

static void decay(struct health *h, const struct health_params *p, double dt_s)
{
	double keep = exp(-dt_s / p->observe_s);

	h->ok *= keep;
	h->total *= keep;
	h->inband_ok *= keep;
	h->inband_total *= keep;
	h->silent *= keep;
	h->asked *= keep;
	h->penalty *= exp2(-dt_s / p->flap_half_life_s);
	if (h->penalty < p->flap_free)
		h->held = false;
}

/* The terms are no evidence: what is believed of the ratio is h without them. */
static double prior_ratio(const struct health *h, const struct health_params *p, double terms)
{
	double believed = h->value < terms ? h->value / terms : 1;

	return p->bad + (p->good - p->bad) * believed;
}

/* Silence that is likely not the backend's; at most what it failed. One is excused in any case: until the others have been
 * asked, nobody knows whether they are silent too. */
static double excused(const struct health *h)
{
	double expected = h->doubt * h->asked;
	double most = 1 + expected + DEVIATIONS * sqrt(expected * (1 - h->doubt));

	return fmax(0, fmin(fmin(h->silent, most), h->total - h->ok));
}

static void known_tick(struct health *h, const struct health_params *p, double dt_s)
{
	double terms = h->load_term * h->latency_term, old = h->value;
	double ceiling = h->held ? p->return_floor : 1;
	double floor = h->probed || terms <= 0 ? 0 : p->trial_floor;
	double inband = (h->inband_ok + p->evidence) / (h->inband_total + p->evidence);

	h->ratio = (h->ok + p->evidence * prior_ratio(h, p, terms)) /
		   (h->total - excused(h) + p->evidence);
	if (h->ratio > inband)
		h->ratio = inband;
	h->target = clamp01((h->ratio - p->bad) / (p->good - p->bad)) * terms;
	if (h->target > ceiling)
		h->target = ceiling;
	h->value = health_smooth(old, h->target, dt_s, h->target < old ? p->down_s : p->up_s);
	if (h->value < old && h->value < SNAP_TO_0)
		h->value = 0;
	if (h->value > old && h->value > SNAP_TO_1)
		h->value = 1;
	if (h->value < floor)
		h->value = floor;
}

static void return_tick(struct health *h, const struct health_params *p, double dt_s)
{
	h->return_in_s -= dt_s;
	if (h->return_in_s > 0)
		return;
	h->phase = HEALTH_KNOWN;
	h->value = h->target = p->return_floor;
}

void health_tick(struct health *h, const struct health_params *p, double region_median, double dt_s)
{
	decay(h, p, dt_s);
	switch (h->phase) {
	case HEALTH_UNKNOWN:
		h->value = h->target = clamp01(region_median);
		return;
	case HEALTH_KNOWN:
		known_tick(h, p, dt_s);
		return;
	case HEALTH_DOWN:
		return;
	case HEALTH_RETURN:
		return_tick(h, p, dt_s);
		return;
	case HEALTH_PHASE__COUNT:
		return;
	}
}

double health_value(const struct health *h)
{
	switch (h->override) {
	case HEALTH_FORCE_UP:
		return 1;
	case HEALTH_FORCE_DOWN:
		return 0;
	case HEALTH_AUTO:
	case HEALTH_OVERRIDE__COUNT:
		break;
	}
	return h->value;
}

bool health_suspicious(const struct health *h)
{
	return h->fail_points > 0 && h->phase != HEALTH_DOWN;
}

/* By counting: it is asked for in every tick. Rounded down to a hundredth. */
double health_doubt(const struct health *backends, size_t n)
{
	size_t counts[101] = {0}, all = 0, sum = 0;
	int i = 0;

	for (size_t k = 0; k < n; k++)
		if (backends[k].probed && backends[k].asked >= ASKED_LEAST &&
		    backends[k].phase != HEALTH_DOWN && backends[k].phase != HEALTH_RETURN) {
			counts[(int)(100 * clamp01(backends[k].silent / backends[k].asked))]++;
			all++;
		}
	if (all < 2)
		return 0;
	while ((sum += counts[i]) <= all / 4)
		i++;
	return i / 100.0;
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double health_median(const struct health *const *backends, size_t n, double fallback,
		     double *scratch)
{
	size_t known = 0;

	for (size_t i = 0; i < n; i++)
		if (backends[i]->phase != HEALTH_UNKNOWN)
			scratch[known++] = backends[i]->value;
	if (!known)
		return fallback;
	qsort(scratch, known, sizeof(*scratch), compare_doubles);
	return known % 2 ? scratch[known / 2] : (scratch[known / 2 - 1] + scratch[known / 2]) / 2;
}
