# Files that put smartprof into checks, hooks and machines: what is written is what other tools take, and works.
load helpers

repository() {
	export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=A
	export GIT_COMMITTER_EMAIL=a@example.org SMARTPROF_HISTORY=$PWD/h.db
	make -C "$ROOT" --no-print-directory -s build/bench/compose_history
	mkdir -p bin && ln -s "$SMARTPROF" bin/smartprof
	PATH=$PWD/bin:$PATH
	mkdir work && cd work && git init -q .
	echo 'all:; @echo built' >Makefile
}

# runs RATIO: 20 runs in the last day, the last five so many times slower.
runs() {
	rm -f "$SMARTPROF_HISTORY"*
	awk -v ratio="$1" -v now="$(date +%s)" 'BEGIN { for (i = 0; i < 20; i++)
		printf "at=%d wall_ns=%d\n", now - 600 * (20 - i), (1e9 + i * 7919 % 13 * 2e6) * (i >= 15 ? ratio : 1) }' |
		"$ROOT/build/bench/compose_history" "$SMARTPROF_HISTORY"
}

# The lines of the workflow's steps that run something: ../step0 and on.
workflow_steps() {
	python3 - .github/workflows/smartprof.yml <<-'PY'
		import re, sys
		text = open(sys.argv[1]).read()
		steps = re.findall(r"(?m)^      - name: (.*)\n((?:(?!      - ).*\n)*)", text)
		runs = [(n, re.search(r"        run: (?:\|\n((?: {10}.*\n)+)|(.+)\n)", body)) for n, body in steps]
		runs = [(n, re.sub(r"^ {10}", "", m[1], flags=re.M) if m[1] else m[2]) for n, m in runs if m]
		assert len(runs) == 5, runs
		for i, (name, run) in enumerate(runs): open("../step%d" % i, "w").write("#!/bin/bash -e\n" + run + "\n")
	PY
}

