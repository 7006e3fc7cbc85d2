#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Long conversations outlive what happens above them, and so do short ones, which begin all the time: weights that slide to
# nothing and back, drains, new backends, a wiped flow table, an edge host that vanishes, a daemon that dies, a program that
# is replaced; and several of these at once, over slots that moved twice before they settled. With the second hop none of
# 2,000 breaks; by ipip, which has none, the vanishing edge breaks some, so the test can tell.
#
#              ┌──eth0── edge-1 (vanishes)
#   client-1 ── router ──────┴── 90 backends in three regions, then 100
#              └──eth0, eth1── edge-2
LAB_EDGES=2 LAB_PER_REGION=34
. "$(dirname "$0")/lib.sh" sessions

LAB_OMIT="fra-34 dub-34" # 100 in all
LATER="fra-30 fra-31 fra-32 fra-33 dub-31 dub-32 dub-33 ams-32 ams-33 ams-34"
LAB_FLOWS=65536
LAB_HEALTH="  tick: 100ms
  observe: 5s
  down: 2.8s
  up: 4s
  probe: {type: tcp, port: 7, interval: 2s, timeout: 2s, rise: 1, fall: 3}"
RATE=40 # new connections a second, over each family
talks=() # pids of the echo clients
news=()
declare -A broken_before

both() { lab_ebb edge-1 "$@" >/dev/null && lab_ebb edge-2 "$@" >/dev/null; }

broken() { grep -c '"broken"' "$LAB_DIR/$1"; } # OUTPUT: conversations that broke so far (the tool shows twenty at most)

unbroken() { # WHAT: since the last time, over gue
	local file now
	for file in gue4 gue6 later4; do
		[ -e "$LAB_DIR/$file" ] || continue
		now=$(broken $file)
		check "$1: no conversation over $file broke" equal "$now" "${broken_before[$file]:-0}" ||
			grep '"broken"' "$LAB_DIR/$file" | tail -n 3
		broken_before[$file]=$now
	done
	for file in new4 new6; do
		now=$(grep -vc '"total"' "$LAB_DIR/$file")
		check "$1: no new connection over $file failed" equal "$now" "${broken_before[$file]:-0}" || tail -n 3 "$LAB_DIR/$file"
		broken_before[$file]=$now
	done
}

talk() { # NAME COUNT VIP: COUNT conversations, each of which says and hears something every 100 ms
	lab_spawn client-1 "$LAB_DIR/$1" "$LAB_TOOLS/echo_client" -c "$2" -i 100 -t 20000 "$3" 7 && talks+=("$LAB_PID")
}

slide() { # REGION WEIGHT (a ratio): all of it, on both edges, by one connection each: 66 processes take too long
	local i edge
	for i in $(lab_backends_of "$1"); do
		[[ " $LAB_OMIT " = *" $i "* ]] ||
			echo "{\"id\": \"$i\", \"method\": \"backend.set\", \"params\": {\"name\": \"$i\", \"weight\": $2}}"
	done >"$LAB_DIR/slide"
	for edge in edge-1 edge-2; do
		"$LAB_TOOLS/socket_say" "$LAB_DIR/$edge/run/ebbd.sock" 1 <"$LAB_DIR/slide" >"$LAB_DIR/slide.$edge"
		[ "$(grep -c '"ok": \?true' "$LAB_DIR/slide.$edge")" = "$(wc -l <"$LAB_DIR/slide")" ] || {
			say "$edge: $(head -c 300 "$LAB_DIR/slide.$edge")"
			return 1
		}
	done
}

configure_both() {
	local edge
	for edge in edge-1 edge-2; do
		lab_config $edge >"$LAB_DIR/$edge/ebb.yaml"
		lab_ebb $edge config reload >/dev/null || return
	done
}

wipe() { # EDGE: its flow table and nursery, by bpftool
	local map i sets zero
	zero=$(printf ' 0%.0s' {1..64})
	for map in flows nursery; do
		sets=$(bpftool -j map show pinned "$LAB_BPFFS/$LAB-$1/maps/$map" | jq .max_entries)
		for ((i = 0; i < sets; i++)); do
			echo "map update pinned $LAB_BPFFS/$LAB-$1/maps/$map key $((i & 255)) $((i >> 8)) 0 0 value$zero"
		done
	done >"$LAB_DIR/wipe"
	bpftool batch file "$LAB_DIR/wipe" >/dev/null
}

slides() { # REGION WEIGHT…
	local weight region=$1
	shift
	for weight in "$@"; do check "$region's weights are $weight" slide "$region" "$weight"; done
}

vanish() { # edge-1, with all that it knows
	lab_ip router link set edge1 down
	lab_route edge-2
	sleep 2
}

come_back() {
	local i
	lab_ip router link set edge1 up
	for ((i = 0; i < 50; i++)); do lab_route edge-1 edge-2 2>/dev/null && break; sleep 0.1; done
	check "edge-1 gets its share again" test $i -lt 50
	sleep 1
}

