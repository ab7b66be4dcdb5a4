#!/bin/bash
# deb.sh VERSION DIRECTORY [OBJECTS]: Debian packages of the release VERSION, source and binary, built there from its tarball. What
# dpkg-buildpackage says is in DIRECTORY/log. OBJECTS: a build directory, of which what is compiled is taken instead of being compiled.
set -eu -o pipefail
version=$1
directory=$(realpath -m "$2")
objects=${3:+$(realpath "$3")}
cd "$(dirname "$0")/.."
command -v dh >/dev/null || { echo "deb: debhelper is missing: make deps" >&2; exit 1; }
umask 022
rm -rf "$directory"
packaging/dist.sh "$version" "$directory"
tree=$directory/smartprof-$version
ln -s "smartprof-$version.tar.gz" "$directory/smartprof_$version.orig.tar.gz"
tar -C "$directory" -xf "$directory/smartprof-$version.tar.gz"

cp -r packaging/debian "$tree/debian"
maintainer=$(sed -n 's/^Maintainer: //p' "$tree/debian/control")
awk -v who="$maintainer" -f packaging/changelog.awk CHANGELOG.md >"$tree/debian/changelog"
# What every Debian has that builds packages is not named.
needs=$(awk '$1 == "build" && $2 !~ /^(gcc|make|libc6-dev)$/ { printf "%s, ", $2 }' .ci/packages.txt)
sed -i "s/@BUILD_DEPENDS@/${needs%, }/" "$tree/debian/control"

options=(--build=full)
if [ -n "$objects" ]; then
	options=(--build=binary --no-pre-clean)
	mkdir "$tree/build"
	cp -a "$objects"/{obj,smartprof,libsmartprof.so,libsmartprof-context.so} "$tree/build"
fi
(cd "$tree" && dpkg-buildpackage --no-sign "${options[@]}") >"$directory/log" 2>&1 || {
	tail -n 40 "$directory/log" >&2
	echo "deb: the packages were not built; the whole log: $directory/log" >&2
	exit 1
}
rm -rf "$tree"