@test "workflows are YAML that yamllint takes, hooks pass shellcheck, units systemd-analyze" {
	repository
	for kind in github gitlab pre-commit pre-push docker systemd cron; do
		"$SMARTPROF" init $kind -- /bin/sleep '5 %n' >/dev/null || fail "$kind"
		"$SMARTPROF" init $kind --print -- /bin/sleep '5 %n' >"../$kind"
		[ -s "../$kind" ]
	done
	yamllint -s .github/workflows/smartprof.yml .gitlab/smartprof.yml .gitlab-ci.yml
	"$SMARTPROF" init pre-commit --trailer --note >/dev/null
	shellcheck .git/hooks/pre-commit .git/hooks/pre-push .git/hooks/prepare-commit-msg .git/hooks/post-commit
	systemd-analyze verify "$PWD"/systemd/*.service "$PWD"/systemd/*.timer 2>err || fail "$(cat err)"
	grep -qxF 'ExecStart='"$(readlink -f "$SMARTPROF")"' guard -- /bin/sleep "5 %%n"' systemd/smartprof-guard.service
	grep -qxF 'ENTRYPOINT ["smartprof", "guard", "--"]' Dockerfile.smartprof
	grep -qxF 'CMD ["/bin/sleep", "5 %n"]' Dockerfile.smartprof
	grep -q "^30 2 \* \* \* [a-z]* cd $PWD && " smartprof.cron
	workflow_steps
	shellcheck ../step?
	grep -q '^          make$' .github/workflows/smartprof.yml
}

@test "nothing is written over, and what is there already is said" {
	repository
	echo mine >Dockerfile.smartprof
	status_of 1 "$SMARTPROF" init docker 2>err
	grep -q 'there is one already' err
	[ "$(cat Dockerfile.smartprof)" = mine ]
	echo 'include: []' >.gitlab-ci.yml
	"$SMARTPROF" init gitlab >out
	grep -q 'left as it is: .gitlab-ci.yml; add `- local: .gitlab/smartprof.yml`' out
	[ "$(cat .gitlab-ci.yml)" = 'include: []' ]
	"$SMARTPROF" init github >/dev/null
	"$SMARTPROF" init github | grep -q 'is there already: .github/workflows/smartprof.yml'
	"$SMARTPROF" init pre-push >/dev/null
	echo '# changed' >>.git/hooks/pre-push
	status_of 1 "$SMARTPROF" init pre-push 2>err
	grep -q 'changed since' err
	cd ..
	status_of 1 "$SMARTPROF" init pre-push
	status_of 2 "$SMARTPROF" init
	status_of 2 "$SMARTPROF" init githob
	status_of 2 "$SMARTPROF" init cron --note
}

# What stands for smartprof's sources, at $PROFILER_SOURCE; what is made of them goes into ../made, and the command is not
# there until it is installed.
sources() {
	rm ../bin/smartprof
	mkdir -p ../sources/.ci
	export PROFILER_SOURCE=$(realpath ../sources) MADE=$(realpath ..)/made BIN=$(realpath ../bin)
	printf '#!/bin/sh\necho "deps $*" >>"$MADE"\n' >../sources/.ci/deps
	printf 'all:\n\t@echo make all >>"$$MADE"\ninstall:\n\t@echo make install >>"$$MADE"; ln -s %s "$$BIN"\n' "$SMARTPROF" >../sources/Makefile
	printf '#!/bin/sh\nexec "$@"\n' >../bin/sudo
	chmod +x ../sources/.ci/deps ../bin/sudo
	git -C ../sources init -q .
	git -C ../sources add -A
	git -C ../sources commit -qm sources
}

@test "hooks respect core.hooksPath, call what was there first, and gate on what is stored" {
	repository
	mkdir -p team sub
	git config core.hooksPath team
	printf '#!/bin/sh\necho "theirs $*" >>"$PWD/theirs"\n[ ! -e forbid ]\n' >team/pre-commit
	printf '#!/bin/sh\ncat >>refs\n' >team/pre-push
	chmod +x team/pre-commit team/pre-push
	(cd sub && "$SMARTPROF" init pre-commit --trailer --note && "$SMARTPROF" init pre-push) >/dev/null
	[ -x team/pre-commit.before-smartprof ]
	git add Makefile team
	# Without a history all passes.
	git commit -qm first
	[ "$(wc -l <theirs)" -eq 1 ]
	runs 1
	echo 1 >one && git add one && git commit -qm second
	git log -1 --format=%B | grep -q '^Performance: work: wall_ns 1\.[0-9]* s ± .*'
	git log -1 --notes=smartprof --format=%N | grep -q '^work: wall_ns'
	runs 1.5
	echo 2 >two && git add two
	status_of 1 git commit -qm third 2>err
	grep -q '^worse: work: wall_ns +4[0-9]\.\|^worse: work: wall_ns +5[0-9]\.' err
	grep -q 'pre-commit: refused' err
	[ ! -e "$SMARTPROF_HISTORY.alerts" ]
	git commit -qm third --no-verify
	git init -q --bare ../far
	status_of 1 git push -q ../far HEAD:refs/heads/main 2>err
	grep -q 'pre-push: refused' err
	grep -q refs/heads/main refs
	runs 1
	git push -q ../far HEAD:refs/heads/main
	# Theirs decides, too; and a machine without smartprof is not held up.
	touch forbid
	echo 3 >three && git add three
	status_of 1 git commit -qm fourth
	rm forbid
	runs 1.5
	sed -i "s|echo [^ ]*/smartprof)|echo /nowhere/smartprof)|" team/pre-commit team/prepare-commit-msg team/post-commit
	PATH=${PATH#*:} git commit -qm fourth
}

# What `git commit` with the hooks starts, in ./started, and how many pages of the history are read, in ./pages.
count_commit() {
	strace -f -qq -s 200 -e trace=execve,pread64 -o trace git commit -q --allow-empty -m "$1"
	sed -nE 's/.* execve\("([^"]*)", \["[^"]*"(, "([^"]*)")?(, "([^"]*)")?.* = 0$/\1 \3 \5/p' trace | sed 's|^[^ ]*/||' >started
	grep -c pread64 trace >pages || true
}

@test "hooks look at what is stored: they start the same few, and read little, however much there is" {
	repository
	git config core.hooksPath hooks
	"$SMARTPROF" init pre-commit --trailer --note >/dev/null
	# many RUNS
	many() {
		rm -f "$SMARTPROF_HISTORY"*
		awk -v runs="$1" -v now="$(date +%s)" 'BEGIN { for (i = 0; i < runs; i++)
			printf "at=%d wall_ns=%d\n", now - 60 * (runs - i), 1e9 + i * 7919 % 13 * 2e6 }' | "$ROOT/build/bench/compose_history" "$SMARTPROF_HISTORY"
	}
	many 200
	count_commit first
	cp started few
	many 12000
	count_commit second
	diff few started
	# An index is looked through, the runs are not.
	[ "$(cat pages)" -le 2400 ] || fail "$(cat pages) pages of 12000 runs"
	# Once each, and nothing that was measured.
	[ "$(grep '^smartprof ' started)" = $'smartprof history alert\nsmartprof history figures\nsmartprof history figures' ] || fail "$(cat started)"
	refuse grep -vE '^(git|smartprof|timeout|dirname|pre-commit|prepare-commit-msg|post-commit|sh) ' started
}

