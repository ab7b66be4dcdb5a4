# What a profile tells about itself: clocks, costs, and the kernel's part.
load helpers

# cell HEADING COLUMN FILE ROW-PATTERN: a cell of the first row that matches, by the column's title.
cell() {
	section "$1" "$3" | awk -F' *[|] *' -v column="$2" -v row="$4" '/^\|/ && !at { for (i = 1; i <= NF; i++) if ($i == column) at = i; next }
		/^\|/ && $0 ~ row { print $at; exit }'
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
