# The page of a profile, used as a person uses it.
load helpers

# A thread that works early, one that works late, and main, which allocates; $1 is its name.
setup_file() {
	export PAGES=$BATS_FILE_TMPDIR/pages
	mkdir -p "$PAGES"
	cd "$PAGES" || return 1
	cat >phases.c <<-'C'
		#define _GNU_SOURCE
		#include <pthread.h>
		#include <stdlib.h>
		#include <string.h>
		#include <time.h>
		static volatile unsigned long sink;
		static double cpu(clockid_t clock) { struct timespec t; clock_gettime(clock, &t); return t.tv_sec + t.tv_nsec / 1e9; }
		__attribute__((noinline)) void inner(int n)
		{
			for (int i = 0; i < n; i++) {
				sink += i * sink; /* two lines that take as long */
				sink += 7 * sink;
			}
		}
		__attribute__((noinline)) void early_work(void) { inner(40000); }
		__attribute__((noinline)) void late_work(void) { inner(40000); }
		static void *early(void *a) { while (cpu(CLOCK_THREAD_CPUTIME_ID) < 0.4) early_work(); return a; }
		static void *late(void *a) { while (cpu(CLOCK_THREAD_CPUTIME_ID) < 0.4) late_work(); return a; }
		__attribute__((noinline)) void *keep(size_t n) { return memset(malloc(n), 1, n); }
		int main(void)
		{
			pthread_t t;
			void *kept = keep(5 << 20);
			pthread_create(&t, NULL, early, NULL); pthread_setname_np(t, "early"); pthread_join(t, NULL);
			pthread_create(&t, NULL, late, NULL); pthread_setname_np(t, "late"); pthread_join(t, NULL);
			sink += (unsigned long)kept;
			return 0;
		}
	C
	gcc -O1 -g -pthread -o phases phases.c
}

# Writes $PROFILE and page.html of the program above.
make_page() {
	cp "$PAGES"/phases* .
	SMARTPROF_ENV=critical profiled ./phases
	PROFILE=$(profile_of phases)
	"$SMARTPROF" report --format html --output page.html "$PROFILE"
	cat >names.js <<-'JS'
		window.names = () => [...document.querySelectorAll("#table td.name")].map((it) => it.textContent)
		window.frame = (name) => [...document.querySelectorAll("g.frame")].find((it) => it.querySelector("text").textContent === name)
		window.press = (id, text) => [...document.querySelectorAll(id + " button")].find((it) => it.textContent === text)
		window.pick = (id, text) => { const it = document.getElementById(id); it.value = [...it.options].find((o) => o.textContent.startsWith(text)).value; it.dispatchEvent(new Event("change")); }
	JS
	sed 's/^window/js !!(window/; s/$/) || true/' names.js >steps
}

@test "samples in the order of time say which thread worked when, and add up" {
	make_page
	"$SMARTPROF" validate "$PROFILE" >out
	"$SMARTPROF" report --format json "$PROFILE" | python3 -c '
import collections, json, sys
j = json.load(sys.stdin)
names = {t["tid"]: t["name"] for t in j["threads"]}
of = lambda s: {j["frames"][f]["function"] for f in j["cpu_stacks"][s]["frames"]}
when = collections.defaultdict(list)
for row in j["cpu_samples"]:
    for stack, count in row["stacks"]:
        for f in ("early_work", "late_work"):
            if f in of(stack):
                when[f, names[row["tid"]]].append(row["slice"])
assert set(when) == {("early_work", "early"), ("late_work", "late")}, set(when)
assert max(when["early_work", "early"]) <= min(when["late_work", "late"]), when
taken = sum(count for row in j["cpu_samples"] for _, count in row["stacks"])
assert taken == sum(s["samples"] for s in j["cpu_stacks"]), taken
assert sum(s["cpu_ns"] for s in j["slices"]) > 0.7e9
assert j["slices"][-1]["end_ns"] > 0.8e9 and max(s["heap_bytes"] for s in j["slices"]) > 4e6
assert max(s["rss_bytes"] for s in j["slices"]) > 5e6'
	"$SMARTPROF" report --format speedscope "$PROFILE" | python3 -c '
import json, sys
j = json.load(sys.stdin)
names = [f["name"] for f in j["shared"]["frames"]]
assert len(set((f["name"], f.get("file")) for f in j["shared"]["frames"])) == len(names)
order = [[n for n in (names[f] for f in stack) if n in ("early_work", "late_work")] for stack in j["profiles"][0]["samples"]]
order = [n[0] for n in order if n]
assert "early_work" in order and "late_work" in order and order == sorted(order), order'
	"$SMARTPROF" report --format speedscope --lines "$PROFILE" >lines.json
	at_least "$(python3 -c 'import json; print(sum(f["name"] == "inner" for f in json.load(open("lines.json"))["shared"]["frames"]))')" 2
}

