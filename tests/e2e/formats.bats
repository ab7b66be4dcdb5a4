# The formats of other programs, and the pages: what they hold is what the profile says, and their readers read it.
load helpers

formats() { "$ROOT/tests/e2e/formats.py" "$@"; }
# pprof FILE: its sums, as we read them and as npm's pprof-format does.
pprof() {
	formats pprof "$1" >read.ours &&
		"$ROOT/tests/e2e/pprof_format.js" <"$1" >read.npm &&
		diff read.npm <(head -n "$(wc -l <read.npm)" read.ours) >&2 && cat read.ours
}
# cpu_ns FILE: the CPU time of the complete part; site_bytes COLUMN FILE: of All heap sites.
cpu_ns() {
	section '## All functions' "$1" | awk -F'\t' '$1 ~ /^[0-9]+$/ { s += $1 + $2 } END { printf "%.0f\n", s }'
}
site_bytes() {
	section '## All heap sites' "$2" | awk -F'\t' -v c="$1" '$1 ~ /^[0-9]+$/ { s += $c } END { printf "%.0f\n", s }'
}
folded() { # FILE METRIC: the sum of the folded stacks
	"$SMARTPROF" report --format folded --metric "$2" "$1" | awk '{ s += $NF } END { printf "%.0f\n", s }'
}

@test "folded stacks, speedscope, pprof, gperftools and json add up to the profile" {
	SMARTPROF_ENV=critical profiled "$TARGETS/heap_truth" >out
	profile=$(profile_of heap_truth)
	cpu=$(cpu_ns "$profile") in_use=$(site_bytes 3 "$profile")
	peak=$(site_bytes 5 "$profile") allocated=$(site_bytes 1 "$profile")
	[ "$cpu" -gt 0 ] && [ "$peak" -gt 0 ] && [ "$allocated" -gt "$in_use" ]
	[ "$(folded "$profile" cpu)" = "$cpu" ]
	[ "$(folded "$profile" in_use)" = "$in_use" ]
	[ "$(folded "$profile" peak)" = "$peak" ]
	[ "$(folded "$profile" allocated)" = "$allocated" ]
	"$SMARTPROF" report --format folded --metric allocated "$profile" | grep -q ';main;site_malloc_small [0-9]*$'

	"$SMARTPROF" report --format speedscope --metric peak --output s.json "$profile" >out
	[ ! -s out ]
	formats speedscope s.json >sums
	grep -qxF "CPU time	nanoseconds	$cpu" sums
	grep -qxF "Heap in use	bytes	$in_use" sums
	grep -qxF "Heap at peak	bytes	$peak" sums
	grep -qxF "Allocated	bytes	$allocated" sums

	"$SMARTPROF" report --format pprof "$profile" >cpu.pb.gz
	pprof cpu.pb.gz >sums
	grep -qxF "cpu	nanoseconds	$cpu" sums
	grep -qxF "main	$TARGETS/heap_truth	$(front build_id "$profile")" sums
	"$SMARTPROF" report --format pprof --metric in_use "$profile" >heap.pb.gz
	pprof heap.pb.gz >sums
	grep -qxF "inuse_space	bytes	$in_use" sums
	grep -qxF "alloc_space	bytes	$allocated" sums
	grep -qxF "peak_space	bytes	$peak" sums

	"$SMARTPROF" report --format otlp --metric peak "$profile" >all.otlp
	formats otlp all.otlp >sums
	[ "$(head -n 1 sums)" = "peak_space	bytes	$peak" ]
	grep -qxF "cpu	nanoseconds	$cpu" sums
	grep -qxF "inuse_space	bytes	$in_use" sums
	grep -qxF "alloc_space	bytes	$allocated" sums

	"$SMARTPROF" report --format gperftools "$profile" >cpu.prof
	google-pprof --text cpu.prof 2>err >text
	near "$(awk '/^Total: [0-9]+ samples/ { print $2 * 1000 }' text)" "$cpu" 1
	"$SMARTPROF" report --format gperftools --metric in_use "$profile" >heap.prof
	google-pprof --text --show_bytes --alloc_space heap.prof 2>err >text
	grep -q "^Total: $allocated B" text
	grep -Eq ' site_(large|churn)$' text

	"$SMARTPROF" report --format json "$profile" >p.json
	formats json p.json >sums
	grep -qxF "cpu	$cpu" sums
	grep -qxF "allocated	$allocated" sums
}

