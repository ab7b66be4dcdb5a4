# Source text beside hot lines: where it fits, and nowhere else.
load helpers

# A program below $PWD whose time is in spin(), and its profile.
make_program() {
	mkdir -p src
	cat >src/spin.c <<-'C'
		#include <stdlib.h>
		#include <time.h>
		static volatile unsigned long sink;
		const char *password = "correct-horse-battery";

		__attribute__((noinline)) void spin(unsigned long n)
		{
			const char *api_token = "ghp_0123456789abcdefghijABCDEFGHIJ012345";
			sink += api_token[0];
			for (unsigned long i = 0; i < n; i++)
				sink = sink * 31 + i; /* <b>``` */
		}

		int main(void)
		{
			while (clock() < CLOCKS_PER_SEC / 3)
				spin(100000);
			return 0;
		}
	C
	gcc -O1 -g -o prog src/spin.c
	touch -d '1 hour ago' src/spin.c
	[ $# -eq 0 ] || "$@"
	SMARTPROF_ENV=${ENV:-critical} profiled ./prog
	PROFILE=$(profile_of prog)
}

# No text of the source in the profile, and this as the reason in `report --source`.
not_shown() {
	refuse grep -q 'sink \* 31' "$PROFILE"
	"$SMARTPROF" report --source spin "$PROFILE" >shown
	refuse grep -q 'sink \* 31' shown
	grep -q "^No source text: .*$1" shown
	grep -Eq '^ +[0-9.]+% +[0-9.]+% +11' shown
	"$SMARTPROF" report --format html --output page.html "$PROFILE"
	refuse grep -q 'sink \* 31' page.html
}

@test "hot lines have their text in the profile, in report --source and on the page" {
	make_program
	grep -Eq '^ +[0-9.]+% +11  +sink = sink \* 31 \+ i; /\* <b>``` \*/$' "$PROFILE"
	grep -Eq '^ +12  \}$' "$PROFILE"
	"$SMARTPROF" report --source spin "$PROFILE" >shown
	grep -Eq '^ +6  __attribute__\(\(noinline\)\) void spin' shown
	grep -Eq '^ +[0-9.]+% +[0-9.]+% +11  +sink = sink \* 31' shown
	grep -Eq '^ +12  \}$' shown
	refuse grep -q 'int main' shown
	grep -q 'api_token' src/spin.c
	refuse grep -q -e ghp_ -e correct-horse shown "$PROFILE"
	grep -Eq '^ +8  \[redacted\]$' shown
	"$SMARTPROF" report --source main "$PROFILE" >shown
	grep -Eq '^ +[0-9.]+% +17  +spin\(100000\);$' shown
	"$SMARTPROF" report --format html --output page.html "$PROFILE"
	refuse grep -q -e ghp_ -e correct-horse page.html
	cat >steps <<-'STEPS'
		click [...document.querySelectorAll("#table td.name button")].find((it) => it.textContent === "spin")
		js [...document.querySelectorAll("#details .source .hot code")].some((it) => it.textContent.includes("sink = sink"))
		js [...document.querySelectorAll("#details .source div")].some((it) => it.textContent.includes("11") && it.querySelector("code").textContent.endsWith("sink = sink * 31 + i; /* <b>``` */") && it.className === "hot")
		js [...document.querySelectorAll("#details .source code")].some((it) => it.textContent === "[redacted]")
		js document.documentElement.scrollWidth <= innerWidth
	STEPS
	"$ROOT/tests/e2e/browser.py" page.html steps
	"$ROOT/tests/e2e/browser.py" page.html steps phone.png 390 844
}

@test "source that is newer, a link, a FIFO, hidden, private or elsewhere is not shown, nor any in production" {
	make_program touch src/spin.c
	not_shown 'newer than the program'
	rm -r "$SMARTPROF_DIR"
	make_program eval 'mv src/spin.c other.c; ln -s ../other.c src/spin.c'
	not_shown 'not there, or cannot be read'
	rm -r "$SMARTPROF_DIR" src other.c
	make_program eval 'mv src real; ln -s real src'
	not_shown 'not there, or cannot be read'
	rm -r "$SMARTPROF_DIR" src real
	make_program eval 'rm src/spin.c; mkfifo src/spin.c'
	not_shown 'not there, or cannot be read'
	rm -r "$SMARTPROF_DIR" src
	make_program chmod 600 src/spin.c
	not_shown 'not readable by all who may read profiles'
	rm -r "$SMARTPROF_DIR" src
	ENV=production make_program
	refuse grep -q 'sink \* 31' "$PROFILE"
	rm -r "$SMARTPROF_DIR" src
	make_program
	sed 's/^environment: critical/environment: production/; /sink \* 31/d' "$PROFILE" >production.txt
	PROFILE=production.txt
	"$SMARTPROF" report --source spin "$PROFILE" >shown
	refuse grep -q 'sink \* 31' shown
	grep -q '^No source text: .*production' shown
	"$SMARTPROF" report --format html --output page.html "$PROFILE"
	refuse grep -q 'sink \* 31' page.html
	sed -i 's/^environment: production/environment: several/' "$PROFILE" # merged: one of them may have been production's
	"$SMARTPROF" report --source spin "$PROFILE" >shown
	refuse grep -q 'sink \* 31' shown
	rm -r "$SMARTPROF_DIR"
	make_program eval 'touch -d "1 hour" prog'
	not_shown 'newer than the run'
	rm -r "$SMARTPROF_DIR" src prog
	mkdir elsewhere
	(cd elsewhere && make_program eval 'cp prog ..')
	rm -r "$SMARTPROF_DIR" && mkdir -p here && cd here && mv ../prog .
	SMARTPROF_ENV=critical profiled ./prog
	PROFILE=$(profile_of prog)
	not_shown 'not below the directories'
}

@test "a source file's hostile name stays inside the block" {
	make_program eval 'sed -i "s/sink += api_token.0.;/while (++sink % (n \/ 8));/" src/spin.c
		gcc -O1 -g -o prog src/spin.c; touch -d "1 hour ago" src/spin.c'
	# In All frames a row names its function, or its row of All functions, or is as the row above; here each of spin's has the row, and line 9's file is another.
	awk -F'\t' -v OFS='\t' '
		/^## / { table = $2 == "" ? $0 : ""; n = 0 }
		table ~ /^## All functions/ && /^[0-9]/ { if ($9 == "spin") spin = n; n++ }
		table ~ /^## All frames/ && /^[0-9a-f]+\t/ {
			if ($4 != "" || $5 != "") now = $4
			if (now != "" && now == spin) { $4 = spin; if ($2 == 9) $7 = "```" }
		}
		{ print }' "$PROFILE" >hostile.md
	refuse cmp -s "$PROFILE" hostile.md
	"$SMARTPROF" report --source spin hostile.md >shown
	grep -q '^ .*```$' shown
	[ "$(grep -c '^```' shown)" -eq 2 ]
}

@test "report --source says what it cannot do in one line" {
	make_program
	status_of 1 "$SMARTPROF" report --source nothing "$PROFILE" >shown 2>err
	[ "$(wc -l <err)" -eq 1 ] && [ ! -s shown ]
	grep -q 'no function of that name' err
	for wish in '--format html' '--by line' '--top 3' '--full' '--focus x'; do
		# shellcheck disable=SC2086
		status_of 2 "$SMARTPROF" report --source spin $wish "$PROFILE" >shown 2>err
		[ "$(wc -l <err)" -eq 1 ] && [ ! -s shown ]
	done
	"$SMARTPROF" report --source spin --output out.md "$PROFILE"
	grep -q 'sink \* 31' out.md
	rm out.md
}
