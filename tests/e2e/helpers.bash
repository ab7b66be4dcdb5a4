# What the end-to-end tests share. Every test works in a directory of its own, with profiles, state
# and home inside it; the spools' place under /dev/shm is shared by the tests of one run.

ROOT=$(realpath "$BATS_TEST_DIRNAME/../..")
AGENT=$ROOT/build/libsmartprof.so
SMARTPROF=$ROOT/build/smartprof
TARGETS=$ROOT/build/targets
export BATS_TEST_RETRIES=${SP_RETRIES:-2} # what is sampled is chance, and machines are shared; bats itself says 0
PATIENCE=90 # seconds after which a program counts as hung

# What is set where the tests are run is not what they are about: the same language, terminal and rights everywhere, and nothing that
# tells programs how to run or where they do.
same_start() {
	local name clues
	clues=$(grep -ohE '"[A-Z][A-Z0-9_]+"' "$ROOT/env/detect.c" | tr -d '"' | paste -sd '|')
	for name in $(compgen -e | grep -xE "(SMARTPROF|MEMORY|GITHUB|GITLAB|GIT|XDG|LC|MALLOC|LD|DEBUGINFOD|KUBERNETES)_.*|LANGUAGE|TZ|\
PYTHON[A-Z]*|PERL5[A-Z]*|NODE_OPTIONS|_?JAVA_[A-Z_]*OPTIONS|NO_COLOR|GLIBC_TUNABLES|container|$clues"); do
		unset "$name"
	done
	export LANG=C.UTF-8 TERM=xterm
	umask 022
}
same_start

setup() {
	WORK=$BATS_TEST_TMPDIR
	export SMARTPROF_ENV=development SMARTPROF_DIR=$WORK/profiles
	export SMARTPROF_HISTORY=off HOME=$WORK/home XDG_STATE_HOME=$WORK/state
	mkdir -p "$HOME" "$XDG_STATE_HOME"
	cd "$WORK" || return
}

