// SPDX-License-Identifier: GPL-2.0-or-later
/* config: what a good file comes out as, value by value; files that cannot be read; the parsers of single values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/config.h"
#include "controller/config_scalar.h"

#define EDGE "edge: {name: e, hash_seed: 0x1, interfaces: [{name: eth0}]}\n"

/* The example of docs/design.md, section 8, with a second region so that its pool is whole. */
static const char example[] =
	"edge:\n"
	"  name: edge-1\n"
	"  interfaces: [{name: eth0, mode: auto}]        # auto | native | generic\n"
	"  hash_seed: 0x5eed5eed5eed5eed                 # the same on all edges of a fleet\n"
	"  source: {ipv4: 10.0.0.1, ipv6: \"fd00::1\"}     # outer source\n"
	"health:\n"
	"  tick: 100ms\n"
	"  observe: 5s\n"
	"  down: 2.8s\n"
	"  up: 30s\n"
	"  probe: {type: http, port: 8080, path: /healthz, interval: 1s, timeout: 500ms, rise: 2, fall: 3}\n"
	"providers:\n"
	"  - name: aws\n"
	"    regions:\n"
	"      - name: eu-central-1\n"
	"        backends:\n"
	"          - {name: fra-1, address: 10.1.0.11, capacity: 100}\n"
	"          - {name: fra-2, address: \"fd00:1::12\", capacity: 12.5, weight: 50%}\n"
	"      - {name: eu-west-1}\n"
	"  - name: gcp\n"
	"    regions:\n"
	"      - name: europe-west4\n"
	"        backends: [{name: ams-1, address: 10.2.0.11}]\n"
	"pools:\n"
	"  - {name: eu, slots: 65536, tiers: [[aws/eu-central-1], [gcp/europe-west4]]}\n"
	"services:\n"
	"  - {name: web, address: 192.0.2.10, port: 443, protocol: tcp, pool: eu, affinity: flow, encap: gue}\n"
	"  - {name: sandboxes, prefix: \"2001:db8:5b::/64\", pool: eu, affinity: sandbox, encap: gue}\n"
	"http: {listen: \"127.0.0.1:9619\"}                # /metrics /healthz / (status page)\n";

static struct config *loaded(const char *text)
{
	struct config_errors errors = {0};
	struct config *config = NULL;
	int r = config_load_bytes("t.yaml", text, strlen(text), &errors, &config);

	config_errors_print(&errors, stderr);
	assert_int_equal(r, 0);
	assert_int_equal(errors.count, 0);
	return config;
}

static void assert_address(const struct address *address, const char *want)
{
	char text[INET6_ADDRSTRLEN];

	assert_string_equal(address_format(address, text), want);
}

#define assert_double(got, want) assert_true((got) == (want))

static void assert_example_edge(const struct config_edge *edge)
{
	assert_string_equal(edge->name, "edge-1");
	assert_int_equal(edge->interface_count, 1);
	assert_string_equal(edge->interfaces[0].name, "eth0");
	assert_int_equal(edge->interfaces[0].mode, CONFIG_XDP_AUTO);
	assert_true(edge->hash_seed == 0x5eed5eed5eed5eed);
	assert_true(edge->has_source_ipv4 && edge->has_source_ipv6);
	assert_address(&edge->source_ipv4, "10.0.0.1");
	assert_address(&edge->source_ipv6, "fd00::1");
	assert_int_equal(edge->flows, 1048576);
	assert_int_equal(edge->sandboxes, 1048576);
	assert_int_equal(edge->backends, 16384);
	assert_int_equal(edge->slots, 131072);
	assert_int_equal(edge->icmp_rate_pps, 1000);
}

