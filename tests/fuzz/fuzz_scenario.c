// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_scenario: any bytes as a scenario. Either there is one whose events are resolved and in order, or there is a message; and a
 * small one is run, to shares that sum to 1 or to 0.
 */
#include <math.h>
#include <string.h>

#include "controller/sim/sim.h"
#include "tests/fuzz/fuzz.h"

static void check_event(const struct scenario *s, uint32_t i)
{
	const struct scenario_event *e = &s->events[i];

	must(e->what < SCENARIO_WHAT__COUNT && e->label && e->at_s >= 0 && e->at_s < s->duration_s);
	must(e->until_s > e->at_s && (!i || s->events[i - 1].at_s <= e->at_s));
	must(e->what == SCENARIO_SHIFT ? e->plan.step_count && e->pool && e->from && e->to : e->backend_count);
	for (uint32_t k = 0; k < e->backend_count; k++)
		must(e->backends[k] < s->config->backend_count && (!k || e->backends[k - 1] < e->backends[k]));
}

static void run(const struct scenario *s)
{
	struct sim *sim = NULL;
	struct err err = {{0}};
	FILE *nowhere = fopen("/dev/null", "w");
	int e = sim_run(s, NULL, &err, &sim);

	must(nowhere && (e == 0 || err.text[0]));
	for (uint32_t p = 0; e == 0 && p < sim->pool_count; p++) {
		double sum = 0;

		for (uint32_t g = 0; g < sim->pools[p].group_count; g++)
			sum += sim->pools[p].groups[g].shares[sim->sample_count - 1];
		must(fabs(sum) < 1e-3 || fabs(sum - 1) < 1e-3);
		must(sim_svg(sim, p, nowhere) == 0);
	}
	fclose(nowhere);
	sim_free(sim);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct config_errors errors = {{0}};
	struct scenario *s = NULL;
	int r = scenario_load_bytes("f.yaml", (const char *)bytes, length, &errors, &s);

	must((r == 0) == (s != NULL) && (r != 0) == (errors.count > 0));
	for (uint32_t i = 0; i < errors.count; i++)
		must(strncmp(errors.lines[i], "f.yaml:", 7) == 0);
	for (uint32_t i = 0; s && i < s->event_count; i++)
		check_event(s, i);
	if (s && s->duration_s <= 3 && s->config->backend_count <= 16 && s->config->edge.slots_needed <= 256)
		run(s);
	scenario_free(s);
	config_errors_free(&errors);
	return 0;
}
