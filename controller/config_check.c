// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * config_check: what no value alone can be blamed for. Takes the built configuration, leaves messages, fills in the sizes
 * that depend on sums. Everything is sorted once, so a file of 65,535 backends costs no quadratic time.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "controller/config_build.h"

/* A cuckoo table with two places a key and one entry a place fills to a half; some room below it is kept. */
#define SERVICES_ENTRIES_MAX (SERVICES_TABLE_SIZE / 20 * 9)
#define PREFIXES_ENTRIES_MAX (PREFIXES_TABLE_SIZE / 20 * 9)
#define BACKENDS_USUAL	     16384
#define SLOTS_USUAL	     131072 /* of a file without pools */

struct keyed_address {
	struct address address;
	uint32_t key;	/* what makes equal addresses differ: port and protocol, or prefix length */
	uint32_t index; /* of the backend or service */
};

static int keyed_compare(const void *a, const void *b)
{
	const struct keyed_address *x = a, *y = b;
	int r = address_compare(&x->address, &y->address);

	if (r)
		return r;
	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return (x->index > y->index) - (x->index < y->index);
}

static bool keyed_equal(const struct keyed_address *a, const struct keyed_address *b)
{
	return address_compare(&a->address, &b->address) == 0 && a->key == b->key;
}

static void keyed_sort(struct keyed_address *list, uint32_t count)
{
	if (count)
		qsort(list, count, sizeof(*list), keyed_compare);
}

/* Enters providers[p].regions[r] or …backends[b]; the caller puts ctx->depth back. */
static void enter_region(struct config_context *ctx, uint32_t index)
{
	const struct config_region *region = &ctx->config->regions[index];

	config_enter(ctx, "providers");
	config_enter_index(ctx, region->provider);
	config_enter(ctx, "regions");
	config_enter_index(ctx, index - ctx->config->providers[region->provider].first_region);
}

static void enter_backend(struct config_context *ctx, uint32_t index)
{
	uint32_t region = ctx->config->backends[index].region;

	enter_region(ctx, region);
	config_enter(ctx, "backends");
	config_enter_index(ctx, index - ctx->config->regions[region].first_backend);
}

static void enter_provider(struct config_context *ctx, uint32_t index)
{
	config_enter(ctx, "providers");
	config_enter_index(ctx, index);
}

static void enter_pool(struct config_context *ctx, uint32_t index)
{
	config_enter(ctx, "pools");
	config_enter_index(ctx, index);
}

static void enter_service(struct config_context *ctx, uint32_t index)
{
	config_enter(ctx, "services");
	config_enter_index(ctx, index);
}

/* One kind of thing that has names. */
struct named_kind {
	const char *what;
	void (*enter)(struct config_context *ctx, uint32_t index);
	uint32_t count;
	const void *things;
	size_t size, name_offset;
};

static int check_names_of(struct config_context *ctx, struct arena *scratch, const struct named_kind *kind)
{
	struct config_names names = {
		.by_name = arena_alloc(scratch, kind->count, sizeof(struct config_name)),
		.count = kind->count,
	};
	uint32_t depth = ctx->depth;

	if (!names.by_name)
		return -ENOMEM;
	for (uint32_t i = 0; i < kind->count; i++)
		names.by_name[i] = (struct config_name){
			*(char *const *)((const char *)kind->things + i * kind->size +
					 kind->name_offset),
			i};
	config_names_sort(&names);
	for (uint32_t i = 1; i < kind->count; i++) {
		if (strcmp(names.by_name[i].name, names.by_name[i - 1].name) != 0)
			continue;
		kind->enter(ctx, names.by_name[i].index);
		config_fail_key(ctx, "name", "there is another %s of the name %s", kind->what,
				config_quote(names.by_name[i].name));
		ctx->depth = depth;
	}
	return 0;
}

