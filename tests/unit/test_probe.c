// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_probe: probes against listeners on loopback, in one libev loop, in a network namespace of
 * this process' own, where no route but loopback's exists. A listener is a behaviour: what it does
 * with a connection that it accepts.
 */
#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <ev.h>
#include <microhttpd.h>

#include "controller/probe.h"
#include "tests/unit/listener.h"

#define MANY   2000
#define WAIT_S 30. /* no answer by then: it is not coming */

static struct probe *probe;

static struct {
	uint32_t count, last_count;
	enum probe_outcome last;
	double took_s;
	double at[16]; /* when the first results came */
	uint32_t outcomes[PROBE_OUTCOME__COUNT];
} seen[MANY];

static void on_result(void *ctx, uint32_t id, enum probe_outcome outcome, double took_s,
		      struct mono_ns now)
{
	assert_true(id < MANY);
	if (seen[id].count < 16)
		seen[id].at[seen[id].count] = (double)now.v * 1e-9;
	seen[id].count++;
	seen[id].outcomes[outcome]++;
	seen[id].last = outcome;
	seen[id].took_s = took_s;
	if (ctx)
		((void (*)(uint32_t))ctx)(id);
}

/* ---- probes ---- */

static struct config_probe how_to(enum config_probe_type type, uint16_t port)
{
	return (struct config_probe){.type = type,
				     .port = port,
				     .interval_s = 0.05,
				     .timeout_s = 0.4,
				     .rise = 2,
				     .fall = 3,
				     .fall_timeouts = 5};
}

static void set(uint32_t id, const char *address_text, const struct config_probe *how)
{
	struct address address;
	struct err err = {};
	char name[32];

	assert_int_equal(address_parse(address_text, &address), 0);
	snprintf(name, sizeof(name), "backend-%u", id);
	if (probe_set(probe, id, name, &address, how, &err))
		fail_msg("%s", err.text);
}

static void wait_results(uint32_t id, uint32_t count)
{
	bool late = false;
	ev_timer deadline;

	ev_timer_init(&deadline, on_deadline, WAIT_S, 0.);
	deadline.data = &late;
	ev_timer_start(loop, &deadline);
	while (seen[id].count < count && !late)
		ev_run(loop, EVRUN_ONCE);
	ev_timer_stop(loop, &deadline);
	if (late)
		fail_msg("probe %u: %u results of %u", id, seen[id].count, count);
}

static void new_probe(void (*then)(uint32_t))
{
	struct err err = {};

	memset(seen, 0, sizeof(seen));
	if (probe_new(loop, on_result, (void *)then, &err, &probe))
		fail_msg("%s", err.text);
}

static int set_up(void **state)
{
	new_probe(NULL);
	return 0;
}

static int tear_down(void **state)
{
	probe_free(probe);
	return 0;
}

#define OK_HEAD "HTTP/1.1 200 OK\r\n"

static const struct {
	const char *name;
	enum manner manner;
	const char *text;
	enum probe_outcome want;
} http_rows[] = {
	{"200", SAY, OK_HEAD "Content-Length: 2\r\n\r\nok", PROBE_OK},
	{"200 until close", SAY, OK_HEAD "\r\nfine", PROBE_OK},
	{"HTTP/1.0", SAY, "HTTP/1.0 200 OK\r\n\r\n", PROBE_OK},
	{"204", SAY, "HTTP/1.1 204 No Content\r\n\r\n", PROBE_OK},
	{"299", SAY, "HTTP/1.1 299 Odd\r\nContent-Length: 0\r\n\r\n", PROBE_OK},
	{"300", SAY, "HTTP/1.1 300 Choices\r\nContent-Length: 0\r\n\r\n", PROBE_BAD_STATUS},
	{"a redirect is not followed", SAY,
	 "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n",
	 PROBE_BAD_STATUS},
	{"503", SAY, "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", PROBE_BAD_STATUS},
	{"chunked", SAY, OK_HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
	 PROBE_OK},
	{"a chunk that lies", SAY, OK_HEAD "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
	 PROBE_BAD_STATUS},
	{"a body cut off", SAY, OK_HEAD "Content-Length: 10\r\n\r\nabc", PROBE_BAD_STATUS},
	{"a body without end", SAY_FOREVER, OK_HEAD "\r\n", PROBE_OK},
	{"a bad body without end", SAY_FOREVER, "HTTP/1.1 500 No\r\n\r\n", PROBE_BAD_STATUS},
	{"headers without end", SAY_FOREVER, OK_HEAD "A: b\r\nX", PROBE_BAD_STATUS},
	{"garbage", SAY, "SSH-2.0-OpenSSH_9.2\r\n", PROBE_BAD_STATUS},
	{"binary garbage", SAY, "\x01\x02\x80\xff\n\n\n", PROBE_BAD_STATUS},
	{"closed without a byte", SAY, "", PROBE_RESET},
	{"reset", RESET, "", PROBE_RESET},
	{"silence", SILENT, "", PROBE_TIMEOUT},
	{"half of the headers, then silence", SAY_SLOWLY,
	 OK_HEAD "Content-Length: 2\r\nX-Long: 0123456789012345678901234567890", PROBE_TIMEOUT},
	{"a body that drips", SAY_SLOWLY,
	 OK_HEAD "Content-Length: 90\r\n\r\n0123456789012345678901234567890", PROBE_TIMEOUT},
};

