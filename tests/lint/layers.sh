#!/bin/bash
# Who may include whom. Usage: layers.sh ROOT
# Project headers are named from the root; the libraries that belong to one stage stay there.
set -eu -o pipefail
. "$(dirname "$0")/sources.sh"

# folder: regular expression of the project headers it may include
declare -A allowed=(
	[sampler]='sampler/.*'
	[preload]='(preload|sampler|env)/.*'
	[env]='env/.*'
	[symbolize]='symbolize/.*'
	[profiles]='(profiles/.*|sampler/spool\.h|symbolize/symbolize\.h)'
	[tools]='(tools|env|profiles|symbolize)/.*'
	[tests]='.*'
)
# library header: folders that may include it
declare -A owners=(
	['libunwind.*\.h']='symbolize|tests'
	['(elfutils/.*|libelf\.h|gelf\.h|dwarf\.h|demangle\.h|libiberty.*)']='symbolize|tests'
	['sqlite3\.h']='symbolize|tests'
)

files=$(list_sources "$1" '*.c' '*.h' '*.cc' '*.S' '*.def')
cd "$1"
bad=0
complain() {
	echo "layers: $1" >&2
	bad=1
}
while IFS= read -r file; do
	folder=${file%%/*}
	[ -n "${allowed[$folder]-}" ] || { complain "$file: '$folder' is not a folder of the design"; continue; }
	while read -r name; do
		[[ $name =~ ^${allowed[$folder]}$ && $name == */* ]] || complain "$file must not include \"$name\""
	done < <(sed -nE 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*"([^"]*)".*/\1/p' "$file")
	while read -r name; do
		for pattern in "${!owners[@]}"; do
			if [[ $name =~ ^$pattern$ && ! $folder =~ ^(${owners[$pattern]})$ ]]; then
				complain "$file must not include <$name>"
			fi
		done
	done < <(sed -nE 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*<([^>]*)>.*/\1/p' "$file")
done <<<"$files"
[ "$bad" -eq 0 ] || exit 1
echo "layers: $(wc -l <<<"$files") files"
