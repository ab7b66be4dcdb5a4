# smartprof attach and detach: the CPU profile of a process that was started without the agent.
load helpers

# For perl: it computes for most of four seconds, and sleeps in between.
BUSY='$e = time + 4; while (time < $e) { $x += $_ for 1 .. 100000; select undef, undef, undef, 0.002 }'

# begin COMMAND…: in the background, without the agent; its number in PID, what it prints in ./out.
begin() {
	"$@" >out 2>err &
	PID=$!
	settled
}

# settled: PID is what was to be begun, not a shell, nor what only starts another program, and has come to its work.
settled() {
	# shellcheck disable=SC2317 # called by name
	has_begun() { ! grep -qxE 'bats.*|bash|env|unshare|setpriv|taskset|sh' "/proc/$PID/comm"; }
	eventually has_begun
	sleep 0.3
}

# python FILE: until `stop` is told, when it prints "done"; begun when it has run for a moment.
python() {
	rm -f stop going
	begin python3 "$1"
	eventually [ -e going ]
}

stop() {
	touch stop
	wait "$PID" || fail "status $?: $(cat err)"
	[ "$(cat out)" = "${1-done}" ] || fail "$(cat out err)"
	[ ! -s err ]
}

# worker: computes and sleeps in turns.
worker() {
	cat >worker.py <<-'PY'
		import os, time
		def work():
		    until = time.thread_time() + 0.004
		    while time.thread_time() < until:
		        sum(i * i for i in range(2000))
		begin = time.time()
		while not os.path.exists("stop"):
		    work()
		    time.sleep(0.003)
		    if time.time() - begin > 0.2: open("going", "w")
		print("done")
	PY
	python worker.py
}

# attach ARGUMENTS…: the path of the profile in PROFILE, what it said in ./said.
attach() {
	PROFILE=$("$SMARTPROF" attach "$@" 2>said) || { cat said >&2; fail "attach $*"; }
}

# refused PATTERN PID: with a reason that matches, in one line, and nothing is left of it.
refused() {
	local status=0
	"$SMARTPROF" attach --for 10ms "$2" >refused.out 2>refused.err || status=$?
	[ "$status" -ne 0 ] || fail "attached to $2"
	[ "$(wc -l <refused.err)" -eq 1 ] || fail "not one line: $(cat refused.err)"
	grep -qE "^smartprof: attach: .*$1" refused.err || fail "another reason: $(cat refused.err)"
	[ ! -s refused.out ] || fail "printed something"
	! compgen -G '/dev/shm/libsmartprof.so.attached-*' >/dev/null || fail "the library's copy was left"
	refuse grep -q libsmartprof "/proc/$2/maps"
}

@test "a process that runs is attached to, sampled and detached, again too, and ends as it would have" {
	worker
	attach --for 600ms "$PID"
	local first=$PROFILE maps
	grep -qE "attached to process $PID \(python3\): thread $PID was stopped for [0-9.]+ ms; its CPU time is sampled, its heap is not" said
	grep -qF "detached from process $PID" said
	at_least "$(front attached_after_seconds "$PROFILE")" 0.2
	at_least "$(front wall_seconds "$PROFILE")" 0.59
	at_least "$(front cpu_samples "$PROFILE")" "$(by_clock 10 2)"
	[ "$(front exit "$PROFILE")" = running ]
	grep -qF 'the agent was put into the process while it ran (smartprof attach)' "$PROFILE"
	[ -z "$(front heap_samples "$PROFILE")" ]
	grep -q '_PyEval_EvalFrameDefault' "$PROFILE"
	refuse compgen -G "/dev/shm/smartprof-$EUID/$PID.*.spool"
	# What is loaded is woken, and begins at nothing.
	maps=$(grep -c 'libsmartprof.so.attached-' "/proc/$PID/maps")
	attach --for 400ms "$PID"
	[ "$first" != "$PROFILE" ]
	[ "$(grep -c 'libsmartprof.so.attached-' "/proc/$PID/maps")" -eq "$maps" ]
	at_least "$(front cpu_samples "$PROFILE")" "$(by_clock 5 1)"
	at_least "$(front wall_seconds "$PROFILE")" "$(front cpu_user_seconds "$PROFILE")"
	stop
}

