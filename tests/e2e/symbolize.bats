# Names that come later: a profile of a stripped program, and the debug file after it.
load helpers

# program: stripped, `mix` inlined into burn_all at line 5, 4000 blocks from line 15; its debug file is in debug/.
stripped() {
	cat >program.c <<-'C'
		#include <stdlib.h>
		#include <string.h>
		static unsigned long sink;
		static inline __attribute__((always_inline)) void mix(unsigned long i) {
			for (int k = 0; k < 50; k++) sink = sink * 31 + (i ^ (sink >> 3));
		}
		static __attribute__((noinline)) void burn_all(unsigned long n) {
			for (unsigned long i = 0; i < n; i++)
				mix(i);
		}
		static void *kept[4000];
		static __attribute__((noinline)) void fill_table(void) {
			for (int i = 0; i < 4000; i++)

				kept[i] = memset(malloc(2000), 1, 2000);
		}
		int main(void) { for (int r = 0; r < 40; r++) { burn_all(100000); if (r % 10 == 0) fill_table(); } return (int)sink & 1; }
	C
	gcc -O2 -g -Wl,--build-id -o program program.c
	id=$(readelf -n program | awk '/Build ID/ { print $3 }')
	mkdir -p "debug/.build-id/${id:0:2}" empty
	objcopy --only-keep-debug program "debug/.build-id/${id:0:2}/${id:2}.debug"
	strip -s program
}
# sums FILE: what must not depend on names.
sums() {
	section '## All functions' "$1" | awk -F'\t' '$1 ~ /^[0-9]+$/ { u += $1; s += $2; n += $5 } END { printf "%.0f %.0f %d\n", u, s, n }'
	section '## All heap sites' "$1" | awk -F'\t' '$1 ~ /^[0-9]+$/ { for (i = 1; i <= 15; i++) if (i != 11 && i != 12) t[i] += $i }
		END { for (i = 1; i <= 15; i++) printf "%.0f ", t[i] }'
}

@test "a profile of a stripped program gets names, lines and inlined functions when its debug file is there" {
	stripped
	for env in production development; do
		SMARTPROF_HEAP_INTERVAL=1024 SMARTPROF_ENV=$env LD_PRELOAD="$AGENT" ./program || true
		profile=$(profile_of program)
		refuse grep -Eq 'burn_all|fill_table' "$profile"
		"$SMARTPROF" report --debug-dir debug "$profile" >report.md
		grep -Eq '^\*\*Verdict.* in mix \([0-9]+ % of it at program\.c:5\)' report.md
		grep -Eq 'was allocated in fill_table \(program\.c:15\)' report.md
		"$SMARTPROF" report --debug-dir debug --format folded "$profile" | grep -q ';main;burn_all;mix [0-9]*$'
		"$SMARTPROF" report --debug-dir debug --by line "$profile" | grep -q 'program\.c:5'
		cp "$profile" before.md
		chmod 600 "$profile"
		"$SMARTPROF" symbolize --debug-dir debug "$profile"
		[ "$(stat -c %a "$profile")" = 600 ]
		"$SMARTPROF" validate "$profile" >out
		[ "$(sums before.md)" = "$(sums "$profile")" ]
		for part in '## Threads' '# Timeline' '# Settings' '## Size Classes'; do
			[ "$(section "$part" before.md)" = "$(section "$part" "$profile")" ]
		done
		"$SMARTPROF" compare before.md "$profile" >out || [ $? -ne 2 ]
		"$SMARTPROF" report --no-inlines --format folded "$profile" | grep -q ';main;burn_all [0-9]*$'
		rm -r profiles
	done
}

