/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mirrors controller/model_build.c, model.c and publish.c over plain memory: what the tables say after any history of
 * probes, wishes, reloads and deaths of the daemon.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <math.h>

#include "controller/services_table.h"
#include "controller/whatif.h"
#include "tests/unit/plain.h"
#include "tests/unit/random.h"

#define TICK_S 0.1

/* One daemon's life over the tables. */
static struct {
	struct config *config;
	struct model *model;
	struct publish *publish;
	struct mono_ns now;
	uint32_t freed; /* ids */
} life;

static uint64_t boot_ns(void)
{
	return (uint64_t)life.now.v + 5000000000; /* the clocks differ */
}

static void on_freed(void *ctx, uint16_t id)
{
	life.freed++;
}

static void resolve(uint32_t backend)
{
	const struct nexthop_result result = {.resolved = true, .ifindex = 2, .mtu_bytes = 1500,
					      .source = {2, 0, 0, 0, 0, 1},
					      .destination = {2, 0, 0, 0, 0, 2}};

	assert_int_equal(publish_nexthop(life.publish, life.model, backend, &result, 3, boot_ns()), 0);
	model_nexthop_result(life.model, backend, true, life.now);
}

static void publish_all(void)
{
	publish_backends(life.publish, life.model);
	for (uint32_t i = 0; i < life.model->pool_count; i++)
		publish_slots(life.publish, life.model, &life.model->pools[i], boot_ns());
	publish_health(life.publish, life.model, boot_ns());
	publish_settle(life.publish, life.model, 16384, boot_ns());
	publish_reap(life.publish, life.model, life.now, boot_ns());
}

static uint32_t tick(void)
{
	uint32_t moved;

	life.now = mono_after(life.now, TICK_S);
	moved = model_tick(life.model, life.now);
	publish_all();
	return moved;
}

static void ticks(double seconds)
{
	for (int i = 0; i < seconds / TICK_S; i++)
		tick();
}

/* Takes the configuration; a former one of this life is replaced as a reload does it. */
static void load(struct config *config)
{
	struct model *model = NULL;
	struct err err = {{0}};
	int e;

	if (!life.publish)
		assert_int_equal(publish_new(&plain, &plain_sizes, on_freed, NULL, boot_ns(),
					     &life.publish), 0);
	e = model_build(config, &plain, &plain_sizes, life.model, life.now, &err, &model);
	if (e)
		fail_msg("%s", err.text);
	model_free(life.model);
	config_free(life.config);
	life.model = model;
	life.config = config;
	publish_backends(life.publish, model);
	for (uint32_t i = 0; i < model->backend_count; i++)
		resolve(i);
	tick();
	assert_int_equal(publish_services(life.publish, model, boot_ns(), NULL), 0);
}

/* As SIGKILL: memory is gone, tables stay. */
static void die(void)
{
	publish_free(life.publish);
	model_free(life.model);
	config_free(life.config);
	life.publish = NULL;
	life.model = NULL;
	life.config = NULL;
}

static int begin(void **state)
{
	plain_new();
	life.now = (struct mono_ns){1000000000};
	life.freed = 0;
	return 0;
}

static int end(void **state)
{
	die();
	plain_free();
	return 0;
}

/* --- configurations: two regions with backends b0..., of which `skip` is a bit mask of those that are missing */

struct shape {
	uint32_t backends, slots, skip, drain_s;
	uint32_t moved_address; /* 1 + index of a backend with another address; 0: none */
	uint32_t id;		/* that b0 is configured with, and so on; 0: none is */
	bool reverse, probe_none, other_service;
};

static void add_region(struct text *t, const struct shape *s, uint32_t region)
{
	text_add(t, "      - name: r%u\n        backends:\n", region);
	for (uint32_t k = 0; k < s->backends; k++) {
		uint32_t i = s->reverse ? s->backends - 1 - k : k;

		if (i % 2 != region || (i < 32 && s->skip & 1u << i))
			continue;
		text_add(t, "          - {name: b%u, address: 10.%u.%u.%u, capacity: 100", i,
			 s->moved_address == i + 1 ? 9u : 1u, i / 250, 1 + i % 250);
		if (s->id)
			text_add(t, ", id: %u", s->id + i);
		text_add(t, "}\n");
	}
}

