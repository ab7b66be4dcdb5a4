# How long a profile is: a person reads it, a language model takes it whole, and no number is lost for that.
load helpers

# column NAME TABLE FILE: the sum of a column of the complete part.
column() {
	section "## $2 (" "$3" | awk -F'\t' -v name="$1" '
		!at { for (i = 1; i <= NF; i++) if ($i == name) at = i; next }
		NF > 1 { s += $at } END { printf "%.0f\n", s }'
}

# sums FILE: what tables add up to, one below the other.
sums() {
	local name
	for name in self_user_ns self_sys_ns self_samples; do column $name "All functions" "$1"; done
	for name in user_ns sys_ns samples; do column $name "All CPU stacks" "$1"; done
	for name in self_user_ns self_samples; do column $name "All lines" "$1"; done
	for name in self_ns self_samples; do column $name "All files" "$1"; done
	for name in alloc_bytes alloc_count inuse_bytes peak_bytes samples alloc_variance leaked_bytes; do
		column $name "All heap sites" "$1"
	done
	for name in alloc_bytes inuse_count peak_bytes; do column $name "All heap stacks" "$1"; done
	for name in short_bytes inuse_samples alloc_variance; do column $name "All heap details" "$1"; done
}

@test "a large program's profile has at most 250 KB, its sums are those of the full one, and run --full has it all" {
	printf '#include <regex>\n#include <map>\n#include <functional>\n#include <iostream>
		int main(int c, char **v) { std::map<std::string, std::function<int(int)>> m; std::regex r(v[0]);
		m["x"] = [&](int i) { return i + std::regex_match(v[0], r); }; std::cout << m["x"](c); }\n' >large.cc
	g++ -E large.cc -o large.ii
	cc1plus=$(g++ -print-prog-name=cc1plus)
	LD_PRELOAD=$AGENT "$cc1plus" -quiet -O2 -g large.ii -o large.s &
	pid=$!
	for _ in $(seq 600); do
		[ "$(awk '{ print $14 }' "/proc/$pid/stat" 2>/dev/null || echo 1000)" -lt 120 ] || break
		sleep 0.1
	done
	kill -9 "$pid"
	wait || true
	"$SMARTPROF" report --full "$pid" >full.md
	profile=$(recovered cc1plus)
	at_least "$(stat -c %s full.md)" 300000
	at_least 250000 "$(stat -c %s "$profile")"
	at_least "$(stat -c %s "$profile")" 120000 # and no more than that is cut
	diff <(sums full.md) <(sums "$profile")
	grep -q '\[rest\] is what the others add up to' "$profile"
	# What has most of the time, and the largest sites, are there as they were.
	for table in "All functions" "All heap sites"; do
		diff <(section "## $table (" full.md | sed -n '4,10p' | cut -f 1-8) \
			<(section "## $table (" "$profile" | grep -v '\[rest\]' | sed -n '4,10p' | cut -f 1-8)
	done
	"$SMARTPROF" report --format folded "$profile" | awk -v ns="$(column self_user_ns "All functions" "$profile")" '
		{ s += $NF } /_start/ { n++ } END { exit !(n > 0 && s >= ns) }'
	"$SMARTPROF" run --full --output whole.md -- "$cc1plus" -quiet -fsyntax-only large.ii
	at_least "$(stat -c %s whole.md)" 250001
	refuse grep -q '\[rest\]' whole.md
}
