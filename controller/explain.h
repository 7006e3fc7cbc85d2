/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_EXPLAIN_H
#define EBB_EXPLAIN_H
/*
 * explain: where a packet of a flow would go, by running the pinned program on such a packet (BPF_PROG_TEST_RUN), which
 * sends nothing. Around it, what stands in the tables on the way: service, slot, note of the flow.
 *
 * The packet is one from the middle of a flow (TCP: an ACK; UDP: a datagram), since a SYN would be noted.
 */
#include <jansson.h>

#include "controller/dataplane.h"
#include "controller/err.h"
#include "controller/model.h"

struct explain_flow {
	struct address source, destination; /* of one family */
	uint16_t source_port, destination_port; /* host order */
	uint8_t protocol; /* IPPROTO_TCP or IPPROTO_UDP */
};

/* "ADDRESS:PORT" or "[ADDRESS]:PORT". */
EBB_MUST_CHECK int explain_endpoint(const char *text, struct address *ret_address, uint16_t *ret_port,
				    struct err *err);
/* `ifname`: by which it comes in. A new object with the members of docs/control.md. */
EBB_MUST_CHECK int explain_flow(struct dataplane *dp, const struct model *model,
				const struct explain_flow *flow, const char *ifname, struct err *err,
				json_t **ret_result);

#endif
