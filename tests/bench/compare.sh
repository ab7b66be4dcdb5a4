#!/usr/bin/env bash
# How often `smartprof compare` is wrong, on real programs. Sets of runs of one program must show nothing (exit status 1
# when more than 1 % of the comparisons do); regressions planted into xz and Lua must be found. Runs take turns.
# Usage: compare.sh [RUNS [COMPARISONS [DIRECTORY]]]: RUNS of each program; sets are drawn from them. DIRECTORY keeps the
# runs: those of an earlier call are used too. Needs xz-utils sqlite3 python3, and make-planted's.
set -eu
cd "$(dirname "$0")/../.."
runs=${1:-24}
comparisons=${2:-100}
smartprof=$PWD/build/smartprof
if [ $# -gt 2 ]; then
	mkdir -p "$3"
	work=$(realpath "$3")
else
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
fi
export SMARTPROF_ENV=ci
planted=$PWD/build/bench/planted
tests/bench/make-planted "$planted"
seq 1 2000000 >"$work/numbers"
sql="create table t(a,b); with recursive c(x) as (select 1 union all select x+1 from c where x<1500000)
	insert into t select x, hex(x*7919%1000003) from c; create index i on t(b);
	select count(*), sum(a) from t where b like '3%';"
script='d = {}
for i in range(6000000): d[i % 5000] = str(i)'
into() { # NAME COMMAND…
	local name=$1
	shift
	SMARTPROF_DIR=$work/$name "$smartprof" run -- "$@" >/dev/null
}
# The short programs run twice as often as the planted ones: false findings are the rarer thing to count.
for i in $(seq "$runs"); do
	into xz xz -k -c -3 "$work/numbers"
	into sqlite3 sqlite3 :memory: "$sql"
	into python3 /usr/bin/python3 -c "$script"
	[ $((i % 2)) -eq 0 ] || for name in plain slower leak copy; do
		into "$name" "$planted/xz/$name/src/xz/xz" -k -c --lzma2=preset=0,mf=hc4,depth=64,nice=64 "$planted/input"
	done
	[ $((i % 2)) -eq 0 ] || for name in O2 O1; do into "$name" "$planted/lua/$name/lua" "$planted/input.lua"; done
done
check() {
	python3 tests/bench/compare.py "$smartprof" "$@"
}
status=0
check aa 6 "$comparisons" "$work"/{xz,sqlite3,python3} || status=1
check aa 1 "$comparisons" "$work"/{xz,sqlite3,python3} || status=1
check found 6 "$comparisons" cpu:hc_find_func "$work"/{plain,slower} peak:lzma_lz_encoder_init "$work"/{plain,leak} \
	allocated:lz_encode "$work"/{plain,copy} cpu:luaV_mod "$work"/{O2,O1} || status=1
exit $status
