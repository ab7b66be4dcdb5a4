# Names that a program gives to its work.
load helpers

# Of the span with that name (its whole path), the column with that number: 3 count, 4 total, 5 self, 9 CPU, 11 allocated, 12 hottest.
span() {
	section '# Spans' "$PROFILE" | awk -F ' *[|] *' -v name="$1" -v n="$2" '$2 == name { print $n }'
}

run_spans() {
	SMARTPROF_ENV=critical profiled "$TARGETS/spans" "$1" >out
	PROFILE=$(profile_of spans)
	"$SMARTPROF" validate "$PROFILE" >/dev/null
}

@test "counts are exact, time is where it was spent, and what took longer than its limit is told" {
	run_spans requests
	[ "$(cat out)" = 100 ]
	[ "$(span request 3)" -eq 20 ]
	[ "$(span 'request › kind=get › parse' 3)" -eq 15 ]
	[ "$(span 'request › kind=put › answer' 3)" -eq 5 ]
	[ "$(span job 3)" -eq 20 ]
	[ "$(span 'request › kind=get › stage 1' 3)" -eq 10 ]
	near "$(span 'request › kind=put › answer' 9 | sed 's/ ms//')" 100 25
	[ "$(span 'request › kind=put › answer' 11)" = '4.9 KiB' ]
	span 'request › kind=get › parse' 12 | grep -Eq '(spin_ms|parse)'
	section '# Spans' "$PROFILE" | grep -Eq '^- request: ([5-9]|1[0-9]|20) took longer than their limit\.$'
}

@test "a stack stands in its spans: in the tree, in other formats, and to be chosen by them" {
	run_spans requests
	section '## Call Tree' "$PROFILE" | grep -q '{kind=put}'
	"$SMARTPROF" report --format folded "$PROFILE" >folded
	grep -q '^{request};{kind=put};{answer};_start;.*;answer;spin_ms' folded
	"$SMARTPROF" report --format folded --focus '^.kind=get.$' "$PROFILE" >get
	grep -q '^{request};{kind=get};{parse};' get
	refuse grep -q '{kind=put}' get
	"$SMARTPROF" report --format html --output page.html "$PROFILE"
	grep -q 'kind=put' page.html
	refuse grep -q '^| *[0-9.]*%.*{' <(section '## Hot Functions' "$PROFILE")
}

@test "--span keeps what was done in a span: in Markdown, tables and formats, of a written profile and of a process" {
	run_spans requests
	"$SMARTPROF" report --full --span 'kind=put' "$PROFILE" >put.md
	"$SMARTPROF" validate put.md
	section '## Call Tree' put.md >tree
	grep -q '{kind=put}' tree
	grep -q '\[filtered\]' tree
	refuse grep -q '{kind=get}' tree
	"$SMARTPROF" report --by function --span answer "$PROFILE" >answer
	grep -q 'filtered' answer
	refuse grep -Eq '[|] parse [|]' answer
	"$SMARTPROF" report --format folded --span answer "$PROFILE" >folded
	grep -q '^{request};{kind=put};{answer};' folded
	refuse grep -q '{parse}' folded
	for flags in '--span nothing' '--span request --merge' '--by thread --span request'; do
		# shellcheck disable=SC2086
		status_of "$([ "$flags" = '--span nothing' ] && echo 1 || echo 2)" "$SMARTPROF" report $flags "$PROFILE" 2>err
		[ "$(wc -l <err)" -eq 1 ]
	done
	LD_PRELOAD=$AGENT timeout -k 5 "$PATIENCE" "$TARGETS/spans" requests_for_long >out &
	await_spool spans
	eventually has_used 1 "$PID"
	"$SMARTPROF" report --span answer --output live.md "$PID"
	kill "$PID"
	"$SMARTPROF" validate live.md
	section '# Spans' live.md | grep -Eq '^[|] request › kind=put › answer [|]'
	refuse grep -Eq '^[|] request › kind=get › parse [|]' <(section '# Spans' live.md)
}

