/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_TESTS_LISTENER_H
#define EBB_TESTS_LISTENER_H
/*
 * listener: servers with manners, on loopback and in the test's own libev loop, for tests of
 * whatever asks backends. A listener is a behaviour: what it does with a connection that it
 * accepts.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <ev.h>

static struct ev_loop *loop;

enum manner {
	SAY,         /* `text`, then close */
	SAY_SLOWLY,  /* a byte of `text` every 20 ms */
	SAY_FOREVER, /* `text`, then filler without end */
	SILENT,
	RESET,
};

struct listener {
	enum manner manner;
	const char *text;
	uint16_t port;
	int fd;
	ev_io io;
	uint32_t accepted;
	char request[512]; /* the last one, cut */
};

struct client {
	struct listener *listener;
	ev_io io;
	ev_timer timer;
	size_t said;
	struct client *next;
};

static struct client *clients;

static void client_close(struct client *c)
{
	struct client **at = &clients;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	ev_io_stop(loop, &c->io);
	ev_timer_stop(loop, &c->timer);
	close(c->io.fd);
	free(c);
}

static void on_drip(struct ev_loop *l, ev_timer *timer, int events)
{
	struct client *c = timer->data;

	if (c->said >= strlen(c->listener->text) ||
	    send(c->io.fd, c->listener->text + c->said++, 1, MSG_NOSIGNAL | MSG_DONTWAIT) != 1)
		client_close(c);
}

static void on_room(struct ev_loop *l, ev_io *io, int events)
{
	static char filler[4096];
	struct client *c = io->data;

	memset(filler, 'x', sizeof(filler));
	if (send(io->fd, filler, sizeof(filler), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 &&
	    errno != EAGAIN)
		client_close(c);
}

static void on_request(struct ev_loop *l, ev_io *io, int events)
{
	struct client *c = io->data;
	struct listener *listener = c->listener;
	ssize_t n = recv(io->fd, listener->request, sizeof(listener->request) - 1, MSG_DONTWAIT);

	if (n <= 0) {
		client_close(c);
		return;
	}
	listener->request[n] = '\0';
	if (listener->manner == SILENT)
		return;
	if (listener->manner == SAY_SLOWLY) {
		ev_io_stop(l, io);
		ev_timer_start(l, &c->timer);
		return;
	}
	if (send(io->fd, listener->text, strlen(listener->text), MSG_NOSIGNAL) < 0 ||
	    listener->manner == SAY) { /* the probe may have gone meanwhile */
		client_close(c);
		return;
	}
	ev_io_stop(l, io);
	ev_set_cb(io, on_room);
	ev_io_set(io, io->fd, EV_WRITE);
	ev_io_start(l, io);
}

static void on_accept(struct ev_loop *l, ev_io *io, int events)
{
	struct listener *listener = io->data;
	int fd = accept4(io->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct linger now = {.l_onoff = 1};
	struct client *c;

	if (fd < 0)
		return;
	listener->accepted++;
	if (listener->manner == RESET) {
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
		close(fd);
		return;
	}
	c = calloc(1, sizeof(*c));
	c->listener = listener;
	c->next = clients;
	clients = c;
	ev_io_init(&c->io, on_request, fd, EV_READ);
	ev_timer_init(&c->timer, on_drip, 0.02, 0.02);
	c->io.data = c->timer.data = c;
	ev_io_start(l, &c->io);
}

static void listen_at(struct listener *listener, bool ipv6)
{
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	struct sockaddr_in in = {.sin_family = AF_INET}; /* all of 127/8 */
	socklen_t length = ipv6 ? sizeof(in6) : sizeof(in);
	struct sockaddr *address = ipv6 ? (struct sockaddr *)&in6 : (struct sockaddr *)&in;

	listener->fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_true(listener->fd >= 0);
	assert_int_equal(bind(listener->fd, address, length), 0);
	assert_int_equal(listen(listener->fd, 4096), 0);
	assert_int_equal(getsockname(listener->fd, address, &length), 0);
	listener->port = ntohs(ipv6 ? in6.sin6_port : in.sin_port);
	ev_io_init(&listener->io, on_accept, listener->fd, EV_READ);
	listener->io.data = listener;
	ev_io_start(loop, &listener->io);
}

static void listener_close(struct listener *listener)
{
	while (clients)
		client_close(clients);
	ev_io_stop(loop, &listener->io);
	close(listener->fd);
}

/* ---- time ---- */

static void on_deadline(struct ev_loop *l, ev_timer *timer, int events)
{
	*(bool *)timer->data = true;
}

static void pass_time(double seconds)
{
	bool late = false;
	ev_timer timer;

	ev_now_update(loop);
	ev_timer_init(&timer, on_deadline, seconds, 0.);
	timer.data = &late;
	ev_timer_start(loop, &timer);
	while (!late)
		ev_run(loop, EVRUN_ONCE);
}

/* A network namespace of this process' own, where no route but loopback's exists. */
static bool loopback_alone(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd;

	if (unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET))
		return false;
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request))
		return false;
	close(fd);
	return true;
}

#endif
