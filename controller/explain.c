// SPDX-License-Identifier: GPL-2.0-or-later
#include "controller/explain.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/bpf.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/address.h"
#include "controller/sandbox_index.h"
#include "controller/services_table.h"
#include "maps/hash.h"

#define FRAME_MAX 512
#define PAYLOAD	  8

/* Steals `value`. */
static void set(json_t *to, const char *key, json_t *value)
{
	(void)json_object_set_new(to, key, value);
}

/* --- the packet */

static uint32_t add_words(uint32_t sum, const void *bytes, size_t length)
{
	const uint8_t *at = bytes;

	for (size_t i = 0; i + 1 < length; i += 2)
		sum += (uint32_t)at[i] << 8 | at[i + 1];
	return sum;
}

static uint16_t checksum(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

static void put16(uint8_t *to, uint16_t value)
{
	to[0] = (uint8_t)(value >> 8);
	to[1] = (uint8_t)value;
}

/* RFC 793 and 768 headers; returns the length with payload. The checksum is right, as ebb relies on it. */
static uint32_t put_l4(uint8_t *to, const struct explain_flow *flow, size_t skip)
{
	bool tcp = flow->protocol == IPPROTO_TCP;
	uint32_t length = (tcp ? 20 : 8) + PAYLOAD, sum = flow->protocol + length;
	uint16_t check;

	put16(to, flow->source_port);
	put16(to + 2, flow->destination_port);
	if (tcp) {
		to[12] = 5 << 4;
		to[13] = 0x10; /* ACK */
	} else {
		put16(to + 4, (uint16_t)length);
	}
	sum = add_words(sum, flow->source.bytes + skip, 16 - skip);
	sum = add_words(sum, flow->destination.bytes + skip, 16 - skip);
	check = checksum(add_words(sum, to, length));
	memcpy(to + (tcp ? 16 : 6), &check, 2);
	return length;
}

static uint32_t put_ipv4(uint8_t *ip, const struct explain_flow *flow)
{
	uint32_t length = 20 + put_l4(ip + 20, flow, 12);
	uint16_t check;

	ip[0] = 0x45;
	put16(ip + 2, (uint16_t)length);
	ip[8] = 64;
	ip[9] = flow->protocol;
	memcpy(ip + 12, flow->source.bytes + 12, 4);
	memcpy(ip + 16, flow->destination.bytes + 12, 4);
	check = checksum(add_words(0, ip, 20));
	memcpy(ip + 10, &check, 2);
	return length;
}

static uint32_t put_ipv6(uint8_t *ip, const struct explain_flow *flow)
{
	uint32_t length = put_l4(ip + 40, flow, 0);

	ip[0] = 0x60;
	put16(ip + 4, (uint16_t)length);
	ip[6] = flow->protocol;
	ip[7] = 64;
	memcpy(ip + 8, flow->source.bytes, 16);
	memcpy(ip + 24, flow->destination.bytes, 16);
	return 40 + length;
}

static uint32_t put_frame(uint8_t *frame, const struct explain_flow *flow)
{
	bool v4 = address_is_ipv4(&flow->destination);

	memset(frame, 0, FRAME_MAX);
	frame[5] = 1;
	frame[11] = 2;
	put16(frame + 12, v4 ? ETHERTYPE_IP : ETHERTYPE_IPV6);
	return ETH_HLEN + (v4 ? put_ipv4(frame + ETH_HLEN, flow) : put_ipv6(frame + ETH_HLEN, flow));
}

/* --- what stands in the tables */

static const struct service *find(const struct service *table, uint32_t size, uint64_t seed,
				  const struct explain_flow *flow, bool any_port)
{
	return services_table_find(table, size, seed, &flow->destination,
				   any_port ? 0 : htons(flow->destination_port), flow->protocol, 0);
}

/* The order of bpf/service.h: exact, any port, longest prefix. */
static const struct service *service_of(const struct dataplane_tables *t,
					const struct explain_flow *flow)
{
	uint32_t half = t->settings->half & 1;
	const struct settings_table *in_force = &t->settings->table[half];
	bool v4 = address_is_ipv4(&flow->destination);
	const uint8_t *lengths = v4 ? in_force->prefix_lengths_ipv4 : in_force->prefix_lengths_ipv6;
	uint32_t count = v4 ? in_force->prefix_count_ipv4 : in_force->prefix_count_ipv6;
	const struct service *table = t->services + half * SERVICES_TABLE_SIZE, *s;

	s = find(table, SERVICES_TABLE_SIZE, in_force->seed, flow, false);
	if (!s)
		s = find(table, SERVICES_TABLE_SIZE, in_force->seed, flow, true);
	for (uint32_t i = 0; !s && i < count && i < PREFIX_LENGTHS_MAX; i++) {
		uint8_t bits = (uint8_t)(lengths[i] + (v4 ? 96 : 0));
		struct address masked = address_mask(&flow->destination, bits);

		s = services_table_find(t->prefixes + half * PREFIXES_TABLE_SIZE,
					PREFIXES_TABLE_SIZE, in_force->seed, &masked, 0, 0, bits);
	}
	return s;
}

static uint64_t flow_hash(const struct explain_flow *flow, uint64_t seed)
{
	uint16_t be[2] = {htons(flow->source_port), htons(flow->destination_port)};
	uint32_t ports;

	memcpy(&ports, be, sizeof(ports));
	return hash_flow(address_is_ipv4(&flow->source), &flow->source, &flow->destination, ports,
			 flow->protocol, seed);
}

static uint64_t key_hash(const struct service *s, const struct explain_flow *flow, uint64_t seed)
{
	bool v4 = address_is_ipv4(&flow->destination);

	switch ((enum affinity)s->affinity) {
	case AFFINITY_SOURCE:
		return hash_address(v4, &flow->source, 0, seed);
	case AFFINITY_SANDBOX:
		return hash_address(v4, &flow->destination,
				    s->flags & SERVICE_SANDBOX_PORT ? htons(flow->destination_port) : 0,
				    seed);
	case AFFINITY_FLOW:
	case AFFINITY_QUIC: /* a datagram without connection ID, as here */
	case AFFINITY_NONE:
	case AFFINITY__COUNT:
		break;
	}
	return flow_hash(flow, seed);
}

static json_t *name_of(const struct model *m, uint16_t id)
{
	uint32_t i = model_find_backend_id(m, id);

	if (id == BACKEND_NONE)
		return json_null();
	return i == UINT32_MAX ? json_sprintf("id %u", id) : json_string(m->backends[i].name);
}

static void put_service(const struct model *m, const struct service *s, json_t *to)
{
	static const char *const keys[AFFINITY__COUNT] = {
		"addresses, ports and protocol", "client address", "sandbox address",
		"connection ID, or addresses, ports and protocol", "addresses, ports and protocol"};
	static const char *const names[AFFINITY__COUNT] = {"flow", "source", "sandbox", "quic",
							   "none"};

	for (uint32_t i = 0; i < m->service_count; i++)
		if (m->services[i].id == s->id)
			set(to, "service", json_string(m->services[i].name));
	if (s->affinity < AFFINITY__COUNT) {
		set(to, "affinity", json_string(names[s->affinity]));
		set(to, "key", json_string(keys[s->affinity]));
	}
}

static void put_slot(const struct dataplane_tables *t, const struct model *m,
		     const struct service *s, uint64_t hash, json_t *to)
{
	uint32_t index = hash_slot(hash, s->slot_count);
	struct slot slot = t->slots[s->slot_base + index];

	set(to, "slot", json_integer(index));
	set(to, "primary", name_of(m, slot.primary));
	set(to, "secondary", name_of(m, slot.secondary));
	set(to, "home", name_of(m, slot.home));
}

/* The first note of the flow in its set; BACKEND_NONE if there is none. */
static uint16_t note_in(const struct flow_set *table, uint32_t sets, uint64_t hash)
{
	const struct flow_set *ways = &table[hash_flow_set(hash, sets - 1)];

	for (int way = 0; way < FLOW_WAYS; way++)
		if (ways->way[way].backend != BACKEND_NONE &&
		    ways->way[way].fingerprint == hash_fingerprint(hash))
			return ways->way[way].backend;
	return BACKEND_NONE;
}

static void put_note(const struct dataplane_tables *t, const struct dataplane_sizes *sizes,
		     const struct model *m, uint64_t hash, json_t *to)
{
	uint16_t known = note_in(t->flows, sizes->flows / FLOW_WAYS, hash);
	uint16_t begun = note_in(t->nursery, NURSERY_SETS, hash);

	if (known != BACKEND_NONE)
		set(to, "flow", name_of(m, known));
	if (begun != BACKEND_NONE)
		set(to, "nursery", name_of(m, begun));
}

/* How a packet learns of it: -EAGAIN by `sandboxes`, 1 by the index. 1 also for one that was not placed, but has the tag of one. */
static int look_up_sandbox(struct dataplane *dp, const struct sandbox_key *key,
			   struct sandbox *ret_value)
{
	const struct dataplane_tables *t = dataplane_tables(dp);
	const struct sandbox_index index = {.sets = t->sandbox_index,
					    .set_count = t->settings->sandbox_sets,
					    .seed = t->settings->sandbox_seed};

	return index.set_count ? sandbox_index_find(&index, key, ret_value) : -EAGAIN;
}

static void put_sandbox(struct dataplane *dp, const struct model *m, const struct service *s,
			const struct explain_flow *flow, json_t *to)
{
	struct sandbox_key key = {.address = flow->destination, .service = s->id};
	struct sandbox value;
	int found;

	if (s->flags & SERVICE_SANDBOX_PORT)
		key.port_be = htons(flow->destination_port);
	found = look_up_sandbox(dp, &key, &value);
	if (dataplane_sandbox_get(dp, &key, &value)) {
		if (found == 1)
			set(to, "sandbox_look_up", json_string("taken for another one, of the same tag"));
		return;
	}
	set(to, "sandbox", name_of(m, value.backend));
	set(to, "sandbox_look_up", json_string(found == 1 ? "index" : "map"));
	if (value.former != BACKEND_NONE)
		set(to, "sandbox_former", name_of(m, value.former));
}

/* --- what came out */

static const char *const verdict_names[VERDICT__COUNT] = {
#define X(name, text, action, meaning) text,
	VERDICTS(X)
#undef X
};

static const char *action_name(int action)
{
	static const char *const names[] = {"aborted", "drop", "pass", "tx", "redirect"};

	return action >= 0 && action < 5 ? names[action] : "?";
}

/* The counter that moved. With traffic beside, several do: then only those of the same action, as "a or b". */
static json_t *verdict_of(const struct verdict_stats *before, const struct verdict_stats *after,
			  int action)
{
	static const int actions[VERDICT__COUNT] = {
#define X(name, text, act, meaning) XDP_##act,
		VERDICTS(X)
#undef X
	};
	char text[256] = "";

	for (int v = 0; v < VERDICT__COUNT; v++) {
		size_t used = strlen(text);

		if (actions[v] == action && after[v].packets != before[v].packets)
			snprintf(text + used, sizeof(text) - used, "%s%s", used ? " or " : "",
				 verdict_names[v]);
	}
	return json_string(text[0] ? text : action_name(action));
}

static const struct backend *backend_at(const struct dataplane_tables *t, const struct model *m,
					const struct address *outer, uint32_t *ret_backend)
{
	for (uint32_t i = 0; i < m->backend_count; i++)
		if (!memcmp(&m->backends[i].address, outer, sizeof(*outer))) {
			*ret_backend = i;
			return &t->backends[m->backends[i].id];
		}
	return NULL;
}

static void put_nexthop(const struct dataplane_tables *t, const struct backend *b, json_t *to)
{
	const struct nexthop *n = &t->nexthops[b->nexthop < NEXTHOPS_MAX ? b->nexthop : 0];
	char ifname[IF_NAMESIZE];

	if (n->ifindex)
		set(to, "nexthop",
		    json_sprintf("%02x:%02x:%02x:%02x:%02x:%02x by %s", n->destination[0],
				 n->destination[1], n->destination[2], n->destination[3],
				 n->destination[4], n->destination[5],
				 if_indextoname(n->ifindex, ifname) ? ifname : "?"));
}

/* The first second hop of a GUE packet (GLB's private data: type, next hop, hop count; then the hops). */
static void put_second_hop(const struct dataplane_tables *t, const struct model *m,
			   const uint8_t *udp, const uint8_t *end, bool v4, json_t *to)
{
	const uint8_t *hops = udp + 8 + 4 + 4;
	struct address hop = {{[10] = 0xff, [11] = 0xff}};
	uint32_t backend;

	if (udp + 8 + 4 > end || !(udp[8] & 0x1f) || hops + (v4 ? 4 : 16) > end)
		return;
	memcpy(v4 ? hop.bytes + 12 : hop.bytes, hops, v4 ? 4 : 16);
	if (backend_at(t, m, &hop, &backend))
		set(to, "second_hop", json_string(m->backends[backend].name));
}

static void put_outer(const struct dataplane_tables *t, const struct model *m, const uint8_t *frame,
		      uint32_t length, json_t *to)
{
	const uint8_t *ip = frame + ETH_HLEN, *end = frame + length;
	bool v4 = length > ETH_HLEN && ip[0] >> 4 == 4;
	struct address outer = {{[10] = 0xff, [11] = 0xff}};
	uint32_t head = v4 ? 20 : 40, backend;
	const struct backend *b;
	uint8_t protocol;

	if (length < ETH_HLEN + head)
		return;
	protocol = v4 ? ip[9] : ip[6];
	memcpy(v4 ? outer.bytes + 12 : outer.bytes, v4 ? ip + 16 : ip + 24, v4 ? 4 : 16);
	b = backend_at(t, m, &outer, &backend);
	if (b) {
		set(to, "backend", json_string(m->backends[backend].name));
		put_nexthop(t, b, to);
	}
	set(to, "outer", json_sprintf("%s, %u bytes", protocol == IPPROTO_UDP ? "gue" : "ipip",
				      length - ETH_HLEN));
	if (protocol == IPPROTO_UDP && b)
		put_second_hop(t, m, ip + head, end, v4, to);
}

static void put_tables(struct dataplane *dp, const struct model *m, const struct explain_flow *flow,
		       json_t *to)
{
	const struct dataplane_tables *t = dataplane_tables(dp);
	const struct service *s = service_of(t, flow);

	if (!s)
		return;
	put_service(m, s, to);
	if (s->affinity == AFFINITY_SANDBOX)
		put_sandbox(dp, m, s, flow, to);
	if (s->slot_count)
		put_slot(t, m, s, key_hash(s, flow, t->settings->hash_seed), to);
	put_note(t, dataplane_sizes(dp), m, flow_hash(flow, t->settings->hash_seed), to);
}

int explain_flow(struct dataplane *dp, const struct model *m, const struct explain_flow *flow,
		 const char *ifname, struct err *err, json_t **ret_result)
{
	struct verdict_stats before[VERDICT__COUNT], after[VERDICT__COUNT];
	uint8_t frame[FRAME_MAX], out[FRAME_MAX];
	uint32_t length = put_frame(frame, flow), out_length = sizeof(out);
	unsigned int ifindex = if_nametoindex(ifname);
	int e, action;
	json_t *to;

	if (!ifindex)
		return err_set(err, ENODEV, "no interface %s", ifname);
	to = json_object();
	put_tables(dp, m, flow, to); /* before the run, which may note the flow */
	e = dataplane_verdicts(dp, before);
	action = dataplane_test_run(dp, frame, length, ifindex, out, &out_length);
	if (!e)
		e = dataplane_verdicts(dp, after);
	if (e || action < 0) {
		json_decref(to);
		return err_set(err, action < 0 ? -action : -e, "the program could not be run: %s",
			       strerror(action < 0 ? -action : -e));
	}
	set(to, "verdict", verdict_of(before, after, action));
	set(to, "action", json_string(action_name(action)));
	if (action == XDP_TX || action == XDP_REDIRECT)
		put_outer(dataplane_tables(dp), m, out, out_length, to);
	*ret_result = to;
	return to ? 0 : err_set(err, ENOMEM, "out of memory");
}

int explain_endpoint(const char *text, struct address *ret_address, uint16_t *ret_port,
		     struct err *err)
{
	const char *colon = strrchr(text, ':');
	char address[INET6_ADDRSTRLEN + 2], *from = address, *end;
	size_t length = colon ? (size_t)(colon - text) : 0;
	unsigned long port;

	if (!length || length >= sizeof(address))
		return err_set(err, EINVAL, "%.80s: ADDRESS:PORT or [ADDRESS]:PORT is needed", text);
	memcpy(address, text, length);
	address[length] = 0;
	if (address[0] == '[' && address[length - 1] == ']') {
		address[length - 1] = 0;
		from++;
	}
	port = strtoul(colon + 1, &end, 10);
	if (address_parse(from, ret_address) || end == colon + 1 || *end || port > 65535 ||
	    colon[1] < '0' || colon[1] > '9')
		return err_set(err, EINVAL, "%.80s: ADDRESS:PORT or [ADDRESS]:PORT is needed", text);
	*ret_port = (uint16_t)port;
	return 0;
}
