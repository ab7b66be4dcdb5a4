# What a kernel, a container or a machine may lack: the program runs as it would, and there is a profile, or one line says why not.
load helpers

# Those that glibc and we use where they are there. Old kernels do not know them, sandboxes refuse them.
CALLS=(statx getrandom rseq close_range memfd_create process_vm_readv faccessat2 openat2 copy_file_range mlock2 membarrier pidfd_open)

@test "system calls that an older kernel lacks, or a sandbox refuses" {
	local error what
	for error in 38 1; do
		what=$(printf "%s=$error," "${CALLS[@]}")
		[ "$error" -eq 1 ] || what+=clone3=38, # where that is refused, glibc makes no thread
		rm -rf "$SMARTPROF_DIR"
		same_run "$TARGETS/deny" "${what%,}" "$TARGETS/threads_cpu" 2 0.2
		profile=$(profile_of threads_cpu)
		at_least "$(front cpu_sampled_seconds "$profile")" 0.3
		[ "$(front frames_unsymbolized_percent "$profile" | cut -d. -f1)" -lt 20 ]
		"$TARGETS/deny" "${what%,}" "$SMARTPROF" run --output run.md -- "$TARGETS/cpu_truth" 0.2 >out
	done
	"$TARGETS/deny" "${what%,}" "$SMARTPROF" report --format html --output page.html run.md
	[ -s page.html ]
}

# why WORDS COMMAND…: the output and status of the program are its own, there is no profile, and that is why.
why() {
	local words=$1
	shift
	same_run "$@"
	SMARTPROF_VERBOSE=1 profiled "$@" >out 2>said || true
	[ "$(grep -c '^smartprof: ' said)" -eq 1 ] && grep -q "^smartprof: .*$words" said || fail "$(cat said)"
	[ -z "$(find "$SMARTPROF_DIR" -name '*.md' 2>/dev/null)" ]
}

@test "a kernel that is too old, by what it lacks, is told as such" {
	why 'older than 5\.14' "$TARGETS/deny" advice:18=22 "$TARGETS/cpu_truth" 0.1 # MADV_WIPEONFORK
	why 'older than 5\.14' "$TARGETS/deny" advice:23=22 "$TARGETS/cpu_truth" 0.1 # MADV_POPULATE_WRITE
	# A sandbox that refuses them is no old kernel.
	why 'a sandbox (seccomp) refuses the system call madvise' "$TARGETS/deny" advice:18=1 "$TARGETS/cpu_truth" 0.1
	why 'a sandbox (seccomp) refuses the system call madvise' "$TARGETS/deny" advice:23=13 "$TARGETS/cpu_truth" 0.1
}

@test "perf events that a kernel keeps for root: the profile says which setting would allow them" {
	needs_root
	export AGENT TARGETS SMARTPROF
	echo 4 >paranoid
	in_mount_namespace 'mount --bind paranoid /proc/sys/kernel/perf_event_paranoid
		LD_PRELOAD=$AGENT "$TARGETS/deny" event=13 "$TARGETS/cpu_truth" 0.3 >out
		"$TARGETS/deny" event=13 "$SMARTPROF" config >config'
	grep -q '^- CPU clock: .*setting kernel.perf_event_paranoid to 2 would allow' "$(profile_of cpu_truth)"
	grep -q 'sudo sysctl kernel.perf_event_paranoid=2' config
}

# lacking MOUNTS [USER]: after those, as that user, a program under the library, and one by `run`: what they write and their statuses are
# in out, err, status.
lacking() {
	needs_root
	export AGENT TARGETS SMARTPROF USER_ID=${2-0}
	rm -rf "$SMARTPROF_DIR" "$XDG_STATE_HOME"/smartprof out err status
	# shellcheck disable=SC2016
	export BOTH='LD_PRELOAD=$AGENT "$TARGETS/ends" exit 0.3; echo $? >&3
		"$SMARTPROF" run -- "$TARGETS/ends" exit 0.3; echo $? >&3'
	# shellcheck disable=SC2016
	in_mount_namespace 'export SMARTPROF_VERBOSE=1
		'"$1"' || exit 99
		setpriv --reuid="$USER_ID" --regid="$USER_ID" --clear-groups bash -c "$BOTH"' >out 2>err 3>status
}

