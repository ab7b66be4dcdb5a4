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
	[profiles]='(profiles/.*|sampler/(spool|cost|wait_calls)\.h|symbolize/(symbolize|base/memory)\.h)'
	[tools]='(tools|env|profiles|symbolize)/.*'
	[tests]='.*'
)
# The folders of these four are stages too: each may include itself and those named here. What stands in symbolize/ itself
# uses all of its stages, which see the two headers that say what is asked and how; what stands in sampler/ and preload/
# themselves is their ground floor.
ground='[a-z_0-9]+\.h'
declare -A stages=(
	[sampler]="$ground"
	[sampler/walk]="$ground"
	[sampler/spool]="$ground|walk"
	[sampler/spans]="$ground|walk|spool"
	[sampler/threads]="$ground|walk|spool|spans"
	[sampler/clock]="$ground|walk|spool|threads"
	[sampler/upkeep]="$ground|walk|spool|spans|threads|clock"
	[sampler/heap]="$ground|walk|spool|spans|threads|clock|upkeep"
	[sampler/cpu]="$ground|walk|spool|spans|threads|clock|upkeep"
	[sampler/waits]="$ground|walk|spool|spans|threads|clock|upkeep|heap"
	[preload]="$ground"
	[preload/finish]="$ground"
	[preload/hooks]="$ground|finish"
	[preload/start]="$ground|finish|hooks"
	[symbolize/base]=''
	[symbolize/disk]='base'
	[symbolize/elf]='base|disk|(symbolize|context)\.h'
	[symbolize/dwarf]='base|disk|elf|(symbolize|context)\.h'
	[symbolize/cache]='base|disk|symbolize\.h'
	[profiles/base]=''
	[profiles/redact]='base'
	[profiles/spool]='base'
	[profiles/model]='base|redact|spool'
	[profiles/markdown]='base|model'
	[profiles/compare]='base|model'
	[profiles/export]='base|model|markdown'
	[profiles/html]='base|model|compare|export'
	[profiles/monitor]='base|compare'
	[profiles/history]='base|model|compare|monitor'
	[profiles/gate]='base|model|markdown|compare|monitor|history'
	[profiles/fleet]='base|model'
	[profiles/output]='base|redact|spool|model|markdown'
)
# header of another folder: the stages that may include it
declare -A stage_of=(
	[sampler/spool.h]=profiles/spool
	[sampler/cost.h]='profiles/(spool|model)'
	[sampler/wait_calls.h]='profiles/(spool|model)'
	[symbolize/symbolize.h]=profiles/model
)
# library header: folders that may include it
declare -A owners=(
	['libunwind.*\.h']='symbolize|tests'
	['(elfutils/.*|libelf\.h|gelf\.h|dwarf\.h|demangle\.h|libiberty.*)']='symbolize|tests'
	['Zydis/.*\.h']='symbolize|tests'
	['sqlite3\.h']='symbolize|profiles/history|tests'
	['sha2\.h']='profiles/(history|fleet)|tools/push'
	['curl/.*\.h']='tools/push|tests'
	['archive(_entry)?\.h']='tools/history'
)

files=$(list_sources "$1" '*.c' '*.h' '*.cc' '*.S' '*.def')
cd "$1"
bad=0
complain() {
	echo "layers: $1" >&2
	bad=1
}
check_stage() { # FILE HEADER
	local folder=${1%%/*} stage=${1%/*} other=${2#*/}
	[[ $folder != symbolize || $stage != symbolize ]] || return 0
	[ -n "${stages[$stage]+known}" ] || { complain "$1: '$stage' is not a stage of the design"; return; }
	if [[ $2 != "$folder"/* ]]; then
		[[ $folder != profiles || $stage =~ ^(${stage_of[$2]-$stage})$ ]] || complain "$1 must not include \"$2\""
	elif [[ ! ${other%%/*} =~ ^(${stage#*/}|${stages[$stage]})$ ]]; then
		complain "$1 must not include \"$2\""
	fi
}
while IFS= read -r file; do
	folder=${file%%/*}
	[ -n "${allowed[$folder]-}" ] || { complain "$file: '$folder' is not a folder of the design"; continue; }
	while read -r name; do
		[[ $name =~ ^${allowed[$folder]}$ && $name == */* ]] || { complain "$file must not include \"$name\""; continue; }
		[[ ! $folder =~ ^(sampler|preload|symbolize|profiles)$ ]] || check_stage "$file" "$name"
	done < <(sed -nE 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*"([^"]*)".*/\1/p' "$file")
	while read -r name; do
		for pattern in "${!owners[@]}"; do
			if [[ $name =~ ^$pattern$ && ! ($folder =~ ^(${owners[$pattern]})$ || ${file%/*} =~ ^(${owners[$pattern]})$) ]]; then
				complain "$file must not include <$name>"
			fi
		done
	done < <(sed -nE 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*<([^>]*)>.*/\1/p' "$file")
done <<<"$files"
while IFS= read -r file; do
	[[ $file =~ ^(\.[^/]*|[A-Z]+\.md|LICENSE|Makefile|(preload|sampler|symbolize|profiles|tools|tests|env|docs|packaging|\.[^/]*)/.*)$ ]] ||
		complain "$file does not belong into the root"
done < <(list_sources . '*')
[ "$bad" -eq 0 ] || exit 1
echo "layers: $(wc -l <<<"$files") files"
