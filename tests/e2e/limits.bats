# Programs with little memory, with locked memory, and with a run time of their own in it.
load helpers

@test "mlockall works as without, under a limit too, and locks few of our tables" {
	for when in early late child; do
		plain "$TARGETS/locks_memory" $when 2>without >out
		profiled "$TARGETS/locks_memory" $when 2>with >out
		grep -qx locked out
		at_least $(($(cat without) + 12000)) "$(cat with)"
	done
	profile_of locks_memory
	# The limit is compared with all that is mapped; 8 MB are much for this program, and less than we map.
	for when in late child; do
		(ulimit -l 8000; profiled setpriv --bounding-set -all --inh-caps -all "$TARGETS/locks_memory" $when) >out 2>with
		grep -qx locked out || fail "$when: $(cat out)"
	done
}

@test "under a limit on data the child of a sampled process has as much as without" {
	cat >child.py <<-'PY'
		import mmap, os
		sum(i for i in range(3000000))
		if os.fork():
		    os._exit(os.wait()[1] >> 8)
		kept = []
		try:
		    while True:
		        kept.append(mmap.mmap(-1, 1 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
		except OSError:
		    print(len(kept))
	PY
	(ulimit -d 150000; plain /usr/bin/python3 child.py) >without
	(ulimit -d 150000; profiled /usr/bin/python3 child.py) >with
	at_least "$(cat with)" $(($(cat without) - 12))
}

@test "a limit on address space or data takes little more than without" {
	cat >most.py <<'PY'
import resource, sys
text = sum(i for i in range(1000000))
most = bytearray(60 << 20)
print(len(most))
PY
	need=$(/usr/bin/python3 -c 'exec(open("most.py").read())
print([int(l.split()[1]) for l in open("/proc/self/status") if l.startswith("VmPeak")][0])' | tail -n 1)
	# Where it may not lift the program's limit, the renderer has to do with it, of which its libraries take most. Now and then that is
	# too little: then there is recover.
	rendered=0
	for _ in 1 2 3 4 5 6; do
		rm -rf "$SMARTPROF_DIR" "$HOME/.cache"
		(ulimit -v $((need + 12000)); profiled /usr/bin/python3 most.py) >out
		[ "$(cat out)" = $((60 << 20)) ]
		[ -z "$(find "$SMARTPROF_DIR" -name 'python3*.md')" ] || rendered=$((rendered + 1))
		recovered 'python3*'
	done
	at_least "$rendered" 4
	need=$(/usr/bin/python3 -c 'exec(open("most.py").read())
print([int(l.split()[1]) for l in open("/proc/self/status") if l.startswith("VmData")][0])' | tail -n 1)
	(ulimit -d $((need + 8000)); profiled /usr/bin/python3 most.py) >out
	[ "$(cat out)" = $((60 << 20)) ]
	# Where there is no room for the renderer, and it may not make any, that is told.
	(ulimit -v 12000; SMARTPROF_VERBOSE=1 profiled "$TARGETS/cpu_truth" 0.1 2>&1 >out) >err
	[ -s err ] || profile_of cpu_truth
	[ ! -s err ] || grep -q 'ulimit -v\|smartprof recover' err
}

@test "the renderer is the first to go when memory is short" {
	# shellcheck disable=SC2016 # expanded there
	printf '#!/bin/sh\n"%s" "$@" 3>&3 &\nwhile kill -0 $! 2>/dev/null; do cat /proc/$!/oom_score_adj >>%s; done\n' \
		"$SMARTPROF" "$WORK/seen" >bin
	chmod 755 bin
	SMARTPROF_BIN=$WORK/bin profiled "$TARGETS/cpu_truth" 0.3 >out
	grep -qx 1000 seen
}

@test "AddressSanitizer: the same output and status, and a profile" {
	for compiler in gcc clang\ -shared-libsan; do
		command -v "${compiler%% *}" || continue
		# shellcheck disable=SC2086 # words
		$compiler -g -O1 -fsanitize=address -D_GNU_SOURCE -I"$ROOT" "$ROOT/tests/targets/sanitized.c" -o sanitized || continue
		[ "$compiler" = gcc ] || export LD_LIBRARY_PATH
		[ "$compiler" = gcc ] || LD_LIBRARY_PATH=$(dirname "$(clang -print-file-name=libclang_rt.asan-x86_64.so)")
		same_run "$WORK/sanitized"
		[ "$(cat profiled.out)" = end ] || fail "$(cat profiled.err)"
		profile_of sanitized
		for how in plain profiled; do
			status_of 1 $how "$WORK/sanitized" overflow 2>$how.report >out
			grep '^SUMMARY' $how.report >$how.summary
		done
		cmp plain.summary profiled.summary
	done
}
