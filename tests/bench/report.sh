#!/bin/bash
# What a render takes: `smartprof report` of a composed spool of SAMPLES=1000000 samples of a program, without and
# with cached symbols. Usage: report.sh [PROGRAM]: with debug information and a .symtab; without one, a C++ program is
# built, which is smaller than what the targets are about (100 MB). ROUNDS=5. Exit status 1: a target is missed.
set -eu
root=$(realpath "$(dirname "$0")/../..")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
make -s -C "$root" build/smartprof build/bench/compose_spool
if [ $# -eq 0 ]; then
	"$root/tests/bench/make-programs" "$work"
	set -- "$work/program_cxx"
fi
program=$(realpath "$1")
nm -S --defined-only "$program" | awk '$3 ~ /^[tTwW]$/ && $2 !~ /^0*$/ { print $1, $2 }' | sort -u |
	awk 'NR % 4 == 0' >"$work/functions"
"$root/build/bench/compose_spool" "$program" "$work/spool" "${SAMPLES:-1000000}" <"$work/functions"
export XDG_CACHE_HOME=$work/cache
# render KIND: seconds of wall time, of CPU time, and KB of memory
render() {
	/usr/bin/env python3 -c '
import os, resource, subprocess, sys, time
from_s = time.monotonic()
subprocess.run(sys.argv[2:], stdout=open(os.devnull, "w"), check=True)
wall_s, used = time.monotonic() - from_s, resource.getrusage(resource.RUSAGE_CHILDREN)
print(sys.argv[1], "%.3f %.3f %d" % (wall_s, used.ru_utime + used.ru_stime, used.ru_maxrss))' \
		"$1" "$root/build/smartprof" report "$work/spool" >>"$work/times"
}
for ((round = 0; round < ${ROUNDS:-5}; round++)); do
	rm -rf "$work/cache"
	render cold
	render warm
done
median() { awk -v kind="$1" -v field="$2" '$1 == kind { print $field }' "$work/times" | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
printf '%d samples of %s (%d MB), %s addresses\n\n' "${SAMPLES:-1000000}" "$(basename "$program")" \
	$(($(stat -c %s "$program") / 1000000)) "$("$root/build/smartprof" cache stats | awk '/^addresses/ { print $2 }')"
printf '| | wall, s | CPU, s | memory, MB | target |\n|---|---:|---:|---:|---:|\n'
status=0
for kind in cold:5 warm:0.5; do
	wall=$(median "${kind%:*}" 2)
	memory=$(($(median "${kind%:*}" 4) / 1000))
	echo "| ${kind%:*} | $wall | $(median "${kind%:*}" 3) | $memory | ${kind#*:} s, 1000 MB |"
	awk "BEGIN { exit !($wall > ${kind#*:} || $memory >= 1000) }" && status=1
done
exit $status
