// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_audit: any bytes as a line of the audit file, and any text behind a checksum that is right (which damage does not make,
 * but a hand with an editor may). The first byte chooses. What is taken is an object with a time that a clock may show.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "controller/audit.h"
#include "controller/namehash.h"
#include "tests/fuzz/fuzz.h"

static void check(const char *line, size_t length)
{
	json_t *event = NULL;
	double at_s = -1;

	if (!audit_parse(line, length, &at_s, &event)) {
		must(!event && at_s == -1);
		return;
	}
	must(json_is_object(event) && at_s >= 0 && at_s <= 1e11);
	json_decref(event);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	char *line;

	if (!length)
		return 0;
	line = malloc(length + 32);
	must(line);
	if (bytes[0] & 1) {
		snprintf(line, 32, "%016" PRIx64 " ", hash_checksum((const char *)bytes + 1, length - 1));
		memcpy(line + 17, bytes + 1, length - 1);
		check(line, length + 16);
	} else {
		memcpy(line, bytes + 1, length - 1);
		check(line, length - 1);
	}
	free(line);
	return 0;
}
