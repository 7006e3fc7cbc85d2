// SPDX-License-Identifier: GPL-2.0-or-later
/* config_diff: two files and what is said to be different, as "+ added", "- removed", "~ changed", "! needs a restart". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "controller/config_diff.h"

#define EDGE	  "edge: {name: e, hash_seed: 0x1, interfaces: [{name: eth0}]}\n"
#define PROVIDERS "providers: [{name: p, regions: [{name: r, backends: [{name: b, address: 10.0.0.1}]}, {name: s}]}]\n"
#define POOLS	  "pools: [{name: a, tiers: [[p/r]]}]\n"
#define SERVICES  "services: [{name: v, address: 192.0.2.1, port: 80, pool: a}]\n"

/* clang-format off */
static const struct {
	const char *name, *old, *new, *want;
} rows[] = {
	{"nothing", EDGE PROVIDERS POOLS SERVICES, EDGE PROVIDERS POOLS SERVICES, ""},
	{"the same in another order and with defaults written out",
	 EDGE PROVIDERS POOLS SERVICES,
	 SERVICES POOLS PROVIDERS EDGE "health: {down: 2800ms, bad: 0.5}\n", ""},
	{"edge",
	 EDGE, "edge: {name: f, hash_seed: 0x1, interfaces: [{name: eth0}], source: {ipv4: 10.9.9.9}}\n",
	 "~ edge f: name e -> f, source.ipv4 none -> 10.9.9.9\n"},
	{"what is fixed",
	 EDGE, "edge: {name: e, hash_seed: 0x2, interfaces: [{name: eth0}], flows: 2048, slots: 65536, backends: 128, sandboxes: 4096}\n",
	 "! edge e: hash_seed 0x1 -> 0x2, flows 1048576 -> 2048, backends 16384 -> 128, slots 131072 -> 65536, sandboxes 1048576 -> 4096\n"},
	{"interfaces",
	 "edge: {name: e, hash_seed: 0x1, interfaces: [{name: eth0}, {name: eth1}]}\n",
	 "edge: {name: e, hash_seed: 0x1, interfaces: [{name: eth2}, {name: eth1, mode: generic}]}\n",
	 "+ interface eth2\n~ interface eth1: mode auto -> generic\n- interface eth0\n"},
	{"http",
	 EDGE, EDGE "http: {listen: \"127.0.0.1:9619\"}\n",
	 "~ http listener: listen none -> 127.0.0.1:9619\n"},
	{"defaults of health, inherited",
	 EDGE POOLS PROVIDERS, EDGE POOLS PROVIDERS "health: {tick: 50ms, up: 1m, good: 90%, evidence: 2.5}\n",
	 "~ health defaults: tick 100ms -> 50ms, up 30s -> 60s, evidence 5 -> 2.5, good 95% -> 90%\n"},
	{"defaults of health, a pool has its own",
	 EDGE "pools: [{name: a, tiers: []}, {name: b, tiers: [], health: {up: 10s}}]\n",
	 EDGE "pools: [{name: a, tiers: []}, {name: b, tiers: [], health: {up: 10s}}]\nhealth: {up: 1m, down: 1s, tick: 1s}\n",
	 "~ health defaults: tick 100ms -> 1s, down 2.8s -> 1s, up 30s -> 60s\n~ pool b: down 2.8s -> 1s\n"},
	{"probe",
	 EDGE "health: {probe: {type: tcp, port: 80}}\n",
	 EDGE "health: {probe: {type: http, port: 81, path: /x, host: h, interval: 2s, timeout: 1s, rise: 3, fall: 4, fall_timeouts: 6}}\n",
	 "~ health defaults: probe.type tcp -> http, probe.port 80 -> 81, probe.path / -> /x, probe.host none -> h, "
	 "probe.interval 1s -> 2s, probe.timeout 500ms -> 1s, probe.rise 2 -> 3, probe.fall 3 -> 4, "
	 "probe.fall_timeouts 5 -> 6\n"},
	{"rest of health",
	 EDGE, EDGE "health: {observe: 1s, bad: 40%, return_floor: 5%, return_jitter: 1s, "
	 "flap: {penalty: 1, half_life: 1s, hold: 3, free: 2}, latency: {good: never, bad: 1s, usual: 2h}, trial: 1%, "
	 "handshake_rate: 5}\n",
	 "~ health defaults: observe 5s -> 1s, bad 50% -> 40%, return_floor 10% -> 5%, return_jitter 2s -> 1s, "
	 "flap.penalty 1000 -> 1, flap.half_life 30s -> 1s, flap.hold 2000 -> 3, flap.free 750 -> 2, "
	 "latency.good 50ms -> never, latency.bad 250ms -> 1s, latency.usual 1h -> 2h, trial 2% -> 1%, handshake_rate 20 -> 5\n"},
	{"weights",
	 EDGE "pools: [{name: a, tiers: []}]\n",
	 EDGE "pools: [{name: a, tiers: [], weights: {overprovisioning: 2, slew: {dead: 30%, degraded: 3%, rise: 1%, rise_part: 4%}}}]\n"
	 "weights: {dead_below: 10%, return_above: 20%, return_after: 1s, eject: {capacity: 1, groups: 1, floor: 0}, "
	 "panic_hold: 1s, panic_clear: 1s, publish: {change: 1%, after: 1s}}\n",
	 "~ weights defaults: dead_below 25% -> 10%, return_above 35% -> 20%, return_after 60s -> 1s, "
	 "eject.capacity 30% -> 100%, eject.groups 50% -> 100%, eject.floor 10% -> 0%, panic_hold 30s -> 1s, "
	 "panic_clear 10s -> 1s, publish.change 2% -> 1%, publish.after 10s -> 1s\n"
	 "~ pool a: overprovisioning 1.4 -> 2, slew.degraded 2% -> 3%, slew.dead 20% -> 30%, slew.rise 0.5% -> 1%, slew.rise_part 2% -> 4%, "
	 "dead_below 25% -> 10%, return_above 35% -> 20%, return_after 60s -> 1s, "
	 "eject.capacity 30% -> 100%, eject.groups 50% -> 100%, eject.floor 10% -> 0%, panic_hold 30s -> 1s, "
	 "panic_clear 10s -> 1s, publish.change 2% -> 1%, publish.after 10s -> 1s\n"},
	{"regions and backends come and go",
	 EDGE PROVIDERS, EDGE "providers: [{name: p, regions: [{name: t, backends: [{name: c, address: 10.0.0.2}]}, {name: s}]}]\n",
	 "+ region p/t\n- region p/r\n+ backend c\n- backend b\n"},
	{"a backend changes",
	 EDGE PROVIDERS, EDGE "providers: [{name: p, regions: [{name: r}, {name: s, backends: "
	 "[{name: b, address: \"fd00::1\", capacity: 12.5, weight: 33%}]}]}]\n",
	 "~ backend b: region p/r -> p/s, address 10.0.0.1 -> fd00::1, capacity 100 -> 12.5, weight 100% -> 33%\n"},
	{"pools come and go",
	 EDGE "pools: [{name: a, tiers: []}, {name: b, tiers: []}]\n", EDGE "pools: [{name: b, tiers: []}, {name: c, tiers: []}]\n",
	 "+ pool c\n- pool a\n"},
	{"a pool changes",
	 EDGE PROVIDERS POOLS,
	 EDGE PROVIDERS "pools: [{name: a, slots: 128, tiers: [[p/r, p/s]], track: always, settle: never, drain: 90s}]\n",
	 "~ pool a: slots 65536 -> 128, tiers [[p/r]] -> [[p/r, p/s]], track by encap -> always, settle 1h -> never, "
	 "drain 0s -> 90s\n"},
	{"a pool begins to shift by itself",
	 EDGE "pools: [{name: a, tiers: []}]\n", EDGE "pools: [{name: a, tiers: [], auto_shift: {below: 50%}}]\n",
	 "~ pool a: auto_shift off -> on\n"},
	{"a pool shifts by itself otherwise",
	 EDGE "pools: [{name: a, tiers: [], auto_shift: {}}]\n",
	 EDGE "pools: [{name: a, tiers: [], auto_shift: {below: 50%, after: 1m, restore_above: 90%, restore_after: 1m, "
	 "cool_down: 0s, steps: 100%, bake: 1s, ttl: 1h, patience: 0s}}]\n",
	 "~ pool a: auto_shift.below 70% -> 50%, auto_shift.after 30s -> 60s, auto_shift.restore_above 95% -> 90%, "
	 "auto_shift.restore_after 300s -> 60s, auto_shift.cool_down 600s -> 0s, auto_shift.steps 25%,50%@30s,100%@1m -> 100%, "
	 "auto_shift.bake 20s -> 1s, auto_shift.ttl 6h -> 1h, auto_shift.patience 10s -> 0s\n"},
	{"tiers change places",
	 EDGE PROVIDERS "pools: [{name: a, tiers: [[p/r], [p/s]]}]\n", EDGE PROVIDERS "pools: [{name: a, tiers: [[p/s], [p/r]]}]\n",
	 "~ pool a: tiers [[p/r], [p/s]] -> [[p/s], [p/r]]\n"},
	{"tiers stay while regions change places in the file",
	 EDGE "providers: [{name: p, regions: [{name: r}, {name: s}]}]\n" POOLS,
	 EDGE "providers: [{name: p, regions: [{name: s}, {name: r}]}]\n" POOLS, ""},
	{"services come and go",
	 EDGE POOLS PROVIDERS SERVICES, EDGE POOLS PROVIDERS "services: [{name: w, address: 192.0.2.1, port: 80, pool: a}]\n",
	 "+ service w\n- service v\n"},
	{"a service changes",
	 EDGE POOLS PROVIDERS SERVICES,
	 EDGE "pools: [{name: z, tiers: []}, {name: a, tiers: [[p/r]]}]\n" PROVIDERS
	 "services: [{name: v, address: \"2001:db8::1\", pool: z, affinity: source, encap: ipip}]\n",
	 "+ pool z\n"
	 "~ service v: address 192.0.2.1 port 80 -> 2001:db8::1 all ports, protocol tcp -> any, pool a -> z, "
	 "affinity flow -> source, encap gue -> ipip\n"},
	{"a prefix changes",
	 EDGE POOLS PROVIDERS "services: [{name: v, prefix: 192.0.2.0/24, pool: a}]\n",
	 EDGE POOLS PROVIDERS "services: [{name: v, prefix: 192.0.2.0/25, pool: a, checksum_zero: true, sandbox_port: true}]\n",
	 "~ service v: prefix 192.0.2.0/24 -> 192.0.2.0/25, checksum_zero false -> true, sandbox_port false -> true\n"},
	{"a pool's index alone is no change of a service",
	 EDGE POOLS PROVIDERS SERVICES, EDGE "pools: [{name: z, tiers: []}, {name: a, tiers: [[p/r]]}]\n" PROVIDERS SERVICES,
	 "+ pool z\n"},
};
/* clang-format on */