static struct config *shape(struct shape s)
{
	struct text t = {0};

	text_head(&t);
	text_add(&t, "health:\n  probe: {type: %s, port: 80}\n", s.probe_none ? "none" : "tcp");
	text_add(&t, "providers:\n  - name: p\n    regions:\n");
	add_region(&t, &s, 0);
	add_region(&t, &s, 1);
	text_add(&t, "pools:\n  - {name: all, slots: %u, tiers: [[p/r0, p/r1]], drain: %us}\n",
		 s.slots ? s.slots : 4096, s.drain_s);
	text_add(&t, "services:\n  - {name: web, address: 192.0.2.1, port: 80, protocol: tcp, pool: all, encap: gue}\n");
	if (s.other_service)
		text_add(&t, "  - {name: dns, address: 192.0.2.1, port: 53, pool: all, encap: ipip}\n");
	return text_config(&t);
}

/* --- what must always hold */

static struct model_pool *pool(void)
{
	return &life.model->pools[0];
}

static struct slot *slots(void)
{
	return plain.slots + pool()->slot_base;
}

static uint32_t backend(const char *name)
{
	uint32_t i = model_find_backend(life.model, name);

	assert_int_not_equal(i, UINT32_MAX);
	return i;
}

static uint16_t id_of(const char *name)
{
	return life.model->backends[backend(name)].id;
}

static void check_tables(void)
{
	uint32_t unsettled = 0;

	for (uint32_t i = 0; i < pool()->slot_count; i++) {
		struct slot s = slots()[i];

		assert_int_equal(s.primary, pool()->primaries[i]);
		/* an unsettled slot remembers the home that it had before (slot_move) */
		if (!s.secondary)
			assert_int_equal(s.home, pool()->homes[i]);
		else
			assert_true(!s.home || plain.backends[s.home].state != BACKEND_STATE_FREE);
		if (s.primary)
			assert_int_not_equal(plain.backends[s.primary].state, BACKEND_STATE_FREE);
		if (s.secondary)
			assert_int_not_equal(plain.backends[s.secondary].state, BACKEND_STATE_FREE);
		assert_true(!s.secondary || s.secondary != s.primary);
		unsettled += s.secondary != BACKEND_NONE;
	}
	assert_int_equal(unsettled, pool()->unsettled);
	assert_int_equal(plain.pools[pool()->id].slot_count, pool()->slot_count);
}

static void copy_slots(struct slot *to)
{
	memcpy(to, slots(), pool()->slot_count * sizeof(*to));
}

/* --- tests */

static struct slot before[PLAIN_SLOTS];

static void a_first_start(void **state)
{
	uint32_t sum = 0;
	const struct service *s;

	load(shape((struct shape){.backends = 6}));
	check_tables();
	for (uint32_t i = 0; i < 6; i++) {
		const struct model_backend *b = &life.model->backends[i];
		const struct backend *entry = &plain.backends[b->id];

		assert_in_range(b->slots, 682, 683);
		sum += b->slots;
		assert_int_equal(entry->state, BACKEND_STATE_READY);
		assert_int_equal(entry->family, 4);
		assert_int_equal(entry->path_mtu_bytes, 1500);
		assert_int_equal(entry->nexthop, 1); /* one entry for all: the same next hop */
		assert_string_equal(plain.backend_names[b->id].name, b->name);
	}
	assert_int_equal(sum, 4096);
	assert_int_equal(pool()->unsettled, 0);
	assert_int_equal(plain.settings->layout, MAPS_LAYOUT);
	s = services_table_find(plain.services + plain.settings->half * SERVICES_TABLE_SIZE,
				SERVICES_TABLE_SIZE, plain.settings->table[plain.settings->half].seed,
				&life.config->services[0].address, htons(80), IPPROTO_TCP, 0);
	assert_non_null(s);
	assert_int_equal(s->slot_count, 4096);
}

