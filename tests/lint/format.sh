#!/bin/bash
# Every C and C++ source is formatted as .clang-format says. Usage: format.sh [--fix] ROOT
set -eu -o pipefail
. "$(dirname "$0")/sources.sh"
mode=(--dry-run -Werror)
if [ "$1" = --fix ]; then
	mode=(-i)
	shift
fi
files=$(list_sources "$1" '*.c' '*.h' '*.cc')
cd "$1"
xargs -d '\n' clang-format -style=file "${mode[@]}" <<<"$files"
echo "format: $(wc -l <<<"$files") files"
