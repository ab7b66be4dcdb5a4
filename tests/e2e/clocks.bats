# Every clock there is, by denying the better ones.
load helpers

# What is compared here is measured, and the machine may be doing something else just then.
export BATS_TEST_RETRIES=${SP_RETRIES:-2}

# clock_line FILE: what the profile says of its clock.
clock_line() {
	grep '^- CPU clock:' "$1" || fail "no clock in $1"
}

# A process's timer is used where its signal goes to the running thread.
needs_process_timer() {
	[ "$(printf '6.4\n%s\n' "$(uname -r)" | sort -V | head -n 1)" = 6.4 ] || skip "kernel older than 6.4"
}

# unsampled_at_most FILE PERCENT
unsampled_at_most() {
	awk -v u="$(front cpu_unsampled_seconds "$1")" -v t="$(front cpu_user_seconds "$1")" -v p="$2" \
		'BEGIN { exit !(u <= t * p / 100) }' || fail "$(front cpu_unsampled_seconds "$1") s unsampled"
}

# behind WHAT: three threads behind that filter behave as without the agent, and add up.
behind() {
	same_run "$TARGETS/deny" "$1" "$TARGETS/threads_cpu" 3 0.2
	rm -rf "$SMARTPROF_DIR"
	counted "$TARGETS/deny" "$1" "$TARGETS/threads_cpu" 3 0.4
	profile=$(profile_of threads_cpu)
	[ "$2" = off ] || accounted "$profile" usage
}

@test "perf events refused, or deadly: the timers of threads" {
	for verdict in 13 1 38; do
		behind event=$verdict
		clock_line "$profile" | grep -q 'kernel tick alone'
		unsampled_at_most "$profile" 10
	done
	behind event=kill
	clock_line "$profile" | grep -q 'seccomp filter would kill'
	unsampled_at_most "$profile" 10
}

@test "timers refused: events go on, system time is unsampled" {
	needs_events
	behind timer=11
	clock_line "$profile" | grep -q 'per-thread events'
	grep -q 'a clock could not be armed' "$profile"
	at_least "$(front cpu_samples "$profile")" 60
}

@test "timers of threads refused: the process's timer sees system time" {
	needs_process_timer
	needs_events
	behind threadtimer=1
	clock_line "$profile" | grep -q 'per-thread events'
	unsampled_at_most "$profile" 3
}

@test "events and timers of threads refused: the process's timer alone" {
	needs_process_timer
	behind event=13,threadtimer=1
	clock_line "$profile" | grep -q 'perf events and CPU timers of threads are refused'
	unsampled_at_most "$profile" 15
	at_least "$(front cpu_samples "$profile")" 50
	# No wait is broken where threads sleep beside one that computes.
	same_run "$TARGETS/deny" event=13,threadtimer=1 "$TARGETS/polls" 200
}

@test "no clock at all: the program runs, its threads' times are told" {
	behind event=13,timer=1 off
	clock_line "$profile" | grep -q 'CPU clock: off; perf events and CPU timers of threads are refused'
	near "$(awk -v a="$(front cpu_user_seconds "$profile")" -v b="$(front cpu_system_seconds "$profile")" \
		'BEGIN { print a + b }')" "$(awk '{ print $1 + $2 }' usage)" 2
	[ "$(section '## Threads' "$profile" | grep -c '| run |')" -eq 3 ]
}

# A kernel that does not say which one it is counts as one before 6.4, whose process timers would break sleeping threads' calls.
@test "an older kernel, with perf events and without: the clocks of threads" {
	behind uname=38
	clock_line "$profile" | grep -q "$(has_events && echo 'per-thread events' || echo 'kernel tick alone')"
	unsampled_at_most "$profile" 10
	behind event=38,uname=38
	clock_line "$profile" | grep -q 'kernel tick alone'
	unsampled_at_most "$profile" 10
}

