# The main job on programs nobody here wrote: the same bytes out, and a profile that is true.
load helpers

# agrees_with_perf COMMAND…: perf's heaviest symbol (or, for stripped code, object) is ours too.
agrees_with_perf() {
	local profile=$1 column=$2 theirs ours
	shift 2
	perf record -q -e cpu-clock:u -F 999 -o perf.data -- "$@" >/dev/null 2>&1 || skip "perf is not allowed here"
	theirs=$(perf report -i perf.data --stdio --no-children -g none -F "overhead,$column" 2>/dev/null |
		grep -v '^#' | grep -v '^$' | head -n 1 | sed -E 's/^ *[0-9.]+% +(\[.\] +)?//; s/ +$//')
	[ -n "$theirs" ] || skip "perf has no samples here"
	if [ "$column" = symbol ]; then
		ours=$(top_function "$profile" | sed 's/\\//g')
	else
		# perf names the file, the profile what the loader was asked for: libx.so.5 is libx.so.5.4.1.
		ours=$(section '## Modules' "$profile" | awk -F'|' '/^\|/ && ++n == 3 { gsub(/[ \\]/, "", $5); print $5 }')
		case $theirs in "$ours"*) ours=$theirs ;; esac
	fi
	[ "$ours" = "$theirs" ] || fail "perf says '$theirs', the profile '$ours'"
}

make_lines() { # COUNT: text that compresses like text
	awk -v n="$1" 'BEGIN { srand(7); for (i = 0; i < n; i++) printf "%d the %x quick %s fox %d\n", i, rand() * 65536,
		rand() < .5 ? "brown" : "red", rand() * 1000 }'
}

@test "python3 running a deep recursive script" {
	cat >deep.py <<'PY'
import sys
sys.setrecursionlimit(20000)
def depth(n):
    return 0 if n == 0 else 1 + depth(n - 1)
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)
print(sum(depth(5000) for _ in range(100)), fib(27))
PY
	same_run /usr/bin/python3 "$WORK/deep.py"
	profile=$(profile_of 'python3*')
	[ "$(front exit "$profile")" = 0 ]
	agrees_with_perf "$profile" symbol /usr/bin/python3 "$WORK/deep.py"
}

@test "xz -T1 on 50 MB" {
	make_lines "$(long 500000 1500000)" >input
	INPUT=input same_run xz -1 -T1 -c
	profile=$(profile_of xz)
	INPUT=input agrees_with_perf "$profile" dso xz -1 -T1 -k -c input
}

@test "sqlite3 builds and queries 300,000 rows" {
	cat >job.sql <<'SQL'
CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b INTEGER);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000)
INSERT INTO t SELECT i, printf('%08x', i * 2654435761 % 4294967296), i * 7919 % 10007 FROM n;
CREATE INDEX t_a ON t(a);
SELECT count(*), sum(b), max(a) FROM t;
SELECT b % 10, count(*) FROM t GROUP BY 1 ORDER BY 2, 1;
SQL
	INPUT=job.sql same_run sqlite3 test.db
	profile=$(profile_of sqlite3)
	at_least "$(front heap_allocations "$profile")" 1000
	agrees_with_perf "$profile" dso sh -c 'rm -f x.db; sqlite3 x.db <job.sql'
}

@test "gcc -O2 on a large C file: the driver's children get profiles of their own" {
	awk 'BEGIN { for (i = 0; i < 600; i++) printf "int g%d; int f%d(int *p, int n) { int s = g%d; for (int i = 0; i < n; i++) "\
		"{ s += p[i] * %d; if (s & 8) s ^= p[n - i - 1]; } switch (s & 7) { case 0: return s; case 3: return n; "\
		"default: return g%d++; } }\n", i, i, i, i, i; print "int main(void) { return 0; }" }' >large.c
	same_run gcc -O2 -o large "$WORK/large.c"
	profile=$(profile_of cc1)
	at_least "$(front cpu_user_seconds "$profile")" 0.5
	profile_of as
	profile_of '*ld*' # by its own name, or the target's before it
	grep -q cc1 "$SMARTPROF_DIR"/development/tree.*.md
}

@test "git: a clone and gc of a repository with history" {
	export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
	export GIT_AUTHOR_DATE='2024-01-01T00:00:00Z' GIT_COMMITTER_DATE='2024-01-01T00:00:00Z'
	git init -q -b main origin
	cp -r /usr/include/linux origin/
	git -C origin add . && git -C origin commit -qm one
	for i in 1 2 3; do
		find origin/linux -name '*.h' | head -n 200 | while read -r f; do echo "/* $i */" >>"$f"; done
		git -C origin commit -qam "$i"
	done
	# shellcheck disable=SC2016
	same_run_but_files sh -c 'git clone -q --no-local "$0/origin" copy && cd copy && git gc -q && git fsck --full &&
		git log --format=%H --stat | sha256sum && git ls-tree -r HEAD | sha256sum' "$WORK"
	profile_of git
}

@test "redis under load, stopped with SIGTERM and with SIGKILL" {
	for signal in TERM KILL; do
		start_redis
		redis-benchmark -s s -q -n "$(long 20000 100000)" -t set,get,lpush,lrange_100 >benchmark.log
		kill -"$signal" "$server"
		status=0
		wait $! || status=$?
		if [ "$signal" = TERM ]; then
			[ "$status" -eq 0 ]
			profile=$(profile_of 'redis-*')
			[ "$(front exit "$profile")" = 0 ]
		else
			[ "$status" -eq 137 ]
			profile=$(recovered 'redis-*')
			[ "$(front exit "$profile")" != 0 ]
		fi
		[ "$(front pid "$profile")" = "$server" ]
		at_least "$(front heap_allocations "$profile")" 1000
	done
}

@test "bash pipelines" {
	# shellcheck disable=SC2016
	same_run bash -c 'set -o pipefail; seq 1 200000 | awk "{ print \$1 * 7 % 1000 }" | sort -n | uniq -c | sort -k1,1nr -k2,2n | head -n 3
		x=$(printf "%s\n" a b c | tac | tr -d "\n"); echo "$x ${PIPESTATUS[*]}"
		diff <(seq 5) <(seq 6); (exit 3) | cat; echo "${PIPESTATUS[0]}"
		for i in 1 2 3; do sleep 0.01 & done; wait; echo err >&2; yes | head -c 100000 | cksum; exit 5'
}

@test "a shell script of many short commands and one long one leaves an index and one profile" {
	cat >script.sh <<'SH'
for i in $(seq 200); do /bin/true; done
/usr/bin/python3 -c 'print(sum(i * i for i in range(3000000)))'
SH
	same_run sh "$WORK/script.sh"
	profile=$(profile_of 'python3*')
	[ "$(find "$SMARTPROF_DIR" -name 'true.*.md' | wc -l)" -eq 0 ]
	grep -q "$(basename "$profile")" "$SMARTPROF_DIR"/development/tree.*.md
}
