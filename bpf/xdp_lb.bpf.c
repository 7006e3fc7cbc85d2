// SPDX-License-Identifier: GPL-2.0-only
#include "maps/maps.bpf.h"

/* Number of entries of `flows` - 1; the number is a power of two. Set before load. */
const volatile __u32 flow_set_mask = FLOW_SETS_DEFAULT - 1;

SEC("xdp.frags")
int xdp_lb(struct xdp_md *ctx)
{
	__u32 key = VERDICT_PASS_NOT_OURS;
	struct verdict_stats *stats = bpf_map_lookup_elem(&verdicts, &key);

	if (stats)
		stats->packets += flow_set_mask != 0;
	bpf_tail_call(ctx, &next, 0);
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
