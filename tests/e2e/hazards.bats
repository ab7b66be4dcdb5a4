# What breaks in-process profilers: storms, small stacks, closed descriptors, limits, sandboxes.
load helpers

@test "forks while 8 threads allocate" {
	PATIENCE=240 same_run "$TARGETS/forkstorm" "$(long 3000 10000)"
	profile_of forkstorm
}

# Without a processor that traps the steps fork nowhere.
@test "a handler that forks, at each instruction of ours that it can interrupt: parent and child go on as without us" {
	export SMARTPROF_HEAP_INTERVAL=64 SMARTPROF_WAIT_INTERVAL=10 SMARTPROF_OVERHEAD_BUDGET=100
	for way in create begin lock malloc wait fork $(long "" "span start"); do
		same_run_but_files "$TARGETS/fork_amid" "$way"
		same_run_but_files "$TARGETS/fork_amid" raw "$way"
	done
	SMARTPROF_WAITS=off same_run_but_files "$TARGETS/fork_amid" span
	[ "$(uname -m)" != x86_64 ] || [ "$(FORKS=1 profiled "$TARGETS/fork_amid" create 2>&1 >out)" -ge 200 ]
}

@test "a handler that forks now and then, whichever clock there is" {
	export SMARTPROF_HEAP_INTERVAL=64 SMARTPROF_WAIT_INTERVAL=10 SMARTPROF_OVERHEAD_BUDGET=100
	for raw in "" raw; do
		same_run_but_files "$TARGETS/fork_amid" $raw timer "$(long 1000 20000)"
		same_run_but_files "$TARGETS/deny" event=13 "$TARGETS/fork_amid" $raw timer "$(long 1000 20000)"
		SMARTPROF_MODE=heap same_run_but_files "$TARGETS/fork_amid" $raw timer "$(long 1000 20000)"
	done
	check_profile "$(profile_of fork_amid)"
}

@test "a dlopen/dlclose storm while threads compute and throw" {
	same_run "$TARGETS/dlstorm" "$(long 5 30)"
	profile_of dlstorm
}

@test "16 KB thread stacks and an 8 KB signal stack" {
	same_run "$TARGETS/smallstack" 0.5
	profile_of smallstack
}

@test "no wait is broken by EINTR" {
	same_run "$TARGETS/polls" "$(long 500 3000)"
}

@test "a daemon that closes every descriptor and opens files" {
	mkdir files
	same_run "$TARGETS/closeall" "$WORK/files"
	profile_of closeall
}

@test "a program with a SIGPROF handler and profiling timer of its own" {
	same_run "$TARGETS/sigprof_user"
	profile_of sigprof_user
}

@test "a seccomp filter that kills, or refuses, what would arm a clock" {
	same_run "$TARGETS/seccomp_kill"
	same_run "$TARGETS/seccomp_kill" errno
	same_run "$TARGETS/seccomp_waits"
	grep -qx done profiled.out
	# Behind a filter nothing is started any more: the spool waits.
	recovered seccomp_kill
}

@test "few descriptors, tiny files: unharmed, and the reason can be found" {
	# shellcheck disable=SC2016
	for limit in '-n 8' '-f 1' '-i 0' '-l 0' '-v 400000' '-s 256'; do
		rm -rf "$SMARTPROF_DIR"
		same_run bash -c "ulimit $limit && exec \"\$0\" exit 0.3" "$TARGETS/ends"
		[ "$(cat profiled.status)" -eq 7 ]
		find_reason bash -c "ulimit $limit && exec \"\$0\" exit 0.3" "$TARGETS/ends"
	done
}

# find_reason COMMAND…: there is a profile, or the agent says on request why not.
find_reason() {
	rm -rf "$SMARTPROF_DIR"
	SMARTPROF_VERBOSE=1 profiled "$@" >out 2>reason || true
	[ -n "$(find "$SMARTPROF_DIR" "$XDG_STATE_HOME" -name '*.md' 2>/dev/null)" ] || grep -q '^smartprof: ' reason ||
		fail "neither a profile nor a reason: $*"
}

