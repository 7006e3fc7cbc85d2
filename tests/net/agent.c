/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent: an agent of HAProxy's agent-check: whoever connects gets the line that stands in FILE now, and is hung up on.
 *
 *   agent PORT FILE
 *
 * FILE that is not there: it hangs up without a word.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void answer(int fd, const char *path)
{
	char line[512];
	FILE *file = fopen(path, "r");

	if (file && fgets(line, sizeof(line), file) && dprintf(fd, "%s", line) < 0)
		perror("agent");
	if (file)
		fclose(file);
	close(fd);
}

int main(int argc, char **argv)
{
	struct sockaddr_in6 any = {.sin6_family = AF_INET6};
	int fd, yes = 1, listener = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (argc != 3) {
		fprintf(stderr, "usage: agent PORT FILE\n");
		return 2;
	}
	any.sin6_port = htons((uint16_t)atoi(argv[1]));
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (listener < 0 || bind(listener, (void *)&any, sizeof(any)) || listen(listener, 64)) {
		perror("agent");
		return 1;
	}
	while ((fd = accept(listener, NULL, NULL)) >= 0)
		answer(fd, argv[2]);
	perror("agent: accept");
	return 1;
}
