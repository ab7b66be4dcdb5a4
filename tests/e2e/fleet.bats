# smartprof fleet: profiles of many machines in a ClickHouse, merged, told apart and compared.
load helpers

setup_file() {
	export CLICKHOUSE=$BATS_FILE_TMPDIR/clickhouse
	PORT=$("$BATS_TEST_DIRNAME/clickhouse.sh" start "$CLICKHOUSE")
	export PORT
}

teardown_file() {
	"$BATS_TEST_DIRNAME/clickhouse.sh" stop "$CLICKHOUSE"
}

sql() { # STATEMENT, in the database of this test
	curl -sS --fail-with-body --data-binary "$1" "http://127.0.0.1:$PORT/?database=$DATABASE"
}

# A database of its own, with the tables.
store() {
	DATABASE=default
	sql "DROP DATABASE IF EXISTS t$BATS_TEST_NUMBER"
	sql "CREATE DATABASE t$BATS_TEST_NUMBER"
	DATABASE=t$BATS_TEST_NUMBER
	export XDG_STATE_HOME=$PWD/state TARGET=clickhouse+http://127.0.0.1:$PORT/$DATABASE
	"$SMARTPROF" push "$TARGET" --init
}

fleet() { "$SMARTPROF" fleet --from "$TARGET" --service shop "$@"; }

send() { # HOST VERSION PROFILE…
	"$SMARTPROF" push "$TARGET" --label service=shop --label host="$1" --label version="$2" --label region="e'u\\" "${@:3}"
}

# hosts VERSION SECONDS N: profiles of hosts that were busy for so long of a second each, sent when that is over.
hosts() {
	local file n=0
	rm -rf "$1"
	SMARTPROF_DIR=$WORK/$1 SMARTPROF_ENV=ci timeout -k 5 "$PATIENCE" "$SMARTPROF" run --repeat "$3" -- \
		"$TARGETS/cpu_truth" "$2" >/dev/null
	for file in "$1"/ci/cpu_truth.*.md; do
		n=$((n + 1))
		sed -i '1,/^---$/!b; :a; n; s/^wall_seconds: .*/wall_seconds: 1.000/; /^---$/!ba' "$file"
		send "host-$1-$n" "$1" "$file"
	done
	sleep 1
}

