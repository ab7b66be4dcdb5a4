# The time that an event loop serves between its waits.
load helpers

# Of the span [event loop], the column with that number.
loop() {
	section '# Spans' "$PROFILE" | awk -F ' *[|] *' -v n="$1" 'index($2, "event loop") { print $n }'
}

@test "rounds are counted and timed: not of a poll in between, and not of a few" {
	SMARTPROF_ENV=critical profiled "$TARGETS/event_loop" poll
	PROFILE=$(profile_of event_loop)
	"$SMARTPROF" validate "$PROFILE" >/dev/null
	# The first 16 that are seen show that it is a loop, the last is not over.
	at_least "$(loop 3)" 50
	at_least 85 "$(loop 3)"
	at_least "$(loop 6 | sed 's/ ms.*//')" 2
	refuse grep -q 'event loop' <("$SMARTPROF" report --format folded "$PROFILE")
	rm -rf "$SMARTPROF_DIR"
	SMARTPROF_ENV=critical profiled "$TARGETS/event_loop" few
	PROFILE=$(profile_of event_loop)
	[ -z "$(loop 3)" ]
	rm -rf "$SMARTPROF_DIR"
	SMARTPROF_ENV=critical SMARTPROF_WAITS=off profiled "$TARGETS/event_loop" poll
	PROFILE=$(profile_of event_loop)
	[ -z "$(loop 3)" ]
}

@test "loops of programs that nobody here wrote" {
	SMARTPROF_ENV=critical profiled python3 -c 'import asyncio
async def tick():
	for i in range(60):
		await asyncio.sleep(0.002)
		sum(range(20000))
asyncio.run(tick())'
	PROFILE=$(profile_of python3)
	at_least "$(loop 3)" 40
	SMARTPROF_ENV=critical profiled node -e 'let n = 0;
		const t = setInterval(() => { for (let i = 0; i < 1e5; i++); if (++n == 60) clearInterval(t); }, 2)'
	PROFILE=$(profile_of node)
	at_least "$(loop 3)" 20
}
