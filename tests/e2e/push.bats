# Profiles are sent to engines: Prometheus' own and VictoriaMetrics as they are, Pyroscope, Parca and OTLP to a strict
# stand-in (engines.py).
load helpers

setup_file() {
	export PROFILE=$BATS_FILE_TMPDIR/cpu_truth.md
	SMARTPROF_ENV=development SMARTPROF_HISTORY=off SMARTPROF_OUTPUT=$PROFILE profiled "$TARGETS/heap_truth" >/dev/null
	[ -s "$PROFILE" ]
}

# engine [CERTIFICATE KEY]: starts one in the directory `engine`, and waits until it listens; PORT has where, and a later one
# listens there again.
engine() {
	mkdir -p engine
	rm -f engine/port
	PORT=${PORT-0} "$ROOT/tests/e2e/engines.py" engine "$@" 3>&- &
	eventually test -s engine/port
	PORT=$(<engine/port)
}

push() { "$SMARTPROF" push "$@"; }

OUTBOX() { find "$XDG_STATE_HOME/smartprof/outbox" -name "*.${1:-entry}" 2>/dev/null; }
some() { [ -n "$(OUTBOX "$1")" ]; }
waiting() { [ "$(OUTBOX | wc -l)" -eq "$1" ]; }
cpu_taken() { [ -e engine/taken ] && [ "$(grep -c "process_cpu.*${2-}" engine/taken)" -eq "$1" ]; }

# Nobody is at the outbox any more.
senders_are_gone() {
	local lock=$XDG_STATE_HOME/smartprof/outbox/sending.lock
	[ ! -e "$lock" ] || flock -n "$lock" true
}

a_run() { profiled "$TARGETS/cpu_truth" 0.2 >/dev/null; }

@test "Pyroscope, Parca and OTLP take a profile, with its sums and its labels" {
	engine
	for kind in pyroscope parca otlp; do
		push "$kind+http://127.0.0.1:$PORT/" --label my-team=core --label my_team=b --label version=1.2 --label api_key=hunter2 \
			"$PROFILE"
	done
	[ ! -e engine/refused ]
	for kind in pyroscope parca; do
		grep "^$kind	process_cpu	" engine/taken >cpu
		grep "^$kind	memory	" engine/taken >heap
		grep -q '"my_team": "core", "my_team_2": "b", "my_team_2_original": "my_team", "my_team_original": "my-team"' cpu
		grep -q '"api_key": "\[redacted\]"' cpu
		grep -q '"service_name": "heap_truth", "version": "1.2"' cpu
	done
	grep -q '"deployment.environment.name": "development".*"my-team": "core".*"service.name": "heap_truth", "service.version": "1.2"' \
		<(grep ^otlp engine/taken)
	for type in cpu:process_cpu:cpu/nanoseconds peak_space:memory:peak_space/bytes inuse_space:memory:inuse_space/bytes; do
		IFS=: read -r otlp series unit <<<"$type"
		[ "$(grep "^otlp	$otlp	" engine/taken | cut -f 3 | jq_of "$unit")" -eq \
			"$(grep "^parca	$series	" engine/taken | cut -f 3 | jq_of "$unit")" ]
	done
	near "$(cut -f 3 cpu | jq_of cpu/nanoseconds)" \
		"$("$SMARTPROF" report --format folded "$PROFILE" | awk '{ t += $NF } END { printf "%.0f", t }')" 0.1
	[ ! -e "$XDG_STATE_HOME/smartprof/outbox" ] # what was taken at once has not been there
}

jq_of() { python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }

