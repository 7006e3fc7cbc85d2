/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef EBB_BPF_SERVICE_H
#define EBB_BPF_SERVICE_H
/*
 * service: stage 2. Whose packet is it? Exact (address, port, protocol), then (address, any port),
 * then the longest prefix. Each is a look-up in a cuckoo table in an array (maps/service.h): at
 * most two inlined array accesses, 3 to 5 ns where a hash map's helper costs 32 and more. Before them
 * one bit says whether there can be anything to find.
 */
#include "bpf/packet.h"
#include "maps/maps.bpf.h"

struct service_key {
	struct address address;
	__be16 port_be;
	__u8 protocol;
	__u8 prefix_length; /* 0 in `services` */
};

static __always_inline bool service_matches(const struct service *service,
					    const struct service_key *key)
{
	return service->kind != SERVICE_KIND_EMPTY && service->port_be == key->port_be &&
	       service->protocol == key->protocol && service->prefix_length == key->prefix_length &&
	       address_equal(&service->address, &key->address);
}

/* False: no service has this address, or no prefix of this length has it masked. */
static __always_inline bool service_may_be(const struct settings *settings, bool is_ipv4,
					   const struct address *address, __u32 length)
{
	__u32 bit = hash_filter(is_ipv4, address, length);
	__u32 index = (settings->half & 1) * SERVICE_FILTER_WORDS + bit / 64;
	const __u64 *word = bpf_map_lookup_elem(&service_filter, &index);

	return word && *word >> (bit & 63) & 1;
}

/* `table`, `size`: constants after inlining. */
static __always_inline struct service *service_find(void *table, __u32 size,
						    const struct settings *settings, bool is_ipv4,
						    const struct service_key *key)
{
	__u32 half = settings->half & 1;
	__u64 hash = hash_service(is_ipv4, &key->address, key->port_be, key->protocol,
				  key->prefix_length, settings->table[half].seed);

#pragma unroll
	for (int which = 0; which < 2; which++) {
		__u32 index = half * size + hash_service_position(hash, which, size);
		struct service *service = bpf_map_lookup_elem(table, &index);

		if (service && service_matches(service, key))
			return service;
	}
	return NULL;
}

/* Zeroes what is behind the first `length` bits; of IPv4, 96 and more. */
static __always_inline void service_mask(struct address *address, bool is_ipv4, __u32 length)
{
	if (is_ipv4) {
		__u64 mask = 0xffffffff00000000ULL >> ((length - 96) & 63);

		address_set_word(address, 3, address_word(address, 3) & bpf_htonl((__u32)mask));
		return;
	}
#pragma unroll
	for (__u32 i = 0; i < 4; i++) {
		__u32 bits = length > 32 * (i + 1) ? 32 : length < 32 * i ? 0 : length - 32 * i;
		__u64 mask = 0xffffffff00000000ULL >> bits;

		address_set_word(address, i, address_word(address, i) & bpf_htonl((__u32)mask));
	}
}

static __always_inline struct service *service_by_prefix(const struct settings *settings,
							 const struct packet *packet)
{
	const struct settings_table *table = &settings->table[settings->half & 1];
	__u32 count = packet->is_ipv4 ? table->prefix_count_ipv4 : table->prefix_count_ipv6;

	for (__u32 i = 0; i < PREFIX_LENGTHS_MAX; i++) {
		struct service_key key = {.address = packet->destination};
		struct service *service;
		__u32 length;

		if (i >= count)
			break;
		length = packet->is_ipv4 ? 96 + table->prefix_lengths_ipv4[i]
					 : table->prefix_lengths_ipv6[i];
		if (length > 128)
			break;
		key.prefix_length = length;
		service_mask(&key.address, packet->is_ipv4, length);
		if (!service_may_be(settings, packet->is_ipv4, &key.address, length))
			continue;
		service = service_find(&prefixes, PREFIXES_TABLE_SIZE, settings, packet->is_ipv4,
				       &key);
		if (service)
			return service;
	}
	return NULL;
}

/* The entry that says that this address is a VIP, whatever the port. */
static __always_inline struct service *service_marker(const struct settings *settings,
						      const struct packet *packet)
{
	struct service_key key = {.address = packet->destination};

	return service_find(&services, SERVICES_TABLE_SIZE, settings, packet->is_ipv4, &key);
}

static __always_inline struct service *service_of(const struct settings *settings,
						  const struct packet *packet)
{
	struct service_key key = {
		.address = packet->destination,
		.port_be = packet_destination_port(packet),
		.protocol = packet->protocol,
	};
	struct service *service, *marker;
	__u8 any = packet->protocol == IPPROTO_TCP ? SERVICE_HAS_ANY_PORT_TCP
						   : SERVICE_HAS_ANY_PORT_UDP;

	if (!service_may_be(settings, packet->is_ipv4, &packet->destination, 0))
		return service_by_prefix(settings, packet);
	service = service_find(&services, SERVICES_TABLE_SIZE, settings, packet->is_ipv4, &key);
	if (service)
		return service;
	marker = service_marker(settings, packet);
	if (marker && marker->flags & any) {
		key.port_be = 0;
		service = service_find(&services, SERVICES_TABLE_SIZE, settings, packet->is_ipv4,
				       &key);
		if (service)
			return service;
	}
	return service_by_prefix(settings, packet);
}

#endif
