// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * commands: the table of all commands. A row says what is typed, what the daemon is asked (docs/control.md) and what prints the
 * answer. Commands of one object stand together, and the one without a verb first.
 */
#include <errno.h>
#include <string.h>

#include "controller/cli/command.h"
#include "controller/cli/local.h"
#include "controller/cli/print.h"
#include "controller/cli/units.h"

#define NEEDED	   ARG_REQUIRED
#define LIMIT	   "1-1000000"
#define BPFFS_HELP "directory of the pins; default $EBB_BPFFS or /sys/fs/bpf/ebb"

static const struct arg show_args[] = {
	{"NAME", "name", ARG_TEXT, 0, NULL, "this one alone, with all that is known of it"},
	{NULL},
};

static const struct arg backend_show_args[] = {
	{"NAME", "name", ARG_TEXT, 0, NULL, "this one alone, with all that is known of it"},
	{"--pool", "pool", ARG_TEXT, 0, NULL, "those of a pool"},
	{"--region", "region", ARG_TEXT, 0, NULL, "those of a region"},
	{NULL},
};

static const struct arg backend_set_args[] = {
	{"NAME", "name", ARG_TEXT, NEEDED, NULL, "the backend"},
	{"PROPERTY", "_property", ARG_CHOICE, NEEDED, "state|weight|health", "what to set"},
	{"VALUE", "_value", ARG_TEXT, NEEDED, NULL,
	 "state: ready, drain or maint; weight: 0% to 100%; health: up, down or auto"},
	{NULL},
};

/* PROPERTY and VALUE to the one member that the daemon wants. */
static int backend_set_finish(json_t *params, struct err *err)
{
	static const struct arg properties[] = {
		{"state", "state", ARG_CHOICE, 0, "ready|drain|maint", ""},
		{"weight", "weight", ARG_RATIO, 0, NULL, ""},
		{"health", "health", ARG_CHOICE, 0, "up|down|auto", ""},
	};
	const char *property = json_string_value(json_object_get(params, "_property"));
	const char *value = json_string_value(json_object_get(params, "_value"));

	for (size_t i = 0; i < sizeof(properties) / sizeof(properties[0]); i++) {
		if (strcmp(property, properties[i].name) == 0)
			return command_value(&properties[i], value, params, err);
	}
	return err_set(err, EINVAL, "%s cannot be set", property);
}

static const struct arg reload_args[] = {
	{"--force", "force", ARG_FLAG, 0, NULL, "also when over half of a pool's capacity goes"},
	{NULL},
};

static const struct arg detach_args[] = {
	{"--yes", "_yes", ARG_FLAG, 0, NULL, "do not ask"},
	{"--bpffs", "_bpffs", ARG_TEXT, 0, NULL, BPFFS_HELP},
	{NULL},
};

static const struct arg node_attach_args[] = {
	{"IFACE", "interface", ARG_TEXT, NEEDED, NULL, "the interface on which edges' packets come in"},
	{"--mode", "_mode", ARG_CHOICE, 0, "auto|native|generic", "XDP in the driver or after it"},
	{"--allow", "_allow", ARG_WORDS, 0, NULL,
	 "only these may send: edges and backends, addresses or prefixes; any: everybody"},
	{"--bpffs", "_bpffs", ARG_TEXT, 0, NULL, BPFFS_HELP},
	{NULL},
};

static const struct arg node_detach_args[] = {
	{"IFACE", "interface", ARG_TEXT, NEEDED, NULL, "the interface"},
	{"--bpffs", "_bpffs", ARG_TEXT, 0, NULL, BPFFS_HELP},
	{NULL},
};

static const struct arg node_show_args[] = {
	{"--bpffs", "_bpffs", ARG_TEXT, 0, NULL, BPFFS_HELP},
	{NULL},
};

static const struct arg trace_args[] = {
	{"--rate", "_rate", ARG_INTEGER, 0, "1-1000000", "one packet in so many; default 1, every packet"},
	{"--count", "_count", ARG_INTEGER, 0, LIMIT, "end after so many"},
	{"--verdict", "_verdict", ARG_TEXT, 0, NULL, "only packets with this verdict, such as drop_fragment"},
	{"--pcap", "_pcap", ARG_TEXT, 0, NULL, "write them to this file"},
	{"--bpffs", "_bpffs", ARG_TEXT, 0, NULL, BPFFS_HELP},
	{NULL},
};

