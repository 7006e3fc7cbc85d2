#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Real QUIC through the edges: ngtcp2's server on every backend, its connection IDs naming it by the `id` of the
# configuration, and ngtcp2's client, which changes its address in the middle of a connection (RFC 9000 section 9): by
# validating a new path, and as a NAT does it, unasked. ECMP may then bring it to the other edge, and meanwhile its slots
# move. It stays with its server. By the 5-tuple alone, most lose theirs: so the test can tell.
#
#   client-1 ──── router ──┬── edge-1 ──┬── six backends: fra-1 is server 101, … ams-2 is 106
#                          └── edge-2 ──┘
LAB_EDGES=2
. "$(dirname "$0")/lib.sh" quic

CLIENTS=${QUIC_CLIENTS:-12}
BYTES=200000
declare -A number=([fra-1]=101 [fra-2]=102 [dub-1]=103 [dub-2]=104 [ams-1]=105 [ams-2]=106)

config() { # EDGE: edge-2 lists its backends the other way round, so that without ids it would number them otherwise
	local name expression=()
	for name in "${!number[@]}"; do expression+=(-e "s/{name: $name, /&id: ${number[$name]}, /"); done
	lab_config "$1" | sed "${expression[@]}" | if [ "$1" = edge-2 ]; then
		sed -E '/^ +- \{name: [a-z]+-1, id/ { h; d }; /^ +- \{name: [a-z]+-2, id/ { G }'
	else
		cat
	fi
	cat <<-END
	  - {name: quic4, address: "$LAB_VIP4_GUE", port: 443, protocol: udp, pool: all, affinity: quic, encap: gue}
	  - {name: quic6, address: "$LAB_VIP6_GUE", port: 443, protocol: udp, pool: all, affinity: quic, encap: gue}
	  - {name: plain4, address: "$LAB_VIP4_GUE", port: 444, protocol: udp, pool: all, affinity: quic, encap: gue}
	  - {name: tuple4, address: "$LAB_VIP4_IPIP", port: 443, protocol: udp, pool: all, affinity: flow, encap: ipip}
	END
}

server() { # NAME PORT [SERVER_ID]
	lab_spawn "$1" "$LAB_DIR/$1.quic.log" env ${3:+SERVER_ID="$3"} LD_PRELOAD="$LAB_TOOLS/quic_id.so" \
		gtlsserver -q -d "$LAB_DIR" '*' "$2" "$LAB_DIR/key.pem" "$LAB_DIR/cert.pem"
	disown
}

# OPTIONS VIP PORT: CLIENTS of them at once. Handshake, then half a second, the new address, half a second, and only then
# the request, whose answer is BYTES long. Prints how many got it.
downloads() {
	local dir i pids=() vip=${*: -2:1} port=${*: -1}
	dir=$(mktemp -d "$LAB_DIR/got.XXXX")
	for ((i = 0; i < CLIENTS; i++)); do
		mkdir "$dir/$i"
		lab_spawn client-1 "$dir/$i.log" timeout 6 gtlsclient -q --timeout=3s --delay-stream=1s \
			--exit-on-all-streams-close --download="$dir/$i" "${@:1:$#-2}" "$vip" "$port" "https://ebb.test/$BYTES"
		pids+=("$LAB_PID")
	done
	wait "${pids[@]}"
	find "$dir" -type f -size "${BYTES}c" | wc -l
}

weights() { # REGION PERCENT: on both edges
	local name edge
	for name in $(lab_backends_of "$1"); do
		for edge in edge-1 edge-2; do lab_ebb $edge backend set "$name" weight "$2" >/dev/null || return; done
	done
}

# WHAT REGION OPTIONS VIP PORT: that region's slots go, and come back for the next; sets GOT.
through_a_move() {
	local what=$1 region=$2 before
	shift 2
	before=$(lab_ebb edge-1 --json pool show all | jq .digest)
	downloads "$@" >"$LAB_DIR/count" &
	sleep 0.9
	check "$what: meanwhile $region's weights become 0" weights "$region" 0%
	check "$what: so the table is another" test "$(lab_ebb edge-1 --json pool show all | jq .digest)" != "$before"
	wait $!
	GOT=$(cat "$LAB_DIR/count")
	weights "$region" 100%
}

stays() { # WHAT REGION OPTIONS VIP PORT
	through_a_move "$@"
	check "$1: all $CLIENTS clients stayed with their servers" equal "$GOT" "$CLIENTS"
}

need "the lab comes up" lab_up
need "the backends decapsulate" lab_node_attach
need "a certificate" openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=ebb.test \
	-keyout "$LAB_DIR/key.pem" -out "$LAB_DIR/cert.pem" 2>/dev/null
for name in "${!number[@]}"; do
	server "$name" 443 "${number[$name]}"
	server "$name" 444
done
for edge in edge-1 edge-2; do
	mkdir -p "$LAB_DIR/$edge"
	config $edge >"$LAB_DIR/$edge/ebb.yaml"
	need "ebbd starts on $edge" lab_edge_start $edge "$LAB_DIR/$edge/ebb.yaml"
done
for edge in edge-1 edge-2; do need "all backends become healthy" lab_wait_health $edge; done
lab_route edge-1 edge-2
for name in fra-1 ams-2; do
	for edge in edge-1 edge-2; do check "$edge knows $name as ${number[$name]}" equal "$(shown $edge $name id)" "${number[$name]}"; done
done

stays "a new address" fra --change-local-addr=500ms $LAB_VIP4_GUE 443
stays "a NAT's new address" dub --change-local-addr=500ms --nat-rebinding $LAB_VIP4_GUE 443
stays "a new address, IPv6" ams --change-local-addr=500ms $LAB_VIP6_GUE 443
check "connection IDs that name nobody go by the 5-tuple" equal "$(downloads $LAB_VIP4_GUE 444)" "$CLIENTS"
through_a_move "by the 5-tuple alone" fra --change-local-addr=500ms --nat-rebinding $LAB_VIP4_IPIP 443
check "by the 5-tuple alone, some lost theirs ($GOT of $CLIENTS stayed)" test "$GOT" -lt "$CLIENTS"
for edge in edge-1 edge-2; do check "$edge dropped nothing" equal "$(verdict_drops $edge)" 0; done
finish
