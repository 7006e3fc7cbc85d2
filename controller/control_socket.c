// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * control_socket: see control_socket.h. The file mode keeps strangers from connecting; the credentials are asked all the
 * same, since a mode can be changed by mistake and a descriptor can be handed on.
 */
#include "controller/control_socket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONTROL_BACKLOG 64

static bool control_socket_answers(const struct sockaddr_un *name)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int rc;

	if (fd < 0)
		return false;
	rc = connect(fd, (const struct sockaddr *)name, sizeof(*name));
	/* EAGAIN: its backlog is full, so somebody listens. */
	rc = rc == 0 || errno == EAGAIN;
	close(fd);
	return rc;
}

/* Makes way for a new socket at this path, unless it is in use or not ours to remove. */
static int control_socket_clear(const struct sockaddr_un *name, struct err *err)
{
	const char *path = name->sun_path;
	struct stat st;

	if (lstat(path, &st) != 0)
		return errno == ENOENT ? 0 : err_set(err, errno, "%s: %s", path, strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		return err_set(err, EEXIST, "%s is in the way and is no socket; remove it", path);
	if (control_socket_answers(name))
		return err_set(err, EADDRINUSE,
			       "another ebbd answers on %s; stop it, or choose another --run-dir", path);
	if (unlink(path) != 0 && errno != ENOENT)
		return err_set(err, errno, "cannot replace the stale socket %s: %s", path,
			       strerror(errno));
	return 0;
}

static int control_socket_bind(struct control_socket *sock, const struct sockaddr_un *name,
			       struct err *err)
{
	mode_t old = umask(0117); /* 0660 from the first moment on */
	int rc = bind(sock->fd, (const struct sockaddr *)name, sizeof(*name));
	int code = errno;
	struct stat st;

	umask(old);
	if (rc)
		return err_set(err, code, "cannot make the socket %s: %s%s", sock->path, strerror(code),
			       code == ENOENT ? " (make the directory first)" : "");
	if (lchown(sock->path, (uid_t)-1, sock->group) != 0)
		return err_set(err, errno, "cannot give %s to group %u: %s", sock->path,
			       (unsigned int)sock->group, strerror(errno));
	if (lstat(sock->path, &st) != 0 || listen(sock->fd, CONTROL_BACKLOG) != 0)
		return err_set(err, errno, "cannot listen on %s: %s", sock->path, strerror(errno));
	sock->dev = st.st_dev;
	sock->ino = st.st_ino;
	sock->group = st.st_gid;
	return 0;
}

int control_socket_open(struct control_socket *sock, const char *path, gid_t group, struct err *err)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int rc;

	if (strlen(path) >= sizeof(name.sun_path))
		return err_set(err, ENAMETOOLONG, "%.100s...: a socket's path has at most %zu bytes",
			       path, sizeof(name.sun_path) - 1);
	memcpy(name.sun_path, path, strlen(path));
	*sock = (struct control_socket){.fd = -1, .group = group};
	memcpy(sock->path, name.sun_path, sizeof(sock->path));
	rc = control_socket_clear(&name, err);
	if (rc)
		return rc;
	sock->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (sock->fd < 0)
		return err_set(err, errno, "cannot make a socket: %s", strerror(errno));
	rc = control_socket_bind(sock, &name, err);
	if (rc)
		control_socket_close(sock);
	return rc;
}

static bool control_socket_in_groups(int fd, gid_t group)
{
	gid_t few[64], *many = few;
	socklen_t length = sizeof(few);
	bool found = false;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, few, &length) != 0) {
		many = errno == ERANGE ? malloc(length) : NULL;
		if (!many || getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, many, &length) != 0)
			length = 0;
	}
	for (size_t i = 0; i < length / sizeof(gid_t); i++)
		found = found || many[i] == group;
	if (many != few)
		free(many);
	return found;
}

bool control_socket_allows(const struct control_socket *sock, int fd, struct ucred *ret_peer)
{
	socklen_t length = sizeof(*ret_peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, ret_peer, &length) != 0)
		return false;
	return ret_peer->uid == 0 || ret_peer->uid == geteuid() || ret_peer->gid == sock->group ||
	       control_socket_in_groups(fd, sock->group);
}

void control_socket_close(struct control_socket *sock)
{
	struct stat st;

	if (sock->fd >= 0)
		close(sock->fd);
	if (sock->ino && lstat(sock->path, &st) == 0 && st.st_dev == sock->dev && st.st_ino == sock->ino)
		unlink(sock->path);
	sock->fd = -1;
	sock->ino = 0;
}
