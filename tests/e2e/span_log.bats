# The timing log of spans: lines in files, on a terminal, in profiles and as a trace.
load helpers

STAMP='\[[0-2][0-9]:[0-5][0-9]:[0-5][0-9]\.[0-9]{3}\] \[[0-9]+/spans\] '

logged() { # FILE WHAT…
	SMARTPROF_ENV=critical SMARTPROF_SPAN_LOG=$1 profiled "$TARGETS/spans" "${@:2}"
}

# Lines of the log and of its older files, and what they say is missing.
written() { cat "$1" "$1".[0-9] 2>/dev/null | grep -vc '^==='; }
missing() { cat "$1" "$1".[0-9] 2>/dev/null | awk '/^=== [0-9]+ lines are missing/ { n += $2 } END { print n + 0 }'; }

@test "a line for each span and checkpoint, indented, and no text of the program's makes another" {
	[ "$(logged log.txt log)" = "no child" ]
	head -n 1 log.txt | grep -Eq '^=== [0-9]{4}-[0-9]{2}-[0-9]{2} process [0-9]+ \(spans\)$'
	[ "$(wc -l <log.txt)" -eq 11 ]
	sed 1d log.txt | refuse grep -Ev "^$STAMP"
	for line in '    CHECKPOINT half: round 1 \[mem: [0-9]+\.[0-9]MB\] \[heap: 0\.0MB\]' '  inner: [0-9]+\.[0-9]{2}ms \(kind=put, item of 0\)' \
		'  inner: [0-9]+\.[0-9]{2}ms \(kind=get, item of 2\)' 'outer: [0-9]+\.[0-9]{2}ms' 'job #77: [0-9.]+[num]s' \
		'  left: [0-9.]+[num]s \(not ended\)' \
		'  evil\\x0a\[00:00:00\.000\] \[1/root\] name\\x1b\[2J: [0-9.]+[num]s \(a\\x0ab\\x09c\\x1b\]0;x\\x07 \\xff\\xfe "quoted\\\\"\)'; do
		grep -Eq "^$STAMP$line\$" log.txt
	done
	profile=$(profile_of spans)
	"$SMARTPROF" log "$profile" | diff - <(sed 1d log.txt)
	section '## Timing Log' "$profile" | grep -q '^10 lines are in .*log\.txt\.$'
	status_of 2 "$SMARTPROF" log --format chrome "$profile" 2>err
	grep -q 'a profile has only lines' err
}

@test "each pair is a line, or counted as missing, on a busy machine too; files are bounded" {
	for _ in 1 2 3; do timeout "$PATIENCE" sh -c 'while :; do :; done' & done
	SMARTPROF_SPAN_LOG_SIZE=1 logged slow.txt fast 160000 2
	logged fast.txt fast 1000000
	kill $(jobs -p)
	[ $(($(written fast.txt) + $(missing fast.txt))) -eq 1000000 ]
	at_least "$(missing fast.txt)" 1000
	[ -e slow.txt.4 ] && [ ! -e slow.txt.5 ]
	for file in slow.txt*; do
		at_least 1000000 "$(stat -c %s "$file")"
		head -n 1 "$file" | grep -q '^=== .*(spans)$'
	done
	profile=$(profile_of spans)
	section '## Timing Log' "$profile" |
		grep -q "^$(written fast.txt) lines are in .*fast\.txt; $(missing fast.txt) are missing, because spans ended faster"
}

@test "threads and children write to one file, and each process says which it is" {
	logged both.txt fork
	logged both.txt threads
	[ "$(grep -c '^=== .* process' both.txt)" -eq 3 ]
	[ "$(grep -Ec '(parent|child): ' both.txt)" -eq 2 ]
	[ $(($(written both.txt) + $(missing both.txt))) -eq 40043 ]
}

@test "a killed process's last lines are written, tell where it died, and are in its spool and profile" {
	logged killed.txt kill || true
	eventually grep -Eq "^${STAMP}serve: [0-9.]+ms \(died in it\)$" killed.txt
	grep -Eq "^$STAMP  load index: [0-9.]+ms \(died in it\)$" killed.txt
	pid=$(sed -n 's/^=== .* process \([0-9]*\) .*/\1/p' killed.txt)
	"$SMARTPROF" log "$pid" | diff - <(sed 1d killed.txt)
	"$SMARTPROF" log --format chrome --output trace.json "$pid"
	"$ROOT/tests/e2e/trace.js" trace.json | grep -q '^B=2 '
	"$SMARTPROF" log "$(recovered spans)" | grep -q 'load index: .*(died in it)'
}

@test "following begins a log in a process without one, ends it again, and makes a trace" {
	LD_PRELOAD=$AGENT timeout -k 5 "$PATIENCE" "$TARGETS/spans" serve >out &
	await_spool spans
	status_of 1 "$SMARTPROF" log "$PID" 2>err
	grep -q "process $PID has no timing log; smartprof log --follow $PID begins one" err
	"$SMARTPROF" log --follow --output lines.txt "$PID" &
	follower=$!
	eventually grep -Eq "^${STAMP}request: [0-9.]+ms$" lines.txt
	"$SMARTPROF" ctl "$PID" mark followed # who follows is in nobody's way
	"$SMARTPROF" log --follow --format chrome --output trace.json "$PID" &
	eventually grep -qs '"ph":"X"' trace.json
	kill -INT $! $follower
	wait $! $follower
	"$ROOT/tests/e2e/trace.js" trace.json | grep -Eq ' X=[1-9]'
	last=$("$SMARTPROF" log "$PID" | grep -v 'so far' | tail -n 1)
	sleep 0.3
	[ "$("$SMARTPROF" log "$PID" | grep -v 'so far' | tail -n 1)" = "$last" ]
	"$SMARTPROF" log --follow "$PID" | head -n 1 >one.txt # who reads no more ends it, too
	last=$("$SMARTPROF" log "$PID" | grep -v 'so far' | tail -n 1)
	sleep 0.3
	[ "$("$SMARTPROF" log "$PID" | grep -v 'so far' | tail -n 1)" = "$last" ]
	"$SMARTPROF" log --follow "$PID" >rest.txt &
	follower=$!
	eventually grep -q request rest.txt
	kill -9 "$PID"
	wait $follower
	grep -q 'request: .*(died in it)' rest.txt
}