# Whatever a test made is what a reader is promised: every profile follows the schema, and GFM shows
# each table as a table, and nothing that is not the template's.
teardown() {
	# shellcheck disable=SC2046 # numbers
	kill $(jobs -p) 2>/dev/null || true # what a failed test left at work
	[ -n "${BATS_TEST_COMPLETED-}" ] || { keep_try; leave_nothing; }
	local -a profiles indexes
	mapfile -d '' profiles < <(find "$WORK" -type f -name '*.md' -not -name '.*' \
		-exec grep -lZ -m 1 '^schema: smartprof/1$' {} + 2>/dev/null)
	mapfile -d '' indexes < <(find "$WORK" -type f -name 'tree.*.md' -print0 2>/dev/null)
	if [ "${#profiles[@]}" -gt 0 ]; then
		"$SMARTPROF" validate "${profiles[@]}" >validate.log || {
			grep -v '^  ' validate.log | head -n 40 >&2
			fail "not as the schema says"
		}
	fi
	[ $((${#profiles[@]} + ${#indexes[@]})) -eq 0 ] ||
		"$ROOT/tests/e2e/gfm.py" "${profiles[@]}" "${indexes[@]}"
}

# What a try said that failed: the runner shows it, as a second one may succeed.
keep_try() {
	[ -n "${SP_TRIES-}" ] || return 0
	echo "$BATS_TEST_DESCRIPTION" >>"$SP_TRIES"
	sed 's/^/  /' "$BATS_OUT" >>"$SP_TRIES"
}

# A second try begins where this one did: nothing runs on that would write into its directory, no mount holds it, no spool is there.
leave_nothing() {
	local pid pids at try
	for try in {1..40}; do
		pids=
		for pid in $(grep -slzxF "BATS_TEST_TMPDIR=$BATS_TEST_TMPDIR" /proc/[0-9]*/environ | cut -d/ -f3); do
			[ ! -e "/proc/$pid" ] || pids="$pids $pid"
		done
		[ -n "$pids" ] || break
		# shellcheck disable=SC2086 # numbers
		[ "$try" -ne 20 ] || kill -9 $pids 2>/dev/null || true
		sleep 0.1
	done
	awk -v below="$BATS_TEST_TMPDIR/" 'index($2, below) == 1 { print $2 }' /proc/self/mounts | tac | while read -r at; do
		umount "$at" || true
	done
	! grep -q '^alone /dev/shm ' /proc/self/mounts || rm -rf /dev/shm/*
}

# long SHORT LONG: the size of a storm, LONG when asked for with LONG=1.
long() {
	if [ -n "${SP_LONG-}" ]; then echo "$2"; else echo "$1"; fi
}

# Both run a command so that a hang ends the test and not the day.
plain() {
	timeout -k 5 "$PATIENCE" "$@"
}
profiled() {
	timeout -k 5 "$PATIENCE" env LD_PRELOAD="$AGENT" "$@"
}

# status_of EXPECTED COMMAND…: runs it, fails unless it ends with that status.
status_of() {
	local expected=$1 status=0
	shift
	"$@" || status=$?
	[ "$status" -eq "$expected" ] || fail "exit status $status instead of $expected: $*"
}

fail() {
	printf '%s\n' "$*" >&2
	return 1
}

# browser PAGE STEPS [SCREENSHOT [WIDTH HEIGHT [dark]]]: see browser.py.
browser() { "$ROOT/tests/e2e/browser.py" "$@"; }

# eventually COMMAND…: waits until it succeeds; a busy machine may take its time, but not more than a hang gets.
eventually() {
	local deadline=$((SECONDS + PATIENCE))
	until "$@"; do
		[ "$SECONDS" -lt "$deadline" ] || { fail "not in $PATIENCE s: $*"; return 1; }
		sleep 0.1
	done
}

# Of the CPUs we may run on.
first_and_last_cpu() {
	python3 -c 'import os; cpus = sorted(os.sched_getaffinity(0)); print(*sorted({cpus[0], cpus[-1]}))'
}

# has_used SECONDS PID: so much CPU time, of which a busy machine gives less in a second.
has_used() {
	[ -r "/proc/$2/stat" ] &&
		awk -v s="$1" -v ticks="$(getconf CLK_TCK)" '{ sub(/.*\) /, ""); exit !($12 + $13 >= s * ticks) }' "/proc/$2/stat" 2>/dev/null
}

# is_running PROGRAM PID: it has become that, which who starts it in the background does not wait for.
is_running() {
	[ "$(cat "/proc/$2/comm" 2>/dev/null)" = "${1:0:15}" ]
}

# Whether CPU time is sampled by perf events, by whoever runs the command behind COMMAND….
has_events() {
	"$@" env SMARTPROF_HISTORY=off "$SMARTPROF" config --json | grep -q '"cpu_clock": *"event"'
}
needs_events() {
	has_events "$@" || skip "no perf events here"
}

# by_clock A B: A where perf events sample, once in a millisecond or oftener, B where the kernel's tick does alone, at most once in four.
by_clock() {
	if has_events; then echo "$1"; else echo "$2"; fi
}

# has_worked SECONDS PID: it uses so much CPU time more.
has_worked() {
	local used
	used=$(awk -v ticks="$(getconf CLK_TCK)" -v more="$1" '{ sub(/.*\) /, ""); print ($12 + $13) / ticks + more }' "/proc/$2/stat")
	eventually has_used "$used" "$2"
}

# refuse COMMAND…: fails when it succeeds ("! command" alone does not fail a test).
refuse() {
	if "$@"; then fail "succeeded: $*"; fi
}

needs_root() {
	[ "$EUID" -eq 0 ] || skip "needs root"
}

# needs_room MEGABYTES: where the test works.
needs_room() {
	[ "$(df -m --output=avail . | tail -n 1)" -ge "$1" ] || skip "needs $1 MB of room"
}

# A directory that everybody can write to, for what runs as another user.
open_to_all() {
	chmod 755 "$BATS_TEST_TMPDIR" "${BATS_TEST_TMPDIR%/*}" "${BATS_TEST_TMPDIR%/*/*}" "$BATS_RUN_TMPDIR"
	chmod 777 "$@"
}

# The commands that people use, as help lists them.
commands() {
	"$SMARTPROF" help | sed -n '/^commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' | grep -vx help
}

# flags_of COMMAND: those that its help explains.
flags_of() {
	"$SMARTPROF" "$1" --help | grep -oE '^ +--[a-z-]+' | tr -d ' ' | sort -u
}

# same_run COMMAND…: without and with the agent, each in a fresh directory, with $INPUT as standard
# input; output, errors, status and the files left behind must not differ by a byte.
same_run() {
	same_run_but_files "$@"
	diff -r plain profiled || fail "other files: $*"
}
same_run_but_files() {
	local how what status command
	for how in plain profiled; do
		rm -rf "${WORK:?}/$how"
		mkdir "$WORK/$how"
		status=0
		command=(timeout -k 5 "$PATIENCE")
		[ "$how" = plain ] || command+=(env LD_PRELOAD="$AGENT")
		# The shell's own word on a killed command is not the command's.
		(cd "$WORK/$how" && "${command[@]}" "$@" 2>"$WORK/$how.err") 2>/dev/null \
			<"${INPUT:-/dev/null}" >"$WORK/$how.out" || status=$?
		echo "$status" >"$WORK/$how.status"
	done
	for what in status out err; do
		cmp "plain.$what" "profiled.$what" || {
			diff -a plain.$what profiled.$what | head -n 20 >&2
			fail "other $what: $*"
		}
	done
}

# profile_of PROGRAM: the path of its newest profile; waits a little for a renderer that is late.
profile_of() {
	local found deadline=$((SECONDS + PATIENCE))
	while [ "$SECONDS" -lt "$deadline" ]; do
		found=$(find "$SMARTPROF_DIR" "$XDG_STATE_HOME" -name "$1.*.md" -not -name '.*' -printf '%T@ %p\n' 2>/dev/null |
			sort -n | tail -n 1 | cut -d' ' -f2-)
		if [ -n "$found" ]; then
			check_profile "$found" && echo "$found"
			return
		fi
		sleep 0.1
	done
	ls -R "$SMARTPROF_DIR" "/dev/shm/smartprof-$(id -u)" >&2 || true
	fail "no profile of $1"
}

# check_profile FILE: whole and readable by the command that reads profiles back.
check_profile() {
	[ "$(front schema "$1")" = smartprof/1 ] || fail "$1: no schema"
	grep -q '</details>' "$1" || fail "$1: cut short"
	"$SMARTPROF" report "$1" >/dev/null || fail "$1: report cannot read it"
}

# recovered PROGRAM: its profile after `smartprof recover`.
recovered() {
	"$SMARTPROF" recover >recover.log 2>&1 || { cat recover.log >&2; fail "recover failed"; }
	profile_of "$1"
}

# front KEY FILE: a value of the front matter, quotes taken off; empty when absent.
front() {
	awk -v key="$1" 'NR == 1 && $0 != "---" { exit } NR > 1 && $0 == "---" { exit }
		index($0, key ": ") == 1 { v = substr($0, length(key) + 3); gsub(/^["'\'']|["'\'']$/, "", v); print v; exit }' "$2"
}

# near A B PERCENT: |A - B| within PERCENT of B.
near() {
	awk -v a="$1" -v b="$2" -v p="$3" 'BEGIN { d = a - b; if (d < 0) d = -d; exit !(d <= b * p / 100) }' ||
		fail "$1 is not within $3 % of $2"
}

# at_least A B
at_least() {
	awk -v a="$1" -v b="$2" 'BEGIN { exit !(a >= b) }' || fail "$1 is less than $2"
}

# section HEADING FILE: the lines below a heading, down to the next one.
section() {
	awk -v heading="$1" '/^#/ { inside = index($0, heading) == 1; next } inside' "$2"
}

# all_functions_seconds FILE: the CPU time of every row of the complete part together.
all_functions_seconds() {
	section '## All functions' "$1" | awk -F'\t' '$1 ~ /^-?[0-9]+$/ { s += $1 + $2 } END { printf "%.4f\n", s / 1e9 }'
}

# cpu_of FILE: CPU seconds, user and system.
cpu_of() {
	awk -v a="$(front cpu_user_seconds "$1")" -v b="$(front cpu_system_seconds "$1")" 'BEGIN { print a + b }'
}

# accounted FILE USAGE: samples and the explicit rest together are the CPU time the kernel counted.
accounted() {
	local kernel sum
	kernel=$(awk '{ print $1 + $2 }' "$2")
	sum=$(all_functions_seconds "$1")
	near "$sum" "$kernel" 2
	near "$(cpu_of "$1")" "$kernel" 2
}

counted() { # COMMAND…: profiled, with the kernel's count in ./usage
	timeout -k 5 "$PATIENCE" env USAGE_PRELOAD="$AGENT" "$TARGETS/usage" usage "$@"
}

# top_function FILE: the first named row of the hot functions.
top_function() {
	section '## Hot Functions' "$1" | awk -F'|' '/^\|/ && ++n > 2 { gsub(/^ +| +$|`/, "", $6); print $6; exit }'
}

# share_of FUNCTION FILE: its self share in percent.
share_of() {
	section '## Hot Functions' "$2" | awk -F'|' -v f="$1" '/^\|/ { name = $6; gsub(/[ `\\]/, "", name)
		if (name == f) { v = $2; gsub(/[ %]/, "", v); print v; exit } }'
}

# in_mount_namespace SCRIPT: runs it as root of its own mounts, or skips where that is not allowed.
in_mount_namespace() {
	unshare -m true 2>/dev/null || skip "needs the right to mount"
	timeout -k 5 "$PATIENCE" unshare -m bash -c "$1"
}

# A preloaded redis that answers at the socket s; $server is its process, $! what to wait for.
start_redis() {
	LD_PRELOAD=$AGENT timeout -k 5 "$PATIENCE" redis-server --port 0 --unixsocket "$WORK/s" --save '' --daemonize no \
		--dir "$WORK" >redis.log 2>&1 3>&- &
	redis_answers() { [ "$(redis-cli -s s ping 2>/dev/null)" = PONG ]; }
	eventually redis_answers
	server=$(redis-cli -s s info server | tr -d '\r' | sed -n 's/^process_id://p')
}

# How many sections a spool has.
sections() {
	grep -cE '^[[:space:]]SP_SEC_[A-Z_]+,' "$ROOT/sampler/spool.h"
}

# await_spool PROGRAM: until the child of the last background job has a spool; its number in PID.
await_spool() {
	local i
	for ((i = 0; i < PATIENCE * 20; i++)); do
		PID=$(pgrep -P "$!" -x "$1" || true)
		if [ -n "$PID" ] && compgen -G "/dev/shm/smartprof-$EUID/$PID.*.spool" >/dev/null; then return; fi
		sleep 0.05
	done
	fail "no spool of $1"
}

# one_line TEXT COMMAND…: prints nothing, says one line with that text, and is a mistake of the caller's.
one_line() {
	local text=$1
	shift
	status_of 2 "$@" >out 2>said </dev/null
	[ ! -s out ] || fail "printed something"
	[ "$(wc -l <said)" -eq 1 ] || fail "$(cat said)"
	grep -qF "$text" said || fail "$(cat said)"
}
