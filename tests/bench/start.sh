#!/bin/bash
# What the agent adds to a process that does nothing: /bin/true plain, with an empty library that needs the same other one,
# and with the agent, in turns, by posix_spawn: the tenth percentile of the wall times tells what little comes in
# between. Then what a forked child that does nothing costs the shell. System calls are
# counted by strace, page faults by the kernel. Last, as children of a profiled shell: another one that starts /bin/true in a loop,
# by fork and exec, and what is too small for a spool, and what gets one. Usage: start.sh [ROUNDS]
set -eu
here=$(realpath "$(dirname "$0")")
built=$(realpath "$here/../../build")
rounds=${1:-${ROUNDS:-1000}}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
: >"$work/empty.c"
${CC:-cc} -shared -fPIC -o "$work/linked.so" "$work/empty.c" -Wl,-z,now -Wl,--no-as-needed -lc
# As installed: of a file that a linker has written here and there, the kernel maps fewer pages at once than of one written in a row.
cp "$work/linked.so" "$work/empty.so"
agent=$work/libsmartprof.so
cp "$built/libsmartprof.so" "$built/smartprof" "$work"
${CC:-cc} -O2 -o "$work/spawn" "$here/spawn.c"
names=("plain" "an empty library that needs libc" "the agent")
libraries=("" "$work/empty.so" "$agent")
export SMARTPROF_DIR=$work/profiles
cd "$work"

calls() { # PRELOAD COMMAND…
	strace -f -qq -o calls ${1:+-E "LD_PRELOAD=$1"} -- "${@:2}" >/dev/null 2>&1 && grep -c '(' calls
}
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
subshells='i=0; while [ $i -lt 100 ]; do (:); i=$((i + 1)); done'

echo "| by posix_spawn | µs | ratio to plain | median of the pairs' ratios | CPU time, µs | page faults | system calls |"
echo "|---|---:|---:|---:|---:|---:|---:|"
i=0
while read -r wall ratio pairs cpu faults; do
	echo "| ${names[i]} | $wall | $ratio | $pairs | $cpu | $faults | $(calls "${libraries[i]}" /bin/true) |"
	i=$((i + 1))
done < <(./spawn "$rounds" ":$work/empty.so:$agent" /bin/true)

echo
echo "| a forked child of sh that ends at once | page faults | system calls |"
echo "|---|---:|---:|"
for i in 0 1 2; do
	faults=$(python3 -c 'import os, sys
child = dict(os.environ, **({"LD_PRELOAD": sys.argv[1]} if sys.argv[1] else {}))
print(os.wait4(os.posix_spawn("/bin/sh", ["sh", "-c", sys.argv[2]], child), 0)[2].ru_minflt)' "${libraries[i]}" "$subshells")
	calls "${libraries[i]}" /bin/sh -c "$subshells" >/dev/null
	echo "| ${names[i]} | $(((faults - $(./spawn 9 "${libraries[i]}" /bin/sh </dev/null | awk '{ print $5 }')) / 100)) |" \
		"$(awk '{ n[$1]++ } END { for (pid in n) print n[pid] }' calls | median) |"
done

# in_shell DIVISOR ROUNDS COMMAND…: the rows of a table, of a member of a profiled shell's tree: system calls are divided.
in_shell() {
	local divisor=$1 rounds=$2 i=0 wall ratio pairs cpu faults counted
	shift 2
	while read -r wall ratio pairs cpu faults; do
		counted=$(LD_PRELOAD=$agent sh -c 'library=$1; shift; unset LD_PRELOAD
			strace -f -qq -o calls ${library:+-E "LD_PRELOAD=$library"} "$@" >/dev/null 2>&1; grep -c "(" calls' sh "${libraries[i]}" "$@")
		echo "| ${names[i]} | $wall | $ratio | $pairs | $cpu | $((faults / divisor)) | $((counted / divisor)) |"
		i=$((i + 1))
	done < <(LD_PRELOAD=$agent sh -c './spawn "$@"; :' sh "$rounds" ":$work/empty.so:$agent" "$@")
}

export SMARTPROF_ENV=production
echo
echo "| a shell of its own that runs /bin/true 50 times | µs | ratio to plain | median of the pairs' ratios | CPU time, µs | page faults a program | system calls a program |"
echo "|---|---:|---:|---:|---:|---:|---:|"
in_shell 50 $((rounds / 50 + 1)) /bin/sh -c 'i=0; while [ $i -lt 50 ]; do /bin/true; i=$((i + 1)); done'

for size in 220 700 1200; do
	echo
	echo "| a child that allocates $size kB, production | µs | ratio to plain | median of the pairs' ratios | CPU time, µs | page faults | system calls |"
	echo "|---|---:|---:|---:|---:|---:|---:|"
	in_shell 1 "$rounds" "$built/targets/member" hold $size
done
