# A history over weeks: what crept in and what came at once are told apart, each with what is behind it.
load helpers

# night N ROWS BUILD: a day passes, and the job runs.
night() {
	sqlite3 "$SMARTPROF_HISTORY" 'UPDATE run SET started_ns=started_ns-86400000000000' 2>/dev/null || true
	if [ "$3" != "$(cat built 2>/dev/null)" ]; then
		git commit -qm "$3" --allow-empty
		gcc -g -O1 $4 -o nightly nightly.c
		echo "$3" >built
	fi
	"$SMARTPROF" monitor --profile -- ./nightly "$2" >>out 2>&1
}

@test "a nightly job of two months: its slow drift and its one step are found and named" {
	[ -n "${SP_LONG-}" ] || skip "takes minutes: LONG=1"
	export SMARTPROF_HISTORY=$PWD/h.db GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@example.org
	export GIT_COMMITTER_NAME=A GIT_COMMITTER_EMAIL=a@example.org
	local nights=60 step=40 i
	cat >nightly.c <<-'C'
		#include <stdio.h>
		#include <stdlib.h>
		static int compare_rows(const void *a, const void *b)
		{
			return (*(const int *)a > *(const int *)b) - (*(const int *)a < *(const int *)b);
		}
		__attribute__((noinline)) static void read_rows(int *rows, long n)
		{
			unsigned seed = 1;
			for (long i = 0; i < n; i++)
				rows[i] = (int)((seed = seed * 1664525u + 1013904223u) >> 1);
		}
		__attribute__((noinline)) static long check_rows(const int *rows, long n)
		{
			long odd = 0;
			for (int pass = 0; pass < 60; pass++)
				for (long i = 0; i < n; i++)
					odd += (rows[i] ^ pass) % 7 == 3;
			return odd;
		}
		int main(int argc, char **argv)
		{
			long n = argc > 1 ? atol(argv[1]) : 0, odd = 0;
			int *rows = malloc((size_t)n * sizeof(int));
			read_rows(rows, n);
			qsort(rows, (size_t)n, sizeof(int), compare_rows);
		#ifdef CHECKED
			odd = check_rows(rows, n);
		#endif
			printf("%d %ld\n", rows[n / 2], odd);
			return 0;
		}
	C
	git init -q . && printf '%s\n' nightly out built 'h.db*' 'profiles' home state >.git/info/exclude && git add nightly.c
	for ((i = 0; i < nights; i++)); do
		if ((i < step)); then
			night $i $((1000000 + 7000 * i)) "the job"
		else
			night $i $((1000000 + 7000 * i)) "rows are checked" -DCHECKED
		fi
	done
	[ "$(sqlite3 h.db 'SELECT count(*), max(started_ns) - min(started_ns) > 5e15 FROM run')" = "$nights|1" ]
	# The step: when, by how much, at which commit, and by which function.
	"$SMARTPROF" history changes cpu_ns >changes
	cat changes
	"$SMARTPROF" history changes cpu_ns --json >changes.json
	python3 - <<-PY
		import json, sqlite3
		ids = [r[0].hex() for r in sqlite3.connect("h.db").execute("SELECT id FROM run ORDER BY started_ns")]
		changes = [c for c in json.load(open("changes.json")) if c["confirmed"]]
		steps = [c for c in changes if c["ratio"] > 1.2]
		assert len(steps) == 1 and not steps[0]["gradual"] and ids.index(steps[0]["run_after"]) == $step, (steps, ids[$step])
		assert steps[0]["cause"][0]["function"] == "check_rows" and steps[0]["cause"][0]["sure"], steps[0]["cause"]
		# What crept in comes in small parts, all of one build.
		assert all(c["same_build"] for c in changes if c is not steps[0]), changes
		assert any(c["gradual"] for c in changes), changes
	PY
	grep -q 'rows are checked (A)' changes
	# The drift: of memory, which no noise touches, as such and never as a step.
	"$SMARTPROF" history changes peak_rss_bytes --json >memory.json
	python3 -c 'import json; assert all(c["gradual"] for c in json.load(open("memory.json")) if c["confirmed"])'
	"$SMARTPROF" insights >insights
	cat insights
	grep -q 'uses more and more memory: from .* MiB to .* MiB' insights
	status_of 1 "$SMARTPROF" history alert cpu_ns >alert
	cat alert
	# What was there before the step stays when all else goes.
	"$SMARTPROF" history clean --days 1
	[ "$(sqlite3 h.db "SELECT count(*) FROM pin WHERE why LIKE 'change of%'")" -ge 2 ]
	"$SMARTPROF" history verify
}
