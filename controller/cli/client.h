/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_CLI_CLIENT_H
#define EBB_CLI_CLIENT_H
/*
 * client: one blocking connection to the daemon's control socket (controller/control.h has the protocol).
 *
 * Everything that waits has a limit. Replies are bounded (CLIENT_LINE_MAX); a reply that is no JSON object, or that
 * answers another request, ends the connection.
 */
#include <jansson.h>

#include "controller/err.h"

#define CLIENT_LINE_MAX (256 * 1024 * 1024)

struct client;

/* -ENOENT, -ECONNREFUSED: nobody listens; -EACCES: not allowed. */
EBB_MUST_CHECK int client_open(const char *path, struct err *err, struct client **ret_client);
void client_close(struct client *client); /* NULL is fine */

/*
 * One request and its reply. 0 and `*ret_result` (may be JSON null); or what the daemon said, in `err`, as
 * -ENOENT (notfound), -EINVAL (usage), -EPERM (refused), -EIO (internal); or -ETIMEDOUT, -ECONNRESET (it went away),
 * -EPROTO (that is no ebbd).
 */
EBB_MUST_CHECK int client_call(struct client *client, const char *method, const json_t *params,
			       double timeout_s, struct err *err, json_t **ret_result);
/* The next pushed document. -ECONNRESET, -ETIMEDOUT (`timeout_s` < 0: wait for ever), -EINTR (a signal), -EPROTO. */
EBB_MUST_CHECK int client_next(struct client *client, double timeout_s, struct err *err,
			       json_t **ret_document);

#endif
