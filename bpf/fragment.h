/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef EBB_BPF_FRAGMENT_H
#define EBB_BPF_FRAGMENT_H
/*
 * fragment: a later fragment has no ports. The first one's are noted (maps/fragment.h), and a later
 * one becomes a packet of that flow: it finds the same service, key, slot and note in the flow
 * table, whatever moved in between. Nothing is reassembled; each fragment is sent on its own.
 *
 * 1. Only what goes to an address of a service is noted or looked up; the rest passes untouched.
 * 2. A later fragment that would overwrite bytes of the first ends here (RFC 1858, RFC 5722).
 * 3. Without a note: to a prefix whose key needs no ports, by its address; else it is dropped and
 *    counted, since its first did not come by here, or too long ago.
 *
 * The backend must get all fragments of a packet: slot.h gives fragments no second hop, since a
 * node could look up a socket for the first one only.
 */
#include "bpf/answer.h"
#include "bpf/quote.h"
#include "bpf/service.h"

static __always_inline __u16 fragment_now(void)
{
	return bpf_ktime_get_ns() >> 30;
}

static __always_inline __u64 fragment_hash(const struct settings *settings,
					   const struct packet *packet)
{
	return hash_flow(packet->is_ipv4, &packet->source, &packet->destination,
			 packet->fragment_id, packet->is_ipv4 ? packet->protocol : 0,
			 settings->hash_seed);
}

static __always_inline struct fragment_set *fragment_set(__u64 hash)
{
	__u32 index = (__u32)hash & (FRAGMENT_SETS - 1);

	return bpf_map_lookup_elem(&fragments, &index);
}

static __always_inline bool fragment_is(const struct fragment_note *note, __u64 hash)
{
	return note->fingerprint == hash >> 32 && note->tag == (__u16)(hash >> 16);
}

/* The same key again, a free way, or the oldest. */
static __always_inline void fragment_note(const struct settings *settings,
					  const struct packet *packet, enum fragment_fate fate)
{
	__u64 hash = fragment_hash(settings, packet);
	struct fragment_set *set = fragment_set(hash);
	struct fragment_note note = {
		.fingerprint = hash >> 32,
		.ports = packet->ports,
		.tag = hash >> 16,
		.end = packet->fragment_place,
		.seen = fragment_now(),
		.protocol = packet->protocol,
		.fate = fate,
	};
	__u32 best = 0, chosen = 0;

	if (!set)
		return;
	for (__u32 way = 0; way < FRAGMENT_WAYS; way++) {
		const struct fragment_note *there = &set->way[way];
		__u32 cost = (__u16)(note.seen - there->seen);

		if (there->fate == FRAGMENT_FATE_NONE)
			cost = 0x10000;
		if (fragment_is(there, hash))
			cost = 0x20000;
		if (cost > best) {
			best = cost;
			chosen = way;
		}
	}
	set->way[chosen & (FRAGMENT_WAYS - 1)] = note;
}

/* Copies the note of the packet's first fragment; its fate is NONE if there is none. */
static __always_inline void fragment_find(const struct settings *settings,
					  const struct packet *packet,
					  struct fragment_note *ret_note)
{
	__u64 hash = fragment_hash(settings, packet);
	const struct fragment_set *set = fragment_set(hash);
	__u16 now = fragment_now();

	ret_note->fate = FRAGMENT_FATE_NONE;
	if (!set)
		return;
	for (__u32 way = 0; way < FRAGMENT_WAYS; way++) {
		struct fragment_note note = set->way[way];

		if (fragment_is(&note, hash) && (__u16)(now - note.seen) <= FRAGMENT_LIFE)
			*ret_note = note;
	}
}

/* What becomes of an echo request, whole or in fragments. */
static __always_inline enum fragment_fate fragment_echo(const struct settings *settings,
							const struct packet *packet)
{
	const struct service *service;

	if (service_marker(settings, packet))
		return FRAGMENT_FATE_ANSWER;
	service = service_by_prefix(settings, packet);
	if (!service)
		return FRAGMENT_FATE_PASS;
	return service->affinity == AFFINITY_SANDBOX ? FRAGMENT_FATE_FLOW : FRAGMENT_FATE_ANSWER;
}

/* Of a first fragment and so of all. Of ICMP only echo is more than one packet. */
static __always_inline enum fragment_fate fragment_fate(const struct xdp_md *ctx,
							const struct settings *settings,
							const struct packet *packet)
{
	if (packet_has_ports(packet))
		return FRAGMENT_FATE_FLOW;
	if (!quote_is_icmp(packet) || !answer_is_echo(ctx, packet))
		return FRAGMENT_FATE_PASS;
	return fragment_echo(settings, packet);
}

/* Rule 1. */
static __always_inline bool fragment_is_ours(const struct settings *settings,
					     const struct packet *packet)
{
	return service_marker(settings, packet) || service_by_prefix(settings, packet);
}

/* Protocols that a service has, and headers that such a protocol may stand behind. */
static __always_inline bool fragment_may_be_served(const struct packet *packet)
{
	if (packet->protocol == IPPROTO_TCP || packet->protocol == IPPROTO_UDP)
		return true;
	if (packet->is_ipv4)
		return packet->protocol == IPPROTO_ICMP;
	return packet->protocol == IPPROTO_ICMPV6 || packet->protocol == IPV6_HOP_BY_HOP ||
	       packet->protocol == IPV6_ROUTING || packet->protocol == IPV6_FRAGMENT ||
	       packet->protocol == IPV6_DESTINATION;
}

/* Rule 3. */
static __always_inline enum verdict fragment_unknown(const struct settings *settings,
						     const struct packet *packet)
{
	const struct service *service;

	if (!fragment_may_be_served(packet))
		return VERDICT_PASS_NOT_OURS;
	if (service_marker(settings, packet))
		return VERDICT_DROP_FRAGMENT;
	service = service_by_prefix(settings, packet);
	if (!service)
		return VERDICT_PASS_NOT_OURS;
	if (service->affinity == AFFINITY_SANDBOX && !(service->flags & SERVICE_SANDBOX_PORT))
		return VERDICT_CONTINUE;
	return VERDICT_DROP_FRAGMENT;
}

/* A later fragment: VERDICT_CONTINUE makes `packet` one of its first fragment's flow. */
static __always_inline enum verdict fragment_follow(struct xdp_md *ctx,
						    const struct settings *settings,
						    struct packet *packet)
{
	struct fragment_note note;

	fragment_find(settings, packet, &note);
	if (note.fate == FRAGMENT_FATE_NONE)
		return fragment_unknown(settings, packet);
	if (note.fate == FRAGMENT_FATE_PASS)
		return VERDICT_PASS_NOT_OURS;
	if (packet->fragment_place < note.end)
		return VERDICT_DROP_FRAGMENT_OVERLAP;
	if (note.fate == FRAGMENT_FATE_ANSWER)
		return answer_echo(ctx, packet);
	packet->ports = note.ports;
	packet->protocol = note.protocol;
	return VERDICT_CONTINUE;
}

#endif
