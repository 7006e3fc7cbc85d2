/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mirrors controller/services_table.c: what is laid out is found by the data plane's look-up, and nothing else is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>

#include "controller/services_table.h"
#include "maps/hash.h"
#include "tests/unit/random.h"

static struct service services[SERVICES_TABLE_SIZE];
static struct service prefixes[PREFIXES_TABLE_SIZE];
static struct settings_table settings;
static uint64_t filter[SERVICE_FILTER_WORDS];
static const struct services_table table = {services, prefixes, &settings};

/* The layout needs services and pools of a model alone. */
static struct model_service list[SERVICES_MAX];
static struct model_pool pools[2] = {
	{.name = "a", .id = 7, .slot_base = 100, .slot_count = 64, .member_count = 3},
	{.name = "b", .id = 9, .slot_base = 900, .slot_count = 32, .member_count = 0},
};
static struct model model = {.services = list, .pools = pools, .pool_count = 2};

static struct address ipv4(uint32_t a)
{
	struct address to = {{[10] = 0xff, [11] = 0xff, a >> 24, a >> 16, a >> 8, a}};

	return to;
}

static void add(struct config_service c)
{
	struct model_service *s = &list[model.service_count];

	*s = (struct model_service){.id = (uint16_t)model.service_count,
				    .pool = c.pool,
				    .config = c};
	snprintf(s->name, sizeof(s->name), "s%u", model.service_count++);
}

static const struct service *find(const struct address *address, uint16_t port, uint8_t protocol)
{
	return services_table_find(services, SERVICES_TABLE_SIZE, settings.seed, address,
				   htons(port), protocol, 0);
}

static int reset(void **state)
{
	model.service_count = 0;
	return 0;
}

static void exact_any_and_both(void **state)
{
	struct address a = ipv4(0xc000020a), b = ipv4(0xc000020b);

	add((struct config_service){.address = a, .port = 443, .protocol = IPPROTO_TCP,
				    .encap = ENCAP_GUE, .quic_server_id_length = 4});
	add((struct config_service){.address = a, .port = 53});
	add((struct config_service){.address = b, .protocol = IPPROTO_UDP, .pool = 1,
				    .checksum_zero = true, .encap = ENCAP_IPIP});
	assert_int_equal(services_table_lay(&model, &table, NULL), 0);

	assert_int_equal(find(&a, 443, IPPROTO_TCP)->id, 0);
	assert_int_equal(find(&a, 443, IPPROTO_TCP)->pool, 7);
	assert_int_equal(find(&a, 443, IPPROTO_TCP)->slot_base, 100);
	assert_int_equal(find(&a, 443, IPPROTO_TCP)->slot_count, 64);
	assert_int_equal(find(&a, 443, IPPROTO_TCP)->track, TRACK_MOVED);
	assert_int_equal(find(&a, 443, IPPROTO_TCP)->quic_server_id_length, 4);
	assert_null(find(&a, 443, IPPROTO_UDP));
	assert_int_equal(find(&a, 53, IPPROTO_TCP)->id, 1);
	assert_int_equal(find(&a, 53, IPPROTO_UDP)->id, 1);
	assert_int_equal(find(&a, 0, 0)->kind, SERVICE_KIND_ADDRESS);
	assert_int_equal(find(&a, 0, 0)->flags, 0);
	assert_int_equal(find(&b, 0, 0)->flags, SERVICE_HAS_ANY_PORT_UDP);
	assert_int_equal(find(&b, 0, IPPROTO_UDP)->kind, SERVICE_KIND_ANY_PORT);
	assert_int_equal(find(&b, 0, IPPROTO_UDP)->flags,
			 SERVICE_CHECKSUM_ZERO | SERVICE_TRACK_UDP);
	assert_int_equal(find(&b, 0, IPPROTO_UDP)->track, TRACK_ALWAYS);
	/* a pool without members */
	assert_int_equal(find(&b, 0, IPPROTO_UDP)->slot_count, 0);
	assert_null(find(&b, 0, IPPROTO_TCP));
}

static bool may_be(const struct address *address, uint8_t length)
{
	uint32_t bit = hash_filter(hash_is_ipv4(address), address, length);

	return filter[bit / 64] >> (bit & 63) & 1;
}

