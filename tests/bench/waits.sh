#!/bin/bash
# Waiting: our totals and shares beside what the programs know of themselves, and what other tools say of the same and cost.
# Usage: RUNS=200 SECONDS_EACH=0.3 ROUNDS=5 waits.sh. The last two tables need root; tools that are not there are left out.
set -u
here=$(realpath "$(dirname "$0")")
agent=$(realpath "$here/../../build/libsmartprof.so")
waiting=$(realpath "$here/../../build/targets/waiting")
pingpong=$(realpath "$here/../../build/targets/pingpong")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
export SMARTPROF_DIR=$work/profiles SMARTPROF_ENV=production
runs=${RUNS:-200} each=${SECONDS_EACH:-0.3}

fact() { # KEY
	awk -v key="$1:" '$1 == key { print $2; exit }' profiles/*/latest.md
}

truth() { # KEY
	awk -v key="$1" '$1 == key { print $2 }' truth
}

# One line a run: how far our totals are from the program's, in seconds and percent of the thread time, and the largest
# difference of a kind's share of the time blocked, in points.
one() { # MODE
	rm -rf profiles
	LD_PRELOAD=$agent "$waiting" "$1" "$each" "$work/file" >truth || return
	ls profiles/*/latest.md >/dev/null 2>&1 || { echo "$1: a run left no profile" >&2; return; }
	local line="" key
	for key in thread_seconds run_queue_seconds blocked_seconds blocked_lock_seconds blocked_condition_seconds \
		blocked_read_seconds blocked_sync_seconds blocked_sleep_seconds; do
		line+=" $(fact $key) $(truth "$([ "$key" = blocked_seconds ] && echo $key || echo "${key#blocked_}")")"
	done
	echo "$line"
}

echo "| program | runs | totals within 2 %, % of runs | farthest total, % | shares within 3 points, % of runs | farthest share, points |"
echo "|---|---:|---:|---:|---:|---:|"
for mode in sleep queue locks rwlock condition pipe sync; do
	for ((i = 0; i < runs; i++)); do one $mode; done | awk -v mode=$mode '
		function abs(x) { return x < 0 ? -x : x }
		{
			far = share = 0
			for (i = 1; i <= 5; i += 2) { d = 100 * abs($i - $(i + 1)) / $2; if (d > far) far = d }
			for (i = 7; i < NF; i += 2) { d = 100 * abs($i / $5 - $(i + 1) / $6); if (d > share) share = d }
			n++; fine += far <= 2; shared += share <= 3
			if (far > farthest) farthest = far
			if (share > most) most = share
		}
		END { if (n) printf "| %s | %d | %.1f | %.2f | %.1f | %.1f |\n", mode, n, 100 * fine / n, farthest, 100 * shared / n, most }'
done

# --- the same beside other tools

blocked='tracepoint:sched:sched_switch {
	if (@since[args->next_pid]) { @blocked = @blocked + nsecs - @since[args->next_pid]; delete(@since[args->next_pid]); }
	if (args->prev_comm == "waiting" && args->prev_state != 0 && args->prev_state != 256) { @since[args->prev_pid] = nsecs; }
} END { clear(@since); }'

# offcputime by two tracepoints.
off_cpu='tracepoint:sched:sched_switch /@since[args->next_pid]/ {
	@off[@stack[args->next_pid]] = sum(nsecs - @since[args->next_pid]); delete(@since[args->next_pid]);
}
tracepoint:sched:sched_switch /comm == "pingpong"/ { @since[args->prev_pid] = nsecs; @stack[args->prev_pid] = ustack; }
END { clear(@since); clear(@stack); }'

# with TOOL COMMAND…: under which tool.
with() {
	local tool=$1
	shift
	case $tool in
	nothing) "$@" ;;
	smartprof | production) LD_PRELOAD=$agent "$@" ;;
	development) SMARTPROF_ENV=development LD_PRELOAD=$agent "$@" ;;
	perf-sched) perf sched record -o perf.out "$@" ;;
	offcputime) bpftrace -o bpf.out -e "$off_cpu" -c "$*" ;;
	strace) strace -f -c -w -o strace.out "$@" ;;
	perf-trace) perf trace -s -o perf.out "$@" ;;
	bpftrace) bpftrace -o bpf.out -e "$blocked" -c "$*" ;;
	esac
}

