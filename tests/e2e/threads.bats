# Many threads, short threads, and whether the weights add up.
load helpers

# accounted FILE USAGE: samples and the explicit rest together are the CPU time the kernel counted.
accounted() {
	local kernel sum
	kernel=$(awk '{ print $1 + $2 }' "$2")
	sum=$(all_functions_seconds "$1")
	near "$sum" "$kernel" 2
	near "$(awk -v a="$(front cpu_user_seconds "$1")" -v b="$(front cpu_system_seconds "$1")" 'BEGIN { print a + b }')" \
		"$kernel" 2
}

counted() { # COMMAND…: profiled, with the kernel's count in ./usage
	timeout -k 5 "$PATIENCE" env USAGE_PRELOAD="$AGENT" "$TARGETS/usage" usage "$@"
}

@test "CPU weights add up for 1, 2 and 16 threads" {
	for threads in 1:2.0 2:1.0 16:0.15; do
		rm -rf "$SMARTPROF_DIR"
		counted "$TARGETS/threads_cpu" "${threads%:*}" "${threads#*:}"
		accounted "$(profile_of threads_cpu)" usage
	done
}

@test "system time is seen, at its callers" {
	profiled "$TARGETS/threads_cpu" 1 1.5
	profile=$(profile_of threads_cpu)
	at_least "$(front cpu_system_seconds "$profile")" 0.05
	grep -q 'in_kernel' "$profile"
}

@test "shares of ten functions of known cost" {
	profiled "$TARGETS/cpu_truth" "$(long 3 10)" >truth
	profile=$(profile_of cpu_truth)
	while read -r name share; do
		ours=$(share_of "$name" "$profile")
		awk -v a="${ours:-0}" -v b="$share" 'BEGIN { d = a - 100 * b; exit !(d < 3 && d > -3) }' ||
			fail "$name: $ours %, truth $share"
	done <truth
}

@test "20,000 short threads: no crash, flat memory, their time is in the profile" {
	counted "$TARGETS/short_threads" 20000 >out
	[ "$(cat out)" = done ]
	profile=$(profile_of short_threads)
	grep -q short_work "$profile"
	accounted "$profile" usage
}

@test "100,000 calls deep, and a siglongjmp out of them" {
	same_run "$TARGETS/recursion"
	profile=$(profile_of recursion)
	grep -q '\[truncated\]' "$profile"
	at_least "$(front stacks_truncated "$profile")" 1
}

@test "a million C++ exceptions" {
	same_run "$TARGETS/exc" "$(long 300000 1000000)"
	profile_of exc
}
