#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Nobody probes: backends are judged by their clients' handshakes alone. One whose answers no longer arrive loses its share, and so
# does one whose process is dead and that refuses them, but for a trickle by which they are seen to heal; and they get it
# back. A flood of SYNs from random sources moves no slot, and no backend's health.
#
#   client-1, connections all the time ─┐                            ┌ fra-1   its route to the clients is a black hole
#   client-2, the flood ────────────────┴─ router ── edge-1 ── router ┼ fra-2
#                                                                     ├ dub-1   killed
#                                                                     └ dub-2, ams-1, ams-2
LAB_CLIENTS=2
LAB_HEALTH="  tick: 100ms
  observe: 2s
  down: 1s
  up: 4s
  probe: {type: none}"
. "$(dirname "$0")/lib.sh" inband

RATE=400 FLOOD=${FLOOD_RATE:-20000} SEED=42

share() { lab_ebb edge-1 --json backend show "$1" | jq .share; }
handshakes() { lab_ebb edge-1 --json backend show "$1" | jq -c .handshakes; }

wait_share() { # SECONDS below|above LIMIT NAME
	local began=$SECONDS now
	while [ $((SECONDS - began)) -lt "$1" ]; do
		now=$(share "$4")
		awk -v n="$now" -v l="$3" -v h="$2" 'BEGIN { exit !(h == "below" ? n <= l : n >= l) }' && {
			say "$4 has $now after $((SECONDS - began)) s: $(handshakes "$4")"
			return
		}
		sleep 0.2
	done
	say "$4 has $now: $(handshakes "$4")"
	return 1
}

need "the lab comes up" lab_up
need "the backends decapsulate" lab_node_attach
need "ebbd starts" lab_edge_start edge-1
lab_ip router route add blackhole 198.18.0.0/15
gateway=$(lab_ip router -j link show clients | jq -r '.[0].address')
clients=$(lab_ip router -j -4 route show dev clients | jq -r '.[0].dst')

lab_spawn client-1 "$LAB_DIR/http" "$LAB_TOOLS/http_client" -r $RATE -s $SEED -i 1 -t 2000 $LAB_VIP4_GUE 80 && client=$LAB_PID
sleep 4
before=$(table_of edge-1)
check "in health, it has its sixth" within "$(share fra-1)" 0.166 0.168
check "its handshakes are seen to complete" within "$(handshakes fra-1 | jq .ratio)" 0.95 1
check "and it is known how fast" within "$(handshakes fra-1 | jq .p99_ms)" 0.001 1000
check "bpftool shows the same map" test "$(bpftool -j map lookup pinned "$LAB_BPFFS/$LAB-edge-1/maps/backend_signals" key 1 0 0 0 | jq .formatted.value.completed)" -gt 10

lab_run client-2 "$LAB_TOOLS/flood" -r "$FLOOD" -s $SEED $((5 * FLOOD)) eth0 "$gateway" $LAB_VIP4_GUE 80 >"$LAB_DIR/flood"
check "SYN flood: $(jq -r '"\(.sent) packets in \(.seconds) s"' "$LAB_DIR/flood") were sent" equal "$(jq .sent "$LAB_DIR/flood")" $((5 * FLOOD))
check "it was seen: handshakes failed" test "$(handshakes fra-1 | jq .failed)" -gt 100
sleep 2
check "it moved no slot" equal "$(table_of edge-1)" "$before"
check "nor anybody's health or weight" equal "$(lab_ebb edge-1 --json backend show | jq -c '[.[] | [.health, .weight * 6000 | round]] | unique')" "[[1,1000]]"

lab_ip fra-1 route add blackhole "${clients%.*}.0/25"
lab_ip fra-1 route add blackhole "${clients%.*}.128/25"
lab_backend_kill dub-1
check "what completes no handshake loses its share" wait_share 25 below 0.02 fra-1
check "what refuses all of them loses it too" wait_share 25 below 0.02 dub-1
check "but they are not called dead" equal "$(shown edge-1 fra-1 phase) $(shown edge-1 dub-1 phase)" "known known"
check "and the others are well" within "$(lab_ebb edge-1 --json backend show | jq '[.[] | select(.name != "fra-1" and .name != "dub-1") | .health] | min')" 0.99 1
lab_backend_start dub-1
lab_ip fra-1 route del blackhole "${clients%.*}.0/25"
lab_ip fra-1 route del blackhole "${clients%.*}.128/25"
check "once it answers again, it gets its share back" wait_share 60 above 0.15 fra-1
check "and so does the one that was started again" wait_share 60 above 0.15 dub-1
kill "$client"
wait "$client"
finish
