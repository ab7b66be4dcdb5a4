# Baselines and the gate: whether the code changed, what fails, what is only said.
load helpers

# build NAME FLAGS…: a program `app` in a directory of its own: main → encode → mix.
build() {
	local name=$1
	shift
	mkdir -p "$name"
	gcc -O2 -g "$@" -o "$name/app" "$ROOT/tests/targets/gated.c"
}

# profiles_of NAME N ARGUMENT: so many profiles of it, in NAME/ci.
profiles_of() {
	SMARTPROF_DIR=$WORK/$1 SMARTPROF_ENV=ci timeout -k 5 "$PATIENCE" "$SMARTPROF" run --repeat "$2" -- "$WORK/$1/app" "$3" >/dev/null
}

@test "a comparison knows whether the code changed, and which functions' did" {
	build old
	build more -DMORE
	build slow -DSLOW
	mkdir again && cp old/app again
	profiles_of old 6 600000
	profiles_of again 6 1800000
	profiles_of slow 6 600000
	profiles_of more 1 600000
	status_of 1 "$SMARTPROF" compare --format text old/ci again/ci >out
	grep -q "The code did not change: both sides are build [0-9a-f]*\. What grew is the machine's or the input's\." out
	status_of 1 "$SMARTPROF" compare --format json old/ci slow/ci >out
	grep -q 'the machine code of these changed: encode\.' out
	python3 -c 'import json; c = json.load(open("out")); assert (c["code"], c["same_build"]) == ("changed", False), c'
	# what another build has at other addresses is the same code
	code() { section '## All code' "$1" | grep -E '^[0-9]+\s' | cut -f2 | sort; }
	comm -12 <(code old/ci/latest.md) <(code more/ci/latest.md) >both
	[ "$(wc -l <both)" -ge 2 ]
}

# In its .smartprof/.
keep_history() {
	export SMARTPROF_HISTORY=auto
}

# repository NAME: a git repository with the program in it, built, and a smartprof.toml for it.
repository() {
	keep_history
	mkdir "$1"
	cd "$1"
	git init -q -b main .
	git config user.email a@example.org
	git config user.name a
	cp "$ROOT/tests/targets/gated.c" app.c
	printf 'app\nprofiles/\n' >.gitignore
	cat >smartprof.toml <<-'END'
		[check]
		runs = 6
		regression = 25
		[[command]]
		name = "encode"
		run = "./app 400000"
		prepare = "test -x app"
	END
	git add -A
	git commit -qm one
	gcc -O2 -g -o app app.c
}

slow_down() {
	sed -i 's/^#ifdef SLOW/#if 1/' app.c
	gcc -O2 -g -o app app.c
	git commit -qam "${1-slower}"
}

@test "a slower commit fails with its function named, is accepted, and passes" {
	repository r
	status_of 0 "$SMARTPROF" check >out
	grep -q 'There is no baseline; smartprof baseline save' out
	"$SMARTPROF" baseline save | grep -q '^saved [0-9a-f]\{8\}$'
	status_of 0 "$SMARTPROF" check >out
	grep -q "^Baseline 'main' of .*, the newest of the commit where this branch left the main one, on this class of machines\.$" out
	! grep -qE '^  (worse|above|noise|not the code) ' out || fail "$(cat out)"
	git checkout -q -b work
	slow_down
	status_of 1 "$SMARTPROF" check --report json=check.json >out
	grep -qE '^  worse +CPU time .*; 25 % are allowed$' out
	grep -q '^  cause: mix +' out
	grep -q '^  code: the machine code of these changed: encode$' out
	grep -qE '^Fail, grade [B-F]' out
	python3 -c 'import json; c = json.load(open("check.json")); assert c["verdict"] == "fail" and c["commands"][0]["code"] == "changed", c'
	status_of 0 "$SMARTPROF" check --quick --report-only >out
	status_of 0 "$SMARTPROF" history accept latest --because 'twice as good' >out
	status_of 0 "$SMARTPROF" check >out
	grep -q 'accepted on the way to here, because: twice as good' out
	git checkout -q main # its own baseline counts
	gcc -O2 -g -o app app.c
	status_of 0 "$SMARTPROF" check --quick >out
	grep -q 'the newest of the commit where this branch left' out
}

