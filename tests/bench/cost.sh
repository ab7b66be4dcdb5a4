#!/usr/bin/env bash
# What profiling costs: CPU time (user + system, the median of interleaved ratios) of real programs
# without us, with the hooks alone, and in each environment. Usage: cost.sh [ROUNDS]
set -eu
cd "$(dirname "$0")/../.."
rounds=${1:-7}
agent=$PWD/build/libsmartprof.so
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export SMARTPROF_DIR=$work/profiles
seq 1 2000000 >"$work/numbers"
sql="create table t(a,b); with recursive c(x) as (select 1 union all select x+1 from c where x<300000)
	insert into t select x, hex(x*7919%1000003) from c; create index i on t(b);
	select count(*), sum(a) from t where b like '3%'; select b from t order by b desc limit 3;"
script='d = {}
for i in range(1500000): d[i % 5000] = str(i)'

run() { # VARIANT PROGRAM: prints the CPU seconds
	local preload=$agent
	case $1 in plain) preload= ;; esac
	export SMARTPROF_ENABLED=1 SMARTPROF_ENV=development
	case $1 in hooks) SMARTPROF_ENABLED=0 ;; plain) ;; *) SMARTPROF_ENV=$1 ;; esac
	TIMEFORMAT='%U %S'
	{ time case $2 in
		xz) LD_PRELOAD=$preload xz -T1 -2 -c "$work/numbers" ;;
		sqlite3) LD_PRELOAD=$preload sqlite3 :memory: "$sql" ;;
		python3) LD_PRELOAD=$preload /usr/bin/python3 -c "$script" ;;
		python3-malloc) PYTHONMALLOC=malloc LD_PRELOAD=$preload /usr/bin/python3 -c "$script" ;;
	esac >"$work/out" 2>"$work/err"; } 2>&1 | awk 'END { print $1 + $2 }'
}

median() { sort -n | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

variants='hooks development ci production critical'
echo "| program | plain, s | hooks alone | development | ci | production | critical |"
echo "|---|---:|---:|---:|---:|---:|---:|"
for program in xz sqlite3 python3 python3-malloc; do
	rm -f "$work"/ratio.*
	for _ in $(seq "$rounds"); do
		plain=$(run plain $program)
		echo "$plain" >>"$work/ratio.plain"
		for variant in $variants; do
			run "$variant" $program | awk -v p="$plain" '{ printf "%.3f\n", $1 / p }' >>"$work/ratio.$variant"
		done
	done
	printf '| %s | %s' $program "$(median <"$work/ratio.plain")"
	for variant in $variants; do printf ' | %s' "$(median <"$work/ratio.$variant")"; done
	echo ' |'
done
