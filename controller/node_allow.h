/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_NODE_ALLOW_H
#define EBB_NODE_ALLOW_H
/*
 * node_allow: who may send encapsulated packets to a backend: its edges, and the backends that pass
 * packets on. Without a list everybody may.
 *
 * Takes prefixes, leaves them in the maps `node_edges` and `node_settings`. While one list follows
 * another, a sender that is on both is never refused.
 */
#include <stdint.h>

#include "controller/err.h"
#include "maps/node.h"

/* Half of the map: the old and the new list stand in it together for a moment. */
#define NODE_ALLOW_MAX (NODE_EDGES_MAX / 2)

struct node_allow {
	struct node_edge_key prefixes[NODE_ALLOW_MAX];
	uint32_t count; /* 0: everybody may send */
};

/* Adds "ADDRESS" or "ADDRESS/LENGTH". -EINVAL; -ENOSPC: NODE_ALLOW_MAX are there. */
EBB_MUST_CHECK int node_allow_add(struct node_allow *allow, const char *text, struct err *err);
/* "10.0.0.0/8". `to` holds at least 50 bytes; returns it. */
char *node_allow_format(const struct node_edge_key *prefix, char *to);

/* By the maps' descriptors. */
EBB_MUST_CHECK int node_allow_apply(int settings_fd, int edges_fd, const struct node_allow *allow,
				    struct err *err);
EBB_MUST_CHECK int node_allow_read(int settings_fd, int edges_fd, struct node_allow *ret_allow);

#endif
