/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_PARAMS_H
#define EBB_PARAMS_H
/*
 * params: members of a request's parameters, which come from outside. A member that is missing or null is "not given"; one of
 * another type is -EINVAL with a sentence.
 */
#include <jansson.h>
#include <stdint.h>

#include "controller/err.h"
#include "maps/types.h"

/* Not given: NULL. The text is borrowed. */
EBB_MUST_CHECK int params_text(const json_t *params, const char *key, const char **ret_text,
			       struct err *err);
/* The same, but it must be given. */
EBB_MUST_CHECK int params_needed(const json_t *params, const char *key, const char **ret_text,
				 struct err *err);
/* A finite number from 0 to `max`; not given: `otherwise`. */
EBB_MUST_CHECK int params_number(const json_t *params, const char *key, double otherwise, double max,
				 double *ret_number, struct err *err);
/* Index of a word in words[first..count). */
EBB_MUST_CHECK int params_word(const char *key, const char *word, const char *const *words, int first,
			       int count, int *ret_index, struct err *err);
/* Not given: -EINVAL. */
EBB_MUST_CHECK int params_address(const json_t *params, const char *key, struct address *ret_address,
				  struct err *err);

#endif
