// SPDX-License-Identifier: GPL-2.0-or-later
/* nexthop_netlink: see the header. */
#include "controller/nexthop_netlink.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "controller/config.h"

#define EVENT_BUFFER_BYTES (8 * 1024 * 1024)
#define READS_PER_CALL     64 /* then the loop gets its turn */

struct nexthop_netlink {
	struct nl_sock *ask, *listen;
	nexthop_event_fn on_event;
	void *ctx;
};

static const uint8_t ipv4_prefix[12] = {[10] = 0xff, [11] = 0xff};

/* ---- addresses ---- */

static bool read_address(const struct nlattr *attr, struct address *ret_address)
{
	if (attr && nla_len(attr) == 4) {
		memcpy(ret_address->bytes, ipv4_prefix, 12);
		memcpy(ret_address->bytes + 12, nla_data(attr), 4);
		return true;
	}
	if (attr && nla_len(attr) == 16) {
		memcpy(ret_address->bytes, nla_data(attr), 16);
		return true;
	}
	return false;
}

static bool read_mac(const struct nlattr *attr, uint8_t ret_mac[6])
{
	static const uint8_t zero[6];

	if (!attr || nla_len(attr) != 6)
		return false;
	memcpy(ret_mac, nla_data(attr), 6);
	return memcmp(ret_mac, zero, 6) != 0;
}

/* False: not there, or shorter than its type (libnl would read on). */
static bool read_u32(const struct nlattr *attr, uint32_t *ret_value)
{
	if (!attr || nla_len(attr) < (int)sizeof(*ret_value))
		return false;
	memcpy(ret_value, nla_data(attr), sizeof(*ret_value));
	return true;
}

static int family_of(const struct address *address)
{
	return address_is_ipv4(address) ? AF_INET : AF_INET6;
}

static int put_address(struct nl_msg *msg, int type, const struct address *address)
{
	return address_is_ipv4(address) ? nla_put(msg, type, 4, address->bytes + 12)
					: nla_put(msg, type, 16, address->bytes);
}

/* ---- reading ---- */

static uint16_t at_most_u16(uint32_t value)
{
	return value > UINT16_MAX ? UINT16_MAX : (uint16_t)value;
}

static bool has_text(const struct nlattr *attr, const char *text)
{
	size_t length = attr ? strnlen(nla_data(attr), (size_t)nla_len(attr)) : 0;

	return attr && length == strlen(text) && memcmp(nla_data(attr), text, length) == 0;
}

static void read_vlan(struct nlattr *linkinfo, struct nexthop_link *link)
{
	struct nlattr *info[IFLA_INFO_MAX + 1], *data[IFLA_VLAN_MAX + 1];

	if (!linkinfo || nla_parse_nested(info, IFLA_INFO_MAX, linkinfo, NULL) < 0)
		return;
	if (!has_text(info[IFLA_INFO_KIND], "vlan") || !info[IFLA_INFO_DATA])
		return;
	if (nla_parse_nested(data, IFLA_VLAN_MAX, info[IFLA_INFO_DATA], NULL) < 0)
		return;
	if (data[IFLA_VLAN_ID] && nla_len(data[IFLA_VLAN_ID]) >= 2)
		link->vlan = nla_get_u16(data[IFLA_VLAN_ID]);
}

static bool read_link(struct nlmsghdr *hdr, struct nexthop_link *ret_link)
{
	const struct ifinfomsg *ifi = nlmsg_data(hdr);
	struct nlattr *attr[IFLA_MAX + 1];
	uint32_t mtu;

	if (nlmsg_parse(hdr, sizeof(*ifi), attr, IFLA_MAX, NULL) < 0 ||
	    ifi->ifi_family != AF_UNSPEC)
		return false; /* a bridge's port comes under its own family as well */
	memset(ret_link, 0, sizeof(*ret_link));
	ret_link->ifindex = (uint32_t)ifi->ifi_index;
	ret_link->up = ifi->ifi_flags & IFF_UP && ifi->ifi_flags & IFF_RUNNING;
	ret_link->ethernet =
		ifi->ifi_type == ARPHRD_ETHER && read_mac(attr[IFLA_ADDRESS], ret_link->mac);
	if (read_u32(attr[IFLA_MTU], &mtu))
		ret_link->mtu_bytes = at_most_u16(mtu);
	read_vlan(attr[IFLA_LINKINFO], ret_link);
	if (ret_link->vlan && !read_u32(attr[IFLA_LINK], &ret_link->parent))
		ret_link->parent = 0;
	return true;
}