static void test_http(void **state)
{
	for (size_t i = 0; i < sizeof(http_rows) / sizeof(http_rows[0]); i++) {
		struct listener listener = {.manner = http_rows[i].manner,
					    .text = http_rows[i].text};
		struct config_probe how;

		memset(seen, 0, sizeof(seen));
		listen_at(&listener, false);
		how = how_to(CONFIG_PROBE_HTTP, listener.port);
		set(1, "127.0.0.1", &how);
		wait_results(1, 2); /* twice: the second one starts clean as well */
		probe_remove(probe, 1);
		listener_close(&listener);
		if (seen[1].outcomes[http_rows[i].want] != seen[1].count)
			fail_msg("%s: %s, not %s", http_rows[i].name,
				 probe_outcome_name(seen[1].last),
				 probe_outcome_name(http_rows[i].want));
		assert_true(seen[1].took_s > 0 && seen[1].took_s < WAIT_S);
	}
	assert_int_equal(probe_starved(probe), 0);
}

static void test_http_request(void **state)
{
	struct listener listener = {.manner = SAY, .text = OK_HEAD "\r\n"};
	struct config_probe how;

	/* What the environment says about proxies is not for probes. */
	setenv("http_proxy", "http://127.0.0.1:1/", 1);
	setenv("ALL_PROXY", "http://127.0.0.1:1/", 1);
	listen_at(&listener, false);
	how = how_to(CONFIG_PROBE_HTTP, listener.port);
	how.path = "/healthz/../x?a=b";
	how.host = "www.example.com";
	set(1, "127.0.0.7", &how);
	wait_results(1, 1);
	assert_int_equal(seen[1].last, PROBE_OK);
	assert_memory_equal(listener.request, "GET /healthz/../x?a=b HTTP/1.1\r\n", 32);
	assert_non_null(strstr(listener.request, "\r\nHost: www.example.com\r\n"));
	probe_remove(probe, 1);
	how.host = "odd_name:1";
	how.path = NULL;
	set(2, "127.0.0.7", &how);
	wait_results(2, 1);
	assert_non_null(strstr(listener.request, "\r\nHost: odd_name:1\r\n"));
	assert_memory_equal(listener.request, "GET / HTTP/1.1\r\n", 16);
	unsetenv("http_proxy");
	unsetenv("ALL_PROXY");
	probe_remove(probe, 2);
	listener_close(&listener);
}

static void test_ipv6(void **state)
{
	struct listener listener = {.manner = SAY, .text = OK_HEAD "\r\n"};
	struct config_probe how;

	listen_at(&listener, true);
	how = how_to(CONFIG_PROBE_HTTP, listener.port);
	set(1, "::1", &how);
	how.type = CONFIG_PROBE_TCP;
	set(2, "::1", &how);
	wait_results(1, 2);
	wait_results(2, 2);
	assert_int_equal(seen[1].last, PROBE_OK);
	assert_int_equal(seen[2].last, PROBE_OK);
	probe_remove(probe, 1);
	probe_remove(probe, 2);
	listener_close(&listener);
}

