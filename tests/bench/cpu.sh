#!/usr/bin/env bash
# CPU sampling beside its peers, interleaved in one run: what it costs, how often it samples, and how
# far its shares of the ground truth are off. Prints a Markdown table and the targets.
# Slow-down is the CPU time (user + system, of the program alone) over the plain run of the same round.
# Targets on slow-down are judged by pairs of runs that follow each other, PAIRS (default 4) a round: the
# machine drifts by more than they allow between runs a minute apart.
# Exit status: 0 every target holds; 1 one is missed beyond noise (the whole 95 % interval of its
# median); 2 one is missed, but within noise: more rounds would tell.
# Usage: cpu.sh [ROUNDS [PROGRAM…]]. SP_LOCK=FILE: holds that lock during each program's turn.
set -eu
cd "$(dirname "$0")/../.."
rounds=${1:-${ROUNDS:-9}}
pairs=${PAIRS:-4}
shift || true
programs=${*:-xz sqlite3 python3 cc1 cpu_truth}
root=$PWD
agent=$root/build/libsmartprof.so
truth=$root/build/targets/cpu_truth
profiler=$(ldconfig -p | awk '/libprofiler\.so/ { print $NF; exit }')
cc1=$(gcc -print-prog-name=cc1)
export LC_ALL=C TIMEFORMAT='%U %S'

missing=
command -v xz >/dev/null || missing+=' xz-utils'
command -v sqlite3 >/dev/null || missing+=' sqlite3'
[ -x /usr/bin/python3 ] || missing+=' python3'
[ -x "$cc1" ] || missing+=' gcc'
command -v perf >/dev/null || missing+=' linux-perf'
[ -n "$profiler" ] || missing+=' libgoogle-perftools-dev'
command -v google-pprof >/dev/null || missing+=' google-perftools'
if [ -n "$missing" ]; then
	echo "cpu.sh: not installed; on Debian: apt-get install$missing" >&2
	exit 3
fi
if ! perf record -q -o /dev/null -e cpu-clock -F 999 true >/dev/null 2>&1; then
	echo "cpu.sh: perf may not record here: run as root, or sysctl kernel.perf_event_paranoid=1" >&2
	exit 3
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
gcc -D_GNU_SOURCE -O2 -shared -fPIC -o bare.so "$root/tests/bench/bare.c"
seq 1 6000000 >numbers
sql="create table t(a,b); with recursive c(x) as (select 1 union all select x+1 from c where x<2000000)
	insert into t select x, hex(x*7919%1000003) from c; create index i on t(b);
	select count(*), sum(a) from t where b like '3%'; select b from t order by b desc limit 3;"
script='d = {}
for i in range(14000000): d[i % 5000] = str(i)'
awk 'BEGIN { for (i = 0; i < 1700; i++) printf "int g%d; int f%d(int *p, int n) { int s = g%d; for (int i = 0; i < n; i++) "\
	"{ s += p[i] * %d; if (s & 8) s ^= p[n - i - 1]; } switch (s & 7) { case 0: return s; case 3: return n; "\
	"default: return g%d++; } }\n", i, i, i, i, i }' >large.c

job() { # PROGRAM: sets the command
	case $1 in
	xz) command=("$(command -v xz)" -T1 -2 -c numbers) ;;
	sqlite3) command=("$(command -v sqlite3)" :memory: "$sql") ;;
	python3) command=(/usr/bin/python3 -c "$script") ;;
	cc1) command=("$cc1" -quiet -O2 large.c -o /dev/null) ;;
	cpu_truth) command=("$truth" 2 1 "$unit") ;;
	esac
}

