# Many processes, one rendering: members of a tree leave their spools to its first process.
load helpers

MEMBER=$TARGETS/member

eval "$(declare -f setup | sed '1s/setup/shared_setup/')"
setup() {
	shared_setup
	touch "$WORK/began"
}

# What other tests left in /dev/shm is theirs.
spools() { find "/dev/shm/smartprof-$(id -u)" "$XDG_STATE_HOME" -name '*.spool' -newer "$WORK/began" 2>/dev/null | wc -l; }
files() { find "/dev/shm/smartprof-$(id -u)" -name '*.tree' -newer "$WORK/began" 2>/dev/null | wc -l; }
profiles_of() { find "$SMARTPROF_DIR" -name "$1.*.md" 2>/dev/null | wc -l; }
# All is rendered and nothing lies about, at the latest after a while.
nothing_left() { [ $(($(spools) + $(files))) -eq 0 ]; }
all_gone() {
	eventually nothing_left || {
		ls -l "/dev/shm/smartprof-$(id -u)" >&2
		fail "spools are left"
	}
}

# In a container's small /dev/shm members do not wait: their spools go elsewhere, or are rendered at once.
spools_wait() {
	[ "$(df -k --output=avail /dev/shm | tail -n 1)" -ge 262144 ] || skip "needs 256 MB in /dev/shm"
}

# Every member has its profile, and the index has them all.
complete() { # MEMBERS
	echo "$(cat waiting 2>/dev/null) spools waited, $(cat kilobytes 2>/dev/null) KiB"
	[ "$(profiles_of member)" -eq "$1" ] || fail "$(profiles_of member) profiles instead of $1"
	[ "$(front members "$(find "$SMARTPROF_DIR" -name 'tree.*.md')")" -ge "$1" ]
}

# many.sh: N children of a shell that uses next to no CPU time itself; how many spools wait at the end.
many() { # N
	cat >many.sh <<-SH
		i=0
		while [ \$i -lt $1 ]; do "$MEMBER" burn 30; i=\$((i + 1)); done
		find /dev/shm/smartprof-$(id -u) -name '*.spool' -newer "$WORK/began" | wc -l >waiting
		find /dev/shm/smartprof-$(id -u) -name '*.spool' -newer "$WORK/began" -exec du -k --total {} + | tail -n 1 | cut -f 1 >kilobytes
	SH
}

@test "hundreds of short processes: their spools are small, and all profiles are there when the shell that ran them has ended" {
	spools_wait
	n=$(long 60 300)
	many "$n"
	profiled sh many.sh
	complete "$n"
	[ "$(spools)" -eq 0 ]
	[ "$(files)" -eq 0 ]
	[ "$(cat waiting)" -ge "$n" ]
	[ "$(cat kilobytes)" -le $((n * 120)) ]
	[[ $(readlink "$SMARTPROF_DIR/development/latest.md") == tree.* ]]
}

@test "so it is for every way to have children, and a root with a profile of its own is what latest.md is" {
	for way in fork vfork spawn system popen; do
		profiled "$MEMBER" $way 3 40
		[ "$(spools)" -eq 0 ]
	done
	[ "$(profiles_of member)" -ge 15 ]
	[ "$(find "$SMARTPROF_DIR" -name 'tree.*.md' | wc -l)" -eq 5 ]
	rm -r "$SMARTPROF_DIR"
	profiled python3 -c "import subprocess
for i in range(3): subprocess.run(['$MEMBER', 'burn', '40'], check=True)
sum(i * i for i in range(10**6))"
	complete 3
	[[ $(readlink "$SMARTPROF_DIR/development/latest.md") == python3.* ]]
}

@test "members of members: one rendering for all levels" {
	spools_wait
	profiled sh -c "sh -c 'sh -c \"$MEMBER burn 40; :\"; $MEMBER burn 40; :'; $MEMBER spawn 2 40; find /dev/shm/smartprof-$(id -u) -name '*.spool' -newer '$WORK/began' | wc -l >waiting"
	[ "$(profiles_of member)" -ge 4 ]
	[ "$(spools)" -eq 0 ]
	[ "$(cat waiting)" -ge 4 ]
}

