# The report: what a reader sees, whatever the names are; its questions and answers; and what a profile
# tells about itself: clocks, costs, and the kernel's part.
load helpers

# cell HEADING COLUMN FILE ROW-PATTERN: a cell of the first row that matches, by the column's title.
cell() {
	section "$1" "$3" | awk -F' *[|] *' -v column="$2" -v row="$4" '/^\|/ && !at { for (i = 1; i <= NF; i++) if ($i == column) at = i; next }
		/^\|/ && $0 ~ row { print $at; exit }'
}

hostile() { "$ROOT/tests/e2e/hostile.py" "$@"; }

@test "hostile names of functions, threads, programs, directories and arguments stay text" {
	mkdir 'we|ird <b>dir`'
	hostile elf "$TARGETS/hostile" 'we|ird <b>dir`/pro|gram<i>`'
	cd 'we|ird <b>dir`'
	mapfile -d '' names < <(hostile names)
	SMARTPROF_FULL=on profiled ./'pro|gram<i>`' "${names[@]}"
	cd ..
	profile=$(find "$SMARTPROF_DIR" -name 'pro*.md')
	[ "$(wc -l <<<"$profile")" -eq 1 ]
	check_profile "$profile"
	hostile found "$profile"
	hostile pager "$profile"
	[ "$(front program "$profile")" = 'pro|gram<i>`' ]
	"$SMARTPROF" validate "$profile"
	for by in function module thread; do
		"$SMARTPROF" report --by $by --full "$profile" >"by.$by.md"
		hostile pager "by.$by.md"
		"$ROOT/tests/e2e/gfm.py" "by.$by.md"
	done
	"$SMARTPROF" validate "$profile" >shown
	hostile pager shown
}

@test "the checks of tables, elements and the pager can fail" {
	printf '\x1b[31mred\n' >bad
	refuse hostile pager bad 2>err
	grep -q "control character '.x1b'" err
	table='| A | B |\n|---|---|\n'
	printf "${table}| 1 | 2 |\n" >good.md
	"$ROOT/tests/e2e/gfm.py" good.md
	for bad in '| 1 | 2 | 3 |' '| 1 |' '| 1 | <b>2</b> |' '| 1 | *2* |' '| 1 | [2](x) |' '| 1 | `2` |' '| 1 | www.x.yy |' \
		'| 1 | a@b.cc |' '| 1 | **2** |'; do
		printf "$table%s\n" "$bad" >bad.md
		refuse "$ROOT/tests/e2e/gfm.py" bad.md 2>err
		[ -s err ]
	done
	printf 'text\n\n<img src=x>\n' >bad.md
	refuse "$ROOT/tests/e2e/gfm.py" bad.md 2>err
}

@test "totals of functions that call each other count every moment once" {
	profiled "$TARGETS/mutual"
	profile=$(profile_of mutual)
	section '## All functions' "$profile" | awk -F'\t' '
		$1 ~ /^[0-9]+$/ { all += $1 + $2; total[$9] = $3 + $4 }
		END { exit !(total["ping"] <= all && total["pong"] <= total["ping"] && total["pong"] > 0.9 * all) }'
	grep -q '↻' "$profile"
}

@test "--by answers from a written profile and from the running process alike" {
	"$TARGETS/ends" exit 0.1 || true
	LD_PRELOAD=$AGENT "$TARGETS/cpu_truth" 3 >out 3>&- &
	pid=$!
	for try in $(seq 100); do
		"$SMARTPROF" report --by function $pid >live.function 2>err && grep -q '|' live.function && break
		sleep 0.05
	done
	for by in function line file module thread; do
		"$SMARTPROF" report --by $by --top 2 $pid >live.$by
		[ "$(grep -c '^| [0-9]' live.$by)" -le 2 ]
		[ "$(grep -c '^| [0-9]' live.$by)" -ge 1 ]
	done
	wait $pid
	profile=$(profile_of cpu_truth)
	for by in function line file module thread; do
		"$SMARTPROF" report --by $by "$profile" >written.$by
		[ "$(head -n 1 written.$by)" = "$(head -n 1 live.$by)" ]
		[ "$(grep '^| Self' written.$by)" = "$(grep '^| Self' live.$by)" ]
	done
	for by in function line file module; do # a share has its error, written or not
		awk -F'|' '/^\| Self/ { for (i = 1; i <= NF; i++) if ($i ~ /±/) at = i }
			/^\| [0-9]/ { exit $at !~ /[0-9]/ }' written.$by
	done
	! has_events || grep -q 'cpu_truth.c:[0-9]' written.line # it has one part in a hundred
	[ "$(top_function "$profile")" = "$(awk -F'|' '/^\| [0-9]/ { gsub(/[ \\]/, "", $8); print $8; exit }' written.function)" ]
}