static void assert_example_health(const struct config_health *health)
{
	assert_double(health->tick_s, 0.1);
	assert_double(health->observe_s, 5);
	assert_double(health->down_s, 2.8);
	assert_double(health->up_s, 30);
	assert_double(health->evidence, 5);
	assert_double(health->bad, 0.50);
	assert_double(health->good, 0.95);
	assert_double(health->return_floor, 0.10);
	assert_double(health->return_jitter_s, 2);
	assert_double(health->flap_penalty, 1000);
	assert_double(health->flap_half_life_s, 30);
	assert_double(health->flap_hold, 2000);
	assert_double(health->flap_free, 750);
	assert_double(health->latency.good_s, 0.05);
	assert_double(health->latency.bad_s, 0.25);
	assert_double(health->latency.usual_s, 3600);
	assert_double(health->trial, 0.02);
	assert_double(health->handshake_rate, 20);
	assert_int_equal(health->probe.type, CONFIG_PROBE_HTTP);
	assert_int_equal(health->probe.port, 8080);
	assert_string_equal(health->probe.path, "/healthz");
	assert_null(health->probe.host);
	assert_double(health->probe.interval_s, 1);
	assert_double(health->probe.timeout_s, 0.5);
	assert_int_equal(health->probe.rise, 2);
	assert_int_equal(health->probe.fall, 3);
	assert_int_equal(health->probe.fall_timeouts, 5);
}

static void assert_region(const struct config *config, uint32_t index, const char *full_name,
			  uint32_t provider, uint32_t first, uint32_t count)
{
	const struct config_region *region = &config->regions[index];

	assert_string_equal(region->full_name, full_name);
	assert_string_equal(region->name, strchr(full_name, '/') + 1);
	assert_int_equal(region->provider, provider);
	assert_int_equal(region->first_backend, first);
	assert_int_equal(region->backend_count, count);
}

static void assert_backend(const struct config *config, uint32_t index, const char *name,
			   const char *address, double capacity, double weight, uint32_t region)
{
	const struct config_backend *backend = &config->backends[index];

	assert_string_equal(backend->name, name);
	assert_address(&backend->address, address);
	assert_double(backend->capacity, capacity);
	assert_double(backend->weight, weight);
	assert_int_equal(backend->region, region);
}

static void test_example_places(void **state)
{
	struct config *config = loaded(example);

	assert_int_equal(config->provider_count, 2);
	assert_string_equal(config->providers[0].name, "aws");
	assert_int_equal(config->providers[0].first_region, 0);
	assert_int_equal(config->providers[0].region_count, 2);
	assert_string_equal(config->providers[1].name, "gcp");
	assert_int_equal(config->providers[1].first_region, 2);
	assert_int_equal(config->providers[1].region_count, 1);
	assert_int_equal(config->region_count, 3);
	assert_region(config, 0, "aws/eu-central-1", 0, 0, 2);
	assert_region(config, 1, "aws/eu-west-1", 0, 2, 0);
	assert_region(config, 2, "gcp/europe-west4", 1, 2, 1);
	assert_int_equal(config->backend_count, 3);
	assert_backend(config, 0, "fra-1", "10.1.0.11", 100, 1, 0);
	assert_backend(config, 1, "fra-2", "fd00:1::12", 12.5, 0.5, 0);
	assert_backend(config, 2, "ams-1", "10.2.0.11", 100, 1, 2);
	config_free(config);
}

static void test_example_rest(void **state)
{
	struct config *config = loaded(example);
	const struct config_pool *pool = &config->pools[0];
	const struct config_service *web = &config->services[0], *sandboxes = &config->services[1];

	assert_example_edge(&config->edge);
	assert_example_health(&config->health);
	assert_int_equal(config->pool_count, 1);
	assert_string_equal(pool->name, "eu");
	assert_int_equal(pool->slots, 65536);
	assert_int_equal(pool->tier_count, 2);
	assert_int_equal(pool->tiers[0].region_count, 1);
	assert_int_equal(pool->tiers[0].regions[0], 0);
	assert_int_equal(pool->tiers[1].region_count, 1);
	assert_int_equal(pool->tiers[1].regions[0], 2);
	assert_false(pool->has_track);
	assert_double(pool->settle_s, 3600);
	assert_double(pool->drain_s, 0);
	assert_false(pool->auto_shift.on);
	assert_example_health(&pool->health);
	assert_int_equal(config->service_count, 2);
	assert_string_equal(web->name, "web");
	assert_address(&web->address, "192.0.2.10");
	assert_false(web->is_prefix);
	assert_int_equal(web->port, 443);
	assert_int_equal(web->protocol, IPPROTO_TCP);
	assert_int_equal(web->pool, 0);
	assert_int_equal(web->affinity, AFFINITY_FLOW);
	assert_int_equal(web->encap, ENCAP_GUE);
	assert_int_equal(web->quic_server_id_length, 0);
	assert_false(web->checksum_zero);
	assert_string_equal(sandboxes->name, "sandboxes");
	assert_address(&sandboxes->address, "2001:db8:5b::");
	assert_true(sandboxes->is_prefix);
	assert_int_equal(sandboxes->prefix_length, 64);
	assert_int_equal(sandboxes->port, 0);
	assert_int_equal(sandboxes->protocol, 0);
	assert_int_equal(sandboxes->affinity, AFFINITY_SANDBOX);
	assert_int_equal(sandboxes->encap, ENCAP_GUE);
	assert_string_equal(config->http_listen, "127.0.0.1:9619");
	config_free(config);
}

