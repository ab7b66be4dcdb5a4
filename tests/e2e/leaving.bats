# The end of a program as others see it: while it waits for its profile, and what it leaves to them.
load helpers

leaving() { timeout -k 5 "$PATIENCE" "$ROOT/tests/e2e/leaving.py" "$@"; }

# A renderer that takes its time, to look at the wait.
slow_renderer() {
	printf '#!/bin/sh\n: >rendering\nexec sleep %s\n' "$1" >slow
	chmod +x slow
	export SMARTPROF_BIN=$WORK/slow
}

@test "no signal ends a program because it waits for its profile" {
	slow_renderer 0.3
	for threads in "" thread; do
		killed=$(AGENT=$AGENT leaving signalled 6 "$TARGETS/late_default" $threads)
		[ "$killed" -le 2 ] || fail "$killed of 6 died of a signal ${threads:+(with a thread)}"
	done
}

@test "a signal that asks it to end shortens the wait, and the status is the program's" {
	slow_renderer 8
	for how in "" thread; do
		for number in 15 3; do
			read -r status seconds <<<"$(AGENT=$AGENT leaving told $number rendering "$TARGETS/late_default" $how)"
			[ "$status" -eq 7 ] || fail "signal $number: status $status"
			[ "$seconds" -le 4 ] || fail "signal $number: $seconds s"
		done
	done
}

@test "the keyboard stops a program that waits for its profile" {
	slow_renderer 2
	[ "$(AGENT=$AGENT leaving stopped rendering "$TARGETS/late_default")" = "T 7" ]
}

@test "whoever inherits orphans gets none of ours" {
	[ "$(AGENT=$AGENT leaving orphans "$(long 12 90)" "$TARGETS/cpu_truth" 0.2)" = 0 ]
	profile_of cpu_truth
}
