#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What people and programs get wrong: configurations, permissions, interfaces, the control socket, a pool without backends.
# Each is refused with place and reason, and what runs goes on as before.
#
#   client-1 ── router ── edge-1 (all of it here) ── router ── six backends
. "$(dirname "$0")/lib.sh" bad

base() { lab_config edge-1; }

# A refused configuration: exit 1, and a line "FILE:LINE:COLUMN: …" with the line and column of PLACE (a pattern, where it
# stands first; "" is the beginning, "?" is anywhere) and with REASON in its text.
refused() { # PLACE REASON COMMAND…
	local place=$1 reason=$2 file=$LAB_DIR/bad.yaml status line=1 column=1
	shift 2
	"$@" >"$LAB_DIR/out" 2>&1
	status=$?
	[ $status = 1 ] || { say "exit $status, expected 1"; return 1; }
	if [ "$place" = "?" ]; then
		line='[0-9]+' column='[0-9]+'
	elif [ -n "$place" ]; then
		line=$(grep -n -- "$place" "$file" | head -n 1 | cut -d: -f1)
		column=$(($(sed -n "${line}p" "$file" | grep -ob -- "$place" | head -n 1 | cut -d: -f1) + 1))
	fi
	grep -qE "bad\.yaml:$line:$column: .*($reason)" "$LAB_DIR/out" && return
	say "expected bad.yaml:$line:$column: …$reason…"
	head -c 500 "$LAB_DIR/out" | sed 's/^/     got: /'
	return 1
}

daemon_check() { "$LAB_BUILD/ebbd" --config "$LAB_DIR/bad.yaml" --check; }

bad_config() { # WHAT PLACE REASON; the file on standard input
	cat >"$LAB_DIR/bad.yaml"
	check "--check refuses $1" refused "$2" "$3" daemon_check
}

# A start that fails: exit 1 within seconds, one sentence that holds SENTENCE, nothing pinned.
no_start() { # SENTENCE BPFFS COMMAND_PREFIX…
	local sentence=$1 bpffs=$2 state=$LAB_DIR/other status
	shift 2
	mkdir -p "$LAB_DIR/other"
	case ${1:-} in
	--no-place) state=$LAB_DIR/no/such/place && shift ;;
	--a-file) state=$LAB_DIR/bad.yaml && shift ;;
	esac
	timeout 20 nsenter --net="/run/netns/$LAB-edge-1" "$@" "$LAB_BUILD/ebbd" --config "$LAB_DIR/bad.yaml" --bpffs "$bpffs" \
		--run-dir "$LAB_DIR/other" --state-dir "$state" >"$LAB_DIR/out" 2>&1
	status=$?
	[ $status = 1 ] && grep -qE "$sentence" "$LAB_DIR/out" && [ ! -e "$bpffs/links" ] && return
	say "exit $status, expected 1 and: $sentence"
	head -c 800 "$LAB_DIR/out" | sed 's/^/     got: /'
	return 1
}

second() { # SENTENCE RUN_DIR: beside the one that runs
	timeout 20 nsenter --net="/run/netns/$LAB-edge-1" "$LAB_BUILD/ebbd" --config "$LAB_DIR/bad.yaml" --bpffs "$LAB_BPFFS/$LAB-edge-1" \
		--run-dir "$2" --state-dir "$LAB_DIR/other" >"$LAB_DIR/out" 2>&1
	[ $? = 1 ] && grep -qE "$1" "$LAB_DIR/out"
}

alive() { # the same process, it answers, the table is what it was, and traffic flows
	kill -0 "$pid" && lab_ebb edge-1 status >/dev/null && [ "$(table_of edge-1)" = "$table" ] &&
		lab_run client-1 "$LAB_TOOLS/http_client" -n 100 -s 5 $LAB_VIP4_GUE 80 >/dev/null
}

says() { # WHAT EXPECTED_EXIT_PATTERN REPLY_PATTERN (empty: any, or none); bytes on standard input
	# shellcheck disable=SC2086
	"$LAB_TOOLS/socket_say" ${how:-} "$LAB_DIR/edge-1/run/ebbd.sock" 2 >"$LAB_DIR/out"
	[[ $? =~ $2 ]] && { [ -z "$3" ] || grep -qE "$3" "$LAB_DIR/out"; } || { say "reply: $(head -c 300 "$LAB_DIR/out")"; return 1; }
}

on_socket() { # as says; and the daemon lives
	check "socket: $1: an error reply or a closed connection" says "$@"
	check "socket: $1: the daemon lives" alive
}