@test "nobody under smartprof run waits for a renderer: it renders itself, and a member that outlives it does so alone" {
	spools_wait
	many 5
	echo "(sleep 1; exec '$MEMBER' burn 50) &" >>many.sh
	"$SMARTPROF" run -- sh many.sh
	complete 5
	[ "$(cat waiting)" -ge 5 ]
	sleep 1
	all_gone
	complete 6
}

@test "a root killed by SIGKILL: the next member to end renders what it left, and recover the rest" {
	spools_wait
	profiled sh -c "'$MEMBER' burn 40; '$MEMBER' burn 40; '$MEMBER' burn 700 & kill -KILL \$\$" || true
	all_gone # by the one that was running
	complete 3
	rm -r "$SMARTPROF_DIR"
	profiled sh -c "'$MEMBER' burn 40; kill -KILL \$\$" || true
	[ "$(spools)" -ge 1 ]
	recovered member
	all_gone
}

@test "a daemon that outlives the root takes its place" {
	profiled "$MEMBER" daemon 4 60
	five_members() { [ "$(profiles_of member)" -ge 5 ]; }
	eventually five_members
	complete 5
	all_gone
}

@test "a root that replaces itself: by a program with the agent, one without, one that is not profiled" {
	spools_wait
	profiled sh -c "'$MEMBER' burn 40; exec true"
	complete 1
	all_gone
	rm -r "$SMARTPROF_DIR"
	profiled sh -c "'$MEMBER' burn 40; exec '$MEMBER' spawn 1 40"
	[ "$(profiles_of member)" -ge 2 ]
	[ "$(spools)" -eq 0 ]
	rm -r "$SMARTPROF_DIR"
	profiled sh -c "'$MEMBER' burn 40; ('$MEMBER' burn 300) & exec env -u LD_PRELOAD sleep 1"
	all_gone
	[ "$(profiles_of member)" -eq 2 ]
}

@test "killed members, members without /dev/shm, and members of another user lose nothing" {
	spools_wait
	profiled sh -c "'$MEMBER' burn 40; '$MEMBER' burn 9000 & sleep 1; kill -KILL \$!; wait; :" || true
	[ "$(spools)" -eq 0 ]
	[ "$(profiles_of member)" -ge 2 ]
	[ "$(id -u)" -eq 0 ] || return 0
	rm -r "$SMARTPROF_DIR"
	mkdir "$SMARTPROF_DIR"
	open_to_all "$SMARTPROF_DIR"
	cp "$MEMBER" member
	chmod 755 member
	profiled sh -c "./member burn 40; setpriv --reuid 65534 --regid 65534 --clear-groups ./member burn 60"
	[ "$(spools)" -eq 0 ]
	[ "$(find "$SMARTPROF_DIR" -name 'member.*.md' -user 0 | wc -l)" -eq 1 ]
	[ "$(find "$SMARTPROF_DIR" -name 'member.*.md' -user 65534 | wc -l)" -eq 1 ]
}

@test "the memory that waiting spools take is bounded: a member that ends has them rendered while the root lives on" {
	limit=/sys/fs/cgroup/memory$(awk -F: '$2 == "memory" { print $3 }' /proc/self/cgroup)/memory.limit_in_bytes
	[ -e "$limit" ] || skip "needs cgroup v1"
	echo 33554432 >limit # a sixteenth is 2 MB
	cat >many.sh <<-SH
		i=0
		while [ \$i -lt 100 ]; do "$MEMBER" burn 30; i=\$((i + 1)); done
		i=0
		while [ \$i -lt 200 ] && ! ls "$SMARTPROF_DIR"/development/member.* >early 2>/dev/null; do sleep 0.1; i=\$((i + 1)); done
	SH
	in_mount_namespace "mount --bind limit '$limit' && env LD_PRELOAD='$AGENT' sh many.sh"
	[ "$(wc -l <early)" -ge 1 ]
	complete 100
	[ "$(spools)" -eq 0 ]
}

