#!/usr/bin/env bash
# Whether the heap profile's ± is honest: runs of a program that knows its truth, and how often the
# true bytes of a site lie inside the printed interval, in use and allocated.
# Usage: heap_accuracy.sh [RUNS [INTERVAL]]
set -eu
cd "$(dirname "$0")/../.."
runs=${1:-200}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export SMARTPROF_HEAP_INTERVAL=${2:-16KiB} SMARTPROF_MODE=heap SMARTPROF_OVERHEAD_BUDGET=100 SMARTPROF_DIR=$work
for ((run = 0; run < runs; run++)); do
	LD_PRELOAD=$PWD/build/libsmartprof.so SMARTPROF_OUTPUT=$work/profile.md build/targets/heap_truth >"$work/truth"
	awk -F'\t' '
		NR == FNR { if ($1 != "total") { inuse[$1] = $2; alloc[$1] = $4 } next }
		/^## / { on = /^## All heap sites/ }
		on && $1 == "alloc_bytes" { for (i = 1; i <= NF; i++) col[$i] = i; next }
		on && NF > 10 { f = $col["function"]; A[f] += $1; I[f] += $col["inuse_bytes"]; n[f] += $col["samples"]
			m[f] += $col["inuse_samples"]; VA[f] += $col["alloc_variance"]; VI[f] += $col["inuse_variance"] }
		function abs(x) { return x < 0 ? -x : x }
		function inside(truth, got, variance, n) {
			return abs(got - truth) <= 1.96 * sqrt(n ? variance * (1 + 1 / n) : 0) }
		END { for (f in alloc) if (VA[f] > 0) {
			print f "\tallocated\t" inside(alloc[f], A[f], VA[f], n[f]) "\t" abs(A[f] / alloc[f] - 1)
			if (inuse[f] && VI[f] > 0)
				print f "\tin use\t" inside(inuse[f], I[f], VI[f], m[f]) "\t" abs(I[f] / inuse[f] - 1) } }
	' "$work/truth" "$work/profile.md" >>"$work/all"
done
echo "| site | quantity | runs | true value inside ± | median error |"
echo "|:---|:---|---:|---:|---:|"
sort -t"$(printf '\t')" -k1,2 -k4,4g "$work/all" | awk -F'\t' '
	{ k = $1 "\t" $2; if (k != last) { if (last) out(); last = k; c = 0; hit = 0 } e[++c] = $4; hit += $3 }
	function out(s) { split(last, s, "\t"); share = 100 * hit / c; pooled += hit; all += c
		if (share < 89 || share > 99) bad++
		printf "| %s | %s | %d | %.1f %% | %.1f %% |\n", s[1], s[2], c, share, 100 * e[int((c + 1) / 2)] }
	END { out(); p = 100 * pooled / all; printf "| all | | %d | %.1f %% | |\n", all, p
		exit (p < 93 || p > 98 || bad) }'
