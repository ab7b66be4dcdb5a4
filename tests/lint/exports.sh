#!/bin/bash
# A library exports what the globals of its version script name, no more and no less.
# Usage: exports.sh LIBRARY VERSION-SCRIPT
set -eu -o pipefail
library=$1 map=$2
exported=$(nm -D --defined-only "$library" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort -u)
wanted=$(tr '\n' ' ' <"$map" | sed -E 's:/\*([^*]|\*+[^*/])*\*+/: :g; s/local:[^}]*//g; s/[A-Za-z0-9_.]*[[:space:]]*\{//g
	s/\}[^;]*;//g; s/global://g' | tr ';' '\n' | tr -d ' \t"' | { grep -v "^$" || true; } | sort -u)
[ -n "$wanted" ] || { echo "exports: $map names no symbols" >&2; exit 1; }
bad=0
for symbol in $exported; do
	found=no
	while IFS= read -r pattern; do
		# shellcheck disable=SC2053 # version scripts hold globs
		[[ $symbol == $pattern ]] && found=yes && break
	done <<<"$wanted"
	[ $found = yes ] || { echo "exports: $library exports '$symbol', which $map does not name" >&2; bad=1; }
done
while IFS= read -r pattern; do
	case $pattern in *[*?]*) continue ;; esac
	grep -qxF "$pattern" <<<"$exported" || { echo "exports: $map names '$pattern', which $library does not define" >&2; bad=1; }
done <<<"$wanted"
[ "$bad" -eq 0 ] || exit 1
echo "exports: $(wc -w <<<"$exported") symbols"
