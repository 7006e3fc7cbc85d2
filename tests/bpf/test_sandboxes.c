/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mirrors controller/sandboxes.c over the real pinned map: what is entered is there, also for the next daemon. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <unistd.h>

#include "controller/address.h"
#include "controller/config.h"
#include "controller/sandboxes.h"

static const char text[] =
	"edge:\n  name: e\n  interfaces: [{name: eth0}]\n  hash_seed: 0x1234\n"
	"health:\n  probe: {type: none}\n"
	"providers:\n  - name: p\n    regions:\n      - name: r\n        backends:\n"
	"          - {name: a, address: 10.0.0.1, capacity: 1}\n"
	"          - {name: b, address: 10.0.0.2, capacity: 1}\n"
	"pools:\n  - {name: all, slots: 256, settle: 60s, tiers: [[p/r]]}\n"
	"services:\n"
	"  - {name: boxes, prefix: \"2001:db8::/64\", pool: all, affinity: sandbox, encap: gue}\n"
	"  - {name: web, address: 192.0.2.1, port: 80, protocol: tcp, pool: all, encap: gue}\n";

static const struct dataplane_sizes sizes = {
	.slots = 1024, .backends = 64, .flows = 1024, .sandboxes = 8192};
static char dir[64];
static struct dataplane *dp;
static struct config *config;
static struct model *model;
static struct sandboxes *boxes;
static uint32_t changes[SANDBOX_CHANGE__COUNT];

static void on_change(void *ctx, enum sandbox_change change, const struct sandboxes_entry *entry)
{
	changes[change]++;
}

static void open_all(void)
{
	struct err err = {{0}};

	if (dataplane_open(dir, &sizes, &err, &dp) || sandboxes_new(dp, on_change, NULL, &err, &boxes))
		fail_msg("%s", err.text);
	assert_int_equal(dataplane_tables(dp)->settings->sandbox_sets, 0);
	sandboxes_serve(boxes);
	/* as published: the next one adopts */
	dataplane_tables(dp)->settings->layout = MAPS_LAYOUT;
	/* the data plane's tables stay empty: the model numbers backends from 1 each time */
	assert_int_equal(model_build(config, dataplane_tables(dp), &sizes, NULL,
				     (struct mono_ns){1000}, &err, &model), 0);
	model_tick(model, (struct mono_ns){2000});
}

static void close_all(void)
{
	sandboxes_free(boxes);
	model_free(model);
	dataplane_close(dp);
}

static int begin(void **state)
{
	struct config_errors errors = {{0}};

	memset(changes, 0, sizeof(changes));
	snprintf(dir, sizeof(dir), "/sys/fs/bpf/ebb-test-sandboxes-%d", getpid());
	if (config_load_bytes("test", text, sizeof(text) - 1, &errors, &config)) {
		config_errors_print(&errors, stderr);
		return -1;
	}
	open_all();
	return 0;
}

static int end(void **state)
{
	close_all();
	config_free(config);
	return dataplane_detach_all(dir, NULL);
}

/* What packets find: 0 nothing, BACKEND_NONE never. */
static struct sandbox seen(const struct sandbox_key *k)
{
	const struct settings *settings = dataplane_tables(dp)->settings;
	const struct sandbox_index index = {.sets = dataplane_tables(dp)->sandbox_index,
					    .set_count = settings->sandbox_sets,
					    .seed = settings->sandbox_seed};
	struct sandbox found = {0};

	assert_int_not_equal(index.set_count, 0);
	assert_in_range(sandbox_index_find(&index, k, &found), 0, 1);
	return found;
}

static struct sandbox_key key(const char *address)
{
	struct sandbox_key k = {0};
	struct address a;

	assert_int_equal(address_parse(address, &a), 0);
	assert_int_equal(sandboxes_key(model, 0, &a, 0, NULL, &k), 0);
	return k;
}

static uint16_t id(const char *name)
{
	return model->backends[model_find_backend(model, name)].id;
}

static void keys(void **state)
{
	struct sandbox_key k;
	struct address a;

	assert_int_equal(address_parse("2001:db8:0:1::1", &a), 0);
	assert_int_equal(sandboxes_key(model, 0, &a, 0, NULL, &k), -EINVAL); /* another /64 */
	assert_int_equal(address_parse("2001:db8::1", &a), 0);
	assert_int_equal(sandboxes_key(model, 0, &a, 80, NULL, &k), -EINVAL); /* no ports here */
	assert_int_equal(sandboxes_key(model, 1, &a, 0, NULL, &k), -EINVAL);  /* no prefix */
}