@test "what is suspicious is decided by runs of both programs in turns" {
	repository r
	status_of 0 "$SMARTPROF" check >out
	"$SMARTPROF" baseline save >/dev/null
	# What is used stays, however old it is.
	touch -d '2 days ago' .smartprof/programs/*
	for n in {10..21}; do
		touch -d '1 day ago' .smartprof/programs/00000000000000$n
	done
	slow_down
	status_of 1 "$SMARTPROF" check --decide --format markdown >out
	[ "$(ls .smartprof/programs | wc -l)" -eq 12 ]
	grep -qE 'encode, in turns: .*CPU time \+[0-9.]+ % .*surely more.*by [0-9]+ pairs of runs in turns' out
	sed -i 's/^prepare.*/baseline_run = "true"/' smartprof.toml
	rm -r .smartprof/programs
	status_of 1 "$SMARTPROF" check --decide >out
	grep -q 'in turns: .*surely more' out
}

@test "a program that is built in the repository and is named as those are that run scripts is run in turns, too" {
	repository r
	mkdir bin && mv app bin/lua
	printf 'bin/\nprofiles/\n' >.gitignore
	sed -i 's|^run = .*|run = "bin/lua 400000"|; s|^prepare.*||; s/^runs = .*/runs = 3\ndecide_time = "1s"/' smartprof.toml
	git add -A && git commit -qm "another name"
	status_of 0 "$SMARTPROF" check >out
	"$SMARTPROF" baseline save >/dev/null
	sed -i 's/^#ifdef SLOW/#if 1/' app.c
	gcc -O2 -g -o bin/lua app.c
	git commit -qam slower
	"$SMARTPROF" check --decide >out || true
	grep -qE '^  in turns: .*; by [0-9]+ pairs of runs in turns$' out
	[ "$(git worktree list | wc -l)" -eq 1 ]
	# The copy is gone: that is said, not that the baseline's program fails.
	rm -r .smartprof/programs
	"$SMARTPROF" check --decide >out || true
	grep -qE '^  in turns: the baseline.s program is not at hand; ' out
}

@test "where the baseline's script does not find what lies outside of the repository, nothing is decided" {
	repository r
	printf 'n=0\nread -r n <../size\ni=0\nwhile [ $i -lt $((1 * n)) ]; do i=$((i + 1)); done\n' >script.sh
	echo 60000 >../size
	sed -i 's/^run = .*/run = "sh script.sh"/; s/^prepare.*//; s/^runs = .*/runs = 3/' smartprof.toml
	git add -A && git commit -qm "a script"
	"$SMARTPROF" check >out
	"$SMARTPROF" baseline save >/dev/null
	sed -i 's/1 \* n/3 * n/' script.sh
	git commit -qam slower
	"$SMARTPROF" check --decide >out || true
	grep -q '^  in turns: the baseline.s program does something else where it runs now, so nothing is decided; ' out || fail "$(cat out)"
}

# A baseline of another occasion, at which all took so many times less.
faster_once() { # TIMES
	"$SMARTPROF" baseline export main --output once.json
	python3 - "$1" <<-'END'
		import json, sys
		b = json.load(open("once.json"))
		for f in ("wall", "cpu"):
		    figure = b["commands"][0]["figures"][f]
		    figure["values"] = [v / float(sys.argv[1]) for v in figure["values"]]
		json.dump(b, open("once.json", "w"))
	END
}

@test "programs of two work trees are run in turns: the occasion is cleared, the code is not" {
	repository r
	export SMARTPROF_HISTORY=$PWD/.smartprof/history.db # of both
	status_of 0 "$SMARTPROF" check >out
	"$SMARTPROF" baseline save >/dev/null
	git worktree add -q ../work -b work
	cd ../work
	sed -i 's|^prepare.*|baseline_run = "../r/app 400000"|; s/^runs = .*/&\ndecide_time = "60s"/' smartprof.toml # it ends when it is sure
	gcc -O2 -g -DMORE -o app app.c # another build, which takes as much
	git commit -qam "the same"
	faster_once 2
	status_of 0 "$SMARTPROF" check --baseline once.json --decide --report json=check.json >out
	grep -q 'in turns: .*by [0-9]* pairs of runs in turns' out
	python3 -c '
import json
c = json.load(open("check.json"))
f = {x["figure"]: x for x in c["commands"][0]["figures"]}
assert f["cpu"]["answer"] in ("fine", "better"), c
assert .5 < f["cpu"]["ratio"] < 1.25 < f["cpu"]["allowed"] + .001, f'
	slow_down
	status_of 1 "$SMARTPROF" check --decide --baseline once.json >out
	grep -qE 'in turns: .*CPU time \+[0-9.]+ % .*surely more' out
	grep -qE '^  worse +CPU time' out
	[ "$(git worktree list | wc -l)" -eq 2 ]
}

# Twice as many that compute as there are CPUs, until the test ends.
make_busy() {
	for _ in $(seq $(($(nproc) * 2))); do
		timeout "$PATIENCE" sh -c 'while :; do :; done' &
	done
}

