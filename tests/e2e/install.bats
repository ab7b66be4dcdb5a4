# make install puts everything in place, the agent finds its command from there, uninstall removes it.
load helpers

@test "install, profile from the installed place, uninstall" {
	make -s -C "$ROOT" install PREFIX=/opt/sp DESTDIR="$WORK/root" >/dev/null
	here=$WORK/root/opt/sp
	[ -x "$here/bin/smartprof" ]
	grep -q 'prefix=/opt/sp' "$here/lib/pkgconfig/smartprof.pc"
	grep -q 'libdir=/opt/sp/lib$' "$here/lib/pkgconfig/smartprof.pc"
	for page in "$here"/share/man/man*/*; do # each tells what it is of
		head -n 1 "$page" | grep -qE '^\.TH [A-Z-]+ [17] "[0-9]{4}-[0-9]{2}-[0-9]{2}" "smartprof [0-9.]+" "' || fail "$(head -n 1 "$page")"
	done
	[ "$(find "$here/share/man" -type f | wc -l)" -eq "$(find "$ROOT/docs/man" -type f | wc -l)" ]
	printf '#include <smartprof.h>\nint main(void) { return 0; }\n' >user.c
	gcc -Wall -Wextra -Werror -pedantic -std=c99 -I"$here/include" -c user.c
	g++ -Wall -Wextra -Werror -I"$here/include" -x c++ -c user.c
	LD_PRELOAD=$here/lib/libsmartprof.so timeout "$PATIENCE" "$TARGETS/cpu_truth" 0.3 >out
	profile_of cpu_truth
	make -s -C "$ROOT" uninstall PREFIX=/opt/sp DESTDIR="$WORK/root"
	[ -z "$(find "$WORK/root" -mindepth 2)" ]
}

# as_anybody COMMAND…: without any rights, at home in ./anybody.
as_anybody() {
	setpriv --reuid=65534 --regid=65534 --clear-groups env HOME="$WORK/anybody" XDG_STATE_HOME="$WORK/anybody/state" \
		SMARTPROF_DIR="$WORK/anybody/profiles" "$@"
}

@test "without any rights, in a prefix of one's own: installed, used, and gone without a trace" {
	needs_root
	mkdir -p anybody/.local/share/other
	open_to_all anybody && chmod 755 anybody # the library runs no command that others could have put there
	chown -R 65534 anybody
	as_anybody test -r "$ROOT/Makefile" || skip "the source is its owner's alone"
	as_anybody make -s -C "$ROOT" install PREFIX="$WORK/anybody/x" >log
	as_anybody env LD_PRELOAD="$WORK/anybody/x/lib/libsmartprof.so" timeout "$PATIENCE" perl -e '$n += $_ * $_ for 1..5000000'
	[ -n "$(find anybody/profiles -name 'perl.*.md')" ]
	[ "$(find anybody -user 0 | wc -l)" -eq 0 ]
	as_anybody make -s -C "$ROOT" uninstall PREFIX="$WORK/anybody/x"
	[ ! -e anybody/x ]
	# What is there besides stays, empty or not; a second time nothing is amiss.
	as_anybody make -s -C "$ROOT" install PREFIX="$WORK/anybody/.local" LIBDIR="$WORK/anybody/.local/lib/sub" >log
	mkdir anybody/.local/bin/mine
	as_anybody make -s -C "$ROOT" uninstall PREFIX="$WORK/anybody/.local" LIBDIR="$WORK/anybody/.local/lib/sub"
	as_anybody make -s -C "$ROOT" uninstall PREFIX="$WORK/anybody/.local" LIBDIR="$WORK/anybody/.local/lib/sub"
	[ "$(cd anybody/.local && find . -mindepth 1 | sort | paste -sd ' ')" = './bin ./bin/mine ./share ./share/other' ]
}

# What is started meanwhile finds the old library or the new one, and nothing in between; what runs keeps the old one.
@test "installed over another one, each file is put in its place as a whole, for everybody to read" {
	(umask 077 && make -s -C "$ROOT" install PREFIX=/usr/local DESTDIR="$WORK/root")
	find root -mindepth 1 \( -type d -not -perm -755 -o -type f -not -perm -644 \) >closed
	[ ! -s closed ] || fail "$(cat closed)"
	echo old | tee root/usr/local/bin/smartprof root/usr/local/lib/lib{smartprof,smartprof-context}.so >/dev/null
	ln root/usr/local/lib/libsmartprof.so mapped
	strace -o /dev/null true 2>/dev/null || skip "strace is not allowed here"
	strace -f -qq --seccomp-bpf -y -e trace=unlink,unlinkat,open,openat,creat,rename,renameat,renameat2 -o calls \
		make -s -C "$ROOT" install PREFIX=/usr/local DESTDIR="$WORK/root"
	for file in bin/smartprof lib/libsmartprof.so lib/libsmartprof-context.so; do
		grep -qE "rename.*/$file\"" calls || fail "$file is not renamed into its place"
		refuse grep -E "(unlink|O_WRONLY|O_RDWR|O_TRUNC).*/$file\"|/$file\".*(O_WRONLY|O_RDWR|O_TRUNC)" calls
		cmp "root/usr/local/$file" "$ROOT/build/${file##*/}"
	done
	[ "$(cat mapped)" = old ]
	[ -z "$(find root -name '*.new')" ]
}

