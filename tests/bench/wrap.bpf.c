// SPDX-License-Identifier: GPL-2.0-only
/*
 * wrap: what stands between BPF_PROG_TEST_RUN and the program under test.
 *
 * With `repeat`, the kernel hands the same buffer to every run: a program that encapsulates would
 * see its own output from the second run on. So each run begins here: the head goes back to where
 * it was, the headers are written anew, the flow becomes the next one, and the program in
 * `under_test` is called as a tail call. The same with the empty program in its place is what is
 * subtracted.
 *
 * The frame is written in the words in which programs read it, and the atomic add before the call
 * waits until the stores are in the cache: otherwise a read that spans two of them would wait for
 * what no NIC makes it wait.
 */
#include "tests/bench/wrap_packet.h"

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} under_test SEC(".maps");

SEC("xdp.frags")
int wrap(struct xdp_md *ctx)
{
	struct wrap *w = wrap_orders();
	long grown;

	if (!w)
		return XDP_ABORTED;
	grown = (ctx->data_end - ctx->data) - (w->is_ipv4 ? WRAP_IPV4_BYTES : WRAP_IPV6_BYTES);
	if (bpf_xdp_adjust_head(ctx, grown))
		return XDP_ABORTED;
	if (!wrap_write((void *)(long)ctx->data, (void *)(long)ctx->data_end, w))
		return XDP_ABORTED;
	__sync_fetch_and_add(&w->next, 1);
	bpf_tail_call(ctx, &under_test, 0);
	return XDP_ABORTED;
}

SEC("xdp.frags")
int empty(struct xdp_md *ctx)
{
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
