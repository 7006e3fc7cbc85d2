/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * echo_client: many long-lived conversations with echo_server. Each says something numbered every
 * INTERVAL and must hear it back; it counts conversations that broke, by reason.
 *
 *   echo_client [-c CONVERSATIONS] [-a ADDRESSES] [-i INTERVAL_MS] [-t SILENCE_MS] [-u] ADDRESS PORT
 *
 * -a: they are spread over so many addresses, ADDRESS and those behind it.
 * TCP: a conversation is broken by a reset, a close, a wrong byte, or SILENCE without an answer.
 * UDP (-u): a datagram is lost if its echo has not come when the next but nineteen is sent or
 * SILENCE after the end; nothing is sent twice. Prints "ready" (a JSON line) when all conversations
 * have begun; goes on until SIGTERM or SIGINT, then waits for what is outstanding and prints one
 * JSON line. Exit: 0 nothing broke and nothing was lost, 1 else, 2 usage.
 */
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/net/tool.h"

#define TALKS_MAX 20000
#define SHOWN_MAX 20
#define WINDOW    20 /* UDP: so many datagrams may be outstanding before the oldest counts as lost */

enum end {
	END_NONE, /* going on */
	END_RESET,
	END_CLOSED,
	END_WRONG,
	END_SILENCE,
	END_NO_CONNECTION,
	END__COUNT,
};

static const char *const end_names[END__COUNT] = {"none",  "reset",   "closed",
						  "wrong", "silence", "no_connection"};

struct talk {
	int fd;
	enum end end;
	bool greeted;         /* TCP: the server's name has come; UDP: always */
	uint64_t said, heard; /* numbers, from 1 */
	uint64_t came;        /* UDP: bit n: number said - n has come back */
	double heard_at, say_at;
	unsigned partial; /* TCP: bytes of a number that came so far */
	unsigned char number[8];
};

struct client {
	struct sockaddr_storage to;
	socklen_t to_length;
	bool udp;
	double interval_s, silence_s;
	unsigned count, addresses, ended;
	int epoll;
	struct talk *talks;
	uint64_t said, heard, lost;
};

static volatile sig_atomic_t stopping;

static void on_signal(int signal)
{
	stopping = 1;
}

/* The conversation's own port, by which `ebb explain` can be asked; 0: not known. */
static unsigned talk_port(const struct talk *talk)
{
	struct sockaddr_storage own = {0};
	socklen_t length = sizeof(own);

	if (talk->fd < 0 || getsockname(talk->fd, (void *)&own, &length))
		return 0;
	return ntohs(own.ss_family == AF_INET ? ((struct sockaddr_in *)&own)->sin_port
					      : ((struct sockaddr_in6 *)&own)->sin6_port);
}

static void talk_end(struct client *client, struct talk *talk, enum end end)
{
	if (client->ended < SHOWN_MAX)
		printf("{\"broken\": \"%s\", \"at\": %.3f, \"conversation\": %d, \"port\": %u, "
		       "\"said\": %lu, \"heard\": %lu}\n",
		       end_names[end], tool_now_s(CLOCK_REALTIME), (int)(talk - client->talks),
		       talk_port(talk), talk->said, talk->heard);
	fflush(stdout);
	talk->end = end;
	client->ended++;
	close(talk->fd);
	talk->fd = -1;
}

/* The address of this conversation. */
static struct sockaddr_storage talk_to(const struct client *client, const struct talk *talk)
{
	uint32_t further = (uint32_t)(talk - client->talks) % client->addresses, last;
	struct sockaddr_storage to = client->to;
	void *at = to.ss_family == AF_INET ? (void *)&((struct sockaddr_in *)&to)->sin_addr
					   : &((struct sockaddr_in6 *)&to)->sin6_addr.s6_addr[12];

	memcpy(&last, at, sizeof(last));
	last = htonl(ntohl(last) + further);
	memcpy(at, &last, sizeof(last));
	return to;
}

