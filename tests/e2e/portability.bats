# Compilers, and another C library's version.
load helpers

# The compilers that are here, each by its version.
compilers() {
	compgen -c | grep -xE '(gcc|clang)-[0-9]+' | sort -uV
}

# built NAME GOAL VARIABLE=VALUE…: in $WORK/NAME, without a warning.
built() {
	make -s -C "$ROOT" -j"$(nproc)" B="$WORK/$1" AGENT_B="$WORK/$1" WERROR=-Werror "${@:3}" "$2" >"$1.said" 2>"$1.log" || fail "$(tail -n 40 "$1.log")"
	[ ! -s "$1.log" ] || fail "$(cat "$1.log")"
}

# The agent that was built exports and binds no name but those that it should, lies on as few pages as ever, whoever has compiled and
# linked it, and works.
works_of() {
	"$ROOT/tests/lint/needed.sh" "$1/libsmartprof.so" libc.so.6
	"$ROOT/tests/lint/bindings.sh" "$1/libsmartprof.so" "$ROOT/tests/lint/bindings.allow"
	"$ROOT/tests/lint/exports.sh" "$1/libsmartprof.so" "$ROOT/preload/exports.map"
	"$ROOT/tests/lint/exports.sh" "$1/libsmartprof-context.so" "$ROOT/preload/context.map"
	"$ROOT/tests/lint/pages.sh" "$1/libsmartprof.so"
	[ -e "$1/smartprof" ] || ln -s "$SMARTPROF" "$1/smartprof" # only the agent was built
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

@test "the agent is laid out the same by clang, and whatever links and optimizes the rest" {
	built clang agent CC=clang
	works_of clang
	built lto agent CFLAGS='-O2 -g -flto=auto' LDFLAGS='-fuse-ld=gold -flto=auto -Wl,-Bsymbolic-functions'
	works_of lto
}

# Each as somebody builds it: to debug it, for a small machine, for a fast one, Debian with all that it has, Ubuntu.
@test "all of it builds without a warning, optimized and hardened as others do" {
	[ -n "$(long '' yes)" ] || skip "with LONG=1: a minute for each"
	local name flags
	while IFS='|' read -r name flags; do
		[ "$name" != lld ] || command -v ld.lld >/dev/null || continue
		eval "built $name all $flags"
		works_of "$name"
		rm -r "${WORK:?}/$name"
		echo "# $name" >&3
	done <<-'END'
		O0|CFLAGS='-O0 -g'
		Os|CFLAGS=-Os
		O3|CFLAGS='-O3 -g'
		debian|CFLAGS="$(DEB_BUILD_MAINT_OPTIONS=hardening=+all dpkg-buildflags --get CFLAGS)" LDFLAGS="$(DEB_BUILD_MAINT_OPTIONS=hardening=+all dpkg-buildflags --get LDFLAGS)"
		ubuntu|CFLAGS='-g -O2 -flto=auto -ffat-lto-objects -fstack-clash-protection -fcf-protection' LDFLAGS='-Wl,-Bsymbolic-functions -flto=auto -ffat-lto-objects'
		lld|CC=clang LDFLAGS='-fuse-ld=lld -Wl,--as-needed'
	END
}

@test "each compiler that is here builds all of it without a warning" {
	[ -n "$(long '' yes)" ] || skip "with LONG=1: a minute for each compiler"
	compilers >list
	at_least "$(wc -l <list)" 2
	while read -r compiler; do
		built "$compiler" all CC="$compiler"
		works_of "$compiler"
		# What it needs of a stack is a matter of what is inlined.
		built "$compiler" "$WORK/$compiler/unit/env_limits" CC="$compiler"
		"$compiler/unit/env_limits" 2>said || fail "$(cat said)"
		rm -r "${WORK:?}/$compiler"
		echo "# $compiler" >&3
	done <list
}
