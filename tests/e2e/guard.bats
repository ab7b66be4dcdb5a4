# smartprof guard: thresholds, captures, reports, deaths, signals, names.
load helpers

# guarded FLAGS… -- PROGRAM…: its lines in `err`.
guarded() {
	timeout -k 5 "$PATIENCE" "$SMARTPROF" guard "$@" 2>err
}

captures() { # RULE
	find "$SMARTPROF_DIR/auto-memory" -name "*.$1.*.capture.md" | sort
}

report_of() { # PROGRAM
	find "$SMARTPROF_DIR/monitored" -name "$1.*.guard.md" | tail -n 1
}

# await_line PATTERN FILE
await_line() {
	local i
	for ((i = 0; i < 400; i++)); do
		if grep -q "$1" "$2" 2>/dev/null; then return; fi
		sleep 0.05
	done
	fail "no '$1' in: $(cat "$2")"
}

@test "three thresholds: a capture each, growth between them by site, a report" {
	export SMARTPROF_HEAP_INTERVAL=1024
	guarded --warning 40 --critical 80 --profiling 140 --interval 200 --on-critical "sh -c 'env >command.env; echo on stdout; $SMARTPROF config >/dev/null'" \
		-- "$TARGETS/grow" 1 600 60 100 150 160 >out
	[ "$(cat out)" = 160 ] # what commands print is not the program's
	local report rule
	report=$(report_of grow)
	for rule in warning critical profiling; do
		[ "$(captures $rule | wc -l)" -ge 1 ] || fail "no capture of $rule: $(cat err)"
		grep -q "guard: grow ([0-9]*): $rule: profile: /" err
	done
	"$SMARTPROF" validate "$SMARTPROF_DIR"/auto-memory/*.md >/dev/null
	[ "$(front mark "$(captures profiling | head -n 1)")" = profiling ] # the agent knows the moment
	near "$(front heap_inuse_bytes "$(captures profiling | head -n 1)")" 140000000 10
	[ "$(front schema "$report")" = smartprof-guard/1 ]
	[ "$(front exit "$report")" = 'status 0' ] && [ "$(front oom_killed "$report")" = false ]
	[ "$(front warning_bytes "$report")" = 40000000 ]
	near "$(front memory_most_bytes "$report")" 163000000 5
	section '# Crossings' "$report" | grep -qE '^[|] [0-9:]+ [|] critical[a-z, ]* [|] [0-9]+ MB [|].*capture'
	section '# Growth' "$report" | grep -qE 'Of the [0-9]+ MB between warning and critical (9[0-9]|100) % ± [0-9]+ came from grow '
	section '# Timeline' "$report" | grep -q '^Memory .*█.* at most 16[0-9] MB'
	grep -qx "SMARTPROF_GUARD_RULE=critical" command.env
	grep -qx "SMARTPROF_GUARD_THRESHOLD=80000000" command.env
	[ -f "$(sed -n 's/^SMARTPROF_GUARD_CAPTURE=//p' command.env)" ]
	grep -qx "on stdout" err
	if grep -q SMARTPROF_GUARD err; then fail "$(cat err)"; fi # which are no unknown settings
	[ -z "$(ls "$XDG_STATE_HOME/smartprof/guard")" ] # nothing stays behind
	[ "$(front program "$(front profile "$report")")" = grow ]
}

@test "crossings that are over before a window has passed are told by the agent's marks" {
	SMARTPROF_HEAP_INTERVAL=1024 guarded --warning 40 --critical 80 --interval 30s -- "$TARGETS/grow" 5 450 45 77 86 97 >/dev/null
	if grep -q 'for 30 s above' err; then fail "$(cat err)"; fi
	local report
	report=$(report_of grow)
	section '# Crossings' "$report" | grep -qE '^[|] [0-9:]+ [|] warning, seen by the agent alone [|] 4[0-9] MB ' || fail "$(cat "$report")"
	section '# Growth' "$report" | grep -qE 'Of the [0-9]+ MB between warning and critical (9[0-9]|100) % ± [0-9]+ came from grow '
	[ "$(captures warning | wc -l)" -ge 1 ] && [ "$(captures critical | wc -l)" -eq 1 ] || fail "$(ls "$SMARTPROF_DIR/auto-memory")"
	near "$(front heap_inuse_bytes "$(captures critical)")" 80000000 10
}

@test "CPU use above a threshold: the profile of the windows that follow" {
	guarded --cpu 3 --interval 300 -- "$TARGETS/cpu_truth" 1.5 >/dev/null
	grep -qE 'guard: cpu_truth .*: cpu: [0-9]+ % of the usable CPUs$' err
	local capture
	capture=$(captures cpu | head -n 1)
	"$SMARTPROF" validate "$capture" >/dev/null
	at_least "$(front window_start_seconds "$capture")" 0.2
	at_least 1.5 "$(front wall_seconds "$capture")"
	[ "$(front captures "$(report_of cpu_truth)")" -ge 1 ]
}

@test "redis that grows under load" {
	SMARTPROF_ENV=development guarded --warning 30 --critical 60 --profiling 100 --interval 200 \
		-- redis-server --port 0 --unixsocket "$WORK/redis" --save '' >/dev/null &
	local guard=$! i
	eventually test -S redis
	for i in 1 2 3; do
		redis-benchmark -s "$WORK/redis" -q -n 400 -r 100000000 -d 100000 set "key:$i:__rand_int__" "$(head -c 100000 /dev/zero | tr '\0' x)" >/dev/null
		sleep 0.5
	done
	redis-cli -s "$WORK/redis" shutdown nosave
	wait "$guard"
	local report
	report=$(report_of redis-server)
	[ "$(captures warning | wc -l)" -ge 1 ] && [ "$(captures profiling | wc -l)" -ge 1 ] || fail "$(cat err)"
	section '# Growth' "$report" | grep -qE 'between warning and critical [0-9]+ % ± [0-9]+ came from '
	[ "$(front exit "$report")" = 'status 0' ]
}

@test "a leak that the kernel kills for want of memory: its heap at its death" {
	local group=/sys/fs/cgroup/memory/smartprof-guard-$$ status=0
	mkdir "$group" 2>/dev/null || skip "no memory control group of version 1 can be made here"
	echo 90000000 >"$group/memory.limit_in_bytes"
	(
		echo "$BASHPID" >"$group/cgroup.procs"
		exec timeout -k 5 "$PATIENCE" "$SMARTPROF" guard --warning 50% --critical 99% --profiling 99% --interval 200 \
			-- "$TARGETS/grow" 1 1000 55 300
	) 2>err || status=$?
	rmdir "$group"
	[ "$status" -eq 137 ] || fail "$(cat err)"
	local report
	report=$(report_of grow)
	grep -q 'killed by the kernel for want of memory' err
	grep -q 'limit 90 MB (memory.limit_in_bytes)' err
	[ "$(front oom_killed "$report")" = true ] && [ "$(front exit "$report")" = 'signal 9' ]
	[ "$(front warning_bytes "$report")" -eq $((90000000 / 4096 * 4096 / 100 * 50)) ]
	# What renders goes first, or the program would be dead long before its limit.
	at_least "$(front memory_most_bytes "$report")" 55000000
	section '# Heap at Its Death' "$report" | grep -qE '^[|] [678][0-9] MB [|].*[|] grow '
	section '# Growth' "$report" | grep -qE 'between warning and its death ([5-9][0-9]|100) % ± [0-9]+ came from grow ' ||
		fail "$(cat "$report")"
	[ "$(captures warning | wc -l)" -ge 1 ] || fail "$(cat err)"
	[ "$(front exit "$(front profile "$report")")" = 'signal 9' ] || fail "$(front exit "$(front profile "$report")")"
}

@test "the first process of a container: orphans are reaped, signals passed on, the status is the program's" {
	unshare --pid --fork --mount-proc true 2>/dev/null || skip "no pid namespace can be made here"
	status_of 7 timeout -k 5 "$PATIENCE" unshare --pid --fork --mount-proc "$SMARTPROF" guard --no-profiling -- bash -c '
		trap "exit 7" TERM
		for i in 1 2 3 4 5; do (sleep 0.1 &); done
		sleep 0.5
		ps -e -o stat= | grep -c Z >zombies
		kill -TERM 1
		sleep 5 & wait' 2>err
	[ "$(cat zombies)" -eq 0 ]
	[ "$(front exit "$(report_of bash)")" = 'status 7' ]
}

@test "signals and statuses are as without a guardian" {
	status_of 3 guarded --no-profiling -- sh -c 'exit 3'
	status_of 127 guarded -- ./nothing
	status_of 126 guarded -- /etc/passwd
	status_of 139 guarded --no-profiling -- sh -c 'kill -SEGV $$' 2>/dev/null
	local signal
	for signal in USR1 TERM HUP; do
		# Who runs the tests may ignore it: a shell cannot trap it then.
		env --default-signal=$signal "$SMARTPROF" guard --no-profiling -- bash -c "trap 'echo got it; exit 9' $signal; echo ready; sleep 3 & wait" >out 2>err &
		await_line ready out
		kill -$signal $!
		status_of 9 wait $!
		grep -q 'got it' out
	done
}

@test "without the agent it warns and tells" {
	"$TARGETS/grow" 1 1500 60 >/dev/null &
	guarded --warning 40 --critical 900 --interval 100 --on-warning "touch '$WORK/a file'" --pid $!
	grep -q "it has no spool, as smartprof is not loaded in it" err
	grep -qE 'warning: [0-9]+ MB, for 0.1 s above 40 MB' err
	grep -q 'warning: no profile: it has no spool' err
	[ -f 'a file' ]
	local report
	report=$(report_of grow)
	[ "$(front agent "$report")" = false ] && [ "$(front crossings "$report")" -ge 1 ]
	[ ! -e "$SMARTPROF_DIR/auto-memory" ]
}

@test "however often a threshold is crossed, each time is told" {
	cat >waves.py <<-'PY'
		import sys, time
		for i in range(int(sys.argv[1])):
		    held = bytearray(b"x") * 60_000_000
		    time.sleep(0.25)
		    del held
		    time.sleep(0.15)
	PY
	guarded --no-profiling --warning 45 --critical 900 --interval 100 --on-warning "sh -c 'echo run >>waves'" \
		-- python3 waves.py "$(long 3 75)"
	[ "$(grep -c ': warning: ' err)" -ge "$(long 2 70)" ] || fail "$(cat err)"
	[ "$(wc -l <waves)" -ge "$(long 2 70)" ]
	[ "$(front crossings "$(report_of python3)")" -eq "$(grep -c ': warning: ' err)" ]
	section '# Crossings' "$(report_of python3)" | awk -F'|' '/ warning/ { if ($2 < last) exit 1; last = $2 }'
}

@test "names are followed as they come and go, and limits outlive a guardian" {
	timeout -s INT "$PATIENCE" "$SMARTPROF" guard --warning 20 --critical 900 --interval 100 --name 'gro?' 2>err &
	local guard=$!
	await_line 'watching what goes by the name' err
	"$TARGETS/grow" 1 1200 30 >/dev/null
	"$TARGETS/grow" 1 1200 30 30 30 >/dev/null &
	local last=$!
	await_line "grow ($last): warning" err
	"$SMARTPROF" guard --explain --pid "$last" >explained
	grep -q "^grow ($last): guarded by process $(pgrep -P "$guard")$" explained
	grep -qE '^  warning: 3[0-9] MB now; needs [23][0-9] MB for 0.1 s .a quarter more than it last fired at., or to fall below 18 MB first; above 20 MB for [0-9]+ s; fired [12] times?$' explained
	grep -qE '^  critical: 3[0-9] MB now; needs 900 MB for 0.1 s; below 900 MB for [0-9]+ s; fired 0 times$' explained
	kill -INT "$(pgrep -P "$guard")"
	wait "$guard"
	[ "$(grep -o 'grow ([0-9]*): warning: [0-9]* MB, for' err | cut -d: -f1 | sort -u | wc -l)" -eq 2 ]
	guarded --warning 20 --critical 900 --interval 100 --pid "$last" # it has fired already
	if grep -q ': warning:' err; then fail "$(cat err)"; fi
	[ -z "$(ls "$XDG_STATE_HOME/smartprof/guard")" ]
}

@test "what cannot be watched, written or understood is told in one line" {
	status_of 2 guarded --pid 99999999
	[ "$(wc -l <err)" -eq 1 ] && grep -q 'there is no such process' err
	status_of 2 guarded
	status_of 2 guarded --warning 0% --pid 1
	grep -q "'0%' is not an amount of memory" err
	status_of 2 guarded --on-warning "a 'b" --pid 1
	status_of 2 guarded --pid 1 --name x
	status_of 2 guarded --explain
	sleep 20 &
	kill -STOP $!
	timeout -s INT 1 "$SMARTPROF" guard --pid $! 2>err || true
	kill -KILL $!
	grep -q 'it is stopped: nothing happens in it until it goes on' err
	: >nowhere
	SMARTPROF_DIR=$WORK/nowhere XDG_STATE_HOME=$WORK/nowhere guarded --warning 20 --interval 100 -- "$TARGETS/grow" 1 300 30 >out
	[ "$(cat out)" = 30 ]
	[ "$(grep -c 'it cannot be written: Not a directory' err)" -eq 1 ] && grep -q 'its report cannot be written' err
}
