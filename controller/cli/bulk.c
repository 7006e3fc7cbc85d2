// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bulk: `ebb sandbox bulk`: changes from standard input, one JSON object a line, sent in batches, so that a hundred thousand
 * changes a second cost a few hundred requests. Lines that are no object are counted as failed and named; the rest goes on.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controller/cli/local.h"
#include "controller/cli/print.h"

#define BULK_BATCH	 2000
#define BULK_BATCH_BYTES (512 * 1024) /* half of what a request may have */
#define BULK_ERRORS_SHOWN 20

struct bulk {
	json_t *changes;
	long long *lines; /* the line in the input of each change */
	size_t bytes;
	long long line, done, failed;
};

static void bulk_complain(struct bulk *bulk, long long line, const char *text)
{
	if (bulk->failed++ < BULK_ERRORS_SHOWN)
		cli_fail(CLI_REFUSED, "line %lld: %s", line, text);
}

static int bulk_send(struct cli *cli, struct bulk *bulk)
{
	json_t *request = json_pack("{sO}", "changes", bulk->changes), *result = NULL, *error;
	int rc = json_array_size(bulk->changes) ? cli_call(cli, "sandbox.bulk", request, &result) : 0;
	size_t i;

	json_decref(request);
	json_array_clear(bulk->changes);
	bulk->bytes = 0;
	if (rc != CLI_DONE || !result)
		return rc;
	bulk->done += json_integer_value(json_object_get(result, "done"));
	json_array_foreach(json_object_get(result, "errors"), i, error)
	{
		double index = field_number(error, "index");

		bulk_complain(bulk, index >= 0 && index < BULK_BATCH ? bulk->lines[(int)index] : 0,
			      field_text(error, "error"));
	}
	bulk->failed += json_integer_value(json_object_get(result, "failed")) -
			(json_int_t)json_array_size(json_object_get(result, "errors"));
	json_decref(result);
	return CLI_DONE;
}

static int bulk_line(struct cli *cli, struct bulk *bulk, char *text, size_t length)
{
	json_error_t where;
	json_t *change;

	bulk->line++;
	while (length && strchr(" \t\r\n", text[length - 1]))
		length--;
	if (!length)
		return CLI_DONE;
	change = json_loadb(text, length, JSON_REJECT_DUPLICATES, &where);
	if (!json_is_object(change) || length > BULK_BATCH_BYTES) {
		json_decref(change);
		bulk_complain(bulk, bulk->line, "is no JSON object such as "
						"{\"op\": \"add\", \"service\": ..., \"address\": ..., \"backend\": ...}");
		return CLI_DONE;
	}
	bulk->lines[json_array_size(bulk->changes)] = bulk->line;
	json_array_append_new(bulk->changes, change);
	bulk->bytes += length;
	if (json_array_size(bulk->changes) == BULK_BATCH || bulk->bytes > BULK_BATCH_BYTES - 4096)
		return bulk_send(cli, bulk);
	return CLI_DONE;
}

int bulk_sandboxes(struct cli *cli, const struct command *command, json_t *params)
{
	struct bulk bulk = {.changes = json_array(), .lines = calloc(BULK_BATCH, sizeof(long long))};
	char *text = NULL;
	size_t size = 0;
	ssize_t length;
	json_t *doc;
	int rc = bulk.lines ? CLI_DONE : cli_fail(CLI_REFUSED, "out of memory");

	while (rc == CLI_DONE && (length = getline(&text, &size, stdin)) > 0)
		rc = bulk_line(cli, &bulk, text, (size_t)length);
	if (rc == CLI_DONE)
		rc = bulk_send(cli, &bulk);
	doc = json_pack("{sIsI}", "done", (json_int_t)bulk.done, "failed", (json_int_t)bulk.failed);
	if (cli->json)
		cli_print_json(cli, doc, false);
	else
		fprintf(cli->out, "%lld done, %lld failed\n", bulk.done, bulk.failed);
	json_decref(doc);
	json_decref(bulk.changes);
	free(bulk.lines);
	free(text);
	return rc == CLI_DONE && bulk.failed ? CLI_REFUSED : rc;
}
