# report --merge: processes of a run, replicas and hours as one profile.
load helpers

# A run of a shell with two children at a time, like a build.
run_tree() { # DIRECTORY
	cat >work.py <<-'PY'
		import sys
		def crunch(n): return sum(i * i for i in range(n))
		crunch(int(sys.argv[1]))
	PY
	cp work.py one.py; cp work.py two.py; cp work.py last.py
	cat >tree.sh <<-'SH'
		/usr/bin/python3 one.py 2000000 & /usr/bin/python3 two.py 6000000 & wait
		/usr/bin/python3 last.py 4000000
	SH
	plain "$SMARTPROF" run --dir "$1" -- bash tree.sh
}

column() { # TABLE NUMBER: a column of a TSV table
	awk -F '\t' -v "table=$1" -v "n=$2" 'index($0, "## " table) == 1 { on = 1 } on && /^```$/ { on = 0 }
		on && /^[0-9]/ { print $n }' "$3"
}

@test "a run's profiles are one: sums, processes told apart by their input, who waited for whom" {
	run_tree profiles
	"$SMARTPROF" report --merge --output merged.md profiles
	"$SMARTPROF" validate merged.md >/dev/null
	sum=$(for f in profiles/development/python3*.md; do front cpu_user_seconds "$f"; done | awk '{ s += $1 } END { print s }')
	awk -v a="$sum" -v b="$(front cpu_user_seconds merged.md)" 'BEGIN { exit !(b >= a - 0.01) }'
	[ "$(front merged_profiles merged.md)" -ge 3 ]
	for what in one.py two.py last.py; do
		grep -q "| python3[^|]* | $what |" merged.md || fail "$what"
	done
	# The first of two that ran at once was not waited for; what came after both was.
	sed -n '/^## Critical Path/,/^# CPU Profile/p' merged.md >path
	grep -q '| two.py |' path
	grep -q '| last.py |' path
	refuse grep -q '| one.py |' path
}

@test "the index of a run, its directory and its files give the same, a file named twice counts once" {
	run_tree profiles
	"$SMARTPROF" report --merge --output all.md profiles/development
	for inputs in profiles/development/tree.*.md profiles "profiles/development profiles/development/latest.md"; do
		"$SMARTPROF" report --merge --output again.md $inputs
		diff <(sed '/^# /,$d' all.md) <(sed '/^# /,$d' again.md)
		diff <(column "All processes" 9 all.md) <(column "All processes" 9 again.md)
		diff <(column "All functions" 1 all.md | sort) <(column "All functions" 1 again.md | sort)
	done
	index=$(echo profiles/development/tree.*.md)
	"$SMARTPROF" report "$index" >index.out
	grep -q '^# Processes' index.out
	grep -q "^merged_profiles: $(front merged_profiles all.md)$" index.out
}

@test "every command reads a sum" {
	run_tree profiles
	"$SMARTPROF" report --merge --full --output merged.md profiles
	for format in html folded speedscope pprof json; do
		"$SMARTPROF" report --format $format --output "out.$format" merged.md
		"$SMARTPROF" report --merge --format $format --output "again.$format" profiles
		[ -s "out.$format" ]
		cmp "out.$format" "again.$format"
	done
	"$SMARTPROF" report --by module merged.md | grep -q python3
	run_tree others
	"$SMARTPROF" report --merge --output other.md others
	status=0
	"$SMARTPROF" compare merged.md other.md >compared || status=$?
	[ "$status" -le 1 ]
	"$SMARTPROF" report --merge --output twice.md merged.md other.md
	"$SMARTPROF" validate twice.md >/dev/null
}

@test "replicas of a service: the error of a sum is less than the sum of errors" {
	for i in 1 2 3 4; do
		plain "$SMARTPROF" run --dir "replica$i" -- /usr/bin/python3 -c 'sum(i * i for i in range(3 * 10**6))'
	done
	"$SMARTPROF" report --merge --output merged.md replica?
	[ "$(front program merged.md)" = "$(front program replica1/development/latest.md)" ]
	errors() { column "All modules" 3 "$1" | awk '{ s += $1 } END { print s }'; }
	awk -v merged="$(errors merged.md)" -v parts="$(for i in 1 2 3 4; do errors replica$i/development/latest.md; done |
		awk '{ s += $1 } END { print s }')" 'BEGIN { exit !(merged > 0 && merged < 0.8 * parts) }'
}

@test "what cannot be read is named and left out, with a status that tells" {
	run_tree profiles
	mkdir bad
	cp profiles/development/python3*.md bad
	head -c 3000 "$(find profiles -name "python3*.md" | head -n 1)" >bad/cut.md
	head -c 100000 /dev/urandom >bad/noise.md
	: >bad/empty.md
	status_of 1 "$SMARTPROF" report --merge --output merged.md bad 2>err
	for name in cut noise empty; do grep -q "bad/$name.md: .*; it is left out" err || fail "$name"; done
	grep -q '3 files that were to be merged could not be read' merged.md
	mkdir none
	status_of 2 "$SMARTPROF" report --merge none 2>err
	grep -q 'there are no profiles in it' err
	status_of 2 "$SMARTPROF" report --merge gone.md 2>err
	grep -q 'gone.md' err
	status_of 2 "$SMARTPROF" report bad/*.md 2>err
	grep -q -- '--merge adds several up' err
	# An index that names files elsewhere leads nowhere.
	printf -- '---\nschema: smartprof-tree/1\n---\n| 1 | 1 | x | 1 | 1 | 0 | [profile](../bad/cut.md) |\n' >tree.x.1.md
	status_of 2 "$SMARTPROF" report tree.x.1.md 2>err
	grep -q 'names no profiles' err
	rm -r bad tree.x.1.md # no profiles, and teardown looks at all
}

@test "500 profiles are one in less memory than one program's limit" {
	run_tree profiles
	mkdir many
	for i in $(seq 170); do
		for f in profiles/development/python3*.md; do cp "$f" "many/$i.${f##*/}"; done
	done
	(
		ulimit -v 500000
		"$SMARTPROF" report --merge --output merged.md many
	)
	rm -r many # teardown would look at each
	[ "$(front merged_profiles merged.md)" -eq 510 ]
	"$SMARTPROF" validate merged.md >/dev/null
}

@test "a run whose first process has no profile is compared and checked as what its processes are together" {
	printf 'all: a b\na b:\n\t/usr/bin/python3 -c "sum(i * i for i in range(1500000))"\n' >Makefile
	for side in old new; do
		SMARTPROF_DIR=$WORK/$side "$SMARTPROF" run -- make -s -j2 2>err
		SMARTPROF_DIR=$WORK/$side "$SMARTPROF" validate latest >out
		[ "$(grep -c 'follows smartprof/1' out)" -eq 2 ]
	done
	for named in "old new" "old/development/latest.md new/development/latest.md"; do
		# shellcheck disable=SC2086 # two words
		"$SMARTPROF" compare $named >compared || [ $? -eq 1 ]
		grep -q '1 baseline and 1 current run' compared
	done
}
