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
# SHIFT_SCALE=1 takes two minutes, as typed; the default divides all times by 8.
LAB_CLIENTS=2
. "$(dirname "$0")/lib.sh" shift

SCALE=${SHIFT_SCALE:-8} RATE=${SHIFT_RATE:-10000}
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
share() { ebb --json pool show eu | jq ".groups[] | select(.region == \"$1\") | .share"; } # REGION

# What servers counted of the sink's datagrams, by fra, dub, ams; and the group shares that the controller has computed.
sample() {
	awk 'BEGIN { for (i = 1; i < ARGC; i++) { split(ARGV[i], part, "="); file = part[2]
		while ((getline line < file) > 0) if (line ~ /^Udp: [0-9]/) { split(line, field, " "); sum[part[1]] += field[2] + field[3] } }
		printf "%s %s %s ", sum["fra"] + 0, sum["dub"] + 0, sum["ams"] + 0 }' "${counters[@]}"
	ebb --json pool show eu | jq -r '[.groups[] | {(.region): .share}] | add | "\(."aws/eu-central-1") \(."aws/eu-west-1") \(."gcp/europe-west4")"'
}
watch_shares() { # OUTPUT: until it is killed; the counters stand in /proc
	while :; do
		echo "$EPOCHREALTIME $(sample)"
		sleep 0.1
	done >"$1"
}

# Windows of about WIDTH seconds: measured shares against the mean of the computed ones. Prints the worst difference.
compare() { # SAMPLES WIDTH
	awk -v width="$2" '
		function abs(x) { return x < 0 ? -x : x }
		{ at[NR] = $1; for (i = 1; i <= 3; i++) { count[NR, i] = $(i + 1); share[NR, i] = $(i + 4) } }
		END {
			first = 1
			for (n = 2; n <= NR; n++) {
				for (i = 1; i <= 3; i++) mean[i] += (at[n] - at[n - 1]) * (share[n, i] + share[n - 1, i]) / 2
				if (at[n] - at[first] < width) continue
				total = 0
				for (i = 1; i <= 3; i++) total += count[n, i] - count[first, i]
				for (i = 1; i <= 3; i++) {
					d = 100 * abs((count[n, i] - count[first, i]) / total - mean[i] / (at[n] - at[first]))
					if (d > worst) { worst = d; where = at[n] - at[1] }
					mean[i] = 0
				}
				windows++; first = n
			}
			printf "%d windows, worst difference %.2f points, %.1f s after the beginning\n", windows, worst, where > "/dev/stderr"
			print worst + 0
		}' "$1"
}

# The time of each record of a shift: "PHASE STEP SECONDS" since the first.
stages() { # NAME
	ebb --json history --type shift | jq -r "select(.shift == \"$1\") | \"\(.phase) \(.step) \(.time) \(.holds | join(\",\"))\"" |
		awk '{ split($3, t, /[T:Z]/); s = 3600 * t[2] + 60 * t[3] + t[4]; if (NR == 1) first = s; printf "%s %s %.2f %s\n", $1, $2, s - first, $4 }'
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
check "all of it is in the first tier" equal "$(share aws/eu-central-1)" 1

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
say "stages: $(awk '{ printf "%s(%s) %s  ", $1, $2, $3 }' <<<"$times")"
check "20 % at once" on_time "$times" bake 0 0
check "the first bake" on_time "$times" ramp 1 20
check "60 % over the next 30 s" on_time "$times" bake 1 50
check "the second bake" on_time "$times" ramp 2 70
check "100 % over 30 s" on_time "$times" bake 2 100
check "done after the last bake" on_time "$times" "done" 2 120
check "servers got what it says, within 2 points" within "$(compare "$LAB_DIR/samples" 1)" 0 2
check "all of it is in Amsterdam" within "$(share gcp/europe-west4)" 0.999 1

kill "$talks" "$http" "$flood"
wait "$talks" "$http"
say "conversations: $(tail -n 1 "$LAB_DIR/talks")"
check "none of 500 conversations broke" equal "$(tail -n 1 "$LAB_DIR/talks" | jq .broken)" 0
check "no request failed" equal "$(grep -c '"failure"' "$LAB_DIR/http")" 0
finish
