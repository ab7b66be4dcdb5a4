# smartprof top: on a terminal (tmux), with -b and with --json.
load helpers

eval "$(declare -f teardown | sed '1s/teardown/shared_teardown/')"
teardown() {
	if [ -n "${TMUX_SOCKET-}" ]; then tmux -S "$TMUX_SOCKET" kill-server 2>/dev/null || true; fi
	for job in "${JOBS[@]}"; do
		kill -9 "$job" 2>/dev/null || true
		rm -f "/dev/shm/smartprof-$EUID/$job."*
	done
	shared_teardown
}

JOBS=()

# worker SECONDS: a python3 of two threads, one of which leaks. Its number in PID.
worker() {
	cat >worker.py <<-'PY'
		import os, sys, threading, time
		kept = []
		def leak():
		    while True:
		        kept.append(bytearray(20000))
		        time.sleep(0.002)
		def work():
		    return sum(i * i for i in range(20000))
		threading.Thread(target=leak, daemon=True).start()
		end = time.time() + float(sys.argv[1])
		while time.time() < end and not os.path.exists("enough"):
		    work()
	PY
	LD_PRELOAD=$AGENT timeout -k 5 "$PATIENCE" python3 worker.py "$1" &
	JOBS+=("$!")
	await_pid python3
}

await_pid() {
	await_spool "$1"
	JOBS+=("$PID")
}

# screen COLUMNS LINES COMMAND…: a terminal in which that runs.
screen() {
	local columns=$1 lines=$2
	shift 2
	TMUX_SOCKET=$WORK/tmux
	LC_ALL=${LC_ALL-C.UTF-8} tmux -S "$TMUX_SOCKET" -f /dev/null new-session -d -s top -x "$columns" -y "$lines" \
		"exec env PS1='ready> ' bash --norc"
	tmux -S "$TMUX_SOCKET" set-option -g status off
	tmux -S "$TMUX_SOCKET" send-keys -t top "$*" Enter
}
keys() {
	tmux -S "$TMUX_SOCKET" send-keys -t top "$@"
}
shown() {
	tmux -S "$TMUX_SOCKET" capture-pane -p -t top "$@"
}
# await REGEX…: until each is on the screen; what is there then is in ./screen.
await() {
	local i text
	for ((i = 0; i < 200; i++)); do
		shown >screen
		for text; do grep -qE -e "$text" screen || break; done
		if grep -qE -e "$text" screen && [ "$text" = "${!#}" ]; then return; fi
		sleep 0.1
	done
	fail "not shown: $text
$(cat screen)"
}

@test "the screen: views, sorting, filter, help, pause, reset, at 80x24" {
	worker 60
	screen 80 24 "$SMARTPROF" top -d 0.3 "$PID"
	await "python3 \($PID\) running" '[0-9]\.[0-9] +±[0-9]' '_PyEval_EvalFrameDefault$' '1:Self%'
	[ "$(LC_ALL=C.UTF-8 wc -L <screen)" -le 80 ]
	keys h
	await '1:Growth/s' 'PyByteArray_Resize'
	keys 4
	keys t
	await '1:CPU%' "python3 $PID"
	keys L
	await 'ceval.c:[0-9]+ _PyEval' '1:Self%'
	keys l
	await ' _PyEval_EvalFrameDefault$'
	keys 4
	sleep 0.5
	shown >screen
	sed -nE '5,23s/.* ([0-9.]+) ±[0-9.]+ +[^0-9± ].*/\1/p' screen >order
	at_least "$(wc -l <order)" 10
	sort -rnc order || fail "not in order: $(cat screen)"
	keys / 'long[A-Z]' BSpace x
	await '^/long\[A-Zx_'
	keys BSpace ']' Enter
	await '/long\[A-Z\]$' 'Function'
	[ "$(grep -c ' _*[Pp]y' screen)" -eq 0 ]
	keys / '(' Enter
	await 'that is not a regular expression'
	keys / Enter
	await '_PyEval_EvalFrameDefault'
	keys '?'
	await 'draw everything again' '± is half of the 95 % interval'
	keys Space
	keys p
	await 'paused'
	before=$(shown)
	sleep 0.8
	[ "$before" = "$(shown)" ]
	keys r
	await 'window 0\.0 s'
	keys p
	await 'window ([1-9]|0\.[1-9])'
	refuse grep paused screen
	keys C-z
	await 'Stopped'
	keys fg Enter
	await 'running .*window [1-9]'
	keys q
	await 'ready> *$'
	kill -0 "$PID"
}

