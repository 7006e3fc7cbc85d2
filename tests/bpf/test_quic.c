/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_quic: where datagrams of `affinity: quic` go, by their connection IDs or, where those say
 * nothing, by addresses and ports; through the loaded program, byte for byte.
 */
#include "tests/bpf/fixture.h"

#define C4   "198.51.100.7"
#define C6   "2001:db8:c::7"
#define VIP4 "192.0.2.10"
#define VIP6 "2001:db8::10"

#define UDP IPPROTO_UDP

#define BY_TUPLE 1 /* what the slots say */
#define BY_ID    2

static void serve(uint8_t id_length, uint8_t flags)
{
	const char *vips[] = {VIP4, VIP6};

	for (int i = 0; i < 2; i++) {
		struct service service = {
			.address = address_of(vips[i]),
			.port_be = htons(443),
			.protocol = UDP,
			.kind = SERVICE_KIND_PORT,
			.affinity = AFFINITY_QUIC,
			.encap = ENCAP_GUE,
			.flags = flags,
			.quic_server_id_length = id_length,
		};

		fixture_service(service);
		service = (struct service){.address = service.address,
					   .kind = SERVICE_KIND_ADDRESS};
		fixture_service(service);
	}
}

static struct spec packet_of(const char *client, uint16_t port, const uint8_t *body, int length)
{
	static uint8_t udp[256];
	const char *vip = strchr(client, ':') ? VIP6 : VIP4;
	struct address from = address_of(client), to = address_of(vip);
	uint16_t sum;

	put16(udp, port);
	put16(udp + 2, 443);
	put16(udp + 4, 8 + length);
	put16(udp + 6, 0);
	memcpy(udp + 8, body, length);
	sum = sum_l4(&from, &to, !strchr(client, ':'), UDP, udp, 8 + length);
	put16(udp + 6, sum ? sum : 0xffff);
	return (struct spec){client, vip, UDP, port, 443, .body = udp, .payload = 8 + length};
}

static void goes_to(const char *name, const char *client, uint16_t port, const void *body,
		    int length, uint16_t backend)
{
	struct spec spec = packet_of(client, port, body, length);
	struct wrap wrap = {backend, 1, ENCAP_GUE, .hash = spec_hash(&spec)};
	struct frame in, want;

	frame_build(&in, &spec);
	frame_wrap(&want, &in, in.length - in.l3, &wrap);
	fixture_run(name, &in, VERDICT_FORWARD_TX, &want);
}

struct row {
	const char *name;
	uint8_t id_length;
	const char *bytes;
	int length;
	uint16_t backend;
};

#define NONCE "\xa1\xa2\xa3\xa4"
#define V1    "\0\0\0\1"
#define V2    "\x6b\x33\x43\xcf"
#define BODY(text) text, sizeof(text) - 1

