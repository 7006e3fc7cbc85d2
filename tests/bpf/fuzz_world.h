/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_TESTS_BPF_FUZZ_WORLD_H
#define EBB_TESTS_BPF_FUZZ_WORLD_H
/*
 * fuzz_world: xdp_lb loaded, with a world drawn at random in its maps, and the same world for the
 * model: backends of both families in every state, with and without next hops, small and large
 * paths; pools settled, moved, moved twice, with slots of nobody, and empty; services of every
 * kind, encapsulation, affinity and tracking.
 */
#include <netinet/in.h>

#include "maps/fragment.h"
#include "tests/bench/world.h"
#include "tests/bpf/model.h"
#include "tests/unit/random.h"

#define FUZZ_BACKENDS  64
#define FUZZ_NEXTHOPS  8
#define FUZZ_POOLS     8
#define FUZZ_SLOTS     256 /* a pool */
#define FUZZ_ADDRESSES 12  /* VIPs a family */
#define FUZZ_FLOWS     1048576

struct fuzz_world {
	struct world maps;
	struct model model;
	struct fragment_set *fragments;
};

static inline bool one_in(struct random *r, uint32_t n)
{
	return random_below(r, n) == 0;
}

static inline struct backend fuzz_backend(struct random *r, uint32_t id)
{
	struct backend b = world_backend(id % 2 ? id : WORLD_BACKENDS + id);

	b.id = (uint16_t)id;
	b.nexthop = one_in(r, 20) ? 0 : 1 + random_below(r, FUZZ_NEXTHOPS);
	b.path_mtu_bytes = one_in(r, 6) ? (uint16_t)(60 + random_below(r, 200)) : 1600;
	b.state = one_in(r, 6) ? BACKEND_STATE_FREE : (uint8_t)(1 + random_below(r, 3));
	b.down = one_in(r, 5);
	return b;
}

/* 1..4 by the interface of entry, the others by another; the last one's port is not there; 8 is
 * free. */
static inline struct nexthop fuzz_nexthop(uint32_t id)
{
	return (struct nexthop){
		.ifindex = id == FUZZ_NEXTHOPS ? 0
			   : id <= 4           ? 1
					       : 4242,
		.destination = {2, 1, 1, 1, 1, (uint8_t)id},
		.source = {2, 2, 2, 2, 2, (uint8_t)id},
		.vlan = id % 3 == 0 ? (uint16_t)(id * 100) : 0,
		.mtu_bytes = 1600,
		.port = id == FUZZ_NEXTHOPS - 1 ? 9 : 5,
	};
}

static inline uint16_t fuzz_owner(struct random *r)
{
	return (uint16_t)(one_in(r, 30) ? BACKEND_NONE : 1 + random_below(r, FUZZ_BACKENDS));
}

/* Pools 0, 1 settled; 2, 3 moved; 4, 5 moved twice; 6 anything; 7 is empty by its services. */
static inline struct slot fuzz_slot(struct random *r, uint32_t pool)
{
	struct slot s = {.primary = fuzz_owner(r), .moved = 1};

	s.home = s.primary;
	if (pool < 2)
		return s;
	s.secondary = fuzz_owner(r);
	s.home = pool < 4 ? s.secondary : fuzz_owner(r);
	if (pool == 6 && one_in(r, 2))
		s.secondary = BACKEND_NONE;
	return s;
}

static inline struct address fuzz_vip(uint32_t i, bool ipv4)
{
	return ipv4 ? world_ipv4(WORLD_VIP + i) : world_ipv6(WORLD_VIP6, i);
}

static inline struct service fuzz_service(struct random *r, uint32_t id)
{
	uint32_t pool = random_below(r, FUZZ_POOLS);
	struct service s = {
		.id = (uint16_t)id,
		.affinity =
			(uint8_t)(one_in(r, 2) ? AFFINITY_FLOW : random_below(r, AFFINITY__COUNT)),
		.encap = (uint8_t)random_below(r, ENCAP__COUNT),
		.track = (uint8_t)random_below(r, TRACK__COUNT),
		.pool = (uint16_t)pool,
		.slot_base = pool * FUZZ_SLOTS,
		.slot_count = pool == 7 ? 0 : FUZZ_SLOTS,
	};

	s.quic_server_id_length = (uint8_t)(1 + random_below(r, one_in(r, 2) ? 3 : 15));
	if (one_in(r, 3))
		s.flags |= SERVICE_TRACK_UDP;
	if (one_in(r, 4))
		s.flags |= SERVICE_CHECKSUM_ZERO;
	if (one_in(r, 4))
		s.flags |= SERVICE_SANDBOX_PORT;
	return s;
}