static void test_tcp(void **state)
{
	struct listener listener = {.manner = SILENT};
	struct config_probe how;

	listen_at(&listener, false);
	how = how_to(CONFIG_PROBE_TCP, listener.port);
	set(1, "127.0.0.1", &how);
	wait_results(1, 3);
	assert_int_equal(seen[1].outcomes[PROBE_OK], 3);
	listener_close(&listener);
	wait_results(1, 5);
	assert_int_equal(seen[1].last, PROBE_REFUSED);
	set(2, "192.0.2.1", &how); /* no route in this namespace */
	set(3, "2001:db8::1", &how);
	how.type = CONFIG_PROBE_HTTP;
	set(4, "192.0.2.1", &how);
	set(5, "127.0.0.1", &how);
	for (uint32_t id = 2; id <= 5; id++)
		wait_results(id, 2);
	assert_int_equal(seen[2].last, PROBE_UNREACHABLE);
	assert_int_equal(seen[3].last, PROBE_UNREACHABLE);
	assert_int_equal(seen[4].last, PROBE_UNREACHABLE);
	assert_int_equal(seen[5].last, PROBE_REFUSED);
}

/* A full backlog: the kernel lets SYNs drop, nobody answers. */
static void test_tcp_timeout(void **state)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM, 0), fill[4];
	socklen_t length = sizeof(in);
	struct config_probe how;

	assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(listen(fd, 0), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &length), 0);
	for (int i = 0; i < 4; i++) {
		fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		connect(fill[i], (struct sockaddr *)&in, sizeof(in));
	}
	how = how_to(CONFIG_PROBE_TCP, ntohs(in.sin_port));
	how.timeout_s = 0.15;
	set(1, "127.0.0.1", &how);
	wait_results(1, 2);
	assert_int_equal(seen[1].last, PROBE_TIMEOUT);
	assert_true(seen[1].took_s >= 0.149); /* not early; how late is not a test's business */
	probe_remove(probe, 1);
	for (int i = 0; i < 4; i++)
		close(fill[i]);
	close(fd);
}

/* After a refusal the next probes come by the fast interval, until `fall` are in a row. */
static void test_fast_interval(void **state)
{
	struct config_probe how = how_to(CONFIG_PROBE_TCP, 1);

	how.interval_s = 60;
	how.fall = how.fall_timeouts = 3;
	set(1, "127.0.0.1", &how);
	how.fall = how.fall_timeouts =
		1; /* never fast: asked once in the time of the other's three */
	set(2, "127.0.0.1", &how);
	probe_soon(probe, 1);
	wait_results(1, 3);
	assert_true(seen[2].count <= 1);
	assert_true(seen[1].at[1] - seen[1].at[0] >= 0.045); /* 50 ms, whatever the interval */
	assert_true(seen[1].at[2] - seen[1].at[0] <= 3);
	pass_time(0.5);
	assert_int_equal(seen[1].count, 3); /* then by the interval again */
}

static void test_soon_and_pause(void **state)
{
	struct config_probe how = how_to(CONFIG_PROBE_TCP, 1);

	how.interval_s = 3600;
	how.fall = how.fall_timeouts = 1;
	set(1, "127.0.0.1", &how);
	pass_time(0.1);
	assert_int_equal(seen[1].count, 0);
	probe_soon(probe, 1);
	wait_results(1, 1);
	probe_pause(probe, 1);
	how.interval_s = 0.02;
	set(1, "127.0.0.1", &how);
	probe_soon(probe, 1);
	pass_time(0.2);
	assert_int_equal(seen[1].count, 1);
	probe_pause(probe, 0);
	wait_results(1, 5);
	how.type = CONFIG_PROBE_NONE;
	set(1, "127.0.0.1", &how);
	pass_time(0.1);
	assert_in_range(seen[1].count, 5, 6);
}

/* The same again changes nothing, not even the turn it waits for. */
static void test_set_again(void **state)
{
	struct config_probe how = how_to(CONFIG_PROBE_TCP, 1);

	how.interval_s = 0.3;
	how.fall = how.fall_timeouts = 1;
	set(1, "127.0.0.1", &how);
	for (int i = 0; i < 60 && seen[1].count < 2; i++) {
		set(1, "127.0.0.1", &how);
		pass_time(0.05);
	}
	assert_true(seen[1].count >= 2);
}

