/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How health is judged and how shares may move: each setting can be a pool's own, reaches the parameters of the rules, and stands in
 * ebb.yaml(5) with what it trades. The schema is walked, so that a new key is missed by none of these. Run from the top of the tree.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/config_schema.h"
#include "tests/unit/plain.h"

/* Every one other than its default. */
#define OWN_HEALTH                                                                                 \
	"{observe: 7s, down: 3s, up: 11s, evidence: 4, bad: 40%, good: 90%, return_floor: 20%, return_jitter: 3s, "  \
	"flap: {penalty: 500, half_life: 20s, hold: 1500, free: 600}, latency: {good: 20ms, bad: 300ms, usual: 2h}, " \
	"trial: 3%, handshake_rate: 9, probe: {type: tcp, port: 80, interval: 2s, timeout: 300ms, rise: 4, fall: 6, " \
	"fall_timeouts: 8}, report: {type: agent, port: 81, send: hello, interval: 5s, timeout: 2s}}"
#define OWN_WEIGHTS                                                                                \
	"{overprovisioning: 1.3, dead_below: 20%, return_above: 30%, return_after: 50s, panic_hold: 20s, "            \
	"panic_clear: 5s, slew: {degraded: 3%, dead: 25%, rise: 1%, rise_part: 4%}, "                                 \
	"eject: {capacity: 20%, groups: 40%, floor: 5%}, publish: {change: 3%, after: 8s}}"

static struct config *two_pools(void)
{
	struct text t = {0};

	text_head(&t);
	text_add(&t, "providers:\n  - name: p\n    regions:\n");
	text_add(&t, "      - {name: a, backends: [{name: a1, address: 10.0.0.1}]}\n");
	text_add(&t, "      - {name: b, backends: [{name: b1, address: 10.0.0.2}]}\n");
	text_add(&t, "pools:\n  - {name: plain, slots: 64, tiers: [[p/a]]}\n");
	text_add(&t, "  - {name: own, slots: 64, tiers: [[p/b]], health: %s, weights: %s}\n", OWN_HEALTH, OWN_WEIGHTS);
	return text_config(&t);
}

static void a_pools_settings_reach_the_rules(void **state)
{
	struct config *config = two_pools();
	struct err err = {{0}};
	struct model *m;

	plain_new();
	assert_int_equal(model_build(config, &plain, &plain_sizes, NULL, (struct mono_ns){1}, &err, &m), 0);
#define DIFFERS(member, own)                                                                       \
	do {                                                                                       \
		assert_true((a->member) != (own));                                                 \
		assert_true(fabs((double)(b->member) - (own)) < 1e-12);                            \
	} while (0)
	{
		const struct health_params *a = &m->health_params[0], *b = &m->health_params[1];

		DIFFERS(observe_s, 7);
		DIFFERS(down_s, 3);
		DIFFERS(up_s, 11);
		DIFFERS(evidence, 4);
		DIFFERS(bad, 0.4);
		DIFFERS(good, 0.9);
		DIFFERS(rise, 4);
		DIFFERS(fall, 6);
		DIFFERS(fall_timeouts, 8);
		DIFFERS(return_floor, 0.2);
		DIFFERS(return_jitter_s, 3);
		DIFFERS(flap_penalty, 500);
		DIFFERS(flap_half_life_s, 20);
		DIFFERS(flap_hold, 1500);
		DIFFERS(flap_free, 600);
		DIFFERS(inband_rate_max, 9);
		DIFFERS(trial_floor, 0.03);
		DIFFERS(latency.good_s, 0.02);
		DIFFERS(latency.bad_s, 0.3);
		DIFFERS(latency.usual_s, 7200);
	}
	{
		const struct config_health *a = m->health_configs[0], *b = m->health_configs[1];

		DIFFERS(probe.interval_s, 2);
		DIFFERS(probe.timeout_s, 0.3);
		DIFFERS(report.interval_s, 5);
		DIFFERS(report.timeout_s, 2);
	}
	{
		const struct weight_params *a = &m->pools[0].weight_params, *b = &m->pools[1].weight_params;

		DIFFERS(overprovision, 1.3);
		DIFFERS(fall_per_s, 0.03);
		DIFFERS(dead_fall_per_s, 0.25);
		DIFFERS(return_per_s, 0.01);
		DIFFERS(return_part_per_s, 0.04);
		DIFFERS(dead_below, 0.2);
		DIFFERS(alive_above, 0.3);
		DIFFERS(return_hold_s, 50);
		DIFFERS(eject_max, 0.2);
		DIFFERS(eject_floor, 0.05);
		DIFFERS(panic_groups, 0.4);
		DIFFERS(panic_hold_s, 20);
		DIFFERS(panic_clear_s, 5);
		DIFFERS(publish_ratio, 0.03);
		DIFFERS(publish_wait_s, 8);
	}
#undef DIFFERS
	model_free(m);
	config_free(config);
	plain_free();
}

