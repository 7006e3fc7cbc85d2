/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * echo_server: sends back whatever comes by TCP and UDP, on one port, both families.
 *
 *   echo_server NAME PORT
 *
 * A TCP connection is greeted by the line "NAME\n", so that a client knows who it is talking to. A
 * UDP answer goes out from the address that was asked (a VIP on lo), since unconnected sockets
 * would choose another.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS      64
#define PATIENCE_MS 5000

static int listen_on(int type, uint16_t port)
{
	struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	int yes = 1, no = 0;
	int fd = socket(AF_INET6, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no));
	setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &yes, sizeof(yes));
	if (bind(fd, (void *)&any, sizeof(any)) || (type == SOCK_STREAM && listen(fd, 4096))) {
		close(fd);
		return -1;
	}
	return fd;
}

static void echo_datagrams(int fd)
{
	static char bytes[65536];
	char control[256];
	struct sockaddr_in6 from;

	for (;;) {
		struct iovec iov = {bytes, sizeof(bytes)};
		struct msghdr message = {
			.msg_name = &from,
			.msg_namelen = sizeof(from),
			.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = sizeof(control),
		};
		struct cmsghdr *header;
		ssize_t n = recvmsg(fd, &message, 0);

		if (n < 0)
			return;
		iov.iov_len = (size_t)n;
		/* what says where it came to also says where the answer comes from; not by which
		 * interface */
		header = CMSG_FIRSTHDR(&message);
		if (header && header->cmsg_type == IPV6_PKTINFO)
			((struct in6_pktinfo *)CMSG_DATA(header))->ipi6_ifindex = 0;
		if (sendmsg(fd, &message, 0) < 0 && errno != EAGAIN && errno != ENOBUFS)
			perror("echo_server: sendmsg");
	}
}

static void accept_all(int listener, int epoll, const char *name)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct epoll_event event = {EPOLLIN, {.fd = fd}};

		if (dprintf(fd, "%s\n", name) < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
			close(fd);
	}
}

/* False: gone, or the other side has not read for so long. */
static int send_all(int fd, const char *bytes, ssize_t left)
{
	while (left > 0) {
		struct pollfd writable = {fd, POLLOUT, 0};
		ssize_t n = send(fd, bytes, (size_t)left, MSG_NOSIGNAL);

		if (n < 0 && (errno != EAGAIN || poll(&writable, 1, PATIENCE_MS) != 1))
			return 0;
		if (n > 0) {
			bytes += n;
			left -= n;
		}
	}
	return 1;
}

/* Everyone else waits for a client that does not read: a test's client always reads. */
static void echo_stream(int fd)
{
	char bytes[4096];
	ssize_t n = recv(fd, bytes, sizeof(bytes), 0);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0 || !send_all(fd, bytes, n))
		close(fd);
}

int main(int argc, char **argv)
{
	struct rlimit files = {65536, 65536};
	struct epoll_event event = {EPOLLIN, {0}};
	int stream, datagram, epoll;

	if (argc != 3) {
		fprintf(stderr, "usage: echo_server NAME PORT\n");
		return 2;
	}
	setrlimit(RLIMIT_NOFILE, &files);
	stream = listen_on(SOCK_STREAM, (uint16_t)atoi(argv[2]));
	datagram = listen_on(SOCK_DGRAM, (uint16_t)atoi(argv[2]));
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (stream < 0 || datagram < 0 || epoll < 0) {
		perror("echo_server");
		return 1;
	}
	event.data.fd = stream;
	epoll_ctl(epoll, EPOLL_CTL_ADD, stream, &event);
	event.data.fd = datagram;
	epoll_ctl(epoll, EPOLL_CTL_ADD, datagram, &event);
	for (;;) {
		struct epoll_event events[EVENTS];
		int n = epoll_wait(epoll, events, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			if (events[i].data.fd == stream)
				accept_all(stream, epoll, argv[1]);
			else if (events[i].data.fd == datagram)
				echo_datagrams(datagram);
			else
				echo_stream(events[i].data.fd);
		}
	}
}
