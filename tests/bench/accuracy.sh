#!/usr/bin/env bash
# How true a profile is, as one Markdown table; exit status 1 when a target is missed.
# Usage: accuracy.sh [RUNS]: errors of shares against known costs, and against perf record.
#        accuracy.sh coverage [RUNS [SECONDS]]: how often the true share lies inside the printed ±.
set -eu
cd "$(dirname "$0")/../.."
agent=$PWD/build/libsmartprof.so
targets=$PWD/build/targets
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export SMARTPROF_ENV=development SMARTPROF_MODE=cpu
missed=0

median() { sort -n | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

# judge WHAT FIGURE CONDITION TARGET: a row of the table; CONDITION is awk on the figure x.
judge() {
	local verdict=met
	awk -v x="$2" "BEGIN { exit !($3) }" || { verdict=missed; missed=1; }
	printf '| %s | %s | %s | %s |\n' "$1" "$2" "$4" $verdict
}

# profile DIRECTORY COMMAND…: runs it and prints the path of the newest profile of that program.
profile() {
	local directory=$1
	shift
	rm -rf "$directory"
	SMARTPROF_DIR=$directory LD_PRELOAD=$agent "$@" >/dev/null 2>&1
	find "$directory" -name "${program:-$(basename "$1")}*.md" -printf '%s %p\n' | sort -n | tail -n 1 | cut -d' ' -f2-
}

# functions FILE [total]: "name<TAB>self or total share<TAB>half-width", in percent, of each.
functions() {
	awk -F'\t' -v total="${2-}" '/^## / { on = /^## All functions/ }
		on && $1 ~ /^[0-9]+$/ { n++; name[n] = $9; all += $1 + $2
			share[n] = total ? $3 + $4 : $1 + $2; error[n] = total ? $8 : $7 }
		END { for (i = 1; i <= n; i++) printf "%s\t%.4f\t%.4f\n", name[i], 100 * share[i] / all, 100 * error[i] / all }' "$1"
}

# truth: adds the true share to the lines of cpu_truth's functions. They share what is not the
# program's start.
truth() {
	awk -F'\t' '/^work_/ { split($1, p, "_"); k[++n] = p[2]; share[n] = $2; error[n] = $3; sum += $2 }
		END { for (i = 1; i <= n; i++) print k[i], share[i], error[i], sum * k[i] / 55 }'
}
largest_error() { truth | awk '{ d = $2 - $4; if (d < 0) d = -d; if (d > m) m = d } END { print m + 0 }'; }

ground_truth() { # LABEL TARGET [VARIABLE=VALUE…]
	local label=$1 target=$2 i
	shift 2
	: >"$work/errors"
	for ((i = 0; i < runs; i++)); do
		functions "$(export "$@" && profile "$work/p" "$targets/cpu_truth" 2)" total | largest_error >>"$work/errors"
	done
	judge "largest error of ten shares, $label, 2 CPU s, median of $runs" "$(median <"$work/errors")" "x <= $target" "<= $target"
}

# A 75/25 split over threads (tests/targets/split.c).
split_threads() {
	local file i
	: >"$work/errors"
	for ((i = 0; i < runs; i++)); do
		file=$(profile "$work/p" "$targets/split" 2)
		functions "$file" total | awk -F'\t' '$1 == "three_quarters" { a = $2 } $1 == "one_quarter" { b = $2 }
			END { d = 100 * a / (a + b) - 75; print d < 0 ? -d : d }' >>"$work/errors"
	done
	judge "75/25 split over two threads, error, median of $runs" "$(median <"$work/errors")" "x <= 1" "<= 1"
}

# physical: "function<TAB>share of user time" of the profiles on standard input together. What was inlined counts where it was inlined
# into, as for perf, which knows symbols; memcpy and memmove are one code, which either may name first.
physical() {
	awk -F'\t' '/^## / { part = /^## All functions/ ? 1 : /^## All frames/ ? 2 : /^## All CPU stacks/ ? 3 : 0; n = 0 }
		part == 1 && $1 ~ /^[0-9]+$/ { row[n++] = $9; all += $1 }
		part == 2 && NF == 7 && $1 ~ /^[0-9a-f]*$/ { name[n] = $4 != "" ? row[$4] : $5 != "" ? $5 : name[n - 1]; inlined[n++] = $3 }
		part == 3 && $1 ~ /^[0-9]+$/ { at = $4 + split($5, added, " "); for (i in added) frame[$4 + i] = added[i]
			while (at > 1 && inlined[frame[at]]) at--
			sub("__memmove_", "__memcpy_", name[frame[at]]); user[name[frame[at]]] += $1 }
		END { for (f in user) printf "%s\t%.4f\n", f, 100 * user[f] / all }'
}

# against_perf NAME COMMAND…: the largest difference to perf among named functions that perf gives more
# than 2 % of user time (perf has only addresses for stripped code). The profile's system time is left
# out, as it is in perf's cpu-clock:u. Five profiles together, since the ± of one is more than the point that is asked for.
against_perf() {
	local name=$1 file i
	shift
	perf record -q -e cpu-clock:u -F 9999 -o "$work/perf.data" "$@" >/dev/null 2>&1 || { echo "| $name | perf refused | | missed |"; missed=1; return; }
	perf report -i "$work/perf.data" --stdio --no-children -g none --comm "${comm:-$name}" -F overhead,symbol 2>/dev/null |
		sed -nE 's/__memmove_/__memcpy_/; s/^ *([0-9.]+)% +\[.\] ([^ ]+).*/\2\t\1/p' >"$work/theirs"
	for i in 1 2 3 4 5; do
		file=$(program=${comm:-$name} profile "$work/p" "$@")
		cat "$file"
	done | physical >"$work/ours"
	awk -F'\t' 'NR == FNR { ours[$1] = $2; next } { all += $2; if ($2 > 2 && $1 !~ /^0x/) { d = ours[$1] - $2
		n++; if (d < 0) d = -d; if (d >= m) { m = d; which = $1 } } } END { printf "%.2f %s %d\n", m, which, n }' \
		"$work/ours" "$work/theirs" >"$work/difference"
	read -r difference which count <"$work/difference"
	judge "$name: largest difference to perf record -F 9999, $count functions above 2 % (in $which)" "$difference" "x <= 1 && $count > 0" "<= 1"
}

