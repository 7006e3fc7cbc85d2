/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * socket_say: says what stands on its standard input to a Unix socket, and prints what comes back.
 *
 *   socket_say SOCKET SECONDS
 *
 * Ends when the other side closes, or SECONDS after the last byte moved. Exit: 0 the other side
 * closed, 3 it is still open, 1 no connection. It never closes its own half first, so a half line
 * stays a half line.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int hear(int fd)
{
	char bytes[65536];
	ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (n < 0 && errno == EAGAIN)
		return 1;
	if (n <= 0)
		return 0;
	fwrite(bytes, 1, (size_t)n, stdout);
	return 1;
}

int main(int argc, char **argv)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	char bytes[65536];
	ssize_t length = 0, sent = 0;
	int more = 1, fd;

	if (argc != 3 || strlen(argv[1]) >= sizeof(to.sun_path)) {
		fprintf(stderr, "usage: socket_say SOCKET SECONDS\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	strcpy(to.sun_path, argv[1]);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (void *)&to, sizeof(to))) {
		perror("socket_say");
		return 1;
	}
	for (;;) {
		struct pollfd poll_fd = {fd, (short)(POLLIN | (more ? POLLOUT : 0)), 0};

		if (poll(&poll_fd, 1, atoi(argv[2]) * 1000) == 0)
			return 3;
		if ((poll_fd.revents & POLLIN) && !hear(fd))
			return 0;
		if (!(poll_fd.revents & POLLIN) && (poll_fd.revents & (POLLHUP | POLLERR)))
			return 0;
		if (!more || !(poll_fd.revents & POLLOUT))
			continue;
		if (sent == length) {
			length = read(0, bytes, sizeof(bytes));
			sent = 0;
			more = length > 0;
		}
		if (more) {
			ssize_t n = send(fd, bytes + sent, (size_t)(length - sent),
					 MSG_DONTWAIT | MSG_NOSIGNAL);

			if (n < 0 && errno != EAGAIN)
				more = 0; /* it was cut off: hear the rest of what it says */
			else if (n > 0)
				sent += n;
		}
	}
}
