# make install puts everything in place, the agent finds its command from there, uninstall removes it.
load helpers

@test "install, profile from the installed place, uninstall" {
	make -s -C "$ROOT" install PREFIX=/opt/sp DESTDIR="$WORK/root" >/dev/null
	here=$WORK/root/opt/sp
	[ -x "$here/bin/smartprof" ]
	grep -q 'prefix=/opt/sp' "$here/lib/pkgconfig/smartprof.pc"
	[ -f "$here/share/man/man1/smartprof.1" ]
	printf '#include <smartprof.h>\nint main(void) { return 0; }\n' >user.c
	gcc -Wall -Wextra -Werror -pedantic -std=c99 -I"$here/include" -c user.c
	g++ -Wall -Wextra -Werror -I"$here/include" -x c++ -c user.c
	LD_PRELOAD=$here/lib/libsmartprof.so timeout "$PATIENCE" "$TARGETS/cpu_truth" 0.3 >out
	profile_of cpu_truth
	make -s -C "$ROOT" uninstall PREFIX=/opt/sp DESTDIR="$WORK/root"
	[ -z "$(find "$WORK/root" -type f)" ]
}

@test "man pages are well-formed and name every command and variable" {
	for page in "$ROOT"/docs/man/*.[17]; do
		[ -z "$(man --warnings -l -Tutf8 -Z "$page" 2>&1 >/dev/null)" ] || fail "$page"
	done
	for command in run config report recover cache; do
		[ -f "$ROOT/docs/man/smartprof-$command.1" ]
	done
	for variable in $(grep -o 'SMARTPROF_[A-Z_]*' "$ROOT/env/options.def" | sort -u); do
		grep -q "$variable" "$ROOT/docs/man/libsmartprof.7" || fail "libsmartprof.7 does not mention $variable"
	done
}
