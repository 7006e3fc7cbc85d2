#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The life of sandboxes with real flows to them: 30,000 are there, ten are born and ten go each second; one that is born
# answers a request at once, at the server that was named, and conversations with others go on: while they are moved, and
# while ebbd dies and comes back. Who listens hears of each birth, move and end. Wrong requests are refused one by one.
#
#   client-1 ── router ── edge-1 ── router ── fra-1 fra-2 dub-1 dub-2 ams-1 ams-2   every address of the prefix is on each
#
# LIFE is how many seconds of births and ends (5); LIFE=600 is the long run.
. "$(dirname "$0")/lib.sh" sandboxes

LIFE=${LIFE:-5} HERE=30000 TALKS=300
BOX=2001:db8:5b:

box() { printf '%s:%x:%x' "$BOX" $((1 + ($1 >> 16))) $(($1 & 65535)); } # NUMBER
changes() { # OP FROM TO: a line of JSON each
	awk -v op="$1" -v from="$2" -v to="$3" -v box="$BOX" 'BEGIN {
		for (i = from; i < to; i++)
			printf "{\"op\": \"%s\", \"service\": \"boxes\", \"address\": \"%s:%x:%x\"}\n", op, box, 1 + i / 65536, i % 65536
	}'
}
boxes() { # address and backend of all, in no order, by pages
	local page after=()
	while page=$(lab_ebb edge-1 --json sandbox show --limit 10000 "${after[@]}"); do
		jq -r '.sandboxes[] | "\(.address) \(.backend)"' <<<"$page"
		after=(--after "$(jq -r '.next // empty' <<<"$page")")
		[ -n "${after[1]}" ] || break
	done | sort
}
served_by() { # ADDRESS: who answers a new connection
	lab_run client-1 curl -sS --max-time 5 -H 'Connection: close' --resolve "box:80:$1" http://box/ 2>>"$LAB_DIR/errors" | awk '{ print $2 }'
}
metric() { # NAME{LABELS}
	lab_run edge-1 curl -s http://127.0.0.1:9619/metrics | awk -v name="$1" '$1 == name { print $2 }'
}
refused() { # WHAT PATTERN ARGUMENTS…: of the command, with a reason
	local what=$1 pattern=$2 said
	shift 2
	said=$(lab_ebb edge-1 sandbox "$@" 2>&1) && say "was not refused: $said" && said=''
	check "refused: $what" grep -qE "$pattern" <<<"$said"
}

need "the lab comes up" lab_up
need "the backends decapsulate" lab_node_attach
lab_echo_start
mkdir -p "$LAB_DIR/edge-1/run" "$LAB_DIR/edge-1/state"
{
	lab_config edge-1
	echo "  - {name: boxes, prefix: \"$LAB_SANDBOXES\", pool: all, affinity: sandbox, encap: gue}"
	echo 'http: {listen: "127.0.0.1:9619"}'
} >"$LAB_DIR/edge-1/ebb.yaml"
need "ebbd starts" lab_edge_start edge-1 "$LAB_DIR/edge-1/ebb.yaml"
need "all backends become healthy" lab_wait_health edge-1

changes place 0 $HERE | lab_ebb edge-1 sandbox bulk >"$LAB_DIR/bulk"
need "$HERE sandboxes are placed" equal "$(cat "$LAB_DIR/bulk")" "$HERE done, 0 failed"
boxes >"$LAB_DIR/placed"
check "they are listed" equal "$(wc -l <"$LAB_DIR/placed")" $HERE
check "by the pool's table, to all servers alike" within \
	"$(awk '{ n[$2]++ } END { for (b in n) if (!low || n[b] < low) low = n[b]; print low }' "$LAB_DIR/placed")" 4800 5000
lab_spawn edge-1 "$LAB_DIR/events" build/ebb -s "$LAB_DIR/edge-1/run/ebbd.sock" --json monitor && monitor=$LAB_PID
lab_spawn client-1 "$LAB_DIR/talk" "$LAB_TOOLS/echo_client" -c $TALKS -a $TALKS -i 100 -t 5000 "$(box 10000)" 7 && talk=$LAB_PID
for ((i = 0; i < 100; i++)); do grep -q ready "$LAB_DIR/talk" && break; sleep 0.1; done
need "$TALKS conversations with as many sandboxes have begun" test $i -lt 100

# --- births and ends ------------------------------------------------------------------------------------------------

next=$HERE oldest=0 wrong=0
for ((second = 0; second < LIFE; second++)); do
	began=$EPOCHREALTIME
	for ((i = 0; i < 10; i++)); do
		to=$(box $next)
		named=$(lab_ebb edge-1 --json sandbox place "$to" --service boxes | jq -r .backend)
		served=$(served_by "$to")
		if [ -z "$named" ] || [ "$served" != "$named" ]; then
			wrong=$((wrong + 1))
			say "$to was placed on '$named', '$served' answered"
		fi
		next=$((next + 1))
	done
	changes del $oldest $((oldest + 10)) | lab_ebb edge-1 sandbox bulk >/dev/null || wrong=$((wrong + 1))
	oldest=$((oldest + 10))
	[ $oldest -lt 9000 ] || oldest=11000 # the conversations' own stay
	sleep "$(awk -v b="$began" -v n="$EPOCHREALTIME" 'BEGIN { s = 1 - (n - b); print (s > 0 ? s : 0) }')"
done
check "$((next - HERE)) that were born over $LIFE s answered at once, at the server that was named" equal $wrong 0
check "there are as many as before" equal "$(lab_ebb edge-1 --json status | jq .counts.sandboxes)" $HERE

