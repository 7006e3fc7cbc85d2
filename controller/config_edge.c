// SPDX-License-Identifier: GPL-2.0-or-later
/* config_edge: the part of the file that is about this host: its interfaces, its seed, the sizes of its maps. */
#include <errno.h>
#include <net/if.h>
#include <string.h>

#include "controller/config_build.h"
#include "controller/config_scalar.h"
#include "maps/flow.h"

#define FLOWS_MIN    1024
#define FLOWS_USUAL  1048576
#define BACKENDS_MIN 64
#define SANDBOXES_MIN 1024

static_assert(FLOWS_MIN % FLOW_WAYS == 0, "whole sets");

static void take_hash_seed(struct config_context *ctx, const char *text, uint64_t *seed)
{
	if (scalar_hex64(text, seed) != 0 || *seed == 0)
		config_fail_key(ctx, "hash_seed",
				"%s is not a hexadecimal number of 64 bits other than 0, such as "
				"0x5eed5eed5eed5eed",
				config_quote(text));
}

/* The kernel's rule (dev_valid_name): no slash, colon or space, not "." or "..". */
static bool interface_name_valid(const char *name)
{
	size_t length = strlen(name);

	if (!length || length >= IFNAMSIZ || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return false;
	for (const unsigned char *c = (const unsigned char *)name; *c; c++)
		if (*c <= 0x20 || *c >= 0x7f || *c == '/' || *c == ':')
			return false;
	return true;
}

static int build_interface(struct config_context *ctx, const struct raw_interface *raw, uint32_t index)
{
	static const char *const modes[] = {"auto", "native", "generic"};
	struct config_interface *interfaces = ctx->config->edge.interfaces;
	unsigned int mode = CONFIG_XDP_AUTO;

	static_assert(sizeof(modes) / sizeof(modes[0]) == CONFIG_XDP__COUNT, "XDP modes");
	if (!interface_name_valid(raw->name))
		config_fail_key(ctx, "name", "%s is not the name of an interface (1 to %d bytes)",
				config_quote(raw->name), IFNAMSIZ - 1);
	config_take_word(ctx, "mode", raw->mode, modes, CONFIG_XDP__COUNT, &mode);
	interfaces[index].mode = mode;
	interfaces[index].name = arena_strdup(ctx->arena, raw->name);
	if (!interfaces[index].name)
		return -ENOMEM;
	for (uint32_t i = 0; i < index; i++) {
		if (strcmp(interfaces[i].name, raw->name) == 0) {
			config_fail_key(ctx, "name", "interface %s is already edge.interfaces[%u]",
					config_quote(raw->name), i);
			break;
		}
	}
	return 0;
}

static int build_interfaces(struct config_context *ctx, const struct raw_edge *raw)
{
	struct config_edge *edge = &ctx->config->edge;
	int r = 0;

	config_enter(ctx, "interfaces");
	if (!raw->interfaces_count)
		config_fail(ctx, "is empty; at least one interface is needed");
	edge->interfaces = arena_alloc(ctx->arena, raw->interfaces_count, sizeof(*edge->interfaces));
	if (!edge->interfaces)
		r = -ENOMEM;
	for (uint32_t i = 0; r == 0 && i < raw->interfaces_count; i++) {
		config_enter_index(ctx, i);
		r = build_interface(ctx, &raw->interfaces[i], i);
		config_leave(ctx);
	}
	edge->interface_count = raw->interfaces_count;
	config_leave(ctx);
	return r;
}

static void build_source(struct config_context *ctx, const struct raw_source *raw, struct config_edge *edge)
{
	if (!raw)
		return;
	config_enter(ctx, "source");
	edge->has_source_ipv4 = config_take_address(ctx, "ipv4", raw->ipv4, &edge->source_ipv4);
	if (edge->has_source_ipv4 && !address_is_ipv4(&edge->source_ipv4))
		config_fail_key(ctx, "ipv4", "%s is an IPv6 address; an IPv4 address is needed", config_quote(raw->ipv4));
	edge->has_source_ipv6 = config_take_address(ctx, "ipv6", raw->ipv6, &edge->source_ipv6);
	if (edge->has_source_ipv6 && address_is_ipv4(&edge->source_ipv6))
		config_fail_key(ctx, "ipv6", "%s is an IPv4 address; an IPv6 address is needed", config_quote(raw->ipv6));
	config_leave(ctx);
}

int config_build_edge(struct config_context *ctx, const struct raw_config *config)
{
	const struct raw_edge *raw = config->edge;
	struct config_edge *edge = &ctx->config->edge;
	int r;

	edge->flows = FLOWS_USUAL;
	edge->sandboxes = SANDBOXES_MAX;
	edge->icmp_rate_pps = 1000;
	edge->name = arena_strdup(ctx->arena, raw->name);
	if (!edge->name)
		return -ENOMEM;
	config_enter(ctx, "edge");
	config_check_name(ctx, raw->name, CONFIG_NAME_MAX);
	take_hash_seed(ctx, raw->hash_seed, &edge->hash_seed);
	build_source(ctx, raw->source, edge);
	config_take_unsigned(ctx, "flows", raw->flows, FLOWS_MIN, CONFIG_FLOWS_MAX, &edge->flows);
	if (edge->flows & (edge->flows - 1))
		config_fail_key(ctx, "flows", "%u is not a power of two", edge->flows);
	config_take_unsigned(ctx, "backends", raw->backends, BACKENDS_MIN, BACKENDS_MAX + 1,
			     &edge->backends);
	config_take_unsigned(ctx, "slots", raw->slots, 1, SLOTS_MAX, &edge->slots);
	config_take_unsigned(ctx, "sandboxes", raw->sandboxes, SANDBOXES_MIN, SANDBOXES_MAX,
			     &edge->sandboxes);
	edge->has_backends = raw->backends;
	edge->has_slots = raw->slots;
	config_take_unsigned(ctx, "icmp_rate", raw->icmp_rate, 0, 1000000, &edge->icmp_rate_pps);
	r = build_interfaces(ctx, raw);
	config_leave(ctx);
	return r;
}
