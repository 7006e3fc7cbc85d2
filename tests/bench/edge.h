/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_TESTS_BENCH_EDGE_H
#define EBB_TESTS_BENCH_EDGE_H
/*
 * edge: a real ebbd over real maps, in a network namespace of its own, and one connection to its control socket.
 *
 *   lb0 (10.0.0.1, xdp_lb) === peer0     backends 10.1.x.y, all behind the next hop 10.0.0.2
 *
 * No packet is sent: the pinned program is run on packets (edge_forward()), so what is measured is the daemon's work, and what
 * is checked is what the next packet would meet.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "maps/types.h"

#define EDGE_LINE_MAX (1 << 20) /* what a request may have */

struct edge {
	char dir[64], bpffs[64];
	pid_t pid;
	int socket, program_fd;
	uint32_t ifindex;
	char answer[EDGE_LINE_MAX];
};

static inline double edge_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static inline void edge_run(const char *command)
{
	if (system(command) != 0)
		errx(1, "failed: %s", command);
}

static inline void edge_write_config(const struct edge *e, uint32_t backends)
{
	char path[128];
	FILE *to;

	snprintf(path, sizeof(path), "%s/ebb.yaml", e->dir);
	to = fopen(path, "w");
	if (!to)
		err(1, "%s", path);
	fprintf(to, "edge: {name: bench, hash_seed: 0x5eed5eed5eed5eed, interfaces: [{name: lb0, mode: native}]}\n"
		    "health: {probe: {type: none}}\nproviders:\n  - name: p\n    regions:\n"
		    "      - name: r\n        backends:\n");
	for (uint32_t i = 0; i < backends; i++)
		fprintf(to, "          - {name: b%u, address: 10.1.%u.%u, capacity: 100}\n", i, i >> 8,
			i & 255);
	fprintf(to, "pools:\n  - {name: all, slots: 65536, tiers: [[p/r]]}\nservices:\n"
		    "  - {name: boxes, prefix: \"2001:db8:5b::/64\", pool: all, affinity: sandbox, encap: gue}\n");
	fclose(to);
}

/* One round trip; the answer's line is e->answer. Returns the seconds that it took. */
static inline double edge_ask(struct edge *e, const char *line, size_t length)
{
	double begin = edge_now();
	size_t got = 0;
	ssize_t n;

	for (size_t sent = 0; sent < length; sent += (size_t)n) {
		n = send(e->socket, line + sent, length - sent, MSG_NOSIGNAL);
		if (n < 0)
			err(1, "ebbd went away");
	}
	do {
		n = recv(e->socket, e->answer + got, sizeof(e->answer) - 1 - got, 0);
		if (n <= 0)
			err(1, "ebbd does not answer");
		got += (size_t)n;
	} while (e->answer[got - 1] != '\n');
	e->answer[got] = 0;
	return edge_now() - begin;
}

/* Waits until it answers; the seconds since `begin`. */
static inline double edge_connect(struct edge *e, double begin)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	char path[128];

	snprintf(to.sun_path, sizeof(to.sun_path), "%s/run/ebbd.sock", e->dir);
	for (int i = 0; i < 3000; i++) {
		e->socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (!connect(e->socket, (struct sockaddr *)&to, sizeof(to)))
			break;
		close(e->socket);
		e->socket = -1;
		if (waitpid(e->pid, NULL, WNOHANG))
			errx(1, "ebbd has ended; its log is %s/log", e->dir);
		usleep(10000);
	}
	if (e->socket < 0)
		errx(1, "ebbd does not come up; its log is %s/log", e->dir);
	edge_ask(e, "{\"id\": 1, \"method\": \"status\"}\n", 30);
	snprintf(path, sizeof(path), "%s/xdp_lb", e->bpffs);
	e->program_fd = bpf_obj_get(path);
	if (e->program_fd < 0)
		err(1, "%s", path);
	return edge_now() - begin;
}

static inline double edge_start(struct edge *e)
{
	char config[128], run[128], state[128], log[128];
	double begin = edge_now();

	snprintf(config, sizeof(config), "%s/ebb.yaml", e->dir);
	snprintf(run, sizeof(run), "%s/run", e->dir);
	snprintf(state, sizeof(state), "%s/state", e->dir);
	snprintf(log, sizeof(log), "%s/log", e->dir);
	e->pid = fork();
	if (!e->pid) {
		if (!freopen(log, "a", stderr))
			_exit(1);
		execl("build/ebbd", "ebbd", "--config", config, "--bpffs", e->bpffs, "--run-dir", run,
		      "--state-dir", state, NULL);
		_exit(1);
	}
	return edge_connect(e, begin);
}

