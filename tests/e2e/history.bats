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
	[ "$(rows "SELECT count(*) FROM function f JOIN text t ON t.id=f.name WHERE f.self>0 AND t.text LIKE 'spin%'")" -gt 0 ] ||
		fail "$(rows "SELECT t.text, f.self FROM function f JOIN text t ON t.id=f.name")"
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

@test "all work trees of a repository have one history, a submodule its own; what hooks name does not count" {
	unset SMARTPROF_HISTORY
	export GIT_CONFIG_GLOBAL=$WORK/gitconfig
	git config --global user.email a@example.org && git config --global user.name A
	git config --global protocol.file.allow always
	git init -q tree && git -C tree commit -q --allow-empty -m one
	git -C tree worktree add -q ../second
	git init -q --separate-git-dir=apart.git apart && git -C apart commit -q --allow-empty -m one
	git -C apart worktree add -q ../apart2
	git clone -q --bare tree bare.git && git -C bare.git worktree add -q ../of-bare && git -C bare.git worktree add -q ../of-bare2
	git -C tree submodule --quiet add "$WORK/bare.git" sub && git -C tree/sub worktree add -q "$WORK/of-sub"
	runs_in() { (cd "$1" && "$SMARTPROF" list --json --limit 100 | python3 -c 'import json, sys; print(len(json.load(sys.stdin)))'); }
	for where in tree second apart apart2 of-bare of-bare2 tree/sub of-sub; do
		(cd $where && mkdir -p below && cd below && "$SMARTPROF" monitor -- true >/dev/null)
	done
	for where in tree second apart apart2 of-bare of-bare2 tree/sub of-sub; do
		[ "$(runs_in $where)" = 2 ] || fail "$where: $(runs_in $where)"
	done
	for place in tree apart.git bare.git tree/sub; do
		[ -e $place/.smartprof/history.db ] || fail "$place"
	done
	[ "$(find . -name history.db | wc -l)" = 4 ]
	[ -z "$(git -C second status --porcelain)" ]
	# The history of a hook's repository is not that of a repository that the hook goes to, nor are its commits.
	git -C second commit -q --allow-empty -m two
	(cd second && GIT_DIR=$WORK/apart.git "$SMARTPROF" monitor -- true >/dev/null)
	[ "$(runs_in tree)" = 3 ]
	[ "$(rows "SELECT text FROM run r JOIN text t ON t.id=r.commit_id ORDER BY number DESC LIMIT 1" tree/.smartprof/history.db)" = "$(git -C second rev-parse HEAD)" ]
	# A work tree that has a history of its own goes on with it.
	mkdir second/.smartprof && (cd second && SMARTPROF_HISTORY=$PWD/.smartprof/history.db "$SMARTPROF" monitor -- true >/dev/null)
	[ "$(runs_in second)" = 1 ]
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
	[ "$(rows "SELECT count(*) FROM total t JOIN metric m ON m.id=t.metric WHERE m.name='peak_rss_bytes' AND t.value>1e6")" -ge 3 ]
}

@test "clean tells what would go, then removes it; verify reads all" {
	keep monitor --runs 4 -- true
	rows "UPDATE run SET started_ns=started_ns/86400000000000*86400000000000+number-86400000000000*CASE number WHEN 1 THEN 41 WHEN 4 THEN 1 ELSE 40 END"
	keep "$SMARTPROF" history clean --dry-run >said
	grep -q '^would remove 1 runs .* 3 runs stay$' said
	[ "$(rows 'SELECT count(*) FROM run')" = 4 ]
	keep "$SMARTPROF" history clean >said
	grep -q '^removed 1 runs' said
	[ "$(rows 'SELECT count(*) FROM run')" = 3 ]
	keep "$SMARTPROF" history verify >said
	grep -q '^3 runs, .* 0 damaged' said
}

@test "the first run of a day sweeps the history" {
	keep monitor --runs 4 -- true
	rows "UPDATE run SET started_ns=started_ns-40*86400000000000+number"
	keep monitor -- true
	[ "$(rows 'SELECT count(*) FROM run')" = 5 ] # by the runs that were there it is not yet old: the clock may be wrong
	rows "UPDATE run SET started_ns=started_ns-86400000000000 WHERE number=5"
	keep monitor -- true
	[ "$(rows 'SELECT count(*) FROM run')" = 3 ]
	keep monitor -- true
	[ "$(rows 'SELECT count(*) FROM run')" = 4 ]
}

@test "a run of a time to come, kept while the clock was wrong, is not the latest" {
	keep monitor -- false && false
	rows "UPDATE run SET started_ns=started_ns+10000*86400000000000"
	keep monitor -- true
	keep "$SMARTPROF" history show latest --json >shown
	python3 -c 'import json; run = json.load(open("shown")); assert "ok" in json.dumps(run) and "failed" not in json.dumps(run)'
}

@test "whether files differ from the commit is kept" {
	git init -q tree
	cd tree
	echo 1 >file
	git add file
	git -c user.name=a -c user.email=a@b commit -qm one
	keep monitor -- true
	echo 2 >file
	keep monitor -- true
	[ "$(rows 'SELECT group_concat(dirty) FROM run')" = 0,1 ]
}

