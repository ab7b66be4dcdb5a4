# Signals that are ours must not be felt, and those that are not must arrive.
load helpers

# beside_short_processes COMMAND…: while another loop starts one process after the other.
beside_short_processes() {
	local loop status=0
	(while :; do /bin/true; done) 3>&- &
	loop=$!
	"$@" || status=$?
	kill "$loop"
	wait "$loop" || true
	return "$status"
}

# waits_hold COMMAND…: in all four environments on a machine with more to do than it has processors.
waits_hold() {
	for environment in development production ci critical; do
		SMARTPROF_ENV=$environment beside_short_processes profiled "$@" >out ||
			fail "$environment: $(tr '\n' ' ' <out)"
	done
}

@test "no wait is broken on a busy machine" {
	waits_hold "$TARGETS/waits" "$(long 60 600)" 3 1
	SMARTPROF_HEAP_INTERVAL=4K SMARTPROF_OVERHEAD_BUDGET=50 waits_hold "$TARGETS/waits" "$(long 20 200)" 2 "$(nproc)"
}

@test "no wait is broken on a busy machine with timers alone, or the process's alone" {
	waits_hold "$TARGETS/deny" event=13 "$TARGETS/waits" "$(long 40 400)" 3 1
	waits_hold "$TARGETS/deny" event=13,threadtimer=1 "$TARGETS/waits" "$(long 40 400)" 3 1
}

@test "an alternate signal stack that nobody told of is not overwritten" {
	SMARTPROF_HEAP_INTERVAL=16K SMARTPROF_OVERHEAD_BUDGET=50 same_run "$TARGETS/altstack" 0.3
	profile_of altstack
}

# near A B PERCENT: two counts.
near() {
	awk -v a="$1" -v b="$2" -v p="$3" 'BEGIN { exit !(b > a * (1 - p / 100) - 3 && b < a * (1 + p / 100) + 3) }' ||
		fail "$2 instead of $1"
}

@test "signals of the program's own perf events and descriptors arrive" {
	for how in open closed; do
		plain "$TARGETS/own_events" "$how" >plain.out
		profiled "$TARGETS/own_events" "$how" >out
		[ "$(cut -d' ' -f2 out)" -eq 50 ]
		near "$(cut -d' ' -f1 plain.out)" "$(cut -d' ' -f1 out)" 35
	done
	at_least "$(front cpu_samples "$(profile_of own_events)")" 50
}

# own_alone COUNT: signals of the program's timer, one each 10 ms of 0.54 s, fewer where others have the processor when the tick comes;
# ours would be hundreds.
own_alone() {
	[ "$1" -ge 10 ] && [ "$1" -le 78 ] || fail "$1 signals"
}

@test "SIGPROF taken from inside the C library or by a system call: not one of ours goes there" {
	for how in profil syscall sigset; do
		for earlier in 0 0.3; do
			rm -rf "$SMARTPROF_DIR"
			profiled "$TARGETS/takes_sigprof" "$how" "$earlier" "$((RANDOM % 2 * 1000000))" >out
			own_alone "$(cat out)"
			at_least "$(front cpu_samples "$(profile_of takes_sigprof)")" 100
		done
	done
	profiled "$TARGETS/takes_sigprof" bare 0 1000000 >out
	own_alone "$(cat out)"
}

@test "SIGPROF taken although it was asked for: sampling stops, and the reason is told" {
	SMARTPROF_SIGNAL=SIGPROF SMARTPROF_VERBOSE=1 profiled "$TARGETS/takes_sigprof" profil 0.3 >out 2>reason
	own_alone "$(cat out)"
	grep -q 'took the profiling signal' reason
	grep -q 'took the profiling signal' "$(profile_of takes_sigprof)"
}

@test "a program built for gprof" {
	cat >both.c <<-'END'
		static unsigned long turn(unsigned long n)
		{
			volatile unsigned long x = 1;
			while (n--)
				x = x * 3 + 1;
			return x;
		}
		int main(void) { return turn(300000000) == 7; }
	END
	gcc -O1 -g -pg -o both both.c
	profiled ./both
	at_least "$(front cpu_samples "$(profile_of both)")" 50
	gprof -b -p both gmon.out | awk '/main|turn/ { sum += $3 } END { exit !(sum > 0.05 && sum < 3) }'
}

@test "the signal blocked at the start: another one samples, or the time is told as unsampled" {
	SMARTPROF_VERBOSE=1 profiled env --block-signal=PROF "$TARGETS/ends" exit 0.3 2>reason || true
	at_least "$(front cpu_samples "$(profile_of ends)")" 50
	rm -rf "$SMARTPROF_DIR"
	SMARTPROF_VERBOSE=1 profiled env --block-signal=PROF,STKFLT,URG "$TARGETS/ends" exit 0.3 2>reason || true
	at_least "$(front cpu_unsampled_seconds "$(profile_of ends)")" 0.25
	grep -q 'started with the profiling signal' reason
}

@test "who waits for all signals but a few gets none of ours" {
	for how in most 'most wait'; do
		# shellcheck disable=SC2086
		same_run "$TARGETS/signalfd_full" $how
	done
}

@test "a signal of ours that comes back as somebody else's does not kill" {
	LD_PRELOAD="$AGENT" "$TARGETS/ends" exit 0.8 >out 3>&- &
	eventually has_used 0.2 $! # ours handles it from when it samples
	kill -PROF $!
	kill -PROF $!
	status=0
	wait $! || status=$?
	[ "$status" -eq 7 ]
	# What a program does to itself happens as it does without us.
	same_run python3 -c 'import os, signal
sum(range(2000000)); os.kill(os.getpid(), signal.SIGPROF)'
	[ "$(cat profiled.status)" -eq 155 ]
}

@test "a second seccomp filter, and threads that are caught by one" {
	for threads in 0 3; do
		same_run "$TARGETS/seccomp_twice" "$threads"
		[ "$(cat profiled.status)" -eq 0 ]
	done
}
