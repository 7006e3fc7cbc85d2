/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_CONTROL_SOCKET_H
#define EBB_CONTROL_SOCKET_H
/* control_socket: the listening Unix socket of the control server, and who may speak to it. */
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

#include "controller/err.h"

struct control_socket {
	int fd;
	gid_t group;
	dev_t dev; /* of the file that we bound, so that closing never removes another's */
	ino_t ino;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
};

/* Binds `path` with mode 0660 and listens, non-blocking. A stale socket is replaced; -EADDRINUSE: a daemon
 * answers there; -EEXIST: something that is no socket; -ENAMETOOLONG, -ENOENT, -EACCES: each said in `err`. */
EBB_MUST_CHECK int control_socket_open(struct control_socket *sock, const char *path, gid_t group,
				       struct err *err);
/* Whether the peer of the connected `fd` is root, our own user, or in the socket's group. */
bool control_socket_allows(const struct control_socket *sock, int fd, struct ucred *ret_peer);
void control_socket_close(struct control_socket *sock);

#endif
