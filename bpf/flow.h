/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef EBB_BPF_FLOW_H
#define EBB_BPF_FLOW_H
/*
 * flow: the two tables that remember which backend a flow began on (maps/flow.h). Eight ways in one
 * cache line, no locks: each way is one word, so a reader sees an old note or a new one, and of two
 * writers one wins.
 *
 * 1. The first packet of a flow is noted in `nursery`, which stays in a core's cache. There the newest
 *    note of a set is first and the oldest falls out, whatever they are.
 * 2. The second one moves the note to `flows`, unless it ends the flow or is an error that quotes it.
 *    Room is made there in this order: a free way; a closed flow; the longest idle of the flows that
 *    were not heard of again after that; the longest idle.
 * 3. An open note in `flows` that names the slot's primary is followed at once. Otherwise the nursery is
 *    asked first: a SYN since then has begun another flow of the same addresses and ports.
 *
 * So a flood of first packets costs no load from memory and displaces no flow of which two packets
 * were seen.
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

static __always_inline __u64 *flow_nursery(__u64 hash)
{
	__u32 index = hash_flow_set(hash, NURSERY_SETS - 1);

	return bpf_map_lookup_elem(&nursery, &index);
}

static __always_inline __u64 flow_read(const __u64 *set, int way)
{
	return ((const volatile __u64 *)set)[way];
}

static __always_inline void flow_write(__u64 *set, int way, __u64 word)
{
	((volatile __u64 *)set)[way] = word;
}

/* The flow's word, 0 if there is none. */
static __always_inline __u64 flow_word(const __u64 *set, __u64 hash)
{
	__u32 fingerprint = hash_fingerprint(hash);

#pragma unroll
	for (int way = 0; way < FLOW_WAYS; way++) {
		__u64 word = flow_read(set, way);

		if ((__u32)word == fingerprint)
			return word;
	}
	return 0;
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

/* Rule 2. A function of its own, as those below, since it is verified once and called rarely. */
__noinline int flow_keep(__u64 hash, __u32 backend)
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

/* Writes `word` over the flow's; over all of them, since a SYN that came again may have been noted twice. */
static __always_inline void flow_replace(__u64 *set, __u64 hash, __u64 word)
{
	for (int way = 0; way < FLOW_WAYS; way++)
		if ((__u32)flow_read(set, way) == hash_fingerprint(hash))
			flow_write(set, way, word);
}

/* Rule 1: `backend` is where the flow begins. The others move up by one, to the first free way. */
__noinline int flow_note(__u64 hash, __u32 backend)
{
	__u64 *set = flow_nursery(hash), word, displaced;

	if (!set)
		return 0;
	word = FLOW_WORD(hash_fingerprint(hash), backend & 0xffff, flow_now());
	for (int way = 0; way < FLOW_WAYS; way++) {
		displaced = flow_read(set, way);
		flow_write(set, way, word);
		if (!displaced || (__u32)displaced == hash_fingerprint(hash))
			break;
		word = displaced;
	}
	return 0;
}

enum flow_event {
	FLOW_GOES_ON,
	FLOW_ENDS,      /* FIN or RST */
	FLOW_IS_QUOTED, /* by an ICMP error: it says nothing of the flow's life */
};

/* Rule 3 where the note in `flows`, `word`, does not do. */
__noinline int flow_ask(__u64 hash, __u64 word, __u32 event)
{
	__u64 *set = flow_set(hash), *young = flow_nursery(hash), begun;
	__u16 seen;

	if (!set || !young)
		return BACKEND_NONE;
	begun = flow_word(young, hash);
	if (FLOW_WORD_BACKEND(begun) != BACKEND_NONE) {
		if (event == FLOW_GOES_ON) {
			flow_keep(hash, FLOW_WORD_BACKEND(begun));
			flow_replace(young, hash, 0);
		}
		return FLOW_WORD_BACKEND(begun);
	}
	if (FLOW_WORD_BACKEND(word) == BACKEND_NONE || event == FLOW_IS_QUOTED)
		return FLOW_WORD_BACKEND(word);
	seen = flow_now() | FLOW_SEEN_AGAIN | (FLOW_WORD_SEEN(word) & FLOW_SEEN_CLOSED);
	if (event == FLOW_ENDS)
		seen |= FLOW_SEEN_CLOSED;
	if (seen != FLOW_WORD_SEEN(word))
		flow_replace(set, hash, FLOW_WORD((__u32)word, FLOW_WORD_BACKEND(word), seen));
	return FLOW_WORD_BACKEND(word);
}

/*
 * The flow's backend, or BACKEND_NONE. Most packets of an open flow that is on its slot's primary change
 * nothing: its time was noted, its line stays clean.
 */
static __always_inline __u16 flow_find(__u64 hash, enum flow_event event, __u16 primary)
{
	__u64 *set = flow_set(hash);
	__u64 word;

	if (!set)
		return BACKEND_NONE;
	word = flow_word(set, hash);
	if (event == FLOW_GOES_ON &&
	    word >> 32 == (primary | (__u64)(flow_now() | FLOW_SEEN_AGAIN) << 16))
		return primary;
	return flow_ask(hash, word, event);
}

#endif
