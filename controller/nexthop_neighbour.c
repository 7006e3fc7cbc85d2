// SPDX-License-Identifier: GPL-2.0-or-later
/* nexthop_neighbour: see the header. */
#include "controller/nexthop_neighbour.h"

#include <linux/neighbour.h>
#include <stdlib.h>
#include <string.h>

#define ASKS_MAX 500 /* in one go: some 2 ms */
#define REFRESH_S                                                                                  \
	10.0 /* how often one is asked for: well below the 60 s after which the kernel forgets it  \
	      */
#define RETRY_FIRST_S 1.0 /* one without an answer: after 1, 2, 4, 8, 10, 10 ... s */
#define NUD_GOOD      (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP)

void neighbours_init(struct neighbours *all, struct ev_loop *loop, struct nexthop_netlink *netlink)
{
	*all = (struct neighbours){.loop = loop, .netlink = netlink};
}

static uint32_t bucket_of(uint32_t ifindex, const struct address *address)
{
	uint32_t hash = ifindex * 2654435761u; /* Knuth's multiplicative hash, word by word */

	for (int i = 0; i < 16; i += 4) {
		uint32_t word;

		memcpy(&word, address->bytes + i, 4);
		hash = (hash ^ word) * 2654435761u;
		hash ^= hash >> 15;
	}
	return hash % NEIGHBOUR_BUCKETS;
}

struct neighbour *neighbours_find(const struct neighbours *all, uint32_t ifindex,
				  const struct address *address)
{
	struct neighbour *e = all->buckets[bucket_of(ifindex, address)];

	while (e && (e->ifindex != ifindex || memcmp(&e->address, address, sizeof(*address))))
		e = e->next;
	return e;
}

static void ask_for(struct neighbours *all, struct neighbour *neighbour)
{
	bool waiting = neighbour->state != NEIGHBOUR_KNOWN;

	/* An error (interface just gone, table full) is as good as no answer: it is asked again. */
	if (nexthop_netlink_use(all->netlink, neighbour->ifindex, &neighbour->address))
		waiting = true;
	if (!waiting) {
		neighbour->ask_at = ev_now(all->loop) + REFRESH_S;
		return;
	}
	neighbour->ask_at = ev_now(all->loop) + neighbour->retry_s;
	neighbour->retry_s =
		neighbour->retry_s * 2 < REFRESH_S ? neighbour->retry_s * 2 : REFRESH_S;
}

/* What the kernel's entry says, applied. Returns whether it should be asked for now. */
static bool apply_entry(struct neighbour *to, const struct nexthop_neighbour *entry)
{
	to->permanent = entry->nud & (NUD_PERMANENT | NUD_NOARP);
	if (entry->nud & NUD_GOOD && entry->has_mac) {
		memcpy(to->mac, entry->mac, 6);
		to->state = NEIGHBOUR_KNOWN;
		to->retry_s = RETRY_FIRST_S;
		return entry->nud & NUD_STALE;
	}
	if (entry->nud & NUD_FAILED && to->state == NEIGHBOUR_KNOWN) {
		to->state = NEIGHBOUR_DOUBTED; /* "ip neigh flush" looks like this too */
		return true;
	}
	if (entry->nud & NUD_FAILED) {
		to->state = NEIGHBOUR_FAILED;
		return false; /* later, by its retry time */
	}
	return entry->nud == 0; /* deleted or never there; its MAC, if known, may still be right */
}

void neighbours_apply(struct neighbours *all, struct neighbour *neighbour,
		      const struct nexthop_neighbour *entry)
{
	neighbour->seen = true;
	if (apply_entry(neighbour, entry))
		ask_for(all, neighbour);
}

struct neighbour *neighbours_add(struct neighbours *all, uint32_t ifindex,
				 const struct address *address)
{
	uint32_t bucket = bucket_of(ifindex, address);
	struct neighbour *neighbour = calloc(1, sizeof(*neighbour));
	struct nexthop_neighbour entry = {};

	if (!neighbour)
		return NULL;
	*neighbour = (struct neighbour){.ifindex = ifindex,
					.address = *address,
					.retry_s = RETRY_FIRST_S,
					.next = all->buckets[bucket]};
	all->buckets[bucket] = neighbour;
	/* Phases apart, so that they are not all refreshed in one second. */
	neighbour->ask_at = ev_now(all->loop) + REFRESH_S * bucket / NEIGHBOUR_BUCKETS;
	/* An entry that had failed before we came may be right by now: asked, not believed. */
	if (nexthop_netlink_neighbour(all->netlink, ifindex, address, &entry) ||
	    entry.nud & NUD_FAILED)
		entry.nud = 0;
	neighbours_apply(all, neighbour, &entry);
	return neighbour;
}

void neighbours_remove(struct neighbours *all, struct neighbour *neighbour)
{
	struct neighbour **at = &all->buckets[bucket_of(neighbour->ifindex, &neighbour->address)];

	while (*at != neighbour)
		at = &(*at)->next;
	*at = neighbour->next;
	free(neighbour);
}

void neighbours_link_up(struct neighbours *all, uint32_t ifindex)
{
	for (int i = 0; i < NEIGHBOUR_BUCKETS; i++) {
		for (struct neighbour *e = all->buckets[i]; e; e = e->next) {
			if (e->ifindex != ifindex)
				continue;
			e->ask_at = 0.;
			e->retry_s = RETRY_FIRST_S;
		}
	}
}

void neighbours_keep(struct neighbours *all)
{
	int asked = 0;

	for (int i = 0; i < NEIGHBOUR_BUCKETS && asked < ASKS_MAX; i++) {
		for (struct neighbour *e = all->buckets[i]; e; e = e->next) {
			if (e->permanent || e->ask_at > ev_now(all->loop))
				continue;
			ask_for(all, e);
			asked++;
		}
	}
}

void neighbours_dump_begins(struct neighbours *all)
{
	for (int i = 0; i < NEIGHBOUR_BUCKETS; i++) {
		for (struct neighbour *e = all->buckets[i]; e; e = e->next)
			e->seen = false;
	}
}

void neighbours_dump_ended(struct neighbours *all)
{
	for (int i = 0; i < NEIGHBOUR_BUCKETS; i++) {
		for (struct neighbour *e = all->buckets[i]; e; e = e->next) {
			if (e->seen)
				continue;
			e->permanent = false;
			e->ask_at = 0.; /* by neighbours_keep(): there may be thousands */
		}
	}
}
