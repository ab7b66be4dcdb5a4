# Names: separate debug files, files that are gone or replaced, and the cache.
load helpers

# A program that burns 0.3 s in a function of its own; OTHER is another build of it.
make_program() {
	cat >spin.c <<-'END'
		#include <stdlib.h>
		#include <time.h>
		#include <unistd.h>
		static volatile unsigned sink;
		__attribute__((noinline)) static void burn_here(unsigned n)
		{
			for (unsigned i = 0; i < n; i++)
				sink = sink * 3 + i;
		}
		int main(int argc, char **argv)
		{
			double seconds = argc > 1 ? atof(argv[1]) : 0.3;
			while ((double)clock() / CLOCKS_PER_SEC < seconds)
				burn_here(100000);
			return 0;
		}
	END
	cc -g -O2 -o full spin.c
	cp full spin
	strip spin
	export XDG_CACHE_HOME=$WORK/cache
}

# start PROGRAM: in the background, as $pid, until it has been sampled for a while.
start() {
	env LD_PRELOAD="$AGENT" "$1" 60 3>&- &
	pid=$!
	eventually has_used 0.4 "$pid"
}

@test "a stripped program's names come from the debug directory of the setting, and of the flag" {
	make_program
	mkdir debug
	objcopy --only-keep-debug full spin.debug
	objcopy --add-gnu-debuglink=spin.debug spin
	mkdir -p "debug$WORK"
	mv spin.debug "debug$WORK"
	profiled ./spin
	refuse grep -q burn_here "$(profile_of spin)"
	rm -r profiles
	SMARTPROF_DEBUG_DIR=$WORK/debug profiled ./spin
	grep -q burn_here "$(profile_of spin)"
	rm -r profiles
	start ./spin
	kill -9 "$pid"
	wait || true
	"$SMARTPROF" recover --debug-dir "$WORK/debug" >recover.log 2>&1 || true
	grep -q burn_here "$(profile_of spin)"
	status_of 2 "$SMARTPROF" report --debug-dir "$WORK/nowhere" x
}

@test "a debug file that lies in the directory by itself is found there, and so is an unpacked package's" {
	make_program
	local id place
	objcopy --only-keep-debug full spin.debug
	profiled ./spin
	cp "$(profile_of spin)" before.md
	mkdir alone package
	cp spin.debug alone
	cp before.md profile.md
	"$SMARTPROF" symbolize --debug-dir alone profile.md
	grep -q burn_here profile.md
	id=$(readelf -n full | sed -n 's/ *Build ID: //p')
	place=package/usr/lib/debug/.build-id/${id:0:2}
	mkdir -p "$place"
	mv spin.debug "$place/${id:2}.debug"
	rm -r alone "$HOME/.cache" 2>/dev/null || true
	cp before.md profile.md
	"$SMARTPROF" symbolize --debug-dir package profile.md
	grep -q burn_here profile.md
	# Another build's is not taken.
	mkdir others
	cp "$TARGETS/cpu_truth" others/spin.debug
	cp before.md profile.md
	status_of 1 "$SMARTPROF" symbolize --debug-dir others profile.md
}

@test "a file replaced while its process runs is read through the process; afterwards it has no wrong name" {
	make_program
	cp full spin
	start ./spin
	sed s/burn_here/other_name/ spin.c >other.c
	cc -g -O2 -o other other.c
	mv other spin
	"$SMARTPROF" report "$pid" >live.md
	[ "$(id -u)" -ne 0 ] || grep -q burn_here live.md
	refuse grep -q other_name live.md
	kill -9 "$pid"
	wait || true
	rm -rf "$XDG_CACHE_HOME"
	profile=$(recovered spin)
	refuse grep -q other_name "$profile"
	grep -q 'spin+0x' "$profile"
	grep -q '\[gone\], because another build has replaced its file' "$profile"
	grep -q '| \[gone\], other build |' "$profile"
	grep -q '| spin \[gone\] |' "$profile"
}

