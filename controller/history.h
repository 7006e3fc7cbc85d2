/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_HISTORY_H
#define EBB_HISTORY_H
/* history: the last HISTORY_MAX events, oldest first out. What `ebb history` shows; bounded memory. audit.c keeps them over a restart. */
#include <jansson.h>
#include <stdint.h>

#include "controller/err.h"

#define HISTORY_MAX 8192

struct history;

EBB_MUST_CHECK int history_new(struct history **ret_history);
void history_free(struct history *history);
/* Keeps a reference to `event`. `at_s`: any clock that history_list() is asked in. */
void history_add(struct history *history, double at_s, json_t *event);
/*
 * Events not older than `since_s`, of the given types (an array of strings, or NULL), that equal `match` (an object of
 * strings, or NULL) in all its members; the last `limit` of them. A new array, or NULL on no memory.
 */
json_t *history_list(const struct history *history, double since_s, uint32_t limit,
		     const json_t *types, const json_t *match);

#endif
