#!/usr/bin/env bash
# How often `smartprof compare` is wrong. A pool of runs of real programs: random disjoint sets of six of one program must
# show nothing (exit status 1 when more than 1 % do); regressions built into a program must be found. Runs take turns.
# Usage: compare.sh [RUNS [COMPARISONS]]. Needs xz-utils sqlite3 python3 gcc libsqlite3-dev.
set -eu
cd "$(dirname "$0")/../.."
runs=${1:-24}
comparisons=${2:-100}
smartprof=$PWD/build/smartprof
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export SMARTPROF_ENV=ci
seq 1 150000 >"$work/numbers"
sql="create table t(a,b); with recursive c(x) as (select 1 union all select x+1 from c where x<150000)
	insert into t select x, hex(x*7919%1000003) from c; create index i on t(b);
	select count(*), sum(a) from t where b like '3%';"
script='d = {}
for i in range(500000): d[i % 5000] = str(i)'
build() { # NAME FLAG…
	local name=$1
	shift
	mkdir -p "$work/bin-$name"
	gcc -g "$@" -o "$work/bin-$name/work" tests/bench/compare_work.c -lsqlite3
}
build plain -O2
build slower -O2 -DSLOWER=10
build leak -O2 -DLEAK
build copy -O2 -DCOPY
build O1 -O1
into() { # NAME COMMAND…
	local name=$1
	shift
	SMARTPROF_DIR=$work/$name "$smartprof" run -- "$@" >/dev/null
}
variants="plain slower leak copy O1"
for _ in $(seq "$runs"); do
	into xz xz -k -c -3 "$work/numbers"
	into sqlite3 sqlite3 :memory: "$sql"
	into python3 /usr/bin/python3 -c "$script"
	for name in $variants; do into "$name" "$work/bin-$name/work" "${ROWS:-100000}"; done
done
status=0
echo "A/A, 6 against 6:"
python3 tests/bench/compare.py "$smartprof" aa 6 "$comparisons" "$work"/{xz,sqlite3,python3,plain} || status=1
echo "A/A, 1 against 1:"
python3 tests/bench/compare.py "$smartprof" aa 1 "$comparisons" "$work"/{xz,sqlite3,python3,plain} || status=1
echo "True regressions, 6 against 6:"
for name in slower leak copy O1; do
	function=main
	case $name in slower | O1) function=mix ;; esac
	python3 tests/bench/compare.py "$smartprof" found 6 "$comparisons" $function "$work/plain" "$work/$name"
done
exit $status