@test "the screen is drawn anew while its size changes, and places are shown where there is room" {
	worker 60
	screen 200 60 "$SMARTPROF" top -d 0.3 "$PID"
	await '_PyEval_EvalFrameDefault +.*ceval.c:[0-9]+, ' '1:Self%'
	[ "$(wc -l <screen)" -eq 60 ]
	for size in '80 24' '30 6' '12 3' '200 60' '1 1' '69 20' '120 40'; do
		tmux -S "$TMUX_SOCKET" resize-window -t top -x "${size% *}" -y "${size#* }"
		sleep 0.15
	done
	await '1:Self% .*4:Total s' 'EvalFrameDefault'
	[ "$(wc -l <screen)" -eq 40 ]
	tmux -S "$TMUX_SOCKET" resize-window -t top -x 60 -y 10
	await '1:Self%' 'EvalFrameDefault'
	refuse grep '4:Total s' screen
	keys Down Down NPage Home q
	await 'ready> *$'
}

@test "in 60x15, as over a small connection: keys, and all of the help" {
	worker 60
	screen 60 15 "$SMARTPROF" top -d 0.3 "$PID"
	await '1:Self%' 'EvalFrameDefault' '^F L T H S W .*1-4 sort .*[?] q *$' '^python3[^ ]* [(][0-9]+[)] running   [0-9.]+ .*cores *$' \
		'^(last .*   )?RSS .*   heap .*   allocates .*/s *$'
	keys '?'
	await '  F L T H   functions, lines' 'Down'
	for _ in {1..20}; do keys Down; done
	await 'waits all the time' 'Down'
	refuse grep -q 'F L T H   functions' screen
	refuse grep -q '…' screen
	keys Home
	await '  F L T H   functions, lines'
	keys Space
	await '1:Self%' 'EvalFrameDefault'
	keys q
	await 'ready> *$'
}

@test "what is not known yet is grey, and a terminal without these characters gets others" {
	worker 60
	LC_ALL=C screen 100 30 "env LC_ALL=C $SMARTPROF" top -d 0.3 "$PID"
	await '[0-9] \+-[0-9]' '_PyEval'
	refuse grep '±' screen
	# The last rows are of one or two samples: grey by attribute or colour. The first is known well.
	for ((i = 0; i < 100; i++)); do
		shown -e >colours
		if grep -qE '^ *[0-9.]+ +\+-.*_PyEval_EvalFrameDefault' colours; then break; fi
		sleep 0.1
	done
	grep -qE '^ *[0-9.]+ +\+-.*_PyEval_EvalFrameDefault' colours || fail "$(cat colours)"
	grep -E $'\x1b\\[(2|90|38;5;8)m' colours | tail -n 1 | grep -q '+-'
	keys q
}

