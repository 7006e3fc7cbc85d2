/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_CLI_PRINT_H
#define EBB_CLI_PRINT_H
/*
 * print: a daemon's answers as a person reads them. Each takes a result of docs/control.md; where an object may be one or
 * many, an array becomes a table and an object a page. Members that are missing print as "-": a newer `ebb` reads an
 * older daemon.
 */
#include "controller/cli/cli.h"
#include "controller/cli/table.h"
#include "controller/cli/units.h"

/* A member as text ("-" if it is missing, borrowed), as number (NaN), as truth (false), as number with a default. */
const char *field_text(const json_t *object, const char *key);
double field_number(const json_t *object, const char *key);
bool field_true(const json_t *object, const char *key);
/* A number formatted by one of units_*(), or "-". */
char *field_units(const json_t *object, const char *key, char *(*format)(double, char *), char *to);

/* "aws/eu-central-1", or "-" of a backend that is no longer configured. `to`: PRINT_PLACE_MAX bytes. */
#define PRINT_PLACE_MAX 160
char *print_place(const json_t *backend, char *to);
/* `limited_by` in words; "" if nothing limits. */
const char *print_limit(const json_t *object);
enum tone print_health_tone(double health);
enum tone print_state_tone(const char *state);
/* "12:34:56" of today, else with the date; local time. `text`: RFC 3339 in UTC. */
char *print_time(const char *text, char *to);
/* "label   value" lines of a page. */
void print_line(struct cli *cli, const char *label, enum tone tone, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
void print_title(struct cli *cli, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Groups of a pool with their shares as bars. `pools`: array of pools. */
void print_groups(struct cli *cli, const json_t *pools);

void print_status(struct cli *cli, const json_t *result, const json_t *params);
void print_services(struct cli *cli, const json_t *result, const json_t *params);
void print_pools(struct cli *cli, const json_t *result, const json_t *params);
void print_regions(struct cli *cli, const json_t *result, const json_t *params);
void print_backends(struct cli *cli, const json_t *result, const json_t *params);
void print_backend_set(struct cli *cli, const json_t *result, const json_t *params);
void print_config_check(struct cli *cli, const json_t *result, const json_t *params);
void print_config_diff(struct cli *cli, const json_t *result, const json_t *params);
void print_frozen(struct cli *cli, const json_t *result, const json_t *params);
void print_explain(struct cli *cli, const json_t *result, const json_t *params);
void print_explain_backend(struct cli *cli, const json_t *result, const json_t *params);
void print_whatif(struct cli *cli, const json_t *result, const json_t *params);
void print_shifts(struct cli *cli, const json_t *result, const json_t *params);
void print_sandboxes(struct cli *cli, const json_t *result, const json_t *params);
/* One event, one line. */
void print_event(struct cli *cli, const json_t *event);

#endif