# --- moves ----------------------------------------------------------------------------------------------------------

for ((i = 10000; i < 10000 + TALKS; i++)); do
	to=$(box $i)
	from=$(awk -v a="$to" '$1 == a { print $2; exit }' "$LAB_DIR/placed")
	moved[i]=$([ "$from" = fra-1 ] && echo ams-2 || echo fra-1)
	printf '{"op": "move", "service": "boxes", "address": "%s", "backend": "%s"}\n' "$to" "${moved[i]}"
done >"$LAB_DIR/moves"
lab_ebb edge-1 sandbox bulk <"$LAB_DIR/moves" >"$LAB_DIR/bulk"
check "$TALKS are moved under their conversations" equal "$(cat "$LAB_DIR/bulk")" "$TALKS done, 0 failed"
wrong=0
for ((i = 10000; i < 10030; i++)); do
	expected=$(jq -r "select(.address == \"$(box $i)\") | .backend" "$LAB_DIR/moves")
	[ "$(served_by "$(box $i)")" = "$expected" ] || wrong=$((wrong + 1))
done
check "new connections go to where they are now" equal $wrong 0
sleep 1

# --- who listens, and who counts ------------------------------------------------------------------------------------

placed=$((next - HERE)) deleted=$((10 * LIFE))
check "each birth, end and move was heard, with its time" equal \
	"$(jq -r 'select(.time | test("^20..-..-..T..:..:..\\....Z$")) | .event' "$LAB_DIR/events" | grep sandbox | sort | uniq -c | awk '{ printf "%s %s ", $2, $1 }')" \
	"sandbox-deleted $deleted sandbox-moved $TALKS sandbox-placed $placed "
check "and counted" equal "$(for e in placed added moved deleted; do printf '%s ' "$(metric "ebb_sandbox_events_total{event=\"$e\"}")"; done)" \
	"$((HERE + placed)) 0 $TALKS $deleted "
check "the map holds them" equal "$(metric 'ebb_map_entries{map="sandboxes"}')" $HERE
check "packets find them in the index" equal "$(lab_ebb edge-1 --json explain --proto tcp --src '[2001:db8:ffff::1]:1234' --dst "[$(box 20000)]:80" | jq -r .sandbox_look_up)" index

# --- what is refused ------------------------------------------------------------------------------------------------

taken=$(awk -v a="$(box 20000)" '$1 == a { print $2 }' "$LAB_DIR/placed")
other=$([ "$taken" = fra-1 ] && echo fra-2 || echo fra-1)
refused "an address of another prefix" 'not in the prefix of service boxes' add 2001:db8:5c::1 --service boxes --backend fra-1
refused "no address" 'address' add nonsense --service boxes --backend fra-1
refused "an unknown backend" 'no backend "fra-9"' add "$(box 99999)" --service boxes --backend fra-9
refused "an unknown service" 'no service "bones"' add "$(box 99999)" --service bones --backend fra-1
refused "a service without sandboxes" 'has no sandboxes' add "$(box 99999)" --service gue4-web --backend fra-1
refused "a port where there are none" 'without port' add "$(box 99999)" --service boxes --backend fra-1 --port 80
refused "one that lives elsewhere" 'lives elsewhere' add "$(box 20000)" --service boxes --backend "$other"
refused "a move of none" 'no such sandbox' move "$(box 99999)" --service boxes --backend fra-1
refused "an end of none" 'no such sandbox' del "$(box 99999)" --service boxes
check "one that is there already is no error" lab_ebb edge-1 sandbox add "$(box 20000)" --service boxes --backend "$taken"
{
	echo 'not JSON'
	echo '{"op": "eat", "service": "boxes", "address": "2001:db8:5b::1:ffff"}'
	echo '{"op": "add", "service": "boxes", "address": "2001:db8:5b::2:ffff", "backend": 7}'
	echo '[]'
	changes place 90000 90001
} | lab_ebb edge-1 sandbox bulk >"$LAB_DIR/bulk" 2>"$LAB_DIR/bulk.errors"
check "of a stream with four wrong lines the right one is done" equal "$(cat "$LAB_DIR/bulk")" "1 done, 4 failed"
check "and each wrong one is named" equal "$(grep -cE 'line [1-4]:' "$LAB_DIR/bulk.errors")" 4
check "nothing else has changed" equal "$(lab_ebb edge-1 --json status | jq .counts.sandboxes)" $((HERE + 1))

# --- a death --------------------------------------------------------------------------------------------------------

boxes >"$LAB_DIR/before"
lab_edge_kill edge-1
need "ebbd starts again" lab_edge_start edge-1 "$LAB_DIR/edge-1/ebb.yaml"
boxes >"$LAB_DIR/after"
check "all are where they were, from the pinned map alone" cmp "$LAB_DIR/before" "$LAB_DIR/after"
check "and packets find them in the index again" equal "$(lab_ebb edge-1 --json explain --proto tcp --src '[2001:db8:ffff::1]:1234' --dst "[$(box 20000)]:80" | jq -r .sandbox_look_up)" index
sleep 1
kill "$talk"
wait "$talk" "$monitor" # which ended with ebbd
result=$(tail -n 1 "$LAB_DIR/talk")
check "$(jq .conversations <<<"$result") conversations said $(jq .said <<<"$result") things, none broke" equal "$(jq .broken <<<"$result")" 0
check "nothing was dropped" equal "$(verdict_drops edge-1)" 0
finish
