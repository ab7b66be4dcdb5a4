#!/bin/bash
# What the agent adds to a build: many short processes, whose profiles are all rendered at its end. Interleaved rounds of
# `make -j2 command` in a copy of this tree, plain, with the agent in two environments, and with gperftools' profiler where it
# is installed (heaptrack follows no children); with a directory of a package's source also of its ./configure and
# `make -j2`. CPU time of the build, wall time until it stands and, after the /, until its profiles do; ratios to plain are medians.
# Usage: trees.sh [ROUNDS [SOURCE]]
set -eu
root=$(realpath "$(dirname "$0")/../..")
rounds=${1:-${ROUNDS:-3}}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
gperftools=$(ls /usr/lib/x86_64-linux-gnu/libprofiler.so.0 2>/dev/null || true)
variants="plain production development${gperftools:+ gperftools}"

mkdir "$work/own"
git -C "$root" archive HEAD | tar -x -C "$work/own"
own_build() { make -s clean >/dev/null && make -s -j2 command >/dev/null 2>&1; }
package_build() { ./configure >/dev/null 2>&1 && make -s -j2 MAKEINFO=true >/dev/null 2>&1; }
package_clean() { make -s distclean >/dev/null 2>&1 || true; }
export -f own_build package_build

# one VARIANT BUILD: milliseconds until it is built, until all is done, and of CPU.
one() {
	local began ended built=$work/built
	local -a with=(env)
	case $1 in
	plain) ;;
	gperftools) with+=(LD_PRELOAD="$gperftools" CPUPROFILE="$work/gperftools" CPUPROFILE_FREQUENCY=250) ;;
	*) with+=(LD_PRELOAD="$root/build/libsmartprof.so" SMARTPROF_ENV="$1" SMARTPROF_DIR="$work/profiles") ;;
	esac
	began=$(date +%s%N)
	"${with[@]}" bash -c "$2 && { date +%s%N; times; } >'$built'" 2>/dev/null
	ended=$(date +%s%N)
	awk -v began="$began" -v ended="$ended" 'NR == 1 { built = $1 }
		function ms(t) { split(t, part, /[ms]/); return part[1] * 60000 + part[2] * 1000 }
		NR == 3 { printf "%d %d %d\n", (built - began) / 1e6, (ended - began) / 1e6, ms($1) + ms($2) }' "$built"
}

measure() { # NAME BUILD CLEAN
	local round variant
	rm -rf "$work/profiles" "$work"/times.*
	for ((round = 0; round < rounds; round++)); do
		for variant in $variants; do
			$3
			rm -rf "$work/profiles"
			one "$variant" "$2" >>"$work/times.$variant"
			[ "$variant" = plain ] || find "$work/profiles" -name '*.md' -type f 2>/dev/null | wc -l >"$work/count.$variant"
			rm -f "$work"/gperftools*
		done
	done
	for variant in $variants; do
		paste -d' ' "$work/times.plain" "$work/times.$variant" | awk -v name="$1" -v variant="$variant" \
			-v count="$(cat "$work/count.$variant" 2>/dev/null)" '
			function median(v, n,  i, j, t) {
				for (i = 2; i <= n; i++) for (j = i; j > 1 && v[j] < v[j - 1]; j--) { t = v[j]; v[j] = v[j - 1]; v[j - 1] = t }
				return v[int((n + 1) / 2)]
			}
			{ built[NR] = $4 / $1; all[NR] = $5 / $1; cpu[NR] = $6 / $3; seconds[NR] = $6 / 1000 }
			END { printf "%s, %s: %.1f s of CPU, ratio %.3f; wall %.3f / %.3f with rendering%s\n", name, variant,
				median(seconds, NR), median(cpu, NR), median(built, NR), median(all, NR),
				count ? ", " count " profiles" : "" }'
	done
}

cd "$work/own"
measure "make -j2 command" own_build :
if [ $# -gt 1 ]; then
	cp -a "$2" "$work/package" # times of files matter
	cd "$work/package"
	measure "configure and make -j2 of $(basename "$2")" package_build package_clean
fi
