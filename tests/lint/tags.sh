#!/bin/bash
# No two structures, unions or enumerations of ours have the same tag. Usage: tags.sh ROOT
set -eu -o pipefail
. "$(dirname "$0")/sources.sh"

files=$(list_sources "$1" '*.c' '*.h' | grep -v '^tests/')
cd "$1"
definition='^[[:space:]]*(typedef )?(struct|union|enum)'
tags=$(xargs grep -hoE "$definition sp_[a-z0-9_]+ \{" <<<"$files" | grep -oE 'sp_[a-z0-9_]+' | sort)
[ -n "$tags" ] || { echo "tags: no structures under $1" >&2; exit 1; }
twice=$(uniq -d <<<"$tags")
for tag in $twice; do
	echo "tags: '$tag' is defined in $(xargs grep -lE "$definition $tag \{" <<<"$files" | paste -sd' ')" >&2
done
[ -z "$twice" ] || exit 1
echo "tags: $(wc -l <<<"$tags") structures"
