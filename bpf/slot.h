/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef EBB_BPF_SLOT_H
#define EBB_BPF_SLOT_H
/*
 * slot: stage 4. Which backend, and which others might hold the flow instead.
 *
 * 1. A settled slot: its primary. No state is read or written, whatever the number of flows.
 * 2. An unsettled slot: a SYN goes to the primary and is noted. Any other packet goes where its
 * flow was noted; if it was not, to the former owner, since the flow began before the move. The
 * slot's other owners go along as hops for a backend that finds no socket for it.
 * 3. `track: always`: as 2 for every slot, and every flow is noted. `never`: the primary, with
 * hops.
 *    SERVICE_TRACK_UDP: `always` for UDP, since an unconnected socket claims no flow.
 * 4. `affinity: sandbox`: where the sandbox was placed, if it was; where it lived before is the
 *    hop.
 * 5. `affinity: quic`: where the connection ID says, if it says (quic.h).
 * 6. Fragments carry no hops: nodes would find a socket for the first one alone.
 * 7. A backend that is gone (state FREE) is never used; one that drains keeps its flows.
 */
#include "bpf/flow.h"
#include "bpf/key.h"
#include "bpf/quic.h"
#include "bpf/sandbox.h"

#define ROUTE_HOPS_MAX 2

struct route {
	struct backend *backend;
	__u32 id;
	__u16 hop[ROUTE_HOPS_MAX]; /* backend ids; BACKEND_NONE from the first that is none */
	__u8 kept;                 /* not where a new flow would go */
};

static __always_inline struct backend *backend_get(__u32 id)
{
	struct backend *backend = bpf_map_lookup_elem(&backends, &id);

	return id != BACKEND_NONE && backend && backend->state != BACKEND_STATE_FREE ? backend
										     : NULL;
}

static __always_inline bool route_to(struct route *route, __u32 id)
{
	route->backend = backend_get(id);
	route->id = id;
	return route->backend;
}

static __always_inline void route_add_hop(struct route *route, __u16 id)
{
	if (id == BACKEND_NONE || id == route->id || id == route->hop[0])
		return;
	if (route->hop[0] == BACKEND_NONE)
		route->hop[0] = id;
	else if (route->hop[1] == BACKEND_NONE)
		route->hop[1] = id;
}

/* In one load, so that it is never half of two entries. */
static __always_inline bool slot_read(const struct service *service, __u64 hash,
				      struct slot *ret_slot)
{
	__u32 index = service->slot_base + hash_slot(hash, service->slot_count);
	const volatile __u64 *entry = bpf_map_lookup_elem(&slots, &index);
	__u64 word;

	if (!entry)
		return false;
	word = *entry;
	ret_slot->primary = word;
	ret_slot->secondary = word >> 16;
	ret_slot->home = word >> 32;
	return true;
}

/* Rule 3 for this packet. */
static __always_inline bool slot_notes_all(const struct service *service,
					   const struct packet *packet)
{
	return service->track == TRACK_ALWAYS ||
	       (service->track == TRACK_MOVED && service->flags & SERVICE_TRACK_UDP &&
		packet->protocol == IPPROTO_UDP);
}

/* What slot_track() is to know of the packet, beside its enum flow_event in the two lowest bits. */
#define SLOT_EVENT  0x03
#define SLOT_SYN    0x04
#define SLOT_NOTES  0x08 /* its flow is to be noted, whatever it is */
#define SLOT_BEGINS 0x10 /* where it is not noted, it begins */

#define SLOT_KEPT 0x10000 /* beside the backend: not where a new flow would go */

/*
 * The former owner, for a flow that is not noted. One that is plainly dead comes after the primary:
 * the primary's node program passes on to it what it has no socket for.
 */
static __always_inline bool slot_former(__u16 id)
{
	const struct backend *backend = backend_get(id);

	return backend && !backend->down;
}

/*
 * Rule 2 and 3: the flow table, then the former owner, then the primary. `owners`: the slot's, as
 * it lies in memory. A function of its own, since 6.1's verifier would walk the rest of the program
 * once for each way through it, and give up.
 */