static bool read_neighbour(struct nlmsghdr *hdr, struct nexthop_neighbour *ret_neighbour)
{
	const struct ndmsg *ndm = nlmsg_data(hdr);
	struct nlattr *attr[NDA_MAX + 1];

	if (nlmsg_parse(hdr, sizeof(*ndm), attr, NDA_MAX, NULL) < 0)
		return false;
	memset(ret_neighbour, 0, sizeof(*ret_neighbour));
	if ((ndm->ndm_family != AF_INET && ndm->ndm_family != AF_INET6) ||
	    ndm->ndm_flags & NTF_PROXY || !read_address(attr[NDA_DST], &ret_neighbour->address))
		return false;
	ret_neighbour->ifindex = (uint32_t)ndm->ndm_ifindex;
	ret_neighbour->nud = hdr->nlmsg_type == RTM_DELNEIGH ? 0 : ndm->ndm_state;
	ret_neighbour->has_mac = read_mac(attr[NDA_LLADDR], ret_neighbour->mac);
	return true;
}

static bool read_prefix(struct nlmsghdr *hdr, struct nexthop_event *event)
{
	const struct rtmsg *rtm = nlmsg_data(hdr);
	struct nlattr *attr[RTA_MAX + 1];
	bool ipv4;

	if (nlmsg_parse(hdr, sizeof(*rtm), attr, RTA_MAX, NULL) < 0)
		return false;
	ipv4 = rtm->rtm_family == AF_INET;
	if ((!ipv4 && rtm->rtm_family != AF_INET6) || rtm->rtm_flags & RTM_F_CLONED ||
	    rtm->rtm_dst_len > (ipv4 ? 32 : 128))
		return false;
	if (!read_address(attr[RTA_DST], &event->prefix.address) && ipv4)
		memcpy(event->prefix.address.bytes, ipv4_prefix, 12); /* default route */
	event->prefix.length = rtm->rtm_dst_len + (ipv4 ? 96 : 0);
	return true;
}

static void read_metrics(struct nlattr *metrics, struct nexthop_route *route)
{
	struct nlattr *attr[RTAX_MAX + 1];
	uint32_t mtu;

	if (metrics && nla_parse_nested(attr, RTAX_MAX, metrics, NULL) == 0 &&
	    read_u32(attr[RTAX_MTU], &mtu))
		route->mtu_bytes = at_most_u16(mtu);
}

/* An IPv4 route by an IPv6 gateway (RFC 5549) has RTA_VIA: family, then the address. */
static bool read_via(const struct nlattr *via, struct address *ret_address)
{
	const struct rtvia *v = via ? nla_data(via) : NULL;

	if (!v || nla_len(via) != (int)sizeof(*v) + 16 || v->rtvia_family != AF_INET6)
		return false;
	memcpy(ret_address->bytes, v->rtvia_addr, 16);
	return true;
}

struct route_answer {
	const struct address *destination;
	struct nexthop_route route;
};

bool nexthop_netlink_parse_route(struct nlmsghdr *hdr, const struct address *destination,
				 struct nexthop_route *ret_route)
{
	const struct rtmsg *rtm = nlmsg_data(hdr);
	struct nexthop_route route = {.found = true};
	struct nlattr *attr[RTA_MAX + 1];

	if (hdr->nlmsg_type != RTM_NEWROUTE ||
	    nlmsg_parse(hdr, sizeof(*rtm), attr, RTA_MAX, NULL) < 0)
		return false;
	if (rtm->rtm_type != RTN_UNICAST || !read_u32(attr[RTA_OIF], &route.ifindex))
		return false;
	if (!read_address(attr[RTA_GATEWAY], &route.gateway) &&
	    !read_via(attr[RTA_VIA], &route.gateway))
		route.gateway = *destination;
	read_address(attr[RTA_PREFSRC], &route.source);
	read_metrics(attr[RTA_METRICS], &route);
	*ret_route = route;
	return true;
}

static int on_route(struct nl_msg *msg, void *ctx)
{
	struct route_answer *answer = ctx;

	return nexthop_netlink_parse_route(nlmsg_hdr(msg), answer->destination, &answer->route)
		       ? NL_OK
		       : NL_SKIP;
}

