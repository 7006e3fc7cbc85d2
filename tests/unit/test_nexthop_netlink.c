// SPDX-License-Identifier: GPL-2.0-or-later
/* test_nexthop_netlink: rtnetlink messages read; also what test_nexthop cannot have where the
 * kernel has no VLAN devices. */
#include <net/if.h>
#include <net/if_arp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>

#include "controller/address.h"
#include "controller/nexthop_netlink.h"

static const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};

static struct nl_msg *message(int type, const void *header, size_t length)
{
	struct nl_msg *msg = nlmsg_alloc_simple(type, 0);

	assert_non_null(msg);
	assert_int_equal(nlmsg_append(msg, (void *)header, length, NLMSG_ALIGNTO), 0);
	return msg;
}

static bool parse(struct nl_msg *msg, struct nexthop_event *event)
{
	bool good = nexthop_netlink_parse(nlmsg_hdr(msg), event);

	nlmsg_free(msg);
	return good;
}

static struct nl_msg *link_message(int type, unsigned int flags)
{
	const struct ifinfomsg ifi = {.ifi_index = 7, .ifi_type = ARPHRD_ETHER, .ifi_flags = flags};
	struct nl_msg *msg = message(type, &ifi, sizeof(ifi));

	nla_put_u32(msg, IFLA_MTU, 1500);
	return msg;
}

static void put_kind(struct nl_msg *msg, const char *kind, uint16_t id)
{
	struct nlattr *info = nla_nest_start(msg, IFLA_LINKINFO), *data;

	nla_put_string(msg, IFLA_INFO_KIND, kind);
	data = nla_nest_start(msg, IFLA_INFO_DATA);
	nla_put_u16(msg, IFLA_VLAN_ID, id);
	nla_nest_end(msg, data);
	nla_nest_end(msg, info);
}

static void test_link(void **state)
{
	struct nl_msg *msg = link_message(RTM_NEWLINK, IFF_UP | IFF_RUNNING);
	struct nexthop_event event;

	nla_put(msg, IFLA_ADDRESS, 6, mac);
	assert_true(parse(msg, &event));
	assert_int_equal(event.kind, NEXTHOP_EVENT_LINK);
	assert_int_equal(event.link.ifindex, 7);
	assert_true(event.link.up && event.link.ethernet);
	assert_int_equal(event.link.mtu_bytes, 1500);
	assert_int_equal(event.link.vlan, 0);
	assert_memory_equal(event.link.mac, mac, 6);

	assert_true(parse(link_message(RTM_DELLINK, IFF_UP), &event));
	assert_int_equal(event.kind, NEXTHOP_EVENT_LINK_GONE);
	assert_false(event.link.up);       /* no carrier */
	assert_false(event.link.ethernet); /* no address */

	msg = link_message(RTM_NEWLINK, IFF_UP);
	nla_put(msg, IFLA_ADDRESS, 5, mac);
	assert_true(parse(msg, &event));
	assert_false(event.link.ethernet);

	msg = link_message(RTM_NEWLINK, IFF_UP);
	nla_put_u32(msg, IFLA_MTU, 70000); /* loopback's: the later attribute counts */
	assert_true(parse(msg, &event));
	assert_int_equal(event.link.mtu_bytes, 65535);
}

static void test_vlan(void **state)
{
	struct nl_msg *msg = link_message(RTM_NEWLINK, IFF_UP | IFF_RUNNING);
	struct nexthop_event event;

	nla_put(msg, IFLA_ADDRESS, 6, mac);
	nla_put_u32(msg, IFLA_LINK, 3);
	put_kind(msg, "vlan", 100);
	assert_true(parse(msg, &event));
	assert_int_equal(event.link.vlan, 100);
	assert_int_equal(event.link.parent, 3);

	/* Another kind's data under the same number is no VLAN id; a veth's peer is no parent. */
	msg = link_message(RTM_NEWLINK, IFF_UP | IFF_RUNNING);
	nla_put_u32(msg, IFLA_LINK, 3);
	put_kind(msg, "veth", 100);
	assert_true(parse(msg, &event));
	assert_int_equal(event.link.vlan, 0);
	assert_int_equal(event.link.parent, 0);
}

static struct nl_msg *neighbour_message(int type, int family, uint16_t nud, uint8_t flags)
{
	const struct ndmsg ndm = {.ndm_family = (uint8_t)family,
				  .ndm_ifindex = 7,
				  .ndm_state = nud,
				  .ndm_flags = flags};

