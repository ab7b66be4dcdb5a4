#!/bin/bash
# A ClickHouse server for tests, on loopback, with all it writes in a directory. Usage: clickhouse.sh start DIRECTORY | stop DIRECTORY
# start: prints the port of its HTTP interface once it answers.
set -eu
directory=$2

free_port() {
	python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])'
}

write_config() {
	cat >"$directory/config.xml" <<XML
<yandex>
	<logger><level>warning</level><log>$directory/log</log><errorlog>$directory/errors</errorlog></logger>
	<http_port>$1</http_port><tcp_port>$2</tcp_port><listen_host>127.0.0.1</listen_host>
	<path>$directory/data/</path><tmp_path>$directory/tmp/</tmp_path>
	<user_files_path>$directory/files/</user_files_path><format_schema_path>$directory/schemas/</format_schema_path>
	<mark_cache_size>67108864</mark_cache_size><default_profile>default</default_profile>
	<default_database>default</default_database><users_config>$directory/users.xml</users_config>
	<timezone>UTC</timezone>
</yandex>
XML
	cat >"$directory/users.xml" <<XML
<yandex>
	<profiles><default><max_memory_usage>4000000000</max_memory_usage></default></profiles>
	<users><default><password>${CLICKHOUSE_PASSWORD-}</password><networks><ip>127.0.0.1</ip></networks>
		<profile>default</profile><quota>default</quota></default></users>
	<quotas><default></default></quotas>
</yandex>
XML
}

start() {
	local port i
	mkdir -p "$directory"/{data,tmp,files,schemas}
	port=$(free_port)
	write_config "$port" "$(free_port)"
	clickhouse-server --config-file="$directory/config.xml" >"$directory/out" 2>&1 3>&- &
	echo $! >"$directory/pid"
	for ((i = 0; i < 1800; i++)); do
		if curl -fsS "http://127.0.0.1:$port/ping" >/dev/null 2>&1; then
			echo "$port"
			return
		fi
		kill -0 "$(cat "$directory/pid")" 2>/dev/null || break
		sleep 0.05
	done
	echo "clickhouse-server does not answer" >&2
	cat "$directory/out" "$directory/errors" >&2
	return 1
}

stop() {
	local pid
	pid=$(cat "$directory/pid")
	kill -9 "$pid" 2>/dev/null || true
	while [ -e "/proc/$pid" ] && ! grep -qs "^State:.Z" "/proc/$pid/status"; do sleep 0.02; done
}

"$1"
