# Heap estimates against a program that knows its truth.
load helpers

@test "in use within 5 % and allocated exactly, at 16 KiB" {
	export SMARTPROF_HEAP_INTERVAL=16KiB SMARTPROF_OVERHEAD_BUDGET=100
	same_run "$TARGETS/heap_truth"
	profile=$(profile_of heap_truth)
	inuse=$(awk '$1 == "total" { print $2 }' profiled.out)
	allocated=$(awk '$1 == "total" { print $4 }' profiled.out)
	count=$(awk '$1 == "total" { print $5 }' profiled.out)
	near "$(front heap_inuse_bytes "$profile")" "$inuse" 5
	[ "$(front heap_allocated_bytes "$profile")" = "$allocated" ] ||
		fail "allocated: $(front heap_allocated_bytes "$profile"), truth $allocated"
	[ "$(front heap_allocations "$profile")" = "$count" ] ||
		fail "allocations: $(front heap_allocations "$profile"), truth $count"
}

# counted_as_got COMMAND…: totals are what the command says it got, but for some blocks of the C library's.
counted_as_got() {
	local got allocations
	rm -rf "$SMARTPROF_DIR"
	profiled "$@" >out
	profile=$(profile_of refused)
	read -r got allocations <out
	near "$(front heap_allocated_bytes "$profile")" "$got" 3
	at_least "$((allocations + 60))" "$(front heap_allocations "$profile")"
	at_least "$(front heap_allocations "$profile")" "$allocations"
}

@test "what is refused is not counted, with the limit set late and early, on every allocator" {
	export SMARTPROF_HEAP_INTERVAL=512KiB
	counted_as_got "$TARGETS/refused"
	(ulimit -S -v 200000 && counted_as_got "$TARGETS/refused" inherited)
	for name in libjemalloc.so.2; do # the others give up
		path=$(find /usr/lib/x86_64-linux-gnu -name "$name*" | head -n 1)
		[ -n "$path" ] || continue
		counted_as_got env LD_PRELOAD="$AGENT:$path" "$TARGETS/refused"
	done
}

@test "each site in use within its error" {
	export SMARTPROF_HEAP_INTERVAL=16KiB SMARTPROF_OVERHEAD_BUDGET=100
	profiled "$TARGETS/heap_truth" >truth
	profile=$(profile_of heap_truth)
	while IFS=$'\t' read -r site inuse _; do
		[ "$site" != total ] && [ "$inuse" -gt 0 ] || continue
		ours=$(section '## All heap sites' "$profile" | awk -F'\t' -v f="$site" '$16 == f { s += $3 } END { printf "%.0f", s }')
		near "$ours" "$inuse" 15 || fail "$site"
	done <truth
	section '## Heap Sites (Allocated)' "$profile" | tr -d '\\' | grep -q site_churn
}

@test "other allocators stay in place: glibc, jemalloc, tcmalloc, mimalloc" {
	for library in '' libjemalloc.so.2 libtcmalloc_minimal.so.4 libmimalloc.so.2.0; do
		path=
		[ -z "$library" ] || path=$(find /usr/lib/x86_64-linux-gnu -name "$library" | head -n 1)
		[ -z "$library" ] || [ -n "$path" ] || continue
		rm -rf "$SMARTPROF_DIR"
		timeout -k 5 "$PATIENCE" env LD_PRELOAD="$AGENT${path:+:$path}" "$TARGETS/bigchurn" 4 200000 >out
		[ "$(cat out)" = done ]
		profile=$(profile_of bigchurn)
		[[ $(front allocator "$profile") == *${library:-libc.so.6}* ]] ||
			fail "allocator '$(front allocator "$profile")', not $library"
	done
}

@test "heap only, and CPU only" {
	SMARTPROF_MODE=heap profiled "$TARGETS/heap_truth" >out
	profile=$(profile_of heap_truth)
	grep -q '^# Heap Profile' "$profile"
	refuse grep -q '^## Hot Functions' "$profile"
	SMARTPROF_MODE=cpu profiled "$TARGETS/cpu_truth" 0.5 >out
	profile=$(profile_of cpu_truth)
	refuse grep -q '^## Heap Sites' "$profile"
}

@test "the first block is seen, however large" {
	profiled "$TARGETS/big_first" >out
	profile=$(profile_of big_first)
	[ "$(front heap_inuse_bytes "$profile")" -ge 41943040 ]
	[ "$(front heap_allocated_bytes "$profile")" -eq "$(front heap_inuse_bytes "$profile")" ]
}

@test "a site is outside of what SMARTPROF_HEAP_WRAPPERS names" {
	SMARTPROF_HEAP_WRAPPERS='site_malloc_*,nothing' profiled "$TARGETS/heap_truth" >out
	profile=$(profile_of heap_truth)
	section '## Heap Sites (Allocated)' "$profile" | tr -d '\\' >sites
	grep -q '| site_calloc |' sites
	grep -q '| main |' sites
	refuse grep -q '| site_malloc' sites
}

