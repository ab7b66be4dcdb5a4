# Where threads wait, and for whom: sampled without a signal.
load helpers

# share_at WHERE FILE: percent of the waiting at a place whose row matches.
share_at() {
	section '## Waits' "$2" | awk -F'|' -v where="$1" '$0 ~ where { sub(/%/, "", $2); s += $2 } END { print s + 0 }'
}

@test "a convoy: the lock by its name, who waits, and that its holder sleeps in flush_log" {
	plain "$TARGETS/convoy" 200 >expected
	profiled "$TARGETS/convoy" 200 | cmp - expected
	profile=$(profile_of convoy)
	section '## Locks' "$profile" | grep -F '| g_log |' >lock
	cat lock
	grep -qE '\| [0-9]+ % ± [0-9]+ flush_log in nanosleep' lock
	grep -qF 'flush_log in nanosleep, in the span flush to disk' lock
	at_least "$(grep -oE '[0-9]+ % ± [0-9]+ flush_log in' lock | cut -d' ' -f1)" 50
	section '## Waits' "$profile" | grep -E 'lock \| pthread_mutex_lock \| add_line ← add .*g_log'
	at_least "$(share_at 'add_line' "$profile")" 20
	"$SMARTPROF" validate "$profile" >/dev/null
}

# more CALL COLUMN: by how much the profiled run's figure is above the plain one's.
more() {
	awk -v call="$1" -v column="$2" '$1 == call { n = $column - n } END { print n }' plain profiled
}

@test "a free lock and calls that do not block take a few instructions more" {
	"$TARGETS/steps" >plain
	SMARTPROF_ENV=production profiled "$TARGETS/steps" >profiled
	paste plain profiled
	for call in lock:0:45 read:2:50 poll:0:40 poll_ready:2:65 epoll_wait:0:40; do
		IFS=: read -r call readings most <<<"$call"
		at_least "$most" "$(more "$call" 2)"
		[ "$(more "$call" 3)" -eq "$readings" ] || fail "$call reads the counter $(more "$call" 3) times"
	done
}

@test "switched off, nothing is timed" {
	SMARTPROF_WAITS=off profiled "$TARGETS/convoy" 20
	profile=$(profile_of convoy)
	refuse grep -E '^## (Waits|Locks)' "$profile"
}

@test "python3's threads wait for the GIL, which one has that sorts" {
	profiled /usr/bin/python3 -c 'import threading, random
numbers = [random.random() for _ in range(300000)]
def work(): return sum(i * i for i in range(400000))
def sort(): return [sorted(numbers) for _ in range(4)]
threads = [threading.Thread(target=work) for _ in range(2)] + [threading.Thread(target=sort)]
for t in threads: t.start()
for t in threads: t.join()'
	profile=$(profile_of 'python3*')
	section '## Waits' "$profile" | grep -F 'the GIL'
	section '## Locks' "$profile" | grep -F 'the GIL' | grep -E '[0-9]+ % ± [0-9]+ [^ ]+ on a CPU'
}

@test "calls that block answer as without us: signals, cancellation, timeouts, every kind of mutex, handlers that jump out, forks" {
	same_run "$TARGETS/blocking_api" "$(long 300 10000)"
	SMARTPROF_WAIT_INTERVAL=10 SMARTPROF_OVERHEAD_BUDGET=100 same_run "$TARGETS/blocking_api" 300
	SMARTPROF_ENV=production same_run "$TARGETS/blocking_api" 100
}

@test "every call that blocks is in the profile by its name, and answers as without us: to its end, with signals, cancelled" {
	same_run "$TARGETS/each_wait" 0
	"$SMARTPROF" report --format folded --metric wait "$(profile_of each_wait)" >waits
	awk '{ print $1 }' plain.out | grep -v '^io_uring_enter$' | while read -r call; do
		at_least "$(sed -n "s/.*;in_$call;.* //p" waits)" 5000000 || fail "$call is not in: $(cat waits)"
	done
	for way in $(long "1 2 3 4 5 7" "1 2 3 4 5 7 1 2 3 4 5 7"); do same_run_but_files "$TARGETS/each_wait" "$way"; done
	PATIENCE=1200 SMARTPROF_WAIT_INTERVAL=10 same_run_but_files "$TARGETS/each_wait" 6 "$(long 20 10000)"
}

@test "mutexes whose owner dies while others wait: each is told what it is told without us, and no wake-up is lost" {
	PATIENCE=$(long 90 900) SMARTPROF_WAIT_INTERVAL=10 SMARTPROF_OVERHEAD_BUDGET=100 same_run "$TARGETS/dying_owners" "$(long 300 10000)"
	SMARTPROF_ENV=production same_run "$TARGETS/dying_owners" 100
}

# Where nothing can be mounted, those about names.
@test "calls about files and names that nobody answers are as without us: signals, cancellation, jumps, and what is told at once" {
	mounts=(unshare -m)
	"${mounts[@]}" true 2>/dev/null || mounts=()
	for way in 1 2 3 4 5 0; do same_run_but_files "${mounts[@]}" "$TARGETS/slow_answers" $way; done
	asker() { profile=$(find "$SMARTPROF_DIR" -name latest.md -newer plain.out) && [ -n "$profile" ]; }
	eventually asker # not who answers: each call has waited for 15 ms, all but one for what is "other"
	at_least "$(front blocked_other_seconds "$profile")" "$(awk 'END { print (NR - 1) * 0.012 }' plain.out)"
	! grep -q '^copy_file_range ' plain.out || at_least "$(front blocked_write_seconds "$profile")" 0.012
}

@test "what the C library exports and may block is timed, or told as not seen" {
	"$ROOT/tests/e2e/blocking_calls.py" "$ROOT"
}

@test "a call with more words than registers gets all of them" {
	same_run python3 -c 'import socket; print(*socket.getnameinfo(("127.0.0.1", 80), socket.NI_NUMERICHOST | socket.NI_NUMERICSERV))'
	[ "$(cat profiled.out)" = '127.0.0.1 80' ]
}

@test "helgrind and DRD find no more than without us" {
	for tool in helgrind drd; do
		profiled valgrind --tool=$tool "$TARGETS/race_free" >out 2>err || fail "$(cat err)"
		[ "$(cat out)" = '24 24' ]
		refuse grep -E 'data race|Conflicting' err
	done
	profiled valgrind --tool=helgrind "$TARGETS/race_free" 2>&1 >out | grep -F 'ERROR SUMMARY: 0 errors'
}

@test "ThreadSanitizer finds no more than without us, and its program's waits are in the profile" {
	for compiler in gcc clang; do
		$compiler -g -O1 -fsanitize=thread -D_GNU_SOURCE -I"$ROOT" "$ROOT/tests/targets/race_free.c" -o "race_free_$compiler"
		same_run setarch -R "$WORK/race_free_$compiler"
		[ "$(cat profiled.out profiled.err)" = '24 24' ] || fail "$(cat profiled.err)"
		section '## Waits' "$(profile_of "race_free_$compiler")" | grep -E 'pthread_mutex_lock'
	done
}

@test "the ± of waits holds what the program knows (with LONG=1)" {
	[ -n "${SP_LONG-}" ] || skip "half a minute"
	LEAST=0.87 "$ROOT/tests/bench/waits_accuracy.sh" 40
}
