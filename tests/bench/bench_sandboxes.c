// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bench_sandboxes: the life of sandboxes through a real ebbd and its control socket (edge.h).
 *
 * 1. Normal life: 30,000 of them, ten placed and ten deleted a second. How long a client waits for the answer, and that the
 *    answer is true: the very next thing is a packet through the pinned program, which has to leave for the backend that was
 *    named. Every second all of them get a packet, which has to leave for where each was placed.
 * 2. Bulk: a million added, by whole requests and by `ebb sandbox bulk`. Rate, longest request, memory.
 * 3. SIGKILL with a million of them: how long until the next daemon answers, and where packets go.
 *
 * A packet that goes elsewhere fails the bench; a slow machine does not.
 */
#include <getopt.h>
#include <jansson.h>
#include <math.h>

#include "tests/bench/edge.h"

#define BATCH	   2000
#define BACKEND_UNKNOWN UINT32_MAX

struct bench {
	struct edge edge;
	uint32_t backends, live, many, seconds;
	uint32_t *placed; /* by number: the backend; BACKEND_UNKNOWN: not there */
	double *waits;
	uint32_t wrong; /* packets */
	uint32_t failed; /* requests */
};

static struct address address_of(uint32_t i)
{
	struct address a = {{0x20, 0x01, 0x0d, 0xb8, 0, 0x5b}};
	uint32_t last = htonl(i);

	memcpy(a.bytes + 12, &last, 4);
	return a;
}

static void address_text(uint32_t i, char to[INET6_ADDRSTRLEN])
{
	snprintf(to, INET6_ADDRSTRLEN, "2001:db8:5b::%x:%x", i >> 16, i & 0xffff);
}

static void check(struct bench *b, uint32_t i)
{
	struct address to = address_of(i);
	int went = edge_forward(&b->edge, &to);

	if (b->placed[i] != BACKEND_UNKNOWN && went != (int)b->placed[i] && b->wrong++ < 5)
		printf("  !! sandbox %u was placed on b%u, a packet went to b%d\n", i, b->placed[i], went);
}

/* The backend's number in an answer; BACKEND_UNKNOWN: it is none. */
static uint32_t backend_in(const char *answer)
{
	const char *at = strstr(answer, "\"backend\"");

	at = at ? strstr(at, "\"b") : NULL;
	at = at && at[2] == 'a' ? strstr(at + 2, "\"b") : at; /* behind "backend" */
	return at ? (uint32_t)strtoul(at + 2, NULL, 10) : BACKEND_UNKNOWN;
}

static double change(struct bench *b, const char *method, uint32_t i)
{
	char line[256], address[INET6_ADDRSTRLEN];
	double took;
	int n;

	address_text(i, address);
	n = snprintf(line, sizeof(line), "{\"id\": %u, \"method\": \"sandbox.%s\", \"params\": {\"service\": \"boxes\", \"address\": \"%s\"}}\n",
		     i, method, address);
	took = edge_ask(&b->edge, line, (size_t)n);
	b->placed[i] = backend_in(b->edge.answer);
	if (b->placed[i] == BACKEND_UNKNOWN && b->failed++ < 5)
		printf("  !! %s: %s", method, b->edge.answer);
	if (!strcmp(method, "del"))
		b->placed[i] = BACKEND_UNKNOWN;
	else
		check(b, i);
	return took;
}

/* --- bulk */

/* Numbers from..to by requests of BATCH; the longest request in *ret_longest_s. Seconds within requests. */
static double bulk(struct bench *b, const char *op, uint32_t from, uint32_t to, double *ret_longest_s)
{
	char *line = malloc(EDGE_LINE_MAX), address[INET6_ADDRSTRLEN];
	double took, all = 0;

	*ret_longest_s = 0;
	while (line && from < to) {
		uint32_t end = from + BATCH < to ? from + BATCH : to, count = end - from;
		int n = sprintf(line, "{\"id\": 1, \"method\": \"sandbox.bulk\", \"params\": {\"changes\": [");
		char done[32];

		for (; from < end; from++) {
			bool add = !strcmp(op, "add");

			address_text(from, address);
			n += sprintf(line + n, "{\"op\": \"%s\", \"service\": \"boxes\", \"address\": \"%s\"", op,
				     address);
			if (add)
				n += sprintf(line + n, ", \"backend\": \"b%u\"", from % b->backends);
			b->placed[from] = add ? from % b->backends : BACKEND_UNKNOWN;
			n += sprintf(line + n, from + 1 < end ? "}, " : "}");
		}
		n += sprintf(line + n, "]}}\n");
		took = edge_ask(&b->edge, line, (size_t)n);
		all += took;
		*ret_longest_s = fmax(*ret_longest_s, took);
		snprintf(done, sizeof(done), "\"done\":%u,", count);
		if (!strstr(b->edge.answer, done) && b->failed++ < 5)
			printf("  !! bulk %s: %.200s\n", op, b->edge.answer);
	}
	free(line);
	return all;
}

/* The same by the command, from a file of lines. */
static double bulk_command(struct bench *b, uint32_t count)
{
	char path[128], command[512], address[INET6_ADDRSTRLEN];
	double begin;
	FILE *to;

	snprintf(path, sizeof(path), "%s/lines", b->edge.dir);
	to = fopen(path, "w");
	for (uint32_t i = 0; to && i < count; i++) {
		address_text(i, address);
		fprintf(to, "{\"op\":\"add\",\"service\":\"boxes\",\"address\":\"%s\",\"backend\":\"b%u\"}\n", address,
			i % b->backends);
		b->placed[i] = i % b->backends;
	}
	if (!to || fclose(to))
		err(1, "%s", path);
	snprintf(command, sizeof(command), "build/ebb -s %s/run/ebbd.sock sandbox bulk <%s >/dev/null",
		 b->edge.dir, path);
	begin = edge_now();
	edge_run(command);
	return edge_now() - begin;
}