static void by_connection_id(void **state)
{
	static const struct row rows[] = {
		{"short header", 2, BODY("\x40\x00\x00\x02" NONCE), BY_ID},
		{"short header, more behind", 2, BODY("\x5f\x1f\x00\x02" NONCE "data"), BY_ID},
		{"short, greased fixed bit", 2, BODY("\x00\x00\x00\x02" NONCE), BY_ID},
		{"configuration 6", 2, BODY("\x40\xc0\x00\x02" NONCE), BY_ID},
		{"configuration 7: not to be read", 2, BODY("\x40\xe0\x00\x02" NONCE), BY_TUPLE},
		{"id of one byte", 1, BODY("\x40\x00\x02" NONCE), BY_ID},
		{"id of 15", 15, BODY("\x40\x00\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x02" NONCE), BY_ID},
		{"id of 3, too large", 3, BODY("\x40\x00\x01\x00\x02" NONCE), BY_TUPLE},
		{"id 0", 2, BODY("\x40\x00\x00\x00" NONCE), BY_TUPLE},
		{"id of nobody", 2, BODY("\x40\x00\x00\x09" NONCE), BY_TUPLE},
		{"id beyond the map", 2, BODY("\x40\x00\xff\xff" NONCE), BY_TUPLE},
		{"nonce too short", 2, BODY("\x40\x00\x00\x02\xa1\xa2\xa3"), BY_TUPLE},
		{"nothing", 2, BODY(""), BY_TUPLE},
		{"one byte", 2, BODY("\x40"), BY_TUPLE},
		{"Handshake", 2, BODY("\xe0" V1 "\x07\x00\x00\x02" NONCE "\x00"), BY_ID},
		{"Handshake, version 2", 2, BODY("\xf0" V2 "\x07\x00\x00\x02" NONCE), BY_ID},
		{"Handshake, id of 20", 2,
		 BODY("\xe0" V1 "\x14\x00\x00\x02" NONCE "123456789abcd"), BY_ID},
		{"id of 21", 2, BODY("\xe0" V1 "\x15\x00\x00\x02" NONCE "123456789abcde"), BY_TUPLE},
		{"connection ID is cut", 2, BODY("\xe0" V1 "\x08\x00\x00\x02" NONCE), BY_TUPLE},
		{"connection ID too short", 2, BODY("\xe0" V1 "\x06\x00\x00\x02\1\2\3\4"), BY_TUPLE},
		{"Initial: the client's own", 2, BODY("\xc0" V1 "\x08\x00\x00\x02" NONCE "x"), BY_TUPLE},
		{"0-RTT", 2, BODY("\xd0" V1 "\x08\x00\x00\x02" NONCE "x"), BY_TUPLE},
		{"Retry", 2, BODY("\xf0" V1 "\x08\x00\x00\x02" NONCE "x"), BY_TUPLE},
		{"Initial, version 2", 2, BODY("\xd0" V2 "\x08\x00\x00\x02" NONCE "x"), BY_TUPLE},
		{"0-RTT, version 2", 2, BODY("\xe0" V2 "\x08\x00\x00\x02" NONCE "x"), BY_TUPLE},
		{"version negotiation", 2, BODY("\xe0\0\0\0\0\x08\x00\x00\x02" NONCE "x"), BY_TUPLE},
		{"unknown version", 2, BODY("\xe0\xba\xba\xba\xba\x08\x00\x00\x02" NONCE "x"), BY_TUPLE},
		{"garbage", 2, BODY("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), BY_TUPLE},
	};

	fixture_slots(BY_TUPLE, 0, 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];

		serve(row->id_length, 0);
		goes_to(row->name, C4, 5000, row->bytes, row->length, row->backend);
		goes_to(row->name, C6, 5000, row->bytes, row->length, row->backend);
	}
}

/* One connection: its Initial by the slot, then by the ID that the backend gave it, from wherever
 * the client is, whatever the slots do. */
static void a_client_moves(void **state)
{
	static const char initial[] = "\xc3" V1 "\x08\x83\x94\xc8\xf0\x3e\x51\x57\x08";
	static const char handshake[] = "\xe1" V1 "\x0a\x20\x00\x01\x11\x22\x33\x44\x55\x66\x77";
	static const char data[] = "\x51\x20\x00\x01\x11\x22\x33\x44\x55\x66\x77 data";
	const char *clients[] = {C4, "203.0.113.77", "192.168.4.4", C6};

	serve(2, SERVICE_TRACK_UDP);
	fixture_slots(1, 0, 0);
	goes_to("initial", C4, 6000, initial, sizeof(initial) - 1, 1);
	fixture_slots(2, 1, 1);
	goes_to("initial again: noted", C4, 6000, initial, sizeof(initial) - 1, 1);
	goes_to("another's initial: the new owner", C4, 6001, initial, sizeof(initial) - 1, 2);
	goes_to("handshake", C4, 6000, handshake, sizeof(handshake) - 1, 1);
	fixture_slots(3, 0, 0);
	for (int i = 0; i < 4; i++)
		goes_to("data", clients[i], (uint16_t)(7000 + i), data, sizeof(data) - 1, 1);
}

static void a_backend_drains_and_goes(void **state)
{
	static const char data[] = "\x51\x20\x00\x02\x11\x22\x33\x44\x55\x66\x77 data";
	struct backend backend = fixture_backend(2);

	serve(2, 0);
	fixture_slots(1, 0, 0);
	backend.state = BACKEND_STATE_DRAIN;
	fixture_put_backend(&backend);
	goes_to("drains", C4, 8000, data, sizeof(data) - 1, 2);
	backend.state = BACKEND_STATE_FREE;
	fixture_put_backend(&backend);
	goes_to("gone: the slot's", C4, 8000, data, sizeof(data) - 1, 1);
	backend.state = BACKEND_STATE_READY;
	fixture_put_backend(&backend);
}

/* Fragments, whose later ones have no connection ID. */
static void what_is_no_quic(void **state)
{
	static const uint8_t body[64] = {0x1f, 0x40, 1, 0xbb, 0, 200, 0, 0, 0x40, 0, 0, 2, 1, 2, 3, 4};
	struct spec spec = {C4, VIP4, UDP, 8000, 443, .piece = PIECE_FIRST, .body = body,
			    .payload = sizeof(body)};
	struct wrap wrap = {BY_TUPLE, 1, ENCAP_GUE, .hash = spec_hash(&spec)};
	struct frame in, want;

	serve(2, 0);
	fixture_slots(BY_TUPLE, 0, 0);
	frame_build(&in, &spec);
	frame_wrap(&want, &in, in.length - in.l3, &wrap);
	fixture_run("first fragment", &in, VERDICT_FORWARD_TX, &want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_connection_id),
		cmocka_unit_test(a_client_moves),
		cmocka_unit_test(a_backend_drains_and_goes),
		cmocka_unit_test(what_is_no_quic),
	};

	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