static struct config *loaded(const char *text)
{
	struct config_errors errors = {0};
	struct config *config = NULL;
	int r = config_load_bytes("t.yaml", text, strlen(text), &errors, &config);

	config_errors_print(&errors, stderr);
	assert_int_equal(r, 0);
	return config;
}

static char *printed(const struct config_diff *diff)
{
	char *text;
	size_t length;
	FILE *to = open_memstream(&text, &length);

	assert_non_null(to);
	for (uint32_t i = 0; i < diff->count; i++) {
		const struct config_change *change = &diff->changes[i];

		fprintf(to, "%c %s %s%s%s\n", change->restart ? '!' : "+-~"[change->what], change->kind,
			change->name, change->detail[0] ? ": " : "", change->detail);
	}
	fclose(to);
	return text;
}

static void test_rows(void **state)
{
	int failures = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct config *old = loaded(rows[i].old), *new = loaded(rows[i].new);
		struct config_diff *diff = NULL;
		char *text;

		assert_int_equal(config_diff_make(old, new, &diff), 0);
		config_free(old); /* the result must not need them */
		config_free(new);
		text = printed(diff);
		if (strcmp(text, rows[i].want) != 0) {
			print_error("%s:\n got\n%s want\n%s", rows[i].name, text, rows[i].want);
			failures++;
		}
		free(text);
		config_diff_free(diff);
	}
	assert_int_equal(failures, 0);
}

/* Forth and back: what is added one way is removed the other way, and what changed changed. */
static void test_symmetric(void **state)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct config *a = loaded(rows[i].old), *b = loaded(rows[i].new);
		struct config_diff *forth = NULL, *back = NULL;
		int balance = 0;

		assert_int_equal(config_diff_make(a, b, &forth), 0);
		assert_int_equal(config_diff_make(b, a, &back), 0);
		for (uint32_t c = 0; c < forth->count; c++)
			balance += forth->changes[c].what == CONFIG_ADDED ? 1 :
				   forth->changes[c].what == CONFIG_REMOVED ? 1000 : 1000000;
		for (uint32_t c = 0; c < back->count; c++)
			balance -= back->changes[c].what == CONFIG_ADDED ? 1000 :
				   back->changes[c].what == CONFIG_REMOVED ? 1 : 1000000;
		if (strcmp(rows[i].name, "what is fixed") != 0) /* sizes that are not written do not count */
			assert_int_equal(balance, 0);
		config_diff_free(forth);
		config_diff_free(back);
		config_free(a);
		config_free(b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_symmetric),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
