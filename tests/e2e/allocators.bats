# Any allocator: what the hooks cost, and that every allocator's own functions are seen.
load helpers

LIBRARIES='libjemalloc.so.2 libtcmalloc_minimal.so.4 libtcmalloc.so.4 libmimalloc.so.2'

# library NAME: its path, or nothing when it is not installed.
library() {
	find /usr/lib/x86_64-linux-gnu -name "$1*" | sort | head -n 1
}

# bare_hooks: builds ./bare.so, which forwards and does nothing else: the least that a hook can cost.
bare_hooks() {
	cat >bare.c <<-'END'
		#include <dlfcn.h>
		#include <stddef.h>
		#define FORWARD(name, symbol) \
			void *name##_next = NULL; \
			__attribute__((used)) static void name##_find(void) { name##_next = dlsym(RTLD_NEXT, symbol); } \
			__asm__(".globl " symbol "\n.type " symbol ",@function\n" symbol ":\n\tjmp *" #name "_to(%rip)\n" \
				#name "_first:\n\tpush %rdi\n\tpush %rsi\n\tpush %rax\n\tcall " #name "_find\n\tpop %rax\n\tpop %rsi\n" \
				"\tpop %rdi\n\tmov " #name "_next(%rip), %rax\n\tmov %rax, " #name "_to(%rip)\n\tjmp *%rax\n" \
				".data\n.p2align 3\n" #name "_to: .quad " #name "_first\n.text\n");
		FORWARD(f1, "malloc") FORWARD(f2, "free") FORWARD(f3, "realloc") FORWARD(f4, "calloc")
		FORWARD(f5, "_Znwm") FORWARD(f6, "_ZdlPv")
	END
	gcc -O2 -fPIC -shared -Wl,-Bsymbolic -o bare.so bare.c
}

# instructions LIBRARY KIND: of one round, the start and the end left out.
instructions() {
	local n counts=()
	for n in 20000 40000; do
		LD_PRELOAD=$1 timeout -k 5 "$PATIENCE" valgrind --tool=callgrind --callgrind-out-file=/dev/null \
			"$TARGETS/malloc_pairs" "$2" "$n" 2>callgrind || fail "$(cat callgrind)"
		counts+=("$(awk '/Collected :/ { print $4 }' callgrind)")
	done
	awk -v a="${counts[0]}" -v b="${counts[1]}" 'BEGIN { printf "%.2f\n", (b - a) / 20000 }'
}

# price KIND: instructions of one round above the bare hooks.
price() {
	local ours bare
	ours=$(instructions "$AGENT" "$1")
	bare=$(instructions "$WORK/bare.so" "$1")
	awk -v a="$ours" -v b="$bare" 'BEGIN { printf "%.1f\n", a - b }'
}

@test "malloc costs 6 instructions above a bare hook, free 11" {
	bare_hooks
	malloc=$(price malloc)
	pair=$(price malloc_free)
	free=$(awk -v a="$pair" -v b="$malloc" 'BEGIN { printf "%.1f\n", a - b }')
	echo "# malloc $malloc, free $free, calloc and free $(price calloc_free), realloc $(price realloc)," \
		"new and delete $(price new_delete)" >&3
	at_least 8 "$malloc" # 6, and 2 to spare
	at_least 12 "$free"
	at_least "$malloc" 1 # else nothing was measured
}

# exact FAMILY PRELOAD: counts and bytes are the program's own, the program's output what it is without.
exact() {
	local truth none profile key column
	rm -rf "$SMARTPROF_DIR"
	for rounds in 0 20000; do
		LD_PRELOAD=${2#*:} plain "$TARGETS/malloc_names" "$1" $rounds >plain.$rounds
		LD_PRELOAD=$2 plain "$TARGETS/malloc_names" "$1" $rounds >profiled.$rounds
		[[ $2 != *:* ]] || cmp plain.$rounds profiled.$rounds || fail "other output: $1 with $2"
	done
	profile=$(profile_of malloc_names)
	read -r truth_allocs truth_frees truth_bytes truth_inuse <profiled.20000
	# What the C library and the allocator's library allocate for themselves at the start comes on top.
	near "$(front heap_allocations "$profile")" "$truth_allocs" 0.5
	near "$(front heap_allocated_bytes "$profile")" "$truth_bytes" 0.5
	near "$(front heap_frees "$profile")" "$truth_frees" 0.5
	near "$(front heap_inuse_bytes "$profile")" "$truth_inuse" 40 # rough, but not one name more or less
	at_least "$(front heap_allocations "$profile")" "$truth_allocs"
}

@test "each allocator's own functions are counted once, and freed by any name" {
	export SMARTPROF_HEAP_INTERVAL=16KiB SMARTPROF_OVERHEAD_BUDGET=100
	for pair in jemalloc:libjemalloc.so.2 tcmalloc:libtcmalloc_minimal.so.4 tcmalloc:libtcmalloc.so.4 \
		mimalloc:libmimalloc.so.2; do
		path=$(library "${pair#*:}")
		[ -n "$path" ] || continue
		exact "${pair%%:*}" "$AGENT:$path"
		[[ $(front allocator "$(profile_of malloc_names)") == *"${path##*/}" ]]
	done
}

@test "an allocator's functions found in ours with none behind them serve from malloc" {
	export SMARTPROF_HEAP_INTERVAL=16KiB SMARTPROF_OVERHEAD_BUDGET=100
	for family in jemalloc tcmalloc mimalloc; do
		exact $family "$AGENT"
	done
	[ "$(plain "$TARGETS/malloc_names" jemalloc)" = absent ]
}

@test "an allocator in front of ours is left alone, and named" {
	for name in $LIBRARIES; do
		path=$(library "$name")
		[ -n "$path" ] || continue
		rm -rf "$SMARTPROF_DIR"
		LD_PRELOAD=$path plain "$TARGETS/bigchurn" 2 1000000 >plain.out
		LD_PRELOAD=$path:$AGENT plain "$TARGETS/bigchurn" 2 1000000 >profiled.out
		cmp plain.out profiled.out
		profile=$(profile_of bigchurn)
		grep -q 'put libsmartprof.so first' "$profile" || fail "not said: $profile"
		[[ $(front allocator "$profile") == *"${path##*/}" ]] || fail "allocator: $(front allocator "$profile")"
	done
}

@test "the allocator's own statistics, and what it keeps" {
	for name in '' $LIBRARIES; do
		path=
		[ -z "$name" ] || path=$(library "$name")
		[ -z "$name" ] || [ -n "$path" ] || continue
		rm -rf "$SMARTPROF_DIR"
		profiled env LD_PRELOAD="$AGENT${path:+:$path}" "$TARGETS/heap_holes" exit >out
		[ ! -s out ]
		profile=$(profile_of heap_holes)
		at_least "$(front allocator_active_bytes "$profile")" 10000000
		at_least 100000 "$(front heap_allocations "$profile")" || at_least 100050 "$(front heap_allocations "$profile")"
		case $name in
		libmimalloc*) ;;
		*) near "$(front allocator_allocated_bytes "$profile")" 5300000 15 ;;
		esac
		grep -q 'resident at the end .* hold no allocation of the program; the allocator keeps' "$profile"
	done
}

@test "an allocator is not asked where its locks may be held: in a handler, in the child of a threaded process" {
	for how in handler child; do
		rm -rf "$SMARTPROF_DIR"
		profiled "$TARGETS/heap_holes" $how
		profile=$(profile_of heap_holes)
		[ -n "$(front allocator "$profile")" ]
		[ -z "$(front allocator_active_bytes "$profile")" ] || fail "asked: $how"
		grep -q 'resident at the end .* hold no allocation of the program:' "$profile"
	done
}