@test "on a busy machine nothing fails for it: what cannot be told is said, with exit status 0" {
	repository r
	sed -i 's/^regression = .*/regression = 5/' smartprof.toml
	status_of 0 "$SMARTPROF" check >out
	"$SMARTPROF" baseline save >/dev/null
	gcc -O2 -g -DMORE -o app app.c # code that changed: a growth would be its
	git commit -qam "the same" --allow-empty
	make_busy
	status_of 0 "$SMARTPROF" check --report json=check.json >out
	status_of 3 "$SMARTPROF" check --strict --report json=strict.json >out || [ "$(sed -n 's/.*"verdict": "\(.*\)",/\1/p' strict.json)" = pass ]
	# shellcheck disable=SC2046 # numbers
	kill $(jobs -p)
	python3 -c '
import json
c = json.load(open("check.json"))
f = {x["figure"]: x["answer"] for x in c["commands"][0]["figures"]}
assert f["wall"] in ("disturbed", "noise", "fine"), f
assert c["verdict"] in ("unsure", "pass") and not {"worse", "above the limit"} & set(f.values()), c'
	grep -q 'disturbed\|noise' out
}

@test "a limit on the 99th percentile of a span" {
	keep_history
	mkdir r && cd r
	cat >smartprof.toml <<-END
		[check]
		runs = 2
		[[command]]
		name = "spans"
		run = "$TARGETS/spans requests 1"
		[command.p99]
		request = "1ms"
		"request › kind=put › answer" = "60s"
	END
	status_of 1 "$SMARTPROF" check --report json=check.json >out
	grep -qE '^  above the limit p99 request .* is above the limit of 1\.0 ms' out || fail "$(cat out)"
	grep -qE '^  fine +p99 request › kind=put › answer' out || fail "$(cat out)"
	sed -i 's/^request.*/request = "60s"/' smartprof.toml
	status_of 0 "$SMARTPROF" check >out
	printf 'nobody = "1s"\n' >>smartprof.toml
	status_of 3 "$SMARTPROF" check --strict >out
	grep -q '^  not sure     p99 nobody was found in no run, so nobody looked at its limit of 1\.00* s' out || fail "$(cat out)"
}

@test "without a change of code a growth is the machine's or the input's, and fails only where that is asked for" {
	repository r
	sed -i 's/^run = .*/run = ".\/app input"/' smartprof.toml
	sed -i 's/argc > 1 ? atoi(argv\[1\])/argc > 1 ? atoi(getenv("N"))/' app.c
	gcc -O2 -g -o app app.c
	# So much more that no load explains it.
	N=100000 "$SMARTPROF" check >out
	"$SMARTPROF" baseline save >/dev/null
	N=2000000 status_of 0 "$SMARTPROF" check >out
	grep -qE '^  not the code CPU time .*; no failure: it is the same build \([0-9a-f]{12}\), so what grew is the machine.s or the input.s' out || fail "$(cat out)"
	sed -i 's/^runs = 6/&\nsame_code = "fail"/' smartprof.toml
	N=2000000 status_of 1 "$SMARTPROF" check >out
	grep -qE '^  worse +CPU time' out
}

@test "where only a table changed, nobody says that the code did not" {
	repository r
	"$SMARTPROF" check >out
	"$SMARTPROF" baseline save >/dev/null
	gcc -O2 -g -DROUNDS=400 -o app app.c
	git commit -qm "a table" --allow-empty
	status_of 1 "$SMARTPROF" check >out
	grep -qE '^  worse +CPU time' out
	grep -qxF '  code: the machine code of every function that was seen is the same, but constants or tables of the program are not' out
}

@test "programs nobody here wrote: a limit, a script that got slower, runs that fail" {
	keep_history
	mkdir r && cd r
	git init -q -b main .
	git config user.email a@example.org
	git config user.name a
	echo 'sum(i * i for i in range(200000))' >script.py
	head -c 150000 /usr/bin/git >data
	cat >smartprof.toml <<-'END'
		[check]
		runs = 6
		[[command]]
		name = "script"
		run = "python3 script.py"
		[[command]]
		name = "xz"
		run = "xz -3 -k -c data"
		cpu = "1ms"
		runs = 2
		[[command]]
		name = "sqlite"
		run = "sqlite3 :memory: 'with recursive n(i) as (select 1 union all select i + 1 from n limit 20000) select sum(i) from n'"
		runs = 2
		start = "10s"
		start_run = "sqlite3 --version"
		peak = "1GB"
	END
	printf 'profiles/\n' >.gitignore
	git add -A && git commit -qm one
	status_of 1 "$SMARTPROF" check >out
	grep -qE '^  above the limit CPU time .* is above the limit of 1\.0 ms' out
	grep -qE '^  fine +start' out
	sed -i 's/^cpu = .*/cpu = "100s"/' smartprof.toml
	git commit -qam limit
	"$SMARTPROF" check >out
	"$SMARTPROF" baseline save >/dev/null
	echo 'sum(i * i for i in range(3000000))' >script.py
	status_of 1 "$SMARTPROF" check script >out
	grep -qE '^  worse +CPU time' out
	! grep -q xz out || fail "not asked for"
	echo 'raise SystemExit(3)' >script.py
	status_of 1 "$SMARTPROF" check script >out
	grep -q 'failed (exit 3): more than allowed' out
}