static void test_least_file(void **state)
{
	struct config *config = loaded(EDGE);

	assert_int_equal(config->backend_count, 0);
	assert_int_equal(config->pool_count, 0);
	assert_int_equal(config->service_count, 0);
	assert_null(config->http_listen);
	assert_false(config->edge.has_source_ipv4 || config->edge.has_source_ipv6);
	assert_int_equal(config->edge.backends, 16384);
	assert_int_equal(config->edge.slots, 131072);
	assert_int_equal(config->health.probe.type, CONFIG_PROBE_NONE);
	assert_int_equal(config->health.report.type, CONFIG_REPORT_NONE);
	assert_int_equal(config->health.probe.port, 0);
	assert_string_equal(config->health.probe.path, "/");
	assert_double(config->health.down_s, 2.8);
	assert_double(config->weights.overprovisioning, 1.4);
	assert_double(config->weights.slew_degraded, 0.02);
	assert_double(config->weights.slew_dead, 0.20);
	assert_double(config->weights.slew_rise, 0.005);
	assert_double(config->weights.slew_rise_part, 0.02);
	assert_double(config->weights.dead_below, 0.25);
	assert_double(config->weights.return_above, 0.35);
	assert_double(config->weights.return_after_s, 60);
	assert_double(config->weights.eject_capacity, 0.30);
	assert_double(config->weights.eject_groups, 0.50);
	assert_double(config->weights.eject_floor, 0.10);
	assert_double(config->weights.panic_hold_s, 30);
	assert_double(config->weights.panic_clear_s, 10);
	assert_double(config->weights.publish_change, 0.02);
	assert_double(config->weights.publish_after_s, 10);
	config_free(config);
}

