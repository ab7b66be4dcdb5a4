# The C library's functions are the C library's, whoever else defines their names.
load helpers

@test "a program that defines the C library's functions itself is not called by the profiler" {
	plain "$TARGETS/own_libc" >plain
	for mode in cpu,heap cpu heap; do
		rm -rf "$SMARTPROF_DIR"
		SMARTPROF_MODE=$mode profiled "$TARGETS/own_libc" >profiled
		cmp plain profiled
		profile_of own_libc
	done
	SMARTPROF_VERBOSE=1 profiled "$TARGETS/own_libc" >profiled
	cmp plain profiled
}

@test "nor is it before the agent's constructor has run, by a library that allocates in its own" {
	plain "$TARGETS/own_libc" >plain
	LD_PRELOAD="$AGENT libstdc++.so.6" timeout -k 5 "$PATIENCE" "$TARGETS/own_libc" >profiled
	cmp plain profiled
	profile_of own_libc
}

@test "faketime: the profile's time is the machine's, the program's is the one it was given" {
	local fake=/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1 order began took profile
	for order in "$fake $AGENT" "$AGENT $fake"; do
		rm -rf "$SMARTPROF_DIR"
		began=$(date +%s)
		FAKETIME='@2001-09-09 01:46:40 x50' LD_PRELOAD=$order timeout -k 5 "$PATIENCE" python3 -c '
import time
began = time.time()
sum(i * i for i in range(6000000))
print(int(began / 1e6), time.time() - began > 5)' >out
		[ "$(cat out)" = "1000 True" ] || [ "$(cat out)" = "999 True" ] || fail "$(cat out)"
		took=$(($(date +%s) - began + 1))
		profile=$(profile_of python3)
		near "$(date -d "$(front started "$profile")" +%s)" $((began + took / 2)) 0.00001 # 1e9 seconds: 100 s
		at_least "$took" "$(front wall_seconds "$profile")"
	done
}
