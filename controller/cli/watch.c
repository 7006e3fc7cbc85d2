// SPDX-License-Identifier: GPL-2.0-or-later
/* watch: commands that stay: monitor, history (it ends, but prints the same lines), shift start --wait. See local.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "controller/cli/client.h"
#include "controller/cli/local.h"
#include "controller/cli/print.h"
#include "controller/mono.h"

#define WATCH_SHIFT_POLL_NS 500000000L

/* What is for ebb itself is not the daemon's. */
static json_t *watch_request(json_t *params)
{
	json_t *request = json_copy(params), *value;
	const char *key;

	json_object_foreach(params, key, value)
	{
		if (key[0] == '_')
			json_object_del(request, key);
	}
	return request;
}

static void watch_event(struct cli *cli, const json_t *event)
{
	if (cli->json)
		cli_print_json(cli, event, true);
	else
		print_event(cli, event);
	fflush(cli->out);
}

int watch_monitor(struct cli *cli, const struct command *command, json_t *params)
{
	json_t *request = watch_request(params), *nothing = NULL;
	json_int_t left = json_integer_value(json_object_get(params, "_count"));
	bool counted = left > 0;
	struct err err = {{0}};
	int rc = cli_call(cli, command->method, request, &nothing);

	json_decref(request);
	json_decref(nothing);
	if (rc != CLI_DONE)
		return rc;
	while (!counted || left-- > 0) {
		json_t *event = NULL;

		if (client_next(cli->client, -1, &err, &event))
			return cli_fail(CLI_NO_DAEMON, "%s", err.text);
		watch_event(cli, event);
		json_decref(event);
		if (ferror(cli->out))
			return CLI_REFUSED;
	}
	return CLI_DONE;
}

int watch_history(struct cli *cli, const struct command *command, json_t *params)
{
	json_t *request = watch_request(params), *events = NULL, *event;
	int rc = cli_call(cli, command->method, request, &events);
	size_t i;

	json_decref(request);
	if (rc != CLI_DONE)
		return rc;
	json_array_foreach(events, i, event)
		watch_event(cli, event);
	if (json_array_size(events) == 0 && !cli->json)
		fprintf(cli->out, "nothing happened in that time\n");
	json_decref(events);
	return CLI_DONE;
}

/* -1: goes on; else the exit code that this state of a shift means for who waits. */
static int watch_shift_over(const json_t *shift)
{
	const char *phase = field_text(shift, "phase"), *outcome = field_text(shift, "outcome");

	if (strcmp(phase, "done") == 0)
		return CLI_DONE;
	if (strcmp(phase, "closed") != 0)
		return -1;
	return strcmp(outcome, "completed") == 0 || strcmp(outcome, "restored") == 0 ? CLI_DONE
										      : CLI_ENDED_BADLY;
}

static void watch_shift_progress(struct cli *cli, const json_t *shift, char *last, size_t size)
{
	char now[160], share[UNITS_TEXT_MAX];

	snprintf(now, sizeof(now), "%s step %.0f %s%s", field_text(shift, "phase"),
		 field_number(shift, "step") + 1, field_units(shift, "share", units_percent, share),
		 json_array_size(json_object_get(shift, "holds")) ? " (held)" : "");
	if (cli->json || strcmp(now, last) == 0)
		return;
	snprintf(last, size, "%s", now);
	fprintf(cli->out, "%s\n", now);
	fflush(cli->out);
}

/* Asks again and again; `*shift` is replaced by the newest. */
static int watch_shift_wait(struct cli *cli, double wait_s, json_t **shift)
{
	const struct timespec pause = {.tv_nsec = WATCH_SHIFT_POLL_NS};
	json_t *who = json_pack("{ss}", "name", field_text(*shift, "name"));
	struct mono_ns start = mono_now();
	char last[160] = "";
	int over;

	while ((over = watch_shift_over(*shift)) < 0) {
		json_t *next = NULL;

		watch_shift_progress(cli, *shift, last, sizeof(last));
		if (wait_s > 0 && mono_seconds_between(start, mono_now()) > wait_s) {
			over = cli_fail(CLI_TIMED_OUT, "the shift is still under way; it goes on");
			break;
		}
		nanosleep(&pause, NULL);
		over = cli_call(cli, "shift.show", who, &next);
		if (over != CLI_DONE)
			break;
		json_decref(*shift);
		*shift = next;
	}
	json_decref(who);
	return over;
}

int watch_shift_start(struct cli *cli, const struct command *command, json_t *params)
{
	json_t *request = watch_request(params), *shift = NULL;
	double wait_s = json_number_value(json_object_get(params, "_wait_time"));
	int rc = cli_call(cli, command->method, request, &shift);

	json_decref(request);
	if (rc != CLI_DONE)
		return rc;
	if (json_object_get(params, "_wait"))
		rc = watch_shift_wait(cli, wait_s, &shift);
	if (cli->json)
		cli_print_json(cli, shift, false);
	else
		command->print(cli, shift, params);
	json_decref(shift);
	return rc;
}
