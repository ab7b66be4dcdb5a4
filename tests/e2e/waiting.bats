# Where the time of threads goes: the sum closes, and agrees with what the program knows itself.
load helpers

# agrees_to OURS TRUTH LEAST: within 2 % of the truth, or LEAST seconds.
agrees_to() {
	awk -v a="${1:-nothing}" -v b="$2" -v least="$3" 'BEGIN {
		d = a - b; if (d < 0) d = -d
		exit !(a == a + 0 && (d <= 0.02 * b || d <= least))
	}' || fail "$1 s, truth $2 s"
}

truth() {
	awk -v name="$1" '$1 == name { print $2 }' truth
}

# What the front matter says adds up, to the last digit it has.
closes() {
	awk -F': ' '/^(cpu_user|cpu_system|run_queue|blocked)_seconds: / { sum += $2 } /^thread_seconds: / { all = $2 }
		END { d = sum - all; exit !(all > 0 && d < 0.005 && d > -0.005) }' "$1" || fail "the sum does not close"
}

# share_in KIND MODE: of the time blocked, which of that kind is as the program has measured itself, within 3 points, and a
# little of what calls on a busy machine have in them of the run queue, which not every call is asked for.
share_in() {
	local blocked ours theirs
	blocked=$(front blocked_seconds "$profile")
	ours=$(front "blocked_$1_seconds" "$profile")
	theirs=$(truth "$1_seconds")
	awk -v a="${ours:-0}" -v b="$theirs" -v all="$blocked" -v whole="$(truth blocked_seconds)" \
		-v queue="$(truth run_queue_seconds)" 'BEGIN {
		d = a / all - b / whole; most = 0.03 + 0.1 * queue / whole; exit !(d < most && d > -most) }' ||
		fail "$2: $ours of $blocked s in $1, truth $theirs of $(truth blocked_seconds)"
}

# The process takes some milliseconds before main and after what it tells, and longer on a busy machine.
agrees() {
	local profile=$1 key least
	closes "$profile"
	least=$(awk -v queue="$(truth run_queue_seconds)" 'BEGIN { print 0.06 + 0.1 * queue }')
	for key in thread_seconds run_queue_seconds blocked_seconds; do
		agrees_to "$(front $key "$profile")" "$(truth $key)" "$least"
	done
}

waits() {
	rm -rf "$SMARTPROF_DIR"
	profiled "$TARGETS/waiting" "$@" >truth
	profile=$(profile_of waiting)
	agrees "$profile"
}

@test "sleeping, locks, conditions, pipes, the disk: wall time is CPU, run queue and blocked" {
	for mode in sleep locks rwlock condition pipe sync; do
		waits $mode "$(long 0.7 3)"
		for kind in lock condition read sync sleep; do share_in $kind $mode; done
		grep -q '^# Waiting$' "$profile"
	done
}

@test "waits of some microseconds are told in production too, though few of them are looked at" {
	for mode in short mixed; do
		SMARTPROF_ENV=production waits $mode "$(long 0.7 3)"
		share_in read $mode
		share_in condition $mode
	done
}

@test "on a busy machine what calls wait for a CPU is not what they were blocked for" {
	for i in 1 2 3 4 5 6; do timeout 60 sh -c 'while :; do :; done' & done
	for mode in locks condition; do
		waits $mode "$(long 0.7 3)"
		at_least "$(front run_queue_seconds "$profile")" 0.1
		for kind in lock condition sleep; do share_in $kind $mode; done
	done
	kill $(jobs -p)
	wait
}

@test "more runnable threads than cores wait for a CPU, and are not said to be blocked" {
	waits queue "$(long 1 4)"
	at_least "$(front run_queue_seconds "$profile")" 0.5
	grep -q ' threads were on a CPU for .* waited for one for ' "$profile"
}

@test "short threads' time is accounted for, to the last of them" {
	profiled "$TARGETS/short_threads" 2000 >out
	profile=$(profile_of short_threads)
	closes "$profile"
	at_least "$(front thread_seconds "$profile")" "$(front wall_seconds "$profile")"
}

@test "a killed process's time is accounted for until it was last seen" {
	LD_PRELOAD=$AGENT "$TARGETS/waiting" queue 60 &
	pid=$!
	eventually has_used 0.3 $pid
	kill -9 $pid
	wait $pid || true
	profile=$(recovered waiting)
	closes "$profile"
	at_least "$(front run_queue_seconds "$profile")" 0.2
}

@test "threads that were there before the agent, and those of a window" {
	"$TARGETS/waiting" locks 4 >truth &
	pid=$!
	sleep 0.3
	profile=$("$SMARTPROF" attach --for 1s "$pid")
	wait $pid
	closes "$profile"
	at_least "$(front blocked_seconds "$profile")" 2
}

# quota_group QUOTA_US: a control group with so much in each 100 ms, its directory in GROUP, which is of version 1 or 2.
quota_group() {
	local base
	for base in /sys/fs/cgroup/cpu /sys/fs/cgroup /sys/fs/cgroup/unified; do
		GROUP=$base/smartprof-test-$$
		if [ -e $base/cpu.cfs_quota_us ] && mkdir "$GROUP" 2>/dev/null; then
			if echo "$1" 2>/dev/null >"$GROUP/cpu.cfs_quota_us"; then return 0; fi
		elif grep -qw cpu $base/cgroup.subtree_control 2>/dev/null && mkdir "$GROUP" 2>/dev/null; then
			if echo "$1 100000" 2>/dev/null >"$GROUP/cpu.max"; then return 0; fi
		fi
		rmdir "$GROUP" 2>/dev/null || true
	done
	return 1
}

@test "time that a control group's quota denies is told apart" {
	needs_root
	quota_group 10000 || skip "no control group with a quota can be made here"
	(
		echo "$BASHPID" >"$GROUP/cgroup.procs"
		LD_PRELOAD=$AGENT exec "$TARGETS/waiting" queue 0.2 >truth
	)
	rmdir "$GROUP"
	profile=$(profile_of waiting)
	agrees "$profile"
	at_least "$(front throttled_seconds "$profile")" 0.5
	at_least "$(front throttled_periods "$profile")" 5
	grep -q 'of that, for want of quota' "$profile"
	grep -q 'Next: .*the quota of their control group was used up' "$profile"
}

@test "threads that still wait when the process ends wait in something" {
	mkfifo hold
	sleep 2 >hold &
	LD_PRELOAD=$AGENT "$TARGETS/stuck" <hold >/dev/null
	profile=$(profile_of stuck)
	closes "$profile"
	for kind in lock condition read sleep poll; do at_least "$(front "blocked_${kind}_seconds" "$profile")" 1.5; done
	grep -q '| blocked: lock |' "$profile"
}

@test "a wait that the end of the process cuts off is told: by a handler that exits, and by a signal that ends it" {
	for how in 14:poll 14:read 14:lock 14:condition 15:sleep; do
		IFS=: read -r signal kind <<<"$how"
		rm -rf "$SMARTPROF_DIR"
		LD_PRELOAD=$AGENT "$TARGETS/cut_off" "$kind" "$signal" || true
		profile=$(profile_of cut_off)
		closes "$profile"
		at_least "$(front "blocked_${kind}_seconds" "$profile")" 0.29
	done
}