@test "an older kernel that refuses events and timers of threads: no clock, and no wait is broken" {
	behind event=38,threadtimer=1,uname=38 off
	clock_line "$profile" | grep -q 'CPU clock: off'
	same_run "$TARGETS/deny" event=38,threadtimer=1,uname=38 "$TARGETS/polls" 200
}

@test "no descriptor left: threads go on with their timers" {
	# shellcheck disable=SC2016
	same_run bash -c 'ulimit -n 30; exec "$0" 3 0.2' "$TARGETS/few_files"
	rm -rf "$SMARTPROF_DIR"
	# shellcheck disable=SC2016
	counted bash -c 'ulimit -n 30; exec "$0" 3 0.4' "$TARGETS/few_files"
	profile=$(profile_of few_files)
	accounted "$profile" usage
	! has_events || grep -q 'a clock could not be armed' "$profile"
	unsampled_at_most "$profile" 10
}

# Another user may be refused what root is not.
needs_events_for_all() {
	needs_root
	open_to_all "$WORK"
	cp "$SMARTPROF" "$AGENT" "$WORK"
	SMARTPROF=$WORK/smartprof needs_events setpriv --reuid=65534 --regid=65534 --clear-groups
}

# as_nobody SCRIPT: as a user without rights, in a directory of its own that holds the programs.
as_nobody() {
	needs_root
	local place
	place=$(mktemp -d /tmp/smartprof-nobody.XXXXXX)
	chmod 755 "$place"
	mkdir "$place/build" "$place/w"
	cp "$AGENT" "$SMARTPROF" "$TARGETS/threads_cpu" "$TARGETS/usage" "$TARGETS/deny" "$place/build"
	chmod 777 "$place/w"
	(cd "$place/w" && export AGENT=$place/build/libsmartprof.so TARGETS=$place/build SMARTPROF_DIR=$place/w/profiles \
		HOME=$place/w XDG_STATE_HOME=$place/w/state &&
		timeout -k 5 "$PATIENCE" setpriv --reuid=65534 --regid=65534 --clear-groups bash -c "$1") || status=$?
	rm -rf "$SMARTPROF_DIR" usage
	cp -r "$place/w/profiles" "$SMARTPROF_DIR" && cp "$place/w/usage" . || status=1
	rm -rf "$place"
	[ -z "${status-}" ] || fail "exit status $status"
	profile=$(profile_of threads_cpu)
}

@test "no locked memory for another event: the rest go on with their timers" {
	needs_events_for_all
	# What an unprivileged user may map for events without counting: 516 KiB a CPU.
	# shellcheck disable=SC2016
	as_nobody "ulimit -l 0; USAGE_PRELOAD=\$AGENT \$TARGETS/usage usage \$TARGETS/threads_cpu $(($(nproc) * 129 + 20)) 0.03"
	clock_line "$profile" | grep -q 'per-thread events'
	grep -q 'a clock could not be armed' "$profile"
}

@test "pending signals used up: one is enough for the process's timer" {
	needs_process_timer
	# shellcheck disable=SC2016
	as_nobody 'ulimit -i 1; USAGE_PRELOAD=$AGENT $TARGETS/usage usage $TARGETS/deny event=13 $TARGETS/threads_cpu 8 0.1'
	accounted "$profile" usage
	clock_line "$profile" | grep -q 'the limit on pending signals'
	unsampled_at_most "$profile" 25
	needs_events_for_all
	# shellcheck disable=SC2016
	as_nobody 'ulimit -i 3; USAGE_PRELOAD=$AGENT $TARGETS/usage usage $TARGETS/threads_cpu 8 0.2'
	accounted "$profile" usage
	clock_line "$profile" | grep -q 'per-thread events'
	unsampled_at_most "$profile" 25
}

@test "no sleep is broken while a thread runs with the signal blocked" {
	for how in handler mask; do
		same_run "$TARGETS/sleepers" "$how"
		same_run "$TARGETS/deny" event=13,threadtimer=1 "$TARGETS/sleepers" "$how"
	done
}
