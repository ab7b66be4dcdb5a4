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
	all_end_well "$(long 1 10)" "mixed stdio malloc blocked spawn create fork idle" "return exit thread handler" 500
	all_end_well "$(long 6 1000)" "mixed stdio malloc blocked spawn create fork idle" return 500 agent
	all_end_well "$(long 2 50)" "mixed stdio malloc blocked spawn create fork idle" "thread handler" 500 agent
	all_end_well "$(long 1 50)" "mixed create fork" "_exit quick_exit term" 500 agent
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
