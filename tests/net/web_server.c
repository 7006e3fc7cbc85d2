/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * web_server: a server whose sickness is exact, where nginx's is drawn by lot: it answers late by so many milliseconds, and of
 * every so many requests on a port one with 503.
 *
 *   web_server NAME FILE PORT...
 *
 * FILE holds "DELAY_MS BAD_EVERY BEFORE" (BAD_EVERY 0: none; BEFORE: so many of the first round count as asked already) and is
 * read at the start and at SIGHUP. The page is "backend NAME", of a bad answer "sick NAME". One answer a connection, then it
 * hangs up.
 */
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/net/tool.h"

#define PORTS_MAX   4
#define FILES_MAX   16384
#define DELAYED_MAX 65536

struct server {
	const char *name, *path;
	int epoll;
	int listeners[PORTS_MAX], ports;
	unsigned long delay_ms, bad_every;
	unsigned long asked[PORTS_MAX];
	signed char port_of[FILES_MAX]; /* of a connection; -1: its request has come */
	/* Answers that are due, in order, as all wait for the same time. A longer delay that follows a shorter one keeps the order. */
	struct delayed {
		int fd;
		bool bad;
		double due;
	} delayed[DELAYED_MAX];
	unsigned first, next;
};

static volatile sig_atomic_t told = 1;

static void on_hangup(int signal)
{
	told = 1;
}

static void read_file(struct server *s)
{
	FILE *file = fopen(s->path, "r");
	unsigned long before = 0;

	told = 0;
	if (!file || fscanf(file, "%lu %lu %lu", &s->delay_ms, &s->bad_every, &before) != 3)
		fprintf(stderr, "web_server: %s: \"DELAY_MS BAD_EVERY BEFORE\" is wanted\n", s->path);
	for (int i = 0; i < PORTS_MAX; i++)
		s->asked[i] = before;
	if (file)
		fclose(file);
}

/* Whoever had the port before may have been killed a moment ago. */
static int listen_on(int port)
{
	struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
	int yes = 1, no = 0, tries = 0, fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no));
	while (bind(fd, (void *)&any, sizeof(any)) && errno == EADDRINUSE && tries++ < 100)
		usleep(20000);
	if (tries > 100 || listen(fd, 4096)) {
		perror("web_server");
		exit(1);
	}
	return fd;
}

static void answer(const struct server *s, int fd, bool bad)
{
	char page[128], text[512];
	int length = snprintf(page, sizeof(page), "%s %s\n", bad ? "sick" : "backend", s->name);

	length = snprintf(text, sizeof(text), "HTTP/1.1 %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
			  bad ? "503 Service Unavailable" : "200 OK", length, page);
	if (send(fd, text, (size_t)length, MSG_NOSIGNAL) != length && errno != ECONNRESET && errno != EPIPE)
		perror("web_server: send");
	shutdown(fd, SHUT_WR);
	close(fd);
}

static void accept_all(struct server *s, int port)
{
	int fd;

	while ((fd = accept4(s->listeners[port], NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct epoll_event event = {EPOLLIN, {.fd = fd}};

		if (fd >= FILES_MAX || epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event)) {
			close(fd);
			continue;
		}
		s->port_of[fd] = (signed char)port;
	}
}

/* A request of these clients comes in one piece. */
static void hear(struct server *s, int fd)
{
	char bytes[4096];
	ssize_t n = recv(fd, bytes, sizeof(bytes), 0);
	int port = s->port_of[fd];
	bool bad;

	if (n <= 0 && !(n < 0 && errno == EAGAIN) && port >= 0)
		close(fd);
	if (n <= 0 || port < 0)
		return;
	epoll_ctl(s->epoll, EPOLL_CTL_DEL, fd, NULL);
	s->port_of[fd] = -1;
	bad = s->bad_every && ++s->asked[port] % s->bad_every == 0;
	if (!s->delay_ms || s->next - s->first == DELAYED_MAX) {
		answer(s, fd, bad);
		return;
	}
	s->delayed[s->next++ % DELAYED_MAX] =
		(struct delayed){fd, bad, tool_now_s(CLOCK_MONOTONIC) + (double)s->delay_ms / 1000};
}

/* Milliseconds until the next is due; -1: none. */
static int answer_due(struct server *s)
{
	while (s->first != s->next) {
		const struct delayed *d = &s->delayed[s->first % DELAYED_MAX];
		double left = d->due - tool_now_s(CLOCK_MONOTONIC);

		if (left > 0)
			return (int)(left * 1000) + 1;
		answer(s, d->fd, d->bad);
		s->first++;
	}
	return -1;
}

static int port_of_listener(const struct server *s, int fd)
{
	for (int i = 0; i < s->ports; i++)
		if (s->listeners[i] == fd)
			return i;
	return -1;
}

int main(int argc, char **argv)
{
	static struct server s;
	struct sigaction hangup = {.sa_handler = on_hangup}; /* epoll_wait ends by it */

	if (argc < 4 || argc - 3 > PORTS_MAX) {
		fprintf(stderr, "usage: web_server NAME FILE PORT...\n");
		return 2;
	}
	s.name = argv[1];
	s.path = argv[2];
	sigaction(SIGHUP, &hangup, NULL);
	s.epoll = epoll_create1(EPOLL_CLOEXEC);
	for (int i = 3; i < argc; i++) {
		struct epoll_event event = {EPOLLIN, {.fd = listen_on(atoi(argv[i]))}};

		epoll_ctl(s.epoll, EPOLL_CTL_ADD, event.data.fd, &event);
		s.listeners[s.ports++] = event.data.fd;
	}
	for (;;) {
		struct epoll_event events[64];
		int n;

		if (told)
			read_file(&s);
		n = epoll_wait(s.epoll, events, 64, answer_due(&s));
		for (int i = 0; i < n; i++) {
			int port = port_of_listener(&s, events[i].data.fd);

			if (port >= 0)
				accept_all(&s, port);
			else
				hear(&s, events[i].data.fd);
		}
	}
}
