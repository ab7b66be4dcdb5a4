# Names: which file an address belongs to, and what may be believed of it.
load helpers

# burner NAME FILE [FLAG…]: a program, or with -shared a plugin, that burns its time in a function of that name.
burner() {
	local name=$1 file=$2
	shift 2
	[ -e burner.c ] || cat >burner.c <<-'END'
		#include <stdlib.h>
		#include <string.h>
		#include <time.h>
		static volatile unsigned sink;
		__attribute__((noinline)) static void NAME(unsigned n)
		{
			for (unsigned i = 0; i < n; i++)
				sink = sink * 3 + i;
		}
		void entry(double seconds)
		{
			clock_t end = clock() + (clock_t)(seconds * CLOCKS_PER_SEC);
			while (clock() < end)
				NAME(100000);
		}
		#ifndef PLUGIN
		int main(int argc, char **argv)
		{
			if (argc > 2) /* as for ps */
				memset(argv[0], 0, strlen(argv[0]));
			entry(argc > 1 ? atof(argv[1]) : 0.3);
			return 0;
		}
		#endif
	END
	cc -g -O1 -fPIC -DNAME="$name" "$@" -o "$file" burner.c
}

# percent REGEX FILE: share of CPU time in stacks that match.
percent() {
	"$SMARTPROF" report --format folded "$2" |
		awk -v re="$1" '{ v = $NF; t += v; if ($0 ~ re) m += v } END { printf "%d\n", t ? 100 * m / t : 0 }'
}

# start COMMAND…: in the background, as $pid, until it has been sampled for a while; one that ends itself may be gone by then.
start() {
	env LD_PRELOAD="$AGENT" "$@" 3>&- &
	pid=$!
	used_or_gone() { [ ! -e "/proc/$pid" ] || has_used 0.25 "$pid"; }
	eventually used_or_gone
}

reloader() {
	cat >host.c <<-'END'
		#include <dlfcn.h>
		#include <stdio.h>
		#include <stdlib.h>
		static void use(const char *path)
		{
			void *handle = dlopen(path, RTLD_NOW);
			void (*entry)(double) = handle ? (void (*)(double))dlsym(handle, "entry") : NULL;
			if (!entry) {
				puts(dlerror());
				exit(1);
			}
			entry(0.3);
			dlclose(handle);
		}
		int main(int argc, char **argv)
		{
			use(argv[1]);
			if (argc > 2 && system(argv[2]) == 0)
				use(argv[1]);
			return 0;
		}
	END
	cc -o host host.c
}

@test "a program started by the dynamic linker has its own names" {
	for id in none sha1; do
		burner burn_here app -Wl,--build-id=$id
		profiled /lib64/ld-linux-x86-64.so.2 ./app
		profile=$(profile_of app)
		at_least "$(percent 'main;.*burn_here' "$profile")" 50
		[ "$(front program "$profile")" = app ]
		rm -r profiles
	done
}

@test "a program without build-id that was replaced: its names while it lives, then none" {
	burner first_build app -Wl,--build-id=none
	burner other_build app.new -Wl,--build-id=none
	cp app app.old
	start ./app 60
	mv app.new app
	kill "$pid"
	wait "$pid" || true
	at_least "$(percent first_build "$(profile_of app)")" 50
	rm -r profiles
	cp app app.new
	mv app.old app
	start ./app 60
	mv app.new app
	kill -9 "$pid"
	wait "$pid" || true
	profile=$(recovered app)
	[ "$(percent 'first_build|other_build' "$profile")" -eq 0 ]
	grep -q '\[gone\], because another build has replaced its file' "$profile"
}

@test "a file written anew in place, with its old time, is not what was mapped" {
	burner first_build plugin.so -shared -DPLUGIN -Wl,--build-id=none
	burner other_build other.so -shared -DPLUGIN -Wl,--build-id=none
	reloader
	start ./host ./plugin.so 'cp plugin.so old.so; cat other.so >plugin.so; touch -r old.so plugin.so; kill -9 $PPID'
	wait "$pid" || true
	profile=$(recovered host)
	[ "$(percent 'first_build|other_build' "$profile")" -eq 0 ]
}

