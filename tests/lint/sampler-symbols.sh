#!/bin/bash
# What the async-signal-safe zone takes from outside is on its allow-list.
# Usage: sampler-symbols.sh ALLOW-LIST OBJECT...
set -eu -o pipefail
allow=$1
shift
[ $# -gt 0 ] || { echo "sampler-symbols: no objects given" >&2; exit 1; }
undefined=$(nm -u "$@" | awk 'NF == 2 && $1 == "U" { print $2 }' | sort -u)
own=$(nm --defined-only "$@" | awk 'NF == 3 { print $3 }' | sort -u)
outside=$(comm -23 <(echo "$undefined") <(echo "$own"))
listed=$(sed 's/[[:space:]]*#.*//' "$allow" | { grep -v "^$" || true; } | sort -u)
bad=0
for symbol in $(comm -23 <(echo "$outside") <(echo "$listed")); do
	echo "sampler-symbols: '$symbol' is not on the allow-list, used by:" \
		"$(for o in "$@"; do nm -u "$o" | grep -qw "$symbol" && echo -n " ${o##*/}"; done)" >&2
	bad=1
done
[ "$bad" -eq 0 ] || exit 1
echo "sampler-symbols: $(wc -w <<<"$outside") symbols from outside"
