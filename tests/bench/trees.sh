#!/bin/bash
# What the agent adds to a build: many short processes, whose profiles are all rendered at its end. Interleaved rounds of
# `make -j2 command` in a copy of this tree, and of ./configure and `make -j2` of a package from Debian's sources (gzip, or
# a DIRECTORY with one), plain, with an empty library, with the agent in two environments, with gperftools' profiler, and under
# heaptrack, which follows no children: that row is what it costs the shell and make alone. Of the build: its CPU time,
# wall time until it stands, and until its profiles are there too; ratios to plain are medians. Rendering comes after the build,
# and is no part of the first two. Usage: trees.sh [ROUNDS [DIRECTORY]]
set -eu
root=$(realpath "$(dirname "$0")/../..")
rounds=${1:-${ROUNDS:-3}}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
gperftools=$(ls /usr/lib/x86_64-linux-gnu/libprofiler.so.0 2>/dev/null || true)
variants="plain empty production development${gperftools:+ gperftools}"
! command -v heaptrack >/dev/null || variants+=" heaptrack"
: >"$work/empty.c"
${CC:-cc} -shared -fPIC -o "$work/empty.so" "$work/empty.c" -Wl,-z,now -Wl,--no-as-needed -lc
own_build="make -s clean && make -s -j2 command"
package_build="./configure && make -s -j2 MAKEINFO=true"
package_clean() { make -s distclean >/dev/null 2>&1 || true; }

# one VARIANT BUILD: milliseconds until it is built, until all is done, and of CPU.
one() {
	local began ended built=$work/built
	local -a with=(env)
	case $1 in
	plain) ;;
	empty) with+=(LD_PRELOAD="$work/empty.so") ;;
	gperftools) with+=(LD_PRELOAD="$gperftools" CPUPROFILE="$work/gperftools" CPUPROFILE_FREQUENCY=250) ;;
	heaptrack) with=(heaptrack -o "$work/heaptrack") ;;
	*) with+=(LD_PRELOAD="$root/build/libsmartprof.so" SMARTPROF_ENV="$1" SMARTPROF_DIR="$work/profiles") ;;
	esac
	began=$(date +%s%N)
	"${with[@]}" bash -c "$2 && { date +%s%N; times; } >'$built'" >"$work/log" 2>&1 || {
		[ "$1" != plain ] || tail -n 3 "$work/log" >&2
		return 1
	}
	ended=$(date +%s%N)
	awk -v began="$began" -v ended="$ended" 'NR == 1 { built = $1 }
		function ms(t) { split(t, part, /[ms]/); return part[1] * 60000 + part[2] * 1000 }
		NR == 3 { printf "%d %d %d\n", (built - began) / 1e6, (ended - began) / 1e6, ms($1) + ms($2) }' "$built"
}

measure() { # NAME BUILD CLEAN
	local round variant
	rm -rf "$work/profiles" "$work"/times.* "$work"/count.* "$work"/failed.*
	for ((round = 0; round < rounds; round++)); do
		for variant in $variants; do
			$3
			rm -rf "$work/profiles"
			one "$variant" "$2" >>"$work/times.$variant" || touch "$work/failed.$variant"
			find "$work/profiles" -name '*.md' -type f 2>/dev/null | wc -l >"$work/count.$variant"
			rm -f "$work"/gperftools* "$work"/heaptrack*
		done
	done
	for variant in $variants; do
		if [ -e "$work/failed.$variant" ]; then
			echo "| $1 | $variant | the build fails with it | | | | |"
			continue
		fi
		paste -d' ' "$work/times.plain" "$work/times.$variant" | awk -v name="$1" -v variant="$variant" \
			-v count="$(cat "$work/count.$variant")" '
			function median(v, n,  i, j, t) {
				for (i = 2; i <= n; i++) for (j = i; j > 1 && v[j] < v[j - 1]; j--) { t = v[j]; v[j] = v[j - 1]; v[j - 1] = t }
				return v[int((n + 1) / 2)]
			}
			{ built[NR] = $4 / $1; all[NR] = $5 / $1; cpu[NR] = $6 / $3; seconds[NR] = $6 / 1000 }
			END { printf "| %s | %s | %.1f | %.3f | %.3f | %.3f | %s |\n", name, variant, median(seconds, NR),
				median(cpu, NR), median(built, NR), median(all, NR), (count > 0 ? count : "") }'
	done
}

echo "| build | with | CPU, s | CPU, ratio | wall until it stands | and is rendered | profiles |"
echo "|---|---|---:|---:|---:|---:|---:|"
mkdir "$work/own"
git -C "$root" archive HEAD | tar -x -C "$work/own"
cd "$work/own"
measure "make -j2 command" "$own_build" :
source=${2:-$root/build/bench/gzip}
[ $# -gt 1 ] || "$root/.ci/demo-source" gzip "$source"
cp -a "$source" "$work/package" # times of files matter
cd "$work/package"
measure "configure and make -j2 of $(basename "$source")" "$package_build" package_clean
