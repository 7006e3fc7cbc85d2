#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Stop, start again, stop again: not one packet is lost, by the count of datagrams that are never sent twice. And the gateway
# gets another MAC address: ebbd follows its neighbours, by ARP and by neighbour discovery.
#
#   client-1 ── router ── edge-1 (stopped, started) ── router ── six backends
#                  └ its MAC towards edge-1 changes
. "$(dirname "$0")/lib.sh" stop

hardware() { # EDGE: the MAC address that the nexthops map sends to (all the same here)
	bpftool -j map dump pinned "$LAB_BPFFS/$LAB-$1/maps/nexthops" |
		jq -c '[.[].formatted.value | select(.ifindex > 0) | .destination | map(tostring) | join(".")] | unique'
}

alive() { lab_run client-1 "$LAB_TOOLS/http_client" -n 50 -t 1000 -s $RANDOM "$1" 80 >/dev/null; }

follows() { # VIP, seconds that it may take: requests are answered again
	local i
	for ((i = 0; i < $2 * 5; i++)); do
		alive "$1" && return
		sleep 0.2
	done
	return 1
}

need "the lab comes up" lab_up
need "the backends decapsulate" lab_node_attach
lab_echo_start
need "ebbd starts" lab_edge_start edge-1
need "all backends become healthy" lab_wait_health edge-1

clients=()
for vip in $LAB_VIP4_GUE $LAB_VIP6_IPIP; do
	lab_spawn client-1 "$LAB_DIR/udp-$vip" "$LAB_TOOLS/echo_client" -u -c 50 -i 50 $vip 7 && clients+=("$LAB_PID")
	lab_spawn client-1 "$LAB_DIR/tcp-$vip" "$LAB_TOOLS/echo_client" -c 200 -i 100 $vip 7 && clients+=("$LAB_PID")
done
sleep 2
table=$(table_of edge-1)
for _ in 1 2 3; do
	lab_edge_stop edge-1
	check "ebbd is stopped, its socket is gone" test ! -S "$LAB_DIR/edge-1/run/ebbd.sock"
	sleep 0.5
	need "ebbd starts again" lab_edge_start edge-1 "$LAB_DIR/edge-1/ebb.yaml"
	sleep 1
done
check "the table is the same" equal "$(table_of edge-1)" "$table"
kill "${clients[@]}"
wait "${clients[@]}"
for vip in $LAB_VIP4_GUE $LAB_VIP6_IPIP; do
	result=$(tail -n 1 "$LAB_DIR/udp-$vip")
	check "$vip: $(jq .said <<<"$result") datagrams, none lost" equal "$(jq .lost <<<"$result")" 0
	check "$vip: there was traffic" within "$(jq .said <<<"$result")" 2000 1000000
	result=$(tail -n 1 "$LAB_DIR/tcp-$vip")
	check "$vip: 200 connections, none broken" equal "$(jq '[.conversations, .broken] | tostring' <<<"$result")" '"[200,0]"'
done
check "nothing was dropped" equal "$(verdict_drops edge-1)" 0

old=$(hardware edge-1)
lab_run router sysctl -qw net.ipv4.conf.edge1.arp_notify=1 net.ipv6.conf.edge1.ndisc_notify=1
lab_ip router link set edge1 address 02:00:5e:00:53:01
check "IPv4 goes on under the gateway's new MAC address" follows $LAB_VIP4_GUE 20
check "the next hops have changed" test "$(hardware edge-1)" != "$old"
lab_edge_stop edge-1
lab_detach edge-1

LAB_OUTER=6
need "ebbd starts, backends over IPv6" lab_edge_start edge-1
need "all backends become healthy" lab_wait_health edge-1
lab_ip router link set edge1 address 02:00:5e:00:53:02
check "IPv6 goes on under the gateway's new MAC address" follows $LAB_VIP6_GUE 20
finish
