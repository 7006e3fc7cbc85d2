// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_commands: any lines on the control socket of the whole daemon, over the real program and maps, in a network namespace of
 * its own (root). Each line gets one whole reply of the documented form; none is ebb's own fault; the model's shares
 * stay in bounds, and the next input finds the world as the one before did.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "controller/address.h"
#include "controller/daemon.h"
#include "controller/log.h"
#include "tests/fuzz/fuzz.h"

#define LINES_MAX   32
#define REPLIES_MAX (8 * 1024 * 1024)
#define BORN_MAX    64 /* as many as lines could make, but for bulks */

static struct daemon d;
static char dir[] = "/dev/shm/ebb-fuzz-commands-XXXXXX", bpffs[64], path[64], socket_path[64];
static int fd = -1;
static struct sandbox_key born[BORN_MAX]; /* by this input: to look for them in a map of a million takes a tenth of a second */
static uint32_t born_count;

static const char text[] =
	"edge:\n  name: e\n  interfaces: [{name: lo}]\n  hash_seed: 0x1234\n  slots: 4096\n  backends: 64\n  flows: 4096\n"
	"providers:\n"
	"  - name: p0\n    regions:\n      - name: r\n        backends:\n"
	"          - {name: b0, address: 10.0.0.1}\n          - {name: c0, address: 10.0.0.2, capacity: 50}\n"
	"  - name: p1\n    regions:\n      - name: r\n        backends:\n"
	"          - {name: b1, address: \"fd00::1\"}\n          - {name: c1, address: 10.0.1.2}\n"
	"pools:\n  - {name: eu, slots: 1024, tiers: [[p0/r, p1/r]]}\n  - {name: us, slots: 1024, tiers: [[p0/r], [p1/r]]}\n"
	"services:\n"
	"  - {name: w, address: 192.0.2.1, port: 80, protocol: tcp, pool: eu, affinity: flow, encap: gue}\n"
	"  - {name: s, prefix: \"2001:db8:5b::/64\", pool: us, affinity: sandbox, encap: gue}\n"
	"  - {name: t, prefix: \"192.0.2.128/25\", pool: us, affinity: sandbox, sandbox_port: true, encap: gue}\n";

static void clean(void)
{
	char command[128];

	if (getpid() != atoi(strrchr(bpffs, '-') + 1))
		return;
	daemon_stop(&d);
	if (dataplane_detach_all(bpffs, NULL))
		fprintf(stderr, "%s is left behind\n", bpffs);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	must(system(command) == 0);
}

/* The daemon keeps what happened: a look for leaks after each input would see that, and take a tenth of a second. There is one
 * at the end. */
static void look_for_leaks_once(int *argc, char ***argv)
{
	static char *args[64];

	must(*argc < 62);
	memcpy(args, *argv, (size_t)*argc * sizeof(*args));
	args[(*argc)++] = "-detect_leaks=0";
	*argv = args;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const struct daemon_options options = {path, bpffs, dir, dir};
	struct err err = {{0}};
	FILE *file;

	look_for_leaks_once(argc, argv);
	must(mkdtemp(dir));
	snprintf(bpffs, sizeof(bpffs), "/sys/fs/bpf/ebb-fuzz-%d", getpid());
	snprintf(path, sizeof(path), "%s/ebb.yaml", dir);
	snprintf(socket_path, sizeof(socket_path), "%s/ebbd.sock", dir);
	file = fopen(path, "w");
	must(file && fputs(text, file) >= 0 && fclose(file) == 0);
	log_set_level(LOG_ERROR);
	must(unshare(CLONE_NEWNET) == 0 && system("ip link set lo up") == 0);
	if (daemon_start(&d, &options, &err)) {
		fprintf(stderr, "fuzz_commands: %s\n", err.text);
		exit(1);
	}
	atexit(clean);
	return 0;
}

/* --- one input */

static void forget_sandboxes(void)
{
	static const struct sandboxes_filter any = {.service = SERVICES_MAX, .backend = BACKEND_NONE};
	struct sandboxes_entry entries[BORN_MAX];
	struct sandbox_key last;
	struct sandbox value;
	struct err err;
	bool more;
	int n;

	for (uint32_t i = 0; i < born_count; i++)
		(void)!sandboxes_del(d.sandboxes, &born[i], &err, &value);
	born_count = 0;
	while (sandboxes_count(d.sandboxes)) { /* a bulk's */
		n = sandboxes_list(d.sandboxes, &any, NULL, BORN_MAX, entries, &more, &last);
		must(n >= 0);
		for (int i = 0; i < n; i++)
			must(sandboxes_del(d.sandboxes, &entries[i].key, &err, &value) == 0);
	}
}