__noinline int slot_track(__u64 hash, __u64 owners, __u32 how)
{
	__u16 primary = owners, former = owners >> 16, noted;

	if (!(how & SLOT_SYN)) {
		noted = flow_find(hash, how & SLOT_EVENT, primary);
		if (backend_get(noted))
			return noted == primary ? noted : noted | SLOT_KEPT;
		if (!(how & SLOT_BEGINS) && slot_former(former)) {
			if (how & SLOT_NOTES)
				flow_note(hash, former);
			return former | SLOT_KEPT;
		}
	}
	if (how & (SLOT_SYN | SLOT_NOTES) && backend_get(primary))
		flow_note(hash, primary);
	return primary;
}

static __always_inline __u32 slot_how(const struct service *service, const struct packet *packet)
{
	__u32 how = packet->quoted                            ? FLOW_IS_QUOTED
		    : packet->tcp_flags & (TCP_FIN | TCP_RST) ? FLOW_ENDS
							      : FLOW_GOES_ON;

	if (packet_is_syn(packet))
		how |= SLOT_SYN;
	if (slot_notes_all(service, packet)) {
		how |= packet->quoted ? 0 : SLOT_NOTES;
		how |= packet->protocol == IPPROTO_UDP ? SLOT_BEGINS : 0;
	}
	return how;
}

/* Rule 4. False: not placed, or on a backend that is gone. */
static __always_inline bool slot_sandbox(const struct service *service, const struct packet *packet,
					 struct route *route)
{
	__u32 owners = sandbox_owners(service, packet);

	PACKET_FORGET(owners, packet->length);
	if (!route_to(route, owners & 0xffff))
		return false;
	if (packet->fragment == FRAGMENT_WHOLE)
		route_add_hop(route, owners >> 16);
	return true;
}

/* Rule 5. False: no connection ID that names a backend that is there. */
static __always_inline bool slot_quic(struct xdp_md *ctx, const struct service *service,
				      const struct packet *packet, struct route *route)
{
	if (packet->protocol != IPPROTO_UDP || packet->quoted || packet->fragment != FRAGMENT_WHOLE)
		return false;
	return route_to(route, quic_server(ctx, packet->l3_offset + packet->l4_offset,
					   service->quic_server_id_length));
}

static __always_inline enum verdict slot_route(struct xdp_md *ctx, const struct service *service,
					       const struct packet *packet, const struct key *key,
					       struct route *route)
{
	enum verdict verdict = VERDICT_CONTINUE;
	struct slot slot;
	bool remembers;
	__u32 owner;

	if (service->affinity == AFFINITY_SANDBOX && slot_sandbox(service, packet, route))
		return VERDICT_CONTINUE;
	if (service->affinity == AFFINITY_QUIC && slot_quic(ctx, service, packet, route))
		return VERDICT_CONTINUE;
	if (!service->slot_count)
		return VERDICT_DROP_EMPTY_POOL;
	if (!slot_read(service, key->slot, &slot))
		return VERDICT_DROP_EMPTY_POOL;
	remembers = service->affinity != AFFINITY_NONE;
	owner = slot.primary;
	if (remembers && (slot_notes_all(service, packet) ||
			  (service->track == TRACK_MOVED && slot.secondary != BACKEND_NONE))) {
		owner = slot_track(key->flow, slot.primary | (__u64)slot.secondary << 16,
				   slot_how(service, packet));
		route->kept = !!(owner & SLOT_KEPT);
	}
	if (!route_to(route, owner & 0xffff))
		verdict = VERDICT_DROP_NO_BACKEND;
	/* Where all datagrams are noted, the note is better than what an unconnected socket could
	 * tell. */
	if ((slot_notes_all(service, packet) && packet->protocol == IPPROTO_UDP) ||
	    packet->fragment != FRAGMENT_WHOLE)
		remembers = false;
	if (remembers && verdict == VERDICT_CONTINUE && slot.secondary != BACKEND_NONE) {
		route_add_hop(route, slot.primary);
		route_add_hop(route, slot.secondary);
		route_add_hop(route, slot.home);
	}
	return verdict;
}

#endif
