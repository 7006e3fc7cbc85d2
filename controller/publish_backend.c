// SPDX-License-Identifier: GPL-2.0-or-later
/* publish_backend: entries of backends and next hops, from the first store to the last. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/publish_private.h"

#define SCRUB_BUDGET 65536 /* sets of nursery and flow table a tick: 4 MiB */
#define GRACE_NS ((uint64_t)PUBLISH_GRACE_S * 1000000000)

/* --- outer header parts (RFC 1071; words as they lie in memory) */

static uint32_t sum_words(const void *bytes, size_t length)
{
	const uint8_t *at = bytes;
	uint32_t sum = 0;
	uint16_t word;

	for (; length; at += 2, length -= 2) {
		memcpy(&word, at, 2);
		sum += word;
	}
	return sum;
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* Version 4, IHL 5, TOS 0; length 0; id 0, DF; TTL 64, protocol 0; checksum 0. */
static const uint8_t ipv4_fixed[12] = {0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 0, 0, 0};

static void set_sums(struct backend *b)
{
	size_t skip = b->family == 4 ? 12 : 0;
	uint32_t sum = sum_words(b->source.bytes + skip, 16 - skip) +
		       sum_words(b->address.bytes + skip, 16 - skip);

	b->address_sum = fold(sum);
	b->ip_sum = b->family == 4 ? fold(sum + sum_words(ipv4_fixed, sizeof(ipv4_fixed))) : 0;
}

/* --- backends */

static void write_name(const struct model *m, const struct model_backend *from,
		       struct backend_name *to)
{
	const struct model_region *r = &m->regions[from->region];

	memset(to, 0, sizeof(*to));
	memcpy(to->name, from->name, sizeof(to->name));
	snprintf(to->provider, sizeof(to->provider), "%.31s", m->providers[r->provider].name);
	snprintf(to->region, sizeof(to->region), "%.31s", r->name);
	to->capacity = (uint32_t)lround(fmin(from->capacity, UINT32_MAX));
}

/* Name and address first, `state` last: until then the entry is free. */
static void write_new(struct publish *p, const struct model *m, const struct model_backend *from)
{
	struct backend *to = &p->tables.backends[from->id];

	write_name(m, from, &p->tables.backend_names[from->id]);
	memset(to, 0, sizeof(*to));
	to->address = from->address;
	to->family = address_is_ipv4(&from->address) ? 4 : 6;
	to->id = from->id;
	__atomic_store_n(&to->state, (uint8_t)from->state, __ATOMIC_RELEASE);
	p->forgotten_ns[from->id] = 0;
}

void publish_backends(struct publish *p, const struct model *m)
{
	for (uint32_t i = 0; i < m->backend_count; i++) {
		const struct model_backend *from = &m->backends[i];
		struct backend *to = &p->tables.backends[from->id];

		if (to->state == BACKEND_STATE_FREE) {
			if (!from->leaving)
				write_new(p, m, from);
			continue;
		}
		if (to->state != from->state)
			__atomic_store_n(&to->state, (uint8_t)from->state, __ATOMIC_RELEASE);
		if (from->leaving)
			continue;
		p->forgotten_ns[from->id] = 0;
		p->tables.backend_names[from->id].capacity =
			(uint32_t)lround(fmin(from->capacity, UINT32_MAX));
	}
}

void publish_health(struct publish *p, const struct model *m, uint64_t boot_ns)
{
	for (uint32_t i = 0; i < m->config->backend_count; i++) {
		struct backend_name *to = &p->tables.backend_names[m->backends[i].id];
		uint8_t *down = &p->tables.backends[m->backends[i].id].down;
		uint32_t ppm = (uint32_t)lround(m->healths[i].value * 1e6);

		if (*down != m->backends[i].hard_down)
			__atomic_store_n(down, m->backends[i].hard_down, __ATOMIC_RELAXED);
		if (!m->backends[i].known || (to->written_ns && to->health_ppm == ppm))
			continue;
		to->health_ppm = ppm;
		to->written_ns = boot_ns;
	}
}

/* --- next hops */

void publish_count_nexthops(struct publish *p, uint64_t boot_ns)
{
	p->nexthop_end = 1;
	for (uint32_t i = 1; i < NEXTHOPS_MAX; i++) {
		if (!p->tables.nexthops[i].ifindex)
			continue;
		p->nexthop_end = i + 1;
		p->nexthop_retired_ns[i] = boot_ns;
	}
	for (uint32_t id = 1; id < p->sizes.backends; id++) {
		uint32_t n = p->tables.backends[id].nexthop;

		if (p->tables.backends[id].state != BACKEND_STATE_FREE && n && n < NEXTHOPS_MAX)
			p->nexthop_users[n]++;
	}
}

static bool same_nexthop(const struct nexthop *a, const struct nexthop *b)
{
	return a->ifindex == b->ifindex && !memcmp(a->destination, b->destination, 6) &&
	       !memcmp(a->source, b->source, 6) && a->vlan == b->vlan &&
	       a->mtu_bytes == b->mtu_bytes && a->port == b->port;
}

/* The entry that says this, or a free one that then does. 0: none is free. */
static uint32_t nexthop_entry(struct publish *p, const struct nexthop *want)
{
	uint32_t free = 0;

	for (uint32_t i = 1; i < p->nexthop_end; i++) {
		if (same_nexthop(&p->tables.nexthops[i], want))
			return i;
		if (!free && !p->tables.nexthops[i].ifindex)
			free = i;
	}
	if (!free && p->nexthop_end < NEXTHOPS_MAX)
		free = p->nexthop_end++;
	if (free)
		p->tables.nexthops[free] = *want;
	return free;
}

static void release_nexthop(struct publish *p, uint32_t i, uint64_t boot_ns)
{
	if (i && i < NEXTHOPS_MAX && p->nexthop_users[i] && !--p->nexthop_users[i])
		p->nexthop_retired_ns[i] = boot_ns;
}

static struct address source_of(const struct model *m, const struct backend *b,
				const struct nexthop_result *result)
{
	const struct config_edge *edge = &m->config->edge;

	if (b->family == 4 && edge->has_source_ipv4)
		return edge->source_ipv4;
	if (b->family == 6 && edge->has_source_ipv6)
		return edge->source_ipv6;
	return result->source_address;
}

/* In place only what may: the sums go out in one store. A packet on its way meanwhile has one wrong checksum; it happens
 * only when the edge's own address changes. */
static void set_source(struct backend *to, const struct address *source)
{
	struct backend new = *to;

	if (!memcmp(&to->source, source, sizeof(*source)) && to->address_sum)
		return;
	new.source = *source;
	set_sums(&new);
	to->source = *source;
	__atomic_store_n((uint32_t *)&to->ip_sum,
			 *(const uint32_t *)(const void *)&new.ip_sum, __ATOMIC_RELEASE);
}

int publish_nexthop(struct publish *p, const struct model *m, uint32_t backend,
		    const struct nexthop_result *result, uint32_t port, uint64_t boot_ns)
{
	struct backend *to = &p->tables.backends[m->backends[backend].id];
	struct nexthop want = {.ifindex = result->ifindex,
			       .vlan = result->vlan,
			       .mtu_bytes = result->mtu_bytes,
			       .port = port};
	struct address source = source_of(m, to, result);
	uint32_t old = to->nexthop, new;

	if (!result->resolved || !result->ifindex)
		return 0; /* the last one may still be right */
	memcpy(want.destination, result->destination, 6);
	memcpy(want.source, result->source, 6);
	new = nexthop_entry(p, &want);
	if (!new)
		return -ENOSPC;
	set_source(to, &source);
	to->path_mtu_bytes = result->mtu_bytes;
	if (new == old)
		return 0;
	p->nexthop_users[new]++;
	p->nexthop_retired_ns[new] = 0;
	__atomic_store_n(&to->nexthop, new, __ATOMIC_RELEASE);
	release_nexthop(p, old, boot_ns);
	return 0;
}

/* --- what leaves */

static bool is_due(const struct model_backend *b, struct mono_ns now)
{
	return b->leaving && b->leave_at.v <= now.v;
}

/* Takes backends that are due out of every slot. One that is still a primary is not due after all. */
static void forget(struct publish *p, struct model *m, bool *due, uint64_t boot_ns)
{
	for (uint32_t k = 0; k < m->pool_count; k++) {
		struct model_pool *pool = &m->pools[k];

		for (uint32_t i = 0; i < pool->slot_count; i++) {
			struct slot *at = &p->tables.slots[pool->slot_base + i];
			struct slot s = *at;
			bool was_unsettled = s.secondary != BACKEND_NONE;

			due[s.primary] = false;
			if (!due[s.secondary] && !due[s.home])
				continue;
			if (due[s.home])
				s.home = s.primary;
			if (due[s.secondary])
				s.secondary = s.home != s.primary ? s.home : BACKEND_NONE;
			if (s.secondary == BACKEND_NONE) {
				s.home = pool->homes[i];
				pool->unsettled -= was_unsettled;
			}
			publish_store_slot(p, at, s);
		}
	}
	for (uint32_t i = 0; i < m->backend_count; i++)
		if (due[m->backends[i].id])
			p->forgotten_ns[m->backends[i].id] = boot_ns;
}

static bool *find_due(const struct publish *p, const struct model *m, struct mono_ns now)
{
	bool *due = NULL;

	for (uint32_t i = m->config->backend_count; i < m->backend_count; i++) {
		const struct model_backend *b = &m->backends[i];

		if (!is_due(b, now) || p->forgotten_ns[b->id])
			continue;
		if (!due)
			due = calloc(BACKENDS_MAX + 1, sizeof(*due));
		if (!due)
			return NULL;
		due[b->id] = true;
	}
	return due;
}

void publish_scrub_add(struct publish *p, uint16_t id)
{
	if (p->scrub[id])
		return;
	p->scrub[id] = 1;
	p->scrub_next++;
}

static void begin_pass(struct publish *p)
{
	for (uint32_t id = 0; id < p->sizes.backends; id++)
		p->scrub[id] = p->scrub[id] ? 2 : 0;
	p->scrub_now = p->scrub_next;
	p->scrub_next = 0;
	p->scrub_set = 0;
}

/* An empty name is what says that an id may be given again; `written_ns` orders those. */
static void end_pass(struct publish *p, uint64_t boot_ns)
{
	for (uint32_t id = 1; id < p->sizes.backends; id++) {
		if (p->scrub[id] != 2)
			continue;
		p->scrub[id] = 0;
		memset(&p->tables.backend_names[id], 0, sizeof(p->tables.backend_names[id]));
		p->tables.backend_names[id].written_ns = boot_ns;
		if (p->on_freed)
			p->on_freed(p->ctx, (uint16_t)id);
	}
	p->scrub_now = 0;
}

static void scrub_set(struct publish *p, struct flow_set *set)
{
	for (int way = 0; way < FLOW_WAYS; way++)
		if (p->scrub[set->way[way].backend] == 2)
			__atomic_store_n((uint64_t *)&set->way[way], 0, __ATOMIC_RELAXED);
}

/* The nursery first: a note that moves to the flow table meanwhile is found there. */
static struct flow_set *set_at(struct publish *p, uint32_t i)
{
	return i < NURSERY_SETS ? &p->tables.nursery[i] : &p->tables.flows[i - NURSERY_SETS];
}

void publish_scrub(struct publish *p, uint32_t budget, uint64_t boot_ns)
{
	uint32_t sets = p->tables.flows ? NURSERY_SETS + p->sizes.flows / FLOW_WAYS : 0;

	if (!p->scrub_now && !p->scrub_next)
		return;
	if (!p->scrub_now)
		begin_pass(p);
	for (; budget && p->scrub_set < sets; budget--, p->scrub_set++)
		scrub_set(p, set_at(p, p->scrub_set));
	if (p->scrub_set == sets)
		end_pass(p, boot_ns);
}

/* What died between `state` and the last note. */
void publish_find_freed(struct publish *p)
{
	for (uint32_t id = 1; id < p->sizes.backends; id++)
		if (p->tables.backends[id].state == BACKEND_STATE_FREE &&
		    p->tables.backend_names[id].name[0])
			publish_scrub_add(p, (uint16_t)id);
}

/* `state` first: from then on no packet uses it, whatever a stale note says. */
static void free_backend(struct publish *p, uint16_t id, uint64_t boot_ns)
{
	struct backend *b = &p->tables.backends[id];

	__atomic_store_n(&b->state, (uint8_t)BACKEND_STATE_FREE, __ATOMIC_RELEASE);
	release_nexthop(p, b->nexthop, boot_ns);
	b->nexthop = 0;
	p->forgotten_ns[id] = 0;
	publish_scrub_add(p, id);
}

static bool is_over(uint64_t since_ns, uint64_t boot_ns)
{
	return since_ns && boot_ns - since_ns >= GRACE_NS;
}

static void reap_backends(struct publish *p, struct model *m, struct mono_ns now, uint64_t boot_ns)
{
	bool *due = find_due(p, m, now);

	if (due)
		forget(p, m, due, boot_ns);
	free(due);
	for (uint32_t i = m->backend_count; i-- > m->config->backend_count;) {
		uint16_t id = m->backends[i].id;

		if (!is_over(p->forgotten_ns[id], boot_ns))
			continue;
		model_forget(m, i, now);
		free_backend(p, id, boot_ns);
	}
}

void publish_reap(struct publish *p, struct model *m, struct mono_ns now, uint64_t boot_ns)
{
	reap_backends(p, m, now, boot_ns);
	publish_scrub(p, SCRUB_BUDGET, boot_ns);
	for (uint32_t i = 1; i < p->nexthop_end; i++)
		if (!p->nexthop_users[i] && is_over(p->nexthop_retired_ns[i], boot_ns)) {
			memset(&p->tables.nexthops[i], 0, sizeof(p->tables.nexthops[i]));
			p->nexthop_retired_ns[i] = 0;
		}
	for (uint32_t id = 0; id < POOLS_MAX; id++)
		if (is_over(p->pool_retired_ns[id], boot_ns)) {
			memset(&p->tables.pools[id], 0, sizeof(p->tables.pools[id]));
			p->pool_retired_ns[id] = 0;
		}
	if (is_over(p->flipped_ns, boot_ns))
		publish_clear_old_half(p);
}