static const struct arg explain_args[] = {
	{"--proto", "proto", ARG_CHOICE, NEEDED, "tcp|udp", "protocol"},
	{"--src", "src", ARG_ENDPOINT, NEEDED, NULL, "the client, ADDRESS:PORT"},
	{"--dst", "dst", ARG_ENDPOINT, NEEDED, NULL, "the service, ADDRESS:PORT or [ADDRESS]:PORT"},
	{"--interface", "interface", ARG_TEXT, 0, NULL, "on which it comes in"},
	{"--trace", "_trace", ARG_FLAG, 0, NULL, "then show the flow's real packets as they come by"},
	{"--count", "_count", ARG_INTEGER, 0, LIMIT, "with --trace: end after so many"},
	{"--bpffs", "_bpffs", ARG_TEXT, 0, NULL, BPFFS_HELP},
	{NULL},
};

static const struct arg name_args[] = {
	{"NAME", "name", ARG_TEXT, NEEDED, NULL, "which one"},
	{NULL},
};

static const struct arg whatif_args[] = {
	{"--fail", "fail", ARG_TEXT, NEEDED, NULL, "a region (PROVIDER/REGION) or backend"},
	{"--at", "at", ARG_RATIO, 0, NULL, "it is left with this much health; default 0%"},
	{NULL},
};

static const struct arg simulate_args[] = {
	{"FILE", "_scenario", ARG_TEXT, NEEDED, NULL, "the scenario"},
	{"--csv", "_csv", ARG_TEXT, 0, NULL, "write all numbers over time to this file"},
	{"--svg", "_svg", ARG_TEXT, 0, NULL, "write a picture of shares over time to this file"},
	{"--pool", "_pool", ARG_TEXT, 0, NULL, "the pool of the picture; default the first one"},
	{NULL},
};

static const struct arg history_args[] = {
	{"--since", "since_s", ARG_DURATION, 0, NULL, "how far back, such as 1h"},
	{"--limit", "limit", ARG_INTEGER, 0, LIMIT, "at most so many, the newest"},
	{"--type", "types", ARG_WORDS, 0, NULL, "only these events, such as backend-down,table"},
	{"--match", "match", ARG_MATCH, 0, NULL, "only events with this member, such as backend=fra-1"},
	{NULL},
};

static const struct arg monitor_args[] = {
	{"--type", "types", ARG_WORDS, 0, NULL, "only these events, such as backend-down,table"},
	{"--match", "match", ARG_MATCH, 0, NULL, "only events with this member, such as backend=fra-1"},
	{"--count", "_count", ARG_INTEGER, 0, LIMIT, "end after so many"},
	{NULL},
};

static const struct arg top_args[] = {
	{"--interval", "_interval", ARG_DURATION, 0, NULL, "time between two pictures; default 1s"},
	{"--once", "_once", ARG_FLAG, 0, NULL, "one picture, then end"},
	{NULL},
};

static const struct arg sandbox_show_args[] = {
	{"NAME", "name", ARG_TEXT, 0, NULL, "a sandbox's address or name"},
	{"--service", "service", ARG_TEXT, 0, NULL, "those of a service"},
	{"--backend", "backend", ARG_TEXT, 0, NULL, "those on a backend"},
	{"--limit", "limit", ARG_INTEGER, 0, LIMIT, "at most so many; default 100"},
	{"--after", "after", ARG_ADDRESS, 0, NULL, "those behind this address"},
	{NULL},
};

static const struct arg sandbox_place_args[] = {
	{"ADDRESS", "address", ARG_ADDRESS, 0, NULL, "the sandbox; without it, --name picks one"},
	{"--service", "service", ARG_TEXT, NEEDED, NULL, "the prefix service"},
	{"--name", "name", ARG_TEXT, 0, NULL, "a name from which the address is made"},
	{"--port", "port", ARG_INTEGER, 0, "1-65535", "where a sandbox is address and port"},
	{"--backend", "backend", ARG_TEXT, 0, NULL, "this backend, whatever the weights say"},
	{NULL},
};

