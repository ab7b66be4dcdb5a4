# Every function that allocates answers as without us, wherever it is called from.
load helpers

PLUGIN=$TARGETS/plugins/plugin_malloc_api.so
EARLY=$TARGETS/plugins/plugin_malloc_early.so

# same_table PRELOAD-PLAIN PRELOAD-PROFILED ARGUMENTS…
same_table() {
	local plain=$1 profiled=$2
	shift 2
	status_of 0 timeout -k 5 "$PATIENCE" env LD_PRELOAD="$plain" "$TARGETS/malloc_api" "$@" >plain.out
	status_of 0 timeout -k 5 "$PATIENCE" env LD_PRELOAD="$profiled" "$TARGETS/malloc_api" "$@" >profiled.out
	# The full tcmalloc walks stacks with libunwind, which leaves EAGAIN behind where it had to look at memory.
	[[ $plain != *libtcmalloc.so* ]] || sed -i '/\tblock\t/s/errno [0-9]*/errno/' plain.out profiled.out
	[ "$(wc -l <plain.out)" -ge 50 ] || fail "short: $*"
	cmp plain.out profiled.out || {
		diff plain.out profiled.out | head -20 >&2
		fail "$profiled: $*"
	}
}

# same_everywhere [LIBRARY]: with the C library's malloc or another.
same_everywhere() {
	local with=${1:+:$1} how
	for how in main handler child thread atexit "dlopen $PLUGIN"; do
		# shellcheck disable=SC2086 # two words
		same_table "${1-}" "$AGENT$with" $how
	done
	# Constructors that run before ours, and after.
	same_table "$PLUGIN$with" "$AGENT:$PLUGIN$with" main
	same_table "$PLUGIN$with" "$PLUGIN:$AGENT$with" main
}

# other_allocator NAME
other_allocator() {
	local path
	path=$(find /usr/lib/x86_64-linux-gnu -name "$1*" | sort | head -n 1)
	[ -n "$path" ] || skip "$1 is not installed"
	same_everywhere "$path"
}

@test "the C library's malloc" {
	same_everywhere
}

@test "the C library's malloc, with the profiler switched off" {
	SMARTPROF_ENABLED=0 same_everywhere
}

@test "modules bound to another malloc, and blocks freed across" {
	same_table "" "$AGENT" deepbind "$PLUGIN"
	same_table "" "$AGENT" dlmopen "$PLUGIN"
}

@test "a resolver allocates before anything has been relocated" {
	same_table "$EARLY" "$AGENT:$EARLY" main
	grep -q "^resolver.*kept.*1" profiled.out
	same_table "$EARLY" "$EARLY:$AGENT" main
}

@test "jemalloc" {
	other_allocator libjemalloc.so.2
}

@test "tcmalloc, minimal" {
	other_allocator libtcmalloc_minimal.so.4
}

@test "tcmalloc" {
	other_allocator libtcmalloc.so.4
}

@test "mimalloc" {
	other_allocator libmimalloc.so.2
}
