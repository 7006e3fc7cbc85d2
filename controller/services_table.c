// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * services_table: from services to the cuckoo tables that xdp_lb reads. First the list of entries (a service of
 * protocol 0 and a port is two, TCP and UDP; each address with a service gets one marker), then their places.
 */
#include "controller/services_table.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "maps/hash.h"

#define SEEDS_MAX 64  /* seeds tried before giving up */
#define KICKS_MAX 500 /* displacements before a seed is given up */

struct entries {
	struct service *list;
	uint32_t count;
};

static uint8_t length_of(const struct service *s)
{
	return s->kind == SERVICE_KIND_PREFIX ? s->prefix_length : 0;
}

static uint32_t position(const struct service *s, uint64_t seed, int which, uint32_t size)
{
	uint64_t hash = hash_service(hash_is_ipv4(&s->address), &s->address, s->port_be,
				     s->protocol, length_of(s), seed);

	return hash_service_position(hash, which, size);
}

static bool same_key(const struct service *a, const struct service *b)
{
	return !memcmp(&a->address, &b->address, sizeof(a->address)) &&
	       a->port_be == b->port_be && a->protocol == b->protocol &&
	       length_of(a) == length_of(b);
}

/* Puts one entry in, displacing others along their other positions. False: no place under this seed. */
static bool place(struct service *table, uint32_t size, uint64_t seed, struct service entry)
{
	uint32_t at = position(&entry, seed, 0, size);

	for (int kick = 0; kick < KICKS_MAX; kick++) {
		uint32_t first, second;
		struct service evicted = table[at];

		table[at] = entry;
		if (evicted.kind == SERVICE_KIND_EMPTY)
			return true;
		entry = evicted;
		first = position(&entry, seed, 0, size);
		second = position(&entry, seed, 1, size);
		at = at == first ? second : first;
	}
	return false;
}

static bool place_all(const struct entries *entries, struct service *table, uint32_t size,
		      uint64_t seed)
{
	memset(table, 0, size * sizeof(*table));
	for (uint32_t i = 0; i < entries->count; i++)
		if (!place(table, size, seed, entries->list[i]))
			return false;
	return true;
}

/* Both tables of a half share the seed. */
static int place_both(const struct entries *services, const struct entries *prefixes,
		      const struct services_table *to, struct err *err)
{
	for (uint64_t i = 1; i <= SEEDS_MAX; i++) {
		uint64_t seed = i * 0x9e3779b97f4a7c15ULL;

		if (!place_all(services, to->services, SERVICES_TABLE_SIZE, seed) ||
		    !place_all(prefixes, to->prefixes, PREFIXES_TABLE_SIZE, seed))
			continue;
		to->settings->seed = seed;
		return 0;
	}
	return err_set(err, ENOSPC, "%u services and %u prefixes do not fit the service tables",
		       services->count, prefixes->count);
}

static struct service entry_of(const struct model *model, const struct model_service *s)
{
	const struct config_service *c = &s->config;
	const struct model_pool *pool = &model->pools[s->pool];
	bool v4 = address_is_ipv4(&c->address);

	return (struct service){
		.address = c->address,
		.port_be = htons(c->port),
		.protocol = c->protocol,
		.kind = c->is_prefix ? SERVICE_KIND_PREFIX
			: c->port    ? SERVICE_KIND_PORT
				     : SERVICE_KIND_ANY_PORT,
		.prefix_length = (uint8_t)(c->is_prefix ? c->prefix_length + (v4 ? 96 : 0) : 0),
		.affinity = c->affinity,
		.encap = c->encap,
		.track = (__u8)model_service_track(model, (uint32_t)(s - model->services)),
		.id = s->id,
		.pool = (__u16)pool->id,
		.flags = (__u8)((c->checksum_zero ? SERVICE_CHECKSUM_ZERO : 0) |
				(c->sandbox_port ? SERVICE_SANDBOX_PORT : 0) |
				(pool->has_track ? 0 : SERVICE_TRACK_UDP)),
		.quic_server_id_length = c->quic_server_id_length,
		.slot_base = pool->slot_base,
		.slot_count = pool->member_count ? pool->slot_count : 0,
	};
}

static int cmp_key(const void *a, const void *b)
{
	const struct service *x = a, *y = b;
	int d = memcmp(&x->address, &y->address, sizeof(x->address));

	if (!d)
		d = (int)length_of(x) - (int)length_of(y);
	if (!d)
		d = (int)ntohs(x->port_be) - (int)ntohs(y->port_be);
	return d ? d : (int)x->protocol - (int)y->protocol;
}

static int refuse_twins(const struct model *model, const struct entries *entries, struct err *err)
{
	for (uint32_t i = 1; i < entries->count; i++) {
		const struct service *a = &entries->list[i - 1], *b = &entries->list[i];

		if (same_key(a, b))
			return err_set(err, EEXIST,
				       "services %s and %s have the same address, port and protocol",
				       model->services[a->reserved2[0]].name,
				       model->services[b->reserved2[0]].name);
	}
	return 0;
}

