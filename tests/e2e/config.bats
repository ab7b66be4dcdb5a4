# What the command says it detected, and that the agent does what it says.
load helpers

@test "every setting is listed with its value and source" {
	"$SMARTPROF" config >out
	for variable in $(grep -o 'SMARTPROF_[A-Z_]*' "$ROOT/env/options.def" | sort -u); do
		grep -q "$variable" out || fail "config does not mention $variable"
	done
}

# json EXPRESSION FILE: what a Python expression says about the document j.
json() {
	python3 -c 'import json, sys; j = json.load(open(sys.argv[2])); s = {x["name"]: x for x in j["settings"]}
v = eval(sys.argv[1]); print("" if v is None else "%g" % v if isinstance(v, float) else v)' "$1" "$2"
}

# agree PREFIX...: run behind the prefix, `config` and the profile of a program say the same.
agree() {
	local profile
	rm -rf "$SMARTPROF_DIR"
	"$@" "$SMARTPROF" config --json >config.json
	timeout -k 5 "$PATIENCE" "$@" env LD_PRELOAD="$AGENT" "$TARGETS/cpu_truth" 0.3 >out
	profile=$(profile_of cpu_truth)
	same environment "$(json 'j["environment"]' config.json)" "$(front environment "$profile")"
	same reason "$(json 'j["environment_reason"]' config.json)" "$(front environment_reason "$profile")"
	same cores "$(json 'j["machine"]["usable_cores"]' config.json)" "$(front usable_cores "$profile")"
	same memory "$(json 'j["machine"]["memory_limit_bytes"]' config.json)" "$(front memory_limit_bytes "$profile")"
	same requested "$(json 'j["plan"]["cpu_interval_requested_us"]' config.json)" \
		"$(front cpu_interval_requested_us "$profile")"
	same clock "$(json 'j["plan"]["cpu_clock"]' config.json)" "$(front cpu_clock "$profile")"
	same heap "$(json 'j["plan"]["heap_interval_bytes"]' config.json)" "$(front heap_interval_bytes "$profile")"
	json '[x["message"] for x in j["warnings"] if x["blocking"]] or ""' config.json >blocking
	[ ! -s blocking ] || [ "$(cat blocking)" = "" ] || fail "blocked: $(cat blocking)"
}
same() {
	[ -n "$2" ] || fail "no $1"
	[ "$2" = "$3" ] || fail "$1: config says '$2', the profile '$3'"
}

@test "config and the profile agree: this shell, CI, an empty environment, a terminal, a service" {
	unset SMARTPROF_ENV
	agree env
	agree env CI=true
	[ "$(json 'j["environment"]' config.json)" = ci ]
	agree env -i SMARTPROF_DIR="$SMARTPROF_DIR" HOME="$HOME"
	agree env INVOCATION_ID=0123 JOURNAL_STREAM=8:1
	[ "$(json 'j["environment_reason"]' config.json)" = "started by systemd (INVOCATION_ID, JOURNAL_STREAM)" ]
	agree env NODE_ENV=production CI=true
	[ "$(json 'j["environment_reason"]' config.json)" = "NODE_ENV is production" ]
	[ "$(json 'j["environment_against"][0]["reason"]' config.json)" = "CI is set" ]
	section '# Settings' "$(profile_of cpu_truth)" | grep -q 'against: CI is set (ci)'
	env -i "$SMARTPROF" config --json >bare.json
	bare=$(json 'j["environment_reason"]' bare.json) # of a container or a service that the tests run in
	mkdir .git
	agree env
	[ "$(json 'j["environment_reason"]' config.json)" = "inside a source checkout (.git)" ] || [[ $bare != no\ sign* ]]
	agree taskset -c "$(first_and_last_cpu | cut -d' ' -f1)"
	[ "$(json 'j["machine"]["usable_cores"]' config.json)" = 1 ]
	agree bash -c 'ulimit -v 3000000; exec "$@"' limited
	[ "$(json 'j["machine"]["memory_limited"]["by"]' config.json)" = "RLIMIT_AS (ulimit -v)" ]
	script -qec "$SMARTPROF config" /dev/null | grep -q 'started from an interactive terminal' || [[ $bare != no\ sign* ]]
}