/* RFC 1071 by hand: 10.0.0.1 to 10.1.0.11 is 4500 4000 4000 0a00 0001 0a01 000b = d90d + ... */
static void outer_sums(void **state)
{
	struct backend *b;
	const struct nexthop_result result = {
		.resolved = true, .ifindex = 2, .mtu_bytes = 1400, .destination = {1}, .source = {2},
		.source_address = {{[10] = 0xff, [11] = 0xff, 10, 0, 0, 1}}};

	load(shape((struct shape){.backends = 2}));
	assert_int_equal(publish_nexthop(life.publish, life.model, backend("b0"), &result, 3, boot_ns()), 0);
	b = &plain.backends[id_of("b0")]; /* 10.1.0.1 */
	assert_int_equal(ntohs(b->address_sum), 0x0a00 + 0x0001 + 0x0a01 + 0x0001);
	assert_int_equal(ntohs(b->ip_sum), 0x4500 + 0x4000 + 0x4000 + 0x0a00 + 0x0001 + 0x0a01 + 0x0001);
	assert_int_equal(b->path_mtu_bytes, 1400);
	assert_int_equal(b->nexthop, 2);
	assert_int_equal(plain.backends[id_of("b1")].nexthop, 1);
}

static void next_hops_are_never_rewritten(void **state)
{
	struct nexthop_result result = {.resolved = true, .ifindex = 2, .mtu_bytes = 1500};
	struct nexthop was;

	load(shape((struct shape){.backends = 2}));
	was = plain.nexthops[1];
	result.destination[5] = 9;
	for (uint32_t i = 0; i < 2; i++)
		assert_int_equal(publish_nexthop(life.publish, life.model, i, &result, 3, boot_ns()), 0);
	assert_memory_equal(&plain.nexthops[1], &was, sizeof(was));
	assert_int_equal(plain.backends[id_of("b0")].nexthop, 2);
	ticks(0.5);
	assert_memory_equal(&plain.nexthops[1], &was, sizeof(was)); /* a packet may still have it */
	ticks(2);
	assert_int_equal(plain.nexthops[1].ifindex, 0);
	result.resolved = false; /* lost: the last one stays */
	assert_int_equal(publish_nexthop(life.publish, life.model, 0, &result, 3, boot_ns()), 0);
	assert_int_equal(plain.backends[life.model->backends[0].id].nexthop, 2);
}

static void dead_at_once_and_no_more_moves_than_needed(void **state)
{
	uint32_t i, had;

	load(shape((struct shape){.backends = 10}));
	i = backend("b3");
	had = life.model->backends[i].slots;
	for (int k = 0; k < 3; k++)
		model_probe_result(life.model, i, PROBE_REFUSED, 0.001, life.now);
	assert_int_equal(tick(), had);
	assert_int_equal(life.model->backends[i].slots, 0);
	check_tables();
	assert_int_equal(pool()->unsettled, had);
	for (uint32_t k = 0; k < pool()->slot_count; k++)
		if (slots()[k].secondary)
			assert_int_equal(slots()[k].secondary, life.model->backends[i].id);
}

static void wishes(void **state)
{
	struct err err = {{0}};
	uint32_t i;

	load(shape((struct shape){.backends = 10}));
	i = backend("b4");
	assert_int_equal(model_backend_set_weight(life.model, i, 1.5, life.now, &err), -ERANGE);
	assert_int_equal(model_backend_set_weight(life.model, i, NAN, life.now, &err), -ERANGE);
	assert_int_equal(model_backend_set_weight(life.model, i, 0.5, life.now, &err), 0);
	ticks(30);
	assert_true(life.model->backends[i].slots < 300);
	assert_true(life.model->backends[i].slots > 150);
	model_backend_set_state(life.model, i, BACKEND_STATE_DRAIN, life.now);
	tick();
	assert_int_equal(life.model->backends[i].slots, 0);
	assert_int_equal(plain.backends[id_of("b4")].state, BACKEND_STATE_DRAIN);
	model_backend_set_state(life.model, i, BACKEND_STATE_READY, life.now);
	assert_int_equal(model_backend_set_weight(life.model, i, 1, life.now, &err), 0);
	model_backend_set_health(life.model, i, MODEL_ADMIN_HEALTH_DOWN, life.now);
	tick();
	assert_int_equal(life.model->backends[i].slots, 0);
	model_backend_set_health(life.model, i, MODEL_ADMIN_HEALTH_AUTO, life.now);
	ticks(120);
	assert_in_range(life.model->backends[i].slots, 409, 410);
	check_tables();
}

