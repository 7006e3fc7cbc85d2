// SPDX-License-Identifier: GPL-2.0-or-later
/* config: what is refused, and the exact line and column, name and allowed values that a person is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controller/config.h"

/* Each is one line, so a row's own text starts at line 2, 3 or 4. */
#define EDGE	 "edge: {name: e, hash_seed: 0x1, interfaces: [{name: eth0}]}\n"
#define PROVIDER "providers: [{name: p, regions: [{name: r, backends: [{name: b, address: 10.0.0.1}]}]}]\n"
#define POOL	 "pools: [{name: a, tiers: [[p/r]]}]\n"

/* clang-format off */
static const struct {
	const char *name, *given, *want;
} rows[] = {
	{"empty file",
	 "",
	 "t.yaml:1:1: the file is empty; it needs at least `edge:`\n"},
	{"only a comment",
	 "# nothing here\n",
	 "t.yaml:1:1: the file is empty; it needs at least `edge:`\n"},
	{"empty document",
	 "---\n"
	 "...\n",
	 "t.yaml:2:1: has no value; a mapping is needed\n"},
	{"list on top",
	 "- a\n"
	 "- b\n",
	 "t.yaml:1:1: is a list; a mapping is needed\n"},
	{"scalar on top",
	 "ebb\n",
	 "t.yaml:1:1: is a plain value; a mapping is needed\n"},
	{"no edge",
	 "health: {tick: 1s}\n",
	 "t.yaml:1:1: key \"edge\" is missing\n"},
	{"unclosed list",
	 "edge: [1, 2\n"
	 "health: x\n",
	 "t.yaml:2:7: not valid YAML: did not find expected ',' or ']', while parsing a flow sequence\n"},
	{"tab for indentation",
	 "edge:\n"
	 "\tname: e\n",
	 "t.yaml:2:1: not valid YAML: found character that cannot start any token, while scanning for the next token\n"},
	{"two documents",
	 EDGE "---\n"
	 EDGE,
	 "t.yaml:2:1: a second document in one file\n"},
	{"anchor",
	 "edge: &a {name: e}\n",
	 "t.yaml:1:7: anchors (&name) are not allowed\n"},
	{"alias",
	 "edge: {name: *a}\n",
	 "t.yaml:1:14: aliases (*name) are not allowed\n"},
	{"tag",
	 "edge: !!map {name: e}\n",
	 "t.yaml:1:7: tags (!name) are not allowed\n"},
	{"merge key",
	 EDGE "health:\n"
	 "  <<: {tick: 1s}\n",
	 "t.yaml:3:3: health: unknown key \"<<\"; allowed: tick, observe, down, up, evidence, bad, good, return_floor, return_jitter, trial, handshake_rate, latency, smoothing, flap, probe, report\n"},
	{"deep nesting",
	 "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
	 "t.yaml:1:16: nested too deeply\n"},
	{"not UTF-8",
	 "edge: {name: é\xff" "}\n",
	 "t.yaml:1:15: neither UTF-8 nor printable text: invalid leading UTF-8 octet (byte 0xff)\n"},
	{"escaped NUL",
	 "edge: {name: \"a\\0b\", hash_seed: 0x1, interfaces: [{name: eth0}]}\n",
	 "t.yaml:1:14: edge.name: contains control characters\n"},
	{"unknown key on top",
	 EDGE "helth: {}\n",
	 "t.yaml:2:1: unknown key \"helth\"; allowed: edge, health, weights, providers, pools, services, http, fleet\n"},
	{"unknown key in a mapping",
	 EDGE "health:\n"
	 "  probe: {type: tcp, prt: 80}\n",
	 "t.yaml:3:22: health.probe: unknown key \"prt\"; allowed: type, port, path, host, interval, timeout, rise, fall, fall_timeouts\n"},
	{"unknown key in a list",
	 EDGE "providers:\n"
	 "  - name: p\n"
	 "    region: []\n",
	 "t.yaml:4:5: providers[0]: unknown key \"region\"; allowed: name, regions\n"},
	{"key is a list",
	 EDGE "[a]: 1\n",
	 "t.yaml:2:1: a key is a list; allowed: edge, health, weights, providers, pools, services, http, fleet\n"},
	{"key twice",
	 EDGE "health: {tick: 1s, tick: 2s}\n",
	 "t.yaml:2:20: health: key \"tick\" twice in one mapping\n"},
	{"no value",
	 EDGE "health:\n",
	 "t.yaml:2:8: health: has no value; a mapping is needed\n"},
	{"null",
	 EDGE "health: {tick: ~}\n",
	 "t.yaml:2:16: health.tick: has no value; a plain value is needed\n"},
	{"list for a mapping",
	 EDGE "health: [1]\n",
	 "t.yaml:2:9: health: is a list; a mapping is needed\n"},
	{"mapping for a list",
	 EDGE "providers: {name: p}\n",
	 "t.yaml:2:12: providers: is a mapping; a list is needed\n"},
	{"list for a value",
	 EDGE "health: {tick: [1s]}\n",
	 "t.yaml:2:16: health.tick: is a list; a plain value is needed\n"},
	{"edge keys missing",
	 "edge: {}\n",
	 "t.yaml:1:7: edge: key \"name\" is missing\n"
	 "t.yaml:1:7: edge: key \"interfaces\" is missing\n"
	 "t.yaml:1:7: edge: key \"hash_seed\" is missing\n"},
	{"edge name",
	 "edge: {name: e/1, hash_seed: 0x1, interfaces: [{name: eth0}]}\n",
	 "t.yaml:1:14: edge.name: \"e/1\" is not a name of 1 to 63 of A-Z a-z 0-9 . _ -\n"},
	{"hash_seed decimal",
	 "edge: {name: e, hash_seed: 12345, interfaces: [{name: eth0}]}\n",
	 "t.yaml:1:28: edge.hash_seed: \"12345\" is not a hexadecimal number of 64 bits other than 0, such as 0x5eed5eed5eed5eed\n"},
	{"hash_seed zero",
	 "edge: {name: e, hash_seed: 0x0, interfaces: [{name: eth0}]}\n",
	 "t.yaml:1:28: edge.hash_seed: \"0x0\" is not a hexadecimal number of 64 bits other than 0, such as 0x5eed5eed5eed5eed\n"},
	{"hash_seed too long",
	 "edge: {name: e, hash_seed: 0x12345678901234567, interfaces: [{name: eth0}]}\n",
	 "t.yaml:1:28: edge.hash_seed: \"0x12345678901234567\" is not a hexadecimal number of 64 bits other than 0, such as 0x5eed5eed5eed5eed\n"},
	{"no interfaces",
	 "edge: {name: e, hash_seed: 0x1, interfaces: []}\n",
	 "t.yaml:1:45: edge.interfaces: is empty; at least one interface is needed\n"},
	{"interface twice",
	 "edge: {name: e, hash_seed: 0x1, interfaces: [{name: eth0}, {name: eth1}, {name: eth0}]}\n",
	 "t.yaml:1:81: edge.interfaces[2].name: interface \"eth0\" is already edge.interfaces[0]\n"},
	{"interface name too long",
	 "edge: {name: e, hash_seed: 0x1, interfaces: [{name: abcdefghijklmnop}]}\n",
	 "t.yaml:1:53: edge.interfaces[0].name: \"abcdefghijklmnop\" is not the name of an interface (1 to 15 bytes)\n"},
	{"interface mode",
	 "edge: {name: e, hash_seed: 0x1, interfaces: [{name: eth0, mode: fast}]}\n",
	 "t.yaml:1:65: edge.interfaces[0].mode: \"fast\" is not one of: auto, native, generic\n"},
	{"source of the wrong family",
	 "edge: {source: {ipv4: \"fd00::1\", ipv6: 10.0.0.1}, name: e, hash_seed: 0x1, interfaces: [{name: eth0}]}\n",
	 "t.yaml:1:23: edge.source.ipv4: \"fd00::1\" is an IPv6 address; an IPv4 address is needed\n"
	 "t.yaml:1:40: edge.source.ipv6: \"10.0.0.1\" is an IPv4 address; an IPv6 address is needed\n"},
	{"source multicast",
	 "edge: {source: {ipv4: 224.0.0.1}, name: e, hash_seed: 0x1, interfaces: [{name: eth0}]}\n",
	 "t.yaml:1:23: edge.source.ipv4: \"224.0.0.1\" is multicast, reserved or broadcast; a unicast address is needed\n"},
	{"flows no power of two",
	 "edge: {flows: 100000, name: e, hash_seed: 0x1, interfaces: [{name: eth0}]}\n",
	 "t.yaml:1:15: edge.flows: 100000 is not a power of two\n"},
	{"sandboxes too many",
	 "edge: {sandboxes: 2000000, name: e, hash_seed: 0x1, interfaces: [{name: eth0}]}\n",
	 "t.yaml:1:19: edge.sandboxes: \"2000000\" is not a whole number from 1024 to 1048576\n"},
	{"flows too many",
	 "edge: {flows: 134217728, name: e, hash_seed: 0x1, interfaces: [{name: eth0}]}\n",
	 "t.yaml:1:15: edge.flows: \"134217728\" is not a whole number from 1024 to 67108864\n"},
	{"edge.slots too few for the pools",
	 "edge: {slots: 1000, name: e, hash_seed: 0x1, interfaces: [{name: eth0}]}\n"
	 "providers: [{name: p, regions: [{name: r, backends: [{name: b, address: 10.0.0.1}]}]}]\n"
	 "pools: [{name: a, tiers: [[p/r]]}]\n",
	 "t.yaml:1:15: edge.slots: 1000 slots, but the pools need 65536\n"},
	{"edge.backends too few",
	 "edge: {backends: 5, name: e, hash_seed: 0x1, interfaces: [{name: eth0}]}\n",
	 "t.yaml:1:18: edge.backends: \"5\" is not a whole number from 64 to 65536\n"},
	{"tick not a duration",
	 EDGE "health: {tick: 100}\n",
	 "t.yaml:2:16: health.tick: \"100\" is not a duration from 10ms to 10s, such as 100ms, 5s or 2h\n"},
	{"tick negative",
	 EDGE "health: {tick: -1s}\n",
	 "t.yaml:2:16: health.tick: \"-1s\" is not a duration from 10ms to 10s, such as 100ms, 5s or 2h\n"},
	{"tick too long",
	 EDGE "health: {tick: 1h}\n",
	 "t.yaml:2:16: health.tick: \"1h\" is not a duration from 10ms to 10s, such as 100ms, 5s or 2h\n"},
	{"never where it is not allowed",
	 EDGE "health: {up: never}\n",
	 "t.yaml:2:14: health.up: \"never\" is not a duration from 10ms to 1d, such as 100ms, 5s or 2h\n"},
	{"bad above good",
	 EDGE "health: {bad: 96%}\n",
	 "t.yaml:2:15: health.bad: `bad` (0.96) must be below `good` (0.95)\n"},
	{"ratio too big",
	 EDGE "health: {good: 101%}\n",
	 "t.yaml:2:16: health.good: \"101%\" is not a ratio from 0 to 1, such as 0.3 or 30%\n"},
	{"ratio with junk",
	 EDGE "health: {good: 90%%}\n",
	 "t.yaml:2:16: health.good: \"90%%\" is not a ratio from 0 to 1, such as 0.3 or 30%\n"},
	{"evidence zero",
	 EDGE "health: {evidence: 0}\n",
	 "t.yaml:2:20: health.evidence: \"0\" is not a number from 0.001 to 1000000\n"},
	{"smoothing and down",
	 EDGE "health: {down: 1s, smoothing: {alpha: 0.3, interval: 1s}}\n",
	 "t.yaml:2:31: health.smoothing: is another way to write `down`; give one of both\n"},
	{"smoothing alpha",
	 EDGE "health: {smoothing: {alpha: 1, interval: 1s}}\n",
	 "t.yaml:2:29: health.smoothing.alpha: \"1\" is not a ratio from 0.001 to 0.999, such as 0.3 or 30%\n"},
	{"smoothing out of range",
	 EDGE "health: {smoothing: {alpha: 0.001, interval: 1h}}\n",
	 "t.yaml:2:21: health.smoothing: gives a `down` of 3598199.7s; from 10ms to 1d is allowed\n"},
	{"probe type",
	 EDGE "health: {probe: {type: icmp}}\n",
	 "t.yaml:2:24: health.probe.type: \"icmp\" is not one of: none, tcp, http, https\n"},
	{"probe without port",
	 EDGE "health: {probe: {type: tcp}}\n",
	 "t.yaml:2:17: health.probe: a probe of type tcp needs a `port`\n"},
	{"probe port",
	 EDGE "health: {probe: {type: tcp, port: 65536}}\n",
	 "t.yaml:2:35: health.probe.port: \"65536\" is not a whole number from 1 to 65535\n"},
	{"probe path",
	 EDGE "health: {probe: {type: http, port: 80, path: healthz}}\n",
	 "t.yaml:2:46: health.probe.path: \"healthz\" does not start with /\n"},
	{"report type",
	 EDGE "health: {report: {type: xml}}\n",
	 "t.yaml:2:25: health.report.type: \"xml\" is not one of: none, agent, json, json_https\n"},
	{"report without port",
	 EDGE "health: {report: {type: agent}}\n",
	 "t.yaml:2:18: health.report: reports of type agent need a `port`\n"},
	{"report path of an agent",
	 EDGE "health: {report: {type: agent, port: 80, path: /}}\n",
	 "t.yaml:2:48: health.report.path: is for reports of type json and json_https\n"},
	{"report send of json",
	 EDGE "health: {report: {type: json, port: 80, send: x}}\n",
	 "t.yaml:2:47: health.report.send: is for reports of type agent\n"},
	{"report timeout over interval",
	 EDGE "health: {report: {type: json, port: 80, interval: 500ms}}\n",
	 "t.yaml:2:51: health.report.interval: the timeout (1s) must not be longer than the interval (500ms)\n"},
	{"probe path with a space",
	 EDGE "health: {probe: {type: http, port: 80, path: /a b}}\n",
	 "t.yaml:2:46: health.probe.path: \"/a b\" has a space or a byte beyond ASCII\n"},
	{"probe path of a tcp probe",
	 EDGE "health: {probe: {type: tcp, port: 80, path: /}}\n",
	 "t.yaml:2:45: health.probe.path: is for probes of type http and https\n"},
	{"probe timeout over interval",
	 EDGE "health: {probe: {type: tcp, port: 80, timeout: 2s}}\n",
	 "t.yaml:2:48: health.probe.timeout: the timeout (2s) must not be longer than the interval (1s)\n"},
	{"probe fall zero",
	 EDGE "health: {probe: {type: tcp, port: 80, fall: 0}}\n",
	 "t.yaml:2:45: health.probe.fall: \"0\" is not a whole number from 1 to 1000\n"},
	{"provider name",
	 EDGE "providers: [{name: \"\"}]\n",
	 "t.yaml:2:20: providers[0].name: \"\" is not a name of 1 to 31 of A-Z a-z 0-9 . _ -\n"},
	{"provider name too long",
	 EDGE "providers: [{name: abcdefghijklmnopqrstuvwxyz012345}]\n",
	 "t.yaml:2:20: providers[0].name: \"abcdefghijklmnopqrstuvwxyz012345\" is not a name of 1 to 31 of A-Z a-z 0-9 . _ -\n"},
	{"provider twice",
	 EDGE "providers: [{name: p}, {name: q}, {name: p}]\n",
	 "t.yaml:2:42: providers[2].name: there is another provider of the name \"p\"\n"},
	{"region twice",
	 EDGE "providers: [{name: p, regions: [{name: r}, {name: r}]}, {name: q, regions: [{name: r}]}]\n",
	 "t.yaml:2:51: providers[0].regions[1].name: there is another region of the name \"p/r\"\n"},
	{"backend without address",
	 EDGE "providers: [{name: p, regions: [{name: r, backends: [{name: b}]}]}]\n",
	 "t.yaml:2:54: providers[0].regions[0].backends[0]: key \"address\" is missing\n"},
	{"backend name",
	 EDGE "providers: [{name: p, regions: [{name: r, backends: [{name: \"b 1\", address: 10.0.0.1}]}]}]\n",
	 "t.yaml:2:61: providers[0].regions[0].backends[0].name: \"b 1\" is not a name of 1 to 63 of A-Z a-z 0-9 . _ -\n"},
	{"backend twice",
	 EDGE "providers:\n"
	 "- name: p\n"
	 "  regions:\n"
	 "  - name: r\n"
	 "    backends:\n"
	 "    - {name: b, address: 10.0.0.1}\n"
	 "    - {name: b, address: 10.0.0.2}\n"
	 "  - name: s\n"
	 "    backends:\n"
	 "    - {name: b, address: 10.0.0.3}\n",
	 "t.yaml:8:14: providers[0].regions[0].backends[1].name: there is another backend of the name \"b\"\n"
	 "t.yaml:11:14: providers[0].regions[1].backends[0].name: there is another backend of the name \"b\"\n"},
	{"address of two backends",
	 EDGE "providers:\n"
	 "- name: p\n"
	 "  regions:\n"
	 "  - name: r\n"
	 "    backends:\n"
	 "    - {name: b, address: \"fd00::1\"}\n"
	 "    - {name: c, address: \"fd00:0::1\"}\n",
	 "t.yaml:8:26: providers[0].regions[0].backends[1].address: fd00::1 is the address of backend \"b\" already\n"},
	{"backend address",
	 EDGE "providers: [{name: p, regions: [{name: r, backends: [{name: b, address: 10.0.0.256}]}]}]\n",
	 "t.yaml:2:73: providers[0].regions[0].backends[0].address: \"10.0.0.256\" is not an IPv4 or IPv6 address\n"},
	{"backend address with port",
	 EDGE "providers: [{name: p, regions: [{name: r, backends: [{name: b, address: 10.0.0.1:80}]}]}]\n",
	 "t.yaml:2:73: providers[0].regions[0].backends[0].address: \"10.0.0.1:80\" is not an IPv4 or IPv6 address\n"},
	{"backend address 0.0.0.0",
	 EDGE "providers: [{name: p, regions: [{name: r, backends: [{name: b, address: 0.0.0.0}]}]}]\n",
	 "t.yaml:2:73: providers[0].regions[0].backends[0].address: \"0.0.0.0\" is in 0.0.0.0/8, which names no host\n"},
	{"backend address broadcast",
	 EDGE "providers: [{name: p, regions: [{name: r, backends: [{name: b, address: 255.255.255.255}]}]}]\n",
	 "t.yaml:2:73: providers[0].regions[0].backends[0].address: \"255.255.255.255\" is multicast, reserved or broadcast; a unicast address is needed\n"},
	{"backend address ::",
	 EDGE "providers: [{name: p, regions: [{name: r, backends: [{name: b, address: \"::\"}]}]}]\n",
	 "t.yaml:2:73: providers[0].regions[0].backends[0].address: \"::\" names no host\n"},
	{"backend address multicast",
	 EDGE "providers: [{name: p, regions: [{name: r, backends: [{name: b, address: \"ff02::1\"}]}]}]\n",
	 "t.yaml:2:73: providers[0].regions[0].backends[0].address: \"ff02::1\" is multicast; a unicast address is needed\n"},
	{"backend address link-local",
	 EDGE "providers: [{name: p, regions: [{name: r, backends: [{name: b, address: \"fe80::1\"}]}]}]\n",
	 "t.yaml:2:73: providers[0].regions[0].backends[0].address: \"fe80::1\" is link-local; an address that routes is needed\n"},
	{"backend address mapped",
	 EDGE "providers: [{name: p, regions: [{name: r, backends: [{name: b, address: \"::ffff:10.0.0.1\"}]}]}]\n",
	 "t.yaml:2:73: providers[0].regions[0].backends[0].address: \"::ffff:10.0.0.1\" is an IPv4 address; write it as a.b.c.d\n"},
	{"backend capacity zero",
	 EDGE "providers: [{name: p, regions: [{name: r, backends: [{name: b, address: 10.0.0.1, capacity: 0}]}]}]\n",
	 "t.yaml:2:93: providers[0].regions[0].backends[0].capacity: \"0\" is not a number from 0.001 to 1000000000\n"},
	{"backend capacity negative",
	 EDGE "providers: [{name: p, regions: [{name: r, backends: [{name: b, address: 10.0.0.1, capacity: -5}]}]}]\n",
	 "t.yaml:2:93: providers[0].regions[0].backends[0].capacity: \"-5\" is not a number from 0.001 to 1000000000\n"},
	{"backend capacity not finite",
	 EDGE "providers: [{name: p, regions: [{name: r, backends: [{name: b, address: 10.0.0.1, capacity: .inf}]}]}]\n",
	 "t.yaml:2:93: providers[0].regions[0].backends[0].capacity: \".inf\" is not a number from 0.001 to 1000000000\n"},
	{"backend weight 300 %",
	 EDGE "providers: [{name: p, regions: [{name: r, backends: [{name: b, address: 10.0.0.1, weight: 300%}]}]}]\n",
	 "t.yaml:2:91: providers[0].regions[0].backends[0].weight: \"300%\" is not a ratio from 0 to 1, such as 0.3 or 30%\n"},
	{"pool without tiers",
	 EDGE "pools: [{name: a}]\n",
	 "t.yaml:2:9: pools[0]: key \"tiers\" is missing\n"},
	{"pool twice",
	 EDGE "pools: [{name: a, tiers: []}, {name: a, tiers: []}]\n",
	 "t.yaml:2:38: pools[1].name: there is another pool of the name \"a\"\n"},
	{"unknown region",
	 EDGE PROVIDER "pools:\n"
	 "  - name: a\n"
	 "    tiers: [[p/r], [gcp/europe-west9]]\n",
	 "t.yaml:5:21: pools[0].tiers[1][0]: no region \"gcp/europe-west9\"; known: p/r\n"},
	{"unknown region of many",
	 EDGE "providers: [{name: a, regions: [{name: a-rather-long-name-00}, {name: a-rather-long-name-01}, {name: a-rather-long-name-02}, {name: a-rather-long-name-03}, {name: a-rather-long-name-04}, {name: a-rather-long-name-05}, {name: a-rather-long-name-06}, {name: a-rather-long-name-07}, {name: a-rather-long-name-08}, {name: a-rather-long-name-09}, {name: a-rather-long-name-10}, {name: a-rather-long-name-11}, {name: a-rather-long-name-12}, {name: a-rather-long-name-13}, {name: a-rather-long-name-14}, {name: a-rather-long-name-15}, {name: a-rather-long-name-16}, {name: a-rather-long-name-17}, {name: a-rather-long-name-18}, {name: a-rather-long-name-19}]}]\n"
	 "pools: [{name: a, tiers: [[b/c]]}]\n",
	 "t.yaml:3:28: pools[0].tiers[0][0]: no region \"b/c\"; known: a/a-rather-long-name-00, a/a-rather-long-name-01, a/a-rather-long-name-02, a/a-rather-long-name-03, a/a-rather-long-name-04, a/a-rather-long-name-05, a/a-rather-long-name-06, a/a-rather-long-name-07, a/a-rather-long-name-08, ... (11 more)\n"},
	{"no region at all",
	 EDGE "pools: [{name: a, tiers: [[b/c]]}]\n",
	 "t.yaml:2:28: pools[0].tiers[0][0]: no region \"b/c\"; known: (none)\n"},
	{"region twice in a pool",
	 EDGE PROVIDER "pools: [{name: a, tiers: [[p/r], [p/r]]}]\n",
	 "t.yaml:3:35: pools[0].tiers[1][0]: region \"p/r\" is in this pool already\n"},
	{"tiers not nested",
	 EDGE PROVIDER "pools: [{name: a, tiers: [p/r]}]\n",
	 "t.yaml:3:27: pools[0].tiers[0]: is a plain value; a list of regions is needed\n"},
	{"tier of mappings",
	 EDGE PROVIDER "pools: [{name: a, tiers: [[{p: r}]]}]\n",
	 "t.yaml:3:28: pools[0].tiers[0][0]: is a mapping; a plain value is needed\n"},
	{"empty tier",
	 EDGE PROVIDER "pools: [{name: a, tiers: [[p/r], []]}]\n",
	 "t.yaml:3:34: pools[0].tiers[1]: is empty; a tier has at least one region\n"},
	{"too many tiers",
	 EDGE "pools: [{name: a, tiers: [[p/r], [p/r], [p/r], [p/r], [p/r], [p/r], [p/r], [p/r], [p/r], [p/r], [p/r], [p/r], [p/r], [p/r], [p/r], [p/r], [p/r]]}]\n",
	 "t.yaml:2:26: pools[0].tiers: 17 tiers; at most 16 are allowed\n"},
	{"pool slots zero",
	 EDGE "pools: [{name: a, slots: 0, tiers: []}]\n",
	 "t.yaml:2:26: pools[0].slots: \"0\" is not a whole number from 1 to 4194304\n"},
	{"pool slots too many",
	 EDGE "pools: [{name: a, slots: 4194305, tiers: []}]\n",
	 "t.yaml:2:26: pools[0].slots: \"4194305\" is not a whole number from 1 to 4194304\n"},
	{"slots of all pools",
	 EDGE "pools:\n"
	 "- {name: a0, slots: 4194304, tiers: []}\n"
	 "- {name: a1, slots: 4194304, tiers: []}\n"
	 "- {name: a2, slots: 4194304, tiers: []}\n",
	 "t.yaml:3:1: pools: 12582912 slots in all; at most 8388608 are allowed\n"},
	{"fewer slots than backends",
	 EDGE "providers: [{name: p, regions: [{name: r, backends: [{name: b, address: 10.0.0.1}, {name: c, address: 10.0.0.2}]}]}]\n"
	 "pools: [{name: a, slots: 1, tiers: [[p/r]]}]\n",
	 "t.yaml:3:26: pools[0].slots: 1 slots for 2 backends; each needs one at least\n"},
	{"track",
	 EDGE "pools: [{name: a, tiers: [], track: sometimes}]\n",
	 "t.yaml:2:37: pools[0].track: \"sometimes\" is not one of: moved, always, never\n"},
	{"settle",
	 EDGE "pools: [{name: a, tiers: [], settle: ever}]\n",
	 "t.yaml:2:38: pools[0].settle: \"ever\" is not a duration from 1s to 30d, such as 100ms, 5s or 2h, or `never`\n"},
	{"tick of a pool",
	 EDGE "pools: [{name: a, tiers: [], health: {tick: 1s}}]\n",
	 "t.yaml:2:39: pools[0].health: unknown key \"tick\"; allowed: observe, down, up, evidence, bad, good, return_floor, return_jitter, trial, handshake_rate, latency, smoothing, flap, probe, report\n"},
	{"pools that judge a region differently",
	 EDGE PROVIDER "pools:\n"
	 "- {name: a, tiers: [[p/r]]}\n"
	 "- {name: b, tiers: [[p/r]], health: {up: 31s}}\n",
	 "t.yaml:5:37: pools[1].health: differs from that of pool \"a\", which has region \"p/r\" too; a backend has one health\n"},
	{"service without target",
	 EDGE PROVIDER POOL "services:\n"
	 "- {name: s, pool: a}\n",
	 "t.yaml:5:3: services[0]: needs either `address` or `prefix`\n"},
	{"service with two targets",
	 EDGE PROVIDER POOL "services:\n"
	 "- {name: s, pool: a, address: 192.0.2.1, prefix: 192.0.2.0/24}\n",
	 "t.yaml:5:3: services[0]: needs either `address` or `prefix`, not both\n"},
	{"service of an unknown pool",
	 EDGE PROVIDER POOL "services:\n"
	 "- {name: s, pool: b, address: 192.0.2.1}\n",
	 "t.yaml:5:19: services[0].pool: no pool \"b\"; known: a\n"},
	{"service address",
	 EDGE PROVIDER POOL "services:\n"
	 "- {name: s, pool: a, address: www.example.org}\n",
	 "t.yaml:5:31: services[0].address: \"www.example.org\" is not an IPv4 or IPv6 address\n"},
	{"service port",
	 EDGE PROVIDER POOL "services:\n"
	 "- {name: s, pool: a, address: 192.0.2.1, port: 0}\n",
	 "t.yaml:5:48: services[0].port: \"0\" is not a whole number from 1 to 65535\n"},
	{"service protocol",
	 EDGE PROVIDER POOL "services:\n"
	 "- {name: s, pool: a, address: 192.0.2.1, protocol: sctp}\n",
	 "t.yaml:5:52: services[0].protocol: \"sctp\" is not one of: any, tcp, udp\n"},
	{"service affinity",
	 EDGE PROVIDER POOL "services:\n"
	 "- {name: s, pool: a, address: 192.0.2.1, affinity: cookie}\n",
	 "t.yaml:5:52: services[0].affinity: \"cookie\" is not one of: flow, source, sandbox, quic, none\n"},
	{"service encap",
	 EDGE PROVIDER POOL "services:\n"
	 "- {name: s, pool: a, address: 192.0.2.1, encap: vxlan}\n",
	 "t.yaml:5:49: services[0].encap: \"vxlan\" is not one of: ipip, gue, l2\n"},
	{"service twice by name",
	 EDGE PROVIDER POOL "services:\n"
	 "- {name: s, pool: a, address: 192.0.2.1}\n"
	 "- {name: s, pool: a, address: 192.0.2.2}\n",
	 "t.yaml:6:10: services[1].name: there is another service of the name \"s\"\n"},
	{"service twice by port",
	 EDGE PROVIDER POOL "services:\n"
	 "- {name: s, pool: a, address: 192.0.2.1, port: 53, protocol: any}\n"
	 "- {name: t, pool: a, address: 192.0.2.1, port: 53, protocol: udp}\n",
	 "t.yaml:6:31: services[1].address: 192.0.2.1, port 53, udp is taken by service \"s\" already\n"},
	{"service twice on all ports",
	 EDGE PROVIDER POOL "services:\n"
	 "- {name: s, pool: a, address: 192.0.2.1}\n"
	 "- {name: t, pool: a, address: 192.0.2.1}\n",
	 "t.yaml:6:31: services[1].address: 192.0.2.1, all ports, tcp is taken by service \"s\" already\n"},
	{"prefix twice",
	 EDGE PROVIDER POOL "services:\n"
	 "- {name: s, pool: a, prefix: 192.0.2.0/24}\n"
	 "- {name: t, pool: a, prefix: 192.0.2.0/24}\n",
	 "t.yaml:6:30: services[1].prefix: 192.0.2.0/24 is the prefix of service \"s\" already\n"},
	{"prefix without length",
	 EDGE PROVIDER POOL "services:\n"
	 "- {name: s, pool: a, prefix: 192.0.2.0}\n",
	 "t.yaml:5:30: services[0].prefix: \"192.0.2.0\" is not a prefix such as 192.0.2.0/24 or 2001:db8::/64\n"},
	{"prefix too long",
	 EDGE PROVIDER POOL "services:\n"
	 "- {name: s, pool: a, prefix: 192.0.2.0/33}\n",
	 "t.yaml:5:30: services[0].prefix: \"192.0.2.0/33\" is not a prefix such as 192.0.2.0/24 or 2001:db8::/64\n"},
	{"prefix too wide",
	 EDGE PROVIDER POOL "services:\n"
	 "- {name: s, pool: a, prefix: \"::/0\"}\n",
	 "t.yaml:5:30: services[0].prefix: \"::/0\" is wider than /16, the widest that is allowed\n"},
	{"prefix with host bits",
	 EDGE PROVIDER POOL "services:\n"
	 "- {name: s, pool: a, prefix: \"2001:db8:5b::1/64\"}\n",
	 "t.yaml:5:30: services[0].prefix: \"2001:db8:5b::1/64\" has bits beyond its length; 2001:db8:5b::/64 is meant?\n"},
	{"prefix with port and protocol",
	 EDGE PROVIDER POOL "services:\n"
	 "- {name: s, pool: a, prefix: 192.0.2.0/24, port: 80, protocol: tcp}\n",
	 "t.yaml:5:50: services[0].port: is not for a prefix, which takes all ports\n"
	 "t.yaml:5:64: services[0].protocol: a prefix takes both protocols; `any` is allowed\n"},
	{"prefixes of too many lengths",
	 EDGE PROVIDER POOL "services:\n"
	 "- {name: s0, pool: a, prefix: \"2001:db8::/40\"}\n"
	 "- {name: s1, pool: a, prefix: \"2001:db8::/41\"}\n"
	 "- {name: s2, pool: a, prefix: \"2001:db8::/42\"}\n"
	 "- {name: s3, pool: a, prefix: \"2001:db8::/43\"}\n"
	 "- {name: s4, pool: a, prefix: \"2001:db8::/44\"}\n"
	 "- {name: s5, pool: a, prefix: \"2001:db8::/45\"}\n"
	 "- {name: s6, pool: a, prefix: \"2001:db8::/46\"}\n"
	 "- {name: s7, pool: a, prefix: \"2001:db8::/47\"}\n"
	 "- {name: s8, pool: a, prefix: \"2001:db8::/48\"}\n",
	 "t.yaml:5:1: services: prefixes of 9 different lengths in IPv6; at most 8 are allowed\n"},
	{"sandbox without prefix",
	 EDGE PROVIDER POOL "services:\n"
	 "- {name: s, pool: a, address: 192.0.2.1, affinity: sandbox}\n",
	 "t.yaml:5:52: services[0].affinity: `sandbox` is for a `prefix`\n"},
	{"quic over tcp",
	 EDGE PROVIDER POOL "services:\n"
	 "- {name: s, pool: a, address: 192.0.2.1, port: 443, affinity: quic}\n",
	 "t.yaml:5:63: services[0].affinity: `quic` needs `protocol: udp` (or any)\n"},
	{"server id without quic",
	 EDGE PROVIDER POOL "services:\n"
	 "- {name: s, pool: a, address: 192.0.2.1, quic_server_id_length: 8}\n",
	 "t.yaml:5:65: services[0].quic_server_id_length: is for `affinity: quic`\n"},
	{"id 0",
	 EDGE "providers: [{name: p, regions: [{name: r, backends: [{name: b, address: 10.0.0.1, id: 0}]}]}]\n",
	 "t.yaml:2:87: providers[0].regions[0].backends[0].id: \"0\" is not a whole number from 1 to 65535\n"},
	{"id of two",
	 EDGE "providers: [{name: p, regions: [{name: r, backends: [{name: b, address: 10.0.0.1, id: 7},\n"
	 "{name: c, address: 10.0.0.2}, {name: d, address: 10.0.0.3, id: 7}]}]}]\n",
	 "t.yaml:3:64: providers[0].regions[0].backends[2].id: 7 is that of backend \"b\"\n"},
	{"id beyond the map",
	 "edge: {name: e, hash_seed: 0x1, backends: 64, interfaces: [{name: eth0}]}\n"
	 "providers: [{name: p, regions: [{name: r, backends: [{name: b, address: 10.0.0.1, id: 64}]}]}]\n",
	 "t.yaml:2:87: providers[0].regions[0].backends[0].id: 64; edge.backends is 64, so the highest is 63\n"},
	{"id longer than a server id",
	 EDGE "providers: [{name: p, regions: [{name: r, backends: [{name: b, address: 10.0.0.1, id: 256}]}]}]\n"
	 POOL "services:\n"
	 "- {name: s, pool: a, address: 192.0.2.1, port: 443, protocol: udp, affinity: quic, quic_server_id_length: 1}\n",
	 "t.yaml:5:107: services[0].quic_server_id_length: 1 byte cannot say id 256 of backend \"b\"\n"},
	{"checksum_zero without gue",
	 EDGE PROVIDER POOL "services:\n"
	 "- {name: s, pool: a, address: 192.0.2.1, encap: ipip, checksum_zero: true}\n",
	 "t.yaml:5:70: services[0].checksum_zero: is for `encap: gue`, the one that has UDP\n"},
	{"checksum_zero no word",
	 EDGE PROVIDER POOL "services:\n"
	 "- {name: s, pool: a, address: 192.0.2.1, checksum_zero: yes}\n",
	 "t.yaml:5:57: services[0].checksum_zero: \"yes\" is not one of: false, true\n"},
	{"backend is a VIP",
	 EDGE PROVIDER POOL "services:\n"
	 "- {name: s, pool: a, address: 10.0.0.1, port: 80}\n",
	 "t.yaml:2:73: providers[0].regions[0].backends[0].address: 10.0.0.1 belongs to service \"s\"; packets would loop\n"},
	{"backend within a prefix",
	 EDGE PROVIDER POOL "services:\n"
	 "- {name: s, pool: a, prefix: 10.0.0.0/24}\n",
	 "t.yaml:2:73: providers[0].regions[0].backends[0].address: 10.0.0.1 belongs to service \"s\"; packets would loop\n"},
	{"http listen without port",
	 EDGE "http: {listen: 127.0.0.1}\n",
	 "t.yaml:2:16: http.listen: \"127.0.0.1\" is not ADDRESS:PORT, such as 127.0.0.1:9619 or [::1]:9619\n"},
	{"http listen IPv6 without brackets",
	 EDGE "http: {listen: \"::1:9619\"}\n",
	 "t.yaml:2:16: http.listen: \"::1:9619\" is not ADDRESS:PORT, such as 127.0.0.1:9619 or [::1]:9619\n"},
	{"http listen empty brackets",
	 EDGE "http: {listen: \"[]:9619\"}\n",
	 "t.yaml:2:16: http.listen: \"[]:9619\" is not ADDRESS:PORT, such as 127.0.0.1:9619 or [::1]:9619\n"},
	{"latency: good above bad",
	 EDGE "health: {latency: {good: 300ms}}\n",
	 "t.yaml:2:19: health.latency: `good` (300ms) must be below `bad` (250ms)\n"},
	{"latency: bad is never never",
	 EDGE "health: {latency: {good: never, bad: never}}\n",
	 "t.yaml:2:38: health.latency.bad: \"never\" is not a duration from 1ms to 1s, such as 100ms, 5s or 2h\n"},
	{"flap free above hold",
	 EDGE "health: {flap: {free: 2000}}\n",
	 "t.yaml:2:16: health.flap: `free` (2000) must be below `hold` (2000)\n"},
	{"dead_below above return_above",
	 EDGE "weights: {dead_below: 40%}\n",
	 "t.yaml:2:23: weights.dead_below: `dead_below` (0.4) must be below `return_above` (0.35)\n"},
	{"fleet",
	 EDGE "fleet: {etcd: []}\n",
	 "t.yaml:2:1: fleet: not yet supported by this version of ebb\n"},
	{"auto_shift without its mapping",
	 EDGE "pools: [{name: a, tiers: [], auto_shift: true}]\n",
	 "t.yaml:2:42: pools[0].auto_shift: is a plain value; a mapping is needed\n"},
	{"auto_shift with steps that are none",
	 EDGE "pools: [{name: a, tiers: [], auto_shift: {steps: \"60%,20%\"}}]\n",
	 "t.yaml:2:50: pools[0].auto_shift.steps: step 2 is not above the one before\n"},
	{"auto_shift with a ramp of days",
	 EDGE "pools: [{name: a, tiers: [], auto_shift: {steps: 100%@48h}}]\n",
	 "t.yaml:2:50: pools[0].auto_shift.steps: a ramp takes 0 s to 24 h\n"},
	{"auto_shift that would end where it begins",
	 EDGE "pools: [{name: a, tiers: [], auto_shift: {below: 95%}}]\n",
	 "t.yaml:2:50: pools[0].auto_shift.below: `below` (0.95) must be below `restore_above` (0.95)\n"},
	{"auto_shift for ever",
	 EDGE "pools: [{name: a, tiers: [], auto_shift: {ttl: 0s}}]\n",
	 "t.yaml:2:48: pools[0].auto_shift.ttl: \"0s\" is not a duration from 1s to 365d, such as 100ms, 5s or 2h\n"},
	{"several at once, in the order of the file",
	 EDGE "providers: [{name: p, regions: [{name: r, backends: [{name: b, address: 10.0.0}]}]}]\n"
	 "pools: [{name: a, slots: x, tiers: [[p/q]]}]\n"
	 "services: [{name: s, pool: b, address: 192.0.2.1}]\n",
	 "t.yaml:2:73: providers[0].regions[0].backends[0].address: \"10.0.0\" is not an IPv4 or IPv6 address\n"
	 "t.yaml:3:26: pools[0].slots: \"x\" is not a whole number from 1 to 4194304\n"
	 "t.yaml:3:38: pools[0].tiers[0][0]: no region \"p/q\"; known: p/r\n"
	 "t.yaml:4:28: services[0].pool: no pool \"b\"; known: a\n"},
	{"found in another order than that of the file",
	 "http: {listen: x}\n"
	 "pools: [{name: a, slots: x, tiers: []}]\n"
	 "edge: {name: e, hash_seed: 1, interfaces: [{name: eth0}]}\n",
	 "t.yaml:1:16: http.listen: \"x\" is not ADDRESS:PORT, such as 127.0.0.1:9619 or [::1]:9619\n"
	 "t.yaml:2:26: pools[0].slots: \"x\" is not a whole number from 1 to 4194304\n"
	 "t.yaml:3:28: edge.hash_seed: \"1\" is not a hexadecimal number of 64 bits other than 0, such as 0x5eed5eed5eed5eed\n"},
	{"long value is cut",
	 EDGE "health: {tick: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx}\n",
	 "t.yaml:2:16: health.tick: \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...\" is not a duration from 10ms to 10s, such as 100ms, 5s or 2h\n"},
};
/* clang-format on */

