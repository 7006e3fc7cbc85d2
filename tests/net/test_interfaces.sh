#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Packets come in on one interface and leave by another, through the devmap, with the program in the driver, behind it, and
# in each place on one of the two; then on one interface alone, which is the way of XDP_TX. Mode and interfaces change by
# reload. Then: an interface whose driver has no XDP, a program beside ebb's, a wire on which everything is tagged, and
# backends on the edge's own segment, without outer headers.
#
#   client-1 ── router ──eth0── edge-2 ──eth1── router ── six backends
#                                 └──── a link each ──── fra-1, ams-1
#
# Not every kernel this runs on has VLAN devices, so tc tags and untags at both ends of the wire; that next hops over such a
# device carry its tag is test_nexthop_netlink's.
LAB_EDGES=2
. "$(dirname "$0")/lib.sh" interfaces

SEED=91 REQUESTS=300

config() { # MODE_OF_ETH0 MODE_OF_ETH1
	lab_config edge-2 | sed "s/name: eth0, mode: auto/name: eth0, mode: $1/; s/name: eth1, mode: auto/name: eth1, mode: $2/" \
		>"$LAB_DIR/ebb.yaml"
}

verdict() { lab_ebb edge-2 --json status | jq ".verdicts.$1.packets"; }
modes() { lab_ebb edge-2 --json status | jq -r '[.interfaces[] | "\(.name) \(.mode)"] | sort | join(", ")'; }

requests() { # VIP
	SEED=$((SEED + 1))
	lab_run client-1 "$LAB_TOOLS/http_client" -n $REQUESTS -p 8 -t 10000 -s $SEED "$1" 80 >/dev/null
}

pings() { lab_run client-1 ping -q -c 3 -i 0.05 -W 2 -s 4000 "$1" | grep -q ' 3 received'; }

# MODES WHAT_STATUS_SAYS VERDICT OTHER_VERDICT: all packets to backends have the one, none the other.
forwards() {
	local what=$1 says=$2 by=$3 not=$4 before others vip
	check "$what: so it says" equal "$(modes)" "$says"
	before=$(verdict "$by") others=$(verdict "$not")
	for vip in $LAB_VIP4_GUE $LAB_VIP6_GUE $LAB_VIP4_IPIP $LAB_VIP6_IPIP; do
		check "$what: $REQUESTS requests to $vip" requests "$vip"
	done
	check "$what: by $by" test $(($(verdict "$by") - before)) -gt $((4 * REQUESTS * 4))
	check "$what: none by $not" equal "$(verdict "$not")" "$others"
	for vip in $LAB_VIP4_GUE $LAB_VIP6_GUE; do check "$what: ping of $vip with 4,000 bytes" pings "$vip"; done
}

reload() { # MODE_OF_ETH0 MODE_OF_ETH1
	config "$@" && lab_ebb edge-2 config reload >/dev/null
}

# --- what else is on the interface

no_driver() { # a macvlan's driver has no native XDP
	lab_ip edge-2 link add link eth1 name mac1 type macvlan mode bridge && lab_ip edge-2 link set mac1 up &&
		lab_config edge-2 | sed 's/^    - {name: eth1, mode: auto}/&\n    - {name: mac1, mode: auto}/' >"$LAB_DIR/ebb.yaml" &&
		lab_ebb edge-2 config reload >/dev/null
}

pings_edge() { lab_run router ping -q -c 2 -i 0.05 -W 1 10.0.2.2 | grep -q ' 2 received'; }

beside() { # update|delete: no_ping, in the slot
	local slot=$LAB_BPFFS/$LAB-edge-2/maps/next value=()
	[ "$1" = delete ] || value=(value pinned "$LAB_BPFFS/$LAB-edge-2/no_ping")
	bpftool map "$1" pinned "$slot" key 0 0 0 0 "${value[@]}"
}

# --- a wire on which everything is tagged

tag_end() { # NAME IFACE
	lab_run "$1" ethtool -K "$2" txvlan off >/dev/null && # the tag is to be in the frame, where XDP sees it
		lab_run "$1" tc qdisc add dev "$2" clsact &&
		lab_run "$1" tc filter add dev "$2" egress bpf direct-action object-pinned "$LAB_BPFFS/$LAB-edge-2/beside/push_tag" &&
		lab_run "$1" tc filter add dev "$2" ingress bpf direct-action object-pinned "$LAB_BPFFS/$LAB-edge-2/beside/pop_tag"
}

# As the daemon writes it where the route leads over the VLAN's device: byte 16 of a next hop is its tag.
tag_nexthops() {
	local map=$LAB_BPFFS/$LAB-edge-2/maps/nexthops entry
	bpftool -j map dump pinned "$map" | jq -c '.[] | select(.formatted.value.ifindex != 0) | [.key, .value]' | while read -r entry; do
		# shellcheck disable=SC2046
		bpftool map update pinned "$map" key $(jq -r '.[0] | join(" ")' <<<"$entry") \
			value $(jq -r '.[1] | .[16] = "0x07" | join(" ")' <<<"$entry") || return
	done
}

# --- backends on the edge's own segment

