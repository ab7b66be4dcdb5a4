# What happened between two moments: snapshots, report --for, --since and --loop, compare of snapshots.
load helpers

# leaker SECONDS SECONDS: a python3 that keeps what it allocates, and then lets go of all of it. Prints to ./pid.
leaker() {
	cat >leaker.py <<-'PY'
		import os, sys, time
		kept = []
		def keep():
		    kept.append([bytearray(20000) for _ in range(10)])
		def work():
		    return sum(i * i for i in range(50000))
		begin, first, second = time.time(), float(sys.argv[1]), float(sys.argv[2])
		while time.time() - begin < first:
		    keep()
		    work()
		print("full", len(kept) * 200000, flush=True)
		while time.time() - begin < first + second and not os.path.exists("enough"):
		    for i in range(100):
		        passing = bytearray(20000)
		    work()
	PY
	timeout -k 5 "$PATIENCE" env LD_PRELOAD="$AGENT" python3 leaker.py "$@" >leaker.out &
	LEAKER=$!
	await_spool python3
}

# The leaker has been looked at.
end_leaker() {
	kill "$PID"
	wait "$LEAKER" || true
}

runs() { # the process PID, as its newest spool says
	"$SMARTPROF" report "$PID" 2>/dev/null | grep -q '^exit: running$'
}

snapshot() {
	"$SMARTPROF" snapshot --name "$1" "$PID" >"$1.path"
}

@test "a window has the growth of the heap by site, the CPU time, and follows the schema" {
	leaker 60 0
	"$SMARTPROF" report --for 1s --output window.md "$PID"
	"$SMARTPROF" validate window.md >/dev/null
	at_least "$(front wall_seconds window.md)" 0.99
	at_least 2.5 "$(front wall_seconds window.md)"
	at_least "$(front window_start_seconds window.md)" 0.01
	at_least "$(front heap_growth_bytes window.md)" 200000
	"$SMARTPROF" report --format json window.md | grep -qE '"heap_growth_bytes": ?[0-9]+'
	# It keeps all but some lists that grow; three half-widths of 95 % are six standard errors.
	awk -v growth="$(front heap_growth_bytes window.md)" -v kept="$(front heap_inuse_bytes window.md)" \
		-v error="$(front heap_growth_error_bytes window.md)" \
		'BEGIN { exit !(growth <= kept * 1.05 + 3 * error && growth >= kept * 0.95 - 3 * error) }' ||
		fail "$(grep ^heap_ window.md)"
	at_least "$(front heap_allocated_bytes window.md)" $(($(front heap_growth_bytes window.md) * 9 / 10))
	section '## Heap Growth' window.md | grep -E '^\| \+.*PyByteArray' ||
		fail "$(section '## Heap Growth' window.md)"
	near "$(all_functions_seconds window.md)" \
		"$(cpu_of window.md)" 2
	end_leaker
}

@test "windows add up, also on a busy machine" {
	local spinners=() i
	for i in 1 2 3 4; do
		timeout "$PATIENCE" sh -c 'while :; do :; done' &
		spinners+=($!)
	done
	leaker 60 0
	snapshot a
	sleep 1
	snapshot b
	sleep 1
	snapshot c
	kill "${spinners[@]}"
	"$SMARTPROF" report --since a --output ab.md "$PID@b"
	"$SMARTPROF" report --since "$PID@b" --output bc.md "$PID@c"
	"$SMARTPROF" report --since "$(cat a.path)" --output ac.md "$PID@c"
	[ $(($(front heap_growth_bytes ab.md) + $(front heap_growth_bytes bc.md))) -eq "$(front heap_growth_bytes ac.md)" ]
	[ $(($(front heap_allocations ab.md) + $(front heap_allocations bc.md))) -eq "$(front heap_allocations ac.md)" ]
	[ $(($(front cpu_samples ab.md) + $(front cpu_samples bc.md))) -eq "$(front cpu_samples ac.md)" ]
	near "$(awk -v a="$(front cpu_sampled_seconds ab.md)" -v b="$(front cpu_sampled_seconds bc.md)" 'BEGIN { print a + b }')" \
		"$(front cpu_sampled_seconds ac.md)" 1
	"$SMARTPROF" compare "$PID@a" "$PID@c" >compared.md
	grep -vE '^grep -n|^sed -n|^smartprof report' ac.md >one
	grep -vE '^grep -n|^sed -n|^smartprof report' compared.md >other
	cmp one other
	end_leaker
}

