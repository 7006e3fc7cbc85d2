/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_SHIFTS_H
#define EBB_SHIFTS_H
/*
 * shifts: the shifts of one edge: which pool and groups each one is between, and what of it the model hears. The stages of one
 * shift are shift.c's; here is everything that names things.
 *
 * Automatic shifts are the same objects, with actor "auto" (auto_shift.h says when there are any).
 *
 * Pure but for the callback: `dt_s` is an argument. One open shift a pool and source; a newer one takes over the older one's
 * part. Shifts go by names of pools and regions, so they outlive a reload; one whose pool or group is gone is closed.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "controller/err.h"
#include "controller/model.h"
#include "controller/shift.h"

#define SHIFTS_MAX	   128 /* open and closed ones; the oldest closed one makes room */
#define SHIFTS_COMMENT_MAX 255

/* Of a shift with `live`: shifts_live.h. */
struct shifts_sandboxes {
	double named;	   /* those below this part of [0,1) have been named, and not so long ago */
	double ever_named; /* likewise, ever */
	double sweep;	   /* of the sweep that is under way; 0: none */
	double again_s;	   /* until all that are left are named again */
	uint64_t wanted, moved, left; /* named at least once; moved away; still there in the last sweep */
	uint64_t seen;	   /* in this sweep */
};

struct shifts_entry {
	char name[16]; /* "shift-7" */
	char pool[CONFIG_NAME_MAX + 1];
	char from[2 * CONFIG_NAME_MAX + 2], to[2 * CONFIG_NAME_MAX + 2]; /* full names of regions */
	char actor[64], comment[SHIFTS_COMMENT_MAX + 1];
	bool live; /* asks for sandboxes to be moved */
	struct shifts_sandboxes sandboxes;
	struct shift shift;
	double closed_s; /* since it was closed, as far as that was watched */
	struct shift_signals seen; /* by the gate in the last tick; of it only the past outlives a restart */
	enum shift_gate gate;	   /* what it said */
	const char *why;	   /* a word that stays */
};

typedef void (*shifts_fn)(void *ctx, const struct shifts_entry *entry,
			  const struct shift_record *record);

struct shifts {
	struct shifts_entry entries[SHIFTS_MAX];
	uint32_t count;
	uint64_t next; /* number of the next name */
	shifts_fn on_record;
	void *ctx;
};

#define SHIFTS_AUTO "auto"

struct shifts_order {
	const char *pool, *from, *to, *comment, *actor;
	bool live;
	struct shift_plan plan;
};

/* -ENOENT: no such pool, or no such group in it; -EINVAL: the plan; -ENOSPC: too many open ones. */
EBB_MUST_CHECK int shifts_start(struct shifts *s, const struct model *model,
				const struct shifts_order *order, struct err *err,
				struct shifts_entry **ret_entry);
struct shifts_entry *shifts_find(struct shifts *s, const char *name);
EBB_MUST_CHECK int shifts_do(struct shifts *s, struct shifts_entry *entry, enum shift_verb verb,
			     struct err *err);
EBB_MUST_CHECK int shifts_set(struct shifts *s, struct shifts_entry *entry, double part, double ramp_s,
			      struct err *err);
/* Time goes on by dt_s (0: only says what is in force), and the model's pools get the parts. Before model_tick(). */
void shifts_tick(struct shifts *s, struct model *model, double dt_s);
bool shifts_open(const struct shifts *s); /* any that is not closed */
/* shifts_auto.c: what policies decide after dt_s more. Of shifts_tick(). */
void shifts_automatic(struct shifts *s, struct model *model, double dt_s);
/* The group of that name, or UINT32_MAX. */
uint32_t shifts_find_group(const struct model *model, const struct model_pool *pool, const char *name);

json_t *shifts_show(const struct shifts_entry *entry);
/* For the state file: a new array, or NULL on no memory. Taking skips entries that are damaged. */
json_t *shifts_save(const struct shifts *s);
void shifts_load(struct shifts *s, const json_t *saved);

#endif
