# The dashboard of a history, used as a person uses it.
load helpers

# Two profiles of one program, the second with more to do in one function; a history of 60 days that steps between them.
setup_file() {
	export MADE=$BATS_FILE_TMPDIR/made
	mkdir -p "$MADE"
	cd "$MADE" || return 1
	cat >steps.c <<-'C'
		#include <stdlib.h>
		static volatile unsigned long sink;
		__attribute__((noinline)) void inner(int n)
		{
			for (int i = 0; i < n; i++)
				sink += i * sink;
		}
		__attribute__((noinline)) void steady(void) { inner(40000000); }
		__attribute__((noinline)) void slower(int k) { inner(40000000 * k); }
		int main(int argc, char **argv) { steady(); slower(atoi(argv[argc - 1])); return 0; }
	C
	gcc -O1 -g -o steps steps.c
	export SMARTPROF_HISTORY=off SMARTPROF_ENV=development
	for k in 1 3; do
		"$ROOT/build/smartprof" run --output "$MADE/$k.md" ./steps $k 2>/dev/null || return 1
	done
	make -s --no-print-directory -C "$ROOT" build/bench/dashboard_history
}

# usage: make_history RUNS [COMMIT…]
make_history() {
	export SMARTPROF_HISTORY=$WORK/history.db
	"$ROOT/build/bench/dashboard_history" "$SMARTPROF_HISTORY" "$MADE/1.md" "$MADE/3.md" "$@"
}

common_steps() {
	cat <<-'STEPS'
		js !!(window.press = (text, box = "#view") => [...document.querySelectorAll(box + " button")].find((it) => it.textContent.startsWith(text)))
		js !!(window.pick = (id, text) => { const it = document.getElementById(id); it.value = [...it.options].find((o) => o.textContent.startsWith(text)).value; it.dispatchEvent(new Event("change")); return true; })
		js !!(window.rows = () => [...document.querySelectorAll("#overview tbody tr, #versus tbody tr")].map((it) => it.textContent))
		js document.documentElement.scrollWidth <= innerWidth
	STEPS
}

@test "a history of 1,000 runs is a page of less than 1 MB, and a change point leads to commits and the stacks of both sides" {
	git init -q repo && cd repo
	git config user.email a@b.example && git config user.name 'A &amp; B'
	for i in $(seq 20); do git commit -q --allow-empty -m "Commit $i </script><b>"; done
	# shellcheck disable=SC2046 # hashes
	make_history 1000 $(git log --reverse --format=%H)
	"$SMARTPROF" dashboard >out
	[ "$(cat out)" = "dashboard: $WORK/dashboard.html" ]
	[ "$(stat -c %a "$WORK/dashboard.html")" = 600 ]
	page=$WORK/dashboard.html
	[ "$(stat -c %s "$page")" -lt 1000000 ]
	refuse grep -q '</script><b>' "$page"
	{
		common_steps
		cat <<-'STEPS'
			js rows().length === 10 && document.getElementById("counts").textContent.startsWith("10 rows: ")
			js rows().filter((it) => it.includes("▲ worse")).every((it) => it.startsWith("sqlite3") || it.startsWith("evil")) && rows().filter((it) => it.includes("▼ better")).every((it) => it.startsWith("xz"))
			js document.querySelectorAll("#overview svg.spark path.thread").length === 10
			js document.scripts.length === 3 && document.querySelectorAll("img, iframe, a, u, #view b, #view i:not(.legend i)").length === 0 && !window.broken
			js !/[\p{Cf}\p{Cc}]/u.test(document.getElementById("view").textContent)
			click press("sqlite3")
			js location.hash.includes("page=trend") && location.hash.includes("series=")
			js +document.querySelector("#trend svg").dataset.points > 100 && document.querySelectorAll("#trend .thread").length === 2 && document.querySelectorAll("#trend .change").length >= 2
			click [...document.querySelectorAll("#trend .change rect")].pop()
			js location.hash.includes("page=change") && /Wall time \+1\d %, /.test(document.getElementById("view").textContent)
			js /^With 95 % confidence it began at (this run|one of \d runs, after 20.* and by 20.*)\.$/.test(document.getElementById("place-of-change").textContent)
			js document.querySelectorAll("#around rect.reach").length === document.querySelectorAll("#around .change:not(.suspected)").length
			js [...document.querySelectorAll("#around rect.reach")].every((it) => it.getBBox().width >= 1 && it.getBBox().height > 100)
			js document.getElementById("view").textContent.includes("Commit 13 </script><b>") && document.getElementById("view").textContent.includes("A &amp; B")
			js !document.getElementById("chart").hidden && [...document.querySelectorAll("g.frame.grew text")].some((it) => it.textContent === "slower")
			js document.getElementById("where").textContent.startsWith("CPU time, ")
			js document.querySelector("#causes tbody tr td").textContent === "work</script>"
			reload
			js location.hash.includes("page=change") && !document.getElementById("chart").hidden
		STEPS
	} >steps
	browser "$page" steps shot.png 1400 1000
}

