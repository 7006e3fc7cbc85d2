// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_nexthop: next hops as the real kernel tells them, in two network namespaces of this process'
 * own.
 *
 *   here                               there (a second namespace, held by a descriptor)
 *   e0 10.9.0.1/24 fd09::1/64  -----   p0 10.9.0.2, .3, .4   fd09::2    routes 10.20.0.0/16
 * by 10.9.0.2 e1 10.8.0.1/24             -----   p1 10.8.0.2
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <ev.h>
#include <net/if.h>

#include "controller/config.h"
#include "controller/nexthop.h"

#define WAIT_S 20. /* no answer by then: it is not coming */
#define IDS    70

static int here, there;
static struct ev_loop *loop;

static struct {
	uint32_t calls;
	struct nexthop_result last;
} told[IDS];

static void on_change(void *ctx, uint32_t id, const struct nexthop_result *result)
{
	assert_true(id < IDS);
	told[id].calls++;
	told[id].last = *result;
}

static void run(const char *command)
{
	if (system(command) != 0)
		fail_msg("%s", command);
}

static void run_there(const char *command)
{
	assert_int_equal(setns(there, CLONE_NEWNET), 0);
	run(command);
	assert_int_equal(setns(here, CLONE_NEWNET), 0);
}

static void on_deadline(struct ev_loop *l, ev_timer *timer, int events)
{
	*(bool *)timer->data = true;
}

/* Runs the loop until `good` says so, or fails the test. */
static void wait_until(bool (*good)(uint32_t id), uint32_t id, const char *what)
{
	bool late = false;
	ev_timer deadline;

	ev_timer_init(&deadline, on_deadline, WAIT_S, 0.);
	deadline.data = &late;
	ev_timer_start(loop, &deadline);
	while (!good(id) && !late)
		ev_run(loop, EVRUN_ONCE);
	ev_timer_stop(loop, &deadline);
	if (late)
		fail_msg("waited in vain: %s", what);
}

static bool resolved(uint32_t id)
{
	return told[id].last.resolved;
}

static bool unresolved(uint32_t id)
{
	return told[id].calls && !told[id].last.resolved;
}

static void read_mac(const char *ifname, int ns, uint8_t ret_mac[6])
{
	char path[64], text[32];
	unsigned int b[6];
	FILE *f;

	/* /sys shows the namespace of whoever mounted it: ask ip instead. */
	assert_int_equal(setns(ns, CLONE_NEWNET), 0);
	snprintf(path, sizeof(path), "ip -o link show %s | sed 's/.*ether //; s/ .*//'", ifname);
	f = popen(path, "r");
	assert_non_null(f);
	assert_non_null(fgets(text, sizeof(text), f));
	pclose(f);
	assert_int_equal(setns(here, CLONE_NEWNET), 0);
	assert_int_equal(sscanf(text, "%x:%x:%x:%x:%x:%x", b, b + 1, b + 2, b + 3, b + 4, b + 5),
			 6);
	for (int i = 0; i < 6; i++)
		ret_mac[i] = (uint8_t)b[i];
}

static struct address address_of(const char *text)
{
	struct address address;

	assert_int_equal(address_parse(text, &address), 0);
	return address;
}

static void follow(struct nexthops *n, uint32_t id, const char *text)
{
	struct address address = address_of(text);
	struct err err = {};

	if (nexthops_follow(n, id, &address, &err))
		fail_msg("%s", err.text);
}

static void expect_path(uint32_t id, const char *ifname, const char *peer)
{
	uint8_t mac[6];

	assert_int_equal(told[id].last.ifindex, if_nametoindex(ifname));
	read_mac(ifname, here, mac);
	assert_memory_equal(told[id].last.source, mac, 6);
	read_mac(peer, there, mac);
	assert_memory_equal(told[id].last.destination, mac, 6);
}

static int set_up(void **state)
{
	static struct nexthops *n;
	struct err err = {};

	run("ip link set lo up; ip link add e0 type veth peer name p0; ip link add e1 type veth "
	    "peer name p1");
	run("for i in e0 e1; do sysctl -qw net.ipv6.conf.$i.accept_dad=0 "
	    "net.ipv6.conf.$i.dad_transmits=0; done");
	run("ip addr add 10.9.0.1/24 dev e0; ip addr add fd09::1/64 dev e0 nodad; ip addr add "
	    "10.8.0.1/24 dev e1");
	run("ip link set e0 mtu 1600 up; ip link set e1 up");
	/* 1 is this process: the shell's parent cannot be named here, so the peer's namespace goes
	 * by its descriptor. */
	{
		char command[128];

		snprintf(command, sizeof(command),
			 "ip link set p0 netns /proc/%d/fd/%d; ip link set p1 netns /proc/%d/fd/%d",
			 (int)getpid(), there, (int)getpid(), there);
		run(command);
	}
	run_there("for i in p0 p1; do sysctl -qw net.ipv6.conf.$i.accept_dad=0 "
		  "net.ipv6.conf.$i.dad_transmits=0; "
		  "done; ip link set p0 mtu 1600 up; ip link set p1 up; for a in 2 3 4; do ip addr "
		  "add "
		  "10.9.0.$a/24 dev p0; done; ip addr add fd09::2/64 dev p0 nodad; ip addr add "
		  "10.8.0.2/24 dev p1");
	run("ip route add 10.20.0.0/16 via 10.9.0.2");
	memset(told, 0, sizeof(told));
	if (nexthops_new(loop, on_change, NULL, &err, &n))
		fail_msg("%s", err.text);
	*state = n;
	return 0;
}