@test "half a CPU and 1 GB of a control group made for it (version 1)" {
	unset SMARTPROF_ENV
	cpu=/sys/fs/cgroup/cpu/smartprof-test-$$ memory=/sys/fs/cgroup/memory/smartprof-test-$$
	mkdir "$cpu" "$memory" 2>/dev/null || skip "needs root and cgroup v1"
	echo 50000 >"$cpu/cpu.cfs_quota_us"
	echo 1000000000 >"$memory/memory.limit_in_bytes"
	status=0
	agree bash -c 'echo $$ >"$0/cgroup.procs" && echo $$ >"$1/cgroup.procs" && shift && exec "$@"' "$cpu" "$memory" ||
		status=$?
	sleep 0.2
	rmdir "$cpu" "$memory"
	[ "$status" -eq 0 ]
	[ "$(json 'j["machine"]["usable_cores"]' config.json)" = 0.5 ]
	near "$(json 'j["machine"]["memory_limit_bytes"]' config.json)" 1000000000 0.01
	[ "$(json 'j["machine"]["cores_limited"]["by"]' config.json)" = cpu.cfs_quota_us ]
	[ "$(json 's["cpu_max_samples"]["why"]' config.json)" = "rule: halved: less than 2 GB of memory usable" ]
}

@test "the same of version 2, and Docker's files, put over this machine's" {
	unset SMARTPROF_ENV
	export -f agree same json front profile_of check_profile fail
	export ROOT AGENT SMARTPROF TARGETS PATIENCE
	cat >over <<-'END'
		machine=$ROOT/tests/fixtures/machines/docker_v2
		for file in cgroup mountinfo; do mount --bind $machine/proc/self/$file /proc/$$/$file || exit 99; done
		mount --bind $machine/proc/meminfo /proc/meminfo
		exec "$@"
	END
	# Only the process that reads them sees its own files: hence the script as the prefix.
	in_mount_namespace 'set -e
		mount -t tmpfs none /sys/fs/cgroup
		cp -r "$ROOT"/tests/fixtures/machines/docker_v2/sys/fs/cgroup/. /sys/fs/cgroup/
		agree bash ./over'
	[ "$(json 'j["environment"]' config.json)" = production ]
	[ "$(json 'j["machine"]["usable_cores"]' config.json)" = 0.5 ]
	[ "$(json 'j["machine"]["memory_limit_bytes"]' config.json)" = 1073741824 ]
	[ "$(json 'j["machine"]["memory_limited"]["by"]' config.json)" = memory.max ]
}

