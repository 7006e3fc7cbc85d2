// SPDX-License-Identifier: GPL-2.0-or-later
/* command: see command.h. Values are in command_value.c, help in command_help.c. */
#include "controller/cli/command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controller/cli/units.h"

#define COMMAND_WORDS_MAX  32 /* that one choice is made from */
#define COMMAND_NAME_WORDS 3  /* `help backend set` */

/* Appends "a, b, c" of the words that begin with `typed`. */
static void command_list(const char *const *words, const char *typed, char *to, size_t size)
{
	size_t used = 0;

	to[0] = 0;
	for (; *words; words++) {
		int n;

		if (strncmp(*words, typed, strlen(typed)) != 0 || used + 1 >= size)
			continue;
		n = snprintf(to + used, size - used, "%s%s", used ? ", " : "", *words);
		used += n > 0 ? (size_t)n : 0;
	}
}

int command_match(const char *typed, const char *const *words, const char *what, struct err *err)
{
	size_t length = strlen(typed);
	char allowed[400];
	int found = -1, count = 0;

	for (int i = 0; words[i]; i++) {
		if (strcmp(typed, words[i]) == 0)
			return i;
		if (length && strncmp(typed, words[i], length) == 0) {
			found = i;
			count++;
		}
	}
	if (count == 1)
		return found;
	command_list(words, count ? typed : "", allowed, sizeof(allowed));
	return count ? err_set(err, EINVAL, "\"%.40s\" could be any %s of: %s", typed, what, allowed)
		     : err_set(err, EINVAL, "\"%.40s\" is no %s; there is: %s", typed, what, allowed);
}

/* The distinct objects of the table, in its order. */
static void command_objects(const char **words)
{
	int n = 0;

	for (const struct command *c = commands; c->object; c++) {
		if (n == 0 || strcmp(words[n - 1], c->object) != 0)
			words[n++] = c->object;
	}
	words[n] = NULL;
}

static const struct command *command_first(const char *object)
{
	const struct command *c = commands;

	while (strcmp(c->object, object) != 0)
		c++;
	return c;
}

/* The row of these words. `*ret_words`: how many of them named it. No verb means `show`, where that exists. */
static int command_find(char **words, int count, struct err *err, const struct command **ret_command,
			int *ret_words)
{
	const char *names[COMMAND_WORDS_MAX + 1];
	const struct command *first, *c;
	char what[64];
	int i;

	command_objects(names);
	i = command_match(words[0], names, "command", err);
	if (i < 0)
		return i;
	first = command_first(names[i]);
	*ret_words = 1;
	*ret_command = first;
	/* `explain` alone is a command, and so is `explain backend`: a verb is taken only if it is one. */
	for (c = first, i = 0; c->object && strcmp(c->object, first->object) == 0; c++) {
		if (c->verb)
			names[i++] = c->verb;
	}
	names[i] = NULL;
	if (!i || (!first->verb && (count == 1 || command_match(words[1], names, "", NULL) < 0)))
		return 0;
	snprintf(what, sizeof(what), "verb of %s", first->object);
	i = command_match(count > 1 ? words[1] : "show", names, what, err);
	if (i < 0)
		return i;
	*ret_words = count > 1 ? 2 : 1;
	*ret_command = first + i + !first->verb;
	return 0;
}

/* --- options */

static const struct arg global_args[] = {
	{"--json", "_json", ARG_FLAG, 0, NULL, "print one JSON document"},
	{"--socket", "_socket", ARG_TEXT, 0, NULL, "the daemon's socket"},
	{"--timeout", "_timeout", ARG_DURATION, 0, NULL, "how long to wait for an answer"},
	{"--color", "_color", ARG_CHOICE, 0, "auto|always|never", "colours"},
	{"--help", "_help", ARG_FLAG, 0, NULL, "help"},
	{"--version", "_version", ARG_FLAG, 0, NULL, "version"},
	{NULL},
};

static const struct arg *command_short(char letter)
{
	static const char letters[] = "jst?h?"; /* in the order of global_args; '?' has none */
	const char *at = letter && letter != '?' ? strchr(letters, letter) : NULL;

	return !at ? NULL : letter == 'h' ? &global_args[4] : &global_args[at - letters];
}

