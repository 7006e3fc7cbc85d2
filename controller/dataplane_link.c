// SPDX-License-Identifier: GPL-2.0-or-later
/* dataplane_link: see the header. */
#include "controller/dataplane_link.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "controller/dataplane_load.h"

static void swap_bytes(char *text, char from, char to)
{
	for (; *text; text++) {
		if (*text == from)
			*text = to;
	}
}

static int pin_path(char ret_path[DATAPLANE_PATH_MAX], const char *dir, const char *ifname)
{
	char name[IF_NAMESIZE];

	if (strlen(ifname) >= sizeof(name) || strchr(ifname, '/') || strchr(ifname, ':') ||
	    !ifname[0])
		return -EINVAL;
	snprintf(name, sizeof(name), "%s", ifname);
	swap_bytes(name, '.', ':');
	return dataplane_path(ret_path, dir, "links", name);
}

/* ifindex and program of a link; -EINVAL if it is no XDP link. */
static int link_info(int fd, uint32_t *ret_ifindex, uint32_t *ret_program_id)
{
	struct bpf_link_info info = {};
	__u32 length = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &length) < 0)
		return -errno;
	if (info.type != BPF_LINK_TYPE_XDP)
		return -EINVAL;
	*ret_ifindex = info.xdp.ifindex;
	*ret_program_id = info.prog_id;
	return 0;
}

static bool runs_native(uint32_t ifindex)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);

	return !bpf_xdp_query((int)ifindex, 0, &query) && query.attach_mode == XDP_ATTACHED_DRV;
}

static int no_such_interface(const char *ifname, struct err *err)
{
	struct if_nameindex *all = if_nameindex();
	char list[256] = "";
	size_t used = 0;

	for (struct if_nameindex *i = all; i && i->if_index; i++) {
		int n = snprintf(list + used, sizeof(list) - used, "%s%s", used ? ", " : "",
				 i->if_name);

		if (n < 0 || (size_t)n >= sizeof(list) - used) {
			snprintf(list + sizeof(list) - 4, 4, "...");
			break;
		}
		used += (size_t)n;
	}
	if (all)
		if_freenameindex(all);
	return err_set(err, ENODEV, "no interface \"%s\" here; there are: %s", ifname, list);
}

int dataplane_link_check(const char *ifname, struct err *err)
{
	return if_nametoindex(ifname) ? 0 : no_such_interface(ifname, err);
}

static int explain_attach(int code, const char *ifname, uint32_t ifindex, enum config_xdp_mode mode,
			  struct err *err)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);

	switch (code) {
	case EPERM:
	case EACCES:
		if (dataplane_capabilities(err))
			return -EPERM;
		break;
	case EBUSY:
	case EEXIST:
		if (bpf_xdp_query((int)ifindex, 0, &query))
			query.prog_id = 0;
		return err_set(err, EBUSY,
			       "%s already runs another XDP program (id %u): take it off (ip link "
			       "set dev %s "
			       "xdp off, or remove its link) and try again",
			       ifname,
			       query.prog_id ? query.prog_id
					     : query.drv_prog_id | query.skb_prog_id,
			       ifname);
	case EOPNOTSUPP:
		return err_set(err, EOPNOTSUPP,
			       "the driver of %s has no native XDP%s", ifname,
			       mode == CONFIG_XDP_NATIVE ? ": use mode generic or auto" : "");
	case ERANGE:
	case EINVAL:
		if (mode != CONFIG_XDP_GENERIC)
			return err_set(err, code,
				       "the driver of %s refuses native XDP (%s): a smaller MTU or fewer "
				       "queues may help%s",
				       ifname, strerror(code),
				       mode == CONFIG_XDP_NATIVE ? ", or mode generic" : "");
		break;
	}
	return err_set(err, code, "cannot attach to %s: %s", ifname, strerror(code));
}

static int create(int program_fd, uint32_t ifindex, bool native)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts,
		    .flags = native ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE);
	int fd = bpf_link_create(program_fd, (int)ifindex, BPF_XDP, &opts);

	return fd < 0 ? -errno : fd;
}

/* A new link in the wanted mode: its fd, or -errno with the reason in `err`. */
static int create_by_mode(int program_fd, const char *ifname, uint32_t ifindex,
			  enum config_xdp_mode mode, struct err *err, bool *ret_native)
{
	bool native = mode != CONFIG_XDP_GENERIC;
	int fd = create(program_fd, ifindex, native);

	if (fd < 0 && mode == CONFIG_XDP_AUTO && fd != -EBUSY && fd != -EEXIST && fd != -EPERM) {
		explain_attach(-fd, ifname, ifindex, mode, err);
		native = false;
		fd = create(program_fd, ifindex, false);
	}
	if (fd < 0)
		return explain_attach(-fd, ifname, ifindex, mode, err);
	*ret_native = native;
	return fd;
}

static int attach_new(const char *path, int program_fd, const char *ifname, uint32_t ifindex,
		      enum config_xdp_mode mode, struct err *err, bool *ret_native)
{
	bool native = false;
	int rc, fd = create_by_mode(program_fd, ifname, ifindex, mode, err, &native);

	if (fd < 0)
		return fd;
	rc = dataplane_pin(fd, path, err);
	close(fd); /* not pinned: the link goes with it */
	if (!rc)
		*ret_native = native;
	return rc;
}

/* The pinned link's mode is not the wanted one: the link is replaced, and put back if that fails.
 */
