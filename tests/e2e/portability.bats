# Compilers, and another C library's version.
load helpers

# The compilers that are here, each by its version.
compilers() {
	compgen -c | grep -xE '(gcc|clang)-[0-9]+' | sort -uV
}

# built_by COMPILER: agent and command, in $WORK/COMPILER, without a warning.
built_by() {
	make -s -C "$ROOT" -j"$(nproc)" CC="$1" B="$WORK/$1" AGENT_B="$WORK/$1" WERROR=-Werror all >"$1.said" 2>"$1.log" || fail "$(tail -n 40 "$1.log")"
	[ ! -s "$1.log" ] || fail "$(cat "$1.log")"
}

# The agent that was built binds no name that a program could define, whoever compiled it, and works.
works_of() {
	"$ROOT/tests/lint/needed.sh" "$1/libsmartprof.so" libc.so.6
	"$ROOT/tests/lint/bindings.sh" "$1/libsmartprof.so" "$ROOT/tests/lint/bindings.allow"
	rm -rf "$SMARTPROF_DIR"
	LD_PRELOAD=$WORK/$1/libsmartprof.so plain "$TARGETS/cpu_truth" 0.5 >out
	at_least "$(front cpu_samples "$(profile_of cpu_truth)")" 50
}

# The command is compiled by clang for the sanitizers.
@test "clang finds nothing to warn of in the agent" {
	cd "$ROOT"
	find sampler preload env -name '*.c' -print0 |
		xargs -0 -n 32 -P "$(nproc)" clang -fsyntax-only -std=gnu17 -Wall -Wextra -Werror -D_GNU_SOURCE -DSP_VERSION='""' -I.
}

@test "each compiler that is here builds all of it without a warning" {
	[ -n "$(long '' yes)" ] || skip "with LONG=1: a minute for each compiler"
	compilers >list
	at_least "$(wc -l <list)" 2
	while read -r compiler; do
		built_by "$compiler"
		works_of "$compiler"
		rm -r "${WORK:?}/$compiler"
		echo "# $compiler" >&3
	done <list
}
