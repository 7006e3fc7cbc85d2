// SPDX-License-Identifier: GPL-2.0-or-later
#include "controller/err.h"

#include <stdio.h>
#include <string.h>

int err_set(struct err *err, int code, const char *fmt, ...)
{
	va_list ap;

	if (err) {
		va_start(ap, fmt);
		vsnprintf(err->text, sizeof(err->text), fmt, ap);
		va_end(ap);
	}
	return -code;
}

int err_prefix(struct err *err, int code, const char *fmt, ...)
{
	char prefix[256], old[sizeof(err->text)];
	va_list ap;

	if (!err)
		return -code;
	va_start(ap, fmt);
	vsnprintf(prefix, sizeof(prefix), fmt, ap);
	va_end(ap);
	memcpy(old, err->text, sizeof(old));
	snprintf(err->text, sizeof(err->text), "%s%.*s", prefix,
		 (int)(sizeof(err->text) - sizeof(prefix)), old);
	return -code;
}
