#!/bin/bash
# make bench-fleet [HOSTS=1000] [HOURS=24] [ROWS=8]: what many machines' profiles take in ClickHouse, and how long questions take.
# Each of HOSTS writes a profile of every 60 seconds, of ROWS rows, made up by the server itself: half are stacks, half
# functions. Version 1.2, on a tenth of the hosts, takes 15 % more, most of it in f7; host-0417 takes three times as much of everything.
set -eu -o pipefail
cd "$(dirname "$0")/../.."
hosts=${HOSTS:-1000} hours=${HOURS:-24} rows=${ROWS:-8}
stacks=200 functions=60 depth=30
directory=$(mktemp -d)
trap 'tests/e2e/clickhouse.sh stop "$directory"; rm -r "$directory"' EXIT
port=$(tests/e2e/clickhouse.sh start "$directory")
export SMARTPROF_PUSH=clickhouse+http://127.0.0.1:$port
smartprof=build/smartprof

sql() {
	curl -sS --fail-with-body --data-binary @- "http://127.0.0.1:$port/?max_memory_usage=8000000000" <<<"$1"
}
seconds() { # COMMAND…: how long it takes
	local start=$EPOCHREALTIME
	"$@" >"$directory/answer"
	awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.2f", b - a }'
}
# Both are SQL expressions: the id of a text; a stack's number, some far more often than others.
id() {
	printf '%s\n' "toUUID(replaceRegexpOne(lower(hex(MD5($1))), '^(.{8})(.{4})(.{4})(.{4})(.{12})\$', '\\\\1-\\\\2-\\\\3-\\\\4-\\\\5'))"
}

"$smartprof" push --init "$SMARTPROF_PUSH"
now=$(($(date +%s) / 3600 * 3600))
since=$((now - hours * 3600))
sql "INSERT INTO smartprof_stacks SELECT $(id "concat('stack', toString(number))"), toDate(now()),
	arrayMap(k -> concat('f', toString((number + k * 7 * (k > 0)) % $functions)), range($depth)),
	arrayMap(k -> '/usr/local/bin/shop', range($depth)), arrayMap(k -> 'abcdef0123', range($depth)),
	arrayMap(k -> concat('src/file', toString((number + k) % 9), '.c'), range($depth)),
	arrayMap(k -> toUInt32(10 + (number + k) % 90), range($depth)), arrayMap(k -> toUInt8(0), range($depth)),
	arrayMap(k -> toUInt64(4096 + number * 64 + k), range($depth)), arrayMap(k -> toUInt64(0), range($depth))
	FROM numbers($stacks)"
sql "INSERT INTO smartprof_stacks SELECT $(id "concat('function', toString(number))"), toDate(now()),
	[concat('f', toString(number))], ['/usr/local/bin/shop'], ['abcdef0123'], ['src/shop.c'], [toUInt32(number + 1)],
	[toUInt8(0)], [toUInt64(0)], [toUInt64(0)] FROM numbers($functions)"
sql "CREATE TABLE bench_ids (n UInt32, stack UUID, function UUID) ENGINE = Memory"
sql "INSERT INTO bench_ids SELECT number, $(id "concat('stack', toString(number))"),
	$(id "concat('function', toString(number % $functions))") FROM numbers($stacks)"