static inline void fuzz_add(struct fuzz_world *w, const struct service *s)
{
	if (w->model.service_count == MODEL_SERVICES_MAX)
		errx(1, "too many services");
	w->model.services[w->model.service_count++] = *s;
	world_put(&w->maps, *s);
}

/* An address with up to three ports, perhaps any port of a protocol, and the marker. */
static inline void fuzz_add_address(struct fuzz_world *w, struct random *r, uint32_t i, bool ipv4)
{
	struct service marker = {.address = fuzz_vip(i, ipv4), .kind = SERVICE_KIND_ADDRESS};

	for (uint32_t n = 0; n < 8; n++) {
		struct service s = fuzz_service(r, w->model.service_count);

		s.address = marker.address;
		s.protocol = n % 2 ? IPPROTO_UDP : IPPROTO_TCP;
		s.kind = n < 6 ? SERVICE_KIND_PORT : SERVICE_KIND_ANY_PORT;
		s.port_be = n < 6 ? htons((uint16_t)(443 + n / 2)) : 0;
		if (one_in(r, 2))
			continue;
		if (n >= 6)
			marker.flags |= n % 2 ? SERVICE_HAS_ANY_PORT_UDP : SERVICE_HAS_ANY_PORT_TCP;
		fuzz_add(w, &s);
	}
	w->model.vips[w->model.vip_count++] = marker.address;
	world_put(&w->maps, marker);
}

static inline void fuzz_add_prefixes(struct fuzz_world *w, struct random *r)
{
	static const uint8_t ipv4[] = {32, 30, 16, 7}, ipv6[] = {128, 127, 65, 64, 31};
	struct settings_table table = {
		.seed = WORLD_SEED, .prefix_count_ipv4 = 4, .prefix_count_ipv6 = 5};

	for (uint32_t i = 0; i < 4; i++) {
		struct service s = fuzz_service(r, w->model.service_count);

		s.kind = SERVICE_KIND_PREFIX;
		s.prefix_length = (uint8_t)(96 + ipv4[i]);
		s.address = world_ipv4((ipv4[i] == 16 ? WORLD_PREFIX : WORLD_VIP) &
				       (uint32_t)(0xffffffff00000000ULL >> ipv4[i]));
		table.prefix_lengths_ipv4[i] = ipv4[i];
		fuzz_add(w, &s);
	}
	for (uint32_t i = 0; i < 5; i++) {
		struct service s = fuzz_service(r, w->model.service_count);

		s.kind = SERVICE_KIND_PREFIX;
		s.prefix_length = ipv6[i];
		s.address = world_ipv6(ipv6[i] == 31   ? 0x20010db8
				       : ipv6[i] < 127 ? WORLD_PREFIX6
						       : WORLD_VIP6,
				       ipv6[i] == 128 ? 2 : 0);
		table.prefix_lengths_ipv6[i] = ipv6[i];
		fuzz_add(w, &s);
	}
	w->maps.settings->hash_seed = w->model.hash_seed;
	w->maps.settings->table[0] = table;
	w->model.tells = one_in(r, 2);
	w->maps.settings->icmp_rate_pps = w->model.tells ? 1000000000 : 0;
	w->maps.settings->layout = MAPS_LAYOUT;
}

/*
 * Nearly full, so that many are in their second sets; one in sixteen by a way that says "ask". In one world of four
 * the index is not in force.
 */
static inline void fuzz_index_sandboxes(struct fuzz_world *w, struct random *r)
{
	struct sandbox_index *index = &w->maps.sandboxes;
	const struct model *m = &w->model;

	index->seed = random_bits(r);
	sandbox_index_clear(index, 64);
	for (uint32_t i = 0; i < m->sandbox_count; i++) {
		const struct model_sandbox *at = &m->sandboxes[i];

		if (sandbox_index_add(index, &at->key, &at->value))
			errx(1, "no room for sandbox %u", i);
		if (one_in(r, 16) && sandbox_index_add(index, &at->key, &at->value))
			errx(1, "a sandbox does not collide with itself");
	}
	w->maps.settings->sandbox_seed = index->seed;
	w->maps.settings->sandbox_sets = one_in(r, 4) ? 0 : index->set_count;
}

