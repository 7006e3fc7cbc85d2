// SPDX-License-Identifier: GPL-2.0-only
/*
 * forward: what bench_forward puts around the program under test: a generator (run with live
 * frames, whose head the kernel restores, but not their bytes), a sink that counts, and the least
 * that forwards: a program that only swaps MAC addresses.
 */
#include "tests/bench/wrap_packet.h"

const volatile __u32 out_ifindex = 0; /* where the generator sends; set before load */

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} received SEC(".maps");

SEC("xdp.frags")
int generate(struct xdp_md *ctx)
{
	struct wrap *w = wrap_orders();

	if (!w || !wrap_write((void *)(long)ctx->data, (void *)(long)ctx->data_end, w))
		return XDP_ABORTED;
	w->next++;
	return bpf_redirect(out_ifindex, 0);
}

SEC("xdp.frags")
int sink(struct xdp_md *ctx)
{
	__u32 zero = 0;
	__u64 *count = bpf_map_lookup_elem(&received, &zero);

	if (count)
		(*count)++;
	return XDP_DROP;
}

SEC("xdp.frags")
int swap(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	__u16 *mac = data;
	__u16 was[6];

	if (data + 14 > (void *)(long)ctx->data_end)
		return XDP_DROP;
#pragma unroll
	for (int i = 0; i < 6; i++)
		was[i] = mac[i];
#pragma unroll
	for (int i = 0; i < 6; i++)
		mac[i] = was[(i + 3) % 6];
	return XDP_TX;
}

char _license[] SEC("license") = "GPL";