need "the lab comes up" lab_up
need "the backends decapsulate" lab_node_attach

# --- configurations
base >"$LAB_DIR/bad.yaml"
check "--check accepts the lab's own configuration" daemon_check
bad_config "an unknown key" colour colour < <(base | sed 's/^  name: edge-1/&\n  colour: blue/')
bad_config "a bad address" '"10.1.0.999"' 'address' < <(base | sed 's/"10.1.0.11"/"10.1.0.999"/')
bad_config "two backends of one name" 'fra-1, address: "10.1.0.12"' 'fra-1' < <(base | sed 's/fra-2/fra-1/')
bad_config "two services of one name" 'gue4-web, address: "192.0.2.10", port: 7, protocol: tcp' 'gue4-web' < <(base | sed 's/gue4-talk/gue4-web/')
bad_config "a region that does not exist" 'aws/eu-north-9' 'eu-north-9' < <(base | sed 's,\[aws/eu-central-1,[aws/eu-north-9,')
bad_config "a pool that does not exist" 'nowhere' 'nowhere' < <(base | sed '0,/pool: all/s//pool: nowhere/')
bad_config "a weight of 300 %" '300%' '300|100' < <(base | sed '0,/capacity: 100/s//&, weight: 300%/')
bad_config "a negative capacity" '-5' 'capacity' < <(base | sed '0,/capacity: 100/s//capacity: -5/')
bad_config "port 70000" '70000' 'port|65535' < <(base | sed '0,/port: 80,/s//port: 70000,/')
bad_config "an encapsulation that there is none of" 'pigeon' 'ipip' < <(base | sed '0,/encap: gue/s//encap: pigeon/')
bad_config "a duration without a unit" 'fortnight' 'duration|unit|ms' < <(base | sed 's/observe: 2s/observe: fortnight/')
bad_config "broken YAML" '?' 'YAML' < <(printf 'edge: [\n')
bad_config "an empty file" '' '.' </dev/null
bad_config "bytes that are no text" '?' '.' < <(head -c 4096 /dev/urandom)
bad_config "a file of 100 MB" '' 'large|big|bytes|MiB|MB' < <(head -c 100000000 /dev/zero | tr '\0' '#')
bad_config "aliases that multiply" '?' 'anchor|alias' < <(base; echo 'a: &a [x,x,x,x,x,x,x,x,x]'; for c in b c d e f g h i; do
	p=$(tr b-i a-h <<<$c); echo "$c: &$c [*$p,*$p,*$p,*$p,*$p,*$p,*$p,*$p,*$p]"; done)
bad_config "a NUL byte" '?' 'printable' < <(base | sed 's/name: edge-1/name: ed\x00ge/')
bad_config "ten thousand brackets" '?' 'nested' < <(head -c 10000 /dev/zero | tr '\0' '[')
bad_config "two thousand levels" '?' 'nested' < <(awk 'BEGIN { for (i = 0; i < 2000; i++) { printf "%*sa:\n", 2 * i, "" } }')
bad_config "a number without end" '99999999999999999999' '4194304' < <(base | sed '0,/slots: 65536/s//slots: 99999999999999999999/')
bad_config "a duration below zero" '-2s' 'duration' < <(base | sed 's/observe: 2s/observe: -2s/')
bad_config "an IPv4 address where IPv6 belongs" '10.0.0.1' 'IPv6' < <(base | sed 's/^  name: edge-1/&\n  source: {ipv6: 10.0.0.1}/')
bad_config "a backend that is a VIP" '"192.0.2.10"' 'loop' < <(base | sed 's/"10.1.0.11"/"192.0.2.10"/')
base | sed 's/$/\r/' >"$LAB_DIR/bad.yaml"
check "--check takes line ends of another system" daemon_check
rm "$LAB_DIR/bad.yaml"
mkdir "$LAB_DIR/bad.yaml"
check "--check says that a directory is no file" refused '' 'directory' daemon_check
rmdir "$LAB_DIR/bad.yaml"
mkfifo "$LAB_DIR/bad.yaml"
check "--check does not wait for a pipe" refused '' 'regular file' timeout 5 "$LAB_BUILD/ebbd" --config "$LAB_DIR/bad.yaml" --check
rm "$LAB_DIR/bad.yaml"
check "--check says that a file is missing" refused '' 'No such file|not found|missing' daemon_check

