#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A shift as an operator types it, with live traffic: stages on time, the traffic that servers count within two points of what
# the shift says, no conversation broken. Then what may happen on the way: a daemon that dies in the middle of a ramp, a target
# that turns sick (it holds, and goes back), a source that is dead (nothing goes back into it).
#
#   client-1, conversations and requests ─┐                        ┌ fra-1, fra-2   aws/eu-central-1, first tier
#   client-2, datagrams from anywhere ────┴ router ─ edge-1 ─ router ┼ ams-1, ams-2   gcp/europe-west4, second
#                                                                    └ dub-1, dub-2   aws/eu-west-1, third
#
# SHIFT_SCALE=1 takes two minutes and more, as typed, with a case beside; the default divides all times by 10.
LAB_CLIENTS=2
. "$(dirname "$0")/lib.sh" shift

SCALE=${SHIFT_SCALE:-10} RATE=${SHIFT_RATE:-10000}
SINK=9 # a port of datagrams that nobody listens on: each server's kernel counts what came

config() {
	lab_config edge-1 | sed -e 's/pool: all/pool: eu/' -e "s/{name: all,.*/{name: eu, slots: 65536, tiers: [[aws\/eu-central-1], [gcp\/europe-west4], [aws\/eu-west-1]]}/"
	printf '  - {name: sink, address: "%s", port: %s, protocol: udp, pool: eu, affinity: flow, encap: gue}\n' $LAB_VIP4_GUE $SINK
}
ebb() { lab_ebb edge-1 "$@"; }
scaled() { echo "$((1000 * $1 / SCALE))ms"; } # SECONDS
shift_is() { ebb --json shift show "$1" | jq -r "$2"; } # NAME JQ
becomes() { # SECONDS NAME JQ VALUE: within that time
	local i
	for ((i = 0; i < 20 * $1; i++)); do
		[ "$(shift_is "$2" "$3")" = "$4" ] && return
		sleep 0.05
	done
	equal "$(shift_is "$2" "$3")" "$4"
}
group_share() { ebb --json pool show eu | jq ".groups[] | select(.region == \"$1\") | .share"; } # REGION

shares() { # of fra, dub, ams, as the controller has computed them
	ebb --json pool show eu | jq -r '[.groups[] | {(.region): .share}] | add | "\(."aws/eu-central-1") \(."aws/eu-west-1") \(."gcp/europe-west4")"'
}
counted() { # of the sink's datagrams, by the servers of fra, dub, ams; their counters stand in /proc
	awk 'BEGIN { for (i = 1; i < ARGC; i++) { split(ARGV[i], part, "="); file = part[2]
		while ((getline line < file) > 0) if (line ~ /^Udp: [0-9]/) { split(line, field, " "); sum[part[1]] += field[2] + field[3] } }
		print sum["fra"] + 0, sum["dub"] + 0, sum["ams"] + 0 }' "${counters[@]}"
}
watch_shares() { # OUTPUT: until it is killed. Shares before and after the count, which takes its time on a busy machine.
	while :; do
		echo "$(shares) $EPOCHREALTIME $(counted) $(shares)"
		sleep 0.1
	done >"$1"
}

# Windows of about WIDTH seconds: the measured share of each group against the mean of the computed one, which lies between the
# means of what was read before and after the counts. A window with a gap is left out. Prints the worst difference in points.
compare() { # SAMPLES WIDTH
	awk -v width="$2" '
		NF == 10 { n++; at[n] = $4; for (i = 1; i <= 3; i++) { before[n, i] = $i; count[n, i] = $(i + 4); after[n, i] = $(i + 7) } }
		END {
			first = 1
			for (k = 2; k <= n; k++) {
				step = at[k] - at[k - 1]
				gap = gap || step > 0.5
				for (i = 1; i <= 3; i++) {
					early[i] += step * (before[k, i] + before[k - 1, i]) / 2
					late[i] += step * (after[k, i] + after[k - 1, i]) / 2
				}
				if (at[k] - at[first] < width) continue
				total = 0
				for (i = 1; i <= 3; i++) total += count[k, i] - count[first, i]
				for (i = 1; i <= 3; i++) {
					measured = (count[k, i] - count[first, i]) / total
					low = (early[i] < late[i] ? early[i] : late[i]) / (at[k] - at[first])
					high = (early[i] < late[i] ? late[i] : early[i]) / (at[k] - at[first])
					d = 100 * (measured < low ? low - measured : measured > high ? measured - high : 0)
					if (!gap && d > worst) { worst = d; where = at[k] - at[1] }
					early[i] = late[i] = 0
				}
				windows += !gap; gap = 0; first = k
			}
			printf "     %d windows, worst difference %.2f points, %.1f s after the beginning\n", windows, worst, where > "/dev/stderr"
			print (windows >= 4 ? worst + 0 : 100)
		}' "$1"
}

