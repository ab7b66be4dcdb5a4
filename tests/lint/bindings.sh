#!/bin/bash
# What the loader binds by name for a library is on its allow-list: anything else the program could define for
# itself, and be called by the library. References to the library's own exports count, unless the linker has bound them.
# Usage: bindings.sh LIBRARY ALLOW-LIST
set -eu -o pipefail
library=$1 allow=$2
listed=$(sed 's/[[:space:]]*#.*//' "$allow" | { grep -v "^$" || true; } | sort -u)
relocations=$(readelf -rW "$library")
bound=$(awk '$3 ~ /^R_/ && $5 ~ /^[A-Za-z_]/ { sub(/@.*/, "", $5); print $5 }' <<<"$relocations" | sort -u)
[ -n "$bound" ] || { echo "bindings: no names in the relocations of $library" >&2; exit 1; }
bad=0
for symbol in $(comm -23 <(echo "$bound") <(echo "$listed")); do
	echo "bindings: $library refers to '$symbol' by name, which a program may define: see preload/libc.h" >&2
	bad=1
done
for symbol in $(comm -13 <(echo "$bound") <(echo "$listed")); do
	echo "bindings: $allow lists '$symbol', which $library does not refer to" >&2
	bad=1
done
[ "$bad" -eq 0 ] || exit 1
echo "bindings: $(grep -c . <<<"$bound") symbols bound by name"