static void a_restart_moves_nothing(void **state)
{
	uint64_t digest;
	uint16_t id;

	load(shape((struct shape){.backends = 10}));
	for (uint32_t i = 0; i < 10; i++)
		for (int k = 0; k < 3; k++)
			model_probe_result(life.model, i, i == backend("b2") ? PROBE_REFUSED : PROBE_OK, 0.001,
					   life.now);
	ticks(120);
	assert_int_equal(life.model->backends[backend("b2")].slots, 0);
	digest = pool()->digest;
	id = id_of("b7");
	copy_slots(before);
	die();
	load(shape((struct shape){.backends = 10, .reverse = true}));
	assert_int_equal(id_of("b7"), id);
	assert_true(life.model->backends[backend("b2")].hard_down);
	ticks(60);
	assert_memory_equal(before, slots(), pool()->slot_count * sizeof(*before));
	assert_true(pool()->digest == digest);
	assert_int_equal(publish_stats(life.publish)->slots_written, 0);
	assert_int_equal(publish_stats(life.publish)->flips, 0);
	check_tables();
}

static void half_healthy_over_a_restart(void **state)
{
	double health;

	load(shape((struct shape){.backends = 10}));
	for (int k = 0; k < 40; k++) {
		for (uint32_t i = 0; i < 10; i++)
			model_probe_result(life.model, i, i == backend("b2") && k % 3 ? PROBE_BAD_STATUS : PROBE_OK,
					   0.001, life.now);
		tick();
	}
	health = life.model->backends[backend("b2")].health;
	assert_true(health > 0.1 && health < 0.9);
	copy_slots(before);
	die();
	load(shape((struct shape){.backends = 10}));
	assert_true(fabs(life.model->backends[backend("b2")].health - health) < 0.01);
	assert_memory_equal(before, slots(), pool()->slot_count * sizeof(*before));
}

static void a_removed_backend_drains_then_goes(void **state)
{
	uint16_t id;

	load(shape((struct shape){.backends = 8, .drain_s = 10}));
	id = id_of("b5");
	load(shape((struct shape){.backends = 8, .skip = 1u << 5}));
	/* the drain that holds is that of the file that removes it, here none, and below 10 s */
	assert_int_equal(life.model->backend_count, 8);
	tick();
	for (uint32_t i = 0; i < pool()->slot_count; i++)
		assert_int_not_equal(slots()[i].primary, id);
	ticks(0.5);
	assert_int_not_equal(plain.backends[id].state, BACKEND_STATE_FREE); /* grace */
	ticks(2);
	assert_int_equal(plain.backends[id].state, BACKEND_STATE_FREE);
	assert_int_equal(plain.backend_names[id].name[0], 0);
	assert_int_equal(life.freed, 1);
	assert_int_equal(life.model->backend_count, 7);
	check_tables();

	id = id_of("b4");
	load(shape((struct shape){.backends = 8, .skip = 3u << 4, .drain_s = 10}));
	ticks(9);
	assert_int_equal(plain.backends[id].state, BACKEND_STATE_DRAIN);
	assert_true(pool()->unsettled > 0);
	check_tables();
	ticks(3);
	assert_int_equal(plain.backends[id].state, BACKEND_STATE_FREE);
	check_tables();
}

static void one_that_comes_back_in_time_is_the_same(void **state)
{
	uint16_t id;

	load(shape((struct shape){.backends = 8, .drain_s = 10}));
	id = id_of("b5");
	load(shape((struct shape){.backends = 8, .drain_s = 10, .skip = 1u << 5}));
	ticks(3);
	load(shape((struct shape){.backends = 8, .drain_s = 10}));
	assert_int_equal(id_of("b5"), id);
	ticks(120);
	assert_int_equal(plain.backends[id].state, BACKEND_STATE_READY);
	assert_in_range(life.model->backends[backend("b5")].slots, 511, 513);
	check_tables();
}

static void another_address_is_another_backend(void **state)
{
	uint16_t id;

	load(shape((struct shape){.backends = 8}));
	id = id_of("b5");
	load(shape((struct shape){.backends = 8, .moved_address = 6}));
	assert_int_not_equal(id_of("b5"), id);
	assert_int_equal(plain.backends[id].address.bytes[13], 1);
	assert_int_equal(plain.backends[id_of("b5")].address.bytes[13], 9);
	ticks(5);
	assert_int_equal(plain.backends[id].state, BACKEND_STATE_FREE);
	check_tables();
}

