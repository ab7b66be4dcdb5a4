# smartprof compare on profiles of real runs: verdicts, gates, formats, bad input.
load helpers

# runs DIRECTORY N SECONDS: so many profiles of a program that computes that long, and none of an earlier try.
runs() {
	rm -rf "$1"
	SMARTPROF_DIR=$WORK/$1 SMARTPROF_ENV=ci timeout -k 5 "$PATIENCE" "$SMARTPROF" run --repeat "$2" -- \
		"$TARGETS/cpu_truth" "$3" >/dev/null
}

@test "run --repeat leaves a profile a run and ends like the first that failed" {
	runs a 3 0.1
	[ "$(find a/ci -name 'cpu_truth.*.md' | wc -l)" -eq 3 ]
	status_of 7 "$SMARTPROF" run --repeat 2 -- sh -c 'exit 7'
	status_of 2 "$SMARTPROF" run --repeat 0 -- true
	status_of 2 "$SMARTPROF" run --repeat 2 --output x.md -- true 2>err
	grep -q 'every run would write x.md' err
}

@test "a program that costs twice as much as before fails, the other way round it does not" {
	runs a 6 0.3
	runs b 6 0.9
	status_of 1 "$SMARTPROF" compare a/ci b/ci >report.md
	grep -q '^\*\*Verdict:\*\* Regression: cpu_truth, 6 baseline and 6 current runs; CPU time +' report.md
	grep -qE '^\*\*Score:\*\* Score [0-9.]+ of 100, grade [B-F]' report.md
	section '## Regressions' report.md | grep -q '| self time | .* | confirmed | '
	grep -q 'One side ran wholly before the other' report.md
	status_of 0 "$SMARTPROF" compare b/ci a/ci --fail-on-regression 20 --output better.md >out
	[ ! -s out ]
	grep -q 'Score 100.0 of 100, grade A' better.md
	status_of 1 "$SMARTPROF" compare --max-cpu 0.001 --format text --baseline b/ci --current a/ci >out
	grep -q 'CPU time: .* is above the limit of 1.0 ms' out
}

@test "what waits longer names the lock, who waits for it and what its holder does" {
	for i in 1 2 3 4 5 6 7; do # in turns
		SMARTPROF_DIR=$WORK/a profiled "$TARGETS/convoy" 30 >out
		SMARTPROF_DIR=$WORK/b profiled "$TARGETS/convoy" 110 >out
	done
	status_of 1 "$SMARTPROF" compare a/development b/development >report.md
	section '## Reasons' report.md
	section '## Reasons' report.md | grep -qE 'Threads wait more.*s ± [0-9.]+, waiting for g_log, mostly in add_line → pthread_mutex_lock \([0-9.]+ s, then [0-9.]+ s\); its holder is mostly flush_log in nanosleep\.$'
}

@test "too few runs are a warning; strict makes them a failure" {
	runs a 2 0.2
	files=(a/ci/cpu_truth.*.md)
	status_of 0 "$SMARTPROF" compare --format text "${files[@]}" >out 2>err
	grep -q 'Not enough evidence' out
	grep -q 'Run 6 a side' out
	grep -q 'warning: the evidence is not sufficient, which fails only with --strict: CPU time may have' err
	[ "$(wc -l <err)" -eq 1 ]
	status_of 3 "$SMARTPROF" compare --strict "${files[@]}" >out 2>err
	grep -q 'warning: the evidence is not sufficient: CPU time may have' err
	cp "${files[0]}" copy.md
	status_of 0 "$SMARTPROF" compare --strict --format json "${files[0]}" copy.md >out 2>err
	[ ! -s err ]
	python3 -c 'import json; c = json.load(open("out")); assert (c["score"], c["grade"], c["verdict"]) == (100, "A", "pass"), c'
	status_of 0 "$SMARTPROF" compare --max-cpu 1000 "${files[@]}" >out
}

@test "runs that failed are no evidence" {
	runs a 6 0.1
	SMARTPROF_ENV=ci SMARTPROF_DIR=$WORK/b "$SMARTPROF" run --repeat 6 -- /usr/bin/python3 -c \
		'sum(i * i for i in range(1000000)); raise SystemExit(3)' || true
	status_of 0 "$SMARTPROF" compare --format text b/ci b/ci >out 2>err
	grep -q '6 of 6 baseline and 6 of 6 current runs failed (.*: exit 3)' out
	grep -q 'warning: the evidence is not sufficient, which fails only with --strict: 6 of 6' err
	status_of 3 "$SMARTPROF" compare --strict b/ci b/ci >out 2>err
	status_of 0 "$SMARTPROF" compare --strict a/ci a/ci >out 2>err
}