of_host="concat('host-', substring(toString(10000 + host), 2)), [], [], 0"
version="if(host % 10 = 0, '1.2', '1.1'), 'production'"
start=$EPOCHREALTIME
for ((hour = 0; hour < hours; hour++)); do
	at=$((since + hour * 3600))
	sql "INSERT INTO smartprof_samples (profile, time, service, version, environment, host, label_names, label_values, series,
		kind, stack, value, system_ns, samples, total_ns, total_system_ns, total_samples, value_var, total_var)
		SELECT toUUID('00000000-0000-0000-0000-000000000000'), toDateTime($at + minute * 60 + 59), 'shop',
			$version, $of_host, if(whole, 'function', 'cpu'), if(whole, function, stack), ns, intDiv(ns, 8),
			toUInt64(ns / 1e7), if(whole, intDiv(ns * 3, 2), 0), if(whole, intDiv(ns, 8), 0),
			if(whole, toUInt64(ns / 1e7), 0), ns * 1e7, if(whole, ns * 1.5e7, 0)
		FROM (SELECT number % $hosts AS host, intDiv(number, $hosts * $rows) AS minute,
				intDiv(number, $hosts) % $rows % 2 AS whole,
				toUInt32($stacks * pow((cityHash64(host, minute, intDiv(intDiv(number, $hosts) % $rows, 2), $hour)
					% 1000) / 1000, 2)) AS n,
				toUInt64((1 + cityHash64(n, host, minute) % 40) * 1e7 *
					if(n % $functions = 7 AND host % 10 = 0, 2, 1) * if(host = 417, 3, 1)
					* (1 + (cityHash64(host) % 100) / 500)) AS ns
			FROM numbers($((hosts * 60 * rows)))) ANY LEFT JOIN bench_ids USING n"
done
took=$(awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { print b - a }')
sql "INSERT INTO smartprof_profiles (id, time, service, version, environment, host, label_names, label_values, series, start_ns,
	program, exit, cpu_clock, wall_ns, cpu_on, cpu_user_ns, cpu_system_ns, cpu_samples, waiting_known)
	SELECT $(id "toString(number)"), toDateTime($since + intDiv(number, $hosts) * 60 + 59), 'shop', $version, $of_host,
	($since + intDiv(number, $hosts) * 60) * 1000000000, 'shop', 'running', 'event', 60000000000, 1,
	if(host = 417, 3, if(host % 10 = 0, 1.15, 1)) * 700000000 + (cityHash64(host) % 100) * 1400000, 100000000, 80, 1
	FROM (SELECT number, number % $hosts AS host FROM numbers($((hosts * hours * 60))))"
sql "INSERT INTO smartprof_spans (profile, time, service, version, environment, host, label_names, label_values, series, span, ended,
	sum_ns, self_ns, cpu_ns, allocated_bytes, max_ns, median_ns, p99_ns, cpu_var, us_sq)
	SELECT toUUID('00000000-0000-0000-0000-000000000000'), toDateTime($since + intDiv(number, $hosts) * 60 + 59), 'shop', $version,
	$of_host, 'request', 600, 42000000000, 42000000000, 700000000, 1000000, 900000000, 70000000, 500000000, 1e15, 4e12
	FROM (SELECT number, number % $hosts AS host FROM numbers($((hosts * hours * 60))))"
all=$(sql "SELECT count() FROM smartprof_samples")
echo "$all rows of $hosts hosts and $hours hours: $(awk -v n="$all" -v s="$took" 'BEGIN { printf "%.0f", n / s }') rows a second"
sql "SELECT table, sum(rows) AS all_rows, round(sum(bytes) / sum(rows), 2) AS bytes_a_row, formatReadableSize(sum(bytes)) AS size
	FROM system.parts WHERE active AND table LIKE 'smartprof%' GROUP BY table ORDER BY table FORMAT TabSeparatedWithNames"
ask=("$smartprof" fleet --service shop --until "$(date -d @$now '+%Y-%m-%d %H:%M')")
for ago in 1 "$hours"; do
	from=$(date -d @$((now - ago * 3600 + 600)) '+%Y-%m-%d %H:%M')
	printf '%s h: top %s s' "$ago" "$(seconds "${ask[@]}" --since "$from" top)"
	cp "$directory/answer" "$directory/top"
	printf ', report %s s' "$(seconds "${ask[@]}" --since "$from" report --full)"
	printf ', flame %s s' "$(seconds "${ask[@]}" --since "$from" flame)"
	printf ', compare %s s\n' "$(seconds "${ask[@]}" --since "$from" --label version=1.2 --against version=1.1 compare || true)"
done
grep -A 3 'stand out' "$directory/top" || true # of a few hosts none does
grep -m 1 Verdict "$directory/answer"