@test "a damaged profile is found by verify, which fails" {
	keep monitor --profile -- "$TARGETS/cpu_truth" 0.2
	blob=$(find h.db.blobs -name '*.z' | head -n 1)
	printf x | dd of="$blob" bs=1 seek=100 conv=notrunc 2>/dev/null
	status=0
	keep "$SMARTPROF" history verify >said 2>&1 || status=$?
	[ "$status" -eq 1 ]
	grep -q "${blob##*/}.* is damaged" said
}

@test "an archive brings all of it to another history, once; what is none is refused" {
	keep monitor --profile -- "$TARGETS/cpu_truth" 0.2
	keep monitor -- true
	keep "$SMARTPROF" history note latest 'kept'
	for form in zst gz; do
		keep "$SMARTPROF" history archive "a.tar.$form" >/dev/null
		SMARTPROF_HISTORY=$WORK/$form.db "$SMARTPROF" history import "a.tar.$form" >said
		[ "$(cat said)" = '2 runs, 2 of them new' ]
		SMARTPROF_HISTORY=$WORK/$form.db "$SMARTPROF" history import "a.tar.$form" >said
		[ "$(cat said)" = '2 runs, 0 of them new' ]
		SMARTPROF_HISTORY=$WORK/$form.db "$SMARTPROF" history verify >/dev/null
		[ "$(rows 'SELECT count(*) FROM run WHERE note="kept"' $form.db)" = 1 ]
	done
	mkdir -p evil && echo x >evil/x && tar -czf evil.tar.gz -P evil/../evil/x
	head -c 300 a.tar.gz >cut.tar.gz
	for bad in evil.tar.gz cut.tar.gz h.db missing.tar.gz; do
		status=0
		SMARTPROF_HISTORY=$WORK/none.db "$SMARTPROF" history import "$bad" >/dev/null 2>said || status=$?
		[ "$status" -eq 1 ]
		[ "$(grep -c '^smartprof: history import: ' said)" = 1 ]
	done
	[ ! -e none.db ]
	[ -z "$(ls -d "${TMPDIR:-/tmp}"/smartprof-history.?????? 2>/dev/null)" ]
}

@test "what a killed archive or import has left goes with the next, and nothing else does" {
	export TMPDIR=$WORK/tmp
	mkdir tmp backups tmp/smartprof-history.killed tmp/smartprof-history.locked tmp/smartprof-history.of-others
	keep monitor -- true
	touch tmp/smartprof-history.killed/history.db tmp/smartprof-history.locked/history.db
	for name in monday.tar.zst.123.new friday.tar.gz.4.new locked.tar.gz.5.new of-others.tar.gz.new mine.123.new; do
		echo part >backups/$name
	done
	exec 8<backups/locked.tar.gz.5.new 9<tmp/smartprof-history.locked
	flock 8 && flock 9
	keep "$SMARTPROF" history archive backups/tuesday.tar.zst >/dev/null
	[ "$(ls backups | paste -sd' ')" = 'locked.tar.gz.5.new mine.123.new of-others.tar.gz.new tuesday.tar.zst' ]
	[ "$(ls tmp | paste -sd' ')" = 'smartprof-history.locked smartprof-history.of-others' ]
	exec 8<&- 9<&-
	SMARTPROF_HISTORY=$WORK/other.db "$SMARTPROF" history import backups/tuesday.tar.zst >/dev/null
	[ "$(ls tmp)" = smartprof-history.of-others ]
	# Killed (by SIGSYS) when all is written and nothing is in its place.
	status_of 159 keep "$TARGETS/deny" rename=kill "$SMARTPROF" history archive backups/wednesday.tar.gz >/dev/null
	[ "$(ls backups | grep -c '^wednesday\.tar\.gz\.[0-9]*\.new$')" -eq 1 ]
	[ "$(ls tmp | wc -l)" -eq 2 ]
	keep "$SMARTPROF" history archive backups/thursday.tar.gz >/dev/null
	[ "$(ls backups | paste -sd' ')" = 'mine.123.new of-others.tar.gz.new thursday.tar.gz tuesday.tar.zst' ]
	[ "$(ls tmp)" = smartprof-history.of-others ]
}

@test "export as JSON lines and CSV" {
	keep monitor --runs 2 -- printf '=1,"2"'
	keep "$SMARTPROF" history tag latest nightly
	keep "$SMARTPROF" history export >runs.jsonl
	python3 -c 'import json
runs = [json.loads(line) for line in open("runs.jsonl")]
assert len(runs) == 2 and runs[0]["started_ns"] < runs[1]["started_ns"]
assert runs[1]["tags"] == ["nightly"] and runs[0]["metrics"]["wall_ns"]["value"] > 0
assert runs[0]["state"] == "ok" and runs[0]["machine"]["class"]'
	keep "$SMARTPROF" history export --csv >runs.csv
	python3 -c 'import csv
rows = list(csv.DictReader(open("runs.csv", newline="")))
assert len(rows) == 2 and float(rows[0]["wall_ns"]) > 0 and rows[0]["program"] == "printf"
assert rows[1]["tags"] == "nightly"'
}

