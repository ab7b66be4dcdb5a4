# What slow spans have that others have not, and what spans are made of.
load helpers

# What is told of the slow ones of a span, "request › store".
slow_ones() {
	section '## Slow Spans' "$PROFILE" | awk -v name="- $1:" 'index($0, name) == 1 { on = 1; print; next } /^- / || /^$/ { on = 0 } on'
}

run_slow() {
	SMARTPROF_ENV=critical profiled "$TARGETS/spans_slow" "$@"
	PROFILE=$(profile_of spans_slow)
	"$SMARTPROF" validate "$PROFILE" >/dev/null
}

@test "slow requests: the function that they spend more in" {
	run_slow work 1500 1500
	slow_ones 'request › store' | grep -q 'they spend .* more in checksum, [0-9]* % of what they take longer'
	refuse grep -Eq 'more in (parse|answer)' <(slow_ones request)
}

@test "slow requests: they wait" {
	run_slow wait 600 1000
	slow_ones request | grep -q 'they wait .* longer, off the CPU'
	slow_ones request | grep -Eq 'they wait [0-9.]+ [mµ]s ± [0-9.]+ [mµ]s .*more in usleep \(pause_for\), [0-9]+ % of what they take longer'
	refuse grep -Eq 'more in (parse|checksum|answer)' <(slow_ones request)
}

@test "slow requests: they wait for a lock, which is named" {
	run_slow lock 600 4000
	slow_ones request | grep -Eq 'they wait .* more in pthread_mutex_lock of log_lock \(flush_log\), '
}

@test "slow requests: they allocate more, and where" {
	SMARTPROF_HEAP_INTERVAL=256KB run_slow memory 600 1000
	slow_ones request | grep -q 'they allocate .*MiB.* more, by samples .* in build_reply'
}

# By chance a function is accused in one of 40 runs, but not in three one after the other.
@test "of requests that are all alike no function is accused" {
	local try
	for try in 1 2 3; do
		rm -rf "$SMARTPROF_DIR"
		run_slow alike 1000 1000
		grep -q 'more in' <(section '## Slow Spans' "$PROFILE") || return 0
	done
	fail "$(section '## Slow Spans' "$PROFILE")"
}

@test "the longest are kept, and outlive the process" {
	LD_PRELOAD=$AGENT SMARTPROF_ENV=critical timeout -k 5 "$PATIENCE" "$TARGETS/spans_slow" work 1000000 1000 &
	await_spool spans_slow
	eventually has_used 2 "$PID"
	kill -9 "$PID"
	wait $! || true
	"$SMARTPROF" recover
	PROFILE=$(profile_of spans_slow)
	section '## Slow Spans' "$PROFILE" >slow
	[ "$(grep -c '^| request | ' slow)" -ge 5 ]
	grep -Eq '^[|] request [|] [0-9.]+ ms [|] [0-9.]+ m?s [|] [0-9]+ [|]' slow
	grep -q "more in checksum" slow
}

@test "functions and sites of each span" {
	SMARTPROF_HEAP_INTERVAL=256KB run_slow memory 200 1000
	section '## Parts of Spans' "$PROFILE" >parts
	grep -Eq '^[|] request › store [|] CPU [|] [0-9.]+% [|] [0-9.]+ m?s [|] [0-9.]+ [mµ]s [|] checksum [|]' parts
	grep -Eq '^[|] request [|] allocated [|] [0-9.]+% [|] [0-9.]+ [MG]iB [|] [0-9.]+ [MK]iB [|] build_reply [|]' parts
	refuse grep -q '^| request › store | allocated' parts
}

run_as() { # SIDE ARGUMENTS…
	SMARTPROF_DIR=$1 SMARTPROF_ENV=critical "$SMARTPROF" run -- "$TARGETS/spans_slow" "${@:2}" >/dev/null 2>&1
}

@test "compare --span: more requests are no regression, and heavier ones are one, in a function" {
	run_as few alike 200 1000
	run_as many alike 500 1000
	run_as heavy heavier 200 1000
	"$SMARTPROF" compare --span request --format json few/critical many/critical >many.json 2>/dev/null
	jq -e '.verdict != "regression" and .score == 100 and (.spans[] | select(.span == "request") | .current_count == 500)' many.json
	status_of 1 "$SMARTPROF" compare --span store few/critical heavy/critical >heavy.md
	grep -q '^\*\*Verdict:\*\* Regression: .* CPU time of a span request › store +.* Most of it is in checksum: ' heavy.md
	status_of 0 "$SMARTPROF" compare --span parse few/critical heavy/critical >none.md 2>err
	grep -q 'No span that --span matches' none.md
}

@test "compare --span: six runs a side confirm what one request costs more" {
	local rounds
	rounds=$(long 1 6)
	for ((i = 0; i < rounds; i++)); do
		run_as few alike 200 1000
		run_as heavy heavier 200 1000
	done
	status_of 1 "$SMARTPROF" compare --span store few/critical heavy/critical >heavy.md
	[ "$rounds" -lt 6 ] || grep -q 'CPU time of a span request › store .*, confirmed' heavy.md
}
