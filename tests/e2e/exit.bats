# A program's other threads while its end waits for the profile: held, as the real end would stop them an instant later.
load helpers

# ends_well KIND WAY MS [agent]: one run of past_exit; what is not as it should be is a line on standard output.
ends_well() {
	local kind=$1 way=$2 ms=$3 want=5 status=0 out
	[ "$way" != term ] || want=143
	out=$(timeout -k 5 "$PATIENCE" ${4+env LD_PRELOAD="$AGENT"} "$TARGETS/past_exit" "$kind" "$way" "$ms" 2>&1) ||
		status=$?
	[ "$status" -eq "$want" ] || echo "$kind $way${4+ profiled}: status $status, $out"
	case $way in # only exit flushes what stdio has kept back
	return | exit | thread | handler) [[ $out = "threads of past_exit at $kind"*"kept back until the end" ]] ;;
	*) [ "$out" = "threads of past_exit at $kind" ] ;;
	esac || echo "$kind $way${4+ profiled}: printed $out"
}
export -f ends_well

# all_end_well RUNS KINDS WAYS MS [agent]: eight at a time, more runnable threads than processors.
all_end_well() {
	local runs=$1 kinds=$2 ways=$3
	export AGENT TARGETS PATIENCE
	for run in $(seq "$runs"); do
		for kind in $kinds; do
			for way in $ways; do echo "$kind $way $4 ${5-}"; done
		done
	done | xargs -P 8 -L 1 bash -c 'ends_well "$@" 2>/dev/null' ends_well >faults
	[ ! -s faults ] || { sort faults | uniq -c | head -n 20 >&2; fail "not as without the agent"; }
}

slow_renderer() {
	printf '#!/bin/sh\nexec sleep %s\n' "$1" >slow
	chmod +x slow
	export SMARTPROF_BIN=$WORK/slow
}

@test "threads do not run on over what is destroyed while the program waits for its profile" {
	slow_renderer 0.8
	all_end_well "$(long 1 50)" "mixed stdio malloc blocked spawn create fork idle" "return exit thread handler" 500
	all_end_well "$(long 6 1000)" "mixed stdio malloc blocked spawn create fork idle" return 500 agent
	all_end_well "$(long 2 100)" "mixed stdio malloc blocked spawn create fork idle" "thread handler" 500 agent
	all_end_well "$(long 1 60)" "mixed create fork" "_exit quick_exit term" 500 agent
}

@test "a program with threads that cannot be held does not wait" {
	slow_renderer 6
	all_end_well "$(long 2 100)" deaf "return thread handler _exit" 4000 agent
	unset SMARTPROF_BIN
	profiled "$TARGETS/past_exit" deaf return 2000 || true
	profile_of past_exit
}

@test "ends with threads as without, and the profile stands" {
	for kind in mixed stdio create; do
		rm -rf "$SMARTPROF_DIR"
		same_run "$TARGETS/past_exit" $kind return 1000
		[ "$(front exit "$(profile_of past_exit)")" = 5 ]
	done
}

# late_renderer SECONDS: the command, after some time.
late_renderer() {
	printf '#!/bin/sh\n: >"%s/rendering.$$"\nsleep %s\nexec "%s" "$@"\n' "$WORK" "$1" "$SMARTPROF" >late
	chmod +x late
	export SMARTPROF_BIN=$WORK/late
}
renderers_are() { # COUNT: at work
	[ "$(find . -maxdepth 1 -name 'rendering.*' | wc -l)" -ge "$1" ]
}

@test "report, compare and validate wait for a profile that is being written, and read the new one" {
	profiled "$TARGETS/cpu_truth" 0.2 >out
	old=$(profile_of cpu_truth)
	late_renderer 2
	for what in "report $SMARTPROF_DIR/development/latest.md" "validate $SMARTPROF_DIR/development" "compare $SMARTPROF_DIR/development $old"; do
		rm -f rendering.*
		before=$(find "$SMARTPROF_DIR" -name 'cpu_truth.*' | wc -l)
		profiled "$TARGETS/cpu_truth" 0.2 >out 3>&- &
		eventually renderers_are 1
		# shellcheck disable=SC2086 # words
		(cd / && "$SMARTPROF" $what) >answer 2>>told || [ $? -eq 1 ] || { cat told >&2; fail "$what"; }
		after=$(find "$SMARTPROF_DIR" -name 'cpu_truth.*' | wc -l)
		[ "$after" -eq $((before + 1)) ] || fail "$what: did not wait"
		wait
	done
	grep -q 'waiting for a profile' told
	newest=$(profile_of cpu_truth)
	"$SMARTPROF" report "$SMARTPROF_DIR/development" 2>err | cmp - <("$SMARTPROF" report "$newest")
	[ ! -s err ]
}

@test "it waits for all that are being written, and for the file that was asked for" {
	late_renderer 1.2
	for n in 1 2 3; do profiled "$TARGETS/cpu_truth" 0.2 >out.$n 3>&- & done
	eventually renderers_are 3
	"$SMARTPROF" compare "$SMARTPROF_DIR/development" "$SMARTPROF_DIR/development" >answer || [ $? -eq 1 ]
	[ "$(find "$SMARTPROF_DIR" -name 'cpu_truth.*' | wc -l)" -eq 3 ]
	wait
	rm -f rendering.*
	SMARTPROF_OUTPUT=$WORK/asked.md profiled "$TARGETS/cpu_truth" 0.2 >out 3>&- &
	eventually renderers_are 1
	"$SMARTPROF" report asked.md >answer
	wait
}

@test "a spool that a renderer has is waited for; a running program, and what nobody renders, is not" {
	profiled "$TARGETS/cpu_truth" 0.2 >out
	LD_PRELOAD=$AGENT "$TARGETS/ends" kill9 0.3 >killed 3>&- &
	dead=$!
	wait $dead || true
	LD_PRELOAD=$AGENT "$TARGETS/ends" wait 0.5 >ready 3>&- &
	pid=$!
	eventually test -s ready
	"$SMARTPROF" report "$SMARTPROF_DIR/development" >answer 2>err
	[ ! -s err ]
	spool=$(find "/dev/shm/smartprof-$UID" -name "$dead.*.spool")
	/usr/bin/python3 - "$spool" >claimed 3>&- <<'PY' &
import fcntl, struct, sys, time
file = open(sys.argv[1], 'r+b')
fcntl.fcntl(file, 37, struct.pack('hhqqi4x', fcntl.F_WRLCK, 0, 1, 1, 0)) # F_OFD_SETLK
print('claimed', flush=True)
time.sleep(3)
PY
	eventually test -s claimed
	"$SMARTPROF" report "$SMARTPROF_DIR/development" >answer 2>err
	grep -q 'waiting for a profile' err
	kill -KILL $pid
	wait || true
}

@test "a program that has used up its address space or its descriptors is rendered, and ends at once" {
	for what in addresses descriptors; do
		rm -rf "$SMARTPROF_DIR"
		status=0
		(ulimit -v 1000000; ulimit -Sn 40; SMARTPROF_VERBOSE=1 profiled "$TARGETS/used_up" $what) 2>err || status=$?
		[ "$status" -eq 3 ] || fail "$what: status $status"
		[ ! -s err ] || fail "$what: $(cat err)"
		[ "$(front exit "$(profile_of used_up)")" = 3 ]
	done
	# Those that have no more to be had are told, and do not wait.
	(ulimit -n 40; SMARTPROF_VERBOSE=1 profiled "$TARGETS/used_up" descriptors) 2>err || [ $? -eq 3 ]
	grep -q 'smartprof recover' err
}
