# What the history says of changes: when, at which commits, by which functions; alerts and their ways; figures for others; git bisect.
load helpers

bash_setup() {
	make -C "$ROOT" --no-print-directory -s build/bench/compose_history
	export SMARTPROF_HISTORY=$PWD/h.db GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@example.org
	export GIT_COMMITTER_NAME=A GIT_COMMITTER_EMAIL=a@example.org
	git init -q .
}

commit() { # SUBJECT
	echo "$1" >>file
	git add -A . && git commit -qm "$1" && git rev-parse HEAD
}

# history FIRST SECOND [RATIO] [SECONDS]: 40 runs, so far apart, the last 15 at the second commit and slower, a third of them profiled as well.
history() {
	awk -v first="$1" -v second="$2" -v ratio="${3-1.3}" -v apart="${4-3600}" -v now="$(date +%s)" 'BEGIN {
		for (i = 0; i < 40; i++) {
			late = i >= 25; wall = 1e9 + i * 7919 % 13 * 2e6; if (late) wall *= ratio
			head = "at=" now - apart * (40 - i) " commit=" (late ? second : first) " build=" (late ? "bb" : "aa") " branch=main"
			printf "%s wall_ns=%d,1000000 user_ns=%d peak_rss_bytes=10000000\n", head, wall, wall * .9
			if (i % 3 == 0)
				printf "%s profiled=1 wall_ns=%d fn=hot_\033loop,work,%d fn=cold,work,%d fn=[smartprof],,%d fn=main,(program),%d fn=[kernel],,%d\n", head, wall,
					3e8 + (late ? ratio - 1 : 0) * 1e9 + i * 7919 % 11 * 1e6, 5e8 + i * 7919 % 7 * 1e6, 1e8 * (1 + late), 1e8 * (1 + late), 1e8 * (1 + late)
		}
	}' | "$ROOT/build/bench/compose_history" "$SMARTPROF_HISTORY"
}

@test "a change is told with its commits and the functions behind it" {
	bash_setup
	first=$(commit "the first")
	commit "harmless" >/dev/null
	second=$(commit $'slow \e[31m one')
	history "$first" "$second"
	"$SMARTPROF" history changes wall_ns >out
	grep -q 'wall_ns +[23][0-9]\.[0-9] % (.*), 1\.01 s became 1\.3[0-9] s; 25 runs before, 15 after' out
	grep -q "commits between ${first:0:12} and ${second:0:12}, 2:" out
	grep -q "${second:0:12} slow .x1b.31m one (A)" out
	refuse grep -q $'\e' out
	grep -q 'cause, by the 9 profiles before and the 5 after:' out
	grep -A1 '  cause' out | grep -q 'hot_.*loop (work): +[23][0-9][0-9]\.[0-9] ms of CPU time a run'
	refuse grep -q 'cold\|smartprof\]\|()\|((' out # not what profiling itself takes
	grep -q '^      main (program): +100\.0 ms' out
	grep -q '^      \[kernel\]: +100\.0 ms' out
	grep -qxF '    it began at this run, with 95 % confidence' out
	"$SMARTPROF" history changes wall_ns --json | python3 -c '
import json, sys
c = [c for c in json.load(sys.stdin) if c["confirmed"] and c["runs_before"] == 25][0]
assert c["place"]["runs"] == 1 and c["place"]["run_after"] == c["run_after"] and len(c["place"]["commits"]) == 2, c
assert 1.28 < c["low"] < c["ratio"] < c["high"] < 1.32 and c["p"] < .02, c
assert c["cause"][0]["module"] == "work" and c["cause"][0]["sure"] and len(c["commits"]) == 2, c'
	"$SMARTPROF" history changes --markdown | grep -q '^## work'
	# Elsewhere git does not know the commits.
	mkdir elsewhere && cd elsewhere && git init -q .
	"$SMARTPROF" history changes wall_ns | grep -q "commits between: git log ${first:0:12}..${second:0:12}"
}

