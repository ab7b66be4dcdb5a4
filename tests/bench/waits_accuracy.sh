#!/usr/bin/env bash
# Whether the ± of waits is honest: runs of a program that knows what it has waited at five places, and how often the true share
# lies inside the printed interval. Shares are of those five places. Fails when that is less than LEAST of all (0.93), or nearly always.
# Usage: [LEAST=0.93] waits_accuracy.sh [RUNS [INTERVAL-US [BUSY-PROCESSES]]]
set -eu
cd "$(dirname "$0")/../.."
runs=${1:-200}
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$work"' EXIT
export SMARTPROF_WAIT_INTERVAL=${2:-5000} SMARTPROF_WAIT_THRESHOLD=0 SMARTPROF_OVERHEAD_BUDGET=100 SMARTPROF_DIR=$work
for ((i = 0; i < ${3:-0}; i++)); do sh -c 'while :; do :; done' & done
for ((run = 0; run < runs; run++)); do
	LD_PRELOAD=$PWD/build/libsmartprof.so SMARTPROF_OUTPUT=$work/profile.md build/targets/wait_truth >"$work/truth"
	[ -e "$work/profile.md" ] || { echo "a run left no profile" >&2; continue; }
	# The table's % and ± are of all places; of those five alone both are as much larger.
	awk -F'|' '
		NR == FNR { split($0, t, " "); truth[t[1]] = t[2]; all += t[2]; next }
		/^## / { on = /^## Waits/ }
		on && NF > 10 { split($9, chain, " "); f = chain[1]; if (f in truth) { share[f] += $2; error[f] = $3; sum += $2 } }
		function abs(x) { return x < 0 ? -x : x }
		END { for (f in truth) if (sum) {
			true_share = 100 * truth[f] / all; ours = 100 * share[f] / sum; pm = 100 * error[f] / sum + 0.05
			printf "%s\t%d\t%.4f\t%.4f\t%.4f\n", f, abs(ours - true_share) <= pm, ours - true_share, pm, true_share } }
	' "$work/truth" "$work/profile.md" >>"$work/all"
	rm "$work/profile.md"
done
echo "| place | true share, % | runs | true share inside ± | mean ± | bias, points | mean error, points |"
echo "|:---|---:|---:|---:|---:|---:|---:|"
sort "$work/all" | awk -F'\t' -v runs="$runs" -v least="${LEAST:-0.93}" '
	function abs(x) { return x < 0 ? -x : x }
	{ if ($1 != last) { out(); last = $1; n = hit = bias = pm = far = whole = 0 }
		n++; hit += $2; bias += $3; pm += $4; far += abs($3); whole += $5; pooled += $2; all++ }
	function out() {
		if (n) printf "| %s | %.1f | %d | %.1f %% | %.2f | %+.2f | %.2f |\n", last, whole / n, n, 100 * hit / n, pm / n, bias / n, far / n }
	END { out(); printf "| all | | %d | %.1f %% | | | |\n", all, all ? 100 * pooled / all : 0; exit !(all >= 4 * runs && pooled >= least * all && pooled <= (runs < 100 ? 1 : 0.985) * all) }'
