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

/*
 * The former owner, for a flow that is not noted. One that is plainly dead comes after the primary:
 * the primary's node program passes on to it what it has no socket for.
 */
static __always_inline bool slot_former(struct route *route, const struct slot *slot)
{
	return route_to(route, slot->secondary) && !route->backend->down;
}

/* Rule 2 and 3: the flow table, then the former owner, then the primary. */
static __always_inline enum verdict slot_track(const struct service *service,
					       const struct packet *packet, const struct key *key,
					       const struct slot *slot, struct route *route)
{
	bool always = slot_notes_all(service, packet);
	enum flow_event event = packet->quoted				 ? FLOW_IS_QUOTED
				: packet->tcp_flags & (TCP_FIN | TCP_RST) ? FLOW_ENDS
									 : FLOW_GOES_ON;

	if (!packet_is_syn(packet)) {
		if (route_to(route, flow_find(key->flow, event, slot->primary))) {
			route->kept = route->id != slot->primary;
			return VERDICT_CONTINUE;
		}
		/* Where all flows are noted, an unknown datagram begins one. */
		if (!(always && packet->protocol == IPPROTO_UDP) && slot_former(route, slot)) {
			route->kept = 1;
			if (always && !packet->quoted)
				flow_note(key->flow, slot->secondary);
			return VERDICT_CONTINUE;
		}
	}
	if (!route_to(route, slot->primary))
		return VERDICT_DROP_NO_BACKEND;
	if ((always && !packet->quoted) || packet_is_syn(packet))
		flow_note(key->flow, slot->primary);
	return VERDICT_CONTINUE;
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
	if (packet->protocol != IPPROTO_UDP || packet->quoted ||
	    packet->fragment != FRAGMENT_WHOLE)
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

	if (service->affinity == AFFINITY_SANDBOX && slot_sandbox(service, packet, route))
		return VERDICT_CONTINUE;
	if (service->affinity == AFFINITY_QUIC && slot_quic(ctx, service, packet, route))
		return VERDICT_CONTINUE;
	if (!service->slot_count)
		return VERDICT_DROP_EMPTY_POOL;
	if (!slot_read(service, key->slot, &slot))
		return VERDICT_DROP_EMPTY_POOL;
	remembers = service->affinity != AFFINITY_NONE;
	if (remembers && (slot_notes_all(service, packet) ||
			  (service->track == TRACK_MOVED && slot.secondary != BACKEND_NONE)))
		verdict = slot_track(service, packet, key, &slot, route);
	else if (!route_to(route, slot.primary))
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