static inline void edge_kill(struct edge *e, int signal)
{
	close(e->socket);
	close(e->program_fd);
	kill(e->pid, signal);
	waitpid(e->pid, NULL, 0);
}

static inline double edge_open(struct edge *e, uint32_t backends)
{
	if (unshare(CLONE_NEWNET))
		err(1, "no network namespace of our own (root?)");
	snprintf(e->dir, sizeof(e->dir), "/tmp/ebb-bench-%d", getpid());
	snprintf(e->bpffs, sizeof(e->bpffs), "/sys/fs/bpf/ebb-bench-%d", getpid());
	if (mkdir(e->dir, 0700))
		err(1, "%s", e->dir);
	edge_run("ip link set lo up && ip link add lb0 type veth peer name peer0 && ip link set lb0 up && "
		 "ip link set peer0 up && ip address add 10.0.0.1/24 dev lb0 && "
		 "ip neighbour add 10.0.0.2 lladdr 02:00:00:00:00:02 dev lb0 nud permanent && "
		 "ip route add 10.1.0.0/16 via 10.0.0.2");
	e->ifindex = if_nametoindex("lb0");
	edge_write_config(e, backends);
	return edge_start(e);
}

static inline void edge_close(struct edge *e)
{
	char command[256];

	edge_ask(e, "{\"id\": 1, \"method\": \"detach\"}\n", 30);
	edge_kill(e, SIGTERM);
	snprintf(command, sizeof(command), "rm -r %s", e->dir);
	edge_run(command);
}

/* The backend (its number) that the next packet to this address is sent to; -1: none. */
static inline int edge_forward(const struct edge *e, const struct address *to)
{
	uint8_t frame[256] = "\2\0\0\0\0\1\2\0\0\0\0\2\x86\xdd\x60\0\0\0\0\x14\6\x40", out[512];
	struct xdp_md ctx = {.data_end = 74, .ingress_ifindex = e->ifindex};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = ctx.data_end,
		    .data_out = out, .data_size_out = sizeof(out), .ctx_in = &ctx,
		    .ctx_size_in = sizeof(ctx), .repeat = 1);

	memcpy(frame + 22, "\x20\x01\x0d\xb8\xff", 5);
	memcpy(frame + 38, to, 16);
	memcpy(frame + 54, "\x30\x39\1\xbb", 4);
	frame[66] = 0x50;
	frame[67] = 0x10; /* ACK */
	if (bpf_prog_test_run_opts(e->program_fd, &opts))
		err(1, "BPF_PROG_TEST_RUN");
	if (opts.retval != 3 /* XDP_TX */ || out[14] != 0x45 || out[30] != 10 || out[31] != 1)
		return -1;
	return out[32] << 8 | out[33];
}

static inline double edge_cpu_s(const struct edge *e)
{
	struct timespec t;
	clockid_t clock;

	if (clock_getcpuclockid(e->pid, &clock) || clock_gettime(clock, &t))
		errx(1, "no CPU clock of ebbd");
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* A line "NAME: 123 ..." of a file in /proc; 0 if there is none. */
static inline double edge_proc(const char *path, const char *name)
{
	double value = 0;
	char line[256];
	FILE *f = fopen(path, "r");

	if (!f)
		err(1, "%s", path);
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, name, strlen(name)) && line[strlen(name)] == ':')
			value = atof(line + strlen(name) + 1);
	fclose(f);
	return value;
}

/* What is its own, without the maps that it has mapped. */
static inline double edge_memory_mib(const struct edge *e)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/status", e->pid);
	return edge_proc(path, "RssAnon") / 1024;
}

/* Of one map, or of all of them (NULL), as the kernel counts it. */
static inline double edge_map_mib(const struct edge *e, const char *name)
{
	char path[512], info[64];
	struct dirent *entry;
	double bytes = 0;
	DIR *maps;

	snprintf(path, sizeof(path), "%s/maps", e->bpffs);
	maps = opendir(path);
	while (maps && (entry = readdir(maps))) {
		int fd;

		if (entry->d_name[0] == '.' || (name && strcmp(name, entry->d_name)))
			continue;
		snprintf(path, sizeof(path), "%s/maps/%s", e->bpffs, entry->d_name);
		fd = bpf_obj_get(path);
		if (fd < 0)
			err(1, "%s", path);
		snprintf(info, sizeof(info), "/proc/self/fdinfo/%d", fd);
		bytes += edge_proc(info, "memlock");
		close(fd);
	}
	if (maps)
		closedir(maps);
	return bytes / (1 << 20);
}

#endif
