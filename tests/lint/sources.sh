# shellcheck shell=bash
# Sourced by the checks: lists a tree's own source files, which git knows or would add.
# A check over an empty list checks nothing, so that is an error.
list_sources() { # ROOT PATTERN...
	local root=$1 list
	shift
	if git -C "$root" rev-parse --show-toplevel 2>/dev/null | grep -qxF "$(realpath "$root")"; then
		list=$(git -C "$root" ls-files -co --exclude-standard -- "$@" | while read -r f; do
			if [ -f "$root/$f" ]; then echo "$f"; fi
		done)
	else
		local names=(-false) pattern
		for pattern in "$@"; do names+=(-o -name "$pattern"); done
		list=$(cd "$root" && find . \( -name build -o -name build-san -o -name .git \) -prune -o \
			-type f \( "${names[@]}" \) -printf '%P\n')
	fi
	if [ -z "$list" ]; then
		echo "$(basename "$0"): no source files under $root" >&2
		return 1
	fi
	printf '%s\n' "$list" | sort
}
