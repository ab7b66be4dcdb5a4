#!/bin/bash
# sbom.sh VERSION DAY TARBALL: what the release is made of, in SPDX 2.3 as JSON, on standard output.
# What goes into the command itself, and what it needs when it runs, are Debian's packages, which .ci/packages.txt names.
set -eu -o pipefail
version=$1 day=$2 tarball=$3
cd "$(dirname "$0")/.."
sum=$(sha256sum "$tarball" | cut -d' ' -f1)

# A package's licence, as far as it is known here.
licence_of() {
	case $1 in
	node-d3-*) echo BSD-3-Clause ;;
	libc6-dev | libmicrohttpd-dev) echo LGPL-2.1-or-later ;;
	libdw-dev | libelf-dev) echo 'LGPL-3.0-or-later OR GPL-2.0-or-later' ;;
	libsqlite3-dev) echo blessing ;;
	libunwind-dev | libjansson-dev | libzydis-dev) echo MIT ;;
	libarchive-dev | libjemalloc-dev) echo BSD-2-Clause ;;
	libcurl4-openssl-dev) echo curl ;;
	zlib1g-dev) echo Zlib ;;
	*) echo NOASSERTION ;;
	esac
}

# What becomes of it: copied into the command, linked into it, loaded when it runs or is wanted, or a tool.
relation_of() {
	case $1 in
	node-d3-*) echo "SPDXRef-smartprof CONTAINS SPDXRef-$1" ;;
	libc6-dev | libiberty-dev) echo "SPDXRef-smartprof STATIC_LINK SPDXRef-$1" ;;
	libcurl4-openssl-dev | libmicrohttpd-dev) echo "SPDXRef-$1 OPTIONAL_DEPENDENCY_OF SPDXRef-smartprof" ;;
	lib*-dev | zlib1g-dev) echo "SPDXRef-smartprof DYNAMIC_LINK SPDXRef-$1" ;;
	*) echo "SPDXRef-$1 BUILD_TOOL_OF SPDXRef-smartprof" ;;
	esac
}

packages=$(awk '$1 == "build" { print $2 }' .ci/packages.txt | LC_ALL=C sort)
cat <<END
{
  "spdxVersion": "SPDX-2.3",
  "dataLicense": "CC0-1.0",
  "SPDXID": "SPDXRef-DOCUMENT",
  "name": "smartprof-$version",
  "documentNamespace": "https://spdx.org/spdxdocs/smartprof-$version-$sum",
  "creationInfo": {"created": "${day}T00:00:00Z", "creators": ["Tool: smartprof-packaging-$version"]},
  "packages": [
    {
      "SPDXID": "SPDXRef-smartprof", "name": "smartprof", "versionInfo": "$version",
      "packageFileName": "${tarball##*/}", "downloadLocation": "NOASSERTION", "filesAnalyzed": false,
      "checksums": [{"algorithm": "SHA256", "checksumValue": "$sum"}],
      "licenseConcluded": "MIT AND BSD-3-Clause", "licenseDeclared": "MIT", "copyrightText": "Copyright (c) The smartprof authors",
      "primaryPackagePurpose": "APPLICATION"
    }$(for name in $packages; do
	installed=$(dpkg-query -W -f '${db:Status-Status} ${Version}' "$name" 2>/dev/null || true)
	printf ',\n    {"SPDXID": "SPDXRef-%s", "name": "%s", "downloadLocation": "NOASSERTION", "filesAnalyzed": false' "$name" "$name"
	[ "${installed% *}" != installed ] || printf ',\n      "versionInfo": "%s"' "${installed#* }"
	printf ',\n      "licenseConcluded": "NOASSERTION", "licenseDeclared": "%s", "copyrightText": "NOASSERTION"' "$(licence_of "$name")"
	printf ',\n      "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": "pkg:deb/debian/%s"}]}' "$name"
done)
  ],
  "relationships": [
    {"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": "SPDXRef-smartprof"}$(for name in $packages; do
	read -r from kind to <<<"$(relation_of "$name")"
	printf ',\n    {"spdxElementId": "%s", "relationshipType": "%s", "relatedSpdxElement": "%s"}' "$from" "$kind" "$to"
done)
  ]
}
END
