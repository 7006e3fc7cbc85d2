// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_http: any bytes on the port of /metrics, /healthz and the status page, in pieces of any size. The first byte chooses the
 * size of the pieces; the rest is what a client sends before it half-closes. What comes back is nothing or a whole
 * answer of HTTP/1.x with a status of ours. Half a request stands until its time is over, so then it is we who leave.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "controller/http.h"
#include "tests/fuzz/fuzz.h"

#define IDLE_TURNS 20 /* with nothing more to come from either side */
#define ANSWER_MAX (256 * 1024)

static struct ev_loop *loop;
static struct http *http;
static bool healthy = true;

static char *give(void *ctx, size_t *ret_length)
{
	char *text = strdup("ebb_up 1\n");

	must(text);
	*ret_length = strlen(text);
	return text;
}

static bool give_health(void *ctx, struct err *why)
{
	healthy = !healthy;
	if (!healthy)
		err_set(why, ETIME, "the last tick was long ago");
	return healthy;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const struct http_source source = {give, give, give_health, NULL};
	struct err err;

	loop = ev_loop_new(EVFLAG_NOENV);
	must(loop && http_new(loop, "127.0.0.1:0", &source, &err, &http) == 0);
	return 0;
}

/* Our end is reset in the end: ten thousand connections a second would use up the ports otherwise. */
static int connect_to(int port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	struct linger none = {.l_onoff = 1};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	must(fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
	return fd;
}

static size_t converse(int fd, const uint8_t *bytes, size_t length, size_t piece, char *answer)
{
	bool open = true, half = false;
	size_t used = 0;
	ssize_t n;

	for (int idle = 0; open && idle < IDLE_TURNS; idle++) {
		n = length ? send(fd, bytes, piece < length ? piece : length, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;
		if (n > 0) {
			bytes += n;
			length -= (size_t)n;
			idle = 0;
		} else if (n < 0 && errno != EAGAIN) {
			length = 0;
		}
		if (!length && !half) {
			shutdown(fd, SHUT_WR);
			half = true;
		}
		ev_run(loop, EVRUN_NOWAIT);
		must(used < ANSWER_MAX);
		n = recv(fd, answer + used, ANSWER_MAX - used, MSG_DONTWAIT);
		if (n > 0) {
			used += (size_t)n;
			idle = 0;
		}
		open = n > 0 || (n < 0 && errno == EAGAIN);
	}
	return used;
}

static void check_answer(char *answer, size_t used)
{
	static const int ours[] = {200, 400, 404, 405, 413, 414, 431, 500, 501, 503, 505};
	int status = 0, known = 0;

	if (!used)
		return;
	answer[used] = 0;
	must(sscanf(answer, "HTTP/1.%*1[01] %3d ", &status) == 1);
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		known |= status == ours[i];
	must(known && strstr(answer, "\r\n\r\n"));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	static char answer[ANSWER_MAX + 1];
	int fd;

	if (!length)
		return 0;
	fd = connect_to(http_port(http));
	check_answer(answer, converse(fd, bytes + 1, length - 1, bytes[0] ? bytes[0] : 65536, answer));
	close(fd);
	return 0;
}
