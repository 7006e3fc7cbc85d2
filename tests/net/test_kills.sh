#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# ebbd dies by SIGKILL at random moments: in the middle of weights and states that are set, of reloads, of shifts and their
# verbs, of thousands of changes of sandboxes, and of its own start. What was answered "done" must be there afterwards, what
# was not may have been done or not, and nothing else may have changed. Meanwhile requests, conversations with two VIPs and
# with sandboxes go on, and none breaks.
#
#                                            ┌ fra-1 … fra-3   fra-3 leaves and comes back by reloads
#   client-1 ── router ── edge-1 (dies) ── router ┼ dub-1 … dub-3   400 placed sandboxes that stay
#                                            └ ams-1 … ams-3   1,000 others that come, move and go all the time
#
# KILLS (10) and KILLS_SEED (the time of day) are printed; KILLS=200 is the long run, about ten minutes.
LAB_PER_REGION=3
. "$(dirname "$0")/lib.sh" kills

KILLS=${KILLS:-10} SEED=${KILLS_SEED:-$EPOCHSECONDS}
PLACED=400 BATCH=500 RATE=200
SHARE_JUMP=3 # points that a server's share may move over a death, plus what its slew gives in the time
STEADY=(fra-1 fra-2 dub-1 dub-2 dub-3 ams-1 ams-2 ams-3)
declare -A weight state # what was answered, of each backend
declare -A kind_count=() acked_count=([yes]=0 [no]=0)
deaths=0 faults=0

fault() { # WHAT: a promise that did not hold
	faults=$((faults + 1))
	say "death $deaths ($kind): $*"
}
# Up to so many ms, to `at` (a subshell would have random numbers of its own).
moment() { printf -v at '%d.%03d' 0 $((RANDOM % $1)); }

configuration() { # [omitted backend]: of the lab, with a prefix of sandboxes and a drain that outlasts the test
	LAB_OMIT=${1:-} lab_config edge-1 | sed 's/{name: all, slots: 65536,/{name: all, slots: 65536, drain: 1h,/'
	echo "  - {name: boxes, prefix: \"$LAB_SANDBOXES\", pool: all, affinity: sandbox, encap: gue}"
}

# --- sandboxes -----------------------------------------------------------------------------------------------------

boxes() { # address and backend of every sandbox, sorted
	lab_ebb edge-1 --json sandbox show --limit 10000 | jq -r '(.sandboxes? // .)[] | "\(.address) \(.backend)"' | sort
}
is_placed() { grep -v '^2001:db8:5b::1:'; }

batch() { # NUMBER: $BATCH new ones; those of the batch before move on; those before these go
	awk -v n="$1" -v size=$BATCH -v list="${STEADY[*]}" 'BEGIN {
		count = split(list, name, " ")
		for (i = 0; i < size; i++) {
			printf "{\"op\": \"add\", \"service\": \"boxes\", \"address\": \"2001:db8:5b::1:%x:%x\", \"backend\": \"%s\"}\n", n, i + 1, name[n % count + 1]
			if (n > 0) printf "{\"op\": \"move\", \"service\": \"boxes\", \"address\": \"2001:db8:5b::1:%x:%x\", \"backend\": \"%s\"}\n", n - 1, i + 1, name[(n + 2) % count + 1]
			if (n > 1) printf "{\"op\": \"del\", \"service\": \"boxes\", \"address\": \"2001:db8:5b::1:%x:%x\"}\n", n - 2, i + 1
		}
	}'
}
batched() { # NUMBER: what must be there after it
	awk -v n="$1" -v size=$BATCH -v list="${STEADY[*]}" 'BEGIN {
		count = split(list, name, " ")
		for (i = 0; i < size; i++) {
			printf "2001:db8:5b::1:%x:%x %s\n", n, i + 1, name[n % count + 1]
			printf "2001:db8:5b::1:%x:%x %s\n", n - 1, i + 1, name[(n + 2) % count + 1]
		}
	}' | sort
}

