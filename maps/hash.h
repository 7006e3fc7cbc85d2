/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_MAPS_HASH_H
#define EBB_MAPS_HASH_H
/*
 * hash: the keyed hashes that kernel and user space must agree on.
 *
 * NH (UMAC, RFC 4418 section 5.2) over 32-bit words, that is a sum of 32x32->64 products of data
 * plus key words, and one multiply-and-fold to spread the sum over all bits. The key words are
 * multiples of a 64-bit seed. The products do not wait for each other, so a flow costs 2 to 4 ns.
 * IPv4 hashes only its four bytes, not the mapped form.
 *
 * Words are read as they lie in memory; a fleet must not mix byte orders.
 */
#include "maps/types.h"

#define HASH_INLINE static inline __attribute__((always_inline, unused))

/* Odd, with half of the bits set; each pair of key words is the seed times one of them. */
#define HASH_K1 0x9e3779b97f4a7c15ULL
#define HASH_K2 0xd6e8feb86659fd93ULL
#define HASH_K3 0xa0761d6478bd642fULL
#define HASH_K4 0xe7037ed1a0b428dbULL

HASH_INLINE __u32 hash_word(const struct address *address, int i)
{
	__u32 word;

	__builtin_memcpy(&word, address->bytes + 4 * i, 4);
	return word;
}

/* One NH step: two data words under one 64-bit key. */
HASH_INLINE __u64 hash_pair(__u32 a, __u32 b, __u64 key)
{
	return (__u64)(__u32)(a + (__u32)key) * (__u32)(b + (__u32)(key >> 32));
}

HASH_INLINE __u64 hash_final(__u64 hash)
{
	hash ^= hash >> 32;
	hash *= HASH_K2;
	return hash ^ hash >> 32;
}

HASH_INLINE int hash_is_ipv4(const struct address *address)
{
	static const __u8 mapped[12] = {[10] = 0xff, [11] = 0xff};

	return __builtin_memcmp(address->bytes, mapped, sizeof(mapped)) == 0;
}

/*
 * One address and one word: for the service tables, `affinity: source` and `sandbox`.
 * `is_ipv4` must be hash_is_ipv4(address); the data plane knows it without looking.
 */
HASH_INLINE __u64 hash_address(int is_ipv4, const struct address *address, __u32 extra, __u64 seed)
{
	__u64 sum = hash_pair(hash_word(address, 3), extra, seed);

	if (!is_ipv4) {
		sum += hash_pair(hash_word(address, 0), hash_word(address, 1), seed * HASH_K1);
		sum += hash_pair(hash_word(address, 2), extra, seed * HASH_K3);
	}
	return hash_final(sum);
}

/*
 * A flow: `source` and `destination` of what the client sends; `ports` as the first four bytes of
 * the L4 header lie in memory (source port first).
 */
HASH_INLINE __u64 hash_flow(int is_ipv4, const struct address *source,
			    const struct address *destination, __u32 ports, __u8 protocol,
			    __u64 seed)
{
	__u64 sum = hash_pair(hash_word(source, 3), hash_word(destination, 3), seed) +
		    hash_pair(ports, protocol, seed * HASH_K1);

	if (!is_ipv4) {
		sum += hash_pair(hash_word(source, 0), hash_word(source, 1), seed * HASH_K2);
		sum += hash_pair(hash_word(source, 2), hash_word(destination, 2), seed * HASH_K3);
		sum += hash_pair(hash_word(destination, 0), hash_word(destination, 1),
				 seed * HASH_K4);
	}
	return hash_final(sum);
}

/*
 * Position of a key in one half of `services` or `prefixes`. An entry is at position 1 or 2:
 *   hash_service_position(hash, 0 or 1, SERVICES_TABLE_SIZE or PREFIXES_TABLE_SIZE).
 * `prefix_length`: of the 16-byte form (96 + length for IPv4) in `prefixes`; 0 in `services`.
 * The settings_table's seed of the half is the seed.
 */