static int check_names(struct config_context *ctx, struct arena *scratch)
{
	const struct config *config = ctx->config;
#define KIND(what, enter, list, count, member)                                                     \
	{what, enter, config->count, config->list, sizeof(*config->list),                          \
	 offsetof(__typeof__(*config->list), member)}
	const struct named_kind kinds[] = {
		KIND("provider", enter_provider, providers, provider_count, name),
		KIND("region", enter_region, regions, region_count, full_name),
		KIND("backend", enter_backend, backends, backend_count, name),
		KIND("pool", enter_pool, pools, pool_count, name),
		KIND("service", enter_service, services, service_count, name),
	};
#undef KIND
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(kinds) / sizeof(kinds[0]); i++)
		r = check_names_of(ctx, scratch, &kinds[i]);
	return r;
}

static bool address_unset(const struct address *address)
{
	static const struct address none;

	return address_compare(address, &none) == 0; /* it was refused already */
}

static int check_backend_addresses(struct config_context *ctx, struct arena *scratch)
{
	const struct config *config = ctx->config;
	struct keyed_address *list = arena_alloc(scratch, config->backend_count, sizeof(*list));
	uint32_t depth = ctx->depth, count = 0, first = 0;
	char text[INET6_ADDRSTRLEN];

	if (!list)
		return -ENOMEM;
	for (uint32_t i = 0; i < config->backend_count; i++)
		if (!address_unset(&config->backends[i].address))
			list[count++] = (struct keyed_address){config->backends[i].address, 0, i};
	keyed_sort(list, count);
	for (uint32_t i = 1; i < count; i++) {
		if (!keyed_equal(&list[first], &list[i])) {
			first = i;
			continue;
		}
		enter_backend(ctx, list[i].index);
		config_fail_key(ctx, "address", "%s is the address of backend %s already",
				address_format(&list[i].address, text),
				config_quote(config->backends[list[first].index].name));
		ctx->depth = depth;
	}
	return 0;
}

/* The addresses that packets come in for. */
struct targets {
	struct keyed_address *ports;	/* key: port << 8 | protocol */
	uint32_t port_count;
	struct keyed_address *prefixes; /* key: length of the 16-byte form; sorted */
	uint32_t prefix_count;
	bool lengths[129]; /* that prefixes have, of the 16-byte form; up to 96 more than IPv4 ones */
};

static uint8_t length_of(const struct config_service *service)
{
	return service->prefix_length + (address_is_ipv4(&service->address) ? 96 : 0);
}

static int targets_collect(const struct config *config, struct arena *scratch, struct targets *targets)
{
	static const uint8_t protocols[] = {IPPROTO_TCP, IPPROTO_UDP};

	targets->ports = arena_alloc(scratch, config->service_count * 2UL, sizeof(*targets->ports));
	targets->prefixes = arena_alloc(scratch, config->service_count, sizeof(*targets->prefixes));
	if (!targets->ports || !targets->prefixes)
		return -ENOMEM;
	for (uint32_t i = 0; i < config->service_count; i++) {
		const struct config_service *service = &config->services[i];

		if (address_unset(&service->address))
			continue;
		if (service->is_prefix) {
			targets->lengths[length_of(service)] = true;
			targets->prefixes[targets->prefix_count++] =
				(struct keyed_address){service->address, length_of(service), i};
			continue;
		}
		for (size_t p = 0; p < 2; p++)
			if (!service->protocol || service->protocol == protocols[p])
				targets->ports[targets->port_count++] = (struct keyed_address){
					service->address, (uint32_t)service->port << 8 | protocols[p], i};
	}
	keyed_sort(targets->ports, targets->port_count);
	keyed_sort(targets->prefixes, targets->prefix_count);
	return 0;
}

