# bash completion for smartprof: the command itself knows its commands, flags and values.
_smartprof() {
	local cur=${COMP_WORDS[COMP_CWORD]} words at
	words=$("${COMP_WORDS[0]}" complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
	[ "$cur" != = ] || cur=
	case $words in
	:program*)
		at=${words#:program }
		if declare -F _command_offset >/dev/null; then
			_command_offset "$at"
		elif [ "$at" -eq "$COMP_CWORD" ]; then
			mapfile -t COMPREPLY < <(compgen -c -- "$cur")
		fi
		;;
	*)
		mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
		;;
	esac
}
complete -o default -F _smartprof smartprof