static void a_freed_id_is_the_last_to_be_given(void **state)
{
	uint16_t id;

	load(shape((struct shape){.backends = 8}));
	id = id_of("b0");
	load(shape((struct shape){.backends = 8, .skip = 1}));
	ticks(5);
	load(shape((struct shape){.backends = 12}));
	for (uint32_t i = 0; i < life.model->backend_count; i++)
		assert_int_not_equal(life.model->backends[i].id, id);
}

/* Refused: nothing of it is taken, and the reason names both. */
static void refused(struct config *config, const char *reason)
{
	struct model *model = NULL;
	struct err err = {{0}};

	assert_int_equal(model_build(config, &plain, &plain_sizes, life.model, life.now, &err, &model),
			 -EBUSY);
	assert_string_equal(err.text, reason);
	assert_null(model);
	config_free(config);
}

static void a_configured_id_is_taken(void **state)
{
	load(shape((struct shape){.backends = 8, .id = 500, .reverse = true}));
	for (uint32_t i = 0; i < 8; i++)
		assert_int_equal(id_of((char[]){'b', (char)('0' + i), 0}), 500 + i);
	die();
	load(shape((struct shape){.backends = 8, .id = 500}));
	assert_int_equal(id_of("b3"), 503);
	load(shape((struct shape){.backends = 8})); /* it keeps what it has */
	assert_int_equal(id_of("b3"), 503);
	assert_int_equal(life.model->backend_count, 8);
}

static void no_id_is_chosen_that_is_configured(void **state)
{
	load(shape((struct shape){.backends = 8, .id = 3, .skip = 0xf8}));
	load(shape((struct shape){.backends = 8, .skip = 0xf8}));
	load(shape((struct shape){.backends = 8}));
	for (uint32_t i = 3; i < 8; i++)
		assert_false(id_of((char[]){'b', (char)('0' + i), 0}) - 3u < 3u);
}

/* The same machine under another id: known as it was, and the old id is the former owner of all that it had. */
static void another_id_is_the_same_machine(void **state)
{
	struct slot was[4096];
	uint16_t old[8];

	load(shape((struct shape){.backends = 8, .drain_s = 60}));
	for (uint32_t i = 0; i < 8; i++)
		old[i] = id_of((char[]){'b', (char)('0' + i), 0});
	for (int k = 0; k < 3; k++)
		model_probe_result(life.model, backend("b3"), PROBE_REFUSED, 0.001, life.now);
	ticks(1);
	memcpy(was, slots(), sizeof(was));
	load(shape((struct shape){.backends = 8, .drain_s = 60, .id = 300}));
	assert_int_equal(id_of("b3"), 303);
	assert_true(life.model->backends[backend("b3")].hard_down);
	for (uint32_t i = 0; i < pool()->slot_count; i++) {
		assert_int_not_equal(slots()[i].primary, 303);
		if (was[i].primary == old[5]) {
			assert_int_equal(slots()[i].primary, 305);
			assert_int_equal(slots()[i].secondary, old[5]);
		}
	}
	assert_int_equal(plain.backends[old[5]].state, BACKEND_STATE_DRAIN);
	check_tables();
	ticks(62);
	assert_int_equal(plain.backends[old[5]].state, BACKEND_STATE_FREE);
	check_tables();
}

static void an_id_in_use_is_refused(void **state)
{
	load(shape((struct shape){.backends = 2, .id = 7, .drain_s = 60}));
	refused(shape((struct shape){.backends = 2, .id = 6}),
		"backend b1: id 7 is still in use by b0, which is leaving; choose one that is free");
	load(shape((struct shape){.backends = 3, .id = 7, .skip = 1, .drain_s = 60}));
	refused(shape((struct shape){.backends = 3, .id = 6, .skip = 2}),
		"backend b2: id 8 is still in use by b1, which is leaving; choose one that is free");
	assert_int_equal(id_of("b1"), 8);
	die();
	refused(shape((struct shape){.backends = 2, .id = 6}),
		"backend b1: id 7 is still in use by b0, which is leaving; choose one that is free");
}