@test "--focus and --ignore choose stacks, and rows of a written profile" {
	profiled "$TARGETS/mutual" &
	for try in $(seq 100); do
		pid=$(pgrep -n -x mutual) && "$SMARTPROF" report --focus pong --top 5 "$pid" >focus.md 2>err &&
			grep -q '→ pong' focus.md && break
		sleep 0.05
	done
	"$SMARTPROF" report --ignore 'p[io]ng' --by function "$pid" >ignore
	wait
	grep -q '→ pong' focus.md
	grep -q '| \[filtered\] |' ignore
	refuse grep -q '| p[io]ng |' ignore
	"$SMARTPROF" validate focus.md
	profile=$(profile_of mutual)
	[ "$("$SMARTPROF" report --focus '^p[io]ng$' "$profile" | grep -c '^| [0-9]')" -eq 2 ]
	[ "$("$SMARTPROF" report --focus '^p[io]ng$' --ignore pong "$profile" | grep -c '^| [0-9]')" -eq 1 ]
	[ "$("$SMARTPROF" report --top 3 "$profile" | grep -c '^| [0-9]')" -eq 3 ]
}

@test "questions that make no sense, or have no answer here, are told in one line" {
	SMARTPROF_ENV=production profiled "$TARGETS/mutual"
	profile=$(profile_of mutual)
	for flags in '--top 0' '--top x' '--top 5x' '--focus (' '--ignore [' '--by lines' '--by thread --focus x' '--focus a --focus b' \
		'--full --top 3' '--top' '--bogus'; do
		# shellcheck disable=SC2086
		status_of 2 "$SMARTPROF" report $flags "$profile" >out 2>err
		[ ! -s out ]
		[ "$(wc -l <err)" -eq 1 ]
	done
	for flags in '--by line' '--by file' '--focus nothing_like_it'; do
		# shellcheck disable=SC2086
		status_of 1 "$SMARTPROF" report $flags "$profile" >out 2>err
		[ ! -s out ]
		[ "$(wc -l <err)" -eq 1 ]
	done
}

@test "time inside system calls is the kernel's, by function and in the verdict" {
	LD_PRELOAD=$AGENT dd if=/dev/zero of=/dev/null bs=64k count=60000 2>dd.log
	profile=$(profile_of dd)
	at_least "$(cell '## Hot Functions' Kernel% "$profile" ' read ' | tr -d %)" 60
	grep -q '^\*\*Verdict (dd):\*\* .* % of the CPU time is kernel time, [0-9]* % of that in .* of read (libc.so.6)\. ' "$profile"
	section '### read' "$profile" | grep -qE '^self [0-9.]+% \(.* user, .* system\), total'
}

@test "a program that computes has no kernel time to speak of" {
	profiled "$TARGETS/cpu_truth" 0.5 >truth
	profile=$(profile_of cpu_truth)
	refuse grep -q 'is kernel time' "$profile"
}

@test "threads tell what samples them" {
	profiled "$TARGETS/threads_cpu" 3 0.3
	profile=$(profile_of threads_cpu)
	case $(front cpu_clock "$profile") in
	event) clock=event ;;
	*) clock=timer ;;
	esac
	[[ $(cell '## Threads' Clock "$profile" ' run ') == *$clock* ]]
	[ -z "$(cell '## Threads' Why "$profile" ' run ')" ]
}

@test "sampling's cost is the CPU's and the heap's together" {
	profiled /usr/bin/python3 -c 'print(sum(len(str(i)) for i in range(3000000)))'
	profile=$(profile_of 'python3*')
	at_least "$(front overhead_cpu_percent "$profile")" 0.1
	awk -v a="$(front overhead_cpu_percent "$profile")" -v b="$(front overhead_heap_percent "$profile")" \
		-v sum="$(front overhead_measured_percent "$profile")" 'BEGIN { d = a + b - sum; exit !(d < 0.11 && d > -0.11) }'
	[ -n "$(front overhead_hooks_percent "$profile")" ]
	section '# Data Quality' "$profile" | grep -qE '^- CPU interval over time: [0-9–]+ µs( → [0-9–]+ µs from [0-9.]+ s)*( throughout)?\.$'
	at_least "$(cell '# Timeline' 'CPU interval µs' "$profile" ' s [|]')" 100
	head -c "$(grep -abom1 '^<details>$' "$profile" | cut -d: -f1)" "$profile" | wc -c >top
	at_least 40000 "$(cat top)"
}

@test "an empty argument is one, and what follows it is there; the kernel is told" {
	status_of 7 profiled "$TARGETS/ends" return 0.3 '' 'last one' '' >out
	profile=$(profile_of ends)
	[[ $(front command "$profile") == *"ends return 0.3 '''' last one ''''" ]] ||
		[[ $(front command "$profile") == *"ends return 0.3 '' last one ''" ]] || fail "$(front command "$profile")"
	[ "$(front kernel "$profile")" = "$(uname -r)" ]
}

@test "the commit is the one that ran" {
	git init -q -b main . && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m one
	first=$(git rev-parse HEAD)
	profiled "$TARGETS/cpu_truth" 0.3 >out
	[ "$(front git_commit "$(profile_of cpu_truth)")" = "$first" ]
	rm -rf "$SMARTPROF_DIR"
	profiled "$TARGETS/ends" kill9 0.3 || true
	git -c user.name=a -c user.email=a@b commit -q --allow-empty -m two
	profile=$(recovered ends)
	[ -z "$(front git_commit "$profile")$(front git_branch "$profile")" ]
	grep -q '^program: ends' "$profile"
}