@test "recorded machines can be looked at, and nothing is unexplained" {
	unset SMARTPROF_ENV
	for machine in "$ROOT"/tests/fixtures/machines/*/; do
		mapfile -t variables < <(grep -a '^[A-Z_a-z]*=' "$machine/environ" | grep -v '^SMARTPROF' || true)
		env -i "${variables[@]}" "$SMARTPROF" config --root "$machine" >out
		env -i "${variables[@]}" "$SMARTPROF" config --root "$machine" --json >out.json
		wanted=$(sed -n 's/^environment //p' "$machine/expect")
		[ "$(json 'j["environment"]' out.json)" = "$wanted" ] || fail "$machine"
		grep -q "^environment    $wanted: " out
	done
	machine=$ROOT/tests/fixtures/machines/docker_v2
	env -i "$SMARTPROF" config --root "$machine" >out
	grep -q '^cores          0.5 of 16 usable, by cpu.max of /sys/fs/cgroup$' out
	grep -q '^memory         1024 MiB of 31.2 GiB usable, by memory.max of /sys/fs/cgroup$' out
	grep -q 'to fix it: sudo sysctl kernel.perf_event_paranoid=2' out
}

@test "what is expected is what comes" {
	BATS_TEST_RETRIES=${SP_RETRIES:-2} # what a signal costs changes with what else the machine does
	SMARTPROF_DIR=first profiled "$TARGETS/cpu_truth" 1 >out # measures it
	"$SMARTPROF" config --json >config.json
	[ "$(json 'j["plan"]["cpu_clock"]' config.json)" = event ] || skip "no perf events here"
	"$SMARTPROF" config | grep -q 'at 10 %: a clock signal costs [0-9]* µs here'
	profiled "$TARGETS/cpu_truth" 1 >out
	# What a signal costs when others use the caches is up to three times what it costs alone.
	awk -v came="$(front cpu_interval_achieved_us "$(profile_of cpu_truth)")" \
		-v expected="$(json 'j["plan"]["cpu_interval_expected_us"]' config.json)" \
		'BEGIN { exit !(came > expected / 3 && came < expected * 3) }' || fail "$(cat config.json)"
	"$SMARTPROF" config | grep -A1 'task-clock events, .* µs wished' | grep -q 'µs'
}

@test "the variable, CI hints and --env decide the environment" {
	"$SMARTPROF" config | grep -i '^environment.*development'
	SMARTPROF_ENV=prod "$SMARTPROF" config | grep -i '^environment.*production'
	env -u SMARTPROF_ENV CI=true "$SMARTPROF" config | grep -i '^environment.*ci'
	"$SMARTPROF" config --env critical | grep -i '^environment.*critical'
}

@test "the agent takes the same settings and writes to the environment's folder" {
	for environment in development production ci critical; do
		SMARTPROF_ENV=$environment profiled "$TARGETS/cpu_truth" 0.3 >out
		profile=$(ls "$SMARTPROF_DIR/$environment"/cpu_truth.*.md)
		[ "$(front environment "$profile")" = $environment ]
	done
	grep -q work_10 "$SMARTPROF_DIR"/development/cpu_truth.*.md
}

@test "an interval asked for is the interval reported" {
	SMARTPROF_CPU_SAMPLING_INTERVAL=5ms profiled "$TARGETS/cpu_truth" 0.5 >out
	[ "$(front cpu_interval_requested_us "$(profile_of cpu_truth)")" = 5000 ]
}

@test "a value that does not parse is told in the profile and changes nothing" {
	SMARTPROF_CPU_SAMPLING_INTERVAL=often same_run "$TARGETS/cpu_truth" 0.3
	section '# Settings' "$(profile_of cpu_truth)" | grep -q cpu_interval
}

@test "a value that is not allowed, or an unknown name, stops config and run with one line" {
	for command in "config" "config --json" "config --check" "run -- true"; do
		for bad in SMARTPROF_CPU_SAMPLING_INTERVAL=often SMARTPROF_OVERHEAD_BUDGET=0 MEMORY_CHECK_INTERVAL=1us \
			SMARTPROF_CPU_SAMPLNG_INTERVAL=1ms SMARTPROF_SIGNAL=SIGKILL; do
			# shellcheck disable=SC2086 # words
			status_of 2 env "$bad" "$SMARTPROF" $command >out 2>err
			[ "$(wc -l <err)" -eq 1 ] || fail "$bad: $(cat err)"
			grep -q "${bad%%=*}" err || fail "$(cat err)"
		done
	done
	SMARTPROF_OVERHEAD_BUDGET=0 "$SMARTPROF" config 2>&1 | grep "'0' is out of range; allowed: 1 % to 100 %"
	SMARTPROF_CPU_SAMPLNG_INTERVAL=1 "$SMARTPROF" config 2>&1 | grep "did you mean 'SMARTPROF_CPU_SAMPLING_INTERVAL'"
	printf 'SMARTPROF_DIR=x\nSMARTPROF_MODE=gpu\n' >.env.profiling
	status_of 2 "$SMARTPROF" run -- true 2>err
	grep -q "\.env\.profiling line 2: SMARTPROF_MODE: 'gpu' is not valid; allowed: cpu, heap" err
	echo 'SMARTPROF_DIR=$HOME/x' >.env.profiling
	"$SMARTPROF" config 2>&1 | grep 'line 1: SMARTPROF_DIR: .* is not a plain value; allowed: '
	echo 'SMARTPROF_FOLOW=none' >.env.profiling
	"$SMARTPROF" config 2>&1 | grep "line 1: .*did you mean 'SMARTPROF_FOLLOW'"
	SMARTPROF_CONFIG=/nowhere "$SMARTPROF" config 2>&1 | grep "SMARTPROF_CONFIG: cannot use '/nowhere'"
}

@test "the agent uses the default instead, and says so in the profile" {
	printf 'SMARTPROF_HEAP_INTERVAL=$x\n' >.env.profiling # above the directories that same_run makes
	SMARTPROF_CPU_SAMPLING_INTERVAL=often SMARTPROF_OVERHEAD_BUDGET=900 same_run "$TARGETS/cpu_truth" 0.3
	profile=$(profile_of cpu_truth)
	[ "$(front overhead_budget_percent "$profile")" = 10 ]
	section '# Settings' "$profile" >settings
	grep -q '^| cpu_interval .*SMARTPROF_CPU_SAMPLING_INTERVAL=often is not allowed' settings
	grep -q '^| overhead_budget | 10 % | default; SMARTPROF_OVERHEAD_BUDGET=900 is not allowed' settings
	grep -q "^| heap_interval .*in the file's line 1 is not allowed" settings
}

@test "the settings file counts for the agent too, from the directory above and by name" {
	unset SMARTPROF_DIR SMARTPROF_ENV
	mkdir -p project/src
	cat >project/.env.profiling <<-END
		export SMARTPROF_ENV=ci SMARTPROF_IGNORED
		export SMARTPROF_ENV=ci # the last one counts
		SMARTPROF_DIR='$WORK/from file'
		export SMARTPROF_CPU_SAMPLING_INTERVAL=3ms
		MEMORY_WARNING_THRESHOLD=77
	END
	(cd project/src && profiled "$TARGETS/cpu_truth" 0.3 >out)
	[ ! -e "from file" ] || fail "a file that nobody named says where profiles go"
	SMARTPROF_DIR=project/src/profiles profile_of cpu_truth
	(cd project/src && SMARTPROF_CONFIG=../.env.profiling profiled "$TARGETS/cpu_truth" 0.3 >out)
	profile=$(SMARTPROF_DIR="$WORK/from file" profile_of cpu_truth)
	[ "$(front environment "$profile")" = ci ]
	[ "$(front cpu_interval_requested_us "$profile")" = 3000 ]
	section '# Settings' "$profile" >settings
	grep -q '^| cpu_interval | 3000 us | file line 4 |' settings
	grep -q '^| memory_warning_threshold | 77 MB | file line 5 |' settings
	grep -q "^| config | $WORK/project/.env.profiling | detected" <(section '# Settings' "$(SMARTPROF_DIR=project/src/profiles profile_of cpu_truth)")
	sed -i 1d project/.env.profiling
	(cd project/src && "$SMARTPROF" config --json >"$WORK/config.json")
	[ "$(json 's["cpu_interval"]["source"]' config.json)" = file ]
	[ "$(json 'j["plan"]["output"]' config.json)" = "$WORK/project/src/profiles/ci" ]
	(cd project/src && "$SMARTPROF" config) | grep "SMARTPROF_DIR=.*line [23] does not count"
	[ "$(json 'j["settings_file"]["path"]' config.json)" = "$WORK/project/.env.profiling" ]
	(cd project/src && SMARTPROF_CPU_SAMPLING_INTERVAL=4ms "$SMARTPROF" config) |
		grep '^SMARTPROF_CPU_SAMPLING_INTERVAL  *4000 us  *variable SMARTPROF_CPU_SAMPLING_INTERVAL'
	SMARTPROF_CONFIG=project/.env.profiling "$SMARTPROF" config --json >config.json
	[ "$(json 'j["plan"]["output"]' config.json)" = "$WORK/from file/ci" ]
	[ "$(json 's["cpu_interval"]["source"]' config.json)" = file ]
	(cd project && SMARTPROF_CONFIG=/dev/null "$SMARTPROF" config --json) >config.json
	[ "$(json 's["cpu_interval"]["source"]' config.json)" = rule ] ||
		[ "$(json 's["cpu_interval"]["source"]' config.json)" = default ]
}

@test "a file named from here is found by children that run elsewhere" {
	mkdir project
	echo SMARTPROF_CPU_SAMPLING_INTERVAL=7ms >project/settings
	SMARTPROF_CONFIG=project/settings profiled bash -c 'cd / && "$0" 0.3; exit 0' "$TARGETS/cpu_truth" >out
	[ "$(front cpu_interval_requested_us "$(profile_of cpu_truth)")" = 7000 ]
}

@test "what is needed at the start works from the file: off, follow, verbose, signal" {
	unset SMARTPROF_DIR
	echo SMARTPROF_ENABLED=off >.env.profiling
	profiled "$TARGETS/cpu_truth" 0.3 >out
	[ ! -e profiles ]
	printf 'SMARTPROF_FOLLOW=none\n' >.env.profiling
	SMARTPROF_OUTPUT=asked.md profiled bash -c 'for ((i = 0; i < 200000; i++)); do :; done; $0 0.3; echo done' "$TARGETS/cpu_truth" >out
	[ "$(front program asked.md)" = bash ]
	[ -z "$(find . -name '*cpu_truth*.md')" ]
	export SMARTPROF_DIR=$WORK/profiles
	printf 'SMARTPROF_SIGNAL=USR2\n' >.env.profiling
	same_run "$TARGETS/cpu_truth" 0.3
	section '# Settings' "$(profile_of cpu_truth)" | grep -q '^| signal | SIGUSR2 | file line 1 |'
	printf 'SMARTPROF_VERBOSE=on\n' >.env.profiling
	(ulimit -f 64; profiled "$TARGETS/cpu_truth" 0.1 2>&1 >out) | grep -q '^smartprof: '
}

@test "another signal samples as well, and SIGPROF is the program's" {
	for signal in SIGSTKFLT SIGURG VTALRM 10 SIGUSR2; do
		rm -rf "$SMARTPROF_DIR"
		SMARTPROF_SIGNAL=$signal same_run "$TARGETS/cpu_truth" 0.3
		at_least "$(front cpu_samples "$(profile_of cpu_truth)")" "$(by_clock 50 15)"
	done
	SMARTPROF_SIGNAL=SIGUSR2 profiled "$TARGETS/sigprof_user" >out
	timeout 20 python3 -c 'import signal, os
os.kill(os.getpid(), signal.SIGURG)' # ignored by default
	SMARTPROF_SIGNAL=SIGURG profiled /usr/bin/python3 -c 'import signal, os
sum(i * i for i in range(1000000)); os.kill(os.getpid(), signal.SIGURG); sum(i * i for i in range(1000000))'
}

@test "check: silent when all is well, status 1 and the remedy when there would be no profile" {
	"$SMARTPROF" config --check
	mkdir -p alone
	cp "$SMARTPROF" alone/
	status_of 1 alone/smartprof config --check >out
	grep -q 'no profile: libsmartprof.so is not where' out
	cp "$AGENT" alone/
	chmod 777 alone
	status_of 1 alone/smartprof config --check >out
	grep -q 'no profile: the library would not run .*alone/smartprof, because others may write to a directory above it' out
	SMARTPROF_BIN=$SMARTPROF alone/smartprof config --check
	(ulimit -f 64; status_of 1 "$SMARTPROF" config --check) | grep -A1 'ulimit -f' | grep 'to fix it: ulimit -f unlimited'
	SMARTPROF_ENABLED=0 status_of 1 "$SMARTPROF" config --check | grep 'to fix it: unset SMARTPROF_ENABLED'
	SMARTPROF_ENABLED=0 "$SMARTPROF" config | grep -A1 'What will happen' | grep nothing
	echo SMARTPROF_MODE=cpu >.env.profiling
	chmod 666 .env.profiling
	"$SMARTPROF" config --check | grep 'is ignored: others may write to it'
}

@test "colour only on a terminal, and not with NO_COLOR" {
	refuse grep -q $'\033' <("$SMARTPROF" config)
	TERM=xterm script -qec "$SMARTPROF config" /dev/null | grep -q $'\033'
	refuse grep -q $'\033' <(TERM=xterm NO_COLOR=1 script -qec "$SMARTPROF config" /dev/null)
	refuse grep -q $'\033' <(TERM=dumb script -qec "$SMARTPROF config" /dev/null)
}

@test "usage errors" {
	for words in "--write" "--docker" "--json --check" "--root / --write x" "extra" "--env moon" "--colour"; do
		# shellcheck disable=SC2086 # words
		status_of 2 "$SMARTPROF" config $words 2>err
		[ "$(wc -l <err)" -eq 1 ] || fail "$words"
	done
}

@test "off, and off by program name" {
	SMARTPROF_ENABLED=0 profiled "$TARGETS/cpu_truth" 0.3 >out
	SMARTPROF_PROGRAM='other*,py?hon' profiled "$TARGETS/cpu_truth" 0.3 >out
	[ -z "$(find "$SMARTPROF_DIR" -name '*.md' 2>/dev/null)" ]
	SMARTPROF_PROGRAM='other*,cpu_*' profiled "$TARGETS/cpu_truth" 0.3 >out
	profile_of cpu_truth
}

@test "secrets in arguments and variables do not reach the profile" {
	API_TOKEN=hunter2secret profiled /usr/bin/python3 -c 'print(sum(i * i for i in range(1500000)))' \
		--password=hunter2secret --token hunter2secret https://user:hunter2secret@host/ \
		-phunter2secret -u joe:hunter2secret --password "a hunter2secret" \
		"Authorization: Token hunter2secret" "https://h/?sig=hunter2secret&x=stays" -p 8080 >out
	refuse grep -rq hunter2secret "$SMARTPROF_DIR"
	grep -q redacted "$(profile_of 'python3*')"
	profiled bash -c 'exec -a "app token=hunter2secret" "$@"' bash "$TARGETS/cpu_truth" 0.3 >out
	profile_of 'app_token_*'
	refuse grep -rq hunter2secret "$SMARTPROF_DIR"
	[ -z "$(find "$SMARTPROF_DIR" -name '*hunter2*')" ]
	grep -q 'x=stays -p 8080' "$(profile_of 'python3*')"
}