static void end(void)
{
	struct mono_ns now = mono_now();

	forget_sandboxes();
	d.shifts.count = 0;
	d.shifts.next = 0;
	model_freeze(d.model, false, now);
	for (uint32_t i = 0; i < d.model->backend_count; i++) {
		model_backend_set_state(d.model, i, BACKEND_STATE_READY, now);
		model_backend_set_health(d.model, i, MODEL_ADMIN_HEALTH_AUTO, now);
		must(model_backend_set_weight(d.model, i, 1, now, NULL) == 0);
	}
	close(fd);
	for (int i = 0; i < 3; i++) /* the other end is seen, closed and freed */
		ev_run(d.loop, EVRUN_NOWAIT);
}

static void check_model(const struct model *m)
{
	for (uint32_t p = 0; p < m->pool_count; p++) {
		const struct model_pool *pool = &m->pools[p];
		double sum = 0;

		for (uint32_t g = 0; g < pool->group_count; g++)
			sum += pool->groups[g].share;
		must(pool->empty || fabs(sum - 1) < 1e-6);
	}
	for (uint32_t i = 0; i < m->backend_count; i++)
		must(m->backends[i].admin_weight >= 0 && m->backends[i].admin_weight <= 1);
}

/* What would end the daemon, attach it to an interface, or turn the connection round. */
static bool left_out(const char *line, size_t length)
{
	static const char *const methods[] = {"detach", "config.reload", "monitor"};
	json_t *request = json_loadb(line, length, 0, NULL);
	const char *method = json_string_value(json_object_get(request, "method"));
	bool out = false;

	for (size_t i = 0; method && i < sizeof(methods) / sizeof(methods[0]); i++)
		out |= strcmp(method, methods[i]) == 0;
	json_decref(request);
	return out;
}

static void note_sandbox(const json_t *result)
{
	const char *service = json_string_value(json_object_get(result, "service"));
	const char *address = json_string_value(json_object_get(result, "address"));
	uint16_t port = (uint16_t)json_integer_value(json_object_get(result, "port"));
	uint32_t at = service ? model_find_service(d.model, service) : UINT32_MAX;
	struct address where;

	if (at != UINT32_MAX && address && json_object_get(result, "born") && born_count < BORN_MAX &&
	    !address_parse(address, &where) &&
	    !sandboxes_key(d.model, at, &where, port, NULL, &born[born_count]))
		born_count++;
}

static void check_reply(const char *reply, size_t length)
{
	json_t *json = json_loadb(reply, length, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	const char *code = json_string_value(json_object_get(json, "code"));

	must(json_is_object(json) && json_is_boolean(json_object_get(json, "ok")));
	must(json_is_true(json_object_get(json, "ok")) ? json_object_get(json, "result") != NULL :
							 code && json_string_length(json_object_get(json, "error")));
	must(!code || strcmp(code, "internal"));
	note_sandbox(json_object_get(json, "result"));
	json_decref(json);
}

static void dial(void)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};

	memcpy(name.sun_path, socket_path, sizeof(socket_path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	must(fd >= 0 && connect(fd, (struct sockaddr *)&name, sizeof(name)) == 0);
}

/* Sends the line and waits for its reply. */
static void ask(const char *line, size_t length)
{
	static char reply[REPLIES_MAX];
	size_t used = 0;
	ssize_t n;

	must(send(fd, line, length, MSG_NOSIGNAL) == (ssize_t)length && send(fd, "\n", 1, MSG_NOSIGNAL) == 1);
	while (!used || reply[used - 1] != '\n') {
		ev_run(d.loop, EVRUN_NOWAIT);
		must(used < sizeof(reply));
		n = recv(fd, reply + used, sizeof(reply) - used, 0);
		if (n == 0) { /* closed: an error reply came before, or the line was none */
			close(fd);
			dial();
			break;
		}
		must(n > 0 || errno == EAGAIN);
		used += n > 0 ? (size_t)n : 0;
	}
	if (used)
		check_reply(reply, used - 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	const char *line = (const char *)bytes, *past = line + length, *newline;

	dial();
	for (int i = 0; i < LINES_MAX && line < past; i++, line = newline + 1) {
		newline = memchr(line, '\n', (size_t)(past - line)) ?: past;
		if (newline == line || left_out(line, (size_t)(newline - line)))
			continue;
		ask(line, (size_t)(newline - line));
		check_model(d.model);
	}
	daemon_tick_now(&d);
	check_model(d.model);
	end();
	return 0;
}
