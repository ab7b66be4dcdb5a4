#!/bin/bash
# A history of RUNS=100000: how large it is, how long it takes to add to it and to ask it. Figures: docs/BENCHMARKS.md.
set -eu
root=$(realpath "$(dirname "$0")/../..")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
make -s -C "$root" build/bench/history
"$root/build/bench/history" "$work/history.db" "${RUNS:-100000}"
