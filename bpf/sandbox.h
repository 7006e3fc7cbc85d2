/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef EBB_BPF_SANDBOX_H
#define EBB_BPF_SANDBOX_H
/*
 * sandbox: where the sandbox of a packet was placed. At most two sets of `sandbox_index` (maps/sandbox.h) are read, each a
 * cache line and an inlined array access; `sandboxes`, a hash map and some 400 ns, is asked only where a way says so, or
 * while the index is not in force.
 *
 * The controller moves an entry from its first set to its second while packets look: it copies, then it overwrites. Whoever
 * no longer finds it in the first finds it in the second, if the second is read after the first.
 */
#include "bpf/packet.h"
#include "maps/maps.bpf.h"

/* A function of its own, since it is verified once and called rarely. 0: not placed. */
__noinline int sandbox_ask(struct sandbox_key *key)
{
	const struct sandbox *sandbox;
	struct sandbox_key copy; /* kernels before 6.2 take a key from the function's own stack only */

	if (!key)
		return 0;
	copy = *key;
	sandbox = bpf_map_lookup_elem(&sandboxes, &copy);
	return sandbox ? sandbox->backend | (__u32)sandbox->former << 16 : 0;
}

/* The way with this tag, as one word; 0: none. Masks rather than branches: one path for the verifier, none to mispredict. */
static __always_inline __u64 sandbox_way(const struct sandbox_set *set, __u32 tag)
{
	const volatile __u64 *ways = (const volatile __u64 *)set;
	__u64 found = 0;

#pragma unroll
	for (int way = 0; way < SANDBOX_WAYS; way++) {
		__u64 word = ways[way], same = (__u32)word ^ tag;

		/* All ones if it was 0, else 0. Of the same in C the compiler makes a branch. */
		__asm__ volatile("%0 += -1\n%0 s>>= 63" : "+r"(same));
		found |= word & same;
	}
	return found;
}

/* As sandbox_way(), of both sets. False: `sandboxes` is to be asked. */
static __always_inline bool sandbox_find(const struct settings *settings, __u64 hash,
					 __u64 *ret_word)
{
	__u32 sets = settings->sandbox_sets, tag = hash_sandbox_tag(hash);
	__u32 index = hash_sandbox_set(hash, sets);
	const struct sandbox_set *set = bpf_map_lookup_elem(&sandbox_index, &index);
	__u64 word;

	if (!set)
		return false;
	word = sandbox_way(set, tag);
	if (!word) {
		/* 0, but a processor has to wait for it before it can load from the second set. */
		__asm__ volatile("" : "+r"(word));
		index = hash_sandbox_other(index, tag, sets) + (__u32)word;
		set = bpf_map_lookup_elem(&sandbox_index, &index);
		if (!set)
			return false;
		word = sandbox_way(set, tag | SANDBOX_SECOND);
	}
	*ret_word = word;
	return !word || word >> 32;
}

/* Backend | former owner << 16; 0: not placed. */
static __always_inline __u32 sandbox_owners(const struct service *service,
					    const struct packet *packet)
{
	struct sandbox_key key = {.address = packet->destination, .service = service->id};
	const struct settings *in_force;
	__u32 zero = 0;
	__u64 word;

	if (service->flags & SERVICE_SANDBOX_PORT)
		key.port_be = packet_destination_port(packet);
	in_force = bpf_map_lookup_elem(&settings, &zero);
	if (in_force && in_force->sandbox_sets &&
	    sandbox_find(in_force,
			 hash_sandbox(packet->is_ipv4, &key.address, key.port_be, key.service,
				      in_force->sandbox_seed),
			 &word))
		return word >> 32;
	return sandbox_ask(&key);
}

#endif