@test "a lost profile is told of by archive and import, and everything else is kept" {
	keep monitor --profile -- "$TARGETS/cpu_truth" 0.2
	keep monitor -- true
	find h.db.blobs -name '*.z' | head -n 1 | xargs rm
	status_of 1 keep "$SMARTPROF" history archive a.tar.gz >said 2>err
	grep -q '^a.tar.gz: the history and ' said
	[ "$(cat err)" = 'smartprof: history archive: a.tar.gz: 1 profiles or logs are missing or damaged in it; all else is there' ]
	SMARTPROF_HISTORY=$WORK/new.db status_of 1 "$SMARTPROF" history import a.tar.gz >said 2>err
	[ "$(cat said)" = '2 runs, 2 of them new' ]
	[ "$(wc -l <err)" -eq 1 ]
	[ "$(rows 'SELECT count(*) FROM run' new.db)" = 2 ]
	SMARTPROF_HISTORY=$WORK/new.db status_of 1 "$SMARTPROF" history verify >said 2>err
	grep -q ' 1 damaged' said
}

# adder: adds runs until it is killed.
adder() {
	while :; do keep "$SMARTPROF" monitor --runs 5 --profile -- "$TARGETS/cpu_truth" 0.03 >/dev/null 2>&1; done
}

@test "two add at once, one is killed again and again: what is there is whole" {
	local kills i pid other
	kills=$(long 20 200)
	adder & other=$!
	for ((i = 0; i < kills; i++)); do
		SMARTPROF_HISTORY=$WORK/h.db "$SMARTPROF" monitor --runs 50 -- true >/dev/null 2>&1 & pid=$!
		sleep "0.$((RANDOM % 15 + 5))"
		kill -9 "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	kill "$other" && wait "$other" 2>/dev/null || true
	sleep 1
	keep "$SMARTPROF" history verify >said
	grep -q ' 0 damaged' said
	# Every run that is there has all of its figures.
	[ "$(rows "SELECT count(*) FROM run WHERE number NOT IN (SELECT run FROM total t JOIN metric m ON m.id=t.metric WHERE m.name='wall_ns')")" = 0 ]
	[ "$(rows 'SELECT count(*) FROM run')" -gt 20 ]
}

# on DIRECTORY SIZE: a file system of that size, or the test is skipped.
on() {
	mkdir "$1"
	mount -t tmpfs -o "size=$2" none "$1" 2>/dev/null || skip "no file system can be mounted here"
}

@test "a full disk: one line, the program's status; what was kept is there when there is room again" {
	on full 300k
	status=0
	SMARTPROF_HISTORY=$WORK/full/h.db "$SMARTPROF" monitor --runs 60 -- sh -c 'exit 5' >/dev/null 2>said || status=$?
	before=$(rows 'SELECT count(*) FROM run' full/h.db)
	mount -o remount,size=10m full
	SMARTPROF_HISTORY=$WORK/full/h.db "$SMARTPROF" history verify >verified || true
	after=$(rows 'SELECT count(*) FROM run' full/h.db)
	umount full
	cat said verified
	[ "$status" -eq 5 ]
	[ "$(grep -c '^smartprof: ' said)" = 1 ] && grep -q 'disk is full' said
	[ "$before" -gt 0 ] && [ "$after" = "$before" ]
	grep -q ' 0 damaged' verified
}

@test "a history in a place that is read-only can be read; a run is not kept, which is said" {
	on frozen 10m
	SMARTPROF_HISTORY=$WORK/frozen/h.db monitor -- true
	mount -o remount,ro frozen
	list=0 status=0
	SMARTPROF_HISTORY=$WORK/frozen/h.db "$SMARTPROF" history list >list.out 2>&1 || list=$?
	SMARTPROF_HISTORY=$WORK/frozen/h.db "$SMARTPROF" monitor -- sh -c 'exit 6' >/dev/null 2>said || status=$?
	umount frozen
	cat list.out said
	[ "$list" -eq 0 ] && grep -q true list.out
	[ "$status" -eq 6 ]
	[ "$(grep -c '^smartprof: ' said)" = 1 ]
}

@test "a history of an older version in a place that is read-only can be read, and stays as it is" {
	on frozen 10m
	for version in 1 2; do
		sqlite3 frozen/h.db <"$ROOT/tests/fixtures/history/v$version.sql" >/dev/null
		rows 'PRAGMA journal_mode=WAL' frozen/h.db
		chmod 600 frozen/h.db
		mount -o remount,ro frozen
		list=0
		SMARTPROF_HISTORY=$WORK/frozen/h.db "$SMARTPROF" history list >list.out 2>&1 || list=$?
		mount -o remount,rw frozen
		kept=$(rows 'PRAGMA user_version' frozen/h.db)
		rm frozen/h.db*
		{ [ "$list" -eq 0 ] && [ "$kept" -eq "$version" ] && grep -q prog list.out; } || break
	done
	umount frozen
	cat list.out
	[ "$list" -eq 0 ] && [ "$kept" -eq 2 ]
}
