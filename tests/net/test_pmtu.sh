#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Sizes: ping of a VIP and of a sandbox up to 20,000 bytes, datagrams of 4,000 bytes, and 10 MB there and back over one
# connection, in both families and both encapsulations, with real stacks; then the same 10 MB where a link on the client's
# side is smaller (the router tells the backend, through the edge), and where the fabric is (the edge tells the client); and
# with jumbo frames everywhere, which XDP sees in several buffers. And what a trace shows of it all.
#
#   client-1 ──(1: 1300)── router ──(2: 1500, no room for outer headers)── edge-1 ── router ── six backends
. "$(dirname "$0")/lib.sh" pmtu

VIPS=("$LAB_VIP4_GUE" "$LAB_VIP6_GUE" "$LAB_VIP4_IPIP" "$LAB_VIP6_IPIP")
BOX=2001:db8:5b::77
BYTES=10485760

pings() { # ADDRESS SIZE
	lab_run client-1 ping -q -c 3 -i 0.05 -W 2 -s "$2" "$1" | grep -q ' 3 received'
}

datagram() { # ADDRESS: 4,000 bytes, and the same back
	lab_run client-1 timeout 5 bash -c '
		exec 3<>"/dev/udp/$1/7" && head -c 4000 "$2" >&3 &&
		dd bs=9000 count=1 <&3 2>/dev/null | cmp - <(head -c 4000 "$2")' - "$1" "$LAB_DIR/data"
}

there_and_back() { # ADDRESS: BYTES by the echo, at once
	lab_run client-1 timeout 30 bash -c '
		exec 3<>"/dev/tcp/$1/7" && read -r name <&3 && { cat "$2" >&3 & } &&
		head -c "$3" <&3 | cmp - "$2"' - "$1" "$LAB_DIR/data" $BYTES
}

all_there_and_back() { # WHAT
	local vip
	for vip in "${VIPS[@]}"; do check "$1: 10 MB to $vip and back" there_and_back "$vip"; done
}

verdict() { lab_ebb edge-1 --json status | jq ".verdicts.$1.packets"; }

knows_mtu() { # MTU CLIENT: backends that have learnt it
	local name count=0
	for name in $(lab_names backends); do
		lab_ip "$name" route get "$2" | grep -q "mtu $1" && count=$((count + 1))
	done
	say "$count backends know that the path to $2 takes $1 bytes"
	[ $count -gt 0 ]
}

set_mtu() { # MTU of the edge's link, both ends
	lab_ip edge-1 link set eth0 mtu "$1" && lab_ip router link set edge1 mtu "$1"
}

jumbo() { # 9,000 bytes from client to server, and room for outer headers
	local name region n
	lab_ip client-1 link set eth0 mtu 9000 && lab_ip router link set client-1 mtu 9000 && lab_ip router link set clients mtu 9000 &&
		set_mtu 9100 || return
	for name in $(lab_names backends); do
		read -ra n <<<"$(lab_number "$name")"
		lab_ip router link set "$name" mtu 9100 && lab_ip "$name" link set eth0 mtu 9100 &&
			lab_ip "$name" route replace default via "10.${n[0]}.0.1" dev eth0 mtu 9000 &&
			lab_ip "$name" route replace default via "fd00:${n[0]}::1" dev eth0 mtu 9000 || return
	done
	for region in fra dub ams; do lab_ip router link set $region mtu 9100 || return; done
	for name in client-1 $(lab_names backends); do # what they have learnt of smaller paths
		lab_ip "$name" route flush cache && lab_ip "$name" -6 route flush cache || return
	done
}

mean_length() { # SERVICE BEFORE_PACKETS BEFORE_BYTES: of what the edge has sent to backends since
	lab_ebb edge-1 --json service show "$1" | jq "(.bytes - $3) / (.packets - $2 | if . == 0 then 1 else . end) | floor"
}

request() { lab_run client-1 curl -s -o /dev/null --local-port 40001 --max-time 5 "http://$LAB_VIP4_GUE/"; }

