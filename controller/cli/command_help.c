// SPDX-License-Identifier: GPL-2.0-or-later
/* command_help: what `ebb help` prints, made from the table of commands. See command.h. */
#include <stdlib.h>
#include <string.h>

#include "controller/cli/command.h"
#include "controller/cli/table.h"

static const char help_head[] =
	"usage: ebb [-j|--json] [-s SOCKET] OBJECT VERB ...\n"
	"Objects, verbs and options may be cut to a unique prefix: `ebb b sh` is `ebb backend show`.\n";
static const char help_tail[] =
	"\n-j, --json        print one JSON document (monitor, history: one a line)\n"
	"-s, --socket PATH the daemon's socket; default $EBB_SOCKET or /run/ebb/ebbd.sock\n"
	"-t, --timeout T   how long to wait for an answer; default 10s\n"
	"    --color WHEN  auto, always or never\n"
	"Exit: 0 done, 1 refused or no such thing, 2 usage, 3 no daemon, 4 timed out, 5 ended badly.\n"
	"`ebb help OBJECT [VERB]` says more. ebb(8) has examples.\n";

/* "backend set NAME PROPERTY VALUE": what is typed. Owned by the caller. */
static char *help_syntax(const struct command *command)
{
	char *text = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&text, &size);

	if (!to)
		abort();
	fprintf(to, "%s%s%s", command->object, command->verb ? " " : "",
		command->verb ? command->verb : "");
	for (const struct arg *a = command->args; a && a->name; a++) {
		bool needed = a->flags & ARG_REQUIRED, option = a->name[0] == '-';

		if (!option)
			fprintf(to, needed ? " %s" : " [%s]", a->name);
		else if (needed)
			fprintf(to, " %s ...", a->name);
	}
	fclose(to);
	return text;
}

static void help_one(FILE *to, const struct command *command, bool colour)
{
	char *syntax = help_syntax(command);
	struct table *table;

	fprintf(to, "%sebb %s%s\n    %s.\n", tone_on(TONE_TITLE, colour), syntax, tone_off(colour),
		command->summary);
	free(syntax);
	if (!command->args)
		return;
	table = table_new("|||");
	for (const struct arg *a = command->args; a->name; a++) {
		table_row(table);
		table_cell(table, TONE_PLAIN, "   ");
		table_cell(table, TONE_PLAIN, "%s", a->name);
		table_cell(table, TONE_PLAIN, "%s%s%s%s", a->help,
			   a->kind == ARG_CHOICE || a->kind == ARG_INTEGER ? ": " : "",
			   a->kind == ARG_CHOICE || a->kind == ARG_INTEGER ? a->choices : "",
			   a->flags & ARG_REQUIRED && a->name[0] == '-' ? " (needed)" : "");
	}
	table_print_rows(table, to, colour);
}

static void help_all(FILE *to, bool colour)
{
	struct table *table = table_new("|");

	fputs(help_head, to);
	for (const struct command *c = commands; c->object; c++) {
		char *syntax = help_syntax(c);

		table_row(table);
		table_cell(table, TONE_PLAIN, "  %s", syntax);
		table_cell(table, TONE_FAINT, "%s", c->summary);
		free(syntax);
	}
	fputc('\n', to);
	table_print_rows(table, to, colour);
	fputs(help_tail, to);
}

void command_help(FILE *to, const char *object, const char *verb, bool colour)
{
	if (!object) {
		help_all(to, colour);
		return;
	}
	for (const struct command *c = commands; c->object; c++) {
		if (strcmp(c->object, object) == 0 && (!verb || (c->verb && strcmp(c->verb, verb) == 0)))
			help_one(to, c, colour);
	}
}
