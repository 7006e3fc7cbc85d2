/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_TESTS_BPF_FIXTURE_H
#define EBB_TESTS_BPF_FIXTURE_H
/*
 * fixture: xdp_lb loaded from its skeleton, unpinned, with a small world in its maps, and one call
 * that runs a frame through it and checks verdict, counter and every byte out.
 *
 * The world: backends 1..3 with IPv4 outer addresses 10.1.0.1.., 11..13 with IPv6 ones; pool 0 is
 * 64 slots, all alike (fixture_slots). Next hop 1 leaves by the interface that packets come in on,
 * 2 by another, 3 tags with VLAN 7.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include "build/xdp_lb.skel.h"
#include "maps/backend.h"
#include "maps/flow.h"
#include "maps/hash.h"
#include "maps/sandbox.h"
#include "maps/service.h"
#include "maps/settings.h"
#include "maps/slot.h"
#include "maps/stats.h"
#include "maps/verdict.h"
#include "tests/bpf/frame.h"

#define FIXTURE_SEED  0x5eed5eed5eed5eedULL
#define FIXTURE_SLOTS 64
#define FIXTURE_FLOW_SETS 64
#define FIXTURE_LO    1 /* test runs enter by the loopback interface */
#define FIXTURE_PORT  5

struct fixture {
	struct xdp_lb *skel;
	struct settings settings;
	int cpus;
};

static struct fixture fx;

static inline void map_set(struct bpf_map *map, uint32_t key, const void *value)
{
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(map), &key, value, BPF_ANY), 0);
}

static inline void fixture_sums(struct backend *backend)
{
	struct address *s = &backend->source, *d = &backend->address;
	uint32_t skip = backend->family == 4 ? 12 : 0, sum;

	sum = sum_bytes(s->bytes + skip, 16 - skip, 0);
	sum = sum_bytes(d->bytes + skip, 16 - skip, sum);
	backend->address_sum = htons(sum);
	if (backend->family == 4)
		backend->ip_sum = htons(sum_bytes("\x45\0\x40\0\x40\0", 6, sum));
}

static inline struct backend fixture_backend(uint16_t id)
{
	struct backend backend = {
		.nexthop = 1,
		.path_mtu_bytes = 1600,
		.state = BACKEND_STATE_READY,
		.family = id < 10 ? 4 : 6,
		.id = id,
	};
	char text[32];

	snprintf(text, sizeof(text), id < 10 ? "10.1.0.%u" : "fd00:1::%u", id);
	backend.address = address_of(text);
	backend.source = address_of(id < 10 ? "10.0.0.1" : "fd00::1");
	fixture_sums(&backend);
	return backend;
}

static inline void fixture_put_backend(const struct backend *backend)
{
	map_set(fx.skel->maps.backends, backend->id, backend);
}

static inline struct nexthop fixture_nexthop(uint32_t id)
{
	struct nexthop nexthop = {
		.ifindex = id == 2 ? 4242 : FIXTURE_LO,
		.destination = {2, 1, 1, 1, 1, (uint8_t)id},
		.source = {2, 2, 2, 2, 2, (uint8_t)id},
		.vlan = id == 3 ? 7 : 0,
		.mtu_bytes = 1600,
		.port = FIXTURE_PORT,
	};

	return nexthop;
}

static inline void fixture_slots(uint16_t primary, uint16_t secondary, uint16_t home)
{
	struct slot slot = {.primary = primary, .secondary = secondary, .home = home, .moved = 1};

	for (uint32_t i = 0; i < FIXTURE_SLOTS; i++)
		map_set(fx.skel->maps.slots, i, &slot);
}

static inline void fixture_clear(struct bpf_map *map, uint32_t from, uint32_t to)
{
	char zero[256] = {0};

	for (uint32_t i = from; i < to; i++)
		map_set(map, i, zero);
}