said() { # TOOL: seconds it says were blocked, as far as it does
	case $1 in
	nothing) truth blocked_seconds ;;
	smartprof) fact blocked_seconds ;;
	strace) awk '$NF ~ /^(futex|clock_nanosleep|nanosleep|read|fsync)$/ { s += $2 } END { print s }' strace.out ;;
	perf-trace) awk '$1 ~ /^(futex|clock_nanosleep|read|fsync)$/ { s += $4 } END { print s / 1000 }' perf.out ;;
	bpftrace) awk '/@blocked:/ { print $2 / 1e9 }' bpf.out ;;
	esac
}

# Microseconds of two switches, by a program that does nothing else: the least of five.
switch_us() { # TOOL
	for i in 1 2 3 4 5; do
		with "$1" perf bench sched pipe -l 20000 2>&1 | awk '/usecs\/op/ { print $1 }'
	done | sort -n | head -n 1
}

# --- what is added where nothing blocks: the least of three

gcc -O2 "$here/wait_calls.c" -o wait_calls -pthread
least() { # PRELOAD
	for i in 1 2 3; do LD_PRELOAD=$1 ./wait_calls; done |
		awk '{ for (i = 1; i <= NF; i++) if (NR == 1 || $i < m[i]) m[i] = $i }
			END { printf "%.1f | %.1f | %.1f", m[1], m[2], m[3] }'
}
echo
echo "| | a free lock, taken and given, ns | a read of nothing, ns | a poll of nothing, ns |"
echo "|---|---:|---:|---:|"
echo "| nothing | $(least "") |"
echo "| smartprof | $(least "$agent") |"

[ "$EUID" -eq 0 ] || exit 0
echo
echo "| tool | locks: blocked, s | truth, s | a message and its answer through two pipes, µs |"
echo "|---|---:|---:|---:|"
for tool in nothing smartprof strace perf-trace bpftrace; do
	case $tool in nothing | smartprof) ;; *) command -v "${tool%-trace}" >/dev/null || continue ;; esac
	rm -rf profiles
	with $tool "$waiting" locks 1 >truth 2>/dev/null
	grep -a '_seconds ' truth >clean && mv clean truth
	echo "| $tool | $(said $tool) | $(truth blocked_seconds) | $(command -v perf >/dev/null && switch_us $tool) |"
done

# --- what each of them costs: CPU time of a program that does little but switch, with that of its tool

tools=$(for tool in nothing production development strace perf-trace perf-sched offcputime; do
	case $tool in strace) command -v strace ;; perf-*) command -v perf ;; offcputime) command -v bpftrace ;; *) true ;; esac >/dev/null && echo $tool
done)

busy() {
	awk -v tick="$(getconf CLK_TCK)" '/^cpu / { printf "%.2f\n", ($2 + $3 + $4 + $7 + $8) / tick }' /proc/stat
}

# Seconds of the program and its tool, and of the whole system meanwhile.
cost() { # TOOL
	local before used TIMEFORMAT='%U %S'
	before=$(busy)
	used=$({ time with "$1" "$pingpong" 50000 >/dev/null 2>&1; } 2>&1)
	echo "$1 $used $before $(busy)" | awk '{ print $1, $2 + $3, $5 - $4 }'
}

median() { # TOOL COLUMN
	awk -v tool="$1" -v column="$2" '$1 == tool { print $column }' costs | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

echo
echo "| tool | CPU time with the tool's own, s | what the tool adds, s | ours of that, % (production, development) | the whole system's, s |"
echo "|---|---:|---:|---:|---:|"
for ((i = 0; i < ${ROUNDS:-5}; i++)); do for tool in $tools; do cost "$tool"; done; done >costs
for tool in $tools; do echo "$tool $(median "$tool" 2) $(median "$tool" 3)"; done | awk '
	NR == 1 { base = $2; printf "| %s | %.3f | | | %.2f |\n", $1, $2, $3; next }
	{
		added[$1] = $2 - base
		ours = NR < 4 ? "" : sprintf("%.1f, %.1f", 100 * added["production"] / added[$1], 100 * added["development"] / added[$1])
		printf "| %s | %.3f | %.3f | %s | %.2f |\n", $1, $2, added[$1], ours, $3
	}'
