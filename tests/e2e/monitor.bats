# smartprof monitor: what it measures is true, and nothing that a command does is in its way.
load helpers

# of FILE EXPRESSION: of the first run of the first result, as Python sees it.
of() {
	python3 - "$@" <<-'PY'
		import json, sys
		whole = json.load(open(sys.argv[1]))
		result = whole["results"][0]
		run = result["runs"][0] if result["runs"] else None
		print(eval(sys.argv[2]))
	PY
}

holds() { # FILE EXPRESSION
	[ "$(of "$@")" = True ] || fail "not so: $2; $(of "$1" '{k: run[k] for k in run if k != "timeline"}')"
}

measure() {
	timeout -k 5 "$PATIENCE" "$SMARTPROF" monitor --export-json run.json "$@"
}

gone() { # PATTERN: no process of that command line is left
	local _
	for _ in {1..50}; do
		pgrep -f "$1" >/dev/null || return 0
		sleep 0.1
	done
	fail "still there: $(pgrep -fa "$1")"
}

@test "peak memory is the command's own, whoever starts it, and the tree's counts what is shared once" {
	measure -- /usr/bin/python3 -c 'b = bytearray(200 << 20); b[::4096] = b"x" * len(b[::4096])' 2>told
	holds run.json '200 << 20 < run["peak_rss_bytes"] < 240 << 20'
	python3 -c 'import subprocess, sys; b = bytearray(200 << 20); subprocess.run(sys.argv[1:], check=True)' \
		"$SMARTPROF" monitor --export-json run.json -- /bin/true 2>told
	holds run.json 'run["peak_rss_bytes"] < 4 << 20'
	printf 'int main(void) { return 0; }' >small.c
	gcc -static -o small small.c
	measure -- ./small 2>told
	holds run.json 'run["peak_rss_bytes"] < 1 << 20'
	cat >forks.py <<-'PY'
		import os, time
		shared = bytearray(100 << 20)
		shared[::4096] = b"x" * len(shared[::4096])
		children = []
		for _ in range(3):
		    pid = os.fork()
		    if pid == 0:
		        own = bytearray(20 << 20)
		        own[::4096] = b"x" * len(own[::4096])
		        time.sleep(2.5)
		        os._exit(0)
		    children.append(pid)
		for pid in children:
		    os.waitpid(pid, 0)
	PY
	measure -- /usr/bin/python3 forks.py 2>told
	holds run.json 'run["peak_tree_kind"] == "pss" and run["processes"] >= 4'
	holds run.json '150 << 20 < run["peak_tree_bytes"] < 200 << 20 and run["peak_rss_bytes"] < 150 << 20'
}

@test "CPU time is that of the whole tree, of static programs as well, and the timeline adds up" {
	measure -- "$TARGETS/cpu_truth_static" 0.3 >out 2>told
	holds run.json '0.29 < run["user"] + run["system"] < 0.4 and run["wall"] > 0.29'
	measure -- sh -c "$TARGETS/cpu_truth 0.2 & setsid $TARGETS/cpu_truth 0.2 & wait" >out 2>told
	holds run.json '0.39 < run["user"] + run["system"] < 0.55'
	holds run.json 'run["timeline"][-1][0] == run["wall"] and abs(run["timeline"][-1][1] - run["user"] - run["system"]) < 1e-6'
	holds run.json 'all(a[0] < b[0] and a[1] <= b[1] for a, b in zip(run["timeline"], run["timeline"][1:]))'
	# One that escapes and ends before it counts too.
	measure -- sh -c "(setsid sh -c '$TARGETS/cpu_truth 0.3; touch done' >/dev/null &); until [ -e done ]; do sleep 0.05; done" 2>told
	holds run.json 'run["user"] + run["system"] > 0.29 and run["state"] == "ok"'
}