@test "spans and waits: on the screen, with -b and --json, and as exact as in the profile" {
	LD_PRELOAD=$AGENT timeout -k 5 "$PATIENCE" "$TARGETS/spans" requests_for_long >/dev/null &
	JOBS+=("$!")
	await_pid spans
	LC_ALL=C screen 100 30 "env LC_ALL=C $SMARTPROF" top -d 0.3 "$PID"
	await '4:Total s' 'S spans W waits'
	keys s
	await '1:Count/s .*4:p99' 'request > kind=get > parse' '[0-9]ms \+-'
	keys 2
	await '2:CPU%'
	keys / '^job' Enter
	await '/\^job' '  job'
	refuse grep -q request screen
	keys / Enter
	keys w
	await '1:Wait%' 'nothing of that happened'
	keys q
	await 'ready> *$'
	kill -STOP "$PID"
	"$SMARTPROF" top --json -n 1 -d 0.2 "$PID" >stopped.json
	"$SMARTPROF" top -b -n 1 -d 0.2 "$PID" >stopped
	"$SMARTPROF" report --output stopped.md "$PID"
	[ "$(grep -c '  Span$' stopped)" -eq 1 ]
	refuse grep -q '  Wait$' stopped
	python3 - stopped.json stopped.md <<-'PY'
		import json, sys
		spans = {s["name"]: s for s in json.load(open(sys.argv[1]))["spans"]}
		table = open(sys.argv[2]).read().split("\n# Spans\n")[1].split("\n# ")[0]
		told = {c[1].strip(): int(c[2]) for c in (l.split("|") for l in table.splitlines()) if len(c) == 13 and c[2].strip().isdigit()}
		assert len(told) >= 8, told
		assert told == {name: s["count"] for name, s in spans.items() if s["count"]}, (told, spans)
		assert any(s["open"] and s["open_seconds"] > 0 for s in spans.values())
		assert 0.004 < spans["request › kind=get › parse"]["mean_seconds"] <= spans["request"]["p99_seconds"] * 2
	PY
	kill -CONT "$PID"

	worker 60
	keys "$SMARTPROF top -d 0.3 $PID" Enter
	await '1:Self%' 'running'
	keys w
	await '1:Wait%' '[0-9] +sleep' 'sleep: clock_nanosleep in pysleep'
	keys / '^clock_nano' Enter
	await '/\^clock_nano' 'sleep: clock_nanosleep in pysleep'
	refuse grep -qE '[0-9] +sleep *$' screen
	keys / Enter
	keys s
	await 'nothing of that happened'
	keys q
	"$SMARTPROF" top --json -n 2 -d 0.5 "$PID" >waits.json
	python3 - waits.json <<-'PY'
		import json, sys
		top = json.loads(open(sys.argv[1]).readlines()[-1])
		sleep = [w for w in top["waits"] if w["kind"] == "sleep" and "call" not in w]
		places = [w for w in top["waits"] if w.get("call") == "clock_nanosleep" and w["name"] == "pysleep"]
		assert len(places) == 1 and places[0]["count"] == 0 and places[0]["module"], top
		assert abs(places[0]["wait_seconds"] - sleep[0]["wait_seconds"]) < 3 * places[0]["wait_seconds_error"] + 0.05, top
		assert top["spans"] == [] and sleep[0]["count"] > 5, top
		assert 0.002 * sleep[0]["count"] * 0.9 < sleep[0]["wait_seconds"] < top["window_seconds"] * 1.2, top
		assert 0 < sleep[0]["wait_percent"] < 150 and sleep[0]["count_per_second"] > 5, top
	PY
}

@test "a process that is stopped or killed: the last view stays" {
	worker 60
	screen 100 24 "$SMARTPROF" top -d 0.3 "$PID"
	await '_PyEval_EvalFrameDefault'
	kill -STOP "$PID"
	await 'stopped' "kill -CONT $PID" '_PyEval_EvalFrameDefault'
	kill -CONT "$PID"
	await 'running'
	kill -9 "$PID"
	await 'died without telling' 'this is the last of it' '_PyEval_EvalFrameDefault'
	keys h
	await 'PyByteArray_Resize'
	keys q
	await 'ready> *$'

	# One that hangs shows what it did before, as does one that died.
	"$SMARTPROF" top --json "$PID" >died.json
	[ "$(wc -l <died.json)" -eq 1 ]
	python3 - died.json <<-'PY'
		import json, sys
		top = json.load(open(sys.argv[1]))
		assert top["state"] == "died" and top["window_is_whole_run"]
		assert any(f["name"] == "_PyEval_EvalFrameDefault" and f["self_seconds"] > 0 for f in top["functions"])
	PY
	worker 60
	eventually has_used 0.5 "$PID"
	kill -STOP "$PID"
	"$SMARTPROF" top -b -n 1 -d 0.2 "$PID" >hangs
	grep -q 'stopped .*all of its' hangs
	grep -q _PyEval_EvalFrameDefault hangs
	"$SMARTPROF" recover >/dev/null
}

