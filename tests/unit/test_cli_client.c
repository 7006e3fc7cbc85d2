// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The client against daemons of all kinds: the real control server, and fakes that answer wrongly, slowly, in pieces or not
 * at all. Fakes run in a child process, since the client blocks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "controller/cli/client.h"
#include "controller/control.h"
#include "controller/log.h"

struct rig {
	char dir[64], path[96];
	pid_t daemon;
};

static void rig_setup(struct rig *rig)
{
	strcpy(rig->dir, "/tmp/ebb-client-XXXXXX");
	assert_non_null(mkdtemp(rig->dir));
	snprintf(rig->path, sizeof(rig->path), "%s/ebbd.sock", rig->dir);
}

static void rig_end(struct rig *rig)
{
	kill(rig->daemon, SIGKILL);
	waitpid(rig->daemon, NULL, 0);
	unlink(rig->path);
	rmdir(rig->dir);
}

static int handle_echo(void *ctx, const json_t *params, json_t **ret_result, struct err *err)
{
	*ret_result = json_incref((json_t *)params);
	return 0;
}

static int handle_fail(void *ctx, const json_t *params, json_t **ret_result, struct err *err)
{
	return err_set(err, (int)json_integer_value(json_object_get(params, "errno")), "as asked");
}

static int handle_event(void *ctx, const json_t *params, json_t **ret_result, struct err *err)
{
	json_t *event = json_pack("{sssi}", "event", "weight", "n", 1);

	control_publish_event(*(struct control **)ctx, event);
	json_decref(event);
	return 0;
}

/* The real server in a child. Returns when it listens. */
static void rig_real(struct rig *rig)
{
	int ready[2];
	char byte;

	rig_setup(rig);
	assert_int_equal(pipe(ready), 0);
	rig->daemon = fork();
	if (rig->daemon == 0) {
		struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
		static struct control *control;

		log_set_level(LOG_ERROR);
		if (control_new(loop, rig->path, (gid_t)-1, NULL, NULL, &control) ||
		    control_register(control, "echo", handle_echo, NULL, CONTROL_READ) ||
		    control_register(control, "fail", handle_fail, NULL, CONTROL_READ) ||
		    control_register(control, "event", handle_event, &control, CONTROL_READ))
			_exit(1);
		close(ready[1]);
		ev_run(loop, 0);
		_exit(0);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 0);
	close(ready[0]);
}

/* A fake that reads a line, then says `text`, byte by byte if `slow`, and closes if `closes`. */
static void rig_fake(struct rig *rig, const char *text, bool slow, bool closes)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	rig_setup(rig);
	memcpy(name.sun_path, rig->path, strlen(rig->path));
	assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof(name)), 0);
	assert_int_equal(listen(fd, 1), 0);
	rig->daemon = fork();
	if (rig->daemon == 0) {
		char line[4096];
		int peer = accept(fd, NULL, NULL);

		if (recv(peer, line, sizeof(line), 0) < 0)
			_exit(1);
		for (size_t i = 0; i < strlen(text); i += slow ? 1 : strlen(text))
			send(peer, text + i, slow ? 1 : strlen(text), MSG_NOSIGNAL);
		if (!closes)
			pause();
		_exit(0);
	}
	close(fd);
}

static void test_calls_and_refusals(void **state)
{
	static const struct {
		int given, want;
	} rows[] = {{ENOENT, -ENOENT}, {EINVAL, -EINVAL}, {EBUSY, -EPERM}, {EIO, -EIO}, {ENOMEM, -EIO}};
	struct client *client = NULL;
	struct rig rig = {0};
	struct err err = {{0}};
	json_t *params, *result = NULL;

	rig_real(&rig);
	assert_int_equal(client_open(rig.path, &err, &client), 0);
	params = json_pack("{ss}", "a", "b");
	assert_int_equal(client_call(client, "echo", params, 5, &err, &result), 0);
	assert_true(json_equal(params, result));
	json_decref(params);
	json_decref(result);
	assert_int_equal(client_call(client, "echo", NULL, 5, &err, &result), 0); /* none is not null */
	assert_int_equal(json_object_size(result), 0);
	json_decref(result);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		params = json_pack("{si}", "errno", rows[i].given);
		assert_int_equal(client_call(client, "fail", params, 5, &err, &result), rows[i].want);
		assert_string_equal(err.text, "as asked");
		json_decref(params);
	}
	assert_int_equal(client_call(client, "nothing", NULL, 5, &err, &result), -EPERM);
	client_close(client);
	rig_end(&rig);
}

