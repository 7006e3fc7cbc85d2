/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_DATAPLANE_LINK_H
#define EBB_DATAPLANE_LINK_H
/*
 * dataplane_link: an XDP program on an interface by a BPF link that is pinned at DIR/links/IFNAME.
 *
 * A pinned link outlives every process. It gets a new program in one step (BPF_LINK_UPDATE), so no
 * packet sees a moment without one. A dot in an interface's name ("eth0.100") is a colon in the
 * pin's name, since bpffs allows no dots, and no interface's name holds a colon.
 */
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "controller/config.h"
#include "controller/err.h"

struct dataplane_link {
	char ifname[IF_NAMESIZE];
	uint32_t ifindex; /* 0: the interface is gone */
	uint32_t program_id;
	bool native; /* runs in the driver; else in the generic hook */
};

/*
 * Puts `program_fd` on the interface: by the link that is pinned, or by a new one. Mode auto takes
 * the driver's hook where there is one, else the generic one; then err->text says why, although 0
 * is returned (else it is emptied). A link that is there keeps its mode under auto; another mode
 * asked for means a short moment without program. -ENODEV, -EPERM, -EBUSY (somebody else's XDP
 * program), -EOPNOTSUPP (mode native, the driver cannot).
 */
EBB_MUST_CHECK int dataplane_link_attach(const char *dir, int program_fd, const char *ifname,
					 enum config_xdp_mode mode, struct err *err,
					 bool *ret_native);
/* -ENOENT: no link of ours there. */
EBB_MUST_CHECK int dataplane_link_detach(const char *dir, const char *ifname, struct err *err);
/* Calls `fn` for each pinned link until it returns other than 0, and returns that. `fn` may remove
 * the link. */
EBB_MUST_CHECK int dataplane_link_each(const char *dir,
				       int (*fn)(void *ctx, const struct dataplane_link *link),
				       void *ctx, struct err *err);
/* Removes the pins of links whose interface is gone. */
void dataplane_link_clean(const char *dir);

/* -ENODEV, saying which interfaces there are: before anything is made for one that is missing. */
EBB_MUST_CHECK int dataplane_link_check(const char *ifname, struct err *err);

#endif