static int sandbox_place_finish(json_t *params, struct err *err)
{
	bool address = json_object_get(params, "address"), name = json_object_get(params, "name");

	return address != name ? 0 : err_set(err, EINVAL, "give either ADDRESS or --name");
}

static const struct arg sandbox_put_args[] = {
	{"ADDRESS", "address", ARG_ADDRESS, NEEDED, NULL, "the sandbox"},
	{"--service", "service", ARG_TEXT, NEEDED, NULL, "the prefix service"},
	{"--port", "port", ARG_INTEGER, 0, "1-65535", "where a sandbox is address and port"},
	{"--backend", "backend", ARG_TEXT, NEEDED, NULL, "where it lives from now on"},
	{NULL},
};

static const struct arg sandbox_del_args[] = {
	{"ADDRESS", "address", ARG_ADDRESS, NEEDED, NULL, "the sandbox"},
	{"--service", "service", ARG_TEXT, NEEDED, NULL, "the prefix service"},
	{"--port", "port", ARG_INTEGER, 0, "1-65535", "where a sandbox is address and port"},
	{NULL},
};

static const struct arg shift_start_args[] = {
	{"--pool", "pool", ARG_TEXT, NEEDED, NULL, "the pool"},
	{"--from", "from", ARG_TEXT, NEEDED, NULL, "the group that gives, PROVIDER/REGION"},
	{"--to", "to", ARG_TEXT, NEEDED, NULL, "the group that takes"},
	{"--steps", "steps", ARG_STEPS, NEEDED, NULL, "SHARE[@TIME],...: 20%,60%@30s,100%@30s"},
	{"--bake", "bake_s", ARG_DURATION, 0, NULL, "how long each step is watched before the next"},
	{"--ttl", "ttl_s", ARG_DURATION, 0, NULL, "when it is undone by itself"},
	{"--patience", "patience_s", ARG_DURATION, 0, NULL, "how long a failing gate is borne before it goes back; 10s"},
	{"--comment", "comment", ARG_TEXT, 0, NULL, "why; stands in the history"},
	{"--live", "live", ARG_FLAG, 0, NULL, "ask for sandboxes to be moved at this pace"},
	{"--wait", "_wait", ARG_FLAG, 0, NULL, "stay until it is done: exit 5 if it went back"},
	{"--wait-time", "_wait_time", ARG_DURATION, 0, NULL, "with --wait: at most so long, then exit 4"},
	{NULL},
};

static const struct arg shift_set_args[] = {
	{"NAME", "name", ARG_TEXT, NEEDED, NULL, "the shift"},
	{"--share", "steps", ARG_STEPS, 0, NULL, "SHARE[@TIME]: from here to that share, and no further step"},
	{"--bake", "bake_s", ARG_DURATION, 0, NULL, "how long each step is watched before the next"},
	{"--ttl", "ttl_s", ARG_DURATION, 0, NULL, "when it is undone by itself"},
	{"--patience", "patience_s", ARG_DURATION, 0, NULL, "how long a failing gate is borne"},
	{"--comment", "comment", ARG_TEXT, 0, NULL, "why"},
	{NULL},
};

static int shift_set_finish(json_t *params, struct err *err)
{
	return json_object_size(params) > 1
		       ? 0
		       : err_set(err, EINVAL, "nothing to set; give --share, --bake, --ttl, --patience or --comment");
}