@test "what it writes goes through, to files or nowhere, is counted, and holds nobody up" {
	writer='head -c 5000000 /dev/zero; head -c 777 /dev/zero >&2'
	measure -- sh -c "$writer" 2>told | wc -c >bytes
	[ "$(cat bytes)" -eq 5000000 ]
	holds run.json 'run["stdout_bytes"] == 5000000 and run["stderr_bytes"] == 777'
	measure -- sh -c "$writer" >out 2>told
	[ "$(stat -c %s out)" -eq 5000000 ]
	holds run.json 'run["stdout_bytes"] == 5000000'
	measure --output kept -- sh -c "$writer" >out
	[ "$(stat -c %s kept/0001.out kept/0001.err | paste -sd' ')" = "5000000 777" ]
	measure --output null -- sh -c 'head -c 300000000 /dev/zero' >out
	holds run.json 'run["stdout_bytes"] == 300000000'
	# A reader that goes ends the writer, as without us.
	timeout -k 5 20 "$SMARTPROF" monitor -- yes 2>told | head -n 1 >line
	[ "$(cat line)" = y ]
	grep -q 'signal 13' told
	echo 'from the outside' | measure -- cat 2>told | grep -q 'from the outside'
	printf 'again\n' >input
	measure --runs 3 --output kept -- cat <input >out
	[ "$(cat kept/000[123].out)" = "$(printf 'again\nagain\nagain')" ]
}

@test "a reader that does not read holds up neither a time limit nor a signal; one that is late gets everything" {
	mkfifo never
	exec 7<>never
	# shellcheck disable=SC2016 # for the inner shell
	"$SMARTPROF" monitor --timeout 2 -- sh -c 'echo $$ >pid; exec yes' >never 2>told 7>&- &
	monitor=$!
	eventually test -s pid
	ended() { [ ! -e "/proc/$(cat pid)" ]; }
	eventually ended
	kill -0 "$monitor"
	kill "$monitor"
	status=0; wait "$monitor" || status=$?
	exec 7>&-
	[ "$status" -eq 143 ]
	grep -q timeout told
	[ "$(measure -- head -c 3000000 /dev/zero 2>told | (sleep 0.7; wc -c))" -eq 3000000 ]
	holds run.json 'run["stdout_bytes"] == 3000000'
}

@test "what is left running can go on writing, for ever too" {
	measure -- sh -c '(sleep 0.4; echo later; sleep 0.2; echo last; echo beside >&2) & echo now' 2>told | cat >out
	[ "$(paste -sd' ' out)" = "now later last" ]
	eventually grep -q '^beside$' told
	holds run.json 'run["state"] == "left-running" and run["stdout_bytes"] == 4'
	# shellcheck disable=SC2016 # for the inner shell
	measure -- sh -c 'yes & echo $! >pid; sleep 0.1' 2>told >/dev/null
	holds run.json 'run["state"] == "left-running"'
	kill "$(cat pid)"
}

@test "a command has the umask, the directory and the closed files of who started the monitor" {
	(umask 002 && measure -- sh -c 'touch made; mkdir below' 2>told)
	[ "$(stat -c %a made below | paste -sd' ')" = '664 775' ]
	# shellcheck disable=SC2016 # for the inner shell
	measure -- sh -c 'echo x; echo $? >said' >&- 2>told
	[ "$(cat said)" -ne 0 ]
	holds run.json 'run["state"] == "ok"'
}

@test "how it ended is told, and nothing is left of what was ended" {
	status=0; measure -- sh -c 'exit 7' 2>told || status=$?
	[ "$status" -eq 7 ]
	status=0; measure -- sh -c 'kill -9 $$' 2>told || status=$?
	[ "$status" -eq 137 ]
	holds run.json 'run["state"] == "signal" and run["signal"] == 9 and run["exit_code"] is None'
	status=0; "$SMARTPROF" monitor -- no-such-program 2>told || status=$?
	[ "$status" -eq 127 ]
	# What ignores SIGTERM, and what has left the session, too.
	status=0
	measure --timeout 0.5 -- bash -c 'trap "" TERM; setsid sh -c "sleep 8123" & sleep 8124; sleep 8125' 2>told || status=$?
	[ "$status" -eq 124 ]
	holds run.json 'run["state"] == "timeout" and run["wall"] < 10'
	gone 'sleep 812[345]'
	measure -- sh -c 'setsid sleep 8126 >/dev/null 2>&1 </dev/null &' 2>told
	holds run.json 'run["state"] == "left-running" and run["left_running"] == 1 and run["left_names"].startswith("sleep (")'
	pkill -f 'sleep 8126' # it is left alone
}

