# The target cannot tell that the agent is there.
load helpers

@test "a command substitution ends with the program" {
	out=$(profiled "$TARGETS/ends" kill9 0.3) || true
	[ "$out" = spent ]
	out=$(profiled "$TARGETS/ends" exit 0.3) || true
	[ "$out" = spent ]
}

@test "no foreign child in wait, no CPU time of ours in rusage" {
	same_run "$TARGETS/wait_observer"
	same_run "$TARGETS/wait_observer" parent
	profile_of wait_observer
}

@test "nothing of ours inherits a file lock, a port or a pipe" {
	# shellcheck disable=SC2016
	profiled sh -c 'exec 9>lock; flock 9; exec "$0" exit 0.4' "$TARGETS/ends" || true
	flock -n lock true || fail "the lock outlived the program"
}

@test "descriptors, environment and threads are as without" {
	same_run ls /proc/self/fd
	for how in plain profiled; do
		$how /usr/bin/python3 -c 'import os
sum(i * i for i in range(1500000))
print(sorted(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task")), os.getcwd() != "", os.umask(0))
print(sorted(k for k in os.environ if k != "LD_PRELOAD" and not k.startswith("SMARTPROF_")))' >$how.seen
	done
	cmp plain.seen profiled.seen
}

@test "RUNPATH of the program that calls dlopen still counts" {
	same_run "$TARGETS/runpath_host"
}

@test "a C program with a C++ plugin: exceptions, operator new, thread cancellation" {
	same_run "$TARGETS/cxx_host" "$TARGETS/plugins/plugin_cxx.so" 5000
	profile_of cxx_host
}

@test "python3 with an extension module in C++" {
	PYTHONPATH=$TARGETS/plugins same_run /usr/bin/python3 -c 'import plugin_python; print(plugin_python.burn(200000))'
	profile_of 'python3*'
}

@test "C++ code binds its unwinder to libgcc" {
	profiled env LD_DEBUG=bindings LD_DEBUG_OUTPUT="$WORK/bindings" LD_BIND_NOW=1 "$TARGETS/cxx_host" \
		"$TARGETS/plugins/plugin_cxx.so" 10
	grep -h 'symbol `_Unwind_' bindings.* | grep -v 'binding file [^ ]*/lib\(unwind\|gcc_s\)' >bound
	[ -s bound ]
	refuse grep -v 'to [^ ]*libgcc_s' bound
}

@test "an idle program is not woken" {
	LD_PRELOAD=$AGENT sleep 4 3>&- &
	pid=$!
	sleep 1
	before=$(grep ctxt_switches /proc/$pid/status)
	sleep 2
	after=$(grep ctxt_switches /proc/$pid/status)
	wait $pid
	[ "$before" = "$after" ] || fail "$before; $after"
}

@test "/bin/true leaves nothing behind" {
	export AGENT
	unset SMARTPROF_DIR
	mkdir empty
	# shellcheck disable=SC2016
	in_mount_namespace 'mount -t tmpfs none /dev/shm && cd empty &&
		for i in $(seq 100); do LD_PRELOAD=$AGENT /bin/true || exit 1; done; find /dev/shm -type f >../left'
	[ ! -s left ] || fail "$(cat left)"
	[ -z "$(ls -A empty)" ]
	[ -z "$(ls -A "$XDG_STATE_HOME")" ]
}

@test "profiles/ in the working directory has a .gitignore and latest.md" {
	unset SMARTPROF_DIR
	profiled "$TARGETS/cpu_truth" 0.3 >out
	[ "$(cat profiles/development/.gitignore)" = '*' ]
	[ -f "$(readlink -f profiles/development/latest.md)" ]
	[ "$(stat -c %a "$(readlink -f profiles/development/latest.md)")" -le 644 ]
}
