// SPDX-License-Identifier: GPL-2.0-or-later
/* fuzz_report: any bytes as the JSON that a backend says of its load. What is accepted is within bounds. */
#include "tests/fuzz/fuzz_report.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct report report = {0};
	struct err err = {{0}};
	int e = report_parse_json((const char *)bytes, length, &err, &report);

	must((e != 0) == (err.text[0] != 0));
	if (!e)
		check_report(&report);
	return 0;
}