static inline void fixture_put(struct bpf_map *map, uint32_t size, uint64_t seed,
			       const struct service *service)
{
	uint64_t hash =
		hash_service(hash_is_ipv4(&service->address), &service->address, service->port_be,
			     service->protocol, service->prefix_length, seed);
	struct service there;
	uint32_t bit = hash_filter(hash_is_ipv4(&service->address), &service->address,
				   service->prefix_length);
	uint32_t word = fx.settings.half * SERVICE_FILTER_WORDS + bit / 64;
	uint64_t bits;

	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(fx.skel->maps.service_filter), &word, &bits), 0);
	bits |= 1ULL << (bit & 63);
	map_set(fx.skel->maps.service_filter, word, &bits);
	for (int which = 0; which < 2; which++) {
		uint32_t at = hash_service_position(hash, which, size) + fx.settings.half * size;

		assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(map), &at, &there), 0);
		if (there.kind != SERVICE_KIND_EMPTY &&
		    memcmp(&there, service, offsetof(struct service, affinity)) != 0)
			continue;
		map_set(map, at, service);
		return;
	}
	fail_msg("both positions taken");
}

/* Enters (or replaces) a service of pool 0. */
static inline void fixture_service(struct service service)
{
	bool prefix = service.kind == SERVICE_KIND_PREFIX;

	service.slot_count = service.slot_count == UINT32_MAX ? 0 : FIXTURE_SLOTS;
	fixture_put(prefix ? fx.skel->maps.prefixes : fx.skel->maps.services,
		    prefix ? PREFIXES_TABLE_SIZE : SERVICES_TABLE_SIZE,
		    fx.settings.table[fx.settings.half].seed, &service);
}

static inline void fixture_settings(void)
{
	map_set(fx.skel->maps.settings, 0, &fx.settings);
}

static inline int fixture_setup(void **state)
{
	uint32_t port = FIXTURE_PORT, lo = FIXTURE_LO;

	fx.cpus = libbpf_num_possible_cpus();
	fx.skel = xdp_lb__open();
	if (!fx.skel || bpf_map__set_max_entries(fx.skel->maps.slots, 1024))
		return -1;
	fx.skel->rodata->flow_set_mask = FIXTURE_FLOW_SETS - 1;
	if (bpf_map__set_max_entries(fx.skel->maps.flows, FIXTURE_FLOW_SETS) || xdp_lb__load(fx.skel))
		return -1;
	fx.settings =
		(struct settings){.hash_seed = FIXTURE_SEED, .layout = MAPS_LAYOUT, .half = 1};
	fx.settings.table[1].seed = 0x1234567;
	fixture_settings();
	for (uint32_t id = 1; id <= 13; id += id == 3 ? 8 : 1) {
		struct backend backend = fixture_backend(id);

		fixture_put_backend(&backend);
	}
	for (uint32_t id = 1; id <= 3; id++) {
		struct nexthop nexthop = fixture_nexthop(id);

		map_set(fx.skel->maps.nexthops, id, &nexthop);
	}
	fixture_slots(1, BACKEND_NONE, BACKEND_NONE);
	return bpf_map_update_elem(bpf_map__fd(fx.skel->maps.ports), &port, &lo, BPF_ANY);
}

static inline int fixture_teardown(void **state)
{
	xdp_lb__destroy(fx.skel);
	return 0;
}

static inline uint64_t fixture_count(struct bpf_map *map, uint32_t key, size_t size, size_t offset)
{
	char values[4096] = {0};
	uint64_t sum = 0;

	assert_true(size * fx.cpus <= sizeof(values));
	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(map), &key, values), 0);
	for (int cpu = 0; cpu < fx.cpus; cpu++) {
		uint64_t value;

		memcpy(&value, values + cpu * size + offset, sizeof(value));
		sum += value;
	}
	return sum;
}