@test "a full disk, /dev/shm included" {
	export AGENT TARGETS
	mkdir full
	# shellcheck disable=SC2016
	in_mount_namespace 'mount -t tmpfs -o size=64k none /dev/shm && mount -t tmpfs -o size=64k none full &&
		{ cat /dev/zero >full/fill; cat /dev/zero >/dev/shm/fill; } 2>/dev/null
		export SMARTPROF_DIR=full XDG_STATE_HOME=$PWD/full SMARTPROF_VERBOSE=1
		LD_PRELOAD=$AGENT "$TARGETS/ends" exit 0.3 >out 2>reason
		echo $? >status
		LD_PRELOAD=$AGENT sh -c "i=0; while [ \$i -lt 20000 ]; do i=\$((i + 1)); done; exec \"$TARGETS/ends\" exit 0.1" >/dev/null 2>&1
		find full /dev/shm -type f | sort >left'
	[ "$(cat out)" = spent ]
	[ "$(cat status)" -eq 7 ]
	grep -q '^smartprof: ' reason
	[ "$(cat left)" = "$(printf '%s\n' /dev/shm/fill full/fill)" ] || fail "$(cat left)"
}

@test "a full output disk alone: the profile goes to the state directory" {
	export AGENT TARGETS
	mkdir full
	# shellcheck disable=SC2016
	in_mount_namespace 'mount -t tmpfs -o size=64k none full && cat /dev/zero >full/fill 2>/dev/null
		export SMARTPROF_DIR=full
		LD_PRELOAD=$AGENT "$TARGETS/ends" exit 0.3; echo $? >status'
	[ "$(cat status)" -eq 7 ]
	[ -n "$(find "$XDG_STATE_HOME" -name 'ends.*.md')" ]
}

@test "a read-only working directory" {
	export AGENT TARGETS
	mkdir readonly
	# shellcheck disable=SC2016
	in_mount_namespace 'mount -t tmpfs -o ro none readonly && cd readonly && unset SMARTPROF_DIR
		LD_PRELOAD=$AGENT "$TARGETS/ends" exit 0.3 >../out 2>../err; echo $? >../status'
	[ "$(cat status)" -eq 7 ]
	[ ! -s err ]
	[ -n "$(find "$XDG_STATE_HOME" -name 'ends.*.md')" ]
}

@test "chroot: the spool stays and is recovered from outside" {
	needs_root
	mkdir jail
	cat >jail.py <<'PY'
import os, sys
x = sum(i * i for i in range(2000000))
os.chroot(sys.argv[1])
os.chdir("/")
print(x + sum(i * i for i in range(2000000)))
PY
	same_run /usr/bin/python3 -S "$WORK/jail.py" "$WORK/jail"
	[ -z "$(ls -A jail)" ]
	recovered 'python3*'
}

@test "a preload that nobody can find afterwards: relative paths reach the children" {
	cp "$AGENT" .
	# shellcheck disable=SC2016
	(cd "$WORK" && LD_PRELOAD=./libsmartprof.so SMARTPROF_BIN=$SMARTPROF timeout "$PATIENCE" sh -c 'cd / && /bin/true && echo fine') \
		>out 2>err
	[ "$(cat out)" = fine ]
	[ ! -s err ] || fail "$(cat err)"
}

@test "under valgrind and under strace" {
	status_of 0 timeout -k 5 "$PATIENCE" env LD_PRELOAD="$AGENT" valgrind -q --error-exitcode=9 /usr/bin/sort /etc/passwd >out
	SMARTPROF_ENV=critical SMARTPROF_HEAP_INTERVAL=64 status_of 0 timeout -k 5 "$PATIENCE" env LD_PRELOAD="$AGENT" \
		valgrind -q --error-exitcode=9 /usr/bin/sort /etc/passwd >out
	cmp out <(/usr/bin/sort /etc/passwd)
	strace -o /dev/null true 2>/dev/null || skip "strace is not allowed here"
	status_of 7 timeout -k 5 "$PATIENCE" strace -f -o trace -E LD_PRELOAD="$AGENT" "$TARGETS/ends" exit 0.3
}
