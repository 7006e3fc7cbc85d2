/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * http_client: many short HTTP/1.0 requests, each on its own TCP connection, each from a source
 * port of its own, never tried twice. It counts which backend's page came back, and what went
 * wrong, by name.
 *
 *   http_client [-n COUNT] [-r RATE] [-p PARALLEL] [-s SEED] [-t TIMEOUT_MS] [-i SECONDS] [-u PATH]
 * ADDRESS PORT
 *
 * The source ports are a permutation of 1025..65535 drawn from SEED, so a run with the same seed
 * sends the same 5-tuples. Without -n it goes on until SIGTERM or SIGINT, then waits for what is
 * under way. One JSON line a failure as it happens, one an interval (-i; of that interval alone),
 * one at the end with `"total": true`. Exit: 0 no failure, 1 some, 2 usage. A page with status 503
 * is a sick server's answer: counted, no failure.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/net/tool.h"

#define PORT_FIRST   1025
#define PORT_COUNT   (65536 - PORT_FIRST)
#define PARALLEL_MAX 4096
#define NAMES_MAX    512
#define PAGE_MAX     2048

enum outcome {
	OUTCOME_ANSWERED, /* 200 and a whole page that names a backend */
	OUTCOME_SICK,     /* 503, the same */
	OUTCOME_REFUSED,
	OUTCOME_RESET,
	OUTCOME_TIMEOUT,
	OUTCOME_UNREACHABLE,
	OUTCOME_CUT,   /* closed before the page was whole */
	OUTCOME_WRONG, /* a page, but none of ours */
	OUTCOME__COUNT,
};

static const char *const outcome_names[OUTCOME__COUNT] = {
	"answered", "sick", "refused", "reset", "timeout", "unreachable", "cut", "wrong",
};

struct name_count {
	char name[64];
	uint64_t pages;
};

struct tally {
	uint64_t outcomes[OUTCOME__COUNT];
	struct name_count names[NAMES_MAX];
	unsigned name_count;
};

struct request {
	int fd; /* -1: free */
	bool sent;
	uint16_t port;
	double started;
	size_t length;
	char page[PAGE_MAX];
};

struct client {
	struct sockaddr_storage to;
	socklen_t to_length;
	const char *path;
	uint64_t count; /* 0: until a signal */
	double rate;    /* a second; 0: as fast as `parallel` allows */
	double timeout_s, interval_s;
	unsigned parallel, active;
	int epoll;
	uint64_t started;
	uint32_t next_port;
	uint16_t ports[PORT_COUNT];
	struct request requests[PARALLEL_MAX];
	struct tally total, interval;
};

static volatile sig_atomic_t stopping;

static void on_signal(int signal)
{
	stopping = 1;
}

/* Fisher and Yates' shuffle with splitmix64: the same on every machine. */
static void shuffle_ports(uint16_t *ports, uint64_t seed)
{
	for (uint32_t i = 0; i < PORT_COUNT; i++)
		ports[i] = (uint16_t)(PORT_FIRST + i);
	for (uint32_t i = PORT_COUNT - 1; i > 0; i--) {
		uint64_t z = (seed += 0x9e3779b97f4a7c15);
		uint32_t j;
		uint16_t swap;

		z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
		z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
		j = (uint32_t)((z ^ (z >> 31)) % (i + 1));
		swap = ports[i];
		ports[i] = ports[j];
		ports[j] = swap;
	}
}

static void tally_add(struct tally *tally, enum outcome outcome, const char *name)
{
	unsigned i;

	tally->outcomes[outcome]++;
	if (!name)
		return;
	for (i = 0; i < tally->name_count; i++)
		if (!strcmp(tally->names[i].name, name))
			break;
	if (i == NAMES_MAX)
		return;
	if (i == tally->name_count) {
		snprintf(tally->names[i].name, sizeof(tally->names[i].name), "%s", name);
		tally->name_count++;
	}
	tally->names[i].pages++;
}

static void tally_print(const struct tally *tally, bool total)
{
	uint64_t requests = 0, failed = 0;

	for (int i = 0; i < OUTCOME__COUNT; i++) {
		requests += tally->outcomes[i];
		if (i > OUTCOME_SICK)
			failed += tally->outcomes[i];
	}
	printf("{\"at\": %.3f, %s\"requests\": %lu, \"failed\": %lu", tool_now_s(CLOCK_REALTIME),
	       total ? "\"total\": true, " : "", requests, failed);
	for (int i = 0; i < OUTCOME__COUNT; i++)
		printf(", \"%s\": %lu", outcome_names[i], tally->outcomes[i]);
	printf(", \"backends\": {");
	for (unsigned i = 0; i < tally->name_count; i++)
		printf("%s\"%s\": %lu", i ? ", " : "", tally->names[i].name, tally->names[i].pages);
	printf("}}\n");
	fflush(stdout);
}

