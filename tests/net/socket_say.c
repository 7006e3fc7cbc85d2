/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * socket_say: says what stands on its standard input to a Unix socket, and prints what comes back.
 *
 *   socket_say [-d] [-i IDLE] SOCKET SECONDS
 *
 * -d: it is deaf, and never reads. -i: so many other connections stand all the while and say nothing; how many were taken
 * is printed.
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
#include <sys/resource.h>
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

static int dial(const struct sockaddr_un *to, int flags)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

	if (fd >= 0 && connect(fd, (const void *)to, sizeof(*to))) {
		close(fd);
		return -1;
	}
	return fd;
}

static void stand_idle(const struct sockaddr_un *to, int count)
{
	struct rlimit files = {(rlim_t)count + 64, (rlim_t)count + 64};
	int taken = 0;

	setrlimit(RLIMIT_NOFILE, &files);
	for (int i = 0; i < count; i++)
		taken += dial(to, SOCK_NONBLOCK) >= 0;
	printf("%d\n", taken);
}

int main(int argc, char **argv)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	char bytes[65536];
	ssize_t length = 0, sent = 0;
	int more = 1, deaf = 0, idle = 0, option, fd;

	while ((option = getopt(argc, argv, "di:")) != -1) {
		deaf |= option == 'd';
		idle = option == 'i' ? atoi(optarg) : idle;
	}
	argv += optind;
	if (argc - optind != 2 || strlen(argv[0]) >= sizeof(to.sun_path)) {
		fprintf(stderr, "usage: socket_say [-d] [-i IDLE] SOCKET SECONDS\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	strcpy(to.sun_path, argv[0]);
	fd = dial(&to, 0);
	if (idle)
		stand_idle(&to, idle);
	if (fd < 0) {
		perror("socket_say");
		return 1;
	}
	for (;;) {
		struct pollfd poll_fd = {fd, (short)((deaf ? 0 : POLLIN) | (more ? POLLOUT : 0)), 0};

		if (poll(&poll_fd, 1, atoi(argv[1]) * 1000) == 0)
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