/* Entry 0 of a per-CPU map becomes zero. */
static inline void fixture_clear_counters(struct bpf_map *map)
{
	char zero[4096] = {0};

	map_set(map, 0, zero);
}

static inline uint64_t fixture_verdict_count(uint32_t verdict)
{
	return fixture_count(fx.skel->maps.verdicts, verdict, sizeof(struct verdict_stats),
			     offsetof(struct verdict_stats, packets));
}

static inline int program_run(struct bpf_program *program, const struct frame *in,
			      struct frame *ret_out)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in->bytes, .data_size_in = in->length,
		    .data_out = ret_out->bytes, .data_size_out = sizeof(ret_out->bytes));

	memset(ret_out, 0, sizeof(*ret_out));
	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(program), &opts), 0);
	ret_out->length = opts.data_size_out;
	return opts.retval;
}

static inline void assert_frame(const char *name, const struct frame *got, const struct frame *want)
{
	uint32_t i;

	for (i = 0; i < got->length && i < want->length && got->bytes[i] == want->bytes[i]; i++)
		;
	if (got->length == want->length && i == want->length)
		return;
	fprintf(stderr, "%s: length %u, want %u; differs from byte %u\n", name, got->length,
		want->length, i);
	for (uint32_t k = i < 8 ? 0 : i - 8; k < i + 24 && k < FRAME_MAX; k++)
		fprintf(stderr, "  [%u] %02x want %02x%s\n", k, got->bytes[k], want->bytes[k],
			got->bytes[k] == want->bytes[k] ? "" : " <");
	fail_msg("%s: frame differs", name);
}

static const int verdict_actions[VERDICT__COUNT] = {
#define X(name, text, action, meaning) [VERDICT_##name] = XDP_##action,
	VERDICTS(X)
#undef X
};

static const char *const verdict_names[VERDICT__COUNT] = {
#define X(name, text, action, meaning) [VERDICT_##name] = text,
	VERDICTS(X)
#undef X
};

/* By family, 4 and 6; what is neither counts for both. */
static uint32_t verdicts_seen[2][VERDICT__COUNT];

static inline void fixture_saw(const struct frame *in, enum verdict verdict)
{
	uint16_t type = in->bytes[in->l3 - 2] << 8 | in->bytes[in->l3 - 1];

	verdicts_seen[0][verdict] += type != 0x86dd;
	verdicts_seen[1][verdict] += type != 0x0800;
}

/* A verdict that there is no row for, in one of the families, is one that nobody has looked at. */
static inline void assert_rows_in_both_families(const enum verdict *verdicts, int count)
{
	for (int i = 0; i < count; i++)
		for (int family = 0; family < 2; family++)
			if (!verdicts_seen[family][verdicts[i]])
				fail_msg("no row for %s over IPv%d", verdict_names[verdicts[i]],
					 family ? 6 : 4);
}

/* Runs `in`; `want` NULL: as it came. Checks action, that just this verdict was counted, and all
 * bytes. */
static inline void fixture_run(const char *name, const struct frame *in, enum verdict verdict,
			       const struct frame *want)
{
	uint64_t before[VERDICT__COUNT];
	struct frame out;
	int action;

	for (uint32_t v = 0; v < VERDICT__COUNT; v++)
		before[v] = fixture_verdict_count(v);
	action = program_run(fx.skel->progs.xdp_lb, in, &out);
	for (uint32_t v = 0; v < VERDICT__COUNT; v++)
		if (fixture_verdict_count(v) != before[v] + (v == verdict))
			fail_msg("%s: wanted %s, counter %s moved by %d", name,
				 verdict_names[verdict], verdict_names[v],
				 (int)(fixture_verdict_count(v) - before[v]));
	if (action != verdict_actions[verdict])
		fail_msg("%s: action %d, want %d", name, action, verdict_actions[verdict]);
	assert_frame(name, &out, want ? want : in);
	fixture_saw(in, verdict);
}

