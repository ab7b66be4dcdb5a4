# What the command says it detected, and that the agent does what it says.
load helpers

@test "every setting is listed with its value and source" {
	"$SMARTPROF" config >out
	for variable in $(grep -o 'SMARTPROF_[A-Z_]*' "$ROOT/env/options.def" | sort -u); do
		grep -q "$variable" out || fail "config does not mention $variable"
	done
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

@test "off, and off by program name" {
	SMARTPROF_ENABLED=0 profiled "$TARGETS/cpu_truth" 0.3 >out
	SMARTPROF_PROGRAM='other*,py?hon' profiled "$TARGETS/cpu_truth" 0.3 >out
	[ -z "$(find "$SMARTPROF_DIR" -name '*.md' 2>/dev/null)" ]
	SMARTPROF_PROGRAM='other*,cpu_*' profiled "$TARGETS/cpu_truth" 0.3 >out
	profile_of cpu_truth
}

@test "secrets in arguments and variables do not reach the profile" {
	API_TOKEN=hunter2secret profiled /usr/bin/python3 -c 'print(sum(i * i for i in range(1500000)))' \
		--password=hunter2secret --token hunter2secret https://user:hunter2secret@host/ >out
	refuse grep -rq hunter2secret "$SMARTPROF_DIR"
	grep -q redacted "$(profile_of 'python3*')"
}