static void notes_of_a_freed_id_go_first(void **state)
{
	struct flow *note, *other, *young;
	uint16_t id;

	load(shape((struct shape){.backends = 8}));
	id = id_of("b0");
	note = &plain.flows[plain_sizes.flows / FLOW_WAYS - 1].way[3];
	other = &plain.flows[0].way[0];
	young = &plain.nursery[NURSERY_SETS - 1].way[FLOW_WAYS - 1];
	*note = *young = (struct flow){.fingerprint = 7, .backend = id};
	*other = (struct flow){.fingerprint = 8, .backend = id_of("b1")};
	load(shape((struct shape){.backends = 8, .skip = 1}));
	for (int i = 0; plain.backends[id].state != BACKEND_STATE_FREE; i++) {
		assert_true(i < 100);
		tick();
	}
	assert_int_equal(young->backend, BACKEND_NONE); /* the nursery first */
	assert_int_equal(note->backend, id); /* the pass takes several ticks */
	assert_int_not_equal(plain.backend_names[id].name[0], 0);
	die(); /* in the middle of it */
	load(shape((struct shape){.backends = 8, .skip = 1}));
	assert_int_equal(note->backend, id);
	ticks(2);
	assert_int_equal(note->backend, BACKEND_NONE);
	assert_int_equal(plain.backend_names[id].name[0], 0);
	assert_int_equal(other->fingerprint, 8);
}

static void another_number_of_slots_keeps_owners(void **state)
{
	uint32_t base, same = 0;

	load(shape((struct shape){.backends = 8}));
	base = pool()->slot_base;
	copy_slots(before);
	load(shape((struct shape){.backends = 8, .slots = 5000}));
	assert_true(pool()->slot_base >= base + 4096);
	for (uint32_t i = 0; i < 5000; i++) {
		uint16_t was = before[i * 4096 / 5000].primary;

		if (slots()[i].primary == was)
			same++;
		else
			assert_int_equal(slots()[i].secondary, was);
	}
	assert_true(same < 5000); /* some do move, or this shows nothing */
	check_tables();
	ticks(3);
	die();
	load(shape((struct shape){.backends = 8, .slots = 5000}));
	assert_int_equal(publish_stats(life.publish)->slots_written, 0);
	/* the former range is free again */
	load(shape((struct shape){.backends = 8, .slots = 4096}));
	assert_int_equal(pool()->slot_base, base);
	check_tables();
}

static void slots_settle_in_time(void **state)
{
	load(shape((struct shape){.backends = 8}));
	model_backend_set_state(life.model, backend("b1"), BACKEND_STATE_DRAIN, life.now);
	tick();
	assert_true(pool()->unsettled > 0);
	life.now = mono_after(life.now, 3500);
	ticks(5);
	assert_true(pool()->unsettled > 0);
	life.now = mono_after(life.now, 100);
	ticks(5);
	assert_int_equal(pool()->unsettled, 0);
	check_tables();
}

/* b dies with slots that it got from a, which is alive: a stays the former owner. */
static void a_dead_former_owner_gives_way(void **state)
{
	uint16_t a, b;
	uint32_t seen = 0;

	load(shape((struct shape){.backends = 8}));
	a = id_of("b1");
	model_backend_set_state(life.model, backend("b1"), BACKEND_STATE_DRAIN, life.now);
	tick();
	b = id_of("b3");
	copy_slots(before);
	for (int k = 0; k < 3; k++)
		model_probe_result(life.model, backend("b3"), PROBE_REFUSED, 0.001, life.now);
	tick();
	for (uint32_t i = 0; i < pool()->slot_count; i++) {
		if (before[i].primary != b)
			continue;
		seen += before[i].secondary == a;
		assert_int_equal(slots()[i].secondary, before[i].secondary == a ? a : b);
	}
	assert_true(seen > 0);
	check_tables();
}

