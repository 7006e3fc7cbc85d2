/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_SIM_SCENARIO_PRIVATE_H
#define EBB_SIM_SCENARIO_PRIVATE_H
/* scenario_private: what scenario.c and scenario_event.c share. */
#include "controller/config_context.h"
#include "controller/sim/scenario.h"
#include "controller/sim/scenario_schema.h"

struct scenario_build {
	struct config_context ctx;
	struct scenario *scenario; /* its config is there when events are read */
};

/* Leaves messages for what is wrong, and goes on. 0 or -ENOMEM. */
EBB_MUST_CHECK int scenario_take_events(struct scenario_build *b, const struct raw_scenario *raw);

#endif
