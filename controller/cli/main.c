// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ebb: the operator's command. Reads argv, finds the command (command.c), asks the daemon (client.c), prints (print_*.c).
 * Exit codes are enum cli_exit's.
 */
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "controller/cli/client.h"
#include "controller/cli/command.h"
#include "controller/cli/table.h"

#define CLI_SOCKET_DEFAULT "/run/ebb/ebbd.sock"
#define CLI_BPFFS_DEFAULT  "/sys/fs/bpf/ebb"
#define CLI_TIMEOUT_S	   10
#define CLI_COLUMNS	   100 /* where no terminal says otherwise */

int cli_fail(enum cli_exit code, const char *fmt, ...)
{
	char *text, *safe;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		abort();
	va_end(ap);
	safe = text_safe(text);
	fflush(stdout);
	fprintf(stderr, "ebb: %s\n", safe);
	free(text);
	free(safe);
	return code;
}

void cli_print_json(struct cli *cli, const json_t *doc, bool one_line)
{
	json_dumpf(doc, cli->out,
		   JSON_ENCODE_ANY | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(15) |
			   (one_line ? JSON_COMPACT : JSON_INDENT(2)));
	fputc('\n', cli->out);
}

static enum cli_exit cli_exit_of(int rc)
{
	switch (-rc) {
	case EINVAL:
		return CLI_USAGE;
	case ENOENT: /* of a call: no such thing. Of a connection: see cli_call() */
	case EPERM:
	case EIO:
	case EPROTO:
		return CLI_REFUSED;
	case ECONNRESET:
		return CLI_NO_DAEMON;
	case ETIMEDOUT:
		return CLI_TIMED_OUT;
	default:
		return CLI_REFUSED;
	}
}

int cli_call(struct cli *cli, const char *method, const json_t *params, json_t **ret_result)
{
	struct err err = {{0}};
	int rc = 0;

	if (!cli->client) {
		rc = client_open(cli->socket_path, &err, &cli->client);
		if (rc)
			return cli_fail(rc == -ENOENT || rc == -ECONNREFUSED ? CLI_NO_DAEMON : CLI_REFUSED,
					"%s", err.text);
	}
	rc = client_call(cli->client, method, params, cli->timeout_s, &err, ret_result);
	return rc ? cli_fail(cli_exit_of(rc), "%s", err.text) : CLI_DONE;
}

/* The common case: ask, print. */
static int cli_ask(struct cli *cli, const struct command *command, const json_t *params)
{
	json_t *result = NULL;
	int rc = cli_call(cli, command->method, params, &result);

	if (rc != CLI_DONE)
		return rc;
	if (cli->json || !command->print)
		cli_print_json(cli, result, false);
	else
		command->print(cli, result, params);
	/* A file that is not good is an answer, and no success. */
	if (json_is_false(json_object_get(result, "ok")))
		rc = CLI_REFUSED;
	json_decref(result);
	return rc;
}

/* What is for ebb itself is not the daemon's. */
static json_t *cli_request(json_t *params)
{
	json_t *request = json_object(), *value;
	const char *key;

	json_object_foreach(params, key, value)
	{
		if (key[0] != '_')
			json_object_set(request, key, value);
	}
	return request;
}

static int cli_run(struct cli *cli, const struct command_line *line)
{
	json_t *request;
	int rc;

	if (line->version) {
		printf("ebb %s\n", EBB_VERSION);
		return CLI_DONE;
	}
	if (line->help) {
		command_help(stdout, line->help_object, line->help_verb, cli->colour);
		return CLI_DONE;
	}
	if (line->command->run)
		return line->command->run(cli, line->command, line->params);
	request = cli_request(line->params);
	rc = cli_ask(cli, line->command, request);
	json_decref(request);
	return rc;
}

static void cli_terminal(struct cli *cli)
{
	const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");
	bool tty = isatty(STDOUT_FILENO);
	struct winsize size = {0};

	cli->out = stdout;
	cli->utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	cli->colour = tty && !(no_colour && no_colour[0]) && !(term && strcmp(term, "dumb") == 0);
	cli->columns = CLI_COLUMNS;
	if (tty && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col) {
		cli->columns = size.ws_col;
		cli->lines = size.ws_row;
	}
}

int main(int argc, char **argv)
{
	const char *socket_path = getenv("EBB_SOCKET"), *bpffs = getenv("EBB_BPFFS");
	struct cli cli = {
		.socket_path = socket_path && socket_path[0] ? socket_path : CLI_SOCKET_DEFAULT,
		.bpffs_dir = bpffs && bpffs[0] ? bpffs : CLI_BPFFS_DEFAULT,
		.bpffs_given = bpffs && bpffs[0],
		.timeout_s = CLI_TIMEOUT_S,
	};
	struct command_line line = {0};
	struct err err = {{0}};
	int rc;

	setlocale(LC_CTYPE, "");
	cli_terminal(&cli);
	if (command_parse(argc, argv, &cli, &err, &line))
		return cli_fail(CLI_USAGE, "%s", err.text);
	rc = cli_run(&cli, &line);
	json_decref(line.params);
	client_close(cli.client);
	if (fflush(stdout) != 0 || ferror(stdout))
		return rc ? rc : cli_fail(CLI_REFUSED, "cannot write: %s", strerror(errno));
	return rc;
}