static void place_is_by_the_table_and_idempotent(void **state)
{
	uint32_t on_a = 0;
	struct sandbox v, again;

	for (int i = 0; i < 200; i++) {
		char address[64];
		struct sandbox_key k;

		snprintf(address, sizeof(address), "2001:db8::%x", i + 1);
		k = key(address);
		assert_int_equal(sandboxes_place(boxes, model, 0, &k, UINT32_MAX, NULL, &v), 0);
		assert_int_equal(sandboxes_place(boxes, model, 0, &k, UINT32_MAX, NULL, &again), 0);
		assert_memory_equal(&v, &again, sizeof(v));
		on_a += v.backend == id("a");
	}
	assert_in_range(on_a, 60, 140);
	assert_int_equal(sandboxes_count(boxes), 200);
	assert_int_equal(sandboxes_on(boxes, id("a")), on_a);
	assert_int_equal(changes[SANDBOX_PLACED], 200);
	for (uint32_t i = 0; i < 2; i++)
		model_backend_set_state(model, i, BACKEND_STATE_MAINT, (struct mono_ns){3000});
	model_tick(model, (struct mono_ns){100000000});
	assert_int_equal(sandboxes_place(boxes, model, 0, &(struct sandbox_key){.service = 0}, UINT32_MAX,
					 NULL, &v), -EBUSY);
}

static void told(const char *name, uint32_t sandboxes, uint32_t capacity, uint32_t warm)
{
	const struct report report = {.has_sandboxes = true, .sandboxes = sandboxes, .has_capacity = true,
				      .capacity = capacity, .has_warm = true, .warm = warm};
	uint32_t at = model_find_backend(model, name);

	(void)model_report(model, at, &report, (struct mono_ns){4000});
	sandboxes_reported(boxes, model->backends[at].id);
}

static uint32_t placed_on_a, placed_on_b;

/* Numbers from..to, wherever there is room; how many were refused. */
static uint32_t place_many(uint32_t from, uint32_t to)
{
	uint32_t refused = 0;
	struct sandbox v;

	placed_on_a = placed_on_b = 0;
	for (; from < to; from++) {
		struct sandbox_key k = key("2001:db8::");
		int e;

		k.address.bytes[15] = (uint8_t)from;
		k.address.bytes[14] = (uint8_t)(from >> 8);
		e = sandboxes_place(boxes, model, 0, &k, UINT32_MAX, NULL, &v);
		assert_true(!e || e == -EBUSY);
		refused += e != 0;
		placed_on_a += !e && v.backend == id("a");
		placed_on_b += !e && v.backend == id("b");
	}
	return refused;
}

static void place_is_bounded_by_what_is_reported(void **state)
{
	struct sandbox_key k = key("2001:db8::ffff");
	struct sandbox v;
	struct err err;

	told("a", 90, 100, 50); /* ninety run there that are none of ours */
	told("b", 0, 1000, 500);
	assert_int_equal(place_many(0, 100), 0);
	assert_int_equal(placed_on_a, 10); /* then it is full, before it says so */
	assert_int_equal(placed_on_b, 90);
	assert_int_equal(sandboxes_place(boxes, model, 0, &k, model_find_backend(model, "a"), &err, &v), -EBUSY);
	assert_non_null(strstr(err.text, "backend a has room for 100"));
	told("a", UINT32_MAX, UINT32_MAX, 5); /* nonsense is full, too */
	assert_int_equal(sandboxes_place(boxes, model, 0, &k, model_find_backend(model, "a"), &err, &v), -EBUSY);
	told("a", 50, 100, 5); /* forty ended; five wait */
	assert_int_equal(place_many(100, 200), 0);
	assert_int_equal(placed_on_a, 5);
	told("b", 200, 300, 20);
	told("a", 55, 60, 0); /* none is warm any more, but for twenty of b */
	assert_int_equal(place_many(200, 220), 0);
	assert_int_equal(placed_on_b, 20);
	assert_int_equal(place_many(220, 400), 180 - 5 - 80); /* cold, until all is full */
	assert_int_equal(placed_on_a, 5);
	assert_int_equal(placed_on_b, 80);
	/* what is there already is no new one; and whoever says what is so is not refused */
	assert_int_equal(place_many(0, 100), 0);
	assert_int_equal(sandboxes_add(boxes, model, &k, model_find_backend(model, "a"), NULL, &v), 0);
}

