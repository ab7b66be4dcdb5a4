# What the agent costs in counts that are the same on every machine: system calls and page faults.
load helpers

# System calls of a run, all of them or those named.
calls() { # PRELOAD CALLS COMMAND…
	strace -f -qq -o "$WORK/calls" ${2:+-e trace="$2"} -E LD_PRELOAD="$1" -- "${@:3}" >/dev/null 2>&1
	grep -c "(" "$WORK/calls"
}

@test "a heap sample makes two system calls, on the thread's own stack" {
	SMARTPROF_MODE=heap SMARTPROF_HEAP_INTERVAL=4096 SMARTPROF_OVERHEAD_BUDGET=50 \
		calls "$AGENT" rt_sigprocmask,prctl,sigaltstack "$TARGETS/malloc_loop" 1 3000000
	profile=$(profile_of malloc_loop)
	samples=$(front heap_samples "$profile")
	echo "$(grep -c rt_sigprocmask calls), $(grep -c prctl calls), $(grep -c sigaltstack calls) of $samples samples"
	at_least "$samples" 200
	[ "$(grep -c rt_sigprocmask calls)" -le $((samples * 2 + 200)) ]
	[ $(($(grep -c prctl calls) + $(grep -c sigaltstack calls))) -le $((samples / 4 + 200)) ]
}

@test "a thread that blocks the signal again and again asks once who it is" {
	blocks='import signal, sys
for _ in range(int(sys.argv[1])): signal.pthread_sigmask(signal.SIG_SETMASK, {signal.SIGPROF})'
	once=$(calls "$AGENT" getpid /usr/bin/python3 -S -c "$blocks" 1)
	often=$(calls "$AGENT" getpid /usr/bin/python3 -S -c "$blocks" 200)
	[ "$often" -le $((once + 10)) ] || fail "$once for one, $often for 200"
}

@test "a shell that has started a program by vfork is asked once more who it is, and not at each wait" {
	mkfifo lines
	for _ in $(seq 100); do echo; sleep 0.005; done >lines &
	# shellcheck disable=SC2016
	calls "$AGENT" getpid,vfork dash -c '/bin/true; while read -r line; do :; done <lines'
	grep -q vfork calls || skip 'this shell does not use vfork'
	[ "$(grep -c getpid calls)" -le 40 ] || fail "$(grep -c getpid calls)"
}

# What a child of a profiled shell costs: members of a tree share what they can.
@test "a member that is activated asks each thing once, and nothing that its tree knows" {
	profiled sh -c '"$0" burn 30 && strace -f -qq -e trace="!clock_gettime" -o calls "$0" burn 30; :' "$TARGETS/member"
	grep -q -F .spool.new calls
	! has_events || [ "$(grep -c CLONE_VFORK calls)" -eq 0 ] # what the tree knows is that they work
	[ "$(grep -c 'openat.*/proc/self/cgroup' calls)" -eq 1 ]
	refuse grep -F '/.git' calls # SMARTPROF_ENV says what that would
	refuse grep -E 'openat.*/(proc/(self/(status|limits|mountinfo)|cpuinfo|meminfo|sys)|sys/fs/cgroup)' calls
	# The files that it reads are no waits, before which the cycle counter would have to be trusted.
	profiled sh -c '"$0" hold 1100 && strace -f -qq -e trace=prctl,renameat -o calls "$0" hold 1100; :' "$TARGETS/member"
	[ "$(sed '/spool.new/q' calls | grep -c PR_GET_TSC)" -le 6 ]
}

@test "a process that does nothing: at most 25 system calls more than without" {
	plain=$(cd / && calls "" "" /bin/true)
	echo "$plain and $(cd / && calls "$AGENT" "" /bin/true)"
	[ "$(cd / && calls "$AGENT" "" /bin/true)" -le $((plain + 25)) ]
}

