/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_TESTS_PLAIN_H
#define EBB_TESTS_PLAIN_H
/* plain: the data plane's tables as plain memory, and configurations from text, for tests of model and publish. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/config.h"
#include "controller/dataplane.h"
#include "controller/model.h"
#include "controller/publish.h"

#define PLAIN_BACKENDS 16384
#define PLAIN_SLOTS    1048576

static struct dataplane_tables plain;
static const struct dataplane_sizes plain_sizes = {.slots = PLAIN_SLOTS,
						   .backends = PLAIN_BACKENDS,
						   .flows = 1048576};

static inline void *plain_zeros(size_t n, size_t size)
{
	void *memory = calloc(n, size);

	assert_non_null(memory);
	return memory;
}

static inline void plain_new(void)
{
	plain.settings = plain_zeros(1, sizeof(*plain.settings));
	plain.services = plain_zeros(2 * SERVICES_TABLE_SIZE, sizeof(*plain.services));
	plain.prefixes = plain_zeros(2 * PREFIXES_TABLE_SIZE, sizeof(*plain.prefixes));
	plain.filter = plain_zeros(2 * SERVICE_FILTER_WORDS, sizeof(*plain.filter));
	plain.pools = plain_zeros(POOLS_MAX, sizeof(*plain.pools));
	plain.slots = plain_zeros(PLAIN_SLOTS, sizeof(*plain.slots));
	plain.backends = plain_zeros(PLAIN_BACKENDS, sizeof(*plain.backends));
	plain.backend_names = plain_zeros(PLAIN_BACKENDS, sizeof(*plain.backend_names));
	plain.nexthops = plain_zeros(NEXTHOPS_MAX, sizeof(*plain.nexthops));
	plain.flows = plain_zeros(plain_sizes.flows / FLOW_WAYS, sizeof(*plain.flows));
	plain.nursery = plain_zeros(NURSERY_SETS, sizeof(*plain.nursery));
	plain.handshakes = plain_zeros(HANDSHAKES_MAX, sizeof(*plain.handshakes));
	plain.signals = plain_zeros(PLAIN_BACKENDS, sizeof(*plain.signals));
}

static inline void plain_free(void)
{
	free(plain.settings);
	free(plain.services);
	free(plain.prefixes);
	free(plain.filter);
	free(plain.pools);
	free(plain.slots);
	free(plain.backends);
	free(plain.backend_names);
	free(plain.nexthops);
	free(plain.flows);
	free(plain.nursery);
	free(plain.handshakes);
	free(plain.signals);
}

/* YAML that grows. */
struct text {
	char *bytes;
	size_t length, room;
};

__attribute__((format(printf, 2, 3))) static inline void text_add(struct text *t, const char *fmt,
								  ...)
{
	va_list ap;
	int n;

	if (t->room - t->length < 1024) {
		t->room = 2 * t->room + 4096;
		t->bytes = realloc(t->bytes, t->room);
		assert_non_null(t->bytes);
	}
	va_start(ap, fmt);
	n = vsnprintf(t->bytes + t->length, t->room - t->length, fmt, ap);
	va_end(ap);
	assert_true(n >= 0 && n < 1024);
	t->length += (size_t)n;
}

/* Frees the text. */
static inline struct config *text_config(struct text *t)
{
	struct config_errors errors = {{0}};
	struct config *config = NULL;
	int e = config_load_bytes("test", t->bytes, t->length, &errors, &config);

	if (e)
		config_errors_print(&errors, stderr);
	assert_int_equal(e, 0);
	config_errors_free(&errors);
	free(t->bytes);
	*t = (struct text){0};
	return config;
}

static inline void text_head(struct text *t)
{
	text_add(t, "edge:\n  name: e\n  interfaces: [{name: eth0}]\n  hash_seed: 0x1234\n");
}

#endif
