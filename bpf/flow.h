/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef EBB_BPF_FLOW_H
#define EBB_BPF_FLOW_H
/*
 * flow: the table that remembers which backend a flow began on (maps/flow.h). Eight ways in one
 * cache line, no locks: each way is one word, so a reader sees an old note or a new one, and of two
 * writers one wins.
 *
 * Room is made in this order: a free way; a closed flow; the longest idle of the flows that were
 * never heard of again after their first packet; the longest idle. So a flood of first packets
 * displaces itself.
 */
#include "bpf/packet.h"
#include "maps/maps.bpf.h"

/* Number of entries of `flows` - 1; the number is a power of two. Set before load. */
const volatile __u32 flow_set_mask = FLOW_SETS_DEFAULT - 1;

#define FLOW_WORD(fingerprint, backend, seen)                                                      \
	((__u64)(fingerprint) | (__u64)(backend) << 32 | (__u64)(seen) << 48)
#define FLOW_WORD_BACKEND(word) ((__u16)((word) >> 32))
#define FLOW_WORD_SEEN(word)    ((__u16)((word) >> 48))

/* jiffies / 512: 0.5 s to 5 s a step, which is fine enough to tell idle from busy. */
static __always_inline __u16 flow_now(void)
{
	return (bpf_jiffies64() >> 9) & FLOW_SEEN_TIME;
}

static __always_inline __u64 *flow_set(__u64 hash)
{
	__u32 index = hash_flow_set(hash, flow_set_mask);

	return bpf_map_lookup_elem(&flows, &index);
}

static __always_inline __u64 flow_read(const __u64 *set, int way)
{
	return ((const volatile __u64 *)set)[way];
}

static __always_inline void flow_write(__u64 *set, int way, __u64 word)
{
	((volatile __u64 *)set)[way] = word;
}

/* The way that holds the flow; -1 if none does. */
static __always_inline int flow_way(const __u64 *set, __u64 hash)
{
	__u32 fingerprint = hash_fingerprint(hash);

#pragma unroll
	for (int way = 0; way < FLOW_WAYS; way++) {
		__u64 word = flow_read(set, way);

		if ((__u32)word == fingerprint && FLOW_WORD_BACKEND(word) != BACKEND_NONE)
			return way;
	}
	return -1;
}

/* The flow's backend, or BACKEND_NONE. Notes that the flow lives, or that it ends. */
static __always_inline __u16 flow_find(__u64 hash, __u8 tcp_flags)
{
	__u64 *set = flow_set(hash);
	__u16 seen;
	__u64 word;
	int way;

	if (!set)
		return BACKEND_NONE;
	way = flow_way(set, hash);
	if (way < 0 || way >= FLOW_WAYS)
		return BACKEND_NONE;
	word = flow_read(set, way);
	seen = flow_now() | FLOW_SEEN_AGAIN | (FLOW_WORD_SEEN(word) & FLOW_SEEN_CLOSED);
	if (tcp_flags & (TCP_FIN | TCP_RST))
		seen |= FLOW_SEEN_CLOSED;
	/* Most packets change nothing and leave the cache line clean. */
	if (seen != FLOW_WORD_SEEN(word))
		flow_write(set, way, FLOW_WORD((__u32)word, FLOW_WORD_BACKEND(word), seen));
	return FLOW_WORD_BACKEND(word);
}

/*
 * How readily a way is given up: the order above as the bits of a number, over its idle time, over
 * the way's number. Sums of masks rather than branches: 8 ways with 4 branches each are more paths
 * than the verifier walks.
 */
static __always_inline __u64 flow_cost(__u64 word, __u32 fingerprint, __u16 now, __u32 way)
{
	__u64 seen = word >> 48, idle = (now - seen) & FLOW_SEEN_TIME;
	__u64 closed = (seen & FLOW_SEEN_CLOSED) << 2;                     /* 0x20000 */
	__u64 once = (~seen & FLOW_SEEN_AGAIN) << 2;                       /* 0x10000 */
	__u64 unused = ((word >> 32 & 0xffff) - 1) >> 63 << 18;            /* 0x40000 */
	__u64 same = ((__u64)((__u32)word ^ fingerprint) - 1) >> 63 << 19; /* 0x80000 */

	return (idle | closed | once | unused | same) << 3 | way;
}

/* Notes that a flow begins on `backend`. A function of its own, since it is verified once and
 * called rarely. */
__noinline int flow_note(__u64 hash, __u32 backend)
{
	__u64 *set = flow_set(hash);
	__u32 fingerprint = hash_fingerprint(hash);
	__u16 now = flow_now();
	__s64 best = 0, over;

	if (!set)
		return 0;
#pragma unroll
	for (int way = 0; way < FLOW_WAYS; way++) {
		over = flow_cost(flow_read(set, way), fingerprint, now, way) - best;
		/* best = max(best, cost), and the compiler is not to make a branch of it. */
		__asm__ volatile("" : "+r"(over));
		best += over & ~(over >> 63);
	}
	flow_write(set, best & (FLOW_WAYS - 1), FLOW_WORD(fingerprint, backend & 0xffff, now));
	return 0;
}

#endif
