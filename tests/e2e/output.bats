#!/usr/bin/env bats
# What the command says, wherever that is to go.
load helpers

@test "an answer that could not be written is told of in a line, and is no success" {
	for command in 'history where' config 'cache stats' '--version' '--help' 'monitor --runs 2 -- true' 'help names'; do
		# shellcheck disable=SC2086
		status_of 1 "$SMARTPROF" $command >/dev/full 2>err
		[ "$(wc -l <err)" -eq 1 ] || fail "$command: $(cat err)"
		grep -qE '^smartprof: .*: standard output: (No space left on device|it cannot be written to); ' err
	done
	# Who does not want to know more is no failure that needs a word.
	"$SMARTPROF" --help 2>err | head -n 1 >first
	[ ! -s err ]
}

@test "a limit on the size of files ends nothing without a word" {
	(ulimit -S -f 100 && "$SMARTPROF" monitor --runs 2 -- true >out)
	grep -q '^true: 2 runs' out
	status_of 1 bash -c 'ulimit -f 100; exec "$@"' limited "$SMARTPROF" monitor --runs 2 -- true 2>err
	[ "$(cat err)" = 'smartprof: monitor: nothing can be started: File too large; raise the limit on the size of files (ulimit -f)' ]
}

@test "standard files that are closed are nobody else's" {
	SMARTPROF_HISTORY=$WORK/h.db "$SMARTPROF" monitor --export-json run.json -- true <&- >&- 2>&-
	python3 -c 'import json; assert json.load(open("run.json"))["results"][0]["runs"][0]["state"] == "ok"'
	[ "$(sqlite3 h.db 'PRAGMA integrity_check')" = ok ]
	status_of 1 "$SMARTPROF" config >&- 2>err
	grep -q 'standard output: Bad file descriptor' err
	# A program finds them closed as well.
	status=0
	# shellcheck disable=SC2016 # for the inner shell
	"$SMARTPROF" run --quiet -- sh -c 'echo x 2>/dev/null; echo $? >said' >&- || status=$?
	[ "$status" -eq 0 ] && [ "$(cat said)" -ne 0 ]
}