# A command that takes next to nothing, and that may not even take that.
tiny() {
	"$SMARTPROF" check --init '/bin/sh -c "exit 0"' >/dev/null
	sed -i 's/^runs = .*/runs = 3/' smartprof.toml
	git add -A && git commit -qm first
}
forbid() {
	sed -i 's/^cpu = .*/cpu = "1us"/' smartprof.toml
	git commit -qam second
}

@test "each step of the GitHub workflow runs: it measures, judges, keeps a baseline, draws" {
	repository
	unset SMARTPROF_HISTORY
	"$SMARTPROF" init github >/dev/null
	tiny
	workflow_steps
	sources
	run_steps() { # STEPS
		for step in $1; do
			GITHUB_ACTIONS=true GITHUB_STEP_SUMMARY=$PWD/../summary RUNNER_TEMP=$PWD/.. SMARTPROF_ENV=ci \
				SMARTPROF_HISTORY=$PWD/.smartprof/history.db bash -e "../step$step" || return
		done
	}
	run_steps "0 1 2 3 4" || fail "$step: $(cat "../step$step")"
	grep -q '^There is no baseline' smartprof-report.md
	[ "$(cat ../made)" = $'deps build\nmake all\nmake install' ]
	[ -s ../summary ]
	grep -qi grade smartprof-report.md
	grep -q '<html' smartprof-history.html
	[ -s .smartprof/history.db ]
	forbid
	status_of 1 run_steps 2 >out
	grep -q "^Baseline '[a-z]*' of .*, the newest of the main branch" smartprof-report.md
	BECAUSE="it's two words" run_steps "2 3" >out
	"$SMARTPROF" baseline list | grep -q ": it's two words$"
}

@test "the GitLab job's scripts run, and leave each file it keeps" {
	repository
	unset SMARTPROF_HISTORY
	"$SMARTPROF" init gitlab >/dev/null
	tiny
	python3 - .gitlab/smartprof.yml <<-'PY'
		import sys, yaml
		job = yaml.safe_load(open(sys.argv[1]))["smartprof"]
		assert yaml.safe_load(open(".gitlab-ci.yml")) == {"include": [{"local": sys.argv[1]}]}
		open("../variables", "w").write("".join('export %s="%s"\n' % each for each in job["variables"].items()))
		# As a runner does: what comes before and the script are one shell's.
		open("../script", "w").write("set -eo pipefail\n" + "\n".join(job["before_script"] + job["script"]) + "\n")
		open("../after", "w").write("set -eo pipefail\n" + "\n".join(job["after_script"]) + "\n")
		kept = job["artifacts"]["paths"] + list(job["artifacts"]["reports"].values()) + job["cache"]["paths"]
		open("../kept", "w").write("".join(line + "\n" for line in kept))
	PY
	sources
	# A runner checks out the commit, and no branch.
	export CI_PROJECT_DIR=$PWD CI_COMMIT_BRANCH=trunk CI_COMMIT_REF_NAME=trunk CI_DEFAULT_BRANCH=trunk
	git checkout -q --detach
	for script in ../script ../after; do
		(. ../variables && bash "$script") >"$script.out" || fail "$script: $(cat "$script.out" "$script")"
	done
	grep -qx built ../script.out
	[ "$(cat ../made)" = $'deps build\nmake all\nmake install' ]
	while read -r file; do
		[ -s "$file" ] || [ -d "$file" ] || fail "no $file"
	done <../kept
	python3 -c 'import xml.etree.ElementTree as e; e.parse("smartprof-junit.xml")'
	"$SMARTPROF" baseline list --json | grep -q '"branch": *"trunk"'
	forbid
	CI_COMMIT_BRANCH=other
	status_of 1 bash -c '. ../variables && . ../script' >out
	BECAUSE="it's two words" bash -c '. ../variables && . ../script' >out
	"$SMARTPROF" baseline list | grep -q ": it's two words$"
}