@test "without a sample of CPU time all are there, also those in labels" {
	SMARTPROF_MODE=heap SMARTPROF_ENV=critical profiled "$TARGETS/spans" requests >out
	PROFILE=$(profile_of spans)
	[ "$(span 'request › kind=get › parse' 3)" -eq 15 ]
	[ "$(span 'request › kind=put › answer' 3)" -eq 5 ]
}

@test "since a mark it is not known what spans were counted" {
	LD_PRELOAD=$AGENT timeout -k 5 "$PATIENCE" "$TARGETS/spans" serve >out &
	await_spool spans
	eventually "$SMARTPROF" ctl "$PID" mark lap
	eventually has_used 1 "$PID"
	"$SMARTPROF" report --since lap --output since.md "$PID"
	"$SMARTPROF" report --output all.md "$PID"
	kill "$PID"
	section '# Spans' all.md | grep -Eq '^[|] request [|] [1-9]'
	refuse grep -Eq '^[|] request [|] [1-9]' since.md
}

@test "slow responses are marked, with a profile of the moment if somebody has set what is slow" {
	SMARTPROF_RESPONSE_TIME_THRESHOLD=10 run_spans requests
	section '# Marks' "$PROFILE" | grep -q '^| response |'
	[ "$(find "$SMARTPROF_DIR/auto-memory" -name 'spans.*.response.capture.md' | wc -l)" -eq 1 ]
	rm -r "$SMARTPROF_DIR"
	SMARTPROF_RESPONSE_TIME_THRESHOLD=10 "$SMARTPROF" guard -- "$TARGETS/spans" serve >/dev/null 2>guard.err &
	local guard=$!
	eventually grep -q ': response: profile:' guard.err
	kill "$guard"
	wait "$guard" || true
	grep -qE 'guard: spans .[0-9]+.: response: [0-9]+ spans took longer than 10 ms' guard.err || fail "$(cat guard.err)"
	[ "$(find "$SMARTPROF_DIR/auto-memory" -name 'spans.*.response.*MB.capture.md' | wc -l)" -eq 1 ]
	grep -qE '[|] response, seen by the agent alone [|]' "$SMARTPROF_DIR"/monitored/spans.*.guard.md
	rm -r "$SMARTPROF_DIR"
	SMARTPROF_RESPONSE_TIME_THRESHOLD=60000 run_spans requests
	refuse grep -q '^| response |' "$PROFILE"
}

@test "what is left by a jump, never begun or too deep is told, and nothing is lost by it" {
	run_spans unbalanced
	[ "$(span outer 3)" -eq 1 ]
	[ "$(span 'outer › left' 3)" -eq 1 ]
	section '# Spans' "$PROFILE" >spans
	grep -q '^- outer › left: 1 ended with a span around them' spans
	grep -q '^- 1 spans were ended that had not begun' spans
	grep -q '^- 8 spans were begun in 32 others' spans
}

@test "a handler that leaves by a jump takes neither the profile nor later spans away" {
	run_spans jumps
	[ "$(span after 3)" -eq 1000 ]
}

@test "the clock is exact in a program that has hardly used CPU time" {
	run_spans nap
	read -r least most <out
	span nap 4 | awk -v least="$least" -v most="$most" '{ exit !($2 == "ms" && $1 <= most * 1.005 + 0.1 && $1 >= least * 0.97) }' ||
		fail "$(span nap 4), true $least to $most"
}

@test "threads that come and go count exactly" {
	run_spans threads
	[ "$(span item 3)" -eq 40000 ]
	[ "$(span unended 3)" -eq 40 ]
	section '# Spans' "$PROFILE" | grep -q '^- unended: 40 ended with'
}

@test "a forked child has spans of its own" {
	run_spans fork
	[ "$(grep -l '^| child |' "$SMARTPROF_DIR"/critical/spans.*.md | wc -l)" -eq 1 ]
	[ "$(grep -l '^| parent |' "$SMARTPROF_DIR"/critical/spans.*.md | wc -l)" -eq 1 ]
}

