// SPDX-License-Identifier: GPL-2.0-or-later
#include "controller/history.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct record {
	double at_s;
	json_t *event;
};

struct history {
	uint64_t count; /* ever added */
	struct record records[HISTORY_MAX];
};

int history_new(struct history **ret_history)
{
	struct history *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	*ret_history = h;
	return 0;
}

void history_free(struct history *h)
{
	if (!h)
		return;
	for (uint32_t i = 0; i < HISTORY_MAX; i++)
		json_decref(h->records[i].event);
	free(h);
}

void history_add(struct history *h, double at_s, json_t *event)
{
	struct record *r = &h->records[h->count++ % HISTORY_MAX];

	json_decref(r->event);
	*r = (struct record){at_s, json_incref(event)};
}

static bool has_type(const json_t *event, const json_t *types)
{
	const json_t *type = json_object_get(event, "event");
	size_t i;
	json_t *t;

	if (!types)
		return true;
	json_array_foreach (types, i, t)
		if (json_equal(t, type))
			return true;
	return false;
}

static bool matches(const json_t *event, const json_t *match)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)match, key, value)
		if (!json_equal(json_object_get(event, key), value))
			return false;
	return true;
}

json_t *history_list(const struct history *h, double since_s, uint32_t limit, const json_t *types,
		     const json_t *match)
{
	uint64_t first = h->count > HISTORY_MAX ? h->count - HISTORY_MAX : 0;
	json_t *list = json_array();

	for (uint64_t i = h->count; i-- > first && json_array_size(list) < limit;) {
		const struct record *r = &h->records[i % HISTORY_MAX];

		if (r->at_s < since_s)
			break;
		if (has_type(r->event, types) && matches(r->event, match) &&
		    json_array_insert(list, 0, r->event))
			break;
	}
	return list;
}