static int tear_down(void **state)
{
	nexthops_free(*state);
	run("ip link del e0; ip link del e1");
	return 0;
}

static void test_on_link(void **state)
{
	struct address source;

	follow(*state, 1, "10.9.0.2");
	wait_until(resolved, 1, "a neighbour nobody had asked for");
	expect_path(1, "e0", "p0");
	assert_int_equal(told[1].last.mtu_bytes, 1600);
	assert_int_equal(told[1].last.vlan, 0);
	source = address_of("10.9.0.1");
	assert_memory_equal(&told[1].last.source_address, &source, sizeof(source));
}

static void test_by_gateway(void **state)
{
	follow(*state, 1, "10.20.3.4");
	follow(*state, 2, "10.20.3.5");
	wait_until(resolved, 1, "by gateway");
	expect_path(1, "e0", "p0");
	assert_true(resolved(2)); /* the same neighbour tells both */
}

static void test_ipv6(void **state)
{
	run("ip -6 route add fd20::/32 via fd09::2 mtu 1400");
	follow(*state, 1, "fd09::2");
	follow(*state, 2, "fd20::7");
	wait_until(resolved, 1, "IPv6 on-link");
	wait_until(resolved, 2, "IPv6 by gateway");
	expect_path(1, "e0", "p0");
	expect_path(2, "e0", "p0");
	assert_int_equal(told[2].last.mtu_bytes, 1400);
	assert_int_equal(told[1].last.source_address.bytes[15], 1);
	assert_int_equal(told[1].last.source_address.bytes[0], 0xfd);
}

static void test_ipv4_by_ipv6_gateway(void **state)
{
	run("ip route add 10.30.0.0/16 via inet6 fd09::2 dev e0");
	follow(*state, 1, "10.30.0.1");
	wait_until(resolved, 1, "an IPv4 route by an IPv6 gateway");
	expect_path(1, "e0", "p0");
}

static uint8_t wanted_mac[6];

static bool has_wanted_mac(uint32_t id)
{
	return !memcmp(told[id].last.destination, wanted_mac, 6);
}

static void test_mac_change_is_followed(void **state)
{
	static const uint8_t mac[6] = {2, 0, 0, 0, 9, 9};

	follow(*state, 1, "10.9.0.2");
	wait_until(resolved, 1, "first");
	run_there("ip link set p0 down");
	/* A carrier that is back before the kernel looked was never gone for its neighbours. (Its state is no
	 * word to wait for: DOWN or LOWERLAYERDOWN, by whether the two ends happen to have one ifindex.) */
	run("until ip -o link show e0 | grep -q NO-CARRIER; do sleep 0.01; done");
	run_there("ip link set p0 address 02:00:00:00:09:09; ip link set p0 up");
	memcpy(wanted_mac, mac, 6);
	/* No gratuitous ARP was sent; the carrier went and came, which makes the kernel ask anew.
	 */
	wait_until(has_wanted_mac, 1, "the new MAC");
	assert_true(resolved(1));
	run("ip link set e0 address 02:00:00:00:08:08");
	read_mac("e0", here, wanted_mac);
	while (memcmp(told[1].last.source, wanted_mac, 6))
		ev_run(loop, EVRUN_ONCE);
}

static void test_missing_neighbour_fails_then_comes(void **state)
{
	run("sysctl -qw net.ipv4.neigh.e0.retrans_time_ms=50");
	follow(*state, 1, "10.9.0.77");
	wait_until(unresolved, 1, "nobody there");
	run_there("ip addr add 10.9.0.77/24 dev p0");
	wait_until(resolved, 1, "somebody came, asked again");
	expect_path(1, "e0", "p0");
}

/* Flushing is no loss: the MAC may still be right, and is asked for again. */
static void test_flush_is_no_loss(void **state)
{
	uint32_t calls;

	follow(*state, 1, "10.9.0.2");
	wait_until(resolved, 1, "first");
	calls = told[1].calls;
	for (int i = 0; i < 5; i++) {
		run("ip neigh flush dev e0");
		for (int k = 0; k < 3; k++)
			ev_run(loop, EVRUN_ONCE);
	}
	assert_int_equal(told[1].calls, calls);
	run("ip neigh show dev e0 | grep -q 10.9.0.2");
}

static void test_dead_neighbour_is_told_once(void **state)
{
	run("sysctl -qw net.ipv4.neigh.e0.retrans_time_ms=50");
	follow(*state, 1, "10.9.0.4");
	wait_until(resolved, 1, "first");
	run_there("ip addr del 10.9.0.4/24 dev p0");
	run("ip neigh flush dev e0");
	wait_until(unresolved, 1, "gone");
	assert_int_equal(told[1].calls, 2);
	assert_int_not_equal(told[1].last.ifindex, 0); /* the last that was known */
}