/* An option by its name, cut or whole, among the command's and the global ones. */
static int command_option(const char *name, size_t length, const struct command *command,
			  struct err *err, const struct arg **ret_arg)
{
	const char *names[COMMAND_WORDS_MAX + 1];
	const struct arg *args[COMMAND_WORDS_MAX];
	char typed[40], what[64] = "option";
	int n = 0, i;

	for (const struct arg *a = command && command->args ? command->args : global_args + 6; a->name; a++) {
		if (a->name[0] == '-') {
			args[n] = a;
			names[n++] = a->name;
		}
	}
	for (const struct arg *a = global_args; a->name; a++) {
		args[n] = a;
		names[n++] = a->name;
	}
	names[n] = NULL;
	snprintf(typed, sizeof(typed), "%.*s", (int)length, name);
	if (command)
		snprintf(what, sizeof(what), "option of %s%s%s", command->object,
			 command->verb ? " " : "", command->verb ? command->verb : "");
	i = command_match(typed, names, what, err);
	if (i >= 0)
		*ret_arg = args[i];
	return i < 0 ? i : 0;
}

/* Takes argv[*at] and, where it wants one, its value. Short options may stand together: -j -sPATH. */
static int command_take_option(char **argv, int argc, int *at, const struct command *command,
			       json_t *params, struct err *err)
{
	const char *word = argv[*at], *equals = strchr(word, '='), *value = NULL;
	const struct arg *arg = NULL;

	if (word[1] != '-') {
		arg = command_short(word[1]);
		if (!arg)
			return err_set(err, EINVAL, "there is no option \"%.20s\"; there is -j, -s SOCKET, "
						    "-t TIME and -h", word);
		value = word[2] ? word + 2 : NULL;
		if (value && arg->kind == ARG_FLAG)
			return err_set(err, EINVAL, "\"%.20s\": write -%c alone", word, word[1]);
	} else {
		int rc = command_option(word, equals ? (size_t)(equals - word) : strlen(word), command,
					err, &arg);

		if (rc)
			return rc;
		value = equals ? equals + 1 : NULL;
		if (value && arg->kind == ARG_FLAG)
			return err_set(err, EINVAL, "%s takes no value", arg->name);
	}
	if (arg->kind == ARG_FLAG)
		value = "";
	else if (!value && *at + 1 < argc)
		value = argv[++*at];
	if (!value)
		return err_set(err, EINVAL, "%s needs a value: %s", arg->name, arg->help);
	return command_value(arg, value, params, err);
}

static bool command_is_option(const char *word)
{
	return word[0] == '-' && word[1];
}

/* The first words, so that the command and with it its options are known wherever they stand. */
static int command_words(int argc, char **argv, char **ret_words, struct err *err)
{
	int count = 0;

	for (int i = 1; i < argc; i++) {
		const struct arg *arg = NULL;

		if (strcmp(argv[i], "--") == 0)
			break;
		if (!command_is_option(argv[i])) {
			if (count < COMMAND_NAME_WORDS)
				ret_words[count++] = argv[i];
		} else if (argv[i][1] != '-') {
			arg = command_short(argv[i][1]);
			i += arg && arg->kind != ARG_FLAG && !argv[i][2];
		} else if (count == 0 && !strchr(argv[i], '=')) {
			int rc = command_option(argv[i], strlen(argv[i]), NULL, err, &arg);

			if (rc)
				return rc;
			i += arg->kind != ARG_FLAG;
		} else if (count == 1) {
			/* A verb does not come after an option, but for the global ones. */
			if (command_option(argv[i], strcspn(argv[i], "="), NULL, NULL, &arg) != 0)
				break;
			i += arg->kind != ARG_FLAG && !strchr(argv[i], '=');
		}
	}
	return count;
}

/* The argument that stands at this place. */
static const struct arg *command_positional(const struct command *command, int place)
{
	for (const struct arg *a = command->args; a && a->name; a++) {
		if (a->name[0] != '-' && place-- == 0)
			return a;
	}
	return NULL;
}