/* Appends the marker of each address; `entries` is sorted, so an address' services stand together. */
static void add_markers(struct entries *entries)
{
	uint32_t count = entries->count;

	for (uint32_t i = 0; i < count;) {
		struct service marker = {.address = entries->list[i].address,
					 .kind = SERVICE_KIND_ADDRESS};

		for (; i < count && !memcmp(&entries->list[i].address, &marker.address,
					    sizeof(marker.address)); i++) {
			if (entries->list[i].kind != SERVICE_KIND_ANY_PORT)
				continue;
			marker.flags |= entries->list[i].protocol == IPPROTO_TCP
						? SERVICE_HAS_ANY_PORT_TCP
						: SERVICE_HAS_ANY_PORT_UDP;
		}
		entries->list[entries->count++] = marker;
	}
}

static void collect(const struct model *model, struct entries *services, struct entries *prefixes)
{
	for (uint32_t i = 0; i < model->service_count; i++) {
		struct service e = entry_of(model, &model->services[i]);

		e.reserved2[0] = i; /* for messages until placed */
		if (e.kind == SERVICE_KIND_PREFIX) {
			e.protocol = 0;
			e.port_be = 0;
			prefixes->list[prefixes->count++] = e;
			continue;
		}
		if (e.protocol) {
			services->list[services->count++] = e;
			continue;
		}
		e.protocol = IPPROTO_TCP;
		services->list[services->count++] = e;
		e.protocol = IPPROTO_UDP;
		services->list[services->count++] = e;
	}
}

static int add_length(uint8_t *lengths, uint32_t *count, uint8_t length, struct err *err)
{
	uint32_t i;

	for (i = 0; i < *count; i++)
		if (lengths[i] == length)
			return 0;
	if (*count == PREFIX_LENGTHS_MAX)
		return err_set(err, ENOSPC, "more than %d distinct prefix lengths in one family",
			       PREFIX_LENGTHS_MAX);
	for (i = (*count)++; i && lengths[i - 1] < length; i--)
		lengths[i] = lengths[i - 1];
	lengths[i] = length;
	return 0;
}

static int set_lengths(const struct entries *prefixes, struct settings_table *to, struct err *err)
{
	memset(to, 0, sizeof(*to));
	for (uint32_t i = 0; i < prefixes->count; i++) {
		const struct service *s = &prefixes->list[i];
		int e = hash_is_ipv4(&s->address)
				? add_length(to->prefix_lengths_ipv4, &to->prefix_count_ipv4,
					     (uint8_t)(s->prefix_length - 96), err)
				: add_length(to->prefix_lengths_ipv6, &to->prefix_count_ipv6,
					     s->prefix_length, err);

		if (e)
			return e;
	}
	return 0;
}

static int sort_and_check(const struct model *model, struct entries *entries, struct err *err)
{
	int e;

	qsort(entries->list, entries->count, sizeof(*entries->list), cmp_key);
	e = refuse_twins(model, entries, err);
	for (uint32_t i = 0; i < entries->count; i++)
		entries->list[i].reserved2[0] = 0;
	return e;
}

static void free_list(struct service **list)
{
	free(*list);
}

int services_table_lay(const struct model *model, const struct services_table *to, struct err *err)
{
	/* a service gives at most two entries, and a marker */
	__attribute__((cleanup(free_list))) struct service *list =
		calloc(4 * (size_t)model->service_count + 1, sizeof(*list));
	struct entries services = {list, 0}, prefixes;
	int e;

	if (!list)
		return err_set(err, ENOMEM, "out of memory");
	prefixes = (struct entries){list + 3 * (size_t)model->service_count, 0};
	collect(model, &services, &prefixes);
	e = sort_and_check(model, &services, err);
	if (!e)
		e = sort_and_check(model, &prefixes, err);
	if (e)
		return e;
	add_markers(&services);
	if (services.count > SERVICES_TABLE_SIZE / 2 || prefixes.count > PREFIXES_TABLE_SIZE / 2)
		return err_set(err, ENOSPC, "%u service entries (at most %d) and %u prefixes (at most %d)",
			       services.count, SERVICES_TABLE_SIZE / 2, prefixes.count,
			       PREFIXES_TABLE_SIZE / 2);
	e = set_lengths(&prefixes, to->settings, err);
	return e ? e : place_both(&services, &prefixes, to, err);
}

const struct service *services_table_find(const struct service *table, uint32_t size, uint64_t seed,
					  const struct address *address, __be16 port_be,
					  uint8_t protocol, uint8_t prefix_length)
{
	uint64_t hash = hash_service(hash_is_ipv4(address), address, port_be, protocol,
				     prefix_length, seed);

	for (int which = 0; which < 2; which++) {
		const struct service *s = &table[hash_service_position(hash, which, size)];

		if (s->kind != SERVICE_KIND_EMPTY && s->port_be == port_be &&
		    s->protocol == protocol && length_of(s) == prefix_length &&
		    !memcmp(&s->address, address, sizeof(*address)))
			return s;
	}
	return NULL;
}

static void filter_all(const struct service *table, uint32_t size, uint64_t *filter)
{
	for (uint32_t i = 0; i < size; i++) {
		const struct service *s = &table[i];
		uint32_t bit = hash_filter(hash_is_ipv4(&s->address), &s->address, length_of(s));

		if (s->kind != SERVICE_KIND_EMPTY)
			filter[bit / 64] |= 1ULL << (bit & 63);
	}
}

void services_table_filter(const struct services_table *laid, uint64_t *ret_filter)
{
	memset(ret_filter, 0, SERVICE_FILTER_WORDS * sizeof(*ret_filter));
	filter_all(laid->services, SERVICES_TABLE_SIZE, ret_filter);
	filter_all(laid->prefixes, PREFIXES_TABLE_SIZE, ret_filter);
}
