/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_TESTS_BPF_AFFINITY_H
#define EBB_TESTS_BPF_AFFINITY_H
/*
 * affinity: for tests of where flows go: a service that holds to the rule in question, packets with the backend
 * and hops that they must leave with, and what is noted of them.
 */
#include <sys/mman.h>

#include "tests/bpf/fixture.h"

#define C4   "198.51.100.7"
#define C6   "2001:db8:c::7"
#define VIP4 "192.0.2.10"
#define VIP6 "2001:db8::10"

#define TCP IPPROTO_TCP
#define UDP IPPROTO_UDP
#define SYN 0x02
#define ACK 0x10
#define FIN 0x11

static uint16_t next_port = 2000;

static inline void serve_with(enum encap encap, enum track track, enum affinity affinity, uint8_t flags)
{
	const char *vips[] = {VIP4, VIP6};
	const uint8_t protocols[] = {TCP, UDP};

	for (int i = 0; i < 4; i++) {
		struct service service = {
			.address = address_of(vips[i / 2]),
			.port_be = htons(443),
			.protocol = protocols[i % 2],
			.kind = SERVICE_KIND_PORT,
			.affinity = affinity,
			.encap = encap,
			.track = track,
			.flags = flags,
		};

		fixture_service(service);
	}
}

static inline void serve(enum encap encap, enum track track, enum affinity affinity)
{
	serve_with(encap, track, affinity, 0);
}

static inline struct spec flow4(uint8_t protocol)
{
	return (struct spec){C4, VIP4, protocol, next_port++, 443, .payload = 5};
}

static inline struct spec flow6(uint8_t protocol)
{
	return (struct spec){C6, VIP6, protocol, next_port++, 443, .payload = 5};
}

static inline void send_to(const char *name, struct spec spec, uint8_t flags, enum encap encap,
		    uint16_t backend, uint16_t hop0, uint16_t hop1)
{
	struct wrap wrap = {backend, 1, encap, {hop0, hop1}, .hash = spec_hash(&spec)};
	struct frame in, want;

	spec.tcp_flags = flags;
	frame_build(&in, &spec);
	frame_wrap(&want, &in, in.length - in.l3, &wrap);
	fixture_run(name, &in, VERDICT_FORWARD_TX, &want);
}

static inline uint64_t kept(uint16_t backend)
{
	return fixture_count(fx.skel->maps.backend_stats, backend, sizeof(struct backend_stats),
			     offsetof(struct backend_stats, kept));
}

static inline void set_state(uint16_t id, enum backend_state state)
{
	struct backend backend = fixture_backend(id);

	backend.state = state;
	fixture_put_backend(&backend);
}

/* The two tables of notes as they are in the kernel. */
static struct flow_set *flow_sets, *nursery_sets;

static inline int affinity_setup(void **state)
{
	int rc = fixture_setup(state);

	if (rc)
		return rc;
	flow_sets = mmap(NULL, FIXTURE_FLOW_SETS * sizeof(*flow_sets), PROT_READ | PROT_WRITE, MAP_SHARED,
			 bpf_map__fd(fx.skel->maps.flows), 0);
	nursery_sets = mmap(NULL, NURSERY_SETS * sizeof(*nursery_sets), PROT_READ | PROT_WRITE, MAP_SHARED,
			    bpf_map__fd(fx.skel->maps.nursery), 0);
	return flow_sets == MAP_FAILED || nursery_sets == MAP_FAILED ? -1 : 0;
}

static inline int notes(const struct flow_set *table, int sets)
{
	int used = 0;

	for (int i = 0; i < sets; i++)
		for (int way = 0; way < FLOW_WAYS; way++)
			used += table[i].way[way].backend != BACKEND_NONE;
	return used;
}

static inline int flows_in_table(void)
{
	return notes(flow_sets, FIXTURE_FLOW_SETS);
}

static inline int flows_in_nursery(void)
{
	return notes(nursery_sets, NURSERY_SETS);
}

static inline void wipe(void)
{
	memset(flow_sets, 0, FIXTURE_FLOW_SETS * sizeof(*flow_sets));
	memset(nursery_sets, 0, NURSERY_SETS * sizeof(*nursery_sets));
}

#endif
