/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EBB_ADDRESS_H
#define EBB_ADDRESS_H
/* address: text and families of the 16-byte addresses of maps/types.h. */
#include <stdbool.h>

#include "controller/err.h"
#include "maps/types.h"

/* "10.1.0.11" or "fd00::1" to 16 bytes; -EINVAL. No port, no zone, no prefix length. */
EBB_MUST_CHECK int address_parse(const char *text, struct address *ret_address);
/* `to` holds at least INET6_ADDRSTRLEN (46) bytes; IPv4-mapped prints as IPv4. Returns `to`. */
char *address_format(const struct address *address, char *to);
bool address_is_ipv4(const struct address *address);
/* Order of bytes: as memcmp(). */
int address_compare(const struct address *a, const struct address *b);
/* Zeroes all but the first `bits` bits of the 16-byte form (0..128). */
struct address address_mask(const struct address *address, unsigned int bits);

#endif