static void test_pool_over_defaults(void **state)
{
	struct config *config = loaded(
		EDGE "health:\n"
		     "  up: 20s\n"
		     "  smoothing: {alpha: 0.3, interval: 1s}\n"
		     "  probe: {type: http, port: 80, path: /ok, host: ebb.example, interval: 2s}\n"
		     "  report: {type: agent, port: 90, send: load}\n"
		     "pools:\n"
		     "- {name: a, tiers: []}\n"
		     "- name: b\n"
		     "  tiers: []\n"
		     "  track: always\n"
		     "  settle: never\n"
		     "  health: {down: 1s, good: 90%, probe: {port: 81, timeout: 1s}, report: {type: json, path: /load, interval: 5s}}\n"
		     "- {name: c, tiers: [], settle: 90s, health: {probe: {type: none}}}\n"
		     "- {name: d, tiers: [], auto_shift: {}}\n"
		     "- {name: e, tiers: [], auto_shift: {below: 50%, after: 1m, restore_above: 0.9, restore_after: 2m, "
		     "cool_down: 0s, steps: \"10%,100%@2m\", bake: 5s, ttl: 1h, patience: 3s}}\n");
	const struct config_auto_shift *d = &config->pools[3].auto_shift, *e = &config->pools[4].auto_shift;
	const struct config_health *a = &config->pools[0].health, *b = &config->pools[1].health;

	assert_true(fabs(a->down_s - 2.8036732520571284) < 1e-12); /* -1 s / ln(1 - 0.3) */
	assert_double(a->up_s, 20);
	assert_int_equal(a->probe.port, 80);
	assert_double(b->down_s, 1);
	assert_double(b->up_s, 20);
	assert_double(b->good, 0.9);
	assert_int_equal(b->probe.type, CONFIG_PROBE_HTTP);
	assert_int_equal(b->probe.port, 81);
	assert_string_equal(b->probe.path, "/ok");
	assert_string_equal(b->probe.host, "ebb.example");
	assert_double(b->probe.interval_s, 2);
	assert_double(b->probe.timeout_s, 1);
	assert_int_equal(a->report.type, CONFIG_REPORT_AGENT);
	assert_string_equal(a->report.send, "load\n");
	assert_int_equal(b->report.type, CONFIG_REPORT_JSON);
	assert_int_equal(b->report.port, 90);
	assert_string_equal(b->report.path, "/load");
	assert_double(b->report.interval_s, 5);
	assert_double(b->report.timeout_s, 1);
	assert_true(config->pools[1].has_track);
	assert_int_equal(config->pools[1].track, TRACK_ALWAYS);
	assert_true(isinf(config->pools[1].settle_s));
	assert_int_equal(config->pools[2].health.probe.type, CONFIG_PROBE_NONE);
	assert_double(config->pools[2].settle_s, 90);
	assert_true(d->on && e->on && !config->pools[2].auto_shift.on);
	assert_double(d->below, 0.7);
	assert_double(d->after_s, 30);
	assert_double(d->restore_above, 0.95);
	assert_double(d->restore_after_s, 300);
	assert_double(d->cool_down_s, 600);
	assert_int_equal(d->plan.step_count, 3);
	assert_double(d->plan.steps[2].ramp_s, 60);
	assert_double(d->plan.bake_s, 20);
	assert_double(d->plan.ttl_s, 21600);
	assert_double(d->plan.gate_fail_s, 10);
	assert_double(e->below, 0.5);
	assert_double(e->after_s, 60);
	assert_double(e->restore_above, 0.9);
	assert_double(e->restore_after_s, 120);
	assert_double(e->cool_down_s, 0);
	assert_int_equal(e->plan.step_count, 2);
	assert_double(e->plan.steps[0].part, 0.1);
	assert_double(e->plan.steps[1].ramp_s, 120);
	assert_double(e->plan.bake_s, 5);
	assert_double(e->plan.ttl_s, 3600);
	assert_double(e->plan.gate_fail_s, 3);

	config_free(config);
}

static void test_lists_of_nothing(void **state)
{
	struct config *config = loaded(EDGE "providers:\n"
					    "- name: p\n"
					    "  regions:\n"
					    "  - name: r\n"
					    "    backends:\n"
					    "  - {name: s, backends: ~}\n"
					    "- {name: q, regions: null}\n"
					    "pools: []\n"
					    "services:\n");

	assert_int_equal(config->provider_count, 2);
	assert_int_equal(config->region_count, 2);
	assert_int_equal(config->backend_count, 0);
	assert_int_equal(config->pool_count, 0);
	assert_int_equal(config->service_count, 0);
	config_free(config);
}

static void test_weights(void **state)
{
	struct config *config = loaded(
		EDGE "weights:\n"
		     "  overprovisioning: 1.2\n"
		     "  slew: {degraded: 3%, dead: 30%, rise: 1%}\n"
		     "  dead_below: 10%\n"
		     "  return_above: 20%\n"
		     "  return_after: 2m\n"
		     "  eject: {capacity: 20%, groups: 40%, floor: 5%}\n"
		     "  panic_hold: 1m\n"
		     "  panic_clear: 20s\n"
		     "  publish: {change: 1%, after: 5s}\n"
		     "pools:\n"
		     "- {name: a, tiers: [], drain: 60s}\n"
		     "- {name: b, tiers: [], weights: {overprovisioning: 2, slew: {dead: 100%}}}\n"
		     "- {name: c, tiers: [], weights: {slew: {rise: 2%, rise_part: 3%}}}\n");
	const struct config_weights *a = &config->pools[0].weights, *b = &config->pools[1].weights;

	assert_double(a->overprovisioning, 1.2);
	assert_double(a->slew_degraded, 0.03);
	assert_double(a->slew_dead, 0.3);
	assert_double(a->slew_rise, 0.01);
	assert_double(a->slew_rise_part, 0.04); /* four times that */
	assert_double(b->slew_rise_part, 0.04);
	assert_double(config->pools[2].weights.slew_rise_part, 0.03);
	assert_double(a->dead_below, 0.1);
	assert_double(a->return_above, 0.2);
	assert_double(a->return_after_s, 120);
	assert_double(a->eject_capacity, 0.2);
	assert_double(a->eject_groups, 0.4);
	assert_double(a->eject_floor, 0.05);
	assert_double(a->panic_hold_s, 60);
	assert_double(a->panic_clear_s, 20);
	assert_double(a->publish_change, 0.01);
	assert_double(a->publish_after_s, 5);
	assert_double(b->overprovisioning, 2);
	assert_double(b->slew_dead, 1);
	assert_double(b->slew_degraded, 0.03);
	assert_double(config->pools[0].drain_s, 60);
	config_free(config);
}