static void add_move_del(void **state)
{
	struct sandbox_key k = key("2001:db8::5");
	uint32_t a = model_find_backend(model, "a"), b = model_find_backend(model, "b");
	struct sandbox v;

	assert_int_equal(sandboxes_move(boxes, model, &k, b, NULL, &v), -ENOENT);
	assert_int_equal(sandboxes_del(boxes, &k, NULL, &v), -ENOENT);
	assert_int_equal(sandboxes_add(boxes, model, &k, a, NULL, &v), 0);
	assert_int_equal(sandboxes_add(boxes, model, &k, a, NULL, &v), 0);
	assert_int_equal(sandboxes_add(boxes, model, &k, b, NULL, &v), -EEXIST);
	assert_int_equal(sandboxes_move(boxes, model, &k, b, NULL, &v), 0);
	assert_int_equal(v.backend, id("b"));
	assert_int_equal(v.former, id("a"));
	assert_int_equal(seen(&k).backend, id("b"));
	assert_int_equal(seen(&k).former, id("a"));
	assert_int_equal(sandboxes_on(boxes, id("a")), 0);
	assert_int_equal(sandboxes_on(boxes, id("b")), 1);
	sandboxes_tick(boxes, model, v.moved + 59);
	assert_int_equal(dataplane_sandbox_get(dp, &k, &v), 0);
	assert_int_equal(v.former, id("a"));
	sandboxes_tick(boxes, model, v.moved + 60);
	assert_int_equal(dataplane_sandbox_get(dp, &k, &v), 0);
	assert_int_equal(v.former, BACKEND_NONE);
	assert_int_equal(seen(&k).backend, id("b"));
	assert_int_equal(seen(&k).former, BACKEND_NONE);
	assert_int_equal(sandboxes_del(boxes, &k, NULL, &v), 0);
	assert_int_equal(seen(&k).backend, BACKEND_NONE);
	assert_int_equal(sandboxes_count(boxes), 0);
	assert_int_equal(changes[SANDBOX_ADDED], 1);
	assert_int_equal(changes[SANDBOX_MOVED], 1);
	assert_int_equal(changes[SANDBOX_DELETED], 1);
}

static void many_over_a_restart_and_a_backend_that_is_freed(void **state)
{
	uint32_t a = model_find_backend(model, "a"), b = model_find_backend(model, "b");
	struct sandbox v;

	for (uint32_t i = 0; i < 5000; i++) {
		struct sandbox_key k = key("2001:db8::");

		k.address.bytes[15] = (uint8_t)i;
		k.address.bytes[14] = (uint8_t)(i >> 8);
		assert_int_equal(sandboxes_add(boxes, model, &k, i % 2 ? a : b, NULL, &v), 0);
		if (i % 10 == 0)
			assert_int_equal(sandboxes_move(boxes, model, &k, a, NULL, &v), 0);
	}
	close_all();
	open_all();
	assert_int_equal(sandboxes_count(boxes), 5000);
	assert_int_equal(sandboxes_on(boxes, id("a")), 3000);
	assert_int_equal(sandboxes_on(boxes, id("b")), 2000);
	sandboxes_forget(boxes, id("b"));
	assert_int_equal(sandboxes_count(boxes), 3000);
	assert_int_equal(sandboxes_on(boxes, id("b")), 0);
	{
		struct sandbox_key k = key("2001:db8::"); /* number 0: moved from b to a */

		assert_int_equal(dataplane_sandbox_get(dp, &k, &v), 0);
		assert_int_equal(v.former, BACKEND_NONE);
	}
}

/* Number `i` of many. */
static struct sandbox_key nth(uint32_t i)
{
	struct sandbox_key k = key("2001:db8::");

	k.address.bytes[15] = (uint8_t)i;
	k.address.bytes[14] = (uint8_t)(i >> 8);
	return k;
}

static void assert_index_is_the_map(uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		struct sandbox_key k = nth(i);
		struct sandbox v = {0};

		(void)!dataplane_sandbox_get(dp, &k, &v);
		if (seen(&k).backend != v.backend || seen(&k).former != v.former)
			fail_msg("sandbox %u: %u,%u in the map, %u,%u in the index", i, v.backend,
				 v.former, seen(&k).backend, seen(&k).former);
	}
}

