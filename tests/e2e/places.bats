# Where profiles went, and finding them again: by name, by process, by what is running.
load helpers

BURN='import time
end = time.time() + 60
print("ready", flush=True)
while time.time() < end: sum(range(10**5))'

@test "run says where the profile is, and --quiet does not" {
	unset SMARTPROF_DIR
	"$SMARTPROF" run -- /usr/bin/python3 -c 'print(sum(range(10**7)))' >out 2>err
	[ "$(wc -l <out)" -eq 1 ] && [ "$(wc -l <err)" -eq 1 ]
	path=$(sed -n 's/^smartprof: profile: //p' err)
	[ "$(front program "$path")" = python3 ]
	"$SMARTPROF" run --quiet -- /usr/bin/python3 -c 'print(sum(range(10**7)))' >out 2>err
	[ ! -s err ]
	"$SMARTPROF" run --output here.md -- /usr/bin/python3 -c 'sum(range(10**7))' 2>err
	grep -qx 'smartprof: profile: .*here.md' err
	"$SMARTPROF" run -- sh -c '/usr/bin/python3 -c "sum(range(10**7))"; /usr/bin/python3 -c "sum(range(10**7))"' 2>err
	index=$(sed -n 's/.*; of all 2 processes: smartprof report //p' err)
	"$SMARTPROF" report "$index" | grep -q '^merged_profiles: 2$'
	status_of 7 "$SMARTPROF" run -- "$TARGETS/ends" exit 0.2 2>err
	grep -q 'profile: .*/ends\.' err
}

@test "run says why there is no profile" {
	"$SMARTPROF" run -- true 2>err
	grep -q 'no profile: it used less than 20 ms of CPU' err
	SMARTPROF_ENABLED=0 "$SMARTPROF" run -- true 2>err
	grep -q 'no profile: .*SMARTPROF_ENABLED' err
	SMARTPROF_PROGRAM=other "$SMARTPROF" run -- "$TARGETS/cpu_truth" 0.1 >out 2>err
	grep -q 'no profile: .*SMARTPROF_PROGRAM' err
}

@test "a --dir whose environment's directory cannot be made is told before the program runs" {
	mkdir place && touch place/development
	status_of 2 "$SMARTPROF" run --dir place -- touch ran 2>err
	grep -q 'run: profiles cannot be written to place: Not a directory' err
	[ ! -e ran ]
}

@test "profiles are found by program, process, wrapper, latest and at either level of directories" {
	"$SMARTPROF" run --quiet -- /usr/bin/python3 -c 'sum(range(10**7))' &
	wrapper=$!
	wait $wrapper
	profile=$(profile_of python3)
	for name in python3 latest "$(front pid "$profile")" "$wrapper" "$SMARTPROF_DIR" "$SMARTPROF_DIR/development"; do
		[ "$("$SMARTPROF" report "$name" | grep '^pid: ')" = "pid: $(front pid "$profile")" ] || fail "$name"
		"$SMARTPROF" validate "$name" | grep -q ': follows' || fail "$name"
		"$SMARTPROF" compare "$name" "$name" >out || fail "$name"
	done
	cp "$profile" python3 # a file is what its name says
	"$SMARTPROF" validate python3 | grep -q '^python3: follows'
}

@test "a running program is found by its process, its wrapper's and its name" {
	"$SMARTPROF" run -- /usr/bin/python3 -c "$BURN" >out 3>&- &
	wrapper=$!
	eventually grep -q ready out
	child=$(pgrep -P $wrapper)
	eventually "$SMARTPROF" report "$child" >running
	for name in "$wrapper" python3; do
		"$SMARTPROF" report "$name" >again
		[ "$(grep '^pid: ' again)" = "pid: $child" ] && grep -q '^exit: running$' again || fail "$name"
	done
	"$SMARTPROF" run -- /usr/bin/python3 -c "$BURN" >out2 3>&- &
	second=$!
	eventually grep -q ready out2
	eventually "$SMARTPROF" report "$second" >running
	status_of 2 "$SMARTPROF" report python3 2>err
	grep -q 'several processes of that name' err
	kill -TERM $wrapper $second
	wait $wrapper $second || true
}

@test "why there is no spool: no such process, not loaded, nothing used yet" {
	status_of 2 "$SMARTPROF" report 4194303 2>err
	grep -q 'there is no such process' err
	sleep 30 3>&- &
	asleep=$!
	status_of 2 "$SMARTPROF" report $asleep 2>err
	grep -q 'smartprof is not loaded in it' err
	LD_PRELOAD=$AGENT sleep 30 3>&- &
	idle=$!
	eventually grep -q libsmartprof /proc/$idle/maps
	status_of 2 "$SMARTPROF" report $idle 2>err
	grep -q 'no spool yet' err
	status_of 2 "$SMARTPROF" report nosuchprogram 2>err
	grep -q 'no process of that name' err
	kill $asleep $idle
	wait $asleep $idle || true
}

@test "a name whose first profile is still being written is waited for, and told so" {
	printf '#!/bin/sh\n: >"%s/began"\nsleep 3\nexec "%s" "$@"\n' "$WORK" "$SMARTPROF" >late
	chmod 755 late
	for what in latest cpu_truth; do
		rm -rf began "$SMARTPROF_DIR"
		SMARTPROF_BIN=$WORK/late profiled "$TARGETS/cpu_truth" 0.1 >out 3>&- &
		eventually test -e began
		[ "$what" = latest ] || wait # its spool is reported as long as it lives
		"$SMARTPROF" report $what >shown 2>err
		grep -q '^program: cpu_truth$' shown
		[ "$what" != latest ] || grep -q 'report: latest: waiting for a profile that is being written' err
		wait
	done
	status_of 2 "$SMARTPROF" report nosuchprogram 2>err
}

@test "a program's name means its profile, where the program itself stands too" {
	cp "$TARGETS/cpu_truth" worker
	"$SMARTPROF" run -- ./worker 0.2 >out
	"$SMARTPROF" report worker | grep -q '^program: worker$'
	"$SMARTPROF" validate worker >out
	"$SMARTPROF" compare worker latest >out || [ $? -le 1 ]
	"$SMARTPROF" run -- ./worker 5 >out 3>&- &
	running() { "$SMARTPROF" report worker | grep -q '^exit: running$'; }
	eventually running
	kill %1
	wait || true
	cp "$SMARTPROF" other # a program without a profile is no profile either
	status_of 2 "$SMARTPROF" report other 2>err
	[ "$(wc -l <err)" -eq 1 ]
}
