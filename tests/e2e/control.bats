# Sampling that is stopped, started and marked from outside, and programs that are loaded asleep.
load helpers

# worker [VARIABLE=VALUE…]: work and allocations until a file "enough" is there, in two functions: work_first until a file "second"
# is there, then work_second.
worker() {
	cat >worker.py <<-'PY'
		import os
		kept = []
		def work_first(): return sorted(range(20000), key=lambda i: -i)
		def work_second(): return sorted(range(20000), key=lambda i: -i)
		while not os.path.exists("enough"):
		    (work_second if os.path.exists("second") else work_first)()
		    kept.append(bytearray(30000))
	PY
	timeout -k 5 "$PATIENCE" env LD_PRELOAD="$AGENT" "$@" python3 worker.py &
	WORKER=$!
	await_spool python3
}

# The worker's end.
enough() {
	touch enough
	wait "$WORKER"
}

ctl() {
	"$SMARTPROF" ctl --wait 60s "$PID" "$@"
}

# samples: those of CPU time so far
samples() {
	"$SMARTPROF" ctl "$PID" status | grep -oE '[0-9]+ samples' | head -n 1 | cut -d' ' -f1
}

@test "stopped, a process is not sampled, and what it uses is told as unsampled; then it goes on" {
	local before after
	worker
	ctl mark begun | grep -q "has the mark begun"
	ctl stop | grep -q 'not sampled any more'
	before=$(samples)
	has_worked 0.4 "$PID"
	after=$(samples)
	[ "$before" -eq "$after" ]
	"$SMARTPROF" ctl "$PID" status | grep -q 'is not sampled since'
	"$SMARTPROF" report --output stopped.md "$PID"
	"$SMARTPROF" validate stopped.md >/dev/null
	section '## Heap Sites (Allocated)' stopped.md | grep -q '\[unsampled\]'
	grep -q '^- Sampling was stopped, as was asked for, for ' stopped.md
	ctl start | grep -q 'is being sampled'
	ctl interval 5ms | grep -q 'every 5000 us'
	ctl mark again >/dev/null
	has_worked 0.6 "$PID"
	enough
	local profile
	profile=$(profile_of python3)
	at_least "$(front cpu_samples "$profile")" $((before + 20))
	at_least "$(front cpu_unsampled_seconds "$profile")" 0.05
	at_least "$(front cpu_sampled_seconds "$profile")" 0.2
	section '## Threads' "$profile" | grep -q '| stopped |'
	# What was in use is told by samples alone, and does not pretend to know what came in between.
	at_least "$(front heap_allocated_bytes "$profile")" "$(front heap_peak_bytes "$profile")"
	section '# Marks' "$profile" | grep -q '^| again '
	near "$(all_functions_seconds "$profile")" \
		"$(awk -v u="$(front cpu_user_seconds "$profile")" -v s="$(front cpu_system_seconds "$profile")" 'BEGIN { print u + s }')" 2
}

@test "loaded asleep, nothing is sampled until it is woken, also on a busy machine" {
	local spinners=() i
	for i in 1 2 3 4; do
		timeout "$PATIENCE" sh -c 'while :; do :; done' &
		spinners+=($!)
	done
	worker SMARTPROF_START=off
	"$SMARTPROF" ctl "$PID" status | grep -q 'was loaded asleep'
	has_worked 0.2 "$PID"
	[ "$(samples)" -eq 0 ]
	ctl start >/dev/null
	touch second
	has_worked 0.6 "$PID"
	kill "${spinners[@]}"
	enough
	local profile
	profile=$(profile_of python3)
	at_least "$(front cpu_samples "$profile")" 10
	at_least "$(front heap_samples "$profile")" 10
	at_least "$(front cpu_unsampled_seconds "$profile")" 0.05
}

@test "a program that is never woken leaves no profile, and behaves as without the library" {
	SMARTPROF_START=off profiled python3 -c 'print(sum(len(bytearray(10000)) for i in range(20000)))' >out 2>err
	[ "$(cat out)" = 200000000 ] && [ ! -s err ]
	[ ! -e profiles/development/latest.md ]
	[ -z "$(ls /dev/shm/smartprof-"$EUID"/*.spool 2>/dev/null)" ]
}

@test "a thread that blocks all signals and takes whichever comes gets none of ours by a start" {
	local i
	timeout -k 5 "$PATIENCE" env LD_PRELOAD="$AGENT" "$TARGETS/takes_any" until-enough >taken &
	WORKER=$!
	await_spool takes_any
	for i in 1 2 3; do
		ctl stop >/dev/null
		ctl start >/dev/null
		sleep 0.2
	done
	enough
	[ ! -s taken ] || fail "it took $(sort taken | uniq -c)"
}

@test "what cannot be asked for is told in one line: words, names, processes that do not look or are gone" {
	local pid
	one_line "did you mean 'start'" "$SMARTPROF" ctl 1 strat
	one_line 'a b' "$SMARTPROF" ctl 1 mark 'a b'
	one_line '1us' "$SMARTPROF" ctl 1 interval 1us
	one_line 'mark takes a name' "$SMARTPROF" ctl 1 mark
	worker
	kill -STOP "$PID"
	status_of 1 "$SMARTPROF" ctl --wait 200ms "$PID" mark late 2>err
	grep -q 'has not looked yet' err || fail "$(cat err)"
	kill -CONT "$PID"
	ctl mark later >/dev/null
	one_line 'mark takes a name' "$SMARTPROF" ctl "$PID" mark x y
	enough
	section '# Marks' "$(profile_of python3)" | grep -q '^| later '
	status_of 2 "$SMARTPROF" ctl "$PID" stop 2>err
	[ "$(wc -l <err)" -eq 1 ] || fail "$(cat err)"
}

# number NAME: what `measured` printed of it
number() {
	grep -o "$1 [0-9]*" out | cut -d' ' -f2
}

@test "a program measures a part of itself: duration, CPU time, memory, timeline; it marks and takes snapshots" {
	plain "$TARGETS/measured" >out
	[ ! -s out ]
	SMARTPROF_START=off profiled "$TARGETS/measured" >out
	at_least "$(number duration)" 20000000
	at_least "$(number cpu)" 20000000
	at_least "$(number rss)" 20000000
	near "$(number heap)" 20000000 35
	near "$(number allocated)" 20000000 10
	at_least "$(number samples)" 5
	at_least "$(number points)" 2
	near "$(number last)" "$(number duration)" 20
	local profile capture
	profile=$(echo "$SMARTPROF_DIR"/development/measured.*.md)
	section '# Marks' "$profile" | grep -q '^| signal '
	capture=$(echo "$SMARTPROF_DIR"/auto-memory/measured.*.end.capture.md)
	[ "$(front mark "$capture")" = end ]
	[ "$(cat "$SMARTPROF_DIR"/auto-memory/.gitignore)" = '*' ]
	section '## Heap Sites (In Use)' "$capture" | grep -q grow
}

@test "the header is C and C++, and nothing has to be linked" {
	printf '#include <smartprof.h>\nint main(void) { struct smartprof_result r; return smartprof_stop ? smartprof_stop(&r) : 0; }\n' >user.c
	gcc -Wall -Wextra -Wpedantic -Werror -std=c99 -I"$ROOT/preload" -o user user.c
	plain ./user
	cp user.c user.cc
	g++ -Wall -Wextra -Wpedantic -Werror -std=c++11 -I"$ROOT/preload" -o user++ user.cc
	plain ./user++
}
