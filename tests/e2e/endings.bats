# However a program ends, its profile says what it did until then.
load helpers

ends() { # WAY STATUS: runs both ways, same bytes, that status
	same_run "$TARGETS/ends" "$1" 0.6
	[ "$(cat profiled.status)" -eq "$2" ] || fail "status $(cat profiled.status), not $2"
}

covers() { # FILE: at least 95 % of the 0.6 s
	at_least "$(all_functions_seconds "$1")" 0.57
}

@test "return, exit, _exit, quick_exit, the system call by its name, exit in a thread" {
	for way in return exit _exit quick_exit syscall thread-exit; do
		rm -rf "$SMARTPROF_DIR"
		ends $way 7
		profile=$(profile_of ends)
		[ "$(front exit "$profile")" = 7 ] || fail "$way: exit $(front exit "$profile")"
		covers "$profile"
	done
}

@test "SIGTERM, SIGINT, SIGHUP with default action: a profile, then the same signal" {
	for way in term:15 int:2 hup:1; do
		rm -rf "$SMARTPROF_DIR"
		ends "${way%:*}-self" $((128 + ${way#*:}))
		profile=$(profile_of ends)
		[ "$(front exit "$profile")" = "signal ${way#*:}" ] || fail "$way: exit $(front exit "$profile")"
		covers "$profile"
	done
}

@test "Ctrl-C while it waits" {
	env --default-signal=INT LD_PRELOAD="$AGENT" "$TARGETS/ends" wait 0.5 >out 3>&- &
	pid=$!
	eventually test -s out
	kill -INT $pid
	status=0
	wait $pid || status=$?
	[ "$status" -eq 130 ]
	[ "$(front exit "$(profile_of ends)")" = "signal 2" ]
}

@test "abort, SIGKILL, a crash: recovered afterwards" {
	for way in abort:134 kill9:137 segv:139; do
		rm -rf "$SMARTPROF_DIR"
		ends "${way%:*}" "${way#*:}"
		profile=$(recovered ends)
		[ "$(front exit "$profile")" != 0 ]
		covers "$profile"
	done
}

@test "what a process left that died while it made its spool is cleared away" {
	local spool=/dev/shm/smartprof-$UID/4000000.1.5tillb0rn.spool.new
	mkdir -p -m 700 "${spool%/*}"
	(umask 077 && truncate -s 100000 "$spool")
	"$SMARTPROF" recover
	[ -e "$spool" ] # it might be at it
	touch -d '5 minutes ago' "$spool"
	"$SMARTPROF" recover
	[ ! -e "$spool" ]
}

@test "recover renders a spool once and then has nothing left" {
	profiled "$TARGETS/ends" kill9 0.3 || true
	recovered ends
	"$SMARTPROF" recover --list >list
	refuse grep -w ends list
	[ "$(find "$SMARTPROF_DIR" -name 'ends.*.md' | wc -l)" -eq 1 ]
}

@test "a running process can be looked at" {
	LD_PRELOAD=$AGENT "$TARGETS/ends" wait 0.5 >out 3>&- &
	pid=$!
	eventually test -s out
	"$SMARTPROF" report $pid >running.md
	kill -KILL $pid
	wait $pid || true
	[ "$(front exit running.md)" = running ]
	grep -q spend running.md
}

@test "exec: the next program is not killed by a stray signal and both are profiled" {
	for round in $(seq 10); do
		same_run bash -c 'for ((i = 0; i < 60000; i++)); do :; done; exec /usr/bin/env -u LD_PRELOAD sh -c "
			i=0; while [ \$i -lt 50000 ]; do i=\$((i + 1)); done; echo survived"'
	done
	# Nobody was left to render the shell that became another program.
	recovered bash
}