@test "the functions behind a change are those of the levels beside it, however soon the next one begins" {
	bash_setup
	# Three levels within a quarter of an hour; the last one is as fast as the first, by other functions.
	awk -v now="$(date +%s)" 'BEGIN {
		for (i = 0; i < 45; i++) {
			level = int(i / 15); wall = 1e9 + i * 7919 % 13 * 2e6 + (level == 1) * 3e8
			head = "at=" now - 20 * (45 - i) " commit=c" level " build=b" level " branch=main"
			printf "%s wall_ns=%d user_ns=%d\n", head, wall, wall
			if (i % 3 == 0)
				printf "%s profiled=1 wall_ns=%d fn=first,work,%d fn=second,work,%d fn=third,work,%d\n", head, wall,
					(level == 0) * 1e9, (level == 1) * 13e8, (level == 2) * 1e9
		}
	}' | "$ROOT/build/bench/compose_history" "$SMARTPROF_HISTORY"
	"$SMARTPROF" history changes wall_ns >out
	# The series of the runs without the agent, then that of those with it.
	[ "$(grep -c 'cause, by the 5 profiles before and the 5 after:' out)" -eq 4 ]
	awk '/cause/ { n++ } n % 2' out | refuse grep -q third
	awk '/cause/ { n++ } n && n % 2 == 0' out | refuse grep -q first
	[ "$(grep -c '^      second (work): [+-]1\.30 s of CPU time a run' out)" -eq 4 ]
	"$SMARTPROF" dashboard --output page.html
	grep -oF '"causes":[["second","work","cpu_ns",0.0,1.3e9,true],["first","work","cpu_ns",1e9,0.0,true]]' page.html >causes
	grep -oF '"causes":[["second","work","cpu_ns",1.3e9,0.0,true],["third","work","cpu_ns",0.0,1e9,true]]' page.html >>causes
	[ "$(sort -u causes | wc -l)" -eq 2 ]
}

@test "a small change is told to be among some runs and their commits" {
	bash_setup
	for n in 0 1 2 3 4 5 6 7 8 9; do
		commit "number $n"
	done >commits
	# Noise of up to 24 ms; from the fifth commit on 15 ms more.
	awk -v now="$(date +%s)" '{ commit[NR - 1] = $1 } END {
		for (i = 0; i < 40; i++)
			printf "at=%d commit=%s build=b%d branch=main wall_ns=%d\n", now - 3600 * (40 - i), commit[int(i / 4)], i / 4, 1e9 + i * 7919 % 13 * 2e6 + (i >= 20) * 15e6
	}' commits | "$ROOT/build/bench/compose_history" "$SMARTPROF_HISTORY"
	"$SMARTPROF" history changes wall_ns >out
	grep -q '^    it began at one of [0-9]* runs, with 95 % confidence: after [0-9a-f]\{8\}, at [0-9a-f]\{8\} at the latest$' out
	grep -q '^    with that confidence among the [0-9]* commits of git log [0-9a-f]\{12\}\.\.[0-9a-f]\{12\}$' out
	"$SMARTPROF" history trend wall_ns >trend
	grep -qE '▲ .*, at one of [0-9]+ runs$' trend
	"$SMARTPROF" history changes wall_ns --json >changes.json
	"$SMARTPROF" history trend wall_ns --json >trend.json
	python3 - <<-'PY'
		import json
		c, = json.load(open("changes.json"))
		line, = json.load(open("trend.json"))
		ids, place = [p["id"] for p in line["points"]], c["place"]
		before, after = ids.index(place["run_before"]), ids.index(place["run_after"])
		assert place["confidence"] == 0.95 and 1 < place["runs"] == after - before < 18 and before < 20 <= after, (before, after)
		assert "number 5" in [one["subject"] for one in place["commits"]], place
		assert line["changes"][0]["place"] == {k: v for k, v in place.items() if k != "commits"}, line["changes"]
		commits = open("commits").read().split()
		assert place["commit_before"] == commits[before // 4] and place["commit_after"] == commits[after // 4], place
	PY
}