static void test_events_are_received(void **state)
{
	struct client *watcher = NULL, *maker = NULL;
	struct rig rig = {0};
	struct err err = {{0}};
	json_t *result = NULL;

	rig_real(&rig);
	assert_int_equal(client_open(rig.path, &err, &watcher), 0);
	assert_int_equal(client_open(rig.path, &err, &maker), 0);
	assert_int_equal(client_call(watcher, "monitor", NULL, 5, &err, &result), 0);
	json_decref(result);
	assert_int_equal(client_next(watcher, 0.01, &err, &result), -ETIMEDOUT);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(client_call(maker, "event", NULL, 5, &err, &result), 0);
		json_decref(result);
	}
	for (int i = 0; i < 3; i++) {
		assert_int_equal(client_next(watcher, 5, &err, &result), 0);
		assert_int_equal(json_integer_value(json_object_get(result, "n")), 1);
		json_decref(result);
	}
	kill(rig.daemon, SIGKILL);
	assert_int_equal(client_next(watcher, 5, &err, &result), -ECONNRESET);
	client_close(watcher);
	client_close(maker);
	rig_end(&rig);
}

static void test_fakes(void **state)
{
	static const struct {
		const char *name, *says;
		bool slow, closes;
		int want;
	} rows[] = {
		{"in pieces", "{\"id\":1,\"ok\":true,\"result\":5}\n", true, false, 0},
		{"without a result", "{\"id\":1,\"ok\":true}\n", false, false, 0},
		{"silent", "", false, false, -ETIMEDOUT},
		{"half a line", "{\"id\":1,", false, false, -ETIMEDOUT},
		{"closes at once", "", false, true, -ECONNRESET},
		{"closes in the middle", "{\"id\":1,\"ok\":tr", false, true, -ECONNRESET},
		{"not JSON", "SSH-2.0-OpenSSH\n", false, false, -EPROTO},
		{"no object", "[1]\n", false, false, -EPROTO},
		{"another request's answer", "{\"id\":2,\"ok\":true}\n", false, false, -EPROTO},
		{"no code", "{\"id\":1,\"ok\":false,\"error\":\"x\"}\n", false, false, -EPROTO},
		{"unknown code", "{\"id\":1,\"ok\":false,\"error\":\"x\",\"code\":\"y\"}\n", false, false, -EPROTO},
		{"turned away", "{\"id\":null,\"ok\":false,\"error\":\"too many connections\",\"code\":\"refused\"}\n",
		 false, true, -EPERM},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct client *client = NULL;
		struct rig rig = {0};
		struct err err = {{0}};
		json_t *result = NULL;
		int rc;

		print_message("  %s\n", rows[i].name);
		rig_fake(&rig, rows[i].says, rows[i].slow, rows[i].closes);
		assert_int_equal(client_open(rig.path, &err, &client), 0);
		rc = client_call(client, "status", NULL, rows[i].want == -ETIMEDOUT ? 0.2 : 20, &err, &result);
		assert_int_equal(rc, rows[i].want);
		assert_true((rc == 0) == (result != NULL));
		assert_true(rc == 0 || err.text[0]);
		json_decref(result);
		client_close(client);
		rig_end(&rig);
	}
}

static void test_nobody_listens(void **state)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	struct client *client = NULL;
	struct rig rig = {0};
	struct err err = {{0}};
	char longer[200];
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	rig_setup(&rig);
	assert_int_equal(client_open(rig.path, &err, &client), -ENOENT);
	assert_non_null(strstr(err.text, "is it running"));
	memcpy(name.sun_path, rig.path, strlen(rig.path));
	assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof(name)), 0);
	close(fd);
	assert_int_equal(client_open(rig.path, &err, &client), -ECONNREFUSED);
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = 0;
	assert_int_equal(client_open(longer, &err, &client), -ENAMETOOLONG);
	unlink(rig.path);
	rmdir(rig.dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls_and_refusals),
		cmocka_unit_test(test_events_are_received),
		cmocka_unit_test(test_fakes),
		cmocka_unit_test(test_nobody_listens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
