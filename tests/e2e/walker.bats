# The agent's walker beside libunwind, on programs that nobody here wrote: the same stacks, wherever they are interrupted.
load helpers

setup_file() {
	make -C "$ROOT" --no-print-directory build/bench/liboracle.so
}

# same REPORT: nearly all stacks with tables all the way are libunwind's, and all others are whole.
same() {
	[ -n "$1" ] || fail "nothing was compared"
	awk '{ all = same = -1 }
		match($0, /tables all the way [0-9]+, the same [0-9]+/) { split(substr($0, RSTART, RLENGTH), f, /[^0-9]+/); all = f[2]; same = f[3] }
		all < 0 || same < 0.999 * all { exit 1 }
		match($0, /has none [0-9]+, ours complete [0-9]+/) { split(substr($0, RSTART, RLENGTH), f, /[^0-9]+/); if (f[3] < 0.97 * f[2]) exit 1 }' <<<"$1" ||
		fail "$1"
}

@test "in the C library, the loader, hand-written cryptography and python3" {
	for name in libc ld.so rsa ecdsa chacha python3; do
		report=$(CONTEXTS=$(long 400 10000) "$ROOT/tests/bench/oracle.sh" $name)
		same "$(grep -E '^[a-z.0-9]+: [0-9]+ contexts' <<<"$report")"
	done
}

@test "in a program whose segments are far apart" {
	cat >far.c <<-'END'
		#include <stdlib.h>
		__attribute__((section(".far"), noinline)) static int far(int n) { return n > 1 ? far(n - 1) + far(n - 2) : rand() & n; }
		int main(void) { for (;;) far(20); }
	END
	gcc -O1 -no-pie -Wl,--section-start=.far=0x30000000 -o far far.c
	ORACLE_OUT=$WORK/report ORACLE_CONTEXTS=500 LD_PRELOAD=$ROOT/build/bench/liboracle.so timeout 60 ./far
	same "$(grep contexts report)"
	grep -q 'all the way 500' report
}

@test "in assembly without tables: whole stacks" {
	command -v x264 >/dev/null && command -v ffmpeg >/dev/null || skip "x264 and ffmpeg are not installed"
	same "$(CONTEXTS=$(long 400 10000) "$ROOT/tests/bench/oracle.sh" x264 | grep contexts)"
}
