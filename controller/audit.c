// SPDX-License-Identifier: GPL-2.0-or-later
#include "controller/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/namehash.h"

#define NAME	   "audit.log"
#define SUM_DIGITS 16
#define AT_S_MAX   1e11 /* the year 5138 */

struct audit {
	int fd; /* -1: could not be opened; tried again with the next event */
	size_t size;
	bool failing;
	char path[PATH_MAX], former[PATH_MAX + 2];
};

/* --- reading */

static bool parse_sum(const char *digits, uint64_t *ret_sum)
{
	uint64_t sum = 0;

	for (int i = 0; i < SUM_DIGITS; i++) {
		const char *at = memchr("0123456789abcdef", digits[i], 16);

		if (!at)
			return false;
		sum = sum << 4 | (uint64_t)(at - "0123456789abcdef");
	}
	*ret_sum = sum;
	return true;
}

bool audit_parse(const char *line, size_t length, double *ret_at_s, json_t **ret_event)
{
	const char *body = line + SUM_DIGITS + 1;
	char text[32];
	uint64_t sum;
	json_t *event;
	double at_s;
	size_t n = 0;

	if (length <= SUM_DIGITS + 1 || length > AUDIT_LINE_MAX || line[SUM_DIGITS] != ' ' ||
	    !parse_sum(line, &sum) || hash_checksum(body, length - SUM_DIGITS - 1) != sum)
		return false;
	length -= SUM_DIGITS + 1;
	while (n < length && n < sizeof(text) - 1 && strchr("0123456789.", body[n]) && body[n])
		n++;
	memcpy(text, body, n);
	text[n] = 0;
	if (n == length || body[n] != ' ' || sscanf(text, "%lf", &at_s) != 1 || !(at_s <= AT_S_MAX))
		return false;
	event = json_loadb(body + n + 1, length - n - 1, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(event)) {
		json_decref(event);
		return false;
	}
	*ret_at_s = at_s;
	*ret_event = event;
	return true;
}

static uint64_t take_lines(const char *bytes, size_t length, struct history *history)
{
	uint64_t bad = 0;

	while (length) {
		const char *end = memchr(bytes, '\n', length);
		size_t line = end ? (size_t)(end - bytes) : length;
		json_t *event;
		double at_s;

		if (audit_parse(bytes, line, &at_s, &event)) {
			history_add(history, at_s, event);
			json_decref(event);
		} else if (line) {
			bad++;
		}
		line += end != NULL;
		bytes += line;
		length -= line;
	}
	return bad;
}

/* Up to twice the bound, so that a last event that went over it is not lost. */
static int read_file(const char *path, struct history *history, uint64_t *bad)
{
	char *bytes = malloc(2 * AUDIT_BYTES_MAX);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), e = fd < 0 ? -errno : 0;
	size_t length = 0;
	ssize_t n = 1;

	if (!bytes)
		e = -ENOMEM;
	while (!e && n > 0 && length < 2 * AUDIT_BYTES_MAX) {
		n = read(fd, bytes + length, 2 * AUDIT_BYTES_MAX - length);
		if (n < 0 && errno != EINTR)
			e = -errno;
		length += n > 0 ? (size_t)n : 0;
		n = n < 0 ? 1 : n;
	}
	if (!e)
		*bad += take_lines(bytes, length, history);
	if (fd >= 0)
		close(fd);
	free(bytes);
	return e;
}

/* --- writing */

/* A last line without its end would swallow the next one. */
static int end_line(int fd, size_t size)
{
	char last;

	if (!size || pread(fd, &last, 1, (off_t)size - 1) != 1 || last == '\n')
		return 0;
	return write(fd, "\n", 1) == 1 ? 0 : -EIO;
}

static int open_file(struct audit *a)
{
	int fd = open(a->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || end_line(fd, (size_t)st.st_size)) {
		close(fd);
		return -EINVAL;
	}
	a->fd = fd;
	a->size = (size_t)st.st_size;
	return 0;
}

static void close_file(struct audit *a)
{
	if (a->fd >= 0)
		close(a->fd);
	a->fd = -1;
}

static void set_aside(const char *path)
{
	struct stat st;
	char bad[PATH_MAX + 8];

	if (lstat(path, &st) || S_ISREG(st.st_mode))
		return;
	snprintf(bad, sizeof(bad), "%s.bad", path);
	(void)!rename(path, bad);
}

int audit_open(const char *dir, struct history *history, struct err *err, struct audit **ret_audit)
{
	struct audit *a = calloc(1, sizeof(*a));
	uint64_t bad = 0;
	int e;

	if (!a)
		return err_set(err, ENOMEM, "out of memory");
	a->fd = -1;
	if (snprintf(a->path, sizeof(a->path), "%s/" NAME, dir) >= (int)sizeof(a->path)) {
		free(a);
		return err_set(err, ENAMETOOLONG, "the state directory's name is too long");
	}
	snprintf(a->former, sizeof(a->former), "%s.1", a->path);
	set_aside(a->path);
	set_aside(a->former);
	e = read_file(a->former, history, &bad);
	if (!e || e == -ENOENT)
		e = read_file(a->path, history, &bad);
	if (bad)
		(void)!err_set(err, EBADMSG, "%" PRIu64 " lines of %s are damaged and left out", bad, a->path);
	if (!e || e == -ENOENT)
		e = open_file(a);
	if (e) {
		free(a);
		return err_set(err, -e, "cannot use %s: %s", a->path, strerror(-e));
	}
	*ret_audit = a;
	return 0;
}

void audit_free(struct audit *a)
{
	if (!a)
		return;
	close_file(a);
	free(a);
}

bool audit_failing(const struct audit *a)
{
	return a->failing;
}

static int make_room(struct audit *a, size_t length)
{
	if (a->fd >= 0 && a->size + length > AUDIT_BYTES_MAX) {
		if (rename(a->path, a->former))
			return -errno;
		close_file(a);
	}
	return a->fd >= 0 ? 0 : open_file(a);
}

/* In one write(), so that a line is there whole or, on a full disk, torn at its end. */
static int append(struct audit *a, const char *line, size_t length, bool durable)
{
	ssize_t n;
	int e = make_room(a, length);

	if (e)
		return e;
	n = write(a->fd, line, length);
	if (n > 0)
		a->size += (size_t)n;
	if (n != (ssize_t)length) {
		e = n < 0 ? -errno : -ENOSPC;
		close_file(a); /* opened again, it gets its line feed */
		return e;
	}
	return durable && fdatasync(a->fd) ? -errno : 0;
}

int audit_add(struct audit *a, double at_s, const json_t *event, bool durable)
{
	char line[AUDIT_LINE_MAX + 2];
	char *text = json_dumps(event, JSON_COMPACT);
	int n, e = -ENOMEM;

	if (text) {
		n = snprintf(line, sizeof(line), "%016x %.3f %s", 0, at_s, text);
		e = n > AUDIT_LINE_MAX ? -EMSGSIZE : 0;
	}
	free(text);
	if (!e) {
		char sum[SUM_DIGITS + 1];

		snprintf(sum, sizeof(sum), "%016" PRIx64,
			 hash_checksum(line + SUM_DIGITS + 1, (size_t)n - SUM_DIGITS - 1));
		memcpy(line, sum, SUM_DIGITS);
		line[n] = '\n';
		e = append(a, line, (size_t)n + 1, durable);
	}
	a->failing = e && e != -EMSGSIZE;
	return e;
}