inputs() {
	cat >"$work/job.sql" <<-'SQL'
		create table t(a,b); with recursive c(x) as (select 1 union all select x+1 from c where x<1500000)
		insert into t select x, hex(x*7919%1000003) from c; create index i on t(b);
		select count(*), sum(a) from t where b like '3%';
	SQL
	awk 'BEGIN { for (i = 0; i < 2500; i++) printf "int g%d; int f%d(int *p, int n) { int s = g%d; for (int i = 0; i < n; i++) "\
		"{ s += p[i] * %d; if (s & 8) s ^= p[n - i - 1]; } switch (s & 7) { case 0: return s; case 3: return n; "\
		"default: return g%d++; } }\n", i, i, i, i, i }' >"$work/large.c"
	cat >"$work/job.py" <<-'PY'
		d = {}
		for i in range(6000000): d[i % 5000] = str(i)
	PY
}

coverage() {
	local i
	local seconds=${3:-2}
	for ((i = 0; i < runs; i++)); do echo "$i"; done | xargs -P 2 -I{} env SMARTPROF_DIR="$work/c{}" LD_PRELOAD="$agent" \
		"$targets/cpu_truth" "$seconds" >/dev/null
	for file in "$work"/c*/*/cpu_truth.*.md; do functions "$file" total | truth; done |
		awk '{ d = $2 - $4; if (d < 0) d = -d; n[$1]++; in_[$1] += d <= $3; width[$1] += $3 }
			END { for (k = 1; k <= 10; k++) print k, 100 * in_[k] / n[k], width[k] / n[k], n[k] }' >"$work/coverage"
	judge "true shares inside the ± of $runs runs of $seconds CPU s, pooled, %" \
		"$(awk '{ s += $2 } END { print s / NR }' "$work/coverage")" "x >= 93 && x <= 98" "93 to 98"
	while read -r k inside width count; do
		judge "work_$k, mean ± $width, $count runs" "$inside" "x >= 89 && x <= 99" "89 to 99"
	done <"$work/coverage"
}

make -s all targets
echo "| | figure | target | |"
echo "|---|---:|---:|---|"
if [ "${1-}" = coverage ]; then
	runs=${2:-200}
	coverage "$@"
else
	runs=${1:-9}
	ground_truth development 0.6 SMARTPROF_ENV=development
	ground_truth "every 4 ms" 3 SMARTPROF_ENV=production SMARTPROF_CPU_SAMPLING_INTERVAL=4ms
	split_threads
	inputs
	against_perf sqlite3 sqlite3 :memory: ".read $work/job.sql"
	against_perf python3 /usr/bin/python3 "$work/job.py"
	comm=cc1 against_perf cc1 gcc -O2 -S -o "$work/large.s" "$work/large.c"
fi
exit $missed