# 1 MB: what is smaller writes no profile, so a spool would be made for nothing.
@test "a child has no spool before it is worth a profile, and then its heap is known from the beginning" {
	profiled sh -c 'for size in 700 1100; do strace -f -qq -e trace=openat -o calls.$size "$0" hold $size; done; :' "$TARGETS/member"
	refuse grep -F .spool.new calls.700
	grep -q -F .spool.new calls.1100
	profile=$(profile_of member)
	near "$(front heap_allocated_bytes "$profile")" 1100000 5
	# What was allocated before the spool was made is in the sites, and not in a row of its own.
	rm -r "$SMARTPROF_DIR"
	profiled sh -c 'for i in 1 2 3 4 5 6; do "$0" hold 1100; done; :' "$TARGETS/member"
	mean=$(find "$SMARTPROF_DIR" -name 'member.*.md' -exec grep -h '^heap_inuse_bytes:' {} + | awk '{ sum += $2 } END { print int(sum / NR) }')
	near "$mean" 1100000 50
	at_least "$(find "$SMARTPROF_DIR" -name 'member.*.md' -exec grep -h '^heap_samples:' {} + | awk '{ sum += $2 } END { print sum }')" 25 # of 51
}

# faults PRELOAD COMMAND…: page faults of it and its children, the fewest of some runs: what else the machine does only adds to them.
faults() {
	python3 -c 'import os, sys
child = dict(os.environ, LD_PRELOAD=sys.argv[1])
print(sorted(os.wait4(os.posix_spawn(sys.argv[2], sys.argv[2:], child), 0)[2].ru_minflt for _ in range(25))[0])' "$@"
}

# of_a_child COMMAND: system calls of one of the 50 children of a shell, the median.
of_a_child() {
	calls "$AGENT" "" /bin/sh -c "$1" >total
	awk '{ n[$1]++ } END { for (pid in n) print n[pid] }' calls | sort -n | sed -n 25p
}

@test "a forked child that does nothing: at most 13 system calls, and 7 page faults more than without" {
	forks='i=0; while [ $i -lt 50 ]; do (:); i=$((i + 1)); done'
	[ "$(of_a_child "$forks")" -le 13 ]
	[ $((($(faults "$AGENT" /bin/sh -c "$forks") - $(faults "" /bin/sh -c "$forks")) / 50)) -le 7 ]
	# So it is when the shell is sampled.
	[ "$(of_a_child "i=0; while [ \$i -lt 50000 ]; do i=\$((i + 1)); done; $forks")" -le 12 ]
	grep -q -F .spool calls
	# And when it has waited: neither of the two copies what the other has of that.
	export SMARTPROF_ENV=production
	sampled="i=0; while [ \$i -lt 50000 ]; do i=\$((i + 1)); done; /bin/sleep 0.1; "
	beyond=$(($(faults "$AGENT" /bin/sh -c "$sampled$forks") - $(faults "$AGENT" /bin/sh -c "$sampled")))
	plain=$(($(faults "" /bin/sh -c "$sampled$forks") - $(faults "" /bin/sh -c "$sampled")))
	echo "$beyond and $plain"
	[ $(((beyond - plain) / 50)) -le 6 ]
}

# With more threads, one that sleeps would be handed the signal of a timer that runs out meanwhile.
@test "a process with one thread sets no timer around its forks" {
	printf '%s\n' 'import os' 'for i in range(50):' '	os.fork() or os._exit(0)' '	os.wait()' >forks.py
	calls "$AGENT" timer_settime python3 forks.py
	[ "$(grep -c 'it_value={tv_sec=0, tv_nsec=0}' calls)" -le 10 ]
}

# Of a file as the linker leaves it the kernel maps fewer pages at once than of an installed one. It is 8, and one or two more where the
# copy has come to lie in many pieces.
@test "a process that does nothing: at most 10 page faults more than without" {
	cp "$AGENT" libsmartprof.so
	plain=$(faults "" /bin/true) with=$(faults "$PWD/libsmartprof.so" /bin/true)
	echo "$plain and $with"
	[ "$with" -le $((plain + 10)) ]
}

# Tables begin with a page or two, whatever is hashed into them.
@test "a child of a profiled process that gets a spool: at most 80 page faults more than without" {
	printf '%s\n' 'import os, sys' 'def faults(preload):' \
		'	child = dict(os.environ, LD_PRELOAD=preload)' \
		'	return os.wait4(os.posix_spawn(sys.argv[2], sys.argv[2:], child), 0)[2].ru_minflt' \
		'print(sorted(faults(sys.argv[1]) - faults("") for i in range(9))[4])' >more.py
	profiled env SMARTPROF_ENV=production python3 more.py "$AGENT" "$TARGETS/member" hold 1200 >more
	cat more
	[ "$(cat more)" -le 80 ]
}

