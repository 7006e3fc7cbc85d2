// SPDX-License-Identifier: GPL-2.0-only
/*
 * xdp_lb: the edge's program. A packet's way is the order of the includes:
 *
 *   parse.h    frame -> packet                   passes what is not IP
 *   service.h  packet -> service                 passes what is for none
 *   quote.h    an ICMP error -> the flow that it quotes; answer.h answers echo
 *   fragment.h a later fragment -> the flow of its first
 *   key.h      packet, service -> hashes
 *   slot.h     hashes -> backend, hops           flow.h remembers flows of slots that moved;
 *                                               quic.h reads connection IDs,
 *                                               sandbox.h finds placed sandboxes
 *   outer.h    backend -> outer headers, sent
 *   handshake.h  what was sent on -> how its backend does
 *   trace.h    a sample of packets and verdicts, while someone looks on
 *
 * Each stage returns an enum verdict, whose zero is "go on". The one exit below counts it and maps
 * it to an XDP action. A frame is not touched before all that can refuse it has been asked, except
 * for lack of headroom.
 *
 * Loaded for multi-buffer packets ("xdp.frags"): headers lie in the linear part, lengths count all
 * buffers.
 */
#include "bpf/parse.h"
#include "bpf/service.h"
#include "bpf/quote.h"
#include "bpf/fragment.h"
#include "bpf/key.h"
#include "bpf/slot.h"
#include "bpf/outer.h"
#include "bpf/handshake.h"
#include "bpf/trace.h"

static __always_inline void count_forward(const struct service *service, const struct route *route,
					  const struct packet *packet)
{
	__u32 id = service->id, backend = route->id;
	struct service_stats *of_service = bpf_map_lookup_elem(&service_stats, &id);
	struct backend_stats *of_backend = bpf_map_lookup_elem(&backend_stats, &backend);
	bool is_syn = packet_is_syn(packet);

	if (of_service) {
		of_service->packets++;
		of_service->bytes += packet->length;
		of_service->new_flows += is_syn;
	}
	if (of_backend) {
		of_backend->packets++;
		of_backend->bytes += packet->length;
		of_backend->new_flows += is_syn;
		of_backend->kept += route->kept;
	}
}

static __always_inline void count_drop(const struct service *service)
{
	__u32 id = service->id;
	struct service_stats *stats = bpf_map_lookup_elem(&service_stats, &id);

	if (stats)
		stats->dropped++;
}

/* The packet is for `service`: it is forwarded or dropped. */
static __always_inline enum verdict serve(struct xdp_md *ctx, const struct settings *settings,
					  const struct packet *packet,
					  const struct service *service)
{
	struct route route = {};
	enum verdict verdict;
	struct key key;

	if (packet->l4_bad)
		return VERDICT_DROP_MALFORMED;
	key_of(settings, service, packet, &key);
	verdict = slot_route(ctx, service, packet, &key, &route);
	if (verdict != VERDICT_CONTINUE)
		return verdict;
	verdict = outer_forward(ctx, packet, service, &key, &route);
	if (verdict == VERDICT_FORWARD_TX || verdict == VERDICT_FORWARD_REDIRECT) {
		count_forward(service, &route, packet);
		handshake(&key, route.id, packet);
	}
	return verdict;
}

/*
 * ICMP: an error becomes the flow that it quotes. Echo to a VIP is answered; to a sandbox it goes
 * as any packet does. VERDICT_CONTINUE: `packet` is to be served. A function of its own, verified
 * once, on a copy: so the fast path's packet can stay in registers.
 */
__noinline int handle_icmp(struct xdp_md *ctx, struct packet *packet)
{
	const struct settings *in_force;
	enum fragment_fate fate;
	__u32 zero = 0;

	in_force = bpf_map_lookup_elem(&settings, &zero);
	if (!packet || !in_force || !quote_is_icmp(packet))
		return VERDICT_PASS_NOT_OURS;
	if (!answer_is_echo(ctx, packet))
		return quote_read(packet, packet_l3(ctx, packet), (void *)(long)ctx->data_end)
			       ? VERDICT_CONTINUE
			       : VERDICT_PASS_NOT_OURS;
	fate = fragment_echo(in_force, packet);
	if (fate == FRAGMENT_FATE_ANSWER)
		return answer_echo(ctx, packet);
	return fate == FRAGMENT_FATE_FLOW ? VERDICT_CONTINUE : VERDICT_PASS_NOT_OURS;
}