# One batch after the other, until the file `stop` is there. A batch that a death cut off is said again: what of it was done
# already is done once more to no effect, but for deletions, whose sandboxes may be gone; anything else is a fault.
bulk_forever() {
	local n again rc
	for ((n = 0; ; n++)); do
		batch $n >"$LAB_DIR/bulk.in"
		again=0
		while kill -0 $$ 2>/dev/null; do # the scenario, whose end is ours
			lab_ebb edge-1 sandbox bulk <"$LAB_DIR/bulk.in" >"$LAB_DIR/bulk.out" 2>"$LAB_DIR/bulk.errors"
			rc=$?
			[ $rc = 0 ] && break
			if grep -vE 'ebbd|socket|cannot reach|closed' "$LAB_DIR/bulk.errors" >"$LAB_DIR/bulk.refused"; then
				[ $again -gt 0 ] && ! grep -qv 'no such sandbox' "$LAB_DIR/bulk.refused" && break
				echo "batch $n, said $((again + 1)) times: $(head -n 2 "$LAB_DIR/bulk.refused" | paste -sd' ')" >>"$LAB_DIR/bulk.faults"
				break
			fi
			again=$((again + 1))
			sleep 0.05
		done
		echo "$n $again" >>"$LAB_DIR/bulk.done"
		[ ! -e "$LAB_DIR/stop" ] && kill -0 $$ 2>/dev/null || return
	done
}

# --- what a death interrupts: each of these runs beside it, and says in `op` what was asked ------------------------------

