// SPDX-License-Identifier: GPL-2.0-or-later
/* config_service: services and the HTTP listener. What a service leaves out depends on what it is (numbered below). */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "controller/config_build.h"
#include "controller/config_scalar.h"

#define PREFIX_IPV4_MIN 8 /* shorter would take the edge's own traffic along by mistake */
#define PREFIX_IPV6_MIN 16
#define SERVER_ID_USUAL 2 /* bytes: as wide as a backend's id */

/* "ADDRESS/LENGTH"; true if well-formed. *ret_length is in the address' own family. */
static bool split_prefix(const char *text, struct address *ret_address, uint8_t *ret_length)
{
	const char *slash = strchr(text, '/');
	char address[INET6_ADDRSTRLEN];
	uint64_t length;

	if (!slash || (size_t)(slash - text) >= sizeof(address))
		return false;
	memcpy(address, text, slash - text);
	address[slash - text] = '\0';
	if (address_parse(address, ret_address) != 0 || scalar_unsigned(slash + 1, &length) != 0)
		return false;
	if (address_is_ipv4(ret_address) && strchr(address, ':'))
		return false;
	if (length > (address_is_ipv4(ret_address) ? 32 : 128))
		return false;
	*ret_length = length;
	return true;
}

static void take_prefix(struct config_context *ctx, const char *text, struct config_service *service)
{
	char masked[INET6_ADDRSTRLEN];
	struct address address;
	uint8_t length, least;
	bool ipv4;

	if (!split_prefix(text, &address, &length)) {
		config_fail_key(ctx, "prefix", "%s is not a prefix such as 192.0.2.0/24 or 2001:db8::/64",
				config_quote(text));
		return;
	}
	ipv4 = address_is_ipv4(&address);
	least = ipv4 ? PREFIX_IPV4_MIN : PREFIX_IPV6_MIN;
	service->address = address_mask(&address, length + (ipv4 ? 96 : 0));
	service->prefix_length = length;
	if (length < least)
		config_fail_key(ctx, "prefix", "%s is wider than /%u, the widest that is allowed",
				config_quote(text), least);
	else if (address_compare(&address, &service->address) != 0)
		config_fail_key(ctx, "prefix", "%s has bits beyond its length; %s/%u is meant?",
				config_quote(text), address_format(&service->address, masked), length);
}

static void build_target(struct config_context *ctx, const struct raw_service *raw,
			 struct config_service *service)
{
	uint32_t port = 0;

	if (!raw->address == !raw->prefix) {
		config_fail(ctx, "needs either `address` or `prefix`%s",
			    raw->address ? ", not both" : "");
		return;
	}
	service->is_prefix = raw->prefix;
	if (raw->address)
		config_take_address(ctx, "address", raw->address, &service->address);
	else
		take_prefix(ctx, raw->prefix, service);
	if (raw->prefix && raw->port)
		config_fail_key(ctx, "port", "is not for a prefix, which takes all ports");
	config_take_unsigned(ctx, "port", raw->port, 1, 65535, &port);
	service->port = port;
}

/* 1. One port: tcp. 2. All ports, and prefixes: both. */
static void build_protocol(struct config_context *ctx, const struct raw_service *raw,
			   struct config_service *service)
{
	static const char *const words[] = {"any", "tcp", "udp"};
	static const uint8_t protocols[] = {0, IPPROTO_TCP, IPPROTO_UDP};
	unsigned int index = raw->port ? 1 : 0;

	config_take_word(ctx, "protocol", raw->protocol, words, 3, &index);
	if (raw->prefix && index)
		config_fail_key(ctx, "protocol", "a prefix takes both protocols; `any` is allowed");
	service->protocol = protocols[index];
}

/* 3. Prefixes: sandbox. 4. Everything else: flow. */
static void build_affinity(struct config_context *ctx, const struct raw_service *raw,
			   struct config_service *service)
{
	static const char *const words[] = {"flow", "source", "sandbox", "quic", "none"};
	unsigned int index = raw->prefix ? AFFINITY_SANDBOX : AFFINITY_FLOW;
	uint32_t server_id = SERVER_ID_USUAL;