static void test_refused_input(void **state)
{
	static const struct {
		const char *path, *host;
		uint32_t id;
		uint16_t port;
		double interval_s;
		int want;
	} rows[] = {
		{"no-slash", NULL, 1, 80, 1, -EINVAL},  {"/a b", NULL, 1, 80, 1, -EINVAL},
		{"/\r\nX: y", NULL, 1, 80, 1, -EINVAL}, {"/", "a\r\nX: y", 1, 80, 1, -EINVAL},
		{"/", NULL, 65536, 80, 1, -ERANGE},     {"/", NULL, 1, 0, 1, -EINVAL},
		{"/", NULL, 1, 80, 0, -EINVAL},         {"/", NULL, 1, 80, NAN, -EINVAL},
	};
	struct address address;

	assert_int_equal(address_parse("127.0.0.1", &address), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct config_probe how = how_to(CONFIG_PROBE_HTTP, rows[i].port);
		struct err err = {};

		how.path = (char *)rows[i].path;
		how.host = (char *)rows[i].host;
		how.interval_s = rows[i].interval_s;
		assert_int_equal(probe_set(probe, rows[i].id, "x", &address, &how, &err),
				 rows[i].want);
		assert_int_not_equal(err.text[0], 0);
	}
}

static uint32_t all_seen(void)
{
	uint32_t n = 0;

	for (uint32_t id = 0; id < MANY; id++)
		n += seen[id].count > 0;
	return n;
}

static void many(enum config_probe_type type)
{
	struct listener listener = {.manner = SAY, .text = OK_HEAD "Content-Length: 0\r\n\r\n"};
	struct config_probe how;

	listen_at(&listener, false);
	how = how_to(type, listener.port);
	how.interval_s = 0.5;
	how.timeout_s = 10;
	for (uint32_t id = 0; id < MANY; id++) {
		char text[32];

		snprintf(text, sizeof(text), "127.1.%u.%u", id >> 8, id & 255);
		set(id, text, &how);
	}
	while (all_seen() < MANY)
		ev_run(loop, EVRUN_ONCE);
	for (uint32_t id = 0; id < MANY; id++)
		assert_int_equal(seen[id].outcomes[PROBE_OK], seen[id].count);
	/* Gone while some are under way. */
	for (uint32_t id = 0; id < MANY; id += 2)
		probe_remove(probe, id);
	pass_time(0.05);
	probe_free(probe);
	new_probe(NULL);
	listener_close(&listener);
}

static void test_many_tcp(void **state)
{
	many(CONFIG_PROBE_TCP);
}

static void test_many_http(void **state)
{
	many(CONFIG_PROBE_HTTP);
}

/* The callback removes the target that it hears of, and its neighbour, which may be under way. */
static void remove_two(uint32_t id)
{
	probe_remove(probe, id);
	probe_remove(probe, id ^ 1);
}

static void test_removed_by_the_callback(void **state)
{
	struct listener listener = {.manner = SAY_SLOWLY, .text = OK_HEAD "\r\n"};
	struct config_probe how;
	uint32_t n = 0;

	probe_free(probe);
	new_probe(remove_two);
	listen_at(&listener, false);
	for (uint32_t id = 0; id < 200; id++) {
		how = how_to(id & 2 ? CONFIG_PROBE_TCP : CONFIG_PROBE_HTTP,
			     id & 4 ? listener.port : 1);
		how.timeout_s = 0.1 + 0.001 * id;
		set(id, "127.0.0.1", &how);
	}
	pass_time(1);
	for (uint32_t id = 0; id < 200; id++) {
		assert_true(seen[id].count <= 1);
		n += seen[id].count;
	}
	assert_int_equal(n, 100); /* one of each two */
	listener_close(&listener);
}