/* A later fragment becomes a packet of its first one's flow; a first one is noted. */
__noinline int handle_fragment(struct xdp_md *ctx, struct packet *packet)
{
	const struct settings *in_force;
	__u32 zero = 0;

	in_force = bpf_map_lookup_elem(&settings, &zero);
	if (!packet || !in_force)
		return VERDICT_PASS_NOT_OURS;
	if (packet->fragment == FRAGMENT_LATER)
		return fragment_follow(ctx, in_force, packet);
	if (!fragment_is_ours(in_force, packet))
		return VERDICT_PASS_NOT_OURS;
	fragment_note(in_force, packet, fragment_fate(ctx, in_force, packet));
	return VERDICT_CONTINUE;
}

/* What is no whole TCP or UDP packet. */
static __always_inline enum verdict handle_other(struct xdp_md *ctx, struct packet *packet)
{
	struct packet copy = *packet;
	enum verdict verdict = VERDICT_CONTINUE;

	if (copy.fragment != FRAGMENT_WHOLE)
		verdict = handle_fragment(ctx, &copy);
	if (verdict == VERDICT_CONTINUE && copy.fragment != FRAGMENT_LATER &&
	    !packet_has_ports(&copy))
		verdict = handle_icmp(ctx, &copy);
	*packet = copy;
	return verdict;
}

static __always_inline enum verdict handle(struct xdp_md *ctx, const struct settings *in_force)
{
	const struct service *service;
	struct packet packet;
	enum verdict verdict;

	if (!in_force || in_force->layout != MAPS_LAYOUT)
		return VERDICT_PASS_UNCONFIGURED;
	verdict = parse(ctx, &packet);
	if (verdict != VERDICT_CONTINUE)
		return verdict;
	if (!packet_is_simple(&packet)) {
		verdict = handle_other(ctx, &packet);
		if (verdict != VERDICT_CONTINUE)
			return verdict;
	}
	packet_forget(&packet, in_force->hash_seed);
	service = service_of(in_force, &packet);
	if (!service)
		return VERDICT_PASS_NOT_OURS;
	verdict = serve(ctx, in_force, &packet, service);
	if (verdict != VERDICT_FORWARD_TX && verdict != VERDICT_FORWARD_REDIRECT)
		count_drop(service);
	return verdict;
}

static __always_inline void count_verdict(__u32 verdict, __u64 bytes)
{
	struct verdict_stats *stats = bpf_map_lookup_elem(&verdicts, &verdict);

	if (stats) {
		stats->packets++;
		stats->bytes += bytes;
	}
}

SEC("xdp.frags")
int xdp_lb(struct xdp_md *ctx)
{
	/* Of a multi-buffer frame: its linear part. */
	__u64 bytes = (void *)(long)ctx->data_end - (void *)(long)ctx->data;
	__u32 zero = 0;
	const struct settings *in_force = bpf_map_lookup_elem(&settings, &zero);
	enum verdict verdict = handle(ctx, in_force);
	int action = XDP_PASS;

	count_verdict(verdict, bytes);
	if (in_force && in_force->trace_rate)
		trace_packet(ctx, verdict);
	switch (verdict) {
#define X(name, text, act, meaning)                                                                \
	case VERDICT_##name:                                                                       \
		action = XDP_##act;                                                                \
		break;
		VERDICTS(X)
#undef X
	case VERDICT__COUNT:
		break;
	}
	if (action == XDP_PASS)
		bpf_tail_call(ctx, &next, 0);
	return action;
}

char _license[] SEC("license") = "GPL";
