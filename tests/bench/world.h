/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_TESTS_BENCH_WORLD_H
#define EBB_TESTS_BENCH_WORLD_H
/*
 * world: xdp_lb loaded, with tables of the size of life: 1,000 backends with IPv4 outer addresses
 * and 1,000 with IPv6 behind 16 next hops, 65,536 slots a pool filled at random, 1,024 services of
 * each family beside the markers of their addresses, one prefix of each family, 65,536 placed
 * sandboxes.
 *
 * A bench's case says in `struct world_services` what all services are like; the tables are then
 * laid out anew.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <err.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "build/xdp_lb.skel.h"
#include "controller/sandbox_index.h"
#include "maps/backend.h"
#include "maps/flow.h"
#include "maps/hash.h"
#include "maps/sandbox.h"
#include "maps/service.h"
#include "maps/settings.h"
#include "maps/slot.h"
#include "maps/stats.h"
#include "maps/verdict.h"

#define WORLD_SEED      0x5eed5eed5eed5eedULL
#define WORLD_BACKENDS  1000 /* of each family: ids 1..1000 IPv4, 1001..2000 IPv6 */
#define WORLD_NEXTHOPS  16   /* 1..16 by the interface of entry, 17..32 by another */
#define WORLD_SLOTS     65536
#define WORLD_SERVICES  1024 /* of each family */
#define WORLD_PORT      443
#define WORLD_VIP       0xc6120000u /* 198.18.0.0, RFC 2544 */
#define WORLD_VIP6      0x20010db8u
#define WORLD_PREFIX    0xc6130000u /* 198.19.0.0/16 */
#define WORLD_PREFIX6   0x20010db9u /* /64 */
#define WORLD_SANDBOXES 65536

enum world_pool { /* in `slots`, one after the other */
		  WORLD_SETTLED,
		  WORLD_MOVED,
		  WORLD_SETTLED_IPV6,
		  WORLD_MOVED_IPV6,
		  WORLD_POOL__COUNT,
};

struct world_services {
	uint8_t protocol;
	enum encap encap;
	enum track track;
	enum affinity affinity;
	enum world_pool pool;
	bool redirect; /* next hops of another interface */
};

struct world {
	struct xdp_lb *skel;
	struct settings *settings;
	struct service *services, *prefixes;
	uint64_t *filter;
	struct slot *slots;
	struct backend *backends;
	struct nexthop *nexthops;
	struct flow_set *flows, *nursery;
	uint32_t flow_sets;
	struct sandbox_index sandboxes;
};

static inline void *world_map(struct bpf_map *map)
{
	size_t size = (size_t)bpf_map__value_size(map) * bpf_map__max_entries(map);
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);

	if (at == MAP_FAILED)
		err(1, "mmap of %s", bpf_map__name(map));
	return at;
}

static inline struct address world_ipv4(uint32_t host_order)
{
	struct address a = {{[10] = 0xff, [11] = 0xff}};
	uint32_t be = htonl(host_order);

	memcpy(a.bytes + 12, &be, 4);
	return a;
}

static inline struct address world_ipv6(uint32_t first, uint32_t last)
{
	struct address a = {{0}};
	uint32_t words[4] = {htonl(first), 0, 0, htonl(last)};

	memcpy(a.bytes, words, sizeof(words));
	return a;
}

