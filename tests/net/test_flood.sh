#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A million SYNs from random sources, then a million bare ACKs, while 2,000 conversations go on, a third of them on slots
# that have moved: none breaks, new connections are answered, and no weight changes. (Answers to the forged sources end in a black hole on the router.)
#
#   client-1, 2,000 conversations ─┐
#   client-2, the flood ───────────┴─ router ── edge-1 ── router ── six backends
LAB_CLIENTS=2
. "$(dirname "$0")/lib.sh" flood

# The rate is what two cores carry together with the generator, the six servers that answer each SYN, and 2,000 clients; at
# 200,000 a second it is their kernels that drop, whatever the balancer does. FLOOD_PACKETS=5000000 is the long run.
PACKETS=${FLOOD_PACKETS:-1000000} RATE=${FLOOD_RATE:-40000} SEED=77

flood() { # MAC [-a] VIP
	local mac=$1
	shift
	lab_run client-2 "$LAB_TOOLS/flood" "${@:1:$#-1}" -r $RATE -s $SEED "$PACKETS" eth0 "$mac" "${@: -1}" 80
}

shares() { lab_ebb edge-1 --json backend show | jq -c 'map({(.name): .share}) | add'; }

# The flood shares its two cores with the probes, so that now and then one of them is late. What must not be is that a
# flood is taken for sick servers.
moved_points() { # SHARES: by how much any server's share differs from then
	jq -n --argjson a "$1" --argjson b "$(shares)" '[$a | keys[] | ($a[.] - $b[.]) * 100 | fabs] | max'
}

suspected() { lab_ebb edge-1 --json status | jq .probes.suspected; }

storm() { # NAME VIP [-a]
	local name=$1 vip=$2 before points probes seconds
	shift 2
	before=$(shares) probes=$(suspected)
	flood "$gateway" "$@" "$vip" >"$LAB_DIR/flood" &
	sleep 2
	check "$name: during it, connections are answered" \
		lab_run client-1 "$LAB_TOOLS/http_client" -n 200 -p 8 -t 10000 -s $SEED $LAB_VIP4_IPIP 80 >/dev/null
	wait $!
	check "$name: $(jq -r '"\(.sent) packets in \(.seconds) s"' "$LAB_DIR/flood") were sent" equal "$(jq .sent "$LAB_DIR/flood")" "$PACKETS"
	probes=$(($(suspected) - probes)) seconds=$(jq '.seconds | ceil' "$LAB_DIR/flood")
	check "$name: no more than 20 probes a second by suspicion ($probes in $seconds s)" within "$probes" 0 $((20 * seconds + 40))
	points=$(moved_points "$before")
	check "$name: no server's share moved by more than 2 points ($points)" within "$points" 0 2
	for file in gue4 ipip6; do check "$name: no conversation over $file broke" equal "$(grep -c '"broken"' "$LAB_DIR/$file")" 0; done
}

need "the lab comes up" lab_up
need "the backends decapsulate" lab_node_attach
lab_echo_start
need "ebbd starts" lab_edge_start edge-1
need "all backends become healthy" lab_wait_health edge-1
lab_ip router route add blackhole 198.18.0.0/15
lab_ip router route add blackhole 2001:2::/48
gateway=$(lab_ip router -j link show clients | jq -r '.[0].address')

talks=()
for what in "gue4 $LAB_VIP4_GUE" "ipip6 $LAB_VIP6_IPIP"; do
	read -r file vip <<<"$what"
	lab_spawn client-1 "$LAB_DIR/$file" "$LAB_TOOLS/echo_client" -c 1000 -i 100 -t 20000 "$vip" 7 && talks+=("$LAB_PID")
done
for ((i = 0; i < 200; i++)); do [ "$(grep -l ready "$LAB_DIR"/{gue4,ipip6} | wc -l)" = 2 ] && break; sleep 0.1; done
need "2,000 conversations have begun" test $i -lt 200

# So that a third of gue4's conversations is on slots that have moved, and hangs on notes and hops.
for name in dub-1 dub-2; do check "$name's weight becomes 0" lab_ebb edge-1 backend set $name weight 0% >/dev/null; done
sleep 1
storm "SYN flood" $LAB_VIP4_GUE
storm "ACK flood" $LAB_VIP4_GUE -a
storm "SYN flood, IPv6" $LAB_VIP6_IPIP

kill "${talks[@]}"
wait "${talks[@]}"
for file in gue4 ipip6; do
	result=$(tail -n 1 "$LAB_DIR/$file")
	say "$file: $(jq -c . <<<"$result")"
	check "$file: 1,000 conversations, none broken" equal "$(jq '[.conversations, .broken] | tostring' <<<"$result")" '"[1000,0]"'
done
finish
