# Every function that allocates answers as without us, wherever it is called from.
load helpers

PLUGIN=$TARGETS/plugins/plugin_malloc_api.so
EARLY=$TARGETS/plugins/plugin_malloc_early.so

# same_table PRELOAD-PLAIN PRELOAD-PROFILED ARGUMENTS…
same_table() {
	local plain=$1 profiled=$2
	shift 2
	status_of 0 timeout -k 5 "$PATIENCE" env LD_PRELOAD="$plain" "$TARGETS/malloc_api" "$@" >plain.out
	status_of 0 timeout -k 5 "$PATIENCE" env LD_PRELOAD="$profiled" "$TARGETS/malloc_api" "$@" >profiled.out
	# The full tcmalloc walks stacks with libunwind, which leaves EAGAIN behind where it had to look at memory.
	[[ $plain != *libtcmalloc.so* ]] || sed -i '/\tblock\t/s/errno [0-9]*/errno/' plain.out profiled.out
	[ "$(wc -l <plain.out)" -ge 50 ] || fail "short: $*"
	cmp plain.out profiled.out || {
		diff plain.out profiled.out | head -20 >&2
		fail "$profiled: $*"
	}
}

# same_everywhere [LIBRARY]: with the C library's malloc or another.
same_everywhere() {
	local with=${1:+:$1} how
	for how in main handler child thread atexit "dlopen $PLUGIN"; do
		# shellcheck disable=SC2086 # two words
		same_table "${1-}" "$AGENT$with" $how
	done
	# Constructors that run before ours, and after.
	same_table "$PLUGIN$with" "$AGENT:$PLUGIN$with" main
	same_table "$PLUGIN$with" "$PLUGIN:$AGENT$with" main
}

# other_allocator NAME
other_allocator() {
	local path
	path=$(find /usr/lib/x86_64-linux-gnu -name "$1*" | sort | head -n 1)
	[ -n "$path" ] || skip "$1 is not installed"
	same_everywhere "$path"
}

@test "the C library's malloc" {
	same_everywhere
}

@test "the C library's malloc, with the profiler switched off" {
	SMARTPROF_ENABLED=0 same_everywhere
}

@test "modules bound to another malloc, and blocks freed across" {
	same_table "" "$AGENT" deepbind "$PLUGIN"
	same_table "" "$AGENT" dlmopen "$PLUGIN"
}

@test "a resolver allocates before anything has been relocated" {
	same_table "$EARLY" "$AGENT:$EARLY" main
	grep -q "^resolver.*kept.*1" profiled.out
	same_table "$EARLY" "$EARLY:$AGENT" main
}

@test "jemalloc" {
	other_allocator libjemalloc.so.2
}

@test "tcmalloc, minimal" {
	other_allocator libtcmalloc_minimal.so.4
}

@test "tcmalloc" {
	other_allocator libtcmalloc.so.4
}

@test "mimalloc" {
	other_allocator libmimalloc.so.2
}

@test "an allocator of a module's own answers for its blocks, another of the same kind beside it" {
	cat >own.c <<-'END'
		#include <stdlib.h>
		void *mallocx(size_t size, int flags) { size_t *p = malloc(size + 64); *p = size + MORE; return p + 8; }
		void dallocx(void *p, int flags) { free((size_t *)p - 8); }
		size_t sallocx(void *p, int flags) { return ((size_t *)p)[-8]; }
		size_t xallocx(void *p, size_t size, size_t extra, int flags) { return ((size_t *)p)[-8]; }
	END
	cat >module.c <<-'END'
		#include <stdio.h>
		#include <stdlib.h>
		void *mallocx(size_t, int);
		void dallocx(void *, int);
		size_t sallocx(void *, int), xallocx(void *, size_t, size_t, int);
		void run(void) {
			for (int i = 0; i < 3000; i++) {
				void *p = mallocx(100000, 0);
				if (i == 2999)
					printf("%zu %zu\n", sallocx(p, 0), xallocx(p, 1 << 30, 0, 0));
				else
					xallocx(p, 1 << 30, 0, 0);
				dallocx(p, 0);
			}
		}
	END
	cat >host.c <<-'END'
		#include <dlfcn.h>
		int main(int argc, char **argv) {
			void *m = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) ? dlopen(argv[2], RTLD_NOW | RTLD_LOCAL) : 0;
			if (!m) return 2;
			((void (*)(void))dlsym(m, "run"))();
			return 0;
		}
	END
	gcc -w -O1 -shared -fPIC -DMORE=7 -Wl,-Bsymbolic -o libown.so own.c
	sed 's/return ((size_t.*/abort(); }/' own.c >beside.c
	gcc -w -O1 -shared -fPIC -DMORE=9 -Wl,-Bsymbolic,-soname,libjemalloc.so.2 -o beside.so beside.c
	gcc -O1 -shared -fPIC -o module.so module.c -L. -lown -Wl,-rpath,"$PWD"
	gcc -O1 -o host host.c
	same_run "$PWD/host" "$PWD/beside.so" "$PWD/module.so"
	[ "$(cat profiled.out)" = "100007 100007" ] || fail "$(cat profiled.out)"
	profile=$(profile_of host)
	at_least 310000000 "$(front heap_allocated_bytes "$profile")"
	at_least "$(front heap_allocated_bytes "$profile")" 300000000
}
