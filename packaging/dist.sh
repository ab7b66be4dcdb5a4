#!/bin/bash
# dist.sh VERSION DIRECTORY: the release VERSION there: source, what is in it (SPDX) and checksums. The same files give the same bytes.
# Files are those that git knows, as they are now, or all of an unpacked release; all are of the day that CHANGELOG.md tells.
set -eu -o pipefail
version=$1
directory=$(realpath -m "$2")
cd "$(dirname "$0")/.."
read -r released day < <(sed -nE 's/^## ([^ ]+) \(([0-9-]{10})\)$/\1 \2/p' CHANGELOG.md)
[ "$released" = "$version" ] || { echo "dist: CHANGELOG.md begins with '$released', the Makefile says $version" >&2; exit 1; }
in_git=
[ "$(git rev-parse --show-toplevel 2>/dev/null)" != "$PWD" ] || in_git=yes
[ -z "$in_git" ] || [ -z "$(git status --porcelain)" ] || echo "dist: this is not what is committed" >&2

files() {
	if [ -n "$in_git" ]; then
		git ls-files -z
	else
		find . \( -path './build*' -o -path ./debian -o -name .git \) -prune -o -type f -printf '%P\0'
	fi | LC_ALL=C sort -z | while IFS= read -r -d '' name; do
		if [ -e "$name" ]; then printf '%s\0' "$name"; fi
	done
}

mkdir -p "$directory"
source=$directory/smartprof-$version.tar.gz
files | tar --create --format=ustar --mtime="$day UTC" --owner=0 --group=0 --numeric-owner --mode=u+rw,go-w,a+rX \
	--transform="s,^,smartprof-$version/," --no-recursion --null --files-from=- | gzip -n9 >"$source.new"
mv "$source.new" "$source"
packaging/sbom.sh "$version" "$day" "$source" >"$directory/smartprof-$version.spdx.json"
(cd "$directory" && sha256sum "smartprof-$version.tar.gz" "smartprof-$version.spdx.json" >SHA256SUMS)