# Such as have no use for the library: a 32-bit one that needs no C library, and two of musl's, of which one has its loader's name at its
# end. All end with 5.
make_foreign() {
	cat >thirty_two.c <<'C'
void _start(void)
{
	static const char text[] = "here\n";

	__asm__ volatile("int $0x80" : : "a"(4), "b"(1), "c"(text), "d"(sizeof text - 1) : "memory");
	__asm__ volatile("int $0x80" : : "a"(1), "b"(5));
}
C
	printf '#include <stdio.h>\nint main(void) { puts("here"); return 5; }\n' >musl.c
	gcc -m32 -O1 -ffreestanding -fno-stack-protector -nostdlib -fpie -pie -Wl,--dynamic-linker=/lib/ld-linux.so.2 thirty_two.c -o thirty_two
	musl-gcc -O2 musl.c -o musl
	/usr/bin/python3 - <<-'PY'
		import struct
		program = bytearray(open('musl', 'rb').read())
		header, = struct.unpack_from('<Q', program, 32)
		while struct.unpack_from('<I', program, header)[0] != 3:
		    header += 56
		offset, size = (struct.unpack_from('<Q', program, header + at)[0] for at in (8, 32))
		struct.pack_into('<Q', program, header + 8, len(program))
		open('musl_far', 'wb').write(program + program[offset:offset + size])
	PY
	chmod +x musl_far
}

@test "a 32-bit program, and one of musl's, that a profiled one starts, are started without the library" {
	make_foreign
	export PATH=$PWD:$PATH
	for program in thirty_two musl musl_far; do
		[ "$("$program" || [ $? -eq 5 ])" = here ] || [ "$program" != thirty_two ] || continue # a kernel without 32-bit programs
		same_run bash -c "$PWD/$program"
		same_run env "$program" # execvp
		same_run perl -e "exit(system('$program') >> 8)"
		same_run /usr/bin/python3 -c "import os; exit(os.waitstatus_to_exitcode(os.waitpid(os.posix_spawn('$PWD/$program', ['x'], os.environ), 0)[1]))"
		same_run /usr/bin/python3 -c "import os; exit(os.waitstatus_to_exitcode(os.waitpid(os.posix_spawnp('$program', ['x'], os.environ), 0)[1]))"
		same_run /usr/bin/python3 -c "import os; os.execve(os.open('$PWD/$program', os.O_RDONLY), ['x'], os.environ)"
		[ "$(cat profiled.out profiled.status)" = "$(printf 'here\n5')" ]
		status_of 5 "$SMARTPROF" run -- "$program" >out 2>err
		[ "$(cat out)" = here ] && [ "$(wc -l <err)" -eq 1 ] || fail "$(cat err)"
	done
	grep -q 'musl' err
}

@test "a program that is looked at once is looked at again when another is in its place" {
	make_foreign
	# By vfork, so that the shell remembers; but not of a file that has changed just now.
	# shellcheck disable=SC2016
	same_run dash -c 'cp /bin/true replaced; cp /bin/true written; cp "$0" new; sleep 3
		for program in replaced written; do ./$program && ./$program || exit; done
		mv new replaced; ./replaced; echo $?; cat "$0" >written; ./written; echo $?' "$PWD/musl"
	[ "$(paste -sd ' ' profiled.out)" = 'here 5 here 5' ] || fail "$(cat profiled.out)"
}

# profiles_of_both: of the library alone and of run, where nothing was said but where the latter is.
profiles_of_both() {
	[ "$(paste -sd ' ' status)" = '7 7' ] || fail "$(cat status err)"
	[ "$(cat out)" = "$(printf 'spent\nspent')" ]
	[ "$(grep -cvE '^smartprof: (profile: )?/.*\.md$' err)" -eq 0 ] || fail "$(cat err)"
	find "$SMARTPROF_DIR" -name 'ends.*.md' >found
	[ "$(wc -l <found)" -eq 2 ]
	while read -r profile; do check_profile "$profile"; done <found
}

@test "without /proc, without /dev, with nothing but oneself in /proc, and where no file may be executed" {
	lacking 'mount -t tmpfs -o ro none /proc'
	profiles_of_both
	lacking 'mount -t tmpfs -o mode=755 none /dev'
	profiles_of_both
	lacking 'mount -t tmpfs -o noexec,mode=1777 none /dev/shm && mount --bind . . && mount -o remount,bind,noexec . && cd .'
	profiles_of_both
	open_to_all .
	rm -rf home state && mkdir -m 777 home state
	lacking 'mount -t proc -o hidepid=2 proc /proc' 65534
	profiles_of_both
}

@test "a root that is read-only: told before the program runs, or afterwards, and recovered from outside" {
	lacking 'mount -o remount,bind,ro / && ! touch "$PWD/x" 2>/dev/null' || [ -e x ]
	[ ! -e x ] || skip "this directory is no part of the root"
	[ "$(cat status)" = "$(printf '7\n2')" ]
	[ "$(wc -l <err)" -eq 2 ]
	grep -q '^smartprof: no profile: .* no directory .* can be made' err
	grep -q '^smartprof: run: profiles cannot be written to .*: Read-only file system' err
	recovered ends
}
