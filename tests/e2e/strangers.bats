# What other users put in a program's way: settings, a renderer, a caller with fewer rights.
load helpers


@test "a settings file of another user's, or in another's directory, does not count" {
	needs_root
	chmod 755 "$WORK"
	mkdir theirs
	printf 'SMARTPROF_ENABLED=off\nSMARTPROF_BIN=%s/evil\n' "$WORK" >theirs/.env.profiling
	printf '#!/bin/sh\n: >%s/ran\n' "$WORK" >evil
	chmod 755 evil
	chown -R nobody theirs
	(cd theirs && profiled "$TARGETS/cpu_truth" 0.3 >../out)
	profile_of cpu_truth
	(cd theirs && "$SMARTPROF" config >../config.out)
	grep 'theirs/.env.profiling.* ignored: it belongs to another user' config.out
	chown root theirs/.env.profiling # it could be replaced
	(cd theirs && "$SMARTPROF" config >../config.out)
	grep ' ignored: a directory above it belongs to another user' config.out
	rm theirs/.env.profiling
	ln -s /proc/$$/environ theirs/.env.profiling
	chown -R root theirs
	(cd theirs && "$SMARTPROF" config >../config.out)
	grep ' ignored: it is a link' config.out
	[ ! -e ran ]
}

@test "a renderer that others can replace is not run" {
	needs_root
	chmod 755 "$WORK"
	mkdir -p lib bin
	cp "$AGENT" lib/
	printf '#!/bin/sh\n: >%s/ran\n' "$WORK" >bin/smartprof
	chmod 755 bin/smartprof
	for how in "chown nobody bin/smartprof" "chmod 757 bin/smartprof" "chown nobody bin" "chmod 777 bin" \
		"chgrp users bin; chmod 775 bin"; do
		chown root:root bin bin/smartprof
		chmod 755 bin bin/smartprof
		rm -f ran
		plain env LD_PRELOAD="$WORK/lib/libsmartprof.so" "$TARGETS/cpu_truth" 0.1 >out
		[ -e ran ] || fail "not run at all"
		rm ran
		eval "$how"
		SMARTPROF_VERBOSE=1 plain env LD_PRELOAD="$WORK/lib/libsmartprof.so" "$TARGETS/cpu_truth" 0.1 2>err >out
		[ ! -e ran ] || fail "run: $how"
		grep -q "^smartprof: $WORK/bin/smartprof: .*\(another user\|others may\)" err || fail "$(cat err)"
		SMARTPROF_BIN=$WORK/bin/smartprof plain env LD_PRELOAD="$WORK/lib/libsmartprof.so" "$TARGETS/cpu_truth" 0.1 >out
		[ ! -e ran ] || fail "run by SMARTPROF_BIN: $how"
	done
}

# Loaded for everybody by /etc/ld.so.preload, in a root directory of its own.
@test "a link to a program of root's, put beside the library by somebody, is not run" {
	needs_root
	chmod 755 "$WORK"
	mkdir -m 1777 lib
	cp "$AGENT" lib/
	ln -s /bin/sh lib/smartprof
	printf ': >%s/ran\n' "$WORK" >finish
	chown -h nobody lib/smartprof
	SMARTPROF_VERBOSE=1 plain env LD_PRELOAD="$WORK/lib/libsmartprof.so" "$TARGETS/cpu_truth" 0.1 2>err >out
	[ ! -e ran ] || fail "a shell was run"
	grep -q 'it is a link, and others may write where it is' err || fail "$(cat err)"
	chmod 755 lib
	rm lib/smartprof
	ln -s "$SMARTPROF" lib/smartprof # as people install it
	plain env LD_PRELOAD="$WORK/lib/libsmartprof.so" "$TARGETS/cpu_truth" 0.1 2>err >out
	profile_of cpu_truth
}

@test "in a process with more rights than its caller it does nothing" {
	needs_root
	export AGENT SMARTPROF TARGETS WORK
	in_mount_namespace '
		set -e
		mkdir -p "$WORK/root"
		mount --rbind / "$WORK/root"
		mount -t tmpfs -o mode=755 own "$WORK/root/etc"
		cd "$WORK/root/etc"
		cp /etc/ld.so.cache "$AGENT" "$SMARTPROF" .
		cp "$TARGETS/cpu_truth" plainly
		cp "$TARGETS/cpu_truth" setuid
		chmod 4755 setuid
		mkdir -m 777 theirs
		echo /etc/libsmartprof.so >ld.so.preload
		for program in plainly setuid; do
			env -i SMARTPROF_VERBOSE=1 SMARTPROF_DIR="/etc/theirs/$program" \
				"$(command -v chroot)" --userspec=65534:65534 "$WORK/root" "/etc/$program" 0.3 \
				2>"$WORK/$program.err" >"$WORK/out" || cat "$WORK/$program.err"
		done
		sleep 1
		find theirs /dev/shm/smartprof-65534 -type f >"$WORK/found"'
	refuse grep 'spool$' found # a renderer that is profiled would leave some
	grep "theirs/plainly/.*/plainly.*md" found || fail "$(cat found plainly.err)"
	refuse grep setuid found
	refuse grep 'smartprof\..*md' found
	[ ! -s setuid.err ] || fail "$(cat setuid.err)"
}
