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
		assert len(runs) == 4, runs
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
	began=$EPOCHREALTIME
	status_of 1 git commit -qm third 2>err
	grep -q '^worse: work: wall_ns +4[0-9]\.\|^worse: work: wall_ns +5[0-9]\.' err
	grep -q 'pre-commit: refused' err
	[ ! -e "$SMARTPROF_HISTORY.alerts" ]
	awk -v a="$began" -v b="$EPOCHREALTIME" 'BEGIN { exit b - a > 20 }'
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

@test "each step of the GitHub workflow runs: it measures, judges, draws" {
	repository
	unset SMARTPROF_HISTORY
	"$SMARTPROF" init github >/dev/null
	"$SMARTPROF" check --init '/bin/sh -c "exit 0"' >/dev/null
	workflow_steps
	for step in ../step?; do
		GITHUB_ACTIONS=true GITHUB_STEP_SUMMARY=$PWD/../summary RUNNER_TEMP=$PWD/.. SMARTPROF_ENV=ci \
			SMARTPROF_HISTORY=$PWD/.smartprof/history.db bash -e "$step" || fail "$step: $(cat "$step")"
	done
	[ -s ../summary ]
	grep -qi grade smartprof-report.md
	grep -q '<html' smartprof-history.html
	[ -s .smartprof/history.db ]
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
