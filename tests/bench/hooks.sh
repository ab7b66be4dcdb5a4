#!/usr/bin/env bash
# What one call of malloc or free costs more with the library loaded, without sampling: switched off,
# and counting (heap sampling on, at an interval that is never reached). CPU time from interleaved
# rounds, instructions from callgrind. What is least in profiles/model/cost.h comes from here.
# Usage: hooks.sh [ROUNDS]
set -eu
cd "$(dirname "$0")/../.."
rounds=${1:-${ROUNDS:-15}}
agent=$PWD/build/libsmartprof.so
calls=40000000
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
${CC:-cc} -O2 -o "$work/hooks" tests/bench/hooks.c
export SMARTPROF_DIR=$work/profiles SMARTPROF_ENV=production SMARTPROF_MODE=heap SMARTPROF_HEAP_INTERVAL=1073741824

with() { # VARIANT COMMAND…
	case $1 in
	plain) "${@:2}" ;;
	off) SMARTPROF_ENABLED=0 LD_PRELOAD=$agent "${@:2}" ;;
	counting) LD_PRELOAD=$agent "${@:2}" ;;
	esac
}
median() { sort -n | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }
instructions() { # VARIANT CALLS: of the whole run
	with "$1" valgrind --tool=callgrind --callgrind-out-file=/dev/null "$work/hooks" "$2" 2>&1 >/dev/null |
		sed -n 's/.*Collected : //p'
}

for _ in $(seq "$rounds"); do
	plain=$(with plain "$work/hooks" $calls)
	echo "$plain" >>"$work/plain"
	for variant in off counting; do
		with $variant "$work/hooks" $calls | awk -v p="$plain" '{ printf "%.3f\n", $1 - p }' >>"$work/$variant"
	done
done
echo "| per call | plain malloc and free | library switched off adds | counting adds |"
echo "|---|---:|---:|---:|"
echo "| CPU time, ns | $(median <"$work/plain") | $(median <"$work/off") | $(median <"$work/counting") |"
if command -v valgrind >/dev/null; then
	for variant in plain off counting; do
		many=$(instructions $variant 2200000) few=$(instructions $variant 200000)
		echo $(((many - few) / 20000)) # hundredths
	done >"$work/instructions"
	awk '{ v[NR] = $1 / 100 } END { printf "| instructions | %.1f | %.1f | %.1f |\n", v[1], v[2] - v[1], v[3] - v[1] }' \
		"$work/instructions"
else
	echo "hooks.sh: instructions are not counted: install valgrind" >&2
fi
