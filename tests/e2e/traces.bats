# Traces that other libraries tell of: OpenTelemetry's thread context.
load helpers

SDK=$TARGETS/plugins/plugin_traced.so

# Of the trace with that number, the CPU time in ms; 0 none.
trace_ms() {
	section '## All traces' "$PROFILE" | awk -F'\t' -v id="$1" '$1 ~ "^(" id ")+$" { s += $3 / 1e6 } END { print s + 0 }'
}

@test "CPU time is told by trace, of a library that was there from the start and of one that was loaded" {
	for how in start loaded; do
		rm -rf "$SMARTPROF_DIR"
		if [ $how = start ]; then
			SMARTPROF_ENV=critical LD_PRELOAD="$AGENT $SDK" "$TARGETS/traced" work
		else
			SMARTPROF_ENV=critical profiled "$TARGETS/traced" work "$SDK"
		fi
		PROFILE=$(profile_of traced)
		"$SMARTPROF" validate "$PROFILE" >/dev/null
		for trace in 01 02 03; do
			near "$(trace_ms $trace)" 100 50
		done
		[ "$(section '# Traces' "$PROFILE" | grep -cE '^[|] (0[123])+ [|] (1[123])+ [|] .* [|] (spin|cpu_ms|clock_gettime) [|]$')" -eq 3 ]
	done
	"$SMARTPROF" report --format otlp --output p.otlp "$PROFILE"
	"$ROOT/tests/e2e/formats.py" otlp p.otlp >otlp
	near "$(awk -F'\t' '$1 == "link" && $3 == "1111111111111111" { print $4 / 1e6 }' otlp)" 100 50
	[ "$(grep -c '^link' otlp)" -eq 3 ]
	"$SMARTPROF" report --format json "$PROFILE" >p.json
	python3 -c 'import json; t = json.load(open("p.json"))["traces"]
assert sorted(it["trace_id"] for it in t) == ["01" * 16, "02" * 16, "03" * 16] and all(it["stacks"] for it in t)'
	"$SMARTPROF" report --top 5 "$PROFILE" >/dev/null
	row=$(grep -n '^01010101' "$PROFILE" | head -n 1 | cut -d: -f1)
	for damage in 's/^01/0x/' 's/^01/01 01/' 's/1111111111111111/1111/' 's/\t[^\t]*$/\t99999/'; do
		sed "$row$damage" "$PROFILE" >damaged.md
		status_of 2 "$SMARTPROF" report --format json damaged.md >shown 2>err
		grep -Eq "line $row: (a row of All traces is damaged|a sample's stack is not in All CPU stacks)" err
		status_of 1 "$SMARTPROF" validate damaged.md >shown 2>err
	done
}

@test "a pointer that leads nowhere harms nothing, and what is not valid is no trace" {
	SMARTPROF_ENV=critical profiled "$TARGETS/traced" hostile "$SDK"
	PROFILE=$(profile_of traced)
	"$SMARTPROF" validate "$PROFILE" >/dev/null
	refuse grep -q '^# Traces' "$PROFILE"
	at_least "$(front cpu_samples "$PROFILE")" "$(by_clock 100 20)"
}

@test "of a window and of a mark, traces are those of the time" {
	LD_PRELOAD=$AGENT timeout -k 5 "$PATIENCE" "$TARGETS/traced" turns "$SDK" >out &
	await_spool traced
	eventually has_used 0.5 "$PID"
	eventually "$SMARTPROF" ctl "$PID" mark early
	kill -USR1 "$PID"
	eventually has_used 0.9 "$PID"
	eventually "$SMARTPROF" ctl "$PID" mark late
	eventually has_used 1.2 "$PID"
	"$SMARTPROF" report --output all.md "$PID"
	"$SMARTPROF" report --at early --output early.md "$PID"
	"$SMARTPROF" report --since late --output since.md "$PID"
	kill "$PID"
	traces_of() { sed -n '/^## All traces/,/^## All heap/p' "$1" | grep -oE '^0[12]0' | sort -u | paste -sd' ' -; }
	[ "$(traces_of all.md)" = '010 020' ]
	[ "$(traces_of early.md)" = 010 ]
	[ "$(traces_of since.md)" = 020 ]
}
