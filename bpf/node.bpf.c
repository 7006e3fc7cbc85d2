// SPDX-License-Identifier: GPL-2.0-only
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "maps/node.h"
#include "maps/stats.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, NODE__COUNT);
	__type(key, __u32);
	__type(value, struct verdict_stats);
} node_verdicts SEC(".maps");

SEC("xdp.frags")
int node(struct xdp_md *ctx)
{
	__u32 key = NODE_PASS_PLAIN;
	struct verdict_stats *stats = bpf_map_lookup_elem(&node_verdicts, &key);

	if (stats)
		stats->packets++;
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
