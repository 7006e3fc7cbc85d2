#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A region whose servers answer 503 to a part of probes and requests loses its share step by step, never by a cliff; a server
# that is killed is left at once; what recovers gets its share back. Meanwhile no request breaks that was not in the hands
# of the killed server.
#
#                              ┌ fra-1, fra-2   answer 503 to 70 %
#   client-1 ── router ── edge-1
#                              ├ dub-1, dub-2
#                              └ ams-1, ams-2   ams-2 is killed
. "$(dirname "$0")/lib.sh" away

RATE=400 SEED=99

share() { # NAME…: of the table
	lab_ebb edge-1 --json backend show | jq --args '[.[] | select(.name as $n | $ARGS.positional | index($n)) | .share] | add' "$@"
}

# Watches a share until it is beyond LIMIT, at most SECONDS; the steps go to the file `steps`.
watch_share() { # SECONDS below|above LIMIT NAME…
	local seconds=$1 end=$((SECONDS + $1)) how=$2 limit=$3 now
	shift 3
	: >"$LAB_DIR/steps"
	while [ $SECONDS -lt $end ]; do
		now=$(share "$@")
		echo "$now" >>"$LAB_DIR/steps"
		if awk -v n="$now" -v l="$limit" -v h="$how" 'BEGIN { exit !(h == "below" ? n <= l : n >= l) }'; then
			say "shares a quarter of a second apart: $(awk '{printf "%.3f ", $1}' "$LAB_DIR/steps")"
			return
		fi
		sleep 0.25
	done
	say "after $seconds s: $(awk '{printf "%.3f ", $1}' "$LAB_DIR/steps")"
	return 1
}

no_cliff() { # LARGEST STEP, of `steps`
	within "$(awk 'NR > 1 { d = $1 - last; if (d < 0) d = -d; if (d > most) most = d } { last = $1 } END { print most + 0 }' "$LAB_DIR/steps")" 0 "$1"
}

one_way() { # down|up: of `steps`, but for half a point of noise
	awk -v way="$1" 'NR > 1 { d = way == "down" ? $1 - last : last - $1; if (d > 0.02) bad = 1 } { last = $1 } END { exit bad }' "$LAB_DIR/steps"
}

measured() { # NAME…: their part of the pages of the last two seconds
	tail -n 2 "$LAB_DIR/http" | jq -s --args '[.[] | .backends // {} | to_entries[]] | ([.[] | select(.key as $n |
		$ARGS.positional | index($n)) | .value] | add // 0) / ([.[].value] | add)' "$@"
}

need "the lab comes up" lab_up
need "the backends decapsulate" lab_node_attach
need "ebbd starts" lab_edge_start edge-1
need "all backends become healthy" lab_wait_health edge-1
lab_spawn client-1 "$LAB_DIR/http" "$LAB_TOOLS/http_client" -r $RATE -s $SEED -i 1 -t 2000 $LAB_VIP4_GUE 80 && client=$LAB_PID
sleep 2.5
check "in health, a region has its third" within "$(share fra-1 fra-2)" 0.33 0.34
check "and the clients see it" within "$(measured fra-1 fra-2)" 0.27 0.40

lab_backend_sick fra-1 70
lab_backend_sick fra-2 70
check "a sick region's share ebbs away" watch_share 60 below 0.03 fra-1 fra-2
check "by no step of more than 12 points in a quarter of a second" no_cliff 0.12
check "and never rises" one_way down
check "there were steps on the way" within "$(sort -u "$LAB_DIR/steps" | wc -l)" 5 1000
sleep 2.5
check "the clients see it" within "$(measured fra-1 fra-2)" 0 0.06

lab_backend_sick fra-1 0
lab_backend_sick fra-2 0
check "what recovers gets its share back" watch_share 120 above 0.32 fra-1 fra-2
check "by no step of more than 12 points" no_cliff 0.12
sleep 2.5
check "the clients see it" within "$(measured fra-1 fra-2)" 0.27 0.40

broken_before=$(grep -c '"failure"' "$LAB_DIR/http")
check "no request broke so far" equal "$broken_before" 0
killed=$(date +%s.%N)
lab_backend_kill ams-2
check "a killed server is left" watch_share 20 below 0 ams-2
left=$(date +%s.%N)
say "left after $(awk -v a="$killed" -v b="$left" 'BEGIN { printf "%.2f", b - a }') s (probes every 250 ms, three refusals in a row)"
sleep 3
# A third of a sixth: what was in its hands, and what came until it was known to be dead
broken=$(grep '"failure"' "$LAB_DIR/http" | jq -s --argjson left "$left" '[.[] | select(.began > $left + 0.2)] | length')
check "no request that began after that broke" equal "$broken" 0
check "before, only refused or reset ones: it was dead" equal \
	"$(grep '"failure"' "$LAB_DIR/http" | jq -s '[.[] | select(.failure != "refused" and .failure != "reset" and .failure != "cut")] | length')" 0
lab_backend_start ams-2
check "a server that was started again gets its share back" watch_share 120 above 0.16 ams-2
kill "$client"
wait "$client"
say "$(tail -n 1 "$LAB_DIR/http" | jq -c 'del(.at, .total)')"
check "nothing was dropped" equal "$(verdict_drops edge-1)" 0
finish
