#!/usr/bin/env bash
# What profiling costs: CPU time (user + system) of real programs in each environment over the
# hooks alone (SMARTPROF_ENABLED=0), interleaved: the median of each round's ratios, and half of
# the distance between their quartiles. Usage: cost.sh [ROUNDS [PROGRAM…]]
# Exit status 1 when a median is above the environment's budget by more than NOISE (default 1) points and
# its own spread. Needs xz-utils sqlite3 python3 redis-server redis-tools gcc libsqlite3-dev.
set -eu
cd "$(dirname "$0")/../.."
rounds=${1:-${ROUNDS:-7}}
shift || true
programs=${*:-xz sqlite3 python3 python3-malloc cc1 redis threads}
agent=$PWD/build/libsmartprof.so
targets=$PWD/build/targets
noise=${NOISE:-1}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export SMARTPROF_DIR=$work/profiles
seq 1 3500000 >"$work/numbers"
sql="create table t(a,b); with recursive c(x) as (select 1 union all select x+1 from c where x<1200000)
	insert into t select x, hex(x*7919%1000003) from c; create index i on t(b);
	select count(*), sum(a) from t where b like '3%'; select b from t order by b desc limit 3;"
script='d = {}
for i in range(6000000): d[i % 5000] = str(i)'
cat sampler/*.c sampler/*/*.c profiles/*/*.c | grep '^#include <' | sort -u >"$work/big.c"
for i in $(seq 450); do
	echo "static int f$i(int n, const char *s) { int k = n; for (int j = 0; j < n; j++) k += s[j] * $i + (k >> 3);
		switch (k % 7) { case 1: return k * $i; case 2: return k / ($i + 1); case 5: return f$i(n - 1, s + 1); } return k; }
	int g$i(const char *s) { return f$i((int)strlen(s), s) + printf(\"%d\", $i); }"
done >>"$work/big.c"
cc1=$(gcc -print-prog-name=cc1)
gcc -E -D_GNU_SOURCE -I. "$work/big.c" -o "$work/big.i"

# The server under a fixed number of requests; its own CPU time is what counts.
redis() {
	local socket=$work/redis.sock pid
	LD_PRELOAD=$1 redis-server --port 0 --unixsocket "$socket" --save '' --appendonly no --dir "$work" >/dev/null 2>&1 &
	pid=$!
	until [ -S "$socket" ] && redis-cli -s "$socket" ping >/dev/null 2>&1; do sleep 0.05; done
	redis-benchmark -s "$socket" -q -n 60000 -t set,get,lpush,lpop >/dev/null 2>&1
	redis-cli -s "$socket" info cpu | tr -d '\r' | awk -F: '/^used_cpu_(user|sys):/ { s += $2 } END { print s }' >"$work/redis.cpu"
	redis-cli -s "$socket" shutdown nosave >/dev/null 2>&1 || true
	wait $pid || true
	rm -f "$socket"
}

run() { # VARIANT PROGRAM: prints the CPU seconds
	export SMARTPROF_ENABLED=1 SMARTPROF_ENV=development
	case $1 in hooks) SMARTPROF_ENABLED=0 ;; *) SMARTPROF_ENV=$1 ;; esac
	TIMEFORMAT='%U %S'
	if [ "$2" = redis ]; then
		redis "$agent"
		cat "$work/redis.cpu"
		return
	fi
	{ time case $2 in
		xz) LD_PRELOAD=$agent xz -T1 -2 -c "$work/numbers" ;;
		sqlite3) LD_PRELOAD=$agent sqlite3 :memory: "$sql" ;;
		python3) LD_PRELOAD=$agent /usr/bin/python3 -c "$script" ;;
		python3-malloc) PYTHONMALLOC=malloc LD_PRELOAD=$agent /usr/bin/python3 -c "$script" ;;
		cc1) LD_PRELOAD=$agent "$cc1" -quiet -O2 -fpreprocessed "$work/big.i" -o /dev/null ;;
		threads) LD_PRELOAD=$agent "$targets/threads_fixed" 16 ;;
		*) echo "no such program: $2" >&2 && exit 2 ;;
	esac >"$work/out" 2>"$work/err"; } 2>&1 | awk 'END { print $1 + $2 }'
}

# Median, and half of the distance between the quartiles.
median() { sort -n | awk '{ v[NR] = $1 } function at(q) { q *= NR - 1; i = int(q); return v[i + 1] + (q - i) * (v[i + 1 + (i + 1 < NR)] - v[i + 1]) }
	END { printf "%.3f %.3f\n", at(0.5), (at(0.75) - at(0.25)) / 2 }'; }

declare -A budget=([development]=10 [ci]=5 [production]=2 [critical]=25)
variants='development ci production critical'
over=0
echo "| program | hooks, s | development | ci | production | critical |"
echo "|---|---:|---:|---:|---:|---:|"
for program in $programs; do
	rm -f "$work"/ratio.*
	for _ in $(seq "$rounds"); do
		for variant in $variants; do
			hooks=$(run hooks "$program")
			echo "$hooks" >>"$work/ratio.hooks"
			run "$variant" "$program" | awk -v h="$hooks" '{ printf "%.4f\n", $1 / h }' >>"$work/ratio.$variant"
		done
	done
	read -r seconds _ < <(median <"$work/ratio.hooks")
	printf '| %s | %s' "$program" "$seconds"
	for variant in $variants; do
		read -r ratio spread < <(median <"$work/ratio.$variant")
		printf ' | %s ± %s' "$ratio" "$spread"
		awk -v r="$ratio" -v s="$spread" -v b="${budget[$variant]}" -v n="$noise" \
			'BEGIN { exit !(r > 1 + (b + n) / 100 + s) }' && printf ' over' && over=1
	done
	echo ' |'
done
exit $over
