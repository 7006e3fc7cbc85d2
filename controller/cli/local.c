// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * local: `ebb node ...` on a backend, where no daemon runs, and `ebb detach`, which must also work after the daemon has
 * died: both act on the pins below the bpffs directory. See local.h.
 */
#include "controller/cli/local.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controller/cli/client.h"
#include "controller/cli/print.h"
#include "controller/dataplane.h"
#include "controller/node.h"

static const char *const node_names[NODE__COUNT] = {
#define X(name, text, action, meaning) text,
	NODE_VERDICTS(X)
#undef X
};
static const char *const node_meanings[NODE__COUNT] = {
#define X(name, text, action, meaning) meaning,
	NODE_VERDICTS(X)
#undef X
};

static int local_failed(int rc, const struct err *err)
{
	return cli_fail(CLI_REFUSED, "%s", err->text[0] ? err->text : strerror(-rc));
}

static const char *local_bpffs(struct cli *cli, const json_t *params)
{
	const char *given = json_string_value(json_object_get(params, "_bpffs"));

	if (given) {
		cli->bpffs_dir = given;
		cli->bpffs_given = true;
	}
	return cli->bpffs_dir;
}

static const char *local_mode_name(bool native)
{
	return native ? "native" : "generic";
}

/* --allow: who may send; NULL in *ret_allow without it. "any" is everybody. The caller frees. */
static int local_node_allow(const json_t *params, struct err *err, struct node_allow **ret_allow)
{
	const json_t *words = json_object_get(params, "_allow");
	struct node_allow *allow;
	json_t *word;
	size_t i;
	int rc = 0;

	*ret_allow = NULL;
	if (!words)
		return 0;
	allow = calloc(1, sizeof(*allow));
	if (!allow)
		return err_set(err, ENOMEM, "out of memory");
	json_array_foreach(words, i, word) {
		if (!rc && strcmp(json_string_value(word), "any"))
			rc = node_allow_add(allow, json_string_value(word), err);
	}
	if (rc)
		free(allow);
	else
		*ret_allow = allow;
	return rc;
}

int local_node_attach(struct cli *cli, const struct command *command, json_t *params)
{
	const char *ifname = json_string_value(json_object_get(params, "interface"));
	const char *mode = json_string_value(json_object_get(params, "_mode"));
	enum config_xdp_mode how = !mode || strcmp(mode, "auto") == 0 ? CONFIG_XDP_AUTO
				   : strcmp(mode, "native") == 0	  ? CONFIG_XDP_NATIVE
									  : CONFIG_XDP_GENERIC;
	struct node_allow *allow;
	struct err err = {{0}};
	bool native = false;
	int rc = local_node_allow(params, &err, &allow);

	if (rc)
		return local_failed(rc, &err);
	rc = node_attach(ifname, how, allow, local_bpffs(cli, params), &err, &native);
	free(allow);
	if (rc)
		return local_failed(rc, &err);
	if (cli->json) {
		json_t *doc = json_pack("{sssssb}", "interface", ifname, "mode", local_mode_name(native),
					"attached", 1);

		if (err.text[0])
			json_object_set_new(doc, "note", json_string(err.text));
		cli_print_json(cli, doc, false);
		json_decref(doc);
	} else {
		fprintf(cli->out, "attached to %s (%s)%s%s\n", ifname, local_mode_name(native),
			err.text[0] ? ": " : "", err.text);
	}
	return CLI_DONE;
}

int local_node_detach(struct cli *cli, const struct command *command, json_t *params)
{
	const char *ifname = json_string_value(json_object_get(params, "interface"));
	struct err err = {{0}};
	int rc = node_detach(ifname, local_bpffs(cli, params), &err);

	if (rc)
		return local_failed(rc, &err);
	if (cli->json) {
		json_t *doc = json_pack("{sssb}", "interface", ifname, "attached", 0);

		cli_print_json(cli, doc, false);
		json_decref(doc);
	} else {
		fprintf(cli->out, "detached from %s\n", ifname);
	}
	return CLI_DONE;
}

static json_t *local_node_document(const struct node_status *status)
{
	json_t *links = json_array(), *verdicts = json_object(), *allow = json_array();
	char prefix[50];

	for (uint32_t i = 0; i < status->allow.count; i++)
		json_array_append_new(allow, json_string(node_allow_format(&status->allow.prefixes[i],
									   prefix)));
	for (uint32_t i = 0; i < status->link_count; i++) {
		const struct dataplane_link *link = &status->links[i];

		json_array_append_new(links, json_pack("{sssisiss}", "name", link->ifname, "ifindex",
						       (int)link->ifindex, "program_id",
						       (int)link->program_id, "mode",
						       local_mode_name(link->native)));
	}
	for (int i = NODE_CONTINUE + 1; i < NODE__COUNT; i++)
		json_object_set_new(verdicts, node_names[i],
				    json_pack("{sIsI}", "packets",
					      (json_int_t)status->verdicts[i].packets, "bytes",
					      (json_int_t)status->verdicts[i].bytes));
	/* An empty list: everybody may send. */
	return json_pack("{sososo}", "interfaces", links, "allow", allow, "verdicts", verdicts);
}