@test "views, filters, keys and CSV; the address holds what is shown" {
	make_history 20
	"$SMARTPROF" dashboard --output . >out
	[ "$(cat out)" = "dashboard: ./index.html" ]
	"$ROOT/tests/e2e/dashboard_data.py" index.html page.html 1000
	[ "$(stat -c %s page.html)" -lt 1000000 ]
	{
		common_steps
		cat <<-'STEPS'
			js !window.broken && rows().length === 10
			click press("Only sure")
			js rows().every((it) => /▲ worse|▼ better/.test(it)) && location.hash.includes("calm=false")
			key Escape
			click press("Only sure")
			key /
			type xz
			js rows().length === 2 && rows().every((it) => it.startsWith("xz"))
			key Escape
			js rows().length === 10
			js pick("metric", "Every")
			js rows().length === 60
			js pick("metric", "Wall") && pick("machine", "Xeon")
			js rows().length === 5 && location.hash.includes("machine=0123456789abcdef")
			js pick("branch", "feature/</script>") && location.hash.includes("branch=feature")
			reload
			js document.getElementById("branch").selectedOptions[0].textContent.startsWith("feature/")
		STEPS
		common_steps
		cat <<-'STEPS'
			js pick("branch", "All") && location.hash.includes("branch=*")
			js pick("branch", "main") && pick("machine", "All") && !location.hash.includes("branch")
			key 3
			js location.hash.includes("page=versus") && rows().length === 10 && rows().every((it) => /better|no sure change/.test(it))
			js document.querySelectorAll("#versus svg.dumbbell circle").length === 10
			click press("Machines")
			js rows().length === 5 && rows().every((it) => /▲ worse|no sure change/.test(it)) && location.hash.includes("b=fedcba")
			click press("Before")
			js rows().filter((it) => it.startsWith("xz")).every((it) => it.includes("better")) && rows().some((it) => it.startsWith("xz"))
			js !!(window.URL.createObjectURL = (blob) => { window.saved = blob.text(); return "blob:null/x"; })
			js !!(HTMLAnchorElement.prototype.click = function () { window.savedAs = this.download; }) || true
			click document.getElementById("csv")
			js saved.then((text) => text.startsWith("command,environment,metric,first,") && text.split("\r\n").length > 10 && savedAs === "smartprof-versus.csv")
			key 2
			js !!(document.getElementById("trend").focus() || true)
			key ArrowLeft
			key ArrowLeft
			js / · \d{4}-\d\d-\d\d /.test(document.getElementById("reading").textContent)
			key Enter
			js location.hash.includes("page=run") && location.hash.includes("run=")
			click press("Later")
			js !!document.querySelector("#figures")
			key 6
			js document.getElementById("health").textContent.includes("1000") && document.querySelectorAll("#noise tbody tr").length === 10
			key 4
			js document.querySelectorAll("#view tr").length === 4
			click press("Wall time +18 %")
			js document.querySelectorAll("#causes tr").length === 3 && document.querySelector("p.same").textContent.startsWith("The program is the same build")
		STEPS
	} >steps
	browser page.html steps
	echo 'js location.hash === "#page=overview" || document.querySelectorAll("#overview tbody tr").length === 10' >later
	browser 'page.html#page=none&series=zz&metric=<b>&branch=x&machine=__proto__&since=9e9&run=<i>&change=.&by=constructor&a=-1&b=%00' later
}

@test "on a phone commands come first, nothing is wider than the window, and print is plain" {
	make_history 300
	"$SMARTPROF" dashboard --output page.html >out
	{
		common_steps
		for page in 2 3 4 5 6 1; do
			echo "key $page"
			echo 'js document.documentElement.scrollWidth <= innerWidth'
		done
		cat <<-'STEPS'
			js [...document.querySelectorAll("#overview tbody tr")].every((it) => it.querySelector("td.name").getBoundingClientRect().y < it.querySelector("td.number").getBoundingClientRect().y)
			click document.getElementById("theme")
			js document.documentElement.dataset.theme === "dark"
			reload
			js document.documentElement.dataset.theme === "dark"
			print
			js getComputedStyle(document.body).backgroundColor === "rgb(255, 255, 255)" && getComputedStyle(document.querySelector("nav")).display === "none"
		STEPS
	} >steps
	browser page.html steps shot.png 390 844
}

# asked METHOD PATH HOST [NAME VALUE]: status, then the body's beginning
asked() {
	python3 - "$PORT" "$@" <<-'PY'
		import http.client, sys
		port, method, path, host, *more = sys.argv[1:]
		c = http.client.HTTPConnection("127.0.0.1", int(port), timeout=30)
		c.putrequest(method, path, skip_host=True)
		if host:
		    c.putheader("Host", host)
		if more:
		    c.putheader(*more)
		c.endheaders()
		r = c.getresponse()
		print(r.status, r.getheader("ETag"), r.getheader("Content-Type"), r.getheader("X-Frame-Options"), r.read()[:60])
	PY
}