/* All lines, each with a newline; to be freed. */
static char *joined(const struct config_errors *errors)
{
	char *text;
	size_t length;
	FILE *to = open_memstream(&text, &length);

	assert_non_null(to);
	config_errors_print(errors, to);
	fclose(to);
	return text;
}

static char *refused(const char *given, size_t length)
{
	struct config_errors errors = {0};
	struct config *untouched = (struct config *)&errors, *config = untouched;
	char *text;

	assert_int_equal(config_load_bytes("t.yaml", given, length, &errors, &config), -EINVAL);
	assert_ptr_equal(config, untouched);
	text = joined(&errors);
	config_errors_free(&errors);
	assert_int_equal(errors.count, 0);
	return text;
}

static void test_refused(void **state)
{
	int failures = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *text = refused(rows[i].given, strlen(rows[i].given));

		if (strcmp(text, rows[i].want) != 0) {
			print_error("%s:\n got  %s want %s", rows[i].name, text, rows[i].want);
			failures++;
		}
		free(text);
	}
	assert_int_equal(failures, 0);
}

static void test_nul_byte(void **state)
{
	static const char given[] = "edge: {name: e\0}\n";
	char *text = refused(given, sizeof(given) - 1);

	assert_string_equal(text, "t.yaml:1:15: neither UTF-8 nor printable text: control characters are "
				  "not allowed (byte 0x00)\n");
	free(text);
}

