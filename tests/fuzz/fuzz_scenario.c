// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_scenario: any bytes as what a simulation is given. Either there is a whole scenario whose events are in order, in time
 * and about backends that there are, or there is at least one message and nothing else.
 */
#include <math.h>
#include <string.h>

#include "controller/sim/scenario.h"
#include "tests/fuzz/fuzz.h"

static void check_event(const struct scenario *s, const struct scenario_event *event)
{
	must(event->what < SCENARIO_WHAT__COUNT && event->label);
	must(event->at_s >= 0 && event->at_s <= s->duration_s && event->until_s >= event->at_s);
	must(event->errors >= 0 && event->errors <= 1 && isfinite(event->by_s) && event->ramp_s >= 0);
	for (uint32_t i = 0; i < event->backend_count; i++)
		must(event->backends[i] < s->config->backend_count &&
		     (!i || event->backends[i] > event->backends[i - 1]));
	if (event->what == SCENARIO_SHIFT)
		must(event->pool && event->from && event->to && !shift_check_plan(&event->plan, NULL));
}

static void check_scenario(const struct scenario *s)
{
	must(s->config && s->duration_s > 0 && isfinite(s->duration_s) && s->sample_s > 0);
	must(s->load >= 0 && isfinite(s->load) && s->handshakes >= 0 && isfinite(s->handshakes));
	must(s->event_count <= SCENARIO_EVENTS_MAX);
	for (uint32_t i = 0; i < s->event_count; i++) {
		check_event(s, &s->events[i]);
		must(!i || s->events[i].at_s >= s->events[i - 1].at_s);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct config_errors errors = {0};
	struct scenario *scenario = NULL;
	int e = scenario_load_bytes("f.yaml", (const char *)bytes, length, &errors, &scenario);

	must(e ? !scenario && errors.count : scenario && !errors.count);
	if (!e)
		check_scenario(scenario);
	scenario_free(scenario);
	config_errors_free(&errors);
	return 0;
}