static void talk_begin(struct client *client, struct talk *talk, double now)
{
	struct epoll_event event = {EPOLLIN, {.ptr = talk}};
	struct sockaddr_storage to = talk_to(client, talk);
	int yes = 1;

	talk->greeted = client->udp;
	talk->heard_at = now;
	/* spread over the interval, so that packets do not come in bursts */
	talk->say_at = now + client->interval_s * (double)(talk - client->talks) / client->count;
	talk->fd =
		socket(client->to.ss_family,
		       (client->udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (talk->fd < 0 ||
	    (connect(talk->fd, (void *)&to, client->to_length) && errno != EINPROGRESS)) {
		talk_end(client, talk, END_NO_CONNECTION);
		return;
	}
	if (!client->udp)
		setsockopt(talk->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	epoll_ctl(client->epoll, EPOLL_CTL_ADD, talk->fd, &event);
}

static void talk_say(struct client *client, struct talk *talk)
{
	uint64_t number = talk->said + 1;

	if (send(talk->fd, &number, sizeof(number), MSG_NOSIGNAL) != sizeof(number)) {
		if (client->udp && (errno == ENOBUFS || errno == EAGAIN))
			return; /* never left this machine: not said */
		talk_end(client, talk, errno == EAGAIN ? END_SILENCE : END_RESET);
		return;
	}
	talk->said = number;
	client->said++;
	if (!client->udp)
		return;
	if (talk->said > WINDOW && !(talk->came >> (WINDOW - 1) & 1))
		client->lost++;
	talk->came <<= 1;
}

static void hear_datagrams(struct client *client, struct talk *talk, double now)
{
	uint64_t number;

	while (recv(talk->fd, &number, sizeof(number), 0) == sizeof(number)) {
		uint64_t age = talk->said - number;

		if (number == 0 || number > talk->said || age >= WINDOW || (talk->came >> age & 1))
			continue;
		talk->came |= 1ull << age;
		talk->heard++;
		client->heard++;
		talk->heard_at = now;
	}
}

static void hear_stream(struct client *client, struct talk *talk, double now)
{
	unsigned char bytes[4096];
	ssize_t n = recv(talk->fd, bytes, sizeof(bytes), 0);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		talk_end(client, talk,
			 n == 0          ? END_CLOSED
			 : talk->greeted ? END_RESET
					 : END_NO_CONNECTION);
		return;
	}
	for (ssize_t i = 0; i < n; i++) {
		uint64_t number;

		if (!talk->greeted) {
			talk->greeted = bytes[i] == '\n';
			continue;
		}
		talk->number[talk->partial++] = bytes[i];
		if (talk->partial < sizeof(number))
			continue;
		talk->partial = 0;
		memcpy(&number, talk->number, sizeof(number));
		if (number != talk->heard + 1) {
			talk_end(client, talk, END_WRONG);
			return;
		}
		talk->heard++;
		client->heard++;
	}
	talk->heard_at = now;
}

/* One look at every conversation: say what is due, end what is silent. Returns how many are still
 * waiting for an answer. */
static unsigned look_around(struct client *client, unsigned begun, double now, bool talking,
			    unsigned *ret_greeted)
{
	unsigned waiting = 0;

	*ret_greeted = 0;
	for (unsigned i = 0; i < begun; i++) {
		struct talk *talk = &client->talks[i];

		if (talk->end != END_NONE)
			continue;
		*ret_greeted += talk->greeted;
		if (!talk->greeted || talk->heard < talk->said) {
			waiting++;
			if (!client->udp && now - talk->heard_at > client->silence_s) {
				talk_end(client, talk,
					 talk->greeted ? END_SILENCE : END_NO_CONNECTION);
				continue;
			}
		} else if (!talking) {
			continue;
		} else {
			talk->heard_at = now;
		}
		if (talking && talk->greeted && now >= talk->say_at) {
			talk_say(client, talk);
			talk->say_at = talk->say_at + client->interval_s > now
					       ? talk->say_at + client->interval_s
					       : now + client->interval_s;
		}
	}
	return waiting;
}

/* What is still outstanding when the patience after the end is over. */
static void end_unanswered(struct client *client, unsigned begun)
{
	for (unsigned i = 0; !client->udp && i < begun; i++)
		if (client->talks[i].end == END_NONE && client->talks[i].heard < client->talks[i].said)
			talk_end(client, &client->talks[i], END_SILENCE);
}

static void client_run(struct client *client)
{
	double stopped = 0;
	bool ready = false;
	unsigned begun = 0, greeted;

	for (;;) {
		struct epoll_event events[256];
		double now = tool_now_s(CLOCK_MONOTONIC);
		bool stop = stopping; /* one answer for the whole turn: what is said in it is waited for */
		unsigned waiting;
		int n;

		/* ten a turn: the servers are asked to talk, not to stand a storm */
		for (unsigned i = 0; i < 10 && begun < client->count && !stop; i++, begun++)
			talk_begin(client, &client->talks[begun], now);
		for (unsigned i = begun; stop && i < client->count; i++)
			client->talks[i].end = END_NO_CONNECTION;
		waiting = look_around(client, begun, now, !stop, &greeted);
		if (!ready && greeted == client->count) {
			printf("{\"ready\": %u}\n", greeted);
			fflush(stdout);
			ready = true;
		}
		if (stop && stopped == 0)
			stopped = now;
		if (stop && (!waiting || now - stopped > client->silence_s)) {
			end_unanswered(client, begun);
			return;
		}
		n = epoll_wait(client->epoll, events, 256, 5);
		now = tool_now_s(CLOCK_MONOTONIC);
		for (int i = 0; i < n; i++) {
			struct talk *talk = events[i].data.ptr;

			if (talk->fd >= 0 && client->udp)
				hear_datagrams(client, talk, now);
			else if (talk->fd >= 0)
				hear_stream(client, talk, now);
		}
	}
}

static int client_report(struct client *client)
{
	unsigned ends[END__COUNT] = {0}, broken;

	for (unsigned i = 0; i < client->count; i++) {
		struct talk *talk = &client->talks[i];
		uint64_t open = talk->said < WINDOW ? talk->said : WINDOW;

		ends[talk->end]++;
		for (uint64_t age = 0; client->udp && age < open; age++)
			client->lost += !(talk->came >> age & 1);
	}
	broken = client->count - ends[END_NONE];
	printf("{\"total\": true, \"conversations\": %u, \"broken\": %u, \"said\": %lu, \"heard\": "
	       "%lu, \"lost\": %lu",
	       client->count, broken, client->said, client->heard, client->lost);
	for (int i = END_NONE + 1; i < END__COUNT; i++)
		printf(", \"%s\": %u", end_names[i], ends[i]);
	printf("}\n");
	return broken || client->lost ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct client client = {.count = 100, .addresses = 1, .interval_s = 0.1, .silence_s = 5};
	struct rlimit files = {65536, 65536};
	int option;

	while ((option = getopt(argc, argv, "a:c:i:t:u")) != -1) {
		switch (option) {
		case 'a':
			client.addresses = (unsigned)strtoul(optarg, NULL, 0);
			break;
		case 'c':
			client.count = (unsigned)strtoul(optarg, NULL, 0);
			break;
		case 'i':
			client.interval_s = strtod(optarg, NULL) / 1000;
			break;
		case 't':
			client.silence_s = strtod(optarg, NULL) / 1000;
			break;
		case 'u':
			client.udp = true;
			break;
		default:
			optind = argc;
			break;
		}
	}
	if (argc - optind == 2)
		client.to_length = tool_parse_address(argv[optind], argv[optind + 1], &client.to);
	if (!client.to_length || client.count < 1 || client.count > TALKS_MAX ||
	    client.addresses < 1) {
		fprintf(stderr, "usage: echo_client [-c CONVERSATIONS] [-a ADDRESSES] [-i INTERVAL_MS] "
				"[-t SILENCE_MS] [-u] ADDRESS PORT\n");
		return 2;
	}
	setrlimit(RLIMIT_NOFILE, &files);
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	client.talks = calloc(client.count, sizeof(*client.talks));
	client.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (!client.talks || client.epoll < 0) {
		perror("echo_client");
		return 1;
	}
	for (unsigned i = 0; i < client.count; i++)
		client.talks[i].fd = -1;
	client_run(&client);
	option = client_report(&client);
	free(client.talks);
	return option;
}