static void test_service_defaults(void **state)
{
	struct config *config = loaded(
		EDGE "pools: [{name: a, tiers: []}, {name: b, tiers: [], track: never}]\n"
		     "services:\n"
		     "- {name: one-port, address: \"2001:db8::1\", port: 80, pool: a}\n"
		     "- {name: all-ports, address: 192.0.2.1, pool: a, encap: ipip}\n"
		     "- {name: prefix, prefix: 198.51.100.0/24, pool: a, protocol: any}\n"
		     "- {name: longer, prefix: 198.51.100.128/25, pool: a, affinity: source}\n"
		     "- {name: both, address: 192.0.2.1, port: 53, protocol: any, pool: b}\n"
		     "- {name: none, address: 192.0.2.2, port: 53, protocol: udp, pool: a, affinity: none}\n"
		     "- {name: zero, address: 192.0.2.3, pool: a, checksum_zero: true}\n");
	static const struct {
		uint16_t port;
		uint8_t protocol;
		enum affinity affinity;
		enum encap encap;
	} want[] = {
		{80, IPPROTO_TCP, AFFINITY_FLOW, ENCAP_GUE},
		{0, 0, AFFINITY_FLOW, ENCAP_IPIP},
		{0, 0, AFFINITY_SANDBOX, ENCAP_GUE},
		{0, 0, AFFINITY_SOURCE, ENCAP_GUE},
		{53, 0, AFFINITY_FLOW, ENCAP_GUE},
		{53, IPPROTO_UDP, AFFINITY_NONE, ENCAP_GUE},
		{0, 0, AFFINITY_FLOW, ENCAP_GUE},
	};

	assert_int_equal(config->service_count, sizeof(want) / sizeof(want[0]));
	for (uint32_t i = 0; i < config->service_count; i++) {
		const struct config_service *service = &config->services[i];

		assert_int_equal(service->port, want[i].port);
		assert_int_equal(service->protocol, want[i].protocol);
		assert_int_equal(service->affinity, want[i].affinity);
		assert_int_equal(service->encap, want[i].encap);
		assert_int_equal(service->checksum_zero, i == 6);
	}
	assert_int_equal(config->services[2].prefix_length, 24);
	config_free(config);
}

static void test_byte_order_mark_and_crlf(void **state)
{
	struct config *config = loaded("\xef\xbb\xbf" EDGE "health:\r\n  tick: 50ms\r\n");

	assert_double(config->health.tick_s, 0.05);
	config_free(config);
}

/* 10,000 backends: ordered by region, each where it was written. */
static void test_many_backends(void **state)
{
	char *text, name[32], address[INET6_ADDRSTRLEN];
	struct config *config;
	size_t length;
	FILE *to = open_memstream(&text, &length);

	assert_non_null(to);
	fputs(EDGE "providers:\n", to);
	for (int p = 0; p < 10; p++) {
		fprintf(to, "- name: p%d\n  regions:\n", p);
		for (int r = 0; r < 10; r++) {
			fprintf(to, "  - name: r%d\n    backends:\n", r);
			for (int b = 0; b < 100; b++)
				fprintf(to, "    - {name: b%d-%d-%d, address: 10.%d.%d.%d}\n", p, r, b,
					p, r, b + 1);
		}
	}
	fclose(to);
	config = loaded(text);
	assert_int_equal(config->backend_count, 10000);
	assert_int_equal(config->edge.backends, 32768);
	for (uint32_t i = 0; i < config->backend_count; i++) {
		snprintf(name, sizeof(name), "b%u-%u-%u", i / 1000, i / 100 % 10, i % 100);
		assert_string_equal(config->backends[i].name, name);
		assert_int_equal(config->backends[i].region, i / 100);
		snprintf(name, sizeof(name), "10.%u.%u.%u", i / 1000, i / 100 % 10, i % 100 + 1);
		assert_string_equal(address_format(&config->backends[i].address, address), name);
	}
	assert_int_equal(config->regions[42].first_backend, 4200);
	config_free(config);
	free(text);
}