/* On addresses of services and prefixes; a third of them has moved. */
static inline void fuzz_add_sandboxes(struct fuzz_world *w, struct random *r)
{
	struct model *m = &w->model;

	for (int draw = 0; draw < 2000 && m->sandbox_count < MODEL_SANDBOXES_MAX; draw++) {
		const struct service *s = &m->services[random_below(r, m->service_count)];
		struct model_sandbox *at = &m->sandboxes[m->sandbox_count++];

		at->key = (struct sandbox_key){.address = s->address, .service = s->id};
		if (s->kind == SERVICE_KIND_PREFIX && s->prefix_length < 127) {
			at->key.address.bytes[14] = (uint8_t)random_below(r, 2);
			at->key.address.bytes[15] = (uint8_t)random_bits(r);
		}
		if (s->flags & SERVICE_SANDBOX_PORT)
			at->key.port_be = htons((uint16_t)(443 + random_below(r, 4)));
		at->value.backend = fuzz_owner(r);
		at->value.former = one_in(r, 3) ? fuzz_owner(r) : BACKEND_NONE;
		if (bpf_map_update_elem(bpf_map__fd(w->maps.skel->maps.sandboxes), &at->key,
					&at->value, BPF_NOEXIST))
			m->sandbox_count--; /* drawn before */
	}
	fuzz_index_sandboxes(w, r);
}

static inline void fuzz_load(struct world *w)
{
	uint32_t port = 5, lo = 1;

	w->flow_sets = FUZZ_FLOWS / FLOW_WAYS;
	w->skel = xdp_lb__open();
	if (!w->skel)
		errx(1, "cannot open xdp_lb");
	w->skel->rodata->flow_set_mask = w->flow_sets - 1;
	if (bpf_map__set_max_entries(w->skel->maps.flows, w->flow_sets) || xdp_lb__load(w->skel))
		errx(1, "cannot load xdp_lb (root?)");
	if (bpf_map_update_elem(bpf_map__fd(w->skel->maps.ports), &port, &lo, BPF_ANY))
		err(1, "ports");
	world_open_maps(w);
}

static inline void fuzz_world_open(struct fuzz_world *w, struct random *r)
{
	fuzz_load(&w->maps);
	w->fragments = world_map(w->maps.skel->maps.fragments);
	w->model.hash_seed = random_bits(r);
	w->model.slots = w->maps.slots;
	w->model.backends = w->maps.backends;
	w->model.nexthops = w->maps.nexthops;
	w->model.backend_max = FUZZ_BACKENDS + 1;
	w->model.ingress_ifindex = 1;
	w->model.ports = 1ULL << 5;
	for (uint32_t id = 1; id <= FUZZ_BACKENDS; id++)
		w->maps.backends[id] = fuzz_backend(r, id);
	for (uint32_t id = 1; id <= FUZZ_NEXTHOPS; id++)
		w->maps.nexthops[id] = fuzz_nexthop(id);
	for (uint32_t i = 0; i < FUZZ_POOLS * FUZZ_SLOTS; i++)
		w->maps.slots[i] = fuzz_slot(r, i / FUZZ_SLOTS);
	for (uint32_t i = 0; i < FUZZ_ADDRESSES; i++) {
		fuzz_add_address(w, r, i, true);
		fuzz_add_address(w, r, i, false);
	}
	fuzz_add_prefixes(w, r);
	fuzz_add_sandboxes(w, r);
}

static inline void fuzz_forget_fragments(struct fuzz_world *w)
{
	memset(w->fragments, 0, FRAGMENT_SETS * sizeof(*w->fragments));
	w->model.datagram_count = 0;
}

static inline void fuzz_world_close(struct fuzz_world *w)
{
	munmap(w->fragments, FRAGMENT_SETS * sizeof(*w->fragments));
	world_close(&w->maps);
}

static inline void fuzz_forget_flows(struct fuzz_world *w)
{
	world_clear_flows(&w->maps);
	memset(w->model.notes, 0, sizeof(w->model.notes));
	w->model.note_count = 0;
}

#endif