# wait_ns FILE: of All wait stacks.
wait_ns() { section '## All wait stacks' "$1" | awk -F'\t' '$1 ~ /^[0-9]+$/ { s += $1 } END { printf "%.0f\n", s }'; }

@test "waits, and CPU time with them, are told in every format" {
	profiled "$TARGETS/convoy" 200 >out
	profile=$(profile_of convoy)
	cpu=$(cpu_ns "$profile") wait=$(wait_ns "$profile")
	wall=$((cpu + wait))
	at_least "$wait" 100000000
	[ "$(folded "$profile" wait)" = "$wait" ]
	[ "$(folded "$profile" wall)" = "$wall" ]
	"$SMARTPROF" report --format folded --metric wait "$profile" >folded
	grep -q ';start_thread;add;add_line;\[lock\] [0-9]*$' folded
	grep -q ';flush;flush_log;\[sleep\] [0-9]*$' folded
	refuse grep -vE ';\[(lock|condition|read|write|sync|poll|sleep|child|other)\] [0-9]+$' folded

	"$SMARTPROF" report --format speedscope --metric wait --output s.json "$profile"
	formats speedscope s.json >sums
	grep -qxF "Waiting	nanoseconds	$wait" sums
	grep -qxF "CPU and waiting	nanoseconds	$wall" sums
	"$SMARTPROF" report --format pprof --metric wait "$profile" >wait.pb.gz
	pprof wait.pb.gz >sums
	grep -qxF "off_cpu	nanoseconds	$wait" sums
	"$SMARTPROF" report --format pprof --metric wall "$profile" >wall.pb.gz
	pprof wall.pb.gz >sums
	grep -qxF "cpu	nanoseconds	$cpu" sums
	grep -qxF "off_cpu	nanoseconds	$wait" sums
	grep -qxF "wall	nanoseconds	$wall" sums
	[ "$(grep '^label' sums | cut -f2)" = 'span=flush to disk' ]
	"$SMARTPROF" report --format otlp --metric wall "$profile" >wall.otlp
	formats otlp wall.otlp >sums
	[ "$(head -n 1 sums)" = "wall	nanoseconds	$wall" ]
	grep -qxF "off_cpu	nanoseconds	$wait" sums
	"$SMARTPROF" report --format otlp "$profile" >cpu.otlp
	formats otlp cpu.otlp >sums
	refuse grep '^wall' sums
	"$SMARTPROF" report --format gperftools --metric wait "$profile" >wait.prof
	google-pprof --text wait.prof 2>err >text
	near "$(awk '/^Total: [0-9]+ samples/ { print $2 * 1000 }' text)" "$wait" 1
	"$SMARTPROF" report --format json "$profile" |
		[ "$(python3 -c 'import json, sys; print(sum(s["wait_ns"] for s in json.load(sys.stdin)["wait_stacks"]))')" = "$wait" ]

	SMARTPROF_WAITS=off profiled "$TARGETS/convoy" 20 >out
	"$SMARTPROF" report --format folded --metric wait "$(profile_of convoy)" 2>err >none && return 1
	grep -q 'it holds no stacks of waits' err
}