/* Descriptors running out on our side is no outcome of anybody. */
static void test_starved(void **state)
{
	struct listener listener = {.manner = SILENT};
	struct config_probe how;
	struct rlimit limit, low;

	listen_at(&listener, false);
	how = how_to(CONFIG_PROBE_TCP, listener.port);
	set(1, "127.0.0.1", &how);
	how.type = CONFIG_PROBE_HTTP;
	set(2, "127.0.0.1", &how);
	wait_results(1, 1);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	low = limit;
	low.rlim_cur = 3;
	ev_io_stop(loop, &listener.io); /* accepting takes descriptors too */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	pass_time(1); /* what was under way ends */
	memset(seen, 0, sizeof(seen));
	pass_time(0.5);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_true(probe_starved(probe) > 4);
	assert_int_equal(seen[1].count, 0);
	assert_int_equal(seen[1].outcomes[PROBE_REFUSED], 0);
	wait_results(1, 1);
	assert_int_equal(seen[1].last, PROBE_OK);
	ev_io_start(loop, &listener.io);
	probe_remove(probe, 1);
	probe_remove(probe, 2);
	listener_close(&listener);
}

static enum MHD_Result answer(void *ctx, struct MHD_Connection *connection, const char *url,
			      const char *method, const char *version, const char *data,
			      size_t *size, void **state)
{
	struct MHD_Response *response =
		MHD_create_response_from_buffer(2, (void *)"ok", MHD_RESPMEM_PERSISTENT);
	enum MHD_Result rc =
		MHD_queue_response(connection, strcmp(url, "/good") ? 503 : 200, response);

	MHD_destroy_response(response);
	return rc;
}

static char *read_file(const char *path)
{
	char *text = calloc(1, 16384);
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	assert_true(fread(text, 1, 16383, f) > 0);
	fclose(f);
	return text;
}

static void test_https(void **state)
{
	struct listener plain = {.manner = SAY, .text = OK_HEAD "\r\n"};
	char dir[] = "/tmp/ebb-test-XXXXXX", command[512], path[64], *key, *cert;
	struct MHD_Daemon *server;
	struct config_probe how;

	assert_non_null(mkdtemp(dir));
	snprintf(command, sizeof(command),
		 "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days "
		 "2 -subj "
		 "/CN=somebody.else -keyout %s/key -out %s/cert >/dev/null 2>&1",
		 dir, dir);
	if (system(command)) {
		rmdir(dir);
		skip(); /* no openssl to make a certificate with */
	}
	snprintf(path, sizeof(path), "%s/key", dir);
	key = read_file(path);
	unlink(path);
	snprintf(path, sizeof(path), "%s/cert", dir);
	cert = read_file(path);
	unlink(path);
	rmdir(dir);
	server = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_TLS, 18443, NULL, NULL,
				  answer, NULL, MHD_OPTION_HTTPS_MEM_KEY, key,
				  MHD_OPTION_HTTPS_MEM_CERT, cert, MHD_OPTION_END);
	assert_non_null(server);
	how = how_to(CONFIG_PROBE_HTTPS, 18443);
	how.timeout_s = 10;
	how.path = "/good";
	set(1, "127.0.0.1", &how);
	how.host = "www.example.com";
	set(2, "127.0.0.1", &how);
	how.path = "/bad";
	set(3, "127.0.0.1", &how);
	listen_at(&plain, false);
	how.port = plain.port; /* no TLS there */
	set(4, "127.0.0.1", &how);
	for (uint32_t id = 1; id <= 4; id++)
		wait_results(id, 2);
	assert_int_equal(seen[1].outcomes[PROBE_OK], seen[1].count);
	assert_int_equal(seen[2].outcomes[PROBE_OK], seen[2].count);
	assert_int_equal(seen[3].outcomes[PROBE_BAD_STATUS], seen[3].count);
	assert_int_equal(seen[4].outcomes[PROBE_BAD_STATUS], seen[4].count);
	for (uint32_t id = 1; id <= 4; id++)
		probe_remove(probe, id);
	listener_close(&plain);
	MHD_stop_daemon(server);
	free(key);
	free(cert);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(http),           TEST(http_request),
		TEST(ipv6),           TEST(tcp),
		TEST(tcp_timeout),    TEST(fast_interval),
		TEST(soon_and_pause), TEST(set_again),
		TEST(refused_input),  TEST(many_tcp),
		TEST(many_http),      TEST(removed_by_the_callback),
		TEST(starved),        TEST(https),
	};

	if (!loopback_alone()) {
		perror("a network namespace of its own");
		return 1;
	}
	alarm(300); /* a hang is a failure */
	loop = ev_default_loop(0);
	return loop ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
