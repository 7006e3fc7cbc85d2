/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef EBB_BPF_QUIC_H
#define EBB_BPF_QUIC_H
/*
 * quic: a connection ID that the server chose names the server, so that a client that changes its
 * address stays with its backend, without a note.
 *
 *   short header (RFC 9000 section 17.3)   0 1 x x x x x x | connection ID ...
 *   long header  (RFC 8999 section 5.1)    1 1 T T x x x x | version, 4 | length, 1 | connection ID
 *   connection ID (QUIC-LB, plaintext)     R R R x x x x x | server ID | nonce, 4 bytes or more
 *
 * draft-ietf-quic-load-balancers-19: R is the configuration's number; 7 says that nothing is to be
 * read. One configuration is known here, so 0 to 6 are alike. The server ID is the backend's id in
 * big-endian order, with zeros before it.
 *
 * The connection IDs of Initial and 0-RTT packets may be the client's own random bytes, and those of
 * an unknown version as well: they, and whatever else cannot be read, go by addresses and ports.
 */
#include "bpf/packet.h"

#define QUIC_LONG        0x80
#define QUIC_V1          0x00000001 /* RFC 9000 */
#define QUIC_V2          0x6b3343cf /* RFC 9369: other numbers for the types */
#define QUIC_V1_HANDSHAKE 0x20
#define QUIC_V2_HANDSHAKE 0x30
#define QUIC_TYPE        0x30
#define QUIC_UNROUTABLE  7 /* the draft's configuration number */
#define QUIC_NONCE_LEAST 4
#define QUIC_ID_MOST     20

static __always_inline bool quic_is_handshake(__u8 first, __u32 version)
{
	if (version == QUIC_V1)
		return (first & QUIC_TYPE) == QUIC_V1_HANDSHAKE;
	return version == QUIC_V2 && (first & QUIC_TYPE) == QUIC_V2_HANDSHAKE;
}

/* The server ID, of at most 15 bytes, as a number; BACKEND_NONE where it is none of a backend. */
static __always_inline __u32 quic_number(const __u8 *id, __u32 length, const void *data_end)
{
	__u32 number = 0, over = 0;

	for (__u32 i = 0; i < 15; i++) {
		if (i >= length)
			break;
		if ((const void *)(id + i + 1) > data_end)
			return BACKEND_NONE;
		over |= number >> 8;
		number = (number & 0xff) << 8 | id[i];
	}
	return over ? BACKEND_NONE : number;
}

/*
 * The backend that the datagram's connection ID names, BACKEND_NONE if none. `offset`: of the UDP
 * header in the frame; `id_length`: of server IDs. A function of its own, verified once.
 */
__noinline int quic_server(struct xdp_md *ctx, __u32 offset, __u32 id_length)
{
	void *data = (void *)(long)ctx->data, *data_end = (void *)(long)ctx->data_end;
	const struct udphdr *udp = data + (offset & 0x3fff);
	const __u8 *quic = (const __u8 *)(udp + 1), *id = quic + 1;
	__u32 need = 1 + id_length + QUIC_NONCE_LEAST, length;

	if ((void *)(quic + 7) > data_end)
		return BACKEND_NONE;
	length = bpf_ntohs(udp->len);
	if (quic[0] & QUIC_LONG) {
		if (!quic_is_handshake(quic[0], bpf_ntohl(*(const __u32 *)(quic + 1))) ||
		    quic[5] < need || quic[5] > QUIC_ID_MOST)
			return BACKEND_NONE;
		id = quic + 6;
		need = 5 + quic[5];
	}
	if (length < sizeof(*udp) + 1 + need || (void *)(id + 1) > data_end ||
	    id[0] >> 5 == QUIC_UNROUTABLE)
		return BACKEND_NONE;
	return quic_number(id + 1, id_length, data_end);
}

#endif