@test "symbolize: nothing new is status 1 and the same file; a wrong build gives no name; damaged input is refused" {
	stripped
	LD_PRELOAD="$AGENT" ./program || true
	profile=$(profile_of program)
	cp "$profile" before.md
	status_of 1 "$SMARTPROF" symbolize --debug-dir empty "$profile" 2>err
	grep -q 'no debug file says more' err
	cmp "$profile" before.md
	sed -i 's/burn_all/other_build/' program.c
	gcc -O2 -g -Wl,--build-id -o other program.c
	objcopy --only-keep-debug other "debug/.build-id/${id:0:2}/${id:2}.debug"
	status_of 1 "$SMARTPROF" symbolize --debug-dir debug "$profile" 2>err
	cmp "$profile" before.md
	grep -v '^frame_addresses' before.md >old.md
	status_of 2 "$SMARTPROF" symbolize --debug-dir debug old.md 2>err
	grep -q 'profile the program again' err
	status_of 2 "$SMARTPROF" report --debug-dir debug old.md 2>err >out
	status_of 2 "$SMARTPROF" symbolize --output x.md before.md before.md 2>err
	status_of 2 "$SMARTPROF" symbolize none.md 2>err
	[ ! -e x.md ]
}

@test "a written profile gets its names from a debuginfod server, and from it alone when asked to" {
	stripped
	LD_PRELOAD="$AGENT" ./program || true
	profile=$(profile_of program)
	port=$(python3 -c 'import socket; print(socket.create_server(("127.0.0.1", 0)).getsockname()[1])')
	debuginfod -F -t 0 -d "$WORK/served.db" -p "$port" debug >server.log 2>&1 3>&- &
	server=$!
	export DEBUGINFOD_URLS=http://127.0.0.1:$port DEBUGINFOD_CACHE_PATH=$WORK/fetched
	serves() { rm -rf fetched && debuginfod-find debuginfo "$id" >/dev/null 2>&1; }
	eventually serves
	rm -rf fetched
	status_of 1 "$SMARTPROF" symbolize "$profile" 2>err
	[ ! -e fetched ]
	"$SMARTPROF" report --debuginfod "$profile" >report.md
	grep -Eq '^\*\*Verdict.* in mix \([0-9]+ % of it at program\.c:5\)' report.md
	"$SMARTPROF" symbolize --debuginfod "$profile"
	kill $server
	wait $server || true
	"$SMARTPROF" report --format folded "$profile" | grep -q ';main;burn_all;mix [0-9]*$'
}

# Minutes to build: the amalgamation of SQLite from Debian's source package, as Debian ships the program, without names.
@test "sqlite3 without names, and its debug file given later: functions and lines of SQLite" {
	[ -n "$(long "" 1)" ] || skip "LONG=1 builds it"
	"$ROOT/.ci/demo-source" sqlite3 "$WORK/source" || skip "Debian's sources cannot be had"
	(cd source && ./configure && make sqlite3.c shell.c) >log 2>&1
	gcc -O2 -g -Wl,--build-id -o sqlite3 source/shell.c source/sqlite3.c -lm -ldl -lpthread
	id=$(readelf -n sqlite3 | awk '/Build ID/ { print $3 }')
	mkdir -p "debug/.build-id/${id:0:2}"
	objcopy --only-keep-debug sqlite3 "debug/.build-id/${id:0:2}/${id:2}.debug"
	strip -s sqlite3
	LD_PRELOAD=$AGENT ./sqlite3 :memory: >out <<-'SQL'
		create table t(a integer primary key, b text);
		with recursive n(i) as (select 1 union all select i + 1 from n where i < 400000) insert into t select i, 'row ' || (i * 7919 % 100003) from n;
		select count(*) from t where b like '%9%8%7%';
		create index tb on t(b);
	SQL
	profile=$(profile_of sqlite3)
	refuse grep -q sqlite3VdbeExec "$profile"
	"$SMARTPROF" symbolize --debug-dir debug "$profile"
	"$SMARTPROF" report --by function "$profile" | grep -q 'sqlite3VdbeExec .*sqlite3\.c:[0-9]'
	"$SMARTPROF" report --by line "$profile" | grep -q 'sqlite3\.c:[0-9]'
	grep -Eq '^\*\*Verdict.* was allocated in pcache1Alloc \(sqlite3\.c:[0-9]+\)' "$profile"
}
