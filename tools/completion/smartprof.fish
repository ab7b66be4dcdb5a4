# fish completion for smartprof: the command itself knows its commands, flags and values.
function __smartprof_complete
	set -l words (commandline -opc)
	set -l found ($words[1] complete $words[2..] (commandline -ct) 2>/dev/null)
	if string match -q ':program*' -- "$found[1]"
		set -l at (string replace ':program ' '' -- $found[1])
		complete -C (string join ' ' -- $words[(math $at + 1)..] (commandline -ct))
	else
		printf '%s\n' $found
	end
end
complete -c smartprof -a '(__smartprof_complete)'
