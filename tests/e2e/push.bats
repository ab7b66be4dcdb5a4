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
		"$("$SMARTPROF" report --format folded "$PROFILE" | awk '{ t += $NF } END { printf "%d", t }')" 0.1
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

@test "Retry-After is obeyed, in seconds and as a date, also by who asks for a flush" {
	engine
	for answer in 'date 60' '429 6'; do
		rm -rf engine/asked "$XDG_STATE_HOME/smartprof/outbox"
		echo "$answer" >engine/answer
		SMARTPROF_PUSH=parca+http://127.0.0.1:$PORT a_run
		eventually test -s engine/asked
		eventually senders_are_gone
		rm engine/answer
		push --status --json | python3 -c 'import json, sys
(target,) = json.load(sys.stdin)["targets"]
asked = int(sys.argv[1].split()[1])
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
	rm -r watched
	wait "$watcher" && fail "it goes on without the directory" || [ $? -eq 2 ]
	cpu_taken 3
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
	near "$(awk '/^smartprof_function_cpu_seconds/ { t += $NF } END { printf "%d", t * 1e9 }' text/*.prom)" \
		"$("$SMARTPROF" report --format folded "$PROFILE" | awk '{ t += $NF } END { printf "%d", t }')" 0.1
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