@test "what is let go of is no growth, and a leak that ended is none either" {
	leaker 1 60
	eventually test -s leaker.out
	"$SMARTPROF" report --for 1s --output after.md "$PID"
	at_least 1000000 "$(front heap_growth_bytes after.md)"
	at_least "$(front heap_allocated_bytes after.md)" 2000000
	snapshot full
	(has_worked 1 "$PID"; touch enough) &
	"$SMARTPROF" report --for 60s --output end.md "$PID" 2>said
	grep -q 'ended before the window did' said
	[ "$(front exit end.md)" = 0 ]
	kept=$(awk '{ print $2 }' leaker.out)
	at_least "-$((kept * 8 / 10))" "$(front heap_growth_bytes end.md)"
	at_least "$(front heap_growth_bytes end.md)" "-$((kept * 12 / 10 + 2000000))"
	wait "$LEAKER"
}

@test "redis: what it grew by is what it says it grew by" {
	local before after PID
	start_redis
	PID=$server
	redis-benchmark -s s -q -n 20000 -r 100000 -d 300 -t set >/dev/null
	before=$(redis-cli -s s info memory | tr -d '\r' | awk -F: '$1 == "used_memory" { print $2 }')
	snapshot a
	redis-benchmark -s s -q -n "$(long 60000 600000)" -r 1000000 -d 300 -t set >/dev/null
	snapshot b
	after=$(redis-cli -s s info memory | tr -d '\r' | awk -F: '$1 == "used_memory" { print $2 }')
	"$SMARTPROF" compare --output between.md "$PID@a" "$PID@b"
	# It counts what its allocator has rounded up to.
	at_least "$(front heap_growth_bytes between.md)" $(((after - before) * 75 / 100))
	at_least $(((after - before) * 105 / 100)) "$(front heap_growth_bytes between.md)"
	section '## Heap Growth' between.md | grep -q sdsnewlen
	redis-cli -s s shutdown nosave || true
	wait
}

@test "a process that is stopped, killed, or becomes another program" {
	timeout -k 5 "$PATIENCE" env LD_PRELOAD="$AGENT" python3 -c 'import os, time
while time.process_time() < 1.5: sum(range(1000))
os.execv("/bin/sleep", ["sleep", "60"])' &
	local job=$!
	await_spool python3
	kill -STOP "$PID"
	snapshot stopped
	"$SMARTPROF" report --for 200ms --output none.md "$PID" 2>said
	grep -q 'is stopped' said
	[ "$(front exit none.md)" = running ]
	kill -CONT "$PID"
	"$SMARTPROF" report --for 60s --output exec.md "$PID" 2>said
	grep -q 'became another program' said
	[ "$(front exit exec.md)" = exec ]
	kill "$job"
	wait "$job" || true

	# The program before, under the same pid, has left a spool too.
	timeout -k 5 "$PATIENCE" env LD_PRELOAD="$AGENT" bash -c 'for ((i = 0; i < 50000; i++)); do :; done
		exec python3 -c "
print(1, flush=True)
while True: sum(range(1000))" >ready' &
	job=$!
	await_spool python3
	eventually test -s ready
	(eventually has_used 1 "$PID"; kill -9 "$PID") &
	"$SMARTPROF" report --for 60s --output killed.md "$PID" 2>said || fail "$(cat said)"
	[ "$(front exit killed.md)" = unknown ]
	at_least "$(front cpu_user_seconds killed.md)" 0.1
	snapshot dead
	"$SMARTPROF" report --output dead.md "$PID@dead"
	at_least "$(front cpu_user_seconds dead.md)" "$(front cpu_user_seconds killed.md)"
	status_of 2 "$SMARTPROF" report --for 1s "$PID" 2>said
	grep -q 'it has ended' said
	"$SMARTPROF" recover >/dev/null
	wait "$job" || true
}

