# The agent on another kind of processor, as qemu emulates it.
load helpers

setup_file() {
	make -s -C "$ROOT" CROSS=aarch64-linux-gnu agent >/dev/null
}

# built NAME FLAG...: a program of tests/targets, in ./NAME.
built() {
	aarch64-linux-gnu-gcc -O2 -g -fno-optimize-sibling-calls "${@:2}" -o "$1" "$ROOT/tests/targets/$1.c" -lm
}

# emulated FLAG... PROGRAM: run with the agent; the profile in PROFILE, by the command for x86-64, or by $RECOVER.
emulated() {
	plain qemu-aarch64 -L /usr/aarch64-linux-gnu -E LD_LIBRARY_PATH=/usr/aarch64-linux-gnu/lib -E LD_PRELOAD="$ROOT/build-aarch64-linux-gnu/libsmartprof.so" "$@" >out
	"${RECOVER:-$SMARTPROF}" recover >recovered
	PROFILE=$(sed -n 1p recovered)
}

@test "heap and CPU: bytes, sites, and stacks to the start, through a signal's handler too" {
	built emulated
	emulated ./emulated
	[ "$(cat out)" = $'allocated 20000000\nchild 7' ]
	# Each would be cut off if there were no way back; an emulator on a busy machine takes longer for some than walks are given.
	at_least "$(front cpu_samples "$PROFILE")" "$((2 * $(front stacks_truncated "$PROFILE")))"
	at_least "$(front heap_allocated_bytes "$PROFILE")" 20000000
	at_least 20400000 "$(front heap_allocated_bytes "$PROFILE")"
	"$SMARTPROF" report --format folded --metric allocated "$PROFILE" >heap
	grep -qE '_start;.*main;allocate_all;allocate_one;?.* [0-9]+$' heap
	"$SMARTPROF" report --format folded "$PROFILE" >cpu
	grep -qE '_start;.*main;work' cpu
	grep -qE 'work;.*on_alarm;in_handler' cpu
}

@test "with pages of 64 KB, as some kernels have them, the profile is the same" {
	built emulated
	emulated -p 65536 ./emulated
	grep -qx 'allocated 20000000' out
	at_least "$(front heap_allocated_bytes "$PROFILE")" 20000000
	"$SMARTPROF" report --format folded "$PROFILE" >cpu
	grep -qE '_start;.*main;work' cpu
}

@test "functions as spans: arguments, results, and what a longjmp leaves, bound at once and by their first call" {
	built emulated_calls -fno-builtin
	qemu-aarch64 -L /usr/aarch64-linux-gnu ./emulated_calls >as_ever
	for bind in '' 1; do
		rm -rf "$SMARTPROF_DIR"
		SMARTPROF_ENV=critical SMARTPROF_FULL=1 SMARTPROF_SPAN_FUNCTIONS='*' emulated -E LD_BIND_NOW=$bind ./emulated_calls
		cmp as_ever out
		section '# Spans' "$PROFILE" >spans
		for name in snprintf imaxdiv cexp powl mallinfo2; do
			grep -qE "^\\| $name +\\| +100 " spans
		done
		grep -qE '^\| qsort +\| +200 ' spans
		section '# Data Quality' "$PROFILE" | refuse grep -q 'was not obeyed'
	done
}

@test "stacks that break off are copied; the command for another kind of processor says that it leaves them" {
	built emulated_broken -fno-asynchronous-unwind-tables -fno-unwind-tables -fomit-frame-pointer
	SMARTPROF_STACK_COPIES=on emulated ./emulated_broken
	at_least "$(front stacks_truncated "$PROFILE")" 1
	section '# Data Quality' "$PROFILE" | grep -q 'copies of stacks that broke off were not followed to their ends: they are of another kind'
	section '# Data Quality' "$PROFILE" | refuse grep -q 'were followed to'
}

@test "for aarch64: the command reports as the one for x86-64 does, and every stack is libunwind's" {
	[ -n "${SP_LONG-}" ] || skip "builds the command and takes packages of Debian's for it: LONG=1"
	make -s -C "$ROOT" cross-command >/dev/null
	built emulated
	emulated ./emulated
	libraries=/usr/aarch64-linux-gnu/lib:$(echo "$ROOT"/build-aarch64-linux-gnu/root/{usr/,}lib/aarch64-linux-gnu | tr ' ' :)
	# By its loader, and not by -L, below which the profiles would be written, too.
	there() {
		qemu-aarch64 /usr/aarch64-linux-gnu/lib/ld-linux-aarch64.so.1 --library-path "$libraries" "$ROOT/build-aarch64-linux-gnu/smartprof" "$@"
	}
	[ "$(there --version)" = "$("$SMARTPROF" --version)" ]
	there report --format folded "$PROFILE" >folded
	"$SMARTPROF" report --format folded "$PROFILE" | cmp - folded
	# The copies of stacks that the other one leaves it finishes.
	built emulated_broken -fno-asynchronous-unwind-tables -fno-unwind-tables -fomit-frame-pointer
	RECOVER=there SMARTPROF_STACK_COPIES=on emulated ./emulated_broken
	section '# Data Quality' "$PROFILE" | grep -q 'were followed to'
	"$SMARTPROF" report --format folded "$PROFILE" >cpu
	grep -qE '_start;.*main;off_the_chain;work' cpu
	there where 1 2>err && status=0 || status=$?
	[ "$status" -eq 2 ]
	grep -qx 'smartprof: where: this command is there on x86-64 only' err
	CONTEXTS=500 make -s -C "$ROOT" bench-oracle-aarch64 NAMES='libc sha aes' >found
	[ "$(grep -c '(100.000 %)' found)" -eq 3 ]
}
