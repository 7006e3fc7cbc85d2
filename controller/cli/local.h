/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_CLI_LOCAL_H
#define EBB_CLI_LOCAL_H
/* local: commands that touch this machine's pins themselves; and watch.c's, that stay. Each returns an exit code. */
#include "controller/cli/command.h"

int local_node_attach(struct cli *cli, const struct command *command, json_t *params);
int local_node_detach(struct cli *cli, const struct command *command, json_t *params);
int local_node_show(struct cli *cli, const struct command *command, json_t *params);
/* Through the daemon, or on the pins when none runs. */
int local_detach(struct cli *cli, const struct command *command, json_t *params);

int simulate_command(struct cli *cli, const struct command *command, json_t *params);
int trace_command(struct cli *cli, const struct command *command, json_t *params);
int explain_command(struct cli *cli, const struct command *command, json_t *params);

int watch_monitor(struct cli *cli, const struct command *command, json_t *params);
int watch_history(struct cli *cli, const struct command *command, json_t *params);
int watch_top(struct cli *cli, const struct command *command, json_t *params);
int watch_shift_start(struct cli *cli, const struct command *command, json_t *params);
int bulk_sandboxes(struct cli *cli, const struct command *command, json_t *params);

#endif
