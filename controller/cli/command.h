/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_CLI_COMMAND_H
#define EBB_CLI_COMMAND_H
/*
 * command: one row a command, and what turns the words that a person typed into the row and its parameters.
 *
 * Takes argv, gives a row of commands.c and a JSON object that already is the request's `params`: each argument names its
 * key there. Keys that begin with '_' are for `ebb` itself and are not sent. Objects, verbs, options and choices may be
 * cut to a unique prefix; an exact match is never ambiguous. Pure: no I/O.
 */
#include <jansson.h>
#include <stdbool.h>

#include "controller/cli/cli.h"
#include "controller/err.h"

enum arg_kind {
	ARG_END,
	ARG_FLAG, /* an option without a value: true */
	ARG_TEXT,
	ARG_WORDS, /* a comma-separated list, may be given again: array of strings */
	ARG_MATCH, /* KEY=VALUE, may be given again: object */
	ARG_CHOICE, /* one of `choices` */
	ARG_INTEGER, /* 0 to 65535, or to 10 million for limits: see `choices` "MIN-MAX" */
	ARG_RATIO,
	ARG_DURATION, /* seconds */
	ARG_ENDPOINT, /* address and port, as text */
	ARG_ADDRESS,  /* address, as text */
	ARG_STEPS,
	ARG_KIND__COUNT,
};

#define ARG_REQUIRED 1

struct arg {
	const char *name; /* "NAME": by its place; "--pool": an option */
	const char *key;  /* in params */
	enum arg_kind kind;
	int flags;
	const char *choices; /* ARG_CHOICE: "ready|drain|maint"; ARG_INTEGER: "1-65535" */
	const char *help;
};

struct command {
	const char *object, *verb; /* verb NULL: the object is the whole command */
	const char *method;	   /* what the daemon is asked; NULL: `run` knows */
	const char *summary;
	const struct arg *args; /* ends with ARG_END; NULL: none */
	/* Last touch to `params`, such as what one argument means for another. May be NULL. */
	int (*finish)(json_t *params, struct err *err);
	/* Does it all and returns the exit code; NULL: ask `method`, print the result. */
	int (*run)(struct cli *cli, const struct command *command, json_t *params);
	/* For people. `params`: what was asked. May be NULL: then the document is printed. */
	void (*print)(struct cli *cli, const json_t *result, const json_t *params);
};

extern const struct command commands[]; /* ends with object NULL; commands of one object stand together */

/* What stands before, between and after the words of a command. */
struct command_line {
	const struct command *command; /* NULL with `help` or `version` */
	json_t *params;		       /* owned */
	bool help, version;
	const char *help_object, *help_verb; /* full words, or NULL */
};

/* Fills `cli` with the global options. -EINVAL with what was allowed in `err`. */
EBB_MUST_CHECK int command_parse(int argc, char **argv, struct cli *cli, struct err *err,
				 struct command_line *ret_line);
/* Index of the one word of `words` (ends with NULL) that `typed` is or begins; -EINVAL: `err` says what was allowed.
 * `what`: "verb of backend". */
EBB_MUST_CHECK int command_match(const char *typed, const char *const *words, const char *what,
				 struct err *err);
/* One value of this kind into `params`. */
EBB_MUST_CHECK int command_value(const struct arg *arg, const char *text, json_t *params,
				 struct err *err);

/* Help: all commands, an object's, or one command's. NULL, NULL: all. */
void command_help(FILE *to, const char *object, const char *verb, bool colour);

#endif
