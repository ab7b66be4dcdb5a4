#!/bin/bash
# No word of the documentation or of a comment is one that codespell knows to be misspelt. Usage: spelling.sh ROOT
set -eu -o pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$1"
files=$(find . \( -path './build*' -o -path './.git' -o -path './tests/fixtures' \) -prune -o -type f \
	\( -name '*.md' -o -name '*.[ch]' -o -name '*.cc' -o -name '*.S' -o -name '*.sh' -o -name '*.js' -o -name '*.css' -o -path '*/man/*.[17]' -o -name Makefile \) -print | sort)
[ -n "$files" ] || { echo "spelling: no files under $1" >&2; exit 1; }
xargs -d '\n' codespell -I "$here/spelling.allow" <<<"$files" >&2 || { echo "spelling: mend these, or allow the word in tests/lint/spelling.allow" >&2; exit 1; }
echo "spelling: $(wc -l <<<"$files") files"
