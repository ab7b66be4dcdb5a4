#!/bin/bash
# Static analysis of the product's own C code. Usage: cppcheck.sh ROOT
set -eu -o pipefail
. "$(dirname "$0")/sources.sh"
here=$(realpath "$(dirname "$0")")
files=$(list_sources "$1" '*.c' | grep -E '^(sampler|preload|env|symbolize|profiles|tools)/') ||
	{ echo "cppcheck: no source files under $1" >&2; exit 1; }
cd "$1"
xargs -d '\n' cppcheck --quiet --std=c11 -j2 -I. -D_GNU_SOURCE -D__x86_64__ '-D__attribute__(x)=' \
	--enable=warning,performance,portability --inline-suppr \
	--suppressions-list="$here/cppcheck.suppress" --error-exitcode=1 <<<"$files"
echo "cppcheck: $(wc -l <<<"$files") files"
