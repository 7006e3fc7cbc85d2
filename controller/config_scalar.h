/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_CONFIG_SCALAR_H
#define EBB_CONFIG_SCALAR_H
/*
 * config_scalar: text of one value to what it means.
 *
 * The pure parsers give 0 or -EINVAL (-ERANGE: well-formed, but too big for its type). They do not depend on the locale,
 * and a decimal fraction of up to 15 digits comes out as the double that is nearest to it.
 *
 * The config_take_… functions read the value of `key` at the context's place: text NULL leaves *value as it is (the
 * default), a wrong text leaves a message and *value as it is. `low` and `high` are both allowed.
 */
#include "controller/config_context.h"

/* "100ms" "5s" "2m" "2h" "1d", with a fraction if wanted; "never" is INFINITY. */
EBB_MUST_CHECK int scalar_duration(const char *text, double *ret_seconds);
/* "0.3" or "30%". */
EBB_MUST_CHECK int scalar_ratio(const char *text, double *ret_ratio);
/* "12.5": digits and at most one point. */
EBB_MUST_CHECK int scalar_number(const char *text, double *ret_number);
EBB_MUST_CHECK int scalar_unsigned(const char *text, uint64_t *ret_number);
/* "0x5eed", 1 to 16 hexadecimal digits after 0x. */
EBB_MUST_CHECK int scalar_hex64(const char *text, uint64_t *ret_number);

/* Seconds as a person would write them: "100ms", "2h". Into one of 4 static buffers. */
const char *scalar_print_duration(double seconds);

void config_take_duration(struct config_context *ctx, const char *key, const char *text, double low,
			  double high, double *value);
/* The same, but "never" is allowed too. */
void config_take_duration_or_never(struct config_context *ctx, const char *key, const char *text,
				   double low, double high, double *value);
void config_take_ratio(struct config_context *ctx, const char *key, const char *text, double low,
		       double high, double *value);
void config_take_number(struct config_context *ctx, const char *key, const char *text, double low,
			double high, double *value);
void config_take_unsigned(struct config_context *ctx, const char *key, const char *text, uint32_t low,
			  uint32_t high, uint32_t *value);
void config_take_bool(struct config_context *ctx, const char *key, const char *text, bool *value);
/* One of `count` words; gives its index. */
void config_take_word(struct config_context *ctx, const char *key, const char *text,
		      const char *const *words, unsigned int count, unsigned int *value);
/* An address that a packet can be sent from or to. `key` is read at the place; true if it was good. */
bool config_take_address(struct config_context *ctx, const char *key, const char *text,
			 struct address *value);
/* [A-Za-z0-9._-], 1..max bytes. Only checks. */
bool config_check_name(struct config_context *ctx, const char *text, unsigned int max);

#endif
