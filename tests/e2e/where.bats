# smartprof where: what threads do right now, seen from outside.
load helpers

# stuck [ARGUMENTS…]: a process whose threads have all come to where they stay; its id in PID.
stuck() {
	mkfifo hold
	"$TARGETS/stuck" "$@" <hold >there &
	PID=$!
	exec 9>hold
	eventually grep -q there there
	eventually all_wait
}

all_wait() {
	! grep -q running /proc/$PID/task/*/syscall
}

teardown_stuck() {
	exec 9>&-
	wait $PID
}

# of THREAD JQ-EXPRESSION: in the JSON `where`.
of() {
	jq -r --arg name "$1" ".threads[] | select(.name == \$name) | $2" where
}

@test "each thread's call, file, lock and its holder, and the stack, without stopping any" {
	stuck
	"$SMARTPROF" where --json $PID >where
	[ "$(of waiter .call)" = futex ]
	[ "$(of waiter .lock.kind)" = mutex ]
	[ "$(of waiter .lock.holder)" = "$(of holder .tid)" ]
	[ "$(of waiter .lock.place)" = held ]
	[ "$(of semaphore .lock.place)" = never ]
	[ "$(of holder .call)" = clock_nanosleep ]
	[ "$(of reader .call)" = read ]
	of reader .what | grep -qE 'read\(fd [0-9]+: pipe:\[[0-9]+\]\)'
	[ "$(of semaphore .lock.holder)" = null ]
	of stuck .what | grep -qE '^poll\(fd 0: .*/hold\)$'
	for pair in holder:hold_and_sleep waiter:want_lock reader:read_pipe semaphore:wait_for_semaphore stuck:main; do
		of "${pair%:*}" '.frames[].function' | grep -qx "${pair#*:}" || fail "no ${pair#*:} in $(of "${pair%:*}" .frames)"
		[ "$(of "${pair%:*}" .complete)" = true ]
		[ "$(of "${pair%:*}" .moved)" = false ]
	done
	"$SMARTPROF" where $PID >text
	grep -qE '^thread [0-9]+ waiter, for .*: futex\(mutex at 0x[0-9a-f]+ \(held\), held by thread [0-9]+ holder\)$' text
	refuse grep -q '^deadlock' text
	teardown_stuck
}

@test "with the agent no frame is a guess, and ours are above what called" {
	export LD_PRELOAD=$AGENT
	stuck
	unset LD_PRELOAD
	"$SMARTPROF" where --json $PID >where
	for pair in stuck:main waiter:want_lock reader:read_pipe semaphore:wait_for_semaphore; do
		of "${pair%:*}" '.frames[].function' | grep -qx "${pair#*:}" || fail "no ${pair#*:}"
		[ "$(of "${pair%:*}" '[.frames[] | select(.guessed)] | length')" -eq 0 ] || fail "guessed: $(of "${pair%:*}" .frames)"
	done
	teardown_stuck
}

@test "code whose frames are found by frame pointers alone, which nobody knows" {
	cc -O0 -fno-omit-frame-pointer -I "$ROOT" -o plainly "$ROOT/tests/targets/stuck.c" -pthread
	TARGETS=.
	ln -s plainly stuck
	stuck
	"$SMARTPROF" where --json $PID >where
	of waiter '.frames[].function' >frames
	grep -qx want_lock frames && grep -qx play frames
	[ "$(of waiter '[.frames[] | select(.guessed)] | length > 0')" = true ]
	[ "$(of waiter .complete)" = true ]
	teardown_stuck
}

@test "since when a thread waits" {
	[ -r /proc/self/sched ] || skip "the kernel does not tell"
	stuck
	sleep 1
	"$SMARTPROF" where --json $PID >where
	at_least "$(of reader .since_ns)" 900000000
	at_least 60000000000 "$(of reader .since_ns)"
	teardown_stuck
}

@test "since when, on whichever CPU it began" {
	[ -r /proc/self/sched ] || skip "the kernel does not tell"
	local cpu begin elapsed_ns since_ns
	asleep() { [ "$(cat "/proc/$PID/comm")" = sleep ] && grep -q '^State:.S' "/proc/$PID/status"; }
	for cpu in $(first_and_last_cpu); do
		begin=$(date +%s%N)
		taskset -c "$cpu" sleep 600 &
		PID=$!
		eventually asleep
		sleep 1
		"$SMARTPROF" where --json $PID >where
		elapsed_ns=$(($(date +%s%N) - begin))
		since_ns=$(jq '.threads[0].since_ns' where)
		at_least "$since_ns" 900000000
		at_least "$elapsed_ns" "$since_ns"
		kill $PID
		wait $PID || true
	done
}