# The time of each record of a shift: "PHASE STEP SECONDS HOLDS" since the first, without the time that it was held: on a busy
# machine probes take their time, and a gate that holds for a moment is right. Lines "held SECONDS WHY" say so.
stages() { # NAME
	ebb --json history --type shift | jq -r "select(.shift == \"$1\") | \"\(.phase) \(.step) \(.time) \(.holds | join(\",\")) \(.gate.why? // \"\")\"" |
		awk '{ split($3, t, /[T:Z]/); s = 3600 * t[2] + 60 * t[3] + t[4]; if (NR == 1) first = s
			if (since) { held += s - since; print "held", s - since, why; since = 0 }
			if ($4 ~ /[a-z]/ && NF == 5) { since = s; why = $5 }
			printf "%s %s %.2f %s\n", $1, $2, s - first - held, since ? $4 : "" }'
}
on_time() { # STAGES PHASE STEP SECONDS: as typed, and scaled
	within "$(awk -v p="$2" -v s="$3" '$1 == p && $2 == s && !$4 { print $3; exit }' <<<"$1")" \
		"$(awk "BEGIN { print $4 / $SCALE }")" "$(awk "BEGIN { print $4 / $SCALE + 0.2 + 0.15 * ($3 * 2 + 2) }")"
}

need "the lab comes up" lab_up
need "the backends decapsulate" lab_node_attach
lab_echo_start
mkdir -p "$LAB_DIR/edge-1"
config >"$LAB_DIR/edge-1/ebb.yaml"
need "ebbd starts" lab_edge_start edge-1 "$LAB_DIR/edge-1/ebb.yaml"
counters=()
for name in $(lab_names backends); do counters+=("${name%-*}=/proc/$(cat "$LAB_DIR/$name/nginx.pid")/net/snmp"); done
lab_ip router route add blackhole 198.18.0.0/15
gateway=$(lab_ip router -j link show clients | jq -r '.[0].address')
lab_spawn client-1 "$LAB_DIR/talks" "$LAB_TOOLS/echo_client" -c 500 -i 100 -t 5000 $LAB_VIP4_GUE 7 && talks=$LAB_PID
lab_spawn client-1 "$LAB_DIR/http" "$LAB_TOOLS/http_client" -r 100 -s 11 -t 3000 $LAB_VIP4_GUE 80 && http=$LAB_PID
lab_spawn client-2 "$LAB_DIR/flood" "$LAB_TOOLS/flood" -u -r "$RATE" 100000000 eth0 "$gateway" $LAB_VIP4_GUE $SINK && flood=$LAB_PID
disown
for ((i = 0; i < 100; i++)); do grep -q ready "$LAB_DIR/talks" && break; sleep 0.1; done
need "500 conversations have begun" test $i -lt 100
sleep 2
check "all of it is in the first tier" equal "$(group_share aws/eu-central-1)" 1

watch_shares "$LAB_DIR/samples" & watcher=$!
disown
ebb --json shift start --pool eu --from aws/eu-central-1 --to gcp/europe-west4 \
	--steps "20%,60%@$(scaled 30),100%@$(scaled 30)" --bake "$(scaled 20)" --ttl 2h --comment INC-42 \
	--wait --wait-time 150s >"$LAB_DIR/shift"
check "the shift is done: --wait exits 0" equal $? 0
sleep 1
kill "$watcher"
name=$(jq -r .name "$LAB_DIR/shift")
check "and says so" equal "$(jq -r '"\(.phase) \(.outcome) \(.share) \(.comment)"' "$LAB_DIR/shift")" "done completed 1 INC-42"
times=$(stages "$name")
say "stages: $(awk '$1 != "held" { printf "%s(%s) %s  ", $1, $2, $3 }' <<<"$times")"
held=$(awk '$1 == "held" { sum += $2; print "     held for " $2 " s: " $3 > "/dev/stderr" } END { print sum + 0 }' <<<"$times")
check "it was held for no more than a busy machine explains" within "$held" 0 5
check "20 % at once" on_time "$times" bake 0 0
check "the first bake" on_time "$times" ramp 1 20
check "60 % over the next 30 s" on_time "$times" bake 1 50
check "the second bake" on_time "$times" ramp 2 70
check "100 % over 30 s" on_time "$times" bake 2 100
check "done after the last bake" on_time "$times" "done" 2 120
check "servers got what it says, within 2 points" within "$(compare "$LAB_DIR/samples" 1)" 0 2
check "all of it is in Amsterdam" within "$(group_share gcp/europe-west4)" 0.999 1

lab_name=$name
ebb --json shift start --pool eu --from eu-central-1 --to europe-west4 --steps 40%,90%@30s --bake 300ms --patience 4s \
	--comment "the same, again" >"$LAB_DIR/shift"