static void an_empty_pool_drops(void **state)
{
	load(shape((struct shape){.backends = 3, .probe_none = true}));
	for (uint32_t i = 0; i < 3; i++)
		model_backend_set_state(life.model, i, BACKEND_STATE_MAINT, life.now);
	tick();
	assert_true(pool()->empty);
	for (uint32_t i = 0; i < pool()->slot_count; i++) {
		assert_int_equal(slots()[i].primary, BACKEND_NONE);
		assert_int_not_equal(slots()[i].secondary, BACKEND_NONE); /* flows go on */
	}
	model_backend_set_state(life.model, 0, BACKEND_STATE_READY, life.now);
	ticks(10);
	assert_false(pool()->empty);
	for (uint32_t i = 0; i < pool()->slot_count; i++)
		assert_int_equal(slots()[i].primary, life.model->backends[0].id);
	check_tables();
}

static void services_flip_only_when_they_differ(void **state)
{
	uint32_t half;

	load(shape((struct shape){.backends = 3}));
	half = plain.settings->half;
	load(shape((struct shape){.backends = 3}));
	assert_int_equal(plain.settings->half, half);
	load(shape((struct shape){.backends = 3, .other_service = true}));
	assert_int_not_equal(plain.settings->half, half);
	assert_int_equal(life.model->services[0].id, 0);
	assert_int_equal(life.model->services[1].id, 1);
	ticks(2);
	for (uint32_t i = 0; i < SERVICES_TABLE_SIZE; i++)
		assert_int_equal(plain.services[half * SERVICES_TABLE_SIZE + i].kind, SERVICE_KIND_EMPTY);
}

static void what_if_changes_nothing(void **state)
{
	json_t *result = NULL, *in_pool, *group;

	load(shape((struct shape){.backends = 8}));
	copy_slots(before);
	assert_int_equal(whatif(life.model, &plain, &plain_sizes, "nobody", 0, life.now, NULL, &result),
			 -ENOENT);
	assert_int_equal(whatif(life.model, &plain, &plain_sizes, "p/r0", 0, life.now, NULL, &result), 0);
	in_pool = json_array_get(json_object_get(result, "pools"), 0);
	assert_true(fabs(json_real_value(json_object_get(in_pool, "moved")) - 0.5) < 0.01);
	group = json_array_get(json_object_get(in_pool, "groups"), 0);
	assert_true(json_real_value(json_object_get(group, "share")) == 0.5);
	assert_true(json_real_value(json_object_get(group, "after")) == 0);
	group = json_array_get(json_object_get(in_pool, "groups"), 1);
	assert_true(json_real_value(json_object_get(group, "after")) == 1);
	assert_true(fabs(json_real_value(json_object_get(group, "capacity_used")) - 2 / 1.4) < 0.01);
	json_decref(result);
	assert_memory_equal(before, slots(), pool()->slot_count * sizeof(*before));
	tick();
	check_tables();
	assert_int_equal(life.model->backends[0].admin_health, MODEL_ADMIN_HEALTH_AUTO);
}

/* Holds, slew and tables go on over a reload as if there had been none. */
static void a_reload_goes_on(void **state)
{
	double with[80], without[80];

	for (int reloads = 0; reloads < 2; reloads++) {
		double *shares = reloads ? with : without;

		load(shape((struct shape){.backends = 8}));
		ticks(2);
		for (int step = 0; step < 80; step++) {
			for (uint32_t i = 0; i < 4; i++)
				model_probe_result(life.model, i, step < 20 ? PROBE_BAD_STATUS : PROBE_OK,
						   0.001, life.now);
			if (reloads && step % 7 == 3)
				load(shape((struct shape){.backends = 8, .other_service = step % 2}));
			else
				tick();
			ticks(0.5);
			shares[step] = pool()->groups[0].share;
			check_tables();
		}
		die();
		plain_free();
		plain_new();
		life.now = (struct mono_ns){1000000000};
	}
	for (int step = 0; step < 80; step++)
		assert_true(fabs(with[step] - without[step]) < 0.002);
	assert_true(without[30] < 0.45); /* something happened */
	load(shape((struct shape){.backends = 8}));
}

