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
# The folders of profiles/ are stages too: each may include itself and those named here, which stand above it.
declare -A stages=(
	[base]=''
	[redact]='base'
	[spool]='base'
	[model]='base|redact|spool'
	[markdown]='base|model'
	[compare]='base|model'
	[export]='base|model|markdown'
	[html]='base|model|compare|export'
	[output]='base|redact|spool|model|markdown'
)
# header of another folder: the one stage of profiles/ that may include it
declare -A stage_of=(
	[sampler/spool.h]=spool
	[symbolize/symbolize.h]=model
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
check_stage() { # FILE HEADER
	local stage=${1#profiles/} other=${2#profiles/}
	[[ $stage == */* ]] || { complain "$1: profiles/ holds folders alone"; return; }
	stage=${stage%%/*}
	[ -n "${stages[$stage]+known}" ] || { complain "$1: 'profiles/$stage' is not a stage of the design"; return; }
	if [[ $2 != profiles/* ]]; then
		[ "${stage_of[$2]-$stage}" = "$stage" ] || complain "$1 must not include \"$2\""
	elif [[ ! ${other%%/*} =~ ^($stage|${stages[$stage]})$ ]]; then
		complain "$1 must not include \"$2\""
	fi
}
while IFS= read -r file; do
	folder=${file%%/*}
	[ -n "${allowed[$folder]-}" ] || { complain "$file: '$folder' is not a folder of the design"; continue; }
	while read -r name; do
		[[ $name =~ ^${allowed[$folder]}$ && $name == */* ]] || { complain "$file must not include \"$name\""; continue; }
		[ "$folder" != profiles ] || check_stage "$file" "$name"
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
