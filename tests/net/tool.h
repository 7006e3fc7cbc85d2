/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_TESTS_NET_TOOL_H
#define EBB_TESTS_NET_TOOL_H
/* tool: what the lab's clients share: the address on their command line, and the clock. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

/* Seconds of `clock`. */
static inline double tool_now_s(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* "192.0.2.10" or "2001:db8::1" and "80"; the length of the socket address, 0 if it is none. */
static inline socklen_t tool_parse_address(const char *address, const char *port,
					   struct sockaddr_storage *ret_to)
{
	struct sockaddr_in6 *to6 = (void *)ret_to;
	struct sockaddr_in *to4 = (void *)ret_to;

	if (inet_pton(AF_INET, address, &to4->sin_addr) == 1) {
		to4->sin_family = AF_INET;
		to4->sin_port = htons((uint16_t)atoi(port));
		return sizeof(*to4);
	}
	if (inet_pton(AF_INET6, address, &to6->sin6_addr) != 1)
		return 0;
	to6->sin6_family = AF_INET6;
	to6->sin6_port = htons((uint16_t)atoi(port));
	return sizeof(*to6);
}

#endif
