# The worked example of docs/SPANS.md: ten spans in the Lua interpreter of Debian's source package.
load helpers

@test "ten spans in Lua's source: applied, built and profiled, as docs/SPANS.md shows it" {
	"$ROOT/.ci/demo-source" lua5.4 "$WORK/lua" || skip "Debian's sources cannot be had"
	for _ in 1 2 3 4; do cat lua/src/*.c lua/doc/*.html; done >text
	patch -s -d lua -p1 <"$ROOT/tests/e2e/lua_spans.patch"
	rm lua/src/luac.c
	(cd lua/src && printf '%s\n' ./*.c | xargs -P 2 -n 8 gcc -O1 -g -DLUA_USE_LINUX -I "$ROOT/preload" -c)
	gcc -o lua/lua lua/src/*.o -lm -ldl
	sed -n '/^```lua$/,/^```$/{//!p}' "$ROOT/docs/SPANS.md" >words.lua
	lua/lua words.lua text >plain
	SMARTPROF_FULL=1 SMARTPROF_SPAN_LOG=log.txt profiled lua/lua words.lua text >out
	cmp plain out
	profile=$(profile_of lua)
	section '# Spans' "$profile" | sed -n 's/^| \([a-z][^|]* | [0-9]*\) |.*/\1/p' >spans
	for span in compile script 'script › read line' 'script › match' 'script › gc step' 'script › grow table' 'script › sort' 'script › concat' 'script › gc full'; do
		grep -q "^$span | [1-9]" spans
	done
	grep -q 'grow strings | [1-9]' spans
	# What does not depend on addresses is as the document has it.
	sed -n '/^### Ten spans in Lua$/,$s/^| \([a-z][^|]* | [0-9]*\) |.*/\1/p' "$ROOT/docs/SPANS.md" >shown
	at_least "$(wc -l <shown)" 9
	for span in script 'script › read line' 'script › match' 'script › sort' 'script › concat' 'script › gc full'; do
		grep "^$span |" shown | grep -qxFf - spans
	done
	grep -q '\] script: .* (words.lua: ok)$' log.txt
}