@test "--json and -b: as often as asked for, until the process ends, and the figures add up" {
	worker 60
	eventually has_used 0.3 "$PID"
	"$SMARTPROF" top -b -n 2 -d 0.3 "$PID" >text
	[ "$(grep -c "^python3 ($PID) running" text)" -eq 2 ]
	for table in Function Line Thread 'Heap site'; do [ "$(grep -c "  $table\$" text)" -eq 2 ]; done
	three_lines() { [ "$(wc -l <lines)" -ge 3 ]; }
	: >lines
	(eventually three_lines; touch enough) &
	"$SMARTPROF" top --json -d 0.5 "$PID" >>lines
	python3 - lines <<-'PY'
		import json, sys
		lines = [json.loads(line) for line in open(sys.argv[1])]
		assert len(lines) >= 3 and [line["state"] for line in lines] == ["running"] * (len(lines) - 1) + ["ended"]
		for line in lines[:-1]:
		    shares = sum(f["self_percent"] for f in line["functions"])
		    assert len(line["functions"]) == 50 or 99 < shares < 101, shares
		    assert line["cores"] > 0.01 and line["samples"] > 0
		    assert line["interval_seconds"] > 0.45
		last = lines[-2]
		assert any(t["start"] for t in last["threads"]) and len(last["threads"]) == 2
		threads = sum(t["cpu_seconds"] for t in last["threads"])
		assert abs(threads - last["window_cpu_seconds"]) < 0.1 * threads + 0.05, (threads, last["window_cpu_seconds"])
		grown = sum(s["growth_bytes"] for s in last["heap"])
		first = lines[0]["heap_in_use_bytes"] - sum(s["growth_bytes"] for s in lines[0]["heap"])
		assert len(last["heap"]) == 50 or abs(first + grown - last["heap_in_use_bytes"]) < 0.05 * last["heap_in_use_bytes"]
		assert last["heap"][0]["name"] == "PyByteArray_Resize"
	PY
}

@test "without a process: those that are being profiled, to choose from" {
	screen 100 20 "$SMARTPROF" top
	await 'no process of yours is being profiled'
	worker 60
	first=$PID
	LD_PRELOAD=$AGENT timeout -k 5 "$PATIENCE" bash -c 'while :; do :; done' &
	JOBS+=("$!")
	await_pid bash
	"$SMARTPROF" top -b >list
	grep -q "^ *$first .*worker.py" list
	grep -q "^ *$PID .*while :" list
	"$SMARTPROF" top --json | grep -q "\"pid\":$PID"
	keys "$SMARTPROF top -d 0.3" Enter
	await 'PID .*PROGRAM' "$first" "$PID" 'Up Down choose'
	keys Down Up Down Up
	keys Enter
	await '(python3|bash) \([0-9]+\) running' '1:Self%'
	keys q
	await 'ready> *$'
}

@test "what cannot be shown says why in one line" {
	worker 60
	one_line 'use -b' "$SMARTPROF" top "$PID"
	one_line 'there is no such process' "$SMARTPROF" top -b 999999999
	one_line 'is not a time' "$SMARTPROF" top -b -d 0 "$PID"
	one_line 'is not a time' "$SMARTPROF" top -b -d 1e9 "$PID"
	one_line 'is not a number of refreshes' "$SMARTPROF" top -b -n -1 "$PID"
	one_line 'unknown flag' "$SMARTPROF" top --jsno "$PID"
	one_line 'give it one process' "$SMARTPROF" top -b "$PID" "$PID"
	screen 100 20 env TERM=nonsense "$SMARTPROF" top "$PID"
	await "type 'nonsense' \(TERM\) cannot be drawn on; use -b"
	keys "TERM=dumb $SMARTPROF top $PID" Enter
	await "type 'dumb' \(TERM\) cannot be drawn on; use -b"
	"$SMARTPROF" snapshot --name a "$PID" >/dev/null
	one_line 'it is a snapshot' "$SMARTPROF" top -b "$PID@a"
	cat "/dev/shm/smartprof-$EUID/$PID."*.spool >other.spool
	head -c 1000 other.spool >cut.spool
	one_line 'too short' "$SMARTPROF" top -b cut.spool
	printf '\001\000\000\000' | dd of=other.spool bs=1 seek=8 conv=notrunc 2>/dev/null
	one_line 'another version' "$SMARTPROF" top -b other.spool
	status_of 1 "$SMARTPROF" top -b -n 1 -d 0.1 "$PID" >/dev/full 2>said
	[ "$(wc -l <said)" -eq 1 ]
}

