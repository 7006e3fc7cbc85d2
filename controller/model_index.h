/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_MODEL_INDEX_H
#define EBB_MODEL_INDEX_H
/*
 * model_index: a model's configured backends by name, and all of its backends by their id in the maps. Backends that
 * leave have no name here: one that was configured again under another address has their name.
 */
#include <stdint.h>

#include "controller/err.h"
#include "controller/model.h"

struct model_index;

EBB_MUST_CHECK int model_index_new(uint32_t backends, struct model_index **ret_index);
void model_index_free(struct model_index *index);
/* -EEXIST: the name is there. `name` must outlive the index. */
EBB_MUST_CHECK int model_index_add_name(struct model_index *index, const char *name, uint32_t backend);
void model_index_set_id(struct model_index *index, uint16_t id, uint32_t backend);
/* UINT32_MAX: none. */
uint32_t model_index_name(const struct model_index *index, const char *name);
uint32_t model_index_id(const struct model_index *index, uint16_t id);

#endif