# --- starts
base | sed 's/name: eth0/name: nosuch0/' >"$LAB_DIR/bad.yaml"
check "a missing interface is named" no_start 'nosuch0' "$LAB_BPFFS/$LAB-edge-2"
check "and nothing was made for it" [ ! -e "$LAB_BPFFS/$LAB-edge-2" ]
base >"$LAB_DIR/bad.yaml"
check "without capabilities: what is missing is said" no_start 'CAP_BPF|root' "$LAB_BPFFS/$LAB-edge-2" \
	setpriv --bounding-set -bpf,-sys_admin,-net_admin,-perfmon --inh-caps -bpf,-sys_admin,-net_admin,-perfmon
check "as nobody: what to do is said" no_start 'run as root|--run-dir' "$LAB_BPFFS/$LAB-edge-2" setpriv --reuid 65534 --regid 65534 --clear-groups
check "no BPF file system: what to do is said" no_start 'mount -t bpf' "$LAB_DIR/no-bpffs"
check "no place for the state directory: what to do is said" no_start 'mkdir -p.*--state-dir' "$LAB_BPFFS/$LAB-edge-2" --no-place
check "the state directory is a file: what to do is said" no_start 'directory.*--state-dir' "$LAB_BPFFS/$LAB-edge-2" --a-file

need "ebbd starts" lab_edge_start edge-1
need "all backends become healthy" lab_wait_health edge-1
base >"$LAB_DIR/bad.yaml"
check "a second ebbd on the same BPF directory: the first is named" second 'another ebbd uses' "$LAB_DIR/other"
check "a second ebbd on the same run directory: the first is named" second "process $(cat "$LAB_DIR/edge-1/ebbd.pid")" "$LAB_DIR/edge-1/run"

# --- reload
pid=$(cat "$LAB_DIR/edge-1/ebbd.pid")
table=$(table_of edge-1)
services=$(lab_ebb edge-1 --json service show | jq -c '[.[].name]')
good=$LAB_DIR/edge-1/ebb.yaml
reload() { lab_ebb edge-1 config reload; }
bad_reload() { # WHAT; the file on standard input
	cp "$good" "$LAB_DIR/good.yaml"
	cat >"$good"
	kill -HUP "$pid"
	sleep 0.5
	check "reload by SIGHUP with $1: the old configuration stays in force" alive
	check "'ebb config reload' with $1: exit 1" equal "$(reload >"$LAB_DIR/out" 2>&1; echo $?)" 1
	check "'ebb config reload' with $1: place and reason" grep -qE 'ebb\.yaml(:[0-9]+:[0-9]+)?: ' "$LAB_DIR/out"
	check "after $1: the services are what they were" equal "$(lab_ebb edge-1 --json service show | jq -c '[.[].name]')" "$services"
	cp "$LAB_DIR/good.yaml" "$good"
}
bad_reload "an unknown key" < <(base | sed 's/^  name: edge-1/&\n  colour: blue/')
bad_reload "an empty file" </dev/null
bad_reload "a file of 100 MB" < <(head -c 100000000 /dev/zero | tr '\0' '#')
bad_reload "two backends of one name" < <(base | sed 's/fra-2/fra-1/')
check "a good reload changes no slot" eval 'reload >/dev/null && alive'

# --- control socket
on_socket "half a line" '^[03]$' '' < <(printf '{"id": 1, "method": "sta')
on_socket "10 MB without a newline" '^0$' '' < <(head -c 10000000 /dev/zero | tr '\0' 'x')
on_socket "garbage" '^[03]$' '"ok": ?false|^$' < <(head -c 100000 /dev/urandom; echo)
on_socket "a line that is no JSON" '^[03]$' '"ok": ?false' < <(echo 'hello there')
on_socket "JSON that is no object" '^[03]$' '"ok": ?false' < <(echo '[1, 2, 3]')
on_socket "a method that there is none of" '^[03]$' '"ok": ?false' < <(echo '{"id": 7, "method": "no.such"}')
on_socket "brackets without end" '^[03]$' '"ok": ?false' < <(head -c 500000 /dev/zero | tr '\0' '['; echo)
on_socket "a member twice" '^[03]$' '"ok": ?false' < <(echo '{"id": 7, "method": "status", "method": "status"}')

how=-d on_socket "thousands of questions, and never an answer read" '^[03]$' '' < <(yes '{"id": 1, "method": "backend.show"}' | head -n 100000)
how="-i 10000" on_socket "beside ten thousand idle connections" '^[03]$' '' < <(echo '{"id": 1, "method": "status"}')
how=-d on_socket "a monitor that never reads" '^[03]$' '' < <(echo '{"id": 1, "method": "monitor"}')
resident() { awk '/^VmRSS/ { print $2 }' "/proc/$pid/status"; }
check "after all that: ebbd holds less than 100 MB" within "$(resident)" 1 100000