static int change_mode(const char *path, int link_fd, int program_fd, const char *ifname,
		       uint32_t ifindex, enum config_xdp_mode mode, struct err *err)
{
	bool was_native = mode == CONFIG_XDP_GENERIC, native;
	struct err back;
	int rc;

	if (bpf_link_detach(link_fd) < 0)
		return err_set(err, errno, "cannot detach from %s: %s", ifname, strerror(errno));
	rc = attach_new(path, program_fd, ifname, ifindex, mode, err, &native);
	if (rc && attach_new(path, program_fd, ifname, ifindex,
			     was_native ? CONFIG_XDP_NATIVE : CONFIG_XDP_GENERIC, &back, &native))
		return err_set(err, -rc, "%s runs no program now: %s", ifname, back.text);
	return rc;
}

static int attach_adopted(const char *path, int link_fd, int program_fd, const char *ifname,
			  uint32_t ifindex, enum config_xdp_mode mode, struct err *err,
			  bool *ret_native)
{
	bool native = runs_native(ifindex);

	if (mode != CONFIG_XDP_AUTO && native != (mode == CONFIG_XDP_NATIVE)) {
		int rc = change_mode(path, link_fd, program_fd, ifname, ifindex, mode, err);

		if (!rc)
			*ret_native = mode == CONFIG_XDP_NATIVE;
		return rc;
	}
	if (bpf_link_update(link_fd, program_fd, NULL) < 0)
		return err_set(err, errno, "cannot give %s the new program: %s", ifname,
			       strerror(errno));
	if (!native && mode == CONFIG_XDP_AUTO)
		(void)err_set(err, 0, "as an earlier start left it; mode native tries again, or says why not");
	*ret_native = native;
	return 0;
}

int dataplane_link_attach(const char *dir, int program_fd, const char *ifname,
			  enum config_xdp_mode mode, struct err *err, bool *ret_native)
{
	char links[DATAPLANE_PATH_MAX], path[DATAPLANE_PATH_MAX];
	uint32_t ifindex = if_nametoindex(ifname), on = 0, program_id;
	int fd, rc;

	if (err)
		err->text[0] = '\0';
	if (!ifindex || pin_path(path, dir, ifname))
		return no_such_interface(ifname, err);
	if (dataplane_path(links, dir, "links", NULL))
		return err_set(err, ENAMETOOLONG, "%s: the path is too long", dir);
	rc = dataplane_dir_make(links, err);
	if (rc)
		return rc;
	fd = bpf_obj_get(path);
	if (fd < 0 && errno != ENOENT)
		return err_set(err, errno, "cannot open %s: %s", path, strerror(errno));
	if (fd >= 0 && !link_info(fd, &on, &program_id) && on == ifindex)
		rc = attach_adopted(path, fd, program_fd, ifname, ifindex, mode, err, ret_native);
	else /* none, or of an interface that is gone or has another name now: its pin is replaced
	      */
		rc = attach_new(path, program_fd, ifname, ifindex, mode, err, ret_native);
	if (fd >= 0)
		close(fd);
	return rc;
}

int dataplane_link_detach(const char *dir, const char *ifname, struct err *err)
{
	char path[DATAPLANE_PATH_MAX];
	int rc = 0, fd = pin_path(path, dir, ifname) ? -1 : bpf_obj_get(path);

	if (fd < 0 && errno != ENOENT)
		return err_set(err, errno, "cannot open %s: %s", path, strerror(errno));
	if (fd < 0)
		return err_set(err, ENOENT, "ebb is not attached to \"%s\"", ifname);
	/* Detached at once, even if somebody else holds the link open. -ENOLINK: its interface is
	 * gone. */
	if (bpf_link_detach(fd) < 0 && errno != ENOLINK)
		rc = err_set(err, errno, "cannot detach from %s: %s", ifname, strerror(errno));
	close(fd);
	if (!rc && unlink(path) < 0)
		rc = err_set(err, errno, "cannot remove %s: %s", path, strerror(errno));
	return rc;
}

static int read_link(const char *dir, const char *name, struct dataplane_link *ret_link)
{
	char path[DATAPLANE_PATH_MAX];
	struct dataplane_link link = {};
	int fd, rc;

	rc = dataplane_path(path, dir, "links", name);
	if (rc)
		return rc;
	fd = bpf_obj_get(path);
	if (fd < 0)
		return -errno;
	rc = link_info(fd, &link.ifindex, &link.program_id);
	close(fd);
	if (rc)
		return rc;
	snprintf(link.ifname, sizeof(link.ifname), "%.*s", (int)sizeof(link.ifname) - 1, name);
	swap_bytes(link.ifname, ':', '.');
	link.native = link.ifindex && runs_native(link.ifindex);
	*ret_link = link;
	return 0;
}

int dataplane_link_each(const char *dir, int (*fn)(void *ctx, const struct dataplane_link *link),
			void *ctx, struct err *err)
{
	char path[DATAPLANE_PATH_MAX];
	struct dataplane_link link;
	struct dirent *entry;
	int rc = 0;
	DIR *d;

	if (dataplane_path(path, dir, "links", NULL))
		return err_set(err, ENAMETOOLONG, "%s: the path is too long", dir);
	d = opendir(path);
	if (!d)
		return errno == ENOENT ? 0 : err_set(err, errno, "%s: %s", path, strerror(errno));
	while (!rc && (entry = readdir(d))) {
		if (entry->d_name[0] != '.' && strlen(entry->d_name) < IF_NAMESIZE &&
		    !read_link(dir, entry->d_name, &link))
			rc = fn(ctx, &link);
	}
	closedir(d);
	return rc;
}

static int clean_one(void *ctx, const struct dataplane_link *link)
{
	char path[DATAPLANE_PATH_MAX];

	if (!link->ifindex && !pin_path(path, ctx, link->ifname))
		unlink(path);
	return 0;
}

void dataplane_link_clean(const char *dir)
{
	if (dataplane_link_each(dir, clean_one, (void *)dir, NULL))
		return; /* nothing to clean that can be read; attach will say so */
}