@test "an interrupt ends the commands, and what was measured is shown and written" {
	for signal in INT TERM; do
		env --default-signal=INT "$SMARTPROF" monitor --export-json run.json -- sh -c 'sleep 8200 & sleep 8201' >out 2>told &
		monitor=$!
		eventually pgrep -xf 'sleep 8201' >pid
		sleep 0.3
		kill -"$signal" "$monitor"
		status=0; wait "$monitor" || status=$?
		[ "$status" -eq $((128 + $(kill -l "$signal"))) ]
		grep -q interrupted told
		holds run.json 'run["interrupted"] and run["wall"] > 0.2'
		gone 'sleep 820[01]'
	done
	# A monitor that is killed takes them along.
	"$SMARTPROF" monitor -- sleep 8202 &
	monitor=$!
	eventually pgrep -xf 'sleep 8202' >pid
	keepers=$(pgrep -P "$monitor" | tr '\n' ' ')$(pgrep -P "$(pgrep -P "$monitor")" | tr '\n' ' ')
	kill -9 "$monitor"
	gone 'sleep 8202'
	for keeper in $keepers; do eventually test ! -e "/proc/$keeper"; done
}

@test "a setuid program is measured by who has no right to look into it" {
	needs_root
	place=$(mktemp -d "$WORK/place.XXXXXX")
	open_to_all "$place"
	cp "$TARGETS/cpu_truth" "$SMARTPROF" "$ROOT/build/libsmartprof.so" "$place"
	chown root "$place/cpu_truth"
	chmod 4755 "$place/cpu_truth"
	(cd / && setpriv --reuid=65534 --regid=65534 --clear-groups "$place/smartprof" monitor --profile --export-json - \
		--output null -- "$place/cpu_truth" 0.2) >run.json.all 2>told
	grep '^{' run.json.all >run.json
	holds run.json '0.19 < run["user"] + run["system"] < 0.3 and run["state"] == "ok" and run["peak_rss_bytes"] > 0'
	rm -r "$place"
}

@test "blocks that are written to a disk are counted" {
	dd if=/dev/zero of=probe bs=1M count=1 oflag=direct 2>/dev/null && [ "$(stat -f -c %T .)" != tmpfs ] ||
		skip "no disk that can be written to directly"
	measure -- dd if=/dev/zero of=file bs=1M count=16 oflag=direct 2>told
	holds run.json '16 << 20 <= run["written_bytes"] < 20 << 20'
	measure -- dd if=file of=/dev/null bs=1M iflag=direct 2>told
	holds run.json '16 << 20 <= run["read_bytes"] < 20 << 20'
}