/* What is not set anywhere is what the rules take by themselves: one default, not two. */
static void defaults_are_those_of_the_rules(void **state)
{
	struct config *config = two_pools();
	struct health_params health = health_params_default();
	struct weight_params weights = weight_params_default();
	struct err err = {{0}};
	struct model *m;

	plain_new();
	assert_int_equal(model_build(config, &plain, &plain_sizes, NULL, (struct mono_ns){1}, &err, &m), 0);
	assert_memory_equal(&m->health_params[0], &health, sizeof(health));
	assert_memory_equal(&m->pools[0].weight_params, &weights, sizeof(weights));
	model_free(m);
	config_free(config);
	plain_free();
}

/* --- the manual */

static char *manual;

static void each_key(const cyaml_schema_field_t *fields, const char *map,
		     void (*visit)(const char *map, const char *key))
{
	for (; fields->key; fields++) {
		visit(map, fields->key);
		if (fields->value.type == CYAML_MAPPING)
			each_key(fields->value.mapping.fields, fields->key, visit);
	}
}

static bool is_word(const char *at, size_t length, const char *begin)
{
	return (at == begin || strchr(" ,", at[-1])) && (!at[length] || strchr(" ,\n", at[length]));
}

/* On a line that begins an entry. */
static void assert_documented(const char *map, const char *key)
{
	for (const char *line = manual; (line = strstr(line, "\n.It Ic ")); line++) {
		const char *end = strchr(line + 1, '\n');

		for (const char *at = line; (at = strstr(at, key)) && at < end; at++)
			if (is_word(at, strlen(key), line))
				return;
	}
	fail_msg("ebb.yaml.5 has no %s of %s", key, map);
}

/* The key stands in the pool's own mapping, and in the test above. */
static void assert_a_pools_own(const char *map, const char *key)
{
	static const char *const places[] = {"smoothing", "alpha"}; /* another way to write `down` */
	static const char *const http[] = {"path", "host"};	    /* of probes and reports by HTTP; not numbers */
	char wanted[64];

	if (!strcmp(key, "tick") || !strcmp(key, places[0]) || !strcmp(map, places[0]) || !strcmp(key, http[0]) ||
	    !strcmp(key, http[1]))
		return;
	snprintf(wanted, sizeof(wanted), "%s:", key);
	if (!strstr(OWN_HEALTH OWN_WEIGHTS, wanted))
		fail_msg("no pool of this test has its own %s of %s", key, map);
}

static void load_manual(void)
{
	FILE *from = fopen("docs/man/ebb.yaml.5", "r");

	assert_non_null(from);
	manual = calloc(1, 256 * 1024);
	assert_true(fread(manual, 1, 256 * 1024 - 1, from) > 0);
	fclose(from);
}

static void every_key_is_in_the_manual_and_may_be_a_pools_own(void **state)
{
	load_manual();
	each_key(config_health_fields, "health", assert_documented);
	each_key(config_weights_fields, "weights", assert_documented);
	each_key(config_health_fields, "health", assert_a_pools_own);
	each_key(config_weights_fields, "weights", assert_a_pools_own);
	free(manual);
}

/* An entry whose value is a quantity says what more or less of it does. */
static void assert_trades(const char *entry, const char *end)
{
	static const char *const words[] = {"onger", "horter", "ore ", "ess ", "ewer", "igher", "ower", "aster"};
	char *text = strndup(entry, (size_t)(end - entry));
	char *line = strndup(text + 1, strcspn(text + 1, "\n"));
	bool quantity = strstr(line, "Ar duration") || strstr(line, "Ar ratio") || strstr(line, "Ar number") ||
			strstr(line, "Brq");
	bool trades = !quantity || strstr(line, "Ic port") || strstr(line, "Ic smoothing");

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		trades |= strstr(text + 1 + strlen(line), words[i]) != NULL;
	if (!trades)
		fail_msg("ebb.yaml.5 does not say what it trades: %s", line);
	free(text);
	free(line);
}

static void each_quantity_says_what_it_trades(void **state)
{
	static const char *const sections[][2] = {{"\n.Sh HEALTH", "\n.Sh REPORTS"},
						  {"\n.Sh WEIGHTS", "\n.Sh PROVIDERS"}};
	uint32_t entries = 0;

	load_manual();
	for (int s = 0; s < 2; s++) {
		const char *at = strstr(manual, sections[s][0]), *last = strstr(manual, sections[s][1]);

		assert_true(at && last && at < last);
		while ((at = strstr(at, "\n.It Ic ")) && at < last) {
			const char *end = strstr(at + 1, "\n.It Ic ");

			end = end && end < last ? end : last;
			assert_trades(at, end);
			at = end;
			entries++;
		}
	}
	assert_true(entries > 30);
	free(manual);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pools_settings_reach_the_rules),
		cmocka_unit_test(defaults_are_those_of_the_rules),
		cmocka_unit_test(every_key_is_in_the_manual_and_may_be_a_pools_own),
		cmocka_unit_test(each_quantity_says_what_it_trades),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
