#!/bin/bash
# Every file that the documentation names from the root is there, or that it links to, and a function has the name that stands before it.
# Usage: docs.sh ROOT
set -eu -o pipefail
cd "$1"
files=$(find . -maxdepth 2 \( -path './docs/*.md' -o -path './*.md' \) -not -path './build*' | sort)
[ -n "$files" ] || { echo "docs: no files" >&2; exit 1; }
bad=0
names=0
while read -r doc name; do
	names=$((names + 1))
	[ -e "$name" ] || { echo "docs: $doc names \"$name\", which is not there" >&2; bad=1; }
done < <(grep -HoE '`(sampler|preload|env|symbolize|profiles|tools|tests)/[A-Za-z0-9_./-]+\.(c|h|S|def|sh|bats|tsv|md|map|list)`' $files | tr -d '`' | sed 's/:/ /')
while IFS=: read -r doc link; do
	[ -e "$(dirname "$doc")/$link" ] || { echo "docs: $doc links to \"$link\", which is not there" >&2; bad=1; }
done < <(grep -HoP '\]\(\K[A-Za-z0-9_./-]+(?=(#[^)]*)?\))' $files || true)
while IFS=: read -r doc name file; do
	[ ! -e "$file" ] || grep -qwF "$name" "$file" || { echo "docs: $doc looks for \"$name\" in $file" >&2; bad=1; }
done < <(grep -HoP '`[a-z_0-9]+`(, | in | \()`(sampler|preload|env|symbolize|profiles|tools)/[A-Za-z0-9_./-]+\.[chS]`' $files |
	sed -E 's/`([a-z_0-9]+)`(, | in | \()`(.*)`/\1:\3/' || true)
[ "$bad" -eq 0 ] || exit 1
echo "docs: $names files named"
