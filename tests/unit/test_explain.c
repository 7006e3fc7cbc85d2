/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mirrors controller/explain.c: what an operator types as an end of a flow. The rest runs in the lab. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>

#include "controller/address.h"
#include "controller/explain.h"

static void endpoints(void **state)
{
	static const struct {
		const char *text, *address;
		int port; /* -1: refused */
	} rows[] = {
		{"192.0.2.1:80", "192.0.2.1", 80},	  {"[2001:db8::1]:65535", "2001:db8::1", 65535},
		{"2001:db8::1:80", "2001:db8::1", 80},	  {"192.0.2.1", "", -1},
		{"192.0.2.1:", "", -1},			  {"192.0.2.1:65536", "", -1},
		{"192.0.2.1:-1", "", -1},		  {"192.0.2.1: 1", "", -1},
		{"192.0.2.1:1x", "", -1},		  {":80", "", -1},
		{"", "", -1},				  {"[192.0.2.1:80", "", -1},
		{"[]:80", "", -1},			  {"host:80", "", -1},
		{"1111111111111111111111111111111111111111111111111111111111111111111111:80", "", -1},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct address address, want;
		uint16_t port = 0;
		int e = explain_endpoint(rows[i].text, &address, &port, NULL);

		assert_int_equal(e, rows[i].port < 0 ? -EINVAL : 0);
		if (e)
			continue;
		assert_int_equal(address_parse(rows[i].address, &want), 0);
		assert_memory_equal(&address, &want, sizeof(want));
		assert_int_equal(port, rows[i].port);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(endpoints)};

	return cmocka_run_group_tests_name("explain", tests, NULL, NULL);
}
