/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef EBB_BPF_KEY_H
#define EBB_BPF_KEY_H
/*
 * key: stage 3. What is hashed. Two numbers come out: the flow's own hash (flow table, UDP source
 * port, flow label: spreads flows) and the key's hash (slot: keeps together what the service wants
 * together).
 */
#include "bpf/packet.h"
#include "maps/maps.bpf.h"

struct key {
	__u64 flow;
	__u64 slot;
};

static __always_inline void key_of(const struct settings *settings, const struct service *service,
				   const struct packet *packet, struct key *ret_key)
{
	__u64 seed = settings->hash_seed;
	__u32 port = service->flags & SERVICE_SANDBOX_PORT ? packet_destination_port(packet) : 0;

	ret_key->flow = hash_flow(packet->is_ipv4, &packet->source, &packet->destination,
				  packet->ports, packet->protocol, seed);
	if (service->affinity == AFFINITY_SOURCE)
		ret_key->slot = hash_address(packet->is_ipv4, &packet->source, 0, seed);
	else if (service->affinity == AFFINITY_SANDBOX)
		ret_key->slot = hash_address(packet->is_ipv4, &packet->destination, port, seed);
	else
		ret_key->slot = ret_key->flow;
}

#endif