@test "what is wrong with a target, a label or a profile is said in one line" {
	engine
	bad() {
		status_of "$1" push "${@:3}" 2>err
		grep -qF -- "$2" err || { cat err >&2; fail "$2"; }
		[ "$(wc -l <err)" -eq 1 ]
	}
	bad 2 'none of the kinds' "loki+http://h" "$PROFILE"
	bad 2 'KIND+http://HOST' "parca:/x" "$PROFILE"
	bad 2 'neither http:// nor https://' "parca+ftp://h" "$PROFILE"
	bad 2 'a password in it' "parca+https://me:secret@h" "$PROFILE"
	bad 2 'a query' "parca+https://h/?token=x" "$PROFILE"
	bad 2 'NAME=VALUE' "parca+http://h" --label x "$PROFILE"
	bad 2 'name profiles' "parca+http://h"
	bad 2 'name a target'
	bad 1 'not.md' "parca+http://127.0.0.1:$PORT" "$WORK/not.md"
	echo nonsense >bad.md
	bad 1 'bad.md' "parca+http://127.0.0.1:$PORT" bad.md
	bad 1 'there is no /elsewhere' "parca+http://127.0.0.1:$PORT/elsewhere" "$PROFILE"
	rm bad.md
	echo partial >engine/answer
	bad 1 'rejected 2 of the profiles: too bad' "otlp+http://127.0.0.1:$PORT" "$PROFILE"
	rm engine/answer
	sed "s/^started: .*/started: $(date -u -d '-3 hours' +%Y-%m-%dT%H:%M:%S.000+00:00)/" "$PROFILE" >old.md
	bad 1 'takes nothing older than' "pyroscope+http://127.0.0.1:$PORT" old.md
	SMARTPROF_PUSH=loki+http://h status_of 2 "$SMARTPROF" run -- true 2>err
	grep -q "SMARTPROF_PUSH: 'loki+http://h': it begins with none" err
}

@test "nothing is sent unless somebody asks for it, and a settings file that was only found does not" {
	engine
	mkdir found
	(
		cd found
		echo "SMARTPROF_PUSH=parca+http://127.0.0.1:$PORT" >.env.profiling
		a_run
	)
	profile_of cpu_truth
	[ ! -e "$XDG_STATE_HOME/smartprof/outbox" ]
	SMARTPROF_CONFIG=$WORK/found/.env.profiling a_run # named, it does
	eventually cpu_taken 1
	eventually senders_are_gone
}

@test "a profile is sent after it was written, and its process does not wait for the engine" {
	engine
	export SMARTPROF_PUSH=otlp+http://127.0.0.1:$PORT SMARTPROF_PUSH_LABELS=version=7,region=eu
	echo 'hang 4' >engine/answer
	a_run
	[ ! -e engine/let_go ] || fail "it waited"
	waiting 1 # before anybody was asked
	eventually test -s engine/let_go
	eventually waiting 0
	grep -q '"region": "eu".*"service.name": "cpu_truth", "service.version": "7"' engine/taken
	rm engine/answer engine/taken
	"$SMARTPROF" run --quiet -- sh -c "'$TARGETS/cpu_truth' 0.1 & '$TARGETS/cpu_truth' 0.1; wait" >/dev/null
	eventually two_pids
	
	LD_PRELOAD=$AGENT "$TARGETS/cpu_truth" 60 >/dev/null &
	eventually has_used 0.1 $!
	kill -9 $!
	wait $! || true
	rm engine/taken
	"$SMARTPROF" recover >/dev/null
	eventually test -s engine/taken
	eventually senders_are_gone
}

two_pids() { [ "$(grep -o '"process.pid": "[0-9]*"' engine/taken 2>/dev/null | sort -u | wc -l)" -ge 2 ]; }

@test "each window of a loop is sent" {
	engine
	LD_PRELOAD=$AGENT "$TARGETS/cpu_truth" 60 >/dev/null &
	program=$!
	eventually has_used 0.1 "$program"
	SMARTPROF_PUSH=victoria+http://127.0.0.1:1 "$SMARTPROF" report --loop 300ms --output "$WORK/windows" "$program" >paths &
	loop=$!
	eventually at_least_three_wait
	kill "$loop" "$program"
	wait "$loop" "$program" || true
	eventually senders_are_gone
	cmp <(sed '1,/^$/d' "$(OUTBOX | sort | head -n 1)") "$(head -n 1 paths)"
}

at_least_three_wait() { [ "$(OUTBOX | wc -l)" -ge 3 ]; }

@test "what a guardian renders is sent, too" {
	export SMARTPROF_PUSH=victoria+http://127.0.0.1:1
	"$SMARTPROF" guard -- "$TARGETS/cpu_truth" 60 >/dev/null 2>err &
	guard=$!
	eventually its_program_has_used 0.1 "$guard"
	kill -9 "$(pgrep -P "$guard" -x cpu_truth)"
	wait "$guard" || true
	eventually waiting 1
	cmp <(sed '1,/^$/d' "$(OUTBOX)") "$(find profiles/development -name 'cpu_truth.*.md')"
	eventually senders_are_gone
}