# Slots with a former owner and another home behind it: moved twice before they settled.
twice_moved() { # EDGE
	bpftool -j map dump pinned "$LAB_BPFFS/$LAB-$1/maps/slots" |
		jq '[.[].formatted.value | select(.secondary != 0 and .home != 0 and .home != .secondary and .home != .primary)] | length'
}

program() { bpftool -j link show pinned "$LAB_BPFFS/$LAB-$1/links/eth0" | jq .prog_id; }

need "the lab comes up, with 102 servers" lab_up
need "the backends decapsulate" lab_node_attach
lab_echo_start
mkdir -p "$LAB_DIR/edge-1" "$LAB_DIR/edge-2"
omit=$LAB_OMIT
LAB_OMIT="$omit $LATER"
need "ebbd starts on edge-1" lab_edge_start edge-1
need "ebbd starts on edge-2" lab_edge_start edge-2
need "all backends become healthy" lab_wait_health edge-1
need "all backends become healthy" lab_wait_health edge-2
lab_route edge-1 edge-2
check "both edges have the same table" equal "$(lab_ebb edge-1 --json pool show all | jq .digest)" "$(lab_ebb edge-2 --json pool show all | jq .digest)"

talk gue4 1000 $LAB_VIP4_GUE && talk gue6 1000 $LAB_VIP6_GUE && talk ipip4 300 $LAB_VIP4_IPIP
for ((i = 0; i < 200; i++)); do [ "$(grep -l ready "$LAB_DIR"/{gue4,gue6,ipip4} | wc -l)" = 3 ] && break; sleep 0.1; done
need "2,300 conversations have begun" test $i -lt 200
for what in "new4 $LAB_VIP4_GUE" "new6 $LAB_VIP6_GUE"; do
	read -r name vip <<<"$what"
	lab_spawn client-1 "$LAB_DIR/$name" "$LAB_TOOLS/http_client" -r $RATE -p 256 -t 20000 -s $RANDOM "$vip" 80 && news+=("$LAB_PID")
done
check "both edges carry some" test "$(mapped_total edge-1)" -gt 1000 -a "$(mapped_total edge-2)" -gt 1000

# One by one.
slides dub 0.8 0.6 0.4 0.2 0
unbroken "a region's weights slid to nothing"
both backend set fra-1 state drain && both backend set fra-2 state drain
sleep 1
unbroken "two backends drain"
LAB_OMIT=$omit
check "ten backends are added" configure_both
sleep 3
unbroken "ten backends were added"
wipe edge-1 && wipe edge-2
sleep 1
unbroken "both flow tables and nurseries were wiped"

# At once. Now most conversations are on their slots' homes, with two owners since, and only the hops know of them.
slides fra 0.5 0
both backend set ams-1 state drain && both backend set ams-2 state drain
for edge in edge-1 edge-2; do
	moved=$(twice_moved $edge)
	check "$edge: $moved slots have moved twice" test "$moved" -gt 1000
done
unbroken "a second region slid to nothing, while two backends of the third drain"
vanish
unbroken "then edge-1 vanished"
check "over ipip, without second hop, it broke some ($(broken ipip4) shown)" test "$(broken ipip4)" -gt 0
come_back
unbroken "edge-1 came back"

# And back. These begin on slots that are lent: when the slots go home, the notes know of them.
talk later4 200 $LAB_VIP4_GUE
for ((i = 0; i < 100; i++)); do grep -q ready "$LAB_DIR/later4" && break; sleep 0.1; done
need "200 more conversations have begun" test $i -lt 100
for region in fra dub; do slides $region 0.5 1; done
for name in fra-1 fra-2 ams-1 ams-2; do both backend set $name state ready; done
sleep 1
unbroken "all weights slid back"
for edge in edge-1 edge-2; do
	check "$edge: another build of the program takes its place, and the old one, 21 times" \
		"$LAB_TOOLS/swap_program" "$LAB_BPFFS/$LAB-$edge" eth0 21 50
done
unbroken "the programs were replaced"
lab_edge_kill edge-2
sleep 0.5
old=$(program edge-2)
need "ebbd starts again" lab_edge_start edge-2 "$LAB_DIR/edge-2/ebb.yaml"
sleep 1
unbroken "ebbd on edge-2 was killed and started"
check "the new ebbd has replaced the program" test "$(program edge-2)" != "$old"

kill "${talks[@]}" "${news[@]}"
wait "${talks[@]}" "${news[@]}"
for name in gue4 gue6 later4 ipip4; do
	result=$(tail -n 1 "$LAB_DIR/$name")
	say "$name: $(jq -c . <<<"$result")"
	[ $name = ipip4 ] || check "$name: none is broken" equal "$(jq '.broken' <<<"$result")" 0
done
for name in new4 new6; do
	result=$(tail -n 1 "$LAB_DIR/$name")
	say "$name: $(jq -c 'del(.backends)' <<<"$result" | head -c 300)"
	check "$name: of all new connections none failed" equal "$(jq '[.refused, .reset, .timeout, .unreachable, .cut, .wrong] | add' <<<"$result")" 0
	check "$name: new ones all the time" test "$(jq .answered <<<"$result")" -gt $((RATE * SECONDS / 4))
done
finish
