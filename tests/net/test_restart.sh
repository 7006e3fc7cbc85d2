#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# ebbd dies by SIGKILL, again and again, while curl and others go on asking and weights change: no request fails. Started
# again it adopts what is pinned, and no slot changes.
#
#   client-1 ── router ── edge-1 (ebbd killed) ── router ── six backends
. "$(dirname "$0")/lib.sh" restart

LAB_WEIGHTS="{slew: {degraded: 20%, dead: 20%, rise: 20%}, return_after: 1s, publish: {after: 1s}}"

KILLS=10 RATE=300 SEED=4711
weights=(50% 100% 20% 80%)

curl_forever() { # VIP: one request a connection, until the file `stop` is there; a line for each that failed
	while [ ! -e "$LAB_DIR/stop" ]; do
		lab_run client-1 curl -sS --retry 0 --max-time 5 -H 'Connection: close' --resolve "vip:80:$1" 'http://vip/?[1-20]' \
			>>"$LAB_DIR/curl.pages" 2>>"$LAB_DIR/curl.errors" || echo "curl: exit $?" >>"$LAB_DIR/curl.errors"
	done
}

need "the lab comes up" lab_up
need "the backends decapsulate" lab_node_attach
need "ebbd starts" lab_edge_start edge-1
need "all backends become healthy" lab_wait_health edge-1

touch "$LAB_DIR/curl.pages" "$LAB_DIR/curl.errors"
lab_spawn client-1 "$LAB_DIR/http4" "$LAB_TOOLS/http_client" -r $RATE -s $SEED $LAB_VIP4_GUE 80 && clients=("$LAB_PID")
lab_spawn client-1 "$LAB_DIR/http6" "$LAB_TOOLS/http_client" -r $RATE -s $SEED $LAB_VIP6_IPIP 80 && clients+=("$LAB_PID")
curl_forever $LAB_VIP4_IPIP & curls=($!)
curl_forever "[$LAB_VIP6_GUE]" & curls+=($!)

quiet() { # the table has not changed for two seconds: all that was asked for is done
	local last='' now i
	for ((i = 0; i < 30; i++)); do
		now=$(table_of edge-1)
		[ "$now" != "$last" ] || return 0
		last=$now
		sleep 2
	done
	return 1
}

RANDOM=$SEED
same=0 rests=0
for ((i = 0; i < KILLS; i++)); do
	for name in fra-1 dub-2; do
		lab_ebb edge-1 backend set $name weight "${weights[i % 4]}" >/dev/null || say "weight of $name was not taken"
		sleep "0.$((RANDOM % 4))"
	done
	# every other death is in the middle of the change; the rest when it is done, and then the table must stay
	((i % 2)) && quiet && rests=$((rests + 1))
	lab_edge_kill edge-1
	before=$(table_of edge-1)
	sleep 0.3
	[ "$(table_of edge-1)" = "$before" ] || say "the table changed while ebbd was dead"
	lab_edge_start edge-1 "$LAB_DIR/edge-1/ebb.yaml" || break
	sleep 1.5
	((i % 2)) && [ "$(table_of edge-1)" = "$before" ] && same=$((same + 1))
done
check "killed $KILLS times with SIGKILL, ebbd came up $KILLS times" equal "$i" $KILLS
check "half of the times at rest" equal $rests $((KILLS / 2))
check "then no slot changed from before the death until after the start" equal $same $rests

touch "$LAB_DIR/stop"
wait "${curls[@]}"
kill "${clients[@]}"
wait "${clients[@]}"
for what in http4 http6; do
	result=$(tail -n 1 "$LAB_DIR/$what")
	check "$what: $(jq .requests <<<"$result") requests, none failed" equal "$(jq .failed <<<"$result")" 0
	check "$what: there was traffic all the time" within "$(jq .requests <<<"$result")" $((RATE * 10)) 1000000
done
check "curl: $(wc -l <"$LAB_DIR/curl.pages") requests, none failed" equal "$(cat "$LAB_DIR/curl.errors")" ""
check "curl: every page was one of ours" equal "$(grep -cvE '^backend (fra|dub|ams)-[12]$' "$LAB_DIR/curl.pages")" 0
check "curl: there was traffic all the time" within "$(wc -l <"$LAB_DIR/curl.pages")" 200 1000000
check "nothing was dropped" equal "$(verdict_drops edge-1)" 0
finish