static inline uint16_t world_sum(const void *bytes, uint32_t length, uint32_t sum)
{
	const uint8_t *at = bytes;
	uint16_t word;

	for (; length; at += 2, length -= 2) {
		memcpy(&word, at, 2);
		sum += word;
	}
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

static inline struct backend world_backend(uint32_t id)
{
	bool ipv4 = id <= WORLD_BACKENDS;
	uint32_t skip = ipv4 ? 12 : 0;
	struct backend b = {
		.address = ipv4 ? world_ipv4(0x0a010000 + id) : world_ipv6(0xfd000001, id),
		.source = ipv4 ? world_ipv4(0x0a000001) : world_ipv6(0xfd000000, 1),
		.nexthop = 1 + id % WORLD_NEXTHOPS,
		.path_mtu_bytes = 1600,
		.state = BACKEND_STATE_READY,
		.family = ipv4 ? 4 : 6,
		.id = (uint16_t)id,
	};

	b.address_sum = world_sum(b.source.bytes + skip, 16 - skip, 0);
	b.address_sum = world_sum(b.address.bytes + skip, 16 - skip, b.address_sum);
	if (ipv4)
		b.ip_sum = world_sum("\x45\0\0\0\0\0\x40\0\x40\0", 10, b.address_sum);
	return b;
}

static inline void world_fill_backends(struct world *w)
{
	for (uint32_t id = 1; id <= 2 * WORLD_BACKENDS; id++)
		w->backends[id] = world_backend(id);
	for (uint32_t i = 1; i <= 2 * WORLD_NEXTHOPS; i++)
		w->nexthops[i] = (struct nexthop){
			.ifindex = i <= WORLD_NEXTHOPS ? 1 : 4242,
			.destination = {2, 0, 0, 1, 0, (uint8_t)i},
			.source = {2, 0, 0, 2, 0, (uint8_t)i},
			.mtu_bytes = 1600,
			.port = 1,
		};
}

static inline void world_fill_slots(struct world *w)
{
	srand(1);
	for (uint32_t pool = 0; pool < WORLD_POOL__COUNT; pool++) {
		uint32_t first = pool < WORLD_SETTLED_IPV6 ? 1 : 1 + WORLD_BACKENDS;

		for (uint32_t i = 0; i < WORLD_SLOTS; i++) {
			uint16_t a = (uint16_t)(first + (uint32_t)rand() % WORLD_BACKENDS);
			uint16_t b = (uint16_t)(first + (uint32_t)rand() % WORLD_BACKENDS);
			bool moved = pool == WORLD_MOVED || pool == WORLD_MOVED_IPV6;

			if (b == a)
				b = (uint16_t)(first + (a + 1u - first) % WORLD_BACKENDS);
			w->slots[pool * WORLD_SLOTS + i] =
				(struct slot){.primary = a,
					      .secondary = moved ? b : BACKEND_NONE,
					      .home = moved ? b : a,
					      .moved = moved};
		}
	}
}

static inline uint32_t world_position(const struct service *s, int which, uint32_t size)
{
	uint64_t hash = hash_service(hash_is_ipv4(&s->address), &s->address, s->port_be,
				     s->protocol, s->prefix_length, WORLD_SEED);

	return hash_service_position(hash, which, size);
}

/* A cuckoo table as the controller lays it out (controller/services_table.c). */
static inline void world_place(struct service *table, uint32_t size, struct service entry)
{
	uint32_t at = world_position(&entry, 0, size);

	for (int kick = 0; kick < 500; kick++) {
		struct service evicted = table[at];

		table[at] = entry;
		if (evicted.kind == SERVICE_KIND_EMPTY)
			return;
		entry = evicted;
		at ^= world_position(&entry, 0, size) ^ world_position(&entry, 1, size);
	}
	errx(1, "no place for a service");
}

/* In its table, and in the filter. */
static inline void world_put(struct world *w, struct service entry)
{
	bool prefix = entry.kind == SERVICE_KIND_PREFIX;
	uint32_t bit = hash_filter(hash_is_ipv4(&entry.address), &entry.address, entry.prefix_length);

	world_place(prefix ? w->prefixes : w->services,
		    prefix ? PREFIXES_TABLE_SIZE : SERVICES_TABLE_SIZE, entry);
	w->filter[bit / 64] |= 1ULL << (bit & 63);
}

static inline struct service world_service(const struct world_services *like, uint32_t i, bool ipv4)
{
	return (struct service){
		.address = ipv4 ? world_ipv4(WORLD_VIP + i) : world_ipv6(WORLD_VIP6, i),
		.port_be = htons(WORLD_PORT),
		.protocol = like->protocol,
		.kind = SERVICE_KIND_PORT,
		.affinity = (uint8_t)like->affinity,
		.encap = (uint8_t)like->encap,
		.track = (uint8_t)like->track,
		.id = (uint16_t)(ipv4 ? i : WORLD_SERVICES + i),
		.pool = (uint16_t)like->pool,
		.slot_base = like->pool * WORLD_SLOTS,
		.slot_count = WORLD_SLOTS,
	};
}

static inline void world_put_prefix(struct world *w, const struct world_services *like, bool ipv4)
{
	struct service s = world_service(like, 0, ipv4);

	s.address = ipv4 ? world_ipv4(WORLD_PREFIX) : world_ipv6(WORLD_PREFIX6, 0);
	s.prefix_length = ipv4 ? 96 + 16 : 64;
	s.kind = SERVICE_KIND_PREFIX;
	s.port_be = 0;
	s.protocol = 0;
	world_put(w, s);
}

static inline void world_set(struct world *w, const struct world_services *like)
{
	memset(w->services, 0, sizeof(struct service) * SERVICES_TABLE_SIZE);
	memset(w->prefixes, 0, sizeof(struct service) * PREFIXES_TABLE_SIZE);
	memset(w->filter, 0, sizeof(*w->filter) * SERVICE_FILTER_WORDS);
	for (uint32_t i = 0; i < 2 * WORLD_SERVICES; i++) {
		bool ipv4 = i < WORLD_SERVICES;
		struct service s = world_service(like, i % WORLD_SERVICES, ipv4);
		struct service marker = {.address = s.address, .kind = SERVICE_KIND_ADDRESS};

		world_put(w, s);
		world_put(w, marker);
	}
	world_put_prefix(w, like, true);
	world_put_prefix(w, like, false);
	for (uint32_t id = 1; id <= 2 * WORLD_BACKENDS; id++)
		w->backends[id].nexthop =
			1 + id % WORLD_NEXTHOPS + (like->redirect ? WORLD_NEXTHOPS : 0);
}

/* Sandboxes on every address of the prefixes; the services have ids 0 and 1024. */
static inline void world_fill_sandboxes(struct world *w)
{
	int fd = bpf_map__fd(w->skel->maps.sandboxes);

	w->sandboxes.seed = WORLD_SEED;
	sandbox_index_clear(&w->sandboxes, sandbox_index_sets_for(2 * WORLD_SANDBOXES));
	for (uint32_t i = 0; i < 2 * WORLD_SANDBOXES; i++) {
		bool ipv4 = i < WORLD_SANDBOXES;
		uint32_t last = i % WORLD_SANDBOXES;
		struct sandbox_key key = {
			.address = ipv4 ? world_ipv4(WORLD_PREFIX + last)
					: world_ipv6(WORLD_PREFIX6, last),
			.service = ipv4 ? 0 : WORLD_SERVICES,
		};
		struct sandbox value = {.backend = (uint16_t)((ipv4 ? 1 : 1 + WORLD_BACKENDS) +
							      (uint32_t)rand() % WORLD_BACKENDS)};

		if (bpf_map_update_elem(fd, &key, &value, BPF_ANY) ||
		    sandbox_index_add(&w->sandboxes, &key, &value))
			err(1, "sandboxes");
	}
}

static inline void world_fill_settings(struct world *w)
{
	struct settings_table table = {
		.seed = WORLD_SEED,
		.prefix_count_ipv4 = 1,
		.prefix_count_ipv6 = 1,
		.prefix_lengths_ipv4 = {16},
		.prefix_lengths_ipv6 = {64},
	};

	w->settings->hash_seed = WORLD_SEED;
	w->settings->sandbox_seed = w->sandboxes.seed;
	w->settings->sandbox_sets = w->sandboxes.set_count;
	w->settings->half = 0;
	w->settings->table[0] = table;
	w->settings->layout = MAPS_LAYOUT;
}

static inline void world_open_maps(struct world *w)
{
	w->settings = world_map(w->skel->maps.settings);
	w->services = world_map(w->skel->maps.services);
	w->prefixes = world_map(w->skel->maps.prefixes);
	w->filter = world_map(w->skel->maps.service_filter);
	w->slots = world_map(w->skel->maps.slots);
	w->backends = world_map(w->skel->maps.backends);
	w->nexthops = world_map(w->skel->maps.nexthops);
	w->flows = world_map(w->skel->maps.flows);
	w->nursery = world_map(w->skel->maps.nursery);
	w->sandboxes.sets = world_map(w->skel->maps.sandbox_index);
	w->sandboxes.sets_max = bpf_map__max_entries(w->skel->maps.sandbox_index);
}

/* `flows`: size of the flow table, a power of two. */
static inline void world_open(struct world *w, uint32_t flows)
{
	uint32_t port = 1, lo = 1;

	w->flow_sets = flows / FLOW_WAYS;
	w->skel = xdp_lb__open();
	if (!w->skel)
		errx(1, "cannot open xdp_lb");
	w->skel->rodata->flow_set_mask = w->flow_sets - 1;
	if (bpf_map__set_max_entries(w->skel->maps.flows, w->flow_sets) || xdp_lb__load(w->skel))
		errx(1, "cannot load xdp_lb (root?)");
	world_open_maps(w);
	world_fill_backends(w);
	world_fill_slots(w);
	world_fill_sandboxes(w);
	world_fill_settings(w);
	if (bpf_map_update_elem(bpf_map__fd(w->skel->maps.ports), &port, &lo, BPF_ANY))
		err(1, "ports");
}

static inline void world_close(struct world *w)
{
	struct {
		void *at;
		struct bpf_map *map;
	} mapped[] = {
		{w->settings, w->skel->maps.settings}, {w->services, w->skel->maps.services},
		{w->prefixes, w->skel->maps.prefixes}, {w->slots, w->skel->maps.slots},
		{w->backends, w->skel->maps.backends}, {w->nexthops, w->skel->maps.nexthops},
		{w->flows, w->skel->maps.flows}, {w->nursery, w->skel->maps.nursery},
		{w->filter, w->skel->maps.service_filter},
		{w->sandboxes.sets, w->skel->maps.sandbox_index},
	};

	for (size_t i = 0; i < sizeof(mapped) / sizeof(mapped[0]); i++)
		munmap(mapped[i].at, (size_t)bpf_map__value_size(mapped[i].map) *
					     bpf_map__max_entries(mapped[i].map));
	xdp_lb__destroy(w->skel);
}

static inline void world_clear_flows(struct world *w)
{
	memset(w->flows, 0, (size_t)w->flow_sets * sizeof(*w->flows));
	memset(w->nursery, 0, NURSERY_SETS * sizeof(*w->nursery));
}

static inline uint64_t world_count(struct bpf_map *map, uint32_t key, size_t size, size_t offset)
{
	static char values[64 * 256];
	int cpus = libbpf_num_possible_cpus();
	uint64_t sum = 0, value;

	if (size * (size_t)cpus > sizeof(values) ||
	    bpf_map_lookup_elem(bpf_map__fd(map), &key, values))
		errx(1, "cannot read %s", bpf_map__name(map));
	for (int cpu = 0; cpu < cpus; cpu++) {
		memcpy(&value, values + (size_t)cpu * size + offset, sizeof(value));
		sum += value;
	}
	return sum;
}

static inline void world_verdicts(const struct world *w, uint64_t ret_count[VERDICT__COUNT])
{
	for (uint32_t v = 0; v < VERDICT__COUNT; v++)
		ret_count[v] = world_count(w->skel->maps.verdicts, v, sizeof(struct verdict_stats),
					   offsetof(struct verdict_stats, packets));
}

#endif
