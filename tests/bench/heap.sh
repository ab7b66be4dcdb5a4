#!/usr/bin/env bash
# What heap profiling costs, by us and by others: CPU time (user + system) against the same program without
# profiler, the median of interleaved rounds. The reference of jemalloc's and tcmalloc's own profilers is the
# program on that allocator without profiling. Ends with 1 when a goal is missed:
#   production at most 2 points above the hooks alone; development at most 10;
#   at 1 KiB between samples at least 3 times cheaper than jemalloc's profiler at 1 KiB.
# Usage: heap.sh [ROUNDS [PROGRAM…]]   (make bench-heap)
set -eu
cd "$(dirname "$0")/../.."
rounds=${1:-${ROUNDS:-5}}
shift || true
agent=$PWD/build/libsmartprof.so
targets=$PWD/build/targets
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset LD_PRELOAD MALLOC_CONF
export SMARTPROF_DIR=$work/profiles SMARTPROF_MODE=heap
script='d = {}
for i in range(6000000): d[i % 5000] = str(i)'

find_library() { find /usr/lib/x86_64-linux-gnu -name "$1" | head -n 1; }
jemalloc=$(find_library libjemalloc.so.2)
tcmalloc=$(find_library libtcmalloc.so.4)

variants='plain hooks production development fixed-1k'
[ -z "$jemalloc" ] || variants+=' jemalloc jemalloc-512k jemalloc-1k'
[ -z "$tcmalloc" ] || variants+=' tcmalloc tcmalloc-512k'
command -v heaptrack >/dev/null && variants+=' heaptrack'

# start VARIANT COMMAND…
start() {
	local variant=$1
	shift
	case $variant in
	plain) "$@" ;;
	hooks) LD_PRELOAD=$agent SMARTPROF_ENABLED=0 "$@" ;;
	production | development) LD_PRELOAD=$agent SMARTPROF_ENV=$variant "$@" ;;
	fixed-1k) LD_PRELOAD=$agent SMARTPROF_HEAP_INTERVAL=1KiB SMARTPROF_OVERHEAD_BUDGET=100 "$@" ;;
	jemalloc) LD_PRELOAD=$jemalloc "$@" ;;
	jemalloc-512k) LD_PRELOAD=$jemalloc MALLOC_CONF=prof:true,lg_prof_sample:19,prof_prefix:"$work/je" "$@" ;;
	jemalloc-1k) LD_PRELOAD=$jemalloc MALLOC_CONF=prof:true,lg_prof_sample:10,prof_prefix:"$work/je" "$@" ;;
	tcmalloc) LD_PRELOAD=$tcmalloc "$@" ;;
	tcmalloc-512k) LD_PRELOAD=$tcmalloc TCMALLOC_SAMPLE_PARAMETER=524288 "$@" ;;
	heaptrack) heaptrack -o "$work/heaptrack" "$@" ;;
	esac
}

# A server: its own CPU time, while a client that is not profiled asks it.
run_redis() {
	local socket=$work/redis.sock ticks
	start "$1" redis-server --port 0 --unixsocket "$socket" --save '' --appendonly no --daemonize no >/dev/null &
	local pid=$!
	until redis-cli -s "$socket" ping >/dev/null 2>&1; do sleep 0.05; done
	redis-benchmark -s "$socket" -q -n 400000 -r 50000 -d 64 -P 16 -t set,get,lpush,hset >/dev/null
	ticks=$(redis-cli -s "$socket" info cpu | tr -d '\r' |
		awk -F: '/^used_cpu_(sys|user):/ { s += $2 } END { printf "%.3f\n", s }')
	redis-cli -s "$socket" shutdown nosave >/dev/null 2>&1 || true
	wait "$pid" || true
	echo "$ticks"
}