	return message(type, &ndm, sizeof(ndm));
}

static void test_neighbour(void **state)
{
	static const uint8_t ipv4[4] = {10, 0, 0, 1}, zero[6];
	struct nl_msg *msg = neighbour_message(RTM_NEWNEIGH, AF_INET, NUD_REACHABLE, 0);
	struct nexthop_event event;
	struct address address;

	assert_int_equal(address_parse("10.0.0.1", &address), 0);
	nla_put(msg, NDA_DST, 4, ipv4);
	nla_put(msg, NDA_LLADDR, 6, mac);
	assert_true(parse(msg, &event));
	assert_int_equal(event.kind, NEXTHOP_EVENT_NEIGHBOUR);
	assert_memory_equal(&event.neighbour.address, &address, sizeof(address));
	assert_int_equal(event.neighbour.nud, NUD_REACHABLE);
	assert_true(event.neighbour.has_mac);

	msg = neighbour_message(RTM_DELNEIGH, AF_INET, NUD_REACHABLE, 0);
	nla_put(msg, NDA_DST, 4, ipv4);
	nla_put(msg, NDA_LLADDR, 6, zero);
	assert_true(parse(msg, &event));
	assert_int_equal(event.neighbour.nud, 0); /* it is gone, whatever its state was */
	assert_false(event.neighbour.has_mac);

	msg = neighbour_message(RTM_NEWNEIGH, AF_INET, NUD_PERMANENT, NTF_PROXY);
	nla_put(msg, NDA_DST, 4, ipv4);
	assert_false(parse(msg, &event)); /* an address that we answer for */
	msg = neighbour_message(RTM_NEWNEIGH, AF_BRIDGE, NUD_PERMANENT, 0);
	nla_put(msg, NDA_DST, 4, ipv4);
	assert_false(parse(msg, &event)); /* a bridge's table */
	assert_false(parse(neighbour_message(RTM_NEWNEIGH, AF_INET6, NUD_STALE, 0), &event));
}

static void test_route(void **state)
{
	static const struct {
		int family;
		uint8_t bits;
		const char *destination; /* NULL: default */
		uint8_t want_length;
		const char *want;
	} rows[] = {
		{AF_INET, 16, "10.20.0.0", 112, "10.20.0.0"},
		{AF_INET, 0, NULL, 96, "0.0.0.0"},
		{AF_INET6, 64, "fd00::", 64, "fd00::"},
		{AF_INET6, 0, NULL, 0, "::"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rtmsg rtm = {.rtm_family = (uint8_t)rows[i].family,
				    .rtm_dst_len = rows[i].bits};
		struct nl_msg *msg = message(RTM_NEWROUTE, &rtm, sizeof(rtm));
		struct nexthop_event event;
		struct address address;

		if (rows[i].destination) {
			assert_int_equal(address_parse(rows[i].destination, &address), 0);
			nla_put(msg, RTA_DST, rows[i].family == AF_INET ? 4 : 16,
				address.bytes + (rows[i].family == AF_INET ? 12 : 0));
		}
		assert_true(parse(msg, &event));
		assert_int_equal(event.kind, NEXTHOP_EVENT_ROUTE);
		assert_int_equal(event.prefix.length, rows[i].want_length);
		assert_int_equal(address_parse(rows[i].want, &address), 0);
		assert_memory_equal(&event.prefix.address, &address, sizeof(address));
	}
}

/* A message cut short anywhere is refused or read as far as it goes; the sanitizers watch. */
static void test_cut_short(void **state)
{
	struct nl_msg *msg = link_message(RTM_NEWLINK, IFF_UP);
	struct nexthop_event event;
	struct nlmsghdr *hdr;
	uint32_t whole;

	nla_put(msg, IFLA_ADDRESS, 6, mac);
	put_kind(msg, "vlan", 100);
	hdr = nlmsg_hdr(msg);
	whole = hdr->nlmsg_len;
	for (uint32_t length = NLMSG_HDRLEN; length < whole; length++) {
		struct nlmsghdr *cut = malloc(length);

		memcpy(cut, hdr, length);
		cut->nlmsg_len = length;
		if (nexthop_netlink_parse(cut, &event))
			assert_int_equal(event.link.ifindex, 7);
		free(cut);
	}
	nlmsg_free(msg);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_link),      cmocka_unit_test(test_vlan),
		cmocka_unit_test(test_neighbour), cmocka_unit_test(test_route),
		cmocka_unit_test(test_cut_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
