#!/bin/bash
# What the agent adds to a process that does nothing: interleaved rounds of 50 x /bin/true plain,
# with an empty library that needs the same other one, and with the agent; medians of
# the rounds' ratios. ROUNDS=20 makes the thousand.
set -eu
agent=$(realpath "$(dirname "$0")/../../build/libsmartprof.so")
rounds=${ROUNDS:-20}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
: >"$work/empty.c"
${CC:-cc} -shared -fPIC -o "$work/empty.so" "$work/empty.c" -Wl,-z,now -Wl,--no-as-needed -lc
spawn() { for ((i = 0; i < 50; i++)); do /bin/true; done; }
now() { date +%s%N; }
for ((round = 0; round < rounds; round++)); do
	t0=$(now)
	(spawn)
	t1=$(now)
	(export LD_PRELOAD=$work/empty.so; spawn)
	t2=$(now)
	(export LD_PRELOAD=$agent; spawn)
	t3=$(now)
	echo "$((t1 - t0)) $((t2 - t1)) $((t3 - t2))"
done >"$work/times"
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
printf 'empty library with the same needs: ratio %.3f\n' "$(awk '{ print $2 / $1 }' "$work/times" | median)"
printf 'agent: ratio %.3f, %.2f ms added per process (medians of %d rounds of 50)\n' \
	"$(awk '{ print $3 / $1 }' "$work/times" | median)" "$(awk '{ print ($3 - $1) / 50e6 }' "$work/times" | median)" "$rounds"