/* Probes, wishes, reloads and deaths in any order: the tables are right after each step. */
static void any_history(void **state)
{
	struct random r = random_start("any_history");
	struct shape s = {.backends = 12, .slots = 1024, .drain_s = 2};

	load(shape(s));
	for (int step = 0; step < 400; step++) {
		uint32_t i = random_below(&r, life.config->backend_count);

		switch (random_below(&r, 8)) {
		case 0:
			s.skip ^= 1u << random_below(&r, 12);
			s.moved_address = random_below(&r, 13);
			s.slots = random_below(&r, 4) ? s.slots : 512u << random_below(&r, 3);
			load(shape(s));
			break;
		case 1:
			die();
			load(shape(s));
			break;
		case 2:
			model_backend_set_state(life.model, i,
						BACKEND_STATE_READY + random_below(&r, 3), life.now);
			break;
		case 3:
			for (int k = 0; k < 3; k++)
				model_probe_result(life.model, i, PROBE_REFUSED, 0.001, life.now);
			break;
		default:
			for (int k = 0; k < 5; k++)
				model_probe_result(life.model, i, PROBE_OK, 0.001, life.now);
		}
		for (uint32_t k = random_below(&r, 12); k; k--)
			tick();
		tick();
		check_tables();
	}
}

static void assert_found(const uint16_t *owners)
{
	for (uint32_t i = 0; i < pool()->slot_count; i++) {
		struct slot s = slots()[i];

		if (owners[i] != s.primary && owners[i] != s.secondary && owners[i] != s.home)
			fail_msg("slot %u: owner %u is lost: {%u, %u, %u}", i, owners[i],
				 s.primary, s.secondary, s.home);
	}
}

/* Whoever had a settled slot is one of its three owners until it settles again: flows that began
 * there are found without any note. Weights, states, added backends and restarts, in any order. */
static void who_had_all_flows_is_found(void **state)
{
	struct random r = random_start("who_had_all_flows_is_found");
	struct shape s = {.backends = 12, .slots = 1024, .skip = 3};
	uint16_t owners[1024];
	struct err err;

	load(shape(s));
	for (int i = 0; i < 20; i++)
		tick();
	for (uint32_t i = 0; i < 1024; i++) {
		owners[i] = slots()[i].primary;
		assert_int_equal(slots()[i].secondary, BACKEND_NONE);
	}
	for (int step = 0; step < 300; step++) {
		uint32_t i = random_below(&r, life.config->backend_count);

		switch (random_below(&r, step < 50 ? 4 : 6)) {
		case 0:
			model_backend_set_state(life.model, i,
						BACKEND_STATE_READY + random_below(&r, 3), life.now);
			break;
		case 1:
		case 2:
			assert_int_equal(model_backend_set_weight(life.model, i,
								  random_below(&r, 6) / 5.0,
								  life.now, &err),
					 0);
			break;
		case 3:
			for (int k = 0; k < 3; k++)
				model_probe_result(life.model, i,
						   random_below(&r, 2) ? PROBE_REFUSED : PROBE_OK,
						   0.001, life.now);
			break;
		case 4:
			die();
			load(shape(s));
			break;
		case 5:
			s.skip = 0;
			load(shape(s));
			break;
		}
		for (uint32_t k = random_below(&r, 30); k; k--)
			tick();
		tick();
		assert_found(owners);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(a_first_start),
		TEST(outer_sums),
		TEST(next_hops_are_never_rewritten),
		TEST(dead_at_once_and_no_more_moves_than_needed),
		TEST(wishes),
		TEST(a_restart_moves_nothing),
		TEST(half_healthy_over_a_restart),
		TEST(a_removed_backend_drains_then_goes),
		TEST(one_that_comes_back_in_time_is_the_same),
		TEST(another_address_is_another_backend),
		TEST(a_freed_id_is_the_last_to_be_given),
		TEST(a_configured_id_is_taken),
		TEST(no_id_is_chosen_that_is_configured),
		TEST(another_id_is_the_same_machine),
		TEST(an_id_in_use_is_refused),
		TEST(notes_of_a_freed_id_go_first),
		TEST(another_number_of_slots_keeps_owners),
		TEST(slots_settle_in_time),
		TEST(a_dead_former_owner_gives_way),
		TEST(an_empty_pool_drops),
		TEST(services_flip_only_when_they_differ),
		TEST(what_if_changes_nothing),
		TEST(a_reload_goes_on),
		TEST(any_history),
		TEST(who_had_all_flows_is_found),
	};

	return cmocka_run_group_tests_name("publish", tests, NULL, NULL);
}
