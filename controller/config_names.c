// SPDX-License-Identifier: GPL-2.0-or-later
/* config_names: sorted names, so that 10,000 of them cost no quadratic time. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/config_build.h"

static int name_compare(const void *a, const void *b)
{
	const struct config_name *x = a, *y = b;
	int r = strcmp(x->name, y->name);

	return r ? r : (x->index > y->index) - (x->index < y->index);
}

void config_names_sort(struct config_names *names)
{
	if (names->count)
		qsort(names->by_name, names->count, sizeof(names->by_name[0]), name_compare);
}

uint32_t config_names_find(const struct config_names *names, const char *name)
{
	uint32_t low = 0, high = names->count, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (strcmp(names->by_name[middle].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == names->count || strcmp(names->by_name[low].name, name) != 0)
		return UINT32_MAX;
	return names->by_name[low].index;
}

const char *config_names_print(const struct config_names *names)
{
	static _Thread_local char text[256];
	size_t length = 0, more;
	uint32_t i;

	if (!names->count)
		return "(none)";
	for (i = 0; i < names->count; i++) {
		more = strlen(names->by_name[i].name) + 2;
		if (length + more > sizeof(text) - 32)
			break;
		length += sprintf(text + length, "%s%s", i ? ", " : "", names->by_name[i].name);
	}
	if (i < names->count)
		sprintf(text + length, "%s... (%u more)", i ? ", " : "", names->count - i);
	return text;
}