@test "more short processes than may wait at once: none is without a profile" {
	cat >many.sh <<-SH
		i=0
		while [ \$i -lt 1200 ]; do "$MEMBER" hold 1200; i=\$((i + 1)); done
	SH
	profiled sh many.sh
	complete 1200
	[ "$(spools)" -eq 0 ]
}

@test "processes that there is no room for a spool for are counted in the profile of the tree's first one, and told by run" {
	places=/dev/shm/smartprof-$(id -u)
	cat >full.sh <<-SH
		i=0
		while [ \$i -lt 100000 ]; do i=\$((i + 1)); done
		i=0
		while [ \$i -lt 8200 ]; do : >$places/full.\$i; i=\$((i + 1)); done
		"$MEMBER" burn 30
		"$MEMBER" burn 30
		"$MEMBER" burn 30
	SH
	LD_PRELOAD=$AGENT sh full.sh
	rm -f "$places"/full.*
	[ "$(find "$SMARTPROF_DIR" -name 'member.*.md' | wc -l)" -eq 0 ]
	grep -q '^- Processes of this tree without a profile, for want of room for their spools: 3\.$' "$SMARTPROF_DIR"/development/sh.*.md
	"$SMARTPROF" run -- sh full.sh 2>told
	rm -f "$places"/full.*
	grep -q '^smartprof: processes without a profile, for want of room for their spools: 3$' told || fail "$(cat told)"
}

@test "on a busy machine as on a quiet one" {
	spools_wait
	for i in 1 2 3 4 5 6; do timeout 60 sh -c 'while :; do :; done' & done
	many 20
	profiled sh many.sh
	kill $(jobs -p)
	complete 20
	all_gone
	[ "$(cat waiting)" -ge 20 ]
}

# The C library is asked for fork handlers only when one of its ways to fork is called.
@test "whichever function forks, the child is profiled from its beginning, and once" {
	local child
	child_is_there() { child=$(grep -l -s "^tree_role: member" "$SMARTPROF_DIR"/*/fork_ways.*.md "$SMARTPROF_DIR"/fork_ways.*.md); [ -n "$child" ]; }
	for way in fork __fork _Fork forkpty daemon before after busy handlers; do
		rm -rf "$SMARTPROF_DIR"
		profiled "$TARGETS/fork_ways" "$way"
		eventually child_is_there || fail "$way: the child has no profile"
		echo "$way: $(front cpu_sampled_seconds "$child") s, $(front heap_allocated_bytes "$child") bytes"
		near "$(front cpu_sampled_seconds "$child")" 0.06 50
	done
	near "$(front heap_allocated_bytes "$child")" 2000000 2 # by the program's own handler, before ours
}

@test "the child of a fork in a library's constructor, which runs before ours, is profiled" {
	cat >forks.c <<-'C'
		#include <sys/wait.h>
		#include <unistd.h>
		__attribute__((constructor)) static void begin(void)
		{
			int status;
			pid_t child = fork();
			if (child)
				_exit(child < 0 || waitpid(child, &status, 0) < 0 || status);
		}
	C
	gcc -shared -fPIC -o forks.so forks.c
	AGENT="$AGENT $PWD/forks.so" profiled "$TARGETS/ends" exit 0.3 || [ $? -eq 1 ]
	at_least "$(front cpu_sampled_seconds "$(profile_of ends)")" 0.2
}

@test "a member is spared what only a longer one needs: a perf event, a narrow heap interval, samples of its first quarter of a megabyte" {
	profiled sh -c "$MEMBER hold 1200; :"
	profile=$(profile_of member)
	[[ $(grep -A 4 '^## Threads' "$profile" | tail -n 1) == *'| timer |'* ]]
	[ "$(front heap_interval_max_bytes "$profile")" -eq 32768 ]
	at_least "$(front heap_before_sampling_bytes "$profile")" 240000
	[ "$(front heap_before_sampling_bytes "$profile")" -le 250000 ]
}