static void assert_unreadable(const char *path, int code, const char *reason)
{
	struct config_errors errors = {0};
	struct config *config;
	char want[256];

	assert_int_equal(config_load(path, &errors, &config), -code);
	assert_int_equal(errors.count, 1);
	snprintf(want, sizeof(want), "%s:1:1: %s", path, reason);
	assert_string_equal(errors.lines[0], want);
	config_errors_free(&errors);
}

static void test_unreadable_files(void **state)
{
	char dir[] = "/tmp/ebb-test-config-XXXXXX", pipe_path[64], big_path[64];
	FILE *big;

	assert_non_null(mkdtemp(dir));
	snprintf(pipe_path, sizeof(pipe_path), "%s/pipe", dir);
	snprintf(big_path, sizeof(big_path), "%s/big", dir);
	assert_int_equal(mkfifo(pipe_path, 0600), 0);
	big = fopen(big_path, "w");
	assert_non_null(big);
	assert_int_equal(ftruncate(fileno(big), 100 * 1024 * 1024), 0);
	fclose(big);
	assert_unreadable(dir, EISDIR, "is a directory; a file is needed");
	assert_unreadable(pipe_path, ENODEV, "is no regular file; one is needed");
	assert_unreadable("/dev/zero", ENODEV, "is no regular file; one is needed");
	assert_unreadable(big_path, EFBIG, "larger than 16 MiB, the most that is allowed");
	unlink(pipe_path);
	unlink(big_path);
	rmdir(dir);
	assert_unreadable(big_path, ENOENT, "No such file or directory");
}

static void test_file(void **state)
{
	char path[] = "/tmp/ebb-test-config-XXXXXX";
	struct config_errors errors = {0};
	struct config *config = NULL;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, example, sizeof(example) - 1), sizeof(example) - 1);
	close(fd);
	assert_int_equal(config_load(path, &errors, &config), 0);
	assert_int_equal(config->backend_count, 3);
	config_free(config);
	unlink(path);
}

/* The file that packages install; tests run from the top of the repository. */
static void test_packaged_example(void **state)
{
	struct config_errors errors = {0};
	struct config *config = NULL;
	int r = config_load("packaging/ebb.yaml", &errors, &config);

	config_errors_print(&errors, stderr);
	assert_int_equal(r, 0);
	assert_int_equal(config->backend_count, 4);
	config_free(config);
}

