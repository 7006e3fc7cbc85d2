// SPDX-License-Identifier: GPL-2.0-or-later
/* daemon_prepare: what a daemon needs of the file system before it touches the data plane. */
#include "controller/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/dataplane_link.h"
#include "controller/log.h"
#include "controller/state.h"

static int load_config(struct daemon *d, struct err *err)
{
	struct config_errors errors = {{0}};
	int e = config_load(d->options.config_path, &errors, &d->config);

	if (e) {
		config_errors_print(&errors, stderr);
		err_set(err, -e, "%s is not usable", d->options.config_path);
	}
	config_errors_free(&errors);
	return e;
}

/* What to do about a directory, by why it did not work. `option` says where another one is named. */
static int dir_failed(const char *what, const char *path, const char *option, struct err *err)
{
	int e = errno;

	if (e == EACCES || e == EPERM || e == EROFS)
		return err_set(err, e, "cannot %s %s: %s; run as root, or name a directory of your own with %s",
			       what, path, strerror(e), option);
	if (e == ENOENT)
		return err_set(err, e, "cannot %s %s: the directory above it is missing; make it (mkdir -p), or name another with %s",
			       what, path, option);
	return err_set(err, e, "cannot %s %s: %s; name a directory with %s", what, path, strerror(e), option);
}

static int make_dir(const char *dir, mode_t mode, const char *option, struct err *err)
{
	struct stat st;

	if (mkdir(dir, mode) && errno != EEXIST)
		return dir_failed("make directory", dir, option, err);
	if (stat(dir, &st))
		return dir_failed("use directory", dir, option, err);
	errno = ENOTDIR;
	return S_ISDIR(st.st_mode) ? 0 : dir_failed("use directory", dir, option, err);
}

/* Held as long as the process lives, so a killed daemon leaves no lock behind. */
static int take_lock(struct daemon *d, struct err *err)
{
	char path[PATH_MAX], pid[32] = "";

	if (snprintf(path, sizeof(path), "%s/ebbd.lock", d->options.run_dir) >= (int)sizeof(path))
		return err_set(err, ENAMETOOLONG, "the run directory's name is too long");
	d->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (d->lock_fd < 0)
		return dir_failed("open", path, "--run-dir", err);
	if (flock(d->lock_fd, LOCK_EX | LOCK_NB)) {
		if (read(d->lock_fd, pid, sizeof(pid) - 1) < 0)
			pid[0] = 0;
		pid[strcspn(pid, "\n")] = 0;
		return err_set(err, EBUSY, "another ebbd (process %s) uses %s; stop it, or give this one its own --run-dir, --state-dir and --bpffs",
			       pid, d->options.run_dir);
	}
	if (ftruncate(d->lock_fd, 0) || dprintf(d->lock_fd, "%d\n", getpid()) < 0)
		return err_set(err, errno, "cannot write %s: %s", path, strerror(errno));
	return 0;
}

static int load_state(struct daemon *d, struct err *err)
{
	struct err why = {{0}};
	int e = make_dir(d->options.state_dir, 0700, "--state-dir", err);

	if (e)
		return e;
	e = state_load(d->options.state_dir, &why, &d->state);
	if (e && e != -ENOENT)
		log_error("state", "ok=false error=%s kept=maps", log_quote(why.text));
	if (!d->state)
		d->state = json_object();
	return d->state ? 0 : err_set(err, ENOMEM, "out of memory");
}

/* Without it, events are in the log and in memory. */
static void open_audit(struct daemon *d)
{
	struct err why = {{0}};
	int e = audit_open(d->options.state_dir, d->history, &why, &d->audit);

	if (e || why.text[0])
		log_warn("audit", "ok=%s error=%s", e ? "false" : "true", log_quote(why.text));
}

int daemon_prepare(struct daemon *d, struct err *err)
{
	int e = load_config(d, err);

	if (!e)
		e = model_check(d->config, err);
	for (uint32_t i = 0; !e && i < d->config->edge.interface_count; i++)
		e = dataplane_link_check(d->config->edge.interfaces[i].name, err);
	if (!e)
		e = make_dir(d->options.run_dir, 0755, "--run-dir", err);
	if (!e)
		e = take_lock(d, err);
	if (!e)
		e = load_state(d, err);
	if (!e && history_new(&d->history))
		e = err_set(err, ENOMEM, "out of memory");
	if (!e)
		open_audit(d);
	return e;
}
