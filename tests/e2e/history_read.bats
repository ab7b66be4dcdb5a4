#!/usr/bin/env bats
# Reading the history: what was planted is told, in words, as Markdown and as JSON; names that others chose are inert.
load helpers

begin() {
	export SMARTPROF_HISTORY=$WORK/h.db
}

# monitor FLAGS… -- COMMAND: its result to `out`.
monitor() {
	timeout -k 5 "$PATIENCE" "$SMARTPROF" monitor "$@" >out 2>&1
}

# json EXPRESSION COMMAND…: whether what the command writes with --json is so.
json() {
	"$SMARTPROF" "${@:2}" --json >got.json
	python3 - "$1" <<-'PY' || fail "not so: $1"
		import json, sys
		it = json.load(open("got.json"))
		sys.exit(not eval(sys.argv[1]))
	PY
}

# A program that takes as many MiB as the file `amount` says, and fails when it is to.
prepare_job() {
	cat >job.py <<-'PY'
		import os, sys
		b = b"x" * (int(open("amount").read()) << 20)
		sys.exit(os.path.exists("fail"))
	PY
	echo 20 >amount
}

@test "list, history, show, trend: what ran, and how it went" {
	begin
	prepare_job
	monitor --runs 12 -- /usr/bin/python3 job.py
	refuse grep -q '^  history ' out
	echo 40 >amount
	monitor --runs 8 -- /usr/bin/python3 job.py
	grep -q '^  history     more memory than ever: .* MiB; usually .* MiB, at most .* MiB in 12 runs before$' out
	monitor -- sh -c 'exit 3' || [ $? -eq 3 ]
	"$SMARTPROF" list >list
	[ "$(wc -l <list)" -eq 22 ]
	grep -q '^[0-9a-f]\{8\}  20[0-9-]* [0-9:]*  exit 3 .* sh -c .exit 3.$' list
	json 'len(it) == 5 and it[0]["state"] == "failed" and it[0]["exit_code"] == 3 and it[1]["peak_rss_bytes"] > 40 << 20' list --limit 5
	json '[r["runs"] for r in it] == [1, 20] and it[1]["good"] == 20 and len(it[1]["wall_ns_values"]) == 20' history
	json 'len(it) == 1 and it[0]["program"] == "python3"' history list --program 'py*'
	json 'it == []' list --program nothing --since 7d
	json 'len(it) == 21' list --since 1h --branch ''
	json 'it == []' list --until 2001-01-01
	"$SMARTPROF" history >table
	grep -q ' 20  100 % .* [▁▂▃▄▅▆▇█]\{20\}  .* MiB .* monitor  python3 job.py$' table
	"$SMARTPROF" history --markdown | grep -q '^| .* | 20 | 100 % | .* | [▁▂▃▄▅▆▇█]* |'
	"$SMARTPROF" history show latest~1 >show
	grep -q '^ended  *ok$' show
	grep -q '^peak_rss_bytes .* MiB .* MiB  *[12]\.[0-9][0-9]  *19$' show
	id=$(sed -n 's/^run  *//p' show)
	json "it['id'] == '$id' and it['kind'] == 'monitor' and any(m['metric'] == 'wall_ns' for m in it['metrics'])" history show "${id:0:6}"
	"$SMARTPROF" history trend peak_rss_bytes --run "$id" >trend
	grep -q 'python3 job.py; on machine .* peak_rss_bytes of 20 runs, median' trend
	grep -q '▲' trend
	grep -q ' MiB became .* MiB$' trend
	[ "$(grep -c '[┤│]' trend)" -eq 10 ]
	json 'len(it) == 1 and len(it[0]["points"]) == 20 and it[0]["changes"][0]["id"] == it[0]["points"][12]["id"]' \
		history trend peak_rss_bytes
	"$SMARTPROF" history trend --markdown | grep -q '^## python3 job.py'
}

@test "summary and insights: success, what takes most, what stands out, and what to type next" {
	begin
	prepare_job
	monitor --runs 10 -- /usr/bin/python3 job.py
	for amount in 11 12 13 14 15 16 17 18 19; do
		echo "$((amount * amount / 8))" >amount
		monitor -- /usr/bin/python3 job.py growing
	done
	for _ in 1 2; do
		touch fail
		refuse monitor -- /usr/bin/python3 job.py
		rm fail
		monitor --runs 2 -- /usr/bin/python3 job.py
	done
	monitor --runs 3 -- sleep 0.2
	printf 'one\ntwo\n' | monitor -f - --jobs 2 -- /usr/bin/python3 job.py
	"$SMARTPROF" summary >summary
	grep -q '^30 runs of 5 series, .*: 93.3 % went well, 2 did not$' summary
	grep -A 2 '^Failing' summary | grep -q ' 2  *16  python3 job.py$'
	grep -A 6 '^Hungriest' summary | grep -q ' MiB  *9  python3 job.py growing$'
	json 'it["runs"] == 30 and it["good"] == 28 and it["slowest"][0]["wall_ns"] >= 2e8 and it["failing"][0]["runs"] == 16' summary
	"$SMARTPROF" summary --markdown | grep -q '^## Slowest$'
	"$SMARTPROF" insights >insights
	grep -q '^  flaky: 2 of the last 16 runs failed, with others that went well between; last: exit 1; one build of the program did both$' insights
	grep -q '^    next: smartprof history show [0-9a-f]\{8\}$' insights
	grep -q '^  uses more and more memory: from .* MiB to .* MiB; over 9 runs' insights
	json '{"flaky", "growing", "waiting"} <= {f["kind"] for f in it}' insights
	json 'all(f["evidence"] and f["next"].startswith("smartprof ") for f in it)' insights
	json 'it == []' insights --program nothing
	"$SMARTPROF" insights --markdown | grep -q '^- flaky: .*; next: smartprof history show '
	# The next command works.
	eval "\"\$SMARTPROF\" $(sed -n 's/^    next: smartprof \(history show .*\)/\1/p' insights)" | grep -q '^ended  *failed, exit 1$'
	touch fail
	refuse monitor -- /usr/bin/python3 job.py growing
	grep -q '^  history     fails now: exit 1; the last run; all 9 before went well$' out
}