/* What is refused stays refused when the file ends early at any byte, or is good only by accident of a whole line. */
static void test_cut_anywhere(void **state)
{
	static const char given[] = EDGE PROVIDER POOL
		"services:\n- {name: s, address: 192.0.2.1, port: 80, pool: a}\n";

	for (size_t length = 0; length < sizeof(given); length++) {
		struct config_errors errors = {0};
		struct config *config = NULL;
		int r = config_load_bytes("t.yaml", given, length, &errors, &config);

		assert_true(r == 0 ? config && !errors.count : r == -EINVAL && errors.count);
		config_free(config);
		config_errors_free(&errors);
	}
}

/* `count` pieces made by printf from (number), between `before` and `after`. */
__attribute__((format(printf, 2, 0))) static char *repeated(const char *before, const char *piece,
							     unsigned int count, const char *after)
{
	char *text;
	size_t length;
	FILE *to = open_memstream(&text, &length);

	assert_non_null(to);
	fputs(before, to);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	for (unsigned int i = 0; i < count; i++)
		fprintf(to, piece, i, i / 256, i % 256);
#pragma GCC diagnostic pop
	fputs(after, to);
	fclose(to);
	return text;
}

static void test_limits(void **state)
{
	static const struct {
		const char *name, *before, *piece;
		unsigned int count;
		const char *after, *want;
	} limits[] = {
		{"backends", EDGE "providers: [{name: p, regions: [{name: r, backends: [\n",
		 "{name: b%u, address: 10.0.%u.%u},\n", 65536, "]}]}]\n",
		 "t.yaml:2:12: providers: 65536 backends; at most 65535 are allowed\n"},
		{"regions", EDGE "providers: [{name: p, regions: [\n", "{name: r%u},\n", 4097, "]}]\n",
		 "t.yaml:2:12: providers: 4097 regions; at most 4096 are allowed\n"},
		{"providers", EDGE "providers: [\n", "{name: p%u},\n", 257, "]\n",
		 "t.yaml:2:12: providers: 257 providers; at most 256 are allowed\n"},
		{"pools", EDGE "pools: [\n", "{name: a%u, tiers: []},\n", 65, "]\n",
		 "t.yaml:2:8: pools: 65 pools; at most 64 are allowed\n"},
		{"services", EDGE POOL "services: [\n", "{name: s%u, address: 10.0.%u.%u, pool: a},\n",
		 4097, "]\n", "t.yaml:3:11: services: 4097 services; at most 4096 are allowed\n"},
		{"entries of services", EDGE PROVIDER POOL "services: [\n",
		 "{name: s%u, address: 192.0.%u.%u, pool: a},\n", 3000, "]\n",
		 "t.yaml:4:11: services: 9000 entries (one for each address, and for each port and "
		 "protocol); at most 7371 are allowed\n"},
		{"interfaces", "edge: {name: e, hash_seed: 0x1, interfaces: [\n", "{name: eth%u},\n", 65,
		 "]}\n", "t.yaml:1:45: edge.interfaces: 65 interfaces; at most 64 are allowed\n"},
		{"values", EDGE "pools: [\n", "%u,\n", 1024 * 1024, "]\n",
		 "t.yaml:1048565:1: more than 1048576 values\n"},
	};

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		char *given = repeated(limits[i].before, limits[i].piece, limits[i].count, limits[i].after);
		char *text = refused(given, strlen(given));

		if (strcmp(text, limits[i].want) != 0)
			print_error("%s\n", limits[i].name);
		assert_string_equal(text, limits[i].want);
		free(text);
		free(given);
	}
}

static void test_more_errors_than_are_kept(void **state)
{
	char *given = repeated(EDGE "providers: [\n", "{name: p, nam: %u},\n", 25, "]\n");
	struct config_errors errors = {0};
	struct config *config;
	char *text;

	assert_int_equal(config_load_bytes("t.yaml", given, strlen(given), &errors, &config), -EINVAL);
	assert_int_equal(errors.count, CONFIG_ERRORS_MAX);
	assert_int_equal(errors.more, 5);
	assert_string_equal(errors.lines[19],
			    "t.yaml:22:11: providers[19]: unknown key \"nam\"; allowed: name, regions");
	text = joined(&errors);
	assert_non_null(strstr(text, "\nand 5 more\n"));
	free(text);
	config_errors_free(&errors);
	free(given);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_nul_byte),
		cmocka_unit_test(test_cut_anywhere),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_more_errors_than_are_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
