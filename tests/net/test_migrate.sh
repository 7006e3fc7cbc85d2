#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# An edge is upgraded from a version whose maps were laid out otherwise: their values were shorter, and some maps it did not
# have. ebbd carries the contents over and gives the link the new program: not one datagram is lost, no conversation breaks,
# no slot moves, sandboxes live where they lived. What a newer version wrote is refused, with what to do, and forwarding goes on.
#
#   client-1 ── router ── edge-1 (pins of another version) ── router ── six backends
. "$(dirname "$0")/lib.sh" migrate

PLACED=500
# Shorter by what is reserved, or by what an older version did not know.
declare -A OLD=([settings]=96 [backends]=48 [nexthops]=24 [sandboxes]=8 [pools]=56)
OLDER_LACKED="sandbox_index nursery service_filter"

pin() { echo "$LAB_BPFFS/$LAB-edge-1/maps/$1"; }
value_bytes() { bpftool -j map show pinned "$(pin "$1")" | jq .bytes_value; }
program() { bpftool -j link show pinned "$LAB_BPFFS/$LAB-edge-1/links/eth0" | jq .prog_id; }
boxes() { lab_ebb edge-1 --json sandbox show --limit 10000 | jq -r '.sandboxes[] | "\(.address) \(.backend)"' | sort; }
names() { lab_ebb edge-1 --json backend show | jq -c '[.[] | {name, id, slots}]'; }
age() { # MAP BYTES
	"$LAB_TOOLS/age_map" "$(pin "$1")" "$2" >>"$LAB_DIR/aged"
}

need "the lab comes up" lab_up
need "the backends decapsulate" lab_node_attach
lab_echo_start
mkdir -p "$LAB_DIR/edge-1/run" "$LAB_DIR/edge-1/state"
{
	lab_config edge-1
	echo "  - {name: boxes, prefix: \"$LAB_SANDBOXES\", pool: all, affinity: sandbox, encap: gue}"
} >"$LAB_DIR/edge-1/ebb.yaml"
need "ebbd starts" lab_edge_start edge-1 "$LAB_DIR/edge-1/ebb.yaml"
need "all backends become healthy" lab_wait_health edge-1
for ((i = 1; i <= PLACED; i++)); do printf '{"op": "place", "service": "boxes", "address": "2001:db8:5b::2:%x"}\n' $i; done |
	lab_ebb edge-1 sandbox bulk >/dev/null
boxes >"$LAB_DIR/boxes"
need "$PLACED sandboxes are placed" equal "$(wc -l <"$LAB_DIR/boxes")" $PLACED
sleep 1.5 # the last weights are published

clients=()
for vip in $LAB_VIP4_GUE $LAB_VIP6_IPIP 2001:db8:5b::2:7; do
	[ $vip = 2001:db8:5b::2:7 ] || # what answers there by UDP does not own the address
		lab_spawn client-1 "$LAB_DIR/udp-$vip" "$LAB_TOOLS/echo_client" -u -c 100 -i 50 $vip 7 && clients+=("$LAB_PID")
	lab_spawn client-1 "$LAB_DIR/tcp-$vip" "$LAB_TOOLS/echo_client" -c 100 -i 100 $vip 7 && clients+=("$LAB_PID")
done
lab_spawn client-1 "$LAB_DIR/http" "$LAB_TOOLS/http_client" -r 200 -s 3 -t 2000 $LAB_VIP4_GUE 80 && clients+=("$LAB_PID")
sleep 1.5

table=$(table_of edge-1) known=$(names) old=$(program)
declare -A new
for map in "${!OLD[@]}"; do new[$map]=$(value_bytes "$map"); done
lab_edge_kill edge-1
for map in "${!OLD[@]}"; do check "$map is as an older version left it" age "$map" "${OLD[$map]}"; done
for map in $OLDER_LACKED; do rm "$(pin "$map")"; done
need "ebbd starts over them" lab_edge_start edge-1 "$LAB_DIR/edge-1/ebb.yaml"
check "it adopted them" equal "$(lab_ebb edge-1 --json status | jq .adopted)" true
check "it says which maps it carried over" equal "$(grep 'event=map ' "$LAB_DIR/edge-1/ebbd.log" | grep -c contents=carried)" ${#OLD[@]}
for map in "${!OLD[@]}"; do check "$map is laid out as this version wants it" equal "$(value_bytes "$map")" "${new[$map]}"; done
check "the link has the new program" test "$(program)" != "$old"
check "no slot has moved" equal "$(table_of edge-1)" "$table"
check "backends have their ids and slots" equal "$(names)" "$known"
boxes >"$LAB_DIR/boxes.after"
check "all sandboxes live where they lived" cmp "$LAB_DIR/boxes" "$LAB_DIR/boxes.after"
sleep 1.5

lab_edge_kill edge-1
age backends 72
check "what a newer version wrote is refused" bash -c "! '$LAB_BUILD/ebbd' --config '$LAB_DIR/edge-1/ebb.yaml' --bpffs '$LAB_BPFFS/$LAB-edge-1' \
	--run-dir '$LAB_DIR/edge-1/run' --state-dir '$LAB_DIR/edge-1/state' 2>'$LAB_DIR/refused'"
say "$(tail -n 1 "$LAB_DIR/refused")"
check "with the map and what to do" grep -q 'maps/backends has another layout.*run the version of ebb that wrote it, or `ebb detach`' "$LAB_DIR/refused"
sleep 1
age backends "${new[backends]}"
need "once it is as it was, ebbd starts" lab_edge_start edge-1 "$LAB_DIR/edge-1/ebb.yaml"
check "and no slot has moved" equal "$(table_of edge-1)" "$table"
sleep 1

kill "${clients[@]}"
wait "${clients[@]}"
for vip in $LAB_VIP4_GUE $LAB_VIP6_IPIP 2001:db8:5b::2:7; do
	[ $vip = 2001:db8:5b::2:7 ] || {
		result=$(tail -n 1 "$LAB_DIR/udp-$vip")
		check "$vip: $(jq .said <<<"$result") datagrams, none lost" equal "$(jq .lost <<<"$result")" 0
		check "$vip: there was traffic" within "$(jq .said <<<"$result")" 5000 1000000
	}
	result=$(tail -n 1 "$LAB_DIR/tcp-$vip")
	check "$vip: 100 conversations, none broken" equal "$(jq '[.conversations, .broken] | tostring' <<<"$result")" '"[100,0]"'
done
result=$(tail -n 1 "$LAB_DIR/http")
check "$(jq .requests <<<"$result") requests, none failed" equal "$(jq .failed <<<"$result")" 0
check "nothing was dropped" equal "$(verdict_drops edge-1)" 0
finish
