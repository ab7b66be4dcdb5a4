# Every check of `make lint` must be able to fail: each is shown a violation.
load helpers

setup_tree() {
	LINT=$ROOT/tests/lint
	mkdir -p tree/env tree/sampler tree/profiles/{base,redact,spool,model,markdown,compare,export,html,output}
	cp "$ROOT/.clang-format" tree/
	printf 'int sp_one(void);\n\nint sp_one(void)\n{\n\treturn 1;\n}\n' >tree/env/one.c
}

@test "format: passes clean code, fails on spaces, on an empty list" {
	setup_tree
	"$LINT/format.sh" tree
	printf 'int  sp_two( void ) { return 2; }\n' >tree/env/two.c
	status_of 123 "$LINT/format.sh" tree 2>err
	grep -q two.c err
	rm tree/env/*.c
	status_of 1 "$LINT/format.sh" tree
}

@test "cppcheck: passes clean code, fails on an overrun, on an empty list" {
	setup_tree
	"$LINT/cppcheck.sh" tree
	printf 'int sp_two(void)\n{\n\tint a[2] = {0};\n\n\treturn a[2];\n}\n' >tree/env/two.c
	status_of 123 "$LINT/cppcheck.sh" tree 2>err
	grep -q two.c err
	rm tree/env/*.c
	status_of 1 "$LINT/cppcheck.sh" tree
}

@test "layers: passes what is allowed, fails on each kind of breach" {
	setup_tree
	printf '#include <stdint.h>\n#include "sampler/spool.h"\n' >tree/profiles/spool/ok.c
	"$LINT/layers.sh" tree
	for breach in 'env/x.c:"sampler/spool.h"' 'sampler/x.c:"env/env.h"' 'profiles/spool/x.c:"sampler/agent.h"' \
		'profiles/base/x.c:"tools/tools.h"' 'env/x.c:"one.h"' 'env/x.c:<libunwind.h>' 'profiles/base/x.c:<elfutils/libdw.h>'; do
		printf '#  include %s\n' "${breach#*:}" >"tree/${breach%%:*}"
		status_of 1 "$LINT/layers.sh" tree 2>err
		grep -q "${breach%%:*}" err
		rm "tree/${breach%%:*}"
	done
	touch tree/out
	status_of 1 "$LINT/layers.sh" tree 2>err
	grep -q '^layers: out does not belong' err
	rm tree/out
	mkdir tree/misc && touch tree/misc/x.c
	status_of 1 "$LINT/layers.sh" tree
}

@test "layers: the stages of symbolize/ and profiles/ include downhill alone" {
	setup_tree
	printf '#include "profiles/base/a.h"\n#include "profiles/model/a.h"\n#include "profiles/html/a.h"\n' >tree/profiles/html/ok.c
	mkdir -p tree/symbolize/dwarf
	printf '#include "symbolize/context.h"\n#include "symbolize/elf/a.h"\n' >tree/symbolize/dwarf/ok.c
	printf '#include "symbolize/cache/a.h"\n#include "symbolize/dwarf/a.h"\n' >tree/symbolize/ok.c
	"$LINT/layers.sh" tree
	for breach in 'profiles/base/x.c:profiles/model/a.h' 'profiles/redact/x.c:profiles/spool/a.h' 'profiles/spool/x.c:profiles/output/a.h' \
		'profiles/model/x.c:profiles/markdown/a.h' 'profiles/markdown/x.c:profiles/spool/a.h' 'profiles/compare/x.c:profiles/markdown/a.h' \
		'profiles/export/x.c:profiles/compare/a.h' 'profiles/html/x.c:profiles/markdown/a.h' 'profiles/output/x.c:profiles/html/a.h' \
		'profiles/model/x.c:sampler/spool.h' 'profiles/markdown/x.c:symbolize/symbolize.h' 'profiles/x.c:profiles/base/a.h' 'profiles/other/x.c:profiles/base/a.h' \
		'symbolize/base/x.c:symbolize/symbolize.h' 'symbolize/disk/x.c:symbolize/elf/a.h' \
		'symbolize/elf/x.c:symbolize/dwarf/a.h' 'symbolize/dwarf/x.c:symbolize/module.h' \
		'symbolize/cache/x.c:symbolize/context.h' 'symbolize/other/x.c:symbolize/base/a.h'; do
		mkdir -p tree/profiles/other tree/symbolize/{base,disk,elf,dwarf,cache,other}
		printf '#include "%s"\n' "${breach#*:}" >"tree/${breach%%:*}"
		status_of 1 "$LINT/layers.sh" tree 2>err
		grep -q "${breach%%:*}" err
		rm "tree/${breach%%:*}"
	done
}

@test "layers: the rooms of sampler/ and preload/ include downhill alone" {
	setup_tree
	mkdir -p tree/sampler/{walk,spool,threads,clock,upkeep,heap,cpu,other} tree/preload/{finish,hooks,start,other}
	printf '#include "sampler/sys.h"\n#include "sampler/cpu/a.h"\n#include "sampler/upkeep/a.h"\n#include "sampler/walk/a.h"\n' >tree/sampler/cpu/ok.c
	printf '#include "env/env.h"\n#include "sampler/cpu/a.h"\n#include "preload/real.h"\n#include "preload/hooks/a.h"\n#include "preload/finish/a.h"\n' \
		>tree/preload/start/ok.c
	"$LINT/layers.sh" tree
	for breach in 'sampler/x.c:sampler/walk/a.h' 'sampler/walk/x.c:sampler/spool/a.h' 'sampler/spool/x.c:sampler/threads/a.h' \
		'sampler/threads/x.c:sampler/clock/a.h' 'sampler/clock/x.c:sampler/upkeep/a.h' 'sampler/upkeep/x.c:sampler/heap/a.h' \
		'sampler/heap/x.c:sampler/cpu/a.h' 'sampler/cpu/x.c:sampler/heap/a.h' 'sampler/other/x.c:sampler/sys.h' \
		'preload/x.c:preload/hooks/a.h' 'preload/finish/x.c:preload/hooks/a.h' 'preload/hooks/x.c:preload/start/a.h' \
		'preload/other/x.c:preload/real.h'; do
		printf '#include "%s"\n' "${breach#*:}" >"tree/${breach%%:*}"
		status_of 1 "$LINT/layers.sh" tree 2>err
		grep -q "${breach%%:*}" err
		rm "tree/${breach%%:*}"
	done
}

@test "tags: passes unique ones, fails on one used twice, on none at all" {
	setup_tree
	status_of 1 "$LINT/tags.sh" tree
	printf 'struct sp_row {\n\tint a;\n};\n' >tree/env/row.h
	printf '/* struct sp_row { */\nenum sp_kind { SP_A };\nstruct sp_row *row;\n' >tree/sampler/kind.c
	"$LINT/tags.sh" tree
	printf 'enum sp_row { SP_B };\n' >tree/sampler/row.c
	status_of 1 "$LINT/tags.sh" tree 2>err
	grep -q "'sp_row'.*env/row.h sampler/row.c" err
}

