# Spools: which are alive, where they go, what they let in, who may read and write what.
load helpers

as_nobody() {
	setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
}

spools() {
	find "/dev/shm/smartprof-${1:-$UID}" -name '*.spool' 2>/dev/null
}

@test "a process in another pid namespace is alive: neither its parent's end nor recover takes its spool" {
	needs_root
	cp /bin/bash service
	cat >supervise <<-'SH'
		#!/bin/bash
		unshare --pid --fork --kill-child --mount-proc ./service -c 'for ((i = 0; i < 100000; i++)); do :; done
			echo >working; for ((k = 0; k < 600; k++)); do [ -e stop ] && exit; /bin/sleep 0.1; done' &
		for ((i = 0; i < 60000; i++)); do :; done
		until [ -e working ]; do /bin/sleep 0.1; done
	SH
	chmod +x supervise
	profiled ./supervise 3>&-
	profile_of bash
	"$SMARTPROF" recover --list >list
	"$SMARTPROF" recover
	spool=$(find "/dev/shm/smartprof-$UID" -name '1.*.spool')
	[ "$(wc -w <<<"$spool")" -eq 1 ] || fail "spools: $spool"
	refuse grep -F "$spool" list
	[ -z "$(find "$SMARTPROF_DIR" -name 'service.*.md')" ]
	touch stop
	eventually test ! -e "$spool"
	[ "$(front exit "$(profile_of service)")" = 0 ]
}

@test "a process whose first thread has ended is alive, and recovered when it is killed" {
	LD_PRELOAD=$AGENT "$TARGETS/ends" leader-exit 0.3 >out 3>&- &
	pid=$!
	eventually test -s out
	eventually grep -q '^State:.*Z' /proc/$pid/status
	"$SMARTPROF" recover
	[ "$(find "/dev/shm/smartprof-$UID" -name "$pid.*.spool" | wc -l)" -eq 1 ]
	kill -KILL $pid
	wait $pid || true
	recovered ends
}

@test "a spool that cannot be in /dev/shm goes to the state directory: read-only, full, no inodes, not ours" {
	needs_root
	export AGENT TARGETS
	local how
	for how in 'mount -o remount,ro /dev/shm' 'mount -o remount,nr_inodes=2 /dev/shm' \
		'head -c 200M /dev/zero >/dev/shm/filler 2>/dev/null || :' 'chown 65534 /dev/shm/smartprof-0' \
		'rmdir /dev/shm/smartprof-0; ln -s /tmp /dev/shm/smartprof-0'; do
		rm -rf "$SMARTPROF_DIR"
		in_mount_namespace "mount -t tmpfs -o mode=1777,size=100m own /dev/shm && mkdir -m 700 /dev/shm/smartprof-0 &&
			$how && SMARTPROF_VERBOSE=1 LD_PRELOAD=\$AGENT \"\$TARGETS/ends\" exit 0.3 >out 2>err; echo \$? >status"
		[ "$(cat status)" -eq 7 ] || fail "$how: $(cat status err)"
		[ ! -s err ] || fail "$how: $(cat err)"
		profile_of ends
	done
}

