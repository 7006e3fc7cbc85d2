// SPDX-License-Identifier: GPL-2.0-or-later
/* command_value: one typed word to a value of a request's params. See command.h. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/cli/command.h"
#include "controller/cli/units.h"

#define COMMAND_CHOICES_MAX 24
#define COMMAND_TEXT_MAX    1024 /* bytes of one word */

static int value_choice(const struct arg *arg, const char *text, struct err *err, json_t **ret_value)
{
	const char *words[COMMAND_CHOICES_MAX + 1];
	char *copy = strdup(arg->choices), *rest = copy;
	int n = 0, i;

	if (!copy)
		return err_set(err, ENOMEM, "out of memory");
	while (n < COMMAND_CHOICES_MAX && (words[n] = strsep(&rest, "|")))
		n++;
	words[n] = NULL;
	i = command_match(text, words, "value", err);
	if (i >= 0)
		*ret_value = json_string(words[i]);
	free(copy);
	return i < 0 ? i : 0;
}

static int value_words(const struct arg *arg, const char *text, json_t *params, struct err *err,
		       json_t **ret_value)
{
	json_t *before = json_object_get(params, arg->key);
	json_t *words = before ? json_incref(before) : json_array();
	char *copy = strdup(text), *rest = copy, *word;

	if (!copy)
		return err_set(err, ENOMEM, "out of memory");
	while ((word = strsep(&rest, ","))) {
		if (*word)
			json_array_append_new(words, json_string(word));
	}
	free(copy);
	*ret_value = words;
	return 0;
}

static int value_match(const struct arg *arg, const char *text, json_t *params, struct err *err,
		       json_t **ret_value)
{
	json_t *before = json_object_get(params, arg->key);
	const char *equals = strchr(text, '=');
	char key[64];

	if (!equals || equals == text || equals - text >= (ptrdiff_t)sizeof(key))
		return err_set(err, EINVAL, "\"%.40s\" is no KEY=VALUE, such as backend=fra-1", text);
	snprintf(key, sizeof(key), "%.*s", (int)(equals - text), text);
	*ret_value = before ? json_incref(before) : json_object();
	json_object_set_new(*ret_value, key, json_string(equals + 1));
	return 0;
}

static int value_integer(const struct arg *arg, const char *text, struct err *err, json_t **ret_value)
{
	long long least = 0, most = 0;
	int64_t number = 0;
	int rc;

	if (sscanf(arg->choices, "%lld-%lld", &least, &most) != 2)
		return -EINVAL;
	rc = units_parse_integer(text, least, most, err, &number);
	if (rc == 0)
		*ret_value = json_integer(number);
	return rc;
}

static int value_text(const char *text, json_t **ret_value, struct err *err)
{
	*ret_value = json_string(text);
	return *ret_value ? 0 : err_set(err, EINVAL, "that is not valid UTF-8");
}

static int value_make(const struct arg *arg, const char *text, json_t *params, struct err *err,
		      json_t **ret_value)
{
	double number = 0;
	int rc = 0;

	switch (arg->kind) {
	case ARG_FLAG:
		*ret_value = json_true();
		return 0;
	case ARG_TEXT:
		return value_text(text, ret_value, err);
	case ARG_WORDS:
		return value_words(arg, text, params, err, ret_value);
	case ARG_MATCH:
		return value_match(arg, text, params, err, ret_value);
	case ARG_CHOICE:
		return value_choice(arg, text, err, ret_value);
	case ARG_INTEGER:
		return value_integer(arg, text, err, ret_value);
	case ARG_RATIO:
		rc = units_parse_ratio(text, err, &number);
		break;
	case ARG_DURATION:
		rc = units_parse_duration(text, err, &number);
		break;
	case ARG_ENDPOINT:
	case ARG_ADDRESS:
		rc = units_check_endpoint(text, arg->kind == ARG_ENDPOINT, err);
		return rc ? rc : value_text(text, ret_value, err);
	case ARG_STEPS:
		return units_parse_steps(text, err, ret_value);
	case ARG_END:
	case ARG_KIND__COUNT:
		assert(!"no kind of argument");
	}
	if (rc == 0)
		*ret_value = json_real(number);
	return rc;
}

int command_value(const struct arg *arg, const char *text, json_t *params, struct err *err)
{
	bool again = arg->kind == ARG_WORDS || arg->kind == ARG_MATCH || arg->kind == ARG_FLAG;
	json_t *value = NULL;
	int rc;

	if (!again && json_object_get(params, arg->key))
		return err_set(err, EINVAL, "%s is given twice", arg->name);
	if (strlen(text) > COMMAND_TEXT_MAX)
		return err_set(err, EINVAL, "%s: at most %d bytes", arg->name, COMMAND_TEXT_MAX);
	if (!text[0] && arg->kind != ARG_FLAG)
		return err_set(err, EINVAL, "%s: an empty word says nothing", arg->name);
	rc = value_make(arg, text, params, err, &value);
	if (rc == 0)
		json_object_set_new(params, arg->key, value);
	else
		err_prefix(err, -rc, "%s: ", arg->name);
	return rc;
}
