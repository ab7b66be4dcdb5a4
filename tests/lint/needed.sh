#!/bin/bash
# A library of the agent's needs what is said and nothing else (each one more costs every process its loading), and no lazy binding, no text relocations, no
# executable stack. Usage: needed.sh LIBRARY NEEDED
set -eu -o pipefail
dynamic=$(readelf -dW "$1")
needed=$(sed -nE 's/.*\(NEEDED\).*\[(.*)\]/\1/p' <<<"$dynamic" | paste -sd' ')
want=$2
bad=0
[ "$needed" = "$want" ] || { echo "needed: $1 needs '$needed', not '$want'" >&2; bad=1; }
grep -qE 'BIND_NOW|FLAGS.*NOW' <<<"$dynamic" || { echo "needed: $1 binds lazily" >&2; bad=1; }
if grep -q TEXTREL <<<"$dynamic"; then echo "needed: $1 has text relocations" >&2; bad=1; fi
segments=$(readelf -lW "$1")
grep -q GNU_RELRO <<<"$segments" || { echo "needed: $1 has no RELRO" >&2; bad=1; }
if grep GNU_STACK <<<"$segments" | grep -q RWE; then echo "needed: $1 wants an executable stack" >&2; bad=1; fi
tls=$(awk '$1 == "TLS" { print $6 }' <<<"$segments")
[ $((${tls:-0})) -le 128 ] || { echo "needed: $1 has $((tls)) bytes of TLS, more than 128" >&2; bad=1; }
[ "$bad" -eq 0 ] || exit 1
echo "needed: ${needed:-nothing}"
