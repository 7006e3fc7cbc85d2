/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_CLI_UNITS_H
#define EBB_CLI_UNITS_H
/*
 * units: what people type to numbers, and numbers to what people read. Parsers want the whole text, and say in
 * `err` what would have been allowed; formatters write into a buffer of UNITS_TEXT_MAX bytes and return it.
 */
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "controller/err.h"

#define UNITS_TEXT_MAX 48
#define UNITS_STEPS_MAX 16 /* as SHIFT_STEPS_MAX: no more are taken */

/* "0.3" or "30%", [0,1]. */
EBB_MUST_CHECK int units_parse_ratio(const char *text, struct err *err, double *ret_ratio);
/* "250ms", "30s", "5m", "2h", "1d"; seconds, at most ten years. */
EBB_MUST_CHECK int units_parse_duration(const char *text, struct err *err, double *ret_s);
EBB_MUST_CHECK int units_parse_integer(const char *text, int64_t least, int64_t most,
				       struct err *err, int64_t *ret_number);
/* "20%,60%@30s,100%@30s" to [{"share": 0.2, "ramp_s": 0}, …]: rising shares, at most UNITS_STEPS_MAX. */
EBB_MUST_CHECK int units_parse_steps(const char *text, struct err *err, json_t **ret_steps);
/* "10.0.0.1:443", "[2001:db8::1]:443"; an address alone where `port_needed` is 0. Checks only. */
EBB_MUST_CHECK int units_check_endpoint(const char *text, int port_needed, struct err *err);

char *units_percent(double ratio, char *to);	 /* "62.3 %", "0 %", "100 %", "<0.1 %" */
char *units_count(double count, char *to);	 /* "17", "1234", "12.3 k", "4.56 M" */
char *units_bytes(double bytes, char *to);	 /* "512 B", "1.50 KiB" */
char *units_duration(double seconds, char *to);	 /* "0.4 ms", "12 s", "3 h 12 min", "5 d 2 h" */
/* A bar of `width` cells for a ratio; eighths of a cell where `utf8`. `to` holds 3 * width + 1 bytes. */
char *units_bar(double ratio, int width, int utf8, char *to);

#endif
