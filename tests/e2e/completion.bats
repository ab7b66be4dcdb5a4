# Completion in real shells, and help on topics.
load helpers

bash_setup() {
	mkdir -p bin && ln -sf "$SMARTPROF" bin/smartprof
	PATH=$PWD/bin:$PATH
}

# in_bash WORDS…: what bash offers for the last one.
in_bash() {
	bash --norc -c '. "$1"; shift
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
		_smartprof
		printf "%s\n" "${COMPREPLY[@]}"' _ "$ROOT/tools/completion/smartprof.bash" "$@"
}

in_fish() { # LINE
	fish -N -c "source '$ROOT/tools/completion/smartprof.fish'; complete -C '$1'" | cut -f 1
}

# A terminal, a line and the tab key.
in_zsh() { # LINE
	cat >zsh.zsh <<-'ZSH'
		zmodload zsh/zpty
		zpty shell zsh -f -i
		zpty -w shell "PS1=; unsetopt zle_bracketed_paste; autoload -U compinit; compinit -u -D; . $2; zstyle ':completion:*' list-prompt ''; LISTMAX=1000; COLUMNS=200; echo set-up"
		while zpty -r shell line; do [[ $line == *set-up* && $line != *echo* ]] && break; done
		zpty -n -w shell "$1"$'\t\t'
		sleep 1
		zpty -n -w shell $'\x15'"echo at-the-end"$'\n'
		while zpty -r shell line; do print -r -- "$line"; [[ $line == *at-the-end* ]] && break; done
	ZSH
	timeout 20 zsh -f zsh.zsh "$1" "$ROOT/tools/completion/_smartprof" | sed 's/\x1b\[[0-9;?]*[A-Za-z]/ /g' | tr '\r' '\n'
}

offers() { # WORD… in the file `offered`
	local word
	for word in "$@"; do grep -qwFe "$word" offered || fail "$word is not in: $(tr '\n' ' ' <offered)"; done
}

@test "bash completes commands, flags, values and the program that is run" {
	bash_setup
	in_bash smartprof '' >offered
	# shellcheck disable=SC2046
	offers $(commands) help
	refuse grep -qE '^(finish|complete)$' offered
	in_bash smartprof report -- >offered
	offers --format --metric --merge --output
	[ "$(in_bash smartprof report --format sp)" = speedscope ]
	[ "$(in_bash smartprof report --format = sp)" = speedscope ]
	[ "$(in_bash smartprof report --metric pe)" = peak ]
	[ "$(in_bash smartprof report --metric wal)" = wall ]
	[ "$(in_bash smartprof report --by mo)" = module ]
	[ "$(in_bash smartprof run --env prod)" = production ]
	[ "$(in_bash smartprof run --allocator mi)" = mimalloc ]
	[ "$(in_bash smartprof compare --format gi)" = github ]
	in_bash smartprof ctl 12 '' >offered
	offers start stop interval mark status
	in_bash smartprof help '' >offered
	offers report settings runs
	in_bash smartprof run --quiet -- sqlit >offered
	offers sqlite3
	in_bash smartprof guard --warning 80% -- sqlit >offered
	offers sqlite3
	in_bash smartprof guard -- >offered
	offers --warning --on-critical --explain
	[ -z "$(in_bash smartprof report '')" ] # then it is files, by -o default
}

@test "every flag that a command takes is offered" {
	bash_setup
	for command in $(commands); do
		smartprof complete "$command" -- >offered
		flags_of "$command" >told
		[ -s told ]
		while read -r flag; do grep -qxe "$flag" offered || fail "$command $flag"; done <told
	done
}

@test "fish completes with its own completion" {
	command -v fish >/dev/null || skip "fish is not installed"
	bash_setup
	in_fish 'smartprof re' >offered
	offers report recover
	in_fish 'smartprof report --format ' >offered
	offers html pprof speedscope
	in_fish 'smartprof report --format=ht' >offered
	offers --format=html
	in_fish 'smartprof run -- sqlit' >offered
	offers sqlite3
}

@test "zsh completes in a terminal" {
	bash_setup
	in_zsh 'smartprof ' >offered
	offers report compare validate
	in_zsh 'smartprof report --format ' >offered
	offers folded pprof speedscope
}

@test "make install brings the completions" {
	make -s -C "$ROOT" install DESTDIR="$WORK/root" PREFIX=/usr >log
	for file in bash-completion/completions/smartprof zsh/site-functions/_smartprof fish/vendor_completions.d/smartprof.fish; do
		[ -s "root/usr/share/$file" ]
	done
	make -s -C "$ROOT" uninstall DESTDIR="$WORK/root" PREFIX=/usr >log
	[ -z "$(find root -type f)" ]
}

@test "help explains topics, and knows near misses" {
	for topic in settings environments profiles runs names; do
		"$SMARTPROF" help | grep -q "^  $topic "
		[ "$("$SMARTPROF" help $topic | wc -l)" -ge 5 ]
	done
	"$SMARTPROF" help settings | grep -q SMARTPROF_HEAP_INTERVAL
	status_of 2 "$SMARTPROF" help setings 2>err
	grep -q "did you mean 'settings'" err
	status_of 2 "$SMARTPROF" help finish 2>err
}