static void fail_service_twice(struct config_context *ctx, const struct keyed_address *first,
			       const struct keyed_address *again)
{
	const struct config_service *services = ctx->config->services;
	const struct config_service *service = &services[again->index];
	uint32_t depth = ctx->depth;
	char text[INET6_ADDRSTRLEN], port[16] = "all ports";

	address_format(&service->address, text);
	enter_service(ctx, again->index);
	if (service->port)
		snprintf(port, sizeof(port), "port %u", service->port);
	if (service->is_prefix)
		config_fail_key(ctx, "prefix", "%s/%u is the prefix of service %s already", text,
				service->prefix_length, config_quote(services[first->index].name));
	else
		config_fail_key(ctx, "address", "%s, %s, %s is taken by service %s already", text, port,
				(again->key & 0xff) == IPPROTO_TCP ? "tcp" : "udp",
				config_quote(services[first->index].name));
	ctx->depth = depth;
}

static void check_targets_twice(struct config_context *ctx, const struct keyed_address *list, uint32_t count)
{
	uint32_t first = 0, last_told = UINT32_MAX;

	for (uint32_t i = 1; i < count; i++) {
		if (!keyed_equal(&list[first], &list[i])) {
			first = i;
		} else if (list[i].index != last_told) { /* tcp and udp of one service: once */
			fail_service_twice(ctx, &list[first], &list[i]);
			last_told = list[i].index;
		}
	}
}

static void check_prefix_lengths(struct config_context *ctx, const struct targets *targets)
{
	uint32_t ipv4[129] = {0}, ipv6[129] = {0}, count4 = 0, count6 = 0;

	for (uint32_t i = 0; i < targets->prefix_count; i++) {
		const struct keyed_address *prefix = &targets->prefixes[i];

		if (address_is_ipv4(&prefix->address))
			count4 += !ipv4[prefix->key]++;
		else
			count6 += !ipv6[prefix->key]++;
	}
	if (count4 > PREFIX_LENGTHS_MAX || count6 > PREFIX_LENGTHS_MAX)
		config_fail_key(ctx, "services", "prefixes of %u different lengths in IPv%d; at most %u "
				"are allowed", count4 > count6 ? count4 : count6,
				count4 > count6 ? 4 : 6, PREFIX_LENGTHS_MAX);
}

static void check_table_sizes(struct config_context *ctx, const struct targets *targets)
{
	uint32_t entries = targets->port_count;

	for (uint32_t i = 0; i < targets->port_count; i++)
		entries += !i || address_compare(&targets->ports[i].address,
						 &targets->ports[i - 1].address) != 0;
	if (entries > SERVICES_ENTRIES_MAX)
		config_fail_key(ctx, "services", "%u entries (one for each address, and for each port and "
				"protocol); at most %u are allowed", entries, SERVICES_ENTRIES_MAX);
	if (targets->prefix_count > PREFIXES_ENTRIES_MAX)
		config_fail_key(ctx, "services", "%u prefixes; at most %u are allowed",
				targets->prefix_count, PREFIXES_ENTRIES_MAX);
}

static int address_only_compare(const void *a, const void *b)
{
	return address_compare(a, &((const struct keyed_address *)b)->address);
}

/* The service that would take packets to `address`, or UINT32_MAX. */
static uint32_t targets_find(const struct targets *targets, const struct address *address)
{
	const struct keyed_address *found = NULL;

	if (targets->port_count)
		found = bsearch(address, targets->ports, targets->port_count, sizeof(*targets->ports),
				address_only_compare);
	if (found)
		return found->index;
	for (uint32_t length = 0; targets->prefix_count && length < 129; length++) {
		struct keyed_address key = {address_mask(address, length), length, 0};
		uint32_t low = 0, high = targets->prefix_count;

		if (!targets->lengths[length])
			continue;
		while (low < high) {
			uint32_t middle = low + (high - low) / 2;

			if (keyed_compare(&targets->prefixes[middle], &key) < 0)
				low = middle + 1;
			else
				high = middle;
		}
		if (low < targets->prefix_count && keyed_equal(&targets->prefixes[low], &key))
			return targets->prefixes[low].index;
	}
	return UINT32_MAX;
}

