/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_MAPS_NODE_H
#define EBB_MAPS_NODE_H
/*
 * node: what became of a packet in the backend's program. One list for the program, the `node_verdicts` map (per CPU,
 * struct verdict_stats, one entry a verdict) and `ebb node show`. `X(NAME, "name", action, "meaning")`.
 */
#include "maps/types.h"

#define NODE_VERDICTS(X)                                                                           \
	X(CONTINUE, "continue", PASS, "no verdict yet (never counted)")                            \
	X(PASS_PLAIN, "pass_plain", PASS, "not encapsulated for us; untouched")                    \
	X(ACCEPT_IPIP, "accept_ipip", PASS, "outer IP header stripped, handed up")                 \
	X(ACCEPT_GUE, "accept_gue", PASS, "GUE stripped, handed up")                               \
	X(DROP_MALFORMED, "drop_malformed", DROP, "encapsulated, but headers are cut or lying")

enum node_verdict {
#define X(name, text, action, meaning) NODE_##name,
	NODE_VERDICTS(X)
#undef X
	NODE__COUNT,
};

#endif
