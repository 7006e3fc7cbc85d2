// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_agent: any bytes as what an agent answers. What is accepted is within bounds, and is the same whatever stands behind
 * the end of its line.
 */
#include <string.h>

#include "controller/report.h"
#include "tests/fuzz/fuzz_report.h"

static size_t line_of(const uint8_t *bytes, size_t length)
{
	size_t n = 0;

	while (n < length && bytes[n] != '\n' && bytes[n] != '\r' && bytes[n])
		n++;
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct report report = {0}, alone = {0};
	struct err err = {{0}};
	int e = report_parse_agent((const char *)bytes, length, &err, &report);

	must((e != 0) == (err.text[0] != 0));
	must(report_parse_agent((const char *)bytes, line_of(bytes, length), NULL, &alone) == e);
	must(memcmp(&report, &alone, sizeof(report)) == 0);
	if (!e)
		check_report(&report);
	return 0;
}
