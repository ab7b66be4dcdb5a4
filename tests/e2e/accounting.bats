# Whose CPU time, memory and threads are counted: this program's, all of them, and once.
load helpers

# What is compared here is measured, and the machine may be doing something else just then.
export BATS_TEST_RETRIES=${SP_RETRIES:-2}

# between LOW VALUE HIGH
between() {
	awk -v a="$1" -v v="$2" -v b="$3" 'BEGIN { exit !(a <= v && v <= b) }' || fail "$2 is not between $1 and $3"
}

# stack_share FUNCTION FILE: of the CPU time, what has the function in its stack.
stack_share() {
	"$SMARTPROF" report --format folded "$2" |
		awk -v f="$1" '{ all += $NF } index($0, f) { in_it += $NF } END { print all ? in_it / all : 0 }'
}

# last_of ENDING: the profile of the last program of a chain.
last_of() {
	grep -l "^command: [^ ]* 0.2 10 $1\$" "$SMARTPROF_DIR"/*/reborn.*.md
}

# one_life FILE: of the last program of the chain alone, which used 0.2 s and 10 MB.
one_life() {
	between 0.19 "$(cpu_of "$1")" 0.26
	between 10000000 "$(front max_rss_bytes "$1")" 25000000
	between 0 "$(front cpu_unsampled_seconds "$1")" 0.02
	at_least "$(stack_share last_life "$1")" 0.85
}

@test "after execve a program is not charged for what was before it, in all and by thread" {
	for how in main thread; do
		rm -rf "$SMARTPROF_DIR"
		profiled "$TARGETS/reborn" 0.6 60 "$how" 0.2 10 end
		profile=$(last_of end)
		one_life "$profile"
		between 0.19 "$(front wall_seconds "$profile")" 5
		between 0 "$(section '## All threads' "$profile" | awk -F'\t' '$1 ~ /^[0-9]+$/ { s += $1 + $2 } END { print s / 1e9 }')" 0.26
	done
}

@test "nor in a spool that was left behind" {
	status_of 137 profiled "$TARGETS/reborn" 0.6 60 main 0.2 10 kill
	"$SMARTPROF" recover >recover.log
	one_life "$(last_of kill)"
}

@test "a start script's work is not the program's" {
	profiled bash -c 'for ((i = 0; i < 100000; i++)); do :; done; exec "$@"' start "$TARGETS/reborn" 0.2 10 end
	one_life "$(profile_of reborn)"
}

@test "the memory of the process that started a program is not the program's" {
	profiled python3 -c 'import subprocess, sys
big = bytearray(200 << 20)
for vfork in (True, False):
    subprocess._USE_VFORK = vfork
    subprocess.check_call(sys.argv[1:], close_fds=not vfork)' "$TARGETS/reborn" 0.1 10
	for profile in "$SMARTPROF_DIR"/*/reborn.*.md; do
		between 10000000 "$(front max_rss_bytes "$profile")" 25000000
	done
}

@test "the constructors of a program's libraries are part of it" {
	LD_PRELOAD="$AGENT $TARGETS/plugins/plugin_slow_start.so" "$TARGETS/reborn" 0.2 10
	profile=$(profile_of reborn)
	between 0.39 "$(cpu_of "$profile")" 0.5
	between 0.19 "$(section '## All functions' "$profile" | awk -F'\t' '/before sampling/ { print ($1 + $2) / 1e9 }')" 0.25
	at_least "$(front wall_seconds "$profile")" 0.39
}

@test "a forked child's time begins with the fork" {
	profiled python3 -c 'import os, time
time.sleep(1.5)
for n in range(2):
    if os.fork() == 0:
        began = time.time()
        for i in range(3000000): pass
        print(time.time() - began, flush=True)
        os._exit(0)
    os.wait()' >took
	most=$(sort -g took | tail -n 1)
	for profile in $(grep -l '^tree_role: member' "$SMARTPROF_DIR"/*/python3*.md); do
		between 0.02 "$(front wall_seconds "$profile")" "$(awk -v most="$most" 'BEGIN { print most + 1.4 }')"
	done
}

# known_once FILE THREADS: so many threads, and what samples stand for is what they used.
known_once() {
	[ "$(front threads "$1")" = "$2" ] || fail "$(front threads "$1") threads instead of $2"
	near "$(front cpu_sampled_seconds "$1")" "$(cpu_of "$1")" 10
	refuse grep -q '\[found\]' "$1"
}

@test "a thread is known once, whoever wraps pthread_create around us" {
	wrapper=$TARGETS/plugins/plugin_wrap_threads.so
	for preload in "$AGENT $wrapper" "$wrapper $AGENT"; do
		rm -rf "$SMARTPROF_DIR"
		LD_PRELOAD=$preload "$TARGETS/threads_cpu" 4 0.3
		known_once "$(profile_of threads_cpu)" 5
	done
	rm -rf "$SMARTPROF_DIR"
	gcc -g -O1 -fsanitize=leak -I "$ROOT" -o leaks "$ROOT/tests/targets/threads_cpu.c"
	profiled ./leaks 4 0.3
	known_once "$(profile_of leaks)" 5
}

@test "thousands of threads are counted exactly, on a busy machine too" {
	for ((i = 0; i <= $(nproc); i++)); do
		timeout 60 sh -c 'while :; do :; done' 3>&- &
	done
	for run in "$(long 2000 4000) alive" "$(long 3000 10000)"; do
		rm -rf "$SMARTPROF_DIR"
		# shellcheck disable=SC2086 # words on purpose
		counted "$TARGETS/crowd" $run
		profile=$(profile_of crowd)
		[ "$(front threads "$profile")" = $((${run% *} + 1)) ] || fail "$run: $(front threads "$profile") threads"
		accounted "$profile" usage
	done
	kill $(jobs -p)
}

@test "the kernel's time for exceptions is the instruction's, not unsampled" {
	for how in segv jump masked fpe ill trap bus raise; do
		rm -rf "$SMARTPROF_DIR"
		counted "$TARGETS/exceptions" "$how" 0.5
		profile=$(profile_of exceptions)
		accounted "$profile" usage
		awk -v u="$(front cpu_unsampled_seconds "$profile")" -v all="$(cpu_of "$profile")" 'BEGIN { exit !(u <= 0.06 * all) }' ||
			fail "$how: $(front cpu_unsampled_seconds "$profile") s unsampled"
		at_least "$(stack_share refused "$profile")" 0.7
	done
}

@test "kill -9 amid short threads: what was used until then is told to some milliseconds" {
	# The loader's time, that of what ends it, and that of the end are in the kernel's count alone.
	counted timeout --foreground -s KILL 60 "$TARGETS/crowd" 0
	beside=$(awk '{ print $1 + $2 }' usage)
	good=0
	for after in 10 11 12 13 14 15 16 17 18 19 20 21; do
		rm -rf "$SMARTPROF_DIR"
		counted timeout --foreground -s KILL "0.$after" "$TARGETS/crowd" 1000000 || true
		"$SMARTPROF" recover >recover.log 2>&1
		profile=$(find "$SMARTPROF_DIR" -name 'crowd.*.md')
		kernel=$(awk '{ print $1 + $2 }' usage)
		[ -n "$profile" ] || { at_least 0.03 "$kernel" && continue; }
		awk -v p="$(cpu_of "$profile")" -v k="$kernel" -v beside="$beside" \
			'BEGIN { exit !(p <= k + 0.001 && p >= k - beside - 0.009) }' && good=$((good + 1))
	done
	at_least "$good" 9
}
