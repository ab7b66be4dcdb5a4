#!/bin/bash
# What the agent adds to a process that does nothing: interleaved pairs of 50 x /bin/true, without
# and with it, and the median of the pairs' ratios. ROUNDS=20 makes the thousand.
set -eu
agent=$(realpath "$(dirname "$0")/../../build/libsmartprof.so")
rounds=${ROUNDS:-20}
spawn() { for ((i = 0; i < 50; i++)); do /bin/true; done; }
now() { date +%s%N; }
for ((round = 0; round < rounds; round++)); do
	t0=$(now)
	(spawn)
	t1=$(now)
	(export LD_PRELOAD=$agent; spawn)
	t2=$(now)
	echo "$((t1 - t0)) $((t2 - t1))"
done | awk '{ print $2 / $1, ($2 - $1) / 50e6 }' | sort -n |
	awk '{ ratio[NR] = $1; added[NR] = $2 } END { m = int((NR + 1) / 2);
		printf "ratio, median of %d pairs: %.3f; added per process: %.2f ms\n", NR, ratio[m], added[m] }'
