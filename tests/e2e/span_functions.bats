# Functions that are spans without their code being touched.
load helpers

# Of the span with that name (its whole path), the column with that number.
span() {
	section '# Spans' "$PROFILE" | awk -F ' *[|] *' -v name="$1" -v n="$2" '$2 == name { print $n }'
}

# with GLOBS COMMAND…
with() {
	SMARTPROF_ENV=critical SMARTPROF_FULL=1 SMARTPROF_SPAN_FUNCTIONS=$1 profiled "${@:2}"
}

@test "a program does the same with all its functions as spans: arguments, results, exceptions, longjmp, threads" {
	"$TARGETS/span_functions" >plain 2>depth
	for bind in '' 1; do
		rm -rf "$SMARTPROF_DIR"
		LD_BIND_NOW=$bind with '*' "$TARGETS/span_functions" >out 2>deeper
		cmp plain out
		at_least "$(cat deeper)" "$(cat depth)" # backtrace comes through it
		PROFILE=$(profile_of span_functions)
		[ "$(span thrower 3)" -eq 4100 ]
		[ "$(span jumps 3)" -eq 4001 ]
		[ "$(span sum_of_many 3)" -eq 1 ]
		[ "$(span sum_of_large 3)" -eq 1 ]
		section '# Data Quality' "$PROFILE" | refuse grep -q 'broken'
	done
	with 'sum_of_*' "$TARGETS/span_functions" >out 2>deeper
	PROFILE=$(profile_of span_functions)
	[ "$(span sum_of_doubles 3)" -eq 1 ]
	[ -z "$(span thrower 3)" ]
}

@test "what a longjmp has left is over at the next sample" {
	with jump_to "$TARGETS/span_functions" spin
	PROFILE=$(profile_of span_functions)
	[ "$(span jump_to 3)" -eq 1 ]
	refuse grep -q '{jump_to}.*spin_ms' <("$SMARTPROF" report --format folded "$PROFILE" | awk '$NF > 100000000')
	section '# Spans' "$PROFILE" | grep -q '^- jump_to: 1 ended with a span around them'
}

@test "functions of the libraries of programs that nobody here wrote, of modules loaded later too, and the same output" {
	python='import sqlite3
c = sqlite3.connect(":memory:")
c.execute("create table t(a)")
for i in range(500): c.execute("insert into t values(?)", (i,))
print(c.execute("select sum(a) from t").fetchone(), sum(i * i for i in range(500000)))'
	python3 -c "$python" >plain
	with 'sqlite3_step,nowhere*,_setjmp,setjmp' python3 -c "$python" >out
	cmp plain out
	PROFILE=$(profile_of python3)
	at_least "$(span sqlite3_step 3)" 500
	section '# Data Quality' "$PROFILE" | grep -q 'span-function: nowhere\\\* is no span: no object calls such a function'
	for command in "sqlite3 :memory: 'select count(*) from sqlite_master; select max(3,4);'" \
		"perl -e 'eval { die qq(x\n) }; print \$@; print join(q(,), sort map { \$_ * 2 } 1 .. 100), qq(\n)'" \
		"bash -c 'x=0; for i in {1..50}; do x=\$((x + i)); done; echo \$x; (exit 3); echo \$?'"; do
		eval "$command" >plain
		SMARTPROF_ENV=critical SMARTPROF_SPAN_FUNCTIONS='*' LD_PRELOAD=$AGENT eval "$command" >out
		cmp plain out
	done
}

@test "run has a flag for it; what returns twice is refused and named" {
	SMARTPROF_ENV=critical "$SMARTPROF" run --span-function 'jumps,_setjmp' -- "$TARGETS/span_functions" >out 2>err
	PROFILE=$(profile_of span_functions)
	[ "$(span jumps 3)" -eq 4001 ]
	section '# Data Quality' "$PROFILE" | grep -q 'span-function: \\*_setjmp is no span: what returns twice'
}