@test "threads that wait for each other are a deadlock" {
	stuck deadlock
	"$SMARTPROF" where $PID >text
	grep -qE '^deadlock: thread [0-9]+ waits for thread [0-9]+ waits for thread [0-9]+, which never lets go$' text
	"$SMARTPROF" where --json $PID >where
	[ "$(jq '.deadlock | length' where)" -eq 2 ]
	teardown_stuck
}

@test "a lock that a thread has not given back before it ended" {
	stuck ended
	told() { "$SMARTPROF" where --json $PID >where && [ "$(of waiter .lock.ended_holder)" != null ]; }
	eventually told
	[ "$(of waiter .lock.kind)" = mutex ]
	[ "$(of waiter .lock.holder)" = null ]
	"$SMARTPROF" where $PID | grep -qE '^thread [0-9]+ waiter, .*\(held\), which thread [0-9]+ has not given back before it ended\)$'
	teardown_stuck
}

@test "a deadlock is found among 2,000 threads that wait for it" {
	stuck crowd
	"$SMARTPROF" where --json $PID >where
	[ "$(jq '.threads | length' where)" -eq 2003 ]
	[ "$(jq -c '.deadlock | sort' where)" = "$(jq -c '[.threads[] | select(.name == "one" or .name == "two") | .tid] | sort' where)" ]
	[ "$(jq '[.threads[] | select(.name == "many" and .lock.place == "held" and .lock.holder != null)] | length' where)" -eq 2000 ]
	teardown_stuck
}

@test "threads that take turns at a lock are no deadlock, whenever they are looked at" {
	"$TARGETS/waiting" locks 60 >/dev/null &
	PID=$!
	contended() { "$SMARTPROF" where --json $PID >where && jq -e '[.threads[] | select(.lock.holder != null)] | length > 0' where >/dev/null; }
	eventually contended
	for i in 1 2 3 4 5; do
		"$SMARTPROF" where --json $PID >where
		[ "$(jq '.deadlock | length' where)" -eq 0 ] || fail "$(cat where)"
	done
	kill -9 $PID
}

@test "a parent that waits in vfork, its child, and a file system that does not answer" {
	stuck vfork
	"$SMARTPROF" where --json $PID >where
	[ "$(of parent .call)" = vfork ]
	[ "$(of parent .what)" = 'vfork(until its child runs a program, or ends)' ]
	[ "$(of parent .state)" = D ]
	[ "$(of parent '[.frames[].function] | .[:3] | join(" ")')" = 'vfork wait_for_child play' ]
	child_reads() { "$SMARTPROF" where --json "$(pgrep -P $PID)" >child && [ "$(jq -r '.threads[0].call' child)" = read ]; }
	eventually child_reads
	jq -r '.threads[0].frames[].function' child | grep -qx wait_for_child
	teardown_stuck
	mkdir hangs
	[ -w /dev/fuse ] && unshare -m true 2>/dev/null || return 0
	unshare -m "$TARGETS/hang_mount" "$WORK/hangs" stat "$WORK/hangs/some/file" &
	PID=$!
	hangs() { [ "$(cat /proc/$PID/comm)" = stat ] && "$SMARTPROF" where $PID | grep -qE "^thread .*: [a-z]*stat[a-z]*\($WORK/hangs/some/file\)$"; }
	eventually hangs
	kill -9 $PID
}

@test "a stopped process, one with the agent, and what a running thread was last seen in" {
	stuck
	kill -STOP $PID
	"$SMARTPROF" where $PID | grep -q 'stopped by a signal'
	kill -CONT $PID
	teardown_stuck
	LD_PRELOAD=$AGENT "$TARGETS/threads_cpu" 1 60 >/dev/null &
	PID=$!
	eventually has_used 0.5 $PID
	sampled() { "$SMARTPROF" where --json $PID >where && jq -e '[.threads[] | select(.sampled)] | length > 0' where >/dev/null; }
	eventually sampled
	jq -r '.threads[] | select(.sampled) | .frames[].function' where | grep -qE 'spend|spin|work|main'
	kill -9 $PID
}