@test "commands whose runs all fail are said to, and are in no baseline" {
	keep_history
	mkdir r && cd r
	git init -q -b main .
	git config user.email a@example.org
	git config user.name a
	printf '[check]\nruns = 3\nprofiled = 0\n[[command]]\nname = "good"\nrun = "true"\n[[command]]\nname = "bad"\nrun = "false"\n' >smartprof.toml
	git add -A && git commit -qm one
	status_of 1 "$SMARTPROF" check >out
	grep -qxF 'bad: 3 runs, 3 failed (exit 1): more than allowed' out
	"$SMARTPROF" baseline save >out 2>err
	[ "$(cat err)" = "smartprof: baseline: 'false' is not in it: its runs failed, all 3" ]
	[ "$("$SMARTPROF" baseline export | python3 -c 'import json, sys; print([c["command"] for c in json.load(sys.stdin)["commands"]])')" = "['true']" ]
	# Where runs may fail, nothing is known all the same.
	echo 'success = 0' >>smartprof.toml
	status_of 0 "$SMARTPROF" check bad >out
	grep -q '^Pass, with doubts, ' out
	grep -qxF 'bad: 3 runs, 3 failed (exit 1): nothing is known of it' out
	status_of 3 "$SMARTPROF" check --strict bad >out
	"$SMARTPROF" check --format markdown bad | grep -qxF -- '- bad: 3 of 3 runs failed (exit 1).'
	status_of 1 "$SMARTPROF" history accept latest --because 'it fails' 2>err
	grep -q 'failed, and so did all of this command at its commit: there is nothing to accept$' err
	"$SMARTPROF" history trend --program false >out
	grep -qxF 'No such runs with wall_ns went well.' out
	grep -q '^Commands of which no run went well are not shown: 12 runs;' out
	"$SMARTPROF" summary | grep -A2 '^Failing' | grep -q '12 .*12 .*false'
	# Some that failed are counted.
	"$SMARTPROF" monitor -- sh -c 'test -e there' >out 2>err || true
	touch there
	"$SMARTPROF" monitor --runs 2 -- sh -c 'test -e there' >out
	"$SMARTPROF" baseline save 2>err | grep -q 'test -e there.*: 1 run failed$'
	"$SMARTPROF" history trend | grep -q 'wall_ns of 2 runs (1 more did not go well), median '
}

@test "baselines are listed, shown, moved as files, and deleted" {
	repository r
	status_of 1 "$SMARTPROF" baseline save 2>err
	grep -q 'the history has no run of commit' err
	export SMARTPROF_HISTORY=$WORK/failed.db
	status_of 1 "$SMARTPROF" monitor -- false >/dev/null 2>&1
	status_of 1 "$SMARTPROF" baseline save 2>err # runs that failed tell nothing
	keep_history
	grep -q 'the history has no run of commit .* that ended well' err
	"$SMARTPROF" check >out
	"$SMARTPROF" baseline save good --because 'the first' >out
	"$SMARTPROF" baseline save >out
	[ "$("$SMARTPROF" baseline list | wc -l)" -eq 2 ]
	"$SMARTPROF" baseline list | grep -q '  1 command  good: the first$'
	"$SMARTPROF" baseline show good | grep -qE '^    cpu: [0-9.]+ (ms|s) ± .*, 6 runs$'
	"$SMARTPROF" baseline export good --output good.json
	python3 - "$ROOT/docs/CHECK.md" <<-'END'
		import json, re, sys
		b = json.load(open("good.json"))
		assert b["schema"] == "smartprof-baseline/1" and b["because"] == "the first" and len(b["commit"]) == 40
		c = b["commands"][0]
		assert len(c["figures"]["cpu"]["values"]) == 6 and len(c["profiles"]) == 1 and c["figures"]["cpu"]["error"] > 0
		documented = set(re.findall(r"`(\w+)(?:\[\])?`", open(sys.argv[1]).read()))
		keys = {k for part in [b, b["machine"], c, c["figures"]["cpu"]] for k in part}
		assert documented >= keys, keys - documented
	END
	"$SMARTPROF" baseline delete good
	status_of 1 "$SMARTPROF" baseline show good 2>err
	grep -q "There is no baseline 'good'" err
	status_of 1 "$SMARTPROF" baseline delete good 2>err
	status_of 0 "$SMARTPROF" baseline compare >out
	status_of 0 "$SMARTPROF" check --quick --baseline good.json >out
	grep -q "from the file good.json\.$" out
	"$SMARTPROF" baseline import good.json | grep -q '^imported'
	"$SMARTPROF" baseline list | grep -q ' good: the first$'
	# a machine of another class: only memory is compared
	sed -i 's/"class": "[0-9a-f]*"/"class": "0000000000000000"/' good.json
	status_of 0 "$SMARTPROF" check --quick --baseline good.json --format json >out.json
	grep -q 'another class of machines, so only memory is compared' out.json
	for text in '' '[]' '{"schema": "smartprof-baseline/1"}' '{"schema": "smartprof-baseline/2"}'; do
		echo "$text" >bad.json
		status_of 2 "$SMARTPROF" baseline import bad.json 2>err
		[ "$(wc -l <err)" -eq 1 ]
	done
}

