/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_PUBLISH_PRIVATE_H
#define EBB_PUBLISH_PRIVATE_H
/* publish_private: what publish.c and publish_backend.c share. */
#include "controller/publish.h"

struct publish {
	struct dataplane_tables tables;
	struct dataplane_sizes sizes;
	struct publish_stats stats;
	publish_freed_fn on_freed;
	void *ctx;
	uint64_t filter[SERVICE_FILTER_WORDS]; /* layout in the making, as the next two */
	struct service *services;
	struct service *prefixes;
	uint64_t flipped_ns; /* 0: the old half is clear */
	uint64_t pool_retired_ns[POOLS_MAX]; /* 0: in use or free */
	uint64_t *forgotten_ns; /* by backend id: since when no slot names it; 0: not so */
	uint32_t nexthop_users[NEXTHOPS_MAX];
	uint64_t nexthop_retired_ns[NEXTHOPS_MAX];
	uint32_t nexthop_end; /* entries from here on were never used */
	uint32_t settle_pool, settle_slot;
	/* Ids whose notes are taken out of nursery and flow table: 0 no, 1 by the next pass, 2 by this one. */
	uint8_t *scrub;
	uint32_t scrub_next, scrub_now; /* how many of each */
	uint32_t scrub_set;		/* where this pass is */
};

void publish_store_slot(struct publish *p, struct slot *at, struct slot entry);
void publish_clear_old_half(struct publish *p);
/* An id that is free, but that notes of flows may still name, is not given again before they are gone. */
void publish_scrub_add(struct publish *p, uint16_t id);
void publish_find_freed(struct publish *p);
/* Looks at the next `budget` sets of nursery and flow table. */
void publish_scrub(struct publish *p, uint32_t budget, uint64_t boot_ns);
/* Learns from the backends which next hops are in use. */
void publish_count_nexthops(struct publish *p, uint64_t boot_ns);

#endif