@test "a file deleted while its process runs is read through the process; afterwards it is [gone]" {
	make_program
	cp full spin
	start ./spin
	rm spin
	"$SMARTPROF" report "$pid" >live.md
	[ "$(id -u)" -ne 0 ] || { grep -q burn_here live.md && refuse grep -q '\[gone\]' live.md; }
	kill -9 "$pid"
	wait || true
	rm -rf "$XDG_CACHE_HOME"
	profile=$(recovered spin)
	grep -q 'spin+0x' "$profile"
	grep -q '| spin \[gone\] |' "$profile"
	grep -q '| \[gone\] |' "$profile"
	grep -q '\[gone\], because its file does not exist any more' "$profile"
}

@test "the cache answers the second time, and follows when debug files come and go" {
	make_program
	profiled ./spin
	"$SMARTPROF" cache stats | grep -q '^modules  *[1-9]'
	"$SMARTPROF" cache verify | grep -q ' 0 damaged'
	rm -r profiles
	objcopy --only-keep-debug full spin.debug
	id=$(readelf -n spin | awk '/Build ID/ {print $3}')
	mkdir -p "debug/.build-id/${id:0:2}"
	export SMARTPROF_DEBUG_DIR=$WORK/debug
	profiled ./spin
	refuse grep -q burn_here "$(profile_of spin)"
	mv spin.debug "debug/.build-id/${id:0:2}/${id:2}.debug"
	rm -r profiles
	profiled ./spin
	grep -q burn_here "$(profile_of spin)"
	"$SMARTPROF" cache trim --size 0
	"$SMARTPROF" cache stats | grep -q '^modules  *0 '
	"$SMARTPROF" cache clear
	"$SMARTPROF" cache stats | grep -q 'no cache yet'
	status_of 2 "$SMARTPROF" cache trim --size x
	status_of 2 "$SMARTPROF" cache stat
}

@test "a damaged cache is replaced, and nobody need know" {
	make_program
	db=$XDG_CACHE_HOME/smartprof/symbols.db
	start "$WORK/full"
	report() {
		"$SMARTPROF" report "$pid" >live.md 2>err
		[ ! -s err ]
		grep -q burn_here live.md
	}
	report
	for damage in 'head -c 50000 /dev/urandom >$db' 'truncate -s 20000 $db' ': >$db' \
		'dd if=/dev/urandom of=$db bs=4096 seek=3 count=20 conv=notrunc status=none' \
		'head -c 3000 /dev/urandom >$db-wal'; do
		eval "$damage"
		report
		report
		report
		"$SMARTPROF" cache verify | grep -q ' 0 damaged'
		"$SMARTPROF" cache stats | grep -q '^modules  *[1-9]'
	done
	rm -r "$XDG_CACHE_HOME"/smartprof
	mkdir -p -m 700 "$db"
	"$SMARTPROF" report "$pid" >live.md 2>err
	[ "$(grep -c 'cache of symbols' err)" -eq 1 ]
	grep -q burn_here live.md
	kill -9 "$pid"
	wait || true
}

@test "debuginfod is asked only with --debuginfod, and only for so long" {
	make_program
	id=$(readelf -n full | awk '/Build ID/ {print $3}')
	mkdir -p "server/buildid/$id"
	objcopy --only-keep-debug full "server/buildid/$id/debuginfo"
	export DEBUGINFOD_URLS=file://$WORK/server DEBUGINFOD_CACHE_PATH=$WORK/fetched
	start ./spin
	"$SMARTPROF" report "$pid" >live.md
	refuse grep -q burn_here live.md
	[ ! -e fetched ]
	if ldconfig -p | grep -q libdebuginfod.so.1; then
		"$SMARTPROF" report --debuginfod "$pid" >live.md
		grep -q burn_here live.md
	fi
	kill -9 "$pid"
	wait || true
}
