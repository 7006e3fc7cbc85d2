/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * settle: one entry of the slots map through its moves, as slots.h describes. Ids here are those of
 * the backends map.
 */
#include "controller/slots.h"

uint16_t slot_coarse(uint64_t boottime_s)
{
	uint16_t coarse = (uint16_t)boottime_s;

	return coarse ? coarse : 1;
}

static bool is_new(struct slot entry)
{
	return entry.primary == BACKEND_NONE && entry.secondary == BACKEND_NONE;
}

/*
 * The third owner of a slot that moves: who had all of its flows when it was last settled. It stays
 * who it is until the slot settles again, also when a configuration gives the slot another home:
 * long-lived flows are still there.
 */
static uint16_t third_owner(struct slot entry, uint16_t home)
{
	uint16_t third = entry.secondary == BACKEND_NONE ? entry.primary : entry.home;

	return third == BACKEND_NONE ? home : third;
}

struct slot slot_move(struct slot entry, uint16_t primary, uint16_t home, uint16_t coarse_s)
{
	struct slot moved = {.primary = primary, .home = home, .moved = coarse_s};

	if (is_new(entry))
		return moved;
	if (entry.primary == primary) {
		if (entry.secondary == BACKEND_NONE)
			entry.home = home;
		return entry;
	}
	moved.home = third_owner(entry, home);
	/* While the pool was empty nobody owned it: the last real owner still has the flows. */
	moved.secondary = entry.primary != BACKEND_NONE ? entry.primary : entry.secondary;
	if (moved.secondary == primary)
		moved.secondary = BACKEND_NONE;
	return moved;
}

struct slot slot_settle(struct slot entry, uint16_t coarse_s, uint32_t settle_s,
			bool secondary_gone)
{
	uint16_t age = (uint16_t)(coarse_s - entry.moved);

	if (entry.secondary == BACKEND_NONE)
		return entry;
	if (settle_s && age >= settle_s)
		entry.secondary = BACKEND_NONE;
	else if (secondary_gone) /* the third owner becomes the second */
		entry.secondary = entry.home != entry.secondary && entry.home != entry.primary
					  ? entry.home
					  : BACKEND_NONE;
	return entry;
}