@test "the Dockerfile names what the program needs, and its entry point runs what it is given" {
	repository
	"$SMARTPROF" init docker -- /bin/sh -c 'echo "$0 runs"; exit 7' 'a "b"' >/dev/null
	readelf -d "$SMARTPROF" | sed -n 's|.*NEEDED.*\[\(.*\)\]|/usr/lib/x86_64-linux-gnu/\1|p' >../libraries
	# Of before directories were merged dpkg knows the names that they had.
	xargs readlink -f <../libraries | sed 'p; s|^/usr||' | xargs dpkg -S >../owners 2>/dev/null || true
	[ "$(wc -l <../owners)" -eq "$(wc -l <../libraries)" ]
	for package in $(sed 's/:.*//' ../owners); do
		[ "$package" = libc6 ] || grep -qwF -- "$package" Dockerfile.smartprof || fail "$package is not in it"
	done
	python3 - Dockerfile.smartprof >../entry <<-'PY'
		import json, re, shlex, sys
		lines = re.sub(r"\\\n", "", open(sys.argv[1]).read()).splitlines()
		steps = [line.split(None, 1) for line in lines if line and line[0] not in "# "]
		assert {name for name, _ in steps} <= {"FROM", "WORKDIR", "COPY", "RUN", "VOLUME", "ENTRYPOINT", "CMD"}, steps
		last = dict(steps)
		print(shlex.join(json.loads(last["ENTRYPOINT"]) + json.loads(last["CMD"])))
		open("../run", "w").write([text for name, text in steps if name == "RUN"][0] + "\n")
	PY
	# The first stage, in the sources that were copied.
	sources
	(cd ../sources && sh -e ../run)
	[ "$(cat ../made)" = $'deps build\nmake all\nmake install' ]
	mkdir ../container && cd ../container
	status_of 7 sh ../entry >out
	[ "$(cat out)" = 'a "b" runs' ] || fail "$(cat out)"
}

@test "the line for cron runs: silent when all is well, else it prints what is to be mailed" {
	repository
	unset SMARTPROF_HISTORY
	printf '#!/bin/sh\nexec sleep 0.01\n' >prog
	chmod +x prog
	"$SMARTPROF" check --init ./prog >/dev/null
	sed -i 's/^runs = .*/runs = 5/; s/^profiled = .*/profiled = 0/' smartprof.toml
	git add -A && git commit -qm first
	"$SMARTPROF" init cron >/dev/null
	# As cron does it: the sixth field is the user, a bare % ends the command.
	sed -nE '/^[0-9]/s/^([^ ]+ ){6}//p' smartprof.cron | sed 's/\\%/%/g' >../line
	by_cron() { env -i HOME="$HOME" LOGNAME="$(id -un)" SHELL=/bin/sh PATH=/usr/bin:/bin SMARTPROF_ENV=ci sh ../line; }
	by_cron >../mail 2>&1
	[ ! -s ../mail ] || fail "$(cat ../mail)"
	grep -qi grade smartprof-report.md
	sed -i 's/^cpu = .*/cpu = "1us"/' smartprof.toml
	by_cron >../mail 2>&1 || true
	grep -q '^  above the limit CPU time' ../mail || fail "$(cat ../mail)"
}

@test "what the refusing hook suggests lets it pass, until it is worse still" {
	repository
	slow() { # SECONDS RUNS
		printf '#!/bin/sh\nexec sleep %s\n' "$1" >prog
		chmod +x prog
		"$SMARTPROF" monitor --runs "$2" -- ./prog >/dev/null
	}
	"$SMARTPROF" init pre-commit >/dev/null
	slow 0.03 11
	git add -A . && git commit -qm first
	slow 0.3 4
	git add prog
	status_of 1 git commit -qm slower 2>err
	grep -q '^worse: .*prog.*: wall_ns' err
	grep -q 'history accept RUN --because TEXT' err
	"$SMARTPROF" history accept latest --because 'it does more'
	git commit -qm slower
	# More of the same, at the commit that it is now.
	slow 0.3 4
	status_of 0 "$SMARTPROF" history alert
	# Beside the four that were accepted a baseline is not told from noise; of five more it is.
	"$SMARTPROF" baseline save now
	slow 0.6 5
	status_of 1 "$SMARTPROF" history alert wall_ns --json --quiet-time 0 >json
	python3 -c 'import json; a = [x for x in json.load(open("json")) if x["sure"]]; assert a and all(1.5 < x["ratio"] < 5 for x in a), a'
}
