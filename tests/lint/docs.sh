#!/bin/bash
# Every file that the documentation names from the root is there. Usage: docs.sh ROOT
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
[ "$bad" -eq 0 ] || exit 1
echo "docs: $names files named"