# PRELOAD COMMAND…: CPU seconds into ./seconds, its output into ./out.
timed() {
	{ time LD_PRELOAD=$1 "${@:2}" >out 2>err; } 2>&1 | awk 'END { print $1 + $2 }' >seconds
	[ "${PIPESTATUS[0]}" -eq 0 ] || { cat err >&2; exit 1; }
}
smartprof() { # ENVIRONMENT [VARIABLE=VALUE…]
	rm -rf profiles
	export SMARTPROF_DIR=$work/profiles SMARTPROF_ENV=$1 "${@:2}"
	timed "$agent" "${command[@]}"
	unset "${!SMARTPROF_@}"
	awk '/^cpu_samples: / { n = $2 } /^cpu_(user|system)_seconds: / { s += $2 } /^---/ && NR > 1 { print n / s; exit }' \
		profiles/*/[!tl]*.*.md >rate 2>/dev/null || awk 1 /dev/null >rate
	if [ "$program" = cpu_truth ]; then # total time: what is inlined into them is theirs
		awk -F'\t' '/^## / { on = /^## All functions/ } on && $9 ~ /^work_/ { print $9, $3 + $4 }' profiles/*/cpu_truth.*.md >shares
	fi
}
gperftools() { # HZ
	rm -f gprof.out
	CPUPROFILE=$work/gprof.out CPUPROFILE_FREQUENCY=$1 timed "$profiler" "${command[@]}"
	google-pprof --text "${command[0]}" gprof.out >listing 2>/dev/null
	awk -v s="$(cat seconds)" '/^Total: / { print $2 / s; exit }' listing >rate
	awk '$6 ~ /^work_/ { print $6, $4 }' listing >shares
}
perf_record() { # HZ: the time is that of the program alone, taken by a shell inside
	rm -f perf.data
	# shellcheck disable=SC2016
	perf record -q -o perf.data -e cpu-clock -F "$1" --call-graph fp -- bash -c '
		{ time "$@" >out 2>err; } 2>&1 | awk "END { print \$1 + \$2 }" >seconds' - "${command[@]}" >/dev/null 2>&1
	perf report -i perf.data --stdio --no-children -g none --comm "$(basename "${command[0]}" | cut -c1-15)" \
		-F sample,symbol 2>/dev/null >listing
	awk -v s="$(cat seconds)" '$1 ~ /^[0-9]+$/ { n += $1 } END { print n / s }' listing >rate
	awk '$3 ~ /^work_/ { print $3, $1 }' listing >shares
}
run() { # VARIANT: leaves ./seconds, ./rate and, of the ground truth, ./shares
	: >shares
	echo 0 >rate
	case $1 in
	plain) timed "" "${command[@]}" ;;
	bare-*) BARE_US=${1#bare-} BARE_COUNT=$work/count timed "$work/bare.so" "${command[@]}"
		awk -v s="$(cat seconds)" '{ print $1 / s }' count >rate ;;
	at-*) smartprof development SMARTPROF_MODE=cpu SMARTPROF_CPU_SAMPLING_INTERVAL="${1#at-}" ;;
	gperftools-*) gperftools "${1#*-}" ;;
	perf-*) perf_record "${1#*-}" ;;
	*) smartprof "$1" ;;
	esac
}
# Largest error of a share in percentage points, of the ten functions' own time; - where there is none.
error_of() {
	awk 'NR == FNR { truth[$1] = $2; next } { got[$1] = $2; sum += $2 }
		END { if (!sum) { print "-"; exit }
			for (f in truth) { d = 100 * (got[f] / sum - truth[f]); d = d < 0 ? -d : d; if (d > most) most = d }
			printf "%.3f\n", most }' true shares
}
take() { # VARIANT: one measurement into ./results
	local error=-
	run "$1"
	[ "$program" != cpu_truth ] || error=$(error_of)
	awk -v p="$plain" -v s="$(cat seconds)" -v r="$(cat rate)" 'BEGIN { printf "%.5f %.1f ", s / p, r }' >>results
	echo "$error $program $1 $round" >>results
}

variants='bare-1000 at-1000 bare-2000 production ci development critical gperftools-100 gperftools-1000 perf-999 perf-9999'
ours='at-1000 production ci development critical'

seconds_of() {
	run "$1"
	cat seconds
}
pair() { # A B: the ratio of B's CPU time to A's, in an order of its own
	local a b
	if [ $((RANDOM % 2)) -eq 0 ]; then
		a=$(seconds_of "$1") b=$(seconds_of "$2")
	else
		b=$(seconds_of "$2") a=$(seconds_of "$1")
	fi
	awk -v a="$a" -v b="$b" 'BEGIN { printf "%.5f 0 - ", b / a }' >>results
	echo "$program pair-$2 $round" >>results
}

turn() { # one round of $program, in an order of its own
	job "$program"
	[ "$program" != cpu_truth ] || "$truth" 0.01 >true
	run plain
	plain=$(cat seconds)
	# shellcheck disable=SC2086
	for variant in $(shuf -e $variants); do
		take "$variant"
		# The peer at the rate that was achieved.
		case " $ours " in *" $variant "*) if [ "$program" = cpu_truth ]; then
			run "perf-$(awk '{ printf "%d", $1 + 0.5 }' rate)"
			echo "1 $(cat rate) $(error_of) $program peer-of-$variant $round" >>results
		fi ;; esac
	done
	for _ in $(seq "$pairs"); do
		pair bare-1000 at-1000
		pair plain production
	done
}

# The ground truth as a fixed amount of work, whose cycle takes about 1 ms here.
unit=10000
timed "" "$truth" 1 1 $unit
unit=$(awk '{ printf "%d", 10000 * 0.99 / $1 }' seconds)

for round in $(seq "$rounds"); do
	for program in $programs; do
		if [ -n "${SP_LOCK-}" ]; then
			exec 9>"$SP_LOCK"
			flock -x 9
		fi
		turn
		if [ -n "${SP_LOCK-}" ]; then exec 9>&-; fi
	done
done

awk -v programs="$programs" -v variants="$variants" -v ours="$ours" -v rounds="$rounds" -f "$root/tests/bench/cpu.awk" results
