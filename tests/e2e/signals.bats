# Signals that are ours must not be felt, and those that are not must arrive.
load helpers

# beside_short_processes COMMAND…: while another loop starts one process after the other.
beside_short_processes() {
	local loop status=0
	(while :; do /bin/true; done) 3>&- &
	loop=$!
	"$@" || status=$?
	kill "$loop"
	wait "$loop" || true
	return "$status"
}

# waits_hold COMMAND…: in all four environments on a machine with more to do than it has processors.
waits_hold() {
	for environment in development production ci critical; do
		SMARTPROF_ENV=$environment beside_short_processes profiled "$@" >out ||
			fail "$environment: $(tr '\n' ' ' <out)"
	done
}

@test "no wait is broken on a busy machine" {
	waits_hold "$TARGETS/waits" "$(long 60 600)" 3 1
	SMARTPROF_HEAP_INTERVAL=4K SMARTPROF_OVERHEAD_BUDGET=50 waits_hold "$TARGETS/waits" "$(long 20 200)" 2 "$(nproc)"
}

@test "no wait is broken on a busy machine with timers alone, or the process's alone" {
	waits_hold "$TARGETS/deny" event=13 "$TARGETS/waits" "$(long 40 400)" 3 1
	waits_hold "$TARGETS/deny" event=13,threadtimer=1 "$TARGETS/waits" "$(long 40 400)" 3 1
}
