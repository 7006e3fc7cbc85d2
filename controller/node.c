// SPDX-License-Identifier: GPL-2.0-or-later
/* node: see the header. */
#include "controller/node.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controller/dataplane_load.h"
#include "node.skel.h"

static int attach_locked(const char *dir, const char *ifname, enum config_xdp_mode mode,
			 const struct node_allow *allow, struct err *err, bool *ret_native)
{
	struct node *skeleton = node__open();
	char path[DATAPLANE_PATH_MAX];
	bool adopted;
	int rc;

	if (!skeleton)
		return err_set(err, errno, "cannot open the node program: %s", strerror(errno));
	rc = dataplane_path(path, dir, "node", NULL);
	if (!rc)
		rc = dataplane_load(skeleton->obj, dir, err, &adopted);
	if (!rc && allow)
		rc = node_allow_apply(bpf_map__fd(skeleton->maps.node_settings),
				      bpf_map__fd(skeleton->maps.node_edges), allow, err);
	if (!rc)
		rc = dataplane_pin(bpf_program__fd(skeleton->progs.node), path, err);
	if (!rc)
		rc = dataplane_link_attach(dir, bpf_program__fd(skeleton->progs.node), ifname, mode,
					   err, ret_native);
	node__destroy(skeleton);
	return rc;
}

/* Without an interface nothing needs the pins. */
static int remove_unused(const char *dir, struct err *err)
{
	char path[DATAPLANE_PATH_MAX], links[DATAPLANE_PATH_MAX];
	int rc = dataplane_path(links, dir, "links", NULL);

	if (!rc)
		rc = dataplane_path(path, dir, "node", NULL);
	if (rc)
		return err_set(err, -rc, "%s: the path is too long", dir);
	if (rmdir(links) < 0 && errno == ENOTEMPTY)
		return 0;
	rc = dataplane_unpin_all(dir, "maps", err);
	if (rc)
		return rc;
	if (unlink(path) < 0 && errno != ENOENT)
		return err_set(err, errno, "cannot remove %s: %s", path, strerror(errno));
	rmdir(dir); /* the last act: harmless if it stays */
	return 0;
}

int node_attach(const char *ifname, enum config_xdp_mode mode, const struct node_allow *allow,
		const char *bpffs_dir, struct err *err, bool *ret_native)
{
	char dir[DATAPLANE_PATH_MAX];
	int lock, rc;

	if (dataplane_path(dir, bpffs_dir, "node", NULL))
		return err_set(err, ENAMETOOLONG, "%.100s...: the path is too long", bpffs_dir);
	rc = dataplane_dir_make(dir, err);
	if (rc)
		return rc;
	lock = dataplane_lock(dir, true, err);
	if (lock < 0)
		return lock;
	rc = attach_locked(dir, ifname, mode, allow, err, ret_native);
	if (rc)
		remove_unused(dir, NULL); /* err already says why attaching failed */
	close(lock);
	return rc;
}

int node_detach(const char *ifname, const char *bpffs_dir, struct err *err)
{
	char dir[DATAPLANE_PATH_MAX];
	int lock, rc;

	if (dataplane_path(dir, bpffs_dir, "node", NULL))
		return err_set(err, ENAMETOOLONG, "%.100s...: the path is too long", bpffs_dir);
	if (access(dir, F_OK) < 0 && errno == ENOENT)
		return err_set(err, ENOENT, "the node program is not attached to \"%s\"", ifname);
	lock = dataplane_lock(dir, true, err);
	if (lock < 0)
		return lock;
	rc = dataplane_link_detach(dir, ifname, err);
	dataplane_link_clean(dir);
	if (!rc)
		rc = remove_unused(dir, err);
	close(lock);
	return rc;
}

static int add_link(void *ctx, const struct dataplane_link *link)
{
	struct node_status *status = ctx;

	if (link->ifindex && status->link_count < NODE_LINKS_MAX)
		status->links[status->link_count++] = *link;
	return 0;
}

static int sum_verdicts(int fd, struct verdict_stats *sums)
{
	int cpus = libbpf_num_possible_cpus(), rc = 0;
	struct verdict_stats *each = cpus > 0 ? calloc((size_t)cpus, sizeof(*each)) : NULL;

	if (!each)
		return -ENOMEM;
	for (uint32_t i = 0; !rc && i < NODE__COUNT; i++) {
		if (bpf_map_lookup_elem(fd, &i, each) < 0)
			rc = -errno;
		for (int cpu = 0; !rc && cpu < cpus; cpu++) {
			sums[i].packets += each[cpu].packets;
			sums[i].bytes += each[cpu].bytes;
		}
	}
	free(each);
	return rc;
}

/* The pinned map's descriptor; -ENOENT: not there. */
static int open_map(const char *dir, const char *name, struct err *err)
{
	char path[DATAPLANE_PATH_MAX];
	int fd;

	if (dataplane_path(path, dir, "maps", name))
		return err_set(err, ENAMETOOLONG, "%s: the path is too long", dir);
	fd = bpf_obj_get(path);
	return fd < 0 ? err_set(err, errno, "cannot open %s: %s", path, strerror(errno)) : fd;
}

/* With maps of an older version, which may lack some: what they hold. */
static int read_maps(const char *dir, struct err *err, struct node_status *status)
{
	int verdicts = open_map(dir, "node_verdicts", err), settings, edges, rc;

	if (verdicts < 0)
		return verdicts;
	settings = open_map(dir, "node_settings", err);
	edges = open_map(dir, "node_edges", err);
	rc = sum_verdicts(verdicts, status->verdicts);
	if (rc == -ENOENT) /* fewer verdicts */
		rc = 0;
	if (!rc && settings >= 0 && edges >= 0)
		rc = node_allow_read(settings, edges, &status->allow);
	close(verdicts);
	if (settings >= 0)
		close(settings);
	if (edges >= 0)
		close(edges);
	return rc ? err_set(err, -rc, "cannot read the maps below %s: %s", dir, strerror(-rc)) : 0;
}

int node_show(const char *bpffs_dir, struct err *err, struct node_status *ret_status)
{
	char dir[DATAPLANE_PATH_MAX];
	int rc;

	memset(ret_status, 0, sizeof(*ret_status));
	if (dataplane_path(dir, bpffs_dir, "node", NULL))
		return err_set(err, ENAMETOOLONG, "%.100s...: the path is too long", bpffs_dir);
	rc = dataplane_link_each(dir, add_link, ret_status, err);
	if (rc)
		return rc;
	rc = read_maps(dir, err, ret_status);
	return rc == -ENOENT ? 0 : rc; /* never attached */
}
