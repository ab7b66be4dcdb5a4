# A guest in somebody else's process: signals, stacks, locks, filters and threads that are not ours.
load helpers
PATIENCE=30

# held_renderer: from now on the renderer says in ./rendering that it began and waits for ./go.
held_renderer() {
	cat >renderer <<EOF
#!/bin/sh
echo began >'$WORK/rendering'
for try in \$(seq 80); do [ -e '$WORK/go' ] && break; sleep 0.05; done
exec '$SMARTPROF' "\$@"
EOF
	chmod +x renderer
	export SMARTPROF_BIN=$WORK/renderer
}

milliseconds() { # COMMAND…: how long it took, in ./took
	local began=${EPOCHREALTIME/./} status=0
	"$@" || status=$?
	echo $(((${EPOCHREALTIME/./} - began) / 1000)) >took
	return $status
}

@test "a second ending signal while the first one's profile is rendered" {
	held_renderer
	for signals in INT:TERM:130 TERM:HUP:143 TERM:TERM:143; do
		IFS=: read -r first second expected <<<"$signals"
		rm -rf rendering go out "$SMARTPROF_DIR"
		env --default-signal=INT LD_PRELOAD="$AGENT" "$TARGETS/ends" wait 0.3 >out 3>&- &
		pid=$!
		eventually test -s out
		kill -"$first" $pid
		eventually test -s rendering
		kill -"$second" $pid
		sleep 0.1
		kill -"$second" $pid
		touch go
		milliseconds status_of "$expected" wait $pid
		[ "$(cat took)" -lt 3000 ] || fail "$signals: $(cat took) ms"
		profile_of ends
	done
}

@test "a pool of Python processes ends as soon as without" {
	cat >pool.py <<'PY'
import multiprocessing

def work(n):
	return sum(i * i for i in range(n))

if __name__ == "__main__":
	with multiprocessing.Pool(3) as pool:
		print(sum(pool.map(work, [200000] * 9)))
PY
	milliseconds plain /usr/bin/python3 "$WORK/pool.py" >out
	without=$(cat took)
	milliseconds same_run /usr/bin/python3 "$WORK/pool.py"
	[ "$(cat took)" -lt $((3 * without + 6000)) ] || fail "$(cat took) ms, $without without"
}

@test "output is there before the profile is rendered" {
	held_renderer
	LD_PRELOAD=$AGENT "$TARGETS/cpu_truth" 0.3 >out 3>&- &
	eventually test -s rendering
	wc -l <out >early
	touch go
	wait $!
	[ "$(cat early)" -eq 10 ] || fail "$(cat early) lines of 10"
}

@test "a handler with 200 KB of locals interrupts malloc" {
	SMARTPROF_ENV=critical same_run "$TARGETS/bighandler" 1
	[ "$(cat profiled.out)" = handled ]
	profile_of bighandler
}

@test "a handler that leaves by siglongjmp: sampling goes on, forks stay fast" {
	SMARTPROF_ENV=critical same_run "$TARGETS/jumphandler" 1.5
	profile=$(profile_of jumphandler)
	near "$(all_functions_seconds "$profile")" 2.5 10
	grep -q after_jumps "$profile"
}

@test "a handler set with sigset, the default action with signal" {
	same_run "$TARGETS/sigset_default"
	[ "$(cat profiled.status)" -eq 143 ]
}

@test "a signalfd for every signal gets none of ours" {
	same_run "$TARGETS/signalfd_full"
}

@test "an ignored SIGPROF stays ignored over exec" {
	# shellcheck disable=SC2016
	burn='for ((i = 0; i < 30000; i++)); do :; done'
	look='exec env -u LD_PRELOAD grep -E "^Sig(Pnd|Blk|Ign)" /proc/self/status'
	same_run bash -c "$burn; trap '' PROF; $burn; $look"
	same_run bash -c "trap '' PROF; exec bash -c '$burn; $look'"
}

@test "a C++ plugin with a C++ library of its own inside" {
	g++ -std=gnu++17 -O2 -fPIC -shared -static-libstdc++ -static-libgcc -o plugin_static.so "$ROOT/tests/targets/plugin_cxx.cc"
	same_run "$TARGETS/cxx_host" "$WORK/plugin_static.so" 3000
	profile_of cxx_host
}

@test "a library whose constructor waits for a thread" {
	plugin=$TARGETS/plugins/plugin_ctor_thread.so
	same_run "$TARGETS/cxx_host" "$plugin" 3
	plain "$TARGETS/ends" exit 0.2 >plain.out || true
	for preload in "$AGENT:$plugin" "$plugin:$AGENT"; do
		status_of 7 timeout -k 5 "$PATIENCE" env LD_PRELOAD="$preload" "$TARGETS/ends" exit 0.2 >out
		cmp plain.out out
	done
}