@test "json and github say the same, and a job summary is added to" {
	runs a 2 0.2
	files=(a/ci/cpu_truth.*.md)
	status_of 0 "$SMARTPROF" compare --format json "${files[@]}" >out.json
	python3 - "$ROOT/docs/COMPARE.md" <<-'END'
		import json, re, sys
		j = json.load(open("out.json"))
		assert j["schema"] == "smartprof-compare/1" and j["verdict"] == "unknown" and j["score"] == 100
		assert [t["metric"] for t in j["totals"]] == ["cpu", "peak", "allocated", "wall", "in_use", "allocations",
			"blocked", "run_queue"]
		assert j["rows"] and len(j["baseline"]) == len(j["current"]) == 1
		documented = set(re.findall(r"`(\w+)(?:\[\])?`", open(sys.argv[1]).read()))
		keys = {key for part in [j, *j["totals"], *j["rows"]] for key in part}
		assert documented >= keys, keys - documented
	END
	echo before >summary
	GITHUB_STEP_SUMMARY=summary status_of 0 "$SMARTPROF" compare --format github "${files[@]}" >out
	grep -q '^::warning title=smartprof compare::Not enough evidence' out
	[ "$(head -n 1 summary)" = before ]
	grep -q '^# Comparison of cpu' summary
	cmark-gfm -e table summary | grep -q '<th>Total</th>\|>Total<'
}

@test "calibrated noise narrows what one run against one can say" {
	runs a 2 0.2
	SMARTPROF_DIR=$WORK/a SMARTPROF_ENV=ci "$SMARTPROF" compare --calibrate --runs 3 -- "$TARGETS/cpu_truth" 0.2 >out
	grep -q 'cpu_truth.noise.json: from 3 runs' out
	[ -s a/ci/cpu_truth.noise.json ]
	"$SMARTPROF" compare --format json a/ci/cpu_truth.*.md >out.json || true
	grep -q '"calibrated_runs": 3' out.json
	status_of 1 "$SMARTPROF" compare --calibrate --runs 3 -- false 2>err
	grep -q 'ended with status 1' err
	status_of 2 "$SMARTPROF" compare --calibrate
}

@test "what cannot be read is named, each on a line, and nothing is compared" {
	runs a 1 0.1
	good=$(echo a/ci/cpu_truth.*.md)
	head -c 3000 "$good" >cut.md
	echo '# Hello' >foreign.md
	status_of 2 "$SMARTPROF" compare --baseline "$good" cut.md --current foreign.md missing.md 2>err >out
	[ ! -s out ]
	grep -q 'cut.md: line [0-9]*: it ends before its complete part does' err
	grep -q 'foreign.md: line 1: it does not start with the front matter' err
	grep -q 'missing.md: No such file' err
	[ "$(wc -l <err)" -eq 3 ]
	status_of 2 "$SMARTPROF" compare "$good"
	mkdir empty
	status_of 2 "$SMARTPROF" compare empty "$good"
	status_of 2 "$SMARTPROF" compare --fail-below 101 "$good" "$good"
	status_of 2 "$SMARTPROF" compare --format xml "$good" "$good"
	status_of 2 "$SMARTPROF" compare "$good" "$good" "$good"
	sed 's/^program: .*/program: other/' "$good" >other.md
	status_of 2 "$SMARTPROF" compare --baseline "$good" other.md --current "$good" 2>err
	grep -q 'are of several programs' err
	rm cut.md # every other profile must be whole
}

# refused FILE WHAT: one line about it, exit status 2, nothing compared.
refused() {
	status_of 2 "$SMARTPROF" compare "$good" "$1" 2>err >out
	[ ! -s out ]
	[ "$(wc -l <err)" -eq 1 ]
	grep -q "$1: $2" err || fail "$(cat err)"
}

