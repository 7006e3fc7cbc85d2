/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef EBB_BPF_HANDSHAKE_H
#define EBB_BPF_HANDSHAKE_H
/*
 * handshake: stage 6, of TCP packets that were sent on. Follows the handshakes of a sample of flows (maps/signals.h) from
 * the client's SYN to its first ACK, and says of each backend how many it completed, and how fast.
 *
 * A packet that is not in the sample pays for one mask of its hash. In the sample, one that can end no handshake (FIN)
 * pays no more; any other looks at one word. Nothing here decides a packet's fate.
 *
 * Only where the flow's own hash chose the slot. Else one client, or one sandbox that has ended, would speak for a whole
 * backend.
 */
#include "bpf/key.h"
#include "maps/maps.bpf.h"

#define HANDSHAKE_WORD(began, backend, fingerprint)                                                \
	((__u64)(__u32)(began) | (__u64)(backend) << 32 | (__u64)(fingerprint) << 48)
#define HANDSHAKE_BEGAN(word)       ((__u32)(word))
#define HANDSHAKE_BACKEND(word)     ((__u16)((word) >> 32))
#define HANDSHAKE_FINGERPRINT(word) ((__u16)((word) >> 48) & (HANDSHAKE_AGAIN - 1))

static __always_inline struct backend_signals *handshake_signals(__u32 backend)
{
	return bpf_map_lookup_elem(&backend_signals, &backend);
}

static __always_inline void handshake_count(__u64 *counter)
{
	__sync_fetch_and_add(counter, 1);
}

/* ceil(log2(us + 1)), at most the last bucket: us < 2^i. */
static __always_inline __u32 handshake_bucket(__u32 us)
{
	__u32 i = 0;

#pragma unroll
	for (int bits = 16; bits; bits >>= 1)
		if (us >> bits) {
			us >>= bits;
			i += bits;
		}
	i += us;
	return i < SIGNALS_BUCKETS ? i : SIGNALS_BUCKETS - 1;
}

static __always_inline void handshake_completed(__u64 word, __u32 took)
{
	struct backend_signals *signals = handshake_signals(HANDSHAKE_BACKEND(word));
	__u32 bucket = handshake_bucket(((__u64)took << 10) / 1000);

	if (!signals)
		return;
	handshake_count(&signals->completed);
	if (!(word >> 48 & HANDSHAKE_AGAIN))
		__sync_fetch_and_add(&signals->took[bucket], 1);
}

static __always_inline void handshake_begin(volatile __u64 *place, __u64 word, __u32 now,
					    __u16 fingerprint, __u32 backend)
{
	bool late = now - HANDSHAKE_BEGAN(word) >= HANDSHAKE_TIMEOUT_NS >> 10;
	bool same = word && HANDSHAKE_FINGERPRINT(word) == fingerprint;
	struct backend_signals *of_new = handshake_signals(backend), *of_old;

	if (!of_new)
		return;
	if (same)
		handshake_count(&of_new->retransmitted);
	if (word && !late && !same)
		return;
	if (same && !late && HANDSHAKE_BACKEND(word) == backend) {
		*place = word | (__u64)HANDSHAKE_AGAIN << 48;
		return;
	}
	*place = HANDSHAKE_WORD(now, backend, fingerprint);
	handshake_count(&of_new->begun);
	of_old = handshake_signals(HANDSHAKE_BACKEND(word));
	if (word && of_old)
		handshake_count(&of_old->timed_out);
}

/* A function of its own, since it is verified once and few packets call it. */
__noinline int handshake_see(__u64 hash, __u32 backend, __u32 tcp_flags)
{
	__u32 index = hash_handshake(hash, HANDSHAKES_MAX), now;
	__u16 fingerprint = hash_handshake_fingerprint(hash);
	volatile __u64 *place = bpf_map_lookup_elem(&handshakes, &index);
	struct backend_signals *signals;
	__u64 word;

	if (!place)
		return 0;
	word = *place;
	if (tcp_flags & TCP_SYN) {
		handshake_begin(place, word, bpf_ktime_get_ns() >> 10, fingerprint,
				backend & 0xffff);
		return 0;
	}
	if (!word || HANDSHAKE_FINGERPRINT(word) != fingerprint)
		return 0;
	*place = 0;
	if (tcp_flags & TCP_RST) {
		signals = handshake_signals(HANDSHAKE_BACKEND(word));
		if (signals)
			handshake_count(&signals->reset);
		return 0;
	}
	now = bpf_ktime_get_ns() >> 10;
	handshake_completed(word, now - HANDSHAKE_BEGAN(word));
	return 0;
}

/* An ICMP error has no flags, and no handshake. */
static __always_inline void handshake(const struct key *key, __u32 backend,
				      const struct packet *packet)
{
	__u32 flags = packet->tcp_flags & (TCP_FIN | TCP_SYN | TCP_RST | TCP_ACK);

	if (!hash_is_sampled(key->flow, HANDSHAKE_SAMPLE) || packet->protocol != IPPROTO_TCP)
		return;
	if ((flags == TCP_SYN || flags == TCP_ACK || flags & TCP_RST) && key->slot == key->flow)
		handshake_see(key->flow, backend, flags);
}

#endif
