/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_NAMEHASH_H
#define EBB_NAMEHASH_H
/*
 * namehash: the 64 bits by which the pure core knows a backend. Everything that must be the same on
 * every edge host (ties of quotas, the backend's permutation of the slots, jitter, digest) comes
 * from this and never from an index or an id, which differ between hosts. FNV-1a over the bytes of
 * the name, then a finaliser (all 64 bits depend on all bytes).
 */
#include <stddef.h>
#include <stdint.h>

static inline uint64_t hash_mix(uint64_t x)
{
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93u;
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93u;
	x ^= x >> 32;
	return x;
}

/* `name`: NUL-terminated, "provider/region/backend" or whatever is unique in a fleet. */
static inline uint64_t name_hash(const char *name)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * 0x100000001b3u;
	return hash_mix(h + 0x9e3779b97f4a7c15u);
}

/* Of what is written to files, against damage, not against forgery. */
static inline uint64_t hash_checksum(const char *bytes, size_t length)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < length; i++)
		h = (h ^ (unsigned char)bytes[i]) * 0x100000001b3u;
	return hash_mix(h);
}

#endif
