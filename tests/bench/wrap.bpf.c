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
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include <stdbool.h>

#include "tests/bench/wrap.h"

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} under_test SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct wrap);
} traffic SEC(".maps");

static __always_inline void wrap_copy(void *to, const __u8 *from, int length)
{
#pragma unroll
	for (int i = 0; i < 12; i += 4)
		*(volatile __u32 *)(to + i) = *(const __u32 *)(from + i);
	*(volatile __u16 *)(to + 12) = *(const __u16 *)(from + 12);
#pragma unroll
	for (int i = 14; i < length; i += 4)
		*(volatile __u32 *)(to + i) = *(const __u32 *)(from + i + 2);
}

/* Which flow is next: by index, or (a flood) anywhere. */
static __always_inline __u32 wrap_flow(const struct wrap *w)
{
	__u64 i = w->next;

	if (w->is_random) {
		i *= 0x9e3779b97f4a7c15ULL;
		i ^= i >> 29;
		i *= 0xbf58476d1ce4e5b9ULL;
		return i >> 32;
	}
	return i & w->flow_mask;
}

static __always_inline void wrap_vary(void *source, void *destination, void *ports,
				      const struct wrap *w)
{
	__u32 i = wrap_flow(w);

	*(volatile __u32 *)source = bpf_htonl(w->source + i);
	*(volatile __u32 *)destination = bpf_htonl(w->destination + (i & w->destination_mask));
	*(volatile __u32 *)ports =
		w->port_be << 16 | bpf_htons(w->source_port + (i * 0x9e37 & 0x7fff));
}

SEC("xdp.frags")
int wrap(struct xdp_md *ctx)
{
	__u32 zero = 0;
	struct wrap *w = bpf_map_lookup_elem(&traffic, &zero);
	void *data, *data_end;
	long grown;

	if (!w)
		return XDP_ABORTED;
	grown = (ctx->data_end - ctx->data) - (w->is_ipv4 ? WRAP_IPV4_BYTES : WRAP_IPV6_BYTES);
	if (bpf_xdp_adjust_head(ctx, grown))
		return XDP_ABORTED;
	data = (void *)(long)ctx->data;
	data_end = (void *)(long)ctx->data_end;
	if (w->is_ipv4) {
		if (data + WRAP_IPV4_BYTES > data_end)
			return XDP_ABORTED;
		wrap_copy(data, w->frame, WRAP_IPV4_BYTES);
		wrap_vary(data + 26, data + 30, data + 34, w);
	} else {
		if (data + WRAP_IPV6_BYTES > data_end)
			return XDP_ABORTED;
		wrap_copy(data, w->frame, WRAP_IPV6_BYTES);
		wrap_vary(data + 34, data + 50, data + 54, w);
	}
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
