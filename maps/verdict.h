/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_MAPS_VERDICT_H
#define EBB_MAPS_VERDICT_H
/*
 * verdict: what became of a packet in xdp_lb. One list for the data plane, the `verdicts` map, the metrics and the
 * manual. `X(NAME, "name", action, "meaning")`; action is what the one exit returns.
 */
#include "maps/types.h"

#define VERDICTS(X)                                                                                \
	X(CONTINUE, "continue", PASS, "no verdict yet (never counted)")                            \
	X(PASS_NOT_IP, "pass_not_ip", PASS, "neither IPv4 nor IPv6")                               \
	X(PASS_NOT_OURS, "pass_not_ours", PASS, "for no service")                                  \
	X(PASS_UNCONFIGURED, "pass_unconfigured", PASS, "no settings of our layout are written")    \
	X(PASS_MALFORMED, "pass_malformed", PASS, "headers cut or lying; not for us to judge")     \
	X(PASS_HEADER_CHAIN, "pass_header_chain", PASS, "more IPv6 extension headers than we follow") \
	X(FORWARD_TX, "forward_tx", TX, "encapsulated, sent by the interface it came in on")       \
	X(FORWARD_REDIRECT, "forward_redirect", REDIRECT, "encapsulated, sent by another interface") \
	X(ANSWER_ECHO, "answer_echo", TX, "an echo request to a VIP, answered")                    \
	X(ANSWER_TOO_BIG, "answer_too_big", TX, "does not fit; the sender was told the size that does") \
	X(DROP_EMPTY_POOL, "drop_empty_pool", DROP, "the service's pool has no backend")           \
	X(DROP_NO_BACKEND, "drop_no_backend", DROP, "the slot names no usable backend")            \
	X(DROP_NO_NEXTHOP, "drop_no_nexthop", DROP, "the backend's next hop is not resolved")      \
	X(DROP_NO_PORT, "drop_no_port", DROP, "the next hop's interface is not in `ports`")        \
	X(DROP_TOO_BIG, "drop_too_big", DROP, "does not fit the path, and nobody was told")              \
	X(DROP_NO_ROOM, "drop_no_room", DROP, "no headroom for the outer header")                  \
	X(DROP_MALFORMED, "drop_malformed", DROP, "for a service, but headers are cut or lying")    \
	X(DROP_FRAGMENT, "drop_fragment", DROP, "a later fragment whose first did not come by here") \
	X(DROP_FRAGMENT_OVERLAP, "drop_fragment_overlap", DROP, "a later fragment over bytes of its first")

enum verdict {
#define X(name, text, action, meaning) VERDICT_##name,
	VERDICTS(X)
#undef X
	VERDICT__COUNT,
};

#endif
