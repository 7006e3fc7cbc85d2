# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# lib: what every scenario of tests/net shares. `. tests/net/lib.sh NAME` makes this process the owner of a lab of its own
# ("ebb-NAME"), torn down however it ends. A scenario is a list of check lines; the last line is `finish`.

set -u
LAB=${LAB:-ebb}-$1
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lab"
PASSED=0 FAILED=0

trap lab_down EXIT
trap 'exit 130' INT TERM HUP
lab_down # what an earlier run left behind, if it was killed by SIGKILL

say() { echo "     $*"; }

check() { # WHAT COMMAND…: one promise
	local what=$1
	shift
	if "$@"; then
		PASSED=$((PASSED + 1))
		echo "ok   $what"
	else
		FAILED=$((FAILED + 1))
		echo "FAIL $what    [$*]"
		return 1
	fi
}

equal() { [ "$1" = "$2" ] || { say "got '$1', expected '$2'"; return 1; }; }
within() { # VALUE LOW HIGH
	awk -v v="$1" -v l="$2" -v h="$3" 'BEGIN { exit !(v != "" && v >= l && v <= h) }' || {
		say "got '$1', expected $2 to $3"
		return 1
	}
}

finish() {
	local log
	if [ $FAILED -gt 0 ]; then
		for log in "$LAB_DIR"/edge-*/ebbd.log; do
			[ ! -e "$log" ] || { echo "--- the end of $log"; tail -n 15 "$log"; }
		done
	fi
	echo "summary: $PASSED passed, $FAILED failed"
	[ $FAILED = 0 ] || exit 1
	exit 0
}

need() { # WHAT COMMAND…: without this the rest is meaningless
	"${@:2}" && return
	check "$1" false
	finish
}

# Counts of one backend. The data plane's are sums over all CPUs.
shown() { lab_ebb "$1" --json backend show "$2" | jq -r ".$3"; } # EDGE BACKEND MEMBER
mapped() { # EDGE MAP INDEX MEMBER: by bpftool, which knows nothing of ebb
	bpftool -j map lookup pinned "$LAB_BPFFS/$LAB-$1/maps/$2" key hex "$(printf '%02x' $(($3 & 255)))" \
		"$(printf '%02x' $(($3 >> 8)))" 00 00 | jq "[.formatted.values[].value.$4] | add"
}
mapped_total() { # EDGE: packets sent to all backends
	bpftool -j map dump pinned "$LAB_BPFFS/$LAB-$1/maps/backend_stats" | jq '[.[].formatted.values[].value.packets] | add'
}
table_of() { # EDGE: a hash over the whole slots map
	"$LAB_TOOLS/map_hash" "$LAB_BPFFS/$LAB-$1/maps/slots"
}
verdict_drops() { # EDGE: packets that xdp_lb dropped, for whatever reason
	lab_ebb "$1" --json status | jq '[.verdicts | to_entries[] | select(.key | startswith("drop")) | .value.packets] | add // 0'
}

# Pearson's test on lines "NAME OBSERVED WEIGHT". Prints the statistic and the critical value at p = 0.001, found by
# bisection from the incomplete gamma function (series; Numerical analysis' textbook form). Exit 1 above it.
chi_square() {
	awk '
	function lgamma(z,  c, s, i) { # Lanczos, g = 5
		split("76.18009172947146 -86.50532032941677 24.01409824083091 -1.231739572450155 0.001208650973866179 -0.000005395239384953", c, " ")
		s = 1.000000000190015
		for (i = 1; i <= 6; i++) s += c[i] / (z + i)
		return (z + 0.5) * log(z + 5.5) - (z + 5.5) + log(2.5066282746310005 * s / z)
	}
	function upper(a, x,  sum, term, n) { # 1 - P(a, x)
		if (x <= 0) return 1
		sum = term = 1 / a
		for (n = 1; n < 10000 && term > sum * 1e-15; n++) { term *= x / (a + n); sum += term }
		return 1 - sum * exp(-x + a * log(x) - lgamma(a))
	}
	{ seen[NR] = $2; weight[NR] = $3; total += $2; weights += $3 }
	END {
		for (i = 1; i <= NR; i++) { e = total * weight[i] / weights; if (e > 0) chi += (seen[i] - e) ^ 2 / e; else if (seen[i]) chi = 1e9 }
		low = 0; high = 1000
		for (i = 0; i < 100; i++) { middle = (low + high) / 2; if (upper((NR - 1) / 2, middle / 2) > 0.001) low = middle; else high = middle }
		printf "     chi-square %.2f, critical at p = 0.001 with %d degrees of freedom %.2f, n = %d\n", chi, NR - 1, high, total
		exit !(NR > 1 && total > 0 && chi <= high)
	}'
}
