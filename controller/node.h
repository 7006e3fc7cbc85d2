/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_NODE_H
#define EBB_NODE_H
/*
 * node: the backend's decapsulating program on an interface, for `ebb node attach|show|detach`.
 *
 * Program, maps and links are pinned below BPFFS_DIR/node (node, maps/NAME, links/IFNAME), so a
 * backend needs no daemon. Attaching again puts the new program under the same link in one step and
 * keeps the maps.
 */
#include "controller/config.h"
#include "controller/dataplane_link.h"
#include "controller/err.h"
#include "controller/node_allow.h"
#include "maps/node.h"
#include "maps/stats.h"

#define NODE_LINKS_MAX 64

struct node_status {
	struct dataplane_link links[NODE_LINKS_MAX];
	uint32_t link_count; /* 0: not attached anywhere; then all counters are 0 */
	struct verdict_stats verdicts[NODE__COUNT]; /* summed over CPUs; all interfaces together */
	struct node_allow allow;                    /* count 0: everybody may send */
};

/* As dataplane_link_attach(); also -ENOENT (no bpffs), -ENOTSUP (kernel), -EEXIST (pinned by
 * another version). `allow`: the senders from now on, in force before the first packet; NULL: as
 * they are. */
EBB_MUST_CHECK int node_attach(const char *ifname, enum config_xdp_mode mode,
			       const struct node_allow *allow, const char *bpffs_dir,
			       struct err *err, bool *ret_native);
/* With the last interface the pins go too. -ENOENT: not attached there. */
EBB_MUST_CHECK int node_detach(const char *ifname, const char *bpffs_dir, struct err *err);
EBB_MUST_CHECK int node_show(const char *bpffs_dir, struct err *err,
			     struct node_status *ret_status);

#endif
