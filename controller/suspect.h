/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_SUSPECT_H
#define EBB_SUSPECT_H
/*
 * suspect: whom to probe at once, since his clients' handshakes have stopped to complete.
 *
 * Takes what signals.c saw in this tick, gives the backends to be probed out of turn. Pure: elapsed time is an argument. A
 * suspicion is no evidence of health: the probe that it brings about is. It is what makes a death seen within a few
 * hundred milliseconds of the first client that it hits, whatever the interval of the probes.
 *
 * 1. Troubled is a backend with handshakes that are overdue, failed or were reset, and with which none has completed for as
 *    long as a handshake may take (patience_s) and for a whole tick.
 * 2. Suspected is one that is troubled while in one of its pools at least as many others complete theirs as are troubled: where
 *    all are, it is a flood of SYNs, or our own path, and nobody's fault.
 * 3. A suspected one is probed at once, and again as long as it stays suspected: GAP after the first, twice that after each
 *    more. It is forgiven, and the gap is the first one again, when it has not been suspected for FORGIVEN.
 * 4. Over all there are no more of these probes than a tenth of the backends a second (20 at least), at most a second's in a
 *    burst. So a flood that makes many look silent costs a tenth of what their regular probes at one a second cost.
 *
 * A probe that stays without an answer counts for more while its backend is suspected: then neither clients nor we hear of
 * it (health_probe).
 */
#include <stdbool.h>
#include <stdint.h>

#include "controller/err.h"
#include "controller/model.h"

#define SUSPECT_GAP_S	   0.25
#define SUSPECT_GAP_MAX_S  4.0
#define SUSPECT_FORGIVEN_S 4.0
#define SUSPECT_RATE_MIN   20.0 /* a second */

struct suspect {
	double gap_s;	/* until the next probe may follow the last; 0: it was never suspected, or is forgiven */
	double since_s; /* since the last probe that a suspicion brought about */
	double calm_s;	/* since it was suspected last */
};

/* Rule 1. */
bool suspect_troubled(const struct model_signals *signals, double dt_s);
/* Rule 3: time goes on by dt_s; true if a suspected one is to be probed now. suspect_probed() says that it was. */
bool suspect_due(struct suspect *s, bool suspected, double dt_s);
void suspect_probed(struct suspect *s);
/* Rule 4: the tokens that are there dt_s later, of `backends`. */
double suspect_tokens(double tokens, uint32_t backends, double dt_s);

struct suspects;

/* For backends with ids below `ids`. -ENOMEM. */
EBB_MUST_CHECK int suspects_new(uint32_t ids, struct suspects **ret_suspects);
void suspects_free(struct suspects *suspects);
void suspects_forget(struct suspects *suspects, uint16_t id);
/* After signals_tick(). Marks the suspected ones in the model, and calls `probe` for those that are to be probed now. */
void suspects_tick(struct suspects *suspects, struct model *model, double dt_s,
		   void (*probe)(void *ctx, uint16_t id), void *ctx);
uint64_t suspects_probed(const struct suspects *suspects); /* so often, since the start */

#endif
