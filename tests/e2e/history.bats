#!/usr/bin/env bats
# What is kept of runs, where, and what becomes of it.
load helpers


# keep COMMAND…: with a history in the working directory.
keep() {
	SMARTPROF_HISTORY=$WORK/h.db "$@"
}

monitor() {
	"$SMARTPROF" monitor "$@" >monitor.out
}

rows() { # SQL
	sqlite3 "${2-$WORK/h.db}" "$1"
}

@test "monitor keeps every run with what it took, and its own exit status" {
	keep monitor --runs 3 -- true
	keep monitor -- sh -c 'exit 7' && false
	[ $? -eq 7 ]
	[ "$(rows 'SELECT count(*) FROM run')" = 4 ]
	[ "$(rows "SELECT state || exit_status FROM run ORDER BY number DESC LIMIT 1")" = failed7 ]
	[ "$(rows "SELECT count(*) FROM total t JOIN metric m ON m.id=t.metric WHERE m.name='wall_ns' AND t.value>0")" = 4 ]
}

@test "a profiled run has its profile and functions" {
	keep monitor --profile -- "$TARGETS/cpu_truth" 0.3
	[ "$(rows "SELECT count(*) FROM run WHERE profile IS NOT NULL AND build_id<>(SELECT id FROM text WHERE text='')")" = 1 ]
	[ "$(rows "SELECT count(*) FROM function f JOIN text t ON t.id=f.name WHERE f.self>0 AND t.text LIKE 'burn%'")" -gt 0 ] ||
		rows "SELECT t.text, f.self FROM function f JOIN text t ON t.id=f.name" >&2
}

@test "a git work tree has its history, which git does not see; else it is the state directory's" {
	unset SMARTPROF_HISTORY
	mkdir -p tree/below && git -C tree init -q
	(cd tree/below && "$SMARTPROF" monitor -- true >/dev/null)
	[ "$(rows 'SELECT count(*) FROM run' tree/.smartprof/history.db)" = 1 ]
	[ -z "$(git -C tree status --porcelain)" ]
	[ "$(stat -c %a tree/.smartprof tree/.smartprof/history.db | paste -sd' ')" = '700 600' ]
	"$SMARTPROF" monitor -- true >/dev/null
	[ "$(rows 'SELECT count(*) FROM run' "$XDG_STATE_HOME/smartprof/history.db")" = 1 ]
}

@test "off, and production unless asked, keep nothing" {
	unset SMARTPROF_HISTORY
	SMARTPROF_HISTORY=off "$SMARTPROF" monitor -- true >/dev/null
	SMARTPROF_ENV=production "$SMARTPROF" monitor -- true >/dev/null
	[ ! -e "$XDG_STATE_HOME/smartprof/history.db" ]
	SMARTPROF_HISTORY=auto SMARTPROF_ENV=production "$SMARTPROF" monitor -- true >/dev/null
	[ "$(rows 'SELECT count(*) FROM run' "$XDG_STATE_HOME/smartprof/history.db")" = 1 ]
}

@test "a repository's history that others prepared is not used, which is said" {
	unset SMARTPROF_HISTORY
	mkdir tree elsewhere && git -C tree init -q && ln -s ../elsewhere tree/.smartprof
	(cd tree && "$SMARTPROF" monitor -- true >/dev/null 2>../said)
	grep -q 'no directory of this user alone' said
	[ "$(grep -c '^smartprof:' said)" = 1 ]
	[ -z "$(ls elsewhere)" ]
}

@test "a history that cannot be written changes no exit status and is told of in one line" {
	echo 'this is text, no database; and it is long enough to look like one: ................................' >h.db
	keep monitor --runs 2 -- true 2>said
	[ "$(grep -c '^smartprof:' said)" = 1 ]
	grep -q '^smartprof: monitor: this run is not kept: .*damaged' said
	rm h.db && keep monitor -- true && rows 'PRAGMA user_version=99'
	keep monitor -- sh -c 'exit 3' 2>said && false
	[ $? -eq 3 ]
	grep -q 'newer smartprof' said
}

@test "notes and tags" {
	keep monitor -- true
	keep "$SMARTPROF" history note latest 'the first'
	keep "$SMARTPROF" history tag latest a b
	keep "$SMARTPROF" history tag latest -- -a
	[ "$(rows 'SELECT note FROM run')" = 'the first' ]
	[ "$(rows 'SELECT tag FROM tag')" = b ]
	status=0
	keep "$SMARTPROF" history note 123456 x 2>said || status=$?
	[ "$status" -eq 1 ]
	grep -q 'has no run 123456' said
	[ "$(keep "$SMARTPROF" history where)" = "$WORK/h.db" ]
}

@test "run keeps each of its runs with its profile, guard too; the program's exit status stays" {
	keep "$SMARTPROF" run --quiet --repeat 2 -- "$TARGETS/cpu_truth" 0.2 >/dev/null
	status=0
	keep "$SMARTPROF" run --quiet -- sh -c 'exit 4' || status=$?
	[ "$status" -eq 4 ]
	keep "$SMARTPROF" guard -- "$TARGETS/cpu_truth" 0.2 >/dev/null 2>&1
	[ "$(rows "SELECT s.kind || ' ' || s.program || ' ' || r.state || ' ' || (r.profile IS NOT NULL) FROM run r JOIN series s ON s.id=r.series" | sort |
		uniq -c | sed 's/^ *//' | paste -sd,)" = '1 guard cpu_truth ok 1,2 run cpu_truth ok 1,1 run sh failed 0' ]
	[ "$(rows "SELECT count(*) FROM total t JOIN metric m ON m.id=t.metric WHERE m.name='wall_ns' AND t.value BETWEEN 1e8 AND 6e10")" -ge 3 ]
}