@test "a plugin that comes back as another build at the same address is two mappings" {
	reloader
	for id in none sha1; do
		burner first_build plugin.so -shared -DPLUGIN -Wl,--build-id=$id
		burner other_build plugin.new -shared -DPLUGIN -Wl,--build-id=$id
		profiled ./host "$WORK/plugin.so" 'mv plugin.new plugin.so'
		profile=$(profile_of host)
		[ "$(percent first_build "$profile")" -eq 0 ]
		at_least "$(percent other_build "$profile")" 30
		at_least 70 "$(percent other_build "$profile")"
		[ "$(section '## All mappings' "$profile" | grep -c 'plugin\.so')" -eq 2 ]
		grep -q 'plugin.so \[gone\]' "$profile"
		rm -r profiles
	done
}

@test "a plugin loaded by a relative path has names" {
	reloader
	for id in none sha1; do
		burner burn_here plugin.so -shared -DPLUGIN -Wl,--build-id=$id
		profiled ./host ./plugin.so
		at_least "$(percent burn_here "$(profile_of host)")" 50
		rm -r profiles
	done
}

@test "upgraded, deleted and memory-only programs have names at their end" {
	cat >memfd.c <<-'END'
		#define _GNU_SOURCE
		#include <fcntl.h>
		#include <sys/mman.h>
		#include <sys/sendfile.h>
		#include <unistd.h>
		int main(int argc, char **argv)
		{
			int from = open(argv[1], O_RDONLY), to = memfd_create("anonymous", 0);
			while (sendfile(to, from, NULL, 1 << 20) > 0)
				;
			fexecve(to, argv + 1, environ);
			return 1;
		}
	END
	cc -o memfd memfd.c
	for id in none sha1; do
		for how in 'cp app app.new; mv app.new app' 'rm app'; do
			burner burn_here app -Wl,--build-id=$id
			start ./app 60
			sh -c "$how"
			kill "$pid"
			wait "$pid" || true
			at_least "$(percent burn_here "$(profile_of app)")" 50
			rm -r profiles
		done
		burner burn_here app -Wl,--build-id=$id
		profiled ./memfd ./app
		at_least "$(percent burn_here "$(profile_of app)")" 50
		rm -r profiles
	done
}

@test "a program that writes over its arguments keeps its name" {
	burner burn_here app
	profiled ./app 0.3 rewritten
	profile=$(profile_of app)
	[ "$(front program "$profile")" = app ]
	[ "$(front command "$profile")" = './app 0.3 rewritten' ]
	for title in '' 'worker: 127.0.0.1(52202) idle'; do
		rm -r profiles
		profiled perl -e '$0 = "'"$title"'"; for (1 .. 3e6) { $s += $_ }'
		[ "$(front program "$(profile_of perl)")" = perl ]
	done
}

@test "a symbol without a size does not reach over functions whose symbols were dropped" {
	cat >tiny.S <<-'END'
		.globl tiny_add
		.type tiny_add, @function
		tiny_add:
			lea (%rdi,%rsi), %eax
			ret
		.section .note.GNU-stack,"",@progbits
	END
	cat >work.c <<-'END'
		static volatile unsigned sink;
		int tiny_add(int, int);
		__attribute__((noinline)) static void burn_here(unsigned n)
		{
			for (unsigned i = 0; i < n; i++)
				sink = sink * 3 + i;
		}
		int main(void)
		{
			for (int i = 0; i < 2000; i++)
				burn_here(100000);
			return tiny_add(0, 0);
		}
	END
	for how in 'strip -x' 'strip -g -x' 'strip --strip-unneeded'; do
		cc -O1 -o app tiny.S work.c
		$how app
		profiled ./app
		[ "$(percent tiny_add "$(profile_of app)")" -le 2 ]
		rm -r profiles
	done
}

