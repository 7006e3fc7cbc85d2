/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mirrors controller/audit.c: what was written is there again; what was damaged is left out; two files at most. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/audit.h"

static char dir[] = "/tmp/ebb-test-audit.XXXXXX";
static char path[64], former[64], bad[64];
static struct history *history;
static struct audit *audit;

static int make_dir(void **state)
{
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/audit.log", dir);
	snprintf(former, sizeof(former), "%s/audit.log.1", dir);
	snprintf(bad, sizeof(bad), "%s/audit.log.bad", dir);
	return 0;
}

static int clear(void **state)
{
	audit_free(audit);
	history_free(history);
	audit = NULL;
	history = NULL;
	unlink(path);
	rmdir(path);
	unlink(former);
	unlink(bad);
	rmdir(bad);
	return 0;
}

static int remove_dir(void **state)
{
	return rmdir(dir);
}

static void start(struct err *err)
{
	audit_free(audit);
	history_free(history);
	audit = NULL;
	assert_int_equal(history_new(&history), 0);
	assert_int_equal(audit_open(dir, history, err, &audit), 0);
}

static void add(int number)
{
	json_t *event = json_pack("{ss, si, ss}", "event", "shift", "n", number, "comment", "line\nfeed \xc3\xa4");

	assert_int_equal(audit_add(audit, 1000 + number, event, number < 4), 0);
	json_decref(event);
}

/* Numbers of the events in the history since `since_s`, as text. */
static const char *numbers(double since_s)
{
	json_t *list = history_list(history, since_s, 100, NULL, NULL), *event;
	static char text[512];
	size_t i;

	text[0] = 0;
	json_array_foreach(list, i, event)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%lld", i ? " " : "",
			 json_integer_value(json_object_get(event, "n")));
	json_decref(list);
	return text;
}

static void what_was_written_is_there_again(void **state)
{
	struct err err = {{0}};
	struct stat st;

	start(&err);
	for (int i = 1; i <= 5; i++)
		add(i);
	start(&err);
	assert_string_equal(numbers(0), "1 2 3 4 5");
	assert_string_equal(numbers(1004), "4 5");
	add(6);
	start(&err);
	assert_string_equal(numbers(1004), "4 5 6");
	assert_string_equal(err.text, "");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void damage(long at, char byte)
{
	int fd = open(path, O_WRONLY);

	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	close(fd);
}

static void a_damaged_line_is_left_out(void **state)
{
	struct stat st;
	long line;

	start(NULL);
	for (int i = 1; i <= 3; i++)
		add(i);
	assert_int_equal(stat(path, &st), 0);
	line = st.st_size / 3;
	for (long at = 0; at < line; at++) { /* any byte of the second line */
		struct err err = {{0}};
		char byte;
		int fd = open(path, O_RDONLY);

		assert_int_equal(pread(fd, &byte, 1, line + at), 1);
		close(fd);
		damage(line + at, byte == 'x' ? 'y' : 'x');
		start(&err);
		/* without the line's end, the third is part of it */
		assert_string_equal(numbers(0), at == line - 1 ? "1" : "1 3");
		assert_non_null(strstr(err.text, "1 lines of "));
		damage(line + at, byte);
	}
	start(NULL);
	assert_string_equal(numbers(0), "1 2 3");
}

static void a_torn_line_does_not_swallow_the_next(void **state)
{
	struct stat st;

	start(NULL);
	add(1);
	add(2);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(truncate(path, st.st_size - 7), 0);
	start(NULL);
	add(3);
	start(NULL);
	assert_string_equal(numbers(0), "1 3");
}

static void two_files_at_most(void **state)
{
	struct stat st;
	char want[32];
	int n = 0;

	start(NULL);
	do
		add(++n);
	while (stat(former, &st));
	assert_true(st.st_size <= AUDIT_BYTES_MAX && st.st_size > AUDIT_BYTES_MAX - 200);
	add(++n);
	start(NULL);
	snprintf(want, sizeof(want), "%d %d %d", n - 2, n - 1, n);
	assert_string_equal(numbers(1000 + n - 2), want);
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_size < 1000);
}

static void what_is_no_file_is_set_aside(void **state)
{
	struct stat st;

	assert_int_equal(mkdir(path, 0700), 0);
	start(NULL);
	add(1);
	assert_int_equal(stat(bad, &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	clear(NULL);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	start(NULL);
	assert_string_equal(numbers(0), "");
	assert_int_equal(lstat(bad, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
}

static void what_is_too_long_is_not_written(void **state)
{
	char *text = calloc(1, AUDIT_LINE_MAX + 1);
	json_t *event;

	memset(text, 'x', AUDIT_LINE_MAX);
	event = json_pack("{ss}", "event", text);
	start(NULL);
	assert_int_equal(audit_add(audit, 1, event, false), -EMSGSIZE);
	assert_false(audit_failing(audit));
	add(1);
	start(NULL);
	assert_string_equal(numbers(0), "1");
	json_decref(event);
	free(text);
}

static void lines_that_are_none(void **state)
{
	static const char *const lines[] = {
		"", " ", "0123456789abcdef", "0123456789abcdef ", "0123456789abcdef 1 {}",
		"0123456789ABCDEF 1 {}", "zzzzzzzzzzzzzzzz 1 {}",
	};
	json_t *event;
	double at_s;

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_false(audit_parse(lines[i], strlen(lines[i]), &at_s, &event));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, clear)
	const struct CMUnitTest tests[] = {
		TEST(what_was_written_is_there_again),
		TEST(a_damaged_line_is_left_out),
		TEST(a_torn_line_does_not_swallow_the_next),
		TEST(two_files_at_most),
		TEST(what_is_no_file_is_set_aside),
		TEST(what_is_too_long_is_not_written),
		TEST(lines_that_are_none),
	};

	return cmocka_run_group_tests_name("audit", tests, make_dir, remove_dir);
}
