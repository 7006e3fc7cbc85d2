// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_commands: any lines on the control socket of a daemon with all of its methods, over the real program and maps (root),
 * attached to nothing. Each line gets one whole reply of the documented form; none is ebb's own fault; the model's
 * shares stay in bounds, and the next input finds the world as the one before did.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "controller/daemon.h"
#include "controller/log.h"
#include "tests/fuzz/fuzz.h"

#define LINES_MAX   32
#define REPLIES_MAX (8 * 1024 * 1024)
#define BORN_MAX    65536 /* changes of an input */

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

static void on_shift(void *ctx, const struct shifts_entry *entry, const struct shift_record *record)
{
}

static void on_sandbox(void *ctx, enum sandbox_change change, const struct sandboxes_entry *entry)
{
	if (change == SANDBOX_DELETED)
		return;
	must(born_count < BORN_MAX);
	born[born_count++] = entry->key;
}

static void on_event(void *ctx, const struct model_event *event)
{
	char time[32];
	json_t *json = show_event(event, daemon_time(time));

	history_add(d.history, ev_time(), json);
	json_decref(json);
}

static void clean(void)
{
	char state[80];

	if (getpid() != atoi(strrchr(bpffs, '-') + 1))
		return;
	control_free(d.control);
	dataplane_close(d.dataplane);
	if (dataplane_detach_all(bpffs, NULL))
		fprintf(stderr, "%s is left behind\n", bpffs);
	snprintf(state, sizeof(state), "%s/state.json", dir);
	unlink(state);
	unlink(path);
	rmdir(dir);
}

static void need(int e, const struct err *err)
{
	if (!e)
		return;
	fprintf(stderr, "fuzz_commands: %s\n", err->text);
	exit(1);
}

static void open_world(void)
{
	struct config_errors errors = {0};
	struct dataplane_sizes sizes;
	struct err err = {{0}};

	if (config_load(path, &errors, &d.config))
		config_errors_print(&errors, stderr);
	must(d.config);
	sizes = (struct dataplane_sizes){d.config->edge.slots, d.config->edge.backends,
					  d.config->edge.flows, d.config->edge.sandboxes};
	need(dataplane_open(bpffs, &sizes, &err, &d.dataplane), &err);
	need(sandboxes_new(d.dataplane, on_sandbox, NULL, &err, &d.sandboxes), &err);
	sandboxes_serve(d.sandboxes);
	must(signals_new(dataplane_sizes(d.dataplane)->backends, &d.signals) == 0);
	must(publish_new(dataplane_tables(d.dataplane), dataplane_sizes(d.dataplane), NULL, NULL,
			 daemon_boot_ns(), &d.publish) == 0);
	need(control_new(d.loop, socket_path, (gid_t)-1, NULL, &err, &d.control), &err);
	must(commands_register(&d) == 0);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	FILE *file;

	must(mkdtemp(dir));
	snprintf(bpffs, sizeof(bpffs), "/sys/fs/bpf/ebb-fuzz-%d", getpid());
	snprintf(path, sizeof(path), "%s/ebb.yaml", dir);
	snprintf(socket_path, sizeof(socket_path), "%s/sock", dir);
	file = fopen(path, "w");
	must(file && fputs(text, file) >= 0 && fclose(file) == 0);
	log_set_level(LOG_ERROR + 1);
	d = (struct daemon){.options = {path, bpffs, dir, dir}, .lock_fd = -1, .started = mono_now()};
	d.loop = ev_loop_new(EVFLAG_NOENV);
	d.native = calloc(1, sizeof(*d.native));
	must(d.loop && d.native);
	open_world();
	atexit(clean);
	return 0;
}

/* --- one input */

static void begin(void)
{
	struct mono_ns now = mono_now();
	struct err err = {{0}};

	must(history_new(&d.history) == 0);
	d.state = json_object();
	memset(&d.shifts, 0, sizeof(d.shifts));
	d.shifts.on_record = on_shift;
	d.shifts_ticked = d.shifts_saved = d.signals_read = (struct mono_ns){0};
	need(model_build(d.config, dataplane_tables(d.dataplane), dataplane_sizes(d.dataplane), NULL, now,
			 &err, &d.model), &err);
	d.model->on_event = on_event;
	for (uint32_t i = 0; i < d.model->backend_count; i++)
		model_nexthop_result(d.model, i, true, now);
	daemon_tick_now(&d);
	need(publish_services(d.publish, d.model, daemon_boot_ns(), &err), &err);
}

static void end(void)
{
	struct sandbox value;
	struct err err;

	for (uint32_t i = 0, n = born_count; i < n; i++)
		(void)!sandboxes_del(d.sandboxes, &born[i], &err, &value);
	must(sandboxes_count(d.sandboxes) == 0);
	born_count = 0;
	model_free(d.model);
	json_decref(d.state);
	history_free(d.history);
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

static void check_reply(const char *reply, size_t length)
{
	json_t *json = json_loadb(reply, length, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	const char *code = json_string_value(json_object_get(json, "code"));

	must(json_is_object(json) && json_is_boolean(json_object_get(json, "ok")));
	must(json_is_true(json_object_get(json, "ok")) ? json_object_get(json, "result") != NULL :
							 code && json_string_length(json_object_get(json, "error")));
	must(!code || strcmp(code, "internal"));
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

	begin();
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