its_program_has_used() {
	local pid
	pid=$(pgrep -P "$2" -x cpu_truth) && has_used "$1" "$pid"
}

@test "an engine that is down loses nothing, and gets each profile once" {
	engine
	kill %%
	wait %% || true
	export SMARTPROF_PUSH=pyroscope+http://127.0.0.1:$PORT
	for _ in 1 2; do a_run; done
	status_of 1 push "$SMARTPROF_PUSH" "$PROFILE" 2>err
	grep -q 'it is kept, smartprof push --flush sends it' err
	eventually senders_are_gone
	waiting 3
	push --status >status
	grep -q "^$SMARTPROF_PUSH: 3 waiting, " status
	push --status --json | python3 -c 'import json, sys
(target,) = json.load(sys.stdin)["targets"]
assert target["waiting"] == 3 and target["sent"] == 0 and "connect" in target["last_error"], target'
	# How sending goes is looked up for engines that are told of it alone.
	for kind in parca victoria; do
		strace -f -e trace=openat -o "opened.$kind" "$SMARTPROF" push "$kind+http://127.0.0.1:1" "$PROFILE" 2>>err || true
	done
	refuse grep -q '\.state".*RDONLY' opened.parca
	grep -q '\.state".*RDONLY' opened.victoria
	find "$XDG_STATE_HOME" -name '*.entry' -exec grep -l '^target: .*:1$' {} + | xargs rm
	waiting 3
	engine
	echo 'hang 300' >engine/answer # a sender that is killed has not sent
	"$SMARTPROF" push --flush >/dev/null &
	eventually test -s engine/asked
	kill -9 $!
	wait $! || true
	waiting 3
	rm engine/answer
	[ "$(push --flush)" = '3 sent, 0 waiting, 0 refused' ]
	cpu_taken 3
	waiting 0
	seq 4 | xargs -P 4 -I N "$SMARTPROF" push --flush >/dev/null # nor when several are at it
	cpu_taken 3
}

