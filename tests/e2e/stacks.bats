# Stacks: complete down to main in code with unwind tables, honest where they end, safe where rbp is
# no frame pointer.
load helpers

# complete PROFILE: stacks that end early have at most 1 % of the time.
complete() {
	local share
	at_least "$(front cpu_samples "$1")" 30
	share=$(sed -nE 's/^- ([0-9.]+) % of the time has stacks that end early.*/\1/p' "$1")
	at_least 1 "${share:-0}"
}

# tree PROFILE: the call tree's function names, two blanks a level.
tree() {
	section '## Call Tree' "$1" | sed -nE 's/^ *[0-9.]+% +[0-9.]+%  //; T; s/^( *([^ ]| [^ ])+).*/\1/; s/ \[inlined\]$//; p'
}

# below NAME PROFILE: the name on the tree's next line, one level deeper than the first with NAME.
below() {
	tree "$2" | awk -v name="$1" 'found { sub(/^ +/, ""); print; exit } { line = $0; sub(/^ +/, "", line) }
		line == name || index(line, name " ") == 1 { found = 1 }'
}

@test "C and C++ programs, as gcc built them" {
	awk 'BEGIN { for (i = 0; i < 300; i++) printf "int g%d; int f%d(int *p, int n) { int s = g%d; for (int i = 0; i < n; i++) "\
		"{ s += p[i] * %d; if (s & 8) s ^= p[n - i - 1]; } return s; }\n", i, i, i, i }' >large.c
	profiled gcc -O2 -c -o large.o "$WORK/large.c"
	complete "$(profile_of cc1)"
	profiled /usr/bin/python3 -c 'import json; print(len([json.loads(json.dumps(dict(a=i))) for i in range(60000)]))'
	complete "$(profile_of 'python3*')"
	profiled perl -e 'my %h; for (1..3000000) { $h{$_ % 5000} .= "x" if $_ % 3 } print scalar(keys %h), "\n"'
	complete "$(profile_of perl)"
	profiled sqlite3 :memory: 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<2000000) SELECT sum(length(i)) FROM n'
	complete "$(profile_of sqlite3)"
	profiled "$TARGETS/exc" 100000
	complete "$(profile_of exc)"
}

@test "the same targets, as clang builds them" {
	for name in cpu_truth stacks; do
		clang -std=gnu17 -O2 -g -D_GNU_SOURCE -I"$ROOT" -o "$name" "$ROOT/tests/targets/$name.c" -pthread
	done
	clang++ -std=gnu++17 -O2 -g -D_GNU_SOURCE -I"$ROOT" -o exc "$ROOT/tests/targets/exc.cc" -pthread
	profiled ./cpu_truth 0.5
	complete "$(profile_of cpu_truth)"
	profiled ./exc 100000
	complete "$(profile_of exc)"
	profiled ./stacks leaf
	complete "$(profile_of stacks)"
}

@test "through the signal frame of a handler" {
	profiled "$TARGETS/stacks" handler
	profile=$(profile_of stacks)
	complete "$profile"
	tree "$profile" | grep -q in_handler
	at_least "$(share_of spin "$profile")$(share_of handler_work "$profile")" 80
	section '## Hot Paths' "$profile" | head -n 3 | grep -q 'in_handler.*handler_work'
}

@test "in the first and last instructions of a leaf" {
	profiled "$TARGETS/stacks" leaf
	profile=$(profile_of stacks)
	complete "$profile"
	[ "$(below in_leaf "$profile")" = tiny_leaf ]
}

@test "the vdso has a name" {
	profiled "$TARGETS/stacks" vdso
	profile=$(profile_of stacks)
	complete "$profile"
	section '## Hot Functions' "$profile" | sed -n 4p | grep -q 'clock.*gettime.*\[vdso'
}

@test "a coroutine's stack is complete at its start" {
	same_run "$TARGETS/stacks" coroutine
	profile=$(profile_of stacks)
	complete "$profile"
	tree "$profile" | head -n 1 | grep -q '^__start_context'
}

@test "tables that say nothing of a switch of stacks" {
	same_run "$TARGETS/stacks" switch
	tree "$(profile_of stacks)" | grep -q switch_stack
}

@test "a function marked as a signal frame is none" {
	same_run "$TARGETS/stacks" marked
	profile=$(profile_of stacks)
	complete "$profile"
	[ "$(below in_marked "$profile")" = marked_work ]
}

@test "100,000 calls deep: the entry, [truncated], and 256 frames" {
	profiled "$TARGETS/recursion"
	profile=$(profile_of recursion)
	[ "$(below main "$profile")" = '[truncated]' ]
	[ "$(tree "$profile" | grep -cv '^ ')" -eq 1 ] || fail "more than one root"
	tree "$profile" | grep -q spend
}

@test "generated code with frame pointers, named by a perf map" {
	profiled "$TARGETS/stacks" jit
	profile=$(profile_of stacks)
	rm -f "/tmp/perf-$(front pid "$profile").map"
	complete "$profile"
	[ "$(below in_jit "$profile")" = run_generated ] || [ "$(below in_jit "$profile")" = jit_outer ]
	[ "$(below jit_outer "$profile")" = 'jit|inner `x` <b>' ]
	refuse grep -q 'jit_old' "$profile"
	refuse grep -q '<b> → [^[]' "$profile" # the way back from our handler is [smartprof]
	section '## Modules' "$profile" | grep -q '\[jit\].*perf map'
	[ "$(section '## Hot Functions' "$profile" | grep -c inner)" -eq 1 ]
}

@test "generated code without frame pointers, as its instructions show it" {
	profiled "$TARGETS/stacks" frameless
	profile=$(profile_of stacks)
	complete "$profile"
	refuse grep -q '\[truncated\]' <(tree "$profile")
	[ "$(below in_frameless "$profile")" = run_generated ] || [ "$(below in_frameless "$profile")" = '[unknown]' ]
}

@test "assembly without tables" {
	profiled "$TARGETS/stacks" untold
	profile=$(profile_of stacks)
	complete "$profile"
	refuse grep -q '\[truncated\]' <(tree "$profile")
	[ "$(below in_untold "$profile")" = untold_outer ]
	[ "$(below untold_outer "$profile")" = untold_inner ]
}

@test "anything may be in rbp" {
	for place in garbage gone; do
		rm -rf "$SMARTPROF_DIR"
		same_run "$TARGETS/stacks" "$place"
		profile=$(profile_of stacks)
		[ "$(below main "$profile")" = '[truncated]' ] || tree "$profile" | grep -q '\[truncated\]'
		tree "$profile" | grep -q '\[unknown\]'
	done
}

@test "onto another stack, by code that has no tables and no frame" {
	profiled "$TARGETS/switched" 1 >out
	profile=$(profile_of switched)
	complete "$profile"
	[ "$(below switched_end "$profile")" != '[truncated]' ]
	tree "$profile" | tr -s ' \n' ' ' | grep -q 'switched_outer.* switched_inner.* switched_call.* switched_work.* spend'
}
