#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Packets come in on one interface and leave by another, through the devmap, with the program in the driver, behind it, and
# in each place on one of the two; then on one interface alone, which is the way of XDP_TX. Mode and interfaces change by
# reload.
#
#   client-1 ── router ──eth0── edge-2 ──eth1── router ── six backends
#
# Sub-interfaces of VLANs cannot be made on every kernel this runs on; tagged frames, in and out, are test_xdp_lb's.
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
finish
