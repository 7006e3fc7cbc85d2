// SPDX-License-Identifier: GPL-2.0-or-later
#include "controller/params.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "controller/address.h"

int params_text(const json_t *params, const char *key, const char **ret_text, struct err *err)
{
	const json_t *value = json_object_get(params, key);

	if (value && !json_is_null(value) && !json_is_string(value))
		return err_set(err, EINVAL, "%s is a string", key);
	*ret_text = json_string_value(value);
	return 0;
}

int params_needed(const json_t *params, const char *key, const char **ret_text, struct err *err)
{
	const char *text = NULL;
	int e = params_text(params, key, &text, err);

	if (e)
		return e;
	if (!text)
		return err_set(err, EINVAL, "%s is missing", key);
	*ret_text = text;
	return 0;
}

int params_number(const json_t *params, const char *key, double otherwise, double max,
		  double *ret_number, struct err *err)
{
	const json_t *value = json_object_get(params, key);

	if (!value || json_is_null(value)) {
		*ret_number = otherwise;
		return 0;
	}
	if (!json_is_number(value) || !isfinite(json_number_value(value)) ||
	    json_number_value(value) < 0 || json_number_value(value) > max)
		return err_set(err, EINVAL, "%s is a number from 0 to %g", key, max);
	*ret_number = json_number_value(value);
	return 0;
}

int params_word(const char *key, const char *word, const char *const *words, int first, int count,
		int *ret_index, struct err *err)
{
	char allowed[128] = "";

	for (int i = first; i < count; i++) {
		size_t used = strlen(allowed);

		if (!strcmp(word, words[i])) {
			*ret_index = i;
			return 0;
		}
		snprintf(allowed + used, sizeof(allowed) - used, "%s%s", used ? ", " : "", words[i]);
	}
	return err_set(err, EINVAL, "%s is one of %s", key, allowed);
}

int params_address(const json_t *params, const char *key, struct address *ret_address,
		   struct err *err)
{
	const char *text = NULL;
	int e = params_needed(params, key, &text, err);

	if (e)
		return e;
	if (address_parse(text, ret_address))
		return err_set(err, EINVAL, "%s is an IPv4 or IPv6 address", key);
	return 0;
}