@test "damaged tables of samples are refused, with the line" {
	make_page
	row=$(($(grep -n '^## All CPU samples' "$PROFILE" | cut -d: -f1) + 4))
	for damage in 's/^[0-9]*/500/' 's/[0-9*]*$/999999/' 's/[0-9*]*$/1*0/' 's/\t[0-9]*\t/\t-1\t/' 's/$/ x/'; do
		sed "$row$damage" "$PROFILE" >bad
		status_of 2 "$SMARTPROF" report --format html bad >shown 2>err
		grep -q "line $row: " err
		status_of 1 "$SMARTPROF" validate bad >shown 2>&1
	done
}

@test "the timeline, threads and modules choose what is shown, and a link holds it" {
	make_page
	cat >>steps <<-'STEPS'
		js document.querySelectorAll("path.lane").length === 3
		js names().includes("early_work") && names().includes("late_work")
		drag 0.02 0.2 document.querySelector(".brush .overlay")
		js names().includes("early_work") && !names().includes("late_work")
		js /^[0-9]\.[0-9]+ s to [0-9]\.[0-9]+ s: CPU at most [01]\.[0-9]+ cores, RSS/.test(document.getElementById("range").textContent)
		js +document.querySelector("#flame svg").dataset.total < 0.5e9 && location.hash.includes("time=")
		click press("#views", "Heap at peak")
		js !document.getElementById("timed").hidden && names().includes("keep")
		click press("#views", "CPU time")
		key Escape
		js names().includes("late_work") && !location.hash.includes("time=")
		js !!(document.getElementById("timeline").focus() || true)
		key ArrowLeft
		js names().includes("late_work") && !names().includes("early_work")
		key Escape
		js !pick("thread", "early")
		js names().includes("early_work") && !names().includes("late_work") && /thread=[0-9]+/.test(location.hash)
		js !pick("thread", "All")
		js !pick("module", "through phases")
		js names().includes("early_work") && !names().includes("[unsampled]")
		click document.getElementById("link")
		js new Promise((done) => setTimeout(() => done(["Link copied"].includes(document.getElementById("said").textContent)), 300))
	STEPS
	browser page.html steps
	head -n 4 steps >later
	echo 'js names().includes("early_work") && !names().includes("late_work") && document.querySelector("#flame svg").dataset.layout === "up"' >>later
	browser "page.html#view=cpu&layout=up&time=0-3" later
	echo 'js location.hash.includes("view=cpu")' >later
	browser "page.html#view=none&time=9-3&thread=1&module=x&zoom=99999.-1&function=77777777&layout=sideways" later
}

@test "what threads wait for has a flame graph of its own, and one with CPU time, coloured by kind" {
	profiled "$TARGETS/convoy" 200 >out
	"$SMARTPROF" report --format html --metric wall --output page.html "$(profile_of convoy)"
	cat >steps <<-'STEPS'
		js !!(window.press = (id, text) => [...document.querySelectorAll(id + " button")].find((it) => it.textContent === text))
		js !!(window.hues = (kind) => [...new Set([...document.querySelectorAll(`g.frame[data-wait="${kind}"]`)].map((it) => it.style.getPropertyValue("--h")))].join())
		js !!(window.total = () => Number(document.querySelector("#flame svg").dataset.total))
		js document.querySelector("#flame svg").dataset.view === "wall"
		js !!(window.wall = total())
		js hues("[lock]") === "0" && hues("[sleep]") === "100"
		js [...document.querySelectorAll("#legend span")].some((it) => it.textContent.startsWith("[lock] "))
		click press("#views", "Waiting")
		js !!(window.waited = total()) && waited < wall && hues("[lock]") === "0"
		js /^Waiting, [0-9.]+ m?s in all/.test(document.getElementById("where").textContent)
		click press("#views", "CPU time")
		js Math.abs(total() + waited - wall) < 10 && hues("[lock]") === ""
		click press("#layouts", "Sandwich")
		click press("#views", "Waiting")
		js document.querySelector("#flame svg").dataset.view === "wait" && location.hash.includes("view=wait")
	STEPS
	browser page.html steps
}

