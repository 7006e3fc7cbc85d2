/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_MODEL_PRIVATE_H
#define EBB_MODEL_PRIVATE_H
/* model_private: what the files of the model share. */
#include "controller/model.h"

/* `pool` and `subject` may be empty; the text is logfmt. */
__attribute__((format(printf, 6, 7))) void
model_emit(const struct model *model, enum model_event_kind kind, const char *pool,
	   const char *subject, struct mono_ns at, const char *fmt, ...);
/* The tables of all pools that hold the backend are made anew at the next tick. */
void model_force_pools(struct model *model, uint32_t backend);
/* Puts in force what operator and agent wish together. `by`: who changed his mind. */
void model_judge_state(struct model *model, uint32_t backend, const char *by, struct mono_ns now);

/* model_table.c: makes the table of the weights in `now`; returns how many slots move. On no memory the last table stays, and
 * the next tick tries again. */
uint32_t model_make_table(struct model *model, struct model_pool *pool, struct mono_ns now);

#endif
