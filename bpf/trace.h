/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef EBB_BPF_TRACE_H
#define EBB_BPF_TRACE_H
/*
 * trace: what became of one packet in settings.trace_rate, for `ebb trace` (maps/trace.h). Off, it
 * costs one load and one branch.
 */
#include "bpf/packet.h"
#include "maps/maps.bpf.h"

/* A function of its own, off the fast path. */
__noinline int trace_packet(struct xdp_md *ctx, __u32 verdict)
{
	__u32 zero = 0, length = bpf_xdp_get_buff_len(ctx), captured;
	const struct settings *in_force = bpf_map_lookup_elem(&settings, &zero);
	struct trace_record *record;
	__u64 now_ns = bpf_ktime_get_ns();

	if (!in_force || !in_force->trace_rate || now_ns >= in_force->trace_until_ns ||
	    bpf_get_prandom_u32() % in_force->trace_rate)
		return 0;
	record = bpf_ringbuf_reserve(&trace, sizeof(*record), 0);
	if (!record)
		return 0;
	captured = length < TRACE_BYTES ? length : TRACE_BYTES;
	record->time_ns = now_ns;
	record->ifindex = ctx->ingress_ifindex;
	record->length = length;
	record->verdict = verdict;
	record->captured = captured;
	record->reserved = 0;
	__builtin_memset(record->bytes, 0, sizeof(record->bytes));
	/* 1 to TRACE_BYTES by a mask, since Linux 6.1 learns no lower bound from a 32-bit
	 * comparison; of an empty frame the read fails. */
	if (bpf_xdp_load_bytes(ctx, 0, record->bytes, ((captured - 1) & (TRACE_BYTES - 1)) + 1))
		record->captured = 0;
	bpf_ringbuf_submit(record, 0);
	return 0;
}

#endif