@test "report --run shows the profile that was kept, where there is one" {
	begin
	monitor --profile -- "$TARGETS/cpu_truth" 0.2
	rm -r "$SMARTPROF_DIR"
	"$SMARTPROF" report --run latest >report.md
	"$SMARTPROF" validate report.md || true # without its complete part
	grep -q '^## CPU\|^# CPU' report.md
	"$SMARTPROF" report --run latest --format folded | grep -q 'spin\|burn'
	"$SMARTPROF" report --run latest --brief | grep -q 'spin\|burn'
	"$SMARTPROF" history show >show
	grep -q '^CPU  *[0-9].* ms .* \(spin\|burn\)' show
	grep -q '^its profile  smartprof report --run ' show
	monitor -- true
	status=0; "$SMARTPROF" report --run latest >out 2>err || status=$?
	[ "$status" -eq 1 ]
	grep -q '^smartprof: report: run [0-9a-f]* has no profile; ' err
}

@test "names that others chose are inert everywhere" {
	begin
	name=$'ev\033[2Jil|`x`\n#<script>'
	printf '#!/bin/sh\nexit 0\n' >"$name"
	chmod +x "$name"
	monitor --runs 2 -- "./$name" $'\033]0;x\007'
	monitor -- sleep 0.2 $'0.0\x3101'
	for command in list summary insights history 'history show' 'history trend' 'list --markdown' 'history --markdown' \
		'summary --markdown' 'insights --markdown' 'history show --markdown' 'history trend --markdown' 'list --json'; do
		# shellcheck disable=SC2086
		"$SMARTPROF" $command >told
		refuse grep -q $'[\033\007]' told
		refuse grep -q '^#<script>' told
	done
	"$SMARTPROF" list --markdown | grep -qF 'ev\\x1b[2Jil\|\`x\`'
}

@test "what is wrong is said in one line" {
	begin
	for command in list summary insights history 'history show' 'history trend' 'report --run latest'; do
		status=0
		# shellcheck disable=SC2086
		"$SMARTPROF" $command >out 2>err || status=$?
		[ "$status" -ne 0 ] && [ ! -s out ] && [ "$(wc -l <err)" -eq 1 ] || fail "$command: $status $(cat out err)"
	done
	monitor -- true
	for wrong in 'list x' 'list --since never' 'list --limit 0' 'list --kind x' 'list --state x' 'history nothing' 'history show xyz' \
		'history show abcdef' 'history trend no_such' 'history trend wall_ns x' 'summary --run 0000' 'report --run latest x' \
		'report --run latest --merge' 'insights --nothing'; do
		status=0
		# shellcheck disable=SC2086
		"$SMARTPROF" $wrong >out 2>err || status=$?
		[ "$status" -ne 0 ] && [ ! -s out ] && [ "$(wc -l <err)" -eq 1 ] && grep -q '^smartprof: ' err ||
			fail "$wrong: $status $(cat out err)"
	done
	[ "$("$SMARTPROF" list --kind --complete-values 2>/dev/null | wc -l)" -le 3 ]
}

@test "sixty nights: a slow drift, one step and their sizes are told" {
	begin
	prepare_job
	nights=$(long 24 60)
	cat >night.c <<-'C'
		#include <stdlib.h>
		#include <sys/syscall.h>
		#include <time.h>
		#include <unistd.h>
		int clock_gettime(clockid_t clock, struct timespec *now)
		{
			long got = syscall(SYS_clock_gettime, clock, now);
			if (clock == CLOCK_REALTIME)
				now->tv_sec = atol(getenv("NIGHT"));
			return (int)got;
		}
	C
	gcc -shared -fPIC -o night.so night.c
	for night in $(seq 1 "$nights"); do
		mib=$((60 + night * 6 / nights + night * 5 % 4))
		[ "$night" -le $((nights * 2 / 3)) ] || mib=$((mib + 30))
		echo "$mib" >amount
		NIGHT=$(date -d "2026-09-01 02:00 UTC + $night days" +%s) LD_PRELOAD=$PWD/night.so timeout -k 5 "$PATIENCE" "$SMARTPROF" monitor -- \
			/usr/bin/python3 job.py nightly >out 2>&1
	done
	json "len(it) == $nights and 86399 < (it[0]['started_ns'] - it[1]['started_ns']) / 1e9 < 86402" list --limit 100
	"$SMARTPROF" history trend peak_rss_bytes >trend
	json "any(abs([p['id'] for p in it[0]['points']].index(c['id']) - $nights * 2 // 3) <= 1 for c in it[0]['changes'])" history trend peak_rss_bytes
	[ "$("$SMARTPROF" list --since 2026-09-10 --until 2026-09-12 --json | python3 -c 'import json, sys; print(len(json.load(sys.stdin)))')" -eq 2 ]
}