@test "the same build, the same commit and nothing at all are said" {
	bash_setup
	first=$(commit one)
	history "$first" "$first" | cat
	"$SMARTPROF" history changes wall_ns | grep -q 'what changed was not committed'
	rm h.db*
	history "$first" "$first" 1
	[ "$("$SMARTPROF" history changes)" = "No changes." ]
	status_of 0 "$SMARTPROF" history alert | grep -q 'Nothing is worse'
	status_of 2 "$SMARTPROF" history changes wall 2>&1 | grep -q "did you mean 'wall_ns'\|wall_ns"
}

@test "alerts are told by text, status, file and command, and not again within the quiet time" {
	bash_setup
	history "$(commit one)" "$(commit two)"
	cat >tell.sh <<-'SH'
		#!/bin/sh
		cat >>told
	SH
	chmod +x tell.sh
	status_of 1 "$SMARTPROF" history alert wall_ns --on-alert './tell.sh "an argument"' >out
	grep -q '^worse: work: wall_ns +[23][0-9]\.[0-9] %: 1\.3[0-9] s, usual 1\.01 s; since run [0-9a-f]\{8\}, commit' out
	python3 -c 'import json; a = [json.loads(l) for l in open("told")]; assert a[0]["kind"] == "change" and a[0]["metric"] == "wall_ns", a'
	cmp told h.db.alerts
	[ "$(stat -c %a h.db.alerts)" = 600 ]
	status_of 1 "$SMARTPROF" history alert wall_ns --on-alert ./tell.sh --brief >out
	[ ! -s out ]
	cmp told h.db.alerts
	status_of 1 "$SMARTPROF" history alert wall_ns --quiet-time 0 --file other --brief >out
	grep -q '^worse: work' out
	[ "$(wc -l <other)" -eq 2 ] # with the agent and without
	status_of 0 "$SMARTPROF" history alert wall_ns --threshold 50 --brief >out
	[ ! -s out ]
	# What fails is said, and does not hide the alert.
	status_of 1 "$SMARTPROF" history alert wall_ns --quiet-time 0 --on-alert false --file /nowhere/file 2>err
	[ "$(wc -l <err)" -eq 2 ]
	status_of 2 "$SMARTPROF" history alert --threshold 0
	status_of 2 "$SMARTPROF" history alert --quiet-time soon
	# What the file says holds unless a flag says otherwise.
	printf '[alert]\nthreshold = 50\nfile = "of-file"\nquiet_time = "0"\n' >smartprof.toml
	status_of 0 "$SMARTPROF" history alert wall_ns --brief
	status_of 1 "$SMARTPROF" history alert wall_ns --brief --threshold 10
	[ -s of-file ]
	printf '[alert]\nlimit = 50\n' >smartprof.toml
	status_of 2 "$SMARTPROF" history alert 2>err
	grep -q "'limit' is not understood" err
	rm h.db smartprof.toml
	status_of 2 "$SMARTPROF" history alert
}

@test "the runs on both sides of a change stay when old ones go" {
	bash_setup
	history "$(commit one)" "$(commit two)" 1.3 86400
	for command in changes alert; do
		cp h.db $command.db
	done
	# Both sides of the change and their neighbours are all that is left of 40 runs without the agent.
	for command in changes alert; do
		export SMARTPROF_HISTORY=$PWD/$command.db
		"$SMARTPROF" history $command wall_ns >/dev/null || [ $command = alert ]
		"$SMARTPROF" list --json --limit 100 >before
		"$SMARTPROF" history clean --days 2 >/dev/null
		"$SMARTPROF" list --json --limit 100 >after
		python3 - <<-'PY'
			import json
			def runs(name): return sorted((r for r in json.load(open(name)) if not r["profiled"]), key=lambda r: r["started_ns"])
			before, after = runs("before"), runs("after")
			ids = [r["id"] for r in after]
			assert len(before) == 40 and [i for i, r in enumerate(before) if r["id"] in ids][:4] == [23, 24, 25, 26], ids
			assert len(after) < 8, ids
		PY
	done
}

