# The first impression: the demo's profile has names and lines, and says how to go on.
load helpers

# The demo works where its sources are.
copy_sources() {
	mkdir -p copy/build
	cp -r "$ROOT/.ci" copy
	cp "$AGENT" "$SMARTPROF" copy/build
}

check_output() { # PROGRAM
	grep -q "^\*\*Verdict ($1" out
	page=$(sed -n 's|.*: file://\(.*\)$|\1|p' out)
	[ -s "$page" ]
	[ "$(sed '1,/^Next:/d' out | wc -l)" -eq 3 ]
	profile=$(find copy/build/demo -name "$1*.md")
	(cd copy && sed '1,/^Next:/d' ../out | head -n 2 | while read -r command; do
		{ $command >shown && [ -s shown ]; } || exit 1
	done)
}

@test "the demo shows a program that was built from its source: names, lines, source text" {
	copy_sources
	copy/.ci/demo-source lua5.4 "$PWD/copy/build/demo/lua" || skip "Debian's sources cannot be had"
	copy/.ci/demo >out
	check_output lua
	awk -v unnamed="$(front frames_unsymbolized_percent "$profile")" 'BEGIN { exit !(unnamed < 10) }'
	grep -q '| luaV_execute | build/demo/lua/src/lvm.c:[0-9]' out
	(cd copy && build/smartprof report --source luaV_execute "../$profile") | grep -q 'void luaV_execute'
}

@test "without a mirror the demo shows another program, and says so" {
	copy_sources
	mkdir bin && printf '#!/bin/sh\necho "no network" >&2\nexit 100\n' >bin/apt-get && chmod +x bin/apt-get
	PATH=$PWD/bin:$PATH copy/.ci/demo >out 2>err
	grep -q 'the source of Lua cannot be had' err
	check_output python3
	awk -v unnamed="$(front frames_unsymbolized_percent "$profile")" 'BEGIN { exit !(unnamed < 60) }'
}