static int on_neighbour(struct nl_msg *msg, void *ctx)
{
	struct nexthop_neighbour neighbour;

	if (nlmsg_hdr(msg)->nlmsg_type == RTM_NEWNEIGH &&
	    read_neighbour(nlmsg_hdr(msg), &neighbour))
		*(struct nexthop_neighbour *)ctx = neighbour;
	return NL_OK;
}

bool nexthop_netlink_parse(struct nlmsghdr *hdr, struct nexthop_event *ret_event)
{
	memset(ret_event, 0, sizeof(*ret_event));
	switch (hdr->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		ret_event->kind = hdr->nlmsg_type == RTM_NEWLINK ? NEXTHOP_EVENT_LINK
								 : NEXTHOP_EVENT_LINK_GONE;
		return read_link(hdr, &ret_event->link);
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		ret_event->kind = NEXTHOP_EVENT_NEIGHBOUR;
		return read_neighbour(hdr, &ret_event->neighbour);
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		ret_event->kind = NEXTHOP_EVENT_ROUTE;
		return read_prefix(hdr, ret_event);
	default:
		ret_event->kind = NEXTHOP_EVENT_OTHER;
		return true;
	}
}

static int on_message(struct nl_msg *msg, void *ctx)
{
	struct nexthop_netlink *nl = ctx;
	struct nexthop_event event;

	if (nexthop_netlink_parse(nlmsg_hdr(msg), &event))
		nl->on_event(nl->ctx, &event);
	return NL_OK;
}

/* ---- asking ---- */

static int errno_of(int nl_error)
{
	switch (-nl_error) {
	case NLE_NOMEM: /* ENOMEM and ENOBUFS alike */
		return -ENOBUFS;
	case NLE_PERM:
	case NLE_NOACCESS:
		return -EPERM;
	case NLE_OBJ_NOTFOUND:
	case NLE_NODEV:
		return -ENOENT;
	case NLE_AGAIN:
		return -EAGAIN;
	case NLE_DUMP_INTR: /* something changed meanwhile: a notification says what */
		return 0;
	default:
		return -EIO;
	}
}

/* Sends `msg` (and frees it) and gives each answer to `fn`. `put` is what building it returned. */
static int ask(struct nexthop_netlink *nl, struct nl_msg *msg, int put, nl_recvmsg_msg_cb_t fn,
	       void *ctx)
{
	int rc = put;

	if (rc >= 0)
		rc = nl_socket_modify_cb(nl->ask, NL_CB_VALID, NL_CB_CUSTOM, fn, ctx);
	if (rc >= 0)
		rc = nl_send_auto(nl->ask, msg);
	nlmsg_free(msg);
	if (rc >= 0)
		rc = nl_recvmsgs_default(nl->ask);
	return rc < 0 ? errno_of(rc) : 0;
}

static struct nl_msg *request(int type, int flags, const void *header, size_t length)
{
	struct nl_msg *msg = nlmsg_alloc_simple(type, flags);

	if (msg && nlmsg_append(msg, (void *)header, length, NLMSG_ALIGNTO) < 0) {
		nlmsg_free(msg);
		return NULL;
	}
	return msg;
}

int nexthop_netlink_route(struct nexthop_netlink *nl, const struct address *destination,
			  struct nexthop_route *ret_route)
{
	struct rtmsg rtm = {.rtm_family = (unsigned char)family_of(destination),
			    .rtm_dst_len = address_is_ipv4(destination) ? 32 : 128};
	struct nl_msg *msg = request(RTM_GETROUTE, NLM_F_REQUEST, &rtm, sizeof(rtm));
	struct route_answer answer = {.destination = destination};
	int rc;

	if (!msg)
		return -ENOMEM;
	rc = ask(nl, msg, put_address(msg, RTA_DST, destination), on_route, &answer);
	if (rc == -ENOBUFS)
		return rc;
	*ret_route =
		answer.route; /* the kernel says "no route" by many errors: all leave found false */
	return 0;
}

int nexthop_netlink_neighbour(struct nexthop_netlink *nl, uint32_t ifindex,
			      const struct address *address,
			      struct nexthop_neighbour *ret_neighbour)
{
	struct ndmsg ndm = {.ndm_family = (unsigned char)family_of(address),
			    .ndm_ifindex = (int)ifindex};
	struct nexthop_neighbour neighbour = {.ifindex = ifindex, .address = *address};
	struct nl_msg *msg = request(RTM_GETNEIGH, NLM_F_REQUEST, &ndm, sizeof(ndm));
	int rc;

