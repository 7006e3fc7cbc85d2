#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# With the probes as they are by default, once a second: a server whose process is killed gets its last new connection within
# 700 ms, at whatever moment it dies, since the handshakes that its clients no longer complete bring a probe about. By its
# clients' own clocks: each connection that was refused says when it began. What fell to it meanwhile, over what falls to a
# server in a second, are the node-seconds of a death.
#
#                              ┌ fra-1 … fra-4
#   client-1 ── router ── edge-1 ─ dub-1 … dub-4   two of each region die, one after the other
#                              └ ams-1 … ams-4   then one is unreachable (ICMP says so), and one falls silent
#
# DEATHS (6) of them, six a round, between which all begins anew; DEATH_RATE (1,200) connections a second.
LAB_PER_REGION=4
. "$(dirname "$0")/lib.sh" death

LAB_HEALTH="  probe: {type: http, port: 8080, path: /healthz}" # all else by default
DEATHS=${DEATHS:-6} RATE=${DEATH_RATE:-1200} LIMIT_MS=700 TIMEOUT_MS=2000
DYING=(fra-1 dub-1 ams-1 fra-2 dub-2 ams-2)

begin() {
	need "ebbd starts" lab_edge_start edge-1
	need "all backends become healthy" lab_wait_health edge-1
	: >"$LAB_DIR/http"
	lab_spawn client-1 "$LAB_DIR/http" "$LAB_TOOLS/http_client" -r $RATE -p 4096 -s $RANDOM -t $TIMEOUT_MS $LAB_VIP4_GUE 80 && client=$LAB_PID
	sleep 1.5
}
end() {
	kill "$client"
	wait "$client"
	lab_edge_stop edge-1
	lab_detach edge-1
}

# NAME: ms from `at` until ebbd called it dead, by its log
left_after() {
	local ts
	ts=$(grep "event=backend-down backend=$1 " "$LAB_DIR/edge-1/ebbd.log" | tail -n 1 | sed 's/^ts=\([^ ]*\).*/\1/')
	[ -n "$ts" ] && awk -v a="$at" -v b="$(date -d "$ts" +%s.%N)" 'BEGIN { printf "%.0f", (b - a) * 1000 }'
}

# NAME KIND SECONDS: how long after `at` a connection began last that failed; how many did, over what falls to a server a second
judge() {
	local name=$1 kind=$2
	sleep "$3"
	grep '"failure"' "$LAB_DIR/http" | jq -s --argjson at "$at" --argjson to "$3" --argjson each "$(jq -n "$share * $RATE")" \
		'[.[] | select(.began >= $at and .began < $at + $to)] | if length == 0 then {last_ms: 0, count: 0, node_s: 0} else
		{last_ms: (((map(.began) | max) - $at) * 1000), count: length, node_s: (length / $each)} end' >"$LAB_DIR/judged"
	last_ms=$(jq '.last_ms | round' "$LAB_DIR/judged") node_s=$(jq .node_s "$LAB_DIR/judged") left_ms=$(left_after "$name")
	say "$name $kind: left after $left_ms ms, the last connection that failed began after $last_ms ms, $(jq .count "$LAB_DIR/judged") in all, $(
		printf %.2f "$node_s") node-seconds"
}

need "the lab comes up" lab_up
need "the backends decapsulate" lab_node_attach
RANDOM=${DEATH_SEED:-$EPOCHSECONDS}
begin
slowest=0 sum=0 seen=0
for ((i = 0; i < DEATHS; i++)); do
	if [ $i -gt 0 ] && [ $((i % ${#DYING[@]})) = 0 ]; then
		end
		for name in "${DYING[@]}"; do lab_backend_start "$name"; done
		begin
	fi
	name=${DYING[i % ${#DYING[@]}]}
	share=$(shown edge-1 "$name" share)
	pids=$(ip netns pids "$LAB-$name")
	sleep "$(printf '%d.%03d' 0 $((RANDOM % 1000)))"
	at=$(date +%s.%N)
	# shellcheck disable=SC2086
	kill -KILL $pids # all inside a namespace of the lab's own
	judge "$name" killed 1.6
	[ "$last_ms" -le $slowest ] || slowest=$last_ms
	[ "$last_ms" -gt 0 ] && seen=$((seen + 1))
	sum=$(jq -n "$sum + $node_s")
	equal "$(shown edge-1 "$name" phase)" down || slowest=9999
	rm -f "$LAB_DIR/$name/nginx.pid"
done
mean=$(jq -n "$sum / $DEATHS")
check "each of $DEATHS killed servers got its last new connection within $LIMIT_MS ms ($slowest ms at most)" within $slowest 1 $LIMIT_MS
check "all of them had some after they died, or nothing was measured" equal $seen "$DEATHS"
check "a death cost $(printf %.2f "$mean") node-seconds on average, under 0.7" within "$mean" 0 0.7

# Its router says that it cannot be reached: as sure as a refusal. (The router is told not to limit its ICMP errors, and to ask
# quickly for a neighbour that is gone. Else all errors are used up by what clients send, and it is as below.)
lab_run router sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv4.icmp_msgs_per_sec=100000 net.ipv4.icmp_msgs_burst=100000 \
	net.ipv4.neigh.dub.retrans_time_ms=20
name=dub-3 share=$(shown edge-1 dub-3 share) at=$(date +%s.%N)
lab_backend_unplug $name
lab_ip router neigh del "$(lab_address $name 4)" dev dub
judge $name unreachable 2.5
check "one that ICMP calls unreachable is left within $LIMIT_MS ms" within "$left_ms" 1 $LIMIT_MS

# Nobody says anything: three probes have to time out, of 500 ms each by default. (A client's second SYN, a second after
# its first, finds another server by then; so fewer fail than were sent there.)
name=ams-3 share=$(shown edge-1 ams-3 share) at=$(date +%s.%N)
lab_ip router route add blackhole "$(lab_address $name 4)/32"
judge $name silent 4
check "one that falls silent is left within three timeouts and 700 ms" within "$left_ms" 1500 2200
say "probes that suspicion brought about: $(lab_ebb edge-1 --json status | jq .probes.suspected)"
end
finish
