/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_MAPS_NODE_H
#define EBB_MAPS_NODE_H
/*
 * node: the maps of the backend's program and what became of its packets. One list of verdicts for the program, the
 * `node_verdicts` map (per CPU, struct verdict_stats, one entry a verdict), `ebb node show` and the manual.
 * `X(NAME, "name", action, "meaning")`.
 */
#include "maps/types.h"

#define NODE_VERDICTS(X)                                                                           \
	X(CONTINUE, "continue", PASS, "no verdict yet (never counted)")                            \
	X(PASS_PLAIN, "pass_plain", PASS, "not encapsulated for us; untouched")                    \
	X(ACCEPT_IPIP, "accept_ipip", PASS, "IP in IP, stripped, handed up")                       \
	X(ACCEPT_GUE, "accept_gue", PASS, "GUE without a next hop, stripped, handed up")           \
	X(ACCEPT_SYN, "accept_syn", PASS, "a flow begins here, though there is a next hop")        \
	X(ACCEPT_SOCKET, "accept_socket", PASS, "a local socket holds the flow")                   \
	X(ACCEPT_COOKIE, "accept_cookie", PASS, "carries a SYN cookie of ours")                    \
	X(ACCEPT_OTHER, "accept_other", PASS, "no socket could claim it; has a next hop")          \
	X(ON_TX, "on_tx", TX, "no socket here: passed on to the next hop, same interface")         \
	X(ON_REDIRECT, "on_redirect", REDIRECT, "passed on by another interface")                  \
	X(DROP_MALFORMED, "drop_malformed", DROP, "encapsulated, but headers are cut or lying")    \
	X(DROP_GUE, "drop_gue", DROP, "GUE of a version, form or private data that we do not know") \
	X(DROP_HOPS, "drop_hops", DROP, "the list of hops contradicts itself")                     \
	X(DROP_NOT_ALLOWED, "drop_not_allowed", DROP, "its sender is not in `node_edges`")         \
	X(DROP_TTL, "drop_ttl", DROP, "the outer TTL ended on the way to the next hop")            \
	X(DROP_CONGESTION, "drop_congestion", DROP, "congestion mark over a packet without ECN (RFC 6040)") \
	X(DROP_NO_ROOM, "drop_no_room", DROP, "the frame could not be changed")

enum node_verdict {
#define X(name, text, action, meaning) NODE_##name,
	NODE_VERDICTS(X)
#undef X
	NODE__COUNT,
};

/* node_settings: one entry, written by `ebb node`; all zero is a good default. */
struct node_settings {
	__u32 check_edges; /* 1: the outer source must match `node_edges` (edges, and peers that pass on) */
	__u32 reserved[7];
};
static_assert(sizeof(struct node_settings) == 32, "node_settings");

/* node_edges: an LPM trie of prefixes whose hosts may send to us; the value is not read. */
struct node_edge_key {
	__u32 prefix_length; /* 0..128 of the 16-byte form */
	struct address address;
};
static_assert(sizeof(struct node_edge_key) == 20, "node_edge_key");

#define NODE_EDGES_MAX 4096

#endif
