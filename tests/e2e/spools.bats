# Spools: which are alive, where they go, what they let in, who may read and write what.
load helpers

in_mount_namespace() {
	unshare --mount --propagation private sh -c "$1"
}

as_nobody() {
	setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
}

# A directory that everybody can write to, for what runs as another user.
open_to_all() {
	chmod 755 "$BATS_TEST_TMPDIR" "${BATS_TEST_TMPDIR%/*}" "${BATS_TEST_TMPDIR%/*/*}" "$BATS_RUN_TMPDIR"
	chmod 777 "$@"
}

wait_for() {
	for try in $(seq 200); do
		"$@" && return
		sleep 0.1
	done
	fail "it did not come: $*"
}

spools() {
	find "/dev/shm/smartprof-${1:-$UID}" -name '*.spool' 2>/dev/null
}

@test "a process in another pid namespace is alive: neither its parent's end nor recover takes its spool" {
	[ "$UID" -eq 0 ] || skip "needs root"
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
	wait_for test ! -e "$spool"
	[ "$(front exit "$(profile_of service)")" = 0 ]
}

@test "a process whose first thread has ended is alive, and recovered when it is killed" {
	LD_PRELOAD=$AGENT "$TARGETS/ends" leader-exit 0.3 >out 3>&- &
	pid=$!
	wait_for test -s out
	wait_for grep -q '^State:.*Z' /proc/$pid/status
	"$SMARTPROF" recover
	[ "$(find "/dev/shm/smartprof-$UID" -name "$pid.*.spool" | wc -l)" -eq 1 ]
	kill -KILL $pid
	wait $pid || true
	recovered ends
}

@test "a spool that cannot be in /dev/shm goes to the state directory: read-only, full, no inodes, not ours" {
	[ "$UID" -eq 0 ] || skip "needs root"
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
	[ "$UID" -eq 0 ] || skip "needs root"
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
