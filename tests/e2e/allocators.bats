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

@test "run --allocator puts one under the program, and takes others away" {
	for pair in jemalloc:libjemalloc tcmalloc:libtcmalloc mimalloc:libmimalloc system:libc.so.6; do
		[ "${pair%%:*}" = system ] || [ -n "$(library "${pair#*:}")" ] || continue
		LD_PRELOAD=$(library libjemalloc.so.2) "$SMARTPROF" run --allocator "${pair%%:*}" --output "$WORK/$pair.md" -- \
			"$TARGETS/heap_truth" >out
		[[ $(front allocator "$WORK/$pair.md") == *"${pair#*:}"* ]] || fail "$pair: $(front allocator "$WORK/$pair.md")"
	done
	SMARTPROF_ENABLED=0 "$SMARTPROF" run --allocator jemalloc -- /bin/cat /proc/self/maps >maps
	grep -q libjemalloc maps
	refuse grep -q libsmartprof maps
}

@test "run --allocator: an unknown name, one that is not installed, one of one's own" {
	status_of 2 "$SMARTPROF" run --allocator dlmalloc -- true 2>err
	grep -q 'allowed: jemalloc, tcmalloc, mimalloc, system' err
	mkdir own && cp "$(library libjemalloc.so.2)" own/libjemalloc.so.2
	LD_LIBRARY_PATH=/nonexistent:own "$SMARTPROF" run --allocator jemalloc -- /bin/cat /proc/self/maps >maps
	grep -q "$WORK/own/libjemalloc.so.2" maps
	"$SMARTPROF" run --allocator jemalloc -- "$TARGETS/cpu_truth_static" 0.1 >out 2>err
	grep -qi static err
	mkdir upper work
	unshare -m mount -t overlay -o "lowerdir=/usr/lib/x86_64-linux-gnu,upperdir=$WORK/upper,workdir=$WORK/work" \
		overlay /usr/lib/x86_64-linux-gnu 2>/dev/null || skip "needs overlay mounts"
	in_mount_namespace "
		mount -t overlay -o lowerdir=/usr/lib/x86_64-linux-gnu,upperdir=$WORK/upper,workdir=$WORK/work overlay \
			/usr/lib/x86_64-linux-gnu && rm -f /usr/lib/x86_64-linux-gnu/libmimalloc.so* &&
		$SMARTPROF run --allocator mimalloc -- true 2>err; echo \$? >status"
	[ "$(cat status)" = 2 ]
	grep -q 'apt-get install libmimalloc2.0' err
	[ "$(wc -l <err)" -eq 1 ]
}

@test "programs that came with an allocator, and programs given one" {
	command -v dig >/dev/null || skip "needs dig"
	: >names
	for i in $(seq 3000); do echo "@127.0.0.1 -p 1 +tries=1 +time=1 host$i.example." >>names; done
	LD_PRELOAD='' plain dig -f names >plain.out 2>plain.err || true
	profiled dig -f names >profiled.out 2>profiled.err || true # linked with jemalloc: libisc calls mallocx, sdallocx
	[ "$(grep -c 'connection refused' plain.out)" = "$(grep -c 'connection refused' profiled.out)" ]
	profile=$(profile_of dig)
	[[ $(front allocator "$profile") == *libjemalloc.so.2 ]]
	at_least "$(front heap_allocations "$profile")" 10000
	# What dig frees at its end, it must have been seen to allocate.
	near "$(front heap_frees "$profile")" "$(front heap_allocations "$profile")" 20
	for name in libtcmalloc_minimal.so.4 libmimalloc.so.2; do
		path=$(library $name)
		[ -n "$path" ] || continue
		rm -rf "$SMARTPROF_DIR"
		LD_PRELOAD=$AGENT:$path PYTHONMALLOC=malloc plain /usr/bin/python3 -c 'd = [str(i) for i in range(200000)]; print(len(d))' >out
		[ "$(cat out)" = 200000 ]
		[[ $(front allocator "$(profile_of python3*)") == *"${path##*/}" ]]
	done
}