@test "bottom-up, sandwich, lines, keys and the verdict's links" {
	make_page
	cat >>steps <<-'STEPS'
		click press("#layouts", "Bottom-up")
		js frame("inner").getBoundingClientRect().y < frame("late_work").getBoundingClientRect().y
		click frame("late_work")
		js document.getElementById("where").textContent.includes("inner ← late_work: ")
		click press("#layouts", "Sandwich")
		js document.querySelectorAll("g.frame.chosen").length === 1 && frame("late_work").classList.contains("chosen")
		js frame("late").getBoundingClientRect().y < frame("late_work").getBoundingClientRect().y && frame("inner").getBoundingClientRect().y > frame("late_work").getBoundingClientRect().y
		click frame("inner")
		js frame("early_work").getBoundingClientRect().y < frame("inner").getBoundingClientRect().y && document.querySelector("#details h2").textContent === "inner"
		js [...document.querySelectorAll("#details td.name")].some((it) => /^phases\.c:1[0-9]$/.test(it.textContent))
		js location.hash.includes("layout=sandwich") && location.hash.includes("function=")
		click press("#layouts", "Top-down")
		key Escape
		js !!(document.getElementById("flame").focus() || true)
		key ArrowDown
		key ArrowDown
		js document.querySelectorAll("g.frame.cursor").length === 1
		key Enter
		js location.hash.includes("zoom=") && !document.getElementById("reset").hidden
		key Backspace
		js !location.hash.includes("zoom=")
		click [...document.querySelectorAll("#verdict button")].find((it) => it.textContent === "inner")
		js document.querySelector("#details h2").textContent === "inner"
		js [...document.querySelectorAll("#report summary")].map((it) => it.textContent).join().includes("Threads,Modules,Files,Heap Profile,")
		click [...document.querySelectorAll("#report summary")].find((it) => it.textContent === "Data Quality")
		js document.getElementById("section-data-quality").open && document.getElementById("section-data-quality").querySelectorAll("li").length > 5
		js document.getElementById("section-threads").querySelector("table").textContent.includes("early")
	STEPS
	browser page.html steps
}

@test "names come first on a phone, print is plain, and the theme is remembered" {
	make_page
	cat >phone <<-'STEPS'
		js document.documentElement.scrollWidth <= innerWidth
		js [...document.querySelectorAll("#table tbody tr")].every((it) => it.querySelector("td.name").getBoundingClientRect().y < it.querySelector("td.number").getBoundingClientRect().y)
		click document.getElementById("theme")
		js document.documentElement.dataset.theme === "dark"
		reload
		js document.documentElement.dataset.theme === "dark"
		print
		js getComputedStyle(document.body).backgroundColor === "rgb(255, 255, 255)" && getComputedStyle(document.querySelector("#chart > .bar")).display === "none"
	STEPS
	browser page.html phone phone.png 390 844
}

@test "sections and samples of hostile text stay text in the page" {
	make_page
	"$SMARTPROF" report --format html --output plain.html "$PROFILE"
	sed -E '/^# Data Quality/a - <img src=x onerror=alert(1)> `</script>` **<b>** [a](javascript:alert(1)) '$'\u202e''x | y' "$PROFILE" |
		sed 's/early_work/a"><\/script><script>alert(1)<\/script>/g' >evil.txt
	"$SMARTPROF" report --format html --output evil.html evil.txt
	cat >evil <<-'STEPS'
		js document.scripts.length === 3 && document.querySelectorAll("img, iframe, a").length === 0
		js document.getElementById("section-data-quality").textContent.includes("<img src=x onerror=alert(1)> </script> <b> [a](javascript:alert(1)) \\u202ex | y")
		js [...document.querySelectorAll("#table td.name")].some((it) => it.textContent === `a"></script><script>alert(1)</script>`)
		js !/[\p{Cf}]/u.test(document.body.textContent)
	STEPS
	browser evil.html evil
}
