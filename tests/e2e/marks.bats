# Moments that are marked, whose heap is told later.
load helpers

# Of the first row of a table that begins with `heading` whose text matches, the column with that number.
cell() {
	section "$1" "$4" | grep -E "$2" | head -n 1 | awk -F ' *[|] *' -v n="$3" '{ print $n }'
}

in_bytes() {
	tr -d ' +B' <<<"$1" | numfmt --from=iec-i
}

marked() {
	rm -f /dev/shm/smartprof-"$EUID"/*.spool
	SMARTPROF_HEAP_INTERVAL=1024 SMARTPROF_OVERHEAD_BUDGET=100 profiled "$TARGETS/marks" kill || true
	SPOOL=$(echo /dev/shm/smartprof-"$EUID"/*.spool)
}

@test "the heap of a mark is that of the moment, told after the process was killed" {
	marked
	local spool=$SPOOL
	"$SMARTPROF" report --at one --output one.md "$spool"
	"$SMARTPROF" report --at two --output two.md "$spool"
	"$SMARTPROF" report --at two.2 --output last.md "$spool"
	[ "$(front mark one.md)" = one ]
	near "$(front heap_inuse_bytes one.md)" 20000000 30
	near "$(front heap_inuse_bytes two.md)" 45000000 25
	near "$(front heap_inuse_bytes last.md)" 1000000 5
	near "$(in_bytes "$(cell '## Heap Sites (In Use)' grow_first 3 two.md)")" 15000000 30
	near "$(in_bytes "$(cell '## Heap Sites (In Use)' grow_second 3 two.md)")" 30000000 25
	[ "$(front heap_allocations one.md)" -eq 2000 ]
	section '## Hot Functions' one.md | grep -q spin_first
	if section '## Hot Functions' one.md | grep -q spin_second; then fail "$(section '## Hot Functions' one.md)"; fi
	near "$(all_functions_seconds one.md)" \
		"$(awk -v u="$(front cpu_user_seconds one.md)" -v s="$(front cpu_system_seconds one.md)" 'BEGIN { print u + s }')" 2
	"$SMARTPROF" report --output all.md "$spool"
	[ "$(section '# Marks' all.md | grep -cE '^[|] (one|two|two[.]2) [|]')" -eq 3 ]
	cell '# Marks' '^. two ' 9 all.md | grep -q grow_second
	"$SMARTPROF" report --at one --format folded --metric in_use "$spool" | grep -q grow_first
	"$SMARTPROF" report --at one --format html --output one.html "$spool"
	rm "$spool"
}

@test "a window from mark to mark has their growth and the CPU time between them" {
	marked
	local spool=$SPOOL
	"$SMARTPROF" report --since one --at two --output window.md "$spool"
	near "$(in_bytes "$(cell '## Heap Growth' grow_second 2 window.md)")" 30000000 25
	cell '## Heap Growth' grow_first 2 window.md | grep -q '^-[34567][.0-9]* MiB'
	[ "$(front heap_allocations window.md)" -eq 3000 ]
	section '## Hot Functions' window.md | grep -q spin_second
	if section '## Hot Functions' window.md | grep -q spin_first; then fail "$(section '## Hot Functions' window.md)"; fi
	"$SMARTPROF" report --since two --output rest.md "$spool"
	near "$(front heap_allocated_bytes rest.md)" 1000000 1
	"$SMARTPROF" report --since one --output both.md "$spool"
	[ "$(front heap_allocations both.md)" -eq 3100 ]
	rm "$spool"
}

@test "a mark that there is none of, and a profile that has no spool any more, are told in one line" {
	marked
	status_of 2 "$SMARTPROF" report --at three "$SPOOL" 2>err
	grep -q "no such mark as 'three'; it has the marks one, two, two.2$" err && [ "$(wc -l <err)" -eq 1 ] || fail "$(cat err)"
	"$SMARTPROF" report --output all.md "$SPOOL"
	rm "$SPOOL"
	status_of 2 "$SMARTPROF" report --at one all.md 2>err
	[ "$(wc -l <err)" -eq 1 ] || fail "$(cat err)"
}

@test "without the library the program marks nothing, and a process that ends normally tells its marks" {
	plain "$TARGETS/marks"
	profiled "$TARGETS/marks"
	section '# Marks' "$(profile_of marks)" | grep -q '^| two.2 '
}