/* What ebb sends to a service's own address would come back to it. */
static void check_loops(struct config_context *ctx, const struct targets *targets)
{
	const struct config *config = ctx->config;
	uint32_t service, depth = ctx->depth;
	char text[INET6_ADDRSTRLEN];

	for (uint32_t i = 0; i < config->backend_count; i++) {
		if (address_unset(&config->backends[i].address))
			continue;
		service = targets_find(targets, &config->backends[i].address);
		if (service == UINT32_MAX)
			continue;
		enter_backend(ctx, i);
		config_fail_key(ctx, "address", "%s belongs to service %s; packets would loop",
				address_format(&config->backends[i].address, text),
				config_quote(config->services[service].name));
		ctx->depth = depth;
	}
}

static int check_services(struct config_context *ctx, struct arena *scratch)
{
	struct targets targets = {0};
	int r = targets_collect(ctx->config, scratch, &targets);

	if (r)
		return r;
	check_targets_twice(ctx, targets.ports, targets.port_count);
	check_targets_twice(ctx, targets.prefixes, targets.prefix_count);
	check_prefix_lengths(ctx, &targets);
	check_table_sizes(ctx, &targets);
	check_loops(ctx, &targets);
	return 0;
}

/* Whether the pool agrees with the pool that had the region first (`first`: by region, index + 1). */
static bool check_shared_region(struct config_context *ctx, uint32_t *first, uint32_t pool, uint32_t region)
{
	const struct config *config = ctx->config;
	const struct config_pool *other;
	uint32_t depth = ctx->depth;

	if (!first[region])
		first[region] = pool + 1;
	other = &config->pools[first[region] - 1];
	if (config_health_equal(&other->health, &config->pools[pool].health))
		return true;
	enter_pool(ctx, pool);
	config_fail_key(ctx, "health", "differs from that of pool %s, which has region %s too; a backend "
			"has one health", config_quote(other->name),
			config_quote(config->regions[region].full_name));
	ctx->depth = depth;
	return false;
}

/* A backend has one health, so pools that share a region must agree on how it is judged. */
static int check_shared_regions(struct config_context *ctx, struct arena *scratch)
{
	const struct config *config = ctx->config;
	uint32_t *first = arena_alloc(scratch, config->region_count, sizeof(*first));

	if (!first)
		return -ENOMEM;
	for (uint32_t p = 0; p < config->pool_count; p++) {
		const struct config_pool *pool = &config->pools[p];
		bool good = true;

		for (uint32_t t = 0; good && t < pool->tier_count; t++)
			for (uint32_t i = 0; good && i < pool->tiers[t].region_count; i++)
				good = check_shared_region(ctx, first, p, pool->tiers[t].regions[i]);
	}
	return 0;
}

static void check_slots(struct config_context *ctx)
{
	struct config *config = ctx->config;
	uint64_t total = 0, backends;
	uint32_t depth = ctx->depth;

	for (uint32_t p = 0; p < config->pool_count; p++) {
		const struct config_pool *pool = &config->pools[p];

		total += pool->slots;
		backends = 0;
		for (uint32_t t = 0; t < pool->tier_count; t++)
			for (uint32_t i = 0; i < pool->tiers[t].region_count; i++)
				backends += config->regions[pool->tiers[t].regions[i]].backend_count;
		if (backends <= pool->slots)
			continue;
		enter_pool(ctx, p);
		config_fail_key(ctx, "slots", "%u slots for %llu backends; each needs one at least",
				pool->slots, (unsigned long long)backends);
		ctx->depth = depth;
	}
	config->edge.slots_needed = total;
	if (total > SLOTS_MAX)
		config_fail_key(ctx, "pools", "%llu slots in all; at most %u are allowed",
				(unsigned long long)total, SLOTS_MAX);
	else if (!config->edge.slots)
		config->edge.slots = total ? (total * 2 < SLOTS_MAX ? total * 2 : SLOTS_MAX) : SLOTS_USUAL;
	config_enter(ctx, "edge");
	if (total <= SLOTS_MAX && config->edge.slots < total)
		config_fail_key(ctx, "slots", "%u slots, but the pools need %llu", config->edge.slots,
				(unsigned long long)total);
	config_leave(ctx);
}