@test "the checks of the formats can fail" {
	profiled "$TARGETS/cpu_truth" 0.2 >out
	profile=$(profile_of cpu_truth)
	"$SMARTPROF" report --format speedscope "$profile" | sed 's/"nanoseconds"/"fortnights"/' >bad
	refuse formats speedscope bad 2>err
	"$SMARTPROF" report --format pprof "$profile" | gunzip | head -c -1 | gzip >bad
	refuse pprof bad 2>err
	"$SMARTPROF" report --format otlp "$profile" | head -c -1 >bad
	refuse formats otlp bad 2>err
	"$SMARTPROF" report --format html --output page.html "$profile"
	for bad in 'js 1 === 2' 'js nothing.there' 'click document.getElementById("nothing")' \
		'js setTimeout(() => { throw Error("late"); }) > 0' 'js !!fetch("https://example.org/").catch(() => 0)' \
		'js !!document.body.appendChild(Object.assign(document.createElement("img"), {src: "https://example.org/x"}))'; do
		printf '%s\njs 1 === 1\njs 1 === 1\n' "$bad" >steps
		refuse browser page.html steps 2>err
		[ -s err ]
	done
}

@test "labels of spans are labels of samples in pprof and OTLP, which protoc reads by the published field numbers" {
	SMARTPROF_ENV=critical profiled "$TARGETS/spans" requests >out
	profile=$(profile_of spans)
	"$SMARTPROF" report --format pprof --output p.pb.gz "$profile"
	pprof p.pb.gz >pprof
	"$SMARTPROF" report --format otlp --output p.otlp "$profile"
	formats otlp p.otlp >otlp
	diff <(grep '^label' pprof) <(grep '^label' otlp)
	near "$(awk -F'\t' '$2 == "kind=put" { print $3 / 1000000 }' otlp)" 125 25
	near "$(awk -F'\t' '$2 == "span=request › parse" { print $3 / 1000000 }' otlp)" 100 25
	protoc -I"$ROOT/tests/fixtures/otlp" --decode=opentelemetry.proto.profiles.v1development.ProfilesData profiles.proto \
		<p.otlp >text
	grep -q '^ *string_value: "put"$' text
	refuse grep -Eq '^ *[0-9]+[: ]' text # a field that it does not know
}

@test "inlined functions share a location in pprof, and go tool pprof agrees where it is installed" {
	cat >inlined.c <<-'C'
		static inline __attribute__((always_inline)) unsigned mix(unsigned x) { for (int i = 0; i < 1000; i++) x = x * 33 + i; return x; }
		int main(void) { volatile unsigned x = 1; for (int i = 0; i < 300000; i++) x = mix(x); return 0; }
	C
	gcc -O1 -g -o inlined inlined.c
	SMARTPROF_ENV=critical profiled ./inlined
	profile=$(profile_of inlined)
	"$SMARTPROF" report --format pprof --output p.pb.gz "$profile"
	pprof p.pb.gz >sums
	at_least "$(awk '$1 == "inlined" { print $2 }' sums)" 1
	command -v go >/dev/null || skip "no go here"
	go tool pprof -top p.pb.gz >top
	grep -q '^Type: cpu' top
	grep -Eq ' (mix|main)( \(inline\))?$' top
}

@test "a report of stacks that match, from a profile and from the running process alike" {
	profiled "$TARGETS/heap_truth" >out
	profile=$(profile_of heap_truth)
	"$SMARTPROF" report --format folded --metric allocated --focus site_large "$profile" >kept
	grep -q ';site_large ' kept
	grep -q '^\[filtered\] ' kept
	refuse grep -q 'site_churn' kept
	[ "$(awk '{ s += $NF } END { printf "%.0f\n", s }' kept)" = "$(site_bytes 1 "$profile")" ]
	LD_PRELOAD=$AGENT "$TARGETS/cpu_truth" 3 >out 3>&- &
	pid=$!
	for try in $(seq 100); do
		"$SMARTPROF" report --format folded --focus main $pid >live 2>err && grep -q ';main;.* [0-9]*$' live && break
		sleep 0.05
	done
	grep -q ';main;.* [0-9]*$' live
	wait $pid
}