op_weight() { # of any backend but the one that leaves
	local name=${STEADY[RANDOM % ${#STEADY[@]}]} to
	to=$(awk -v r=$RANDOM 'BEGIN { printf "%.2f", 0.5 + 0.05 * int(r / 32768 * 11) }')
	op=(weight "$name" "$to")
	lab_ebb edge-1 backend set "$name" weight "$to" >/dev/null 2>&1
}
op_state() { # one backend drains at most
	local name=${drains:-${STEADY[RANDOM % ${#STEADY[@]}]}} to=drain
	[ -z "${drains:-}" ] || to=ready
	op=(state "$name" "$to")
	lab_ebb edge-1 backend set "$name" state $to >/dev/null 2>&1
}
op_reload() {
	[ "$omitted" = fra-3 ] && omitted='' || omitted=fra-3
	op=(reload)
	configuration $omitted >"$LAB_DIR/edge-1/ebb.yaml"
	lab_ebb edge-1 config reload >/dev/null 2>&1
}
op_shift() { # a new one when there is none under way, else any verb
	local name verbs=(pause resume advance abort)
	name=$(lab_ebb edge-1 --json shift show | jq -r '[.[] | select(.phase != "closed")][0].name // empty')
	if [ -z "$name" ]; then
		op=(shift start)
		op[2]=$(lab_ebb edge-1 --json shift start --pool all --from aws/eu-central-1 --to gcp/europe-west4 \
			--steps 20%@5s,60%@20s,100%@20s --bake 5s --ttl 10m --comment kills 2>/dev/null | jq -r .name)
		[ -n "${op[2]}" ]
	else
		op=(shift "${verbs[RANDOM % 4]}" "$name")
		lab_ebb edge-1 shift "${op[1]}" "$name" >/dev/null 2>&1
	fi
}
op_bulk() { op=(bulk); } # goes on by itself

# --- before and after ----------------------------------------------------------------------------------------------------

snapshot() { # FILE: what must outlive a death
	lab_ebb edge-1 --json shift show >"$1.shifts" && lab_ebb edge-1 --json backend show >"$1.backends" && date +%s.%N >"$1.time"
}

# Of what was answered all, of what was not either: then what is there now is what counts.
judge_backends() { # ACKNOWLEDGED
	local name is_weight is_state
	while read -r name is_weight is_state; do
		if [ "$1" != yes ] && [ "${op[1]:-}" = "$name" ]; then
			[ "${op[0]}" = weight ] && [ "$is_weight" = "${op[2]}" ] && weight[$name]=$is_weight
			[ "${op[0]}" = state ] && [ "$is_state" = "${op[2]}" ] && state[$name]=$is_state
		fi
		[ "$is_weight" = "${weight[$name]:-1.00}" ] || fault "$name has weight $is_weight, not ${weight[$name]:-1.00}"
		[ "$is_state" = "${state[$name]:-ready}" ] || fault "$name is $is_state, not ${state[$name]:-ready}"
		[ "${state[$name]:-ready}" = ready ] || drains=$name
	done < <(jq -r '.[] | select(.leaving | not) | "\(.name) \(.admin_weight * 100 + 0.5 | floor | . / 100) \(.admin_state)"' "$LAB_DIR/after.backends" |
		awk '{ printf "%s %.2f %s\n", $1, $2, $3 }')
}
judge_shifts() { # ACKNOWLEDGED: a second of a ramp may be lost, none may be won
	if [ "$1" = yes ] && [ "${op[0]}" = shift ]; then
		jq -e --arg verb "${op[1]}" --arg name "${op[2]}" 'map(select(.name == $name))[0] | . != null and (
			if $verb == "pause" then .holds | index("operator") != null
			elif $verb == "resume" then .holds | index("operator") == null
			elif $verb == "abort" then .phase == "back" or .phase == "closed"
			else true end)' "$LAB_DIR/after.shifts" >/dev/null || fault "${op[1]} of ${op[2]} is lost"
	fi
	jq -n --slurpfile b "$LAB_DIR/before.shifts" --slurpfile a "$LAB_DIR/after.shifts" \
		--argjson wall "$(cat "$LAB_DIR/after.time" "$LAB_DIR/before.time" | paste -sd' ' | awk '{ print $1 - $2 }')" -r '
		$b[0][] as $was | ($a[0] | map(select(.name == $was.name))[0]) as $is |
		if $is == null then "\($was.name) is lost"
		elif $is.phase == "closed" or $was.phase == "closed" then
			(if $was.phase == "closed" and $is.phase != "closed" then "\($was.name) was closed and is \($is.phase)" else empty end)
		elif $is.elapsed_s < $was.elapsed_s - 1.3 then "\($was.name) was \($was.elapsed_s) s old, and is \($is.elapsed_s)"
		elif $is.elapsed_s > $was.elapsed_s + $wall + 0.2 then "\($was.name) became \($is.elapsed_s - $was.elapsed_s) s older in \($wall) s"
		elif $is.steps != $was.steps or $is.comment != $was.comment or $is.ttl_s != $was.ttl_s then "\($was.name) has another plan"
		else empty end' >"$LAB_DIR/faults"
	while read -r line; do fault "$line"; done <"$LAB_DIR/faults"
}
judge_shares() { # where nothing was asked that moves them at once
	case ${op[0]} in shift | bulk | start) ;; *) return ;; esac
	jq -n --slurpfile b "$LAB_DIR/before.backends" --slurpfile a "$LAB_DIR/after.backends" --argjson jump $SHARE_JUMP \
		--argjson wall "$(cat "$LAB_DIR/after.time" "$LAB_DIR/before.time" | paste -sd' ' | awk '{ print $1 - $2 }')" -r '
		[$b[0][] as $was | $a[0][] | select(.name == $was.name and $was.health == 1 and .health > 0.5) |
			{name, was: $was.share, is: .share, by: ((.share - $was.share) * 100 | fabs)}] | max_by(.by) |
		select(.by > $jump + 6 * $wall) | "\(.name) had \(.was), and has \(.is)"' >"$LAB_DIR/faults"
	while read -r line; do fault "$line"; done <"$LAB_DIR/faults"
}

die() { # KIND: one death and what came of it
	local pid acked=no running i at
	kind=$1
	deaths=$((deaths + 1))
	kind_count[$kind]=$((${kind_count[$kind]:-0} + 1))
	snapshot "$LAB_DIR/before" || fault "no snapshot before"
	case $kind in
	start) op=(start) ;;
	*)
		# in this shell, so that `op` is known; the death comes from another
		pid=$(cat "$LAB_DIR/edge-1/ebbd.pid")
		moment $((RANDOM % 3 ? 40 : 300)) # a command takes some 20 ms
		{ sleep $at; kill -KILL "$pid"; } &
		running=$!
		"op_$kind" && acked=yes
		[ "$acked" = yes ] && [ "$kind" != bulk ] && [ "${op[0]}" = weight ] && weight[${op[1]}]=${op[2]}
		[ "$acked" = yes ] && [ "${op[0]}" = state ] && { state[${op[1]}]=${op[2]}; drains=; }
		wait $running
		while kill -0 "$pid" 2>/dev/null; do sleep 0.02; done
		[ "$kind" = bulk ] || acked_count[$acked]=$((acked_count[$acked] + 1)) ;;
	esac
	if [ "$kind" = start ]; then
		lab_edge_kill edge-1
		mkdir -p "$LAB_DIR/edge-1/run"
		lab_spawn edge-1 "$LAB_DIR/edge-1/ebbd.log" "$LAB_BUILD/ebbd" --config "$LAB_DIR/edge-1/ebb.yaml" \
			--bpffs "$LAB_BPFFS/$LAB-edge-1" --run-dir "$LAB_DIR/edge-1/run" --state-dir "$LAB_DIR/edge-1/state"
		pid=$LAB_PID
		disown
		moment 400
		sleep $at
		kill -KILL "$pid"
		while kill -0 "$pid" 2>/dev/null; do sleep 0.02; done
	fi
	lab_edge_start edge-1 "$LAB_DIR/edge-1/ebb.yaml" || return
	snapshot "$LAB_DIR/after" || fault "no snapshot after"
	[ "$(lab_ebb edge-1 --json status | jq .adopted)" = true ] || fault "nothing was adopted"
	drains=
	judge_backends $acked
	judge_shifts $acked
	judge_shares
	boxes | is_placed | cmp -s - "$LAB_DIR/placed" || fault "placed sandboxes differ: $(boxes | is_placed | diff - "$LAB_DIR/placed" | head -n 3 | paste -sd' ')"
	i=$(lab_ebb edge-1 --json backend show | jq '[.[] | select(.leaving | not)] | length')
	equal "$i" "$([ -z "$omitted" ] && echo 9 || echo 8)" || fault "$i backends, with '$omitted' left out"
}

# --- the scenario ----------------------------------------------------------------------------------------------------

need "the lab comes up" lab_up
need "the backends decapsulate" lab_node_attach
lab_echo_start
mkdir -p "$LAB_DIR/edge-1/run" "$LAB_DIR/edge-1/state"
omitted=''
configuration >"$LAB_DIR/edge-1/ebb.yaml"
need "ebbd starts" lab_edge_start edge-1 "$LAB_DIR/edge-1/ebb.yaml"
need "all backends become healthy" lab_wait_health edge-1

for ((i = 1; i <= PLACED; i++)); do
	printf '{"op": "place", "service": "boxes", "address": "2001:db8:5b::2:%x"}\n' $i
done | lab_ebb edge-1 sandbox bulk >/dev/null
boxes >"$LAB_DIR/placed"
need "$PLACED sandboxes are placed" equal "$(wc -l <"$LAB_DIR/placed")" $PLACED

lab_spawn client-1 "$LAB_DIR/http4" "$LAB_TOOLS/http_client" -r $RATE -s 1 -t 5000 $LAB_VIP4_GUE 80 && requests=("$LAB_PID")
lab_spawn client-1 "$LAB_DIR/http6" "$LAB_TOOLS/http_client" -r $RATE -s 2 -t 5000 $LAB_VIP6_IPIP 80 && requests+=("$LAB_PID")
talks=() files=()
for what in "gue4 150 $LAB_VIP4_GUE" "ipip6 100 $LAB_VIP6_IPIP" "box1 25 2001:db8:5b::2:1" "box2 25 2001:db8:5b::2:2" "box3 25 2001:db8:5b::2:3"; do
	read -r file count vip <<<"$what"
	lab_spawn client-1 "$LAB_DIR/$file" "$LAB_TOOLS/echo_client" -c "$count" -i 100 -t 20000 "$vip" 7 && talks+=("$LAB_PID")
	files+=("$file")
done
for ((i = 0; i < 100; i++)); do [ "$(cd "$LAB_DIR" && grep -l ready "${files[@]}" | wc -l)" = 5 ] && break; sleep 0.1; done
need "325 conversations have begun" test $i -lt 100
: >"$LAB_DIR/bulk.done"
: >"$LAB_DIR/bulk.faults"
bulk_forever &
bulk=$!

RANDOM=$SEED
kinds=(weight state reload shift shift bulk start)
while [ $deaths -lt "$KILLS" ]; do
	die "${kinds[RANDOM % ${#kinds[@]}]}" || break
	moment 500
	sleep $at
done
say "seed $SEED: $deaths deaths: $(for kind in "${!kind_count[@]}"; do printf '%s %s, ' "$kind" "${kind_count[$kind]}"; done)$(
	)of the commands ${acked_count[yes]} were answered before it, ${acked_count[no]} not"
check "ebbd died $KILLS times and came up again" equal $deaths "$KILLS"
check "every time it found what had been answered, and nothing else" equal $faults 0

touch "$LAB_DIR/stop"
wait $bulk
read -r last again <<<"$(tail -n 1 "$LAB_DIR/bulk.done")"
say "$((last + 1)) batches of up to $((3 * BATCH)) changes, $(awk '$2 > 0' "$LAB_DIR/bulk.done" | wc -l) of them cut off by a death and said again"
check "no change of a sandbox was refused" equal "$(head -n 5 "$LAB_DIR/bulk.faults")" ""
check "some were cut off, so this could fail" test "$(awk '$2 > 0' "$LAB_DIR/bulk.done" | wc -l)" -gt 0
boxes | grep '^2001:db8:5b::1:' >"$LAB_DIR/boxes"
batched "$last" >"$LAB_DIR/expected"
check "the $((2 * BATCH)) sandboxes that moved about are where they were sent" cmp "$LAB_DIR/boxes" "$LAB_DIR/expected"
boxes | is_placed >"$LAB_DIR/boxes"
check "the $PLACED placed ones are where they were" cmp "$LAB_DIR/boxes" "$LAB_DIR/placed"
check "they are counted right" equal "$(lab_ebb edge-1 --json status | jq .counts.sandboxes)" $((PLACED + 2 * BATCH))

kill "${requests[@]}" "${talks[@]}"
wait "${requests[@]}" "${talks[@]}"
for file in http4 http6; do
	result=$(tail -n 1 "$LAB_DIR/$file")
	check "$file: $(jq .requests <<<"$result") requests, none failed" equal "$(jq .failed <<<"$result")" 0
	check "$file: there was traffic all the time" within "$(jq .requests <<<"$result")" $((RATE * KILLS / 2)) 10000000
done
for file in "${files[@]}"; do
	result=$(tail -n 1 "$LAB_DIR/$file")
	check "$file: $(jq .conversations <<<"$result") conversations said $(jq .said <<<"$result") things, none broke" equal "$(jq .broken <<<"$result")" 0
done
check "nothing was dropped" equal "$(verdict_drops edge-1)" 0
finish
