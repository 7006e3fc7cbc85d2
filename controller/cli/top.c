// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * top: a picture of one edge that refreshes itself, with ANSI sequences alone. A daemon that goes away and comes back (an
 * upgrade) does not end it. With many backends only the groups are asked for, so that watching costs the daemon little.
 */
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "controller/cli/client.h"
#include "controller/cli/local.h"
#include "controller/cli/print.h"
#include "controller/mono.h"

#define TOP_BACKENDS_MAX 500
#define TOP_INTERVAL_S	 1.0

static volatile sig_atomic_t top_ended;

struct top {
	struct cli *cli;
	bool screen; /* a terminal, redrawn */
	struct termios before;
	bool keys; /* `before` is to be put back */
	struct mono_ns at;
	double forwarded, dropped; /* of the picture before */
};

static void top_signal(int signal)
{
	top_ended = 1;
}

static double top_sum(const json_t *verdicts, const char *kind)
{
	double sum = 0;
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)verdicts, name, value)
	{
		if (strncmp(name, kind, strlen(kind)) == 0)
			sum += json_number_value(json_object_get(value, "packets"));
	}
	return sum;
}

/* Packets a second since the last picture; nothing is shown in the first. */
static void top_rates(struct top *top, const json_t *status, FILE *to)
{
	const json_t *verdicts = json_object_get(status, "verdicts");
	double forwarded = top_sum(verdicts, "forward"), dropped = top_sum(verdicts, "drop");
	struct mono_ns now = mono_now();
	double s = mono_seconds_between(top->at, now);
	char a[UNITS_TEXT_MAX], b[UNITS_TEXT_MAX];

	if (top->at.v && s > 0 && forwarded >= top->forwarded)
		fprintf(to, ", %s forwarded/s, %s dropped/s", units_count((forwarded - top->forwarded) / s, a),
			units_count((dropped - top->dropped) / s, b));
	top->at = now;
	top->forwarded = forwarded;
	top->dropped = dropped;
}

static int top_compare(const void *a, const void *b)
{
	const json_t *x = *(const json_t *const *)a, *y = *(const json_t *const *)b;
	double p = field_number(x, "health"), q = field_number(y, "health");

	if (p != q && !isnan(p) && !isnan(q))
		return p < q ? -1 : 1;
	return strcmp(field_text(x, "name"), field_text(y, "name"));
}

/* The sickest first. */
static void top_backends(struct cli *cli, const json_t *backends)
{
	size_t n = json_array_size(backends);
	const json_t **sorted = calloc(n ? n : 1, sizeof(json_t *));
	struct table *table = table_new("BACKEND|REGION|STATE|>HEALTH||>SHARE||?LIMITED BY");
	char bar[64], share_bar[64], text[UNITS_TEXT_MAX], place[PRINT_PLACE_MAX];

	for (size_t i = 0; sorted && i < n; i++)
		sorted[i] = json_array_get(backends, i);
	if (sorted)
		qsort(sorted, n, sizeof(json_t *), top_compare);
	for (size_t i = 0; sorted && i < n; i++) {
		double health = field_number(sorted[i], "health");
		const char *state = field_text(sorted[i], "state");

		table_row(table);
		table_cell(table, TONE_TITLE, "%s", field_text(sorted[i], "name"));
		table_cell(table, TONE_PLAIN, "%s", print_place(sorted[i], place));
		table_cell(table, print_state_tone(state), "%s", state);
		table_cell(table, print_health_tone(health), "%s",
			   field_units(sorted[i], "health", units_percent, text));
		table_cell(table, print_health_tone(health), "%s", units_bar(health, 10, cli->utf8, bar));
		table_cell(table, TONE_PLAIN, "%s", field_units(sorted[i], "share", units_percent, text));
		table_cell(table, TONE_BAR, "%s",
			   units_bar(field_number(sorted[i], "share"), 15, cli->utf8, share_bar));
		table_cell(table, TONE_WARN, "%s", print_limit(sorted[i]));
	}
	free(sorted);
	table_print(table, cli->out, cli->colour);
}

static void top_draw(struct top *top, const json_t *status, const json_t *backends)
{
	struct cli *cli = top->cli;
	const json_t *problems = json_object_get(status, "problems"), *problem;
	char uptime[UNITS_TEXT_MAX], *safe = text_safe(field_text(status, "edge"));
	size_t i;

	fprintf(cli->out, "%s%s%s, up %s%s", tone_on(TONE_TITLE, cli->colour), safe, tone_off(cli->colour),
		field_units(status, "uptime_s", units_duration, uptime),
		field_true(status, "frozen") ? ", FROZEN" : "");
	free(safe);
	top_rates(top, status, cli->out);
	fputs(top->screen ? "   (q ends)\n" : "\n", cli->out);
	json_array_foreach((json_t *)problems, i, problem)
	{
		safe = text_safe(json_string_value(problem));
		fprintf(cli->out, "%s! %s%s\n", tone_on(TONE_BAD, cli->colour), safe, tone_off(cli->colour));
		free(safe);
	}
	fputc('\n', cli->out);
	print_groups(cli, json_object_get(status, "pools"));
	fputc('\n', cli->out);
	if (backends)
		top_backends(cli, backends);
}

