# smartprof run: the application's status, and a word when there will be no profile.
load helpers

@test "the exit status is the application's" {
	status_of 0 "$SMARTPROF" run -- true
	status_of 7 "$SMARTPROF" run -- "$TARGETS/ends" exit 0.2
	status_of 143 "$SMARTPROF" run -- "$TARGETS/ends" term-self 0.2
	status_of 137 "$SMARTPROF" run -- "$TARGETS/ends" kill9 0.2
	status_of 127 "$SMARTPROF" run -- /nonexistent 2>err
	touch plain-file
	status_of 126 "$SMARTPROF" run -- ./plain-file 2>err
}

@test "--env, --interval, --dir and --output reach the agent" {
	"$SMARTPROF" run --env production --interval 3000 --output "$WORK/here.md" -- "$TARGETS/cpu_truth" 0.5
	check_profile here.md
	[ "$(front environment here.md)" = production ]
	[ "$(front cpu_interval_requested_us here.md)" = 3000 ]
}

@test "a killed program's profile is there when run returns" {
	"$SMARTPROF" run -- "$TARGETS/ends" kill9 0.4 || true
	[ -n "$(find "$SMARTPROF_DIR" -name 'ends.*.md')" ]
}

@test "a program that ends by an instruction of its own has all its time told, whether or not it could be sampled" {
	status_of 7 "$SMARTPROF" run -- "$TARGETS/raw_end" 0.3
	profile=$(profile_of raw_end)
	at_least "$(front cpu_sampled_seconds "$profile")" 0.28
	[ "$(front exit "$profile")" = 7 ]
	rm -rf "$SMARTPROF_DIR"
	status_of 7 "$SMARTPROF" run -- env --block-signal "$TARGETS/raw_end" 0.3
	profile=$(profile_of raw_end)
	near "$(front cpu_unsampled_seconds "$profile")" 0.3 5
	[ "$(front exit "$profile")" = 7 ]
	rm -rf "$SMARTPROF_DIR"
	"$SMARTPROF" run -- "$TARGETS/raw_unblock" 1 0.3
	at_least "$(all_functions_seconds "$(profile_of raw_unblock)")" 0.29
}

@test "static, setuid, scripts and text are told before the start" {
	"$SMARTPROF" run -- "$TARGETS/cpu_truth_static" 0.1 >out 2>err
	grep -qi static err
	[ "$(wc -l <out)" -eq 10 ]
	if [ "$(id -u)" -eq 0 ]; then
		cp "$TARGETS/ends" suid && chown 65534 suid && chmod 4755 suid
		status_of 7 "$SMARTPROF" run -- ./suid exit 0.1 2>err
		grep -qi setuid err
	fi
	printf '#!/usr/bin/env python3\nprint("script")\n' >script && chmod +x script
	[ "$("$SMARTPROF" run -- ./script 2>err)" = script ]
	printf '#!/bin/busybox sh\necho script\n' >script
	"$SMARTPROF" run -- ./script >out 2>err || true
	[ ! -x /bin/busybox ] || grep -qi static err
}

@test "signals sent to run reach the application" {
	"$SMARTPROF" run -- "$TARGETS/ends" wait 0.3 >out 3>&- &
	pid=$!
	eventually test -s out
	kill -TERM $pid
	status=0
	wait $pid || status=$?
	[ "$status" -eq 143 ]
	[ "$(front exit "$(profile_of ends)")" = "signal 15" ]
}

@test "--help everywhere, --version, and near misses" {
	"$SMARTPROF" --version | grep -q '[0-9]\.[0-9]'
	for command in run config report validate recover; do
		"$SMARTPROF" --help | grep -q "$command"
		"$SMARTPROF" $command --help | grep -qi usage
	done
	status_of 2 "$SMARTPROF" reprot 2>err
	grep -q report err
	status_of 2 "$SMARTPROF" run --bogus -- true 2>err
	status_of 2 "$SMARTPROF" report /nonexistent 2>err
	[ "$(wc -l <err)" -eq 1 ]
	head -c 5000 /dev/urandom >noise
	status_of 2 "$SMARTPROF" report noise 2>err
	[ "$(wc -l <err)" -eq 1 ]
}

@test "run knows how its program ended, also when the program cannot tell" {
	status_of 137 "$SMARTPROF" run -- "$TARGETS/ends" kill9 0.3 >out
	[ "$(front exit "$(profile_of ends)")" = "signal 9" ]
}

@test "an --output that cannot be written is told before the program runs" {
	status_of 2 "$SMARTPROF" run --output /proc/nowhere/x.md -- touch ran 2>err
	[ "$(wc -l <err)" -eq 1 ]
	[ ! -e ran ]
}

@test "SMARTPROF_VERBOSE tells why there is no profile" {
	SMARTPROF_VERBOSE=1 LD_PRELOAD=$AGENT /bin/true 2>err
	grep -q 'no profile: ' err
	SMARTPROF_VERBOSE=1 SMARTPROF_ENABLED=0 LD_PRELOAD=$AGENT /bin/true 2>err
	grep -q 'not profiling: SMARTPROF_ENABLED' err
	SMARTPROF_VERBOSE=1 SMARTPROF_PROGRAM=other LD_PRELOAD=$AGENT /bin/true 2>err
	grep -q 'not profiling: .*SMARTPROF_PROGRAM' err
}

@test "SMARTPROF_FOLLOW says which children are profiled" {
	cat >job.sh <<-'SH'
		for ((i = 0; i < 60000; i++)); do :; done
		(for ((i = 0; i < 60000; i++)); do :; done; :)
		/usr/bin/python3 -c 'print(sum(i for i in range(3000000)))'
	SH
	for expected in "exec 2 1" "fork 2 0" "none 1 0"; do
		set -- $expected
		rm -rf "$SMARTPROF_DIR"
		SMARTPROF_FOLLOW=$1 profiled bash job.sh >out
		[ "$(find "$SMARTPROF_DIR" -name 'bash.*.md' | wc -l)" -eq "$2" ]
		[ "$(find "$SMARTPROF_DIR" -name 'python3*.md' | wc -l)" -eq "$3" ]
	done
}

@test "a --dir that cannot be written is told before the program runs" {
	echo mine >file
	for place in file file/below /proc/none /sys/kernel; do
		status_of 2 "$SMARTPROF" run --dir $place -- touch ran 2>err
		[ ! -e ran ] && [ "$(wc -l <err)" -eq 1 ] && grep -q "run: profiles cannot be written to $place: " err || fail "$(cat err)"
		SMARTPROF_DIR=$place status_of 2 "$SMARTPROF" run -- touch ran 2>err
		[ ! -e ran ]
	done
	mkdir directory
	status_of 2 "$SMARTPROF" run --output directory -- touch ran 2>err
	grep -q 'directory: Is a directory' err
	[ ! -e ran ]
	"$SMARTPROF" run --dir new/one -- "$TARGETS/cpu_truth" 0.1 >out
	SMARTPROF_DIR=new/one profile_of cpu_truth
	unset SMARTPROF_DIR
	echo mine >profiles
	"$SMARTPROF" run -- "$TARGETS/cpu_truth" 0.1 >out 2>err
	grep -q "they go to $XDG_STATE_HOME/smartprof/profiles" err
	XDG_STATE_HOME=$WORK/file status_of 2 "$SMARTPROF" run -- touch ran 2>err
	[ ! -e ran ]
}
