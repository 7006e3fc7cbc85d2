// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_state: any bytes as the state file, and any JSON object behind a checksum that is right (what another version, or a
 * hand with an editor, may have left). The first byte chooses. Whatever is taken from it leaves a model that ticks with
 * shares in bounds, and what is then saved is loaded as it was.
 */
#include <math.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

#define assert_non_null(pointer)   must(pointer)
#define assert_true(condition)	   must(condition)
#define assert_int_equal(a, b)	   must((a) == (b))

#include "controller/shifts.h"
#include "controller/state.h"
#include "tests/unit/plain.h"

#define TICKS 12

static struct config *config;
static struct shifts shifts, again;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct text t = {0};

	plain_new();
	text_head(&t);
	text_add(&t, "providers:\n");
	for (int p = 0; p < 2; p++)
		text_add(&t, "  - name: p%d\n    regions:\n      - name: r\n        backends:\n"
			     "          - {name: b%d, address: 10.0.%d.1}\n"
			     "          - {name: c%d, address: 10.0.%d.2}\n", p, p, p, p, p);
	text_add(&t, "pools:\n  - {name: eu, slots: 1024, tiers: [[p0/r, p1/r]]}\nservices:\n"
		     "  - {name: w, address: 192.0.2.1, port: 80, protocol: tcp, pool: eu, affinity: flow, encap: gue}\n");
	config = text_config(&t);
	return 0;
}

static void check_model(const struct model *m)
{
	const struct model_pool *pool = &m->pools[0];
	double sum = 0;

	for (uint32_t g = 0; g < pool->group_count; g++) {
		must(pool->groups[g].share >= 0 && pool->groups[g].share <= 1 + 1e-9);
		sum += pool->groups[g].share;
	}
	must(pool->empty || fabs(sum - 1) < 1e-6);
	for (uint32_t i = 0; i < m->backend_count; i++) {
		const struct model_backend *b = &m->backends[i];

		must(b->admin_weight >= 0 && b->admin_weight <= 1 && b->health >= 0 && b->health <= 1);
		must(b->state > BACKEND_STATE_FREE && b->state < BACKEND_STATE__COUNT);
		must(b->admin_state > BACKEND_STATE_FREE && b->admin_state < BACKEND_STATE__COUNT);
		must(b->admin_health < MODEL_ADMIN_HEALTH__COUNT);
	}
}

static void check_shifts(const struct shifts *s)
{
	must(s->count <= SHIFTS_MAX);
	for (uint32_t i = 0; i < s->count; i++) {
		const struct shift *x = &s->entries[i].shift;

		must(x->phase < SHIFT_PHASE__COUNT && x->outcome < SHIFT_OUTCOME__COUNT);
		must(x->part >= 0 && x->part <= 1 && x->step < x->plan.step_count);
		must(shift_check_plan(&x->plan, NULL) == 0 && strcmp(s->entries[i].from, s->entries[i].to));
	}
}

/* What is saved comes back the same. */
static void check_saved(void)
{
	json_t *saved = shifts_save(&shifts), *twice;

	memset(&again, 0, sizeof(again));
	shifts_load(&again, saved);
	twice = shifts_save(&again);
	must(json_equal(saved, twice));
	json_decref(saved);
	json_decref(twice);
}

static void take(json_t *state)
{
	struct mono_ns now = {1000000000};
	struct model *model = NULL;
	struct err err = {{0}};

	must(model_build(config, &plain, &plain_sizes, NULL, now, &err, &model) == 0);
	memset(&shifts, 0, sizeof(shifts));
	state_take_model(state, model, now);
	shifts_load(&shifts, json_object_get(state, "shifts"));
	check_shifts(&shifts);
	for (int i = 0; i < TICKS; i++) {
		now.v += 100000000;
		shifts_tick(&shifts, model, i ? 0.1 : 0);
		model_tick(model, now);
		check_model(model);
		check_shifts(&shifts);
	}
	must(state_put_model(state, model) == 0);
	check_saved();
	model_free(model);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	json_t *state = NULL;
	char *text;

	if (!length)
		return 0;
	text = malloc(length);
	must(text);
	memcpy(text, bytes + 1, length - 1);
	text[length - 1] = 0;
	if (bytes[0] & 1)
		must((state_parse(text, length - 1, &state) == NULL) == (state != NULL));
	else
		state = json_loadb(text, length - 1, JSON_REJECT_DUPLICATES, NULL);
	if (json_is_object(state))
		take(state);
	json_decref(state);
	free(text);
	return 0;
}
