// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_netlink: any bytes as rtnetlink messages, one behind the other. Each lies in memory of its own length, so that an attribute
 * that lies of its length is read no further than its message goes; what comes out is within its types.
 */
#include <linux/netlink.h>
#include <netlink/msg.h>
#include <string.h>

#include "controller/nexthop_netlink.h"
#include "tests/fuzz/fuzz.h"

static const struct address destination = {{[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 1}};

static void check_event(const struct nexthop_event *event)
{
	static const uint8_t zero[6];

	must(event->kind < NEXTHOP_EVENT__COUNT);
	must(event->prefix.length <= 128);
	must(!event->link.parent || event->link.vlan);
	must(!event->link.ethernet || memcmp(event->link.mac, zero, 6));
	must(!event->neighbour.has_mac || memcmp(event->neighbour.mac, zero, 6));
}

static void read_one(struct nlmsghdr *hdr)
{
	struct nexthop_event event;
	struct nexthop_route route = {0};

	if (nexthop_netlink_parse(hdr, &event))
		check_event(&event);
	must(nexthop_netlink_parse_route(hdr, &destination, &route) == route.found);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct nlmsghdr hdr, *message;

	while (length >= sizeof(hdr)) {
		memcpy(&hdr, bytes, sizeof(hdr));
		if (!nlmsg_ok(&hdr, (int)length))
			return 0;
		message = malloc(hdr.nlmsg_len);
		must(message);
		memcpy(message, bytes, hdr.nlmsg_len);
		read_one(message);
		free(message);
		length -= hdr.nlmsg_len;
		bytes += hdr.nlmsg_len;
	}
	return 0;
}