@test "the system's directories stay" {
	make -s -C "$ROOT" install PREFIX=/usr/local DESTDIR="$WORK/root" >log
	make -s -C "$ROOT" uninstall PREFIX=/usr/local DESTDIR="$WORK/root"
	[ -d root/usr/local/lib ] && [ -d root/usr/local/share ] && [ ! -e root/usr/local/share/smartprof ]
	[ -z "$(find root -type f)" ]
}

# untold PAGE FLAG…: those that no option of the page or, where it lists flags, its synopsis has.
untold() {
	local page=$1 flag synopsis
	shift
	synopsis=$(sed -n '/^\.SH SYNOPSIS/,/^\.SH DESCRIPTION/p' "$page")
	for flag in "$@"; do
		[ "$flag" != --help ] || continue
		flag=${flag//-/\\\\-}
		grep -qE "^\.B.*$flag([^a-z\\]|$)" <(sed '1,/^\.SH DESCRIPTION/d' "$page") || echo "$flag"
		grep -qE "\[ flags \]|$flag([^a-z\\]|$)" <<<"$synopsis" || echo "$flag in the synopsis"
	done
}

@test "man pages have every flag of their commands, and the check of it can fail" {
	commands >names
	at_least "$(wc -l <names)" 9
	while read -r command; do
		# shellcheck disable=SC2046
		[ -z "$(untold "$ROOT/docs/man/smartprof-$command.1" $(flags_of "$command"))" ] ||
			fail "smartprof-$command.1 lacks $(untold "$ROOT/docs/man/smartprof-$command.1" $(flags_of "$command"))"
	done <names
	sed '/json/d' "$ROOT/docs/man/smartprof-validate.1" >page.1
	[ "$(untold page.1 --json | wc -l)" -eq 2 ]
}

@test "man pages are well-formed and name every command and variable" {
	for page in "$ROOT"/docs/man/*.[17]; do
		[ -z "$(man --warnings -l -Tutf8 -Z "$page" 2>&1 >/dev/null)" ] || fail "$page"
		lexgrog "$page" >named || fail "$page: nothing for apropos in it"
	done
	for command in $(commands); do
		[ -f "$ROOT/docs/man/smartprof-$command.1" ] || fail "$command has no page"
		grep -q "^\.BR $command " "$ROOT/docs/man/smartprof.1" && grep -qF ".BR smartprof\\-$command (1)" "$ROOT/docs/man/smartprof.1" ||
			fail "smartprof.1 does not mention $command"
	done
	for variable in $(grep -o 'SMARTPROF_[A-Z_]*' "$ROOT/env/options.def" | sort -u); do
		grep -q "$variable" "$ROOT/docs/man/libsmartprof.7" || fail "libsmartprof.7 does not mention $variable"
	done
}