HASH_INLINE __u64 hash_service(int is_ipv4, const struct address *address, __be16 port_be,
			       __u8 protocol, __u8 prefix_length, __u64 seed)
{
	return hash_address(is_ipv4, address,
			    (__u32)port_be | (__u32)protocol << 16 | (__u32)prefix_length << 24,
			    seed);
}

HASH_INLINE __u32 hash_service_position(__u64 hash, int which, __u32 table_size)
{
	return (__u32)(which ? hash >> 32 : hash) & (table_size - 1);
}

/* Bit of `service_filter`. Without a seed, since whom it deceives only looks once more. `prefix_length` as above. */
HASH_INLINE __u32 hash_filter(int is_ipv4, const struct address *address, __u8 prefix_length)
{
	__u64 sum = hash_word(address, 3) | (__u64)prefix_length << 32;

	if (!is_ipv4) {
		sum += (__u64)hash_word(address, 0) << 32 | hash_word(address, 1);
		sum = sum * HASH_K3 + hash_word(address, 2);
	}
	return (__u32)(sum * HASH_K1 >> 48) & (64 * SERVICE_FILTER_WORDS - 1);
}

/* What the 64 bits of a flow's or key's hash are used for. */
HASH_INLINE __u32 hash_slot(__u64 hash, __u32 slot_count)
{
	return (__u32)(((hash & 0xffffffff) * slot_count) >> 32);
}

/* Low bits: the slot takes the high ones of the same word. `mask`: number of sets - 1. */
HASH_INLINE __u32 hash_flow_set(__u64 hash, __u32 mask)
{
	return (__u32)hash & mask;
}

HASH_INLINE __u32 hash_fingerprint(__u64 hash)
{
	return (__u32)(hash >> 32);
}

/*
 * Handshakes (maps/signals.h) use bits 32..63: the lowest four of them say whether the flow is in the sample, the next
 * 14 its place, the upper 15 (one of them also of its place) its fingerprint.
 */
HASH_INLINE int hash_is_sampled(__u64 hash, __u32 one_in)
{
	return !(hash >> 32 & (one_in - 1));
}

HASH_INLINE __u32 hash_handshake(__u64 hash, __u32 entries)
{
	return (__u32)(hash >> 36) & (entries - 1);
}

HASH_INLINE __u16 hash_handshake_fingerprint(__u64 hash)
{
	return (__u16)(hash >> 49);
}

/* A sandbox in `sandbox_index`: settings.sandbox_seed is the seed, `sets` settings.sandbox_sets, any number. */
HASH_INLINE __u64 hash_sandbox(int is_ipv4, const struct address *address, __be16 port_be, __u16 service, __u64 seed)
{
	return hash_address(is_ipv4, address, (__u32)port_be | (__u32)service << 16, seed);
}

HASH_INLINE __u32 hash_sandbox_set(__u64 hash, __u32 sets)
{
	return (__u32)((hash & 0xffffffff) * sets >> 32);
}

HASH_INLINE __u32 hash_sandbox_tag(__u64 hash)
{
	__u32 tag = (__u32)(hash >> 33);

	return tag + !tag;
}

/*
 * From the first set to the second and back, so that who shares one of them and the tag shares both (as in cuckoo filters;
 * the difference to a number of the tag, modulo the sets, since their number is no power of two).
 */
HASH_INLINE __u32 hash_sandbox_other(__u32 set, __u32 tag, __u32 sets)
{
	__s64 other = (__s64)((tag * HASH_K1 >> 32) * sets >> 32) - set;

	return (__u32)(other + (other >> 63 & sets));
}

/* UDP source port of the encapsulation, 49152..65535, host order (RFC 6335 dynamic ports). */
HASH_INLINE __u16 hash_source_port(__u64 hash)
{
	return (__u16)(0xc000 | (hash >> 32 & 0x3fff));
}

/* IPv6 flow label of the outer header, host order (RFC 6438). */
HASH_INLINE __u32 hash_flow_label(__u64 hash)
{
	return (__u32)(hash >> 40) & 0xfffff;
}

#endif
