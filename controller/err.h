/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_ERR_H
#define EBB_ERR_H
/*
 * err: one human sentence about what went wrong, for errors that a person caused or must act on.
 *
 * Functions return 0 or -errno and take `struct err *err` last. They fill it where the errno alone
 * would not tell what to do. `err` may be NULL.
 */
#include <stdarg.h>

#define EBB_MUST_CHECK __attribute__((warn_unused_result))

struct err {
	char text[512];
};

/* Fills `err` (if any) and returns -`code`; `code` is a positive errno. Cuts text that is too long. */
int err_set(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Puts a prefix before the text that is there: "services[2]: " + "no such pool". Returns -`code`. */
int err_prefix(struct err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