@test "docs: passes files that are there, fails on one that is not, on no documents" {
	setup_tree
	status_of 1 "$LINT/docs.sh" tree
	mkdir tree/docs
	printf 'See `env/one.c` and `two.c`.\n' >tree/docs/A.md
	"$LINT/docs.sh" tree
	printf 'See `env/gone.c`.\n' >tree/B.md
	status_of 1 "$LINT/docs.sh" tree 2>err
	grep -q 'B.md.*env/gone.c' err
	printf 'See [A](docs/A.md#see), [B](B.md) and [elsewhere](https://example.org/gone.md).\n' >tree/B.md
	"$LINT/docs.sh" tree
	printf 'See [A](docs/B.md).\n' >tree/B.md
	status_of 1 "$LINT/docs.sh" tree 2>err
	grep -q 'B.md links to "docs/B.md"' err
	rm tree/B.md
	printf 'int one;\n' >tree/env/one.c
	printf 'See `one`, `env/one.c`.\n' >tree/docs/A.md
	"$LINT/docs.sh" tree
	printf 'See `two` in `env/one.c`.\n' >tree/docs/A.md
	status_of 1 "$LINT/docs.sh" tree 2>err
	grep -q 'A.md looks for "two" in env/one.c' err
}

@test "spelling: passes words that are right or allowed, fails on a misspelt one in a comment or a document, on no files" {
	setup_tree
	mkdir none
	status_of 1 "$LINT/spelling.sh" none
	printf '/* Two statics of the crate. */\n' >tree/env/said.c
	"$LINT/spelling.sh" tree
	printf '/* It is %s here. */\n' teh >tree/env/said.c
	status_of 1 "$LINT/spelling.sh" tree 2>err
	grep -q 'env/said.c:1: teh' err
	printf 'Nothing.\n' >tree/env/said.c
	printf 'It is %s.\n' recieved >tree/A.md
	status_of 1 "$LINT/spelling.sh" tree 2>err
	grep -q 'A.md:1: recieved' err
}