# --- no room for the state
mount -t tmpfs -o size=64k tmpfs "$LAB_DIR/edge-1/state"
head -c 100000 /dev/zero >"$LAB_DIR/edge-1/state/full" 2>/dev/null
check "a full disk: the wish is in force, and its loss is told" eval '! lab_ebb edge-1 backend set fra-1 weight 100% 2>"$LAB_DIR/out" && grep -q "lost at a restart.*No space" "$LAB_DIR/out"'
check "a full disk: 'ebb status' says so" eval 'lab_ebb edge-1 status | grep -q "lost at a restart"'
rm "$LAB_DIR/edge-1/state/full"
sleep 1.5
check "room again: it is saved, and 'ebb status' is content" eval '[ -s "$LAB_DIR/edge-1/state/state.json" ] && ! lab_ebb edge-1 status | grep -q "lost at a restart"'
umount "$LAB_DIR/edge-1/state"

# --- the port of metrics and status page
{ base; echo 'http: {listen: "127.0.0.1:9619"}'; } >"$good"
need "the port of metrics opens by a reload" reload >/dev/null
well() { [ "$(lab_run edge-1 curl -s -m 1 http://127.0.0.1:9619/healthz)" = ok ]; }
trickle() { # forty requests of a byte a second, while somebody asks as one should
	lab_run edge-1 bash -c 'for i in {1..40}; do exec {fd}<>/dev/tcp/127.0.0.1/9619 && printf "GET / HT" >&$fd && fds+=($fd); done
		for i in {1..8}; do for fd in "${fds[@]}"; do printf x >&$fd; done; sleep 1; done' >/dev/null 2>&1 &
	local dribble=$! i
	for i in {1..7}; do sleep 1; well && break; done
	kill $dribble
	wait $dribble
	well
} 2>/dev/null
check "http: it answers" well
check "http: what only reads may not write" equal "$(lab_run edge-1 curl -s -o /dev/null -w '%{http_code}' -X DELETE http://127.0.0.1:9619/)" 405
check "http: a header of 100 kB is refused" equal "$(lab_run edge-1 curl -s -o /dev/null -w '%{http_code}' -H "X: $(head -c 100000 /dev/zero | tr '\0' x)" http://127.0.0.1:9619/)" 431
check "http: who trickles in loses his place to others" trickle

# --- the command line
status_of() { lab_ebb edge-1 "$@" >/dev/null 2>&1; echo $?; }
check "no such backend: exit 1" equal "$(status_of backend show nobody)" 1
check "a weight of 300 %: exit 2" equal "$(status_of backend set fra-1 weight 300%)" 2
check "no such verb: usage, exit 2" equal "$(status_of backend paint fra-1)" 2
check "no daemon: exit 3" equal "$("$LAB_BUILD/ebb" -s "$LAB_DIR/no.sock" status >/dev/null 2>&1; echo $?)" 3
check "after all that: the table is the same, traffic flows" alive

# --- a pool without backends
digest() { lab_ebb edge-1 --json pool show all | jq -r .digest; }
owners=$(digest)
for name in $(lab_names backends); do lab_ebb edge-1 backend set "$name" state maint >/dev/null; done
sleep 1
drops=$(verdict_drops edge-1)
lab_run client-1 "$LAB_TOOLS/http_client" -n 20 -p 20 -t 1500 $LAB_VIP4_GUE 80 >"$LAB_DIR/out"
check "an empty pool: nobody is answered" equal "$(tail -n 1 "$LAB_DIR/out" | jq .answered)" 0
check "an empty pool: what is dropped is counted" within "$(verdict_drops edge-1)" $((drops + 20)) $((drops + 200))
check "an empty pool: 'ebb status' says so" eval 'lab_ebb edge-1 status | grep -qiE "empty|no backend"'
for name in $(lab_names backends); do lab_ebb edge-1 backend set "$name" state ready >/dev/null; done
as_before() { # shares return step by step; slots remember that they moved, so it is the owners that are compared
	local i
	for ((i = 0; i < 120; i++)); do
		if [ "$(digest)" = "$owners" ]; then table=$(table_of edge-1) && alive && return; fi
		sleep 0.5
	done
	return 1
}
check "and all is as before when they are ready again" as_before
finish
