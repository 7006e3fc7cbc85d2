/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * quic_id: makes any QUIC server that takes the bytes of its connection IDs from gnutls_rnd() one behind ebb: preloaded into
 * ngtcp2's gtlsserver, whose connection IDs have 18 bytes, it puts SERVER_ID into them, in the plaintext form of
 * draft-ietf-quic-load-balancers: configuration 0, two bytes of server ID, nonce.
 */
#include <dlfcn.h>
#include <stddef.h>
#include <stdlib.h>

#define CONNECTION_ID_BYTES 18

int gnutls_rnd(int level, void *data, size_t length);

int gnutls_rnd(int level, void *data, size_t length)
{
	int (*next)(int, void *, size_t) = (int (*)(int, void *, size_t))dlsym(RTLD_NEXT, "gnutls_rnd");
	const char *id = getenv("SERVER_ID");
	unsigned char *byte = data;
	int rc = next(level, data, length);

	if (rc || length != CONNECTION_ID_BYTES || !id)
		return rc;
	byte[0] &= 0x1f;
	byte[1] = (unsigned char)(atoi(id) >> 8);
	byte[2] = (unsigned char)atoi(id);
	return 0;
}