@test "a process that is killed has died in a span" {
	SMARTPROF_ENV=critical profiled "$TARGETS/spans" kill || true
	"$SMARTPROF" recover
	PROFILE=$(profile_of spans)
	section '# Spans' "$PROFILE" >spans
	for name in serve 'serve › load index'; do
		grep -Eq "^- The process died in thread [0-9]+, [0-9.]+ m?s into $name; of the [0-9]+ CPU samples in it [0-9]+ were in spin_ms\\.\$" spans ||
			fail "$(cat spans)"
	done
	read -r all most < <(sed -nE 's/^.* into serve; of the ([0-9]+) CPU samples in it ([0-9]+) .*/\1 \2/p' spans)
	at_least "$all" "$most"
	at_least "$((2 * most))" "$((all + 1))"
	near "$(span 'serve › load index' 9 | sed 's/ ms//')" 300 "$(by_clock 15 60)"
}

@test "exceptions, templates and lambdas in C++" {
	SMARTPROF_ENV=critical profiled "$TARGETS/spans_throw" >out
	[ "$(cat out)" = '1000 abab' ]
	PROFILE=$(profile_of spans_throw)
	[ "$(span round 3)" -eq 1000 ]
	[ "$(span 'round › fail › fail › fail › fail' 3)" -eq 1000 ]
	[ "$(span 'round › lambda › twice' 3)" -eq 1000 ]
	refuse grep -q 'ended that had not begun' "$PROFILE"
}

@test "on a busy machine too: what ends by exceptions, jumps, threads, forks or was never begun is counted exactly" {
	local threads=$((4 * $(nproc))) rounds all parent child
	rounds=$(long 200 5000)
	all=$((threads * rounds))
	SMARTPROF_ENV=critical profiled "$TARGETS/spans_storm" "$threads" "$rounds" >out
	[ "$(cat out)" = "$threads threads" ]
	parent=$(grep -l '^| thread |' "$SMARTPROF_DIR"/critical/spans_storm.*.md)
	child=$(grep -l '^| child |' "$SMARTPROF_DIR"/critical/spans_storm.*.md)
	PROFILE=$parent
	[ "$(span thread 3)" -eq "$threads" ]
	for name in '' ' › caught' ' › caught › fail' ' › caught › fail › fail' ' › caught › fail › fail › fail' ' › jumped' ' › jumped › left'; do
		[ "$(span "thread › round$name" 3)" -eq "$all" ] || fail "$name: $(section '# Spans' "$PROFILE")"
	done
	section '# Spans' "$PROFILE" >spans
	grep -q "^- thread: $threads ended with" spans
	grep -q "^- thread › round › jumped › left: $all ended with" spans
	grep -q "^- $all spans were ended that had not begun" spans
	[ "$(grep -c '^- ' spans)" -eq 3 ] || fail "$(cat spans)"
	PROFILE=$child
	[ "$(span child 3)" -eq 100 ]
	section '# Spans' "$PROFILE" >spans
	grep -q '^- 1 spans were ended that had not begun' spans
	[ "$(grep -c '^| [^:S]' spans)" -eq 1 ] || fail "$(cat spans)"
	"$SMARTPROF" validate "$parent" "$child" >/dev/null
}

@test "checkpoints tell how often they were passed, and with how much memory, and spans are probes" {
	run_spans checkpoints
	section '# Spans' "$PROFILE" | grep -Eq '^[|] before [|] 1 [|]'
	section '# Spans' "$PROFILE" | awk -F ' *[|] *' '$2 == "load › loaded" { split($5, now, " ")
		exit !($3 == 1000 && now[1] > 30 && now[1] < 60 && now[2] == "MiB" && $7 ~ /^30[.].* MiB/) }'
	readelf -n "$TARGETS/spans" >notes
	for probe in span_begin span_end checkpoint async_begin async_end; do
		grep -A 1 'Provider: smartprof' notes | grep -q "Name: $probe$"
	done
	# Without the header of probes there are none, and nothing else is missing.
	printf '#include "smartprof.h"\nvoid f(void) { SMARTPROF_GUARD("g"); SMARTPROF_CHECKPOINT("c"); }' >bare.c
	gcc -nostdinc -I "$ROOT/preload" -c bare.c
	readelf -n bare.o >bare
	refuse grep -q smartprof bare
}