@test "served, the page follows the history; only this machine, only reading, only by its own names" {
	make_history 100
	"$SMARTPROF" dashboard --serve 127.0.0.1:0 >address 2>err &
	server=$!
	eventually test -s address
	PORT=$(sed -nE 's#^dashboard: http://127.0.0.1:([0-9]+)/ until Ctrl-C$#\1#p' address)
	[ -n "$PORT" ]
	asked GET / localhost:"$PORT" | grep -q '^200 .*text/html; charset=utf-8 DENY'
	asked GET /data.json 127.0.0.1 >got
	grep -q '^200 .*application/json' got
	tag=$(cut -d' ' -f2 got)
	asked GET /data.json 127.0.0.1 If-None-Match "$tag" | grep -q '^304 '
	asked GET / evil.example:"$PORT" | grep -q '^421 '
	asked GET / localhost.evil.example | grep -q '^421 '
	asked GET /../etc/passwd localhost | grep -q '^404 '
	asked POST / localhost | grep -q '^405 '
	asked HEAD / localhost | grep -q "^200 .*b''$"
	status_of 1 "$SMARTPROF" dashboard --serve "$PORT" 2>busy
	grep -q '^smartprof: dashboard: --serve: Address already in use; ' busy
	{
		common_steps
		cat <<-'STEPS'
			js document.querySelectorAll("#overview tbody tr").length > 3
			key 6
			js document.getElementById("health").textContent.includes("Runs100")
			touch seen
		STEPS
	} >steps
	echo 'js new Promise((done) => { const look = () => { document.dispatchEvent(new Event("visibilitychange")); document.getElementById("health").textContent.includes("Runs201") ? done(true) : setTimeout(look, 300); }; look(); })' >>steps
	(
		eventually test -e seen
		make_history 101
	) &
	browser "http://127.0.0.1:$PORT/" steps
	kill -INT "$server"
	wait "$server"
	[ ! -s err ]
}

@test "in a repository the page shows the repository's history, which monitor keeps" {
	git init -q project
	cd project
	unset SMARTPROF_HISTORY
	SMARTPROF_ENV=development "$SMARTPROF" monitor --runs 3 -- true >monitor.txt
	"$SMARTPROF" baseline save '<b>first' --because 'a & "b"' >/dev/null
	SMARTPROF_ENV=development "$SMARTPROF" monitor --runs 3 -- true >monitor.txt
	"$SMARTPROF" baseline save >/dev/null
	"$SMARTPROF" dashboard --output page.html
	grep -q '"program":"true"' page.html
	{
		common_steps
		cat <<-'STEPS'
			click press("true")
			js document.querySelectorAll("#trend .baseline").length === 2 && document.querySelectorAll(".small-plot .baseline").length === 0
			js [...document.querySelectorAll("#trend .baseline")].every((it) => it.querySelector("line").getBBox().width > 5)
			js /^Baseline <b>first: .*, the median of 3 runs, made \d{4}-.*, because: a & "b"$/.test(document.querySelector("#trend .baseline").getAttribute("aria-label"))
			js /^Baseline .*, the median of 6 runs/.test(document.querySelectorAll("#trend .baseline")[1].getAttribute("aria-label"))
			js document.querySelector(".legend").textContent.includes("⚑ baseline")
			hover document.querySelector("#trend .baseline rect")
			js !document.getElementById("tip").hidden && document.getElementById("tip").textContent.startsWith("Baseline ")
		STEPS
	} >steps
	browser page.html steps
	"$SMARTPROF" baseline delete '<b>first'
	"$SMARTPROF" dashboard --output page.html
	[ "$(grep -o '"because":' page.html | wc -l)" -eq 1 ]
}

@test "what cannot be shown or served is one line" {
	export SMARTPROF_HISTORY=$WORK/none.db
	status_of 1 "$SMARTPROF" dashboard 2>err
	grep -q "^smartprof: dashboard: .*$WORK/none.db.*; nothing has been kept yet" err
	status_of 2 "$SMARTPROF" dashboard --serve example.com:80 2>err
	grep -q "^smartprof: dashboard: --serve: 'example.com:80' is no address; " err
	status_of 2 "$SMARTPROF" dashboard --serve 0.0.0.0:80 2>err
	grep -q '^smartprof: dashboard: --serve: other machines could read the history at 0.0.0.0:80; say --allow-remote' err
	echo no >"$SMARTPROF_HISTORY"
	status_of 1 "$SMARTPROF" dashboard 2>err
	[ "$(wc -l <err)" -eq 1 ]
	SMARTPROF_HISTORY=off status_of 1 "$SMARTPROF" dashboard 2>err
	[ "$(wc -l <err)" -eq 1 ]
	rm "$SMARTPROF_HISTORY"
	make_history 50
	status_of 2 "$SMARTPROF" dashboard --output /nowhere/x 2>err
	[ "$(wc -l <err)" -eq 1 ]
	status_of 2 "$SMARTPROF" dashboard --serve --output x 2>err
	[ "$(wc -l <err)" -eq 1 ]
}
