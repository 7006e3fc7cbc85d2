#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A changed file: what a reload would do is said before, done as said, and only that; what is refused leaves all as it was.
# Conversations and short requests run through all of it, and none breaks.
#
#   client-1 ── router ── edge-1 ── router ── six backends
. "$(dirname "$0")/lib.sh" reload

need "the lab comes up" lab_up
need "the backends decapsulate" lab_node_attach
lab_echo_start
need "ebbd starts" lab_edge_start edge-1
need "all backends become healthy" lab_wait_health edge-1
pid=$(cat "$LAB_DIR/edge-1/ebbd.pid")
file=$LAB_DIR/edge-1/ebb.yaml

base() { lab_config edge-1; }
config() { lab_ebb edge-1 config "$@" >"$LAB_DIR/out" 2>&1; }
said() { grep -qE -- "$1" "$LAB_DIR/out" || { say "said: $(head -n 5 "$LAB_DIR/out")"; return 1; }; }
moved() { lab_ebb edge-1 --json config diff | jq '.pools[0].moved // 0'; }
identity() { lab_ebb edge-1 --json backend show | jq -c '[.[] | select(.name != "fra-2") | [.name, .id]] | sort'; }
in_force() { lab_ebb edge-1 --json backend show | jq -c '[.[] | [.name, .id, .capacity, .leaving]]'; }
slots_of() { shown edge-1 "$1" slots; }
refused_whole() { # REASON: the file as it stands, by the command and by SIGHUP
	local before
	before=$(in_force)
	config reload && { say "it was taken"; return 1; }
	said "$1" && kill -HUP "$pid" && sleep 0.3 && kill -0 "$pid" && equal "$(in_force)" "$before" &&
		lab_ebb edge-1 status | grep -q 'was refused, the former one is in force'
}
becomes() { # VALUE SECONDS COMMAND…: within so long
	local want=$1 end=$((SECONDS + $2))
	shift 2
	while [ $SECONDS -lt $end ]; do
		[ "$("$@")" = "$want" ] && return
		sleep 0.1
	done
	equal "$("$@")" "$want"
}

lab_spawn client-1 "$LAB_DIR/talks" "$LAB_TOOLS/echo_client" -c 120 -i 100 -t 5000 $LAB_VIP4_GUE 7
talks=$LAB_PID
lab_spawn client-1 "$LAB_DIR/requests" "$LAB_TOOLS/http_client" -r 50 -t 5000 $LAB_VIP4_GUE 80
requests=$LAB_PID
need "conversations begin" becomes 1 10 grep -c ready "$LAB_DIR/talks"

# --- nothing, and what is only looked at
table=$(table_of edge-1)
config diff
check "the same file: nothing differs" said '^nothing differs$'
config reload
check "and reloading it moves no slot" equal "$(table_of edge-1)" "$table"
base | sed 's/{name: all, /&drain: 3s, /' | grep -v 'name: fra-2' >"$file"
config diff
check "diff: what goes is named" said '^- backend fra-2$'
check "diff: what changes is named" said '^~ pool all: drain 0s -> 3s$'
check "diff: a sixth of the traffic would move" within "$(moved)" 0.16 0.18
check "diff: and none has" equal "$(table_of edge-1)" "$table"

# --- a backend is removed, drains, and comes back
ids=$(identity)
config reload
check "removed: it drains" equal "$(shown edge-1 fra-2 leaving)" true
check "removed: it has no slot" equal "$(slots_of fra-2)" 0
check "removed: the others are who they were" equal "$(identity)" "$ids"
kept=$(shown edge-1 fra-2 packets)
sleep 1
check "removed: its conversations go on while it drains" within "$(shown edge-1 fra-2 packets)" $((kept + 50)) 1000000
base | sed 's/{name: all, /&drain: 3s, /' >"$file"
config reload
check "it is configured again before it was gone: it stays" equal "$(shown edge-1 fra-2 leaving)" false
returns() { [ "$(slots_of fra-2)" -gt 2000 ] && echo yes; }
check "and gets slots again" becomes yes 20 returns

# --- who is who goes by name
lab_backend_sick fra-1 100
sleep 1.5
before=$(shown edge-1 fra-1 health)
base | awk '/name: fra-1,/ { held = $0; next } { print } /name: fra-2,/ { print held }' | sed '/name: ams-2/s/capacity: 100/capacity: 90/' >"$file"
config reload
check "a file in another order, another capacity: the same ids" equal "$(lab_ebb edge-1 --json backend show | jq -c '[.[] | select(.name != "fra-2") | [.name, .id]] | sort')" "$ids"
check "what was sick is as sick as it was (health $before)" within "$(shown edge-1 fra-1 health)" 0.01 "$(awk -v h="$before" 'BEGIN { print h + 0.05 }')"
lab_backend_sick fra-1 0

# --- too much at once
base | grep -vE 'name: (dub-1|dub-2|ams-1|ams-2)' | sed '/regions:$/,/backends:$/ s/backends:$/backends: []/; /eu-central-1/,/fra-1/ s/backends: \[\]/backends:/' >"$file"
config diff
check "over half of a pool: diff says that it would be refused" said '^! pool all would lose 6[67] % of its capacity'
check "over half of a pool: refused, by SIGHUP as well" refused_whole 'config reload --force'
base | sed '/name: \(fra\|dub\)-/s/capacity: 100/capacity: 10/' >"$file"
check "over half by capacities that shrink: refused as well" refused_whole 'would lose 6[01] %.*config reload --force'
check "with --force it is done" config reload --force
base >"$file"
check "and back without" config reload

# --- interfaces
base | sed 's/{name: eth0, mode: auto}/&\n    - {name: nosuch0}/' >"$file"
check "an interface that is missing: refused as a whole" refused_whole 'no interface "nosuch0"'
base | sed 's/{name: eth0, mode: auto}/&\n    - {name: lo, mode: generic}/' >"$file"
check "one more interface: taken" config reload
check "it is attached" [ -e "$LAB_BPFFS/$LAB-edge-1/links/lo" ]
base >"$file"
check "one less: taken" config reload
check "it is detached" [ ! -e "$LAB_BPFFS/$LAB-edge-1/links/lo" ]

# --- probes go elsewhere
base | sed 's/probe: {type: http, port: 8080, path: .healthz/probe: {type: tcp, port: 80/' >"$file"
config reload
sleep 1
check "probes of another kind and port: nobody loses health" equal "$(lab_ebb edge-1 --json backend show | jq '[.[] | select(.name != "fra-1") | .health] | min')" 1

# --- services
base | sed '/name: gue4-web/d' >"$file"
config reload
check "a service that went: its packets pass untouched" eval 'lab_ebb edge-1 explain --proto tcp --src 198.51.100.7:4000 --dst 192.0.2.10:80 | grep -q pass_not_ours'
base >"$file"
config reload
check "a service that came: its packets are taken" eval 'lab_ebb edge-1 explain --proto tcp --src 198.51.100.7:4000 --dst 192.0.2.10:80 | grep -q forward'

kill -INT $talks $requests
wait $talks $requests
say "$(tail -n 1 "$LAB_DIR/talks")"
check "no conversation broke" equal "$(tail -n 1 "$LAB_DIR/talks" | jq .broken)" 0
check "requests that failed were of the second without their service" within "$(grep -vc '"total"' "$LAB_DIR/requests")" 0 100
finish
