# Memory and CPU time that the process marks by itself.
load helpers

# grower MEGABYTES: a python3 that grows to so many, then falls to 20, and lives on for a moment.
write_grower() {
	cat >grower.py <<-'PY'
		import sys, time
		def first(): return bytearray(100000)
		def second(): return bytearray(100000)
		kept = []
		for i in range(int(sys.argv[1]) * 10):
		    kept.append((first if i < 600 else second)())
		    if i % 10 == 0: # a megabyte in two milliseconds or more, on a fast machine, too
		        sum(range(20000))
		        time.sleep(0.002)
		time.sleep(0.05)
		sum(range(6000000)) # 50 ms of CPU time: looks are 16 ms apart at the most
		del kept[200:]
		sum(range(1000000))
	PY
}

grower() {
	write_grower
	profiled python3 grower.py "$@"
}

@test "memory that crosses a threshold is marked, with the heap of the crossing; one that is set gets a profile" {
	export SMARTPROF_HEAP_INTERVAL=16384
	MEMORY_WARNING_THRESHOLD=60 MEMORY_CRITICAL_THRESHOLD=110MB MEMORY_PROFILING_THRESHOLD=100% grower 140
	local profile folder=$SMARTPROF_DIR/auto-memory
	profile=$(echo "$SMARTPROF_DIR"/development/python3.*.md)
	# What is crossed is seen some milliseconds later, and the next mark is a quarter above.
	section '# Marks' "$profile" | grep -qE '^[|] warning [|][^|]*[|] (5[7-9]|6[0-9]|7[01])\.?[0-9]* MiB [|]' || fail "$(section '# Marks' "$profile")"
	section '# Marks' "$profile" | grep -qE '^[|] critical [|][^|]*[|] 1(0[4-9]|[12][0-9]) MiB [|]'
	if section '# Marks' "$profile" | grep -q profiling; then fail 'nothing came near the limit'; fi
	near "$(front heap_inuse_bytes "$(echo "$folder"/python3.*.warning.capture.md)")" 57000000 22
	near "$(front heap_inuse_bytes "$(echo "$folder"/python3.*.critical.capture.md)")" 110000000 15
	"$SMARTPROF" validate "$folder"/*.md >/dev/null
}

@test "thresholds that nobody has set mark, and write nothing" {
	SMARTPROF_ENV=production SMARTPROF_MEMORY_THRESHOLD=100 grower 100 # and not a quarter more
	section '# Marks' "$(echo "$SMARTPROF_DIR"/production/python3.*.md)" | grep -q '^| memory |'
	[ "$(find "$SMARTPROF_DIR/auto-memory" -name '*.capture.md' | wc -l)" -eq 1 ]
	rm -r "$SMARTPROF_DIR"
	grower 100
	[ ! -e "$SMARTPROF_DIR/auto-memory" ]
}

@test "after the kernel killed it for its memory, there is the heap of each threshold and of the last moment" {
	local group
	[ "$EUID" -eq 0 ] || skip 'needs root'
	write_grower
	mkdir cgroup
	mount -t cgroup -o memory none cgroup 2>/dev/null || skip 'the memory controller of version 1 cannot be mounted'
	group=$PWD/cgroup/smartprof-test-$$
	mkdir "$group"
	echo 200M >"$group/memory.limit_in_bytes"
	# shellcheck disable=SC2016 # expanded inside
	MEMORY_WARNING_THRESHOLD=40% MEMORY_CRITICAL_THRESHOLD=80% SMARTPROF_HEAP_INTERVAL=16384 \
		status_of 137 bash -c 'echo $$ >"$1/cgroup.procs"; LD_PRELOAD=$2 exec python3 grower.py 400' _ "$group" "$AGENT" ||
		{ rmdir "$group"; umount cgroup; false; }
	rmdir "$group"
	umount cgroup
	local profile folder=$SMARTPROF_DIR/auto-memory
	"$SMARTPROF" recover >recover.log
	profile=$(cat recover.log)
	[ "$(front exit "$profile")" = unknown ]
	at_least "$(front heap_inuse_bytes "$profile")" 150000000
	near "$(front heap_inuse_bytes "$(echo "$folder"/python3.*.warning.capture.md)")" 78000000 15
	near "$(front heap_inuse_bytes "$(echo "$folder"/python3.*.critical.capture.md)")" 162000000 10
	section '# Marks' "$profile" | grep -qE '^[|] critical .*: PyByteArray_Resize'
}
