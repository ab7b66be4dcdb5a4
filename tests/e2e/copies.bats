# Stacks that break off in the program are copied and walked to their ends when the profile is rendered.
load helpers

UNTABLED=(-std=gnu17 -O2 -g -D_GNU_SOURCE -I"$ROOT" -fno-asynchronous-unwind-tables -fno-unwind-tables -fomit-frame-pointer
	-fno-optimize-sibling-calls)

build_program() {
	gcc "${UNTABLED[@]}" "$@" -o untabled "$ROOT/tests/targets/untabled.c"
}
build_library() {
	gcc "${UNTABLED[@]}" "$@" -fPIC -shared -o libuntabled.so "$ROOT/tests/targets/plugin_untabled.c"
}

# total NAME PROFILE: the largest of its percentages in the call tree, 0 if it is not there.
total() {
	section '## Call Tree' "$2" | awk -v name="$1" '$3 == name && $1 + 0 > most { most = $1 + 0 } END { print most + 0 }'
}

finished() {
	sed -nE 's/^- ([0-9.]+) % of the time, [0-9]+ samples, has stacks that broke off .* by ([0-9]+) of them.*/\1/p' "$1"
}

# both_callers PROFILE: the two callers have two thirds and one third of the time, below main.
both_callers() {
	at_least "$(finished "$1")" 80
	at_least "$(total main "$1")" 95
	at_least "$(total untabled_often "$1")" 50
	at_least 80 "$(total untabled_often "$1")"
	at_least "$(total untabled_seldom "$1")" 18
	at_least 48 "$(total untabled_seldom "$1")"
}

@test "a program that only .debug_frame describes" {
	build_program
	profiled ./untabled 1 >out
	both_callers "$(profile_of untabled)"
	build_program -Wl,--compress-debug-sections=zlib -no-pie
	profiled ./untabled 1 >out
	both_callers "$(profile_of untabled)"
}

@test "a library whose tables are in a separate debug file, and that is closed before the end" {
	gcc "${UNTABLED[@]}" -o untabled "$ROOT/tests/targets/untabled.c"
	build_library
	mkdir .debug
	objcopy --only-keep-debug libuntabled.so .debug/libuntabled.so.debug
	strip --strip-unneeded --remove-section=.debug_frame libuntabled.so
	objcopy --add-gnu-debuglink=.debug/libuntabled.so.debug libuntabled.so
	refuse grep -q debug_frame <(readelf -SW libuntabled.so)
	gcc -std=gnu17 -O2 -g -D_GNU_SOURCE -I"$ROOT" -o host "$ROOT/tests/targets/untabled.c"
	profiled ./host 1 ./libuntabled.so >out
	both_callers "$(profile_of host)"
}

@test "without the debug file the stacks stay broken, below main" {
	build_library
	strip libuntabled.so
	gcc -std=gnu17 -O2 -g -D_GNU_SOURCE -I"$ROOT" -o host "$ROOT/tests/targets/untabled.c"
	profiled ./host 0.5 ./libuntabled.so >out
	profile=$(profile_of host)
	at_least "$(total main "$profile")" 90 # the rest, the start, is not the stacks' that broke off
	at_least "$(total '[truncated]' "$profile")" 80
}

@test "on a busy machine" {
	build_program
	for i in 1 2 3; do
		plain "$TARGETS/cpu_truth" 2 >/dev/null &
	done
	profiled ./untabled 1 >out
	wait
	both_callers "$(profile_of untabled)"
}

@test "copies of a stack with addresses of a library that another thread opens and closes all the time" {
	build_program
	build_library
	cp libuntabled.so third.so
	cp libuntabled.so second.so
	profiled ./untabled 2 ./second.so ./third.so >out
	grep -qx 1 out
	at_least "$(finished "$(profile_of untabled)")" 15
}

@test "in production only if asked for, and never outside of the spool" {
	build_program
	SMARTPROF_ENV=production profiled ./untabled 1 >out
	profile=$(profile_of untabled)
	[ -z "$(finished "$profile")" ] || fail "copied in production"
	at_least "$(total '[truncated]' "$profile")" 80
	rm "$profile"
	SMARTPROF_ENV=production SMARTPROF_STACK_COPIES=on profiled ./untabled 1 >out
	at_least "$(finished "$(profile_of untabled)")" 80
	SMARTPROF_STACK_COPIES=off profiled ./untabled 0.5 >out
	[ -z "$(finished "$(profile_of untabled)")" ] || fail "copied though switched off"
}

@test "a program that is killed leaves its copies to recover, for its user's eyes" {
	build_program
	LD_PRELOAD=$AGENT ./untabled 30 >out 3>&- &
	child=$!
	has_spool() { spool=$(ls "/dev/shm/smartprof-$(id -u)"/*"$child"*.spool 2>/dev/null); }
	eventually has_spool
	eventually has_used 1 "$child"
	[ "$(stat -c %a "$spool")" = 600 ] || fail "mode $(stat -c %a "$spool")"
	kill -9 "$child"
	wait "$child" || true
	"$SMARTPROF" recover >/dev/null
	[ ! -e "$spool" ] || fail "still there"
	both_callers "$(profile_of untabled)"
}

# of_sampled FUNCTION: its share of the time that stacks stand for: a busy machine leaves some without.
of_sampled() {
	"$SMARTPROF" report --format folded "$profile" | awk -v name="$1" '{
		ns = $NF; sub(/ [0-9]+$/, "")
		if ($0 == "[unsampled]" || $0 == "[before sampling]") next
		all += ns; if (index(";" $0 ";", ";" name ";")) own += ns } END { print 100 * own / all }'
}

@test "interpreters' trampolines of fixed shape: functions by name, with whole stacks" {
	for shape in 12 13 endbr tested; do
		profiled "$TARGETS/trampolines" "$shape" 1 >out
		profile=$(profile_of trampolines)
		[ "$(total '[truncated]' "$profile")" = 0 ] || fail "$shape: $(total '[truncated]' "$profile") % end early"
		at_least "$(of_sampled main)" 97
		at_least "$(of_sampled py::run:/app/main.py)" 97
		at_least "$(of_sampled py::often:/app/main.py)" 55
		at_least 78 "$(of_sampled py::often:/app/main.py)"
		rm "/tmp/perf-$(front pid "$profile").map" "$profile"
	done
}

@test "a trampoline that does not return ends its stacks, below main" {
	profiled "$TARGETS/trampolines" odd 0.5 >out
	profile=$(profile_of trampolines)
	at_least "$(total '[truncated]' "$profile")" 85 # the rest, the start, is not the stacks' that broke off
	at_least "$(total main "$profile")" 90
	rm "/tmp/perf-$(front pid "$profile").map"
}
