/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_TESTS_FUZZ_REPORT_H
#define EBB_TESTS_FUZZ_REPORT_H
/* fuzz_report: what holds of every report that is accepted, be it text or JSON. */
#include <string.h>

#include "controller/report.h"
#include "tests/fuzz/fuzz.h"

static inline void check_report(const struct report *report)
{
	double term = report_load_term(report);
	size_t reason = strnlen(report->reason, sizeof(report->reason));

	must(term >= 0 && term <= 1);
	must(report->admin < REPORT_ADMIN__COUNT && report->status < REPORT_STATUS__COUNT);
	must(!report->has_weight || (report->weight >= 0 && report->weight <= 1));
	must(!report->has_load || (report->load >= 0 && report->load <= 1000));
	must(reason < sizeof(report->reason));
	for (size_t i = 0; i < reason; i++) /* it is shown on terminals */
		must(report->reason[i] >= ' ' && report->reason[i] <= '~');
}

#endif