static void test_scalars(void **state)
{
	static const struct {
		int (*parse)(const char *text, double *ret);
		const char *text;
		int r;
		double want;
	} rows[] = {
		{scalar_duration, "100ms", 0, 0.1},
		{scalar_duration, "2.8s", 0, 2.8},
		{scalar_duration, "0.5ms", 0, 0.0005},
		{scalar_duration, "2m", 0, 120},
		{scalar_duration, "1.5h", 0, 5400},
		{scalar_duration, "1d", 0, 86400},
		{scalar_duration, "never", 0, INFINITY},
		{scalar_duration, "5", -EINVAL, 0},
		{scalar_duration, "s", -EINVAL, 0},
		{scalar_duration, "5 s", -EINVAL, 0},
		{scalar_duration, "5S", -EINVAL, 0},
		{scalar_duration, "", -EINVAL, 0},
		{scalar_duration, "1e3s", -EINVAL, 0},
		{scalar_duration, "+1s", -EINVAL, 0},
		{scalar_duration, "1234567890123456s", -ERANGE, 0},
		{scalar_ratio, "30%", 0, 0.3},
		{scalar_ratio, "0.3", 0, 0.3},
		{scalar_ratio, "0.5%", 0, 0.005},
		{scalar_ratio, "300%", 0, 3},
		{scalar_ratio, "%", -EINVAL, 0},
		{scalar_ratio, "30 %", -EINVAL, 0},
		{scalar_ratio, "-1", -EINVAL, 0},
		{scalar_ratio, "nan", -EINVAL, 0},
		{scalar_ratio, "0x1", -EINVAL, 0},
		{scalar_number, "12.5", 0, 12.5},
		{scalar_number, "007", 0, 7},
		{scalar_number, ".5", -EINVAL, 0},
		{scalar_number, "5.", -EINVAL, 0},
		{scalar_number, "1.2.3", -EINVAL, 0},
		{scalar_number, "1,5", -EINVAL, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		double got = -1;
		int r = rows[i].parse(rows[i].text, &got);

		if (r != rows[i].r || got != (r ? -1 : rows[i].want))
			fail_msg("%s: %d %g", rows[i].text, r, got);
	}
}

static void test_whole_numbers(void **state)
{
	static const struct {
		int (*parse)(const char *text, uint64_t *ret);
		const char *text;
		int r;
		uint64_t want;
	} rows[] = {
		{scalar_unsigned, "0", 0, 0},
		{scalar_unsigned, "18446744073709551615", 0, UINT64_MAX},
		{scalar_unsigned, "18446744073709551616", -ERANGE, 0},
		{scalar_unsigned, "-1", -EINVAL, 0},
		{scalar_unsigned, "1.0", -EINVAL, 0},
		{scalar_unsigned, "", -EINVAL, 0},
		{scalar_hex64, "0x5eed5eed5eed5eed", 0, 0x5eed5eed5eed5eed},
		{scalar_hex64, "0XfF", 0, 255},
		{scalar_hex64, "0xffffffffffffffff", 0, UINT64_MAX},
		{scalar_hex64, "0x00000000000000001", -ERANGE, 0},
		{scalar_hex64, "0x", -EINVAL, 0},
		{scalar_hex64, "ff", -EINVAL, 0},
		{scalar_hex64, "0xg", -EINVAL, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t got = 77;
		int r = rows[i].parse(rows[i].text, &got);

		if (r != rows[i].r || got != (r ? 77 : rows[i].want))
			fail_msg("%s: %d %llu", rows[i].text, r, (unsigned long long)got);
	}
}

static void test_addresses(void **state)
{
	static const struct {
		const char *text, *want; /* NULL: refused */
		bool ipv4;
	} rows[] = {
		{"10.1.0.11", "10.1.0.11", true},
		{"fd00::1", "fd00::1", false},
		{"FD00:0::0001", "fd00::1", false},
		{"::ffff:10.1.0.11", "10.1.0.11", true},
		{"010.1.0.11", NULL},
		{"10.1.11", NULL},
		{"10.1.0.256", NULL},
		{"fd00::1%eth0", NULL},
		{"fd00::1/64", NULL},
		{" 10.1.0.11", NULL},
		{"", NULL},
	};
	struct address address, masked;
	char text[INET6_ADDRSTRLEN];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!rows[i].want) {
			assert_int_equal(address_parse(rows[i].text, &address), -EINVAL);
			continue;
		}
		assert_int_equal(address_parse(rows[i].text, &address), 0);
		assert_address(&address, rows[i].want);
		assert_int_equal(address_is_ipv4(&address), rows[i].ipv4);
	}
	assert_int_equal(address_parse("10.1.255.11", &address), 0);
	masked = address_mask(&address, 96 + 18);
	assert_address(&masked, "10.1.192.0");
	masked = address_mask(&address, 128);
	assert_int_equal(address_compare(&masked, &address), 0);
	masked = address_mask(&address, 0);
	assert_string_equal(address_format(&masked, text), "::");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_example_places),
		cmocka_unit_test(test_example_rest),
		cmocka_unit_test(test_least_file),
		cmocka_unit_test(test_pool_over_defaults),
		cmocka_unit_test(test_lists_of_nothing),
		cmocka_unit_test(test_weights),
		cmocka_unit_test(test_service_defaults),
		cmocka_unit_test(test_byte_order_mark_and_crlf),
		cmocka_unit_test(test_many_backends),
		cmocka_unit_test(test_unreadable_files),
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_packaged_example),
		cmocka_unit_test(test_scalars),
		cmocka_unit_test(test_whole_numbers),
		cmocka_unit_test(test_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