@test "the shares of a program that only computes are right, whichever thread loads the library" {
	begin "$TARGETS/cpu_truth" 60
	attach_while_it_uses 1 "$PID"
	at_least "$(front cpu_samples "$PROFILE")" "$(by_clock 100 25)"
	# of ten functions whose costs are as 1:2:…:10
	has_its_share work_10 "$PROFILE"
	begin "$TARGETS/cpu_truth" 60 3
	attach_while_it_uses 0.9 "$PID"
	at_least "$(front threads "$PROFILE")" 3
	has_its_share work_10 "$PROFILE"
}

# attach_while_it_uses SECONDS PID: of CPU time; then it is killed. The path of the profile in PROFILE.
attach_while_it_uses() {
	"$SMARTPROF" attach "$2" >path 2>said &
	local command=$!
	eventually grep -q 'Ctrl-C detaches' said
	has_worked "$1" "$2"
	kill -INT "$command"
	wait "$command" || fail "$(cat said)"
	PROFILE=$(cat path)
	kill "$2"
	wait "$2" || true
}

# has_its_share FUNCTION FILE: of the sampled CPU time it and what it calls have used 10 of 55 parts, give or take twice the error
# that samples leave, which is missed once in 10,000 times, and a twentieth for a round that was not over.
has_its_share() {
	section '## All functions' "$2" | awk -F'\t' -v name="$1" -v all="$(front cpu_sampled_seconds "$2")" \
		-v samples="$(front cpu_samples "$2")" '$9 == name { sum += $3 + $4 }
		END { share = sum / all / 1e9; d = share - 10 / 55; if (d < 0) d = -d; print share
			exit !(d <= 3.92 * sqrt(10 / 55 * 45 / 55 / samples) + 0.01) }' || fail "$1 has not its share"
}

@test "Ctrl-C detaches and writes the profile; while it is attached nobody else can attach" {
	worker
	"$SMARTPROF" attach --output here.md "$PID" >path 2>said &
	local command=$!
	eventually grep -q 'Ctrl-C detaches' said
	"$SMARTPROF" report "$PID" >so_far.md
	[ "$(front schema so_far.md)" = smartprof/1 ]
	local status=0
	"$SMARTPROF" attach "$PID" 2>again || status=$?
	[ "$status" -eq 1 ]
	grep -q "is attached to already; smartprof report $PID shows .*, smartprof detach $PID ends it" again
	kill -INT "$command"
	wait "$command"
	[ "$(cat path)" = "$WORK/here.md" ]
	stop
}

@test "detach ends it from elsewhere, and writes what a killed attach has left" {
	worker
	"$SMARTPROF" attach "$PID" >path 2>said &
	local command=$!
	eventually grep -q 'Ctrl-C detaches' said
	"$SMARTPROF" detach "$PID" 2>told
	wait "$command"
	[ -f "$(cat path)" ]
	"$SMARTPROF" attach "$PID" >/dev/null 2>said &
	command=$!
	eventually grep -q 'Ctrl-C detaches' said
	has_worked 0.1 "$PID"
	kill -KILL "$command"
	wait "$command" || true
	"$SMARTPROF" detach "$PID" >path 2>told
	[ "$(front program "$(cat path)")" = python3 ]
	status_of 1 "$SMARTPROF" detach "$PID" 2>told
	grep -q "process $PID is not attached to; smartprof attach $PID does that" told
	stop
	rm -f /dev/shm/libsmartprof.so.attached-*
}