@test "an hour without the engine, with refusals and crashes in it, loses nothing" {
	engine
	kill %%
	wait %% || true
	mkdir hour
	for i in 1 2 3 4 5 6; do
		sed "s/^program: .*/program: p$i/" "$PROFILE" >"hour/p$i.md"
	done
	target=parca+http://127.0.0.1:$PORT
	status_of 1 push "$target" hour 2>err
	waiting 6
	pass() { # MINUTES: what is kept of times was so much earlier
		local state
		for state in "$XDG_STATE_HOME"/smartprof/outbox/*.state; do
			jq -c ".not_before -= 60 * $1 | .last_error_time -= 60 * $1" "$state" >earlier
			cp earlier "$state"
		done
	}
	"$SMARTPROF" send-outbox
	engine
	echo 503 >engine/answer
	for _ in $(seq 30); do # as 30 programs that end, one every two minutes
		pass 2
		"$SMARTPROF" send-outbox
	done
	asked=$(wc -l <engine/asked)
	[ "$asked" -ge 10 ] && [ "$asked" -le 22 ] || fail "asked $asked times" # ever more seldom, but every five minutes
	rm engine/asked
	echo 'hang 300' >engine/answer
	"$SMARTPROF" push --flush >/dev/null &
	eventually test -s engine/asked
	kill -9 $!
	wait $! || true
	waiting 6
	rm engine/asked
	echo '429 1800' >engine/answer
	pass 6
	"$SMARTPROF" send-outbox
	pass 25
	"$SMARTPROF" send-outbox
	status_of 1 push --flush >said
	[ "$(wc -l <engine/asked)" -eq 1 ] # it said in half an hour
	pass 10
	echo mute >engine/answer # it has it, and nobody knows
	status_of 1 push --flush >said 2>err
	waiting 6
	rm engine/answer
	[ "$(push --flush)" = '6 sent, 0 waiting, 0 refused' ]
	[ "$(grep process_cpu engine/taken | grep -o '"program": "p[1-6]"' | sort | uniq -c | awk '{ print $1 }' | xargs)" = '2 1 1 1 1 1' ]
}

@test "hostile engines: what they send without end, elsewhere or back is not followed, shown nor waited for" {
	engine
	said() { status_of 1 push "$@" "$PROFILE" 2>err; }
	target=otlp+http://127.0.0.1:$PORT
	for url in file:///etc/passwd "http://127.0.0.1:$PORT/v1development/profiles" gopher://127.0.0.1:1/; do
		echo "to $url" >engine/answer
		SMARTPROF_PUSH_TOKEN=s3cretT0ken said "$target"
		grep -q 'HTTP 307, which is not followed' err
	done
	[ "$(wc -l <engine/asked)" -eq 3 ] && [ ! -e engine/taken ]
	echo echo >engine/answer
	SMARTPROF_PUSH_TOKEN=s3cretT0ken said "$target"
	grep -q 'HTTP 401.*you sent Bearer \*' err
	for status in 400 200; do
		rm -f engine/let_go
		echo "endless $status" >engine/answer
		push "$target" "$PROFILE" 2>err || grep -q 'HTTP 400: xxx' err
		[ "$(wc -c <err)" -lt 1000 ]
		eventually test -s engine/let_go
		at_least 67108864 "$(cut -f 1 engine/let_go)"
	done
	rm -rf engine/let_go "$XDG_STATE_HOME/smartprof/outbox"
	echo 'drip 200' >engine/answer # five seconds are enough
	SMARTPROF_PUSH=$target a_run
	eventually test -s engine/let_go
	eventually senders_are_gone
	waiting 1
	refuse grep -rqF s3cretT0ken "$XDG_STATE_HOME" err
}

@test "hostile names and values are data to every engine, and files stay in their directory" {
	engine
	evil=$(printf 'a\r\nx-evil: 1\r\n\r\n"}],\\ %%0d%%0a ../../x\t\033[2J')
	long=$(printf 'v%.0s' $(seq 3000))
	labels=(--label "$evil=$evil" --label "service=$evil" --label "host=$evil" --label "long=$long" --label service.name=x --label process.pid=y
		--label __name__=z --label le=1 --label "version=../../../tmp/v")
	for i in $(seq 40); do labels+=(--label "n$i=$i"); done
	for kind in pyroscope parca otlp; do
		push "$kind+http://127.0.0.1:$PORT" "${labels[@]}" "$PROFILE" 2>>err
	done
	[ ! -e engine/refused ] || fail "$(cat engine/refused)"
	grep -q 'it takes no more: .* labels are left out' err
	refuse grep -q x-evil engine/headers
	[ "$(cut -f 1 engine/taken | sort -u | xargs)" = 'otlp parca pyroscope' ]
	mkdir -p in/text
	push prometheus-textfile:in/text "${labels[@]}" "$PROFILE"
	promtool check metrics <in/text/*.prom
	[ "$(find in -type f | wc -l)" -eq 1 ] && [ "$(find in/text -type f | wc -l)" -eq 1 ]
	grep -q 'x-evil' in/text/*.prom
	refuse grep -q '^x-evil' in/text/*.prom
}

@test "Pyroscope's limits: a profile that is larger is made to fit, with its sum, and that is said" {
	engine
	"$ROOT/tests/e2e/large.py" 16500 "$PROFILE" >large.md
	"$ROOT/tests/e2e/large.py" 7500 "$PROFILE" "$(printf 'n%.0s' $(seq 600))" >wide.md
	for file in large wide; do
		push "pyroscope+http://127.0.0.1:$PORT" "$file.md" 2>err
		grep -qE 'it takes no more: [0-9]+ stacks are added up as \[rest\], 0 labels' err
		[ ! -e engine/refused ] || fail "$(cat engine/refused)"
		near "$(grep process_cpu engine/taken | cut -f 3 | jq_of cpu/nanoseconds)" \
			"$("$SMARTPROF" report --format folded "$file.md" | awk '{ t += $NF } END { printf "%.0f", t }')" 0.1
		rm engine/taken
	done
}

@test "Retry-After is obeyed, in seconds and as a date of the engine's clock, also by who asks for a flush" {
	engine
	echo 'clock -7200' >engine/answer
	push "parca+http://127.0.0.1:$PORT" "$PROFILE" 2>err
	grep -q "this machine's clock is 2.0 h ahead of the engine's, and the profile's time is by this one" err
	status_of 1 "$SMARTPROF" fleet --from "clickhouse+http://127.0.0.1:$PORT" --service x top 2>err
	grep -q "warning: this machine's clock is 2.0 h ahead of the engine's; --since and --until are by this one" err
	rm engine/taken
	for answer in 'date 60' 'clock -7200 date 60' '429 6'; do
		rm -rf engine/asked "$XDG_STATE_HOME/smartprof/outbox"
		echo "$answer" >engine/answer
		SMARTPROF_PUSH=parca+http://127.0.0.1:$PORT a_run
		eventually test -s engine/asked
		eventually senders_are_gone
		rm engine/answer
		push --status --json | python3 -c 'import json, sys
(target,) = json.load(sys.stdin)["targets"]
asked = int(sys.argv[1].split()[-1])
assert asked - 1 <= target["next_attempt"] - target["last_error_time"] <= asked * 9 / 8 + 1, target' "$answer"
		status_of 1 push --flush >said
		grep -q '0 sent, 1 waiting' said
		[ ! -e engine/taken ]
	done
	eventually flushed
	echo 422 >engine/answer # never
	status_of 1 push "parca+http://127.0.0.1:$PORT" "$PROFILE" 2>err
	grep -q 'HTTP 422: not now' err
	SMARTPROF_PUSH=parca+http://127.0.0.1:$PORT a_run
	eventually some refused
	eventually senders_are_gone
	rm engine/answer engine/taken
	push --status | grep -q '1 kept that it refused'
	push --flush # but when somebody asks for it
	cpu_taken 1
}

flushed() { push --flush >said 2>&1 && grep -q '1 sent' said; }

@test "certificates are verified, and a token is seen by nobody but its engine" {
	openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=localhost \
		-addext subjectAltName=DNS:localhost 2>/dev/null
	engine "$WORK/cert.pem" "$WORK/key.pem"
	echo 's3cretT0ken' >token
	echo 'Bearer s3cretT0ken' >engine/authorization
	status_of 1 push "parca+https://localhost:$PORT" --token-file token "$PROFILE" 2>err
	grep -qi certificate err
	status_of 1 push "parca+https://127.0.0.1:$PORT" --ca-file cert.pem --token-file token "$PROFILE" 2>err
	grep -qi "certificate\|subject" err
	[ ! -e engine/taken ]
	status_of 1 push "parca+https://localhost:$PORT" --ca-file cert.pem "$PROFILE" 2>err
	grep -q 'HTTP 401, the token is missing or not the right one: who are you' err
	echo 'hang 1' >engine/answer
	push "parca+https://localhost:$PORT" --ca-file cert.pem --token-file token "$PROFILE" &
	eventually test -s engine/asked
	refuse grep -qsF s3cretT0ken /proc/[0-9]*/cmdline
	wait $!
	[ "$(cut -f 1 engine/taken | sort -u)" = parca ]
	rm engine/answer engine/taken
	# By the setting it is a process of its own that sends, which knows the files from wherever it stands.
	SMARTPROF_PUSH=parca+https://localhost:$PORT SMARTPROF_PUSH_CA_FILE=$WORK/cert.pem SMARTPROF_PUSH_TOKEN=s3cretT0ken a_run
	eventually test -s engine/taken
	eventually senders_are_gone
	refuse grep -rqF s3cretT0ken "$XDG_STATE_HOME" "$SMARTPROF_DIR"
	echo 'Basic bWU6czNjcmV0VDBrZW4=' >engine/authorization
	push "parca+https://me@localhost:$PORT" --ca-file cert.pem --token-file token "$PROFILE"
	# The variable's is for the target that is named, not for what else waits.
	rm engine/authorization engine/taken
	echo 503 >engine/answer
	status_of 1 push "parca+https://localhost:$PORT" --ca-file cert.pem "$PROFILE" 2>err
	rm engine/answer
	echo 'Bearer s3cretT0ken' >engine/authorization
	SMARTPROF_PUSH=parca+https://elsewhere.invalid SMARTPROF_PUSH_TOKEN=s3cretT0ken status_of 1 push --flush >said 2>err
	grep -q 'HTTP 401' err
	[ ! -e engine/taken ]
	SMARTPROF_PUSH=parca+https://localhost:$PORT SMARTPROF_PUSH_TOKEN=s3cretT0ken push --flush
	[ -s engine/taken ]
}

@test "the outbox is bounded, its user's alone, and stands what others put into it" {
	target=parca+http://127.0.0.1:1
	box=$XDG_STATE_HOME/smartprof/outbox
	mkdir many
	for i in $(seq 30); do cp "$PROFILE" "many/p$i.md"; done
	each=$(stat -c %s "$PROFILE")
	SMARTPROF_PUSH_OUTBOX_SIZE=1 status_of 1 push "$target" many 2>err
	[ "$(stat -c %a "$box")" = 700 ]
	total=$(cat "$box"/*.entry | wc -c)
	at_least 1000000 "$total"
	[ "$each" -lt 40000 ] || at_least "$total" $((1000000 - 2 * each))
	[ "$each" -lt 40000 ] || push --status | grep -q '[1-9][0-9]* dropped for want of room'
	rm -rf many "$box"/*.entry
	ln -s /etc/passwd "$box/00000000000000000001.1.00.entry"
	mkfifo "$box/00000000000000000002.1.00.entry"
	printf 'smartprof-outbox/1\ntarget: %s\nname: x\n' "$target" >"$box/00000000000000000003.1.00.entry"
	head -c 3000 /dev/urandom >"$box/00000000000000000004.1.00.entry"
	head -c 3000 /dev/urandom >"$box/0123456789abcdef.state"
	timeout 20 "$SMARTPROF" push --status >status
	timeout 20 "$SMARTPROF" push --flush 2>err >said
	grep -q 'it is damaged; it is removed' err
	[ "$(cat said)" = '0 sent, 0 waiting, 0 refused' ]
	chmod 777 "$box"
	status_of 1 push "$target" "$PROFILE" 2>err
	grep -q 'not a directory that this user alone can write to' err
	status_of 2 push --flush 2>err
	[ -z "$(OUTBOX | grep -v '/0000')" ]
}

@test "a directory is watched: each profile once, over a restart too, and not what was there before" {
	engine
	mkdir -p watched/ci
	cp "$PROFILE" watched/old.md
	"$SMARTPROF" push "parca+http://127.0.0.1:$PORT" --label from=watch --watch watched 2>err &
	watcher=$!
	eventually some watch
	cp "$PROFILE" watched/.x && mv watched/.x watched/a.md
	ln -s a.md watched/ci/latest.md
	cp "$PROFILE" watched/ci/b.md
	eventually cpu_taken 2 '"from": "watch"'
	eventually waiting 0 # what the engine has taken, but has not answered yet, would be sent once more
	kill "$watcher"
	wait "$watcher" || true
	cp "$PROFILE" watched/c.md
	"$SMARTPROF" push "parca+http://127.0.0.1:$PORT" --label from=watch --watch watched 2>err &
	watcher=$!
	eventually cpu_taken 3 '"from": "watch"'
	# What is still written is taken once it is all there, also when others came meanwhile.
	head -c 2000 "$PROFILE" >watched/slow.md
	cp "$PROFILE" watched/d.md
	eventually cpu_taken 4 '"from": "watch"'
	eventually waiting 0
	tail -c +2001 "$PROFILE" >>watched/slow.md
	eventually cpu_taken 5 '"from": "watch"'
	eventually waiting 0
	[ -z "$(OUTBOX refused)" ]
	rm -r watched
	wait "$watcher" && fail "it goes on without the directory" || [ $? -eq 2 ]
	cpu_taken 5
}

@test "Pushgateway, VictoriaMetrics and node_exporter have the figures, and promtool finds nothing wrong with them" {
	read -r one two three < <(python3 -c '
import socket
ports = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
print(*(port.getsockname()[1] for port in ports))')
	mkdir text store
	prometheus-pushgateway --web.listen-address="127.0.0.1:$one" --persistence.file=store/gateway >pushgateway.log 2>&1 3>&- &
	victoria-metrics -storageDataPath store -httpListenAddr "127.0.0.1:$two" >victoria.log 2>&1 3>&- &
	prometheus-node-exporter --web.listen-address="127.0.0.1:$three" --collector.disable-defaults --collector.textfile \
		--collector.textfile.directory=text >exporter.log 2>&1 3>&- &
	page() { python3 -c 'import sys, urllib.request as u; print(u.urlopen(sys.argv[1], timeout=5).read().decode())' "$@" 2>/dev/null; }
	has() { page "$1" | grep -qF -- "$2"; }
	push prometheus-textfile:text --label mode=a --label '0 x="y\z' "$PROFILE"
	promtool check metrics <text/smartprof.heap_truth.heap_truth.prom
	[ "$(stat -c %a text/*.prom)" = 644 ]
	[ "$(grep -c '^smartprof_function_cpu_seconds{' text/*.prom)" -le 21 ]
	near "$(awk '/^smartprof_function_cpu_seconds/ { t += $NF } END { printf "%.0f", t * 1e9 }' text/*.prom)" \
		"$("$SMARTPROF" report --format folded "$PROFILE" | awk '{ t += $NF } END { printf "%.0f", t }')" 0.1
	grep -q 'function="other"' text/*.prom
	eventually has "http://127.0.0.1:$three/metrics" 'smartprof_wall_seconds{'
	has "http://127.0.0.1:$three/metrics" 'node_textfile_scrape_error 0'
	eventually page "http://127.0.0.1:$one/-/ready" >/dev/null
	push "pushgateway+http://127.0.0.1:$one" --label service=a/b "$PROFILE"
	push "pushgateway+http://127.0.0.1:$one" --label service=a/b "$PROFILE" # it takes the place of the one before
	page "http://127.0.0.1:$one/metrics" >metrics
	[ "$(grep -c '^smartprof_wall_seconds{' metrics)" -eq 1 ]
	grep '^smartprof_wall_seconds{' metrics | grep -q 'job="a/b",program="heap_truth",service="a/b"'
	eventually page "http://127.0.0.1:$two/health" >/dev/null
	push "victoria+http://127.0.0.1:$two" "$PROFILE"
	stored() { page "http://127.0.0.1:$two/api/v1/export?match[]=smartprof_wall_seconds" >stored && [ -s stored ] && grep -q timestamps stored; }
	eventually stored
	near "$(python3 -c 'import json; print(json.loads(open("stored").readline())["values"][0])')" "$(front wall_seconds "$PROFILE")" 1
}

@test "Prometheus' own expression browser answers what docs/FLEET.md asks" {
	read -r one two < <(python3 -c '
import socket
ports = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*(port.getsockname()[1] for port in ports))')
	mkdir data
	cat >prometheus.yml <<-YML
		global: {scrape_interval: 1s}
		scrape_configs:
		  - {job_name: gateway, honor_labels: true, static_configs: [{targets: ["127.0.0.1:$one"]}]}
	YML
	prometheus-pushgateway --web.listen-address="127.0.0.1:$one" --persistence.file=data/gateway >pushgateway.log 2>&1 3>&- &
	prometheus --config.file=prometheus.yml --storage.tsdb.path=data --web.listen-address="127.0.0.1:$two" >prometheus.log 2>&1 3>&- &
	eventually curl -fsS "http://127.0.0.1:$one/-/ready" >/dev/null 2>&1
	for version in 1.1 1.2; do
		push "pushgateway+http://127.0.0.1:$one" --label service=api --label "host=h-$version" --label "version=$version" "$PROFILE"
	done
	mapfile -t questions < <(sed -n '/expression browser$/,/^```$/p' "$ROOT/docs/FLEET.md" | sed 's/ *#.*//; /^`/d')
	[ "${#questions[@]}" -ge 3 ]
	answer() { curl -fsS --data-urlencode "query=$1" "http://127.0.0.1:$two/api/v1/query" 2>/dev/null >answer && jq -e '.data.result | length > 0' answer; }
	eventually answer "${questions[0]}" >/dev/null
	jq -e '.data.result | length == 5 and all(.metric.function != "")' answer
	eventually answer "${questions[1]}" >/dev/null
	jq -e '[.data.result[].metric.version] | sort == ["1.1", "1.2"]' answer
	refuse answer "${questions[2]}" # nobody has gone quiet
	answer "${questions[2]/> 3600/< 3600}"
}