@test "a batch: one failing job ends no other, states, log, resuming, retries" {
	mkdir jobs
	for i in $(seq 10 39); do printf '#!/bin/sh\nexpr %d + 1\n' "$i" >"jobs/$i.sh"; done
	printf '#!/bin/sh\necho oops >&2; exit 3\n' >jobs/12.sh
	printf '#!/bin/sh\nkill -SEGV $$\n' >jobs/15.sh
	printf '#!/bin/sh\nsleep 8300\n' >jobs/18.sh
	printf '#!/bin/sh\nsetsid sleep 8301 >/dev/null 2>&1 &\n' >jobs/21.sh
	printf 'echo no interpreter named\n' >jobs/24.sh
	chmod +x jobs/*.sh
	chmod -x jobs/30.sh
	printf '#!/no/such/interpreter\n' >jobs/31.sh
	status=0; measure --batch --timeout 1 --joblog log 'jobs/*.sh' >out || status=$?
	[ "$status" -eq 1 ]
	grep -q ': 24 ok, 1 failed, 1 signal, 1 timeout, 1 left-running, 2 not-started$' out
	grep -A 1 'failed .*12.sh: exit 3' out | grep -q oops
	pkill -f 'sleep 8301'
	gone 'sleep 8300'
	[ "$(head -n 1 log)" = "$(printf 'Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand')" ]
	[ "$(awk -F'\t' 'NR > 1 && $7 == 0 && $8 == 0' log | wc -l)" -eq 25 ]
	[ "$(awk -F'\t' '$9 == "jobs/12.sh" { print $6, $7, $8 }' log)" = "0 3 0" ]
	[ "$(awk -F'\t' '$9 == "jobs/15.sh" { print $7, $8 }' log)" = "0 11" ]
	[ "$(awk -F'\t' '$9 == "jobs/18.sh" { print $7 }' log)" = -1 ]
	[ "$(of run.json 'len(whole["results"])')" -eq 30 ]
	# Again: what went well is left out, and a line that was cut off does not count.
	printf '7\t:\t1.0\t0.1\t0\t0\t0\t0\tjobs/12.s' >>log
	printf '#!/bin/sh\nexit 0\n' >jobs/12.sh
	status=0; measure --batch --timeout 1 --joblog log --resume --jobs 2 'jobs/*.sh' >out || status=$?
	[ "$status" -eq 1 ]
	grep -q ': 1 ok, 1 signal, 1 timeout, 2 not-started; 25 done before$' out
	grep -q 'not to be compared' out
	# An attempt more, and none more.
	printf '#!/bin/sh\n[ -e tried ] || { touch tried; exit 1; }\n' >flaky.sh
	printf '#!/bin/sh\nexit 1\n' >bad.sh
	chmod +x flaky.sh bad.sh
	measure --batch --retries 2 flaky.sh >out
	holds run.json 'result["exit_codes"] == [1, 0]'
	status=0; measure --batch --fail-fast bad.sh flaky.sh >out || status=$?
	[ "$status" -eq 1 ]
	grep -q ': 1 failed, 1 not-started$' out
}

@test "lines, placeholders and lists make jobs" {
	printf 'a b\n\n# no job\nc\n' >values
	measure -f values --output kept -- printf '%s|' {} x{}y >out
	[ "$(cat kept/0001.out kept/0002.out)" = 'a b|xa by|c|xcy|' ]
	printf 'echo one\necho "two three" | tr a-z A-Z\n' | measure -f - --output kept >out
	[ "$(cat kept/0001.out)" = one ] && [ "$(cat kept/0002.out)" = 'TWO THREE' ]
	measure --batch --list n=1,2 --output kept -- echo {n} {} -- values >out 2>err || true
	measure --list n=1,2 --list 'm=a,b c' --runs 1 --output kept -- echo {n}-{m} >out
	of run.json '[r["command"] for r in whole["results"]] == ["echo 1-a", "echo '"'1-b c'"'", "echo 2-a", "echo '"'2-b c'"'"]' | grep -q True
	holds run.json 'whole["results"][3]["parameters"] == {"n": "2", "m": "b c"}'
}

@test "what a shell does itself is left to one; names are taken as they are; what is no text is refused" {
	printf '%s\n' 'A=3 printenv A' 'cd / && pwd' 'cd /' 'exit 4' '! false' ': x' >lines
	status=0; measure -f lines --output kept >out || status=$?
	[ "$status" -eq 1 ]
	grep -q '^6 jobs in .*: 5 ok, 1 failed$' out
	[ "$(cat kept/0001.out kept/0002.out)" = $'3\n/' ]
	grep -q 'failed  *exit 4: exit 4' out
	for name in 'a[1].txt' 'b*c' '-x' $'new\nline' $'\xff\xfe' 'ä ö' '{}'; do echo "$name" >"./$name"; done
	echo none >a1.txt
	measure --batch --joblog log --output named './a[1].txt' './b*c' ./-x $'./new\nline' $'./\xff\xfe' './ä ö' './{}' -- cat {} >out
	cat named/*.out >all
	printf '%s\n' 'a[1].txt' 'b*c' '-x' $'new\nline' $'\xff\xfe' 'ä ö' '{}' | cmp - all
	[ "$(wc -l <log)" -eq 8 ]
	measure --batch --joblog log --resume './a[1].txt' './b*c' ./-x $'./new\nline' $'./\xff\xfe' './ä ö' './{}' -- cat {} >out
	grep -q '; 7 done before$' out
	printf 'true\0false\n' >binary
	for file in binary .; do
		status_of 2 "$SMARTPROF" monitor -f "$file" 2>err
		[ "$(wc -l <err)" -eq 1 ]
	done
}

@test "jobs at once: each is prepared, has its parameters, and is told from others by its arguments" {
	touch f1 f2 f3
	# A job ends while the next one is prepared.
	measure --batch --jobs 2 --prepare 'sleep 0.15' --list n=1,2 --joblog log 'f?' -- \
		/bin/sh -c 'sleep 0.0$2; [ "$1$2" != f22 ]' sh {} {n} >out 2>err || true
	refuse grep -q 'prepare' err
	[ "$(tail -n +2 log | cut -f 7 | sort)" = "$(printf '%s\n' 0 0 0 0 0 1)" ]
	[ "$(tail -n +2 log | cut -f 9- | sort -u | wc -l)" -eq 6 ]
	holds run.json 'whole["results"][3]["parameters"] == {"n": "2"}'
	measure --batch --list n=1,2 --joblog log --resume 'f?' -- \
		/bin/sh -c 'echo "$1$2" >>again' sh {} {n} >out 2>err
	[ "$(sort again | uniq -d)" = '' ]
}

@test "two commands in turns: the difference is found, and where there is none, none" {
	measure --runs 15 "$TARGETS/cpu_truth 0.01" "$TARGETS/cpu_truth 0.03" >out
	holds run.json '"more" in [whole["comparisons"][0][m]["answer"] for m in ("cpu", "wall")]'
	holds run.json '"less" not in [whole["comparisons"][0][m]["answer"] for m in ("cpu", "wall")]'
	holds run.json 'len(result["times"]) == len(whole["results"][1]["times"]) <= 15'
	grep -q 'time .* surely more' out
	measure --runs 20 true true >out
	holds run.json 'whole["comparisons"][0]["cpu"]["answer"] in ("undecided", "same")'
	holds run.json 'whole["comparisons"][0]["wall"]["answer"] in ("undecided", "same")'
	python3 - <<-'PY'
		import json
		keys = "command mean stddev median user system min max times memory_usage_byte exit_codes parameters".split()
		assert all(key in json.load(open("run.json"))["results"][0] for key in keys)
	PY
}

@test "with the agent the function behind a difference is named, and rendering is not in the time" {
	measure --profile --runs 2 "$TARGETS/cpu_truth 0.1" "$TARGETS/cpu_truth 0.3" >out
	grep -A 3 'behind it, of 2 and 2 profiles' out | grep -q ': +[0-9.]* ms CPU'
	grep -q 'against .*, 2 pairs:$' out
	grep -q 'CPU time  *[0-9.]* times so far: not sure; 6 more pairs would tell' out
	holds run.json 'run["profile"].endswith(".md") and run["wall"] < 0.1 + 10 * run["queue"] + 0.1'
}

@test "with the agent the lock and the span behind a difference are named, whichever command has more of it" {
	measure --profile --runs 2 "$TARGETS/convoy 10" "$TARGETS/convoy 60" >out
	grep -q '^    waits: +.* waiting for g_log.* in .* → pthread_mutex_lock (.*); its holder is mostly flush_log' out
	measure --profile --runs 2 "$TARGETS/convoy 60" "$TARGETS/convoy 10" >out
	grep -q '^    waits: -.* waiting for g_log' out
	measure --profile --runs 2 "$TARGETS/spans requests 2" "$TARGETS/spans requests 10" >out
	grep -Eq '^    span request.*parse: one takes (9|1[01])\.[0-9] ms of CPU time instead of [12]\.[0-9] ms, [a-z]*; most in spin_ms' out
	refuse grep -q '^    waits: .* waiting for g_log' out
}

@test "again every so often, a line each; the progress is for terminals alone" {
	"$SMARTPROF" monitor --every 0.5s --for 1.8s --json-log log -- true >out 2>told
	lines=$(grep -c 'exit 0' out) # what a busy machine has missed is left out
	[ "$lines" -ge 2 ]
	[ "$lines" -le 4 ]
	[ "$(wc -l <log)" -eq "$lines" ]
	refuse grep -q $'\r' told
	python3 - "$SMARTPROF" <<-'PY' >terminal
		import os, pty, sys
		os.environ["TERM"] = "xterm"
		sys.exit(os.waitstatus_to_exitcode(pty.spawn([sys.argv[1], "monitor", "--", "sleep", "0.6"])))
	PY
	grep -q $'\r.*CPU.*\033\[K' terminal
}

@test "a JSON log on a full disk: one line, the runs go on, and the status tells" {
	printf 'true\ntrue\nfalse\n' >list
	for wish in '--runs 3 -- true' '--runs 2 true false' '--batch list' '--every 0.1s --for 0.5s -- true'; do
		# shellcheck disable=SC2086
		status_of 2 "$SMARTPROF" monitor --json-log /dev/full $wish >out 2>err
		[ "$(grep -c '^smartprof: .*/dev/full: No space left on device' err)" -eq 1 ] || fail "$wish: $(cat err)"
	done
}

@test "what is wrong is said in one line" {
	for wrong in '' '--runs 0 -- true' '--runs x -- true' '--timeout never -- true' '--jobs 2 -- true' '--batch' '--resume --batch x' \
		'--for 1h -- true' '--batch no-such-file' '-f no-such-file' '--list x -- true' '--output /dev/null -- true'; do
		status=0
		# shellcheck disable=SC2086
		"$SMARTPROF" monitor $wrong >out 2>err || status=$?
		[ "$status" -eq 2 ] || fail "$wrong: $status"
		[ "$(wc -l <err)" -eq 1 ]
		grep -q '^smartprof: monitor: ' err
	done
}