@test "what is attached to can be stopped and started by smartprof ctl" {
	worker
	"$SMARTPROF" attach --for 60s "$PID" >path 2>said &
	local command=$!
	eventually grep -q 'Ctrl-C detaches' said
	"$SMARTPROF" ctl "$PID" stop
	"$SMARTPROF" ctl "$PID" start
	"$SMARTPROF" ctl "$PID" mark here
	kill -INT "$command"
	wait "$command"
	grep -q here "$(cat path)"
	stop
}

@test "a process that ends while it is attached has its profile, however it ends" {
	worker
	"$SMARTPROF" attach "$PID" >path 2>said &
	local command=$!
	eventually grep -q 'Ctrl-C detaches' said
	has_worked 0.1 "$PID"
	stop
	wait "$command"
	grep -q "process $PID has ended" said
	[ "$(front exit "$(cat path)")" = 0 ]
	worker
	"$SMARTPROF" attach "$PID" >path 2>said &
	command=$!
	eventually grep -q 'Ctrl-C detaches' said
	has_worked 0.1 "$PID"
	kill -KILL "$PID"
	wait "$command"
	[ "$(front exit "$(cat path)")" = unknown ]
}

@test "a child that it forks, and a program that it becomes, are left alone" {
	cat >forks.py <<-'PY'
		import os, time
		open("going", "w")
		time.sleep(1.2)
		for i in range(10):
		    if os.fork() == 0:
		        sum(range(200000))
		        os._exit(7)
		    assert os.waitstatus_to_exitcode(os.wait()[1]) == 7
		print("forked", flush=True)
		os.execvp("sh", ["sh", "-c", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; echo became"])
	PY
	python forks.py
	attach "$PID"
	wait
	[ "$(tr '\n' ' ' <out)" = "forked became " ] || fail "$(cat out err)"
	[ ! -s err ]
	grep -qE 'became another program|has ended' said
}

@test "few times the two wait for each other while a thread is stopped" {
	local i before least=100
	for i in 1 2 3 4; do
		begin sleep 30
		before=$(awk '{ print $3 }' "/proc/$PID/schedstat")
		attach --for 1ms "$PID"
		i=$(($(awk '{ print $3 }' "/proc/$PID/schedstat") - before))
		[ "$i" -ge "$least" ] || least=$i
		kill "$PID"
	done
	[ "$least" -ge 2 ] && [ "$least" -le 9 ] || fail "it ran $least times"
}

@test "no wait is broken off, in all ways to wait, by attaching again and again" {
	local i n=0
	begin "$TARGETS/waits" "$(long 30 4000)" 20 2
	for ((i = 0; i < $(long 4 300); i++)); do
		kill -0 "$PID" 2>/dev/null || break
		if attach --for 20ms "$PID"; then n=$((n + 1)); fi # it may just have ended
	done
	wait "$PID" || fail "$(tail -n 5 out)"
	at_least "$n" 1
	n=0
	begin "$TARGETS/polls" "$(long 300 4000)"
	for ((i = 0; i < $(long 4 300); i++)); do
		kill -0 "$PID" 2>/dev/null || break
		if attach --for 20ms "$PID"; then n=$((n + 1)); fi
	done
	wait "$PID" || fail "$(tail -n 5 out)"
	at_least "$n" 1
}

# storm TIMES PID NAME: attaches so often; each works, and the process lives.
storm() {
	local i
	for ((i = 0; i < $1; i++)); do
		attach --for 30ms --output storm.md "$2"
		kill -0 "$2" || fail "$3 died"
	done
}

@test "redis under load loses no command" {
	command -v redis-server >/dev/null || skip "no redis"
	begin redis-server --port 0 --unixsocket "$WORK/r.sock" --save ''
	answers() { [ "$(redis-cli -s r.sock ping 2>/dev/null)" = PONG ]; }
	eventually answers
	redis-benchmark -s r.sock -l -n 20000 -c 20 -q -t set,get >bench 2>&1 & # over and over; ends with a connection that is lost
	local bench=$!
	storm "$(long 4 1000)" "$PID" redis-server
	eventually grep -q 'requests per second' bench
	kill -TERM "$bench" || fail "$(tail -n 3 bench)"
	wait "$bench" || true
	grep -q 'requests per second' bench
	refuse grep -qi error bench
	[ "$(front program storm.md)" = redis-server ]
	redis-cli -s r.sock shutdown nosave
	wait
}

@test "python3 in asyncio misses no deadline by an attach" {
	cat >tasks.py <<-'PY'
		import asyncio, os
		async def work(n):
		    while not os.path.exists("stop"):
		        await asyncio.sleep(0.002)
		        sum(range(2000))
		async def main():
		    open("going", "w")
		    await asyncio.gather(*[work(i) for i in range(20)])
		asyncio.run(main())
		print("done")
	PY
	python tasks.py
	storm "$(long 3 1000)" "$PID" python3
	stop
}

@test "node serves all requests" {
	command -v node >/dev/null || skip "no node"
	cat >serve.js <<-'JS'
		const http = require("http"), fs = require("fs");
		const server = http.createServer((q, r) => { let x = 0; for (let i = 0; i < 1e5; i++) x += i; r.end("" + x); });
		server.listen("n.sock", () => {
			let bad = 0, good = 0;
			const go = () => {
				if (fs.existsSync("stop")) { console.log(bad, good > 0); process.exit(bad ? 1 : 0); }
				http.get({socketPath: "n.sock"}, r => { r.resume(); r.on("end", () => { good++; go(); }); })
					.on("error", () => { bad++; go(); });
			};
			for (let i = 0; i < 4; i++) go();
			fs.writeFileSync("going", "");
		});
	JS
	begin node serve.js
	eventually [ -e going ]
	storm "$(long 2 1000)" "$PID" node
	stop "0 true"
}

@test "a long epoll_wait goes on for what is left of it, on whichever CPU it began" {
	local cpu at=0 cpus
	cpus=($(first_and_last_cpu))
	cat >poll.py <<-'PY'
		import select, time
		poll = select.epoll()
		begin = time.time()
		poll.poll(2.5)
		print("on time" if 2.4 < time.time() - begin < 3.6 else f"after {time.time() - begin:.1f} s")
	PY
	in_epoll() { grep -qE '^(232|281) ' "/proc/$PID/syscall"; } # epoll_wait, epoll_pwait
	for cpu in "${cpus[@]}"; do
		begin taskset -c "$cpu" python3 poll.py
		eventually in_epoll
		sleep 1.2
		taskset -pc "${cpus[-++at]}" $BASHPID >out.taskset
		attach --for 10ms "$PID"
		stop "on time"
	done
}

@test "postgres fails no transaction, though it waits for SIGURG itself" {
	[ -n "${SP_LONG-}" ] || skip "with LONG=1"
	local bin place client
	bin=$(find /usr/lib/postgresql -maxdepth 2 -name bin 2>/dev/null | head -n 1)
	[ -n "$bin" ] && [ "$EUID" -eq 0 ] && id postgres >/dev/null || skip "no postgres"
	place=$(mktemp -d /tmp/attached.XXXXXX)
	chown postgres "$place"
	as_postgres() { (cd "$place" && setpriv --reuid=postgres --regid=postgres --clear-groups "$@"); }
	as_postgres "$bin/initdb" -D "$place/data" >/dev/null
	as_postgres "$bin/pg_ctl" -D "$place/data" -o "-k $place -h ''" -w -l "$place/log" start >/dev/null
	as_postgres pgbench -h "$place" -i -s 1 postgres >/dev/null 2>&1
	as_postgres pgbench -h "$place" -T 7200 -P 1 -c 4 postgres >bench 2>&1 &
	sleep 2
	client=$(pgrep -f "^pgbench -h $place -T")
	PID=$(head -n 1 "$place/data/postmaster.pid")
	storm 300 "$PID" postmaster
	storm 700 "$(pgrep -P "$PID" -f 'postgres: postgres postgres' | head -n 1)" backend
	kill -TERM "$client"
	grep -q ' 0 failed' bench
	refuse grep -E 'aborted|error| [1-9][0-9]* failed' bench
	as_postgres "$bin/pg_ctl" -D "$place/data" -m fast -w stop
	refuse grep -iE 'crash|panic|terminated by' "$place/log"
	rm -rf "$place" "/dev/shm/smartprof-$(id -u postgres)"
}

@test "sixteen threads in malloc go on" {
	begin "$TARGETS/mallocs" 16
	storm "$(long 1 1000)" "$PID" mallocs
	kill -TERM "$PID"
	wait "$PID" || fail "status $?"
}

@test "killed at any moment, the command leaves a process that goes on" {
	cat >killer.py <<-'PY'
		import os, random, signal, subprocess, sys, time
		smartprof, pid, times = sys.argv[1], sys.argv[2], int(sys.argv[3])
		def tracer():
		    with open(f"/proc/{pid}/status") as f:
		        return next(int(l.split()[1]) for l in f if l.startswith("TracerPid"))
		hit = 0
		for i in range(times):
		    attach = subprocess.Popen([smartprof, "attach", "--for", "5s", pid], stdout=subprocess.DEVNULL,
		                              stderr=subprocess.DEVNULL)
		    until = time.time() + 3
		    while time.time() < until and attach.poll() is None and tracer() != attach.pid:
		        pass
		    until = time.time() + random.random() * 0.004
		    while time.time() < until:
		        pass
		    hit += tracer() == attach.pid
		    attach.kill()
		    attach.wait()
		    os.kill(int(pid), 0)
		    subprocess.run([smartprof, "detach", pid], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
		print(hit)
	PY
	worker
	at_least "$(python3 killer.py "$SMARTPROF" "$PID" "$(long 8 500)")" 1
	stop
	rm -f /dev/shm/libsmartprof.so.attached-*
}

@test "what cannot be attached to is refused with the reason, and left alone" {
	status_of 2 "$SMARTPROF" attach 2>said
	status_of 2 "$SMARTPROF" attach 999999999 2>said
	grep -q 'there is no process 999999999' said
	if [ -e /proc/2/status ] && ! grep -q ^VmSize /proc/2/status; then # a container's is an ordinary process
		refused 'a part of the kernel, or ending|cannot be looked at' 2
	fi
	begin "$TARGETS/cpu_truth_static" 20
	refused 'is statically linked' "$PID"
	kill "$PID"
	# The name is all that tells: nothing with musl is here.
	cp "$TARGETS/cpu_truth_static" ld-musl-x86_64.so.1
	begin ./ld-musl-x86_64.so.1 20
	refused 'uses musl, and the agent needs glibc' "$PID"
	kill "$PID"
	begin "$TARGETS/deny" event=1 sleep 20
	refused 'has a seccomp filter' "$PID"
	kill "$PID"
	begin sleep 20
	kill -STOP "$PID"
	refused "is stopped; let it go on first \(kill -CONT $PID\)" "$PID"
	kill -KILL "$PID"
	begin env LD_PRELOAD="$AGENT" sleep 20
	local status=0
	"$SMARTPROF" attach "$PID" 2>said || status=$?
	[ "$status" -eq 1 ]
	grep -q "has the agent from its start; smartprof report $PID shows" said
	kill "$PID"
	wait || true
}

@test "what another build has put into a process is left alone" {
	mkdir other
	cp "$SMARTPROF" "$AGENT" other
	python3 -c 'import sys
with open(sys.argv[1], "r+b") as f:
    data = f.read(4096)
    f.seek(data.index(b"GNU\0") + 4)
    f.write(b"another build")' "other/$(basename "$AGENT")"
	worker
	other/smartprof attach --for 20ms --output before.md "$PID" >/dev/null 2>said
	status_of 1 "$SMARTPROF" attach --for 20ms "$PID" 2>said
	grep -q "process $PID has the agent of another build of smartprof from an attach before" said
	other/smartprof attach --for 20ms --output after.md "$PID" >/dev/null 2>said
	stop
}

@test "where there is no memory for it, that is said, and the process goes on" {
	local size
	for size in 200 2500; do
		begin sleep 5
		prlimit --pid "$PID" --as=$((($(awk '/VmSize/ { print $2 }' "/proc/$PID/status") + size) * 1024))
		status_of 1 "$SMARTPROF" attach --for 10ms "$PID" 2>said
		grep -qE 'loader of process [0-9]+ has refused the library|cannot work in it: .*(no memory|no room)' said ||
			fail "$(cat said)"
		kill "$PID"
		status_of 143 wait "$PID" # it was there
	done
}

@test "a process that has a tracer, and a 32-bit one, are refused" {
	begin sleep 20
	perl -e 'syscall(101, 0x4206, $ARGV[0] + 0, 0, 0) == 0 or die; print "seized\n"; $| = 1; sleep 20' "$PID" >tracer &
	local tracer=$!
	eventually grep -q "TracerPid:.$tracer$" "/proc/$PID/status"
	refused "is traced by process $tracer \(perl\)" "$PID"
	kill -KILL "$tracer" "$PID"
	cat >pause.s <<-'S'
		.globl _start
		_start: mov $29, %eax
		int $0x80
		jmp _start
	S
	as --32 -o pause.o pause.s && ld -m elf_i386 -o pause32 pause.o
	if ! timeout 0.2 ./pause32; [ $? -eq 124 ]; then
		begin ./pause32
		refused 'is a 32-bit program' "$PID"
		kill "$PID"
	fi
	wait || true
}

@test "another user's process needs root, and a setuid one is refused to everybody" {
	needs_root
	begin sleep 20
	local place
	place=$(mktemp -d /tmp/attached.XXXXXX)
	cp "$SMARTPROF" "$AGENT" "$place"
	chmod 755 "$place"
	(cd / && status_of 1 setpriv --reuid=65534 --regid=65534 --clear-groups env HOME=/nonexistent "$place/smartprof" attach "$PID" 2>"$WORK/said")
	grep -q "is user 0's; attach as that user or as root" said
	kill "$PID"
	cp "$(command -v sleep)" "$place/sleep"
	chmod 4755 "$place/sleep"
	(cd / && exec setpriv --reuid=65534 --regid=65534 --clear-groups "$place/sleep" 20) &
	PID=$!
	settled
	refused 'runs with other rights than its user|more rights than its caller' "$PID"
	kill "$PID"
	# Root attaches to anybody's, and its profile goes where root says.
	(cd / && exec setpriv --reuid=65534 --regid=65534 --clear-groups "$(command -v perl)" -e "$BUSY") &
	PID=$!
	settled
	attach --for 500ms "$PID"
	[[ $PROFILE = "$SMARTPROF_DIR"/* ]]
	[ "$(front program "$PROFILE")" = perl ]
	at_least "$(front cpu_samples "$PROFILE")" "$(by_clock 10 1)"
	wait
	rm -rf "$place" /dev/shm/smartprof-65534
}

@test "a process with a place of its own for shared memory is attached to there" {
	needs_root
	unshare --mount true 2>/dev/null || skip "no mount namespaces"
	cat >own.sh <<-'SH'
		mount -t tmpfs -o mode=1777 own /dev/shm && exec perl -e "$BUSY"
	SH
	export BUSY
	begin unshare --mount --propagation private sh own.sh
	attach --for 500ms "$PID"
	at_least "$(front cpu_samples "$PROFILE")" "$(by_clock 10 1)"
	refuse compgen -G "/dev/shm/smartprof-$EUID/$PID.*"
	wait
}