@test "plugins with thread-local storage come while many threads are sampled" {
	for i in $(seq 60); do cp "$TARGETS/plugins/plugin_tls.so" "tls$i.so"; done
	same_run "$TARGETS/tls_growth" "$(long 150 300)" "$WORK"/tls*.so
	profile_of tls_growth
}

@test "_Fork and exec while another thread holds the loader's lock" {
	same_run "$TARGETS/fork_dlopen" "$TARGETS/plugins/plugin_cxx.so" "$(long 150 1000)"
}

@test "threads of _Fork children are not in the profile of their parent" {
	same_run "$TARGETS/fork_threads"
	profile=$(grep -l parent_work "$SMARTPROF_DIR"/development/fork_threads.*.md)
	check_profile "$profile"
	refuse grep child_work "$profile"
	near "$(all_functions_seconds "$profile")" 0.8 10
	near "$(front cpu_user_seconds "$profile")" 0.8 10
}

@test "the child of a process with a filter that kills only allocates" {
	same_run "$TARGETS/seccomp_fork"
	[ "$(cat profiled.status)" -eq 7 ]
	recovered seccomp_fork
}

@test "the child of a bare system call installs a filter: its parent's spool and tree are not its own" {
	same_run "$TARGETS/seccomp_fork" raw
	[ "$(cat profiled.status)" -eq 7 ]
	at_least "$(front cpu_sampled_seconds "$(profile_of seccomp_fork)")" 0.08
}

@test "a vfork child's filter is not its parent's" {
	same_run "$TARGETS/vfork_seccomp"
	profile=$(profile_of vfork_seccomp)
	at_least "$(front cpu_sampled_seconds "$profile")" 1.08
}

@test "a thread that leaves by the bare system call" {
	same_run "$TARGETS/raw_thread_exit"
	[ "$(cat profiled.status)" -eq 3 ]
	profile_of raw_thread_exit
}

@test "a cancelled thread goes on to its next cancellation point" {
	same_run "$TARGETS/cancel_pending"
}

@test "C11 threads are profiled" {
	same_run "$TARGETS/c11_threads"
	profile=$(profile_of c11_threads)
	[ "$(front threads "$profile")" -eq 3 ]
	grep -q c11_work "$profile"
	at_least "$(front cpu_sampled_seconds "$profile")" 0.76
}

@test "100,000 arguments cost no memory worth naming" {
	seq 100000 >numbers
	for with in SOMETHING "LD_PRELOAD"; do
		xargs -x -n 100000 -s 1500000 "$TARGETS/peak" env "$with=$AGENT" env /bin/true <numbers >"$with"
	done
	[ "$(cat LD_PRELOAD)" -lt $(($(cat SOMETHING) + 4096)) ] || fail "$(cat LD_PRELOAD) KiB instead of $(cat SOMETHING)"
}

@test "a program in a chroot where the library is not" {
	needs_root
	ldd /bin/echo | grep -o '/[^ ]*' | while read -r library; do
		mkdir -p "jail$(dirname "$library")"
		cp "$library" "jail$library"
	done
	mkdir -p jail/bin
	cp /bin/echo jail/bin/
	same_run chroot "$WORK/jail" /bin/echo fine
	[ "$(cat profiled.out)" = fine ]
}

@test "under valgrind there is no message more" {
	for how in plain profiled; do
		$how valgrind "$TARGETS/heap_truth" 2>$how.err >$how.out
		sed -i '/^==[0-9]*== *\(total heap usage\|in use at exit\|[a-z]* lost\|still reachable\|Command\)/d; s/^==[0-9]*==//' $how.err
	done
	diff plain.err profiled.err
}

@test "under valgrind nothing is written twice" {
	for how in plain profiled; do
		$how valgrind -q "$TARGETS/cpu_truth" 0.2 2>$how.err | cat >$how.out
		[ "${PIPESTATUS[0]}" -eq 0 ]
	done
	cmp plain.out profiled.out
	cmp plain.err profiled.err
	recovered cpu_truth
}

@test "a program that forbids itself the cycle counter goes on without it, and is profiled" {
	for how in function syscall instruction later; do
		rm -rf "$SMARTPROF_DIR"
		same_run_but_files "$TARGETS/no_tsc" "$how"
		profile=$(profile_of no_tsc)
		at_least "$(front cpu_samples "$profile")" 10
		at_least "$(front heap_allocations "$profile")" 100000
		at_least 60 "$(front wall_seconds "$profile")"
	done
}