@test "wrong wishes, full disks and profiles without stacks are one line" {
	profiled "$TARGETS/cpu_truth" 0.2 >out
	profile=$(profile_of cpu_truth)
	for wish in '--format fold' '--format' '--metric cpu' '--format json --metric rss' '--format html --top 3' \
		'--format json --by line' '--format folded --full' '--format json --metric cpu' '--lines' '--format html --lines'; do
		# shellcheck disable=SC2086
		status_of 2 "$SMARTPROF" report $wish "$profile" >shown 2>err
		[ "$(wc -l <err)" -eq 1 ] && [ ! -s shown ]
	done
	grep -q "did you mean 'folded'" < <("$SMARTPROF" report --format foldde "$profile" 2>&1)
	grep -q "did you mean 'line'" < <("$SMARTPROF" report --by lin "$profile" 2>&1)
	status_of 2 "$SMARTPROF" compare --format htm "$profile" "$profile" 2>err
	grep -q "did you mean 'html'" err
	for format in markdown html folded speedscope pprof otlp gperftools json; do
		status_of 1 "$SMARTPROF" report --format $format --output /dev/full "$profile" >shown 2>err
		[ "$(wc -l <err)" -eq 1 ]
		status_of 1 "$SMARTPROF" report --format $format "$profile" >/dev/full 2>err
		grep -q 'standard output: No space left on device' err
	done
	status_of 2 "$SMARTPROF" compare --format html --output /dev/full "$profile" "$profile" 2>err
	[ "$(wc -l <err)" -eq 1 ]
	first=$(($(grep -n '^self_user_ns' "$profile" | head -n 1 | cut -d: -f1) + 1))
	sed "${first}s/^[0-9]*/x/" "$profile" >damaged
	for format in markdown html json; do
		status_of 2 "$SMARTPROF" report --format $format damaged >shown 2>err
		grep -q "damaged: line $first: a row of All functions is damaged" err
	done
	awk '/^## / { drop = /All (functions|code|lines|files|modules|frames|CPU stacks|CPU samples|heap sites|heap stacks) / }
		/^## All frames/ { print "## All frames (0)\n\n```tsv\nhead\n```\n" }
		/^<\/details>/ { drop = 0 } !drop' "$profile" >unsampled
	"$SMARTPROF" report --format json unsampled | python3 -c '
import json, sys
j = json.load(sys.stdin)
assert j["facts"] and j["threads"] and "functions" not in j and "heap_sites" not in j'
	status_of 1 "$SMARTPROF" report --format html unsampled >shown 2>err
	grep -q 'heap sampling was off' err
	sed '/^## All mappings/,$d' "$profile" >old.md
	echo '</details>' >>old.md
	"$SMARTPROF" report old.md >shown
	status_of 1 "$SMARTPROF" report --format folded old.md >shown 2>err
	grep -q 'before profiles had stacks' err
}

