#!/bin/bash
# How many addresses addr2line -i and smartprof agree on. Usage: addr2line.sh [PROGRAM…]: programs with
# debug information and a .symtab; without any, a C++ program and sqlite3-like C are built. ADDRESSES=10000 a program.
# An address counts as the same when function names, lines and the number of frames are; addr2line's
# marks of parts (".cold", "[clone …]") are not compared. Differences go to standard error, 20 a program, each
# with its kind.
set -eu
root=$(realpath "$(dirname "$0")/../..")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
addresses=${ADDRESSES:-10000}
make -s -C "$root" build/bench/symbolize_list
if [ $# -eq 0 ]; then
	"$root/tests/bench/make-programs" "$work"
	set -- "$work"/program_*
fi
for program in "$@"; do
	# Random addresses of functions that have debug information: those of the symbol table by size.
	nm -S --defined-only "$program" | awk '$3 ~ /^[tTwW]$/ && $2 != "0000000000000000"' |
		python3 -c '
import random, sys
random.seed(1)
spans = sorted({(int(a, 16), int(b, 16)) for a, b, *_ in (line.split(None, 3) for line in sys.stdin)})
for low, size in random.choices(spans, weights=[s for _, s in spans], k=int(sys.argv[1])):
    print("0x%x" % random.randrange(low, low + size))' "$addresses" | sort -u >"$work/addresses"
	addr2line -aCfie "$program" <"$work/addresses" >"$work/theirs"
	"$root/build/bench/symbolize_list" "$program" <"$work/addresses" >"$work/ours"
	python3 "$root/tests/bench/addr2line.py" "$(basename "$program")" "$work/theirs" "$work/ours"
done
