/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_LOG_H
#define EBB_LOG_H
/*
 * log: logfmt lines on stderr, one a transition.
 *
 *   log_info("backend-state", "backend=%s from=%s to=%s", name, from, to);
 *   -> ts=2026-01-02T03:04:05.678Z level=info event=backend-state backend=fra-1 from=ready to=drain
 *
 * Values with spaces or quotes go through log_quote(). Only the daemon's callbacks log; modules return
 * errors.
 */
enum log_level {
	LOG_ERROR,
	LOG_WARN,
	LOG_INFO,
	LOG_DEBUG,
	LOG__COUNT,
};

void log_set_level(enum log_level level);
void log_line(enum log_level level, const char *event, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)

/* `text` in double quotes with \" \\ and control bytes escaped; from a ring of 8 static buffers of 1 KiB. */
const char *log_quote(const char *text);

#endif