@test "edited, foreign, endless and huge inputs are refused in one line that tells where" {
	runs a 1 0.1
	good=$(echo a/ci/cpu_truth.*.md)
	first=$(($(grep -n '^self_user_ns' "$good" | head -n 1 | cut -d: -f1) + 1))
	mkdir bad
	sed "${first}s/^[0-9]*/x/" "$good" >bad/edited
	refused bad/edited "line $first: a row of All functions is damaged"
	sed "${first}d" "$good" >bad/missing
	refused bad/missing "line [0-9]*: its complete part is not complete"
	sed 's/^## All functions (.*/## All functions (99999999)/' "$good" >bad/rows
	refused bad/rows "line $((first - 4)): it has more rows than any profile"
	sed 's/^schema: .*/schema: smartprof\/2/' "$good" >bad/version
	refused bad/version "line 2: its schema is of another version"
	for figure in nan inf -3 1,5; do
		sed "s/^cpu_user_seconds: .*/cpu_user_seconds: $figure/" "$good" >bad/figure
		refused bad/figure "line [0-9]*: its front matter has a figure that is not a number"
	done
	head -c 100000 "$SMARTPROF" >bad/binary
	refused bad/binary 'line 1: '
	: >bad/empty
	refused bad/empty 'line 1: '
	truncate -s 5G bad/huge
	refused bad/huge 'it is larger than 64 MB'
	refused /dev/zero 'it is not a regular file'
	mkfifo bad/fifo
	refused bad/fifo 'it is not a regular file'
	cut=$(grep -n -m 1 '^<details>$' "$good" | cut -d: -f1)
	{ head -n $((cut - 1)) "$good"; head -c 30M /dev/zero | tr '\0' '\n'; tail -n +"$cut" "$good"; } >large.md
	mkdir parts
	for i in $(seq 6); do ln large.md "parts/part$i.md"; done
	status_of 2 "$SMARTPROF" compare --baseline parts --current "$good" 2>err
	grep -q 'part5.md: with it, .* larger than 128 MB together' err
	sed -i 's/^tree_role: .*/tree_role: member/' large.md
	grep -q '^tree_role: member' large.md
	for i in $(seq 6); do ln -f large.md "parts/part$i.md"; done
	cp "$good" parts/root.md
	status_of 0 "$SMARTPROF" compare --baseline parts --current "$good" >out 2>err # children count for nothing
	rm -r parts large.md
	printf '{"schema": "smartprof-noise/1",\n "runs": }' >a/ci/cpu_truth.noise.json
	status_of 2 "$SMARTPROF" compare "$good" "$good" 2>err >out
	grep -q 'cpu_truth.noise.json: line 2: it is not JSON' err
	rm a/ci/cpu_truth.noise.json
	mkfifo a/ci/cpu_truth.noise.json
	status_of 2 "$SMARTPROF" compare "$good" "$good" 2>err >out
	grep -q 'cpu_truth.noise.json: it is not a regular file' err
	rm -r bad
}

