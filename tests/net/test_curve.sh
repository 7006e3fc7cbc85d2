#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# How a region ebbs, against the curve that the formulas of the manual give (tests/net/curve.c, which shares no code with the
# controller): one whose servers answer every other request and probe with 503, then one whose servers take 200 ms more. The table's
# shares, and those that the clients see, stay within 3 points of it; the return does not overshoot. And silence of all
# probes moves nothing.
#
#                              ┌ fra-1, fra-2   every other answer is 503
#   client-1 ── router ── edge-1 ─ dub-1, dub-2   200 ms more
#                              └ ams-1, ams-2
#
# CURVE=long takes the time constants of the default, sees both return, and needs five minutes.
. "$(dirname "$0")/lib.sh" curve

if [ "${CURVE:-}" = long ]; then
	OBSERVE=5 DOWN=2.8 UP=30 FALLING=25 RISING=150 SILENT=30
else
	OBSERVE=2 DOWN=1.4 UP=1 FALLING=7 RISING=30 SILENT=4
fi
PROBE_MS=400 RATE=600 SEED=5 POINTS=3
LAB_HEALTH="  observe: ${OBSERVE}s
  down: ${DOWN}s
  up: ${UP}s
  probe: {type: http, port: 8080, path: /healthz, interval: ${PROBE_MS}ms, timeout: ${PROBE_MS}ms}"
LAB_WEIGHTS="{slew: {degraded: 20%, dead: 20%, rise: 20%}, return_after: 1s, publish: {after: 1s}}"
declare -A server # pids

share() { # NAME…: of the table
	lab_ebb edge-1 --json backend show | jq --args '[.[] | select(.name as $n | $ARGS.positional | index($n)) | .share] | add' "$@"
}
turn() { # DELAY_MS BAD_EVERY NAME…: what the servers are like from now on; the first begins with a good answer, the second not
	local delay=$1 every=$2 name
	shift 2
	for name in "$@"; do echo "$delay $every $((${name##*-} - 1))" >"$LAB_DIR/$name.mode"; done
	for name in "$@"; do kill -HUP "${server[$name]}"; done
}
watch() { # SECONDS NAME…: "SECOND SHARE" since `at`, to the file `shares`; the second is in the middle of the look
	local seconds=$1 before now
	shift
	while before=$(date +%s.%N); awk -v a="$at" -v n="$before" -v s="$seconds" 'BEGIN { exit n - a >= s }'; do
		now=$(share "$@")
		awk -v a="$at" -v b="$before" -v n="$(date +%s.%N)" -v s="$now" 'BEGIN { printf "%.2f %s\n", (b + n) / 2 - a, s }'
		sleep 0.15
	done >"$LAB_DIR/shares"
}
seen_by_clients() { # NAME…: "SECOND SHARE" of the pages since `at`, each of the second that ends there
	jq -r --argjson at "$at" --args 'select(.backends and (.total | not) and .at > $at + 0.5) | (.at - $at - 0.5) as $t |
		([.backends | to_entries[] | select(.key as $n | $ARGS.positional | index($n)) | .value] | add // 0) as $own |
		([.backends[]] | add) as $all | select($all > 0) | "\($t) \($own / $all)"' "$@" <"$LAB_DIR/http"
}
# "SECOND SHARE" lines against the file `curve`: the largest and the mean distance in points
distance() {
	awk 'NR == FNR { curve[int($1 * 10 + 0.5)] = $2; last = $1; next }
		$1 <= last { d = ($2 - curve[int($1 * 10 + 0.5)]) * 100; sum += d; n++; if (d < 0) d = -d; if (d > most) most = d }
		END { mean = n ? sum / n : 99; printf "%.2f %.2f %d\n", most, mean < 0 ? -mean : mean, n }' "$LAB_DIR/curve" -
}
shown_curve() { # a line for a person: every second
	awk 'NR == FNR { curve[int($1 * 10 + 0.5)] = $2; next } int($1) != last || NR == 1 { last = int($1);
		printf "%ss %.1f (%.1f)  ", last, $2 * 100, curve[int($1 * 10 + 0.5)] * 100 }' "$LAB_DIR/curve" "$LAB_DIR/shares"
}