@test "the page of a profile works in a browser: views, search, zoom, click through, dark and light" {
	profiled "$TARGETS/heap_truth" >out
	profile=$(profile_of heap_truth)
	"$SMARTPROF" report --format html --output page.html "$profile"
	refuse grep -Eq '(src|href)=' page.html
	total=$(site_bytes 1 "$profile")
	cat >steps <<-STEPS
		js document.title === "heap_truth · smartprof"
		js document.getElementById("summary").textContent.startsWith("Verdict (heap_truth): ")
		js document.querySelector("#flame svg").dataset.total === "$(cpu_ns "$profile")"
		js [...document.querySelectorAll("#views button")].map((it) => it.textContent).join() === "CPU time,Heap in use,Heap at peak,Allocated"
		click [...document.querySelectorAll("#views button")].find((it) => it.textContent === "Allocated")
		js document.querySelector("#flame svg").dataset.total === "$total"
		js [...document.querySelectorAll("#table td.name")].some((it) => it.textContent === "site_large")
		hover [...document.querySelectorAll("g.frame")].find((it) => it.querySelector("text").textContent === "main")
		js !document.getElementById("tip").hidden && document.getElementById("tip").textContent.includes("heap_truth.c")
		click [...document.querySelectorAll("g.frame")].find((it) => it.querySelector("text").textContent === "main")
		js !document.getElementById("reset").hidden && document.querySelectorAll("g.frame.outer").length > 0
		js document.getElementById("where").textContent.includes("→ main: ")
		click [...document.querySelectorAll("#details button")].find((it) => it.textContent === "site_large")
		js document.querySelector("#details h2").textContent === "site_large" && document.querySelectorAll("g.frame.chosen").length === 1
		click document.getElementById("search")
		type site_l
		js document.querySelectorAll("g.frame.match").length === 1 && /^[0-9.]+ % matched$/.test(document.getElementById("matched").textContent)
		js document.querySelectorAll("#table tbody tr").length === 1
		js location.hash.includes("search=site_l") && location.hash.includes("view=allocated")
		key Escape
		js document.querySelectorAll("g.frame.match").length === 0 && document.querySelectorAll("#table tbody tr").length > 3
		js getComputedStyle(document.body).backgroundColor === "rgb(251, 251, 250)"
		click document.getElementById("theme")
		js getComputedStyle(document.body).backgroundColor === "rgb(23, 25, 27)"
	STEPS
	browser page.html steps
	echo 'js getComputedStyle(document.body).backgroundColor === "rgb(23, 25, 27)"' >steps
	browser page.html steps dark.png 1400 1000 dark
	cat >steps <<-'STEPS'
		js document.querySelector("#flame svg").dataset.view === "peak" && document.getElementById("search").value === "large"
		js getComputedStyle(document.body).backgroundColor === "rgb(251, 251, 250)"
	STEPS
	browser 'page.html#view=peak&search=large&theme=light' steps light.png 1400 1000 dark
	refuse cmp -s dark.png light.png
}

@test "names that are markup stay text in the page" {
	"$ROOT/tests/e2e/hostile.py" elf "$TARGETS/hostile" 'pro<b>gram'
	profiled ./'pro<b>gram' '</script><img src=x>'
	profile=$(find "$SMARTPROF_DIR" -name 'pro*.md' -not -name 'tree*')
	sed "s/^kernel: .*/kernel: $(printf 'x\xcd\x8f\xe1\x85\x9f\xe1\x85\xa0\xe1\x9e\xb4\xe1\x9e\xb5\xe1\xa0\x8b\xe3\x85\xa4\xef\xb8\x80\xef\xb8\x8f\xef\xbe\xa0y')/" "$profile" >invisible
	"$SMARTPROF" report --format html --output page.html invisible
	refuse grep -q 'alert(1)</script>' page.html
	cat >steps <<-'STEPS'
		js document.scripts.length === 3 && document.querySelectorAll("img, iframe, a, body b, #title i").length === 0
		js document.getElementById("title").textContent === "Profile of pro<b>gram"
		js [...document.querySelectorAll("#table td.name")].some((it) => it.textContent === "<script>alert(1)</script>")
		js !/[\p{Cc}\p{Cf}]/u.test(document.getElementById("table").textContent)
		js document.getElementById("facts").textContent.includes(String.raw`x\u034f\u115f\u1160\u17b4\u17b5\u180b\u3164\ufe00\ufe0f\uffa0y`)
		hover [...document.querySelectorAll("g.frame")].pop()
		js document.querySelectorAll("#tip b").length === 1
	STEPS
	browser page.html steps
	for format in folded speedscope json; do
		"$SMARTPROF" report --format $format "$profile" >out.$format
		iconv -f utf-8 -t utf-8 out.$format >/dev/null
	done
	awk 'NF < 2 || $NF !~ /^[0-9]+$/ { exit 1 }' out.folded
	formats speedscope out.speedscope
	formats json out.json
	"$SMARTPROF" report --format pprof --output out.pprof "$profile"
	pprof out.pprof
	"$SMARTPROF" compare --format html --output both.html "$profile" "$profile"
	cat >steps <<-'STEPS'
		js document.scripts.length === 3 && document.querySelectorAll("img, iframe, a, #title b").length === 0
	STEPS
	browser both.html steps
}

