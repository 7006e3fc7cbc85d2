#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Agents beside the servers say how much they bear: a percentage and a drain are followed, a death is believed at once
# though probes are good, and an agent that is gone is no failure. What was said outlives a reload and a SIGKILL.
#
#                              ┌ fra-1, fra-2   each with an agent on port 9000 that
#   client-1 ── router ── edge-1 ─ dub-1, dub-2   says what stands in a file
#                              └ ams-1, ams-2
. "$(dirname "$0")/lib.sh" reports

LAB_HEALTH="  observe: 2s
  down: 1s
  up: 1s
  probe: {type: http, port: 8080, path: /healthz, interval: 250ms, timeout: 250ms, rise: 2, fall: 3}
  report: {type: agent, port: 9000, interval: 200ms, timeout: 200ms}"

says() { echo "$2" >"$LAB_DIR/$1.says"; } # BACKEND LINE
becomes() { # BACKEND MEMBER LOW HIGH: within ten seconds
	local i
	for ((i = 0; i < 100; i++)); do
		within "$(shown edge-1 "$1" "$2")" "$3" "$4" >/dev/null && return
		sleep 0.1
	done
	within "$(shown edge-1 "$1" "$2")" "$3" "$4"
}
turns() { # BACKEND MEMBER WORD
	local i
	for ((i = 0; i < 100; i++)); do
		[ "$(shown edge-1 "$1" "$2")" = "$3" ] && return
		sleep 0.1
	done
	equal "$(shown edge-1 "$1" "$2")" "$3"
}

need "the lab comes up" lab_up
need "the backends decapsulate" lab_node_attach
declare -A agent
for name in $(lab_names backends); do
	says "$name" "up ready 100%"
	lab_spawn "$name" "$LAB_DIR/$name.agent.log" "$LAB_TOOLS/agent" 9000 "$LAB_DIR/$name.says"
	agent[$name]=$LAB_PID
	disown
done
need "ebbd starts" lab_edge_start edge-1
need "all backends become healthy" lab_wait_health edge-1
lab_spawn client-1 "$LAB_DIR/http" "$LAB_TOOLS/http_client" -r 200 -s 7 -i 1 -t 2000 $LAB_VIP4_GUE 80 && client=$LAB_PID

says fra-1 "50%"
check "50%: half of the health" becomes fra-1 health 0.495 0.51
check "its region keeps its third, of which it has a third" becomes fra-1 share 0.105 0.117
says fra-1 "100%"
check "100%: all of it again" becomes fra-1 health 1 1

says dub-1 "drain # a new kernel"
check "drain: the state says so" turns dub-1 state drain
check "the operator's state is another thing" equal "$(shown edge-1 dub-1 admin_state)" ready
check "the reason is told" turns dub-1 report.reason "a new kernel"
check "it has no slots" becomes dub-1 slots 0 0
served=$(lab_backend_served dub-1)
sleep 1
check "and gets no request" equal "$(lab_backend_served dub-1)" "$served"

says ams-1 "down"
check "down: health is 0 though probes are good" becomes ams-1 health 0 0
sleep 1
check "and stays so" equal "$(shown edge-1 ams-1 health)" 0

lab_ebb edge-1 config reload >/dev/null
check "a reload changes nothing of that" equal "$(shown edge-1 dub-1 state) $(shown edge-1 ams-1 phase)" "drain down"
sleep 1.2 # what agents say is written once a second
kill "${agent[dub-1]}" "${agent[ams-1]}"
lab_edge_kill edge-1
need "ebbd starts after SIGKILL" lab_edge_start edge-1 "$LAB_DIR/edge-1/ebb.yaml"
sleep 1
check "nor does SIGKILL, with the agents gone" equal "$(shown edge-1 dub-1 state) $(shown edge-1 ams-1 health)" "drain 0"

kill "${agent[dub-2]}"
check "an agent that is gone is seen" turns dub-2 report.answers false
sleep 3
check "and no failure: the backend keeps its health" equal "$(shown edge-1 dub-2 health) $(shown edge-1 dub-2 state)" "1 ready"

for name in dub-1 ams-1; do
	says "$name" "up ready"
	lab_spawn "$name" "$LAB_DIR/$name.agent.log" "$LAB_TOOLS/agent" 9000 "$LAB_DIR/$name.says"
	disown
done
check "ready: it is back" turns dub-1 state ready
check "up: it returns" becomes ams-1 health 1 1

kill "$client"
wait "$client"
result=$(tail -n 1 "$LAB_DIR/http")
say "$(jq -c 'del(.at, .backends, .total)' <<<"$result")"
check "no request broke" equal "$(grep -c '"failure"' "$LAB_DIR/http")" 0
check "nothing was dropped" equal "$(verdict_drops edge-1)" 0
finish
