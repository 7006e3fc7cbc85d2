/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_CONFIG_WORDS_H
#define EBB_CONFIG_WORDS_H
/*
 * config_words: how two values of one thing differ, as "key old -> new, key old -> new". Each function writes the fields
 * that differ to `to`, and nothing if none does. Names of other things (pools, regions) are compared as names,
 * since their indices belong to one configuration.
 */
#include <stdio.h>

#include "controller/config.h"

void config_words_edge(FILE *to, const struct config_edge *a, const struct config_edge *b);
/* Those that maps and flows depend on: a restart is needed. */
void config_words_edge_fixed(FILE *to, const struct config_edge *a, const struct config_edge *b);
void config_words_interface(FILE *to, const struct config_interface *a, const struct config_interface *b);
void config_words_health(FILE *to, const struct config_health *a, const struct config_health *b);
void config_words_weights(FILE *to, const struct config_weights *a, const struct config_weights *b);
void config_words_backend(FILE *to, const struct config *config_a, const struct config_backend *a,
			  const struct config *config_b, const struct config_backend *b);
/* Without health and weights. */
void config_words_pool(FILE *to, const struct config *config_a, const struct config_pool *a,
		       const struct config *config_b, const struct config_pool *b);
void config_words_service(FILE *to, const struct config *config_a, const struct config_service *a,
			  const struct config *config_b, const struct config_service *b);
/* NULL is "none". */
void config_words_text(FILE *to, const char *key, const char *a, const char *b);

#endif