@test "figures are a line for people, and what github-action-benchmark takes" {
	bash_setup
	history "$(commit one)" "$(commit two)"
	"$SMARTPROF" history figures >out
	grep -q '^work: wall_ns 1\.3[0-9] s ± .*, peak_rss_bytes 9\.5 MiB ± 0 B (10 runs, the last [0-9a-f]\{8\})$' out
	"$SMARTPROF" history figures wall_ns --benchmark | python3 -c '
import json, sys
rows = json.load(sys.stdin)
assert rows and all(set(r) >= {"name", "unit", "value", "extra"} for r in rows), rows
assert any(r["name"] == "work: wall_ns" and r["unit"] == "s" and 1.2 < r["value"] < 1.4 and r["range"].startswith("±") for r in rows), rows'
	[ -z "$("$SMARTPROF" history figures --commit 0123456)" ]
}

# A place for temporary files that is nobody else's, and is in no commit.
work_apart() {
	export TMPDIR=$WORK/tmp
	mkdir tmp
	echo /tmp/ >.gitignore
}

@test "bisect finds the commit, skips what does not build, and leaves nothing behind" {
	bash_setup
	unset SMARTPROF_HISTORY
	work_apart
	for n in 1000 1001 1002 1003 1004 1005 1006 40000 40001; do
		printf '#!/bin/sh\ni=0\nwhile [ $i -lt %s ]; do i=$((i+1)); done\n' $n >prog
		chmod +x prog
		[ $n = 1004 ] && echo 'exit 1' >build || echo 'exit 0' >build
		eval "c$n=$(commit "n is $n")"
	done
	echo changed >>file
	status_of 0 "$SMARTPROF" history bisect user_ns --good "$c1000" --build 'sh ./build' -- ./prog >out 2>err
	grep -q "It takes more since $c40000 A: n is 40000" out
	grep -q 'does not build: skipped' err
	[ "$(git worktree list | wc -l)" -eq 1 ]
	[ "$(git branch --show-current)" = master ] || [ "$(git branch --show-current)" = main ]
	[ "$(git status --short file)" = ' M file' ]
	[ -z "$(ls "$TMPDIR")" ]
	[ -z "$(git for-each-ref refs/bisect)" ]
	status_of 1 "$SMARTPROF" history bisect user_ns --good "$c40001" --pairs 6 -- ./prog >out 2>err
	grep -q 'not surely more, so there is nothing to find' out
	status_of 2 "$SMARTPROF" history bisect --good nothing -- ./prog
	status_of 2 "$SMARTPROF" history bisect --good "$c1000" --build false -- ./prog
	status_of 2 "$SMARTPROF" history bisect voluntary_switches --good "$c1000" -- ./prog
}

# Whether the process whose number is in the file has ended, as far as it is its parent's to say so.
has_ended() {
	! grep -qs '^State:.[^ZX]' "/proc/$(cat "$1")/status"
}

@test "a bisection that is killed takes with it what it has started, and the next one removes its work trees" {
	bash_setup
	unset SMARTPROF_HISTORY
	work_apart
	for n in 1000 1001 40000; do
		printf '#!/bin/sh\ni=0\nwhile [ $i -lt %s ]; do i=$((i+1)); done\n' $n >prog
		chmod +x prog
		commit "n is $n" >/dev/null
	done
	# The commit between is built for ever.
	"$SMARTPROF" history bisect user_ns --good HEAD~2 --build "! grep -q 1001 prog || { echo \$\$ >$WORK/building; exec sleep 1000; }" -- ./prog >/dev/null 2>&1 3>&- &
	eventually test -s building
	kill -9 $!
	eventually has_ended building
	[ "$(git worktree list | wc -l)" -eq 3 ]
	status_of 2 "$SMARTPROF" history bisect --good nothing -- ./prog 2>err
	[ "$(cat err)" = 'smartprof: history bisect: no worktree of nothing can be made; is it a commit of the repository here?' ]
	[ -z "$(ls tmp)" ]
	[ "$(git worktree list | wc -l)" -eq 1 ]
}