name=$(jq -r .name "$LAB_DIR/shift")
check "a newer one takes over" equal "$(shift_is "$lab_name" .outcome) $(jq -r .share "$LAB_DIR/shift")" "superseded 1"
check "it is on its way to 90 %" becomes 10 "$name" '.step == 1 and .share > 0.42' true
check "which began at 40 %" equal "$(ebb --json history --type shift | jq -r "select(.shift == \"$name\" and .phase == \"ramp\" and .step == 1) | .share" | head -n 1)" 0.4
before=$(shift_is "$name" '"\(.share) \(.elapsed_s)"')
lab_edge_kill edge-1
need "ebbd starts again after SIGKILL in mid-ramp" lab_edge_start edge-1 "$LAB_DIR/edge-1/ebb.yaml"
after=$(shift_is "$name" '"\(.phase) \(.share) \(.elapsed_s)"')
say "before: $before; after: $after"
read -r share elapsed <<<"$before"
read -r phase share_after elapsed_after <<<"$after"
check "it is in the same ramp" equal "$phase" ramp
check "what was lost is a second of it at most" within "$(awk "BEGIN { print $elapsed_after - $elapsed }")" -1.1 1.5
check "and of its share" within "$(awk "BEGIN { print $share_after - $share }")" -0.04 0.05
check "the history is there" test "$(stages "$lab_name" | grep -c bake)" -ge 3
for sick in $(lab_backends_of ams); do lab_backend_sick "$sick" 100; done
check "a target that turns sick in the middle holds it" becomes 5 "$name" '.holds | index("gate") != null' true
share=$(shift_is "$name" .share)
sleep 1
check "where it is" equal "$(shift_is "$name" '"\(.phase) \(.share)"')" "ramp $share"
check "because of $(shift_is "$name" .gate.why)" equal "$(shift_is "$name" .gate.why)" availability
check "and turns it back" becomes 8 "$name" '"\(.phase) \(.outcome)"' "back aborted"
check "from there, down" becomes 5 "$name" ".share < $share - 0.1" true
for sick in $(lab_backends_of ams); do lab_backend_sick "$sick" 0; done

kill "$talks" "$http"
wait "$talks" "$http"
say "conversations: $(tail -n 1 "$LAB_DIR/talks")"
check "none of 500 conversations broke" equal "$(tail -n 1 "$LAB_DIR/talks" | jq .broken)" 0
check "no request failed" equal "$(grep -c '"failure"' "$LAB_DIR/http")" 0

ebb --json shift start --pool eu --from aws/eu-central-1 --to aws/eu-west-1 --steps 50% --bake 60s >"$LAB_DIR/shift"
name=$(jq -r .name "$LAB_DIR/shift")
check "another one goes to Dublin" becomes 5 "$name" '"\(.phase) \(.share)"' "bake 0.5"
for dead in $(lab_backends_of fra); do lab_backend_kill "$dead"; done
dead() { # SECONDS REGION
	local i
	for ((i = 0; i < 10 * $1; i++)); do
		[ "$(ebb --json region show "$2" | jq .down)" = "$LAB_PER_REGION" ] && return
		sleep 0.1
	done
	return 1
}
check "its source dies" dead 5 aws/eu-central-1
ebb --json shift abort "$name" >"$LAB_DIR/shift"
sleep 1.5
check "abort into a dead source holds" equal "$(shift_is "$name" '"\(.phase) \(.share) \(.holds | join(" "))"')" "back 0.5 source"
check "exit 1 for a second abort" equal "$(ebb shift abort "$name" >/dev/null 2>&1; echo $?)" 1
for dead in $(lab_backends_of fra); do lab_backend_start "$dead"; done
check "once it lives, it goes back" becomes 15 "$name" '.share < 0.45' true
ebb shift start --pool eu --from gcp/europe-west4 --to aws/eu-west-1 --steps 10%@20s --wait --wait-time 500ms >/dev/null 2>&1
check "--wait gives up after --wait-time: exit 4" equal $? 4
ebb shift start --pool eu --from gcp/europe-west4 --to aws/eu-west-1 --steps 10%@20s --ttl 500ms --wait --wait-time 20s >/dev/null 2>&1
check "--wait on one that ends badly: exit 5" equal $? 5

if [ "$SCALE" = 1 ]; then # handshakes alone: probes are well, but every fourth client port gets no answer from Amsterdam's servers
	check "Frankfurt is well again" lab_wait_health edge-1
	lab_spawn client-1 "$LAB_DIR/http" "$LAB_TOOLS/http_client" -r 400 -s 13 -t 8000 $LAB_VIP4_GUE 80 && http=$LAB_PID
	ebb --json shift start --pool eu --from aws/eu-central-1 --to gcp/europe-west4 --steps 50%,60%@60s --bake 5s >"$LAB_DIR/shift"
	name=$(jq -r .name "$LAB_DIR/shift")
	check "a shift is on its way" becomes 20 "$name" '"\(.phase) \(.step)"' "ramp 1"
	for lossy in $(lab_backends_of ams); do
		lab_ip "$lossy" rule add to 198.51.100.0/24 sport 80 dport 1025-17000 blackhole # no SYN-ACK for these
	done
	check "handshakes that stay away hold it" becomes 10 "$name" '.holds | index("gate") != null' true
	why=$(ebb --json history --type shift | jq -r "select(.shift == \"$name\" and .phase == \"ramp\" and (.holds | index(\"gate\"))) | .gate.why" | head -n 1)
	say "$(shift_is "$name" .gate | jq -c .)"
	check "because of $why" equal "$why" completion
	check "and turn it back" becomes 20 "$name" .outcome aborted
	kill "$http"
	wait "$http"
fi
kill "$flood"
finish
