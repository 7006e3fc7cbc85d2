// SPDX-License-Identifier: GPL-2.0-or-later
/* address: IPv4 lives as IPv4-mapped IPv6 (RFC 4291 section 2.5.5.2), so every comparison is one of 16 bytes. */
#include "controller/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

static const __u8 mapped[12] = {[10] = 0xff, [11] = 0xff};

int address_parse(const char *text, struct address *ret_address)
{
	struct address address;

	if (inet_pton(AF_INET, text, address.bytes + sizeof(mapped)) == 1)
		memcpy(address.bytes, mapped, sizeof(mapped));
	else if (inet_pton(AF_INET6, text, address.bytes) != 1)
		return -EINVAL;
	*ret_address = address;
	return 0;
}

char *address_format(const struct address *address, char *to)
{
	if (address_is_ipv4(address))
		inet_ntop(AF_INET, address->bytes + sizeof(mapped), to, INET_ADDRSTRLEN);
	else
		inet_ntop(AF_INET6, address->bytes, to, INET6_ADDRSTRLEN);
	return to;
}

bool address_is_ipv4(const struct address *address)
{
	return memcmp(address->bytes, mapped, sizeof(mapped)) == 0;
}

int address_compare(const struct address *a, const struct address *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

struct address address_mask(const struct address *address, unsigned int bits)
{
	struct address masked = {0};

	memcpy(masked.bytes, address->bytes, bits / 8);
	if (bits % 8)
		masked.bytes[bits / 8] = address->bytes[bits / 8] & (0xff << (8 - bits % 8));
	return masked;
}