@test "python, whose lock is named, and node" {
	python3 -c 'import threading, time
def spin():
    while True: pass
for i in range(3): threading.Thread(target=spin, daemon=True).start()
time.sleep(60)' &
	PID=$!
	for_gil() { "$SMARTPROF" where $PID | grep -q "it waits for Python's interpreter lock"; }
	eventually for_gil
	"$SMARTPROF" where $PID | grep -qE '^    (time_sleep|pysleep|_PyEval_EvalFrameDefault)'
	kill $PID
	node -e 'setTimeout(() => {}, 60000)' &
	PID=$!
	in_loop() { "$SMARTPROF" where $PID | grep -q 'epoll_p\?wait'; }
	eventually in_loop
	kill $PID
	wait $PID 2>/dev/null || true
}

# A call by PyDLL keeps the interpreter's lock, one by CDLL gives it up.
@test "who has Python's interpreter lock, and a deadlock of it and another" {
	python3 -c 'import ctypes, threading
def hold():
    print(threading.get_native_id(), flush=True)
    ctypes.PyDLL(None).sleep(600)
threading.Thread(target=hold, daemon=True).start()
while True: pass' >holder &
	PID=$!
	held() { "$SMARTPROF" where --json $PID >where && jq -e '.threads[0].lock.holder' where >/dev/null; }
	eventually test -s holder
	eventually held
	[ "$(jq '.threads[0].lock.holder' where)" -eq "$(cat holder)" ]
	[ "$(jq -r '.threads[0].lock.kind' where)" = "Python's interpreter lock" ]
	[ "$(jq '.deadlock | length' where)" -eq 0 ]
	"$SMARTPROF" where $PID | grep -qE "^    it waits for Python's interpreter lock \(the GIL\), held by thread $(cat holder) python3"
	kill -9 $PID
	for preload in "" "$AGENT"; do
		LD_PRELOAD=$preload python3 -c 'import ctypes, threading
mutex, there = ctypes.create_string_buffer(40), threading.Event()
def lock():
    ctypes.CDLL(None).pthread_mutex_lock(mutex)
    there.set()
    while True: pass
threading.Thread(target=lock, daemon=True).start()
there.wait()
ctypes.PyDLL(None).pthread_mutex_lock(mutex)' &
		PID=$!
		deadlocked() { "$SMARTPROF" where --json $PID >where && [ "$(jq '.deadlock | length' where)" -eq 2 ]; }
		eventually deadlocked
		[ "$(jq -r '[.threads[].lock.kind] | sort | join(", ")' where)" = "Python's interpreter lock, mutex" ]
		kill -9 $PID
	done
}

@test "what cannot be looked at is one clear line" {
	complains() { # WHAT PID
		status_of 2 "$SMARTPROF" where "$2" >out 2>err
		[ ! -s out ] && [ "$(wc -l <err)" -eq 1 ] && grep -q "^smartprof: where: .*$1" err || { cat err >&2; fail "$2"; }
	}
	complains 'is not there' 4194999
	complains 'no process id' 12x
	env --default-signal=CHLD python3 -c 'import os, time; p = os.fork() or os._exit(0); print(p, flush=True); time.sleep(60)' >zombie &
	eventually test -s zombie
	gone() { grep -q '^State:.Z' "/proc/$(cat zombie)/status"; }
	eventually gone
	complains 'has ended' "$(cat zombie)"
	kill $!
	status_of 2 "$SMARTPROF" where >out 2>err
	grep -q 'give it one process id' err
	needs_root
	complains 'part of the kernel' 2
	sleep 60 &
	open_to_all "$WORK"
	status_of 2 setpriv --reuid=nobody --clear-groups "$SMARTPROF" where $! >out 2>err
	[ "$(wc -l <err)" -eq 1 ] && grep -q 'not yours to look at' err
	kill $!
}

@test "a process of another pid namespace: holders are named as we number them" {
	needs_root
	mkfifo hold
	unshare --pid --fork --kill-child "$TARGETS/stuck" <hold >there &
	exec 9>hold
	eventually grep -q there there
	PID=$(pgrep -P $!)
	eventually all_wait
	"$SMARTPROF" where --json "$PID" >where
	[ "$(of waiter .lock.holder)" = "$(of holder .tid)" ]
	[ "$(of holder .tid)" -gt 100 ]
	exec 9>&-
	wait
}