@test "another user's process, and one of another pid namespace, are told in one line" {
	needs_root
	setpriv --reuid=65534 --clear-groups sleep 30 &
	JOBS+=("$!")
	eventually is_running sleep "$!"
	one_line 'belongs to another user (65534)' "$SMARTPROF" top -b "$!"
	unshare --pid --fork --kill-child --mount-proc sleep 30 &
	JOBS+=("$!")
	in_there() { is_running sleep "$(pgrep -P "${JOBS[-1]}")"; }
	eventually in_there
	one_line 'another pid namespace' "$SMARTPROF" top -b "$(pgrep -P "$!")"
}

@test "a process that becomes another program" {
	LD_PRELOAD=$AGENT timeout -k 5 "$PATIENCE" python3 -c 'import os, time
while time.process_time() < 1.2: sum(range(1000))
os.execv("/bin/sleep", ["sleep", "60"])' &
	JOBS+=("$!")
	await_pid python3
	"$SMARTPROF" top --json -d 0.3 "$PID" | tail -n 1 | grep -q '"state":"exec"'
}

busy='import time
end = time.time() + 20
while time.time() < end: sum(range(1000))'

@test "a process in another pid namespace, and a number that another process has now" {
	cat >inside.sh <<-'SH'
		LD_PRELOAD=$AGENT "$TARGETS/cpu_truth" 20 >/dev/null &
		pid=$!
		until [ -e go ]; do sleep 0.05; done
		kill -9 "$pid"
		wait "$pid"
		for try in 1 2 3 4 5; do
			echo $((pid - 1)) >/proc/sys/kernel/ns_last_pid
			sleep 30 &
			[ "$!" -ne "$pid" ] || break
		done
		"$SMARTPROF" report --for 200ms "$pid" >window 2>said
		echo "$?" >status
		"$SMARTPROF" top --json "$pid" >died.json
		printf '\001\000\000\000' | dd of="$(cat go)" bs=1 seek=8 conv=notrunc 2>/dev/null
		for command in "top -b" "report --for 200ms" snapshot; do "$SMARTPROF" $command "$pid" 2>>others; done
	SH
	export AGENT SMARTPROF TARGETS
	unshare --pid --fork --kill-child --mount-proc bash inside.sh &
	JOBS+=("$!")
	for ((i = 0; i < 200; i++)); do
		if "$SMARTPROF" top -b | grep -qE '^ *[0-9] .*  cpu_truth  '; then break; fi
		sleep 0.05
	done
	spool=$(find /dev/shm/smartprof-0 -name '[0-9].*.spool' -printf '%T@ %p\n' | sort -n | tail -n 1 | cut -d' ' -f2)
	"$SMARTPROF" top --json -n 1 -d 0.5 "$spool" >json
	grep -q '"state":"running"' json
	grep -q '"functions":\[{"name":"[a-z_]*","module":"cpu_truth"' json
	echo "$spool" >go.new && mv go.new go
	wait "$!" || true
	rm -f /dev/shm/smartprof-0/[0-9].*
	[ "$(cat status)" -eq 2 ]
	[ "$(wc -l <said)" -eq 1 ]
	grep -q 'another process has this number now' said || fail "$(cat said)"
	[ ! -s window ]
	grep -q '"state":"died"' died.json
	[ "$(wc -l <others)" -eq 3 ]
	[ "$(grep -c 'another version of smartprof, whose own command can read it' others)" -eq 3 ]
}

@test "without room in /dev/shm the spool is found where it is" {
	cat >full.sh <<-'SH'
		mount -t tmpfs -o size=100k,mode=1777 none /dev/shm
		dd if=/dev/zero of=/dev/shm/filler bs=1k count=1000 2>/dev/null
		LD_PRELOAD=$AGENT timeout 30 python3 -c "$busy" &
		until compgen -G "$XDG_STATE_HOME/smartprof/spool/*.spool" >/dev/null; do sleep 0.05; done
		sleep 0.5
		"$SMARTPROF" top --json -n 1 -d 0.5 python3 >json
		"$SMARTPROF" top -b >list
		"$SMARTPROF" report --for 300ms --output window.md python3
		pid=$(pgrep -P "$!" python3)
		kill -9 "$pid"
	SH
	export AGENT SMARTPROF busy
	unshare --mount --propagation private bash full.sh
	grep -q '"state":"running"' json
	grep -q '"self_seconds":0' json
	[ "$(grep -c python3 list)" -eq 1 ]
	at_least "$(front cpu_user_seconds window.md)" 0.01
}
