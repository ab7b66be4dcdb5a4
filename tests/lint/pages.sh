#!/bin/bash
# What every process of a tree touches of the agent lies on few pages: what the loader relocates on one, small variables
# from a page's beginning on, tables on pages of their own, what a start runs on the first, and what each fork runs in one place.
# Usage: pages.sh LIBRARY [SCRIPT]; SCRIPT: what is said to have laid it out, preload/variables.ld
set -eu -o pipefail
sections=$(readelf -SW "$1" | sed 's/^ *\[ *[0-9]*\] *//')
bad=0
start_of() { awk -v name="$1" '$1 == name { print $3 }' <<<"$sections"; }
complain() { echo "pages: $1" >&2; bad=1; }
root=$(realpath "$(dirname "$0")/../..")
script=${2:-$root/preload/variables.ld}
read -r at size < <(readelf -lW "$1" | awk '$1 == "GNU_RELRO" { print $3, $6 }')
pages=$((((at + size + 4095) >> 12) - (at >> 12)))
[ "$pages" -le 1 ] || complain "$1: the loader relocates on $pages pages, not 1: what begins with pointers (.data.rel.ro, .got) is larger, or is not laid out to end a page"
for section in .variables .big; do
	[[ $(start_of $section) == *000 ]] || complain "$1: $section does not begin a page"
done
[[ $(nm "$1" | awk '$3 == "first_pool" { print $1 }') == *000 ]] || complain "$1: first_pool, whose beginning every start fills, does not begin a page"
# A name in the script that no function or file has any more would group nothing.
listed=$(sed -n '/^\t\.text : {/,/}/p' "$script" | grep -oE '\(\.text\.\w+ ' | sed 's/(\.text\.//; s/ //' | grep -vE '^(hot|startup)$' | sort)
for name in $listed; do
	grep -rqE --include='*.[ch]' "^[^[:space:]/#].*\b$name\(|\(\w+, $name, |__asm__\(\"$name\"\)" "$root"/{preload,env,sampler} ||
		complain "$script lists .text.$name, but no function has that name"
done
for name in $(grep -oE '\*\w+/[a-z_/]+\.c\.o\(' "$script" | tr -d '*(' | sed 's/\.o$//'); do
	compgen -G "$root/$name" >/dev/null || compgen -G "$root/*/$name" >/dev/null ||
		complain "$script lists $name.o, but there is no such file"
done
# What a process runs that does nothing lies with the loader's tables in the sixteen pages that the kernel maps at once.
started=$(nm "$1" | awk '$2 ~ /^[tT]$/ && $3 !~ /[.]cold$/ { sub(/\..*/, "", $3); print $3, $1 }' | sort | join - <(echo "$listed"))
[ -n "$started" ] || complain "$1: has none of the functions that $script lists"
beyond=$(awk '$2 >= "0000000000010000" { print $1 }' <<<"$started" | paste -sd ' ')
[ -z "$beyond" ] || complain "$1: what every start runs does not lie in the first sixteen pages: $beyond"
forked=$(nm "$1" | awk '$2 ~ /^[tT]$/ && $3 ~ /_forked$|^sp_fork_(child|forget)$|^sp_threads_made$/ { print $1 }' | sort)
[ -n "$forked" ] || complain "$1: has no names of what each fork runs (SP_AT_FORK)"
[ $((0x$(tail -n 1 <<<"$forked") - 0x$(head -n 1 <<<"$forked"))) -lt 4096 ] ||
	complain "$1: what each fork runs (SP_AT_FORK) is spread over more than a page's length"
read -r at size < <(awk '$1 == ".tables" { print $3, $5 }' <<<"$sections")
first=$((0x$(head -n 1 <<<"$forked"))) last=$((0x$(tail -n 1 <<<"$forked")))
bytes=$(nm -S "$1" | awk -v last="$(tail -n 1 <<<"$forked")" '$1 == last && $3 ~ /^[tT]$/ { bytes = $2 } END { print bytes }')
for target in $(objdump -d --no-show-raw-insn --start-address=$first --stop-address=$((last + 0x$bytes)) "$1" | sed -n 's/.*# \([0-9a-f]*\) <.*/\1/p'); do
	[ $((0x$target)) -lt $((0x$at)) ] || [ $((0x$target)) -ge $((0x$at + 0x$size)) ] ||
		complain "$1: what each fork runs (SP_AT_FORK) reads a constant from the tables' pages, at $target"
done
[ "$bad" -eq 0 ] || exit 1
echo "pages: $pages that are relocated"