@test "every format says the same" {
	repository r
	"$SMARTPROF" check >out
	"$SMARTPROF" baseline save >/dev/null
	printf '[[command]]\nname = "a|<&>\\"%%\\u00e9"\nrun = "./app 400000"\ncpu = "1ms"\nruns = 3\n' >smartprof.toml
	GITHUB_ACTIONS=true GITHUB_STEP_SUMMARY=$WORK/summary status_of 1 "$SMARTPROF" check --ci --report json=c.json --report junit=c.xml \
		--report openmetrics=c.txt --report markdown=c.md >out
	grep -q '^::error title=smartprof check::Fail' out
	grep -q '^::error title=smartprof check::a|<&>"%25é: CPU time' out
	cmp c.md "$WORK/summary"
	for title in '## Executive summary' '## Detailed metrics' '## Analysis' '## Technical details' '### Next steps'; do grep -qx "$title" c.md; done
	cmark-gfm -e table c.md | grep -qE '>a.{1,6}&lt;&amp;&gt;&quot;%é</td>' || fail "$(grep -n é c.md)"
	python3 - "$ROOT/docs/CHECK.md" <<-'END'
		import json, re, sys, xml.etree.ElementTree as e
		c = json.load(open("c.json"))
		s = e.parse("c.xml").getroot()[0]
		assert s.get("failures") == "1" and s[0].get("classname") == 'a|<&>"%é', s.attrib
		f = c["commands"][0]["figures"]
		assert [x["answer"] for x in f if x["figure"] == "cpu"] == ["above the limit"], f
		documented = set(re.findall(r"`(\w+)(?:\[\])?`", open(sys.argv[1]).read()))
		keys = {k for part in [c, c["commands"][0], f[0]] for k in part}
		assert documented >= keys, keys - documented
		m = open("c.txt").read()
		assert m.endswith("# EOF\n") and 'smartprof_seconds{command="a|<&>\\"%é",figure="cpu"}' in m, m
	END
}

@test "a file that is wrong is refused in one line, and init writes one that works" {
	mkdir empty && cd empty
	status_of 2 "$SMARTPROF" check 2>err
	grep -q 'there is no smartprof.toml here; smartprof check --init' err
	printf '[check]\nruns = "x"\n' >smartprof.toml
	status_of 2 "$SMARTPROF" check 2>err
	grep -q 'smartprof.toml: runs must be a whole number' err
	[ "$(wc -l <err)" -eq 1 ]
	printf '[[command]]\nrun = \n' >smartprof.toml
	status_of 2 "$SMARTPROF" check 2>err
	grep -q 'smartprof.toml: line 2: ' err
	status_of 1 "$SMARTPROF" check --init true 2>err
	grep -q 'stays as it is' err
	rm smartprof.toml
	status_of 1 "$SMARTPROF" check --init false 2>err
	grep -q "'false' fails: exit 1" err
	"$SMARTPROF" check --init 'sqlite3 --version' "sh -c 'echo \"a b\"'" >out
	grep -qE '^peak = "[0-9]{2}00*KiB"$' smartprof.toml # two figures, as people write them
	status_of 0 "$SMARTPROF" check >out
	status_of 2 "$SMARTPROF" check nobody 2>err
	grep -q "has no command 'nobody'" err
}
