/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_CLI_CLI_H
#define EBB_CLI_CLI_H
/*
 * cli: what every command of `ebb` is given: where the daemon is, how to print, and how to ask.
 *
 * main.c reads the words, command.c finds the command in the table (commands.c) and makes its parameters, client.c asks
 * the daemon, print_*.c show the answer. Commands that need no daemon (node, detach without one) are in local.c.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "controller/err.h"

enum cli_exit {
	CLI_DONE,
	CLI_REFUSED,	/* or no such thing, or the daemon's own fault */
	CLI_USAGE,
	CLI_NO_DAEMON,
	CLI_TIMED_OUT,
	CLI_ENDED_BADLY, /* what was waited for came to a bad end */
};

struct client; /* client.h */

struct cli {
	const char *socket_path;
	const char *bpffs_dir;
	bool bpffs_given;  /* by option or environment */
	bool json;	   /* print documents, not tables */
	bool colour, utf8; /* of `out` */
	int columns, lines; /* of the terminal; 100 and 0 if there is none */
	double timeout_s;  /* for a reply */
	FILE *out;
	struct client *client;
};

/* Asks and waits. On failure it has printed the reason on stderr, and returns the exit code. */
EBB_MUST_CHECK int cli_call(struct cli *cli, const char *method, const json_t *params,
			    json_t **ret_result);
/* Prints "ebb: ..." on stderr and returns `code`. */
int cli_fail(enum cli_exit code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Prints `doc` as one document with a newline. */
void cli_print_json(struct cli *cli, const json_t *doc, bool one_line);

#endif