static void the_index_grows_and_shrinks_with_the_map(void **state)
{
	uint32_t a = model_find_backend(model, "a"), b = model_find_backend(model, "b");
	uint32_t grown = 0, sets = sandboxes_index(boxes)->set_count;
	struct sandbox v;

	for (uint32_t i = 0; i < 8192; i++) {
		struct sandbox_key k = nth(i);

		assert_int_equal(sandboxes_add(boxes, model, &k, i % 2 ? a : b, NULL, &v), 0);
		assert_int_equal(seen(&k).backend, i % 2 ? id("a") : id("b"));
		grown += sandboxes_index(boxes)->set_count != sets;
		sets = sandboxes_index(boxes)->set_count;
	}
	assert_in_range(grown, 3, 5); /* by half each time, from 1740 to 8192 and more */
	assert_index_is_the_map(8192);
	assert_int_equal(sandboxes_add(boxes, model, &(struct sandbox_key){.service = 0}, a, NULL, &v),
			 -E2BIG);
	assert_int_equal(seen(&(struct sandbox_key){.service = 0}).backend, BACKEND_NONE);
	for (uint32_t i = 0; i < 8192; i++) {
		struct sandbox_key k = nth(i);

		if (i % 3)
			assert_int_equal(sandboxes_del(boxes, &k, NULL, &v), 0);
	}
	assert_index_is_the_map(8192);
	assert_int_equal(sandboxes_index(boxes)->used, sandboxes_count(boxes));
	close_all();
	open_all();
	assert_true(sandboxes_index(boxes)->set_count < sets);
	assert_index_is_the_map(8192);
}

/* Between the two writes of a change, or in a program that knew no index: what stands in the map is what holds. */
static void a_crash_between_two_writes(void **state)
{
	uint32_t a = model_find_backend(model, "a"), b = model_find_backend(model, "b");
	struct sandbox_key added = nth(1), deleted = nth(2), moved = nth(3);
	struct sandbox v = {.backend = id("a")};

	assert_int_equal(dataplane_sandbox_add(dp, &added, &v), 0); /* not yet in the index */
	assert_int_equal(sandboxes_add(boxes, model, &deleted, a, NULL, &v), 0);
	assert_int_equal(sandboxes_add(boxes, model, &moved, a, NULL, &v), 0);
	assert_int_equal(dataplane_sandbox_del(dp, &deleted), 0); /* still in the index */
	v.backend = id("b");
	assert_int_equal(dataplane_sandbox_set(dp, &moved, &v), 0);
	assert_int_equal(seen(&added).backend, BACKEND_NONE);
	assert_int_equal(seen(&moved).backend, id("a"));
	close_all();
	open_all();
	assert_int_equal(sandboxes_count(boxes), 2);
	assert_int_equal(seen(&added).backend, id("a"));
	assert_int_equal(seen(&deleted).backend, BACKEND_NONE);
	assert_int_equal(seen(&moved).backend, id("b"));
	assert_int_equal(sandboxes_del(boxes, &moved, NULL, &v), 0);
	assert_int_equal(sandboxes_add(boxes, model, &moved, b, NULL, &v), 0);
	assert_index_is_the_map(10);
}

static void pins_without_an_index(void **state)
{
	uint32_t a = model_find_backend(model, "a");
	char path[128];
	struct sandbox v;

	for (uint32_t i = 0; i < 100; i++) {
		struct sandbox_key k = nth(i);

		assert_int_equal(sandboxes_add(boxes, model, &k, a, NULL, &v), 0);
	}
	dataplane_tables(dp)->settings->sandbox_sets = 0;
	dataplane_tables(dp)->settings->sandbox_seed = 0;
	close_all();
	snprintf(path, sizeof(path), "%s/maps/sandbox_index", dir);
	assert_int_equal(unlink(path), 0);
	open_all();
	assert_int_equal(sandboxes_index(boxes)->used, 100);
	assert_index_is_the_map(100);
}

static void pages(void **state)
{
	const struct sandboxes_filter all = {.service = SERVICES_MAX, .backend = BACKEND_NONE};
	struct sandboxes_entry entries[7];
	struct sandbox_key last;
	uint32_t seen = 0;
	struct sandbox v;
	bool more = true;
	int n;

	for (uint32_t i = 0; i < 100; i++) {
		struct sandbox_key k = key("2001:db8::");

		k.address.bytes[15] = (uint8_t)i;
		assert_int_equal(sandboxes_add(boxes, model, &k, 0, NULL, &v), 0);
	}
	for (int page = 0; more; page++) {
		n = sandboxes_list(boxes, &all, page ? &last : NULL, 7, entries, &more, &last);
		assert_in_range(n, 0, 7);
		seen += (uint32_t)n;
	}
	assert_int_equal(seen, 100);
	last = key("2001:db8::ffff");
	assert_int_equal(sandboxes_list(boxes, &all, &last, 7, entries, &more, &last), -ESTALE);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(keys),
		TEST(place_is_by_the_table_and_idempotent),
		TEST(place_is_bounded_by_what_is_reported),
		TEST(add_move_del),
		TEST(many_over_a_restart_and_a_backend_that_is_freed),
		TEST(the_index_grows_and_shrinks_with_the_map),
		TEST(a_crash_between_two_writes),
		TEST(pins_without_an_index),
		TEST(pages),
	};

	return cmocka_run_group_tests_name("sandboxes", tests, NULL, NULL);
}