VIP4_L2=192.0.2.30 VIP6_L2=2001:db8:80::30

segment() { # NAME NUMBER: a link to this backend, which gets the VIPs of the service, too
	lab_ip edge-2 link add "segment$2" type veth peer name segment netns "$LAB-$1" &&
		lab_ip edge-2 address add "10.9.$2.1/24" dev "segment$2" && lab_ip edge-2 link set "segment$2" up &&
		lab_ip "$1" address add "10.9.$2.2/24" dev segment && lab_ip "$1" link set segment up &&
		lab_ip "$1" address add $VIP4_L2/32 dev lo && lab_ip "$1" address add $VIP6_L2/128 dev lo &&
		lab_run "$1" bpftool net attach xdp pinned "$LAB_BPFFS/$LAB-edge-2/pass" dev segment
}

config_l2() {
	lab_config edge-2 | sed '/^pools:/,$d'
	cat <<-END
	  - name: here
	    regions:
	      - name: segment
	        backends:
	          - {name: here-1, address: 10.9.1.2}
	          - {name: here-2, address: 10.9.2.2}
	END
	lab_config edge-2 | sed -n '/^pools:/,$p' | sed 's,^pools:,&\n  - {name: here\, slots: 1024\, tiers: [[here/segment]]},'
	cat <<-END
	  - {name: l2-4, address: "$VIP4_L2", port: 80, protocol: tcp, pool: here, affinity: flow, encap: l2}
	  - {name: l2-6, address: "$VIP6_L2", port: 80, protocol: tcp, pool: here, affinity: flow, encap: l2}
	END
}

need "the lab comes up" lab_up
need "the backends decapsulate" lab_node_attach
lab_route edge-2
config native native
need "ebbd starts" lab_edge_start edge-2 "$LAB_DIR/ebb.yaml"
need "all backends become healthy" lab_wait_health edge-2
# Routes to the backends lead by eth1, whatever interface brought the packet.
for region in 10.1.0.0/24 10.2.0.0/24 10.3.0.0/24; do lab_ip edge-2 route replace $region via 10.0.3.1 dev eth1; done
sleep 1

forwards "native" "eth0 native, eth1 native" forward_redirect forward_tx
need "reload" reload generic generic
forwards "generic" "eth0 generic, eth1 generic" forward_redirect forward_tx
need "reload" reload native generic
forwards "native in, generic on the other" "eth0 native, eth1 generic" forward_redirect forward_tx
need "reload" reload native native
for region in 10.1.0.0/24 10.2.0.0/24 10.3.0.0/24; do lab_ip edge-2 route replace $region via 10.0.2.1 dev eth0; done
sleep 1
forwards "one interface" "eth0 native, eth1 native" forward_tx forward_redirect

need "an interface without native XDP is added" no_driver
check "it is generic" equal "$(modes)" "eth0 native, eth1 native, mac1 generic"
check "and 'ebb status' says why" grep -q 'mac1 (generic: the driver of mac1 has no native XDP' <(lab_ebb edge-2 status)
need "reload" reload native native

check "the edge answers pings to itself" pings_edge
need "a program beside ebb's" bpftool prog loadall "$LAB_TOOLS/beside.bpf.o" "$LAB_BPFFS/$LAB-edge-2/beside"
mv "$LAB_BPFFS/$LAB-edge-2/beside/no_ping" "$LAB_BPFFS/$LAB-edge-2/no_ping"
check "it takes the slot" beside update
check "it gets what is for no service: the edge's own pings" eval '! pings_edge'
check "and nothing else: ping of a VIP" pings $LAB_VIP4_GUE
check "and nothing else: requests" requests $LAB_VIP4_GUE
check "it leaves the slot" beside delete
check "the edge answers pings to itself" pings_edge

need "a program that passes all" bpftool prog load "$LAB_TOOLS/pass.bpf.o" "$LAB_BPFFS/$LAB-edge-2/pass" type xdp
need "fra-1 is on the edge's segment" segment fra-1 1
need "ams-1 is on the edge's segment" segment ams-1 2
config_l2 >"$LAB_DIR/ebb.yaml"
need "reload" lab_ebb edge-2 config reload >/dev/null
need "they become healthy" lab_wait_health edge-2
for vip in $VIP4_L2 $VIP6_L2; do
	before=$(($(shown edge-2 here-1 packets) + $(shown edge-2 here-2 packets)))
	check "l2: $REQUESTS requests to $vip" requests $vip
	after=$(($(shown edge-2 here-1 packets) + $(shown edge-2 here-2 packets)))
	check "l2: by the segment" test $((after - before)) -gt $((4 * REQUESTS))
done
check "l2: both had some" test "$(shown edge-2 here-1 packets)" -gt 0 -a "$(shown edge-2 here-2 packets)" -gt 0
need "reload" reload native native

need "all frames between router and edge are tagged" eval 'tag_end router edge2 && tag_end edge-2 eth0'
check "next hops lie over the VLAN" tag_nexthops
check "the kernel's own packets get through" pings_edge
forwards "tagged" "eth0 native, eth1 native" forward_tx forward_redirect
finish