static void local_node_print(struct cli *cli, const struct node_status *status)
{
	struct table *table = table_new("VERDICT|>PACKETS|>BYTES|MEANING");
	int silent = 0;
	char prefix[50];

	for (uint32_t i = 0; i < status->link_count; i++)
		print_line(cli, "interface", TONE_PLAIN, "%s (%s)%s", status->links[i].ifname,
			   local_mode_name(status->links[i].native),
			   status->links[i].ifindex ? "" : ", gone");
	for (uint32_t i = 0; i < status->allow.count; i++)
		print_line(cli, "allowed", TONE_PLAIN, "%s",
			   node_allow_format(&status->allow.prefixes[i], prefix));
	fputc('\n', cli->out);
	for (int i = NODE_CONTINUE + 1; i < NODE__COUNT; i++) {
		const struct verdict_stats *stats = &status->verdicts[i];
		bool drop = strncmp(node_names[i], "drop", 4) == 0;
		char packets[UNITS_TEXT_MAX], bytes[UNITS_TEXT_MAX];

		silent += !stats->packets;
		if (!stats->packets)
			continue;
		table_row(table);
		table_cell(table, drop ? TONE_BAD : TONE_PLAIN, "%s", node_names[i]);
		table_cell(table, TONE_PLAIN, "%s", units_count((double)stats->packets, packets));
		table_cell(table, TONE_PLAIN, "%s", units_bytes((double)stats->bytes, bytes));
		table_cell(table, TONE_FAINT, "%s", node_meanings[i]);
	}
	table_print(table, cli->out, cli->colour);
	fprintf(cli->out, "and %d verdicts with no packet; -j shows all\n", silent);
}

int local_node_show(struct cli *cli, const struct command *command, json_t *params)
{
	struct node_status *status = calloc(1, sizeof(*status));
	struct err err = {{0}};
	int rc = status ? node_show(local_bpffs(cli, params), &err, status) : -ENOMEM;
	json_t *doc;

	if (rc) {
		free(status);
		return local_failed(rc, &err);
	}
	if (cli->json) {
		doc = local_node_document(status);
		cli_print_json(cli, doc, false);
		json_decref(doc);
	} else if (!status->link_count) {
		fprintf(cli->out, "not attached (no link pinned below %s)\n", cli->bpffs_dir);
	} else {
		local_node_print(cli, status);
	}
	free(status);
	return CLI_DONE;
}

/* Whether a person at a terminal said yes; without a terminal nobody is asked. */
static bool local_confirmed(const json_t *params, const char *question)
{
	char answer[16] = "";

	if (json_object_get(params, "_yes") || !isatty(STDIN_FILENO))
		return true;
	fprintf(stderr, "%s [y/N] ", question);
	if (!fgets(answer, sizeof(answer), stdin))
		return false;
	return answer[0] == 'y' || answer[0] == 'Y';
}

/* Whether the daemon that answers holds the pins that are meant. CLI_NO_DAEMON: none answers. */
static int local_daemon_has_pins(struct cli *cli, bool *ret_has)
{
	struct err err = {{0}};
	json_t *status = NULL;
	const char *bpffs;
	int rc = client_open(cli->socket_path, &err, &cli->client);

	if (rc == -ENOENT || rc == -ECONNREFUSED)
		return CLI_NO_DAEMON;
	if (rc)
		return cli_fail(CLI_REFUSED, "%s", err.text);
	*ret_has = true;
	if (!cli->bpffs_given)
		return CLI_DONE;
	rc = cli_call(cli, "status", NULL, &status);
	bpffs = json_string_value(json_object_get(status, "bpffs"));
	*ret_has = !bpffs || strcmp(bpffs, cli->bpffs_dir) == 0;
	json_decref(status);
	return rc;
}

static void local_say_detached(struct cli *cli, const json_t *doc, const char *how)
{
	if (cli->json)
		cli_print_json(cli, doc, false);
	else
		fprintf(cli->out, "detached%s: nothing is forwarded any more\n", how);
}

int local_detach(struct cli *cli, const struct command *command, json_t *params)
{
	const char *bpffs = local_bpffs(cli, params);
	struct err err = {{0}};
	json_t *result = NULL;
	bool has = false;
	int rc = local_daemon_has_pins(cli, &has);

	if (rc != CLI_DONE && rc != CLI_NO_DAEMON)
		return rc;
	if (!local_confirmed(params, "This ends all forwarding on this machine. Sessions will break. Go on?"))
		return cli_fail(CLI_REFUSED, "not confirmed: forwarding goes on");
	if (has) {
		rc = cli_call(cli, "detach", NULL, &result);
		if (rc == CLI_DONE)
			local_say_detached(cli, result, "");
		json_decref(result);
		return rc;
	}
	if (access(bpffs, F_OK) != 0 && errno == ENOENT) {
		if (cli->json)
			fprintf(cli->out, "{}\n");
		else
			fprintf(cli->out, "nothing to detach: there is no %s\n", bpffs);
		return CLI_DONE;
	}
	rc = dataplane_detach_all(bpffs, &err);
	if (rc)
		return local_failed(rc, &err);
	result = json_pack("{sssb}", "bpffs", bpffs, "daemon", 0);
	local_say_detached(cli, result, " (no daemon was running)");
	json_decref(result);
	return CLI_DONE;
}
