/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef EBB_TESTS_BENCH_WRAP_PACKET_H
#define EBB_TESTS_BENCH_WRAP_PACKET_H
/* wrap_packet: writes the next packet of the traffic that a bench wants into a frame. BPF side
 * only. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include <stdbool.h>

#include "tests/bench/wrap.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct wrap);
} traffic SEC(".maps");

static __always_inline struct wrap *wrap_orders(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&traffic, &zero);
}

/* In the words in which programs read. */
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

/* Which flow is next: by index, or (a flood) anywhere in 2^47, so that hardly one comes twice. */
static __always_inline __u64 wrap_flow(const struct wrap *w)
{
	__u64 i = w->in_pairs ? w->next >> 1 : w->next;

	if (w->is_random) {
		i *= 0x9e3779b97f4a7c15ULL;
		i ^= i >> 29;
		i *= 0xbf58476d1ce4e5b9ULL;
		return i ^ i >> 32;
	}
	return i & w->flow_mask;
}

static __always_inline void wrap_vary(void *source, void *destination, void *ports,
				      const struct wrap *w)
{
	__u64 flow = wrap_flow(w);
	__u32 i = flow, port = i + (flow >> 32);

	*(volatile __u32 *)source = bpf_htonl(w->source + i);
	*(volatile __u32 *)destination = bpf_htonl(w->destination + (i & w->destination_mask));
	*(volatile __u32 *)ports =
		w->port_be << 16 | bpf_htons(w->source_port + (port * 0x9e37 & 0x7fff));
	if (w->in_pairs)
		*(volatile __u8 *)(ports + 13) = w->next & 1 ? 0x10 : 0x02;
}

static __always_inline bool wrap_write(void *data, void *data_end, const struct wrap *w)
{
	if (w->is_ipv4) {
		if (data + WRAP_IPV4_BYTES > data_end)
			return false;
		wrap_copy(data, w->frame, WRAP_IPV4_BYTES);
		wrap_vary(data + 26, data + 30, data + 34, w);
	} else {
		if (data + WRAP_IPV6_BYTES > data_end)
			return false;
		wrap_copy(data, w->frame, WRAP_IPV6_BYTES);
		wrap_vary(data + 34, data + 50, data + 54, w);
	}
	return true;
}

#endif