@test "the sum that a store gives is that of report --merge, to the last digit" {
	store
	mkdir all
	profiled /usr/bin/python3 -c 'import json
for i in range(8): json.loads(json.dumps([{"a": k, "b": [k] * 5} for k in range(20000)]))' >out
	profiled sqlite3 :memory: 'WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 400000)
		SELECT count(*), sum(x % 7), max(hex(x)) FROM c' >out
	profiled perl -e 'my %h; $h{$_ % 1000} .= "x" for 1 .. 900000; print scalar keys %h' >out
	profiled xz -9 -k -c "$(readlink -f "$(command -v python3)")" >/dev/null
	for ms in 1 2; do SMARTPROF_ENV=critical profiled "$TARGETS/spans" requests "$ms" >out; done
	profiled "$TARGETS/spans" log >out
	cp profiles/*/*.20*.md all
	[ "$(find all -name '*.md' | wc -l)" -ge 7 ]
	for file in all/*.md; do
		n=$((n + 1))
		send "host-$n" 1.2 "$file"
	done
	fleet report --full --output fleet.md
	"$SMARTPROF" report --merge --full --output merged.md all
	"$SMARTPROF" validate fleet.md merged.md >/dev/null
	"$ROOT/tests/e2e/fleet_same.py" fleet.md merged.md
	section '# Spans' merged.md | grep -q '^| request › kind=get › parse | 30 |'
	cmp <(section '# Spans' fleet.md) <(section '# Spans' merged.md)
	# Other commands read it as any profile.
	"$SMARTPROF" report --format folded fleet.md | sort >a
	"$SMARTPROF" report --format folded merged.md | sort >b
	cmp a b
	fleet flame --format folded | sort >c
	cmp a c
	"$SMARTPROF" compare fleet.md merged.md >report.md
	fleet flame --output page.html
	grep -q '<!doctype html>' page.html
	# What is sent twice is there once, whatever was lost on the way.
	rows=$(sql 'SELECT count() FROM smartprof_samples')
	send host-1 1.2 "$(ls all/*.md | head -n 1)"
	sql 'TRUNCATE TABLE smartprof_profiles'
	n=0
	for file in all/*.md; do
		n=$((n + 1))
		send "host-$n" 1.2 "$file"
	done
	[ "$(sql 'SELECT count() FROM smartprof_samples')" -eq "$rows" ]
	fleet report --full --output again.md
	"$ROOT/tests/e2e/fleet_same.py" again.md merged.md
}

@test "a bad version is found, with its function; so is a host that stands out" {
	store
	hosts 1.1 0.1 6
	hosts 1.2 0.25 6
	status_of 1 fleet --label version=1.2 --against version=1.1 compare >report.md
	grep -q '^\*\*Verdict:\*\* Regression: cpu_truth, 6 baseline and 6 current runs; CPU time +1' report.md
	section '## Regressions' report.md | grep -q '| spin |.*| confirmed |'
	status_of 0 fleet --label version=1.1 --against version=1.2 --format text compare >out
	SMARTPROF_PUSH=$TARGET "$SMARTPROF" fleet --service shop --label version=1.1 top >top
	! grep -q "stand out" top || fail "$(cat top)"
	grep -q '^6 profiles of 6 hosts: .* of CPU time in [0-9]* samples' top
	hosts 1.1 0.7 1 # host-1.1-1 once more
	fleet --label version=1.1 top >top
	grep -A1 'Hosts that stand out by CPU time' top | grep -qE '^host-1.1-1: 0\.[0-9]+ cores, [0-9.]+ times the median'
	fleet --label version=1.2 --top 5 --json top | python3 -c 'import json, sys
rows = json.load(sys.stdin)
assert len(rows) == 5 and rows[0]["function"] in ("spin", "work_10"), rows
assert 0 < rows[0]["self_error_percent"] < 20 and 0 < rows[0]["self_hosts_percent"] < 20, rows'
}

@test "a heap that grows over days is told, with the site" {
	store
	sql "INSERT INTO smartprof_profiles (id, time, service, host, start_ns, wall_ns, program, heap_on, heap_growth_bytes,
			cpu_on, cpu_user_ns)
		SELECT toUUID(concat('00000000-0000-0000-0000-', substring(toString(1000000000000 + number), 2))),
			toDateTime(toUInt32(now()) - 86400 * intDiv(number, 8) - 100), 'shop', concat('host-', toString(number % 8)), 1,
			86400000000000, 'shop', 1, 5e6 + 1e5 * (number % 3), 1, 1000000000 FROM numbers(32)"
	sql "INSERT INTO smartprof_stacks VALUES ('00000000-0000-0000-0000-000000000001', today(), ['remember'], ['/bin/shop'], [''],
		['shop.c'], [7], [0], [0], [0]), ('00000000-0000-0000-0000-000000000002', today(), ['main'], ['/bin/shop'], [''], ['shop.c'],
		[3], [0], [0], [0])"
	sql "INSERT INTO smartprof_samples (time, service, host, kind, stack, value, inuse_bytes, samples, total_ns)
		SELECT toDateTime(toUInt32(now()) - 86400 * intDiv(number, 8) - 100), 'shop', concat('host-', toString(number % 8)),
			if(number < 32, 'site', 'function'),
			toUUID(if(number < 32, '00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000002')),
			1000000000, if(number < 32, 5000000, 0), 10, 1000000000 FROM numbers(64)"
	fleet --since 5d top >top
	grep -qE '^The heap of a process grows by (4\.[89]|5\.0) MiB ± [0-9.]+ .iB a day, on 8 hosts over [45] days \(.*; most of what stays is allocated in remember$' top
	fleet --since 1h top >top
	refuse grep -q 'grows by' top
}

@test "whole hours and their edges are the same rows: sums do not depend on where an hour begins" {
	store
	sql "INSERT INTO smartprof_stacks VALUES ('00000000-0000-0000-0000-000000000002', today(), ['main'], ['/bin/shop'], [''],
		['shop.c'], [3], [0], [0], [0])"
	sql "INSERT INTO smartprof_profiles (id, time, service, host, start_ns, wall_ns, program, cpu_on)
		VALUES ('00000000-0000-0000-0000-000000000001', toDateTime(toUInt32(now()) - 100), 'shop', 'a', 1, 1, 'shop', 1)"
	sql "INSERT INTO smartprof_samples (time, service, host, kind, stack, value, samples, total_ns, value_var)
		SELECT toDateTime(toUInt32(now()) - 20 * number - 10), 'shop', 'a', 'function', '00000000-0000-0000-0000-000000000002',
			1000000 + number, 1, 1000000 + number, 1e6 FROM numbers(2000)"
	for ago in 37 59 95 180 420 600; do
		sum=$(sql "SELECT sum(value) FROM smartprof_samples WHERE time >= toDateTime(toUInt32(now()) - 60 * $ago)")
		fleet --since "${ago}m" report --full >fleet.md
		got=$(awk -F '\t' '/^## All functions/ { on = 1 } on && $9 == "main" { print $1 + $2; exit }' fleet.md)
		awk -v a="$got" -v b="$sum" 'BEGIN { exit !(a > 0 && (a - b) ^ 2 <= 9e12) }' || fail "$ago: $got, not $sum"
	done
}

@test "hostile names stay names, and a question that cannot be asked says why" {
	store
	profiled "$TARGETS/cpu_truth" 0.1 >out
	evil="x'); DROP TABLE smartprof_samples; -- \"{t:String}%27"
	"$SMARTPROF" push "$TARGET" --label service=shop --label host="$evil" --label "$(printf '%s' "$evil" | tr '=' _)=$evil" --label 'team=a\b' \
		profiles/*/cpu_truth.*.md
	fleet --label host="$evil" --label "$(printf '%s' "$evil" | tr '=' _)=$evil" --label 'team=a\b' top >top
	grep -q '^1 profile of 1 host' top
	lines=$'a\nb "q" \\ \t|`x`'
	"$SMARTPROF" push "$TARGET" --label service="$lines" --label "li\"ne=$lines" profiles/*/cpu_truth.*.md
	"$SMARTPROF" fleet --from "$TARGET" --service "$lines" --label "li\"ne=$lines" top >top
	head -n 1 top | grep -qF 'service=a\x0ab "q" \ \x09|`x` '
	grep -q '^1 profile of 1 host' top
	fleet --label "region=' OR 1 = 1 --" top >out 2>err && fail 'found something'
	grep -q 'there are no profiles of service=shop region=' err
	[ "$(wc -l <err)" -eq 1 ]
	[ "$(sql 'SELECT count() > 0 FROM smartprof_samples')" -eq 1 ]
	sql 'DROP TABLE smartprof_profiles'
	status_of 1 fleet top 2>err
	grep -q 'there are no tables of profiles; smartprof push .* --init' err
	status_of 1 "$SMARTPROF" fleet --from clickhouse+http://127.0.0.1:1 --service shop top 2>>err
	grep -q 'see whether the server runs there' err
	[ "$(wc -l <err)" -eq 2 ]
	for words in 'top' '--service shop' '--service shop nothing' '--service shop compare' '--service shop --against a=b top' \
		'--service shop --since yesterday top' '--service shop --label x top' '--service shop --top 0 top'; do
		# shellcheck disable=SC2086
		status_of 2 "$SMARTPROF" fleet --from "$TARGET" $words 2>err
		[ "$(wc -l <err)" -eq 1 ] || fail "$words: $(cat err)"
	done
	status_of 2 "$SMARTPROF" fleet --service shop top 2>err
	grep -q 'no store given; name it with --from' err
}