# bomb FILE: of that profile, with 64 million frames in 100 kB: rows that share all but nothing with the one before.
bomb() {
	awk '/^## All CPU stacks/ {
			print "## All CPU stacks (3200)\n\n```tsv\nuser_ns\tsys_ns\tsamples\tshared\tframes"
			printf "1\t0\t1\t0\t0"
			for (i = 1; i < 20000; i++) printf " 0"
			print ""
			for (i = 1; i < 3200; i++) print i "\t0\t1\t20000\t"
			skip = 2
		}
		/^```/ && skip { skip-- }
		!skip' "$1"
}

# mistaken PATTERN ARGUMENTS…: compare says what is wrong in one line, and ends with status 2.
mistaken() {
	local pattern=$1
	shift
	status_of 2 "$SMARTPROF" compare "$@" >out 2>err
	[ "$(wc -l <err)" -eq 1 ] && grep -qE "$pattern" err || fail "$*: $(cat err)"
}

@test "a mistake gets one line that says what to do" {
	runs a 1 0.1
	good=$(echo a/ci/cpu_truth.*.md)
	mkdir empty
	mistaken 'no baseline profile; see smartprof compare --help'
	mistaken 'no current profile' "$good"
	mistaken "'': No such file.*; give it profiles or directories of profiles" '' "$good"
	mistaken 'empty: there are no profiles in it; give it' empty "$good"
	"$SMARTPROF" compare a "$good" >out # its only environment is meant
	cp -r a/ci a/development
	mistaken 'a: there are no profiles in it; did you mean a/ci\?' a "$good"
	mistaken 'it is not clear which side it is on; use --baseline' -- "$good" "$good" "$good"
	mistaken "'90%' is not valid; allowed: 0 to 100" --fail-below 90% "$good" "$good"
	mistaken "'ten' is not valid; allowed: a percentage such as 10" --fail-on-regression ten "$good" "$good"
	mistaken "'3m' is not valid; allowed: seconds such as 2.5" --max-cpu 3m "$good" "$good"
	mistaken 'allowed: a size such as 300MB' --max-peak -5 "$good" "$good"
	mistaken "unknown format 'pdf'; there are markdown, text, json, github and html" --format pdf "$good" "$good"
	mistaken "did you mean 'json'" --format jsn "$good" "$good"
	mistaken "did you mean '--strict'" --strct "$good" "$good"
	mistaken 'runs: only --calibrate runs anything' --runs 5 "$good" "$good"
	mistaken 'no program given; name it behind --: ' --calibrate "$good"
	mistaken 'the report is not complete' --output empty "$good" "$good"
	status_of 0 "$SMARTPROF" compare --fail-on-regression 10% --max-cpu 30s -- "$good" "$good" >out
}

@test "hundreds of runs against one, in either order, are compared in little memory" {
	runs a 2 0.1
	files=(a/ci/cpu_truth.*.md)
	mkdir many
	local sides
	for i in $(seq 899); do ln "${files[0]}" "many/$i.md"; done
	for sides in "many ${files[1]}" "${files[1]} many"; do
		# shellcheck disable=SC2086 # words
		(ulimit -v 1000000 && timeout -k 5 "$PATIENCE" "$SMARTPROF" compare --format text $sides >out 2>err) ||
			[ $? -eq 1 ] # two runs on a busy machine may differ
		grep -qE 'cpu_truth, (899 baseline and 1|1 baseline and 899) current runs' out
	done
}

@test "input that takes too much memory or time is unreadable, which is no regression" {
	runs a 1 0.1
	good=$(echo a/ci/cpu_truth.*.md)
	bomb "$good" >bomb
	at_least 200000 "$(wc -c <bomb)"
	status_of 2 "$SMARTPROF" compare --baseline bomb bomb bomb --current "$good" 2>err
	grep -q "bomb: with it, the stacks of a side's profiles are larger" err
	[ "$(wc -l <err)" -eq 1 ]
	(ulimit -v 250000; status_of 2 "$SMARTPROF" compare bomb "$good" 2>err)
	grep -q 'smartprof: out of memory, .*; the input is damaged' err
	# The limit counts from the process's start: most of it is used up when it becomes the command.
	(ulimit -S -t 1; status_of 2 /usr/bin/python3 -S -c 'if True:
		import os, sys, time
		while time.process_time() < 0.85: pass
		os.execv(sys.argv[1], sys.argv[1:])' "$SMARTPROF" compare bomb bomb 2>err)
	grep -q 'more than two minutes of CPU time' err
	(ulimit -v 250000; status_of 2 "$SMARTPROF" report --format json bomb 2>err)
}

@test "a calibration that runs out of memory leaves nothing in /tmp" {
	runs a 1 0.1
	bomb "$(echo a/ci/cpu_truth.*.md)" >bomb
	cat >spoils <<-'END'
		#!/bin/sh
		dirname "$SMARTPROF_OUTPUT" >place
		[ ! -e "$(cat place)/0.md" ] || cp bomb "$(cat place)/0.md"
		exec "$TARGETS/cpu_truth" 0.1
	END
	chmod +x spoils
	export TARGETS
	(ulimit -v 250000; status_of 2 "$SMARTPROF" compare --calibrate --runs 3 -- ./spoils 2>err >out)
	grep -q 'out of memory' err
	[ -s place ]
	[ ! -e "$(cat place)" ]
}

# made NAME FLAG…: a program of which the flags rename functions or move their cost.
made() {
	local name=$1
	shift
	rm -rf "$name"
	mkdir -p "$name"
	cat >"$name/made.c" <<-'END'
		__attribute__((noipa)) long spin(long n) { long x = n; while (n-- > 0) x = x * 3 + n; return x; }
		__attribute__((noipa)) long PARSE(long n) { long x = n; while (n-- > 0) x = x * 5 + n; return x + spin(9); }
		__attribute__((noipa)) long lex(long n) { long x = n; while (n-- > 0) x = x * 7 + n; return x + spin(9); }
		__attribute__((noipa)) long work(long n) { return PARSE(n * P) + lex(n * L) + spin(n); }
		int main(void) { long x = 0; for (int i = 0; i < 600; i++) x += work(60000); return x == 42; }
	END
	gcc -g -O2 "$@" -o "$name/made" "$name/made.c"
}

@test "renames and cost shifts are found by callers and callees" {
	BATS_TEST_RETRIES=${SP_RETRIES:-3}
	export SMARTPROF_ENV=ci
	made old -DPARSE=parse -DP=4 -DL=2
	made renamed -DPARSE=read_words -DP=4 -DL=2
	made moved -DPARSE=parse -DP=2 -DL=4
	# By turns: what else the machine does meets all alike. That two means differ is said by chance, too: once in 20 times, and
	# in four tries once in 160,000.
	for round in 1 2 3 4 5 6; do
		for name in old renamed moved; do
			SMARTPROF_DIR=$WORK/$name timeout -k 5 "$PATIENCE" "$SMARTPROF" run -- "$name/made"
		done
	done
	"$SMARTPROF" compare --baseline old/ci --current renamed/ci --format json >renamed.json || true
	"$SMARTPROF" compare --baseline old/ci --current moved/ci --format json >moved.json || true
	python3 - <<-'END'
		import json
		rows = {r["function"]: r for r in json.load(open("renamed.json"))["rows"] if r["metric"] == "cpu"}
		assert rows["read_words"]["presence"] == "renamed" and rows["read_words"]["was"] == "parse", rows
		assert "parse" not in rows
		rows = {r["function"]: r for r in json.load(open("moved.json"))["rows"] if r["metric"] == "cpu"}
		assert rows["lex"]["state"] == rows["parse"]["state"] == "shift", rows
		assert rows["lex"]["within"] == "work", rows
	END
}

# numbered NAME VERSION FLAGS…: a library of that build, with a lambda more or less, and the program beside it.
numbered() {
	local name=$1 library=libwork.so.$2
	shift 2
	mkdir -p "build-$name"
	cat >"build-$name/work.cc" <<-'END'
		#include <functional>
		static volatile unsigned long sink;
		static unsigned long spin(unsigned long n, unsigned long factor)
		{
			unsigned long x = 1;
			for (unsigned long i = 0; i < n; i++)
				sink = x = x * factor + i;
			return x;
		}
		namespace { __attribute__((noinline)) unsigned long MIX(unsigned long n) { return spin(n, 7) + 1; } }
		__attribute__((noinline)) static unsigned long run(const std::function<unsigned long(unsigned long)> &f, unsigned long n)
		{
			return f(n) + 1;
		}
		unsigned long work(unsigned long n)
		{
			unsigned long sum = 0;
		#ifdef MORE
			sum += run([](unsigned long k) { return sink = k; }, 1);
		#endif
			sum += run([](unsigned long k) { return spin(k, 3); }, n);
			sum += run([&](unsigned long k) { return MIX(k); }, 2 * n);
			return sum;
		}
	END
	echo 'unsigned long work(unsigned long); int main() { return work(30000000) == 0; }' >main.cc
	(cd "build-$name" && g++ -g -O1 -fPIC -shared "$@" work.cc "-Wl,-soname,$library" -o "$library" &&
		g++ -g ../main.cc -o app "./$library" -Wl,-rpath,"$PWD")
	SMARTPROF_ENV=ci SMARTPROF_DIR=$WORK/$name "$SMARTPROF" run --no-inlines --repeat 6 -- "build-$name/app"
}

@test "one lambda more, another directory, library version and name are no regression" {
	numbered old 1.2 -DMIX=mix_rows
	numbered new 1.3 -DMIX=blend_rows -DMORE
	status_of 0 "$SMARTPROF" compare --baseline old/ci --current new/ci --format json >out.json 2>err
	python3 - <<-'END'
		import json
		rows = [r for r in json.load(open("out.json"))["rows"] if r["metric"] == "cpu"]
		large = [r for r in rows if max(r["baseline_share"], r["current_share"]) > 0.05]
		assert len(large) >= 2 and all(r["presence"] in ("renamed", "both") for r in large), large
		assert any("blend_rows" in r["function"] and "mix_rows" in r["was"] for r in large), large
		assert not any(r["state"] == "regression" for r in large), large
	END
}