static int command_arguments(int argc, char **argv, const struct command *command, int name_words,
			     json_t *params, struct err *err)
{
	bool options = true;
	int place = -name_words;

	for (int i = 1; i < argc; i++) {
		const struct arg *arg;
		int rc;

		if (options && strcmp(argv[i], "--") == 0) {
			options = false;
			continue;
		}
		if (options && command_is_option(argv[i])) {
			rc = command_take_option(argv, argc, &i, command, params, err);
		} else if (place++ < 0) {
			continue;
		} else {
			arg = command_positional(command, place - 1);
			rc = arg ? command_value(arg, argv[i], params, err)
				 : err_set(err, EINVAL, "\"%.40s\" is one word too many", argv[i]);
		}
		if (rc)
			return rc;
	}
	return 0;
}

static int command_complete(const struct command *command, json_t *params, struct err *err)
{
	for (const struct arg *a = command->args; a && a->name; a++) {
		if ((a->flags & ARG_REQUIRED) && !json_object_get(params, a->key))
			return err_set(err, EINVAL, "%s is missing%s%s: %s", a->name,
				       a->choices ? ", one of " : "", a->choices ? a->choices : "",
				       a->help);
	}
	return command->finish ? command->finish(params, err) : 0;
}

static void command_globals(json_t *params, struct cli *cli, struct command_line *line)
{
	const char *colour = json_string_value(json_object_get(params, "_color"));
	json_t *timeout = json_object_get(params, "_timeout");

	cli->json = cli->json || json_object_get(params, "_json");
	if (json_object_get(params, "_socket"))
		cli->socket_path = json_string_value(json_object_get(params, "_socket"));
	if (timeout)
		cli->timeout_s = json_number_value(timeout);
	if (colour && strcmp(colour, "auto") != 0)
		cli->colour = strcmp(colour, "always") == 0;
	line->version = json_object_get(params, "_version");
}

/* `ebb help [OBJECT [VERB]]`, and --help anywhere: the words are matched as they would be in a command. */
static int command_help_words(char **words, int count, struct command_line *line, struct err *err)
{
	const struct command *command = NULL;
	int used = 0, rc;

	line->help = true;
	if (count && strcmp(words[0], "help") == 0) {
		words++;
		count--;
	}
	if (!count)
		return 0;
	rc = command_find(words, count, err, &command, &used);
	if (rc && (!command || count > 1)) /* an object alone needs no verb here */
		return rc;
	line->help_object = command->object;
	line->help_verb = rc == 0 && used > 1 ? command->verb : NULL;
	return 0;
}

static bool command_wants_help(int argc, char **argv, char **words, int count)
{
	bool wants = count && strcmp(words[0], "help") == 0;

	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		wants = wants || strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "--help") == 0;
	return wants;
}

static int command_parse_words(int argc, char **argv, char **words, int count, struct cli *cli,
			       struct err *err, struct command_line *line)
{
	static const struct command none = {.object = "ebb"};
	int used = 0, rc = 0;

	if (command_wants_help(argc, argv, words, count))
		return command_help_words(words, count, line, err);
	if (count)
		rc = command_find(words, count, err, &line->command, &used);
	if (rc == 0)
		rc = command_arguments(argc, argv, count ? line->command : &none, used, line->params, err);
	command_globals(line->params, cli, line);
	if (rc || line->version)
		return rc;
	return count ? command_complete(line->command, line->params, err)
		     : err_set(err, EINVAL, "what shall be done? `ebb help` lists the commands");
}

int command_parse(int argc, char **argv, struct cli *cli, struct err *err,
		  struct command_line *ret_line)
{
	struct command_line line = {.params = json_object()};
	char *words[COMMAND_NAME_WORDS];
	int count = command_words(argc, argv, words, err);
	int rc = count < 0 ? count : command_parse_words(argc, argv, words, count, cli, err, &line);

	if (rc)
		json_decref(line.params);
	else
		*ret_line = line;
	return rc;
}