const struct command commands[] = {
	{"status", NULL, "status", "how this edge is, and where its traffic goes", NULL, NULL, NULL,
	 print_status},
	{"service", "show", "service.show", "services (VIPs) and their counters", show_args, NULL, NULL,
	 print_services},
	{"pool", "show", "pool.show", "pools: groups with their shares, backends with their slots", show_args,
	 NULL, NULL, print_pools},
	{"region", "show", "region.show", "regions over all pools", show_args, NULL, NULL, print_regions},
	{"backend", "show", "backend.show", "backends: health, weight, and what limits it",
	 backend_show_args, NULL, NULL, print_backends},
	{"backend", "set", "backend.set", "drain a backend, change its weight, force its health",
	 backend_set_args, backend_set_finish, NULL, print_backend_set},
	{"sandbox", "show", "sandbox.show", "where sandboxes live", sandbox_show_args, NULL, NULL,
	 print_sandboxes},
	{"sandbox", "place", "sandbox.place", "let ebb choose a backend and enter the sandbox",
	 sandbox_place_args, sandbox_place_finish, NULL, print_sandboxes},
	{"sandbox", "add", "sandbox.add", "enter a sandbox that lives on a backend", sandbox_put_args, NULL,
	 NULL, print_sandboxes},
	{"sandbox", "move", "sandbox.move", "a sandbox lives elsewhere now", sandbox_put_args, NULL, NULL,
	 print_sandboxes},
	{"sandbox", "del", "sandbox.del", "a sandbox is gone", sandbox_del_args, NULL, NULL,
	 print_sandboxes},
	{"sandbox", "bulk", "sandbox.bulk", "changes from standard input, one JSON object a line", NULL, NULL,
	 bulk_sandboxes, NULL},
	{"shift", "show", "shift.show", "shifts in force and their stages", show_args, NULL, NULL,
	 print_shifts},
	{"shift", "start", "shift.start", "move traffic from a group to another, in stages",
	 shift_start_args, NULL, watch_shift_start, print_shifts},
	{"shift", "pause", "shift.pause", "hold a shift where it is", name_args, NULL, NULL, print_shifts},
	{"shift", "resume", "shift.resume", "end an operator's hold", name_args, NULL, NULL, print_shifts},
	{"shift", "advance", "shift.advance", "go to the next step now", name_args, NULL, NULL,
	 print_shifts},
	{"shift", "abort", "shift.abort", "take it back, at slew speed", name_args, NULL, NULL,
	 print_shifts},
	{"shift", "restore", "shift.restore", "end a shift that is done, and give the traffic back",
	 name_args, NULL, NULL, print_shifts},
	{"shift", "set", "shift.set", "change a running shift", shift_set_args, shift_set_finish, NULL,
	 print_shifts},
	{"explain", NULL, "explain", "where a packet would go, by running the real program on it",
	 explain_args, NULL, explain_command, print_explain},
	{"explain", "backend", "explain.backend", "how a backend's weight came about", name_args, NULL, NULL,
	 print_explain_backend},
	{"whatif", NULL, "whatif", "where traffic would go if a region or backend failed", whatif_args, NULL,
	 NULL, print_whatif},
	{"simulate", NULL, NULL, "a scenario in virtual time: how traffic would ebb, without any daemon",
	 simulate_args, NULL, simulate_command, NULL},
	{"config", "check", "config.check", "is the configuration file good", NULL, NULL, NULL,
	 print_config_check},
	{"config", "diff", "config.diff", "what a reload would change", NULL, NULL, NULL, print_config_diff},
	{"config", "reload", "config.reload", "put the file into force, or refuse it as a whole",
	 reload_args, NULL, NULL, print_config_diff},
	{"history", NULL, "history", "what happened", history_args, NULL, watch_history, NULL},
	{"monitor", NULL, "monitor", "what happens, as it happens", monitor_args, NULL, watch_monitor, NULL},
	{"top", NULL, NULL, "a picture of shares and backends that refreshes itself", top_args, NULL,
	 watch_top, NULL},
	{"freeze", NULL, "freeze", "weights stay as they are, but for what is plainly dead", NULL, NULL,
	 NULL, print_frozen},
	{"unfreeze", NULL, "unfreeze", "weights follow health again", NULL, NULL, NULL, print_frozen},
	{"trace", NULL, NULL, "a sample of packets, with what became of them", trace_args, NULL,
	 trace_command, NULL},
	{"detach", NULL, NULL, "end forwarding: remove programs and maps", detach_args, NULL, local_detach,
	 NULL},
	{"node", "attach", NULL, "on a backend: strip ebb's encapsulation on an interface",
	 node_attach_args, NULL, local_node_attach, NULL},
	{"node", "show", NULL, "on a backend: where it is attached, and its counters", node_show_args, NULL,
	 local_node_show, NULL},
	{"node", "detach", NULL, "on a backend: stop", node_detach_args, NULL, local_node_detach, NULL},
	{NULL},
};
