# The worked examples of docs/SPANS.md: ten spans in the Lua interpreter of Debian's source package, and ten in sqlite3.
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
	sed -n '/^### Ten spans in Lua$/,/^### /s/^| \([a-z][^|]* | [0-9]*\) |.*/\1/p' "$ROOT/docs/SPANS.md" >shown
	at_least "$(wc -l <shown)" 9
	for span in script 'script › read line' 'script › match' 'script › sort' 'script › concat' 'script › gc full'; do
		grep "^$span |" shown | grep -qxFf - spans
	done
	grep -q '\] script: .* (words.lua: ok)$' log.txt
}

@test "ten spans in SQLite's source: applied, built and profiled, as docs/SPANS.md shows it" {
	[ "$(long no yes)" = yes ] || skip "with LONG=1: the build takes half a minute"
	"$ROOT/.ci/demo-source" sqlite3 "$WORK/sqlite" || skip "Debian's sources cannot be had"
	patch -s -d sqlite -p1 <"$ROOT/tests/e2e/sqlite_spans.patch"
	mkdir build
	(cd build && ../sqlite/configure --disable-tcl --disable-readline --disable-load-extension && make sqlite3.c shell.c) >log 2>&1
	gcc -O1 -g -DSQLITE_THREADSAFE=0 -DSQLITE_OMIT_LOAD_EXTENSION -I "$ROOT/preload" -o build/sqlite3 build/sqlite3.c build/shell.c -lm
	sed -n '/^```sql$/,/^```$/{//!p}' "$ROOT/docs/SPANS.md" >orders.sql
	build/sqlite3 plain.db <orders.sql >plain
	SMARTPROF_FULL=1 SMARTPROF_SPAN_LOG=log.txt profiled build/sqlite3 profiled.db <orders.sql >out
	cmp plain out
	cmp plain.db profiled.db
	section '# Spans' "$(profile_of sqlite3)" | sed -n 's/^| \([a-z][^|]* | [0-9]*\) |.*/\1/p' >spans
	# Counts are the program's own: as the document has them.
	sed -n '/^### Ten spans in sqlite3$/,$s/^| \([a-z][^|]* | [0-9]*\) |.*/\1/p' "$ROOT/docs/SPANS.md" >shown
	at_least "$(wc -l <shown)" 12
	diff <(sort shown) <(grep -v -e 'step › \(prepare\|step\)' -e 'prepare › ' spans | sort)
	grep -q '\] statement: .* (SELECT customer, sum(price) AS total: ok)$' log.txt
}
