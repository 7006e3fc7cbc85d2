/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_TURN_H
#define EBB_TURN_H
/*
 * turn: when something that is asked every interval has its next turn. Turns are multiples of the
 * interval since the machine's start, shifted by a phase of its own, so thousands that begin
 * together are spread evenly, and stay so.
 */
#include <math.h>

#include "controller/mono.h"
#include "controller/namehash.h"

/* [0,1), of a name. */
static inline double turn_phase(const char *name)
{
	return (double)(name_hash(name) >> 11) * 0x1p-53;
}

/* Seconds from `now` to the next turn, above 0 and at most interval_s * 1.01; interval_s > 0. */
static inline double turn_wait_s(double interval_s, double phase, struct mono_ns now)
{
	double now_s = (double)now.v * 1e-9;
	double turn = floor(now_s / interval_s - phase) + 1;
	double wait = (turn + phase) * interval_s - now_s;

	/* A timer that fires a moment early must not make two turns of one. */
	return wait < interval_s * 0.01 ? wait + interval_s : wait;
}

#endif
