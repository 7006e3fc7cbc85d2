// SPDX-License-Identifier: GPL-2.0-only
/*
 * stages: xdp_lb's way of a packet that is forwarded, from the same headers, with an end after each
 * stage. What a stage costs is the difference between ending behind it and ending before it.
 * Counters are left out: they are what the whole program costs more than this one.
 */
#include "bpf/parse.h"
#include "bpf/service.h"
#include "bpf/key.h"
#include "bpf/slot.h"
#include "bpf/outer.h"

#include "tests/bench/stages.h"

/* Set before load, so that the verifier removes what lies behind. */
const volatile __u32 last_stage = STAGE_SEND;

/* So that the compiler does not put off to a later stage what this one computes. */
#define USE(value) __asm__ volatile("" ::"r"(value))

static __always_inline void use_packet(const struct packet *packet)
{
	USE((__u64)address_word(&packet->source, 3));
	USE((__u64)address_word(&packet->destination, 3));
	USE((__u64)packet->ports);
	USE((__u64)packet->length);
	USE((__u64)packet->protocol);
	USE((__u64)packet->l4_bad);
	USE((__u64)packet->tcp_flags);
}

SEC("xdp.frags")
int stages(struct xdp_md *ctx)
{
	const struct settings *in_force;
	const struct service *service;
	struct route route = {};
	struct packet packet;
	struct key key;
	__u32 zero = 0;

	in_force = bpf_map_lookup_elem(&settings, &zero);
	if (!in_force || in_force->layout != MAPS_LAYOUT || parse(ctx, &packet) ||
	    !packet_has_ports(&packet))
		return XDP_ABORTED;
	if (last_stage == STAGE_PARSE) {
		use_packet(&packet);
		return XDP_DROP;
	}
	service = service_of(in_force, &packet);
	if (!service || packet.l4_bad)
		return XDP_ABORTED;
	if (last_stage == STAGE_SERVICE)
		return XDP_DROP;
	key_of(in_force, service, &packet, &key);
	if (last_stage == STAGE_KEY) {
		USE(key.flow);
		USE(key.slot);
		return XDP_DROP;
	}
	if (slot_route(ctx, service, &packet, &key, &route))
		return XDP_ABORTED;
	if (last_stage == STAGE_SLOT) {
		USE((__u64)route.backend->family);
		USE((__u64)route.hop[0]);
		return XDP_DROP;
	}
	if (outer_forward(ctx, &packet, service, &key, &route) != VERDICT_FORWARD_TX)
		return XDP_ABORTED;
	return XDP_TX;
}

char _license[] SEC("license") = "GPL";
