/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_QUOTA_H
#define EBB_QUOTA_H
/*
 * quota: weights to whole numbers of slots.
 *
 * With e = weight * slots / sum of weights, a backend gets floor(e), and the slots that are then
 * left go, one each, to the smallest (floor(e) + 1 - o) / weight, o in [15/32, 17/32) hashed from
 * its name. That is the divisor method q = floor(weight*S + o) wherever this stays within a slot of
 * e, and unlike it never leaves that. So:
 *   - the quotas sum to `slots`, and each is floor(e) or floor(e) + 1;
 *   - the order of the backends does not matter: sums are integers, ties go by hash;
 *   - if only one weight falls, no other quota falls (as long as the divisor method itself is
 *     within a slot; no method has both without exception: Balinski and Young).
 * Only integers and + - * / of doubles: the same bits on every machine.
 */
#include <stdint.h>

#include "controller/err.h"

/* 0 and ret_quotas[0..n); all zero if no weight is positive. -EINVAL: a weight that is negative or
 * not finite, or `slots` 0 or above 2^22. Weights below 2^-44 of the largest count as zero.
 * -ENOMEM. */
EBB_MUST_CHECK int quota_compute(const double *weights, const uint64_t *hashes, uint32_t n,
				 uint32_t slots, uint32_t *ret_quotas);

#endif