/* One picture as text. 0, or why there is none in `err`. */
static int top_picture(struct top *top, struct err *err)
{
	struct cli *cli = top->cli;
	json_t *status = NULL, *backends = NULL;
	int rc = cli->client ? 0 : client_open(cli->socket_path, err, &cli->client);

	if (rc == 0)
		rc = client_call(cli->client, "status", NULL, cli->timeout_s, err, &status);
	if (rc == 0 && field_number(json_object_get(status, "counts"), "backends") <= TOP_BACKENDS_MAX)
		rc = client_call(cli->client, "backend.show", NULL, cli->timeout_s, err, &backends);
	if (rc == 0) {
		top_draw(top, status, backends);
	} else {
		client_close(cli->client);
		cli->client = NULL;
	}
	json_decref(status);
	json_decref(backends);
	return rc;
}

/* Puts a picture on the screen: line by line over the old one, so that nothing flickers; what is too long is cut. */
static void top_show(struct top *top, const char *picture)
{
	struct winsize size = {0};
	int lines = 24, n = 0;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row) {
		lines = size.ws_row;
		top->cli->columns = size.ws_col;
	}
	fputs("\033[H", stdout);
	for (const char *p = picture, *end; *p && n < lines - 1; p = end + 1, n++) {
		end = strchr(p, '\n');
		if (!end)
			break;
		fprintf(stdout, "%.*s\033[0m\033[K\r\n", (int)(end - p), p);
	}
	fputs("\033[J", stdout);
	fflush(stdout);
}

static void top_open(struct top *top)
{
	struct sigaction ends = {.sa_handler = top_signal};
	struct termios raw;

	sigaction(SIGINT, &ends, NULL);
	sigaction(SIGTERM, &ends, NULL);
	sigaction(SIGHUP, &ends, NULL);
	if (tcgetattr(STDIN_FILENO, &top->before) == 0) {
		raw = top->before;
		raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		top->keys = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
	}
	fputs("\033[?1049h\033[?25l\033[?7l", stdout); /* other screen, no cursor, no wrap */
}

static void top_close(struct top *top)
{
	fputs("\033[?7h\033[?25h\033[?1049l", stdout);
	fflush(stdout);
	if (top->keys)
		tcsetattr(STDIN_FILENO, TCSANOW, &top->before);
}

/* Waits for the next picture; true if a person wants to end. */
static bool top_pause(struct top *top, double seconds)
{
	struct pollfd key = {.fd = top->keys ? STDIN_FILENO : -1, .events = POLLIN};
	char letter = 0;

	if (poll(&key, 1, (int)(seconds * 1000)) > 0 && read(STDIN_FILENO, &letter, 1) != 1)
		return true;
	return letter == 'q' || letter == 3 || letter == 4;
}

static int top_turn(struct top *top)
{
	char *picture = NULL;
	size_t length = 0;
	struct err err = {{0}};
	FILE *to = open_memstream(&picture, &length);
	int rc;

	if (!to)
		return -ENOMEM;
	top->cli->out = to;
	rc = top_picture(top, &err);
	if (rc && top->screen)
		fprintf(to, "%s\n", err.text);
	fclose(to);
	top->cli->out = stdout;
	if (top->screen)
		top_show(top, picture);
	else
		fputs(picture, stdout);
	free(picture);
	if (rc && !top->screen)
		cli_fail(CLI_REFUSED, "%s", err.text);
	return rc;
}

int watch_top(struct cli *cli, const struct command *command, json_t *params)
{
	double interval_s = json_number_value(json_object_get(params, "_interval"));
	struct top top = {.cli = cli, .screen = isatty(STDOUT_FILENO) && !json_object_get(params, "_once")};
	int rc;

	if (cli->json)
		return cli_fail(CLI_USAGE, "top is for eyes; `ebb -j status` has its numbers");
	if (!top.screen) {
		rc = top_turn(&top);
		return !rc ? CLI_DONE : rc == -ENOENT || rc == -ECONNREFUSED ? CLI_NO_DAEMON : CLI_REFUSED;
	}
	if (interval_s < 0.1)
		interval_s = TOP_INTERVAL_S;
	top_open(&top);
	do
		top_turn(&top);
	while (!top_ended && !top_pause(&top, interval_s) && !top_ended);
	top_close(&top);
	return CLI_DONE;
}