explains_and_shows() { # one flow, and three packets of it, all to the backend that was foretold
	local to
	lab_ebb edge-1 --json explain --proto tcp --src 198.51.100.11:40001 --dst "$LAB_VIP4_GUE:80" --trace --count 3 \
		--bpffs "$LAB_BPFFS/$LAB-edge-1" >"$LAB_DIR/explain.json" &
	sleep 0.5
	lab_run client-1 curl -s -o /dev/null "http://$LAB_VIP4_GUE/" && request
	wait $!
	to=$(jq -r 'select(.backend).backend' "$LAB_DIR/explain.json")
	equal "$(jq -r 'select(.layers) | [.verdict, .layers[0].destination, .layers[1].source_port] | join(" ")' "$LAB_DIR/explain.json" |
		sort | uniq -c | sed 's/^ *//')" "3 forward_tx $(lab_address "$to" 4) 40001"
}

need "the lab comes up" lab_up
need "the backends decapsulate" lab_node_attach
lab_echo_start
{
	lab_config edge-1
	echo "  - {name: boxes, prefix: \"$LAB_SANDBOXES\", pool: all, affinity: sandbox, encap: gue}"
} >"$LAB_DIR/ebb.yaml"
need "ebbd starts" lab_edge_start edge-1 "$LAB_DIR/ebb.yaml"
need "all backends become healthy" lab_wait_health edge-1
head -c $BYTES /dev/urandom >"$LAB_DIR/data"

for size in 56 1400 4000 20000; do
	for vip in "${VIPS[@]}" $BOX; do check "ping of $vip with $size bytes" pings "$vip" $size; done
done
check "the edge answered the fragments of those to VIPs" test "$(verdict answer_echo)" -gt 200
for vip in "${VIPS[@]}"; do check "a datagram of 4,000 bytes to $vip" datagram "$vip"; done
check "no fragment was lost" equal "$(verdict drop_fragment)" 0
all_there_and_back "links as they are"
check "nothing was too big" equal "$(verdict answer_too_big)" 0

need "the client's link takes 1300 bytes" lab_ip router link set clients mtu 1300
all_there_and_back "1300 towards the client"
for client in 198.51.100.11 2001:db8:c::11; do check "the router's errors for $client got through" knows_mtu 1300 $client; done
need "the client's link takes 1500 bytes" lab_ip router link set clients mtu 1500

need "the edge's link takes 1500 bytes" set_mtu 1500
sleep 1 # the daemon is told by netlink; nothing else waits for it
all_there_and_back "1500 in the fabric"
check "the client was told what fits" test "$(verdict answer_too_big)" -gt 0

lab_spawn client-1 "$LAB_DIR/ping.log" ping -q -i 0.05 -c 100 "$LAB_VIP4_GUE"
disown # it ends with the lab
lab_ebb edge-1 --json trace --bpffs "$LAB_BPFFS/$LAB-edge-1" --verdict answer_echo --count 5 >"$LAB_DIR/trace.json"
check "the trace shows echoes that are answered" \
	equal "$(jq -r '[.verdict, .layers[0].source, .layers[0].destination] | join(" ")' "$LAB_DIR/trace.json" | sort | uniq -c | sed 's/^ *//')" \
	"5 answer_echo $LAB_VIP4_GUE 198.51.100.11"
check "and writes them to a file" \
	lab_ebb edge-1 trace --bpffs "$LAB_BPFFS/$LAB-edge-1" --verdict answer_echo --count 5 --pcap "$LAB_DIR/trace.pcap"
check "that tcpdump reads" equal "$(tcpdump -nr "$LAB_DIR/trace.pcap" 2>/dev/null |
	grep -c "$LAB_VIP4_GUE > 198.51.100.11: ICMP echo reply")" 5
check "of a header and five packets" equal "$(stat -c %s "$LAB_DIR/trace.pcap")" $((24 + 5 * (16 + 98)))
check "'ebb explain --trace' shows the flow's packets, and that they go where it says" explains_and_shows

need "links take jumbo frames" jumbo
sleep 1
read -r packets bytes <<<"$(lab_ebb edge-1 --json service show gue4-talk | jq -r '"\(.packets) \(.bytes)"')"
all_there_and_back "9000 everywhere"
length=$(mean_length gue4-talk "$packets" "$bytes")
check "what the edge sent on had $length bytes on average" test "$length" -gt 2000
for vip in "${VIPS[@]}"; do check "ping of $vip with 8,900 bytes" pings "$vip" 8900; done
finish
