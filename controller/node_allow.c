// SPDX-License-Identifier: GPL-2.0-or-later
/* node_allow: see the header. */
#include "controller/node_allow.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/address.h"

int node_allow_add(struct node_allow *allow, const char *text, struct err *err)
{
	struct node_edge_key prefix = {.prefix_length = 128};
	char address[INET6_ADDRSTRLEN + 1];
	size_t length = strcspn(text, "/");
	char *end;

	if (allow->count == NODE_ALLOW_MAX)
		return err_set(err, ENOSPC, "more than %d allowed senders", NODE_ALLOW_MAX);
	snprintf(address, sizeof(address), "%.*s", (int)(length < sizeof(address) ? length : 0),
		 text);
	if (address_parse(address, &prefix.address))
		return err_set(err, EINVAL,
			       "\"%s\": an address or a prefix such as 10.0.0.0/8 is needed", text);
	if (text[length]) {
		bool ipv4 = address_is_ipv4(&prefix.address);
		long bits = strtol(text + length + 1, &end, 10);

		if (text[length + 1] < '0' || text[length + 1] > '9' || *end ||
		    bits > (ipv4 ? 32 : 128))
			return err_set(err, EINVAL, "\"%s\": a prefix length of 0 to %d is needed",
				       text, ipv4 ? 32 : 128);
		prefix.prefix_length = (uint32_t)bits + (ipv4 ? 96 : 0);
	}
	prefix.address = address_mask(&prefix.address, prefix.prefix_length);
	allow->prefixes[allow->count++] = prefix;
	return 0;
}

char *node_allow_format(const struct node_edge_key *prefix, char *to)
{
	bool ipv4 = address_is_ipv4(&prefix->address) && prefix->prefix_length >= 96;
	char address[INET6_ADDRSTRLEN];

	address_format(&prefix->address, address);
	snprintf(to, 50, "%s/%u", address,
		 ipv4 ? prefix->prefix_length - 96 : prefix->prefix_length);
	return to;
}

static bool holds(const struct node_allow *allow, const struct node_edge_key *prefix)
{
	for (uint32_t i = 0; i < allow->count; i++) {
		if (!memcmp(&allow->prefixes[i], prefix, sizeof(*prefix)))
			return true;
	}
	return false;
}

static int set_check(int settings_fd, uint32_t check)
{
	struct node_settings settings = {};
	uint32_t zero = 0;

	if (bpf_map_lookup_elem(settings_fd, &zero, &settings) < 0)
		return -errno;
	settings.check_edges = check;
	return bpf_map_update_elem(settings_fd, &zero, &settings, BPF_ANY) < 0 ? -errno : 0;
}

static int remove_others(int edges_fd, const struct node_allow *former,
			 const struct node_allow *allow)
{
	for (uint32_t i = 0; i < former->count; i++) {
		if (!holds(allow, &former->prefixes[i]) &&
		    bpf_map_delete_elem(edges_fd, &former->prefixes[i]) < 0)
			return -errno;
	}
	return 0;
}

static void read_prefixes(int edges_fd, struct node_allow *ret_allow)
{
	struct node_edge_key *last = NULL;

	ret_allow->count = 0;
	while (ret_allow->count < NODE_ALLOW_MAX &&
	       bpf_map_get_next_key(edges_fd, last, &ret_allow->prefixes[ret_allow->count]) == 0)
		last = &ret_allow->prefixes[ret_allow->count++];
}

static int apply(int settings_fd, int edges_fd, const struct node_allow *former,
		 const struct node_allow *allow)
{
	const uint32_t unread = 1;
	int rc;

	for (uint32_t i = 0; i < allow->count; i++) {
		if (bpf_map_update_elem(edges_fd, &allow->prefixes[i], &unread, BPF_ANY) < 0)
			return -errno;
	}
	rc = set_check(settings_fd, allow->count > 0);
	return rc ? rc : remove_others(edges_fd, former, allow);
}

int node_allow_apply(int settings_fd, int edges_fd, const struct node_allow *allow, struct err *err)
{
	struct node_allow *former = calloc(1, sizeof(*former));
	int rc;

	if (!former)
		return err_set(err, ENOMEM, "out of memory");
	read_prefixes(edges_fd, former);
	rc = apply(settings_fd, edges_fd, former, allow);
	free(former);
	if (rc)
		return err_set(err, -rc, "cannot write the list of allowed senders: %s",
			       strerror(-rc));
	return 0;
}

int node_allow_read(int settings_fd, int edges_fd, struct node_allow *ret_allow)
{
	struct node_settings settings = {};
	uint32_t zero = 0;

	if (bpf_map_lookup_elem(settings_fd, &zero, &settings) < 0)
		return -errno;
	ret_allow->count = 0;
	if (settings.check_edges)
		read_prefixes(edges_fd, ret_allow);
	return 0;
}