@test "files of many gigabytes have names: data behind the program, data in it, zeros in memory" {
	burner burn_here app
	cp app small
	truncate -s 5000M app
	profiled ./app
	at_least "$(percent burn_here "$(profile_of app)")" 50
	rm -r profiles
	objcopy --add-section .payload=/dev/null small app
	# The section's contents: far behind everything else, as large as the limit on memory and a half.
	python3 - <<-'END'
		import struct
		f = open('app', 'r+b')
		head = f.read(64)
		shoff, = struct.unpack_from('<Q', head, 40)
		entry, count, names = struct.unpack_from('<HHH', head, 58)
		f.seek(shoff)
		table = bytearray(f.read(entry * count))
		f.seek(struct.unpack_from('<Q', table, names * entry + 24)[0])
		text = f.read(4096)
		here = [i for i in range(count) if text[struct.unpack_from('<I', table, i * entry)[0]:].startswith(b'.payload\0')]
		struct.pack_into('<QQ', table, here[0] * entry + 24, 1 << 20, 6000 << 20)
		f.seek(shoff)
		f.write(table)
		f.truncate(6100 << 20)
	END
	profiled ./app
	at_least "$(percent burn_here "$(profile_of app)")" 50
	rm -r profiles
	sed '1i char huge[2400000000ul];' burner.c >zeros.c
	cc -g -O1 -mcmodel=large -DNAME=burn_here -o app zeros.c
	profiled ./app
	at_least "$(percent burn_here "$(profile_of app)")" 50
}

@test "what could not be read under a limit is read the next time" {
	needs_room 1500
	export XDG_CACHE_HOME=$WORK/cache
	burner burn_here app -Wl,--compress-debug-sections=zlib
	head -c 300000000 /dev/zero >data
	objcopy --add-section .payload=data app
	rm data
	for kilobytes in 60000 250000; do
		(ulimit -v $kilobytes && profiled ./app) || true
		rm -rf profiles "$XDG_STATE_HOME"
		profiled ./app
		profile=$(profile_of app)
		at_least "$(percent burn_here "$profile")" 50
		section '## All lines' "$profile" | grep -q burner.c
		rm -rf profiles "$XDG_CACHE_HOME"
	done
}

@test "a file that is written and cut while it is read ends no report" {
	reloader
	sed -i 's/use(argv\[1\]);/use(argv[1]); pause();/; 1i #include <unistd.h>' host.c
	cc -o host host.c
	burner burn_here plugin.so -shared -DPLUGIN
	cp plugin.so whole
	start ./host "$WORK/plugin.so"
	kill -STOP "$pid"
	while [ ! -e enough ]; do
		cat whole >plugin.so
		head -c 3000 whole >plugin.so
		cat whole whole >plugin.so
		truncate -s 5000 plugin.so
	done 3>&- &
	writer=$!
	failed=0
	for try in $(seq "$(long 25 300)"); do
		"$SMARTPROF" report "$pid" >report.md || failed=$((failed + 1))
		rm -rf "$HOME/.cache"
	done
	touch enough
	wait "$writer"
	[ "$failed" -eq 0 ]
	cat whole >plugin.so
	"$SMARTPROF" report "$pid" >report.md
	kill -9 "$pid"
	grep -q burn_here report.md
}

