// SPDX-License-Identifier: GPL-2.0-or-later
#include "controller/live.h"

#include <errno.h>
#include <stdlib.h>

#define PIECES_A_TICK 4 /* a million sandboxes in 25 s */

struct live {
	struct dataplane *dataplane;
	shifts_live_fn on_wanted;
	void *ctx;
	uint32_t cursor;
	bool sweeping, listened;
	struct sandbox_key keys[DATAPLANE_SANDBOX_BATCH];
	struct sandbox values[DATAPLANE_SANDBOX_BATCH];
};

int live_new(struct dataplane *dp, shifts_live_fn on_wanted, void *ctx, struct live **ret_live)
{
	struct live *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->dataplane = dp;
	l->on_wanted = on_wanted;
	l->ctx = ctx;
	*ret_live = l;
	return 0;
}

void live_free(struct live *l)
{
	free(l);
}

/* The map's end, or an error: then the sweep saw a part, and those who are left are named again in time. */
static void piece(struct live *l, struct shifts *shifts, const struct model *m)
{
	uint32_t count = DATAPLANE_SANDBOX_BATCH;
	int e = dataplane_sandbox_batch(l->dataplane, &l->cursor, l->keys, l->values, &count);

	if (!e || e == -ENOENT)
		shifts_live_look(shifts, m, l->keys, l->values, count, l->on_wanted, l->ctx);
	if (!e)
		return;
	shifts_live_end(shifts);
	l->sweeping = false;
}

void live_tick(struct live *l, struct shifts *shifts, const struct model *m, bool listening, double dt_s)
{
	if (listening && !l->listened)
		shifts_live_again(shifts);
	l->listened = listening;
	if (!listening)
		return;
	if (shifts_live_due(shifts, dt_s) && !l->sweeping) {
		shifts_live_begin(shifts);
		l->cursor = 0;
		l->sweeping = true;
	}
	for (int i = 0; i < PIECES_A_TICK && l->sweeping; i++)
		piece(l, shifts, m);
}