@test "the trace has spans, asynchronous ones, checkpoints and memory; node reads it" {
	LD_PRELOAD=$AGENT timeout -k 5 "$PATIENCE" "$TARGETS/spans" all >out &
	await_spool spans
	"$SMARTPROF" log --follow --format chrome --output trace.json "$PID" &
	follower=$!
	eventually grep -q '"ph":"b"' trace.json
	kill "$PID"
	wait $follower
	"$ROOT/tests/e2e/trace.js" trace.json | grep -Eq '^(B=[0-9]+ )?C=[0-9]+ M=[0-9]+ X=[0-9]+ b=[0-9]+ e=[0-9]+ i=[0-9]+$'
	node -e 'const t = JSON.parse(require("fs").readFileSync("trace.json", "utf8")).traceEvents;
		const inner = t.find((e) => e.ph === "X" && e.name === "inner");
		process.exit(inner.dur >= 12000 && inner.args.context.startsWith("kind=") && inner.args.ns >= 12e6 ? 0 : 1)'
}

@test "no file, no space, no follower: the program's own work is as ever, and the profile says it in a line" {
	for file in missing/log.txt /dev/full .; do
		[ "$(logged "$file" log 2>err)" = "no child" ]
		[ ! -s err ]
		section '## Timing Log' "$(profile_of spans)" | grep -Eq '^0 lines are in .*; 1[01] are missing, because the file could not be written \(.*\)\.$'
		rm -r "$SMARTPROF_DIR"
	done
	needs_root
	mkdir full
	in_mount_namespace 'mount -t tmpfs -o size=64k none full && SMARTPROF_ENV=critical SMARTPROF_SPAN_LOG=full/log.txt \
		LD_PRELOAD='"$AGENT $TARGETS"'/spans fast 40000 2 && cp full/log.txt .'
	section '## Timing Log' "$(profile_of spans)" | grep -q 'are missing, because the file could not be written (No space left on device)\.$'
	at_least 65536 "$(stat -c %s log.txt)"
	rm -r "$SMARTPROF_DIR"
	[ "$(logged adopts.txt adopts)" = "no child" ]
	[ ! -e adopts.txt ]
	grep -q 'nobody writes the timing log, because the process adopts orphans' "$(profile_of spans)"
}

@test "the check of traces refuses what the format does not allow" {
	good='{"ph":"X","name":"a","ts":1,"dur":5,"pid":1,"tid":1}'
	trace() { printf '{"displayTimeUnit":"ms","traceEvents":[%s]}' "$1" >trace.json; }
	accept() { trace "$1" && "$ROOT/tests/e2e/trace.js" trace.json >shown; }
	reject() { trace "$1" && status_of 1 "$ROOT/tests/e2e/trace.js" trace.json 2>err; }
	key='"cat":"c","id":"7","name":"a","pid":1,"tid":1'
	accept "$good"
	accept "$good,{\"ph\":\"B\",\"name\":\"open\",\"ts\":9,\"pid\":1,\"tid\":1}"
	accept "{\"ph\":\"s\",\"ts\":1,$key},{\"ph\":\"f\",\"ts\":2,$key},{\"ph\":\"b\",\"ts\":1,$key},{\"ph\":\"e\",\"ts\":1,$key}"
	for damage in 's/"X"/"Y"/' 's/"dur":5/"dur":-5/' 's/"dur":5/"dur":NaN/' 's/"ts":1,//' 's/"tid":1/"tid":"1"/' \
		's/"name":"a"/"name":1/' 's/"pid"/"process":1,"pid"/'; do
		reject "$(sed "$damage" <<<"$good")"
	done
	reject "$good,{\"ph\":\"X\",\"name\":\"b\",\"ts\":3,\"dur\":5,\"pid\":1,\"tid\":1}" # overlaps
	reject '{"ph":"E","name":"a","ts":1,"pid":1,"tid":1}'
	reject '{"ph":"B","name":"a","ts":2,"pid":1,"tid":1},{"ph":"E","name":"a","ts":1,"pid":1,"tid":1}'
	reject "{\"ph\":\"b\",\"ts\":1,$key}"
	reject "{\"ph\":\"e\",\"ts\":1,$key}"
	reject "{\"ph\":\"s\",\"ts\":1,$key}"
	reject "{\"ph\":\"f\",\"ts\":2,$key},{\"ph\":\"s\",\"ts\":1,$key}"
	reject '{"ph":"C","name":"a","ts":1,"pid":1,"tid":1,"args":{}}'
	reject '{"ph":"M","name":"thread_title","ts":1,"pid":1,"tid":1,"args":{"name":"x"}}'
}
