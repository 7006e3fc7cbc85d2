#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What goes by itself: a pool's policy shifts a group away that stays half ill, and back when it is well; and a live shift names
# the sandboxes to move, at its pace, to somebody who moves them.
#
#                              ┌ fra-1, fra-2   first tier: 200 sandboxes; fra-1 turns sick
#   client-1 ── router ── edge-1 ─ ams-1, ams-2   second
#                              └ dub-1, dub-2   third
. "$(dirname "$0")/lib.sh" live

SANDBOXES=200 PREFIX=${LAB_SANDBOXES%/*}

config() {
	lab_config edge-1 | sed -e 's/pool: all/pool: eu/' -e "s/{name: all,.*/{name: eu, slots: 65536, auto_shift: {below: 80%, after: 2s, steps: '50%,100%@2s', bake: 500ms, restore_after: 2s, cool_down: 1h}, tiers: [[aws\/eu-central-1], [gcp\/europe-west4], [aws\/eu-west-1]]}/"
	printf '  - {name: boxes, prefix: "%s", pool: eu, affinity: sandbox, encap: gue}\n' $LAB_SANDBOXES
	echo 'http: {listen: "127.0.0.1:9619"}'
}
ebb() { lab_ebb edge-1 "$@"; }
shift_is() { ebb --json shift show "$1" | jq -r "$2"; } # NAME JQ
becomes() { # SECONDS NAME JQ VALUE: within that time
	local i
	for ((i = 0; i < 20 * $1; i++)); do
		[ "$(shift_is "$2" "$3" 2>/dev/null)" = "$4" ] && return
		sleep 0.05
	done
	equal "$(shift_is "$2" "$3")" "$4"
}
automatic() { ebb --json pool show eu | jq -r .auto_shift; }
says() { # SECONDS WORD
	local i
	for ((i = 0; i < 20 * $1; i++)); do
		[ "$(automatic)" = "$2" ] && return
		sleep 0.05
	done
	equal "$(automatic)" "$2"
}
group_share() { ebb --json pool show eu | jq ".groups[] | select(.region == \"$1\") | .share"; }
boxes_on() { ebb --json sandbox show --backend "$1" --limit 1000 | jq '.sandboxes | length'; } # BACKEND
moves() { # OUTPUT: does what it is asked for, a while later, as who runs sandboxes would
	ebb --json monitor --type sandbox-move-wanted | while read -r event; do
		echo "$event" >>"$1"
		read -r box service to < <(jq -r '"\(.sandbox) \(.service) \(.to)"' <<<"$event")
		[ -e "$LAB_DIR/idle" ] || ebb sandbox move "$box" --service "$service" --backend "$to" >/dev/null
	done
}

healthy() { # not lab_wait_health, which wants slots, too
	local i
	for ((i = 0; i < 100; i++)); do
		[ "$(ebb --json backend show | jq '[.[] | select(.health < 1)] | length')" = 0 ] && return
		sleep 0.1
	done
	return 1
}

need "the lab comes up" lab_up
need "the backends decapsulate" lab_node_attach
mkdir -p "$LAB_DIR/edge-1"
config >"$LAB_DIR/edge-1/ebb.yaml"
need "ebbd starts" lab_edge_start edge-1 "$LAB_DIR/edge-1/ebb.yaml"
need "all backends become healthy" healthy
lab_spawn client-1 "$LAB_DIR/http" "$LAB_TOOLS/http_client" -r 100 -s 12 -t 3000 $LAB_VIP4_GUE 80 && http=$LAB_PID

check "all is well" says 5 well
lab_backend_sick fra-1 100
check "a group that stays half ill is shifted" says 15 running
name=$(ebb --json shift show | jq -r '.[] | select(.actor == "auto") | .name')
say "$(ebb --json shift show "$name" | jq -c '{name, from, to, actor, comment}')"
check "to the next tier" equal "$(shift_is "$name" .to)" gcp/europe-west4
check "wholly" becomes 10 "$name" '"\(.phase) \(.share)"' "done 1"
sleep 1
check "it has no share" within "$(group_share aws/eu-central-1)" 0 0.001
lab_backend_sick fra-1 0
check "well again, it is given back" becomes 20 "$name" '"\(.phase) \(.outcome)"' "back restored"
check "the metrics have it" test "$(lab_run edge-1 curl -s http://127.0.0.1:9619/metrics 2>/dev/null | grep -c '^ebb_shift_phase{.*actor="auto"')" = 1

for ((i = 1; i <= SANDBOXES; i++)); do
	printf '{"op": "add", "service": "boxes", "address": "%s%x", "backend": "fra-%d"}\n' "$PREFIX" $i $((1 + i % 2))
done | ebb sandbox bulk >/dev/null
check "sandboxes live in Frankfurt" equal "$(boxes_on fra-1) $(boxes_on fra-2)" "$((SANDBOXES / 2)) $((SANDBOXES / 2))"
moves "$LAB_DIR/asked" & mover=$!
disown
ebb --json shift start --pool eu --from aws/eu-central-1 --to gcp/europe-west4 --steps 30%,60%@3s --bake 1s --live >"$LAB_DIR/shift"
name=$(jq -r .name "$LAB_DIR/shift")
check "it takes over" equal "$(shift_is shift-1 .outcome)" superseded
check "the policy does nothing against an operator's shift" says 5 operator
check "the first step" becomes 5 "$name" '"\(.phase) \(.step)"' "bake 0"
sleep 0.7
wanted=$(shift_is "$name" .sandboxes.wanted)
check "about 30 % are wanted: $wanted" within "$wanted" 40 80
check "then about 60 %" becomes 8 "$name" '.phase == "done" and .sandboxes.wanted > 100 and .sandboxes.wanted < 140' true
wanted=$(shift_is "$name" .sandboxes.wanted)
check "they move, and that is counted" becomes 10 "$name" "\"\(.sandboxes.moved) \(.sandboxes.left)\"" "$wanted 0"
check "each was asked for once" equal "$(jq -r .sandbox "$LAB_DIR/asked" | sort | uniq -d | wc -l)" 0
check "they live in Amsterdam, on both" within "$(boxes_on ams-1)" $((wanted / 4)) $((wanted * 3 / 4))
check "where they were sent" equal "$(($(boxes_on ams-1) + $(boxes_on ams-2)))" "$wanted"

touch "$LAB_DIR/idle" # nobody moves any more
sleep 1.2 # what goes on by itself is written once a second
lab_edge_kill edge-1
need "ebbd starts after SIGKILL" lab_edge_start edge-1 "$LAB_DIR/edge-1/ebb.yaml"
check "it knows what has moved" equal "$(shift_is "$name" .sandboxes.moved)" "$wanted"
asked=$(wc -l <"$LAB_DIR/asked")
moves "$LAB_DIR/asked" & mover=$!
disown
ebb shift set "$name" --share 70% >/dev/null
check "more are wanted" becomes 5 "$name" ".sandboxes.wanted > $wanted" true
sleep 0.5
more=$(($(shift_is "$name" .sandboxes.wanted) - wanted))
for ((i = 0; i < 50 && $(wc -l <"$LAB_DIR/asked") < asked + more; i++)); do sleep 0.1; done
sleep 0.3
check "and asked for once: $more" equal "$(($(wc -l <"$LAB_DIR/asked") - asked))" "$more"

kill "$http" "$mover"
wait "$http"
check "no request failed" equal "$(grep -c '"failure"' "$LAB_DIR/http")" 0
finish
