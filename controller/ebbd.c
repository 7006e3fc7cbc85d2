// SPDX-License-Identifier: GPL-2.0-or-later
/* ebbd: the daemon's command line. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/daemon.h"
#include "controller/log.h"

static const char usage[] =
	"usage: ebbd [--config FILE] [--check] [--bpffs DIR] [--run-dir DIR] [--state-dir DIR]\n"
	"\n"
	"  --config FILE    configuration (/etc/ebb/ebb.yaml)\n"
	"  --check          print what is wrong with it as FILE:LINE:COLUMN, and exit 1 if anything is\n"
	"  --bpffs DIR      where program, maps and links are pinned (/sys/fs/bpf/ebb)\n"
	"  --run-dir DIR    control socket ebbd.sock and lock (/run/ebb)\n"
	"  --state-dir DIR  what survives a restart besides the maps (/var/lib/ebb)\n"
	"  --debug          log more\n"
	"  --version, --help\n"
	"\n"
	"SIGHUP reloads the configuration, or keeps the old one if it has errors. SIGTERM stops the daemon;\n"
	"forwarding goes on (`ebb detach` ends it).\n";

enum option_id { OPTION_CONFIG = 256, OPTION_CHECK, OPTION_BPFFS, OPTION_RUN, OPTION_STATE,
		 OPTION_DEBUG, OPTION_VERSION, OPTION_HELP };

static const struct option long_options[] = {
	{"config", required_argument, NULL, OPTION_CONFIG},
	{"check", no_argument, NULL, OPTION_CHECK},
	{"bpffs", required_argument, NULL, OPTION_BPFFS},
	{"run-dir", required_argument, NULL, OPTION_RUN},
	{"state-dir", required_argument, NULL, OPTION_STATE},
	{"debug", no_argument, NULL, OPTION_DEBUG},
	{"version", no_argument, NULL, OPTION_VERSION},
	{"help", no_argument, NULL, OPTION_HELP},
	{NULL, 0, NULL, 0},
};

static int check(const char *path)
{
	struct config_errors errors = {{0}};
	struct config *config = NULL;
	struct err err = {{0}};
	int e = config_load(path, &errors, &config);

	if (e) {
		config_errors_print(&errors, stderr);
	} else if ((e = model_check(config, &err))) {
		fprintf(stderr, "%s:1:1: %s\n", path, err.text);
	} else {
		printf("%s: ok: %u backends in %u regions, %u pools, %u services\n", path,
		       config->backend_count, config->region_count, config->pool_count,
		       config->service_count);
	}
	config_errors_free(&errors);
	config_free(config);
	return e ? 1 : 0;
}

/* What to exit with, or -1 to go on. */
static int parse_options(int argc, char **argv, struct daemon_options *options, bool *ret_check)
{
	int c;

	while ((c = getopt_long(argc, argv, "h", long_options, NULL)) != -1) {
		switch (c) {
		case OPTION_CONFIG:
			options->config_path = optarg;
			break;
		case OPTION_CHECK:
			*ret_check = true;
			break;
		case OPTION_BPFFS:
			options->bpffs_dir = optarg;
			break;
		case OPTION_RUN:
			options->run_dir = optarg;
			break;
		case OPTION_STATE:
			options->state_dir = optarg;
			break;
		case OPTION_DEBUG:
			log_set_level(LOG_DEBUG);
			break;
		case OPTION_VERSION:
			puts("ebbd " EBB_VERSION);
			return 0;
		case OPTION_HELP:
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "ebbd: unexpected argument %s\n%s", argv[optind], usage);
		return 2;
	}
	return -1;
}

int main(int argc, char **argv)
{
	struct daemon_options options = {.config_path = "/etc/ebb/ebb.yaml",
					 .bpffs_dir = "/sys/fs/bpf/ebb",
					 .run_dir = "/run/ebb",
					 .state_dir = "/var/lib/ebb"};
	static struct daemon daemon;
	struct err err = {{0}};
	bool check_only = false;
	int e = parse_options(argc, argv, &options, &check_only);

	if (e >= 0)
		return e;
	if (check_only)
		return check(options.config_path);
	setvbuf(stderr, NULL, _IOLBF, 0);
	e = daemon_start(&daemon, &options, &err);
	if (e)
		fprintf(stderr, "ebbd: %s\n", err.text[0] ? err.text : strerror(-e));
	else
		daemon_run(&daemon);
	daemon_stop(&daemon);
	return e ? 1 : 0;
}
