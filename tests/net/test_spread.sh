#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Real HTTP over the VIPs, IPv4 and IPv6, by ipip and gue, with IPv4 and IPv6 outside (eight mixes): every connection gets
# the right page, from backends in proportion to their capacities, and all who count agree.
#
#                              ┌ fra-1  100, fra-2   50
#   client-1 ── router ── edge-1
#                              ├ dub-1  150, dub-2  100
#                              └ ams-1  200, ams-2   25
. "$(dirname "$0")/lib.sh" spread

COUNT=10000 SEED=20260
LAB_CAPACITY=([fra-1]=100 [fra-2]=50 [dub-1]=150 [dub-2]=100 [ams-1]=200 [ams-2]=25)
declare -A pages before

by_backend() { # JSON of http_client: "NAME PAGES CAPACITY" a line
	local name
	for name in $(lab_names backends); do
		echo "$name $(jq ".backends[\"$name\"] // 0" <<<"$1") ${LAB_CAPACITY[$name]}"
	done
}

retransmitted() { # segments, by all TCP of the client
	lab_run client-1 nstat -asz TcpRetransSegs | awk '/TcpRetransSegs/ {print $2}'
}

spread() { # VIP, and the family of the outer header
	local result name
	result=$(lab_run client-1 "$LAB_TOOLS/http_client" -n $COUNT -s $SEED "$1" 80 | tail -n 1)
	check "$1, IPv$2 outside: $COUNT connections, every page right" \
		equal "$(jq '[.requests, .answered, .failed] | tostring' <<<"$result")" "\"[$COUNT,$COUNT,0]\""
	check "$1, IPv$2 outside: in proportion to the weights" chi_square < <(by_backend "$result")
	for name in $(lab_names backends); do
		pages[$name]=$((${pages[$name]:-0} + $(jq ".backends[\"$name\"] // 0" <<<"$result")))
	done
}

with_curl() { # VIP: 60 times the real thing, a connection each
	local to=$1
	[[ $to = *:* ]] && to="[$to]"
	lab_run client-1 curl -sS --retry 0 --max-time 5 -H 'Connection: close' --resolve "vip:80:$to" \
		'http://vip/?[1-60]' >"$LAB_DIR/curl" || return
	equal "$(grep -cE '^backend (fra|dub|ams)-[12]$' "$LAB_DIR/curl")" 60
}

agree() { # BACKEND: who counts it, and what
	local served shows maps id repeats=$((retransmits_after - retransmits_before))
	served=$(($(lab_backend_served "$1") - ${before[$1]}))
	check "$1: its own log has the pages that the clients got" equal "$served" "${pages[$1]}"
	id=$(shown edge-1 "$1" id)
	shows=$(shown edge-1 "$1" new_flows)
	maps=$(mapped edge-1 backend_stats "$id" new_flows)
	check "$1: 'ebb backend show' says what bpftool reads from the map" equal "$shows" "$maps"
	# a SYN that its sender repeated is counted twice by the edge, and once by the server
	check "$1: the edge counted its connections (the clients repeated $repeats segments)" \
		within "$maps" "${pages[$1]}" $((${pages[$1]} + repeats))
}

need "the lab comes up" lab_up
need "the backends decapsulate" lab_node_attach

for outer in 4 6; do
	LAB_OUTER=$outer
	need "ebbd starts, backends over IPv$outer" lab_edge_start edge-1
	need "all backends become healthy" lab_wait_health edge-1
	pages=()
	for name in $(lab_names backends); do
		before[$name]=$(lab_backend_served "$name")
		check "$name: its share is its capacity, within a slot" within "$(shown edge-1 "$name" slots)" \
			$((65536 * LAB_CAPACITY[$name] / 625)) $((65536 * LAB_CAPACITY[$name] / 625 + 1))
	done
	retransmits_before=$(retransmitted)
	for vip in $LAB_VIP4_GUE $LAB_VIP6_GUE $LAB_VIP4_IPIP $LAB_VIP6_IPIP; do spread "$vip" $outer; done
	retransmits_after=$(retransmitted)
	for name in $(lab_names backends); do agree "$name"; done
	for vip in $LAB_VIP4_GUE $LAB_VIP6_GUE $LAB_VIP4_IPIP $LAB_VIP6_IPIP; do
		check "$vip, IPv$outer outside: curl, 60 times" with_curl "$vip"
	done
	check "nothing was dropped" equal "$(verdict_drops edge-1)" 0
	lab_edge_stop edge-1
	check "'ebb detach' takes everything away" lab_detach edge-1
done
finish
