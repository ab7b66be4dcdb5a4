#!/usr/bin/env bash
# How often what is said of a history is wrong: change points of simulated histories, alerts on histories of real runs, checks of real commands, and the
# releases of a real program, beside others' rules.
# Usage: gate.sh [ROUNDS]   (make bench-gate); ROUNDS of ten runs of each program are made in turns (16). TIMES=DIRECTORY keeps their times:
# those of an earlier call are used. CHECKS=N: so many histories of checks (100, which take an hour; 0: none); COMMITS=DIRECTORY: where Lua's
# releases are fetched to and built. OCCASIONS=N, PAIRS=N: at so many occasions (16) the runs of recorded checks are made, with so many pairs (60). Needs xz-utils sqlite3 python3, and for the releases gcc, patch, valgrind and a mirror of Debian's sources.
set -eu
cd "$(dirname "$0")/../.."
export PYTHONDONTWRITEBYTECODE=1
make -s build/bench/changes build/bench/judge build/smartprof
python3 tests/bench/changes.py build/bench/changes && status=0 || status=1
rounds=${1:-${ROUNDS:-16}}
work=${TIMES:-$(mktemp -d)}
[ -n "${TIMES-}" ] || trap 'rm -rf "$work"' EXIT
mkdir -p "$work"
if [ ! -e "$work/xz.times" ]; then
	seq 1 60000 >"$work/numbers"
	sql="create table t(a,b); with recursive c(x) as (select 1 union all select x+1 from c where x<60000)
		insert into t select x, hex(x*7919%1000003) from c; select count(*), sum(a) from t where b like '3%';"
	script='d = {}
for i in range(200000): d[i % 5000] = str(i)'
	for _ in $(seq "$rounds"); do
		for name in xz sqlite3 python3; do
			case $name in
			xz) command=(xz -k -c -3 "$work/numbers") ;;
			sqlite3) command=(sqlite3 :memory: "$sql") ;;
			python3) command=(/usr/bin/python3 -c "$script") ;;
			esac
			SMARTPROF_HISTORY=off build/smartprof monitor --runs 10 --output null --export-json "$work/json" -- "${command[@]}" >/dev/null
			python3 -c 'if True:
				import json, sys
				for run in json.load(open(sys.argv[1]))["results"][0]["runs"]:
					print(run["wall"], file=open(sys.argv[2] + ".times", "a"))
					print(run["user"] + run["system"], file=open(sys.argv[2] + ".cpu", "a"))' "$work/json" "$work/$name"
		done
	done
fi
for kind in times cpu; do
	printf '\n%s:\n\n' "$kind"
	python3 tests/bench/gate.py build/bench/changes "$work"/{xz,sqlite3,python3}."$kind" || status=1
done
printf '\nPlaces:\n\n'
python3 tests/bench/places.py build/bench/changes
printf '\nChecks:\n\n'
[ "${CHECKS:-100}" -eq 0 ] || python3 tests/bench/checks.py build/smartprof "$work/checks" "${CHECKS:-100}" || status=1
printf '\nRecorded checks:\n\n'
python3 tests/bench/recorded.py build/bench/judge build/smartprof "$work/recorded" "${OCCASIONS:-16}" "${PAIRS:-60}" || status=1
python3 tests/bench/commits.py build/smartprof "${COMMITS:-$work/commits}"
exit "$status"