	if (!msg)
		return -ENOMEM;
	rc = ask(nl, msg, put_address(msg, NDA_DST, address), on_neighbour, &neighbour);
	if (rc && rc != -ENOENT)
		return rc;
	*ret_neighbour = neighbour;
	return 0;
}

static int ignore(struct nl_msg *msg, void *ctx)
{
	return NL_OK;
}

int nexthop_netlink_use(struct nexthop_netlink *nl, uint32_t ifindex, const struct address *address)
{
	struct ndmsg ndm = {.ndm_family = (unsigned char)family_of(address),
			    .ndm_ifindex = (int)ifindex,
			    .ndm_flags = NTF_USE};
	struct nl_msg *msg =
		request(RTM_NEWNEIGH, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_ACK, &ndm, sizeof(ndm));

	if (!msg)
		return -ENOMEM;
	return ask(nl, msg, put_address(msg, NDA_DST, address), ignore, NULL);
}

int nexthop_netlink_dump(struct nexthop_netlink *nl)
{
	struct ifinfomsg ifi = {.ifi_family = AF_UNSPEC};
	struct ndmsg ndm = {.ndm_family = AF_UNSPEC};
	struct nl_msg *links = request(RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, &ifi, sizeof(ifi));
	struct nl_msg *neighbours;
	int rc;

	if (!links)
		return -ENOMEM;
	rc = ask(nl, links, 0, on_message, nl);
	if (rc)
		return rc;
	neighbours = request(RTM_GETNEIGH, NLM_F_REQUEST | NLM_F_DUMP, &ndm, sizeof(ndm));
	if (!neighbours)
		return -ENOMEM;
	return ask(nl, neighbours, 0, on_message, nl);
}

/* ---- listening ---- */

int nexthop_netlink_fd(const struct nexthop_netlink *nl)
{
	return nl_socket_get_fd(nl->listen);
}

int nexthop_netlink_read(struct nexthop_netlink *nl)
{
	for (int i = 0; i < READS_PER_CALL; i++) {
		int rc = nl_recvmsgs_default(nl->listen);

		if (rc == -NLE_AGAIN)
			return 0;
		if (rc < 0)
			return errno_of(rc);
	}
	return 0;
}

static int open_listener(struct nexthop_netlink *nl)
{
	int bytes = EVENT_BUFFER_BYTES, rc;

	nl_socket_disable_seq_check(nl->listen);
	rc = nl_socket_modify_cb(nl->listen, NL_CB_VALID, NL_CB_CUSTOM, on_message, nl);
	if (rc >= 0)
		rc = nl_connect(nl->listen, NETLINK_ROUTE);
	if (rc >= 0)
		rc = nl_socket_add_memberships(nl->listen, RTNLGRP_LINK, RTNLGRP_NEIGH,
					       RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE,
					       RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
					       RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE, 0);
	if (rc >= 0)
		rc = nl_socket_set_nonblocking(nl->listen);
	if (rc < 0)
		return rc;
	/* A larger buffer makes losses rarer; without the permission a loss costs a re-read. */
	if (setsockopt(nl_socket_get_fd(nl->listen), SOL_SOCKET, SO_RCVBUFFORCE, &bytes,
		       sizeof(bytes)))
		setsockopt(nl_socket_get_fd(nl->listen), SOL_SOCKET, SO_RCVBUF, &bytes,
			   sizeof(bytes));
	return 0;
}

int nexthop_netlink_open(nexthop_event_fn on_event, void *ctx, struct err *err,
			 struct nexthop_netlink **ret_netlink)
{
	struct nexthop_netlink *nl = calloc(1, sizeof(*nl));
	int rc = -NLE_NOMEM;

	if (!nl)
		return err_set(err, ENOMEM, "out of memory");
	nl->on_event = on_event;
	nl->ctx = ctx;
	nl->ask = nl_socket_alloc();
	nl->listen = nl_socket_alloc();
	if (nl->ask && nl->listen) {
		nl_socket_disable_auto_ack(nl->ask);
		rc = nl_connect(nl->ask, NETLINK_ROUTE);
		if (rc >= 0)
			rc = open_listener(nl);
	}
	if (rc < 0) {
		nexthop_netlink_close(nl);
		return err_set(err, EIO, "cannot open rtnetlink: %s", nl_geterror(rc));
	}
	*ret_netlink = nl;
	return 0;
}

void nexthop_netlink_close(struct nexthop_netlink *nl)
{
	if (!nl)
		return;
	nl_socket_free(nl->ask);
	nl_socket_free(nl->listen);
	free(nl);
}