@test "a loop writes a window after the other and keeps as many as it was told" {
	timeout -k 5 "$PATIENCE" env LD_PRELOAD="$AGENT" python3 -c 'import os
while not os.path.exists("enough"): sum(range(1000))' &
	local job=$! tight
	await_spool python3
	four_windows() { [ "$(wc -l <said)" -ge 4 ] && [ "$(wc -l <tight.said)" -ge 2 ]; }
	: >said
	: >tight.said
	(eventually four_windows; : >enough) &
	"$SMARTPROF" report --loop 1s --keep-bytes 1KB --output tight "$PID" >>tight.said &
	tight=$!
	"$SMARTPROF" report --loop 500ms --keep 3 --output loop "$PID" >>said
	wait "$tight"
	at_least "$(wc -l <said)" 4
	[ "$(find loop -name '*.window.md' | wc -l)" -eq 3 ]
	[ -e "$(tail -n 1 said)" ]
	at_least "$(wc -l <tight.said)" 2
	[ "$(find tight -name '*.window.md')" = "tight/$(basename "$(tail -n 1 tight.said)")" ] # the newest stays, however large
	"$SMARTPROF" validate loop/*.window.md >/dev/null
	"$SMARTPROF" report --merge loop/*.window.md | grep -qE '^\*\*Verdict .* In 3 windows one process used '
	status_of 2 "$SMARTPROF" report --loop 500ms --brief "$PID" 2>said
	grep -q 'leave --format, --source, --brief and --by out' said
	wait "$job"
}

# What is not written has its place in the window after it.
@test "a full disk loses no window of a loop, and no snapshot is half there" {
	needs_root
	cat >full.sh <<-'SH'
		mount -t tmpfs -o size=64k none "$WORK/small"
		dd if=/dev/zero of="$WORK/small/filler" bs=1k count=60 2>/dev/null
		"$SMARTPROF" snapshot --output "$WORK/small/snapshot" "$PID" 2>"$WORK/said" && exit 1
		[ "$(ls "$WORK/small")" = filler ] || exit 1
		(until grep -q "no room" "$WORK/loop.said" 2>/dev/null; do sleep 0.05; done; sleep 0.3; rm "$WORK/small/filler"; mount -o remount,size=8m "$WORK/small"
			until ls "$WORK"/small/*.window.md; do sleep 0.1; done; touch "$WORK/enough") >/dev/null 2>&1 &
		"$SMARTPROF" report --loop 500ms --output "$WORK/small" "$PID" >"$WORK/paths" 2>"$WORK/loop.said"
		cp "$WORK"/small/*.window.md "$WORK"
	SH
	mkdir small
	timeout -k 5 "$PATIENCE" env LD_PRELOAD="$AGENT" python3 -c 'import os
while not os.path.exists("enough"): sum(range(1000))' &
	local job=$! first
	await_spool python3
	export WORK PID SMARTPROF
	in_mount_namespace 'bash full.sh'
	[ "$(wc -l <said)" -eq 1 ]
	grep -q 'no room' said
	grep -q 'no room for it' loop.said
	first=$(basename "$(head -n 1 paths)")
	at_least "$(front wall_seconds "$first")" 0.95
	wait "$job"
}

@test "what cannot be looked at says why in one line" {
	leaker 60 0
	snapshot a
	one_line 'there is no such process' "$SMARTPROF" report --for 1s 999999999
	sleep 30 &
	one_line 'smartprof is not loaded in it' "$SMARTPROF" snapshot "$!"
	kill "$!"
	one_line 'no such snapshot' "$SMARTPROF" report --since other "$PID"
	one_line 'is not a time' "$SMARTPROF" report --for 10 "$PID"
	one_line 'is not a name' "$SMARTPROF" snapshot --name ../a "$PID"
	one_line 'it is a snapshot' "$SMARTPROF" report --for 1s "$PID@a"
	one_line 'leave all but one out' "$SMARTPROF" report --for 1s --since a "$PID"
	one_line 'it is for --loop' "$SMARTPROF" report --for 1s --keep 3 "$PID"
	one_line 'nothing to judge' "$SMARTPROF" compare --strict "$PID@a" "$PID@a"
	status_of 1 "$SMARTPROF" snapshot --name a "$PID" 2>said
	grep -q 'it is there already' said
	cp "$(cat a.path)" other
	printf '\001\000\000\000' | dd of=other bs=1 seek=8 conv=notrunc 2>/dev/null
	one_line 'another version' "$SMARTPROF" report --since other "$PID"
	snapshot b
	one_line 'is older than' "$SMARTPROF" compare "$PID@b" "$PID@a"
	[ "$(stat -c %a "$(cat a.path)")" = 600 ]
	end_leaker
}

@test "a process of another user's, or in another pid namespace, is named as that" {
	needs_root
	setpriv --reuid=65534 --clear-groups sleep 30 &
	local other=$!
	eventually is_running sleep "$other"
	one_line 'belongs to another user (65534)' "$SMARTPROF" report --for 1s "$other"
	kill "$other"
	unshare --pid --fork --kill-child --mount-proc sleep 30 &
	other=$!
	in_there() { is_running sleep "$(pgrep -P "$other")"; }
	eventually in_there
	one_line 'another pid namespace' "$SMARTPROF" report --for 1s "$(pgrep -P "$other")"
	kill "$other"
}