/* Whatever has an entry has its bit; of what has none, few have one by chance. */
static void filter_lets_through_what_is_there(void **state)
{
	struct address v6 = {{0x20, 0x01, 0x0d, 0xb8}}, other = v6;
	uint32_t chance = 0;

	for (uint32_t i = 0; i < 500; i++) {
		add((struct config_service){.address = ipv4(0xc0000200 + i), .port = 443});
		v6.bytes[15] = (uint8_t)i;
		v6.bytes[14] = (uint8_t)(i >> 8);
		add((struct config_service){.address = v6, .port = 443});
	}
	other.bytes[0] = 0x30;
	add((struct config_service){.address = other, .is_prefix = true, .prefix_length = 32});
	assert_int_equal(services_table_lay(&model, &table, NULL), 0);
	services_table_filter(&table, filter);
	for (uint32_t i = 0; i < model.service_count; i++) {
		const struct config_service *c = &model.services[i].config;

		assert_true(may_be(&c->address, c->is_prefix ? c->prefix_length : 0));
	}
	for (uint32_t i = 0; i < 5000; i++) {
		struct address a = ipv4(0x08000000 + i * 77);

		v6.bytes[3] = (uint8_t)(i >> 8);
		v6.bytes[7] = (uint8_t)i;
		chance += may_be(&a, 0) + may_be(&v6, 0);
	}
	assert_in_range(chance, 1, 1000); /* 3 % are expected of 10,000 */
}

static void prefixes_and_lengths(void **state)
{
	struct address v6 = {{0x20, 0x01, 0x0d, 0xb8}};
	static const uint8_t want[] = {64, 48, 32};

	for (uint8_t i = 0; i < 3; i++)
		add((struct config_service){.address = v6, .is_prefix = true,
					    .prefix_length = (uint8_t)(32 + 16 * i),
					    .affinity = AFFINITY_SANDBOX});
	add((struct config_service){.address = ipv4(0x0a000000), .is_prefix = true, .prefix_length = 8});
	assert_int_equal(services_table_lay(&model, &table, NULL), 0);
	assert_int_equal(settings.prefix_count_ipv6, 3);
	assert_memory_equal(settings.prefix_lengths_ipv6, want, 3);
	assert_int_equal(settings.prefix_count_ipv4, 1);
	assert_int_equal(settings.prefix_lengths_ipv4[0], 8);
	for (uint8_t i = 0; i < 3; i++)
		assert_int_equal(services_table_find(prefixes, PREFIXES_TABLE_SIZE, settings.seed, &v6,
						     0, 0, (uint8_t)(32 + 16 * i))->id, i);
}

static void what_is_refused(void **state)
{
	struct address v6 = {{0x20, 0x01}};
	struct err err = {{0}};

	add((struct config_service){.address = ipv4(1), .port = 80, .protocol = IPPROTO_TCP});
	add((struct config_service){.address = ipv4(1), .port = 80});
	assert_int_equal(services_table_lay(&model, &table, &err), -EEXIST);
	assert_non_null(strstr(err.text, "s0"));
	assert_non_null(strstr(err.text, "s1"));

	model.service_count = 0;
	for (uint8_t i = 0; i <= PREFIX_LENGTHS_MAX; i++)
		add((struct config_service){.address = v6, .is_prefix = true,
					    .prefix_length = (uint8_t)(16 + i)});
	assert_int_equal(services_table_lay(&model, &table, &err), -ENOSPC);
}

/* Each key is found, each key that is not there is not, and the layout is the same each time. */
static void random_sets(void **state)
{
	struct random r = random_start("random_sets");
	static struct service again[SERVICES_TABLE_SIZE];

	for (int round = 0; round < 8; round++) {
		uint32_t n = round ? 1 + random_below(&r, SERVICES_MAX - 1) : SERVICES_MAX;
		uint32_t base = (uint32_t)random_bits(&r);

		model.service_count = 0;
		for (uint32_t i = 0; i < n; i++) /* few addresses, many ports: the worst for a weak hash */
			add((struct config_service){.address = ipv4(base + i / 16),
						    .port = (uint16_t)(1000 + i % 16),
						    .protocol = i % 3 ? IPPROTO_TCP : 0});
		assert_int_equal(services_table_lay(&model, &table, NULL), 0);
		for (uint32_t i = 0; i < n; i++) {
			const struct config_service *c = &list[i].config;

			assert_int_equal(find(&c->address, c->port, IPPROTO_TCP)->id, i);
			assert_true(!find(&c->address, c->port, IPPROTO_UDP) == (c->protocol != 0));
			assert_null(find(&c->address, (uint16_t)(c->port + 16), IPPROTO_TCP));
			assert_non_null(find(&c->address, 0, 0));
		}
		memcpy(again, services, sizeof(again));
		assert_int_equal(services_table_lay(&model, &table, NULL), 0);
		assert_memory_equal(again, services, sizeof(again));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(exact_any_and_both, reset),
		cmocka_unit_test_setup(filter_lets_through_what_is_there, reset),
		cmocka_unit_test_setup(prefixes_and_lengths, reset),
		cmocka_unit_test_setup(what_is_refused, reset),
		cmocka_unit_test_setup(random_sets, reset),
	};

	return cmocka_run_group_tests_name("services_table", tests, NULL, NULL);
}
