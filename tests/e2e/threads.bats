# Many threads, short threads, and whether the weights add up.
load helpers

# What is compared here is measured, and the machine may be doing something else just then.
export BATS_TEST_RETRIES=${SP_RETRIES:-2}

@test "CPU weights add up for 1, 2 and 16 threads" {
	for threads in 1:2.0 2:1.0 16:0.15; do
		rm -rf "$SMARTPROF_DIR"
		counted "$TARGETS/threads_cpu" "${threads%:*}" "${threads#*:}"
		accounted "$(profile_of threads_cpu)" usage
	done
}

@test "system time is seen, at its callers" {
	profiled "$TARGETS/threads_cpu" 1 1.5
	profile=$(profile_of threads_cpu)
	at_least "$(front cpu_system_seconds "$profile")" 0.05
	grep -q 'in_kernel' "$profile"
}

@test "shares of ten functions of known cost" {
	export SMARTPROF_INLINES=off # counted by the functions around
	profiled "$TARGETS/cpu_truth" "$(long 3 10)" >truth
	profile=$(profile_of cpu_truth)
	most=$(by_clock 3 12)
	while read -r name share; do
		ours=$(share_of "$name" "$profile")
		awk -v a="${ours:-0}" -v b="$share" -v most="$most" 'BEGIN { d = a - 100 * b; exit !(d < most && d > -most) }' ||
			fail "$name: $ours %, truth $share"
	done <truth
}

@test "20,000 short threads: no crash, flat memory, their time is in the profile" {
	counted "$TARGETS/short_threads" 20000 >out
	[ "$(cat out)" = done ]
	profile=$(profile_of short_threads)
	grep -q short_work "$profile"
	accounted "$profile" usage
}

@test "a signal that comes while a thread's clock is being set up is ours" {
	SMARTPROF_CPU_SAMPLING_INTERVAL=50 SMARTPROF_OVERHEAD_BUDGET=90 same_run "$TARGETS/short_threads" 20000 10
}

@test "100,000 calls deep, and a siglongjmp out of them" {
	same_run "$TARGETS/recursion"
	profile=$(profile_of recursion)
	grep -q '\[truncated\]' "$profile"
	at_least "$(front stacks_truncated "$profile")" 1
}

@test "a million C++ exceptions" {
	same_run "$TARGETS/exc" "$(long 300000 1000000)"
	profile_of exc
}

# found HOW [MAIN]: a thread made in that way behaves as without the agent; the profile is in $profile.
found() {
	same_run "$TARGETS/found_threads" "$1" 0.1 "${2-0.1}"
	rm -rf "$SMARTPROF_DIR"
	counted "$TARGETS/found_threads" "$1" 0.8 "${2-0.2}"
	profile=$(profile_of found_threads)
	accounted "$profile" usage
}

# whole PROFILE: at most 1 % of the time has stacks that end early.
whole() {
	at_least 1 "$(sed -nE 's/^- ([0-9.]+) % of the time has stacks that end early.*/\1/p' "$1" | grep . || echo 0)"
}

# thread_row FILE: the thread with the most CPU time: user time, system time, samples.
thread_row() {
	section '## Threads' "$1" | awk -F'|' '/^\| *[0-9]/ { print $3 "," $4 "," $5; exit }'
}

@test "threads of the C library's own making are found" {
	export SMARTPROF_INLINES=off # counted by the functions around
	for how in libc namespace; do
		found $how
		at_least "$(share_of spend "$profile")" 90
		grep -q 'start_thread → run → found_work → spend' "$profile"
		whole "$profile"
		[ "$(front threads "$profile")" -eq 2 ]
	done
}

@test "threads by clone, with storage of their own or none, are found and harmed by nothing" {
	export SMARTPROF_INLINES=off # counted by the functions around
	for how in clone bare nowhere; do
		found $how
		at_least "$(share_of spend "$profile")" 90
		at_least "$(thread_row "$profile" | cut -d, -f3)" 100
		grep -q "run_$([ $how = clone ] || echo bare)[a-z_]* → found_work → spend" "$profile"
		whole "$profile"
	done
}

@test "a found thread alone, while all known ones sleep" {
	export SMARTPROF_INLINES=off # counted by the functions around
	[ "$(printf '6.4\n%s\n' "$(uname -r)" | sort -V | head -n 1)" = 6.4 ] || skip "kernel older than 6.4"
	for how in libc namespace bare nowhere; do
		found $how 0.02
		at_least "$(share_of spend "$profile")" 80
	done
}

@test "the process's clock may meet a thread without storage before that is found" {
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12; do
		same_run "$TARGETS/found_threads" nowhere 0.15 0.01
	done
}

@test "asynchronous I/O, names and notifications: the C library's own threads" {
	same_run "$TARGETS/library_threads" 0.1
	rm -rf "$SMARTPROF_DIR"
	counted "$TARGETS/library_threads" 0.5
	profile=$(profile_of library_threads)
	accounted "$profile" usage
	# They block all signals: nothing samples them, and no wait beside them may be broken.
	at_least "$(front cpu_unsampled_seconds "$profile")" 0.8
}

@test "python with threads" {
	echo 'import threading
def work():
    sum(i * i for i in range(1000000))
threads = [threading.Thread(target=work) for i in range(4)]
for t in threads: t.start()
for t in threads: t.join()
print("done")' >threads.py
	same_run python3 "$WORK/threads.py"
	profile=$(profile_of 'python3*')
	[ "$(front threads "$profile")" -eq 5 ]
	# The table leaves out the last of five equal ones, now and then.
	at_least "$(section '## Threads' "$profile" | grep -c pythread_wrapper)" 3
}

@test "a thread that blocks the signal: its time is told" {
	same_run "$TARGETS/found_threads" blocked 0.2 0
	found blocked
	[ "$(thread_row "$profile" | cut -d, -f3)" -eq 0 ]
	at_least "$(front cpu_unsampled_seconds "$profile")" 0.7
	section '## Threads' "$profile" | awk -F'|' '/^\| *[0-9]/ { exit !($2 + 0 > 70) }'
}

@test "threads that begin with all signals blocked and unblock them by the bare system call, as Go's do" {
	export SMARTPROF_INLINES=off
	profiled "$TARGETS/raw_unblock" 3 0.4
	profile=$(recovered raw_unblock)
	at_least "$(front cpu_sampled_seconds "$profile")" 0.9
	at_least "$(share_of spend "$profile")" 75
}

@test "a thread that takes whichever signal comes gets none of ours, on a busy machine either" {
	local loops=()
	for _ in $(seq $((3 * $(nproc)))); do
		timeout 20 sh -c 'while :; do :; done' 3>&- &
		loops+=($!)
	done
	profiled "$TARGETS/takes_any" "$(long 2 10)" >taken
	kill "${loops[@]}"
	[ ! -s taken ] || fail "it took $(sort taken | uniq -c)"
}

@test "a Go program with C in it" {
	command -v go >/dev/null || skip "no Go"
	cat >main.go <<'END'
package main

// static int one(void) { return 1; }
import "C"

func work(n int) int {
	if n < 2 {
		return n
	}
	return work(n-1) + work(n-2)
}

func main() {
	done := make(chan int)
	for i := 0; i < 2; i++ {
		go func() { done <- work(38) }()
	}
	println(<-done + <-done + int(C.one()))
}
END
	HOME=$WORK GO111MODULE=off go build -o go_threads main.go
	profiled "$WORK/go_threads"
	profile=$(recovered go_threads)
	at_least "$(share_of main.work "$profile")" 75
}