@test "sampler symbols: passes what is listed, fails on malloc, on no objects" {
	printf 'void *memcpy(void *, const void *, unsigned long);\nvoid f(void *a, void *b, unsigned long n) { memcpy(a, b, n); }\n' >a.c
	printf 'void *malloc(unsigned long);\nvoid *g(void) { return malloc(3); }\n' >b.c
	gcc -c a.c && gcc -c b.c
	echo 'memcpy # copies' >allow
	"$ROOT/tests/lint/sampler-symbols.sh" allow a.o
	status_of 1 "$ROOT/tests/lint/sampler-symbols.sh" allow a.o b.o 2>err
	grep -q "'malloc'.*b.o" err
	status_of 1 "$ROOT/tests/lint/sampler-symbols.sh" allow
}

@test "exports: fails on a symbol too many and on one missing" {
	printf 'int yes(void) { return 1; }\nint no(void) { return 2; }\n' >a.c
	printf '/* two\nlines of it. */\nV_1 {\nglobal:\n\tyes;\nlocal:\n\t*;\n};\n' >map
	gcc -shared -fPIC -o good.so a.c -Wl,--version-script=map
	"$ROOT/tests/lint/exports.sh" good.so map
	gcc -shared -fPIC -o bad.so a.c
	status_of 1 "$ROOT/tests/lint/exports.sh" bad.so map 2>err
	grep -q "exports 'no'" err
	printf 'V_1 {\nglobal:\n\tyes;\n\tabsent;\nlocal:\n\t*;\n};\n' >map
	status_of 1 "$ROOT/tests/lint/exports.sh" good.so map
}

@test "bindings: fails on a call by name, on a call of an export that can be interposed, on a row too many" {
	printf 'extern int allowed;\nint inner(void) { return allowed; }\nint outer(void) { return inner(); }\n' >good.c
	printf 'unsigned long strlen(const char *);\n' | cat - good.c >bad.c
	echo 'int length(const char *s) { return (int)strlen(s); }' >>bad.c
	build() { gcc -fno-builtin -fno-plt -O0 -shared -fPIC -nostartfiles -o a.so "$@"; }
	echo 'allowed # a variable' >allow
	build -Wl,-Bsymbolic good.c
	"$ROOT/tests/lint/bindings.sh" a.so allow
	build -Wl,-Bsymbolic bad.c
	status_of 1 "$ROOT/tests/lint/bindings.sh" a.so allow 2>err
	grep -q "'strlen' by name" err
	build good.c
	status_of 1 "$ROOT/tests/lint/bindings.sh" a.so allow 2>err
	grep -q "'inner' by name" err
	build -Wl,-Bsymbolic good.c
	echo gone >>allow
	status_of 1 "$ROOT/tests/lint/bindings.sh" a.so allow 2>err
	grep -q "lists 'gone'" err
	touch empty.c && build empty.c
	status_of 1 "$ROOT/tests/lint/bindings.sh" a.so allow
}