@test "bpftrace sees every span of a process, with the agent and without" {
	bpftrace -e "usdt:$TARGETS/spans:smartprof:span_begin { exit() } BEGIN { exit() }" >/dev/null 2>&1 || skip "bpftrace does not work here"
	echo "usdt:$TARGETS/spans:smartprof:span_* { @[probe] = count(); }" >probes.bt
	for preload in "" "$AGENT"; do
		SMARTPROF_PROGRAM=spans LD_PRELOAD=$preload timeout 60 bpftrace -c "$TARGETS/spans requests" probes.bt >seen
		[ "$(grep -c 'smartprof:span_\(begin\|end\)\]: 80$' seen)" -eq 2 ]
	done
}

@test "however a program is built and linked, its spans are there with the agent, and nothing is without" {
	cat >linked.c <<-'C'
		#include "preload/smartprof.h"
		int main(void)
		{
			SMARTPROF_GUARD("all of it");
			SMARTPROF_START("a");
			SMARTPROF_LABEL("k", "v");
			SMARTPROF_END("a", "%d", 1);
			return smartprof_active && smartprof_active() ? 3 : 4;
		}
	C
	for built in 'gcc -O2' 'gcc -O0 -no-pie -fno-pie' 'gcc -O2 -no-pie -fno-pie' 'gcc -O2 -flto -no-pie -fno-pie' \
		'gcc -O2 -no-pie -fno-pie -masm=intel' 'gcc -O2 -fno-plt -Wl,-z,now' 'g++ -x c++ -O2 -no-pie -fno-pie' \
		'clang -O2 -no-pie -fno-pie' 'clang -O0 -no-pie -fno-pie -masm=intel'; do
		$built -Wall -Wextra -Werror -I "$ROOT" -o linked linked.c
		status_of 4 ./linked
		LD_PRELOAD=$AGENT status_of 3 env ./linked || fail "$built"
	done
	gcc -static -I "$ROOT" -o linked linked.c
	status_of 4 ./linked
}

@test "switched off they leave no trace in the code, and evaluate nothing" {
	cat >plain.c <<-'C'
		int f(int);
		int g(int i)
		{
			int sum = 0;
			for (int k = 0; k < i; k++) {
				sum += (f(k));
				sum += f(sum);
			}
			return sum;
		}
	C
	cat >spans.c <<-'C'
		#include "preload/smartprof.h"
		int f(int);
		const char *never(void);
		int g(int i)
		{
			int sum = 0;
			SMARTPROF_GUARD(never(), f(9));
			for (int k = 0; k < i; k++) {
				SMARTPROF_START(never());
				SMARTPROF_LABEL(never(), never());
				SMARTPROF_CHECKPOINT(never());
				sum += SMARTPROF_TIMED(never(), f(k));
				SMARTPROF_BLOCK(never()) {
					sum += f(sum);
				}
				SMARTPROF_ASYNC_START(never(), f(1));
				SMARTPROF_ASYNC_END(never(), f(1));
				SMARTPROF_END(never());
			}
			return sum;
		}
	C
	for cc in 'gcc -std=c17' 'g++ -x c++' clang; do
		$cc -O2 -c -o plain.o plain.c
		$cc -O2 -DSMARTPROF_DISABLE -I "$ROOT" -c -o spans.o spans.c
		objcopy -O binary -j .text plain.o plain.text
		objcopy -O binary -j .text spans.o spans.text
		cmp plain.text spans.text
	done
}

@test "the header compiles without a warning in C and C++" {
	for cc in 'gcc -std=c17 -x c' 'gcc -std=gnu11 -x c' 'g++ -x c++ -std=c++11' 'g++ -x c++ -std=c++20' 'clang -x c' 'clang++ -x c++'; do
		$cc -Wall -Wextra -Werror -O1 -I "$ROOT" -fsyntax-only - <<<'#include "preload/smartprof.h"
			int f(int); int g(int i) { SMARTPROF_GUARD("g"); SMARTPROF_BLOCK("b") { i = SMARTPROF_TIMED("t", f(i)); } SMARTPROF_START("s"); SMARTPROF_CHECKPOINT("c"); SMARTPROF_END("s"); return i; }'
	done
}