/* What should leave: the inner packet of `in` under the outer headers of these. */
struct wrap {
	uint16_t backend;
	uint32_t nexthop;
	enum encap encap;
	uint16_t hop[3]; /* backend ids up to 0 */
	uint64_t hash;
	bool no_sum; /* over IPv6 too */
	uint8_t tos;
};

static inline void wrap_macs(uint8_t macs[12], const struct nexthop *nexthop)
{
	memcpy(macs, nexthop->destination, 6);
	memcpy(macs + 6, nexthop->source, 6);
}

static inline void wrap_gue(struct frame *out, const struct wrap *wrap, bool inner_ipv4, bool ipv4)
{
	uint8_t *udp = frame_add(out, 16);
	uint8_t hops = 0;

	for (; hops < 3 && wrap->hop[hops]; hops++) {
		struct backend backend = fixture_backend(wrap->hop[hops]);

		memcpy(frame_add(out, ipv4 ? 4 : 16), backend.address.bytes + (ipv4 ? 12 : 0),
		       ipv4 ? 4 : 16);
	}
	put16(udp, hash_source_port(wrap->hash));
	put16(udp + 2, 6080);
	udp[8] = 1 + hops * (ipv4 ? 1 : 4);
	udp[9] = inner_ipv4 ? 4 : 41;
	udp[13] = ipv4 ? 0 : 1;
	udp[15] = hops;
}

static inline void frame_wrap(struct frame *out, const struct frame *in, uint32_t inner_length,
			      const struct wrap *wrap)
{
	struct backend backend = fixture_backend(wrap->backend);
	struct nexthop nexthop = fixture_nexthop(wrap->nexthop ? wrap->nexthop : 1);
	bool inner_ipv4 = in->bytes[in->l3] >> 4 == 4, ipv4 = backend.family == 4;
	uint8_t inner = inner_ipv4 ? 4 : 41, macs[12];
	struct frame gue = {.length = 0};
	uint32_t rest = in->length - in->l3; /* with padding */

	wrap_macs(macs, &nexthop);
	if (wrap->encap == ENCAP_L2)
		ipv4 = inner_ipv4;
	frame_ethernet(out, macs, nexthop.vlan != 0, &nexthop.vlan, ipv4 ? 0x0800 : 0x86dd);
	if (wrap->encap == ENCAP_GUE) {
		inner = IPPROTO_UDP;
		wrap_gue(&gue, wrap, inner_ipv4, ipv4);
		put16(gue.bytes + 4, gue.length + inner_length);
	}
	if (wrap->encap != ENCAP_L2 && ipv4)
		frame_ipv4(out, &backend.source, &backend.address, inner, wrap->tos,
			   gue.length + inner_length, 0, 0x4000);
	else if (wrap->encap != ENCAP_L2)
		frame_ipv6(out, &backend.source, &backend.address, inner, wrap->tos,
			   hash_flow_label(wrap->hash), gue.length + inner_length);
	memcpy(frame_add(&gue, rest), in->bytes + in->l3, rest);
	if (wrap->encap == ENCAP_GUE && !ipv4 && !wrap->no_sum) {
		uint16_t sum = sum_l4(&backend.source, &backend.address, false, IPPROTO_UDP,
				      gue.bytes, gue.length - rest + inner_length);

		put16(gue.bytes + 6, sum ? sum : 0xffff);
	}
	memcpy(frame_add(out, gue.length), gue.bytes, gue.length);
}

/* The flow hash of a packet that `spec` builds. */
static inline uint64_t spec_hash(const struct spec *spec)
{
	struct address source = address_of(spec->source),
		       destination = address_of(spec->destination);
	uint32_t ports = (uint32_t)htons(spec->sport) | (uint32_t)htons(spec->dport) << 16;

	return hash_flow(hash_is_ipv4(&source), &source, &destination, ports, spec->protocol,
			 FIXTURE_SEED);
}

#endif