@test "the page of a comparison has the score, the tables and the differential flame graph" {
	for side in old new; do
		SMARTPROF_DIR=$WORK/$side SMARTPROF_ENV=ci timeout -k 5 "$PATIENCE" "$SMARTPROF" run --repeat 6 -- \
			"$TARGETS/cpu_truth" "$([ $side = old ] && echo 0.2 || echo 0.5)" >/dev/null
	done
	status_of 1 "$SMARTPROF" compare --format json old/ci new/ci >c.json
	status_of 1 "$SMARTPROF" compare --format html --output c.html old/ci new/ci
	score=$(python3 -c 'import json; print("%g" % round(json.load(open("c.json"))["score"], 1))')
	cat >steps <<-STEPS
		js document.querySelector(".score .value").textContent.startsWith("$score")
		js document.getElementById("summary").textContent.includes("Regression: cpu_truth, 6 baseline and 6 current runs")
		js [...document.querySelectorAll(".card h2")].map((it) => it.textContent).join().startsWith("Totals,Regressions")
		js document.querySelectorAll("g.frame.grew").length > 3
		js [...document.querySelectorAll("g.frame.grew")].some((it) => +it.style.getPropertyValue("--i") > 0.5)
		js document.getElementById("where").textContent.includes(" became ")
		click [...document.querySelectorAll("#widths button")].find((it) => it.textContent === "Baseline")
		js location.hash.includes("widths=baseline")
		click [...document.querySelectorAll(".card td.name button")][0]
		js document.querySelectorAll("g.frame.chosen").length > 0 && document.querySelector("#details h2").textContent === document.querySelector(".card td.name button").textContent
	STEPS
	browser c.html steps diff.png
	"$SMARTPROF" compare --format html --output back.html new/ci old/ci
	echo 'js document.querySelectorAll("g.frame.shrank").length > 3 && document.querySelectorAll("g.frame.grew").length < 4' >steps
	browser back.html steps
}

@test "flame graphs of real programs" {
	head -c 3000000 /usr/bin/python3.11 >input
	SMARTPROF_ENV=ci profiled xz -1 -k -c input >/dev/null
	SMARTPROF_ENV=ci profiled python3 -c 'import json; d = {str(i): [i] * 9 for i in range(60000)}; [json.loads(json.dumps(d)) for _ in range(3)]'
	echo 'CREATE TABLE t(x); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000) INSERT INTO t SELECT random() FROM n; CREATE INDEX i ON t(x); SELECT count(DISTINCT x) FROM t;' >job.sql
	SMARTPROF_ENV=ci profiled sqlite3 :memory: <job.sql
	printf '#include <stdio.h>\n#include <math.h>\nint main(void) { return puts("x") > 0; }\n' >one.c
	for i in $(seq 600); do echo "double f$i(double x) { for (int i = 0; i < 9; i++) x += x * $i; return x; }"; done >>one.c
	SMARTPROF_ENV=ci profiled gcc -O2 -c -o one.o one.c
	for program in xz python3 sqlite3 cc1; do
		profile=$(find "$SMARTPROF_DIR" -name "$program*.md" -not -name 'tree*' | head -n 1)
		[ -n "$profile" ] || fail "no profile of $program"
		[ "$(folded "$profile" cpu)" = "$(cpu_ns "$profile")" ]
		"$SMARTPROF" report --format pprof --metric allocated "$profile" >p.pb.gz
		pprof p.pb.gz >sums
		grep -qxF "alloc_space	bytes	$(site_bytes 1 "$profile")" sums
		"$SMARTPROF" report --format html --output page.html "$profile"
		printf 'js document.querySelectorAll("g.frame").length > 5\njs document.querySelector("#flame svg").dataset.total === "%s"\n' \
			"$(cpu_ns "$profile")" >steps
		browser page.html steps
	done
}