ebbs() { # WHAT OK TERM LATE NAME…: as the curve says
	local what=$1 most mean n
	"$LAB_TOOLS/curve" $FALLING "$2" "$3" "$(awk -v p=$PROBE_MS 'BEGIN { print 1000 / p }')" $OBSERVE $DOWN 0.2 "$4" >"$LAB_DIR/curve"
	shift 4
	watch $FALLING "$@"
	say "share (computed): $(shown_curve)"
	read -r most mean n < <(distance <"$LAB_DIR/shares")
	check "$what: $n shares of the table, none further than $POINTS points from the curve ($most)" within "$most" 0 $POINTS
	check "$what: there were samples all the way" within "$n" "$FALLING" 10000
	read -r most mean n < <(seen_by_clients "$@" | distance)
	check "$what: $n seconds of the clients' pages, on average $mean points off, $most at most" within "$mean" 0 $POINTS
	check "$what: it did ebb" within "$(tail -n 1 "$LAB_DIR/shares" | awk '{ print $2 }')" 0 0.2
}

returns() { # WHAT NAME…: to its third, and never above it
	local what=$1 most
	shift
	at=$(date +%s.%N)
	turn 0 0 "$@"
	while awk -v a="$at" -v n="$(date +%s.%N)" -v s="$RISING" -v h="$(share "$@")" 'BEGIN { exit n - a >= s || h > 0.3325 }'; do sleep 0.2; done
	watch "$(awk -v a="$at" -v n="$(date +%s.%N)" 'BEGIN { print n - a + 2 }')" "$@"
	most=$(awk '{ if ($2 > most) most = $2 } END { print most }' "$LAB_DIR/shares")
	check "$what: it returns to its third" within "$(tail -n 1 "$LAB_DIR/shares" | awk '{ print $2 }')" 0.331 0.3335
	check "$what: and is never more than a point above it" within "$most" 0 0.3434
}

need "the lab comes up" lab_up
need "the backends decapsulate" lab_node_attach
for name in $(lab_names backends); do
	lab_backend_kill "$name"
	echo "0 0 0" >"$LAB_DIR/$name.mode"
	lab_spawn "$name" "$LAB_DIR/$name.web.log" "$LAB_TOOLS/web_server" "$name" "$LAB_DIR/$name.mode" 80 8080
	server[$name]=$LAB_PID
	disown
done
need "ebbd starts" lab_edge_start edge-1
need "all backends become healthy" lab_wait_health edge-1
lab_spawn client-1 "$LAB_DIR/http" "$LAB_TOOLS/http_client" -r $RATE -p 2048 -s $SEED -i 1 -t 3000 $LAB_VIP4_GUE 80 && client=$LAB_PID
sleep $((2 * OBSERVE)) # evidence of health, as the curve begins with

at=$(date +%s.%N)
turn 0 2 fra-1 fra-2
ebbs "every other answer is 503" 0.5 1 0 fra-1 fra-2
returns "every other answer is 503" fra-1 fra-2

for _ in 1 2 3 4 5; do lab_wait_health edge-1 2>/dev/null && break; done # half a minute each
need "all are healthy again" lab_wait_health edge-1
sleep 1.5 # and their weights are published
before=$(table_of edge-1)
for name in $(lab_names backends); do lab_ip "$name" route add blackhole 10.0.1.2/32; done # their answers to the edge alone
sleep $SILENT
check "no probe was answered" equal "$(lab_ebb edge-1 --json status | jq '[.problems[] | select(test("probes get no answer"))] | length')" 1
check "silence of all probes moved no slot" equal "$(table_of edge-1)" "$before"
for name in $(lab_names backends); do lab_ip "$name" route del blackhole 10.0.1.2/32; done
sleep 2
check "nor did its end" equal "$(table_of edge-1)" "$before"

sleep $OBSERVE
at=$(date +%s.%N)
turn 200 0 dub-1 dub-2
# three answers in a row, of which the first comes after half an interval on average
ebbs "200 ms more" 1 "$(awk 'BEGIN { print 1 - 0.9 * (0.2 - 0.05) / (0.25 - 0.05) }')" \
	"$(awk -v p=$PROBE_MS 'BEGIN { print 2.5 * p / 1000 + 0.2 }')" dub-1 dub-2
[ "${CURVE:-}" != long ] || returns "200 ms more" dub-1 dub-2

kill "$client"
wait "$client"
check "no request broke" equal "$(tail -n 1 "$LAB_DIR/http" | jq .failed)" 0
check "nothing was dropped" equal "$(verdict_drops edge-1)" 0
finish