@test "whatever the umask: directories can be used, profiles are read by whom it allows, nobody else writes" {
	needs_root
	local mask expected
	open_to_all .
	for mask in 0777:600:700 0400:644:755 0000:644:755 0022:644:755 0077:600:700; do
		expected=${mask#*:}
		mask=${mask%%:*}
		rm -rf home state profiles /dev/shm/smartprof-65534
		mkdir home && chown 65534 home
		(umask "$mask" && unset XDG_STATE_HOME SMARTPROF_DIR && cd home && LD_PRELOAD=$AGENT as_nobody "$TARGETS/ends" exit 0.3) || true
		[ "$(stat -c %a home/profiles/development/ends.*[0-9].md)" = "${expected%:*}" ] || fail "$mask: $(ls -lR home)"
		[ "$(stat -c %a home/profiles/development)" = "${expected#*:}" ] || fail "$mask: $(ls -lR home)"
		[ "$(stat -c %a /dev/shm/smartprof-65534)" = 700 ] || fail "$mask: $(ls -l /dev/shm)"
		(umask "$mask" && unset XDG_STATE_HOME && cd home && LD_PRELOAD=$AGENT as_nobody "$TARGETS/ends" kill9 0.3) || true
		[ "$(stat -c %a "$(spools 65534)")" = 600 ] || fail "$mask: $(ls -l /dev/shm/smartprof-65534)"
		find home -type d -not -perm -700 >unusable
		[ ! -s unusable ] || fail "$mask: cannot be used: $(cat unusable)"
	done
	rm -rf /dev/shm/smartprof-65534
}

# drops HOW ARGUMENTS…: runs drop, and counts the profiles it has at its end, by owner.
drops() {
	rm -rf "${SMARTPROF_DIR:?}" /dev/shm/smartprof-*/*.spool
	mkdir "$SMARTPROF_DIR"
	[ -z "$MODE" ] || chmod "$MODE" "$SMARTPROF_DIR"
	profiled "${BEFORE[@]}" "$TARGETS/drop" "$@"
	find "$SMARTPROF_DIR" "$XDG_STATE_HOME" -name 'drop.*.md' -printf '%U %h\n' | sort
}

@test "who starts as root and becomes another user has a profile: theirs, before and after the change" {
	needs_root
	local how before profile
	open_to_all .
	for how in setuid setreuid setresuid; do
		for before in 0 0.2; do
			[ "$(drops $how $before)" = "65534 $SMARTPROF_DIR/user-65534/development" ]
			profile=$(find "$SMARTPROF_DIR" -name 'drop.*.md')
			at_least "$(cpu_of "$profile")" "$(awk "BEGIN { print 0.15 + $before * 0.8 }")"
			near "$(all_functions_seconds "$profile")" "$(cpu_of "$profile")" 15
		done
	done
	# The directory that root would have made.
	rm -rf "$SMARTPROF_DIR"
	(mkdir -m 755 roots && cd roots && unset SMARTPROF_DIR && profiled "$TARGETS/drop" setuid)
	[ "$(find roots -name 'drop.*.md' -printf '%U %h')" = "65534 roots/profiles/user-65534/development" ]
	[ "$(drops setuid 0.2 0.2 fork | uniq -c | tr -s ' ')" = " 2 65534 $SMARTPROF_DIR/user-65534/development" ]
	# A directory that everybody may write to is used as it is.
	MODE=777
	[ "$(drops setuid)" = "65534 $SMARTPROF_DIR/development" ]
	[ -z "$(spools 0)$(spools 65534)" ]
	[ -z "$(find /dev/shm/smartprof-* -name '*.place')" ]
}

@test "a change of user that is refused or for a while leaves the profile root's" {
	needs_root
	open_to_all .
	BEFORE=(setpriv --bounding-set -setuid)
	[ "$(drops refused)" = "0 $SMARTPROF_DIR/development" ]
	at_least "$(cpu_of "$(profile_of drop)")" 0.35
	BEFORE=()
	[ "$(drops seteuid)" = "0 $SMARTPROF_DIR/development" ]
	at_least "$(cpu_of "$(profile_of drop)")" 0.35
}

@test "a change of user behind the agent's back ends the sampling, and root recovers what was before" {
	needs_root
	open_to_all .
	[ -z "$(drops raw 0.3 0.5)" ]
	"$SMARTPROF" recover
	profile=$(profile_of drop)
	[ "${profile%/*}" = "$SMARTPROF_DIR/development" ]
	near "$(all_functions_seconds "$profile")" 0.3 35
}

@test "another user's spools are recovered on request, with that user's rights, in that user's place" {
	needs_root
	open_to_all .
	mkdir theirs && chown 65534 theirs
	(cd theirs && SMARTPROF_DIR=$PWD/p profiled setpriv --reuid=65534 --regid=65534 --clear-groups "$TARGETS/ends" kill9 0.3) || true
	"$SMARTPROF" recover 2>err
	[ -z "$(find . -name 'ends.*.md')" ]
	"$SMARTPROF" recover /dev/shm/smartprof-65534 >out
	[ "$(stat -c %u "$(cat out)")" = 65534 ]
	[[ $(cat out) == $PWD/theirs/p/development/* ]]
}

@test "an output that is a device, a FIFO or a link stays one and gets the profile" {
	needs_root
	local run
	mkdir dev
	mknod -m 666 dev/null c 1 3
	mknod -m 666 dev/full c 1 7
	mkfifo dev/fifo
	ln -s real.md dev/link
	for run in "env LD_PRELOAD=$AGENT" "$SMARTPROF run --"; do
		for device in null full; do
			SMARTPROF_OUTPUT=$WORK/dev/$device $run "$TARGETS/ends" exit 0.2 || true
			[ -c dev/$device ]
		done
		timeout 20 cat dev/fifo >got 3>&- &
		SMARTPROF_OUTPUT=$WORK/dev/fifo $run "$TARGETS/ends" exit 0.2 || true
		wait $!
		[ -p dev/fifo ]
		check_profile got
		SMARTPROF_OUTPUT=$WORK/dev/link $run "$TARGETS/ends" exit 0.2 || true
		[ -L dev/link ]
		check_profile dev/real.md
	done
	# What could not be written is in the state directory, and says why.
	grep -l "$WORK/dev/full, which did not work: No space left on device" "$XDG_STATE_HOME"/smartprof/profiles/development/ends.*.md
	[ -z "$(find dev -name '*.*' -not -name real.md)" ]
	# Children write through it, too, and not beside it.
	SMARTPROF_OUTPUT=$WORK/dev/null profiled sh -c "$TARGETS/ends exit 0.2; $TARGETS/ends exit 0.2" || true
	[ "$(find dev | wc -l)" -eq 6 ]
	for device in null full fifo; do
		"$SMARTPROF" report --format html --output dev/$device dev/real.md 2>err || true
		[ ! -f dev/$device ]
	done
	grep -q 'dev/fifo: .*nobody reads' err
}

@test "a file asked for that is not a profile is not replaced" {
	echo mine >out.md
	profiled env SMARTPROF_OUTPUT="$WORK/out.md" "$TARGETS/ends" exit 0.2 || true
	[ "$(cat out.md)" = mine ]
	grep -q 'out.md, which did not work: what is there is not a profile' "$(find "$XDG_STATE_HOME" -name 'ends.*.md')"
}

@test "a spool that is no spool, or larger than any, is refused with one line, and kept; the next is rendered" {
	local directory=/dev/shm/smartprof-$UID small big
	profiled "$TARGETS/ends" kill9 0.3 || true
	small=$(spools)
	big=$directory/4000000.1.abc.spool
	cp "$small" "$big"
	truncate -s 400M "$big"
	head -c 100000 /dev/urandom >"$directory/4000001.1.abc.spool"
	cp "$small" "$directory/4000002.1.abc.spool"
	truncate -s 5000 "$directory/4000002.1.abc.spool"
	# More stacks than any agent writes: the sections' entries are the last ones of the header, of 24 bytes each.
	cp "$small" "$directory/4000003.1.abc.spool"
	python3 - "$directory/4000003.1.abc.spool" "$(sections)" <<-'PY'
		import struct, sys
		f = open(sys.argv[1], "r+b")
		header_bytes = struct.unpack_from("<I", f.read(16), 12)[0]
		f.seek(header_bytes - (int(sys.argv[2]) - 4) * 24 + 12)
		f.write(struct.pack("<III", 300000, 300000, 300000))
	PY
	chmod 600 "$directory"/*.spool
	status_of 1 timeout 20 "$SMARTPROF" recover >out 2>err
	[ "$(wc -l <err)" -eq 4 ] || fail "$(cat err)"
	[ "$(grep -c 'it is left as it is$' err)" -eq 4 ]
	[ "$(wc -l <out)" -eq 1 ]
	check_profile "$(cat out)"
	[ "$(spools | wc -l)" -eq 4 ]
	refuse "$SMARTPROF" report "$big"
	rm "$directory"/400000*.spool
}

@test "a spool of another version is named and left; that is no failure" {
	profiled "$TARGETS/ends" kill9 0.3 || true
	spool=$(spools)
	python3 - "$spool" <<-'PY'
		import sys
		f = open(sys.argv[1], "r+b")
		f.seek(8)
		f.write(b"\x03")
	PY
	"$SMARTPROF" recover >out 2>err
	[ ! -s out ]
	grep -q 'was written by another version of smartprof, whose own command can read it and recover it; else delete it$' err
	[ "$(spools)" = "$spool" ]
	refuse "$SMARTPROF" report "$spool"
	rm "$spool"
}

@test "a spool that does not get on is given up, and the next is rendered" {
	profiled "$TARGETS/ends" kill9 0.3 || true
	LD_PRELOAD=$AGENT "$TARGETS/phases" 60 >phases.out & # another name
	eventually has_used 0.3 $!
	kill -KILL $!
	wait || true
	status_of 1 timeout 60 env LD_PRELOAD="$TARGETS/plugins/plugin_hang.so" "$SMARTPROF" recover >out 2>err
	grep -q 'takes too long' err
	[ "$(wc -l <err)" -eq 1 ]
	spool=$(spools)
	[ -n "$spool" ]
	"$SMARTPROF" recover
	[ -z "$(spools)" ]
}

@test "a repository of somebody else's: a FIFO holds nobody up, a link to a key is not shown" {
	mkdir -p fifo/.git key/.git/refs/heads repo
	mkfifo fifo/.git/HEAD
	head -c 20 /dev/urandom | od -An -tx1 | tr -d ' \n' >secret
	printf 'ref: refs/heads/main\n' >key/.git/HEAD
	ln -s "$WORK/secret" key/.git/refs/heads/main
	for where in fifo key; do
		(cd $where && timeout 20 env LD_PRELOAD="$AGENT" SMARTPROF_DIR="$WORK/$where.p" "$TARGETS/ends" exit 0.2) || true
		profile=$(find "$WORK/$where.p" -name 'ends.*.md')
		[ -n "$profile" ]
		[ -z "$(front git_commit "$profile")" ]
		refuse grep -qF "$(cat secret)" "$profile"
	done
	rm key/.git/refs/heads/main
	ln secret key/.git/refs/heads/main # a file, as it should be
	(cd key && profiled "$TARGETS/ends" exit 0.2) || true
	[ "$(front git_commit "$(profile_of ends)")" = "$(cat secret)" ]
}

@test "another user's FIFO gets no profile, and a HOME of theirs no directories" {
	needs_root
	open_to_all .
	mkdir -m 777 shared
	mkdir theirs
	mkfifo -m 666 shared/fifo
	chown 65534 theirs shared/fifo
	timeout 20 cat shared/fifo >got 3>&- &
	(umask 077 && SMARTPROF_OUTPUT=$WORK/shared/fifo HOME=$WORK/theirs profiled "$TARGETS/ends" exit 0.2) || true
	kill $! || true
	wait || true
	[ ! -s got ]
	grep -q 'shared/fifo, which did not work: a link or a FIFO of another' "$(find "$XDG_STATE_HOME" -name 'ends.*.md')"
	[ -z "$(find theirs -user root)" ]
}

@test "a path of another user's is printed without control characters" {
	needs_root
	open_to_all .
	mkdir theirs && chown 65534 theirs
	(cd theirs && SMARTPROF_DIR=$PWD/$(printf 'p\033]0;own\007\nx') profiled setpriv --reuid=65534 --regid=65534 \
		--clear-groups "$TARGETS/ends" kill9 0.3) || true
	"$SMARTPROF" recover /dev/shm/smartprof-65534 >out 2>err
	[ "$(wc -l <out)" -eq 1 ]
	grep -qF 'p\x1b]0;own\x07\x0ax/development/ends.' out
	[ ! -s err ] || fail "$(cat err)"
	for where in theirs/p*; do
		(cd "$where" && printf 'SMARTPROF_FOLLOW=none\n' >.env.profiling && chown 65534 .env.profiling && "$SMARTPROF" config) >out
	done
	grep -q 'p?]0;own??x/.env.profiling, ignored' out
	refuse grep -q "$(printf '\033')" out
}

@test "a repository of somebody else's leads to no other user's" {
	needs_root
	local how
	mkdir -p private/.git/refs/heads link file common/.git
	printf 'ref: refs/heads/quiet\n' | tee private/.git/HEAD >common/.git/HEAD
	head -c 20 /dev/urandom | od -An -tx1 | tr -d ' \n' >private/.git/refs/heads/quiet
	ln -s ../private/.git link/.git
	echo "gitdir: $WORK/private/.git" >file/.git
	echo "$WORK/private/.git" >common/.git/commondir
	for how in link file common; do
		(cd $how && SMARTPROF_DIR=$WORK/$how.own profiled "$TARGETS/ends" exit 0.2) || true
		[ "$(front git_commit "$(find $how.own -name 'ends.*.md')")" = "$(cat private/.git/refs/heads/quiet)" ]
		chown -hR 65534 $how
		(cd $how && SMARTPROF_DIR=$WORK/$how.theirs profiled "$TARGETS/ends" exit 0.2) || true
		[ -z "$(front git_commit "$(find $how.theirs -name 'ends.*.md')")" ]
	done
	refuse grep -q quiet "$(find link.theirs -name 'ends.*.md')"
}

@test "a spool directory that is somebody else's is told in one line, and not an error" {
	needs_root
	in_mount_namespace "mount -t tmpfs -o mode=1777,size=100m own /dev/shm && mkdir /dev/shm/smartprof-0 &&
		touch \"\$(printf '/dev/shm/smartprof-0/1.1.\\033]0;own\\007.spool')\" && chown -R 65534 /dev/shm/smartprof-0 &&
		\"$SMARTPROF\" recover >out 2>err"
	grep -q 'smartprof-0 belongs to another user (65534)' err
	[ "$(wc -l <err)" -eq 2 ]
	refuse grep -q "$(printf '\033')" out err
	mkdir odd
	touch "$(printf 'odd/1.1.\033]0;own\007.spool')"
	"$SMARTPROF" recover odd >out 2>err
	refuse grep -q "$(printf '\033')" out err
}