@test "a CPU sample asks once whether the cycle counter may be read" {
	SMARTPROF_MODE=cpu status_of 7 strace -f -qq --seccomp-bpf -e trace=prctl -o calls -E LD_PRELOAD="$AGENT" -- "$TARGETS/ends" exit 1
	signals=$(grep -c -e '--- SIGPROF' calls) asked=$(grep -c PR_GET_TSC calls)
	echo "$asked of $signals signals"
	at_least "$signals" 200
	[ "$asked" -le $((signals + signals / 4 + 20)) ] # twice is nearly 2, and what is calibrated now and then asks, too
}

# The file that tells it is opened and read in 20 us. What a process has had resident at the most is asked for anyway.
@test "memory that is far from its thresholds is not read" {
	status_of 7 strace -f -qq --seccomp-bpf -e trace=openat -o calls -E LD_PRELOAD="$AGENT" -E SMARTPROF_MEMORY_WARNING_THRESHOLD=400 \
		-E SMARTPROF_MEMORY_CRITICAL_THRESHOLD=400 -E SMARTPROF_MEMORY_PROFILING_THRESHOLD=400 \
		-E SMARTPROF_MEMORY_THRESHOLD=400 -E SMARTPROF_MODE=cpu -- "$TARGETS/ends" exit 1
	at_least "$(front cpu_samples "$(profile_of ends)")" 100
	[ "$(grep -c statm calls)" -le 15 ] # the timeline's among them
}

# What one process has read of a file's unwind tables, the others find in the tree's file; no other user's process writes there.
@test "the processes of a tree share unwind rules, but not with one that has become another user" {
	local tree="/dev/shm/smartprof-$(id -u)"
	export TREE=$tree SMARTPROF_ENV=production
	profiled sh -c 'kept() { od -A n -t u4 -j 4100 -N 4 "$TREE"/*.tree; }
		"$0" hold 1200; kept
		for i in 1 2 3 4 5 6 7 8; do "$0" hold 1200; done; kept' "$TARGETS/member" >kept
	cat kept
	first=$(sed -n 1p kept)
	[ "$first" -ge 10 ]
	[ "$(($(sed -n 2p kept) - first))" -le $((2 * first)) ]
	[ "$(id -u)" = 0 ] || return 0
	printf '%s\n' 'import os' 'def mapped(): return sum(".tree" in line for line in open("/proc/self/maps"))' \
		'before = mapped()' 'os.setuid(65534)' 'print(before, mapped())' >become.py
	[ "$(profiled sh -c 'python3 become.py; :')" = "1 0" ]
}

# Most of a start's instructions were looking for settings in the environment.
@test "a process that does nothing: a long environment is gone through once" {
	instructions() { # VARIABLES
		local more=() i
		for ((i = 0; i < $1; i++)); do more+=("VARIABLE_$i=some text or other"); done
		env "${more[@]}" LD_PRELOAD="$AGENT" valgrind --tool=none --trace-children=no /bin/true >/dev/null 2>&1 || skip "needs valgrind"
		# Of the constructor alone: a tick of CPU time later the process may have a spool.
		env "${more[@]}" LD_PRELOAD="$AGENT" valgrind --tool=callgrind --toggle-collect=start --callgrind-out-file=costs /bin/true >/dev/null 2>&1
		awk '/^totals:/ { print $2 }' costs
	}
	few=$(instructions 0)
	many=$(instructions 200)
	echo "$few and $many"
	[ $((many - few)) -le $((200 * 120)) ]
}

@test "a shell that starts one program again and again looks at it once" {
	compgen -G '/lib*/ld-musl-*' >found || compgen -G '/lib*/ld-linux.so.2' >found || skip "every program can have the library here"
	calls "$AGENT" openat,newfstatat dash -c 'i=0; while [ $i -lt 20 ]; do /bin/true; i=$((i + 1)); done' >total
	[ "$(grep -c 'openat(.*"/bin/true"' calls)" -eq 1 ] || fail "$(grep -c 'openat(.*"/bin/true"' calls)"
	[ "$(grep -c 'newfstatat(.*"/bin/true"' calls)" -eq 20 ]
	# But not where the file may change once more without its time telling.
	cp /bin/true fresh
	calls "$AGENT" openat dash -c './fresh; ./fresh; ./fresh; :' >total
	[ "$(grep -c 'openat(.*"./fresh"' calls)" -eq 3 ]
}
