// SPDX-License-Identifier: GPL-2.0-or-later
/* fuzz_report: whatever a backend says of its load, as an agent's line and as JSON. What is accepted is within bounds. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "controller/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct report *report)
{
	double term = report_load_term(report);

	if (!(term >= 0 && term <= 1) || report->admin >= REPORT_ADMIN__COUNT ||
	    report->status >= REPORT_STATUS__COUNT)
		abort();
	if (memchr(report->reason, '\0', sizeof(report->reason)) == NULL)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct report report;
	struct err err;

	if (!report_parse_agent((const char *)data, size, &err, &report))
		check(&report);
	if (!report_parse_json((const char *)data, size, &err, &report))
		check(&report);
	return 0;
}