@test "split DWARF is read from .dwo and object files; missing ones are told" {
	export SMARTPROF_ENV=critical XDG_CACHE_HOME=$WORK/cache
	cat >split.c <<-'END'
		static volatile unsigned sink;
		static inline __attribute__((always_inline)) void inlined_step(unsigned i)
		{
			sink = sink * 3 + i;
			sink = sink * 5 + i;
			sink = sink * 7 + i;
		}
		int main(void)
		{
			for (unsigned i = 0; i < 50000000; i++)
				inlined_step(i);
			return 0;
		}
	END
	for how in '-gdwarf-4 -gsplit-dwarf=single' '-gdwarf-5 -gsplit-dwarf=single' '-gdwarf-4 -gsplit-dwarf' \
		'-gdwarf-5 -gsplit-dwarf'; do
		# shellcheck disable=SC2086 # several flags
		clang -O1 -fsplit-dwarf-inlining $how -fno-split-dwarf-inlining -c split.c -o split.o
		clang split.o -o app
		profiled ./app
		at_least "$(percent 'main;inlined_step' "$(profile_of app)")" 50
		refuse grep 'Debug information' "$(profile_of app)"
		rm -rf profiles split.o split.dwo
		for time in first cached; do
			profiled ./app
			profile=$(profile_of app)
			at_least "$(percent main "$profile")" 50
			grep -q "Debug information of .*/app.* is missing: .*/split\.d\?w\?o" "$profile"
			rm -r profiles
		done
	done
}

@test "modules on a file system that does not answer: the others have names, in a moment" {
	reloader
	mkdir hangs
	burner burn_here hangs/plugin.so -shared -DPLUGIN
	mount_hanging() {
		unshare -m "$TARGETS/hang_mount" "$WORK/hangs" "$@"
	}
	mount_hanging true 2>/dev/null || skip "needs /dev/fuse and the right to mount"
	start ./host "$WORK/hangs/plugin.so" 'sleep 60'
	began=$SECONDS
	mount_hanging timeout -k 5 60 "$SMARTPROF" report "$pid" >live.md
	[ $((SECONDS - began)) -le 20 ]
	kill -9 "$pid"
	grep -q 'host' live.md
	grep -q 'could not be read' live.md
}

@test "Java's interpreter is walked by its frame pointers" {
	command -v java >/dev/null && command -v javac >/dev/null || skip "needs a JDK"
	cat >Spin.java <<-'END'
		public class Spin {
			static long spin(int depth) {
				long sum = 0;
				for (int i = 0; i < 2000; i++)
					sum += i * depth;
				return depth == 0 ? sum : sum + spin(depth - 1);
			}
			public static void main(String[] arguments) {
				long sum = 0;
				for (long end = System.nanoTime() + 1500000000L; System.nanoTime() < end;)
					sum += spin(20);
				System.out.println(sum != 0);
			}
		}
	END
	javac Spin.java
	profiled java -Xint -XX:+PreserveFramePointer Spin
	[ "$(percent '[[]truncated' "$(profile_of java)")" -le 10 ]
}

@test "an emulator's guest is profiled, whose handlers begin on a stack that is not aligned" {
	command -v qemu-x86_64 >/dev/null || skip "needs qemu-user"
	burner burn_here app
	plain qemu-x86_64 -E LD_PRELOAD="$AGENT" ./app
	at_least "$(percent burn_here "$(recovered app)")" 50 # it cannot start a renderer
}

@test "the C library's functions have the names that programs call them by" {
	cat >reads.c <<-'C'
		#include <stdlib.h>
		#include <unistd.h>
		int main(void) {
			int fds[2];
			char block[4096] = "";
			if (pipe(fds)) return 1;
			for (int i = 0; i < 400000; i++) {
				if (write(fds[1], block, sizeof(block)) < 0 || read(fds[0], block, sizeof(block)) < 0) return 1;
				if (i % 4 == 0) { void *m = malloc(100000); free(m); }
			}
		}
	C
	gcc -O2 -g -o reads reads.c
	profiled ./reads
	profile=$(profile_of reads)
	at_least "$(percent read "$profile")" 5
	at_least "$(percent write "$profile")" 5
	refuse grep -Eq '[^A-Za-z0-9_](__libc_(read|write|malloc|free)|__GI_[a-z_]*|cfree)([^A-Za-z0-9_]|$)' "$profile"
}
