// SPDX-License-Identifier: GPL-2.0-only
/*
 * node: the backend's program. A packet's way is the order of the includes:
 *
 *   tunnel.h   frame -> tunnel                 passes what is not encapsulated
 *   parse.h    the inner packet                the same parser as the edge's
 *   socket.h   has it a next hop, and no socket here?
 *   passon.h   then: to the next hop
 *   tunnel.h   else: strip, and up the stack
 *
 * Without it a kernel tunnel device can strip as well; only the next hop is lost. It keeps no
 * state.
 */
#include "bpf/tunnel.h"
#include "bpf/parse.h"
#include "bpf/socket.h"
#include "bpf/passon.h"
#include "maps/stats.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, NODE__COUNT);
	__type(key, __u32);
	__type(value, struct verdict_stats);
} node_verdicts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct node_settings);
} node_settings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, NODE_EDGES_MAX);
	__type(key, struct node_edge_key);
	__type(value, __u32);
} node_edges SEC(".maps");

static __always_inline bool sender_allowed(const struct tunnel *tunnel)
{
	struct node_edge_key key = {.prefix_length = 128, .address = tunnel->source};
	__u32 zero = 0;
	const struct node_settings *in_force = bpf_map_lookup_elem(&node_settings, &zero);

	return !in_force || !in_force->check_edges || bpf_map_lookup_elem(&node_edges, &key);
}

/* The inner packet must fit into the outer one. One that is for nobody we know is the stack's to
 * judge. */
static __always_inline enum node_verdict read_inner(struct xdp_md *ctx, const struct tunnel *tunnel,
						    struct packet *packet)
{
	const void *data_end = (void *)(long)ctx->data_end, *l3;
	enum verdict verdict;

	packet->l3_offset = tunnel->l2_length + tunnel->length;
	l3 = (void *)(long)ctx->data + packet->l3_offset;
	packet->length = 0;
	verdict = tunnel->inner_is_ipv4 ? parse_ipv4(ctx, packet, l3, data_end)
					: parse_ipv6(ctx, packet, l3, data_end);
	if (verdict == VERDICT_PASS_MALFORMED || packet->length > tunnel->room)
		return NODE_DROP_MALFORMED;
	if (verdict != VERDICT_CONTINUE)
		packet->protocol = IPPROTO_RAW;
	packet_forget(packet, tunnel->total);
	return NODE_CONTINUE;
}

static __always_inline enum node_verdict handle(struct xdp_md *ctx)
{
	enum node_verdict verdict, accepted;
	struct tunnel tunnel;
	struct packet packet;

	verdict = tunnel_read(ctx, &tunnel);
	if (verdict != NODE_CONTINUE)
		return verdict;
	if (!sender_allowed(&tunnel))
		return NODE_DROP_NOT_ALLOWED;
	verdict = read_inner(ctx, &tunnel, &packet);
	if (verdict != NODE_CONTINUE)
		return verdict;
	accepted = tunnel.gue ? NODE_ACCEPT_GUE : NODE_ACCEPT_IPIP;
	if (tunnel.hop_next < tunnel.hop_count) {
		accepted = socket_claims(ctx, &packet, (void *)(long)ctx->data + packet.l3_offset,
					 (void *)(long)ctx->data_end);
		if (accepted == NODE_CONTINUE ||
		    (accepted == NODE_ACCEPT_SYN && tunnel.forward_syn))
			return passon(ctx, &tunnel);
	}
	verdict = tunnel_ecn(ctx, &tunnel);
	if (verdict == NODE_CONTINUE)
		verdict = tunnel_strip(ctx, &tunnel);
	return verdict == NODE_CONTINUE ? accepted : verdict;
}

static __always_inline void count_verdict(__u32 verdict, __u64 bytes)
{
	struct verdict_stats *stats = bpf_map_lookup_elem(&node_verdicts, &verdict);

	if (stats) {
		stats->packets++;
		stats->bytes += bytes;
	}
}

SEC("xdp.frags")
int node(struct xdp_md *ctx)
{
	__u64 bytes = (void *)(long)ctx->data_end - (void *)(long)ctx->data;
	enum node_verdict verdict = handle(ctx);

	count_verdict(verdict, bytes);
	switch (verdict) {
#define X(name, text, action, meaning)                                                             \
	case NODE_##name:                                                                          \
		return XDP_##action;
		NODE_VERDICTS(X)
#undef X
	case NODE__COUNT:
		break;
	}
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
