#!/bin/bash
# What a span and a mark (smartprof.h) take, without the agent, with it, and while there is a timing log: the least of ROUNDS runs.
# Usage: ROUNDS=5 spans.sh
set -eu
here=$(realpath "$(dirname "$0")")
agent=$(realpath "$here/../../build/libsmartprof.so")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export SMARTPROF_DIR=$work/profiles
${CC:-cc} -O2 -I "$here/../.." -o "$work/spans" "$here/spans.c"

least() { # PRELOAD
	for ((i = 0; i < ${ROUNDS:-5}; i++)); do
		env ${1:+LD_PRELOAD="$1"} "$work/spans"
	done | awk '{ for (i = 1; i <= NF; i++) if (NR == 1 || $i < v[i]) v[i] = $i } END { print v[1], v[2], v[3] }'
}

echo "| | a span, ns | two calls of clock_gettime, ns | a mark, µs |"
echo "|---|---:|---:|---:|"
least '' | awk '{ print "| without the agent | " ($1 > 0 ? $1 : 0) " | " $2 " | |" }'
least "$agent" | awk '{ print "| with the agent | " $1 " | " $2 " | " $3 " |" }'
SMARTPROF_SPAN_LOG=$work/log least "$agent" | awk '{ print "| with the agent and a timing log | " $1 " | " $2 " | " $3 " |" }'