static bool by_e1(uint32_t id)
{
	return told[id].last.resolved && told[id].last.ifindex == if_nametoindex("e1");
}

static void test_route_change(void **state)
{
	for (uint32_t id = 0; id < IDS; id++) {
		char text[32];

		snprintf(text, sizeof(text), "10.20.0.%u", id + 1);
		follow(*state, id, text);
	}
	wait_until(resolved, IDS - 1, "by e0");
	run("ip route replace 10.20.0.0/16 via 10.8.0.2");
	for (uint32_t id = 0; id < IDS; id++)
		wait_until(by_e1, id, "by e1");
	expect_path(5, "e1", "p1");
	/* A more specific route moves one of them alone. */
	run("ip route add 10.20.0.6/32 via 10.9.0.3");
	while (told[5].last.ifindex != if_nametoindex("e0"))
		ev_run(loop, EVRUN_ONCE);
	assert_true(by_e1(4));
	run("ip route del 10.20.0.0/16");
	wait_until(unresolved, 4, "no route");
	assert_true(resolved(5));
}

static void test_link_down_and_up(void **state)
{
	follow(*state, 1, "10.9.0.2");
	follow(*state, 2, "10.8.0.2");
	wait_until(resolved, 1, "first");
	wait_until(resolved, 2, "second");
	run("ip link set e0 down");
	wait_until(unresolved, 1, "down");
	assert_true(resolved(2));
	run("ip link set e0 up");
	wait_until(resolved, 1, "up again");
	run_there("ip link set p0 down"); /* carrier lost */
	wait_until(unresolved, 1, "no carrier");
	run_there("ip link set p0 up");
	wait_until(resolved, 1, "carrier again");
	run("ip link del e1; ip link add e1 type dummy 2>/dev/null || ip link add e1 type veth "
	    "peer name x1");
	wait_until(unresolved, 2, "the interface is gone");
}

static void test_no_answer_is_an_answer(void **state)
{
	follow(*state, 1, "172.31.0.1"); /* no route */
	assert_true(unresolved(1));
	follow(*state, 2, "10.9.0.1"); /* ourselves */
	assert_true(unresolved(2));
	follow(*state, 1, "10.9.0.3"); /* changed */
	wait_until(resolved, 1, "another address under the same id");
	nexthops_forget(*state, 1);
	nexthops_forget(*state, 1);
	nexthops_forget(*state, 69);
}

static void test_resync(void **state)
{
	struct err err = {};
	uint32_t calls;

	follow(*state, 1, "10.9.0.2");
	wait_until(resolved, 1, "first");
	calls = told[1].calls;
	assert_int_equal(nexthops_resync(*state, &err), 0);
	for (int k = 0; k < 3; k++)
		ev_run(loop, EVRUN_ONCE);
	assert_int_equal(told[1].calls, calls); /* nothing changed, nothing told */
	/* What happened unseen is found: the listening socket is not read in between. */
	run("ip link set e0 address 02:00:00:00:07:07");
	assert_int_equal(nexthops_resync(*state, &err), 0);
	assert_int_equal(told[1].last.source[5], 7);
}

static void test_vlan(void **state)
{
	if (system("ip link add link e0 name e0.7 type vlan id 7 2>/dev/null"))
		skip(); /* this kernel has none */
	run("ip addr add 10.7.0.1/24 dev e0.7; ip link set e0.7 up");
	run_there("ip link add link p0 name p0.7 type vlan id 7; ip addr add 10.7.0.2/24 dev p0.7; "
		  "ip link set p0.7 up");
	follow(*state, 1, "10.7.0.2");
	wait_until(resolved, 1, "over a VLAN");
	assert_int_equal(told[1].last.vlan, 7);
	assert_int_equal(told[1].last.ifindex, if_nametoindex("e0"));
}

static void test_bounds(void **state)
{
	struct address address = address_of("10.9.0.2");
	struct err err = {};

	assert_int_equal(nexthops_follow(*state, 65536, &address, &err), -ERANGE);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(on_link),
		TEST(by_gateway),
		TEST(ipv6),
		TEST(ipv4_by_ipv6_gateway),
		TEST(mac_change_is_followed),
		TEST(missing_neighbour_fails_then_comes),
		TEST(flush_is_no_loss),
		TEST(dead_neighbour_is_told_once),
		TEST(route_change),
		TEST(link_down_and_up),
		TEST(no_answer_is_an_answer),
		TEST(resync),
		TEST(vlan),
		TEST(bounds),
	};

	if (unshare(CLONE_NEWNET)) {
		perror("a network namespace of its own (root is needed)");
		return 1;
	}
	there = open("/proc/self/ns/net", O_RDONLY);
	if (there < 0 || unshare(CLONE_NEWNET))
		return 1;
	here = open("/proc/self/ns/net", O_RDONLY);
	alarm(300); /* a hang is a failure */
	loop = ev_default_loop(0);
	if (here < 0 || !loop)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