static void request_end(struct client *client, struct request *request, enum outcome outcome,
			const char *name)
{
	struct linger now = {1, 0};

	if (outcome > OUTCOME_SICK) {
		printf("{\"failure\": \"%s\", \"at\": %.3f, \"began\": %.3f, \"port\": %u}\n",
		       outcome_names[outcome], tool_now_s(CLOCK_REALTIME),
		       tool_now_s(CLOCK_REALTIME) -
			       (tool_now_s(CLOCK_MONOTONIC) - request->started),
		       request->port);
		fflush(stdout);
		setsockopt(request->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	}
	tally_add(&client->total, outcome, name);
	tally_add(&client->interval, outcome, name);
	close(request->fd);
	request->fd = -1;
	client->active--;
}

static enum outcome outcome_of_errno(int error)
{
	switch (error) {
	case ECONNREFUSED:
		return OUTCOME_REFUSED;
	case ECONNRESET:
	case EPIPE:
		return OUTCOME_RESET;
	case ETIMEDOUT:
		return OUTCOME_TIMEOUT;
	default:
		return OUTCOME_UNREACHABLE;
	}
}

/* The server closed: a status line, headers, and exactly one line "backend NAME" or "sick NAME". */
static void request_judge(struct client *client, struct request *request)
{
	enum outcome outcome;
	char *body, *name, *end;

	request->page[request->length] = '\0';
	body = strstr(request->page, "\r\n\r\n");
	end = body ? strchr(body + 4, '\n') : NULL;
	if (!end) {
		request_end(client, request, OUTCOME_CUT, NULL);
		return;
	}
	body += 4;
	name = strchr(body, ' ');
	if (!strncmp(request->page, "HTTP/1.1 200 ", 13) && !strncmp(body, "backend ", 8)) {
		outcome = OUTCOME_ANSWERED;
	} else if (!strncmp(request->page, "HTTP/1.1 503 ", 13) && !strncmp(body, "sick ", 5)) {
		outcome = OUTCOME_SICK;
	} else {
		request_end(client, request, OUTCOME_WRONG, NULL);
		return;
	}
	*end = '\0';
	request_end(client, request, outcome, name + 1);
}

static void request_go_on(struct client *client, struct request *request)
{
	int error = 0;
	socklen_t length = sizeof(error);
	ssize_t n;

	if (!request->sent) {
		char text[512];
		int size = snprintf(text, sizeof(text), "GET %s HTTP/1.0\r\nHost: vip\r\n\r\n",
				    client->path);
		struct epoll_event event = {EPOLLIN, {.ptr = request}};

		getsockopt(request->fd, SOL_SOCKET, SO_ERROR, &error, &length);
		if (error || send(request->fd, text, (size_t)size, MSG_NOSIGNAL) != size) {
			request_end(client, request, outcome_of_errno(error ? error : errno), NULL);
			return;
		}
		request->sent = true;
		epoll_ctl(client->epoll, EPOLL_CTL_MOD, request->fd, &event);
		return;
	}
	for (;;) {
		n = recv(request->fd, request->page + request->length,
			 PAGE_MAX - 1 - request->length, 0);
		if (n <= 0)
			break;
		request->length += (size_t)n;
	}
	if (n == 0)
		request_judge(client, request);
	else if (errno != EAGAIN)
		request_end(client, request, outcome_of_errno(errno), NULL);
}

/* A socket bound to the next source port that nobody uses; -1 if there is none. */
static int bound_socket(struct client *client, uint16_t *ret_port)
{
	int yes = 1;
	int fd = socket(client->to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	for (int tries = 0; tries < 1000; tries++) {
		struct sockaddr_in6 from6 = {.sin6_family = AF_INET6};
		struct sockaddr_in from4 = {.sin_family = AF_INET};
		bool is6 = client->to.ss_family == AF_INET6;

		*ret_port = client->ports[client->next_port++ % PORT_COUNT];
		from6.sin6_port = from4.sin_port = htons(*ret_port);
		if (!bind(fd, is6 ? (void *)&from6 : (void *)&from4,
			  is6 ? sizeof(from6) : sizeof(from4)))
			return fd;
	}
	close(fd);
	return -1;
}

static int request_start(struct client *client)
{
	struct request *request = client->requests;
	struct epoll_event event;

	while (request->fd >= 0)
		request++;
	request->fd = bound_socket(client, &request->port);
	if (request->fd < 0)
		return -1;
	request->sent = false;
	request->length = 0;
	request->started = tool_now_s(CLOCK_MONOTONIC);
	client->active++;
	client->started++;
	event = (struct epoll_event){EPOLLOUT, {.ptr = request}};
	epoll_ctl(client->epoll, EPOLL_CTL_ADD, request->fd, &event);
	if (connect(request->fd, (void *)&client->to, client->to_length) && errno != EINPROGRESS)
		request_end(client, request, outcome_of_errno(errno), NULL);
	return 0;
}

static void expire(struct client *client)
{
	double limit = tool_now_s(CLOCK_MONOTONIC) - client->timeout_s;

	for (unsigned i = 0; i < client->parallel; i++)
		if (client->requests[i].fd >= 0 && client->requests[i].started < limit)
			request_end(client, &client->requests[i], OUTCOME_TIMEOUT, NULL);
}

static int client_run(struct client *client)
{
	double begin = tool_now_s(CLOCK_MONOTONIC), next_interval = begin + client->interval_s,
	       next_expiry = begin;
	double credit = 0, last = begin;

	for (;;) {
		double now = tool_now_s(CLOCK_MONOTONIC);
		bool more = !stopping && (!client->count || client->started < client->count);
		struct epoll_event events[64];
		int n;

		if (!more && !client->active)
			return 0;
		/* at most a twentieth of a second is made up for: a pause of this process is no
		 * burst for the servers */
		credit += (now - last) * client->rate;
		credit = credit > client->rate / 20 + 1 ? client->rate / 20 + 1 : credit;
		last = now;
		while (more && client->active < client->parallel &&
		       (client->rate == 0 || credit >= 1)) {
			if (request_start(client))
				return -1;
			credit -= 1;
			more = !client->count || client->started < client->count;
		}
		n = epoll_wait(client->epoll, events, 64, 2);
		for (int i = 0; i < n; i++)
			request_go_on(client, events[i].data.ptr);
		if (now >= next_expiry) {
			expire(client);
			next_expiry = now + 0.05;
		}
		if (client->interval_s > 0 && now >= next_interval) {
			tally_print(&client->interval, false);
			memset(&client->interval, 0, sizeof(client->interval));
			next_interval += client->interval_s;
		}
	}
}

static int parse_options(struct client *client, int argc, char **argv)
{
	uint64_t seed = 1;
	int option;

	*client = (struct client){.path = "/", .parallel = 64, .timeout_s = 3};
	while ((option = getopt(argc, argv, "n:r:p:s:t:i:u:")) != -1) {
		switch (option) {
		case 'n':
			client->count = strtoull(optarg, NULL, 0);
			break;
		case 'r':
			client->rate = strtod(optarg, NULL);
			break;
		case 'p':
			client->parallel = (unsigned)strtoul(optarg, NULL, 0);
			break;
		case 's':
			seed = strtoull(optarg, NULL, 0);
			break;
		case 't':
			client->timeout_s = strtod(optarg, NULL) / 1000;
			break;
		case 'i':
			client->interval_s = strtod(optarg, NULL);
			break;
		case 'u':
			client->path = optarg;
			break;
		default:
			return -1;
		}
	}
	shuffle_ports(client->ports, seed);
	if (argc - optind != 2 || client->parallel < 1 || client->parallel > PARALLEL_MAX)
		return -1;
	client->to_length = tool_parse_address(argv[optind], argv[optind + 1], &client->to);
	return client->to_length ? 0 : -1;
}

int main(int argc, char **argv)
{
	struct client *client = malloc(sizeof(*client));
	uint64_t failed = 0;

	if (!client || parse_options(client, argc, argv)) {
		fprintf(stderr, "usage: http_client [-n COUNT] [-r RATE] [-p PARALLEL] [-s SEED] "
				"[-t TIMEOUT_MS] "
				"[-i SECONDS] [-u PATH] ADDRESS PORT\n");
		return 2;
	}
	for (unsigned i = 0; i < PARALLEL_MAX; i++)
		client->requests[i].fd = -1;
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	client->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (client->epoll < 0 || client_run(client)) {
		perror("http_client");
		return 1;
	}
	tally_print(&client->total, true);
	for (int i = OUTCOME_SICK + 1; i < OUTCOME__COUNT; i++)
		failed += client->total.outcomes[i];
	free(client);
	return failed ? 1 : 0;
}
