/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_DIAL_H
#define EBB_DIAL_H
/* dial: begins a TCP connection without waiting for it. */
#include <stdint.h>

#include "controller/err.h"
#include "maps/types.h"

/* A non-blocking socket that connects, or has connected: it turns writable, then SO_ERROR says how
 * it went. Closing it is a reset, so that thousands a second leave no TIME_WAIT. `port`: host
 * order. -errno. */
EBB_MUST_CHECK int dial_tcp(const struct address *address, uint16_t port);
/* SO_ERROR as a positive errno; 0: connected. */
int dial_error(int fd);

#endif
