# Baselines and the gate: whether the code changed, what fails, what is only said.
load helpers

# build NAME FLAGS…: a program `app` in a directory of its own: main → encode → mix.
build() {
	local name=$1
	shift
	mkdir -p "$name"
	gcc -O2 -g "$@" -o "$name/app" "$ROOT/tests/targets/gated.c"
}

# profiles_of NAME N ARGUMENT: so many profiles of it, in NAME/ci.
profiles_of() {
	SMARTPROF_DIR=$WORK/$1 SMARTPROF_ENV=ci timeout -k 5 "$PATIENCE" "$SMARTPROF" run --repeat "$2" -- "$WORK/$1/app" "$3" >/dev/null
}

@test "a comparison knows whether the code changed, and which functions' did" {
	build old
	build more -DMORE
	build slow -DSLOW
	mkdir again && cp old/app again
	profiles_of old 6 300000
	profiles_of again 6 900000
	profiles_of slow 6 300000
	profiles_of more 1 300000
	status_of 1 "$SMARTPROF" compare --format text old/ci again/ci >out
	grep -q "The code did not change: both sides are build [0-9a-f]*\. What grew is the machine's or the input's\." out
	status_of 1 "$SMARTPROF" compare --format json old/ci slow/ci >out
	grep -q 'the machine code of these changed: encode\.' out
	python3 -c 'import json; c = json.load(open("out")); assert (c["code"], c["same_build"]) == ("changed", False), c'
	# what another build has at other addresses is the same code
	code() { section '## All code' "$1" | grep -E '^[0-9]+\s' | cut -f2 | sort; }
	comm -12 <(code old/ci/latest.md) <(code more/ci/latest.md) >both
	[ "$(wc -l <both)" -ge 2 ]
}
