#!/bin/bash
# What the agent adds to a process that does nothing: interleaved rounds of 50 x /bin/true plain,
# with an empty library that needs the same other one, and with the agent, from a shell loop and by
# posix_spawn; medians of the rounds' ratios. ROUNDS=20 makes the thousand.
set -eu
here=$(realpath "$(dirname "$0")")
agent=$(realpath "$here/../../build/libsmartprof.so")
rounds=${ROUNDS:-20}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
: >"$work/empty.c"
${CC:-cc} -shared -fPIC -o "$work/empty.so" "$work/empty.c" -Wl,-z,now -Wl,--no-as-needed -lc
${CC:-cc} -O2 -D_GNU_SOURCE -o "$work/spawn" "$here/spawn.c"
loop() (
	[ -z "$1" ] || export LD_PRELOAD=$1
	for ((i = 0; i < 50; i++)); do /bin/true; done
)
spawn() { CHILD_PRELOAD=$1 "$work/spawn" 50 /bin/true; }
now() { date +%s%N; }
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
for how in loop spawn; do
	for ((round = 0; round < rounds; round++)); do
		t0=$(now)
		$how ''
		t1=$(now)
		$how "$work/empty.so"
		t2=$(now)
		$how "$agent"
		t3=$(now)
		echo "$((t1 - t0)) $((t2 - t1)) $((t3 - t2))"
	done >"$work/times"
	printf '%s: empty library with the same needs: ratio %.3f\n' "$how" \
		"$(awk '{ print $2 / $1 }' "$work/times" | median)"
	printf '%s: agent: ratio %.3f, %.3f ms added per process (medians of %d rounds of 50)\n' "$how" \
		"$(awk '{ print $3 / $1 }' "$work/times" | median)" \
		"$(awk '{ print ($3 - $1) / 50e6 }' "$work/times" | median)" "$rounds"
done
