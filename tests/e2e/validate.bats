# smartprof validate: what a profile promises about its form.
load helpers

@test "a profile follows; a damaged copy does not, and its line is named" {
	profiled "$TARGETS/heap_truth" >out
	profile=$(profile_of heap_truth)
	"$SMARTPROF" validate "$profile" >shown
	grep -q "follows smartprof/1" shown
	grep -Eq '^  present  key      cpu_samples +line [0-9]+$' shown
	grep -Eq '^  absent   key      git_commit +the working directory is in no git repository, or several profiles are merged$' shown
	sed 's/^cpu_samples: .*/cpu_samples: lots/' "$profile" >bad
	line=$(grep -n '^cpu_samples: lots' bad | cut -d: -f1)
	status_of 1 "$SMARTPROF" validate bad >shown
	grep -q "^bad:$line: .cpu_samples. is not a whole number: \"lots\"" shown
	head -c 20000 "$profile" >bad
	status_of 1 "$SMARTPROF" validate bad "$profile" >shown
	sed 's/^pid: .*/&\nnovelty: 3/' "$profile" >more
	"$SMARTPROF" validate more >shown
	grep -Eq '^  unknown  key      novelty +line [0-9]+$' shown
}

@test "--json tells the same" {
	profiled "$TARGETS/cpu_truth" 0.3 >out
	profile=$(profile_of cpu_truth)
	sed 's/^pid: .*/pid: x/' "$profile" >bad
	status_of 1 "$SMARTPROF" validate --json "$profile" bad >shown
	python3 - <<-'PY'
		import json
		good, bad = json.load(open("shown"))
		assert good["valid"] and not good["violations"] and good["schema"] == "smartprof/1", good
		assert not bad["valid"] and bad["violation_count"] == 1 and "pid" in bad["violations"][0]["what"], bad
		assert {"kind": "key", "name": "git_commit", "known": True,
			"absent": "the working directory is in no git repository, or several profiles are merged"} in good["coverage"]
	PY
}

@test "what is no profile is told in one line" {
	for bad in /nonexistent "$WORK"; do
		status_of 2 "$SMARTPROF" validate "$bad" >out 2>err
		[ "$(wc -l <err)" -eq 1 ]
	done
	status_of 2 "$SMARTPROF" validate 2>err
	status_of 2 "$SMARTPROF" validate --jason x 2>err
	grep -q "did you mean '--json'" err
	printf 'SPPOOL01xxxxxxxx' >spool
	status_of 2 "$SMARTPROF" validate spool 2>err
	grep -q 'it is a spool' err
	head -c 100000 /dev/urandom >noise
	: >empty
	status_of 1 "$SMARTPROF" validate noise empty >shown
	[ "$(wc -l <shown)" -eq 4 ]
}