/* Index 0 is nobody, and a removed backend keeps its index while it drains. */
static void check_backend_room(struct config_context *ctx)
{
	struct config *config = ctx->config;
	uint32_t room = BACKENDS_USUAL, highest = BACKEND_NONE;

	for (uint32_t i = 0; i < config->backend_count; i++)
		highest = config->backends[i].id > highest ? config->backends[i].id : highest;
	while ((room < 2 * config->backend_count || room <= highest) && room < BACKENDS_MAX + 1)
		room *= 2;
	if (!config->edge.backends)
		config->edge.backends = room;
	config_enter(ctx, "edge");
	if (config->edge.backends <= config->backend_count)
		config_fail_key(ctx, "backends", "room for %u, but there are %u (and one is reserved)",
				config->edge.backends, config->backend_count);
	config_leave(ctx);
}

/* An id is an index into `backends`, and names one backend. */
static int check_backend_ids(struct config_context *ctx, struct arena *scratch)
{
	const struct config *config = ctx->config;
	uint32_t *first = arena_alloc(scratch, BACKENDS_MAX + 1, sizeof(*first)); /* index + 1 */
	uint32_t depth = ctx->depth;

	if (!first)
		return -ENOMEM;
	for (uint32_t i = 0; i < config->backend_count; i++) {
		uint16_t id = config->backends[i].id;

		if (id == BACKEND_NONE)
			continue;
		enter_backend(ctx, i);
		if (id >= config->edge.backends)
			config_fail_key(ctx, "id", "%u; edge.backends is %u, so the highest is %u", id,
					config->edge.backends, config->edge.backends - 1);
		if (first[id])
			config_fail_key(ctx, "id", "%u is that of backend %s", id,
					config_quote(config->backends[first[id] - 1].name));
		else
			first[id] = i + 1;
		ctx->depth = depth;
	}
	return 0;
}

/* The first backend of the pool whose id takes more bytes, or UINT32_MAX. */
static uint32_t find_longer_id(const struct config *config, const struct config_pool *pool, uint32_t bytes)
{
	for (uint32_t t = 0; t < pool->tier_count; t++)
		for (uint32_t r = 0; r < pool->tiers[t].region_count; r++) {
			const struct config_region *region = &config->regions[pool->tiers[t].regions[r]];

			for (uint32_t i = 0; i < region->backend_count; i++)
				if ((uint64_t)config->backends[region->first_backend + i].id >> (8 * bytes))
					return region->first_backend + i;
		}
	return UINT32_MAX;
}

/* A server ID must be able to say every configured id. */
static void check_server_ids(struct config_context *ctx)
{
	const struct config *config = ctx->config;
	uint32_t backend, depth = ctx->depth;

	for (uint32_t i = 0; i < config->service_count; i++) {
		const struct config_service *service = &config->services[i];

		if (service->affinity != AFFINITY_QUIC || service->quic_server_id_length > 1 ||
		    service->pool >= config->pool_count)
			continue;
		backend = find_longer_id(config, &config->pools[service->pool],
					 service->quic_server_id_length);
		if (backend == UINT32_MAX)
			continue;
		enter_service(ctx, i);
		config_fail_key(ctx, "quic_server_id_length", "%u byte cannot say id %u of backend %s",
				service->quic_server_id_length, config->backends[backend].id,
				config_quote(config->backends[backend].name));
		ctx->depth = depth;
	}
}

int config_check(struct config_context *ctx)
{
	struct arena *scratch = arena_new();
	int r;

	if (!scratch)
		return -ENOMEM;
	r = check_names(ctx, scratch);
	if (r == 0)
		r = check_backend_addresses(ctx, scratch);
	if (r == 0)
		r = check_services(ctx, scratch);
	if (r == 0)
		r = check_shared_regions(ctx, scratch);
	if (r == 0) {
		check_slots(ctx);
		check_backend_room(ctx);
		check_server_ids(ctx);
		r = check_backend_ids(ctx, scratch);
	}
	arena_free(scratch);
	return r;
}