run() { # VARIANT PROGRAM: prints the CPU seconds of the program and what it waited for
	TIMEFORMAT='%U %S'
	if [ "$2" = redis ]; then
		run_redis "$1"
		return
	fi
	{ time case $2 in
		tiny-malloc) start "$1" "$targets/malloc_loop" 1 100000000 ;;
		cross-thread-free) start "$1" "$targets/malloc_loop" 2 12000000 cross ;;
		python3) PYTHONMALLOC=malloc start "$1" /usr/bin/python3 -c "$script" ;;
		ground-truth) start "$1" "$targets/heap_truth" 400 ;;
		threads-*) start "$1" "$targets/malloc_loop" "${2#threads-}" $((64000000 / ${2#threads-})) ;;
	esac >"$work/out" 2>"$work/err"; } 2>&1 | awk 'END { print $1 + $2 }'
}

median() { sort -n | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

# reference VARIANT: what it is compared with.
reference() {
	case $1 in jemalloc-*) echo jemalloc ;; tcmalloc-*) echo tcmalloc ;; *) echo plain ;; esac
}

programs=${*:-tiny-malloc cross-thread-free python3 redis ground-truth threads-1 threads-2 threads-8}
missed=0
goal() { # PROGRAM WHAT VALUE LIMIT
	awk -v v="$3" -v l="$4" 'BEGIN { exit !(v <= l) }' && return
	echo "$1: $2: $3, not $4 or less" >>"$work/missed"
	missed=1
}

printf '| program | plain, s |'
for variant in $variants; do [ "$variant" = plain ] || printf ' %s |' "$variant"; done
printf '\n|---|---:|'
for variant in $variants; do [ "$variant" = plain ] || printf -- '---:|'; done
echo
for program in $programs; do
	if [ "$program" = redis ] && ! command -v redis-server >/dev/null; then continue; fi
	rm -f "$work"/*.ratio "$work"/*.cpu
	for round in $(seq "$rounds"); do
		for variant in $variants; do
			# heaptrack's process is not the server. What takes half a minute is measured once.
			case $variant-$program-$round in
			heaptrack-redis-* | heaptrack-threads-* | jemalloc-1k-threads-*) continue ;;
			heaptrack-*-1 | jemalloc-1k-*-1) ;;
			heaptrack-* | jemalloc-1k-*) continue ;;
			esac
			cpu=$(run "$variant" "$program")
			echo "$cpu" >>"$work/$variant.cpu"
			paste -d' ' <(echo "$cpu") <(tail -n 1 "$work/$(reference "$variant").cpu") |
				awk '{ printf "%.3f\n", ($2 > 0 ? $1 / $2 : 0) }' >>"$work/$variant.ratio"
		done
	done
	printf '| %s | %s |' "$program" "$(median <"$work/plain.cpu")"
	declare -A ratio=()
	for variant in $variants; do
		[ "$variant" != plain ] || continue
		ratio[$variant]=
		[ ! -s "$work/$variant.ratio" ] || ratio[$variant]=$(median <"$work/$variant.ratio")
		printf ' %s |' "${ratio[$variant]:--}"
	done
	echo
	case $program in threads-*) continue ;; esac
	goal "$program" "production, points above the hooks" \
		"$(awk -v a="${ratio[production]}" -v b="${ratio[hooks]}" 'BEGIN { print 100 * (a - b) }')" 2
	goal "$program" "development, per cent above the hooks" \
		"$(awk -v a="${ratio[development]}" -v b="${ratio[hooks]}" 'BEGIN { print 100 * (a / b - 1) }')" 10
	[ -z "${ratio[jemalloc-1k]-}" ] || goal "$program" "fixed 1 KiB, part of jemalloc's overhead at 1 KiB" \
		"$(awk -v a="${ratio[fixed-1k]}" -v b="${ratio[jemalloc-1k]}" 'BEGIN { print (b > 1 ? (a - 1) / (b - 1) : 9) }')" 0.333
done
[ "$missed" -eq 0 ] || cat "$work/missed" >&2
exit "$missed"