@test "redis has in use what it says itself, and gives back what it drops" {
	command -v redis-server >/dev/null || skip "needs redis-server"
	export SMARTPROF_HEAP_INTERVAL=16KiB SMARTPROF_OVERHEAD_BUDGET=100
	start_redis
	redis-benchmark -s s -q -n 30000 -r 20000 -d 1000 -P 16 -t set,lpush >benchmark.log
	redis-cli -s s info memory | tr -d '\r' >memory
	"$SMARTPROF" report "$server" >running.md
	# zmalloc counts what malloc_usable_size says, a few per cent more than was asked for.
	near "$(front heap_inuse_bytes running.md)" "$(sed -n 's/^used_memory://p' memory)" 15
	redis-cli -s s flushall >flushed
	kill -TERM "$server"
	wait $!
	profile=$(profile_of 'redis-*')
	near "$(front heap_peak_bytes "$profile")" "$(sed -n 's/^used_memory_peak://p' memory)" 15
	at_least "$(($(front heap_peak_bytes "$profile") / 5))" "$(front heap_inuse_bytes "$profile")"
	[[ $(front allocator "$profile") == *libjemalloc.so.2 ]]
	# Little is left then, of which jemalloc counts whole size classes: of the same order, not of the same size.
	near "$(front allocator_allocated_bytes "$profile")" "$(front heap_inuse_bytes "$profile")" 150
}

# a_peak COMMAND…: runs it, and sets peak, error (its half-width) and truth.
a_peak() {
	rm -rf "$SMARTPROF_DIR"
	timeout -k 5 "$PATIENCE" "$@" >truth
	profile=$(profile_of 'peak_*')
	peak=$(front heap_peak_bytes "$profile") error=$(front heap_peak_error_bytes "$profile")
	truth=$(tail -n 1 truth)
}

within_its_error() {
	awk -v p="$peak" -v e="$error" -v t="$truth" 'BEGIN { exit !(p - t <= e && t - p <= e) }'
}

# few_misses MISSES RUNS: an error of 95 % is missed once in 20 times. More than 4 of 20 are by chance once in 390 times, and
# with a second try once in 150,000, with a third once in 60 million; more than 2 of 6 once in 450, 200,000 and 90 million.
few_misses() {
	at_least $(($2 / 10 + 2)) "$1" || fail "$1 of $2"
}

@test "the peak of threads that allocate all the time, in every environment and on every allocator" {
	for name in '' libjemalloc.so.2 libtcmalloc_minimal.so.4 libmimalloc.so.2; do
		path=
		[ -z "$name" ] || path=$(find /usr/lib/x86_64-linux-gnu -name "$name*" | sort | head -n 1)
		[ -z "$name" ] || [ -n "$path" ] || continue
		for environment in development ci production critical; do
			a_peak env SMARTPROF_ENV=$environment LD_PRELOAD="$AGENT${path:+:$path}" "$TARGETS/peak_truth"
			# What ci and production can afford are some samples of tens of megabytes each: there, the error says how far it can be.
			case $environment in
			development | critical) near "$peak" "$truth" 60 ;;
			*) within_its_error || near "$peak" "$truth" 60 ;;
			esac || fail "${name:-glibc}, $environment: $peak ± $error, truth $truth"
		done
	done
}

@test "the true peak lies within its error" {
	misses=0 runs=$(long 20 200)
	for _ in $(seq "$runs"); do
		a_peak env SMARTPROF_ENV=production LD_PRELOAD="$AGENT" "$TARGETS/peak_truth" 2 400000
		within_its_error || misses=$((misses + 1))
	done
	few_misses $misses "$runs"
}

@test "more large blocks than can be sampled for their size are in the error of the peak" {
	misses=0 runs=$(long 6 60)
	for _ in $(seq "$runs"); do
		a_peak env SMARTPROF_ENV=ci LD_PRELOAD="$AGENT" "$TARGETS/peak_large"
		within_its_error || misses=$((misses + 1))
	done
	few_misses $misses "$runs"
}

@test "no sample left is not nothing in use, and exact counts say how many blocks" {
	cat >left.c <<-'END'
		#include <stdlib.h>
		static void *volatile sink;
		int main(void) {
			for (int i = 0; i < 3000000; i++) { sink = malloc(200 + i % 1000); free(sink); }
			for (int i = 0; i < 80; i++) sink = malloc(1000);
			for (int i = 0; i < 3000000; i++) { sink = malloc(200 + i % 1000); free(sink); }
			return 0;
		}
	END
	gcc -O1 -fno-builtin -o left left.c
	SMARTPROF_ENV=production profiled ./left
	profile=$(profile_of left)
	[ "$(front heap_inuse_bytes "$profile")" -gt 0 ] || grep -q 'and 0 B (at most .*) at the end' "$profile" ||
		fail "$(grep 'at the end' "$profile")"
	at_least "$(($(front heap_inuse_bytes "$profile") + $(front heap_inuse_error_bytes "$profile")))" 80000
	grep -q 'by these 8[0-9] blocks were in use at the end' "$profile"
}

@test "a large block that stays is exact, after as many smaller ones as can be had" {
	cat >keeps.c <<-'END'
		#include <stdlib.h>
		static void *volatile sink, *volatile kept;
		__attribute__((noinline)) static void keep(void) { kept = malloc(10000000); }
		int main(void) {
			for (int i = 0; i < 3000000; i++) { sink = malloc(200 + i % 1000); free(sink); }
			for (int i = 0; i < 300000; i++) { sink = malloc(300000); free(sink); }
			for (int i = 0; i < 20000; i++) { sink = malloc(200 + i % 1000); free(sink); }
			keep();
			return 0;
		}
	END
	gcc -O1 -fno-builtin -o keeps keeps.c
	SMARTPROF_ENV=production profiled ./keeps
	profile=$(profile_of keeps)
	at_least "$(front heap_interval_max_bytes "$profile")" 600000 # it was widened
	section '## All heap sites' "$profile" | awk -F'\t' '$16 == "keep" { print $3, $1 }' >kept
	[ "$(cat kept)" = '10000000 10000000' ] || fail "$(cat kept)"
}
