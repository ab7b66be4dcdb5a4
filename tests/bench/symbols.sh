#!/bin/bash
# How fast addresses become names, beside addr2line -i, perf and pprof, on the same addresses of the
# same program in one run. Usage: symbols.sh [PROGRAM]: with debug information; without one, a C++ program is
# built. "names": of the functions themselves only, without lines and inlined calls. ADDRESSES=10000 random ones. A tool
# that is not installed, or not done after LIMIT=120 s, is told so.
set -eu
root=$(realpath "$(dirname "$0")/../..")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
addresses=${ADDRESSES:-10000} limit=${LIMIT:-120} rounds=${ROUNDS:-3}
make -s -C "$root" build/bench/symbolize_list
if [ $# -eq 0 ]; then
	"$root/tests/bench/make-programs" "$work"
	set -- "$work/program_cxx"
fi
program=$(realpath "$1")
nm -S --defined-only "$program" | awk '$3 ~ /^[tTwW]$/ && $2 != "0000000000000000"' |
	python3 -c '
import random, sys
random.seed(1)
spans = sorted({(int(a, 16), int(b, 16)) for a, b, *_ in (line.split(None, 3) for line in sys.stdin)})
for low, size in random.choices(spans, weights=[s for _, s in spans], k=int(sys.argv[1])):
    print("0x%x" % random.randrange(low, low + size))' "$addresses" >"$work/addresses"
# A profile in pprof's old CPU format (64-bit words: header, one sample an address, trailer, maps).
python3 - "$work/addresses" "$program" "$work/cpu.prof" <<'END'
import struct, sys
base = 0x10000000
words = [0, 3, 0, 1000, 0]
for line in open(sys.argv[1]):
    words += [1, 1, base + int(line, 16)]
words += [0, 1, 0]
with open(sys.argv[3], "wb") as f:
    f.write(struct.pack(f"<{len(words)}Q", *words))
    f.write(f"{base:x}-{base + 0x10000000:x} r-xp 00000000 00:00 1 {sys.argv[2]}\n".encode())
END
# The same for perf: struct perf_file_header, one perf_event_attr (cpu-clock; IP, TID, TIME, PERIOD), records
# COMM, MMAP2 and a SAMPLE an address (linux/tools/perf/Documentation/perf.data-file-format.txt).
python3 - "$work/addresses" "$program" "$work/perf.data" <<'END'
import re, struct, subprocess, sys
headers = subprocess.run(["readelf", "-hlW", sys.argv[2]], capture_output=True, text=True, check=True).stdout
base = 0x10000000 if "DYN (" in headers else 0
offset, low, size = (int(x, 16) for x in re.search(r"LOAD +(0x\S+) (0x\S+) 0x\S+ (0x\S+) \S+ +R E", headers).groups())
def record(kind, body, misc=2):
    return struct.pack("<IHH", kind, misc, 8 + len(body)) + body
def text(name):
    return name.encode() + bytes(8 - len(name.encode()) % 8)
data = record(3, struct.pack("<II", 1, 1) + text("program"))
data += record(10, struct.pack("<IIQQQIIQQII", 1, 1, base + low, size, offset, 0, 0, 0, 0, 5, 2) + text(sys.argv[2]))
for i, line in enumerate(open(sys.argv[1])):
    data += record(9, struct.pack("<QIIQQ", base + int(line, 16), 1, 1, i + 1, 1))
attr = struct.pack("<IIQQQ", 1, 112, 0, 1, 0x107) + bytes(112 - 32) + struct.pack("<QQ", 0, 0)
with open(sys.argv[3], "wb") as f:
    f.write(b"PERFILE2" + struct.pack("<QQQQQQQQ", 104, len(attr), 104, len(attr), 104 + len(attr), len(data), 0, 0))
    f.write(bytes(32) + attr + data)
END
# seconds COMMAND…: of wall time; "-" when it fails or takes too long.
seconds() {
	local from to
	from=${EPOCHREALTIME/[.,]/}
	timeout "$limit" "$@" >"$work/out" 2>"$work/err" <"$work/addresses" || { echo -; return; }
	to=${EPOCHREALTIME/[.,]/}
	[ -s "$work/out" ] || { echo -; return; }
	echo "$((to - from))" | awk '{ printf "%.4f\n", $1 / 1000000 }'
}
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
list="$root/build/bench/symbolize_list"
with() { # PROGRAM COMMAND…
	local name=$1
	shift
	if command -v "$name" >/dev/null; then seconds "$@"; else echo -; fi
}
for ((round = 0; round < rounds; round++)); do
	rm -rf "$work/cache" "$work/names"
	cold=$(seconds "$list" --cache "$work/cache/symbols.db" "$program")
	warm=$(seconds "$list" --cache "$work/cache/symbols.db" "$program")
	names_cold=$(seconds "$list" --names --cache "$work/names/symbols.db" "$program")
	names_warm=$(seconds "$list" --names --cache "$work/names/symbols.db" "$program")
	echo "$cold $warm $(seconds addr2line -aCfie "$program") $names_cold $names_warm" \
		"$(with perf perf script -i "$work/perf.data" -F ip,sym)"
done >"$work/times"
column() { cut -d' ' -f"$1" "$work/times" | median; }
report() { # NAME SECONDS COLD WARM
	awk -v name="$1" -v s="$2" -v cold="$3" -v warm="$4" 'BEGIN {
		if (s == "-") printf "%-22s not available, or not done in time\n", name
		else printf "%-22s %8.3f s: %.1f times smartprof cold, %.1f times warm\n", name, s, s / cold, s / warm }'
}
cold=$(column 1)
warm=$(column 2)
printf '%d addresses of %s (%d MB)\n' "$addresses" "$(basename "$program")" $(($(stat -c %s "$program") / 1000000))
printf '%-22s %8.3f s\n%-22s %8.3f s\n' "smartprof cold" "$cold" "smartprof warm" "$warm"
report "addr2line -i" "$(column 3)" "$cold" "$warm"
# once: they take long
report "perf script, lines" "$(with perf perf script -i "$work/perf.data" -F ip,sym,srcline)" "$cold" "$warm"
report "perf report, lines" "$(with perf perf report -i "$work/perf.data" --stdio -s sym,srcline)" "$cold" "$warm"
pprof=$(command -v google-pprof || command -v pprof || echo pprof)
report "pprof --lines" "$(with "$pprof" "$pprof" --text --lines "$program" "$work/cpu.prof")" "$cold" "$warm"
printf '%-22s %8.3f s\n%-22s %8.3f s\n' "names, smartprof cold" "$(column 4)" "names, smartprof warm" "$(column 5)"
report "names, perf script" "$(column 6)" "$(column 4)" "$(column 5)"