	static_assert(sizeof(words) / sizeof(words[0]) == AFFINITY__COUNT, "affinities");
	config_take_word(ctx, "affinity", raw->affinity, words, AFFINITY__COUNT, &index);
	service->affinity = index;
	if (index == AFFINITY_SANDBOX && !raw->prefix)
		config_fail_key(ctx, "affinity", "`sandbox` is for a `prefix`");
	if (index == AFFINITY_QUIC && service->protocol == IPPROTO_TCP)
		config_fail_key(ctx, "affinity", "`quic` needs `protocol: udp` (or any)");
	config_take_unsigned(ctx, "quic_server_id_length", raw->quic_server_id_length, 1, 15, &server_id);
	if (raw->quic_server_id_length && index != AFFINITY_QUIC)
		config_fail_key(ctx, "quic_server_id_length", "is for `affinity: quic`");
	service->quic_server_id_length = index == AFFINITY_QUIC ? server_id : 0;
	config_take_bool(ctx, "sandbox_port", raw->sandbox_port, &service->sandbox_port);
	if (raw->sandbox_port && index != AFFINITY_SANDBOX)
		config_fail_key(ctx, "sandbox_port", "is for `affinity: sandbox`");
}

/* 5. Encapsulation: gue. */
static void build_encap(struct config_context *ctx, const struct raw_service *raw,
			struct config_service *service)
{
	static const char *const words[] = {"ipip", "gue", "l2"};
	unsigned int index = ENCAP_GUE;

	static_assert(sizeof(words) / sizeof(words[0]) == ENCAP__COUNT, "encapsulations");
	config_take_word(ctx, "encap", raw->encap, words, ENCAP__COUNT, &index);
	service->encap = index;
	config_take_bool(ctx, "checksum_zero", raw->checksum_zero, &service->checksum_zero);
	if (raw->checksum_zero && index != ENCAP_GUE)
		config_fail_key(ctx, "checksum_zero", "is for `encap: gue`, the one that has UDP");
}

static int build_service(struct config_context *ctx, const struct raw_service *raw,
			 const struct config_names *pools, struct config_service *service)
{
	service->name = arena_strdup(ctx->arena, raw->name);
	if (!service->name)
		return -ENOMEM;
	config_check_name(ctx, raw->name, CONFIG_NAME_MAX);
	build_target(ctx, raw, service);
	build_protocol(ctx, raw, service);
	build_affinity(ctx, raw, service);
	build_encap(ctx, raw, service);
	service->pool = config_names_find(pools, raw->pool);
	if (service->pool == UINT32_MAX)
		config_fail_key(ctx, "pool", "no pool %s; known: %s", config_quote(raw->pool),
				config_names_print(pools));
	return 0;
}

/* "127.0.0.1:9619" or "[::1]:9619". */
static bool listen_valid(const char *text)
{
	const char *colon = strrchr(text, ':');
	char host[INET6_ADDRSTRLEN + 2];
	struct address address;
	uint64_t port;
	size_t length;

	if (!colon || (size_t)(colon - text) >= sizeof(host))
		return false;
	length = colon - text;
	memcpy(host, text, length);
	host[length] = '\0';
	if (scalar_unsigned(colon + 1, &port) != 0 || port < 1 || port > 65535)
		return false;
	if (host[0] != '[')
		return address_parse(host, &address) == 0 && !strchr(host, ':');
	if (host[length - 1] != ']')
		return false;
	host[length - 1] = '\0';
	return strchr(host, ':') && address_parse(host + 1, &address) == 0;
}

static int build_http(struct config_context *ctx, const struct raw_http *raw)
{
	if (!raw)
		return 0;
	config_enter(ctx, "http");
	if (!listen_valid(raw->listen))
		config_fail_key(ctx, "listen", "%s is not ADDRESS:PORT, such as 127.0.0.1:9619 or [::1]:9619",
				config_quote(raw->listen));
	config_leave(ctx);
	ctx->config->http_listen = arena_strdup(ctx->arena, raw->listen);
	return ctx->config->http_listen ? 0 : -ENOMEM;
}

int config_build_services(struct config_context *ctx, const struct raw_config *raw)
{
	struct config *config = ctx->config;
	struct config_names pools = {
		.by_name = arena_alloc(ctx->arena, config->pool_count, sizeof(struct config_name)),
		.count = config->pool_count,
	};
	int r = 0;

	config->services = arena_alloc(ctx->arena, raw->services_count, sizeof(*config->services));
	if (!config->services || !pools.by_name)
		return -ENOMEM;
	for (uint32_t i = 0; i < config->pool_count; i++)
		pools.by_name[i] = (struct config_name){config->pools[i].name, i};
	config_names_sort(&pools);
	config_enter(ctx, "services");
	for (uint32_t i = 0; r == 0 && i < raw->services_count; i++) {
		config_enter_index(ctx, i);
		r = build_service(ctx, &raw->services[i], &pools, &config->services[i]);
		config_leave(ctx);
		config->service_count = i + 1;
	}
	config_leave(ctx);
	return r ? r : build_http(ctx, raw->http);
}