@test "needed: fails on a library too many, on lazy binding, on large TLS" {
	echo '_Thread_local char t[TLS]; char *f(void) { return t; }' >a.c
	build() { gcc -DTLS="$1" -ftls-model=initial-exec -shared -fPIC -o a.so a.c -Wl,--no-as-needed "${@:2}"; }
	build 100 -Wl,-z,now,-z,relro -lc
	"$ROOT/tests/lint/needed.sh" a.so libc.so.6
	build 100 -Wl,-z,now,-z,relro -lm -lc
	status_of 1 "$ROOT/tests/lint/needed.sh" a.so libc.so.6
	build 100 -Wl,-z,now,-z,relro -lgcc_s -lc
	status_of 1 "$ROOT/tests/lint/needed.sh" a.so libc.so.6
	build 100 -Wl,-z,lazy,-z,relro -lc
	status_of 1 "$ROOT/tests/lint/needed.sh" a.so libc.so.6
	build 1000 -Wl,-z,now,-z,relro -lc
	status_of 1 "$ROOT/tests/lint/needed.sh" a.so libc.so.6
}

@test "pages: fails on more pages to be relocated, on variables amid a page, on what forks or starts run far away" {
	echo 'int small = 1; static char big[8192] __attribute__((section(".bss.z_big"))); char *f(void) { return big + small; }
		__attribute__((section(POOL))) char first_pool[64]; AWAY void sp_exit_init(void) {}
		void a_forked(void) {} FAR void b_forked(void) {} const char *const names[] = { [0 ... COUNT] = "a" };' >a.c
	build() { gcc -DAWAY="$away" -DPOOL="\"$pool\"" -D"$1" -D"$2" -shared -fPIC -o a.so a.c -Wl,-z,now,-z,relro,-z,noseparate-code "${@:3}"; }
	away='' pool=.bss.y_start
	build FAR= COUNT=300 -Wl,-T,"$ROOT/preload/variables.ld"
	"$ROOT/tests/lint/pages.sh" a.so
	away='__attribute__((aligned(65536)))' build FAR= COUNT=300 -Wl,-T,"$ROOT/preload/variables.ld"
	status_of 1 "$ROOT/tests/lint/pages.sh" a.so 2>err
	grep -q 'first sixteen pages: sp_exit_init$' err
	pool=.bss build FAR= COUNT=300 -Wl,-T,"$ROOT/preload/variables.ld"
	status_of 1 "$ROOT/tests/lint/pages.sh" a.so
	build FAR= COUNT=600 -Wl,-T,"$ROOT/preload/variables.ld"
	status_of 1 "$ROOT/tests/lint/pages.sh" a.so
	build FAR= COUNT=300
	status_of 1 "$ROOT/tests/lint/pages.sh" a.so
	build 'FAR=__attribute__((aligned(8192)))' COUNT=300 -Wl,-T,"$ROOT/preload/variables.ld"
	status_of 1 "$ROOT/tests/lint/pages.sh" a.so
	build FAR= COUNT=300 -Wl,-T,"$ROOT/preload/variables.ld"
	cp a.so b.so && strip b.so
	status_of 1 "$ROOT/tests/lint/pages.sh" b.so
	cp a.c whole.c
	for reads in a b; do
		sed "s/void ${reads}_forked(void) {}/char ${reads}_forked(void) { return *(const volatile char *)\"table\"; }/" whole.c >a.c
		build FAR= COUNT=300 -Wl,-T,"$ROOT/preload/variables.ld"
		status_of 1 "$ROOT/tests/lint/pages.sh" a.so 2>err
		grep -q "reads a constant from the tables' pages" err
	done
	cp whole.c a.c && build FAR= COUNT=300 -Wl,-T,"$ROOT/preload/variables.ld"
	# The linker script lists what there no longer is: a function, a file.
	for gone in 's/\.text\.sp_self_init /.text.sp_self_begin /' 's/\.text\.on_exit /.text.at_quick_end /' 's/\.text\.syscall /.text.system_call /' \
		's:\*env/options:*env/settings:' 's:\*heap/filter:*heap/sieve:'; do
		sed "$gone" "$ROOT/preload/variables.ld" >other.ld
		refuse cmp -s other.ld "$ROOT/preload/variables.ld"
		status_of 1 "$ROOT/tests/lint/pages.sh" a.so other.ld 2>err
		grep -qE '^pages: other.ld lists (\.text\.(sp_self_begin|at_quick_end|system_call)|env/settings\.c\.o|heap/sieve\.c\.o), but' err
		[ "$(wc -l <err)" -eq 1 ]
	done
}
