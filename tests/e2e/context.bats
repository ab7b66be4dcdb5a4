# Spans for other tools: OpenTelemetry's thread context, read from outside as OTEP 4947 has it.
load helpers

SDK=$TARGETS/plugins/plugin_traced.so

# The next place where the program stops ...
reach() { # NAME
	eventually grep -q "^$1 " out
	PID=$(sed -n "s/^$1 //p" out)
}

# ... and what a reader finds there.
at() { # NAME
	reach "$1"
	"$ROOT/tests/e2e/context.py" "$PID" >"$1" || fail "the reader failed at $1"
}

go_on() {
	kill -USR1 "$PID"
}

# The process may end while this waits.
ended() {
	wait "$JOB"
}

# SPAN PLACE: trace and span id that a thread in that span had there.
ids() {
	sed -n "s/^[0-9]* \([0-9a-f]\{32\}\) \([0-9a-f]\{16\}\) smartprof.span=$1$/\1 \2/p" "$2"
}

@test "a reader from outside sees the span that each thread is in, and its ids stay the same" {
	SMARTPROF_ENV=critical SMARTPROF_SPAN_CONTEXT=on profiled "$TARGETS/context" "$SDK" >out &
	JOB=$!
	at outside
	[ "$(cat outside)" = None ]
	go_on
	at request
	grep -q "'threadlocal.schema_version': 'tlsdesc_v1_dev', 'threadlocal.attribute_key_map': \['smartprof.span'\]" request
	[ "$(wc -l <request)" -eq 2 ]
	read -r trace span <<<"$(ids request request)"
	go_on
	at parse
	[ "$(wc -l <parse)" -eq 3 ]
	read -r inner_trace inner_span <<<"$(ids parse parse)"
	[ "$inner_trace" = "$trace" ] && [ "$inner_span" != "$span" ]
	read -r job_trace job_span <<<"$(ids job parse)"
	[ "$job_trace" != "$trace" ] && [ "$job_span" != "$span" ]
	go_on
	at again
	[ "$(ids request again)" = "$trace $span" ]
	[ "$(wc -l <again)" -eq 2 ]
	go_on
	at forked
	[ "$(cat forked)" = None ]
	go_on
	at child
	read -r child_trace child_span <<<"$(ids child child)"
	[ -n "$child_span" ] && [ "$child_trace" != "$trace" ]
	go_on
	at late
	read -r late_trace late_span <<<"$(ids late late)"
	[ -n "$late_span" ] && [ "$late_trace" != "$trace" ]
	go_on
	at loaded # an SDK has come
	[ "$(cat loaded)" = None ]
	go_on
	ended
}

@test "samples have the ids that the reader saw" {
	SMARTPROF_ENV=critical SMARTPROF_SPAN_CONTEXT=on profiled "$TARGETS/context" >out busy &
	JOB=$!
	for place in outside request parse again forked child; do
		reach $place
		go_on
	done
	at busy
	read -r trace span <<<"$(ids busy busy)"
	go_on
	ended
	PROFILE=$(profile_of context)
	"$SMARTPROF" validate "$PROFILE" >/dev/null
	section '# Traces' "$PROFILE" | grep -q "^| $trace | $span | .* | \(spin_ms\|clock_gettime\) |$"
	refuse grep -q 'is not published' "$PROFILE"
}

@test "what an SDK publishes stays its own" {
	# From the start: ours is not opened.
	SMARTPROF_ENV=critical SMARTPROF_SPAN_CONTEXT=on timeout -k 5 "$PATIENCE" env LD_PRELOAD="$AGENT $SDK" "$TARGETS/context" >out busy &
	JOB=$!
	reach outside
	go_on
	at request
	[ "$(cat request)" = None ]
	refuse grep -q libsmartprof-context "/proc/$PID/maps"
	for place in parse again forked child busy; do
		go_on
		reach $place
	done
	go_on
	ended
	section '# Data Quality' "$(profile_of context)" | grep -q 'is not published .*: another library has otel_thread_ctx_v1'
	# Loaded later, it is bound to its own, which is read.
	SMARTPROF_ENV=critical SMARTPROF_SPAN_CONTEXT=on LD_PRELOAD=$AGENT timeout -k 5 "$PATIENCE" "$TARGETS/traced" turns "$SDK" >/dev/null &
	await_spool traced
	eventually has_used 0.5 "$PID"
	grep -q libsmartprof-context "/proc/$PID/maps"
	seen() { "$ROOT/tests/e2e/context.py" "$PID" | grep -qE '^[0-9]+ (01){16} (11){8}$'; }
	eventually seen
	kill "$PID"
}

@test "not asked for, or without its library: nothing is there, and the profile says so" {
	SMARTPROF_ENV=critical profiled "$TARGETS/context" >out &
	JOB=$!
	reach outside
	go_on
	at request
	[ "$(cat request)" = None ]
	refuse grep -q libsmartprof-context "/proc/$PID/maps"
	kill -9 "$PID"
	mkdir lib
	cp "$AGENT" lib/
	SMARTPROF_BIN=$SMARTPROF SMARTPROF_ENV=critical SMARTPROF_SPAN_CONTEXT=on LD_PRELOAD=$PWD/lib/libsmartprof.so "$TARGETS/spans" requests >/dev/null
	section '# Data Quality' "$(profile_of spans)" | grep -q 'is not published .*: libsmartprof-context.so is not beside libsmartprof.so'
	SMARTPROF_ENV=critical "$SMARTPROF" run --span-context -- "$TARGETS/spans" requests >/dev/null 2>&1
	grep -q '^| span_context | on | ' "$(profile_of spans)"
}
