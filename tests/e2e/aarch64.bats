# The agent on another kind of processor, as qemu emulates it.
load helpers

setup_file() {
	make -s -C "$ROOT" CROSS=aarch64-linux-gnu agent >/dev/null
}

# emulated PROGRAM: run with the agent; the profile in PROFILE.
emulated() {
	plain qemu-aarch64 -L /usr/aarch64-linux-gnu -E LD_PRELOAD="$ROOT/build-aarch64-linux-gnu/libsmartprof.so" "$@" >out
	"$SMARTPROF" recover >recovered
	PROFILE=$(sed -n 1p recovered)
}

@test "heap and CPU: bytes, sites, and stacks to the start, through a signal's handler too" {
	aarch64-linux-gnu-gcc -O2 -g -fno-optimize-sibling-calls -o emulated "$ROOT/tests/targets/emulated.c"
	emulated ./emulated
	grep -qx 'allocated 20000000' out
	[ "$(front stacks_truncated "$PROFILE")" -le $(($(front cpu_samples "$PROFILE") / 20)) ]
	at_least "$(front heap_allocated_bytes "$PROFILE")" 20000000
	at_least 20400000 "$(front heap_allocated_bytes "$PROFILE")"
	"$SMARTPROF" report --format folded --metric allocated "$PROFILE" >heap
	grep -qE '_start;.*main;allocate_all;allocate_one;?.* [0-9]+$' heap
	"$SMARTPROF" report --format folded "$PROFILE" >cpu
	grep -qE '_start;.*main;work' cpu
	grep -qE 'work;.*on_alarm;in_handler' cpu
}
