// SPDX-License-Identifier: GPL-2.0-or-later
#include "controller/log.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

static enum log_level log_level = LOG_INFO;
static const char *const level_names[] = {"error", "warn", "info", "debug"};
static_assert(sizeof(level_names) / sizeof(level_names[0]) == LOG__COUNT, "a name for each level");

void log_set_level(enum log_level level)
{
	log_level = level;
}

void log_line(enum log_level level, const char *event, const char *fmt, ...)
{
	char line[2048], stamp[32];
	struct timespec now;
	struct tm tm;
	va_list ap;

	if (level > log_level)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	fprintf(stderr, "ts=%s.%03ldZ level=%s event=%s %s\n", stamp, now.tv_nsec / 1000000,
		level_names[level], event, line);
}

const char *log_quote(const char *text)
{
	static char ring[8][1024];
	static unsigned int next;
	char *out = ring[next++ % 8], *p = out, *end = out + 1016;

	*p++ = '"';
	for (; *text && p < end; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\') {
			*p++ = '\\';
			*p++ = (char)c;
		} else if (c < 0x20 || c == 0x7f) {
			p += snprintf(p, 5, "\\x%02x", c);
		} else {
			*p++ = (char)c;
		}
	}
	*p++ = '"';
	*p = 0;
	return out;
}