static void bench_bulk(struct bench *b)
{
	double before = edge_memory_mib(&b->edge), cpu, took, longest;

	cpu = edge_cpu_s(&b->edge);
	took = bulk(b, "add", 0, b->many, &longest);
	cpu = edge_cpu_s(&b->edge) - cpu;
	printf("\nbulk: %u added by requests of %d: %.0f a second, the longest request %.1f ms, ebbd %.1f us of CPU each\n",
	       b->many, BATCH, b->many / took, longest * 1e3, cpu / b->many * 1e6);
	for (uint32_t i = 0; i < b->many; i++)
		check(b, i);
	printf("  memory: ebbd %.1f MiB of its own (before: %.1f); maps: sandboxes %.1f MiB, sandbox_index %.1f, all of ebb's %.1f\n",
	       edge_memory_mib(&b->edge), before, edge_map_mib(&b->edge, "sandboxes"),
	       edge_map_mib(&b->edge, "sandbox_index"), edge_map_mib(&b->edge, NULL));
	edge_kill(&b->edge, SIGKILL);
	printf("  after SIGKILL: the next ebbd answers in %.2f s", edge_start(&b->edge));
	for (uint32_t i = 0; i < b->many; i++)
		check(b, i);
	printf(", %.1f MiB of its own; every one of them got a packet before and after\n",
	       edge_memory_mib(&b->edge));
	took = bulk(b, "del", 0, b->many, &longest);
	printf("  deleted: %.0f a second, the longest request %.1f ms\n", b->many / took, longest * 1e3);
	took = bulk_command(b, b->many);
	printf("  added by `ebb sandbox bulk`, from lines of JSON: %.0f a second\n", b->many / took);
	for (uint32_t i = 0; i < b->many; i++)
		check(b, i);
}

/* --- normal life */

static int cmp(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void print_waits(const char *what, double *waits, uint32_t count)
{
	qsort(waits, count, sizeof(*waits), cmp);
	printf("  %-8s %6u times: p50 %.3f ms, p99 %.3f, max %.3f\n", what, count,
	       waits[count / 2] * 1e3, waits[(uint32_t)(count * 0.99)] * 1e3, waits[count - 1] * 1e3);
}

/* At a moment of the tenth of a second that the daemon's tick does not know. */
static void wait_until(double when)
{
	double left = when - edge_now() + 0.09 * rand() / RAND_MAX;

	if (left > 0)
		usleep((useconds_t)(left * 1e6));
}

static void bench_life(struct bench *b)
{
	uint32_t steps = 10 * b->seconds, next = b->live, oldest = 0;
	double *deletes = b->waits + steps, begin, cpu, idle;
	uint64_t packets = 0;

	idle = edge_cpu_s(&b->edge);
	usleep(3000000);
	idle = (edge_cpu_s(&b->edge) - idle) / 3;
	for (uint32_t i = 0; i < b->live; i++)
		change(b, "place", i);
	begin = edge_now();
	cpu = edge_cpu_s(&b->edge);
	for (uint32_t step = 0; step < steps; step++) {
		wait_until(begin + step * 0.1);
		b->waits[step] = change(b, "place", next++);
		deletes[step] = change(b, "del", oldest++);
		for (uint32_t i = oldest; step % 10 == 9 && i < next; i++, packets++)
			check(b, i);
	}
	cpu = (edge_cpu_s(&b->edge) - cpu) / (edge_now() - begin);
	printf("normal life: %u sandboxes on %u backends, 10 placed and 10 deleted a second for %u s\n", b->live,
	       b->backends, b->seconds);
	print_waits("place", b->waits, steps);
	print_waits("delete", deletes, steps);
	printf("  ebbd: %.2f %% of a core (%.2f %% with nothing to do); %llu packets to those that live, %u went elsewhere\n",
	       cpu * 100, idle * 100, (unsigned long long)packets + b->live + steps, b->wrong);
	for (; oldest < next; oldest++)
		change(b, "del", oldest);
}

int main(int argc, char **argv)
{
	static struct bench b = {.backends = 1000, .live = 30000, .many = 1000000, .seconds = 20};
	int option;

	while ((option = getopt(argc, argv, "s:b:n:m:")) != -1) {
		uint32_t *to = option == 's'   ? &b.seconds
			       : option == 'b' ? &b.backends
			       : option == 'n' ? &b.live
			       : option == 'm' ? &b.many
					       : NULL;

		if (!to || (*to = (uint32_t)atoi(optarg)) < 1)
			errx(2, "usage: bench_sandboxes [-s SECONDS] [-b BACKENDS] [-n SANDBOXES] [-m MANY]");
	}
	b.placed = malloc((b.live + 10ul * b.seconds + b.many) * sizeof(*b.placed));
	b.waits = malloc(20ul * b.seconds * sizeof(*b.waits));
	if (!b.placed || !b.waits)
		errx(1, "out of memory");
	edge_open(&b.edge, b.backends);
	bench_life(&b);
	bench_bulk(&b);
	edge_close(&b.edge);
	printf("\n%u packets went elsewhere, %u requests failed\n", b.wrong, b.failed);
	return b.wrong || b.failed ? 1 : 0;
}
